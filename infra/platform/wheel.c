/* SPDX-License-Identifier: Apache-2.0
 * wheel.c - hierarchical timing wheel.
 *
 * A timer lies on the level of the highest 6-bit digit in which its due tick differs from now, in the slot of that digit. So every slot in
 * use lies ahead of the present digit, nothing wraps, slot 0 is never used, and the earliest slot of the lowest level in use is what comes
 * next: advance jumps from slot to slot, never tick by tick. When time enters a slot above level 0, its timers are placed again, lower.
 * What differs above the top level waits in the top level's slot 0, which is entered when that digit wraps (every 2^30 ms).
 *
 * Invariants: a bit in used[] is set iff the slot is not empty; timers in `due` have due_ms <= now_ms. */
#include <meridian/wheel.h>

#include <string.h>

enum { BITS = 6, MASK = MER_WHEEL_SLOTS - 1, TOP = MER_WHEEL_LEVELS - 1 };

void mer_wheel_init(struct mer_wheel *w, uint64_t now_ms)
{
    memset(w, 0, sizeof(*w));
    w->now_ms = now_ms;
    mer_list_init(&w->due);
    for (int level = 0; level < MER_WHEEL_LEVELS; level++)
        for (int i = 0; i < MER_WHEEL_SLOTS; i++)
            mer_list_init(&w->slot[level][i]);
}

void mer_timer_init(struct mer_timer *t, mer_timer_cb cb)
{
    mer_list_init(&t->node);
    t->due_ms = 0;
    t->cb = cb;
}

static void place(struct mer_wheel *w, struct mer_timer *t)
{
    int level, i;

    if (t->due_ms <= w->now_ms) {
        mer_list_push_back(&w->due, &t->node);
        return;
    }
    level = (63 - __builtin_clzll(t->due_ms ^ w->now_ms)) / BITS;
    i = (int)(t->due_ms >> (BITS * level)) & MASK;
    if (level > TOP) {
        level = TOP;
        i = 0;
    }
    mer_list_push_back(&w->slot[level][i], &t->node);
    w->used[level] |= 1ULL << i;
}

void mer_wheel_arm(struct mer_wheel *w, struct mer_timer *t, uint64_t due_ms)
{
    mer_wheel_disarm(w, t);
    t->due_ms = due_ms;
    w->count++;
    place(w, t);
}

void mer_wheel_disarm(struct mer_wheel *w, struct mer_timer *t)
{
    struct mer_list *head = t->node.next;

    if (!mer_timer_armed(t))
        return;
    /* the last of a slot: its only neighbour is the slot itself (or the due list, which has no bit) */
    if (head == t->node.prev && head >= &w->slot[0][0] && head <= &w->slot[TOP][MASK]) {
        size_t i = (size_t)(head - &w->slot[0][0]);
        w->used[i / MER_WHEEL_SLOTS] &= ~(1ULL << (i % MER_WHEEL_SLOTS));
    }
    mer_list_remove(&t->node);
    w->count--;
}

/* The next slot that time enters, and when; false when all are empty. */
static bool next_slot(const struct mer_wheel *w, int *level, int *slot, uint64_t *at_ms)
{
    for (int l = 0; l < MER_WHEEL_LEVELS; l++) {
        uint64_t digit = (w->now_ms >> (BITS * l)) & MASK;
        uint64_t ahead = digit == MASK ? 0 : w->used[l] & (UINT64_MAX << (digit + 1));
        uint64_t block = w->now_ms >> (BITS * (l + 1)) << (BITS * (l + 1));
        if (!ahead && !(l == TOP && (w->used[l] & 1)))
            continue;
        *level = l;
        *slot = ahead ? __builtin_ctzll(ahead) : 0;
        *at_ms = ahead ? block + ((uint64_t)*slot << (BITS * l)) : block + (1ULL << (BITS * (l + 1)));
        return true;
    }
    return false;
}

static void enter(struct mer_wheel *w, int level, int slot, uint64_t at_ms)
{
    struct mer_list moved;

    w->now_ms = at_ms;
    mer_list_init(&moved);
    mer_list_move_all(&moved, &w->slot[level][slot]);
    w->used[level] &= ~(1ULL << slot);
    while (!mer_list_empty(&moved)) {
        struct mer_timer *t = MER_LIST_ENTRY(moved.next, struct mer_timer, node);
        mer_list_remove(&t->node);
        place(w, t);
    }
}

unsigned mer_wheel_advance(struct mer_wheel *w, uint64_t now_ms, unsigned max)
{
    struct mer_list batch;
    uint64_t at_ms;
    unsigned fired = 0;
    int level, slot;

    while (next_slot(w, &level, &slot, &at_ms) && at_ms <= now_ms)
        enter(w, level, slot, at_ms);
    if (now_ms > w->now_ms)
        w->now_ms = now_ms;
    /* what callbacks arm for now waits for the next call, or a timer that re-arms itself would never let go */
    mer_list_init(&batch);
    mer_list_move_all(&batch, &w->due);
    for (; fired < max && !mer_list_empty(&batch); fired++) {
        struct mer_timer *t = MER_LIST_ENTRY(batch.next, struct mer_timer, node);
        mer_list_remove(&t->node);
        w->count--;
        t->cb(t);
    }
    mer_list_move_all(&batch, &w->due);
    mer_list_move_all(&w->due, &batch);
    return fired;
}

uint64_t mer_wheel_next_ms(const struct mer_wheel *w)
{
    uint64_t at_ms;
    int level, slot;

    if (!mer_list_empty(&w->due))
        return w->now_ms;
    return next_slot(w, &level, &slot, &at_ms) ? at_ms : UINT64_MAX;
}
