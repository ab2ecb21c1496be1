/* SPDX-License-Identifier: Apache-2.0
 * sim_faults.c - see sim_faults.h. Each fault is a row: how often it is drawn, what it does, and how its end undoes it. */
#include "tests/sim/sim_faults.h"

#include <string.h>

#include <meridian/mem.h>

#include "tests/sim/sim_faults_private.h"
#include "tests/sim/sim_player.h"
#include "tests/sim/sim_redis.h"

enum { FIRST_MS = 7000, GAP_MIN_MS = 500, GAP_MAX_MS = 6000, STILL_MS = 500 };

static struct {
    unsigned left, done, active;
    bool redis_active;
    bool cut[SIM_PROCS][SIM_PROCS]; /* of the partition that is on */
} faults;

struct fault {
    const char *name;
    unsigned weight;
    bool redis;
    uint32_t min_ms, max_ms;
    bool (*begin)(struct running *r); /* false: not possible now */
    void (*end)(struct running *r);
    bool (*still)(struct running *r); /* asked every half second once its time is over; NULL: then it ends */
};

static struct sim_proc *pick(struct sim_proc *const *list, unsigned count)
{
    struct sim_proc *p = list[sim_below(count)];
    return p->alive && !p->paused ? p : NULL;
}

static struct sim_proc *pick_node(bool primary)
{
    struct sim_node *n = sim_redis_primary(sim_below(SIM_SHARDS));
    if (primary)
        return n->proc;
    for (unsigned i = sim_below(SIM_NODES);; i = (i + 1) % SIM_NODES)
        if (sim_node[i].shard == n->shard && &sim_node[i] != n)
            return sim_node[i].proc;
}

/* --- killing and stopping ----------------------------------------------------------------------------------------------------------------
 */

static bool kill_it(struct running *r, struct sim_proc *p)
{
    r->p = p;
    if (p)
        sim_proc_kill(p, sim_chance(15));
    return p != NULL;
}

static bool pause_it(struct running *r, struct sim_proc *p)
{
    r->p = p;
    if (p)
        sim_proc_pause(p, true);
    return p != NULL;
}

static bool kill_edge(struct running *r)
{
    return kill_it(r, pick(region.edge, region.edges));
}

static bool pause_edge(struct running *r)
{
    return pause_it(r, pick(region.edge, region.edges));
}

static bool kill_router(struct running *r)
{
    return kill_it(r, pick(region.router, region.routers));
}

static bool pause_router(struct running *r)
{
    return pause_it(r, pick(region.router, region.routers));
}

static bool kill_primary(struct running *r)
{
    return kill_it(r, pick_node(true));
}

static bool pause_primary(struct running *r)
{
    return pause_it(r, pick_node(true));
}

static bool kill_replica(struct running *r)
{
    return kill_it(r, pick_node(false));
}

static bool pause_replica(struct running *r)
{
    return pause_it(r, pick_node(false));
}

static void start_again(struct running *r)
{
    if (r->p->alive)
        return; /* another fault's end was earlier */
    sim_region_start(r->p);
    if (strncmp(r->p->name, "redis", 5) == 0)
        sim_cluster_restarted(r->p->user);
}

/* All three copies at once: nothing is lost, for each has its append-only file. */
static bool kill_shard(struct running *r)
{
    r->edge = sim_below(SIM_SHARDS);
    for (unsigned i = 0; i < SIM_COPIES; i++)
        sim_proc_kill(region.node[r->edge * SIM_COPIES + i], sim_chance(15));
    return true;
}

static void start_shard(struct running *r)
{
    unsigned first = sim_below(SIM_COPIES);
    for (unsigned i = 0; i < SIM_COPIES; i++) {
        struct sim_proc *p = region.node[r->edge * SIM_COPIES + (first + i) % SIM_COPIES];
        sim_region_start(p);
        sim_cluster_restarted(p->user);
    }
}

static void go_on(struct running *r)
{
    sim_proc_pause(r->p, false);
}

/* --- cutting
 * ------------------------------------------------------------------------------------------------------------------------------ */

static void cut_pair(struct sim_proc *a, struct sim_proc *b, bool cut)
{
    sim_net_cut(a, b, cut);
    sim_net_cut(b, a, cut);
}

static bool cut_edges(struct running *r)
{
    r->p = region.edge[sim_below(region.edges)];
    r->q = region.edge[sim_below(region.edges)];
    if (r->p == r->q || !sim_net_passes(r->p, r->q) || !sim_net_passes(r->q, r->p))
        return false;
    if (sim_chance(60))
        cut_pair(r->p, r->q, true);
    else
        sim_net_cut(r->p, r->q, true);
    return true;
}

