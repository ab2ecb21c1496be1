/* SPDX-License-Identifier: Apache-2.0
 * fake_loop.h - a loop that a fake clock was given to, turned by hand: nothing of it waits, and no descriptor is looked at. */
#pragma once

#include <meridian/loop.h>

#include "fake_clock.h"

/* Millisecond by millisecond, so that a timer armed by a timer fires on time too. */
static inline void fake_loop_run_for(struct mer_loop *loop, struct fake_clock *clock, uint64_t ms)
{
    for (; ms > 0; ms--) {
        fake_clock_run_for(clock, 1);
        loop->now_ms++;
        mer_wheel_advance(&loop->wheel, loop->now_ms, UINT32_MAX);
    }
}
