/* SPDX-License-Identifier: Apache-2.0
 * presence.h - is a user there, here or in another region (R28, R31)? Asked of the region's leader, kept by nobody. */
#pragma once

#include "edge/app.h"
#include "meridian/client/v1/client.pb-c.h"

struct edge_presence;

MER_MUST_CHECK enum mer_err edge_presence_create(struct edge_presence **out, struct edge_app *app);
/* Answered on the session by `presence` or `error`, within two seconds. */
void edge_presence_ask(struct edge_presence *ps, const char *session, const Meridian__Client__V1__GetPresence *m);
void edge_presence_destroy(struct edge_presence *ps);
