/* SPDX-License-Identifier: Apache-2.0
 * host_trace.c - what a request costs at the owner of a game, for those that are traced (decision 27): a span from its coming until it is
 * stored and answered, and within it one for every time that the store was asked to keep the change, its WAIT included. The same of a game
 * that is created, once for each seat whose ticket was traced: each is another trace.
 *
 * A span that nobody ends is simply not told: the game went to another owner, who has one of his own for the same request. */
#include <meridian/mem.h>

#include "edge/game/host_private.h"

struct edge_birth_trace {
    struct mer_span create[EDGE_RULES_SEATS], put[EDGE_RULES_SEATS]; /* put: off while the store has not been asked */
};

/* ---- requests ------------------------------------------------------------------------------------------------------------------------ */

static const char *name_of(const struct edge_game_ask *ask)
{
    return ask->kind == EDGE_GAME_ASK_LEAVE ? "game leave" : "game move";
}

void edge__trace_ask(const struct edge_host *h, const Meridian__Internal__V1__BusMessage *m, struct edge_game_ask *ask)
{
    struct mer_trace_context from;
    mer_span_continue(h->c.tracer, mer_trace_get(m->has_trace, &m->trace, &from), &ask->span);
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

/* ---- games that are created ---------------------------------------------------------------------------------------------------------- */

void edge__trace_create(struct edge_hosted *g, const Meridian__Internal__V1__GameCreate *c)
{
    struct mer_tracer *tracer = g->host->c.tracer;
    struct mer_trace_context from;
    for (unsigned i = 0; tracer != NULL && i < c->n_seats; i++) {
        if (mer_trace_get(c->seats[i]->has_trace, &c->seats[i]->trace, &from) == NULL)
            continue;
        if (g->birth->trace == NULL && (g->birth->trace = mer_try_calloc(1, sizeof(*g->birth->trace))) == NULL)
            return;
        mer_span_continue(tracer, &from, &g->birth->trace->create[i]);
    }
}

void edge__trace_creating(struct edge_hosted *g)
{
    struct edge_birth_trace *b = g->birth->trace;
    for (unsigned i = 0; b != NULL && i < EDGE_RULES_SEATS; i++)
        mer_span_continue(g->host->c.tracer, mer_span_context(&b->create[i]), &b->put[i]);
}

void edge__trace_created(struct edge_hosted *g, enum edge_store_result result)
{
    struct edge_birth_trace *b = g->birth != NULL ? g->birth->trace : NULL;
    const struct mer_span_end e = {
        .name = "redis mer1_create",
        .kind = MER_SPAN_CLIENT,
        .error = result == EDGE_STORE_OK ? NULL : edge_store_result_name(result),
        .attr = {{"db.system.name", "redis"}, {"db.operation.name", "FCALL mer1_create"}, {"meridian.game", g->core.id}}};
    for (unsigned i = 0; b != NULL && i < EDGE_RULES_SEATS; i++) {
        mer_span_finish(g->host->c.tracer, &b->put[i], &e);
        b->put[i].start_us = 0;
    }
}

void edge__trace_born(struct edge_hosted *g, const char *error)
{
    struct edge_birth_trace *b = g->birth->trace;
    const struct mer_span_end e = {
        .name = "create game", .kind = MER_SPAN_CONSUMER, .error = error, .attr = {{"meridian.game", g->core.id}}};
    for (unsigned i = 0; b != NULL && i < EDGE_RULES_SEATS; i++)
        mer_span_finish(g->host->c.tracer, &b->create[i], &e);
}

const struct mer_trace_context *edge__trace_seat(const struct edge_hosted *g, unsigned seat)
{
    return g->birth->trace != NULL ? mer_span_context(&g->birth->trace->create[seat]) : NULL;
}

const struct mer_trace_context *edge__trace_birth(const struct edge_hosted *g)
{
    for (unsigned i = 0; i < EDGE_RULES_SEATS; i++)
        if (edge__trace_seat(g, i) != NULL)
            return edge__trace_seat(g, i);
    return NULL;
}

void edge__birth_free(struct edge_hosted *g)
{
    if (g->birth != NULL)
        mer_free(&g->birth->trace);
    mer_free(&g->birth);
}
