/* SPDX-License-Identifier: Apache-2.0
 * redis_conn.c - one connection to a Redis node: connecting, AUTH, library check, matching replies to what was sent, loss, coming back.
 *
 *   DOWN --open--> CONNECTING --connected--> HELLO --AUTH ok--> UP
 *     ^              any --lost, failed, peer broke the protocol--> CLOSING --stream closed--> DOWN (and again after a backoff, if wanted)
 *
 * Redis answers in order, so what is due is a list. A reply nobody waits for, an answer of the wrong type to a command of ours, or bytes
 * that are not RESP mean that we and the peer are out of step: everything in flight becomes unknown, the connection goes.
 *
 * Timer: `timer`. DOWN: the backoff (armed on loss, fires open). Otherwise armed while a reply is due; fires when the oldest is overdue
 * (deadline_ms after it was sent): the node hangs. */
#include "redis_int.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

static void conn_lost(struct redis_conn *c, const char *why);

/* Every reply that is due counts for the breaker; that of a call whose deadline came first has counted. */
static void hangs(struct redis_conn *c)
{
    MER_LIST_EACH (it, &c->expected) {
        const struct redis_expect *e = MER_LIST_ENTRY(it, struct redis_expect, node);
        if (e->kind != EXPECT_CALL || MER_CONTAINER_OF(e, struct redis_call, expect)->where != CALL_GHOST)
            mer__redis_silent(c->owner);
    }
    mer__redis_conn_fail(c, "no answer in time");
}

static void on_conn_timer(struct mer_timer *t)
{
    struct redis_conn *c = MER_CONTAINER_OF(t, struct redis_conn, timer);
    struct mer_redis *r = c->owner->r;
    if (c->state == CONN_DOWN) {
        if (mer__redis_node_wants(c->owner, c))
            mer__redis_conn_open(c);
        else
            mer__redis_node_reap(c->owner);
        return;
    }
    if (mer_list_empty(&c->expected))
        return;
    uint64_t due = MER_LIST_ENTRY(c->expected.next, struct redis_expect, node)->sent_ms + r->conf.deadline_ms;
    if (due <= r->conf.loop->now_ms)
        hangs(c);
    else
        mer_loop_arm(r->conf.loop, &c->timer, due - r->conf.loop->now_ms);
}

void mer__redis_conn_init(struct redis_conn *c, struct redis_node *owner, bool durable)
{
    c->owner = owner;
    c->durable = durable;
    mer_list_init(&c->expected);
    mer_list_init(&c->answered);
    mer_timer_init(&c->timer, on_conn_timer);
}

/* --- sending --- */

static void expect(struct redis_conn *c, struct redis_expect *e, enum redis_expect_kind kind)
{
    struct mer_loop *loop = c->owner->r->conf.loop;
    e->kind = kind;
    e->sent_ms = loop->now_ms;
    mer_list_push_back(&c->expected, &e->node);
    if (!mer_timer_armed(&c->timer))
        mer_loop_arm(loop, &c->timer, c->owner->r->conf.deadline_ms);
}

enum mer_err mer__redis_conn_send(struct redis_conn *c, enum redis_expect_kind kind, const char *wire, size_t len)
{
    struct redis_expect *e = mer_try_calloc(1, sizeof(*e));
    if (!e)
        return MER_ENOMEM;
    mer_list_init(&e->node);
    enum mer_err err = mer_stream_write(c->stream, wire, len);
    if (err == MER_OK)
        expect(c, e, kind);
    else
        free(e);
    return err;
}

enum mer_err mer__redis_conn_send_argv(struct redis_conn *c, enum redis_expect_kind kind, int argc, const char *const *argv)
{
    size_t len;
    char *wire = mer__redis_format(&len, argc, argv);
    if (!wire)
        return MER_ENOMEM;
    enum mer_err err = mer__redis_conn_send(c, kind, wire, len);
    free(wire);
    return err;
}

enum mer_err mer__redis_conn_send_call(struct redis_conn *c, struct redis_call *call)
{
    static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
    enum mer_err err = MER_OK;
    if (call->asking)
        err = mer__redis_conn_send(c, EXPECT_IGNORE, asking, sizeof(asking) - 1);
    if (err == MER_OK)
        err = mer_stream_write(c->stream, call->wire, call->wire_len);
    if (err != MER_OK)
        return err;
    call->asking = false;
    call->where = CALL_SENT;
    mer_list_remove(&call->expect.node);
    expect(c, &call->expect, EXPECT_CALL);
    return MER_OK;
}

enum mer_err mer__redis_conn_wait(struct redis_conn *c, uint32_t replicas)
{
    char count[16], ms[16];
    snprintf(count, sizeof(count), "%u", replicas);
    snprintf(ms, sizeof(ms), "%u", c->owner->r->conf.wait_ms);
    const char *argv[] = {"WAIT", count, ms};
    c->wait_asked = replicas;
    mer__redis_count(c->owner->r, RM_WAITS);
    return mer__redis_conn_send_argv(c, EXPECT_WAIT, MER_COUNT(argv), argv);
}

