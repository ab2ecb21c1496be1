/* SPDX-License-Identifier: Apache-2.0
 * sim_loop.c - stands in for the platform's loop.c, clock.c, process.c and admin.c: a loop is the wheel, the deferred list and the hooks;
 * the world decides when it turns. The order within a turn is loop.c's: clock, timers, what came in, deferred work and hooks. */
#include <string.h>

#include <meridian/admin.h>
#include <meridian/mem.h>
#include <meridian/process.h>

#include "tests/sim/sim.h"

enum { EXPIRIES = 256, ROUNDS = 8, TURN_US = 15 };

/* --- clocks and randomness ------------------------------------------------------------------------------------------------------------ */

static uint64_t mono_us(void *ctx)
{
    const struct sim_proc *p = ctx;
    return sim.now_us + (p ? p->boot_us : 0);
}

static uint64_t wall_ms(void *ctx)
{
    return sim_wall_ms(ctx);
}

struct mer_clock mer_clock_system(void)
{
    return (struct mer_clock){mono_us, wall_ms, sim.current};
}

struct mer_rng __wrap_mer_rng_system(void);
struct mer_rng __wrap_mer_rng_system(void)
{
    struct mer_rng_seeded scratch;
    MER_ASSERT(sim.current);
    struct mer_rng r = mer_rng_seed(&scratch, 0);
    r.ctx = &sim.current->rng;
    return r;
}

/* The edge's watchdog measures real CPU time: nothing to watch here. */
struct itimerval;
int __wrap_setitimer(int which, const struct itimerval *value, struct itimerval *old);
int __wrap_setitimer(int which, const struct itimerval *value, struct itimerval *old)
{
    (void)which, (void)value, (void)old;
    return 0;
}

int __wrap_gethostname(char *name, size_t len);
int __wrap_gethostname(char *name, size_t len)
{
    return snprintf(name, len, "host-%s", sim.current ? sim.current->name : "") < 0 ? -1 : 0;
}

/* --- the loop ------------------------------------------------------------------------------------------------------------------------ */

int mer_loop_init(struct mer_loop *l, struct mer_clock clock)
{
    memset(l, 0, sizeof(*l));
    MER_ASSERT(sim.current && !sim.current->loop);
    l->uv.data = sim.current;
    l->clock = clock;
    l->now_ms = mer_clock_mono_ms(&clock);
    mer_wheel_init(&l->wheel, l->now_ms);
    mer_list_init(&l->deferred);
    for (int i = 0; i < MER_PHASES; i++)
        mer_list_init(&l->hooks[i]);
    sim.current->loop = l;
    return 0;
}

/* The world runs it: from here on. */
void mer_loop_run(struct mer_loop *l)
{
    sim_turn_soon(sim_proc_of(l));
}

static void on_stopped(void *ctx, uint64_t life)
{
    struct sim_proc *p = ctx;
    if (p->life == life)
        sim_proc_kill(p, false);
}

void mer_loop_stop(struct mer_loop *l)
{
    struct sim_proc *p = sim_proc_of(l);
    l->stopping = true;
    sim_at(1000, on_stopped, p, p->life);
}

void mer_loop_deinit(struct mer_loop *l)
{
    (void)l;
}

void sim_loop_begin(struct sim_proc *p)
{
    struct mer_loop *l = p->loop;
    l->turn_started_us = mono_us(p);
    l->now_ms = l->turn_started_us / 1000;
    l->turns++;
    l->busy_us += TURN_US;
    mer_wheel_advance(&l->wheel, l->now_ms, EXPIRIES);
}

static void run_deferred(struct mer_loop *l)
{
    struct mer_list batch;
    mer_list_init(&batch);
    mer_list_move_all(&batch, &l->deferred);
    while (!mer_list_empty(&batch)) {
        struct mer_deferred *d = MER_LIST_ENTRY(batch.next, struct mer_deferred, node);
        mer_list_remove(&d->node);
        d->cb(d);
    }
}

bool sim_loop_end(struct sim_proc *p)
{
    struct mer_loop *l = p->loop;
    bool again = true;
    for (int round = 0; again && round < ROUNDS; round++) {
        run_deferred(l);
        again = false;
        for (int phase = 0; phase < MER_PHASES; phase++) {
            MER_LIST_EACH_SAFE (node, &l->hooks[phase]) {
                struct mer_hook *h = MER_LIST_ENTRY(node, struct mer_hook, node);
                again |= h->cb(h);
            }
        }
        run_deferred(l);
        again |= !mer_list_empty(&l->deferred);
    }
    return again;
}

