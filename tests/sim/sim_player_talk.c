/* SPDX-License-Identifier: Apache-2.0
 * sim_player_talk.c - see sim_player_private.h. What a device says, and what hearing a message makes of what its player knows. */
#include <string.h>

#include <meridian/json.h>
#include <meridian/mem.h>

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_player_private.h"

#define TO(x) MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_##x
#define FROM(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x

/* --- sending -------------------------------------------------------------------------------------------------------------------------- */

void sim_say(struct device *d, CM(ClientMessage__BodyCase) kind, void *body)
{
    CM(ClientMessage) m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    struct mer_buf b;
    uint8_t op = d->proto ? SIM_FRAME_BINARY : SIM_FRAME_TEXT;
    m.body_case = kind;
    m.auth = body; /* of a union of pointers */
    mer_buf_init(&b, 0);
    MER_ASSERT(mer_buf_append(&b, &op, 1) == MER_OK);
    if (d->proto) {
        MER_ASSERT(mer_buf_reserve(&b, protobuf_c_message_get_packed_size(&m.base)) == MER_OK);
        b.len += protobuf_c_message_pack(&m.base, b.data + b.len);
    } else
        MER_ASSERT(mer_json_write(&m.base, &b) == MER_OK);
    sim_net_send(d->end, b.data, b.len);
    mer_buf_deinit(&b);
}

static void send_resume(struct device *d)
{
    CM(Resume) r = MERIDIAN__CLIENT__V1__RESUME__INIT;
    r.session = d->old_session;
    r.epoch = d->old_epoch;
    r.offset = d->old_offset;
    d->state = RESUMING;
    sim_say(d, TO(RESUME), &r);
}

/* A board that one player in each region wants, and no bots. */
static void want_far(const struct player *p, CM(FindMatch) * f)
{
    static const struct {
        unsigned rows, cols, players;
    } boards[] = {{2, 3, 2}, {3, 2, 2}, {4, 2, 2}, {2, 2, 3}, {3, 4, 2}, {4, 3, 3}};
    size_t i = (size_t)(p - sim_everybody.player) % sim_everybody.each % MER_COUNT(boards);
    f->players = boards[i].players < sim_region_count ? boards[i].players : sim_region_count;
    f->rows = boards[i].rows;
    f->cols = boards[i].cols;
    f->bots = MERIDIAN__CLIENT__V1__BOTS__BOTS_NONE;
}

/* What he has measured to each region, a little different each time. */
static void measure(const struct player *p, CM(FindMatch) * f, CM(FindMatch__LatencyMsEntry) * entry)
{
    for (unsigned k = 0; k < sim_region_count; k++) {
        entry[k] = (CM(FindMatch__LatencyMsEntry))MERIDIAN__CLIENT__V1__FIND_MATCH__LATENCY_MS_ENTRY__INIT;
        entry[k].key = sim_regions[k].name;
        entry[k].has_value = true;
        entry[k].value = sim_net_ms(p->at->players, sim_regions[k].players) + sim_below(15);
        f->latency_ms[f->n_latency_ms++] = &entry[k];
    }
}

void sim_say_find(struct device *d)
{
    struct player *p = d->player;
    CM(FindMatch) f = MERIDIAN__CLIENT__V1__FIND_MATCH__INIT;
    CM(FindMatch__LatencyMsEntry) entry[SIM_REGIONS], *entries[SIM_REGIONS];
    unsigned kind = sim_below(10);
    f.game = (char *)"memory";
    f.has_players = f.has_rows = f.has_cols = f.has_bots = true;
    f.players = kind == 0 ? 3 : 2;
    f.rows = 2;
    f.cols = sim_chance(50) ? 4 : 5;
    f.bots = kind < 2 ? MERIDIAN__CLIENT__V1__BOTS__BOTS_NOW : MERIDIAN__CLIENT__V1__BOTS__BOTS_FILL;
    if (p->table && (p->table->host == p || (p->table->code[0] && sim_now_ms() >= p->called_ms)))
        sim_friends_want(p, &f);
    else if (sim_region_count > 1 && (!p->asked_far || sim_everybody.far_only || sim_chance(50)))
        want_far(p, &f);
    if (sim_region_count > 1 && sim_chance(50)) {
        f.latency_ms = entries;
        measure(p, &f, entry);
    }
    p->asked_far = true;
    p->found_ms = sim_now_ms();
    sim_trace("%s.%s finds a match: %u x %u for %u%s%s", p->user, d->name, f.rows, f.cols, f.players, f.invite ? ", for friends" : "",
              f.code ? f.code : "");
    sim_say(d, TO(FIND_MATCH), &f);
}

