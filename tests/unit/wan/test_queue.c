/* SPDX-License-Identifier: Apache-2.0
 * test_queue.c - packets come out by time, those of one time in order, and never too many are kept. */
#include "unit.h"

#include <meridian/mem.h>
#include <meridian/rng.h>

#include "tests/wan/queue.h"

static void packets_come_out_by_time_and_then_in_order(void **state)
{
    (void)state;
    struct wan_queue q = {0};
    struct mer_rng_seeded seeded;
    struct mer_rng rng = mer_rng_seed(&seeded, 5);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(wan_queue_add(&q, mer_rng_below(&rng, 100), i, (const uint8_t *)&i, sizeof i), MER_OK);
    uint64_t last = 0, order = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        const struct wan_packet *p = wan_queue_first(&q);
        assert_non_null(p);
        assert_true(p->at_us > last || (p->at_us == last && (i == 0 || p->order > order)));
        assert_memory_equal(p->data, &p->node, sizeof p->node);
        last = p->at_us;
        order = p->order;
        wan_queue_remove_first(&q);
    }
    assert_null(wan_queue_first(&q));
    assert_int_equal(q.bytes, 0);
    wan_queue_deinit(&q);
}

static void full_queue_refuses(void **state)
{
    (void)state;
    struct wan_queue q = {0};
    static uint8_t data[1 << 20];
    for (int i = 0; i < WAN_QUEUE_BYTES >> 20; i++)
        assert_int_equal(wan_queue_add(&q, 1, 0, data, sizeof data), MER_OK);
    assert_int_equal(wan_queue_add(&q, 1, 0, data, 1), MER_EBUSY);
    wan_queue_deinit(&q);
    for (int i = 0; i < WAN_QUEUE_PACKETS; i++)
        assert_int_equal(wan_queue_add(&q, 1, 0, data, 0), MER_OK);
    assert_int_equal(wan_queue_add(&q, 1, 0, data, 0), MER_EBUSY);
    wan_queue_deinit(&q);
}

static void without_memory_nothing_is_added(void **state)
{
    (void)state;
    struct wan_queue q = {0};
    for (unsigned at = 1; at <= 2; at++) {
        mer_mem_fail_at(at);
        assert_int_equal(wan_queue_add(&q, 1, 0, (const uint8_t *)"x", 1), MER_ENOMEM);
        assert_int_equal(q.count, 0);
    }
    mer_mem_fail_at(0);
    wan_queue_deinit(&q);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_come_out_by_time_and_then_in_order),
        cmocka_unit_test(full_queue_refuses),
        cmocka_unit_test(without_memory_nothing_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
