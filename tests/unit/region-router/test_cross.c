/* SPDX-License-Identifier: Apache-2.0
 * Matches across regions: who hosts, whom a ticket is told to and when, what lending a ticket does to it. */
#include "tests/unit/region-router/cross_world.h"

/* ---- who hosts ----------------------------------------------------------------------------------------------------------------------- */

enum { NO = ROUTER_FAR };
static void the_host_is_the_region_whose_worst_player_is_nearest(void **state)
{
    static const struct {
        unsigned home[2];
        uint16_t latency[2][REGIONS];
        uint32_t waited_ms[2];
        unsigned host;
    } row[] = {
        /* own region first: only the own may host, whatever is nearer */
        {{0, 0}, {{50, 5, NO}, {50, 5, NO}}, {0, ROUTER_PATIENCE_MS - 1}, 0},
        {{0, 1}, {{0, 80, NO}, {80, 0, NO}}, {0, 0}, REGIONS},
        /* the fresh one stays at home, the patient one comes to him */
        {{0, 1}, {{0, 80, NO}, {80, 0, NO}}, {ROUTER_PATIENCE_MS, 0}, 1},
        /* equal: the name decides ("asia" before "eu") */
        {{0, 1}, {{0, 80, NO}, {80, 0, NO}}, {ROUTER_PATIENCE_MS, ROUTER_PATIENCE_MS}, 0},
        {{1, 0}, {{80, 0, NO}, {0, 80, NO}}, {ROUTER_PATIENCE_MS, ROUTER_PATIENCE_MS}, 0},
        /* the worst player counts, then the sum */
        {{0, 1}, {{0, 90, NO}, {80, 0, NO}}, {ROUTER_PATIENCE_MS, ROUTER_PATIENCE_MS}, 0},
        {{0, 1}, {{0, 70, NO}, {80, 0, NO}}, {ROUTER_PATIENCE_MS, ROUTER_PATIENCE_MS}, 1},
        {{0, 1}, {{30, 80, NO}, {80, 20, NO}}, {ROUTER_PATIENCE_MS, ROUTER_PATIENCE_MS}, 1},
        /* a third region in the middle */
        {{0, 1}, {{0, 220, 100}, {220, 0, 80}}, {ROUTER_WORLD_MS, ROUTER_WORLD_MS}, 2},
        /* the caps of the steps */
        {{0, 1}, {{0, 101, NO}, {101, 0, NO}}, {ROUTER_WORLD_MS - 1, ROUTER_WORLD_MS - 1}, REGIONS},
        {{0, 1}, {{0, 101, NO}, {101, 0, NO}}, {ROUTER_WORLD_MS, ROUTER_WORLD_MS - ROUTER_SOON_MS - 1}, 1},
        /* whose patience ends a moment earlier does not choose: the better host is waited for, if it is better */
        {{0, 1}, {{0, 101, NO}, {101, 0, NO}}, {ROUTER_WORLD_MS, ROUTER_WORLD_MS - ROUTER_SOON_MS}, REGIONS},
        {{0, 1}, {{0, 101, NO}, {101, 0, NO}}, {ROUTER_WORLD_MS, ROUTER_WORLD_MS - 1}, REGIONS},
        {{0, 1}, {{0, 101, NO}, {101, 0, NO}}, {ROUTER_WORLD_MS + 1, ROUTER_WORLD_MS}, 0},
        {{0, 1}, {{0, 101, NO}, {102, 0, NO}}, {ROUTER_WORLD_MS, ROUTER_WORLD_MS - 1}, 1},
        {{0, 1}, {{0, 401, NO}, {401, 0, NO}}, {ROUTER_TICKET_MS - 1, ROUTER_TICKET_MS - 1}, REGIONS},
        /* what is not known is not accepted */
        {{0, 1}, {{0, NO, NO}, {NO, 0, NO}}, {ROUTER_WORLD_MS, ROUTER_WORLD_MS}, REGIONS},
    };
    struct world *w = *state;
    for (size_t i = 0; i < MER_COUNT(row); i++) {
        struct router_reach t[2];
        for (unsigned k = 0; k < 2; k++)
            t[k] = (struct router_reach){row[i].home[k], row[i].waited_ms[k], row[i].latency[k]};
        unsigned host = router_cross_host(&w->region[0].r, t, 2);
        if (host != row[i].host)
            fail_msg("row %zu: host %u", i, host);
    }
}

