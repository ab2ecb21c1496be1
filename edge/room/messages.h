/* SPDX-License-Identifier: Apache-2.0
 * messages.h - direct messages to a user anywhere (R29, R31): stored first, in the recipient's inbox or in the outbox for his region, then
 * answered by `message_ok`, then pushed to where he is connected. What is not acknowledged comes again with his next connection. */
#pragma once

#include "edge/app.h"
#include "meridian/client/v1/client.pb-c.h"

struct edge_messages;

struct edge_message_sender { /* borrowed */
    const char *user, *name, *session;
};

MER_MUST_CHECK enum mer_err edge_messages_create(struct edge_messages **out, struct edge_app *app);
/* Checked, stored, answered on the session by `message_ok` or `error`. */
void edge_messages_send(struct edge_messages *ms, const struct edge_message_sender *from, const Meridian__Client__V1__SendMessage *m);
/* The user has everything up to seq; rest: this session wants what is behind it. Soft: what is lost comes again. */
void edge_messages_ack(struct edge_messages *ms, const struct edge_message_sender *from, uint64_t seq, bool rest);
/* What is in the user's inbox, to this session. */
void edge_messages_sync(struct edge_messages *ms, const char *user, const char *session);
/* Our own, or one of the others; any while they are not known. The case of letters does not count. */
bool edge_messages_has_region(const struct edge_messages *ms, const char *region);
/* After the store's last callback. */
void edge_messages_destroy(struct edge_messages *ms);
