/* SPDX-License-Identifier: Apache-2.0
 * limits.h - every number of the region router, with its reason. */
#pragma once

enum {
    /* Matchmaking */
    ROUTER_RATING_MAX = 5000, /* protocol: rating is 0-5000 */
    ROUTER_PLAYERS_MIN = 2,   /* protocol: players is 2-4 */
    ROUTER_PLAYERS_MAX = 4,
    ROUTER_BOARD_MIN = 2, /* protocol: rows and cols are 2-10 */
    ROUTER_BOARD_MAX = 10,
    ROUTER_WINDOW_START = 100,      /* rating points either way at once; no special reason */
    ROUTER_WINDOW_STEP = 100,       /* more with every step */
    ROUTER_STEP_MS = 2 * 1000,      /* how often a ticket's window widens */
    ROUTER_ANY_MS = 20 * 1000,      /* from then on any rating will do */
    ROUTER_SLOW_STEP_MS = 5 * 1000, /* ... and it is only looked at again in case servers had no room */
    ROUTER_RING_MS = 8192,          /* longer than any of a ticket's steps, and a power of two */
    ROUTER_FILL_MS = 10 * 1000,     /* protocol: `fill` after 10 s */
    ROUTER_TICKET_MS = 120 * 1000,  /* a ticket that waited so long expires */
    ROUTER_OFFER_MS = 2 * 1000,     /* an edge answers an offer with one store write: far above that */
    ROUTER_CREATE_MS = 3 * 1000,    /* the owner answers with one store write too */
    ROUTER_HOLD_MS = 1000,          /* a ticket whose edge refused or was silent is left alone so long */
    ROUTER_FAILURES_MAX = 3,        /* in a row; then the ticket is given up and its edge told */
    ROUTER_STATUS_MS = 1000,        /* a ticket's reason is told at most so often */
    ROUTER_SCAN_MAX = 16,           /* candidates looked at for one match: bounds the work of a ticket */
    ROUTER_TICKETS_MAX = 2000000,   /* 2 million waiting players, R1 with headroom */
    ROUTER_REGION_BYTES = 32,       /* a region's name with its NUL: 31 bytes, as the footprint allows */
    ROUTER_TEXT_MAX = 256,          /* bytes of an id, user, name or game that edges hand in */
    ROUTER_GAME_MAX = 32,           /* bytes of a game's name */
    ROUTER_BUCKETS_KEPT = 64,       /* empty pools kept for the next ticket */

    /* Other regions. The steps are steps of the ticket too: multiples of ROUTER_STEP_MS */
    ROUTER_REGIONS_MAX = 16,       /* bits of a ticket's `told` */
    ROUTER_PATIENCE_MS = 6 * 1000, /* own region first; no special reason */
    ROUTER_WORLD_MS = 12 * 1000,   /* then everywhere: behind ROUTER_FILL_MS, a bot is nearer than another continent */
    ROUTER_SOON_MS = 1000,         /* a better host that all accept so soon is waited for: half a step */
    ROUTER_NEAR_CAP_MS = 100,      /* neighbours: both coasts, or a coast and Europe */
    ROUTER_WORLD_CAP_MS = 400,     /* a turn of seconds bears it; beyond is a broken line, not a distance */
    ROUTER_QUIET_MS = 1000,        /* refused there, at random up to so long before the next offer: five times the longest way */
    ROUTER_AWAY_MS = 4 * 1000,     /* an offer of another region: its two seconds, and the way there and back twice */

    /* Friends with a code */
    ROUTER_INVITE_MS = 10 * 60 * 1000, /* such a ticket waits so long: a friend has to read his messages first */
    ROUTER_GROUP_LOOK_MS = 4 * 1000,   /* nobody hosts: it may be on its way from another region, or from an edge to a new leader */
    ROUTER_GROUP_LOST_MS = 30 * 1000,  /* a host whose edge or region was lost comes back within a new leader's lease, and opens it again */
    ROUTER_GROUP_MAX = 8,              /* tickets of one code: four seats, and as many that others have replaced */
    ROUTER_GROUP_AFAR_MS = 1000,       /* a region whose distance nobody knows yet: behind all others, but no reason to refuse a friend */
    ROUTER_GROUPS_SPENT = 16384,       /* remembered, 2 MB */

    /* Placement */
    ROUTER_STALE_MS = 3 * 1000, /* three reports missing */
    ROUTER_BUSY_PERMILLE = 950, /* of a core: such an edge hosts no new game */

