/* SPDX-License-Identifier: Apache-2.0
 * leave_states.c - see leave_states.h. */
#include "edge/leave_states.h"

#define S(x) EDGE_LEAVE_##x

static const uint8_t next[EDGE_LEAVE_NSTATES][EDGE_LEAVE_NEVENTS] = {
    /*             DRAIN      GO         DONE     UNDRAIN */
    [S(IDLE)] = {S(ASKING), S(IDLE), S(IDLE), S(IDLE)},
    [S(ASKING)] = {S(ASKING), S(MOVING), S(LAST), S(IDLE)},
    [S(MOVING)] = {S(MOVING), S(MOVING), S(LAST), S(IDLE)},
    [S(LAST)] = {S(LAST), S(LAST), S(LAST), S(LAST)},
};

const char *edge_leave_state_name(enum edge_leave_state s)
{
#define X(name) #name,
    static const char *const names[] = {EDGE_LEAVE_STATES(X)};
#undef X
    return (size_t)s < MER_COUNT(names) ? names[s] : "?";
}

enum edge_leave_state edge_leave_next(enum edge_leave_state s, enum edge_leave_event e)
{
    return (enum edge_leave_state)next[s][e];
}

const char *edge_leave_objection(enum edge_leave_state s, bool told_to_end)
{
    if (s == S(IDLE))
        return "it does not drain";
    if (s == S(LAST))
        return "too late: its players and games are gone, it ends now";
    return told_to_end ? "it was told to end (SIGTERM), and its supervisor waits for that" : NULL;
}
