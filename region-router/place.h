/* SPDX-License-Identifier: Apache-2.0
 * place.h - which edge hosts a new game (pure): where most of its players are, then the least loaded; never one that is draining, full or
 * has not reported for 3 s. */
#pragma once

#include <meridian/list.h>

#include "region-router/limits.h"

enum { ROUTER_NAME_BYTES = 100 /* link names are at most 96 */, ROUTER_URL_BYTES = 320 };

struct mer_link;

/* What matching and placement know of a connected edge. */
struct router_edge {
    char id[ROUTER_NAME_BYTES], incarnation[ROUTER_NAME_BYTES];
    char host[ROUTER_NAME_BYTES];
    uint64_t host_hash; /* of host: edges of one host share it */
    uint8_t region;     /* 0: ours; else it stands for a whole region (cross.h), which never reports */
    bool reported;      /* the fields below say something */
    bool draining;
    uint16_t claiming; /* slices of dead edges it is asked for, as counted in a step of claims.c */
    uint32_t connections, max_connections, sessions, games, load_permille;
    uint32_t placed;               /* games placed here since the last report */
    uint64_t reported_ms;          /* monotonic */
    struct mer_list node;          /* in the registry */
    uint32_t tickets;              /* of the matcher: how many, and ... */
    uint16_t number;               /* ... what it calls this edge meanwhile */
    char ws_url[ROUTER_URL_BYTES]; /* as players reach it alone; "" not told to players */
    struct mer_link *link;
};

/* It reported lately: one that hangs is no room for anybody. */
static inline bool router_edge_is_fresh(const struct router_edge *e, uint64_t now_ms)
{
    return e->reported && now_ms - e->reported_ms < ROUTER_STALE_MS;
}
/* May it host a new game? */
bool router_place_fit(const struct router_edge *e, uint64_t now_ms);
/* players[i]: edge of each human (count >= 1, never NULL); all: list of every connected edge by `node`. NULL when no edge is fit. */
struct router_edge *router_place(struct router_edge *const *players, unsigned count, const struct mer_list *all, uint64_t now_ms);
