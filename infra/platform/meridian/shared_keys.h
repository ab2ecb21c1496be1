/* SPDX-License-Identifier: Apache-2.0
 * shared_keys.h - names of the keys in Redis that both edges and routers use (the whole layout: infra/redis/README.md).
 *
 * The bucket of an id must never change: it is where the data lie. */
#pragma once

#include <meridian/err.h>

enum {
    MER_BUCKETS = 1024,
    MER_KEY_ID_MAX = 256, /* bytes of an id */
    MER_KEY_MAX = MER_KEY_ID_MAX * 2 + 32,
};

/* FNV-1a, folded: stable for ever, even over short ids. */
uint32_t mer_key_bucket(const char *id);
/* kind:{bN}:id; MER_EINVALID for an empty or too long id, or a bucket that is none. */
MER_MUST_CHECK enum mer_err mer_key_in_bucket(char out[MER_KEY_MAX], const char *kind, uint32_t bucket, const char *id);
/* live:{bN}:incarnation: there while that edge lives. */
MER_MUST_CHECK enum mer_err mer_key_live(char out[MER_KEY_MAX], const char *incarnation);
/* electable:{bN}: how many replicas the bucket's writes must reach. */
MER_MUST_CHECK enum mer_err mer_key_electable(char out[MER_KEY_MAX], uint32_t bucket);
