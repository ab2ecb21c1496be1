/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "edge/game/memory.h"
#include "meridian/state/v1/state.pb-c.h"
#include "unit.h"

#define ERR(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name
#define CARD(name) MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_##name

struct table {
    struct edge_rules_state s;
    struct edge_memory *m;
    struct edge_rules_out out;
    struct mer_rng_seeded seed;
    struct mer_rng rng;
};

/* Faces in order: 0 0 1 1 2 2 ..., so that a test knows its pairs. */
static void deal(struct table *t, unsigned seats, unsigned rows, unsigned cols)
{
    struct edge_rules_spec spec = {.seats = (uint8_t)seats, .rows = (uint8_t)rows, .cols = (uint8_t)cols};
    t->rng = mer_rng_seed(&t->seed, 1);
    t->m = (struct edge_memory *)&t->s;
    assert_int_equal(edge_memory.create(&t->s, &spec, &t->rng), MER_OK);
    for (unsigned i = 0; i < rows * cols; i++)
        t->m->face[i] = (uint8_t)(i / 2);
}

static unsigned flip(struct table *t, unsigned seat, uint32_t card)
{
    edge_rules_out_init(&t->out);
    return edge_memory.apply(&t->s, seat, &(struct edge_rules_action){card}, &t->out);
}

static void time_out(struct table *t)
{
    edge_rules_out_init(&t->out);
    edge_memory.timeout(&t->s, &t->out);
}

#define assert_events(t, ...) \
    do { \
        static const uint8_t want_[] = {__VA_ARGS__}; \
        assert_int_equal((t)->out.count, sizeof(want_)); \
        for (unsigned i_ = 0; i_ < sizeof(want_); i_++) \
            assert_int_equal((t)->out.event[i_].kind, want_[i_]); \
    } while (0)

static void every_board_of_the_protocol_can_be_dealt_and_no_other(void **state)
{
    (void)state;
    struct table t;
    t.rng = mer_rng_seed(&t.seed, 1);
    for (unsigned seats = 0; seats <= 6; seats++)
        for (unsigned rows = 0; rows <= 12; rows++)
            for (unsigned cols = 0; cols <= 12; cols++) {
                bool ok = seats >= 2 && seats <= 4 && rows >= 2 && rows <= 10 && cols >= 2 && cols <= 10 && rows * cols % 2 == 0;
                struct edge_rules_spec spec = {.seats = (uint8_t)seats, .rows = (uint8_t)rows, .cols = (uint8_t)cols};
                assert_int_equal(edge_memory.create(&t.s, &spec, &t.rng), ok ? MER_OK : MER_EINVALID);
            }
}

static void every_face_is_dealt_twice_and_anywhere(void **state)
{
    (void)state;
    struct table t;
    unsigned where[4][4] = {{0}};
    struct edge_rules_spec spec = {.seats = 2, .rows = 2, .cols = 2};
    t.rng = mer_rng_seed(&t.seed, 5);
    for (unsigned n = 0; n < 6000; n++) {
        assert_int_equal(edge_memory.create(&t.s, &spec, &t.rng), MER_OK);
        const struct edge_memory *m = (struct edge_memory *)&t.s;
        unsigned copies[2] = {0};
        for (unsigned i = 0; i < 4; i++) {
            copies[m->face[i]]++;
            where[m->face[i]][i]++;
        }
        assert_int_equal(copies[0], 2);
        assert_int_equal(copies[1], 2);
    }
    for (unsigned i = 0; i < 4; i++) /* 3,000 expected, deviation 39: five of them */
        assert_in_range(where[0][i], 2800, 3200);
}

static void the_first_card_is_shown_and_the_clock_runs_on(void **state)
{
    (void)state;
    struct table t;
    deal(&t, 2, 4, 4);
    assert_int_equal(flip(&t, 0, 5), 0);
    assert_events(&t, EDGE_EVENT_FLIPPED);
    assert_int_equal(t.out.event[0].cards[0], 5);
    assert_int_equal(t.out.event[0].face, 2);
    assert_false(t.out.new_clock);
    assert_int_equal(t.out.finished_turn, EDGE_RULES_NO_SEAT);
}

static void a_pair_scores_and_the_same_seat_goes_on_with_a_new_clock(void **state)
{
    (void)state;
    struct table t;
    uint32_t scores[EDGE_RULES_SEATS];
    deal(&t, 2, 4, 4);
    flip(&t, 0, 4);
    assert_int_equal(flip(&t, 0, 5), 0);
    assert_events(&t, EDGE_EVENT_FLIPPED, EDGE_EVENT_FOUND, EDGE_EVENT_TURN);
    assert_int_equal(t.out.event[1].cards[0], 4);
    assert_int_equal(t.out.event[1].cards[1], 5);
    assert_int_equal(t.out.event[2].seat, 0);
    assert_true(t.out.new_clock);
    assert_int_equal(edge_memory.clock_ms(&t.s), 20000);
    assert_int_equal(t.out.finished_turn, 0);
    edge_memory.scores(&t.s, scores);
    assert_int_equal(scores[0], 1);
    assert_int_equal(t.m->card[4], CARD(TAKEN));
}

