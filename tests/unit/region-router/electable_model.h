/* SPDX-License-Identifier: Apache-2.0
 * electable_model.h - the machine against a small model of a cluster: three shards, nine nodes on sides of a partition, which do what they
 * are told, answer what they are and learn of a new primary from itself. After every step the invariant: no shard's count is below the
 * number of replicas that a majority would vote for. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "region-router/electable.h"

enum { NODES = 9, SHARDS = 3, ROUND_MS = 50 };

struct node {
    bool up, attached[NODES]; /* attached: replicas connected to it */
    bool knows[NODES], off[NODES];
    int follows; /* -1: a primary with slots */
    int side;
    uint64_t epoch, offset;
    int shows[SHARDS]; /* who leads, as far as it knows */
    uint64_t shows_epoch[SHARDS];
    bool failed; /* the others agreed so */
    bool hides;
    unsigned unassigned; /* slots without an owner in its table */
};
struct fix {
    struct router_electable e;
    struct node n[NODES];
    uint64_t now, current_epoch;
    unsigned count[SHARDS]; /* stored: lowest that was ever begun to be stored and not confirmed higher */
    unsigned counts, refuse_counts, told[5];
    bool deaf;          /* nodes do not do what they are told */
    bool unnoted;       /* notes cannot be stored */
    int only_side;      /* which the router reaches; -1: all */
    bool empty[SHARDS]; /* its slots went to others */
    char log[4096];
};
static struct fix f;

static inline const char *id(int i)
{
    static char ids[NODES][ROUTER_NODE_ID_BYTES];
    snprintf(ids[i], sizeof ids[i], "%040d", i + 1);
    return ids[i];
}
static inline const char *address(int i)
{
    static char text[NODES][32];
    snprintf(text[i], sizeof text[i], "127.0.0.1:%d", 7600 + i);
    return text[i];
}
static inline const char *user(int i)
{
    static char text[NODES][32];
    snprintf(text[i], sizeof text[i], "repl-%d", i);
    return text[i];
}
static inline int of(const char *node_id)
{
    return atoi(node_id + 30) - 1;
}
static inline int shard_of(int i)
{
    return i % SHARDS; /* i, i+3, i+6 */
}
static inline bool reached(int i)
{
    return f.n[i].up && (f.only_side < 0 || f.n[i].side == f.only_side);
}
static inline bool together(int a, int b)
{
    return f.n[a].up && f.n[b].up && f.n[a].side == f.n[b].side;
}
static inline int leader(int shard)
{
    int best = -1;
    for (int i = shard; i < NODES; i += SHARDS)
        if (f.n[i].follows < 0 && (best < 0 || f.n[i].epoch > f.n[best].epoch))
            best = i;
    return best;
}

static inline void tell_user(void *ctx, const struct router_member *at, const struct router_member *whose, bool on)
{
    (void)ctx;
    f.told[0]++;
    if (f.deaf || !reached(of(at->id)))
        return;
    struct node *n = &f.n[of(at->id)];
    n->off[of(whose->id)] = !on;
    if (!on)
        n->attached[of(whose->id)] = false;
}
static inline void tell_forget(void *ctx, const struct router_member *at, const char *who)
{
    (void)ctx;
    f.told[1]++;
    if (!f.deaf && reached(of(at->id)) && f.n[of(at->id)].follows != of(who))
        f.n[of(at->id)].knows[of(who)] = false;
}
static inline void tell_meet(void *ctx, const struct router_member *at, const struct router_member *whom)
{
    (void)ctx;
    f.told[2]++;
    int a = of(at->id), b = of(whom->id);
    if (!f.deaf && reached(a) && together(a, b))
        f.n[a].knows[b] = f.n[b].knows[a] = true;
}
static inline void tell_replicate(void *ctx, const struct router_member *replica, const struct router_member *primary)
{
    (void)ctx;
    f.told[3]++;
    struct node *n = &f.n[of(replica->id)];
    if (!f.deaf && reached(of(replica->id)) && n->follows >= 0 && n->knows[of(primary->id)])
        n->follows = of(primary->id);
}
static inline unsigned in_step(int p)
{
    unsigned n = 0;
    for (int i = 0; i < NODES; i++)
        n += f.n[p].attached[i] && together(p, i);
    return n;
}
static struct {
    bool due;
    char id[ROUTER_NODE_ID_BYTES];
    unsigned count, enough;
} storing[SHARDS];
static inline void tell_count(void *ctx, const struct router_member *primary, unsigned count, unsigned enough)
{
    (void)ctx;
    int s = shard_of(of(primary->id));
    assert_false(storing[s].due);
    storing[s].due = true;
    storing[s].count = count;
    storing[s].enough = enough;
    snprintf(storing[s].id, sizeof storing[s].id, "%s", primary->id);
}
static inline void moved(void *ctx, const struct router_member *m, enum router_member_state from)
{
    size_t n = strlen(f.log);
    (void)ctx;
    (void)from;
    snprintf(f.log + n, sizeof f.log - n, " %d:%s", of(m->id), router_member_state_name((enum router_member_state)m->state));
}

