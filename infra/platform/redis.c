/* SPDX-License-Identifier: Apache-2.0
 * redis.c - calls to a Redis Cluster: taking, routing, what an answer means, finishing. redis_int.h says what the other files do.
 *
 * A call that was certainly not executed is sent again inside its deadline (redirects at once, "not now" answers with jittered backoff);
 * one that may have been executed is never sent again: the caller reads back. A durable call that was executed is kept until the WAIT of
 * its batch says that it will survive.
 *
 * A node that lets soft calls run into their deadline again and again is not asked by them any more, but for one a second (breaker.h); any
 * word of it ends that. Durable calls are not stopped: a move waits for its primary as long as it may.
 *
 * Timers: `deadline` at the oldest call's deadline (all calls have the same patience, so the list is in order); a call's `retry`;
 * `topology` (redis_slots.c); each connection's (redis_conn.c). */
#include "redis_int.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

static const struct mer_metric_def metrics[RM_COUNT] = {
    [RM_CALLS] = {"meridian_redis_calls_total", "calls taken"},
    [RM_BATCHES] = {"meridian_redis_batches_total", "batches of durable calls sent"},
    [RM_WAITS] = {"meridian_redis_waits_total", "WAITs sent, one a batch"},
    [RM_WAIT_SHORT] = {"meridian_redis_wait_short_total", "WAITs that did not confirm every electable replica"},
    [RM_WAIT_AGAIN] = {"meridian_redis_wait_again_total", "of the WAITs, second ones: a reply needed more than the first asked for"},
    [RM_REDIRECTS] = {"meridian_redis_redirects_total", "MOVED and ASK followed"},
    [RM_RETRIES] = {"meridian_redis_retries_total", "calls sent again after an answer like TRYAGAIN or CLUSTERDOWN"},
    [RM_UNKNOWN] = {"meridian_redis_unknown_total", "calls whose outcome is unknown"},
    [RM_AGAIN] = {"meridian_redis_again_total", "calls given back unexecuted"},
    [RM_REFUSED] = {"meridian_redis_refused_total", "calls that Redis answered with an error of the caller's"},
    [RM_BUSY] = {"meridian_redis_busy_total", "calls not taken: too many waiting"},
    [RM_BREAKER_OPENED] = {"meridian_redis_breaker_opened_total", "nodes that did not answer soft calls any more (R25)"},
    [RM_BREAKER_REFUSED] = {"meridian_redis_breaker_refused_total", "soft calls given back at once, because their node does not answer"},
    [RM_CONNECTED] = {"meridian_redis_connections_total", "connections made and authenticated"},
    [RM_LOST] = {"meridian_redis_connections_lost_total", "connections lost, failed or given up"},
    [RM_PROTOCOL] = {"meridian_redis_protocol_errors_total", "replies that are not RESP"},
    [RM_TOPOLOGY] = {"meridian_redis_topology_total", "slot maps taken over"},
    [RM_TOPOLOGY_BAD] = {"meridian_redis_topology_bad_total", "slot maps refused or not answered"},
    [RM_PRIMARY_CHANGES] = {"meridian_redis_primary_changes_total", "slot ranges that got another primary"},
    [RM_RESTARTS] = {"meridian_redis_primary_restarts_total", "primaries found to be another process than before"},
    [RM_LIBRARY_MISSING] = {"meridian_redis_library_missing_total", "nodes found without the function library"},
    [RM_WAITING] = {"meridian_redis_calls_waiting", "calls without an answer yet", MER_GAUGE},
    [RM_READY] = {"meridian_redis_ready", "1: every slot is served by a connected primary with the library", MER_GAUGE},
    [RM_SUBSCRIBED] = {"meridian_redis_subscriptions", "channels that are heard", MER_GAUGE},
    [RM_SUB_LOST] = {"meridian_redis_subscriptions_lost_total", "subscriptions lost, and attempts that failed"},
    [RM_SUB_MESSAGES] = {"meridian_redis_messages_total", "messages heard on channels"},
};
static const struct mer_metric_def durable_hist = {"meridian_redis_durable_seconds", "durable calls from taking to the WAIT's answer"};

void mer__redis_count(struct mer_redis *r, enum redis_metric m)
{
    r->metric[m]++;
}

uint64_t mer__redis_jitter(struct mer_redis *r, uint64_t ms)
{
    return mer_rng_below(&r->conf.rng, (uint32_t)ms + 1);
}

