/* SPDX-License-Identifier: Apache-2.0
 * seats_private.h - shared by the files of the players' side: seats.c (proxies), seats_told.c (what the owner tells them), seats_find.c
 * (who owns the game), seats_ask.c (requests and their answers). */
#pragma once

#include <string.h>

#include <meridian/map.h>

#include "edge/game/game.h"
#include "edge/game/seats.h"

enum {
    EDGE_SEATS_RENEW_MS = 2000,  /* the lease is 5 s: one renewal may be lost */
    EDGE_SEATS_ANSWER_MS = 1000, /* an attach without an answer is sent again */
    EDGE_SEATS_ATTACH_TRIES = 4, /* then the record is read: the owner may be another */
    EDGE_SEATS_RETRY_MIN_MS = 50,
    EDGE_SEATS_RETRY_MAX_MS = 1000,
    EDGE_SEATS_TELL_MS = 2000,        /* game_paused reason link, after so long without the owner */
    EDGE_SEATS_BIRTH_MS = 4000,       /* a game that is not there yet may still be created: the router waits 3 s */
    EDGE_SEATS_ABSENT_MS = 30 * 1000, /* a game that was played and is gone: the user is told after so long */
    EDGE_SEATS_DEADLINE_MS = 10000,   /* of a request; the owner gives up after 8 s */
    EDGE_SEATS_REQUESTS = 64,         /* of one proxy at once */
    EDGE_SEATS_DEAD_MS = 10 * 1000,   /* how long "dead" is believed: it may have been asleep, and be back */
    EDGE_SEATS_LOOKUPS = 256,         /* requests without a proxy being looked up at once; no special reason */
};

enum edge_seats_metric {
    EDGE_SEATS_M_PROXIES,
    EDGE_SEATS_M_ATTACHES,
    EDGE_SEATS_M_SNAPSHOTS,
    EDGE_SEATS_M_EVENTS,
    EDGE_SEATS_M_GAPS,
    EDGE_SEATS_M_REFUSED,
    EDGE_SEATS_M_REQUESTS,
    EDGE_SEATS_M_EXPIRED,
    EDGE_SEATS_M_LATE,
    EDGE_SEATS_M_LOOKUPS,
    EDGE_SEATS_M_FINDS,
    EDGE_SEATS_M_ADOPTIONS,
    EDGE_SEATS_M_LINK_PAUSES,
    EDGE_SEATS_M_VANISHED,
    EDGE_SEATS_M_OUT_OF_REACH,
    EDGE_SEATS_M_COUNT
};

struct edge_seats {
    struct edge_seats_conf c;
    struct mer_map proxies;  /* by user */
    struct mer_list all;     /* of edge_proxy */
    struct mer_list lookups; /* of requests without a proxy */
    unsigned lookup_count;
    bool destroying;
    uint64_t values[EDGE_SEATS_M_COUNT];
    struct mer_metric_set set;
};

enum edge_proxy_state { EDGE_PROXY_ATTACHING, EDGE_PROXY_ATTACHED, EDGE_PROXY_FINDING, EDGE_PROXY_ADOPTING };

/* Timer: the earliest of: what the state waits for (act_ms), the oldest request's deadline, telling the user of a lost owner. */
struct edge_proxy {
    struct edge_seats *seats;
    struct mer_list node;
    struct mer_timer timer;
    struct mer_list asks;   /* of edge_proxy_ask, in order */
    struct mer_span *found; /* his ticket's, until he is told `matched`; NULL: it was not traced */
    unsigned ask_count;
    uint8_t state;
    bool gone;        /* removed; freed when nobody holds it */
    bool far;         /* the game is another region's */
    unsigned holds;   /* answers the store owes, and callers up the stack */
    bool voiding;     /* FINDING: the game is absent and being made impossible */
    bool matched_due; /* the next snapshot goes out with `matched` */
    bool show;        /* the next snapshot goes out even when nothing was missed */
    bool told;        /* game_paused reason link */
    bool blind;       /* a state of the paused game was shown: it names no turn, and neither will game_resumed */
    bool reading;     /* FINDING: the store owes an answer */
    unsigned tries;   /* since the last success */
    uint64_t version; /* last shown; 0: none */
    uint64_t act_ms;  /* 0: the state waits for an answer only */
    uint64_t lost_ms; /* when it was last attached; 0: it is now */
    uint32_t seat;    /* known once attached */
    char user[EDGE_GAME_USER_MAX + 1], game[EDGE_GAME_ID_MAX + 1];
    char owner[EDGE_GAME_SESSION_MAX + 1];     /* "": not known */
    char not_owner[EDGE_GAME_SESSION_MAX + 1]; /* is dead, or does not know the game: if the record still names it, the game is adopted */
    uint64_t not_owner_ms;                     /* when that was found out */
};

