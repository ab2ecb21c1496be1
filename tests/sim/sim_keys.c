/* SPDX-License-Identifier: Apache-2.0
 * sim_keys.c - keys, expiry and commands of a simulated node; see sim_keys.h. Expired keys are gone when they are looked at, on replicas
 * too. */
#include "tests/sim/sim_keys.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

static bool same(const struct sim_str *a, const struct sim_str *b)
{
    return a == b || (a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

/* --- keys ---------------------------------------------------------------------------------------------------------------------------- */

static uint32_t slot_of(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    return h % SIM_KEY_SLOTS;
}

static void key_free(struct sim_key *k)
{
    sim_str_unref(k->name);
    sim_str_unref(k->value);
    for (size_t i = 0; i < k->fields; i++) {
        sim_str_unref(k->field[i].name);
        sim_str_unref(k->field[i].value);
    }
    for (size_t i = 0; i < k->stored; i++)
        sim_str_unref(k->history[i].record);
    free(k->field);
    free(k->history);
    free(k);
}

static bool key_remove(struct sim_keys *ks, const char *name)
{
    for (struct sim_key **at = &ks->slot[slot_of(name)]; *at; at = &(*at)->next) {
        struct sim_key *k = *at;
        if (strcmp(k->name->data, name) != 0)
            continue;
        *at = k->next;
        key_free(k);
        return true;
    }
    return false;
}

static struct sim_key *key_find(struct sim_keys *ks, const char *name, uint64_t now_ms)
{
    for (struct sim_key *k = ks->slot[slot_of(name)]; k; k = k->next)
        if (strcmp(k->name->data, name) == 0) {
            if (k->expires_ms == 0 || k->expires_ms > now_ms)
                return k;
            key_remove(ks, name);
            return NULL;
        }
    return NULL;
}

static struct sim_key *key_make(struct sim_keys *ks, struct sim_str *name, enum sim_type type, uint64_t now_ms)
{
    struct sim_key *k = key_find(ks, name->data, now_ms);
    if (k)
        return k;
    uint32_t slot = slot_of(name->data);
    k = mer_xcalloc(1, sizeof(*k));
    k->name = sim_str_ref(name);
    k->type = type;
    k->next = ks->slot[slot];
    ks->slot[slot] = k;
    return k;
}

static struct sim_field *field_find(const struct sim_key *k, const struct sim_str *name)
{
    for (size_t i = 0; k && i < k->fields; i++)
        if (same(k->field[i].name, name))
            return &k->field[i];
    return NULL;
}

/* true: it is new */
static bool field_set(struct sim_key *k, struct sim_str *name, struct sim_str *value)
{
    struct sim_field *f = field_find(k, name);
    if (f) {
        sim_str_ref(value);
        sim_str_unref(f->value);
        f->value = value;
        return false;
    }
    if (k->fields == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 8;
        k->field = mer_xrealloc(k->field, k->cap * sizeof(*k->field));
    }
    k->field[k->fields++] = (struct sim_field){sim_str_ref(name), sim_str_ref(value)};
    return true;
}

static bool field_remove(struct sim_key *k, const struct sim_str *name)
{
    struct sim_field *f = field_find(k, name);
    if (!f)
        return false;
    sim_str_unref(f->name);
    sim_str_unref(f->value);
    memmove(f, f + 1, (size_t)(k->field + k->fields - (f + 1)) * sizeof(*f));
    k->fields--;
    return true;
}

void sim_keys_init(struct sim_keys *k)
{
    memset(k, 0, sizeof(*k));
}

void sim_keys_clear(struct sim_keys *k)
{
    for (unsigned i = 0; i < SIM_KEY_SLOTS; i++)
        while (k->slot[i]) {
            struct sim_key *key = k->slot[i];
            k->slot[i] = key->next;
            key_free(key);
        }
}

struct sim_key *sim_key_copy(const struct sim_key *k)
{
    struct sim_key *c = mer_xmalloc(sizeof(*c));
    *c = *k;
    sim_str_ref(c->name);
    sim_str_ref(c->value);
    c->cap = k->fields;
    c->field = k->fields ? mer_xmalloc(k->fields * sizeof(*k->field)) : NULL;
    for (size_t i = 0; i < k->fields; i++)
        c->field[i] = (struct sim_field){sim_str_ref(k->field[i].name), sim_str_ref(k->field[i].value)};
    c->stored_cap = k->stored;
    c->history = k->stored ? mer_xmalloc(k->stored * sizeof(*k->history)) : NULL;
    for (size_t i = 0; i < k->stored; i++) {
        c->history[i] = k->history[i];
        sim_str_ref(c->history[i].record);
    }
    return c;
}

void sim_keys_copy(struct sim_keys *to, const struct sim_keys *from)
{
    sim_keys_clear(to);
    for (unsigned i = 0; i < SIM_KEY_SLOTS; i++) {
        struct sim_key **tail = &to->slot[i];
        for (const struct sim_key *k = from->slot[i]; k; k = k->next) {
            *tail = sim_key_copy(k);
            tail = &(*tail)->next;
        }
        *tail = NULL;
    }
}

void sim_keys_each(const struct sim_keys *k, void (*each)(void *ctx, const struct sim_key *key), void *ctx)
{
    for (unsigned i = 0; i < SIM_KEY_SLOTS; i++)
        for (const struct sim_key *key = k->slot[i]; key; key = key->next)
            each(ctx, key);
}

const struct sim_key *sim_keys_find(const struct sim_keys *k, const char *name)
{
    for (const struct sim_key *key = k->slot[slot_of(name)]; key; key = key->next)
        if (strcmp(key->name->data, name) == 0)
            return key;
    return NULL;
}

const char *sim_key_field(const struct sim_key *key, const char *field)
{
    for (size_t i = 0; i < key->fields; i++)
        if (sim_str_is(key->field[i].name, field))
            return key->field[i].value->data;
    return "";
}

/* --- commands ------------------------------------------------------------------------------------------------------------------------ */

struct exec {
    struct sim_keys *keys;
    uint64_t now_ms;
    int argc;
    struct sim_str *const *argv;
    struct sim_reply *r;
    struct sim_effect **effect;
};

static void changed(struct exec *x)
{
    if (!*x->effect)
        *x->effect = sim_effect_new(x->argc, x->argv);
}

static void integer(struct exec *x, long long n)
{
    x->r->kind = SIM_INT;
    x->r->integer = n;
}

static void string(struct exec *x, struct sim_str *s)
{
    x->r->kind = s ? SIM_STR : SIM_NIL;
    x->r->str = sim_str_ref(s);
}

static void push(struct exec *x, struct sim_str *s)
{
    x->r->kind = SIM_ARRAY;
    MER_ASSERT(x->r->count < SIM_REPLY_ITEMS);
    x->r->item[x->r->count++] = sim_str_ref(s);
}

static struct sim_key *find(struct exec *x)
{
    return key_find(x->keys, x->argv[1]->data, x->now_ms);
}

static void do_time(struct exec *x)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)(x->now_ms / 1000));
    struct sim_str *s = sim_str_new(text, strlen(text));
    snprintf(text, sizeof(text), "%llu", (unsigned long long)(x->now_ms % 1000 * 1000));
    struct sim_str *us = sim_str_new(text, strlen(text));
    push(x, s);
    push(x, us);
    sim_str_unref(s);
    sim_str_unref(us);
}

