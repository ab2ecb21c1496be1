/* SPDX-License-Identifier: Apache-2.0
 * test_token.c - tokens: what another implementation made is taken, and the known attacks on JWTs, as tables, are refused with the right
 * cause. Attacks that need a valid signature are signed here, past mer_token_sign, which would not make such tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>

#include "infra/platform/keys_internal.h"
#include "token_fixture.h"
#include <meridian/buf.h>
#include <meridian/id.h>

enum { ES = 1, ED = 2, HS = 4, ALL = 7, NALGS = 3, TEXT_BYTES = 8192 };

/* '@' = the key's algorithm, '#' = its kid. */
#define HEADER "{\"alg\":\"@\",\"kid\":\"#\",\"typ\":\"JWT\"}"
#define PAYLOAD(rest) "{\"iss\":\"https://id.test\",\"aud\":\"meridian\",\"sub\":\"alice\"," rest "}"
#define GOOD_PAYLOAD PAYLOAD("\"exp\":1700000600")

struct fix {
    struct mer_keys *keys;
};

static int setup(void **state)
{
    static struct fix f;
    struct mer_msg msg;
    *state = &f;
    return mer_keys_parse(&f.keys, TOKEN_FIXTURE_JWKS, strlen(TOKEN_FIXTURE_JWKS), true, &msg);
}

static int teardown(void **state)
{
    struct fix *f = *state;
    mer_keys_destroy(f->keys);
    return 0;
}

static void expand(const char *form, const struct mer_key *key, char *out, size_t room)
{
    size_t n = 0;
    for (; *form; form++) {
        if (*form == '@')
            n += (size_t)snprintf(out + n, room - n, "%s", mer__key_alg_name(key->alg));
        else if (*form == '#')
            n += (size_t)snprintf(out + n, room - n, "%s", key->kid);
        else
            out[n++] = *form;
        assert_true(n + 1 < room);
    }
    out[n] = '\0';
}

/* The signature of text as JWS wants it; its length. */
static size_t sign_raw(const struct mer_key *key, const char *text, size_t len, uint8_t sig[128])
{
    size_t n = 128;
    unsigned mac = 32;
    if (key->alg == KEY_HS256) {
        HMAC(EVP_sha256(), key->secret, (int)key->secret_bytes, (const uint8_t *)text, len, sig, &mac);
        return mac;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, key->alg == KEY_ES256 ? EVP_sha256() : NULL, NULL, key->pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const uint8_t *)text, len), 1);
    EVP_MD_CTX_free(ctx);
    if (key->alg == KEY_ES256) {
        const uint8_t *der = sig;
        ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &der, (long)n);
        BN_bn2binpad(ECDSA_SIG_get0_r(parsed), sig, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(parsed), sig + 32, 32);
        ECDSA_SIG_free(parsed);
    }
    return 64;
}

/* header.payload of any bytes, signed; `edit` may change the signature. */
static void make_bytes(const struct mer_key *key, const char *header, const void *payload, size_t payload_len,
                       size_t (*edit)(uint8_t *sig, size_t n), char out[TEXT_BYTES])
{
    uint8_t sig[128];
    char text[TEXT_BYTES / 2];
    expand(header, key, text, sizeof(text));
    mer_b64u_encode(text, strlen(text), out);
    size_t n = strlen(out);
    out[n++] = '.';
    assert_true(n + mer_b64u_len(payload_len) + 200 < TEXT_BYTES);
    mer_b64u_encode(payload, payload_len, out + n);
    n += strlen(out + n);
    size_t sig_len = sign_raw(key, out, n, sig);
    if (edit)
        sig_len = edit(sig, sig_len);
    out[n++] = '.';
    mer_b64u_encode(sig, sig_len, out + n);
}

static void make(const struct mer_key *key, const char *header, const char *payload, size_t (*edit)(uint8_t *sig, size_t n),
                 char out[TEXT_BYTES])
{
    make_bytes(key, header, payload, strlen(payload), edit, out);
}

#define assert_cause(f, token, len, want, row) \
    do { \
        struct mer_claims c_; \
        enum mer_token_cause got_ = mer_token_verify((f)->keys, &token_fixture_rules, (token), (len), TOKEN_FIXTURE_NOW_MS, &c_); \
        if (got_ != (want)) \
            fail_msg("%s: %s, not %s", (row), mer_token_cause_name(got_), mer_token_cause_name(want)); \
        if (ERR_peek_error()) \
            fail_msg("%s: left in OpenSSL's error queue", (row)); \
    } while (0)

