/* SPDX-License-Identifier: Apache-2.0
 * message.c - what players are told about a game: messages of the player's protocol made from the confirmed state, in storage of the caller
 * (no heap).
 *
 * Nothing here looks into the rules' state: cards come from rules->view, which hides what lies down. Next: game.c. */
#include <string.h>

#include "edge/game/game.h"

#define CODE(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name

static const char *error_text(Meridian__Client__V1__ErrorCode code)
{
    switch ((int)code) {
    case CODE(NO_SUCH_GAME):
        return "there is no such game for you";
    case CODE(NOT_YOUR_TURN):
        return "it is not your turn";
    case CODE(ILLEGAL_MOVE):
        return "this card cannot be turned now";
    case CODE(GAME_OVER):
        return "the game is over";
    case CODE(MOVE_CONFLICT):
        return "this moveId was used for another move";
    case CODE(RATE_LIMITED):
        return "too many moves are waiting";
    case CODE(TRY_AGAIN):
        return "the move could not be made now: send it again";
    case CODE(BAD_FIELD):
        return "a field is missing or out of range";
    default:
        return "something went wrong here";
    }
}

void edge_game_error(struct edge_game_answer *a, Meridian__Client__V1__ErrorCode code, const char *re, uint32_t retry_after_ms)
{
    meridian__client__v1__server_message__init(&a->m);
    Meridian__Client__V1__Error *e = &a->body.error;
    meridian__client__v1__error__init(e);
    e->code = code;
    e->message = (char *)error_text(code);
    e->re = (char *)re;
    e->has_retry_after_ms = retry_after_ms > 0;
    e->retry_after_ms = retry_after_ms;
    a->m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_ERROR;
    a->m.error = e;
}

void edge__game_move_ok(struct edge_game_answer *a, const struct edge_game *g, const char *move_id, uint64_t version)
{
    meridian__client__v1__server_message__init(&a->m);
    Meridian__Client__V1__MoveOk *ok = &a->body.ok;
    meridian__client__v1__move_ok__init(ok);
    ok->game_id = (char *)g->id;
    ok->move_id = (char *)move_id;
    ok->version = version;
    a->m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_MOVE_OK;
    a->m.move_ok = ok;
}

/* Protocol: `winners` holds every seat with the top score; of an abandoned game (R21) every such seat that was not given up. */
static size_t winners(const struct edge_game *g, const uint32_t scores[EDGE_RULES_SEATS], uint32_t out[EDGE_RULES_SEATS])
{
    uint8_t out_of_it = g->now.reason == MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_ABANDONED ? g->now.left : 0;
    uint32_t top = 0;
    size_t n = 0;
    for (unsigned i = 0; i < g->seat_count; i++)
        top = scores[i] > top && !(out_of_it >> i & 1) ? scores[i] : top;
    for (unsigned i = 0; i < g->seat_count; i++)
        if (scores[i] == top && !(out_of_it >> i & 1))
            out[n++] = i;
    return n;
}

/* Sets body case, inits the body and fills the two fields all of them share. */
#define BODY(out, CASE, member, name) \
    ((out)->m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##CASE, meridian__client__v1__##name##__init(&(out)->body.member), \
     (out)->body.member.game_id = (char *)g->id, (out)->body.member.version = g->now.version, &(out)->body.member)

static void pair_message(const struct edge_game *g, const struct edge_event *e, struct edge_game_message *out)
{
    memcpy(out->cards, e->cards, sizeof(out->cards));
    g->rules->scores(&g->now.rules, out->scores);
    if (e->kind == EDGE_EVENT_FOUND) {
        Meridian__Client__V1__PairFound *b = BODY(out, PAIR_FOUND, found, pair_found);
        b->seat = e->seat;
        b->n_cards = 2, b->cards = out->cards;
        b->n_scores = g->seat_count, b->scores = out->scores;
        out->m.pair_found = b;
    } else {
        Meridian__Client__V1__PairMissed *b = BODY(out, PAIR_MISSED, missed, pair_missed);
        b->seat = e->seat;
        b->n_cards = 2, b->cards = out->cards;
        b->n_scores = g->seat_count, b->scores = out->scores;
        out->m.pair_missed = b;
    }
}

