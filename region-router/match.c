/* SPDX-License-Identifier: Apache-2.0
 * match.c - tickets become matches (match.h has the pictures). This file: a ticket's life and pairing; offers.c: what happens to a match.
 *
 * Who is tried when: a new ticket looks for partners within its own window; the oldest of its bucket goes first once any rating will do for
 * it, and gets a second look when the newcomer found nobody. All others are tried at their own steps (every 2 s, when their window widens),
 * so an event costs a bounded number of looks, and nobody waits longer than a step for a partner who is there.
 *
 * `none` and `fill` tickets meet in one bucket (two people are better than a bot); only `fill` tickets get bots when their time has come;
 * `now` tickets never stand in the pool.
 *
 * A group with a ticket of another region is made a match only where it is to be hosted (cross.h); if that is not here, its leader sees the
 * same group. Bots are the own region's to give. Next: offers.c, abroad.c. */
#include "region-router/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/match_private.h"

/* ---- numbers of a ticket ------------------------------------------------------------------------------------------------------------- */

static uint64_t waited_ms(const struct router_matcher *m, const struct router_ticket *t)
{
    return m->now_ms - t->opened_ms;
}

static uint32_t window_of(const struct router_matcher *m, const struct router_ticket *t)
{
    uint64_t waited = waited_ms(m, t);
    if (waited >= ROUTER_ANY_MS)
        return ROUTER_RATING_MAX;
    return ROUTER_WINDOW_START + ROUTER_WINDOW_STEP * (uint32_t)(waited / ROUTER_STEP_MS);
}

static bool may_fill(const struct router_matcher *m, const struct router_ticket *t)
{
    bool due = t->bots == ROUTER_BOTS_NOW || (t->bots == ROUTER_BOTS_FILL && waited_ms(m, t) >= ROUTER_FILL_MS);
    return due && !router__ticket_is_far(t);
}

static uint64_t next_step_ms(const struct router_matcher *m, const struct router_ticket *t)
{
    uint64_t step = waited_ms(m, t) < ROUTER_ANY_MS ? ROUTER_STEP_MS : ROUTER_SLOW_STEP_MS;
    uint64_t next = t->opened_ms + (waited_ms(m, t) / step + 1) * step;
    uint64_t end = t->opened_ms + ROUTER_TICKET_MS;
    return next < end ? next : end;
}

/* ---- states -------------------------------------------------------------------------------------------------------------------------- */

static const enum router_match_count gauge_of[] = {[TICKET_NEW] = ROUTER_M_COUNT,
                                                   [TICKET_WAITING] = ROUTER_M_WAITING,
                                                   [TICKET_OFFERED] = ROUTER_M_OFFERED,
                                                   [TICKET_HELD] = ROUTER_M_HELD,
                                                   [TICKET_AWAY] = ROUTER_M_AWAY};

void router__ticket_move(struct router_ticket *t, enum ticket_state to)
{
    struct router_matcher *m = t->matcher;
    if (t->state != TICKET_NEW)
        m->counts[gauge_of[t->state]]--;
    if (to != TICKET_NEW)
        m->counts[gauge_of[to]]++;
    mer_wheel_disarm(&m->wheel, &t->timer);
    router_pool_remove(&m->pool, t);
    t->state = (uint8_t)to;
}

void router__ticket_drop(struct router_ticket *t, enum router_match_count why)
{
    struct router_matcher *m = t->matcher;
    router__ticket_move(t, TICKET_NEW);
    router__untell(t);
    m->counts[why]++;
    mer_map_removes(&m->tickets, t->id);
    mer_list_remove(&t->on_edge);
    free(t);
}

void router__ticket_hold(struct router_ticket *t)
{
    router__ticket_move(t, TICKET_HELD);
    t->match = NULL;
    mer_wheel_arm(&t->matcher->wheel, &t->timer, t->matcher->now_ms + ROUTER_HOLD_MS);
}

static void give_up(struct router_ticket *t, const char *reason)
{
    if (!router__ticket_is_far(t)) /* its own leader tells */
        t->matcher->env.expired(t->matcher->env.ctx, t, reason);
    router__ticket_drop(t, ROUTER_M_EXPIRED);
}

/* ---- telling ------------------------------------------------------------------------------------------------------------------------- */

