/* SPDX-License-Identifier: Apache-2.0
 * match.c - a ticket's life (match.h has the pictures): it comes, waits in steps, is offered a seat, ends. pair.c: who plays with whom;
 * offers.c: what happens to a match; abroad.c: other regions; reason.c: why it waits.
 *
 * What a ticket is: tickets.h. A ticket is in the pool (pool.h) while it waits for others, and has a step to come (steps.h) except while a
 * seat is offered to it: then its match has the timer. */
#include "region-router/match.h"

#include <string.h>

#include <meridian/id.h>

#include "region-router/match_private.h"

enum { MATCHES_A_CHUNK = 256 };

/* ---- states -------------------------------------------------------------------------------------------------------------------------- */

static uint32_t life_ms(const struct router_ticket *t)
{
    return t->grouped ? ROUTER_INVITE_MS : ROUTER_TICKET_MS;
}

static uint64_t next_step_ms(const struct router_matcher *m, const struct router_ticket *t)
{
    uint32_t waited = router__waited_ms(m, t), step = waited < ROUTER_ANY_MS ? ROUTER_STEP_MS : ROUTER_SLOW_STEP_MS;
    uint32_t next = (waited / step + 1) * step;
    next = next < life_ms(t) ? next : life_ms(t);
    return m->now_ms + (next > waited ? next - waited : 0); /* its life may have run out while it was offered */
}

static const enum router_match_count gauge_of[] = {[TICKET_NEW] = ROUTER_M_COUNT,
                                                   [TICKET_WAITING] = ROUTER_M_WAITING,
                                                   [TICKET_OFFERED] = ROUTER_M_OFFERED,
                                                   [TICKET_HELD] = ROUTER_M_HELD,
                                                   [TICKET_AWAY] = ROUTER_M_AWAY};

void router__ticket_move(struct router_matcher *m, struct router_ticket *t, enum router_ticket_state to)
{
    if (t->state != TICKET_NEW)
        m->counts[gauge_of[t->state]]--;
    if (to != TICKET_NEW)
        m->counts[gauge_of[to]]++;
    router_steps_disarm(&m->steps, t);
    router_pool_remove(&m->pool, t);
    t->state = (uint8_t)to & 7;
}

static enum router_group_why group_why(enum router_match_count why)
{
    if (why == ROUTER_M_MATCHED || why == ROUTER_M_GONE_AWAY)
        return ROUTER_GROUP_WHY_MATCHED;
    return why == ROUTER_M_LOST || why == ROUTER_M_DECLINED ? ROUTER_GROUP_WHY_LOST : ROUTER_GROUP_WHY_ENDED;
}

static const char *const ended_as[ROUTER_M_COUNT] = {
    [ROUTER_M_MATCHED] = "matched", [ROUTER_M_GONE_AWAY] = "matched elsewhere", [ROUTER_M_CANCELLED] = "cancelled",
    [ROUTER_M_EXPIRED] = "expired", [ROUTER_M_DECLINED] = "declined",           [ROUTER_M_LOST] = "lost",
};

void router__ticket_drop(struct router_matcher *m, struct router_ticket *t, enum router_match_count why)
{
    if (t->traced)
        router__trace_drop(m, t, ended_as[why]);
    router__ticket_move(m, t, TICKET_NEW);
    m->ended = why;
    router__untell(m, t);
    router_group_leave(m, t, group_why(why));
    m->counts[why]++;
    router_pool_leave(&m->pool, t);
    router_tickets_remove(&m->tickets, t);
}

void router__ticket_hold(struct router_matcher *m, struct router_ticket *t)
{
    if (t->traced)
        router__trace_again(m, t);
    router__ticket_move(m, t, TICKET_HELD);
    router_steps_arm(&m->steps, t, m->now_ms + ROUTER_HOLD_MS);
}

const struct router_ticket_spec *router__show(const struct router_matcher *m, const struct router_ticket *t, struct router_shown *out)
{
    const struct router_details *d = router_ticket_details(&m->tickets, t);
    const struct router_bucket_key *key = router__key(m, t);
    if (!t->odd)
        mer_id_write(t->id, sizeof t->id, "t-", out->id, sizeof out->id);
    out->spec = (struct router_ticket_spec){.id = t->odd ? d->id : out->id,
                                            .user = d != NULL ? d->user : NULL,
                                            .name = d != NULL ? d->name : NULL,
                                            .game = key->game,
                                            .players = key->players,
                                            .rows = key->rows,
                                            .cols = key->cols,
                                            .rating = t->rating,
                                            .waited_ms = router__waited_ms(m, t),
                                            .bots = (enum router_bots)t->bots,
                                            .edge = router_ticket_edge(&m->tickets, t),
                                            .far = d != NULL ? d->far : NULL,
                                            .latency = d != NULL ? d->latency : NULL,
                                            .group = router_group_of(m, t),
                                            .trace = t->traced ? router__trace_of(m, t) : NULL};
    return &out->spec;
}

