/* SPDX-License-Identifier: Apache-2.0
 * reason.c - why a ticket is not matched yet: one sentence for its player. */
#include <stdio.h>

#include "region-router/match_private.h"

static void explain_waiting(const struct router_matcher *m, const struct router_ticket *t, char *out)
{
    if (t->grouped) {
        router_group_explain(m, t, out);
        return;
    }
    const struct router_bucket *b = router_pool_bucket(&m->pool, t);
    uint32_t others = t->pooled ? b->count - 1 : 0, window = router__window_of(m, t);
    const char *bots = t->bots == ROUTER_BOTS_FILL && !router__may_fill(m, t) ? "; bots join after 10 s" : "";
    if (t->no_room)
        snprintf(out, ROUTER_REASON_BYTES, "no server has room for a new game right now");
    else if (others == 0)
        snprintf(out, ROUTER_REASON_BYTES, "nobody else is looking for this game right now%s", bots);
    else if (window < ROUTER_RATING_MAX && others + 1u >= b->key.players)
        snprintf(out, ROUTER_REASON_BYTES, "%u others wait, not enough within %u rating points yet%s", others, window, bots);
    else if (others + 1u < b->key.players)
        snprintf(out, ROUTER_REASON_BYTES, "%u of %u players found%s", others + 1, b->key.players, bots);
    else
        snprintf(out, ROUTER_REASON_BYTES, "%u others wait, too far away from each other yet%s", others, bots);
    router__explain_abroad(m, t, out);
}

static uint32_t left_ms(const struct router_matcher *m, const struct router_ticket *t)
{
    if (t->state != TICKET_OFFERED)
        return router_steps_left_ms(t, m->now_ms);
    uint64_t due = router__match_of(m, t)->timer.due_ms;
    return due > m->now_ms ? (uint32_t)(due - m->now_ms) : 0;
}

void router__explain(const struct router_matcher *m, const struct router_ticket *t, char out[ROUTER_REASON_BYTES], uint32_t *next_ms)
{
    *next_ms = left_ms(m, t);
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

void router__tell(struct router_matcher *m, struct router_ticket *t)
{
    uint16_t now = (uint16_t)m->now_ms; /* a step tells every few seconds: low bits do */
    if (t->far || (t->told && (uint16_t)(now - t->told_ms) < ROUTER_STATUS_MS))
        return; /* the next step tells, or its own leader */
    char reason[ROUTER_REASON_BYTES];
    uint32_t next_ms;
    struct router_shown shown;
    router__explain(m, t, reason, &next_ms);
    t->told = true;
    t->told_ms = now;
    m->env.waiting(m->env.ctx, router__show(m, t, &shown), reason, next_ms);
}

enum mer_err router_match_explain(const struct router_matcher *m, const char *ticket, char reason[ROUTER_REASON_BYTES], uint32_t *next_ms)
{
    const struct router_ticket *t = router_tickets_find(&m->tickets, ticket);
    if (t == NULL)
        return MER_ENOTFOUND;
    router__explain(m, t, reason, next_ms);
    return MER_OK;
}
