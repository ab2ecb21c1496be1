/* SPDX-License-Identifier: Apache-2.0
 * throttle.c - a set-associative table: an address hashes (keyed, so that nobody can aim) to one set of eight entries and lives there while
 * it has connections; an entry without any is overwritten by the next newcomer, the one longest unused first. When all eight are in use the
 * newcomer is admitted uncounted: refusing would let eight addresses lock out a stranger.
 *
 * Two buckets an address: new connections, and answers of 429 to those over the rate. Who exceeds both is closed without an answer, because
 * the answer (a TLS handshake) is what costs. */
#include "edge/net/throttle.h"

#include <string.h>

#include <meridian/map.h>
#include <meridian/mem.h>

enum { DEFAULT_SETS = 4096 };

enum mer_err edge_throttle_init(struct edge_throttle *t, const struct edge_throttle_conf *conf)
{
    *t = (struct edge_throttle){.conf = *conf};
    if (t->conf.sets == 0)
        t->conf.sets = DEFAULT_SETS;
    MER_ASSERT((t->conf.sets & (t->conf.sets - 1)) == 0);
    t->entry = mer_try_calloc((size_t)t->conf.sets * EDGE_THROTTLE_WAYS, sizeof(*t->entry));
    return t->entry != NULL ? MER_OK : MER_ENOMEM;
}

void edge_throttle_deinit(struct edge_throttle *t)
{
    mer_free(&t->entry);
}

static bool limited(const struct edge_throttle *t)
{
    return t->conf.connections != 0 || t->conf.pending != 0 || t->conf.handshakes.per_second != 0;
}

static uint64_t key_of(const struct edge_throttle *t, const struct edge_addr *a)
{
    uint64_t key = mer_siphash13(t->conf.seed, a->ip, edge_addr_is_v4(a) ? sizeof(a->ip) : 8);
    return key != 0 ? key : 1;
}

static struct edge_throttle_entry *find(const struct edge_throttle *t, uint64_t key)
{
    struct edge_throttle_entry *set = &t->entry[(key & (t->conf.sets - 1)) * EDGE_THROTTLE_WAYS];
    for (unsigned i = 0; i < EDGE_THROTTLE_WAYS; i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

static struct edge_throttle_entry *place(const struct edge_throttle *t, uint64_t key, uint64_t now_ms)
{
    struct edge_throttle_entry *set = &t->entry[(key & (t->conf.sets - 1)) * EDGE_THROTTLE_WAYS], *best = NULL;
    for (unsigned i = 0; i < EDGE_THROTTLE_WAYS; i++) {
        struct edge_throttle_entry *e = &set[i];
        if (e->key == 0) {
            best = e;
            break;
        }
        uint32_t age = (uint32_t)now_ms - e->handshakes.at_ms;
        if (e->connections == 0 && (best == NULL || age > (uint32_t)now_ms - best->handshakes.at_ms))
            best = e;
    }
    if (best == NULL)
        return NULL;
    *best = (struct edge_throttle_entry){.key = key};
    mer_bucket_init(&best->handshakes, t->conf.handshakes, now_ms);
    mer_bucket_init(&best->refusals, t->conf.handshakes, now_ms);
    return best;
}

enum edge_admit edge_throttle_enter(struct edge_throttle *t, const struct edge_addr *a, uint64_t now_ms, bool *tracked)
{
    const struct edge_throttle_conf *c = &t->conf;
    *tracked = false;
    if (!limited(t))
        return EDGE_ADMIT_OK;
    uint64_t key = key_of(t, a);
    struct edge_throttle_entry *e = find(t, key);
    if (e == NULL)
        e = place(t, key, now_ms);
    if (e == NULL) {
        t->untracked++;
        return EDGE_ADMIT_OK;
    }
    if (c->pending != 0 && e->pending >= c->pending)
        return EDGE_ADMIT_CLOSE;
    bool over = c->connections != 0 && e->connections >= c->connections;
    if (c->handshakes.per_second != 0) {
        over |= !mer_bucket_take(&e->handshakes, c->handshakes, now_ms);
        if (over && !mer_bucket_take(&e->refusals, c->handshakes, now_ms))
            return EDGE_ADMIT_CLOSE;
    }
    e->connections++;
    e->pending++;
    *tracked = true;
    return over ? EDGE_ADMIT_REFUSE : EDGE_ADMIT_OK;
}

void edge_throttle_upgraded(struct edge_throttle *t, const struct edge_addr *a)
{
    struct edge_throttle_entry *e = find(t, key_of(t, a));
    MER_ASSERT(e != NULL && e->pending > 0);
    e->pending--;
}

void edge_throttle_leave(struct edge_throttle *t, const struct edge_addr *a, bool upgraded)
{
    struct edge_throttle_entry *e = find(t, key_of(t, a));
    MER_ASSERT(e != NULL && e->connections > 0);
    e->connections--;
    if (!upgraded)
        e->pending--;
}

uint32_t edge_throttle_wait_ms(const struct edge_throttle *t, const struct edge_addr *a, uint64_t now_ms)
{
    enum { LEAST_MS = 1000 }; /* Retry-After has whole seconds */
    const struct edge_throttle_entry *e = limited(t) ? find(t, key_of(t, a)) : NULL;
    if (e == NULL || t->conf.handshakes.per_second == 0)
        return LEAST_MS;
    uint32_t wait = mer_bucket_wait_ms(&e->handshakes, t->conf.handshakes, now_ms);
    return wait > LEAST_MS ? wait : LEAST_MS;
}
