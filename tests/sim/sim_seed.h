/* SPDX-License-Identifier: Apache-2.0
 * sim_seed.h - one seed: a region or several, what goes wrong in them, and what is asked of them in the end. */
#pragma once

#include "tests/sim/sim_check.h"

struct sim_order {
    bool trace, twice, unmanaged;
    unsigned regions; /* more than one: joined */
    const char *plant;
};

struct sim_result {
    uint64_t seed, hash, virtual_ms, steps;
    uint64_t end_ms; /* from the end of the last fault until all was over */
    unsigned faults;
    bool failed;
    char why[512];
    struct sim_counts counts;
};

/* What a seed of several regions has at least had, or it is a failure of the harness: by the number of regions, for a region more is one
 * more to play and to write with. */
struct sim_least {
    uint64_t far_games, far_moves, mails;
};
struct sim_least sim_seed_least(unsigned regions);
/* In a process of its own. */
void sim_seed_run(struct sim_result *r, uint64_t seed, const struct sim_order *o);
