/* SPDX-License-Identifier: Apache-2.0
 * seat.c - the table of a seat; the picture stands in seat.h.
 *
 * Why a machine and not flags: "connected", "paused" and "bot" as three booleans allow eight combinations of which four are legal.
 *
 * Only edge_seat_move writes a seat. Which seat moves when, and what the players are told, is absence.c's. */
#include "edge/game/seat.h"

#define NONE EDGE_SEAT_NSTATES /* cannot come */
#define S(name) EDGE_SEAT_##name

static const uint8_t table[EDGE_SEAT_NSTATES][EDGE_SEAT_NEVENTS] = {
    /*             DROP      RETURN     TIMER      ABANDON  LEAVE */
    [S(SEATED)] = {S(GRACE), NONE, NONE, NONE, S(LEFT)},
    [S(GRACE)] = {NONE, S(SEATED), S(PAUSED), NONE, S(LEFT)},
    [S(PAUSED)] = {NONE, S(SEATED), S(BOT), S(LEFT), S(LEFT)},
    [S(BOT)] = {NONE, S(SEATED), NONE, NONE, S(LEFT)},
    [S(LEFT)] = {NONE, NONE, NONE, NONE, NONE},
};

#define X(name) #name,
static const char *const state_names[] = {EDGE_SEAT_STATES(X)};
static const char *const event_names[] = {EDGE_SEAT_EVENTS(X)};
#undef X

const char *edge_seat_state_name(enum edge_seat_state s)
{
    return s < EDGE_SEAT_NSTATES ? state_names[s] : "?";
}

const char *edge_seat_event_name(enum edge_seat_event e)
{
    return e < EDGE_SEAT_NEVENTS ? event_names[e] : "?";
}

bool edge_seat_next(enum edge_seat_state s, enum edge_seat_event e, enum edge_seat_state *next)
{
    if (s >= EDGE_SEAT_NSTATES || e >= EDGE_SEAT_NEVENTS || table[s][e] == NONE)
        return false;
    *next = (enum edge_seat_state)table[s][e];
    return true;
}

void edge_seat_move(struct edge_seat *s, enum edge_seat_event e, uint64_t now_ms, const struct edge_seat_policy *policy)
{
    enum edge_seat_state next;
    bool can = edge_seat_next((enum edge_seat_state)s->state, e, &next);
    MER_ASSERT(can);
    s->state = (uint8_t)next;
    s->due_ms = next == EDGE_SEAT_GRACE ? now_ms + policy->grace_ms : next == EDGE_SEAT_PAUSED ? now_ms + policy->pause_ms : 0;
}
