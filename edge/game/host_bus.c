/* SPDX-License-Identifier: Apache-2.0
 * host_bus.c - the owner's side of the bus: who is attached to a game, what proxies ask, what they are told.
 *
 * An attachment is a seat's user on one edge, with a lease that his proxy renews. A renewal tells the last version shown there; when that
 * is less than what was sent before the previous renewal, something was lost and a snapshot goes out. Events go once an edge, with the list
 * of its users. Everything is made from the confirmed state. */
#include <string.h>

#include <meridian/mem.h>

#include "edge/game/host_private.h"

#define IM(name) Meridian__Internal__V1__##name
#define BODY(name) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##name
#define REFUSAL(name) MERIDIAN__INTERNAL__V1__REFUSAL__REFUSAL_##name

static void say(struct edge_host *h, const char *edge, IM(BusMessage) * m)
{
    m->from = (char *)edge_bus_incarnation(h->c.bus);
    if (edge_bus_send(h->c.bus, edge, m) != MER_OK)
        h->values[EDGE_HOST_M_UNSENT]++; /* the proxy finds the gap, or another owner */
}

void edge__host_send_open(struct edge_host *h, const char *edge, const struct edge_host_open *o)
{
    IM(SeatOpen) open = MERIDIAN__INTERNAL__V1__SEAT_OPEN__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    uint8_t trace[MER_TRACE_BYTES];
    open.game_id = (char *)o->gid;
    open.user = (char *)o->user;
    open.seat = o->seat;
    open.ticket_id = (char *)o->ticket;
    m.body_case = BODY(SEAT_OPEN);
    m.seat_open = &open;
    m.has_trace = mer_trace_put(o->trace, trace, &m.trace);
    say(h, edge, &m);
}

static void refuse(struct edge_host *h, const char *edge, IM(SeatRefused) * r)
{
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    m.body_case = BODY(SEAT_REFUSED);
    m.seat_refused = r;
    say(h, edge, &m);
}

static void turn_away(struct edge_host *h, const char *edge, const char *gid, const char *user, IM(Refusal) why, IM(SeatRequest) * request)
{
    IM(SeatRefused) r = MERIDIAN__INTERNAL__V1__SEAT_REFUSED__INIT;
    r.game_id = (char *)gid;
    r.user = (char *)user;
    r.refusal = why;
    r.request = request;
    h->values[EDGE_HOST_M_TURNED_AWAY]++;
    refuse(h, edge, &r);
}

void edge__host_send_away(struct edge_hosted *g)
{
    for (unsigned i = 0; i < g->attach_count; i++) {
        IM(SeatRefused) r = MERIDIAN__INTERNAL__V1__SEAT_REFUSED__INIT;
        r.game_id = g->core.id;
        r.user = g->core.seats[g->attach[i].seat].user;
        r.refusal = REFUSAL(NOT_OWNER);
        r.owner = g->taken_by[0] ? g->taken_by : NULL;
        refuse(g->host, g->attach[i].edge, &r);
    }
    g->attach_count = 0;
}

/* --- who is attached ----------------------------------------------------------------------------------------------------------------- */

static struct edge_attach *find_attach(struct edge_hosted *g, unsigned seat, const char *edge)
{
    for (unsigned i = 0; i < g->attach_count; i++)
        if (g->attach[i].seat == seat && strcmp(g->attach[i].edge, edge) == 0)
            return &g->attach[i];
    return NULL;
}

static void remove_attach(struct edge_hosted *g, unsigned i)
{
    g->attach[i] = g->attach[--g->attach_count];
}

static void drop_expired(struct edge_hosted *g)
{
    for (unsigned i = g->attach_count; i-- > 0;)
        if (g->attach[i].until_ms < g->host->c.loop->now_ms)
            remove_attach(g, i);
}

void edge__host_leases_slept(struct edge_hosted *g, uint64_t slept_ms)
{
    uint64_t now = g->host->c.loop->now_ms;
    for (unsigned i = 0; i < g->attach_count; i++)
        if (g->attach[i].until_ms >= now - slept_ms)
            g->attach[i].until_ms = now + EDGE_HOST_LEASE_MS;
}

