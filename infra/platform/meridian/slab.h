/* SPDX-License-Identifier: Apache-2.0
 * slab.h - equal objects in chunks: no malloc header per object, an index for each, memory of empty chunks given back.
 * Freed objects are overwritten in debug builds. */
#pragma once

#include <meridian/base.h>

struct mer_slab {
    size_t object_bytes;  /* rounded up to 8 */
    uint32_t chunk_count; /* objects a chunk */
    uint32_t chunks, used;
    struct mer_slab_chunk **chunk; /* chunk[i] NULL after it was given back */
    uint32_t first_free_chunk;
};

/* chunk_count: objects allocated at once, at least 8. */
void mer_slab_init(struct mer_slab *s, size_t object_bytes, uint32_t chunk_count);
/* Every object must have been freed. */
void mer_slab_deinit(struct mer_slab *s);
/* Zeroed object, or NULL. Its address does not change while it lives. */
MER_MUST_CHECK void *mer_slab_try_alloc(struct mer_slab *s);
void mer_slab_free(struct mer_slab *s, void *object);
/* Calls back for every live object; the callback may free that object. */
void mer_slab_each(struct mer_slab *s, void (*each)(void *object, void *ctx), void *ctx);
