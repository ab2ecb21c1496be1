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
    uint64_t last_ms; /* when the last one so far was over */
    bool redis_active[SIM_REGIONS];
    bool cut[SIM_PROCS][SIM_PROCS]; /* of the partitions that are on */
} faults;

struct fault {
    const char *name;
    unsigned weight[2]; /* in a region alone; in one of several */
    bool redis, quiet;  /* quiet: games inside the region do not feel it */
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

static struct sim_proc *pick_node(struct running *r, bool primary)
{
    struct sim_node *n = sim_redis_primary(r->at->redis, sim_below(SIM_SHARDS)), *node = r->at->redis->node;
    if (primary)
        return n->proc;
    for (unsigned i = sim_below(SIM_NODES);; i = (i + 1) % SIM_NODES)
        if (node[i].shard == n->shard && &node[i] != n)
            return node[i].proc;
}

/* --- killing and stopping ------------------------------------------------------------------------------------------------------------- */

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
    return kill_it(r, pick(r->at->edge, r->at->edges));
}

static bool pause_edge(struct running *r)
{
    return pause_it(r, pick(r->at->edge, r->at->edges));
}

static bool kill_router(struct running *r)
{
    return kill_it(r, pick(r->at->router, r->at->routers));
}

static bool pause_router(struct running *r)
{
    return pause_it(r, pick(r->at->router, r->at->routers));
}

static bool kill_primary(struct running *r)
{
    return kill_it(r, pick_node(r, true));
}

static bool pause_primary(struct running *r)
{
    return pause_it(r, pick_node(r, true));
}

static bool kill_replica(struct running *r)
{
    return kill_it(r, pick_node(r, false));
}

static bool pause_replica(struct running *r)
{
    return pause_it(r, pick_node(r, false));
}

static void start_again(struct running *r)
{
    if (r->p->alive)
        return; /* another fault's end was earlier */
    sim_region_start(r->p);
    if (r->p->role == SIM_NODE)
        sim_cluster_restarted(r->p->user);
}

/* All three copies at once: nothing is lost, for each has its append-only file. */
static bool kill_shard(struct running *r)
{
    r->edge = sim_below(SIM_SHARDS);
    for (unsigned i = 0; i < SIM_COPIES; i++)
        sim_proc_kill(r->at->node[r->edge * SIM_COPIES + i], sim_chance(15));
    return true;
}

static void start_shard(struct running *r)
{
    unsigned first = sim_below(SIM_COPIES);
    for (unsigned i = 0; i < SIM_COPIES; i++) {
        struct sim_proc *p = r->at->node[r->edge * SIM_COPIES + (first + i) % SIM_COPIES];
        if (p->alive)
            continue;
        sim_region_start(p);
        sim_cluster_restarted(p->user);
    }
}

static void go_on(struct running *r)
{
    sim_proc_pause(r->p, false);
}

/* --- cutting -------------------------------------------------------------------------------------------------------------------------- */

void sim_cut_pair(struct sim_proc *a, struct sim_proc *b, bool cut)
{
    sim_net_cut(a, b, cut);
    sim_net_cut(b, a, cut);
}

static bool cut_edges(struct running *r)
{
    r->p = r->at->edge[sim_below(r->at->edges)];
    r->q = r->at->edge[sim_below(r->at->edges)];
    if (r->p == r->q || !sim_net_passes(r->p, r->q) || !sim_net_passes(r->q, r->p))
        return false;
    if (sim_chance(60))
        sim_cut_pair(r->p, r->q, true);
    else
        sim_net_cut(r->p, r->q, true);
    return true;
}

static bool cut_edge_router(struct running *r)
{
    r->p = r->at->edge[sim_below(r->at->edges)];
    r->q = r->at->router[sim_below(r->at->routers)];
    sim_cut_pair(r->p, r->q, true);
    return true;
}

static void cut_router_edges(struct running *r, bool cut)
{
    for (unsigned i = 0; i < r->at->edges; i++)
        sim_cut_pair(r->p, r->at->edge[i], cut);
}

static bool cut_router_off(struct running *r)
{
    r->p = r->at->router[sim_below(r->at->routers)];
    cut_router_edges(r, true);
    return true;
}

static void join_router(struct running *r)
{
    cut_router_edges(r, false);
}

static bool cut_routers(struct running *r)
{
    r->p = r->at->router[0];
    r->q = r->at->router[1];
    sim_cut_pair(r->p, r->q, true);
    return true;
}

