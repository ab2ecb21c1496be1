/* SPDX-License-Identifier: Apache-2.0 */
#include "game_fix.h"

#include "edge/game/memory.h"
#include "meridian/state/v1/state.pb-c.h"

static enum mer_err reread(const struct edge_game *g, bool restore, struct edge_game *out)
{
    struct mer_buf b;
    mer_buf_init(&b, 0);
    assert_int_equal(edge_game_encode(g, restore, &b), MER_OK);
    assert_true(b.len < 8 * 1024);
    enum mer_err err = edge_game_decode(out, NULL, b.data, b.len, g->env);
    mer_buf_deinit(&b);
    return err;
}

static void assert_same_seats(const struct edge_game *a, const struct edge_game *b)
{
    assert_int_equal(a->seat_count, b->seat_count);
    assert_int_equal(a->bots, b->bots);
    for (unsigned i = 0; i < a->seat_count; i++) {
        assert_string_equal(a->seats[i].user, b->seats[i].user);
        assert_string_equal(a->seats[i].name, b->seats[i].name);
        for (unsigned k = 0; k < EDGE_GAME_ANSWERED; k++) { /* oldest first, wherever the ring begins */
            const struct edge_game_answered *x = &a->seats[i].answered[(a->seats[i].answered_at + k) % EDGE_GAME_ANSWERED];
            bool found = x->move_id[0] == 0;
            for (unsigned n = 0; n < EDGE_GAME_ANSWERED; n++) {
                const struct edge_game_answered *y = &b->seats[i].answered[n];
                found = found || (strcmp(x->move_id, y->move_id) == 0 && x->version == y->version && x->action.card == y->action.card);
            }
            assert_true(found);
        }
    }
}

static void a_game_goes_on_from_its_record(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 40; seed++) {
        struct fix f;
        struct edge_game_spec spec = fix_spec(2 + seed % 3, 4, 4, seed % 4 == 3 ? 2 : 0);
        fix_init(&f, &edge_memory, &spec, seed);
        struct mer_rng_seeded d;
        struct mer_rng dice = mer_rng_seed(&d, seed);
        for (unsigned i = 0; i < 120 && !f.g.now.over; i++) {
            char id[16];
            snprintf(id, sizeof(id), "m%u", i);
            fix_flip(&f, f.g.rules->turn(&f.g.now.rules), mer_rng_below(&dice, 16), id);
            if (f.putting) { /* the record of `next` is what becomes `now`, the move's answer included */
                struct edge_game next, now;
                assert_int_equal(reread(&f.g, false, &next), MER_OK);
                assert_int_equal(reread(&f.g, true, &now), MER_OK);
                assert_memory_equal(&now.now, &f.g.now, sizeof(now.now));
                assert_same_seats(&f.g, &now);
                fix_put_done(&f, EDGE_GAME_ON_STORED);
                assert_memory_equal(&next.now, &f.g.now, sizeof(next.now));
                assert_same_seats(&f.g, &next);
                edge_game_deinit(&next);
                edge_game_deinit(&now);
            }
            fix_run(&f, 1500);
            fix_store(&f);
        }
        fix_deinit(&f);
    }
}

static void a_new_owner_gives_the_first_answer_to_a_retry(void **state)
{
    (void)state;
    struct fix f, g;
    struct edge_game_spec spec = fix_spec(2, 4, 4, 0);
    fix_init(&f, &edge_memory, &spec, 1);
    fix_flip(&f, 0, 3, "m1");
    g = f;
    mer_list_init(&g.g.queue);
    assert_int_equal(reread(&f.g, false, &g.g), MER_OK); /* the owner dies before he hears that it was stored */
    g.g.env = &g.env;
    g.putting = false, g.said_count = 0;
    edge_game_start(&g.g, g.t, true);
    fix_store(&g);
    fix_flip(&g, 0, 3, "m1");
    assert_said(&g, 0, MOVE_OK);
    assert_int_equal(fix_last(&g, 0)->version, 2);
    fix_flip(&g, 0, 4, "m1");
    assert_refused(&g, MOVE_CONFLICT);
    fix_deinit(&g);
    fix_deinit(&f);
}

