/* SPDX-License-Identifier: Apache-2.0
 * jws.c - a detached signature, checked with OpenSSL alone, so that the project's own code is not asked whether it is right. Pure. */
#include "tests/load/jws.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <meridian/mem.h>

enum { COORD_BYTES = 32, SIGNATURE_BYTES = 64 };

/* --- base64url -------------------------------------------------------------------------------------------------------------------------
 */

static int value_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Bytes written; 0 when it is not base64url or too much. */
static size_t decode(const char *text, size_t len, uint8_t *out, size_t bytes)
{
    uint32_t bits = 0;
    size_t n = 0;
    unsigned have = 0;
    for (size_t i = 0; i < len; i++) {
        int v = value_of(text[i]);
        if (v < 0)
            return 0;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n == bytes)
            return 0;
        out[n++] = (uint8_t)(bits >> have);
    }
    return n;
}

/* Text without padding, terminated; the caller frees. */
static char *encode(const void *data, size_t len)
{
    char *out = mer_xmalloc(4 * (len / 3 + 1) + 1);
    int n = EVP_EncodeBlock((unsigned char *)out, data, (int)len);
    for (char *c = out; *c; c++)
        *c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
    while (n > 0 && out[n - 1] == '=')
        out[--n] = 0;
    return out;
}

/* --- the signature ---------------------------------------------------------------------------------------------------------------------
 */

static bool coordinate(const json_t *key, const char *name, uint8_t *out)
{
    const char *text = json_string_value(json_object_get(key, name));
    return text && decode(text, strlen(text), out, COORD_BYTES) == COORD_BYTES;
}

static EVP_PKEY *p256_key(const json_t *key)
{
    uint8_t point[1 + 2 * COORD_BYTES] = {4};
    EVP_PKEY *made = NULL;
    if (!coordinate(key, "x", point + 1) || !coordinate(key, "y", point + 1 + COORD_BYTES))
        return NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"prime256v1", 0),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)), OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_PUBLIC_KEY, params); /* NULL when it is no point */
    EVP_PKEY_CTX_free(ctx);
    return made;
}

static EVP_PKEY *ed25519_key(const json_t *key)
{
    uint8_t x[COORD_BYTES];
    return coordinate(key, "x", x) ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof(x)) : NULL;
}

static bool verify(EVP_PKEY *key, const EVP_MD *hash, const uint8_t *sig, size_t sig_len, const char *text)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, hash, NULL, key) == 1 &&
                EVP_DigestVerify(ctx, sig, sig_len, (const unsigned char *)text, strlen(text)) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

/* JOSE has r and s side by side, OpenSSL wants them in DER. */
static bool verify_es256(EVP_PKEY *key, const uint8_t *raw, const char *text)
{
    uint8_t *der = NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, COORD_BYTES, NULL), *s = BN_bin2bn(raw + COORD_BYTES, COORD_BYTES, NULL);
    bool good = false;
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* the signature's */
        int len = i2d_ECDSA_SIG(sig, &der);
        good = len > 0 && verify(key, EVP_sha256(), der, (size_t)len, text);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    OPENSSL_free(der);
    return good;
}

/* The key decides the algorithm, never the header. */
static bool signed_by(const json_t *key, const char *alg, const uint8_t *raw, const char *text)
{
    const char *curve = json_string_value(json_object_get(key, "crv"));
    bool p256 = curve && strcmp(curve, "P-256") == 0, ed25519 = curve && strcmp(curve, "Ed25519") == 0;
    EVP_PKEY *made = p256 ? p256_key(key) : ed25519 ? ed25519_key(key) : NULL;
    bool good = made && strcmp(alg, p256 ? "ES256" : "EdDSA") == 0 &&
                (p256 ? verify_es256(made, raw, text) : verify(made, NULL, raw, SIGNATURE_BYTES, text));
    EVP_PKEY_free(made);
    return good;
}

bool load_jws_signed(const char *jwks, const char *signature, const char *text, size_t len)
{
    uint8_t header[256] = {0}, raw[SIGNATURE_BYTES];
    const char *dots = strstr(signature, "..");
    json_t *keys = json_loads(jwks, 0, NULL), *head = NULL, *key;
    bool good = false;
    size_t i;
    if (dots && decode(signature, (size_t)(dots - signature), header, sizeof(header) - 1) > 0 &&
        decode(dots + 2, strlen(dots + 2), raw, sizeof(raw)) == sizeof(raw))
        head = json_loads((const char *)header, 0, NULL);
    const char *kid = json_string_value(json_object_get(head, "kid")), *alg = json_string_value(json_object_get(head, "alg"));
    if (kid && alg) {
        char *body = encode(text, len), *whole = NULL;
        if (asprintf(&whole, "%.*s.%s", (int)(dots - signature), signature, body) < 0)
            abort();
        json_array_foreach(json_object_get(keys, "keys"), i, key)
        {
            const char *name = json_string_value(json_object_get(key, "kid"));
            good = good || (name && strcmp(name, kid) == 0 && signed_by(key, alg, raw, whole));
        }
        free(whole);
        mer_free(&body);
    }
    json_decref(head);
    json_decref(keys);
    return good;
}
