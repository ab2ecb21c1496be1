/* SPDX-License-Identifier: Apache-2.0
 * control_order.c - what operators change (control.h).
 *
 *   planned --journal read--> journalled --done--> (an edge is asked, or Redis) --> result into the journal, the log and the answer
 *
 * What could not be journalled is not done. Between question and deed the world may change, so it is planned again then; and the deed is
 * done by the leader, whose notes Redis refuses once another leads. Whoever asked may be gone by the end: the journal has it.
 *
 * Timer: an order's own, 2 s for the edge's answer. Next: control_plan.h, journal.h, region_life.h. */
#include "region-router/control_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/control_ask.h"
#include "region-router/control_plan.h"
#include "region-router/journal_shell.h"

#define IM(x) Meridian__Internal__V1__##x
#define TO_EDGE(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum { ORDERS_MAX = 16, EDGE_ANSWER_MS = 2000, WHO_BYTES = 96 };

struct order {
    struct mer_list node;
    struct router_control *control;
    struct mer_link *link; /* NULL: who asked is gone */
    CV1(Ask) * ask;        /* ours */
    uint64_t number;       /* in the journal; 0: not there (yet) */
    uint64_t at_ms;
    struct mer_timer timer;       /* armed while an edge is asked */
    char edge[ROUTER_NAME_BYTES]; /* that edge */
    struct router_plan plan;      /* as it was when it was done */
    char who[WHO_BYTES];
};

static void make_plan(struct router_control *c, const CV1(Ask) * ask, bool done, struct router_plan *out)
{
    struct router_app *app = c->app;
    struct router_region_view views[ROUTER_REGIONS_MAX];
    struct router_plan_world w = {.edges = &app->edges.edges, .regions = views, .now_ms = app->loop.now_ms};
    w.region_count = router_region_views(app, views);
    router_plan(out, &w, ask, done);
    if (out->nothing && ask->body_case == ASK(UNDRAIN_REGION) && !app->region_life.known) {
        out->code = CODE(UNAVAILABLE);
        snprintf(out->why, sizeof out->why, "this leader does not know yet whether the region is drained: Redis did not answer");
    }
}

/* ---- journal ------------------------------------------------------------------------------------------------------------------------- */

static enum mer_err note(struct order *o, const char *result, router_note_cb cb)
{
    char cut[ROUTER_JOURNAL_RESULT_MAX + 1];
    Meridian__State__V1__JournalEntry e = MERIDIAN__STATE__V1__JOURNAL_ENTRY__INIT;
    snprintf(cut, sizeof cut, "%s", result);
    e.number = o->number;
    e.at_ms = o->at_ms;
    e.what = (char *)router_ask_what(o->ask);
    e.target = (char *)router_ask_target(o->ask);
    e.by = o->ask->by;
    e.who = o->who;
    e.reason = o->ask->reason;
    e.router = o->control->app->incarnation;
    e.result = cut;
    return router_journal_note(o->control->app, &e, cb, cb != NULL ? o : NULL);
}

static void order_free(struct order *o)
{
    mer_loop_disarm(&o->control->app->loop, &o->timer);
    mer_list_remove(&o->node);
    o->control->order_count--;
    meridian__control__v1__ask__free_unpacked(o->ask, NULL);
    free(o);
}

static void finish(struct order *o, CV1(AnswerCode) code, const char *why)
{
    struct router_control *c = o->control;
    char result[ROUTER_JOURNAL_RESULT_MAX + 1];
    snprintf(result, sizeof result, "%s%s", code == CODE(OK) ? "" : "failed: ", why);
    bool journalled = o->number != 0 && note(o, result, NULL) == MER_OK;
    MER_LOG(&c->app->log, MER_WARN, "control.order", KV_STR("what", router_ask_what(o->ask)), KV_STR("target", router_ask_target(o->ask)),
            KV_STR("by", o->ask->by), KV_STR("who", o->who), KV_STR("reason", o->ask->reason), KV_STR("result", result),
            KV_U64("number", o->number), KV_BOOL("journalled", journalled));
    c->values[code == CODE(OK) ? ROUTER_CONTROL_DONE : ROUTER_CONTROL_FAILED]++;
    if (o->link != NULL)
        router__control_say(c, o->link, o->ask->id, code, why);
    order_free(o);
}

/* ---- doing --------------------------------------------------------------------------------------------------------------------------- */

static void on_set(void *ctx, enum mer_err err)
{
    struct order *o = ctx;
    if (err == MER_OK)
        finish(o, CODE(OK), o->plan.why);
    else if (err == MER_EFENCED)
        finish(o, CODE(NOT_LEADER), "another router leads now: nothing was done");
    else
        finish(o, CODE(UNAVAILABLE), "Redis did not confirm it: ask for the regions, then again");
}

static void set_region(struct order *o)
{
    struct router_app *app = o->control->app;
    struct router_region_drain d = {.on = o->ask->body_case == ASK(DRAIN_REGION)};
    if (d.on) {
        d.from_ms = mer_clock_wall_ms(&app->clock);
        d.over_ms = o->ask->drain_region->has_over_ms ? o->ask->drain_region->over_ms : 0;
        snprintf(d.by, sizeof d.by, "%s", o->ask->by);
        snprintf(d.reason, sizeof d.reason, "%s", o->ask->reason);
    }
    if (router_region_life_set(&app->region_life, &d, on_set, o) != MER_OK)
        finish(o, CODE(UNAVAILABLE), "Redis takes nothing: nothing was done");
}

static void on_no_answer(struct mer_timer *t)
{
    finish(MER_CONTAINER_OF(t, struct order, timer), CODE(UNAVAILABLE),
           "the edge did not answer: it may be of a version that cannot do this, or gone; ask for the edges");
}

