/* SPDX-License-Identifier: Apache-2.0
 * tickets.c - the pool of waiting tickets (tickets.h).
 *
 * Why bins and not a tree by rating: ratings are small integers, so a fixed array with a bitmap answers "the nearest one" in a few
 * instructions, needs no balancing, and a bin's list keeps the order of age for nothing.
 *
 * Invariants (router_pool_check): a bin's bit says whether it holds tickets; each ticket of a bucket is in one bin and in by_age. */
#include "region-router/tickets.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

enum { AGE_WALK_MAX = 8 };

static struct mer_key bucket_key(const void *entry)
{
    const struct router_bucket *b = entry;
    return (struct mer_key){&b->key, sizeof b->key};
}

void router_pool_init(struct router_pool *p, const uint64_t seed[2])
{
    p->count = 0;
    mer_map_init(&p->buckets, bucket_key, seed);
}

void router_pool_deinit(struct router_pool *p)
{
    MER_ASSERT(p->count == 0);
    uint32_t pos = 0;
    for (struct router_bucket *b; (b = mer_map_next(&p->buckets, &pos)) != NULL; pos = 0) {
        mer_map_remove(&p->buckets, &b->key, sizeof b->key);
        free(b);
    }
    mer_map_deinit(&p->buckets);
}

static struct router_bucket *bucket_new(struct router_pool *p, const struct router_bucket_key *key)
{
    struct router_bucket *b = mer_try_calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->key = *key;
    mer_list_init(&b->by_age);
    for (unsigned i = 0; i < ROUTER_BINS; i++)
        mer_list_init(&b->bin[i]);
    if (mer_map_put(&p->buckets, b) != MER_OK)
        mer_free(&b);
    return b;
}

static unsigned bin_of(const struct router_ticket *t)
{
    return t->rating / ROUTER_BIN_POINTS;
}

/* From the young end, but never far: order by age is a preference, not a promise. */
static void insert_by_age(struct router_bucket *b, struct router_ticket *t)
{
    struct mer_list *pos = &b->by_age;
    if (!mer_list_empty(pos) && MER_LIST_ENTRY(pos->next, struct router_ticket, age)->opened_ms >= t->opened_ms) {
        mer_list_push_front(&b->by_age, &t->age);
        return;
    }
    for (unsigned i = 0; i < AGE_WALK_MAX && pos->prev != &b->by_age; i++) {
        if (MER_LIST_ENTRY(pos->prev, struct router_ticket, age)->opened_ms <= t->opened_ms)
            break;
        pos = pos->prev;
    }
    mer_list_insert_before(pos, &t->age);
}

enum mer_err router_pool_add(struct router_pool *p, struct router_ticket *t)
{
    MER_ASSERT(t->bucket == NULL);
    struct router_bucket *b = mer_map_get(&p->buckets, &t->key, sizeof t->key);
    if (b == NULL)
        b = bucket_new(p, &t->key);
    if (b == NULL)
        return MER_ENOMEM;
    unsigned bin = bin_of(t);
    insert_by_age(b, t);
    mer_list_push_back(&b->bin[bin], &t->bin);
    b->used[bin / 64] |= 1ull << bin % 64;
    b->count++;
    p->count++;
    t->bucket = b;
    return MER_OK;
}

void router_pool_remove(struct router_pool *p, struct router_ticket *t)
{
    struct router_bucket *b = t->bucket;
    if (b == NULL)
        return;
    unsigned bin = bin_of(t);
    mer_list_remove(&t->age);
    mer_list_remove(&t->bin);
    if (mer_list_empty(&b->bin[bin]))
        b->used[bin / 64] &= ~(1ull << bin % 64);
    t->bucket = NULL;
    p->count--;
    if (--b->count == 0 && p->buckets.count > ROUTER_BUCKETS_KEPT) {
        mer_map_remove(&p->buckets, &b->key, sizeof b->key);
        free(b);
    }
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
    const struct router_ticket *t;
    uint32_t window;
    unsigned looked, found;
    struct router_ticket **out;
};

static void scan_bin(struct scan *s, unsigned bin)
{
    MER_LIST_EACH (it, &s->t->bucket->bin[bin]) {
        if (s->looked == ROUTER_SCAN_MAX)
            return;
        struct router_ticket *c = MER_LIST_ENTRY(it, struct router_ticket, bin);
        if (c == s->t)
            continue;
        s->looked++;
        uint32_t distance = c->rating > s->t->rating ? c->rating - s->t->rating : s->t->rating - c->rating;
        if (distance <= s->window && strcmp(c->user, s->t->user) != 0)
            s->out[s->found++] = c;
    }
}

unsigned router_pool_near(const struct router_ticket *t, uint32_t window, struct router_ticket *out[ROUTER_SCAN_MAX])
{
    const struct router_bucket *b = t->bucket;
    struct scan s = {.t = t, .window = window, .out = out};
    unsigned home = bin_of(t), low = t->rating > window ? (t->rating - window) / ROUTER_BIN_POINTS : 0;
    unsigned high = (t->rating + window) / ROUTER_BIN_POINTS;
    unsigned up = bin_up(b, home);
    int down = bin_down(b, home);
    while (s.looked < ROUTER_SCAN_MAX) {
        bool can_up = up < ROUTER_BINS && up <= high, can_down = down >= (int)low;
        if (!can_up && !can_down)
            break;
        if (can_up && (!can_down || up - home <= home - (unsigned)down)) {
            scan_bin(&s, up);
            up = bin_up(b, up + 1);
        } else {
            scan_bin(&s, (unsigned)down);
            down = bin_down(b, (unsigned)down);
        }
    }
    return s.found;
}

struct router_ticket *router_pool_oldest(const struct router_bucket *b)
{
    return mer_list_empty(&b->by_age) ? NULL : MER_LIST_ENTRY(b->by_age.next, struct router_ticket, age);
}

void router_pool_check(const struct router_pool *p)
{
    uint32_t pos = 0, all = 0;
    for (const struct router_bucket *b; (b = mer_map_next(&p->buckets, &pos)) != NULL;) {
        uint32_t in_bins = 0, by_age = 0;
        for (unsigned i = 0; i < ROUTER_BINS; i++) {
            MER_ASSERT(mer_list_empty(&b->bin[i]) == !(b->used[i / 64] >> i % 64 & 1));
            MER_LIST_EACH (it, &b->bin[i]) {
                const struct router_ticket *t = MER_LIST_ENTRY(it, struct router_ticket, bin);
                MER_ASSERT(t->bucket == b && bin_of(t) == i);
                in_bins++;
            }
        }
        MER_LIST_EACH (it, &b->by_age)
            by_age++;
        MER_ASSERT(in_bins == b->count && by_age == b->count);
        all += b->count;
    }
    MER_ASSERT(all == p->count);
}
