/* SPDX-License-Identifier: Apache-2.0
 * news_shell.c - news_shell.h. Said again every few seconds, so nothing of it needs an answer: what was lost is said again, and "full" is
 * told within one period. Only a leader tells and hears; who ceases to lead forgets, because the mesh says that every region is gone. */
#include "region-router/news_shell.h"

#include "region-router/app.h"
#include "region-router/region_sum.h"

#define RV1(x) Meridian__Region__V1__##x
#define BODY(x) MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_##x

static const struct mer_metric_def metrics[ROUTER_N_COUNT] = {
    [ROUTER_N_TAKEN] = {"meridian_router_region_news_total", "what other regions said of themselves", MER_COUNTER, "outcome=\"taken\""},
    [ROUTER_N_REFUSED] = {"meridian_router_region_news_total", "what other regions said of themselves", MER_COUNTER, "outcome=\"refused\""},
};

struct telling {
    RV1(RegionMessage) message;
    RV1(RegionNews) news;
    RV1(NewsState) state;
    RV1(NewsDrain) drain;
    RV1(NewsLink) link[ROUTER_REGIONS_MAX], *links[ROUTER_REGIONS_MAX];
    RV1(NewsEdge) edge[ROUTER_NEWS_EDGES], *edges[ROUTER_NEWS_EDGES];
};

static void compose_links(struct router_app *app, struct telling *t)
{
    static const RV1(NewsLink) no_link = MERIDIAN__REGION__V1__NEWS_LINK__INIT;
    size_t count;
    const struct router_mesh_region *regions = router_mesh_regions(app->mesh, &count);
    t->state.links = t->links;
    for (; t->state.n_links < count && t->state.n_links < ROUTER_REGIONS_MAX; t->state.n_links++) {
        const struct router_mesh_region *r = &regions[t->state.n_links];
        RV1(NewsLink) *l = t->links[t->state.n_links] = &t->link[t->state.n_links];
        *l = no_link;
        l->region = (char *)r->name;
        l->up = r->up;
        l->rtt_us = r->rtt_us;
        l->queued = r->queued;
        l->outbox = router_relays_waiting(app->relays, r->name);
    }
}

static void compose_state(struct router_app *app, struct telling *t)
{
    const struct router_region_drain *d = &app->region_life.drain;
    struct router_region_sum sum = router_region_sum(&app->edges.edges, app->loop.now_ms);
    t->state = (RV1(NewsState))MERIDIAN__REGION__V1__NEWS_STATE__INIT;
    t->state.leader = app->incarnation;
    t->state.players = sum.players;
    t->state.capacity = sum.capacity;
    t->state.games = sum.games;
    t->state.edges_ready = sum.ready;
    t->state.edges_draining = sum.draining;
    t->state.load_permille = sum.load_permille;
    t->state.has_matches_minute = router_pace_known(&app->pace);
    t->state.matches_minute = router_pace_minute(&app->pace, router_app_games(app));
    compose_links(app, t);
    t->news.state = &t->state;
    t->news.open = sum.ready > 0 && !d->on;
    if (!d->on)
        return;
    t->drain = (RV1(NewsDrain))MERIDIAN__REGION__V1__NEWS_DRAIN__INIT;
    t->drain.began_ms = router_region_drain_began_ms(d, mer_clock_wall_ms(&app->clock));
    t->drain.over_ms = d->over_ms;
    t->drain.by = (char *)d->by;
    t->drain.reason = (char *)d->reason;
    t->state.drain = &t->drain;
}

static void compose(struct router_app *app, struct telling *t)
{
    static const RV1(NewsEdge) no_edge = MERIDIAN__REGION__V1__NEWS_EDGE__INIT;
    t->message = (RV1(RegionMessage))MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    t->news = (RV1(RegionNews))MERIDIAN__REGION__V1__REGION_NEWS__INIT;
    t->message.body_case = BODY(REGION_NEWS);
    t->message.region_news = &t->news;
    t->news.edges = t->edges;
    MER_LIST_EACH (it, &app->edges.edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        bool named = router_edge_is_fresh(e, app->loop.now_ms) && !e->draining && e->ws_url[0] != 0;
        if (!named || t->news.n_edges == ROUTER_NEWS_EDGES)
            continue;
        t->edge[t->news.n_edges] = no_edge;
        t->edge[t->news.n_edges].id = e->id;
        t->edge[t->news.n_edges].ws_url = e->ws_url;
        t->edges[t->news.n_edges] = &t->edge[t->news.n_edges];
        t->news.n_edges++;
    }
    compose_state(app, t);
}

/* To one region, or to all that can be talked to. Nothing before it is known whether ours is drained: it would be "open" to everybody. */
static void tell(struct router_newsroom *r, const char *only)
{
    struct telling t;
    size_t count;
    const struct router_mesh_region *regions = router_mesh_regions(r->app->mesh, &count);
    if (!r->app->region_life.known)
        return; /* region_life.c tells as soon as it is */
    compose(r->app, &t);
    for (size_t i = 0; i < count; i++)
        if (regions[i].up && (only == NULL || strcmp(regions[i].name, only) == 0))
            (void)!router_mesh_send(r->app->mesh, regions[i].name, &t.message); /* counted there, and said again */
}

void router_newsroom_tell(struct router_newsroom *r)
{
    if (router__lead_epoch(r->app) != 0)
        tell(r, NULL);
}

static void on_news(void *ctx, const char *region, const RV1(RegionMessage) * m)
{
    struct router_newsroom *r = ctx;
    bool changed = false;
    enum mer_err err = router_news_take(&r->news, region, m->region_news, r->app->loop.now_ms, &changed);
    r->values[err == MER_OK ? ROUTER_N_TAKEN : ROUTER_N_REFUSED]++;
    if (err != MER_OK)
        MER_LOG_RATE(&r->app->log, MER_WARN, "news.refused", KV_STR("of", region), KV_STR("reason", mer_err_text(err)));
    if (changed)
        router_edges_list_changed(&r->app->edges);
    if (changed)
        router_crossing_look(&r->app->crossing);
}

static void on_region(void *ctx, const char *region, bool up)
{
    struct router_newsroom *r = ctx;
    if (up)
        tell(r, region);
    else if (router_news_forget(&r->news, region))
        router_edges_list_changed(&r->app->edges);
}

static void on_timer(struct mer_timer *timer)
{
    struct router_newsroom *r = MER_CONTAINER_OF(timer, struct router_newsroom, timer);
    router_newsroom_tell(r);
    if (router_news_sweep(&r->news, r->app->loop.now_ms))
        router_edges_list_changed(&r->app->edges);
    mer_loop_arm(&r->app->loop, timer, ROUTER_NEWS_MS);
}

void router_newsroom_init(struct router_newsroom *r, struct router_app *app)
{
    size_t count;
    r->app = app;
    mer_timer_init(&r->timer, on_timer);
    mer_metrics_add(&app->metrics, &r->set, metrics, ROUTER_N_COUNT, r->values);
    router_mesh_on(app->mesh, BODY(REGION_NEWS), on_news, r);
    router_mesh_on_region(app->mesh, on_region, r);
    (void)router_mesh_regions(app->mesh, &count);
    if (count > 0)
        mer_loop_arm(&app->loop, &r->timer, ROUTER_NEWS_MS);
}

void router_newsroom_deinit(struct router_newsroom *r)
{
    if (r->app == NULL)
        return;
    mer_loop_disarm(&r->app->loop, &r->timer);
    mer_metrics_remove(&r->set);
}