void edge__host_detach_left(struct edge_hosted *g)
{
    for (unsigned i = g->attach_count; i-- > 0;)
        if (g->core.now.left >> g->attach[i].seat & 1)
            remove_attach(g, i);
}

/* NULL: no memory, or too many edges at once. */
static struct edge_attach *add_attach(struct edge_hosted *g, unsigned seat, const char *edge)
{
    drop_expired(g);
    if (g->attach_count == EDGE_HOST_ATTACHED)
        return NULL;
    if (g->attach_count == g->attach_cap) {
        uint8_t cap = (uint8_t)(g->attach_cap ? g->attach_cap * 2 : 2);
        struct edge_attach *more = mer_try_realloc(g->attach, cap * sizeof(*more));
        if (!more)
            return NULL;
        g->attach = more;
        g->attach_cap = cap;
    }
    struct edge_attach *a = &g->attach[g->attach_count++];
    memset(a, 0, sizeof(*a));
    a->seat = (uint8_t)seat;
    EDGE__COPY(a->edge, edge);
    return a;
}

/* Bit a seat: at least one device is there. */
static uint8_t present_seats(const struct edge_hosted *g)
{
    uint8_t present = 0;
    for (unsigned i = 0; i < g->attach_count; i++)
        if (g->attach[i].present && g->attach[i].until_ms >= g->host->c.loop->now_ms)
            present |= (uint8_t)(1u << g->attach[i].seat);
    return present;
}

/* Seats of people whose presence is known here: they have been here, or have had the time to come. */
static uint8_t known_seats(const struct edge_hosted *g)
{
    uint8_t known = 0;
    bool all = g->host->c.loop->now_ms >= g->fresh_until_ms;
    for (unsigned i = 0; i < g->core.seat_count; i++)
        if (!g->core.seats[i].bot && (all || (g->seen >> i & 1)))
            known |= (uint8_t)(1u << i);
    return known;
}

void edge__host_presence(struct edge_hosted *g)
{
    uint8_t present = present_seats(g), news = (uint8_t)((present ^ g->core.present) & known_seats(g));
    if (news)
        edge__hosted_blame(g);
    for (unsigned i = 0; !g->lost && i < g->core.seat_count; i++)
        if (news >> i & 1)
            edge_game_present(&g->core, edge__host_time(g->host), i, present >> i & 1);
}

uint64_t edge__host_presence_ms(const struct edge_hosted *g)
{
    uint64_t now = g->host->c.loop->now_ms, at = UINT64_MAX;
    if ((present_seats(g) ^ g->core.present) & known_seats(g))
        return now;
    for (unsigned i = 0; i < g->attach_count; i++)
        if (g->attach[i].present && g->attach[i].until_ms >= now && g->attach[i].until_ms + 1 < at)
            at = g->attach[i].until_ms + 1; /* what ran out before is known, and its entry stays until it is needed */
    return g->fresh_until_ms > now && g->fresh_until_ms < at ? g->fresh_until_ms : at;
}

/* --- what goes out ------------------------------------------------------------------------------------------------------------------- */

/* What one edge is told of a confirmed change. */
struct news {
    const char *edge;
    char **users;
    size_t user_count;
    IM(Reply) * reply;           /* NULL: nobody there asked */
    const struct mer_span *span; /* of who asked; NULL likewise */
    const Meridian__Client__V1__ServerMessage *const *messages;
    size_t count;
};

static void send_events(struct edge_hosted *g, const struct news *n)
{
    IM(SeatEvents) e = MERIDIAN__INTERNAL__V1__SEAT_EVENTS__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    uint8_t trace[MER_TRACE_BYTES];
    e.game_id = g->core.id;
    e.version = g->core.now.version;
    e.users = n->users;
    e.n_users = n->user_count;
    e.reply = n->reply;
    e.messages = (Meridian__Client__V1__ServerMessage **)n->messages;
    e.n_messages = n->user_count > 0 ? n->count : 0;
    m.body_case = BODY(SEAT_EVENTS);
    m.seat_events = &e;
    m.has_trace = mer_trace_put(n->span != NULL ? mer_span_context(n->span) : NULL, trace, &m.trace);
    say(g->host, n->edge, &m);
}

