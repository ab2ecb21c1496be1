/* SPDX-License-Identifier: Apache-2.0
 * Every cell of the table in life.c, first as a table, then driven through the core: a game is brought into each state and hears each
 * event. */
#include "game_fix.h"

#define S(name) EDGE_GAME_##name
#define NO EDGE_GAME_NSTATES

static const uint8_t want[EDGE_GAME_NSTATES][EDGE_GAME_NEVENTS] = {
    [S(IDLE)] = {[EDGE_GAME_ON_CHANGE] = S(PUTTING), [EDGE_GAME_ON_VERIFY] = S(READING)},
    [S(PUTTING)] = {[EDGE_GAME_ON_STORED] = S(IDLE) + 100,
                    [EDGE_GAME_ON_NOT_NOW] = S(PUT_LATER),
                    [EDGE_GAME_ON_UNSURE] = S(READING),
                    [EDGE_GAME_ON_FENCED] = S(LOST),
                    [EDGE_GAME_ON_ABSENT] = S(FROZEN)},
    [S(PUT_LATER)] = {[EDGE_GAME_ON_TIMER] = S(PUTTING)},
    [S(READING)] = {[EDGE_GAME_ON_NOT_NOW] = S(READ_LATER),
                    [EDGE_GAME_ON_UNSURE] = S(READ_LATER),
                    [EDGE_GAME_ON_FENCED] = S(LOST),
                    [EDGE_GAME_ON_ABSENT] = S(FROZEN),
                    [EDGE_GAME_ON_SEEN_NEXT] = S(IDLE) + 100,
                    [EDGE_GAME_ON_SEEN_NOW] = S(IDLE) + 100,
                    [EDGE_GAME_ON_SEEN_OLD] = S(RESTORING),
                    [EDGE_GAME_ON_SEEN_ODD] = S(FROZEN)},
    [S(READ_LATER)] = {[EDGE_GAME_ON_TIMER] = S(READING)},
    [S(RESTORING)] = {[EDGE_GAME_ON_STORED] = S(IDLE) + 100,
                      [EDGE_GAME_ON_NOT_NOW] = S(READ_LATER),
                      [EDGE_GAME_ON_UNSURE] = S(READ_LATER),
                      [EDGE_GAME_ON_FENCED] = S(LOST),
                      [EDGE_GAME_ON_ABSENT] = S(FROZEN)},
    [S(FROZEN)] = {[EDGE_GAME_ON_TIMER] = S(READING)},
};

static void every_cell_leads_where_the_picture_says(void **state)
{
    (void)state;
    for (unsigned s = 0; s < EDGE_GAME_NSTATES; s++)
        for (unsigned e = 0; e < EDGE_GAME_NEVENTS; e++) {
            enum edge_game_store next = EDGE_GAME_NSTATES;
            bool can = edge_game_store_next((enum edge_game_store)s, (enum edge_game_event)e, &next);
            if (can != (want[s][e] != 0) || (can && next != want[s][e] % 100))
                fail_msg("%s on %s: %d %s", edge_game_store_name((enum edge_game_store)s), edge_game_event_name((enum edge_game_event)e),
                         can, edge_game_store_name(next));
        }
}

static void what_is_no_state_and_no_event_leads_nowhere(void **state)
{
    (void)state;
    enum edge_game_store next = EDGE_GAME_LOST;
    assert_false(edge_game_store_next(EDGE_GAME_NSTATES, EDGE_GAME_ON_TIMER, &next));
    assert_false(edge_game_store_next(EDGE_GAME_IDLE, EDGE_GAME_NEVENTS, &next));
    assert_int_equal(next, EDGE_GAME_LOST);
    assert_string_equal(edge_game_store_name(EDGE_GAME_NSTATES), "?");
    assert_string_equal(edge_game_event_name(EDGE_GAME_NEVENTS), "?");
}

