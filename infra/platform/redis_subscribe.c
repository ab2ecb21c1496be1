/* SPDX-License-Identifier: Apache-2.0
 * redis_subscribe.c - a channel of sharded pub/sub heard over a connection of its own (redis_subscribe.h has the picture).
 *
 * A connection of its own, because in RESP2 a subscribed connection can carry nothing else, and because a burst of messages must not stand
 * before the answers of calls. Redis lets a replica be subscribed to without a word, and a primary that was replaced by force keeps its
 * subscribers: so the node is compared with the slot map whenever that changes, and every tick.
 *
 * Timer: `timer`. DOWN: the backoff, fires open. Otherwise the tick: asks for a sign of life, ends what is silent or at the wrong node. */
#include <meridian/redis_subscribe.h>

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "redis_int.h"

enum {
    SUB_TICK_MS = 500,
    SUB_PING_MS = 1000,
    SUB_SILENT_MS = 2500,    /* two signs of life not given */
    SUB_STALL_MS = 1500,     /* a tick this late: we slept, not the node */
    SUB_BYTES_MAX = 1 << 20, /* of one message: far above what is published */
};

enum sub_state { SUB_DOWN, SUB_CONNECTING, SUB_GREETING, SUB_ASKED, SUB_UP };

struct mer_redis_sub {
    struct mer_list node; /* r->subs */
    struct mer_redis *r;  /* NULL: destroyed */
    struct mer_loop *loop;
    const struct mer_redis_sub_cbs *cbs;
    void *ctx;
    char *channel;
    uint16_t slot;
    enum sub_state state;
    struct mer_stream *stream; /* NULL when DOWN */
    redisReader *reader;
    struct redis_reader_fns reader_fns;
    size_t unread; /* bytes fed since the last whole reply */
    char address[REDIS_ADDRESS_BYTES];
    struct mer_timer timer;
    uint64_t heard_ms, asked_ms, ticked_ms;
    uint32_t attempts;
    bool closed;
    struct mer_deferred free_later;
};

static void ignore_open(void *ctx)
{
    (void)ctx;
}
static void ignore_data(void *ctx, const uint8_t *data, size_t len)
{
    (void)ctx, (void)data, (void)len;
}
static void ignore_close(void *ctx, enum mer_err why, const char *text)
{
    (void)ctx, (void)why, (void)text;
}
static const struct mer_stream_cbs cut_off = {ignore_open, ignore_data, ignore_close};

/* --- losing --- */

static void arm_backoff(struct mer_redis_sub *s)
{
    uint64_t cap = (uint64_t)REDIS_BACKOFF_MIN_MS << (s->attempts < 6 ? s->attempts : 6);
    s->attempts++;
    mer_loop_arm(s->loop, &s->timer, 1 + mer__redis_jitter(s->r, cap < REDIS_BACKOFF_MAX_MS ? cap : REDIS_BACKOFF_MAX_MS));
}

/* The stream's callbacks are cut off first, so nobody's memory depends on the order of the ends. */
static bool hang_up(struct mer_redis_sub *s)
{
    bool was_up = s->state == SUB_UP;
    s->state = SUB_DOWN;
    mer_loop_disarm(s->loop, &s->timer);
    if (s->stream != NULL) {
        mer_stream_set_ctx(s->stream, &cut_off, NULL);
        mer_stream_close(s->stream);
    }
    s->stream = NULL;
    if (s->reader != NULL)
        redisReaderFree(s->reader);
    s->reader = NULL;
    if (was_up)
        s->r->metric[RM_SUBSCRIBED]--;
    return was_up;
}

static void fail(struct mer_redis_sub *s, const char *why)
{
    bool was_up = hang_up(s);
    mer__redis_count(s->r, RM_SUB_LOST);
    MER_LOG(s->r->conf.log, was_up ? MER_INFO : MER_DEBUG, "redis.unsubscribed", KV_STR("channel", s->channel), KV_STR("node", s->address),
            KV_STR("why", why), KV_U64("attempt", s->attempts));
    mer__redis_refresh(s->r); /* a failover, perhaps */
    arm_backoff(s);
    if (was_up)
        s->cbs->on_down(s->ctx, why);
}

/* --- what is said --- */

static void say(struct mer_redis_sub *s, int argc, const char *const *argv)
{
    size_t len = 0;
    char *wire = mer__redis_format(&len, argc, argv);
    enum mer_err err = wire != NULL ? mer_stream_write(s->stream, wire, len) : MER_ENOMEM;
    free(wire);
    if (err != MER_OK)
        fail(s, mer_err_text(err));
    else
        mer_stream_flush(s->stream);
}

