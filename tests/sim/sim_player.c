/* SPDX-License-Identifier: Apache-2.0
 * sim_player.c - see sim_player.h. A player thinks now and then; everything else he does is an answer to a message. He has one or two
 * devices, each with a connection, a session and a view of its own; one move at a time is under way, whichever device sends it.
 *
 *   device:  DOWN --think--> DIALLING --open--> GREETING --connected--> (resume --connected-->) READY --close, reset--> DOWN */
#include "tests/sim/sim_player.h"

#include <string.h>

#include <meridian/json.h>
#include <meridian/mem.h>

#include "meridian/client/v1/client.pb-c.h"
#include "tests/sim/sim_check.h"

#define CM(x) Meridian__Client__V1__##x
#define TO(x) MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_##x
#define FROM(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x
#define CARD(x) MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_##x

enum {
    THINK_MIN_MS = 60,
    THINK_MAX_MS = 450,
    STILL_MIN_MS = 20000, /* in a crowd */
    STILL_MAX_MS = 40000,
    ANSWER_MS = 4000, /* then the move is sent again */
    SILENCE_MS = 10000,
    FIND_MS = 4000,
    KERNEL_MS = 10000, /* TCP_USER_TIMEOUT */
    MOMENT_MS = 60,
    CARDS = 100,
    ID_BYTES = 104,
};

enum state { DOWN, DIALLING, GREETING, RESUMING, READY };

struct view {
    char game[ID_BYTES];
    uint64_t version;
    unsigned seat, turn, rows, cols;
    bool playing, waiting; /* waiting: a snapshot was asked for */
    uint8_t card[CARDS];
};

struct device {
    struct player *player;
    char name[16];
    enum state state;
    struct sim_end *end;
    bool proto;
    unsigned edge;
    uint64_t next_ms, heard_ms, pinged_ms;
    uint64_t told_us; /* first word of the game in `view` over this connection; 0: none yet */
    char session[ID_BYTES], old_session[ID_BYTES];
    uint64_t epoch, offset, old_epoch, old_offset, lost_ms;
    bool had_session;
    struct view view;
};

struct player {
    char user[16];
    struct device device[2];
    unsigned devices, games_left, moves;
    char game[ID_BYTES]; /* "": none */
    bool no_game_told;   /* an edge says there is none of this id */
    char ticket[ID_BYTES];
    uint64_t found_ms, ticket_ms;
    int face[CARDS]; /* what he has seen; -1: not yet */
    char move[48];   /* under way; "": none */
    char last_move[48];
    uint32_t move_card, last_card;
    uint64_t sent_ms, hold_ms, away_ms; /* away: does not dial before */
};

static struct {
    struct player *player;
    bool crowd;               /* who has played enough sits still */
    unsigned count, absences; /* absences: in a thousand thoughts */
    bool finishing;
} all;

/* --- sending -----------------------------------------------------------------------------------------------------------------------------
 */

static void lost(struct device *d)
{
    if (d->end)
        sim_net_close(d->end);
    d->end = NULL;
    if (d->state == READY) {
        sim_copy(d->old_session, sizeof(d->old_session), d->session);
        d->old_epoch = d->epoch;
        d->old_offset = d->offset;
        d->lost_ms = sim_now_ms();
        d->had_session = true;
    }
    d->state = DOWN;
    d->view.game[0] = 0;
    d->next_ms = sim_now_ms() + sim_between(20, 1200);
}

static void say(struct device *d, CM(ClientMessage__BodyCase) kind, void *body)
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
    say(d, TO(RESUME), &r);
}

static void send_find(struct device *d)
{
    struct player *p = d->player;
    CM(FindMatch) f = MERIDIAN__CLIENT__V1__FIND_MATCH__INIT;
    unsigned kind = sim_below(10);
    f.game = (char *)"memory";
    f.has_players = f.has_rows = f.has_cols = f.has_bots = true;
    f.players = kind == 0 ? 3 : 2;
    f.rows = 2;
    f.cols = sim_chance(50) ? 4 : 5;
    f.bots = kind < 2 ? MERIDIAN__CLIENT__V1__BOTS__BOTS_NOW : MERIDIAN__CLIENT__V1__BOTS__BOTS_FILL;
    p->found_ms = sim_now_ms();
    sim_trace("%s.%s finds a match", p->user, d->name);
    say(d, TO(FIND_MATCH), &f);
}

static void send_move(struct device *d, const char *id, uint32_t card)
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
    say(d, TO(MOVE), &m);
}

