/* SPDX-License-Identifier: Apache-2.0
 * deliver.c - see deliver.h. Rungs so far: this edge, another edge of the region.
 * Owner: the app. Next: registry.c (who is connected where), bus.h. */
#include "edge/session/deliver.h"

#include <string.h>

#include <meridian/mem.h>

#include "edge/session/session.h"

struct delivery {
    struct edge_app *app;
    size_t len;
    char *user;
    uint8_t bytes[]; /* packed ServerMessage */
};

static void send_elsewhere(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct delivery *d = ctx;
    Meridian__Client__V1__ServerMessage *m =
        result == EDGE_STORE_OK ? meridian__client__v1__server_message__unpack(NULL, d->len, d->bytes) : NULL;
    for (size_t i = 0; m != NULL && i < p->device_count; i++) {
        const char *edge = p->devices[i].edge;
        bool done = strcmp(edge, d->app->incarnation) == 0;
        for (size_t k = 0; k < i && !done; k++)
            done = strcmp(edge, p->devices[k].edge) == 0;
        if (done)
            continue;
        Meridian__Internal__V1__UserMessage um = MERIDIAN__INTERNAL__V1__USER_MESSAGE__INIT;
        Meridian__Internal__V1__BusMessage bm = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
        um.user = d->user;
        um.message = m;
        bm.body_case = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_USER_MESSAGE;
        bm.user_message = &um;
        if (edge_bus_send(d->app->bus, edge, &bm) != MER_OK)
            MER_LOG_RATE(&d->app->log, MER_DEBUG, "deliver.lost", KV_STR("edge", edge));
    }
    if (m != NULL)
        meridian__client__v1__server_message__free_unpacked(m, NULL);
    mer_free(&d->user);
    mer_free(&d);
}

void edge_deliver(struct edge_app *app, const char *user, const Meridian__Client__V1__ServerMessage *m)
{
    edge_sessions_to_user(app->sessions, user, m);
    size_t len = protobuf_c_message_get_packed_size(&m->base);
    struct delivery *d = mer_try_malloc(sizeof(*d) + len);
    if (d == NULL)
        return;
    d->app = app;
    d->user = mer_try_strdup(user);
    d->len = protobuf_c_message_pack(&m->base, d->bytes);
    if (d->user != NULL && edge_store_player_get(app->store, user, send_elsewhere, d) == MER_OK)
        return;
    mer_free(&d->user);
    mer_free(&d);
}

static void on_user_message(void *ctx, const Meridian__Internal__V1__BusMessage *m)
{
    struct edge_app *app = ctx;
    edge_sessions_to_user(app->sessions, m->user_message->user, m->user_message->message);
}

static void on_session_replace(void *ctx, const Meridian__Internal__V1__BusMessage *m)
{
    struct edge_app *app = ctx;
    struct edge_session *s = edge__session_find(app->sessions, m->session_replace->session);
    if (s == NULL || s->state != EDGE_SESSION_LIVE || edge__session_is_newer(s, m->session_replace->entered_ms))
        return;
    app->sessions->values[M_REPLACED]++;
    edge_conn_close(s->conn, EDGE_CLOSE_REPLACED, "replaced");
    edge__session_detach(s);
}

void edge_deliver_init(struct edge_app *app)
{
    edge_bus_on(app->bus, MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_USER_MESSAGE, on_user_message, app);
    edge_bus_on(app->bus, MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_REPLACE, on_session_replace, app);
}
