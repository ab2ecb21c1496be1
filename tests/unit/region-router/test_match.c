/* SPDX-License-Identifier: Apache-2.0
 * The matchmaking engine: what a ticket gets when, and a property test over random events: every ticket ends in exactly one way, and no
 * ticket is in two matches. The seed is printed when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meridian/mem.h>

#include "region-router/match.h"

enum { EDGES = 4, LOG_MAX = 4096 };

struct offer {
    char ticket[32], match[ROUTER_MATCH_ID_BYTES];
    struct router_edge *edge;
    bool open;
};
struct fix {
    struct router_matcher m;
    struct router_edge e[EDGES];
    struct mer_list edges;
    struct mer_rng_seeded seed;
    uint64_t now;
    struct offer offer[LOG_MAX];
    unsigned offers, releases, waitings, expireds, creates;
    char reason[ROUTER_REASON_BYTES], created[ROUTER_MATCH_ID_BYTES], seats[256], last_expired[32];
    uint32_t next_ms;
    struct router_edge *owner;
    void (*on_create)(struct fix *f, const struct router_match *x, const struct router_ticket_spec *seat);
    void (*on_expired)(struct fix *f, const char *id);
    void *user;
};

static void on_offer(void *ctx, const struct router_ticket_spec *t, const struct router_match *x, uint32_t deadline_ms)
{
    struct fix *f = ctx;
    struct offer *o = &f->offer[f->offers++ % LOG_MAX];
    assert_int_equal(deadline_ms, ROUTER_OFFER_MS);
    snprintf(o->ticket, sizeof o->ticket, "%s", t->id);
    snprintf(o->match, sizeof o->match, "%s", x->id);
    o->edge = t->edge;
    o->open = true;
}
static void on_release(void *ctx, const struct router_ticket_spec *t, const struct router_match *x)
{
    struct fix *f = ctx;
    f->releases++;
    for (unsigned i = 0; i < f->offers && i < LOG_MAX; i++)
        if (strcmp(f->offer[i].ticket, t->id) == 0 && strcmp(f->offer[i].match, x->id) == 0)
            f->offer[i].open = false;
}
static void on_waiting(void *ctx, const struct router_ticket_spec *t, const char *reason, uint32_t next_ms)
{
    struct fix *f = ctx;
    (void)t;
    f->waitings++;
    assert_true(strlen(reason) > 0);
    snprintf(f->reason, sizeof f->reason, "%s", reason);
    f->next_ms = next_ms;
}
static void on_expired(void *ctx, const struct router_ticket_spec *t, const char *reason)
{
    struct fix *f = ctx;
    f->expireds++;
    snprintf(f->last_expired, sizeof f->last_expired, "%s", t->id);
    snprintf(f->reason, sizeof f->reason, "%s", reason);
    if (f->on_expired != NULL)
        f->on_expired(f, t->id);
}
static void on_create(void *ctx, const struct router_match *x, const struct router_ticket_spec *seat)
{
    struct fix *f = ctx;
    f->creates++;
    f->owner = x->owner;
    f->seats[0] = 0;
    snprintf(f->created, sizeof f->created, "%s", x->id);
    for (unsigned i = 0; i < x->key.players; i++) {
        strcat(f->seats, seat[i].id != NULL ? "h" : "b");
        if (seat[i].id == NULL)
            continue;
        assert_true(x->seat[i].accepted);
        assert_true(strlen(seat[i].user) > 0);
        assert_string_equal(seat[i].name, "Ann");
    }
    if (f->on_create != NULL)
        f->on_create(f, x, seat);
}

static void start(struct fix *f, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    f->now = 1000000;
    mer_list_init(&f->edges);
    for (unsigned i = 0; i < EDGES; i++) {
        struct router_edge *e = &f->e[i];
        snprintf(e->incarnation, sizeof e->incarnation, "e%u.1", i);
        e->host_hash = i / 2; /* two a host */
        e->reported = true;
        e->max_connections = 100;
        mer_list_push_back(&f->edges, &e->node);
    }
    struct router_match_env env = {.offer = on_offer,
                                   .release = on_release,
                                   .waiting = on_waiting,
                                   .expired = on_expired,
                                   .create = on_create,
                                   .edges = &f->edges,
                                   .rng = mer_rng_seed(&f->seed, seed),
                                   .ctx = f};
    router_match_init(&f->m, &env, f->now);
}
static int setup(void **state)
{
    struct fix *f = malloc(sizeof *f);
    start(f, 1);
    *state = f;
    return 0;
}
static int teardown(void **state)
{
    struct fix *f = *state;
    router_match_check(&f->m);
    router_match_deinit(&f->m);
    free(f);
    return 0;
}

