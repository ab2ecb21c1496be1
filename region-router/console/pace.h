/* SPDX-License-Identifier: Apache-2.0
 * pace.h - how much of something there was in the last minute, from a counter that is looked at every five seconds (pure). */
#pragma once

#include <meridian/base.h>

enum { ROUTER_PACE_STEPS = 12 };

/* All zero: nothing was looked at. */
struct router_pace {
    uint64_t total[ROUTER_PACE_STEPS];
    uint32_t next, count;
};

/* The counter, every ROUTER_PACE_STEP_MS. */
void router_pace_step(struct router_pace *p, uint64_t total);
/* It was looked at. */
bool router_pace_known(const struct router_pace *p);
/* What came in the last minute, or since the first look where that is later. 0: not known. */
uint32_t router_pace_minute(const struct router_pace *p, uint64_t total);
