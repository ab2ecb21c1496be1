/* SPDX-License-Identifier: Apache-2.0
 * match_bench.c - what the matchmaking engine costs, without links: tickets opened, offered, accepted, ordered, created.
 *
 *   match_bench [TICKETS [WAITING]]
 *
 * WAITING tickets that fit nobody stay in the pool meanwhile and widen their window; as many again expire on the way, and every eighth
 * ticket is cancelled. Ratings are random over the whole range, so the pool is as full as the windows leave it. A JSON line: tickets a CPU
 * second, beside what an array that pairs neighbours makes of the same tickets and answers; bytes a waiting ticket, by the pages the
 * process holds, also of tickets that other regions are to hear of; and how long after its partner's coming a ticket is offered when
 * 100,000 come every second of the real clock. Ends with 1 when the engine's own check finds anything or a ticket is not accounted for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <meridian/clock.h>
#include <meridian/id.h>

#include "region-router/match.h"

#define NAME "Ann"
enum {
    EDGES = 80,
    PENDING = 4096 /* a slice of steps, and a stall of the machine */,
    PACED_A_MS = 100,
    PACED = 300 * 1000,
    SLICE = 1000,
    CANCELLED = 8,
    WAITING_MAX = (ROUTER_TICKETS_MAX - 1000) / 2 /* as many expire, and some are being matched */
};

struct offer {
    char ticket[ROUTER_ID_TEXT], match[ROUTER_MATCH_ID_BYTES];
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
    uint64_t games, cancelled, expired, unnamed;
    struct offer floor;
};

static void on_offer(void *ctx, const struct router_ticket_spec *t, const struct router_match *x, uint32_t deadline_ms)
{
    struct bench *b = ctx;
    MER_ASSERT(b->offers < PENDING);
    struct offer *o = &b->offer[b->offers++];
    (void)deadline_ms;
    memcpy(o->ticket, t->id, strlen(t->id) + 1);
    memcpy(o->match, x->id, sizeof o->match);
    o->edge = t->edge;
}
static void on_release(void *ctx, const struct router_ticket_spec *t, const struct router_match *x)
{
    (void)ctx, (void)t, (void)x;
}
static void on_waiting(void *ctx, const struct router_ticket_spec *t, const char *reason, uint32_t next_ms)
{
    (void)ctx, (void)t, (void)reason, (void)next_ms;
}
static void on_expired(void *ctx, const struct router_ticket_spec *t, const char *reason)
{
    (void)t, (void)reason;
    ((struct bench *)ctx)->expired++;
}
static void on_create(void *ctx, const struct router_match *x, const struct router_ticket_spec *seat)
{
    struct bench *b = ctx;
    b->unnamed += strcmp(seat[0].name, NAME) != 0 || strcmp(seat[1].user, seat[1].id + 2) != 0;
    memcpy(b->created, x->id, sizeof b->created);
    b->owner = x->owner;
    b->games++;
}

enum kind { PLAYS, TIRES, WAITS, EXPIRES, NAMED };

/* Of the n-th ticket, as an edge makes them. */
static void id_of(uint64_t n, char id[ROUTER_ID_TEXT])
{
    uint8_t bytes[ROUTER_ID_BYTES] = {0};
    memcpy(bytes, &n, sizeof n);
    mer_id_write(bytes, sizeof bytes, "t-", id, ROUTER_ID_TEXT);
}

static struct router_ticket_spec ticket_of(struct bench *b, const struct mer_rng *r, uint64_t n, enum kind kind, char id[ROUTER_ID_TEXT])
{
    id_of(n, id);
    struct router_ticket_spec s = {.id = id,
                                   .user = id + 2,
                                   .game = "memory",
                                   .players = 2,
                                   .rows = 4,
                                   .cols = 4,
                                   .rating = mer_rng_below(r, ROUTER_RATING_MAX + 1),
                                   .edge = &b->e[mer_rng_below(r, EDGES)]};
    if (kind >= WAITS) /* the same user: never two of a kind */
        s.rating = 0, s.rows = 2 + (unsigned)(n % 9), s.cols = 2 + 2 * (unsigned)(n / 9 % 5), s.players = 4, s.user = "same";
    if (kind == EXPIRES) /* at any time of the run */
        s.waited_ms = ROUTER_TICKET_MS - 1000 - mer_rng_below(r, 15 * 1000);
    if (kind == NAMED)
        s.name = NAME, s.user = "g-abcdefghijklmnop";
    return s;
}

