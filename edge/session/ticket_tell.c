/* SPDX-License-Identifier: Apache-2.0
 * ticket_tell.c - what others hear of a ticket: its player on all his devices, one who asked, the router's leader. Nothing of it is
 * answered, and what is lost is made good by the ticket's states. Owner: tickets.c. Next: ticket.c. */
#include <stdio.h>

#include "edge/session/deliver.h"
#include "edge/session/ticket.h"

#define CM(x) Meridian__Client__V1__##x
#define IM(x) Meridian__Internal__V1__##x
#define STATE(x) MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_##x
#define BUS(x) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##x
#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

/* --- the player ---------------------------------------------------------------------------------------------------------------------- */

static void fill(const struct edge_ticket *t, CM(TicketState) state, CM(ServerMessage) * m, CM(Ticket) * body)
{
    *m = (CM(ServerMessage))MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    *body = (CM(Ticket))MERIDIAN__CLIENT__V1__TICKET__INIT;
    body->ticket_id = (char *)t->id;
    body->state = state;
    if (state == STATE(WAITING) || state == STATE(EXPIRED))
        body->reason = t->reason[0] != 0 ? (char *)t->reason : NULL;
    if (state == STATE(WAITING)) {
        body->has_next_step_at_ms = t->next_step_at_ms != 0;
        body->next_step_at_ms = t->next_step_at_ms;
    }
    if (t->code[0] != 0) {
        uint64_t waited = t->all->app->loop.now_ms - t->opened_ms;
        body->code = (char *)t->code;
        body->has_hosts = true;
        body->hosts = t->hosts;
        body->has_expires_at_ms = true;
        body->expires_at_ms = mer_clock_wall_ms(&t->all->app->clock) + (waited < EDGE_INVITE_MS ? EDGE_INVITE_MS - waited : 0);
    }
    m->body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_TICKET;
    m->ticket = body;
}

void edge__ticket_tell_user(struct edge_ticket *t, CM(TicketState) state)
{
    CM(ServerMessage) m;
    CM(Ticket) body;
    t->told = true;
    fill(t, state, &m, &body);
    edge_deliver(t->all->app, t->user->id, &m);
}

static CM(TicketState) shown_state(const struct edge_ticket *t)
{
    switch (t->state) {
    case T_SEATING:
    case T_SEATED:
    case T_VOIDING:
        return STATE(MATCHED);
    case T_CLOSING:
        return t->ends_as;
    default:
        return STATE(WAITING);
    }
}

void edge__ticket_tell_asker(struct edge_ticket *t, const char *session, const char *edge)
{
    struct edge_app *app = t->all->app;
    CM(ServerMessage) m;
    CM(Ticket) body;
    t->told = true;
    fill(t, shown_state(t), &m, &body);
    if (edge == NULL) {
        edge_sessions_to_session(app->sessions, session, &m);
        return;
    }
    IM(UserMessage) um = MERIDIAN__INTERNAL__V1__USER_MESSAGE__INIT;
    IM(BusMessage) bm = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    um.user = t->user->id;
    um.message = &m;
    bm.body_case = BUS(USER_MESSAGE);
    bm.user_message = &um;
    if (edge_bus_send(app->bus, edge, &bm) != MER_OK)
        MER_LOG_RATE(&app->log, MER_DEBUG, "ticket.answer_lost", KV_STR("edge", edge));
}

void edge__ticket_error(struct edge_app *app, const char *session, CM(ErrorCode) code, const char *text, const char *re, uint32_t retry_ms)
{
    struct edge_session *s = edge__session_find(app->sessions, session);
    if (s != NULL && s->state == EDGE_SESSION_LIVE)
        edge__session_error(s, code, text, re, retry_ms);
}

/* --- the router ---------------------------------------------------------------------------------------------------------------------- */

void edge__ticket_send_open(struct edge_ticket *t, bool brief)
{
    struct edge_app *app = t->all->app;
    const CM(FindMatch) *f = t->ask;
    IM(TicketOpen) o = MERIDIAN__INTERNAL__V1__TICKET_OPEN__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    IM(TicketOpen__LatencyMsEntry) entry[16], *entries[16];
    uint8_t trace[MER_TRACE_BYTES];
    o.ticket_id = t->id;
    o.user = t->user->id;
    o.name = t->user->name;
    o.game = f->game;
    o.players = f->has_players ? f->players : 2;
    o.rows = f->has_rows ? f->rows : 4;
    o.cols = f->has_cols ? f->cols : 4;
    o.bots = f->has_bots ? f->bots : MERIDIAN__CLIENT__V1__BOTS__BOTS_NONE;
    o.rating = f->has_rating ? f->rating : t->user->rating > 0 ? t->user->rating : 1500;
    o.waited_ms = (uint32_t)(app->loop.now_ms - t->opened_ms);
    o.n_latency_ms = f->n_latency_ms; /* at most 16: dispatch.c */
    for (size_t i = 0; i < f->n_latency_ms; i++) {
        entry[i] = (IM(TicketOpen__LatencyMsEntry))MERIDIAN__INTERNAL__V1__TICKET_OPEN__LATENCY_MS_ENTRY__INIT;
        entry[i].key = f->latency_ms[i]->key;
        entry[i].has_value = true;
        entry[i].value = f->latency_ms[i]->value;
        entries[i] = &entry[i];
    }
    o.latency_ms = entries;
    o.code = t->code[0] != 0 ? t->code : NULL;
    o.has_hosts = t->hosts;
    o.hosts = t->hosts;
    o.has_brief = o.brief = brief && t->code[0] == 0; /* friends may be anywhere: all regions hear of it at once */
    o.has_trace = mer_trace_put(edge__ticket_trace_of(t), trace, &o.trace);
    m.body_case = ROUTER(TICKET_OPEN);
    m.ticket_open = &o;
    if (edge_routers_send(app->routers, &m) != MER_OK) /* handed in when there is a leader again */
        snprintf(t->reason, sizeof(t->reason), "waiting for the matchmaker");
}

void edge__ticket_send_cancel(struct edge_ticket *t)
{
    IM(TicketCancel) c = MERIDIAN__INTERNAL__V1__TICKET_CANCEL__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    c.ticket_id = t->id;
    m.body_case = ROUTER(TICKET_CANCEL);
    m.ticket_cancel = &c;
    /* Lost: the router's next offer is declined. */
    if (edge_routers_send(t->all->app->routers, &m) != MER_OK)
        MER_LOG(&t->all->app->log, MER_DEBUG, "ticket.cancel_lost", KV_STR("ticket", t->id));
}

void edge__ticket_send_answer(struct edge_tickets *all, const char *ticket, const char *match, bool accepted)
{
    IM(SeatAnswer) a = MERIDIAN__INTERNAL__V1__SEAT_ANSWER__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    a.ticket_id = (char *)ticket;
    a.match_id = (char *)match;
    a.accepted = accepted;
    const struct edge_ticket *t = accepted ? mer_map_gets(&all->by_id, ticket) : NULL;
    if (t != NULL) { /* the router has not kept it */
        a.user = t->user->id;
        a.name = t->user->name;
    }
    m.body_case = ROUTER(SEAT_ANSWER);
    m.seat_answer = &a;
    if (!accepted)
        all->values[T_M_DECLINED]++;
    /* Lost: the router's offer runs out, and so does our seat. */
    if (edge_routers_send(all->app->routers, &m) != MER_OK)
        MER_LOG(&all->app->log, MER_DEBUG, "ticket.answer_lost", KV_STR("ticket", ticket));
}
