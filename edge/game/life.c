/* SPDX-License-Identifier: Apache-2.0
 * life.c - the table of a game's life with the store; the picture stands in game.h, the meaning of every answer in architecture section 4
 * ("Unknown outcome, one table").
 *
 * IDLE means that nothing is on its way, not that nothing is left to do: a `next` that was not stored is put again from there. That keeps
 * "put again" in one place, whatever led to it. Only LOST is for good. */
#include "edge/game/game.h"

#define NONE EDGE_GAME_NSTATES /* cannot come */
#define S(name) EDGE_GAME_##name

static const uint8_t next[EDGE_GAME_NSTATES][EDGE_GAME_NEVENTS] = {
    /*               CHANGE      VERIFY      STORED   NOT_NOW        UNSURE         FENCED   ABSENT     SEEN_NEXT SEEN_NOW SEEN_OLD SEEN_ODD
       TIMER */
    [S(IDLE)] = {S(PUTTING), S(READING), NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE},
    [S(PUTTING)] = {NONE, NONE, S(IDLE), S(PUT_LATER), S(READING), S(LOST), S(FROZEN), NONE, NONE, NONE, NONE, NONE},
    [S(PUT_LATER)] = {NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, S(PUTTING)},
    [S(READING)] = {NONE, NONE, NONE, S(READ_LATER), S(READ_LATER), S(LOST), S(FROZEN), S(IDLE), S(IDLE), S(RESTORING), S(FROZEN), NONE},
    [S(READ_LATER)] = {NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, S(READING)},
    [S(RESTORING)] = {NONE, NONE, S(IDLE), S(READ_LATER), S(READ_LATER), S(LOST), S(FROZEN), NONE, NONE, NONE, NONE, NONE},
    [S(FROZEN)] = {NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, S(READING)},
    [S(LOST)] = {NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE},
};

#define X(name) #name,
static const char *const store_names[] = {EDGE_GAME_STATES(X)};
static const char *const event_names[] = {EDGE_GAME_EVENTS(X)};
#undef X

const char *edge_game_store_name(enum edge_game_store s)
{
    return s < EDGE_GAME_NSTATES ? store_names[s] : "?";
}

const char *edge_game_event_name(enum edge_game_event e)
{
    return e < EDGE_GAME_NEVENTS ? event_names[e] : "?";
}

bool edge_game_store_next(enum edge_game_store s, enum edge_game_event e, enum edge_game_store *out)
{
    if (s >= EDGE_GAME_NSTATES || e >= EDGE_GAME_NEVENTS || next[s][e] == NONE)
        return false;
    *out = (enum edge_game_store)next[s][e];
    return true;
}

void edge_game_check(const struct edge_game *g)
{
    const struct edge_game_state *s = &g->now;
    unsigned here = (unsigned)g->seat_count - (unsigned)__builtin_popcount(s->left);
    unsigned queued = 0;
    MER_LIST_EACH (it, &g->queue)
        queued++;
    MER_ASSERT(queued == g->queued && queued <= EDGE_GAME_QUEUE);
    MER_ASSERT(s->version >= 1 && (!g->has_next || g->next.version == s->version + 1));
    MER_ASSERT(s->over == (s->deadline_ms == 0) && s->over == (s->reason != 0));
    MER_ASSERT(s->over || (here >= 2 && !(s->left >> g->rules->turn(&s->rules) & 1)));
    bool paused = false;
    for (unsigned i = 0; i < g->seat_count; i++) {
        const struct edge_seat *seat = &s->seat[i];
        bool waits = seat->state == EDGE_SEAT_GRACE || seat->state == EDGE_SEAT_PAUSED;
        paused = paused || seat->state == EDGE_SEAT_PAUSED;
        MER_ASSERT((seat->state == EDGE_SEAT_LEFT) == (s->left >> i & 1));
        MER_ASSERT((seat->due_ms != 0) == (waits && !s->over));
        MER_ASSERT(!g->seats[i].bot || seat->state == EDGE_SEAT_SEATED || seat->state == EDGE_SEAT_LEFT);
    }
    MER_ASSERT((s->paused_at_ms != 0) == (paused && !s->over));
    MER_ASSERT(!s->paused_at_ms || g->bot_due_ms == 0);
    MER_ASSERT(g->store == EDGE_GAME_LOST || (g->store == EDGE_GAME_IDLE) == (g->held_since_ms == 0));
    MER_ASSERT(g->store != EDGE_GAME_IDLE || (!g->has_next && queued == 0)); /* run() leaves nothing undone */
    bool waits = g->store == EDGE_GAME_PUT_LATER || g->store == EDGE_GAME_READ_LATER || g->store == EDGE_GAME_FROZEN;
    MER_ASSERT(waits == (g->retry_at_ms != 0));
    MER_ASSERT(g->store != EDGE_GAME_PUTTING || g->has_next);
}
