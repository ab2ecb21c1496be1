/* SPDX-License-Identifier: Apache-2.0
 * Players who come and go: what each change is, what the others are told, and which clocks run. */
#include "game_fix.h"

#include "edge/game/memory.h"

#define GRACE EDGE_SEAT_GRACE_MS
#define PAUSE EDGE_SEAT_PAUSE_MS
#define PAUSE_REASON(name) MERIDIAN__CLIENT__V1__PAUSE_REASON__PAUSE_REASON_##name
#define assert_seat(f, i, what) assert_string_equal(edge_seat_state_name((enum edge_seat_state)(f)->g.now.seat[i].state), #what)

static int set_up_with(void **state, unsigned seats, unsigned bots)
{
    struct fix *f = calloc(1, sizeof(*f));
    struct edge_game_spec spec = fix_spec(seats, 4, 4, bots);
    fix_init(f, &edge_memory, &spec, 1);
    struct edge_memory *board = (struct edge_memory *)&f->g.now.rules;
    for (unsigned i = 0; i < 16; i++)
        board->face[i] = (uint8_t)(i / 2);
    *state = f;
    return 0;
}
static int two(void **state)
{
    return set_up_with(state, 2, 0);
}
static int three(void **state)
{
    return set_up_with(state, 3, 0);
}
static int against_a_bot(void **state)
{
    return set_up_with(state, 2, 2);
}
static int against_two_bots(void **state)
{
    return set_up_with(state, 3, 6);
}
static int three_and_a_bot(void **state)
{
    return set_up_with(state, 4, 8);
}
static int tear_down(void **state)
{
    fix_deinit(*state);
    free(*state);
    return 0;
}

/* Time passes and everything is stored at once. */
static void run(struct fix *f, uint64_t ms)
{
    for (uint64_t end = f->t.mono_ms + ms; f->t.mono_ms < end;) {
        uint64_t at = edge_game_next_ms(&f->g, f->t);
        fix_run(f, at < end ? at - f->t.mono_ms : end - f->t.mono_ms);
        fix_store(f);
    }
}

static void drop(struct fix *f, unsigned seat)
{
    fix_present(f, seat, false);
    fix_store(f);
}
static void come(struct fix *f, unsigned seat)
{
    fix_present(f, seat, true);
    fix_store(f);
}

/* The record goes to another owner, who starts from it. `dead`: nobody owned it for so long. */
static void other_owner(struct fix *f, uint64_t dead_ms)
{
    struct mer_buf b;
    mer_buf_init(&b, 0);
    assert_int_equal(edge_game_encode(&f->g, true, &b), MER_OK);
    edge_game_deinit(&f->g);
    f->t.mono_ms += dead_ms, f->t.store_ms += dead_ms;
    assert_int_equal(edge_game_decode(&f->g, NULL, b.data, b.len, &f->env), MER_OK);
    mer_buf_deinit(&b);
    f->putting = f->reading = false;
    edge_game_start(&f->g, f->t, true);
    edge_game_check(&f->g);
}

static void a_drop_is_told_and_the_turn_goes_on(void **state)
{
    struct fix *f = *state;
    fix_present(f, 1, false);
    assert_int_equal(f->said_count, 0); /* not before it is stored */
    fix_store(f);
    assert_said(f, 0, PLAYER_DROPPED);
    assert_int_equal(fix_last(f, 0)->seat, 1);
    assert_int_equal(fix_last(f, 0)->version, 2);
    assert_seat(f, 1, GRACE);
    fix_flip(f, 0, 0, "m");
    fix_store(f);
    assert_said(f, 0, CARD_FLIPPED);
}

static void a_return_within_the_grace_is_told_and_disarms_it(void **state)
{
    struct fix *f = *state;
    drop(f, 1);
    run(f, GRACE - 15000);
    come(f, 1);
    assert_said(f, 0, PLAYER_RECONNECTED);
    assert_seat(f, 1, SEATED);
    assert_int_equal(f->g.now.seat[1].due_ms, 0);
    assert_int_equal(edge_game_next_ms(&f->g, f->t) - f->t.mono_ms, 5000); /* the turn's end is the only clock */
}

static void turns_lost_while_away_do_not_count(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    fix_store(f);
    f->g.now.turns_lost[0] = 2;
    drop(f, 0);
    run(f, 20000);
    assert_said(f, 0, TURN_CHANGED);
    assert_int_equal(f->g.now.turns_lost[0], 2);
    assert_false(f->g.now.over);
}