static void tokens_of_another_implementation_are_taken(void **state)
{
    struct fix *f = *state;
    static const char *const golden[NALGS] = {
        ("eyJhbGciOiJFUzI1NiIsImtpZCI6ImVzLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtZXJpZGlhbiI"
         "sInN1YiI6ImFsaWNlIiwiZXhwIjoxNzAwMDAwNjAwLCJuYW1lIjoiQWxpY2UiLCJyYXRpbmciOjE3MDB9.0BjuNWJla3sMsi47VsR1TB4YP2wl"
         "eoK1zL_b8rJ43R-ViqBh5I-EWwsHHFeaPlIABY-lLORYWksTLTVsi3U2hw"),
        ("eyJhbGciOiJFZERTQSIsImtpZCI6ImVkLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtZXJpZGlhbiI"
         "sInN1YiI6ImFsaWNlIiwiZXhwIjoxNzAwMDAwNjAwLCJuYW1lIjoiQWxpY2UiLCJyYXRpbmciOjE3MDB9.7FKwYRSb2j-Ll6eyTtXn71xXnvrG"
         "Kf3npr1Ggf22Mu7pwGU-WOjke8sdk-DedBiPV0BgkJOXGNUXuPRf1EAVBg"),
        ("eyJhbGciOiJIUzI1NiIsImtpZCI6ImhzLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtZXJpZGlhbiI"
         "sInN1YiI6ImFsaWNlIiwiZXhwIjoxNzAwMDAwNjAwLCJuYW1lIjoiQWxpY2UiLCJyYXRpbmciOjE3MDB9.pjtYG-trVCSIf7sPlmM3wfXLBnTb"
         "paavq7bTP5Nlz0M"),
    };
    for (size_t i = 0; i < NALGS; i++) {
        struct mer_claims c;
        memset(&c, 0xff, sizeof(c));
        assert_int_equal(mer_token_verify(f->keys, &token_fixture_rules, golden[i], strlen(golden[i]), TOKEN_FIXTURE_NOW_MS, &c),
                         MER_TOKEN_OK);
        assert_string_equal(c.sub, "alice");
        assert_string_equal(c.name, "Alice");
        assert_int_equal(c.rating, 1700);
        assert_int_equal(c.exp_ms, 1700000600000);
        assert_false(c.guest);
    }
}

