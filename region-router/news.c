/* SPDX-License-Identifier: Apache-2.0
 * news.c - news.h. What comes from elsewhere ends up, signed by us, with every player of this region: so it is looked at as if a stranger
 * had said it. Owner: the app. Next: news_shell.c. */
#include "region-router/news.h"

#include <stdio.h>
#include <string.h>

#include <meridian/id.h>

#define RV1(x) Meridian__Region__V1__##x

/* ws://host... or wss://host..., in printable ASCII without quotes and blanks. */
static bool is_address(const char *url)
{
    size_t head = strncmp(url, "wss://", 6) == 0 ? 6 : 5, len = strlen(url);
    if ((head == 5 && strncmp(url, "ws://", 5) != 0) || len <= head || len >= ROUTER_NEWS_URL_BYTES)
        return false;
    for (const char *c = url; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || strchr("\"'<>\\", *c) != NULL)
            return false;
    return true;
}

static bool is_text(const char *text, size_t max)
{
    return mer_id_is_text(text, strlen(text), max);
}

/* id.suffix, both plain. */
static bool is_incarnation(const char *text)
{
    size_t id = strcspn(text, "."), len = strlen(text);
    return len < ROUTER_NAME_BYTES && id + 1 < len && mer_id_is_plain(text, id, ROUTER_NAME_BYTES) &&
           mer_id_is_plain(text + id + 1, len - id - 1, ROUTER_NAME_BYTES);
}

static bool is_good_state(const RV1(NewsState) * s)
{
    const RV1(NewsDrain) *d = s->drain;
    if (s->n_links > ROUTER_REGIONS_MAX)
        return false;
    for (size_t i = 0; i < s->n_links; i++)
        if (!mer_id_is_plain(s->links[i]->region, strlen(s->links[i]->region), ROUTER_REGION_BYTES - 1))
            return false;
    return is_incarnation(s->leader) && (d == NULL || (is_text(d->by, ROUTER_BY_BYTES - 1) && d->over_ms <= ROUTER_DRAIN_OVER_MAX_MS &&
                                                       is_text(d->reason, ROUTER_REASON_TEXT_BYTES - 1)));
}

static bool is_good(const RV1(RegionNews) * m)
{
    if (m->n_edges > ROUTER_NEWS_EDGES || (m->state != NULL && !is_good_state(m->state)))
        return false;
    for (size_t i = 0; i < m->n_edges; i++)
        if (!mer_id_is_plain(m->edges[i]->id, strlen(m->edges[i]->id), ROUTER_NEWS_ID_BYTES - 1) || !is_address(m->edges[i]->ws_url))
            return false;
    return true;
}

static struct router_news_region *find(struct router_news *n, const char *name)
{
    for (uint32_t i = 0; i < n->count; i++)
        if (strcmp(n->region[i].name, name) == 0)
            return &n->region[i];
    return NULL;
}

static bool is_same(const struct router_news_region *r, const RV1(RegionNews) * m)
{
    bool same = r->open == (m->open != 0) && r->edge_count == m->n_edges;
    for (size_t i = 0; same && i < m->n_edges; i++)
        same = strcmp(r->edge[i].id, m->edges[i]->id) == 0 && strcmp(r->edge[i].ws_url, m->edges[i]->ws_url) == 0;
    return same;
}

static void take_link(struct router_news_link *to, const RV1(NewsLink) * l)
{
    snprintf(to->region, sizeof to->region, "%s", l->region);
    to->up = l->up;
    to->rtt_us = l->rtt_us;
    to->queued = l->queued;
    to->outbox = l->outbox;
}

