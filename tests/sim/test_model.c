/* SPDX-License-Identifier: Apache-2.0
 * test_model.c - the simulator itself: does its Redis lose what a Redis Cluster loses, and keep what that keeps? A model that is too kind
 * finds nothing. The expectations are those measured on real clusters. */
#include <stdlib.h>

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_lua.h"
#include "tests/sim/sim_redis.h"
#include "unit.h"

struct fix {
    struct sim_end *end[SIM_NODES];
    char reply[SIM_NODES][4096];
};

static struct fix *all;

static void on_open(void *ctx)
{
    (void)ctx;
}

static void on_data(void *ctx, const uint8_t *data, size_t len)
{
    size_t i = (size_t)(uintptr_t)ctx, have = strlen(all->reply[i]);
    assert_true(have + len < sizeof(all->reply[i]));
    memcpy(all->reply[i] + have, data, len);
    all->reply[i][have + len] = 0;
}

static void on_closed(void *ctx, bool clean, const char *why)
{
    (void)clean, (void)why;
    all->end[(size_t)(uintptr_t)ctx] = NULL;
}

static void run_ms(uint64_t ms)
{
    sim_world_run(sim.now_us + ms * 1000);
    assert_false(sim.failed);
}

static void ask(unsigned node, const char *command)
{
    static const struct sim_end_ops ops = {on_open, on_data, on_closed};
    char address[32];
    if (!all->end[node]) {
        snprintf(address, sizeof(address), "redis%u:6379", node);
        all->end[node] = sim_net_connect(region->players, address, &ops, (void *)(uintptr_t)node);
        run_ms(100);
    }
    char *wire;
    int n = redisFormatCommand(&wire, command);
    all->reply[node][0] = 0;
    sim_net_send(all->end[node], wire, (size_t)n);
    free(wire);
}

#define assert_reply(node, command, ms, expected) \
    do { \
        ask(node, command); \
        run_ms(ms); \
        assert_string_equal(all->reply[node], expected); \
    } while (0)

/* Nobody plays: only the nodes and one client. `key` lies on the first shard. */
static const char key[] = "a4";

