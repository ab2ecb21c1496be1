/* SPDX-License-Identifier: Apache-2.0
 * The two families of allocation. */
#include "unit.h"

#include <meridian/mem.h>

static void the_nth_allocation_fails_once(void **state)
{
    void *p[3];

    (void)state;
    mer_mem_fail_at(2);
    p[0] = mer_try_malloc(1);
    p[1] = mer_try_calloc(1, 1);
    p[2] = mer_try_strdup("x");
    assert_non_null(p[0]);
    assert_null(p[1]);
    assert_non_null(p[2]);
    free(p[0]);
    free(p[2]);
}

static void the_dying_family_is_not_touched_by_the_hook(void **state)
{
    char *p;

    (void)state;
    mer_mem_fail_at(1);
    p = mer_xstrdup("hello");
    assert_string_equal(p, "hello");
    p = mer_xrealloc(p, 100);
    mer_free(&p);
    assert_null(p);
    mer_mem_fail_at(0);
    p = mer_try_strndup("hello", 2);
    assert_string_equal(p, "he");
    mer_free(&p);
}

static void what_is_freed_is_named_once(void **state)
{
    char *all[2] = {mer_xstrdup("a"), mer_xstrdup("b")};
    int n = 2;

    (void)state;
    mer_free(&all[--n]);
    assert_int_equal(n, 1);
    assert_null(all[1]);
    mer_free(&all[--n]);
    assert_null(all[0]);
}

static void no_bytes_are_still_memory(void **state)
{
    void *a = mer_try_malloc(0), *b = mer_try_calloc(0, 8);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    free(a);
    free(b);
}

static void pages_are_zeroed_aligned_and_may_run_out(void **state)
{
    (void)state;
    for (size_t size = 4096; size <= 1 << 20; size *= 4) {
        unsigned char *p = mer_try_pages(size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % size, 0);
        assert_int_equal(p[0] | p[size - 1], 0);
        p[0] = p[size - 1] = 1;
        mer_free_pages(p, size);
    }
    mer_free_pages(NULL, 4096);
    mer_mem_fail_at(1);
    assert_null(mer_try_pages(4096));
    mer_mem_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_allocation_fails_once),
        cmocka_unit_test(the_dying_family_is_not_touched_by_the_hook),
        cmocka_unit_test(pages_are_zeroed_aligned_and_may_run_out),
        cmocka_unit_test(what_is_freed_is_named_once),
        cmocka_unit_test(no_bytes_are_still_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
