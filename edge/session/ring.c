/* SPDX-License-Identifier: Apache-2.0
 * ring.c - see ring.h. An entry stands in two lists: its ring's (by offset) and the pool's (by time); both are dropped from the front only,
 * so a ring stays contiguous. An array per ring was refused: a million idle sessions would pay for it. Owner: sessions.c. Next: sessions.c.
 */
#include "edge/session/ring.h"

#include <string.h>

#include <meridian/mem.h>

#include "edge/limits.h"

struct entry {
    struct mer_list in_ring, in_pool;
    struct edge_ring *ring;
    struct edge_msg *msg;
    uint64_t offset, at_ms;
};

/* What an entry costs: itself and, as if it were alone in holding it, the message. */
static size_t cost(const struct edge_msg *m)
{
    return sizeof(struct entry) + sizeof(struct edge_msg) + m->len;
}

struct edge_msg *edge_msg_create(const void *bytes, size_t len)
{
    struct edge_msg *m = mer_try_malloc(sizeof(*m) + len);
    if (m == NULL)
        return NULL;
    m->refs = 1;
    m->len = (uint32_t)len;
    memcpy(m->bytes, bytes, len);
    return m;
}

void edge_msg_unref(struct edge_msg *m)
{
    MER_DASSERT(m->refs > 0);
    if (--m->refs == 0)
        mer_free(&m);
}

void edge_ring_pool_init(struct edge_ring_pool *p, size_t limit_bytes)
{
    mer_list_init(&p->entries);
    p->bytes = 0;
    p->limit_bytes = limit_bytes;
    p->dropped = 0;
}

void edge_ring_init(struct edge_ring *r)
{
    mer_list_init(&r->entries);
    r->bytes = r->count = 0;
}

static void drop(struct edge_ring_pool *p, struct entry *e)
{
    size_t bytes = cost(e->msg);
    p->bytes -= bytes;
    e->ring->bytes -= (uint32_t)bytes;
    e->ring->count--;
    mer_list_remove(&e->in_ring);
    mer_list_remove(&e->in_pool);
    edge_msg_unref(e->msg);
    mer_free(&e);
}

static void fit(struct edge_ring_pool *p)
{
    while (p->bytes > p->limit_bytes) {
        p->dropped++;
        drop(p, MER_LIST_ENTRY(p->entries.next, struct entry, in_pool));
    }
}

void edge_ring_pool_resize(struct edge_ring_pool *p, size_t limit_bytes)
{
    p->limit_bytes = limit_bytes;
    fit(p);
}

static struct entry *first(struct edge_ring *r)
{
    return MER_LIST_ENTRY(r->entries.next, struct entry, in_ring);
}

void edge_ring_push(struct edge_ring_pool *p, struct edge_ring *r, struct edge_msg *m, uint64_t offset, uint64_t now_ms)
{
    size_t bytes = cost(m);
    struct entry *e = bytes <= EDGE_RING_BYTES ? mer_try_malloc(sizeof(*e)) : NULL;
    if (e == NULL) {
        p->dropped += r->count + 1;
        edge_ring_clear(p, r);
        return;
    }
    while (r->count > 0 && r->bytes + bytes > EDGE_RING_BYTES) {
        p->dropped++;
        drop(p, first(r));
    }
    *e = (struct entry){.ring = r, .msg = m, .offset = offset, .at_ms = now_ms};
    m->refs++;
    mer_list_push_back(&r->entries, &e->in_ring);
    mer_list_push_back(&p->entries, &e->in_pool);
    r->bytes += (uint32_t)bytes;
    r->count++;
    p->bytes += bytes;
    fit(p);
}

void edge_ring_adopt(struct edge_ring *to, struct edge_ring *from)
{
    edge_ring_init(to);
    mer_list_move_all(&to->entries, &from->entries);
    to->bytes = from->bytes;
    to->count = from->count;
    from->bytes = from->count = 0;
    MER_LIST_EACH (it, &to->entries)
        MER_LIST_ENTRY(it, struct entry, in_ring)->ring = to;
}

struct edge_msg *edge_ring_pop(struct edge_ring_pool *p, struct edge_ring *r)
{
    struct edge_msg *m = r->count > 0 ? first(r)->msg : NULL;
    if (m != NULL) {
        m->refs++;
        drop(p, first(r));
    }
    return m;
}

void edge_ring_ack(struct edge_ring_pool *p, struct edge_ring *r, uint64_t offset)
{
    while (r->count > 0 && first(r)->offset <= offset)
        drop(p, first(r));
}

void edge_ring_clear(struct edge_ring_pool *p, struct edge_ring *r)
{
    while (r->count > 0)
        drop(p, first(r));
}

void edge_ring_pool_expire(struct edge_ring_pool *p, uint64_t now_ms)
{
    while (!mer_list_empty(&p->entries)) {
        struct entry *e = MER_LIST_ENTRY(p->entries.next, struct entry, in_pool);
        if (e->at_ms + EDGE_SESSION_LINGER_MS > now_ms)
            return;
        drop(p, e);
    }
}

bool edge_ring_covers(const struct edge_ring *r, uint64_t offset, uint64_t last)
{
    return offset <= last && last - offset <= r->count;
}

void edge_ring_replay(const struct edge_ring *r, uint64_t offset, void (*each)(void *ctx, uint64_t offset, const struct edge_msg *m),
                      void *ctx)
{
    MER_LIST_EACH (it, &r->entries) {
        const struct entry *e = MER_LIST_ENTRY(it, struct entry, in_ring);
        if (e->offset > offset)
            each(ctx, e->offset, e->msg);
    }
}
