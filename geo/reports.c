/* SPDX-License-Identifier: Apache-2.0
 * reports.c - reports.h. A router of another region than the one it was dialled for is a mistake in the configuration: told, and not heard.
 */
#include "geo/reports.h"

#include <stdio.h>
#include <string.h>

#include <meridian/id.h>
#include <meridian/mem.h>
#include <meridian/tls.h>

#include "geo/wish.h"

#include "meridian/control/v1/control.pb-c.h"
#include "meridian/internal/v1/internal.pb-c.h"

struct router {
    uint32_t region;
    struct mer_link *link;
    uint64_t at_ms;  /* its last report; 0: never */
    bool leaderless; /* in it */
};

struct geo_reports {
    struct geo_reports_conf conf;
    struct mer_links *links;
    struct router *router;
    size_t count;
    struct geo_report report[GEO_REGIONS_MAX];
    uint64_t at_ms[GEO_REGIONS_MAX]; /* 0: never */
};

static void on_up(void *ctx, struct mer_link *l, const struct mer_link_peer *peer)
{
    struct geo_reports *r = ctx;
    const struct router *router = mer_link_user(l);
    const char *wanted = r->conf.footprint->region[router->region].name;
    if (strcmp(peer->region, wanted) != 0)
        MER_LOG(r->conf.log, MER_ERROR, "router.wrong_region", KV_STR("router", peer->incarnation), KV_STR("of", peer->region),
                KV_STR("expected", wanted));
}

/* A text that could not be journalled is left out: the drain holds all the same. */
static void take_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", mer_id_is_text(text, strlen(text), size - 1) ? text : "?");
}

static void take_drain(struct geo_reports *r, uint32_t region, const Meridian__Control__V1__DrainState *d)
{
    uint64_t wall_ms = mer_clock_wall_ms(&r->conf.loop->clock);
    struct geo_wished w = {.kind = d != NULL ? GEO_WISH_DRAIN : GEO_WISH_NOTHING, .at_ms = wall_ms};
    if (d != NULL) {
        w.at_ms = d->began_ms < wall_ms ? wall_ms - d->began_ms : 0;
        w.over_ms = d->over_ms <= GEO_WISH_OVER_MAX_MS ? d->over_ms : 0;
        take_text(w.by, sizeof w.by, d->by);
        take_text(w.reason, sizeof w.reason, d->reason);
    }
    r->conf.on_drain(r->conf.ctx, region, &w);
}

/* seen: the region of its certificate. A report is heard of its own region alone: whoever answers at another's address drains nobody. */
static void take(struct geo_reports *r, struct router *router, const char *seen, const Meridian__Control__V1__RegionReport *m)
{
    const char *wanted = r->conf.footprint->region[router->region].name;
    if (strcmp(seen, wanted) != 0 || strcmp(m->region, wanted) != 0)
        return;
    router->at_ms = r->conf.loop->now_ms;
    router->leaderless = !m->leader && m->has_leaderless_ms && m->leaderless_ms >= GEO_LEADERLESS_MS;
    if (!m->leader)
        return;
    r->report[router->region] = (struct geo_report){.known = true,
                                                    .ready = m->edges_ready > 0,
                                                    .players = m->players,
                                                    .capacity = m->capacity,
                                                    .games = m->games,
                                                    .edges = m->edges,
                                                    .edges_ready = m->edges_ready};
    r->at_ms[router->region] = r->conf.loop->now_ms;
    if (m->has_drain_known && m->drain_known)
        take_drain(r, router->region, m->drain);
}

static void on_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    Meridian__Control__V1__ControlMessage *m = meridian__control__v1__control_message__unpack(NULL, len, payload);
    if (m == NULL)
        mer_link_reset(l);
    else if (m->body_case == MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_REGION_REPORT)
        take(ctx, mer_link_user(l), mer_link_peer(l)->region, m->region_report);
    if (m != NULL)
        meridian__control__v1__control_message__free_unpacked(m, NULL);
}

static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    (void)ctx, (void)l, (void)why; /* it is dialled again; what it said grows old by itself */
}

static const struct mer_link_cbs cbs = {on_up, on_message, on_down};

enum mer_err geo_reports_create(struct geo_reports **out, const struct geo_reports_conf *conf, struct mer_msg *msg)
{
    const struct mer_strs *routers = &conf->config->routers;
    struct geo_reports *r = mer_xcalloc(1, sizeof *r);
    r->conf = *conf;
    r->router = mer_xcalloc(routers->count + 1, sizeof *r->router);
    struct mer_links_conf lc = {.loop = conf->loop,
                                .log = conf->log,
                                .rng = conf->rng,
                                .metrics = conf->metrics,
                                .cbs = &cbs,
                                .ctx = r,
                                .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_GEO,
                                .region = "global",
                                .id = conf->config->id,
                                .incarnation = conf->incarnation,
                                .peer_roles = 1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER,
                                .name = "router"};
    const struct geo_config *c = conf->config;
    lc.tls_identity = true;
    enum mer_err err = MER_OK;
    mer_msgf(msg, "routers: no memory");
    if (c->tls_cert[0] != 0)
        err = mer_tls_peer_create(&lc.tls_client, false, c->tls_ca, c->tls_cert, c->tls_key, msg);
    if (err == MER_OK)
        err = mer_links_create(&r->links, &lc);
    SSL_CTX_free(lc.tls_client); /* the links have their own reference */
    for (; err == MER_OK && r->count < routers->count; r->count++) {
        struct router *router = &r->router[r->count];
        const char *address = NULL;
        MER_ASSERT(geo_config_router(conf->footprint, routers->item[r->count], &router->region, &address)); /* validated */
        err = mer_link_dial(r->links, address, router, &router->link);
    }
    if (err != MER_OK) {
        geo_reports_destroy(r);
        return err;
    }
    *out = r;
    return MER_OK;
}

static bool is_fresh(const struct geo_reports *r, uint64_t at_ms)
{
    return at_ms != 0 && r->conf.loop->now_ms - at_ms <= GEO_REPORT_VALID_MS;
}

static bool is_leaderless(const struct geo_reports *r, uint32_t region)
{
    size_t fresh = 0, leaderless = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->router[i].region != region || !is_fresh(r, r->router[i].at_ms))
            continue;
        fresh++;
        leaderless += r->router[i].leaderless;
    }
    return fresh > 0 && leaderless == fresh;
}

struct geo_report geo_reports_of(const struct geo_reports *r, uint32_t region)
{
    bool valid = is_fresh(r, r->at_ms[region]);
    struct geo_report report = valid ? r->report[region] : (struct geo_report){0};
    report.leaderless = is_leaderless(r, region);
    report.age_ms = valid ? r->conf.loop->now_ms - r->at_ms[region] : 0;
    return report;
}

void geo_reports_destroy(struct geo_reports *r)
{
    if (r == NULL)
        return;
    mer_links_destroy(r->links);
    free(r->router);
    free(r);
}
