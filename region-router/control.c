/* SPDX-License-Identifier: Apache-2.0
 * control.c - see control.h. Asks about this process are answered at once; those about players and games when Redis answered, unless the
 * link went meanwhile. Owner: the app. Next: edges.h, mesh.h, match.h. */
#include "region-router/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/id.h>
#include <meridian/mem.h>
#include <meridian/shared_keys.h>

#include "region-router/app.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x
#define ANSWER(x) MERIDIAN__CONTROL__V1__ANSWER__BODY_##x
#define CODE(x) MERIDIAN__CONTROL__V1__ANSWER_CODE__ANSWER_CODE_##x

enum {
    EDGES_MAX = 256,  /* in one answer: a frame has 64 KiB */
    REGIONS_MAX = 64, /* as many as mesh_peers can name */
    DEVICES_MAX = 32, /* as many as the store keeps of a player */
    WAITING_MAX = 64, /* asks that wait for Redis: people ask, not programs */
    BY_MAX = 64,      /* bytes; as in control.proto */
    REASON_MAX = 255,
};

enum { M_ASKED, M_BAD, M_REFUSED, M_COUNT };
static const struct mer_metric_def metrics[M_COUNT] = {
    [M_ASKED] = {"meridian_router_control_asks_total", "questions and orders of operators"},
    [M_BAD] = {"meridian_router_control_bad_messages_total", "control links closed because of a message that is none"},
    [M_REFUSED] = {"meridian_router_control_refused_total", "asks of operators that were not answered with OK"},
};

struct router_control {
    struct router_app *app;
    struct mer_links *links;
    struct mer_list waiting; /* of struct waiting */
    uint32_t waiting_count;
    uint8_t *scratch;
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
};

/* Waits for Redis. */
struct waiting {
    struct mer_list node;
    struct router_control *control;
    struct mer_link *link; /* NULL: gone */
    uint64_t id;
    bool game; /* or player */
    char name[MER_KEY_ID_MAX + 1];
};

/* ---- answering ----------------------------------------------------------------------------------------------------------------------- */

static void answer_with(struct router_control *c, struct mer_link *l, CV1(Answer) * answer)
{
    CV1(ControlMessage) m = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__INIT;
    m.body_case = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ANSWER;
    m.answer = answer;
    answer->leader = (char *)(router__lead_epoch(c->app) != 0 ? c->app->incarnation : router_standby_holder(c->app->standby));
    if (answer->code != CODE(OK))
        c->values[M_REFUSED]++;
    size_t size = meridian__control__v1__control_message__get_packed_size(&m);
    if (size > MER_LINK_PAYLOAD_MAX)
        return; /* bounded above: cannot be */
    meridian__control__v1__control_message__pack(&m, c->scratch);
    if (mer_link_send(l, c->scratch, size) != MER_OK)
        mer_link_reset(l); /* who does not read his answers asks again */
}

static void say(struct router_control *c, struct mer_link *l, uint64_t id, CV1(AnswerCode) code, const char *why)
{
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    a.id = id;
    a.code = code;
    a.why = (char *)why;
    answer_with(c, l, &a);
}

static size_t tell_edges(struct router_app *app, CV1(EdgeState) rows[EDGES_MAX], CV1(EdgeState) * list[EDGES_MAX])
{
    static const CV1(EdgeState) empty = MERIDIAN__CONTROL__V1__EDGE_STATE__INIT;
    size_t n = 0;
    MER_LIST_EACH (it, &app->edges.edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (n == EDGES_MAX)
            break;
        CV1(EdgeState) *row = list[n] = &rows[n];
        *row = empty;
        row->id = e->id;
        row->incarnation = e->incarnation;
        row->connections = e->connections;
        row->sessions = e->sessions;
        row->games = e->games;
        row->load_permille = e->load_permille;
        row->draining = e->draining;
        row->has_report_age_ms = e->reported;
        row->report_age_ms = e->reported ? app->loop.now_ms - e->reported_ms : 0;
        n++;
    }
    return n;
}

