/* SPDX-License-Identifier: Apache-2.0
 * dispatch.c - one client message: rate, decode, validate, hand to whom it concerns (C21: after the decoder nobody looks at bytes).
 *
 * What is wrong is answered by an `error` and changes nothing; who keeps sending what is no message at all, or floods, is closed with 1008
 * (reliability 5.4). Owner: sessions. Next: tickets.c (find_match ...), edge/game/seats.h (move ...). */
#include <stdio.h>
#include <string.h>

#include <meridian/json.h>

#include "edge/room/messages.h"
#include "edge/room/presence.h"
#include "edge/session/overload.h"
#include "edge/session/session.h"
#include "edge/session/tickets.h"

#define CM(x) Meridian__Client__V1__##x
#define BODY(x) MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_##x
#define OUTCOME(x) MERIDIAN__CLIENT__V1__RESUME_OUTCOME__RESUME_OUTCOME_##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x

static bool bad_field(struct edge_session *s, const char *re, const char *text)
{
    edge__session_error(s, CODE(BAD_FIELD), text, re, 0);
    return false;
}

static bool id_ok(struct edge_session *s, const char *re, const char *field, const char *value, size_t max)
{
    char text[64];
    if (mer_id_is_text(value, strlen(value), max))
        return true;
    snprintf(text, sizeof(text), "%s: 1 to %zu bytes of text", field, max);
    return bad_field(s, re, text);
}

/* --- handlers ----------------------------------------------------------------------------------------------------------------------- */

static void on_auth(struct edge_session *s, const CM(ClientMessage) * m)
{
    const CM(Auth) *a = m->auth;
    if (a->device != NULL && !mer_id_is_plain(a->device, strlen(a->device), EDGE_DEVICE_MAX)) {
        bad_field(s, "auth", "device: 1 to 64 of A-Z a-z 0-9 _ -");
        return;
    }
    edge__auth_token(s, a->token, strlen(a->token), a->device);
}

static void push_state(struct edge_session *s)
{
    edge__registry_connect(s, false); /* its answer brings game and ticket, wherever they are */
}

static void on_resume(struct edge_session *s, const CM(ClientMessage) * m, bool first)
{
    const CM(Resume) *r = m->resume;
    struct edge_sessions *all = s->all;
    struct edge_session *old = edge__session_find(all, r->session);
    if (!first) {
        bad_field(s, "resume", "resume: only as the first message after connected");
        return;
    }
    if (old == NULL) {
        edge__take_begin(s, r);
        return;
    }
    if (old == s || old->state == EDGE_SESSION_AUTH || old->user != s->user) {
        all->values[M_RESUME_GONE]++;
        edge__auth_connected(s, OUTCOME(GONE), "unknown_session");
        push_state(s);
        return;
    }
    bool whole = r->epoch == old->epoch && edge_ring_covers(&old->ring, r->offset, old->offset);
    edge__session_adopt(old, s);
    all->values[whole ? M_RESUME_REPLAYED : M_RESUME_SNAPSHOT]++;
    if (whole) {
        edge__auth_connected(old, OUTCOME(REPLAYED), NULL);
        edge__session_replay(old, r->offset);
    } else {
        old->epoch++;
        old->unshown = true;
        edge_ring_clear(&all->pool, &old->ring);
        edge__auth_connected(old, OUTCOME(SNAPSHOT), NULL);
    }
    edge__registry_connect(old, whole);
}

static bool find_match_ok(struct edge_session *s, const CM(FindMatch) * f)
{
    uint32_t rows = f->has_rows ? f->rows : 4, cols = f->has_cols ? f->cols : 4, players = f->has_players ? f->players : 2;
    if (strcmp(f->game, "memory") != 0)
        return bad_field(s, "find_match", "game: memory is hosted here");
    if (players < 2 || players > 4)
        return bad_field(s, "find_match", "players: 2 to 4");
    if (rows < 2 || rows > 10 || cols < 2 || cols > 10 || rows * cols % 2 != 0)
        return bad_field(s, "find_match", "rows, cols: 2 to 10, an even number of cards");
    if (f->has_rating && f->rating > 5000)
        return bad_field(s, "find_match", "rating: 0 to 5000");
    if (f->n_latency_ms > 16)
        return bad_field(s, "find_match", "latencyMs: at most 16 regions");
    return true;
}

/* Under load (R25). */
static bool taken_on(struct edge_session *s, enum edge_work work, const char *re)
{
    struct edge_overload *o = s->all->app->overload;
    if (edge_overload_takes(o, work))
        return true;
    edge__session_error(s, CODE(OVERLOADED), "too much to do: ask again later", re, edge_overload_retry_ms(o, work));
    return false;
}