static void headers_are_judged_before_the_key_is_used(void **state)
{
    struct fix *f = *state;
    static char long_kid[1200], token[TEXT_BYTES];
    snprintf(long_kid, sizeof(long_kid), "{\"alg\":\"@\",\"kid\":\"%01024d\"}", 0);
    const struct {
        const char *name, *header;
        enum mer_token_cause want;
    } rows[] = {
        {"good", HEADER, MER_TOKEN_OK},
        {"no typ", "{\"alg\":\"@\",\"kid\":\"#\"}", MER_TOKEN_OK},
        {"at+jwt", "{\"typ\":\"at+jwt\",\"alg\":\"@\",\"kid\":\"#\"}", MER_TOKEN_OK},
        {"unknown header", "{\"alg\":\"@\",\"kid\":\"#\",\"x\":[{}]}", MER_TOKEN_OK},
        {"alg none", "{\"alg\":\"none\",\"kid\":\"#\"}", MER_TOKEN_ALGORITHM},
        {"alg None", "{\"alg\":\"None\",\"kid\":\"#\"}", MER_TOKEN_ALGORITHM},
        {"alg nOnE", "{\"alg\":\"nOnE\",\"kid\":\"#\"}", MER_TOKEN_ALGORITHM},
        {"alg empty", "{\"alg\":\"\",\"kid\":\"#\"}", MER_TOKEN_ALGORITHM},
        {"alg absent", "{\"kid\":\"#\"}", MER_TOKEN_HEADER},
        {"alg null", "{\"alg\":null,\"kid\":\"#\"}", MER_TOKEN_HEADER},
        {"alg array", "{\"alg\":[\"@\"],\"kid\":\"#\"}", MER_TOKEN_HEADER},
        {"alg with a space", "{\"alg\":\"@ \",\"kid\":\"#\"}", MER_TOKEN_ALGORITHM},
        {"alg RS256", "{\"alg\":\"RS256\",\"kid\":\"#\"}", MER_TOKEN_ALGORITHM},
        {"alg PS256", "{\"alg\":\"PS256\",\"kid\":\"#\"}", MER_TOKEN_ALGORITHM},
        {"alg ES384", "{\"alg\":\"ES384\",\"kid\":\"#\"}", MER_TOKEN_ALGORITHM},
        {"alg HS384", "{\"alg\":\"HS384\",\"kid\":\"#\"}", MER_TOKEN_ALGORITHM},
        {"alg lower case", "{\"alg\":\"es256\",\"kid\":\"es-1\"}", MER_TOKEN_ALGORITHM},
        {"alg of another kind, key es", "{\"alg\":\"EdDSA\",\"kid\":\"es-1\"}", MER_TOKEN_ALGORITHM},
        {"HS256 with the public key's kid, es", "{\"alg\":\"HS256\",\"kid\":\"es-1\"}", MER_TOKEN_ALGORITHM},
        {"HS256 with the public key's kid, ed", "{\"alg\":\"HS256\",\"kid\":\"ed-1\"}", MER_TOKEN_ALGORITHM},
        {"ES256 with the secret's kid", "{\"alg\":\"ES256\",\"kid\":\"hs-1\"}", MER_TOKEN_ALGORITHM},
        {"kid absent", "{\"alg\":\"@\"}", MER_TOKEN_HEADER},
        {"kid number", "{\"alg\":\"@\",\"kid\":1}", MER_TOKEN_HEADER},
        {"kid empty", "{\"alg\":\"@\",\"kid\":\"\"}", MER_TOKEN_UNKNOWN_KEY},
        {"kid unknown", "{\"alg\":\"@\",\"kid\":\"nobody\"}", MER_TOKEN_UNKNOWN_KEY},
        {"kid longer", "{\"alg\":\"@\",\"kid\":\"#x\"}", MER_TOKEN_UNKNOWN_KEY},
        {"kid other case", "{\"alg\":\"@\",\"kid\":\"ES-1\"}", MER_TOKEN_UNKNOWN_KEY},
        {"kid of 1 KiB", long_kid, MER_TOKEN_UNKNOWN_KEY},
        {"kid a path", "{\"alg\":\"@\",\"kid\":\"../../etc/passwd\"}", MER_TOKEN_UNKNOWN_KEY},
        {"kid SQL", "{\"alg\":\"@\",\"kid\":\"' or 1=1 --\"}", MER_TOKEN_UNKNOWN_KEY},
        {"kid with NUL", "{\"alg\":\"@\",\"kid\":\"#\\u0000\"}", MER_TOKEN_HEADER},
        {"kid twice", "{\"alg\":\"@\",\"kid\":\"#\",\"kid\":\"#\"}", MER_TOKEN_HEADER},
        {"alg twice", "{\"alg\":\"none\",\"kid\":\"#\",\"alg\":\"@\"}", MER_TOKEN_HEADER},
        {"jku", "{\"alg\":\"@\",\"kid\":\"#\",\"jku\":\"https://evil.test/k\"}", MER_TOKEN_HEADER},
        {"x5u", "{\"alg\":\"@\",\"kid\":\"#\",\"x5u\":\"https://evil.test/k\"}", MER_TOKEN_HEADER},
        {"jwk", "{\"alg\":\"@\",\"kid\":\"#\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}", MER_TOKEN_HEADER},
        {"x5c", "{\"alg\":\"@\",\"kid\":\"#\",\"x5c\":[\"AA\"]}", MER_TOKEN_HEADER},
        {"crit", "{\"alg\":\"@\",\"kid\":\"#\",\"crit\":[\"exp\"]}", MER_TOKEN_HEADER},
        {"crit empty", "{\"alg\":\"@\",\"kid\":\"#\",\"crit\":[]}", MER_TOKEN_HEADER},
        {"b64 false", "{\"alg\":\"@\",\"kid\":\"#\",\"b64\":false}", MER_TOKEN_HEADER},
        {"b64 true", "{\"alg\":\"@\",\"kid\":\"#\",\"b64\":true}", MER_TOKEN_HEADER},
        {"typ of another use", "{\"alg\":\"@\",\"kid\":\"#\",\"typ\":\"logout+jwt\"}", MER_TOKEN_HEADER},
        {"typ number", "{\"alg\":\"@\",\"kid\":\"#\",\"typ\":1}", MER_TOKEN_HEADER},
        {"header an array", "[\"@\",\"#\"]", MER_TOKEN_HEADER},
        {"header a string", "\"@\"", MER_TOKEN_HEADER},
        {"header no JSON", "@", MER_TOKEN_HEADER},
        {"header with trailing data", HEADER "x", MER_TOKEN_HEADER},
        {"header nests deeply", "{\"alg\":\"@\",\"kid\":\"#\",\"x\":[[[[[[[[0]]]]]]]]}", MER_TOKEN_HEADER},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        for (size_t a = 0; a < NALGS; a++) {
            make(&f->keys->keys[a], rows[i].header, GOOD_PAYLOAD, NULL, token);
            assert_cause(f, token, strlen(token), rows[i].want, rows[i].name);
        }
    }
}

