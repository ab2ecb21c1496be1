/* SPDX-License-Identifier: Apache-2.0
 * deliver.h - the ladder: a message to a user goes to his sessions on this edge and, through the registry and the bus, to those on other
 * edges of the region (architecture section 2). Nobody above knows which rung was taken. */
#pragma once

#include "edge/app.h"
#include "meridian/client/v1/client.pb-c.h"

/* The message is borrowed. Other edges get it when the registry has answered: soft, like every notice. */
void edge_deliver(struct edge_app *app, const char *user, const Meridian__Client__V1__ServerMessage *m);
/* Registers the bus handlers of this folder: user_message, session_replace. */
void edge_deliver_init(struct edge_app *app);
