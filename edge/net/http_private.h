/* SPDX-License-Identifier: Apache-2.0
 * http_private.h - what the files of the HTTP front share (http.c, listen.c, upgrade.c, files.c). */
#pragma once

#include <h2o.h>

#include "edge/net/http.h"
#include "edge/net/net_private.h"
#include "edge/net/proxy.h"

enum edge__refuse { EDGE__REFUSE_NO, EDGE__REFUSE_RATE, EDGE__REFUSE_FULL };

enum {
    EDGE__ACCEPTS = 64,         /* a wake (architecture, section 3) */
    EDGE__REFUSALS = 64,        /* connections at a time that are kept open only to be told 503 */
    EDGE__ETAG_BYTES = 20,      /* 16 hex digits in quotes */
    EDGE__BODY_HARD = 64 * 1024 /* what h2o reads at most; it answers larger ones itself, in plain text */
};

/* An accepted connection that is not upgraded (yet). Owned by its h2o socket, through on_close. */
struct edge__pending {
    struct edge_http *http;
    struct mer_list node;
    h2o_socket_t *sock;
    SSL *ssl; /* once the handshake is done; h2o's */
    uint64_t accepted_ms;
    struct edge_addr peer;
    bool tls, tracked;
    bool let_in; /* the gate was asked already */
    struct mer_bucket requests;
    uint8_t refuse;                    /* enum edge__refuse */
    struct edge__upgrading *upgrading; /* a 101 is being written */
};

struct edge__listener {
    struct edge_http *http;
    struct mer_list node;
    uv_poll_t poll;
    struct mer_timer pause; /* not even the spare descriptor is left */
    int fd;
    h2o_accept_ctx_t accept;
    char address[EDGE_ADDR_TEXT_BYTES];
};

struct edge__handler {
    h2o_handler_t super;
    struct edge_http *http;
};

struct edge_http {
    struct edge_http_conf conf;
    struct edge_net *net;
    h2o_globalconf_t globalconf;
    h2o_context_t context;
    struct edge_origin_rules origins;
    struct edge_cidr *balancers;
    uint8_t *upgrade_kinds;          /* of conf.upgrades */
    char (*etags)[EDGE__ETAG_BYTES]; /* of conf.files */
    struct mer_list listeners, pending, proxied;
    uint32_t refusals; /* of the pending */
    int spare_fd;      /* given up at EMFILE to accept and close one */
    bool refuse_new, listening_stopped, destroying;
};

/* What is being answered. */
struct edge__exchange {
    struct edge_http *http;
    h2o_req_t *h2o;
    struct edge__pending *pending;
    const struct edge_head *head;
    bool answered;
};

/* http.c */
int edge__http_request(h2o_handler_t *handler, h2o_req_t *req);
void edge__http_answer(struct edge__exchange *x, int status, const char *type, const void *body, size_t len, bool copy);
void edge__http_fail(struct edge__exchange *x, int status, const char *code, const char *message, uint32_t retry_after_ms);
void edge__http_add_header(struct edge__exchange *x, const char *name, const char *value);
uint32_t edge__http_retry_ms(struct edge_http *h);
/* The gate lets an upgrade with this query in; counted when not. */
bool edge__http_lets_in(struct edge_http *h, struct edge_text query);

/* listen.c */
void edge__listen_stop(struct edge_http *h);
void edge__listen_drop_all(struct edge_http *h);
/* The pending connection left h2o, upgraded or not. */
void edge__pending_free(struct edge__pending *p, bool upgraded);

/* refuse.c: answers that cost a system call or three, for when there is no time for h2o. Descriptors of plain connections, non-blocking. */
/* 503 to whatever was asked; takes fd. */
void edge__refuse_fd(struct edge_http *h, int fd);
/* Reads what has come without taking it: an upgrade that the gate does not let in is answered 503, fd taken: true. Else false; *let_in: the
 * gate was asked and said yes. */
bool edge__refuse_early(struct edge_http *h, int fd, bool *let_in);

/* fault.c: answers that are libh2o's own become JSON, too. */
void edge__fault_filter(struct edge_http *h, h2o_hostconf_t *host);

/* upgrade.c: writes the 101; the rest happens when it is out. */
void edge__upgrade(struct edge__exchange *x, size_t route, const struct edge_handshake *hs);
/* The socket went while the 101 was being written. */
void edge__upgrade_abandon(struct edge__upgrading *u);

/* files.c */
const struct mer_web_file *edge__file_find(const struct edge_http *h, struct edge_text path);
void edge__file_send(struct edge__exchange *x, const struct mer_web_file *f);
enum mer_err edge__file_etags(struct edge_http *h);