static void claims_are_judged_each(void **state)
{
    struct fix *f = *state;
    static char token[TEXT_BYTES], long_sub[1300], longest_sub[300], long_name[300];
    snprintf(long_sub, sizeof(long_sub), "{\"iss\":\"https://id.test\",\"aud\":\"meridian\",\"exp\":1700000600,\"sub\":\"%0129d\"}", 0);
    snprintf(longest_sub, sizeof(longest_sub), "{\"iss\":\"https://id.test\",\"aud\":\"meridian\",\"exp\":1700000600,\"sub\":\"%0128d\"}",
             0);
    snprintf(long_name, sizeof(long_name), PAYLOAD("\"exp\":1700000600,\"name\":\"%065d\""), 0);
#define ISS(text) "{\"iss\":" text ",\"aud\":\"meridian\",\"sub\":\"alice\",\"exp\":1700000600}"
#define AUD(text) "{\"iss\":\"https://id.test\",\"aud\":" text ",\"sub\":\"alice\",\"exp\":1700000600}"
#define SUB(text) "{\"iss\":\"https://id.test\",\"aud\":\"meridian\",\"sub\":" text ",\"exp\":1700000600}"
    const struct {
        const char *name, *payload;
        enum mer_token_cause want;
    } rows[] = {
        {"good", GOOD_PAYLOAD, MER_TOKEN_OK},
        {"unknown claims", PAYLOAD("\"exp\":1700000600,\"jti\":\"j\",\"scope\":[\"a\"],\"real\":0.5"), MER_TOKEN_OK},
        {"exp at the edge of life", PAYLOAD("\"exp\":1700000900"), MER_TOKEN_OK},
        {"exp one second further", PAYLOAD("\"exp\":1700000901"), MER_TOKEN_TOO_LONG_LIVED},
        {"exp in a thousand years", PAYLOAD("\"exp\":33257894400"), MER_TOKEN_TOO_LONG_LIVED},
        {"exp 2^53", PAYLOAD("\"exp\":9007199254740992"), MER_TOKEN_CLAIMS},
        {"exp in the skew", PAYLOAD("\"exp\":1699999971"), MER_TOKEN_OK},
        {"exp beyond the skew", PAYLOAD("\"exp\":1699999970"), MER_TOKEN_EXPIRED},
        {"exp 0", PAYLOAD("\"exp\":0"), MER_TOKEN_EXPIRED},
        {"exp absent", PAYLOAD("\"x\":0"), MER_TOKEN_CLAIMS},
        {"exp null", PAYLOAD("\"exp\":null"), MER_TOKEN_CLAIMS},
        {"exp string", PAYLOAD("\"exp\":\"1700000600\""), MER_TOKEN_CLAIMS},
        {"exp real", PAYLOAD("\"exp\":1700000600.0"), MER_TOKEN_CLAIMS},
        {"exp 1e300", PAYLOAD("\"exp\":1e300"), MER_TOKEN_CLAIMS},
        {"exp negative", PAYLOAD("\"exp\":-1"), MER_TOKEN_CLAIMS},
        {"exp true", PAYLOAD("\"exp\":true"), MER_TOKEN_CLAIMS},
        {"exp twice", PAYLOAD("\"exp\":1,\"exp\":1700000600"), MER_TOKEN_CLAIMS},
        {"nbf now", PAYLOAD("\"exp\":1700000600,\"nbf\":1700000030"), MER_TOKEN_OK},
        {"nbf ahead", PAYLOAD("\"exp\":1700000600,\"nbf\":1700000031"), MER_TOKEN_NOT_YET},
        {"nbf string", PAYLOAD("\"exp\":1700000600,\"nbf\":\"0\""), MER_TOKEN_CLAIMS},
        {"nbf negative", PAYLOAD("\"exp\":1700000600,\"nbf\":-5"), MER_TOKEN_CLAIMS},
        {"iat past", PAYLOAD("\"exp\":1700000600,\"iat\":1600000000"), MER_TOKEN_OK},
        {"iat ahead", PAYLOAD("\"exp\":1700000600,\"iat\":1700000031"), MER_TOKEN_NOT_YET},
        {"iat real", PAYLOAD("\"exp\":1700000600,\"iat\":0.5"), MER_TOKEN_CLAIMS},
        {"iss absent", "{\"aud\":\"meridian\",\"sub\":\"alice\",\"exp\":1700000600}", MER_TOKEN_ISSUER},
        {"iss with a slash more", ISS("\"https://id.test/\""), MER_TOKEN_ISSUER},
        {"iss prefix", ISS("\"https://id.tes\""), MER_TOKEN_ISSUER},
        {"iss upper case", ISS("\"https://ID.test\""), MER_TOKEN_ISSUER},
        {"iss http", ISS("\"http://id.test\""), MER_TOKEN_ISSUER},
        {"iss array", ISS("[\"https://id.test\"]"), MER_TOKEN_ISSUER},
        {"aud array with us", AUD("[\"other\",\"meridian\"]"), MER_TOKEN_OK},
        {"aud absent", "{\"iss\":\"https://id.test\",\"sub\":\"alice\",\"exp\":1700000600}", MER_TOKEN_AUDIENCE},
        {"aud another's", AUD("\"meridian-eu\""), MER_TOKEN_AUDIENCE},
        {"aud array without us", AUD("[\"a\",\"b\"]"), MER_TOKEN_AUDIENCE},
        {"aud empty array", AUD("[]"), MER_TOKEN_AUDIENCE},
        {"aud array with a number", AUD("[\"meridian\",1]"), MER_TOKEN_AUDIENCE},
        {"aud nested", AUD("[[\"meridian\"]]"), MER_TOKEN_AUDIENCE},
        {"aud object", AUD("{\"meridian\":true}"), MER_TOKEN_AUDIENCE},
        {"sub of 128 bytes", longest_sub, MER_TOKEN_OK},
        {"sub of 129 bytes", long_sub, MER_TOKEN_SUBJECT},
        {"sub absent", "{\"iss\":\"https://id.test\",\"aud\":\"meridian\",\"exp\":1700000600}", MER_TOKEN_SUBJECT},
        {"sub empty", SUB("\"\""), MER_TOKEN_SUBJECT},
        {"sub number", SUB("7"), MER_TOKEN_SUBJECT},
        {"sub with control characters", SUB("\"al\\u0007ice\""), MER_TOKEN_SUBJECT},
        {"sub with a line end", SUB("\"alice\\r\\n\""), MER_TOKEN_SUBJECT},
        {"sub with NUL", SUB("\"alice\\u0000\""), MER_TOKEN_CLAIMS},
        {"sub with a lone surrogate", SUB("\"\\ud800\""), MER_TOKEN_CLAIMS},
        {"name empty", PAYLOAD("\"exp\":1700000600,\"name\":\"\""), MER_TOKEN_OK},
        {"name long", long_name, MER_TOKEN_CLAIMS},
        {"name number", PAYLOAD("\"exp\":1700000600,\"name\":1"), MER_TOKEN_CLAIMS},
        {"name with a control character", PAYLOAD("\"exp\":1700000600,\"name\":\"\\n\""), MER_TOKEN_CLAIMS},
        {"rating highest", PAYLOAD("\"exp\":1700000600,\"rating\":5000"), MER_TOKEN_OK},
        {"rating too high", PAYLOAD("\"exp\":1700000600,\"rating\":5001"), MER_TOKEN_CLAIMS},
        {"rating negative", PAYLOAD("\"exp\":1700000600,\"rating\":-1"), MER_TOKEN_CLAIMS},
        {"guest a string", PAYLOAD("\"exp\":1700000600,\"guest\":\"true\""), MER_TOKEN_CLAIMS},
        {"expired and of another issuer", "{\"iss\":\"x\",\"aud\":\"meridian\",\"sub\":\"alice\",\"exp\":1}", MER_TOKEN_ISSUER},
        {"payload an array", "[]", MER_TOKEN_CLAIMS},
        {"payload a string", "\"x\"", MER_TOKEN_CLAIMS},
        {"payload null", "null", MER_TOKEN_CLAIMS},
        {"payload no JSON", "hello", MER_TOKEN_CLAIMS},
        {"payload a token", "eyJhbGciOiJub25lIn0.e30.", MER_TOKEN_CLAIMS},
        {"payload with trailing data", GOOD_PAYLOAD "{}", MER_TOKEN_CLAIMS},
        {"payload nests deeply", PAYLOAD("\"exp\":1700000600,\"x\":[[[[[[[[0]]]]]]]]"), MER_TOKEN_CLAIMS},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        for (size_t a = 0; a < NALGS; a++) {
            make(&f->keys->keys[a], HEADER, rows[i].payload, NULL, token);
            assert_cause(f, token, strlen(token), rows[i].want, rows[i].name);
        }
    }
    make_bytes(&f->keys->keys[1], HEADER, PAYLOAD("\"exp\":1700000600,\"x\":\"\xff\""),
               strlen(PAYLOAD("\"exp\":1700000600,\"x\":\"\xff\"")), NULL, token);
    assert_cause(f, token, strlen(token), MER_TOKEN_CLAIMS, "payload not UTF-8");
}

