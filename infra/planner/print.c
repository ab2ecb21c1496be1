/* SPDX-License-Identifier: Apache-2.0
 * print.c - see print.h. What falls short is told in words below the table: a plan that nobody may follow blindly. */
#include "infra/planner/print.h"

#include <inttypes.h>

/* R2's figures for ten million. */
#define REFERENCE_USD 0.007
enum { REFERENCE_SERVERS_LOW = 200, REFERENCE_SERVERS_HIGH = 300, REFERENCE_PLAYERS = 10000000 };

static uint64_t servers_of(const struct plan_region *g)
{
    return g->hosts_full + g->redis_hosts + 2;
}
static uint64_t all_servers(const struct plan_result *r)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < r->count; i++)
        n += servers_of(&r->region[i]);
    return n;
}

/* ---- the table -------------------------------------------------------------------------------------------------------------------------
 */

enum cell { COUNT, NUMBER, PERCENT, USD };
struct line {
    const char *name;
    enum cell cell;
    double (*of)(const struct plan_region *g);
};
#define OF(name, value) \
    static double name(const struct plan_region *g) \
    { \
        return (double)(value); \
    }
OF(of_players, g->players)
OF(of_capacity, g->capacity)
OF(of_full, g->hosts_full)
OF(of_now, g->hosts_now)
OF(of_edges, g->edges)
OF(of_memory, g->memory_gib)
OF(of_moves, g->moves_second)
OF(of_calls, g->calls_second)
OF(of_group, g->group_moves)
OF(of_us, g->redis_us_move)
OF(of_shards, g->shards)
OF(of_redis_hosts, g->redis_hosts)
OF(of_busy, g->shard_busy_percent)
OF(of_shard_memory, g->shard_memory_mib)
OF(of_connections, g->primary_connections)
OF(of_tickets, g->tickets_second)
OF(of_router, g->router_busy_percent)
OF(of_lost, g->lost_load_percent)
OF(of_connects, g->lost_connects_core_second)
OF(of_connects_busy, g->lost_connects_busy_percent)
OF(of_egress, g->egress_gb / 1000)
OF(of_interzone, g->interzone_gb / 1000)
OF(of_usd_edges, g->usd.edges)
OF(of_usd_redis, g->usd.redis)
OF(of_usd_rest, g->usd.routers + g->usd.balancer)
OF(of_usd_egress, g->usd.egress)
OF(of_usd_interzone, g->usd.interzone)
OF(of_usd_user, plan_cost_hosts(&g->usd) / (double)g->players)
OF(of_usd_user_all, (plan_cost_hosts(&g->usd) + plan_cost_traffic(&g->usd)) / (double)g->players)

static const struct line lines[] = {
    {"players", COUNT, of_players},
    {"capacity, players", COUNT, of_capacity},
    {"edge hosts, region full", COUNT, of_full},
    {"edge hosts, as many players", COUNT, of_now},
    {"edges (cores), region full", COUNT, of_edges},
    {"memory of connections, GiB", COUNT, of_memory},
    {"moves a second, region full", COUNT, of_moves},
    {"Redis calls a second", COUNT, of_calls},
    {"moves that share a WAIT", NUMBER, of_group},
    {"Redis primaries, us a move", COUNT, of_us},
    {"Redis shards", COUNT, of_shards},
    {"Redis hosts", COUNT, of_redis_hosts},
    {"a primary is busy", PERCENT, of_busy},
    {"a primary's memory, MiB", COUNT, of_shard_memory},
    {"connections to a primary", COUNT, of_connections},
    {"tickets a second", COUNT, of_tickets},
    {"the leading router is busy", PERCENT, of_router},
    {"another region lost: load", PERCENT, of_lost},
    {"... connects a core and second", NUMBER, of_connects},
    {"... of the core", PERCENT, of_connects_busy},
    {"to players, TB a month", NUMBER, of_egress},
    {"between zones, TB a month", NUMBER, of_interzone},
    {"edge hosts, USD a month", USD, of_usd_edges},
    {"Redis, USD a month", USD, of_usd_redis},
    {"routers, balancer, USD", USD, of_usd_rest},
    {"to players, USD", USD, of_usd_egress},
    {"between zones, USD", USD, of_usd_interzone},
    {"USD a player, no traffic", NUMBER, of_usd_user},
    {"USD a player, with traffic", NUMBER, of_usd_user_all},
};

static void print_cell(const struct line *l, const struct plan_region *g, FILE *out)
{
    double v = l->of(g);
    if (l->cell == NUMBER)
        fprintf(out, " %12.*f", v < 1 ? 4 : 2, v);
    else
        fprintf(out, " %12.0f%s", v, l->cell == PERCENT ? "%" : "");
}