/* Which process is it? One that was started again may have less than it had. */
static void ask_run_id(struct redis_node *n)
{
    static const char *const argv[] = {"INFO", "server"};
    struct redis_conn *c = &n->conn[REDIS_SOFT];
    if (c->state == CONN_UP && mer__redis_conn_send_argv(c, EXPECT_RUN_ID, MER_COUNT(argv), argv) != MER_OK)
        mer__redis_conn_fail(c, "out of memory");
}

void mer__redis_ask_library(struct redis_node *n)
{
    struct redis_conn *c = &n->conn[REDIS_SOFT];
    if (!n->r->conf.library || n->library_asked || c->state < CONN_HELLO || c->state == CONN_CLOSING)
        return;
    const char *argv[] = {"FUNCTION", "LIST", "LIBRARYNAME", n->r->conf.library};
    if (mer__redis_conn_send_argv(c, EXPECT_LIBRARY, MER_COUNT(argv), argv) == MER_OK)
        n->library_asked = true;
    else
        mer__redis_conn_fail(c, "out of memory");
}

/* --- replies --- */

static void up(struct redis_conn *c)
{
    struct redis_node *n = c->owner;
    c->state = CONN_UP;
    c->attempts = 0;
    mer__redis_count(n->r, RM_CONNECTED);
    MER_LOG(n->r->conf.log, MER_DEBUG, "redis.connected", KV_STR("node", n->address), KV_BOOL("durable", c->durable));
    if (!n->r->conf.library)
        n->library_ok = true;
    if (!n->r->slots_covered)
        mer__redis_refresh(n->r);
    if (c == &n->conn[REDIS_SOFT]) {
        n->up_ms = n->r->conf.loop->now_ms;
        ask_run_id(n);
    }
    mer__redis_check_ready(n->r);
}

static bool got_auth(struct redis_conn *c, const redisReply *reply)
{
    struct redis_node *n = c->owner;
    if (reply->type != REDIS_REPLY_STATUS) {
        MER_LOG(n->r->conf.log, MER_ERROR, "redis.auth_failed", KV_STR("node", n->address),
                KV_STR("error", reply->type == REDIS_REPLY_ERROR ? reply->str : "odd answer"));
        return false;
    }
    up(c);
    return true;
}

static bool got_library(struct redis_conn *c, const redisReply *reply)
{
    struct redis_node *n = c->owner;
    struct mer_redis *r = n->r;
    n->library_asked = false;
    if (reply->type != REDIS_REPLY_ARRAY && reply->type != REDIS_REPLY_ERROR)
        return false;
    bool had = n->library_ok;
    n->library_ok = mer__redis_has_library(reply);
    if (!n->library_ok) {
        mer__redis_count(r, RM_LIBRARY_MISSING);
        MER_LOG(r->conf.log, had ? MER_ERROR : MER_WARN, "redis.library_missing", KV_STR("node", n->address),
                KV_STR("library", r->conf.library), KV_STR("error", reply->type == REDIS_REPLY_ERROR ? reply->str : NULL));
        mer_loop_arm(r->conf.loop, &n->library_timer, REDIS_LIBRARY_MS + mer__redis_jitter(r, REDIS_LIBRARY_MS / 4));
    }
    mer__redis_check_ready(r);
    return true;
}

static void got_run_id(struct redis_conn *c, const redisReply *reply)
{
    struct redis_node *n = c->owner;
    char id[REDIS_RUN_ID_BYTES];
    if (!mer__redis_run_id(reply, id))
        return; /* not told: then a start at the same address stays unseen */
    bool another = n->run_id[0] && strcmp(n->run_id, id) != 0;
    memcpy(n->run_id, id, sizeof(id));
    if (another)
        mer__redis_restarted(n);
}

/* Replicas that must have it. */
static uint32_t needs(const struct redis_conn *c, const struct redis_call *call)
{
    uint32_t said;
    if (call->replicas)
        return call->replicas;
    return mer__redis_needs(call->reply, c->owner->r->wait_count, &said) ? said : c->owner->wait_count;
}

/* What the calls of the batch need at most; the primary's last word is what the next batch asks for. */
static uint32_t batch_needs(struct redis_conn *c)
{
    struct redis_node *n = c->owner;
    uint32_t most = 0;
    MER_LIST_EACH (it, &c->answered) {
        const struct redis_call *call = MER_LIST_ENTRY(it, struct redis_call, expect.node);
        (void)mer__redis_needs(call->reply, n->r->wait_count, &n->wait_count);
        uint32_t k = needs(c, call);
        most = k > most ? k : most;
    }
    return most;
}

