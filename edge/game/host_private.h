/* SPDX-License-Identifier: Apache-2.0
 * host_private.h - shared by the files of the owner's side: host.c (which games there are), hosted.c (one game between its core, the store
 * and the bus), host_out.c (what it sends). */
#pragma once

#include <string.h>

#include <meridian/map.h>
#include <meridian/slab.h>

#include "edge/game/game.h"
#include "edge/game/host.h"

enum {
    EDGE_HOST_GAMES = 100 * 1000,  /* no special reason: an edge of 500 thousand connections plays far fewer at once */
    EDGE_HOST_LEASE_MS = 5000,     /* architecture section 3 */
    EDGE_HOST_ATTACHED = 32,       /* of one game: 4 seats on 8 edges each */
    EDGE_HOST_OVER_MS = 60 * 1000, /* late requests find an ended game here so long, then in the store */
    EDGE_HOST_CREATE_MS =
        120 * 1000,                 /* a create without an answer is given up; the game, if there is one, is then claimed by its players */
    EDGE_HOST_ADOPT_MS = 10 * 1000, /* the same of a claim: the proxy asks again */
    EDGE_HOST_RETRY_MIN_MS = 50,
    EDGE_HOST_RETRY_MAX_MS = 1000,
    EDGE_HOST_SWEEP_TICK_MS = 1000,
    EDGE_HOST_SWEEP_BUSY_MS = 10, /* when a tick left something */
    EDGE_HOST_SWEEP_BATCH = 256,  /* architecture section 3: work of a turn is bounded */
    EDGE_HOST_UNSEAT_TRIES = 8,
    EDGE_HOST_PULSE_MS = 200,
    EDGE_HOST_SLEPT_MS = 1000,        /* a longer gap between pulses is a process that stood still, not a busy one */
    EDGE_HOST_CAREFUL_MS = 60 * 1000, /* what others knew of a liveness key that was gone is forgotten by then: bus.c 30 s, a claim 10 s */
    EDGE_HOST_HELD = 64,              /* messages of one game that wait for the store to say whose it is */
};

enum edge_host_metric {
    EDGE_HOST_M_GAMES,
    EDGE_HOST_M_STARTED,
    EDGE_HOST_M_REFUSED_CREATE,
    EDGE_HOST_M_ADOPTED,
    EDGE_HOST_M_ADOPT_LOST,
    EDGE_HOST_M_ENDED, /* by client.v1.OverReason */
    EDGE_HOST_M_LOST = EDGE_HOST_M_ENDED + 5,
    EDGE_HOST_M_ACCEPTED,
    EDGE_HOST_M_REPEATED,
    EDGE_HOST_M_REFUSED,                        /* by client.v1.ErrorCode */
    EDGE_HOST_M_PUT = EDGE_HOST_M_REFUSED + 18, /* by enum edge_store_result */
    EDGE_HOST_M_READ = EDGE_HOST_M_PUT + EDGE_STORE_UNKNOWN + 1,
    EDGE_HOST_M_SEAT, /* by enum edge_event_kind, from LEFT to PAUSED */
    EDGE_HOST_M_PAUSED = EDGE_HOST_M_SEAT + 6,
    EDGE_HOST_M_RESUMED,
    EDGE_HOST_M_RESTORED,
    EDGE_HOST_M_FROZEN,
    EDGE_HOST_M_STRAY,
    EDGE_HOST_M_BAD_RECORD,
    EDGE_HOST_M_ASIDE,
    EDGE_HOST_M_ATTACHES,
    EDGE_HOST_M_SNAPSHOTS,
    EDGE_HOST_M_TURNED_AWAY,
    EDGE_HOST_M_UNSENT,
    EDGE_HOST_M_UNSEAT_FAILED,
    EDGE_HOST_M_RESULTS,
    EDGE_HOST_M_SWEEP_ODD,
    EDGE_HOST_M_SLEEPS,
    EDGE_HOST_M_LAPSES,
    EDGE_HOST_M_HELD,
    EDGE_HOST_M_COUNT
};

struct edge_host {
    struct edge_host_conf c;
    struct edge_game_env env;
    struct mer_slab slab;      /* of edge_hosted */
    struct mer_map games;      /* by id */
    struct mer_list sweep;     /* of edge_hosted, soonest first */
    struct mer_list adoptions; /* waiting for their claim */
    struct mer_list unseats;   /* players' records to be cleared */
    struct mer_timer sweeper;
    struct mer_timer pulse;    /* doubt.c, and the fields behind */
    uint64_t pulse_ms;         /* when the clock was looked at last */
    uint64_t order;            /* what happened here, counted: questions to the store, doubts, messages that wait */
    uint64_t doubt;            /* what was known of any game before may be outdated */
    uint64_t careful_until_ms; /* until then each message is a doubt of its own */
    uint32_t lapses;           /* of the liveness key, as far as known here */
    bool live_held;
    struct mer_buf record; /* scratch: one encoded record */
    bool destroying;
    uint64_t values[EDGE_HOST_M_COUNT];
    struct mer_metric_set set, hist_set;
    struct mer_hist stored; /* a move: from the request to its confirmation */
};

