/* SPDX-License-Identifier: Apache-2.0
 * The machine against a small model of a cluster: three shards, nine nodes on sides of a partition, which do what they are told, answer
 * what they are and learn of a new primary from itself. After every step the invariant: no shard's count is below the number of replicas
 * that a majority would vote for. */
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
};
struct fix {
    struct router_electable e;
    struct node n[NODES];
    uint64_t now, current_epoch;
    unsigned count[SHARDS]; /* stored: lowest that was ever begun to be stored and not confirmed higher */
    unsigned counts, refuse_counts, told[5];
    bool deaf;     /* nodes do not do what they are told */
    bool unnoted;  /* notes cannot be stored */
    int only_side; /* which the router reaches; -1: all */
    char log[4096];
};
static struct fix f;

static const char *id(int i)
{
    static char ids[NODES][ROUTER_NODE_ID_BYTES];
    snprintf(ids[i], sizeof ids[i], "%040d", i + 1);
    return ids[i];
}
static const char *address(int i)
{
    static char text[NODES][32];
    snprintf(text[i], sizeof text[i], "127.0.0.1:%d", 7600 + i);
    return text[i];
}
static const char *user(int i)
{
    static char text[NODES][32];
    snprintf(text[i], sizeof text[i], "repl-%d", i);
    return text[i];
}
static int of(const char *node_id)
{
    return atoi(node_id + 30) - 1;
}
static int shard_of(int i)
{
    return i % SHARDS; /* i, i+3, i+6 */
}
static bool reached(int i)
{
    return f.n[i].up && (f.only_side < 0 || f.n[i].side == f.only_side);
}
static bool together(int a, int b)
{
    return f.n[a].up && f.n[b].up && f.n[a].side == f.n[b].side;
}
static int leader(int shard)
{
    int best = -1;
    for (int i = shard; i < NODES; i += SHARDS)
        if (f.n[i].follows < 0 && (best < 0 || f.n[i].epoch > f.n[best].epoch))
            best = i;
    return best;
}

static void tell_user(void *ctx, const struct router_member *at, const struct router_member *whose, bool on)
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
static void tell_forget(void *ctx, const struct router_member *at, const char *who)
{
    (void)ctx;
    f.told[1]++;
    if (!f.deaf && reached(of(at->id)) && f.n[of(at->id)].follows != of(who))
        f.n[of(at->id)].knows[of(who)] = false;
}
static void tell_meet(void *ctx, const struct router_member *at, const struct router_member *whom)
{
    (void)ctx;
    f.told[2]++;
    int a = of(at->id), b = of(whom->id);
    if (!f.deaf && reached(a) && together(a, b))
        f.n[a].knows[b] = f.n[b].knows[a] = true;
}
static void tell_replicate(void *ctx, const struct router_member *replica, const struct router_member *primary)
{
    (void)ctx;
    f.told[3]++;
    struct node *n = &f.n[of(replica->id)];
    if (!f.deaf && reached(of(replica->id)) && n->follows >= 0 && n->knows[of(primary->id)])
        n->follows = of(primary->id);
}
static unsigned in_step(int p)
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
static void tell_count(void *ctx, const struct router_member *primary, unsigned count, unsigned enough)
{
    (void)ctx;
    int s = shard_of(of(primary->id));
    assert_false(storing[s].due);
    storing[s].due = true;
    storing[s].count = count;
    storing[s].enough = enough;
    snprintf(storing[s].id, sizeof storing[s].id, "%s", primary->id);
}
static void moved(void *ctx, const struct router_member *m, enum router_member_state from)
{
    size_t n = strlen(f.log);
    (void)ctx;
    (void)from;
    snprintf(f.log + n, sizeof f.log - n, " %d:%s", of(m->id), router_member_state_name((enum router_member_state)m->state));
}

