/* SPDX-License-Identifier: Apache-2.0
 * sim_faults_private.h - a fault that is on, and what the operator does (sim_operator.c): no fault, but it must harm as little. */
#pragma once

#include "tests/sim/sim.h"

struct fault;
struct running {
    const struct fault *fault;
    struct sim_proc *p, *q;
    uint32_t life; /* of p when it was told something */
    unsigned step, edge;
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
