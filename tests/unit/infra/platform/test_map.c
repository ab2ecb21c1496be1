/* SPDX-License-Identifier: Apache-2.0
 * Maps against a plain array, and SipHash against a model that reproduces the published SipHash-2-4 vectors. */
#include "unit.h"

#include <stdio.h>

#include <meridian/map.h>
#include <meridian/mem.h>
#include <meridian/rng.h>

enum { KEYS = 2000 };
static const uint64_t seed[2] = {1, 2};

struct entry {
    char key[16];
    bool in;
    int seen;
};

static struct mer_key key_of(const void *entry)
{
    const struct entry *e = entry;

    return (struct mer_key){e->key, strlen(e->key)};
}

static struct entry *entries_make(void)
{
    struct entry *e = calloc(KEYS, sizeof(*e));

    for (int i = 0; i < KEYS; i++)
        snprintf(e[i].key, sizeof(e[i].key), "k%d", i);
    return e;
}

/* Every entry is found where the model says, and the fill stays within its bound. */
static void check(const struct mer_map *m, struct entry *e)
{
    uint32_t count = 0;

    for (int i = 0; i < KEYS; i++) {
        assert_ptr_equal(mer_map_gets(m, e[i].key), e[i].in ? &e[i] : NULL);
        count += e[i].in;
    }
    assert_int_equal(m->count, count);
    assert_true(!m->slot || m->count <= (m->mask + 1) / 4 * 3);
}

static void random_use_agrees_with_a_model(void **state)
{
    struct entry *e = entries_make();
    struct mer_rng_seeded seeded;
    struct mer_rng r = mer_rng_seed(&seeded, 11);
    struct mer_map m;

    (void)state;
    mer_map_init(&m, key_of, seed);
    for (int step = 0; step < 60000; step++) {
        struct entry *x = &e[mer_rng_below(&r, step % 20000 < 10000 ? KEYS : 50)];
        if (x->in) {
            assert_int_equal(mer_map_put(&m, x), MER_EEXISTS);
            assert_ptr_equal(mer_map_removes(&m, x->key), x);
        } else {
            assert_null(mer_map_removes(&m, x->key));
            assert_int_equal(mer_map_put(&m, x), MER_OK);
        }
        x->in = !x->in;
        if (step % 997 == 0)
            check(&m, e);
    }
    check(&m, e);
    mer_map_deinit(&m);
    free(e);
}

static void it_shrinks_and_ends_with_nothing(void **state)
{
    struct entry *e = entries_make();
    struct mer_map m;
    uint32_t top;

    (void)state;
    mer_map_init(&m, key_of, seed);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(mer_map_put(&m, &e[i]), MER_OK);
    top = m.mask;
    for (int i = 0; i < KEYS - 10; i++)
        assert_non_null(mer_map_removes(&m, e[i].key));
    assert_true(m.mask < top / 8);
    for (int i = KEYS - 10; i < KEYS; i++)
        assert_non_null(mer_map_removes(&m, e[i].key));
    assert_null(m.slot);
    assert_null(mer_map_gets(&m, "k1"));
    mer_map_deinit(&m);
    free(e);
}

static bool see(void *entry, void *ctx)
{
    ((struct entry *)entry)->seen++;
    return --*(int *)ctx > 0;
}

static void iteration_sees_each_once(void **state)
{
    struct entry *e = entries_make(), *x;
    struct mer_map m;
    uint32_t pos = 0;
    int budget = KEYS * 2;

    (void)state;
    mer_map_init(&m, key_of, seed);
    assert_null(mer_map_next(&m, &pos));
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(mer_map_put(&m, &e[i]), MER_OK);
    mer_map_each(&m, see, &budget);
    for (pos = 0; (x = mer_map_next(&m, &pos));)
        x->seen++;
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(e[i].seen, 2);
    budget = 5;
    mer_map_each(&m, see, &budget);
    assert_int_equal(budget, 0);
    mer_map_deinit(&m);
    free(e);
}

static void no_memory_refuses_growth_and_forgives_shrinking(void **state)
{
    struct entry *e = entries_make();
    struct mer_map m;
    int in = 0;

    (void)state;
    mer_map_init(&m, key_of, seed);
    mer_mem_fail_at(1);
    assert_int_equal(mer_map_put(&m, &e[0]), MER_ENOMEM);
    for (; in < KEYS; in++) {
        mer_mem_fail_at(in > 20 ? 1 : 0);
        if (mer_map_put(&m, &e[in]) != MER_OK)
            break;
        e[in].in = true;
    }
    mer_mem_fail_at(0);
    check(&m, e);
    for (int i = 0; i < in; i++) {
        mer_mem_fail_at(1);
        assert_non_null(mer_map_removes(&m, e[i].key));
        e[i].in = false;
        check(&m, e);
    }
    mer_mem_fail_at(0);
    mer_map_deinit(&m);
    free(e);
}

static void siphash_agrees_with_another_implementation(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } known[] = {{0, 0xabac0158050fc4dcULL},  {1, 0xc9f49bf37d57ca93ULL},  {7, 0xd3927d989bb11140ULL},
                 {8, 0x369095118d299a8eULL},  {9, 0x25a48eb36c063de4ULL},  {15, 0xd320d86d2a519956ULL},
                 {16, 0xcc4fdd1a7d908b66ULL}, {31, 0x2370dd1f8c21d1bcULL}, {63, 0x9d199062b7bbb3a8ULL}};
    const uint64_t key[2] = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    uint8_t data[64];

    (void)state;
    for (uint8_t i = 0; i < sizeof(data); i++)
        data[i] = i;
    for (size_t i = 0; i < MER_COUNT(known); i++)
        assert_true(mer_siphash13(key, data, known[i].len) == known[i].hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_use_agrees_with_a_model),
        cmocka_unit_test(it_shrinks_and_ends_with_nothing),
        cmocka_unit_test(iteration_sees_each_once),
        cmocka_unit_test(no_memory_refuses_growth_and_forgives_shrinking),
        cmocka_unit_test(siphash_agrees_with_another_implementation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
