/* SPDX-License-Identifier: Apache-2.0
 * Slabs: stable addresses, chunks given back, iteration that survives freeing. */
#include "unit.h"

#include <meridian/mem.h>
#include <meridian/rng.h>
#include <meridian/slab.h>

enum { MANY = 3000 };

static unsigned chunks_alive(const struct mer_slab *s)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < s->chunks; i++)
        n += s->chunk[i] != NULL;
    return n;
}

static void objects_are_zeroed_aligned_and_apart(void **state)
{
    struct mer_slab s;
    uint64_t *p[MANY];

    (void)state;
    mer_slab_init(&s, 20, 8);
    assert_int_equal(s.object_bytes, 24);
    assert_true(s.chunk_count >= 8);
    for (uint64_t i = 0; i < MANY; i++) {
        p[i] = mer_slab_try_alloc(&s);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 8, 0);
        assert_true(p[i][0] == 0 && p[i][1] == 0 && p[i][2] == 0);
        p[i][0] = p[i][2] = i;
    }
    assert_int_equal(s.used, MANY);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_true(p[i][0] == i && p[i][2] == i);
        mer_slab_free(&s, p[i]);
    }
    mer_slab_deinit(&s);
}

static void empty_chunks_are_given_back_but_one(void **state)
{
    struct mer_slab s;
    void *p[MANY];

    (void)state;
    mer_slab_init(&s, 128, 64);
    for (int i = 0; i < MANY; i++)
        p[i] = mer_slab_try_alloc(&s);
    assert_true(chunks_alive(&s) > 10);
    for (int i = 0; i < MANY; i++)
        mer_slab_free(&s, p[i]);
    assert_int_equal(chunks_alive(&s), 1);
    p[0] = mer_slab_try_alloc(&s); /* uses the spare */
    assert_int_equal(chunks_alive(&s), 1);
    mer_slab_free(&s, p[0]);
    mer_slab_deinit(&s);
    assert_int_equal(s.used, 0);
}

static void holes_are_filled_from_below(void **state)
{
    struct mer_slab s;
    void *p[MANY], *again;

    (void)state;
    mer_slab_init(&s, 64, 8);
    for (int i = 0; i < MANY; i++)
        p[i] = mer_slab_try_alloc(&s);
    mer_slab_free(&s, p[MANY - 1]);
    mer_slab_free(&s, p[5]);
    again = mer_slab_try_alloc(&s);
    assert_ptr_equal(again, p[5]);
    p[5] = again;
    for (int i = 0; i < MANY - 1; i++)
        mer_slab_free(&s, p[i]);
    mer_slab_deinit(&s);
}

static void random_use_keeps_contents(void **state)
{
    struct mer_rng_seeded seeded;
    struct mer_rng r = mer_rng_seed(&seeded, 7);
    uint32_t *p[MANY] = {0}, live = 0;
    struct mer_slab s;

    (void)state;
    mer_slab_init(&s, 16, 100);
    for (int step = 0; step < 100000; step++) {
        uint32_t i = mer_rng_below(&r, step % 20000 < 10000 ? MANY : MANY / 10);
        if (p[i]) {
            assert_int_equal(*p[i], i + 1);
            mer_slab_free(&s, p[i]);
            p[i] = NULL;
            live--;
        } else {
            p[i] = mer_slab_try_alloc(&s);
            assert_int_equal(*p[i], 0);
            *p[i] = i + 1;
            live++;
        }
        assert_int_equal(s.used, live);
    }
    for (int i = 0; i < MANY; i++)
        if (p[i])
            mer_slab_free(&s, p[i]);
    mer_slab_deinit(&s);
}

struct each_ctx {
    struct mer_slab *s;
    unsigned seen;
    bool free_it;
};

static void on_each(void *object, void *ctx)
{
    struct each_ctx *c = ctx;

    c->seen++;
    if (c->free_it)
        mer_slab_free(c->s, object);
}

static void iteration_sees_each_once_and_may_free(void **state)
{
    struct mer_slab s;
    struct each_ctx ctx = {.s = &s};
    void *p[MANY];

    (void)state;
    mer_slab_init(&s, 40, 8);
    for (int i = 0; i < MANY; i++)
        p[i] = mer_slab_try_alloc(&s);
    for (int i = 0; i < MANY; i += 3)
        mer_slab_free(&s, p[i]);
    mer_slab_each(&s, on_each, &ctx);
    assert_int_equal(ctx.seen, MANY - MANY / 3);
    ctx = (struct each_ctx){.s = &s, .free_it = true};
    mer_slab_each(&s, on_each, &ctx);
    assert_int_equal(ctx.seen, MANY - MANY / 3);
    assert_int_equal(s.used, 0);
    mer_slab_deinit(&s);
}

static void no_memory_is_null_and_changes_nothing(void **state)
{
    struct mer_slab s;
    void *p;

    (void)state;
    mer_slab_init(&s, 64, 8);
    for (unsigned n = 1; n <= 2; n++) {
        mer_mem_fail_at(n);
        assert_null(mer_slab_try_alloc(&s));
        assert_int_equal(s.used, 0);
    }
    p = mer_slab_try_alloc(&s);
    assert_non_null(p);
    mer_slab_free(&s, p);
    mer_slab_deinit(&s);
}

static void an_object_has_a_number(void **state)
{
    struct mer_slab s;
    uint64_t *p[MANY];
    uint32_t number[MANY];

    (void)state;
    for (uint32_t count = 8; count <= 1024; count *= 128) {
        mer_slab_init(&s, 56, count);
        for (uint64_t i = 0; i < MANY; i++) {
            p[i] = mer_slab_try_alloc(&s);
            number[i] = mer_slab_number(&s, p[i]);
            assert_true(number[i] != 0);
        }
        for (uint64_t i = 0; i < MANY; i++) {
            assert_ptr_equal(mer_slab_at(&s, number[i]), p[i]);
            mer_slab_free(&s, p[i]);
        }
        mer_slab_deinit(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_has_a_number),
        cmocka_unit_test(objects_are_zeroed_aligned_and_apart),
        cmocka_unit_test(empty_chunks_are_given_back_but_one),
        cmocka_unit_test(holes_are_filled_from_below),
        cmocka_unit_test(random_use_keeps_contents),
        cmocka_unit_test(iteration_sees_each_once_and_may_free),
        cmocka_unit_test(no_memory_is_null_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
