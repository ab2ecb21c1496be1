/* SPDX-License-Identifier: Apache-2.0
 * cross_world.h - three regions, asia, eu and us, for tests of matches across them: the engine of each leader, with a shell, edges and
 * players as small as they can be, and lines between the leaders that are slow and break. An edge accepts one offer and asks the store
 * what became of it; a player in two games fails the test. */
#pragma once

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
    struct router_group_wish group; /* key 0: came without a code */
    unsigned seats;                 /* of his wish; 0: players_of() */
    enum router_bots bots;
    char why[ROUTER_REASON_BYTES]; /* his ticket expired */
};
enum kind { TICKET, DROP, OFFER, ANSWER, RELEASE, ASK };
struct letter {
    uint64_t due_ms;
    unsigned from, to;
    enum kind kind;
    bool accepted;
    char ticket[16], match[ROUTER_MATCH_ID_BYTES];
    uint64_t opened_ms;
    uint16_t latency[REGIONS]; /* by the world's index */
    struct router_group_wish group;
    enum router_bots bots;
    enum router_group_why why;
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
    bool brief; /* edges say everything only when they are asked, or accept */
    unsigned asks;
    unsigned three_games; /* across regions */
    char reason[ROUTER_REASON_BYTES];
};

/* A region's index of another one, and back: ours is 0, the others keep their order. */
static inline unsigned index_at(unsigned me, unsigned world)
{
    return world == me ? 0 : world < me ? world + 1 : world;
}
static inline unsigned world_at(unsigned me, unsigned index)
{
    return index == 0 ? me : index <= me ? index - 1 : index;
}

static inline struct player *player_of(struct world *w, const char *id)
{
    return &w->player[atoi(id + 1)];
}

/* ---- the lines ----------------------------------------------------------------------------------------------------------------------- */

static inline bool post(struct region *from, unsigned index, struct letter *l)
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

static inline struct letter letter(enum kind kind, const char *ticket, const char *match)
{
    struct letter l = {.kind = kind};
    snprintf(l.ticket, sizeof l.ticket, "%s", ticket);
    snprintf(l.match, sizeof l.match, "%s", match != NULL ? match : "");
    return l;
}

/* ---- an edge ------------------------------------------------------------------------------------------------------------------------- */

static inline struct game *game_of(struct world *w, const char *id)
{
    for (unsigned i = 0; i < w->games; i++)
        if (strcmp(w->game[i].id, id) == 0)
            return &w->game[i];
    return NULL;
}
static inline struct game *game_new(struct world *w, const char *id, bool created)
{
    assert_true(w->games < GAMES);
    struct game *g = &w->game[w->games++];
    assert_true(strlen(id) < sizeof g->id);
    memmove(g->id, id, strlen(id) + 1); /* of a player of this world */
    g->created = created;
    return g;
}

/* Every third ticket of the property test wants two others. */
static inline unsigned players_of(struct world *w, const char *id)
{
    if (player_of(w, id)->seats != 0)
        return player_of(w, id)->seats;
    return w->threes && atoi(id + 1) % 3 == 0 ? 3 : 2;
}

static inline void open_whole(struct world *w, struct player *p, bool brief)
{
    struct region *r = &w->region[p->region];
    struct router_ticket_spec s = {.id = p->id,
                                   .user = p->id,
                                   .name = brief ? NULL : "Ann",
                                   .game = "memory",
                                   .players = players_of(w, p->id),
                                   .rows = 4,
                                   .cols = 4,
                                   .rating = 1500,
                                   .waited_ms = (uint32_t)(w->now - p->opened_ms),
                                   .bots = p->bots,
                                   .edge = &r->edge,
                                   .group = p->group};
    r->edge.reported_ms = w->now;
    assert_int_equal(router_match_open(&r->m, &s, w->now), MER_OK);
}
static inline void open_at_leader(struct world *w, struct player *p)
{
    open_whole(w, p, w->brief);
}

