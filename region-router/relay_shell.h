/* SPDX-License-Identifier: Apache-2.0
 * relay_shell.h - relay.h on the loop, one for each other region: reads outboxes in Redis, sends them through the mesh, trims what the
 * other side has; and the other way round, puts what came into inboxes, answers, and tells the edges (decision 18). */
#pragma once

#include <meridian/err.h>

#include "meridian/internal/v1/internal.pb-c.h"

struct router_app;
struct router_relay;
struct router_relays;
struct router_edge;
struct mer_buf;

/* After the mesh. Without other regions it does nothing. */
MER_MUST_CHECK enum mer_err router_relays_create(struct router_relays **out, struct router_app *app);
/* We lead from now on: every outbox is looked at. */
void router_relays_start(struct router_relays *rs);
/* No more. What is under way ends by itself, harmlessly: effects are recognised, and what is settled may be trimmed by anybody. */
void router_relays_stop(struct router_relays *rs);
/* An edge of ours put something into an outbox. */
void router_relays_filled(struct router_relays *rs, const Meridian__Internal__V1__OutboxFilled *f);
/* Tells one edge which regions there are; NULL: all. */
void router_relays_tell(struct router_relays *rs, const struct router_edge *only);
/* presence.c: an edge of ours asks whether a user is there. Answered soon, or never. */
void router_presence_ask(struct router_relays *rs, const struct router_edge *from, const Meridian__Internal__V1__PresenceAsk *ask);
/* ... an edge of ours answers that he is at it, or not. */
void router_presence_told(struct router_relays *rs, const Meridian__Internal__V1__PresenceTold *told);
/* ... this edge is not linked any more. */
void router_presence_edge_lost(struct router_relays *rs, const struct router_edge *e);
/* Events stored for a region that it does not have yet, as last looked at; 0 for one that is none. */
uint64_t router_relays_waiting(const struct router_relays *rs, const char *region);
/* For operators; meaningful while we lead. Borrowed for this turn. */
struct router_relays_outbox {
    const char *region;
    const struct router_relay *relay;
    uint64_t waiting_ms;               /* for so long something has always waited */
    uint64_t settled, refused, failed; /* events, events, batches; since this process began */
};
/* The i-th region; returns how many there are. */
size_t router_relays_outbox(const struct router_relays *rs, size_t i, struct router_relays_outbox *out);
/* For /status: a JSON array of the regions with what waits for them. */
MER_MUST_CHECK enum mer_err router_relays_status(const struct router_relays *rs, struct mer_buf *out);
/* Call after mer_redis_destroy. */
void router_relays_destroy(struct router_relays *rs);
