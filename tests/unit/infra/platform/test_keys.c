/* SPDX-License-Identifier: Apache-2.0
 * test_keys.c - key sets: what is taken, what is passed over, what is an error; and new key pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "infra/platform/keys_internal.h"
#include "token_fixture.h"
#include <meridian/buf.h>

#define ES_X "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""
#define ES_Y "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define ES_HEAD "\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\","
#define ED_X "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define ED_HEAD "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\","
#define OCT(k) "{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"" k "\"}"
#define RSA "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"

static void sets_are_judged_key_by_key(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        size_t count; /* 0: refused */
        bool no_hs256;
    } rows[] = {
        {"all kinds", TOKEN_FIXTURE_JWKS, 3, false},
        {"secrets passed over where not allowed", TOKEN_FIXTURE_JWKS, 2, true},
        {"one key", TOKEN_FIXTURE_ED, 1, true},
        {"public keys", "{\"keys\":[{" ES_HEAD ES_X "," ES_Y "}]}", 1, true},
        {"other kinds passed over", "{\"keys\":[" RSA "," TOKEN_FIXTURE_ED ",{\"kty\":\"new\"}]}", 1, true},
        {"other curves passed over", "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\"}," TOKEN_FIXTURE_ED "]}", 1, true},
        {"encryption keys passed over", "{\"keys\":[{" ES_HEAD "\"use\":\"enc\"}," TOKEN_FIXTURE_ED "]}", 1, true},
        {"other algorithms passed over", "{\"keys\":[{" ES_HEAD "\"alg\":\"ECDH-ES\"}," TOKEN_FIXTURE_ED "]}", 1, true},
        {"nothing", "", 0, true},
        {"no JSON", "keys", 0, true},
        {"array", "[" TOKEN_FIXTURE_ED "]", 0, true},
        {"empty object", "{}", 0, true},
        {"empty set", "{\"keys\":[]}", 0, true},
        {"keys no array", "{\"keys\":{}}", 0, true},
        {"keys of keys", "{\"keys\":[[" TOKEN_FIXTURE_ED "]]}", 0, true},
        {"nothing usable", "{\"keys\":[" RSA "]}", 0, true},
        {"a secret only, not allowed", TOKEN_FIXTURE_HS, 0, true},
        {"kid twice", "{\"keys\":[" TOKEN_FIXTURE_ED "," TOKEN_FIXTURE_ED "]}", 0, true},
        {"member twice", "{" ED_HEAD ED_X "," ED_X "}", 0, true},
        {"no kid", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," ED_X "}", 0, true},
        {"kid with a path", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"../k\"," ED_X "}", 0, true},
        {"no x", "{" ES_HEAD ES_Y "}", 0, true},
        {"no y", "{" ES_HEAD ES_X "}", 0, true},
        {"point not on the curve", "{" ES_HEAD ES_X ",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}", 0, true},
        {"point at zero",
         "{" ES_HEAD "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", 0,
         true},
        {"x short", "{" ES_HEAD "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA\"," ES_Y "}", 0, true},
        {"d of another key", "{" ES_HEAD ES_X "," ES_Y ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}", 0, true},
        {"d empty", "{" ES_HEAD ES_X "," ES_Y ",\"d\":\"\"}", 0, true},
        {"ed d of another key", "{" ED_HEAD ED_X ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}", 0, true},
        {"ed x padded", "{" ED_HEAD "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"}", 0, true},
        {"ed x a number", "{" ED_HEAD "\"x\":1}", 0, true},
        {"secret empty", OCT(""), 0, false},
        {"secret of 31 bytes", OCT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 0, false},
        {"secret of 32 bytes", OCT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 1, false},
        {"a bad key beside a good one", "{\"keys\":[" TOKEN_FIXTURE_ED ",{" ES_HEAD ES_X "}]}", 0, true},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        struct mer_keys *k = NULL;
        struct mer_msg msg = {{0}};
        enum mer_err err = mer_keys_parse(&k, rows[i].text, strlen(rows[i].text), !rows[i].no_hs256, &msg);
        if ((err == MER_OK) != (rows[i].count > 0) || (k ? k->count : 0) != rows[i].count)
            fail_msg("%s: %s, %zu keys, \"%s\"", rows[i].name, mer_err_name(err), k ? k->count : 0, msg.text);
        if (err && !*msg.text)
            fail_msg("%s: refused without a word", rows[i].name);
        if (ERR_peek_error())
            fail_msg("%s: left in OpenSSL's error queue", rows[i].name);
        mer_keys_destroy(k);
    }
}

