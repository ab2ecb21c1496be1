/* SPDX-License-Identifier: Apache-2.0
 * event_reply.h - what the function library answers about events, the messages and notices to users in inboxes and outboxes (the keys and
 * functions: infra/redis/README.md). Pure over redisReply. */
#pragma once

#include <hiredis/hiredis.h>

#include <meridian/event_limits.h>

#define MER_EVENT_STATUSES(X) X(OK) X(DUP) X(FULL) X(GAP) X(LOST)
#define X(name) MER_EVENT_##name,
enum mer_event_status { MER_EVENT_STATUSES(X) };
#undef X

struct mer_event_reply {
    enum mer_event_status status;
    uint64_t time_ms;    /* Redis' clock */
    uint64_t number;     /* of the event, or of the queue's last one; 0: none */
    uint64_t gone;       /* events up to this number are gone from the queue */
    uint64_t generation; /* of the outbox; 0: the reply names none */
    size_t count;
    redisReply *const *item; /* strings: payloads, edges or counts; borrowed from the reply */
};

/* MER_EINVALID: not what the library says. */
MER_MUST_CHECK enum mer_err mer_event_reply_decode(const redisReply *reply, struct mer_event_reply *out);
