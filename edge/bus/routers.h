/* SPDX-License-Identifier: Apache-2.0
 * routers.h - the edge's links to its region's routers. Every router is dialled and gets a report every second; one of them is the leader
 * (it says so, with the epoch of its lease). Instructions that carry a lower epoch than the highest seen are refused and counted. Without
 * routers live games go on; only new matches wait. */
#pragma once

#include <meridian/link.h>

#include "meridian/internal/v1/internal.pb-c.h"

struct edge_routers;

typedef void (*edge_routers_cb)(void *ctx, const Meridian__Internal__V1__RouterMessage *m); /* borrowed; from the leader, epoch checked */

struct edge_routers_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_rng rng;
    struct mer_metrics *metrics;
    const char *region, *id, *incarnation; /* kept */
    const char *const *addresses;          /* kept */
    size_t address_count;
    SSL_CTX *tls_client;
    /* Fills the report (strings borrowed until the call returns to the caller's turn). */
    void (*report)(void *ctx, Meridian__Internal__V1__EdgeReport *r);
    /* A (new) leader is there: hand in what it must know (tickets). */
    void (*leader)(void *ctx, uint64_t epoch);
    void *ctx;
};

MER_MUST_CHECK enum mer_err edge_routers_create(struct edge_routers **out, const struct edge_routers_conf *conf);
void edge_routers_on(struct edge_routers *r, Meridian__Internal__V1__RouterMessage__BodyCase kind, edge_routers_cb cb, void *ctx);
/* To the leader; MER_ECLOSED when there is none (the caller hands in again when `leader` is called). */
MER_MUST_CHECK enum mer_err edge_routers_send(struct edge_routers *r, const Meridian__Internal__V1__RouterMessage *m);
bool edge_routers_have_leader(const struct edge_routers *r);
/* Report now instead of within a second (draining, full). */
void edge_routers_report_now(struct edge_routers *r);
void edge_routers_destroy(struct edge_routers *r);