/* What somebody must decide, or what the kit cannot do at this size. */
static void print_remarks(const struct plan_result *r, const struct plan_inputs *in, FILE *out)
{
    const struct plan_region *t = &r->total;
    const struct plan_wish *w = &in->wish;
    double memory =
        t->shard_memory_mib * 2 * w->redis_shards_per_group / 1024; /* of a host: primaries and replicas, and as much for rewriting */
    if (t->lost_load_percent > 100)
        fprintf(out, "! The loss of a region fills another one to %.0f %%: players are refused.\n", t->lost_load_percent);
    if (t->router_busy_percent > 60)
        fprintf(out,
                "! The leading router of a region is %.0f %% busy with tickets, and it is one process: more regions, or longer games.\n",
                t->router_busy_percent);
    if (t->lost_connects_busy_percent > 50)
        fprintf(out, "! When a region is lost, connects take %.0f %% of a core elsewhere: they are refused and spread by admission.\n",
                t->lost_connects_busy_percent);
    if (t->primary_connections * 10 > w->maxclients * 8ull)
        fprintf(out, "! %" PRIu64 " connections to each primary, and maxclients is %u: raise it.\n", t->primary_connections, w->maxclients);
    if (memory > w->redis_host_memory_gib)
        fprintf(out, "! A Redis host needs %.0f GiB and has %u.\n", memory, w->redis_host_memory_gib);
    if (r->limit == PLAN_BY_HELD)
        fprintf(out, "  CPU would carry %.0f connections a core and memory %.0f; nobody has measured more than %u on one edge.\n",
                r->cpu_connections_core, r->memory_connections_core, r->connections_core);
}

void plan_print_table(const struct plan_result *r, const struct plan_inputs *in, FILE *out)
{
    fprintf(out, "%u connections a host (%u a core, bounded by %s, over %.1f); capacity %.2f times the players, for %s\n\n",
            r->connections_host, r->connections_core, plan_limit_names[r->limit], in->wish.safety_percent / 100.0, r->capacity_factor,
            r->by_loss ? "the loss of the largest region" : "the peak (R2)");
    fprintf(out, "%-30s", "");
    for (uint32_t i = 0; i < r->count; i++)
        fprintf(out, " %12s", r->region[i].name);
    fprintf(out, " %12s\n", "all");
    for (size_t k = 0; k < MER_COUNT(lines); k++) {
        fprintf(out, "%-30s", lines[k].name);
        for (uint32_t i = 0; i < r->count; i++)
            print_cell(&lines[k], &r->region[i], out);
        print_cell(&lines[k], &r->total, out);
        fputc('\n', out);
    }
    double hosts = plan_cost_hosts(&r->total.usd) / (double)r->total.players,
           traffic = plan_cost_traffic(&r->total.usd) / (double)r->total.players;
    fprintf(out, "\n%" PRIu64 " servers, %" PRIu64 " of them with edges; %.0f USD a month: %.4f a player without traffic, %.4f with it.\n",
            all_servers(r), r->total.hosts_full, plan_cost_hosts(&r->total.usd) + plan_cost_traffic(&r->total.usd), hosts, hosts + traffic);
    fprintf(out, "Reference for %d million players: %d to %d servers, %.3f USD a player; here %.1f times that without traffic.\n",
            REFERENCE_PLAYERS / 1000000, REFERENCE_SERVERS_LOW, REFERENCE_SERVERS_HIGH, REFERENCE_USD, hosts / REFERENCE_USD);
    print_remarks(r, in, out);
}

/* ---- for machines ----------------------------------------------------------------------------------------------------------------------
 */

static void json_region(const struct plan_region *g, const char *end, FILE *out)
{
    fprintf(out,
            "    {\"name\": \"%s\", \"sharePercent\": %u, \"players\": %" PRIu64 ", \"capacity\": %" PRIu64 ",\n"
            "     \"hostsFull\": %" PRIu64 ", \"hostsNow\": %" PRIu64 ", \"hostsMost\": %" PRIu64 ", \"edges\": %" PRIu64
            ", \"memoryGib\": %.1f,\n",
            g->name, g->share_percent, g->players, g->capacity, g->hosts_full, g->hosts_now, g->hosts_most, g->edges, g->memory_gib);
    fprintf(out,
            "     \"movesSecond\": %.1f, \"callsSecond\": %.1f, \"groupMoves\": %.3f, \"redisUsMove\": %.1f, \"shards\": %" PRIu64
            ", \"redisGroups\": %" PRIu64 ", \"redisHosts\": %" PRIu64 ",\n"
            "     \"shardBusyPercent\": %.1f, \"shardMemoryMib\": %.1f, \"primaryConnections\": %" PRIu64
            ", \"ticketsSecond\": %.1f, \"routerBusyPercent\": %.1f,\n",
            g->moves_second, g->calls_second, g->group_moves, g->redis_us_move, g->shards, g->redis_groups, g->redis_hosts,
            g->shard_busy_percent, g->shard_memory_mib, g->primary_connections, g->tickets_second, g->router_busy_percent);
    fprintf(out,
            "     \"lostLoadPercent\": %.1f, \"lostConnectsCoreSecond\": %.2f, \"lostConnectsBusyPercent\": %.2f, \"egressGb\": %.0f, "
            "\"interzoneGb\": %.0f,\n"
            "     \"usd\": {\"edges\": %.2f, \"routers\": %.2f, \"redis\": %.2f, \"balancer\": %.2f, \"egress\": %.2f, \"interzone\": "
            "%.2f}}%s\n",
            g->lost_load_percent, g->lost_connects_core_second, g->lost_connects_busy_percent, g->egress_gb, g->interzone_gb, g->usd.edges,
            g->usd.routers, g->usd.redis, g->usd.balancer, g->usd.egress, g->usd.interzone, end);
}

