/* SPDX-License-Identifier: Apache-2.0
 * session.c - a player's session: token, connecting, resuming, offsets, and coming back after a loss (R15: at once, then 1, 2, 5 s, each
 * with jitter). What the messages mean for the game is play.c's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/codec.h"
#include "tests/load/journal.h"
#include "tests/load/player.h"
#include "tests/load/roam.h"
#include "tests/load/ws.h"

#define CM(name) Meridian__Client__V1__##name
#define SM_BODY(name) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##name
#define CM_BODY(name) MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_##name

enum {
    TOKEN_S = 600,          /* 15 minutes is what edges take at most */
    CONNECT_MS = 10 * 1000, /* from connect to connected */
    POLICY_BACK_MS = 30000, /* protocol: 1008 */
    FLOOR_MS = 100,         /* a server that says "at once" to thousands of players does not get them all at once */
};

static struct load_player *player_of(struct load_conn *c)
{
    return MER_CONTAINER_OF(c, struct load_player, conn);
}

/* --- timers and states --------------------------------------------------------------------------------------------------------------- */

static void set_state(struct load_player *p, enum load_session_state s)
{
    p->run->online += (s == LOAD_UP) - (p->state == LOAD_UP);
    p->state = (uint8_t)s;
}

static uint32_t jittered(struct load_run *r, uint32_t ms)
{
    return ms + mer_rng_below(&r->rng, ms / 2 + FLOOR_MS);
}

static void come_back(struct load_player *p, uint32_t retry_ms)
{
    static const uint32_t steps_ms[] = {0, 1000, 2000, 5000};
    uint32_t wait_ms = steps_ms[p->tries < MER_COUNT(steps_ms) ? p->tries : MER_COUNT(steps_ms) - 1];
    if (p->tries < 255)
        p->tries++;
    if (p->tries > 1) /* the edge may be gone: any other will do */
        p->edge = (p->edge + 1) % p->run->endpoints.edges;
    load_run_arm(p->run, &p->timer, jittered(p->run, retry_ms > wait_ms ? retry_ms : wait_ms));
}

static void lost(struct load_player *p, uint32_t retry_ms)
{
    struct load_run *r = p->run;
    bool was_up = p->state == LOAD_UP;
    if (was_up) {
        r->count.lost++;
        p->began_us = r->now_us;
        p->tries = 0;
        p->back = true;
    } else {
        r->count.connect_failures++;
    }
    set_state(p, LOAD_DOWN);
    load_play_down(p);
    if (p->gone_for_good)
        return;
    if (p->roam)
        load_run_arm(r, &p->timer, load_roam_lost(p, was_up, retry_ms));
    else
        come_back(p, retry_ms);
}

static void on_timer(struct mer_timer *t)
{
    struct load_player *p = MER_CONTAINER_OF(t, struct load_player, timer);
    if (p->state == LOAD_DOWN) {
        load_player_connect(p);
    } else if (p->state == LOAD_UP) {
        load_player_ping(p);
    } else {
        load_journal_down(p, false, 0, 0);
        load_conn_close(&p->conn);
        p->run->count.silent++;
        lost(p, 0);
    }
}

enum mer_err load_player_init(struct load_player *p, struct load_run *r, uint32_t index)
{
    memset(p, 0, sizeof(*p));
    p->run = r;
    p->edge = index % r->endpoints.edges;
    snprintf(p->user, sizeof(p->user), "load-%s-%u", r->tag, index);
    mer_timer_init(&p->timer, on_timer);
    load_play_init(p);
    mer_list_init(&p->node);
    enum mer_err err = load_conn_add(&r->net, &p->conn);
    p->conn.session = p->session;
    return err;
}

/* --- out ----------------------------------------------------------------------------------------------------------------------------- */

void load_player_send(struct load_player *p, const CM(ClientMessage) * m)
{
    struct load_run *r = p->run;
    mer_buf_clear(&r->scratch);
    enum mer_err err = load_encode(r->o.proto, m, &r->scratch);
    MER_ASSERT(err == MER_OK); /* our own message; memory for it is there since the first one */
    (void)!load_conn_send(&p->conn, r->o.proto ? LOAD_WS_BINARY : LOAD_WS_TEXT, r->scratch.data, r->scratch.len); /* lost: on_down tells */
}

void load_player_ping(struct load_player *p)
{
    CM(ClientMessage) m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    CM(Ping) ping = MERIDIAN__CLIENT__V1__PING__INIT;
    m.body_case = CM_BODY(PING);
    m.ping = &ping;
    load_player_send(p, &m);
}

