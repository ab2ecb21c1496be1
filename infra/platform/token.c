/* SPDX-License-Identifier: Apache-2.0
 * token.c - JWS compact (RFC 7515) verified and made, claims (RFC 7519) checked (R11).
 *
 * Order: form, header, key, signature, and only then the claims; nothing that is not signed is looked at beyond alg, kid and typ. The key
 * found by kid says the algorithm; the header's alg must agree and decides nothing (RFC 8725, 3.1). Headers that would bring a key along
 * or change the meaning of the signature are refused by their presence. ES256 comes as r and s, 32 bytes each (RFC 7518, 3.4); DER is made
 * of it here and never taken. Expiry is judged last, so that "expired" says that all else was good.
 *
 * Invariant: OpenSSL's error queue is empty after a refusal; a TLS connection of the same thread would read it as its own.
 * Next: keys.c. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include "json_internal.h"
#include "keys_internal.h"
#include <meridian/id.h>
#include <meridian/mem.h>

enum {
    PART_MAX_BYTES = MER_TOKEN_MAX_BYTES / 4 * 3, /* what a token's text can decode to */
    SIGNATURE_BYTES = 64,                         /* ES256 and EdDSA */
    MAC_BYTES = 32,                               /* HS256 */
    DER_MAX_BYTES = 80,                           /* two integers of 33 bytes and their heads */
    SKEW_MAX_S = 30,
};

/* An issuer's own claims are ignored; they may nest, but not deeply. */
static const struct mer_json_limits part_limits = {
    .depth = 8, .members = 64, .string_bytes = PART_MAX_BYTES, .token_bytes = PART_MAX_BYTES};

const char *mer_token_cause_name(enum mer_token_cause c)
{
    static const char *const names[MER_TOKEN_NCAUSES] = {
        [MER_TOKEN_OK] = "ok",
        [MER_TOKEN_MALFORMED] = "malformed",
        [MER_TOKEN_HEADER] = "header",
        [MER_TOKEN_ALGORITHM] = "algorithm",
        [MER_TOKEN_UNKNOWN_KEY] = "unknown_key",
        [MER_TOKEN_SIGNATURE] = "signature",
        [MER_TOKEN_CLAIMS] = "claims",
        [MER_TOKEN_ISSUER] = "issuer",
        [MER_TOKEN_AUDIENCE] = "audience",
        [MER_TOKEN_SUBJECT] = "subject",
        [MER_TOKEN_EXPIRED] = "expired",
        [MER_TOKEN_NOT_YET] = "not_yet",
        [MER_TOKEN_TOO_LONG_LIVED] = "too_long_lived",
    };
    return (unsigned)c < MER_TOKEN_NCAUSES ? names[c] : "unknown";
}

/* ---- signatures ---- */

/* 64 bytes r, s -> DER; 0 when they are none. */
static size_t der_of(const uint8_t raw[SIGNATURE_BYTES], uint8_t der[DER_MAX_BYTES])
{
    int n = 0;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, SIGNATURE_BYTES / 2, NULL), *s = BN_bin2bn(raw + SIGNATURE_BYTES / 2, SIGNATURE_BYTES / 2, NULL);
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) { /* r and s are its own now */
        r = s = NULL;
        n = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return n > 0 ? (size_t)n : 0;
}

static bool raw_of(const uint8_t *der, size_t n, uint8_t raw[SIGNATURE_BYTES])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool good = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, SIGNATURE_BYTES / 2) > 0 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + SIGNATURE_BYTES / 2, SIGNATURE_BYTES / 2) > 0;
    ECDSA_SIG_free(sig);
    return good;
}

static bool mac(const struct mer_key *key, const char *text, size_t len, uint8_t out[MAC_BYTES])
{
    unsigned n = MAC_BYTES;
    return HMAC(EVP_sha256(), key->secret, (int)key->secret_bytes, (const uint8_t *)text, len, out, &n) && n == MAC_BYTES;
}

