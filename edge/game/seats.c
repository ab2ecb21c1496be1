/* SPDX-License-Identifier: Apache-2.0
 * seats.c - seat proxies: coming and going with their users, attaching to the owner, renewing the lease, noticing when he is gone.
 *
 * What is shown is the owner's confirmed state, passed on. A proxy shows version after version; anything else (a gap, a lost link) ends in
 * a snapshot, which replaces what the client had. Between a loss and the snapshot nothing is shown but, after 2 s, game_paused reason link.
 *
 * A callback into the session layer may end any session and so any proxy: a proxy on the stack is held (`holds`). Next: seats_told.c,
 * seats_find.c, seats_ask.c. */
#include <meridian/mem.h>

#include "edge/game/seats_private.h"

#define IM(name) Meridian__Internal__V1__##name
#define CM(name) Meridian__Client__V1__##name
#define BODY(name) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##name
#define SERVER(name) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##name
#define CODE(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name

static const struct mer_metric_def metrics[EDGE_SEATS_M_COUNT] = {
    [EDGE_SEATS_M_PROXIES] = {"meridian_edge_seat_proxies", "users of this edge who sit in a game", MER_GAUGE},
    [EDGE_SEATS_M_ATTACHES] = {"meridian_edge_proxy_attaches_total", "attaches sent to owners, renewals not counted"},
    [EDGE_SEATS_M_SNAPSHOTS] = {"meridian_edge_proxy_snapshots_total", "snapshots received"},
    [EDGE_SEATS_M_EVENTS] = {"meridian_edge_proxy_events_total", "changes shown to a user"},
    [EDGE_SEATS_M_GAPS] = {"meridian_edge_proxy_gaps_total", "changes that were missed and fetched as a snapshot"},
    [EDGE_SEATS_M_REFUSED] = {"meridian_edge_proxy_refused_total", "answers that the game is not there"},
    [EDGE_SEATS_M_REQUESTS] = {"meridian_edge_proxy_requests_total", "requests of sessions to their game"},
    [EDGE_SEATS_M_EXPIRED] = {"meridian_edge_proxy_requests_expired_total", "requests without an answer in time: try_again"},
    [EDGE_SEATS_M_LATE] = {"meridian_edge_proxy_late_replies_total", "answers for which nobody waited any more"},
    [EDGE_SEATS_M_LOOKUPS] = {"meridian_edge_proxy_lookups_total", "requests answered out of the store's record"},
    [EDGE_SEATS_M_FINDS] = {"meridian_edge_proxy_finds_total", "records read to find a game's owner"},
    [EDGE_SEATS_M_ADOPTIONS] = {"meridian_edge_proxy_adoptions_total", "games of dead owners that this edge tried to take over"},
    [EDGE_SEATS_M_LINK_PAUSES] = {"meridian_edge_proxy_link_pauses_total", "users told that the owner cannot be reached"},
    [EDGE_SEATS_M_VANISHED] = {"meridian_edge_proxy_vanished_total", "games that were being played and are in the store no more"},
    [EDGE_SEATS_M_OUT_OF_REACH] = {"meridian_edge_proxy_out_of_reach_total",
                                   "seats given up because the region of their game cannot be reached"},
};

static struct mer_key proxy_key(const void *entry)
{
    const struct edge_proxy *p = entry;
    return (struct mer_key){p->user, strlen(p->user)};
}

/* --- proxies ------------------------------------------------------------------------------------------------------------------------- */

struct edge_proxy *edge__proxy_find(const struct edge_seats *s, const char *user, const char *game)
{
    struct edge_proxy *p = mer_map_gets(&s->proxies, user);
    return p && (!game || strcmp(p->game, game) == 0) ? p : NULL;
}

static void on_timer(struct mer_timer *t);

