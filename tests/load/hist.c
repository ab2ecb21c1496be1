/* SPDX-License-Identifier: Apache-2.0
 * hist.c - buckets: the first 64 hold one microsecond each, then every power of two is cut into 64 equal steps. */
#include "tests/load/hist.h"

#include <math.h>

static unsigned bucket_of(uint64_t us)
{
    unsigned power = us < LOAD_HIST_STEPS ? 0 : 63u - (unsigned)__builtin_clzll(us) - 5; /* 64..127 -> 1 */
    if (power == 0)
        return (unsigned)us;
    if (power > LOAD_HIST_POWERS)
        return LOAD_HIST_BUCKETS - 1;
    return power * LOAD_HIST_STEPS + (unsigned)((us >> (power - 1)) - LOAD_HIST_STEPS);
}

/* Largest value that falls into the bucket. */
static uint64_t top_of(unsigned bucket)
{
    unsigned power = bucket / LOAD_HIST_STEPS, step = bucket % LOAD_HIST_STEPS;
    if (power == 0)
        return step;
    return ((uint64_t)(LOAD_HIST_STEPS + step + 1) << (power - 1)) - 1;
}

void load_hist_add(struct load_hist *h, uint64_t us)
{
    h->count++;
    h->sum_us += us;
    if (us > h->max_us)
        h->max_us = us;
    h->bucket[bucket_of(us)]++;
}

uint64_t load_hist_at(const struct load_hist *h, double q)
{
    uint64_t wanted = (uint64_t)ceil(q * (double)h->count), seen = 0;
    if (h->count == 0)
        return 0;
    for (unsigned i = 0; i < LOAD_HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= wanted && seen > 0)
            return i == LOAD_HIST_BUCKETS - 1 || top_of(i) > h->max_us ? h->max_us : top_of(i);
    }
    return h->max_us;
}
