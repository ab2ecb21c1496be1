/* SPDX-License-Identifier: Apache-2.0
 * traces.c - see traces.h. Owner: the matcher. Next: match.c, offers.c, abroad.c, which say what happens to a ticket. */
#include "region-router/traces.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/match_private.h"

struct router_trace {
    uint32_t ticket;      /* its number */
    bool open;            /* the span has not ended */
    struct mer_span span; /* off where nothing is told here: its `me` is then what came */
};

static struct mer_key trace_key(const void *entry)
{
    const struct router_trace *e = entry;
    return (struct mer_key){&e->ticket, sizeof e->ticket};
}

void router_traces_init(struct router_traces *ts, struct mer_tracer *tracer, const uint64_t seed[2])
{
    ts->tracer = tracer;
    mer_map_init(&ts->by_ticket, trace_key, seed);
}

static bool free_entry(void *entry, void *ctx)
{
    (void)ctx;
    mer_free(&entry);
    return true;
}

void router_traces_deinit(struct router_traces *ts)
{
    mer_map_each(&ts->by_ticket, free_entry, NULL);
    mer_map_deinit(&ts->by_ticket);
}

static struct router_trace *find(const struct router_matcher *m, const struct router_ticket *t)
{
    uint32_t number = t->traced ? mer_slab_number(&m->tickets.records, t) : 0;
    return t->traced ? mer_map_get(&m->traces.by_ticket, &number, sizeof number) : NULL;
}

void router__trace_open(struct router_matcher *m, struct router_ticket *t, const struct mer_trace_context *from)
{
    struct router_traces *ts = &m->traces;
    struct router_trace *e = ts->by_ticket.count < ROUTER_TRACES_MAX ? mer_try_calloc(1, sizeof *e) : NULL;
    if (e != NULL) {
        e->ticket = mer_slab_number(&m->tickets.records, t);
        e->open = true;
        e->span.me = *from;
        mer_span_continue(ts->tracer, from, &e->span);
    }
    t->traced = e != NULL && mer_map_put(&ts->by_ticket, e) == MER_OK;
    if (t->traced)
        return;
    mer_free(&e);
    if (ts->tracer != NULL)
        ts->tracer->values[MER_TRACE_DROPPED]++;
}

const struct mer_trace_context *router__trace_of(const struct router_matcher *m, const struct router_ticket *t)
{
    const struct router_trace *e = find(m, t);
    return e != NULL ? &e->span.me : NULL;
}

static void end(const struct router_matcher *m, const struct router_ticket *t, struct router_trace *e, const char *outcome,
                const char *game, const char *lent_to)
{
    char waited[16], window[16];
    const struct mer_span_end s = {.name = "match",
                                   .kind = MER_SPAN_CONSUMER,
                                   .attr = {{"meridian.outcome", outcome},
                                            {"meridian.waited_ms", waited},
                                            {"meridian.rating_window", t->grouped ? NULL : window},
                                            {"meridian.game", game},
                                            {"meridian.lent_to", lent_to}}};
    snprintf(waited, sizeof waited, "%u", router__waited_ms(m, t));
    snprintf(window, sizeof window, "%u", router__window_of(m, t));
    mer_span_finish(m->traces.tracer, &e->span, &s);
    e->open = false;
}

void router__trace_matched(const struct router_matcher *m, const struct router_ticket *t, const struct router_match *x)
{
    struct router_trace *e = find(m, t);
    if (e != NULL)
        end(m, t, e, "matched", x->id, NULL);
}

void router__trace_lent(const struct router_matcher *m, const struct router_ticket *t, const char *match, const char *region)
{
    struct router_trace *e = find(m, t);
    if (e != NULL)
        end(m, t, e, "lent", match, region);
}

void router__trace_again(const struct router_matcher *m, const struct router_ticket *t)
{
    struct router_trace *e = find(m, t);
    struct mer_trace_context from;
    if (e == NULL || e->open || !mer_span_on(&e->span))
        return;
    from = e->span.me;
    memcpy(from.span, e->span.parent, sizeof from.span);
    mer_span_continue(m->traces.tracer, &from, &e->span);
    e->open = true;
}

void router__trace_drop(struct router_matcher *m, struct router_ticket *t, const char *how)
{
    struct router_trace *e = find(m, t);
    if (e == NULL)
        return;
    if (e->open)
        end(m, t, e, how, NULL, NULL);
    mer_map_remove(&m->traces.by_ticket, &e->ticket, sizeof e->ticket);
    mer_free(&e);
    t->traced = false;
}