static inline bool edge_offered(struct world *w, struct player *p, const char *match)
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
static inline void edge_void(struct world *w, struct player *p)
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

static inline void answer_leader(struct region *r, const char *ticket, const char *match, bool accepted, const struct router_edge *from)
{
    struct router_answer a = {.ticket = ticket, .match = match, .accepted = accepted, .user = ticket, .name = "Ann"};
    router_match_answer(&r->m, &a, from, r->w->now);
}

/* The edge's answer to its own leader, which takes it on when the match is another region's. */
static inline void answer_own(struct region *r, const char *ticket, const char *match, bool accepted)
{
    unsigned whose = router_cross_of_match(&r->r, match);
    struct letter l = letter(ANSWER, ticket, match);
    l.accepted = accepted;
    if (whose != 0)
        (void)post(r, whose, &l);
    answer_leader(r, ticket, match, accepted, &r->edge);
}

static inline void on_offer(void *ctx, const struct router_ticket_spec *t, const struct router_match *x, uint32_t deadline_ms)
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
static inline void on_release(void *ctx, const struct router_ticket_spec *t, const struct router_match *x)
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
static inline void on_waiting(void *ctx, const struct router_ticket_spec *t, const char *reason, uint32_t next_ms)
{
    struct region *r = ctx;
    (void)t, (void)next_ms;
    snprintf(r->w->reason, sizeof r->w->reason, "%s", reason);
}
static inline void on_expired(void *ctx, const struct router_ticket_spec *t, const char *reason)
{
    struct player *p = player_of(((struct region *)ctx)->w, t->id);
    snprintf(p->why, sizeof p->why, "%s", reason);
    assert_int_equal(t->edge->region, 0);
    if (p->state == WAITS)
        p->state = ENDED;
}
static inline void on_create(void *ctx, const struct router_match *x, const struct router_ticket_spec *seat)
{
    struct region *r = ctx;
    struct world *w = r->w;
    if (game_of(w, x->id) != NULL)
        return; /* voided before: refused */
    game_new(w, x->id, true);
    w->three_games += x->key.players == 3 && strchr(x->id, '.') != NULL;
    for (unsigned i = 0; i < x->key.players; i++) {
        if (seat[i].id == NULL)
            continue;
        struct player *p = player_of(w, seat[i].id);
        if (p->in_game)
            fail_msg("%s is in two games", p->id);
        p->in_game = true;
        assert_string_equal(p->match, x->id);
    }
}
static inline void on_ask(void *ctx, const struct router_ticket_spec *t)
{
    struct region *r = ctx;
    struct letter l = letter(ASK, t->id, NULL);
    l.from = l.to = r->me;
    l.due_ms = r->w->now;
    r->w->queue[r->w->letters++] = l;
    assert_null(t->name);
}
static inline bool on_tell(void *ctx, const struct router_ticket_spec *t, unsigned region)
{
    struct region *r = ctx;
    struct letter l = letter(TICKET, t->id, NULL);
    l.opened_ms = r->w->now - t->waited_ms;
    l.group = t->group;
    l.bots = t->bots;
    for (unsigned i = 0; i < REGIONS; i++)
        l.latency[world_at(r->me, i)] = t->latency[i];
    return post(r, region, &l);
}
static inline void on_untell(void *ctx, const struct router_ticket_spec *t, unsigned region)
{
    struct region *r = ctx;
    struct letter l = letter(DROP, t->id, NULL);
    l.why = r->m.ended == ROUTER_M_MATCHED || r->m.ended == ROUTER_M_GONE_AWAY   ? ROUTER_GROUP_WHY_MATCHED
            : r->m.ended == ROUTER_M_CANCELLED || r->m.ended == ROUTER_M_EXPIRED ? ROUTER_GROUP_WHY_ENDED
                                                                                 : ROUTER_GROUP_WHY_LOST;
    (void)post(r, region, &l);
}

