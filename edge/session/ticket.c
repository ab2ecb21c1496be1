/* SPDX-License-Identifier: Apache-2.0
 * ticket.c - the states of one ticket (picture: tickets.h).
 *
 * A ticket has at most one call to the store under way, and a call's answer is the only thing that moves it on, besides the router's offers
 * and the timer. What is unknown is asked again: every call is idempotent (same ticket, same game). A ticket that ends while a call is
 * under way is freed by the answer.
 *
 * Timer: OPENING, SEATING, VOIDING, REOPENING, CLOSING: repeat the call; SEATED: no seat was opened in time.
 * Owner: tickets.c. Next: region-router/match.h, edge/game/host.h. */
#include "edge/session/ticket.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "edge/session/deliver.h"

#define CM(x) Meridian__Client__V1__##x
#define IM(x) Meridian__Internal__V1__##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x
#define STATE(x) MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_##x
#define BUS(x) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##x
#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum {
    RETRY_MS = 300,
    OPEN_TRIES = 5,
    UNMADE_MAX = 3, /* then the game cannot be made, and waiting for it again helps nobody */
};

void edge__ticket_set(struct edge_ticket *t, enum ticket_state state)
{
    t->state = state;
    t->tries = 0;
    t->since_ms = t->all->app->loop.now_ms;
    mer_loop_disarm(&t->all->app->loop, &t->timer);
}

void edge__ticket_free(struct edge_ticket *t)
{
    mer_map_removes(&t->all->by_id, t->id);
    mer_loop_disarm(&t->all->app->loop, &t->timer);
    mer_loop_disarm(&t->all->app->loop, &t->gone);
    if (t->user != NULL) {
        struct edge_user *u = t->user;
        t->user = NULL;
        u->ticket = NULL;
        edge__user_release(t->all->app->sessions, u);
    }
    if (t->pending)
        return; /* the answer frees it */
    if (t->ask != NULL)
        meridian__client__v1__find_match__free_unpacked(t->ask, NULL);
    mer_free(&t);
}

/* First thing in every answer of the store: false when the ticket is gone. */
static bool answered(struct edge_ticket *t)
{
    t->pending = false;
    if (t->user != NULL)
        return true;
    edge__ticket_free(t);
    return false;
}

/* --- what the player sees --------------------------------------------------------------------------------------------------------------
 */

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

/* To the session that asked, wherever it is: here or (edge != NULL) on another edge. */
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

/* --- to the router ---------------------------------------------------------------------------------------------------------------------
 */

void edge__ticket_send_open(struct edge_ticket *t, bool brief)
{
    struct edge_app *app = t->all->app;
    const CM(FindMatch) *f = t->ask;
    IM(TicketOpen) o = MERIDIAN__INTERNAL__V1__TICKET_OPEN__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    IM(TicketOpen__LatencyMsEntry) entry[16], *entries[16];
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
    m.body_case = ROUTER(TICKET_OPEN);
    m.ticket_open = &o;
    if (edge_routers_send(app->routers, &m) != MER_OK) /* handed in when there is a leader again */
        snprintf(t->reason, sizeof(t->reason), "waiting for the matchmaker");
}

static void send_cancel(struct edge_ticket *t)
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

/* --- the machine: store calls and their answers -----------------------------------------------------------------------------------------
 */

/* The store did not take or answer it: again in a moment. */
static void run_later(struct edge_ticket *t)
{
    t->tries++;
    mer_loop_arm(&t->all->app->loop, &t->timer, RETRY_MS);
}

static void end(struct edge_ticket *t, CM(TicketState) state)
{
    t->all->values[state == STATE(EXPIRED) ? T_M_EXPIRED : T_M_CANCELLED]++;
    edge__ticket_tell_user(t, state);
    edge__ticket_free(t);
}

static void close_as(struct edge_ticket *t, CM(TicketState) state)
{
    t->ends_as = state;
    edge__ticket_set(t, T_CLOSING);
    edge__ticket_run(t);
}

/* Another ticket or game of this user stands in its place. */
static void vanish(struct edge_ticket *t)
{
    if (t->told)
        end(t, STATE(CANCELLED));
    else
        edge__ticket_free(t);
}

