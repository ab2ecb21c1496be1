/* SPDX-License-Identifier: Apache-2.0
 * sim_crowd.c - see sim_crowd.h. The same object code and the same invariants as in a seed; but of the games only a sample is noted and
 * checked to the last card, of all others that they end, and that nobody owns one twice. In the midst of it an edge dies with all its
 * players, and later a Redis primary. */
#include "tests/sim/sim_crowd.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_player.h"
#include "tests/sim/sim_redis.h"

enum {
    PLAYERS_AN_EDGE = 10000,
    EDGES_MIN = 4,
    ARRIVALS_A_SECOND = 4000,
    RAMP_MIN_MS = 10 * 1000,
    ACTIVE_PERCENT = 10,
    GAMES_EACH = 4,
    SETTLE_MS = 10 * 1000,
    EDGE_DIES_MS = 15 * 1000, /* from the moment all are there */
    EDGE_BACK_MS = 20 * 1000,
    PRIMARY_DIES_MS = 35 * 1000,
    PRIMARY_BACK_MS = 43 * 1000,
    PLAY_MS = 60 * 1000,
    END_MS = 600 * 1000,
    STEP_MS = 5000,
    NOTED_GAMES = 200,
};

static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static double rss_mb(void)
{
    unsigned long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static void tell(const char *what, double began_cpu_s, double began_ms)
{
    struct sim_players n;
    sim_players_count(&n);
    double cpu = cpu_s() - began_cpu_s, virtual_s = ((double)sim_now_ms() - began_ms) / 1000;
    printf("%-22s %7.1f s of virtual time in %6.1f s of CPU; %u connected, %u wait for a match, %u play, %llu moves; %.0f MB\n", what,
           virtual_s, cpu, n.connected, n.waiting, n.playing, (unsigned long long)n.moves, rss_mb());
    fflush(stdout);
}

static void run_until(uint64_t ms, bool (*done)(void))
{
    while (!sim.failed && sim_now_ms() < ms && !(done && done())) {
        uint64_t next = sim_now_ms() + STEP_MS;
        sim_world_run((next < ms ? next : ms) * 1000);
        if (!sim.failed)
            sim_check_owners();
    }
}

static void phase(const char *what, uint64_t until_ms, bool (*done)(void))
{
    double cpu = cpu_s(), ms = (double)sim_now_ms();
    run_until(until_ms, done);
    tell(what, cpu, ms);
}

static bool all_done(void)
{
    return sim_players_done() && sim_check_all_over() && sim_cluster_well(region->redis);
}

static void on_edge(void *ctx, uint64_t dies)
{
    (void)ctx;
    if (dies)
        sim_proc_kill(region->edge[0], false);
    else
        sim_region_start(region->edge[0]);
}

static void on_primary(void *ctx, uint64_t dies)
{
    struct sim_proc *p = region->node[0];
    (void)ctx;
    if (dies) {
        sim_proc_kill(p, false);
        sim_cluster_wake(region->redis);
    } else {
        sim_region_start(p);
        sim_cluster_restarted(p->user);
    }
}

static unsigned edges_for(unsigned players)
{
    unsigned edges = (players + PLAYERS_AN_EDGE - 1) / PLAYERS_AN_EDGE;
    return edges < EDGES_MIN ? EDGES_MIN : edges > SIM_EDGES ? SIM_EDGES : edges;
}

static void check_end(unsigned players)
{
    struct sim_players n;
    sim_players_count(&n);
    sim_check_end();
    if (!sim.failed && !sim_players_done()) {
        char text[400];
        sim_players_explain(text, sizeof(text));
        sim_fail("players wait for ever:%s", text);
    }
    if (!sim.failed && n.connected < players - players / 100)
        sim_fail("only %u of %u players are connected in the end", n.connected, players);
}

int sim_crowd(uint64_t seed, unsigned players)
{
    unsigned edges = edges_for(players), games = players * ACTIVE_PERCENT / 100 * GAMES_EACH / 2;
    uint32_t ramp_ms = players / ARRIVALS_A_SECOND * 1000;
    double cpu = cpu_s(), before = rss_mb();
    if (ramp_ms < RAMP_MIN_MS)
        ramp_ms = RAMP_MIN_MS;
    sim_world_init(seed, "", NULL);
    sim_check_init();
    sim_check_sample(games / NOTED_GAMES);
    sim_region_init(edges);
    sim_players_crowd(players, ACTIVE_PERCENT, GAMES_EACH, ramp_ms);
    printf("%u players, %u edges, seed %llu\n", players, edges, (unsigned long long)seed);
    phase("they arrive", ramp_ms + SETTLE_MS, NULL);
    printf("%.0f bytes a player: edge, Redis, both ends of the connection and the player himself\n", (rss_mb() - before) * 1e6 / players);
    sim_at((uint64_t)EDGE_DIES_MS * 1000, on_edge, NULL, 1);
    sim_at((uint64_t)EDGE_BACK_MS * 1000, on_edge, NULL, 0);
    sim_at((uint64_t)PRIMARY_DIES_MS * 1000, on_primary, NULL, 1);
    sim_at((uint64_t)PRIMARY_BACK_MS * 1000, on_primary, NULL, 0);
    phase("an edge and a primary die", sim_now_ms() + PLAY_MS, NULL);
    sim_players_finish();
    phase("to the last game", sim_now_ms() + END_MS, all_done);
    if (!sim.failed)
        check_end(players);
    printf("%s; %llu games checked to the last card, %llu of their moves; %llu steps, %.1f virtual seconds a CPU second, at most %.0f MB\n",
           sim.failed ? sim.why : "no invariant was broken", (unsigned long long)sim_counts.games, (unsigned long long)sim_counts.moves,
           (unsigned long long)sim.steps, (double)sim_now_ms() / 1000 / (cpu_s() - cpu), rss_mb());
    return sim.failed;
}
