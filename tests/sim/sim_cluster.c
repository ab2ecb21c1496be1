/* SPDX-License-Identifier: Apache-2.0
 * sim_cluster.c - who is primary. Redis' gossip is not simulated message by message: every 100 ms each node that runs "hears" those it can
 * reach both ways, and what nodes that hear each other know spreads with some delay. The rules on top are Redis Cluster's: 2 s unheard is
 * PFAIL, a majority of primaries makes it FAIL, a replica waits 500-1000 ms and a second a rank, asks every primary for a vote, a vote is
 * given once an epoch and once in 4 s a shard, the winner has the higher epoch and whoever learns of it follows.
 *
 * The clock runs only while something is wrong. A paused node knows what it knew. */
#include "tests/sim/sim_redis.h"

#include <string.h>

enum {
    TICK_MS = 100,
    SPREAD_PERCENT = 40, /* of what a node hears in a tick it also learns */
    ELECT_MIN_MS = 500,
    ELECT_RANDOM_MS = 500,
    ELECT_RANK_MS = 1000,
    ELECT_AGAIN_MS = 8000,
    FORGET_MS = 60 * 1000,
    VOTE_ONCE_MS = 2 * SIM_NODE_TIMEOUT_MS,
    REJOIN_MS = 2000,
    MAJORITY = 2,
    MANUAL_MS = 5000, /* cluster-mf-timeout */
};

struct sim_cluster sim_cluster[SIM_REGIONS];

static bool runs(const struct sim_node *n)
{
    return n->proc->alive && !n->proc->paused;
}

static bool linked(const struct sim_node *a, const struct sim_node *b)
{
    return a == b || (runs(a) && runs(b) && sim_net_passes(a->proc, b->proc) && sim_net_passes(b->proc, a->proc));
}

static bool suspects(const struct sim_node *x, const struct sim_node *y)
{
    return x != y && x->knows[y->index] && sim_now_ms() - x->heard_ms[y->index] > SIM_NODE_TIMEOUT_MS;
}

/* --- what a node learns --------------------------------------------------------------------------------------------------------------- */

static void learn(struct sim_node *x, const struct sim_node *y)
{
    bool was_primary = x->master == x->index;
    for (unsigned s = 0; s < SIM_SHARDS; s++) {
        if (y->epoch[s] <= x->epoch[s] || (y->owner[s] != x->index && !x->knows[y->owner[s]]))
            continue;
        x->epoch[s] = y->epoch[s];
        x->owner[s] = y->owner[s];
        x->failed[y->owner[s]] = false;
        if (s != x->shard || x->owner[s] == x->index)
            continue;
        x->master = x->owner[s];
        x->elect_at_ms = 0;
        sim_trace("%s learns that redis%u is primary of %u in epoch %llu", x->proc->name, x->master, s, (unsigned long long)x->epoch[s]);
        if (was_primary)
            sim_node_demote(x);
        else
            sim_node_detach(x);
    }
    if (y->current_epoch > x->current_epoch)
        x->current_epoch = y->current_epoch;
}

/* Gossip: of whom y knows and x does not, unless x was told to forget him. */
static void get_to_know(struct sim_node *x, const struct sim_node *y)
{
    for (unsigned k = 0; k < SIM_NODES; k++) {
        bool banned = x->forgot_ms[k] != 0 && sim_now_ms() - x->forgot_ms[k] < FORGET_MS;
        if (k == x->index || x->knows[k] || !y->knows[k] || y->failed[k] || banned || !linked(x, &x->cluster->node[k]))
            continue;
        sim_trace("%s knows redis%u again", x->proc->name, k);
        x->knows[k] = true;
        x->heard_ms[k] = sim_now_ms();
    }
}

static void hear(struct sim_node *x)
{
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct sim_node *y = &x->cluster->node[i];
        if (y == x || !linked(x, y) || !x->knows[i])
            continue;
        x->heard_ms[i] = sim_now_ms();
        x->failed[i] = false;
        if (sim_chance(SPREAD_PERCENT)) {
            learn(x, y);
            (void)sim_slots_learn(x, y);
            get_to_know(x, y);
        }
    }
}

static void judge(struct sim_node *x)
{
    struct sim_node *node = x->cluster->node;
    unsigned seen = 0;
    for (unsigned s = 0; s < SIM_SHARDS; s++) {
        struct sim_node *p = &x->cluster->node[x->owner[s]];
        seen += p == x || !suspects(x, p);
    }
    if (seen < MAJORITY)
        x->minority_ms = sim_now_ms();
    bool delayed = x->master == x->index && x->minority_ms != 0 && sim_now_ms() - x->minority_ms < REJOIN_MS;
    bool ok = seen >= MAJORITY && !delayed;
    if (ok != x->ok)
        sim_trace("%s cluster state %s", x->proc->name, ok ? "ok" : "down");
    x->ok = ok;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        if (!suspects(x, &node[i]) || x->failed[i])
            continue;
        unsigned votes = 0;
        for (unsigned s = 0; s < SIM_SHARDS; s++) {
            struct sim_node *p = &node[x->owner[s]];
            votes += linked(x, p) && suspects(p, &node[i]);
        }
        if (votes < MAJORITY)
            continue;
        sim_trace("%s: redis%u has failed", x->proc->name, i);
        for (unsigned k = 0; k < SIM_NODES; k++)
            if (linked(x, &node[k]) && node[k].knows[i] && node[k].knows[x->index])
                node[k].failed[i] = k != i;
        x->failed[i] = true;
    }
}