static void run_until(struct fix *f, uint64_t until)
{
    for (;;) {
        uint64_t next = router_match_next_ms(&f->m);
        if (next > until)
            break;
        f->now = next > f->now ? next : f->now;
        for (unsigned i = 0; i < EDGES; i++)
            f->e[i].reported_ms = f->now;
        router_match_advance(&f->m, f->now, 64);
        router_match_check(&f->m);
    }
    f->now = until;
    for (unsigned i = 0; i < EDGES; i++)
        f->e[i].reported_ms = f->now;
    router_match_advance(&f->m, f->now, 64);
}
static void run_for(struct fix *f, uint64_t ms)
{
    run_until(f, f->now + ms);
}

struct ask {
    const char *id;
    unsigned rating, players, edge;
    enum router_bots bots;
    const char *user, *game;
    unsigned rows, waited_ms;
};
static enum mer_err open_ticket(struct fix *f, struct ask a)
{
    for (unsigned i = 0; i < EDGES; i++)
        f->e[i].reported_ms = f->now;
    struct router_ticket_spec s = {.id = a.id,
                                   .user = a.user ? a.user : a.id,
                                   .name = "Ann",
                                   .game = a.game ? a.game : "memory",
                                   .players = a.players ? a.players : 2,
                                   .rows = a.rows ? a.rows : 4,
                                   .cols = 4,
                                   .rating = a.rating,
                                   .waited_ms = a.waited_ms,
                                   .bots = a.bots,
                                   .edge = &f->e[a.edge]};
    enum mer_err err = router_match_open(&f->m, &s, f->now);
    router_match_check(&f->m);
    return err;
}
#define OPEN(f, ...) assert_int_equal(open_ticket((f), (struct ask){__VA_ARGS__}), MER_OK)

static struct offer *offer_to(struct fix *f, const char *ticket)
{
    for (unsigned i = f->offers; i > 0; i--)
        if (strcmp(f->offer[i - 1].ticket, ticket) == 0 && f->offer[i - 1].open)
            return &f->offer[i - 1];
    return NULL;
}
static void say(struct fix *f, const struct offer *o, bool accepted)
{
    router_match_answer(&f->m, &(struct router_answer){.ticket = o->ticket, .match = o->match, .accepted = accepted}, o->edge, f->now);
}
static void answer(struct fix *f, const char *ticket, bool accepted)
{
    struct offer *o = offer_to(f, ticket);
    assert_non_null(o);
    o->open = false;
    say(f, o, accepted);
    router_match_check(&f->m);
}
static bool same_match(struct fix *f, const char *a, const char *b)
{
    struct offer *x = offer_to(f, a), *y = offer_to(f, b);
    return x != NULL && y != NULL && strcmp(x->match, y->match) == 0;
}

/* ---- pairing ------------------------------------------------------------------------------------------------------------------------- */

static void two_equals_are_matched_at_once(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500);
    assert_int_equal(f->waitings, 1);
    assert_string_equal(f->reason, "nobody else is looking for this game right now");
    assert_int_equal(f->next_ms, ROUTER_STEP_MS);
    OPEN(f, "b", 1550);
    assert_true(same_match(f, "a", "b"));
    assert_int_equal(f->waitings, 1); /* b never waited */
    answer(f, "a", true);
    assert_int_equal(f->creates, 0);
    answer(f, "b", true);
    assert_int_equal(f->creates, 1);
    assert_string_equal(f->seats, "hh");
    router_match_created(&f->m, f->created, true, f->owner, f->now);
    assert_int_equal(f->m.counts[ROUTER_M_CREATED], 1);
    assert_int_equal(f->m.counts[ROUTER_M_MATCHED], 2);
    assert_int_equal(f->m.tickets.count + f->m.matches.count, 0);
    assert_int_equal(f->m.waited.count, 2);
}