void sim_say_move(struct device *d, const char *id, uint32_t card)
{
    struct player *p = d->player;
    CM(Move) m = MERIDIAN__CLIENT__V1__MOVE__INIT;
    CM(Flip) f = MERIDIAN__CLIENT__V1__FLIP__INIT;
    f.card = card;
    m.game_id = p->game;
    m.move_id = (char *)id;
    m.action_case = MERIDIAN__CLIENT__V1__MOVE__ACTION_FLIP;
    m.flip = &f;
    sim_trace("%s.%s move %s card %u in %s at edge%u", p->user, d->name, id, card, p->game, d->edge);
    sim_say(d, TO(MOVE), &m);
}

void sim_say_get_game(struct device *d)
{
    CM(GetGame) g = MERIDIAN__CLIENT__V1__GET_GAME__INIT;
    g.game_id = d->player->game;
    d->view.waiting = true;
    sim_say(d, TO(GET_GAME), &g);
}

void sim_say_leave(struct device *d)
{
    CM(LeaveGame) l = MERIDIAN__CLIENT__V1__LEAVE_GAME__INIT;
    l.game_id = d->player->game;
    sim_trace("%s leaves %s", d->player->user, d->player->game);
    sim_say(d, TO(LEAVE_GAME), &l);
}

void sim_say_cancel(struct device *d)
{
    CM(CancelMatch) c = MERIDIAN__CLIENT__V1__CANCEL_MATCH__INIT;
    c.ticket_id = d->player->ticket;
    sim_trace("%s cancels %s", d->player->user, d->player->ticket);
    sim_say(d, TO(CANCEL_MATCH), &c);
}

void sim_say_ping(struct device *d)
{
    CM(Ping) ping = MERIDIAN__CLIENT__V1__PING__INIT;
    sim_say(d, TO(PING), &ping);
}

/* --- receiving ------------------------------------------------------------------------------------------------------------------------ */

static void game_ended(struct player *p, const char *game)
{
    if (strcmp(p->game, game) != 0)
        return;
    p->game[0] = p->move[0] = p->last_move[0] = 0;
    p->games_left -= p->games_left > 0;
    for (unsigned i = 0; i < p->devices; i++)
        p->device[i].view.playing = false;
}

static void sits_in(struct player *p, const char *game)
{
    if (strcmp(p->game, game) == 0)
        return;
    sim_copy(p->game, sizeof(p->game), game);
    if (sim_region_count > 1)
        sim_friends_sits(p);
    p->move[0] = p->last_move[0] = p->ticket[0] = 0;
    sim_everybody.far_seats += strchr(game, '.') != NULL;
    for (unsigned i = 0; i < SIM_PLAYER_CARDS; i++)
        p->face[i] = -1;
}

static void on_connected(struct device *d, const CM(Connected) * c)
{
    bool replayed = c->has_resume && c->resume == MERIDIAN__CLIENT__V1__RESUME_OUTCOME__RESUME_OUTCOME_REPLAYED;
    if (replayed && (strcmp(c->session, d->old_session) != 0 || c->epoch != d->old_epoch || c->offset < d->old_offset))
        sim_fail("%s resumed %s at %llu and was connected to %s at %llu", d->player->user, d->old_session,
                 (unsigned long long)d->old_offset, c->session, (unsigned long long)c->offset);
    bool first = d->state == GREETING;
    if (d->state == RESUMING)
        sim_check_resumed(c->has_resume ? (int)c->resume : 0);
    sim_copy(d->session, sizeof(d->session), c->session);
    d->epoch = c->epoch;
    d->offset = replayed ? d->old_offset : c->offset;
    d->state = READY;
    d->ready_ms = sim_now_ms();
    d->told_us = 0;
    d->player->sent_ms = 0; /* what was not answered is sent again at once */
    if (first && d->had_session && sim_chance(80))
        send_resume(d);
    d->had_session = false;
}

