/* SPDX-License-Identifier: Apache-2.0
 * An edge that leaves: every state hears every event. */
#include "unit.h"

#include "edge/leave_states.h"

#define S(x) EDGE_LEAVE_##x

static void every_state_answers_every_event(void **state)
{
    static const struct {
        enum edge_leave_state from, drain, go, done, undrain;
    } cells[] = {
        {S(IDLE), S(ASKING), S(IDLE), S(IDLE), S(IDLE)},
        {S(ASKING), S(ASKING), S(MOVING), S(LAST), S(IDLE)},
        {S(MOVING), S(MOVING), S(MOVING), S(LAST), S(IDLE)},
        {S(LAST), S(LAST), S(LAST), S(LAST), S(LAST)},
    };
    (void)state;
    assert_int_equal(MER_COUNT(cells), EDGE_LEAVE_NSTATES);
    for (size_t i = 0; i < MER_COUNT(cells); i++) {
        assert_int_equal(edge_leave_next(cells[i].from, EDGE_LEAVE_ON_DRAIN), cells[i].drain);
        assert_int_equal(edge_leave_next(cells[i].from, EDGE_LEAVE_ON_GO), cells[i].go);
        assert_int_equal(edge_leave_next(cells[i].from, EDGE_LEAVE_ON_DONE), cells[i].done);
        assert_int_equal(edge_leave_next(cells[i].from, EDGE_LEAVE_ON_UNDRAIN), cells[i].undrain);
    }
    assert_string_equal(edge_leave_state_name(S(MOVING)), "MOVING");
    assert_string_equal(edge_leave_state_name(EDGE_LEAVE_NSTATES), "?");
}

/* What is said and what the table does are one. */
static void what_cannot_be_taken_back_is_said(void **state)
{
    (void)state;
    for (int s = 0; s < EDGE_LEAVE_NSTATES; s++) {
        bool can = edge_leave_next(s, EDGE_LEAVE_ON_UNDRAIN) != (enum edge_leave_state)s;
        assert_int_equal(edge_leave_objection(s, false) == NULL, can);
        assert_non_null(edge_leave_objection(s, true));
    }
    assert_non_null(strstr(edge_leave_objection(S(LAST), false), "too late"));
    assert_non_null(strstr(edge_leave_objection(S(MOVING), true), "SIGTERM"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_answers_every_event),
        cmocka_unit_test(what_cannot_be_taken_back_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
