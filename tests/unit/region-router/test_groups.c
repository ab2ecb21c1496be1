/* SPDX-License-Identifier: Apache-2.0
 * Friends with a code, in one region and in three: who is in the match, when, where it is, and what those hear who came in vain. */
#include "tests/unit/region-router/cross_world.h"

enum { ASIA, EU, US, KEY = 4711, WAY_MS = 1500 /* told, offered, answered around the world, and created */ };

static struct player *host(struct world *w, unsigned region, unsigned seats, enum router_bots bots)
{
    return come_as(w, region, &(struct player){.group = {KEY, true, 0}, .seats = seats, .bots = bots});
}
/* What he asks for besides does not count. */
static struct player *guest(struct world *w, unsigned region)
{
    return come_as(w, region, &(struct player){.group = {KEY, false, 0}, .seats = 4, .bots = ROUTER_BOTS_NOW});
}

static unsigned created(const struct world *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->games; i++)
        n += w->game[i].created;
    return n;
}

static void assert_told(struct world *w, const struct player *p, const char *text)
{
    char reason[ROUTER_REASON_BYTES];
    uint32_t next;
    assert_int_equal(router_match_explain(&w->region[p->region].m, p->id, reason, &next), MER_OK);
    if (strstr(reason, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", reason, text);
}

static void assert_given_up(const struct player *p, const char *text)
{
    if (p->state != ENDED || p->in_game || strstr(p->why, text) == NULL)
        fail_msg("%s: state %d, game %d, \"%s\" does not say \"%s\"", p->id, (int)p->state, p->in_game, p->why, text);
}

static void friends_of_one_region_meet_at_once(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 2, ROUTER_BOTS_NONE);
    run_for(w, 60000);
    assert_told(w, a, "waiting for 1 more with this code");
    struct player *b = guest(w, EU);
    run_for(w, WAY_MS);
    assert_true(a->in_game && b->in_game);
    assert_null(strchr(a->match, '.'));
    assert_int_equal(created(w), 1);
}

static void friends_meet_wherever_they_are_without_patience_or_cap(void **state)
{
    for (unsigned there = 0; there < REGIONS; there++) {
        for (unsigned here = 0; here < REGIONS; here++) {
            struct world *w = *state;
            stop(w);
            start(w, 1 + there * REGIONS + here);
            struct player *a = host(w, there, 2, ROUTER_BOTS_NONE);
            run_for(w, 200);
            struct player *b = guest(w, here);
            run_for(w, WAY_MS);
            assert_true(a->in_game && b->in_game);
            assert_int_equal(created(w), 1);
        }
    }
}

static void the_host_region_is_the_one_whose_worst_player_is_nearest(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, ASIA, 2, ROUTER_BOTS_NONE), *b = guest(w, EU);
    run_for(w, WAY_MS);
    assert_true(a->in_game && b->in_game);
    assert_memory_equal(a->match, "us.", 3); /* 150 and 80 instead of 220 */
}

static void nobody_else_is_in_their_match(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 2, ROUTER_BOTS_NONE), *stranger = come(w, EU);
    struct player *other = come_as(w, EU, &(struct player){.group = {KEY + 1, true, 0}, .seats = 2});
    run_for(w, 30000);
    assert_true(!a->in_game && !stranger->in_game && !other->in_game);
    struct player *late = come(w, EU);
    run_for(w, WAY_MS);
    assert_true(stranger->in_game && late->in_game && !a->in_game && !other->in_game);
}

static void four_of_three_regions_fill_a_table(void **state)
{
    struct world *w = *state;
    struct player *p[4] = {host(w, EU, 4, ROUTER_BOTS_NONE)};
    static const unsigned from[] = {EU, ASIA, US, EU};
    for (unsigned i = 1; i < 4; i++) {
        run_for(w, 3000);
        assert_told(w, p[0], i == 1 ? "waiting for 3 more" : i == 2 ? "waiting for 2 more" : "waiting for 1 more");
        p[i] = guest(w, from[i]);
    }
    run_for(w, WAY_MS);
    for (unsigned i = 0; i < 4; i++)
        assert_true(p[i]->in_game);
    assert_int_equal(created(w), 1);
}