/* An edge where devices of a seat's user are. */
struct edge_attach {
    uint8_t seat;
    bool present;          /* not only a session that waits for its client */
    uint64_t until_ms;     /* of the lease */
    uint64_t seen_version; /* sent there before the last renewal came: a renewal that knows less has missed something */
    char edge[EDGE_GAME_SESSION_MAX + 1];
};

/*  CREATING --stored--> LIVE --game over, 60 s; or fenced--> GONE (freed with the last answer of the store)
 *      \--refused, given up------------------------------------^ */
enum edge_hosted_phase { EDGE_HOSTED_CREATING, EDGE_HOSTED_LIVE, EDGE_HOSTED_GONE };

/* Timer. CREATING: create again. LIVE: edge_game_next_ms, or after the end: forget. Sweep: a place in the host's list. */
struct edge_hosted {
    struct edge_game core;
    struct edge_host *host;
    struct mer_timer timer;
    struct mer_list by_sweep;
    uint64_t sweep_at_ms, swept_version;
    uint8_t phase;
    uint8_t pending;  /* answers the store owes */
    uint8_t unseated; /* bit a seat: his record was cleared, or will be */
    bool lost, over_armed, verify;
    uint64_t asked, mine; /* orders: of the last question to the store, and of the last one that was answered "yours" */
    uint64_t doubt;       /* of this game only */
    struct mer_span put;  /* what the store is keeping now, where it is traced */
    bool put_ends;        /* ... as the last version */
    struct mer_list held; /* messages that wait until it is sure whose it is */
    uint8_t held_count;
    struct edge_fence fence;
    struct edge_birth *birth; /* CREATING */
    struct edge_attach *attach;
    uint8_t attach_count, attach_cap;
    uint8_t seen;                             /* bit a seat: it was attached here, so its absence is known */
    uint64_t fresh_until_ms;                  /* until then an unseen seat may still be on its way here */
    uint64_t handing_since_ms;                /* handover.c: being given away, takes no step; 0: not */
    char taken_by[EDGE_GAME_SESSION_MAX + 1]; /* LOST: the new owner, where known; being given away: to whom */
};

/* What is needed until the create is confirmed. */
struct edge_birth {
    uint64_t since_ms;
    unsigned tries;
    char edge[EDGE_RULES_SEATS][EDGE_GAME_SESSION_MAX + 1];
    char ticket[EDGE_RULES_SEATS][EDGE_GAME_ID_MAX + 1];
    struct edge_birth_trace *trace; /* host_trace.c; NULL: nobody's ticket was traced */
};

static inline struct edge_hosted *edge__hosted(struct edge_game *g)
{
    return MER_CONTAINER_OF(g, struct edge_hosted, core);
}
static inline struct edge_game_time edge__host_time(struct edge_host *h)
{
    return (struct edge_game_time){h->c.loop->now_ms, edge_store_now_ms(h->c.store)};
}
/* Before each step of the core; edge__hosted_after ends it. A crash in between is the game's. */
static inline void edge__hosted_blame(struct edge_hosted *g)
{
    edge_blame_begin(g->host->c.blame, g->core.id);
}
/* 50 ms .. 1 s, doubling, half of it jitter. */
uint64_t edge__host_backoff(struct edge_host *h, unsigned tries);

/* A bounded copy; s is known to fit, NULL is "". */
#define EDGE__COPY(array, s) edge__copy((array), sizeof(array), (s))
static inline void edge__copy(char *out, size_t size, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    MER_ASSERT(n < size);
    memcpy(out, s ? s : "", n + 1);
}

/* host.c: the table */
struct edge_hosted *edge__host_find(const struct edge_host *h, const char *gid);
MER_MUST_CHECK struct edge_hosted *edge__host_new(struct edge_host *h); /* not in the table yet; NULL: no memory, or too many */
MER_MUST_CHECK enum mer_err edge__host_add(struct edge_hosted *g);
void edge__host_drop(struct edge_hosted *g); /* out of the table; freed now or with the last answer of the store */
void edge__host_free(struct edge_hosted *g); /* one that is not in the table and waits for nothing */
void edge__host_sweep_later(struct edge_hosted *g);

/* birth.c, adopt.c */
void edge__birth_init(struct edge_host *h);
void edge__adopt_deinit(struct edge_host *h);

