/* SPDX-License-Identifier: Apache-2.0
 * standby.c - leadership by lease (standby.h has the picture).
 *
 * One question at a time: every answer, good or bad, arms the next one. `ask` is mer1_lease_take, which renews what is ours, takes what is
 * free and tells who holds it otherwise, so follower and holder use the same call.
 *
 * Timers: `timer` asks again (always armed unless an answer is awaited or all is over); `expiry`, armed while leading, at 2/3 of the lease
 * since the last confirmed question was sent: stops leading. */
#include "region-router/standby.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

enum {
    ACT_MS = ROUTER_LEASE_MS * 2 / 3,
    RETRY_MS = 200,       /* after an answer that says nothing */
    TAKEOVER_MIN_MS = 20, /* after a lost link; random up to ... */
    TAKEOVER_MAX_MS = 250,
};

enum role { FOLLOWING, LEADING, RELEASED };

enum { M_LEADER, M_EPOCH, M_ASKED, M_UNANSWERED, M_TAKEN, M_TAKEN_OVER, M_STEPPED_DOWN, M_COUNT };
static const struct mer_metric_def metrics[M_COUNT] = {
    [M_LEADER] = {"meridian_router_leader", "1 while this router leads its region", MER_GAUGE},
    [M_EPOCH] = {"meridian_router_epoch", "epoch of the lease as far as known", MER_GAUGE},
    [M_ASKED] = {"meridian_router_lease_calls_total", "times the lease was asked for or renewed"},
    [M_UNANSWERED] = {"meridian_router_lease_failures_total", "of these, without a usable answer"},
    [M_TAKEN] = {"meridian_router_lease_taken_total", "times this router became the leader"},
    [M_TAKEN_OVER] = {"meridian_router_lease_takeovers_total", "of these, from a holder whose link was lost"},
    [M_STEPPED_DOWN] = {"meridian_router_lease_lost_total", "times this router stopped leading without having released"},
};

struct router_standby {
    struct router_standby_conf conf;
    enum role role;
    char key[64];
    uint64_t epoch; /* of the lease as last seen; ours while LEADING */
    char holder[ROUTER_HOLDER_BYTES];
    bool asking, taking_over, holder_linked, holder_lost, destroyed;
    bool perhaps_taken;         /* nobody has said yet what became of a takeover: if the lease is ours now, it may be by that one */
    bool holder_lives;          /* it took the lease from us while we held it: it is there, whatever is at its address */
    uint64_t asked_ms, seen_ms; /* seen: somebody held it; at first, when we came */
    struct mer_timer timer, expiry;
    void (*done)(void *ctx);
    void *done_ctx;
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
};

static uint64_t now_ms(const struct router_standby *s)
{
    return s->conf.loop->now_ms;
}

static void step_down(struct router_standby *s, const char *why)
{
    if (s->role != LEADING)
        return;
    s->role = FOLLOWING;
    s->values[M_LEADER] = 0;
    s->values[M_STEPPED_DOWN]++;
    mer_loop_disarm(s->conf.loop, &s->expiry);
    MER_LOG(s->conf.log, MER_WARN, "lease.lost", KV_U64("epoch", s->epoch), KV_STR("why", why));
    s->conf.follow(s->conf.ctx, why);
}

static void on_expiry(struct mer_timer *t)
{
    step_down(MER_CONTAINER_OF(t, struct router_standby, expiry), "not renewed in time");
}

static void ask_in(struct router_standby *s, uint32_t ms)
{
    if (s->role != RELEASED && !s->asking)
        mer_loop_arm(s->conf.loop, &s->timer, ms);
}

/* ---- answers ------------------------------------------------------------------------------------------------------------------------- */

struct answer {
    bool ours;
    uint64_t epoch, left_ms;
    const char *holder, *address;
};

/* {status, time, "", epoch, holder, address, ms left}; false when it is anything else. */
static bool read_answer(const redisReply *r, struct answer *a)
{
    if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != 7)
        return false;
    for (size_t i = 0; i < 7; i++)
        if (i != 1 && r->element[i]->type != REDIS_REPLY_STRING && r->element[i]->type != REDIS_REPLY_STATUS)
            return false;
    a->ours = strcmp(r->element[0]->str, "OK") == 0;
    a->epoch = strtoull(r->element[3]->str, NULL, 10);
    a->holder = r->element[4]->str;
    a->address = r->element[5]->str;
    a->left_ms = strtoull(r->element[6]->str, NULL, 10);
    return a->epoch > 0;
}