static void the_game_pauses_and_its_clock_stands(void **state)
{
    struct fix *f = *state;
    struct edge_game_view v;
    drop(f, 1);
    run(f, GRACE);
    assert_said(f, 0, GAME_PAUSED);
    assert_int_equal(fix_last(f, 0)->reason, PAUSE_REASON(PLAYER));
    assert_int_equal(fix_last(f, 0)->until_ms, PAUSE);
    uint64_t left = f->g.now.deadline_ms - f->t.store_ms, version = f->g.now.version;
    edge_game_view(&f->g, 0, &v);
    assert_int_equal(v.state.status, MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_PAUSED);
    assert_int_equal(v.seat[1].state, MERIDIAN__CLIENT__V1__SEAT_STATE__SEAT_STATE_PAUSED);
    assert_false(v.state.has_turn || v.state.has_deadline_at_ms);
    run(f, 100000);
    assert_int_equal(f->g.now.version, version);
    fix_flip(f, 0, 4, "m");
    assert_refused(f, TRY_AGAIN);
    assert_int_equal(fix_last(f, 0)->retry_ms, PAUSE - 100000);
    come(f, 1);
    assert_said(f, 1, PLAYER_RECONNECTED);
    assert_said(f, 0, GAME_RESUMED);
    assert_int_equal(fix_last(f, 0)->version, version + 1);
    assert_int_equal(fix_last(f, 0)->deadline_ms, f->t.store_ms + left);
}

static void after_the_pause_a_bot_plays_until_he_is_back(void **state)
{
    struct fix *f = *state;
    struct edge_game_view v;
    struct edge_game_matched who;
    drop(f, 1);
    run(f, GRACE + PAUSE);
    assert_said(f, 1, SEAT_TAKEN_OVER);
    assert_said(f, 0, GAME_RESUMED);
    edge_game_view(&f->g, 0, &v);
    edge_game_matched(&f->g, 0, &who);
    assert_int_equal(v.seat[1].state, MERIDIAN__CLIENT__V1__SEAT_STATE__SEAT_STATE_BOT);
    assert_int_equal(who.player[1].kind, MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_HUMAN);
    assert_string_equal(who.player[1].user, "bob");
    unsigned accepted = f->notes[EDGE_GAME_NOTE_ACCEPTED];
    f->g.now.turns_lost[0] = 0;
    uint64_t version = f->g.now.version;
    run(f, 40000); /* his turn comes, and is played */
    assert_int_equal(f->notes[EDGE_GAME_NOTE_ACCEPTED], accepted);
    assert_true(f->g.now.version > version + 3);
    assert_int_equal(((struct edge_memory *)&f->g.now.rules)->bots, 2);
    other_owner(f, 1000);
    fix_store(f);
    assert_int_equal(((struct edge_memory *)&f->g.now.rules)->bots, 2); /* and goes on playing elsewhere */
    come(f, 1);
    assert_said(f, 0, SEAT_HANDED_BACK);
    assert_seat(f, 1, SEATED);
    assert_int_equal(((struct edge_memory *)&f->g.now.rules)->bots, 0);
    assert_int_equal(edge_game_seat_of(&f->g, "bob"), 1);
}

static void by_policy_the_seat_is_given_up_and_who_stayed_has_won(void **state)
{
    struct fix *f = *state;
    struct edge_game_view v;
    f->env.seats.abandon = true;
    ((struct edge_memory *)&f->g.now.rules)->scores[1] = 3; /* he led */
    drop(f, 1);
    run(f, GRACE + PAUSE);
    assert_said(f, 0, GAME_OVER);
    assert_int_equal(fix_last(f, 0)->reason, OVER(ABANDONED));
    edge_game_view(&f->g, 0, &v);
    assert_int_equal(v.result.n_winners, 1);
    assert_int_equal(v.result.winners[0], 0);
    assert_int_equal(v.result.scores[1], 3); /* points are kept */
    assert_int_equal(edge_game_next_ms(&f->g, f->t), UINT64_MAX);
}

static void of_three_one_is_given_up_and_the_game_goes_on(void **state)
{
    struct fix *f = *state;
    f->env.seats.abandon = true;
    drop(f, 0);
    run(f, GRACE + PAUSE);
    assert_said(f, 0, GAME_RESUMED);
    assert_int_equal(f->g.now.left, 1);
    assert_seat(f, 0, LEFT);
    assert_false(f->g.now.over);
    fix_present(f, 0, true); /* too late */
    assert_false(f->putting);
}

