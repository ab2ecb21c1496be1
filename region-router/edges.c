/* SPDX-License-Identifier: Apache-2.0
 * edges.c - the registry of who is connected (edges.h), and the first look at what they say.
 *
 * An edge is here as long as its link is up; a link that comes back is a new entry, with nothing of the old one: the edge hands in
 * everything again. Of other routers only the link matters: that it is up, and whether its end still leads. */
#include "region-router/edges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/app.h"

struct router_end {       /* a link's user: an edge, another router or a geo agent */
    struct mer_list node; /* not of edges */
    struct router_edge *edge;
    struct mer_link *link;
    bool geo;
    char incarnation[ROUTER_NAME_BYTES];
};

static const struct mer_metric_def metrics[ROUTER_E_COUNT] = {
    [ROUTER_E_EDGES] = {"meridian_router_edges", "edges connected", MER_GAUGE},
    [ROUTER_E_ROUTERS] = {"meridian_router_routers", "other routers connected", MER_GAUGE},
    [ROUTER_E_GEOS] = {"meridian_router_geo_agents", "geo agents connected", MER_GAUGE},
    [ROUTER_E_REPORTS] = {"meridian_router_reports_total", "load reports of edges"},
    [ROUTER_E_BAD] = {"meridian_router_bad_messages_total", "links closed because of a message that is none"},
    [ROUTER_E_NOT_LEADER] = {"meridian_router_refused_total", "messages for a leader that came while this router was not"},
    [ROUTER_E_SENT] = {"meridian_router_sent_total", "messages to edges and routers"},
    [ROUTER_E_UNSENT] = {"meridian_router_unsent_total", "messages not sent: link down or full"},
};

/* ---- telling ------------------------------------------------------------------------------------------------------------------------- */

void router_edges_send(struct router_edges *es, struct mer_link *l, const Meridian__Internal__V1__RouterMessage *m)
{
    size_t size = meridian__internal__v1__router_message__get_packed_size(m);
    enum mer_err err = MER_ERANGE;
    if (size <= MER_LINK_PAYLOAD_MAX) {
        meridian__internal__v1__router_message__pack(m, es->scratch);
        err = mer_link_send(l, es->scratch, size);
    }
    es->values[err == MER_OK ? ROUTER_E_SENT : ROUTER_E_UNSENT]++;
}

void router_edges_tell_geo(struct router_edges *es, const void *payload, size_t len)
{
    MER_LIST_EACH (it, &es->geos) {
        enum mer_err err = mer_link_send(MER_LIST_ENTRY(it, struct router_end, node)->link, payload, len);
        es->values[err == MER_OK ? ROUTER_E_SENT : ROUTER_E_UNSENT]++;
    }
}

static void say_role(struct router_edges *es, struct mer_link *l)
{
    Meridian__Internal__V1__RouterRole role = MERIDIAN__INTERNAL__V1__ROUTER_ROLE__INIT;
    Meridian__Internal__V1__RouterMessage m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    role.epoch = router__lead_epoch(es->app);
    role.leader = role.epoch != 0;
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_ROUTER_ROLE;
    m.router_role = &role;
    router_edges_send(es, l, &m);
}

static bool listed(const struct router_edge *e)
{
    return e->reported && !e->draining && e->ws_url[0] != 0;
}

/* The list of edges to all of them, or to one. */
static void send_list(struct router_edges *es, struct mer_link *only)
{
    static const Meridian__Internal__V1__ListedEdge empty = MERIDIAN__INTERNAL__V1__LISTED_EDGE__INIT;
    Meridian__Internal__V1__ListedEdge row[ROUTER_LISTED_MAX], *rows[ROUTER_LISTED_MAX];
    struct router_news_rows others;
    Meridian__Internal__V1__EdgeList list = MERIDIAN__INTERNAL__V1__EDGE_LIST__INIT;
    Meridian__Internal__V1__RouterMessage m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    list.router_epoch = router__lead_epoch(es->app);
    if (list.router_epoch == 0)
        return;
    MER_LIST_EACH (it, &es->edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (!listed(e) || list.n_edges == ROUTER_LISTED_MAX)
            continue;
        row[list.n_edges] = empty;
        row[list.n_edges].id = e->id;
        row[list.n_edges].ws_url = e->ws_url;
        rows[list.n_edges] = &row[list.n_edges];
        list.n_edges++;
    }
    list.edges = rows;
    router_news_list(&es->app->newsroom.news, &others, &list);
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_EDGE_LIST;
    m.edge_list = &list;
    if (only != NULL) {
        router_edges_send(es, only, &m);
        return;
    }
    MER_LIST_EACH (it, &es->edges)
        router_edges_send(es, MER_LIST_ENTRY(it, struct router_edge, node)->link, &m);
}

