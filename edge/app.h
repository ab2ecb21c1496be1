/* SPDX-License-Identifier: Apache-2.0
 * app.h - one edge: its configuration, frozen, and its parts, born top down and destroyed bottom up. Many may live in one process. */
#pragma once

#include <meridian/admin.h>
#include <meridian/link.h>
#include <meridian/process.h>
#include <meridian/redis.h>
#include <meridian/token.h>
#include <meridian/trace_export.h>

#include "edge/bus/bus.h"
#include "edge/bus/routers.h"
#include "edge/config.h"
#include "edge/game/host.h"
#include "edge/game/seats.h"
#include "edge/net/http.h"
#include "edge/session/sessions.h"
#include "edge/store/store.h"

struct edge_tickets;
struct edge_api;
struct edge_blame;
struct edge_claims;
struct edge_handover;
struct edge_leave;
struct edge_messages;
struct edge_presence;
struct edge_overload;

struct edge_app {
    struct edge_config conf;
    struct mer_clock clock;
    struct mer_rng rng;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_loop loop;
    struct mer_process process;
    char incarnation[64]; /* id.xxxxxxxx, new at every start */
    char *redis_password;
    struct mer_keys *keys, *guest_keys, *regions_keys;
    SSL_CTX *tls;
    struct mer_admin *admin;
    struct mer_trace_export *trace; /* NULL: nothing is traced */
    struct mer_redis *redis;
    struct edge_store *store;
    struct edge_bus *bus;
    struct edge_routers *routers;
    struct edge_blame *blame;
    struct edge_far *far;
    struct edge_host *host;
    struct edge_abroad *abroad;
    struct edge_claims *claims;
    struct edge_handover *handover;
    struct edge_leave *leave;
    struct edge_seats *seats;
    struct edge_sessions *sessions;
    struct edge_tickets *tickets;
    struct edge_messages *messages;
    struct edge_presence *presence;
    struct edge_api *api;
    struct edge_overload *overload;
    struct edge_net *net;
    struct edge_http *http;
    struct mer_timer tick; /* every second: readiness, load, watchdog */
    uint64_t busy_us_before, tick_us_before;
    uint32_t load_permille;
    int exit_code;
    char hostname[64], ws_url[320];
    struct edge_upgrade_route upgrades[2];
};

/* conf is taken, also on failure. msg says what is wrong. */
MER_MUST_CHECK enum mer_err edge_app_create(struct edge_app **out, struct edge_config *conf, struct mer_msg *msg);
/* Runs until the process is stopped; returns the exit code. */
int edge_app_run(struct edge_app *app);
void edge_app_destroy(struct edge_app *app);
