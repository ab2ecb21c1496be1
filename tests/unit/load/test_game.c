/* SPDX-License-Identifier: Apache-2.0
 * test_game.c - the judge must be right in both directions: a game told properly breaks nothing, and every lie is found. */
#include "unit.h"

#include <stdio.h>

#include "tests/load/codec.h"
#include "tests/load/game.h"

#define START \
    "{'type':'game_state','gameId':'g','game':'memory','version':1,'status':'playing','rows':2,'cols':2,'cards':[{'state':'down'},{'" \
    "state':'down'}," \
    "{'state':'down'},{'state':'down'}],'scores':[0,0],'seats':[{'seat':0,'state':'seated'},{'seat':1,'state':'seated'}],'turn':0,'" \
    "deadlineAtMs':5}"
#define FLIP(version, seat, card, face) \
    "{'type':'card_flipped','gameId':'g','version':" #version ",'seat':" #seat ",'card':" #card ",'face':" #face "}"
#define FOUND(version, seat, a, b, score0, score1) \
    "{'type':'pair_found','gameId':'g','version':" #version ",'seat':" #seat ",'cards':[" #a "," #b "],'scores':[" #score0 "," #score1 "]" \
    "}"
#define MISSED(version, seat, a, b) \
    "{'type':'pair_missed','gameId':'g','version':" #version ",'seat':" #seat ",'cards':[" #a "," #b "],'scores':[0,0]}"
#define TURN(version, seat) "{'type':'turn_changed','gameId':'g','version':" #version ",'seat':" #seat ",'deadlineAtMs':9}"
#define OVER(version, winners) \
    "{'type':'game_over','gameId':'g','version':" #version ",'scores':[0,2],'winners':[" #winners "],'reason':'finished'}"

/* Cards 0 and 2 are face 7, cards 1 and 3 face 9; seat 0 misses, seat 1 takes both pairs. */
static const char *const script[] = {START,      FLIP(2, 0, 0, 7), FLIP(3, 0, 1, 9), MISSED(3, 0, 0, 1),
                                     TURN(4, 1), FLIP(5, 1, 0, 7), FLIP(6, 1, 2, 7), FOUND(6, 1, 0, 2, 0, 1),
                                     TURN(6, 1), FLIP(7, 1, 1, 9), FLIP(8, 1, 3, 9), FOUND(8, 1, 1, 3, 0, 2),
                                     OVER(8, 1)};
static const struct {
    uint8_t seat, card;
    uint64_t version;
} moves[] = {{0, 0, 2}, {0, 1, 3}, {1, 0, 5}, {1, 2, 6}, {1, 1, 7}, {1, 3, 8}};

struct fix {
    struct load_faults faults;
    struct load_game *game;
    char player[2];
};

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof(*f));
    f->game = load_game_create("g", 2, &f->faults);
    load_game_sit(f->game, 0, &f->player[0]);
    load_game_sit(f->game, 1, &f->player[1]);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;
    load_game_destroy(f->game);
    free(f);
    return 0;
}

/* Texts are written with ' for ". */
static enum load_verdict tell(struct fix *f, unsigned seat, const char *text)
{
    char json[2048];
    snprintf(json, sizeof(json), "%s", text);
    for (char *c = json; *c; c++)
        if (*c == '\'')
            *c = '"';
    Meridian__Client__V1__ServerMessage *m = load_decode(false, (const uint8_t *)json, strlen(json));
    assert_non_null(m);
    enum load_verdict verdict = load_game_message(f->game, seat, m);
    meridian__client__v1__server_message__free_unpacked(m, NULL);
    return verdict;
}

/* The whole game to both, but for what is replaced or left out (NULL) for seat 1. Acknowledgements come as they should. */
static void play(struct fix *f, size_t at, const char *instead)
{
    for (unsigned seat = 0; seat < 2; seat++) {
        size_t move = 0;
        for (size_t i = 0; i < MER_COUNT(script); i++) {
            const char *text = seat == 1 && i == at ? instead : script[i];
            if (strstr(script[i], "card_flipped")) {
                if (moves[move].seat == seat)
                    load_game_acked(f->game, seat, moves[move].card, moves[move].version, true);
                move++;
            }
            if (text)
                (void)tell(f, seat, text);
        }
    }
    load_game_check(f->game);
}

#define assert_only_fault(f, kind) \
    do { \
        if ((f)->faults.count[kind] == 0 || load_faults_total(&(f)->faults) != (f)->faults.count[kind]) \
            fail_msg("expected %s alone; %llu faults, first: %s", load_fault_name(kind), \
                     (unsigned long long)load_faults_total(&(f)->faults), (f)->faults.text[0]); \
    } while (0)