static void ask(struct mer_redis_sub *s)
{
    const char *argv[] = {"SSUBSCRIBE", s->channel};
    s->state = SUB_ASKED;
    say(s, MER_COUNT(argv), argv);
}

static void on_open(void *ctx)
{
    struct mer_redis_sub *s = ctx;
    const struct mer_redis_conf *conf = &s->r->conf;
    if (conf->password == NULL) {
        ask(s);
        return;
    }
    const char *with_user[] = {"AUTH", conf->user, conf->password}, *without[] = {"AUTH", conf->password};
    s->state = SUB_GREETING;
    say(s, conf->user != NULL ? 3 : 2, conf->user != NULL ? with_user : without);
}

/* --- what is heard --- */

static bool is_push(const struct mer_redis_sub *s, const redisReply *reply, const char *kind)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && reply->element[0]->type == REDIS_REPLY_STRING &&
           strcmp(reply->element[0]->str, kind) == 0 && reply->element[1]->type == REDIS_REPLY_STRING &&
           strcmp(reply->element[1]->str, s->channel) == 0;
}

static void subscribed(struct mer_redis_sub *s)
{
    s->state = SUB_UP;
    s->attempts = 0;
    s->r->metric[RM_SUBSCRIBED]++;
    MER_LOG(s->r->conf.log, MER_INFO, "redis.subscribed", KV_STR("channel", s->channel), KV_STR("node", s->address));
    s->cbs->on_up(s->ctx);
}

static void got_push(struct mer_redis_sub *s, const redisReply *reply)
{
    if (is_push(s, reply, "smessage") && reply->element[2]->type == REDIS_REPLY_STRING) {
        mer__redis_count(s->r, RM_SUB_MESSAGES);
        s->cbs->on_message(s->ctx, (const uint8_t *)reply->element[2]->str, (size_t)reply->element[2]->len);
    } else if (is_push(s, reply, "sunsubscribe")) {
        fail(s, "the slot went elsewhere");
    } else if (reply->type == REDIS_REPLY_ERROR) {
        fail(s, reply->str);
    } else if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) { /* two: the answer to PING */
        fail(s, "odd answer");
    }
}

static void got_reply(struct mer_redis_sub *s, const redisReply *reply)
{
    bool error = reply->type == REDIS_REPLY_ERROR;
    if (s->state == SUB_UP) {
        got_push(s, reply);
    } else if (s->state == SUB_ASKED && is_push(s, reply, "ssubscribe")) {
        subscribed(s);
    } else if (s->state == SUB_GREETING && reply->type == REDIS_REPLY_STATUS) {
        ask(s);
    } else {
        if (s->state == SUB_GREETING)
            MER_LOG(s->r->conf.log, MER_ERROR, "redis.auth_failed", KV_STR("node", s->address),
                    KV_STR("error", error ? reply->str : "odd answer"));
        fail(s, error ? reply->str : "odd answer"); /* MOVED too: the slot map is asked for, and the next attempt goes by it */
    }
}

static void on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct mer_redis_sub *s = ctx;
    redisReader *reader = s->reader;
    s->heard_ms = s->loop->now_ms;
    s->unread += len;
    if (redisReaderFeed(reader, (const char *)data, len) != REDIS_OK || s->unread > SUB_BYTES_MAX + len) {
        fail(s, "message too large");
        return;
    }
    while (s->reader == reader) { /* a callback may end it */
        void *reply = NULL;
        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            mer__redis_count(s->r, RM_PROTOCOL);
            fail(s, "not RESP");
            return;
        }
        if (reply == NULL)
            return;
        s->unread = reader->len - reader->pos;
        got_reply(s, reply);
        freeReplyObject(reply);
    }
}

static void on_close(void *ctx, enum mer_err why, const char *text)
{
    struct mer_redis_sub *s = ctx;
    s->stream = NULL;
    fail(s, text != NULL && *text ? text : mer_err_text(why));
}

/* --- life --- */