static void tell_edge(struct order *o, struct router_edge *e)
{
    struct router_app *app = o->control->app;
    IM(EdgeDrain) drain = MERIDIAN__INTERNAL__V1__EDGE_DRAIN__INIT;
    IM(EdgeUndrain) undrain = MERIDIAN__INTERNAL__V1__EDGE_UNDRAIN__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    bool back = o->ask->body_case == ASK(UNDRAIN_EDGE);
    drain.router_epoch = undrain.router_epoch = router__lead_epoch(app);
    drain.by = undrain.by = o->ask->by;
    drain.reason = undrain.reason = o->ask->reason;
    undrain.order = o->number;
    m.body_case = back ? TO_EDGE(EDGE_UNDRAIN) : TO_EDGE(EDGE_DRAIN);
    if (back)
        m.edge_undrain = &undrain;
    else
        m.edge_drain = &drain;
    router_edges_send(&app->edges, e->link, &m);
    if (!back) {
        e->draining = true; /* its report is on its way: the next order must not count on this edge */
        router_edges_list_changed(&app->edges);
        finish(o, CODE(OK), o->plan.why);
        return;
    }
    snprintf(o->edge, sizeof o->edge, "%s", e->incarnation);
    mer_loop_arm(&app->loop, &o->timer, EDGE_ANSWER_MS);
}

void router_control_undrained(struct router_control *c, const struct router_edge *e, const IM(EdgeUndrained) * u)
{
    if (c == NULL)
        return;
    MER_LIST_EACH (it, &c->orders) {
        struct order *o = MER_LIST_ENTRY(it, struct order, node);
        if (!mer_timer_armed(&o->timer) || o->number != u->order || strcmp(o->edge, e->incarnation) != 0)
            continue;
        finish(o, u->done ? CODE(OK) : CODE(REFUSED), u->done ? o->plan.why : u->why != NULL ? u->why : "the edge refused");
        return;
    }
}

static void act(struct order *o)
{
    struct router_app *app = o->control->app;
    const char *target = router_ask_target(o->ask);
    make_plan(o->control, o->ask, true, &o->plan);
    if (o->plan.code != CODE(OK) || o->plan.nothing)
        finish(o, o->plan.code, o->plan.why);
    else if (o->ask->body_case == ASK(DRAIN_REGION) || o->ask->body_case == ASK(UNDRAIN_REGION))
        set_region(o);
    else
        tell_edge(o, router_plan_edge(&app->edges.edges, target));
}

/* ---- taking -------------------------------------------------------------------------------------------------------------------------- */

static void on_journalled(void *ctx, enum mer_err err)
{
    struct order *o = ctx;
    if (err == MER_OK)
        act(o);
    else
        finish(o, err == MER_EFENCED ? CODE(NOT_LEADER) : CODE(UNAVAILABLE), "it could not be journalled: nothing was done");
}

static void on_journal(void *ctx, enum mer_err err, struct router_journal_page *page)
{
    struct order *o = ctx;
    struct router_control *c = o->control;
    if (err != MER_OK) {
        finish(o, CODE(UNAVAILABLE), "the journal could not be read: nothing was done");
        return;
    }
    if (page->last > c->journal_last)
        c->journal_last = page->last;
    o->number = ++c->journal_last; /* two orders at once read the same page */
    if (note(o, "", on_journalled) != MER_OK)
        finish(o, CODE(UNAVAILABLE), "it could not be journalled: nothing was done");
}

static CV1(Ask) * copy_of(const CV1(Ask) * ask)
{
    size_t size = meridian__control__v1__ask__get_packed_size(ask);
    uint8_t *packed = mer_try_malloc(size + 1);
    CV1(Ask) *copy =
        packed == NULL ? NULL : meridian__control__v1__ask__unpack(NULL, meridian__control__v1__ask__pack(ask, packed), packed);
    free(packed);
    return copy;
}

static struct order *order_new(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    struct order *o = c->order_count < ORDERS_MAX ? mer_try_calloc(1, sizeof *o) : NULL;
    if (o == NULL)
        return NULL;
    o->ask = copy_of(ask);
    if (o->ask == NULL) {
        free(o);
        return NULL;
    }
    o->control = c;
    o->link = l;
    o->at_ms = mer_clock_wall_ms(&c->app->clock);
    mer_link_who(l, o->who, sizeof o->who);
    mer_timer_init(&o->timer, on_no_answer);
    mer_list_push_back(&c->orders, &o->node);
    c->order_count++;
    return o;
}

void router__control_order(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    struct router_plan plan;
    if (router__lead_epoch(c->app) == 0) {
        router__control_say(c, l, ask->id, CODE(NOT_LEADER), "orders are for the leader");
        return;
    }
    make_plan(c, ask, false, &plan);
    if (plan.code != CODE(OK) || plan.nothing || (ask->has_dry_run && ask->dry_run)) {
        router__control_say(c, l, ask->id, plan.code, plan.why);
        return;
    }
    struct order *o = order_new(c, l, ask);
    if (o == NULL)
        router__control_say(c, l, ask->id, CODE(UNAVAILABLE), "too many orders at once");
    else if (router_journal_read(c->app, on_journal, o) != MER_OK)
        finish(o, CODE(UNAVAILABLE), "the journal could not be read: nothing was done");
}

void router__control_orders_gone(struct router_control *c, const struct mer_link *l)
{
    MER_LIST_EACH (it, &c->orders) {
        struct order *o = MER_LIST_ENTRY(it, struct order, node);
        if (o->link == l)
            o->link = NULL;
    }
}

void router__control_orders_drop(struct router_control *c)
{
    MER_LIST_EACH_SAFE (it, &c->orders)
        order_free(MER_LIST_ENTRY(it, struct order, node));
}
