/* SPDX-License-Identifier: Apache-2.0
 * auth.c - tokens of connections (R11): the upgrade's query or the `auth` message, renewal on the live connection, warning, grace and end.
 *
 * Timers of a LIVE session (one is armed): exp - 60 s: `token_expiring`; exp + 30 s: close 3001. A renewal arms it anew.
 * Owner: sessions. Next: dispatch.c, registry.c. */
#include <stdio.h>
#include <string.h>

#include "edge/session/overload.h"
#include "edge/session/session.h"
#include "meridian/client/v1/client.pb-c.h"

#define SM(x) Meridian__Client__V1__##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x

static enum mer_token_cause verify(struct edge_session *s, const char *token, size_t len, struct mer_claims *claims)
{
    struct edge_app *app = s->all->app;
    struct mer_token_rules rules = {app->conf.token_issuer, app->conf.token_audience, EDGE_TOKEN_SKEW_S, app->conf.token_max_lifetime_s};
    enum mer_token_cause cause = mer_token_verify(app->keys, &rules, token, len, mer_clock_wall_ms(&app->clock), claims);
    s->all->values[cause == MER_TOKEN_OK ? M_AUTHENTICATED : M_AUTH_FAILED + cause]++;
    return cause;
}

void edge__auth_connected(struct edge_session *s, int outcome, const char *reason)
{
    struct edge_app *app = s->all->app;
    char id[EDGE_SESSION_ID_BYTES];
    SM(Connected) c = MERIDIAN__CLIENT__V1__CONNECTED__INIT;
    SM(ServerMessage) m = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    edge__session_id(s, id);
    c.session = id;
    c.epoch = s->epoch;
    c.offset = s->offset;
    c.user = s->user->id;
    c.device = s->device;
    c.region = app->conf.region;
    c.edge = app->conf.id;
    c.heartbeat_ms = app->conf.heartbeat_ms;
    c.has_resume = outcome != 0;
    c.resume = (SM(ResumeOutcome))outcome;
    c.reason = (char *)reason;
    m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_CONNECTED;
    m.connected = &c;
    edge__session_send(s, &m);
}

void edge__auth_arm(struct edge_session *s)
{
    struct edge_app *app = s->all->app;
    uint64_t now = mer_clock_wall_ms(&app->clock), exp = (uint64_t)s->exp_s * 1000;
    if (now >= exp + EDGE_TOKEN_GRACE_MS) {
        edge_conn_close(s->conn, EDGE_CLOSE_TOKEN_EXPIRED, "token_expired");
        return;
    }
    if (now + EDGE_TOKEN_WARNING_MS >= exp && !s->warned) {
        s->warned = true;
        edge__session_error(s, CODE(TOKEN_EXPIRING), "the token expires soon: send auth with a newer one", NULL, 0);
    }
    mer_loop_arm(&app->loop, &s->timer, s->warned ? exp + EDGE_TOKEN_GRACE_MS - now : exp - EDGE_TOKEN_WARNING_MS - now);
}

static void renew(struct edge_session *s, const struct mer_claims *claims)
{
    if (strcmp(claims->sub, s->user->id) != 0) {
        edge__session_error(s, CODE(ALREADY_AUTHENTICATED), "this connection belongs to another user", "auth", 0);
        return;
    }
    /* An older token than the one we have changes nothing. */
    if (claims->exp_ms / 1000 > s->exp_s) {
        s->exp_s = (uint32_t)(claims->exp_ms / 1000);
        s->warned = false;
        s->all->values[M_RENEWED]++;
    }
    edge__auth_connected(s, 0, NULL);
    edge__auth_arm(s);
}

void edge__auth_token(struct edge_session *s, const char *token, size_t len, const char *device)
{
    struct mer_claims claims;
    enum mer_token_cause cause = verify(s, token, len, &claims);
    if (s->state == EDGE_SESSION_LIVE) {
        if (cause == MER_TOKEN_OK)
            renew(s, &claims);
        else
            edge__session_error(s, CODE(NOT_AUTHENTICATED), "the new token is not good; the old one still holds", "auth", 0);
        return;
    }
    if (cause != MER_TOKEN_OK) {
        bool expired = cause == MER_TOKEN_EXPIRED;
        edge_conn_close(s->conn, expired ? EDGE_CLOSE_TOKEN_EXPIRED : EDGE_CLOSE_AUTH, expired ? "token_expired" : "bad_token");
        return;
    }
    struct edge_overload *o = s->all->app->overload;
    if (!edge_overload_lets_in(o, claims.sub, s->returning)) {
        char reason[EDGE_CLOSE_REASON_MAX];
        snprintf(reason, sizeof(reason), "overload;retry=%u", edge_overload_retry_ms(o, EDGE_WORK_NEWCOMER));
        edge_conn_close(s->conn, EDGE_CLOSE_OVERLOAD, reason);
        return;
    }
    enum mer_err err = edge__session_admit(s, &claims, device);
    if (err != MER_OK) {
        bool busy = err == MER_EBUSY;
        edge_conn_close(s->conn, busy ? EDGE_CLOSE_POLICY : EDGE_CLOSE_INTERNAL, busy ? "too_many_devices" : "out_of_memory");
        return;
    }
    s->exp_s = (uint32_t)(claims.exp_ms / 1000);
    edge__auth_connected(s, 0, NULL);
    edge__auth_arm(s);
    edge__registry_connect(s, false);
}

void edge__auth_opened(void *ctx, struct edge_conn *c, const struct edge_upgrade *info)
{
    struct edge_app *app = ctx;
    char token[MER_TOKEN_MAX_BYTES + 1], device[EDGE_DEVICE_MAX + 1];
    struct edge_session *s = edge__session_create(app->sessions, c, info->subprotocol == 1 ? EDGE_PROTO : EDGE_JSON);
    if (s == NULL) {
        edge_conn_close(c, EDGE_CLOSE_OVERLOAD, "overload;retry=5000");
        return;
    }
    c->user = s;
    char session[EDGE_SESSION_ID_BYTES];
    s->returning = edge_query_get(info->query, "session", session, sizeof(session)) == MER_OK;
    enum mer_err have_token = edge_query_get(info->query, "token", token, sizeof(token));
    enum mer_err have_device = edge_query_get(info->query, "device", device, sizeof(device));
    if (have_device == MER_OK ? !mer_id_is_plain(device, strlen(device), EDGE_DEVICE_MAX) : have_device != MER_ENOTFOUND) {
        edge__session_error(s, CODE(BAD_FIELD), "device: 1 to 64 of A-Z a-z 0-9 _ -", "device", 0);
        edge_conn_close(c, EDGE_CLOSE_AUTH, "bad_device");
        return;
    }
    if (have_token == MER_ENOTFOUND)
        return; /* `auth` comes, or the deadline */
    if (have_token != MER_OK) {
        s->all->values[M_AUTH_FAILED + MER_TOKEN_MALFORMED]++;
        edge_conn_close(c, EDGE_CLOSE_AUTH, "bad_token");
        return;
    }
    edge__auth_token(s, token, strlen(token), have_device == MER_OK ? device : NULL);
    OPENSSL_cleanse(token, sizeof(token));
}

static void on_message(struct edge_conn *c, enum edge_opcode op, uint8_t *data, size_t len)
{
    if (c->user != NULL)
        edge__dispatch(c->user, op, data, len);
}

static void on_closed(struct edge_conn *c, uint16_t code)
{
    (void)code;
    if (c->user != NULL)
        edge__session_detach(c->user);
}

const struct edge_conn_ops edge__session_ops = {on_message, on_closed};