/* Returns the edge it came from. */
static struct router_edge *open_one(struct bench *b, const struct mer_rng *r, uint64_t n, uint64_t now, enum kind kind)
{
    char id[ROUTER_ID_TEXT];
    struct router_ticket_spec s = ticket_of(b, r, n, kind, id);
    MER_ASSERT(router_match_open(&b->m, &s, now) == MER_OK);
    return s.edge;
}

static void answer_all(struct bench *b, uint64_t now)
{
    for (unsigned i = 0; i < b->offers; i++) {
        const struct offer *o = &b->offer[i];
        struct router_answer a = {.ticket = o->ticket, .match = o->match, .accepted = true, .user = o->ticket + 2, .name = NAME};
        router_match_answer(&b->m, &a, o->edge, now);
        if (b->created[0] != 0)
            router_match_created(&b->m, b->created, true, b->owner, now);
        b->created[0] = 0;
    }
    b->offers = 0;
}

static void advance(struct bench *b, uint64_t now)
{
    for (unsigned e = 0; e < EDGES; e++)
        b->e[e].reported_ms = now;
    router_match_advance(&b->m, now, SLICE);
}

static void cancel(struct bench *b, uint64_t n, const struct router_edge *from, uint64_t now)
{
    char id[ROUTER_ID_TEXT];
    id_of(n, id);
    router_match_cancel(&b->m, id, from, now);
    b->cancelled++;
}

/* Of a core, whatever else the machine does. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* As fast as it goes; the engine's clock at 100,000 tickets a second, so that windows widen and tickets expire. */
static double flat_out(struct bench *b, const struct mer_rng *r, uint64_t first, uint64_t tickets, uint64_t *now)
{
    double begin = cpu_seconds();
    for (uint64_t i = 0; i < tickets; i++) {
        if (i % PACED_A_MS == 0)
            advance(b, ++*now);
        bool tires = i % CANCELLED == 0;
        struct router_edge *from = open_one(b, r, first + i, *now, tires ? TIRES : PLAYS);
        if (tires)
            cancel(b, first + i, from, *now);
        answer_all(b, *now);
    }
    return cpu_seconds() - begin;
}

