/* SPDX-License-Identifier: Apache-2.0
 * electable_shell.h - the leader asks all nodes of the Redis Cluster what they are and know, and does what electable.h says. */
#pragma once

#include <meridian/log.h>
#include <meridian/loop.h>
#include <meridian/metric.h>
#include <meridian/redis.h>

#include "region-router/electable.h"

struct router_keeper;
struct router_keeper_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_metrics *metrics;
    struct mer_redis *redis;
    const char *region, *incarnation; /* kept */
    unsigned replicas;                /* configured */
    bool act;                         /* false: only ask (durability other than all) */
    uint64_t (*epoch)(void *ctx);     /* to act with; 0: not now */
    void *ctx;
};

MER_MUST_CHECK enum mer_err router_keeper_create(struct router_keeper **out, const struct router_keeper_conf *conf);
/* We lead from now on, or no more. Nothing is told to nodes for after_ms: an earlier leader may not have stopped yet. */
void router_keeper_start(struct router_keeper *k, uint32_t after_ms);
void router_keeper_stop(struct router_keeper *k);
/* For /status: a JSON array of the nodes. */
MER_MUST_CHECK enum mer_err router_keeper_status(const struct router_keeper *k, struct mer_buf *out);
/* Call after mer_redis_destroy. */
void router_keeper_destroy(struct router_keeper *k);
