/* SPDX-License-Identifier: Apache-2.0
 * Who may be answered, second by second, over four regions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "geo/plan.h"
#include "geo/policy.h"

enum { EAST, WEST, EU, ASIA, REGIONS };

struct fix {
    struct geo_footprint f;
    struct geo_policy p;
    struct geo_reading r[GEO_REGIONS_MAX];
    struct geo_wish w[GEO_REGIONS_MAX];
    uint64_t now_ms;
    unsigned changes;
};

static int setup(void **state)
{
    static struct fix x;
    static const uint32_t ms[REGIONS][REGIONS] = {{0, 62, 80, 155}, {62, 0, 140, 100}, {80, 140, 0, 220}, {155, 100, 220, 0}};
    static char names[][8] = {"us-east", "us-west", "eu", "asia"};
    memset(&x, 0, sizeof x);
    x.f.count = REGIONS;
    for (int i = 0; i < REGIONS; i++) {
        x.f.region[i].name = names[i];
        x.f.region[i].capacity_players = 1000;
        memcpy(x.f.latency_ms[i], ms[i], sizeof ms[i]);
        x.r[i] = (struct geo_reading){GEO_GOOD, 500};
    }
    x.now_ms = 1000000;
    geo_policy_init(&x.p, &x.f, x.now_ms);
    *state = &x;
    return 0;
}

static void seconds(struct fix *x, unsigned n)
{
    while (n-- > 0) {
        x->now_ms += 1000;
        x->changes += geo_policy_step(&x->p, x->r, x->w, x->now_ms);
        unsigned in = 0;
        for (int i = 0; i < REGIONS; i++) { /* what must hold after every step */
            const struct geo_region_state *s = &x->p.region[i];
            in += !s->out;
            assert_true(s->share % GEO_SPILL_STEP_PERCENT == 0 && s->share < 100);
            if (s->share > 0) {
                const struct geo_region_state *to = &x->p.region[s->share_to];
                assert_true((int)s->share_to != i && !to->out && !x->w[s->share_to].drain);
                assert_true(x->r[s->share_to].load_permille < GEO_HIGH_PERMILLE);
            }
        }
        assert_true(in > 0);
    }
}

static void set(struct fix *x, int region, enum geo_verdict verdict)
{
    x->r[region].verdict = verdict;
}

static void nothing_changes_while_all_is_well(void **state)
{
    struct fix *x = *state;
    seconds(x, 600);
    assert_int_equal(x->changes, 0);
}

static void a_region_is_out_after_two_seconds_of_bad(void **state)
{
    struct fix *x = *state;
    set(x, EU, GEO_BAD);
    seconds(x, 2);
    assert_false(x->p.region[EU].out);
    seconds(x, 1);
    assert_true(x->p.region[EU].out);
    assert_int_equal(x->changes, 1);
}

static void one_bad_second_is_nothing(void **state)
{
    struct fix *x = *state;
    for (int i = 0; i < 50; i++) {
        set(x, EU, i % 2 ? GEO_BAD : GEO_GOOD);
        seconds(x, 1);
    }
    assert_int_equal(x->changes, 0);
}

static void no_reading_is_neither_good_nor_bad(void **state)
{
    struct fix *x = *state;
    set(x, EU, GEO_UNKNOWN);
    seconds(x, 100);
    assert_int_equal(x->p.region[EU].health, GEO_UP);
    set(x, EU, GEO_BAD);
    seconds(x, 3);
    set(x, EU, GEO_UNKNOWN);
    seconds(x, 100);
    assert_int_equal(x->p.region[EU].health, GEO_DOWN);
}

