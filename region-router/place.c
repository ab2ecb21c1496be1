/* SPDX-License-Identifier: Apache-2.0
 * place.c - placement (place.h).
 *
 * A game on the edge of one of its players saves that player a hop, so load decides only between equals; games placed since the last report
 * count as load, or a burst would all land on the edge that was idle a second ago. Only when no player's edge is fit all edges are looked
 * at: a rare walk over the processes of one region. */
#include "region-router/place.h"

bool router_place_fit(const struct router_edge *e, uint64_t now_ms)
{
    return router_edge_is_fresh(e, now_ms) && !e->draining && e->connections < e->max_connections &&
           e->load_permille < ROUTER_BUSY_PERMILLE;
}

static bool less_loaded(const struct router_edge *a, const struct router_edge *b)
{
    uint64_t la = (uint64_t)a->load_permille + a->placed, lb = (uint64_t)b->load_permille + b->placed;
    if (la != lb)
        return la < lb;
    return a->games < b->games;
}

static unsigned players_at(struct router_edge *const *players, unsigned count, const struct router_edge *e)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += players[i] == e;
    return n;
}

struct router_edge *router_place(struct router_edge *const *players, unsigned count, const struct mer_list *all, uint64_t now_ms)
{
    struct router_edge *best = NULL;
    unsigned most = 0;
    for (unsigned i = 0; i < count; i++) {
        struct router_edge *e = players[i];
        if (e == best || !router_place_fit(e, now_ms))
            continue;
        unsigned n = players_at(players, count, e);
        if (best == NULL || n > most || (n == most && less_loaded(e, best))) {
            best = e;
            most = n;
        }
    }
    if (best == NULL) {
        MER_LIST_EACH (it, all) {
            struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
            if (router_place_fit(e, now_ms) && (best == NULL || less_loaded(e, best)))
                best = e;
        }
    }
    if (best != NULL)
        best->placed++;
    return best;
}
