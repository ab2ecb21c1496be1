/* SPDX-License-Identifier: Apache-2.0
 * rng.c - OpenSSL's generator for everything that matters, xoshiro256** (Blackman, Vigna) seeded by splitmix64 for everything that must be
 * repeatable. RAND_bytes is not buffered here: its own DRBG is fast and safe across fork, a buffer of ours would not be. */
#include <meridian/rng.h>

#include <string.h>

#include <openssl/rand.h>

static void system_fill(void *ctx, void *out, size_t len)
{
    (void)ctx;
    /* a machine without randomness must not deal cards or make ids */
    MER_ASSERT(len <= INT32_MAX && RAND_bytes(out, (int)len) == 1);
}

struct mer_rng mer_rng_system(void)
{
    return (struct mer_rng){.fill = system_fill};
}

static uint64_t rotl(uint64_t x, int n)
{
    return (x << n) | (x >> (64 - n));
}

static uint64_t xoshiro_next(uint64_t s[4])
{
    uint64_t result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

static void seeded_fill(void *ctx, void *out, size_t len)
{
    struct mer_rng_seeded *state = ctx;
    uint8_t *p = out;

    while (len) {
        uint64_t x = xoshiro_next(state->s);
        size_t n = len < sizeof(x) ? len : sizeof(x);
        memcpy(p, &x, n);
        p += n;
        len -= n;
    }
}

struct mer_rng mer_rng_seed(struct mer_rng_seeded *state, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        state->s[i] = z ^ (z >> 31);
    }
    return (struct mer_rng){.fill = seeded_fill, .ctx = state};
}

uint64_t mer_rng_u64(const struct mer_rng *r)
{
    uint64_t x;

    r->fill(r->ctx, &x, sizeof(x));
    return x;
}

uint32_t mer_rng_u32(const struct mer_rng *r)
{
    uint32_t x;

    r->fill(r->ctx, &x, sizeof(x));
    return x;
}

uint32_t mer_rng_below(const struct mer_rng *r, uint32_t n)
{
    uint64_t product;

    MER_ASSERT(n > 0);
    /* Lemire: the high half of x * n is the answer; low halves under 2^32 mod n would be over-represented and are drawn again */
    do
        product = (uint64_t)mer_rng_u32(r) * n;
    while ((uint32_t)product < -n % n);
    return (uint32_t)(product >> 32);
}