static void on_list_later(struct mer_deferred *d)
{
    struct router_edges *es = MER_CONTAINER_OF(d, struct router_edges, list_later);
    send_list(es, NULL);
    router_newsroom_tell(&es->app->newsroom);
}

void router_edges_list_changed(struct router_edges *es)
{
    mer_loop_defer(&es->app->loop, &es->list_later);
}

void router_edges_tell_role(struct router_edges *es)
{
    MER_LIST_EACH (it, &es->routers)
        say_role(es, MER_LIST_ENTRY(it, struct router_end, node)->link);
    MER_LIST_EACH (it, &es->edges)
        say_role(es, MER_LIST_ENTRY(it, struct router_edge, node)->link);
    router_edges_list_changed(es);
}

/* ---- coming and going ---------------------------------------------------------------------------------------------------------------- */

static struct router_edge *edge_new(struct router_edges *es, struct mer_link *l, const struct mer_link_peer *who)
{
    struct router_edge *e = mer_try_calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    snprintf(e->id, sizeof e->id, "%s", who->id);
    snprintf(e->incarnation, sizeof e->incarnation, "%s", who->incarnation);
    e->link = l;
    mer_list_push_back(&es->edges, &e->node);
    es->values[ROUTER_E_EDGES]++;
    return e;
}

static void on_up(void *ctx, struct mer_link *l, const struct mer_link_peer *who)
{
    struct router_app *app = ctx;
    struct router_edges *es = &app->edges;
    bool is_edge = who->role == MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE;
    struct router_end *end = mer_try_calloc(1, sizeof *end);
    mer_link_set_user(l, end);
    if (end != NULL && is_edge)
        end->edge = edge_new(es, l, who);
    if (end == NULL || (is_edge && end->edge == NULL)) {
        free(end);
        mer_link_set_user(l, NULL);
        mer_link_reset(l); /* memory is out: it comes back later */
        return;
    }
    end->link = l;
    snprintf(end->incarnation, sizeof end->incarnation, "%s", who->incarnation);
    mer_list_init(&end->node);
    if (who->role == MERIDIAN__INTERNAL__V1__ROLE__ROLE_GEO) {
        end->geo = true;
        mer_list_push_back(&es->geos, &end->node);
        es->values[ROUTER_E_GEOS]++;
        router_region_report_start(&app->region_report);
        return;
    }
    if (!is_edge) {
        mer_list_push_back(&es->routers, &end->node);
        es->values[ROUTER_E_ROUTERS]++;
        router_standby_link(app->standby, end->incarnation, true);
    }
    say_role(es, l);
    if (is_edge)
        router_claimer_up(&app->claimer, end->edge);
    if (is_edge)
        router_relays_tell(app->relays, end->edge);
}

struct router_edge *router_edges_find(const struct router_edges *es, const char *incarnation)
{
    MER_LIST_EACH (it, &es->edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (strcmp(e->incarnation, incarnation) == 0)
            return e;
    }
    return NULL;
}

static void edge_lost(struct router_app *app, struct router_edge *e)
{
    struct router_edges *es = &app->edges;
    mer_list_remove(&e->node); /* first: nothing is placed here any more */
    es->values[ROUTER_E_EDGES]--;
    if (router_edges_find(es, e->incarnation) == NULL) { /* also over another link than the one that went */
        router_claimer_down(&app->claimer, e);
        router_presence_edge_lost(app->relays, e);
    }
    if (app->leading)
        router_match_edge_lost(&app->matcher, e, app->loop.now_ms);
    if (listed(e))
        router_edges_list_changed(es);
    free(e);
}

static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    struct router_app *app = ctx;
    struct router_end *end = mer_link_user(l);
    (void)why;
    mer_link_set_user(l, NULL);
    if (end == NULL)
        return;
    if (end->edge != NULL) {
        edge_lost(app, end->edge);
    } else if (end->geo) {
        mer_list_remove(&end->node);
        app->edges.values[ROUTER_E_GEOS]--;
    } else {
        mer_list_remove(&end->node);
        app->edges.values[ROUTER_E_ROUTERS]--;
        router_standby_link(app->standby, end->incarnation, false);
    }
    free(end);
}