void mer_deferred_init(struct mer_deferred *d, void (*cb)(struct mer_deferred *d))
{
    mer_list_init(&d->node);
    d->cb = cb;
}

void mer_loop_defer(struct mer_loop *l, struct mer_deferred *d)
{
    if (mer_list_empty(&d->node))
        mer_list_push_back(&l->deferred, &d->node);
}

void mer_deferred_cancel(struct mer_deferred *d)
{
    mer_list_remove(&d->node);
}

void mer_loop_hook_add(struct mer_loop *l, enum mer_phase phase, struct mer_hook *h)
{
    mer_list_push_back(&l->hooks[phase], &h->node);
}

void mer_loop_hook_remove(struct mer_hook *h)
{
    mer_list_remove(&h->node);
}

void mer_loop_arm(struct mer_loop *l, struct mer_timer *t, uint64_t delay_ms)
{
    mer_wheel_arm(&l->wheel, t, l->now_ms + delay_ms);
}

void mer_loop_disarm(struct mer_loop *l, struct mer_timer *t)
{
    mer_wheel_disarm(&l->wheel, t);
}

/* --- the process: its states without signals ------------------------------------------------------------------------------------------ */

const char *mer_process_state_name(enum mer_process_state s)
{
#define X(name) #name,
    static const char *const names[] = {MER_PROCESS_STATES(X)};
#undef X
    return s < MER_PROCESS_NSTATES ? names[s] : "?";
}

uint64_t mer_process_raise_limits(void)
{
    return 100000;
}

void mer_process_init(struct mer_process *p, struct mer_loop *loop, struct mer_log *log, struct mer_metrics *metrics)
{
    (void)metrics;
    memset(p, 0, sizeof(*p));
    p->loop = loop;
    p->log = log;
}

static void move(struct mer_process *p, enum mer_process_state to)
{
    if (p->state == to)
        return;
    sim_trace("%s is %s", sim_proc_of(p->loop)->name, mer_process_state_name(to));
    p->state = to;
    if (to == MER_PROCESS_STOPPED)
        mer_loop_stop(p->loop);
}

void mer_process_ready(struct mer_process *p)
{
    if (p->state == MER_PROCESS_STARTING)
        move(p, MER_PROCESS_READY);
}

void mer_process_drain(struct mer_process *p)
{
    if (p->state == MER_PROCESS_STARTING)
        move(p, MER_PROCESS_STOPPED);
    if (p->state != MER_PROCESS_READY)
        return;
    move(p, MER_PROCESS_DRAINING);
    if (p->on_drain)
        p->on_drain(p->ctx);
    else
        move(p, MER_PROCESS_STOPPED);
}

bool mer_process_undrain(struct mer_process *p)
{
    if (p->told_to_end || p->state != MER_PROCESS_DRAINING)
        return false;
    move(p, MER_PROCESS_READY);
    return true;
}

void mer_process_stop(struct mer_process *p)
{
    move(p, MER_PROCESS_STOPPED);
}

void mer_process_deinit(struct mer_process *p)
{
    (void)p;
}

void mer_metrics_add_process(struct mer_metrics *m, struct mer_loop *loop)
{
    (void)m, (void)loop;
}

/* --- the admin port: nobody asks ------------------------------------------------------------------------------------------------------ */

enum mer_err mer_admin_open(struct mer_admin **out, struct mer_loop *loop, struct mer_process *process, struct mer_metrics *metrics,
                            const char *address, struct mer_msg *msg)
{
    (void)loop, (void)process, (void)metrics, (void)address, (void)msg;
    *out = NULL;
    return MER_OK;
}

void mer_admin_route(struct mer_admin *a, const char *method, const char *path, mer_admin_route_cb cb, void *ctx)
{
    (void)a, (void)method, (void)path, (void)cb, (void)ctx;
}

void mer_admin_files(struct mer_admin *a, const char *prefix, const struct mer_web_file *files)
{
    (void)a, (void)prefix, (void)files;
}

void mer_admin_stream(struct mer_admin *a, const struct mer_admin_stream_conf *conf)
{
    (void)a, (void)conf;
}

int mer_admin_port(const struct mer_admin *a)
{
    (void)a;
    return 0;
}

void mer_admin_close(struct mer_admin *a)
{
    (void)a;
}
