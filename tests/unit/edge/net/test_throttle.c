/* SPDX-License-Identifier: Apache-2.0
 * The throttle: each limit, what counts as one address, and a table that is full. */
#include "edge/net/throttle.h"

#include "unit.h"

static struct edge_addr v4(uint32_t n)
{
    struct edge_addr a;
    uint8_t ip[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    edge_addr_from_v4(&a, ip, 1234);
    return a;
}

static struct edge_throttle make(struct edge_throttle_conf conf)
{
    struct edge_throttle t;
    assert_int_equal(edge_throttle_init(&t, &conf), MER_OK);
    return t;
}

static void connections_of_an_address_are_limited_and_given_back(void **state)
{
    (void)state;
    struct edge_throttle t = make((struct edge_throttle_conf){.connections = 3});
    struct edge_addr a = v4(1), b = v4(2);
    bool tracked;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(edge_throttle_enter(&t, &a, 0, &tracked), EDGE_ADMIT_OK);
        assert_true(tracked);
        edge_throttle_upgraded(&t, &a);
    }
    assert_int_equal(edge_throttle_enter(&t, &a, 0, &tracked), EDGE_ADMIT_REFUSE);
    assert_int_equal(edge_throttle_enter(&t, &b, 0, &tracked), EDGE_ADMIT_OK);
    edge_throttle_leave(&t, &a, false); /* the refused one */
    edge_throttle_leave(&t, &a, true);
    assert_int_equal(edge_throttle_enter(&t, &a, 0, &tracked), EDGE_ADMIT_OK);
    edge_throttle_deinit(&t);
}

static void connections_not_yet_upgraded_have_a_limit_of_their_own(void **state)
{
    (void)state;
    struct edge_throttle t = make((struct edge_throttle_conf){.connections = 100, .pending = 2});
    struct edge_addr a = v4(1);
    bool tracked;
    assert_int_equal(edge_throttle_enter(&t, &a, 0, &tracked), EDGE_ADMIT_OK);
    assert_int_equal(edge_throttle_enter(&t, &a, 0, &tracked), EDGE_ADMIT_OK);
    assert_int_equal(edge_throttle_enter(&t, &a, 0, &tracked), EDGE_ADMIT_CLOSE);
    assert_false(tracked);
    edge_throttle_upgraded(&t, &a);
    assert_int_equal(edge_throttle_enter(&t, &a, 0, &tracked), EDGE_ADMIT_OK);
    edge_throttle_deinit(&t);
}

static void a_rate_over_the_limit_is_told_and_far_over_it_is_not(void **state)
{
    (void)state;
    struct edge_throttle t = make((struct edge_throttle_conf){.handshakes = {10, 20}});
    struct edge_addr a = v4(1);
    int answers[3] = {0};
    bool tracked;
    for (int i = 0; i < 60; i++)
        answers[edge_throttle_enter(&t, &a, 1000, &tracked)]++;
    assert_int_equal(answers[EDGE_ADMIT_OK], 20);
    assert_int_equal(answers[EDGE_ADMIT_REFUSE], 20);
    assert_int_equal(answers[EDGE_ADMIT_CLOSE], 20);
    assert_int_equal(edge_throttle_wait_ms(&t, &a, 1000), 1000);
    assert_int_equal(edge_throttle_enter(&t, &a, 1100, &tracked), EDGE_ADMIT_OK);
    edge_throttle_deinit(&t);
}

static void an_ipv6_network_of_64_bits_is_one_address(void **state)
{
    (void)state;
    struct edge_throttle t = make((struct edge_throttle_conf){.connections = 1});
    uint8_t ip[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1};
    struct edge_addr a, b, other;
    bool tracked;
    edge_addr_from_v6(&a, ip, 1);
    ip[15] = 9;
    edge_addr_from_v6(&b, ip, 2);
    ip[7] = 2;
    edge_addr_from_v6(&other, ip, 3);
    assert_int_equal(edge_throttle_enter(&t, &a, 0, &tracked), EDGE_ADMIT_OK);
    assert_int_equal(edge_throttle_enter(&t, &b, 0, &tracked), EDGE_ADMIT_REFUSE);
    assert_int_equal(edge_throttle_enter(&t, &other, 0, &tracked), EDGE_ADMIT_OK);
    edge_throttle_deinit(&t);
}

static void without_limits_nothing_is_tracked(void **state)
{
    (void)state;
    struct edge_throttle t = make((struct edge_throttle_conf){0});
    struct edge_addr a = v4(1);
    bool tracked = true;
    assert_int_equal(edge_throttle_enter(&t, &a, 0, &tracked), EDGE_ADMIT_OK);
    assert_false(tracked);
    assert_int_equal(edge_throttle_wait_ms(&t, &a, 0), 1000);
    edge_throttle_deinit(&t);
}

static void a_full_table_lets_strangers_in_uncounted(void **state)
{
    (void)state;
    struct edge_throttle t = make((struct edge_throttle_conf){.connections = 1, .sets = 1});
    bool tracked;
    for (uint32_t i = 0; i < EDGE_THROTTLE_WAYS; i++) {
        struct edge_addr a = v4(i);
        assert_int_equal(edge_throttle_enter(&t, &a, i, &tracked), EDGE_ADMIT_OK);
        assert_true(tracked);
    }
    struct edge_addr stranger = v4(1000), first = v4(0);
    assert_int_equal(edge_throttle_enter(&t, &stranger, 10, &tracked), EDGE_ADMIT_OK);
    assert_false(tracked);
    assert_int_equal(t.untracked, 1);
    edge_throttle_leave(&t, &first, false); /* its entry is free for the next */
    assert_int_equal(edge_throttle_enter(&t, &stranger, 11, &tracked), EDGE_ADMIT_OK);
    assert_true(tracked);
    edge_throttle_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_of_an_address_are_limited_and_given_back),
        cmocka_unit_test(connections_not_yet_upgraded_have_a_limit_of_their_own),
        cmocka_unit_test(a_rate_over_the_limit_is_told_and_far_over_it_is_not),
        cmocka_unit_test(an_ipv6_network_of_64_bits_is_one_address),
        cmocka_unit_test(without_limits_nothing_is_tracked),
        cmocka_unit_test(a_full_table_lets_strangers_in_uncounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
