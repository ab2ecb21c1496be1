/* SPDX-License-Identifier: Apache-2.0
 * abroad.c - a ticket of ours and the other regions (match.h, cross.h): who is told of it, and who it is lent to.
 *
 * A region is told when the ticket's step lets it host; from its first telling on the ticket's latencies stand fast, because all leaders
 * have to weigh the same numbers. It stays told while it is in a match here or lent elsewhere (such offers are refused, and the refused
 * region is told again with the next step), and is taken back when it ends. */
#include <stdio.h>
#include <string.h>

#include "region-router/match_private.h"

static uint64_t hash_of(const char *match)
{
    static const uint64_t seed[2] = {3, 4}; /* compared with our own only */
    return mer_siphash13(seed, match, strlen(match));
}

bool router__away_for(const struct router_ticket *t, const char *match)
{
    return t->state == TICKET_AWAY && t->away_match == hash_of(match);
}

/* That region hears the answer, which says more than that the ticket is gone. */
void router__gone_away(struct router_ticket *t, bool accepted)
{
    t->told &= (uint16_t) ~(1u << t->away);
    router__ticket_drop(t, accepted ? ROUTER_M_GONE_AWAY : ROUTER_M_DECLINED);
}

static void settle_latencies(struct router_ticket *t)
{
    const struct router_regions *r = t->matcher->env.regions;
    for (unsigned i = 0; i < t->regions; i++)
        if (t->latency[i] == ROUTER_FAR)
            t->latency[i] = i == 0 ? 0 : r->region[i].rtt_ms;
}

void router__tell_regions(struct router_ticket *t)
{
    struct router_matcher *m = t->matcher;
    const struct router_regions *r = m->env.regions;
    bool wanted = t->bots != ROUTER_BOTS_NOW && !router__ticket_is_far(t);
    if (!wanted || t->regions == 0 || router_cross_cap_ms(m->now_ms - t->opened_ms) == 0)
        return;
    if (t->told == 0)
        settle_latencies(t);
    for (unsigned i = 1; i < t->regions; i++) {
        if (t->told >> i & 1 || !r->region[i].up || !router_cross_accepts(t, i, m->now_ms))
            continue;
        if (m->env.tell(m->env.ctx, t, i)) {
            t->told |= (uint16_t)(1u << i);
            m->counts[ROUTER_M_TOLD]++;
        }
    }
}

void router__untell(struct router_ticket *t)
{
    for (unsigned i = 1; t->told != 0; i++) {
        if (t->told >> i & 1)
            t->matcher->env.untell(t->matcher->env.ctx, t, i);
        t->told &= (uint16_t) ~(1u << i);
    }
}

void router__explain_abroad(const struct router_matcher *m, const struct router_ticket *t, char *out)
{
    char names[64];
    size_t len = strlen(out);
    if (t->told != 0 && router_cross_names(m->env.regions, t->told, names, sizeof names) > 0)
        snprintf(out + len, ROUTER_REASON_BYTES - len, "; also looking in %s", names);
    else if (t->regions > 1 && t->bots != ROUTER_BOTS_NOW && m->now_ms - t->opened_ms < ROUTER_PATIENCE_MS)
        snprintf(out + len, ROUTER_REASON_BYTES - len, "; other regions after %d s", ROUTER_PATIENCE_MS / 1000);
}

const struct router_edge *router_match_lend(struct router_matcher *m, const char *ticket, const char *match, unsigned region,
                                            uint64_t now_ms)
{
    m->now_ms = now_ms;
    struct router_ticket *t = mer_map_gets(&m->tickets, ticket);
    bool ours = t != NULL && !router__ticket_is_far(t) && region < t->regions;
    if (ours && router__away_for(t, match))
        return t->edge;
    if (!ours || t->state != TICKET_WAITING) {
        m->counts[ROUTER_M_NOT_LENT]++;
        if (ours)
            t->told &= (uint16_t) ~(1u << region); /* it drops the ticket with our refusal */
        return NULL;
    }
    m->counts[ROUTER_M_LENT]++;
    router__ticket_move(t, TICKET_AWAY);
    t->away = (uint8_t)region;
    t->away_match = hash_of(match);
    mer_wheel_arm(&m->wheel, &t->timer, m->now_ms + ROUTER_AWAY_MS);
    return t->edge;
}

void router_match_returned(struct router_matcher *m, const char *ticket, const char *match, uint64_t now_ms)
{
    m->now_ms = now_ms;
    struct router_ticket *t = mer_map_gets(&m->tickets, ticket);
    if (t != NULL && router__away_for(t, match))
        router__ticket_hold(t);
}

struct loss {
    unsigned region;
};

static bool forget_region(void *entry, void *ctx)
{
    struct router_ticket *t = entry;
    const struct loss *l = ctx;
    t->told &= (uint16_t) ~(1u << l->region);
    if (t->state == TICKET_AWAY && t->away == l->region)
        router__ticket_hold(t);
    return true;
}

void router_match_region_lost(struct router_matcher *m, struct router_edge *e, uint64_t now_ms)
{
    struct loss l = {e->region};
    router_match_edge_lost(m, e, now_ms);
    mer_map_each(&m->tickets, forget_region, &l);
}