static inline void take_ticket(struct region *r, const struct letter *l)
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
                                   .bots = l->bots,
                                   .edge = &r->far[index_at(r->me, l->from)],
                                   .far = "e.far",
                                   .group = {l->group.key, l->group.hosts, 0},
                                   .latency = latency};
    r->edge.reported_ms = r->w->now;
    assert_int_equal(router_match_open(&r->m, &s, r->w->now), MER_OK);
}

static inline void take_offer(struct region *r, const struct letter *l)
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

static inline void deliver(struct world *w, const struct letter *l)
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
        router_match_dropped(&r->m, l->ticket, l->why, far, w->now);
        break;
    case OFFER:
        take_offer(r, l);
        break;
    case ANSWER:
        answer_leader(r, l->ticket, l->match, l->accepted, far);
        break;
    case ASK:
        w->asks++;
        if (p->state == WAITS)
            open_whole(w, p, false);
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

static inline uint64_t next_ms(const struct world *w)
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

static inline void deliver_due(struct world *w)
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

static inline void look_at_edges(struct world *w)
{
    for (unsigned i = 0; i < w->players; i++) {
        struct player *p = &w->player[i];
        if (p->state == SEATED && p->in_game)
            p->state = ENDED; /* the seat was opened */
        else if (p->state == SEATED && w->now - p->seated_ms >= VOID_MS)
            edge_void(w, p);
    }
}

static inline void run_for(struct world *w, uint64_t ms)
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

static inline void start(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->now = 1000000;
    for (unsigned me = 0; me < REGIONS; me++) {
        struct region *r = &w->region[me];
        r->w = w;
        r->me = me;
        r->r.count = REGIONS;
        mer_list_init(&r->edges);
        mer_list_push_back(&r->edges, &r->edge.node);
        snprintf(r->edge.incarnation, sizeof r->edge.incarnation, "%s-1", names[me]);
        r->edge.reported = true;
        r->edge.max_connections = 100;
        for (unsigned i = 0; i < REGIONS; i++) {
            snprintf(r->r.region[i].name, ROUTER_REGION_BYTES, "%s", names[world_at(me, i)]);
            r->r.region[i].up = true;
            r->r.region[i].rtt_ms = rtt[me][world_at(me, i)];
            r->far[i].region = (uint8_t)i;
        }
        r->env = (struct router_match_env){.offer = on_offer,
                                           .release = on_release,
                                           .waiting = on_waiting,
                                           .expired = on_expired,
                                           .create = on_create,
                                           .ask = on_ask,
                                           .tell = on_tell,
                                           .untell = on_untell,
                                           .edges = &r->edges,
                                           .regions = &r->r,
                                           .rng = mer_rng_seed(&r->seed, seed * 10 + me),
                                           .ctx = r};
        router_match_init(&r->m, &r->env, w->now);
    }
}
static inline void stop(struct world *w)
{
    for (unsigned i = 0; i < REGIONS; i++) {
        router_match_check(&w->region[i].m);
        router_match_deinit(&w->region[i].m);
    }
}
static inline int setup(void **state)
{
    *state = malloc(sizeof(struct world));
    start(*state, 1);
    return 0;
}
static inline int teardown(void **state)
{
    stop(*state);
    free(*state);
    return 0;
}

/* With a code: what `wish` says of it. */
static inline struct player *come_as(struct world *w, unsigned region, const struct player *wish)
{
    struct player *p = &w->player[w->players];
    *p = *wish;
    snprintf(p->id, sizeof p->id, "t%u", w->players++);
    p->region = region;
    p->opened_ms = w->now;
    open_at_leader(w, p);
    return p;
}
static inline struct player *come(struct world *w, unsigned region)
{
    return come_as(w, region, &(struct player){.seats = 0});
}
static inline void cancel(struct world *w, struct player *p)
{
    p->state = ENDED;
    router_match_cancel(&w->region[p->region].m, p->id, &w->region[p->region].edge, w->now);
}

static inline void cut(struct world *w, unsigned a, unsigned b, bool on)
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
static inline void new_leader(struct world *w, unsigned me)
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