static void see(struct router_standby *s, const struct answer *a)
{
    if (strcmp(s->holder, a->holder) != 0 || s->epoch != a->epoch)
        s->holder_lost = s->holder_lives = false; /* that was another term */
    if (strcmp(s->holder, a->holder) != 0)
        s->holder_linked = false;
    s->seen_ms = now_ms(s);
    s->epoch = a->epoch;
    s->values[M_EPOCH] = a->epoch;
    snprintf(s->holder, sizeof s->holder, "%s", a->holder);
}

static bool was_takeover(const struct router_standby *s)
{
    return s->taking_over || s->perhaps_taken;
}

static void we_hold_it(struct router_standby *s, const struct answer *a)
{
    uint64_t used_ms = now_ms(s) - s->asked_ms;
    if (used_ms >= ACT_MS) { /* an answer from another time */
        step_down(s, "the answer came too late");
        ask_in(s, 0);
        return;
    }
    if (s->role == LEADING && a->epoch != s->epoch)
        step_down(s, "the lease ran out and was taken anew");
    see(s, a);
    mer_loop_arm(s->conf.loop, &s->expiry, ACT_MS - used_ms);
    if (s->role != LEADING) {
        s->role = LEADING;
        s->values[M_LEADER] = 1;
        s->values[M_TAKEN]++;
        s->values[M_TAKEN_OVER] += was_takeover(s);
        MER_LOG(s->conf.log, MER_INFO, "lease.taken", KV_U64("epoch", a->epoch), KV_BOOL("takeover", was_takeover(s)));
        s->conf.lead(s->conf.ctx, a->epoch);
    }
    s->perhaps_taken = false;
    ask_in(s, ROUTER_RENEW_MS);
}

static void another_holds_it(struct router_standby *s, const struct answer *a)
{
    bool from_us = s->role == LEADING;
    step_down(s, "another router holds the lease");
    see(s, a);
    s->perhaps_taken = false;
    s->holder_lives = s->holder_lives || from_us;
    bool nobody_there = s->conf.holder(s->conf.ctx, s->holder, a->address);
    if (nobody_there && !s->holder_linked && !s->holder_lives) {
        s->holder_lost = true;
        ask_in(s, TAKEOVER_MIN_MS + mer_rng_below(&s->conf.rng, TAKEOVER_MAX_MS - TAKEOVER_MIN_MS));
    } else if (s->holder_linked) {
        ask_in(s, ROUTER_RENEW_MS);
    } else {
        uint32_t ms = ROUTER_CAMPAIGN_MS / 2 + mer_rng_below(&s->conf.rng, ROUTER_CAMPAIGN_MS);
        ask_in(s, a->left_ms > 0 && a->left_ms < ms ? (uint32_t)a->left_ms : ms);
    }
}

/* A loss that was not answered is none that was used. */
static void unanswered(struct router_standby *s)
{
    s->values[M_UNANSWERED]++;
    if (s->taking_over)
        s->holder_lost = !s->holder_linked;
}

static void on_answer(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct router_standby *s = ctx;
    struct answer a;
    s->asking = false;
    if (s->destroyed) {
        free(s);
        return;
    }
    if (s->role == RELEASED) {
        router_standby_release(s, s->done, s->done_ctx); /* it was asked before we wanted to go */
        return;
    }
    if (err != MER_OK || !read_answer(reply, &a)) {
        unanswered(s);
        s->perhaps_taken = s->perhaps_taken || s->taking_over;
        MER_LOG_RATE(s->conf.log, MER_WARN, "lease.unanswered", KV_STR("why", mer_err_text(err)),
                     KV_STR("reply", err == MER_EREFUSED && reply != NULL ? reply->str : NULL));
        ask_in(s, RETRY_MS + mer_rng_below(&s->conf.rng, RETRY_MS));
    } else if (a.ours) {
        we_hold_it(s, &a);
    } else {
        another_holds_it(s, &a);
    }
}

/* ---- questions ----------------------------------------------------------------------------------------------------------------------- */

static enum mer_err call(struct router_standby *s, const char *const *argv, int argc, mer_redis_cb cb)
{
    /* One replica is enough: it must be possible to lead, and to take a lost replica out, while that replica is lost (reliability rule 6).
     * What two holders of one epoch could do harm with compares the holder too (mer1_electable_set). */
    struct mer_redis_call_spec spec = {.argv = argv, .argc = argc, .key = s->key, .durable = true, .replicas = 1};
    return mer_redis_call(s->conf.redis, &spec, cb, s);
}