static void an_ended_game_is_read_and_answers_everything(void **state)
{
    (void)state;
    struct fix f;
    struct edge_game again;
    struct edge_game_answer a;
    struct edge_game_view v;
    struct edge_game_spec spec = fix_spec(2, 4, 4, 0);
    fix_init(&f, &edge_memory, &spec, 1);
    fix_flip(&f, 0, 3, "m1");
    fix_store(&f);
    fix_leave(&f, 1);
    fix_store(&f);
    assert_int_equal(reread(&f.g, true, &again), MER_OK);
    assert_true(again.now.over);
    edge_game_view(&again, 0, &v);
    assert_int_equal(v.result.reason, OVER(RESIGNED));
    struct edge_game_ask ask = fix_ask(&f, 0, EDGE_GAME_ASK_MOVE, 3, "m1");
    assert_true(edge_game_answer(&again, &ask, &a));
    assert_int_equal(a.m.body_case, SM(MOVE_OK));
    ask = fix_ask(&f, 0, EDGE_GAME_ASK_MOVE, 3, "m2");
    assert_true(edge_game_answer(&again, &ask, &a));
    assert_int_equal(a.body.error.code, ERR(GAME_OVER));
    assert_string_equal(a.body.error.re, "m2");
    ask = fix_ask(&f, 0, EDGE_GAME_ASK_LEAVE, 0, "");
    assert_true(edge_game_answer(&again, &ask, &a));
    assert_string_equal(a.body.error.re, "g-1");
    edge_game_deinit(&again);
    fix_deinit(&f);
}

/* A good record, changed in one place. */
struct bad {
    const char *what;
    void (*change)(Meridian__State__V1__GameRecord *r);
};
static char too_long[400];
#define CHANGE(name, code) \
    static void name(Meridian__State__V1__GameRecord *r) \
    { \
        code; \
    }
CHANGE(no_id, r->game_id = (char *)"")
CHANGE(long_id, r->game_id = too_long)
CHANGE(other_rules, r->game = (char *)"chess")
CHANGE(version_nought, r->version = 0)
CHANGE(one_seat, r->n_seats = 1)
CHANGE(no_deadline, r->deadline_at_ms = 0)
CHANGE(over_with_deadline, r->over = true; r->has_over_reason = true; r->over_reason = 1)
CHANGE(over_without_reason, r->over = true; r->deadline_at_ms = 0)
CHANGE(over_for_no_reason, r->over = true; r->deadline_at_ms = 0; r->has_over_reason = true; r->over_reason = 0)
CHANGE(over_for_odd_reason, r->over = true; r->deadline_at_ms = 0; r->has_over_reason = true; r->over_reason = 5)
CHANGE(long_region, r->region = too_long)
CHANGE(no_rules_state, r->rules_state.len = 0)
CHANGE(cut_rules_state, r->rules_state.len /= 2)
CHANGE(no_user, r->seats[0]->user = (char *)"")
CHANGE(long_user, r->seats[0]->user = too_long)
CHANGE(bad_name, r->seats[1]->name = (char *)"a\x01")
CHANGE(no_kind, r->seats[0]->kind = 0)
CHANGE(no_phase, r->seats[0]->phase = 0)
CHANGE(everybody_left, r->seats[0]->phase = r->seats[1]->phase = 2)
CHANGE(turn_of_one_who_left, r->seats[0]->phase = 2)
CHANGE(many_turns_lost, r->seats[0]->turns_lost = 300)
CHANGE(no_move_id, r->seats[0]->answered[0]->move_id = (char *)"")
CHANGE(long_move_id, r->seats[0]->answered[0]->move_id = too_long)
CHANGE(no_action, r->seats[0]->answered[0]->action.len = 0)
CHANGE(odd_action, r->seats[0]->answered[0]->action.data[0] = 0xff)
#define B(name) \
    { \
#name, name \
    }