static void take_state(struct router_news_state *to, const RV1(NewsState) * s)
{
    *to = (struct router_news_state){.players = s->players,
                                     .capacity = s->capacity,
                                     .games = s->games,
                                     .edges_ready = s->edges_ready,
                                     .edges_draining = s->edges_draining,
                                     .load_permille = s->load_permille,
                                     .draining = s->drain != NULL,
                                     .counted = s->has_matches_minute,
                                     .matches_minute = s->matches_minute,
                                     .link_count = (uint32_t)s->n_links};
    snprintf(to->leader, sizeof to->leader, "%s", s->leader);
    for (size_t i = 0; i < s->n_links; i++)
        take_link(&to->link[i], s->links[i]);
    if (s->drain == NULL)
        return;
    to->drain_began_ms = s->drain->began_ms;
    to->drain_over_ms = s->drain->over_ms;
    snprintf(to->by, sizeof to->by, "%s", s->drain->by);
    snprintf(to->reason, sizeof to->reason, "%s", s->drain->reason);
}

enum mer_err router_news_take(struct router_news *n, const char *region, const RV1(RegionNews) * m, uint64_t now_ms, bool *changed)
{
    struct router_news_region *r = find(n, region);
    if (!is_good(m) || !mer_id_is_plain(region, strlen(region), sizeof r->name - 1))
        return MER_EINVALID;
    if (r == NULL && n->count == ROUTER_NEWS_REGIONS)
        return MER_EBUSY;
    *changed = r == NULL || !is_same(r, m);
    if (r == NULL) {
        r = &n->region[n->count++];
        r->stated = false;
    }
    if (m->state != NULL) {
        take_state(&r->state, m->state);
        r->stated = true;
    }
    snprintf(r->name, sizeof r->name, "%s", region);
    r->open = m->open;
    r->heard_ms = now_ms;
    r->edge_count = (uint32_t)m->n_edges;
    for (size_t i = 0; i < m->n_edges; i++) {
        snprintf(r->edge[i].id, sizeof r->edge[i].id, "%s", m->edges[i]->id);
        snprintf(r->edge[i].ws_url, sizeof r->edge[i].ws_url, "%s", m->edges[i]->ws_url);
    }
    return MER_OK;
}

const struct router_news_region *router_news_of(const struct router_news *n, const char *region)
{
    return find((struct router_news *)n, region);
}

static void drop(struct router_news *n, struct router_news_region *r)
{
    struct router_news_region *last = &n->region[--n->count];
    if (r != last)
        *r = *last;
}

bool router_news_forget(struct router_news *n, const char *region)
{
    struct router_news_region *r = find(n, region);
    if (r != NULL)
        drop(n, r);
    return r != NULL;
}

bool router_news_sweep(struct router_news *n, uint64_t now_ms)
{
    uint32_t before = n->count;
    for (uint32_t i = n->count; i-- > 0;)
        if (now_ms - n->region[i].heard_ms >= ROUTER_NEWS_STALE_MS)
            drop(n, &n->region[i]);
    return n->count != before;
}

void router_news_list(struct router_news *n, struct router_news_rows *rows, Meridian__Internal__V1__EdgeList *list)
{
    static const Meridian__Internal__V1__ListedRegion no_region = MERIDIAN__INTERNAL__V1__LISTED_REGION__INIT;
    static const Meridian__Internal__V1__ListedEdge no_edge = MERIDIAN__INTERNAL__V1__LISTED_EDGE__INIT;
    for (uint32_t i = 0; i < n->count; i++) {
        struct router_news_region *r = &n->region[i];
        for (uint32_t e = 0; e < r->edge_count; e++) {
            rows->edge[i][e] = no_edge;
            rows->edge[i][e].id = r->edge[e].id;
            rows->edge[i][e].ws_url = r->edge[e].ws_url;
            rows->edges[i][e] = &rows->edge[i][e];
        }
        rows->region[i] = no_region;
        rows->region[i].name = r->name;
        rows->region[i].open = r->open;
        rows->region[i].n_edges = r->edge_count;
        rows->region[i].edges = rows->edges[i];
        rows->regions[i] = &rows->region[i];
    }
    list->n_regions = n->count;
    list->regions = rows->regions;
}
