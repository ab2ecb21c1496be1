/* SPDX-License-Identifier: Apache-2.0
 * match.h - the matchmaking engine (pure, event-driven): tickets in, offers out, games ordered. No clock, no I/O: `now_ms` comes with every
 * event and effects go through the table.
 *
 *   ticket:  --open--> WAITING --match found--> OFFERED --all accepted--> gone (matched)
 *                       ^   |                    |  |
 *                       |   +--cancel, expiry,   |  +--his edge refused, cancel, edge lost--> gone (opened again if it still waits)
 *                       |      edge lost--> gone |
 *                       +--1 s, or open again-- HELD <--undone (another refused, no answer in 2 s): released, keeps its place
 *
 *   WAITING --lent to another region's match--> AWAY --accepted, or refused--> gone; --released, no answer in 4 s--> HELD
 *
 *   match:   OFFERING --all accepted--> CREATING --created, refused or 3 s--> gone
 *               +-----refused, 2 s----> undone
 *
 * The player's edge decides: a ticket is in at most one match here, and its edge accepts at most one match whatever routers say. Nothing
 * here survives the process: edges hand in their tickets to each leader.
 *
 * Other regions (cross.h): a ticket that found nobody at home is told to them and stands in their pools too, with their region in the place
 * of its edge; what they offer it goes through its own leader, which lends it to one match at a time.
 *
 * Friends (groups.h): tickets with a code stand in its group instead of the pool. */
#pragma once

#include <meridian/metric.h>
#include <meridian/rng.h>
#include <meridian/slab.h>
#include <meridian/wheel.h>

#include "region-router/pool.h"
#include "region-router/steps.h"
#include "region-router/traces.h"

enum { ROUTER_MATCH_ID_BYTES = 64, ROUTER_REASON_BYTES = 159 };

struct router_seat {
    struct router_ticket *ticket; /* NULL: a bot, or the ticket is gone already */
    bool accepted;
};
struct router_match {
    char id[ROUTER_MATCH_ID_BYTES]; /* = the game's */
    struct router_bucket_key key;
    struct router_edge *owner; /* NULL when it was lost */
    struct router_seat seat[ROUTER_PLAYERS_MAX];
    unsigned humans, accepted;
    bool creating;
    struct router_matcher *matcher;
    struct mer_timer timer; /* OFFERING: offers run out; CREATING: no answer of the owner */
};

/* Everything the engine does to the world. Called from inside its functions; may not call back into it. What it says of a ticket it says as
 * the ticket was opened, valid during the call; `user`, `name` and `latency` are there for `create` and `tell` only. */
struct router_match_env {
    void (*offer)(void *ctx, const struct router_ticket_spec *t, const struct router_match *m, uint32_t deadline_ms);
    void (*release)(void *ctx, const struct router_ticket_spec *t, const struct router_match *m);
    /* next_ms: until the next step; 0: none. */
    void (*waiting)(void *ctx, const struct router_ticket_spec *t, const char *reason, uint32_t next_ms);
    void (*expired)(void *ctx, const struct router_ticket_spec *t, const char *reason);
    /* By seat; those without an id are bots'. */
    void (*create)(void *ctx, const struct router_match *m, const struct router_ticket_spec *seat);
    /* The ticket's edge is to open it again with everything: other regions are to hear of it. Never of a ticket that was opened so. */
    void (*ask)(void *ctx, const struct router_ticket_spec *t);
    /* To the leader of that region: this ticket waits, do with it as with yours; it does not any more. false: not said. */
    bool (*tell)(void *ctx, const struct router_ticket_spec *t, unsigned region);
    void (*untell)(void *ctx, const struct router_ticket_spec *t, unsigned region);
    const struct mer_list *edges;         /* of struct router_edge by node: where games may be placed */
    const struct router_regions *regions; /* kept; NULL: no others, and ask, tell, untell are not called */
    struct mer_rng rng;                   /* ids, order of seats */
    struct mer_tracer *tracer;            /* kept; NULL: traces of tickets are only passed on */
    void *ctx;
};

