/* SPDX-License-Identifier: Apache-2.0
 * Codes by which friends find each other: made, read as people write them, and mistakes found. */
#include "unit.h"

#include <ctype.h>
#include <string.h>

#include <meridian/invite.h>

static struct mer_invite made(const char *region, uint64_t seed)
{
    struct mer_rng_seeded s;
    struct mer_rng rng = mer_rng_seed(&s, seed);
    struct mer_invite i;
    assert_int_equal(mer_invite_make(&i, region, &rng), MER_OK);
    return i;
}

static void a_code_comes_back_as_it_was_made(void **state)
{
    static const char *const regions[] = {"eu", "us-west", "asia", "a", "r0.b_c", "abcdefghijklmnopqrstuvwxyz01234"};
    (void)state;
    for (size_t r = 0; r < MER_COUNT(regions); r++) {
        for (uint64_t seed = 1; seed < 200; seed++) {
            struct mer_invite i = made(regions[r], seed), back;
            assert_int_equal(mer_invite_read(&back, i.text), MER_OK);
            assert_string_equal(back.text, i.text);
            assert_string_equal(back.region, regions[r]);
            assert_true(back.key == i.key && i.key != 0);
            assert_int_equal(strlen(i.text), strlen(regions[r]) + 12);
        }
    }
}

static void codes_differ_also_between_regions(void **state)
{
    struct mer_invite a = made("eu", 7), b = made("asia", 7), c = made("eu", 8);
    (void)state;
    assert_true(a.key != b.key && a.key != c.key);
}

static void who_knows_a_secret_knows_its_code(void **state)
{
    struct mer_invite a, b, c, back;
    (void)state;
    assert_int_equal(mer_invite_derive(&a, "eu", "eu.g-abcdefghijklmnop"), MER_OK);
    assert_int_equal(mer_invite_derive(&b, "eu", "eu.g-abcdefghijklmnop"), MER_OK);
    assert_int_equal(mer_invite_derive(&c, "eu", "eu.g-abcdefghijklmnoq"), MER_OK);
    assert_string_equal(a.text, b.text);
    assert_true(a.key != c.key);
    assert_int_equal(mer_invite_read(&back, a.text), MER_OK);
    assert_true(back.key == a.key);
    assert_int_equal(mer_invite_derive(&a, "e u", "x"), MER_EINVALID);
}

static void a_code_is_read_as_people_write_it(void **state)
{
    struct mer_invite i = made("us-east", 3), back;
    char text[96], *at = text;
    const char *symbols = i.text + 8;
    (void)state;
    for (const char *c = i.text; *c != 0; c++)
        text[c - i.text] = (char)tolower((unsigned char)*c);
    text[strlen(i.text)] = 0;
    assert_int_equal(mer_invite_read(&back, text), MER_OK);
    assert_true(back.key == i.key);
    at = stpcpy(at, "  US East  "); /* one symbol at a time, as on the telephone */
    for (; *symbols != 0; symbols++) {
        if (*symbols == '-')
            continue;
        *at++ = *symbols == '0' ? 'o' : *symbols == '1' ? 'l' : *symbols;
        *at++ = ' ';
    }
    *at = 0;
    assert_int_equal(mer_invite_read(&back, text), MER_OK);
    assert_string_equal(back.text, i.text);
}

static void one_wrong_symbol_or_two_swapped_are_found(void **state)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct mer_invite i = made("abcdefghijklmnopqrstuvwxyz01234", 5), back;
    size_t start = strlen(i.region) + 1, len = strlen(i.text);
    (void)state;
    for (size_t at = start; at < len; at++) {
        char text[MER_INVITE_BYTES];
        strcpy(text, i.text);
        for (const char *c = alphabet; text[at] != '-' && *c != 0; c++) {
            text[at] = *c;
            assert_int_equal(mer_invite_read(&back, text), *c == i.text[at] ? MER_OK : MER_EINVALID);
        }
        strcpy(text, i.text);
        size_t next = at + 1 < len && text[at + 1] == '-' ? at + 2 : at + 1;
        if (text[at] == '-' || next >= len || text[at] == text[next])
            continue;
        text[at] = i.text[next];
        text[next] = i.text[at];
        assert_int_equal(mer_invite_read(&back, text), MER_EINVALID);
    }
    struct mer_invite eu = made("eu", 5);
    memcpy(eu.text, "ue", 2);
    assert_int_equal(mer_invite_read(&back, eu.text), MER_EINVALID);
}

static void what_is_no_code_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "-",
                                      "eu",
                                      "eu-",
                                      "00000-00000",
                                      "-00000-00000",
                                      " -00000-00000",
                                      "0000000000",
                                      "eu0000000000",
                                      "eu-0000-00000",
                                      "eu-UUUUU-UUUUU",
                                      "eu-0000\xc3\xa9-00000",
                                      "e\xc3\xbc-00000-00000",
                                      "e\x01-00000-00000",
                                      "e/u-00000-00000",
                                      "e\"u-00000-00000",
                                      "abcdefghijklmnopqrstuvwxyz012345-00000-00000",
                                      "------------------------------------------------------------------------------------------------",
                                      "eu-00000-00000                                                                                  ."};
    struct mer_rng_seeded s;
    struct mer_rng rng = mer_rng_seed(&s, 1);
    struct mer_invite i;
    char huge[4096];
    (void)state;
    for (size_t n = 0; n < MER_COUNT(bad); n++)
        assert_int_equal(mer_invite_read(&i, bad[n]), MER_EINVALID);
    memset(huge, '0', sizeof huge - 1);
    huge[sizeof huge - 1] = 0;
    assert_int_equal(mer_invite_read(&i, huge), MER_EINVALID);
    static const char *const no_region[] = {"", " eu", "eu ", "e u", "-eu", "eu-", "e/u", "abcdefghijklmnopqrstuvwxyz012345"};
    for (size_t n = 0; n < MER_COUNT(no_region); n++)
        assert_int_equal(mer_invite_make(&i, no_region[n], &rng), MER_EINVALID);
}

/* Whatever bytes come: read or refused, and what is read comes back. */
static void random_texts_do_no_harm(void **state)
{
    static const char letters[] = "eu- 0123456789ABCDEFGHJKMNPQRSTVWXYZoil\xff";
    struct mer_rng_seeded s;
    struct mer_rng rng = mer_rng_seed(&s, 11);
    unsigned good = 0;
    (void)state;
    for (unsigned n = 0; n < 200000; n++) {
        struct mer_invite i, back;
        char text[100];
        unsigned len = mer_rng_below(&rng, 20);
        for (unsigned k = 0; k < len; k++)
            text[k] = letters[mer_rng_below(&rng, sizeof letters - 1)];
        text[len] = 0;
        if (mer_invite_read(&i, text) != MER_OK)
            continue;
        good++;
        assert_int_equal(mer_invite_read(&back, i.text), MER_OK);
        assert_true(back.key == i.key && strcmp(back.text, i.text) == 0);
    }
    assert_true(good > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_comes_back_as_it_was_made),
        cmocka_unit_test(codes_differ_also_between_regions),
        cmocka_unit_test(who_knows_a_secret_knows_its_code),
        cmocka_unit_test(a_code_is_read_as_people_write_it),
        cmocka_unit_test(one_wrong_symbol_or_two_swapped_are_found),
        cmocka_unit_test(what_is_no_code_is_refused),
        cmocka_unit_test(random_texts_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