/* The agent was stopped, or its machine was: what it knows is of before, and each probe under way has run out meanwhile. */
static void seconds_in_which_nobody_looked_do_not_count(void **state)
{
    struct fix *x = *state;
    for (int i = 0; i < 20; i++) {
        set(x, EU, GEO_BAD);
        seconds(x, 1);
        x->now_ms += 1500 + 60000 * (uint64_t)(i % 2);
        seconds(x, 1);
        assert_int_equal(x->p.region[EU].health, GEO_UP);
        set(x, EU, GEO_GOOD);
        seconds(x, 1);
    }
    assert_int_equal(x->changes, 0);
    set(x, EU, GEO_BAD);
    for (int i = 0; i < 3; i++) { /* always late: slower, but it is seen */
        assert_int_equal(x->p.region[EU].health, GEO_UP);
        x->now_ms += 5000;
        seconds(x, 1);
    }
    assert_int_equal(x->p.region[EU].health, GEO_DOWN);
    set(x, EU, GEO_GOOD);
    seconds(x, 1);
    x->now_ms += 3600 * 1000;
    seconds(x, 1);
    assert_true(x->p.region[EU].out); /* good a second long */
    seconds(x, 9);
    assert_false(x->p.region[EU].out);
}

static void it_is_back_after_ten_good_seconds(void **state)
{
    struct fix *x = *state;
    set(x, EU, GEO_BAD);
    seconds(x, 3);
    set(x, EU, GEO_GOOD);
    seconds(x, 10);
    assert_true(x->p.region[EU].out);
    seconds(x, 1);
    assert_false(x->p.region[EU].out);
}

static void who_flaps_stays_out_longer_each_time(void **state)
{
    struct fix *x = *state;
    unsigned waited[8];
    for (int i = 0; i < 8; i++) {
        set(x, EU, GEO_BAD);
        seconds(x, 3);
        set(x, EU, GEO_GOOD);
        for (waited[i] = 0; x->p.region[EU].out; waited[i]++)
            seconds(x, 1);
    }
    const unsigned wanted[8] = {11, 21, 41, 81, 161, 301, 301, 301};
    for (int i = 0; i < 8; i++)
        assert_int_equal(waited[i], wanted[i]);
    assert_int_equal(x->changes, 16);
    seconds(x, 700); /* long enough without a fall: forgotten */
    set(x, EU, GEO_BAD);
    seconds(x, 3);
    assert_int_equal(x->p.region[EU].falls, 1);
}

static void the_guard_keeps_half_of_the_world(void **state)
{
    struct fix *x = *state;
    set(x, EU, GEO_BAD);
    seconds(x, 3);
    set(x, WEST, GEO_BAD);
    set(x, ASIA, GEO_BAD);
    seconds(x, 60);
    assert_true(x->p.region[EU].out && x->p.region[WEST].out);
    assert_true(!x->p.region[ASIA].out && x->p.region[ASIA].guarded);
    set(x, EU, GEO_GOOD); /* room again: now the third may go */
    seconds(x, 12);
    assert_true(!x->p.region[EU].out && x->p.region[ASIA].out);
}

static void everybody_bad_at_once_is_the_probers_own_trouble(void **state)
{
    struct fix *x = *state;
    for (int i = 0; i < REGIONS; i++)
        set(x, i, GEO_BAD);
    seconds(x, 30);
    unsigned out = 0;
    for (int i = 0; i < REGIONS; i++)
        out += x->p.region[i].out;
    assert_int_equal(out, 2);
}

static void an_operator_is_not_guarded_and_all_out_is_all_in(void **state)
{
    struct fix *x = *state;
    for (int i = 0; i < REGIONS - 1; i++)
        x->w[i] = (struct geo_wish){.drain = true, .drain_from_ms = x->now_ms};
    seconds(x, 1);
    assert_true(x->p.region[EAST].out && x->p.region[WEST].out && x->p.region[EU].out && !x->p.region[ASIA].out);
    x->w[ASIA] = (struct geo_wish){.drain = true, .drain_from_ms = x->now_ms};
    seconds(x, 1);
    assert_true(x->p.all_out);
    for (int i = 0; i < REGIONS; i++)
        assert_false(x->p.region[i].out);
}

static void force_in_outweighs_the_probes(void **state)
{
    struct fix *x = *state;
    x->w[EU].force_in = true;
    set(x, EU, GEO_BAD);
    seconds(x, 60);
    assert_false(x->p.region[EU].out);
    assert_int_equal(x->changes, 0);
}

