/* SPDX-License-Identifier: Apache-2.0
 * Metrics: the text a Prometheus reads, byte by byte. */
#include "unit.h"

#include "metric_moved.h"

static const struct mer_metric_def defs[] = {
    {"meridian_test_things_total", "things done", MER_COUNTER},
    {"meridian_test_closed_total", "closed by code", MER_COUNTER, "code=\"1000\""},
    {"meridian_test_closed_total", "closed by code", MER_COUNTER, "code=\"1012\""},
    {"meridian_test_open", "open now", MER_GAUGE},
    {"meridian_test_busy_seconds_total", "busy", MER_COUNTER_US},
    {"meridian_test_oldest_seconds", "oldest", MER_GAUGE_US, "queue=\"a\""},
};

static const char *render(const struct mer_metrics *m, struct mer_buf *b)
{
    mer_buf_clear(b);
    assert_int_equal(mer_metrics_render(m, b), MER_OK);
    assert_int_equal(mer_buf_append(b, "", 1), MER_OK);
    return (char *)b->data;
}

static void set_gauge(struct mer_metric_set *set)
{
    set->values[3] = 7;
}

static void rows_are_rendered_with_one_head_a_name(void **state)
{
    uint64_t values[MER_COUNT(defs)] = {1, 2, 3, 0, 1500001, 2000000};
    struct mer_metric_set set;
    struct mer_metrics m;
    struct mer_buf b;

    (void)state;
    mer_buf_init(&b, 0);
    mer_metrics_init(&m);
    mer_metrics_add(&m, &set, defs, MER_COUNT(defs), values);
    set.refresh = set_gauge;
    assert_string_equal(render(&m, &b), "# HELP meridian_test_things_total things done\n"
                                        "# TYPE meridian_test_things_total counter\n"
                                        "meridian_test_things_total 1\n"
                                        "# HELP meridian_test_closed_total closed by code\n"
                                        "# TYPE meridian_test_closed_total counter\n"
                                        "meridian_test_closed_total{code=\"1000\"} 2\n"
                                        "meridian_test_closed_total{code=\"1012\"} 3\n"
                                        "# HELP meridian_test_open open now\n"
                                        "# TYPE meridian_test_open gauge\n"
                                        "meridian_test_open 7\n"
                                        "# HELP meridian_test_busy_seconds_total busy\n"
                                        "# TYPE meridian_test_busy_seconds_total counter\n"
                                        "meridian_test_busy_seconds_total 1.500001\n"
                                        "# HELP meridian_test_oldest_seconds oldest\n"
                                        "# TYPE meridian_test_oldest_seconds gauge\n"
                                        "meridian_test_oldest_seconds{queue=\"a\"} 2.000000\n");
    assert_int_equal(metric_value(&m, "meridian_test_closed_total{code=\"1012\"}"), 3);
    mer_metrics_remove(&set);
    assert_string_equal(render(&m, &b), "");
    mer_buf_deinit(&b);
}

static void histograms_count_into_the_right_bucket(void **state)
{
    static const struct {
        uint64_t us;
        unsigned bucket;
    } cases[] = {{0, 0},
                 {1, 0},
                 {10, 0},
                 {11, 1},
                 {20, 1},
                 {21, 2},
                 {40, 2},
                 {41, 3},
                 {80, 3},
                 {81, 4},
                 {10ULL << 22, 22},
                 {(10ULL << 23) - 1, 23},
                 {10ULL << 23, 23},
                 {(10ULL << 23) + 1, 24},
                 {UINT32_MAX, 24},
                 {UINT64_MAX / 2, 24}};

    (void)state;
    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        struct mer_hist h = {0};
        mer_hist_add_us(&h, cases[i].us);
        if (h.bucket[cases[i].bucket] != 1)
            fail_msg("%llu us is not in bucket %u", (unsigned long long)cases[i].us, cases[i].bucket);
        assert_int_equal(h.count, 1);
        assert_true(h.sum_us == cases[i].us);
    }
}

static void histograms_are_rendered_cumulative_in_seconds(void **state)
{
    static const struct mer_metric_def def = {"meridian_test_wait_seconds", "waiting", MER_COUNTER, "to=\"edge\""};
    struct mer_hist h = {0};
    struct mer_metric_set set;
    struct mer_metrics m;
    struct mer_buf b;
    const char *text;

    (void)state;
    mer_hist_add_us(&h, 5);
    mer_hist_add_us(&h, 1000);
    mer_hist_add_us(&h, 200000000);
    mer_buf_init(&b, 0);
    mer_metrics_init(&m);
    mer_metrics_add_hist(&m, &set, &def, &h);
    text = render(&m, &b);
    assert_non_null(
        strstr(text, "# TYPE meridian_test_wait_seconds histogram\nmeridian_test_wait_seconds_bucket{to=\"edge\",le=\"0.00001\"} 1\n"));
    assert_non_null(strstr(text, "le=\"0.00064\"} 1\n"));
    assert_non_null(strstr(text, "le=\"0.00128\"} 2\n"));
    assert_non_null(strstr(text,
                           "le=\"83.88608\"} 2\nmeridian_test_wait_seconds_bucket{to=\"edge\",le=\"+Inf\"} 3\n"
                           "meridian_test_wait_seconds_sum{to=\"edge\"} 200.001005\nmeridian_test_wait_seconds_count{to=\"edge\"} 3\n"));
    mer_buf_deinit(&b);
}

static void a_bounded_buffer_is_an_error_not_half_an_answer_taken_for_whole(void **state)
{
    uint64_t values[MER_COUNT(defs)] = {0};
    struct mer_metric_set set;
    struct mer_metrics m;
    struct mer_buf b;

    (void)state;
    mer_buf_init(&b, 100);
    mer_metrics_init(&m);
    mer_metrics_add(&m, &set, defs, MER_COUNT(defs), values);
    assert_int_equal(mer_metrics_render(&m, &b), MER_EBUSY);
    mer_buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_rendered_with_one_head_a_name),
        cmocka_unit_test(histograms_count_into_the_right_bucket),
        cmocka_unit_test(histograms_are_rendered_cumulative_in_seconds),
        cmocka_unit_test(a_bounded_buffer_is_an_error_not_half_an_answer_taken_for_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
