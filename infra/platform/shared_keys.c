/* SPDX-License-Identifier: Apache-2.0
 * shared_keys.c - see shared_keys.h. Pure. */
#include <meridian/shared_keys.h>

#include <stdio.h>
#include <string.h>

uint32_t mer_key_bucket(const char *id)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const unsigned char *p = (const unsigned char *)id; *p; p++)
        h = (h ^ *p) * 0x100000001b3u;
    h ^= h >> 32;
    h ^= h >> 16;
    return (uint32_t)(h % MER_BUCKETS);
}

enum mer_err mer_key_in_bucket(char out[MER_KEY_MAX], const char *kind, uint32_t bucket, const char *id)
{
    size_t n = strnlen(id, MER_KEY_ID_MAX + 1);
    if (n == 0 || n > MER_KEY_ID_MAX || bucket >= MER_BUCKETS)
        return MER_EINVALID;
    snprintf(out, MER_KEY_MAX, "%s:{b%u}:%s", kind, bucket, id);
    return MER_OK;
}

enum mer_err mer_key_live(char out[MER_KEY_MAX], const char *incarnation)
{
    return mer_key_in_bucket(out, "live", mer_key_bucket(incarnation), incarnation);
}

enum mer_err mer_key_electable(char out[MER_KEY_MAX], uint32_t bucket)
{
    if (bucket >= MER_BUCKETS)
        return MER_EINVALID;
    snprintf(out, MER_KEY_MAX, "electable:{b%u}", bucket);
    return MER_OK;
}
