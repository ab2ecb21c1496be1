/* SPDX-License-Identifier: Apache-2.0
 * clock.h - time is injected (C13): monotonic (CLOCK_BOOTTIME) inside, wall clock only at the border (tokens, records, logs). */
#pragma once

#include <meridian/base.h>

struct mer_clock {
    uint64_t (*mono_us)(void *ctx);
    uint64_t (*wall_ms)(void *ctx);
    void *ctx;
};

/* The machine's clocks. */
struct mer_clock mer_clock_system(void);
static inline uint64_t mer_clock_mono_ms(const struct mer_clock *c)
{
    return c->mono_us(c->ctx) / 1000;
}
static inline uint64_t mer_clock_wall_ms(const struct mer_clock *c)
{
    return c->wall_ms(c->ctx);
}
