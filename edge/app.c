/* SPDX-License-Identifier: Apache-2.0
 * app.c - one edge put together (C24). Players are let in when Redis is there; until then the process is STARTING and /readyz says 503.
 *
 * The end (leave.c decides when): Redis is destroyed before the parts whose calls are under way, because it gives each of them its last
 * answer. Owner: main.c. Next: app_parts.c, leave.h, session/session.h, game/host.h, net/http.h. */
#include "edge/app.h"

#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <meridian/id.h>
#include <meridian/mem.h>
#include <meridian/secret.h>
#include <meridian/tls.h>

#include "edge/app_parts.h"
#include "edge/game/claims.h"
#include "edge/game/handover.h"
#include "edge/leave.h"
#include "edge/room/messages.h"
#include "edge/room/presence.h"
#include "edge/session/api.h"
#include "edge/session/overload.h"
#include "edge/session/tickets.h"

enum {
    TICK_MS = 1000,
    WATCHDOG_S = 5, /* architecture section 3 */
};

/* --- start: files
 * --------------------------------------------------------------------------------------------------------------------------- */

static enum mer_err read_keys(struct edge_app *app, struct mer_msg *msg)
{
    const struct edge_config *c = &app->conf;
    enum mer_err err = mer_keys_load(&app->keys, c->token_keys, c->token_hs256_allowed, msg);
    if (err == MER_OK && c->guest_keys[0] != 0)
        err = mer_keys_load_signing(&app->guest_keys, c->guest_keys, c->token_hs256_allowed, msg);
    if (err == MER_OK && c->regions_keys[0] != 0)
        err = mer_keys_load_signing(&app->regions_keys, c->regions_keys, false, msg);
    if (err == MER_OK && c->tls_certificate[0] != 0)
        err = mer_tls_server_create(&app->tls, c->tls_certificate, c->tls_key, c->tls_tickets[0] != 0 ? c->tls_tickets : NULL, msg);
    return err;
}

static void on_reload(void *ctx)
{
    struct edge_app *app = ctx;
    struct mer_keys *keys;
    struct mer_msg msg;
    if (mer_keys_load(&keys, app->conf.token_keys, app->conf.token_hs256_allowed, &msg) == MER_OK) {
        mer_keys_destroy(app->keys);
        app->keys = keys;
        MER_LOG(&app->log, MER_INFO, "keys.reload", KV_STR("file", app->conf.token_keys));
    } else {
        MER_LOG(&app->log, MER_ERROR, "keys.reload_failed", KV_STR("reason", msg.text));
    }
    if (app->tls != NULL && app->conf.tls_tickets[0] != 0 && mer_tls_tickets_reload(app->tls, app->conf.tls_tickets, &msg) != MER_OK)
        MER_LOG(&app->log, MER_ERROR, "tickets.reload_failed", KV_STR("reason", msg.text));
}

/* --- life
 * ------------------------------------------------------------------------------------------------------------------------------------- */

/* Ends a process whose loop hangs: five seconds of CPU without a tick. CPU time, because a process that was only stopped has not hung. */
static void feed_watchdog(void)
{
    struct itimerval t = {.it_value = {.tv_sec = WATCHDOG_S}};
    setitimer(ITIMER_PROF, &t, NULL);
}

static void on_tick(struct mer_timer *t)
{
    struct edge_app *app = MER_CONTAINER_OF(t, struct edge_app, tick);
    uint64_t now_us = app->clock.mono_us(app->clock.ctx), elapsed = now_us - app->tick_us_before;
    if (elapsed > 0)
        app->load_permille = (uint32_t)((app->loop.busy_us - app->busy_us_before) * 1000 / elapsed);
    app->busy_us_before = app->loop.busy_us;
    app->tick_us_before = now_us;
    feed_watchdog();
    mer_loop_arm(&app->loop, &app->tick, TICK_MS);
}

static void on_redis_ready(void *ctx)
{
    struct edge_app *app = ctx;
    struct mer_msg msg;
    if (app->process.state != MER_PROCESS_STARTING)
        return;
    edge_store_live_start(app->store, edge_bus_address(app->bus));
    edge_blame_tell(app->blame);
    for (size_t i = 0; i < app->conf.player_listen.count; i++) {
        if (edge_http_listen(app->http, app->conf.player_listen.item[i], app->tls, true, &msg) == MER_OK)
            continue;
        MER_LOG(&app->log, MER_ERROR, "listen.failed", KV_STR("address", app->conf.player_listen.item[i]), KV_STR("reason", msg.text));
        app->exit_code = 2;
        mer_process_stop(&app->process);
        return;
    }
    mer_process_ready(&app->process);
    edge_routers_report_now(app->routers);
    MER_LOG(&app->log, MER_INFO, "edge.ready", KV_STR("address", edge_http_address(app->http, 0)), KV_STR("incarnation", app->incarnation));
}

static void on_primary_change(void *ctx, uint16_t first, uint16_t last)
{
    struct edge_app *app = ctx;
    if (app->host != NULL)
        edge_host_verify(app->host, first, last);
}

static void on_drain(void *ctx)
{
    edge_leave_start(((struct edge_app *)ctx)->leave);
}

