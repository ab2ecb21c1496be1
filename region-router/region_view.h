/* SPDX-License-Identifier: Apache-2.0
 * region_view.h - every region as this router sees it, for operators: ours by its edges, the others by what their leaders say and by the
 * links to them. */
#pragma once

#include <meridian/base.h>

#include "meridian/control/v1/control.pb-c.h"

struct router_app;

/* Texts are borrowed for this turn. */
struct router_region_view {
    const char *name;
    Meridian__Control__V1__RegionMode mode;
    const char *leader;                        /* NULL: not known */
    bool summed;                               /* the next ones are known */
    uint64_t players, capacity, games, age_ms; /* age of what was said; 0: ours */
    uint32_t edges_ready, edges_draining, load_permille;
    bool linked; /* not ours: the next ones say something */
    uint32_t rtt_us;
    uint64_t queued, outbox;
    const char *drain_by, *drain_reason;    /* NULL: not drained */
    uint64_t drain_began_ms, drain_over_ms; /* ago; length */
};

/* Ours first, then in the order of the configuration. Returns how many, at most ROUTER_REGIONS_MAX. */
size_t router_region_views(struct router_app *app, struct router_region_view *out);
