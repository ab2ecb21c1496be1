/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <meridian/redis.h>

static uint16_t slot(const char *key)
{
    return mer_redis_slot(key, strlen(key));
}

/* The check value of the Redis Cluster specification and of `CLUSTER KEYSLOT`. */
static void slots_are_those_of_redis(void **state)
{
    static const struct {
        const char *key;
        uint16_t slot;
    } rows[] = {
        {"123456789", 12739}, {"", 0},        {"a", 15495},       {"foo", 12182},
        {"bar", 5061},        {"hello", 866}, {"somekey", 11058}, {"foo{hash_tag}", 2515},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(slot(rows[i].key), rows[i].slot);
}

static void only_a_tag_that_is_not_empty_counts(void **state)
{
    (void)state;
    assert_int_equal(slot("{user1000}.following"), slot("user1000"));
    assert_int_equal(slot("game:{b7}:x"), slot("b7"));
    assert_int_not_equal(slot("foo{}{bar}"), slot("bar"));
    assert_int_equal(slot("foo{{bar}}zap"), slot("{bar"));
    assert_int_equal(slot("foo{bar}{zap}"), slot("bar"));
    assert_int_not_equal(slot("foo{bar"), slot("bar"));
    assert_int_equal(slot("}{bar}"), slot("bar"));
}

static void a_key_is_bytes(void **state)
{
    static const char with_nul[] = "a\0b{c}";
    (void)state;
    assert_int_equal(mer_redis_slot(with_nul, 6), slot("c"));
    assert_int_equal(mer_redis_slot("{c}d", 2), mer_redis_slot("{c", 2)); /* the length, not a NUL, ends it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_those_of_redis),
        cmocka_unit_test(only_a_tag_that_is_not_empty_counts),
        cmocka_unit_test(a_key_is_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
