/* SPDX-License-Identifier: Apache-2.0
 * The nodes of a shard that was taken away are forgotten; nobody else ever is, whoever is silent or unlisted. */
#include "tests/unit/region-router/electable_model.h"

enum { AWAY = 2 }; /* the shard: nodes 2, 5 and 8 */

static bool is_member(int i)
{
    for (unsigned m = 0; m < f.e.member_count; m++)
        if (of(f.e.member[m].id) == i)
            return true;
    return false;
}
static void end_nodes(void)
{
    for (int i = AWAY; i < NODES; i += SHARDS)
        f.n[i].up = false;
}
static void forget(int at, int whom)
{
    f.n[at].knows[whom] = false;
}
static void forget_all(void)
{
    for (int i = 0; i < NODES; i++)
        for (int o = AWAY; o < NODES; o += SHARDS)
            forget(i, o);
}
/* As the procedure does it, but for the last step. */
static void take_away(void)
{
    run_for(1000);
    f.empty[AWAY] = true;
    run_for(500);
    end_nodes();
}
#define assert_kept() \
    do { \
        assert_int_equal(f.e.member_count, NODES); \
        assert_int_equal(f.e.shard_count, SHARDS); \
    } while (0)

static void whoever_all_have_forgotten_is_forgotten(void **state)
{
    (void)state;
    take_away();
    run_for(20000);
    assert_kept(); /* ended, and listed: down */
    forget_all();
    run_for(200);
    assert_string_equal(f.log, " 2:dropped 5:dropped 8:dropped");
    assert_int_equal(f.e.member_count, 6);
    assert_int_equal(f.e.shard_count, 2);
    f.log[0] = 0;
    run_for(10000);
    assert_int_equal(f.e.member_count, 6);
    assert_int_equal(router_electable_bare(&f.e), 0);
    for (int i = 0; i < NODES; i++)
        for (int o = AWAY; o < NODES; o += SHARDS)
            assert_false(f.n[i].knows[o]);
    lose(3, 6000); /* and the others are looked after as before */
    assert_string_equal(f.log, " 3:OFF 3:FORGET 3:LOWER 3:OUT");
    bring_back_in(3, 8000);
    assert_int_equal(f.count[0], 2);
}

static void one_that_lists_one_of_them_keeps_them_all(void **state)
{
    (void)state;
    for (int who = 0; who < NODES; who++) {
        if (shard_of(who) == AWAY)
            continue;
        for (int whom = AWAY; whom < NODES; whom += SHARDS) {
            teardown(state);
            setup(state);
            take_away();
            forget_all();
            f.n[who].knows[whom] = true;
            run_for(5000);
            assert_kept();
            forget(who, whom);
            run_for(200);
            assert_int_equal(f.e.member_count, 6);
        }
    }
}

static void a_shard_with_slots_is_kept_although_nobody_lists_it(void **state)
{
    (void)state;
    run_for(1000);
    end_nodes();
    forget_all(); /* by mistake: the slots are nobody's */
    for (int i = 0; i < NODES; i++)
        f.n[i].unassigned = 5461;
    run_for(20000);
    assert_kept();
    for (int i = 0; i < NODES; i++)
        f.n[i].unassigned = 0; /* an operator gave them to the others */
    run_for(200);
    assert_int_equal(f.e.member_count, 6);
}

static void one_leader_that_knows_it_otherwise_keeps_them(void **state)
{
    static const struct {
        bool hides, silent, failed;
        unsigned unassigned;
    } cell[] = {{.hides = true}, {.unassigned = 1}, {.failed = true}, {.silent = true}};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(cell); i++) {
        teardown(state);
        setup(state);
        take_away();
        f.n[1].hides = cell[i].hides;
        f.n[1].unassigned = cell[i].unassigned;
        f.n[1].failed = cell[i].failed;
        f.n[1].up = !cell[i].silent;
        run_for(2500); /* silent: no answer of before counts */
        forget_all();
        run_for(5000);
        assert_kept();
        f.n[1].hides = f.n[1].failed = false;
        f.n[1].unassigned = 0;
        f.n[1].up = true;
        run_for(2500);
        assert_int_equal(f.e.member_count, 6);
    }
}

/* Its replicas lead on the other side of the cut: who is heard here shows a primary that is not. */
static void behind_a_partition_nobody_is_forgotten(void **state)
{
    (void)state;
    run_for(1000);
    for (int i = 0; i < NODES; i++)
        f.n[i].side = shard_of(i) == AWAY;
    for (int side = 0; side < 2; side++) {
        f.only_side = side;
        run_for(20000);
        assert_kept();
    }
    put_on_side(1, 0, 3); /* and of a shard that is cut in two */
    run_for(20000);
    assert_kept();
}

