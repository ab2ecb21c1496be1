/* SPDX-License-Identifier: Apache-2.0
 * app.h - one router: its configuration, frozen, and its parts, born top down and destroyed bottom up. Many may live in one process. */
#pragma once

#include <meridian/admin.h>
#include <meridian/link.h>
#include <meridian/process.h>
#include <meridian/redis.h>
#include <meridian/trace_export.h>

#include "region-router/claims_shell.h"
#include "region-router/config.h"
#include "region-router/console/console.h"
#include "region-router/console/pace.h"
#include "region-router/control.h"
#include "region-router/cross_shell.h"
#include "region-router/edges.h"
#include "region-router/electable_shell.h"
#include "region-router/match.h"
#include "region-router/mesh.h"
#include "region-router/news_shell.h"
#include "region-router/region_life.h"
#include "region-router/region_report.h"
#include "region-router/relay_shell.h"
#include "region-router/standby.h"

struct router_app {
    struct router_config conf;
    struct mer_clock clock;
    struct mer_rng rng;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_loop loop;
    struct mer_process process;
    char incarnation[64]; /* id.xxxxxxxx, new at every start */
    char *redis_password;
    struct mer_admin *admin;
    struct mer_trace_export *trace; /* NULL: nothing is traced */
    struct router_control *control; /* NULL: nobody may ask */
    struct mer_redis *redis;
    struct mer_links *links;
    struct router_relays *relays;
    struct router_mesh *mesh; /* links to the other regions; mesh of nobody: never NULL once created */
    struct router_standby *standby;
    struct router_keeper *keeper;
    struct router_claimer claimer;
    struct router_edges edges;
    struct router_region_report region_report;
    struct router_region_life region_life;
    struct router_newsroom newsroom;
    struct router_console console;
    struct router_pace pace;    /* of games */
    struct mer_link *to_leader; /* dialled to the holder of the lease; NULL: none, or we are it */
    char leader[ROUTER_HOLDER_BYTES];
    bool leading; /* the matcher is alive */
    struct router_matcher matcher;
    struct router_crossing crossing; /* matches with other regions */
    struct mer_timer match_timer;    /* what the matcher wants next */
    struct mer_hook match_hook;
    struct mer_timer stopping; /* SIGTERM: releasing the lease may take so long */
    uint64_t matcher_totals[ROUTER_M_COUNT], matcher_values[ROUTER_M_COUNT];
    struct mer_metric_set matcher_set, waited_set;
};

/* conf is taken, also on failure. msg says what is wrong. */
MER_MUST_CHECK enum mer_err router_app_create(struct router_app **out, struct router_config *conf, struct mer_msg *msg);
/* Runs until the process is stopped; returns the exit code. */
int router_app_run(struct router_app *app);
void router_app_destroy(struct router_app *app);

/* Games begun by matches of ours, since this process began. */
static inline uint64_t router_app_games(const struct router_app *app)
{
    return app->matcher_totals[ROUTER_M_CREATED] + app->matcher.counts[ROUTER_M_CREATED];
}

/* lead.c: what the leader does. */
void router__lead_init(struct router_app *app);
/* We lead from now on, or no more. */
void router__lead_start(struct router_app *app);
void router__lead_stop(struct router_app *app);
/* The epoch to act with; 0: we may not. */
uint64_t router__lead_epoch(const struct router_app *app);
/* A message of an edge while we lead; false when edges do not say such things. */
bool router__lead_message(struct router_app *app, struct router_edge *e, const Meridian__Internal__V1__RouterMessage *m);
/* status.c: the admin port's /status. */
int router__status(void *ctx, const char *query, struct mer_buf *out);
