/* SPDX-License-Identifier: Apache-2.0
 * sim_told.c - an invariant of the edges among themselves: who lost a game says nothing more of it. Once a claim is confirmed, no other
 * edge tells players a version older than the claimed one, nor one older than what its new owner told before.
 *
 * Watched where an owner speaks: the linker's --wrap puts these functions before the product's. What was asked of the store before the
 * claim may be answered, and told, until the call's deadline is over: that is no more than a message that was long on its way.
 *
 * And another of the same kind: who was paused does not take that for the absence of players who never left him. */
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "edge/bus/bus.h"
#include "edge/game/change.h"
#include "edge/store/store.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_check.h"
#include "tests/sim/sim_player.h"

enum { WAY_US = 2000000, TOLD = 64, SLOTS = 512, AWAKE_US = 2500000, SETTLED_US = 3000000 };

struct told_game {
    struct told_game *next;
    char id[104];
    const struct sim_proc *owner; /* by the last claim */
    uint32_t life;                /* of its process */
    uint64_t claimed_us, version;
    struct {
        uint64_t at_us, version;
    } told[TOLD]; /* by that owner; a ring */
    unsigned told_count;
};
static struct told_game *games[SLOTS];

static struct told_game *game_of(const char *id, bool make)
{
    uint32_t h = 2166136261u;
    for (const char *c = id; *c; c++)
        h = (h ^ (uint8_t)*c) * 16777619u;
    struct told_game **slot = &games[h % SLOTS];
    for (struct told_game *g = *slot; g; g = g->next)
        if (strcmp(g->id, id) == 0)
            return g;
    if (!make)
        return NULL;
    struct told_game *g = mer_xcalloc(1, sizeof(*g));
    sim_copy(g->id, sizeof(g->id), id);
    g->next = *slot;
    return *slot = g;
}

/* --- claims --------------------------------------------------------------------------------------------------------------------------- */

struct claim {
    edge_store_game_cb cb;
    void *ctx;
    char id[104];
};

static void on_claimed(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct claim c = *(struct claim *)ctx;
    free(ctx);
    if (result == EDGE_STORE_OK) {
        struct told_game *g = game_of(c.id, true);
        g->owner = sim.current;
        g->life = sim.current->life;
        g->claimed_us = sim.now_us;
        g->version = stored->version;
        g->told_count = 0;
        sim_trace("%s has claimed %s at version %llu", sim.current->name, c.id, (unsigned long long)stored->version);
        sim_counts.adopted++;
    }
    c.cb(c.ctx, result, stored);
}

enum mer_err __real_edge_store_game_claim(struct edge_store *s, const char *gid, const struct edge_fence *seen, const char *owner,
                                          uint64_t nonce, edge_store_game_cb cb, void *ctx);
enum mer_err __wrap_edge_store_game_claim(struct edge_store *s, const char *gid, const struct edge_fence *seen, const char *owner,
                                          uint64_t nonce, edge_store_game_cb cb, void *ctx);
enum mer_err __wrap_edge_store_game_claim(struct edge_store *s, const char *gid, const struct edge_fence *seen, const char *owner,
                                          uint64_t nonce, edge_store_game_cb cb, void *ctx)
{
    struct claim *c = mer_xcalloc(1, sizeof(*c));
    c->cb = cb;
    c->ctx = ctx;
    sim_copy(c->id, sizeof(c->id), gid);
    enum mer_err err = __real_edge_store_game_claim(s, gid, seen, owner, nonce, on_claimed, c);
    if (err != MER_OK)
        free(c);
    return err;
}

/* --- what is told --------------------------------------------------------------------------------------------------------------------- */

static bool is_answer_about_no_state(const Meridian__Client__V1__ServerMessage *m)
{
    if (m->body_case == MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_GAME_PAUSED)
        return m->game_paused->reason == MERIDIAN__CLIENT__V1__PAUSE_REASON__PAUSE_REASON_STORAGE;
    return m->body_case == MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_ERROR &&
           (m->error->code == MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_TRY_AGAIN ||
            m->error->code == MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_RATE_LIMITED);
}

static bool tells_of_a_state(const Meridian__Internal__V1__SeatEvents *e)
{
    bool tells = e->reply && !is_answer_about_no_state(e->reply->message);
    for (size_t i = 0; i < e->n_messages; i++)
        tells = tells || !is_answer_about_no_state(e->messages[i]);
    return tells;
}

static void told(const char *id, uint64_t version)
{
    struct told_game *g = game_of(id, false);
    if (!g)
        return;
    if (g->owner == sim.current && g->life == sim.current->life) {
        unsigned at = g->told_count++ % TOLD;
        g->told[at].at_us = sim.now_us;
        g->told[at].version = version;
        return;
    }
    if (version < g->version)
        sim_fail("%s tells version %llu of %s, which %s has claimed at version %llu", sim.current->name, (unsigned long long)version, id,
                 g->owner->name, (unsigned long long)g->version);
    for (unsigned i = 0; i < g->told_count && i < TOLD; i++)
        if (version < g->told[i].version && sim.now_us - g->told[i].at_us > WAY_US)
            sim_fail("%s tells version %llu of %s; its owner %s told version %llu %.1f s ago", sim.current->name,
                     (unsigned long long)version, id, g->owner->name, (unsigned long long)g->told[i].version,
                     (double)(sim.now_us - g->told[i].at_us) / 1e6);
}

enum mer_err __real_edge_bus_send(struct edge_bus *b, const char *to, Meridian__Internal__V1__BusMessage *m);
enum mer_err __wrap_edge_bus_send(struct edge_bus *b, const char *to, Meridian__Internal__V1__BusMessage *m);
enum mer_err __wrap_edge_bus_send(struct edge_bus *b, const char *to, Meridian__Internal__V1__BusMessage *m)
{
    if (m->body_case == MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SEAT_SNAPSHOT)
        told(m->seat_snapshot->game_id, m->seat_snapshot->version);
    else if (m->body_case == MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SEAT_EVENTS && tells_of_a_state(m->seat_events))
        told(m->seat_events->game_id, m->seat_events->version);
    return __real_edge_bus_send(b, to, m);
}

/* --- absence -------------------------------------------------------------------------------------------------------------------------- */

bool __real_edge__game_by_drop(struct edge_game *g, struct edge_game_time t);
bool __wrap_edge__game_by_drop(struct edge_game *g, struct edge_game_time t);
bool __wrap_edge__game_by_drop(struct edge_game *g, struct edge_game_time t)
{
    const struct sim_proc *p = sim.current;
    bool dropped = __real_edge__game_by_drop(g, t), woke = p->woke_us > 0 && sim.now_us - p->woke_us < AWAKE_US;
    for (unsigned i = 0; dropped && woke && i < g->seat_count; i++) {
        bool he = g->now.seat[i].state == EDGE_SEAT_SEATED && g->next.seat[i].state != EDGE_SEAT_SEATED;
        if (he && p->paused_us > SETTLED_US && sim_player_stays(g->seats[i].user, g->id, p, p->paused_us - SETTLED_US))
            sim_fail("%s woke up and drops %s out of %s, who has been there all the time", p->name, g->seats[i].user, g->id);
    }
    return dropped;
}