enum router_match_count {
    ROUTER_M_WAITING, /* gauges */
    ROUTER_M_OFFERED,
    ROUTER_M_HELD,
    ROUTER_M_AWAY,
    ROUTER_M_MATCHES,
    ROUTER_M_OPENED, /* counters of tickets: opened = matched + gone away + cancelled + expired + declined + lost + what is there */
    ROUTER_M_MATCHED,
    ROUTER_M_GONE_AWAY,
    ROUTER_M_CANCELLED,
    ROUTER_M_EXPIRED,
    ROUTER_M_DECLINED,
    ROUTER_M_LOST,
    ROUTER_M_REFUSED, /* not taken at all */
    ROUTER_M_OFFERS,
    ROUTER_M_TIMEOUTS,
    ROUTER_M_RELEASES,
    ROUTER_M_BOT_SEATS,
    ROUTER_M_FAR_SEATS,
    ROUTER_M_TOLD,
    ROUTER_M_LENT,
    ROUTER_M_NOT_LENT,
    ROUTER_M_NO_ROOM,
    ROUTER_M_FRIENDS,
    ROUTER_M_CODE_MISSES,
    ROUTER_M_ORDERED,
    ROUTER_M_CREATED,
    ROUTER_M_CREATE_FAILED,
    ROUTER_M_CREATE_TIMEOUTS,
    ROUTER_M_STRAY, /* answers to nothing */
    ROUTER_M_COUNT
};

struct router_matcher {
    struct router_match_env env;
    uint64_t now_ms;
    struct router_tickets tickets;
    struct router_pool pool;
    struct router_steps steps;
    struct router_groups groups;
    struct router_traces traces;
    enum router_match_count ended; /* while untell is called: how the ticket ended */
    struct mer_map matches;        /* by id */
    struct mer_slab match_slab;
    struct mer_wheel wheel; /* of matches */
    uint64_t counts[ROUTER_M_COUNT];
    struct mer_hist waited; /* open -> matched */
};

void router_match_init(struct router_matcher *m, const struct router_match_env *env, uint64_t now_ms);
/* Forgets everything without a word. */
void router_match_deinit(struct router_matcher *m);
/* A ticket, possibly handed in again: then it only says that it waits, and what was asked for. MER_EINVALID out of the protocol's ranges,
 * MER_EBUSY beyond ROUTER_TICKETS_MAX, MER_ENOMEM; the ticket is not taken then. */
MER_MUST_CHECK enum mer_err router_match_open(struct router_matcher *m, const struct router_ticket_spec *spec, uint64_t now_ms);
/* Unknown tickets and those of other edges are ignored; so below. */
void router_match_cancel(struct router_matcher *m, const char *ticket, const struct router_edge *from, uint64_t now_ms);
/* As its own leader says, of a ticket of another region. */
void router_match_dropped(struct router_matcher *m, const char *ticket, enum router_group_why why, const struct router_edge *from,
                          uint64_t now_ms);
struct router_answer {
    const char *ticket, *match;
    bool accepted;
    const char *user, *name; /* of an accepted ticket that was opened without a name; else they may be NULL */
};
/* An acceptance that leaves out whose it is, is none. */
void router_match_answer(struct router_matcher *m, const struct router_answer *a, const struct router_edge *from, uint64_t now_ms);
void router_match_created(struct router_matcher *m, const char *match, bool created, const struct router_edge *from, uint64_t now_ms);
/* The edge takes its tickets along. */
void router_match_edge_lost(struct router_matcher *m, struct router_edge *e, uint64_t now_ms);
/* Another region offers a seat to a ticket of ours: its edge, to which the offer has to go, or NULL: it is not to be had now, which has to
 * be answered. An offer that is repeated is lent again. */
const struct router_edge *router_match_lend(struct router_matcher *m, const char *ticket, const char *match, unsigned region,
                                            uint64_t now_ms);
/* ... and takes it back. */
void router_match_returned(struct router_matcher *m, const char *ticket, const char *match, uint64_t now_ms);
/* The region, for which `e` stands, cannot be reached: its tickets are gone, it knows nothing of ours, what it was lent comes back. */
void router_match_region_lost(struct router_matcher *m, struct router_edge *e, uint64_t now_ms);
/* Runs what is due, at most `max` timers; call it at router_match_next_ms at the latest. */
unsigned router_match_advance(struct router_matcher *m, uint64_t now_ms, unsigned max);
uint64_t router_match_next_ms(const struct router_matcher *m);
/* Why is it not matched yet (one sentence), and when does something change by itself. MER_ENOTFOUND. */
MER_MUST_CHECK enum mer_err router_match_explain(const struct router_matcher *m, const char *ticket, char reason[ROUTER_REASON_BYTES],
                                                 uint32_t *next_ms);
void router_match_check(const struct router_matcher *m);
