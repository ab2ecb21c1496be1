/* SPDX-License-Identifier: Apache-2.0
 * test_path.c - what one direction of a connection does to packets: each fault alone, with the chances that were asked for. */
#include "unit.h"

#include "tests/wan/path.h"

enum { PACKETS = 100000, STEP_US = 10000, SIZE = 1000 };

/* PACKETS packets, STEP_US apart: how many arrived, and the least, greatest and mean delay. */
struct seen {
    uint64_t arrived, least, most, total, overtaken;
};
static struct seen send_all(struct wan_path *p)
{
    struct seen s = {.least = UINT64_MAX};
    uint64_t at[2], last = 0;
    for (uint64_t i = 0; i < PACKETS; i++) {
        unsigned times = wan_path_pass(p, i * STEP_US, SIZE, at);
        for (unsigned k = 0; k < times; k++) {
            uint64_t took = at[k] - i * STEP_US;
            s.arrived++;
            s.total += took;
            s.least = took < s.least ? took : s.least;
            s.most = took > s.most ? took : s.most;
        }
        s.overtaken += times > 0 && at[0] < last;
        last = times > 0 ? at[0] : last;
    }
    return s;
}

#define assert_near(a, b, within) assert_in_range(a, (b) - (within), (b) + (within))

static void path_without_settings_is_a_wire(void **state)
{
    (void)state;
    struct wan_path p;
    wan_path_init(&p, 1);
    struct seen s = send_all(&p);
    assert_int_equal(s.arrived, PACKETS);
    assert_int_equal(s.total, 0);
    assert_int_equal(p.counts.passed, PACKETS);
    assert_int_equal(p.counts.bytes, (uint64_t)PACKETS * SIZE);
}

static void delay_is_within_the_jitter_and_the_order_is_kept(void **state)
{
    (void)state;
    struct wan_path p;
    wan_path_init(&p, 1);
    p.set = (struct wan_settings){.delay_us = 40000, .jitter_us = 4000};
    struct seen s = send_all(&p);
    assert_int_equal(s.arrived, PACKETS);
    assert_true(s.least >= 36000 && s.least < 36100);
    assert_true(s.most <= 44000 && s.most > 43900);
    assert_near(s.total / PACKETS, 40000, 50);
    uint64_t at[2], last = 0;
    for (uint64_t i = 0; i < 1000; i++) { /* closer to each other than the jitter */
        assert_int_equal(wan_path_pass(&p, PACKETS * (uint64_t)STEP_US + i, SIZE, at), 1);
        assert_true(at[0] >= last);
        last = at[0];
    }
}

static void jitter_never_makes_a_packet_come_before_it_was_sent(void **state)
{
    (void)state;
    struct wan_path p;
    wan_path_init(&p, 1);
    p.set = (struct wan_settings){.delay_us = 10, .jitter_us = 5000};
    assert_true(send_all(&p).most <= 20);
}

static void chances_are_those_that_were_asked_for(void **state)
{
    (void)state;
    struct wan_path p;
    wan_path_init(&p, 3);
    p.set = (struct wan_settings){.loss_ppm = 20000};
    assert_near(send_all(&p).arrived, PACKETS * 98 / 100, 200);
    assert_near(p.counts.lost, PACKETS * 2 / 100, 200);
    wan_path_init(&p, 3);
    p.set = (struct wan_settings){.duplicate_ppm = 100000};
    assert_near(send_all(&p).arrived, PACKETS * 110 / 100, 500);
    wan_path_init(&p, 3);
    p.set = (struct wan_settings){.reorder_ppm = 10000};
    struct seen s = send_all(&p);
    assert_int_equal(s.arrived, PACKETS);
    assert_near(p.counts.reordered, PACKETS / 100, 150);
    assert_true(s.most > 1000 && s.most <= 10000);
}

static void held_back_packets_are_overtaken(void **state)
{
    (void)state;
    struct wan_path p;
    wan_path_init(&p, 3);
    p.set = (struct wan_settings){.delay_us = 5000, .reorder_ppm = 100000};
    uint64_t at[2], last = 0, overtaken = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(wan_path_pass(&p, i * 100, SIZE, at), 1);
        overtaken += at[0] < last;
        last = at[0];
    }
    assert_true(overtaken > 50);
}

static void cut_path_lets_nothing_through_until_it_is_healed(void **state)
{
    (void)state;
    struct wan_path p;
    uint64_t at[2];
    wan_path_init(&p, 1);
    p.set.cut = true;
    assert_int_equal(send_all(&p).arrived, 0);
    assert_int_equal(p.counts.cut, PACKETS);
    p.set.cut = false;
    assert_int_equal(wan_path_pass(&p, 5, SIZE, at), 1);
}

static void limited_rate_spaces_packets_and_drops_what_waits_too_long(void **state)
{
    (void)state;
    struct wan_path p;
    uint64_t at[2];
    wan_path_init(&p, 1);
    p.set.rate_bps = 8000000; /* a packet of 1000 bytes a millisecond */
    for (uint64_t i = 0; i < 201; i++) {
        assert_int_equal(wan_path_pass(&p, 0, SIZE, at), 1);
        assert_int_equal(at[0], (i + 1) * 1000);
    }
    assert_int_equal(wan_path_pass(&p, 0, SIZE, at), 0);
    assert_int_equal(p.counts.full, 1);
    assert_int_equal(wan_path_pass(&p, 1000000, SIZE, at), 1); /* long after: an empty link */
    assert_int_equal(at[0], 1001000);
}

static void same_seed_same_fates(void **state)
{
    (void)state;
    struct wan_path a, b, c;
    uint64_t x[2], y[2], z[2], different = 0;
    wan_path_init(&a, 9);
    wan_path_init(&b, 9);
    wan_path_init(&c, 10);
    a.set = b.set = c.set = (struct wan_settings){.delay_us = 9000, .jitter_us = 900, .loss_ppm = 100000, .reorder_ppm = 100000};
    for (uint64_t i = 0; i < 1000; i++) {
        unsigned n = wan_path_pass(&a, i * 1000, SIZE, x), m = wan_path_pass(&b, i * 1000, SIZE, y);
        assert_int_equal(n, m);
        assert_true(n == 0 || x[0] == y[0]);
        different += n != wan_path_pass(&c, i * 1000, SIZE, z);
    }
    assert_true(different > 50);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_without_settings_is_a_wire),
        cmocka_unit_test(delay_is_within_the_jitter_and_the_order_is_kept),
        cmocka_unit_test(jitter_never_makes_a_packet_come_before_it_was_sent),
        cmocka_unit_test(chances_are_those_that_were_asked_for),
        cmocka_unit_test(held_back_packets_are_overtaken),
        cmocka_unit_test(cut_path_lets_nothing_through_until_it_is_healed),
        cmocka_unit_test(limited_rate_spaces_packets_and_drops_what_waits_too_long),
        cmocka_unit_test(same_seed_same_fates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
