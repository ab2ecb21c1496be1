/* SPDX-License-Identifier: Apache-2.0
 * limits.h - every limit of the edge that is not configuration, with its reason (C5). */
#pragma once

enum {
    EDGE_RING_BYTES = 4 * 1024,           /* architecture section 3: a session's ring */
    EDGE_SESSION_LINGER_MS = 60 * 1000,   /* protocol: replay reaches back 60 s, a session lives 60 s after its last connection */
    EDGE_PRESENCE_GRACE_MS = 5000,        /* R28 */
    EDGE_AUTH_DEADLINE_MS = 10 * 1000,    /* protocol: the token comes within 10 s (R11) */
    EDGE_TOKEN_SKEW_S = 5,                /* clocks of the issuer and ours; reliability allows up to 30 */
    EDGE_TOKEN_WARNING_MS = 60 * 1000,    /* protocol: `token_expiring` 60 s before the end */
    EDGE_TOKEN_GRACE_MS = 30 * 1000,      /* protocol: then 30 s of grace, then 3001 */
    EDGE_BAD_MESSAGES_A_MINUTE = 10,      /* reliability 5.4: 10 bad_json a minute -> 1008 */
    EDGE_LIMITED_MESSAGES_A_MINUTE = 100, /* no special reason: five seconds of a flood at the default rate */
    EDGE_DEVICE_MAX = 64,                 /* protocol: device [A-Za-z0-9_-]{1,64} */
    EDGE_DEVICES_A_USER = 16,             /* no special reason; bounds what one user can make an edge hold */
    EDGE_TICKET_LINGER_MS = 30 * 1000,    /* protocol: a ticket outlives the last device by 30 s */
    EDGE_TICKET_LIFE_MS = 150 * 1000,     /* the router expires a ticket after 120 s; the record's end is the backstop */
    EDGE_INVITE_MS = 10 * 60 * 1000,      /* a code waits for friends: ROUTER_INVITE_MS */
    EDGE_INVITE_LINGER_MS = 120 * 1000,   /* ... also while its owner is in another app to send it */
    EDGE_SEAT_OPEN_WAIT_MS = 6 * 1000,    /* offer 2 s + create 3 s at the router, and a second for the way */
    EDGE_GUEST_TOKEN_S = 300,             /* R11 */
    EDGE_GUEST_RENEW_MAX_S = 24 * 3600,   /* protocol: a guest token that expired at most 24 h ago can be renewed */
    EDGE_TAKE_WAIT_MS = 1500,             /* for a session of another edge; the client itself waits 5 s for a pong */
    EDGE_LATER_BYTES = 64 * 1024,         /* messages behind an undecided resume: an outbox of unanswered moves is far less */
    EDGE_BACK_KEPT_MS = 5000,             /* `resume` follows `connected` at once, or never */
    EDGE_SHOWN_KEPT_MS = 10 * 1000,       /* after a resume: what an owner said before it may come that late; a seat's lease twice */
    EDGE_DRAIN_BACK_MS = 3000,            /* who was told to come back elsewhere is not away before; clients try again after 1-2 s */
    EDGE_DRAIN_TAKEN_MS = 500,            /* whose session was taken: until his seat is attached from there */
    EDGE_REDIS_WAIT_MS = 500,             /* architecture section 4 */
    EDGE_REDIS_DEADLINE_MS = 1500,        /* of one call with its redirects; reliability rule 12 */
    EDGE_MOVE_ID_MAX = 64,                /* protocol: moveId up to 64 bytes */
    EDGE_ID_MAX = 96,                     /* game, ticket and session ids: ours are shorter than 64 */
};
