/* SPDX-License-Identifier: Apache-2.0
 * region_report.c - see region_report.h. */
#include "region-router/region_report.h"

#include "meridian/control/v1/control.pb-c.h"
#include "region-router/app.h"
#include "region-router/region_sum.h"

enum { PERIOD_MS = 1000 /* health and load within GEO's two seconds */ };

static void sum(const struct router_app *app, Meridian__Control__V1__RegionReport *report)
{
    struct router_region_sum s = router_region_sum(&app->edges.edges, app->loop.now_ms);
    report->edges = s.edges;
    report->edges_ready = s.ready;
    report->players = s.players;
    report->capacity = s.capacity;
    report->games = s.games;
}

static void tell_drain(const struct router_app *app, Meridian__Control__V1__RegionReport *report, Meridian__Control__V1__DrainState *state)
{
    const struct router_region_drain *d = &app->region_life.drain;
    report->has_drain_known = true;
    report->drain_known = app->region_life.known;
    if (!d->on)
        return;
    state->began_ms = router_region_drain_began_ms(d, mer_clock_wall_ms(&app->clock));
    state->over_ms = d->over_ms;
    state->by = (char *)d->by;
    state->reason = (char *)d->reason;
    report->drain = state;
}

static void on_timer(struct mer_timer *t)
{
    struct router_region_report *r = MER_CONTAINER_OF(t, struct router_region_report, timer);
    Meridian__Control__V1__RegionReport report = MERIDIAN__CONTROL__V1__REGION_REPORT__INIT;
    Meridian__Control__V1__ControlMessage m = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__INIT;
    Meridian__Control__V1__DrainState drain = MERIDIAN__CONTROL__V1__DRAIN_STATE__INIT;
    uint8_t packed[1024];
    if (mer_list_empty(&r->app->edges.geos))
        return;
    report.region = r->app->conf.region;
    report.leader = router__lead_epoch(r->app) != 0;
    report.has_leaderless_ms = true;
    report.leaderless_ms = router_standby_leaderless_ms(r->app->standby);
    sum(r->app, &report);
    tell_drain(r->app, &report, &drain);
    m.body_case = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_REGION_REPORT;
    m.region_report = &report;
    MER_ASSERT(meridian__control__v1__control_message__get_packed_size(&m) <= sizeof packed);
    router_edges_tell_geo(&r->app->edges, packed, meridian__control__v1__control_message__pack(&m, packed));
    mer_loop_arm(&r->app->loop, t, PERIOD_MS);
}

void router_region_report_init(struct router_region_report *r, struct router_app *app)
{
    r->app = app;
    mer_timer_init(&r->timer, on_timer);
}

void router_region_report_start(struct router_region_report *r)
{
    if (!mer_timer_armed(&r->timer))
        mer_loop_arm(&r->app->loop, &r->timer, 0);
}

void router_region_report_deinit(struct router_region_report *r)
{
    mer_loop_disarm(&r->app->loop, &r->timer);
}
