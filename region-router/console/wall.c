/* SPDX-License-Identifier: Apache-2.0
 * wall.c - see wall.h.
 *
 * A link has two ends, and each region's leader speaks of its own: of two regions that are not ours both are heard, through their news. One
 * end that says "down" is believed, because what a cut does is one-sided for some seconds. Next: console.c. */
#include "region-router/console/wall.h"

#include <string.h>

#include <meridian/json.h>

#define CV1(x) Meridian__Control__V1__##x
#define LINK(x) MERIDIAN__CONTROL__V1__WALL_LINK_MODE__WALL_LINK_MODE_##x

static uint64_t bounded(uint64_t n)
{
    return n < MER_JSON_INT_MAX ? n : MER_JSON_INT_MAX;
}

/* ---- regions ------------------------------------------------------------------------------------------------------------------------- */

static const struct router_news_state *news_of(const struct router_wall_view *v, const char *region)
{
    const struct router_news_region *r = router_news_of(v->news, region);
    return r != NULL && r->stated ? &r->state : NULL;
}

static void bound(CV1(RegionState) * r)
{
    uint64_t *const figures[] = {&r->players, &r->capacity, &r->games, &r->queued, &r->outbox, &r->age_ms};
    for (size_t i = 0; i < MER_COUNT(figures); i++)
        *figures[i] = bounded(*figures[i]);
    if (r->drain == NULL)
        return;
    r->drain->began_ms = bounded(r->drain->began_ms);
    r->drain->over_ms = bounded(r->drain->over_ms);
}

static void look_at_region(struct router_wall *w, const struct router_wall_view *v, size_t i)
{
    CV1(WallRegion) *r = w->regions[i] = &w->region[i];
    const struct router_news_state *news = news_of(v, v->regions[i]->name);
    *r = (CV1(WallRegion))MERIDIAN__CONTROL__V1__WALL_REGION__INIT;
    w->told[i] = *v->regions[i];
    bound(&w->told[i]);
    r->state = &w->told[i];
    r->has_matches_minute = i == 0 ? v->counted : r->state->has_players && news != NULL && news->counted;
    r->matches_minute = !r->has_matches_minute ? 0 : i == 0 ? v->matches_minute : news->matches_minute;
    for (size_t p = 0; p < v->place_count; p++) {
        if (strcmp(v->places[p].region, r->state->name) != 0)
            continue;
        r->has_latitude = r->has_longitude = true;
        r->latitude = v->places[p].latitude;
        r->longitude = v->places[p].longitude;
    }
}

/* ---- links --------------------------------------------------------------------------------------------------------------------------- */

static const struct router_news_link *find(const struct router_news_link *links, size_t count, const char *to)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(links[i].region, to) == 0)
            return &links[i];
    return NULL;
}

/* What the region of one end says of the link to the other; NULL: nothing. */
static const struct router_news_link *say_of(const struct router_wall_view *v, size_t from, size_t to)
{
    const char *name = v->regions[to]->name;
    const struct router_news_state *news = from == 0 ? NULL : news_of(v, v->regions[from]->name);
    if (from == 0)
        return find(v->links, v->link_count, name);
    return news != NULL ? find(news->link, news->link_count, name) : NULL;
}

static void look_at_link(struct router_wall *w, const struct router_wall_view *v, size_t a, size_t b)
{
    const struct router_news_link *says[] = {say_of(v, a, b), say_of(v, b, a)};
    size_t n = w->state.n_links++;
    CV1(WallLink) *l = w->links[n] = &w->link[n];
    *l = (CV1(WallLink))MERIDIAN__CONTROL__V1__WALL_LINK__INIT;
    l->from = v->regions[a]->name;
    l->to = v->regions[b]->name;
    l->mode = LINK(UNKNOWN);
    for (size_t i = 0; i < MER_COUNT(says); i++) {
        if (says[i] == NULL)
            continue;
        l->mode = says[i]->up && l->mode != LINK(DOWN) ? LINK(UP) : LINK(DOWN);
        l->rtt_us = says[i]->rtt_us > l->rtt_us ? says[i]->rtt_us : l->rtt_us;
        l->queued = bounded(l->queued + bounded(says[i]->queued));
        l->waiting = bounded(l->waiting + bounded(says[i]->outbox));
    }
    l->has_rtt_us = l->rtt_us > 0 && l->mode == LINK(UP);
    if (l->mode == LINK(UP) && (l->queued > ROUTER_WALL_QUEUED || l->waiting > ROUTER_WALL_WAITING))
        l->mode = LINK(BEHIND);
}

/* ---- all ----------------------------------------------------------------------------------------------------------------------------- */

static void look_at_edges(struct router_wall *w, const struct router_wall_view *v)
{
    MER_LIST_EACH (it, v->edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        size_t n = w->state.n_edges;
        if (!e->reported || !e->draining || n == ROUTER_WALL_EDGES)
            continue;
        w->edge[n] = (CV1(WallEdge))MERIDIAN__CONTROL__V1__WALL_EDGE__INIT;
        w->edge[n].id = e->id;
        w->edge[n].players = e->sessions;
        w->edge[n].games = e->games;
        w->edges[n] = &w->edge[n];
        w->state.n_edges++;
    }
}

void router_wall_look(struct router_wall *w, const struct router_wall_view *v)
{
    size_t count = v->region_count < ROUTER_REGIONS_MAX ? v->region_count : ROUTER_REGIONS_MAX;
    w->state = (CV1(WallState))MERIDIAN__CONTROL__V1__WALL_STATE__INIT;
    w->state.at_ms = bounded(v->wall_ms);
    w->state.region = (char *)v->region;
    w->state.router = (char *)v->router;
    w->state.leader = v->leads;
    w->state.has_tickets_waiting = v->leads;
    w->state.tickets_waiting = bounded(v->tickets_waiting);
    w->state.regions = w->regions;
    w->state.links = w->links;
    w->state.edges = w->edges;
    for (size_t i = 0; i < count; i++)
        look_at_region(w, v, i);
    w->state.n_regions = count;
    for (size_t a = 0; a < count; a++)
        for (size_t b = a + 1; b < count; b++)
            look_at_link(w, v, a, b);
    look_at_edges(w, v);
}
