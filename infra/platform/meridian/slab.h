/* SPDX-License-Identifier: Apache-2.0
 * slab.h - equal objects in chunks: no malloc header per object, memory of empty chunks given back (one is kept).
 * Freed objects are overwritten in debug builds and poisoned for AddressSanitizer. */
#pragma once

#include <meridian/base.h>

struct mer_slab_chunk;

struct mer_slab {
    size_t object_bytes;  /* rounded up to 8 */
    size_t chunk_bytes;   /* a power of two */
    uint32_t chunk_count; /* objects a chunk: what was asked for, rounded up to fill chunk_bytes */
    uint32_t chunks;      /* length of the table below */
    uint32_t used;        /* objects that live */
    uint32_t head_bytes;  /* of a chunk, before its objects */
    uint32_t number_bits; /* of a number: which object of its chunk */
    uint32_t first_free_chunk;
    struct mer_slab_chunk **chunk; /* chunk[i] NULL after it was given back */
    struct mer_slab_chunk *spare;
};

/* chunk_count: objects allocated at once, at least 8. */
void mer_slab_init(struct mer_slab *s, size_t object_bytes, uint32_t chunk_count);
/* Every object must have been freed. */
void mer_slab_deinit(struct mer_slab *s);
/* Zeroed object, aligned to 8, or NULL. Its address does not change while it lives. */
MER_MUST_CHECK void *mer_slab_try_alloc(struct mer_slab *s);
void mer_slab_free(struct mer_slab *s, void *object);
/* An object's number, never 0, and back: half a pointer for who keeps many. As good as the pointer: both end with the object. */
uint32_t mer_slab_number(const struct mer_slab *s, const void *object);
static inline void *mer_slab_at(const struct mer_slab *s, uint32_t number)
{
    uint32_t i = (number - 1) & ((1U << s->number_bits) - 1);

    return (char *)s->chunk[(number - 1) >> s->number_bits] + s->head_bytes + (size_t)i * s->object_bytes;
}
/* Calls back for every live object; the callback may free that object and others. */
void mer_slab_each(struct mer_slab *s, void (*each)(void *object, void *ctx), void *ctx);