static void a_full_region_sheds_step_by_step_to_the_nearest(void **state)
{
    struct fix *x = *state;
    x->r[EU].load_permille = 900;
    seconds(x, 29);
    assert_int_equal(x->p.region[EU].share, 0);
    seconds(x, 1);
    assert_int_equal(x->p.region[EU].share, 10);
    assert_int_equal(x->p.region[EU].share_to, EAST);
    seconds(x, 60);
    assert_int_equal(x->p.region[EU].share, 30);
    x->r[EU].load_permille = 800; /* between the marks: stays */
    seconds(x, 600);
    assert_int_equal(x->p.region[EU].share, 30);
    x->r[EU].load_permille = 700;
    seconds(x, 90);
    assert_int_equal(x->p.region[EU].share, 0);
    assert_int_equal(x->changes, 6);
    x->r[EU].load_permille = 990;
    seconds(x, 3600);
    assert_int_equal(x->p.region[EU].share, GEO_SHARE_MAX);
}

static void a_neighbour_that_fills_is_left_for_the_next(void **state)
{
    struct fix *x = *state;
    x->r[EU].load_permille = 900;
    seconds(x, 30);
    assert_int_equal(x->p.region[EU].share_to, EAST);
    x->r[EAST].load_permille = 800; /* over the low mark: no news for one who takes already */
    seconds(x, 1);
    assert_int_equal(x->p.region[EU].share_to, EAST);
    x->r[EAST].load_permille = 850;
    seconds(x, 1);
    assert_int_equal(x->p.region[EU].share_to, WEST);
}

static void where_nobody_has_room_nothing_is_moved(void **state)
{
    struct fix *x = *state;
    for (int i = 0; i < REGIONS; i++)
        x->r[i].load_permille = 950;
    seconds(x, 300);
    for (int i = 0; i < REGIONS; i++) {
        assert_int_equal(x->p.region[i].share, 0);
        assert_true(x->p.region[i].stuck);
    }
    assert_int_equal(x->changes, 0);
}

/* An alarm looks at any second, and wants it to be so for a minute. */
static void who_is_stuck_is_so_in_every_second_until_somebody_has_room(void **state)
{
    struct fix *x = *state;
    for (int i = 0; i < REGIONS; i++)
        x->r[i].load_permille = i == EU ? 900 : 800; /* the others take nobody, and need nobody */
    seconds(x, GEO_DWELL_MS / 1000);
    for (unsigned n = 0; n < 100; n++) {
        assert_true(x->p.region[EU].stuck);
        seconds(x, 1);
    }
    assert_int_equal(x->changes, 0);
    x->r[EAST].load_permille = 700;
    seconds(x, 1);
    assert_true(!x->p.region[EU].stuck && x->p.region[EU].share == 10);
    seconds(x, GEO_DWELL_MS / 1000 - 1); /* and the next step when this one can have shown its effect */
    assert_int_equal(x->p.region[EU].share, 10);
    seconds(x, 1);
    assert_int_equal(x->p.region[EU].share, 20);
    x->r[EAST].load_permille = 850; /* it filled: again there is nobody */
    seconds(x, GEO_DWELL_MS / 1000);
    for (unsigned n = 0; n < 100; n++) {
        assert_true(x->p.region[EU].stuck && x->p.region[EU].share == 0);
        seconds(x, 1);
    }
    x->r[EU].load_permille = 800;
    seconds(x, 1);
    assert_false(x->p.region[EU].stuck);
}

static void a_drain_goes_over_the_time_given(void **state)
{
    struct fix *x = *state;
    x->w[EU] = (struct geo_wish){.drain = true, .drain_from_ms = x->now_ms, .drain_over_ms = 100 * 1000};
    seconds(x, 50);
    assert_int_equal(x->p.region[EU].share, 50);
    seconds(x, 49);
    assert_int_equal(x->p.region[EU].share, 90);
    assert_false(x->p.region[EU].out);
    seconds(x, 1);
    assert_true(x->p.region[EU].out);
    assert_int_equal(x->changes, 10);
    x->w[EU].drain = false;
    seconds(x, 1);
    assert_true(!x->p.region[EU].out && x->p.region[EU].share == 0);
}

