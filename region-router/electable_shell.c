/* SPDX-License-Identifier: Apache-2.0
 * electable_shell.c - questions to nodes and commands to nodes around electable.h; electable_shell_store.c: counts and notes in Redis.
 *
 * A node is asked five things in one go and its answer is whole or none; one round of questions a node at a time, so a hung node holds up
 * nobody else. Members come from the notes of earlier leaders (members:{region}) and from what nodes tell; the first to be asked are the
 * primaries the client knows.
 *
 * Nothing is sent once the lease may have run out. Answers of an earlier term are ignored. A lease that was taken from a holder who may be
 * alive leaves us only looking until he must have stopped: what two say to a node in turn could let it in uncounted.
 *
 * Timer: `tick`, while leading: every 500 ms, 50 ms while somebody is on the way. */
#include "region-router/electable_shell_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

static const char *const questions[Q_COUNT][3] = {[Q_NODES] = {"CLUSTER", "NODES"},
                                                  [Q_CLUSTER] = {"CLUSTER", "INFO"},
                                                  [Q_REPLICATION] = {"INFO", "replication"},
                                                  [Q_USERS] = {"ACL", "LIST"},
                                                  [Q_USER] = {"CONFIG", "GET", "masteruser"}};

static const struct mer_metric_def metrics[M_COUNT] = {
    [M_MEMBERS] = {"meridian_router_electable_members", "nodes of the Redis Cluster that the leader knows", MER_GAUGE},
    [M_OUT] = {"meridian_router_electable_out", "of these, out of the electable set or on the way", MER_GAUGE},
    [M_BARE] = {"meridian_router_electable_bare", "shards without a replica in step: their moves wait", MER_GAUGE},
    [M_UNMANAGED] = {"meridian_router_electable_unmanaged", "nodes that replicate without a user of their own and are left alone",
                     MER_GAUGE},
    [M_TAKEN_OUT] = {"meridian_router_electable_taken_out_total", "replicas taken out of the electable set"},
    [M_BROUGHT_BACK] = {"meridian_router_electable_brought_back_total", "replicas put back"},
    [M_COMMANDS] = {"meridian_router_electable_commands_total", "commands to nodes"},
    [M_COMMANDS_FAILED] = {"meridian_router_electable_commands_failed_total", "of these, refused or not answered"},
    [M_COUNTS] = {"meridian_router_electable_counts_total", "counts stored for a shard"},
    [M_COUNTS_FAILED] = {"meridian_router_electable_counts_failed_total", "counts that could not be stored; they are tried again"},
};

static uint64_t now_ms(const struct router_keeper *k)
{
    return k->conf.loop->now_ms;
}

bool router__keeper_may_act(const struct router_keeper *k)
{
    return k->leading && k->conf.epoch(k->conf.ctx) != 0;
}

void router__keeper_soon(struct router_keeper *k, uint32_t ms)
{
    if (k->leading && (!mer_timer_armed(&k->tick) || k->tick.due_ms > now_ms(k) + ms))
        mer_loop_arm(k->conf.loop, &k->tick, ms);
}

/* ---- questions ----------------------------------------------------------------------------------------------------------------------- */

static struct node *node_find(struct router_keeper *k, const char *address)
{
    for (unsigned i = 0; i < k->node_count; i++)
        if (strcmp(k->node[i].address, address) == 0)
            return &k->node[i];
    return NULL;
}

/* A place that is free and awaits no answer, or a new one. */
static struct node *node_place(struct router_keeper *k)
{
    for (unsigned i = 0; i < k->node_count; i++)
        if (k->node[i].address[0] == 0 && k->node[i].pending == 0)
            return &k->node[i];
    return k->node_count < ROUTER_NODES_MAX ? &k->node[k->node_count++] : NULL;
}

static struct node *node_get(struct router_keeper *k, const char *address)
{
    struct node *n = node_find(k, address);
    if (n != NULL || strlen(address) >= sizeof n->address || (n = node_place(k)) == NULL)
        return n;
    n->next_ms = n->asked_ms = 0;
    n->k = k;
    snprintf(n->address, sizeof n->address, "%s", address);
    for (int q = 0; q < Q_COUNT; q++)
        n->asked[q] = (struct asked){n, (enum question)q};
    return n;
}

static bool take_users(struct router_view *v, const redisReply *r)
{
    if (r->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < r->elements; i++)
        if (r->element[i]->type != REDIS_REPLY_STRING || !router_view_user(v, r->element[i]->str))
            return false;
    return true;
}

static bool take_user(struct node *n, const redisReply *r)
{
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || r->element[1]->type != REDIS_REPLY_STRING ||
        strlen(r->element[1]->str) >= sizeof n->user || strpbrk(r->element[1]->str, " \n") != NULL)
        return false;
    snprintf(n->user, sizeof n->user, "%s", r->element[1]->str);
    return true;
}