/* --- elections ------------------------------------------------------------------------------------------------------------------------ */

static unsigned rank_of(const struct sim_node *r)
{
    unsigned rank = 0;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        const struct sim_node *o = &r->cluster->node[i];
        rank += o != r && o->shard == r->shard && i != r->master && linked(r, o) && o->log_count > r->log_count;
    }
    return rank;
}

static bool votes_for(struct sim_node *p, const struct sim_node *r, uint64_t epoch, bool manual)
{
    if (!linked(p, r) || !p->knows[r->index] || epoch <= p->voted_epoch || epoch < p->current_epoch || !(manual || p->failed[r->master]) ||
        p->epoch[r->shard] > r->epoch[r->shard])
        return false;
    if (p->voted_ms[r->shard] != 0 && sim_now_ms() - p->voted_ms[r->shard] < VOTE_ONCE_MS)
        return false;
    p->voted_epoch = p->current_epoch = epoch;
    p->voted_ms[r->shard] = sim_now_ms();
    return true;
}

static void promote(struct sim_node *r, uint64_t epoch)
{
    sim_trace("%s is elected primary of %u in epoch %llu with offset %zu", r->proc->name, r->shard, (unsigned long long)epoch,
              r->log_count);
    sim_node_detach(r);
    r->master = r->owner[r->shard] = r->index;
    r->epoch[r->shard] = epoch;
    r->elect_at_ms = 0;
    struct sim_node *node = r->cluster->node;
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (&node[i] != r && linked(r, &node[i]) && node[i].knows[r->index])
            learn(&node[i], r);
}

static bool wins(struct sim_node *r, bool manual)
{
    uint64_t epoch = ++r->current_epoch;
    unsigned votes = 0;
    for (unsigned s = 0; s < SIM_SHARDS; s++)
        if (s != r->shard || manual)
            votes += votes_for(&r->cluster->node[r->owner[s]], r, epoch, manual);
    if (votes >= MAJORITY)
        promote(r, epoch);
    return votes >= MAJORITY;
}

static void campaign(struct sim_node *r)
{
    if (r->master == r->index || !r->failed[r->master]) {
        r->elect_at_ms = 0;
        return;
    }
    if (r->elect_at_ms == 0)
        r->elect_at_ms = sim_now_ms() + ELECT_MIN_MS + sim_below(ELECT_RANDOM_MS) + ELECT_RANK_MS * rank_of(r);
    if (sim_now_ms() < r->elect_at_ms)
        return;
    if (!wins(r, false))
        r->elect_at_ms = sim_now_ms() + ELECT_AGAIN_MS;
}

/* The primary has told its offset and takes no more: when the replica has it all, it asks for votes. */
static void hand_over(struct sim_cluster *c)
{
    struct sim_node *r = c->manual, *p = r ? &c->node[c->manual_from] : NULL;
    if (!r)
        return;
    bool late = sim_now_ms() >= c->manual_until_ms;
    if (linked(r, p) && !late && (r->log_count != p->log_count || !wins(r, true)))
        return;
    c->manual = NULL;
    sim_node_go_on(p);
}

bool sim_cluster_failover(struct sim_cluster *c, unsigned shard)
{
    struct sim_node *p = sim_redis_primary(c, shard);
    struct sim_node *r = &c->node[shard * SIM_COPIES + (p->index + 1 + sim_below(SIM_COPIES - 1)) % SIM_COPIES];
    if (c->manual || !linked(p, r) || !r->online)
        return false;
    sim_trace("%s is to take over from %s", r->proc->name, p->proc->name);
    p->held = true;
    c->manual = r;
    c->manual_from = p->index;
    c->manual_until_ms = sim_now_ms() + MANUAL_MS;
    sim_cluster_wake(c);
    return true;
}

/* --- the clock ------------------------------------------------------------------------------------------------------------------------ */

static void replicas_report(struct sim_node *n)
{
    MER_LIST_EACH (it, &n->replicas) {
        struct sim_replica *r = MER_LIST_ENTRY(it, struct sim_replica, list);
        if (r->online && linked(n, r->node) && r->node->up)
            r->heard_ms = sim_now_ms();
    }
}