static void do_get(struct exec *x)
{
    struct sim_key *k = find(x);
    string(x, k && k->type == SIM_STRING ? k->value : NULL);
}

/* SET key value [PX ms | PXAT ms]: replicated with the moment, not the span. */
static void do_set(struct exec *x)
{
    key_remove(x->keys, x->argv[1]->data);
    struct sim_key *k = key_make(x->keys, x->argv[1], SIM_STRING, x->now_ms);
    k->value = sim_str_ref(x->argv[2]);
    x->r->kind = SIM_STATUS;
    x->r->text = "OK";
    if (x->argc < 5) {
        changed(x);
        return;
    }
    uint64_t ms = strtoull(x->argv[4]->data, NULL, 10);
    k->expires_ms = strcmp(x->argv[3]->data, "PX") == 0 ? x->now_ms + ms : ms;
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)k->expires_ms);
    struct sim_str *argv[5] = {x->argv[0], x->argv[1], x->argv[2], sim_str_new("PXAT", 4), sim_str_new(text, strlen(text))};
    *x->effect = sim_effect_new(5, argv);
    sim_str_unref(argv[3]);
    sim_str_unref(argv[4]);
}

static void do_del(struct exec *x)
{
    bool was = find(x) && key_remove(x->keys, x->argv[1]->data);
    if (was)
        changed(x);
    integer(x, was);
}

