/* SPDX-License-Identifier: Apache-2.0
 * leave.h - how an edge leaves (R22): SIGTERM, POST /drain or an operator through the leader, until nothing is left here or the deadline
 * has come. Until then the leader may take it back; leave_states.h has the picture.
 *
 *   ASKING   for a plan of the router's, for 2 s
 *   MOVING   until no game and no connection is left and sessions are taken, or 5 s are over; or the deadline
 *   LAST     frames are sent, then the process stops */
#pragma once

#include "edge/app.h"

struct edge_leave;

MER_MUST_CHECK enum mer_err edge_leave_create(struct edge_leave **out, struct edge_app *app);
/* Idempotent. */
void edge_leave_start(struct edge_leave *l);
void edge_leave_destroy(struct edge_leave *l);