/* ---- signatures ---- */

static const uint8_t p256_order[32] = {0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t ed25519_order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                          0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};

static size_t sig_flip(uint8_t *sig, size_t n)
{
    sig[n / 2] ^= 1;
    return n;
}

static size_t sig_none(uint8_t *sig, size_t n)
{
    (void)sig;
    (void)n;
    return 0;
}

static size_t sig_short(uint8_t *sig, size_t n)
{
    (void)sig;
    return n - 1;
}

static size_t sig_long(uint8_t *sig, size_t n)
{
    sig[n] = 0;
    return n + 1;
}

static size_t sig_zero(uint8_t *sig, size_t n)
{
    memset(sig, 0, n);
    return n;
}

static size_t sig_ones(uint8_t *sig, size_t n)
{
    memset(sig, 0xff, n);
    return n;
}

static size_t sig_twice(uint8_t *sig, size_t n)
{
    if (n > 64)
        return n;
    memcpy(sig + n, sig, n);
    return 2 * n;
}

static size_t sig_r_zero(uint8_t *sig, size_t n)
{
    memset(sig, 0, 32);
    return n;
}

static size_t sig_s_zero(uint8_t *sig, size_t n)
{
    memset(sig + 32, 0, 32);
    return n;
}

static size_t sig_r_order(uint8_t *sig, size_t n)
{
    memcpy(sig, p256_order, 32);
    return n;
}

static size_t sig_s_order(uint8_t *sig, size_t n)
{
    memcpy(sig + 32, p256_order, 32);
    return n;
}

/* CVE-2022-21449: r = s = n verified against every message in one famous library. */
static size_t sig_both_order(uint8_t *sig, size_t n)
{
    memcpy(sig, p256_order, 32);
    memcpy(sig + 32, p256_order, 32);
    return n;
}