static void the_pause_lasts_until_the_last_one_is_decided(void **state)
{
    struct fix *f = *state;
    drop(f, 0);
    run(f, 10000);
    drop(f, 1);
    run(f, GRACE);
    assert_said(f, 0, GAME_PAUSED);
    assert_int_equal(fix_last(f, 0)->until_ms, PAUSE); /* the second one's */
    come(f, 1);
    assert_said(f, 0, PLAYER_RECONNECTED); /* and no game_resumed */
    assert_true(f->g.now.paused_at_ms != 0);
    come(f, 0);
    assert_said(f, 0, GAME_RESUMED);
}

static void bots_do_not_play_alone(void **state)
{
    struct fix *f = *state;
    drop(f, 0);
    run(f, GRACE + PAUSE);
    assert_said(f, 0, GAME_OVER);
    assert_int_equal(fix_last(f, 0)->reason, OVER(ABANDONED));
}

static void when_the_last_person_leaves_bots_do_not_go_on(void **state)
{
    struct fix *f = *state;
    fix_leave(f, 0);
    assert_true(f->put.end);
    fix_store(f);
    assert_said(f, 0, GAME_OVER);
    assert_int_equal(fix_last(f, 0)->reason, OVER(RESIGNED));
}

static void who_loses_three_turns_against_bots_has_left_them(void **state)
{
    struct fix *f = *state;
    for (unsigned i = 0; i < 300 && !f->g.now.over; i++)
        run(f, 20000);
    assert_int_equal(f->g.now.reason, OVER(ABANDONED));
    assert_int_equal(f->g.now.left, 1);
}

static void a_bot_in_a_seat_of_somebody_away_is_a_bot(void **state)
{
    struct fix *f = *state;
    drop(f, 1);
    run(f, GRACE + PAUSE);
    assert_seat(f, 1, BOT);
    fix_leave(f, 2);
    fix_store(f);
    assert_false(f->g.now.over); /* the first one is still there */
    fix_leave(f, 0);
    fix_store(f);
    assert_said(f, 0, GAME_OVER);
    assert_int_equal(fix_last(f, 0)->reason, OVER(RESIGNED));
}

static void with_everybody_gone_the_game_is_abandoned(void **state)
{
    struct fix *f = *state;
    drop(f, 0);
    run(f, 7000);
    drop(f, 1);
    run(f, GRACE + PAUSE);
    assert_said(f, 0, GAME_OVER);
    assert_int_equal(fix_last(f, 0)->reason, OVER(ABANDONED));
    assert_int_equal(f->notes[EDGE_GAME_NOTE_ENDED], 1);
}

static void of_a_return_and_a_timer_the_stored_one_has_happened(void **state)
{
    struct fix *f = *state;
    drop(f, 1);
    run(f, GRACE + PAUSE - 1);
    fix_run(f, 1); /* the takeover is being stored */
    assert_true(f->putting);
    fix_present(f, 1, true);
    fix_put_done(f, EDGE_GAME_ON_STORED);
    assert_said(f, 1, SEAT_TAKEN_OVER);
    fix_store(f);
    assert_said(f, 0, SEAT_HANDED_BACK);
    drop(f, 1);
    run(f, GRACE - 1);
    fix_present(f, 1, true); /* the return is being stored */
    fix_run(f, 1);
    fix_store(f);
    assert_int_equal(f->g.now.paused_at_ms, 0); /* it never began */
    assert_seat(f, 1, SEATED);
}

static void away_for_less_than_a_put_is_not_away(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "m");
    fix_present(f, 1, false);
    fix_present(f, 1, true);
    fix_store(f);
    assert_said(f, 0, CARD_FLIPPED);
    assert_int_equal(f->g.now.version, 2);
}

static void a_return_comes_before_what_he_asks(void **state)
{
    struct fix *f = *state;
    drop(f, 0);
    run(f, GRACE + 1000);
    fix_flip(f, 1, 0, "x"); /* refused: it stands */
    assert_refused(f, TRY_AGAIN);
    fix_present(f, 0, true);
    fix_flip(f, 1, 0, "y"); /* behind the return */
    fix_store(f);
    assert_said(f, 0, CARD_FLIPPED);
}