char *mer__redis_format(size_t *len, int argc, const char *const *argv)
{
    char *wire = NULL;
    int n = redisFormatCommandArgv(&wire, argc, (const char **)argv, NULL);
    *len = n < 0 ? 0 : (size_t)n;
    return n < 0 ? NULL : wire;
}

/* --- the life of a call --- */

void mer__redis_free_call(struct redis_call *c)
{
    mer_list_remove(&c->expect.node);
    if (c->reply)
        freeReplyObject(c->reply);
    free(c->wire);
    free(c);
}

/* Out of the books: deadline list, timers, counters. */
static void sign_off(struct redis_call *c, enum mer_err err)
{
    struct mer_redis *r = c->r;
    mer_list_remove(&c->all);
    mer_loop_disarm(r->conf.loop, &c->retry);
    r->metric[RM_WAITING] = --r->call_count;
    if (err == MER_EUNKNOWN)
        mer__redis_count(r, RM_UNKNOWN);
    else if (err == MER_EAGAIN)
        mer__redis_count(r, RM_AGAIN);
    else if (err == MER_EREFUSED)
        mer__redis_count(r, RM_REFUSED);
    if (c->durable && err == MER_OK)
        mer_hist_add_us(&r->durable_us, r->conf.loop->clock.mono_us(r->conf.loop->clock.ctx) - c->started_us);
}

void mer__redis_finish(struct redis_call *c, enum mer_err err, const redisReply *reply)
{
    sign_off(c, err);
    mer_list_remove(&c->expect.node);
    c->cb(c->ctx, err, err == MER_OK || err == MER_EREFUSED ? reply : NULL);
    mer__redis_free_call(c);
}

/* --- nodes that do not answer --- */

static const struct mer_breaker_rule breaker_rule = {REDIS_BREAKER_FAILURES, REDIS_BREAKER_PROBE_MS};

void mer__redis_alive(struct redis_node *n)
{
    if (n->breaker.state != MER_BREAKER_CLOSED)
        MER_LOG(n->r->conf.log, MER_INFO, "redis.breaker_closed", KV_STR("node", n->address));
    mer_breaker_success(&n->breaker, n->r->conf.loop->now_ms);
}

void mer__redis_silent(struct redis_node *n)
{
    if (!mer_breaker_failure(&n->breaker, breaker_rule, n->r->conf.loop->now_ms))
        return;
    mer__redis_count(n->r, RM_BREAKER_OPENED);
    MER_LOG(n->r->conf.log, MER_WARN, "redis.breaker_opened", KV_STR("node", n->address));
}

static void on_refused(struct mer_deferred *d)
{
    struct mer_redis *r = MER_CONTAINER_OF(d, struct mer_redis, refuse_later);
    struct mer_list batch; /* a caller that asks again at once is answered at the end of the next turn */
    mer_list_init(&batch);
    mer_list_move_all(&batch, &r->refused);
    while (!mer_list_empty(&batch))
        mer__redis_finish(MER_LIST_ENTRY(batch.next, struct redis_call, expect.node), MER_EAGAIN, NULL);
}

/* A soft call whose node is known not to answer ends at once: its caller can say so to a player who waits. */
static bool stopped(struct redis_node *n, struct redis_call *c)
{
    struct mer_redis *r = c->r;
    if (c->durable || c->pinned || mer_breaker_allows(&n->breaker, breaker_rule, r->conf.loop->now_ms))
        return false;
    mer__redis_count(r, RM_BREAKER_REFUSED);
    mer_list_push_back(&r->refused, &c->expect.node);
    mer_loop_defer(r->conf.loop, &r->refuse_later);
    return true;
}

static void on_deadline(struct mer_timer *t)
{
    struct mer_redis *r = MER_CONTAINER_OF(t, struct mer_redis, deadline);
    while (!mer_list_empty(&r->calls)) {
        struct redis_call *c = MER_LIST_ENTRY(r->calls.next, struct redis_call, all);
        if (c->deadline_ms > r->conf.loop->now_ms) {
            mer_loop_arm(r->conf.loop, &r->deadline, c->deadline_ms - r->conf.loop->now_ms);
            return;
        }
        if (!c->durable && r->slot[c->slot] && !c->pinned)
            mer__redis_silent(r->slot[c->slot]);
        if (c->where == CALL_SENT) { /* its reply is still due: it stays on the connection, without a caller */
            sign_off(c, MER_EUNKNOWN);
            c->where = CALL_GHOST;
            c->cb(c->ctx, MER_EUNKNOWN, NULL);
        } else
            mer__redis_finish(c, c->where == CALL_ANSWERED ? MER_EUNKNOWN : MER_EAGAIN, NULL);
    }
}

