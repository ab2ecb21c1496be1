/* SPDX-License-Identifier: Apache-2.0
 * app_parts.c - what an edge is made of, from the store to the player port: each part with what it needs of the configuration and of those
 * before it, and the few calls from one into another that would be a circle of headers.
 *
 * The order is that of needs; the end (app.c) is another, because of calls that are under way. Owner: app.c. Next: app.h. */
#include "edge/app_parts.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

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
    nc.reserve_descriptors = EDGE_RESERVED_DESCRIPTORS;
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

enum mer_err edge__app_parts_create(struct edge_app *app, struct mer_msg *msg)
{
    enum mer_err err = create_store(app, msg);
    if (err == MER_OK)
        err = create_peers(app, msg);
    if (err == MER_OK)
        err = create_blame(app, msg);
    if (err == MER_OK && ((err = create_trace(app)) != MER_OK || (err = create_game(app)) != MER_OK))
        mer_msgf(msg, "%s", mer_err_text(err));
    if (err == MER_OK)
        err = create_front(app, msg);
    return err;
}
