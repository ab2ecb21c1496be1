/* SPDX-License-Identifier: Apache-2.0
 * hear.c - what a player hears from his edge, and what he notes of it. What a game may and may not tell is game.c's to judge. */
#include <stdio.h>
#include <string.h>

#include "tests/load/journal.h"
#include "tests/load/play_private.h"
#include "tests/load/roam.h"

#define CM(name) Meridian__Client__V1__##name
#define SM_BODY(name) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##name
#define CODE(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name

enum { AGAIN_MS = 500 };

/* --- games --------------------------------------------------------------------------------------------------------------------------- */

static struct load_player *opponent(const struct load_player *p)
{
    for (unsigned i = 0; i < p->game->seats; i++)
        if (i != p->seat && p->game->player[i])
            return p->game->player[i];
    return NULL;
}

static bool across(const struct load_player *p)
{
    const struct load_player *other = opponent(p);
    return other && other->edge != p->edge;
}

static struct load_game *game_of(struct load_run *r, const char *id, unsigned seats)
{
    struct load_game *g = mer_map_gets(&r->games, id);
    if (g)
        return g;
    g = load_game_create(id, seats, &r->faults);
    MER_ASSERT(g && mer_map_put(&r->games, g) == MER_OK); /* memory of our own machine */
    r->count.games_started++;
    return g;
}

static void on_matched(struct load_player *p, const CM(Matched) * m)
{
    struct load_run *r = p->run;
    if (p->game && strcmp(p->game->id, m->game_id) == 0) {
        load_journal_plain(p, "matched");
        load_game_sit(p->game, p->seat, p);
        return;
    }
    if (m->n_players < 2 || m->n_players > LOAD_SEATS || m->seat >= m->n_players || strlen(m->game_id) > 96) {
        load_fault(&r->faults, LOAD_FAULT_PROTOCOL, "%s is matched to seat %u of %zu", p->user, m->seat, m->n_players);
        return;
    }
    if (p->game) {
        load_fault(&r->faults, LOAD_FAULT_UNFINISHED, "%s is seated in game %s while game %s is not over", p->user, m->game_id,
                   p->game->id);
        load__play_leave(p);
    }
    if (p->doing == LOAD_SEEKING)
        load_run_time(r, LOAD_TIME_MATCHED, p->asked_us);
    load_lanes_remove(&r->lanes, p);
    load_lanes_done(p);
    mer_wheel_disarm(&r->wheel, &p->again);
    p->ticket[0] = 0;
    p->game = game_of(r, m->game_id, (unsigned)m->n_players);
    p->seat = (uint8_t)m->seat;
    if (strcmp(m->players[m->seat]->user, p->user) != 0 || p->game->player[p->seat])
        load_fault(&r->faults, LOAD_FAULT_PROTOCOL, "game %s: seat %u is told to be %s and is given to %s", m->game_id, m->seat,
                   m->players[m->seat]->user, p->user);
    load_game_sit(p->game, p->seat, p);
    p->game->playing++;
    load_journal_sit(p);
    load__play_do(p, LOAD_PLAYING);
    if (p->roam)
        load_roam_matched(p);
    if (opponent(p)) {
        r->count.matches_cross += across(p);
        r->count.matches_same += !across(p);
    }
}

/* An opponent's card is on this player's screen. */
static void on_flip_seen(struct load_player *p, const CM(CardFlipped) * f)
{
    struct load_run *r = p->run;
    struct load_game *g = p->game;
    if (f->seat == p->seat)
        return;
    for (unsigned i = 0; i < LOAD_SIGHTS; i++) { /* oldest first */
        struct load_sight *s = &g->sight[(g->next_sight + i) % LOAD_SIGHTS];
        if (!s->waiting || s->seat != f->seat || s->card != f->card)
            continue;
        s->waiting = false;
        if (load_run_measures(r, s->intended_us)) {
            load_run_time(r, across(p) ? LOAD_TIME_SEEN_CROSS : LOAD_TIME_SEEN_SAME, s->intended_us);
            load_run_time(r, LOAD_TIME_SENT_SEEN, s->sent_us);
        }
        return;
    }
}

static void on_move_ok(struct load_player *p, const CM(MoveOk) * ok)
{
    struct load_run *r = p->run;
    load_journal_ok(p, ok);
    if (!p->game || !p->move.flying || strcmp(ok->move_id, p->move.id) != 0) {
        r->count.stray++; /* the second answer to a move that was said twice */
        return;
    }
    load_game_acked(p->game, p->seat, p->move.card, ok->version, !p->move.repeated);
    r->count.moves_ok++;
    load_hist_add(&r->second_ok, r->clock.mono_us(r->clock.ctx) - p->move.due_us);
    if (load_run_measures(r, p->move.due_us)) {
        load_run_time(r, across(p) ? LOAD_TIME_OK_CROSS : LOAD_TIME_OK_SAME, p->move.due_us);
        load_run_time(r, LOAD_TIME_SENT_OK, p->move.sent_us);
        load_hist_add(&r->time[LOAD_TIME_LATE], p->move.sent_us - p->move.due_us);
    }
    load__play_move_ended(p);
}

static void on_game(struct load_player *p, const char *id, const CM(ServerMessage) * m)
{
    struct load_run *r = p->run;
    if (!p->game || strcmp(id, p->game->id) != 0) {
        r->count.stray++; /* of a game that is over, for example the answer to a get_game */
        return;
    }
    load_journal_told(p, m);
    if (m->body_case == SM_BODY(CARD_FLIPPED))
        on_flip_seen(p, m->card_flipped);
    r->count.missed_pairs += m->body_case == SM_BODY(PAIR_MISSED) && m->pair_missed->seat == p->seat;
    r->count.pauses += m->body_case == SM_BODY(GAME_PAUSED);
    if (load_game_message(p->game, p->seat, m) == LOAD_GAP)
        load__say_get_game(p);
    if (p->game->view[p->seat].over) {
        load__play_leave(p);
        load__play_want(p);
    }
}

