/* SPDX-License-Identifier: Apache-2.0
 * play.c - what a player does in his session: asks for games, plays them well, repeats what was not answered, notes how long things took.
 *
 * A move keeps its id until it is answered: after a reconnect, after `try_again` and when nothing comes for 10 s it is said again, and the
 * server must not make it twice. What a game may and may not tell is game.c's to judge. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/journal.h"
#include "tests/load/player.h"
#include "tests/load/roam.h"

#define CM(name) Meridian__Client__V1__##name
#define SM_BODY(name) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##name
#define CM_BODY(name) MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_##name
#define CODE(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name

enum {
    SILENT_MS = 10 * 1000,
    AGAIN_MS = 500,
    STUCK_US = 10 * 1000 * 1000,
    SHORT_ROWS = 2, /* mode failover: games that end soon, because nobody goes home out of one */
    SHORT_COLS = 4,
};

/* --- saying things ------------------------------------------------------------------------------------------------------------------- */

static void send_get_game(struct load_player *p)
{
    CM(ClientMessage) m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    CM(GetGame) b = MERIDIAN__CLIENT__V1__GET_GAME__INIT;
    b.game_id = p->game->id;
    m.body_case = CM_BODY(GET_GAME);
    m.get_game = &b;
    load_player_send(p, &m);
}

static void send_find_match(struct load_player *p)
{
    CM(ClientMessage) m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    CM(FindMatch) b = MERIDIAN__CLIENT__V1__FIND_MATCH__INIT;
    b.game = (char *)"memory";
    if (p->lane) {
        b.has_rows = b.has_cols = b.has_rating = true;
        b.rows = p->lane->rows;
        b.cols = p->lane->cols;
        b.rating = p->lane->rating;
    } else if (p->roam) {
        b.has_rows = b.has_cols = true;
        b.rows = SHORT_ROWS;
        b.cols = SHORT_COLS;
    }
    m.body_case = CM_BODY(FIND_MATCH);
    m.find_match = &b;
    p->said_us = p->run->now_us;
    load_player_send(p, &m);
}

static void send_cancel(struct load_player *p)
{
    CM(ClientMessage) m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    CM(CancelMatch) b = MERIDIAN__CLIENT__V1__CANCEL_MATCH__INIT;
    if (!p->ticket[0])
        return;
    b.ticket_id = p->ticket;
    m.body_case = CM_BODY(CANCEL_MATCH);
    m.cancel_match = &b;
    load_player_send(p, &m);
}

static void send_move(struct load_player *p)
{
    CM(ClientMessage) m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    CM(Move) b = MERIDIAN__CLIENT__V1__MOVE__INIT;
    CM(Flip) flip = MERIDIAN__CLIENT__V1__FLIP__INIT;
    flip.card = p->move.card;
    b.game_id = p->game->id;
    b.move_id = p->move.id;
    b.action_case = MERIDIAN__CLIENT__V1__MOVE__ACTION_FLIP;
    b.flip = &flip;
    m.body_case = CM_BODY(MOVE);
    m.move = &b;
    load_player_send(p, &m);
    load_run_arm(p->run, &p->again, SILENT_MS);
}

/* --- what he is doing ---------------------------------------------------------------------------------------------------------------- */

static void set_doing(struct load_player *p, enum load_doing doing)
{
    struct load_run *r = p->run;
    r->playing += (doing == LOAD_PLAYING) - (p->doing == LOAD_PLAYING);
    r->seeking += (doing == LOAD_SEEKING) - (p->doing == LOAD_SEEKING);
    p->doing = (uint8_t)doing;
}

/* Without a game: wants the next one, unless the run winds down. */
static void want_game(struct load_player *p)
{
    struct load_run *r = p->run;
    set_doing(p, LOAD_NOTHING);
    p->ticket[0] = 0;
    load_lanes_done(p);
    if (p->roam && load_roam_goes_home(p))
        return;
    if (load_run_plays(r) && r->phase < LOAD_DRAIN && p->state == LOAD_UP)
        load_lanes_add(&r->lanes, p);
}

void load_play_ask(struct load_player *p)
{
    set_doing(p, LOAD_SEEKING);
    p->asked_us = p->run->now_us;
    load_journal_plain(p, "seek");
    send_find_match(p);
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

/* In the queue when it is his move, out of it when not. */
static void consider(struct load_player *p)
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
    send_move(p);
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
        send_move(p);
    } else if (p->doing == LOAD_SEEKING) {
        send_find_match(p);
    } else if (p->doing == LOAD_PLAYING && p->run->o.think_ms > 0) {
        (void)load_play_move(p, p->run->now_us);
    }
}

