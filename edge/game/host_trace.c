/* SPDX-License-Identifier: Apache-2.0
 * host_trace.c - what a request costs at the owner of a game, for those that are traced (decision 27): a span from its coming until it is
 * stored and answered, and within it one for every time that the store was asked to keep the change, its WAIT included.
 *
 * A span that nobody ends is simply not told: the game went to another owner, who has one of his own for the same request. */
#include "edge/game/host_private.h"

static const char *name_of(const struct edge_game_ask *ask)
{
    return ask->kind == EDGE_GAME_ASK_LEAVE ? "game leave" : "game move";
}

void edge__trace_ask(const struct edge_host *h, const Meridian__Internal__V1__BusMessage *m, struct edge_game_ask *ask)
{
    struct mer_trace_context from;
    if (h->c.tracer != NULL && m->has_trace && mer_trace_unpack(m->trace.data, m->trace.len, &from))
        mer_span_continue(h->c.tracer, &from, &ask->span);
}

void edge__trace_answered(const struct edge_hosted *g, const struct edge_game_ask *ask, const Meridian__Client__V1__ServerMessage *m)
{
    bool refused = m != NULL && m->body_case == MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_ERROR;
    const struct mer_span_end e = {.name = name_of(ask),
                                   .kind = MER_SPAN_CONSUMER,
                                   .error = refused ? m->error->message : NULL,
                                   .attr = {{"meridian.game", g->core.id}, {"meridian.asked_by", ask->edge}}};
    mer_span_finish(g->host->c.tracer, &ask->span, &e);
}

const struct mer_trace_context *edge__trace_asker(const struct edge_hosted *g, const struct edge_game_put *p)
{
    const struct edge_game_ask *asker = &g->core.asker;
    return asker->kind != EDGE_GAME_ASK_NONE && !p->restore ? mer_span_context(&asker->span) : NULL;
}

void edge__trace_put(struct edge_hosted *g, const struct edge_game_put *p)
{
    mer_span_continue(g->host->c.tracer, edge__trace_asker(g, p), &g->put);
    g->put_ends = p->end;
}

void edge__trace_stored(struct edge_hosted *g, enum edge_store_result result)
{
    const struct mer_span_end e = {.name = g->put_ends ? "redis mer1_end" : "redis mer1_put",
                                   .kind = MER_SPAN_CLIENT,
                                   .error = result == EDGE_STORE_OK || result == EDGE_STORE_DUP ? NULL : edge_store_result_name(result),
                                   .attr = {{"db.system.name", "redis"},
                                            {"db.operation.name", g->put_ends ? "FCALL mer1_end" : "FCALL mer1_put"},
                                            {"meridian.game", g->core.id}}};
    mer_span_finish(g->host->c.tracer, &g->put, &e);
    g->put.start_us = 0;
}
