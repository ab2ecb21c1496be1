/* SPDX-License-Identifier: Apache-2.0
 * Matches across regions while players come and leave, lines break and leaders change at random: no ticket is in two games, and every
 * ticket ends. The seed is printed when it fails. */
#include "tests/unit/region-router/cross_world.h"

static void random_event(struct world *w, const struct mer_rng *rng)
{
    unsigned what = mer_rng_below(rng, 100), a = mer_rng_below(rng, REGIONS), b = (a + 1 + mer_rng_below(rng, REGIONS - 1)) % REGIONS;
    if (what < 20 && w->players < TICKETS) {
        come(w, a);
    } else if (what < 25 && w->players > 0) {
        struct player *p = &w->player[mer_rng_below(rng, w->players)];
        if (p->state != WAITS)
            return;
        p->state = ENDED;
        router_match_cancel(&w->region[p->region].m, p->id, &w->region[p->region].edge, w->now);
    } else if (what < 35) {
        cut(w, a, b, !w->cut[a][b]);
    } else if (what < 38) {
        new_leader(w, a);
    } else {
        run_for(w, mer_rng_below(rng, 2500));
    }
}

static void one_random_life(struct world *w, uint64_t seed)
{
    struct mer_rng_seeded s;
    struct mer_rng rng = mer_rng_seed(&s, seed * 7919);
    start(w, seed);
    w->threes = true;
    w->brief = seed % 2 == 0;
    for (unsigned i = 0; i < 300; i++)
        random_event(w, &rng);
    for (unsigned a = 0; a < REGIONS; a++)
        for (unsigned b = 0; b < a; b++)
            if (w->cut[a][b])
                cut(w, a, b, false);
    run_for(w, 2 * ROUTER_TICKET_MS);
    for (unsigned i = 0; i < w->players; i++)
        if (w->player[i].state != ENDED)
            fail_msg("seed %llu: ticket %s never ended", (unsigned long long)seed, w->player[i].id);
    for (unsigned i = 0; i < REGIONS; i++)
        assert_int_equal(w->region[i].m.tickets.count + w->region[i].m.matches.count, 0);
    stop(w);
}

static void no_ticket_is_in_two_games_and_every_ticket_ends(void **state)
{
    struct world *w = malloc(sizeof *w);
    unsigned cross = 0, threes = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        one_random_life(w, seed);
        for (unsigned i = 0; i < w->games; i++)
            cross += w->game[i].created && strchr(w->game[i].id, '.') != NULL;
        threes += w->three_games;
    }
    assert_in_range(cross, 500, 100000); /* the test has seen what it is about */
    assert_in_range(threes, 50, 100000);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_ticket_is_in_two_games_and_every_ticket_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
