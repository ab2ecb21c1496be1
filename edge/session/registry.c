/* SPDX-License-Identifier: Apache-2.0
 * registry.c - who is connected where (R7, R13): one call at connect, which also answers what the player comes back to (his game, his
 * ticket, an older connection of this device elsewhere), one at disconnect, conditional on the session, so that a late one removes nothing
 * newer.
 *
 * Soft calls: a failed one is repeated while the session is connected, because without it other devices and edges do not find this one. And
 * a failover may lose one that succeeded: so the entry is looked at once more when every failover of that time is over, and made again if
 * the device has none. Another session's is left alone, and looked at again: it may be a connection that an edge found when it woke up,
 * which that edge takes out; or, when it died before, we do.
 * Owner: sessions. Next: deliver.c, tickets.c. */
#include <string.h>

#include <meridian/mem.h>

#include "edge/room/messages.h"
#include "edge/session/session.h"
#include "edge/session/tickets.h"

enum {
    RETRY_MIN_MS = 500,
    RETRY_SPREAD_MS = 1500,  /* a Redis that returns is not met by everybody at once */
    LOOK_MIN_MS = 15 * 1000, /* a failover takes less, and a primary without replicas takes no writes after 10 s */
    LOOK_SPREAD_MS = 15 * 1000,
};

struct registration {
    struct mer_list node;
    struct edge_sessions *all;
    uint64_t serial;
    bool quiet;
    bool made; /* it is looked at once more */
    struct mer_timer retry;
};

static void connect_send(struct registration *r);

static void registration_free(struct registration *r)
{
    mer_list_remove(&r->node);
    mer_loop_disarm(&r->all->app->loop, &r->retry);
    mer_free(&r);
}

void edge__registry_drop(struct edge_sessions *all)
{
    MER_LIST_EACH_SAFE (it, &all->registrations)
        registration_free(MER_LIST_ENTRY(it, struct registration, node));
}

static struct edge_session *session_of(const struct registration *r)
{
    struct edge_session *s = mer_map_get(&r->all->by_serial, &r->serial, sizeof(r->serial));
    return s != NULL && s->state == EDGE_SESSION_LIVE ? s : NULL;
}

static void replace_elsewhere(struct edge_session *s, const struct edge_player *p)
{
    struct edge_app *app = s->all->app;
    if (p->previous_session[0] == 0 || strcmp(p->previous_edge, app->incarnation) == 0)
        return;
    Meridian__Internal__V1__SessionReplace sr = MERIDIAN__INTERNAL__V1__SESSION_REPLACE__INIT;
    Meridian__Internal__V1__BusMessage bm = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    sr.session = (char *)p->previous_session;
    sr.has_entered_ms = true;
    sr.entered_ms = s->entered_ms;
    bm.body_case = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_REPLACE;
    bm.session_replace = &sr;
    /* A dead edge has no connections left to replace. */
    if (edge_bus_send(app->bus, p->previous_edge, &bm) != MER_OK)
        MER_LOG(&app->log, MER_DEBUG, "session.replace_lost", KV_STR("edge", p->previous_edge));
}

static void look(struct registration *r);

static void on_retry(struct mer_timer *t)
{
    struct registration *r = MER_CONTAINER_OF(t, struct registration, retry);
    if (r->made)
        look(r);
    else
        connect_send(r);
}

static void retry_later(struct registration *r)
{
    r->all->values[M_REGISTRY_RETRIES]++;
    mer_loop_arm(&r->all->app->loop, &r->retry, RETRY_MIN_MS + mer_rng_below(&r->all->app->rng, RETRY_SPREAD_MS));
}

static void look_later(struct registration *r)
{
    r->made = r->quiet = true;
    mer_loop_arm(&r->all->app->loop, &r->retry, LOOK_MIN_MS + mer_rng_below(&r->all->app->rng, LOOK_SPREAD_MS));
}