static bool cut_edge_router(struct running *r)
{
    r->p = region.edge[sim_below(region.edges)];
    r->q = region.router[sim_below(region.routers)];
    cut_pair(r->p, r->q, true);
    return true;
}

static void cut_router_edges(struct running *r, bool cut)
{
    for (unsigned i = 0; i < region.edges; i++)
        cut_pair(r->p, region.edge[i], cut);
}

static bool cut_router_off(struct running *r)
{
    r->p = region.router[sim_below(region.routers)];
    cut_router_edges(r, true);
    return true;
}

static void join_router(struct running *r)
{
    cut_router_edges(r, false);
}

static bool cut_routers(struct running *r)
{
    r->p = region.router[0];
    r->q = region.router[1];
    cut_pair(r->p, r->q, true);
    return true;
}

static bool cut_router_redis(struct running *r)
{
    r->p = region.router[sim_below(region.routers)];
    for (unsigned i = 0; i < SIM_NODES; i++)
        cut_pair(r->p, region.node[i], true);
    return true;
}

static void join_router_redis(struct running *r)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        cut_pair(r->p, region.node[i], false);
}

/* One way, to or from every node: nothing says which side is dead. */
static bool cut_edge_redis(struct running *r)
{
    bool out = sim_chance(50);
    r->p = region.edge[sim_below(region.edges)];
    for (unsigned i = 0; i < SIM_NODES; i++)
        sim_net_cut(out ? r->p : region.node[i], out ? region.node[i] : r->p, true);
    return true;
}

static void join(struct running *r)
{
    cut_pair(r->p, r->q, false);
}

/* A primary, perhaps with one of its replicas, on one side; all other nodes on the other; edges and routers on one side, the other or both.
 */
static bool partition(struct running *r)
{
    enum { A = 1, B = 2 };
    unsigned side[SIM_PROCS] = {0};
    struct sim_node *n = sim_redis_primary(sim_below(SIM_SHARDS));
    r->p = n->proc;
    for (unsigned i = 0; i < SIM_NODES; i++)
        side[region.node[i]->index] = &sim_node[i] == n ? A : B;
    if (sim_chance(60))
        side[sim_node[n->shard * SIM_COPIES + (n->index + 1 + sim_below(2)) % SIM_COPIES].proc->index] = A;
    side[n->proc->index] = A;
    for (unsigned i = 0; i < region.edges; i++)
        side[region.edge[i]->index] = 1 + sim_below(3);
    for (unsigned i = 0; i < region.routers; i++)
        side[region.router[i]->index] = 1 + sim_below(3);
    side[region.players->index] = A | B;
    unsigned way = sim_below(6); /* 0: only out of the primary's side, 1: only into it */
    for (unsigned a = 0; a < SIM_PROCS; a++)
        for (unsigned b = 0; b < SIM_PROCS; b++) {
            bool apart = side[a] && side[b] && !(side[a] & side[b]);
            bool edges = a >= region.edge[0]->index && b >= region.edge[0]->index; /* among themselves they keep in touch */
            faults.cut[a][b] = apart && !edges && !(way == 0 && side[a] == B) && !(way == 1 && side[a] == A);
            if (faults.cut[a][b])
                sim_net_cut(&sim.proc[a], &sim.proc[b], true);
        }
    return true;
}

static void unite(struct running *r)
{
    (void)r;
    for (unsigned a = 0; a < SIM_PROCS; a++)
        for (unsigned b = 0; b < SIM_PROCS; b++)
            if (faults.cut[a][b])
                sim_net_cut(&sim.proc[a], &sim.proc[b], false);
    memset(faults.cut, 0, sizeof(faults.cut));
}

/* --- smaller things
 * ----------------------------------------------------------------------------------------------------------------------- */

static bool drop_players(struct running *r)
{
    (void)r;
    sim_trace("players lose their connections");
    sim_players_drop(sim_between(20, 100));
    return true;
}

static bool break_links(struct running *r)
{
    (void)r;
    struct sim_proc *e = region.edge[sim_below(region.edges)];
    sim_trace("%s loses its links", e->name);
    for (unsigned i = 0; i < SIM_PROCS; i++)
        if (sim.proc[i].name[0] && sim.proc[i].name[0] != 'p' && sim_chance(60))
            sim_net_break(e, &sim.proc[i]);
    return true;
}

static bool slow_down(struct running *r)
{
    r->p = region.edge[sim_below(region.edges)];
    r->q = sim_chance(50) ? region.node[sim_below(SIM_NODES)] : region.edge[sim_below(region.edges)];
    if (r->p == r->q)
        return false;
    sim_net_slow(r->p, r->q, sim_between(20000, 400000));
    return true;
}

