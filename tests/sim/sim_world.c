/* SPDX-License-Identifier: Apache-2.0
 * sim_world.c - virtual time: one heap of events, processes with inboxes, who runs when.
 *
 * A process runs in turns. Whatever is for it lands in its inbox; the turn comes a little later, so that several things meet in one turn as
 * they do under a real loop. A paused process keeps its inbox; a killed one loses it. Two events of one moment run in the order they were
 * made; the delays that made them are the seed's. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

struct sim_world sim;

struct letter {
    struct mer_list node;
    sim_cb cb;
    void *ctx;
    uint64_t arg;
};

enum { TURN_DELAY_US = 120, SLOW_TURN_US = 3000 };

/* --- the heap ------------------------------------------------------------------------------------------------------------------------ */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->serial < b->serial;
}

static void heap_push(struct sim_event e)
{
    if (sim.heap_count == sim.heap_cap) {
        sim.heap_cap = sim.heap_cap ? sim.heap_cap * 2 : 1024;
        sim.heap = mer_xrealloc(sim.heap, sim.heap_cap * sizeof(*sim.heap));
    }
    size_t i = sim.heap_count++;
    while (i > 0 && before(&e, &sim.heap[(i - 1) / 2])) {
        sim.heap[i] = sim.heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    sim.heap[i] = e;
}

static struct sim_event heap_pop(void)
{
    struct sim_event top = sim.heap[0], last = sim.heap[--sim.heap_count];
    size_t i = 0;
    for (;;) {
        size_t k = 2 * i + 1;
        if (k >= sim.heap_count)
            break;
        if (k + 1 < sim.heap_count && before(&sim.heap[k + 1], &sim.heap[k]))
            k++;
        if (!before(&sim.heap[k], &last))
            break;
        sim.heap[i] = sim.heap[k];
        i = k;
    }
    sim.heap[i] = last;
    return top;
}

static void schedule(struct sim_proc *p, uint64_t delay_us, sim_cb cb, void *ctx, uint64_t arg)
{
    heap_push((struct sim_event){
        .at_us = sim.now_us + delay_us, .serial = sim.serial++, .proc = p, .life = p ? p->life : 0, .cb = cb, .ctx = ctx, .arg = arg});
}

/* --- turns --------------------------------------------------------------------------------------------------------------------------- */

static void on_turn(void *ctx, uint64_t life);

void sim_turn_soon(struct sim_proc *p)
{
    if (!p->alive || p->paused || p->turn_due)
        return;
    p->turn_due = true;
    schedule(NULL, sim_chance(2) ? sim_below(SLOW_TURN_US) : 5 + sim_below(TURN_DELAY_US), on_turn, p, p->life);
}

static void on_wake(void *ctx, uint64_t serial)
{
    struct sim_proc *p = ctx;
    if (serial != p->wake_serial || !p->alive)
        return;
    p->wake_us = 0;
    sim_turn_soon(p);
}

static void arm_wake(struct sim_proc *p)
{
    uint64_t due_ms = mer_wheel_next_ms(&p->loop->wheel);
    if (due_ms == UINT64_MAX)
        return;
    uint64_t now_us = sim.now_us + p->boot_us, due_us = due_ms * 1000;
    uint64_t at_us = sim.now_us + (due_us > now_us ? due_us - now_us : 0);
    if (p->wake_us != 0 && p->wake_us <= at_us)
        return;
    p->wake_us = at_us;
    schedule(NULL, at_us - sim.now_us, on_wake, p, ++p->wake_serial);
}

static void run_inbox(struct sim_proc *p)
{
    struct mer_list batch;
    uint32_t life = p->life;
    mer_list_init(&batch);
    mer_list_move_all(&batch, &p->inbox);
    while (!mer_list_empty(&batch)) {
        struct letter *l = MER_LIST_ENTRY(batch.next, struct letter, node);
        mer_list_remove(&l->node);
        if (p->life == life && !sim.failed)
            l->cb(l->ctx, l->arg);
        free(l);
    }
}

static void on_turn(void *ctx, uint64_t life)
{
    struct sim_proc *p = ctx;
    if (p->life != life || !p->alive || p->paused)
        return;
    p->turn_due = false;
    sim.current = p;
    if (p->loop)
        sim_loop_begin(p);
    run_inbox(p);
    if (p->loop) {
        bool again = sim_loop_end(p);
        arm_wake(p);
        sim.current = NULL;
        if (again)
            sim_turn_soon(p);
    } else if (p->turn_end)
        p->turn_end(p);
    sim.current = NULL;
}

static void deliver(struct sim_proc *p, const struct sim_event *e)
{
    if (!p->alive || p->life != e->life)
        return;
    struct letter *l = mer_xmalloc(sizeof(*l));
    *l = (struct letter){.cb = e->cb, .ctx = e->ctx, .arg = e->arg};
    mer_list_init(&l->node);
    mer_list_push_back(&p->inbox, &l->node);
    sim_turn_soon(p);
}

/* --- public -------------------------------------------------------------------------------------------------------------------------- */

void sim_world_init(uint64_t seed, const char *plant, FILE *trace)
{
    memset(&sim, 0, sizeof(sim));
    sim.seed = seed;
    sim.plant = plant ? plant : "";
    sim.trace = trace;
    sim.rng = mer_rng_seed(&sim.rng_state, seed);
    sim.hash = 0xcbf29ce484222325u;
    sim.now_us = 1000000;
    for (unsigned i = 0; i < SIM_PROCS; i++) {
        sim.proc[i].index = i;
        mer_list_init(&sim.proc[i].inbox);
    }
    sim_net_init();
}

void sim_world_run(uint64_t until_us)
{
    while (!sim.failed && sim.heap_count > 0 && sim.heap[0].at_us <= until_us) {
        struct sim_event e = heap_pop();
        sim.now_us = e.at_us;
        sim.steps++;
        if (e.proc)
            deliver(e.proc, &e);
        else
            e.cb(e.ctx, e.arg);
    }
    if (!sim.failed && sim.now_us < until_us)
        sim.now_us = until_us;
}

void sim_at(uint64_t delay_us, sim_cb cb, void *ctx, uint64_t arg)
{
    schedule(NULL, delay_us, cb, ctx, arg);
}

void sim_post(struct sim_proc *p, uint64_t delay_us, sim_cb cb, void *ctx, uint64_t arg)
{
    schedule(p, delay_us, cb, ctx, arg);
}

void sim_proc_start(struct sim_proc *p)
{
    MER_ASSERT(!p->alive);
    p->alive = true;
    p->paused = p->turn_due = false;
    p->loop = NULL;
    p->wake_us = 0;
    p->wake_serial++;
    p->paused_us = p->woke_us = 0;
    p->boot_us = (uint64_t)sim_between(10, 1000000) * 1000;
    p->skew_ms = (int64_t)sim_below(400) - 200;
    (void)mer_rng_seed(&p->rng, mer_rng_u64(&sim.rng));
    sim_trace("start %s", p->name);
}

void sim_proc_kill(struct sim_proc *p, bool silent)
{
    if (!p->alive)
        return;
    sim_trace("kill %s%s", p->name, silent ? " silently" : "");
    p->alive = p->paused = p->turn_due = false;
    p->life++;
    p->loop = NULL;
    while (!mer_list_empty(&p->inbox)) {
        struct letter *l = MER_LIST_ENTRY(p->inbox.next, struct letter, node);
        mer_list_remove(&l->node);
        free(l);
    }
    sim_net_died(p, silent);
}

void sim_proc_pause(struct sim_proc *p, bool paused)
{
    if (!p->alive || p->paused == paused)
        return;
    sim_trace("%s %s", paused ? "pause" : "continue", p->name);
    p->paused = paused;
    *(paused ? &p->paused_us : &p->woke_us) = sim.now_us;
    p->turn_due = false;
    p->wake_serial += paused;
    if (paused)
        p->wake_us = 0;
    else
        sim_turn_soon(p);
}

struct sim_proc *sim_proc_named(const char *name)
{
    for (unsigned i = 0; i < SIM_PROCS; i++)
        if (strcmp(sim.proc[i].name, name) == 0)
            return &sim.proc[i];
    return NULL;
}

uint64_t sim_wall_ms(const struct sim_proc *p)
{
    return (uint64_t)(INT64_C(1700000000000) + (int64_t)sim_now_ms() + (p ? p->skew_ms : 0));
}

bool sim_planted(const char *name)
{
    return strcmp(sim.plant, name) == 0;
}

static void hash_line(const char *text)
{
    for (; *text; text++)
        sim.hash = (sim.hash ^ (uint8_t)*text) * 0x100000001b3u;
    sim.hash = (sim.hash ^ sim.now_us) * 0x100000001b3u;
}

void sim_trace(const char *fmt, ...)
{
    char line[512];
    va_list ap;
    if (!sim.trace && !sim.hashing)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    hash_line(line);
    if (sim.trace)
        fprintf(sim.trace, "%10.4f %s\n", (double)sim.now_us / 1e6, line);
}

void sim_fail(const char *fmt, ...)
{
    va_list ap;
    if (sim.failed)
        return;
    va_start(ap, fmt);
    vsnprintf(sim.why, sizeof(sim.why), fmt, ap);
    va_end(ap);
    sim.failed = true;
    sim_trace("FAILED %s", sim.why);
}
