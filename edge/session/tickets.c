/* SPDX-License-Identifier: Apache-2.0
 * tickets.c - see tickets.h for the states.
 *
 * Each ticket has at most one call to the store under way, and a call's answer is the only thing that moves it on, besides the router's
 * offers and the timer. What is unknown is asked again: every call is idempotent (same ticket, same game). A ticket that ends while a call
 * is under way is freed by the answer.
 *
 * Timers: `timer`: OPENING, SEATING, VOIDING, REOPENING, CLOSING: repeat the store call; SEATED: no seat was opened in time. `gone`: 30 s
 * after the user's last connection. Owner: the app; a user points to his ticket. Next: region-router/match.h, edge/game/host.h. */
#include "edge/session/tickets.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "edge/session/deliver.h"
#include "edge/session/session.h"

#define CM(x) Meridian__Client__V1__##x
#define IM(x) Meridian__Internal__V1__##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x
#define STATE(x) MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_##x
#define BUS(x) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##x
#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum { RETRY_MS = 300, OPEN_TRIES = 5, TICKET_ID_BYTES = 32, REASON_BYTES = 96 };

#define TICKET_STATES(X) X(OPENING) X(WAITING) X(SEATING) X(SEATED) X(VOIDING) X(REOPENING) X(CLOSING)
#define X(name) T_##name,
enum ticket_state { TICKET_STATES(X) T_NSTATES };
#undef X

struct edge_ticket {
    struct edge_tickets *all;
    struct edge_user *user; /* NULL once it has ended while a call is under way */
    enum ticket_state state;
    bool pending; /* a store call is under way */
    bool cancel;  /* wanted by the player, or nobody is left: as soon as it can be */
    uint8_t tries;
    char id[TICKET_ID_BYTES];
    char asked_by[EDGE_SESSION_ID_BYTES];
    char game[EDGE_ID_MAX];  /* SEATING ... VOIDING: the match; OPENING: a game the record names, being checked */
    char owner[EDGE_ID_MAX]; /* who will host it */
    char other[EDGE_ID_MAX]; /* OPENING: a ticket of a dead edge, being closed */
    char reason[REASON_BYTES];
    uint64_t next_step_at_ms; /* wall clock; 0: none */
    uint64_t opened_ms;
    CM(FindMatch) * ask;
    CM(TicketState) ends_as; /* CLOSING */
    struct mer_timer timer, gone;
};

enum { M_WAITING, M_OPENED, M_MATCHED, M_CANCELLED, M_EXPIRED, M_OFFERS, M_DECLINED, M_UNDONE, M_TICKETS_COUNT };
static const struct mer_metric_def defs[M_TICKETS_COUNT] = {
    [M_WAITING] = {"meridian_edge_tickets", "tickets of players of this edge", MER_GAUGE, NULL},
    [M_OPENED] = {"meridian_edge_tickets_opened_total", "tickets opened", MER_COUNTER, NULL},
    [M_MATCHED] = {"meridian_edge_tickets_ended_total", "tickets by how they ended", MER_COUNTER, "how=\"matched\""},
    [M_CANCELLED] = {"meridian_edge_tickets_ended_total", "tickets by how they ended", MER_COUNTER, "how=\"cancelled\""},
    [M_EXPIRED] = {"meridian_edge_tickets_ended_total", "tickets by how they ended", MER_COUNTER, "how=\"expired\""},
    [M_OFFERS] = {"meridian_edge_seat_offers_total", "seats offered by the router", MER_COUNTER, NULL},
    [M_DECLINED] = {"meridian_edge_seat_offers_declined_total", "of these, declined", MER_COUNTER, NULL},
    [M_UNDONE] = {"meridian_edge_seats_undone_total", "accepted seats whose game was never made", MER_COUNTER, NULL},
};

struct edge_tickets {
    struct edge_app *app;
    struct mer_map by_id;
    uint64_t values[M_TICKETS_COUNT];
    struct mer_metric_set metric_set;
};

