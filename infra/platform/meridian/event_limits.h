/* SPDX-License-Identifier: Apache-2.0
 * event_limits.h - how much of events, the messages and notices to users, there may be anywhere (infra/redis/README.md). */
#pragma once

#include <meridian/err.h>

enum {
    MER_EVENT_MAX = 4 * 1024,                /* bytes of one packed event: a text of 1 KiB, four names */
    MER_OUTBOX_BYTES = 256 * 1024,           /* of one bucket and region; full: what would go there is refused (reliability F40) */
    MER_INBOX_BYTES = 64 * 1024,             /* of one user; full: messages to him are refused, the oldest stay (R29) */
    MER_INBOX_TTL_MS = 7 * 24 * 3600 * 1000, /* after the last message; no special reason */
    MER_EVENT_MARK_TTL_MS = 3600 * 1000,     /* how long a message id is remembered after the sender's last */
};