    /* Dead edges */
    ROUTER_SILENT_MS = 3 * 1000,    /* without a link: three heartbeats; then its liveness key is looked at */
    ROUTER_LIVE_TTL_MS = 10 * 1000, /* of that key: architecture section 4 */
    ROUTER_CHECK_MS = 500,          /* how often it is looked at */
    ROUTER_BRAKE_MS = 60 * 1000,    /* window of the brake; no special reason */
    ROUTER_CLAIMS_TICK_MS = 100,
    ROUTER_SLICES_AN_EDGE = 2,   /* claims are paced: an edge plays meanwhile */
    ROUTER_SLICE_MS = 10 * 1000, /* far above what 64 reads and some hundred claims take */
    ROUTER_SLICE_RETRY_MS = 500,

    /* Draining edges */
    ROUTER_GAMES_A_TARGET = 200, /* games a second that one edge takes over: one durable call each, beside its own moves */
    ROUTER_TARGETS_MAX = 64,     /* no special reason: games go round */

    /* Relay */
    ROUTER_RELAY_EVENTS_MAX = 128,             /* of one batch */
    ROUTER_RELAY_BYTES = 32 * 1024,            /* of one batch, which is half a frame: one event more than fits is still sent */
    ROUTER_RELAY_FLIGHT_BYTES = 768 * 1024,    /* on their way to a region: three quarters of what may wait on a link */
    ROUTER_RELAY_WINDOW = 256,                 /* batches of them: 1,000 buckets in four round trips */
    ROUTER_RELAY_INCOMING_MAX = 512,           /* twice the window: what came before a cut link may still be under way */
    ROUTER_RELAY_INCOMING_BYTES = 1536 * 1024, /* likewise */
    ROUTER_RELAY_TICK_MS = 50,
    ROUTER_RELAY_RETRY_MS = 500,        /* after a failure; a shard fails over in seconds */
    ROUTER_RELAY_ANSWER_MS = 10 * 1000, /* an answer that takes longer than the link's death would is lost */
    ROUTER_RELAY_SCAN_FIRST = 64,       /* buckets a tick that a new leader looks at: all in a second */
    ROUTER_RELAY_SCAN = 4,              /* ... and from then on: all in 13 s, for hints that were lost */
    ROUTER_PRESENCE_MAX = 1024,         /* lookups under way; beyond them questions stay without an answer */
    ROUTER_PRESENCE_GRACE_MS = 5000,    /* R28 */
    ROUTER_PRESENCE_EDGE_MS = 500,      /* an edge's answer: a quarter of what the player's edge waits for the whole */
    ROUTER_PRESENCE_LOST = 256,         /* edges lost within the grace; no special reason: a region's, all at once */
    ROUTER_RELAY_SCANS_MAX = 256,       /* looks without an answer yet */

    /* Leadership */
    ROUTER_LEASE_MS = 10 * 1000,     /* architecture section 5 */
    ROUTER_RENEW_MS = 2 * 1000,      /* three tries before the holder stops acting at 2/3 */
    ROUTER_CAMPAIGN_MS = 500,        /* a standby looks at the lease so often when it cannot see the leader */
    ROUTER_REDIS_WAIT_MS = 500,      /* architecture section 4 */
    ROUTER_REDIS_DEADLINE_MS = 1500, /* a renewal that took longer has failed; the next one follows */
    ROUTER_LISTED_MAX = 256,         /* edges told to players: a list for a client, not an inventory */
    ROUTER_SHUTDOWN_MS = 2 * 1000,   /* releasing the lease may take so long */

    /* What players are told of other regions */
    ROUTER_NEWS_MS = 5 * 1000,        /* how old "full" may be before others hear of it */
    ROUTER_NEWS_STALE_MS = 15 * 1000, /* three of them missing */
    ROUTER_NEWS_EDGES = 16,           /* of a region: a player tries a few, the shared address is behind them */
    ROUTER_NEWS_REGIONS = 16,         /* as many as the footprint may have */

    /* The wall */
    ROUTER_WALL_MS = 1000,            /* people do not read faster */
    ROUTER_WALL_STALL_MS = 10 * 1000, /* a page that takes nothing for so long is asleep */
    ROUTER_WALL_LISTENERS = 16,       /* a quarter of what may connect: scrapers and probes come first */
    ROUTER_WALL_EDGES = 16,           /* that drain: a screen has an end */
    ROUTER_WALL_QUEUED = 512 * 1024,  /* bytes; as the alert on links says */
    ROUTER_WALL_WAITING = 1000,       /* events; no special reason */
    ROUTER_PACE_STEP_MS = 5 * 1000,   /* twelve make the minute */

    /* Mesh of regions */
    ROUTER_MESH_FORGET_MS = 30 * 1000, /* another region's epochs may begin anew after three leases without a leader */
    ROUTER_MESH_ACCEPTED_MAX = 256,    /* connections at a time, most of them of strangers: some 100 KB each until TLS ends them */
    ROUTER_CERTIFICATE_LOOK_MS = 60 * 60 * 1000,
    ROUTER_CERTIFICATE_WARN_S = 14 * 24 * 60 * 60, /* time for a person to notice and to act, holidays included */
};
