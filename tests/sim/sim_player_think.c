/* SPDX-License-Identifier: Apache-2.0
 * sim_player_think.c - see sim_player_private.h. A player thinks now and then: which card he turns, whether he looks for a game, leaves it,
 * hangs up or goes away for a while. */
#include <string.h>

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_player_private.h"

enum {
    THINK_MIN_MS = 60,
    THINK_MAX_MS = 450,
    STILL_MIN_MS = 20000, /* in a crowd */
    STILL_MAX_MS = 40000,
    ANSWER_MS = 4000, /* then the move is sent again */
    FIND_MS = 4000,
    TICKET_MS = 12000, /* the same with several regions: his edge may have died, and with it the ticket */
    KERNEL_MS = 10000, /* TCP_USER_TIMEOUT */
    MOMENT_MS = 60,
};

static bool can_flip(const struct view *v, unsigned i)
{
    return i < v->rows * v->cols && v->card[i] == CARD(DOWN);
}

/* A pair he knows, the partner of the card that lies open, or a card he has not seen. */
static uint32_t choose(const struct player *p, const struct view *v)
{
    unsigned n = v->rows * v->cols, open = SIM_PLAYER_CARDS, unknown[SIM_PLAYER_CARDS], count = 0, any = 0;
    for (unsigned i = 0; i < n; i++) {
        if (v->card[i] == CARD(UP))
            open = i;
        if (!can_flip(v, i))
            continue;
        any = i;
        if (p->face[i] < 0)
            unknown[count++] = i;
    }
    for (unsigned i = 0; i < n && !sim_chance(3); i++)
        for (unsigned k = 0; k < n; k++) {
            bool pair = i != k && can_flip(v, k) && p->face[k] >= 0 && p->face[k] == p->face[i];
            if (pair && (open == SIM_PLAYER_CARDS ? can_flip(v, i) : i == open))
                return k;
        }
    return count ? unknown[sim_below(count)] : any;
}

static unsigned up_count(const struct view *v)
{
    unsigned up = 0;
    for (unsigned i = 0; i < v->rows * v->cols; i++)
        up += v->card[i] == CARD(UP);
    return up;
}

static void play(struct player *p, struct device *d)
{
    struct view *v = &d->view;
    if (p->move[0]) {
        if (sim_now_ms() - p->sent_ms >= ANSWER_MS) {
            p->sent_ms = sim_now_ms();
            sim_say_move(d, p->move, p->move_card);
        }
        return;
    }
    if (strcmp(v->game, p->game) != 0) {
        if (sim_chance(3) && d->state == READY) {
            sim_copy(v->game, sizeof(v->game), p->game);
            v->version = UINT64_MAX / 2;
            sim_say_get_game(d);
        }
        return;
    }
    if (p->last_move[0] && sim_chance(6))
        sim_say_move(d, p->last_move, p->last_card); /* a retry nobody asked for */
    if (!v->playing || v->version == UINT64_MAX / 2 || v->turn != v->seat || up_count(v) > 1) {
        if (sim_chance(1))
            sim_say_get_game(d);
        return;
    }
    if (sim_below(1000) < 3) {
        sim_say_leave(d);
        return;
    }
    p->move_card = choose(p, v);
    snprintf(p->move, sizeof(p->move), "%s-%u", p->user, ++p->moves);
    sim_check_sent(p->user, p->game, p->move, p->move_card);
    p->sent_ms = p->moved_ms = sim_now_ms();
    p->moved_by = d;
    sim_say_move(d, p->move, p->move_card);
    if (sim_chance(15))
        sim_say_move(d, p->move, p->move_card);
}

static void seek(struct player *p, struct device *d)
{
    uint64_t now = sim_now_ms();
    if (sim_region_count > 1 && sim_friends_seek(d))
        return;
    if (p->ticket[0] && (sim_everybody.finishing || sim_below(1000) < 5) && now - p->found_ms > 1000) {
        p->found_ms = now;
        sim_say_cancel(d);
    } else if (!p->ticket[0] && !sim_everybody.finishing && p->games_left > 0 && now - p->found_ms >= FIND_MS)
        sim_say_find(d);
    else if (p->ticket[0] && now - p->ticket_ms > (sim_region_count > 1 ? TICKET_MS : 30000)) { /* does anybody still know of it? */
        p->ticket[0] = 0;
        if (sim_everybody.finishing) {
            p->found_ms = now;
            sim_say_find(d);
        }
    }
}

static void hears_nothing(void *ctx, const uint8_t *data, size_t len)
{
    (void)ctx, (void)data, (void)len;
}

static void learns_nothing(void *ctx, bool clean, const char *why)
{
    (void)ctx, (void)clean, (void)why;
}

static void on_vanished(void *ctx, uint64_t arg)
{
    (void)arg;
    sim_net_reset(ctx);
}

/* His network is gone, without a word: the edge's kernel finds out. */
static void vanish(struct device *d)
{
    static const struct sim_end_ops gone = {NULL, hears_nothing, learns_nothing};
    struct sim_end *end = d->end;
    if (d->state != READY) {
        sim_device_lost(d);
        return;
    }
    d->end = NULL;
    sim_net_take(end, &gone, NULL);
    sim_at(KERNEL_MS * 1000, on_vanished, end, 0);
    sim_device_lost(d);
}

/* Until the moment at which a timer of his seat fires, a little before or after, or somewhere between. */
static void go_away(struct player *p)
{
    uint32_t away = sim_chance(50) ? p->at->grace_ms : p->at->grace_ms + p->at->pause_ms;
    bool word = sim_chance(70);
    if (sim_chance(60))
        away += sim_below(2 * MOMENT_MS) - MOMENT_MS;
    else
        away = sim_below(away + 5000);
    p->away_ms = sim_now_ms() + away + (word ? 0 : KERNEL_MS);
    sim_trace("%s goes away for %u ms%s", p->user, away, word ? "" : " and vanishes");
    for (unsigned i = 0; i < p->devices; i++)
        if (p->device[i].end && !word)
            vanish(&p->device[i]);
        else if (p->device[i].end)
            sim_device_lost(&p->device[i]);
}

void sim_player_think(void *player, uint64_t arg)
{
    struct player *p = player;
    (void)arg;
    for (unsigned i = 0; i < p->devices; i++)
        sim_device_look_after(&p->device[i]);
    struct device *d = &p->device[sim_below(p->devices)];
    if (d->state == READY && sim_now_ms() >= p->hold_ms) {
        if (p->game[0])
            play(p, d);
        else
            seek(p, d);
        if (sim_region_count > 1 && d->end)
            sim_player_writes(d);
        if (p->game[0] && !sim_everybody.finishing && sim_below(1000) < sim_everybody.absences)
            go_away(p);
        if (sim_below(1000) < 4 && d->end) {
            sim_trace("%s.%s hangs up", p->user, d->name);
            sim_device_lost(d);
        }
    }
    bool still = sim_everybody.crowd && d->state == READY && !p->game[0] && !p->ticket[0] && p->games_left == 0;
    uint32_t pause_ms = still ? sim_between(STILL_MIN_MS, STILL_MAX_MS) : sim_between(THINK_MIN_MS, THINK_MAX_MS);
    sim_at((uint64_t)pause_ms * 1000, sim_player_think, p, 0);
}