struct edge_proxy *edge__proxy_add(struct edge_seats *s, const char *user, const char *game)
{
    if (s->destroying || strlen(user) > EDGE_GAME_USER_MAX || strlen(game) > EDGE_GAME_ID_MAX)
        return NULL;
    struct edge_proxy *p = mer_try_calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->seats = s;
    EDGE__SEATS_COPY(p->user, user);
    EDGE__SEATS_COPY(p->game, game);
    p->far = edge_abroad_has(s->c.abroad, game);
    p->matched_due = p->show = true;
    p->lost_ms = s->c.loop->now_ms;
    mer_list_init(&p->asks);
    mer_timer_init(&p->timer, on_timer);
    if (mer_map_put(&s->proxies, p) != MER_OK) {
        mer_free(&p);
        return NULL;
    }
    mer_list_push_back(&s->all, &p->node);
    s->values[EDGE_SEATS_M_PROXIES]++;
    return p;
}

void edge__proxy_release(struct edge_proxy *p)
{
    MER_DASSERT(p->holds > 0);
    if (--p->holds == 0 && p->gone)
        mer_free(&p);
}

void edge__proxy_remove(struct edge_proxy *p)
{
    struct edge_seats *s = p->seats;
    if (p->gone)
        return;
    p->gone = true;
    p->holds++;
    mer_map_removes(&s->proxies, p->user);
    mer_list_remove(&p->node);
    mer_loop_disarm(s->c.loop, &p->timer);
    s->values[EDGE_SEATS_M_PROXIES]--;
    edge__asks_drop(p);
    edge__proxy_found(p, "the seat was gone before he was told");
    edge__proxy_release(p);
}

void edge__proxy_arm(struct edge_proxy *p)
{
    struct edge_seats *s = p->seats;
    uint64_t at = p->act_ms ? p->act_ms : UINT64_MAX;
    if (p->gone)
        return;
    if (!mer_list_empty(&p->asks)) {
        uint64_t until = MER_LIST_ENTRY(p->asks.next, struct edge_proxy_ask, node)->until_ms;
        at = until < at ? until : at;
    }
    if (p->lost_ms && p->version && !p->told && p->lost_ms + EDGE_SEATS_TELL_MS < at)
        at = p->lost_ms + EDGE_SEATS_TELL_MS;
    if (at == UINT64_MAX)
        mer_loop_disarm(s->c.loop, &p->timer);
    else
        mer_loop_arm(s->c.loop, &p->timer, at > s->c.loop->now_ms ? at - s->c.loop->now_ms : 0);
}

void edge__proxy_set(struct edge_proxy *p, enum edge_proxy_state state, uint64_t act_in_ms)
{
    uint64_t now = p->seats->c.loop->now_ms;
    p->state = (uint8_t)state;
    p->act_ms = act_in_ms == UINT64_MAX ? 0 : now + act_in_ms;
    if (state == EDGE_PROXY_ATTACHED)
        p->lost_ms = 0;
    else if (p->lost_ms == 0)
        p->lost_ms = now;
    edge__proxy_arm(p);
}

uint64_t edge__proxy_backoff(struct edge_proxy *p)
{
    uint32_t wait = p->tries < 5 ? (uint32_t)EDGE_SEATS_RETRY_MIN_MS << p->tries : EDGE_SEATS_RETRY_MAX_MS;
    p->tries++;
    return wait / 2 + mer_rng_below(&p->seats->c.rng, wait / 2 + 1);
}

void edge__proxy_not_owner(struct edge_proxy *p)
{
    EDGE__SEATS_COPY(p->not_owner, p->owner);
    p->not_owner_ms = p->seats->c.loop->now_ms;
}

bool edge__proxy_send(struct edge_proxy *p, IM(BusMessage) * m)
{
    struct edge_seats *s = p->seats;
    m->from = (char *)edge_bus_incarnation(s->c.bus);
    enum mer_err err = edge_bus_send(s->c.bus, p->owner, m);
    if (err == MER_ECLOSED && p->state != EDGE_PROXY_FINDING) { /* known to be dead */
        edge__proxy_not_owner(p);
        edge__proxy_find_owner(p);
    }
    return err == MER_OK;
}

static bool send_attach(struct edge_proxy *p, uint64_t version, const char *session)
{
    IM(SeatAttach) a = MERIDIAN__INTERNAL__V1__SEAT_ATTACH__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    a.game_id = p->game;
    a.user = p->user;
    a.version = version;
    a.session = (char *)session;
    a.has_present = true;
    a.present = p->seats->c.cbs->user_present(p->seats->c.ctx, p->user);
    m.body_case = BODY(SEAT_ATTACH);
    m.seat_attach = &a;
    return edge__proxy_send(p, &m);
}

