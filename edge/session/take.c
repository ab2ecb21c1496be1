/* SPDX-License-Identifier: Apache-2.0
 * take.c - a client resumes a session that another edge has (R15): that edge gives up the session with its ring, this one goes on with its
 * id and numbering.
 *
 *   resume --registry answered--> ASKED --whole--------------------------> replayed (old id, old numbering, what was missed, then what came
 * meanwhile)
 *                                   |----not all there, edge does not answer--> snapshot (old id, next epoch; the state follows)
 *                                   +----unknown there-------------------------> gone (the new session stays; the state follows)
 *
 * Where a session is: the registry's entry of the device before this connection, which also knows sessions that have moved before; else the
 * id names the edge that made it. While that is asked, what is numbered waits in the new session's ring (holding), because its offsets are
 * not known yet. Owners tell both edges of a user who moves, and nothing orders the two ways: after a replay what the old edge had told is
 * remembered for a while, and skipped when it comes here, too.
 *
 * Timer of struct edge_back: not asked, or told: forget it; asked: the other edge does not answer.
 * Owner: the session. Next: ring.c, registry.c. */
#include <string.h>

#include <meridian/mem.h>

#include "edge/session/session.h"
#include "edge/session/shown.h"

#define CM(x) Meridian__Client__V1__##x
#define IM(x) Meridian__Internal__V1__##x
#define OUTCOME(x) MERIDIAN__CLIENT__V1__RESUME_OUTCOME__RESUME_OUTCOME_##x

struct edge_back {
    struct mer_list node; /* asked: in sessions->asking */
    struct edge_session *s;
    struct mer_timer timer;
    struct mer_buf later; /* messages the client sent behind its resume: length (4 bytes, host order), opcode (1), bytes */
    bool wanted, asked;   /* resume came; SessionTake was sent */
    bool told;            /* it was replayed: only `shown` counts any more */
    struct edge_shown shown;
    uint64_t epoch, offset;               /* of the resume */
    char session[EDGE_SESSION_ID_BYTES];  /* of the resume */
    char previous[EDGE_SESSION_ID_BYTES]; /* the registry's, "" when it had none */
    char previous_edge[EDGE_SESSION_ID_BYTES];
    char holder[EDGE_SESSION_ID_BYTES]; /* asked: who */
};

void edge__take_forget(struct edge_session *s)
{
    if (s->back == NULL)
        return;
    mer_loop_disarm(&s->all->app->loop, &s->back->timer);
    mer_list_remove(&s->back->node);
    mer_buf_deinit(&s->back->later);
    mer_free(&s->back);
    s->holding = false;
}

bool edge__take_later(struct edge_session *s, enum edge_opcode op, const uint8_t *data, size_t len)
{
    uint8_t head[5] = {0};
    uint32_t n = (uint32_t)len;
    if (s->back == NULL || !s->back->wanted)
        return false;
    memcpy(head, &n, sizeof(n));
    head[4] = (uint8_t)op;
    struct mer_buf *b = &s->back->later;
    if (mer_buf_reserve(b, sizeof(head) + len) != MER_OK || mer_buf_append(b, head, sizeof(head)) != MER_OK ||
        mer_buf_append(b, data, len) != MER_OK)
        edge_conn_close(s->conn, EDGE_CLOSE_POLICY, "flood;retry=1000");
    return true;
}

/* The resume is decided: what came behind it is handled now. Each message may end the session. */
static void handle_later(struct edge_sessions *all, uint64_t serial, struct mer_buf *later)
{
    for (size_t at = 0; at < later->len;) {
        struct edge_session *s = mer_map_get(&all->by_serial, &serial, sizeof(serial));
        uint32_t n;
        if (s == NULL || s->conn == NULL || !edge_conn_is_open(s->conn))
            break;
        memcpy(&n, later->data + at, sizeof(n));
        edge__dispatch(s, (enum edge_opcode)later->data[at + 4], later->data + at + 5, n);
        at += 5 + n;
    }
    mer_buf_deinit(later);
}