static void missed_cards_stay_up_for_the_reveal_time_and_nobody_may_flip(void **state)
{
    (void)state;
    struct table t;
    struct edge_rules_view v;
    deal(&t, 2, 4, 4);
    flip(&t, 0, 0);
    assert_int_equal(flip(&t, 0, 2), 0);
    assert_events(&t, EDGE_EVENT_FLIPPED, EDGE_EVENT_MISSED);
    assert_true(t.out.new_clock);
    assert_int_equal(edge_memory.clock_ms(&t.s), 1500);
    assert_int_equal(flip(&t, 0, 3), ERR(ILLEGAL_MOVE));
    assert_int_equal(flip(&t, 1, 3), ERR(ILLEGAL_MOVE));
    edge_memory.view(&t.s, 1, &v);
    assert_int_equal(v.card[2], CARD(UP));
    time_out(&t);
    assert_events(&t, EDGE_EVENT_TURN);
    assert_int_equal(t.out.event[0].seat, 1);
    assert_int_equal(t.out.lost, EDGE_RULES_NO_SEAT); /* looking is not losing a turn */
    edge_memory.view(&t.s, 1, &v);
    assert_int_equal(v.card[0], CARD(DOWN));
    assert_int_equal(v.card[2], CARD(DOWN));
    assert_int_equal(edge_memory.clock_ms(&t.s), 20000);
}

static void a_lone_open_card_goes_down_when_the_clock_runs_out(void **state)
{
    (void)state;
    struct table t;
    deal(&t, 2, 4, 4);
    flip(&t, 0, 7);
    time_out(&t);
    assert_events(&t, EDGE_EVENT_TURN);
    assert_int_equal(t.out.lost, 0);
    assert_int_equal(t.m->card[7], CARD(DOWN));
    assert_int_equal(edge_memory.turn(&t.s), 1);
    assert_int_equal(flip(&t, 1, 7), 0);
}

static void the_last_pair_finishes_the_game(void **state)
{
    (void)state;
    struct table t;
    deal(&t, 2, 2, 2);
    flip(&t, 0, 0), flip(&t, 0, 1), flip(&t, 0, 2);
    assert_int_equal(flip(&t, 0, 3), 0);
    assert_events(&t, EDGE_EVENT_FLIPPED, EDGE_EVENT_FOUND);
    assert_true(t.out.finished);
}

static void the_turn_goes_round_those_who_are_left(void **state)
{
    (void)state;
    struct table t;
    deal(&t, 4, 4, 4);
    edge_rules_out_init(&t.out);
    edge_memory.seat_left(&t.s, 1, &t.out);
    assert_int_equal(t.out.count, 0); /* not his turn: nothing changes for the others */
    time_out(&t);
    assert_int_equal(edge_memory.turn(&t.s), 2);
    flip(&t, 2, 0);
    edge_rules_out_init(&t.out);
    edge_memory.seat_left(&t.s, 2, &t.out);
    assert_events(&t, EDGE_EVENT_TURN);
    assert_int_equal(edge_memory.turn(&t.s), 3);
    assert_int_equal(t.m->card[0], CARD(DOWN));
    time_out(&t);
    assert_int_equal(edge_memory.turn(&t.s), 0);
}

static void wrong_flips_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct table t;
    deal(&t, 2, 4, 4);
    flip(&t, 0, 0), flip(&t, 0, 1); /* taken */
    flip(&t, 0, 6);                 /* up */
    static const struct {
        unsigned seat;
        uint32_t card;
        unsigned want;
    } bad[] = {
        {1, 2, ERR(NOT_YOUR_TURN)},         {1, 99999, ERR(NOT_YOUR_TURN)}, {0, 6, ERR(ILLEGAL_MOVE)},   {0, 0, ERR(ILLEGAL_MOVE)},
        {0, 16, ERR(ILLEGAL_MOVE)},         {0, 100, ERR(ILLEGAL_MOVE)},    {0, 262, ERR(ILLEGAL_MOVE)}, /* 6 when cut to a byte */
        {0, UINT32_MAX, ERR(ILLEGAL_MOVE)},
    };
    struct edge_rules_state before = t.s;
    for (unsigned i = 0; i < MER_COUNT(bad); i++) {
        assert_int_equal(flip(&t, bad[i].seat, bad[i].card), bad[i].want);
        assert_memory_equal(&before, &t.s, sizeof(before));
        assert_int_equal(t.out.count, 0);
    }
}

static void a_view_holds_no_face_that_lies_down(void **state)
{
    (void)state;
    struct table t;
    struct edge_rules_view v;
    deal(&t, 2, 4, 4);
    memset(t.m->face, 77, sizeof(t.m->face)); /* a face that is nowhere else */
    edge_memory.view(&t.s, 0, &v);
    assert_null(memchr(&v, 77, sizeof(v)));
    flip(&t, 0, 3);
    edge_memory.view(&t.s, 0, &v);
    for (unsigned i = 0; i < EDGE_RULES_CARDS; i++)
        assert_int_equal(v.face[i], i == 3 ? 77 : 0);
}