/* hosted.c: one game */
void edge__hosted_env(struct edge_game_env *env);
void edge__hosted_live(struct edge_hosted *g, bool fresh_turn);
void edge__hosted_sweep(struct edge_hosted *g);
/* After every step: what it has left for the shell. The game may be gone then. */
void edge__hosted_after(struct edge_hosted *g);
/* Another edge owns it: its proxies are sent there, what they asked meanwhile is turned away, and it is gone. */
void edge__hosted_let_go(struct edge_hosted *g);
/* The store has answered a call of this game; true: nobody is interested any more (and it may be freed). */
MER_MUST_CHECK bool edge__hosted_answered(struct edge_hosted *g);
/* The record into w, borrowed until the next call; false: no memory. */
MER_MUST_CHECK bool edge__hosted_encode(struct edge_hosted *g, bool restore, struct edge_store_write *w);

/* doubt.c: may it still speak for its games? */
void edge__doubt_init(struct edge_host *h);
/* First thing in every entry that judges time: has the process stood still, was its liveness key gone? */
void edge__host_pulse(struct edge_host *h);
/* Nobody else owns it: so says the store, or nobody could have claimed it since the store said so. */
bool edge__hosted_sure(const struct edge_hosted *g);
/* Somebody may have claimed it: nothing is told before the store was asked. */
void edge__hosted_doubt(struct edge_hosted *g);
/* false: it may be answered now. true: it is kept (or lost, beyond a bound) until the store has said whose the game is; the caller calls
 * edge__hosted_after, which asks. */
MER_MUST_CHECK bool edge__hosted_hold(struct edge_hosted *g, const Meridian__Internal__V1__BusMessage *m);
/* Those that may be answered now, or all, to the end of `to`. */
void edge__held_ready(struct edge_hosted *g, bool all, struct mer_list *to);
/* Handles and frees them. A game may be gone then. */
void edge__held_again(struct edge_host *h, struct mer_list *list);
void edge__held_drop(struct edge_hosted *g);

/* host_trace.c: each of these does nothing for what is not traced */
void edge__trace_ask(const struct edge_host *h, const Meridian__Internal__V1__BusMessage *m, struct edge_game_ask *ask);
/* m NULL: it was done. */
void edge__trace_answered(const struct edge_hosted *g, const struct edge_game_ask *ask, const Meridian__Client__V1__ServerMessage *m);
/* Whose the change is; NULL: nobody's who is traced. */
const struct mer_trace_context *edge__trace_asker(const struct edge_hosted *g, const struct edge_game_put *p);
/* Handed to the store, for who asked for it; then its answer. */
void edge__trace_put(struct edge_hosted *g, const struct edge_game_put *p);
void edge__trace_stored(struct edge_hosted *g, enum edge_store_result result);

/* A game that is being created: its seats came with traces; handed to the store, and its answer; how it ended, NULL: well. */
void edge__trace_create(struct edge_hosted *g, const Meridian__Internal__V1__GameCreate *c);
void edge__trace_creating(struct edge_hosted *g);
void edge__trace_created(struct edge_hosted *g, enum edge_store_result result);
void edge__trace_born(struct edge_hosted *g, const char *error);
/* What goes on with a seat of it; NULL: its ticket was not traced. Those of no seat: of the first that was. */
const struct mer_trace_context *edge__trace_seat(const struct edge_hosted *g, unsigned seat);
const struct mer_trace_context *edge__trace_birth(const struct edge_hosted *g);
void edge__birth_free(struct edge_hosted *g);

/* host_bus.c: what it hears and says */
/* A message that was held. */
void edge__host_take(struct edge_host *h, const Meridian__Internal__V1__BusMessage *m);
/* Under this fence somebody claimed it, or so it is said. true: that would be after us, and the store is asked. g may be gone then. */
bool edge__hosted_outdated(struct edge_hosted *g, uint64_t generation, uint64_t epoch);
/* To the owner whose game was claimed, in case he lives. */
void edge__host_send_claimed(struct edge_hosted *g, const char *owner);
void edge__host_bus_init(struct edge_host *h);
/* Who is there, by the leases: tells the core what has changed. */
void edge__host_presence(struct edge_hosted *g);
/* Leases that ran while the process stood still, up to now, begin anew. */
void edge__host_leases_slept(struct edge_hosted *g, uint64_t slept_ms);
/* When that has to be looked at again, on the loop's clock. */
uint64_t edge__host_presence_ms(const struct edge_hosted *g);
/* messages to the edges where players are; with `reply`, first, to the session that asked. */
void edge__host_publish(struct edge_hosted *g, const struct edge_game_ask *from, const Meridian__Client__V1__ServerMessage *reply,
                        const Meridian__Client__V1__ServerMessage *const *messages, size_t count);
struct edge_host_open {
    const char *gid, *user;
    unsigned seat;
    const char *ticket;                    /* NULL: not to the edge that accepted for him */
    const struct mer_trace_context *trace; /* NULL: it is not traced */
};
void edge__host_send_open(struct edge_host *h, const char *edge, const struct edge_host_open *o);
/* Another edge owns the game: its proxies go there. */
void edge__host_send_away(struct edge_hosted *g);
void edge__host_detach_left(struct edge_hosted *g);
