/* SPDX-License-Identifier: Apache-2.0
 * wall.h - the state of all regions as the wall shows it (pure): what this router knows and what the others' leaders say, put together. */
#pragma once

#include <meridian/buf.h>
#include <meridian/list.h>

#include "region-router/limits.h"
#include "region-router/news.h"

#include "meridian/control/v1/wall.pb-c.h"

struct router_wall_place {
    char region[ROUTER_REGION_BYTES];
    double latitude, longitude;
};

/* What there is to be seen; everything is borrowed. */
struct router_wall_view {
    uint64_t wall_ms; /* since 1970 */
    const char *region, *router;
    bool leads;
    Meridian__Control__V1__RegionState *const *regions; /* ours first */
    size_t region_count;                                /* at most ROUTER_REGIONS_MAX */
    const struct router_news_link *links;               /* ours */
    size_t link_count;
    const struct router_news *news;
    const struct router_wall_place *places;
    size_t place_count;
    const struct mer_list *edges; /* of struct router_edge by node */
    bool counted;                 /* the next is known */
    uint32_t matches_minute;      /* in our region */
    uint64_t tickets_waiting;     /* when we lead */
};

enum { ROUTER_WALL_PAIRS = ROUTER_REGIONS_MAX * (ROUTER_REGIONS_MAX - 1) / 2 };

struct router_wall {
    Meridian__Control__V1__WallState state;
    Meridian__Control__V1__RegionState told[ROUTER_REGIONS_MAX];
    Meridian__Control__V1__WallRegion region[ROUTER_REGIONS_MAX], *regions[ROUTER_REGIONS_MAX];
    Meridian__Control__V1__WallLink link[ROUTER_WALL_PAIRS], *links[ROUTER_WALL_PAIRS];
    Meridian__Control__V1__WallEdge edge[ROUTER_WALL_EDGES], *edges[ROUTER_WALL_EDGES];
};

/* w->state is valid while the view and w are. Figures beyond what the JSON form holds are told as the largest that it does: other regions
 * say them, and nobody may blind the wall. */
void router_wall_look(struct router_wall *w, const struct router_wall_view *v);