static size_t sig_der(uint8_t *sig, size_t n)
{
    (void)n;
    ECDSA_SIG *made = ECDSA_SIG_new();
    ECDSA_SIG_set0(made, BN_bin2bn(sig, 32, NULL), BN_bin2bn(sig + 32, 32, NULL));
    int len = i2d_ECDSA_SIG(made, &sig);
    ECDSA_SIG_free(made);
    return (size_t)len;
}

static size_t sig_swapped(uint8_t *sig, size_t n)
{
    uint8_t r[32];
    memcpy(r, sig, 32);
    memmove(sig, sig + 32, 32);
    memcpy(sig + 32, r, 32);
    return n;
}

/* S + L is the same number to who does not look: malleability. */
static size_t sig_s_plus_order(uint8_t *sig, size_t n)
{
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += sig[32 + i] + ed25519_order[i];
        sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    return n;
}

/* R = the neutral element, S = 0: right for a key of small order. */
static size_t sig_small_order(uint8_t *sig, size_t n)
{
    memset(sig, 0, n);
    sig[0] = 1;
    return n;
}

static void signatures_are_exact(void **state)
{
    struct fix *f = *state;
    static char token[TEXT_BYTES];
    static const struct {
        const char *name;
        unsigned algs;
        size_t (*edit)(uint8_t *sig, size_t n);
    } rows[] = {
        {"one bit", ALL, sig_flip},
        {"none", ALL, sig_none},
        {"one byte less", ALL, sig_short},
        {"one byte more", ALL, sig_long},
        {"zeros", ALL, sig_zero},
        {"ones", ALL, sig_ones},
        {"twice", ALL, sig_twice},
        {"r = 0", ES, sig_r_zero},
        {"s = 0", ES, sig_s_zero},
        {"r = n", ES, sig_r_order},
        {"s = n", ES, sig_s_order},
        {"r = s = n", ES, sig_both_order},
        {"DER", ES, sig_der},
        {"r and s swapped", ES | ED, sig_swapped},
        {"S + L", ED, sig_s_plus_order},
        {"small order", ED, sig_small_order},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        for (size_t a = 0; a < NALGS; a++) {
            if (!(rows[i].algs & 1U << a))
                continue;
            make(&f->keys->keys[a], HEADER, GOOD_PAYLOAD, rows[i].edit, token);
            assert_cause(f, token, strlen(token), MER_TOKEN_SIGNATURE, rows[i].name);
        }
    }
}

/* Signed with HS256 and a secret that an attacker knows, under the kid of key `as`. */
static void make_hmac(const char *header, const void *secret, size_t secret_len, const struct mer_key *as, char out[TEXT_BYTES])
{
    struct mer_key key = {.alg = KEY_HS256, .secret_bytes = secret_len};
    memcpy(key.kid, as->kid, sizeof(key.kid));
    memcpy(key.secret, secret, secret_len);
    make(&key, header, GOOD_PAYLOAD, NULL, out);
}

static void a_known_secret_opens_nothing(void **state)
{
    struct fix *f = *state;
    static char token[TEXT_BYTES];
    uint8_t pub[KEY_SECRET_MAX_BYTES];
    for (size_t a = 0; a < 2; a++) { /* the public key as secret: raw, DER */
        const struct mer_key *key = &f->keys->keys[a];
        uint8_t *at = pub;
        size_t len = (size_t)i2d_PUBKEY(key->pkey, &at), raw = a == 0 ? 65 : 32; /* the key itself is the end of it */
        make_hmac("{\"alg\":\"HS256\",\"kid\":\"#\"}", pub, len, key, token);
        assert_cause(f, token, strlen(token), MER_TOKEN_ALGORITHM, "DER public key as secret");
        make_hmac("{\"alg\":\"HS256\",\"kid\":\"#\"}", pub + len - raw, raw, key, token);
        assert_cause(f, token, strlen(token), MER_TOKEN_ALGORITHM, "raw public key as secret");
        make_hmac("{\"alg\":\"HS256\",\"kid\":\"#\"}", "", 0, key, token);
        assert_cause(f, token, strlen(token), MER_TOKEN_ALGORITHM, "empty secret");
        /* the header lies: the key's own algorithm, but a MAC */
        make_hmac(a == 0 ? "{\"alg\":\"ES256\",\"kid\":\"#\"}" : "{\"alg\":\"EdDSA\",\"kid\":\"#\"}", pub, len, key, token);
        assert_cause(f, token, strlen(token), MER_TOKEN_SIGNATURE, "MAC instead of a signature");
    }
    make_hmac(HEADER, "", 0, &f->keys->keys[2], token);
    assert_cause(f, token, strlen(token), MER_TOKEN_SIGNATURE, "empty secret");
    make_hmac(HEADER, f->keys->keys[2].secret, f->keys->keys[2].secret_bytes - 1, &f->keys->keys[2], token);
    assert_cause(f, token, strlen(token), MER_TOKEN_SIGNATURE, "secret cut short");
}

/* ---- the text ---- */

static void text_insert(char *token, size_t at, char c)
{
    memmove(token + at + 1, token + at, strlen(token + at) + 1);
    token[at] = c;
}