/* After how long do two with this distance in rating meet, when both are there from the start? */
static void windows_widen_with_time(void **state)
{
    static const struct {
        unsigned distance, after_ms;
    } row[] = {{0, 0}, {100, 0}, {101, 2000}, {200, 2000}, {201, 4000}, {500, 8000}, {1000, 18000}, {1001, 20000}, {5000, 20000}};
    for (size_t i = 0; i < MER_COUNT(row); i++) {
        struct fix *f = *state;
        OPEN(f, "a", 0);
        OPEN(f, "b", row[i].distance);
        if (row[i].after_ms > 0) {
            run_for(f, row[i].after_ms - 1);
            assert_null(offer_to(f, "a"));
            run_for(f, 1);
        }
        assert_true(same_match(f, "a", "b"));
        teardown(state);
        setup(state);
    }
}

static void who_waited_long_takes_the_next_one_of_any_rating(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 100);
    run_for(f, ROUTER_ANY_MS + 7);
    OPEN(f, "b", 4000);
    assert_true(same_match(f, "a", "b"));
}

static void different_games_do_not_meet(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500);
    OPEN(f, "b", 1500, .players = 3);
    OPEN(f, "c", 1500, .rows = 6);
    OPEN(f, "d", 1500, .game = "other");
    OPEN(f, "e", 1500, .bots = ROUTER_BOTS_NOW);
    answer(f, "e", true); /* plays a bot */
    run_for(f, 50000);
    assert_int_equal(f->offers, 1);
    OPEN(f, "f", 1500, .bots = ROUTER_BOTS_FILL);
    assert_true(same_match(f, "a", "f")); /* two people are better than a bot */
}

static void nobody_meets_himself(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500, .user = "u");
    OPEN(f, "b", 1500, .user = "u");
    run_for(f, 30000);
    assert_int_equal(f->offers, 0);
    OPEN(f, "c", 1500, .players = 3, .user = "v");
    OPEN(f, "d", 1500, .players = 3, .user = "v");
    OPEN(f, "e", 1500, .players = 3);
    run_for(f, 30000);
    assert_int_equal(f->offers, 0);
}

static void the_same_process_is_preferred_then_the_same_host(void **state)
{
    struct fix *f = *state;
    OPEN(f, "other", 1000, .edge = 3);
    OPEN(f, "host", 1120, .edge = 1);
    OPEN(f, "process", 1240, .edge = 0);
    run_for(f, 2000 - 1);
    OPEN(f, "x", 1120, .edge = 0, .waited_ms = 1999); /* all three are within its window now */
    assert_int_equal(f->offers, 2);
    assert_true(same_match(f, "x", "host") || same_match(f, "x", "process"));
    teardown(state);
    setup(state);
    f = *state;
    OPEN(f, "other", 1000, .edge = 3);
    OPEN(f, "host", 1190, .edge = 1);
    OPEN(f, "x", 1095, .edge = 0);
    assert_true(same_match(f, "x", "host"));
    teardown(state);
    setup(state);
    f = *state;
    OPEN(f, "host", 1000, .edge = 1);
    OPEN(f, "process", 1190, .edge = 0);
    OPEN(f, "x", 1095, .edge = 0);
    assert_true(same_match(f, "x", "process"));
}

static void the_nearest_rating_is_taken_among_equals(void **state)
{
    struct fix *f = *state;
    OPEN(f, "far", 1000);
    OPEN(f, "near", 1110);
    OPEN(f, "x", 1100 - 12, .edge = 0);
    assert_true(same_match(f, "x", "near"));
}

static void four_play_together(void **state)
{
    struct fix *f = *state;
    const char *ids[] = {"a", "b", "c", "d"};
    for (unsigned i = 0; i < 4; i++)
        OPEN(f, ids[i], 1500 + i, .players = 4, .edge = i);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(same_match(f, "d", ids[i]) || i == 3);
        assert_int_equal(f->creates, 0);
        if (i < 3)
            answer(f, ids[i], true);
    }
    answer(f, "d", true);
    assert_string_equal(f->seats, "hhhh");
}

