/* SPDX-License-Identifier: Apache-2.0
 * sim_keys.h - what one Redis node holds, and the commands on it that the product uses. Strings are shared by count, so that nine nodes
 * cost little more than three. Of every game the node also keeps all records it ever stored, in order: what the checker reads at the end.
 */
#pragma once

#include "tests/sim/sim.h"

struct sim_str {
    uint32_t refs;
    size_t len;
    char data[];
};
struct sim_str *sim_str_new(const char *data, size_t len);
struct sim_str *sim_str_ref(struct sim_str *s);
void sim_str_unref(struct sim_str *s);
bool sim_str_is(const struct sim_str *s, const char *text);

/* One command, as it is replicated. */
struct sim_effect {
    uint32_t refs;
    int argc;
    struct sim_str *argv[];
};
struct sim_effect *sim_effect_new(int argc, struct sim_str *const *argv);
void sim_effect_unref(struct sim_effect *e);

enum sim_reply_kind { SIM_NIL, SIM_INT, SIM_STR, SIM_STATUS, SIM_ERROR, SIM_ARRAY };
enum { SIM_REPLY_ITEMS = 160 };
/* An array holds strings and NULLs. Strings are references of the reply's. */
struct sim_reply {
    enum sim_reply_kind kind;
    long long integer;
    const char *text; /* STATUS, ERROR: static */
    struct sim_str *str;
    size_t count;
    struct sim_str *item[SIM_REPLY_ITEMS];
};
void sim_reply_clear(struct sim_reply *r);

struct sim_stored {
    struct sim_str *record;
    uint64_t version, epoch;
    char nonce[20];
};
struct sim_field {
    struct sim_str *name, *value;
};
enum sim_type { SIM_STRING, SIM_HASH, SIM_SET };
struct sim_key {
    struct sim_key *next;
    struct sim_str *name, *value;
    enum sim_type type;
    struct sim_field *field;
    size_t fields, cap;
    uint64_t expires_ms; /* wall clock; 0: never */
    struct sim_stored *history;
    size_t stored, stored_cap;
};
enum { SIM_KEY_SLOTS = 512 };
struct sim_keys {
    struct sim_key *slot[SIM_KEY_SLOTS];
};

void sim_keys_init(struct sim_keys *k);
void sim_keys_clear(struct sim_keys *k);
struct sim_key *sim_key_copy(const struct sim_key *k);
void sim_keys_copy(struct sim_keys *to, const struct sim_keys *from);
/* now_ms: the node's wall clock. *effect: what replicas must do, or NULL when nothing was written (the caller's reference). */
void sim_keys_exec(struct sim_keys *k, uint64_t now_ms, int argc, struct sim_str *const *argv, struct sim_reply *r,
                   struct sim_effect **effect);
void sim_keys_each(const struct sim_keys *k, void (*each)(void *ctx, const struct sim_key *key), void *ctx);
const struct sim_key *sim_keys_find(const struct sim_keys *k, const char *name);
const char *sim_key_field(const struct sim_key *key, const char *field); /* "" when it has none */
