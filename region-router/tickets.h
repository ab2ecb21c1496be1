/* SPDX-License-Identifier: Apache-2.0
 * tickets.h - the pool of waiting tickets (pure): one bucket for each (game, players, rows, cols); in it tickets stand by rating (bins with
 * a bitmap) and by age. Finding candidates costs the same however many wait. */
#pragma once

#include <meridian/map.h>
#include <meridian/wheel.h>

#include "region-router/cross.h"
#include "region-router/place.h"

enum router_bots { ROUTER_BOTS_NONE, ROUTER_BOTS_FILL, ROUTER_BOTS_NOW };

enum { ROUTER_BIN_POINTS = 25, ROUTER_BINS = ROUTER_RATING_MAX / ROUTER_BIN_POINTS + 1, ROUTER_BIN_WORDS = (ROUTER_BINS + 63) / 64 };

struct router_bucket_key {
    char game[ROUTER_GAME_MAX + 1]; /* padded with NUL: compared whole */
    uint8_t players, rows, cols;
};
struct router_bucket {
    struct router_bucket_key key;
    uint32_t count;
    struct mer_list by_age;           /* oldest first; approximately when many come at once */
    uint64_t used[ROUTER_BIN_WORDS];  /* bit a bin: not empty */
    struct mer_list bin[ROUTER_BINS]; /* oldest first */
};

struct router_matcher;
struct router_match;

/* Timer: WAITING, HELD: the next step (widen, fill, back into the pool, expire). OFFERED: none, the match has one. */
struct router_ticket {
    struct mer_list bin, age; /* in the bucket while it is in the pool */
    struct mer_list on_edge;
    struct mer_timer timer;
    struct router_matcher *matcher;
    struct router_bucket *bucket; /* NULL when not in the pool */
    struct router_edge *edge;
    struct router_match *match; /* OFFERED */
    uint64_t opened_ms, told_ms;
    struct router_bucket_key key;
    uint16_t rating;
    uint8_t bots, state, failures;
    uint8_t regions;              /* entries of latency[] */
    uint8_t away;                 /* AWAY: the region that offers; */
    uint64_t away_match;          /* ... what, hashed */
    uint16_t told;                /* bit a region: it knows of this ticket */
    bool no_room;                 /* the last try found no edge to host */
    uint16_t *latency;            /* by region, ROUTER_FAR: not known; NULL: there are no other regions; behind the text */
    const char *id, *user, *name; /* in text[] */
    const char *far;              /* incarnation of its edge in its region; NULL: an edge of ours */
    char text[];
};

struct router_pool {
    struct mer_map buckets;
    uint32_t count; /* of all buckets */
};

void router_pool_init(struct router_pool *p, const uint64_t seed[2]);
/* The pool must be empty of tickets. */
void router_pool_deinit(struct router_pool *p);
MER_MUST_CHECK enum mer_err router_pool_add(struct router_pool *p, struct router_ticket *t);
void router_pool_remove(struct router_pool *p, struct router_ticket *t);
/* Others of the ticket's bucket with a rating at most `window` away, nearest bins first, oldest first within a bin, never the same user; at
 * most ROUTER_SCAN_MAX are looked at. t must be in the pool. Returns how many are in out. */
unsigned router_pool_near(const struct router_ticket *t, uint32_t window, struct router_ticket *out[ROUTER_SCAN_MAX]);
/* The oldest of a bucket; NULL when it is empty. */
struct router_ticket *router_pool_oldest(const struct router_bucket *b);
/* Asserts the pool's rules. */
void router_pool_check(const struct router_pool *p);