static void name_process(struct edge_app *app)
{
    char id[64], host[64] = "";
    size_t len = strlen(app->conf.public_url);
    snprintf(id, sizeof(id), "%s.", app->conf.id);
    mer_id_make(&app->rng, id, 5, app->incarnation, sizeof(app->incarnation));
    snprintf(app->log.process, sizeof(app->log.process), "%s", app->incarnation);
    snprintf(app->log.region, sizeof(app->log.region), "%s", app->conf.region);
    gethostname(host, sizeof(host) - 1);
    snprintf(app->hostname, sizeof(app->hostname), "%s", host);
    /* http://... -> ws://.../v1/ws */
    if (strncmp(app->conf.public_url, "http", 4) == 0)
        snprintf(app->ws_url, sizeof(app->ws_url), "ws%s%s", app->conf.public_url + 4,
                 app->conf.public_url[len - 1] == '/' ? "v1/ws" : "/v1/ws");
}

enum mer_err edge_app_create(struct edge_app **out, struct edge_config *conf, struct mer_msg *msg)
{
    struct edge_app *app = mer_xcalloc(1, sizeof(*app));
    app->conf = *conf;
    memset(conf, 0, sizeof(*conf));
    app->clock = mer_clock_system();
    app->rng = mer_rng_system();
    mer_log_init(&app->log, STDERR_FILENO, (enum mer_level)app->conf.log_level, app->clock);
    mer_metrics_init(&app->metrics);
    name_process(app);
    uint64_t descriptors = mer_process_raise_limits();
    if (mer_loop_init(&app->loop, app->clock) != 0) {
        mer_msgf(msg, "no event loop");
        mer_conf_free(edge_config_items, edge_config_item_count, &app->conf);
        mer_free(&app);
        return MER_EIO;
    }
    if (app->conf.max_connections + EDGE_RESERVED_DESCRIPTORS > descriptors)
        app->conf.max_connections =
            (uint32_t)(descriptors > 2 * EDGE_RESERVED_DESCRIPTORS ? descriptors - EDGE_RESERVED_DESCRIPTORS : descriptors / 2);
    mer_process_init(&app->process, &app->loop, &app->log, &app->metrics);
    app->process.on_drain = on_drain;
    app->process.on_reload = on_reload;
    app->process.ctx = app;
    mer_timer_init(&app->tick, on_tick);
    mer_metrics_add_process(&app->metrics, &app->loop);
    enum mer_err err = mer_secret_read(app->conf.redis_password_file, &app->redis_password, msg);
    if (err == MER_OK)
        err = read_keys(app, msg);
    if (err == MER_OK)
        err = edge__app_parts_create(app, msg);
    if (err == MER_OK)
        err = mer_admin_open(&app->admin, &app->loop, &app->process, &app->metrics, app->conf.admin_listen, msg);
    if (err != MER_OK) {
        edge_app_destroy(app);
        return err;
    }
    mer_redis_on_primary_change(app->redis, on_primary_change, app);
    mer_redis_on_ready(app->redis, on_redis_ready, app);
    MER_LOG(&app->log, MER_INFO, "edge.start", KV_U64("descriptors", descriptors), KV_U64("max_connections", app->conf.max_connections));
    *out = app;
    return MER_OK;
}

int edge_app_run(struct edge_app *app)
{
    app->tick_us_before = app->clock.mono_us(app->clock.ctx);
    mer_loop_arm(&app->loop, &app->tick, TICK_MS);
    feed_watchdog();
    mer_loop_run(&app->loop);
    return app->exit_code;
}

void edge_app_destroy(struct edge_app *app)
{
    if (app == NULL)
        return;
    mer_loop_disarm(&app->loop, &app->tick);
    if (app->admin != NULL)
        mer_admin_close(app->admin);
    if (app->sessions != NULL)
        edge_sessions_stop(app->sessions);
    if (app->http != NULL)
        edge_http_destroy(app->http);
    if (app->net != NULL)
        edge_net_destroy(app->net);
    if (app->redis != NULL)
        mer_redis_destroy(app->redis);
    if (app->store != NULL)
        edge_store_destroy(app->store);
    edge_abroad_destroy(app->abroad);
    edge_sessions_destroy(app->sessions);
    edge_tickets_destroy(app->tickets);
    edge_messages_destroy(app->messages);
    edge_presence_destroy(app->presence);
    edge_overload_destroy(app->overload);
    edge_api_destroy(app->api);
    edge_leave_destroy(app->leave);
    edge_seats_destroy(app->seats);
    edge_handover_destroy(app->handover);
    edge_claims_destroy(app->claims);
    edge_host_destroy(app->host);
    edge_blame_destroy(app->blame);
    edge_routers_destroy(app->routers);
    edge_bus_destroy(app->bus);
    edge_far_destroy(app->far);
    mer_trace_close(app->trace);
    mer_process_deinit(&app->process);
    mer_loop_deinit(&app->loop);
    SSL_CTX_free(app->tls);
    mer_keys_destroy(app->keys);
    mer_keys_destroy(app->guest_keys);
    mer_keys_destroy(app->regions_keys);
    mer_secret_free(&app->redis_password);
    mer_conf_free(edge_config_items, edge_config_item_count, &app->conf);
    mer_free(&app);
}