static size_t tell_links(struct router_app *app, CV1(LinkState) rows[REGIONS_MAX], CV1(LinkState) * list[REGIONS_MAX])
{
    static const CV1(LinkState) empty = MERIDIAN__CONTROL__V1__LINK_STATE__INIT;
    size_t count, n = 0;
    const struct router_mesh_region *region = router_mesh_regions(app->mesh, &count);
    for (; n < count && n < REGIONS_MAX; n++) {
        list[n] = &rows[n];
        rows[n] = empty;
        rows[n].region = (char *)region[n].name;
        rows[n].up = region[n].up;
        rows[n].links = region[n].links;
        rows[n].rtt_us = region[n].rtt_us;
        rows[n].queued = region[n].queued;
        rows[n].has_outbox = app->leading;
        rows[n].outbox = router_relays_waiting(app->relays, region[n].name);
    }
    return n;
}

static void ask_router(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    struct router_app *app = c->app;
    const uint64_t *counts = app->matcher.counts;
    CV1(EdgeState) edge[EDGES_MAX], *edges[EDGES_MAX];
    CV1(LinkState) link[REGIONS_MAX], *links[REGIONS_MAX];
    CV1(RouterState) r = MERIDIAN__CONTROL__V1__ROUTER_STATE__INIT;
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    r.id = app->conf.id;
    r.incarnation = app->incarnation;
    r.region = app->conf.region;
    r.epoch = router__lead_epoch(app);
    r.leader = r.epoch != 0;
    r.tickets_waiting = counts[ROUTER_M_WAITING];
    r.tickets_offered = counts[ROUTER_M_OFFERED];
    r.tickets_held = counts[ROUTER_M_HELD];
    r.matches = counts[ROUTER_M_MATCHES];
    r.edges_connected = (uint32_t)app->edges.values[ROUTER_E_EDGES];
    r.n_edges = tell_edges(app, edge, edges);
    r.edges = edges;
    r.n_links = tell_links(app, link, links);
    r.links = links;
    a.id = ask->id;
    a.code = CODE(OK);
    a.body_case = ANSWER(ROUTER);
    a.router = &r;
    answer_with(c, l, &a);
}

static void ask_ticket(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    char reason[ROUTER_REASON_BYTES];
    CV1(TicketState) t = MERIDIAN__CONTROL__V1__TICKET_STATE__INIT;
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    if (!c->app->leading) {
        say(c, l, ask->id, CODE(NOT_LEADER), "tickets are the leader's");
        return;
    }
    if (router_match_explain(&c->app->matcher, ask->ticket->ticket_id, reason, &t.next_step_in_ms) != MER_OK) {
        say(c, l, ask->id, CODE(NOT_FOUND), "no such ticket waits in this region");
        return;
    }
    t.ticket_id = ask->ticket->ticket_id;
    t.reason = reason;
    a.id = ask->id;
    a.code = CODE(OK);
    a.body_case = ANSWER(TICKET);
    a.ticket = &t;
    answer_with(c, l, &a);
}

/* ---- players and games, as Redis has them ------------------------------------------------------------------------------------------- */

static char *text_at(const redisReply *r, size_t i)
{
    return i < r->elements && r->element[i]->type == REDIS_REPLY_STRING && r->element[i]->len > 0 ? r->element[i]->str : NULL;
}

