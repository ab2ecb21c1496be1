/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/game/memory.h"
#include "unit.h"

#define DOWN MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_DOWN

struct table {
    struct edge_rules_state s;
    struct edge_memory *m;
    struct mer_rng_seeded seed;
    struct mer_rng rng;
};

static void deal(struct table *t, unsigned rows, unsigned cols, uint64_t seed)
{
    struct edge_rules_spec spec = {.seats = 2, .rows = (uint8_t)rows, .cols = (uint8_t)cols, .bots = 3};
    t->rng = mer_rng_seed(&t->seed, seed);
    t->m = (struct edge_memory *)&t->s;
    assert_int_equal(edge_memory.create(&t->s, &spec, &t->rng), MER_OK);
}

/* One flip, or the end of a reveal. Returns true when the game is finished. */
static bool step(struct table *t)
{
    struct edge_rules_out out;
    struct edge_rules_bot bot;
    edge_rules_out_init(&out);
    if (t->m->revealing) {
        edge_memory.timeout(&t->s, &out);
        return false;
    }
    assert_true(edge_memory.bot(&t->s, t->m->turn, &t->rng, &bot));
    assert_in_range(bot.think_ms, 600, 1800);
    assert_int_equal(edge_memory.apply(&t->s, t->m->turn, &bot.action, &out), 0); /* it never breaks a rule */
    return out.finished;
}

static void it_plays_every_board_to_the_end_within_the_rules(void **state)
{
    (void)state;
    struct table t;
    for (unsigned n = 0; n < 300; n++) {
        unsigned steps = 0;
        deal(&t, 2 + n % 9, 2 + n / 9 % 5 * 2, n);
        while (!step(&t))
            assert_true(++steps < 5000);
    }
}

/* Exchanges the faces of all cards that were never turned, and asks the same dice for the same decision. */
static void it_never_reads_a_face_it_has_not_seen(void **state)
{
    (void)state;
    struct table t;
    unsigned asked = 0;
    for (unsigned n = 0; n < 200; n++) {
        bool seen[EDGE_RULES_CARDS] = {false};
        deal(&t, 4, 6, 1000 + n);
        do {
            for (unsigned i = 0; i < 24; i++)
                seen[i] = seen[i] || t.m->card[i] != DOWN;
            if (t.m->revealing)
                continue;
            struct edge_rules_state other = t.s;
            struct edge_memory *o = (struct edge_memory *)&other;
            for (unsigned i = 0; i < 24; i++)
                if (!seen[i])
                    o->face[i] = (uint8_t)(200 + i);
            struct mer_rng_seeded d1, d2;
            struct mer_rng r1 = mer_rng_seed(&d1, n * 7919 + asked), r2 = mer_rng_seed(&d2, n * 7919 + asked);
            struct edge_rules_bot b1, b2;
            assert_true(edge_memory.bot(&t.s, t.m->turn, &r1, &b1));
            assert_true(edge_memory.bot(&other, t.m->turn, &r2, &b2));
            assert_int_equal(b1.action.card, b2.action.card);
            assert_int_equal(b1.think_ms, b2.think_ms);
            asked++;
        } while (!step(&t));
    }
    assert_true(asked > 5000);
}

static void it_has_nothing_to_do_when_others_play_or_cards_are_shown(void **state)
{
    (void)state;
    struct table t;
    struct edge_rules_bot bot;
    deal(&t, 4, 4, 3);
    assert_false(edge_memory.bot(&t.s, 1, &t.rng, &bot));
    t.m->revealing = true;
    assert_false(edge_memory.bot(&t.s, 0, &t.rng, &bot));
}

static unsigned hits(unsigned age, bool ever_seen)
{
    unsigned n = 0;
    struct table t;
    for (unsigned i = 0; i < 1000; i++) {
        struct edge_rules_bot bot;
        deal(&t, 10, 10, i);
        for (unsigned k = 0; k < 100; k++)
            t.m->face[k] = (uint8_t)(k / 2);
        if (ever_seen)
            edge__memory_notice(&t.m->mind[0], 1);
        for (unsigned k = 0; k < age; k++)
            edge__memory_notice(&t.m->mind[0], 10 + k * 2);
        t.m->card[0] = 2;
        t.m->open[t.m->open_count++] = 0;
        assert_true(edge_memory.bot(&t.s, 0, &t.rng, &bot));
        n += bot.action.card == 1;
    }
    return n;
}

static void it_mostly_knows_what_it_saw_just_now_and_forgets(void **state)
{
    (void)state;
    unsigned fresh = hits(0, true), older = hits(6, true), old = hits(14, true), gone = hits(20, true), never = hits(0, false);
    assert_true(fresh > 900 && fresh < 1000);
    assert_true(older < fresh && old < older);
    assert_true(gone < 60 && never < 60); /* a lucky guess among a hundred */
}

static void its_mind_holds_the_freshest_cards_and_drops_taken_ones(void **state)
{
    (void)state;
    struct edge_memory_mind mind = {0};
    for (unsigned i = 0; i < 30; i++)
        edge__memory_notice(&mind, i);
    assert_int_equal(mind.count, EDGE_MEMORY_RECALL);
    assert_int_equal(mind.card[0], 10);
    edge__memory_notice(&mind, 10); /* seen again: fresh again */
    assert_int_equal(mind.card[0], 11);
    assert_int_equal(mind.card[19], 10);
    edge__memory_forget(&mind, 15);
    edge__memory_forget(&mind, 15);
    assert_int_equal(mind.count, 19);
    assert_null(memchr(mind.card, 15, mind.count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_plays_every_board_to_the_end_within_the_rules),
        cmocka_unit_test(it_never_reads_a_face_it_has_not_seen),
        cmocka_unit_test(it_has_nothing_to_do_when_others_play_or_cards_are_shown),
        cmocka_unit_test(it_mostly_knows_what_it_saw_just_now_and_forgets),
        cmocka_unit_test(its_mind_holds_the_freshest_cards_and_drops_taken_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