static bool signature_good(const struct mer_key *key, const char *text, size_t len, const uint8_t *sig, size_t sig_len)
{
    uint8_t other[DER_MAX_BYTES];
    if (key->alg == KEY_HS256)
        return sig_len == MAC_BYTES && mac(key, text, len, other) && CRYPTO_memcmp(sig, other, MAC_BYTES) == 0;
    if (sig_len != SIGNATURE_BYTES)
        return false;
    const EVP_MD *digest = NULL;
    if (key->alg == KEY_ES256) {
        digest = EVP_sha256();
        sig_len = der_of(sig, other);
        sig = other;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && sig_len && EVP_DigestVerifyInit(ctx, NULL, digest, NULL, key->pkey) == 1 &&
                EVP_DigestVerify(ctx, sig, sig_len, (const uint8_t *)text, len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!good)
        ERR_clear_error();
    return good;
}

/* The signature over text to sig; its length, 0 on failure. */
static size_t sign(const struct mer_key *key, const char *text, size_t len, uint8_t sig[SIGNATURE_BYTES])
{
    uint8_t made[DER_MAX_BYTES];
    size_t n = sizeof(made);
    if (key->alg == KEY_HS256)
        return mac(key, text, len, sig) ? MAC_BYTES : 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestSignInit(ctx, NULL, key->alg == KEY_ES256 ? EVP_sha256() : NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(ctx, made, &n, (const uint8_t *)text, len) == 1;
    EVP_MD_CTX_free(ctx);
    if (good && key->alg == KEY_ES256)
        good = raw_of(made, n, sig);
    else if (good)
        memcpy(sig, made, SIGNATURE_BYTES);
    if (!good)
        ERR_clear_error();
    return good ? SIGNATURE_BYTES : 0;
}

/* ---- verifying ---- */

/* The three parts of the text; signed_len = header and payload with the dot between. */
struct parts {
    const char *payload, *signature;
    size_t header_len, payload_len, signature_len, signed_len;
};

static bool split(const char *token, size_t len, struct parts *p)
{
    const char *dot = memchr(token, '.', len);
    const char *dot2 = dot ? memchr(dot + 1, '.', len - (size_t)(dot + 1 - token)) : NULL;
    if (!dot2)
        return false;
    p->header_len = (size_t)(dot - token);
    p->payload = dot + 1;
    p->payload_len = (size_t)(dot2 - p->payload);
    p->signed_len = (size_t)(dot2 - token);
    p->signature = dot2 + 1;
    p->signature_len = len - p->signed_len - 1;
    return p->header_len && p->payload_len && !memchr(p->signature, '.', p->signature_len);
}

/* A part of base64url JSON as an object; NULL when it is none. *decoded says whether it was base64url at all. */
static json_t *object_of(const char *text, size_t len, bool *decoded)
{
    uint8_t bytes[PART_MAX_BYTES];
    size_t n;
    enum mer_json_fault fault;
    *decoded = mer_b64u_decode(text, len, bytes, sizeof(bytes), &n) == MER_OK;
    json_t *v = *decoded ? mer__json_load((const char *)bytes, n, &part_limits, &fault) : NULL;
    if (v && !json_is_object(v)) {
        json_decref(v);
        v = NULL;
    }
    return v;
}

static enum mer_token_cause check_header(const struct mer_keys *k, json_t *header, const struct mer_key **key)
{
    static const char *const refused[] = {"jku", "x5u", "jwk", "x5c", "crit", "b64"};
    for (size_t i = 0; i < MER_COUNT(refused); i++) {
        if (json_object_get(header, refused[i]))
            return MER_TOKEN_HEADER;
    }
    const json_t *typ = json_object_get(header, "typ"), *alg = json_object_get(header, "alg"), *kid = json_object_get(header, "kid");
    if (typ && (!json_is_string(typ) || (strcmp(json_string_value(typ), "JWT") != 0 && strcmp(json_string_value(typ), "at+jwt") != 0)))
        return MER_TOKEN_HEADER;
    if (!json_is_string(kid) || !json_is_string(alg))
        return MER_TOKEN_HEADER;
    *key = mer__keys_find(k, json_string_value(kid), json_string_length(kid));
    if (!*key)
        return MER_TOKEN_UNKNOWN_KEY;
    return strcmp(json_string_value(alg), mer__key_alg_name((*key)->alg)) == 0 ? MER_TOKEN_OK : MER_TOKEN_ALGORITHM;
}

static bool string_is(const json_t *v, const char *text)
{
    return json_is_string(v) && strcmp(json_string_value(v), text) == 0;
}

static bool audience_has(const json_t *aud, const char *ours)
{
    bool found = string_is(aud, ours);
    for (size_t i = 0; i < json_array_size(aud); i++) { /* 0 for what is no array */
        if (!json_is_string(json_array_get(aud, i)))
            return false;
        found |= string_is(json_array_get(aud, i), ours);
    }
    return found;
}

/* A claim that may be absent (*out stays); otherwise an integer of 0 to max. */
static bool read_count(json_t *claims, const char *name, int64_t max, int64_t *out)
{
    const json_t *v = json_object_get(claims, name);
    if (!v)
        return true;
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
        return false;
    *out = json_integer_value(v);
    return true;
}

/* What is told about the player: name, rating, guest. */
static bool read_player(json_t *claims, struct mer_claims *out)
{
    int64_t rating = 0;
    const json_t *name = json_object_get(claims, "name"), *guest = json_object_get(claims, "guest");
    if (!read_count(claims, "rating", MER_TOKEN_RATING_MAX, &rating) || (guest && !json_is_boolean(guest)))
        return false;
    out->rating = (uint32_t)rating;
    out->guest = json_is_true(guest);
    if (!name)
        return true;
    if (!json_is_string(name))
        return false;
    size_t n = json_string_length(name);
    if (n > 0 && !mer_id_is_text(json_string_value(name), n, MER_TOKEN_NAME_MAX))
        return false;
    snprintf(out->name, sizeof(out->name), "%s", json_string_value(name));
    return true;
}

static enum mer_token_cause check_times(json_t *claims, const struct mer_token_rules *rules, uint64_t wall_ms, struct mer_claims *out)
{
    int64_t exp = -1, nbf = 0, iat = 0;
    int64_t max = MER_JSON_INT_MAX / 1000; /* milliseconds still fit a number of the protocol */
    uint32_t skew_s = rules->skew_s < SKEW_MAX_S ? rules->skew_s : SKEW_MAX_S;
    uint64_t skew_ms = skew_s * UINT64_C(1000);
    if (!read_count(claims, "exp", max, &exp) || exp < 0 || !read_count(claims, "nbf", max, &nbf) || !read_count(claims, "iat", max, &iat))
        return MER_TOKEN_CLAIMS;
    out->exp_ms = (uint64_t)exp * 1000;
    if ((uint64_t)nbf * 1000 > wall_ms + skew_ms || (uint64_t)iat * 1000 > wall_ms + skew_ms)
        return MER_TOKEN_NOT_YET;
    if (out->exp_ms > wall_ms + rules->max_lifetime_s * UINT64_C(1000))
        return MER_TOKEN_TOO_LONG_LIVED;
    return out->exp_ms + skew_ms <= wall_ms ? MER_TOKEN_EXPIRED : MER_TOKEN_OK;
}

static enum mer_token_cause check_claims(json_t *claims, const struct mer_token_rules *rules, uint64_t wall_ms, struct mer_claims *out)
{
    const json_t *sub = json_object_get(claims, "sub");
    if (!string_is(json_object_get(claims, "iss"), rules->issuer))
        return MER_TOKEN_ISSUER;
    if (!audience_has(json_object_get(claims, "aud"), rules->audience))
        return MER_TOKEN_AUDIENCE;
    if (!json_is_string(sub) || !mer_id_is_text(json_string_value(sub), json_string_length(sub), MER_TOKEN_SUB_MAX))
        return MER_TOKEN_SUBJECT;
    snprintf(out->sub, sizeof(out->sub), "%s", json_string_value(sub));
    if (!read_player(claims, out))
        return MER_TOKEN_CLAIMS;
    return check_times(claims, rules, wall_ms, out);
}

static enum mer_token_cause check_signed(const struct mer_keys *k, const char *token, const struct parts *p)
{
    uint8_t signature[SIGNATURE_BYTES + 1]; /* one more, so that a longer one is told from one that is right */
    size_t signature_len = 0;
    const struct mer_key *key = NULL;
    bool decoded;
    json_t *header = object_of(token, p->header_len, &decoded);
    if (!header)
        return decoded ? MER_TOKEN_HEADER : MER_TOKEN_MALFORMED;
    enum mer_token_cause cause = check_header(k, header, &key);
    json_decref(header);
    if (cause != MER_TOKEN_OK)
        return cause;
    switch (mer_b64u_decode(p->signature, p->signature_len, signature, sizeof(signature), &signature_len)) {
    case MER_OK:
        return signature_good(key, token, p->signed_len, signature, signature_len) ? MER_TOKEN_OK : MER_TOKEN_SIGNATURE;
    case MER_ERANGE:
        return MER_TOKEN_SIGNATURE;
    default:
        return MER_TOKEN_MALFORMED;
    }
}

enum mer_token_cause mer_token_verify(const struct mer_keys *k, const struct mer_token_rules *rules, const char *token, size_t len,
                                      uint64_t wall_ms, struct mer_claims *claims)
{
    struct parts p;
    struct mer_claims found = {{0}};
    bool decoded;
    if (len > MER_TOKEN_MAX_BYTES || !split(token, len, &p))
        return MER_TOKEN_MALFORMED;
    enum mer_token_cause cause = check_signed(k, token, &p);
    if (cause != MER_TOKEN_OK)
        return cause;
    json_t *payload = object_of(p.payload, p.payload_len, &decoded);
    if (!payload)
        return decoded ? MER_TOKEN_CLAIMS : MER_TOKEN_MALFORMED;
    cause = check_claims(payload, rules, wall_ms, &found);
    json_decref(payload);
    if (cause == MER_TOKEN_OK || cause == MER_TOKEN_EXPIRED)
        *claims = found;
    return cause;
}

bool mer_token_peek_sub(const char *token, size_t len, char sub[MER_TOKEN_SUB_MAX + 1])
{
    struct parts p;
    bool decoded;
    json_t *payload = len <= MER_TOKEN_MAX_BYTES && split(token, len, &p) ? object_of(p.payload, p.payload_len, &decoded) : NULL;
    const json_t *value = json_object_get(payload, "sub");
    bool good = json_is_string(value) && mer_id_is_text(json_string_value(value), json_string_length(value), MER_TOKEN_SUB_MAX);
    if (good)
        snprintf(sub, MER_TOKEN_SUB_MAX + 1, "%s", json_string_value(value));
    json_decref(payload);
    return good;
}

/* ---- making ---- */

/* header.body.signature to out; the body's text is left out of it where detached. */
static enum mer_err jws_make(const struct mer_keys *k, const char *typ, const void *body, size_t len, bool detached, struct mer_buf *out)
{
    char header[160], text[256], sig_text[SIGNATURE_BYTES * 4 / 3 + 4];
    uint8_t sig[SIGNATURE_BYTES];
    const struct mer_key *key = mer__keys_signing(k);
    if (!key)
        return MER_ENOTFOUND;
    int n = snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"%s}", mer__key_alg_name(key->alg), key->kid, typ);
    mer_b64u_encode(header, (size_t)n, text);
    size_t header_len = strlen(text);
    enum mer_err err = mer_buf_appendf(out, "%s.", text);
    if (!err)
        err = mer_buf_reserve(out, mer_b64u_len(len) + 1);
    if (err)
        return err;
    mer_b64u_encode(body, len, (char *)out->data + out->len);
    size_t sig_len = sign(key, (const char *)out->data, header_len + 1 + mer_b64u_len(len), sig);
    if (!sig_len)
        return MER_EINVALID;
    out->len += detached ? 0 : mer_b64u_len(len);
    mer_b64u_encode(sig, sig_len, sig_text);
    return mer_buf_appendf(out, ".%s", sig_text);
}

static enum mer_err jws_to(const struct mer_keys *k, const char *typ, const void *body, size_t len, bool detached, char *out, size_t room)
{
    struct mer_buf b;
    mer_buf_init(&b, 0);
    enum mer_err err = jws_make(k, typ, body, len, detached, &b);
    if (!err && b.len >= room)
        err = MER_ERANGE;
    if (!err) {
        memcpy(out, b.data, b.len);
        out[b.len] = '\0';
    }
    mer_buf_deinit(&b);
    return err;
}

enum mer_err mer_token_sign(const struct mer_keys *k, const char *payload, size_t len, char *out, size_t out_bytes)
{
    return jws_to(k, ",\"typ\":\"JWT\"", payload, len, false, out, out_bytes);
}

enum mer_err mer_jws_sign_detached(const struct mer_keys *k, const void *body, size_t len, char *out, size_t out_bytes)
{
    return jws_to(k, "", body, len, true, out, out_bytes);
}