/* Users attached at that edge; the attachments taken are marked. */
static size_t users_at(const struct edge_hosted *g, const char *edge, char **users, bool *done)
{
    size_t n = 0;
    for (unsigned i = 0; i < g->attach_count; i++) {
        if (done[i] || strcmp(g->attach[i].edge, edge) != 0)
            continue;
        done[i] = true;
        users[n++] = g->core.seats[g->attach[i].seat].user;
    }
    return n;
}

void edge__host_publish(struct edge_hosted *g, const struct edge_game_ask *from, const Meridian__Client__V1__ServerMessage *reply,
                        const Meridian__Client__V1__ServerMessage *const *messages, size_t count)
{
    bool done[EDGE_HOST_ATTACHED] = {false};
    char *users[EDGE_HOST_ATTACHED];
    drop_expired(g);
    if (from) {
        IM(Reply) r = MERIDIAN__INTERNAL__V1__REPLY__INIT;
        r.session = (char *)from->session;
        r.user = g->core.seats[from->seat].user;
        r.message = (Meridian__Client__V1__ServerMessage *)reply;
        size_t n = count > 0 ? users_at(g, from->edge, users, done) : 0;
        send_events(g, &(struct news){from->edge, users, n, &r, &from->span, messages, count});
    }
    for (unsigned i = 0; count > 0 && i < g->attach_count; i++) {
        if (done[i])
            continue;
        const char *edge = g->attach[i].edge;
        size_t n = users_at(g, edge, users, done);
        send_events(g, &(struct news){edge, users, n, NULL, NULL, messages, count});
    }
}

void edge__host_send_claimed(struct edge_hosted *g, const char *owner)
{
    IM(GameClaimed) c = MERIDIAN__INTERNAL__V1__GAME_CLAIMED__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    if (strcmp(owner, edge_bus_incarnation(g->host->c.bus)) == 0)
        return;
    c.game_id = g->core.id;
    c.generation = g->fence.generation;
    c.epoch = g->fence.epoch;
    m.body_case = BODY(GAME_CLAIMED);
    m.game_claimed = &c;
    say(g->host, owner, &m);
}

static void send_snapshot(struct edge_hosted *g, const char *edge, unsigned seat, bool matched, const char *session)
{
    struct edge_game_view view;
    struct edge_game_matched who;
    IM(SeatSnapshot) s = MERIDIAN__INTERNAL__V1__SEAT_SNAPSHOT__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    edge_game_view(&g->core, seat, &view);
    if (matched)
        edge_game_matched(&g->core, seat, &who);
    s.game_id = g->core.id;
    s.user = g->core.seats[seat].user;
    s.seat = seat;
    s.version = g->core.now.version;
    s.matched = matched ? &who.m : NULL;
    s.game_state = &view.m;
    s.session = (char *)session;
    m.body_case = BODY(SEAT_SNAPSHOT);
    m.seat_snapshot = &s;
    g->host->values[EDGE_HOST_M_SNAPSHOTS]++;
    say(g->host, edge, &m);
}

/* --- what comes in ------------------------------------------------------------------------------------------------------------------- */

static void look(struct edge_hosted *g)
{
    if (g->handing_since_ms != 0 || g->over_armed)
        return;
    edge__host_presence(g);
    edge__hosted_after(g);
}

