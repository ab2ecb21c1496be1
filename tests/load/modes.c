/* SPDX-License-Identifier: Apache-2.0
 * modes.c - idle players and arriving ones. Idle: authenticated, one pong answered, then nothing but the server's pings; what the edges
 * grew by in memory is divided by the players. */
#include <stdio.h>

#include "tests/load/player.h"
#include "tests/load/report.h"

enum { SECOND_US = 1000000, SETTLE_S = 2, ENDING_S = 2 };

static void measure(struct load_run *r, const char *when)
{
    load_sample_take(&r->after, &r->o, &r->endpoints, r->now_us);
    load_report_memory(r, when);
}

void load_run_idle(struct load_run *r, volatile sig_atomic_t *interrupted)
{
    char when[32];
    load_sample_take(&r->before, &r->o, &r->endpoints, r->now_us);
    (void)load_run_arrive(r, interrupted);
    load_report_arrived(r);
    load_run_for(r, (uint64_t)SETTLE_S * SECOND_US, interrupted);
    measure(r, "connected");
    for (uint32_t cycle = 1; cycle <= r->o.cycles && !*interrupted; cycle++) {
        for (uint32_t i = cycle & 1; i < r->players; i += 2)
            load_player_drop(&r->player[i], SECOND_US / 1000 + mer_rng_below(&r->rng, r->o.ramp_s * 1000 + 1));
        (void)load_run_arrive(r, interrupted);
        load_run_for(r, (uint64_t)SETTLE_S * SECOND_US, interrupted);
        snprintf(when, sizeof(when), "cycle %u", cycle);
        measure(r, when);
    }
    load_run_for(r, (uint64_t)r->o.seconds * SECOND_US, interrupted);
    measure(r, "at the end");
    r->phase = LOAD_DONE;
    for (uint32_t i = 0; i < r->players; i++)
        load_player_leave(&r->player[i]);
}

void load_run_connect(struct load_run *r, volatile sig_atomic_t *interrupted)
{
    uint64_t from_us = r->now_us, end_us = from_us + (uint64_t)r->o.seconds * SECOND_US, made = 0;
    load_sample_take(&r->before, &r->o, &r->endpoints, r->now_us);
    while (r->now_us < end_us && !*interrupted) {
        while (from_us + made * SECOND_US / r->o.rate <= r->now_us) {
            struct load_player *p = &r->player[made++ % r->players];
            if (p->state != LOAD_DOWN || mer_timer_armed(&p->timer)) { /* more at once than --players: told as a failure */
                r->count.connect_failures++;
                continue;
            }
            p->gone_for_good = p->measured = true;
            p->session[0] = 0;
            load_player_connect(p);
        }
        load_run_turn(r, from_us + made * SECOND_US / r->o.rate);
    }
    r->steady = r->count;
    r->steady_from_us = from_us;
    r->steady_to_us = r->now_us;
    load_sample_take(&r->after, &r->o, &r->endpoints, r->now_us);
    load_run_for(r, (uint64_t)ENDING_S * SECOND_US, interrupted);
    r->phase = LOAD_DONE;
}