static void do_hget(struct exec *x)
{
    struct sim_field *f = field_find(find(x), x->argv[2]);
    string(x, f ? f->value : NULL);
}

static void do_hmget(struct exec *x)
{
    struct sim_key *k = find(x);
    x->r->kind = SIM_ARRAY;
    for (int i = 2; i < x->argc; i++) {
        struct sim_field *f = field_find(k, x->argv[i]);
        push(x, f ? f->value : NULL);
    }
}

static void do_hgetall(struct exec *x)
{
    struct sim_key *k = find(x);
    x->r->kind = SIM_ARRAY;
    for (size_t i = 0; k && i < k->fields; i++) {
        push(x, k->field[i].name);
        push(x, k->field[i].value);
    }
}

/* A record was stored: for the checker. */
static void remember(struct sim_key *k, struct sim_str *record)
{
    if (k->stored == k->stored_cap) {
        k->stored_cap = k->stored_cap ? k->stored_cap * 2 : 32;
        k->history = mer_xrealloc(k->history, k->stored_cap * sizeof(*k->history));
    }
    struct sim_stored *s = &k->history[k->stored++];
    s->record = sim_str_ref(record);
    s->version = strtoull(sim_key_field(k, "v"), NULL, 10);
    s->epoch = strtoull(sim_key_field(k, "e"), NULL, 10);
    snprintf(s->nonce, sizeof(s->nonce), "%s", sim_key_field(k, "n"));
}

static void do_hset(struct exec *x)
{
    struct sim_key *k = key_make(x->keys, x->argv[1], SIM_HASH, x->now_ms);
    struct sim_str *record = NULL;
    long long fresh = 0;
    for (int i = 2; i + 1 < x->argc; i += 2) {
        fresh += field_set(k, x->argv[i], x->argv[i + 1]);
        if (sim_str_is(x->argv[i], "r"))
            record = x->argv[i + 1];
    }
    if (record)
        remember(k, record);
    changed(x);
    integer(x, fresh);
}

static void do_hdel(struct exec *x)
{
    struct sim_key *k = find(x);
    long long gone = 0;
    for (int i = 2; k && i < x->argc; i++)
        gone += field_remove(k, x->argv[i]);
    if (k && k->fields == 0)
        key_remove(x->keys, x->argv[1]->data);
    if (gone)
        changed(x);
    integer(x, gone);
}

static void do_hincrby(struct exec *x)
{
    struct sim_key *k = key_make(x->keys, x->argv[1], SIM_HASH, x->now_ms);
    struct sim_field *f = field_find(k, x->argv[2]);
    long long n = (f ? strtoll(f->value->data, NULL, 10) : 0) + strtoll(x->argv[3]->data, NULL, 10);
    char text[32];
    snprintf(text, sizeof(text), "%lld", n);
    struct sim_str *v = sim_str_new(text, strlen(text));
    field_set(k, x->argv[2], v);
    sim_str_unref(v);
    changed(x);
    integer(x, n);
}

