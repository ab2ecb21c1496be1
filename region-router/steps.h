/* SPDX-License-Identifier: Apache-2.0
 * steps.h - when tickets take their next step (pure): a ring of milliseconds, each a list of tickets. No step is further away than the ring
 * is long, so two bytes of a ticket say when, and arming, disarming and firing cost the same however many wait. Never early. */
#pragma once

#include "region-router/tickets.h"

enum { ROUTER_RING_WORDS = ROUTER_RING_MS / 64 };
_Static_assert(ROUTER_SLOW_STEP_MS < ROUTER_RING_MS && ROUTER_AWAY_MS < ROUTER_RING_MS && ROUTER_HOLD_MS < ROUTER_RING_MS, "fits");

struct router_steps {
    const struct router_tickets *tickets;
    uint64_t next_ms; /* everything before it has fired, or is in `due` */
    struct router_chain due;
    uint64_t used[ROUTER_RING_WORDS]; /* bit a millisecond: somebody steps then */
    struct router_chain at[ROUTER_RING_MS];
};

void router_steps_init(struct router_steps *s, const struct router_tickets *tickets, uint64_t now_ms);
/* Of a ticket that is not armed. What lies in the past fires at the next advance. */
void router_steps_arm(struct router_steps *s, struct router_ticket *t, uint64_t due_ms);
void router_steps_disarm(struct router_steps *s, struct router_ticket *t); /* harmless when it is not armed */
/* Takes out one ticket that is due at now_ms, in order; NULL: none is. */
struct router_ticket *router_steps_take(struct router_steps *s, uint64_t now_ms);
/* When the next one is due; UINT64_MAX: none is armed. */
uint64_t router_steps_next_ms(const struct router_steps *s);
/* Until the ticket's step; 0: it is due. */
static inline uint32_t router_steps_left_ms(const struct router_ticket *t, uint64_t now_ms)
{
    int16_t left = (int16_t)(uint16_t)(t->due_ms - (uint16_t)now_ms);
    return left > 0 ? (uint32_t)left : 0;
}