/* What is owed to the proxy is told now, or, when it is not sure whose the game is, with the same message taken again. */
static void take_attach(struct edge_host *h, const IM(BusMessage) * m, bool again)
{
    const IM(SeatAttach) *a = m->seat_attach;
    struct edge_hosted *g = edge__host_find(h, a->game_id);
    if (strlen(m->from) > EDGE_GAME_SESSION_MAX || (g && g->phase == EDGE_HOSTED_CREATING))
        return; /* being created: the proxy asks again */
    if (!g) {
        turn_away(h, m->from, a->game_id, a->user, REFUSAL(NO_SUCH_GAME), NULL);
        return;
    }
    unsigned seat = edge_game_seat_of(&g->core, a->user);
    if (seat == EDGE_RULES_NO_SEAT) {
        turn_away(h, m->from, a->game_id, a->user, REFUSAL(NOT_YOURS), NULL);
        return;
    }
    struct edge_attach *at = find_attach(g, seat, m->from);
    bool missed = !at || a->version == 0 || a->version < at->seen_version || a->session;
    if (!at && !(at = add_attach(g, seat, m->from)))
        return;
    at->until_ms = h->c.loop->now_ms + EDGE_HOST_LEASE_MS;
    at->present = !a->has_present || a->present;
    g->seen |= (uint8_t)(1u << seat);
    if (missed && !again && edge__hosted_hold(g, m)) {
        at->seen_version = UINT64_MAX; /* so that it has missed something also when it is taken again */
    } else {
        at->seen_version = g->core.now.version;
        if (missed)
            send_snapshot(g, m->from, seat, a->version == 0 || a->session, a->session);
    }
    look(g);
}

static void on_attach(void *ctx, const IM(BusMessage) * m)
{
    struct edge_host *h = ctx;
    h->values[EDGE_HOST_M_ATTACHES]++;
    edge__host_pulse(h);
    take_attach(h, m, false);
}

static void take_detach(struct edge_host *h, const IM(BusMessage) * m, bool again)
{
    struct edge_hosted *g = edge__host_find(h, m->seat_detach->game_id);
    if (!g || g->phase != EDGE_HOSTED_LIVE || (!again && g->held_count > 0 && edge__hosted_hold(g, m)))
        return; /* behind an attach that waits */
    struct edge_attach *at = find_attach(g, edge_game_seat_of(&g->core, m->seat_detach->user), m->from);
    if (!at)
        return;
    remove_attach(g, (unsigned)(at - g->attach));
    look(g);
}

static void on_detach(void *ctx, const IM(BusMessage) * m)
{
    edge__host_pulse(ctx);
    take_detach(ctx, m, false);
}

static void get_game(struct edge_hosted *g, const char *edge, const IM(SeatRequest) * r, unsigned seat)
{
    struct edge_game_view view;
    IM(Reply) reply = MERIDIAN__INTERNAL__V1__REPLY__INIT;
    edge_game_view(&g->core, seat, &view);
    reply.session = r->session;
    reply.user = r->user;
    reply.message = &view.m;
    send_events(g, &(struct news){.edge = edge, .reply = &reply});
}

static bool make_ask(struct edge_game_ask *ask, const struct edge_host *h, const IM(BusMessage) * m, unsigned seat)
{
    const struct mer_loop *l = h->c.loop;
    const IM(SeatRequest) *r = m->seat_request;
    uint32_t wait = r->deadline_ms < EDGE_GAME_GIVE_UP_MS ? r->deadline_ms : EDGE_GAME_GIVE_UP_MS;
    memset(ask, 0, sizeof(*ask));
    mer_list_init(&ask->node);
    ask->seat = (uint8_t)seat;
    ask->until_ms = l->now_ms + wait;
    ask->stamp_us = l->clock.mono_us(l->clock.ctx);
    if (strlen(r->session) > EDGE_GAME_SESSION_MAX)
        return false;
    EDGE__COPY(ask->session, r->session);
    EDGE__COPY(ask->edge, m->from);
    edge__trace_ask(h, m, ask);
    if (r->body_case == MERIDIAN__INTERNAL__V1__SEAT_REQUEST__BODY_LEAVE_GAME) {
        ask->kind = EDGE_GAME_ASK_LEAVE;
        return true;
    }
    const Meridian__Client__V1__Move *move = r->body_case == MERIDIAN__INTERNAL__V1__SEAT_REQUEST__BODY_MOVE ? r->move : NULL;
    if (!move || !move->move_id[0] || strlen(move->move_id) > EDGE_GAME_MOVE_ID_MAX ||
        move->action_case != MERIDIAN__CLIENT__V1__MOVE__ACTION_FLIP)
        return false;
    ask->kind = EDGE_GAME_ASK_MOVE;
    ask->action.card = move->flip->card;
    EDGE__COPY(ask->move_id, move->move_id);
    return true;
}

