/* SPDX-License-Identifier: Apache-2.0
 * pool.c - the pool of waiting tickets (pool.h).
 *
 * Why bins and not a tree by rating: ratings are small integers, so a fixed array with a bitmap answers "the nearest one" in a few
 * instructions, needs no balancing, and a bin's list keeps the order of age for nothing. The oldest of a bucket is then the oldest of some
 * hundred bins; it is remembered until it leaves.
 *
 * Invariants (router_pool_check): a bin's bit says whether it holds tickets; each ticket of a bucket is in one bin. */
#include "region-router/pool.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

static struct mer_key bucket_key(const void *entry)
{
    const struct router_bucket *b = entry;
    return (struct mer_key){&b->key, sizeof b->key};
}

void router_pool_init(struct router_pool *p, const struct router_tickets *tickets, const uint64_t seed[2])
{
    memset(p, 0, sizeof *p);
    p->tickets = tickets;
    mer_map_init(&p->buckets, bucket_key, seed);
}

static void bucket_free(struct router_pool *p, struct router_bucket *b)
{
    mer_map_remove(&p->buckets, &b->key, sizeof b->key);
    router_numbers_give(&p->numbers, b->number);
    free(b);
}

void router_pool_deinit(struct router_pool *p)
{
    for (uint32_t i = 0; i < p->numbers.size; i++)
        if (p->numbers.at[i] != NULL)
            bucket_free(p, p->numbers.at[i]);
    router_numbers_deinit(&p->numbers);
    mer_map_deinit(&p->buckets);
    p->count = 0;
}

static struct router_bucket *bucket_new(struct router_pool *p, const struct router_bucket_key *key)
{
    struct router_bucket *b = mer_try_calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->key = *key;
    b->number = router_numbers_take(&p->numbers, b, UINT32_MAX);
    if (b->number == 0) {
        free(b);
        return NULL;
    }
    if (mer_map_put(&p->buckets, b) != MER_OK) {
        router_numbers_give(&p->numbers, b->number);
        free(b);
        return NULL;
    }
    return b;
}

bool router_pool_join(struct router_pool *p, struct router_ticket *t, const struct router_bucket_key *key)
{
    struct router_bucket *b = mer_map_get(&p->buckets, key, sizeof *key);
    if (b == NULL)
        b = bucket_new(p, key);
    if (b == NULL)
        return false;
    b->tickets++;
    t->bucket = b->number;
    return true;
}

void router_pool_leave(struct router_pool *p, struct router_ticket *t)
{
    struct router_bucket *b = router_pool_bucket(p, t);
    MER_DASSERT(!t->pooled);
    t->bucket = 0;
    if (--b->tickets == 0 && p->buckets.count > ROUTER_BUCKETS_KEPT)
        bucket_free(p, b);
}

static unsigned bin_of(const struct router_ticket *t)
{
    return t->rating / ROUTER_BIN_POINTS;
}

/* By the low bits of the clock, which stand for times that are not far apart. */
static bool older(uint32_t a_ms, uint32_t b_ms)
{
    return (int32_t)(a_ms - b_ms) < 0;
}

void router_pool_add(struct router_pool *p, struct router_ticket *t)
{
    struct router_bucket *b = router_pool_bucket(p, t);
    unsigned i = bin_of(t);
    struct router_bin *bin = &b->bin[i];
    MER_ASSERT(!t->pooled);
    if (bin->tickets.first == 0 || older(t->opened_ms, bin->since_ms)) {
        router_chain_push_front(p->tickets, &bin->tickets, ROUTER_BY_RATING, t);
        bin->since_ms = t->opened_ms;
    } else {
        router_chain_push_back(p->tickets, &bin->tickets, ROUTER_BY_RATING, t);
    }
    if (b->count == 0 || (b->oldest != 0 && older(t->opened_ms, router_ticket_at(p->tickets, b->oldest)->opened_ms)))
        b->oldest = mer_slab_number(&p->tickets->records, t);
    b->used[i / 64] |= 1ull << i % 64;
    b->count++;
    p->count++;
    t->pooled = true;
}

void router_pool_remove(struct router_pool *p, struct router_ticket *t)
{
    if (!t->pooled)
        return;
    struct router_bucket *b = router_pool_bucket(p, t);
    unsigned i = bin_of(t);
    struct router_bin *bin = &b->bin[i];
    bool first = t->link[ROUTER_BY_RATING].prev == 0;
    router_chain_remove(p->tickets, &bin->tickets, ROUTER_BY_RATING, t);
    if (bin->tickets.first == 0)
        b->used[i / 64] &= ~(1ull << i % 64);
    else if (first)
        bin->since_ms = router_ticket_at(p->tickets, bin->tickets.first)->opened_ms;
    if (first && b->oldest == mer_slab_number(&p->tickets->records, t))
        b->oldest = 0;
    t->pooled = false;
    p->count--;
    b->count--;
}

