/* SPDX-License-Identifier: Apache-2.0
 * seats_ask.c - requests of sessions on their way to the owner: kept until he answers or their time is over, sent again after every new
 * attach.
 * A request that is traced (decision 27) is a span until it is answered; whoever answers it ends that.
 *
 * Sending again is safe: a move carries its id, and leave_game and get_game ask for a state. An answer is found by who asked and what for;
 * of two equal requests the older one takes it. Every request has exactly one end here: an answer, an event (leave_game), an error, or the
 * user's last session going. */
#include <meridian/mem.h>

#include "edge/game/seats_private.h"

#define IM(name) Meridian__Internal__V1__##name
#define CM(name) Meridian__Client__V1__##name
#define KIND(name) MERIDIAN__INTERNAL__V1__SEAT_REQUEST__BODY_##name
#define CODE(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name

const char *edge__ask_make(const struct edge_seats *s, const char *session, const CM(ClientMessage) * m, struct edge_proxy_ask *out)
{
    memset(out, 0, sizeof(*out));
    out->until_ms = s->c.loop->now_ms + EDGE_SEATS_DEADLINE_MS;
    mer_span_begin(s->c.tracer, m->traceparent, s->c.loop->turn_started_us, &out->span); /* it was read in this turn */
    EDGE__SEATS_COPY(out->session, session);
    switch ((int)m->body_case) {
    case MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_MOVE:
        MER_ASSERT(m->move->action_case == MERIDIAN__CLIENT__V1__MOVE__ACTION_FLIP); /* the session layer has checked it */
        out->kind = KIND(MOVE);
        out->card = m->move->flip->card;
        EDGE__SEATS_COPY(out->move_id, m->move->move_id);
        return m->move->game_id;
    case MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_LEAVE_GAME:
        out->kind = KIND(LEAVE_GAME);
        return m->leave_game->game_id;
    default:
        MER_ASSERT(m->body_case == MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_GET_GAME);
        out->kind = KIND(GET_GAME);
        return m->get_game->game_id;
    }
}

static const char *subject(const struct edge_proxy_ask *ask, const char *game)
{
    return ask->kind == KIND(MOVE) ? ask->move_id : game;
}

void edge__ask_answered(struct edge_seats *s, const struct edge_proxy_ask *ask, const char *game, const CM(ServerMessage) * answer)
{
    const char *error = answer->body_case == MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_ERROR ? answer->error->message : NULL;
    const struct mer_span_end e = {.name = ask->kind == KIND(MOVE)         ? "move"
                                           : ask->kind == KIND(LEAVE_GAME) ? "leave_game"
                                                                           : "get_game",
                                   .kind = MER_SPAN_SERVER,
                                   .error = error,
                                   .attr = {{"meridian.game", game}}};
    mer_span_finish(s->c.tracer, &ask->span, &e);
}

static void found(struct edge_seats *s, const struct mer_span *span, const char *game, const char *error)
{
    const struct mer_span_end e = {
        .name = "find_match", .kind = MER_SPAN_SERVER, .error = error, .attr = {{"meridian.game", game}, {"meridian.outcome", "matched"}}};
    mer_span_finish(s->c.tracer, span, &e);
}

void edge__proxy_found(struct edge_proxy *p, const char *error)
{
    if (p->found)
        found(p->seats, p->found, p->game, error);
    mer_free(&p->found);
}

void edge_seats_found(struct edge_seats *s, const char *user, const struct mer_span *span)
{
    struct edge_proxy *p = edge__proxy_find(s, user, NULL);
    bool tells = p && p->matched_due && !p->found;
    if (tells && (p->found = mer_try_malloc(sizeof(*span))) != NULL)
        *p->found = *span;
    else
        found(s, span, p ? p->game : NULL, NULL);
}

void edge__ask_error(struct edge_seats *s, const struct edge_proxy_ask *ask, const char *game, Meridian__Client__V1__ErrorCode code)
{
    struct edge_game_answer a;
    MER_TRACE_LINES(s->c.log, mer_span_context(&ask->span));
    edge_game_error(&a, code, subject(ask, game), code == CODE(TRY_AGAIN) || code == CODE(RATE_LIMITED) ? EDGE_SEATS_RETRY_MAX_MS : 0);
    edge__ask_answered(s, ask, game, &a.m);
    s->c.cbs->to_session(s->c.ctx, ask->session, &a.m);
}

static void take(struct edge_proxy *p, struct edge_proxy_ask *ask)
{
    mer_list_remove(&ask->node);
    p->ask_count--;
}

