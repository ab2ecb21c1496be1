/* SPDX-License-Identifier: Apache-2.0
 * control.c - see control.h: the listener, and which part answers what. Owner: the app. Next: control_ask.h, control_tell.c,
 * control_store.c, control_order.c. */
#include "region-router/control_private.h"

#include <string.h>

#include <meridian/ask.h>
#include <meridian/mem.h>

#include "region-router/control_ask.h"

static const struct mer_metric_def metrics[ROUTER_CONTROL_COUNT] = {
    [ROUTER_CONTROL_ASKED] = {"meridian_router_control_asks_total", "questions and orders of operators"},
    [ROUTER_CONTROL_BAD] = {"meridian_router_control_bad_messages_total", "control links closed because of a message that is none"},
    [ROUTER_CONTROL_REFUSED] = {"meridian_router_control_refused_total", "asks of operators that were not answered with OK"},
    [ROUTER_CONTROL_DONE] = {"meridian_router_control_orders_total", "orders of operators, by what became of them", MER_COUNTER,
                             "how=\"done\""},
    [ROUTER_CONTROL_FAILED] = {"meridian_router_control_orders_total", "orders of operators, by what became of them", MER_COUNTER,
                               "how=\"failed\""},
};

void router__control_answer(struct router_control *c, struct mer_link *l, CV1(Answer) * answer)
{
    CV1(ControlMessage) m = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__INIT;
    m.body_case = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ANSWER;
    m.answer = answer;
    answer->leader = (char *)(router__lead_epoch(c->app) != 0 ? c->app->incarnation : router_standby_holder(c->app->standby));
    if (answer->code != CODE(OK))
        c->values[ROUTER_CONTROL_REFUSED]++;
    size_t size = meridian__control__v1__control_message__get_packed_size(&m);
    if (size > MER_LINK_PAYLOAD_MAX)
        return; /* bounded above: cannot be */
    meridian__control__v1__control_message__pack(&m, c->scratch);
    if (mer_link_send(l, c->scratch, size) != MER_OK)
        mer_link_reset(l); /* who does not read his answers asks again */
}

/* ---- links --------------------------------------------------------------------------------------------------------------------------- */

static void take(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    const char *wrong = router_ask_objection(ask);
    c->values[ROUTER_CONTROL_ASKED]++;
    if (wrong != NULL) {
        router__control_say(c, l, ask->id, CODE(INVALID), wrong);
        return;
    }
    switch (ask->body_case) {
    case ASK(ROUTER):
        router__control_tell_router(c, l, ask);
        break;
    case ASK(TICKET):
        router__control_tell_ticket(c, l, ask);
        break;
    case ASK(PLAYER):
        router__control_store_ask(c, l, ask->id, false, ask->player->user);
        break;
    case ASK(GAME):
        router__control_store_ask(c, l, ask->id, true, ask->game->game_id);
        break;
    case ASK(REGIONS):
        router__control_tell_regions(c, l, ask);
        break;
    case ASK(OUTBOX):
        router__control_tell_outbox(c, l, ask);
        break;
    case ASK(JOURNAL):
        router__control_store_journal(c, l, ask->id);
        break;
    case ASK(GEO):
    case ASK(GEO_OVERRIDE):
        router__control_say(c, l, ask->id, CODE(INVALID), "that is for a geo agent, and this is a router");
        break;
    case ASK(DRAIN_EDGE):
    case ASK(UNDRAIN_EDGE):
    case ASK(DRAIN_REGION):
    case ASK(UNDRAIN_REGION):
        router__control_order(c, l, ask);
        break;
    default:
        router__control_say(c, l, ask->id, CODE(INVALID), "this router does not know such a question: it is older than the one who asks");
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
    CV1(ControlMessage) *m = mer_ask_read(payload, len);
    if (m == NULL) {
        c->values[ROUTER_CONTROL_BAD]++;
        mer_link_reset(l);
        return;
    }
    take(c, l, m->ask);
    meridian__control__v1__control_message__free_unpacked(m, NULL);
}

static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    struct router_control *c = ctx;
    if (mer_link_user(l) != NULL) {
        router_edges_link_cbs.on_down(c->app, l, why);
        return;
    }
    router__control_store_gone(c, l);
    router__control_orders_gone(c, l);
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
    mer_list_init(&c->orders);
    mer_metrics_add(&app->metrics, &c->set, metrics, ROUTER_CONTROL_COUNT, c->values);
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
    router__control_orders_drop(c);
    if (c->links != NULL)
        mer_links_destroy(c->links);
    mer_metrics_remove(&c->set);
    mer_free(&c->scratch);
    mer_free(&c);
}
