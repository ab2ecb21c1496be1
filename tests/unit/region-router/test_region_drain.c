/* SPDX-License-Identifier: Apache-2.0
 * A region's drain as it stands in Redis, and its figures. */
#include "unit.h"

#include <string.h>

#include "region-router/region_drain.h"
#include "region-router/region_sum.h"

static struct router_region_drain example(void)
{
    return (struct router_region_drain){.on = true, .from_ms = 1790000000000, .over_ms = 600000, .by = "ana", .reason = "new racks"};
}

static void what_is_written_is_read(void **state)
{
    uint8_t packed[ROUTER_DRAIN_PACKED_MAX];
    struct router_region_drain d = example(), read = {0};
    (void)state;
    memset(d.by, 'b', sizeof d.by - 1);
    memset(d.reason, 'r', sizeof d.reason - 1);
    size_t len = router_region_drain_write(&d, packed);
    assert_true(len > 0 && len <= sizeof packed);
    assert_int_equal(router_region_drain_read(&read, packed, len), MER_OK);
    assert_memory_equal(&read, &d, sizeof d);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(router_region_drain_read(&read, packed, cut), MER_EINVALID);
    assert_memory_equal(&read, &d, sizeof d);
}

static void what_was_not_written_by_us_is_refused(void **state)
{
    static char long_text[300];
    uint8_t packed[ROUTER_DRAIN_PACKED_MAX + 400];
    struct router_region_drain read = {0};
    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    for (int which = 0; which < 3; which++) {
        Meridian__State__V1__RegionDrain m = MERIDIAN__STATE__V1__REGION_DRAIN__INIT;
        m.by = which == 0 ? long_text : (char *)"ana";
        m.reason = which == 1 ? long_text : (char *)"x";
        m.over_ms = which == 2 ? 24ull * 3600 * 1000 + 1 : 0;
        assert_int_equal(router_region_drain_read(&read, packed, meridian__state__v1__region_drain__pack(&m, packed)), MER_EINVALID);
    }
    assert_int_equal(router_region_drain_read(&read, "drain", 5), MER_EINVALID);
    assert_false(read.on);
}

static void it_began_a_while_ago_or_just_now(void **state)
{
    struct router_region_drain d = example();
    (void)state;
    assert_int_equal(router_region_drain_began_ms(&d, d.from_ms + 7), 7);
    assert_int_equal(router_region_drain_began_ms(&d, d.from_ms - 5000), 0); /* a clock that was set back */
}

static void only_edges_that_report_count(void **state)
{
    struct router_edge e[4];
    struct mer_list edges;
    (void)state;
    memset(e, 0, sizeof e);
    mer_list_init(&edges);
    for (int i = 0; i < 4; i++) {
        e[i].reported = i != 3;
        e[i].reported_ms = i == 2 ? 1000 : 9000; /* the third hangs */
        e[i].max_connections = 100;
        e[i].connections = e[i].sessions = 100 * (uint32_t)(i == 0); /* the first is full */
        e[i].games = 7;
        e[i].load_permille = 400 * (uint32_t)i;
        mer_list_push_back(&edges, &e[i].node);
    }
    struct router_region_sum s = router_region_sum(&edges, 10000);
    assert_int_equal(s.edges, 2);
    assert_int_equal(s.ready, 1);
    assert_int_equal(s.players, 100);
    assert_int_equal(s.capacity, 200);
    assert_int_equal(s.games, 14);
    assert_int_equal(s.load_permille, 200);
    e[1].draining = true;
    s = router_region_sum(&edges, 10000);
    assert_int_equal(s.ready, 0);
    assert_int_equal(s.draining, 1);
    assert_int_equal(s.capacity, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_was_not_written_by_us_is_refused),
        cmocka_unit_test(it_began_a_while_ago_or_just_now),
        cmocka_unit_test(only_edges_that_report_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
