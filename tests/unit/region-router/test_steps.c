/* SPDX-License-Identifier: Apache-2.0
 * The ring of tickets' steps against a list of what is due: never early, in order, each once, also when time jumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meridian/rng.h>

#include "region-router/steps.h"

enum { TICKETS = 64 };

static const struct router_regions alone = {.count = 1};
static const uint64_t seed[2] = {1, 2};

struct fix {
    struct router_tickets ts;
    struct router_steps s;
    struct router_edge e;
    struct router_ticket *t[TICKETS];
    uint64_t due[TICKETS]; /* 0: not armed */
    uint64_t now;
};

static int setup(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    f->now = 1000000;
    router_tickets_init(&f->ts, seed, &alone);
    router_steps_init(&f->s, &f->ts, f->now);
    for (unsigned i = 0; i < TICKETS; i++) {
        char id[8];
        snprintf(id, sizeof id, "%u", i);
        f->t[i] = router_tickets_add(&f->ts, &(struct router_ticket_spec){.id = id, .user = id, .edge = &f->e}, f->now);
    }
    *state = f;
    return 0;
}
static int teardown(void **state)
{
    struct fix *f = *state;
    router_tickets_deinit(&f->ts);
    free(f);
    return 0;
}

static void arm(struct fix *f, unsigned i, uint64_t in_ms)
{
    router_steps_disarm(&f->s, f->t[i]);
    router_steps_arm(&f->s, f->t[i], f->now + in_ms);
    f->due[i] = f->now + in_ms;
}

static uint64_t earliest(const struct fix *f)
{
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < TICKETS; i++)
        first = f->due[i] != 0 && f->due[i] < first ? f->due[i] : first;
    return first;
}

/* Takes what is due, at most `max`. */
static void take(struct fix *f, unsigned max)
{
    struct router_ticket *t;
    for (; max > 0 && (t = router_steps_take(&f->s, f->now)) != NULL; max--) {
        unsigned i = 0;
        while (f->t[i] != t)
            i++;
        assert_int_equal(f->due[i], earliest(f));
        assert_true(f->due[i] <= f->now);
        f->due[i] = 0;
    }
    if (max > 0)
        assert_true(earliest(f) > f->now);
}

static void a_step_comes_when_it_is_due_and_not_before(void **state)
{
    struct fix *f = *state;
    assert_int_equal(router_steps_next_ms(&f->s), UINT64_MAX);
    arm(f, 0, ROUTER_SLOW_STEP_MS);
    assert_int_equal(router_steps_next_ms(&f->s), f->now + ROUTER_SLOW_STEP_MS);
    assert_int_equal(router_steps_left_ms(f->t[0], f->now), ROUTER_SLOW_STEP_MS);
    f->now += ROUTER_SLOW_STEP_MS - 1;
    assert_null(router_steps_take(&f->s, f->now));
    f->now++;
    take(f, 2);
    assert_int_equal(f->due[0], 0);
    assert_int_equal(router_steps_left_ms(f->t[0], f->now), 0);
    arm(f, 0, 10);
    router_steps_disarm(&f->s, f->t[0]);
    router_steps_disarm(&f->s, f->t[0]);
    f->due[0] = 0;
    f->now += 10;
    take(f, 2);
}

static void what_is_due_already_comes_at_the_next_look(void **state)
{
    struct fix *f = *state;
    take(f, 1);
    router_steps_arm(&f->s, f->t[0], f->now - 5000);
    assert_null(router_steps_take(&f->s, f->now)); /* a ticket that steps into the past would never let go */
    assert_ptr_equal(router_steps_take(&f->s, f->now + 1), f->t[0]);
}

static void random_use_is_like_a_list(void **state)
{
    struct fix *f = *state;
    struct mer_rng_seeded s;
    struct mer_rng r = mer_rng_seed(&s, 1);
    take(f, 1);
    for (unsigned i = 0; i < 200000; i++) {
        unsigned what = mer_rng_below(&r, 100), who = mer_rng_below(&r, TICKETS);
        if (what < 50) {
            if (router_steps_next_ms(&f->s) != 0) /* nothing waits from the last time: else the order of two at one time is open */
                arm(f, who, 1 + mer_rng_below(&r, ROUTER_SLOW_STEP_MS));
        } else if (what < 60) {
            router_steps_disarm(&f->s, f->t[who]);
            f->due[who] = 0;
        } else {
            f->now += what == 99 ? mer_rng_below(&r, 60000) : mer_rng_below(&r, 300);
            take(f, mer_rng_below(&r, 4) == 0 ? 1 : TICKETS + 1);
        }
        uint64_t next = router_steps_next_ms(&f->s), first = earliest(f);
        assert_true(first <= f->now ? next == 0 : next == first);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_step_comes_when_it_is_due_and_not_before),
        T(what_is_due_already_comes_at_the_next_look),
        T(random_use_is_like_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
