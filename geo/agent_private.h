/* SPDX-License-Identifier: Apache-2.0
 * agent_private.h - what the parts of agent.h share: agent.c (looking, deciding, life), agent_admin.c (the admin port), control.c
 * (operators over a link). */
#pragma once

#include "geo/agent.h"
#include "geo/journal.h"
#include "geo/policy.h"
#include "geo/probe.h"
#include "geo/reports.h"
#include "geo/wish.h"

struct geo_control;

enum { A_OUT, A_SHEDDING, A_STUCK, A_GUARDED, A_WISHED, A_TOLD, A_ALL_OUT, A_WRITTEN, A_WRITE_FAILED, A_STATE_AGE, A_COUNT };

struct geo_agent {
    struct geo_config conf;
    struct geo_footprint footprint;
    struct mer_clock clock;
    struct mer_rng rng;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_loop loop;
    struct mer_process process;
    char incarnation[64];
    struct mer_admin *admin;
    struct geo_control *control; /* NULL: nobody may ask */
    SSL_CTX *tls;
    struct geo_probe_conf probe_conf;
    struct geo_probe probe[GEO_REGIONS_MAX][GEO_ADDRESSES_MAX];
    struct geo_reports *reports;
    struct geo_journal *journal;
    struct geo_policy policy;
    struct geo_reading reading[GEO_REGIONS_MAX];
    char why[GEO_REGIONS_MAX][256];            /* of the last look */
    uint64_t changed_ms[GEO_REGIONS_MAX];      /* of the answer; birth: since then */
    struct geo_wished wished[GEO_REGIONS_MAX]; /* by operators, here */
    struct geo_wished told[GEO_REGIONS_MAX];   /* by the regions: drained or not, as last heard */
    struct mer_buf written;                    /* what the state file says */
    bool pending;                              /* it should say something else */
    uint64_t written_ms;                       /* when it was tried last; 0: never */
    uint64_t right_ms;                         /* the last second in which the file said what it should */
    struct mer_timer tick;
    uint64_t values[A_COUNT];
    struct mer_metric_set set;
};

/* agent.c: journalled, and in force from the next second on. MER_EIO: not journalled, so not in force. */
MER_MUST_CHECK enum mer_err geo__agent_wish(struct geo_agent *a, uint32_t region, const struct geo_wished *w);
/* agent.c: why DNS says of a region what it says. */
void geo__agent_reason(const struct geo_agent *a, uint32_t region, char *out, size_t size);
/* agent_admin.c */
void geo__agent_admin(struct geo_agent *a);