static void send_auth(struct load_player *p)
{
    struct load_run *r = p->run;
    char payload[512], token[1024];
    CM(ClientMessage) m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    CM(Auth) auth = MERIDIAN__CLIENT__V1__AUTH__INIT;
    int n = snprintf(payload, sizeof(payload), "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"name\":\"%s\",\"exp\":%llu}", r->o.issuer,
                     r->o.audience, p->user, p->user, (unsigned long long)(r->clock.wall_ms(r->clock.ctx) / 1000 + TOKEN_S));
    enum mer_err err = mer_token_sign(r->keys, payload, (size_t)n, token, sizeof(token));
    MER_ASSERT(err == MER_OK); /* the key has signed before: load_run_init tried it */
    auth.token = token;
    auth.device = (char *)"load";
    m.body_case = CM_BODY(AUTH);
    m.auth = &auth;
    load_player_send(p, &m);
}

static void send_resume(struct load_player *p)
{
    CM(ClientMessage) m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    CM(Resume) resume = MERIDIAN__CLIENT__V1__RESUME__INIT;
    resume.session = p->session;
    resume.epoch = p->epoch;
    resume.offset = p->offset;
    m.body_case = CM_BODY(RESUME);
    m.resume = &resume;
    load_player_send(p, &m);
}

/* --- in ------------------------------------------------------------------------------------------------------------------------------ */

static void up(struct load_player *p, bool fresh)
{
    struct load_run *r = p->run;
    load_run_time(r, p->back ? LOAD_TIME_RECONNECTED : LOAD_TIME_CONNECTED, p->began_us);
    r->count.connects += !p->back;
    r->count.reconnects += p->back;
    p->tries = 0;
    set_state(p, LOAD_UP);
    mer_wheel_disarm(&r->wheel, &p->timer);
    if (p->roam)
        load_roam_up(p);
    load_play_up(p, fresh);
}

static void take_session(struct load_player *p, const CM(Connected) * c)
{
    snprintf(p->session, sizeof(p->session), "%s", c->session);
    p->epoch = c->epoch;
    p->offset = c->offset;
    for (uint32_t i = 0; i < p->run->endpoints.edges; i++)
        if (strcmp(p->run->endpoints.edge[i].server.id, c->edge) == 0)
            p->edge = i;
}

static void resumed(struct load_player *p, const CM(Connected) * c)
{
    struct load_count *n = &p->run->count;
    bool replayed = c->has_resume && c->resume == MERIDIAN__CLIENT__V1__RESUME_OUTCOME__RESUME_OUTCOME_REPLAYED;
    n->replayed += replayed;
    n->gone += c->has_resume && c->resume == MERIDIAN__CLIENT__V1__RESUME_OUTCOME__RESUME_OUTCOME_GONE;
    n->snapshot_resumes += c->has_resume && c->resume == MERIDIAN__CLIENT__V1__RESUME_OUTCOME__RESUME_OUTCOME_SNAPSHOT;
    uint64_t offset = p->offset;
    take_session(p, c);
    if (replayed)
        p->offset = offset; /* the missed messages follow, numbered on from what we have */
    load_journal_up(p, c);
    up(p, !replayed);
}

static void on_connected(struct load_player *p, const CM(Connected) * c)
{
    if (strcmp(c->user, p->user) != 0)
        load_fault(&p->run->faults, LOAD_FAULT_PROTOCOL, "%s is connected as %s", p->user, c->user);
    if (p->state == LOAD_AUTH && p->session[0]) {
        set_state(p, LOAD_RESUMING);
        send_resume(p);
    } else if (p->state == LOAD_AUTH) {
        take_session(p, c);
        load_journal_up(p, c);
        up(p, true);
    } else if (p->state == LOAD_RESUMING) {
        resumed(p, c);
    } /* UP: the token was renewed */
}

/* `offset` grows by one on every message that has one. */
static void check_offset(struct load_player *p, const CM(ServerMessage) * m)
{
    if (!m->has_offset || p->state == LOAD_RESUMING) /* a session that will be forgotten */
        return;
    if (m->offset != p->offset + 1)
        load_fault(&p->run->faults, LOAD_FAULT_OFFSET, "%s: offset %llu after %llu", p->user, (unsigned long long)m->offset,
                   (unsigned long long)p->offset);
    p->offset = m->offset;
}

static void message(struct load_player *p, const CM(ServerMessage) * m)
{
    p->run->count.messages++;
    check_offset(p, m);
    switch ((int)m->body_case) {
    case SM_BODY(CONNECTED):
        on_connected(p, m->connected);
        break;
    case SM_BODY(BATCH):
        for (size_t i = 0; i < m->batch->n_messages && p->state == LOAD_UP; i++)
            message(p, m->batch->messages[i]);
        break;
    case SM_BODY(ERROR):
        if ((unsigned)m->error->code < LOAD_ERROR_CODES)
            p->run->count.errors[m->error->code] += m->error->code != MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_TOKEN_EXPIRING;
        if (m->error->code == MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_TOKEN_EXPIRING)
            send_auth(p);
        else
            load_play_message(p, m);
        break;
    case SM_BODY(SERVER_MAINTENANCE):
        break; /* the close frame follows and says when to come back */
    default:
        if (p->state == LOAD_UP)
            load_play_message(p, m);
    }
}