static void who_was_put_out_is_remembered(void **state)
{
    (void)state;
    begin_without(3);
    for (int i = 0; i < NODES; i++)
        assert_false(f.n[i].knows[3]); /* nobody lists it, at our own word */
    run_for(60000);
    assert_kept();
    another_leader();
    run_for(20000);
    assert_kept();
    f.n[0].up = f.n[6].up = false; /* and when all of its shard is silent */
    run_for(20000);
    assert_kept();
    f.n[0].up = f.n[6].up = true;
    bring_back_in(3, 20000);
}

static void who_was_put_out_of_a_shard_that_we_know_nobody_else_of_is_remembered(void **state)
{
    char note[256];
    (void)state;
    begin_without(8);
    router_electable_note(member(8), note);
    struct router_electable_env env = f.e.env;
    take_away();
    forget_all();
    router_electable_deinit(&f.e);
    assert_int_equal(router_electable_init(&f.e, &env, 2), MER_OK);
    assert_int_equal(router_electable_remember(&f.e, id(8), note, f.now), MER_OK);
    run_for(20000);
    assert_true(is_member(8));
}

static void one_that_was_out_goes_with_its_shard_and_first(void **state)
{
    (void)state;
    begin_without(8);
    take_away();
    forget_all();
    f.log[0] = 0;
    run_for(300);
    assert_string_equal(f.log, " 8:dropped 2:dropped 5:dropped");
}

static void nobody_is_dropped_before_his_note_is_deleted(void **state)
{
    char note[256];
    (void)state;
    take_away();
    f.unnoted = true;
    forget_all();
    run_for(5000);
    assert_kept();
    router_electable_note(member(2), note);
    assert_string_equal(note, "");
    f.n[3].knows[2] = true; /* somebody still had it */
    run_for(200);
    router_electable_note(member(2), note);
    assert_string_not_equal(note, "");
    assert_false(member(2)->gone || member(2)->noted);
    f.unnoted = false;
    run_for(200);
    assert_kept();
    forget(3, 2);
    run_for(200);
    assert_int_equal(f.e.member_count, 6);
}

/* Half of the notes were deleted when the leader died. */
static void a_later_leader_forgets_the_rest(void **state)
{
    (void)state;
    take_away();
    run_for(200);
    another_leader();
    forget_all();
    router_electable_deinit(&f.e);
    struct router_electable_env env = f.e.env;
    assert_int_equal(router_electable_init(&f.e, &env, 2), MER_OK);
    char note[256];
    snprintf(note, sizeof note, "%s %s %s in", address(5), user(5), id(AWAY));
    assert_int_equal(router_electable_remember(&f.e, id(5), note, f.now), MER_OK);
    f.log[0] = 0;
    run_for(500);
    assert_string_equal(f.log, " 5:dropped");
    assert_int_equal(f.e.member_count, 6);
}

static void one_that_still_runs_and_claims_slots_is_heard(void **state)
{
    (void)state;
    run_for(1000);
    for (int i = 0; i < NODES; i++)
        for (int o = AWAY; o < NODES; o += SHARDS)
            if (shard_of(i) != AWAY)
                forget(i, o);
    run_for(5000);
    assert_kept();
}

static void one_that_joins_again_is_a_member_again(void **state)
{
    (void)state;
    take_away();
    forget_all();
    run_for(200);
    assert_false(is_member(2));
    f.empty[AWAY] = false;
    for (int i = 0; i < NODES; i++)
        for (int o = 0; o < NODES; o++)
            f.n[i].knows[o] = i != o;
    for (int i = AWAY; i < NODES; i += SHARDS)
        f.n[i].up = true;
    run_for(20000);
    for (int i = 0; i < NODES; i++)
        assert_state(i, "IN");
    assert_int_equal(f.count[AWAY], 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(whoever_all_have_forgotten_is_forgotten),
        T(one_that_lists_one_of_them_keeps_them_all),
        T(a_shard_with_slots_is_kept_although_nobody_lists_it),
        T(one_leader_that_knows_it_otherwise_keeps_them),
        T(behind_a_partition_nobody_is_forgotten),
        T(who_was_put_out_is_remembered),
        T(who_was_put_out_of_a_shard_that_we_know_nobody_else_of_is_remembered),
        T(one_that_was_out_goes_with_its_shard_and_first),
        T(nobody_is_dropped_before_his_note_is_deleted),
        T(a_later_leader_forgets_the_rest),
        T(one_that_still_runs_and_claims_slots_is_heard),
        T(one_that_joins_again_is_a_member_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
