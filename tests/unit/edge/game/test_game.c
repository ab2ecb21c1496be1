/* SPDX-License-Identifier: Apache-2.0 */
#include "game_fix.h"

#include "edge/game/memory.h"

static struct edge_memory *board(struct fix *f)
{
    return (struct edge_memory *)&f->g.now.rules;
}

/* Two humans at 4x4, faces 0 0 1 1 2 2 ... so that cards 2n and 2n+1 are a pair. */
static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof(*f));
    struct edge_game_spec spec = fix_spec(2, 4, 4, 0);
    fix_init(f, &edge_memory, &spec, 1);
    for (unsigned i = 0; i < 16; i++)
        board(f)->face[i] = (uint8_t)(i / 2);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fix_deinit(*state);
    free(*state);
    return 0;
}

/* --- moves --- */

static void nothing_is_shown_before_it_is_stored(void **state)
{
    struct fix *f = *state;
    struct edge_game_view v;
    fix_flip(f, 0, 3, "m1");
    assert_int_equal(f->said_count, 0);
    edge_game_view(&f->g, 0, &v);
    assert_int_equal(v.state.version, 1);
    assert_int_equal(v.card[3].state, MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_DOWN);
    assert_int_equal(f->put.expected, 1);
    assert_int_equal(f->put.version, 2);
    assert_false(f->put.end);
    fix_store(f);
    assert_said(f, 1, MOVE_OK);
    assert_true(fix_last(f, 1)->reply);
    assert_int_equal(fix_last(f, 1)->version, 2);
    assert_said(f, 0, CARD_FLIPPED);
    assert_int_equal(fix_last(f, 0)->face, 1);
    edge_game_view(&f->g, 0, &v);
    assert_true(v.card[3].has_face);
}

static void a_pair_is_told_in_one_version_with_a_new_deadline(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 2, "m1");
    fix_store(f);
    f->t.mono_ms += 7000, f->t.store_ms += 7000;
    fix_flip(f, 0, 3, "m2");
    fix_store(f);
    assert_said(f, 3, MOVE_OK);
    assert_said(f, 2, CARD_FLIPPED);
    assert_said(f, 1, PAIR_FOUND);
    assert_said(f, 0, TURN_CHANGED);
    assert_int_equal(fix_last(f, 0)->seat, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(fix_last(f, i)->version, 3);
    assert_int_equal(fix_last(f, 0)->deadline_ms, f->t.store_ms + 20000);
}

static void missed_cards_go_down_after_the_reveal_with_the_next_version(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "m1");
    fix_store(f);
    fix_flip(f, 0, 2, "m2");
    fix_store(f);
    assert_said(f, 0, PAIR_MISSED);
    fix_run(f, 1499);
    assert_false(f->putting);
    fix_flip(f, 1, 5, "x");
    assert_refused(f, ILLEGAL_MOVE);
    fix_run(f, 1);
    fix_store(f);
    assert_said(f, 0, TURN_CHANGED);
    assert_int_equal(fix_last(f, 0)->version, 4);
    assert_int_equal(fix_last(f, 0)->seat, 1);
    fix_flip(f, 1, 5, "x"); /* a refused moveId was never used */
    fix_store(f);
    assert_said(f, 0, CARD_FLIPPED);
}

static void refusals_go_to_the_sender_only_and_change_nothing(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 1, 0, "a");
    assert_refused(f, NOT_YOUR_TURN);
    assert_true(fix_last(f, 0)->reply);
    fix_flip(f, 0, 16, "b");
    assert_refused(f, ILLEGAL_MOVE);
    assert_int_equal(f->puts, 0);
    assert_int_equal(f->g.now.version, 1);
    assert_int_equal(f->notes[EDGE_GAME_NOTE_REFUSED], 2);
}

static void a_retry_gets_its_first_answer_and_no_events(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "m1");
    fix_store(f);
    fix_flip(f, 0, 1, "m2");
    fix_store(f);
    unsigned said = f->said_count;
    fix_flip(f, 0, 0, "m1");
    assert_int_equal(f->said_count, said + 1);
    assert_said(f, 0, MOVE_OK);
    assert_int_equal(fix_last(f, 0)->version, 2);
    assert_int_equal(f->puts, 2);
    assert_int_equal(f->notes[EDGE_GAME_NOTE_REPEATED], 1);
}

