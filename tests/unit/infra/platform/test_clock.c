/* SPDX-License-Identifier: Apache-2.0
 * The machine's clocks, and the fake one of the tests. */
#include "unit.h"

#include <time.h>

#include "fake_clock.h"

static void the_system_clocks_go_forward(void **state)
{
    struct mer_clock c = mer_clock_system();
    uint64_t mono = c.mono_us(c.ctx), wall = mer_clock_wall_ms(&c);
    time_t now = time(NULL);

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_true(c.mono_us(c.ctx) >= mono);
    assert_true(mer_clock_mono_ms(&c) >= mono / 1000);
    assert_true(wall / 1000 + 5 > (uint64_t)now && wall / 1000 < (uint64_t)now + 5);
}

static void count(struct mer_timer *t)
{
    t->due_ms++; /* free for use while disarmed */
}

static void the_fake_clock_moves_only_when_told(void **state)
{
    struct fake_clock f;
    struct mer_clock c = fake_clock_init(&f);
    struct mer_wheel w;
    struct mer_timer t;
    uint64_t mono = mer_clock_mono_ms(&c), wall = mer_clock_wall_ms(&c);

    (void)state;
    mer_wheel_init(&w, mono);
    mer_timer_init(&t, count);
    f.wheel = &w;
    mer_wheel_arm(&w, &t, mono + 30);
    fake_clock_run_for(&f, 29);
    assert_true(mer_timer_armed(&t));
    fake_clock_run_for(&f, 1);
    assert_false(mer_timer_armed(&t));
    assert_int_equal(t.due_ms, mono + 31);
    assert_int_equal(mer_clock_mono_ms(&c) - mono, 30);
    assert_int_equal(mer_clock_wall_ms(&c) - wall, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_clocks_go_forward),
        cmocka_unit_test(the_fake_clock_moves_only_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