static void the_text_is_exactly_three_parts_of_base64url(void **state)
{
    struct fix *f = *state;
    static char good[TEXT_BYTES], token[TEXT_BYTES];
    static const char bad[] = {' ', '\n', '=', '+', '/', '%', '\0', '\xff', '~'};
    for (size_t a = 0; a < NALGS; a++) {
        make(&f->keys->keys[a], HEADER, GOOD_PAYLOAD, NULL, good);
        size_t len = strlen(good);
        size_t dot = (size_t)(strchr(good, '.') - good), dot2 = (size_t)(strrchr(good, '.') - good);
        const size_t places[] = {0, dot, dot + 1, dot2, dot2 + 1, len};
        assert_cause(f, good, len, MER_TOKEN_OK, "good");
        for (size_t p = 0; p < MER_COUNT(places); p++) {
            for (size_t c = 0; c < sizeof(bad); c++) {
                memcpy(token, good, len + 1);
                text_insert(token, places[p], bad[c]);
                bool in_payload = places[p] == dot + 1 || places[p] == dot2; /* not decoded before its signature is right */
                assert_cause(f, token, len + 1, in_payload ? MER_TOKEN_SIGNATURE : MER_TOKEN_MALFORMED, "foreign character");
            }
            memcpy(token, good, len + 1);
            text_insert(token, places[p], '.');
            assert_cause(f, token, len + 1, MER_TOKEN_MALFORMED, "four parts");
        }
        assert_cause(f, good, 0, MER_TOKEN_MALFORMED, "empty");
        assert_cause(f, "..", 2, MER_TOKEN_MALFORMED, "dots only");
        assert_cause(f, good, dot, MER_TOKEN_MALFORMED, "one part");
        assert_cause(f, good, dot2, MER_TOKEN_MALFORMED, "two parts");
        assert_cause(f, good, dot2 + 1, MER_TOKEN_SIGNATURE, "empty signature");
        assert_cause(f, good + dot, len - dot, MER_TOKEN_MALFORMED, "no header");
        snprintf(token, sizeof(token), "%.*s..%s", (int)dot, good, good + dot2 + 1);
        assert_cause(f, token, strlen(token), MER_TOKEN_MALFORMED, "detached");
        snprintf(token, sizeof(token), "%.*s.a.b%s", (int)dot, good, good + dot);
        assert_cause(f, token, strlen(token), MER_TOKEN_MALFORMED, "JWE");
        for (size_t cut = 0; cut < len; cut++) { /* no cut of it is good */
            struct mer_claims c;
            assert_int_not_equal(mer_token_verify(f->keys, &token_fixture_rules, good, cut, TOKEN_FIXTURE_NOW_MS, &c), MER_TOKEN_OK);
        }
        memcpy(token, good, len + 1);
        token[len - 1]++; /* 64 and 32 bytes both leave unused bits in the last character */
        assert_cause(f, token, len, MER_TOKEN_MALFORMED, "other last character of the same bytes");
    }
}

static void length_is_bounded_exactly(void **state)
{
    struct fix *f = *state;
    static char token[TEXT_BYTES], payload[TEXT_BYTES / 2];
    bool longest = false;
    for (int pad = 2700; pad < 2900; pad++) {
        snprintf(payload, sizeof(payload), PAYLOAD("\"exp\":1700000600,\"pad\":\"%0*d\""), pad, 0);
        make(&f->keys->keys[1], HEADER, payload, NULL, token);
        size_t len = strlen(token);
        assert_cause(f, token, len, len <= MER_TOKEN_MAX_BYTES ? MER_TOKEN_OK : MER_TOKEN_MALFORMED, "padded");
        longest |= len > MER_TOKEN_MAX_BYTES;
    }
    assert_true(longest);
}

static void claims_of_an_expired_token_are_told(void **state)
{
    struct fix *f = *state;
    static char token[TEXT_BYTES];
    struct mer_claims c = {{0}};
    make(&f->keys->keys[0], HEADER, PAYLOAD("\"exp\":1699990000,\"guest\":true"), NULL, token);
    assert_int_equal(mer_token_verify(f->keys, &token_fixture_rules, token, strlen(token), TOKEN_FIXTURE_NOW_MS, &c), MER_TOKEN_EXPIRED);
    assert_string_equal(c.sub, "alice");
    assert_true(c.guest);
    assert_int_equal(c.exp_ms, 1699990000000);
    make(&f->keys->keys[0], HEADER, PAYLOAD("\"exp\":1700009999,\"name\":\"x\""), NULL, token);
    assert_int_equal(mer_token_verify(f->keys, &token_fixture_rules, token, strlen(token), TOKEN_FIXTURE_NOW_MS, &c),
                     MER_TOKEN_TOO_LONG_LIVED);
    assert_string_equal(c.name, ""); /* not written */
}

