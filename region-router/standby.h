/* SPDX-License-Identifier: Apache-2.0
 * standby.h - who leads: a lease of 10 s in Redis (router:{region}), with an epoch that grows at every change of holder.
 *
 *                 free, or its holder's link lost: taken
 *   FOLLOWING -------------------------------------------> LEADING --release--> RELEASED
 *       ^                                                     |
 *       +---- another holds it, or 2/3 of it without renewal -+
 *
 * The holder renews every 2 s and stops acting at 2/3 of the lease by its own monotonic clock. A follower that had a link to the holder and
 * lost it, or finds nobody at the holder's address (both routers died, and this one is new), takes the lease at once by compare-and-set on
 * (holder, epoch), after a short random pause, once a loss: a dead leader is replaced in well under a second; one that lives and only lost
 * that link finds itself replaced (edges refuse its epoch from then on). An outcome that is unknown is not held; that of a takeover is
 * asked for as a takeover again, and if the lease turns out to be ours, it counts as one. Two routers that reach Redis and not each other
 * change places once: who was replaced while it led does not take nobody's answer for the other's death. */
#pragma once

#include <meridian/redis.h>

#include "region-router/limits.h"

enum { ROUTER_HOLDER_BYTES = 100, ROUTER_ADDRESS_BYTES = 256 };

struct router_standby_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_rng rng;
    struct mer_metrics *metrics;
    struct mer_redis *redis;          /* with library meridian1; outlives the last answer */
    const char *region, *incarnation; /* kept */
    const char *address;              /* our link address, kept: the lease says where the leader is */
    void (*lead)(void *ctx, uint64_t epoch);
    void (*follow)(void *ctx, const char *why); /* we led until now */
    /* Somebody else holds it; comes with every answer that says so. True: nobody is at that address any more (its dials are refused). */
    bool (*holder)(void *ctx, const char *incarnation, const char *address);
    void *ctx;
};
struct router_standby;

MER_MUST_CHECK enum mer_err router_standby_create(struct router_standby **out, const struct router_standby_conf *conf);
/* Begins to ask for the lease. */
void router_standby_start(struct router_standby *s);
/* The epoch we lead with; 0: we do not, also when the lease ran out a moment ago and nobody was told yet. */
uint64_t router_standby_epoch(const struct router_standby *s);
/* Inside conf.lead: how long the holder before us may act yet; 0: the lease was free. */
uint32_t router_standby_shared_ms(const struct router_standby *s);
/* Who holds the lease as far as we know; "" nobody. */
const char *router_standby_holder(const struct router_standby *s);
/* For how long Redis has not said that somebody holds it; a moment, while all is well. */
uint64_t router_standby_leaderless_ms(const struct router_standby *s);
/* The link to that incarnation went down, or came up. */
void router_standby_link(struct router_standby *s, const char *incarnation, bool up);
/* It says that it does not lead (any more): ask now. */
void router_standby_vacant(struct router_standby *s);
/* Gives the lease back (follow is not called); done comes once, also when there was nothing to give, at the latest when Redis' deadline ran
 * out. Nothing is taken after it. */
void router_standby_release(struct router_standby *s, void (*done)(void *ctx), void *ctx);
/* Call after mer_redis_destroy. */
void router_standby_destroy(struct router_standby *s);
