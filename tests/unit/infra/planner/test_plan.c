/* SPDX-License-Identifier: Apache-2.0 */
#include "infra/planner/plan.h"

#include <math.h>
#include <string.h>

#include "unit.h"

/* Round figures, so that what comes out can be reckoned in the head. */
static const struct plan_wish wish = {
    .players = 1000000,
    .peak_percent = 150,
    .safety_percent = 200,
    .playing_percent = 50,
    .seconds_between_moves = 10,
    .reconnect_seconds = 50,
    .quiet_percent = 25,
    .average_percent = 100,
    .host_cores = 10,
    .host_memory_gib = 32,
    .redis_host_cores = 8,
    .redis_host_memory_gib = 64,
    .redis_shards_per_group = 6,
    .redis_volume_gib = 100,
    .maxclients = 10000,
};
static const struct plan_measured measured = {
    .connections_held = 20000,
    .edge_us_move = 100,
    .edge_us_idle = 5,
    .handshake_us = 1000,
    .connection_bytes = 10000,
    .kernel_bytes = 6000,
    .redis_us_move_sparse = 400,
    .redis_us_move_grouped = 200,
    .redis_group_moves = 2,
    .redis_batch_ms = 1,
    .redis_calls_move = 1,
    .redis_bytes_move = 1500,
    .redis_bytes_replicas = 2000,
    .redis_bytes_player = 1000,
    .redis_bytes_game = 1000,
    .redis_ended_seconds = 3600,
    .redis_connections_edge = 3,
    .router_us_ticket = 50,
    .moves_game = 25,
    .out_bytes_move = 800,
    .out_bytes_idle = 10,
};
static const struct plan_prices prices = {
    .edge_core_hour = 0.1,
    .router_host_hour = 0.1,
    .redis_core_hour = 0.1,
    .volume_gib_month = 0.1,
    .balancer_hour = 0.02,
    .balancer_unit_hour = 0.006,
    .address_hour = 0.005,
    .interzone_gb = 0.02,
    .egress_tier_tb = {10, 50, 150},
    .hosts_percent = {100, 100, 100, 200},
    .redis_percent = {100, 100, 100, 300},
    .egress_gb = {{0.1, 0.1, 0.1, 0.2}, {0.08, 0.08, 0.08, 0.16}, {0.06, 0.06, 0.06, 0.12}, {0.05, 0.05, 0.05, 0.1}},
};
static char name[4][2] = {"a", "b", "c", "d"};

static struct geo_footprint of(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    struct geo_footprint f = {.count = 0};
    const uint32_t share[] = {a, b, c, d};
    for (int i = 0; i < 4 && share[i] > 0; i++)
        f.region[f.count++] = (struct geo_region){.name = name[i], .share_percent = share[i]};
    return f;
}

#define MAKE(r, w, m, f) \
    do { \
        struct mer_msg msg_; \
        assert_int_equal(plan_make(r, w, m, &prices, f, &msg_), MER_OK); \
    } while (0)
#define assert_near(a, b) assert_true(fabs((double)(a) - (double)(b)) <= 1e-6 * fabs((double)(b)))

static void a_core_carries_the_least_of_held_cpu_and_memory(void **state)
{
    (void)state;
    struct geo_footprint f = of(30, 25, 25, 20);
    struct plan_measured m = measured;
    struct plan_wish w = wish;
    struct plan_result r;
    MAKE(&r, &w, &m, &f);
    assert_int_equal(r.limit, PLAN_BY_HELD);
    assert_int_equal(r.connections_core, 20000);
    assert_int_equal(r.connections_host, 100000); /* 10 cores, half of what was measured */
    assert_near(r.cpu_connections_core, 100000);  /* 0.05 moves a second of 100 us, and 5 us */

    m.edge_us_idle = 95;
    MAKE(&r, &w, &m, &f);
    assert_int_equal(r.limit, PLAN_BY_CPU);
    assert_int_equal(r.connections_core, 10000);

    w.host_memory_gib = 1; /* 0.7 GiB / 16,000 bytes: 46,976 connections a host */
    MAKE(&r, &w, &m, &f);
    assert_int_equal(r.limit, PLAN_BY_MEMORY);
    assert_in_range(r.connections_host, 46970, 46980);
}

