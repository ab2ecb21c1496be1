/* SPDX-License-Identifier: Apache-2.0
 * Texts of identifiers: base64url both ways, base32 ids, UTF-8. */
#include "unit.h"

#include <meridian/id.h>

static void base64url_agrees_with_the_rfc(void **state)
{
    static const struct {
        const char *plain, *text;
    } known[] = {
        {"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"foobar", "Zm9vYmFy"}, {"\xFB\xFF\xBF", "-_-_"}};
    uint8_t back[16];
    char text[16];
    size_t len;

    (void)state;
    for (size_t i = 0; i < MER_COUNT(known); i++) {
        size_t n = strlen(known[i].plain);
        mer_b64u_encode(known[i].plain, n, text);
        assert_string_equal(text, known[i].text);
        assert_int_equal(mer_b64u_len(n), strlen(text));
        assert_int_equal(mer_b64u_decode(text, strlen(text), back, n, &len), MER_OK);
        assert_int_equal(len, n);
        assert_memory_equal(back, known[i].plain, n);
    }
}

static void every_value_of_every_length_comes_back(void **state)
{
    struct mer_rng_seeded seeded;
    struct mer_rng r = mer_rng_seed(&seeded, 3);
    uint8_t in[200], out[200];
    char text[300];
    size_t len;

    (void)state;
    for (size_t n = 0; n < sizeof(in); n++) {
        r.fill(r.ctx, in, n);
        mer_b64u_encode(in, n, text);
        assert_int_equal(mer_b64u_decode(text, strlen(text), out, sizeof(out), &len), MER_OK);
        assert_int_equal(len, n);
        assert_memory_equal(in, out, n);
    }
}

static void bad_base64url_is_refused(void **state)
{
    static const char *const bad[] = {"Z", "Zg==", "Zm9v=", "Zh", "Zm9", "Zm9vY", "+/+/", "Zm 9", "Zm9v\n", "Zm\xC3\xA9", "AAAAA"};
    uint8_t out[16];
    size_t len = 99;

    (void)state;
    for (size_t i = 0; i < MER_COUNT(bad); i++)
        if (mer_b64u_decode(bad[i], strlen(bad[i]), out, sizeof(out), &len) != MER_EINVALID)
            fail_msg("%s was taken", bad[i]);
    assert_int_equal(mer_b64u_decode("Zm9v", 4, out, 2, &len), MER_ERANGE);
    assert_int_equal(mer_b64u_decode("Zm\0v", 4, out, 16, &len), MER_EINVALID);
    assert_int_equal(len, 99);
}

static void ids_have_their_prefix_and_alphabet(void **state)
{
    struct mer_rng_seeded seeded;
    struct mer_rng r = mer_rng_seed(&seeded, 3);
    char a[32], b[32];

    (void)state;
    for (size_t bytes = 1; bytes <= 16; bytes++) {
        memset(a, 'X', sizeof(a));
        mer_id_make(&r, "g-", bytes, a, 2 + bytes * 8 / 5 + 2);
        assert_int_equal(strlen(a), 2 + (bytes * 8 + 4) / 5);
        assert_memory_equal(a, "g-", 2);
        assert_int_equal(strspn(a + 2, "abcdefghijklmnopqrstuvwxyz234567"), strlen(a) - 2);
    }
    mer_id_make(&r, "g-", 16, b, sizeof(b));
    assert_string_not_equal(a, b);
}

static void an_id_s_text_is_read_back_only_as_it_was_written(void **state)
{
    static const char *const bad[] = {"",           "g-",         "g-aaaaaaa",  "g-aaaaaaaaa", "t-aaaaaaaa",   "gaaaaaaaaa",
                                      "g-AAAAAAAA", "g-aaaaaaa1", "g-aaaaaaa8", "g-aaaaaaa ",  "g-aaaaaaa\xC3"};
    uint8_t bytes[16], back[16];
    char text[40];

    (void)state;
    for (size_t n = 1; n <= 16; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(i * 37 + n);
        mer_id_write(bytes, n, "g-", text, sizeof(text));
        assert_true(mer_id_read(text, "g-", back, n));
        assert_memory_equal(bytes, back, n);
        assert_false(mer_id_read(text, "t-", back, n));
        assert_false(mer_id_read(text, "g-", back, n < 16 ? n + 1 : n - 1));
    }
    for (size_t i = 0; i < MER_COUNT(bad); i++)
        assert_false(mer_id_read(bad[i], "g-", back, 5));
    assert_true(mer_id_read("g-ae", "g-", back, 1)); /* 1 byte in 10 bits: two are left over */
    assert_false(mer_id_read("g-ab", "g-", back, 1));
}

static void plain_ids_are_letters_digits_dash_underscore(void **state)
{
    (void)state;
    assert_true(mer_id_is_plain("aZ09-_", 6, 6));
    assert_false(mer_id_is_plain("", 0, 6));
    assert_false(mer_id_is_plain("aaaaaaa", 7, 6));
    assert_false(mer_id_is_plain("a.b", 3, 6));
    assert_false(mer_id_is_plain("a\0b", 3, 6));
    assert_false(mer_id_is_plain("\xC3\xA4", 2, 6));
}

static void utf8_is_judged_as_the_rfc_says(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5"};
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC2",
                                      "\xC2\x41",
                                      "\xE0\x80\x80",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xE1\x80",
                                      "\xF0\x80\x80\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xF1\x80\x80",
                                      "\xFE",
                                      "\xFF",
                                      "a\xE2\x28\xA1"};

    (void)state;
    for (size_t i = 0; i < MER_COUNT(good); i++)
        if (!mer_utf8_valid(good[i], strlen(good[i])))
            fail_msg("good %zu was refused", i);
    for (size_t i = 0; i < MER_COUNT(bad); i++)
        if (mer_utf8_valid(bad[i], strlen(bad[i])))
            fail_msg("bad %zu was taken", i);
}

static void texts_have_no_control_characters(void **state)
{
    (void)state;
    assert_true(mer_id_is_text("J\xC3\xBCrgen \xF0\x9F\x99\x82", 12, 64));
    assert_true(mer_id_is_text("\xC2\xA0", 2, 64));
    assert_false(mer_id_is_text("a\nb", 3, 64));
    assert_false(mer_id_is_text("a\0b", 3, 64));
    assert_false(mer_id_is_text("a\x7F", 2, 64));
    assert_false(mer_id_is_text("\xC2\x85", 2, 64));
    assert_false(mer_id_is_text("\xFF", 1, 64));
    assert_false(mer_id_is_text("", 0, 64));
    assert_false(mer_id_is_text("abc", 3, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_agrees_with_the_rfc),
        cmocka_unit_test(every_value_of_every_length_comes_back),
        cmocka_unit_test(bad_base64url_is_refused),
        cmocka_unit_test(ids_have_their_prefix_and_alphabet),
        cmocka_unit_test(an_id_s_text_is_read_back_only_as_it_was_written),
        cmocka_unit_test(plain_ids_are_letters_digits_dash_underscore),
        cmocka_unit_test(utf8_is_judged_as_the_rfc_says),
        cmocka_unit_test(texts_have_no_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
