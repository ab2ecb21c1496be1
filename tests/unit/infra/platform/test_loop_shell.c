/* SPDX-License-Identifier: Apache-2.0
 * The loop's turn: timers, the freshness of the clock, deferred work and hooks. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include <meridian/loop.h>

struct fix {
    struct mer_loop loop;
    struct mer_timer timer, stopper;
    struct mer_deferred deferred[2];
    struct mer_hook hook[3];
    uv_poll_t poll;
    int pipe[2];
    char trace[256];
    unsigned runs, more;
    uint64_t started_ms, seen_ms;
};

static struct fix *only; /* callbacks of timers and hooks have no context of their own */

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof(*f));

    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    f->started_ms = f->loop.now_ms;
    only = f;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;

    mer_loop_deinit(&f->loop);
    free(f);
    return 0;
}

static void trace(const char *what)
{
    strncat(only->trace, what, sizeof(only->trace) - strlen(only->trace) - 1);
}

static void on_timer(struct mer_timer *t)
{
    uint64_t real_ms = mer_clock_mono_ms(&only->loop.clock);

    assert_true(only->loop.now_ms >= t->due_ms && real_ms - only->loop.now_ms < 200);
    if (++only->runs < 3)
        mer_loop_arm(&only->loop, t, 10);
}

static void a_run_ends_when_no_timer_is_left_and_none_is_early(void **state)
{
    struct fix *f = *state;

    mer_timer_init(&f->timer, on_timer);
    mer_loop_arm(&f->loop, &f->timer, 20);
    mer_loop_run(&f->loop);
    assert_int_equal(f->runs, 3);
    assert_true(f->loop.now_ms - f->started_ms >= 40 && f->loop.now_ms - f->started_ms < 2000);
    assert_true(f->loop.turns < 50);
}

static void on_stop(struct mer_timer *t)
{
    (void)t;
    mer_loop_stop(&only->loop);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    char byte;

    (void)status;
    (void)events;
    only->seen_ms = mer_clock_mono_ms(&only->loop.clock) - only->loop.now_ms;
    assert_int_equal(read(only->pipe[0], &byte, 1), 1);
    uv_close((uv_handle_t *)poll, NULL);
}

static void the_clock_is_fresh_in_io_callbacks_after_a_long_wait(void **state)
{
    struct fix *f = *state;
    pid_t child;

    assert_int_equal(pipe(f->pipe), 0);
    assert_int_equal(uv_poll_init(&f->loop.uv, &f->poll, f->pipe[0]), 0);
    assert_int_equal(uv_poll_start(&f->poll, UV_READABLE, on_readable), 0);
    f->seen_ms = UINT64_MAX;
    child = fork();
    if (child == 0) {
        usleep(300 * 1000);
        _exit(write(f->pipe[1], "x", 1) != 1);
    }
    mer_loop_run(&f->loop);
    assert_true(f->seen_ms < 100);
    assert_true(f->loop.now_ms - f->started_ms >= 290);
    assert_true(f->loop.busy_us < 250000); /* waiting is not work */
    close(f->pipe[0]);
    close(f->pipe[1]);
}

static void on_deferred(struct mer_deferred *d)
{
    trace("d");
    if (d == &only->deferred[0])
        mer_loop_defer(&only->loop, &only->deferred[1]);
}

static void deferred_work_runs_once_and_keeps_the_loop_awake(void **state)
{
    struct fix *f = *state;

    mer_deferred_init(&f->deferred[0], on_deferred);
    mer_deferred_init(&f->deferred[1], on_deferred);
    mer_loop_defer(&f->loop, &f->deferred[0]);
    mer_loop_defer(&f->loop, &f->deferred[0]);
    mer_loop_run(&f->loop);
    assert_string_equal(f->trace, "dd");
    mer_loop_defer(&f->loop, &f->deferred[1]);
    mer_deferred_cancel(&f->deferred[1]);
    mer_loop_run(&f->loop);
    assert_string_equal(f->trace, "dd");
}