static void another_move_under_a_used_id_is_a_conflict(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "m1");
    fix_flip(f, 0, 5, "m1"); /* waits behind the first */
    assert_int_equal(f->said_count, 0);
    fix_store(f);
    assert_refused(f, MOVE_CONFLICT);
    assert_int_equal(f->g.now.version, 2);
}

static void ids_belong_to_a_seat(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "m1");
    fix_store(f);
    fix_flip(f, 1, 5, "m1");
    assert_refused(f, NOT_YOUR_TURN); /* not a conflict, not a retry */
}

static void a_retry_of_a_move_in_flight_waits_for_its_confirmation(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "m1");
    fix_flip(f, 0, 0, "m1");
    assert_int_equal(f->said_count, 0);
    fix_store(f);
    assert_int_equal(f->said_count, 3); /* move_ok, card_flipped, move_ok */
    assert_said(f, 0, MOVE_OK);
    assert_said(f, 2, MOVE_OK);
    assert_int_equal(f->puts, 1);
}

static void a_seats_last_sixteen_moves_are_remembered(void **state)
{
    struct fix *f = *state;
    char id[16];
    unsigned moves = 0;
    for (unsigned i = 0; i < 16; i++) { /* one pair a turn, the whole board but the last pair */
        if (i == 14)
            break;
        snprintf(id, sizeof(id), "m%u", i);
        fix_flip(f, 0, i, id);
        fix_store(f);
        moves++;
    }
    fix_flip(f, 0, 0, "m0");
    assert_said(f, 0, MOVE_OK);
    for (unsigned i = 0; i < 4; i++) { /* a lone card goes down with the clock; the other seat's turn runs out too */
        snprintf(id, sizeof(id), "n%u", i);
        fix_flip(f, 0, 14, id);
        fix_store(f);
        f->g.now.turns_lost[0] = f->g.now.turns_lost[1] = 0;
        fix_run(f, 20000);
        fix_store(f);
        fix_run(f, 20000);
        fix_store(f);
        moves++;
    }
    assert_int_equal(moves, 18);
    fix_flip(f, 0, 2, "m2");
    assert_said(f, 0, MOVE_OK); /* the sixteenth before the last */
    fix_flip(f, 0, 1, "m1");
    assert_refused(f, ILLEGAL_MOVE); /* forgotten: judged as a new move */
}

static void requests_of_all_seats_wait_in_order_behind_a_put(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    fix_flip(f, 1, 4, "b");
    fix_flip(f, 0, 1, "c");
    fix_flip(f, 0, 2, "d");
    assert_int_equal(f->g.queued, 3);
    fix_put_done(f, EDGE_GAME_ON_STORED);
    assert_refused(f, NOT_YOUR_TURN); /* b */
    assert_true(f->putting);          /* c */
    fix_store(f);
    assert_int_equal(f->g.now.version, 4);
    assert_int_equal(f->puts, 3);
}

static void too_many_waiting_requests_are_refused_at_once(void **state)
{
    struct fix *f = *state;
    char id[16];
    fix_flip(f, 0, 0, "first");
    for (unsigned i = 0; i < EDGE_GAME_QUEUE_SEAT; i++) {
        snprintf(id, sizeof(id), "q%u", i);
        fix_flip(f, 0, 1, id);
    }
    assert_int_equal(f->said_count, 0);
    fix_flip(f, 0, 1, "more");
    assert_refused(f, RATE_LIMITED);
    fix_flip(f, 1, 1, "other seat");
    assert_int_equal(f->said_count, 1);
    fix_store(f);
}

static void memory_running_out_is_try_again(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    mer_mem_fail_at(1);
    fix_flip(f, 0, 1, "b");
    mer_mem_fail_at(0);
    assert_refused(f, TRY_AGAIN);
}

/* --- the clock, leaving, the end --- */

static void the_turn_passes_at_the_deadline(void **state)
{
    struct fix *f = *state;
    fix_run(f, 19999);
    assert_false(f->putting);
    fix_run(f, 1);
    fix_store(f);
    assert_said(f, 0, TURN_CHANGED);
    assert_int_equal(fix_last(f, 0)->seat, 1);
    assert_int_equal(f->g.now.turns_lost[0], 1);
}