static int setup(void **state)
{
    (void)state;
    static const struct router_electable_env env = {tell_user, tell_forget, tell_meet, tell_replicate, tell_count, moved, NULL};
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
static int teardown(void **state)
{
    (void)state;
    router_electable_deinit(&f.e);
    return 0;
}

static void view_of(int i, struct router_view *v)
{
    const struct node *n = &f.n[i];
    memset(v, 0, sizeof *v);
    snprintf(v->id, sizeof v->id, "%s", id(i));
    if (n->follows >= 0)
        snprintf(v->primary, sizeof v->primary, "%s", id(n->follows));
    v->slots = n->follows < 0;
    v->config_epoch = n->epoch;
    v->current_epoch = f.current_epoch;
    v->offset = n->offset;
    for (int o = 0; o < NODES; o++) {
        if (n->knows[o]) {
            struct router_known *k = &v->known[v->known_count++];
            snprintf(k->id, sizeof k->id, "%s", id(o));
            snprintf(k->address, sizeof k->address, "%s", address(o));
            k->slots = n->shows[shard_of(o)] == o;
            if (!k->slots)
                snprintf(k->primary, sizeof k->primary, "%s", id(n->shows[shard_of(o)]));
            k->config_epoch = n->shows_epoch[shard_of(o)];
            k->failed = f.n[o].failed;
        }
        if (n->attached[o] && together(i, o)) {
            struct router_attached *a = &v->attached[v->attached_count++];
            snprintf(a->address, sizeof a->address, "%s", address(o));
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
static unsigned electable(int shard)
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
static void check(void)
{
    for (int s = 0; s < SHARDS; s++)
        if (f.count[s] < electable(s))
            fail_msg("shard %d: count %u, electable %u after%s", s, f.count[s], electable(s), f.log);
}

static void show(int i, int owner, uint64_t epoch)
{
    struct node *n = &f.n[i];
    n->shows[shard_of(owner)] = owner;
    n->shows_epoch[shard_of(owner)] = epoch;
    if (shard_of(i) == shard_of(owner))
        n->follows = i == owner ? -1 : owner;
}
/* What nodes do by themselves: learn who leads from whom they know, and replicate. */
static void live(void)
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
static void store(void)
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
static void run_for(uint64_t ms)
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
static struct router_member *member(int i)
{
    for (unsigned m = 0; m < f.e.member_count; m++)
        if (of(f.e.member[m].id) == i)
            return &f.e.member[m];
    fail();
    return NULL;
}
#define assert_state(i, s) assert_string_equal(router_member_state_name((enum router_member_state)member(i)->state), s)

static void promote(int i)
{
    f.n[i].epoch = ++f.current_epoch;
    show(i, i, f.n[i].epoch);
}
static void put_on_side(int side, int a, int b)
{
    f.n[a].side = f.n[b].side = side;
}
static unsigned told(void)
{
    return f.told[0] + f.told[1] + f.told[2] + f.told[3];
}
/* The router's leader dies; the next one has the notes. */
static void another_leader(void)
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

#define S(n) ROUTER_MEMBER_##n
static void every_cell_of_the_table(void **state)
{
    static const uint8_t want[ROUTER_MEMBER_NSTATES][ROUTER_MEMBER_NEVENTS] = {
        /* LOST    DONE       BACK      LEADS */
        {S(OFF), S(IN), S(IN), S(IN)},           /* IN */
        {S(OFF), S(FORGET), S(RAISE), S(RAISE)}, /* OFF */
        {S(OFF), S(LOWER), S(RAISE), S(RAISE)},  /* FORGET */
        {S(LOWER), S(OUT), S(RAISE), S(RAISE)},  /* LOWER */
        {S(OUT), S(OUT), S(RAISE), S(RAISE)},    /* OUT */
        {S(OFF), S(SYNC), S(RAISE), S(RAISE)},   /* RAISE */
        {S(OFF), S(MEET), S(SYNC), S(SYNC)},     /* SYNC */
        {S(OFF), S(IN), S(MEET), S(MEET)},       /* MEET */
    };
    (void)state;
    for (int s = 0; s < ROUTER_MEMBER_NSTATES; s++)
        for (int e = 0; e < ROUTER_MEMBER_NEVENTS; e++)
            assert_int_equal(router_member_next((enum router_member_state)s, (enum router_member_event)e), want[s][e]);
}

static void a_whole_cluster_is_left_alone(void **state)
{
    (void)state;
    run_for(10000);
    assert_int_equal(f.e.member_count, NODES);
    assert_int_equal(told(), 0);
    assert_int_equal(f.counts, SHARDS);
    assert_int_equal(router_electable_out(&f.e), 0);
    assert_int_equal(router_electable_bare(&f.e), 0);
    assert_false(router_electable_busy(&f.e));
}

static void a_lost_replica_goes_out_in_order_and_comes_back_in_order(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    run_for(2500);
    assert_state(3, "IN");
    run_for(1500);
    assert_string_equal(f.log, " 3:OFF 3:FORGET 3:LOWER 3:OUT");
    assert_int_equal(f.count[0], 1);
    assert_int_equal(electable(0), 1);
    for (int i = 0; i < NODES; i += SHARDS)
        assert_true(i == 3 || f.n[i].off[3]);
    f.log[0] = 0;
    f.n[3].up = true;
    run_for(5000);
    assert_string_equal(f.log, " 3:RAISE 3:SYNC 3:MEET 3:IN");
    assert_int_equal(f.count[0], 2);
    assert_int_equal(electable(0), 2);
    assert_int_equal(f.count[1], 2);
}

static void a_replaced_primary_goes_out_and_comes_back_as_a_replica(void **state)
{
    (void)state;
    run_for(1000);
    f.n[1].up = false;
    run_for(4000);
    assert_string_equal(f.log, ""); /* nobody to ask */
    promote(4);
    run_for(1000);
    assert_string_equal(f.log, " 1:OFF 1:FORGET 1:LOWER 1:OUT");
    assert_int_equal(f.count[1], 1);
    f.n[1].up = true;
    f.n[1].follows = 4; /* as it is told by the others */
    run_for(5000);
    assert_state(1, "IN");
    assert_int_equal(f.count[1], 2);
    assert_true(f.n[4].attached[1]);
}

static void a_node_that_brings_it_up_again_is_told_to_forget_it(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    f.n[8].up = false; /* somebody else's replica, away at that moment */
    run_for(6000);
    assert_state(3, "OUT");
    assert_true(f.n[8].knows[3]);
    f.n[8].up = true;
    f.n[1].knows[3] = true; /* and told it */
    run_for(500);
    assert_false(f.n[8].knows[3]);
    assert_false(f.n[1].knows[3]);
}

static void without_a_majority_that_forgets_the_count_stays(void **state)
{
    (void)state;
    run_for(1000);
    f.n[1].up = f.n[2].up = false;
    f.n[3].up = false;
    run_for(20000);
    assert_int_equal(f.count[0], 2);
    assert_state(3, "IN");
    assert_int_equal(told(), 0);
}

static void one_that_could_lead_and_does_not_answer_stops_it(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    run_for(2000);
    f.n[6].up = false;
    run_for(10000);
    assert_state(3, "OFF"); /* 6 might be elected with the door open for 3 */
    assert_int_equal(f.count[0], 2);
    assert_int_equal(router_electable_bare(&f.e), 1);
    f.n[3].up = true; /* then it comes back without having been out */
    run_for(8000);
    assert_state(3, "IN");
    assert_true(f.n[0].attached[3]);
    f.n[6].up = true;
    run_for(8000);
    assert_state(6, "IN");
    assert_int_equal(f.count[0], 2);
}

static void of_two_lost_ones_the_first_to_come_back_is_let_in(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    run_for(6000);
    f.n[6].up = false;
    run_for(6000);
    assert_state(3, "OUT");
    assert_state(6, "IN"); /* never below one */
    assert_int_equal(f.count[0], 1);
    f.n[3].up = true;
    run_for(10000);
    assert_state(3, "IN");
    assert_state(6, "OUT");
    assert_int_equal(f.count[0], 1);
    f.n[6].up = true;
    run_for(10000);
    assert_state(6, "IN");
    assert_int_equal(f.count[0], 2);
}

static void one_that_fails_on_the_way_back_goes_out_again(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    run_for(6000);
    f.n[3].up = true;
    while (member(3)->state != ROUTER_MEMBER_SYNC)
        run_for(ROUND_MS);
    f.n[3].up = false;
    run_for(6000);
    assert_state(3, "OUT");
    assert_int_equal(f.count[0], 1);
}

static void a_count_that_was_not_confirmed_is_stored_again(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    f.refuse_counts = 1;
    run_for(8000);
    assert_state(3, "LOWER");
    f.refuse_counts = 0;
    run_for(1000);
    assert_state(3, "OUT");
}

static void nothing_is_believed_to_have_worked(void **state)
{
    (void)state;
    run_for(1000);
    f.deaf = true;
    f.n[3].up = false;
    run_for(20000);
    assert_state(3, "OFF");
    assert_int_equal(f.count[0], 2);
    f.deaf = false;
    run_for(1000);
    assert_state(3, "OUT");
}

static void an_election_in_the_middle_begins_it_again(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    while (member(3)->state != ROUTER_MEMBER_FORGET)
        run_for(ROUND_MS);
    f.current_epoch++;
    f.log[0] = 0;
    run_for(1000);
    assert_string_equal(f.log, " 3:OFF 3:FORGET 3:LOWER 3:OUT");
}

static void one_that_leads_comes_in_by_all_the_steps(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    while (member(3)->state != ROUTER_MEMBER_FORGET || f.n[8].knows[3])
        run_for(ROUND_MS);
    assert_true(f.n[6].off[3]);
    f.n[1].knows[3] = f.n[2].knows[3] = true; /* who voted for it and was not told yet */
    f.n[3].up = true;
    promote(3);
    f.n[1].shows[0] = f.n[2].shows[0] = 3;
    f.n[1].shows_epoch[0] = f.n[2].shows_epoch[0] = f.n[3].epoch;
    f.log[0] = 0;
    run_for(1000);
    assert_string_equal(f.log, " 3:RAISE 3:SYNC 3:MEET 3:IN");
    assert_false(f.n[0].off[3]);
    assert_false(f.n[6].off[3]);
    for (int i = 0; i < NODES; i++)
        assert_true(i == 3 || f.n[i].knows[3]);
    run_for(6000);
    assert_true(f.n[3].attached[0] && f.n[3].attached[6]);
    assert_int_equal(f.count[0], 2);
}

static void on_the_losing_side_nobody_is_told_anything(void **state)
{
    (void)state;
    run_for(1000);
    put_on_side(1, 0, 3);
    f.only_side = 1;
    promote(6);
    run_for(10000);
    assert_int_equal(told(), 0);
    assert_string_equal(f.log, "");
    f.only_side = -1; /* the cut heals for us first: the primaries show who leads */
    run_for(200);
    assert_state(6, "IN");
    put_on_side(0, 0, 3);
    run_for(10000);
    assert_true(f.n[6].attached[0] && f.n[6].attached[3]);
    for (int i = 0; i < NODES; i++)
        assert_state(i, "IN");
    assert_int_equal(f.count[0], 2);
}

static void a_leader_that_was_shown_once_is_remembered(void **state)
{
    (void)state;
    run_for(1000);
    put_on_side(1, 0, 3);
    promote(6);
    run_for(500);
    f.only_side = 1; /* now only the old one is heard, and says that it leads */
    f.log[0] = 0;
    memset(f.told, 0, sizeof f.told);
    run_for(10000);
    assert_int_equal(told(), 0);
    assert_string_equal(f.log, "");
}

static void a_primary_that_failed_for_the_others_has_no_replica_taken_from_it(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    f.n[0].failed = true; /* an election is near */
    run_for(6000);
    assert_state(3, "IN");
    assert_int_equal(told(), 0);
    f.n[0].failed = false;
    run_for(2000);
    assert_state(3, "OUT");
}

static void whose_claim_nobody_shares_stays_out(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    run_for(6000);
    assert_state(3, "OUT");
    promote(3); /* it won before it was forgotten, and could tell nobody */
    f.n[3].up = true;
    f.count[0] = 2; /* of the model: who is asked for is not electable by others */
    f.log[0] = 0;
    for (int round = 0; round < 100; round++) {
        static struct router_view v;
        for (int i = 0; i < NODES; i++) {
            view_of(i, &v);
            router_electable_heard(&f.e, address(i), &v, user(i), f.now, f.now);
        }
        f.now += ROUND_MS;
        router_electable_step(&f.e, f.now);
    }
    assert_string_equal(f.log, "");
    assert_ptr_equal(f.e.shard[0].lead, member(0));
    for (int i = 0; i < NODES; i++)
        assert_false(f.n[i].knows[3]);
}

static void who_is_not_noted_is_not_taken_out(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    f.unnoted = true;
    run_for(8000);
    assert_state(3, "OFF");
    f.unnoted = false;
    run_for(1000);
    assert_state(3, "OUT");
}

static void who_comes_back_while_the_count_cannot_be_lowered_is_let_in(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    f.refuse_counts = 1;
    run_for(8000);
    assert_state(3, "LOWER");
    f.n[3].up = true;
    run_for(1500);
    assert_state(3, "RAISE");
    f.refuse_counts = 0;
    run_for(3000);
    assert_state(3, "IN");
    assert_int_equal(f.count[0], 2);
}

static void with_both_out_a_new_leader_takes_in_who_comes(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    run_for(6000);
    f.n[6].up = false;
    run_for(2700);
    f.n[3].up = true;
    while (member(6)->state != ROUTER_MEMBER_FORGET)
        run_for(ROUND_MS);
    f.n[3].up = false;
    run_for(1000);
    assert_state(3, "OUT");
    assert_state(6, "OUT");
    another_leader();
    run_for(3000);
    assert_state(3, "OUT"); /* nobody could confirm a count */
    assert_state(6, "OUT");
    assert_int_equal(f.count[0], 1);
    f.n[6].up = true;
    run_for(5000);
    assert_state(6, "IN");
    assert_int_equal(f.count[0], 1);
    f.n[3].up = true;
    run_for(5000);
    assert_state(3, "IN");
    assert_int_equal(f.count[0], 2);
}

static void who_cannot_confirm_is_taken_out_for_who_waits_for_it(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    run_for(6000);
    f.n[3].up = true;
    f.n[6].up = false; /* at the same moment the leader dies, and does not know the count */
    another_leader();
    run_for(15000);
    assert_state(3, "IN");
    assert_state(6, "OUT");
    assert_int_equal(f.count[0], 1);
    f.n[6].up = true;
    run_for(5000);
    assert_state(6, "IN");
    assert_int_equal(f.count[0], 2);
}

static void who_is_noted_as_in_and_unknown_comes_in_by_all_the_steps(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    run_for(6000);
    assert_state(3, "OUT");
    member(3)->state = ROUTER_MEMBER_IN; /* its note was lost */
    another_leader();
    f.n[3].up = true;
    run_for(500);
    assert_true(f.n[0].off[3]);
    assert_int_not_equal(member(3)->state, ROUTER_MEMBER_IN);
    run_for(8000);
    assert_state(3, "IN");
    assert_int_equal(f.count[0], 2);
}

static void whom_a_few_forgot_is_made_known_to_them(void **state)
{
    (void)state;
    run_for(1000);
    f.n[1].knows[3] = f.n[7].knows[3] = f.n[5].knows[0] = false; /* a word of an earlier leader that came late */
    run_for(200);
    assert_true(f.n[1].knows[3] && f.n[7].knows[3] && f.n[5].knows[0]);
    assert_string_equal(f.log, "");
}

static void a_pause_of_the_primary_makes_nobody_lost(void **state)
{
    (void)state;
    run_for(1000);
    f.n[0].up = false;
    run_for(5000);
    f.n[0].up = true; /* no election: it was only slow */
    run_for(5000);
    assert_string_equal(f.log, "");
}

static void a_new_leader_believes_no_note(void **state)
{
    char note[256];
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    run_for(6000);
    assert_state(3, "OUT");
    for (int i = 0; i < NODES; i++)
        f.n[i].knows[3] = i != 3; /* while nobody led */
    router_electable_note(member(3), note);
    router_electable_deinit(&f.e);
    f.log[0] = 0;
    struct router_electable_env env = f.e.env;
    f.count[0] = 2;
    assert_int_equal(router_electable_init(&f.e, &env, 2), MER_OK);
    assert_int_equal(router_electable_remember(&f.e, id(3), note, f.now), MER_OK);
    assert_int_equal(router_electable_remember(&f.e, id(3), "nonsense", f.now), MER_EINVALID);
    assert_int_equal(router_electable_remember(&f.e, "short", note, f.now), MER_EINVALID);
    assert_state(3, "OFF");
    run_for(1000);
    assert_string_equal(f.log, " 3:FORGET 3:LOWER 3:OUT");
}

static void nodes_without_a_user_of_their_own_are_left_alone(void **state)
{
    static struct router_view v;
    (void)state;
    run_for(100);
    for (int round = 0; round < 200; round++) {
        f.n[3].up = round < 2;
        live();
        for (int i = 0; i < NODES; i++) {
            view_of(i, &v);
            router_electable_heard(&f.e, address(i), f.n[i].up ? &v : NULL, "", f.now, f.now);
        }
        f.now += ROUND_MS;
        router_electable_step(&f.e, f.now);
        store();
    }
    assert_state(3, "IN");
    assert_int_equal(router_electable_unmanaged(&f.e), NODES);
}

/* Primaries of other shards that could vote for i now. */
static unsigned votes(int i)
{
    unsigned n = 0;
    for (int s = 0; s < SHARDS; s++)
        n += s != shard_of(i) && together(i, leader(s)) && f.n[leader(s)].knows[i];
    return n;
}

/* Faults by a seed (MERIDIAN_SEEDS: how many), one or two at a time: the invariant holds after every step (check), and in the end all are
 * back. */
static void whatever_happens_the_count_covers_who_can_be_elected(void **state)
{
    const char *more = getenv("MERIDIAN_SEEDS");
    for (unsigned seed = 1, seeds = more != NULL ? (unsigned)atoi(more) : 6; seed <= seeds; seed++) {
        teardown(state);
        setup(state);
        srandom(seed);
        run_for(1000);
        for (int fault = 0; fault < 12; fault++) {
            int i = (int)(random() % NODES);
            int candidate = -1;
            f.n[i].up = !f.n[i].up || random() % 4 == 0;
            bool cut = f.n[i].up && random() % 3 == 0;
            f.only_side = cut && random() % 2 ? (int)(random() % 2) : -1;
            for (int o = 0; o < NODES; o++)
                f.n[o].side = cut && (o == i || (shard_of(o) == shard_of(i) && random() % 3 == 0));
            for (int o = shard_of(i); o < NODES; o += SHARDS) {
                if (f.n[o].up && o != i && votes(o) >= 2 && (candidate < 0 || f.n[o].offset > f.n[candidate].offset))
                    candidate = o;
            }
            run_for((uint64_t)(random() % 6000));
            if (f.n[i].follows < 0 && leader(shard_of(i)) == i && candidate >= 0 && !together(i, candidate) && votes(candidate) >= 2 &&
                f.n[candidate].follows == i)
                promote(candidate);
            if (random() % 4 == 0)
                another_leader();
            run_for((uint64_t)(random() % 3000));
        }
        for (int i = 0; i < NODES; i++) {
            f.n[i].up = true;
            f.n[i].side = 0;
        }
        f.only_side = -1;
        run_for(60000);
        for (int i = 0; i < NODES; i++)
            if (member(i)->state != ROUTER_MEMBER_IN)
                fail_msg("seed %u: %d is %s after%s", seed, i, router_member_state_name((enum router_member_state)member(i)->state), f.log);
        for (int s = 0; s < SHARDS; s++)
            assert_int_equal(f.count[s], 2);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_cell_of_the_table),
        T(a_whole_cluster_is_left_alone),
        T(a_lost_replica_goes_out_in_order_and_comes_back_in_order),
        T(a_replaced_primary_goes_out_and_comes_back_as_a_replica),
        T(a_node_that_brings_it_up_again_is_told_to_forget_it),
        T(without_a_majority_that_forgets_the_count_stays),
        T(one_that_could_lead_and_does_not_answer_stops_it),
        T(of_two_lost_ones_the_first_to_come_back_is_let_in),
        T(one_that_fails_on_the_way_back_goes_out_again),
        T(a_count_that_was_not_confirmed_is_stored_again),
        T(nothing_is_believed_to_have_worked),
        T(an_election_in_the_middle_begins_it_again),
        T(one_that_leads_comes_in_by_all_the_steps),
        T(on_the_losing_side_nobody_is_told_anything),
        T(a_leader_that_was_shown_once_is_remembered),
        T(a_primary_that_failed_for_the_others_has_no_replica_taken_from_it),
        T(whose_claim_nobody_shares_stays_out),
        T(who_is_not_noted_is_not_taken_out),
        T(who_comes_back_while_the_count_cannot_be_lowered_is_let_in),
        T(with_both_out_a_new_leader_takes_in_who_comes),
        T(who_cannot_confirm_is_taken_out_for_who_waits_for_it),
        T(who_is_noted_as_in_and_unknown_comes_in_by_all_the_steps),
        T(whom_a_few_forgot_is_made_known_to_them),
        T(a_pause_of_the_primary_makes_nobody_lost),
        T(a_new_leader_believes_no_note),
        T(nodes_without_a_user_of_their_own_are_left_alone),
        T(whatever_happens_the_count_covers_who_can_be_elected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
