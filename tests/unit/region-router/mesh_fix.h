/* SPDX-License-Identifier: Apache-2.0
 * mesh_fix.h - one router's mesh ("us", peers "eu" and "asia") over a unix socket; the routers of other regions are bare links that say
 * what the test wants. */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop_run.h"
#include "metric_moved.h"
#include "region-router/app.h"
#include "unit.h"

/* loop_run.h's, for a loop inside an app. */
#undef WAIT_FOR
#define WAIT_FOR(f, cond) \
    do { \
        for (unsigned i_ = 0; i_ < 10000 && !(cond); i_++) \
            loop_run_for(&(f)->app.loop, 1); \
        assert_true(cond); \
    } while (0)

#define STALE "meridian_router_mesh_stale_total"
#define RV1(x) Meridian__Region__V1__##x

struct peer { /* a router of another region, or somebody who says so */
    struct mer_links *links;
    struct mer_link *link;
    struct mer_metrics metrics;
    unsigned ups, downs, messages;
    bool told_leader;
    uint64_t told_epoch;
    char why[96];
};

struct fix {
    struct router_app app;
    struct peer a, b;
    struct mer_log log;
    uint64_t offset_us;
    char dir[32], listen[64];
    unsigned ups, downs, roles_taken;
    bool up;
    char region[32];
};

/* What lead.c says in a router: mesh.c asks nothing else of it. */
uint64_t router__lead_epoch(const struct router_app *app)
{
    return app->leading ? 7 : 0;
}

static inline uint64_t moved_us(void *ctx)
{
    return mer_clock_system().mono_us(NULL) + ((struct fix *)ctx)->offset_us;
}
static inline uint64_t wall_ms(void *ctx)
{
    return mer_clock_system().wall_ms(NULL) + ((struct fix *)ctx)->offset_us / 1000;
}

/* ---- peers --------------------------------------------------------------------------------------------------------------------------- */

static inline void peer_up(void *ctx, struct mer_link *l, const struct mer_link_peer *who)
{
    struct peer *p = ctx;
    (void)who;
    p->link = l;
    p->ups++;
}
static inline void peer_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    struct peer *p = ctx;
    RV1(RegionMessage) *m = meridian__region__v1__region_message__unpack(NULL, len, payload);
    (void)l;
    assert_non_null(m);
    p->messages++;
    if (m->body_case == MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_REGION_ROLE) {
        p->told_leader = m->region_role->leader;
        p->told_epoch = m->region_role->epoch;
    }
    meridian__region__v1__region_message__free_unpacked(m, NULL);
}
static inline void peer_down(void *ctx, struct mer_link *l, const char *why)
{
    struct peer *p = ctx;
    (void)l;
    p->link = NULL;
    p->downs++;
    snprintf(p->why, sizeof p->why, "%s", why);
}
static const struct mer_link_cbs peer_cbs = {peer_up, peer_message, peer_down};

/* tls: both contexts, or NULL for a plain peer. */
static inline void peer_open_tls(struct fix *f, struct peer *p, const char *region, uint32_t role, const char *incarnation,
                                 SSL_CTX *const *tls)
{
    struct mer_links_conf c = {.loop = &f->app.loop,
                               .log = &f->log,
                               .rng = mer_rng_system(),
                               .metrics = &p->metrics,
                               .cbs = &peer_cbs,
                               .ctx = p,
                               .role = role,
                               .region = region,
                               .id = incarnation,
                               .incarnation = incarnation,
                               .tls_client = tls != NULL ? tls[0] : NULL,
                               .tls_server = tls != NULL ? tls[1] : NULL,
                               .tls_identity = true,
                               .between_regions = strcmp(region, "us") != 0};
    mer_metrics_init(&p->metrics);
    assert_int_equal(mer_links_create(&p->links, &c), MER_OK);
}

static inline void peer_open(struct fix *f, struct peer *p, const char *region, uint32_t role, const char *incarnation)
{
    peer_open_tls(f, p, region, role, incarnation, NULL);
}

static inline void peer_dial(struct fix *f, struct peer *p)
{
    struct mer_link *l;
    assert_int_equal(mer_link_dial(p->links, f->listen, NULL, &l), MER_OK);
}

static inline void say_role(struct peer *p, bool leader, uint64_t epoch)
{
    uint8_t packed[64];
    RV1(RegionRole) role = MERIDIAN__REGION__V1__REGION_ROLE__INIT;
    RV1(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    role.leader = leader;
    role.epoch = epoch;
    m.body_case = MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_REGION_ROLE;
    m.region_role = &role;
    size_t n = meridian__region__v1__region_message__pack(&m, packed);
    assert_int_equal(mer_link_send(p->link, packed, n), MER_OK);
}

/* ---- the router ---------------------------------------------------------------------------------------------------------------------- */

static inline void on_region(void *ctx, const char *region, bool up)
{
    struct fix *f = ctx;
    assert_int_not_equal(f->up, up);
    f->up = up;
    f->ups += up;
    f->downs += !up;
    snprintf(f->region, sizeof f->region, "%s", region);
}

static char us[] = "us", us_r1[] = "us-r1";
static char nowhere_eu[] = "eu unix:/nowhere/eu", nowhere_asia[] = "asia unix:/nowhere/asia", nowhere_eu_2[] = "eu unix:/nowhere/eu-2";
static char *peers_of_us[] = {nowhere_eu, nowhere_asia, nowhere_eu_2};

static inline void start(struct fix *f)
{
    struct mer_msg msg;
    f->app.conf.region = us;
    f->app.conf.id = us_r1;
    f->app.conf.mesh_listen = f->listen;
    f->app.conf.mesh_peers = (struct mer_strs){peers_of_us, MER_COUNT(peers_of_us)};
    snprintf(f->app.incarnation, sizeof f->app.incarnation, "us-r1.x");
    assert_int_equal(router_mesh_create(&f->app.mesh, &f->app, &msg), MER_OK);
    router_mesh_on_region(f->app.mesh, on_region, f);
}

/* Loop, log and a folder; the router itself is started by the test. */
static inline struct fix *fix_new(void)
{
    struct fix *f = calloc(1, sizeof *f);
    signal(SIGPIPE, SIG_IGN);
    f->app.clock = (struct mer_clock){moved_us, wall_ms, f};
    f->app.rng = mer_rng_system();
    assert_int_equal(mer_loop_init(&f->app.loop, f->app.clock), 0);
    mer_log_init(&f->app.log, open("/dev/null", O_WRONLY), MER_DEBUG, mer_clock_system());
    f->log = f->app.log;
    mer_metrics_init(&f->app.metrics);
    snprintf(f->dir, sizeof f->dir, "/tmp/mesh.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->listen, sizeof f->listen, "unix:%s/us", f->dir);
    return f;
}

static inline void fix_free(struct fix *f)
{
    router_mesh_destroy(f->app.mesh);
    mer_links_destroy(f->a.links);
    mer_links_destroy(f->b.links);
    mer_loop_deinit(&f->app.loop);
    close(f->app.log.fd);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
}
