/* SPDX-License-Identifier: Apache-2.0
 * leave_states.h - the states of an edge that leaves (pure; leave.h tells what is done in each).
 *
 *            drain              go: a plan, or none in time         done: nobody is left, or the deadline
 *    IDLE -----------> ASKING ------------------------> MOVING ---------------------------------> LAST --> stopped
 *     ^                  |  +---- done: nobody was here --------------------------------------------^
 *     +--- undrain ------+------------------------------+        too late in LAST: everybody was told that we are gone */
#pragma once

#include <meridian/base.h>

#define EDGE_LEAVE_STATES(X) X(IDLE) X(ASKING) X(MOVING) X(LAST)
#define EDGE_LEAVE_EVENTS(X) X(DRAIN) X(GO) X(DONE) X(UNDRAIN)
#define X(name) EDGE_LEAVE_##name,
enum edge_leave_state { EDGE_LEAVE_STATES(X) EDGE_LEAVE_NSTATES };
#undef X
#define X(name) EDGE_LEAVE_ON_##name,
enum edge_leave_event { EDGE_LEAVE_EVENTS(X) EDGE_LEAVE_NEVENTS };
#undef X

const char *edge_leave_state_name(enum edge_leave_state s);
/* The same state: the event means nothing there. */
enum edge_leave_state edge_leave_next(enum edge_leave_state s, enum edge_leave_event e);
/* NULL: an edge in this state, told to end by whoever supervises it or not, takes players again when it is asked to; else why not. */
const char *edge_leave_objection(enum edge_leave_state s, bool told_to_end);
