/* SPDX-License-Identifier: Apache-2.0
 * sim_check_far.c - what holds among regions at any moment: a ticket becomes one game, so nobody sits in two that are not over, wherever
 * they lie; and games at home do not feel what happens between regions. */
#include <stdlib.h>
#include <string.h>

#include "edge/app.h"
#include "edge/game/abroad.h"
#include "meridian/state/v1/state.pb-c.h"
#include "tests/sim/sim_check_private.h"
#include "tests/sim/sim_player.h"
#include "tests/sim/sim_redis.h"

enum {
    SITTING = 64,
    LONG_MS = EDGE_ABROAD_GIVE_UP_MS - 10 * 1000, /* less what it takes to find each other again */
    CLAIMED_MS = 90 * 1000,                       /* once they see each other again, each of its games has an owner */
    CALM_MS = 25 * 1000,                          /* after the last trouble everything has found its place */
    PACE_MS = 1500,                               /* a slow turn, two slow lines and a WAIT */
};

struct sitting {
    char user[16], game[SIM_ID];
};
struct seats {
    struct sitting at[SITTING];
    unsigned count;
};

/* --- who sits where ------------------------------------------------------------------------------------------------------------------- */

static bool owner_lives(const struct sim_region *host, const char *incarnation)
{
    for (unsigned i = 0; i < host->edges; i++) {
        const struct edge_app *app = sim_edge_app(host->edge[i]);
        if (app && strcmp(app->incarnation, incarnation) == 0)
            return true;
    }
    return false;
}

/* Since its record was made another edge has claimed it, or will have to. */
static bool lost_its_owner(const struct sim_region *host, const struct sim_key *game)
{
    return strtoull(sim_key_field(game, "e"), NULL, 10) > game->history[0].epoch || !owner_lives(host, sim_key_field(game, "o"));
}

/* The player's own edge may have given his seat up. Who owns the game all the while has seen to the seat by then. But who claims it
 * meanwhile or later, when the host is back, begins anew to wait for everybody, as his policy says: nothing of the game leads back to the
 * edge that gave the seat up, and that edge keeps nothing of it (decision 19). */
static bool may_be_given_up(const char *user, const struct sim_region *host)
{
    const struct sim_region *home = sim_player_home(user);
    uint64_t now = sim_now_ms(), policy_ms = EDGE_SEAT_ATTACH_MS + host->grace_ms + host->pause_ms;
    if (!home || home == host)
        return false;
    uint64_t apart_ms = home->apart_ms[host->index], joined_ms = home->joined_ms[host->index];
    return (apart_ms && now - apart_ms > LONG_MS) || (joined_ms && now - joined_ms < CLAIMED_MS + policy_ms);
}

bool sim_far_given_up(const char *user, const char *game)
{
    const struct sim_region *home = sim_player_home(user), *host = sim_region_named(game, strcspn(game, "."));
    if (!home || !host)
        return false;
    uint64_t apart_ms = home->apart_ms[host->index];
    return home->joined_ms[host->index] > 0 || (apart_ms && sim_now_ms() - apart_ms > LONG_MS);
}

static void sits(struct seats *all, const char *user, const char *game)
{
    for (unsigned i = 0; i < all->count; i++)
        if (strcmp(all->at[i].user, user) == 0 && strcmp(all->at[i].game, game) != 0)
            sim_fail("%s sits in %s and in %s", user, all->at[i].game, game);
    if (all->count < SITTING) {
        sim_copy(all->at[all->count].user, sizeof(all->at[0].user), user);
        sim_copy(all->at[all->count++].game, SIM_ID, game);
    }
}

/* Who was given up, or is replaced by a bot until he is back, may play elsewhere. */
static bool is_taken(const Meridian__State__V1__SeatRecord *s)
{
    return s->kind != MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_BOT && s->phase != MERIDIAN__STATE__V1__SEAT_PHASE__SEAT_PHASE_LEFT &&
           s->absence != MERIDIAN__STATE__V1__SEAT_ABSENCE__SEAT_ABSENCE_BOT;
}

static void look(void *ctx, const struct sim_key *key)
{
    if (strncmp(key->name->data, "game:", 5) != 0 || key->stored == 0 || strcmp(sim_key_field(key, "x"), "1") == 0)
        return;
    const char *id = strrchr(key->name->data, ':') + 1;
    const struct sim_region *host = sim_region_named(id, strcspn(id, "."));
    const struct sim_str *s = key->history[key->stored - 1].record;
    Meridian__State__V1__GameRecord *r = meridian__state__v1__game_record__unpack(NULL, s->len, (const uint8_t *)s->data);
    bool lost = host && lost_its_owner(host, key);
    for (size_t i = 0; r && !r->over && i < r->n_seats; i++)
        if (is_taken(r->seats[i]) && !(lost && may_be_given_up(r->seats[i]->user, host)))
            sits(ctx, r->seats[i]->user, r->game_id);
    if (r)
        meridian__state__v1__game_record__free_unpacked(r, NULL);
}

void sim_check_seats(void)
{
    struct seats all = {.count = 0};
    sim_check_keys(look, &all);
}

/* --- what goes on between regions, and what is felt within -----------------------------------------------------------------------------
 */

/* A region that is there and none of whose edges can answer is as far as one that is not. */
static bool has_edge(const struct sim_region *r, const struct sim_proc *leader)
{
    for (unsigned i = 0; i < r->edges; i++)
        if (r->edge[i]->alive && !r->edge[i]->paused && sim_net_passes(r->edge[i], leader) && sim_net_passes(leader, r->edge[i]))
            return true;
    return false;
}

/* Only leaders talk to other regions: a router in a region whose Redis is dead is no way there. */
static bool see_each_other(const struct sim_region *a, const struct sim_region *b)
{
    for (unsigned i = 0; i < SIM_ROUTERS; i++)
        for (unsigned k = 0; k < SIM_ROUTERS; k++)
            if (sim_router_leads(a->router[i]) && sim_router_leads(b->router[k]) && sim_net_passes(a->router[i], b->router[k]) &&
                sim_net_passes(b->router[k], a->router[i]) && has_edge(a, a->router[i]) && has_edge(b, b->router[k]))
                return true;
    return false;
}

static void note_apart(struct sim_region *a, const struct sim_region *b)
{
    uint64_t now = sim_now_ms(), *since_ms = &a->apart_ms[b->index];
    if (!see_each_other(a, b)) {
        *since_ms = *since_ms ? *since_ms : now;
        return;
    }
    if (*since_ms && now - *since_ms > LONG_MS)
        a->joined_ms[b->index] = now;
    *since_ms = 0;
}

void sim_check_troubles(void)
{
    for (unsigned k = 0; k < sim_region_count; k++) {
        struct sim_region *r = &sim_regions[k];
        if (r->troubles > 0 || !sim_cluster_well(r->redis))
            r->troubled_ms = sim_now_ms();
        for (unsigned o = 0; o < sim_region_count; o++)
            if (o != k)
                note_apart(r, &sim_regions[o]);
    }
}

void sim_check_pace(struct sim_region *at, const char *game, uint64_t sent_ms)
{
    if (sim_region_count < 2 || strchr(game, '.') || at->troubled_ms + CALM_MS > sent_ms)
        return;
    sim_counts.paced++;
    if (sim_now_ms() - sent_ms > PACE_MS)
        sim_fail("a move in %s took %llu ms, and nothing is wrong inside %s", game, (unsigned long long)(sim_now_ms() - sent_ms), at->name);
}
