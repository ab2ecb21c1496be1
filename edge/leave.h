/* SPDX-License-Identifier: Apache-2.0
 * leave.h - how an edge leaves (R22): SIGTERM or POST /drain, until nothing is left here or the deadline has come.
 *
 *   READY --drain--> ASKING --plan, or none for 2 s--> MOVING --no game, no connection; sessions taken, or 5 s; or the deadline--> LAST
 * --frames sent--> stopped
 */
#pragma once

#include "edge/app.h"

struct edge_leave;

MER_MUST_CHECK enum mer_err edge_leave_create(struct edge_leave **out, struct edge_app *app);
/* Once. */
void edge_leave_start(struct edge_leave *l);
void edge_leave_destroy(struct edge_leave *l);
