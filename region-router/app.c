/* SPDX-License-Identifier: Apache-2.0
 * app.c - one router put together (C24). It is ready when Redis is there, as leader or as standby.
 *
 * The end: SIGTERM gives the lease back, closes the links and leaves; the other router sees the link go and finds the lease free. Redis is
 * destroyed before the standby, because it gives the standby's call its last answer. Owner: main.c. Next: standby.h, edges.h, lead.c,
 * match.h. */
#include "region-router/app.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <meridian/id.h>
#include <meridian/mem.h>
#include <meridian/secret.h>
#include <meridian/tls.h>

/* ---- leadership ---------------------------------------------------------------------------------------------------------------------- */

static void drop_leader_link(struct router_app *app)
{
    struct mer_link *l = app->to_leader;
    app->to_leader = NULL;
    app->leader[0] = 0;
    if (l != NULL)
        mer_link_close(l);
}

static void on_lead(void *ctx, uint64_t epoch)
{
    struct router_app *app = ctx;
    (void)epoch;
    drop_leader_link(app);
    router__lead_start(app);
}

static void on_follow(void *ctx, const char *why)
{
    (void)why;
    router__lead_stop(ctx);
}

/* A follower keeps a link to the holder: its loss is the first sign of the holder's death. */
static bool on_holder(void *ctx, const char *incarnation, const char *address)
{
    struct router_app *app = ctx;
    if (app->to_leader != NULL && strcmp(app->leader, incarnation) == 0)
        return mer_link_absent(app->to_leader);
    drop_leader_link(app);
    if (address[0] == 0 || mer_link_dial(app->links, address, NULL, &app->to_leader) != MER_OK)
        return false;
    if (mer_link_expect(app->to_leader, incarnation) != MER_OK)
        drop_leader_link(app);
    else
        snprintf(app->leader, sizeof app->leader, "%s", incarnation);
    return false;
}

static void on_redis_ready(void *ctx)
{
    struct router_app *app = ctx;
    if (app->process.state != MER_PROCESS_STARTING)
        return;
    mer_process_ready(&app->process);
    router_standby_start(app->standby);
    MER_LOG(&app->log, MER_INFO, "router.ready", KV_STR("address", mer_links_address(app->links)), KV_STR("incarnation", app->incarnation));
}

/* ---- the end ------------------------------------------------------------------------------------------------------------------------- */

static void stop(struct router_app *app)
{
    router__lead_stop(app);
    mer_process_stop(&app->process);
}

static void on_released(void *ctx)
{
    stop(ctx);
}

static void on_stopping(struct mer_timer *t)
{
    stop(MER_CONTAINER_OF(t, struct router_app, stopping));
}

static void on_drain(void *ctx)
{
    struct router_app *app = ctx;
    mer_loop_arm(&app->loop, &app->stopping, ROUTER_SHUTDOWN_MS);
    router_standby_release(app->standby, on_released, app);
}

static void on_reload(void *ctx)
{
    struct router_app *app = ctx;
    router_mesh_reload(app->mesh);
    router_control_reload(app->control);
}

/* ---- start --------------------------------------------------------------------------------------------------------------------------- */

static enum mer_err create_redis(struct router_app *app, struct mer_msg *msg)
{
    const struct router_config *c = &app->conf;
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
        .wait_ms = ROUTER_REDIS_WAIT_MS,
        .deadline_ms = ROUTER_REDIS_DEADLINE_MS,
        .library = "meridian1",
    };
    if (c->redis_tls_ca[0] != 0 && mer_tls_peer_create(&rc.tls, false, c->redis_tls_ca, NULL, NULL, msg) != MER_OK)
        return MER_ETLS;
    enum mer_err err = mer_redis_create(&app->redis, &rc);
    SSL_CTX_free(rc.tls); /* the client has its own reference */
    if (err != MER_OK)
        mer_msgf(msg, "redis_nodes: %s", mer_err_text(err));
    return err;
}

static enum mer_err create_links(struct router_app *app, struct mer_msg *msg)
{
    const struct router_config *c = &app->conf;
    struct mer_links_conf lc = {.loop = &app->loop,
                                .log = &app->log,
                                .rng = app->rng,
                                .metrics = &app->metrics,
                                .cbs = &router_edges_link_cbs,
                                .ctx = app,
                                .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER,
                                .region = c->region,
                                .id = c->id,
                                .incarnation = app->incarnation,
                                .peer_roles = 1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE |
                                              1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER |
                                              1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_GEO,
                                .name = "router"};
    enum mer_err err = mer_links_create(&app->links, &lc);
    return err == MER_OK ? mer_links_listen(app->links, c->link_listen, msg) : err;
}

static enum mer_err create_standby(struct router_app *app)
{
    struct router_standby_conf sc = {.loop = &app->loop,
                                     .log = &app->log,
                                     .rng = app->rng,
                                     .metrics = &app->metrics,
                                     .redis = app->redis,
                                     .region = app->conf.region,
                                     .incarnation = app->incarnation,
                                     .address = mer_links_address(app->links),
                                     .lead = on_lead,
                                     .follow = on_follow,
                                     .holder = on_holder,
                                     .ctx = app};
    return router_standby_create(&app->standby, &sc);
}

static uint64_t lead_epoch(void *ctx)
{
    return router__lead_epoch(ctx);
}

static enum mer_err create_keeper(struct router_app *app)
{
    struct router_keeper_conf kc = {.loop = &app->loop,
                                    .log = &app->log,
                                    .metrics = &app->metrics,
                                    .redis = app->redis,
                                    .region = app->conf.region,
                                    .incarnation = app->incarnation,
                                    .replicas = app->conf.redis_replicas,
                                    .act = app->conf.electable_set && app->conf.redis_durability == MER_DURABILITY_ALL,
                                    .epoch = lead_epoch,
                                    .ctx = app};
    return router_keeper_create(&app->keeper, &kc);
}

