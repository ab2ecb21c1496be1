/* SPDX-License-Identifier: Apache-2.0
 * play.c - what a player does in his session: asks for games, plays them well, repeats what was not answered.
 *
 * A move keeps its id until it is answered: after a reconnect, after `try_again` and when nothing comes for 10 s it is said again, and the
 * server must not make it twice. Next: say.c, hear.c, game.c (which judges what a game may tell). */
#include <stdio.h>

#include "tests/load/journal.h"
#include "tests/load/play_private.h"
#include "tests/load/roam.h"

enum { STUCK_US = 10 * 1000 * 1000 };

void load__play_do(struct load_player *p, enum load_doing doing)
{
    struct load_run *r = p->run;
    r->playing += (doing == LOAD_PLAYING) - (p->doing == LOAD_PLAYING);
    r->seeking += (doing == LOAD_SEEKING) - (p->doing == LOAD_SEEKING);
    p->doing = (uint8_t)doing;
}

void load__play_want(struct load_player *p)
{
    struct load_run *r = p->run;
    load__play_do(p, LOAD_NOTHING);
    p->ticket[0] = 0;
    load_lanes_done(p);
    if (p->roam && load_roam_goes_home(p))
        return;
    if (load_run_plays(r) && r->phase < LOAD_DRAIN && p->state == LOAD_UP)
        load_lanes_add(&r->lanes, p);
}

void load_play_ask(struct load_player *p)
{
    load__play_do(p, LOAD_SEEKING);
    p->asked_us = p->run->now_us;
    load_journal_plain(p, "seek");
    load__say_find_match(p);
}

/* --think: his own time to move, instead of a place in the queue. */
static void think(struct load_player *p, bool ready)
{
    struct load_run *r = p->run;
    bool thinks = mer_timer_armed(&p->again);
    if (p->doing != LOAD_PLAYING || p->move.flying || ready == thinks)
        return;
    if (ready)
        load_run_arm(r, &p->again, r->o.think_ms / 2 + mer_rng_below(&r->rng, r->o.think_ms + 1));
    else
        mer_wheel_disarm(&r->wheel, &p->again);
}

void load__play_consider(struct load_player *p)
{
    bool ready = p->doing == LOAD_PLAYING && p->state == LOAD_UP && !p->move.flying && load_game_to_move(p->game, p->seat);
    if (p->run->o.think_ms > 0 && !p->wanted_us)
        think(p, ready);
    else if (!ready && p->doing == LOAD_PLAYING)
        mer_list_remove(&p->node);
    else if (ready && p->wanted_us)
        (void)load_play_move(p, p->wanted_us);
    else if (ready && mer_list_empty(&p->node))
        mer_list_push_back(&p->run->ready, &p->node);
    if (p->game && !p->game->view[p->seat].lost && p->game->view[p->seat].turn != p->seat)
        p->wanted_us = 0; /* the turn passed while he was away */
}

/* The opponent will see it. A sight of the same card that still waits was missed, or its move refused. */
static void expect_sight(struct load_player *p)
{
    struct load_game *g = p->game;
    for (unsigned i = 0; i < LOAD_SIGHTS; i++)
        if (g->sight[i].seat == p->seat && g->sight[i].card == p->move.card)
            g->sight[i].waiting = false;
    g->sight[g->next_sight++ % LOAD_SIGHTS] = (struct load_sight){
        .intended_us = p->move.due_us, .sent_us = p->move.sent_us, .seat = p->seat, .card = p->move.card, .waiting = true};
}

bool load_play_move(struct load_player *p, uint64_t due_us)
{
    struct load_run *r = p->run;
    struct load_game *g = p->game;
    mer_list_remove(&p->node);
    if (p->doing != LOAD_PLAYING || p->move.flying || !load_game_to_move(g, p->seat))
        return false;
    p->move.flying = true;
    p->move.repeated = false;
    p->move.card = (uint8_t)load_game_choose(g, p->seat, mer_rng_u32(&r->rng));
    p->move.due_us = due_us;
    p->move.sent_us = r->clock.mono_us(r->clock.ctx);
    snprintf(p->move.id, sizeof(p->move.id), "%s-%x-%x", r->tag, p->conn.id, p->move_number++);
    p->wanted_us = 0;
    expect_sight(p);
    r->count.moves++;
    load_journal_move(p, false);
    load__say_move(p);
    return true;
}