/* Ends the asking and keeps what waits behind it; shown: what this session is not told again, NULL: nothing. */
static struct mer_buf decide(struct edge_session *s, const struct edge_shown *shown)
{
    struct edge_back *b = s->back;
    struct mer_buf later = b->later;
    mer_buf_init(&b->later, 0);
    if (shown == NULL || shown->count == 0) {
        edge__take_forget(s);
        return later;
    }
    mer_list_remove(&b->node);
    mer_list_init(&b->node);
    b->wanted = b->asked = s->holding = false;
    b->told = true;
    b->shown = *shown;
    mer_loop_arm(&s->all->app->loop, &b->timer, EDGE_SHOWN_KEPT_MS);
    return later;
}

void edge__take_idle(struct edge_session *s)
{
    if (s->back != NULL && !s->back->wanted && !s->back->told)
        edge__take_forget(s);
}

/* --- how it ends ------------------------------------------------------------------------------------------------------------------------
 */

/* The new session stays, or goes on under the old id with a new numbering; either way the state follows. What was held is part of that
 * state or comes after it. */
static void end_with_state(struct edge_session *s, int outcome, const char *reason)
{
    struct edge_sessions *all = s->all;
    struct mer_buf later = decide(s, NULL);
    all->values[outcome == OUTCOME(SNAPSHOT) ? M_RESUME_SNAPSHOT : M_RESUME_GONE]++;
    edge_ring_clear(&all->pool, &s->ring);
    s->unshown = true;
    if (s->state == EDGE_SESSION_LIVE) {
        edge__auth_connected(s, outcome, reason);
        edge__registry_connect(s, false);
    }
    handle_later(all, s->serial, &later);
}

static void end_snapshot(struct edge_session *s)
{
    char id[EDGE_SESSION_ID_BYTES];
    memcpy(id, s->back->session, sizeof(id));
    if (edge__session_rename(s, id, s->back->epoch + 1) == MER_OK)
        end_with_state(s, OUTCOME(SNAPSHOT), NULL);
    else
        end_with_state(s, OUTCOME(GONE), "epoch");
}

/* The edge that had it is dead or silent. Only the registry can say that there was such a session. */
static void end_unanswered(struct edge_session *s)
{
    if (strcmp(s->back->previous, s->back->session) == 0)
        end_snapshot(s);
    else
        end_with_state(s, OUTCOME(GONE), "edge_gone");
}

bool edge__take_told(const struct edge_session *s, const CM(ServerMessage) * m)
{
    return s->back != NULL && s->back->told && edge_shown_told(&s->back->shown, m);
}

struct joining {
    struct edge_session *s;
    struct edge_shown shown; /* by the old session */
    bool failed;
};

/* A message that came to the new session: behind the old ones, unless they say as much. */
static void append_one(struct joining *j, struct edge_msg *packed)
{
    CM(ServerMessage) *m = meridian__client__v1__server_message__unpack(NULL, packed->len, packed->bytes);
    if (m == NULL) {
        j->failed = true;
        return;
    }
    if (!edge_shown_told(&j->shown, m))
        edge__session_number(j->s, m, packed);
    meridian__client__v1__server_message__free_unpacked(m, NULL);
}

/* All `count` of them. Numbering one may make room in the pool at the cost of the oldest anywhere, so of these, too: then the loop sees
 * fewer, and nothing that is dropped meanwhile is held on to. */
static void append_held(struct joining *j, struct edge_ring *held, uint32_t count)
{
    struct edge_msg *packed;
    for (; (packed = edge_ring_pop(&j->s->all->pool, held)) != NULL; count--) {
        append_one(j, packed);
        edge_msg_unref(packed);
    }
    j->failed = j->failed || count > 0;
}

