/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "region-router/claims.h"

enum { EDGES = 31, ORDERS = 4096 };

struct order {
    char by[ROUTER_NAME_BYTES], of[ROUTER_NAME_BYTES];
    uint32_t first, last;
};
struct fix {
    struct router_claims c;
    struct router_edge e[EDGES];
    struct mer_list edges;
    uint64_t now;
    struct order orders[ORDERS];
    unsigned order_count, asks, notes, forgotten;
    bool edges_answer, store_answers;
    enum router_alive alive;
};

static void ask(void *ctx, const struct router_owner *o)
{
    struct fix *f = ctx;
    (void)o;
    f->asks++;
}
static void claim(void *ctx, const struct router_edge *by, const struct router_owner *of, uint32_t first, uint32_t last)
{
    struct fix *f = ctx;
    struct order *o = &f->orders[f->order_count++];
    assert_true(f->order_count < ORDERS);
    assert_string_not_equal(by->incarnation, of->incarnation);
    assert_int_equal(last, first + ROUTER_SLICE_BUCKETS - 1);
    snprintf(o->by, sizeof o->by, "%s", by->incarnation);
    snprintf(o->of, sizeof o->of, "%s", of->incarnation);
    o->first = first;
    o->last = last;
}
static char noted[EDGES * 4][ROUTER_NAME_BYTES];
static bool removed[EDGES * 4];
static void note(void *ctx, const struct router_owner *o)
{
    struct fix *f = ctx;
    snprintf(noted[f->notes], ROUTER_NAME_BYTES, "%s", o->incarnation);
    removed[f->notes++] = o->state == ROUTER_CLAIM_REMOVED;
}
static void forget_note(void *ctx, const struct router_owner *o)
{
    (void)ctx, (void)o;
}
static void moved(void *ctx, const struct router_owner *o, enum router_claim_state from)
{
    (void)ctx;
    assert_int_not_equal(o->state, from);
}

static int setup(void **state)
{
    static struct fix f;
    memset(&f, 0, sizeof f);
    f.now = 1000000;
    f.edges_answer = f.store_answers = true;
    f.alive = ROUTER_GONE;
    mer_list_init(&f.edges);
    struct router_claims_env env = {ask, claim, note, moved, &f.edges, &f};
    router_claims_init(&f.c, &env);
    *state = &f;
    return 0;
}
static int teardown(void **state)
{
    router_claims_deinit(&((struct fix *)*state)->c);
    return 0;
}

static struct router_owner *owner(struct fix *f, const char *incarnation)
{
    MER_LIST_EACH (it, &f->c.owners) {
        struct router_owner *o = MER_LIST_ENTRY(it, struct router_owner, node);
        if (strcmp(o->incarnation, incarnation) == 0)
            return o;
    }
    return NULL;
}

static void up(struct fix *f, unsigned i, const char *incarnation, const char *id)
{
    struct router_edge *e = &f->e[i];
    memset(e, 0, sizeof *e);
    snprintf(e->incarnation, sizeof e->incarnation, "%s", incarnation);
    snprintf(e->id, sizeof e->id, "%s", id);
    e->reported = true;
    mer_list_push_back(&f->edges, &e->node);
    assert_int_equal(router_claims_up(&f->c, incarnation, id, f->now), MER_OK);
}
static void down(struct fix *f, unsigned i, bool draining)
{
    mer_list_remove(&f->e[i].node);
    router_claims_down(&f->c, f->e[i].incarnation, draining, f->now);
}

/* What edges and store would answer, at once. */
static void answer(struct fix *f)
{
    for (unsigned i = 0; f->store_answers && i < f->notes; i++)
        router_claims_noted(&f->c, noted[i], removed[i], true);
    f->forgotten += f->notes;
    f->notes = 0;
    for (unsigned i = 0; f->edges_answer && i < f->order_count; i++)
        router_claims_answer(&f->c, f->orders[i].by, f->orders[i].of, f->orders[i].first, true, 3, f->now);
    if (f->edges_answer)
        f->order_count = 0;
    MER_LIST_EACH_SAFE (it, &f->c.owners) {
        struct router_owner *o = MER_LIST_ENTRY(it, struct router_owner, node);
        if (o->asking)
            router_claims_alive(&f->c, o->incarnation, f->alive, f->now);
    }
}
static void run_for(struct fix *f, uint64_t ms)
{
    for (uint64_t end = f->now + ms; f->now < end; f->now += ROUTER_CLAIMS_TICK_MS) {
        MER_LIST_EACH (it, &f->edges)
            MER_LIST_ENTRY(it, struct router_edge, node)->reported_ms = f->now;
        router_claims_step(&f->c, f->now);
        answer(f);
    }
}