static void a_move_after_the_deadline_comes_too_late_even_before_the_tick(void **state)
{
    struct fix *f = *state;
    f->t.mono_ms += 20000, f->t.store_ms += 20000;
    fix_flip(f, 0, 0, "late");
    fix_store(f);
    assert_refused(f, NOT_YOUR_TURN);
    assert_int_equal(f->g.now.version, 2);
}

static void a_move_that_waits_over_the_deadline_is_judged_by_its_arrival(void **state)
{
    struct fix *f = *state;
    fix_run(f, 19990);
    fix_flip(f, 0, 0, "a");
    fix_flip(f, 0, 1, "b"); /* in time, behind the first */
    f->t.mono_ms += 100, f->t.store_ms += 100;
    fix_store(f);
    assert_said(f, 1, PAIR_FOUND);
}

static void three_turns_lost_in_a_row_count_as_leaving(void **state)
{
    struct fix *f = *state;
    for (unsigned i = 0; i < 4; i++) {
        fix_run(f, 20000);
        fix_store(f);
        assert_said(f, 0, TURN_CHANGED);
    }
    fix_run(f, 20000);
    assert_true(f->put.end);
    fix_store(f);
    assert_said(f, 0, GAME_OVER);
    assert_int_equal(fix_last(f, 0)->reason, OVER(ABANDONED));
    assert_int_equal(f->notes[EDGE_GAME_NOTE_ENDED], 1);
    assert_int_equal(edge_game_next_ms(&f->g, f->t), UINT64_MAX);
}

static void a_turn_that_was_used_forgives_the_lost_ones(void **state)
{
    struct fix *f = *state;
    for (unsigned i = 0; i < 4; i++) { /* two lost by each */
        fix_run(f, 20000);
        fix_store(f);
    }
    fix_flip(f, 0, 0, "a"), fix_store(f);
    fix_flip(f, 0, 2, "b"), fix_store(f);
    assert_int_equal(f->g.now.turns_lost[0], 0);
    assert_int_equal(f->g.now.turns_lost[1], 2);
}

static void leaving_a_game_of_two_ends_it(void **state)
{
    struct fix *f = *state;
    fix_leave(f, 1);
    assert_true(f->put.end);
    fix_store(f);
    assert_said(f, 0, GAME_OVER);
    assert_int_equal(fix_last(f, 0)->reason, OVER(RESIGNED));
    fix_flip(f, 0, 0, "late");
    assert_refused(f, GAME_OVER);
    fix_leave(f, 0);
    assert_refused(f, GAME_OVER);
}

static void a_game_goes_on_while_two_seats_are_left(void **state)
{
    (void)state;
    struct fix f;
    struct edge_game_spec spec = fix_spec(3, 4, 4, 0);
    fix_init(&f, &edge_memory, &spec, 1);
    fix_flip(&f, 0, 0, "m");
    fix_store(&f);
    fix_leave(&f, 0);
    fix_store(&f);
    assert_said(&f, 1, SEAT_LEFT);
    assert_said(&f, 0, TURN_CHANGED);
    assert_int_equal(fix_last(&f, 0)->version, 3);
    assert_int_equal(fix_last(&f, 0)->seat, 1);
    assert_int_equal(edge_game_seat_of(&f.g, "ann"), EDGE_RULES_NO_SEAT);
    assert_int_equal(edge_game_seat_of(&f.g, "cem"), 2);
    fix_leave(&f, 0); /* again: not his game any more */
    assert_refused(&f, NO_SUCH_GAME);
    for (unsigned i = 0; i < 5; i++) { /* the others lose turns until one is out */
        fix_run(&f, 20000);
        fix_store(&f);
    }
    assert_said(&f, 0, GAME_OVER);
    fix_deinit(&f);
}

static void leaving_by_the_clock_passes_the_turn_first(void **state)
{
    (void)state;
    struct fix f;
    struct edge_game_spec spec = fix_spec(3, 4, 4, 0);
    fix_init(&f, &edge_memory, &spec, 1);
    f.g.now.turns_lost[0] = 2;
    fix_run(&f, 20000);
    fix_store(&f);
    assert_said(&f, 1, TURN_CHANGED);
    assert_said(&f, 0, SEAT_LEFT);
    assert_int_equal(fix_last(&f, 0)->seat, 0);
    assert_int_equal(f.g.now.left, 1);
    fix_deinit(&f);
}

