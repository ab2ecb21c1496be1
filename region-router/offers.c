/* SPDX-License-Identifier: Apache-2.0
 * offers.c - the life of a match: offered to each player's edge, ordered from the owner when all accepted, or undone (match.h has the
 * picture).
 *
 * An accepted seat is an intent in the player's record. What becomes of it when the game is not created is found out by the player's edge
 * alone (it voids the game's id); the router only forgets, so it needs to remember nothing either. */
#include <stdio.h>
#include <string.h>

#include <meridian/id.h>

#include "region-router/match_private.h"

enum { ID_RANDOM_BYTES = 10 };

static void on_match_timer(struct mer_timer *timer);

static void shuffle(const struct mer_rng *rng, struct router_seat *seat, unsigned count)
{
    for (unsigned i = count; i > 1; i--) {
        unsigned j = mer_rng_below(rng, i);
        struct router_seat swap = seat[i - 1];
        seat[i - 1] = seat[j];
        seat[j] = swap;
    }
}

/* A match with somebody of another region is one for everybody: its id says where the game lies. */
static void name_match(struct router_match *x, bool cross)
{
    struct router_matcher *m = x->matcher;
    char prefix[ROUTER_REGION_BYTES + 4] = "g-";
    if (cross)
        snprintf(prefix, sizeof prefix, "%s.g-", m->env.regions->region[0].name);
    mer_id_make(&m->env.rng, prefix, ID_RANDOM_BYTES, x->id, sizeof x->id);
}

static struct router_match *match_new(struct router_matcher *m, const struct router_bucket_key *key, bool cross)
{
    struct router_match *x = mer_slab_try_alloc(&m->match_slab);
    if (x == NULL)
        return NULL;
    x->key = *key;
    x->matcher = m;
    name_match(x, cross);
    mer_timer_init(&x->timer, on_match_timer);
    if (mer_map_put(&m->matches, x) != MER_OK) {
        mer_slab_free(&m->match_slab, x);
        return NULL;
    }
    m->counts[ROUTER_M_MATCHES]++;
    return x;
}

void router__match_free(struct router_match *x)
{
    struct router_matcher *m = x->matcher;
    mer_wheel_disarm(&m->wheel, &x->timer);
    mer_map_removes(&m->matches, x->id);
    m->counts[ROUTER_M_MATCHES]--;
    mer_slab_free(&m->match_slab, x);
}

bool router__match_make(struct router_matcher *m, struct router_ticket *const *t, unsigned count)
{
    struct router_edge *players[ROUTER_PLAYERS_MAX];
    unsigned far = 0;
    for (unsigned i = 0; i < count; i++) {
        players[i] = router_ticket_edge(&m->tickets, t[i]);
        far += t[i]->far;
    }
    struct router_edge *owner = router_place(players, count, m->env.edges, m->now_ms);
    struct router_match *x = owner != NULL ? match_new(m, router__key(m, t[0]), far > 0) : NULL;
    t[0]->no_room = x == NULL;
    if (x == NULL) {
        m->counts[ROUTER_M_NO_ROOM]++;
        return false;
    }
    x->owner = owner;
    x->humans = count;
    for (unsigned i = 0; i < count; i++) {
        x->seat[i].ticket = t[i];
        router__ticket_move(m, t[i], TICKET_OFFERED);
        t[i]->match = mer_slab_number(&m->match_slab, x);
    }
    shuffle(&m->env.rng, x->seat, x->key.players); /* seat 0 begins */
    m->counts[ROUTER_M_BOT_SEATS] += x->key.players - count;
    m->counts[ROUTER_M_FAR_SEATS] += far;
    m->counts[ROUTER_M_FRIENDS] += t[0]->grouped;
    m->counts[ROUTER_M_OFFERS] += count;
    mer_wheel_arm(&m->wheel, &x->timer, m->now_ms + ROUTER_OFFER_MS);
    for (unsigned i = 0; i < count; i++) {
        struct router_shown shown;
        if (t[i]->traced)
            router__trace_matched(m, t[i], x);
        m->env.offer(m->env.ctx, router__show(m, t[i], &shown), x, ROUTER_OFFER_MS);
    }
    return true;
}

