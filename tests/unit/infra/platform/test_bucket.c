/* SPDX-License-Identifier: Apache-2.0
 * Token buckets (R18). */
#include "unit.h"

#include <meridian/bucket.h>

static const struct mer_bucket_rate rate = {.per_second = 10, .burst = 5};

static unsigned take_all(struct mer_bucket *b, struct mer_bucket_rate r, uint64_t now_ms)
{
    unsigned n = 0;

    while (mer_bucket_take(b, r, now_ms))
        n++;
    return n;
}

static void a_burst_is_allowed_then_the_rate(void **state)
{
    struct mer_bucket b;

    (void)state;
    mer_bucket_init(&b, rate, 1000);
    assert_int_equal(take_all(&b, rate, 1000), 5);
    assert_int_equal(mer_bucket_wait_ms(&b, rate, 1000), 100);
    assert_int_equal(mer_bucket_wait_ms(&b, rate, 1060), 40);
    assert_false(mer_bucket_take(&b, rate, 1099));
    assert_int_equal(mer_bucket_wait_ms(&b, rate, 1100), 0);
    assert_true(mer_bucket_take(&b, rate, 1100));
    assert_int_equal(take_all(&b, rate, 100000), 5);
}

static void no_fraction_is_lost_over_many_small_steps(void **state)
{
    const struct mer_bucket_rate r = {.per_second = 3, .burst = 1};
    struct mer_bucket b;
    unsigned n = 0;

    (void)state;
    mer_bucket_init(&b, r, 0);
    for (uint64_t t = 0; t < 60000; t++)
        n += mer_bucket_take(&b, r, t);
    assert_true(n >= 179 && n <= 181);
}

static void the_wrap_of_32_bits_is_harmless(void **state)
{
    struct mer_bucket b;
    uint64_t now = UINT32_MAX - 50ULL;

    (void)state;
    mer_bucket_init(&b, rate, now);
    assert_int_equal(take_all(&b, rate, now), 5);
    assert_int_equal(take_all(&b, rate, now + 100), 1);
    assert_int_equal(take_all(&b, rate, now + 300), 2);
}

static void a_clock_read_late_gives_nothing_away(void **state)
{
    struct mer_bucket b;

    (void)state;
    mer_bucket_init(&b, rate, 5000);
    assert_int_equal(take_all(&b, rate, 5000), 5);
    assert_false(mer_bucket_take(&b, rate, 4990));
}

static void extremes_do_not_overflow(void **state)
{
    const struct mer_bucket_rate huge = {.per_second = UINT32_MAX, .burst = UINT32_MAX}, none = {.per_second = 0, .burst = 1};
    struct mer_bucket b;

    (void)state;
    mer_bucket_init(&b, huge, 0);
    assert_true(mer_bucket_take(&b, huge, UINT32_MAX / 2));
    mer_bucket_init(&b, none, 0);
    assert_true(mer_bucket_take(&b, none, 0));
    assert_false(mer_bucket_take(&b, none, 1000000));
    assert_int_equal(mer_bucket_wait_ms(&b, none, 1000000), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_allowed_then_the_rate), cmocka_unit_test(no_fraction_is_lost_over_many_small_steps),
        cmocka_unit_test(the_wrap_of_32_bits_is_harmless),  cmocka_unit_test(a_clock_read_late_gives_nothing_away),
        cmocka_unit_test(extremes_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