static void a_region_that_is_down_does_not_host(void **state)
{
    struct world *w = *state;
    static const uint16_t latency[2][REGIONS] = {{0, 220, 100}, {220, 0, 80}};
    struct router_reach t[2] = {{0, ROUTER_WORLD_MS, latency[0]}, {1, ROUTER_WORLD_MS, latency[1]}};
    w->region[0].r.region[2].up = false;
    assert_int_equal(router_cross_host(&w->region[0].r, t, 2), 0);
}

static void a_drained_region_hosts_only_its_own(void **state)
{
    struct world *w = *state;
    static const uint16_t latency[2][REGIONS] = {{0, 220, 100}, {220, 0, 80}};
    struct router_reach t[2] = {{0, ROUTER_WORLD_MS, latency[0]}, {1, ROUTER_WORLD_MS, latency[1]}};
    struct router_regions *r = &w->region[0].r;
    r->region[2].drained = true; /* the one between them */
    assert_int_equal(router_cross_host(r, t, 2), 0);
    r->region[0].drained = true;
    assert_int_equal(router_cross_host(r, t, 2), 1);
    r->region[1].drained = true;
    assert_int_equal(router_cross_host(r, t, 2), REGIONS);
    t[1].home = 0;
    assert_int_equal(router_cross_host(r, t, 2), 0);
}

static void a_match_names_its_region(void **state)
{
    const struct router_regions *r = &((struct world *)*state)->region[1].r; /* eu, asia, us */
    assert_int_equal(router_cross_of_match(r, "g-abc"), 0);
    assert_int_equal(router_cross_of_match(r, "eu.g-abc"), 0);
    assert_int_equal(router_cross_of_match(r, "asia.g-abc"), 1);
    assert_int_equal(router_cross_of_match(r, "asi.g-abc"), REGIONS);
    assert_int_equal(router_cross_of_match(r, ".g-abc"), REGIONS);
    assert_int_equal(router_cross_of_match(r, ""), 0);
    char out[9];
    assert_int_equal(router_cross_names(r, 1u << 1 | 1u << 2, out, sizeof out), 8);
    assert_string_equal(out, "asia, us");
    assert_int_equal(router_cross_names(r, 1u << 1 | 1u << 2, out, 8), 4);
    assert_string_equal(out, "asia");
}

/* ---- tickets ------------------------------------------------------------------------------------------------------------------------- */

static void neighbours_meet_after_their_patience(void **state)
{
    struct world *w = *state;
    struct player *a = come(w, 1), *b = come(w, 2); /* eu, us: 80 ms */
    assert_string_equal(w->reason, "nobody else is looking for this game right now; other regions after 6 s");
    run_for(w, ROUTER_PATIENCE_MS - 1);
    assert_int_equal(a->state, WAITS);
    run_for(w, 400);
    assert_true(a->in_game && b->in_game);
    assert_string_equal(a->match, b->match);
    assert_memory_equal(a->match, "eu.g-", 5);
    assert_int_equal(w->region[1].m.counts[ROUTER_M_MATCHED], 2);
    assert_int_equal(w->region[2].m.counts[ROUTER_M_GONE_AWAY], 1);
    for (unsigned i = 0; i < REGIONS; i++)
        assert_int_equal(w->region[i].m.tickets.count, 0);
}

static void a_leader_asks_for_what_others_are_to_hear(void **state)
{
    struct world *w = *state;
    w->brief = true;
    struct player *a = come(w, 1), *b = come(w, 2), *c = come(w, 0);
    run_for(w, ROUTER_PATIENCE_MS - 1);
    assert_int_equal(w->asks, 0);
    run_for(w, 400);
    assert_true(a->in_game && b->in_game && c->state == WAITS);
    assert_string_equal(a->match, b->match);
    assert_int_equal(w->asks, 3); /* once each */
    run_for(w, ROUTER_STEP_MS);
    assert_int_equal(w->asks, 3);
}

static void drain(struct world *w, const char *name)
{
    for (unsigned i = 0; i < REGIONS; i++)
        for (unsigned k = 0; k < REGIONS; k++)
            if (strcmp(w->region[i].r.region[k].name, name) == 0)
                w->region[i].r.region[k].drained = true;
}

static void players_of_a_drained_region_meet_others_elsewhere(void **state)
{
    struct world *w = *state;
    drain(w, "eu");
    struct player *a = come(w, 1), *b = come(w, 2); /* eu, us: as above, where eu hosts */
    run_for(w, ROUTER_PATIENCE_MS + 400);
    assert_true(a->in_game && b->in_game);
    assert_memory_equal(a->match, "us.g-", 5);
    struct player *c = come(w, 1), *d = come(w, 1); /* two of its own stay at home */
    run_for(w, 400);
    assert_true(c->in_game && d->in_game);
    assert_string_equal(c->match, d->match);
    assert_memory_not_equal(c->match, "us.g-", 5);
}