static void explain_waiting(const struct router_matcher *m, const struct router_ticket *t, char *out)
{
    uint32_t others = t->bucket != NULL ? t->bucket->count - 1 : 0, window = window_of(m, t);
    const char *bots = t->bots == ROUTER_BOTS_FILL && !may_fill(m, t) ? "; bots join after 10 s" : "";
    if (t->no_room)
        snprintf(out, ROUTER_REASON_BYTES, "no server has room for a new game right now");
    else if (others == 0)
        snprintf(out, ROUTER_REASON_BYTES, "nobody else is looking for this game right now%s", bots);
    else if (window < ROUTER_RATING_MAX && others + 1u >= t->key.players)
        snprintf(out, ROUTER_REASON_BYTES, "%u others wait, not enough within %u rating points yet%s", others, window, bots);
    else if (others + 1u < t->key.players)
        snprintf(out, ROUTER_REASON_BYTES, "%u of %u players found%s", others + 1, t->key.players, bots);
    else
        snprintf(out, ROUTER_REASON_BYTES, "%u others wait, too far away from each other yet%s", others, bots);
    router__explain_abroad(m, t, out);
}

static void explain(const struct router_matcher *m, const struct router_ticket *t, char *out, uint32_t *next_ms)
{
    uint64_t due = t->state == TICKET_OFFERED ? t->match->timer.due_ms : t->timer.due_ms;
    *next_ms = due > m->now_ms ? (uint32_t)(due - m->now_ms) : 0;
    if (t->state == TICKET_OFFERED)
        snprintf(out, ROUTER_REASON_BYTES, "players found: the seats are being confirmed");
    else if (t->state == TICKET_HELD)
        snprintf(out, ROUTER_REASON_BYTES, "a match was undone: back in the queue in a moment");
    else if (t->state == TICKET_AWAY)
        snprintf(out, ROUTER_REASON_BYTES, "players found in another region (%s): the seats are being confirmed",
                 m->env.regions->region[t->away].name);
    else
        explain_waiting(m, t, out);
}

static void tell(struct router_ticket *t)
{
    struct router_matcher *m = t->matcher;
    if (router__ticket_is_far(t) || (t->told_ms != 0 && m->now_ms - t->told_ms < ROUTER_STATUS_MS))
        return; /* the next step tells, or its own leader */
    char reason[ROUTER_REASON_BYTES];
    uint32_t next_ms;
    explain(m, t, reason, &next_ms);
    t->told_ms = m->now_ms;
    m->env.waiting(m->env.ctx, t, reason, next_ms);
}

/* ---- pairing ------------------------------------------------------------------------------------------------------------------------- */

static unsigned nearness(const struct router_ticket *a, const struct router_ticket *b)
{
    if (a->edge->region != b->edge->region)
        return 0;
    if (a->edge == b->edge)
        return 3;
    return a->edge->host_hash == b->edge->host_hash ? 2 : 1;
}

/* Moves up to `need` of the candidates to the front: same process first, then same host, then same region; in each the nearest rating
 * (their order). */
static unsigned choose(const struct router_ticket *anchor, struct router_ticket **c, unsigned count, unsigned need)
{
    unsigned chosen = 0;
    for (int near = 3; near >= 0; near--) {
        for (unsigned i = chosen; i < count && chosen < need; i++) {
            if (nearness(anchor, c[i]) != (unsigned)near)
                continue;
            struct router_ticket *t = c[i];
            memmove(&c[chosen + 1], &c[chosen], (i - chosen) * sizeof *c); /* the others keep their order */
            c[chosen++] = t;
        }
    }
    return chosen;
}

static bool same_user_twice(struct router_ticket *const *t, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < i; j++)
            if (strcmp(t[i]->user, t[j]->user) == 0)
                return true;
    return false;
}

static unsigned keep_fillable(struct router_ticket **c, unsigned count)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
        if (c[i]->bots == ROUTER_BOTS_FILL)
            c[kept++] = c[i];
    return kept;
}

/* May these be a match here? With somebody of another region that is only so where they are to be hosted. */
static bool made_here(struct router_matcher *m, struct router_ticket *const *t, unsigned count)
{
    bool cross = false;
    for (unsigned i = 0; i < count; i++)
        cross = cross || router__ticket_is_far(t[i]);
    return !cross || router_cross_host(m->env.regions, t, count, m->now_ms) == 0;
}

static unsigned keep_near(struct router_ticket **c, unsigned count)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
        if (!router__ticket_is_far(c[i]))
            c[kept++] = c[i];
    return kept;
}

