/* SPDX-License-Identifier: Apache-2.0
 * control_tell.c - what this router knows without asking anybody (control.h). */
#include "region-router/control_private.h"

#include <string.h>

#include "region-router/region_view.h"
#include "region-router/relay.h"

enum { EDGES_MAX = 256 /* in one answer: a frame has 64 KiB */ };

static size_t tell_edges(struct router_app *app, CV1(EdgeState) rows[EDGES_MAX], CV1(EdgeState) * list[EDGES_MAX])
{
    static const CV1(EdgeState) empty = MERIDIAN__CONTROL__V1__EDGE_STATE__INIT;
    size_t n = 0;
    MER_LIST_EACH (it, &app->edges.edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (n == EDGES_MAX)
            break;
        CV1(EdgeState) *row = list[n] = &rows[n];
        *row = empty;
        row->id = e->id;
        row->incarnation = e->incarnation;
        row->connections = e->connections;
        row->sessions = e->sessions;
        row->games = e->games;
        row->load_permille = e->load_permille;
        row->draining = e->draining;
        row->has_report_age_ms = e->reported;
        row->report_age_ms = e->reported ? app->loop.now_ms - e->reported_ms : 0;
        n++;
    }
    return n;
}

static size_t tell_links(struct router_app *app, CV1(LinkState) rows[ROUTER_REGIONS_MAX], CV1(LinkState) * list[ROUTER_REGIONS_MAX])
{
    static const CV1(LinkState) empty = MERIDIAN__CONTROL__V1__LINK_STATE__INIT;
    size_t count, n = 0;
    const struct router_mesh_region *region = router_mesh_regions(app->mesh, &count);
    for (; n < count && n < ROUTER_REGIONS_MAX; n++) {
        list[n] = &rows[n];
        rows[n] = empty;
        rows[n].region = (char *)region[n].name;
        rows[n].up = region[n].up;
        rows[n].links = region[n].links;
        rows[n].rtt_us = region[n].rtt_us;
        rows[n].queued = region[n].queued;
        rows[n].has_outbox = app->leading;
        rows[n].outbox = router_relays_waiting(app->relays, region[n].name);
    }
    return n;
}

void router__control_tell_router(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    struct router_app *app = c->app;
    const uint64_t *counts = app->matcher.counts;
    CV1(EdgeState) edge[EDGES_MAX], *edges[EDGES_MAX];
    CV1(LinkState) link[ROUTER_REGIONS_MAX], *links[ROUTER_REGIONS_MAX];
    CV1(RouterState) r = MERIDIAN__CONTROL__V1__ROUTER_STATE__INIT;
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    r.id = app->conf.id;
    r.incarnation = app->incarnation;
    r.region = app->conf.region;
    r.epoch = router__lead_epoch(app);
    r.leader = r.epoch != 0;
    r.tickets_waiting = counts[ROUTER_M_WAITING];
    r.tickets_offered = counts[ROUTER_M_OFFERED];
    r.tickets_held = counts[ROUTER_M_HELD];
    r.matches = counts[ROUTER_M_MATCHES];
    r.edges_connected = (uint32_t)app->edges.values[ROUTER_E_EDGES];
    r.n_edges = tell_edges(app, edge, edges);
    r.edges = edges;
    r.n_links = tell_links(app, link, links);
    r.links = links;
    a.id = ask->id;
    a.code = CODE(OK);
    a.body_case = ANSWER(ROUTER);
    a.router = &r;
    router__control_answer(c, l, &a);
}

void router__control_tell_ticket(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    char reason[ROUTER_REASON_BYTES];
    CV1(TicketState) t = MERIDIAN__CONTROL__V1__TICKET_STATE__INIT;
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    if (!c->app->leading) {
        router__control_say(c, l, ask->id, CODE(NOT_LEADER), "tickets are the leader's");
        return;
    }
    if (router_match_explain(&c->app->matcher, ask->ticket->ticket_id, reason, &t.next_step_in_ms) != MER_OK) {
        router__control_say(c, l, ask->id, CODE(NOT_FOUND), "no such ticket waits in this region");
        return;
    }
    t.ticket_id = ask->ticket->ticket_id;
    t.reason = reason;
    a.id = ask->id;
    a.code = CODE(OK);
    a.body_case = ANSWER(TICKET);
    a.ticket = &t;
    router__control_answer(c, l, &a);
}

/* ---- regions and what waits for them ------------------------------------------------------------------------------------------------- */

