/* SPDX-License-Identifier: Apache-2.0
 * rng.h - randomness is injected (C13). The system generator is cryptographic (OpenSSL RAND_bytes); the seeded one (xoshiro256**)
 * is for tests, the simulator and jitter where repeatability matters. */
#pragma once

#include <meridian/base.h>

struct mer_rng {
    void (*fill)(void *ctx, void *out, size_t len);
    void *ctx;
};

struct mer_rng_seeded {
    uint64_t s[4];
};

struct mer_rng mer_rng_system(void);
struct mer_rng mer_rng_seed(struct mer_rng_seeded *state, uint64_t seed);

uint64_t mer_rng_u64(const struct mer_rng *r);
uint32_t mer_rng_u32(const struct mer_rng *r);
/* Uniform in [0, n), n > 0, without modulo bias. */
uint32_t mer_rng_below(const struct mer_rng *r, uint32_t n);