/* ---- bots ---------------------------------------------------------------------------------------------------------------------------- */

static void bots_now_is_matched_at_once_without_anybody(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500, .players = 4, .bots = ROUTER_BOTS_NOW);
    answer(f, "a", true);
    assert_int_equal(strlen(f->seats), 4);
    assert_int_equal(f->m.counts[ROUTER_M_BOT_SEATS], 3);
}

static void bots_fill_after_ten_seconds(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500, .bots = ROUTER_BOTS_FILL);
    assert_string_equal(f->reason, "nobody else is looking for this game right now; bots join after 10 s");
    run_for(f, ROUTER_FILL_MS - 1);
    assert_int_equal(f->offers, 0);
    run_for(f, 1);
    answer(f, "a", true);
    assert_int_equal(f->m.counts[ROUTER_M_BOT_SEATS], 1);
}

static void only_those_who_want_them_get_bots(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500, .players = 4);
    OPEN(f, "b", 1500, .players = 4, .bots = ROUTER_BOTS_FILL);
    OPEN(f, "c", 1500, .players = 4, .bots = ROUTER_BOTS_FILL);
    run_for(f, ROUTER_FILL_MS);
    assert_true(same_match(f, "b", "c"));
    assert_null(offer_to(f, "a"));
    assert_int_equal(f->m.counts[ROUTER_M_BOT_SEATS], 2);
}

/* ---- what goes wrong ----------------------------------------------------------------------------------------------------------------- */

static void when_one_refuses_the_other_keeps_his_place(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500);
    OPEN(f, "b", 1500);
    answer(f, "b", true);
    answer(f, "a", false);
    assert_int_equal(f->releases, 1);
    assert_int_equal(f->m.counts[ROUTER_M_DECLINED], 1);
    assert_int_equal(f->m.counts[ROUTER_M_HELD], 1);
    OPEN(f, "c", 1500); /* b is held: its edge is still undoing the seat */
    assert_null(offer_to(f, "c"));
    OPEN(f, "b", 1500); /* ... and says that it waits again */
    assert_true(same_match(f, "b", "c"));
    answer(f, "b", true);
    answer(f, "c", true);
    assert_int_equal(f->creates, 1);
}

static void a_held_ticket_comes_back_by_itself(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500);
    OPEN(f, "b", 1500);
    router_match_cancel(&f->m, "a", &f->e[0], f->now);
    assert_int_equal(f->m.counts[ROUTER_M_HELD], 1);
    run_for(f, ROUTER_HOLD_MS);
    assert_int_equal(f->m.counts[ROUTER_M_WAITING], 1);
}

static void an_edge_that_never_answers_loses_its_tickets_in_the_end(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500, .bots = ROUTER_BOTS_NOW);
    for (int i = 0; i < ROUTER_FAILURES_MAX; i++) {
        assert_int_equal(f->expireds, 0);
        run_for(f, ROUTER_OFFER_MS);
        assert_int_equal(f->releases, i + 1);
        run_for(f, ROUTER_HOLD_MS);
    }
    assert_int_equal(f->expireds, 1);
    assert_int_equal(f->m.tickets.count, 0);
}

static void a_late_answer_has_no_effect(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500);
    OPEN(f, "b", 1500);
    struct offer late = *offer_to(f, "a");
    answer(f, "b", true);
    run_for(f, ROUTER_OFFER_MS);
    assert_int_equal(f->releases, 2);
    say(f, &late, true);
    snprintf(late.ticket, sizeof late.ticket, "nobody");
    say(f, &late, true);
    assert_int_equal(f->creates, 0);
    assert_int_equal(f->m.counts[ROUTER_M_STRAY], 2);
}

static void only_the_ticket_s_own_edge_may_speak_for_it(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500);
    router_match_cancel(&f->m, "a", &f->e[2], f->now);
    assert_int_equal(f->m.tickets.count, 1);
    OPEN(f, "b", 1500);
    struct offer o = *offer_to(f, "a");
    o.edge = &f->e[2];
    say(f, &o, true);
    say(f, &o, false);
    answer(f, "b", true);
    assert_int_equal(f->creates, 0);
    assert_int_equal(open_ticket(f, (struct ask){"a", 1500, .edge = 2}), MER_EEXISTS);
}

