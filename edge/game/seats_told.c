/* SPDX-License-Identifier: Apache-2.0
 * seats_told.c - what the owner of a game tells its proxies, and what becomes of it: shown in order and without gaps, answers brought to
 * who asked, refusals followed to whoever owns the game now.
 *
 * Only the owner that the proxy is attached to is heard. A callback into the session layer may end any session and so any proxy: a proxy on
 * the stack is held. Next: seats.c, host_bus.c. */
#include "edge/game/seats_private.h"

#define IM(name) Meridian__Internal__V1__##name
#define CM(name) Meridian__Client__V1__##name
#define BODY(name) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##name
#define SERVER(name) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##name
#define CODE(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name

static void on_open(void *ctx, const IM(BusMessage) * m)
{
    struct edge_seats *s = ctx;
    const IM(SeatOpen) *o = m->seat_open;
    struct edge_proxy *p = edge__proxy_find(s, o->user, NULL);
    char owner[EDGE_FAR_NAME_BYTES];
    if (!edge_far_name(owner, m->from, o->owner ? o->owner : m->from))
        return;
    if (edge_far_is(m->from))
        edge__seats_tell_devices(s, o, owner);
    if (!s->c.cbs->user_online(s->c.ctx, o->user))
        return; /* he finds the game in his record when he comes back */
    if (p && strcmp(p->game, o->game_id) != 0) {
        edge__proxy_detach(p);
        edge__asks_to_lookup(p, false);
        edge__proxy_remove(p);
        p = NULL;
    }
    if (!p && !(p = edge__proxy_add(s, o->user, o->game_id)))
        return;
    edge__proxy_hold(p);
    s->c.cbs->seated(s->c.ctx, o->user, o->ticket_id, o->game_id);
    if (!p->gone && p->state != EDGE_PROXY_ATTACHED) {
        EDGE__SEATS_COPY(p->owner, owner);
        p->tries = 0;
        edge__proxy_attach(p);
    }
    edge__proxy_release(p);
}

/* This message ends the user's part in the game. */
static bool is_end(const struct edge_proxy *p, const CM(ServerMessage) * m)
{
    if (m->body_case == SERVER(GAME_STATE))
        return m->game_state->status == MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_OVER;
    return m->body_case == SERVER(GAME_OVER) || (m->body_case == SERVER(SEAT_LEFT) && m->seat_left->seat == p->seat);
}

/* The owner has cleared the record, or will, if it is one of his region. What still waits is answered out of the store; a leave_game was,
 * by this event. To a user without a connection nothing was shown: the game's record is read for what his inbox gets. */
static void end_game(struct edge_proxy *p)
{
    struct edge_seats *s = p->seats;
    edge__asks_to_lookup(p, true);
    if (p->far && !s->c.cbs->user_present(s->c.ctx, p->user)) {
        p->version = 0;
        edge__proxy_find_owner(p);
        return;
    }
    edge__proxy_unseat(p, p->far);
}

static void show_snapshot(struct edge_proxy *p, const IM(SeatSnapshot) * s)
{
    struct edge_seats *seats = p->seats;
    const struct edge_seats_cbs *cbs = seats->c.cbs;
    bool matched = p->matched_due && s->matched;
    bool state = p->show || p->told || s->version != p->version;
    p->seat = s->seat;
    p->version = s->version;
    p->tries = 0;
    p->told = p->show = false;
    p->blind = p->blind && !state;
    p->matched_due = p->matched_due && !matched;
    p->not_owner[0] = 0;
    edge__proxy_set(p, EDGE_PROXY_ATTACHED, EDGE_SEATS_RENEW_MS / 2 + mer_rng_below(&seats->c.rng, EDGE_SEATS_RENEW_MS / 2));
    if (matched) {
        edge__proxy_found(p, NULL);
        cbs->to_user(seats->c.ctx, p->user, s->matched);
    }
    if (state && !p->gone) {
        edge__proxy_shown(p, s->game_state);
        cbs->to_user(seats->c.ctx, p->user, s->game_state);
    }
    if (p->gone)
        return;
    if (is_end(p, s->game_state))
        end_game(p);
    else
        edge__proxy_resend(p);
}

static void on_snapshot(void *ctx, const IM(BusMessage) * m)
{
    struct edge_seats *s = ctx;
    const IM(SeatSnapshot) *snap = m->seat_snapshot;
    struct edge_proxy *p = edge__proxy_find(s, snap->user, snap->game_id);
    s->values[EDGE_SEATS_M_SNAPSHOTS]++;
    if (!p || strcmp(m->from, p->owner) != 0 || (p->state != EDGE_PROXY_ATTACHED && p->state != EDGE_PROXY_ATTACHING))
        return;
    edge__proxy_hold(p);
    if (!snap->session) {
        show_snapshot(p, snap);
    } else {
        if (snap->matched)
            s->c.cbs->to_session(s->c.ctx, snap->session, snap->matched);
        edge__proxy_shown(p, snap->game_state);
        s->c.cbs->to_session(s->c.ctx, snap->session, snap->game_state);
    }
    edge__proxy_release(p);
}