static void send_get_game(struct device *d)
{
    CM(GetGame) g = MERIDIAN__CLIENT__V1__GET_GAME__INIT;
    g.game_id = d->player->game;
    d->view.waiting = true;
    say(d, TO(GET_GAME), &g);
}

static void send_leave(struct device *d)
{
    CM(LeaveGame) l = MERIDIAN__CLIENT__V1__LEAVE_GAME__INIT;
    l.game_id = d->player->game;
    sim_trace("%s leaves %s", d->player->user, d->player->game);
    say(d, TO(LEAVE_GAME), &l);
}

static void send_cancel(struct device *d)
{
    CM(CancelMatch) c = MERIDIAN__CLIENT__V1__CANCEL_MATCH__INIT;
    c.ticket_id = d->player->ticket;
    sim_trace("%s cancels %s", d->player->user, d->player->ticket);
    say(d, TO(CANCEL_MATCH), &c);
}

/* --- receiving ---------------------------------------------------------------------------------------------------------------------------
 */

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
    p->move[0] = p->last_move[0] = p->ticket[0] = 0;
    for (unsigned i = 0; i < CARDS; i++)
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
    for (size_t i = 0; i < g->n_cards && i < CARDS; i++) {
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
        send_get_game(d);
    return false;
}

static void on_turn(struct device *d, const CM(TurnChanged) * t)
{
    if (!follows(d, t->game_id, t->version))
        return;
    d->view.turn = t->seat;
    d->view.playing = true;
    for (unsigned i = 0; i < CARDS; i++)
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
                send_get_game(d);
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
        if (e->re && strcmp(e->re, p->ticket) == 0)
            p->ticket[0] = 0;
        return;
    default:
        sim_fail("%s got an error no client that keeps to the protocol may get: %d %s", p->user, e->code, e->message);
    }
}

static bool is_numbered(CM(ServerMessage__BodyCase) kind)
{
    return kind != FROM(CONNECTED) && kind != FROM(PONG) && kind != FROM(ERROR) && kind != FROM(MOVE_OK) && kind != FROM(BATCH) &&
           kind != FROM(SERVER_MAINTENANCE);
}

static void on_message(struct device *d, const CM(ServerMessage) * m)
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
        if (follows(d, m->card_flipped->game_id, m->card_flipped->version) && m->card_flipped->card < CARDS) {
            v->card[m->card_flipped->card] = CARD(UP);
            p->face[m->card_flipped->card] = (int)m->card_flipped->face;
        }
        break;
    case FROM(PAIR_FOUND):
        if (follows(d, m->pair_found->game_id, m->pair_found->version))
            for (size_t i = 0; i < m->pair_found->n_cards; i++)
                v->card[m->pair_found->cards[i] % CARDS] = CARD(TAKEN);
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
        if (strcmp(m->move_ok->move_id, p->move) == 0)
            move_over(p);
        break;
    case FROM(ERROR):
        on_error(d, m->error);
        break;
    default:
        break;
    }
}

static void end_data(void *ctx, const uint8_t *data, size_t len)
{
    struct device *d = ctx;
    d->heard_ms = sim_now_ms();
    if (len > 0 && data[0] == SIM_FRAME_CLOSE) {
        sim_trace("%s.%s closed: %.*s", d->player->user, d->name, (int)len - 1, (const char *)data + 1);
        bool ours = strncmp((const char *)data + 1, "1012", 4) == 0 || strncmp((const char *)data + 1, "3502", 4) == 0;
        if (!ours)
            sim_fail("%s was closed: %.*s", d->player->user, (int)len - 1, (const char *)data + 1);
        lost(d);
        return;
    }
    struct mer_json_error err;
    CM(ServerMessage) *m = d->proto
                               ? meridian__client__v1__server_message__unpack(NULL, len - 1, data + 1)
                               : (CM(ServerMessage) *)mer_json_parse_within(&meridian__client__v1__server_message__descriptor,
                                                                            &mer_json_limits_server, (const char *)data + 1, len - 1, &err);
    if (!m) {
        sim_fail("%s got what is no message: %.*s", d->player->user, (int)len - 1, (const char *)data + 1);
        return;
    }
    struct sim_end *end = d->end;
    on_message(d, m);
    meridian__client__v1__server_message__free_unpacked(m, NULL);
    (void)end;
}

static void end_open(void *ctx)
{
    struct device *d = ctx;
    char hello[2048];
    int n = snprintf(hello, sizeof(hello), "%ctoken=%s&device=%s", d->proto ? 'p' : 'j', sim_token(d->player->user), d->name);
    d->state = GREETING;
    d->heard_ms = sim_now_ms();
    sim_net_send(d->end, hello, (size_t)n);
}

