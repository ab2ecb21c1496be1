/* SPDX-License-Identifier: Apache-2.0
 * far.c - from an edge of one region to an edge of another, through both leaders (cross_shell.h). The routers forward by (region,
 * incarnation), do not look inside and keep nothing: order and loss are the edges' affair (edge/bus/pair.h). What finds no way is said so
 * at once to who sent it, which is sooner than his patience, and free.
 *
 * What is traced (decision 27) gets a span of this router's, which the next one on the way is told as its parent.
 *
 * What came from one region is never passed on to another: it ends at an edge of ours. */
#include "region-router/cross_shell.h"

#include <stdio.h>
#include <string.h>

#include "region-router/app.h"

#define IM(x) Meridian__Internal__V1__##x
#define RM(x) Meridian__Region__V1__##x
#define BODY(x) MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_##x
#define TO_EDGE(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

/* ---- traces -------------------------------------------------------------------------------------------------------------------------- */

struct way {
    struct mer_span span;
    uint8_t bytes[MER_TRACE_BYTES];
    ProtobufCBinaryData out; /* for the next one: our span, or, when nothing is traced here, what came */
};

static void way_begin(const struct router_app *app, const ProtobufCBinaryData *in, struct way *w)
{
    struct mer_trace_context from;
    struct mer_tracer *t = mer_trace_tracer(app->trace);
    w->out = *in;
    mer_span_continue(t, mer_trace_get(true, in, &from), &w->span);
    if (!mer_span_on(&w->span))
        return;
    w->span.start_us = app->loop.turn_started_us; /* it was read in this turn */
    mer_trace_pack(&w->span.me, w->bytes);
    w->out = (ProtobufCBinaryData){sizeof w->bytes, w->bytes};
}

static void way_end(const struct router_app *app, const struct way *w, const char *from, const char *to, const char *error)
{
    const struct mer_span_end e = {
        .name = "relay", .kind = MER_SPAN_INTERNAL, .error = error, .attr = {{"meridian.from_region", from}, {"meridian.to_region", to}}};
    mer_span_finish(mer_trace_tracer(app->trace), &w->span, &e);
}

/* ---- the way ------------------------------------------------------------------------------------------------------------------------- */

/* edge NULL: nobody of that region; none: nor is there one. */
static void unsent(struct router_crossing *x, struct router_edge *to, const char *region, const char *edge, bool none)
{
    IM(FarUnsent) u = MERIDIAN__INTERNAL__V1__FAR_UNSENT__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    u.router_epoch = router__lead_epoch(x->app);
    u.region = (char *)region;
    u.edge = (char *)edge;
    u.has_none = u.none = none;
    m.body_case = TO_EDGE(FAR_UNSENT);
    m.far_unsent = &u;
    if (u.router_epoch != 0)
        router_edges_send(&x->app->edges, to->link, &m);
}

void router_far_out(struct router_crossing *x, struct router_edge *from, const IM(FarMessage) * f)
{
    RM(FarEdge) e = MERIDIAN__REGION__V1__FAR_EDGE__INIT;
    RM(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    e.to = f->edge;
    e.from = from->incarnation;
    e.body = f->body;
    struct way way = {.span.start_us = 0};
    if (f->has_trace) {
        way_begin(x->app, &f->trace, &way);
        e.has_trace = true;
        e.trace = way.out;
    }
    m.body_case = BODY(FAR_EDGE);
    m.far_edge = &e;
    enum mer_err err = router_mesh_send(x->app->mesh, f->region, &m);
    way_end(x->app, &way, x->app->conf.region, f->region, err != MER_OK ? mer_err_text(err) : NULL);
    x->values[err == MER_OK ? ROUTER_X_FAR_OUT : ROUTER_X_FAR_LOST]++;
    if (err != MER_OK) /* to nobody there, unless only the link is full */
        unsent(x, from, f->region, err == MER_EBUSY ? f->edge : NULL, err == MER_ENOTFOUND);
}

static void lost(struct router_crossing *x, const char *region, const RM(FarEdge) * f)
{
    RM(FarLost) l = MERIDIAN__REGION__V1__FAR_LOST__INIT;
    RM(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    l.to = f->from;
    l.edge = f->to != NULL ? f->to : (char *)"";
    m.body_case = BODY(FAR_LOST);
    m.far_lost = &l;
    x->values[ROUTER_X_FAR_LOST]++;
    if (router_mesh_send(x->app->mesh, region, &m) != MER_OK)
        x->values[ROUTER_X_UNSENT]++; /* he waits until his patience is over */
}

static void on_far(void *ctx, const char *region, const RM(RegionMessage) * m)
{
    struct router_crossing *x = ctx;
    const RM(FarEdge) *f = m->far_edge;
    IM(FarMessage) out = MERIDIAN__INTERNAL__V1__FAR_MESSAGE__INIT;
    IM(RouterMessage) rm = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    struct router_edge *to =
        f->to != NULL ? router_edges_find(&x->app->edges, f->to) : router_place(NULL, 0, &x->app->edges.edges, x->app->loop.now_ms);
    out.router_epoch = router__lead_epoch(x->app);
    if (out.router_epoch == 0)
        return; /* as if the link had lost it */
    if (to == NULL) {
        lost(x, region, f);
        return;
    }
    out.has_router_epoch = true;
    out.region = (char *)region;
    out.edge = f->from;
    out.body = f->body;
    struct way way = {.span.start_us = 0};
    if (f->has_trace) {
        way_begin(x->app, &f->trace, &way);
        out.has_trace = true;
        out.trace = way.out;
    }
    rm.body_case = TO_EDGE(FAR_MESSAGE);
    rm.far_message = &out;
    x->values[ROUTER_X_FAR_IN]++;
    router_edges_send(&x->app->edges, to->link, &rm);
    way_end(x->app, &way, region, x->app->conf.region, NULL);
}

static void on_lost(void *ctx, const char *region, const RM(RegionMessage) * m)
{
    struct router_crossing *x = ctx;
    struct router_edge *to = router_edges_find(&x->app->edges, m->far_lost->to);
    if (to != NULL)
        unsent(x, to, region, m->far_lost->edge[0] != 0 ? m->far_lost->edge : NULL, false);
}

void router_far_init(struct router_crossing *x)
{
    router_mesh_on(x->app->mesh, BODY(FAR_EDGE), on_far, x);
    router_mesh_on(x->app->mesh, BODY(FAR_LOST), on_lost, x);
}
