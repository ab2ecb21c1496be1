/* SPDX-License-Identifier: Apache-2.0
 * app.c - one edge put together (C24). Players are let in when Redis is there; until then the process is STARTING and /readyz says 503.
 *
 * The end (leave.c decides when): Redis is destroyed before the parts whose calls are under way, because it gives each of them its last
 * answer. Owner: main.c. Next: leave.h, session/session.h, game/host.h, net/http.h. */
#include "edge/app.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <meridian/id.h>
#include <meridian/mem.h>
#include <meridian/tls.h>

#include "edge/game/claims.h"
#include "edge/game/handover.h"
#include "edge/leave.h"
#include "edge/limits.h"
#include "edge/room/messages.h"
#include "edge/room/presence.h"
#include "edge/session/api.h"
#include "edge/session/deliver.h"
#include "edge/session/overload.h"
#include "edge/session/session.h"
#include "edge/session/tickets.h"

enum {
    RESERVED_DESCRIPTORS = 256, /* Redis (3 a primary), links, listeners, files, one accept */
    TICK_MS = 1000,
    WATCHDOG_S = 5, /* architecture section 3 */
};

/* --- start: files
 * --------------------------------------------------------------------------------------------------------------------------- */

static enum mer_err read_password(struct edge_app *app, struct mer_msg *msg)
{
    char line[512] = "";
    if (app->conf.redis_password_file[0] == 0)
        return MER_OK;
    FILE *f = fopen(app->conf.redis_password_file, "re");
    if (f == NULL || fgets(line, sizeof(line), f) == NULL) {
        mer_msgf(msg, "%s: no password can be read from it", app->conf.redis_password_file);
        if (f != NULL)
            fclose(f);
        return MER_EIO;
    }
    fclose(f);
    line[strcspn(line, "\r\n")] = 0;
    app->redis_password = mer_xstrdup(line);
    OPENSSL_cleanse(line, sizeof(line));
    return MER_OK;
}