static void on_timer(struct mer_timer *t)
{
    struct router_standby *s = MER_CONTAINER_OF(t, struct router_standby, timer);
    char lease_ms[16], seen_epoch[24] = "";
    snprintf(lease_ms, sizeof lease_ms, "%d", ROUTER_LEASE_MS);
    s->taking_over = s->holder_lost && s->role == FOLLOWING;
    s->holder_lost = false; /* once a loss, unless nobody answers */
    if (s->taking_over)
        snprintf(seen_epoch, sizeof seen_epoch, "%llu", (unsigned long long)s->epoch);
    const char *argv[] = {"FCALL", "mer1_lease_take", "1", s->key, s->conf.incarnation, s->conf.address, lease_ms, seen_epoch, s->holder};
    s->values[M_ASKED]++;
    s->asked_ms = now_ms(s);
    s->asking = call(s, argv, MER_COUNT(argv), on_answer) == MER_OK;
    if (!s->asking) {
        unanswered(s);
        ask_in(s, RETRY_MS);
    }
}

/* ---- public -------------------------------------------------------------------------------------------------------------------------- */

enum mer_err router_standby_create(struct router_standby **out, const struct router_standby_conf *conf)
{
    struct router_standby *s = mer_try_calloc(1, sizeof *s);
    if (s == NULL)
        return MER_ENOMEM;
    s->conf = *conf;
    s->seen_ms = now_ms(s);
    snprintf(s->key, sizeof s->key, "router:{%s}", conf->region);
    mer_timer_init(&s->timer, on_timer);
    mer_timer_init(&s->expiry, on_expiry);
    mer_metrics_add(conf->metrics, &s->set, metrics, M_COUNT, s->values);
    *out = s;
    return MER_OK;
}

void router_standby_start(struct router_standby *s)
{
    ask_in(s, 0);
}

uint64_t router_standby_epoch(const struct router_standby *s)
{
    return s->role == LEADING && now_ms(s) < s->expiry.due_ms ? s->epoch : 0;
}

uint32_t router_standby_shared_ms(const struct router_standby *s)
{
    return was_takeover(s) ? ACT_MS : 0;
}

const char *router_standby_holder(const struct router_standby *s)
{
    return s->holder;
}

uint64_t router_standby_leaderless_ms(const struct router_standby *s)
{
    return now_ms(s) - s->seen_ms;
}

void router_standby_link(struct router_standby *s, const char *incarnation, bool up)
{
    if (s->role != FOLLOWING || strcmp(incarnation, s->holder) != 0)
        return;
    bool lost = s->holder_linked && !up;
    s->holder_linked = up;
    if (up)
        s->holder_lost = false;
    if (!lost)
        return;
    s->holder_lost = true;
    MER_LOG(s->conf.log, MER_WARN, "leader.link_lost", KV_STR("leader", incarnation));
    ask_in(s, TAKEOVER_MIN_MS + mer_rng_below(&s->conf.rng, TAKEOVER_MAX_MS - TAKEOVER_MIN_MS));
}

void router_standby_vacant(struct router_standby *s)
{
    if (s->role == FOLLOWING)
        ask_in(s, TAKEOVER_MIN_MS);
}

static void on_released(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct router_standby *s = ctx;
    (void)err, (void)reply; /* without an answer it runs out by itself */
    s->asking = false;
    if (s->destroyed)
        free(s);
    else
        s->done(s->done_ctx);
}

void router_standby_release(struct router_standby *s, void (*done)(void *ctx), void *ctx)
{
    s->role = RELEASED;
    s->values[M_LEADER] = 0;
    s->done = done;
    s->done_ctx = ctx;
    mer_loop_disarm(s->conf.loop, &s->timer);
    mer_loop_disarm(s->conf.loop, &s->expiry);
    if (s->asking)
        return; /* the answer comes first, or we would take what we gave */
    const char *argv[] = {"FCALL", "mer1_lease_release", "1", s->key, s->conf.incarnation};
    s->asking = call(s, argv, MER_COUNT(argv), on_released) == MER_OK;
    if (!s->asking)
        done(ctx);
}

void router_standby_destroy(struct router_standby *s)
{
    if (s == NULL)
        return;
    mer_loop_disarm(s->conf.loop, &s->timer);
    mer_loop_disarm(s->conf.loop, &s->expiry);
    mer_metrics_remove(&s->set);
    s->destroyed = true;
    if (!s->asking)
        free(s);
}