void edge__ticket_wait(struct edge_ticket *t)
{
    edge__ticket_set(t, T_WAITING);
    t->game[0] = 0;
    if (t->cancel) {
        send_cancel(t);
        close_as(t, STATE(CANCELLED));
        return;
    }
    if (t->unmade >= UNMADE_MAX) {
        snprintf(t->reason, sizeof(t->reason), "no server could start the game");
        MER_LOG(&t->all->app->log, MER_WARN, "ticket.unmade", KV_STR("ticket", t->id));
        close_as(t, STATE(EXPIRED));
        return;
    }
    edge__ticket_send_open(t, true);
    edge__ticket_tell_user(t, STATE(WAITING));
}

/* The game exists after all: the seats' side attaches, the ticket has done its work. */
static void to_matched(struct edge_ticket *t)
{
    struct edge_app *app = t->all->app;
    t->all->values[T_M_MATCHED]++;
    edge_seats_join(app->seats, t->user->id, NULL, t->game);
    edge__ticket_free(t);
}

static void in_game(struct edge_ticket *t)
{
    struct edge_app *app = t->all->app;
    edge__ticket_error(app, t->asked_by, CODE(ALREADY_IN_GAME), "you sit in a game that is not over", "find_match", 0);
    edge_seats_join(app->seats, t->user->id, t->asked_by, t->other);
    vanish(t);
}

static void on_live(void *ctx, enum edge_store_result result, const char *value)
{
    struct edge_ticket *t = ctx;
    (void)value;
    if (!answered(t))
        return;
    if (result == EDGE_STORE_OK) { /* it lives and will tell */
        struct edge_session *s = edge__session_find(t->all->app->sessions, t->asked_by);
        if (s != NULL && s->state == EDGE_SESSION_LIVE)
            edge_tickets_tell(s, t->other, t->other_edge);
        vanish(t);
        return;
    }
    if (result == EDGE_STORE_ABSENT) {
        t->obstacle = TICKET_STALE;
        edge__ticket_run(t);
    } else {
        run_later(t);
    }
}

static void on_opened(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct edge_ticket *t = ctx;
    struct edge_app *app = t->all->app;
    if (!answered(t))
        return;
    switch (result) {
    case EDGE_STORE_OK:
        if (t->state == T_OPENING)
            t->all->values[T_M_OPENED]++;
        edge__ticket_wait(t);
        return;
    case EDGE_STORE_HAS_GAME:
        snprintf(t->other, sizeof(t->other), "%s", p->game);
        t->obstacle = GAME_UNCHECKED;
        edge__ticket_run(t);
        return;
    case EDGE_STORE_HAS_TICKET:
        snprintf(t->other, sizeof(t->other), "%s", p->ticket);
        snprintf(t->other_edge, sizeof(t->other_edge), "%s", p->ticket_edge);
        t->obstacle = strcmp(p->ticket_edge, app->incarnation) == 0 ? TICKET_STALE : TICKET_UNCHECKED;
        edge__ticket_run(t);
        return;
    default:
        if (t->state == T_OPENING && t->tries >= OPEN_TRIES) {
            edge__ticket_error(app, t->asked_by, CODE(TRY_AGAIN), "the store is not reachable now", "find_match", 2000);
            t->ends_as = STATE(CANCELLED);
            edge__ticket_set(t, T_CLOSING);
        }
        run_later(t);
    }
}

/* OPENING or REOPENING with a game in the record: does it exist, and is it being played? */
static void on_checked(void *ctx, enum edge_store_result result, const struct edge_stored *g)
{
    struct edge_ticket *t = ctx;
    if (!answered(t))
        return;
    if (result == EDGE_STORE_EXISTS && g->owner[0] != 0) {
        in_game(t);
    } else if (result == EDGE_STORE_OK || result == EDGE_STORE_EXISTS) { /* never made, or over */
        t->obstacle = GAME_STALE;
        edge__ticket_run(t);
    } else {
        run_later(t);
    }
}

static void on_cleared(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct edge_ticket *t = ctx;
    (void)p;
    if (!answered(t))
        return;
    if (result == EDGE_STORE_OK || result == EDGE_STORE_LOST) {
        t->obstacle = CLEAR;
        edge__ticket_run(t);
    } else {
        run_later(t);
    }
}