#define S(n) ROUTER_CLAIM_##n
static void every_cell_of_the_table(void **state)
{
    static const uint8_t want[ROUTER_CLAIM_NSTATES][ROUTER_CLAIM_NEVENTS] = {
        {S(LINKED), S(SILENT), S(LINKED), S(LINKED), S(REPLACED), S(LINKED)},
        {S(LINKED), S(SILENT), S(CHECKING), S(SILENT), S(REPLACED), S(SILENT)},
        {S(LINKED), S(CHECKING), S(CHECKING), S(DEAD), S(REPLACED), S(CHECKING)},
        {S(LINKED), S(DEAD), S(DEAD), S(DEAD), S(REPLACED), S(REMOVED)},
        {S(REPLACED), S(REPLACED), S(REPLACED), S(REPLACED), S(REPLACED), S(REMOVED)},
        {S(LINKED), S(REMOVED), S(REMOVED), S(REMOVED), S(REMOVED), S(REMOVED)},
    };
    (void)state;
    for (int s = 0; s < ROUTER_CLAIM_NSTATES; s++)
        for (int e = 0; e < ROUTER_CLAIM_NEVENTS; e++)
            assert_int_equal(router_claim_next((enum router_claim_state)s, (enum router_claim_event)e), want[s][e]);
}

