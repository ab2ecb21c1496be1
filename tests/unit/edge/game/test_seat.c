/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/game/seat.h"

#include "unit.h"

#define NONE EDGE_SEAT_NSTATES
#define S(name) EDGE_SEAT_##name

static const struct edge_seat_policy policy = {EDGE_SEAT_GRACE_MS, EDGE_SEAT_PAUSE_MS, false};

/* The picture of seat.h, written down a second time: every cell. */
static void every_event_leads_where_the_picture_says(void **state)
{
    (void)state;
    static const unsigned expected[EDGE_SEAT_NSTATES][EDGE_SEAT_NEVENTS] = {
        /*             DROP      RETURN     TIMER      ABANDON  LEAVE */
        [S(SEATED)] = {S(GRACE), NONE, NONE, NONE, S(LEFT)},
        [S(GRACE)] = {NONE, S(SEATED), S(PAUSED), NONE, S(LEFT)},
        [S(PAUSED)] = {NONE, S(SEATED), S(BOT), S(LEFT), S(LEFT)},
        [S(BOT)] = {NONE, S(SEATED), NONE, NONE, S(LEFT)},
        [S(LEFT)] = {NONE, NONE, NONE, NONE, NONE},
    };
    for (unsigned s = 0; s < EDGE_SEAT_NSTATES; s++)
        for (unsigned e = 0; e < EDGE_SEAT_NEVENTS; e++) {
            enum edge_seat_state next = EDGE_SEAT_NSTATES;
            bool can = edge_seat_next((enum edge_seat_state)s, (enum edge_seat_event)e, &next);
            assert_int_equal(can, expected[s][e] != NONE);
            assert_int_equal(next, expected[s][e]);
        }
    enum edge_seat_state next;
    assert_false(edge_seat_next(EDGE_SEAT_NSTATES, EDGE_SEAT_ON_DROP, &next));
    assert_false(edge_seat_next(EDGE_SEAT_SEATED, EDGE_SEAT_NEVENTS, &next));
}

static void only_grace_and_pause_have_a_due_time(void **state)
{
    (void)state;
    struct edge_seat s = {0};
    edge_seat_move(&s, EDGE_SEAT_ON_DROP, 1000, &policy);
    assert_int_equal(s.due_ms, 1000 + 30000);
    edge_seat_move(&s, EDGE_SEAT_ON_TIMER, 31000, &policy);
    assert_int_equal(s.due_ms, 31000 + 120000);
    edge_seat_move(&s, EDGE_SEAT_ON_TIMER, 151000, &policy);
    assert_int_equal(s.state, EDGE_SEAT_BOT);
    assert_int_equal(s.due_ms, 0);
    edge_seat_move(&s, EDGE_SEAT_ON_RETURN, 160000, &policy);
    assert_int_equal(s.state, EDGE_SEAT_SEATED);
    assert_int_equal(s.due_ms, 0);
}

static void names_are_for_logs(void **state)
{
    (void)state;
    assert_string_equal(edge_seat_state_name(EDGE_SEAT_GRACE), "GRACE");
    assert_string_equal(edge_seat_event_name(EDGE_SEAT_ON_ABANDON), "ABANDON");
    assert_string_equal(edge_seat_state_name(EDGE_SEAT_NSTATES), "?");
    assert_string_equal(edge_seat_event_name(EDGE_SEAT_NEVENTS), "?");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_leads_where_the_picture_says),
        cmocka_unit_test(only_grace_and_pause_have_a_due_time),
        cmocka_unit_test(names_are_for_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
