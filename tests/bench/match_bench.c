/* SPDX-License-Identifier: Apache-2.0
 * match_bench.c - how many tickets a second the matchmaking engine takes, without links: opened, offered, accepted, ordered, created.
 *
 *   match_bench [TICKETS [WAITING]]      WAITING tickets that fit nobody stay in the pool meanwhile
 *
 * Prints one JSON line. Ratings are random over the whole range, so the pool is as full as the windows leave it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/clock.h>

#include "region-router/match.h"

enum { EDGES = 80, PENDING = 64 };

struct offer {
    char ticket[24], match[ROUTER_MATCH_ID_BYTES];
    struct router_edge *edge;
};
struct bench {
    struct router_matcher m;
    struct router_edge e[EDGES];
    struct mer_list edges;
    struct offer offer[PENDING];
    unsigned offers;
    char created[ROUTER_MATCH_ID_BYTES];
    struct router_edge *owner;
    uint64_t games;
};

static void on_offer(void *ctx, const struct router_ticket *t, const struct router_match *x, uint32_t deadline_ms)
{
    struct bench *b = ctx;
    struct offer *o = &b->offer[b->offers++];
    (void)deadline_ms;
    snprintf(o->ticket, sizeof o->ticket, "%s", t->id);
    memcpy(o->match, x->id, sizeof o->match);
    o->edge = t->edge;
}
static void on_release(void *ctx, const struct router_ticket *t, const struct router_match *x)
{
    (void)ctx, (void)t, (void)x;
}
static void on_waiting(void *ctx, const struct router_ticket *t, const char *reason, uint32_t next_ms)
{
    (void)ctx, (void)t, (void)reason, (void)next_ms;
}
static void on_expired(void *ctx, const struct router_ticket *t, const char *reason)
{
    (void)ctx, (void)t, (void)reason;
}
static void on_create(void *ctx, const struct router_match *x)
{
    struct bench *b = ctx;
    memcpy(b->created, x->id, sizeof b->created);
    b->owner = x->owner;
    b->games++;
}

static void open_one(struct bench *b, const struct mer_rng *r, uint64_t n, uint64_t now, unsigned rows)
{
    char id[24];
    snprintf(id, sizeof id, "t-%llu", (unsigned long long)n);
    struct router_ticket_spec s = {.id = id,
                                   .user = id,
                                   .name = "Ann",
                                   .game = "memory",
                                   .players = 2,
                                   .rows = rows,
                                   .cols = 4,
                                   .rating = mer_rng_below(r, ROUTER_RATING_MAX + 1),
                                   .edge = &b->e[mer_rng_below(r, EDGES)]};
    if (rows != 4) /* never two of a kind within reach: they stay */
        s.rating = 0, s.rows = 2 + (unsigned)(n % 9), s.cols = 2 + (unsigned)(n / 9 % 9), s.players = 4, s.user = "same";
    MER_ASSERT(router_match_open(&b->m, &s, now) == MER_OK);
}

static void answer_all(struct bench *b, uint64_t now)
{
    for (unsigned i = 0; i < b->offers; i++)
        router_match_answer(&b->m, b->offer[i].ticket, b->offer[i].match, true, b->offer[i].edge, now);
    b->offers = 0;
    if (b->created[0] != 0)
        router_match_created(&b->m, b->created, true, b->owner, now);
    b->created[0] = 0;
}

int main(int argc, char **argv)
{
    static struct bench b;
    uint64_t tickets = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000, waiting = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000;
    struct mer_rng_seeded s1, s2;
    struct mer_rng r = mer_rng_seed(&s1, 1);
    struct mer_clock clock = mer_clock_system();
    uint64_t now = 1000000;
    mer_list_init(&b.edges);
    for (unsigned i = 0; i < EDGES; i++) {
        b.e[i].host_hash = i / 8;
        b.e[i].reported = true;
        b.e[i].max_connections = 1000000;
        mer_list_init(&b.e[i].tickets);
        mer_list_push_back(&b.edges, &b.e[i].node);
    }
    struct router_match_env env = {.offer = on_offer,
                                   .release = on_release,
                                   .waiting = on_waiting,
                                   .expired = on_expired,
                                   .create = on_create,
                                   .edges = &b.edges,
                                   .rng = mer_rng_seed(&s2, 2),
                                   .ctx = &b};
    router_match_init(&b.m, &env, now);
    for (uint64_t i = 0; i < waiting; i++)
        open_one(&b, &r, i, now, 2);
    uint64_t start_us = clock.mono_us(clock.ctx);
    for (uint64_t i = 0; i < tickets; i++) {
        if (i % 1000 == 0) { /* a million a second */
            now++;
            for (unsigned e = 0; e < EDGES; e++)
                b.e[e].reported_ms = now;
            router_match_advance(&b.m, now, 1000);
        }
        open_one(&b, &r, waiting + i, now, 4);
        answer_all(&b, now);
    }
    double seconds = (double)(clock.mono_us(clock.ctx) - start_us) / 1e6;
    router_match_check(&b.m);
    printf("{\"tickets\": %llu, \"games\": %llu, \"waiting\": %u, \"seconds\": %.3f, \"ticketsPerSecond\": %.0f}\n",
           (unsigned long long)tickets, (unsigned long long)b.games, b.m.tickets.count, seconds, (double)tickets / seconds);
    router_match_deinit(&b.m);
    return 0;
}
