/* SPDX-License-Identifier: Apache-2.0
 * keys.c - key sets: JWKS (RFC 7517) to OpenSSL keys, and new key pairs.
 *
 * What the file does not fit to tokens of ours (other curves, RSA, encryption keys, HS256 where it is not configured) is passed over, as
 * RFC 7517 wants it; what claims to be of a kind we use and is wrong is an error, so that a typing mistake is seen at start and not as
 * refused players. A private part is checked against its public one.
 *
 * Invariant: a set never changes; a reload makes a new one.
 * Next: token.c. */
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "json_internal.h"
#include "keys_internal.h"
#include <meridian/id.h>
#include <meridian/mem.h>

enum { KEYS_FILE_MAX_BYTES = 64 * 1024, KEYS_MAX = 64 }; /* no special reason */

static const struct mer_json_limits file_limits = {.depth = 8, .members = KEYS_MAX, .string_bytes = 8192, .token_bytes = 8192};

const char *mer__key_alg_name(enum key_alg alg)
{
    static const char *const names[] = {[KEY_ES256] = "ES256", [KEY_EDDSA] = "EdDSA", [KEY_HS256] = "HS256"};
    return names[alg];
}

const struct mer_key *mer__keys_find(const struct mer_keys *k, const char *kid, size_t kid_len)
{
    for (size_t i = 0; i < k->count; i++) {
        if (strlen(k->keys[i].kid) == kid_len && memcmp(k->keys[i].kid, kid, kid_len) == 0)
            return &k->keys[i];
    }
    return NULL;
}

const struct mer_key *mer__keys_signing(const struct mer_keys *k)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->keys[i].can_sign)
            return &k->keys[i];
    }
    return NULL;
}

void mer_keys_destroy(struct mer_keys *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->count; i++)
        EVP_PKEY_free(k->keys[i].pkey);
    OPENSSL_cleanse(k->keys, k->count * sizeof(k->keys[0]));
    mer_free(&k);
}

static const char *text_of(json_t *jwk, const char *name)
{
    const char *s = json_string_value(json_object_get(jwk, name));
    return s ? s : "";
}

/* A base64url member of exactly KEY_COORD_BYTES. */
static bool coord_of(json_t *jwk, const char *name, uint8_t out[KEY_COORD_BYTES])
{
    size_t n = 0;
    const char *s = text_of(jwk, name);
    return mer_b64u_decode(s, strlen(s), out, KEY_COORD_BYTES, &n) == MER_OK && n == KEY_COORD_BYTES;
}

/* An EVP key of P-256 from the point and, where d is not NULL, the scalar. */
static EVP_PKEY *p256_create(const uint8_t *x, const uint8_t *y, const uint8_t *d)
{
    uint8_t point[1 + 2 * KEY_COORD_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    BIGNUM *scalar = d ? BN_bin2bn(d, KEY_COORD_BYTES, NULL) : NULL;

    memcpy(point + 1, x, KEY_COORD_BYTES);
    memcpy(point + 1 + KEY_COORD_BYTES, y, KEY_COORD_BYTES);
    bool built = bld && ctx && (!d || scalar) && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
                 OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) &&
                 (!d || OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, scalar)) && (params = OSSL_PARAM_BLD_to_param(bld));
    if (built && EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
    BN_clear_free(scalar);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* Is the public part a point of the curve and, with a private part, that one's? */
static bool p256_good(EVP_PKEY *pkey, bool private)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool good = ctx && (private ? EVP_PKEY_check(ctx) : EVP_PKEY_public_check(ctx)) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

static bool read_p256(json_t *jwk, struct mer_key *key)
{
    uint8_t x[KEY_COORD_BYTES], y[KEY_COORD_BYTES], d[KEY_COORD_BYTES];
    key->alg = KEY_ES256;
    key->can_sign = json_object_get(jwk, "d") != NULL;
    if (!coord_of(jwk, "x", x) || !coord_of(jwk, "y", y) || (key->can_sign && !coord_of(jwk, "d", d)))
        return false;
    key->pkey = p256_create(x, y, key->can_sign ? d : NULL);
    OPENSSL_cleanse(d, sizeof(d));
    return key->pkey && p256_good(key->pkey, key->can_sign);
}

static bool read_ed25519(json_t *jwk, struct mer_key *key)
{
    uint8_t x[KEY_COORD_BYTES], d[KEY_COORD_BYTES], made[KEY_COORD_BYTES];
    size_t n = sizeof(made);
    key->alg = KEY_EDDSA;
    key->can_sign = json_object_get(jwk, "d") != NULL;
    if (!coord_of(jwk, "x", x) || (key->can_sign && !coord_of(jwk, "d", d)))
        return false;
    if (key->can_sign)
        key->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, d, sizeof(d));
    else
        key->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof(x));
    OPENSSL_cleanse(d, sizeof(d));
    return key->pkey && EVP_PKEY_get_raw_public_key(key->pkey, made, &n) == 1 && n == sizeof(x) && memcmp(made, x, sizeof(x)) == 0;
}

