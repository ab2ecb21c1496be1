/* SPDX-License-Identifier: Apache-2.0
 * region_sum.c - see region_sum.h. */
#include "region-router/region_sum.h"

#include <meridian/base.h>

#include "region-router/limits.h"

struct router_region_sum router_region_sum(const struct mer_list *edges, uint64_t now_ms)
{
    struct router_region_sum s = {0};
    uint64_t load = 0;
    MER_LIST_EACH (it, edges) {
        const struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (!router_edge_is_fresh(e, now_ms))
            continue;
        s.edges++;
        s.ready += !e->draining && e->connections < e->max_connections;
        s.draining += e->draining;
        s.players += e->sessions;
        s.capacity += e->draining ? 0 : e->max_connections;
        s.games += e->games;
        load += e->load_permille;
    }
    s.load_permille = s.edges > 0 ? (uint32_t)(load / s.edges) : 0;
    return s;
}
