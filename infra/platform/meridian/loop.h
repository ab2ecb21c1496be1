/* SPDX-License-Identifier: Apache-2.0
 * loop.h - one libuv loop with what every service needs around it (C10): a cached clock, one timing wheel behind one uv timer, work
 * deferred to the end of the turn, and hooks that run once a turn just before the loop blocks (that is where batches are flushed and corked
 * writes go out).
 *
 *   turn:  wait -> read the clock -> timers (wheel) -> I/O callbacks -> closing callbacks -> deferred, hooks by phase, deferred -> wait ...
 *
 * Everything queued during a turn leaves in the same turn: hooks are run again while one of them says it made new work. */
#pragma once

#include <uv.h>

#include <meridian/clock.h>
#include <meridian/wheel.h>

struct mer_deferred {
    struct mer_list node;
    void (*cb)(struct mer_deferred *d);
};

/* Order in which turn hooks run. */
enum mer_phase {
    MER_PHASE_LOOPBACK, /* messages of a process to itself */
    MER_PHASE_STORE,    /* batches to Redis */
    MER_PHASE_LINK,     /* frames to peers */
    MER_PHASE_PLAYER,   /* corked writes to players */
    MER_PHASES
};

/* cb returns true when it did something that may have made work for an earlier phase. It may remove itself, not other hooks. */
struct mer_hook {
    struct mer_list node;
    bool (*cb)(struct mer_hook *h);
};

struct mer_loop {
    uv_loop_t uv;
    struct mer_clock clock;
    uint64_t now_ms; /* monotonic, read once a turn: after waiting, before the first callback */
    struct mer_wheel wheel;
    uv_timer_t timer;
    uint64_t timer_due_ms; /* what it is armed for; UINT64_MAX: not armed */
    uv_prepare_t prepare;
    struct mer_list deferred;
    struct mer_list hooks[MER_PHASES];
    bool stopping;
    uint64_t turn_started_us, last_turn_us;
    uint64_t longest_turn_us; /* busy time of a turn; reset by whoever reads it */
    uint64_t turns;
    uint64_t busy_us;    /* sum over all turns: load = delta / wall */
    uint64_t waited_us2; /* sum of their squares: delta / 2 / wall is how long a wake-up waits for the turn before it, on average */
};

/* wheel expiries a turn: 256 (architecture section 3). 0, or a negative libuv error. */
MER_MUST_CHECK int mer_loop_init(struct mer_loop *l, struct mer_clock clock);
/* Runs until mer_loop_stop or nothing is left (handles, requests, armed timers, deferred work). Services use this, not uv_run: only here
 * now_ms is fresh in I/O callbacks. */
void mer_loop_run(struct mer_loop *l);
/* The run ends after this turn, its deferred work and hooks included. */
void mer_loop_stop(struct mer_loop *l);
/* Closes its own handles, runs the loop until every handle has been closed, checks that none leaked. */
void mer_loop_deinit(struct mer_loop *l);

/* Once, at the end of this turn (freeing what a callback may still stand on, breaking recursion). Harmless when queued already. */
void mer_loop_defer(struct mer_loop *l, struct mer_deferred *d);
void mer_deferred_init(struct mer_deferred *d, void (*cb)(struct mer_deferred *d));
void mer_deferred_cancel(struct mer_deferred *d);
void mer_loop_hook_add(struct mer_loop *l, enum mer_phase phase, struct mer_hook *h);
void mer_loop_hook_remove(struct mer_hook *h);

void mer_loop_arm(struct mer_loop *l, struct mer_timer *t, uint64_t delay_ms);
void mer_loop_disarm(struct mer_loop *l, struct mer_timer *t);
