/* SPDX-License-Identifier: Apache-2.0
 * loop_run.h - a real loop that a test runs for a while, or until something is so. */
#pragma once

#include <meridian/loop.h>

#include "unit.h"

struct loop_run {
    struct mer_timer timer;
    struct mer_loop *loop;
};

static inline void loop_run_over(struct mer_timer *t)
{
    mer_loop_stop(MER_CONTAINER_OF(t, struct loop_run, timer)->loop);
}

static inline void loop_run_for(struct mer_loop *loop, unsigned ms)
{
    struct loop_run run = {.loop = loop};
    mer_timer_init(&run.timer, loop_run_over);
    mer_loop_arm(loop, &run.timer, ms);
    mer_loop_run(loop);
    mer_loop_disarm(loop, &run.timer); /* the test may have stopped the loop before */
}

/* 10 s at the most, and more on a machine that is busy. */
#define WAIT_FOR(f, cond) \
    do { \
        for (unsigned i_ = 0; i_ < 10000 && !(cond); i_++) \
            loop_run_for(&(f)->loop, 1); \
        assert_true(cond); \
    } while (0)
