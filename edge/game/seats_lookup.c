/* SPDX-License-Identifier: Apache-2.0
 * seats_lookup.c - requests for a game the user has no proxy for: answered out of the store's record. Mostly games that have just ended (a
 * last retry, a last get_game), sometimes a guess.
 *
 *   record   none, unreadable, not his seat -> error no_such_game (the same for "not yours")
 *            set aside                      -> error game_over: its record is not looked into
 *            over                           -> game_state, the first answer of a retry, or error game_over
 *            goes on, and he sits in it     -> a proxy after all: attached, then asked
 *            no answer                      -> error try_again
 *
 * The read is a durable one (what is shown must not be lost), so it has its price: the session layer's rate limits and a bound on lookups
 * keep it small. */
#include <meridian/mem.h>

#include "edge/game/seats_private.h"

#define KIND(name) MERIDIAN__INTERNAL__V1__SEAT_REQUEST__BODY_##name
#define CODE(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name

struct lookup {
    struct mer_list node;
    struct edge_seats *seats;
    struct edge_proxy_ask ask;
    char user[EDGE_GAME_USER_MAX + 1], game[EDGE_GAME_ID_MAX + 1];
};

static void fail(struct lookup *l, Meridian__Client__V1__ErrorCode code)
{
    edge__ask_error(l->seats, &l->ask, l->game, code);
}

static void answer(struct lookup *l, const Meridian__Client__V1__ServerMessage *m)
{
    struct edge_seats *s = l->seats;
    edge__ask_answered(s, &l->ask, l->game, m);
    s->c.cbs->to_session(s->c.ctx, l->ask.session, m);
}

static void answer_over(struct lookup *l, const struct edge_game *g, unsigned seat)
{
    if (l->ask.kind == KIND(GET_GAME)) {
        struct edge_game_view view;
        edge_game_view(g, seat, &view);
        answer(l, &view.m);
        return;
    }
    struct edge_game_ask ask = {.seat = (uint8_t)seat, .action.card = l->ask.card};
    struct edge_game_answer a;
    ask.kind = l->ask.kind == KIND(MOVE) ? EDGE_GAME_ASK_MOVE : EDGE_GAME_ASK_LEAVE;
    EDGE__SEATS_COPY(ask.move_id, l->ask.move_id);
    if (edge_game_answer(g, &ask, &a))
        answer(l, &a.m);
    else
        fail(l, CODE(INTERNAL)); /* cannot be: an ended game answers everything */
}

static void sit_down(struct lookup *l, const char *owner)
{
    struct edge_seats *s = l->seats;
    struct edge_proxy *p = edge__proxy_find(s, l->user, NULL);
    if ((p && strcmp(p->game, l->game) != 0) || !s->c.cbs->user_online(s->c.ctx, l->user) || strlen(owner) > EDGE_GAME_SESSION_MAX) {
        fail(l, CODE(NO_SUCH_GAME));
        return;
    }
    bool fresh = !p;
    if (fresh)
        p = edge__proxy_add(s, l->user, l->game);
    if (!p) {
        fail(l, CODE(TRY_AGAIN));
        return;
    }
    edge__proxy_hold(p);
    if (fresh) {
        EDGE__SEATS_COPY(p->owner, owner);
        edge__proxy_attach(p);
    }
    edge__proxy_ask(p, &l->ask);
    edge__proxy_release(p);
}

static void on_record(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct lookup *l = ctx;
    struct edge_game g;
    mer_list_remove(&l->node);
    l->seats->lookup_count--;
    if (l->seats->destroying) {
        mer_free(&l);
        return;
    }
    if (result == EDGE_STORE_AGAIN || result == EDGE_STORE_UNKNOWN) {
        fail(l, CODE(TRY_AGAIN));
    } else if (result == EDGE_STORE_ASIDE) {
        fail(l, CODE(GAME_OVER));
    } else if (result != EDGE_STORE_OK || edge_game_decode(&g, NULL, stored->record, stored->record_len, NULL) != MER_OK) {
        fail(l, CODE(NO_SUCH_GAME));
    } else {
        unsigned seat = edge_game_seat_of(&g, l->user);
        if (seat == EDGE_RULES_NO_SEAT)
            fail(l, CODE(NO_SUCH_GAME));
        else if (g.now.over)
            answer_over(l, &g, seat);
        else
            sit_down(l, stored->owner);
        edge_game_deinit(&g);
    }
    mer_free(&l);
}

void edge__seats_lookup(struct edge_seats *s, const char *user, const char *game, const struct edge_proxy_ask *ask)
{
    if (strlen(game) > EDGE_GAME_ID_MAX || strlen(user) > EDGE_GAME_USER_MAX || game[0] == 0) {
        edge__ask_error(s, ask, game, CODE(NO_SUCH_GAME));
        return;
    }
    struct lookup *l = s->lookup_count < EDGE_SEATS_LOOKUPS && !s->destroying ? mer_try_calloc(1, sizeof(*l)) : NULL;
    if (!l) {
        edge__ask_error(s, ask, game, CODE(TRY_AGAIN));
        return;
    }
    MER_TRACE_LINES(s->c.log, mer_span_context(&ask->span));
    l->seats = s;
    l->ask = *ask;
    EDGE__SEATS_COPY(l->user, user);
    EDGE__SEATS_COPY(l->game, game);
    mer_list_init(&l->node);
    mer_list_push_back(&s->lookups, &l->node);
    s->lookup_count++;
    s->values[EDGE_SEATS_M_LOOKUPS]++;
    if (edge_abroad_game_get(s->c.abroad, game, on_record, l) == MER_OK)
        return;
    s->lookup_count--;
    mer_list_remove(&l->node);
    edge__ask_error(s, ask, game, CODE(TRY_AGAIN));
    mer_free(&l);
}

void edge__seats_lookups_deinit(struct edge_seats *s)
{
    MER_LIST_EACH_SAFE (it, &s->lookups) {
        struct lookup *l = MER_LIST_ENTRY(it, struct lookup, node);
        mer_list_remove(it);
        mer_free(&l);
    }
}
