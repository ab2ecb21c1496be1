/* SPDX-License-Identifier: Apache-2.0
 * admin.h - the admin port (HTTP by libh2o, loopback): GET /livez, /readyz and /healthz (503 unless ready), /metrics, POST /drain, plus
 * routes of the service. Never on a public address: a listen address outside loopback is refused. */
#pragma once

#include <meridian/process.h>
#include <meridian/web.h>

struct mer_admin;

/* Fills `out` (application/json) and returns the HTTP status. `query` may be NULL. Borrowed. */
typedef int (*mer_admin_route_cb)(void *ctx, const char *query, struct mer_buf *out);

/* address "127.0.0.1:7450" (port 0: any). `msg` tells why not. */
MER_MUST_CHECK enum mer_err mer_admin_open(struct mer_admin **out, struct mer_loop *loop, struct mer_process *process,
                                           struct mer_metrics *metrics, const char *address, struct mer_msg *msg);
/* method "GET" or "POST", exact path. Strings are kept. */
void mer_admin_route(struct mer_admin *a, const char *method, const char *path, mer_admin_route_cb cb, void *ctx);
/* Pages for the browsers of people on this machine: each file at `prefix` and its path, "/index.html" also at `prefix` and "/"; they load
 * nothing from elsewhere. Only asked for by a name of this machine (127.0.0.0/8, localhost, [::1]; else 421), because any other may be a
 * site's that was made to point here. The table, which ends with a row without a path, and the string are kept. */
void mer_admin_files(struct mer_admin *a, const char *prefix, const struct mer_web_file *files);

/* Appends one line of text, the next thing to say. An error: nothing is said this time, whatever was appended. Never called while nobody
 * listens. */
typedef enum mer_err (*mer_admin_tell_cb)(void *ctx, struct mer_buf *out);
struct mer_admin_stream_conf {
    const char *path; /* kept */
    uint32_t period_ms;
    uint32_t stall_ms;      /* who takes nothing for so long is gone, or asleep: he may come back */
    uint32_t listeners_max; /* beyond: 503 */
    mer_admin_tell_cb tell;
    void *ctx;
};
/* Server-sent events by GET, to browsers as above: what `tell` says, at once and then every period, the same to all. Who has not yet taken
 * the last one is not sent the next, and after stall_ms of that he is cut off: nothing is buffered for anybody. */
void mer_admin_stream(struct mer_admin *a, const struct mer_admin_stream_conf *conf);
int mer_admin_port(const struct mer_admin *a);
/* Asynchronous; memory goes when its handles are closed. */
void mer_admin_close(struct mer_admin *a);
