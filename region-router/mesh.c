/* SPDX-License-Identifier: Apache-2.0
 * mesh.c - the links to the routers of other regions, and which of them leads there (mesh.h).
 *
 * A region is up for us while a link is up to the router that is believed to lead it (mesh_leads.c).
 *
 * Listeners hear of a region as up while we lead and it is up. Order for a leader's peers: role first, then messages, on one link; so
 * whoever hears us knows that we lead.
 *
 * Owner: the app. Next: mesh_leads.c, mesh_tls.c, link.h. */
#include "region-router/mesh.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/mesh_private.h"

#define BODY(x) MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_##x

static const struct mer_metric_def metrics[M_COUNT] = {
    [M_REFUSED] = {"meridian_router_mesh_refused_total", "hellos of regions that are not ours to talk to, or not the one that was dialled"},
    [M_STALE] = {"meridian_router_mesh_stale_total",
                 "messages refused because another router leads that region, or a newer epoch is known"},
    [M_NOT_LEADER] = {"meridian_router_mesh_not_leader_total", "messages for a leader that came while this router was not"},
    [M_UNHANDLED] = {"meridian_router_mesh_unhandled_total", "messages of a kind that nobody takes: of a newer version"},
    [M_BAD] = {"meridian_router_mesh_bad_messages_total", "links closed because of a message that is none"},
    [M_SENT] = {"meridian_router_mesh_sent_total", "messages to other regions"},
    [M_UNSENT] = {"meridian_router_mesh_unsent_total", "messages not sent: region not up or link full"},
    [M_LEADERS] = {"meridian_router_mesh_leaders_total", "times the leader of another region came up"},
    [M_EPOCH_BACK] = {"meridian_router_mesh_epoch_back_total", "times a region's epochs began anew after nobody had led it for long"},
};

/* Rows of each region, labelled with it. */
enum { R_UP, R_LINKS, R_RTT, R_QUEUED, R_COUNT };
static const struct mer_metric_def region_metrics[R_COUNT] = {
    [R_UP] = {"meridian_router_mesh_region_up", "1 while a link to the leader of that region is up", MER_GAUGE},
    [R_LINKS] = {"meridian_router_mesh_region_links", "links that are up to routers of that region", MER_GAUGE},
    [R_RTT] = {"meridian_router_mesh_region_rtt_seconds", "round trip to its leader, smoothed; 0: not known", MER_GAUGE_US},
    [R_QUEUED] = {"meridian_router_mesh_region_queued_bytes", "bytes that wait on the link to its leader", MER_GAUGE},
};

static struct mesh_region *region_find(const struct router_mesh *m, const char *name)
{
    for (size_t i = 0; i < m->region_count; i++)
        if (strcmp(m->regions[i].name, name) == 0)
            return &m->regions[i];
    return NULL;
}

/* ---- saying -------------------------------------------------------------------------------------------------------------------------- */

static enum mer_err say(struct router_mesh *m, struct mer_link *l, const RV1(RegionMessage) * msg)
{
    size_t size = meridian__region__v1__region_message__get_packed_size(msg);
    enum mer_err err = MER_ERANGE;
    if (size <= MER_LINK_PAYLOAD_MAX) {
        meridian__region__v1__region_message__pack(msg, m->scratch);
        err = mer_link_send(l, m->scratch, size);
    }
    m->values[err == MER_OK ? M_SENT : M_UNSENT]++;
    return err;
}

/* A peer that cannot be told would take us for what we were: its link begins anew. */
static void say_role(struct router_mesh *m, struct mer_link *l)
{
    RV1(RegionRole) role = MERIDIAN__REGION__V1__REGION_ROLE__INIT;
    RV1(RegionMessage) msg = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    role.epoch = router__lead_epoch(m->app);
    role.leader = role.epoch != 0;
    msg.body_case = BODY(REGION_ROLE);
    msg.region_role = &role;
    if (say(m, l, &msg) != MER_OK)
        mer_link_reset(l);
}

