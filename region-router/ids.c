/* SPDX-License-Identifier: Apache-2.0
 * ids.c - tickets by their id (ids.h).
 *
 * There are `places` chains. A hash belongs to the place of its low bits (mask), or, where that place is not there yet, to the one without
 * the highest of them: so adding a place splits one chain, taking one away joins two. Places lie in segments, which never move.
 *
 * Invariants: mask / 2 < places <= mask + 1; the segments below the last place are there; at most one place a ticket, but for the first. */
#include "region-router/ids.h"

#include <meridian/map.h>
#include <meridian/mem.h>

#include "region-router/tickets.h"

enum { FIRST = 64, SEGMENT_BITS = 12, SEGMENT = 1 << SEGMENT_BITS };

void router_ids_deinit(struct router_ids *ids)
{
    for (uint32_t i = 0; i < ids->segments; i++)
        free(ids->segment[i]);
    mer_free(&ids->segment);
    ids->segments = ids->places = ids->mask = ids->count = 0;
}

static uint32_t *place(const struct router_ids *ids, uint32_t i)
{
    return &ids->segment[i >> SEGMENT_BITS][i & (SEGMENT - 1)];
}

static uint32_t place_of(const struct router_ids *ids, uint32_t hash)
{
    uint32_t i = hash & ids->mask;
    return i < ids->places ? i : hash & ids->mask >> 1;
}

static uint32_t hash_of(const uint64_t seed[2], const struct router_ticket *t)
{
    return (uint32_t)mer_siphash13(seed, t->id, sizeof t->id);
}

uint32_t router_ids_first(const struct router_ids *ids, uint32_t hash)
{
    return ids->places > 0 ? *place(ids, place_of(ids, hash)) : 0;
}

static bool segment_add(struct router_ids *ids)
{
    uint32_t **grown = mer_try_realloc(ids->segment, (ids->segments + 1) * sizeof *grown);
    if (grown == NULL)
        return false;
    ids->segment = grown;
    grown[ids->segments] = mer_try_calloc(SEGMENT, sizeof(uint32_t));
    if (grown[ids->segments] == NULL)
        return false;
    ids->segments++;
    return true;
}

/* Without memory chains get longer, that is all. */
static void place_add(struct router_ids *ids, const struct mer_slab *records, const uint64_t seed[2])
{
    if (ids->places == ids->segments << SEGMENT_BITS && !segment_add(ids))
        return;
    if (ids->places > ids->mask)
        ids->mask = ids->mask * 2 + 1;
    uint32_t added = ids->places++, n = *place(ids, added & ids->mask >> 1);
    uint32_t *stays = place(ids, added & ids->mask >> 1), *goes = place(ids, added);
    while (n != 0) {
        struct router_ticket *t = mer_slab_at(records, n);
        uint32_t **to = (hash_of(seed, t) & ids->mask) == added ? &goes : &stays;
        **to = n;
        *to = &t->next_id;
        n = t->next_id;
    }
    *stays = *goes = 0;
}

static void place_remove(struct router_ids *ids, const struct mer_slab *records)
{
    uint32_t last = --ids->places, *end = place(ids, last & ids->mask >> 1);
    while (*end != 0)
        end = &((struct router_ticket *)mer_slab_at(records, *end))->next_id;
    *end = *place(ids, last);
    *place(ids, last) = 0;
    if (ids->places == (ids->mask >> 1) + 1)
        ids->mask >>= 1;
    if ((last & (SEGMENT - 1)) == 0)
        free(ids->segment[--ids->segments]);
}

bool router_ids_add(struct router_ids *ids, const struct mer_slab *records, const uint64_t seed[2], struct router_ticket *t)
{
    if (ids->places == 0) {
        if (!segment_add(ids))
            return false;
        ids->places = FIRST;
        ids->mask = FIRST - 1;
    }
    uint32_t *head = place(ids, place_of(ids, hash_of(seed, t)));
    t->next_id = *head;
    *head = mer_slab_number(records, t);
    if (++ids->count > ids->places)
        place_add(ids, records, seed);
    return true;
}

void router_ids_remove(struct router_ids *ids, const struct mer_slab *records, const uint64_t seed[2], struct router_ticket *t)
{
    uint32_t *at = place(ids, place_of(ids, hash_of(seed, t)));
    for (struct router_ticket *have; (have = mer_slab_at(records, *at)) != t;)
        at = &have->next_id;
    *at = t->next_id;
    ids->count--;
    for (int i = 0; i < 2 && ids->count < ids->places / 2 && ids->places > FIRST; i++) /* two, to keep up with who goes */
        place_remove(ids, records);
}