/* What an edge need not say before: whose the seat is. */
static void an_acceptance_says_whose_the_seat_is(void **state)
{
    struct fix *f = *state;
    struct router_ticket_spec s = {.id = "t-aaaaaaaaaaaaaaaa", .user = "u", .game = "memory", .players = 2, .rows = 4, .cols = 4};
    static const struct {
        const char *user, *name;
    } bad[] = {{NULL, NULL}, {"u", NULL}, {NULL, "Ann"}, {"w", "Ann"}};
    s.edge = &f->e[0];
    s.bots = ROUTER_BOTS_NOW;
    for (size_t i = 0; i <= MER_COUNT(bad); i++) {
        bool last = i == MER_COUNT(bad);
        f->e[0].reported_ms = f->now;
        assert_int_equal(router_match_open(&f->m, &s, f->now), MER_OK);
        struct router_answer a = {s.id, offer_to(f, s.id)->match, true, last ? "u" : bad[i].user, last ? "Ann" : bad[i].name};
        router_match_answer(&f->m, &a, s.edge, f->now);
        router_match_check(&f->m);
        assert_int_equal(f->m.counts[ROUTER_M_DECLINED], last ? i : i + 1);
        assert_int_equal(f->creates, last);
        assert_int_equal(f->m.tickets.count, 0);
    }
}

static void an_edge_takes_its_tickets_along(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500, .edge = 1);
    OPEN(f, "b", 1500, .edge = 2);
    OPEN(f, "c", 3000, .edge = 1);
    router_match_edge_lost(&f->m, &f->e[1], f->now);
    router_match_check(&f->m);
    assert_int_equal(f->m.counts[ROUTER_M_LOST], 2);
    assert_int_equal(f->releases, 1); /* b */
    assert_int_equal(f->m.tickets.count, 1);
}

static void a_lost_owner_undoes_what_is_offered_and_leaves_what_is_ordered(void **state)
{
    struct fix *f = *state;
    f->e[0].draining = f->e[1].draining = f->e[2].draining = true; /* 3 hosts everything */
    OPEN(f, "a", 1500, .edge = 0);
    OPEN(f, "b", 1500, .edge = 1);
    answer(f, "a", true);
    answer(f, "b", true);
    OPEN(f, "c", 1500, .edge = 0);
    OPEN(f, "d", 1500, .edge = 1);
    router_match_edge_lost(&f->m, &f->e[3], f->now);
    router_match_check(&f->m);
    assert_int_equal(f->releases, 2);
    assert_int_equal(f->m.counts[ROUTER_M_HELD], 2);
    run_for(f, ROUTER_CREATE_MS);
    assert_int_equal(f->m.counts[ROUTER_M_CREATE_TIMEOUTS], 1);
}

static void without_room_tickets_wait_and_are_told(void **state)
{
    struct fix *f = *state;
    for (unsigned i = 0; i < EDGES; i++)
        f->e[i].draining = true;
    OPEN(f, "a", 1500);
    OPEN(f, "b", 1500);
    assert_int_equal(f->offers, 0);
    assert_string_equal(f->reason, "no server has room for a new game right now");
    f->e[2].draining = false;
    run_for(f, ROUTER_STEP_MS);
    assert_true(same_match(f, "a", "b"));
}

static void a_ticket_expires_after_two_minutes(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500);
    OPEN(f, "b", 1500, .players = 3, .waited_ms = 100000);
    run_for(f, 20000);
    assert_string_equal(f->last_expired, "b");
    run_for(f, ROUTER_TICKET_MS - 20000 - 1);
    assert_int_equal(f->expireds, 1);
    run_for(f, 1);
    assert_int_equal(f->expireds, 2);
    assert_int_equal(f->m.tickets.count, 0);
}

static void reasons_are_told_at_most_once_a_second(void **state)
{
    struct fix *f = *state;
    OPEN(f, "a", 1500);
    for (int i = 0; i < 50; i++)
        OPEN(f, "a", 1500);
    assert_int_equal(f->waitings, 1);
    run_for(f, 10000);
    assert_int_equal(f->waitings, 6);
    char reason[ROUTER_REASON_BYTES];
    uint32_t next_ms;
    OPEN(f, "b", 3000);
    assert_int_equal(router_match_explain(&f->m, "b", reason, &next_ms), MER_OK);
    assert_string_equal(reason, "1 others wait, not enough within 100 rating points yet");
    assert_int_equal(router_match_explain(&f->m, "x", reason, &next_ms), MER_ENOTFOUND);
}

