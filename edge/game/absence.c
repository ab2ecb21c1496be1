/* SPDX-License-Identifier: Apache-2.0
 * absence.c - the changes a game makes because its players come and go (R20, R21): which seat moves (seat.h), what the others are told, and
 * when the game stands still.
 *
 * The shell says who is there; here the difference to the stored states becomes one change a seat. So a player who is gone for less time
 * than a put takes was never gone, and of a return and a timer at the same moment the one that is stored first has happened: the other is
 * judged against its result. Bots do not play alone: with nobody left who may still come back to a seat of his own, the game is abandoned.
 * Owner: game.c. */
#include "edge/game/change.h"

#define REASON(name) MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_##name

bool edge_game_bot_plays(const struct edge_game *g, unsigned seat)
{
    return g->seats[seat].bot || g->now.seat[seat].state == EDGE_SEAT_BOT;
}

uint32_t edge_game_paused_for_ms(const struct edge_game_state *s, uint64_t store_ms)
{
    uint64_t until = store_ms;
    for (unsigned i = 0; i < EDGE_RULES_SEATS; i++)
        if (s->seat[i].state == EDGE_SEAT_PAUSED && s->seat[i].due_ms > until)
            until = s->seat[i].due_ms;
    return (uint32_t)(until - store_ms);
}

static unsigned paused_seats(const struct edge_game_state *s)
{
    unsigned seats = 0;
    for (unsigned i = 0; i < EDGE_RULES_SEATS; i++)
        seats |= (unsigned)(s->seat[i].state == EDGE_SEAT_PAUSED) << i;
    return seats;
}

void edge__game_pause(struct edge_game *g, struct edge_game_time t)
{
    struct edge_game_state *s = &g->next;
    unsigned paused = paused_seats(s);
    if (s->over)
        return;
    if (paused & ~paused_seats(&g->now)) {
        if (!s->paused_at_ms)
            s->paused_at_ms = t.store_ms;
        edge_rules_event(&g->change, EDGE_EVENT_PAUSED, 0)->for_ms = edge_game_paused_for_ms(s, t.store_ms);
    } else if (!paused && s->paused_at_ms) {
        s->deadline_ms += t.store_ms > s->paused_at_ms ? t.store_ms - s->paused_at_ms : 0;
        s->paused_at_ms = 0;
        edge_rules_event(&g->change, EDGE_EVENT_RESUMED, 0);
    }
}

static void give_back(struct edge_game *g, struct edge_game_time t, unsigned seat)
{
    bool from_bot = g->now.seat[seat].state == EDGE_SEAT_BOT;
    edge__game_begin(g);
    edge_seat_move(&g->next.seat[seat], EDGE_SEAT_ON_RETURN, t.store_ms, &g->env->seats);
    if (from_bot && g->rules->seat_bot)
        g->rules->seat_bot(&g->next.rules, seat, false);
    edge_rules_event(&g->change, from_bot ? EDGE_EVENT_HANDED_BACK : EDGE_EVENT_RECONNECTED, seat);
    edge__game_complete(g, t);
}

bool edge__game_by_return(struct edge_game *g, struct edge_game_time t)
{
    for (unsigned i = 0; !g->now.over && i < g->seat_count; i++) {
        uint8_t state = g->now.seat[i].state;
        if (!(g->present >> i & 1) || state == EDGE_SEAT_SEATED || state == EDGE_SEAT_LEFT)
            continue;
        give_back(g, t, i);
        return true;
    }
    return false;
}

bool edge__game_by_drop(struct edge_game *g, struct edge_game_time t)
{
    for (unsigned i = 0; i < g->seat_count; i++) {
        if ((g->present >> i & 1) || g->seats[i].bot || g->now.seat[i].state != EDGE_SEAT_SEATED)
            continue;
        edge__game_begin(g);
        edge_seat_move(&g->next.seat[i], EDGE_SEAT_ON_DROP, t.store_ms, &g->env->seats);
        edge_rules_event(&g->change, EDGE_EVENT_DROPPED, i);
        edge__game_complete(g, t);
        return true;
    }
    return false;
}

bool edge__game_attended_without(const struct edge_game *g, unsigned seat)
{
    for (unsigned i = 0; i < g->seat_count; i++)
        if (i != seat && !g->seats[i].bot && edge_seat_attended(&g->now.seat[i]))
            return true;
    return false;
}

static void give_up(struct edge_game *g, struct edge_game_time t, unsigned seat)
{
    if (!edge__game_attended_without(g, seat)) {
        edge__game_end(g, REASON(ABANDONED));
    } else if (g->env->seats.abandon) {
        edge__game_leave(g, t, seat, EDGE_SEAT_ON_ABANDON, REASON(ABANDONED));
    } else {
        edge_seat_move(&g->next.seat[seat], EDGE_SEAT_ON_TIMER, t.store_ms, &g->env->seats);
        if (g->rules->seat_bot)
            g->rules->seat_bot(&g->next.rules, seat, true);
        edge_rules_event(&g->change, EDGE_EVENT_TAKEN_OVER, seat);
    }
}

bool edge__game_by_seat_clock(struct edge_game *g, struct edge_game_time t)
{
    unsigned first = EDGE_RULES_NO_SEAT;
    for (unsigned i = 0; i < g->seat_count; i++) {
        const struct edge_seat *s = &g->now.seat[i];
        if (s->due_ms && t.store_ms >= s->due_ms && (first == EDGE_RULES_NO_SEAT || s->due_ms < g->now.seat[first].due_ms))
            first = i;
    }
    if (first == EDGE_RULES_NO_SEAT)
        return false;
    edge__game_begin(g);
    if (g->now.seat[first].state == EDGE_SEAT_GRACE)
        edge_seat_move(&g->next.seat[first], EDGE_SEAT_ON_TIMER, t.store_ms, &g->env->seats); /* the pause tells it */
    else
        give_up(g, t, first);
    edge__game_complete(g, t);
    return true;
}
