/* SPDX-License-Identifier: Apache-2.0
 * ticket.c - the states of one ticket (picture: tickets.h).
 *
 * A ticket has at most one call to the store under way, and a call's answer is the only thing that moves it on, besides the router's offers
 * and the timer. What is unknown is asked again: every call is idempotent (same ticket, same game). A ticket that ends while a call is
 * under way is freed by the answer.
 *
 * Timer: OPENING, SEATING, VOIDING, REOPENING, CLOSING: repeat the call; SEATED: no seat was opened in time.
 * Owner: tickets.c. Next: ticket_tell.c (what others hear of it), edge/game/host.h. */
#include "edge/session/ticket.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#define CM(x) Meridian__Client__V1__##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x
#define STATE(x) MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_##x

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
    edge__ticket_trace_drop(t);
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

/* First thing in every answer of the store: false when the ticket is gone, or goes with the process, whose store may be gone already. */
static bool answered(struct edge_ticket *t)
{
    t->pending = false;
    if (t->user != NULL)
        return !t->all->app->sessions->stopping;
    edge__ticket_free(t);
    return false;
}

/* The store did not take or answer it: again in a moment. */
static void run_later(struct edge_ticket *t)
{
    t->tries++;
    mer_loop_arm(&t->all->app->loop, &t->timer, RETRY_MS);
}

static void end(struct edge_ticket *t, CM(TicketState) state)
{
    bool expired = state == STATE(EXPIRED);
    t->all->values[expired ? T_M_EXPIRED : T_M_CANCELLED]++;
    edge__ticket_trace_end(t, expired ? "expired" : "cancelled", expired ? t->reason : NULL);
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
    edge__ticket_trace_end(t, "vanished", "another ticket or game of the player stands in its place");
    if (t->told)
        end(t, STATE(CANCELLED));
    else
        edge__ticket_free(t);
}

void edge__ticket_wait(struct edge_ticket *t)
{
    MER_TRACE_LINES(&t->all->app->log, edge__ticket_trace_of(t));
    edge__ticket_set(t, T_WAITING);
    t->game[0] = 0;
    if (t->cancel) {
        edge__ticket_send_cancel(t);
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
    edge__ticket_trace_matched(t);
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
    } else if (t->cancel) { /* its region may be out of reach for long, and the record does not have this ticket */
        close_as(t, STATE(CANCELLED));
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
        edge__ticket_trace_answered(t, NULL);
        edge__ticket_set(t, T_SEATED);
        mer_loop_arm(&all->app->loop, &t->timer, EDGE_SEAT_OPEN_WAIT_MS);
        return;
    case EDGE_STORE_LOST: /* another edge of this user was first */
        edge__ticket_send_answer(all, t->id, t->game, false);
        edge__ticket_trace_answered(t, "the player's record has another");
        end(t, STATE(CANCELLED));
        return;
    default:
        if (t->tries * RETRY_MS < EDGE_SEAT_OPEN_WAIT_MS / 4) {
            run_later(t);
            return;
        }
        edge__ticket_send_answer(all, t->id, t->game, false);
        edge__ticket_trace_answered(t, "the store does not answer");
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
    MER_TRACE_LINES(&t->all->app->log, edge__ticket_trace_of(t));
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
    edge__ticket_trace_answered(t, "taken back");
    edge__ticket_set(t, T_VOIDING);
    edge__ticket_run(t);
}

void edge__ticket_cancel(struct edge_ticket *t)
{
    t->cancel = true;
    if (t->state == T_WAITING)
        edge__ticket_wait(t); /* which sees the wish */
}
