/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "region-router/console/pace.h"

static void nothing_is_known_before_the_first_look(void **state)
{
    struct router_pace p = {0};
    (void)state;
    assert_false(router_pace_known(&p));
    assert_int_equal(router_pace_minute(&p, 1000), 0);
}

static void what_came_since_the_first_look_counts_until_it_is_a_minute_ago(void **state)
{
    struct router_pace p = {0};
    (void)state;
    for (uint64_t i = 0; i < ROUTER_PACE_STEPS; i++) {
        router_pace_step(&p, 100 + 10 * i);
        assert_true(router_pace_known(&p));
        assert_int_equal(router_pace_minute(&p, 100 + 10 * i + 3), 10 * i + 3);
    }
    for (uint64_t i = ROUTER_PACE_STEPS; i < 5 * ROUTER_PACE_STEPS; i++) {
        router_pace_step(&p, 100 + 10 * i);
        assert_int_equal(router_pace_minute(&p, 100 + 10 * i), 10 * (ROUTER_PACE_STEPS - 1));
    }
}

static void a_minute_of_nothing_is_nothing(void **state)
{
    struct router_pace p = {0};
    (void)state;
    router_pace_step(&p, 0);
    router_pace_step(&p, 7000);
    for (int i = 0; i < ROUTER_PACE_STEPS; i++)
        router_pace_step(&p, 7000);
    assert_int_equal(router_pace_minute(&p, 7000), 0);
}

static void a_counter_that_goes_back_or_leaps_is_borne(void **state)
{
    struct router_pace p = {0};
    (void)state;
    router_pace_step(&p, 50);
    assert_int_equal(router_pace_minute(&p, 49), 0);
    assert_int_equal(router_pace_minute(&p, UINT64_MAX), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_before_the_first_look),
        cmocka_unit_test(what_came_since_the_first_look_counts_until_it_is_a_minute_ago),
        cmocka_unit_test(a_minute_of_nothing_is_nothing),
        cmocka_unit_test(a_counter_that_goes_back_or_leaps_is_borne),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
