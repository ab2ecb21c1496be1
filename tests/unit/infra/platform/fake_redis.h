/* SPDX-License-Identifier: Apache-2.0
 * fake_redis.h - a Redis that says what a test wants, inside the test's loop. Commands are matched by their first word; each has a script
 * of replies, the last of which repeats. A reply is raw bytes, or one of the actions below. */
#pragma once

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <hiredis/hiredis.h>

#include <meridian/mem.h>
#include <meridian/stream.h>

#define FAKE_CLOSE "!close"     /* hangs up */
#define FAKE_SILENCE "!silence" /* says nothing */
#define FAKE_SLOWLY "!slowly:"  /* then the reply, one byte a turn */
enum { FAKE_REPLIES = 8, FAKE_CONNS = 256 };

enum fake_command { FAKE_AUTH, FAKE_LIBRARY, FAKE_SLOTS, FAKE_WAIT, FAKE_ASKING, FAKE_INFO, FAKE_CALL, FAKE_COMMANDS };

struct fake_redis;
struct fake_conn {
    struct fake_redis *f;
    struct mer_stream *stream;
    redisReader *reader;
    struct mer_buf slow;
    struct mer_timer slow_timer;
    unsigned calls_since_wait, batches;
    bool hung_up, gone;
};
struct fake_redis {
    struct mer_loop *loop;
    struct mer_listener *listener;
    const char *script[FAKE_COMMANDS][FAKE_REPLIES];
    unsigned seen[FAKE_COMMANDS];
    unsigned accepted, largest_batch, open;
    struct fake_conn conn[FAKE_CONNS];
    char slots[256], moved[64], ask[64];
    char waited_for[16]; /* replicas the last WAIT asked for */
};

static inline enum fake_command fake__which(const redisReply *command)
{
    static const char *const words[] = {"AUTH", "FUNCTION", "CLUSTER", "WAIT", "ASKING", "INFO"};
    for (unsigned i = 0; i < MER_COUNT(words); i++)
        if (strcasecmp(command->element[0]->str, words[i]) == 0)
            return (enum fake_command)i;
    return FAKE_CALL;
}

static inline void fake__slow(struct mer_timer *t)
{
    struct fake_conn *c = MER_CONTAINER_OF(t, struct fake_conn, slow_timer);
    if (c->hung_up || c->gone || c->slow.len == 0)
        return;
    MER_ASSERT(mer_stream_write(c->stream, c->slow.data, 1) == MER_OK);
    mer_stream_flush(c->stream);
    mer_buf_consume(&c->slow, 1);
    mer_loop_arm(c->f->loop, t, 1);
}

static inline void fake__reply(struct fake_conn *c, const char *reply)
{
    if (strcmp(reply, FAKE_CLOSE) == 0) {
        c->hung_up = true;
        mer_stream_close(c->stream);
    } else if (strncmp(reply, FAKE_SLOWLY, strlen(FAKE_SLOWLY)) == 0) {
        MER_ASSERT(mer_buf_appends(&c->slow, reply + strlen(FAKE_SLOWLY)) == MER_OK);
        mer_loop_arm(c->f->loop, &c->slow_timer, 1);
    } else if (strcmp(reply, FAKE_SILENCE) != 0) {
        if (c->slow.len > 0) /* behind what is still on its way */
            MER_ASSERT(mer_buf_appends(&c->slow, reply) == MER_OK);
        else if (mer_stream_write(c->stream, reply, strlen(reply)) != MER_OK)
            mer_stream_close(c->stream), c->hung_up = true; /* a test that takes memory away hits this side too */
    }
}

