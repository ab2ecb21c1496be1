/* SPDX-License-Identifier: Apache-2.0
 * steps.c - when tickets take their next step (steps.h).
 *
 * Why not mer_wheel: its timers are 40 bytes each, and its levels are for hours. When time has come to a millisecond its list goes to the
 * end of `due` as a whole; so a jump of time keeps the order, and what is armed meanwhile lies behind it.
 *
 * Invariants: a bit of used says whether that list is not empty; what is armed is due within the ring's length of next_ms. */
#include "region-router/steps.h"

#include <string.h>

enum { MASK = ROUTER_RING_MS - 1 };

void router_steps_init(struct router_steps *s, const struct router_tickets *tickets, uint64_t now_ms)
{
    memset(s, 0, sizeof *s);
    s->tickets = tickets;
    s->next_ms = now_ms;
}

void router_steps_arm(struct router_steps *s, struct router_ticket *t, uint64_t due_ms)
{
    MER_DASSERT(!t->armed);
    if (due_ms < s->next_ms)
        due_ms = s->next_ms;
    if (due_ms >= s->next_ms + ROUTER_RING_MS) /* the clock went on and nobody has advanced: earlier is as good */
        due_ms = s->next_ms + MASK;
    unsigned i = due_ms & MASK;
    t->due_ms = (uint16_t)due_ms;
    t->armed = true;
    router_chain_push_back(s->tickets, &s->at[i], ROUTER_BY_STEP, t);
    s->used[i / 64] |= 1ull << i % 64;
}

void router_steps_disarm(struct router_steps *s, struct router_ticket *t)
{
    if (!t->armed)
        return;
    unsigned i = t->due_ms & MASK;
    uint32_t n = mer_slab_number(&s->tickets->records, t);
    bool due = s->due.first == n || s->due.last == n; /* in the middle of a list its ends do not matter */
    router_chain_remove(s->tickets, due ? &s->due : &s->at[i], ROUTER_BY_STEP, t);
    if (s->at[i].first == 0)
        s->used[i / 64] &= ~(1ull << i % 64);
    t->armed = false;
}

/* The first used place of the ring at `from` or behind it, as a distance; ROUTER_RING_MS: none. */
static unsigned ahead(const struct router_steps *s, uint64_t from)
{
    unsigned i = from & MASK;
    uint64_t bits = s->used[i / 64] & ~0ull << i % 64;
    for (unsigned w = 0; w <= ROUTER_RING_WORDS; w++) {
        if (bits != 0) {
            unsigned at = ((i / 64 + w) % ROUTER_RING_WORDS) * 64 + (unsigned)__builtin_ctzll(bits);
            return (at - i) & MASK;
        }
        bits = s->used[(i / 64 + w + 1) % ROUTER_RING_WORDS];
    }
    return ROUTER_RING_MS;
}

struct router_ticket *router_steps_take(struct router_steps *s, uint64_t now_ms)
{
    while (s->next_ms <= now_ms) {
        unsigned distance = ahead(s, s->next_ms);
        if (distance == ROUTER_RING_MS || s->next_ms + distance > now_ms) {
            s->next_ms = now_ms + 1;
            break;
        }
        unsigned i = (s->next_ms + distance) & MASK;
        router_chain_move_all(s->tickets, &s->due, &s->at[i], ROUTER_BY_STEP);
        s->used[i / 64] &= ~(1ull << i % 64);
        s->next_ms += distance + 1;
    }
    if (s->due.first == 0)
        return NULL;
    struct router_ticket *t = router_ticket_at(s->tickets, s->due.first);
    router_chain_remove(s->tickets, &s->due, ROUTER_BY_STEP, t);
    t->armed = false;
    return t;
}

uint64_t router_steps_next_ms(const struct router_steps *s)
{
    if (s->due.first != 0)
        return 0;
    unsigned distance = ahead(s, s->next_ms);
    return distance == ROUTER_RING_MS ? UINT64_MAX : s->next_ms + distance;
}
