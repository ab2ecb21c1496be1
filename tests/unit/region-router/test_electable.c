/* SPDX-License-Identifier: Apache-2.0
 * The machine against a small model of a cluster: three shards, nine nodes, which do what they are told and answer what they are. After
 * every step the invariant: no shard's count is below the number of replicas that a majority would vote for. */
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
    uint64_t epoch, offset;
};
struct fix {
    struct router_electable e;
    struct node n[NODES];
    uint64_t now, current_epoch;
    unsigned count[SHARDS]; /* stored: lowest that was ever begun to be stored and not confirmed higher */
    unsigned counts, refuse_counts, told[5];
    bool deaf; /* nodes do not do what they are told */
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
    if (f.deaf)
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
    if (!f.deaf && f.n[of(at->id)].follows != of(who))
        f.n[of(at->id)].knows[of(who)] = false;
}
static void tell_meet(void *ctx, const struct router_member *at, const struct router_member *whom)
{
    (void)ctx;
    f.told[2]++;
    if (!f.deaf && f.n[of(whom->id)].up)
        f.n[of(at->id)].knows[of(whom->id)] = true;
}
static void tell_replicate(void *ctx, const struct router_member *replica, const struct router_member *primary)
{
    (void)ctx;
    f.told[3]++;
    if (!f.deaf)
        f.n[of(replica->id)].follows = of(primary->id);
}
static unsigned in_step(int p)
{
    unsigned n = 0;
    for (int i = 0; i < NODES; i++)
        n += f.n[p].attached[i] && f.n[i].up;
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
    f.current_epoch = 9;
    for (int i = 0; i < NODES; i++) {
        f.n[i] = (struct node){.up = true, .follows = i < SHARDS ? -1 : i % SHARDS, .epoch = (uint64_t)(i % SHARDS) + 1, .offset = 100};
        for (int o = 0; o < NODES; o++) {
            f.n[i].knows[o] = o != i;
            f.n[i].attached[o] = i < SHARDS && o >= SHARDS && o % SHARDS == i;
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
            if (f.n[o].follows >= 0)
                snprintf(k->primary, sizeof k->primary, "%s", id(f.n[o].follows));
            k->slots = f.n[o].follows < 0;
        }
        if (n->attached[o] && f.n[o].up) {
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

/* What replicas do by themselves. */
static void live(void)
{
    for (int i = 0; i < NODES; i++) {
        int p = f.n[i].follows;
        if (f.n[i].up && p >= 0 && f.n[p].up && !f.n[p].off[i]) {
            f.n[p].attached[i] = true;
            f.n[i].offset = f.n[p].offset;
        }
        for (int o = 0; o < NODES; o++)
            f.n[i].attached[o] = f.n[i].attached[o] && f.n[o].up && f.n[o].follows == i;
    }
}
static void store(void)
{
    for (int s = 0; s < SHARDS; s++) {
        if (!storing[s].due)
            continue;
        storing[s].due = false;
        int p = of(storing[s].id);
        bool ok = f.refuse_counts == 0 && f.n[p].up && in_step(p) >= storing[s].enough;
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
            router_electable_heard(&f.e, address(i), f.n[i].up ? &v : NULL, user(i), f.now, f.now);
        }
        f.now += ROUND_MS;
        for (int p = 0; p < NODES; p++)
            f.n[p].offset += f.n[p].follows < 0 && f.n[p].up;
        router_electable_step(&f.e, f.now);
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
    int old = leader(shard_of(i));
    f.n[i].follows = -1;
    f.n[i].epoch = ++f.current_epoch;
    for (int o = shard_of(i); o < NODES; o += SHARDS)
        if (o != i && o != old && f.n[o].up)
            f.n[o].follows = i;
}

#define S(n) ROUTER_MEMBER_##n
static void every_cell_of_the_table(void **state)
{
    static const uint8_t want[ROUTER_MEMBER_NSTATES][ROUTER_MEMBER_NEVENTS] = {
        {S(OFF), S(IN), S(IN), S(IN)},       {S(OFF), S(FORGET), S(RAISE), S(IN)}, {S(OFF), S(LOWER), S(RAISE), S(IN)},
        {S(LOWER), S(OUT), S(LOWER), S(IN)}, {S(OUT), S(OUT), S(RAISE), S(IN)},    {S(OFF), S(SYNC), S(RAISE), S(IN)},
        {S(OFF), S(MEET), S(SYNC), S(IN)},   {S(OFF), S(IN), S(MEET), S(IN)},
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
    assert_int_equal(f.told[0] + f.told[1] + f.told[2] + f.told[3], 0);
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
    assert_state(3, "FORGET");
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

static void one_that_leads_is_in_whatever_was_thought(void **state)
{
    (void)state;
    run_for(1000);
    f.n[3].up = false;
    f.deaf = true;
    run_for(4000);
    assert_state(3, "OFF");
    f.n[3].up = true;
    promote(3); /* it had won already */
    f.n[0].follows = 3;
    f.deaf = false;
    run_for(6000);
    assert_state(3, "IN");
    assert_int_equal(f.count[0], 2);
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
            f.n[i].up = !f.n[i].up;
            for (int o = shard_of(i); o < NODES; o += SHARDS) {
                unsigned know = 0;
                for (int s = 0; s < SHARDS; s++)
                    know += f.n[leader(s)].up && f.n[leader(s)].knows[o];
                if (f.n[o].up && o != i && know >= 2 && (candidate < 0 || f.n[o].offset > f.n[candidate].offset))
                    candidate = o;
            }
            run_for((uint64_t)(random() % 6000));
            if (!f.n[i].up && f.n[i].follows < 0 && leader(shard_of(i)) == i && candidate >= 0 && f.n[candidate].up &&
                f.n[candidate].follows == i)
                promote(candidate);
            if (f.n[i].up && f.n[i].follows < 0 && leader(shard_of(i)) != i)
                f.n[i].follows = leader(shard_of(i));
            run_for((uint64_t)(random() % 3000));
        }
        for (int i = 0; i < NODES; i++) {
            f.n[i].up = true;
            if (f.n[i].follows < 0 && leader(shard_of(i)) != i)
                f.n[i].follows = leader(shard_of(i));
        }
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
        T(one_that_leads_is_in_whatever_was_thought),
        T(a_pause_of_the_primary_makes_nobody_lost),
        T(a_new_leader_believes_no_note),
        T(nodes_without_a_user_of_their_own_are_left_alone),
        T(whatever_happens_the_count_covers_who_can_be_elected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