static bool read_oct(json_t *jwk, struct mer_key *key)
{
    const char *s = text_of(jwk, "k");
    key->alg = KEY_HS256;
    key->can_sign = true;
    return mer_b64u_decode(s, strlen(s), key->secret, sizeof(key->secret), &key->secret_bytes) == MER_OK &&
           key->secret_bytes >= KEY_SECRET_MIN_BYTES;
}

struct kind {
    const char *kty, *crv, *alg;
    bool (*read)(json_t *jwk, struct mer_key *key);
};

static const struct kind *kind_of(json_t *jwk, bool allow_hs256)
{
    static const struct kind kinds[] = {
        {"EC", "P-256", "ES256", read_p256}, {"OKP", "Ed25519", "EdDSA", read_ed25519}, {"oct", "", "HS256", read_oct}};
    const char *alg = text_of(jwk, "alg"), *use = text_of(jwk, "use");
    for (size_t i = 0; i < MER_COUNT(kinds); i++) {
        const struct kind *k = &kinds[i];
        if (strcmp(text_of(jwk, "kty"), k->kty) != 0 || (*k->crv && strcmp(text_of(jwk, "crv"), k->crv) != 0))
            continue;
        bool ours = (!*alg || strcmp(alg, k->alg) == 0) && (!*use || strcmp(use, "sig") == 0);
        return ours && (k->read != read_oct || allow_hs256) ? k : NULL;
    }
    return NULL;
}

/* Adds one JWK to the set, which has room. */
static enum mer_err add_jwk(struct mer_keys *set, json_t *jwk, size_t index, bool allow_hs256, struct mer_msg *msg)
{
    if (!json_is_object(jwk) || !json_is_string(json_object_get(jwk, "kty"))) {
        mer_msgf(msg, "key %zu: not an object with a kty", index);
        return MER_EINVALID;
    }
    const struct kind *kind = kind_of(jwk, allow_hs256);
    if (!kind)
        return MER_OK;
    const char *kid = text_of(jwk, "kid");
    if (!mer_id_is_plain(kid, strlen(kid), KEY_KID_MAX)) {
        mer_msgf(msg, "key %zu: kid must be 1 to %d of A-Z a-z 0-9 _ -", index, KEY_KID_MAX);
        return MER_EINVALID;
    }
    if (mer__keys_find(set, kid, strlen(kid))) {
        mer_msgf(msg, "key %zu: kid \"%s\" is there twice", index, kid);
        return MER_EINVALID;
    }
    struct mer_key *key = &set->keys[set->count++]; /* counted first: destroy frees what was read of it */
    snprintf(key->kid, sizeof(key->kid), "%s", kid);
    if (kind->read(jwk, key))
        return MER_OK;
    ERR_clear_error();
    mer_msgf(msg, "key \"%s\": not a good %s key", kid, kind->alg);
    return MER_EINVALID;
}

static enum mer_err set_create(struct mer_keys **out, json_t *root, bool allow_hs256, struct mer_msg *msg)
{
    json_t *list = json_object_get(root, "keys");
    size_t n = json_is_array(list) ? json_array_size(list) : 1;
    if (!json_is_object(root) || (list && !json_is_array(list))) {
        mer_msgf(msg, "not a key or a set of keys");
        return MER_EINVALID;
    }
    struct mer_keys *set = mer_try_calloc(1, sizeof(*set) + n * sizeof(set->keys[0]));
    if (!set)
        return MER_ENOMEM;
    enum mer_err err = MER_OK;
    for (size_t i = 0; i < n && !err; i++)
        err = add_jwk(set, list ? json_array_get(list, i) : root, i, allow_hs256, msg);
    if (!err && set->count == 0) {
        mer_msgf(msg, "no key for ES256, EdDSA%s", allow_hs256 ? " or HS256" : "");
        err = MER_EINVALID;
    }
    if (err)
        mer_keys_destroy(set);
    else
        *out = set;
    return err;
}

enum mer_err mer_keys_parse(struct mer_keys **out, const char *json, size_t len, bool allow_hs256, struct mer_msg *msg)
{
    enum mer_json_fault fault;
    json_t *root = mer__json_load(json, len, &file_limits, &fault);
    if (!root) {
        mer_msgf(msg, "not JSON, a name twice, or too large");
        return fault == MER_JSON_NOMEM ? MER_ENOMEM : MER_EINVALID;
    }
    enum mer_err err = set_create(out, root, allow_hs256, msg);
    json_decref(root);
    return err;
}