static void again(struct mer_timer *t)
{
    struct load_player *p = MER_CONTAINER_OF(t, struct load_player, again);
    if (p->state != LOAD_UP)
        return;
    if (p->move.flying) {
        p->move.repeated = true;
        p->run->count.repeated++;
        load_journal_move(p, true);
        load__say_move(p);
    } else if (p->doing == LOAD_SEEKING) {
        load__say_find_match(p);
    } else if (p->doing == LOAD_PLAYING && p->run->o.think_ms > 0) {
        (void)load_play_move(p, p->run->now_us);
    }
}

void load_play_init(struct load_player *p)
{
    mer_timer_init(&p->again, again);
}

void load__play_move_ended(struct load_player *p)
{
    p->move.flying = false;
    mer_wheel_disarm(&p->run->wheel, &p->again);
}

void load__play_leave(struct load_player *p)
{
    struct load_run *r = p->run;
    struct load_game *g = p->game;
    if (p->move.flying) {
        g->unknown[p->seat]++;
        r->count.unanswered++;
        load_journal_open_move(p);
        load__play_move_ended(p);
    }
    mer_list_remove(&p->node);
    load_journal_plain(p, "leave");
    p->wanted_us = 0;
    p->game = NULL;
    if (--g->playing > 0)
        return;
    load_game_check(g);
    r->count.gaps += g->gaps;
    r->count.snapshots += g->snapshots;
    r->count.games_ended++;
    mer_map_removes(&r->games, g->id);
    load_game_destroy(g);
}

void load_play_up(struct load_player *p, bool fresh)
{
    struct load_run *r = p->run;
    if (p->game) {
        if (fresh) {
            p->game->view[p->seat].lost = true;
            load__say_get_game(p); /* it may be over: then nothing follows by itself */
        }
        if (p->move.flying) {
            p->move.repeated = true;
            r->count.repeated++;
            load_journal_move(p, true);
            load__say_move(p);
        }
        load__play_consider(p);
    } else if (p->doing == LOAD_SEEKING) {
        if (fresh || !p->ticket[0])
            load__say_find_match(
                p); /* answered by the ticket, or by the game it became; replayed: what became of the ticket follows by itself */
    } else if (!load_run_plays(r)) {
        load_player_ping(p);
    } else {
        load__play_want(p);
    }
}

void load_play_down(struct load_player *p)
{
    if (p->run->o.hurry && p->doing == LOAD_PLAYING && !mer_list_empty(&p->node))
        p->wanted_us = p->run->now_us;
    load_lanes_remove(&p->run->lanes, p);
    mer_list_remove(&p->node);
    mer_wheel_disarm(&p->run->wheel, &p->again);
    if (p->game)
        load_game_cut(p->game, p->seat);
}

void load_play_leave_behind(struct load_player *p)
{
    if (p->game)
        load__play_leave(p);
    p->ticket[0] = 0;
    load__play_do(p, LOAD_NOTHING);
}

void load_play_cancel(struct load_player *p)
{
    p->cancelling = true;
    p->run->count.stuck += p->doing == LOAD_SEEKING && p->run->now_us - p->asked_us > STUCK_US;
    if (p->doing == LOAD_SEEKING && p->state == LOAD_UP)
        load__say_cancel(p);
}

void load_play_leave_all(struct load_run *r)
{
    for (uint32_t i = 0; i < r->players; i++)
        if (r->player[i].game)
            load__play_leave(&r->player[i]);
}

void load_play_finish(struct load_run *r)
{
    uint32_t pos = 0;
    for (struct load_game *g; (g = mer_map_next(&r->games, &pos)) != NULL;) {
        const struct load_view *v = g->view;
        load_fault(&r->faults, LOAD_FAULT_UNFINISHED, "game %s: versions %llu and %llu, turn of seat %u%s", g->id,
                   (unsigned long long)v[0].version, (unsigned long long)v[1].version, v[0].turn, v[0].paused ? ", paused" : "");
    }
    for (uint32_t i = 0; i < r->players; i++) {
        struct load_player *p = &r->player[i];
        if (p->game)
            load__play_leave(p);
        else if (p->doing == LOAD_SEEKING && p->state == LOAD_UP && !p->ticket[0] && !mer_timer_armed(&p->again))
            r->count.silent += r->now_us - p->said_us > STUCK_US;
    }
}
