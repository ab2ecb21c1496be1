/* SPDX-License-Identifier: Apache-2.0
 * control_order.c - what operators change (control.h): in the log with who and why. */
#include "region-router/control_private.h"

#include <stdio.h>
#include <string.h>

static struct router_edge *edge_named(struct router_app *app, const char *name)
{
    MER_LIST_EACH (it, &app->edges.edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (strcmp(e->id, name) == 0 || strcmp(e->incarnation, name) == 0)
            return e;
    }
    return NULL;
}

static unsigned others_ready(struct router_app *app, const struct router_edge *but)
{
    unsigned n = 0;
    MER_LIST_EACH (it, &app->edges.edges) {
        const struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        n += e != but && e->reported && !e->draining && app->loop.now_ms - e->reported_ms < ROUTER_STALE_MS;
    }
    return n;
}

static void order_drain(struct router_control *c, struct router_edge *e, const CV1(Ask) * ask)
{
    Meridian__Internal__V1__EdgeDrain drain = MERIDIAN__INTERNAL__V1__EDGE_DRAIN__INIT;
    Meridian__Internal__V1__RouterMessage m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    drain.router_epoch = router__lead_epoch(c->app);
    drain.by = ask->by;
    drain.reason = ask->reason;
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_EDGE_DRAIN;
    m.edge_drain = &drain;
    router_edges_send(&c->app->edges, e->link, &m);
    MER_LOG(&c->app->log, MER_WARN, "control.drain", KV_STR("edge", e->incarnation), KV_STR("by", ask->by), KV_STR("reason", ask->reason));
}

void router__control_drain_edge(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    char why[256];
    struct router_app *app = c->app;
    struct router_edge *e = edge_named(app, ask->drain_edge->edge);
    bool dry = ask->has_dry_run && ask->dry_run, force = ask->drain_edge->has_force && ask->drain_edge->force;
    if (router__lead_epoch(app) == 0) {
        router__control_say(c, l, ask->id, CODE(NOT_LEADER), "edges take orders from the leader");
    } else if (e == NULL) {
        router__control_say(c, l, ask->id, CODE(NOT_FOUND), "no such edge is connected");
    } else if (e->draining) {
        router__control_say(c, l, ask->id, CODE(OK), "it drains already");
    } else if (!force && others_ready(app, e) == 0) {
        router__control_say(c, l, ask->id, CODE(REFUSED), "no other edge would take its players and games: start one first, or --force");
    } else {
        snprintf(why, sizeof why, "%s%s: %u games and %u sessions go to %u other edges", dry ? "would drain " : "drains: ", e->incarnation,
                 e->games, e->sessions, others_ready(app, e));
        if (!dry)
            order_drain(c, e, ask);
        router__control_say(c, l, ask->id, CODE(OK), why);
    }
}
