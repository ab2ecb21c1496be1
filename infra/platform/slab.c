/* SPDX-License-Identifier: Apache-2.0
 * slab.c - equal objects in aligned chunks.
 *
 * A chunk is a power of two in size and aligned to it, so the chunk of an object is one mask away and an object needs no header at all.
 * Which objects live is a bitmap in the chunk's head: 1 bit each, and pages of objects never used are never touched. The rounding up of a
 * chunk goes into more objects, not into waste.
 *
 * Allocation prefers low chunks, so that high ones empty; an empty chunk is given back, but for one spare (no thrashing at a border).
 * Invariants: no chunk below first_free_chunk has room; used is the sum of the chunks' used; spare is NULL or an empty chunk. */
#include <meridian/slab.h>

#include <string.h>

#include <meridian/mem.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#endif
#ifdef SLAB_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)0)
#endif

struct mer_slab_chunk {
    uint32_t index, used;
    uint32_t first_free_word; /* no free object in the words below */
    uint64_t live[];          /* bit an object */
};

static size_t head_bytes(uint32_t count)
{
    size_t bytes = sizeof(struct mer_slab_chunk) + (count + 63) / 64 * sizeof(uint64_t);

    return (bytes + 15) & ~(size_t)15;
}

static unsigned char *object_at(const struct mer_slab *s, struct mer_slab_chunk *c, uint32_t i)
{
    return (unsigned char *)c + s->head_bytes + (size_t)i * s->object_bytes;
}

void mer_slab_init(struct mer_slab *s, size_t object_bytes, uint32_t chunk_count)
{
    MER_ASSERT(object_bytes > 0 && chunk_count >= 8);
    memset(s, 0, sizeof(*s));
    s->object_bytes = (object_bytes + 7) & ~(size_t)7;
    s->chunk_bytes = 4096;
    while (s->chunk_bytes < head_bytes(chunk_count) + chunk_count * s->object_bytes)
        s->chunk_bytes *= 2;
    while (head_bytes(chunk_count + 1) + (chunk_count + 1) * s->object_bytes <= s->chunk_bytes)
        chunk_count++;
    s->chunk_count = chunk_count;
    s->head_bytes = (uint32_t)head_bytes(chunk_count);
    s->number_bits = 32 - (uint32_t)__builtin_clz(chunk_count - 1);
}

static void chunk_release(struct mer_slab *s, struct mer_slab_chunk *c)
{
    s->chunk[c->index] = NULL;
    ASAN_UNPOISON_MEMORY_REGION(c, s->chunk_bytes);
    mer_free_pages(c, s->chunk_bytes);
}

void mer_slab_deinit(struct mer_slab *s)
{
    MER_ASSERT(s->used == 0);
    if (s->spare)
        chunk_release(s, s->spare);
    s->spare = NULL;
    mer_free(&s->chunk);
    s->chunks = s->first_free_chunk = 0;
}

/* Finds the first hole in the table or makes it longer. */
static bool chunk_index_take(struct mer_slab *s, uint32_t *index)
{
    struct mer_slab_chunk **table;
    uint32_t i, grown = s->chunks ? s->chunks * 2 : 4;

    for (i = 0; i < s->chunks && s->chunk[i]; i++)
        ;
    if (i == s->chunks) {
        table = mer_try_realloc(s->chunk, grown * sizeof(struct mer_slab_chunk *));
        if (!table)
            return false;
        memset(&table[s->chunks], 0, (grown - s->chunks) * sizeof(struct mer_slab_chunk *));
        s->chunk = table;
        s->chunks = grown;
    }
    *index = i;
    return true;
}

static struct mer_slab_chunk *chunk_create(struct mer_slab *s)
{
    struct mer_slab_chunk *c;
    uint32_t index;

    if (!chunk_index_take(s, &index))
        return NULL;
    c = mer_try_pages(s->chunk_bytes);
    if (!c)
        return NULL;
    memset(c, 0, s->head_bytes);
    c->index = index;
    if (index < s->first_free_chunk)
        s->first_free_chunk = index;
    ASAN_POISON_MEMORY_REGION(object_at(s, c, 0), s->chunk_count * s->object_bytes);
    s->chunk[index] = c;
    s->spare = c;
    return c;
}

/* The lowest chunk with room; makes one when there is none. */
static struct mer_slab_chunk *chunk_with_room(struct mer_slab *s)
{
    for (; s->first_free_chunk < s->chunks; s->first_free_chunk++) {
        struct mer_slab_chunk *c = s->chunk[s->first_free_chunk];
        if (c && c->used < s->chunk_count)
            return c;
    }
    return chunk_create(s);
}

void *mer_slab_try_alloc(struct mer_slab *s)
{
    struct mer_slab_chunk *c = chunk_with_room(s);
    uint32_t word, i;
    void *object;

    if (!c)
        return NULL;
    for (word = c->first_free_word; c->live[word] == UINT64_MAX; word++)
        ;
    c->first_free_word = word;
    i = word * 64 + (uint32_t)__builtin_ctzll(~c->live[word]);
    MER_DASSERT(i < s->chunk_count);
    c->live[word] |= 1ULL << (i % 64);
    c->used++;
    s->used++;
    if (s->spare == c)
        s->spare = NULL;
    object = object_at(s, c, i);
    ASAN_UNPOISON_MEMORY_REGION(object, s->object_bytes);
    return memset(object, 0, s->object_bytes);
}

static struct mer_slab_chunk *chunk_of(const struct mer_slab *s, const void *object)
{
    return (struct mer_slab_chunk *)((uintptr_t)object & ~(uintptr_t)(s->chunk_bytes - 1));
}

uint32_t mer_slab_number(const struct mer_slab *s, const void *object)
{
    const struct mer_slab_chunk *c = chunk_of(s, object);
    size_t offset = (size_t)((const char *)object - (const char *)c) - s->head_bytes;

    return (c->index << s->number_bits | (uint32_t)(offset / s->object_bytes)) + 1;
}

void mer_slab_free(struct mer_slab *s, void *object)
{
    struct mer_slab_chunk *c = chunk_of(s, object);
    size_t offset = (size_t)((unsigned char *)object - object_at(s, c, 0));
    uint32_t i = (uint32_t)(offset / s->object_bytes);
    uint64_t bit = 1ULL << (i % 64);

    MER_ASSERT(offset % s->object_bytes == 0 && i < s->chunk_count && (c->live[i / 64] & bit)); /* a double free ends here */
#ifndef NDEBUG
    memset(object, 0xA5, s->object_bytes);
#endif
    ASAN_POISON_MEMORY_REGION(object, s->object_bytes);
    c->live[i / 64] &= ~bit;
    if (i / 64 < c->first_free_word)
        c->first_free_word = i / 64;
    if (c->index < s->first_free_chunk)
        s->first_free_chunk = c->index;
    s->used--;
    if (--c->used > 0)
        return;
    if (s->spare)
        chunk_release(s, c);
    else
        s->spare = c;
}

void mer_slab_each(struct mer_slab *s, void (*each)(void *object, void *ctx), void *ctx)
{
    for (uint32_t i = 0; i < s->chunks; i++) {
        /* looked up anew for each object: the callback may have given the chunk back */
        for (uint32_t o = 0; s->chunk[i] && o < s->chunk_count; o++) {
            if (s->chunk[i]->live[o / 64] & (1ULL << (o % 64)))
                each(object_at(s, s->chunk[i], o), ctx);
            else if (o % 64 == 0 && s->chunk[i]->live[o / 64] == 0)
                o += 63;
        }
    }
}