/* A game with a flip in flight, in the wanted state. */
static void bring(struct fix *f, enum edge_game_store s)
{
    struct edge_game_spec spec = fix_spec(2, 4, 4, 0);
    fix_init(f, &edge_memory, &spec, 1);
    if (s == EDGE_GAME_IDLE)
        return;
    fix_flip(f, 0, 3, "m1");
    if (s == EDGE_GAME_PUT_LATER)
        fix_put_done(f, EDGE_GAME_ON_NOT_NOW);
    else if (s == EDGE_GAME_LOST)
        fix_put_done(f, EDGE_GAME_ON_FENCED);
    else if (s == EDGE_GAME_FROZEN)
        fix_put_done(f, EDGE_GAME_ON_ABSENT);
    else if (s != EDGE_GAME_PUTTING)
        fix_put_done(f, EDGE_GAME_ON_UNSURE);
    if (s == EDGE_GAME_READ_LATER)
        fix_read_done(f, EDGE_GAME_ON_NOT_NOW, false, 0);
    else if (s == EDGE_GAME_RESTORING) {
        f->g.now.version += 5, f->g.next.version += 5; /* as if five moves had been confirmed that the store then lost */
        fix_read_done(f, EDGE_GAME_ON_STORED, true, 2);
    }
    assert_int_equal(f->g.store, s);
}

static void an_answer_that_cannot_come_is_counted_and_ignored(void **state)
{
    (void)state;
    for (unsigned s = 0; s < EDGE_GAME_NSTATES; s++)
        for (unsigned e = EDGE_GAME_ON_STORED; e <= EDGE_GAME_ON_ABSENT; e++) {
            struct fix f;
            if (want[s][e])
                continue;
            bring(&f, (enum edge_game_store)s);
            struct edge_game_state now = f.g.now;
            unsigned said = f.said_count;
            edge_game_put_done(&f.g, f.t, (enum edge_game_event)e);
            assert_int_equal(f.g.store, s);
            assert_int_equal(f.said_count, said);
            assert_int_equal(f.notes[EDGE_GAME_NOTE_STRAY], 1);
            assert_memory_equal(&now, &f.g.now, sizeof(now));
            edge_game_check(&f.g);
            fix_deinit(&f);
        }
}

static void a_call_the_store_does_not_take_is_made_again(void **state)
{
    (void)state;
    struct fix f;
    bring(&f, EDGE_GAME_IDLE);
    f.refuse_calls = true;
    fix_flip(&f, 0, 3, "m1");
    assert_store(&f, PUT_LATER);
    fix_run(&f, 400);
    f.refuse_calls = false;
    fix_run(&f, 1000);
    assert_store(&f, PUTTING);
    f.refuse_calls = true;
    fix_put_done(&f, EDGE_GAME_ON_UNSURE);
    assert_store(&f, READ_LATER);
    f.refuse_calls = false;
    fix_run(&f, 1000);
    assert_store(&f, READING);
    f.refuse_calls = true;
    f.g.now.version += 5, f.g.next.version += 5;
    fix_read_done(&f, EDGE_GAME_ON_STORED, true, 2);
    assert_store(&f, READ_LATER);
    fix_deinit(&f);
}

static void waits_grow_to_a_second_and_no_further(void **state)
{
    (void)state;
    struct fix f;
    uint64_t longest = 0;
    bring(&f, EDGE_GAME_PUTTING);
    for (unsigned i = 0; i < 40; i++) {
        fix_put_done(&f, EDGE_GAME_ON_NOT_NOW);
        uint64_t wait = f.g.retry_at_ms - f.t.mono_ms;
        assert_in_range(wait, 25, 1000);
        longest = wait > longest ? wait : longest;
        fix_run(&f, wait);
        assert_store(&f, PUTTING);
    }
    assert_true(longest > 500);
    fix_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_leads_where_the_picture_says),
        cmocka_unit_test(what_is_no_state_and_no_event_leads_nowhere),
        cmocka_unit_test(an_answer_that_cannot_come_is_counted_and_ignored),
        cmocka_unit_test(a_call_the_store_does_not_take_is_made_again),
        cmocka_unit_test(waits_grow_to_a_second_and_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