/* PEXPIRE is replicated as the moment. */
static void do_pexpire(struct exec *x)
{
    struct sim_key *k = find(x);
    integer(x, k != NULL);
    if (!k)
        return;
    bool at = strcmp(x->argv[0]->data, "PEXPIREAT") == 0;
    k->expires_ms = strtoull(x->argv[2]->data, NULL, 10) + (at ? 0 : x->now_ms);
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)k->expires_ms);
    struct sim_str *argv[3] = {sim_str_new("PEXPIREAT", 9), x->argv[1], sim_str_new(text, strlen(text))};
    *x->effect = sim_effect_new(3, argv);
    sim_str_unref(argv[0]);
    sim_str_unref(argv[2]);
}

static void do_sadd(struct exec *x)
{
    struct sim_key *k = key_make(x->keys, x->argv[1], SIM_SET, x->now_ms);
    long long fresh = 0;
    for (int i = 2; i < x->argc; i++)
        if (!field_find(k, x->argv[i]))
            fresh += field_set(k, x->argv[i], x->argv[i]);
    if (fresh)
        changed(x);
    integer(x, fresh);
}

static void do_smembers(struct exec *x)
{
    struct sim_key *k = find(x);
    x->r->kind = SIM_ARRAY;
    for (size_t i = 0; k && i < k->fields; i++)
        push(x, k->field[i].name);
}

static void do_scard(struct exec *x)
{
    struct sim_key *k = find(x);
    integer(x, k ? (long long)k->fields : 0);
}

/* RESTORE key value, as MIGRATE sends it: the value is a key of its own that nobody changes. */
static void do_restore(struct exec *x)
{
    const struct sim_key *value;
    memcpy(&value, x->argv[2]->data, sizeof(value));
    key_remove(x->keys, x->argv[1]->data);
    uint32_t slot = slot_of(x->argv[1]->data);
    struct sim_key *k = sim_key_copy(value);
    k->next = x->keys->slot[slot];
    x->keys->slot[slot] = k;
    changed(x);
}

static void do_exists(struct exec *x)
{
    integer(x, find(x) != NULL);
}

static const struct {
    const char *name;
    int args; /* at least, the name included */
    void (*run)(struct exec *x);
} commands[] = {
    {"TIME", 1, do_time},       {"GET", 2, do_get},           {"SET", 3, do_set},       {"DEL", 2, do_del},   {"HGET", 3, do_hget},
    {"HMGET", 3, do_hmget},     {"HGETALL", 2, do_hgetall},   {"HSET", 4, do_hset},     {"HDEL", 3, do_hdel}, {"HINCRBY", 4, do_hincrby},
    {"PEXPIRE", 3, do_pexpire}, {"PEXPIREAT", 3, do_pexpire}, {"SADD", 3, do_sadd},     {"SREM", 3, do_hdel}, {"SMEMBERS", 2, do_smembers},
    {"RESTORE", 3, do_restore}, {"SCARD", 2, do_scard},       {"EXISTS", 2, do_exists},
};

void sim_keys_exec(struct sim_keys *k, uint64_t now_ms, int argc, struct sim_str *const *argv, struct sim_reply *r,
                   struct sim_effect **effect)
{
    struct exec x = {k, now_ms, argc, argv, r, effect};
    r->kind = SIM_NIL;
    r->str = NULL;
    r->count = 0;
    *effect = NULL;
    for (size_t i = 0; i < MER_COUNT(commands); i++)
        if (strcmp(argv[0]->data, commands[i].name) == 0 && argc >= commands[i].args) {
            commands[i].run(&x);
            return;
        }
    r->kind = SIM_ERROR;
    r->text = "ERR unknown command";
    sim_fail("the product used a Redis command the simulator does not know: %s", argv[0]->data);
}