static void leaving_ends_a_pause(void **state)
{
    struct fix *f = *state;
    drop(f, 2);
    run(f, GRACE);
    fix_leave(f, 2); /* by another way than his lost connection */
    fix_store(f);
    assert_said(f, 1, SEAT_LEFT);
    assert_said(f, 0, GAME_RESUMED);
    assert_int_equal(f->g.now.paused_at_ms, 0);
}

static void time_the_store_costs_is_given_back_to_seats_too(void **state)
{
    struct fix *f = *state;
    drop(f, 1);
    uint64_t due = f->g.now.seat[1].due_ms;
    fix_flip(f, 0, 0, "m");
    fix_run(f, 4000);
    fix_store(f);
    assert_said(f, 0, GAME_RESUMED);
    assert_int_equal(f->g.now.seat[1].due_ms, due + 4000);
}

static void a_pause_by_the_store_gives_way_to_the_players(void **state)
{
    struct fix *f = *state;
    drop(f, 1);
    run(f, GRACE);
    uint64_t due = f->g.now.seat[1].due_ms;
    edge_game_verify(&f->g, f->t);
    fix_run(f, 3000);
    assert_said(f, 0, GAME_PAUSED);
    assert_int_equal(fix_last(f, 0)->reason, PAUSE_REASON(STORAGE));
    fix_read_done(f, EDGE_GAME_ON_STORED, true, f->g.now.version);
    fix_store(f);
    assert_said(f, 0, GAME_PAUSED);
    assert_int_equal(fix_last(f, 0)->reason, PAUSE_REASON(PLAYER));
    assert_int_equal(f->g.now.seat[1].due_ms, due + 3000);
    assert_false(f->g.paused);
}

static void another_owner_goes_on_with_the_deadlines(void **state)
{
    struct fix *f = *state;
    drop(f, 1);
    run(f, GRACE);
    uint64_t due = f->g.now.seat[1].due_ms, deadline = f->g.now.deadline_ms - f->g.now.paused_at_ms;
    other_owner(f, 60000);
    assert_false(f->putting); /* nothing is short of time */
    assert_int_equal(f->g.now.seat[1].due_ms, due);
    assert_int_equal(f->g.now.deadline_ms - f->g.now.paused_at_ms, deadline);
    run(f, PAUSE - 60000);
    assert_said(f, 1, SEAT_TAKEN_OVER);
}

static void who_ran_out_of_time_without_an_owner_gets_time_to_come(void **state)
{
    struct fix *f = *state;
    drop(f, 1);
    run(f, GRACE);
    other_owner(f, PAUSE + 5000);
    assert_true(f->putting);
    fix_store(f);
    assert_said(f, 0, GAME_PAUSED);
    assert_int_equal(fix_last(f, 0)->until_ms, EDGE_SEAT_ATTACH_MS);
    come(f, 1);
    assert_said(f, 0, GAME_RESUMED);
}

int main(void)
{
#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(a_drop_is_told_and_the_turn_goes_on, two),
        TEST(a_return_within_the_grace_is_told_and_disarms_it, two),
        TEST(turns_lost_while_away_do_not_count, two),
        TEST(the_game_pauses_and_its_clock_stands, two),
        TEST(after_the_pause_a_bot_plays_until_he_is_back, two),
        TEST(by_policy_the_seat_is_given_up_and_who_stayed_has_won, two),
        TEST(of_three_one_is_given_up_and_the_game_goes_on, three),
        TEST(the_pause_lasts_until_the_last_one_is_decided, three),
        TEST(bots_do_not_play_alone, against_a_bot),
        TEST(when_the_last_person_leaves_bots_do_not_go_on, against_two_bots),
        TEST(who_loses_three_turns_against_bots_has_left_them, against_two_bots),
        TEST(a_bot_in_a_seat_of_somebody_away_is_a_bot, three_and_a_bot),
        TEST(with_everybody_gone_the_game_is_abandoned, two),
        TEST(of_a_return_and_a_timer_the_stored_one_has_happened, two),
        TEST(away_for_less_than_a_put_is_not_away, two),
        TEST(a_return_comes_before_what_he_asks, two),
        TEST(leaving_ends_a_pause, three),
        TEST(time_the_store_costs_is_given_back_to_seats_too, two),
        TEST(a_pause_by_the_store_gives_way_to_the_players, two),
        TEST(another_owner_goes_on_with_the_deadlines, two),
        TEST(who_ran_out_of_time_without_an_owner_gets_time_to_come, two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