static void wait_short(struct redis_conn *c, const redisReply *reply, uint32_t wanted)
{
    struct mer_redis *r = c->owner->r;
    mer__redis_count(r, RM_WAIT_SHORT);
    MER_LOG(r->conf.log, MER_WARN, "redis.wait_short", KV_STR("node", c->owner->address),
            KV_I64("replicas", reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1), KV_U64("wanted", wanted),
            KV_STR("error", reply->type == REDIS_REPLY_ERROR ? reply->str : NULL));
}

/* The end of a batch: each call gets its outcome. false: not all replicas that are needed have it, the connection must go. */
static bool got_wait(struct redis_conn *c, const redisReply *reply)
{
    struct mer_redis *r = c->owner->r;
    uint32_t most = batch_needs(c), asked = c->wait_asked;
    bool number = reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0, whole = number && reply->integer >= (long long)most;
    if (number && !whole && asked < most && reply->integer >= (long long)asked) { /* the set grew */
        mer__redis_count(r, RM_WAIT_AGAIN);
        return mer__redis_conn_wait(c, most) == MER_OK;
    }
    struct mer_list done;
    mer_list_init(&done);
    mer_list_move_all(&done, &c->answered);
    c->owner->doubt = !whole;
    if (!whole)
        wait_short(c, reply, most);
    while (!mer_list_empty(&done)) {
        struct redis_call *call = MER_LIST_ENTRY(done.next, struct redis_call, expect.node);
        bool stored = number && reply->integer >= (long long)needs(c, call);
        mer__redis_finish(call, stored ? call->err : MER_EUNKNOWN, stored ? call->reply : NULL);
    }
    return whole;
}

/* The batch is answered and its WAIT was held back. false: it could not be sent. */
static bool wait_now(struct redis_conn *c)
{
    if (!c->wait_due || c->state != CONN_UP || !mer_list_empty(&c->expected))
        return true;
    c->wait_due = false;
    return mer_list_empty(&c->answered) || mer__redis_conn_wait(c, batch_needs(c)) == MER_OK;
}

/* One reply (taken). false: out of step or useless, the connection must go. */
static bool got_reply(struct redis_conn *c, redisReply *reply)
{
    if (mer_list_empty(&c->expected)) {
        freeReplyObject(reply);
        return false;
    }
    struct redis_expect *e = MER_LIST_ENTRY(c->expected.next, struct redis_expect, node);
    mer_list_remove(&e->node);
    mer__redis_alive(c->owner);
    if (e->kind == EXPECT_CALL)
        return mer__redis_answered(c, MER_CONTAINER_OF(e, struct redis_call, expect), reply) && wait_now(c);
    bool ok = true;
    switch (e->kind) {
    case EXPECT_AUTH:
        ok = got_auth(c, reply);
        break;
    case EXPECT_LIBRARY:
        ok = got_library(c, reply);
        break;
    case EXPECT_WAIT:
        ok = got_wait(c, reply);
        break;
    case EXPECT_SLOTS:
        mer__redis_got_slots(c, reply);
        break;
    case EXPECT_RUN_ID:
        got_run_id(c, reply);
        break;
    default: /* ASKING: if it failed, the call after it is redirected again */
        break;
    }
    free(e);
    freeReplyObject(reply);
    return ok;
}

static void on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct redis_conn *c = ctx;
    struct mer_redis *r = c->owner->r;
    if (c->state == CONN_CLOSING)
        return;
    c->reply_bytes += len;
    if (redisReaderFeed(c->reader, (const char *)data, len) != REDIS_OK || c->reply_bytes > REDIS_REPLY_BYTES + len) {
        mer__redis_conn_fail(c, "reply too large");
        return;
    }
    while (c->state != CONN_CLOSING) {
        void *reply = NULL;
        if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
            mer__redis_count(r, RM_PROTOCOL);
            mer__redis_conn_fail(c, c->reader->errstr);
            return;
        }
        if (!reply)
            return;
        c->reply_bytes = c->reader->len - c->reader->pos;
        if (!got_reply(c, reply) && c->state != CONN_CLOSING)
            mer__redis_conn_fail(c, "unexpected answer");
    }
}

/* --- connecting and losing --- */

static void on_open(void *ctx)
{
    struct redis_conn *c = ctx;
    const struct mer_redis_conf *conf = &c->owner->r->conf;
    c->state = CONN_HELLO;
    enum mer_err err = MER_OK;
    if (conf->password) {
        const char *with_user[] = {"AUTH", conf->user, conf->password}, *without[] = {"AUTH", conf->password};
        err = mer__redis_conn_send_argv(c, EXPECT_AUTH, conf->user ? 3 : 2, conf->user ? with_user : without);
    }
    if (err != MER_OK) {
        mer__redis_conn_fail(c, mer_err_text(err));
        return;
    }
    if (c == &c->owner->conn[REDIS_SOFT])
        mer__redis_ask_library(c->owner);
    if (!conf->password && c->state == CONN_HELLO)
        up(c);
}

