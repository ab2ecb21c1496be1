/* SPDX-License-Identifier: Apache-2.0
 * mesh_tls.c - see mesh_tls.h. Two contexts, because OpenSSL's know whether they serve or dial; they are replaced together or not at all.
 */
#include "region-router/mesh_tls.h"

#include "region-router/app.h"
#include "region-router/limits.h"

static const struct mer_metric_def metrics[ROUTER_MT_COUNT] = {
    [ROUTER_MT_EXPIRES] = {"meridian_router_mesh_certificate_left_seconds",
                           "until our certificate for other regions, or its authority, expires; 0: expired, or there is none", MER_GAUGE},
    [ROUTER_MT_LOADED] = {"meridian_router_mesh_certificate_loads_total", "times that certificate was read"},
    [ROUTER_MT_FAILED] = {"meridian_router_mesh_certificate_load_failures_total", "times it could not be read, and the old one stayed"},
};

static int64_t seconds_left(const struct router_mesh_tls *t)
{
    int64_t left = 0;
    return t->client != NULL && mer_tls_seconds_left(t->client, mer_clock_wall_ms(&t->app->clock), &left) ? left : 0;
}

static void refresh(struct mer_metric_set *set)
{
    struct router_mesh_tls *t = MER_CONTAINER_OF(set, struct router_mesh_tls, set);
    int64_t left = seconds_left(t);
    t->values[ROUTER_MT_EXPIRES] = left > 0 ? (uint64_t)left : 0;
}

static void look(struct router_mesh_tls *t)
{
    int64_t left = seconds_left(t);
    if (left <= 0)
        MER_LOG(&t->app->log, MER_ERROR, "certificate.expired", KV_STR("file", t->app->conf.mesh_tls_cert));
    else if (left < ROUTER_CERTIFICATE_WARN_S)
        MER_LOG(&t->app->log, MER_WARN, "certificate.expires", KV_STR("file", t->app->conf.mesh_tls_cert), KV_I64("seconds", left));
    mer_loop_arm(&t->app->loop, &t->timer, ROUTER_CERTIFICATE_LOOK_MS);
}

static void on_timer(struct mer_timer *timer)
{
    look(MER_CONTAINER_OF(timer, struct router_mesh_tls, timer));
}

void router_mesh_tls_init(struct router_mesh_tls *t, struct router_app *app)
{
    *t = (struct router_mesh_tls){.app = app};
    mer_timer_init(&t->timer, on_timer);
    mer_metrics_add(&app->metrics, &t->set, metrics, ROUTER_MT_COUNT, t->values);
    t->set.refresh = refresh;
}

static enum mer_err read_files(struct router_mesh_tls *t, SSL_CTX **client, SSL_CTX **server, struct mer_msg *msg)
{
    const struct router_config *c = &t->app->conf;
    int64_t left;
    enum mer_err err = mer_tls_peer_create(client, false, c->mesh_tls_ca, c->mesh_tls_cert, c->mesh_tls_key, msg);
    if (err == MER_OK)
        err = mer_tls_peer_create(server, true, c->mesh_tls_ca, c->mesh_tls_cert, c->mesh_tls_key, msg);
    if (err != MER_OK)
        return err;
    if (!mer_tls_identity_is(SSL_CTX_get0_certificate(*client), c->region, "router")) {
        mer_msgf(msg, "%s: does not name meridian://%s/router and nothing else", c->mesh_tls_cert, c->region);
        return MER_EINVALID;
    }
    if (!mer_tls_seconds_left(*client, mer_clock_wall_ms(&t->app->clock), &left)) {
        mer_msgf(msg, "%s: not signed by an authority of %s", c->mesh_tls_cert, c->mesh_tls_ca);
        return MER_EINVALID;
    }
    return MER_OK;
}

enum mer_err router_mesh_tls_load(struct router_mesh_tls *t, struct mer_msg *msg)
{
    SSL_CTX *client = NULL, *server = NULL;
    if (t->app->conf.mesh_plain)
        return MER_OK;
    enum mer_err err = read_files(t, &client, &server, msg);
    if (err == MER_OK) {
        SSL_CTX *old_client = t->client, *old_server = t->server;
        t->client = client;
        t->server = server;
        client = old_client;
        server = old_server;
        look(t);
    }
    t->values[err == MER_OK ? ROUTER_MT_LOADED : ROUTER_MT_FAILED]++;
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return err;
}

void router_mesh_tls_deinit(struct router_mesh_tls *t)
{
    mer_loop_disarm(&t->app->loop, &t->timer);
    mer_metrics_remove(&t->set);
    SSL_CTX_free(t->client);
    SSL_CTX_free(t->server);
    t->client = t->server = NULL;
}
