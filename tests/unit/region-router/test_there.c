/* SPDX-License-Identifier: Apache-2.0
 * Whether a user is there: what is said of the edges that the registry names, in every combination. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "region-router/there.h"

enum { NOW = 1000 * 1000, GRACE = ROUTER_PRESENCE_GRACE_MS };

static struct router_there t;

static int begin(void **state)
{
    (void)state;
    router_there_init(&t, NOW - GRACE);
    return 0;
}

#define Y ROUTER_THERE_ONLINE
#define N ROUTER_THERE_OFFLINE
#define U ROUTER_THERE_NOT_KNOWN
#define W ROUTER_THERE_WAIT

/* Edges that are linked, were lost, or are not known to a young router; then one word of each that is asked: y, n, or - for none. */
static void every_cell(void **state)
{
    static const struct {
        unsigned linked;
        bool lost, young;
        const char *said;
        enum router_there_verdict want, late;
    } cell[] = {
        {0, false, false, "", N, N}, /* he has no entry, or one of an edge that is gone */
        {0, false, true, "", U, U},    {0, true, false, "", Y, Y},     {0, true, true, "", Y, Y},
        {1, false, false, "", W, Y},   {1, false, false, "y", Y, Y},   {1, false, false, "n", N, N},
        {1, false, true, "", W, Y},    {1, false, true, "y", Y, Y},    {1, false, true, "n", U, U},
        {1, true, false, "", W, Y},    {1, true, false, "y", Y, Y},    {1, true, false, "n", Y, Y},
        {1, true, true, "n", Y, Y},    {2, false, false, "n", W, Y},   {2, false, false, "y", Y, Y},
        {2, false, false, "ny", Y, Y}, {2, false, false, "nn", N, N},  {2, true, false, "nn", Y, Y},
        {2, false, true, "nn", U, U},  {2, false, false, "nnn", N, N}, /* one said it twice */
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(cell); i++) {
        struct router_there_case c = {0};
        router_there_init(&t, cell[i].young ? NOW - GRACE + 1 : NOW - GRACE);
        router_there_lose(&t, "lost", NOW - GRACE + 1);
        for (unsigned k = 0; k < cell[i].linked; k++)
            assert_true(router_there_name(&t, &c, "linked", true, NOW));
        if (cell[i].lost)
            assert_false(router_there_name(&t, &c, "lost", false, NOW));
        assert_false(router_there_name(&t, &c, "gone", false, NOW) && cell[i].young);
        enum router_there_verdict v = router_there_verdict(&c);
        for (const char *s = cell[i].said; *s != 0; s++)
            v = router_there_said(&c, *s == 'y');
        if (v != cell[i].want || (v == W && router_there_late(&c) != cell[i].late))
            fail_msg("cell %zu: %d", i, v);
    }
}

static void a_lost_edge_is_forgiven_for_the_grace_and_no_longer(void **state)
{
    (void)state;
    router_there_lose(&t, "a", NOW);
    for (uint64_t ms = 0; ms < 2 * GRACE; ms += 500) {
        struct router_there_case c = {0}, other = {0};
        assert_false(router_there_name(&t, &c, "a", false, NOW + ms));
        assert_false(router_there_name(&t, &other, "b", false, NOW + ms));
        assert_int_equal(router_there_verdict(&c), ms < GRACE ? Y : N);
        assert_int_equal(router_there_verdict(&other), N);
    }
}

static void one_that_came_back_and_was_lost_again_is_forgiven_anew(void **state)
{
    (void)state;
    router_there_lose(&t, "a", NOW);
    router_there_lose(&t, "a", NOW + GRACE);
    struct router_there_case c = {0};
    assert_true(router_there_name(&t, &c, "a", true, NOW + GRACE));
    assert_int_equal(router_there_said(&c, false), N); /* while it is linked only its own word counts */
    assert_false(router_there_name(&t, &c, "a", false, NOW + GRACE + GRACE / 2));
    assert_int_equal(router_there_verdict(&c), Y);
}

static void of_too_many_lost_at_once_the_last_are_forgiven(void **state)
{
    char name[32];
    (void)state;
    for (int i = 0; i <= ROUTER_PRESENCE_LOST; i++) {
        snprintf(name, sizeof name, "edge-%d", i);
        router_there_lose(&t, name, NOW);
    }
    for (int i = 0; i <= ROUTER_PRESENCE_LOST; i++) {
        struct router_there_case c = {0};
        snprintf(name, sizeof name, "edge-%d", i);
        router_there_name(&t, &c, name, false, NOW);
        assert_int_equal(router_there_verdict(&c), i == 0 ? N : Y);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        T(every_cell),
        T(a_lost_edge_is_forgiven_for_the_grace_and_no_longer),
        T(one_that_came_back_and_was_lost_again_is_forgiven_anew),
        T(of_too_many_lost_at_once_the_last_are_forgiven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
