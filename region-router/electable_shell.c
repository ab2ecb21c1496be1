/* SPDX-License-Identifier: Apache-2.0
 * electable_shell.c - questions to nodes, commands to nodes, counts and notes in Redis around electable.h.
 *
 * A node is asked five things in one go and its answer is whole or none; one round of questions a node at a time, so a hung node holds up
 * nobody else. Members come from the notes of earlier leaders (members:{region}) and from what nodes tell; the first to be asked are the
 * primaries the client knows.
 *
 * Nothing is sent once the lease may have run out. Answers of an earlier term are ignored.
 *
 * Timer: `tick`, while leading: every 500 ms, 50 ms while somebody is on the way. */
#include "region-router/electable_shell.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>
#include <meridian/shared_keys.h>

enum { ASK_MS = 500, ASK_SOON_MS = 50, SETTLE_MS = 20, NOTE_BYTES = 256 };
enum question { Q_NODES, Q_CLUSTER, Q_REPLICATION, Q_USERS, Q_USER, Q_COUNT };

static const char *const questions[Q_COUNT][3] = {[Q_NODES] = {"CLUSTER", "NODES"},
                                                  [Q_CLUSTER] = {"CLUSTER", "INFO"},
                                                  [Q_REPLICATION] = {"INFO", "replication"},
                                                  [Q_USERS] = {"ACL", "LIST"},
                                                  [Q_USER] = {"CONFIG", "GET", "masteruser"}};

enum {
    M_MEMBERS,
    M_OUT,
    M_BARE,
    M_UNMANAGED,
    M_TAKEN_OUT,
    M_BROUGHT_BACK,
    M_COMMANDS,
    M_COMMANDS_FAILED,
    M_COUNTS,
    M_COUNTS_FAILED,
    M_COUNT
};
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

struct asked {
    struct node *node;
    enum question what;
};
struct node {
    struct router_keeper *k;
    char address[ROUTER_NODE_ADDRESS_BYTES], user[ROUTER_NODE_USER_BYTES];
    struct asked asked[Q_COUNT];
    unsigned pending;
    bool failed;
    uint64_t term, asked_ms, next_ms;
    struct router_view view;
};
struct count_job {
    struct router_keeper *k;
    char primary[ROUTER_NODE_ID_BYTES];
    unsigned count, pending;
    bool failed;
    uint64_t term;
};
struct note_job {
    struct router_keeper *k;
    char id[ROUTER_NODE_ID_BYTES], text[NOTE_BYTES];
    uint64_t term;
};

struct router_keeper {
    struct router_keeper_conf conf;
    struct router_electable set;
    char members[64], lease[64];
    bool leading, loaded, loading, noting;
    uint64_t term; /* of this process; answers of another one are ignored */
    struct node node[ROUTER_NODES_MAX];
    unsigned node_count, calls; /* calls: without an answer yet */
    struct mer_timer tick;
    uint64_t values[M_COUNT];
    struct mer_metric_set set_of_metrics;
};

static uint64_t now_ms(const struct router_keeper *k)
{
    return k->conf.loop->now_ms;
}

static bool may_act(const struct router_keeper *k)
{
    return k->leading && k->conf.epoch(k->conf.ctx) != 0;
}

static void soon(struct router_keeper *k, uint32_t ms)
{
    if (k->leading && (!mer_timer_armed(&k->tick) || k->tick.due_ms > now_ms(k) + ms))
        mer_loop_arm(k->conf.loop, &k->tick, ms);
}

/* ---- questions ----------------------------------------------------------------------------------------------------------------------- */

static struct node *node_get(struct router_keeper *k, const char *address)
{
    for (unsigned i = 0; i < k->node_count; i++)
        if (strcmp(k->node[i].address, address) == 0)
            return &k->node[i];
    if (k->node_count == ROUTER_NODES_MAX || strlen(address) >= sizeof k->node[0].address)
        return NULL;
    struct node *n = &k->node[k->node_count++];
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
    soon(k, router_electable_busy(&k->set) ? SETTLE_MS : ASK_MS);
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
        if (n->pending == 0 && (now_ms(k) >= n->next_ms || (busy && now_ms(k) >= n->asked_ms + ASK_SOON_MS)))
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
    if (!may_act(k))
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

/* ---- counts and notes ---------------------------------------------------------------------------------------------------------------- */

static bool said_ok(enum mer_err err, const redisReply *r)
{
    return err == MER_OK && r->type == REDIS_REPLY_ARRAY && r->elements > 0 && r->element[0]->type == REDIS_REPLY_STRING &&
           strcmp(r->element[0]->str, "OK") == 0;
}

static void count_end(struct count_job *j)
{
    struct router_keeper *k = j->k;
    k->values[j->failed ? M_COUNTS_FAILED : M_COUNTS]++;
    if (j->term == k->term && k->leading) {
        MER_LOG(k->conf.log, MER_INFO, "electable.count", KV_STR("primary", j->primary), KV_U64("count", j->count),
                KV_BOOL("stored", !j->failed));
        router_electable_stored(&k->set, j->primary, j->count, !j->failed, now_ms(k));
        soon(k, SETTLE_MS);
    }
    free(j);
}

static void on_count(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct count_job *j = ctx;
    j->k->calls--;
    j->failed |= !said_ok(err, reply);
    if (--j->pending == 0)
        count_end(j);
}

static bool count_bucket(struct count_job *j, uint32_t bucket, const char *address, const char *const argv_of[3], unsigned enough)
{
    char key[MER_KEY_MAX];
    const char *argv[] = {"FCALL", "mer1_electable_set", "1", key, argv_of[0], argv_of[1], argv_of[2]};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = key, .durable = true, .replicas = enough};
    if (mer_key_electable(key, bucket) != MER_OK)
        return false;
    const char *primary = mer_redis_primary(j->k->conf.redis, mer_redis_slot(key, strlen(key)));
    if (primary == NULL || strcmp(primary, address) != 0)
        return false;
    if (mer_redis_call(j->k->conf.redis, &spec, on_count, j) != MER_OK) {
        j->failed = true;
        return true;
    }
    j->pending++;
    j->k->calls++;
    return true;
}