static void give_up(struct router_matcher *m, struct router_ticket *t, const char *reason)
{
    struct router_shown shown;
    if (!t->far) /* its own leader tells */
        m->env.expired(m->env.ctx, router__show(m, t, &shown), reason);
    router__ticket_drop(m, t, ROUTER_M_EXPIRED);
}

/* What happens with every step that finds nobody. `back`: from an undone match. */
static void wait_on(struct router_matcher *m, struct router_ticket *t, bool back)
{
    uint64_t due = next_step_ms(m, t), quiet = router_pool_bucket(&m->pool, t)->quiet_ms;
    bool sooner = back && router__is_quiet(m, t) && quiet < due;
    router_steps_arm(&m->steps, t, sooner ? quiet : due);
    router__tell_regions(m, t);
    router__tell(m, t);
}

/* Why it need not wait any more; NULL: it may. */
static const char *verdict(const struct router_matcher *m, const struct router_ticket *t)
{
    return t->grouped ? router_group_verdict(m, t) : NULL;
}

/* WAITING; matched at once if it can be. */
static void enter(struct router_matcher *m, struct router_ticket *t)
{
    bool back = t->state == TICKET_HELD;
    if (verdict(m, t) != NULL) {
        m->counts[ROUTER_M_CODE_MISSES]++;
        give_up(m, t, verdict(m, t));
        return;
    }
    router__ticket_move(m, t, TICKET_WAITING);
    if (t->bots != ROUTER_BOTS_NOW && !t->grouped)
        router_pool_add(&m->pool, t);
    router__consider(m, t);
    if (t->state == TICKET_WAITING)
        wait_on(m, t, back);
}

static void step(struct router_matcher *m, struct router_ticket *t)
{
    if (t->state == TICKET_AWAY) { /* his edge or that region is silent: as when an offer of ours runs out */
        t->failures++;
        router__ticket_hold(m, t);
    } else if (router__waited_ms(m, t) >= life_ms(t)) {
        give_up(m, t, "no match was found in time");
    } else if (verdict(m, t) != NULL) {
        m->counts[ROUTER_M_CODE_MISSES]++;
        give_up(m, t, verdict(m, t));
    } else if (t->state == TICKET_WAITING) {
        if (!router__try_ticket(m, t))
            wait_on(m, t, false);
    } else if (t->failures >= ROUTER_FAILURES_MAX) {
        give_up(m, t, "your server did not answer the offers");
    } else {
        enter(m, t);
    }
}

/* ---- events -------------------------------------------------------------------------------------------------------------------------- */

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
    router_tickets_init(&m->tickets, seed, m->env.regions);
    router_pool_init(&m->pool, &m->tickets, seed);
    router_steps_init(&m->steps, &m->tickets, now_ms);
    router_groups_init(&m->groups, seed);
    router_traces_init(&m->traces, env->tracer, seed);
    mer_map_init(&m->matches, match_key, seed);
    mer_slab_init(&m->match_slab, sizeof(struct router_match), MATCHES_A_CHUNK);
    mer_wheel_init(&m->wheel, now_ms);
}

static void free_match(void *object, void *ctx)
{
    mer_slab_free(ctx, object);
}

void router_match_deinit(struct router_matcher *m)
{
    mer_map_deinit(&m->matches);
    mer_slab_each(&m->match_slab, free_match, &m->match_slab);
    mer_slab_deinit(&m->match_slab);
    router_pool_deinit(&m->pool);
    router_groups_deinit(&m->groups);
    router_traces_deinit(&m->traces);
    m->counts[ROUTER_M_LOST] += m->tickets.count;
    router_tickets_deinit(&m->tickets);
    memset(m->counts, 0, (ROUTER_M_MATCHES + 1) * sizeof m->counts[0]); /* the gauges */
}

static bool text_ok(const char *s, size_t max)
{
    size_t n = strnlen(s, max + 1);
    return n > 0 && n <= max;
}

static bool spec_ok(const struct router_ticket_spec *s)
{
    return text_ok(s->id, ROUTER_TEXT_MAX) && text_ok(s->user, ROUTER_TEXT_MAX) &&
           (s->name == NULL || strnlen(s->name, ROUTER_TEXT_MAX + 1) <= ROUTER_TEXT_MAX) && text_ok(s->game, ROUTER_GAME_MAX) &&
           s->players >= ROUTER_PLAYERS_MIN && s->players <= ROUTER_PLAYERS_MAX && s->rows >= ROUTER_BOARD_MIN &&
           s->rows <= ROUTER_BOARD_MAX && s->cols >= ROUTER_BOARD_MIN && s->cols <= ROUTER_BOARD_MAX && s->rating <= ROUTER_RATING_MAX &&
           (s->far == NULL || (text_ok(s->far, ROUTER_TEXT_MAX) && s->name != NULL));
}