void router__control_tell_region(const struct router_region_view *v, bool leading, CV1(RegionState) * r, CV1(DrainState) * d)
{
    *r = (CV1(RegionState))MERIDIAN__CONTROL__V1__REGION_STATE__INIT;
    r->name = (char *)v->name;
    r->mode = v->mode;
    r->leader = (char *)(v->leader != NULL && v->leader[0] != 0 ? v->leader : NULL);
    r->has_players = r->has_capacity = r->has_games = r->has_edges_ready = r->has_edges_draining = r->has_load_permille = v->summed;
    r->players = v->players;
    r->capacity = v->capacity;
    r->games = v->games;
    r->edges_ready = v->edges_ready;
    r->edges_draining = v->edges_draining;
    r->load_permille = v->load_permille;
    r->has_age_ms = v->summed;
    r->age_ms = v->age_ms;
    r->has_rtt_us = v->linked && v->rtt_us > 0;
    r->rtt_us = v->rtt_us;
    r->has_queued = v->linked;
    r->queued = v->queued;
    r->has_outbox = v->linked && leading;
    r->outbox = v->outbox;
    if (v->drain_by == NULL)
        return;
    *d = (CV1(DrainState))MERIDIAN__CONTROL__V1__DRAIN_STATE__INIT;
    d->began_ms = v->drain_began_ms;
    d->over_ms = v->drain_over_ms;
    d->by = (char *)v->drain_by;
    d->reason = (char *)v->drain_reason;
    r->drain = d;
}

void router__control_tell_regions(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    struct router_region_view view[ROUTER_REGIONS_MAX];
    CV1(RegionState) row[ROUTER_REGIONS_MAX], *rows[ROUTER_REGIONS_MAX];
    CV1(DrainState) drain[ROUTER_REGIONS_MAX];
    CV1(RegionsState) r = MERIDIAN__CONTROL__V1__REGIONS_STATE__INIT;
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    if (router__lead_epoch(c->app) == 0) { /* only leaders hear of the others */
        router__control_say(c, l, ask->id, CODE(NOT_LEADER), "regions tell each other's leaders");
        return;
    }
    r.n_regions = router_region_views(c->app, view);
    for (size_t i = 0; i < r.n_regions; i++) {
        router__control_tell_region(&view[i], c->app->leading, &row[i], &drain[i]);
        rows[i] = &row[i];
    }
    r.regions = rows;
    a.id = ask->id;
    a.code = CODE(OK);
    a.body_case = ANSWER(REGIONS);
    a.regions = &r;
    router__control_answer(c, l, &a);
}

struct outbox_rows {
    CV1(OutboxRegion) region;
    CV1(OutboxBucket)
    bucket[MER_COUNT(((struct router_relay_view *)0)->fullest)], *buckets[MER_COUNT(((struct router_relay_view *)0)->fullest)];
};

static void tell_outbox(const struct router_relays_outbox *o, struct outbox_rows *rows)
{
    struct router_relay_view v;
    CV1(OutboxRegion) *r = &rows->region;
    router_relay_look(o->relay, &v);
    *r = (CV1(OutboxRegion))MERIDIAN__CONTROL__V1__OUTBOX_REGION__INIT;
    r->region = (char *)o->region;
    r->up = o->relay->up;
    r->waiting = v.waiting;
    r->bytes = v.bytes;
    r->waiting_ms = o->waiting_ms;
    r->buckets_waiting = v.buckets;
    r->batches_out = o->relay->busy;
    r->settled = o->settled;
    r->refused = o->refused;
    r->failed = o->failed;
    for (size_t i = 0; i < v.fullest_count; i++) {
        const struct router_relay_bucket *b = &o->relay->bucket[v.fullest[i]];
        rows->bucket[i] = (CV1(OutboxBucket))MERIDIAN__CONTROL__V1__OUTBOX_BUCKET__INIT;
        rows->bucket[i].bucket = v.fullest[i];
        rows->bucket[i].state = (char *)router_relay_state_name(b->state);
        rows->bucket[i].waiting = b->waiting;
        rows->bucket[i].bytes = b->stored;
        rows->bucket[i].generation = b->generation;
        rows->bucket[i].settled = b->settled;
        rows->buckets[i] = &rows->bucket[i];
    }
    r->n_buckets = v.fullest_count;
    r->buckets = rows->buckets;
}

void router__control_tell_outbox(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    struct outbox_rows rows[ROUTER_REGIONS_MAX];
    CV1(OutboxRegion) * regions[ROUTER_REGIONS_MAX];
    CV1(OutboxState) s = MERIDIAN__CONTROL__V1__OUTBOX_STATE__INIT;
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    struct router_relays_outbox o;
    const char *only = ask->outbox->region;
    if (!c->app->leading) {
        router__control_say(c, l, ask->id, CODE(NOT_LEADER), "outboxes are the leader's");
        return;
    }
    for (size_t i = 0; i < router_relays_outbox(c->app->relays, i, &o) && s.n_regions < ROUTER_REGIONS_MAX; i++) {
        if (only != NULL && strcmp(only, o.region) != 0)
            continue;
        tell_outbox(&o, &rows[s.n_regions]);
        regions[s.n_regions] = &rows[s.n_regions].region;
        s.n_regions++;
    }
    if (only != NULL && s.n_regions == 0) {
        router__control_say(c, l, ask->id, CODE(NOT_FOUND), "no such other region");
        return;
    }
    s.regions = regions;
    a.id = ask->id;
    a.code = CODE(OK);
    a.body_case = ANSWER(OUTBOX);
    a.outbox = &s;
    router__control_answer(c, l, &a);
}