static void end_closed(void *ctx, bool clean, const char *why)
{
    struct device *d = ctx;
    (void)clean, (void)why;
    d->end = NULL;
    lost(d);
}

static const struct sim_end_ops end_ops = {end_open, end_data, end_closed};

/* --- thinking ----------------------------------------------------------------------------------------------------------------------------
 */

static void dial(struct device *d)
{
    char address[32];
    if (!sim_chance(40))
        d->edge = sim_below(region.edges);
    d->proto = sim_chance(70);
    d->state = DIALLING;
    d->heard_ms = sim_now_ms();
    d->pinged_ms = 0;
    snprintf(address, sizeof(address), "edge%u:players", d->edge);
    d->end = sim_net_connect(region.players, address, &end_ops, d);
}

static void look_after(struct device *d)
{
    uint64_t now = sim_now_ms();
    if (d->state == DOWN) {
        if (now >= d->next_ms && now >= d->player->away_ms)
            dial(d);
        return;
    }
    uint64_t limit = d->state != READY ? 3000 : all.crowd ? 4 * SILENCE_MS : SILENCE_MS;
    if (now - d->heard_ms < limit) {
        d->pinged_ms = 0;
    } else if (d->state != READY || (d->pinged_ms && now - d->pinged_ms > 5000)) {
        sim_trace("%s.%s gives edge%u up", d->player->user, d->name, d->edge);
        lost(d);
    } else if (!d->pinged_ms) {
        CM(Ping) ping = MERIDIAN__CLIENT__V1__PING__INIT;
        d->pinged_ms = now;
        say(d, TO(PING), &ping);
    }
}

static bool can_flip(const struct view *v, unsigned i)
{
    return i < v->rows * v->cols && v->card[i] == CARD(DOWN);
}

/* A pair he knows, the partner of the card that lies open, or a card he has not seen. */
static uint32_t choose(const struct player *p, const struct view *v)
{
    unsigned n = v->rows * v->cols, open = CARDS, unknown[CARDS], count = 0, any = 0;
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
            if (pair && (open == CARDS ? can_flip(v, i) : i == open))
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
            send_move(d, p->move, p->move_card);
        }
        return;
    }
    if (strcmp(v->game, p->game) != 0) {
        if (sim_chance(3) && d->state == READY) {
            sim_copy(v->game, sizeof(v->game), p->game);
            v->version = UINT64_MAX / 2;
            send_get_game(d);
        }
        return;
    }
    if (p->last_move[0] && sim_chance(6))
        send_move(d, p->last_move, p->last_card); /* a retry nobody asked for */
    if (!v->playing || v->version == UINT64_MAX / 2 || v->turn != v->seat || up_count(v) > 1) {
        if (sim_chance(1))
            send_get_game(d);
        return;
    }
    if (sim_below(1000) < 3) {
        send_leave(d);
        return;
    }
    p->move_card = choose(p, v);
    snprintf(p->move, sizeof(p->move), "%s-%u", p->user, ++p->moves);
    sim_check_sent(p->user, p->game, p->move, p->move_card);
    p->sent_ms = sim_now_ms();
    send_move(d, p->move, p->move_card);
    if (sim_chance(15))
        send_move(d, p->move, p->move_card);
}