static void the_state_file_names_what_is_out_and_the_step_that_holds(void **state)
{
    struct fix *x = *state;
    struct mer_buf out;
    mer_buf_init(&out, 0);
    set(x, ASIA, GEO_BAD);
    x->w[EU] = (struct geo_wish){.drain = true, .drain_from_ms = x->now_ms, .drain_over_ms = 100 * 1000};
    seconds(x, 35);
    assert_int_equal(geo_policy_write(&x->p, &out), MER_OK);
    assert_int_equal(mer_buf_append(&out, "", 1), MER_OK);
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "\ngeoip/play/asia => DOWN\n"));
    assert_non_null(strstr(text, "\nmetafo/spill-eu/home => DOWN\n"));
    assert_non_null(strstr(text, "\nmetafo/spill-eu/us-east-20 => DOWN\n"));
    assert_null(strstr(text, "us-east-30"));
    assert_non_null(strstr(text, "\nmetafo/spill-eu/asia-90 => DOWN\n"));
    assert_null(strstr(text, "spill-us"));
    mer_buf_deinit(&out);
}

static void a_wished_share_goes_to_the_nearest_whatever_the_load(void **state)
{
    struct fix *x = *state;
    x->w[EU].share = 40;
    seconds(x, 1);
    assert_int_equal(x->p.region[EU].share, 40);
    assert_int_equal(x->p.region[EU].share_to, EAST);
    set(x, EAST, GEO_BAD);
    seconds(x, 3);
    assert_int_equal(x->p.region[EU].share_to, WEST);
    x->w[EU].share = 0; /* from here on the load says: little, so it ends step by step */
    seconds(x, 200);
    assert_int_equal(x->p.region[EU].share, 0);
}

static void a_wished_share_ends_where_nothing_is_known_of_the_load(void **state)
{
    struct fix *x = *state;
    const int32_t loads[] = {-1, 800}; /* no report; between the marks, where a share by load stays */
    for (size_t i = 0; i < MER_COUNT(loads); i++) {
        x->w[EU].share = 30;
        seconds(x, 1);
        x->w[EU].share = 0;
        x->r[EU].load_permille = loads[i];
        seconds(x, 200);
        assert_int_equal(x->p.region[EU].share, 0);
    }
}

static void what_would_be_left_is_told_before(void **state)
{
    struct fix *x = *state;
    assert_int_equal(geo_policy_left(&x->p, x->w), 1000);
    x->w[EU].drain = true;
    x->w[EU].drain_from_ms = x->now_ms;
    x->w[EU].drain_over_ms = 3600 * 1000; /* at its end */
    assert_int_equal(geo_policy_left(&x->p, x->w), 750);
    set(x, ASIA, GEO_BAD);
    seconds(x, 5);
    assert_int_equal(geo_policy_left(&x->p, x->w), 500);
    x->w[EAST].drain = x->w[WEST].drain = true;
    assert_int_equal(geo_policy_left(&x->p, x->w), 250); /* asia is down, but the guard keeps it */
    x->w[ASIA].drain = true;
    assert_int_equal(geo_policy_left(&x->p, x->w), 0);
}

#define T(f) cmocka_unit_test_setup(f, setup)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_changes_while_all_is_well),
        T(a_region_is_out_after_two_seconds_of_bad),
        T(one_bad_second_is_nothing),
        T(no_reading_is_neither_good_nor_bad),
        T(seconds_in_which_nobody_looked_do_not_count),
        T(it_is_back_after_ten_good_seconds),
        T(who_flaps_stays_out_longer_each_time),
        T(the_guard_keeps_half_of_the_world),
        T(everybody_bad_at_once_is_the_probers_own_trouble),
        T(an_operator_is_not_guarded_and_all_out_is_all_in),
        T(force_in_outweighs_the_probes),
        T(a_full_region_sheds_step_by_step_to_the_nearest),
        T(a_neighbour_that_fills_is_left_for_the_next),
        T(where_nobody_has_room_nothing_is_moved),
        T(who_is_stuck_is_so_in_every_second_until_somebody_has_room),
        T(a_drain_goes_over_the_time_given),
        T(a_wished_share_goes_to_the_nearest_whatever_the_load),
        T(a_wished_share_ends_where_nothing_is_known_of_the_load),
        T(what_would_be_left_is_told_before),
        T(the_state_file_names_what_is_out_and_the_step_that_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