void load_play_init(struct load_player *p)
{
    mer_timer_init(&p->again, again);
}

static void move_ended(struct load_player *p)
{
    p->move.flying = false;
    mer_wheel_disarm(&p->run->wheel, &p->again);
}

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

/* The player is through with his game; the last one checks and forgets it. */
static void leave_game(struct load_player *p)
{
    struct load_run *r = p->run;
    struct load_game *g = p->game;
    if (p->move.flying) {
        g->unknown[p->seat]++;
        r->count.unanswered++;
        load_journal_open_move(p);
        move_ended(p);
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
        leave_game(p);
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
    set_doing(p, LOAD_PLAYING);
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
    move_ended(p);
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
        send_get_game(p);
    if (p->game->view[p->seat].over) {
        leave_game(p);
        want_game(p);
    }
}

/* His game ended while he had no connection. What became of its table he asks for, as after every absence; this only tells him that it is over. */
static void on_result(struct load_player *p, const CM(GameResult) * m)
{
    struct load_run *r = p->run;
    CM(ClientMessage) answer = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    CM(AckMessages) ack = MERIDIAN__CLIENT__V1__ACK_MESSAGES__INIT;
    r->count.results++;
    load_journal_result(p, m);
    if (m->seat >= m->n_players || m->n_scores != m->n_players || strcmp(m->players[m->seat]->user, p->user) != 0)
        load_fault(&r->faults, LOAD_FAULT_PROTOCOL, "%s is told how game %s ended, in which he had no seat", p->user, m->game_id);
    ack.seq = m->seq;
    answer.body_case = CM_BODY(ACK_MESSAGES);
    answer.ack_messages = &ack;
    load_player_send(p, &answer);
    if (p->game && strcmp(m->game_id, p->game->id) == 0)
        send_get_game(p);
}

static void on_ticket(struct load_player *p, const CM(Ticket) * t)
{
    load_journal_ticket(p, t);
    if (t->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_WAITING) {
        snprintf(p->ticket, sizeof(p->ticket), "%s", t->ticket_id);
        if (p->cancelling && p->doing == LOAD_SEEKING)
            send_cancel(p);
    } else if (t->state != MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_MATCHED && p->doing == LOAD_SEEKING) {
        p->run->count.tickets_expired += t->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_EXPIRED;
        want_game(p);
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
    move_ended(p);
    p->game->view[p->seat].lost = true; /* the table is not what he thought */
    load_game_cut(p->game, p->seat);
    send_get_game(p);
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
        leave_game(p);
        want_game(p);
    } else if (p->game && passes(e->code) && (strcmp(re, p->game->id) == 0 || strcmp(re, "get_game") == 0)) {
        send_get_game(p);
    } else if (p->doing == LOAD_SEEKING && passes(e->code)) {
        load_run_arm(r, &p->again, e->has_retry_after_ms && e->retry_after_ms ? e->retry_after_ms : AGAIN_MS);
    } else if (p->doing == LOAD_SEEKING && e->code == CODE(NO_SUCH_TICKET)) {
        want_game(p);
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
    consider(p);
}

void load_play_up(struct load_player *p, bool fresh)
{
    struct load_run *r = p->run;
    if (p->game) {
        if (fresh) {
            p->game->view[p->seat].lost = true;
            send_get_game(p); /* it may be over: then nothing follows by itself */
        }
        if (p->move.flying) {
            p->move.repeated = true;
            r->count.repeated++;
            load_journal_move(p, true);
            send_move(p);
        }
        consider(p);
    } else if (p->doing == LOAD_SEEKING) {
        if (fresh || !p->ticket[0])
            send_find_match(
                p); /* answered by the ticket, or by the game it became; replayed: what became of the ticket follows by itself */
    } else if (!load_run_plays(r)) {
        load_player_ping(p);
    } else {
        want_game(p);
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
        leave_game(p);
    p->ticket[0] = 0;
    set_doing(p, LOAD_NOTHING);
}

void load_play_cancel(struct load_player *p)
{
    p->cancelling = true;
    p->run->count.stuck += p->doing == LOAD_SEEKING && p->run->now_us - p->asked_us > STUCK_US;
    if (p->doing == LOAD_SEEKING && p->state == LOAD_UP)
        send_cancel(p);
}

void load_play_leave_all(struct load_run *r)
{
    for (uint32_t i = 0; i < r->players; i++)
        if (r->player[i].game)
            leave_game(&r->player[i]);
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
            leave_game(p);
        else if (p->doing == LOAD_SEEKING && p->state == LOAD_UP && !p->ticket[0] && !mer_timer_armed(&p->again))
            r->count.silent += r->now_us - p->said_us > STUCK_US;
    }
}