/* us, eu: equal, and "eu" is before "us". Who comes 0.9 s later is waited for, who comes 1.2 s later plays where the patient one asks. */
static void whose_patience_ends_first_by_a_moment_does_not_choose_the_host(void **state)
{
    struct world *w = *state;
    for (unsigned k = 0; k < 2; k++) {
        struct player *a = come(w, 1);
        run_for(w, k == 0 ? 900 : 1200);
        struct player *b = come(w, 2);
        run_for(w, ROUTER_PATIENCE_MS + 400);
        assert_true(a->in_game && b->in_game);
        assert_string_equal(a->match, b->match);
        assert_memory_equal(a->match, k == 0 ? "eu.g-" : "us.g-", 5);
    }
}

static void the_world_comes_later(void **state)
{
    struct world *w = *state;
    struct player *a = come(w, 0), *b = come(w, 1); /* asia, eu: 220 ms; the us lie between */
    run_for(w, ROUTER_WORLD_MS - 1);
    assert_true(a->state == WAITS && b->state == WAITS);
    run_for(w, 700);
    assert_true(a->in_game && b->in_game);
    assert_memory_equal(a->match, "us.g-", 5);
}

static void who_comes_fresh_is_found_by_the_patient_at_once(void **state)
{
    struct world *w = *state;
    struct player *a = come(w, 1);
    run_for(w, ROUTER_PATIENCE_MS + 500);
    struct player *b = come(w, 2);
    run_for(w, 200);
    assert_true(a->in_game && b->in_game);
    assert_memory_equal(a->match, "us.g-", 5);
}

/* At the leader of eu: a ticket of its own (home 0) or of another region, which accepts to play in eu. */
static void open_in_eu(struct world *w, const char *id, unsigned home, unsigned rating, uint32_t waited_ms, enum router_bots bots)
{
    struct region *r = &w->region[1];
    uint16_t latency[REGIONS] = {home == 0 ? 0 : 80, NO, NO};
    struct router_ticket_spec s = {.id = id,
                                   .user = id,
                                   .name = "",
                                   .game = "memory",
                                   .players = 2,
                                   .rows = 4,
                                   .cols = 4,
                                   .rating = rating,
                                   .bots = bots,
                                   .waited_ms = waited_ms,
                                   .edge = home == 0 ? &r->edge : &r->far[home],
                                   .far = home == 0 ? NULL : "e.1",
                                   .latency = latency};
    w->players = 10;
    r->edge.reported_ms = w->now;
    assert_int_equal(router_match_open(&r->m, &s, w->now), MER_OK);
}

static void the_own_region_is_preferred(void **state)
{
    struct world *w = *state;
    struct router_matcher *m = &w->region[1].m;
    open_in_eu(w, "t1", 2, 1500, ROUTER_PATIENCE_MS, ROUTER_BOTS_NONE);
    open_in_eu(w, "t2", 0, 2000, 0, ROUTER_BOTS_NONE);                  /* not within t1's 400 points */
    open_in_eu(w, "t3", 0, 1720, 4 * ROUTER_STEP_MS, ROUTER_BOTS_NONE); /* within reach of both, nearer to t1 */
    assert_int_equal(m->counts[ROUTER_M_OFFERS], 2);
    assert_int_equal(m->counts[ROUTER_M_FAR_SEATS], 0);
    open_in_eu(w, "t4", 0, 1500, 0, ROUTER_BOTS_NONE);
    assert_int_equal(m->counts[ROUTER_M_FAR_SEATS], 1);
}

static void a_player_is_told_where_he_is_looked_for(void **state)
{
    struct world *w = *state;
    struct player *a = come(w, 1);
    run_for(w, ROUTER_PATIENCE_MS);
    char reason[ROUTER_REASON_BYTES];
    uint32_t next;
    assert_int_equal(router_match_explain(&w->region[1].m, a->id, reason, &next), MER_OK);
    assert_string_equal(reason, "nobody else is looking for this game right now; also looking in us");
    run_for(w, ROUTER_WORLD_MS - ROUTER_PATIENCE_MS);
    assert_int_equal(router_match_explain(&w->region[1].m, a->id, reason, &next), MER_OK);
    assert_string_equal(reason, "nobody else is looking for this game right now; also looking in asia, us");
}