/* The old ring, as it was, into the (emptied) ring of s. */
static void fill_ring(struct joining *j, const IM(SessionTaken) * t)
{
    struct edge_session *s = j->s;
    for (size_t i = 0; i < t->n_missed; i++) {
        const IM(RingMessage) *r = t->missed[i];
        CM(ServerMessage) *m = meridian__client__v1__server_message__unpack(NULL, r->message.len, r->message.data);
        struct edge_msg *packed = m == NULL ? NULL : edge_msg_create(r->message.data, r->message.len);
        if (packed == NULL) {
            j->failed = true;
        } else {
            edge_shown_note(&j->shown, m);
            edge_ring_push(&s->all->pool, &s->ring, packed, r->offset, s->all->app->loop.now_ms);
            edge_msg_unref(packed);
        }
        if (m != NULL)
            meridian__client__v1__server_message__free_unpacked(m, NULL);
    }
}

static void end_replayed(struct edge_session *s, const IM(SessionTaken) * t)
{
    struct edge_sessions *all = s->all;
    struct joining j = {.s = s};
    struct edge_ring held;
    uint64_t seen = s->back->offset;
    uint32_t count = s->ring.count;
    if (s->missed || !edge_ring_covers(&s->ring, 0, s->offset)) { /* the old one may have missed the same; or it is not kept any more */
        end_snapshot(s);
        return;
    }
    if (edge__session_rename(s, s->back->session, s->back->epoch) != MER_OK) {
        end_with_state(s, OUTCOME(GONE), "epoch");
        return;
    }
    for (size_t i = 0; i < t->n_shown; i++)
        edge_shown_version(&j.shown, t->shown[i]->game_id, t->shown[i]->version);
    edge_ring_adopt(&held, &s->ring); /* s->ring is empty now */
    s->offset = t->offset;
    fill_ring(&j, t);
    append_held(&j, &held, count); /* still holding: numbered, not sent */

    if (j.failed || !edge_ring_covers(&s->ring, seen, s->offset)) { /* out of memory, or more than a ring holds */
        s->epoch++;
        end_with_state(s, OUTCOME(SNAPSHOT), NULL);
        return;
    }
    struct mer_buf later = decide(s, &j.shown);
    all->values[M_RESUME_REPLAYED]++;
    if (s->state == EDGE_SESSION_LIVE) {
        edge__auth_connected(s, OUTCOME(REPLAYED), NULL);
        edge__session_replay(s, seen);
        edge__registry_connect(s, true);
    }
    handle_later(all, s->serial, &later);
}

/* --- asking -----------------------------------------------------------------------------------------------------------------------------
 */

static void on_timer(struct mer_timer *timer)
{
    struct edge_back *b = MER_CONTAINER_OF(timer, struct edge_back, timer);
    if (b->wanted)
        end_unanswered(b->s);
    else
        edge__take_forget(b->s);
}

static struct edge_back *back_of(struct edge_session *s)
{
    if (s->back == NULL && (s->back = mer_try_calloc(1, sizeof(*s->back))) != NULL) {
        s->back->s = s;
        mer_list_init(&s->back->node);
        mer_buf_init(&s->back->later, EDGE_LATER_BYTES);
        mer_timer_init(&s->back->timer, on_timer);
        mer_loop_arm(&s->all->app->loop, &s->back->timer, EDGE_BACK_KEPT_MS);
    }
    return s->back;
}

/* Asks whoever should have it, once both the wish and the registry's answer are there. */
static void ask(struct edge_session *s)
{
    struct edge_app *app = s->all->app;
    struct edge_back *b = s->back;
    char made_by[EDGE_SESSION_ID_BYTES], own[EDGE_SESSION_ID_BYTES];
    IM(SessionTake) take = MERIDIAN__INTERNAL__V1__SESSION_TAKE__INIT;
    IM(BusMessage) bm = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    memcpy(made_by, b->session, sizeof(made_by));
    *strrchr(made_by, '.') = 0; /* edge__take_begin looked */
    const char *holder = strcmp(b->previous, b->session) == 0 ? b->previous_edge : made_by;
    if (strcmp(holder, app->incarnation) == 0) {
        end_with_state(s, OUTCOME(GONE), "unknown_session");
        return;
    }
    edge__session_id(s, own);
    take.session = b->session;
    take.asked_by = own;
    take.user = s->user->id;
    take.epoch = b->epoch;
    take.offset = b->offset;
    take.has_entered_ms = s->entered_ms != 0;
    take.entered_ms = s->entered_ms;
    bm.body_case = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_TAKE;
    bm.session_take = &take;
    b->asked = true;
    strcpy(b->holder, holder); /* not longer than the two it comes from */
    mer_list_push_back(&s->all->asking, &b->node);
    if (edge_bus_send(app->bus, holder, &bm) != MER_OK)
        end_unanswered(s);
}