/* What is wrong between two nodes, NULL: nothing. */
static const char *amiss(const struct sim_node *n, unsigned k)
{
    return !linked(n, &n->cluster->node[k])    ? "cannot talk to"
           : n->failed[k]                      ? "takes for dead"
           : suspects(n, &n->cluster->node[k]) ? "has not heard"
           : n->user_off[k]                    ? "does not let in"
           : k != n->index && !n->knows[k]     ? "does not know"
                                               : NULL;
}

/* What is wrong with a node by itself. */
static const char *ails(const struct sim_node *n)
{
    if (!runs(n))
        return "does not run";
    if (!n->ok || n->held)
        return "serves nothing";
    if (n->master != n->index && !n->online)
        return "does not follow anybody";
    const struct sim_node *first = &n->cluster->node[0];
    for (unsigned s = 0; s < SIM_SHARDS; s++)
        if (n->owner[s] != first->owner[s] || n->epoch[s] != first->epoch[s] || n->slots_known != first->slots_known)
            return "has another view";
    size_t copies = 0;
    MER_LIST_EACH (it, &n->replicas)
        copies += MER_LIST_ENTRY(it, struct sim_replica, list)->online;
    if (n->master == n->index && copies != SIM_COPIES - 1)
        return "misses replicas";
    return n->master == n->index && n->good != copies ? "has not counted its replicas" : NULL; /* and would refuse writes for ever */
}

static bool all_well(const struct sim_cluster *c)
{
    for (unsigned i = 0; i < SIM_NODES; i++) {
        if (ails(&c->node[i]))
            return false;
        for (unsigned k = 0; k < SIM_NODES; k++)
            if (amiss(&c->node[i], k))
                return false;
    }
    return true;
}

void sim_cluster_explain(const struct sim_cluster *c, char *out, size_t bytes)
{
    size_t len = 0;
    out[0] = 0;
    for (unsigned i = 0; i < SIM_NODES && len < bytes; i++) {
        const struct sim_node *n = &c->node[i];
        if (ails(n))
            len += (size_t)snprintf(out + len, bytes - len, "%s %s; ", n->proc->name, ails(n));
        for (unsigned k = 0; k < SIM_NODES && len < bytes; k++)
            if (amiss(n, k))
                len += (size_t)snprintf(out + len, bytes - len, "%s %s redis%u; ", n->proc->name, amiss(n, k), k);
    }
}

static void on_tick(void *ctx, uint64_t arg)
{
    struct sim_cluster *c = ctx;
    (void)arg;
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (runs(&c->node[i]))
            hear(&c->node[i]);
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct sim_node *n = &c->node[i];
        if (!runs(n))
            continue;
        judge(n);
        campaign(n);
        replicas_report(n);
        if (n->master != i && !n->up && sim_now_ms() >= n->attach_at_ms)
            sim_node_attach(n);
        if (n->online && (c->ticks + i) % (1000 / TICK_MS) == 0)
            sim_node_acknowledge(n);
        if ((c->ticks + i) % (1000 / TICK_MS) == 0)
            sim_node_count_replicas(n);
    }
    hand_over(c);
    c->ticks++;
    c->well = all_well(c);
    c->ticking = !c->well;
    if (c->well)
        sim_trace("%s and the others are well", c->node[0].proc->name);
    else
        sim_at(TICK_MS * 1000, on_tick, c, 0);
}

void sim_cluster_wake(struct sim_cluster *c)
{
    if (c->ticking)
        return;
    if (c->well) /* until now everybody was in touch */
        for (unsigned i = 0; i < SIM_NODES; i++)
            for (unsigned k = 0; k < SIM_NODES; k++)
                c->node[i].heard_ms[k] = sim_now_ms();
    c->ticking = true;
    c->well = false;
    sim_at(sim_below(TICK_MS) * 1000, on_tick, c, 0);
}

bool sim_cluster_well(const struct sim_cluster *c)
{
    return c->well;
}

void sim_cluster_restarted(struct sim_node *n)
{
    n->ok = false;
    n->minority_ms = sim_now_ms();
    n->elect_at_ms = 0;
    for (unsigned k = 0; k < SIM_NODES; k++) {
        n->heard_ms[k] = sim_now_ms();
        n->failed[k] = false;
    }
    n->attach_at_ms = sim_now_ms() + sim_between(50, 500);
    sim_cluster_wake(n->cluster);
}

void sim_cluster_init(struct sim_cluster *c)
{
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct sim_node *n = &c->node[i];
        n->master = n->shard * SIM_COPIES;
        n->ok = true;
        for (unsigned s = 0; s < SIM_SHARDS; s++) {
            n->owner[s] = s * SIM_COPIES;
            n->epoch[s] = s + 1;
        }
        n->current_epoch = SIM_SHARDS;
        for (unsigned k = 0; k < SIM_NODES; k++) {
            n->heard_ms[k] = sim_now_ms();
            n->knows[k] = k != i;
        }
    }
    sim_cluster_wake(c);
}