static void a_region_holds_its_players_times_the_peak(void **state)
{
    (void)state;
    struct geo_footprint f = of(30, 25, 25, 20);
    struct plan_result r;
    MAKE(&r, &wish, &measured, &f);
    assert_false(r.by_loss);
    assert_int_equal(r.region[0].players, 300000);
    assert_int_equal(r.region[0].capacity, 450000);
    assert_int_equal(r.region[0].hosts_full, 6); /* 450,000 / 80,000 */
    assert_int_equal(r.region[0].hosts_now, 4);
    assert_int_equal(r.region[3].hosts_now, 3); /* one a zone */
    assert_int_equal(r.total.capacity, 1500000);
    assert_int_equal(r.total.share_percent, 100);
}

static void the_loss_of_a_large_region_asks_for_more_than_the_peak(void **state)
{
    (void)state;
    struct geo_footprint f = of(60, 40, 0, 0);
    struct plan_result r;
    MAKE(&r, &wish, &measured, &f);
    assert_true(r.by_loss);
    assert_near(r.capacity_factor, 2.5);                   /* the 40 % must hold all */
    assert_near(r.region[1].lost_load_percent, 100.0);     /* and just do */
    assert_near(r.region[0].lost_load_percent, 100 / 1.5); /* 1,000,000 of 1,500,000 */
}

static void one_region_has_nobody_to_lose(void **state)
{
    (void)state;
    struct geo_footprint f = of(100, 0, 0, 0);
    struct plan_result r;
    MAKE(&r, &wish, &measured, &f);
    assert_false(r.by_loss);
    assert_near(r.total.lost_load_percent + 1, 1.0);
    assert_near(r.total.lost_connects_core_second + 1, 1.0);
}

static void connects_after_a_loss_are_spread_over_the_cores_that_run(void **state)
{
    (void)state;
    struct geo_footprint f = of(50, 50, 0, 0);
    struct plan_result r;
    MAKE(&r, &wish, &measured, &f);
    /* 500,000 in 50 s on 7 hosts of 10 cores */
    assert_int_equal(r.region[0].hosts_now, 7);
    assert_near(r.region[0].lost_connects_core_second, 500000.0 / 50 / 70);
    assert_near(r.region[0].lost_connects_busy_percent, 500000.0 / 50 / 70 / 10);
}

static void moves_that_are_alone_pay_a_wait_each(void **state)
{
    (void)state;
    struct geo_footprint f = of(100, 0, 0, 0);
    struct plan_measured m = measured;
    struct plan_result r;
    MAKE(&r, &wish, &m, &f);
    assert_near(r.region[0].moves_second, 75000);
    assert_near(r.region[0].group_moves, 1);
    assert_near(r.region[0].redis_us_move, 400);
    assert_int_equal(r.region[0].shards, 54); /* 75,000 x 400 us are 30 cores, 60 % busy: 50; groups of 6 */
    assert_int_equal(r.region[0].redis_hosts, 27);

    m.redis_batch_ms = 200; /* a slow store groups more: a WAIT is 400 us of a group of two's 200 a move */
    MAKE(&r, &wish, &m, &f);
    assert_true(r.region[0].group_moves > 1);
    assert_near(r.region[0].redis_us_move, 400 / r.region[0].group_moves);
    assert_true(r.region[0].shards < 54);
}

