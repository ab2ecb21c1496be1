/* SPDX-License-Identifier: Apache-2.0
 * sim_faults_far.c - what goes wrong between regions, with their leaders, and with a region as a whole. Only routers talk across regions,
 * so a cut between regions is one between their routers; players of a region reach their own edges all the time. */
#include "tests/sim/sim_faults_private.h"
#include "tests/sim/sim_redis.h"

static struct sim_region *another(const struct sim_region *r)
{
    return &sim_regions[(r->index + 1 + sim_below(sim_region_count - 1)) % sim_region_count];
}

/* From every router of a to every router of b. */
static void cut_one_way(struct sim_region *a, struct sim_region *b, bool cut)
{
    for (unsigned i = 0; i < SIM_ROUTERS; i++)
        for (unsigned k = 0; k < SIM_ROUTERS; k++)
            sim_net_cut(a->router[i], b->router[k], cut);
}

/* bits: the regions r->at is cut from. */
static void cut_from(struct running *r, unsigned bits)
{
    r->bits = bits;
    for (unsigned k = 0; k < sim_region_count; k++)
        if (bits >> k & 1) {
            cut_one_way(r->at, &sim_regions[k], true);
            cut_one_way(&sim_regions[k], r->at, true);
        }
}

bool sim_begin_far_cut(struct running *r)
{
    cut_from(r, 1u << another(r->at)->index);
    return true;
}

bool sim_begin_far_alone(struct running *r)
{
    cut_from(r, ((1u << sim_region_count) - 1) & ~(1u << r->at->index));
    return true;
}

bool sim_begin_far_one_way(struct running *r)
{
    r->bits = 1u << another(r->at)->index;
    for (unsigned k = 0; k < sim_region_count; k++)
        if (r->bits >> k & 1)
            cut_one_way(r->at, &sim_regions[k], true);
    return true;
}

/* One router here from one there: mostly two leaders who do not see each other, while everybody else does. */
bool sim_begin_far_routers(struct running *r)
{
    struct sim_region *o = another(r->at);
    r->bits = 1u << o->index;
    sim_cut_pair(r->at->router[sim_below(SIM_ROUTERS)], o->router[sim_below(SIM_ROUTERS)], true);
    return true;
}

void sim_end_far_cut(struct running *r)
{
    for (unsigned k = 0; k < sim_region_count; k++)
        if (r->bits >> k & 1) {
            cut_one_way(r->at, &sim_regions[k], false);
            cut_one_way(&sim_regions[k], r->at, false);
        }
}

static void slow(struct running *r, uint32_t us)
{
    for (unsigned i = 0; i < SIM_ROUTERS; i++)
        for (unsigned k = 0; k < SIM_ROUTERS; k++)
            sim_net_slow(r->at->router[i], sim_regions[r->edge].router[k], us);
}

bool sim_begin_far_slow(struct running *r)
{
    r->edge = another(r->at)->index;
    slow(r, sim_between(20, 600) * 1000);
    return true;
}

void sim_end_far_slow(struct running *r)
{
    slow(r, 0);
}

static struct sim_proc *leader_of(const struct sim_region *r)
{
    for (unsigned i = 0; i < SIM_ROUTERS; i++)
        if (sim_router_leads(r->router[i]))
            return r->router[i];
    return NULL;
}

bool sim_begin_leader_sleeps(struct running *r)
{
    r->p = leader_of(r->at);
    if (r->p)
        sim_proc_pause(r->p, true);
    return r->p != NULL;
}

bool sim_begin_leader_dies(struct running *r)
{
    r->p = leader_of(r->at);
    if (r->p)
        sim_proc_kill(r->p, sim_chance(40));
    return r->p != NULL;
}

/* kill -9 of everything; Redis comes back with what its append-only files have. */
bool sim_begin_region_dies(struct running *r)
{
    bool silent = sim_chance(40);
    for (unsigned i = 0; i < SIM_NODES; i++)
        sim_proc_kill(r->at->node[i], silent);
    for (unsigned i = 0; i < SIM_ROUTERS; i++)
        sim_proc_kill(r->at->router[i], silent);
    for (unsigned i = 0; i < r->at->edges; i++)
        sim_proc_kill(r->at->edge[i], silent);
    return true;
}

static void later(void *ctx, uint64_t arg)
{
    struct sim_proc *p = ctx;
    (void)arg;
    if (p->alive)
        return; /* the end of another fault was earlier */
    sim_region_start(p);
    if (p->role == SIM_NODE)
        sim_cluster_restarted(p->user);
}

void sim_end_region_dies(struct running *r)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        sim_at(sim_below(500000), later, r->at->node[i], 0);
    for (unsigned i = 0; i < SIM_ROUTERS; i++)
        sim_at(sim_below(2000000), later, r->at->router[i], 0);
    for (unsigned i = 0; i < r->at->edges; i++)
        sim_at(sim_below(2000000), later, r->at->edge[i], 0);
}
