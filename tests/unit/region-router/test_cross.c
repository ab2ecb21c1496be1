/* SPDX-License-Identifier: Apache-2.0
 * Matches across regions: who hosts, whom a ticket is told to and when, what lending a ticket does to it; and a property test of three
 * regions whose leaders talk over lines that are slow and break: no ticket is in two games, and every ticket ends. The seed is printed when
 * it fails. */
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

enum { REGIONS = 3, TICKETS = 120, QUEUE = 4096, GAMES = 2048, VOID_MS = 12000 };

static const char *const names[REGIONS] = {"asia", "eu", "us"};
static const uint16_t rtt[REGIONS][REGIONS] = {{0, 220, 150}, {220, 0, 80}, {150, 80, 0}};

/* Of a ticket's player: what his edge knows. */
enum seat_state { WAITS, SEATED, ENDED };
struct player {
    char id[16], match[ROUTER_MATCH_ID_BYTES];
    unsigned region;
    enum seat_state state;
    uint64_t opened_ms, seated_ms;
    bool in_game;
};
enum kind { TICKET, DROP, OFFER, ANSWER, RELEASE };
struct letter {
    uint64_t due_ms;
    unsigned from, to;
    enum kind kind;
    bool accepted;
    char ticket[16], match[ROUTER_MATCH_ID_BYTES];
    uint64_t opened_ms;
    uint16_t latency[REGIONS]; /* by the world's index */
};
struct game {
    char id[ROUTER_MATCH_ID_BYTES];
    bool created;
};
struct world;
struct region {
    struct world *w;
    unsigned me;
    struct router_matcher m;
    struct router_regions r;
    struct router_edge edge, far[REGIONS]; /* far: by this region's index */
    struct mer_list edges;
    struct mer_rng_seeded seed;
    struct router_match_env env;
};
struct world {
    uint64_t now;
    struct region region[REGIONS];
    bool cut[REGIONS][REGIONS];
    struct player player[TICKETS];
    unsigned players;
    struct letter queue[QUEUE];
    unsigned letters;
    struct game game[GAMES]; /* created, or voided */
    unsigned games;
    bool threes;
    unsigned three_games; /* across regions */
    char reason[ROUTER_REASON_BYTES];
};

/* A region's index of another one, and back: ours is 0, the others keep their order. */
static unsigned index_at(unsigned me, unsigned world)
{
    return world == me ? 0 : world < me ? world + 1 : world;
}
static unsigned world_at(unsigned me, unsigned index)
{
    return index == 0 ? me : index <= me ? index - 1 : index;
}

static struct player *player_of(struct world *w, const char *id)
{
    return &w->player[atoi(id + 1)];
}

/* ---- the lines ----------------------------------------------------------------------------------------------------------------------- */

static bool post(struct region *from, unsigned index, struct letter *l)
{
    struct world *w = from->w;
    l->from = from->me;
    l->to = world_at(from->me, index);
    l->due_ms = w->now + rtt[l->from][l->to] / 2;
    if (w->cut[l->from][l->to])
        return false;
    assert_true(w->letters < QUEUE);
    w->queue[w->letters++] = *l;
    return true;
}

static struct letter letter(enum kind kind, const char *ticket, const char *match)
{
    struct letter l = {.kind = kind};
    snprintf(l.ticket, sizeof l.ticket, "%s", ticket);
    snprintf(l.match, sizeof l.match, "%s", match != NULL ? match : "");
    return l;
}

/* ---- an edge ------------------------------------------------------------------------------------------------------------------------- */

static struct game *game_of(struct world *w, const char *id)
{
    for (unsigned i = 0; i < w->games; i++)
        if (strcmp(w->game[i].id, id) == 0)
            return &w->game[i];
    return NULL;
}
static struct game *game_new(struct world *w, const char *id, bool created)
{
    assert_true(w->games < GAMES);
    struct game *g = &w->game[w->games++];
    snprintf(g->id, sizeof g->id, "%s", id);
    g->created = created;
    return g;
}

