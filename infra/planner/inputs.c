/* SPDX-License-Identifier: Apache-2.0
 * inputs.c - see inputs.h. Prices that differ by place are rows named by the cloud region of the footprint: "hosts_percent eu-central-1".
 */
#include "infra/planner/inputs.h"

#include <stdio.h>
#include <string.h>

#define U32(f, lo, hi, d, h) MER_CONF_ROW_U32(struct plan_wish, f, lo, hi, d, h)

/* clang-format off */
const struct mer_conf_item plan_wish_items[] = {
    MER_CONF_ROW_U64(struct plan_wish, players, 1, 100000000, NULL, "concurrent players over all regions (R2)"),
    U32(peak_percent, 100, 1000, "150", "what a region must hold, of its players (R2: 1.5)"),
    U32(safety_percent, 100, 1000, "200", "measured connections are divided by this (R2: 2)"),
    U32(playing_percent, 1, 100, "30", "players who are in a game; no special reason"),
    U32(seconds_between_moves, 1, 3600, "10", "of one player in a game; no special reason"),
    U32(reconnect_seconds, 1, 600, "30", "players of a lost region come within so long (R15)"),
    U32(quiet_percent, 1, 100, "25", "hosts that always run, of those of a full region"),
    U32(average_percent, 1, 100, "100", "players over the month, of `players`; for traffic"),
    U32(host_cores, 1, 192, "16", "of an edge host; an edge for each (R1)"),
    U32(host_memory_gib, 1, 4096, "32", "of an edge host (R1)"),
    U32(redis_host_cores, 1, 192, "8", "of a Redis host"),
    U32(redis_host_memory_gib, 1, 4096, "64", "of a Redis host"),
    U32(redis_shards_per_group, 3, 96, "6", "Redis processes on each of the three hosts of a group; a multiple of 3"),
    U32(redis_volume_gib, 1, 65536, "200", "disk of a Redis host, for the append-only files"),
    U32(maxclients, 100, 1000000, "10000", "connections that a Redis process takes"),
};
/* clang-format on */
const size_t plan_wish_item_count = MER_COUNT(plan_wish_items);

#define ROW(f, unit, lo, hi) \
    { \
#f, unit, offsetof(struct plan_measured, f), lo, hi \
    }
const struct plan_row plan_measured_rows[PLAN_MEASURED_ROWS] = {
    ROW(connections_held, "connections", 1, 1e7),
    ROW(edge_us_move, "us", 1, 1e6),
    ROW(edge_us_idle, "us", 0, 1e6),
    ROW(handshake_us, "us", 1, 1e6),
    ROW(connection_bytes, "bytes", 100, 1e7),
    ROW(kernel_bytes, "bytes", 0, 1e7),
    ROW(redis_us_move_sparse, "us", 1, 1e6),
    ROW(redis_us_move_grouped, "us", 1, 1e6),
    ROW(redis_group_moves, "moves", 1, 1e4),
    ROW(redis_batch_ms, "ms", 0.01, 1e3),
    ROW(redis_calls_move, "calls", 0.1, 100),
    ROW(redis_bytes_move, "bytes", 1, 1e6),
    ROW(redis_bytes_replicas, "bytes", 0, 1e6),
    ROW(redis_bytes_player, "bytes", 1, 1e6),
    ROW(redis_bytes_game, "bytes", 1, 1e7),
    ROW(redis_ended_seconds, "s", 0, 1e6),
    ROW(redis_connections_edge, "connections", 1, 100),
    ROW(router_us_ticket, "us", 0.01, 1e6),
    ROW(moves_game, "moves", 1, 1e5),
    ROW(out_bytes_move, "bytes", 1, 1e6),
    ROW(out_bytes_idle, "bytes/s", 0, 1e6),
};
#undef ROW

#define PRICE(f, unit) \
    { \
#f, unit, offsetof(struct plan_prices, f), 0, 1e4 \
    }
#define TIER(name, f, i, unit) \
    { \
        name, unit, offsetof(struct plan_prices, f) + (i) * sizeof(double), 0, 1e6 \
    }
