/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "region-router/limits.h"
#include "region-router/place.h"

enum { NOW = 100000, EDGES = 4 };

struct fix {
    struct router_edge e[EDGES];
    struct mer_list all;
};

static int setup(void **state)
{
    static struct fix f;
    memset(&f, 0, sizeof f);
    mer_list_init(&f.all);
    for (int i = 0; i < EDGES; i++) {
        f.e[i] = (struct router_edge){.reported = true, .max_connections = 10, .reported_ms = NOW, .load_permille = 100};
        mer_list_push_back(&f.all, &f.e[i].node);
    }
    *state = &f;
    return 0;
}

static struct router_edge *place(struct fix *f, const char *players)
{
    struct router_edge *p[4];
    unsigned n = 0;
    for (; players[n]; n++)
        p[n] = &f->e[players[n] - '0'];
    return router_place(p, n, &f->all, NOW);
}

static void the_edge_with_most_players_hosts(void **state)
{
    struct fix *f = *state;
    f->e[1].load_permille = 900;
    assert_ptr_equal(place(f, "0112"), &f->e[1]);
    assert_ptr_equal(place(f, "3"), &f->e[3]);
}

static void of_equals_the_least_loaded_hosts(void **state)
{
    struct fix *f = *state;
    f->e[0].load_permille = 300;
    assert_ptr_equal(place(f, "01"), &f->e[1]);
    f->e[1].load_permille = 500;
    assert_ptr_equal(place(f, "01"), &f->e[0]);
}

static void games_just_placed_count_as_load(void **state)
{
    struct fix *f = *state;
    int at[2] = {0, 0};
    for (int i = 0; i < 100; i++)
        at[place(f, "01") == &f->e[1]]++;
    assert_int_equal(at[0], 50);
    assert_int_equal(at[1], 50);
}

static void an_unfit_edge_never_hosts(void **state)
{
    struct fix *f = *state;
    for (int how = 0; how < 5; how++) {
        setup(state);
        struct router_edge *bad = &f->e[0];
        if (how == 0)
            bad->draining = true;
        else if (how == 1)
            bad->connections = bad->max_connections;
        else if (how == 2)
            bad->reported_ms = NOW - ROUTER_STALE_MS;
        else if (how == 3)
            bad->reported = false;
        else
            bad->load_permille = ROUTER_BUSY_PERMILLE;
        assert_ptr_equal(place(f, "0001"), &f->e[1]);
        f->e[3].load_permille = 5;
        assert_ptr_equal(place(f, "00"), &f->e[3]); /* no player's edge is fit: the least loaded of all */
    }
}

static void without_a_fit_edge_there_is_no_place(void **state)
{
    struct fix *f = *state;
    for (int i = 0; i < EDGES; i++)
        f->e[i].draining = true;
    assert_null(place(f, "012"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_edge_with_most_players_hosts, setup),
        cmocka_unit_test_setup(of_equals_the_least_loaded_hosts, setup),
        cmocka_unit_test_setup(games_just_placed_count_as_load, setup),
        cmocka_unit_test_setup(an_unfit_edge_never_hosts, setup),
        cmocka_unit_test_setup(without_a_fit_edge_there_is_no_place, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