static inline void fake__command(struct fake_conn *c, const redisReply *command)
{
    struct fake_redis *f = c->f;
    enum fake_command which = fake__which(command);
    const char *const *script = f->script[which];
    unsigned i = 0;
    while (i < f->seen[which] && i + 1 < FAKE_REPLIES && script[i + 1])
        i++;
    f->seen[which]++;
    if (which == FAKE_CALL && ++c->calls_since_wait > f->largest_batch)
        f->largest_batch = c->calls_since_wait;
    if (which == FAKE_WAIT)
        c->calls_since_wait = 0, c->batches++, snprintf(f->waited_for, sizeof(f->waited_for), "%s", command->element[1]->str);
    fake__reply(c, script[i]);
}

static inline void fake__data(void *ctx, const uint8_t *data, size_t len)
{
    struct fake_conn *c = ctx;
    void *command;
    MER_ASSERT(redisReaderFeed(c->reader, (const char *)data, len) == REDIS_OK);
    while (!c->hung_up && redisReaderGetReply(c->reader, &command) == REDIS_OK && command) {
        fake__command(c, command);
        freeReplyObject(command);
    }
}

static inline void fake__open(void *ctx)
{
    (void)ctx;
}

static inline void fake__closed(void *ctx, enum mer_err why, const char *text)
{
    struct fake_conn *c = ctx;
    (void)why;
    (void)text;
    c->gone = true;
    c->f->open--;
    mer_loop_disarm(c->f->loop, &c->slow_timer);
    mer_buf_deinit(&c->slow);
    redisReaderFree(c->reader);
}

static inline void fake__accept(void *ctx, struct mer_stream *s)
{
    static const struct mer_stream_cbs cbs = {fake__open, fake__data, fake__closed};
    struct fake_redis *f = ctx;
    MER_ASSERT(f->accepted < FAKE_CONNS);
    struct fake_conn *c = &f->conn[f->accepted++];
    f->open++;
    c->f = f;
    c->stream = s;
    c->reader = redisReaderCreate();
    mer_buf_init(&c->slow, 0);
    mer_timer_init(&c->slow_timer, fake__slow);
    mer_stream_set_ctx(s, &cbs, c);
}

static inline void fake_set(struct fake_redis *f, enum fake_command which, const char *reply)
{
    memset(f->script[which], 0, sizeof(f->script[which]));
    f->script[which][0] = reply;
}

/* Listening on a port of the kernel's choice; a good node that owns all slots. slot: that of the key the test uses. */
static inline void fake_start(struct fake_redis *f, struct mer_loop *loop, unsigned slot, SSL_CTX *tls)
{
    struct mer_stream_conf conf = {.loop = loop, .tls = tls};
    struct mer_msg msg;
    memset(f, 0, sizeof(*f));
    f->loop = loop;
    MER_ASSERT(mer_listener_open(&f->listener, &conf, "127.0.0.1:0", fake__accept, f, &msg) == MER_OK);
    const char *port = strrchr(mer_listener_address(f->listener), ':') + 1;
    snprintf(f->slots, sizeof(f->slots), "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%s\r\n", port);
    snprintf(f->moved, sizeof(f->moved), "-MOVED %u 127.0.0.1:%s\r\n", slot, port);
    snprintf(f->ask, sizeof(f->ask), "-ASK %u 127.0.0.1:%s\r\n", slot, port);
    fake_set(f, FAKE_AUTH, "+OK\r\n");
    fake_set(f, FAKE_LIBRARY, "*1\r\n*2\r\n$12\r\nlibrary_name\r\n$9\r\nmeridian1\r\n");
    fake_set(f, FAKE_SLOTS, f->slots);
    fake_set(f, FAKE_WAIT, ":2\r\n");
    fake_set(f, FAKE_ASKING, "+OK\r\n");
    fake_set(f, FAKE_INFO, "-ERR unknown command\r\n");
    fake_set(f, FAKE_CALL, "+OK\r\n");
}

static inline void fake_stop(struct fake_redis *f)
{
    mer_listener_close(f->listener);
    for (unsigned i = 0; i < f->accepted; i++)
        if (!f->conn[i].gone)
            mer_stream_close(f->conn[i].stream);
}