static void on_connected(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct registration *r = ctx;
    struct edge_app *app = r->all->app;
    struct edge_session *s = r->all->stopping ? NULL : session_of(r);
    if (s != NULL && result != EDGE_STORE_OK) {
        edge__take_registered(s, NULL);
        retry_later(r);
        return;
    }
    if (s != NULL) {
        char id[EDGE_SESSION_ID_BYTES];
        edge__session_id(s, id);
        s->entered_ms = (uint32_t)p->time_ms | 1; /* 0 is "not yet", and a millisecond nothing */
        replace_elsewhere(s, p);
        edge__take_registered(s, p);
        s->unshown = s->unshown && p->game[0] != 0;
        if (p->game[0] != 0 && (!r->quiet || s->unshown || edge_seats_game(app->seats, s->user->id) == NULL))
            edge_seats_join(app->seats, s->user->id, id, p->game);
        if (p->ticket[0] != 0 && !r->quiet)
            edge_tickets_tell(s, p->ticket, p->ticket_edge);
        if (p->waiting_events > 0)
            edge_messages_sync(app->messages, s->user->id, id);
    }
    if (s == NULL) {
        registration_free(r);
        return;
    }
    look_later(r);
}

/* What stands there for the device; NULL: nothing. */
static const struct edge_device *entry_of(const struct edge_player *p, const char *device)
{
    for (size_t i = 0; i < p->device_count; i++)
        if (strcmp(p->devices[i].device, device) == 0)
            return &p->devices[i];
    return NULL;
}

static void make_again(struct registration *r)
{
    r->made = false;
    connect_send(r);
}

static void on_live(void *ctx, enum edge_store_result result, const char *address)
{
    (void)address;
    if (result == EDGE_STORE_ABSENT)
        make_again(ctx);
    else
        look_later(ctx);
}

static void on_looked(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct registration *r = ctx;
    struct edge_session *s = r->all->stopping ? NULL : session_of(r);
    const struct edge_device *entry = s != NULL && result == EDGE_STORE_OK ? entry_of(p, s->device) : NULL;
    char id[EDGE_SESSION_ID_BYTES] = "";
    if (s != NULL)
        edge__session_id(s, id);
    if (s != NULL && result != EDGE_STORE_OK) {
        retry_later(r);
    } else if (s != NULL && entry == NULL) {
        make_again(r);
    } else if (s != NULL && strcmp(entry->session, id) != 0) {
        if (edge_store_live_get(s->all->app->store, entry->edge, on_live, r) != MER_OK)
            look_later(r);
    } else {
        registration_free(r);
    }
}

static void look(struct registration *r)
{
    struct edge_session *s = r->all->stopping ? NULL : session_of(r);
    if (s == NULL)
        registration_free(r);
    else if (edge_store_player_get(r->all->app->store, s->user->id, on_looked, r) != MER_OK)
        retry_later(r);
}

static void connect_send(struct registration *r)
{
    struct edge_session *s = r->all->stopping ? NULL : session_of(r);
    char id[EDGE_SESSION_ID_BYTES];
    if (s == NULL) {
        registration_free(r);
        return;
    }
    edge__session_id(s, id);
    if (edge_store_player_connect(r->all->app->store, s->user->id, s->device, id, on_connected, r) != MER_OK)
        retry_later(r);
}

void edge__registry_connect(struct edge_session *s, bool quiet)
{
    struct registration *r = mer_try_calloc(1, sizeof(*r));
    if (r == NULL) {
        edge_conn_close(s->conn, EDGE_CLOSE_INTERNAL, "out_of_memory");
        return;
    }
    r->all = s->all;
    mer_list_push_back(&s->all->registrations, &r->node);
    r->serial = s->serial;
    r->quiet = quiet;
    mer_timer_init(&r->retry, on_retry);
    connect_send(r);
}

static void on_disconnected(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    (void)ctx;
    (void)result; /* an entry that stays names an incarnation and a session that are gone: it is refused where it is used */
    (void)p;
}

void edge__registry_disconnect(struct edge_session *s)
{
    char id[EDGE_SESSION_ID_BYTES];
    if (s->all->stopping)
        return; /* the incarnation's liveness key goes; its entries mean nothing then */
    edge__session_id(s, id);
    enum mer_err err = edge_store_player_disconnect(s->all->app->store, s->user->id, s->device, id, on_disconnected, NULL);
    if (err != MER_OK)
        MER_LOG_RATE(&s->all->app->log, MER_DEBUG, "registry.busy", KV_STR("error", mer_err_name(err)));
}