/* The edge says that it waits, of a ticket we know: after an undone match, or because it was asked for what is to be said of it. */
static void open_again(struct router_matcher *m, struct router_ticket *t, const struct router_ticket_spec *s)
{
    if (t->state == TICKET_HELD) {
        t->failures = 0;
        enter(m, t);
    } else if (t->state == TICKET_WAITING) {
        if (s->name != NULL && router_tickets_is_of(&m->tickets, t, s->user) && router_tickets_learn(&m->tickets, t, s))
            router__tell_regions(m, t);
        router__tell(m, t);
    } /* OFFERED, AWAY: said before the offer came */
}

static struct router_ticket *ticket_new(struct router_matcher *m, const struct router_ticket_spec *s)
{
    struct router_bucket_key key = {.players = (uint8_t)s->players, .rows = (uint8_t)s->rows, .cols = (uint8_t)s->cols};
    struct router_ticket *t = router_tickets_add(&m->tickets, s, m->now_ms);
    if (t == NULL)
        return NULL;
    memcpy(key.game, s->game, strlen(s->game));
    if (!router_pool_join(&m->pool, t, &key)) {
        router_tickets_remove(&m->tickets, t);
        return NULL;
    }
    return t;
}

enum mer_err router_match_open(struct router_matcher *m, const struct router_ticket_spec *s, uint64_t now_ms)
{
    m->now_ms = now_ms;
    if (m->tickets.count == 0)
        m->steps.next_ms = now_ms; /* nothing was due, so nobody has moved it meanwhile */
    enum mer_err err = MER_EINVALID;
    if (!spec_ok(s))
        goto refused;
    struct router_ticket *t = router_tickets_find(&m->tickets, s->id);
    if (t != NULL && router_ticket_edge(&m->tickets, t) == s->edge) {
        open_again(m, t, s);
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
    err = s->group.key != 0 ? router_group_join(m, t, &s->group) : MER_OK;
    if (err != MER_OK) {
        router_pool_leave(&m->pool, t);
        router_tickets_remove(&m->tickets, t);
        goto refused;
    }
    m->counts[ROUTER_M_OPENED]++;
    if (s->trace != NULL)
        router__trace_open(m, t, s->trace);
    enter(m, t);
    return MER_OK;
refused:
    m->counts[ROUTER_M_REFUSED]++;
    return err;
}

/* His seat is empty from here on: the rest of a match that is still being offered is undone. */
static void leave(struct router_matcher *m, struct router_ticket *t, enum router_match_count why)
{
    struct router_match *x = t->state == TICKET_OFFERED ? router__match_of(m, t) : NULL;
    if (x != NULL)
        router__match_empty_seat(x, t);
    router__ticket_drop(m, t, why);
    if (x != NULL)
        router__match_undo(x);
}

static struct router_ticket *find(struct router_matcher *m, const char *ticket, const struct router_edge *from)
{
    struct router_ticket *t = router_tickets_find(&m->tickets, ticket);
    return t != NULL && router_ticket_edge(&m->tickets, t) == from ? t : NULL;
}

void router_match_cancel(struct router_matcher *m, const char *ticket, const struct router_edge *from, uint64_t now_ms)
{
    m->now_ms = now_ms;
    struct router_ticket *t = find(m, ticket, from);
    if (t != NULL)
        leave(m, t, ROUTER_M_CANCELLED);
    else
        m->counts[ROUTER_M_STRAY]++;
}

void router_match_dropped(struct router_matcher *m, const char *ticket, enum router_group_why why, const struct router_edge *from,
                          uint64_t now_ms)
{
    m->now_ms = now_ms;
    struct router_ticket *t = find(m, ticket, from);
    if (t != NULL)
        router_group_leave(m, t, why);
    if (t != NULL && why == ROUTER_GROUP_WHY_MATCHED)
        router__trace_drop(m, t, ended_as[ROUTER_M_GONE_AWAY]);
    router_match_cancel(m, ticket, from, now_ms);
}

/* Whose seat it is: known already, or said with the acceptance. */
static bool named(struct router_matcher *m, struct router_ticket *t, const struct router_answer *a)
{
    const struct router_details *d = router_ticket_details(&m->tickets, t);
    if (d != NULL && d->name != NULL)
        return true;
    struct router_ticket_spec s = {.id = a->ticket, .user = a->user, .name = a->name};
    return a->user != NULL && a->name != NULL && strnlen(a->name, ROUTER_TEXT_MAX + 1) <= ROUTER_TEXT_MAX &&
           router_tickets_is_of(&m->tickets, t, a->user) && router_tickets_learn(&m->tickets, t, &s);
}

static void declined(struct router_matcher *m, struct router_ticket *t)
{
    router__be_quiet(m, t);
    leave(m, t, ROUTER_M_DECLINED);
}

void router_match_answer(struct router_matcher *m, const struct router_answer *a, const struct router_edge *from, uint64_t now_ms)
{
    m->now_ms = now_ms;
    struct router_ticket *t = find(m, a->ticket, from);
    if (t != NULL && router__away_for(t, a->match))
        router__gone_away(m, t, a->accepted);
    else if (t == NULL || t->state != TICKET_OFFERED || strcmp(router__match_of(m, t)->id, a->match) != 0)
        m->counts[ROUTER_M_STRAY]++; /* released meanwhile: the edge was told */
    else if (a->accepted && named(m, t, a))
        router__match_accept(router__match_of(m, t), t);
    else
        declined(m, t);
}

struct loss {
    struct router_matcher *m;
    const struct router_edge *edge;
};

static void leave_with(void *object, void *ctx)
{
    const struct loss *l = ctx;
    if (router_ticket_edge(&l->m->tickets, object) == l->edge)
        leave(l->m, object, ROUTER_M_LOST);
}

/* A walk over all tickets, some milliseconds for a million: an edge is lost once in a while, and lists of each one's would cost eight bytes
 * a ticket. */
void router_match_edge_lost(struct router_matcher *m, struct router_edge *e, uint64_t now_ms)
{
    struct loss l = {m, e};
    m->now_ms = now_ms;
    if (e->tickets > 0)
        mer_slab_each(&m->tickets.records, leave_with, &l);
    router__match_owner_lost(m, e);
}

unsigned router_match_advance(struct router_matcher *m, uint64_t now_ms, unsigned max)
{
    m->now_ms = now_ms;
    unsigned fired = mer_wheel_advance(&m->wheel, now_ms, max);
    for (struct router_ticket *t; fired < max && (t = router_steps_take(&m->steps, now_ms)) != NULL; fired++)
        step(m, t);
    return fired;
}

uint64_t router_match_next_ms(const struct router_matcher *m)
{
    uint64_t of_matches = mer_wheel_next_ms(&m->wheel), of_tickets = router_steps_next_ms(&m->steps);
    return of_matches < of_tickets ? of_matches : of_tickets;
}

/* ---- rules --------------------------------------------------------------------------------------------------------------------------- */

struct check {
    const struct router_matcher *m;
    uint64_t seen[TICKET_NSTATES], traced;
};

static void check_ticket(void *object, void *ctx)
{
    const struct router_ticket *t = object;
    struct check *c = ctx;
    MER_ASSERT(t->pooled == (t->state == TICKET_WAITING && t->bots != ROUTER_BOTS_NOW && !t->grouped));
    MER_ASSERT(t->armed == (t->state != TICKET_OFFERED));
    MER_ASSERT(!t->far || t->state != TICKET_AWAY);
    if (t->state == TICKET_OFFERED) {
        const struct router_match *x = router__match_of(c->m, t);
        unsigned seats = 0;
        for (unsigned i = 0; i < x->key.players; i++)
            seats += x->seat[i].ticket == t;
        MER_ASSERT(seats == 1 && !x->creating);
    }
    MER_ASSERT(t->traced == (router__trace_of(c->m, t) != NULL));
    c->traced += t->traced;
    c->seen[t->state]++;
}

void router_match_check(const struct router_matcher *m)
{
    struct check check = {.m = m};
    mer_slab_each((struct mer_slab *)&m->tickets.records, check_ticket, &check);
    MER_ASSERT(check.seen[TICKET_NEW] == 0);
    MER_ASSERT(check.seen[TICKET_WAITING] == m->counts[ROUTER_M_WAITING]);
    MER_ASSERT(check.seen[TICKET_OFFERED] == m->counts[ROUTER_M_OFFERED]);
    MER_ASSERT(check.seen[TICKET_HELD] == m->counts[ROUTER_M_HELD]);
    MER_ASSERT(check.seen[TICKET_AWAY] == m->counts[ROUTER_M_AWAY]);
    MER_ASSERT(check.traced == m->traces.by_ticket.count);
    MER_ASSERT(m->matches.count == m->counts[ROUTER_M_MATCHES]);
    const uint64_t *c = m->counts;
    MER_ASSERT(c[ROUTER_M_OPENED] == c[ROUTER_M_MATCHED] + c[ROUTER_M_GONE_AWAY] + c[ROUTER_M_CANCELLED] + c[ROUTER_M_EXPIRED] +
                                         c[ROUTER_M_DECLINED] + c[ROUTER_M_LOST] + m->tickets.count);
    router_tickets_check(&m->tickets);
    router_pool_check(&m->pool);
    router_groups_check(&m->groups);
}
