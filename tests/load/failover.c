/* SPDX-License-Identifier: Apache-2.0
 * failover.c - mode failover: players of one region play; on SIGUSR1 it is gone, on SIGUSR2 it is back. A line on stdout says when they
 * play, when all of them are in new games elsewhere, and when all are home: whoever takes the region away waits for these. */
#include <stdio.h>

#include "tests/load/report.h"
#include "tests/load/roam.h"

enum { SECOND_US = 1000000, TURN_US = 20 * 1000, THINK_MS = 3000, PLAYING_S = 60, AGAIN_S = 60, HOME_SPARE_S = 90 };

static bool all_play(const struct load_run *r)
{
    return r->playing == r->players;
}

static bool all_again(const struct load_run *r)
{
    return r->failover.again == r->players;
}

static bool all_home(const struct load_run *r)
{
    for (uint32_t i = 0; i < r->players; i++)
        if (r->roam[i].in_region != r->roam[i].home_region || r->player[i].state != LOAD_UP)
            return false;
    return true;
}

static bool never(const struct load_run *r)
{
    (void)r;
    return false;
}

/* Turns until it is so, or told, or so long. True when it is so. */
static bool until(struct load_run *r, bool (*so)(const struct load_run *), uint32_t seconds, const struct load_told *told,
                  const volatile sig_atomic_t *sign)
{
    uint64_t end_us = r->now_us + (uint64_t)seconds * SECOND_US;
    while (!so(r) && r->now_us < end_us && !told->interrupted && !(sign && *sign))
        load_run_turn(r, r->now_us + TURN_US);
    return so(r);
}

static void say(const struct load_run *r, const char *what, bool good)
{
    printf("%s%s: %u players, %u connected, %u playing, %u in new games\n", good ? "" : "NOT ", what, r->players, r->online, r->playing,
           r->failover.again);
    fflush(stdout);
}

static void say_returns(const struct load_run *r)
{
    uint32_t most = 0, last = 0;
    for (uint32_t i = 0; i < LOAD_SECONDS; i++) {
        most = r->failover.returns[i] > most ? r->failover.returns[i] : most;
        last = r->failover.returns[i] ? i : last;
    }
    printf("returns: %u within %u s, at most %u a second where %.1f are even\n", r->failover.home, last + 1, most,
           r->o.homeward_s ? (double)r->players / r->o.homeward_s : 0);
}

/* Each phase ends the run when it fails: what would come after means nothing. */
static bool phases(struct load_run *r, struct load_told *told)
{
    bool good = load_run_arrive(r, &told->interrupted) && until(r, all_play, PLAYING_S, told, NULL);
    say(r, "playing", good);
    if (!good)
        return false;
    (void)until(r, never, r->o.seconds, told, &told->failed);
    if (!told->failed)
        return true; /* nobody took the region away: a run like any other */
    r->failover.failed_us = r->now_us = r->clock.mono_us(r->clock.ctx);
    good = until(r, all_again, AGAIN_S, told, NULL);
    say(r, "elsewhere", good);
    if (!good)
        return false;
    (void)until(r, never, r->o.seconds, told, &told->back);
    if (!told->back)
        return true;
    r->failover.back_us = r->now_us;
    good = until(r, all_home, r->o.homeward_s + 3 * r->o.look_s + HOME_SPARE_S, told, NULL);
    say_returns(r);
    say(r, "home", good);
    return good;
}

void load_run_failover(struct load_run *r, struct load_told *told)
{
    r->o.think_ms = r->o.think_ms ? r->o.think_ms : THINK_MS;
    r->phase = LOAD_STEADY;
    r->steady_from_us = r->now_us;
    r->failover.complete = phases(r, told);
    r->steady = r->count;
    r->steady_to_us = r->now_us;
    r->phase = LOAD_DONE;
    load_play_leave_all(r);
    for (uint32_t i = 0; i < r->players; i++)
        load_player_leave(&r->player[i]);
}