static void seek(struct player *p, struct device *d)
{
    uint64_t now = sim_now_ms();
    if (p->ticket[0] && (all.finishing || sim_below(1000) < 5) && now - p->found_ms > 1000) {
        p->found_ms = now;
        send_cancel(d);
    } else if (!p->ticket[0] && !all.finishing && p->games_left > 0 && now - p->found_ms >= FIND_MS)
        send_find(d);
    else if (p->ticket[0] && now - p->ticket_ms > 30000) { /* does anybody still know of it? */
        p->ticket[0] = 0;
        if (all.finishing) {
            p->found_ms = now;
            send_find(d);
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
        lost(d);
        return;
    }
    d->end = NULL;
    sim_net_take(end, &gone, NULL);
    sim_at(KERNEL_MS * 1000, on_vanished, end, 0);
    lost(d);
}

/* Until the moment at which a timer of his seat fires, a little before or after, or somewhere between. */
static void go_away(struct player *p)
{
    uint32_t away = sim_chance(50) ? region.grace_ms : region.grace_ms + region.pause_ms;
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
            lost(&p->device[i]);
}

static void think(void *ctx, uint64_t arg)
{
    struct player *p = ctx;
    (void)arg;
    for (unsigned i = 0; i < p->devices; i++)
        look_after(&p->device[i]);
    struct device *d = &p->device[sim_below(p->devices)];
    if (d->state == READY && sim_now_ms() >= p->hold_ms) {
        if (p->game[0])
            play(p, d);
        else
            seek(p, d);
        if (p->game[0] && !all.finishing && sim_below(1000) < all.absences)
            go_away(p);
        if (sim_below(1000) < 4 && d->end) {
            sim_trace("%s.%s hangs up", p->user, d->name);
            lost(d);
        }
    }
    bool still = all.crowd && d->state == READY && !p->game[0] && !p->ticket[0] && p->games_left == 0;
    uint32_t pause_ms = still ? sim_between(STILL_MIN_MS, STILL_MAX_MS) : sim_between(THINK_MIN_MS, THINK_MAX_MS);
    sim_at((uint64_t)pause_ms * 1000, think, p, 0);
}

/* --- public ------------------------------------------------------------------------------------------------------------------------------
 */

static void arrive(unsigned i, unsigned devices, unsigned games, uint32_t after_ms)
{
    struct player *p = &all.player[i];
    snprintf(p->user, sizeof(p->user), "u%u", i);
    p->devices = devices;
    p->games_left = games;
    for (unsigned k = 0; k < p->devices; k++) {
        struct device *d = &p->device[k];
        d->player = p;
        snprintf(d->name, sizeof(d->name), "d%u", k);
        d->edge = sim_below(region.edges);
    }
    sim_at((uint64_t)after_ms * 1000, think, p, 0);
}

static void init(unsigned players)
{
    memset(&all, 0, sizeof(all));
    all.count = players;
    all.player = mer_xcalloc(players, sizeof(*all.player));
}

void sim_players_init(unsigned players, unsigned games_each)
{
    init(players);
    all.absences = sim_chance(60) ? sim_below(8) : 0;
    for (unsigned i = 0; i < players; i++)
        arrive(i, sim_chance(20) ? 2 : 1, games_each, sim_between(1500, 6000));
}

void sim_players_crowd(unsigned players, unsigned active_percent, unsigned games_each, uint32_t ramp_ms)
{
    init(players);
    all.crowd = true;
    for (unsigned i = 0; i < players; i++)
        arrive(i, 1, sim_chance(active_percent) ? games_each : 0, 1500 + sim_below(ramp_ms));
}

void sim_players_count(struct sim_players *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < all.count; i++) {
        const struct player *p = &all.player[i];
        out->connected += p->device[0].state == READY;
        out->waiting += p->ticket[0] != 0;
        out->playing += p->game[0] != 0;
        out->moves += p->moves;
    }
}

void sim_players_finish(void)
{
    sim_trace("no new games");
    all.finishing = true;
}

bool sim_players_done(void)
{
    for (unsigned i = 0; i < all.count; i++)
        if (all.player[i].game[0] || all.player[i].ticket[0] || (!all.finishing && all.player[i].games_left > 0))
            return false;
    return true;
}

void sim_players_explain(char *out, size_t bytes)
{
    out[0] = 0;
    for (unsigned i = 0; i < all.count; i++) {
        struct player *p = &all.player[i];
        size_t n = strlen(out);
        if (p->game[0] || p->ticket[0])
            snprintf(out + n, bytes - n, " %s: game %s ticket %s move %s;", p->user, p->game, p->ticket, p->move);
    }
}

void sim_players_drop(unsigned percent)
{
    for (unsigned i = 0; i < all.count; i++)
        for (unsigned k = 0; k < all.player[i].devices; k++) {
            struct device *d = &all.player[i].device[k];
            if (d->end && sim_chance(percent)) {
                d->told_us = 0; /* the edge knows of a reset before the player does */
                if (sim_chance(50))
                    sim_net_reset(d->end);
                else
                    lost(d);
            }
        }
}

bool sim_player_stays(const char *user, const char *game, const struct sim_proc *edge, uint64_t since_us)
{
    for (unsigned i = 0; i < all.count; i++)
        for (unsigned k = 0; k < all.player[i].devices; k++) {
            const struct device *d = &all.player[i].device[k];
            bool there = d->state == READY && region.edge[d->edge] == edge && strcmp(d->view.game, game) == 0 && d->told_us > 0 &&
                         d->told_us <= since_us;
            if (there && strcmp(all.player[i].user, user) == 0)
                return true;
        }
    return false;
}
