/* SPDX-License-Identifier: Apache-2.0
 * console.c - console.h on the loop: the page's files, the stream of states, the pace of games. Owner: the app. Next: wall.h; page/. */
#include "region-router/console/console.h"

#include <stdio.h>

#include <meridian/json.h>
#include <meridian/web.h>

#include "region-router/control_private.h"
#include "region-router/region_view.h"

extern const struct mer_web_file router_console_files[]; /* infra/cmake/EmbedFiles.cmake */

static size_t own_links(struct router_app *app, struct router_news_link out[ROUTER_REGIONS_MAX])
{
    size_t count, n = 0;
    const struct router_mesh_region *regions = router_mesh_regions(app->mesh, &count);
    for (; n < count && n < ROUTER_REGIONS_MAX; n++) {
        out[n] = (struct router_news_link){.up = regions[n].up,
                                           .rtt_us = regions[n].rtt_us,
                                           .queued = regions[n].queued,
                                           .outbox = router_relays_waiting(app->relays, regions[n].name)};
        snprintf(out[n].region, sizeof out[n].region, "%s", regions[n].name);
    }
    return n;
}

static enum mer_err tell(void *ctx, struct mer_buf *out)
{
    struct router_console *c = ctx;
    struct router_app *app = c->app;
    struct router_region_view views[ROUTER_REGIONS_MAX];
    CV1(RegionState) row[ROUTER_REGIONS_MAX], *rows[ROUTER_REGIONS_MAX];
    CV1(DrainState) drain[ROUTER_REGIONS_MAX];
    struct router_news_link link[ROUTER_REGIONS_MAX];
    struct router_wall wall;
    struct router_wall_view v = {.wall_ms = mer_clock_wall_ms(&app->clock),
                                 .region = app->conf.region,
                                 .router = app->incarnation,
                                 .leads = router__lead_epoch(app) != 0,
                                 .regions = rows,
                                 .region_count = router_region_views(app, views),
                                 .links = link,
                                 .link_count = own_links(app, link),
                                 .news = &app->newsroom.news,
                                 .places = c->place,
                                 .place_count = c->place_count,
                                 .edges = &app->edges.edges,
                                 .counted = router_pace_known(&app->pace) && app->leading,
                                 .matches_minute = router_pace_minute(&app->pace, router_app_games(app)),
                                 .tickets_waiting = app->matcher.counts[ROUTER_M_WAITING]};
    for (size_t i = 0; i < v.region_count; i++) {
        rows[i] = &row[i];
        router__control_tell_region(&views[i], app->leading, &row[i], &drain[i]);
    }
    router_wall_look(&wall, &v);
    return mer_json_write(&wall.state.base, out);
}

static void on_timer(struct mer_timer *t)
{
    struct router_console *c = MER_CONTAINER_OF(t, struct router_console, timer);
    router_pace_step(&c->app->pace, router_app_games(c->app));
    mer_loop_arm(&c->app->loop, t, ROUTER_PACE_STEP_MS);
}

void router_console_init(struct router_console *c, struct router_app *app)
{
    const struct mer_strs *places = &app->conf.region_places;
    c->app = app;
    for (size_t i = 0; i < places->count && c->place_count < ROUTER_REGIONS_MAX; i++) {
        struct router_wall_place *p = &c->place[c->place_count];
        c->place_count += router_config_place(places->item[i], p->region, &p->latitude, &p->longitude);
    }
    mer_timer_init(&c->timer, on_timer);
    mer_loop_arm(&app->loop, &c->timer, 0);
    mer_admin_files(app->admin, "/wall", router_console_files);
    mer_admin_stream(app->admin, &(struct mer_admin_stream_conf){.path = "/wall/events",
                                                                 .period_ms = ROUTER_WALL_MS,
                                                                 .stall_ms = ROUTER_WALL_STALL_MS,
                                                                 .listeners_max = ROUTER_WALL_LISTENERS,
                                                                 .tell = tell,
                                                                 .ctx = c});
}

void router_console_deinit(struct router_console *c)
{
    if (c->app != NULL)
        mer_loop_disarm(&c->app->loop, &c->timer);
}
