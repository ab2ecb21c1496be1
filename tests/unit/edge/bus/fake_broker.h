/* SPDX-License-Identifier: Apache-2.0
 * fake_broker.h - sharded pub/sub inside a test: replaces the Redis client at the link. Delivers and answers in the next turn, in order;
 * can lose, repeat, fail, and be deaf. */
#pragma once

#include <stdio.h>
#include <string.h>

#include <meridian/redis_subscribe.h>

enum { BROKER_SUBS = 4 };

enum broker_fault { BROKER_FINE, BROKER_LOSES, BROKER_REPEATS, BROKER_FAILS, BROKER_HEARS_NOBODY, BROKER_REFUSES };

struct mer_redis_sub {
    struct fake_broker *broker;
    char channel[64];
    const struct mer_redis_sub_cbs *cbs; /* NULL: takes and says nothing */
    void *ctx;
    bool down;
};
struct fake_broker {
    struct mer_loop *loop;
    struct mer_redis_sub sub[BROKER_SUBS];
    enum broker_fault fault;
    unsigned faults; /* that many of the next frames, after `skip` */
    unsigned skip, published, checks;
    const char *unheard; /* of this channel it is said that nobody hears it */
};
struct mer_redis { /* a client */
    struct fake_broker *broker;
};

struct broker_frame {
    struct mer_deferred later, answer;
    struct fake_broker *b;
    enum broker_fault fault;
    char channel[64];
    size_t len;
    mer_redis_cb cb;
    void *ctx;
    uint8_t data[];
};

static inline struct mer_redis_sub *broker__find(struct fake_broker *b, const char *channel)
{
    for (int i = 0; i < BROKER_SUBS; i++)
        if (strcmp(b->sub[i].channel, channel) == 0)
            return &b->sub[i];
    return NULL;
}

static inline void broker__deliver(struct mer_deferred *d)
{
    struct broker_frame *f = MER_CONTAINER_OF(d, struct broker_frame, later);
    struct mer_redis_sub *s = broker__find(f->b, f->channel);
    bool heard = s != NULL && !s->down && f->fault != BROKER_FAILS && f->fault != BROKER_HEARS_NOBODY;
    redisReply reply = {.type = REDIS_REPLY_INTEGER, .integer = heard && (f->b->unheard == NULL || strcmp(f->b->unheard, f->channel) != 0)};
    for (int n = f->fault == BROKER_REPEATS ? 2 : 1; n > 0 && heard && s->cbs != NULL && f->fault != BROKER_LOSES; n--)
        if (s->channel[0] != 0) /* it may have left inside */
            s->cbs->on_message(s->ctx, f->data, f->len);
    if (f->fault == BROKER_FAILS)
        f->cb(f->ctx, MER_EUNKNOWN, NULL);
    else
        f->cb(f->ctx, MER_OK, &reply);
    free(f);
}

/* A turn later: never inside the call, nor in its turn. */
static inline void broker__wait(struct mer_deferred *d)
{
    struct broker_frame *f = MER_CONTAINER_OF(d, struct broker_frame, answer);
    mer_loop_defer(f->b->loop, &f->later);
}

enum mer_err mer_redis_call(struct mer_redis *r, const struct mer_redis_call_spec *spec, mer_redis_cb cb, void *ctx)
{
    struct fake_broker *b = r->broker;
    assert_string_equal(spec->argv[0], "SPUBLISH");
    assert_string_equal(spec->argv[1], spec->key);
    assert_false(spec->durable);
    enum broker_fault fault = BROKER_FINE;
    if (b->faults > 0 && b->skip == 0)
        fault = b->fault, b->faults--;
    else if (b->skip > 0)
        b->skip--;
    if (fault == BROKER_REFUSES)
        return MER_EBUSY;
    struct broker_frame *f = calloc(1, sizeof(*f) + spec->argvlen[2]);
    f->b = b;
    f->fault = fault;
    f->cb = cb;
    f->ctx = ctx;
    f->len = spec->argvlen[2];
    memcpy(f->data, spec->argv[2], f->len);
    snprintf(f->channel, sizeof(f->channel), "%s", spec->argv[1]);
    mer_deferred_init(&f->later, broker__deliver);
    mer_deferred_init(&f->answer, broker__wait);
    mer_loop_defer(b->loop, &f->answer);
    b->published++;
    return MER_OK;
}

enum mer_err mer_redis_subscribe(struct mer_redis_sub **out, struct mer_redis *r, const char *channel, const struct mer_redis_sub_cbs *cbs,
                                 void *ctx)
{
    struct mer_redis_sub *s = broker__find(r->broker, "");
    assert_non_null(s);
    *s = (struct mer_redis_sub){.broker = r->broker, .cbs = cbs, .ctx = ctx};
    snprintf(s->channel, sizeof(s->channel), "%s", channel);
    *out = s;
    return MER_OK;
}

bool mer_redis_sub_is_up(const struct mer_redis_sub *s)
{
    return !s->down;
}

void mer_redis_sub_check(struct mer_redis_sub *s)
{
    s->broker->checks++;
}

void mer_redis_unsubscribe(struct mer_redis_sub *s)
{
    if (s != NULL)
        s->channel[0] = 0;
}

/* Somebody is subscribed and never says anything. */
static inline void fake_broker_mute(struct fake_broker *b, const char *channel)
{
    struct mer_redis_sub *s = broker__find(b, "");
    assert_non_null(s);
    *s = (struct mer_redis_sub){.broker = b};
    snprintf(s->channel, sizeof(s->channel), "%s", channel);
}