static void on_close(void *ctx, enum mer_err why, const char *text)
{
    struct redis_conn *c = ctx;
    struct redis_node *n = c->owner;
    struct mer_redis *r = n->r;
    (void)why;
    if (c->state != CONN_CLOSING)
        conn_lost(c, text);
    c->stream = NULL;
    c->state = CONN_DOWN;
    r->stream_count--;
    if (c->reader)
        redisReaderFree(c->reader);
    c->reader = NULL;
    if (r->destroyed) {
        mer__redis_release(r);
        return;
    }
    uint64_t cap = (uint64_t)REDIS_BACKOFF_MIN_MS << (c->attempts < 6 ? c->attempts : 6);
    if (c->attempts < UINT32_MAX)
        c->attempts++;
    mer_loop_arm(r->conf.loop, &c->timer, 1 + mer__redis_jitter(r, cap < REDIS_BACKOFF_MAX_MS ? cap : REDIS_BACKOFF_MAX_MS));
}

void mer__redis_conn_open(struct redis_conn *c)
{
    static const struct mer_stream_cbs cbs = {.on_open = on_open, .on_data = on_data, .on_close = on_close};
    struct mer_redis *r = c->owner->r;
    if (c->state != CONN_DOWN || c->stream)
        return;
    mer_loop_disarm(r->conf.loop, &c->timer);
    struct mer_stream_conf conf = {.loop = r->conf.loop, .cbs = &cbs, .ctx = c, .tls = r->conf.tls, .connect_timeout_ms = REDIS_CONNECT_MS};
    c->reader = mer__redis_reader_new(&r->reader_fns);
    c->reply_bytes = 0;
    if (c->reader && mer_stream_connect(&c->stream, &conf, c->owner->address) == MER_OK) {
        r->stream_count++;
        c->state = CONN_CONNECTING;
        return;
    }
    if (c->reader)
        redisReaderFree(c->reader);
    c->reader = NULL;
    c->stream = NULL;
    mer_loop_arm(r->conf.loop, &c->timer, REDIS_BACKOFF_MAX_MS);
}

static void end_calls(struct mer_list *list)
{
    while (!mer_list_empty(list)) {
        struct redis_call *call = MER_LIST_ENTRY(list->next, struct redis_call, expect.node);
        if (call->where == CALL_GHOST)
            mer__redis_free_call(call);
        else
            mer__redis_finish(call, MER_EUNKNOWN, NULL);
    }
}

/* What was in flight is unknown now. Callbacks may do anything, so they come last. */
static void conn_lost(struct redis_conn *c, const char *why)
{
    struct redis_node *n = c->owner;
    struct mer_redis *r = n->r;
    struct mer_list calls;
    bool slots_lost = false;
    c->state = CONN_CLOSING;
    mer_loop_disarm(r->conf.loop, &c->timer);
    mer_list_init(&calls);
    mer_list_move_all(&calls, &c->answered);
    while (!mer_list_empty(&c->expected)) {
        struct redis_expect *e = MER_LIST_ENTRY(c->expected.next, struct redis_expect, node);
        mer_list_remove(&e->node);
        if (e->kind == EXPECT_CALL) {
            mer_list_push_back(&calls, &e->node);
            continue;
        }
        slots_lost |= e->kind == EXPECT_SLOTS;
        free(e);
    }
    if (c == &n->conn[REDIS_SOFT]) { /* a node that comes back may be another one: look again */
        n->library_asked = false;
        n->library_ok = false;
        n->up_ms = 0;
        mer_loop_disarm(r->conf.loop, &n->library_timer);
    }
    mer__redis_count(r, RM_LOST);
    if (!r->destroyed) {
        MER_LOG(r->conf.log, c->attempts ? MER_DEBUG : MER_INFO, "redis.lost", KV_STR("node", n->address), KV_BOOL("durable", c->durable),
                KV_STR("why", why), KV_U64("attempt", c->attempts));
        if (slots_lost)
            mer__redis_got_slots(c, NULL);
        mer__redis_refresh(r); /* a failover, perhaps */
        mer__redis_check_ready(r);
    }
    end_calls(&calls);
}

void mer__redis_conn_fail(struct redis_conn *c, const char *why)
{
    struct mer_stream *s = c->stream;
    if (!s || c->state == CONN_CLOSING)
        return;
    /* A command that was given up must not reach a node that answers again: who was told "unknown" or "not done" has gone on since.
     * on_close comes later and arms the backoff. */
    mer_stream_reset(s);
    conn_lost(c, why);
}
