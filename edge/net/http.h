/* SPDX-License-Identifier: Apache-2.0
 * http.h - the player port: listens, reads PROXY v2 from listed balancers, throttles, admits; then libh2o ends TLS and speaks HTTP/1.1;
 * what is asked is answered here: the API routes of the caller's table, the compiled-in page, or an upgrade to WebSocket, after which the
 * descriptor leaves h2o and becomes an edge_conn.
 *
 * Every error is JSON: {"error":{"code","message","retryAfterMs"?}}, no-store, and echoes nothing of the request. */
#pragma once

#include "edge/net/conn.h"
#include "edge/net/handshake.h"
#include "edge/net/web.h"

struct edge_http;

/* One request, valid inside the route's handler. Texts are borrowed and not terminated. */
struct edge_request {
    struct edge_text method, path, query; /* query without '?', len 0 when absent; never logged: it may hold a token */
    struct edge_text body;                /* at most body_max_bytes of the configuration, else 413 before the handler */
    struct edge_text bearer;              /* of `Authorization: Bearer x`; len 0 when absent */
    struct edge_text origin;              /* len 0 when absent */
    struct edge_addr peer;
    bool tls;
    void *http_private;
};

/* Must call edge_http_reply or edge_http_error exactly once before it returns (else 500). */
typedef void (*edge_route_cb)(void *ctx, struct edge_request *req);

struct edge_route {
    const char *method; /* "GET" (HEAD is answered from it), "POST" */
    const char *path;   /* exact, "/v1/guest" */
    edge_route_cb handler;
    void *ctx;
};

/* Before reply or error: a further header. Both are copied. */
void edge_http_header(struct edge_request *req, const char *name, const char *value);
/* body is copied. type NULL without a body (204). Dynamic answers are no-store. */
void edge_http_reply(struct edge_request *req, int status, const char *type, const void *body, size_t len);
/* code and message are fixed texts of ours. retry_after_ms 0: none; else also a Retry-After header in whole seconds, rounded up. */
void edge_http_error(struct edge_request *req, int status, const char *code, const char *message, uint32_t retry_after_ms);

/* What an upgrade was asked with; valid inside `opened`. */
struct edge_upgrade {
    int subprotocol; /* index into the route's list: the first one of the client's list that we know; -1 when none was offered */
    struct edge_text query, origin;
    uint64_t accepted_ms; /* loop time the descriptor was accepted at */
};
struct edge_upgrade_route {
    const char *path;
    const char *const *subprotocols; /* NULL-terminated; NULL: the route ignores what is offered */
    const struct edge_conn_ops *ops;
    /* The 101 is written. May set c->user, send, close. Early messages follow after it returned. */
    void (*opened)(void *ctx, struct edge_conn *c, const struct edge_upgrade *info);
    void *ctx;
};
/* A route that sends every message back as it came. */
struct edge_upgrade_route edge_echo_route(const char *path);

/* Who decides under load what comes in. All may be called at any time after edge_http_create; none may call back into the http. */
struct edge_gate {
    bool (*hurry)(void *ctx);                           /* refusals should be cheap now */
    bool (*handshake)(void *ctx);                       /* a TLS handshake; before it nothing is known but the address */
    bool (*upgrade)(void *ctx, struct edge_text query); /* false: answered 503 */
    uint32_t (*retry_ms)(void *ctx);                    /* for that answer */
    void *ctx;
};

struct edge_http_conf {
    struct edge_net *net; /* kept */
    const char *server;   /* Server header; NULL: none */
    const struct edge_route *routes;
    size_t route_count;
    const struct edge_upgrade_route *upgrades;
    size_t upgrade_count;
    const struct mer_web_file *files; /* NULL: none; "/" is "/index.html" */
    const char *const *origins;       /* exact, "https://play.example"; "*" allows any; kept */
    size_t origin_count;
    const char *const *hosts;     /* NULL-terminated names this edge answers to, without port; NULL: any; kept */
    bool same_origin;             /* also allow an Origin whose host:port is the request's Host */
    bool hsts;                    /* Strict-Transport-Security on answers over TLS */
    bool native;                  /* allow requests without an Origin */
    const char *const *balancers; /* networks whose connections begin with a PROXY v2 header */
    size_t balancer_count;
    uint32_t request_ms;                 /* headers, TLS handshake, PROXY header: each within 5 s */
    uint32_t body_max_bytes;             /* 4096 */
    uint32_t retry_min_ms, retry_max_ms; /* Retry-After of 503, drawn between them: 1-30 s */
    struct mer_bucket_rate requests;     /* of one connection that is kept alive; beyond: 429 and closed */
    struct edge_gate gate;               /* upgrade NULL: everything comes in */
};
void edge_http_conf_default(struct edge_http_conf *c);

/* conf is copied, what it points to is kept. Registers routes before the first listen. */
MER_MUST_CHECK enum mer_err edge_http_create(struct edge_http **out, const struct edge_http_conf *conf, struct mer_msg *msg);
/* Also after edge_http_stop_listening. address "0.0.0.0:8443", "[::]:8443", port 0: any free one. Each socket has SO_REUSEPORT when
 * `shared`. tls NULL: plain; else from mer_tls_server_create, borrowed for the life of the http. Several may be open. */
MER_MUST_CHECK enum mer_err edge_http_listen(struct edge_http *h, const char *address, SSL_CTX *tls, bool shared, struct mer_msg *msg);
/* Address of the i-th listener as it was bound, "127.0.0.1:40123"; NULL beyond the last. */
const char *edge_http_address(const struct edge_http *h, size_t i);
/* Draining: new upgrades get 503 with Retry-After; what is open stays. */
void edge_http_refuse_new(struct edge_http *h, bool refuse);
/* Closes the listening sockets only. Idempotent. */
void edge_http_stop_listening(struct edge_http *h);
/* Closes everything that is not upgraded, then frees. Runs the loop a few turns for that, so not from inside a callback of it. */
void edge_http_destroy(struct edge_http *h);