static bool cut_router_redis(struct running *r)
{
    r->p = r->at->router[sim_below(r->at->routers)];
    for (unsigned i = 0; i < SIM_NODES; i++)
        sim_cut_pair(r->p, r->at->node[i], true);
    return true;
}

static void join_router_redis(struct running *r)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        sim_cut_pair(r->p, r->at->node[i], false);
}

/* One way, to or from every node: nothing says which side is dead. */
static bool cut_edge_redis(struct running *r)
{
    bool out = sim_chance(50);
    r->p = r->at->edge[sim_below(r->at->edges)];
    for (unsigned i = 0; i < SIM_NODES; i++)
        sim_net_cut(out ? r->p : r->at->node[i], out ? r->at->node[i] : r->p, true);
    return true;
}

static void join(struct running *r)
{
    sim_cut_pair(r->p, r->q, false);
}

/* A primary, perhaps with one of its replicas, on one side; all other nodes on the other; edges and routers on one side, the other or both.
 */
static bool partition(struct running *r)
{
    enum { A = 1, B = 2 };
    unsigned side[SIM_PROCS] = {0};
    struct sim_node *n = sim_redis_primary(r->at->redis, sim_below(SIM_SHARDS)), *node = r->at->redis->node;
    r->p = n->proc;
    for (unsigned i = 0; i < SIM_NODES; i++)
        side[r->at->node[i]->index] = &node[i] == n ? A : B;
    if (sim_chance(60))
        side[node[n->shard * SIM_COPIES + (n->index + 1 + sim_below(2)) % SIM_COPIES].proc->index] = A;
    side[n->proc->index] = A;
    for (unsigned i = 0; i < r->at->edges; i++)
        side[r->at->edge[i]->index] = 1 + sim_below(3);
    for (unsigned i = 0; i < r->at->routers; i++)
        side[r->at->router[i]->index] = 1 + sim_below(3);
    side[r->at->players->index] = A | B;
    unsigned way = sim_below(6); /* 0: only out of the primary's side, 1: only into it */
    for (unsigned a = 0; a < SIM_PROCS; a++)
        for (unsigned b = 0; b < SIM_PROCS; b++) {
            bool apart = side[a] && side[b] && !(side[a] & side[b]);
            bool edges = sim.proc[a].role >= SIM_EDGE && sim.proc[b].role >= SIM_EDGE; /* among themselves they keep in touch */
            if (!apart || edges || (way == 0 && side[a] == B) || (way == 1 && side[a] == A))
                continue;
            faults.cut[a][b] = true;
            sim_net_cut(&sim.proc[a], &sim.proc[b], true);
        }
    return true;
}

static void unite(struct running *r)
{
    for (unsigned a = 0; a < SIM_PROCS; a++)
        for (unsigned b = 0; b < SIM_PROCS; b++)
            if (faults.cut[a][b] && sim.proc[a].at == r->at) {
                faults.cut[a][b] = false;
                sim_net_cut(&sim.proc[a], &sim.proc[b], false);
            }
}

/* --- smaller things ------------------------------------------------------------------------------------------------------------------- */

static bool drop_players(struct running *r)
{
    sim_trace("players lose their connections");
    sim_players_drop(r->at, sim_between(20, 100));
    return true;
}

static bool break_links(struct running *r)
{
    struct sim_proc *e = r->at->edge[sim_below(r->at->edges)];
    sim_trace("%s loses its links", e->name);
    for (unsigned i = 0; i < SIM_PROCS; i++)
        if (sim.proc[i].at == r->at && sim.proc[i].role != SIM_PLAYERS && sim_chance(60))
            sim_net_break(e, &sim.proc[i]);
    return true;
}

