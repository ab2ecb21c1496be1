/* SPDX-License-Identifier: Apache-2.0
 * map.h - hash map from a key inside the entry to the entry (intrusive by pointer, open addressing, linear probing, SipHash-1-3 with a
 * per-map key, because keys come from peers). 8 bytes a slot, at most 3/4 full, shrinks when it empties. */
#pragma once

#include <meridian/err.h>

struct mer_key {
    const void *data;
    size_t len;
};

/* Where the key of an entry is; it must not change while the entry is in the map. */
typedef struct mer_key (*mer_map_key_cb)(const void *entry);

struct mer_map {
    void **slot;
    uint32_t mask, count; /* mask 0 and slot NULL: empty */
    mer_map_key_cb key;
    uint64_t seed[2];
};

void mer_map_init(struct mer_map *m, mer_map_key_cb key, const uint64_t seed[2]);
void mer_map_deinit(struct mer_map *m); /* entries stay the caller's */
void *mer_map_get(const struct mer_map *m, const void *key, size_t len);
void *mer_map_gets(const struct mer_map *m, const char *key);
/* MER_EEXISTS when the key is there already, MER_ENOMEM. */
MER_MUST_CHECK enum mer_err mer_map_put(struct mer_map *m, void *entry);
/* The entry that was removed, or NULL. */
void *mer_map_remove(struct mer_map *m, const void *key, size_t len);
void *mer_map_removes(struct mer_map *m, const char *key);
/* Any order. The callback may not change the map; return false to stop. */
void mer_map_each(const struct mer_map *m, bool (*each)(void *entry, void *ctx), void *ctx);
/* Iteration by position for loops that may be cut over turns: start with *pos = 0; NULL at the end. Changes in between may skip or repeat
 * entries. */
void *mer_map_next(const struct mer_map *m, uint32_t *pos);
uint64_t mer_siphash13(const uint64_t seed[2], const void *data, size_t len);
