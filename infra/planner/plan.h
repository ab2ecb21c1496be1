/* SPDX-License-Identifier: Apache-2.0
 * plan.h - R2's arithmetic: from players, shares and measured figures to hosts, shards, traffic and cost, per region. Pure: numbers in,
 * numbers out. The figures come from measured.yaml and prices.yaml (rows.h), each with its source; the regions from geo/footprint.yaml. */
#pragma once

#include <meridian/base.h>

#include "geo/footprint.h"

enum {
    PLAN_ZONES = 3,
    PLAN_HOURS = 730,               /* of a month, as clouds reckon */
    PLAN_FULL_PERCENT = 80,         /* R33: from here on a fleet grows */
    PLAN_SHARD_PERCENT = 60,        /* how busy a Redis primary may be: terraform/modules/sizing */
    PLAN_MEMORY_PERCENT = 70,       /* R36's target */
    PLAN_HOST_CONNECTIONS = 600000, /* R36 */
    PLAN_TIERS = 4,
};

/* What somebody wants to run. */
struct plan_wish {
    uint64_t players; /* concurrent, over all regions */
    uint32_t peak_percent, safety_percent, playing_percent, seconds_between_moves, reconnect_seconds, quiet_percent, average_percent;
    uint32_t host_cores, host_memory_gib, redis_host_cores, redis_host_memory_gib, redis_shards_per_group, redis_volume_gib, maxclients;
};

/* What was measured (measured.yaml; the rows say unit and source). */
struct plan_measured {
    double connections_held;       /* connections one edge held in a measurement */
    double edge_us_move;           /* CPU of the edges, a move */
    double edge_us_idle;           /* CPU of an edge, a second of a player who is only there */
    double handshake_us;           /* CPU of an edge, a player who connects over TLS and authenticates */
    double connection_bytes;       /* memory of an edge, a connection with TLS and its session */
    double kernel_bytes;           /* memory of the kernel, a connection */
    double redis_us_move_sparse;   /* CPU of the primaries, a move alone in its batch */
    double redis_us_move_grouped;  /* ... one of redis_group_moves in a batch */
    double redis_group_moves;      /* moves a batch in that measurement */
    double redis_batch_ms;         /* how long a batch is on its way: what comes meanwhile is the next one */
    double redis_calls_move;       /* calls a move */
    double redis_bytes_move;       /* between edges and primaries, both ways, a move */
    double redis_bytes_replicas;   /* from the primaries to both replicas, a move */
    double redis_bytes_player;     /* memory of a primary, a player who is connected */
    double redis_bytes_game;       /* memory of a primary, a game, live or ended */
    double redis_ended_seconds;    /* how long an ended game is kept */
    double redis_connections_edge; /* connections of one edge to one primary */
    double router_us_ticket;       /* CPU of the leading router, a ticket */
    double moves_game;             /* moves of a whole game */
    double out_bytes_move;         /* to players on the wire, a move */
    double out_bytes_idle;         /* to a player on the wire, a second of being there */
};

/* USD (prices.yaml). */
struct plan_prices {
    double edge_core_hour, router_host_hour, redis_core_hour, volume_gib_month, balancer_hour, balancer_unit_hour, address_hour;
    double interzone_gb;                   /* both directions together */
    double egress_tier_tb[PLAN_TIERS - 1]; /* a month, from where the next price holds */
    /* By region. Percents are against the place that the prices above are of. */
    double hosts_percent[GEO_REGIONS_MAX]; /* edges', routers' and balancers' */
    double redis_percent[GEO_REGIONS_MAX]; /* Redis hosts': another family of machines */
    double egress_gb[PLAN_TIERS][GEO_REGIONS_MAX];
};

/* Which of the three bounds connections a core. */
enum plan_limit { PLAN_BY_HELD, PLAN_BY_CPU, PLAN_BY_MEMORY };
extern const char *const plan_limit_names[];

struct plan_cost {
    double edges, routers, redis, balancer, egress, interzone;
};

struct plan_region {
    const char *name;
    uint32_t share_percent;
    uint64_t players, capacity;
    /* edges */
    uint64_t hosts_full, hosts_now, hosts_most; /* at capacity; for `players`; with room for another region's and one being replaced */
    uint64_t edges;                             /* processes of hosts_full */
    double memory_gib;                          /* of connections, at capacity */
    /* store; at capacity */
    double moves_second, calls_second, group_moves, redis_us_move;
    uint64_t shards, redis_groups, redis_hosts;
    double shard_busy_percent, shard_memory_mib;
    uint64_t primary_connections;
    /* router */
    double tickets_second, router_busy_percent;
    /* when another region is lost */
    double lost_load_percent; /* players of the worst loss, of capacity */
    double lost_connects_core_second, lost_connects_busy_percent;
    /* a month */
    double egress_gb, interzone_gb;
    struct plan_cost usd;
};

struct plan_result {
    uint32_t connections_core; /* before the safety factor: terraform's connections_per_core */
    uint32_t connections_host; /* after it */
    enum plan_limit limit;
    double cpu_connections_core, memory_connections_core;
    double capacity_factor; /* capacity over players: the peak factor, or what the loss of the largest region needs */
    bool by_loss;
    uint32_t count;
    struct plan_region region[GEO_REGIONS_MAX];
    struct plan_region total; /* sums; percentages are the worst region's */
};

/* All of it. The footprint is borrowed and outlives the result (names). MER_EINVALID when a region would need more than a host can have. */
MER_MUST_CHECK enum mer_err plan_make(struct plan_result *r, const struct plan_wish *w, const struct plan_measured *m,
                                      const struct plan_prices *p, const struct geo_footprint *f, struct mer_msg *msg);
double plan_cost_hosts(const struct plan_cost *c);   /* without traffic */
double plan_cost_traffic(const struct plan_cost *c); /* egress and between zones */
