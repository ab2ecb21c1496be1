/* SPDX-License-Identifier: Apache-2.0
 * Buffers: growth, limits, and content that survives every failure. */
#include "unit.h"

#include <meridian/buf.h>
#include <meridian/mem.h>

static void bytes_are_appended_and_consumed(void **state)
{
    struct mer_buf b;

    (void)state;
    mer_buf_init(&b, 0);
    assert_int_equal(mer_buf_appends(&b, "hello "), MER_OK);
    assert_int_equal(mer_buf_appendf(&b, "%s %d", "world", 42), MER_OK);
    assert_int_equal(b.len, 14);
    mer_buf_consume(&b, 6);
    assert_memory_equal(b.data, "world 42", 8);
    mer_buf_consume(&b, 8);
    assert_int_equal(b.len, 0);
    mer_buf_trim(&b);
    assert_null(b.data);
    assert_int_equal(mer_buf_append(&b, NULL, 0), MER_OK);
    mer_buf_deinit(&b);
}

static void the_limit_is_never_passed(void **state)
{
    struct mer_buf b;

    (void)state;
    mer_buf_init(&b, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(mer_buf_append(&b, "x", 1), MER_OK);
    assert_true(b.cap <= 100);
    assert_int_equal(mer_buf_append(&b, "x", 1), MER_EBUSY);
    assert_int_equal(mer_buf_appendf(&b, "%d", 1), MER_EBUSY);
    assert_int_equal(mer_buf_reserve(&b, SIZE_MAX), MER_EBUSY);
    assert_int_equal(b.len, 100);
    mer_buf_consume(&b, 1);
    assert_int_equal(mer_buf_append(&b, "y", 1), MER_OK);
    mer_buf_deinit(&b);
}

static void long_formats_fit(void **state)
{
    char lots[3000];
    struct mer_buf b;

    (void)state;
    memset(lots, 'a', sizeof(lots));
    lots[sizeof(lots) - 1] = '\0';
    mer_buf_init(&b, 2999);
    assert_int_equal(mer_buf_appendf(&b, "%s", lots), MER_OK);
    assert_int_equal(b.len, 2999);
    assert_memory_equal(b.data, lots, 2999);
    mer_buf_clear(&b);
    assert_int_equal(mer_buf_appendf(&b, "%s!", lots), MER_EBUSY);
    assert_int_equal(b.len, 0);
    mer_buf_deinit(&b);
}

static void no_memory_leaves_the_content(void **state)
{
    struct mer_buf b;
    char lots[1000] = {0};

    (void)state;
    mer_buf_init(&b, 0);
    assert_int_equal(mer_buf_appends(&b, "keep"), MER_OK);
    mer_mem_fail_at(1);
    assert_int_equal(mer_buf_append(&b, lots, sizeof(lots)), MER_ENOMEM);
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "keep", 4);
    mer_buf_deinit(&b);
}

static void reserved_room_may_be_written(void **state)
{
    struct mer_buf b;

    (void)state;
    mer_buf_init(&b, 0);
    assert_int_equal(mer_buf_reserve(&b, 1000), MER_OK);
    assert_true(b.cap >= 1000);
    memset(b.data, 1, 1000);
    b.len = 1000;
    assert_int_equal(mer_buf_append(&b, "z", 1), MER_OK);
    assert_int_equal(b.data[1000], 'z');
    mer_buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_appended_and_consumed),
        cmocka_unit_test(the_limit_is_never_passed),
        cmocka_unit_test(long_formats_fit),
        cmocka_unit_test(no_memory_leaves_the_content),
        cmocka_unit_test(reserved_room_may_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
