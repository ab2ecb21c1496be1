/* SPDX-License-Identifier: Apache-2.0
 * game.c - the steps of a hosted game. The contract and the picture stand in game.h, the table in life.c.
 *
 *   step:  what happened -> move() -> run(): while IDLE, the first of these that applies
 *            a doubt whose it is               -> read
 *            a `next` that is not stored yet   -> put (again)
 *            time owed to the players          -> a change: the deadline moves, game_resumed
 *            a player has come back            -> a change: his seat is his again
 *            a request that waits              -> a change, or an error to who asked
 *            the clock ran out                 -> a change: the rules' timeout
 *            a seat's clock ran out            -> a change: the game pauses, a bot takes over, or the seat is left
 *            a player has gone                 -> a change: his seat's grace begins
 *            a bot has thought                 -> a change
 *
 * Invariants: nobody is shown anything of `next`; `next` is `now` + exactly one version; requests are judged in order of arrival, before a
 * clock that ran out while they waited; while the store holds the game no clock runs out (what it cost is given back). Owner: host.c, or
 * the simulator. */
#include "edge/game/change.h"

#include <meridian/mem.h>

#define CODE(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name

/* --- life with the store ------------------------------------------------------------------------------------------- */

/* Nothing is on its way any more and nothing is left to be stored: what the wait has cost is owed. A resume that was slow itself is
 * forgiven up to the time after which players are told, or a slow store would make it chase itself. */
static void settle(struct edge_game *g, struct edge_game_time t)
{
    uint64_t held = t.mono_ms - g->held_since_ms;
    g->held_since_ms = 0;
    g->attempts = 0;
    g->frozen = false;
    if (!g->now.over && held > (g->giving_back ? EDGE_GAME_TELL_MS : EDGE_GAME_HOLD_MS))
        g->owed_ms += held;
    g->giving_back = false;
    g->change.count = 0;
}

static uint64_t backoff(struct edge_game *g)
{
    uint64_t wait = (uint64_t)EDGE_GAME_BACKOFF_MIN_MS << (g->attempts < 5 ? g->attempts : 5);
    if (g->attempts < UINT8_MAX)
        g->attempts++;
    if (wait > EDGE_GAME_BACKOFF_MAX_MS)
        wait = EDGE_GAME_BACKOFF_MAX_MS;
    return wait / 2 + mer_rng_below(&g->env->rng, (uint32_t)(wait / 2 + 1));
}

static void move(struct edge_game *g, struct edge_game_time t, enum edge_game_event e);

static void enter_putting(struct edge_game *g, struct edge_game_time t)
{
    const struct edge_game_put put = {.expected = g->now.version, .version = g->next.version, .end = g->next.over};
    if (!g->env->put(g, &put))
        move(g, t, EDGE_GAME_ON_NOT_NOW);
}

static void enter_restoring(struct edge_game *g, struct edge_game_time t)
{
    const struct edge_game_put put = {.expected = g->read_version, .version = g->now.version, .restore = true};
    g->env->note(g, EDGE_GAME_NOTE_RESTORED, 0);
    if (!g->env->put(g, &put))
        move(g, t, EDGE_GAME_ON_NOT_NOW);
}

static void enter_lost(struct edge_game *g)
{
    edge__game_drop_queue(g);
    g->has_next = false;
    g->asker.kind = EDGE_GAME_ASK_NONE;
    g->bot_due_ms = 0;
    g->env->lost(g);
}

static void enter_frozen(struct edge_game *g, struct edge_game_time t)
{
    g->retry_at_ms = t.mono_ms + EDGE_GAME_FROZEN_MS;
    if (g->frozen)
        return;
    g->frozen = true;
    g->env->note(g, EDGE_GAME_NOTE_FROZEN, 0);
}

static void move(struct edge_game *g, struct edge_game_time t, enum edge_game_event e)
{
    enum edge_game_store next;
    if (!edge_game_store_next((enum edge_game_store)g->store, e, &next)) {
        g->env->note(g, EDGE_GAME_NOTE_STRAY, (uint32_t)e);
        return;
    }
    if (g->store == EDGE_GAME_IDLE && g->held_since_ms == 0)
        g->held_since_ms = t.mono_ms;
    bool stored_next = (g->store == EDGE_GAME_PUTTING && e == EDGE_GAME_ON_STORED) || e == EDGE_GAME_ON_SEEN_NEXT;
    g->store = (uint8_t)next;
    g->retry_at_ms = 0;
    switch (next) {
    case EDGE_GAME_PUTTING:
        enter_putting(g, t);
        break;
    case EDGE_GAME_READING:
        g->doubt = false;
        if (!g->env->read(g))
            move(g, t, EDGE_GAME_ON_NOT_NOW);
        break;
    case EDGE_GAME_PUT_LATER:
    case EDGE_GAME_READ_LATER:
        g->retry_at_ms = t.mono_ms + backoff(g);
        break;
    case EDGE_GAME_RESTORING:
        enter_restoring(g, t);
        break;
    case EDGE_GAME_FROZEN:
        enter_frozen(g, t);
        break;
    case EDGE_GAME_LOST:
        enter_lost(g);
        break;
    case EDGE_GAME_IDLE:
        if (stored_next)
            edge__game_confirm(g, t);
        if (!g->has_next)
            settle(g, t);
        break;
    case EDGE_GAME_NSTATES:
        break;
    }
}

