/* SPDX-License-Identifier: Apache-2.0
 * keys_internal.h - a set of keys as keys.c reads it and token.c uses it. */
#pragma once

#include <openssl/evp.h>

#include <meridian/token.h>

enum {
    KEY_KID_MAX = 64,
    KEY_COORD_BYTES = 32,       /* a P-256 coordinate or scalar, an Ed25519 key */
    KEY_SECRET_MIN_BYTES = 32,  /* RFC 7518, 3.2: at least the hash's size */
    KEY_SECRET_MAX_BYTES = 128, /* no special reason */
};

enum key_alg { KEY_ES256, KEY_EDDSA, KEY_HS256 };

struct mer_key {
    char kid[KEY_KID_MAX + 1];
    enum key_alg alg;
    bool can_sign;
    EVP_PKEY *pkey; /* NULL for HS256 */
    uint8_t secret[KEY_SECRET_MAX_BYTES];
    size_t secret_bytes;
};

struct mer_keys {
    size_t count;
    struct mer_key keys[];
};

/* "ES256", "EdDSA", "HS256". */
const char *mer__key_alg_name(enum key_alg alg);
/* NULL when no key has this kid. */
const struct mer_key *mer__keys_find(const struct mer_keys *k, const char *kid, size_t kid_len);
/* The one that signs: the first with a private part; NULL: none. */
const struct mer_key *mer__keys_signing(const struct mer_keys *k);
