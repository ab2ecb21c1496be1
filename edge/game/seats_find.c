/* SPDX-License-Identifier: Apache-2.0
 * seats_find.c - who owns the game: its record says so, and when the record names an edge that is dead or does not know the game, this edge
 * takes it over.
 *
 *   record   owner                              -> attach there
 *            owner = not_owner                  -> adopt (claim with the fence that was read), then attach to ourselves
 *            over                               -> the end is shown if the game was, the player's record cleared
 *            set aside                          -> the end is told (abandoned), the player's record cleared
 *            absent, never seen                 -> it may still be created: again; after 4 s it is made impossible (void), then cleared
 *            absent, was played                 -> the store lost it; the user is told after 30 s
 *            no answer                          -> again, with backoff
 *
 * That an owner is dead is believed for 10 s, then he is asked again: he may only have been asleep.
 * A claim that somebody else won needs nothing special: the next read names him. */
#include "edge/game/result.h"
#include "edge/game/seats_private.h"
#include "meridian/state/v1/state.pb-c.h"

#define CODE(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name

static uint64_t lost_for_ms(const struct edge_proxy *p)
{
    return p->seats->c.loop->now_ms - p->lost_ms;
}

static void no_more(struct edge_proxy *p)
{
    struct edge_seats *s = p->seats;
    struct edge_game_answer e;
    edge_game_error(&e, CODE(NO_SUCH_GAME), p->game, 0);
    edge__proxy_fail(p, CODE(NO_SUCH_GAME));
    s->c.cbs->to_user(s->c.ctx, p->user, &e.m);
    if (!p->gone)
        edge__proxy_unseat(p, true);
}

/* Else a cut between two regions would keep a player from playing at home, for as long as it lasts. */
void edge__proxy_out_of_reach(struct edge_proxy *p)
{
    struct edge_seats *s = p->seats;
    s->values[EDGE_SEATS_M_OUT_OF_REACH]++;
    MER_LOG(s->c.log, MER_WARN, "game.out_of_reach", KV_STR("game", p->game), KV_U64("version", p->version));
    no_more(p);
}

static void again(struct edge_proxy *p)
{
    edge__proxy_set(p, EDGE_PROXY_FINDING, edge__proxy_backoff(p));
}

static void on_voided(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct edge_proxy *p = ctx;
    (void)stored;
    p->reading = false;
    if (!p->gone && !p->seats->destroying && p->state == EDGE_PROXY_FINDING) {
        if (result == EDGE_STORE_OK) {
            edge__proxy_fail(p, CODE(NO_SUCH_GAME));
            edge__proxy_unseat(p, true);
        } else {
            again(p); /* EXISTS: it was created in the last moment */
        }
    }
    edge__proxy_release(p);
}

static void vanished(struct edge_proxy *p)
{
    struct edge_seats *s = p->seats;
    s->values[EDGE_SEATS_M_VANISHED]++;
    MER_LOG(s->c.log, MER_ERROR, "game.vanish", KV_STR("game", p->game), KV_U64("version", p->version));
    no_more(p);
}

static void absent(struct edge_proxy *p)
{
    bool played = p->version > 0;
    if (lost_for_ms(p) < (played ? EDGE_SEATS_ABSENT_MS : EDGE_SEATS_BIRTH_MS)) {
        again(p);
    } else if (played) {
        vanished(p);
    } else if (edge_abroad_game_void(p->seats->c.abroad, p->game, on_voided, p) == MER_OK) {
        p->reading = true;
        edge__proxy_hold(p);
    } else {
        again(p);
    }
}

/* His record is cleared by the call that tells him; false: it is still to be cleared. */
static bool settle(const struct edge_proxy *p, const struct edge_game *g)
{
    struct edge_seats *s = p->seats;
    struct mer_buf result;
    unsigned seat = 0;
    while (seat < g->seat_count && (g->seats[seat].bot || strcmp(g->seats[seat].user, p->user) != 0))
        seat++;
    mer_buf_init(&result, 0);
    bool told = g->now.over && seat < g->seat_count && edge_game_result(g, seat, edge_store_now_ms(s->c.store), &result) == MER_OK;
    if (told)
        edge_host_settle(s->c.host, p->user, p->game, &result);
    mer_buf_deinit(&result);
    return told;
}

/* Shown to a user who was watching; who was not, or came a moment ago, hears of it by his inbox. */
static void over(struct edge_proxy *p, const struct edge_stored *stored)
{
    struct edge_seats *s = p->seats;
    struct edge_game g;
    struct edge_game_view view;
    bool readable = edge_game_decode(&g, NULL, stored->record, stored->record_len, NULL) == MER_OK, told = false;
    edge__asks_to_lookup(p, true);
    if (p->version > 0 && readable) {
        edge_game_view(&g, p->seat < g.seat_count ? p->seat : 0, &view);
        s->c.cbs->to_user(s->c.ctx, p->user, &view.m);
    }
    if (readable && !p->gone && (p->version == 0 || p->matched_due))
        told = settle(p, &g);
    if (readable)
        edge_game_deinit(&g);
    if (!p->gone)
        edge__proxy_unseat(p, !told);
}

