/* SPDX-License-Identifier: Apache-2.0
 * pair.c - who plays with whom.
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
#include <string.h>

#include "region-router/match_private.h"

uint32_t router__window_of(const struct router_matcher *m, const struct router_ticket *t)
{
    uint32_t waited = router__waited_ms(m, t);
    return waited >= ROUTER_ANY_MS ? ROUTER_RATING_MAX : ROUTER_WINDOW_START + ROUTER_WINDOW_STEP * (waited / ROUTER_STEP_MS);
}

bool router__may_fill(const struct router_matcher *m, const struct router_ticket *t)
{
    bool due = t->bots == ROUTER_BOTS_NOW || (t->bots == ROUTER_BOTS_FILL && router__waited_ms(m, t) >= ROUTER_FILL_MS);
    return due && !t->far;
}

static unsigned nearness(const struct router_matcher *m, const struct router_ticket *a, const struct router_ticket *b)
{
    const struct router_edge *ea = router_ticket_edge(&m->tickets, a), *eb = router_ticket_edge(&m->tickets, b);
    if (ea->region != eb->region)
        return 0;
    if (ea == eb)
        return 3;
    return ea->host_hash == eb->host_hash ? 2 : 1;
}

/* Moves up to `need` of the candidates to the front: same process first, then same host, then same region; in each the nearest rating
 * (their order). */
static unsigned choose(const struct router_matcher *m, struct router_ticket **group, unsigned count, unsigned need)
{
    unsigned chosen = 0;
    struct router_ticket **c = group + 1;
    for (int near = 3; near >= 0; near--) {
        for (unsigned i = chosen; i < count && chosen < need; i++) {
            if (nearness(m, group[0], c[i]) != (unsigned)near)
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
            if (t[i]->user == t[j]->user)
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
static bool made_here(const struct router_matcher *m, struct router_ticket *const *t, unsigned count)
{
    struct router_reach reach[1 + ROUTER_SCAN_MAX];
    bool cross = false;
    for (unsigned i = 0; i < count; i++)
        cross = cross || t[i]->far;
    if (cross && router__is_quiet(m, t[0]))
        return false;
    for (unsigned i = 0; cross && i < count; i++)
        reach[i] = router__reach(m, t[i]);
    return !cross || router_cross_host(m->env.regions, reach, count) == 0;
}

static unsigned keep_near(struct router_ticket **c, unsigned count)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
        if (!c[i]->far)
            c[kept++] = c[i];
    return kept;
}

bool router__try_ticket(struct router_matcher *m, struct router_ticket *t)
{
    if (t->grouped)
        return router_group_try(m, t);
    struct router_ticket *group[1 + ROUTER_SCAN_MAX] = {t}, **others = group + 1;
    unsigned need = router__key(m, t)->players - 1u, found = 0;
    if (t->bots != ROUTER_BOTS_NOW)
        found = router_pool_near(&m->pool, t, router__window_of(m, t), others);
    if (found < need) {
        if (!router__may_fill(m, t))
            return false;
        found = keep_fillable(others, found);
    }
    unsigned chosen = choose(m, group, found, need);
    if (same_user_twice(group, 1 + chosen)) /* two tickets of one user: one of them is stale and will be refused by its edge */
        chosen = 1;
    if (!made_here(m, group, 1 + chosen))
        chosen = t->far ? 0 : keep_fillable(others, keep_near(others, chosen));
    if (chosen < need && !router__may_fill(m, t))
        return false;
    return router__match_make(m, group, 1 + chosen);
}

void router__consider(struct router_matcher *m, struct router_ticket *t)
{
    struct router_ticket *oldest = t->pooled ? router_pool_oldest(&m->pool, router_pool_bucket(&m->pool, t)) : t;
    bool first = oldest != t && router__waited_ms(m, oldest) >= ROUTER_ANY_MS;
    bool gone = first && router__try_ticket(m, oldest) && t->state != TICKET_WAITING;
    if (gone || router__try_ticket(m, t))
        return;
    if (oldest != t && !first)
        (void)router__try_ticket(m, oldest);
}