static void on_ticket(struct player *p, const CM(Ticket) * t)
{
    sim_check_ticket(t->ticket_id, (int)t->state);
    bool waiting = t->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_WAITING;
    bool ended = t->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_CANCELLED ||
                 t->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_EXPIRED;
    if (waiting && strcmp(p->ticket, t->ticket_id) != 0) {
        sim_copy(p->ticket, sizeof(p->ticket), t->ticket_id);
        p->ticket_ms = sim_now_ms();
    }
    if (sim_region_count > 1)
        sim_friends_ticket(p, t);
    if (ended && strcmp(p->ticket, t->ticket_id) == 0)
        p->ticket[0] = 0;
}

static void told_of(struct device *d, const char *game)
{
    if (d->told_us == 0 || strcmp(d->view.game, game) != 0)
        d->told_us = sim.now_us;
    sim_copy(d->view.game, sizeof(d->view.game), game);
}

static void on_state(struct device *d, const CM(GameState) * g)
{
    struct player *p = d->player;
    struct view *v = &d->view;
    if (g->status == MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_OVER) {
        game_ended(p, g->game_id);
        return;
    }
    sits_in(p, g->game_id);
    told_of(d, g->game_id);
    v->version = g->version;
    v->rows = g->rows;
    v->cols = g->cols;
    v->waiting = false;
    v->playing = g->status == MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_PLAYING;
    v->turn = g->has_turn ? g->turn : v->turn;
    for (size_t i = 0; i < g->n_cards && i < SIM_PLAYER_CARDS; i++) {
        v->card[i] = (uint8_t)g->cards[i]->state;
        if (g->cards[i]->has_face)
            p->face[i] = (int)g->cards[i]->face;
    }
    if (!v->playing)
        v->turn = UINT32_MAX;
}

/* false: something was missed, or it is another game. */
static bool follows(struct device *d, const char *game, uint64_t version)
{
    struct view *v = &d->view;
    if (strcmp(v->game, game) != 0)
        return false;
    if (version == v->version || version == v->version + 1) {
        v->version = version;
        return true;
    }
    if (version > v->version && !v->waiting)
        sim_say_get_game(d);
    return false;
}

static void on_turn(struct device *d, const CM(TurnChanged) * t)
{
    if (!follows(d, t->game_id, t->version))
        return;
    d->view.turn = t->seat;
    d->view.playing = true;
    for (unsigned i = 0; i < SIM_PLAYER_CARDS; i++)
        if (d->view.card[i] == CARD(UP))
            d->view.card[i] = CARD(DOWN);
}

static void move_over(struct player *p)
{
    sim_copy(p->last_move, sizeof(p->last_move), p->move);
    p->last_card = p->move_card;
    p->move[0] = 0;
}

static void on_error(struct device *d, const CM(Error) * e)
{
    struct player *p = d->player;
    bool mine = e->re && p->move[0] && strcmp(e->re, p->move) == 0;
    sim_trace("%s.%s error %d re %s: %s", p->user, d->name, e->code, e->re ? e->re : "", e->message);
    if (sim_player_mail_failed(d, e))
        return;
    switch (e->code) {
    case CODE(TRY_AGAIN):
    case CODE(RATE_LIMITED):
    case CODE(OVERLOADED):
        p->hold_ms = sim_now_ms() + (e->has_retry_after_ms ? e->retry_after_ms : 500);
        return;
    case CODE(NOT_YOUR_TURN):
    case CODE(ILLEGAL_MOVE):
        sim_check_refused(p->user, p->game, e->re);
        if (mine) {
            p->move[0] = 0;
            if (strcmp(d->view.game, p->game) == 0 && !d->view.waiting)
                sim_say_get_game(d);
        }
        return;
    case CODE(NO_SUCH_GAME):
    case CODE(GAME_OVER):
        sim_check_refused(p->user, p->game, e->code == CODE(GAME_OVER) ? e->re : NULL);
        if (e->re && (mine || strcmp(e->re, p->game) == 0)) {
            sim_check_no_game(p->user, p->game);
            game_ended(p, p->game);
        }
        return;
    case CODE(ALREADY_IN_GAME):
        return;
    case CODE(NO_SUCH_TICKET):
        if (e->re && strcmp(e->re, p->ticket) == 0) {
            p->ticket[0] = 0;
            sim_friends_no_ticket(p);
        }
        return;
    default:
        sim_fail("%s got an error no client that keeps to the protocol may get: %d %s", p->user, e->code, e->message);
    }
}

