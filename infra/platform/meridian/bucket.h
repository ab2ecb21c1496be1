/* SPDX-License-Identifier: Apache-2.0
 * bucket.h - token bucket in 8 bytes (R18): milli-tokens in 32 bits, milliseconds of the last use in 32 bits (wraps after 49 days,
 * harmless). */
#pragma once

#include <meridian/base.h>

struct mer_bucket {
    uint32_t milli; /* tokens * 1000 still there */
    uint32_t at_ms;
};
struct mer_bucket_rate {
    uint32_t per_second, burst; /* burst >= 1 */
};

void mer_bucket_init(struct mer_bucket *b, struct mer_bucket_rate r, uint64_t now_ms);
/* Takes one token; false when there is none. */
bool mer_bucket_take(struct mer_bucket *b, struct mer_bucket_rate r, uint64_t now_ms);
/* Milliseconds until one token is there; 0 when there is one. */
uint32_t mer_bucket_wait_ms(const struct mer_bucket *b, struct mer_bucket_rate r, uint64_t now_ms);