static void over_message(const struct edge_game *g, struct edge_game_message *out)
{
    Meridian__Client__V1__GameOver *b = BODY(out, GAME_OVER, over, game_over);
    g->rules->scores(&g->now.rules, out->scores);
    b->n_scores = g->seat_count, b->scores = out->scores;
    b->n_winners = winners(g, out->scores, out->winners), b->winners = out->winners;
    b->reason = (Meridian__Client__V1__OverReason)g->now.reason;
    out->m.game_over = b;
}

void edge__game_message(const struct edge_game *g, const struct edge_event *e, struct edge_game_message *out)
{
    meridian__client__v1__server_message__init(&out->m);
    switch ((enum edge_event_kind)e->kind) {
    case EDGE_EVENT_FLIPPED: {
        Meridian__Client__V1__CardFlipped *b = BODY(out, CARD_FLIPPED, flipped, card_flipped);
        b->seat = e->seat;
        b->card = e->cards[0];
        b->face = e->face;
        out->m.card_flipped = b;
        break;
    }
    case EDGE_EVENT_FOUND:
    case EDGE_EVENT_MISSED:
        pair_message(g, e, out);
        break;
    case EDGE_EVENT_TURN: {
        Meridian__Client__V1__TurnChanged *b = BODY(out, TURN_CHANGED, turn, turn_changed);
        b->seat = e->seat;
        b->deadline_at_ms = g->now.deadline_ms;
        out->m.turn_changed = b;
        break;
    }
    case EDGE_EVENT_LEFT:
        out->m.seat_left = BODY(out, SEAT_LEFT, seat, seat_event);
        out->body.seat.seat = e->seat;
        break;
    case EDGE_EVENT_DROPPED:
        out->m.player_dropped = BODY(out, PLAYER_DROPPED, seat, seat_event);
        out->body.seat.seat = e->seat;
        break;
    case EDGE_EVENT_RECONNECTED:
        out->m.player_reconnected = BODY(out, PLAYER_RECONNECTED, seat, seat_event);
        out->body.seat.seat = e->seat;
        break;
    case EDGE_EVENT_TAKEN_OVER:
        out->m.seat_taken_over = BODY(out, SEAT_TAKEN_OVER, seat, seat_event);
        out->body.seat.seat = e->seat;
        break;
    case EDGE_EVENT_HANDED_BACK:
        out->m.seat_handed_back = BODY(out, SEAT_HANDED_BACK, seat, seat_event);
        out->body.seat.seat = e->seat;
        break;
    case EDGE_EVENT_PAUSED:
        out->m.game_paused = BODY(out, GAME_PAUSED, paused, game_paused);
        out->body.paused.reason = MERIDIAN__CLIENT__V1__PAUSE_REASON__PAUSE_REASON_PLAYER;
        out->body.paused.has_until_ms = true;
        out->body.paused.until_ms = e->for_ms;
        break;
    case EDGE_EVENT_RESUMED:
        out->m.game_resumed = BODY(out, GAME_RESUMED, resumed, game_resumed);
        out->body.resumed.deadline_at_ms = g->now.deadline_ms;
        break;
    case EDGE_EVENT_OVER:
        over_message(g, out);
        break;
    }
}

void edge__game_paused(const struct edge_game *g, struct edge_game_message *out)
{
    meridian__client__v1__server_message__init(&out->m);
    Meridian__Client__V1__GamePaused *b = BODY(out, GAME_PAUSED, paused, game_paused);
    b->reason = MERIDIAN__CLIENT__V1__PAUSE_REASON__PAUSE_REASON_STORAGE;
    out->m.game_paused = b;
}