void edge__take_begin(struct edge_session *s, const CM(Resume) * r)
{
    const char *dot = strrchr(r->session, '.');
    bool sound = dot != NULL && dot != r->session && strlen(r->session) < EDGE_SESSION_ID_BYTES;
    struct edge_back *b = sound ? back_of(s) : NULL;
    if (b == NULL) {
        s->all->values[M_RESUME_GONE]++;
        edge__auth_connected(s, OUTCOME(GONE), sound ? "out_of_memory" : "unknown_session");
        edge__registry_connect(s, false);
        return;
    }
    b->wanted = true;
    b->epoch = r->epoch;
    b->offset = r->offset;
    strcpy(b->session, r->session); /* length checked above */
    s->holding = true;
    mer_loop_arm(&s->all->app->loop, &b->timer, EDGE_TAKE_WAIT_MS);
    if (s->registered)
        ask(s);
}

void edge__take_registered(struct edge_session *s, const struct edge_player *p)
{
    bool known = p != NULL && p->previous_session[0] != 0 && strlen(p->previous_session) < EDGE_SESSION_ID_BYTES &&
                 strlen(p->previous_edge) < EDGE_SESSION_ID_BYTES;
    if (s->registered)
        return; /* a later registration of the same session */
    s->registered = true;
    if (known && (s->fresh || s->back != NULL) && back_of(s) != NULL) {
        strcpy(s->back->previous, p->previous_session); /* lengths checked above */
        strcpy(s->back->previous_edge, p->previous_edge);
    }
    if (s->back != NULL && s->back->wanted && !s->back->asked)
        ask(s);
}

static void on_taken(void *ctx, const IM(BusMessage) * m)
{
    struct edge_app *app = ctx;
    const IM(SessionTaken) *t = m->session_taken;
    struct edge_session *s = edge__session_find(app->sessions, t->asked_by);
    if (s == NULL || s->back == NULL || !s->back->asked || strcmp(s->back->session, t->session) != 0)
        return; /* it took too long, and was answered otherwise */
    if (!t->found)
        end_with_state(s, OUTCOME(GONE), t->reason);
    else if (t->whole && t->has_offset)
        end_replayed(s, t);
    else
        end_snapshot(s);
}

/* Whoever is asked and has ended will not answer. A link that was only lost is repaired, or the timer decides. */
static void on_peer_down(void *ctx, const char *incarnation, bool dead)
{
    struct edge_app *app = ctx;
    struct mer_list mine;
    if (!dead)
        return;
    mer_list_init(&mine);
    MER_LIST_EACH_SAFE (it, &app->sessions->asking) {
        if (strcmp(MER_LIST_ENTRY(it, struct edge_back, node)->holder, incarnation) == 0) {
            mer_list_remove(it);
            mer_list_push_back(&mine, it);
        }
    }
    while (!mer_list_empty(&mine)) /* each one leaves the list as it ends, and may end others */
        end_unanswered(MER_LIST_ENTRY(mine.next, struct edge_back, node)->s);
}

/* --- the other side: giving up a session
 * -------------------------------------------------------------------------------------------------- */

struct giving {
    IM(RingMessage) row[EDGE_RING_BYTES / 32], *rows[EDGE_RING_BYTES / 32]; /* an entry costs more than 32 bytes (ring.c) */
    size_t count;
};

