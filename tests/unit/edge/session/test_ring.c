/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include <meridian/mem.h>

#include "edge/limits.h"
#include "edge/session/ring.h"

struct seen {
    uint64_t offset[64];
    size_t count;
};

static void see(void *ctx, uint64_t offset, const struct edge_msg *m)
{
    struct seen *s = ctx;
    char expect[16];
    assert_int_equal(m->len, (uint32_t)snprintf(expect, sizeof(expect), "%llu", (unsigned long long)offset));
    assert_memory_equal(m->bytes, expect, m->len);
    s->offset[s->count++] = offset;
}

static void push(struct edge_ring_pool *p, struct edge_ring *r, uint64_t offset, uint64_t now_ms)
{
    char text[16];
    struct edge_msg *m = edge_msg_create(text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)offset));
    edge_ring_push(p, r, m, offset, now_ms);
    edge_msg_unref(m);
}

static void what_was_missed_is_replayed_in_order(void **state)
{
    struct edge_ring_pool p;
    struct edge_ring r;
    struct seen s = {.count = 0};
    (void)state;
    edge_ring_pool_init(&p, 1 << 20);
    edge_ring_init(&r);
    for (uint64_t i = 1; i <= 10; i++)
        push(&p, &r, i, i);
    assert_true(edge_ring_covers(&r, 7, 10));
    edge_ring_replay(&r, 7, see, &s);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.offset[0], 8);
    assert_int_equal(s.offset[2], 10);
    edge_ring_clear(&p, &r);
    assert_int_equal(p.bytes, 0);
}

static void what_is_taken_out_is_the_oldest_and_the_taker_s(void **state)
{
    struct edge_ring_pool p;
    struct edge_ring r;
    (void)state;
    edge_ring_pool_init(&p, 1 << 20);
    edge_ring_init(&r);
    push(&p, &r, 1, 1);
    push(&p, &r, 2, 2);
    for (int i = 1; i <= 2; i++) {
        struct edge_msg *m = edge_ring_pop(&p, &r);
        assert_int_equal(m->refs, 1);
        assert_int_equal(m->bytes[0], '0' + i);
        edge_msg_unref(m);
    }
    assert_null(edge_ring_pop(&p, &r));
    assert_int_equal(p.bytes, 0);
}

static void the_ends_of_the_ring_are_told_apart(void **state)
{
    struct edge_ring_pool p;
    struct edge_ring r;
    (void)state;
    edge_ring_pool_init(&p, 1 << 20);
    edge_ring_init(&r);
    assert_true(edge_ring_covers(&r, 0, 0));  /* nothing was ever sent */
    assert_false(edge_ring_covers(&r, 1, 0)); /* seen what was never sent */
    for (uint64_t i = 1; i <= 10; i++)
        push(&p, &r, i, i);
    edge_ring_ack(&p, &r, 4);
    assert_true(edge_ring_covers(&r, 4, 10));
    assert_false(edge_ring_covers(&r, 3, 10)); /* off by one */
    assert_true(edge_ring_covers(&r, 10, 10));
    assert_false(edge_ring_covers(&r, 11, 10));
    edge_ring_clear(&p, &r);
}

static void a_ring_stays_within_its_bytes_and_contiguous(void **state)
{
    struct edge_ring_pool p;
    struct edge_ring r;
    struct seen s = {.count = 0};
    (void)state;
    edge_ring_pool_init(&p, 1 << 20);
    edge_ring_init(&r);
    for (uint64_t i = 1; i <= 1000; i++) {
        push(&p, &r, i, i);
        assert_true(r.bytes <= EDGE_RING_BYTES);
        assert_true(edge_ring_covers(&r, i - r.count, i));
    }
    assert_true(p.dropped > 0);
    edge_ring_replay(&r, 1000 - r.count, see, &s);
    assert_int_equal(s.count, r.count);
    for (size_t i = 1; i < s.count; i++)
        assert_int_equal(s.offset[i], s.offset[i - 1] + 1);
    edge_ring_clear(&p, &r);
    assert_int_equal(p.bytes, 0);
}

static void messages_of_a_minute_ago_are_gone(void **state)
{
    struct edge_ring_pool p;
    struct edge_ring r;
    (void)state;
    edge_ring_pool_init(&p, 1 << 20);
    edge_ring_init(&r);
    push(&p, &r, 1, 1000);
    push(&p, &r, 2, 2000);
    edge_ring_pool_expire(&p, 1000 + EDGE_SESSION_LINGER_MS - 1);
    assert_int_equal(r.count, 2);
    edge_ring_pool_expire(&p, 1000 + EDGE_SESSION_LINGER_MS);
    assert_int_equal(r.count, 1);
    edge_ring_pool_expire(&p, 2000 + EDGE_SESSION_LINGER_MS);
    assert_int_equal(r.count, 0);
    assert_int_equal(p.bytes, 0);
}

static void a_full_pool_drops_the_oldest_of_anybody(void **state)
{
    struct edge_ring_pool p;
    struct edge_ring a, b;
    (void)state;
    edge_ring_pool_init(&p, 1024);
    edge_ring_init(&a);
    edge_ring_init(&b);
    push(&p, &a, 1, 1);
    for (uint64_t i = 1; i <= 100; i++)
        push(&p, &b, i, i + 1);
    assert_true(p.bytes <= 1024);
    assert_int_equal(a.count, 0);
    assert_false(edge_ring_covers(&a, 0, 1));
    edge_ring_clear(&p, &b);
    assert_int_equal(p.bytes, 0);
}

static void a_message_too_large_costs_the_history_not_the_order(void **state)
{
    struct edge_ring_pool p;
    struct edge_ring r;
    static char big[EDGE_RING_BYTES];
    (void)state;
    edge_ring_pool_init(&p, 1 << 20);
    edge_ring_init(&r);
    push(&p, &r, 1, 1);
    struct edge_msg *m = edge_msg_create(big, sizeof(big));
    edge_ring_push(&p, &r, m, 2, 1);
    edge_msg_unref(m);
    assert_false(edge_ring_covers(&r, 0, 2));
    assert_false(edge_ring_covers(&r, 1, 2));
    assert_true(edge_ring_covers(&r, 2, 2));
    push(&p, &r, 3, 1);
    assert_true(edge_ring_covers(&r, 2, 3));
    edge_ring_clear(&p, &r);
}

static void out_of_memory_costs_the_history_not_the_order(void **state)
{
    struct edge_ring_pool p;
    struct edge_ring r;
    (void)state;
    edge_ring_pool_init(&p, 1 << 20);
    edge_ring_init(&r);
    push(&p, &r, 1, 1);
    struct edge_msg *m = edge_msg_create("2", 1);
    mer_mem_fail_at(1);
    edge_ring_push(&p, &r, m, 2, 1);
    mer_mem_fail_at(0);
    assert_int_equal(m->refs, 1);
    edge_msg_unref(m);
    assert_false(edge_ring_covers(&r, 1, 2));
    assert_true(edge_ring_covers(&r, 2, 2));
    assert_int_equal(p.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_missed_is_replayed_in_order),
        cmocka_unit_test(what_is_taken_out_is_the_oldest_and_the_taker_s),
        cmocka_unit_test(the_ends_of_the_ring_are_told_apart),
        cmocka_unit_test(a_ring_stays_within_its_bytes_and_contiguous),
        cmocka_unit_test(messages_of_a_minute_ago_are_gone),
        cmocka_unit_test(a_full_pool_drops_the_oldest_of_anybody),
        cmocka_unit_test(a_message_too_large_costs_the_history_not_the_order),
        cmocka_unit_test(out_of_memory_costs_the_history_not_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