/* Every third ticket of the property test wants two others. */
static unsigned players_of(const struct world *w, const char *id)
{
    return w->threes && atoi(id + 1) % 3 == 0 ? 3 : 2;
}

static void open_at_leader(struct world *w, struct player *p)
{
    struct region *r = &w->region[p->region];
    struct router_ticket_spec s = {.id = p->id,
                                   .user = p->id,
                                   .name = "Ann",
                                   .game = "memory",
                                   .players = players_of(w, p->id),
                                   .rows = 4,
                                   .cols = 4,
                                   .rating = 1500,
                                   .waited_ms = (uint32_t)(w->now - p->opened_ms),
                                   .edge = &r->edge};
    r->edge.reported_ms = w->now;
    assert_int_equal(router_match_open(&r->m, &s, w->now), MER_OK);
}

static bool edge_offered(struct world *w, struct player *p, const char *match)
{
    if (p->state == SEATED && strcmp(p->match, match) == 0)
        return true;
    if (p->state != WAITS)
        return false;
    p->state = SEATED;
    p->seated_ms = w->now;
    snprintf(p->match, sizeof p->match, "%s", match);
    return true;
}

/* The store of the match's region says whether the game was made, and if not, that it never will be. */
static void edge_void(struct world *w, struct player *p)
{
    struct game *g = game_of(w, p->match);
    if (g == NULL)
        g = game_new(w, p->match, false);
    if (g->created) {
        assert_true(p->in_game);
        p->state = ENDED;
    } else {
        p->state = WAITS;
        open_at_leader(w, p);
    }
}

/* ---- the leader's shell -------------------------------------------------------------------------------------------------------------- */

/* The edge's answer to its own leader, which takes it on when the match is another region's. */
static void answer_own(struct region *r, const char *ticket, const char *match, bool accepted)
{
    unsigned whose = router_cross_of_match(&r->r, match);
    struct letter l = letter(ANSWER, ticket, match);
    l.accepted = accepted;
    if (whose != 0)
        (void)post(r, whose, &l);
    router_match_answer(&r->m, ticket, match, accepted, &r->edge, r->w->now);
}

static void on_offer(void *ctx, const struct router_ticket *t, const struct router_match *x, uint32_t deadline_ms)
{
    struct region *r = ctx;
    struct letter l = letter(OFFER, t->id, x->id);
    (void)deadline_ms;
    if (t->edge->region != 0) {
        (void)post(r, t->edge->region, &l);
    } else { /* to our edge, which answers a moment later: the engine may not be called back */
        l.from = l.to = r->me;
        l.due_ms = r->w->now;
        r->w->queue[r->w->letters++] = l;
    }
}
static void on_release(void *ctx, const struct router_ticket *t, const struct router_match *x)
{
    struct region *r = ctx;
    struct letter l = letter(RELEASE, t->id, x->id);
    if (t->edge->region != 0) {
        (void)post(r, t->edge->region, &l);
    } else {
        l.from = l.to = r->me;
        l.due_ms = r->w->now;
        r->w->queue[r->w->letters++] = l;
    }
}
static void on_waiting(void *ctx, const struct router_ticket *t, const char *reason, uint32_t next_ms)
{
    struct region *r = ctx;
    (void)t, (void)next_ms;
    snprintf(r->w->reason, sizeof r->w->reason, "%s", reason);
}
static void on_expired(void *ctx, const struct router_ticket *t, const char *reason)
{
    struct player *p = player_of(((struct region *)ctx)->w, t->id);
    (void)reason;
    assert_int_equal(t->edge->region, 0);
    if (p->state == WAITS)
        p->state = ENDED;
}
static void on_create(void *ctx, const struct router_match *x)
{
    struct region *r = ctx;
    struct world *w = r->w;
    if (game_of(w, x->id) != NULL)
        return; /* voided before: refused */
    game_new(w, x->id, true);
    w->three_games += x->key.players == 3 && strchr(x->id, '.') != NULL;
    for (unsigned i = 0; i < x->key.players; i++) {
        if (x->seat[i].ticket == NULL)
            continue;
        struct player *p = player_of(w, x->seat[i].ticket->id);
        if (p->in_game)
            fail_msg("%s is in two games", p->id);
        p->in_game = true;
        assert_string_equal(p->match, x->id);
    }
}
static bool on_tell(void *ctx, const struct router_ticket *t, unsigned region)
{
    struct region *r = ctx;
    struct letter l = letter(TICKET, t->id, NULL);
    l.opened_ms = t->opened_ms;
    for (unsigned i = 0; i < REGIONS; i++)
        l.latency[world_at(r->me, i)] = t->latency[i];
    return post(r, region, &l);
}
static void on_untell(void *ctx, const struct router_ticket *t, unsigned region)
{
    struct letter l = letter(DROP, t->id, NULL);
    (void)post(ctx, region, &l);
}