static uint64_t number_at(const redisReply *r, size_t i)
{
    const char *text = text_at(r, i);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

/* {status, time, needs, game, game owner, ticket, ticket edge, expiry, previous edge, previous session, {device, edge, session, ...}} */
static void tell_player(struct waiting *w, const redisReply *r, CV1(Answer) * a)
{
    static const CV1(DeviceState) empty = MERIDIAN__CONTROL__V1__DEVICE_STATE__INIT;
    CV1(DeviceState) row[DEVICES_MAX], *rows[DEVICES_MAX];
    CV1(PlayerState) p = MERIDIAN__CONTROL__V1__PLAYER_STATE__INIT;
    const redisReply *devices = r->element[10];
    p.user = w->name;
    p.game_id = text_at(r, 3);
    p.game_owner = text_at(r, 4);
    p.ticket_id = text_at(r, 5);
    p.ticket_edge = text_at(r, 6);
    for (size_t i = 0; i + 2 < devices->elements && p.n_devices < DEVICES_MAX; i += 3) {
        CV1(DeviceState) *d = rows[p.n_devices] = &row[p.n_devices];
        *d = empty;
        d->device = text_at(devices, i);
        d->edge = text_at(devices, i + 1);
        d->session = text_at(devices, i + 2);
        p.n_devices += d->device != NULL && d->edge != NULL && d->session != NULL;
    }
    p.devices = rows;
    a->code = p.game_id != NULL || p.ticket_id != NULL || p.n_devices > 0 ? CODE(OK) : CODE(NOT_FOUND);
    if (a->code == CODE(OK)) {
        a->body_case = ANSWER(PLAYER);
        a->player = &p;
    } else {
        a->why = (char *)"no device, ticket or game of such a user in this region";
    }
    answer_with(w->control, w->link, a);
}

/* {status, time, needs, version, generation, epoch, nonce, owner, record} */
static void tell_game(struct waiting *w, const redisReply *r, CV1(Answer) * a)
{
    CV1(GameState) g = MERIDIAN__CONTROL__V1__GAME_STATE__INIT;
    const char *status = text_at(r, 0);
    a->code = status != NULL && (strcmp(status, "OK") == 0 || strcmp(status, "ASIDE") == 0) ? CODE(OK) : CODE(NOT_FOUND);
    if (a->code == CODE(OK)) {
        g.game_id = w->name;
        g.version = number_at(r, 3);
        g.generation = number_at(r, 4);
        g.epoch = number_at(r, 5);
        g.owner = text_at(r, 7);
        a->body_case = ANSWER(GAME);
        a->game = &g;
        a->why = strcmp(status, "ASIDE") == 0 ? (char *)"set aside: it brought down its owners" : NULL;
    } else {
        a->why = (char *)"no such game in this region";
    }
    answer_with(w->control, w->link, a);
}

static void on_stored(void *ctx, enum mer_err err, const redisReply *r)
{
    struct waiting *w = ctx;
    struct router_control *c = w->control;
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    a.id = w->id;
    bool shaped = err == MER_OK && r->type == REDIS_REPLY_ARRAY && r->elements >= (w->game ? 9u : 11u) &&
                  (w->game || r->element[10]->type == REDIS_REPLY_ARRAY);
    if (w->link == NULL) {
        ; /* nobody listens any more */
    } else if (!shaped) {
        say(c, w->link, w->id, CODE(UNAVAILABLE), "Redis did not answer");
    } else if (w->game) {
        tell_game(w, r, &a);
    } else {
        tell_player(w, r, &a);
    }
    mer_list_remove(&w->node);
    c->waiting_count--;
    free(w);
}

static enum mer_err look_up(struct waiting *w)
{
    char key[MER_KEY_MAX], electable[MER_KEY_MAX];
    uint32_t bucket = mer_key_bucket(w->name);
    enum mer_err err = mer_key_in_bucket(key, w->game ? "game" : "player", bucket, w->name);
    if (err == MER_OK)
        err = mer_key_electable(electable, bucket);
    if (err != MER_OK)
        return err;
    const char *argv[] = {"FCALL_RO", w->game ? "mer1_get" : "mer1_player_get", "2", key, electable};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = key};
    return mer_redis_call(w->control->app->redis, &spec, on_stored, w);
}