static void send_ask(struct edge_proxy *p, const struct edge_proxy_ask *ask)
{
    uint64_t now = p->seats->c.loop->now_ms;
    IM(SeatRequest) r = MERIDIAN__INTERNAL__V1__SEAT_REQUEST__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    CM(Move) move = MERIDIAN__CLIENT__V1__MOVE__INIT;
    CM(Flip) flip = MERIDIAN__CLIENT__V1__FLIP__INIT;
    CM(LeaveGame) leave = MERIDIAN__CLIENT__V1__LEAVE_GAME__INIT;
    CM(GetGame) get = MERIDIAN__CLIENT__V1__GET_GAME__INIT;
    uint8_t trace[MER_TRACE_BYTES];
    MER_TRACE_LINES(p->seats->c.log, mer_span_context(&ask->span));
    r.game_id = p->game;
    r.user = p->user;
    r.session = (char *)ask->session;
    r.deadline_ms = ask->until_ms > now ? (uint32_t)(ask->until_ms - now) : 0;
    r.body_case = (IM(SeatRequest__BodyCase))ask->kind;
    if (ask->kind == KIND(MOVE)) {
        flip.card = ask->card;
        move.game_id = p->game;
        move.move_id = (char *)ask->move_id;
        move.action_case = MERIDIAN__CLIENT__V1__MOVE__ACTION_FLIP;
        move.flip = &flip;
        r.move = &move;
    } else if (ask->kind == KIND(LEAVE_GAME)) {
        leave.game_id = p->game;
        r.leave_game = &leave;
    } else {
        get.game_id = p->game;
        r.get_game = &get;
    }
    m.body_case = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SEAT_REQUEST;
    m.seat_request = &r;
    m.has_trace = mer_trace_put(mer_span_context(&ask->span), trace, &m.trace);
    if (!edge__proxy_send(p, &m) && p->state == EDGE_PROXY_ATTACHED)
        edge__proxy_set(p, EDGE_PROXY_ATTACHING, edge__proxy_backoff(p)); /* sent again when attached */
}

void edge__proxy_ask(struct edge_proxy *p, const struct edge_proxy_ask *ask)
{
    struct edge_proxy_ask *copy = p->ask_count < EDGE_SEATS_REQUESTS ? mer_try_malloc(sizeof(*copy)) : NULL;
    if (!copy) {
        edge__ask_error(p->seats, ask, p->game, CODE(RATE_LIMITED));
        return;
    }
    *copy = *ask;
    mer_list_push_back(&p->asks, &copy->node);
    if (++p->ask_count == 1)
        edge__proxy_arm(p); /* its deadline; later ones have later deadlines */
    if (p->state == EDGE_PROXY_ATTACHED)
        send_ask(p, copy);
}

void edge__proxy_resend(struct edge_proxy *p)
{
    MER_LIST_EACH (it, &p->asks) {
        if (p->state != EDGE_PROXY_ATTACHED)
            return;
        send_ask(p, MER_LIST_ENTRY(it, struct edge_proxy_ask, node));
    }
}

static bool answers(const struct edge_proxy *p, const struct edge_proxy_ask *ask, const IM(Reply) * r)
{
    const CM(ServerMessage) *m = r->message;
    if (strcmp(ask->session, r->session) != 0)
        return false;
    if (m->body_case == MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_GAME_STATE)
        return ask->kind == KIND(GET_GAME);
    if (m->body_case == MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_MOVE_OK)
        return ask->kind == KIND(MOVE) && strcmp(ask->move_id, m->move_ok->move_id) == 0;
    return m->body_case == MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_ERROR && m->error->re &&
           strcmp(subject(ask, p->game), m->error->re) == 0;
}

bool edge__proxy_reply(struct edge_proxy *p, const IM(Reply) * r)
{
    MER_LIST_EACH (it, &p->asks) {
        struct edge_proxy_ask *ask = MER_LIST_ENTRY(it, struct edge_proxy_ask, node);
        if (!answers(p, ask, r))
            continue;
        MER_TRACE_LINES(p->seats->c.log, mer_span_context(&ask->span));
        take(p, ask);
        edge__ask_answered(p->seats, ask, p->game, r->message);
        mer_free(&ask);
        edge__proxy_shown(p, r->message);
        p->seats->c.cbs->to_session(p->seats->c.ctx, r->session, r->message);
        return true;
    }
    return false;
}

void edge__proxy_expire(struct edge_proxy *p)
{
    while (!mer_list_empty(&p->asks)) {
        struct edge_proxy_ask *ask = MER_LIST_ENTRY(p->asks.next, struct edge_proxy_ask, node);
        if (ask->until_ms > p->seats->c.loop->now_ms)
            break;
        take(p, ask);
        p->seats->values[EDGE_SEATS_M_EXPIRED]++;
        edge__ask_error(p->seats, ask, p->game, CODE(TRY_AGAIN));
        mer_free(&ask);
    }
}

void edge__proxy_fail(struct edge_proxy *p, Meridian__Client__V1__ErrorCode code)
{
    while (!mer_list_empty(&p->asks)) {
        struct edge_proxy_ask *ask = MER_LIST_ENTRY(p->asks.next, struct edge_proxy_ask, node);
        take(p, ask);
        edge__ask_error(p->seats, ask, p->game, code);
        mer_free(&ask);
    }
}

void edge__asks_to_lookup(struct edge_proxy *p, bool left)
{
    while (!mer_list_empty(&p->asks)) {
        struct edge_proxy_ask *ask = MER_LIST_ENTRY(p->asks.next, struct edge_proxy_ask, node);
        take(p, ask);
        if (!left || ask->kind != KIND(LEAVE_GAME))
            edge__seats_lookup(p->seats, p->user, p->game, ask);
        mer_free(&ask);
    }
}

void edge__asks_drop(struct edge_proxy *p)
{
    while (!mer_list_empty(&p->asks)) {
        struct edge_proxy_ask *ask = MER_LIST_ENTRY(p->asks.next, struct edge_proxy_ask, node);
        take(p, ask);
        mer_free(&ask);
    }
}