/* The game brought down its owners (F4). Its state is not to be trusted, not even to be looked at: the message says who sat there and that
 * nobody has a point. */
static void set_aside(struct edge_proxy *p, const struct edge_stored *stored)
{
    struct edge_seats *s = p->seats;
    static const uint32_t no_points[EDGE_RULES_SEATS], all[EDGE_RULES_SEATS] = {0, 1, 2, 3};
    Meridian__Client__V1__GameOver over = MERIDIAN__CLIENT__V1__GAME_OVER__INIT;
    Meridian__Client__V1__ServerMessage m = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    Meridian__State__V1__GameRecord *r = meridian__state__v1__game_record__unpack(NULL, stored->record_len, stored->record);
    size_t seats = r && r->n_seats <= EDGE_RULES_SEATS ? r->n_seats : 2;
    if (r)
        meridian__state__v1__game_record__free_unpacked(r, NULL);
    over.game_id = p->game;
    over.version = stored->version;
    over.n_scores = over.n_winners = seats;
    over.scores = (uint32_t *)no_points;
    over.winners = (uint32_t *)all;
    over.reason = MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_ABANDONED;
    m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_GAME_OVER;
    m.game_over = &over;
    edge__asks_to_lookup(p, true);
    if (p->version > 0)
        s->c.cbs->to_user(s->c.ctx, p->user, &m);
    if (!p->gone)
        edge__proxy_unseat(p, true);
}

void edge__seats_adopted(void *ctx, const char *game_id, enum mer_err err)
{
    struct edge_seats *s = ctx;
    MER_LIST_EACH (it, &s->all) {
        struct edge_proxy *p = MER_LIST_ENTRY(it, struct edge_proxy, node);
        if (p->state != EDGE_PROXY_ADOPTING || strcmp(p->game, game_id) != 0)
            continue;
        if (err == MER_OK && p->far) {
            edge__proxy_set(p, EDGE_PROXY_FINDING, 0); /* by whom, its record says */
        } else if (err == MER_OK) {
            EDGE__SEATS_COPY(p->owner, edge_bus_incarnation(s->c.bus));
            p->not_owner[0] = 0;
            edge__proxy_set(p, EDGE_PROXY_ATTACHING, 0);
        } else {
            again(p);
        }
    }
}

static void adopt(struct edge_proxy *p, const struct edge_stored *stored)
{
    struct edge_seats *s = p->seats;
    s->values[EDGE_SEATS_M_ADOPTIONS]++;
    edge__proxy_set(p, EDGE_PROXY_ADOPTING, UINT64_MAX);
    if (edge_abroad_adopt(s->c.abroad, p->game, &stored->fence, stored->owner, edge__seats_adopted, s) != MER_OK)
        again(p);
}

static void found(struct edge_proxy *p, const struct edge_stored *stored)
{
    bool fresh = p->seats->c.loop->now_ms - p->not_owner_ms <= EDGE_SEATS_DEAD_MS;
    if (!stored->owner[0]) {
        over(p, stored);
    } else if (fresh && strcmp(stored->owner, p->not_owner) == 0) {
        adopt(p, stored);
    } else if (strlen(stored->owner) > EDGE_GAME_SESSION_MAX) {
        again(p);
    } else {
        EDGE__SEATS_COPY(p->owner, stored->owner);
        edge__proxy_attach(p);
    }
}

static void on_record(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct edge_proxy *p = ctx;
    p->reading = false;
    if (p->gone || p->seats->destroying || p->state != EDGE_PROXY_FINDING) {
        edge__proxy_release(p); /* answered otherwise meanwhile */
        return;
    }
    switch (result) {
    case EDGE_STORE_OK:
        found(p, stored);
        break;
    case EDGE_STORE_ASIDE:
        set_aside(p, stored);
        break;
    case EDGE_STORE_VOIDED:
        edge__proxy_fail(p, CODE(NO_SUCH_GAME));
        edge__proxy_unseat(p, true);
        break;
    case EDGE_STORE_ABSENT:
        absent(p);
        break;
    default:
        again(p);
    }
    edge__proxy_release(p);
}

void edge__proxy_find_owner(struct edge_proxy *p)
{
    struct edge_seats *s = p->seats;
    edge__proxy_set(p, EDGE_PROXY_FINDING, UINT64_MAX);
    if (p->reading)
        return; /* the answer under way will do */
    s->values[EDGE_SEATS_M_FINDS]++;
    if (edge_abroad_game_get(s->c.abroad, p->game, on_record, p) != MER_OK) {
        again(p);
        return;
    }
    p->reading = true;
    edge__proxy_hold(p);
}