static void ask_store(struct router_control *c, struct mer_link *l, uint64_t id, bool game, const char *name)
{
    struct waiting *w = c->waiting_count < WAITING_MAX && strlen(name) <= MER_KEY_ID_MAX ? mer_try_calloc(1, sizeof *w) : NULL;
    if (w != NULL) {
        *w = (struct waiting){.control = c, .link = l, .id = id, .game = game};
        snprintf(w->name, sizeof w->name, "%s", name);
        if (look_up(w) == MER_OK) {
            mer_list_push_back(&c->waiting, &w->node);
            c->waiting_count++;
            return;
        }
        free(w);
    }
    bool bad = name[0] == 0 || strlen(name) > MER_KEY_ID_MAX;
    say(c, l, id, bad ? CODE(INVALID) : CODE(UNAVAILABLE), bad ? "an id has 1 to 256 bytes" : "too much waits for Redis");
}

/* ---- orders -------------------------------------------------------------------------------------------------------------------------- */

static struct router_edge *edge_named(struct router_app *app, const char *name)
{
    MER_LIST_EACH (it, &app->edges.edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (strcmp(e->id, name) == 0 || strcmp(e->incarnation, name) == 0)
            return e;
    }
    return NULL;
}

static unsigned others_ready(struct router_app *app, const struct router_edge *but)
{
    unsigned n = 0;
    MER_LIST_EACH (it, &app->edges.edges) {
        const struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        n += e != but && e->reported && !e->draining && app->loop.now_ms - e->reported_ms < ROUTER_STALE_MS;
    }
    return n;
}

static void order_drain(struct router_control *c, struct router_edge *e, const CV1(Ask) * ask)
{
    Meridian__Internal__V1__EdgeDrain drain = MERIDIAN__INTERNAL__V1__EDGE_DRAIN__INIT;
    Meridian__Internal__V1__RouterMessage m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    drain.router_epoch = router__lead_epoch(c->app);
    drain.by = ask->by;
    drain.reason = ask->reason;
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_EDGE_DRAIN;
    m.edge_drain = &drain;
    router_edges_send(&c->app->edges, e->link, &m);
    MER_LOG(&c->app->log, MER_WARN, "control.drain", KV_STR("edge", e->incarnation), KV_STR("by", ask->by), KV_STR("reason", ask->reason));
}

static void ask_drain(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    char why[256];
    struct router_app *app = c->app;
    struct router_edge *e = edge_named(app, ask->drain_edge->edge);
    bool dry = ask->has_dry_run && ask->dry_run, force = ask->drain_edge->has_force && ask->drain_edge->force;
    if (router__lead_epoch(app) == 0) {
        say(c, l, ask->id, CODE(NOT_LEADER), "edges take orders from the leader");
    } else if (e == NULL) {
        say(c, l, ask->id, CODE(NOT_FOUND), "no such edge is connected");
    } else if (e->draining) {
        say(c, l, ask->id, CODE(OK), "it drains already");
    } else if (!force && others_ready(app, e) == 0) {
        say(c, l, ask->id, CODE(REFUSED), "no other edge would take its players and games: start one first, or --force");
    } else {
        snprintf(why, sizeof why, "%s%s: %u games and %u sessions go to %u other edges", dry ? "would drain " : "drains: ", e->incarnation,
                 e->games, e->sessions, others_ready(app, e));
        if (!dry)
            order_drain(c, e, ask);
        say(c, l, ask->id, CODE(OK), why);
    }
}

/* ---- links --------------------------------------------------------------------------------------------------------------------------- */

/* NULL, or what is wrong with the question. */
static const char *objection(const CV1(Ask) * ask)
{
    size_t by = strlen(ask->by);
    if (by == 0 || by > BY_MAX)
        return "say who asks: 1 to 64 bytes";
    if (ask->reason != NULL && strlen(ask->reason) > REASON_MAX)
        return "a reason has at most 255 bytes";
    if (ask->body_case == ASK(DRAIN_EDGE) && (ask->reason == NULL || ask->reason[0] == 0))
        return "what changes something needs a reason";
    return NULL;
}