static const struct bad bads[] = {
    B(no_id),
    B(long_id),
    B(other_rules),
    B(version_nought),
    B(one_seat),
    B(no_deadline),
    B(over_with_deadline),
    B(over_without_reason),
    B(over_for_no_reason),
    B(over_for_odd_reason),
    B(long_region),
    B(no_rules_state),
    B(cut_rules_state),
    B(no_user),
    B(long_user),
    B(bad_name),
    B(no_kind),
    B(no_phase),
    B(everybody_left),
    B(turn_of_one_who_left),
    B(many_turns_lost),
    B(no_move_id),
    B(long_move_id),
    B(no_action),
    B(odd_action),
};

static void good_record(struct mer_buf *b)
{
    struct fix f;
    struct edge_game_spec spec = fix_spec(3, 4, 4, 4);
    fix_init(&f, &edge_memory, &spec, 1);
    fix_flip(&f, 0, 3, "m1");
    fix_store(&f);
    mer_buf_init(b, 0);
    assert_int_equal(edge_game_encode(&f.g, true, b), MER_OK);
    fix_deinit(&f);
}

static void records_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct mer_buf good;
    struct edge_game g;
    memset(too_long, 'x', sizeof(too_long) - 1);
    good_record(&good);
    assert_int_equal(edge_game_decode(&g, NULL, good.data, good.len, NULL), MER_OK);
    edge_game_deinit(&g);
    for (unsigned i = 0; i < MER_COUNT(bads); i++) {
        uint8_t out[4096];
        Meridian__State__V1__GameRecord *r = meridian__state__v1__game_record__unpack(NULL, good.len, good.data);
        Meridian__State__V1__GameRecord changed = *r;
        Meridian__State__V1__SeatRecord seat[3], *seats[3];
        Meridian__State__V1__AnsweredMove move = *r->seats[0]->answered[0], *moves[1] = {&move};
        for (unsigned k = 0; k < 3; k++)
            seat[k] = *r->seats[k], seats[k] = &seat[k];
        changed.seats = seats;
        seat[0].answered = moves;
        bads[i].change(&changed);
        size_t len = meridian__state__v1__game_record__pack(&changed, out);
        if (edge_game_decode(&g, NULL, out, len, NULL) != MER_EINVALID)
            fail_msg("%s was taken for a game", bads[i].what);
        meridian__state__v1__game_record__free_unpacked(r, NULL);
    }
    mer_buf_deinit(&good);
}

static void no_cut_and_no_flipped_bit_breaks_the_reader(void **state)
{
    (void)state;
    struct mer_buf good;
    struct edge_game g;
    good_record(&good);
    for (size_t cut = 0; cut < good.len; cut++)
        if (edge_game_decode(&g, NULL, good.data, cut, NULL) == MER_OK)
            edge_game_deinit(&g);
    for (size_t i = 0; i < good.len * 8; i++) {
        good.data[i / 8] ^= (uint8_t)(1u << i % 8);
        if (edge_game_decode(&g, NULL, good.data, good.len, NULL) == MER_OK) {
            edge_game_check(&g);
            edge_game_deinit(&g);
        }
        good.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    mer_buf_deinit(&good);
}

static void memory_running_out_leaves_nothing_behind(void **state)
{
    (void)state;
    struct mer_buf good;
    struct edge_game g;
    good_record(&good);
    for (unsigned n = 1; n <= 7; n++) {
        mer_mem_fail_at(n);
        assert_int_equal(edge_game_decode(&g, NULL, good.data, good.len, NULL), MER_ENOMEM);
        mer_mem_fail_at(0);
    }
    mer_buf_deinit(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_game_goes_on_from_its_record),
        cmocka_unit_test(a_new_owner_gives_the_first_answer_to_a_retry),
        cmocka_unit_test(an_ended_game_is_read_and_answers_everything),
        cmocka_unit_test(records_that_cannot_be_are_refused),
        cmocka_unit_test(no_cut_and_no_flipped_bit_breaks_the_reader),
        cmocka_unit_test(memory_running_out_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
