/* SPDX-License-Identifier: Apache-2.0
 * drain.c - see drain.h. */
#include "region-router/drain.h"

#include <string.h>

#include <meridian/base.h>

static bool less_loaded(const struct router_edge *a, const struct router_edge *b)
{
    return a->load_permille != b->load_permille ? a->load_permille < b->load_permille : a->games < b->games;
}

/* Into its place; the most loaded falls off the end. */
static void insert(struct router_drain_plan *p, const struct router_edge *e)
{
    unsigned at = 0;
    while (at < p->target_count && !less_loaded(e, p->target[at]))
        at++;
    if (at == ROUTER_TARGETS_MAX)
        return;
    unsigned kept = p->target_count < ROUTER_TARGETS_MAX ? p->target_count : ROUTER_TARGETS_MAX - 1;
    memmove(&p->target[at + 1], &p->target[at], (kept - at) * sizeof p->target[0]);
    p->target[at] = e;
    p->target_count = kept + 1;
}

static uint32_t accepts(const struct router_edge *e, uint32_t handshakes)
{
    uint32_t room = e->max_connections - e->connections, share = (room + 9) / 10;
    return share < handshakes ? share : handshakes;
}

static uint32_t part(uint64_t all, unsigned sharers)
{
    uint64_t n = (all + sharers - 1) / sharers;
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

void router_drain_plan(struct router_drain_plan *out, const struct router_edge *from, const struct mer_list *edges, uint32_t handshakes,
                       uint64_t now_ms)
{
    uint64_t sessions = 0, games = 0;
    unsigned draining = 1;
    memset(out, 0, sizeof *out);
    MER_LIST_EACH (it, edges) {
        const struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (e == from)
            continue;
        draining += e->reported && e->draining;
        if (!router_place_fit(e, now_ms))
            continue;
        insert(out, e);
        sessions += accepts(e, handshakes);
        games += ROUTER_GAMES_A_TARGET;
    }
    out->sessions_per_second = part(sessions, draining);
    out->games_per_second = part(games, draining);
}
