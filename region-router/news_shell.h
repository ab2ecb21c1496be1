/* SPDX-License-Identifier: Apache-2.0
 * news_shell.h - the news on the mesh: what we tell the leaders of other regions, and what theirs say, for the edges' list. */
#pragma once

#include <meridian/metric.h>
#include <meridian/wheel.h>

#include "region-router/news.h"

struct router_app;

enum { ROUTER_N_TAKEN, ROUTER_N_REFUSED, ROUTER_N_COUNT };

struct router_newsroom {
    struct router_app *app;
    struct router_news news;
    struct mer_timer timer; /* every ROUTER_NEWS_MS from init to deinit, where there are other regions: tells, and forgets who is silent */
    uint64_t values[ROUTER_N_COUNT];
    struct mer_metric_set set;
};

/* After the mesh. */
void router_newsroom_init(struct router_newsroom *r, struct router_app *app);
void router_newsroom_deinit(struct router_newsroom *r);
/* Our edges are others now, or one takes players, or none any more. */
void router_newsroom_tell(struct router_newsroom *r);