static bool take_answer(struct node *n, enum question what, const redisReply *r)
{
    if (what == Q_USERS)
        return take_users(&n->view, r);
    if (what == Q_USER)
        return take_user(n, r);
    if (r->type != REDIS_REPLY_STRING)
        return false;
    if (what == Q_NODES)
        return router_view_nodes(&n->view, r->str);
    return what == Q_CLUSTER ? router_view_cluster(&n->view, r->str) : router_view_replication(&n->view, r->str);
}

static void heard(struct node *n)
{
    struct router_keeper *k = n->k;
    if (n->term != k->term || !k->leading)
        return;
    router_electable_heard(&k->set, n->address, n->failed ? NULL : &n->view, n->user, n->asked_ms, now_ms(k));
    for (unsigned i = 0; i < k->set.member_count; i++)
        (void)node_get(k, k->set.member[i].address);
    router__keeper_soon(k, router_electable_busy(&k->set) ? SETTLE_MS : ASK_MS);
}

static void on_answer(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct asked *a = ctx;
    struct node *n = a->node;
    bool last = --n->pending == 0;
    n->k->calls--;
    if (err != MER_OK || !take_answer(n, a->what, reply))
        n->failed = true;
    if (last)
        heard(n);
}

static void ask(struct node *n)
{
    struct router_keeper *k = n->k;
    memset(&n->view, 0, sizeof n->view);
    n->failed = false;
    n->term = k->term;
    n->asked_ms = now_ms(k);
    n->next_ms = now_ms(k) + ASK_MS;
    n->pending = Q_COUNT;
    for (int q = 0; q < Q_COUNT; q++) {
        if (mer_redis_node_call(k->conf.redis, n->address, questions[q], questions[q][2] != NULL ? 3 : 2, on_answer, &n->asked[q]) ==
            MER_OK) {
            k->calls++;
        } else {
            n->pending--;
            n->failed = true;
        }
    }
}

static void ask_all(struct router_keeper *k)
{
    bool busy = router_electable_busy(&k->set);
    for (unsigned i = 0; i < k->node_count; i++) {
        struct node *n = &k->node[i];
        if (n->address[0] != 0 && n->pending == 0 && (now_ms(k) >= n->next_ms || (busy && now_ms(k) >= n->asked_ms + ASK_SOON_MS)))
            ask(n);
    }
}

/* ---- commands ------------------------------------------------------------------------------------------------------------------------ */

static void on_done(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct router_keeper *k = ctx;
    k->calls--;
    if (err == MER_OK)
        return;
    k->values[M_COMMANDS_FAILED]++;
    MER_LOG_RATE(k->conf.log, MER_WARN, "electable.command", KV_STR("why", mer_err_text(err)),
                 KV_STR("reply", reply != NULL ? reply->str : NULL));
}

static void tell(struct router_keeper *k, const char *address, const char *const *argv, int argc)
{
    if (!router__keeper_may_act(k))
        return;
    k->values[M_COMMANDS]++;
    if (mer_redis_node_call(k->conf.redis, address, argv, argc, on_done, k) == MER_OK)
        k->calls++;
    else
        k->values[M_COMMANDS_FAILED]++;
}

static void act_user(void *ctx, const struct router_member *at, const struct router_member *whose, bool on)
{
    const char *set[] = {"ACL", "SETUSER", whose->user, on ? "on" : "off"}, *save[] = {"ACL", "SAVE"};
    const char *cut[] = {"CLIENT", "KILL", "USER", whose->user};
    tell(ctx, at->address, set, MER_COUNT(set));
    tell(ctx, at->address, save, MER_COUNT(save));
    if (!on) /* switching off leaves those who are in */
        tell(ctx, at->address, cut, MER_COUNT(cut));
}

static void act_forget(void *ctx, const struct router_member *at, const char *id)
{
    const char *argv[] = {"CLUSTER", "FORGET", id};
    tell(ctx, at->address, argv, MER_COUNT(argv));
}

static void act_meet(void *ctx, const struct router_member *at, const struct router_member *whom)
{
    char host[ROUTER_NODE_ADDRESS_BYTES];
    const char *colon = strrchr(whom->address, ':');
    if (colon == NULL)
        return;
    bool v6 = whom->address[0] == '[';
    snprintf(host, sizeof host, "%.*s", (int)(colon - whom->address) - 2 * v6, whom->address + v6);
    const char *argv[] = {"CLUSTER", "MEET", host, colon + 1};
    tell(ctx, at->address, argv, MER_COUNT(argv));
}

static void act_replicate(void *ctx, const struct router_member *replica, const struct router_member *primary)
{
    const char *argv[] = {"CLUSTER", "REPLICATE", primary->id};
    tell(ctx, replica->address, argv, MER_COUNT(argv));
}

static void on_moved(void *ctx, const struct router_member *m, enum router_member_state from)
{
    struct router_keeper *k = ctx;
    k->values[M_TAKEN_OUT] += m->state == ROUTER_MEMBER_OUT;
    k->values[M_BROUGHT_BACK] += m->state == ROUTER_MEMBER_IN && from == ROUTER_MEMBER_MEET;
    MER_LOG(k->conf.log, m->state == ROUTER_MEMBER_OFF && from == ROUTER_MEMBER_IN ? MER_WARN : MER_INFO, "electable.move",
            KV_STR("node", m->address), KV_STR("from", router_member_state_name(from)),
            KV_STR("to", router_member_state_name((enum router_member_state)m->state)));
}