/* --- steps --------------------------------------------------------------------------------------------------------- */

static void take_request(struct edge_game *g, struct edge_game_time t)
{
    struct edge_game_ask *ask = MER_LIST_ENTRY(g->queue.next, struct edge_game_ask, node);
    mer_list_remove(&ask->node);
    g->queued--;
    edge__game_by_request(g, t, ask);
    mer_free(&ask);
}

static void run(struct edge_game *g, struct edge_game_time t)
{
    while (g->store == EDGE_GAME_IDLE) {
        if (g->doubt && !g->now.over)
            move(g, t, EDGE_GAME_ON_VERIFY);
        else if (g->has_next)
            move(g, t, EDGE_GAME_ON_CHANGE);
        else if (!g->now.over && (g->owed_ms > 0 || g->fresh))
            edge__game_by_resume(g, t);
        else if (edge__game_by_return(g, t))
            continue;
        else if (!mer_list_empty(&g->queue))
            take_request(g, t);
        else if (g->now.over)
            break;
        else if (!g->now.paused_at_ms && t.store_ms >= g->now.deadline_ms)
            edge__game_by_clock(g, t);
        else if (edge__game_by_seat_clock(g, t) || edge__game_by_drop(g, t))
            continue;
        else if (g->bot_due_ms != 0 && t.mono_ms >= g->bot_due_ms)
            edge__game_by_bot(g, t);
        else
            break;
    }
}

void edge_game_start(struct edge_game *g, struct edge_game_time t, bool claimed)
{
    uint64_t full = t.store_ms + g->rules->clock_ms(&g->now.rules);
    bool short_of = !g->now.paused_at_ms && full > g->now.deadline_ms;
    for (unsigned i = 0; i < g->seat_count; i++)
        short_of = short_of || (g->now.seat[i].due_ms && g->now.seat[i].due_ms < t.store_ms + EDGE_SEAT_ATTACH_MS);
    g->fresh = claimed && !g->now.over && short_of;
    edge__game_plan_bot(g, t);
    run(g, t);
}

static unsigned queued_of(const struct edge_game *g, unsigned seat)
{
    unsigned n = 0;
    MER_LIST_EACH (it, &g->queue)
        n += MER_LIST_ENTRY(it, struct edge_game_ask, node)->seat == seat;
    return n;
}

void edge_game_request(struct edge_game *g, struct edge_game_time t, const struct edge_game_ask *ask)
{
    MER_DASSERT(ask->seat < g->seat_count);
    if (g->store == EDGE_GAME_LOST)
        return;
    run(g, t); /* a clock that ran out before this request came goes first */
    if (edge__game_answer_now(g, ask))
        return;
    if (g->store == EDGE_GAME_IDLE) { /* nothing waits: no copy is needed */
        edge__game_by_request(g, t, ask);
        run(g, t);
        return;
    }
    if (g->queued >= EDGE_GAME_QUEUE || queued_of(g, ask->seat) >= EDGE_GAME_QUEUE_SEAT) {
        edge__game_refuse(g, ask, CODE(RATE_LIMITED), EDGE_GAME_HOLD_MS);
        return;
    }
    struct edge_game_ask *copy = mer_try_malloc(sizeof(*copy));
    if (!copy) {
        edge__game_refuse(g, ask, CODE(TRY_AGAIN), EDGE_GAME_HOLD_MS);
        return;
    }
    *copy = *ask;
    mer_list_push_back(&g->queue, &copy->node);
    g->queued++;
}

static void tell_paused(struct edge_game *g)
{
    struct edge_game_message m;
    const Meridian__Client__V1__ServerMessage *message = &m.m;
    g->paused = true;
    g->env->note(g, EDGE_GAME_NOTE_PAUSED, 0);
    edge__game_paused(g, &m);
    g->env->publish(g, NULL, NULL, &message, 1);
}

