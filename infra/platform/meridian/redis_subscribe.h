/* SPDX-License-Identifier: Apache-2.0
 * redis_subscribe.h - one channel of Redis' sharded pub/sub, heard for as long as the client lives: a connection of its own to the primary
 * of the channel's slot, which follows that primary wherever it goes (MOVED, a moved slot, a failover) and comes back by itself.
 *
 *   DOWN --primary known--> CONNECTING --open--> GREETING --AUTH--> ASKED --ssubscribe--> UP
 *     ^        any --lost, silent for 2.5 s, sunsubscribe, another primary--> (backoff, 50 ms .. 2 s with full jitter)
 *
 * Pub/sub promises nothing: what is published while the subscription is down is lost, and something before it may be. Whoever needs to
 * know numbers the messages. Publishing is an ordinary soft call: SPUBLISH with the channel as key. */
#pragma once

#include <meridian/redis.h>

struct mer_redis_sub;
struct mer_redis_sub_cbs {
    void (*on_up)(void *ctx);
    void (*on_down)(void *ctx, const char *why);                    /* it was up; it comes back by itself */
    void (*on_message)(void *ctx, const uint8_t *data, size_t len); /* borrowed */
    void (*on_end)(void *ctx); /* the client was destroyed; the last callback. The handle stays the caller's */
};

/* cbs and ctx are kept, channel is copied. Callbacks come from the loop, except on_end, which comes from mer_redis_destroy. */
MER_MUST_CHECK enum mer_err mer_redis_subscribe(struct mer_redis_sub **out, struct mer_redis *r, const char *channel,
                                                const struct mer_redis_sub_cbs *cbs, void *ctx);
bool mer_redis_sub_is_up(const struct mer_redis_sub *s);
/* There is reason to believe that what is published does not get here: the slot map is asked for. After a failover by hand the old primary
 * keeps its subscribers, and they learn of it by nothing else for seconds. */
void mer_redis_sub_check(struct mer_redis_sub *s);
/* No callback comes after it. May be called from inside one; NULL is allowed. */
void mer_redis_unsubscribe(struct mer_redis_sub *s);
