/* SPDX-License-Identifier: Apache-2.0
 * How a game ended, as a player's inbox keeps it: the same as who saw the end was told, and never too big for it. */
#include "game_fix.h"

#include <meridian/event_limits.h>

#include "edge/game/memory.h"
#include "edge/game/result.h"
#include "meridian/state/v1/state.pb-c.h"

static Meridian__State__V1__Event *result_of(const struct edge_game *g, unsigned seat)
{
    struct mer_buf b;
    mer_buf_init(&b, 0);
    assert_int_equal(edge_game_result(g, seat, 12345, &b), MER_OK);
    assert_true(b.len <= MER_EVENT_MAX);
    Meridian__State__V1__Event *e = meridian__state__v1__event__unpack(NULL, b.len, b.data);
    mer_buf_deinit(&b);
    assert_non_null(e);
    return e;
}

static void play_to_the_end(struct fix *f, uint64_t seed)
{
    struct mer_rng_seeded d;
    struct mer_rng dice = mer_rng_seed(&d, seed);
    for (unsigned i = 0; i < 2000 && !f->g.now.over; i++) {
        char id[16];
        snprintf(id, sizeof(id), "m%u", i);
        fix_flip(f, f->g.rules->turn(&f->g.now.rules), mer_rng_below(&dice, 4), id);
        if (f->putting)
            fix_put_done(f, EDGE_GAME_ON_STORED);
        f->t.mono_ms += 2000;
        f->t.store_ms += 2000;
        edge_game_tick(&f->g, f->t);
        if (f->putting)
            fix_put_done(f, EDGE_GAME_ON_STORED);
    }
    assert_true(f->g.now.over);
}

static void a_result_says_what_the_last_state_says(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 20; seed++) {
        struct fix f;
        struct edge_game_spec spec = fix_spec(2 + seed % 3, 2, 2, 0);
        fix_init(&f, &edge_memory, &spec, seed);
        play_to_the_end(&f, seed);
        for (unsigned seat = 0; seat < f.g.seat_count; seat++) {
            struct edge_game_view view;
            edge_game_view(&f.g, seat, &view);
            Meridian__State__V1__Event *e = result_of(&f.g, seat);
            const Meridian__State__V1__ResultEvent *r = e->result;
            assert_int_equal(e->body_case, MERIDIAN__STATE__V1__EVENT__BODY_RESULT);
            assert_string_equal(e->to, f.g.seats[seat].user);
            assert_int_equal(e->at_ms, 12345);
            assert_string_equal(r->game_id, f.g.id);
            assert_int_equal(r->seat, seat);
            assert_int_equal(r->n_players, f.g.seat_count);
            assert_string_equal(r->players[seat]->user, f.g.seats[seat].user);
            assert_int_equal(r->reason, view.result.reason);
            assert_int_equal(r->n_scores, view.result.n_scores);
            assert_memory_equal(r->scores, view.result.scores, r->n_scores * sizeof(*r->scores));
            assert_int_equal(r->n_winners, view.result.n_winners);
            assert_memory_equal(r->winners, view.result.winners, r->n_winners * sizeof(*r->winners));
            meridian__state__v1__event__free_unpacked(e, NULL);
        }
        edge_game_deinit(&f.g);
    }
}

static void the_longest_names_fit(void **state)
{
    struct fix f;
    struct edge_game_spec spec = fix_spec(4, 2, 2, 0);
    char user[4][EDGE_GAME_USER_MAX + 1], name[EDGE_GAME_NAME_MAX + 1];
    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    for (unsigned i = 0; i < 4; i++) {
        memset(user[i], 'a' + (int)i, sizeof(user[i]) - 1);
        user[i][sizeof(user[i]) - 1] = 0;
        spec.seat[i].user = user[i];
        spec.seat[i].name = name;
    }
    fix_init(&f, &edge_memory, &spec, 1);
    play_to_the_end(&f, 1);
    meridian__state__v1__event__free_unpacked(result_of(&f.g, 3), NULL);
    edge_game_deinit(&f.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_says_what_the_last_state_says),
        cmocka_unit_test(the_longest_names_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
