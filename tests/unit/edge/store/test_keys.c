/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "edge/store/keys.h"

/* These numbers are where the data of running regions lie: they must never change. */
static void buckets_are_what_they_always_were(void **state)
{
    static const struct {
        const char *id;
        uint32_t bucket;
    } rows[] = {{"", 17}, {"a", 418}, {"game-1", 855}, {"us-east-1.k3j9x2", 174}, {"\xc3\xa9", 220}};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++)
        assert_int_equal(edge_key_bucket(rows[i].id), rows[i].bucket);
}

static void short_ids_spread_over_all_buckets(void **state)
{
    unsigned count[EDGE_BUCKETS] = {0}, used = 0, most = 0;
    (void)state;
    for (unsigned i = 0; i < 20 * EDGE_BUCKETS; i++) {
        char id[16];
        snprintf(id, sizeof(id), "g%u", i);
        unsigned b = edge_key_bucket(id);
        assert_true(b < EDGE_BUCKETS);
        used += count[b]++ == 0;
        most = count[b] > most ? count[b] : most;
    }
    assert_int_equal(used, EDGE_BUCKETS);
    assert_true(most < 60); /* 20 on average */
}

static void keys_carry_the_bucket_as_hash_tag(void **state)
{
    char key[EDGE_KEY_MAX], expected[EDGE_KEY_MAX];
    (void)state;
    assert_int_equal(edge_key_game(key, "g1"), MER_OK);
    snprintf(expected, sizeof(expected), "game:{b%u}:g1", edge_key_bucket("g1"));
    assert_string_equal(key, expected);
    assert_int_equal(edge_key_player(key, "u{x}"), MER_OK);
    snprintf(expected, sizeof(expected), "player:{b%u}:u{x}", edge_key_bucket("u{x}"));
    assert_string_equal(key, expected);
    assert_int_equal(edge_key_live(key, "e.1"), MER_OK);
    snprintf(expected, sizeof(expected), "live:{b%u}:e.1", edge_key_bucket("e.1"));
    assert_string_equal(key, expected);
    assert_int_equal(edge_key_owned(key, 1023, "e.1"), MER_OK);
    assert_string_equal(key, "owned:{b1023}:e.1");
}

static void ids_that_are_empty_or_too_long_are_refused(void **state)
{
    char key[EDGE_KEY_MAX], id[EDGE_KEY_ID_MAX + 2];
    (void)state;
    memset(id, 'x', sizeof(id));
    id[EDGE_KEY_ID_MAX + 1] = 0;
    assert_int_equal(edge_key_game(key, ""), MER_EINVALID);
    assert_int_equal(edge_key_game(key, id), MER_EINVALID);
    id[EDGE_KEY_ID_MAX] = 0;
    assert_int_equal(edge_key_player(key, id), MER_OK);
    assert_int_equal(edge_key_owned(key, 1023, id), MER_OK);
    assert_true(strlen(key) < EDGE_KEY_MAX);
    assert_int_equal(edge_key_owned(key, EDGE_BUCKETS, "e"), MER_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_what_they_always_were),
        cmocka_unit_test(short_ids_spread_over_all_buckets),
        cmocka_unit_test(keys_carry_the_bucket_as_hash_tag),
        cmocka_unit_test(ids_that_are_empty_or_too_long_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
