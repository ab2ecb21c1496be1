/* SPDX-License-Identifier: Apache-2.0
 * The store of tickets: many of them come and go and are found by their ids, whatever these look like; and what is kept of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meridian/id.h>
#include <meridian/mem.h>

#include "region-router/tickets.h"

enum { EDGES = 3, MANY = 20000 };

static const struct router_regions three = {.count = 3};
static const uint64_t seed[2] = {1, 2};

struct fix {
    struct router_tickets ts;
    struct router_edge e[EDGES];
};

static int setup(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    router_tickets_init(&f->ts, seed, &three);
    *state = f;
    return 0;
}
static int teardown(void **state)
{
    struct fix *f = *state;
    router_tickets_deinit(&f->ts);
    for (unsigned i = 0; i < EDGES; i++)
        assert_int_equal(f->e[i].tickets, 0);
    free(f);
    return 0;
}

static struct router_ticket *add(struct fix *f, const char *id)
{
    struct router_ticket_spec s = {.id = id, .user = id, .edge = &f->e[(unsigned char)id[2] % EDGES]};
    return router_tickets_add(&f->ts, &s, 1000);
}

/* As an edge makes them; every third is not. */
static void id_of(unsigned n, char out[32])
{
    uint8_t bytes[ROUTER_ID_BYTES] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16)};
    mer_id_write(bytes, sizeof bytes, "t-", out, 32);
    if (n % 3 == 0)
        snprintf(out, 32, "t-%u.odd", n);
}

static void many_come_and_go_and_each_is_found(void **state)
{
    struct fix *f = *state;
    struct router_ticket **t = calloc(MANY, sizeof(*t));
    char id[32];
    for (unsigned round = 0; round < 3; round++) { /* the last ones stay each time */
        for (unsigned i = 0; i < MANY; i++) {
            id_of(i, id);
            assert_true((router_tickets_find(&f->ts, id) == NULL) == (t[i] == NULL));
            if (t[i] == NULL)
                t[i] = add(f, id);
            assert_non_null(t[i]);
        }
        assert_int_equal(f->ts.count, MANY);
        router_tickets_check(&f->ts);
        for (unsigned i = 0; i < MANY; i++) {
            id_of(i, id);
            assert_ptr_equal(router_tickets_find(&f->ts, id), t[i]);
            if (i >= MANY - 100 * (2 - round))
                continue;
            router_tickets_remove(&f->ts, t[i]);
            t[i] = NULL;
            assert_null(router_tickets_find(&f->ts, id));
        }
        router_tickets_check(&f->ts);
        assert_true(f->ts.ids.segments == 1);
    }
    free(t);
}

static void ids_that_look_alike_are_different(void **state)
{
    static const char *const ids[] = {"t-aaaaaaaaaaaaaaaa", "t-aaaaaaaaaaaaaaab", "t-aaaaaaaaaaaaaaa",  "t-aaaaaaaaaaaaaaaaa",
                                      "t-AAAAAAAAAAAAAAAA", "x-aaaaaaaaaaaaaaaa", "t-aaaaaaaaaaaaaaa1", "t-"};
    struct fix *f = *state;
    for (size_t i = 0; i < MER_COUNT(ids); i++) {
        assert_null(router_tickets_find(&f->ts, ids[i]));
        assert_non_null(add(f, ids[i]));
        assert_int_equal(router_tickets_find(&f->ts, ids[i])->odd, i > 1);
    }
    router_tickets_check(&f->ts);
}

static void what_others_need_to_know_is_kept_when_it_is_said(void **state)
{
    struct fix *f = *state;
    static const uint16_t first[] = {1, 2, 3}, second[] = {4, 5, 6};
    struct router_ticket *t = add(f, "t-bbbbbbbbbbbbbbbb");
    struct router_ticket_spec s = {.id = "t-bbbbbbbbbbbbbbbb", .user = "u", .name = "Ann", .latency = first};
    assert_null(router_ticket_details(&f->ts, t));
    assert_true(router_tickets_learn(&f->ts, t, &s));
    struct router_details *d = router_ticket_details(&f->ts, t);
    assert_null(d->id);
    assert_string_equal(d->name, "Ann");
    assert_string_equal(d->user, "u");
    assert_int_equal(d->latency[2], 3);
    assert_int_equal(d->latency[3], ROUTER_FAR);
    d->told = 2;
    s.name = "Bo";
    s.latency = second;
    assert_true(router_tickets_learn(&f->ts, t, &s));
    assert_string_equal(d->name, "Bo");
    assert_int_equal(d->latency[2], 3); /* all leaders are to weigh the same */
    t = add(f, "odd");
    s = (struct router_ticket_spec){.id = "odd", .user = "odd", .name = ""};
    assert_true(router_tickets_learn(&f->ts, t, &s));
    assert_string_equal(router_ticket_details(&f->ts, t)->id, "odd");
    assert_true(router_tickets_is_of(&f->ts, t, "odd"));
    assert_false(router_tickets_is_of(&f->ts, t, "u"));
}

static void without_memory_nothing_is_left_behind(void **state)
{
    struct fix *f = *state;
    for (unsigned n = 1; n < 12; n++) {
        mer_mem_fail_at(n);
        struct router_ticket *t = add(f, "odd");
        mer_mem_fail_at(0);
        assert_int_equal(f->ts.count, t != NULL);
        router_tickets_check(&f->ts);
        if (t != NULL)
            router_tickets_remove(&f->ts, t);
        router_tickets_deinit(&f->ts);
        router_tickets_init(&f->ts, seed, &three);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(many_come_and_go_and_each_is_found),
        T(ids_that_look_alike_are_different),
        T(what_others_need_to_know_is_kept_when_it_is_said),
        T(without_memory_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