/* Each leader has two of its own and wants a third of the other's, at the same moment: both are refused, and would be for ever. */
static void leaders_that_refuse_each_other_do_not_do_so_in_step(void **state)
{
    struct world *w = *state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        unsigned seats = 3 + seed % 2, playing = 0;
        uint64_t released = 0;
        stop(w);
        start(w, seed);
        for (unsigned i = 0; i < 2 * (seats - 1); i++)
            (void)come_as(w, i % 2 * 2, &(struct player){.seats = seats}); /* asia, us: 150 ms */
        run_for(w, 25 * 1000);
        for (unsigned i = 0; i < w->players; i++)
            playing += w->player[i].in_game;
        for (unsigned i = 0; i < REGIONS; i++)
            released += w->region[i].m.counts[ROUTER_M_RELEASES];
        if (playing != seats || released > 60)
            fail_msg("seed %llu: %u of %u play, %llu releases", (unsigned long long)seed, playing, seats, (unsigned long long)released);
    }
}

/* ... and nobody else waits for it: the third of their own plays with them at once. */
static void who_was_refused_abroad_meets_his_own_at_once(void **state)
{
    struct world *w = *state;
    struct router_matcher *m = &w->region[0].m;
    unsigned playing = 0;
    for (unsigned i = 0; i < 4; i++)
        (void)come_as(w, i % 2 * 2, &(struct player){.seats = 3});
    while (m->counts[ROUTER_M_DECLINED] == 0) {
        assert_true(w->now < 1000000 + 30 * 1000);
        run_for(w, 1);
    }
    uint64_t offers = m->counts[ROUTER_M_OFFERS], far = m->counts[ROUTER_M_FAR_SEATS];
    run_for(w, 1); /* open again, and nothing is offered abroad */
    assert_int_equal(m->counts[ROUTER_M_OFFERS], offers);
    (void)come_as(w, 0, &(struct player){.seats = 3});
    run_for(w, 0);
    for (unsigned i = 0; i < w->players; i++)
        playing += w->player[i].in_game && w->player[i].region == 0;
    assert_int_equal(playing, 3);
    assert_int_equal(m->counts[ROUTER_M_FAR_SEATS], far);
}

/* Of a pair only one leader offers: who is refused tries the next one at once. */
static void pairs_need_no_quiet(void **state)
{
    struct world *w = *state;
    struct router_matcher *m = &w->region[1].m;
    uint32_t pos = 0;
    open_in_eu(w, "t1", 0, 1500, ROUTER_PATIENCE_MS, ROUTER_BOTS_NONE);
    open_in_eu(w, "t2", 2, 1500, ROUTER_PATIENCE_MS, ROUTER_BOTS_NONE);
    const struct router_match *x = mer_map_next(&m->matches, &pos);
    assert_non_null(x);
    struct router_answer no = {.ticket = "t2", .match = x->id};
    router_match_answer(m, &no, &w->region[1].far[2], w->now);
    open_in_eu(w, "t1", 0, 1500, ROUTER_PATIENCE_MS, ROUTER_BOTS_NONE);
    open_in_eu(w, "t3", 2, 1500, ROUTER_PATIENCE_MS, ROUTER_BOTS_NONE);
    assert_int_equal(m->counts[ROUTER_M_OFFERS], 4);
    router_match_check(m);
}

static void who_leaves_is_taken_back_everywhere(void **state)
{
    struct world *w = *state;
    struct player *a = come(w, 1);
    run_for(w, ROUTER_PATIENCE_MS + 200);
    assert_int_equal(w->region[2].m.tickets.count, 1);
    router_match_cancel(&w->region[1].m, a->id, &w->region[1].edge, w->now);
    a->state = ENDED;
    run_for(w, 200);
    assert_int_equal(w->region[2].m.tickets.count, 0);
}

/* ---- lending ------------------------------------------------------------------------------------------------------------------------- */

static void a_ticket_is_lent_to_one_match_at_a_time(void **state)
{
    struct world *w = *state;
    struct router_matcher *m = &w->region[1].m;
    struct player *a = come(w, 1);
    assert_ptr_equal(router_match_lend(m, a->id, "us.g-1", 2, w->now), &w->region[1].edge);
    assert_ptr_equal(router_match_lend(m, a->id, "us.g-1", 2, w->now), &w->region[1].edge); /* repeated */
    assert_null(router_match_lend(m, a->id, "us.g-2", 2, w->now));
    assert_null(router_match_lend(m, a->id, "asia.g-3", 1, w->now));
    assert_null(router_match_lend(m, "t99", "asia.g-3", 1, w->now));
    assert_null(router_match_lend(m, a->id, "x.g-3", 200, w->now));
    struct player *b = come(w, 1); /* nor does he meet anybody here */
    assert_int_equal(b->state, WAITS);
    char reason[ROUTER_REASON_BYTES];
    uint32_t next;
    assert_int_equal(router_match_explain(m, a->id, reason, &next), MER_OK);
    assert_string_equal(reason, "players found in another region (us): the seats are being confirmed");
    router_match_returned(m, a->id, "us.g-2", w->now); /* another match's word */
    assert_int_equal(m->counts[ROUTER_M_AWAY], 1);
    router_match_returned(m, a->id, "us.g-1", w->now);
    assert_int_equal(m->counts[ROUTER_M_AWAY], 0);
    assert_int_equal(m->counts[ROUTER_M_HELD], 1);
}

