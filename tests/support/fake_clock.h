/* SPDX-License-Identifier: Apache-2.0
 * fake_clock.h - time that moves only when a test says so, with a wheel that goes along. */
#pragma once

#include <meridian/clock.h>
#include <meridian/wheel.h>

struct fake_clock {
    uint64_t mono_us, wall_ms;
    struct mer_wheel *wheel; /* advanced by fake_clock_run_for when not NULL */
};

static inline uint64_t fake_clock__mono_us(void *ctx)
{
    return ((struct fake_clock *)ctx)->mono_us;
}
static inline uint64_t fake_clock__wall_ms(void *ctx)
{
    return ((struct fake_clock *)ctx)->wall_ms;
}
/* Starts at mono 1,000 s and wall 2026-01-01T00:00:00Z. */
static inline struct mer_clock fake_clock_init(struct fake_clock *f)
{
    *f = (struct fake_clock){.mono_us = 1000ULL * 1000000, .wall_ms = 1767225600000ULL};
    return (struct mer_clock){.mono_us = fake_clock__mono_us, .wall_ms = fake_clock__wall_ms, .ctx = f};
}
static inline uint64_t fake_clock_now_ms(const struct fake_clock *f)
{
    return f->mono_us / 1000;
}
/* Millisecond by millisecond, so that a timer armed by a timer fires on time too. */
static inline void fake_clock_run_for(struct fake_clock *f, uint64_t ms)
{
    for (; ms > 0; ms--) {
        f->mono_us += 1000;
        f->wall_ms++;
        if (f->wheel)
            mer_wheel_advance(f->wheel, fake_clock_now_ms(f), UINT32_MAX);
    }
}