void mer__redis_route(struct mer_redis *r, struct redis_call *c)
{
    struct redis_node *n = r->slot[c->slot];
    c->where = CALL_WAITING;
    if (n && stopped(n, c))
        return;
    mer_list_push_back(n ? &n->queue[c->durable] : &r->homeless, &c->expect.node);
    if (!n)
        mer__redis_refresh(r);
}

static void on_retry(struct mer_timer *t)
{
    struct redis_call *c = MER_CONTAINER_OF(t, struct redis_call, retry);
    mer__redis_route(c->r, c);
}

static void retry_later(struct redis_call *c)
{
    struct mer_redis *r = c->r;
    uint64_t cap = (uint64_t)REDIS_RETRY_MIN_MS << (c->retries < 6 ? c->retries : 6);
    if (c->retries < UINT8_MAX)
        c->retries++;
    c->where = CALL_WAITING;
    mer__redis_count(r, RM_RETRIES);
    mer_loop_arm(r->conf.loop, &c->retry, 1 + mer__redis_jitter(r, cap < REDIS_RETRY_MAX_MS ? cap : REDIS_RETRY_MAX_MS));
}

/* MOVED or ASK. The call goes on at the node it names; a circle ends after five. */
static void redirect(struct redis_conn *conn, struct redis_call *c, const char *text, bool ask)
{
    struct mer_redis *r = c->r;
    struct redis_redirect to;
    struct redis_node *n = NULL;
    if (mer__redis_redirect(text, conn->owner->address, &to) == MER_OK && to.slot == c->slot)
        n = mer__redis_node_get(r, to.address);
    if (!ask || !n)
        mer__redis_refresh(r);
    if (!n || ++c->redirects > REDIS_REDIRECTS_MAX) {
        mer__redis_finish(c, MER_EAGAIN, NULL);
        return;
    }
    mer__redis_count(r, RM_REDIRECTS);
    c->where = CALL_WAITING;
    c->asking = ask;
    mer_list_push_back(&n->queue[c->durable], &c->expect.node);
    mer__redis_node_connect(n);
    if (!ask)
        mer__redis_moved(r, to.slot, n);
}

static void executed(struct redis_conn *conn, struct redis_call *c, redisReply *reply, enum mer_err err)
{
    c->reply = reply;
    if (!conn->durable || c->r->wait_count == 0) {
        mer__redis_finish(c, err, reply);
        return;
    }
    c->where = CALL_ANSWERED;
    c->err = err;
    mer_list_push_back(&conn->answered, &c->expect.node);
}

/* What an answer other than a redirect means; reply is taken when the call keeps it. */
static bool judge(struct redis_conn *conn, struct redis_call *c, redisReply *reply, enum redis_verdict verdict)
{
    switch (verdict) {
    case REDIS_ANSWER:
    case REDIS_REFUSED:
        executed(conn, c, reply, verdict == REDIS_ANSWER ? MER_OK : MER_EREFUSED);
        return true;
    case REDIS_DEMOTED:
        mer__redis_refresh(c->r);
        retry_later(c);
        break;
    case REDIS_RETRY:
        retry_later(c);
        break;
    case REDIS_LIBRARY:
        conn->owner->library_ok = false;
        mer__redis_ask_library(conn->owner);
        mer__redis_check_ready(c->r);
        mer__redis_finish(c, MER_EAGAIN, NULL);
        break;
    case REDIS_DOUBT:
        mer__redis_finish(c, MER_EUNKNOWN, NULL);
        break;
    default:
        mer__redis_finish(c, MER_EAGAIN, NULL);
        break;
    }
    freeReplyObject(reply);
    return verdict != REDIS_DOUBT && verdict != REDIS_DENIED;
}

