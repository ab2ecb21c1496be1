/* SPDX-License-Identifier: Apache-2.0
 * test_pair.c - every cell of the table of lives, every way a frame can be judged, and two pairs that talk over a wire that loses, repeats
 * and reorders. */
#include "unit.h"

#include "edge/bus/pair.h"

#define STATE(s) EDGE_PAIR_##s
#define GOT(e) EDGE_PAIR_GOT_##e
#define DO(a) EDGE_PAIR_DO_##a

static void every_cell_leads_where_the_picture_says(void **state)
{
    static const struct {
        enum edge_pair_event event;
        struct {
            enum edge_pair_state next;
            enum edge_pair_action action;
        } in[EDGE_PAIR_STATE_COUNT]; /* NONE, CALLING, UP */
    } cells[] = {
        {GOT(HELLO), {{STATE(CALLING), DO(ANSWER)}, {STATE(CALLING), DO(ANSWER)}, {STATE(NONE), DO(LOSE_LOOK)}}},
        {GOT(AGAIN), {{STATE(NONE), DO(NOTHING)}, {STATE(CALLING), DO(ANSWER)}, {STATE(UP), DO(NOTHING)}}},
        {GOT(GOOD), {{STATE(NONE), DO(NOTHING)}, {STATE(UP), DO(RISE)}, {STATE(UP), DO(TAKE)}}},
        {GOT(GAP), {{STATE(NONE), DO(NOTHING)}, {STATE(NONE), DO(LOSE)}, {STATE(NONE), DO(LOSE)}}},
        {GOT(STRAY), {{STATE(NONE), DO(REFUSE)}, {STATE(CALLING), DO(NOTHING)}, {STATE(UP), DO(NOTHING)}}},
        {GOT(LEFT), {{STATE(NONE), DO(REFUSE)}, {STATE(CALLING), DO(NOTHING)}, {STATE(NONE), DO(LOSE)}}},
        {GOT(OLD), {{STATE(NONE), DO(NOTHING)}, {STATE(CALLING), DO(NOTHING)}, {STATE(UP), DO(NOTHING)}}},
        {GOT(BYE), {{STATE(NONE), DO(NOTHING)}, {STATE(CALLING), DO(NOTHING)}, {STATE(NONE), DO(END)}}},
        {GOT(LOST), {{STATE(NONE), DO(NOTHING)}, {STATE(CALLING), DO(NOTHING)}, {STATE(NONE), DO(LOSE)}}},
        {GOT(SILENT), {{STATE(NONE), DO(NOTHING)}, {STATE(CALLING), DO(NOTHING)}, {STATE(NONE), DO(LOSE)}}},
    };
    (void)state;
    assert_int_equal(MER_COUNT(cells), EDGE_PAIR_EVENT_COUNT);
    for (size_t i = 0; i < MER_COUNT(cells); i++) {
        assert_int_equal(cells[i].event, i);
        for (int s = 0; s < EDGE_PAIR_STATE_COUNT; s++) {
            enum edge_pair_state next;
            assert_int_equal(edge_pair_decide((enum edge_pair_state)s, cells[i].event, &next), cells[i].in[s].action);
            assert_int_equal(next, cells[i].in[s].next);
        }
    }
}