static void give_one(void *ctx, uint64_t offset, const struct edge_msg *packed)
{
    struct giving *g = ctx;
    MER_ASSERT(g->count < MER_COUNT(g->row));
    IM(RingMessage) *r = g->rows[g->count] = &g->row[g->count];
    g->count++;
    *r = (IM(RingMessage))MERIDIAN__INTERNAL__V1__RING_MESSAGE__INIT;
    r->offset = offset;
    r->message.data = (uint8_t *)packed->bytes;
    r->message.len = packed->len;
}

static void note_given(void *ctx, uint64_t offset, const struct edge_msg *packed)
{
    (void)offset;
    CM(ServerMessage) *m = meridian__client__v1__server_message__unpack(NULL, packed->len, packed->bytes);
    if (m == NULL)
        return;
    edge_shown_note(ctx, m);
    meridian__client__v1__server_message__free_unpacked(m, NULL);
}

struct given { /* what a SessionTaken points at */
    struct edge_shown shown;
    IM(GameShown) row[EDGE_SHOWN_GAMES], *rows[EDGE_SHOWN_GAMES];
};

static void tell_shown(struct given *v, const struct edge_ring *ring, IM(SessionTaken) * t)
{
    memset(&v->shown, 0, sizeof(v->shown));
    edge_ring_replay(ring, 0, note_given, &v->shown);
    for (size_t i = 0; i < v->shown.count; i++) {
        v->rows[i] = &v->row[i];
        v->row[i] = (IM(GameShown))MERIDIAN__INTERNAL__V1__GAME_SHOWN__INIT;
        v->row[i].game_id = v->shown.game[i].id;
        v->row[i].version = v->shown.game[i].version;
    }
    t->shown = v->rows;
    t->n_shown = v->shown.count;
}

static void on_take(void *ctx, const IM(BusMessage) * m)
{
    struct edge_app *app = ctx;
    const IM(SessionTake) *take = m->session_take;
    struct edge_session *s = edge__session_find(app->sessions, take->session);
    struct giving g = {.count = 0};
    struct given given;
    IM(SessionTaken) t = MERIDIAN__INTERNAL__V1__SESSION_TAKEN__INIT;
    IM(BusMessage) bm = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    t.session = take->session;
    t.asked_by = take->asked_by;
    t.found = s != NULL && s->state != EDGE_SESSION_AUTH && !s->taken && strcmp(s->user->id, take->user) == 0 &&
              !edge__session_is_newer(s, take->entered_ms);
    if (!t.found) {
        t.reason = (char *)"unknown_session";
    } else {
        t.has_offset = true;
        t.offset = s->offset;
        t.whole = take->epoch == s->epoch && edge_ring_covers(&s->ring, take->offset, s->offset);
        if (t.whole)
            edge_ring_replay(&s->ring, take->offset, give_one, &g);
        tell_shown(&given, &s->ring, &t);
    }
    t.missed = g.rows;
    t.n_missed = g.count;
    bm.body_case = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_TAKEN;
    bm.session_taken = &t;
    enum mer_err err = edge_bus_send(app->bus, m->from, &bm);
    if (!t.found || err != MER_OK)
        return; /* not given: it waits here for another try */
    app->sessions->values[M_TAKEN]++;
    edge__session_back(s);
    if (s->conn != NULL)
        edge_conn_close(s->conn, EDGE_CLOSE_REPLACED, "replaced");
    s->taken = true;
    if (!s->draining) {
        edge__session_destroy(s);
        return;
    }
    if (s->conn != NULL)
        edge__session_detach(s); /* he counts as present until the new edge has said that he is */
    mer_loop_arm(&app->loop, &s->timer, EDGE_DRAIN_TAKEN_MS);
}

void edge__take_init(struct edge_app *app)
{
    mer_list_init(&app->sessions->asking);
    edge_bus_on(app->bus, MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_TAKE, on_take, app);
    edge_bus_on(app->bus, MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_TAKEN, on_taken, app);
    edge_bus_on_peer_down(app->bus, on_peer_down, app);
}
