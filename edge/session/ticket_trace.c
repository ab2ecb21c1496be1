/* SPDX-License-Identifier: Apache-2.0
 * ticket_trace.c - what a ticket costs its player, for those that are traced (decision 27): the span `find_match`, from its coming until
 * he is told of his game or of its end, and within it `seat_offer` for each seat that was offered, from then until the answer to the router
 * has left, the writing of it into his record included.
 *
 * A ticket that is not traced has a NULL here. One that is forgotten because the process ends is not told. Owner: ticket.c. */
#include <meridian/mem.h>

#include "edge/session/ticket.h"

struct edge_ticket_trace {
    struct mer_span find, offer; /* offer: off while none is being answered */
};

static struct mer_tracer *tracer(const struct edge_tickets *all)
{
    return mer_trace_tracer(all->app->trace);
}

void edge__ticket_trace_begin(struct edge_ticket *t, const char *traceparent)
{
    struct edge_app *app = t->all->app;
    struct mer_span span;
    mer_span_begin(tracer(t->all), traceparent, app->loop.turn_started_us, &span); /* it was read in this turn */
    if (!mer_span_on(&span) || (t->trace = mer_try_calloc(1, sizeof(*t->trace))) == NULL)
        return;
    t->trace->find = span;
}

const struct mer_trace_context *edge__ticket_trace_of(const struct edge_ticket *t)
{
    if (t->trace == NULL)
        return NULL;
    return mer_span_on(&t->trace->offer) ? &t->trace->offer.me : &t->trace->find.me;
}

static void offer_ends(const struct edge_tickets *all, const struct mer_span *span, const char *ticket, const char *game, const char *error)
{
    const struct mer_span_end e = {
        .name = "seat_offer", .kind = MER_SPAN_CONSUMER, .error = error, .attr = {{"meridian.ticket", ticket}, {"meridian.game", game}}};
    mer_span_finish(tracer(all), span, &e);
}

void edge__ticket_trace_offered(struct edge_tickets *all, struct edge_ticket *t, const Meridian__Internal__V1__SeatOffer *o, bool taken)
{
    struct mer_trace_context from;
    struct mer_span span;
    mer_span_continue(tracer(all), mer_trace_get(o->has_trace, &o->trace, &from), &span);
    if (!taken)
        offer_ends(all, &span, o->ticket_id, o->match_id, "declined");
    else if (t->trace != NULL)
        t->trace->offer = span;
}

void edge__ticket_trace_answered(struct edge_ticket *t, const char *error)
{
    if (t->trace == NULL || !mer_span_on(&t->trace->offer))
        return;
    offer_ends(t->all, &t->trace->offer, t->id, t->game, error);
    t->trace->offer.start_us = 0;
}

void edge__ticket_trace_end(struct edge_ticket *t, const char *outcome, const char *error)
{
    const struct mer_span_end e = {
        .name = "find_match", .kind = MER_SPAN_SERVER, .error = error, .attr = {{"meridian.ticket", t->id}, {"meridian.outcome", outcome}}};
    if (t->trace != NULL)
        mer_span_finish(tracer(t->all), &t->trace->find, &e);
    edge__ticket_trace_drop(t);
}

void edge__ticket_trace_matched(struct edge_ticket *t)
{
    if (t->trace != NULL)
        edge_seats_found(t->all->app->seats, t->user->id, &t->trace->find);
    edge__ticket_trace_drop(t);
}

void edge__ticket_trace_drop(struct edge_ticket *t)
{
    mer_free(&t->trace);
}
