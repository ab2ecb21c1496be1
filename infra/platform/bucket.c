/* SPDX-License-Identifier: Apache-2.0
 * bucket.c - token bucket. A rate of n a second is n milli-tokens a millisecond, so refilling is exact in integers. */
#include <meridian/bucket.h>

enum { MILLI = 1000, BACKWARDS_MS = 60 * 1000 };

static uint64_t full(struct mer_bucket_rate r)
{
    uint64_t milli = (uint64_t)r.burst * MILLI;

    return milli < UINT32_MAX ? milli : UINT32_MAX;
}

static uint32_t milli_at(const struct mer_bucket *b, struct mer_bucket_rate r, uint64_t now_ms)
{
    uint32_t elapsed = (uint32_t)now_ms - b->at_ms;
    uint64_t milli;

    /* a reading slightly older than the last one is no time at all, not 49 days */
    if (elapsed > UINT32_MAX - BACKWARDS_MS)
        elapsed = 0;
    milli = b->milli + (uint64_t)elapsed * r.per_second;
    return (uint32_t)(milli < full(r) ? milli : full(r));
}

void mer_bucket_init(struct mer_bucket *b, struct mer_bucket_rate r, uint64_t now_ms)
{
    b->milli = (uint32_t)full(r);
    b->at_ms = (uint32_t)now_ms;
}

bool mer_bucket_take(struct mer_bucket *b, struct mer_bucket_rate r, uint64_t now_ms)
{
    b->milli = milli_at(b, r, now_ms);
    b->at_ms = (uint32_t)now_ms;
    if (b->milli < MILLI)
        return false;
    b->milli -= MILLI;
    return true;
}

uint32_t mer_bucket_wait_ms(const struct mer_bucket *b, struct mer_bucket_rate r, uint64_t now_ms)
{
    uint32_t milli = milli_at(b, r, now_ms);

    if (milli >= MILLI)
        return 0;
    if (r.per_second == 0)
        return UINT32_MAX;
    return (MILLI - milli + r.per_second - 1) / r.per_second;
}
