/* SPDX-License-Identifier: Apache-2.0
 * Who leads a shard, as it looks from either side of a partition; and faults by the seed. */
#include "tests/unit/region-router/electable_model.h"

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
        T(one_that_leads_comes_in_by_all_the_steps),   T(on_the_losing_side_nobody_is_told_anything),
        T(a_leader_that_was_shown_once_is_remembered), T(a_primary_that_failed_for_the_others_has_no_replica_taken_from_it),
        T(whose_claim_nobody_shares_stays_out),        T(whatever_happens_the_count_covers_who_can_be_elected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