static void a_frame_is_what_its_numbers_make_it(void **state)
{
    static const struct edge_pair none = {.state = STATE(NONE)}, calling = {.state = STATE(CALLING), .mine = 5},
                                  answering = {.state = STATE(CALLING), .mine = 5, .theirs = 8},
                                  up = {.state = STATE(UP), .mine = 5, .theirs = 8, .seq_out = 3, .seq_in = 2};
    static const struct {
        const struct edge_pair *pair;
        struct edge_pair_frame frame; /* life, your_life, seq, ack, message, bye, idle */
        enum edge_pair_event event;
    } rows[] = {
        {&none, {7, 0, 0, 0, false, false, false}, GOT(HELLO)},
        {&none, {0, 0, 0, 0, false, false, false}, GOT(OLD)}, /* nobody has life 0 */
        {&none, {7, 4, 0, 0, false, false, false}, GOT(STRAY)},
        {&none, {7, 4, 1, 0, true, false, false}, GOT(STRAY)},
        {&none, {7, 0, 0, 0, false, true, false}, GOT(OLD)}, /* a bye to life 0 is to nobody */
        {&none, {7, 4, 0, 0, false, true, false}, GOT(OLD)},
        {&calling, {7, 0, 0, 0, false, false, false}, GOT(HELLO)},
        {&calling, {7, 5, 0, 0, false, false, false}, GOT(GOOD)},
        {&calling, {7, 5, 1, 0, true, false, false}, GOT(GOOD)},
        {&calling, {7, 5, 1, 0, false, false, false}, GOT(GAP)}, /* its first message was lost */
        {&calling, {7, 5, 2, 0, true, false, false}, GOT(GAP)},
        {&calling, {7, 4, 0, 0, false, false, false}, GOT(STRAY)}, /* the answer to an earlier hello */
        {&calling, {7, 5, 0, 0, false, true, false}, GOT(BYE)},
        {&answering, {8, 0, 0, 0, false, false, false}, GOT(AGAIN)},
        {&answering, {7, 0, 0, 0, false, false, false}, GOT(OLD)},
        {&answering, {9, 0, 0, 0, false, false, false}, GOT(HELLO)},
        {&answering, {9, 5, 0, 0, false, false, false}, GOT(GOOD)}, /* it began anew and heard my answer before I its hello */
        {&answering, {9, 4, 0, 0, false, false, false}, GOT(LEFT)},
        {&answering, {8, 5, 1, 0, true, false, false}, GOT(GOOD)},
        {&up, {8, 5, 3, 3, true, false, false}, GOT(GOOD)},
        {&up, {8, 5, 2, 3, false, false, false}, GOT(GOOD)},
        {&up, {8, 5, 2, 3, true, false, false}, GOT(GAP)},  /* twice */
        {&up, {8, 5, 4, 3, true, false, false}, GOT(GAP)},  /* one is missing */
        {&up, {8, 5, 3, 3, false, false, false}, GOT(GAP)}, /* the last one is missing */
        {&up, {8, 5, 1, 3, false, false, false}, GOT(GAP)}, /* overtaken */
        {&up, {8, 0, 0, 0, false, false, false}, GOT(AGAIN)},
        {&up, {8, 4, 0, 0, false, false, false}, GOT(STRAY)},
        {&up, {9, 0, 0, 0, false, false, false}, GOT(HELLO)},
        {&up, {9, 4, 0, 0, false, false, false}, GOT(LEFT)},
        {&up, {9, 5, 0, 0, false, false, false}, GOT(LEFT)}, /* my life with another of its own: not as we agreed */
        {&up, {7, 5, 3, 3, true, false, false}, GOT(OLD)},
        {&up, {7, 0, 0, 0, false, false, false}, GOT(OLD)},
        {&up, {8, 5, 2, 3, false, true, true}, GOT(BYE)},
        {&up, {0, 5, 0, 0, false, true, false}, GOT(BYE)}, /* of one who does not know us */
        {&up, {8, 4, 2, 3, false, true, false}, GOT(OLD)},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++)
        if (edge_pair_judge(rows[i].pair, &rows[i].frame) != rows[i].event)
            fail_msg("row %zu: %s", i, edge_pair_event_name(edge_pair_judge(rows[i].pair, &rows[i].frame)));
}

static void only_an_idle_bye_of_one_who_has_everything_goes_untold(void **state)
{
    static const struct edge_pair up = {.state = STATE(UP), .mine = 5, .theirs = 8, .seq_out = 3, .seq_in = 2};
    (void)state;
    assert_true(edge_pair_ended_well(&up, &(struct edge_pair_frame){8, 5, 2, 3, false, true, true}));
    assert_false(edge_pair_ended_well(&up, &(struct edge_pair_frame){8, 5, 2, 3, false, true, false}));
    assert_false(edge_pair_ended_well(&up, &(struct edge_pair_frame){8, 5, 3, 3, false, true, true})); /* I miss one */
    assert_false(edge_pair_ended_well(&up, &(struct edge_pair_frame){8, 5, 2, 2, false, true, true})); /* it misses one */
}

/* ---- two of them over a bad wire ------------------------------------------------------------------------------------------------------
 */