bool mer__redis_answered(struct redis_conn *conn, struct redis_call *c, redisReply *reply)
{
    enum redis_verdict verdict = mer__redis_classify(reply);
    if (c->pinned && c->where != CALL_GHOST) { /* whatever it says is what the caller asked for */
        c->reply = reply;
        mer__redis_finish(c, verdict == REDIS_ANSWER ? MER_OK : MER_EREFUSED, reply);
        return true;
    }
    if (c->where == CALL_GHOST) {
        mer__redis_free_call(c);
        freeReplyObject(reply);
        return verdict != REDIS_DOUBT && verdict != REDIS_DENIED;
    }
    if (verdict != REDIS_MOVED && verdict != REDIS_ASK)
        return judge(conn, c, reply, verdict);
    redirect(conn, c, reply->str, verdict == REDIS_ASK);
    freeReplyObject(reply);
    return true;
}

/* --- the public part --- */

static struct redis_call *make_call(struct mer_redis *r, const struct mer_redis_call_spec *spec, mer_redis_cb cb, void *ctx)
{
    struct redis_call *c = mer_try_calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    int n = redisFormatCommandArgv(&c->wire, spec->argc, (const char **)spec->argv, spec->argvlen);
    if (n < 0) {
        free(c);
        return NULL;
    }
    c->wire_len = (size_t)n;
    c->r = r;
    c->cb = cb;
    c->ctx = ctx;
    c->slot = spec->key ? mer_redis_slot(spec->key, strlen(spec->key)) : 0;
    c->durable = spec->durable;
    c->replicas = spec->replicas < r->wait_count ? spec->replicas : r->wait_count;
    mer_list_init(&c->expect.node);
    mer_timer_init(&c->retry, on_retry);
    return c;
}

static enum mer_err may_call(struct mer_redis *r, int argc)
{
    if (r->destroyed)
        return MER_ECLOSED;
    if (argc <= 0)
        return MER_EINVALID;
    if (r->call_count < REDIS_CALLS_MAX)
        return MER_OK;
    mer__redis_count(r, RM_BUSY);
    return MER_EBUSY;
}

/* Into the books. */
static void sign_on(struct mer_redis *r, struct redis_call *c)
{
    struct mer_loop *loop = r->conf.loop;
    c->started_us = loop->clock.mono_us(loop->clock.ctx);
    c->deadline_ms = loop->now_ms + r->conf.deadline_ms;
    mer_list_push_back(&r->calls, &c->all);
    r->metric[RM_WAITING] = ++r->call_count;
    mer__redis_count(r, RM_CALLS);
    if (!mer_timer_armed(&r->deadline))
        mer_loop_arm(loop, &r->deadline, r->conf.deadline_ms);
}

enum mer_err mer_redis_call(struct mer_redis *r, const struct mer_redis_call_spec *spec, mer_redis_cb cb, void *ctx)
{
    enum mer_err err = may_call(r, spec->argc);
    if (err != MER_OK)
        return err;
    struct redis_call *c = make_call(r, spec, cb, ctx);
    if (!c)
        return MER_ENOMEM;
    sign_on(r, c);
    mer__redis_route(r, c);
    return MER_OK;
}

enum mer_err mer_redis_node_call(struct mer_redis *r, const char *address, const char *const *argv, int argc, mer_redis_cb cb, void *ctx)
{
    struct mer_redis_call_spec spec = {.argv = argv, .argc = argc};
    enum mer_err err = may_call(r, argc);
    if (err != MER_OK)
        return err;
    struct redis_node *n = mer__redis_node_get(r, address);
    if (!n)
        return strlen(address) >= REDIS_ADDRESS_BYTES ? MER_EINVALID : MER_ENOMEM;
    struct redis_call *c = make_call(r, &spec, cb, ctx);
    if (!c)
        return MER_ENOMEM;
    c->pinned = true;
    sign_on(r, c);
    c->where = CALL_WAITING;
    mer_list_push_back(&n->queue[0], &c->expect.node);
    mer__redis_node_connect(n);
    return MER_OK;
}

uint64_t mer_redis_up_since_ms(const struct mer_redis *r, const char *key)
{
    const struct redis_node *n = r->slot[mer_redis_slot(key, strlen(key))];
    return n && n->up_ms ? n->up_ms : UINT64_MAX;
}

const char *mer_redis_primary(const struct mer_redis *r, uint16_t slot)
{
    return slot < REDIS_SLOTS && r->slot[slot] ? r->slot[slot]->address : NULL;
}

static bool on_turn(struct mer_hook *h)
{
    struct mer_redis *r = MER_CONTAINER_OF(h, struct mer_redis, hook);
    MER_LIST_EACH_SAFE (it, &r->nodes)
        mer__redis_node_flush(MER_LIST_ENTRY(it, struct redis_node, node));
    return false;
}

