/* SPDX-License-Identifier: Apache-2.0
 * events.h - the store's calls about events: a user's inbox, and the outboxes for the other regions, both in buckets of the recipient
 * (infra/redis/README.md). The contract of callbacks and results is store.h's; all calls are durable. Payloads are packed
 * state.v1.Event, at most MER_EVENT_MAX bytes. */
#pragma once

#include <meridian/event_reply.h>

#include "edge/store/store.h"

/* reply is never NULL; all 0 with AGAIN and UNKNOWN. */
typedef void (*edge_store_event_cb)(void *ctx, enum edge_store_result result, const struct mer_event_reply *reply);

struct edge_store_event {
    const char *to;              /* user */
    const char *from, *event_id; /* the same again is recognised for an hour, among the sender's last 128 to the bucket */
    const void *payload;         /* copied */
    size_t len;
};

/* Into the outbox for a region. OK; DUP; FULL (nothing was stored). */
MER_MUST_CHECK enum mer_err edge_store_event_send(struct edge_store *s, const char *region, const struct edge_store_event *e,
                                                  edge_store_event_cb cb, void *ctx);
/* Into the recipient's inbox here. OK (reply.number; items: incarnations of the edges where he is connected); DUP; FULL. */
MER_MUST_CHECK enum mer_err edge_store_event_put(struct edge_store *s, const struct edge_store_event *e, edge_store_event_cb cb, void *ctx);
/* OK: items are the oldest payloads, numbered reply.gone + 1, ...; reply.number is the last one there is. */
MER_MUST_CHECK enum mer_err edge_store_inbox_get(struct edge_store *s, const char *user, edge_store_event_cb cb, void *ctx);
/* Everything up to `number` goes. OK, also repeated. */
MER_MUST_CHECK enum mer_err edge_store_inbox_ack(struct edge_store *s, const char *user, uint64_t number, edge_store_event_cb cb,
                                                 void *ctx);
