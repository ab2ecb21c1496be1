/* SPDX-License-Identifier: Apache-2.0
 * relay_call.c - calls of the function library as the relay makes them: built on the stack, counted, their replies decoded. */
#include "region-router/relay_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "region-router/app.h"

void router__fcall_bytes(struct router_fcall *c, const void *data, size_t len)
{
    MER_ASSERT((size_t)c->argc < MER_COUNT(c->argv));
    c->argv[c->argc] = data;
    c->len[c->argc++] = len;
}

void router__fcall_text(struct router_fcall *c, const char *text)
{
    router__fcall_bytes(c, text, strlen(text));
}

void router__fcall_u64(struct router_fcall *c, uint64_t n)
{
    MER_ASSERT((size_t)c->numbers < MER_COUNT(c->number));
    char *text = c->number[c->numbers++];
    snprintf(text, sizeof c->number[0], "%" PRIu64, n);
    router__fcall_text(c, text);
}

void router__fcall_electable(struct router_fcall *c, uint32_t bucket)
{
    enum mer_err err = mer_key_electable(c->electable, bucket);
    MER_ASSERT(err == MER_OK);
    router__fcall_text(c, c->electable);
}

void router__fcall(struct router_fcall *c, const char *function, unsigned key_count)
{
    c->argc = c->numbers = 0;
    router__fcall_text(c, "FCALL");
    router__fcall_text(c, function);
    router__fcall_u64(c, key_count);
}

enum mer_err router__fcall_send(struct router_relays *rs, const struct router_fcall *c, const char *key, bool durable, mer_redis_cb cb,
                                void *ctx)
{
    struct mer_redis_call_spec spec = {.argv = c->argv, .argvlen = c->len, .argc = c->argc, .key = key, .durable = durable};
    enum mer_err err = ctx != NULL ? mer_redis_call(rs->app->redis, &spec, cb, ctx) : MER_ENOMEM;
    rs->calls += err == MER_OK;
    return err;
}

enum mer_err router__fcall_done(struct router_relays *rs, enum mer_err err, const redisReply *reply, struct mer_event_reply *out)
{
    rs->calls--;
    if (err == MER_OK && (err = mer_event_reply_decode(reply, out)) != MER_OK) {
        rs->values[ROUTER_RS_BAD_REPLIES]++;
        MER_LOG_RATE(&rs->app->log, MER_ERROR, "relay.bad_reply", KV_U64("elements", reply->elements));
    }
    return err;
}