static void what_is_out_of_range_is_refused(void **state)
{
    struct fix *f = *state;
    static char long_text[ROUTER_TEXT_MAX + 2];
    memset(long_text, 'x', ROUTER_TEXT_MAX + 1);
    const struct ask bad[] = {
        {""},
        {long_text},
        {"a", .user = ""},
        {"a", .user = long_text},
        {"a", .game = ""},
        {"a", .game = "a game with a name that is far too long"},
        {"a", .players = 1},
        {"a", .players = 5},
        {"a", .players = 0xffffffff},
        {"a", .rows = 1},
        {"a", .rows = 11},
        {"a", .rating = ROUTER_RATING_MAX + 1},
        {"a", .rating = 0xffffffff},
    };
    for (size_t i = 0; i < MER_COUNT(bad); i++)
        assert_int_equal(open_ticket(f, bad[i]), MER_EINVALID);
    assert_int_equal(f->m.counts[ROUTER_M_REFUSED], MER_COUNT(bad));
    assert_int_equal(f->m.tickets.count, 0);
    OPEN(f, "a", ROUTER_RATING_MAX, .waited_ms = 0xffffffff);
}

static void without_memory_a_ticket_is_refused_or_waits(void **state)
{
    struct fix *f = *state;
    for (unsigned i = 1; i < 8; i++) {
        mer_mem_fail_at(i);
        enum mer_err err = open_ticket(f, (struct ask){"a", 1500});
        mer_mem_fail_at(0);
        assert_true(err == MER_OK || err == MER_ENOMEM);
        router_match_check(&f->m);
        router_match_cancel(&f->m, "a", &f->e[0], f->now);
    }
    assert_int_equal(f->m.tickets.count, 0);
}

/* ---- property ------------------------------------------------------------------------------------------------------------------------ */

enum { TICKETS = 400 };
struct life {
    char id[16];
    unsigned edge;
    bool opened, ended, accepted;
    char match[ROUTER_MATCH_ID_BYTES];
};
struct world {
    struct life t[TICKETS];
};

static struct life *life_of(struct fix *f, const char *id)
{
    struct world *w = f->user;
    return &w->t[atoi(id + 1)];
}
static void ended(struct life *l)
{
    assert_true(l->opened && !l->ended);
    l->ended = true;
}
static void prop_create(struct fix *f, const struct router_match *x, const struct router_ticket_spec *seat)
{
    for (unsigned i = 0; i < x->key.players; i++) {
        if (seat[i].id == NULL)
            continue;
        struct life *l = life_of(f, seat[i].id);
        assert_true(l->accepted);
        assert_string_equal(l->match, x->id); /* the one it accepted, and no other */
        ended(l);
    }
}
static void prop_expired(struct fix *f, const char *id)
{
    ended(life_of(f, id));
}

static void answer_some(struct fix *f, const struct mer_rng *r)
{
    for (unsigned i = 0; i < f->offers; i++) {
        struct offer *o = &f->offer[i];
        if (!o->open || mer_rng_below(r, 3) == 0)
            continue;
        struct life *l = life_of(f, o->ticket);
        unsigned what = mer_rng_below(r, 20);
        o->open = false;
        if (what == 0)
            continue; /* the answer is lost */
        if (!l->ended && what == 1)
            ended(l);
        l->accepted = what != 1 && !l->ended;
        snprintf(l->match, sizeof l->match, "%s", o->match);
        say(f, o, l->accepted);
    }
}

