/* SPDX-License-Identifier: Apache-2.0
 * keys.c - see keys.h. Pure. */
#include "edge/store/keys.h"

uint32_t edge_key_bucket(const char *id)
{
    return mer_key_bucket(id);
}

enum mer_err edge_key_game(char out[EDGE_KEY_MAX], const char *gid)
{
    return mer_key_in_bucket(out, "game", mer_key_bucket(gid), gid);
}

enum mer_err edge_key_player(char out[EDGE_KEY_MAX], const char *user)
{
    return mer_key_in_bucket(out, "player", mer_key_bucket(user), user);
}

enum mer_err edge_key_live(char out[EDGE_KEY_MAX], const char *incarnation)
{
    return mer_key_live(out, incarnation);
}

enum mer_err edge_key_owned(char out[EDGE_KEY_MAX], uint32_t bucket, const char *incarnation)
{
    return mer_key_in_bucket(out, "owned", bucket, incarnation);
}

enum mer_err edge_key_electable(char out[EDGE_KEY_MAX], uint32_t bucket)
{
    return mer_key_electable(out, bucket);
}