enum mer_err mer_keys_load(struct mer_keys **out, const char *file, bool allow_hs256, struct mer_msg *msg)
{
    struct mer_msg why = {{0}};
    enum mer_err err = MER_EIO;
    FILE *f = fopen(file, "re");
    if (!f) {
        mer_msgf(msg, "%s: cannot be opened: %m", file);
        return MER_EIO;
    }
    char *text = mer_try_malloc(KEYS_FILE_MAX_BYTES + 1);
    size_t n = text ? fread(text, 1, KEYS_FILE_MAX_BYTES + 1, f) : 0;
    if (!text)
        err = MER_ENOMEM;
    else if (ferror(f))
        mer_msgf(&why, "cannot be read");
    else if (n > KEYS_FILE_MAX_BYTES)
        mer_msgf(&why, "longer than %d bytes", KEYS_FILE_MAX_BYTES);
    else
        err = mer_keys_parse(out, text, n, allow_hs256, &why);
    fclose(f);
    if (text)
        OPENSSL_cleanse(text, n);
    mer_free(&text);
    if (err)
        mer_msgf(msg, "%s: %s", file, *why.text ? why.text : mer_err_text(err));
    return err;
}

enum mer_err mer_keys_load_signing(struct mer_keys **out, const char *file, bool allow_hs256, struct mer_msg *msg)
{
    struct mer_keys *k;
    enum mer_err err = mer_keys_load(&k, file, allow_hs256, msg);
    if (err)
        return err;
    if (mer__keys_signing(k)) {
        *out = k;
        return MER_OK;
    }
    mer_msgf(msg, "%s: no private key, so nothing can be signed with it", file);
    mer_keys_destroy(k);
    return MER_EINVALID;
}

/* The members of the JWK that carry the key: public ones, private one. */
static bool describe(EVP_PKEY *pkey, bool p256, char *public_part, size_t public_bytes, char *private_part, size_t private_bytes)
{
    uint8_t x[KEY_COORD_BYTES], y[KEY_COORD_BYTES], d[KEY_COORD_BYTES];
    char x64[64], y64[64], d64[64];
    bool good;
    if (p256) {
        BIGNUM *bx = NULL, *by = NULL, *bd = NULL;
        good = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &bx) && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &by) &&
               EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &bd) && BN_bn2binpad(bx, x, sizeof(x)) > 0 &&
               BN_bn2binpad(by, y, sizeof(y)) > 0 && BN_bn2binpad(bd, d, sizeof(d)) > 0;
        BN_free(bx);
        BN_free(by);
        BN_clear_free(bd);
    } else {
        size_t nx = sizeof(x), nd = sizeof(d);
        good = EVP_PKEY_get_raw_public_key(pkey, x, &nx) == 1 && EVP_PKEY_get_raw_private_key(pkey, d, &nd) == 1;
    }
    if (!good)
        return false;
    mer_b64u_encode(x, sizeof(x), x64);
    mer_b64u_encode(d, sizeof(d), d64);
    if (p256) {
        mer_b64u_encode(y, sizeof(y), y64);
        snprintf(public_part, public_bytes, "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"", x64, y64);
    } else {
        snprintf(public_part, public_bytes, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"", x64);
    }
    snprintf(private_part, private_bytes, ",\"d\":\"%s\"", d64);
    OPENSSL_cleanse(d, sizeof(d));
    OPENSSL_cleanse(d64, sizeof(d64));
    return true;
}

enum mer_err mer_keys_generate(const char *alg, const char *kid, struct mer_buf *private_jwks, struct mer_buf *public_jwks)
{
    static const char form[] = "{\"keys\":[{\"kid\":\"%s\",\"alg\":\"%s\",\"use\":\"sig\",%s%s}]}\n";
    char public_part[256], private_part[80];
    bool p256 = strcmp(alg, "ES256") == 0;
    if ((!p256 && strcmp(alg, "EdDSA") != 0) || !mer_id_is_plain(kid, strlen(kid), KEY_KID_MAX))
        return MER_EINVALID;
    EVP_PKEY *pkey = p256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    bool good = pkey && describe(pkey, p256, public_part, sizeof(public_part), private_part, sizeof(private_part));
    EVP_PKEY_free(pkey);
    if (!good) {
        ERR_clear_error();
        return MER_ENOMEM;
    }
    enum mer_err err = mer_buf_appendf(private_jwks, form, kid, alg, public_part, private_part);
    if (!err)
        err = mer_buf_appendf(public_jwks, form, kid, alg, public_part, "");
    OPENSSL_cleanse(private_part, sizeof(private_part));
    return err;
}