static struct mer_key ticket_key(const void *entry)
{
    const struct edge_ticket *t = entry;
    return (struct mer_key){t->id, strlen(t->id)};
}

static void set_state(struct edge_ticket *t, enum ticket_state state)
{
    t->state = state;
    t->tries = 0;
    mer_loop_disarm(&t->all->app->loop, &t->timer);
}

static void ticket_free(struct edge_ticket *t)
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
    ticket_free(t);
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
    if (state == STATE(WAITING)) {
        body->reason = t->reason[0] != 0 ? (char *)t->reason : NULL;
        body->has_next_step_at_ms = t->next_step_at_ms != 0;
        body->next_step_at_ms = t->next_step_at_ms;
    }
    m->body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_TICKET;
    m->ticket = body;
}

static void tell_user(const struct edge_ticket *t, CM(TicketState) state)
{
    CM(ServerMessage) m;
    CM(Ticket) body;
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
static void tell_asker(const struct edge_ticket *t, const char *session, const char *edge)
{
    struct edge_app *app = t->all->app;
    CM(ServerMessage) m;
    CM(Ticket) body;
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

static void error_to(struct edge_app *app, const char *session, CM(ErrorCode) code, const char *text, const char *re, uint32_t retry_ms)
{
    struct edge_session *s = edge__session_find(app->sessions, session);
    if (s != NULL && s->state == EDGE_SESSION_LIVE)
        edge__session_error(s, code, text, re, retry_ms);
}

/* --- to the router ---------------------------------------------------------------------------------------------------------------------
 */

static void send_open(struct edge_ticket *t)
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

static void send_answer(struct edge_tickets *all, const char *ticket, const char *match, bool accepted)
{
    IM(SeatAnswer) a = MERIDIAN__INTERNAL__V1__SEAT_ANSWER__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    a.ticket_id = (char *)ticket;
    a.match_id = (char *)match;
    a.accepted = accepted;
    m.body_case = ROUTER(SEAT_ANSWER);
    m.seat_answer = &a;
    if (!accepted)
        all->values[M_DECLINED]++;
    /* Lost: the router's offer runs out, and so does our seat. */
    if (edge_routers_send(all->app->routers, &m) != MER_OK)
        MER_LOG(&all->app->log, MER_DEBUG, "ticket.answer_lost", KV_STR("ticket", ticket));
}

/* --- the machine: store calls and their answers -----------------------------------------------------------------------------------------
 */

static void run(struct edge_ticket *t);

/* The store did not take or answer it: again in a moment. */
static void run_later(struct edge_ticket *t)
{
    t->tries++;
    mer_loop_arm(&t->all->app->loop, &t->timer, RETRY_MS);
}

static void end(struct edge_ticket *t, CM(TicketState) state)
{
    t->all->values[state == STATE(EXPIRED) ? M_EXPIRED : M_CANCELLED]++;
    tell_user(t, state);
    ticket_free(t);
}

static void to_waiting(struct edge_ticket *t)
{
    set_state(t, T_WAITING);
    t->game[0] = 0;
    if (t->cancel) {
        t->ends_as = STATE(CANCELLED);
        send_cancel(t);
        set_state(t, T_CLOSING);
        run(t);
        return;
    }
    send_open(t);
    tell_user(t, STATE(WAITING));
}

/* The game exists after all: the seats' side attaches, the ticket has done its work. */
static void to_matched(struct edge_ticket *t)
{
    struct edge_app *app = t->all->app;
    t->all->values[M_MATCHED]++;
    edge_seats_join(app->seats, t->user->id, NULL, t->game);
    ticket_free(t);
}

static void in_game(struct edge_ticket *t)
{
    struct edge_app *app = t->all->app;
    error_to(app, t->asked_by, CODE(ALREADY_IN_GAME), "you sit in a game that is not over", "find_match", 0);
    edge_seats_join(app->seats, t->user->id, t->asked_by, t->game);
    ticket_free(t);
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
            edge_tickets_tell(s, t->other, t->owner);
        ticket_free(t);
        return;
    }
    if (result != EDGE_STORE_ABSENT)
        t->other[0] = 0; /* ask for the record again */
    t->owner[0] = 0;
    run_later(t);
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
            t->all->values[M_OPENED]++;
        to_waiting(t);
        return;
    case EDGE_STORE_HAS_GAME:
        snprintf(t->game, sizeof(t->game), "%s", p->game);
        run(t); /* an intent may be stale: look at the game itself */
        return;
    case EDGE_STORE_HAS_TICKET:
        snprintf(t->other, sizeof(t->other), "%s", p->ticket);
        snprintf(t->owner, sizeof(t->owner), "%s", strcmp(p->ticket_edge, app->incarnation) == 0 ? "" : p->ticket_edge);
        run(t);
        return;
    default:
        if (t->state == T_OPENING && t->tries >= OPEN_TRIES) {
            error_to(app, t->asked_by, CODE(TRY_AGAIN), "the store is not reachable now", "find_match", 2000);
            t->ends_as = STATE(CANCELLED);
            set_state(t, T_CLOSING);
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
    if (result == EDGE_STORE_EXISTS && g->owner[0] != 0)
        in_game(t);
    else if (result == EDGE_STORE_OK || result == EDGE_STORE_EXISTS)
        t->owner[0] = '!', run(t); /* over, or never made: clear the record */
    else
        run_later(t);
}

static void on_cleared(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct edge_ticket *t = ctx;
    (void)p;
    if (!answered(t))
        return;
    if (result == EDGE_STORE_OK || result == EDGE_STORE_LOST)
        t->game[0] = t->owner[0] = t->other[0] = 0;
    if (result == EDGE_STORE_OK || result == EDGE_STORE_LOST)
        run(t);
    else
        run_later(t);
}

static void on_seated(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct edge_ticket *t = ctx;
    struct edge_tickets *all = t->all;
    (void)p;
    if (!answered(t))
        return;
    if (t->state != T_SEATING) { /* released, or the offer ran out: find out what became of it */
        run(t);
        return;
    }
    switch (result) {
    case EDGE_STORE_OK:
        send_answer(all, t->id, t->game, true);
        set_state(t, T_SEATED);
        mer_loop_arm(&all->app->loop, &t->timer, EDGE_SEAT_OPEN_WAIT_MS);
        return;
    case EDGE_STORE_LOST: /* another edge of this user was first */
        send_answer(all, t->id, t->game, false);
        end(t, STATE(CANCELLED));
        return;
    default:
        if (t->tries * RETRY_MS < EDGE_SEAT_OPEN_WAIT_MS / 4) {
            run_later(t);
            return;
        }
        send_answer(all, t->id, t->game, false);
        set_state(t, T_VOIDING);
        run(t);
    }
}

static void on_voided(void *ctx, enum edge_store_result result, const struct edge_stored *g)
{
    struct edge_ticket *t = ctx;
    (void)g;
    if (!answered(t))
        return;
    if (result == EDGE_STORE_EXISTS) {
        to_matched(t);
    } else if (result == EDGE_STORE_OK) {
        t->all->values[M_UNDONE]++;
        set_state(t, T_REOPENING);
        t->owner[0] = '!';
        run(t);
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

/* The one store call that the state asks for. In OPENING and REOPENING the record may stand in the way: `game` with owner "" is checked,
 * with owner "!" cleared; `other` with an owner asks whether that edge lives, without closes that ticket. */
static enum mer_err call(struct edge_ticket *t)
{
    struct edge_store *st = t->all->app->store;
    const char *user = t->user->id;
    switch (t->state) {
    case T_OPENING:
    case T_REOPENING:
        if (t->game[0] != 0 && t->owner[0] == '!')
            return edge_store_player_unseat(st, user, t->game, on_cleared, t);
        if (t->game[0] != 0)
            return edge_store_game_void(st, t->game, on_checked, t);
        if (t->other[0] != 0 && t->owner[0] != 0)
            return edge_store_live_get(st, t->owner, on_live, t);
        if (t->other[0] != 0)
            return edge_store_ticket_close(st, user, t->other, on_cleared, t);
        return edge_store_ticket_open(st, user, t->id, EDGE_TICKET_LIFE_MS, on_opened, t);
    case T_SEATING:
        return edge_store_player_seat(st, user, t->id, t->game, t->owner, on_seated, t);
    case T_VOIDING:
        return edge_store_game_void(st, t->game, on_voided, t);
    case T_CLOSING:
        return edge_store_ticket_close(st, user, t->id, on_closed, t);
    default:
        MER_ASSERT(!"a state that asks for no call");
    }
}

static void run(struct edge_ticket *t)
{
    if (t->pending)
        return; /* the answer runs it */
    if (call(t) == MER_OK)
        t->pending = true;
    else
        run_later(t);
}

static void on_timer(struct mer_timer *timer)
{
    struct edge_ticket *t = MER_CONTAINER_OF(timer, struct edge_ticket, timer);
    if (t->state == T_SEATED)
        set_state(t, T_VOIDING);
    run(t);
}

static void cancel(struct edge_ticket *t)
{
    t->cancel = true;
    if (t->state == T_WAITING)
        to_waiting(t); /* which sees the wish */
}

static void on_gone(struct mer_timer *timer)
{
    cancel(MER_CONTAINER_OF(timer, struct edge_ticket, gone));
}

/* --- from the players
 * ----------------------------------------------------------------------------------------------------------------------- */

static CM(FindMatch) * copy_ask(const CM(FindMatch) * m)
{
    size_t len = protobuf_c_message_get_packed_size(&m->base);
    uint8_t *bytes = mer_try_malloc(len + 1);
    CM(FindMatch) *copy = NULL;
    if (bytes != NULL) {
        protobuf_c_message_pack(&m->base, bytes);
        copy = meridian__client__v1__find_match__unpack(NULL, len, bytes);
    }
    mer_free(&bytes);
    return copy;
}

void edge_tickets_find(struct edge_session *s, const CM(FindMatch) * m)
{
    struct edge_app *app = s->all->app;
    struct edge_tickets *all = app->tickets;
    char session[EDGE_SESSION_ID_BYTES];
    edge__session_id(s, session);
    if (s->user->ticket != NULL) {
        tell_asker(s->user->ticket, session, NULL);
        return;
    }
    const char *game = edge_seats_game(app->seats, s->user->id);
    if (game != NULL) {
        edge__session_error(s, CODE(ALREADY_IN_GAME), "you sit in a game that is not over", "find_match", 0);
        edge_seats_join(app->seats, s->user->id, session, game);
        return;
    }
    struct edge_ticket *t = mer_try_calloc(1, sizeof(*t));
    if (t != NULL) {
        t->all = all;
        mer_id_make(&app->rng, "t-", 10, t->id, sizeof(t->id));
        memcpy(t->asked_by, session, sizeof(t->asked_by));
        snprintf(t->reason, sizeof(t->reason), "looking for players");
        t->opened_ms = app->loop.now_ms;
        t->ask = copy_ask(m);
        mer_timer_init(&t->timer, on_timer);
        mer_timer_init(&t->gone, on_gone);
        if (t->ask == NULL || mer_map_put(&all->by_id, t) != MER_OK) {
            if (t->ask != NULL)
                meridian__client__v1__find_match__free_unpacked(t->ask, NULL);
            mer_free(&t);
        }
    }
    if (t == NULL) {
        edge__session_error(s, CODE(OVERLOADED), "out of memory", "find_match", 1000);
        return;
    }
    t->user = s->user;
    s->user->ticket = t;
    run(t);
}

/* What was asked of a ticket that is not here: the player's record says where it is. */
struct elsewhere {
    struct edge_app *app;
    bool explain;
    char ticket[EDGE_ID_MAX + 1], user[EDGE_KEY_ID_MAX + 1], session[EDGE_SESSION_ID_BYTES];
};

static enum mer_err request(struct edge_app *app, const char *edge, IM(TicketRequest) * tr)
{
    IM(BusMessage) bm = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    bm.body_case = BUS(TICKET_REQUEST);
    bm.ticket_request = tr;
    return edge_bus_send(app->bus, edge, &bm);
}

static void on_where(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct elsewhere *e = ctx;
    enum mer_err err = MER_ENOTFOUND;
    if (result != EDGE_STORE_OK) {
        error_to(e->app, e->session, CODE(TRY_AGAIN), "the store is not reachable now", e->ticket, 1000);
        mer_free(&e);
        return;
    }
    if (strcmp(p->ticket, e->ticket) == 0 && strcmp(p->ticket_edge, e->app->incarnation) != 0) {
        IM(TicketRequest) tr = MERIDIAN__INTERNAL__V1__TICKET_REQUEST__INIT;
        CM(CancelMatch) cancel_match = MERIDIAN__CLIENT__V1__CANCEL_MATCH__INIT;
        CM(ExplainMatch) explain_match = MERIDIAN__CLIENT__V1__EXPLAIN_MATCH__INIT;
        tr.user = e->user;
        tr.session = e->session;
        if (e->explain) {
            explain_match.ticket_id = e->ticket;
            tr.body_case = MERIDIAN__INTERNAL__V1__TICKET_REQUEST__BODY_EXPLAIN_MATCH;
            tr.explain_match = &explain_match;
        } else {
            cancel_match.ticket_id = e->ticket;
            tr.body_case = MERIDIAN__INTERNAL__V1__TICKET_REQUEST__BODY_CANCEL_MATCH;
            tr.cancel_match = &cancel_match;
        }
        err = request(e->app, p->ticket_edge, &tr);
    }
    if (err != MER_OK)
        error_to(e->app, e->session, CODE(NO_SUCH_TICKET), "no waiting ticket of yours has this id", e->ticket, 0);
    mer_free(&e);
}

static void ask_elsewhere(struct edge_session *s, const char *ticket_id, bool explain)
{
    struct elsewhere *e = mer_try_calloc(1, sizeof(*e));
    if (e != NULL) {
        e->app = s->all->app;
        e->explain = explain;
        snprintf(e->ticket, sizeof(e->ticket), "%s", ticket_id);
        snprintf(e->user, sizeof(e->user), "%s", s->user->id);
        edge__session_id(s, e->session);
        if (edge_store_player_get(e->app->store, e->user, on_where, e) == MER_OK)
            return;
        mer_free(&e);
    }
    edge__session_error(s, CODE(OVERLOADED), "too much is waiting", ticket_id, 1000);
}

void edge_tickets_cancel(struct edge_session *s, const char *ticket_id)
{
    struct edge_ticket *t = s->user->ticket;
    char session[EDGE_SESSION_ID_BYTES];
    if (t == NULL || strcmp(t->id, ticket_id) != 0) {
        ask_elsewhere(s, ticket_id, false);
        return;
    }
    edge__session_id(s, session);
    if (t->state == T_SEATING || t->state == T_SEATED || t->state == T_VOIDING)
        tell_asker(t, session, NULL); /* too late, unless the match is undone */
    cancel(t);
}

void edge_tickets_explain(struct edge_session *s, const char *ticket_id)
{
    struct edge_ticket *t = s->user->ticket;
    char session[EDGE_SESSION_ID_BYTES];
    if (t == NULL || strcmp(t->id, ticket_id) != 0) {
        ask_elsewhere(s, ticket_id, true);
        return;
    }
    edge__session_id(s, session);
    tell_asker(t, session, NULL);
}

void edge_tickets_tell(struct edge_session *s, const char *ticket_id, const char *edge)
{
    struct edge_app *app = s->all->app;
    struct edge_ticket *t = s->user->ticket;
    char session[EDGE_SESSION_ID_BYTES];
    edge__session_id(s, session);
    if (t != NULL && strcmp(t->id, ticket_id) == 0) {
        tell_asker(t, session, NULL);
        return;
    }
    if (strcmp(edge, app->incarnation) == 0)
        return; /* ended since */
    IM(TicketRequest) tr = MERIDIAN__INTERNAL__V1__TICKET_REQUEST__INIT;
    CM(FindMatch) find = MERIDIAN__CLIENT__V1__FIND_MATCH__INIT;
    find.game = (char *)"memory"; /* required; the ticket there has its own */
    tr.user = s->user->id;
    tr.session = session;
    tr.body_case = MERIDIAN__INTERNAL__V1__TICKET_REQUEST__BODY_FIND_MATCH;
    tr.find_match = &find;
    if (request(app, edge, &tr) != MER_OK)
        edge__session_error(s, CODE(TRY_AGAIN), "your ticket is at an edge that does not answer", ticket_id, 2000);
}

/* --- from other edges and the router
 * ---------------------------------------------------------------------------------------------------------- */

static void on_request(void *ctx, const IM(BusMessage) * m)
{
    struct edge_app *app = ctx;
    const IM(TicketRequest) *tr = m->ticket_request;
    struct edge_user *u = edge__user_find(app->sessions, tr->user);
    struct edge_ticket *t = u == NULL ? NULL : u->ticket;
    const char *id = tr->body_case == MERIDIAN__INTERNAL__V1__TICKET_REQUEST__BODY_CANCEL_MATCH    ? tr->cancel_match->ticket_id
                     : tr->body_case == MERIDIAN__INTERNAL__V1__TICKET_REQUEST__BODY_EXPLAIN_MATCH ? tr->explain_match->ticket_id
                                                                                                   : NULL;
    if (t == NULL || (id != NULL && strcmp(id, t->id) != 0))
        return; /* ended meanwhile; whoever ended it told all devices */
    bool too_late = t->state == T_SEATING || t->state == T_SEATED || t->state == T_VOIDING;
    if (tr->body_case != MERIDIAN__INTERNAL__V1__TICKET_REQUEST__BODY_CANCEL_MATCH || too_late)
        tell_asker(t, tr->session, m->from);
    if (tr->body_case == MERIDIAN__INTERNAL__V1__TICKET_REQUEST__BODY_CANCEL_MATCH)
        cancel(t);
}

static void on_offer(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_tickets *all = ctx;
    const IM(SeatOffer) *o = m->seat_offer;
    struct edge_ticket *t = mer_map_gets(&all->by_id, o->ticket_id);
    all->values[M_OFFERS]++;
    if (t != NULL && t->state == T_SEATED && strcmp(t->game, o->match_id) == 0) {
        send_answer(all, t->id, t->game, true);
        return;
    }
    if (t != NULL && t->state == T_SEATING && strcmp(t->game, o->match_id) == 0)
        return; /* being answered */
    bool fits = strlen(o->match_id) < sizeof(t->game) && strlen(o->owner) < sizeof(t->owner);
    if (t == NULL || t->state != T_WAITING || t->cancel || !fits) {
        send_answer(all, o->ticket_id, o->match_id, false);
        return;
    }
    strcpy(t->game, o->match_id); /* lengths checked above */
    strcpy(t->owner, o->owner);
    set_state(t, T_SEATING);
    run(t);
}

static void on_release(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_tickets *all = ctx;
    struct edge_ticket *t = mer_map_gets(&all->by_id, m->seat_release->ticket_id);
    if (t == NULL || (t->state != T_SEATING && t->state != T_SEATED) || strcmp(t->game, m->seat_release->match_id) != 0)
        return;
    set_state(t, T_VOIDING);
    run(t);
}

static void on_status(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_tickets *all = ctx;
    const IM(TicketStatus) *st = m->ticket_status;
    struct edge_ticket *t = mer_map_gets(&all->by_id, st->ticket_id);
    if (t == NULL || t->state != T_WAITING)
        return;
    if (st->state == STATE(EXPIRED)) {
        t->ends_as = STATE(EXPIRED);
        set_state(t, T_CLOSING);
        run(t);
        return;
    }
    bool changed = strncmp(t->reason, st->reason, sizeof(t->reason) - 1) != 0;
    snprintf(t->reason, sizeof(t->reason), "%s", st->reason);
    t->next_step_at_ms = st->has_next_step_in_ms ? mer_clock_wall_ms(&all->app->clock) + st->next_step_in_ms : 0;
    if (changed)
        tell_user(t, STATE(WAITING));
}

void edge_tickets_seated(struct edge_tickets *all, const char *user, const char *ticket_id)
{
    struct edge_user *u = edge__user_find(all->app->sessions, user);
    if (u == NULL || u->ticket == NULL || ticket_id == NULL || strcmp(u->ticket->id, ticket_id) != 0)
        return;
    all->values[M_MATCHED]++;
    ticket_free(u->ticket);
}

void edge_tickets_user_gone(struct edge_tickets *all, struct edge_user *u)
{
    if (u->ticket != NULL)
        mer_loop_arm(&all->app->loop, &u->ticket->gone, EDGE_TICKET_LINGER_MS);
}

void edge_tickets_user_back(struct edge_tickets *all, struct edge_user *u)
{
    if (u->ticket != NULL)
        mer_loop_disarm(&all->app->loop, &u->ticket->gone);
}

void edge_tickets_drop(struct edge_tickets *all, struct edge_user *u)
{
    (void)all;
    if (u->ticket != NULL) {
        struct edge_ticket *t = u->ticket;
        t->user = NULL; /* the caller releases the user */
        u->ticket = NULL;
        ticket_free(t);
    }
}

static bool hand_in_one(void *entry, void *ctx)
{
    struct edge_ticket *t = entry;
    (void)ctx;
    if (t->state == T_WAITING)
        send_open(t);
    return true;
}

void edge_tickets_hand_in(struct edge_tickets *all)
{
    mer_map_each(&all->by_id, hand_in_one, NULL);
}

/* --- life
 * --------------------------------------------------------------------------------------------------------------------------------- */

static void refresh(struct mer_metric_set *set)
{
    struct edge_tickets *all = MER_CONTAINER_OF(set, struct edge_tickets, metric_set);
    all->values[M_WAITING] = all->by_id.count;
}

enum mer_err edge_tickets_create(struct edge_tickets **out, struct edge_app *app)
{
    struct edge_tickets *all = mer_xcalloc(1, sizeof(*all));
    uint64_t seed[2] = {mer_rng_u64(&app->rng), mer_rng_u64(&app->rng)};
    all->app = app;
    mer_map_init(&all->by_id, ticket_key, seed);
    mer_metrics_add(&app->metrics, &all->metric_set, defs, M_TICKETS_COUNT, all->values);
    all->metric_set.refresh = refresh;
    edge_bus_on(app->bus, BUS(TICKET_REQUEST), on_request, app);
    edge_routers_on(app->routers, ROUTER(SEAT_OFFER), on_offer, all);
    edge_routers_on(app->routers, ROUTER(SEAT_RELEASE), on_release, all);
    edge_routers_on(app->routers, ROUTER(TICKET_STATUS), on_status, all);
    *out = all;
    return MER_OK;
}

void edge_tickets_destroy(struct edge_tickets *all)
{
    if (all == NULL)
        return;
    MER_ASSERT(all->by_id.count == 0); /* the sessions dropped them */
    mer_metrics_remove(&all->metric_set);
    mer_map_deinit(&all->by_id);
    mer_free(&all);
}
