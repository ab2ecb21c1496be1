/* SPDX-License-Identifier: Apache-2.0
 * sim_shortcuts.c - what halves the time of a seed of several regions, and takes nothing from it (--wrap of product functions):
 *
 * Leaders look at all outboxes again and again, and nearly all are empty. A look at outboxes that have never held anything, in a Redis that
 * is well and that the leader can reach, is answered here instead of by way of the network and the function library; every other one takes
 * the whole way. And with --unmanaged nobody asks nodes what they are: the electable set is what seeds of one region are about. */
#include <stdlib.h>

#include <meridian/mem.h>

#include "region-router/electable_shell.h"
#include "region-router/relay_private.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_redis.h"

enum { ANSWER_US = 900, KEYS_AT = 3 /* FCALL name count */, TRIM_THROUGH_AT = 6 };

struct look {
    mer_redis_cb cb;
    void *ctx;
    unsigned count;
};

static void on_answered(void *ctx, uint64_t arg)
{
    static redisReply ok = {.type = REDIS_REPLY_STRING, .str = (char *)"OK", .len = 2},
                      nothing = {.type = REDIS_REPLY_STRING, .str = (char *)"", .len = 0},
                      zero = {.type = REDIS_REPLY_STRING, .str = (char *)"0", .len = 1};
    struct look l = *(struct look *)ctx;
    redisReply *zeros[SIM_REGIONS] = {&zero, &zero, &zero, &zero};
    redisReply now = {.type = REDIS_REPLY_INTEGER, .integer = (long long)sim_wall_ms(NULL)};
    redisReply list = {.type = REDIS_REPLY_ARRAY, .elements = l.count, .element = zeros};
    redisReply *elements[] = {&ok, &now, &zero, &nothing, &zero, &nothing, &list};
    redisReply reply = {.type = REDIS_REPLY_ARRAY, .elements = MER_COUNT(elements), .element = elements};
    (void)arg;
    free(ctx);
    l.cb(l.ctx, MER_OK, &reply);
}

static bool reaches_all(const struct sim_proc *p)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (!sim_net_passes(p, p->at->node[i]) || !sim_net_passes(p->at->node[i], p))
            return false;
    return true;
}

static bool may_be_cut_short(const struct router_fcall *c, unsigned keys)
{
    struct sim_cluster *redis = sim.current->at->redis;
    if (!sim_cluster_well(redis) || !reaches_all(sim.current))
        return false;
    for (unsigned i = 0; i < keys; i++)
        if (sim_redis_key(redis, c->argv[KEYS_AT + i]))
            return false;
    return true;
}

enum mer_err __real_router__fcall_send(struct router_relays *rs, const struct router_fcall *c, const char *key, bool durable,
                                       mer_redis_cb cb, void *ctx);
enum mer_err __wrap_router__fcall_send(struct router_relays *rs, const struct router_fcall *c, const char *key, bool durable,
                                       mer_redis_cb cb, void *ctx);
enum mer_err __wrap_router__fcall_send(struct router_relays *rs, const struct router_fcall *c, const char *key, bool durable,
                                       mer_redis_cb cb, void *ctx)
{
    unsigned keys = (unsigned)(c->argc - KEYS_AT);
    bool look = strcmp(c->argv[1], "mer1_outbox_heads") == 0;
    if ((sim_planted("take_no_wait") && strcmp(c->argv[1], "mer1_event_take") == 0) ||
        (sim_planted("send_no_wait") && strcmp(c->argv[1], "mer1_events_get") == 0))
        durable = false;
    struct router_fcall all = *c;
    if (sim_planted("trim_all") && strcmp(c->argv[1], "mer1_events_trim") == 0) {
        all.argv[TRIM_THROUGH_AT] = "9007199254740991";
        all.len[TRIM_THROUGH_AT] = strlen(all.argv[TRIM_THROUGH_AT]);
        c = &all;
    }
    if (ctx == NULL || !look || !(sim_planted("no_look") || may_be_cut_short(c, keys)))
        return __real_router__fcall_send(rs, c, key, durable, cb, ctx);
    struct look *l = mer_xmalloc(sizeof(*l));
    *l = (struct look){cb, ctx, keys};
    rs->calls++;
    sim_post(sim.current, ANSWER_US, on_answered, l, 0);
    return MER_OK;
}

void __real_router_keeper_start(struct router_keeper *k, uint32_t after_ms);
void __wrap_router_keeper_start(struct router_keeper *k, uint32_t after_ms);
void __wrap_router_keeper_start(struct router_keeper *k, uint32_t after_ms)
{
    if (sim_region_count < 2 || sim.managed)
        __real_router_keeper_start(k, after_ms);
}
