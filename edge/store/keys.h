/* SPDX-License-Identifier: Apache-2.0
 * keys.h - names of the keys in Redis (the layout is infra/redis/README.md). An id belongs to one of 1,024 buckets, and the bucket is the
 * hash tag: whatever belongs to one game (or one user) is in one slot, and slots move between primaries by the bucket.
 *
 * The bucket of an id must never change: it is where the data lie. Raising the count is a migration. */
#pragma once

#include <meridian/shared_keys.h>

enum {
    EDGE_BUCKETS = MER_BUCKETS,
    EDGE_KEY_ID_MAX = MER_KEY_ID_MAX, /* bytes of a gid, user or incarnation */
    EDGE_KEY_MAX = MER_KEY_MAX,       /* prefix, tag, id and NUL */
};

/* FNV-1a, folded: stable for ever, even over short ids. */
uint32_t edge_key_bucket(const char *id);

/* Each writes a terminated key; MER_EINVALID for an empty id or one longer than EDGE_KEY_ID_MAX. */
MER_MUST_CHECK enum mer_err edge_key_game(char out[EDGE_KEY_MAX], const char *gid);         /* game:{bN}:gid */
MER_MUST_CHECK enum mer_err edge_key_player(char out[EDGE_KEY_MAX], const char *user);      /* player:{bN}:user */
MER_MUST_CHECK enum mer_err edge_key_live(char out[EDGE_KEY_MAX], const char *incarnation); /* live:{bN}:incarnation */
/* owned:{bN}:incarnation: the games of bucket N which that incarnation owns. */
MER_MUST_CHECK enum mer_err edge_key_owned(char out[EDGE_KEY_MAX], uint32_t bucket, const char *incarnation);
/* electable:{bN}: how many replicas the bucket's writes must reach; last of KEYS of every function about games and players. */
MER_MUST_CHECK enum mer_err edge_key_electable(char out[EDGE_KEY_MAX], uint32_t bucket);
