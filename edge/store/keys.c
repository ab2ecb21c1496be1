/* SPDX-License-Identifier: Apache-2.0
 * keys.c - see keys.h. Pure. */
#include "edge/store/keys.h"

#include <stdio.h>
#include <string.h>

uint32_t edge_key_bucket(const char *id)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const unsigned char *p = (const unsigned char *)id; *p; p++)
        h = (h ^ *p) * 0x100000001b3u;
    h ^= h >> 32;
    h ^= h >> 16;
    return (uint32_t)(h % EDGE_BUCKETS);
}

static enum mer_err key(char *out, const char *kind, uint32_t bucket, const char *id)
{
    size_t n = strnlen(id, EDGE_KEY_ID_MAX + 1);
    if (n == 0 || n > EDGE_KEY_ID_MAX || bucket >= EDGE_BUCKETS)
        return MER_EINVALID;
    snprintf(out, EDGE_KEY_MAX, "%s:{b%u}:%s", kind, bucket, id);
    return MER_OK;
}

enum mer_err edge_key_game(char out[EDGE_KEY_MAX], const char *gid)
{
    return key(out, "game", edge_key_bucket(gid), gid);
}

enum mer_err edge_key_player(char out[EDGE_KEY_MAX], const char *user)
{
    return key(out, "player", edge_key_bucket(user), user);
}

enum mer_err edge_key_live(char out[EDGE_KEY_MAX], const char *incarnation)
{
    return key(out, "live", edge_key_bucket(incarnation), incarnation);
}

enum mer_err edge_key_owned(char out[EDGE_KEY_MAX], uint32_t bucket, const char *incarnation)
{
    return key(out, "owned", bucket, incarnation);
}