static void the_last_pair_ends_the_game_and_winners_have_the_top_score(void **state)
{
    struct fix *f = *state;
    struct edge_game_view v;
    char id[16];
    for (unsigned i = 0; i < 16; i++) {
        snprintf(id, sizeof(id), "m%u", i);
        fix_flip(f, 0, i, id);
        assert_int_equal(f->put.end, i == 15);
        fix_store(f);
    }
    assert_said(f, 1, PAIR_FOUND);
    assert_said(f, 0, GAME_OVER);
    assert_int_equal(fix_last(f, 0)->reason, OVER(FINISHED));
    edge_game_view(&f->g, 1, &v);
    assert_int_equal(v.state.status, MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_OVER);
    assert_false(v.state.has_turn || v.state.has_deadline_at_ms);
    assert_int_equal(v.result.n_winners, 1);
    assert_int_equal(v.result.winners[0], 0);
    assert_int_equal(v.result.scores[0], 8);
    fix_flip(f, 0, 15, "m15"); /* the retry of the very last move */
    assert_said(f, 0, MOVE_OK);
}

static void everybody_with_the_top_score_wins(void **state)
{
    struct fix *f = *state;
    struct edge_game_view v;
    fix_leave(f, 0);
    fix_store(f);
    edge_game_view(&f->g, 1, &v);
    assert_int_equal(v.result.n_winners, 2);
}

/* --- the store makes trouble --- */

static void a_quick_put_costs_no_time_and_a_slow_one_gives_it_back(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    fix_run(f, 500);
    fix_store(f);
    assert_int_equal(f->g.now.version, 2);
    uint64_t deadline = f->g.now.deadline_ms;
    fix_flip(f, 0, 5, "b"); /* missed: the reveal's clock is told by its turn_changed */
    fix_store(f);
    fix_run(f, 1500);
    fix_store(f);
    deadline = f->g.now.deadline_ms;
    fix_flip(f, 1, 0, "c");
    fix_run(f, 1200);
    fix_put_done(f, EDGE_GAME_ON_STORED);
    assert_said(f, 0, CARD_FLIPPED);
    assert_true(f->putting); /* a change of its own */
    fix_store(f);
    assert_said(f, 0, GAME_RESUMED);
    assert_int_equal(fix_last(f, 0)->version, 6);
    assert_int_equal(fix_last(f, 0)->deadline_ms, deadline + 1200);
}

static void players_are_told_after_two_seconds_and_the_clock_stands(void **state)
{
    struct fix *f = *state;
    struct edge_game_view v;
    fix_flip(f, 0, 0, "a");
    uint64_t deadline = f->g.now.deadline_ms;
    fix_run(f, 1999);
    assert_int_equal(f->said_count, 0);
    fix_run(f, 1);
    assert_int_equal(f->said_count, 1);
    assert_said(f, 0, GAME_PAUSED);
    assert_int_equal(fix_last(f, 0)->version, 1); /* nothing was stored */
    edge_game_view(&f->g, 0, &v);
    assert_int_equal(v.state.status, MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_PAUSED);
    assert_false(v.state.has_turn);
    fix_run(f, 58000); /* far past the deadline: no turn is lost */
    fix_put_done(f, EDGE_GAME_ON_STORED);
    fix_store(f);
    assert_said(f, 0, GAME_RESUMED);
    assert_int_equal(fix_last(f, 0)->deadline_ms, deadline + 60000);
    assert_int_equal(f->notes[EDGE_GAME_NOTE_PAUSED], 1);
    assert_int_equal(f->notes[EDGE_GAME_NOTE_RESUMED], 1);
    assert_int_equal(f->g.now.turns_lost[0], 0);
    edge_game_view(&f->g, 0, &v);
    assert_int_equal(v.state.status, MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_PLAYING);
}

static void a_sender_is_told_to_try_again_and_his_retry_gets_move_ok(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    fix_flip(f, 0, 1, "b");
    fix_run(f, 8000);
    assert_refused(f, TRY_AGAIN);
    assert_int_equal(f->notes[EDGE_GAME_NOTE_REFUSED], 2); /* a and b */
    assert_int_equal(f->g.queued, 0);
    unsigned said = f->said_count;
    fix_put_done(f, EDGE_GAME_ON_STORED); /* it was stored after all */
    assert_int_equal(f->said_count, said + 1);
    assert_said(f, 0, CARD_FLIPPED); /* shown to all, no second answer */
    fix_store(f);
    fix_flip(f, 0, 0, "a");
    assert_said(f, 0, MOVE_OK);
    assert_int_equal(fix_last(f, 0)->version, 2);
}