/* Looks for partners of one ticket; true when it is in a match now. */
static bool try_ticket(struct router_matcher *m, struct router_ticket *t)
{
    struct router_ticket *group[1 + ROUTER_SCAN_MAX] = {t}, **others = group + 1;
    unsigned need = t->key.players - 1u, found = 0;
    if (t->bots != ROUTER_BOTS_NOW)
        found = router_pool_near(t, window_of(m, t), others);
    if (found < need) {
        if (!may_fill(m, t))
            return false;
        found = keep_fillable(others, found);
    }
    unsigned chosen = choose(t, others, found, need);
    if (same_user_twice(group, 1 + chosen)) /* two tickets of one user: one of them is stale and will be refused by its edge */
        chosen = 1;
    if (!made_here(m, group, 1 + chosen))
        chosen = router__ticket_is_far(t) ? 0 : keep_fillable(others, keep_near(others, chosen));
    if (chosen < need && !may_fill(m, t))
        return false;
    return router__match_make(m, group, 1 + chosen);
}

/* A ticket that just came into the pool. */
static void consider(struct router_matcher *m, struct router_ticket *t)
{
    struct router_ticket *oldest = t->bots == ROUTER_BOTS_NOW ? t : router_pool_oldest(t->bucket);
    bool first = oldest != t && waited_ms(m, oldest) >= ROUTER_ANY_MS;
    bool gone = first && try_ticket(m, oldest) && t->state != TICKET_WAITING;
    if (gone || try_ticket(m, t))
        return;
    if (oldest != t && !first)
        (void)try_ticket(m, oldest);
}

/* WAITING; matched at once if it can be. */
static void enter(struct router_matcher *m, struct router_ticket *t)
{
    router__ticket_move(t, TICKET_WAITING);
    if (t->bots != ROUTER_BOTS_NOW && router_pool_add(&m->pool, t) != MER_OK) {
        router__ticket_hold(t); /* out of memory: tried again after the hold */
        return;
    }
    consider(m, t);
    if (t->state != TICKET_WAITING)
        return;
    mer_wheel_arm(&m->wheel, &t->timer, next_step_ms(m, t));
    router__tell_regions(t);
    tell(t);
}

static void on_ticket_timer(struct mer_timer *timer)
{
    struct router_ticket *t = MER_CONTAINER_OF(timer, struct router_ticket, timer);
    struct router_matcher *m = t->matcher;
    if (t->state == TICKET_AWAY) { /* his edge or that region is silent: as when an offer of ours runs out */
        t->failures++;
        router__ticket_hold(t);
        return;
    }
    if (waited_ms(m, t) >= ROUTER_TICKET_MS) {
        give_up(t, "no match was found in time");
        return;
    }
    if (t->state == TICKET_HELD) {
        if (t->failures >= ROUTER_FAILURES_MAX)
            give_up(t, "your server did not answer the offers");
        else
            enter(m, t);
        return;
    }
    if (try_ticket(m, t))
        return;
    mer_wheel_arm(&m->wheel, &t->timer, next_step_ms(m, t));
    router__tell_regions(t);
    tell(t);
}

/* ---- events -------------------------------------------------------------------------------------------------------------------------- */

static struct mer_key ticket_key(const void *entry)
{
    const struct router_ticket *t = entry;
    return (struct mer_key){t->id, strlen(t->id)};
}

static struct mer_key match_key(const void *entry)
{
    const struct router_match *x = entry;
    return (struct mer_key){x->id, strlen(x->id)};
}

void router_match_init(struct router_matcher *m, const struct router_match_env *env, uint64_t now_ms)
{
    static const struct router_regions alone = {.count = 1};
    memset(m, 0, sizeof *m);
    m->env = *env;
    if (m->env.regions == NULL)
        m->env.regions = &alone;
    m->now_ms = now_ms;
    uint64_t seed[2] = {mer_rng_u64(&env->rng), mer_rng_u64(&env->rng)};
    mer_map_init(&m->tickets, ticket_key, seed);
    mer_map_init(&m->matches, match_key, seed);
    router_pool_init(&m->pool, seed);
    mer_wheel_init(&m->wheel, now_ms);
    mer_slab_init(&m->match_slab, sizeof(struct router_match), 256);
}

void router_match_deinit(struct router_matcher *m)
{
    uint32_t pos = 0;
    for (struct router_match *x; (x = mer_map_next(&m->matches, &pos)) != NULL; pos = 0)
        router__match_free(x);
    pos = 0;
    for (struct router_ticket *t; (t = mer_map_next(&m->tickets, &pos)) != NULL; pos = 0) {
        t->told = 0;
        router__ticket_drop(t, ROUTER_M_LOST);
    }
    router_pool_deinit(&m->pool);
    mer_map_deinit(&m->tickets);
    mer_map_deinit(&m->matches);
    mer_slab_deinit(&m->match_slab);
}

static bool text_ok(const char *s, size_t max)
{
    size_t n = strnlen(s, max + 1);
    return n > 0 && n <= max;
}

