/* SPDX-License-Identifier: Apache-2.0
 * The breaker: every state with everything that can happen in it. */
#include <meridian/breaker.h>

#include "unit.h"

static const struct mer_breaker_rule rule = {3, 1000};

static struct mer_breaker opened_at(uint64_t now_ms)
{
    struct mer_breaker b;
    mer_breaker_init(&b);
    for (int i = 0; i < 3; i++)
        mer_breaker_failure(&b, rule, now_ms);
    assert_int_equal(b.state, MER_BREAKER_OPEN);
    return b;
}

static struct mer_breaker probing_at(uint64_t now_ms)
{
    struct mer_breaker b = opened_at(now_ms - 1000);
    assert_true(mer_breaker_allows(&b, rule, now_ms));
    assert_int_equal(b.state, MER_BREAKER_PROBING);
    return b;
}

static void failures_in_a_row_open_it(void **state)
{
    (void)state;
    struct mer_breaker b;
    mer_breaker_init(&b);
    assert_true(mer_breaker_allows(&b, rule, 0));
    assert_false(mer_breaker_failure(&b, rule, 0));
    assert_false(mer_breaker_failure(&b, rule, 0));
    mer_breaker_success(&b, 0);
    assert_false(mer_breaker_failure(&b, rule, 0));
    assert_false(mer_breaker_failure(&b, rule, 0));
    assert_true(mer_breaker_allows(&b, rule, 0));
    assert_true(mer_breaker_failure(&b, rule, 0)); /* told once */
    assert_false(mer_breaker_failure(&b, rule, 0));
    assert_false(mer_breaker_allows(&b, rule, 0));
}

static void open_it_lets_one_ask_a_second(void **state)
{
    (void)state;
    struct mer_breaker b = opened_at(5000);
    assert_false(mer_breaker_allows(&b, rule, 5999));
    assert_true(mer_breaker_allows(&b, rule, 6000));
    assert_false(mer_breaker_allows(&b, rule, 6000));
    assert_false(mer_breaker_allows(&b, rule, 6999));
    assert_true(mer_breaker_allows(&b, rule, 7000)); /* the first probe said nothing */
}

static void late_failures_do_not_put_the_probe_off(void **state)
{
    (void)state;
    struct mer_breaker b = opened_at(5000);
    assert_false(mer_breaker_failure(&b, rule, 5900));
    assert_true(mer_breaker_allows(&b, rule, 6000));
}

static void a_probe_that_fails_opens_it_again(void **state)
{
    (void)state;
    struct mer_breaker b = probing_at(6000);
    assert_false(mer_breaker_failure(&b, rule, 6100));
    assert_int_equal(b.state, MER_BREAKER_OPEN);
    assert_false(mer_breaker_allows(&b, rule, 7000));
    assert_true(mer_breaker_allows(&b, rule, 7100));
}

static void any_answer_closes_it(void **state)
{
    (void)state;
    struct mer_breaker open = opened_at(5000), probing = probing_at(6000);
    mer_breaker_success(&open, 5100);
    mer_breaker_success(&probing, 6100);
    assert_int_equal(open.state, MER_BREAKER_CLOSED);
    assert_int_equal(probing.state, MER_BREAKER_CLOSED);
    assert_true(mer_breaker_allows(&open, rule, 5100));
    assert_false(mer_breaker_failure(&open, rule, 5200)); /* counted from the beginning */
    assert_false(mer_breaker_failure(&open, rule, 5200));
    assert_true(mer_breaker_failure(&open, rule, 5200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_open_it),
        cmocka_unit_test(open_it_lets_one_ask_a_second),
        cmocka_unit_test(late_failures_do_not_put_the_probe_off),
        cmocka_unit_test(a_probe_that_fails_opens_it_again),
        cmocka_unit_test(any_answer_closes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