static void bots_take_the_rest_ten_seconds_after_the_last_friend(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 4, ROUTER_BOTS_FILL);
    run_for(w, 60000);
    assert_false(a->in_game);
    struct player *b = guest(w, ASIA);
    run_for(w, 8000);
    assert_false(a->in_game);
    assert_told(w, a, "bots take the rest in ");
    struct player *c = guest(w, US);
    run_for(w, 8000);
    assert_false(a->in_game);
    run_for(w, 4000 + WAY_MS);
    assert_true(a->in_game && b->in_game && c->in_game);
    assert_int_equal(created(w), 1);
}

static void bots_now_wait_for_the_first_friend_only(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 3, ROUTER_BOTS_NOW);
    run_for(w, 60000);
    assert_false(a->in_game);
    struct player *b = guest(w, US);
    run_for(w, WAY_MS);
    assert_true(a->in_game && b->in_game);
}

static void a_code_that_nobody_waits_with_is_told_soon(void **state)
{
    struct world *w = *state;
    struct player *b = guest(w, US);
    run_for(w, ROUTER_GROUP_LOOK_MS - 1);
    assert_int_equal(b->state, WAITS);
    assert_told(w, b, "looking for who made this code");
    run_for(w, ROUTER_STEP_MS + 1);
    assert_given_up(b, "nobody waits with this code");
    assert_int_equal(w->region[US].m.counts[ROUTER_M_CODE_MISSES], 1);
}

static void a_guest_may_come_before_his_host_is_known(void **state)
{
    struct world *w = *state;
    struct player *b = guest(w, US);
    run_for(w, 3000);
    struct player *a = host(w, ASIA, 2, ROUTER_BOTS_NONE);
    run_for(w, WAY_MS);
    assert_true(a->in_game && b->in_game);
}

static void who_comes_too_late_hears_that_the_table_is_full(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 2, ROUTER_BOTS_NONE), *b = guest(w, US);
    run_for(w, WAY_MS);
    assert_true(a->in_game && b->in_game);
    for (unsigned i = 0; i < REGIONS; i++) {
        struct player *late = guest(w, i);
        run_for(w, ROUTER_GROUP_LOOK_MS + ROUTER_STEP_MS);
        assert_given_up(late, i == ASIA ? "" : "this table is full");
    }
}

static void who_is_one_too_many_hears_it_at_once(void **state)
{
    struct world *w = *state;
    struct player *b[3] = {guest(w, US), guest(w, US), guest(w, ASIA)};
    run_for(w, 500);
    struct player *a = host(w, EU, 2, ROUTER_BOTS_NONE);
    run_for(w, WAY_MS);
    assert_true(a->in_game);
    unsigned in = 0;
    for (unsigned i = 0; i < 3; i++) {
        in += b[i]->in_game;
        if (!b[i]->in_game)
            assert_given_up(b[i], "this table is full");
    }
    assert_int_equal(in, 1);
}

static void a_host_who_takes_it_back_leaves_nobody_waiting(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 4, ROUTER_BOTS_NONE), *b = guest(w, EU), *c = guest(w, ASIA);
    run_for(w, 1000);
    cancel(w, a);
    run_for(w, 1000);
    assert_given_up(b, "took the invitation back");
    assert_given_up(c, "took the invitation back");
    for (unsigned i = 0; i < REGIONS; i++)
        assert_int_equal(w->region[i].m.groups.by_key.count, 0);
}

static void an_invitation_runs_out_after_ten_minutes(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 2, ROUTER_BOTS_NONE);
    run_for(w, ROUTER_INVITE_MS - 1);
    assert_int_equal(a->state, WAITS);
    run_for(w, 1);
    assert_given_up(a, "no match was found in time");
    run_for(w, 1000);
    for (unsigned i = 0; i < REGIONS; i++)
        assert_int_equal(w->region[i].m.tickets.count + w->region[i].m.groups.by_key.count, 0);
}