enum mer_err router_mesh_send(struct router_mesh *m, const char *region, const RV1(RegionMessage) * msg)
{
    const struct mesh_region *r = region_find(m, region);
    if (r == NULL)
        return MER_ENOTFOUND;
    if (r->leader == NULL || router__lead_epoch(m->app) == 0) {
        m->values[M_UNSENT]++;
        return MER_ECLOSED;
    }
    return say(m, r->leader->link, msg);
}

void router_mesh_tell_role(struct router_mesh *m)
{
    MER_LIST_EACH_SAFE (it, &m->ends) {
        struct mesh_end *end = MER_LIST_ENTRY(it, struct mesh_end, node);
        if (end->up)
            say_role(m, end->link);
    }
    for (size_t i = 0; i < m->region_count; i++)
        router__mesh_settle(m, &m->regions[i]);
}

/* ---- links --------------------------------------------------------------------------------------------------------------------------- */

static const char *admit(void *ctx, const struct mer_link *l, const struct mer_link_peer *peer)
{
    struct router_mesh *m = ctx;
    const struct mesh_end *end = mer_link_user(l);
    const char *why = NULL;
    if (end != NULL && strcmp(end->region->name, peer->region) != 0)
        why = "hello: another region than the one that was dialled";
    else if (end == NULL && region_find(m, peer->region) == NULL)
        why = "hello: a region that is not among our peers";
    m->values[M_REFUSED] += why != NULL;
    return why;
}

static struct mesh_end *end_new(struct router_mesh *m, struct mesh_region *r, bool dialled)
{
    struct mesh_end *end = mer_try_calloc(1, sizeof *end);
    if (end == NULL)
        return NULL;
    end->region = r;
    end->dialled = dialled;
    mer_list_push_back(&m->ends, &end->node);
    return end;
}

static void on_up(void *ctx, struct mer_link *l, const struct mer_link_peer *who)
{
    struct router_mesh *m = ctx;
    struct mesh_end *end = mer_link_user(l);
    if (end == NULL)
        end = end_new(m, region_find(m, who->region), false);
    if (end == NULL) {
        mer_link_reset(l); /* memory is out: it comes back later */
        return;
    }
    mer_link_set_user(l, end);
    end->link = l;
    end->up = true;
    end->region->links++;
    say_role(m, l);
}

static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    struct router_mesh *m = ctx;
    struct mesh_end *end = mer_link_user(l);
    (void)why;
    if (end == NULL || !end->up)
        return;
    struct mesh_region *r = end->region;
    bool led = r->leader == end;
    end->up = end->leads = false;
    r->links--;
    if (!end->dialled) {
        mer_link_set_user(l, NULL);
        mer_list_remove(&end->node);
        free(end);
    }
    if (led)
        router__mesh_leader_gone(m, r);
}

static void take(struct router_mesh *m, struct mesh_end *from, const RV1(RegionMessage) * msg)
{
    unsigned kind = (unsigned)msg->body_case;
    if (kind == BODY(REGION_ROLE))
        router__mesh_take_role(m, from, msg->region_role);
    else if (from->region->leader != from)
        m->values[M_STALE]++;
    else if (router__lead_epoch(m->app) == 0)
        m->values[M_NOT_LEADER]++;
    else if (kind < MESH_KINDS_MAX && m->handlers[kind].cb != NULL)
        m->handlers[kind].cb(m->handlers[kind].ctx, from->region->name, msg);
    else
        m->values[M_UNHANDLED]++;
}

static void on_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    struct router_mesh *m = ctx;
    RV1(RegionMessage) *msg = meridian__region__v1__region_message__unpack(NULL, len, payload);
    if (msg == NULL) {
        m->values[M_BAD]++;
        MER_LOG_RATE(&m->app->log, MER_WARN, "mesh.bad_message", KV_STR("peer", mer_link_peer(l)->incarnation));
        mer_link_reset(l);
        return;
    }
    take(m, mer_link_user(l), msg);
    meridian__region__v1__region_message__free_unpacked(msg, NULL);
}

static const struct mer_link_cbs link_cbs = {on_up, on_message, on_down};

/* ---- what is told -------------------------------------------------------------------------------------------------------------------- */