static void act_count(void *ctx, const struct router_member *primary, unsigned count, unsigned enough)
{
    struct router_keeper *k = ctx;
    uint64_t e = k->conf.epoch(k->conf.ctx);
    struct count_job *j = may_act(k) ? mer_try_calloc(1, sizeof *j) : NULL;
    if (j == NULL) {
        router_electable_stored(&k->set, primary->id, count, false, now_ms(k));
        return;
    }
    char count_text[16], epoch[24];
    const char *argv[3] = {count_text, epoch, k->conf.incarnation};
    snprintf(count_text, sizeof count_text, "%u", count);
    snprintf(epoch, sizeof epoch, "%" PRIu64, e);
    *j = (struct count_job){.k = k, .count = count, .term = k->term, .pending = 1};
    snprintf(j->primary, sizeof j->primary, "%s", primary->id);
    unsigned buckets = 0;
    for (uint32_t b = 0; b < MER_BUCKETS; b++)
        buckets += count_bucket(j, b, primary->address, argv, enough);
    j->failed |= buckets == 0; /* the client does not know this primary yet */
    if (--j->pending == 0)
        count_end(j);
}

static void on_note(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct note_job *j = ctx;
    struct router_keeper *k = j->k;
    char text[NOTE_BYTES];
    k->calls--;
    k->noting = false;
    for (unsigned i = 0; j->term == k->term && k->leading && i < k->set.member_count; i++) {
        struct router_member *m = &k->set.member[i];
        router_electable_note(m, text);
        if (strcmp(m->id, j->id) == 0 && strcmp(text, j->text) == 0)
            m->noted = said_ok(err, reply);
    }
    if (said_ok(err, reply))
        soon(k, SETTLE_MS);
    free(j);
}

/* One at a time: what is not noted yet. */
static void note_next(struct router_keeper *k)
{
    const struct router_member *m = NULL;
    for (unsigned i = 0; m == NULL && i < k->set.member_count; i++)
        if (!k->set.member[i].noted && k->set.member[i].user[0] != 0)
            m = &k->set.member[i];
    struct note_job *j = m != NULL && !k->noting && may_act(k) ? mer_try_calloc(1, sizeof *j) : NULL;
    if (j == NULL)
        return;
    char epoch[24];
    j->k = k;
    j->term = k->term;
    snprintf(j->id, sizeof j->id, "%s", m->id);
    router_electable_note(m, j->text);
    snprintf(epoch, sizeof epoch, "%" PRIu64, k->conf.epoch(k->conf.ctx));
    const char *argv[] = {"FCALL", "mer1_leader_note", "2", k->members, k->lease, epoch, k->conf.incarnation, j->id, j->text};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = k->members, .durable = true, .replicas = 1};
    k->noting = mer_redis_call(k->conf.redis, &spec, on_note, j) == MER_OK;
    if (k->noting)
        k->calls++;
    else
        free(j);
}

static void on_loaded(void *ctx, enum mer_err err, const redisReply *r)
{
    struct router_keeper *k = ctx;
    k->calls--;
    k->loading = false;
    if (!k->leading || err != MER_OK || r->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i + 1 < r->elements; i += 2)
        if (r->element[i]->type != REDIS_REPLY_STRING || r->element[i + 1]->type != REDIS_REPLY_STRING ||
            router_electable_remember(&k->set, r->element[i]->str, r->element[i + 1]->str, now_ms(k)) != MER_OK)
            MER_LOG(k->conf.log, MER_ERROR, "electable.note_bad", KV_STR("node", r->element[i]->str));
    k->loaded = true;
    soon(k, SETTLE_MS);
}

static void load(struct router_keeper *k)
{
    const char *argv[] = {"HGETALL", k->members};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = k->members};
    if (k->loading || mer_redis_call(k->conf.redis, &spec, on_loaded, k) != MER_OK)
        return;
    k->loading = true;
    k->calls++;
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
    if (!may_act(k))
        return;
    if (!k->loaded) {
        load(k);
        return;
    }
    if (k->conf.act)
        router_electable_step(&k->set, now_ms(k));
    seed(k);
    ask_all(k);
    if (k->conf.act)
        note_next(k);
    gauges(k);
    if (router_electable_busy(&k->set))
        soon(k, ASK_SOON_MS);
}

void router_keeper_start(struct router_keeper *k)
{
    static const struct router_electable_env env = {act_user, act_forget, act_meet, act_replicate, act_count, on_moved, NULL};
    router_keeper_stop(k);
    struct router_electable_env mine = env;
    mine.ctx = k;
    if (router_electable_init(&k->set, &mine, k->conf.replicas) != MER_OK)
        return; /* the next leader tries */
    k->leading = true;
    k->loaded = false;
    k->node_count = 0;
    soon(k, 0);
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