struct edge_proxy_ask {
    struct mer_list node;
    uint8_t kind; /* SeatRequest body case */
    uint32_t card;
    uint64_t until_ms;
    struct mer_span span; /* from its coming until its answer */
    char session[EDGE_GAME_SESSION_MAX + 1];
    char move_id[EDGE_GAME_MOVE_ID_MAX + 1];
};

/* A bounded copy; s is known to fit. */
#define EDGE__SEATS_COPY(array, s) edge__seats_copy((array), sizeof(array), (s))
static inline void edge__seats_copy(char *out, size_t size, const char *s)
{
    size_t n = strlen(s);
    MER_ASSERT(n < size);
    memcpy(out, s, n + 1);
}

/* seats.c */
void edge__proxy_shown(struct edge_proxy *p, const Meridian__Client__V1__ServerMessage *m);          /* to a device of the user */
struct edge_proxy *edge__proxy_find(const struct edge_seats *s, const char *user, const char *game); /* game NULL: any */
MER_MUST_CHECK struct edge_proxy *edge__proxy_add(struct edge_seats *s, const char *user, const char *game);
void edge__proxy_remove(struct edge_proxy *p); /* with what still waits; freed when nobody holds it */
static inline void edge__proxy_hold(struct edge_proxy *p)
{
    p->holds++;
}
void edge__proxy_release(struct edge_proxy *p);
void edge__proxy_arm(struct edge_proxy *p);
/* Without an owner from now on (remembers since when). */
void edge__proxy_set(struct edge_proxy *p, enum edge_proxy_state state, uint64_t act_in_ms);
uint64_t edge__proxy_backoff(struct edge_proxy *p);
void edge__proxy_attach(struct edge_proxy *p);
/* The user has no game here any more: tells the session layer, removes the proxy. clear: also in the store. */
void edge__proxy_unseat(struct edge_proxy *p, bool clear);
void edge__proxy_detach(struct edge_proxy *p);
/* The owner it has is none: dead, or does not know the game. */
void edge__proxy_not_owner(struct edge_proxy *p);
MER_MUST_CHECK bool edge__proxy_send(struct edge_proxy *p, Meridian__Internal__V1__BusMessage *m);

/* seats_told.c */
void edge__seats_told_init(struct edge_seats *s);

/* seats_open.c: the user's devices at other edges of ours are told where his seat is. */
void edge__seats_tell_devices(struct edge_seats *s, const Meridian__Internal__V1__SeatOpen *o, const char *owner);

/* seats_find.c */
void edge__proxy_find_owner(struct edge_proxy *p);
/* The region of the game does not answer for too long: the user is told, his record cleared, the proxy gone. */
void edge__proxy_out_of_reach(struct edge_proxy *p);

void edge__seats_adopted(void *ctx, const char *game_id, enum mer_err err);

/* seats_ask.c */
/* The request as a proxy keeps it; returns its game's id, borrowed from m. */
const char *edge__ask_make(const struct edge_seats *s, const char *session, const Meridian__Client__V1__ClientMessage *m,
                           struct edge_proxy_ask *out);
/* What is traced of it ends here: just before it is told, because who is told may end the session, and the proxy with it. */
void edge__ask_answered(struct edge_seats *s, const struct edge_proxy_ask *ask, const char *game,
                        const Meridian__Client__V1__ServerMessage *answer);
/* The same of the ticket that led here; NULL: nothing went wrong. */
void edge__proxy_found(struct edge_proxy *p, const char *error);
void edge__ask_error(struct edge_seats *s, const struct edge_proxy_ask *ask, const char *game, Meridian__Client__V1__ErrorCode code);
/* Copied; sent now or when attached. */
void edge__proxy_ask(struct edge_proxy *p, const struct edge_proxy_ask *ask);
void edge__proxy_resend(struct edge_proxy *p);
/* A reply of the owner: to the session that asked, when it still waits. */
MER_MUST_CHECK bool edge__proxy_reply(struct edge_proxy *p, const Meridian__Internal__V1__Reply *r);
/* try_again for those past their deadline. */
void edge__proxy_expire(struct edge_proxy *p);
/* Every waiting request is answered with this error. */
void edge__proxy_fail(struct edge_proxy *p, Meridian__Client__V1__ErrorCode code);
/* ... is answered out of the store; leave_game is forgotten when it was answered by an event. */
void edge__asks_to_lookup(struct edge_proxy *p, bool left);
void edge__asks_drop(struct edge_proxy *p); /* without an answer */

/* seats_lookup.c */
void edge__seats_lookup(struct edge_seats *s, const char *user, const char *game, const struct edge_proxy_ask *ask);
void edge__seats_lookups_deinit(struct edge_seats *s);
