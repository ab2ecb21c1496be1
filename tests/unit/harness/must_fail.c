/* SPDX-License-Identifier: Apache-2.0
 * must_fail.c - the harness is tested too (C25): this test is wrong on purpose and must be seen to fail (WILL_FAIL in CMakeLists.txt). */
#include "unit.h"

#include "metric_moved.h"

static void a_wrong_expectation_is_a_failure(void **state)
{
    static const struct mer_metric_def def = {"meridian_test_total", "moves by one", MER_COUNTER};
    struct mer_metric_set set;
    struct mer_metrics m;
    uint64_t value = 0;

    (void)state;
    mer_metrics_init(&m);
    mer_metrics_add(&m, &set, &def, 1, &value);
    value++;
    assert_metric_moved(&m, "meridian_test_total", 0, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_expectation_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