static void speed_up(struct running *r)
{
    sim_net_slow(r->p, r->q, 0);
}

static void nothing(struct running *r)
{
    (void)r;
}

/* --- the schedule
 * ------------------------------------------------------------------------------------------------------------------------- */

static const struct fault rows[] = {
    {"kill edge", 8, false, 300, 8000, kill_edge, start_again},
    {"pause edge", 6, false, 1000, 30000, pause_edge, go_on},
    {"kill router", 3, false, 300, 8000, kill_router, start_again},
    {"pause router", 3, false, 1000, 30000, pause_router, go_on},
    {"kill primary", 6, true, 300, 12000, kill_primary, start_again},
    {"pause primary", 6, true, 500, 12000, pause_primary, go_on},
    {"partition", 10, true, 500, 14000, partition, unite},
    {"kill replica", 3, true, 300, 8000, kill_replica, start_again},
    {"pause replica", 3, true, 500, 8000, pause_replica, go_on},
    {"cut edge from Redis one way", 4, false, 500, 10000, cut_edge_redis, join_router_redis},
    {"cut edges", 4, false, 500, 12000, cut_edges, join},
    {"cut edge from router", 2, false, 500, 12000, cut_edge_router, join},
    {"cut router from edges", 2, false, 500, 15000, cut_router_off, join_router},
    {"cut routers", 2, false, 500, 12000, cut_routers, join},
    {"cut router from Redis", 2, false, 500, 15000, cut_router_redis, join_router_redis},
    {"drop players", 5, false, 10, 10, drop_players, nothing},
    {"break links", 4, false, 10, 10, break_links, nothing},
    {"slow down", 3, false, 1000, 10000, slow_down, speed_up},
    {"kill a shard", 2, true, 300, 6000, kill_shard, start_shard},
    {"drain edge", 6, false, 10, 4000, sim_begin_drain, start_again, sim_still_drains},
    {"rolling restart", 2, false, 10, 10, sim_begin_rolling, nothing, sim_still_rolling},
    {"stop router", 2, false, 10, 4000, sim_begin_router_stop, start_again, sim_still_drains},
    {"manual failover", 3, true, 5500, 6000, sim_begin_failover, nothing},
    {"move slots", 3, true, 10, 10, sim_begin_slots, nothing, sim_still_slots},
};

static const struct fault *draw(void)
{
    unsigned sum = 0;
    for (size_t i = 0; i < MER_COUNT(rows); i++)
        sum += rows[i].weight;
    unsigned at = sim_below(sum);
    for (size_t i = 0;; i++) {
        if (at < rows[i].weight)
            return &rows[i];
        at -= rows[i].weight;
    }
}

static void on_end(void *ctx, uint64_t arg)
{
    struct running *r = ctx;
    (void)arg;
    if (r->fault->still && r->fault->still(r)) {
        sim_at(STILL_MS * 1000, on_end, r, 0);
        return;
    }
    sim_trace("end of fault: %s", r->fault->name);
    r->fault->end(r);
    faults.active--;
    if (r->fault->redis) {
        faults.redis_active = false;
        sim_cluster_wake();
    }
    mer_free(&r);
}

static void on_next(void *ctx, uint64_t arg)
{
    (void)ctx, (void)arg;
    if (faults.left == 0)
        return;
    const struct fault *f = draw();
    struct running *r = mer_xcalloc(1, sizeof(*r));
    r->fault = f;
    bool allowed = !f->redis || (!faults.redis_active && sim_cluster_well());
    if (allowed) {
        sim_trace("fault: %s", f->name);
        allowed = f->begin(r);
    }
    if (allowed) {
        faults.left--;
        faults.done++;
        faults.active++;
        if (f->redis) {
            faults.redis_active = true;
            sim_cluster_wake();
        }
        sim_at((uint64_t)sim_between(f->min_ms, f->max_ms) * 1000, on_end, r, 0);
    } else
        mer_free(&r);
    sim_at((uint64_t)sim_between(GAP_MIN_MS, GAP_MAX_MS) * 1000, on_next, NULL, 0);
}

void sim_faults_start(unsigned count)
{
    memset(&faults, 0, sizeof(faults));
    faults.left = count;
    sim_at((uint64_t)sim_between(FIRST_MS / 2, FIRST_MS) * 1000, on_next, NULL, 0);
}

bool sim_faults_over(void)
{
    return faults.left == 0 && faults.active == 0;
}

unsigned sim_faults_count(void)
{
    return faults.done;
}