static bool on_hook(struct mer_hook *h)
{
    int i = (int)(h - only->hook);

    trace(i == 0 ? "0" : i == 1 ? "1" : "2");
    if (i == 2 && only->more > 0) {
        only->more--;
        mer_loop_defer(&only->loop, &only->deferred[1]);
        return true;
    }
    return false;
}

static void hooks_run_by_phase_and_again_while_there_is_more(void **state)
{
    struct fix *f = *state;

    for (int i = 0; i < 3; i++)
        f->hook[i].cb = on_hook;
    mer_deferred_init(&f->deferred[1], on_deferred);
    mer_loop_hook_add(&f->loop, MER_PHASE_PLAYER, &f->hook[2]);
    mer_loop_hook_add(&f->loop, MER_PHASE_LOOPBACK, &f->hook[0]);
    mer_loop_hook_add(&f->loop, MER_PHASE_STORE, &f->hook[1]);
    f->more = 1;
    mer_loop_run(&f->loop);
    assert_memory_equal(f->trace, "012d012", 7);
    for (int i = 0; i < 3; i++)
        mer_loop_hook_remove(&f->hook[i]);
    f->trace[0] = '\0';
    mer_loop_run(&f->loop);
    assert_string_equal(f->trace, "");
}

static void hooks_that_always_want_more_do_not_stop_timers(void **state)
{
    struct fix *f = *state;

    f->hook[2].cb = on_hook;
    mer_deferred_init(&f->deferred[1], on_deferred);
    mer_loop_hook_add(&f->loop, MER_PHASE_PLAYER, &f->hook[2]);
    f->more = UINT32_MAX;
    mer_timer_init(&f->stopper, on_stop);
    mer_loop_arm(&f->loop, &f->stopper, 20);
    mer_loop_run(&f->loop);
    assert_true(f->loop.turns > 2);
    f->more = 0;
    mer_loop_hook_remove(&f->hook[2]);
}

static void stopping_still_finishes_the_turn(void **state)
{
    struct fix *f = *state;

    f->hook[0].cb = on_hook;
    mer_loop_hook_add(&f->loop, MER_PHASE_LOOPBACK, &f->hook[0]);
    mer_timer_init(&f->stopper, on_stop);
    mer_timer_init(&f->timer, on_timer);
    mer_loop_arm(&f->loop, &f->stopper, 5);
    mer_loop_arm(&f->loop, &f->timer, 60 * 1000);
    mer_loop_run(&f->loop);
    assert_int_equal(f->trace[strlen(f->trace) - 1], '0');
    assert_int_equal(f->runs, 0);
    mer_loop_disarm(&f->loop, &f->timer);
    mer_loop_hook_remove(&f->hook[0]);
    mer_loop_run(&f->loop); /* a stop is for one run */
}

static void count_run(struct mer_timer *t)
{
    (void)t;
    only->runs++;
}

static void many_expiries_are_spread_over_turns(void **state)
{
    struct fix *f = *state;
    struct mer_timer *timers = calloc(1000, sizeof(*timers));

    for (int i = 0; i < 1000; i++) {
        mer_timer_init(&timers[i], count_run);
        mer_loop_arm(&f->loop, &timers[i], 1);
    }
    mer_loop_run(&f->loop);
    assert_int_equal(f->runs, 1000);
    assert_true(f->loop.turns >= 4);
    free(timers);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_ends_when_no_timer_is_left_and_none_is_early),
        TEST(the_clock_is_fresh_in_io_callbacks_after_a_long_wait),
        TEST(deferred_work_runs_once_and_keeps_the_loop_awake),
        TEST(hooks_run_by_phase_and_again_while_there_is_more),
        TEST(hooks_that_always_want_more_do_not_stop_timers),
        TEST(stopping_still_finishes_the_turn),
        TEST(many_expiries_are_spread_over_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
