/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "tests/load/hist.h"

static void an_empty_histogram_has_no_times(void **state)
{
    (void)state;
    static struct load_hist h;
    assert_int_equal(load_hist_at(&h, 0.5), 0);
    assert_int_equal(load_hist_at(&h, 1), 0);
}

static void small_times_are_kept_exactly(void **state)
{
    (void)state;
    static struct load_hist h;
    for (uint64_t us = 1; us <= 100; us++)
        load_hist_add(&h, us);
    assert_int_equal(load_hist_at(&h, 0.5), 50);
    assert_int_equal(load_hist_at(&h, 0.99), 99);
    assert_int_equal(load_hist_at(&h, 1), 100);
    assert_int_equal(h.max_us, 100);
    assert_int_equal(h.sum_us, 5050);
}

static void every_time_is_found_again_within_two_percent(void **state)
{
    (void)state;
    for (uint64_t us = 1; us < UINT64_C(3600) * 1000000; us += us / 7 + 1) {
        static struct load_hist h;
        memset(&h, 0, sizeof(h));
        load_hist_add(&h, us);
        load_hist_add(&h, us * 4); /* so that the largest does not cut it */
        uint64_t found = load_hist_at(&h, 0.5);
        assert_true(found >= us);
        assert_true(found <= us + us / 50);
    }
}

static void times_beyond_reach_are_counted_and_bounded_by_the_largest(void **state)
{
    (void)state;
    static struct load_hist h;
    load_hist_add(&h, UINT64_MAX / 2);
    assert_int_equal(h.count, 1);
    assert_int_equal(load_hist_at(&h, 0.5), UINT64_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_has_no_times),
        cmocka_unit_test(small_times_are_kept_exactly),
        cmocka_unit_test(every_time_is_found_again_within_two_percent),
        cmocka_unit_test(times_beyond_reach_are_counted_and_bounded_by_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
