/* SPDX-License-Identifier: Apache-2.0
 * region_life.h - whether this region is drained (decision 25). It stands in Redis, region:{<region>}, so that it outlives leaders; the
 * leader reads it when it comes to lead and tells it: to geo agents (region_report.h), to other regions (news_shell.h), and to the
 * matchmaker, which hosts no games for others here meanwhile (cross_shell.h). */
#pragma once

#include <meridian/loop.h>
#include <meridian/metric.h>

#include "region-router/note.h"
#include "region-router/region_drain.h"

enum { ROUTER_RL_DRAINING, ROUTER_RL_SECONDS, ROUTER_RL_READ_FAILED, ROUTER_RL_COUNT };

struct router_region_life {
    struct router_app *app;
    bool known; /* read since we lead; else `drain` is off, and that says nothing */
    struct router_region_drain drain;
    uint64_t term, doubts;  /* counts of leading, and of writes that nobody confirmed: what was asked before says nothing */
    struct mer_timer timer; /* leading and not known: reads again */
    uint64_t values[ROUTER_RL_COUNT];
    struct mer_metric_set set;
};

void router_region_life_init(struct router_region_life *r, struct router_app *app);
/* We lead, or no more. */
void router_region_life_start(struct router_region_life *r);
void router_region_life_stop(struct router_region_life *r);
/* Stored, told, then cb (router_note's errors); d->on false: not drained any more. On failure of the call itself nothing comes. */
MER_MUST_CHECK enum mer_err router_region_life_set(struct router_region_life *r, const struct router_region_drain *d, router_note_cb cb,
                                                   void *ctx);
/* Call after mer_redis_destroy. */
void router_region_life_deinit(struct router_region_life *r);
