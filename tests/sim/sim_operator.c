/* SPDX-License-Identifier: Apache-2.0
 * sim_operator.c - what an operator does while people play: drains an edge (SIGTERM and POST /drain are one call), restarts all edges one
 * after another, stops a router, has a replica take over, moves slots. Other faults come in the midst of it. */
#include "edge/app.h"
#include "region-router/app.h"
#include "tests/sim/sim_faults_private.h"
#include "tests/sim/sim_redis.h"

enum { IMPATIENT_MS = 40 * 1000, SECOND_SIGNAL_PERCENT = 4, SLOTS_MAX = 3 };

static struct mer_process *process_of(const struct sim_proc *p)
{
    return p->role == SIM_EDGE ? &((struct edge_app *)p->user)->process : &((struct router_app *)p->user)->process;
}

/* In a turn of the process, as a signal comes out of its loop. */
static void on_signal(void *ctx, uint64_t second)
{
    struct mer_process *process = process_of(ctx);
    if (second)
        mer_process_stop(process);
    else
        mer_process_drain(process);
}

static void sigterm(struct running *r, struct sim_proc *p, bool second)
{
    sim_trace("%s gets SIGTERM%s", p->name, second ? " again" : "");
    if (!second) {
        r->p = p;
        r->life = p->life;
        r->since_ms = sim_now_ms();
    }
    sim_post(p, 0, on_signal, p, second);
}

static bool may_be_told(const struct sim_proc *p)
{
    return p->alive && !p->paused && process_of(p)->state == MER_PROCESS_READY;
}

bool sim_begin_drain(struct running *r)
{
    struct sim_proc *p = r->at->edge[sim_below(r->at->edges)];
    if (!may_be_told(p))
        return false;
    sigterm(r, p, false);
    return true;
}

/* Until it has left; sometimes somebody loses patience. */
bool sim_still_drains(struct running *r)
{
    if (!r->p->alive || r->p->life != r->life)
        return false;
    if (!r->p->paused && (sim_now_ms() - r->since_ms > IMPATIENT_MS || sim_chance(SECOND_SIGNAL_PERCENT)))
        sigterm(r, r->p, true);
    return true;
}

bool sim_begin_router_stop(struct running *r)
{
    struct sim_proc *p = r->at->router[sim_below(r->at->routers)];
    if (!may_be_told(p))
        return false;
    sigterm(r, p, false);
    return true;
}

bool sim_begin_rolling(struct running *r)
{
    sim_trace("a rolling restart begins");
    r->edge = r->step = 0;
    return true;
}

/* Steps of each edge: 0 not told yet, 1 drains, 2 started again. */
bool sim_still_rolling(struct running *r)
{
    struct sim_proc *p = r->edge < r->at->edges ? r->at->edge[r->edge] : NULL;
    if (!p)
        return false;
    if (r->step == 0 && may_be_told(p)) {
        sigterm(r, p, false);
        r->step = 1;
    } else if (r->step == 1 && sim_still_drains(r)) {
        return true;
    } else if (r->step == 1) {
        if (!p->alive)
            sim_region_start(p);
        r->step = 2;
    } else if (r->step == 0 || !p->alive || p->paused || process_of(p)->state == MER_PROCESS_READY) { /* another fault has it: the next */
        r->edge++;
        r->step = 0;
    }
    return true;
}

bool sim_begin_failover(struct running *r)
{
    return sim_cluster_failover(r->at->redis, sim_below(SIM_SHARDS));
}

bool sim_begin_slots(struct running *r)
{
    unsigned moved = 0;
    for (unsigned i = 0; i < SLOTS_MAX; i++)
        moved += sim_slots_move(r->at->redis, NULL);
    return moved > 0;
}

bool sim_still_slots(struct running *r)
{
    return sim_slots_moving(r->at->redis);
}
