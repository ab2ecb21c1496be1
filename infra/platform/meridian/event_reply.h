/* SPDX-License-Identifier: Apache-2.0
 * event_reply.h - what the function library answers about events, the messages and notices to users in inboxes and outboxes (the keys and
 * functions: infra/redis/README.md), and the limits that edges and routers share. Pure over redisReply. */
#pragma once

#include <hiredis/hiredis.h>

#include <meridian/err.h>

enum {
    MER_EVENT_MAX = 4 * 1024,                /* bytes of one packed event: a text of 1 KiB, four names */
    MER_OUTBOX_BYTES = 256 * 1024,           /* of one bucket and region; full: what would go there is refused (reliability F40) */
    MER_INBOX_BYTES = 64 * 1024,             /* of one user; full: messages to him are refused, the oldest stay (R29) */
    MER_INBOX_TTL_MS = 7 * 24 * 3600 * 1000, /* after the last message; no special reason */
    MER_EVENT_MARK_TTL_MS = 3600 * 1000,     /* how long a message id is remembered after the sender's last */
};

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