static void a_host_who_was_lost_with_his_edge_may_come_back(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 3, ROUTER_BOTS_NONE), *b = guest(w, US);
    run_for(w, 1000);
    router_match_edge_lost(&w->region[EU].m, &w->region[EU].edge, w->now);
    a->state = ENDED;
    run_for(w, 1000);
    assert_told(w, b, "waiting for your friend to come back");
    run_for(w, 20000);
    struct player *back = host(w, EU, 2, ROUTER_BOTS_NONE);
    run_for(w, WAY_MS);
    assert_true(back->in_game && b->in_game);
}

static void a_host_who_does_not_come_back_is_waited_for_half_a_minute(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 2, ROUTER_BOTS_NONE);
    run_for(w, 1000);
    router_match_edge_lost(&w->region[EU].m, &w->region[EU].edge, w->now);
    a->state = ENDED;
    run_for(w, 1000);
    struct player *b = guest(w, EU); /* the group is gone in eu: nobody waits there */
    run_for(w, ROUTER_GROUP_LOST_MS + ROUTER_SLOW_STEP_MS);
    assert_given_up(b, "");
}

static void a_new_leader_brings_friends_together_all_the_same(void **state)
{
    for (unsigned which = 0; which < REGIONS; which++) {
        struct world *w = *state;
        stop(w);
        start(w, 20 + which);
        struct player *a = host(w, EU, 3, ROUTER_BOTS_NONE), *b = guest(w, US);
        run_for(w, 5000);
        new_leader(w, which);
        run_for(w, 1000);
        struct player *c = guest(w, ASIA);
        run_for(w, ROUTER_STEP_MS + WAY_MS);
        assert_true(a->in_game && b->in_game && c->in_game);
    }
}

static void long_waiting_friends_outlast_new_leaders_one_after_the_other(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 3, ROUTER_BOTS_NONE), *b = guest(w, US);
    run_for(w, 100000);
    for (unsigned round = 0; round < 6; round++) {
        new_leader(w, round % REGIONS);
        run_for(w, 2500);
    }
    run_for(w, 6000);
    struct player *c = guest(w, ASIA);
    run_for(w, ROUTER_SLOW_STEP_MS + WAY_MS);
    assert_true(a->in_game && b->in_game && c->in_game);
}

static void friends_behind_a_cut_meet_when_it_heals(void **state)
{
    struct world *w = *state;
    struct player *a = host(w, EU, 2, ROUTER_BOTS_NONE);
    run_for(w, 1000);
    cut(w, EU, US, true);
    struct player *b = guest(w, US);
    run_for(w, 10000); /* us knew of it before the cut: it waits for the host to be seen again */
    if (b->state == ENDED)
        b = guest(w, US);
    cut(w, EU, US, false);
    run_for(w, ROUTER_SLOW_STEP_MS + WAY_MS);
    assert_true(a->in_game && b->in_game);
}

static void a_code_of_a_region_that_cannot_be_reached_says_so(void **state)
{
    struct world *w = *state;
    cut(w, EU, US, true);
    struct player *b = come_as(w, US, &(struct player){.group = {KEY, false, index_at(US, EU)}, .seats = 2});
    run_for(w, ROUTER_GROUP_LOOK_MS + ROUTER_STEP_MS);
    assert_given_up(b, "cannot be reached");
    cut(w, EU, US, false);
}

static void too_many_with_one_code_are_refused(void **state)
{
    struct world *w = *state;
    struct region *r = &w->region[EU];
    for (unsigned i = 0; i < ROUTER_GROUP_MAX; i++)
        (void)guest(w, EU);
    struct router_ticket_spec s = {.id = "t99",
                                   .user = "t99",
                                   .name = "",
                                   .game = "memory",
                                   .players = 2,
                                   .rows = 4,
                                   .cols = 4,
                                   .edge = &r->edge,
                                   .group = {KEY, false, 0}};
    assert_int_equal(router_match_open(&r->m, &s, w->now), MER_EBUSY);
    assert_int_equal(r->m.tickets.count, ROUTER_GROUP_MAX);
    router_match_check(&r->m);
}

