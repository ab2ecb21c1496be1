/* SPDX-License-Identifier: Apache-2.0
 * abroad.c - a ticket of ours and the other regions (match.h, cross.h): who is told of it, and who it is lent to.
 *
 * A region is told when the ticket's step lets it host; from its first telling on the ticket's latencies stand fast, because all leaders
 * have to weigh the same numbers. It stays told while it is in a match here or lent elsewhere (such offers are refused, and the refused
 * region is told again with the next step), and is taken back when it ends. */
#include <stdio.h>
#include <string.h>

#include "region-router/match_private.h"

static uint32_t hash_of(const char *match)
{
    static const uint64_t seed[2] = {3, 4}; /* compared with our own only */
    return (uint32_t)mer_siphash13(seed, match, strlen(match));
}

bool router__away_for(const struct router_ticket *t, const char *match)
{
    return t->state == TICKET_AWAY && t->match == hash_of(match);
}

struct router_reach router__reach(const struct router_matcher *m, const struct router_ticket *t)
{
    const struct router_details *d = router_ticket_details(&m->tickets, t);
    return (struct router_reach){.friends = t->grouped,
                                 .guess = t->far ? NULL : m->env.regions,
                                 .home = router_ticket_edge(&m->tickets, t)->region,
                                 .waited_ms = router__waited_ms(m, t),
                                 .latency = d != NULL ? d->latency : NULL};
}

void router__be_quiet(struct router_matcher *m, const struct router_ticket *t)
{
    struct router_bucket *b = router_pool_bucket(&m->pool, t);
    if (t->far && b->key.players > 2)
        b->quiet_ms = m->now_ms + mer_rng_below(&m->env.rng, ROUTER_QUIET_MS);
}

bool router__is_quiet(const struct router_matcher *m, const struct router_ticket *t)
{
    return m->now_ms < router_pool_bucket(&m->pool, t)->quiet_ms;
}

static void forget(struct router_details *d, unsigned region)
{
    if (d != NULL)
        d->told &= (uint16_t) ~(1u << region);
}

/* That region hears the answer, which says more than that the ticket is gone. */
void router__gone_away(struct router_matcher *m, struct router_ticket *t, bool accepted)
{
    forget(router_ticket_details(&m->tickets, t), t->away);
    router__ticket_drop(m, t, accepted ? ROUTER_M_GONE_AWAY : ROUTER_M_DECLINED);
}

static void settle_latencies(struct router_details *d, const struct router_regions *r, bool friends)
{
    for (unsigned i = 0; i < r->count; i++) {
        if (d->latency[i] == ROUTER_FAR)
            d->latency[i] = i == 0 ? 0 : r->region[i].rtt_ms;
        if (d->latency[i] == ROUTER_FAR && friends)
            d->latency[i] = ROUTER_GROUP_AFAR_MS;
    }
}

void router__tell_regions(struct router_matcher *m, struct router_ticket *t)
{
    const struct router_regions *r = m->env.regions;
    struct router_details *d = router_ticket_details(&m->tickets, t);
    struct router_shown shown;
    bool due = t->grouped || (t->bots != ROUTER_BOTS_NOW && router_cross_cap_ms(router__waited_ms(m, t)) > 0);
    if (!due || t->far || r->count < 2)
        return;
    if (d == NULL || d->name == NULL) {
        m->env.ask(m->env.ctx, router__show(m, t, &shown));
        return;
    }
    if (d->told == 0)
        settle_latencies(d, r, t->grouped);
    struct router_reach reach = router__reach(m, t);
    router__show(m, t, &shown);
    for (unsigned i = 1; i < r->count; i++) {
        if (d->told >> i & 1 || !r->region[i].up || !router_cross_accepts(&reach, i))
            continue;
        if (m->env.tell(m->env.ctx, &shown.spec, i)) {
            d->told |= (uint16_t)(1u << i);
            m->counts[ROUTER_M_TOLD]++;
        }
    }
}

void router__untell(struct router_matcher *m, struct router_ticket *t)
{
    struct router_details *d = router_ticket_details(&m->tickets, t);
    struct router_shown shown;
    if (d == NULL || d->told == 0)
        return;
    router__show(m, t, &shown);
    for (unsigned i = 1; d->told != 0; i++) {
        if (d->told >> i & 1)
            m->env.untell(m->env.ctx, &shown.spec, i);
        forget(d, i);
    }
}

void router__explain_abroad(const struct router_matcher *m, const struct router_ticket *t, char *out)
{
    char names[64];
    size_t len = strlen(out);
    const struct router_details *d = router_ticket_details(&m->tickets, t);
    if (d != NULL && d->told != 0 && router_cross_names(m->env.regions, d->told, names, sizeof names) > 0)
        snprintf(out + len, ROUTER_REASON_BYTES - len, "; also looking in %s", names);
    else if (m->env.regions->count > 1 && t->bots != ROUTER_BOTS_NOW && router__waited_ms(m, t) < ROUTER_PATIENCE_MS)
        snprintf(out + len, ROUTER_REASON_BYTES - len, "; other regions after %d s", ROUTER_PATIENCE_MS / 1000);
}

const struct router_edge *router_match_lend(struct router_matcher *m, const char *ticket, const char *match, unsigned region,
                                            uint64_t now_ms)
{
    m->now_ms = now_ms;
    struct router_ticket *t = router_tickets_find(&m->tickets, ticket);
    bool ours = t != NULL && !t->far && region < m->env.regions->count;
    if (ours && router__away_for(t, match))
        return router_ticket_edge(&m->tickets, t);
    if (!ours || t->state != TICKET_WAITING) {
        m->counts[ROUTER_M_NOT_LENT]++;
        if (ours)
            forget(router_ticket_details(&m->tickets, t), region); /* it drops the ticket with our refusal */
        return NULL;
    }
    m->counts[ROUTER_M_LENT]++;
    if (t->traced)
        router__trace_lent(m, t, match, m->env.regions->region[region].name);
    router__ticket_move(m, t, TICKET_AWAY);
    t->match = hash_of(match);
    t->away = (uint8_t)region;
    router_steps_arm(&m->steps, t, m->now_ms + ROUTER_AWAY_MS);
    return router_ticket_edge(&m->tickets, t);
}

void router_match_returned(struct router_matcher *m, const char *ticket, const char *match, uint64_t now_ms)
{
    m->now_ms = now_ms;
    struct router_ticket *t = router_tickets_find(&m->tickets, ticket);
    if (t != NULL && router__away_for(t, match))
        router__ticket_hold(m, t);
}

struct loss {
    struct router_matcher *m;
    unsigned region;
};

static void forget_region(void *object, void *ctx)
{
    struct router_ticket *t = object;
    const struct loss *l = ctx;
    forget(router_ticket_details(&l->m->tickets, t), l->region);
    if (t->state == TICKET_AWAY && t->away == l->region)
        router__ticket_hold(l->m, t);
}

void router_match_region_lost(struct router_matcher *m, struct router_edge *e, uint64_t now_ms)
{
    struct loss l = {m, e->region};
    router_match_edge_lost(m, e, now_ms);
    mer_slab_each(&m->tickets.records, forget_region, &l);
}
