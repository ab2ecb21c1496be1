/* SPDX-License-Identifier: Apache-2.0
 * ring.h - the last numbered messages of a session, so that a client who comes back within 60 s gets what he missed (R15).
 *
 * A message is packed once, whoever gets it, and shared by count; a ring holds references with their offsets, contiguous up to the
 * session's last one. Bounded three times: bytes a session, age, and bytes of the whole process (the pool), where the oldest message of
 * anybody goes first. An idle session's ring is empty after 60 s and holds no memory. Pure: the caller passes the time. */
#pragma once

#include <meridian/err.h>
#include <meridian/list.h>

struct edge_msg {
    uint32_t refs, len;
    uint8_t bytes[]; /* packed client.v1.ServerMessage without its offset */
};

/* One reference, the caller's. NULL when out of memory. */
MER_MUST_CHECK struct edge_msg *edge_msg_create(const void *bytes, size_t len);
void edge_msg_unref(struct edge_msg *m);

struct edge_ring_pool {
    struct mer_list entries; /* of all rings, oldest first */
    size_t bytes, limit_bytes;
    uint64_t dropped; /* for want of pool or ring space, not of age */
};

struct edge_ring {
    struct mer_list entries; /* offsets ascending */
    uint32_t bytes;
    uint32_t count;
};

void edge_ring_pool_init(struct edge_ring_pool *p, size_t limit_bytes);
/* Another limit; what is over it goes, oldest first. */
void edge_ring_pool_resize(struct edge_ring_pool *p, size_t limit_bytes);
void edge_ring_init(struct edge_ring *r);
/* Keeps a reference to m under this offset (the last one + 1). When it does not fit (or memory is out) the ring loses its history instead:
 * what it holds is always contiguous and ends at the last offset. */
void edge_ring_push(struct edge_ring_pool *p, struct edge_ring *r, struct edge_msg *m, uint64_t offset, uint64_t now_ms);
/* Everything of `from` moves to `to`, which need not be initialised; `from` is empty then. */
void edge_ring_adopt(struct edge_ring *to, struct edge_ring *from);
/* Takes out the oldest message; the reference is the caller's. NULL when empty. */
MER_MUST_CHECK struct edge_msg *edge_ring_pop(struct edge_ring_pool *p, struct edge_ring *r);
/* The client has everything up to `offset`. */
void edge_ring_ack(struct edge_ring_pool *p, struct edge_ring *r, uint64_t offset);
void edge_ring_clear(struct edge_ring_pool *p, struct edge_ring *r);
/* Drops what is older than 60 s, of all rings. */
void edge_ring_pool_expire(struct edge_ring_pool *p, uint64_t now_ms);
/* Is everything after `offset` up to `last` still there? False also for an offset beyond the last. */
bool edge_ring_covers(const struct edge_ring *r, uint64_t offset, uint64_t last);
/* Calls back for every message after `offset`, in order. */
void edge_ring_replay(const struct edge_ring *r, uint64_t offset, void (*each)(void *ctx, uint64_t offset, const struct edge_msg *m),
                      void *ctx);
