/* SPDX-License-Identifier: Apache-2.0
 * admin_private.h - what the files of the admin port share: admin.c (connections, requests), admin_web.c (pages), admin_stream.c (events).
 */
#pragma once

#include <h2o.h>

#include <meridian/admin.h>

enum { MER__ADMIN_ROUTES = 32 /* no special reason */ };

enum { MER__ADMIN_REQUESTS, MER__ADMIN_ERRORS, MER__ADMIN_REFUSED, MER__ADMIN_LISTENERS, MER__ADMIN_DROPPED, MER__ADMIN_COUNT };

struct mer__admin_stream;

struct mer__admin_route {
    const char *method, *path, *type;
    mer_admin_route_cb cb;
    void *ctx;
    const struct mer_web_file *files; /* not NULL: path is a prefix */
    struct mer__admin_stream *stream;
};

struct mer_admin {
    struct mer_loop *loop;
    struct mer_process *process;
    struct mer_metrics *metrics;
    struct mer_metric_set metric_set;
    uint64_t values[MER__ADMIN_COUNT];
    uv_tcp_t listener;
    uv_prepare_t last; /* never started: closed last */
    h2o_globalconf_t conf;
    h2o_context_t ctx;
    h2o_accept_ctx_t accept;
    struct mer__admin_route routes[MER__ADMIN_ROUTES];
    unsigned route_count;
    struct mer_list conns, streams;
    unsigned conn_count;
    bool closing, listener_closed;
    struct mer_deferred later;
};

/* admin.c */
void mer__admin_add(struct mer_admin *a, const struct mer__admin_route *r);
/* The head of an answer, counted; the body is sent next. */
void mer__admin_head(struct mer_admin *a, h2o_req_t *req, int status, const char *type);
/* A whole answer. */
void mer__admin_answer(struct mer_admin *a, h2o_req_t *req, int status, const char *type, const struct mer_buf *body);
void mer__admin_error(struct mer_admin *a, h2o_req_t *req, int status, const char *message);

/* admin_web.c */
/* The request's Host is a name of this machine; else it was answered. */
bool mer__admin_is_here(struct mer_admin *a, h2o_req_t *req);
/* No page asks, or one of ours does, and only reads. */
bool mer__admin_origin_allowed(const h2o_req_t *req);
bool mer__admin_has_file(const struct mer__admin_route *r, const h2o_req_t *req);
void mer__admin_file(struct mer_admin *a, h2o_req_t *req, const struct mer__admin_route *r);

/* admin_stream.c */
void mer__admin_listen(struct mer__admin_stream *s, h2o_req_t *req);
/* Before the connections are shut down: who waits for the next event hears the end of the stream. */
void mer__admin_streams_close(struct mer_admin *a);
/* After h2o. */
void mer__admin_streams_free(struct mer_admin *a);