static void on_free(struct mer_deferred *d)
{
    struct mer_redis *r = MER_CONTAINER_OF(d, struct mer_redis, free_later);
    MER_LIST_EACH_SAFE (it, &r->nodes)
        free(MER_LIST_ENTRY(it, struct redis_node, node));
    free(r);
}

void mer__redis_release(struct mer_redis *r)
{
    if (r->destroyed && r->stream_count == 0)
        mer_loop_defer(r->conf.loop, &r->free_later);
}

static uint32_t wait_count(const struct mer_redis_conf *conf)
{
    if (conf->durability == MER_DURABILITY_PRIMARY)
        return 0;
    return conf->durability == MER_DURABILITY_ONE && conf->replicas > 1 ? 1 : conf->replicas;
}

enum mer_err mer_redis_create(struct mer_redis **out, const struct mer_redis_conf *conf)
{
    if (conf->node_count == 0 || conf->deadline_ms == 0)
        return MER_EINVALID;
    struct mer_redis *r = mer_try_calloc(1, sizeof(*r));
    if (!r)
        return MER_ENOMEM;
    r->conf = *conf;
    r->wait_count = wait_count(conf);
    if (conf->tls)
        SSL_CTX_up_ref(conf->tls);
    mer_list_init(&r->nodes);
    mer_list_init(&r->calls);
    mer_list_init(&r->homeless);
    mer_list_init(&r->refused);
    mer_list_init(&r->subs);
    mer_timer_init(&r->deadline, on_deadline);
    mer_timer_init(&r->topology, mer__redis_on_topology_timer);
    mer_deferred_init(&r->reap_later, mer__redis_on_reap);
    mer_deferred_init(&r->free_later, on_free);
    mer_deferred_init(&r->refuse_later, on_refused);
    r->hook.cb = on_turn;
    mer_loop_hook_add(conf->loop, MER_PHASE_STORE, &r->hook);
    if (conf->metrics) {
        mer_metrics_add(conf->metrics, &r->metric_set, metrics, RM_COUNT, r->metric);
        mer_metrics_add_hist(conf->metrics, &r->hist_set, &durable_hist, &r->durable_us);
    }
    mer_loop_arm(conf->loop, &r->topology, 0);
    *out = r;
    return MER_OK;
}

uint32_t mer_redis_waiting(const struct mer_redis *r)
{
    return r->call_count;
}

bool mer_redis_ready(const struct mer_redis *r)
{
    return r->ready;
}

void mer_redis_on_ready(struct mer_redis *r, void (*cb)(void *ctx), void *ctx)
{
    r->on_ready = cb;
    r->on_ready_ctx = ctx;
}

void mer_redis_on_primary_change(struct mer_redis *r, void (*cb)(void *ctx, uint16_t slot_first, uint16_t slot_last), void *ctx)
{
    r->on_change = cb;
    r->on_change_ctx = ctx;
}

void mer_redis_destroy(struct mer_redis *r)
{
    if (!r || r->destroyed)
        return;
    r->destroyed = true;
    r->ready = false;
    mer__redis_end_subs(r);
    while (!mer_list_empty(&r->calls)) {
        struct redis_call *c = MER_LIST_ENTRY(r->calls.next, struct redis_call, all);
        mer__redis_finish(c, c->where == CALL_WAITING ? MER_EAGAIN : MER_EUNKNOWN, NULL);
    }
    mer_loop_disarm(r->conf.loop, &r->deadline);
    mer_loop_disarm(r->conf.loop, &r->topology);
    mer_deferred_cancel(&r->reap_later);
    mer_deferred_cancel(&r->refuse_later);
    mer_loop_hook_remove(&r->hook);
    if (r->conf.metrics) {
        mer_metrics_remove(&r->metric_set);
        mer_metrics_remove(&r->hist_set);
    }
    MER_LIST_EACH (it, &r->nodes) {
        struct redis_node *n = MER_LIST_ENTRY(it, struct redis_node, node);
        mer_loop_disarm(r->conf.loop, &n->library_timer);
        for (int i = 0; i < REDIS_CONNS; i++) {
            mer_loop_disarm(r->conf.loop, &n->conn[i].timer);
            mer__redis_conn_fail(&n->conn[i], "destroyed");
        }
    }
    SSL_CTX_free(r->conf.tls);
    mer__redis_release(r);
}
