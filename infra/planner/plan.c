/* SPDX-License-Identifier: Apache-2.0
 * plan.c - plan.h. The formulas for hosts and shards are those of terraform/modules/sizing, which gets the figures that come out here; a
 * test runs both.
 *
 * Capacity: a region is full at its players times the peak factor (R2), or times what makes the other regions hold everybody when the
 * largest is lost, whichever is more. A fleet that size is 80 % full, where R33 adds a host.
 *
 * Redis: a move costs its call and its part of a WAIT. How many moves share one is not chosen but happens: what an edge wants to tell one
 * primary while a batch is on its way is the next batch. Many edges and many shards mean that each move pays a WAIT of its own. */
#include "infra/planner/plan.h"

#include <math.h>
#include <string.h>

const char *const plan_limit_names[] = {"what one edge has held in a measurement", "CPU", "memory"};

static double at_least(double v, double least)
{
    return v > least ? v : least;
}

/* ---- a core, a host --------------------------------------------------------------------------------------------------------------------
 */

static double moves_player(const struct plan_wish *w)
{
    return w->playing_percent / 100.0 / w->seconds_between_moves;
}

static void size_host(struct plan_result *r, const struct plan_wish *w, const struct plan_measured *m)
{
    double us_player = moves_player(w) * m->edge_us_move + m->edge_us_idle, safety = w->safety_percent / 100.0;
    double room = w->host_memory_gib * 1073741824.0 * PLAN_MEMORY_PERCENT / 100;
    r->cpu_connections_core = 1e6 / us_player;
    r->memory_connections_core = room / (m->connection_bytes + m->kernel_bytes) / w->host_cores * safety; /* its margin is in the 70 % */
    double least = m->connections_held;
    r->limit = PLAN_BY_HELD;
    if (r->cpu_connections_core < least)
        least = r->cpu_connections_core, r->limit = PLAN_BY_CPU;
    if (r->memory_connections_core < least)
        least = r->memory_connections_core, r->limit = PLAN_BY_MEMORY;
    r->connections_core = (uint32_t)least;
    r->connections_host = (uint32_t)(r->connections_core * (double)w->host_cores / safety);
}

static uint64_t hosts_for(const struct plan_result *r, double players)
{
    return (uint64_t)at_least(ceil(players / (r->connections_host * (PLAN_FULL_PERCENT / 100.0))), PLAN_ZONES);
}

/* ---- the store -------------------------------------------------------------------------------------------------------------------------
 */

static double redis_us(const struct plan_measured *m, double group)
{
    double wait = 0;
    if (m->redis_group_moves > 1)
        wait = (m->redis_us_move_sparse - m->redis_us_move_grouped) / (1 - 1 / m->redis_group_moves);
    return m->redis_us_move_sparse - wait + wait / group;
}

static void size_store(struct plan_region *g, const struct plan_wish *w, const struct plan_measured *m)
{
    g->moves_second = (double)g->capacity * moves_player(w);
    g->calls_second = g->moves_second * m->redis_calls_move;
    g->shards = PLAN_ZONES;
    for (int round = 0; round < 8; round++) { /* more shards: smaller groups, dearer moves; settles at once */
        g->group_moves = at_least(g->moves_second / (double)(g->edges * g->shards) * m->redis_batch_ms / 1000, 1);
        g->redis_us_move = redis_us(m, g->group_moves);
        double wanted = ceil(g->moves_second * g->redis_us_move / 1e6 / (PLAN_SHARD_PERCENT / 100.0));
        g->redis_groups = (uint64_t)ceil(at_least(wanted, PLAN_ZONES) / w->redis_shards_per_group);
        g->shards = g->redis_groups * w->redis_shards_per_group;
    }
    g->redis_hosts = g->redis_groups * PLAN_ZONES;
    g->shard_busy_percent = g->moves_second * g->redis_us_move / 1e4 / (double)g->shards;
    double games = (double)g->capacity * w->playing_percent / 100 / 2 + g->moves_second / m->moves_game * m->redis_ended_seconds;
    g->shard_memory_mib = ((double)g->capacity * m->redis_bytes_player + games * m->redis_bytes_game) / (double)g->shards / 1048576;
    g->primary_connections = (uint64_t)((double)(g->hosts_most * w->host_cores) * m->redis_connections_edge);
    g->tickets_second = g->moves_second / m->moves_game * 2;
    g->router_busy_percent = g->tickets_second * m->router_us_ticket / 1e4;
}

/* ---- the loss of a region --------------------------------------------------------------------------------------------------------------
 */

/* Players of the lost region go where there is room: to the others by their capacity, within reconnect_seconds. */
static void lose(struct plan_result *r, const struct plan_wish *w, const struct plan_measured *m)
{
    for (uint32_t lost = 0; lost < r->count && r->count > 1; lost++) {
        double room = 0;
        for (uint32_t i = 0; i < r->count; i++)
            room += i == lost ? 0 : (double)r->region[i].capacity;
        for (uint32_t i = 0; i < r->count; i++) {
            struct plan_region *g = &r->region[i];
            if (i == lost)
                continue;
            double come = (double)r->region[lost].players * (double)g->capacity / room;
            double connects = come / w->reconnect_seconds / (double)(g->hosts_now * w->host_cores);
            g->lost_load_percent = at_least(((double)g->players + come) * 100 / (double)g->capacity, g->lost_load_percent);
            g->lost_connects_core_second = at_least(connects, g->lost_connects_core_second);
        }
    }
    for (uint32_t i = 0; i < r->count; i++)
        r->region[i].lost_connects_busy_percent = r->region[i].lost_connects_core_second * m->handshake_us / 1e4;
}

/* ---- money -----------------------------------------------------------------------------------------------------------------------------
 */

