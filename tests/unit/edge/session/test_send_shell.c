/* SPDX-License-Identifier: Apache-2.0
 * What goes to which of a user's sessions: one that is owed the state of its game is told nothing else of that game before. */
#include <string.h>

#include "edge/session/session.h"
#include "edge/session/sessions.h"
#include "unit.h"

#define SM(x) Meridian__Client__V1__##x
#define BODY(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x

enum { OLD, NEW, SESSIONS };

static struct fix {
    struct edge_app app;
    struct edge_sessions all;
    struct edge_user *user;
    struct edge_session session[SESSIONS]; /* without connections: what is numbered stays in their rings */
} f;

static int begin(void **state)
{
    static const uint64_t seed[2] = {1, 2};
    struct mer_claims claims = {.sub = "ana", .name = "Ana"};
    (void)state;
    memset(&f, 0, sizeof(f));
    f.all.app = &f.app;
    mer_buf_init(&f.all.out, 0);
    edge_ring_pool_init(&f.all.pool, 1 << 20);
    mer_slab_init(&f.all.user_slab, sizeof(struct edge_user), 8);
    mer_map_init(&f.all.users, edge__user_key, seed);
    f.user = edge__user_get(&f.all, &claims);
    assert_non_null(f.user);
    for (int i = 0; i < SESSIONS; i++) {
        struct edge_session *s = &f.session[i];
        s->all = &f.all;
        s->user = f.user;
        s->state = i == OLD ? EDGE_SESSION_DETACHED : EDGE_SESSION_LIVE;
        edge_ring_init(&s->ring);
        mer_list_push_back(&f.user->sessions, &s->in_user);
        f.user->count++;
    }
    f.session[NEW].unshown = true;
    return 0;
}
static int end(void **state)
{
    (void)state;
    for (int i = 0; i < SESSIONS; i++) {
        edge_ring_clear(&f.all.pool, &f.session[i].ring);
        mer_list_remove(&f.session[i].in_user);
    }
    f.user->count = 0;
    edge__user_release(&f.all, f.user);
    mer_map_deinit(&f.all.users);
    mer_slab_deinit(&f.all.user_slab);
    mer_buf_deinit(&f.all.out);
    return 0;
}

static void tell(SM(ServerMessage__BodyCase) kind)
{
    SM(ServerMessage) m = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    SM(Matched) matched = MERIDIAN__CLIENT__V1__MATCHED__INIT;
    SM(GameState) game = MERIDIAN__CLIENT__V1__GAME_STATE__INIT;
    SM(CardFlipped) flipped = MERIDIAN__CLIENT__V1__CARD_FLIPPED__INIT;
    SM(GameOver) over = MERIDIAN__CLIENT__V1__GAME_OVER__INIT;
    matched.game_id = game.game_id = flipped.game_id = over.game_id = (char *)"g-1";
    matched.region = game.game = (char *)"";
    m.body_case = kind;
    switch (kind) {
    case BODY(MATCHED):
        m.matched = &matched;
        break;
    case BODY(GAME_STATE):
        m.game_state = &game;
        break;
    case BODY(CARD_FLIPPED):
        m.card_flipped = &flipped;
        break;
    default:
        m.game_over = &over;
    }
    edge_sessions_to_user(&f.all, "ana", &m);
}

static void who_is_owed_the_state_is_told_of_the_game_from_there_on(void **state)
{
    const struct edge_session *old = &f.session[OLD], *new = &f.session[NEW];
    (void)state;
    assert_true(edge_sessions_unshown(&f.all, "ana"));
    tell(BODY(CARD_FLIPPED));
    tell(BODY(GAME_OVER));
    assert_int_equal(old->offset, 2);
    assert_int_equal(new->offset, 0);
    assert_true(new->missed && !old->missed);
    tell(BODY(MATCHED));
    assert_int_equal(new->offset, 1);
    assert_true(edge_sessions_unshown(&f.all, "ana"));
    tell(BODY(GAME_STATE));
    assert_int_equal(new->offset, 2);
    assert_false(new->missed || edge_sessions_unshown(&f.all, "ana"));
    tell(BODY(CARD_FLIPPED));
    assert_int_equal(new->offset, 3);
    assert_int_equal(old->offset, 5);
}

static void only_who_has_a_connection_is_owed(void **state)
{
    (void)state;
    f.session[NEW].state = EDGE_SESSION_DETACHED;
    assert_false(edge_sessions_unshown(&f.all, "ana"));
    assert_false(edge_sessions_unshown(&f.all, "bob"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(who_is_owed_the_state_is_told_of_the_game_from_there_on),
        T(only_who_has_a_connection_is_owed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
