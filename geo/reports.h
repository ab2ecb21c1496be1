/* SPDX-License-Identifier: Apache-2.0
 * reports.h - what the regions' routers tell: load, and whether anybody there takes new players. Every router of the configuration is
 * dialled and says something every second; the leader's word counts, or everybody's that there is none. A report that is older than 5 s is
 * none. */
#pragma once

#include <meridian/link.h>

#include "geo/config.h"
#include "geo/journal.h"

enum {
    GEO_REPORT_VALID_MS = 5000,
    GEO_LEADERLESS_MS = 10 * 1000, /* a leader's death costs a second, a failover of its shard 5 and a renewal */
};

struct geo_report {
    bool known, ready; /* somebody leads and told so lately; an edge there takes new players */
    bool leaderless;   /* every router that says anything says that for GEO_LEADERLESS_MS nobody has led: Redis is gone, or out of reach */
    uint64_t players, capacity, games;
    uint32_t edges, edges_ready;
    uint64_t age_ms;
};

struct geo_reports;
struct geo_reports_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_rng rng;
    struct mer_metrics *metrics;
    const struct geo_footprint *footprint; /* kept */
    const struct geo_config *config;       /* kept */
    const char *incarnation;               /* kept */
    /* The region says whether it is drained, with every report of a leader that knows; kind DRAIN or NOTHING. */
    void (*on_drain)(void *ctx, uint32_t region, const struct geo_wished *w);
    void *ctx;
};
MER_MUST_CHECK enum mer_err geo_reports_create(struct geo_reports **out, const struct geo_reports_conf *conf, struct mer_msg *msg);
struct geo_report geo_reports_of(const struct geo_reports *r, uint32_t region);
void geo_reports_destroy(struct geo_reports *r);
