/* SPDX-License-Identifier: Apache-2.0
 * loop.c - the turn.
 *
 * Why not uv_run(UV_RUN_DEFAULT): libuv waits and calls back inside one function, so nothing of ours can run between the two. A clock
 * cached at the end of the last turn would then be as old as the wait, and every timer armed in an I/O callback would fire that much too
 * early. Here the wait is our own poll(2) on the loop's descriptor; then the clock is read, then libuv runs without waiting. That is one
 * more system call a turn, saved again when the last turn was long: there is likely more to do, so libuv is asked directly.
 *
 * The hooks also run from a prepare handle, so that what timers queued leaves before I/O and a plain uv_run (tests) behaves.
 *
 * Invariants: the uv timer is armed for mer_wheel_next_ms before every wait; nobody waits while deferred work is queued. */
#include <meridian/loop.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    EXPIRIES = 256, /* timers a turn */
    ROUNDS = 8,     /* of hooks a turn; what is left goes into the next turn, which does not wait */
    LONG_TURN_US = 100,
    TURN_MAX_US = 60 * 1000 * 1000, /* of a square that is summed up: whoever is stopped longer has been stopped */
    CLOSE_ROUNDS = 64,
    CLOSE_WAIT_MS = 5 * 1000, /* for requests in libuv's threads (name resolution) */
};

static void run_deferred(struct mer_loop *l)
{
    struct mer_list batch;

    /* what they defer in turn waits for the next round, or a pair could keep each other alive for ever */
    mer_list_init(&batch);
    mer_list_move_all(&batch, &l->deferred);
    while (!mer_list_empty(&batch)) {
        struct mer_deferred *d = MER_LIST_ENTRY(batch.next, struct mer_deferred, node);
        mer_list_remove(&d->node);
        d->cb(d);
    }
}

static bool run_hooks(struct mer_loop *l)
{
    bool again = false;

    for (int phase = 0; phase < MER_PHASES; phase++) {
        MER_LIST_EACH_SAFE (node, &l->hooks[phase]) {
            struct mer_hook *h = MER_LIST_ENTRY(node, struct mer_hook, node);
            again |= h->cb(h);
        }
    }
    return again;
}

static void on_timer(uv_timer_t *timer);

static void arm_uv_timer(struct mer_loop *l, bool now)
{
    uint64_t due_ms = now ? 0 : mer_wheel_next_ms(&l->wheel), now_ms;

    if (due_ms == l->timer_due_ms)
        return;
    l->timer_due_ms = due_ms;
    if (due_ms == UINT64_MAX) {
        uv_timer_stop(&l->timer);
        return;
    }
    now_ms = mer_clock_mono_ms(&l->clock); /* the turn took time too */
    uv_update_time(&l->uv);
    uv_timer_start(&l->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

/* Deferred work, hooks, and the timer for the next wait. */
static void finish_turn(struct mer_loop *l)
{
    bool again = true;

    for (int round = 0; again && round < ROUNDS; round++) {
        run_deferred(l);
        again = run_hooks(l);
        again |= !mer_list_empty(&l->deferred); /* what is done now may queue work for the hooks */
        run_deferred(l);
    }
    arm_uv_timer(l, again);
}

static void on_timer(uv_timer_t *timer)
{
    struct mer_loop *l = timer->data;

    l->timer_due_ms = UINT64_MAX; /* a uv timer fires once */
    l->now_ms = mer_clock_mono_ms(&l->clock);
    mer_wheel_advance(&l->wheel, l->now_ms, EXPIRIES);
}

static void on_prepare(uv_prepare_t *prepare)
{
    finish_turn(prepare->data);
}

int mer_loop_init(struct mer_loop *l, struct mer_clock clock)
{
    int err;

    memset(l, 0, sizeof(*l));
    err = uv_loop_init(&l->uv);
    if (err)
        return err;
    l->clock = clock;
    l->timer_due_ms = UINT64_MAX;
    l->now_ms = mer_clock_mono_ms(&clock);
    mer_wheel_init(&l->wheel, l->now_ms);
    mer_list_init(&l->deferred);
    for (int i = 0; i < MER_PHASES; i++)
        mer_list_init(&l->hooks[i]);
    /* these three only fill in memory */
    MER_ASSERT(uv_timer_init(&l->uv, &l->timer) == 0);
    MER_ASSERT(uv_prepare_init(&l->uv, &l->prepare) == 0);
    MER_ASSERT(uv_prepare_start(&l->prepare, on_prepare) == 0);
    uv_unref((uv_handle_t *)&l->prepare);
    l->timer.data = l->prepare.data = l;
    return 0;
}

static void wait_for_events(struct mer_loop *l)
{
    struct pollfd fd = {.fd = uv_backend_fd(&l->uv), .events = POLLIN};
    int timeout_ms = uv_backend_timeout(&l->uv);

    if (timeout_ms != 0 && l->last_turn_us < LONG_TURN_US)
        poll(&fd, 1, timeout_ms); /* an interruption is an event too */
}

static void begin_turn(struct mer_loop *l)
{
    l->turn_started_us = l->clock.mono_us(l->clock.ctx);
    l->now_ms = l->turn_started_us / 1000;
    l->turns++;
}

static void account_turn(struct mer_loop *l)
{
    l->last_turn_us = l->clock.mono_us(l->clock.ctx) - l->turn_started_us;
    l->busy_us += l->last_turn_us;
    l->waited_us2 += l->last_turn_us < TURN_MAX_US ? l->last_turn_us * l->last_turn_us : (uint64_t)TURN_MAX_US * TURN_MAX_US;
    if (l->last_turn_us > l->longest_turn_us)
        l->longest_turn_us = l->last_turn_us;
}

void mer_loop_run(struct mer_loop *l)
{
    bool alive = true;

    begin_turn(l);
    finish_turn(l);
    account_turn(l);
    while (alive && !l->stopping) {
        wait_for_events(l);
        begin_turn(l);
        alive = uv_run(&l->uv, UV_RUN_NOWAIT) != 0;
        finish_turn(l);
        account_turn(l);
        alive |= uv_loop_alive(&l->uv);
    }
    l->stopping = false;
}

void mer_loop_stop(struct mer_loop *l)
{
    l->stopping = true;
    uv_stop(&l->uv); /* for those who run it plainly */
}

void mer_loop_deinit(struct mer_loop *l)
{
    struct pollfd fd = {.fd = uv_backend_fd(&l->uv), .events = POLLIN};
    int waited_ms = 0, err = UV_EBUSY;

    uv_close((uv_handle_t *)&l->timer, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    for (int round = 0; err == UV_EBUSY && (round < CLOSE_ROUNDS || (l->uv.active_reqs.count && waited_ms < CLOSE_WAIT_MS)); round++) {
        run_deferred(l);
        uv_run(&l->uv, UV_RUN_NOWAIT);
        if (l->uv.active_reqs.count)
            waited_ms += poll(&fd, 1, 10) == 0 ? 10 : 0;
        if (mer_list_empty(&l->deferred))
            err = uv_loop_close(&l->uv);
    }
    if (err)
        uv_print_all_handles(&l->uv, stderr);
    MER_ASSERT(err == 0); /* a handle was not closed */
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
    MER_ASSERT(phase < MER_PHASES);
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