/* His game ended while he had no connection. What became of its table he asks for, as after every absence; this only tells him that it is
 * over. */
static void on_result(struct load_player *p, const CM(GameResult) * m)
{
    struct load_run *r = p->run;
    r->count.results++;
    load_journal_result(p, m);
    if (m->seat >= m->n_players || m->n_scores != m->n_players || strcmp(m->players[m->seat]->user, p->user) != 0)
        load_fault(&r->faults, LOAD_FAULT_PROTOCOL, "%s is told how game %s ended, in which he had no seat", p->user, m->game_id);
    load__say_ack_messages(p, m->seq);
    if (p->game && strcmp(m->game_id, p->game->id) == 0)
        load__say_get_game(p);
}

static void on_ticket(struct load_player *p, const CM(Ticket) * t)
{
    load_journal_ticket(p, t);
    if (t->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_WAITING) {
        snprintf(p->ticket, sizeof(p->ticket), "%s", t->ticket_id);
        if (p->cancelling && p->doing == LOAD_SEEKING)
            load__say_cancel(p);
    } else if (t->state != MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_MATCHED && p->doing == LOAD_SEEKING) {
        p->run->count.tickets_expired += t->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_EXPIRED;
        load__play_want(p);
    }
}

/* --- errors -------------------------------------------------------------------------------------------------------------------------- */

static bool passes(CM(ErrorCode) code)
{
    return code == CODE(TRY_AGAIN) || code == CODE(RATE_LIMITED) || code == CODE(OVERLOADED) || code == CODE(INTERNAL);
}

static void on_move_refused(struct load_player *p, const CM(Error) * e)
{
    struct load_run *r = p->run;
    if (passes(e->code)) {
        load_run_arm(r, &p->again, e->has_retry_after_ms && e->retry_after_ms ? e->retry_after_ms : AGAIN_MS);
        return;
    }
    r->count.refused++;
    load_journal_refused(p, e->code);
    load__play_move_ended(p);
    p->game->view[p->seat].lost = true; /* the table is not what he thought */
    load_game_cut(p->game, p->seat);
    load__say_get_game(p);
}

static void on_error(struct load_player *p, const CM(Error) * e)
{
    struct load_run *r = p->run;
    const char *re = e->re ? e->re : "";
    if (p->move.flying && strcmp(re, p->move.id) == 0) {
        on_move_refused(p, e);
    } else if (p->game && e->code == CODE(NO_SUCH_GAME) && strcmp(re, p->game->id) == 0) {
        load_fault(&r->faults, LOAD_FAULT_GAME_LOST, "%s: game %s is not known any more", p->user, p->game->id);
        load_journal_plain(p, "gone");
        load__play_leave(p);
        load__play_want(p);
    } else if (p->game && passes(e->code) && (strcmp(re, p->game->id) == 0 || strcmp(re, "get_game") == 0)) {
        load__say_get_game(p);
    } else if (p->doing == LOAD_SEEKING && passes(e->code)) {
        load_run_arm(r, &p->again, e->has_retry_after_ms && e->retry_after_ms ? e->retry_after_ms : AGAIN_MS);
    } else if (p->doing == LOAD_SEEKING && e->code == CODE(NO_SUCH_TICKET)) {
        load__play_want(p);
    }
}

/* --- the way in ---------------------------------------------------------------------------------------------------------------------- */

#define GAME_MESSAGE(NAME, member) \
    case SM_BODY(NAME): \
        on_game(p, m->member->game_id, m); \
        break;

void load_play_message(struct load_player *p, const CM(ServerMessage) * m)
{
    switch ((int)m->body_case) {
    case SM_BODY(TICKET):
        on_ticket(p, m->ticket);
        break;
    case SM_BODY(MATCHED):
        on_matched(p, m->matched);
        break;
    case SM_BODY(MOVE_OK):
        on_move_ok(p, m->move_ok);
        break;
    case SM_BODY(ERROR):
        on_error(p, m->error);
        break;
    case SM_BODY(GAME_RESULT):
        on_result(p, m->game_result);
        break;
    case SM_BODY(PONG):
        if (p->measured)
            load_player_leave(p);
        break;
        GAME_MESSAGE(GAME_STATE, game_state)
        GAME_MESSAGE(CARD_FLIPPED, card_flipped)
        GAME_MESSAGE(PAIR_FOUND, pair_found)
        GAME_MESSAGE(PAIR_MISSED, pair_missed)
        GAME_MESSAGE(TURN_CHANGED, turn_changed)
        GAME_MESSAGE(PLAYER_DROPPED, player_dropped)
        GAME_MESSAGE(PLAYER_RECONNECTED, player_reconnected)
        GAME_MESSAGE(SEAT_TAKEN_OVER, seat_taken_over)
        GAME_MESSAGE(SEAT_HANDED_BACK, seat_handed_back)
        GAME_MESSAGE(SEAT_LEFT, seat_left)
        GAME_MESSAGE(GAME_PAUSED, game_paused)
        GAME_MESSAGE(GAME_RESUMED, game_resumed)
        GAME_MESSAGE(GAME_OVER, game_over)
    default:
        load_fault(&p->run->faults, LOAD_FAULT_PROTOCOL, "%s got a message of kind %d", p->user, (int)m->body_case);
    }
    load__play_consider(p);
}
