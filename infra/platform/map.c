/* SPDX-License-Identifier: Apache-2.0
 * map.c - open addressing with linear probing over pointers to entries.
 *
 * No tombstones: removal shifts the rest of the run back, so a map that churns stays as fast as a new one. No stored hashes: 8 bytes a slot
 * are the promise (a million sessions), and an entry's key is usually in cache when its slot is visited. SipHash with a key of the map's
 * own, because peers choose the keys (hash flooding).
 *
 * Invariants: slots are a power of two, at least 8, at most 3/4 full; a shrink that gets no memory is skipped, never an error. */
#include <meridian/map.h>

#include <endian.h>
#include <string.h>

#include <meridian/mem.h>

enum { MIN_SLOTS = 8 };

static inline uint64_t rotl(uint64_t x, int n)
{
    return (x << n) | (x >> (64 - n));
}

struct sip {
    uint64_t a, b, c, d;
};

/* By value, so that all four stay in registers. */
static inline struct sip sip_round(struct sip v)
{
    v.a += v.b;
    v.b = rotl(v.b, 13) ^ v.a;
    v.a = rotl(v.a, 32);
    v.c += v.d;
    v.d = rotl(v.d, 16) ^ v.c;
    v.a += v.d;
    v.d = rotl(v.d, 21) ^ v.a;
    v.c += v.b;
    v.b = rotl(v.b, 17) ^ v.c;
    v.c = rotl(v.c, 32);
    return v;
}

static inline struct sip sip_word(struct sip v, uint64_t m)
{
    v.d ^= m;
    v = sip_round(v);
    v.a ^= m;
    return v;
}

static inline uint64_t load_le(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof(x));
    return le64toh(x);
}

uint64_t mer_siphash13(const uint64_t seed[2], const void *data, size_t len)
{
    struct sip v = {seed[0] ^ 0x736f6d6570736575ULL, seed[1] ^ 0x646f72616e646f6dULL, seed[0] ^ 0x6c7967656e657261ULL,
                    seed[1] ^ 0x7465646279746573ULL};
    const uint8_t *p = data;
    uint64_t last = (uint64_t)len << 56;
    size_t left = len;

    for (; left >= 8; left -= 8, p += 8)
        v = sip_word(v, load_le(p));
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)p[i] << (8 * i);
    v = sip_word(v, last);
    v.c ^= 0xff;
    for (int i = 0; i < 3; i++)
        v = sip_round(v);
    return v.a ^ v.b ^ v.c ^ v.d;
}

void mer_map_init(struct mer_map *m, mer_map_key_cb key, const uint64_t seed[2])
{
    memset(m, 0, sizeof(*m));
    m->key = key;
    m->seed[0] = seed[0];
    m->seed[1] = seed[1];
}

void mer_map_deinit(struct mer_map *m)
{
    mer_free(&m->slot);
    m->mask = m->count = 0;
}

static uint32_t home_of(const struct mer_map *m, struct mer_key k)
{
    return (uint32_t)mer_siphash13(m->seed, k.data, k.len) & m->mask;
}

/* Index of the key's slot, or of the empty slot where it would go. */
static uint32_t slot_of(const struct mer_map *m, struct mer_key k)
{
    uint32_t i = home_of(m, k);

    for (; m->slot[i]; i = (i + 1) & m->mask) {
        struct mer_key have = m->key(m->slot[i]);
        if (have.len == k.len && (k.len == 0 || memcmp(have.data, k.data, k.len) == 0))
            break;
    }
    return i;
}

void *mer_map_get(const struct mer_map *m, const void *key, size_t len)
{
    return m->slot ? m->slot[slot_of(m, (struct mer_key){key, len})] : NULL;
}

void *mer_map_gets(const struct mer_map *m, const char *key)
{
    return mer_map_get(m, key, strlen(key));
}

static enum mer_err resize(struct mer_map *m, uint32_t slots)
{
    void **old = m->slot, **fresh = mer_try_calloc(slots, sizeof(void *));
    uint32_t old_slots = old ? m->mask + 1 : 0;

    if (!fresh)
        return MER_ENOMEM;
    m->slot = fresh;
    m->mask = slots - 1;
    for (uint32_t i = 0; i < old_slots; i++) {
        uint32_t to;
        if (!old[i])
            continue;
        for (to = home_of(m, m->key(old[i])); fresh[to]; to = (to + 1) & m->mask)
            ;
        fresh[to] = old[i];
    }
    mer_free(&old);
    return MER_OK;
}

enum mer_err mer_map_put(struct mer_map *m, void *entry)
{
    uint32_t slots = m->slot ? m->mask + 1 : 0, i = 0;
    struct mer_key k = m->key(entry);

    if (m->slot) {
        i = slot_of(m, k);
        if (m->slot[i])
            return MER_EEXISTS;
    }
    if (m->count + 1 > slots / 4 * 3) {
        if (slots > UINT32_MAX / 2)
            return MER_ENOMEM;
        if (resize(m, slots ? slots * 2 : MIN_SLOTS) != MER_OK)
            return MER_ENOMEM;
        i = slot_of(m, k);
    }
    m->slot[i] = entry;
    m->count++;
    return MER_OK;
}

/* Closes the hole at i: moves back every later entry of the run that may stand there. */
static void shift_back(struct mer_map *m, uint32_t hole)
{
    for (uint32_t i = (hole + 1) & m->mask; m->slot[i]; i = (i + 1) & m->mask) {
        uint32_t home = home_of(m, m->key(m->slot[i]));
        if (((i - home) & m->mask) < ((i - hole) & m->mask))
            continue; /* its home lies behind the hole */
        m->slot[hole] = m->slot[i];
        hole = i;
    }
    m->slot[hole] = NULL;
}

void *mer_map_remove(struct mer_map *m, const void *key, size_t len)
{
    uint32_t i;
    void *entry;

    if (!m->slot)
        return NULL;
    i = slot_of(m, (struct mer_key){key, len});
    entry = m->slot[i];
    if (!entry)
        return NULL;
    shift_back(m, i);
    m->count--;
    if (m->count == 0)
        mer_map_deinit(m);
    else if (m->mask + 1 > MIN_SLOTS && m->count < (m->mask + 1) / 8)
        (void)resize(m, (m->mask + 1) / 2);
    return entry;
}

void *mer_map_removes(struct mer_map *m, const char *key)
{
    return mer_map_remove(m, key, strlen(key));
}

void mer_map_each(const struct mer_map *m, bool (*each)(void *entry, void *ctx), void *ctx)
{
    for (uint32_t i = 0; m->slot && i <= m->mask; i++)
        if (m->slot[i] && !each(m->slot[i], ctx))
            return;
}

void *mer_map_next(const struct mer_map *m, uint32_t *pos)
{
    while (m->slot && *pos <= m->mask) {
        void *entry = m->slot[(*pos)++];
        if (entry)
            return entry;
    }
    return NULL;
}