void plan_print_json(const struct plan_result *r, const struct plan_inputs *in, FILE *out)
{
    double players = (double)r->total.players;
    fprintf(out,
            "{\"players\": %" PRIu64 ", \"connectionsCore\": %u, \"connectionsHost\": %u, \"limit\": \"%s\", \"capacityFactor\": %.4f,\n"
            " \"servers\": %" PRIu64 ", \"usdPlayerWithoutTraffic\": %.6f, \"usdPlayer\": %.6f,\n \"regions\": [\n",
            in->wish.players, r->connections_core, r->connections_host, plan_limit_names[r->limit], r->capacity_factor, all_servers(r),
            plan_cost_hosts(&r->total.usd) / players, (plan_cost_hosts(&r->total.usd) + plan_cost_traffic(&r->total.usd)) / players);
    for (uint32_t i = 0; i < r->count; i++)
        json_region(&r->region[i], i + 1 < r->count ? "," : "", out);
    fprintf(out, " ],\n \"total\":\n");
    json_region(&r->total, "}", out);
}

/* ---- for Terraform ---------------------------------------------------------------------------------------------------------------------
 */

/* What AWS calls a host of so many cores, in the families that prices.yaml prices. */
static const char *size_of(uint32_t cores)
{
    static const struct {
        uint32_t cores;
        const char *name;
    } sizes[] = {{2, "large"}, {4, "xlarge"}, {8, "2xlarge"}, {16, "4xlarge"}, {32, "8xlarge"}, {48, "12xlarge"}};
    for (size_t i = 0; i < MER_COUNT(sizes); i++)
        if (sizes[i].cores == cores)
            return sizes[i].name;
    return "NAME-THE-SIZE";
}

void plan_print_terraform(const struct plan_result *r, const struct plan_inputs *in, FILE *out)
{
    const struct plan_wish *w = &in->wish;
    double mib = r->total.shard_memory_mib * 2;
    const char *edge = size_of(w->host_cores), *redis = size_of(w->redis_host_cores);
    fprintf(out, "# For terraform/live/<env>/environment.yaml, from meridian-plan for %" PRIu64 " players.\n", w->players);
    fprintf(out, "edge_instance_type: c7i.%s\n", edge);
    fprintf(out, "connections_per_core: %u\nsafety_factor: %g\nedge_host_cores: %u\nquiet_share: %g\nplaying_share: %g\n",
            r->connections_core, w->safety_percent / 100.0, w->host_cores, w->quiet_percent / 100.0, w->playing_percent / 100.0);
    fprintf(out, "seconds_between_moves: %u\nmoves_per_shard_second: %.0f\nredis_shards_per_group: %u\n", w->seconds_between_moves,
            1e6 / r->total.redis_us_move, w->redis_shards_per_group);
    fprintf(out, "redis_own: {instance_type: r7i.%s, memory_mib: %.0f, volume_gib: %u} # memory: twice what a primary holds\n", redis,
            mib < 512 ? 512 : mib, w->redis_volume_gib);
    fprintf(out, "\n# For geo/footprint.yaml:\n");
    for (uint32_t i = 0; i < r->count; i++)
        fprintf(out, "#   %-10s capacity_players: %" PRIu64 "\n", r->region[i].name, r->region[i].capacity);
}

/* ---- where it comes from ---------------------------------------------------------------------------------------------------------------
 */

static void print_rows(const struct plan_row *rows, const struct plan_origin *origin, size_t count, const void *values, FILE *out)
{
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%-30s %12g %-12s %s  %s\n", rows[i].name, *(const double *)((const char *)values + rows[i].offset), rows[i].unit,
                origin[i].date, origin[i].source);
}

void plan_print_inputs(const struct plan_inputs *in, FILE *out)
{
    fprintf(out, "measured\n");
    print_rows(plan_measured_rows, in->measured_origin, PLAN_MEASURED_ROWS, &in->measured, out);
    fprintf(out, "\nprices\n");
    print_rows(in->price_row, in->price_origin, in->price_count, &in->prices, out);
}
