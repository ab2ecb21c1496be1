/* SPDX-License-Identifier: Apache-2.0
 * pool.h - the pool of waiting tickets (pure): one bucket for each (game, players, rows, cols); in it tickets stand by rating, in bins with
 * a bitmap. Finding candidates costs the same however many wait. */
#pragma once

#include <meridian/map.h>

#include "region-router/tickets.h"

enum { ROUTER_BIN_POINTS = 25, ROUTER_BINS = ROUTER_RATING_MAX / ROUTER_BIN_POINTS + 1, ROUTER_BIN_WORDS = (ROUTER_BINS + 63) / 64 };

/* Who may meet whom: only tickets with the same one. Whatever else is to keep tickets apart belongs here. */
struct router_bucket_key {
    char game[ROUTER_GAME_MAX + 1]; /* padded with NUL: compared whole */
    uint8_t players, rows, cols;
};
struct router_bin {
    struct router_chain tickets; /* oldest first; approximately when many come at once */
    uint32_t since_ms;           /* when the first of them was opened */
};
struct router_bucket {
    struct router_bucket_key key;
    uint32_t number;
    uint32_t tickets;                /* that belong here, ... */
    uint32_t count;                  /* ... and those that are in the pool */
    uint32_t oldest;                 /* of these; 0: to be looked for */
    uint64_t quiet_ms;               /* no match with other regions is made here before */
    uint64_t used[ROUTER_BIN_WORDS]; /* bit a bin: not empty */
    struct router_bin bin[ROUTER_BINS];
};

struct router_pool {
    const struct router_tickets *tickets;
    struct mer_map buckets; /* by key */
    struct router_numbers numbers;
    uint32_t count; /* of all buckets */
};

void router_pool_init(struct router_pool *p, const struct router_tickets *tickets, const uint64_t seed[2]);
/* Whatever tickets there were. */
void router_pool_deinit(struct router_pool *p);
/* The ticket's bucket for as long as it lives. False: no memory. */
MER_MUST_CHECK bool router_pool_join(struct router_pool *p, struct router_ticket *t, const struct router_bucket_key *key);
void router_pool_leave(struct router_pool *p, struct router_ticket *t); /* not in the pool any more */
static inline struct router_bucket *router_pool_bucket(const struct router_pool *p, const struct router_ticket *t)
{
    return p->numbers.at[t->bucket - 1];
}
void router_pool_add(struct router_pool *p, struct router_ticket *t);
void router_pool_remove(struct router_pool *p, struct router_ticket *t); /* harmless when it is not in the pool */
/* Others of the ticket's bucket with a rating at most `window` away, nearest bins first, oldest first within a bin, never the same user; at
 * most ROUTER_SCAN_MAX are looked at. t must be in the pool. Returns how many are in out. */
unsigned router_pool_near(const struct router_pool *p, const struct router_ticket *t, uint32_t window,
                          struct router_ticket *out[ROUTER_SCAN_MAX]);
/* The oldest of a bucket; NULL when it is empty. */
struct router_ticket *router_pool_oldest(const struct router_pool *p, struct router_bucket *b);
/* Asserts the pool's rules. */
void router_pool_check(const struct router_pool *p);