static bool spec_ok(const struct router_ticket_spec *s)
{
    return text_ok(s->id, ROUTER_TEXT_MAX) && text_ok(s->user, ROUTER_TEXT_MAX) &&
           strnlen(s->name, ROUTER_TEXT_MAX + 1) <= ROUTER_TEXT_MAX && text_ok(s->game, ROUTER_GAME_MAX) &&
           s->players >= ROUTER_PLAYERS_MIN && s->players <= ROUTER_PLAYERS_MAX && s->rows >= ROUTER_BOARD_MIN &&
           s->rows <= ROUTER_BOARD_MAX && s->cols >= ROUTER_BOARD_MIN && s->cols <= ROUTER_BOARD_MAX && s->rating <= ROUTER_RATING_MAX &&
           (s->far == NULL || text_ok(s->far, ROUTER_TEXT_MAX));
}

static const char *put_text(char **at, const char *s)
{
    size_t n = strlen(s) + 1;
    char *start = *at;
    memcpy(start, s, n);
    *at += n;
    return start;
}

static struct router_ticket *ticket_new(struct router_matcher *m, const struct router_ticket_spec *s)
{
    size_t bytes = strlen(s->id) + strlen(s->user) + strlen(s->name) + 3 + (s->far != NULL ? strlen(s->far) + 1 : 0);
    unsigned regions = m->env.regions->count > 1 ? m->env.regions->count : 0;
    bytes += bytes % sizeof(uint16_t);
    struct router_ticket *t = mer_try_malloc(sizeof *t + bytes + regions * sizeof(uint16_t));
    if (t == NULL)
        return NULL;
    memset(t, 0, sizeof *t);
    char *at = t->text;
    if (regions > 0)
        t->latency = (uint16_t *)(void *)(t->text + bytes);
    t->regions = (uint8_t)regions;
    for (unsigned i = 0; i < regions; i++)
        t->latency[i] = s->latency != NULL ? s->latency[i] : ROUTER_FAR;
    t->id = put_text(&at, s->id);
    t->user = put_text(&at, s->user);
    t->name = put_text(&at, s->name);
    t->far = s->far != NULL ? put_text(&at, s->far) : NULL;
    memcpy(t->key.game, s->game, strlen(s->game));
    t->key.players = (uint8_t)s->players;
    t->key.rows = (uint8_t)s->rows;
    t->key.cols = (uint8_t)s->cols;
    t->rating = (uint16_t)s->rating;
    t->bots = (uint8_t)s->bots;
    t->matcher = m;
    t->edge = s->edge;
    t->opened_ms = m->now_ms > s->waited_ms ? m->now_ms - s->waited_ms : 0;
    t->state = TICKET_NEW;
    mer_list_init(&t->bin);
    mer_list_init(&t->age);
    mer_timer_init(&t->timer, on_ticket_timer);
    mer_list_push_back(&s->edge->tickets, &t->on_edge);
    return t;
}

/* The edge says that it waits, of a ticket we know. */
static void open_again(struct router_matcher *m, struct router_ticket *t)
{
    if (t->state == TICKET_HELD) {
        t->failures = 0;
        enter(m, t);
    } else if (t->state == TICKET_WAITING) {
        tell(t);
    } /* OFFERED, AWAY: said before the offer came */
}

enum mer_err router_match_open(struct router_matcher *m, const struct router_ticket_spec *s, uint64_t now_ms)
{
    m->now_ms = now_ms;
    enum mer_err err = MER_EINVALID;
    if (!spec_ok(s))
        goto refused;
    struct router_ticket *t = mer_map_gets(&m->tickets, s->id);
    if (t != NULL && t->edge == s->edge) {
        open_again(m, t);
        return MER_OK;
    }
    err = MER_EEXISTS; /* ids are random: another edge's ticket is no accident */
    if (t != NULL)
        goto refused;
    err = MER_EBUSY;
    if (m->tickets.count >= ROUTER_TICKETS_MAX)
        goto refused;
    err = MER_ENOMEM;
    t = ticket_new(m, s);
    if (t == NULL)
        goto refused;
    if (mer_map_put(&m->tickets, t) != MER_OK) {
        mer_list_remove(&t->on_edge);
        free(t);
        goto refused;
    }
    m->counts[ROUTER_M_OPENED]++;
    enter(m, t);
    return MER_OK;
refused:
    m->counts[ROUTER_M_REFUSED]++;
    return err;
}

/* His seat is empty from here on: the rest of a match that is still being offered is undone. */
static void leave(struct router_ticket *t, enum router_match_count why)
{
    struct router_match *x = t->state == TICKET_OFFERED ? t->match : NULL;
    if (x != NULL)
        router__match_empty_seat(x, t);
    router__ticket_drop(t, why);
    if (x != NULL)
        router__match_undo(x);
}