static void new_pairs_sign_and_verify_and_keep_the_private_part(void **state)
{
    (void)state;
    static const char *const algs[] = {"ES256", "EdDSA"};
    static const char payload[] = "{\"iss\":\"https://id.test\",\"aud\":\"meridian\",\"sub\":\"a\",\"exp\":1700000600}";
    for (size_t i = 0; i < 2 * 20; i++) { /* coordinates with leading zeros come along sometimes */
        struct mer_buf priv, pub;
        struct mer_msg msg;
        struct mer_keys *signer, *verifier;
        struct mer_claims claims;
        char token[1024];
        mer_buf_init(&priv, 0);
        mer_buf_init(&pub, 0);
        assert_int_equal(mer_keys_generate(algs[i % 2], "edge-1", &priv, &pub), MER_OK);
        assert_null(memmem(pub.data, pub.len, "\"d\"", 3));
        assert_int_equal(mer_keys_parse(&signer, (char *)priv.data, priv.len, false, &msg), MER_OK);
        assert_int_equal(mer_keys_parse(&verifier, (char *)pub.data, pub.len, false, &msg), MER_OK);
        assert_int_equal(mer_token_sign(signer, payload, strlen(payload), token, sizeof(token)), MER_OK);
        assert_int_equal(mer_token_verify(verifier, &token_fixture_rules, token, strlen(token), TOKEN_FIXTURE_NOW_MS, &claims),
                         MER_TOKEN_OK);
        assert_int_equal(mer_token_sign(verifier, payload, strlen(payload), token, sizeof(token)), MER_ENOTFOUND);
        mer_keys_destroy(signer);
        mer_keys_destroy(verifier);
        mer_buf_deinit(&priv);
        mer_buf_deinit(&pub);
    }
}

static void pairs_of_other_kinds_are_not_made(void **state)
{
    (void)state;
    struct mer_buf priv, pub;
    mer_buf_init(&priv, 0);
    mer_buf_init(&pub, 0);
    assert_int_equal(mer_keys_generate("RS256", "k", &priv, &pub), MER_EINVALID);
    assert_int_equal(mer_keys_generate("ES256", "", &priv, &pub), MER_EINVALID);
    assert_int_equal(mer_keys_generate("ES256", "a\"b", &priv, &pub), MER_EINVALID);
    assert_int_equal(priv.len + pub.len, 0);
}

static void files_are_read_and_named_in_errors(void **state)
{
    (void)state;
    char path[] = "/tmp/meridian-keys-XXXXXX";
    int fd = mkstemp(path);
    struct mer_keys *k;
    struct mer_msg msg;
    assert_true(fd >= 0);
    assert_int_equal(mer_keys_load(&k, path, true, &msg), MER_EINVALID);
    assert_non_null(strstr(msg.text, path));
    assert_int_equal(write(fd, TOKEN_FIXTURE_JWKS, strlen(TOKEN_FIXTURE_JWKS)), (ssize_t)strlen(TOKEN_FIXTURE_JWKS));
    assert_int_equal(mer_keys_load(&k, path, true, &msg), MER_OK);
    assert_int_equal(k->count, 3);
    mer_keys_destroy(k);
    assert_int_equal(ftruncate(fd, 65 * 1024), 0);
    assert_int_equal(mer_keys_load(&k, path, true, &msg), MER_EIO);
    close(fd);
    unlink(path);
    assert_int_equal(mer_keys_load(&k, path, true, &msg), MER_EIO);
    assert_non_null(strstr(msg.text, path));
    assert_int_equal(mer_keys_load(&k, "/", true, &msg), MER_EIO);
    mer_keys_destroy(NULL);
}

/* An edge that was given the public half by mistake must not start: its list of regions would be missed on the day one is lost. */
static void a_set_without_a_private_key_is_none_to_sign_with(void **state)
{
    (void)state;
    static const char public_key[] = "{" ES_HEAD ES_X "," ES_Y "}";
    char path[] = "/tmp/meridian-keys-XXXXXX";
    int fd = mkstemp(path);
    struct mer_keys *k = NULL;
    struct mer_msg msg = {{0}};
    assert_true(fd >= 0);
    assert_int_equal(write(fd, public_key, strlen(public_key)), (ssize_t)strlen(public_key));
    assert_int_equal(mer_keys_load_signing(&k, path, false, &msg), MER_EINVALID);
    assert_null(k);
    assert_non_null(strstr(msg.text, path));
    assert_non_null(strstr(msg.text, "no private key"));
    assert_int_equal(mer_keys_load(&k, path, false, &msg), MER_OK);
    mer_keys_destroy(k);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, TOKEN_FIXTURE_JWKS, strlen(TOKEN_FIXTURE_JWKS), 0), (ssize_t)strlen(TOKEN_FIXTURE_JWKS));
    assert_int_equal(mer_keys_load_signing(&k, path, true, &msg), MER_OK);
    mer_keys_destroy(k);
    close(fd);
    unlink(path);
    assert_int_equal(mer_keys_load_signing(&k, path, true, &msg), MER_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_judged_key_by_key),
        cmocka_unit_test(new_pairs_sign_and_verify_and_keep_the_private_part),
        cmocka_unit_test(pairs_of_other_kinds_are_not_made),
        cmocka_unit_test(files_are_read_and_named_in_errors),
        cmocka_unit_test(a_set_without_a_private_key_is_none_to_sign_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
