/* SPDX-License-Identifier: Apache-2.0
 * drain.h - where the games of a draining edge go, and how fast its players may come to the others (pure; architecture section 3). */
#pragma once

#include "region-router/limits.h"
#include "region-router/place.h"

struct router_drain_plan {
    const struct router_edge *target[ROUTER_TARGETS_MAX]; /* least loaded first */
    unsigned target_count;
    uint32_t sessions_per_second, games_per_second; /* 0: nobody takes any; ask again */
};

/* Targets are fit for a new game, other than `from`. Each takes handshakes a second, at most a tenth of the connections it has room for (so
 * that ten seconds of it never fill it); edges that drain at the same time share what there is. */
void router_drain_plan(struct router_drain_plan *out, const struct router_edge *from, const struct mer_list *edges, uint32_t handshakes,
                       uint64_t now_ms);
