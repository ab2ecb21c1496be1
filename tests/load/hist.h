/* SPDX-License-Identifier: Apache-2.0
 * hist.h - latency histogram: every value kept to within 1.6 % (64 steps a power of two), in microseconds, up to about an hour. Counting is
 * one addition; no sample is thrown away, so p99 and max are those of all values. */
#pragma once

#include <meridian/base.h>

enum { LOAD_HIST_STEPS = 64, LOAD_HIST_POWERS = 26, LOAD_HIST_BUCKETS = LOAD_HIST_STEPS * (LOAD_HIST_POWERS + 1) };

struct load_hist {
    uint64_t count, sum_us, max_us;
    uint32_t bucket[LOAD_HIST_BUCKETS];
};

void load_hist_add(struct load_hist *h, uint64_t us);
/* The smallest value that at least `q` (0-1) of all values do not exceed, rounded up to its step, never above the largest; 0 when empty. */
uint64_t load_hist_at(const struct load_hist *h, double q);