/* The least that pairs tickets: the one that waits and the one that comes. Everything around it as above. */
static double array_queue(struct bench *b, const struct mer_rng *r, uint64_t tickets)
{
    double begin = cpu_seconds();
    struct offer waits[1];
    unsigned count = 0;
    for (uint64_t i = 0; i < tickets; i++) {
        char id[ROUTER_ID_TEXT];
        struct router_ticket_spec s = ticket_of(b, r, i, PLAYS, id);
        if (i % CANCELLED == 0)
            continue;
        if (count == 1) {
            b->floor = waits[--count];
            id_of(i, b->floor.match);
        }
        memcpy(waits[count].ticket, s.id, sizeof waits[0].ticket);
        waits[count].edge = s.edge;
        count = (count + 1) % 2;
        __asm__ volatile("" ::"r"(&b->floor), "r"(waits) : "memory");
    }
    return cpu_seconds() - begin;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* 100,000 a second by the real clock. A ticket that completes a match has waited from when it was due. */
static uint32_t paced_p99_us(struct bench *b, const struct mer_rng *r, uint64_t first, uint64_t *now, uint64_t *matches)
{
    static uint32_t late[PACED];
    struct mer_clock clock = mer_clock_system();
    uint64_t start_us = clock.mono_us(clock.ctx), begin = *now, n = 0;
    for (uint64_t i = 0; i < PACED; i++) {
        uint64_t due_us = start_us + i * 1000 / PACED_A_MS, now_us;
        while ((now_us = clock.mono_us(clock.ctx)) < due_us)
            ;
        if (begin + (now_us - start_us) / 1000 > *now)
            advance(b, *now = begin + (now_us - start_us) / 1000);
        open_one(b, r, first + i, *now, PLAYS);
        if (b->offers > 0)
            late[n++] = (uint32_t)(clock.mono_us(clock.ctx) - due_us);
        answer_all(b, *now);
    }
    qsort(late, n, sizeof late[0], by_size);
    *matches = n;
    return n > 0 ? late[n * 99 / 100] : 0;
}

static void start(struct bench *b, struct mer_rng rng, uint64_t now)
{
    mer_list_init(&b->edges);
    for (unsigned i = 0; i < EDGES; i++) {
        b->e[i].host_hash = i / 8;
        b->e[i].reported = true;
        b->e[i].max_connections = 1000000;
        mer_list_push_back(&b->edges, &b->e[i].node);
    }
    struct router_match_env env = {.offer = on_offer,
                                   .release = on_release,
                                   .waiting = on_waiting,
                                   .expired = on_expired,
                                   .create = on_create,
                                   .edges = &b->edges,
                                   .rng = rng,
                                   .ctx = b};
    router_match_init(&b->m, &env, now);
}

/* Pages that the process holds. */
static double held_bytes(void)
{
    unsigned long all, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    if (f != NULL)
        fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* What each of so many costs that fit nobody. */
static double bytes_a_ticket(uint64_t tickets, enum kind kind)
{
    static struct bench b;
    struct mer_rng_seeded s1, s2;
    struct mer_rng r = mer_rng_seed(&s1, 1);
    start(&b, mer_rng_seed(&s2, 2), 1000000);
    double before = held_bytes();
    for (uint64_t i = 0; i < tickets; i++)
        open_one(&b, &r, i, 1000000, kind);
    double each = tickets > 0 ? (held_bytes() - before) / (double)tickets : 0;
    router_match_deinit(&b.m);
    return each;
}

/* Every ticket has ended in one of the ways, or is still there. */
static bool all_accounted_for(const struct bench *b)
{
    const uint64_t *c = b->m.counts;
    router_match_check(&b->m);
    return c[ROUTER_M_OPENED] == c[ROUTER_M_MATCHED] + c[ROUTER_M_CANCELLED] + c[ROUTER_M_EXPIRED] + b->m.tickets.count &&
           c[ROUTER_M_CANCELLED] == b->cancelled && c[ROUTER_M_EXPIRED] == b->expired && b->unnamed == 0;
}

int main(int argc, char **argv)
{
    static struct bench b;
    uint64_t tickets = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000, waiting = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000;
    struct mer_rng_seeded s1, s2;
    struct mer_rng r = mer_rng_seed(&s1, 1);
    uint64_t now = 1000000, matches;
    if (argc > 3 || tickets == 0 || waiting > WAITING_MAX) {
        fprintf(stderr, "match_bench [TICKETS [WAITING]]: at least one ticket, at most %d waiting\n", WAITING_MAX);
        return 2;
    }
    double each = bytes_a_ticket(2 * waiting, WAITS), named = bytes_a_ticket(2 * waiting, NAMED);
    start(&b, mer_rng_seed(&s2, 2), now);
    for (uint64_t i = 0; i < 2 * waiting; i++)
        open_one(&b, &r, i, now, i % 2 == 0 ? WAITS : EXPIRES);
    double seconds = flat_out(&b, &r, 2 * waiting, tickets, &now), floor = array_queue(&b, &r, tickets);
    bool whole = all_accounted_for(&b);
    uint64_t games = b.games;
    uint32_t p99_us = paced_p99_us(&b, &r, 2 * waiting + tickets, &now, &matches);
    whole = all_accounted_for(&b) && whole;
    printf("{\"tickets\": %llu, \"games\": %llu, \"cancelled\": %llu, \"expired\": %llu, \"waiting\": %u, \"cpuSeconds\": %.3f, "
           "\"ticketsPerCpuSecond\": %.0f, \"arrayQueuePerCpuSecond\": %.0f, \"bytesPerWaitingTicket\": %.1f, "
           "\"bytesPerNamedTicket\": %.1f, \"matchesAt100000PerSecond\": %llu, \"p99Us\": %u, \"whole\": %s}\n",
           (unsigned long long)tickets, (unsigned long long)games, (unsigned long long)b.cancelled, (unsigned long long)b.expired,
           b.m.tickets.count, seconds, (double)tickets / seconds, (double)tickets / floor, each, named, (unsigned long long)matches, p99_us,
           whole ? "true" : "false");
    router_match_deinit(&b.m);
    return whole ? 0 : 1;
}
