/* SPDX-License-Identifier: Apache-2.0
 * sim_slots.c - which shard a slot belongs to, and slots on their way from one to another as `redis-cli --cluster reshard` moves them:
 * target imports, source migrates, key after key goes over, then every primary is told and replicas learn of it. While a slot is open its
 * source answers ASK for what it has no longer and TRYAGAIN for keys of which only some are left; the target runs what ASKING announced.
 *
 * Only whole-cluster health is left out: an operator moves slots while nothing is wrong with Redis. */
#include <stdlib.h>

#include <meridian/mem.h>
#include <meridian/redis.h>

#include "tests/sim/sim_redis.h"

enum { STEP_MIN_US = 2000, STEP_MAX_US = 150 * 1000, CLOSE_MIN_US = 200 * 1000, CLOSE_MAX_US = 800 * 1000 };

static unsigned base_shard(unsigned slot)
{
    return slot * SIM_SHARDS / SIM_SLOTS;
}

static unsigned shard_by(const struct sim_cluster *c, unsigned slot, unsigned known)
{
    for (unsigned m = 0; m < c->moves; m++)
        if (c->moved[m].slot == slot && (known >> m & 1))
            return c->moved[m].to;
    return base_shard(slot);
}

/* As this node knows it. */
static unsigned shard_of(const struct sim_node *n, unsigned slot)
{
    return shard_by(n->cluster, slot, n->slots_known);
}

unsigned sim_redis_shard(const struct sim_cluster *c, const char *key)
{
    return shard_by(c, mer_redis_slot(key, strlen(key)), c->moved_for_good);
}

/* Where one slot after the other does not belong to the shard any more, or comes from elsewhere, a range ends: at most two a move. */
unsigned sim_slots_ranges(const struct sim_node *n, unsigned shard, struct sim_range out[SIM_RANGES])
{
    const struct sim_cluster *c = n->cluster;
    unsigned count = 0;
    unsigned edge[2 * SIM_MOVES + 2], edges = 0;
    edge[edges++] = (shard * SIM_SLOTS + SIM_SHARDS - 1) / SIM_SHARDS;
    edge[edges++] = ((shard + 1) * SIM_SLOTS + SIM_SHARDS - 1) / SIM_SHARDS;
    for (unsigned m = 0; m < c->moves; m++) {
        edge[edges++] = c->moved[m].slot;
        edge[edges++] = c->moved[m].slot + 1;
    }
    for (unsigned i = 1; i < edges; i++)
        for (unsigned k = i; k > 0 && edge[k - 1] > edge[k]; k--) {
            unsigned t = edge[k];
            edge[k] = edge[k - 1];
            edge[k - 1] = t;
        }
    for (unsigned i = 0; i + 1 < edges; i++) {
        if (edge[i] == edge[i + 1] || edge[i] >= SIM_SLOTS || shard_of(n, edge[i]) != shard)
            continue;
        if (count > 0 && out[count - 1].last + 1 == edge[i])
            out[count - 1].last = edge[i + 1] - 1;
        else
            out[count++] = (struct sim_range){edge[i], edge[i + 1] - 1};
    }
    return count;
}

unsigned sim_slots_open(const struct sim_node *n, struct sim_open out[SIM_RANGES])
{
    const struct sim_cluster *c = n->cluster;
    unsigned count = 0;
    for (unsigned m = 0; m < c->moves; m++) {
        const struct sim_moved *v = &c->moved[m];
        bool source = n->owner[v->from] == n->index, target = n->owner[v->to] == n->index;
        if (v->open && (source || target))
            out[count++] = (struct sim_open){v->slot, source, n->owner[source ? v->to : v->from]};
    }
    return count;
}

enum sim_way sim_slots_way(const struct sim_node *n, unsigned slot, bool asking, struct sim_str *const *keys, int count, unsigned *to)
{
    const struct sim_cluster *c = n->cluster;
    const struct sim_moved *v = NULL;
    unsigned shard = shard_of(n, slot);
    int here = 0;
    for (unsigned m = 0; m < c->moves; m++)
        if (c->moved[m].slot == slot && c->moved[m].open)
            v = &c->moved[m];
    for (int i = 0; i < count; i++)
        here += sim_keys_find(&n->keys, keys[i]->data) != NULL;
    if (n->owner[shard] == n->index) {
        if (!v || here == count)
            return SIM_WAY_RUN;
        *to = n->owner[v->to];
        return here ? SIM_WAY_TRY_AGAIN : SIM_WAY_ASK;
    }
    if (v && asking && n->owner[v->to] == n->index)
        return count > 1 && here < count ? SIM_WAY_TRY_AGAIN : SIM_WAY_RUN;
    *to = n->owner[shard];
    return SIM_WAY_MOVED;
}

