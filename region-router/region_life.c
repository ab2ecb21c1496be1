/* SPDX-License-Identifier: Apache-2.0
 * region_life.c - see region_life.h. Until it is read, others are told nothing of it: a change of leader drains and undrains nobody.
 *
 * Timer: 500 ms after a read that failed, or a write nobody confirmed. Owner: the app. */
#include "region-router/region_life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/app.h"

enum { RETRY_MS = 500 };
static const char kind[] = "region", field[] = "drain";

static const struct mer_metric_def metrics[ROUTER_RL_COUNT] = {
    [ROUTER_RL_DRAINING] = {"meridian_router_region_draining", "1: an operator drains the region, says its leader", MER_GAUGE},
    [ROUTER_RL_SECONDS] = {"meridian_router_region_draining_seconds", "for how long it has been drained", MER_GAUGE},
    [ROUTER_RL_READ_FAILED] = {"meridian_router_region_state_failures_total",
                               "times a leader could not read whether its region is drained"},
};

struct life_call {
    struct router_region_life *life;
    uint64_t term, doubts;            /* as they were when it was asked */
    struct router_region_drain drain; /* to be set */
    router_note_cb cb;
    void *ctx;
};

static bool still(const struct life_call *q)
{
    return q->life->app->leading && q->term == q->life->term;
}

static struct life_call *call_new(struct router_region_life *r)
{
    struct life_call *q = mer_try_calloc(1, sizeof *q);
    if (q != NULL)
        *q = (struct life_call){.life = r, .term = r->term, .doubts = r->doubts};
    return q;
}

static void take(struct router_region_life *r, const struct router_region_drain *d)
{
    r->known = true;
    r->drain = *d;
    router_crossing_look(&r->app->crossing);
    router_newsroom_tell(&r->app->newsroom);
    MER_LOG(&r->app->log, d->on ? MER_WARN : MER_INFO, "region.drain", KV_BOOL("draining", d->on), KV_STR("by", d->on ? d->by : NULL),
            KV_STR("reason", d->on ? d->reason : NULL));
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------------- */

static void on_read(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct life_call *q = ctx;
    struct router_region_life *r = q->life;
    struct router_region_drain d = {0};
    bool current = still(q) && !r->known && q->doubts == r->doubts;
    free(q);
    if (!current)
        return; /* it is known since, or will be read again */
    if (err == MER_OK && reply->type == REDIS_REPLY_STRING)
        err = router_region_drain_read(&d, reply->str, reply->len);
    else if (err == MER_OK && reply->type != REDIS_REPLY_NIL)
        err = MER_EINVALID;
    if (err == MER_OK) {
        take(r, &d);
        return;
    }
    r->values[ROUTER_RL_READ_FAILED]++;
    MER_LOG_RATE(&r->app->log, MER_WARN, "region.unknown", KV_STR("why", mer_err_text(err)));
    mer_loop_arm(&r->app->loop, &r->timer, RETRY_MS);
}

static void on_timer(struct mer_timer *t)
{
    struct router_region_life *r = MER_CONTAINER_OF(t, struct router_region_life, timer);
    char key[ROUTER_NOTE_KEY_BYTES];
    router_note_key(key, r->app, kind);
    const char *argv[] = {"HGET", key, field};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = key};
    struct life_call *q = call_new(r);
    if (q != NULL && mer_redis_call(r->app->redis, &spec, on_read, q) == MER_OK)
        return;
    free(q);
    mer_loop_arm(&r->app->loop, t, RETRY_MS);
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------------- */

static void on_set(void *ctx, enum mer_err err)
{
    struct life_call *q = ctx;
    if (err == MER_OK && still(q)) {
        take(q->life, &q->drain);
    } else if (err != MER_OK && err != MER_EFENCED && still(q)) { /* it may stand there all the same: what stands there counts */
        q->life->known = false;
        q->life->doubts++;
        mer_loop_arm(&q->life->app->loop, &q->life->timer, RETRY_MS);
    }
    q->cb(q->ctx, err);
    free(q);
}

enum mer_err router_region_life_set(struct router_region_life *r, const struct router_region_drain *d, router_note_cb cb, void *ctx)
{
    uint8_t packed[ROUTER_DRAIN_PACKED_MAX];
    struct life_call *q = call_new(r);
    if (q == NULL)
        return MER_ENOMEM;
    q->drain = *d;
    q->cb = cb;
    q->ctx = ctx;
    enum mer_err err = router_note(r->app, kind, field, packed, d->on ? router_region_drain_write(d, packed) : 0, on_set, q);
    if (err != MER_OK)
        free(q);
    return err;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

static void refresh(struct mer_metric_set *set)
{
    struct router_region_life *r = MER_CONTAINER_OF(set, struct router_region_life, set);
    uint64_t wall_ms = mer_clock_wall_ms(&r->app->clock);
    r->values[ROUTER_RL_DRAINING] = r->drain.on;
    r->values[ROUTER_RL_SECONDS] = r->drain.on ? router_region_drain_began_ms(&r->drain, wall_ms) / 1000 : 0;
}

void router_region_life_init(struct router_region_life *r, struct router_app *app)
{
    r->app = app;
    mer_timer_init(&r->timer, on_timer);
    mer_metrics_add(&app->metrics, &r->set, metrics, ROUTER_RL_COUNT, r->values);
    r->set.refresh = refresh;
}

void router_region_life_start(struct router_region_life *r)
{
    r->term++;
    mer_loop_arm(&r->app->loop, &r->timer, 0);
}

void router_region_life_stop(struct router_region_life *r)
{
    r->term++;
    r->known = false;
    r->drain = (struct router_region_drain){0};
    mer_loop_disarm(&r->app->loop, &r->timer);
}

void router_region_life_deinit(struct router_region_life *r)
{
    mer_loop_disarm(&r->app->loop, &r->timer);
    mer_metrics_remove(&r->set);
}