static bool is_numbered(CM(ServerMessage__BodyCase) kind)
{
    return kind != FROM(CONNECTED) && kind != FROM(PONG) && kind != FROM(ERROR) && kind != FROM(MOVE_OK) && kind != FROM(BATCH) &&
           kind != FROM(SERVER_MAINTENANCE) && kind != FROM(MESSAGE_OK) && kind != FROM(PRESENCE);
}

void sim_player_hear(struct device *d, const CM(ServerMessage) * m)
{
    struct player *p = d->player;
    struct view *v = &d->view;
    if (is_numbered(m->body_case)) {
        if (!m->has_offset || m->offset != d->offset + 1)
            sim_fail("%s.%s: offset %llu came after %llu in %s", p->user, d->name, (unsigned long long)m->offset,
                     (unsigned long long)d->offset, d->session);
        d->offset = m->offset;
    }
    sim_check_saw(p->user, m);
    switch (m->body_case) {
    case FROM(CONNECTED):
        on_connected(d, m->connected);
        break;
    case FROM(TICKET):
        on_ticket(p, m->ticket);
        break;
    case FROM(MATCHED):
        sits_in(p, m->matched->game_id);
        told_of(d, m->matched->game_id);
        v->seat = m->matched->seat;
        v->playing = false;
        v->version = UINT64_MAX / 2;
        break;
    case FROM(GAME_STATE):
        on_state(d, m->game_state);
        break;
    case FROM(CARD_FLIPPED):
        if (follows(d, m->card_flipped->game_id, m->card_flipped->version) && m->card_flipped->card < SIM_PLAYER_CARDS) {
            v->card[m->card_flipped->card] = CARD(UP);
            p->face[m->card_flipped->card] = (int)m->card_flipped->face;
        }
        break;
    case FROM(PAIR_FOUND):
        if (follows(d, m->pair_found->game_id, m->pair_found->version))
            for (size_t i = 0; i < m->pair_found->n_cards; i++)
                v->card[m->pair_found->cards[i] % SIM_PLAYER_CARDS] = CARD(TAKEN);
        break;
    case FROM(PAIR_MISSED):
        if (follows(d, m->pair_missed->game_id, m->pair_missed->version))
            v->turn = UINT32_MAX;
        break;
    case FROM(TURN_CHANGED):
        on_turn(d, m->turn_changed);
        break;
    case FROM(SEAT_LEFT):
        (void)follows(d, m->seat_left->game_id, m->seat_left->version);
        if (m->seat_left->seat == v->seat && strcmp(v->game, m->seat_left->game_id) == 0)
            game_ended(p, m->seat_left->game_id);
        break;
    case FROM(PLAYER_DROPPED):
    case FROM(PLAYER_RECONNECTED):
    case FROM(SEAT_TAKEN_OVER):
    case FROM(SEAT_HANDED_BACK):
        (void)follows(d, m->player_dropped->game_id, m->player_dropped->version); /* one type: a union */
        break;
    case FROM(GAME_PAUSED):
        if (follows(d, m->game_paused->game_id, m->game_paused->version))
            v->playing = false;
        if (m->game_paused->reason == MERIDIAN__CLIENT__V1__PAUSE_REASON__PAUSE_REASON_PLAYER)
            p->moved_by = NULL; /* his move waits for somebody, not for the store: it says nothing of the pace */
        break;
    case FROM(GAME_RESUMED):
        if (follows(d, m->game_resumed->game_id, m->game_resumed->version))
            v->playing = true;
        break;
    case FROM(GAME_OVER):
        game_ended(p, m->game_over->game_id);
        break;
    case FROM(MOVE_OK):
        sim_check_acked(p->user, m->move_ok->game_id, m->move_ok->move_id, m->move_ok->version);
        if (strcmp(m->move_ok->move_id, p->move) == 0) {
            if (d == p->moved_by && d->ready_ms < p->moved_ms)
                sim_check_pace(p->at, m->move_ok->game_id, p->moved_ms);
            move_over(p);
        }
        break;
    case FROM(MESSAGE):
        sim_player_gets(d, m->message);
        break;
    case FROM(MESSAGE_UNDELIVERED):
        sim_player_undelivered(d, m->message_undelivered);
        break;
    case FROM(GAME_RESULT):
        sim_player_result(d, m->game_result);
        break;
    case FROM(PRESENCE):
        sim_player_there(m->presence);
        break;
    case FROM(MESSAGE_OK):
        sim_player_accepted(d, m->message_ok);
        break;
    case FROM(ERROR):
        on_error(d, m->error);
        break;
    default:
        break;
    }
}