static void an_unknown_outcome_that_was_stored_is_adopted(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    fix_put_done(f, EDGE_GAME_ON_UNSURE);
    assert_int_equal(f->said_count, 0);
    fix_read_done(f, EDGE_GAME_ON_STORED, true, 2);
    assert_int_equal(f->puts, 1);
    assert_said(f, 1, MOVE_OK);
    assert_int_equal(f->g.now.version, 2);
    assert_store(f, IDLE);
}

static void an_unknown_outcome_that_was_not_stored_is_put_again(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    fix_put_done(f, EDGE_GAME_ON_UNSURE);
    fix_read_done(f, EDGE_GAME_ON_STORED, true, 1);
    assert_int_equal(f->puts, 2);
    assert_int_equal(f->put.expected, 1);
    assert_int_equal(f->put.version, 2);
    fix_store(f);
    assert_said(f, 1, MOVE_OK);
}

static void a_read_back_without_an_answer_is_repeated(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    fix_put_done(f, EDGE_GAME_ON_UNSURE);
    for (unsigned i = 0; i < 20; i++) {
        fix_read_done(f, i % 2 ? EDGE_GAME_ON_NOT_NOW : EDGE_GAME_ON_UNSURE, false, 0);
        assert_store(f, READ_LATER);
        fix_run(f, 1000);
        assert_store(f, READING);
    }
    fix_read_done(f, EDGE_GAME_ON_STORED, true, 2);
    assert_int_equal(f->g.now.version, 2);
    fix_store(f);
    assert_said(f, 0, GAME_RESUMED);
}

static void what_the_store_lost_is_restored_and_then_the_change_put(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a"), fix_store(f);
    fix_flip(f, 0, 1, "b"), fix_store(f); /* version 3 confirmed */
    fix_flip(f, 0, 2, "c");
    fix_put_done(f, EDGE_GAME_ON_UNSURE); /* a gap */
    fix_read_done(f, EDGE_GAME_ON_STORED, true, 2);
    assert_store(f, RESTORING);
    assert_true(f->put.restore);
    assert_int_equal(f->put.expected, 2);
    assert_int_equal(f->put.version, 3);
    assert_int_equal(f->notes[EDGE_GAME_NOTE_RESTORED], 1);
    unsigned said = f->said_count;
    fix_put_done(f, EDGE_GAME_ON_STORED);
    assert_int_equal(f->said_count, said); /* it was shown long ago */
    assert_false(f->put.restore);
    assert_int_equal(f->put.version, 4);
    fix_store(f);
    assert_said(f, 1, MOVE_OK);
}

static void a_game_of_another_owner_is_dropped_without_a_word(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    fix_flip(f, 0, 1, "b");
    fix_put_done(f, EDGE_GAME_ON_UNSURE);
    fix_read_done(f, EDGE_GAME_ON_STORED, false, 9);
    assert_int_equal(f->lost, 1);
    assert_int_equal(f->said_count, 0);
    assert_int_equal(f->g.queued, 0);
    fix_flip(f, 0, 1, "b");
    fix_run(f, 100000);
    assert_int_equal(f->said_count, 0);
    assert_int_equal(f->lost, 1);
}

static void a_missing_key_freezes_the_game_and_is_looked_for(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    fix_put_done(f, EDGE_GAME_ON_ABSENT);
    for (unsigned i = 0; i < 5; i++) {
        assert_store(f, FROZEN);
        fix_run(f, 5000);
        fix_read_done(f, EDGE_GAME_ON_ABSENT, false, 0);
    }
    assert_int_equal(f->notes[EDGE_GAME_NOTE_FROZEN], 1); /* one alarm */
    assert_int_equal(f->notes[EDGE_GAME_NOTE_PAUSED], 1);
    fix_run(f, 5000);
    fix_read_done(f, EDGE_GAME_ON_STORED, true, 1); /* it is back */
    fix_store(f);
    assert_said(f, 0, GAME_RESUMED);
    assert_int_equal(f->g.now.version, 3);
}