static void open_connection(struct mer_redis_sub *s)
{
    static const struct mer_stream_cbs cbs = {on_open, on_data, on_close};
    const struct mer_redis_conf *conf = &s->r->conf;
    struct mer_stream_conf sc = {.loop = s->loop, .cbs = &cbs, .ctx = s, .tls = conf->tls, .connect_timeout_ms = REDIS_CONNECT_MS};
    const char *primary = mer_redis_primary(s->r, s->slot);
    if (primary == NULL) {
        mer__redis_refresh(s->r);
        arm_backoff(s);
        return;
    }
    snprintf(s->address, sizeof(s->address), "%s", primary);
    s->unread = 0;
    s->reader = mer__redis_reader_new(&s->reader_fns);
    if (s->reader == NULL || mer_stream_connect(&s->stream, &sc, s->address) != MER_OK) {
        s->stream = NULL;
        fail(s, "no connection");
        return;
    }
    s->state = SUB_CONNECTING;
    s->heard_ms = s->asked_ms = s->ticked_ms = s->loop->now_ms;
    mer_loop_arm(s->loop, &s->timer, SUB_TICK_MS);
}

static bool misplaced(const struct mer_redis_sub *s)
{
    const char *primary = mer_redis_primary(s->r, s->slot);
    return s->state != SUB_DOWN && primary != NULL && strcmp(primary, s->address) != 0;
}

void mer__redis_subs_follow(struct mer_redis *r)
{
    MER_LIST_EACH_SAFE (it, &r->subs) {
        struct mer_redis_sub *s = MER_LIST_ENTRY(it, struct mer_redis_sub, node);
        if (misplaced(s))
            fail(s, "another primary");
    }
}

static void tick(struct mer_redis_sub *s)
{
    static const char *const ping[] = {"PING"};
    uint64_t now = s->loop->now_ms;
    if (now - s->ticked_ms > SUB_STALL_MS)
        s->heard_ms = now;
    s->ticked_ms = now;
    if (now - s->heard_ms >= SUB_SILENT_MS) {
        fail(s, "silent");
        return;
    }
    if (misplaced(s)) {
        fail(s, "another primary");
        return;
    }
    mer_loop_arm(s->loop, &s->timer, SUB_TICK_MS);
    if (s->state == SUB_UP && now - s->asked_ms >= SUB_PING_MS) {
        s->asked_ms = now;
        say(s, MER_COUNT(ping), ping);
    }
}

static void on_timer(struct mer_timer *t)
{
    struct mer_redis_sub *s = MER_CONTAINER_OF(t, struct mer_redis_sub, timer);
    if (s->state == SUB_DOWN)
        open_connection(s);
    else
        tick(s);
}

static void free_sub(struct mer_deferred *d)
{
    struct mer_redis_sub *s = MER_CONTAINER_OF(d, struct mer_redis_sub, free_later);
    free(s->channel);
    free(s);
}

enum mer_err mer_redis_subscribe(struct mer_redis_sub **out, struct mer_redis *r, const char *channel, const struct mer_redis_sub_cbs *cbs,
                                 void *ctx)
{
    if (r->destroyed)
        return MER_ECLOSED;
    struct mer_redis_sub *s = mer_try_calloc(1, sizeof(*s));
    if (s == NULL || (s->channel = mer_try_strdup(channel)) == NULL) {
        free(s);
        return MER_ENOMEM;
    }
    s->r = r;
    s->loop = r->conf.loop;
    s->cbs = cbs;
    s->ctx = ctx;
    s->slot = mer_redis_slot(channel, strlen(channel));
    mer_timer_init(&s->timer, on_timer);
    mer_deferred_init(&s->free_later, free_sub);
    mer_list_push_back(&r->subs, &s->node);
    mer_loop_arm(s->loop, &s->timer, 0);
    *out = s;
    return MER_OK;
}

bool mer_redis_sub_is_up(const struct mer_redis_sub *s)
{
    return s->state == SUB_UP;
}

void mer_redis_sub_check(struct mer_redis_sub *s)
{
    if (s->r != NULL)
        mer__redis_refresh(s->r);
}

void mer__redis_end_subs(struct mer_redis *r)
{
    while (!mer_list_empty(&r->subs)) {
        struct mer_redis_sub *s = MER_LIST_ENTRY(r->subs.next, struct mer_redis_sub, node);
        (void)hang_up(s);
        mer_list_remove(&s->node);
        s->r = NULL;
        s->cbs->on_end(s->ctx);
    }
}

void mer_redis_unsubscribe(struct mer_redis_sub *s)
{
    if (s == NULL || s->closed)
        return;
    s->closed = true;
    if (s->r != NULL)
        (void)hang_up(s);
    mer_list_remove(&s->node);
    mer_loop_defer(s->loop, &s->free_later);
}
