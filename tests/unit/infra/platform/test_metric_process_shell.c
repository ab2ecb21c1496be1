/* SPDX-License-Identifier: Apache-2.0
 * What a process tells of itself, held against the system. */
#include "unit.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <meridian/loop.h>

#include "metric_moved.h"

static void the_values_are_those_of_this_process(void **state)
{
    struct mer_loop loop;
    struct mer_metrics m;
    struct mer_buf b;
    uint64_t fds, started;
    int extra;

    (void)state;
    assert_int_equal(mer_loop_init(&loop, mer_clock_system()), 0);
    mer_metrics_init(&m);
    mer_buf_init(&b, 0);
    mer_metrics_add_process(&m, &loop);
    mer_loop_run(&loop);
    loop.longest_turn_us = 77;
    assert_int_equal(mer_metrics_render(&m, &b), MER_OK);
    fds = metric_value(&m, "process_open_fds");
    assert_true(fds >= 3 && fds < 1000);
    extra = open("/dev/null", O_RDONLY);
    mer_buf_clear(&b);
    assert_int_equal(metric_value(&m, "meridian_loop_longest_turn_seconds"), 77);
    assert_int_equal(mer_metrics_render(&m, &b), MER_OK);
    assert_metric_moved(&m, "process_open_fds", fds, 1);
    assert_int_equal(metric_value(&m, "meridian_loop_longest_turn_seconds"), 0); /* since the last scrape */
    close(extra);
    started = metric_value(&m, "process_start_time_seconds") / 1000000;
    assert_true(started <= (uint64_t)time(NULL) + 1 && started + 60 > (uint64_t)time(NULL));
    assert_true(metric_value(&m, "process_resident_memory_bytes") > 1000000);
    assert_true(metric_value(&m, "process_virtual_memory_bytes") >= metric_value(&m, "process_resident_memory_bytes"));
    assert_true(metric_value(&m, "process_max_fds") > 0);
    assert_true(metric_value(&m, "process_cpu_seconds_total") > 0);
    assert_true(metric_value(&m, "meridian_loop_turns_total") > 0);
    mer_buf_deinit(&b);
    mer_loop_deinit(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_values_are_those_of_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