static Meridian__Client__V1__SeatState seat_state(const struct edge_game *g, unsigned seat)
{
    static const Meridian__Client__V1__SeatState shown[EDGE_SEAT_NSTATES] = {
        [EDGE_SEAT_SEATED] = MERIDIAN__CLIENT__V1__SEAT_STATE__SEAT_STATE_SEATED,
        [EDGE_SEAT_GRACE] = MERIDIAN__CLIENT__V1__SEAT_STATE__SEAT_STATE_GRACE,
        [EDGE_SEAT_PAUSED] = MERIDIAN__CLIENT__V1__SEAT_STATE__SEAT_STATE_PAUSED,
        [EDGE_SEAT_BOT] = MERIDIAN__CLIENT__V1__SEAT_STATE__SEAT_STATE_BOT,
        [EDGE_SEAT_LEFT] = MERIDIAN__CLIENT__V1__SEAT_STATE__SEAT_STATE_LEFT,
    };
    bool bot = g->seats[seat].bot && g->now.seat[seat].state == EDGE_SEAT_SEATED;
    return bot ? MERIDIAN__CLIENT__V1__SEAT_STATE__SEAT_STATE_BOT : shown[g->now.seat[seat].state];
}

static void view_cards(const struct edge_game *g, unsigned seat, struct edge_game_view *v)
{
    struct edge_rules_view table;
    g->rules->view(&g->now.rules, seat, &table);
    v->state.rows = table.rows;
    v->state.cols = table.cols;
    v->state.n_cards = (size_t)table.rows * table.cols;
    v->state.cards = v->cards;
    for (size_t i = 0; i < v->state.n_cards; i++) {
        meridian__client__v1__card__init(&v->card[i]);
        v->card[i].state = (Meridian__Client__V1__CardState)table.card[i];
        v->card[i].has_face = table.card[i] != MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_DOWN;
        v->card[i].face = v->card[i].has_face ? table.face[i] : 0;
        v->cards[i] = &v->card[i];
    }
}

static void view_status(const struct edge_game *g, struct edge_game_view *v)
{
    Meridian__Client__V1__GameState *s = &v->state;
    if (g->now.over) {
        s->status = MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_OVER;
        meridian__client__v1__result__init(&v->result);
        v->result.n_scores = g->seat_count, v->result.scores = v->scores;
        v->result.n_winners = winners(g, v->scores, v->winners), v->result.winners = v->winners;
        v->result.reason = (Meridian__Client__V1__OverReason)g->now.reason;
        s->result = &v->result;
    } else if (g->paused || g->now.paused_at_ms) {
        s->status = MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_PAUSED;
    } else {
        s->status = MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_PLAYING;
        s->has_turn = true;
        s->turn = g->rules->turn(&g->now.rules);
        s->has_deadline_at_ms = true;
        s->deadline_at_ms = g->now.deadline_ms;
    }
}

void edge_game_view(const struct edge_game *g, unsigned seat, struct edge_game_view *v)
{
    meridian__client__v1__server_message__init(&v->m);
    Meridian__Client__V1__GameState *s = &v->state;
    meridian__client__v1__game_state__init(s);
    s->game_id = (char *)g->id;
    s->game = (char *)g->rules->name;
    s->version = g->now.version;
    view_cards(g, seat, v);
    g->rules->scores(&g->now.rules, v->scores);
    s->n_scores = g->seat_count, s->scores = v->scores;
    s->n_seats = g->seat_count, s->seats = v->seats;
    for (unsigned i = 0; i < g->seat_count; i++) {
        meridian__client__v1__seat__init(&v->seat[i]);
        v->seat[i].state = seat_state(g, i);
        v->seat[i].seat = i;
        v->seats[i] = &v->seat[i];
    }
    view_status(g, v);
    v->m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_GAME_STATE;
    v->m.game_state = s;
}

void edge_game_matched(const struct edge_game *g, unsigned seat, struct edge_game_matched *m)
{
    meridian__client__v1__server_message__init(&m->m);
    Meridian__Client__V1__Matched *b = &m->matched;
    meridian__client__v1__matched__init(b);
    b->game_id = (char *)g->id;
    b->seat = seat;
    b->region = (char *)g->region;
    b->n_players = g->seat_count, b->players = m->players;
    for (unsigned i = 0; i < g->seat_count; i++) {
        Meridian__Client__V1__Player *p = &m->player[i];
        meridian__client__v1__player__init(p);
        p->seat = i;
        p->user = g->seats[i].user;
        p->name = g->seats[i].name;
        p->kind =
            g->seats[i].bot ? MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_BOT : MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_HUMAN;
        m->players[i] = p;
    }
    m->m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_MATCHED;
    m->m.matched = b;
}