#define assert_no_fault(f) \
    do { \
        if (load_faults_total(&(f)->faults)) \
            fail_msg("%s", (f)->faults.text[0]); \
    } while (0)
#define assert_fault(f, kind) assert_true((f)->faults.count[kind] > 0)

static void a_game_told_properly_breaks_nothing(void **state)
{
    struct fix *f = *state;
    play(f, 99, NULL);
    assert_no_fault(f);
    assert_true(f->game->view[0].over && f->game->view[1].over);
    assert_int_equal(f->game->moves, 6);
    assert_int_equal(f->game->view[1].version, 8);
}

static void another_message_to_the_opponent_is_found(void **state)
{
    struct fix *f = *state;
    play(f, 4, "{'type':'turn_changed','gameId':'g','version':4,'seat':1,'deadlineAtMs':10}"); /* another deadline */
    assert_only_fault(f, LOAD_FAULT_ORDER);
}

static void a_message_that_one_player_did_not_get_is_found(void **state)
{
    struct fix *f = *state;
    play(f, 8, NULL); /* the turn_changed of version 6: the version itself was seen */
    assert_only_fault(f, LOAD_FAULT_ORDER);
}

static void a_face_that_changes_is_found(void **state)
{
    struct fix *f = *state;
    play(f, 5, FLIP(5, 1, 0, 8));
    assert_fault(f, LOAD_FAULT_FACE);
}

static void a_face_on_three_cards_is_found(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    tell(f, 0, FLIP(2, 0, 0, 7));
    tell(f, 0, FLIP(3, 0, 1, 7));
    assert_no_fault(f);
    tell(f, 0, FOUND(3, 0, 0, 1, 1, 0));
    tell(f, 0, TURN(3, 0));
    tell(f, 0, FLIP(4, 0, 2, 7));
    assert_only_fault(f, LOAD_FAULT_FACE);
}

static void wrong_scores_are_found(void **state)
{
    struct fix *f = *state;
    play(f, 7, FOUND(6, 1, 0, 2, 1, 0));
    assert_fault(f, LOAD_FAULT_SCORE);
}

static void wrong_winners_are_found(void **state)
{
    struct fix *f = *state;
    play(f, 12, OVER(8, 0));
    assert_fault(f, LOAD_FAULT_SCORE);
}

static void a_flip_out_of_turn_is_found(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    tell(f, 0, FLIP(2, 1, 0, 7));
    assert_only_fault(f, LOAD_FAULT_RULES);
}

static void a_flip_of_a_card_that_is_up_is_found(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    tell(f, 0, FLIP(2, 0, 0, 7));
    tell(f, 0, FLIP(3, 0, 0, 7));
    assert_only_fault(f, LOAD_FAULT_RULES);
}

static void an_old_version_told_again_is_found(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    tell(f, 0, FLIP(2, 0, 0, 7));
    tell(f, 0, FLIP(3, 0, 1, 9));
    tell(f, 0, FLIP(2, 0, 0, 7));
    assert_only_fault(f, LOAD_FAULT_DOUBLED);
}

static void an_acknowledged_move_that_never_happens_is_found(void **state)
{
    struct fix *f = *state;
    load_game_acked(f->game, 0, 3, 4, true); /* version 4 is a turn_changed */
    play(f, 99, NULL);
    assert_only_fault(f, LOAD_FAULT_MOVE_LOST);
}

static void an_acknowledgement_for_another_card_is_found(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    load_game_acked(f->game, 0, 2, 2, true);
    tell(f, 0, FLIP(2, 0, 0, 7));
    load_game_check(f->game);
    assert_only_fault(f, LOAD_FAULT_MOVE_LOST);
}

static void a_flip_nobody_asked_for_is_found(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    tell(f, 0, FLIP(2, 0, 0, 7));
    load_game_check(f->game);
    assert_only_fault(f, LOAD_FAULT_MOVE_DOUBLED);
}

static void a_flip_whose_answer_was_lost_is_none(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    tell(f, 0, FLIP(2, 0, 0, 7));
    f->game->unknown[0] = 1;
    f->game->view[1].here = false;
    load_game_check(f->game);
    assert_no_fault(f);
}

static void two_acknowledgements_of_one_version_are_found(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    load_game_acked(f->game, 0, 0, 2, true);
    load_game_acked(f->game, 0, 0, 2, true);
    assert_only_fault(f, LOAD_FAULT_MOVE_DOUBLED);
}

static void an_event_ahead_of_its_acknowledgement_is_found(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    tell(f, 0, FLIP(2, 0, 0, 7));
    load_game_acked(f->game, 0, 0, 2, true);
    assert_only_fault(f, LOAD_FAULT_PROTOCOL);
}

