/* SPDX-License-Identifier: Apache-2.0
 * wheel.h - hierarchical timing wheel, 5 levels of 64 slots, ticks of 1 ms: arm and disarm O(1), pure (the caller advances it).
 * Timers beyond its reach (12 days) wait and are placed again. A timer never fires early. */
#pragma once

#include <meridian/list.h>

struct mer_timer;
/* Called from mer_wheel_advance, disarmed; may arm or disarm any timer. */
typedef void (*mer_timer_cb)(struct mer_timer *t);

struct mer_timer {
    struct mer_list node;
    uint64_t due_ms;
    mer_timer_cb cb;
};

enum { MER_WHEEL_LEVELS = 5, MER_WHEEL_SLOTS = 64 };

struct mer_wheel {
    uint64_t now_ms;
    uint64_t used[MER_WHEEL_LEVELS]; /* bit a slot: not empty */
    struct mer_list slot[MER_WHEEL_LEVELS][MER_WHEEL_SLOTS];
    struct mer_list due; /* expired, waiting for their turn when advance was bounded */
    uint32_t count;
};

void mer_wheel_init(struct mer_wheel *w, uint64_t now_ms);
void mer_timer_init(struct mer_timer *t, mer_timer_cb cb);
/* Re-arms when armed. due_ms in the past fires at the next advance. */
void mer_wheel_arm(struct mer_wheel *w, struct mer_timer *t, uint64_t due_ms);
void mer_wheel_disarm(struct mer_wheel *w, struct mer_timer *t); /* harmless when not armed */
static inline bool mer_timer_armed(const struct mer_timer *t)
{
    return t->node.next != &t->node;
}
/* Fires at most `max` timers due at now_ms, in order of their due tick; what is left fires at the next call. Returns how many fired. */
unsigned mer_wheel_advance(struct mer_wheel *w, uint64_t now_ms, unsigned max);
/* When advance must be called again at the latest; UINT64_MAX when nothing is armed. May be early (slot granularity), never late. */
uint64_t mer_wheel_next_ms(const struct mer_wheel *w);
