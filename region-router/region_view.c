/* SPDX-License-Identifier: Apache-2.0
 * region_view.c - see region_view.h. */
#include "region-router/region_view.h"

#include "region-router/app.h"
#include "region-router/region_sum.h"

#define MODE(x) MERIDIAN__CONTROL__V1__REGION_MODE__REGION_MODE_##x

static void view_own(struct router_app *app, struct router_region_view *v)
{
    const struct router_region_drain *d = &app->region_life.drain;
    struct router_region_sum s = router_region_sum(&app->edges.edges, app->loop.now_ms);
    *v = (struct router_region_view){.name = app->conf.region,
                                     .mode = d->on         ? MODE(DRAINING)
                                             : s.ready > 0 ? MODE(ACTIVE)
                                                           : MODE(FULL),
                                     .leader = router__lead_epoch(app) != 0 ? app->incarnation : router_standby_holder(app->standby),
                                     .summed = true,
                                     .players = s.players,
                                     .capacity = s.capacity,
                                     .games = s.games,
                                     .edges_ready = s.ready,
                                     .edges_draining = s.draining,
                                     .load_permille = s.load_permille};
    if (!d->on)
        return;
    v->drain_by = d->by;
    v->drain_reason = d->reason;
    v->drain_began_ms = router_region_drain_began_ms(d, mer_clock_wall_ms(&app->clock));
    v->drain_over_ms = d->over_ms;
}

static void view_news(const struct router_news_region *news, uint64_t now_ms, struct router_region_view *v)
{
    const struct router_news_state *s = &news->state;
    v->age_ms = now_ms - news->heard_ms;
    v->mode = news->stated && s->draining ? MODE(DRAINING) : news->open ? MODE(ACTIVE) : MODE(FULL);
    if (!news->stated)
        return;
    v->leader = s->leader;
    v->summed = true;
    v->players = s->players;
    v->capacity = s->capacity;
    v->games = s->games;
    v->edges_ready = s->edges_ready;
    v->edges_draining = s->edges_draining;
    v->load_permille = s->load_permille;
    if (!s->draining)
        return;
    v->drain_by = s->by;
    v->drain_reason = s->reason;
    v->drain_began_ms = s->drain_began_ms + v->age_ms;
    v->drain_over_ms = s->drain_over_ms;
}

size_t router_region_views(struct router_app *app, struct router_region_view *out)
{
    size_t count, n = 1;
    const struct router_mesh_region *mr = router_mesh_regions(app->mesh, &count);
    view_own(app, &out[0]);
    for (size_t i = 0; i < count && n < ROUTER_REGIONS_MAX; i++) {
        struct router_region_view *v = &out[n++];
        const struct router_news_region *news = router_news_of(&app->newsroom.news, mr[i].name);
        *v = (struct router_region_view){.name = mr[i].name,
                                         .mode = mr[i].up ? MODE(UNKNOWN) : MODE(UNREACHABLE),
                                         .linked = true,
                                         .rtt_us = mr[i].rtt_us,
                                         .queued = mr[i].queued,
                                         .outbox = router_relays_waiting(app->relays, mr[i].name)};
        if (mr[i].up && news != NULL)
            view_news(news, app->loop.now_ms, v);
    }
    return n;
}