/* Is asked no more; an answer that is under way is nobody's. */
static void on_dropped(void *ctx, const struct router_member *m)
{
    struct router_keeper *k = ctx;
    struct node *n = node_find(k, m->address);
    if (n != NULL) {
        n->address[0] = 0;
        n->term = 0;
    }
    MER_LOG(k->conf.log, MER_INFO, "electable.drop", KV_STR("node", m->address));
}

/* ---- on the loop --------------------------------------------------------------------------------------------------------------------- */

static void seed(struct router_keeper *k)
{
    for (uint32_t s = 0; s < 16384; s += 16) {
        const char *address = mer_redis_primary(k->conf.redis, (uint16_t)s);
        if (address != NULL)
            (void)node_get(k, address);
    }
    for (unsigned i = 0; i < k->set.member_count; i++)
        (void)node_get(k, k->set.member[i].address);
}

static void gauges(struct router_keeper *k)
{
    k->values[M_MEMBERS] = k->set.member_count;
    k->values[M_OUT] = router_electable_out(&k->set);
    k->values[M_BARE] = router_electable_bare(&k->set);
    k->values[M_UNMANAGED] = router_electable_unmanaged(&k->set);
}

static void on_tick(struct mer_timer *t)
{
    struct router_keeper *k = MER_CONTAINER_OF(t, struct router_keeper, tick);
    mer_loop_arm(k->conf.loop, &k->tick, ASK_MS);
    if (!router__keeper_may_act(k))
        return;
    if (!k->loaded) {
        router__keeper_load(k);
        return;
    }
    bool act = k->conf.act && now_ms(k) >= k->act_from_ms;
    if (act)
        router_electable_step(&k->set, now_ms(k));
    seed(k);
    ask_all(k);
    if (act)
        router__keeper_note(k);
    gauges(k);
    if (router_electable_busy(&k->set))
        router__keeper_soon(k, ASK_SOON_MS);
}

void router_keeper_start(struct router_keeper *k, uint32_t after_ms)
{
    static const struct router_electable_env env = {act_user, act_forget, act_meet, act_replicate, router__keeper_count,
                                                    on_moved, on_dropped, NULL};
    router_keeper_stop(k);
    struct router_electable_env mine = env;
    mine.ctx = k;
    if (router_electable_init(&k->set, &mine, k->conf.replicas) != MER_OK)
        return; /* the next leader tries */
    k->leading = true;
    k->loaded = false;
    k->node_count = 0;
    k->act_from_ms = now_ms(k) + after_ms;
    router__keeper_soon(k, 0);
}

void router_keeper_stop(struct router_keeper *k)
{
    if (k == NULL || !k->leading)
        return;
    k->leading = false;
    k->term++;
    mer_loop_disarm(k->conf.loop, &k->tick);
    router_electable_deinit(&k->set);
    gauges(k);
}

enum mer_err router_keeper_status(const struct router_keeper *k, struct mer_buf *out)
{
    enum mer_err err = mer_buf_appends(out, "[");
    for (unsigned i = 0; i < k->set.member_count && err == MER_OK; i++) {
        const struct router_member *m = &k->set.member[i];
        unsigned stored = 0;
        for (unsigned s = 0; s < k->set.shard_count; s++)
            if (strcmp(k->set.shard[s].id, m->shard) == 0)
                stored = k->set.shard[s].stored;
        err = mer_buf_appendf(out, "%s{\"node\":\"%s\",\"state\":\"%s\",\"primary\":%s,\"answers\":%s,\"shard\":\"%.8s\",\"count\":%u}",
                              i > 0 ? "," : "", m->address, router_member_state_name((enum router_member_state)m->state),
                              m->viewed && m->view.primary[0] == 0 ? "true" : "false", m->answers ? "true" : "false", m->shard, stored);
    }
    return err == MER_OK ? mer_buf_appends(out, "]") : err;
}

enum mer_err router_keeper_create(struct router_keeper **out, const struct router_keeper_conf *conf)
{
    struct router_keeper *k = mer_try_calloc(1, sizeof *k);
    if (k == NULL)
        return MER_ENOMEM;
    k->conf = *conf;
    k->term = 1;
    snprintf(k->members, sizeof k->members, "members:{%s}", conf->region);
    snprintf(k->lease, sizeof k->lease, "router:{%s}", conf->region);
    mer_timer_init(&k->tick, on_tick);
    mer_metrics_add(conf->metrics, &k->set_of_metrics, metrics, M_COUNT, k->values);
    *out = k;
    return MER_OK;
}

void router_keeper_destroy(struct router_keeper *k)
{
    if (k == NULL)
        return;
    router_keeper_stop(k);
    mer_metrics_remove(&k->set_of_metrics);
    MER_ASSERT(k->calls == 0);
    free(k);
}
