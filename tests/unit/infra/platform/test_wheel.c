/* SPDX-License-Identifier: Apache-2.0
 * The timing wheel against a plain list of due times: never early, never late, in order, whatever the distance. */
#include "unit.h"

#include <meridian/rng.h>
#include <meridian/wheel.h>

enum { TIMERS = 500 };

struct item {
    struct mer_timer timer;
    uint64_t due_ms; /* 0: must not fire */
    struct fix *f;
};
struct fix {
    struct mer_wheel w;
    struct item items[TIMERS];
    uint64_t now_ms, last_due_ms;
    unsigned fired;
};

static void on_fire(struct mer_timer *t)
{
    struct item *i = MER_CONTAINER_OF(t, struct item, timer);

    assert_false(mer_timer_armed(t));
    assert_true(i->due_ms != 0 && i->due_ms <= i->f->now_ms);
    assert_true(i->due_ms >= i->f->last_due_ms);
    i->f->last_due_ms = i->due_ms;
    i->due_ms = 0;
    i->f->fired++;
}

static int set_up_at(void **state, uint64_t now_ms)
{
    struct fix *f = calloc(1, sizeof(*f));

    f->now_ms = now_ms;
    mer_wheel_init(&f->w, now_ms);
    for (int i = 0; i < TIMERS; i++) {
        mer_timer_init(&f->items[i].timer, on_fire);
        f->items[i].f = f;
    }
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_at(state, 123456789);
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* After an advance: nothing due is left, counts and bits agree, next_ms is not late. */
static void check(struct fix *f)
{
    uint64_t soonest = UINT64_MAX, next = mer_wheel_next_ms(&f->w);
    unsigned armed = 0;

    for (int i = 0; i < TIMERS; i++) {
        struct item *it = &f->items[i];
        assert_int_equal(mer_timer_armed(&it->timer), it->due_ms != 0);
        armed += it->due_ms != 0;
        if (it->due_ms && it->due_ms < soonest)
            soonest = it->due_ms;
    }
    assert_int_equal(f->w.count, armed);
    assert_true(next <= soonest || (next == f->w.now_ms && soonest <= next));
    assert_int_equal(next == UINT64_MAX, armed == 0);
    for (int l = 0; l < MER_WHEEL_LEVELS; l++)
        for (int s = 0; s < MER_WHEEL_SLOTS; s++)
            assert_int_equal(f->w.used[l] >> s & 1, !mer_list_empty(&f->w.slot[l][s]));
}

static void arm(struct fix *f, int i, uint64_t due_ms)
{
    f->items[i].due_ms = due_ms;
    mer_wheel_arm(&f->w, &f->items[i].timer, due_ms);
}

static void advance(struct fix *f, uint64_t now_ms)
{
    f->now_ms = now_ms;
    f->last_due_ms = 0;
    mer_wheel_advance(&f->w, now_ms, UINT32_MAX);
    for (int i = 0; i < TIMERS; i++)
        assert_true(f->items[i].due_ms == 0 || f->items[i].due_ms > now_ms);
}

static void random_use_agrees_with_a_list(void **state)
{
    static const uint64_t spans[] = {2, 64, 70, 4096, 300000, 20000000, 1ULL << 30, 3ULL << 30, 1ULL << 40};
    struct fix *f = *state;
    struct mer_rng_seeded seeded;
    struct mer_rng r = mer_rng_seed(&seeded, 5);

    for (int step = 0; step < 4000; step++) {
        uint64_t span = spans[mer_rng_below(&r, MER_COUNT(spans))];
        int i = (int)mer_rng_below(&r, TIMERS);
        for (int k = 0; k < 4; k++)
            arm(f, (i + k) % TIMERS, f->now_ms + 1 + mer_rng_u64(&r) % span);
        i = (int)mer_rng_below(&r, TIMERS);
        mer_wheel_disarm(&f->w, &f->items[i].timer);
        f->items[i].due_ms = 0;
        check(f);
        advance(f, f->now_ms + mer_rng_u64(&r) % spans[mer_rng_below(&r, MER_COUNT(spans))]);
        check(f);
    }
    assert_true(f->fired > 1000);
}

static void following_next_ms_fires_each_on_its_very_tick(void **state)
{
    struct fix *f = *state;
    struct mer_rng_seeded seeded;
    struct mer_rng r = mer_rng_seed(&seeded, 6);
    uint64_t next;
    int wakes = 0;

    for (int i = 0; i < TIMERS; i++)
        arm(f, i, f->now_ms + 1 + (mer_rng_u64(&r) >> (24 + mer_rng_below(&r, 39))));
    while ((next = mer_wheel_next_ms(&f->w)) != UINT64_MAX) {
        advance(f, next);
        /* everything that fired was due exactly now: nothing may be late by a tick */
        assert_true(f->last_due_ms == 0 || f->last_due_ms == next);
        wakes++;
    }
    assert_int_equal(f->fired, TIMERS);
    assert_true(wakes < TIMERS * 8); /* a timer is placed again at most once a level, plus turns of the top level */
}

static void a_timer_across_the_top_levels_wrap_fires_on_time(void **state)
{
    struct fix *f = *state;

    free(f);
    set_up_at(state, (1ULL << 30) - 3);
    f = *state;
    arm(f, 0, (1ULL << 30) - 1);
    arm(f, 1, 1ULL << 30);
    arm(f, 2, (1ULL << 30) + 1);
    arm(f, 3, (1ULL << 31) + 7);
    for (uint64_t t = (1ULL << 30) - 2; t < (1ULL << 30) + 3; t++) {
        advance(f, t);
        check(f);
    }
    assert_int_equal(f->fired, 3);
    advance(f, (1ULL << 31) + 6);
    assert_int_equal(f->fired, 3);
    advance(f, (1ULL << 31) + 7);
    assert_int_equal(f->fired, 4);
}

static void a_bounded_advance_leaves_the_rest_for_the_next(void **state)
{
    struct fix *f = *state;
    uint64_t due = f->now_ms + 10;

    for (int i = 0; i < 100; i++)
        arm(f, i, due);
    f->now_ms = due + 5;
    assert_int_equal(mer_wheel_advance(&f->w, f->now_ms, 30), 30);
    assert_int_equal(f->fired, 30);
    assert_int_equal(mer_wheel_next_ms(&f->w), f->now_ms);
    mer_wheel_disarm(&f->w, &f->items[99].timer); /* also from among the waiting ones */
    f->items[99].due_ms = 0;
    assert_int_equal(mer_wheel_advance(&f->w, f->now_ms, 1000), 69);
    check(f);
}

static void the_past_fires_at_the_next_advance(void **state)
{
    struct fix *f = *state;

    arm(f, 0, f->now_ms - 1000);
    arm(f, 1, f->now_ms);
    assert_int_equal(mer_wheel_next_ms(&f->w), f->now_ms);
    advance(f, f->now_ms);
    assert_int_equal(f->fired, 2);
}

static struct mer_wheel *rearm_wheel;
static unsigned rearm_count;

static void rearm(struct mer_timer *t)
{
    rearm_count++;
    mer_wheel_arm(rearm_wheel, t, 0);
}

static void a_timer_that_re_arms_itself_for_now_does_not_spin(void **state)
{
    struct fix *f = *state;
    struct mer_timer t;

    rearm_wheel = &f->w;
    mer_timer_init(&t, rearm);
    mer_wheel_arm(&f->w, &t, 0);
    assert_int_equal(mer_wheel_advance(&f->w, f->now_ms, 1000), 1);
    assert_int_equal(mer_wheel_advance(&f->w, f->now_ms, 1000), 1);
    assert_int_equal(rearm_count, 2);
    mer_wheel_disarm(&f->w, &t);
    mer_wheel_disarm(&f->w, &t);
    assert_int_equal(f->w.count, 0);
}

static void disarm_all(struct mer_timer *t)
{
    struct item *i = MER_CONTAINER_OF(t, struct item, timer);

    for (int k = 0; k < TIMERS; k++) {
        mer_wheel_disarm(&i->f->w, &i->f->items[k].timer);
        i->f->items[k].due_ms = 0;
    }
    i->f->fired++;
}

static void a_callback_may_disarm_those_due_with_it(void **state)
{
    struct fix *f = *state;

    for (int i = 0; i < 10; i++) {
        arm(f, i, f->now_ms + 5);
        f->items[i].timer.cb = disarm_all;
    }
    advance(f, f->now_ms + 5);
    assert_int_equal(f->fired, 1);
    check(f);
}

static void time_that_stands_or_goes_back_is_harmless(void **state)
{
    struct fix *f = *state;

    arm(f, 0, f->now_ms + 5);
    assert_int_equal(mer_wheel_advance(&f->w, f->now_ms - 100, 10), 0);
    assert_int_equal(mer_wheel_advance(&f->w, f->now_ms, 10), 0);
    advance(f, f->now_ms + 5);
    assert_int_equal(f->fired, 1);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_use_agrees_with_a_list),
        TEST(following_next_ms_fires_each_on_its_very_tick),
        TEST(a_timer_across_the_top_levels_wrap_fires_on_time),
        TEST(a_bounded_advance_leaves_the_rest_for_the_next),
        TEST(the_past_fires_at_the_next_advance),
        TEST(a_timer_that_re_arms_itself_for_now_does_not_spin),
        TEST(a_callback_may_disarm_those_due_with_it),
        TEST(time_that_stands_or_goes_back_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
