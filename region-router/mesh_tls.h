/* SPDX-License-Identifier: Apache-2.0
 * mesh_tls.h - the certificate this router shows to other regions: loading, loading again, and how long it is still good. */
#pragma once

#include <meridian/loop.h>
#include <meridian/metric.h>
#include <meridian/tls.h>

struct router_app;

enum { ROUTER_MT_EXPIRES, ROUTER_MT_LOADED, ROUTER_MT_FAILED, ROUTER_MT_COUNT };

struct router_mesh_tls {
    struct router_app *app;
    SSL_CTX *client, *server; /* NULL: plain */
    struct mer_timer timer;   /* looks at the expiry; armed while there is a certificate */
    uint64_t values[ROUTER_MT_COUNT];
    struct mer_metric_set set;
};

void router_mesh_tls_init(struct router_mesh_tls *t, struct router_app *app);
/* Reads the files of the configuration (mesh_plain: does nothing). A certificate that does not name our region and role is refused; one
 * that has expired is not: the region lives on without the others. On failure what was there stays. */
MER_MUST_CHECK enum mer_err router_mesh_tls_load(struct router_mesh_tls *t, struct mer_msg *msg);
void router_mesh_tls_deinit(struct router_mesh_tls *t);