static inline void dropped(void *ctx, const struct router_member *m)
{
    size_t n = strlen(f.log);
    (void)ctx;
    snprintf(f.log + n, sizeof f.log - n, " %d:dropped", of(m->id));
}

static inline int setup(void **state)
{
    (void)state;
    static const struct router_electable_env env = {tell_user, tell_forget, tell_meet, tell_replicate, tell_count, moved, dropped, NULL};
    memset(&f, 0, sizeof f);
    memset(storing, 0, sizeof storing);
    f.now = 1000000;
    f.only_side = -1;
    f.current_epoch = 9;
    for (int i = 0; i < NODES; i++) {
        f.n[i] = (struct node){.up = true, .follows = i < SHARDS ? -1 : i % SHARDS, .epoch = (uint64_t)(i % SHARDS) + 1, .offset = 100};
        for (int o = 0; o < NODES; o++) {
            f.n[i].knows[o] = o != i;
            f.n[i].attached[o] = i < SHARDS && o >= SHARDS && o % SHARDS == i;
        }
        for (int s = 0; s < SHARDS; s++) {
            f.n[i].shows[s] = s;
            f.n[i].shows_epoch[s] = (uint64_t)s + 1;
        }
    }
    for (int s = 0; s < SHARDS; s++)
        f.count[s] = 2;
    assert_int_equal(router_electable_init(&f.e, &env, 2), MER_OK);
    return 0;
}
static inline int teardown(void **state)
{
    (void)state;
    router_electable_deinit(&f.e);
    return 0;
}

static inline void view_of(int i, struct router_view *v)
{
    const struct node *n = &f.n[i];
    memset(v, 0, sizeof *v);
    snprintf(v->id, sizeof v->id, "%.40s", id(i));
    if (n->follows >= 0)
        snprintf(v->primary, sizeof v->primary, "%s", id(n->follows));
    v->slots = n->follows < 0 && !f.empty[shard_of(i)];
    v->assigned = 16384 - n->unassigned;
    v->hides = n->hides;
    v->config_epoch = n->epoch;
    v->current_epoch = f.current_epoch;
    v->offset = n->offset;
    for (int o = 0; o < NODES; o++) {
        if (n->knows[o]) {
            struct router_known *k = &v->known[v->known_count++];
            snprintf(k->id, sizeof k->id, "%.40s", id(o));
            snprintf(k->address, sizeof k->address, "%.*s", (int)sizeof k->address - 1, address(o));
            bool primary = n->shows[shard_of(o)] == o;
            k->slots = primary && !f.empty[shard_of(o)];
            if (!primary)
                snprintf(k->primary, sizeof k->primary, "%s", id(n->shows[shard_of(o)]));
            k->config_epoch = n->shows_epoch[shard_of(o)];
            k->failed = f.n[o].failed;
        }
        if (n->attached[o] && together(i, o)) {
            struct router_attached *a = &v->attached[v->attached_count++];
            snprintf(a->address, sizeof a->address, "%.*s", (int)sizeof a->address - 1, address(o));
            a->online = true;
            a->offset = f.n[o].offset;
        }
        if (!n->off[o]) {
            const char *name = user(o);
            assert_true(strlen(name) < sizeof v->on[0]);
            memcpy(v->on[v->on_count++], name, strlen(name) + 1);
        }
    }
}

/* Replicas of a shard that could win an election now: not the leader, and a majority of the primaries knows them. */
static inline unsigned electable(int shard)
{
    unsigned n = 0;
    for (int i = shard; i < NODES; i += SHARDS) {
        unsigned know = 0;
        for (int s = 0; s < SHARDS; s++)
            know += f.n[leader(s)].knows[i];
        n += i != leader(shard) && know >= SHARDS / 2 + 1;
    }
    return n;
}
static inline void check(void)
{
    for (int s = 0; s < SHARDS; s++)
        if (f.count[s] < electable(s))
            fail_msg("shard %d: count %u, electable %u after%s", s, f.count[s], electable(s), f.log);
}