/* First used bin >= from, or ROUTER_BINS. */
static unsigned bin_up(const struct router_bucket *b, unsigned from)
{
    for (unsigned w = from / 64; w < ROUTER_BIN_WORDS; w++) {
        uint64_t bits = b->used[w];
        if (w == from / 64)
            bits &= ~0ull << from % 64;
        if (bits != 0)
            return w * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return ROUTER_BINS;
}

/* Last used bin < before, or -1. */
static int bin_down(const struct router_bucket *b, unsigned before)
{
    for (int w = (int)(before / 64); w >= 0; w--) {
        uint64_t bits = w < ROUTER_BIN_WORDS ? b->used[w] : 0;
        if (w == (int)(before / 64))
            bits &= (1ull << before % 64) - 1;
        if (bits != 0)
            return w * 64 + 63 - __builtin_clzll(bits);
    }
    return -1;
}

struct scan {
    const struct router_tickets *tickets;
    const struct router_ticket *t;
    uint32_t window;
    unsigned looked, found;
    struct router_ticket **out;
};

static void scan_bin(struct scan *s, const struct router_bin *bin)
{
    struct router_ticket *c;
    for (uint32_t n = bin->tickets.first; n != 0; n = c->link[ROUTER_BY_RATING].next) {
        if (s->looked == ROUTER_SCAN_MAX)
            return;
        c = router_ticket_at(s->tickets, n);
        if (c == s->t)
            continue;
        s->looked++;
        uint32_t distance = c->rating > s->t->rating ? c->rating - s->t->rating : s->t->rating - c->rating;
        if (distance <= s->window && c->user != s->t->user)
            s->out[s->found++] = c;
    }
}

unsigned router_pool_near(const struct router_pool *p, const struct router_ticket *t, uint32_t window,
                          struct router_ticket *out[ROUTER_SCAN_MAX])
{
    const struct router_bucket *b = router_pool_bucket(p, t);
    struct scan s = {.tickets = p->tickets, .t = t, .window = window, .out = out};
    unsigned home = bin_of(t), low = t->rating > window ? (t->rating - window) / ROUTER_BIN_POINTS : 0;
    unsigned high = (t->rating + window) / ROUTER_BIN_POINTS;
    unsigned up = bin_up(b, home);
    int down = bin_down(b, home);
    while (s.looked < ROUTER_SCAN_MAX) {
        bool can_up = up < ROUTER_BINS && up <= high, can_down = down >= (int)low;
        if (!can_up && !can_down)
            break;
        if (can_up && (!can_down || up - home <= home - (unsigned)down)) {
            scan_bin(&s, &b->bin[up]);
            up = bin_up(b, up + 1);
        } else {
            scan_bin(&s, &b->bin[down]);
            down = bin_down(b, (unsigned)down);
        }
    }
    return s.found;
}

struct router_ticket *router_pool_oldest(const struct router_pool *p, struct router_bucket *b)
{
    if (b->count == 0)
        return NULL;
    if (b->oldest == 0) {
        unsigned best = bin_up(b, 0);
        for (unsigned i = bin_up(b, best + 1); i < ROUTER_BINS; i = bin_up(b, i + 1))
            if (older(b->bin[i].since_ms, b->bin[best].since_ms))
                best = i;
        b->oldest = b->bin[best].tickets.first;
    }
    return router_ticket_at(p->tickets, b->oldest);
}

static void check_bin(const struct router_pool *p, const struct router_bucket *b, unsigned i, uint32_t *count)
{
    uint32_t prev = 0;
    const struct router_chain *c = &b->bin[i].tickets;
    MER_ASSERT((c->first == 0) == !(b->used[i / 64] >> i % 64 & 1));
    for (uint32_t n = c->first; n != 0;) {
        const struct router_ticket *t = router_ticket_at(p->tickets, n);
        MER_ASSERT(t->pooled && t->bucket == b->number && bin_of(t) == i && t->link[ROUTER_BY_RATING].prev == prev);
        MER_ASSERT(prev != 0 || t->opened_ms == b->bin[i].since_ms);
        prev = n;
        n = t->link[ROUTER_BY_RATING].next;
        ++*count;
    }
    MER_ASSERT(c->last == prev);
}

void router_pool_check(const struct router_pool *p)
{
    uint32_t pos = 0, all = 0;
    for (const struct router_bucket *b; (b = mer_map_next(&p->buckets, &pos)) != NULL;) {
        uint32_t in_bins = 0;
        for (unsigned i = 0; i < ROUTER_BINS; i++)
            check_bin(p, b, i, &in_bins);
        MER_ASSERT(in_bins == b->count && b->count <= b->tickets);
        MER_ASSERT(p->numbers.at[b->number - 1] == b);
        MER_ASSERT(b->oldest == 0 || router_ticket_at(p->tickets, b->oldest)->pooled);
        all += b->count;
    }
    MER_ASSERT(all == p->count);
}