static void take(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    const char *wrong = objection(ask);
    c->values[M_ASKED]++;
    if (wrong != NULL) {
        say(c, l, ask->id, CODE(INVALID), wrong);
        return;
    }
    switch (ask->body_case) {
    case ASK(ROUTER):
        ask_router(c, l, ask);
        break;
    case ASK(TICKET):
        ask_ticket(c, l, ask);
        break;
    case ASK(PLAYER):
        ask_store(c, l, ask->id, false, ask->player->user);
        break;
    case ASK(GAME):
        ask_store(c, l, ask->id, true, ask->game->game_id);
        break;
    case ASK(DRAIN_EDGE):
        ask_drain(c, l, ask);
        break;
    default:
        say(c, l, ask->id, CODE(INVALID), "this router does not know such a question: it is older than the one who asks");
    }
}

/* A geo agent is told what it would be told at link_listen; its link's user is what edges.c made of it. */
static void on_up(void *ctx, struct mer_link *l, const struct mer_link_peer *peer)
{
    struct router_control *c = ctx;
    if (peer->role == MERIDIAN__INTERNAL__V1__ROLE__ROLE_GEO)
        router_edges_link_cbs.on_up(c->app, l, peer);
}

static void on_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    struct router_control *c = ctx;
    if (mer_link_user(l) != NULL) {
        router_edges_link_cbs.on_message(c->app, l, payload, len);
        return;
    }
    CV1(ControlMessage) *m = meridian__control__v1__control_message__unpack(NULL, len, payload);
    if (m != NULL && m->body_case == MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ASK) {
        take(c, l, m->ask);
    } else {
        c->values[M_BAD]++;
        mer_link_reset(l);
    }
    if (m != NULL)
        meridian__control__v1__control_message__free_unpacked(m, NULL);
}

static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    struct router_control *c = ctx;
    if (mer_link_user(l) != NULL) {
        router_edges_link_cbs.on_down(c->app, l, why);
        return;
    }
    MER_LIST_EACH (it, &c->waiting) {
        struct waiting *w = MER_LIST_ENTRY(it, struct waiting, node);
        if (w->link == l)
            w->link = NULL;
    }
}

static const struct mer_link_cbs cbs = {on_up, on_message, on_down};

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

/* A unix socket needs none: the file's rights say who may. */
static SSL_CTX *tls_of(const struct router_app *app)
{
    return strncmp(app->conf.control_listen, "unix:", 5) == 0 ? NULL : router_mesh_tls_server(app->mesh);
}

enum mer_err router_control_create(struct router_control **out, struct router_app *app, struct mer_msg *msg)
{
    struct router_control *c;
    *out = NULL;
    if (app->conf.control_listen[0] == 0)
        return MER_OK;
    *out = c = mer_xcalloc(1, sizeof *c);
    c->app = app;
    c->scratch = mer_xmalloc(MER_LINK_PAYLOAD_MAX);
    mer_list_init(&c->waiting);
    mer_metrics_add(&app->metrics, &c->set, metrics, M_COUNT, c->values);
    struct mer_links_conf lc = {.loop = &app->loop,
                                .log = &app->log,
                                .rng = app->rng,
                                .metrics = &app->metrics,
                                .cbs = &cbs,
                                .ctx = c,
                                .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER,
                                .region = app->conf.region,
                                .id = app->conf.id,
                                .incarnation = app->incarnation,
                                .tls_server = tls_of(app),
                                .tls_identity = true,
                                .peer_roles = 1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_CTL | 1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_GEO,
                                .name = "control"};
    enum mer_err err = mer_links_create(&c->links, &lc);
    return err == MER_OK ? mer_links_listen(c->links, app->conf.control_listen, msg) : err;
}

void router_control_reload(struct router_control *c)
{
    if (c != NULL)
        mer_links_set_tls(c->links, NULL, tls_of(c->app));
}

void router_control_destroy(struct router_control *c)
{
    if (c == NULL)
        return;
    if (c->links != NULL)
        mer_links_destroy(c->links);
    mer_metrics_remove(&c->set);
    mer_free(&c->scratch);
    mer_free(&c);
}
