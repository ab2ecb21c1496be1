/* SPDX-License-Identifier: Apache-2.0
 * say.c - what a player says to his edge. */
#include "tests/load/play_private.h"

#define CM(name) Meridian__Client__V1__##name
#define CM_BODY(name) MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_##name

enum {
    SILENT_MS = 10 * 1000,
    SHORT_ROWS = 2, /* mode failover: games that end soon, because nobody goes home out of one */
    SHORT_COLS = 4,
};

void load__say_get_game(struct load_player *p)
{
    CM(ClientMessage) m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    CM(GetGame) b = MERIDIAN__CLIENT__V1__GET_GAME__INIT;
    b.game_id = p->game->id;
    m.body_case = CM_BODY(GET_GAME);
    m.get_game = &b;
    load_player_send(p, &m);
}

void load__say_find_match(struct load_player *p)
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

void load__say_cancel(struct load_player *p)
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

void load__say_move(struct load_player *p)
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

void load__say_ack_messages(struct load_player *p, uint64_t seq)
{
    CM(ClientMessage) m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    CM(AckMessages) b = MERIDIAN__CLIENT__V1__ACK_MESSAGES__INIT;
    b.seq = seq;
    m.body_case = CM_BODY(ACK_MESSAGES);
    m.ack_messages = &b;
    load_player_send(p, &m);
}