static void name_process(struct router_app *app)
{
    char id[64];
    snprintf(id, sizeof id, "%s.", app->conf.id);
    mer_id_make(&app->rng, id, 5, app->incarnation, sizeof app->incarnation);
    snprintf(app->log.process, sizeof app->log.process, "%s", app->incarnation);
    snprintf(app->log.region, sizeof app->log.region, "%s", app->conf.region);
}

/* A router begins no trace of its own. */
static enum mer_err create_trace(struct router_app *app)
{
    struct mer_trace_export_conf tc = {&app->loop, &app->log, &app->metrics, app->rng, app->conf.trace_endpoint, "meridian-router", 0};
    return app->conf.trace_endpoint[0] == 0 ? MER_OK : mer_trace_open(&app->trace, &tc);
}

static enum mer_err create_parts(struct router_app *app, struct mer_msg *msg)
{
    enum mer_err err = mer_secret_read(app->conf.redis_password_file, &app->redis_password, msg);
    if (err == MER_OK && (err = create_trace(app)) != MER_OK)
        mer_msgf(msg, "trace_endpoint: %s", mer_err_text(err));
    if (err == MER_OK)
        err = create_redis(app, msg);
    if (err == MER_OK)
        err = create_links(app, msg);
    if (err == MER_OK)
        err = router_mesh_create(&app->mesh, app, msg);
    if (err == MER_OK)
        router_newsroom_init(&app->newsroom, app);
    if (err == MER_OK)
        err = router_crossing_init(&app->crossing, app, msg);
    if (err == MER_OK && (err = router_relays_create(&app->relays, app)) != MER_OK)
        mer_msgf(msg, "mesh_peers: %s", mer_err_text(err));
    if (err == MER_OK && ((err = create_standby(app)) != MER_OK || (err = create_keeper(app)) != MER_OK))
        mer_msgf(msg, "%s", mer_err_text(err));
    if (err == MER_OK)
        err = router_control_create(&app->control, app, msg);
    if (err == MER_OK)
        err = mer_admin_open(&app->admin, &app->loop, &app->process, &app->metrics, app->conf.admin_listen, msg);
    return err;
}

enum mer_err router_app_create(struct router_app **out, struct router_config *conf, struct mer_msg *msg)
{
    struct router_app *app = mer_xcalloc(1, sizeof *app);
    app->conf = *conf;
    memset(conf, 0, sizeof *conf);
    app->clock = mer_clock_system();
    app->rng = mer_rng_system();
    mer_log_init(&app->log, STDERR_FILENO, (enum mer_level)app->conf.log_level, app->clock);
    mer_metrics_init(&app->metrics);
    name_process(app);
    uint64_t descriptors = mer_process_raise_limits();
    if (mer_loop_init(&app->loop, app->clock) != 0) {
        mer_msgf(msg, "no event loop");
        mer_conf_free(router_config_items, router_config_item_count, &app->conf);
        mer_free(&app);
        return MER_EIO;
    }
    mer_process_init(&app->process, &app->loop, &app->log, &app->metrics);
    app->process.on_drain = on_drain;
    app->process.on_reload = on_reload;
    app->process.ctx = app;
    mer_timer_init(&app->stopping, on_stopping);
    mer_metrics_add_process(&app->metrics, &app->loop);
    router_edges_init(&app->edges, app);
    router_region_report_init(&app->region_report, app);
    router_region_life_init(&app->region_life, app);
    router__lead_init(app);
    router_claimer_init(&app->claimer, app);
    enum mer_err err = create_parts(app, msg);
    if (err != MER_OK) {
        router_app_destroy(app);
        return err;
    }
    mer_admin_route(app->admin, "GET", "/status", router__status, app);
    mer_admin_route(app->admin, "POST", "/claims", router_claimer_allow, &app->claimer);
    router_console_init(&app->console, app);
    mer_redis_on_ready(app->redis, on_redis_ready, app);
    MER_LOG(&app->log, MER_INFO, "router.start", KV_U64("descriptors", descriptors));
    *out = app;
    return MER_OK;
}

int router_app_run(struct router_app *app)
{
    mer_loop_run(&app->loop);
    return 0;
}

void router_app_destroy(struct router_app *app)
{
    if (app == NULL)
        return;
    mer_loop_disarm(&app->loop, &app->stopping);
    mer_loop_disarm(&app->loop, &app->match_timer);
    if (app->admin != NULL)
        mer_admin_close(app->admin);
    mer_redis_destroy(app->redis);
    router__lead_stop(app);
    router_region_report_deinit(&app->region_report);
    router_region_life_deinit(&app->region_life);
    router_newsroom_deinit(&app->newsroom);
    router_console_deinit(&app->console);
    router_edges_close(&app->edges);
    router_control_destroy(app->control);
    mer_links_destroy(app->links);
    router_relays_destroy(app->relays);
    router_crossing_deinit(&app->crossing);
    router_mesh_destroy(app->mesh);
    router_standby_destroy(app->standby);
    router_keeper_destroy(app->keeper);
    router_claimer_deinit(&app->claimer);
    router_edges_deinit(&app->edges);
    mer_loop_hook_remove(&app->match_hook);
    mer_loop_disarm(&app->loop, &app->match_timer);
    mer_trace_close(app->trace);
    mer_process_deinit(&app->process);
    mer_loop_deinit(&app->loop);
    mer_secret_free(&app->redis_password);
    mer_conf_free(router_config_items, router_config_item_count, &app->conf);
    mer_free(&app);
}
