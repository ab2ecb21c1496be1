/* SPDX-License-Identifier: Apache-2.0
 * region_sum.h - a region in figures (pure). Only edges that reported lately count: one that hangs is no room for anybody. */
#pragma once

#include "region-router/place.h"

struct router_region_sum {
    uint32_t edges, ready, draining;   /* ready: takes new players, so neither draining nor full */
    uint64_t players, capacity, games; /* capacity: of those that do not drain */
    uint32_t load_permille;            /* of a core, on average */
};

/* edges: of struct router_edge by node. */
struct router_region_sum router_region_sum(const struct mer_list *edges, uint64_t now_ms);
