/* SPDX-License-Identifier: Apache-2.0
 * tickets.h - all tickets of a leader (pure): a record of 56 bytes for each, found by its id, and what only some need (router_details).
 *
 * A record points to others by number (mer_slab, numbers.h), keeps ten bytes of an id that an edge made and the low bits of times. What a
 * ticket's player is called its edge says again when a seat is his (match.h), so only tickets that other regions hear of keep it. */
#pragma once

#include <meridian/slab.h>
#include <meridian/trace.h>

#include "region-router/cross.h"
#include "region-router/groups.h"
#include "region-router/ids.h"
#include "region-router/numbers.h"
#include "region-router/place.h"

enum router_bots { ROUTER_BOTS_NONE, ROUTER_BOTS_FILL, ROUTER_BOTS_NOW };

enum router_ticket_state { TICKET_NEW, TICKET_WAITING, TICKET_OFFERED, TICKET_HELD, TICKET_AWAY, TICKET_NSTATES };

/* The lists that a ticket can be in at the same time. */
enum { ROUTER_BY_RATING /* pool.h */, ROUTER_BY_STEP /* steps.h */, ROUTER_LISTS };

struct router_links {
    uint32_t prev, next; /* numbers of tickets; 0: the end */
};

struct router_ticket {
    uint32_t next_id; /* ids.h */
    union {
        struct router_links link[ROUTER_LISTS];
        struct {
            uint32_t match; /* OFFERED: its number; AWAY: its id, hashed ... */
            uint8_t away;   /* ... and the region that offers. Neither is in the pool. */
        };
    };
    uint32_t opened_ms; /* low bits of the clock, as below */
    uint32_t user;      /* hashed */
    uint32_t bucket;    /* pool.h */
    uint32_t details;   /* 0: none */
    uint16_t rating, edge, due_ms, told_ms;
    uint8_t state : 3, bots : 2, failures : 2, no_room : 1; /* no_room: the last try found no edge to host */
    uint8_t pooled : 1, armed : 1, told : 1, far : 1, grouped : 1, odd : 1,
        traced : 1; /* grouped: it came with a code (groups.h); odd: the id's text is in the details, `id` its hash; traced: traces.h */
    uint8_t id[ROUTER_ID_BYTES];
};
_Static_assert(sizeof(struct router_ticket) == 56, "millions wait");

struct router_details {
    char *text;                           /* where the strings are */
    const char *id, *user, *name, *far;   /* NULL: not kept, or not so */
    uint16_t told;                        /* bit a region: it knows of this ticket */
    uint16_t latency[ROUTER_REGIONS_MAX]; /* by region, ROUTER_FAR: not known */
};

struct router_ticket_spec { /* strings are copied */
    const char *id, *user;
    const char *name; /* NULL: the answer to an offer will say user and name */
    const char *game;
    uint32_t players, rows, cols, rating, waited_ms;
    enum router_bots bots;
    struct router_edge *edge;
    const char *far;         /* a ticket of another region: its edge there, and `edge` stands for the region; NULL: ours */
    const uint16_t *latency; /* by region, ROUTER_FAR: not known; NULL: nothing is */
    struct router_group_wish group;
    const struct mer_trace_context *trace; /* of what led to it, and in effects of what follows; NULL: not traced */
};

struct router_tickets {
    struct mer_slab records, details;
    struct router_ids ids;
    struct router_numbers edges; /* those that have tickets */
    const struct router_regions *regions;
    uint64_t seed[2];
    uint32_t count;
};

void router_tickets_init(struct router_tickets *ts, const uint64_t seed[2], const struct router_regions *regions);
/* Frees all that are left; their edges forget them too. */
void router_tickets_deinit(struct router_tickets *ts);
struct router_ticket *router_tickets_find(const struct router_tickets *ts, const char *id);
/* The id must be new. NULL: no memory. What is not of the store (bucket, state, lists) is zero. */
MER_MUST_CHECK struct router_ticket *router_tickets_add(struct router_tickets *ts, const struct router_ticket_spec *s, uint64_t now_ms);
void router_tickets_remove(struct router_tickets *ts, struct router_ticket *t);
/* Keeps the strings that are given and the latencies, which stand fast once a region was told. False: no memory, nothing changed. */
MER_MUST_CHECK bool router_tickets_learn(struct router_tickets *ts, struct router_ticket *t, const struct router_ticket_spec *s);
/* Is it that user's? */
bool router_tickets_is_of(const struct router_tickets *ts, const struct router_ticket *t, const char *user);
void router_tickets_check(const struct router_tickets *ts);

static inline struct router_ticket *router_ticket_at(const struct router_tickets *ts, uint32_t number)
{
    return mer_slab_at(&ts->records, number);
}
static inline struct router_edge *router_ticket_edge(const struct router_tickets *ts, const struct router_ticket *t)
{
    return ts->edges.at[t->edge - 1];
}
/* NULL: none are kept. */
static inline struct router_details *router_ticket_details(const struct router_tickets *ts, const struct router_ticket *t)
{
    return t->details != 0 ? mer_slab_at(&ts->details, t->details) : NULL;
}
static inline uint32_t router_ticket_waited_ms(const struct router_ticket *t, uint64_t now_ms)
{
    return (uint32_t)now_ms - t->opened_ms;
}

/* A list of tickets by numbers. */
struct router_chain {
    uint32_t first, last;
};
void router_chain_push_back(const struct router_tickets *ts, struct router_chain *c, unsigned list, struct router_ticket *t);
void router_chain_push_front(const struct router_tickets *ts, struct router_chain *c, unsigned list, struct router_ticket *t);
void router_chain_remove(const struct router_tickets *ts, struct router_chain *c, unsigned list, struct router_ticket *t);
/* Moves all of `from` to the end of `to`. */
void router_chain_move_all(const struct router_tickets *ts, struct router_chain *to, struct router_chain *from, unsigned list);