static void on_find_match(struct edge_session *s, const CM(ClientMessage) * m)
{
    /* Who has a ticket or a game is only told so. */
    bool asks = s->user->ticket == NULL && edge_seats_game(s->all->app->seats, s->user->id) == NULL;
    struct edge_invite invite;
    if (find_match_ok(s, m->find_match) && edge__invite_read(s, m->find_match, &invite) &&
        (!asks || taken_on(s, EDGE_WORK_MATCH, "find_match")))
        edge_tickets_find(s, m->find_match, &invite, m->traceparent);
}

static void on_cancel(struct edge_session *s, const CM(ClientMessage) * m)
{
    if (id_ok(s, "cancel_match", "ticketId", m->cancel_match->ticket_id, EDGE_ID_MAX))
        edge_tickets_cancel(s, m->cancel_match->ticket_id);
}

static void on_explain(struct edge_session *s, const CM(ClientMessage) * m)
{
    const char *id = m->explain_match->ticket_id;
    if (id_ok(s, "explain_match", "ticketId", id, EDGE_ID_MAX) && taken_on(s, EDGE_WORK_ASK, id))
        edge_tickets_explain(s, m->explain_match->ticket_id);
}

static void to_seats(struct edge_session *s, const CM(ClientMessage) * m)
{
    char id[EDGE_SESSION_ID_BYTES];
    edge__session_id(s, id);
    edge_seats_request(s->all->app->seats, s->user->id, id, m);
}

static void on_move(struct edge_session *s, const CM(ClientMessage) * m)
{
    const CM(Move) *mv = m->move;
    if (!id_ok(s, "move", "moveId", mv->move_id, EDGE_MOVE_ID_MAX) || !id_ok(s, mv->move_id, "gameId", mv->game_id, EDGE_ID_MAX))
        return;
    if (mv->action_case == MERIDIAN__CLIENT__V1__MOVE__ACTION__NOT_SET) {
        bad_field(s, mv->move_id, "flip: which card");
        return;
    }
    to_seats(s, m);
}

static void on_leave(struct edge_session *s, const CM(ClientMessage) * m)
{
    if (id_ok(s, "leave_game", "gameId", m->leave_game->game_id, EDGE_ID_MAX))
        to_seats(s, m);
}

static void on_get_game(struct edge_session *s, const CM(ClientMessage) * m)
{
    const char *id = m->get_game->game_id;
    if (id_ok(s, "get_game", "gameId", id, EDGE_ID_MAX) && taken_on(s, EDGE_WORK_ASK, id))
        to_seats(s, m);
}

static void on_send_message(struct edge_session *s, const CM(ClientMessage) * m)
{
    const char *id = m->send_message->message_id;
    bool named = mer_id_is_text(id, strlen(id), EDGE_MOVE_ID_MAX);
    if (!taken_on(s, EDGE_WORK_ASK, named ? id : "send_message"))
        return;
    char session[EDGE_SESSION_ID_BYTES];
    edge__session_id(s, session);
    struct edge_message_sender from = {s->user->id, s->user->name, session};
    edge_messages_send(s->all->app->messages, &from, m->send_message);
}

static void on_get_presence(struct edge_session *s, const CM(ClientMessage) * m)
{
    const char *user = m->get_presence->user;
    if (!id_ok(s, "get_presence", "user", user, MER_TOKEN_SUB_MAX) || !taken_on(s, EDGE_WORK_ASK, user))
        return;
    char session[EDGE_SESSION_ID_BYTES];
    edge__session_id(s, session);
    edge_presence_ask(s->all->app->presence, session, m->get_presence);
}

static void on_ack_messages(struct edge_session *s, const CM(ClientMessage) * m)
{
    char session[EDGE_SESSION_ID_BYTES];
    edge__session_id(s, session);
    struct edge_message_sender from = {s->user->id, s->user->name, session};
    edge_messages_ack(s->all->app->messages, &from, m->ack_messages->seq, m->ack_messages->has_rest && m->ack_messages->rest);
}

static void on_ack(struct edge_session *s, const CM(ClientMessage) * m)
{
    if (m->ack->offset <= s->offset)
        edge_ring_ack(&s->all->pool, &s->ring, m->ack->offset);
    else
        bad_field(s, "ack", "offset: beyond the last one sent");
}

static void on_ping(struct edge_session *s, const CM(ClientMessage) * m)
{
    (void)m;
    CM(Pong) p = MERIDIAN__CLIENT__V1__PONG__INIT;
    CM(ServerMessage) answer = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    p.at_ms = mer_clock_wall_ms(&s->all->app->clock);
    answer.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_PONG;
    answer.pong = &p;
    edge__session_send(s, &answer);
}