static void on_seated(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct edge_ticket *t = ctx;
    struct edge_tickets *all = t->all;
    (void)p;
    if (!answered(t))
        return;
    if (t->state != T_SEATING) { /* released, or the offer ran out: find out what became of it */
        edge__ticket_run(t);
        return;
    }
    switch (result) {
    case EDGE_STORE_OK:
        edge__ticket_send_answer(all, t->id, t->game, true);
        edge__ticket_set(t, T_SEATED);
        mer_loop_arm(&all->app->loop, &t->timer, EDGE_SEAT_OPEN_WAIT_MS);
        return;
    case EDGE_STORE_LOST: /* another edge of this user was first */
        edge__ticket_send_answer(all, t->id, t->game, false);
        end(t, STATE(CANCELLED));
        return;
    default:
        if (t->tries * RETRY_MS < EDGE_SEAT_OPEN_WAIT_MS / 4) {
            run_later(t);
            return;
        }
        edge__ticket_send_answer(all, t->id, t->game, false);
        edge__ticket_set(t, T_VOIDING);
        edge__ticket_run(t);
    }
}

static void on_voided(void *ctx, enum edge_store_result result, const struct edge_stored *g)
{
    struct edge_ticket *t = ctx;
    (void)g;
    if (!answered(t))
        return;
    bool out_of_reach = edge_abroad_has(t->all->app->abroad, t->game) && t->all->app->loop.now_ms - t->since_ms >= EDGE_ABROAD_GIVE_UP_MS;
    if (result == EDGE_STORE_EXISTS) {
        to_matched(t);
    } else if (result == EDGE_STORE_OK || out_of_reach) {
        t->all->values[T_M_UNDONE]++;
        edge__ticket_set(t, T_REOPENING);
        memcpy(t->other, t->game, sizeof(t->other));
        t->obstacle = GAME_STALE;
        edge__ticket_run(t);
    } else {
        run_later(t);
    }
}

static void on_closed(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct edge_ticket *t = ctx;
    (void)p;
    if (!answered(t))
        return;
    if (result == EDGE_STORE_OK || result == EDGE_STORE_LOST)
        end(t, t->ends_as);
    else
        run_later(t);
}

static enum mer_err call_open(struct edge_ticket *t)
{
    struct edge_store *st = t->all->app->store;
    switch (t->obstacle) {
    case GAME_UNCHECKED: /* a tombstone where there is no game: then nobody will make it, and the answer holds */
        return edge_abroad_game_void(t->all->app->abroad, t->other, on_checked, t);
    case GAME_STALE:
        return edge_store_player_unseat(st, t->user->id, t->other, on_cleared, t);
    case TICKET_UNCHECKED:
        return edge_store_live_get(st, t->other_edge, on_live, t);
    case TICKET_STALE:
        return edge_store_ticket_close(st, t->user->id, t->other, on_cleared, t);
    default:
        return edge_store_ticket_open(st, t->user->id, t->id, EDGE_TICKET_LIFE_MS + (t->code[0] != 0 ? EDGE_INVITE_MS : 0), on_opened, t);
    }
}

/* The one store call that the state asks for. */
static enum mer_err call(struct edge_ticket *t)
{
    struct edge_store *st = t->all->app->store;
    const char *user = t->user->id;
    switch (t->state) {
    case T_OPENING:
    case T_REOPENING:
        return call_open(t);
    case T_SEATING:
        return edge_store_player_seat(st, user, t->id, t->game, t->owner, on_seated, t);
    case T_VOIDING:
        return edge_abroad_game_void(t->all->app->abroad, t->game, on_voided, t);
    case T_CLOSING:
        return edge_store_ticket_close(st, user, t->id, on_closed, t);
    default:
        MER_ASSERT(!"a state that asks for no call");
    }
}

void edge__ticket_run(struct edge_ticket *t)
{
    if (t->pending)
        return; /* the answer runs it */
    if (call(t) == MER_OK)
        t->pending = true;
    else
        run_later(t);
}

void edge__ticket_timer(struct mer_timer *timer)
{
    struct edge_ticket *t = MER_CONTAINER_OF(timer, struct edge_ticket, timer);
    if (t->state == T_SEATED) {
        t->unmade++;
        edge__ticket_set(t, T_VOIDING);
    }
    edge__ticket_run(t);
}

void edge__ticket_release(struct edge_ticket *t)
{
    if (t->state != T_SEATING && t->state != T_SEATED)
        return;
    edge__ticket_set(t, T_VOIDING);
    edge__ticket_run(t);
}

void edge__ticket_cancel(struct edge_ticket *t)
{
    t->cancel = true;
    if (t->state == T_WAITING)
        edge__ticket_wait(t); /* which sees the wish */
}
