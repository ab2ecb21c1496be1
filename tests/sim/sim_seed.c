/* SPDX-License-Identifier: Apache-2.0
 * sim_seed.c - see sim_seed.h. */
#include "tests/sim/sim_seed.h"

#include <string.h>

#include "tests/sim/sim_faults.h"
#include "tests/sim/sim_player.h"
#include "tests/sim/sim_redis.h"

enum {
    STEP_MS = 250,
    SEATS_MS = 1000,
    FAR_MOVES = 40,
    MOVES_A_GAME = 10,   /* the smallest board needs six */
    MAILS_A_REGION = 15, /* of at least 48 that are written there */
    ENOUGH_MS = 120 * 1000,
    PLAY_MIN_MS = 30 * 1000,
    DRAIN_MS = 600 * 1000, /* three lost turns of each player of a game nobody plays any more, and the pauses between */
};

static void run_until(uint64_t ms, bool (*done)(void))
{
    while (!sim.failed && sim_now_ms() < ms && !(done && done())) {
        sim_world_run(sim.now_us + STEP_MS * 1000);
        if (!sim.failed)
            sim_check_owners();
        if (!sim.failed && sim_region_count > 1) {
            sim_check_troubles();
            if (sim_now_ms() % SEATS_MS < STEP_MS) {
                sim_check_seats();
                sim_check_friends();
            }
        }
        for (unsigned k = 0; k < sim_region_count && !sim.failed && sim.managed; k++)
            sim_check_electable(sim_regions[k].redis);
    }
}

static bool all_done(void)
{
    for (unsigned k = 0; k < sim_region_count; k++)
        if (!sim_cluster_well(sim_regions[k].redis))
            return false;
    return sim_players_done() && sim_check_all_over() && sim_mail_all_settled();
}

/* Games across regions, or nobody wants one any more. */
static bool enough(void)
{
    return sim_counts.far_moves >= FAR_MOVES || all_done();
}

/* Every region has its part in a game with another one. */
struct sim_least sim_seed_least(unsigned regions)
{
    unsigned games = (regions + 1) / 2;
    return (struct sim_least){.far_games = games, .far_moves = (uint64_t)games * MOVES_A_GAME, .mails = (uint64_t)regions * MAILS_A_REGION};
}

/* Where there was less than the least across regions, all want one game more, and only there: where two regions were apart for long, nearly
 * all may have had theirs at home. */
static void play_until_enough(unsigned regions)
{
    struct sim_least least = sim_seed_least(regions);
    uint64_t until = sim_now_ms() + ENOUGH_MS;
    do {
        if (sim_players_far_games() < least.far_games || sim_counts.far_moves < least.far_moves)
            sim_players_once_more();
        run_until(until, enough);
    } while (!sim.failed && sim_now_ms() < until && sim_counts.far_moves < least.far_moves);
}

void sim_seed_run(struct sim_result *r, uint64_t seed, const struct sim_order *o)
{
    sim_world_init(seed, o->plant, o->trace ? stdout : NULL);
    sim.managed = !o->unmanaged;
    sim.hashing = o->twice;
    sim_check_init();
    if (o->regions > 1) {
        sim_regions_init(o->regions, sim_between(1, 2));
        sim_players_init(sim_between(4, 5), 2);
        sim_faults_start(sim_between(5, 10));
    } else {
        sim_region_init(sim_between(2, SIM_EDGES_FEW));
        sim_players_init(sim_between(20, 30), 2);
        sim_faults_start(sim_between(5, 9));
    }
    run_until(PLAY_MIN_MS, NULL);
    run_until(DRAIN_MS, sim_faults_over);
    uint64_t over_ms = sim_now_ms();
    run_until(sim_now_ms() + PLAY_MIN_MS / 2, NULL);
    if (o->regions > 1)
        play_until_enough(o->regions);
    sim_players_finish();
    run_until(sim_now_ms() + DRAIN_MS, all_done);
    if (!sim.failed)
        sim_check_end();
    if (!sim.failed)
        sim_mail_check_end();
    if (!sim.failed && o->regions > 1)
        sim_friends_check_end();
    char text[400];
    if (!sim.failed && !sim_players_done()) {
        sim_players_explain(text, sizeof(text));
        sim_fail("players wait for ever:%s", text);
    }
    for (unsigned k = 0; k < sim_region_count && !sim.failed; k++)
        if (!sim_cluster_well(sim_regions[k].redis)) {
            sim_cluster_explain(sim_regions[k].redis, text, sizeof(text));
            sim_fail("everything has healed, and Redis is not whole: %s", text);
        }
    *r = (struct sim_result){.seed = seed,
                             .hash = sim.hash,
                             .virtual_ms = sim_now_ms(),
                             .steps = sim.steps,
                             .end_ms = sim_now_ms() - over_ms,
                             .faults = sim_faults_count(),
                             .failed = sim.failed,
                             .counts = sim_counts};
    snprintf(r->why, sizeof(r->why), "%s", sim.why);
}
