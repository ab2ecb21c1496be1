/* SPDX-License-Identifier: Apache-2.0
 * drain.c - see drain.h. Times are drawn uniformly over the spread and kept in one sorted array, not in the sessions: a process drains
 * once. Sessions stay after their connection is closed: the edge their client comes back to takes them with their rings (take.c). Owner:
 * app.c. Next: take.c. */
#include "edge/session/drain.h"

#include <stdlib.h>

#include <meridian/mem.h>

#include "edge/session/session.h"

enum {
    TICK_MS = 20,
    CLOSES_A_TICK = 256 /* architecture section 3: work of a turn is bounded */,
    MIN_DELAY_MS = 250 /* the notice must be read before the close */
};

struct due {
    uint64_t at_ms, serial;
};

struct edge_drain {
    struct edge_app *app;
    struct due *due;
    size_t count, next, cap;
    uint32_t spread_ms;
    struct mer_timer timer;
};

static void tell(struct edge_drain *d, struct edge_session *s, uint32_t delay_ms)
{
    Meridian__Client__V1__ServerMaintenance body = MERIDIAN__CLIENT__V1__SERVER_MAINTENANCE__INIT;
    Meridian__Client__V1__ServerMessage m = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    body.reconnect_delay_ms = delay_ms;
    body.edge = d->app->conf.id;
    m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_SERVER_MAINTENANCE;
    m.server_maintenance = &body;
    edge__session_send(s, &m);
}

static void add(void *object, void *ctx)
{
    struct edge_session *s = object;
    struct edge_drain *d = ctx;
    if (s->conn == NULL || s->draining)
        return;
    s->draining = true;
    uint32_t delay = MIN_DELAY_MS + mer_rng_below(&d->app->rng, d->spread_ms + 1);
    if (s->state == EDGE_SESSION_LIVE)
        tell(d, s, delay);
    if (d->count == d->cap) {
        size_t cap = d->cap == 0 ? 1024 : d->cap * 2;
        struct due *more = mer_try_realloc(d->due, cap * sizeof(*more));
        if (more == NULL) { /* without memory for a list he goes at once */
            edge_conn_close(s->conn, EDGE_CLOSE_RESTART, "restart;retry=0");
            return;
        }
        d->due = more;
        d->cap = cap;
    }
    d->due[d->count++] = (struct due){d->app->loop.now_ms + delay, s->serial};
}

static int by_time(const void *a, const void *b)
{
    const struct due *x = a, *y = b;
    return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

static void sweep(struct edge_drain *d)
{
    size_t before = d->count;
    mer_slab_each(&d->app->sessions->slab, add, d);
    if (d->count > before)
        qsort(d->due + d->next, d->count - d->next, sizeof(*d->due), by_time);
}

static void on_timer(struct mer_timer *t)
{
    struct edge_drain *d = MER_CONTAINER_OF(t, struct edge_drain, timer);
    uint64_t now = d->app->loop.now_ms;
    for (int closed = 0; d->next < d->count && d->due[d->next].at_ms <= now && closed < CLOSES_A_TICK; closed++) {
        uint64_t serial = d->due[d->next++].serial;
        struct edge_session *s = mer_map_get(&d->app->sessions->by_serial, &serial, sizeof(serial));
        if (s != NULL && s->conn != NULL)
            edge_conn_close(s->conn, EDGE_CLOSE_RESTART, "restart;retry=0");
    }
    if (d->next == d->count)
        sweep(d); /* who was still connecting */
    mer_loop_arm(&d->app->loop, &d->timer, d->next == d->count ? 1000 : TICK_MS);
}

enum mer_err edge_drain_start(struct edge_drain **out, struct edge_app *app, uint32_t spread_ms)
{
    struct edge_drain *d = mer_try_calloc(1, sizeof(*d));
    if (d == NULL)
        return MER_ENOMEM;
    d->app = app;
    d->spread_ms = spread_ms;
    mer_timer_init(&d->timer, on_timer);
    sweep(d);
    mer_loop_arm(&app->loop, &d->timer, TICK_MS);
    *out = d;
    return MER_OK;
}

static void keep(void *object, void *ctx)
{
    struct edge_session *s = object;
    (void)ctx;
    if (s->conn != NULL) /* who went is expected at another edge, which asks for his session */
        s->draining = false;
}

void edge_drain_cancel(struct edge_drain *d)
{
    if (d == NULL)
        return;
    mer_slab_each(&d->app->sessions->slab, keep, d);
    edge_drain_destroy(d);
}

void edge_drain_destroy(struct edge_drain *d)
{
    if (d == NULL)
        return;
    mer_loop_disarm(&d->app->loop, &d->timer);
    mer_free(&d->due);
    mer_free(&d);
}