void edge__proxy_attach(struct edge_proxy *p)
{
    edge__proxy_set(p, EDGE_PROXY_ATTACHING, EDGE_SEATS_ANSWER_MS);
    p->seats->values[EDGE_SEATS_M_ATTACHES]++;
    if (!send_attach(p, 0, NULL) && p->state == EDGE_PROXY_ATTACHING)
        edge__proxy_set(p, EDGE_PROXY_ATTACHING, edge__proxy_backoff(p));
}

void edge__proxy_detach(struct edge_proxy *p)
{
    IM(SeatDetach) d = MERIDIAN__INTERNAL__V1__SEAT_DETACH__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    if (!p->owner[0] || p->state == EDGE_PROXY_FINDING || p->state == EDGE_PROXY_ADOPTING)
        return;
    d.game_id = p->game;
    d.user = p->user;
    m.body_case = BODY(SEAT_DETACH);
    m.seat_detach = &d;
    m.from = (char *)edge_bus_incarnation(p->seats->c.bus);
    if (edge_bus_send(p->seats->c.bus, p->owner, &m) != MER_OK)
        return; /* the lease runs out by itself */
}

static void tell_link(struct edge_proxy *p)
{
    CM(GamePaused) paused = MERIDIAN__CLIENT__V1__GAME_PAUSED__INIT;
    CM(ServerMessage) m = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    paused.game_id = p->game;
    paused.version = p->version;
    paused.reason = MERIDIAN__CLIENT__V1__PAUSE_REASON__PAUSE_REASON_LINK;
    m.body_case = SERVER(GAME_PAUSED);
    m.game_paused = &paused;
    p->told = true;
    p->seats->values[EDGE_SEATS_M_LINK_PAUSES]++;
    p->seats->c.cbs->to_user(p->seats->c.ctx, p->user, &m);
}

static void act(struct edge_proxy *p)
{
    p->act_ms = 0;
    if (p->far && p->lost_ms && p->seats->c.loop->now_ms - p->lost_ms >= EDGE_ABROAD_GIVE_UP_MS) {
        edge__proxy_out_of_reach(p);
    } else if (p->state == EDGE_PROXY_ATTACHED) {
        bool owed = p->seats->c.cbs->user_unshown(p->seats->c.ctx, p->user); /* the answer to a join is lost */
        p->matched_due = p->matched_due || owed;
        p->show = p->show || owed;
        edge__proxy_set(p, EDGE_PROXY_ATTACHED, EDGE_SEATS_RENEW_MS);
        if (!send_attach(p, owed ? 0 : p->version, NULL) && p->state == EDGE_PROXY_ATTACHED)
            p->act_ms = p->seats->c.loop->now_ms + EDGE_SEATS_RENEW_MS / 4;
    } else if (p->state == EDGE_PROXY_ATTACHING && ++p->tries < EDGE_SEATS_ATTACH_TRIES) {
        edge__proxy_attach(p);
    } else if (p->state != EDGE_PROXY_ADOPTING) {
        edge__proxy_find_owner(p);
    }
}

static void on_timer(struct mer_timer *t)
{
    struct edge_proxy *p = MER_CONTAINER_OF(t, struct edge_proxy, timer);
    uint64_t now = p->seats->c.loop->now_ms;
    edge__proxy_hold(p);
    edge__proxy_expire(p);
    if (!p->gone && p->lost_ms && p->version && !p->told && now - p->lost_ms >= EDGE_SEATS_TELL_MS)
        tell_link(p);
    if (!p->gone && p->act_ms && now >= p->act_ms)
        act(p);
    edge__proxy_arm(p);
    edge__proxy_release(p);
}

void edge__proxy_unseat(struct edge_proxy *p, bool clear)
{
    struct edge_seats *s = p->seats;
    edge__proxy_hold(p);
    edge__proxy_remove(p);
    if (clear)
        edge_host_unseat(s->c.host, p->user, p->game);
    s->c.cbs->unseated(s->c.ctx, p->user, p->game);
    edge__proxy_release(p);
}

