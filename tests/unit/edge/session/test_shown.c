/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "edge/session/shown.h"

#define CM(x) Meridian__Client__V1__##x
#define BODY(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x

static CM(ServerMessage) * turn(const char *game, uint64_t version)
{
    static CM(TurnChanged) t;
    static CM(ServerMessage) m;
    t = (CM(TurnChanged))MERIDIAN__CLIENT__V1__TURN_CHANGED__INIT;
    m = (CM(ServerMessage))MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    t.game_id = (char *)game;
    t.version = version;
    m.body_case = BODY(TURN_CHANGED);
    m.turn_changed = &t;
    return &m;
}

static CM(ServerMessage) * matched(const char *game)
{
    static CM(Matched) t;
    static CM(ServerMessage) m;
    t = (CM(Matched))MERIDIAN__CLIENT__V1__MATCHED__INIT;
    m = (CM(ServerMessage))MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    t.game_id = (char *)game;
    m.body_case = BODY(MATCHED);
    m.matched = &t;
    return &m;
}

static CM(ServerMessage) * paused(const char *game, uint64_t version)
{
    static CM(GamePaused) t;
    static CM(ServerMessage) m;
    t = (CM(GamePaused))MERIDIAN__CLIENT__V1__GAME_PAUSED__INIT;
    m = (CM(ServerMessage))MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    t.game_id = (char *)game;
    t.version = version;
    m.body_case = BODY(GAME_PAUSED);
    m.game_paused = &t;
    return &m;
}

static void what_was_told_is_not_told_again_and_what_is_new_is(void **state)
{
    struct edge_shown sh = {.count = 0};
    (void)state;
    assert_false(edge_shown_told(&sh, turn("a", 1)));
    edge_shown_note(&sh, turn("a", 7));
    edge_shown_note(&sh, turn("a", 5));
    assert_true(edge_shown_told(&sh, turn("a", 6)));
    assert_true(edge_shown_told(&sh, turn("a", 7)));
    assert_false(edge_shown_told(&sh, turn("a", 8)));
    assert_false(edge_shown_told(&sh, turn("b", 1)));
    edge_shown_version(&sh, "b", 3);
    assert_true(edge_shown_told(&sh, turn("b", 3)));
}

static void a_match_is_told_once_and_a_pause_as_often_as_it_comes(void **state)
{
    struct edge_shown sh = {.count = 0};
    (void)state;
    edge_shown_note(&sh, matched("a")); /* alone it says nothing: its game_state is what counts */
    assert_false(edge_shown_told(&sh, matched("a")));
    edge_shown_note(&sh, turn("a", 7));
    assert_true(edge_shown_told(&sh, matched("a")));
    assert_false(edge_shown_told(&sh, matched("b")));
    assert_false(edge_shown_told(&sh, paused("a", 7)));
}

static void games_too_many_and_ids_too_long_are_told_again_rather_than_never(void **state)
{
    struct edge_shown sh = {.count = 0};
    char id[EDGE_ID_MAX + 2];
    (void)state;
    memset(id, 'x', sizeof(id));
    id[sizeof(id) - 1] = 0;
    edge_shown_version(&sh, id, 1);
    assert_int_equal(sh.count, 0);
    assert_false(edge_shown_told(&sh, turn(id, 1)));
    for (int i = 0; i <= EDGE_SHOWN_GAMES; i++) {
        snprintf(id, sizeof(id), "g%d", i);
        edge_shown_version(&sh, id, 9);
        assert_int_equal(edge_shown_told(&sh, turn(id, 9)), i < EDGE_SHOWN_GAMES);
    }
    assert_int_equal(sh.count, EDGE_SHOWN_GAMES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_is_not_told_again_and_what_is_new_is),
        cmocka_unit_test(a_match_is_told_once_and_a_pause_as_often_as_it_comes),
        cmocka_unit_test(games_too_many_and_ids_too_long_are_told_again_rather_than_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