static double egress_usd(const struct plan_prices *p, uint32_t region, double gb)
{
    double usd = 0, from = 0;
    for (int i = 0; i < PLAN_TIERS; i++) {
        double to = i < PLAN_TIERS - 1 ? p->egress_tier_tb[i] * 1024 : INFINITY;
        if (gb > from)
            usd += ((gb < to ? gb : to) - from) * p->egress_gb[i][region];
        from = to;
    }
    return usd;
}

/* Hosts as many as a full region has (R2); traffic of the players there are, over the month's average. */
static void price(struct plan_region *g, uint32_t i, const struct plan_wish *w, const struct plan_measured *m, const struct plan_prices *p)
{
    double factor = p->hosts_percent[i] / 100, redis_factor = p->redis_percent[i] / 100;
    double average = (double)g->players * w->average_percent / 100, seconds = PLAN_HOURS * 3600.0;
    double moves = average * moves_player(w);
    double out = moves * m->out_bytes_move + average * m->out_bytes_idle; /* a second */
    g->egress_gb = out * seconds / 1e9;
    /* A primary is in the edge's zone once in three; its replicas never are in its own. */
    g->interzone_gb = moves * (m->redis_bytes_move * (PLAN_ZONES - 1) / PLAN_ZONES + m->redis_bytes_replicas) * seconds / 1e9;
    double units = at_least(out * 3600 / 1e9, average / 100000);
    g->usd.edges = (double)(g->hosts_full * w->host_cores) * p->edge_core_hour * PLAN_HOURS * factor;
    g->usd.routers = 2 * p->router_host_hour * PLAN_HOURS * factor;
    g->usd.redis = (double)g->redis_hosts *
                   (w->redis_host_cores * p->redis_core_hour * PLAN_HOURS * redis_factor + w->redis_volume_gib * p->volume_gib_month);
    g->usd.balancer = (p->balancer_hour + units * p->balancer_unit_hour + PLAN_ZONES * p->address_hour) * PLAN_HOURS * factor;
    g->usd.egress = egress_usd(p, i, g->egress_gb);
    g->usd.interzone = g->interzone_gb * p->interzone_gb;
}

double plan_cost_hosts(const struct plan_cost *c)
{
    return c->edges + c->routers + c->redis + c->balancer;
}

double plan_cost_traffic(const struct plan_cost *c)
{
    return c->egress + c->interzone;
}

/* ---- all of it -------------------------------------------------------------------------------------------------------------------------
 */

static void add_up(struct plan_result *r)
{
    struct plan_region *t = &r->total;
    t->name = "all";
    for (uint32_t i = 0; i < r->count; i++) {
        const struct plan_region *g = &r->region[i];
        t->share_percent += g->share_percent;
#define SUM(f) t->f += g->f
        SUM(players), SUM(capacity), SUM(hosts_full), SUM(hosts_now), SUM(hosts_most), SUM(edges), SUM(memory_gib), SUM(moves_second);
        SUM(calls_second), SUM(shards), SUM(redis_groups), SUM(redis_hosts), SUM(tickets_second), SUM(egress_gb), SUM(interzone_gb);
        SUM(usd.edges), SUM(usd.routers), SUM(usd.redis), SUM(usd.balancer), SUM(usd.egress), SUM(usd.interzone);
#undef SUM
#define WORST(f) t->f = g->f > t->f ? g->f : t->f
        WORST(redis_us_move), WORST(shard_busy_percent), WORST(shard_memory_mib), WORST(primary_connections), WORST(group_moves);
        WORST(router_busy_percent), WORST(lost_load_percent), WORST(lost_connects_core_second), WORST(lost_connects_busy_percent);
#undef WORST
    }
}

static void factor_of(struct plan_result *r, const struct plan_wish *w, const struct geo_footprint *f)
{
    uint32_t largest = 0;
    for (uint32_t i = 0; i < f->count; i++)
        largest = f->region[i].share_percent > largest ? f->region[i].share_percent : largest;
    double loss = largest < 100 ? 100.0 / (100 - largest) : 1;
    r->capacity_factor = w->peak_percent / 100.0;
    r->by_loss = loss > r->capacity_factor;
    if (r->by_loss)
        r->capacity_factor = loss;
}

enum mer_err plan_make(struct plan_result *r, const struct plan_wish *w, const struct plan_measured *m, const struct plan_prices *p,
                       const struct geo_footprint *f, struct mer_msg *msg)
{
    memset(r, 0, sizeof *r);
    r->count = f->count;
    factor_of(r, w, f);
    size_host(r, w, m);
    if (r->connections_host == 0 || r->connections_host > PLAN_HOST_CONNECTIONS) {
        mer_msgf(msg, "a host would carry %u connections: 1 to %d (R36); choose other host_cores", r->connections_host,
                 PLAN_HOST_CONNECTIONS);
        return MER_EINVALID;
    }
    for (uint32_t i = 0; i < f->count; i++) {
        struct plan_region *g = &r->region[i];
        g->name = f->region[i].name;
        g->share_percent = f->region[i].share_percent;
        g->players = (w->players * g->share_percent + 99) / 100;
        g->capacity = (uint64_t)ceil((double)g->players * r->capacity_factor - 1e-6);
        g->hosts_full = hosts_for(r, (double)g->capacity);
        g->hosts_now = hosts_for(r, (double)g->players);
        g->hosts_most = (g->hosts_full * 12 + 9) / 10 + 1;
        g->edges = g->hosts_full * w->host_cores;
        g->memory_gib = (double)g->capacity * (m->connection_bytes + m->kernel_bytes) / 1073741824;
        size_store(g, w, m);
        price(g, i, w, m, p);
    }
    lose(r, w, m);
    add_up(r);
    return MER_OK;
}
