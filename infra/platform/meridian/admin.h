/* SPDX-License-Identifier: Apache-2.0
 * admin.h - the admin port (HTTP by libh2o, loopback): GET /livez, /readyz and /healthz (503 unless ready), /metrics, POST /drain, plus
 * routes of the service. Never on a public address: a listen address outside loopback is refused. */
#pragma once

#include <meridian/process.h>

struct mer_admin;

/* Fills `out` (application/json) and returns the HTTP status. `query` may be NULL. Borrowed. */
typedef int (*mer_admin_route_cb)(void *ctx, const char *query, struct mer_buf *out);

/* address "127.0.0.1:7450" (port 0: any). `msg` tells why not. */
MER_MUST_CHECK enum mer_err mer_admin_open(struct mer_admin **out, struct mer_loop *loop, struct mer_process *process,
                                           struct mer_metrics *metrics, const char *address, struct mer_msg *msg);
/* method "GET" or "POST", exact path. Strings are kept. */
void mer_admin_route(struct mer_admin *a, const char *method, const char *path, mer_admin_route_cb cb, void *ctx);
int mer_admin_port(const struct mer_admin *a);
/* Asynchronous; memory goes when its handles are closed. */
void mer_admin_close(struct mer_admin *a);