const struct router_mesh_region *router_mesh_regions(struct router_mesh *m, size_t *count)
{
    for (size_t i = 0; i < m->region_count; i++) {
        const struct mesh_region *r = &m->regions[i];
        m->view[i] = (struct router_mesh_region){.name = r->name, .up = r->leader != NULL, .links = r->links};
        if (r->leader != NULL) {
            m->view[i].rtt_us = mer_link_rtt_us(r->leader->link);
            m->view[i].queued = mer_link_queued(r->leader->link);
        }
    }
    *count = m->region_count;
    return m->view;
}

static void refresh(struct mer_metric_set *set)
{
    struct router_mesh *m = MER_CONTAINER_OF(set, struct router_mesh, region_set);
    size_t n;
    const struct router_mesh_region *r = router_mesh_regions(m, &n);
    for (size_t i = 0; i < n; i++) {
        m->region_values[R_UP * n + i] = r[i].up;
        m->region_values[R_LINKS * n + i] = r[i].links;
        m->region_values[R_RTT * n + i] = r[i].rtt_us;
        m->region_values[R_QUEUED * n + i] = r[i].queued;
    }
}

enum mer_err router_mesh_status(struct router_mesh *m, struct mer_buf *out)
{
    size_t n;
    const struct router_mesh_region *r = router_mesh_regions(m, &n);
    enum mer_err err = mer_buf_appends(out, "[");
    for (size_t i = 0; i < n && err == MER_OK; i++) {
        const struct mesh_end *leader = m->regions[i].leader;
        err = mer_buf_appendf(
            out,
            "%s{\"region\":\"%s\",\"up\":%s,\"leader\":\"%s\",\"epoch\":%" PRIu64 ",\"links\":%u,\"rttUs\":%u,\"queuedBytes\":%" PRIu64 "}",
            i > 0 ? "," : "", r[i].name, r[i].up ? "true" : "false", leader != NULL ? mer_link_peer(leader->link)->incarnation : "",
            m->regions[i].epoch, r[i].links, r[i].rtt_us, r[i].queued);
    }
    return err == MER_OK ? mer_buf_appends(out, "]") : err;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

void router_mesh_on(struct router_mesh *m, RV1(RegionMessage__BodyCase) kind, router_mesh_cb cb, void *ctx)
{
    MER_ASSERT((unsigned)kind < MESH_KINDS_MAX && m->handlers[kind].cb == NULL);
    m->handlers[kind].cb = cb;
    m->handlers[kind].ctx = ctx;
}

void router_mesh_on_region(struct router_mesh *m, router_mesh_region_cb cb, void *ctx)
{
    MER_ASSERT(m->listener_count < MESH_LISTENERS_MAX);
    m->listeners[m->listener_count].cb = cb;
    m->listeners[m->listener_count++].ctx = ctx;
}

/* At start: may die of memory. */
static void read_regions(struct router_mesh *m, const struct mer_strs *peers)
{
    char name[ROUTER_REGION_BYTES];
    m->regions = mer_xcalloc(peers->count + 1, sizeof *m->regions);
    for (size_t i = 0; i < peers->count; i++) {
        if (router_config_peer(peers->item[i], name) == NULL || region_find(m, name) != NULL)
            continue;
        struct mesh_region *r = &m->regions[m->region_count++];
        snprintf(r->name, sizeof r->name, "%s", name);
        r->mesh = m;
        mer_timer_init(&r->forget, router__mesh_on_forget);
        snprintf(r->label, sizeof r->label, "region=\"%s\"", name);
    }
    size_t n = m->region_count;
    m->view = mer_xcalloc(n + 1, sizeof *m->view);
    m->region_defs = mer_xcalloc(n * R_COUNT + 1, sizeof *m->region_defs);
    m->region_values = mer_xcalloc(n * R_COUNT + 1, sizeof *m->region_values);
    for (size_t i = 0; i < n * R_COUNT; i++) {
        m->region_defs[i] = region_metrics[i / n];
        m->region_defs[i].labels = m->regions[i % n].label;
    }
    mer_metrics_add(&m->app->metrics, &m->region_set, m->region_defs, n * R_COUNT, m->region_values);
    m->region_set.refresh = refresh;
}

static enum mer_err dial_all(struct router_mesh *m, const struct mer_strs *peers, struct mer_msg *msg)
{
    char name[ROUTER_REGION_BYTES];
    for (size_t i = 0; i < peers->count; i++) {
        const char *address = router_config_peer(peers->item[i], name);
        struct mesh_end *end = address != NULL ? end_new(m, region_find(m, name), true) : NULL;
        enum mer_err err = end != NULL ? mer_link_dial(m->links, address, end, &end->link) : address != NULL ? MER_ENOMEM : MER_EINVALID;
        if (err != MER_OK) {
            mer_msgf(msg, "mesh_peers: %s: %s", peers->item[i], mer_err_text(err));
            return err;
        }
    }
    return MER_OK;
}

static enum mer_err open_links(struct router_mesh *m, struct mer_msg *msg)
{
    struct router_app *app = m->app;
    struct mer_links_conf lc = {.loop = &app->loop,
                                .log = &app->log,
                                .rng = app->rng,
                                .metrics = &app->metrics,
                                .cbs = &link_cbs,
                                .ctx = m,
                                .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER,
                                .region = app->conf.region,
                                .id = app->conf.id,
                                .incarnation = app->incarnation,
                                .peer_roles = 1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER,
                                .name = "mesh",
                                .tls_client = m->tls.client,
                                .tls_server = m->tls.server,
                                .tls_identity = true,
                                .between_regions = true,
                                .accepted_max = ROUTER_MESH_ACCEPTED_MAX,
                                .admit = admit};
    enum mer_err err = mer_links_create(&m->links, &lc);
    if (err != MER_OK)
        return err;
    if (app->conf.mesh_listen[0] != 0)
        err = mer_links_listen(m->links, app->conf.mesh_listen, msg);
    return err == MER_OK ? dial_all(m, &app->conf.mesh_peers, msg) : err;
}

enum mer_err router_mesh_create(struct router_mesh **out, struct router_app *app, struct mer_msg *msg)
{
    struct router_mesh *m = mer_xcalloc(1, sizeof *m);
    m->app = app;
    mer_list_init(&m->ends);
    mer_metrics_add(&app->metrics, &m->set, metrics, M_COUNT, m->values);
    router_mesh_tls_init(&m->tls, app);
    read_regions(m, &app->conf.mesh_peers);
    enum mer_err err = MER_OK;
    bool joined = m->region_count > 0 || app->conf.mesh_listen[0] != 0;
    if (joined || app->conf.mesh_tls_cert[0] != 0)
        err = router_mesh_tls_load(&m->tls, msg);
    if (joined && err == MER_OK) {
        m->scratch = mer_xmalloc(MER_LINK_PAYLOAD_MAX);
        err = open_links(m, msg);
    }
    if (err != MER_OK)
        router_mesh_destroy(m);
    else
        *out = m;
    return err;
}

void router_mesh_reload(struct router_mesh *m)
{
    struct mer_msg msg;
    if (m->tls.server == NULL)
        return;
    if (router_mesh_tls_load(&m->tls, &msg) == MER_OK) {
        if (m->links != NULL)
            mer_links_set_tls(m->links, m->tls.client, m->tls.server);
        MER_LOG(&m->app->log, MER_INFO, "certificate.reload", KV_STR("file", m->app->conf.mesh_tls_cert));
    } else {
        MER_LOG(&m->app->log, MER_ERROR, "certificate.reload_failed", KV_STR("reason", msg.text));
    }
}

SSL_CTX *router_mesh_tls_server(const struct router_mesh *m)
{
    return m->tls.server;
}

void router_mesh_destroy(struct router_mesh *m)
{
    if (m == NULL)
        return;
    mer_links_destroy(m->links);
    for (size_t i = 0; i < m->region_count; i++)
        mer_loop_disarm(&m->app->loop, &m->regions[i].forget);
    while (!mer_list_empty(&m->ends)) {
        struct mesh_end *end = MER_LIST_ENTRY(m->ends.next, struct mesh_end, node);
        mer_list_remove(&end->node);
        free(end);
    }
    router_mesh_tls_deinit(&m->tls);
    mer_metrics_remove(&m->set);
    mer_metrics_remove(&m->region_set);
    free(m->region_defs);
    free(m->region_values);
    free(m->regions);
    free(m->view);
    free(m->scratch);
    free(m);
}