static void a_version_that_was_never_sent_freezes_too(void **state)
{
    struct fix *f = *state;
    edge_game_verify(&f->g, f->t);
    fix_read_done(f, EDGE_GAME_ON_STORED, true, 7);
    assert_store(f, FROZEN);
    assert_int_equal(f->notes[EDGE_GAME_NOTE_FROZEN], 1);
}

static void verifying_finds_nothing_or_repairs(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a"), fix_store(f);
    edge_game_verify(&f->g, f->t);
    fix_flip(f, 0, 1, "b"); /* waits for the answer */
    assert_false(f->putting);
    fix_read_done(f, EDGE_GAME_ON_STORED, true, 2);
    assert_true(f->putting);
    edge_game_verify(&f->g, f->t); /* a put compares by itself */
    fix_store(f);
    edge_game_verify(&f->g, f->t);
    fix_read_done(f, EDGE_GAME_ON_STORED, true, 2);
    assert_store(f, RESTORING);
    fix_store(f);
    assert_store(f, IDLE);
    assert_int_equal(f->g.now.version, 3);
}

static void a_slow_store_does_not_make_resumes_chase_themselves(void **state)
{
    struct fix *f = *state;
    fix_flip(f, 0, 0, "a");
    fix_run(f, 900);
    fix_put_done(f, EDGE_GAME_ON_STORED);
    assert_true(f->putting);
    fix_run(f, 900);
    fix_put_done(f, EDGE_GAME_ON_STORED);
    assert_false(f->putting);
    assert_int_equal(f->g.now.version, 3);
}

static void a_claimed_game_starts_its_turn_anew(void **state)
{
    struct fix *f = *state;
    f->t.mono_ms += 15000, f->t.store_ms += 15000; /* nobody hosted it */
    edge_game_start(&f->g, f->t, true);
    fix_store(f);
    assert_said(f, 0, GAME_RESUMED);
    assert_int_equal(fix_last(f, 0)->deadline_ms, f->t.store_ms + 20000);
}

/* --- bots, views --- */

static void bots_think_and_play_and_wait_for_the_store(void **state)
{
    (void)state;
    struct fix f;
    struct edge_game_spec spec = fix_spec(2, 4, 4, 2);
    fix_init(&f, &edge_memory, &spec, 3);
    fix_run(&f, 20000); /* the human sleeps */
    fix_store(&f);
    fix_run(&f, 599);
    assert_false(f.putting);
    fix_run(&f, 1201);
    assert_true(f.putting);
    fix_run(&f, 5000);
    assert_int_equal(f.puts, 2); /* no second move while one is in flight */
    fix_put_done(&f, EDGE_GAME_ON_STORED);
    assert_said(&f, 0, CARD_FLIPPED);
    assert_int_equal(fix_last(&f, 0)->seat, 1);
    fix_deinit(&f);
}

static void a_game_of_bots_only_ends_by_itself(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 50; n++) {
        struct fix f;
        struct edge_game_spec spec = fix_spec(2 + n % 3, 2 + n % 9, 2 + 2 * (n % 5), 15);
        fix_init(&f, &edge_memory, &spec, n);
        for (unsigned i = 0; i < 20000 && !f.g.now.over; i++) {
            fix_run(&f, 1800);
            fix_store(&f);
        }
        assert_true(f.g.now.over);
        assert_int_equal(f.g.now.reason, OVER(FINISHED));
        assert_int_equal(f.notes[EDGE_GAME_NOTE_STRAY], 0);
        fix_deinit(&f);
    }
}

static void matched_and_view_name_everybody(void **state)
{
    (void)state;
    struct fix f;
    struct edge_game_matched m;
    struct edge_game_view v;
    struct edge_game_spec spec = fix_spec(3, 2, 3, 4);
    fix_init(&f, &edge_memory, &spec, 3);
    edge_game_matched(&f.g, 1, &m);
    assert_int_equal(m.matched.seat, 1);
    assert_int_equal(m.matched.n_players, 3);
    assert_string_equal(m.player[0].user, "ann");
    assert_string_equal(m.player[2].user, "bot:3");
    assert_int_equal(m.player[2].kind, MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_BOT);
    edge_game_view(&f.g, 1, &v);
    assert_int_equal(v.state.n_cards, 6);
    assert_int_equal(v.state.n_seats, 3);
    assert_int_equal(v.state.n_scores, 3);
    assert_int_equal(v.seat[2].state, MERIDIAN__CLIENT__V1__SEAT_STATE__SEAT_STATE_BOT);
    assert_int_equal(edge_game_seat_of(&f.g, "bot:3"), EDGE_RULES_NO_SEAT); /* nobody can speak for a bot */
    fix_deinit(&f);
}