static struct router_ticket *find(struct router_matcher *m, const char *ticket, const struct router_edge *from)
{
    struct router_ticket *t = mer_map_gets(&m->tickets, ticket);
    return t != NULL && t->edge == from ? t : NULL;
}

void router_match_cancel(struct router_matcher *m, const char *ticket, const struct router_edge *from, uint64_t now_ms)
{
    m->now_ms = now_ms;
    struct router_ticket *t = find(m, ticket, from);
    if (t != NULL)
        leave(t, ROUTER_M_CANCELLED);
    else
        m->counts[ROUTER_M_STRAY]++;
}

void router_match_answer(struct router_matcher *m, const char *ticket, const char *match, bool accepted, const struct router_edge *from,
                         uint64_t now_ms)
{
    m->now_ms = now_ms;
    struct router_ticket *t = find(m, ticket, from);
    if (t != NULL && router__away_for(t, match))
        router__gone_away(t, accepted);
    else if (t == NULL || t->state != TICKET_OFFERED || strcmp(t->match->id, match) != 0)
        m->counts[ROUTER_M_STRAY]++; /* released meanwhile: the edge was told */
    else if (accepted)
        router__match_accept(t->match, t);
    else
        leave(t, ROUTER_M_DECLINED);
}

void router_match_edge_lost(struct router_matcher *m, struct router_edge *e, uint64_t now_ms)
{
    m->now_ms = now_ms;
    while (!mer_list_empty(&e->tickets))
        leave(MER_LIST_ENTRY(e->tickets.next, struct router_ticket, on_edge), ROUTER_M_LOST);
    router__match_owner_lost(m, e);
}

unsigned router_match_advance(struct router_matcher *m, uint64_t now_ms, unsigned max)
{
    m->now_ms = now_ms;
    return mer_wheel_advance(&m->wheel, now_ms, max);
}

uint64_t router_match_next_ms(const struct router_matcher *m)
{
    return mer_wheel_next_ms(&m->wheel);
}

enum mer_err router_match_explain(const struct router_matcher *m, const char *ticket, char reason[ROUTER_REASON_BYTES], uint32_t *next_ms)
{
    const struct router_ticket *t = mer_map_gets(&m->tickets, ticket);
    if (t == NULL)
        return MER_ENOTFOUND;
    explain(m, t, reason, next_ms);
    return MER_OK;
}

static bool check_ticket(void *entry, void *ctx)
{
    const struct router_ticket *t = entry;
    uint64_t *seen = ctx;
    bool in_pool = t->state == TICKET_WAITING && t->bots != ROUTER_BOTS_NOW;
    MER_ASSERT((t->bucket != NULL) == in_pool);
    MER_ASSERT((t->match != NULL) == (t->state == TICKET_OFFERED));
    MER_ASSERT(!router__ticket_is_far(t) || (t->far != NULL && t->told == 0 && t->state != TICKET_AWAY));
    MER_ASSERT(mer_timer_armed(&t->timer) == (t->state != TICKET_OFFERED));
    if (t->match != NULL) {
        unsigned seats = 0;
        for (unsigned i = 0; i < t->key.players; i++)
            seats += t->match->seat[i].ticket == t;
        MER_ASSERT(seats == 1 && !t->match->creating);
    }
    seen[t->state]++;
    return true;
}

void router_match_check(const struct router_matcher *m)
{
    uint64_t seen[TICKET_NSTATES] = {0};
    mer_map_each(&m->tickets, check_ticket, seen);
    MER_ASSERT(seen[TICKET_NEW] == 0);
    MER_ASSERT(seen[TICKET_WAITING] == m->counts[ROUTER_M_WAITING]);
    MER_ASSERT(seen[TICKET_OFFERED] == m->counts[ROUTER_M_OFFERED]);
    MER_ASSERT(seen[TICKET_HELD] == m->counts[ROUTER_M_HELD]);
    MER_ASSERT(seen[TICKET_AWAY] == m->counts[ROUTER_M_AWAY]);
    MER_ASSERT(m->matches.count == m->counts[ROUTER_M_MATCHES]);
    const uint64_t *c = m->counts;
    MER_ASSERT(c[ROUTER_M_OPENED] == c[ROUTER_M_MATCHED] + c[ROUTER_M_GONE_AWAY] + c[ROUTER_M_CANCELLED] + c[ROUTER_M_EXPIRED] +
                                         c[ROUTER_M_DECLINED] + c[ROUTER_M_LOST] + m->tickets.count);
    router_pool_check(&m->pool);
}