static bool slow_down(struct running *r)
{
    r->p = r->at->edge[sim_below(r->at->edges)];
    r->q = sim_chance(50) ? r->at->node[sim_below(SIM_NODES)] : r->at->edge[sim_below(r->at->edges)];
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

/* --- the schedule --------------------------------------------------------------------------------------------------------------------- */

static const struct fault rows[] = {
    {"kill edge", {8, 8}, false, false, 300, 8000, kill_edge, start_again},
    {"pause edge", {6, 5}, false, false, 1000, 30000, pause_edge, go_on},
    {"kill router", {3, 4}, false, true, 300, 8000, kill_router, start_again},
    {"pause router", {3, 2}, false, true, 1000, 30000, pause_router, go_on},
    {"kill primary", {6, 6}, true, false, 300, 12000, kill_primary, start_again},
    {"pause primary", {6, 3}, true, false, 500, 12000, pause_primary, go_on},
    {"partition", {10, 4}, true, false, 500, 14000, partition, unite},
    {"kill replica", {3, 1}, true, false, 300, 8000, kill_replica, start_again},
    {"pause replica", {3, 1}, true, false, 500, 8000, pause_replica, go_on},
    {"cut edge from Redis one way", {4, 2}, false, false, 500, 10000, cut_edge_redis, join_router_redis},
    {"cut edges", {4, 2}, false, false, 500, 12000, cut_edges, join},
    {"cut edge from router", {2, 3}, false, false, 500, 12000, cut_edge_router, join},
    {"cut router from edges", {2, 3}, false, false, 500, 15000, cut_router_off, join_router},
    {"cut routers", {2, 3}, false, true, 500, 12000, cut_routers, join},
    {"cut router from Redis", {2, 3}, false, true, 500, 15000, cut_router_redis, join_router_redis},
    {"drop players", {5, 3}, false, false, 10, 10, drop_players, nothing},
    {"break links", {4, 4}, false, false, 10, 10, break_links, nothing},
    {"slow down", {3, 1}, false, false, 1000, 10000, slow_down, speed_up},
    {"kill a shard", {2, 2}, true, false, 300, 6000, kill_shard, start_shard},
    {"drain edge", {6, 4}, false, false, 10, 4000, sim_begin_drain, start_again, sim_still_drains},
    {"rolling restart", {2, 1}, false, false, 10, 10, sim_begin_rolling, nothing, sim_still_rolling},
    {"stop router", {2, 3}, false, true, 10, 4000, sim_begin_router_stop, start_again, sim_still_drains},
    {"manual failover", {3, 3}, true, false, 5500, 6000, sim_begin_failover, nothing},
    {"move slots", {3, 2}, true, false, 10, 10, sim_begin_slots, nothing, sim_still_slots},
    {"cut two regions", {0, 14}, false, true, 500, 20000, sim_begin_far_cut, sim_end_far_cut},
    {"cut two regions one way", {0, 8}, false, true, 500, 20000, sim_begin_far_one_way, sim_end_far_cut},
    {"cut a region from the world", {0, 7}, false, true, 500, 20000, sim_begin_far_alone, sim_end_far_cut},
    {"cut two routers of two regions", {0, 5}, false, true, 500, 20000, sim_begin_far_routers, sim_end_far_cut},
    {"cut a region from the world for long", {0, 1}, false, true, 155000, 200000, sim_begin_far_alone, sim_end_far_cut},
    {"a region is dead for long", {0, 1}, true, false, 155000, 200000, sim_begin_region_dies, sim_end_region_dies},
    {"a slow line between regions", {0, 4}, false, true, 1000, 20000, sim_begin_far_slow, sim_end_far_slow},
    {"a leader sleeps", {0, 8}, false, true, 3600, 14000, sim_begin_leader_sleeps, go_on},
    {"a leader dies", {0, 10}, false, true, 300, 14000, sim_begin_leader_dies, start_again},
    {"a region dies", {0, 6}, true, false, 2000, 40000, sim_begin_region_dies, sim_end_region_dies},
};

static const struct fault *draw(void)
{
    unsigned sum = 0, many = sim_region_count > 1;
    for (size_t i = 0; i < MER_COUNT(rows); i++)
        sum += rows[i].weight[many];
    unsigned at = sim_below(sum);
    for (size_t i = 0;; i++) {
        if (at < rows[i].weight[many])
            return &rows[i];
        at -= rows[i].weight[many];
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
    sim_trace("end of fault: %s (%s)", r->fault->name, r->at->name);
    r->fault->end(r);
    faults.active--;
    faults.last_ms = sim_now_ms();
    r->at->troubles -= !r->fault->quiet;
    if (r->fault->redis) {
        faults.redis_active[r->at->index] = false;
        sim_cluster_wake(r->at->redis);
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
    r->at = sim_region_count > 1 ? &sim_regions[sim_below(sim_region_count)] : region;
    bool allowed = !f->redis || (!faults.redis_active[r->at->index] && sim_cluster_well(r->at->redis));
    if (allowed) {
        sim_trace("fault: %s (%s)", f->name, r->at->name);
        allowed = f->begin(r);
    }
    if (allowed) {
        faults.left--;
        faults.done++;
        faults.active++;
        r->at->troubles += !f->quiet;
        if (f->redis) {
            faults.redis_active[r->at->index] = true;
            sim_cluster_wake(r->at->redis);
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

uint64_t sim_faults_calm_ms(void)
{
    return sim_faults_over() ? sim_now_ms() - faults.last_ms : 0;
}

unsigned sim_faults_count(void)
{
    return faults.done;
}
