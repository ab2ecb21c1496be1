/* SPDX-License-Identifier: Apache-2.0
 * seat.h - a person's seat in a game, from sitting down to leaving it (R20, R21). Pure: whoever calls knows the time and stores the change.
 *
 *            drop            30 s              2 min
 *  SEATED ---------> GRACE ---------> PAUSED ---------> BOT          any --leave--> LEFT
 *     ^                |                 |  \             |
 *     +----- return ---+---- return -----+---\- return ---+
 *                                             \--2 min, by policy--> LEFT
 *
 * One due time is armed at most: GRACE and PAUSED have it, on Redis' clock, so that another owner goes on with it. */
#pragma once

#include <stdint.h>

#include <meridian/err.h>

enum {
    EDGE_SEAT_GRACE_MS = 30 * 1000,  /* R20; what the configuration says by default */
    EDGE_SEAT_PAUSE_MS = 120 * 1000, /* R21; the same */
    EDGE_SEAT_ATTACH_MS = 10 * 1000, /* until a new owner knows who is there: two leases of 5 s */
};

#define EDGE_SEAT_STATES(X) X(SEATED) X(GRACE) X(PAUSED) X(BOT) X(LEFT)
#define EDGE_SEAT_EVENTS(X) \
    X(DROP)    /* his last device is gone */ \
    X(RETURN)  /* a device of his is back */ \
    X(TIMER)   /* the state's time is over */ \
    X(ABANDON) /* the same in PAUSED, where the policy wants no bot */ \
    X(LEAVE)   /* by his own wish, or three turns lost */
#define X(name) EDGE_SEAT_##name,
enum edge_seat_state { EDGE_SEAT_STATES(X) EDGE_SEAT_NSTATES };
#undef X
#define X(name) EDGE_SEAT_ON_##name,
enum edge_seat_event { EDGE_SEAT_EVENTS(X) EDGE_SEAT_NEVENTS };
#undef X

/* What becomes of a seat whose player stays away. */
struct edge_seat_policy {
    uint32_t grace_ms, pause_ms;
    bool abandon; /* no bot takes the seat: it is left */
};

struct edge_seat {
    uint64_t due_ms; /* GRACE, PAUSED: when TIMER comes; 0: never */
    uint8_t state;
};

const char *edge_seat_state_name(enum edge_seat_state s);
const char *edge_seat_event_name(enum edge_seat_event e);
/* The table: where an event leads. false: it cannot come in that state. */
bool edge_seat_next(enum edge_seat_state s, enum edge_seat_event e, enum edge_seat_state *next);
/* An event that can come: sets state and due time. */
void edge_seat_move(struct edge_seat *s, enum edge_seat_event e, uint64_t now_ms, const struct edge_seat_policy *policy);
/* Is a person there, or may he still come back to a seat that nobody else plays? */
static inline bool edge_seat_attended(const struct edge_seat *s)
{
    return s->state == EDGE_SEAT_SEATED || s->state == EDGE_SEAT_GRACE || s->state == EDGE_SEAT_PAUSED;
}