static struct router_seat *seat_of(struct router_match *x, const struct router_ticket *t)
{
    for (unsigned i = 0; i < x->key.players; i++)
        if (x->seat[i].ticket == t)
            return &x->seat[i];
    return NULL;
}

/* Everybody accepted: the game is ordered, and the tickets have done their work. */
static void order(struct router_match *x)
{
    struct router_matcher *m = x->matcher;
    struct router_shown shown[ROUTER_PLAYERS_MAX];
    struct router_ticket_spec seat[ROUTER_PLAYERS_MAX] = {{0}};
    m->counts[ROUTER_M_ORDERED]++;
    for (unsigned i = 0; i < x->key.players; i++)
        if (x->seat[i].ticket != NULL)
            seat[i] = *router__show(m, x->seat[i].ticket, &shown[i]);
    m->env.create(m->env.ctx, x, seat);
    x->creating = true;
    for (unsigned i = 0; i < x->key.players; i++) {
        struct router_ticket *t = x->seat[i].ticket;
        if (t == NULL)
            continue;
        x->seat[i].ticket = NULL;
        mer_hist_add_us(&m->waited, router__waited_ms(m, t) * 1000ull);
        router__ticket_drop(m, t, ROUTER_M_MATCHED);
    }
    mer_wheel_arm(&m->wheel, &x->timer, m->now_ms + ROUTER_CREATE_MS);
}

void router__match_accept(struct router_match *x, struct router_ticket *t)
{
    struct router_seat *s = seat_of(x, t);
    if (s == NULL || s->accepted)
        return; /* said twice */
    s->accepted = true;
    t->failures = 0;
    if (++x->accepted == x->humans)
        order(x);
}

void router__match_empty_seat(struct router_match *x, struct router_ticket *t)
{
    struct router_seat *s = seat_of(x, t);
    MER_ASSERT(s != NULL);
    s->ticket = NULL;
}

void router__match_undo(struct router_match *x)
{
    struct router_matcher *m = x->matcher;
    struct router_shown shown;
    for (unsigned i = 0; i < x->key.players; i++) {
        struct router_ticket *t = x->seat[i].ticket;
        if (t == NULL)
            continue;
        m->counts[ROUTER_M_RELEASES]++;
        m->env.release(m->env.ctx, router__show(m, t, &shown), x);
        x->seat[i].ticket = NULL;
        router__ticket_hold(m, t);
    }
    router__match_free(x);
}

static void on_match_timer(struct mer_timer *timer)
{
    struct router_match *x = MER_CONTAINER_OF(timer, struct router_match, timer);
    struct router_matcher *m = x->matcher;
    if (x->creating) {
        m->counts[ROUTER_M_CREATE_TIMEOUTS]++;
        router__match_free(x);
        return;
    }
    m->counts[ROUTER_M_TIMEOUTS]++;
    for (unsigned i = 0; i < x->key.players; i++)
        if (x->seat[i].ticket != NULL && !x->seat[i].accepted)
            x->seat[i].ticket->failures++;
    router__match_undo(x);
}

void router_match_created(struct router_matcher *m, const char *match, bool created, const struct router_edge *from, uint64_t now_ms)
{
    m->now_ms = now_ms;
    struct router_match *x = mer_map_gets(&m->matches, match);
    if (x == NULL || !x->creating || x->owner != from) {
        m->counts[ROUTER_M_STRAY]++;
        return;
    }
    m->counts[created ? ROUTER_M_CREATED : ROUTER_M_CREATE_FAILED]++;
    router__match_free(x);
}

/* An owner that is gone before the game was ordered cannot host it: the offers are taken back. Ordered ones find out by their time-out. */
void router__match_owner_lost(struct router_matcher *m, const struct router_edge *e)
{
    uint32_t pos = 0;
    for (struct router_match *x; (x = mer_map_next(&m->matches, &pos)) != NULL;) {
        if (x->owner != e)
            continue;
        x->owner = NULL;
        if (!x->creating) {
            router__match_undo(x);
            pos = 0; /* positions moved */
        }
    }
}