static inline void show(int i, int owner, uint64_t epoch)
{
    struct node *n = &f.n[i];
    n->shows[shard_of(owner)] = owner;
    n->shows_epoch[shard_of(owner)] = epoch;
    if (shard_of(i) == shard_of(owner))
        n->follows = i == owner ? -1 : owner;
}
/* What nodes do by themselves: learn who leads from whom they know, and replicate. */
static inline void live(void)
{
    for (int i = 0; i < NODES; i++)
        for (int o = 0; o < NODES; o++)
            if (i != o && together(i, o) && f.n[i].knows[o] && f.n[o].follows < 0 && f.n[o].epoch > f.n[i].shows_epoch[shard_of(o)])
                show(i, o, f.n[o].epoch);
    for (int i = 0; i < NODES; i++) {
        int p = f.n[i].follows;
        if (p >= 0 && together(i, p) && f.n[p].follows < 0 && !f.n[p].off[i]) {
            f.n[p].attached[i] = true;
            f.n[i].offset = f.n[p].offset;
        }
        for (int o = 0; o < NODES; o++)
            f.n[i].attached[o] = f.n[i].attached[o] && together(i, o) && f.n[o].follows == i && f.n[i].follows < 0;
    }
}
static inline void store(void)
{
    for (int s = 0; s < SHARDS; s++) {
        if (!storing[s].due)
            continue;
        storing[s].due = false;
        int p = of(storing[s].id);
        bool ok = f.refuse_counts == 0 && reached(p) && in_step(p) >= storing[s].enough;
        if (p != leader(s))
            fail_msg("a count for a primary that was replaced, after%s", f.log);
        if (storing[s].count < f.count[s] || ok)
            f.count[s] = storing[s].count; /* executed, also when it was not confirmed: the worse case for the invariant */
        f.counts += ok;
        router_electable_stored(&f.e, storing[s].id, storing[s].count, ok, f.now);
    }
}
static inline void run_for(uint64_t ms)
{
    static struct router_view v;
    for (uint64_t end = f.now + ms; f.now < end;) {
        live();
        for (int i = 0; i < NODES; i++) {
            view_of(i, &v);
            router_electable_heard(&f.e, address(i), reached(i) ? &v : NULL, user(i), f.now, f.now);
        }
        f.now += ROUND_MS;
        for (int p = 0; p < NODES; p++)
            f.n[p].offset += f.n[p].follows < 0 && f.n[p].up;
        router_electable_step(&f.e, f.now);
        for (unsigned m = 0; m < f.e.member_count; m++)
            f.e.member[m].noted |= !f.unnoted;
        check();
        store();
        check();
    }
}
static inline struct router_member *member(int i)
{
    for (unsigned m = 0; m < f.e.member_count; m++)
        if (of(f.e.member[m].id) == i)
            return &f.e.member[m];
    fail();
    return NULL;
}
#define assert_state(i, s) assert_string_equal(router_member_state_name((enum router_member_state)member(i)->state), s)

static inline void lose(int i, uint64_t ms)
{
    f.n[i].up = false;
    run_for(ms);
}
static inline void bring_back(int i, uint64_t ms)
{
    f.n[i].up = true;
    run_for(ms);
}
static inline void bring_back_in(int i, uint64_t ms)
{
    bring_back(i, ms);
    assert_state(i, "IN");
}
/* A settled cluster that a replica is taken out of. */
static inline void begin_without(int i)
{
    run_for(1000);
    lose(i, 6000);
    assert_state(i, "OUT");
}

static inline void promote(int i)
{
    f.n[i].epoch = ++f.current_epoch;
    show(i, i, f.n[i].epoch);
}
static inline void put_on_side(int side, int a, int b)
{
    f.n[a].side = f.n[b].side = side;
}
static inline unsigned told(void)
{
    return f.told[0] + f.told[1] + f.told[2] + f.told[3];
}
/* The router's leader dies; the next one has the notes. */
static inline void another_leader(void)
{
    char note[NODES][256], ids[NODES][ROUTER_NODE_ID_BYTES];
    unsigned n = f.e.member_count;
    for (unsigned i = 0; i < n; i++) {
        router_electable_note(&f.e.member[i], note[i]);
        memcpy(ids[i], f.e.member[i].id, sizeof ids[i]);
    }
    struct router_electable_env env = f.e.env;
    router_electable_deinit(&f.e);
    memset(storing, 0, sizeof storing);
    f.log[0] = 0;
    assert_int_equal(router_electable_init(&f.e, &env, 2), MER_OK);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(router_electable_remember(&f.e, ids[i], note[i], f.now), MER_OK);
}