static void random_event(struct fix *f, const struct mer_rng *r, unsigned *opened)
{
    struct world *w = f->user;
    unsigned n = mer_rng_below(r, TICKETS), what = mer_rng_below(r, 100);
    struct life *l = &w->t[n];
    if (what < 50 && *opened < TICKETS) {
        l = &w->t[*opened];
        snprintf(l->id, sizeof l->id, "t%u", (*opened)++);
        l->edge = mer_rng_below(r, EDGES);
        l->opened = true;
        OPEN(f, l->id, mer_rng_below(r, 3000), .players = 2 + mer_rng_below(r, 2), .edge = l->edge, .bots = mer_rng_below(r, 3));
    } else if (what < 60 && l->opened && !l->ended) {
        ended(l);
        router_match_cancel(&f->m, l->id, &f->e[l->edge], f->now);
    } else if (what < 70 && l->opened && !l->ended) {
        router_match_edge_lost(&f->m, &f->e[l->edge], f->now);
        for (unsigned i = 0; i < f->offers; i++)
            if (f->offer[i].edge == &f->e[l->edge])
                f->offer[i].open = false; /* offers of the old link are void at the edge */
        for (unsigned i = 0; i < TICKETS; i++)
            if (w->t[i].opened && !w->t[i].ended && w->t[i].edge == l->edge && mer_rng_below(r, 2))
                ended(&w->t[i]);
            else if (w->t[i].opened && !w->t[i].ended && w->t[i].edge == l->edge)
                OPEN(f, w->t[i].id, 1500, .edge = l->edge); /* handed in again */
    } else if (what < 90) {
        answer_some(f, r);
    } else {
        f->e[mer_rng_below(r, EDGES)].draining = mer_rng_below(r, 4) == 0;
        if (f->creates > 0)
            router_match_created(&f->m, f->created, mer_rng_below(r, 2), f->owner, f->now);
    }
    router_match_check(&f->m);
}

static void one_random_life(struct fix *f, uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    struct mer_rng_seeded s;
    struct mer_rng r = mer_rng_seed(&s, seed * 7919);
    unsigned opened = 0;
    start(f, seed);
    f->user = w;
    f->on_create = prop_create;
    f->on_expired = prop_expired;
    for (unsigned i = 0; i < 1200 && f->offers < LOG_MAX - 50; i++) {
        random_event(f, &r, &opened);
        run_for(f, mer_rng_below(&r, 4) == 0 ? mer_rng_below(&r, 1500) : 0);
    }
    for (unsigned i = 0; i < EDGES; i++)
        f->e[i].draining = false;
    run_for(f, 2 * ROUTER_TICKET_MS);
    for (unsigned i = 0; i < opened; i++)
        if (!w->t[i].ended)
            fail_msg("seed %llu: ticket %s never ended", (unsigned long long)seed, w->t[i].id);
    assert_int_equal(f->m.tickets.count + f->m.matches.count, 0);
    router_match_check(&f->m);
    router_match_deinit(&f->m);
    free(w);
}

static void every_ticket_ends_in_exactly_one_way(void **state)
{
    (void)state;
    struct fix *f = malloc(sizeof *f);
    for (uint64_t seed = 1; seed <= 60; seed++)
        one_random_life(f, seed);
    free(f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(two_equals_are_matched_at_once),
        T(windows_widen_with_time),
        T(who_waited_long_takes_the_next_one_of_any_rating),
        T(different_games_do_not_meet),
        T(nobody_meets_himself),
        T(the_same_process_is_preferred_then_the_same_host),
        T(the_nearest_rating_is_taken_among_equals),
        T(four_play_together),
        T(bots_now_is_matched_at_once_without_anybody),
        T(bots_fill_after_ten_seconds),
        T(only_those_who_want_them_get_bots),
        T(when_one_refuses_the_other_keeps_his_place),
        T(a_held_ticket_comes_back_by_itself),
        T(an_edge_that_never_answers_loses_its_tickets_in_the_end),
        T(a_late_answer_has_no_effect),
        T(only_the_ticket_s_own_edge_may_speak_for_it),
        T(an_acceptance_says_whose_the_seat_is),
        T(an_edge_takes_its_tickets_along),
        T(a_lost_owner_undoes_what_is_offered_and_leaves_what_is_ordered),
        T(without_room_tickets_wait_and_are_told),
        T(a_ticket_expires_after_two_minutes),
        T(reasons_are_told_at_most_once_a_second),
        T(what_is_out_of_range_is_refused),
        T(without_memory_a_ticket_is_refused_or_waits),
        cmocka_unit_test(every_ticket_ends_in_exactly_one_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