static enum mer_err read_keys(struct edge_app *app, struct mer_msg *msg)
{
    const struct edge_config *c = &app->conf;
    enum mer_err err = mer_keys_load(&app->keys, c->token_keys, c->token_hs256_allowed, msg);
    if (err == MER_OK && c->guest_keys[0] != 0)
        err = mer_keys_load(&app->guest_keys, c->guest_keys, c->token_hs256_allowed, msg);
    if (err == MER_OK && c->regions_keys[0] != 0)
        err = mer_keys_load(&app->regions_keys, c->regions_keys, false, msg);
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

/* --- the parts
 * -------------------------------------------------------------------------------------------------------------------------------- */

static void fill_report(void *ctx, Meridian__Internal__V1__EdgeReport *r)
{
    struct edge_app *app = ctx;
    r->bus_address = (char *)edge_bus_address(app->bus);
    r->connections = app->net == NULL ? 0 : edge_net_connections(app->net);
    r->sessions = edge_sessions_count(app->sessions);
    r->games = edge_host_games(app->host);
    r->max_connections = app->conf.max_connections;
    r->load_permille = app->load_permille;
    r->draining = app->process.state != MER_PROCESS_READY;
    r->host = app->hostname;
    r->ws_url = app->ws_url[0] != 0 ? app->ws_url : NULL;
}

static void on_leader(void *ctx, uint64_t epoch)
{
    struct edge_app *app = ctx;
    MER_LOG(&app->log, MER_INFO, "router.leader", KV_U64("epoch", epoch));
    edge_tickets_hand_in(app->tickets);
}

static void on_primary_change(void *ctx, uint16_t first, uint16_t last)
{
    struct edge_app *app = ctx;
    if (app->host != NULL)
        edge_host_verify(app->host, first, last);
}

static void to_user(void *ctx, const char *user, const Meridian__Client__V1__ServerMessage *m)
{
    edge_sessions_to_user(((struct edge_app *)ctx)->sessions, user, m);
}

static void to_session(void *ctx, const char *session, const Meridian__Client__V1__ServerMessage *m)
{
    edge_sessions_to_session(((struct edge_app *)ctx)->sessions, session, m);
}

static bool user_online(void *ctx, const char *user)
{
    return edge_sessions_online(((struct edge_app *)ctx)->sessions, user);
}

static bool user_present(void *ctx, const char *user)
{
    return edge_sessions_present(((struct edge_app *)ctx)->sessions, user);
}

static bool user_unshown(void *ctx, const char *user)
{
    return edge_sessions_unshown(((struct edge_app *)ctx)->sessions, user);
}

static void seated(void *ctx, const char *user, const char *ticket_id, const char *game_id)
{
    (void)game_id;
    edge_tickets_seated(((struct edge_app *)ctx)->tickets, user, ticket_id);
}

static void unseated(void *ctx, const char *user, const char *game_id)
{
    struct edge_app *app = ctx;
    (void)user;
    MER_LOG(&app->log, MER_DEBUG, "player.unseat", KV_STR("game", game_id));
}

static void inbox_filled(void *ctx, const char *user)
{
    struct edge_app *app = ctx;
    if (edge_sessions_online(app->sessions, user))
        edge_messages_sync(app->messages, user, "");
}

static const struct edge_seats_cbs seats_cbs = {to_user, to_session, user_online, user_present, user_unshown, seated, unseated};

static enum mer_err create_store(struct edge_app *app, struct mer_msg *msg)
{
    const struct edge_config *c = &app->conf;
    struct mer_redis_conf rc = {
        .loop = &app->loop,
        .log = &app->log,
        .rng = app->rng,
        .metrics = &app->metrics,
        .nodes = (const char *const *)c->redis_nodes.item,
        .node_count = c->redis_nodes.count,
        .user = c->redis_user[0] != 0 ? c->redis_user : NULL,
        .password = app->redis_password,
        .durability = (enum mer_durability)c->redis_durability,
        .replicas = c->redis_replicas,
        .wait_ms = EDGE_REDIS_WAIT_MS,
        .deadline_ms = EDGE_REDIS_DEADLINE_MS,
        .library = "meridian1",
    };
    struct edge_store_conf sc = {&app->loop, &app->log, &app->metrics, NULL, app->incarnation};
    if (c->redis_tls_ca[0] != 0 && mer_tls_peer_create(&rc.tls, false, c->redis_tls_ca, NULL, NULL, msg) != MER_OK)
        return MER_ETLS;
    enum mer_err err = mer_redis_create(&app->redis, &rc);
    SSL_CTX_free(rc.tls); /* the client has its own reference */
    if (err == MER_OK) {
        sc.redis = app->redis;
        err = edge_store_create(&app->store, &sc);
    }
    if (err != MER_OK)
        mer_msgf(msg, "redis_nodes: %s", mer_err_text(err));
    return err;
}

static enum mer_err create_peers(struct edge_app *app, struct mer_msg *msg)
{
    const struct edge_config *c = &app->conf;
    struct edge_bus_conf bc = {
        .loop = &app->loop,
        .log = &app->log,
        .rng = app->rng,
        .metrics = &app->metrics,
        .store = app->store,
        .region = c->region,
        .id = c->id,
        .incarnation = app->incarnation,
        .listen = c->bus_listen,
        .carrier = (enum edge_bus_carrier)c->bus_carrier,
        .redis = app->redis,
    };
    struct edge_routers_conf rc = {
        .loop = &app->loop,
        .log = &app->log,
        .rng = app->rng,
        .metrics = &app->metrics,
        .region = c->region,
        .id = c->id,
        .incarnation = app->incarnation,
        .addresses = (const char *const *)c->routers.item,
        .address_count = c->routers.count,
        .report = fill_report,
        .leader = on_leader,
        .ctx = app,
    };
    enum mer_err err = edge_bus_create(&app->bus, &bc, msg);
    if (err == MER_OK && (err = edge_routers_create(&app->routers, &rc)) != MER_OK)
        mer_msgf(msg, "routers: %s", mer_err_text(err));
    struct edge_far_conf fc = {&app->log, &app->metrics, app->routers, c->region};
    if (err == MER_OK && (err = edge_far_create(&app->far, &fc)) != MER_OK)
        mer_msgf(msg, "routers: %s", mer_err_text(err));
    if (err == MER_OK)
        edge_bus_use_far(app->bus, app->far);
    return err;
}

/* In run_dir, or beside the bus's socket; where neither is a place, a game that brings down its edges is not found out. */
static enum mer_err create_blame(struct edge_app *app, struct mer_msg *msg)
{
    const struct edge_config *c = &app->conf;
    const char *socket = strncmp(c->bus_listen, "unix:", 5) == 0 ? c->bus_listen + 5 : "", *slash = strrchr(socket, '/');
    char path[PATH_MAX];
    int dir = (int)(c->run_dir[0] != 0 ? strlen(c->run_dir) : slash == NULL ? 0 : (size_t)(slash - socket));
    struct edge_blame_conf bc = {&app->loop, &app->log, &app->metrics, app->store, app->incarnation, path};
    if (dir == 0)
        return MER_OK;
    int len = snprintf(path, sizeof(path), "%.*s/%s.blame", dir, c->run_dir[0] != 0 ? c->run_dir : socket, c->id);
    if (len >= (int)sizeof(path)) {
        mer_msgf(msg, "run_dir: too long");
        return MER_EINVALID;
    }
    return edge_blame_create(&app->blame, &bc, msg);
}

static enum mer_err create_trace(struct edge_app *app)
{
    const struct edge_config *c = &app->conf;
    struct mer_trace_export_conf tc = {&app->loop,        &app->log,       &app->metrics,       app->rng,
                                       c->trace_endpoint, "meridian-edge", c->trace_per_million};
    return c->trace_endpoint[0] == 0 ? MER_OK : mer_trace_open(&app->trace, &tc);
}

static enum mer_err create_game(struct edge_app *app)
{
    const struct edge_config *c = &app->conf;
    struct edge_seat_policy seats = {c->seat_grace_ms, c->seat_pause_ms, c->drop_policy == EDGE_DROP_ABANDON};
    struct edge_host_conf hc = {&app->loop,   &app->log,  app->rng,  &app->metrics, app->bus,
                                app->routers, app->store, c->region, seats,         app->blame};
    hc.inbox = inbox_filled;
    hc.inbox_ctx = app;
    hc.tracer = mer_trace_tracer(app->trace);
    struct edge_seats_conf sc = {&app->loop, &app->log, app->rng, &app->metrics, app->bus, app->store, NULL, NULL, &seats_cbs, app};
    enum mer_err err = edge_host_create(&app->host, &hc);
    sc.host = app->host;
    sc.tracer = mer_trace_tracer(app->trace);
    struct edge_abroad_conf ac = {&app->loop, &app->log, &app->metrics, app->far, app->store, app->host};
    if (err == MER_OK)
        err = edge_abroad_create(&app->abroad, &ac);
    sc.abroad = app->abroad;
    if (err == MER_OK)
        err = edge_claims_create(&app->claims, &hc, app->host);
    if (err == MER_OK)
        err = edge_handover_create(&app->handover, &hc, app->host);
    if (err == MER_OK)
        err = edge_leave_create(&app->leave, app);
    if (err == MER_OK)
        err = edge_seats_create(&app->seats, &sc);
    if (err == MER_OK)
        err = edge_sessions_create(&app->sessions, app);
    if (err == MER_OK)
        err = edge_tickets_create(&app->tickets, app);
    if (err == MER_OK)
        err = edge_messages_create(&app->messages, app);
    if (err == MER_OK)
        err = edge_presence_create(&app->presence, app);
    if (err == MER_OK)
        err = edge_api_create(&app->api, app);
    if (err == MER_OK)
        err = edge_overload_create(&app->overload, app);
    if (err == MER_OK) {
        edge_deliver_init(app);
        edge__take_init(app);
    }
    return err;
}

static enum mer_err create_front(struct edge_app *app, struct mer_msg *msg)
{
    static const char *const subprotocols[] = {"meridian.v1.json", "meridian.v1.proto", NULL};
    const struct edge_config *c = &app->conf;
    struct edge_net_conf nc;
    struct edge_http_conf hc;
    edge_net_conf_default(&nc);
    nc.loop = &app->loop;
    nc.log = &app->log;
    nc.metrics = &app->metrics;
    nc.rng = app->rng;
    nc.max_connections = c->max_connections;
    nc.reserve_descriptors = RESERVED_DESCRIPTORS;
    nc.max_message_bytes = c->max_message_bytes;
    nc.heartbeat_ms = c->heartbeat_ms;
    nc.address_connections = c->connections_per_address;
    nc.address_handshakes = (struct mer_bucket_rate){c->handshakes_per_second, c->handshakes_burst};
    enum mer_err err = edge_net_create(&app->net, &nc);
    if (err != MER_OK) {
        mer_msgf(msg, "connections: %s", mer_err_text(err));
        return err;
    }
    app->upgrades[0] = (struct edge_upgrade_route){"/v1/ws", subprotocols, &edge__session_ops, edge__auth_opened, app};
    app->upgrades[1] = edge_echo_route("/v1/echo");
    edge_http_conf_default(&hc);
    hc.net = app->net;
    hc.routes = edge_api_routes(app->api, &hc.route_count);
    hc.upgrades = app->upgrades;
    hc.upgrade_count = c->echo_enabled ? 2 : 1;
    hc.files = edge_web_files;
    hc.origins = (const char *const *)c->origins.item;
    hc.origin_count = c->origins.count;
    hc.same_origin = true;
    hc.native = c->native_clients_allowed;
    hc.balancers = (const char *const *)c->balancers.item;
    hc.balancer_count = c->balancers.count;
    hc.gate = edge_overload_gate(app->overload);
    return edge_http_create(&app->http, &hc, msg);
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
    if (app->conf.max_connections + RESERVED_DESCRIPTORS > descriptors)
        app->conf.max_connections =
            (uint32_t)(descriptors > 2 * RESERVED_DESCRIPTORS ? descriptors - RESERVED_DESCRIPTORS : descriptors / 2);
    mer_process_init(&app->process, &app->loop, &app->log, &app->metrics);
    app->process.on_drain = on_drain;
    app->process.on_reload = on_reload;
    app->process.ctx = app;
    mer_timer_init(&app->tick, on_tick);
    mer_metrics_add_process(&app->metrics, &app->loop);
    enum mer_err err = read_password(app, msg);
    if (err == MER_OK)
        err = read_keys(app, msg);
    if (err == MER_OK)
        err = create_store(app, msg);
    if (err == MER_OK)
        err = create_peers(app, msg);
    if (err == MER_OK)
        err = create_blame(app, msg);
    if (err == MER_OK && ((err = create_trace(app)) != MER_OK || (err = create_game(app)) != MER_OK))
        mer_msgf(msg, "%s", mer_err_text(err));
    if (err == MER_OK)
        err = create_front(app, msg);
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
    if (app->redis_password != NULL)
        OPENSSL_cleanse(app->redis_password, strlen(app->redis_password));
    mer_free(&app->redis_password);
    mer_conf_free(edge_config_items, edge_config_item_count, &app->conf);
    mer_free(&app);
}