static int setup(void **state)
{
    (void)state;
    sim_world_init(7, "", NULL);
    sim_check_init();
    sim_region_init(0);
    all = calloc(1, sizeof(*all));
    run_ms(3000);
    assert_true(sim_cluster_well(region->redis));
    assert_int_equal(sim_redis_shard(region->redis, key), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(all);
    return 0;
}

static void cut_from(unsigned node, unsigned from, unsigned to, bool cut)
{
    for (unsigned i = from; i <= to; i++)
        if (i != node) {
            sim_net_cut(region->node[node], region->node[i], cut);
            sim_net_cut(region->node[i], region->node[node], cut);
        }
    sim_cluster_wake(region->redis);
}

static void wait_counts_the_replicas_that_have_a_write(void **state)
{
    (void)state;
    assert_reply(0, "SET a4 x", 100, "+OK\r\n");
    assert_reply(0, "WAIT 2 500", 100, ":2\r\n");
    sim_proc_pause(region->node[1], true);
    assert_reply(0, "SET a4 y", 100, "+OK\r\n");
    assert_reply(0, "WAIT 2 500", 400, "");
    run_ms(300);
    assert_string_equal(all->reply[0], ":1\r\n");
    sim_proc_pause(region->node[1], false);
    assert_reply(0, "WAIT 2 500", 100, ":2\r\n");
}

static void wait_after_a_read_waits_for_everything_before_it(void **state)
{
    (void)state;
    sim_proc_pause(region->node[1], true);
    assert_reply(0, "SET a4 x", 100, "+OK\r\n");
    sim_net_close(all->end[0]);
    all->end[0] = NULL;
    assert_reply(0, "GET a4", 100, "$1\r\nx\r\n");
    assert_reply(0, "WAIT 2 300", 400, ":1\r\n");
}

static void a_primary_cut_off_says_ok_and_forgets(void **state)
{
    (void)state;
    cut_from(0, 0, SIM_NODES - 1, true);
    run_ms(500);
    assert_reply(0, "SET a4 lost", 100, "+OK\r\n");
    run_ms(2500);
    assert_reply(0, "SET a4 refused", 100, "-CLUSTERDOWN The cluster is down\r\n");
    run_ms(3000);
    unsigned primary = sim_redis_primary(region->redis, 0)->index;
    assert_int_not_equal(primary, 0);
    assert_reply(primary, "GET a4", 100, "$-1\r\n");
    cut_from(0, 0, SIM_NODES - 1, false);
    run_ms(5000);
    assert_true(sim_cluster_well(region->redis));
    assert_reply(primary, "GET a4", 100, "$-1\r\n");
    ask(0, "GET a4");
    run_ms(100);
    assert_int_equal(strncmp(all->reply[0], "-MOVED ", 7), 0);
}

static void a_waiting_client_is_told_when_its_primary_is_none_any_more(void **state)
{
    (void)state;
    cut_from(0, 0, SIM_NODES - 1, true);
    run_ms(100);
    assert_reply(0, "SET a4 lost", 100, "+OK\r\n");
    ask(0, "WAIT 2 60000");
    run_ms(6000);
    assert_string_equal(all->reply[0], "");
    cut_from(0, 0, SIM_NODES - 1, false);
    run_ms(3000);
    assert_int_equal(strncmp(all->reply[0], "-UNBLOCKED", 10), 0);
}

static void a_primary_with_one_replica_on_its_side_confirms_one(void **state)
{
    (void)state;
    cut_from(0, 2, SIM_NODES - 1, true);
    cut_from(1, 2, SIM_NODES - 1, true);
    run_ms(200);
    assert_reply(0, "SET a4 lost", 100, "+OK\r\n");
    assert_reply(0, "WAIT 1 500", 100, ":1\r\n");
    assert_reply(0, "WAIT 2 300", 400, ":1\r\n");
    run_ms(6000);
    assert_int_equal(sim_redis_primary(region->redis, 0)->index, 2);
    assert_reply(2, "GET a4", 100, "$-1\r\n");
}

static void a_primary_that_slept_through_its_failover_says_ok_at_first(void **state)
{
    (void)state;
    ask(0, "PING");
    run_ms(100);
    sim_proc_pause(region->node[0], true);
    sim_cluster_wake(region->redis);
    run_ms(200);
    ask(0, "SET a4 lost");
    run_ms(6000);
    unsigned primary = sim_redis_primary(region->redis, 0)->index;
    assert_int_not_equal(primary, 0);
    sim_proc_pause(region->node[0], false);
    run_ms(5000);
    assert_string_equal(all->reply[0], "+OK\r\n");
    assert_reply(primary, "GET a4", 100, "$-1\r\n");
}

static void the_replica_with_more_data_is_elected(void **state)
{
    (void)state;
    cut_from(0, 2, 2, true);
    cut_from(1, 2, 2, true);
    assert_reply(0, "SET a4 kept", 100, "+OK\r\n");
    assert_reply(0, "WAIT 1 500", 100, ":1\r\n");
    cut_from(0, 2, 2, false);
    cut_from(1, 2, 2, false);
    sim_proc_kill(region->node[0], true);
    sim_cluster_wake(region->redis);
    run_ms(6000);
    unsigned primary = sim_redis_primary(region->redis, 0)->index;
    assert_int_not_equal(primary, 0);
    assert_reply(primary, "GET a4", 100, "$4\r\nkept\r\n");
}

static void a_node_that_was_killed_keeps_its_file(void **state)
{
    (void)state;
    assert_reply(0, "SET a4 kept", 100, "+OK\r\n");
    sim_proc_kill(region->node[0], false);
    sim_cluster_wake(region->redis);
    run_ms(500);
    sim_region_start(region->node[0]);
    sim_cluster_restarted(&region->redis->node[0]);
    run_ms(6000);
    assert_true(sim_cluster_well(region->redis));
    assert_int_equal(sim_redis_primary(region->redis, 0)->index, 0);
    assert_reply(0, "GET a4", 100, "$4\r\nkept\r\n");
    assert_reply(0, "WAIT 2 500", 100, ":2\r\n");
}

static void a_lone_primary_takes_no_writes(void **state)
{
    (void)state;
    sim_proc_kill(region->node[1], false);
    sim_proc_kill(region->node[2], false);
    sim_cluster_wake(region->redis);
    run_ms(3000);
    assert_reply(0, "SET a4 x", 100, "-NOREPLICAS Not enough good replicas to write.\r\n");
    assert_reply(0, "GET a4", 100, "$-1\r\n");
}

static void answer(unsigned node, const char *command)
{
    ask(node, command);
    for (unsigned i = 0; i < 1000 && all->reply[node][0] == 0; i++)
        run_ms(1);
}

static void a_slot_on_its_way_asks_and_belongs_elsewhere_in_the_end(void **state)
{
    char asked[64], moved[64];
    (void)state;
    for (unsigned i = 0; i < SIM_NODES; i += SIM_COPIES)
        ask(i, "PING"); /* connected, so that questions are quick */
    assert_reply(0, "SET a4 x", 100, "+OK\r\n");
    assert_true(sim_slots_move(region->redis, key));
    while (sim_keys_find(&region->redis->node[0].keys, key))
        run_ms(1);
    answer(0, "GET a4");
    assert_int_equal(sscanf(all->reply[0], "-ASK %63[^\r]", asked), 1);
    unsigned target = (unsigned)atoi(strstr(asked, "redis") + 5);
    answer(target, "GET a4"); /* without ASKING */
    assert_memory_equal(all->reply[target], "-MOVED ", 7);
    answer(target, "ASKING");
    answer(target, "GET a4");
    assert_string_equal(all->reply[target], "$1\r\nx\r\n");
    run_ms(2000);
    assert_true(sim_cluster_well(region->redis));
    ask(1, "GET a4"); /* a replica knows it too */
    run_ms(10);
    sscanf(all->reply[1], "-MOVED %63[^\r]", moved);
    assert_string_equal(moved, asked);
    assert_reply(target, "GET a4", 100, "$1\r\nx\r\n");
    assert_int_equal(sim_redis_shard(region->redis, key), target / SIM_COPIES);
}

static void a_manual_failover_keeps_what_was_said(void **state)
{
    (void)state;
    assert_reply(0, "SET a4 x", 100, "+OK\r\n");
    assert_true(sim_cluster_failover(region->redis, 0));
    ask(0, "SET a4 y"); /* waits at the primary, which sends it away in the end */
    run_ms(1000);
    assert_memory_equal(all->reply[0], "-MOVED ", 7);
    run_ms(3000);
    unsigned primary = sim_redis_primary(region->redis, 0)->index;
    assert_int_not_equal(primary, 0);
    assert_true(sim_cluster_well(region->redis));
    assert_reply(primary, "GET a4", 100, "$1\r\nx\r\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(wait_counts_the_replicas_that_have_a_write),
        T(wait_after_a_read_waits_for_everything_before_it),
        T(a_primary_cut_off_says_ok_and_forgets),
        T(a_waiting_client_is_told_when_its_primary_is_none_any_more),
        T(a_primary_with_one_replica_on_its_side_confirms_one),
        T(a_primary_that_slept_through_its_failover_says_ok_at_first),
        T(the_replica_with_more_data_is_elected),
        T(a_node_that_was_killed_keeps_its_file),
        T(a_lone_primary_takes_no_writes),
        T(a_slot_on_its_way_asks_and_belongs_elsewhere_in_the_end),
        T(a_manual_failover_keeps_what_was_said),
    };
    sim_lua_init(SIM_LIBRARY);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
