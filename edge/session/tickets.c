/* SPDX-License-Identifier: Apache-2.0
 * tickets.c - who asks for what: players, other edges for their devices, the router. The states are ticket.c's.
 *
 * Owner: the app; a user points to his ticket. Next: ticket.c, ticket_gone.c. */
#include "edge/session/tickets.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "edge/session/deliver.h"
#include "edge/session/ticket.h"

#define CM(x) Meridian__Client__V1__##x
#define IM(x) Meridian__Internal__V1__##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x
#define STATE(x) MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_##x
#define BUS(x) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##x
#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

static const struct mer_metric_def defs[T_M_TICKETS_COUNT] = {
    [T_M_WAITING] = {"meridian_edge_tickets", "tickets of players of this edge", MER_GAUGE, NULL},
    [T_M_OPENED] = {"meridian_edge_tickets_opened_total", "tickets opened", MER_COUNTER, NULL},
    [T_M_MATCHED] = {"meridian_edge_tickets_ended_total", "tickets by how they ended", MER_COUNTER, "how=\"matched\""},
    [T_M_CANCELLED] = {"meridian_edge_tickets_ended_total", "tickets by how they ended", MER_COUNTER, "how=\"cancelled\""},
    [T_M_EXPIRED] = {"meridian_edge_tickets_ended_total", "tickets by how they ended", MER_COUNTER, "how=\"expired\""},
    [T_M_OFFERS] = {"meridian_edge_seat_offers_total", "seats offered by the router", MER_COUNTER, NULL},
    [T_M_DECLINED] = {"meridian_edge_seat_offers_declined_total", "of these, declined", MER_COUNTER, NULL},
    [T_M_UNDONE] = {"meridian_edge_seats_undone_total", "accepted seats whose game was never made", MER_COUNTER, NULL},
};

static struct mer_key ticket_key(const void *entry)
{
    const struct edge_ticket *t = entry;
    return (struct mer_key){t->id, strlen(t->id)};
}

/* --- from the players ---------------------------------------------------------------------------------------------------------------- */

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

/* NULL: no memory. */
static struct edge_ticket *ticket_new(struct edge_tickets *all, const char *session, const CM(FindMatch) * m,
                                      const struct edge_invite *invite)
{
    struct edge_app *app = all->app;
    struct edge_ticket *t = mer_try_calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->all = all;
    mer_id_make(&app->rng, "t-", 10, t->id, sizeof(t->id));
    snprintf(t->asked_by, sizeof(t->asked_by), "%s", session);
    t->opened_ms = app->loop.now_ms;
    t->ask = copy_ask(m);
    mer_timer_init(&t->timer, edge__ticket_timer);
    mer_timer_init(&t->gone, edge__ticket_gone);
    t->hosts = invite->hosts;
    snprintf(t->code, sizeof(t->code), "%s", invite->code.text);
    snprintf(t->reason, sizeof(t->reason), "%s", t->code[0] != 0 ? "looking for your friends" : "looking for players");
    if (t->ask != NULL && mer_map_put(&all->by_id, t) == MER_OK)
        return t;
    if (t->ask != NULL)
        meridian__client__v1__find_match__free_unpacked(t->ask, NULL);
    mer_free(&t);
    return NULL;
}

