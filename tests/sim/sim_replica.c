/* SPDX-License-Identifier: Apache-2.0
 * sim_replica.c - replication between nodes, asynchronous, by effects. See sim_redis.h.
 *
 * Lineage: an effect is one object shared by all logs that hold it, so a replica may go on from its offset exactly when the last object of
 * its log stands at that place in the primary's. Otherwise everything is copied and what it had more is gone. */
#include <stdlib.h>
#include <string.h>

#include <meridian/buf.h>
#include <meridian/mem.h>

#include "tests/sim/sim_redis.h"

enum { FULL_SYNC_MIN_US = 20 * 1000, FULL_SYNC_MAX_US = 400 * 1000 };

void sim_node_append(struct sim_node *n, struct sim_effect *e)
{
    if (n->log_count == n->log_cap) {
        n->log_cap = n->log_cap ? n->log_cap * 2 : 256;
        n->log = mer_xrealloc(n->log, n->log_cap * sizeof(n->log[0]));
    }
    n->log[n->log_count++] = e;
}

enum message_kind { SYNC, CONTINUE, FULL, EFFECTS, ACK };
struct message {
    enum message_kind kind;
    unsigned from;
    size_t offset, count;
    struct sim_effect *last; /* SYNC: of the log */
    struct sim_node *copy;   /* FULL */
};                           /* EFFECTS: followed by count pointers, with their references */

static void post(struct sim_end *end, const struct message *m, struct sim_effect *const *effects)
{
    struct mer_buf b;
    mer_buf_init(&b, 0);
    MER_ASSERT(mer_buf_append(&b, m, sizeof(*m)) == MER_OK);
    for (size_t i = 0; effects && i < m->count; i++) {
        effects[i]->refs++;
        MER_ASSERT(mer_buf_append(&b, &effects[i], sizeof(effects[i])) == MER_OK);
    }
    sim_net_send(end, b.data, b.len);
    mer_buf_deinit(&b);
}

static void send_to(struct sim_replica *r, struct sim_node *n)
{
    if (!r->online || r->sent >= n->log_count)
        return;
    struct message m = {.kind = EFFECTS, .from = n->index, .offset = r->sent, .count = n->log_count - r->sent};
    post(r->end, &m, n->log + r->sent);
    r->sent = n->log_count;
}

void sim_node_send_effects(struct sim_node *n)
{
    MER_LIST_EACH (it, &n->replicas)
        send_to(MER_LIST_ENTRY(it, struct sim_replica, list), n);
}

/* --- a primary and its replicas ------------------------------------------------------------------------------------------------------- */

void sim_node_count_replicas(struct sim_node *n)
{
    n->good = 0;
    MER_LIST_EACH (it, &n->replicas) {
        struct sim_replica *r = MER_LIST_ENTRY(it, struct sim_replica, list);
        n->good += r->online && (sim_cluster_well(n->cluster) || sim_now_ms() - r->heard_ms <= SIM_REPLICA_LAG_MS);
    }
}

void sim_node_drop_replica(struct sim_node *n, struct sim_replica *r)
{
    mer_list_remove(&r->list);
    sim_node_count_replicas(n);
    if (r->end)
        sim_net_close(r->end);
    free(r);
}

long long sim_node_confirmed(const struct sim_node *n, size_t offset)
{
    long long count = 0;
    MER_LIST_EACH (it, &n->replicas) {
        struct sim_replica *r = MER_LIST_ENTRY(it, struct sim_replica, list);
        count += r->online && r->acked >= offset;
    }
    return count;
}

struct full_sync {
    struct sim_replica *r;
    struct sim_node *n;
};

static void on_full_sync(void *ctx, uint64_t arg)
{
    struct full_sync f = *(struct full_sync *)ctx;
    (void)arg;
    free(ctx);
    bool there = false;
    MER_LIST_EACH (it, &f.n->replicas)
        there |= MER_LIST_ENTRY(it, struct sim_replica, list) == f.r;
    if (!there)
        return;
    struct sim_node *copy = mer_xcalloc(1, sizeof(*copy));
    sim_keys_copy(&copy->keys, &f.n->keys);
    for (size_t i = 0; i < f.n->log_count; i++) {
        f.n->log[i]->refs++;
        sim_node_append(copy, f.n->log[i]);
    }
    struct message m = {.kind = FULL, .from = f.n->index, .offset = f.n->log_count, .copy = copy};
    post(f.r->end, &m, NULL);
    f.r->sent = f.n->log_count;
    f.r->online = true;
    sim_node_count_replicas(f.n);
}

