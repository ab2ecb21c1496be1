/* SPDX-License-Identifier: Apache-2.0
 * control_tell.c - what this router knows without asking anybody (control.h). */
#include "region-router/control_private.h"

enum {
    EDGES_MAX = 256,  /* in one answer: a frame has 64 KiB */
    REGIONS_MAX = 64, /* as many as mesh_peers can name */
};

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

static size_t tell_links(struct router_app *app, CV1(LinkState) rows[REGIONS_MAX], CV1(LinkState) * list[REGIONS_MAX])
{
    static const CV1(LinkState) empty = MERIDIAN__CONTROL__V1__LINK_STATE__INIT;
    size_t count, n = 0;
    const struct router_mesh_region *region = router_mesh_regions(app->mesh, &count);
    for (; n < count && n < REGIONS_MAX; n++) {
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
    CV1(LinkState) link[REGIONS_MAX], *links[REGIONS_MAX];
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