void edge_tickets_find(struct edge_session *s, const CM(FindMatch) * m, const struct edge_invite *invite, const char *traceparent)
{
    struct edge_app *app = s->all->app;
    char session[EDGE_SESSION_ID_BYTES];
    edge__session_id(s, session);
    if (s->user->ticket != NULL) {
        edge__ticket_tell_asker(s->user->ticket, session, NULL);
        return;
    }
    const char *game = edge_seats_game(app->seats, s->user->id);
    if (game != NULL) {
        edge__session_error(s, CODE(ALREADY_IN_GAME), "you sit in a game that is not over", "find_match", 0);
        edge_seats_join(app->seats, s->user->id, session, game);
        return;
    }
    struct edge_ticket *t = ticket_new(app->tickets, session, m, invite);
    if (t == NULL) {
        edge__session_error(s, CODE(OVERLOADED), "out of memory", "find_match", 1000);
        return;
    }
    t->user = s->user;
    s->user->ticket = t;
    edge__ticket_trace_begin(t, traceparent);
    edge__ticket_run(t);
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

static enum mer_err ask_of(struct elsewhere *e, const char *edge)
{
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
    return request(e->app, edge, &tr);
}

/* `matched` once more; where nobody knows yet whether that game is one, he is to ask again. */
static void answer_too_late(struct elsewhere *e, const struct edge_player *p)
{
    struct edge_app *app = e->app;
    bool sits = edge_seats_game(app->seats, e->user) != NULL;
    for (size_t i = 0; i < p->device_count; i++)
        if (strcmp(p->devices[i].edge, app->incarnation) != 0 && ask_of(e, p->devices[i].edge) != MER_OK)
            MER_LOG_RATE(&app->log, MER_DEBUG, "ticket.cancel_lost", KV_STR("edge", p->devices[i].edge));
    edge_seats_join(app->seats, e->user, e->session, p->game);
    if (!sits)
        edge__ticket_error(app, e->session, CODE(TRY_AGAIN), "it may have become a game", e->ticket, 1000);
}

static void on_where(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct elsewhere *e = ctx;
    enum mer_err err = MER_ENOTFOUND;
    struct edge_user *u = edge__user_find(e->app->sessions, e->user);
    /* No ticket, but a game: it became that, or will not have been one, and then the wish has to be where the ticket is. */
    bool too_late = !e->explain && u != NULL && u->ticket == NULL && p->game[0] != 0 && p->ticket[0] == 0;
    if (result != EDGE_STORE_OK) {
        edge__ticket_error(e->app, e->session, CODE(TRY_AGAIN), "the store is not reachable now", e->ticket, 1000);
        mer_free(&e);
        return;
    }
    if (strcmp(p->ticket, e->ticket) == 0 && strcmp(p->ticket_edge, e->app->incarnation) != 0)
        err = ask_of(e, p->ticket_edge);
    if (too_late) {
        answer_too_late(e, p);
        err = MER_OK;
    }
    if (err != MER_OK)
        edge__ticket_error(e->app, e->session, CODE(NO_SUCH_TICKET), "no waiting ticket of yours has this id", e->ticket, 0);
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
        edge__ticket_tell_asker(t, session, NULL); /* too late, unless the match is undone */
    edge__ticket_cancel(t);
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
    edge__ticket_tell_asker(t, session, NULL);
}

void edge_tickets_tell(struct edge_session *s, const char *ticket_id, const char *edge)
{
    struct edge_app *app = s->all->app;
    struct edge_ticket *t = s->user->ticket;
    char session[EDGE_SESSION_ID_BYTES];
    edge__session_id(s, session);
    if (t != NULL && strcmp(t->id, ticket_id) == 0) {
        edge__ticket_tell_asker(t, session, NULL);
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

/* --- from other edges and the router ------------------------------------------------------------------------------------------------- */

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
        edge__ticket_tell_asker(t, tr->session, m->from);
    if (tr->body_case == MERIDIAN__INTERNAL__V1__TICKET_REQUEST__BODY_CANCEL_MATCH)
        edge__ticket_cancel(t);
}

static void on_offer(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_tickets *all = ctx;
    const IM(SeatOffer) *o = m->seat_offer;
    struct edge_ticket *t = mer_map_gets(&all->by_id, o->ticket_id);
    all->values[T_M_OFFERS]++;
    if (t != NULL && t->state == T_SEATED && strcmp(t->game, o->match_id) == 0) {
        edge__ticket_send_answer(all, t->id, t->game, true);
        return;
    }
    if (t != NULL && t->state == T_SEATING && strcmp(t->game, o->match_id) == 0)
        return; /* being answered */
    bool fits = strlen(o->match_id) < sizeof(t->game) && strlen(o->owner) < sizeof(t->owner);
    if (t == NULL || t->state != T_WAITING || t->cancel || !fits) {
        edge__ticket_trace_offered(all, t, o, false);
        edge__ticket_send_answer(all, o->ticket_id, o->match_id, false);
        return;
    }
    strcpy(t->game, o->match_id); /* lengths checked above */
    strcpy(t->owner, o->owner);
    edge__ticket_trace_offered(all, t, o, true);
    edge__ticket_set(t, T_SEATING);
    edge__ticket_run(t);
}

static void on_ask(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_tickets *all = ctx;
    struct edge_ticket *t = mer_map_gets(&all->by_id, m->ticket_ask->ticket_id);
    if (t != NULL && t->state == T_WAITING)
        edge__ticket_send_open(t, false);
}

static void on_release(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_tickets *all = ctx;
    struct edge_ticket *t = mer_map_gets(&all->by_id, m->seat_release->ticket_id);
    if (t != NULL && strcmp(t->game, m->seat_release->match_id) == 0)
        edge__ticket_release(t);
}

static void expire(struct edge_ticket *t, const char *reason)
{
    snprintf(t->reason, sizeof(t->reason), "%s", reason);
    t->ends_as = STATE(EXPIRED);
    edge__ticket_set(t, T_CLOSING);
    edge__ticket_run(t);
}

static void on_status(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_tickets *all = ctx;
    const IM(TicketStatus) *st = m->ticket_status;
    struct edge_ticket *t = mer_map_gets(&all->by_id, st->ticket_id);
    if (t == NULL || t->state != T_WAITING)
        return;
    MER_TRACE_LINES(&all->app->log, edge__ticket_trace_of(t));
    if (st->state == STATE(EXPIRED)) {
        expire(t, st->reason);
        return;
    }
    bool changed = strncmp(t->reason, st->reason, sizeof(t->reason) - 1) != 0;
    snprintf(t->reason, sizeof(t->reason), "%s", st->reason);
    t->next_step_at_ms = st->has_next_step_in_ms ? mer_clock_wall_ms(&all->app->clock) + st->next_step_in_ms : 0;
    if (changed)
        edge__ticket_tell_user(t, STATE(WAITING));
}

void edge_tickets_seated(struct edge_tickets *all, const char *user, const char *ticket_id)
{
    struct edge_user *u = edge__user_find(all->app->sessions, user);
    if (u == NULL || u->ticket == NULL || ticket_id == NULL || strcmp(u->ticket->id, ticket_id) != 0)
        return;
    all->values[T_M_MATCHED]++;
    edge__ticket_trace_matched(u->ticket);
    edge__ticket_free(u->ticket);
}

void edge_tickets_drop(struct edge_tickets *all, struct edge_user *u)
{
    (void)all;
    if (u->ticket != NULL) {
        struct edge_ticket *t = u->ticket;
        t->user = NULL; /* the caller releases the user */
        u->ticket = NULL;
        edge__ticket_free(t);
    }
}

static bool end_one(void *entry, void *ctx)
{
    struct edge_ticket *t = entry;
    (void)ctx;
    if (t->state != T_WAITING)
        return true;
    MER_TRACE_LINES(&t->all->app->log, edge__ticket_trace_of(t));
    edge__ticket_send_cancel(t);
    expire(t, "its server has ended: ask again");
    return true;
}

void edge_tickets_end(struct edge_tickets *all)
{
    mer_map_each(&all->by_id, end_one, NULL);
}

static bool hand_in_one(void *entry, void *ctx)
{
    struct edge_ticket *t = entry;
    (void)ctx;
    if (t->state == T_WAITING)
        edge__ticket_send_open(t, true);
    else
        edge__ticket_release(t);
    return true;
}

void edge_tickets_hand_in(struct edge_tickets *all)
{
    mer_map_each(&all->by_id, hand_in_one, NULL);
}

/* --- life ---------------------------------------------------------------------------------------------------------------------------- */

static void refresh(struct mer_metric_set *set)
{
    struct edge_tickets *all = MER_CONTAINER_OF(set, struct edge_tickets, metric_set);
    all->values[T_M_WAITING] = all->by_id.count;
}

enum mer_err edge_tickets_create(struct edge_tickets **out, struct edge_app *app)
{
    struct edge_tickets *all = mer_xcalloc(1, sizeof(*all));
    uint64_t seed[2] = {mer_rng_u64(&app->rng), mer_rng_u64(&app->rng)};
    all->app = app;
    mer_map_init(&all->by_id, ticket_key, seed);
    mer_metrics_add(&app->metrics, &all->metric_set, defs, T_M_TICKETS_COUNT, all->values);
    all->metric_set.refresh = refresh;
    edge_bus_on(app->bus, BUS(TICKET_REQUEST), on_request, app);
    edge_routers_on(app->routers, ROUTER(SEAT_OFFER), on_offer, all);
    edge_routers_on(app->routers, ROUTER(SEAT_RELEASE), on_release, all);
    edge_routers_on(app->routers, ROUTER(TICKET_ASK), on_ask, all);
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