static void replica_asks(struct sim_replica *r, struct sim_node *n, const struct message *m)
{
    r->node = &n->cluster->node[m->from];
    r->heard_ms = sim_now_ms();
    if (n->user_off[m->from]) {
        sim_node_drop_replica(n, r);
        return;
    }
    bool same = m->offset <= n->log_count && (m->offset == 0 || n->log[m->offset - 1] == m->last);
    sim_trace("redis%u follows %s from %zu of %zu%s", m->from, n->proc->name, m->offset, n->log_count, same ? "" : ", everything anew");
    if (same) {
        struct message go = {.kind = CONTINUE, .from = n->index, .offset = m->offset};
        post(r->end, &go, NULL);
        r->sent = r->acked = m->offset;
        r->online = true;
        sim_node_count_replicas(n);
        return;
    }
    struct full_sync *f = mer_xmalloc(sizeof(*f));
    *f = (struct full_sync){r, n};
    sim_post(n->proc, sim_between(FULL_SYNC_MIN_US, FULL_SYNC_MAX_US), on_full_sync, f, 0);
}

static void from_replica(void *ctx, const uint8_t *data, size_t len)
{
    struct sim_replica *r = ctx;
    struct sim_node *n = sim.current->user;
    const struct message *m = (const void *)data;
    (void)len;
    r->heard_ms = sim_now_ms();
    if (m->kind == SYNC) /* it may be gone then */
        replica_asks(r, n, m);
    else if (m->kind == ACK && r->online) {
        r->acked = m->offset;
        sim_node_check_waits(n);
    }
}

static void replica_lost(void *ctx, bool clean, const char *why)
{
    struct sim_replica *r = ctx;
    (void)clean, (void)why;
    struct sim_node *n = sim.current->user;
    r->end = NULL;
    sim_node_drop_replica(n, r);
    sim_cluster_wake(n->cluster);
}

void sim_node_on_replica(void *ctx, struct sim_end *end)
{
    static const struct sim_end_ops ops = {NULL, from_replica, replica_lost};
    struct sim_node *n = ctx;
    if (n->master != n->index) {
        sim_net_close(end);
        return;
    }
    struct sim_replica *r = mer_xcalloc(1, sizeof(*r));
    r->end = end;
    mer_list_init(&r->list);
    mer_list_push_back(&n->replicas, &r->list);
    sim_net_take(end, &ops, r);
}

/* --- a replica and its primary ------------------------------------------------------------------------------------------------------- */

void sim_node_acknowledge(struct sim_node *n)
{
    if (!n->up)
        return;
    struct message m = {.kind = ACK, .from = n->index, .offset = n->log_count};
    post(n->up, &m, NULL);
}

static void apply(struct sim_node *n, struct sim_effect *e)
{
    struct sim_reply r;
    struct sim_effect *again;
    sim_keys_exec(&n->keys, sim_wall_ms(n->proc), e->argc, e->argv, &r, &again);
    sim_reply_clear(&r);
    if (again)
        sim_effect_unref(again);
    sim_node_append(n, e);
}

static void take_copy(struct sim_node *n, struct sim_node *copy)
{
    for (size_t i = 0; i < n->log_count; i++)
        sim_effect_unref(n->log[i]);
    free(n->log);
    sim_keys_clear(&n->keys);
    n->keys = copy->keys;
    n->log = copy->log;
    n->log_count = copy->log_count;
    n->log_cap = copy->log_cap;
    free(copy);
}

static void from_primary(void *ctx, const uint8_t *data, size_t len)
{
    struct sim_node *n = ctx;
    struct message m;
    (void)len;
    memcpy(&m, data, sizeof(m));
    if (m.kind == FULL)
        take_copy(n, m.copy);
    for (size_t i = 0; m.kind == EFFECTS && i < m.count; i++) {
        struct sim_effect *e;
        memcpy(&e, data + sizeof(m) + i * sizeof(e), sizeof(e));
        apply(n, e);
    }
    n->online = true;
    sim_node_acknowledge(n);
}

static void primary_lost(void *ctx, bool clean, const char *why)
{
    struct sim_node *n = ctx;
    (void)clean, (void)why;
    n->up = NULL;
    n->online = false;
    n->attach_at_ms = sim_now_ms() + sim_between(10, 1000);
    sim_cluster_wake(n->cluster);
}

static void attached(void *ctx)
{
    struct sim_node *n = ctx;
    struct message m = {.kind = SYNC, .from = n->index, .offset = n->log_count, .last = n->log_count ? n->log[n->log_count - 1] : NULL};
    post(n->up, &m, NULL);
}

void sim_node_attach(struct sim_node *n)
{
    static const struct sim_end_ops ops = {attached, from_primary, primary_lost};
    char address[32];
    snprintf(address, sizeof(address), "%s:repl", n->cluster->node[n->master].proc->name);
    n->up = sim_net_connect(n->proc, address, &ops, n);
}

void sim_node_detach(struct sim_node *n)
{
    if (n->up)
        sim_net_close(n->up);
    n->up = NULL;
    n->online = false;
    n->attach_at_ms = sim_now_ms() + sim_between(1, 300);
}