void edge__proxy_shown(struct edge_proxy *p, const CM(ServerMessage) * m)
{
    if (m->body_case == SERVER(GAME_STATE))
        p->blind = p->blind || m->game_state->status == MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_PAUSED;
}

/* --- from the session layer ---------------------------------------------------------------------------------------------------------- */

void edge_seats_join(struct edge_seats *s, const char *user, const char *session, const char *game_id)
{
    struct edge_proxy *p = edge__proxy_find(s, user, NULL);
    if (p && strcmp(p->game, game_id) != 0) {
        if (p->state == EDGE_PROXY_ATTACHED)
            return; /* what he sits in is known; the record that was read is older, or will be cleared */
        edge__asks_to_lookup(p, false);
        edge__proxy_remove(p);
        p = NULL;
    }
    if (!p) {
        p = edge__proxy_add(s, user, game_id);
        if (p)
            edge__proxy_find_owner(p);
    } else if (p->state != EDGE_PROXY_ATTACHED) {
        p->matched_due = p->show = true;
    } else if (session && !send_attach(p, p->version, session)) {
        p->matched_due = p->show = true;
        if (p->state == EDGE_PROXY_ATTACHED)
            edge__proxy_attach(p);
    }
}

void edge_seats_present(struct edge_seats *s, const char *user)
{
    struct edge_proxy *p = s->destroying ? NULL : edge__proxy_find(s, user, NULL);
    if (!p || (p->state != EDGE_PROXY_ATTACHED && p->state != EDGE_PROXY_ATTACHING))
        return; /* it is told with the next attach */
    uint64_t shown = p->state == EDGE_PROXY_ATTACHED ? p->version : 0;
    if (!send_attach(p, shown, NULL) && p->state == EDGE_PROXY_ATTACHED)
        edge__proxy_set(p, EDGE_PROXY_ATTACHED, EDGE_SEATS_RETRY_MIN_MS); /* a renewal tells it */
}

void edge_seats_leave(struct edge_seats *s, const char *user)
{
    struct edge_proxy *p = edge__proxy_find(s, user, NULL);
    if (!p)
        return;
    edge__proxy_detach(p);
    edge__proxy_remove(p);
}

const char *edge_seats_game(const struct edge_seats *s, const char *user)
{
    const struct edge_proxy *p = edge__proxy_find(s, user, NULL);
    return p ? p->game : NULL;
}

void edge_seats_request(struct edge_seats *s, const char *user, const char *session, const CM(ClientMessage) * m)
{
    struct edge_proxy_ask ask;
    const char *game = edge__ask_make(s, session, m, &ask);
    struct edge_proxy *p = edge__proxy_find(s, user, game);
    s->values[EDGE_SEATS_M_REQUESTS]++;
    if (!p) {
        edge__seats_lookup(s, user, game, &ask);
        return;
    }
    edge__proxy_hold(p);
    edge__proxy_ask(p, &ask);
    edge__proxy_release(p);
}

enum mer_err edge_seats_create(struct edge_seats **out, const struct edge_seats_conf *conf)
{
    struct edge_seats *s = mer_try_calloc(1, sizeof(*s));
    if (!s)
        return MER_ENOMEM;
    uint64_t seed[2] = {mer_rng_u64(&conf->rng), mer_rng_u64(&conf->rng)};
    s->c = *conf;
    mer_map_init(&s->proxies, proxy_key, seed);
    mer_list_init(&s->all);
    mer_list_init(&s->lookups);
    mer_metrics_add(conf->metrics, &s->set, metrics, EDGE_SEATS_M_COUNT, s->values);
    edge__seats_told_init(s);
    *out = s;
    return MER_OK;
}

void edge_seats_destroy(struct edge_seats *s)
{
    if (!s)
        return;
    s->destroying = true;
    MER_LIST_EACH_SAFE (it, &s->all)
        edge__proxy_remove(MER_LIST_ENTRY(it, struct edge_proxy, node));
    edge__seats_lookups_deinit(s);
    mer_metrics_remove(&s->set);
    mer_map_deinit(&s->proxies);
    mer_free(&s);
}
