/* SPDX-License-Identifier: Apache-2.0
 * sim_faults_private.h - a fault that is on, what goes wrong with whole regions (sim_faults_far.c), and what the operator does
 * (sim_operator.c): no fault, but it must harm as little. */
#pragma once

#include "tests/sim/sim.h"

struct fault;
struct running {
    const struct fault *fault;
    struct sim_region *at; /* where */
    struct sim_proc *p, *q;
    uint32_t life; /* of p when it was told something */
    unsigned step, edge, bits;
    uint64_t since_ms;
};

/* Each begins; then sim_still_... says, twice a second, whether it goes on. */
bool sim_begin_drain(struct running *r);
bool sim_still_drains(struct running *r);
bool sim_begin_router_stop(struct running *r);
bool sim_begin_rolling(struct running *r);
bool sim_still_rolling(struct running *r);
bool sim_begin_failover(struct running *r);
bool sim_begin_slots(struct running *r);
bool sim_still_slots(struct running *r);

/* --- sim_faults_far.c: between regions, and of whole ones -------------------------------------------------------------------------- */

void sim_cut_pair(struct sim_proc *a, struct sim_proc *b, bool cut);
bool sim_begin_far_cut(struct running *r);
void sim_end_far_cut(struct running *r);
bool sim_begin_far_one_way(struct running *r);
bool sim_begin_far_alone(struct running *r);
bool sim_begin_far_routers(struct running *r);
bool sim_begin_far_slow(struct running *r);
void sim_end_far_slow(struct running *r);
bool sim_begin_leader_sleeps(struct running *r);
bool sim_begin_leader_dies(struct running *r);
bool sim_begin_region_dies(struct running *r);
void sim_end_region_dies(struct running *r);
