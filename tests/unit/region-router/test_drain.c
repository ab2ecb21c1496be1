/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "region-router/drain.h"

enum { NOW = 100000, EDGES = 100 };

static struct router_edge e[EDGES];
static struct mer_list all;
static struct router_drain_plan plan;

static void edges(unsigned count)
{
    memset(e, 0, sizeof e);
    mer_list_init(&all);
    for (unsigned i = 0; i < count; i++) {
        e[i] = (struct router_edge){.reported = true, .reported_ms = NOW, .max_connections = 100000, .load_permille = 500 - i};
        mer_list_push_back(&all, &e[i].node);
    }
    e[0].draining = true;
}
static void make(void)
{
    router_drain_plan(&plan, &e[0], &all, 500, NOW);
}

static void the_least_loaded_come_first_and_each_takes_its_share(void **state)
{
    (void)state;
    edges(4);
    make();
    assert_int_equal(plan.target_count, 3);
    assert_ptr_equal(plan.target[0], &e[3]);
    assert_ptr_equal(plan.target[2], &e[1]);
    assert_int_equal(plan.sessions_per_second, 1500);
    assert_int_equal(plan.games_per_second, 3 * ROUTER_GAMES_A_TARGET);
}

static void nobody_draining_full_busy_or_silent_is_a_target(void **state)
{
    (void)state;
    edges(6);
    e[1].draining = true;
    e[2].connections = e[2].max_connections;
    e[3].load_permille = ROUTER_BUSY_PERMILLE;
    e[4].reported_ms = NOW - ROUTER_STALE_MS;
    e[5].reported = false;
    make();
    assert_int_equal(plan.target_count, 0);
    assert_int_equal(plan.sessions_per_second, 0);
    assert_int_equal(plan.games_per_second, 0);
}

static void little_room_slows_it_down(void **state)
{
    (void)state;
    edges(2);
    e[1].connections = e[1].max_connections - 1000;
    make();
    assert_int_equal(plan.sessions_per_second, 100);
    e[1].connections = e[1].max_connections - 1;
    make();
    assert_int_equal(plan.sessions_per_second, 1);
}

static void edges_that_drain_at_once_share(void **state)
{
    (void)state;
    edges(5);
    e[1].draining = e[2].draining = true;
    make();
    assert_int_equal(plan.target_count, 2);
    assert_int_equal(plan.sessions_per_second, 334);
}

static void of_very_many_the_least_loaded_are_named(void **state)
{
    (void)state;
    edges(EDGES);
    make();
    assert_int_equal(plan.target_count, ROUTER_TARGETS_MAX);
    for (unsigned i = 0; i < ROUTER_TARGETS_MAX; i++)
        assert_ptr_equal(plan.target[i], &e[EDGES - 1 - i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_loaded_come_first_and_each_takes_its_share),
        cmocka_unit_test(nobody_draining_full_busy_or_silent_is_a_target),
        cmocka_unit_test(little_room_slows_it_down),
        cmocka_unit_test(edges_that_drain_at_once_share),
        cmocka_unit_test(of_very_many_the_least_loaded_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
