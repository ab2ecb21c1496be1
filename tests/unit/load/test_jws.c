/* SPDX-License-Identifier: Apache-2.0
 * test_jws.c - the generator's own check of a signed text agrees with what the project signs, and with nothing else. */
#include "unit.h"

#include <stdio.h>

#include <meridian/buf.h>
#include <meridian/mem.h>
#include <meridian/token.h>

#include "tests/load/jws.h"

static const char text[] = "{\"regions\":[]}";

struct made {
    char *jwks; /* public */
    char signature[512];
};

static struct made sign(const char *alg)
{
    struct made m = {0};
    struct mer_buf private_jwks, public_jwks;
    struct mer_keys *keys;
    struct mer_msg msg;
    mer_buf_init(&private_jwks, 0);
    mer_buf_init(&public_jwks, 0);
    assert_int_equal(mer_keys_generate(alg, "k1", &private_jwks, &public_jwks), MER_OK);
    assert_int_equal(mer_keys_parse(&keys, (char *)private_jwks.data, private_jwks.len, false, &msg), MER_OK);
    assert_int_equal(mer_jws_sign_detached(keys, text, strlen(text), m.signature, sizeof(m.signature)), MER_OK);
    m.jwks = mer_try_strndup((char *)public_jwks.data, public_jwks.len);
    mer_keys_destroy(keys);
    mer_buf_deinit(&private_jwks);
    mer_buf_deinit(&public_jwks);
    return m;
}

static void what_the_project_signs_holds(void **state)
{
    static const char *const algs[] = {"ES256", "EdDSA"};
    (void)state;
    for (unsigned i = 0; i < MER_COUNT(algs); i++) {
        struct made m = sign(algs[i]);
        assert_true(load_jws_signed(m.jwks, m.signature, text, strlen(text)));
        assert_false(load_jws_signed(m.jwks, m.signature, text, strlen(text) - 1));
        free(m.jwks);
    }
}

static void another_key_or_algorithm_is_refused(void **state)
{
    (void)state;
    struct made a = sign("ES256"), b = sign("ES256"), c = sign("EdDSA");
    assert_false(load_jws_signed(b.jwks, a.signature, text, strlen(text)));
    assert_false(load_jws_signed(c.jwks, a.signature, text, strlen(text)));
    free(a.jwks);
    free(b.jwks);
    free(c.jwks);
}

static void what_is_no_signature_is_refused(void **state)
{
    static const char *const hostile[] = {"",
                                          ".",
                                          "..",
                                          "...",
                                          "e30..",
                                          "e30..AAAA",
                                          "!!!!..????",
                                          "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0..",
                                          "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ..AAAA",
                                          "eyJraWQiOiJrMSJ9..AAAA",
                                          "bnVsbA..AAAA"};
    (void)state;
    struct made m = sign("ES256");
    for (unsigned i = 0; i < MER_COUNT(hostile); i++)
        assert_false(load_jws_signed(m.jwks, hostile[i], text, strlen(text)));
    for (char *at = m.signature; *at; at++) { /* any other character in any place */
        char was = *at;
        *at = was == 'A' ? 'Q' : 'A';
        assert_false(load_jws_signed(m.jwks, m.signature, text, strlen(text)));
        *at = was;
    }
    free(m.jwks);
}

static void what_is_no_set_of_keys_holds_nothing(void **state)
{
    static const char *const hostile[] = {"",
                                          "{",
                                          "[]",
                                          "{\"keys\":1}",
                                          "{\"keys\":[1,{}]}",
                                          "{\"keys\":[{\"kid\":\"k1\"}]}",
                                          "{\"keys\":[{\"kid\":\"k1\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}",
                                          "{\"keys\":[{\"kid\":\"k1\",\"crv\":\"Ed25519\",\"x\":7}]}"};
    (void)state;
    struct made m = sign("ES256");
    for (unsigned i = 0; i < MER_COUNT(hostile); i++)
        assert_false(load_jws_signed(hostile[i], m.signature, text, strlen(text)));
    free(m.jwks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_project_signs_holds),
        cmocka_unit_test(another_key_or_algorithm_is_refused),
        cmocka_unit_test(what_is_no_signature_is_refused),
        cmocka_unit_test(what_is_no_set_of_keys_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
