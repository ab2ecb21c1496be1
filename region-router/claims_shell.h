/* SPDX-License-Identifier: Apache-2.0
 * claims_shell.h - claims.h on the loop: its questions and notes in Redis, its orders to edges. */
#pragma once

#include "region-router/claims.h"

#include <meridian/loop.h>
#include <meridian/metric.h>

#include "meridian/internal/v1/internal.pb-c.h"

struct router_app;

enum {
    ROUTER_CS_KNOWN,
    ROUTER_CS_AWAY,
    ROUTER_CS_DEAD,
    ROUTER_CS_BRAKED,
    ROUTER_CS_COUNTS,
    ROUTER_CS_COUNT = ROUTER_CS_COUNTS + ROUTER_C_COUNT
};

struct router_claimer {
    struct router_app *app;
    struct router_claims claims;
    char edges[64], lease[64]; /* keys */
    bool leading, loaded, loading, noting;
    uint64_t term, totals[ROUTER_C_COUNT];
    unsigned calls; /* without an answer yet */
    struct mer_timer tick;
    uint64_t values[ROUTER_CS_COUNT];
    struct mer_metric_set set;
};

void router_claimer_init(struct router_claimer *c, struct router_app *app);
void router_claimer_start(struct router_claimer *c);
void router_claimer_stop(struct router_claimer *c);
/* An edge's link; ignored while not leading. */
void router_claimer_up(struct router_claimer *c, const struct router_edge *e);
void router_claimer_down(struct router_claimer *c, const struct router_edge *e);
void router_claimer_answer(struct router_claimer *c, const struct router_edge *from, const Meridian__Internal__V1__GamesClaimed *m);
/* POST /claims: what the brake holds may be dead. */
int router_claimer_allow(void *ctx, const char *query, struct mer_buf *out);
/* For /status: a JSON array of the incarnations that are not linked. */
MER_MUST_CHECK enum mer_err router_claimer_status(const struct router_claimer *c, struct mer_buf *out);
/* Call after mer_redis_destroy. */
void router_claimer_deinit(struct router_claimer *c);
