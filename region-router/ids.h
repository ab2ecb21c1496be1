/* SPDX-License-Identifier: Apache-2.0
 * ids.h - tickets by their id (pure): a hash table whose chains go through the tickets and which grows and shrinks by one place at a time
 * (linear hashing), so that no ticket waits until a million others have been moved. Four bytes a place, a place a ticket. */
#pragma once

#include <meridian/base.h>

enum { ROUTER_ID_BYTES = 10, ROUTER_ID_TEXT = 24 };

struct mer_slab;
struct router_ticket;

struct router_ids {
    uint32_t **segment; /* of heads: numbers of tickets */
    uint32_t segments, places, mask, count;
};

void router_ids_deinit(struct router_ids *ids);
/* The first of the chain in which a ticket with that hash is; its next ones by next_id. 0: none. */
uint32_t router_ids_first(const struct router_ids *ids, uint32_t hash);
/* False: no memory. `seed`: of the hash, which is mer_siphash13 of the ticket's `id`. */
MER_MUST_CHECK bool router_ids_add(struct router_ids *ids, const struct mer_slab *records, const uint64_t seed[2], struct router_ticket *t);
void router_ids_remove(struct router_ids *ids, const struct mer_slab *records, const uint64_t seed[2], struct router_ticket *t);