bool sim_slots_learn(struct sim_node *x, const struct sim_node *y)
{
    bool news = (y->slots_known & ~x->slots_known) != 0;
    x->slots_known |= y->slots_known;
    return news;
}

/* --- the operator --------------------------------------------------------------------------------------------------------------------- */

struct search {
    unsigned slot, seen;
    const struct sim_key *found;
};

static void look(void *ctx, const struct sim_key *key)
{
    struct search *s = ctx;
    unsigned slot = mer_redis_slot(key->name->data, key->name->len);
    if (s->slot == SIM_SLOTS ? sim_below(++s->seen) == 0 : slot == s->slot) /* any key, each as likely; or one of this slot */
        s->found = key;
}

static const struct sim_key *key_of_slot(const struct sim_node *n, unsigned slot)
{
    struct search s = {.slot = slot};
    sim_keys_each(&n->keys, look, &s);
    return s.found;
}

static void command(struct sim_node *n, const char *name, struct sim_str *key, const struct sim_key *value)
{
    struct sim_str *argv[3] = {sim_str_new(name, strlen(name)), key, sim_str_new((const char *)&value, sizeof(value))};
    sim_node_exec(n, value ? 3 : 2, argv);
    sim_str_unref(argv[0]);
    sim_str_unref(argv[2]);
}

static void on_step(void *ctx, uint64_t m)
{
    struct sim_cluster *c = ctx;
    struct sim_moved *v = &c->moved[m % SIM_MOVES];
    struct sim_node *from = sim_redis_primary(c, v->from), *to = sim_redis_primary(c, v->to);
    const struct sim_key *key = key_of_slot(from, v->slot);
    bool empty = m >= SIM_MOVES; /* it was when it was last looked at */
    if (!key && !empty) {
        sim_at(sim_between(CLOSE_MIN_US, CLOSE_MAX_US), on_step, c, m + SIM_MOVES);
        return;
    }
    if (key) {
        struct sim_str *name = sim_str_ref(key->name);
        command(to, "RESTORE", name, sim_key_copy(key)); /* kept by the log, as all its effects are */
        command(from, "DEL", name, NULL);
        sim_str_unref(name);
        sim_at(sim_between(STEP_MIN_US, STEP_MAX_US), on_step, c, m % SIM_MOVES);
        return;
    }
    sim_trace("slot %u belongs to shard %u now", v->slot, v->to);
    v->open = false;
    c->moved_for_good |= 1u << m % SIM_MOVES;
    for (unsigned s = 0; s < SIM_SHARDS; s++)
        sim_redis_primary(c, s)->slots_known |= 1u << m % SIM_MOVES;
    sim_cluster_wake(c);
}

bool sim_slots_moving(const struct sim_cluster *c)
{
    for (unsigned m = 0; m < c->moves; m++)
        if (c->moved[m].open)
            return true;
    return false;
}

bool sim_slots_move(struct sim_cluster *c, const char *name)
{
    unsigned from = name ? sim_redis_shard(c, name) : sim_below(SIM_SHARDS), to = (from + 1 + sim_below(SIM_SHARDS - 1)) % SIM_SHARDS;
    const struct sim_node *source = sim_redis_primary(c, from);
    const struct sim_key *key = name ? sim_keys_find(&source->keys, name) : key_of_slot(source, SIM_SLOTS);
    unsigned slot = key ? mer_redis_slot(key->name->data, key->name->len) : SIM_SLOTS;
    if (!key || c->moves == SIM_MOVES)
        return false;
    for (unsigned m = 0; m < c->moves; m++)
        if (c->moved[m].slot == slot)
            return false; /* once is enough */
    sim_trace("slot %u (%s) moves from shard %u to %u", slot, key->name->data, from, to);
    c->moved[c->moves] = (struct sim_moved){slot, from, to, true};
    sim_at(sim_between(STEP_MIN_US, STEP_MAX_US), on_step, c, c->moves++);
    return true;
}