static void memory_of_redis_counts_games_that_ended_an_hour_ago(void **state)
{
    (void)state;
    struct geo_footprint f = of(100, 0, 0, 0);
    struct plan_result r;
    MAKE(&r, &wish, &measured, &f);
    /* 1.5 million players, 375,000 games, 3,000 games a second for an hour */
    assert_near(r.region[0].shard_memory_mib, (1500000.0 + 375000 + 3000 * 3600) * 1000 / 54 / 1048576);
    assert_int_equal(r.region[0].primary_connections, 24 * 10 * 3); /* 19 hosts, a fifth more and one */
    assert_near(r.region[0].tickets_second, 6000);
    assert_near(r.region[0].router_busy_percent, 30);
}

static void hosts_and_traffic_cost_by_their_region(void **state)
{
    (void)state;
    struct geo_footprint f = of(30, 25, 25, 20);
    struct plan_result r;
    MAKE(&r, &wish, &measured, &f);
    const struct plan_region *a = &r.region[0], *d = &r.region[3];
    assert_near(a->usd.edges, 6 * 10 * 0.1 * 730);
    assert_near(d->usd.edges, 4 * 10 * 0.1 * 730 * 2);
    assert_near(d->usd.redis, (double)d->redis_hosts * (wish.redis_host_cores * 0.1 * 730 * 3 + wish.redis_volume_gib * 0.1));
    assert_near(d->usd.egress, 10240 * 0.2 + (d->egress_gb - 10240) * 0.16);
    /* 300,000 players: 15,000 moves of 800 bytes and 10 bytes each, a second */
    assert_near(a->egress_gb, 15e6 * 730 * 3600 / 1e9);
    assert_near(a->usd.egress, 10240 * 0.1 + (a->egress_gb - 10240) * 0.08);
    /* two of three calls go to another zone, both copies do */
    assert_near(a->interzone_gb, 15000 * 3000.0 * 730 * 3600 / 1e9);
    assert_near(plan_cost_traffic(&a->usd), a->usd.egress + a->interzone_gb * 0.02);
    assert_near(plan_cost_hosts(&a->usd), a->usd.edges + a->usd.routers + a->usd.redis + a->usd.balancer);
}

static void the_dearest_bytes_come_first(void **state)
{
    (void)state;
    struct geo_footprint f = of(100, 0, 0, 0);
    struct plan_wish w = wish;
    struct plan_result r;
    w.players = 10000000;
    MAKE(&r, &w, &measured, &f);
    double gb = r.region[0].egress_gb, tb = 1024;
    assert_true(gb > 150 * tb);
    assert_near(r.region[0].usd.egress, 10 * tb * 0.1 + 40 * tb * 0.08 + 100 * tb * 0.06 + (gb - 150 * tb) * 0.05);
}

static void a_host_beyond_what_it_may_carry_is_refused(void **state)
{
    (void)state;
    struct geo_footprint f = of(100, 0, 0, 0);
    struct plan_wish w = wish;
    struct plan_result r;
    struct mer_msg msg;
    w.host_cores = 64;
    w.host_memory_gib = 256;
    assert_int_equal(plan_make(&r, &w, &measured, &prices, &f, &msg), MER_EINVALID);
    assert_non_null(strstr(msg.text, "600000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_core_carries_the_least_of_held_cpu_and_memory),
        cmocka_unit_test(a_region_holds_its_players_times_the_peak),
        cmocka_unit_test(the_loss_of_a_large_region_asks_for_more_than_the_peak),
        cmocka_unit_test(one_region_has_nobody_to_lose),
        cmocka_unit_test(connects_after_a_loss_are_spread_over_the_cores_that_run),
        cmocka_unit_test(moves_that_are_alone_pay_a_wait_each),
        cmocka_unit_test(memory_of_redis_counts_games_that_ended_an_hour_ago),
        cmocka_unit_test(hosts_and_traffic_cost_by_their_region),
        cmocka_unit_test(the_dearest_bytes_come_first),
        cmocka_unit_test(a_host_beyond_what_it_may_carry_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