static const struct plan_row prices[PLAN_PRICE_ROWS] = {
    PRICE(edge_core_hour, "USD/h"),
    PRICE(router_host_hour, "USD/h"),
    PRICE(redis_core_hour, "USD/h"),
    PRICE(volume_gib_month, "USD/GiB"),
    PRICE(balancer_hour, "USD/h"),
    PRICE(balancer_unit_hour, "USD/h"),
    PRICE(address_hour, "USD/h"),
    PRICE(interzone_gb, "USD/GB"),
    TIER("egress_tier_2_tb", egress_tier_tb, 0, "TB"),
    TIER("egress_tier_3_tb", egress_tier_tb, 1, "TB"),
    TIER("egress_tier_4_tb", egress_tier_tb, 2, "TB"),
};
#undef PRICE
#undef TIER

/* Six rows for each cloud region of the footprint. Regions of one cloud region (a test's) share them. */
static void price_rows(struct plan_inputs *in)
{
#define BY_REGION(f) offsetof(struct plan_prices, f)
    static const struct {
        const char *name, *unit;
        size_t offset;
    } kinds[PLAN_REGION_PRICES] = {{"hosts_percent", "%", BY_REGION(hosts_percent)},   {"redis_percent", "%", BY_REGION(redis_percent)},
                                   {"egress_gb_1", "USD/GB", BY_REGION(egress_gb[0])}, {"egress_gb_2", "USD/GB", BY_REGION(egress_gb[1])},
                                   {"egress_gb_3", "USD/GB", BY_REGION(egress_gb[2])}, {"egress_gb_4", "USD/GB", BY_REGION(egress_gb[3])}};
#undef BY_REGION
    memcpy(in->price_row, prices, sizeof prices);
    in->price_count = PLAN_PRICE_ROWS;
    for (uint32_t i = 0; i < in->footprint.count; i++)
        for (size_t k = 0; k < PLAN_REGION_PRICES; k++) {
            char *name = in->price_name[in->price_count - PLAN_PRICE_ROWS];
            bool percent = kinds[k].unit[0] == '%';
            snprintf(name, sizeof in->price_name[0], "%s %.60s", kinds[k].name, in->footprint.region[i].cloud_region);
            in->price_row[in->price_count++] =
                (struct plan_row){name, kinds[k].unit, kinds[k].offset + i * sizeof(double), percent ? 1 : 0, percent ? 1000 : 1e4};
        }
}

static void validate(const struct plan_inputs *in, struct mer_buf *errors)
{
    const struct plan_wish *w = &in->wish;
    const struct plan_measured *m = &in->measured;
    const double *tier = in->prices.egress_tier_tb;
    enum mer_err err = MER_OK;
    if (w->redis_shards_per_group % PLAN_ZONES != 0)
        err = mer_buf_appends(errors, "redis_shards_per_group: a multiple of 3\n");
    if (err == MER_OK && w->redis_shards_per_group >= w->redis_host_cores)
        err = mer_buf_appends(errors, "redis_shards_per_group: fewer than redis_host_cores, the host needs one itself\n");
    if (err == MER_OK && m->redis_us_move_grouped > m->redis_us_move_sparse)
        err = mer_buf_appends(errors, "redis_us_move_grouped: at most redis_us_move_sparse\n");
    if (err == MER_OK && (tier[0] > tier[1] || tier[1] > tier[2]))
        err = mer_buf_appends(errors, "egress_tier_2_tb, egress_tier_3_tb, egress_tier_4_tb: in rising order\n");
    (void)err; /* out of memory: a reason is missing, that there is one is not */
}

enum mer_err plan_inputs_load(struct plan_inputs *in, const struct plan_files *files, const struct mer_strs *sets, struct mer_buf *errors)
{
    size_t before = errors->len;
    memset(in, 0, sizeof *in);
    enum mer_err wish = mer_conf_load(plan_wish_items, plan_wish_item_count, &in->wish, files->wish, sets, errors);
    enum mer_err footprint = geo_footprint_load(&in->footprint, files->footprint, errors);
    price_rows(in);
    enum mer_err measured =
        plan_rows_load(plan_measured_rows, PLAN_MEASURED_ROWS, &in->measured, in->measured_origin, files->measured, errors);
    enum mer_err priced = plan_rows_load(in->price_row, in->price_count, &in->prices, in->price_origin, files->prices, errors);
    bool good = wish == MER_OK && footprint == MER_OK && measured == MER_OK && priced == MER_OK;
    if (good)
        validate(in, errors);
    if (good && errors->len == before)
        return MER_OK;
    plan_inputs_deinit(in);
    return MER_EINVALID;
}

void plan_inputs_deinit(struct plan_inputs *in)
{
    mer_conf_free(plan_wish_items, plan_wish_item_count, &in->wish);
    geo_footprint_deinit(&in->footprint);
}