/* What happens to one that is away, from each side. */
static void every_way_back_from_being_lent(void **state)
{
    enum way { ACCEPTED, REFUSED, CANCELLED, EDGE_LOST, REGION_LOST, OTHER_REGION_LOST, SILENT, OPENED_AGAIN, WRONG_ANSWER, WAYS };
    static const struct {
        unsigned away, held, gone;
    } after[WAYS] = {
        [ACCEPTED] = {0, 0, ROUTER_M_GONE_AWAY},
        [REFUSED] = {0, 0, ROUTER_M_DECLINED},
        [CANCELLED] = {0, 0, ROUTER_M_CANCELLED},
        [EDGE_LOST] = {0, 0, ROUTER_M_LOST},
        [REGION_LOST] = {0, 1, 0},
        [OTHER_REGION_LOST] = {1, 0, 0},
        [SILENT] = {0, 1, 0},
        [OPENED_AGAIN] = {1, 0, 0},
        [WRONG_ANSWER] = {1, 0, 0},
    };
    for (unsigned way = 0; way < WAYS; way++) {
        struct world *w = *state;
        struct region *r = &w->region[1];
        struct player *a = come(w, 1);
        assert_non_null(router_match_lend(&r->m, a->id, "us.g-1", 2, w->now));
        if (way == ACCEPTED || way == REFUSED)
            answer_leader(r, a->id, "us.g-1", way == ACCEPTED, &r->edge);
        else if (way == CANCELLED)
            router_match_cancel(&r->m, a->id, &r->edge, w->now);
        else if (way == EDGE_LOST)
            router_match_edge_lost(&r->m, &r->edge, w->now);
        else if (way == REGION_LOST || way == OTHER_REGION_LOST)
            router_match_region_lost(&r->m, &r->far[way == REGION_LOST ? 2 : 1], w->now);
        else if (way == SILENT)
            router_match_advance(&r->m, w->now + ROUTER_AWAY_MS, 64);
        else if (way == OPENED_AGAIN)
            open_at_leader(w, a);
        else
            answer_leader(r, a->id, "us.g-2", true, &r->edge);
        router_match_check(&r->m);
        assert_int_equal(r->m.counts[ROUTER_M_AWAY], after[way].away);
        assert_int_equal(r->m.counts[ROUTER_M_HELD], after[way].held);
        assert_true(after[way].gone == 0 || r->m.counts[after[way].gone] == 1);
        teardown(state);
        setup(state);
    }
}

static void bots_are_the_own_region_s_to_give(void **state)
{
    struct world *w = *state;
    struct router_matcher *m = &w->region[1].m;
    open_in_eu(w, "t1", 2, 1500, ROUTER_FILL_MS, ROUTER_BOTS_FILL);
    run_for(w, ROUTER_TICKET_MS);
    assert_int_equal(m->counts[ROUTER_M_OFFERS], 0);
    assert_int_equal(m->counts[ROUTER_M_EXPIRED], 1); /* without a word: its own leader tells */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_host_is_the_region_whose_worst_player_is_nearest),
        T(a_region_that_is_down_does_not_host),
        T(a_drained_region_hosts_only_its_own),
        T(a_match_names_its_region),
        T(neighbours_meet_after_their_patience),
        T(a_leader_asks_for_what_others_are_to_hear),
        T(players_of_a_drained_region_meet_others_elsewhere),
        T(whose_patience_ends_first_by_a_moment_does_not_choose_the_host),
        T(the_world_comes_later),
        T(who_comes_fresh_is_found_by_the_patient_at_once),
        T(the_own_region_is_preferred),
        T(a_player_is_told_where_he_is_looked_for),
        T(leaders_that_refuse_each_other_do_not_do_so_in_step),
        T(who_was_refused_abroad_meets_his_own_at_once),
        T(pairs_need_no_quiet),
        T(who_leaves_is_taken_back_everywhere),
        T(a_ticket_is_lent_to_one_match_at_a_time),
        T(every_way_back_from_being_lent),
        T(bots_are_the_own_region_s_to_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
