/* SPDX-License-Identifier: Apache-2.0
 * Out and in again, step by step, whatever fails on the way. */
#include "tests/unit/region-router/electable_model.h"

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
    lose(3, 2500);
    assert_state(3, "IN");
    run_for(1500);
    assert_string_equal(f.log, " 3:OFF 3:FORGET 3:LOWER 3:OUT");
    assert_int_equal(f.count[0], 1);
    assert_int_equal(electable(0), 1);
    for (int i = 0; i < NODES; i += SHARDS)
        assert_true(i == 3 || f.n[i].off[3]);
    f.log[0] = 0;
    bring_back(3, 5000);
    assert_string_equal(f.log, " 3:RAISE 3:SYNC 3:MEET 3:IN");
    assert_int_equal(f.count[0], 2);
    assert_int_equal(electable(0), 2);
    assert_int_equal(f.count[1], 2);
}

static void a_replaced_primary_goes_out_and_comes_back_as_a_replica(void **state)
{
    (void)state;
    run_for(1000);
    lose(1, 4000);
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
    lose(3, 20000);
    assert_int_equal(f.count[0], 2);
    assert_state(3, "IN");
    assert_int_equal(told(), 0);
}

static void one_that_could_lead_and_does_not_answer_stops_it(void **state)
{
    (void)state;
    run_for(1000);
    lose(3, 2000);
    lose(6, 10000);
    assert_state(3, "OFF"); /* 6 might be elected with the door open for 3 */
    assert_int_equal(f.count[0], 2);
    assert_int_equal(router_electable_bare(&f.e), 1);
    f.n[3].up = true; /* then it comes back without having been out */
    run_for(8000);
    assert_state(3, "IN");
    assert_true(f.n[0].attached[3]);
    bring_back_in(6, 8000);
    assert_int_equal(f.count[0], 2);
}

static void of_two_lost_ones_the_first_to_come_back_is_let_in(void **state)
{
    (void)state;
    begin_without(3);
    lose(6, 6000);
    assert_state(3, "OUT");
    assert_state(6, "IN"); /* never below one */
    assert_int_equal(f.count[0], 1);
    bring_back_in(3, 10000);
    assert_state(6, "OUT");
    assert_int_equal(f.count[0], 1);
    bring_back_in(6, 10000);
    assert_int_equal(f.count[0], 2);
}

static void one_that_fails_on_the_way_back_goes_out_again(void **state)
{
    (void)state;
    begin_without(3);
    f.n[3].up = true;
    while (member(3)->state != ROUTER_MEMBER_SYNC)
        run_for(ROUND_MS);
    lose(3, 6000);
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
    lose(3, 20000);
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
    bring_back(3, 1500);
    assert_state(3, "RAISE");
    f.refuse_counts = 0;
    run_for(3000);
    assert_state(3, "IN");
    assert_int_equal(f.count[0], 2);
}

static void with_both_out_a_new_leader_takes_in_who_comes(void **state)
{
    (void)state;
    begin_without(3);
    lose(6, 2700);
    f.n[3].up = true;
    while (member(6)->state != ROUTER_MEMBER_FORGET)
        run_for(ROUND_MS);
    lose(3, 1000);
    assert_state(3, "OUT");
    assert_state(6, "OUT");
    another_leader();
    run_for(3000);
    assert_state(3, "OUT"); /* nobody could confirm a count */
    assert_state(6, "OUT");
    assert_int_equal(f.count[0], 1);
    bring_back_in(6, 5000);
    assert_int_equal(f.count[0], 1);
    bring_back_in(3, 5000);
    assert_int_equal(f.count[0], 2);
}

static void who_cannot_confirm_is_taken_out_for_who_waits_for_it(void **state)
{
    (void)state;
    begin_without(3);
    f.n[3].up = true;
    f.n[6].up = false; /* at the same moment the leader dies, and does not know the count */
    another_leader();
    run_for(15000);
    assert_state(3, "IN");
    assert_state(6, "OUT");
    assert_int_equal(f.count[0], 1);
    bring_back_in(6, 5000);
    assert_int_equal(f.count[0], 2);
}

static void who_is_noted_as_in_and_unknown_comes_in_by_all_the_steps(void **state)
{
    (void)state;
    begin_without(3);
    member(3)->state = ROUTER_MEMBER_IN; /* its note was lost */
    another_leader();
    bring_back(3, 500);
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
    lose(0, 5000);
    f.n[0].up = true; /* no election: it was only slow */
    run_for(5000);
    assert_string_equal(f.log, "");
}

static void a_new_leader_believes_no_note(void **state)
{
    char note[256];
    (void)state;
    begin_without(3);
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
        T(who_is_not_noted_is_not_taken_out),
        T(who_comes_back_while_the_count_cannot_be_lowered_is_let_in),
        T(with_both_out_a_new_leader_takes_in_who_comes),
        T(who_cannot_confirm_is_taken_out_for_who_waits_for_it),
        T(who_is_noted_as_in_and_unknown_comes_in_by_all_the_steps),
        T(whom_a_few_forgot_is_made_known_to_them),
        T(a_pause_of_the_primary_makes_nobody_lost),
        T(a_new_leader_believes_no_note),
        T(nodes_without_a_user_of_their_own_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
