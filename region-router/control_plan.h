/* SPDX-License-Identifier: Apache-2.0
 * control_plan.h - what an order would do, and whether it may (pure): the same words for a dry run, for a refusal and for what was done. */
#pragma once

#include "region-router/place.h"
#include "region-router/region_view.h"

#include "meridian/control/v1/control.pb-c.h"

struct router_plan {
    Meridian__Control__V1__AnswerCode code; /* OK: it may be done, or there is nothing to do */
    bool nothing;                           /* to do: it is so already */
    char why[512];                          /* for people */
};

/* What the plan is made of; borrowed. */
struct router_plan_world {
    const struct mer_list *edges;             /* of struct router_edge by node */
    const struct router_region_view *regions; /* ours first */
    size_t region_count;
    uint64_t now_ms;
};

/* By id or incarnation; NULL: not connected. */
struct router_edge *router_plan_edge(const struct mer_list *edges, const char *name);
/* `ask` is an order (router_ask_changes) without objection. `done`: past tense of "would". */
void router_plan(struct router_plan *out, const struct router_plan_world *w, const Meridian__Control__V1__Ask *ask, bool done);
