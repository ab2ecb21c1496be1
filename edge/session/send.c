/* SPDX-License-Identifier: Apache-2.0
 * send.c - messages to sessions: numbered for the ring where missing them would matter, encoded as the client asked.
 *
 * A message to a user is packed once for the rings and encoded for each connected session with its own offset: which differs, so that
 * nothing of the bytes could be shared. Invariant: ring offsets end at session->offset. Owner: sessions. Next: ring.c, take.c. */
#include <meridian/json.h>

#include "edge/session/session.h"
#include "edge/session/sessions.h"

#define SM(x) Meridian__Client__V1__##x
#define BODY(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x

static bool numbered(SM(ServerMessage__BodyCase) kind)
{
    switch (kind) {
    case BODY(CONNECTED):
    case BODY(PONG):
    case BODY(ERROR):
    case BODY(MOVE_OK):
    case BODY(MESSAGE_OK):
    case BODY(PRESENCE):
    case BODY(SERVER_MAINTENANCE):
    case BODY(BATCH):
        return false;
    default:
        return true;
    }
}

/* The message as it is, offset included, to a connected session. */
static void encode(struct edge_session *s, const SM(ServerMessage) * m)
{
    struct edge_sessions *all = s->all;
    enum mer_err err;
    mer_buf_clear(&all->out);
    if (s->encoding == EDGE_JSON) {
        err = mer_json_write(&m->base, &all->out);
    } else {
        err = mer_buf_reserve(&all->out, protobuf_c_message_get_packed_size(&m->base));
        if (err == MER_OK)
            all->out.len = protobuf_c_message_pack(&m->base, all->out.data);
    }
    if (err != MER_OK) {
        edge_conn_close(s->conn, EDGE_CLOSE_INTERNAL, "out_of_memory");
        return;
    }
    all->values[M_OUT]++;
    edge_conn_send(s->conn, s->encoding == EDGE_JSON ? EDGE_TEXT : EDGE_BINARY, all->out.data, all->out.len);
}

static struct edge_msg *pack(struct edge_sessions *all, const SM(ServerMessage) * m)
{
    mer_buf_clear(&all->out);
    if (mer_buf_reserve(&all->out, protobuf_c_message_get_packed_size(&m->base)) != MER_OK)
        return NULL;
    return edge_msg_create(all->out.data, protobuf_c_message_pack(&m->base, all->out.data));
}

/* What happens in a game of which the session was not shown the state: it will be, with this in it. Kinds of messages are in the order of
 * their numbers, which never change. */
static bool leave_out(struct edge_session *s, const SM(ServerMessage) * m)
{
    bool ahead = s->unshown && m->body_case >= BODY(CARD_FLIPPED) && m->body_case <= BODY(GAME_OVER);
    s->missed = s->missed || ahead;
    return ahead;
}

void edge__session_number(struct edge_session *s, SM(ServerMessage) * m, struct edge_msg *packed)
{
    s->offset++;
    if (m->body_case == BODY(GAME_STATE))
        s->unshown = s->missed = false;
    if (packed != NULL)
        edge_ring_push(&s->all->pool, &s->ring, packed, s->offset, s->all->app->loop.now_ms);
    else
        edge_ring_clear(&s->all->pool, &s->ring);
    m->has_offset = true;
    m->offset = s->offset;
    if (s->conn != NULL && !s->holding)
        encode(s, m);
}

void edge__session_send(struct edge_session *s, const SM(ServerMessage) * m)
{
    if (!numbered(m->body_case)) {
        if (s->conn != NULL)
            encode(s, m);
        return;
    }
    SM(ServerMessage) copy = *m;
    struct edge_msg *packed = pack(s->all, m);
    edge__session_number(s, &copy, packed);
    if (packed != NULL)
        edge_msg_unref(packed);
}

/* It was told so where it comes from; by a state it is shown the game. */
static bool told_before(struct edge_session *s, const SM(ServerMessage) * m)
{
    bool told = edge__take_told(s, m);
    if (told && m->body_case == BODY(GAME_STATE) && !s->missed)
        s->unshown = false;
    return told;
}

void edge_sessions_to_user(struct edge_sessions *all, const char *user, const SM(ServerMessage) * m)
{
    struct edge_user *u = edge__user_find(all, user);
    if (u == NULL)
        return;
    bool number = numbered(m->body_case);
    SM(ServerMessage) copy = *m;
    struct edge_msg *packed = number ? pack(all, m) : NULL;
    MER_LIST_EACH_SAFE (it, &u->sessions) {
        struct edge_session *s = MER_LIST_ENTRY(it, struct edge_session, in_user);
        if (number && (told_before(s, m) || leave_out(s, m)))
            continue;
        if (number)
            edge__session_number(s, &copy, packed);
        else if (s->conn != NULL)
            encode(s, m);
    }
    if (packed != NULL)
        edge_msg_unref(packed);
}

void edge_sessions_to_session(struct edge_sessions *all, const char *session, const SM(ServerMessage) * m)
{
    struct edge_session *s = edge__session_find(all, session);
    if (s != NULL && s->state != EDGE_SESSION_AUTH)
        edge__session_send(s, m);
}

static void replay_one(void *ctx, uint64_t offset, const struct edge_msg *packed)
{
    struct edge_session *s = ctx;
    SM(ServerMessage) *m = meridian__client__v1__server_message__unpack(NULL, packed->len, packed->bytes);
    if (m == NULL) {
        edge_conn_close(s->conn, EDGE_CLOSE_INTERNAL, "out_of_memory");
        return;
    }
    m->has_offset = true;
    m->offset = offset;
    encode(s, m);
    meridian__client__v1__server_message__free_unpacked(m, NULL);
}

void edge__session_replay(struct edge_session *s, uint64_t after)
{
    MER_DASSERT(edge_ring_covers(&s->ring, after, s->offset));
    edge_ring_replay(&s->ring, after, replay_one, s);
}

void edge__session_error(struct edge_session *s, SM(ErrorCode) code, const char *text, const char *re, uint32_t retry_after_ms)
{
    SM(Error) e = MERIDIAN__CLIENT__V1__ERROR__INIT;
    SM(ServerMessage) m = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    e.code = code;
    e.message = (char *)text;
    e.re = (char *)re;
    e.has_retry_after_ms = retry_after_ms > 0;
    e.retry_after_ms = retry_after_ms;
    m.body_case = BODY(ERROR);
    m.error = &e;
    s->all->values[M_ERRORS]++;
    edge__session_send(s, &m);
}

void edge_sessions_error(struct edge_sessions *all, const char *session, SM(ErrorCode) code, const char *text, const char *re,
                         uint32_t retry_after_ms)
{
    struct edge_session *s = edge__session_find(all, session);
    if (s != NULL && s->state != EDGE_SESSION_AUTH)
        edge__session_error(s, code, text, re, retry_after_ms);
}