enum { WIRE = 8, ROUNDS = 20000 };
struct side {
    struct edge_pair pair;
    uint64_t lives;
    struct edge_pair_frame wire[WIRE]; /* on their way here */
    uint64_t body[WIRE];               /* life and number of the message, as its sender counts them */
    unsigned on_wire;
    uint64_t in_life, got; /* of the peer's life: how many messages were taken */
    unsigned told, risen, taken;
};
struct world {
    uint64_t seed;
    struct side side[2];
};
static unsigned roll(struct world *w, unsigned n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->seed >> 33) % n;
}
static void put(struct world *w, int to, bool message, bool bye, const struct edge_pair *as)
{
    struct side *s = &w->side[to];
    if (s->on_wire == WIRE || roll(w, 100) < 3) /* lost */
        return;
    unsigned at = roll(w, 100) < 3 ? roll(w, s->on_wire + 1) : s->on_wire; /* overtakes */
    for (unsigned i = s->on_wire++; i > at; i--) {
        s->wire[i] = s->wire[i - 1];
        s->body[i] = s->body[i - 1];
    }
    s->wire[at] = (struct edge_pair_frame){as->mine, as->theirs, as->seq_out, as->seq_in, message, bye, false};
    s->body[at] = as->seq_out;
    if (s->on_wire < WIRE && roll(w, 100) < 2) { /* twice */
        s->wire[s->on_wire] = s->wire[at];
        s->body[s->on_wire++] = s->body[at];
    }
}
static void take_one(struct side *s, const struct edge_pair_frame *f, uint64_t body)
{
    if (f->life != s->in_life) {
        assert_true(f->life > s->in_life); /* never back to an earlier life */
        s->in_life = f->life;
        s->got = 0;
    }
    if (!f->message)
        return;
    assert_int_equal(body, s->got + 1); /* in order, exactly once */
    s->got = body;
    s->taken++;
}
static void hear(struct world *w, int me)
{
    struct side *s = &w->side[me];
    struct edge_pair before;
    if (s->on_wire == 0)
        return;
    struct edge_pair_frame f = s->wire[0];
    uint64_t body = s->body[0];
    s->on_wire--;
    memmove(s->wire, s->wire + 1, s->on_wire * sizeof(s->wire[0]));
    memmove(s->body, s->body + 1, s->on_wire * sizeof(s->body[0]));
    enum edge_pair_action action = edge_pair_hear(&s->pair, &f, &before);
    if (action == DO(LOSE_LOOK)) {
        s->told++;
        action = edge_pair_hear(&s->pair, &f, &before);
        assert_int_equal(action, DO(ANSWER));
    }
    if (action == DO(ANSWER) && s->pair.mine == 0)
        s->pair.mine = ++s->lives;
    if (action == DO(RISE))
        s->risen++;
    if (action == DO(ANSWER) || action == DO(RISE))
        put(w, !me, false, false, &s->pair);
    if (action == DO(RISE) || action == DO(TAKE))
        take_one(s, &f, body);
    if (action == DO(LOSE) || action == DO(END))
        s->told++;
    if (action == DO(LOSE) && before.theirs != 0)
        put(w, !me, false, true, &before);
    if (action == DO(REFUSE))
        put(w, !me, false, true, &(struct edge_pair){.theirs = f.life});
}
static void act(struct world *w, int me)
{
    struct side *s = &w->side[me];
    struct edge_pair before;
    if (s->pair.state == STATE(NONE))
        edge_pair_call(&s->pair, ++s->lives);
    bool message = s->pair.state == STATE(UP) && roll(w, 2) == 0;
    if (roll(w, 1000) == 0 && edge_pair_suffer(&s->pair, GOT(SILENT), &before) == DO(LOSE)) {
        s->told++;
        return;
    }
    s->pair.seq_out += message;
    put(w, !me, message, false, &s->pair);
}

static void over_any_wire_a_life_has_its_messages_in_order_exactly_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct world w = {.seed = seed};
        for (int round = 0; round < ROUNDS; round++)
            roll(&w, 3) == 0 ? act(&w, (int)roll(&w, 2)) : hear(&w, (int)roll(&w, 2));
        for (int i = 0; i < 2; i++) {
            assert_true(w.side[i].risen > 10);
            assert_true(w.side[i].taken > 100);
            assert_true(w.side[i].told <= w.side[i].risen + w.side[i].lives); /* once a life at most */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_leads_where_the_picture_says),
        cmocka_unit_test(a_frame_is_what_its_numbers_make_it),
        cmocka_unit_test(only_an_idle_bye_of_one_who_has_everything_goes_untold),
        cmocka_unit_test(over_any_wire_a_life_has_its_messages_in_order_exactly_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