static void the_skew_is_never_more_than_thirty_seconds(void **state)
{
    struct fix *f = *state;
    static char token[TEXT_BYTES];
    struct mer_claims c;
    struct mer_token_rules rules = token_fixture_rules;
    rules.skew_s = 3600;
    make(&f->keys->keys[0], HEADER, PAYLOAD("\"exp\":1699999970"), NULL, token);
    assert_int_equal(mer_token_verify(f->keys, &rules, token, strlen(token), TOKEN_FIXTURE_NOW_MS, &c), MER_TOKEN_EXPIRED);
}

static void a_retired_key_is_unknown_and_its_kid_reused_does_not_help(void **state)
{
    struct fix *f = *state;
    static char token[TEXT_BYTES];
    struct mer_msg msg;
    struct mer_claims c;
    struct mer_buf priv, pub;
    struct mer_keys *only_ed, *other;
    make(&f->keys->keys[0], HEADER, GOOD_PAYLOAD, NULL, token);
    assert_int_equal(mer_keys_parse(&only_ed, TOKEN_FIXTURE_ED, strlen(TOKEN_FIXTURE_ED), false, &msg), MER_OK);
    assert_int_equal(mer_token_verify(only_ed, &token_fixture_rules, token, strlen(token), TOKEN_FIXTURE_NOW_MS, &c),
                     MER_TOKEN_UNKNOWN_KEY);
    mer_keys_destroy(only_ed);

    mer_buf_init(&priv, 0);
    mer_buf_init(&pub, 0);
    assert_int_equal(mer_keys_generate("ES256", "es-1", &priv, &pub), MER_OK);
    assert_int_equal(mer_keys_parse(&other, (char *)pub.data, pub.len, false, &msg), MER_OK);
    assert_int_equal(mer_token_verify(other, &token_fixture_rules, token, strlen(token), TOKEN_FIXTURE_NOW_MS, &c), MER_TOKEN_SIGNATURE);
    mer_keys_destroy(other);
    mer_buf_deinit(&priv);
    mer_buf_deinit(&pub);
}

static void what_is_signed_here_is_verified_here(void **state)
{
    (void)state;
    static const char *const jwks[NALGS] = {TOKEN_FIXTURE_ES, TOKEN_FIXTURE_ED, TOKEN_FIXTURE_HS};
    char token[MER_TOKEN_MAX_BYTES];
    struct mer_msg msg;
    struct mer_claims c;
    for (size_t i = 0; i < NALGS; i++) {
        struct mer_keys *k;
        assert_int_equal(mer_keys_parse(&k, jwks[i], strlen(jwks[i]), true, &msg), MER_OK);
        assert_int_equal(mer_token_sign(k, GOOD_PAYLOAD, strlen(GOOD_PAYLOAD), token, sizeof(token)), MER_OK);
        assert_int_equal(mer_token_verify(k, &token_fixture_rules, token, strlen(token), TOKEN_FIXTURE_NOW_MS, &c), MER_TOKEN_OK);
        size_t n = strlen(token);
        assert_int_equal(mer_token_sign(k, GOOD_PAYLOAD, strlen(GOOD_PAYLOAD), token, n), MER_ERANGE);
        assert_int_equal(mer_token_sign(k, GOOD_PAYLOAD, strlen(GOOD_PAYLOAD), token, n + 1), MER_OK);
        mer_keys_destroy(k);
    }
}

static void a_detached_signature_covers_the_body(void **state)
{
    struct fix *f = *state;
    static const char body[] = GOOD_PAYLOAD;
    char jws[512], whole[1024], payload[256];
    struct mer_claims c;
    assert_int_equal(mer_jws_sign_detached(f->keys, body, sizeof(body) - 1, jws, sizeof(jws)), MER_OK);
    char *dots = strstr(jws, "..");
    assert_non_null(dots);
    mer_b64u_encode(body, sizeof(body) - 1, payload);
    snprintf(whole, sizeof(whole), "%.*s.%s.%s", (int)(dots - jws), jws, payload, dots + 2);
    assert_int_equal(mer_token_verify(f->keys, &token_fixture_rules, whole, strlen(whole), TOKEN_FIXTURE_NOW_MS, &c), MER_TOKEN_OK);
}

static void causes_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < MER_TOKEN_NCAUSES; i++)
        assert_non_null(mer_token_cause_name(i));
    assert_string_equal(mer_token_cause_name(MER_TOKEN_NOT_YET), "not_yet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_another_implementation_are_taken),
        cmocka_unit_test(headers_are_judged_before_the_key_is_used),
        cmocka_unit_test(claims_are_judged_each),
        cmocka_unit_test(signatures_are_exact),
        cmocka_unit_test(a_known_secret_opens_nothing),
        cmocka_unit_test(the_text_is_exactly_three_parts_of_base64url),
        cmocka_unit_test(length_is_bounded_exactly),
        cmocka_unit_test(claims_of_an_expired_token_are_told),
        cmocka_unit_test(the_skew_is_never_more_than_thirty_seconds),
        cmocka_unit_test(a_retired_key_is_unknown_and_its_kid_reused_does_not_help),
        cmocka_unit_test(what_is_signed_here_is_verified_here),
        cmocka_unit_test(a_detached_signature_covers_the_body),
        cmocka_unit_test(causes_have_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
