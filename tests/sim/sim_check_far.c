/* SPDX-License-Identifier: Apache-2.0
 * sim_check_far.c - what holds among regions at any moment: a ticket becomes one game, so nobody sits in two that are not over, wherever
 * they lie; and games at home do not feel what happens between regions. */
#include <string.h>

#include "edge/game/abroad.h"
#include "meridian/state/v1/state.pb-c.h"
#include "tests/sim/sim_check_private.h"
#include "tests/sim/sim_redis.h"

enum {
    SITTING = 64,
    LONG_MS = EDGE_ABROAD_GIVE_UP_MS - 10 * 1000, /* less what it takes to die and to come back */
    CLAIMED_MS = 90 * 1000,                       /* once it is back, each of its games has an owner again */
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

/* Who was given up, or is replaced by a bot until he is back, may play elsewhere. */
static void sits(struct seats *all, const Meridian__State__V1__SeatRecord *s, const char *game)
{
    if (s->kind == MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_BOT || s->phase == MERIDIAN__STATE__V1__SEAT_PHASE__SEAT_PHASE_LEFT ||
        s->absence == MERIDIAN__STATE__V1__SEAT_ABSENCE__SEAT_ABSENCE_BOT)
        return;
    for (unsigned i = 0; i < all->count; i++)
        if (strcmp(all->at[i].user, s->user) == 0 && strcmp(all->at[i].game, game) != 0)
            sim_fail("%s sits in %s and in %s", s->user, all->at[i].game, game);
    if (all->count < SITTING) {
        sim_copy(all->at[all->count].user, sizeof(all->at[0].user), s->user);
        sim_copy(all->at[all->count++].game, SIM_ID, game);
    }
}

/* Its records are older than what others have concluded from its silence. Nothing in them names the edge that gave a seat up, and that edge
 * keeps nothing of a game it has given up (decision 19): so once the region is back, who claims the game waits for its player as for
 * anybody, and only then his seat is a bot's, or left. */
static bool is_given_up(const struct sim_region *r)
{
    uint64_t now = sim_now_ms(), brought_up_to_date_ms = CLAIMED_MS + EDGE_SEAT_ATTACH_MS + r->grace_ms + r->pause_ms;
    bool dead = r->died_ms > r->back_ms, was_dead = r->back_ms > r->died_ms + LONG_MS && now - r->back_ms < brought_up_to_date_ms;
    return dead ? now - r->died_ms > LONG_MS : was_dead;
}

static void look(void *ctx, const struct sim_key *key)
{
    if (strncmp(key->name->data, "game:", 5) != 0 || key->stored == 0 || strcmp(sim_key_field(key, "x"), "1") == 0)
        return;
    const char *id = strrchr(key->name->data, ':') + 1;
    const struct sim_region *host = sim_region_named(id, strcspn(id, "."));
    if (host && is_given_up(host))
        return;
    const struct sim_str *s = key->history[key->stored - 1].record;
    Meridian__State__V1__GameRecord *r = meridian__state__v1__game_record__unpack(NULL, s->len, (const uint8_t *)s->data);
    for (size_t i = 0; r && !r->over && i < r->n_seats; i++)
        sits(ctx, r->seats[i], r->game_id);
    if (r)
        meridian__state__v1__game_record__free_unpacked(r, NULL);
}

void sim_check_seats(void)
{
    struct seats all = {.count = 0};
    sim_check_keys(look, &all);
}

void sim_check_troubles(void)
{
    for (unsigned k = 0; k < sim_region_count; k++)
        if (sim_regions[k].troubles > 0 || !sim_cluster_well(sim_regions[k].redis))
            sim_regions[k].troubled_ms = sim_now_ms();
}

void sim_check_pace(struct sim_region *at, const char *game, uint64_t sent_ms)
{
    if (sim_region_count < 2 || strchr(game, '.') || at->troubled_ms + CALM_MS > sent_ms)
        return;
    sim_counts.paced++;
    if (sim_now_ms() - sent_ms > PACE_MS)
        sim_fail("a move in %s took %llu ms, and nothing is wrong inside %s", game, (unsigned long long)(sim_now_ms() - sent_ms), at->name);
}