/* Those who have waited long enough are told to try again. Their move may still be stored: the same moveId then gets its move_ok. */
static void give_up(struct edge_game *g, struct edge_game_time t)
{
    if (g->has_next && g->asker.kind != EDGE_GAME_ASK_NONE && !g->asker.told && t.mono_ms >= g->asker.until_ms) {
        g->asker.told = true;
        edge__game_refuse(g, &g->asker, CODE(TRY_AGAIN), EDGE_GAME_BACKOFF_MAX_MS);
    }
    MER_LIST_EACH_SAFE (it, &g->queue) {
        struct edge_game_ask *ask = MER_LIST_ENTRY(it, struct edge_game_ask, node);
        if (t.mono_ms < ask->until_ms)
            continue;
        mer_list_remove(it);
        g->queued--;
        edge__game_refuse(g, ask, CODE(TRY_AGAIN), EDGE_GAME_BACKOFF_MAX_MS);
        mer_free(&ask);
    }
}

void edge_game_tick(struct edge_game *g, struct edge_game_time t)
{
    if (g->store == EDGE_GAME_LOST)
        return;
    if (g->held_since_ms != 0) {
        if (!g->paused && !g->now.over && t.mono_ms - g->held_since_ms >= EDGE_GAME_TELL_MS)
            tell_paused(g);
        give_up(g, t);
    }
    if (g->retry_at_ms != 0 && t.mono_ms >= g->retry_at_ms)
        move(g, t, EDGE_GAME_ON_TIMER);
    run(g, t);
}

void edge_game_present(struct edge_game *g, struct edge_game_time t, unsigned seat, bool present)
{
    MER_DASSERT(seat < g->seat_count);
    g->present = (uint8_t)(present ? g->present | 1u << seat : g->present & ~(1u << seat));
    if (g->store != EDGE_GAME_LOST)
        run(g, t);
}

void edge_game_put_done(struct edge_game *g, struct edge_game_time t, enum edge_game_event outcome)
{
    move(g, t, outcome);
    run(g, t);
}

void edge_game_read_done(struct edge_game *g, struct edge_game_time t, enum edge_game_event outcome, bool mine, uint64_t version)
{
    g->read_version = version;
    if (outcome != EDGE_GAME_ON_STORED)
        move(g, t, outcome);
    else if (!mine)
        move(g, t, EDGE_GAME_ON_FENCED);
    else if (version < g->now.version)
        move(g, t, EDGE_GAME_ON_SEEN_OLD);
    else if (version == g->now.version)
        move(g, t, EDGE_GAME_ON_SEEN_NOW);
    else
        move(g, t, g->has_next && version == g->next.version ? EDGE_GAME_ON_SEEN_NEXT : EDGE_GAME_ON_SEEN_ODD);
    run(g, t);
}

void edge_game_verify(struct edge_game *g, struct edge_game_time t)
{
    if (g->store == EDGE_GAME_IDLE && !g->now.over)
        move(g, t, EDGE_GAME_ON_VERIFY);
}

void edge_game_doubt(struct edge_game *g)
{
    g->doubt = !g->now.over && g->store != EDGE_GAME_LOST;
}

void edge_game_slept(struct edge_game *g, struct edge_game_time t, uint64_t slept_ms)
{
    const struct edge_game_state *s = &g->now;
    uint64_t soon = t.store_ms + slept_ms;
    if (s->over || g->store != EDGE_GAME_IDLE)
        return; /* what the store held is given back by itself */
    bool short_of = !s->paused_at_ms && s->deadline_ms <= soon;
    for (unsigned i = 0; i < g->seat_count; i++)
        short_of = short_of || (s->seat[i].due_ms && s->seat[i].due_ms <= soon);
    if (short_of)
        g->owed_ms += slept_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t edge_game_next_ms(const struct edge_game *g, struct edge_game_time t)
{
    uint64_t at = UINT64_MAX;
    if (g->store == EDGE_GAME_LOST)
        return at;
    if (g->store == EDGE_GAME_IDLE) {
        uint64_t due = g->now.over || g->now.paused_at_ms ? UINT64_MAX : g->now.deadline_ms;
        for (unsigned i = 0; i < g->seat_count; i++)
            due = g->now.seat[i].due_ms ? earlier(due, g->now.seat[i].due_ms) : due;
        if (due != UINT64_MAX)
            at = t.mono_ms + (due > t.store_ms ? due - t.store_ms : 0);
        return g->bot_due_ms != 0 ? earlier(at, g->bot_due_ms) : at;
    }
    if (!g->paused && !g->now.over)
        at = g->held_since_ms + EDGE_GAME_TELL_MS;
    if (g->retry_at_ms != 0)
        at = earlier(at, g->retry_at_ms);
    if (g->has_next && g->asker.kind != EDGE_GAME_ASK_NONE && !g->asker.told)
        at = earlier(at, g->asker.until_ms);
    MER_LIST_EACH (it, &g->queue)
        at = earlier(at, MER_LIST_ENTRY(it, struct edge_game_ask, node)->until_ms);
    return at;
}