/* Many codes at once while everything breaks: nobody is in two games, nobody with a stranger, and every ticket ends. */
static void friends_in_a_random_life(void **state)
{
    struct world *w = *state;
    unsigned met = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct mer_rng_seeded s;
        struct mer_rng rng = mer_rng_seed(&s, seed * 104729);
        stop(w);
        start(w, seed);
        for (unsigned i = 0; i < 250; i++) {
            unsigned what = mer_rng_below(&rng, 100), a = mer_rng_below(&rng, REGIONS), b = (a + 1 + mer_rng_below(&rng, 2)) % REGIONS;
            uint64_t key = 1 + mer_rng_below(&rng, 12);
            if (what < 30 && w->players < TICKETS)
                (void)come_as(w, a,
                              &(struct player){.group = {key, mer_rng_below(&rng, 2) == 0, 0},
                                               .seats = 2 + mer_rng_below(&rng, 3),
                                               .bots = (enum router_bots)mer_rng_below(&rng, 3)});
            else if (what < 33 && w->players < TICKETS)
                (void)come(w, a);
            else if (what < 37 && w->players > 0 && w->player[mer_rng_below(&rng, w->players)].state == WAITS)
                cancel(w, &w->player[mer_rng_below(&rng, w->players)]);
            else if (what < 42)
                cut(w, a, b, !w->cut[a][b]);
            else if (what < 44)
                new_leader(w, a);
            else
                run_for(w, mer_rng_below(&rng, 2500));
        }
        for (unsigned a = 0; a < REGIONS; a++)
            for (unsigned b = 0; b < a; b++)
                if (w->cut[a][b])
                    cut(w, a, b, false);
        run_for(w, ROUTER_INVITE_MS + 2 * VOID_MS);
        for (unsigned i = 0; i < w->players; i++) {
            if (w->player[i].state != ENDED)
                fail_msg("seed %llu: ticket %s never ended", (unsigned long long)seed, w->player[i].id);
            for (unsigned k = 0; k < i; k++)
                if (w->player[i].in_game && w->player[k].in_game && strcmp(w->player[i].match, w->player[k].match) == 0)
                    assert_true(w->player[i].group.key == w->player[k].group.key);
            met += w->player[i].in_game && w->player[i].group.key != 0;
        }
        for (unsigned i = 0; i < REGIONS; i++)
            assert_int_equal(w->region[i].m.tickets.count + w->region[i].m.matches.count, 0);
    }
    assert_in_range(met, 500, 100000);
}

#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(friends_of_one_region_meet_at_once),
        T(friends_meet_wherever_they_are_without_patience_or_cap),
        T(the_host_region_is_the_one_whose_worst_player_is_nearest),
        T(nobody_else_is_in_their_match),
        T(four_of_three_regions_fill_a_table),
        T(bots_take_the_rest_ten_seconds_after_the_last_friend),
        T(bots_now_wait_for_the_first_friend_only),
        T(a_code_that_nobody_waits_with_is_told_soon),
        T(a_guest_may_come_before_his_host_is_known),
        T(who_comes_too_late_hears_that_the_table_is_full),
        T(who_is_one_too_many_hears_it_at_once),
        T(a_host_who_takes_it_back_leaves_nobody_waiting),
        T(an_invitation_runs_out_after_ten_minutes),
        T(a_host_who_was_lost_with_his_edge_may_come_back),
        T(a_host_who_does_not_come_back_is_waited_for_half_a_minute),
        T(a_new_leader_brings_friends_together_all_the_same),
        T(long_waiting_friends_outlast_new_leaders_one_after_the_other),
        T(friends_behind_a_cut_meet_when_it_heals),
        T(a_code_of_a_region_that_cannot_be_reached_says_so),
        T(too_many_with_one_code_are_refused),
        T(friends_in_a_random_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