static void take_ticket(struct region *r, const struct letter *l)
{
    uint16_t latency[REGIONS];
    for (unsigned i = 0; i < REGIONS; i++)
        latency[i] = l->latency[world_at(r->me, i)];
    struct router_ticket_spec s = {.id = l->ticket,
                                   .user = l->ticket,
                                   .name = "Ann",
                                   .game = "memory",
                                   .players = players_of(r->w, l->ticket),
                                   .rows = 4,
                                   .cols = 4,
                                   .rating = 1500,
                                   .waited_ms = (uint32_t)(r->w->now - l->opened_ms),
                                   .edge = &r->far[index_at(r->me, l->from)],
                                   .far = "e.far",
                                   .latency = latency};
    r->edge.reported_ms = r->w->now;
    assert_int_equal(router_match_open(&r->m, &s, r->w->now), MER_OK);
}

static void take_offer(struct region *r, const struct letter *l)
{
    struct world *w = r->w;
    struct player *p = player_of(w, l->ticket);
    if (l->from == r->me) {
        answer_own(r, l->ticket, l->match, edge_offered(w, p, l->match));
        return;
    }
    if (router_match_lend(&r->m, l->ticket, l->match, index_at(r->me, l->from), w->now) != NULL) {
        answer_own(r, l->ticket, l->match, edge_offered(w, p, l->match));
        return;
    }
    struct letter no = letter(ANSWER, l->ticket, l->match);
    (void)post(r, index_at(r->me, l->from), &no);
}

static void deliver(struct world *w, const struct letter *l)
{
    struct region *r = &w->region[l->to];
    struct router_edge *far = &r->far[index_at(r->me, l->from)];
    struct player *p = player_of(w, l->ticket);
    if (w->cut[l->from][l->to])
        return;
    switch (l->kind) {
    case TICKET:
        take_ticket(r, l);
        break;
    case DROP:
        router_match_cancel(&r->m, l->ticket, far, w->now);
        break;
    case OFFER:
        take_offer(r, l);
        break;
    case ANSWER:
        router_match_answer(&r->m, l->ticket, l->match, l->accepted, far, w->now);
        break;
    case RELEASE:
        router_match_returned(&r->m, l->ticket, l->match, w->now);
        if (p->state == SEATED && strcmp(p->match, l->match) == 0)
            edge_void(w, p);
        break;
    }
    router_match_check(&r->m);
}

/* ---- time ---------------------------------------------------------------------------------------------------------------------------- */

static uint64_t next_ms(const struct world *w)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < w->letters; i++)
        next = w->queue[i].due_ms < next ? w->queue[i].due_ms : next;
    for (unsigned i = 0; i < REGIONS; i++) {
        uint64_t due = router_match_next_ms(&w->region[i].m);
        next = due < next ? due : next;
    }
    return next;
}