static void games_that_cannot_be_are_not_made(void **state)
{
    (void)state;
    struct edge_game g;
    struct edge_game_env env = fix_env;
    struct mer_rng_seeded seed;
    struct edge_game_time t = {1, 1};
    char longer[200];
    memset(longer, 'x', sizeof(longer));
    longer[199] = 0;
    env.rng = mer_rng_seed(&seed, 1);
#define BAD(change) \
    do { \
        struct edge_game_spec spec = fix_spec(3, 4, 4, 0); \
        change; \
        assert_int_equal(edge_game_init(&g, &spec, &env, t), MER_EINVALID); \
    } while (0)
    BAD(spec.game = "chess");
    BAD(spec.id = "");
    BAD(spec.id = longer);
    BAD(spec.region = longer);
    BAD(spec.seat_count = 1);
    BAD(spec.seat_count = 5);
    BAD(spec.seat[0].user = "");
    BAD(spec.seat[0].user = longer);
    BAD(spec.seat[0].user = "a\nb");
    BAD(spec.seat[0].name = "\xff");
    BAD(spec.seat[1].user = "ann"); /* twice at one table */
    BAD(spec.rows = 3; spec.cols = 5);
#undef BAD
    for (unsigned n = 1; n < 8; n++) {
        struct edge_game_spec spec = fix_spec(3, 4, 4, 0);
        mer_mem_fail_at(n);
        enum mer_err err = edge_game_init(&g, &spec, &env, t);
        mer_mem_fail_at(0);
        assert_int_equal(err, MER_ENOMEM);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_is_shown_before_it_is_stored),
        T(a_pair_is_told_in_one_version_with_a_new_deadline),
        T(missed_cards_go_down_after_the_reveal_with_the_next_version),
        T(refusals_go_to_the_sender_only_and_change_nothing),
        T(a_retry_gets_its_first_answer_and_no_events),
        T(another_move_under_a_used_id_is_a_conflict),
        T(ids_belong_to_a_seat),
        T(a_retry_of_a_move_in_flight_waits_for_its_confirmation),
        T(a_seats_last_sixteen_moves_are_remembered),
        T(requests_of_all_seats_wait_in_order_behind_a_put),
        T(too_many_waiting_requests_are_refused_at_once),
        T(memory_running_out_is_try_again),
        T(the_turn_passes_at_the_deadline),
        T(a_move_after_the_deadline_comes_too_late_even_before_the_tick),
        T(a_move_that_waits_over_the_deadline_is_judged_by_its_arrival),
        T(three_turns_lost_in_a_row_count_as_leaving),
        T(a_turn_that_was_used_forgives_the_lost_ones),
        T(leaving_a_game_of_two_ends_it),
        cmocka_unit_test(a_game_goes_on_while_two_seats_are_left),
        cmocka_unit_test(leaving_by_the_clock_passes_the_turn_first),
        T(the_last_pair_ends_the_game_and_winners_have_the_top_score),
        T(everybody_with_the_top_score_wins),
        T(a_quick_put_costs_no_time_and_a_slow_one_gives_it_back),
        T(players_are_told_after_two_seconds_and_the_clock_stands),
        T(a_sender_is_told_to_try_again_and_his_retry_gets_move_ok),
        T(an_unknown_outcome_that_was_stored_is_adopted),
        T(an_unknown_outcome_that_was_not_stored_is_put_again),
        T(a_read_back_without_an_answer_is_repeated),
        T(what_the_store_lost_is_restored_and_then_the_change_put),
        T(a_game_of_another_owner_is_dropped_without_a_word),
        T(a_missing_key_freezes_the_game_and_is_looked_for),
        T(a_version_that_was_never_sent_freezes_too),
        T(verifying_finds_nothing_or_repairs),
        T(a_slow_store_does_not_make_resumes_chase_themselves),
        T(a_claimed_game_starts_its_turn_anew),
        cmocka_unit_test(bots_think_and_play_and_wait_for_the_store),
        cmocka_unit_test(a_game_of_bots_only_ends_by_itself),
        cmocka_unit_test(matched_and_view_name_everybody),
        cmocka_unit_test(games_that_cannot_be_are_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