static void take_request(struct edge_host *h, const IM(BusMessage) * m, bool again)
{
    IM(SeatRequest) *r = m->seat_request;
    struct edge_hosted *g = edge__host_find(h, r->game_id);
    struct edge_game_ask ask;
    if (strlen(m->from) > EDGE_GAME_SESSION_MAX || (g && g->phase == EDGE_HOSTED_CREATING))
        return; /* the proxy asks again */
    if (g && g->handing_since_ms != 0) {
        (void)!edge__hosted_hold(g, m); /* if nobody takes the game it is answered here; else the proxy asks the new owner */
        return;
    }
    unsigned seat = g ? edge_game_seat_of(&g->core, r->user) : EDGE_RULES_NO_SEAT;
    if (seat == EDGE_RULES_NO_SEAT) {
        turn_away(h, m->from, r->game_id, r->user, g ? REFUSAL(NOT_YOURS) : REFUSAL(NO_SUCH_GAME), r);
    } else if (!again && edge__hosted_hold(g, m)) {
        edge__hosted_after(g); /* asks the store */
    } else if (r->body_case == MERIDIAN__INTERNAL__V1__SEAT_REQUEST__BODY_GET_GAME) {
        get_game(g, m->from, r, seat);
    } else if (make_ask(&ask, h, m, seat)) {
        MER_TRACE_LINES(h->c.log, mer_span_context(&ask.span));
        edge__hosted_blame(g);
        edge_game_request(&g->core, edge__host_time(h), &ask);
        edge__hosted_after(g);
    } else {
        turn_away(h, m->from, r->game_id, r->user, REFUSAL(NOT_YOURS), r); /* no proxy of ours sends such a thing */
    }
}

static void on_request(void *ctx, const IM(BusMessage) * m)
{
    take_request(ctx, m, false);
}

void edge__host_take(struct edge_host *h, const IM(BusMessage) * m)
{
    if (m->body_case == BODY(SEAT_ATTACH))
        take_attach(h, m, true);
    else if (m->body_case == BODY(SEAT_DETACH))
        take_detach(h, m, true);
    else
        take_request(h, m, true);
}

bool edge__hosted_outdated(struct edge_hosted *g, uint64_t generation, uint64_t epoch)
{
    bool newer = generation > g->fence.generation || (generation == g->fence.generation && epoch > g->fence.epoch);
    if (!newer || g->phase != EDGE_HOSTED_LIVE || g->core.now.over)
        return false;
    if (g->handing_since_ms != 0)
        return true; /* it is looked at when that is over */
    edge__hosted_doubt(g);
    edge__hosted_blame(g);
    edge_game_verify(&g->core, edge__host_time(g->host)); /* the store decides, not who says so */
    edge__hosted_after(g);
    return true;
}

static void on_claimed(void *ctx, const IM(BusMessage) * m)
{
    const IM(GameClaimed) *c = m->game_claimed;
    struct edge_hosted *g = edge__host_find(ctx, c->game_id);
    if (g)
        (void)edge__hosted_outdated(g, c->generation, c->epoch);
}

void edge__host_bus_init(struct edge_host *h)
{
    edge_bus_on(h->c.bus, BODY(SEAT_ATTACH), on_attach, h);
    edge_bus_on(h->c.bus, BODY(SEAT_DETACH), on_detach, h);
    edge_bus_on(h->c.bus, BODY(SEAT_REQUEST), on_request, h);
    edge_bus_on(h->c.bus, BODY(GAME_CLAIMED), on_claimed, h);
}