static void deliver_due(struct world *w)
{
    for (unsigned i = 0; i < w->letters;) {
        if (w->queue[i].due_ms > w->now) {
            i++;
            continue;
        }
        struct letter l = w->queue[i];
        memmove(&w->queue[i], &w->queue[i + 1], (w->letters - i - 1) * sizeof l); /* lines keep order */
        w->letters--;
        deliver(w, &l);
    }
}

static void look_at_edges(struct world *w)
{
    for (unsigned i = 0; i < w->players; i++) {
        struct player *p = &w->player[i];
        if (p->state == SEATED && p->in_game)
            p->state = ENDED; /* the seat was opened */
        else if (p->state == SEATED && w->now - p->seated_ms >= VOID_MS)
            edge_void(w, p);
    }
}

static void run_for(struct world *w, uint64_t ms)
{
    for (uint64_t until = w->now + ms;;) {
        uint64_t next = next_ms(w);
        w->now = next > until ? until : next > w->now ? next : w->now;
        for (unsigned i = 0; i < REGIONS; i++) {
            w->region[i].edge.reported_ms = w->now;
            router_match_advance(&w->region[i].m, w->now, 64);
            router_match_check(&w->region[i].m);
        }
        deliver_due(w);
        look_at_edges(w);
        if (w->now == until && next_ms(w) > until)
            return;
    }
}

static void start(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->now = 1000000;
    for (unsigned me = 0; me < REGIONS; me++) {
        struct region *r = &w->region[me];
        r->w = w;
        r->me = me;
        r->r.count = REGIONS;
        mer_list_init(&r->edges);
        mer_list_init(&r->edge.tickets);
        mer_list_push_back(&r->edges, &r->edge.node);
        snprintf(r->edge.incarnation, sizeof r->edge.incarnation, "%s-1", names[me]);
        r->edge.reported = true;
        r->edge.max_connections = 100;
        for (unsigned i = 0; i < REGIONS; i++) {
            snprintf(r->r.region[i].name, ROUTER_REGION_NAME_BYTES, "%s", names[world_at(me, i)]);
            r->r.region[i].up = true;
            r->r.region[i].rtt_ms = rtt[me][world_at(me, i)];
            r->far[i].region = (uint8_t)i;
            mer_list_init(&r->far[i].tickets);
        }
        r->env = (struct router_match_env){.offer = on_offer,
                                           .release = on_release,
                                           .waiting = on_waiting,
                                           .expired = on_expired,
                                           .create = on_create,
                                           .tell = on_tell,
                                           .untell = on_untell,
                                           .edges = &r->edges,
                                           .regions = &r->r,
                                           .rng = mer_rng_seed(&r->seed, seed * 10 + me),
                                           .ctx = r};
        router_match_init(&r->m, &r->env, w->now);
    }
}
static void stop(struct world *w)
{
    for (unsigned i = 0; i < REGIONS; i++) {
        router_match_check(&w->region[i].m);
        router_match_deinit(&w->region[i].m);
    }
}
static int setup(void **state)
{
    *state = malloc(sizeof(struct world));
    start(*state, 1);
    return 0;
}
static int teardown(void **state)
{
    stop(*state);
    free(*state);
    return 0;
}

static struct player *come(struct world *w, unsigned region)
{
    struct player *p = &w->player[w->players];
    snprintf(p->id, sizeof p->id, "t%u", w->players++);
    p->region = region;
    p->opened_ms = w->now;
    open_at_leader(w, p);
    return p;
}

static void cut(struct world *w, unsigned a, unsigned b, bool on)
{
    w->cut[a][b] = w->cut[b][a] = on;
    for (unsigned k = 0; k < 2; k++) {
        struct region *r = &w->region[k == 0 ? a : b];
        unsigned i = index_at(r->me, k == 0 ? b : a);
        r->r.region[i].up = !on;
        if (on)
            router_match_region_lost(&r->m, &r->far[i], w->now);
        router_match_check(&r->m);
    }
}

/* Another router leads that region: the others lose sight of it for a moment, what was on its way is lost, and its edges hand in what waits
 * and void what was accepted. */