static void show_events(struct edge_proxy *p, const IM(SeatEvents) * e)
{
    struct edge_seats *s = p->seats;
    const CM(GamePaused) *paused = e->messages[0]->body_case == SERVER(GAME_PAUSED) ? e->messages[0]->game_paused : NULL;
    bool notice = paused && paused->reason == MERIDIAN__CLIENT__V1__PAUSE_REASON__PAUSE_REASON_STORAGE; /* no change of the game */
    if (p->state != EDGE_PROXY_ATTACHED)
        return; /* the snapshot that was asked for has it */
    if (e->version > p->version + !notice) {
        s->values[EDGE_SEATS_M_GAPS]++;
        edge__proxy_attach(p);
        return;
    }
    if (e->version < p->version + !notice)
        return; /* was in a snapshot */
    bool end = false, resumed = false;
    for (size_t i = 0; i < e->n_messages; i++) {
        end = end || is_end(p, e->messages[i]);
        resumed = resumed || e->messages[i]->body_case == SERVER(GAME_RESUMED);
    }
    if (end && s->c.cbs->user_unshown(s->c.ctx, p->user)) { /* who came a moment ago would see nothing of it, or not what is over */
        p->matched_due = p->show = true;
        edge__proxy_attach(p);
        return;
    }
    p->version = e->version;
    s->values[EDGE_SEATS_M_EVENTS]++;
    for (size_t i = 0; i < e->n_messages && !p->gone; i++)
        s->c.cbs->to_user(s->c.ctx, p->user, e->messages[i]);
    if (end && !p->gone) {
        end_game(p);
    } else if (resumed && p->blind && !p->gone) {
        p->show = true;
        edge__proxy_attach(p);
    }
}

static void deliver_reply(struct edge_seats *s, const IM(SeatEvents) * e)
{
    struct edge_proxy *p = e->reply->user ? edge__proxy_find(s, e->reply->user, e->game_id) : NULL;
    if (!p || !edge__proxy_reply(p, e->reply))
        s->values[EDGE_SEATS_M_LATE]++;
}

static void on_events(void *ctx, const IM(BusMessage) * m)
{
    struct edge_seats *s = ctx;
    const IM(SeatEvents) *e = m->seat_events;
    if (e->reply)
        deliver_reply(s, e);
    for (size_t i = 0; e->n_messages > 0 && i < e->n_users; i++) {
        struct edge_proxy *p = edge__proxy_find(s, e->users[i], e->game_id);
        if (!p || strcmp(m->from, p->owner) != 0)
            continue;
        edge__proxy_hold(p);
        show_events(p, e);
        edge__proxy_release(p);
    }
}

static void on_refused(void *ctx, const IM(BusMessage) * m)
{
    struct edge_seats *s = ctx;
    const IM(SeatRefused) *r = m->seat_refused;
    struct edge_proxy *p = edge__proxy_find(s, r->user, r->game_id);
    s->values[EDGE_SEATS_M_REFUSED]++;
    if (!p || strcmp(m->from, p->owner) != 0 || (p->state != EDGE_PROXY_ATTACHED && p->state != EDGE_PROXY_ATTACHING))
        return;
    char owner[EDGE_FAR_NAME_BYTES];
    edge__proxy_hold(p);
    if (r->refusal == MERIDIAN__INTERNAL__V1__REFUSAL__REFUSAL_NOT_YOURS) {
        edge__proxy_fail(p, CODE(NO_SUCH_GAME));
        edge__proxy_unseat(p, true);
    } else if (r->owner && edge_far_name(owner, m->from, r->owner)) {
        EDGE__SEATS_COPY(p->owner, owner);
        edge__proxy_attach(p);
    } else {
        if (r->refusal == MERIDIAN__INTERNAL__V1__REFUSAL__REFUSAL_NO_SUCH_GAME)
            edge__proxy_not_owner(p);
        edge__proxy_find_owner(p);
    }
    edge__proxy_release(p);
}

static void on_peer_down(void *ctx, const char *incarnation, bool dead)
{
    struct edge_seats *s = ctx;
    MER_LIST_EACH (it, &s->all) {
        struct edge_proxy *p = MER_LIST_ENTRY(it, struct edge_proxy, node);
        if (strcmp(p->owner, incarnation) != 0 || (p->state != EDGE_PROXY_ATTACHED && p->state != EDGE_PROXY_ATTACHING))
            continue;
        if (dead) {
            edge__proxy_not_owner(p);
            edge__proxy_set(p, EDGE_PROXY_FINDING, mer_rng_below(&s->c.rng, EDGE_SEATS_RETRY_MIN_MS));
        } else {
            edge__proxy_set(p, EDGE_PROXY_ATTACHING, edge__proxy_backoff(p));
        }
    }
}

void edge__seats_told_init(struct edge_seats *s)
{
    edge_bus_on(s->c.bus, BODY(SEAT_OPEN), on_open, s);
    edge_bus_on(s->c.bus, BODY(SEAT_SNAPSHOT), on_snapshot, s);
    edge_bus_on(s->c.bus, BODY(SEAT_EVENTS), on_events, s);
    edge_bus_on(s->c.bus, BODY(SEAT_REFUSED), on_refused, s);
    edge_bus_on_peer_down(s->c.bus, on_peer_down, s);
}