static void a_silent_edge_whose_key_is_gone_is_dead_and_its_slices_are_claimed_once(void **state)
{
    struct fix *f = *state;
    for (unsigned i = 0; i < 3; i++) {
        char incarnation[16], id[16];
        snprintf(incarnation, sizeof incarnation, "e%u.a", i);
        snprintf(id, sizeof id, "e%u", i);
        up(f, i, incarnation, id);
    }
    run_for(f, 200);
    assert_true(owner(f, "e0.a")->noted);
    down(f, 0, false);
    run_for(f, 2500);
    assert_int_equal(owner(f, "e0.a")->state, S(SILENT));
    assert_int_equal(f->asks, 0);
    f->edges_answer = false;
    run_for(f, 1000);
    assert_int_equal(owner(f, "e0.a")->state, S(DEAD));
    assert_int_equal(f->order_count, 4); /* two edges, two slices each, until they answer */
    uint8_t seen[ROUTER_SLICES] = {0}, by[2] = {0};
    while (owner(f, "e0.a") != NULL && owner(f, "e0.a")->state == S(DEAD)) {
        for (unsigned i = 0; i < f->order_count; i++) {
            seen[f->orders[i].first / ROUTER_SLICE_BUCKETS]++;
            by[strcmp(f->orders[i].by, "e1.a") != 0]++;
        }
        f->edges_answer = true;
        answer(f);
        f->edges_answer = false;
        router_claims_step(&f->c, f->now);
    }
    for (unsigned i = 0; i < ROUTER_SLICES; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(by[0], 8);
    assert_int_equal(by[1], 8);
    run_for(f, 200);
    assert_null(owner(f, "e0.a")); /* the store has forgotten it */
    assert_int_equal(f->c.counts[ROUTER_C_GAMES], 3 * ROUTER_SLICES);
}

static void as_long_as_the_key_is_there_or_nobody_can_tell_it_lives(void **state)
{
    struct fix *f = *state;
    up(f, 0, "e0.a", "e0");
    down(f, 0, false);
    f->alive = ROUTER_ALIVE;
    run_for(f, 20000);
    assert_int_equal(owner(f, "e0.a")->state, S(CHECKING));
    f->alive = ROUTER_NOT_KNOWN;
    run_for(f, 20000);
    assert_int_equal(owner(f, "e0.a")->state, S(CHECKING));
    up(f, 0, "e0.a", "e0");
    assert_int_equal(owner(f, "e0.a")->state, S(LINKED));
}

static void a_newer_incarnation_makes_the_older_ones_dead_at_once(void **state)
{
    struct fix *f = *state;
    up(f, 0, "e0.a", "e0");
    down(f, 0, false);
    f->edges_answer = false;
    up(f, 0, "e0.b", "e0");
    assert_int_equal(owner(f, "e0.a")->state, S(REPLACED));
    run_for(f, 100);
    assert_int_equal(f->order_count, 2); /* by its own successor */
    assert_string_equal(f->orders[0].by, "e0.b");
    assert_int_equal(router_claims_up(&f->c, "e0.a", "e0", f->now), MER_OK); /* it was only paused */
    assert_int_equal(owner(f, "e0.a")->state, S(REPLACED));
    assert_int_equal(owner(f, "e0.b")->state, S(LINKED));
    f->edges_answer = true;
    run_for(f, 2000);
    assert_null(owner(f, "e0.a"));
    assert_int_equal(router_claims_up(&f->c, "e0.a", "e0", f->now), MER_OK);
    assert_null(owner(f, "e0.a"));
    assert_int_equal(owner(f, "e0.b")->state, S(LINKED));
}

static void an_edge_that_comes_back_is_not_claimed_on(void **state)
{
    struct fix *f = *state;
    up(f, 0, "e0.a", "e0");
    up(f, 1, "e1.a", "e1");
    down(f, 0, false);
    f->edges_answer = false;
    run_for(f, 4000);
    assert_int_equal(owner(f, "e0.a")->state, S(DEAD));
    up(f, 0, "e0.a", "e0");
    assert_int_equal(owner(f, "e0.a")->state, S(LINKED));
    unsigned orders = f->order_count;
    run_for(f, 20000);
    assert_int_equal(f->order_count, orders);
}

static void an_edge_that_wakes_up_after_all_was_claimed_may_die_again(void **state)
{
    struct fix *f = *state;
    up(f, 0, "e0.a", "e0");
    up(f, 1, "e1.a", "e1");
    for (int life = 0; life < 3; life++) {
        down(f, 0, false);
        f->store_answers = life != 1; /* once it wakes up before the store has forgotten it */
        run_for(f, 70000);            /* the brake lets one die a minute */
        assert_int_equal(f->c.counts[ROUTER_C_REMOVED], life + 1);
        up(f, 0, "e0.a", "e0");
        assert_int_equal(owner(f, "e0.a")->state, S(LINKED));
        assert_false(owner(f, "e0.a")->noted);
        f->store_answers = true;
        run_for(f, 200);
        assert_true(owner(f, "e0.a")->noted);
    }
    assert_int_equal(f->c.counts[ROUTER_C_GAMES], 3 * 3 * ROUTER_SLICES);
}

static void a_new_leader_finds_those_who_died_with_the_old_one(void **state)
{
    struct fix *f = *state;
    up(f, 1, "e1.b", "e1");
    assert_int_equal(router_claims_remember(&f->c, "e0.a", "e0", f->now), MER_OK);
    assert_int_equal(router_claims_remember(&f->c, "e1.a", "e1", f->now), MER_OK);
    assert_int_equal(router_claims_remember(&f->c, "e1.b", "e1", f->now), MER_OK);
    assert_int_equal(router_claims_remember(&f->c, "", "e1", f->now), MER_EINVALID);
    assert_int_equal(owner(f, "e1.a")->state, S(REPLACED));
    assert_int_equal(owner(f, "e1.b")->state, S(LINKED));
    run_for(f, 6000);
    assert_null(owner(f, "e0.a"));
    assert_null(owner(f, "e1.a"));
    assert_int_equal(f->c.counts[ROUTER_C_DEAD], 1);
}

static void a_slice_that_failed_goes_to_another_edge(void **state)
{
    struct fix *f = *state;
    for (unsigned i = 0; i < 3; i++) {
        char incarnation[16];
        snprintf(incarnation, sizeof incarnation, "e%u.a", i);
        up(f, i, incarnation, incarnation);
    }
    assert_int_equal(router_claims_remember(&f->c, "x.a", "x", f->now), MER_OK);
    f->edges_answer = false;
    run_for(f, 3600);
    assert_int_equal(f->order_count, 6);
    struct order first = f->orders[0];
    router_claims_answer(&f->c, first.by, "nobody", first.first, true, 0, f->now); /* strays */
    router_claims_answer(&f->c, "nobody", first.of, first.first, true, 0, f->now);
    router_claims_answer(&f->c, first.by, first.of, first.first + 1, true, 0, f->now);
    router_claims_answer(&f->c, first.by, first.of, 4096, true, 0, f->now);
    assert_false(owner(f, "x.a")->slice[0].done);
    router_claims_answer(&f->c, first.by, first.of, first.first, false, 0, f->now);
    f->order_count = 0;
    run_for(f, 400);
    for (unsigned i = 0; i < f->order_count; i++)
        assert_int_not_equal(f->orders[i].first, first.first); /* not at once again */
    down(f, 0, false);                                         /* the others are not answered: given out again when overdue */
    run_for(f, ROUTER_SLICE_MS + 1000);
    bool again = false;
    for (unsigned i = 0; i < f->order_count; i++)
        again |= f->orders[i].first == first.first;
    assert_true(again);
    f->edges_answer = true;
    run_for(f, 15000);
    assert_null(owner(f, "x.a"));
}

static void the_brake_holds_many_silent_edges_until_an_operator_says_go(void **state)
{
    struct fix *f = *state;
    for (unsigned i = 0; i < EDGES; i++) {
        char incarnation[16];
        snprintf(incarnation, sizeof incarnation, "e%u.a", i);
        up(f, i, incarnation, incarnation);
    }
    run_for(f, 1000);
    for (unsigned i = 0; i < 20; i++)
        down(f, i, i == 19); /* the last one was draining: it said so */
    run_for(f, 20000);
    assert_int_equal(f->c.counts[ROUTER_C_DEAD], 3 + 1);
    assert_int_equal(router_claims_braked(&f->c), 16);
    run_for(f, 50000);                                       /* a minute later the next few */
    assert_int_equal(f->c.counts[ROUTER_C_DEAD], 3 + 1 + 2); /* 27 are left */
    assert_int_equal(router_claims_allow(&f->c), 14);
    run_for(f, 20000);
    assert_int_equal(f->c.counts[ROUTER_C_DEAD], 20);
    assert_int_equal(router_claims_braked(&f->c), 0);
}

static void nobody_claims_who_drains_or_does_not_report(void **state)
{
    struct fix *f = *state;
    up(f, 0, "e0.a", "e0");
    up(f, 1, "e1.a", "e1");
    f->e[0].draining = true;
    f->e[1].reported = false;
    assert_int_equal(router_claims_remember(&f->c, "x.a", "x", f->now), MER_OK);
    run_for(f, 10000);
    assert_int_equal(owner(f, "x.a")->state, S(DEAD));
    assert_int_equal(f->order_count, 0);
    f->e[1].reported = true;
    run_for(f, 3000);
    assert_null(owner(f, "x.a"));
}

static void what_the_store_did_not_take_is_told_again(void **state)
{
    struct fix *f = *state;
    f->store_answers = false;
    up(f, 0, "e0.a", "e0");
    run_for(f, 1000);
    assert_true(f->forgotten >= 10);
    assert_false(owner(f, "e0.a")->noted);
    router_claims_noted(&f->c, "e0.a", true, true); /* of another life */
    assert_false(owner(f, "e0.a")->noted);
    router_claims_noted(&f->c, "e0.a", false, false);
    assert_false(owner(f, "e0.a")->noted);
    f->store_answers = true;
    run_for(f, 200);
    assert_true(owner(f, "e0.a")->noted);
}

/* Power is back: every edge of a large region has another incarnation, and every old one owns what it owned. The leader has heartbeats to
 * send meanwhile. Counted for every slice anew, a step would take seconds, and this test a minute. */
static void a_region_that_starts_again_as_a_whole_does_not_stop_its_leader(void **state)
{
    enum { MANY = 160 };
    struct fix *f = *state;
    struct router_edge *e = calloc(MANY, sizeof *e);
    f->edges_answer = f->store_answers = false;
    for (unsigned i = 0; i < MANY; i++) {
        char old[ROUTER_NAME_BYTES];
        snprintf(e[i].id, sizeof e[i].id, "us-east-h%02u-%u", i / 8, i % 8);
        snprintf(e[i].incarnation, sizeof e[i].incarnation, "us-east-h%02u-%u.new", i / 8, i % 8);
        snprintf(old, sizeof old, "us-east-h%02u-%u.old", i / 8, i % 8);
        e[i].reported = true;
        e[i].reported_ms = f->now;
        mer_list_push_back(&f->edges, &e[i].node);
        assert_int_equal(router_claims_remember(&f->c, old, e[i].id, f->now), MER_OK);
        assert_int_equal(router_claims_up(&f->c, e[i].incarnation, e[i].id, f->now), MER_OK);
    }
    assert_int_equal(router_claims_in(&f->c, S(REPLACED)), MANY);
    f->c.env.note = forget_note;
    for (int i = 0; i < 10; i++)
        router_claims_step(&f->c, f->now);
    assert_int_equal(f->order_count, MANY * ROUTER_SLICES_AN_EDGE);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(e[i].claiming, ROUTER_SLICES_AN_EDGE);
    free(e);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_cell_of_the_table),
        T(a_silent_edge_whose_key_is_gone_is_dead_and_its_slices_are_claimed_once),
        T(as_long_as_the_key_is_there_or_nobody_can_tell_it_lives),
        T(a_newer_incarnation_makes_the_older_ones_dead_at_once),
        T(an_edge_that_comes_back_is_not_claimed_on),
        T(an_edge_that_wakes_up_after_all_was_claimed_may_die_again),
        T(a_new_leader_finds_those_who_died_with_the_old_one),
        T(a_slice_that_failed_goes_to_another_edge),
        T(the_brake_holds_many_silent_edges_until_an_operator_says_go),
        T(nobody_claims_who_drains_or_does_not_report),
        T(what_the_store_did_not_take_is_told_again),
        T(a_region_that_starts_again_as_a_whole_does_not_stop_its_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