static void new_leader(struct world *w, unsigned me)
{
    struct region *r = &w->region[me];
    unsigned kept = 0;
    for (unsigned i = 0; i < w->letters; i++)
        if (w->queue[i].from != me && w->queue[i].to != me)
            w->queue[kept++] = w->queue[i];
    w->letters = kept;
    for (unsigned i = 0; i < REGIONS; i++)
        if (i != me)
            router_match_region_lost(&w->region[i].m, &w->region[i].far[index_at(i, me)], w->now);
    router_match_deinit(&r->m);
    router_match_init(&r->m, &r->env, w->now);
    look_at_edges(w);
    for (unsigned i = 0; i < w->players; i++) {
        struct player *p = &w->player[i];
        if (p->region == me && p->state == WAITS)
            open_at_leader(w, p);
        else if (p->region == me && p->state == SEATED)
            edge_void(w, p);
    }
}

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
        {{0, 1}, {{0, 101, NO}, {101, 0, NO}}, {ROUTER_WORLD_MS, ROUTER_WORLD_MS - 1}, 1},
        {{0, 1}, {{0, 401, NO}, {401, 0, NO}}, {ROUTER_TICKET_MS - 1, ROUTER_TICKET_MS - 1}, REGIONS},
        /* what is not known is not accepted */
        {{0, 1}, {{0, NO, NO}, {NO, 0, NO}}, {ROUTER_WORLD_MS, ROUTER_WORLD_MS}, REGIONS},
    };
    struct world *w = *state;
    for (size_t i = 0; i < MER_COUNT(row); i++) {
        struct router_ticket t[2] = {{.regions = REGIONS}, {.regions = REGIONS}}, *group[2] = {&t[0], &t[1]};
        uint16_t latency[2][REGIONS];
        memcpy(latency, row[i].latency, sizeof latency);
        for (unsigned k = 0; k < 2; k++) {
            t[k].edge = &w->region[0].far[row[i].home[k]];
            t[k].latency = latency[k];
            t[k].opened_ms = w->now - row[i].waited_ms[k];
        }
        unsigned host = router_cross_host(&w->region[0].r, group, 2, w->now);
        if (host != row[i].host)
            fail_msg("row %zu: host %u", i, host);
    }
}

static void a_region_that_is_down_does_not_host(void **state)
{
    struct world *w = *state;
    uint16_t latency[2][REGIONS] = {{0, 220, 100}, {220, 0, 80}};
    struct router_ticket t[2] = {{.regions = REGIONS}, {.regions = REGIONS}}, *group[2] = {&t[0], &t[1]};
    for (unsigned k = 0; k < 2; k++) {
        t[k].edge = &w->region[0].far[k];
        t[k].latency = latency[k];
        t[k].opened_ms = w->now - ROUTER_WORLD_MS;
    }
    w->region[0].r.region[2].up = false;
    assert_int_equal(router_cross_host(&w->region[0].r, group, 2, w->now), 0);
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
            router_match_answer(&r->m, a->id, "us.g-1", way == ACCEPTED, &r->edge, w->now);
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
            router_match_answer(&r->m, a->id, "us.g-2", true, &r->edge, w->now);
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

/* ---- property ------------------------------------------------------------------------------------------------------------------------ */

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
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_host_is_the_region_whose_worst_player_is_nearest),
        T(a_region_that_is_down_does_not_host),
        T(a_match_names_its_region),
        T(neighbours_meet_after_their_patience),
        T(the_world_comes_later),
        T(who_comes_fresh_is_found_by_the_patient_at_once),
        T(the_own_region_is_preferred),
        T(a_player_is_told_where_he_is_looked_for),
        T(who_leaves_is_taken_back_everywhere),
        T(a_ticket_is_lent_to_one_match_at_a_time),
        T(every_way_back_from_being_lent),
        T(bots_are_the_own_region_s_to_give),
        cmocka_unit_test(no_ticket_is_in_two_games_and_every_ticket_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