static void on_message(struct load_conn *c, const uint8_t *data, size_t len)
{
    struct load_player *p = player_of(c);
    CM(ServerMessage) *m = load_decode(p->run->o.proto, data, len);
    if (p->roam)
        load_roam_heard(p);
    if (!m) {
        load_fault(&p->run->faults, LOAD_FAULT_PROTOCOL, "%s cannot read: %.*s", p->user,
                   p->run->o.proto ? 0 : (int)(len < 160 ? len : 160), (const char *)data);
        return;
    }
    message(p, m);
    meridian__client__v1__server_message__free_unpacked(m, NULL);
}

static void on_open(struct load_conn *c)
{
    struct load_player *p = player_of(c);
    set_state(p, LOAD_AUTH);
    send_auth(p);
}

/* 3007: the edge to go to stands in the reason. */
static void follow(struct load_player *p, const char *reason)
{
    const struct load_endpoints *e = &p->run->endpoints;
    const char *at = strstr(reason, "edge=");
    for (uint32_t i = 0; at && i < e->edges; i++)
        if (strncmp(at + 5, e->edge[i].server.id, strcspn(at + 5, ";")) == 0 && strlen(e->edge[i].server.id) == strcspn(at + 5, ";"))
            p->edge = i, p->sent_there = true;
    if (p->roam && p->sent_there)
        load_roam_sent(p);
}

static void on_down(struct load_conn *c, const struct load_end *end)
{
    struct load_player *p = player_of(c);
    struct load_run *r = p->run;
    uint32_t retry_ms = end->retry_ms;
    if (end->close_code)
        load_code_count(r->count.closes, end->close_code);
    if (end->status && end->status != 101)
        load_code_count(r->count.statuses, end->status);
    r->count.cut += p->state != LOAD_UP && !end->close_code && !end->status;
    load_journal_down(p, p->state == LOAD_UP, end->close_code, end->status);
    if (end->close_code == 1008 && retry_ms < POLICY_BACK_MS)
        retry_ms = POLICY_BACK_MS;
    if (end->close_code >= 3500 && end->close_code <= 3999) /* do not come back */
        p->gone_for_good = true;
    lost(p, retry_ms);
    if (end->close_code == 3007)
        follow(p, end->reason);
}

const struct load_net_cbs load_player_cbs = {.on_open = on_open, .on_message = on_message, .on_down = on_down};

/* --- connecting and leaving ---------------------------------------------------------------------------------------------------------- */

void load_player_connect(struct load_player *p)
{
    struct load_run *r = p->run;
    if (!p->back)
        p->began_us = r->now_us;
    set_state(p, LOAD_CONNECTING);
    load_run_arm(r, &p->timer, CONNECT_MS);
    bool shared = r->o.shared && !p->sent_there && r->endpoints.play.authority[0];
    p->sent_there = false; /* only the next try */
    const struct load_url *url = shared ? &r->endpoints.play : &r->endpoints.edge[p->edge].url;
    if (p->roam) {
        url = load_roam_url(p);
        load_roam_connecting(p);
    }
    if (load_conn_open(&p->conn, url) != MER_OK)
        lost(p, 0);
}

void load_player_abandon(struct load_player *p, uint32_t back_ms)
{
    struct load_run *r = p->run;
    if (p->state == LOAD_UP) {
        load_journal_down(p, true, 0, 0);
        p->began_us = r->now_us;
        p->back = true;
    }
    load_conn_close(&p->conn);
    set_state(p, LOAD_DOWN);
    load_play_down(p);
    load_run_arm(r, &p->timer, back_ms);
}

void load_player_drop(struct load_player *p, uint32_t back_ms)
{
    struct load_run *r = p->run;
    if (p->state != LOAD_UP)
        return;
    load_conn_close(&p->conn);
    load_journal_down(p, true, 0, 0);
    r->count.drops++;
    p->began_us = r->now_us;
    p->back = true;
    set_state(p, LOAD_DOWN);
    load_play_down(p);
    load_run_arm(r, &p->timer, back_ms);
}

void load_player_leave(struct load_player *p)
{
    p->gone_for_good = true;
    load_conn_close(&p->conn);
    set_state(p, LOAD_DOWN);
    mer_wheel_disarm(&p->run->wheel, &p->timer);
    load_play_down(p);
    if (p->roam)
        load_roam_leave(p);
}