static void a_gap_is_told_and_repaired_by_a_snapshot(void **state)
{
    struct fix *f = *state;
    assert_int_equal(tell(f, 0, START), LOAD_APPLIED);
    assert_int_equal(tell(f, 0, FLIP(3, 0, 1, 9)), LOAD_GAP);
    assert_false(load_game_to_move(f->game, 0));
    assert_int_equal(tell(f, 0, TURN(4, 1)), LOAD_IGNORED);
    assert_int_equal(tell(f, 0,
                          "{'type':'game_state','gameId':'g','game':'memory','version':4,'status':'playing','rows':2,'cols':2,'cards':["
                          "{'state':'down'},{'state':'down'},{'state':'down'},{'state':'down'}],'scores':[0,0],'seats':[{'seat':0,"
                          "'state':'seated'},{'seat':1,'state':'seated'}],'turn':1,'deadlineAtMs':9}"),
                     LOAD_APPLIED);
    assert_int_equal(tell(f, 0, TURN(4, 1)), LOAD_IGNORED); /* the snapshot holds it */
    assert_int_equal(tell(f, 0, FLIP(5, 1, 0, 7)), LOAD_APPLIED);
    assert_no_fault(f);
    assert_int_equal(f->game->gaps, 1);
}

static void a_snapshot_that_goes_back_is_found(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    tell(f, 0, FLIP(2, 0, 0, 7));
    tell(f, 0, START);
    assert_only_fault(f, LOAD_FAULT_MOVE_LOST);
}

static void a_snapshot_with_a_face_that_lies_down_is_found(void **state)
{
    struct fix *f = *state;
    tell(f, 0,
         "{'type':'game_state','gameId':'g','game':'memory','version':1,'status':'playing','rows':2,'cols':2,'cards':[{'state':'down',"
         "'face':7},{'state':'down'},{'state':'down'},{'state':'down'}],'scores':[0,0],'seats':[{'seat':0,'state':'seated'},{'seat':1,"
         "'state':'seated'}],'turn':0,'deadlineAtMs':5}");
    assert_only_fault(f, LOAD_FAULT_RULES);
}

static void a_pause_stops_moves_and_is_no_change(void **state)
{
    struct fix *f = *state;
    tell(f, 0, START);
    assert_true(load_game_to_move(f->game, 0));
    assert_false(load_game_to_move(f->game, 1));
    tell(f, 0, "{'type':'game_paused','gameId':'g','version':1,'reason':'storage'}");
    assert_false(load_game_to_move(f->game, 0));
    tell(f, 0, "{'type':'game_resumed','gameId':'g','version':1,'deadlineAtMs':9}");
    assert_true(load_game_to_move(f->game, 0));
    assert_int_equal(tell(f, 0, FLIP(2, 0, 0, 7)), LOAD_APPLIED);
    assert_no_fault(f);
}

static void players_turn_known_pairs_and_else_unseen_cards(void **state)
{
    struct fix *f = *state;
    for (size_t i = 0; i < 5; i++) /* to seat 1's turn; cards 0 and 1 were seen */
        tell(f, 1, script[i]);
    for (uint32_t random = 0; random < 8; random++)
        assert_true(load_game_choose(f->game, 1, random) >= 2);
    tell(f, 1, FLIP(5, 1, 2, 7));
    assert_int_equal(load_game_choose(f->game, 1, 3), 0); /* its partner was seen */
    tell(f, 1, FLIP(6, 1, 0, 7));
    tell(f, 1, FOUND(6, 1, 2, 0, 0, 1));
    assert_no_fault(f);
    assert_int_equal(load_game_choose(f->game, 1, 5), 3); /* the only one never seen */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_game_told_properly_breaks_nothing),
        T(another_message_to_the_opponent_is_found),
        T(a_message_that_one_player_did_not_get_is_found),
        T(a_face_that_changes_is_found),
        T(a_face_on_three_cards_is_found),
        T(wrong_scores_are_found),
        T(wrong_winners_are_found),
        T(a_flip_out_of_turn_is_found),
        T(a_flip_of_a_card_that_is_up_is_found),
        T(an_old_version_told_again_is_found),
        T(an_acknowledged_move_that_never_happens_is_found),
        T(an_acknowledgement_for_another_card_is_found),
        T(a_flip_nobody_asked_for_is_found),
        T(a_flip_whose_answer_was_lost_is_none),
        T(two_acknowledgements_of_one_version_are_found),
        T(an_event_ahead_of_its_acknowledgement_is_found),
        T(a_gap_is_told_and_repaired_by_a_snapshot),
        T(a_snapshot_that_goes_back_is_found),
        T(a_snapshot_with_a_face_that_lies_down_is_found),
        T(a_pause_stops_moves_and_is_no_change),
        T(players_turn_known_pairs_and_else_unseen_cards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