/* ---- messages ------------------------------------------------------------------------------------------------------------------------ */

static void take_report(struct router_edges *es, struct router_edge *e, const Meridian__Internal__V1__EdgeReport *r)
{
    bool was_listed = listed(e), first = !e->reported;
    const char *url = r->ws_url != NULL && strlen(r->ws_url) < sizeof e->ws_url ? r->ws_url : "";
    bool moved = strcmp(url, e->ws_url) != 0;
    snprintf(e->ws_url, sizeof e->ws_url, "%s", url);
    snprintf(e->host, sizeof e->host, "%s", r->host);
    static const uint64_t seed[2] = {1, 2}; /* compared with our own only; edges are not strangers */
    e->host_hash = mer_siphash13(seed, e->host, strlen(e->host));
    e->reported = true;
    e->reported_ms = es->app->loop.now_ms;
    e->draining = r->draining;
    e->connections = r->connections;
    e->max_connections = r->max_connections;
    e->sessions = r->sessions;
    e->games = r->games;
    e->load_permille = r->load_permille;
    e->placed = 0;
    es->values[ROUTER_E_REPORTS]++;
    if (listed(e) != was_listed || (moved && listed(e)))
        router_edges_list_changed(es);
    else if (first)
        send_list(es, e->link);
}

static bool take(struct router_app *app, struct router_end *from, const Meridian__Internal__V1__RouterMessage *m)
{
    if (from->edge == NULL) {
        if (from->geo || m->body_case != MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_ROUTER_ROLE)
            return false;
        if (!m->router_role->leader && strcmp(from->incarnation, router_standby_holder(app->standby)) == 0)
            router_standby_vacant(app->standby);
        return true;
    }
    if (m->body_case == MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_EDGE_REPORT) {
        take_report(&app->edges, from->edge, m->edge_report);
        return true;
    }
    if (m->body_case == MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY__NOT_SET)
        return true; /* a newer version's kind */
    if (router__lead_epoch(app) == 0) {
        app->edges.values[ROUTER_E_NOT_LEADER]++; /* said before the edge knew; it hands in everything to the next leader */
        return true;
    }
    return router__lead_message(app, from->edge, m);
}

static void on_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    struct router_app *app = ctx;
    Meridian__Internal__V1__RouterMessage *m = meridian__internal__v1__router_message__unpack(NULL, len, payload);
    struct router_end *end = mer_link_user(l);
    if (m == NULL || end == NULL || !take(app, end, m)) {
        app->edges.values[ROUTER_E_BAD]++;
        MER_LOG_RATE(&app->log, MER_WARN, "router.bad_message", KV_STR("peer", end != NULL ? end->incarnation : NULL),
                     KV_U64("kind", m != NULL ? m->body_case : 0));
        mer_link_reset(l);
    }
    if (m != NULL)
        meridian__internal__v1__router_message__free_unpacked(m, NULL);
}

const struct mer_link_cbs router_edges_link_cbs = {on_up, on_message, on_down};

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

void router_edges_init(struct router_edges *es, struct router_app *app)
{
    memset(es, 0, sizeof *es);
    es->app = app;
    es->scratch = mer_xmalloc(MER_LINK_PAYLOAD_MAX);
    mer_list_init(&es->edges);
    mer_list_init(&es->routers);
    mer_list_init(&es->geos);
    mer_deferred_init(&es->list_later, on_list_later);
    mer_metrics_add(&app->metrics, &es->set, metrics, ROUTER_E_COUNT, es->values);
}

static void end_free(struct router_end *end)
{
    mer_link_set_user(end->link, NULL);
    free(end);
}

static void forget(struct mer_list *ends)
{
    while (!mer_list_empty(ends)) {
        struct router_end *end = MER_LIST_ENTRY(ends->next, struct router_end, node);
        mer_list_remove(&end->node);
        end_free(end);
    }
}

void router_edges_close(struct router_edges *es)
{
    forget(&es->routers);
    forget(&es->geos);
    while (!mer_list_empty(&es->edges)) {
        struct router_edge *e = MER_LIST_ENTRY(es->edges.next, struct router_edge, node);
        mer_list_remove(&e->node);
        end_free(mer_link_user(e->link));
        free(e);
    }
}

void router_edges_deinit(struct router_edges *es)
{
    mer_deferred_cancel(&es->list_later);
    mer_metrics_remove(&es->set);
    mer_free(&es->scratch);
}