/* --- records --- */

static enum mer_err reread(const struct table *t, struct edge_rules_state *out)
{
    uint8_t record[EDGE_RULES_RECORD_MAX];
    struct edge_rules_spec spec = {.seats = t->m->seats, .bots = t->m->bots, .left = t->m->left};
    return edge_memory.decode(out, &spec, record, edge_memory.encode(&t->s, record));
}

static void every_state_on_the_way_survives_its_record(void **state)
{
    (void)state;
    struct table t;
    struct edge_rules_state again;
    t.rng = mer_rng_seed(&t.seed, 9);
    for (unsigned n = 0; n < 200; n++) {
        struct edge_rules_spec spec = {.seats = (uint8_t)(2 + n % 3), .rows = (uint8_t)(2 + n % 9), .cols = 4, .bots = (uint8_t)(n & 3)};
        t.m = (struct edge_memory *)&t.s;
        assert_int_equal(edge_memory.create(&t.s, &spec, &t.rng), MER_OK);
        for (bool finished = false; !finished;) {
            flip(&t, t.m->turn, mer_rng_below(&t.rng, edge_memory_cards(t.m)));
            finished = t.out.finished;
            if (t.m->revealing || (!finished && mer_rng_below(&t.rng, 8) == 0))
                time_out(&t);
            assert_int_equal(reread(&t, &again), MER_OK);
            assert_memory_equal(&again, &t.s, sizeof(again));
        }
    }
}

static void a_record_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct table t;
    struct edge_rules_state again;
    struct edge_memory good;
    deal(&t, 2, 4, 4);
    t.m->bots = 2;
    flip(&t, 0, 0), flip(&t, 0, 1), flip(&t, 0, 2);
    good = *t.m;
    assert_int_equal(reread(&t, &again), MER_OK);
#define BAD(change) \
    do { \
        change; \
        assert_int_equal(reread(&t, &again), MER_EINVALID); \
        *t.m = good; \
    } while (0)
    BAD(t.m->turn = 2);
    BAD(t.m->face[3] = 0); /* three of a kind */
    BAD(t.m->face[3] = 8); /* a face that this board does not have */
    BAD(t.m->card[5] = 0); /* unspecified */
    BAD(t.m->card[5] = 4);
    BAD(t.m->card[5] = CARD(UP)); /* up, but nobody turned it */
    BAD(t.m->open[0] = 9);        /* turned, but down */
    BAD(t.m->open_count = 0);
    BAD(t.m->revealing = true); /* with one card */
    BAD(t.m->scores[0] = 2);    /* more than was taken */
    BAD(t.m->scores[1] = 200);
    BAD(t.m->rows = 5);
    BAD(t.m->mind[1].card[t.m->mind[1].count++] = t.m->mind[1].card[0]); /* remembered twice */
    BAD(t.m->mind[1].card[0] = 16);
#undef BAD
    struct edge_rules_spec spec = {.seats = 3, .bots = 2};
    uint8_t record[EDGE_RULES_RECORD_MAX];
    size_t len = edge_memory.encode(&t.s, record);
    assert_int_equal(edge_memory.decode(&again, &spec, record, len), MER_EINVALID); /* another number of seats */
    spec.seats = 2;
    for (size_t cut = 0; cut < len; cut++) {
        enum mer_err err = edge_memory.decode(&again, &spec, record, cut);
        assert_true(err == MER_EINVALID || err == MER_OK); /* a cut between optional fields is another record; none crashes */
    }
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            record[i] ^= (uint8_t)(1u << bit);
            enum mer_err err = edge_memory.decode(&again, &spec, record, len);
            assert_true(err == MER_EINVALID || err == MER_OK);
            record[i] ^= (uint8_t)(1u << bit);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_board_of_the_protocol_can_be_dealt_and_no_other),
        cmocka_unit_test(every_face_is_dealt_twice_and_anywhere),
        cmocka_unit_test(the_first_card_is_shown_and_the_clock_runs_on),
        cmocka_unit_test(a_pair_scores_and_the_same_seat_goes_on_with_a_new_clock),
        cmocka_unit_test(missed_cards_stay_up_for_the_reveal_time_and_nobody_may_flip),
        cmocka_unit_test(a_lone_open_card_goes_down_when_the_clock_runs_out),
        cmocka_unit_test(the_last_pair_finishes_the_game),
        cmocka_unit_test(the_turn_goes_round_those_who_are_left),
        cmocka_unit_test(wrong_flips_are_refused_and_change_nothing),
        cmocka_unit_test(a_view_holds_no_face_that_lies_down),
        cmocka_unit_test(every_state_on_the_way_survives_its_record),
        cmocka_unit_test(a_record_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
