/* SPDX-License-Identifier: Apache-2.0
 * news.h - what the other regions say that their players' list should hold of them: which edges live there, and whether any takes new
 * players (R32). Pure. Of a region that says nothing, or nothing any more, nothing is known: players are given its shared address then. */
#pragma once

#include <meridian/err.h>

#include "region-router/limits.h"
#include "region-router/place.h"
#include "region-router/region_drain.h"

#include "meridian/internal/v1/internal.pb-c.h"
#include "meridian/region/v1/region.pb-c.h"

enum { ROUTER_NEWS_ID_BYTES = 48, ROUTER_NEWS_URL_BYTES = 256 };

/* A region's own word on its link to another one. */
struct router_news_link {
    char region[ROUTER_REGION_BYTES];
    bool up;
    uint32_t rtt_us; /* 0: not known */
    uint64_t queued, outbox;
};

struct router_news_state {
    char leader[ROUTER_NAME_BYTES];
    uint64_t players, capacity, games;
    uint32_t edges_ready, edges_draining, load_permille;
    bool draining;
    uint64_t drain_began_ms, drain_over_ms; /* ago, when it was said */
    char by[ROUTER_BY_BYTES], reason[ROUTER_REASON_TEXT_BYTES];
    bool counted; /* the next is known */
    uint32_t matches_minute;
    uint32_t link_count;
    struct router_news_link link[ROUTER_REGIONS_MAX];
};

struct router_news_region {
    char name[32];
    bool open;
    bool stated; /* `state` was said */
    struct router_news_state state;
    uint32_t edge_count;
    struct {
        char id[ROUTER_NEWS_ID_BYTES], ws_url[ROUTER_NEWS_URL_BYTES];
    } edge[ROUTER_NEWS_EDGES];
    uint64_t heard_ms;
};

/* All zero: nothing is known. */
struct router_news {
    struct router_news_region region[ROUTER_NEWS_REGIONS];
    uint32_t count;
};

/* Storage for router_news_list; borrows from the news. */
struct router_news_rows {
    Meridian__Internal__V1__ListedRegion region[ROUTER_NEWS_REGIONS], *regions[ROUTER_NEWS_REGIONS];
    Meridian__Internal__V1__ListedEdge edge[ROUTER_NEWS_REGIONS][ROUTER_NEWS_EDGES], *edges[ROUTER_NEWS_REGIONS][ROUTER_NEWS_EDGES];
};

/* What a region's leader says. MER_EINVALID: it cannot be given to players, nothing of it is taken; MER_EBUSY: a region too many. *changed:
 * the list is another one now. */
MER_MUST_CHECK enum mer_err router_news_take(struct router_news *n, const char *region, const Meridian__Region__V1__RegionNews *m,
                                             uint64_t now_ms, bool *changed);
/* Its leader cannot be heard any more. True when something was known. */
bool router_news_forget(struct router_news *n, const char *region);
/* Forgets who said nothing for ROUTER_NEWS_STALE_MS. True when there was one. */
bool router_news_sweep(struct router_news *n, uint64_t now_ms);
/* NULL: nothing is known of it. */
const struct router_news_region *router_news_of(const struct router_news *n, const char *region);
/* Everything known, for the edges' list. */
void router_news_list(struct router_news *n, struct router_news_rows *rows, Meridian__Internal__V1__EdgeList *list);