static void handle(struct edge_session *s, const CM(ClientMessage) * m)
{
    bool first = s->fresh;
    if (s->state == EDGE_SESSION_AUTH && m->body_case != BODY(AUTH)) {
        edge__session_error(s, CODE(NOT_AUTHENTICATED), "auth comes first", NULL, 0);
        return;
    }
    s->fresh = false;
    if (m->body_case != BODY(RESUME))
        edge__take_idle(s);
    switch (m->body_case) {
    case BODY(AUTH):
        on_auth(s, m);
        break;
    case BODY(RESUME):
        on_resume(s, m, first); /* s may be gone afterwards */
        break;
    case BODY(FIND_MATCH):
        on_find_match(s, m);
        break;
    case BODY(CANCEL_MATCH):
        on_cancel(s, m);
        break;
    case BODY(EXPLAIN_MATCH):
        on_explain(s, m);
        break;
    case BODY(MOVE):
        on_move(s, m);
        break;
    case BODY(LEAVE_GAME):
        on_leave(s, m);
        break;
    case BODY(GET_GAME):
        on_get_game(s, m);
        break;
    case BODY(ACK):
        on_ack(s, m);
        break;
    case BODY(PING):
        on_ping(s, m);
        break;
    case BODY(SEND_MESSAGE):
        on_send_message(s, m);
        break;
    case BODY(GET_PRESENCE):
        on_get_presence(s, m);
        break;
    case BODY(ACK_MESSAGES):
        on_ack_messages(s, m);
        break;
    default:
        edge__session_error(s, CODE(UNKNOWN_TYPE), "no message of this type is known", NULL, 0);
    }
}

/* --- before that --------------------------------------------------------------------------------------------------------------------- */

static void new_minute(struct edge_session *s)
{
    uint32_t minute = (uint32_t)(s->all->app->loop.now_ms / 60000);
    if (s->minute != (uint16_t)minute) {
        s->minute = (uint16_t)minute;
        s->bad = s->limited = 0;
    }
}

/* Over the rate of the connection or of the user: answered, and closed when it goes on. */
static bool within_rate(struct edge_session *s)
{
    struct edge_sessions *all = s->all;
    uint64_t now = all->app->loop.now_ms;
    bool ok = mer_bucket_take(&s->rate, all->rate, now);
    if (ok && s->user != NULL)
        ok = mer_bucket_take(&s->user->rate, all->rate, now);
    if (ok)
        return true;
    all->values[M_LIMITED]++;
    new_minute(s);
    if (++s->limited >= EDGE_LIMITED_MESSAGES_A_MINUTE)
        edge_conn_close(s->conn, EDGE_CLOSE_POLICY, "flood;retry=30000");
    else
        edge__session_error(s, CODE(RATE_LIMITED), "too many messages", NULL, 1000);
    return false;
}

static void refuse(struct edge_session *s, const struct mer_json_error *e)
{
    char text[128];
    const char *re = e->type[0] != 0 ? e->type : NULL;
    switch (e->fault) {
    case MER_JSON_UNKNOWN_TYPE:
        edge__session_error(s, CODE(UNKNOWN_TYPE), "no message of this type is known", re, 0);
        return;
    case MER_JSON_BAD_FIELD:
        snprintf(text, sizeof(text), "%s: missing, or not of the right kind", e->field);
        edge__session_error(s, CODE(BAD_FIELD), text, re, 0);
        return;
    case MER_JSON_NOMEM:
        edge__session_error(s, CODE(OVERLOADED), "out of memory", NULL, 1000);
        return;
    default:
        new_minute(s);
        if (++s->bad >= EDGE_BAD_MESSAGES_A_MINUTE)
            edge_conn_close(s->conn, EDGE_CLOSE_POLICY, "bad_json;retry=30000");
        else
            edge__session_error(s, CODE(BAD_JSON), "not a JSON object of this protocol", NULL, 0);
    }
}

void edge__dispatch(struct edge_session *s, enum edge_opcode op, uint8_t *data, size_t len)
{
    struct mer_json_error e = {.fault = MER_JSON_BAD};
    CM(ClientMessage) *m = NULL;
    if (edge__take_later(s, op, data, len))
        return;
    s->all->values[M_IN]++;
    if (op != (s->encoding == EDGE_JSON ? EDGE_TEXT : EDGE_BINARY)) {
        edge_conn_close(s->conn, EDGE_CLOSE_TYPE, "wrong_encoding");
        return;
    }
    if (!within_rate(s))
        return;
    if (s->encoding == EDGE_JSON) {
        m = (CM(ClientMessage) *)mer_json_parse(&meridian__client__v1__client_message__descriptor, (const char *)data, len, &e);
    } else {
        m = meridian__client__v1__client_message__unpack(NULL, len, data);
        if (m != NULL && mer_json_check_unpacked(&m->base, &e) != MER_OK) {
            meridian__client__v1__client_message__free_unpacked(m, NULL);
            m = NULL;
        }
    }
    if (m == NULL) {
        refuse(s, &e);
        return;
    }
    handle(s, m);
    meridian__client__v1__client_message__free_unpacked(m, NULL);
}
