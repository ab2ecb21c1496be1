/* SPDX-License-Identifier: Apache-2.0
 * record.c - a game as it stands in Redis (state.v1.GameRecord) and back. The record holds everything another edge needs to go on, the
 * moves already answered included; it does not hold the fence, which Redis keeps beside it and compares.
 *
 * What is read is judged as if a stranger had written it (C21): another version of ourselves may have. */
#include <string.h>

#include <meridian/buf.h>
#include <meridian/id.h>
#include <meridian/mem.h>

#include "edge/game/game.h"
#include "meridian/state/v1/state.pb-c.h"

enum {
    ACTION_MAX = 16,
    RECORD_MAX = 32 * 1024
}; /* a packed flip is 8-12 bytes; 4 seats x 16 moves x 100 bytes and the rules' kilobyte stay far below */

/* client.v1.Move with empty ids: they stand beside it, or belong to the whole game. */
static size_t pack_action(const struct edge_rules_action *a, uint8_t out[ACTION_MAX])
{
    Meridian__Client__V1__Move move = MERIDIAN__CLIENT__V1__MOVE__INIT;
    Meridian__Client__V1__Flip flip = MERIDIAN__CLIENT__V1__FLIP__INIT;
    flip.card = a->card;
    move.game_id = move.move_id = (char *)"";
    move.action_case = MERIDIAN__CLIENT__V1__MOVE__ACTION_FLIP;
    move.flip = &flip;
    MER_ASSERT(meridian__client__v1__move__get_packed_size(&move) <= ACTION_MAX);
    return meridian__client__v1__move__pack(&move, out);
}

static bool unpack_action(const ProtobufCBinaryData *data, struct edge_rules_action *out)
{
    Meridian__Client__V1__Move *move = meridian__client__v1__move__unpack(NULL, data->len, data->data);
    if (!move)
        return false;
    bool ok = move->action_case == MERIDIAN__CLIENT__V1__MOVE__ACTION_FLIP;
    if (ok)
        out->card = move->flip->card;
    meridian__client__v1__move__free_unpacked(move, NULL);
    return ok;
}

struct seat_pack {
    Meridian__State__V1__SeatRecord record;
    Meridian__State__V1__AnsweredMove move[EDGE_GAME_ANSWERED], *moves[EDGE_GAME_ANSWERED];
    uint8_t action[EDGE_GAME_ANSWERED][ACTION_MAX];
};

static void pack_move(struct seat_pack *p, const char *move_id, uint64_t version, const struct edge_rules_action *a)
{
    size_t i = p->record.n_answered++;
    Meridian__State__V1__AnsweredMove *m = &p->move[i];
    meridian__state__v1__answered_move__init(m);
    m->move_id = (char *)move_id;
    m->version = version;
    m->action = (ProtobufCBinaryData){pack_action(a, p->action[i]), p->action[i]};
    p->moves[i] = m;
}

static const Meridian__State__V1__SeatAbsence absences[EDGE_SEAT_NSTATES] = {
    [EDGE_SEAT_GRACE] = MERIDIAN__STATE__V1__SEAT_ABSENCE__SEAT_ABSENCE_GRACE,
    [EDGE_SEAT_PAUSED] = MERIDIAN__STATE__V1__SEAT_ABSENCE__SEAT_ABSENCE_PAUSED,
    [EDGE_SEAT_BOT] = MERIDIAN__STATE__V1__SEAT_ABSENCE__SEAT_ABSENCE_BOT,
};

/* pending: the move that `s` answers, to be remembered with it; NULL when there is none of this seat. */
static void pack_seat(struct seat_pack *p, const struct edge_game *g, const struct edge_game_state *s, unsigned i,
                      const struct edge_game_ask *pending)
{
    const struct edge_game_seat *seat = &g->seats[i];
    Meridian__State__V1__SeatRecord *r = &p->record;
    meridian__state__v1__seat_record__init(r);
    r->user = seat->user;
    r->name = seat->name;
    r->kind = seat->bot ? MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_BOT : MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_HUMAN;
    r->phase = s->left >> i & 1 ? MERIDIAN__STATE__V1__SEAT_PHASE__SEAT_PHASE_LEFT : MERIDIAN__STATE__V1__SEAT_PHASE__SEAT_PHASE_SEATED;
    r->has_absence = absences[s->seat[i].state] != 0;
    r->absence = absences[s->seat[i].state];
    r->has_due_at_ms = s->seat[i].due_ms != 0;
    r->due_at_ms = s->seat[i].due_ms;
    r->turns_lost = s->turns_lost[i];
    r->answered = p->moves;
    for (unsigned k = pending ? 1 : 0; k < EDGE_GAME_ANSWERED; k++) { /* oldest first; a pending one takes the oldest's place */
        const struct edge_game_answered *a = &seat->answered[(seat->answered_at + k) % EDGE_GAME_ANSWERED];
        if (a->move_id[0])
            pack_move(p, a->move_id, a->version, &a->action);
    }
    if (pending)
        pack_move(p, pending->move_id, s->version, &pending->action);
}

enum mer_err edge_game_encode(const struct edge_game *g, bool restore, struct mer_buf *out)
{
    const struct edge_game_state *s = restore || !g->has_next ? &g->now : &g->next;
    Meridian__State__V1__GameRecord r = MERIDIAN__STATE__V1__GAME_RECORD__INIT;
    Meridian__State__V1__SeatRecord *seats[EDGE_RULES_SEATS];
    struct seat_pack pack[EDGE_RULES_SEATS];
    uint8_t rules[EDGE_RULES_RECORD_MAX];
    for (unsigned i = 0; i < g->seat_count; i++) {
        bool pending = s == &g->next && g->asker.kind == EDGE_GAME_ASK_MOVE && g->asker.seat == i;
        pack_seat(&pack[i], g, s, i, pending ? &g->asker : NULL);
        seats[i] = &pack[i].record;
    }
    r.game_id = (char *)g->id;
    r.game = (char *)g->rules->name;
    r.region = (char *)g->region;
    r.version = s->version;
    r.n_seats = g->seat_count, r.seats = seats;
    r.rules_state = (ProtobufCBinaryData){g->rules->encode(&s->rules, rules), rules};
    r.deadline_at_ms = s->deadline_ms;
    r.over = s->over;
    r.has_over_reason = s->over;
    r.over_reason = s->reason;
    r.created_at_ms = g->created_at_ms;
    r.has_paused_at_ms = s->paused_at_ms != 0;
    r.paused_at_ms = s->paused_at_ms;
    size_t size = meridian__state__v1__game_record__get_packed_size(&r);
    enum mer_err err = mer_buf_reserve(out, size);
    if (err == MER_OK)
        out->len += meridian__state__v1__game_record__pack(&r, out->data + out->len);
    return err;
}

/* --- and back ------------------------------------------------------------------------------------------------------ */

static bool text_ok(const char *s, size_t max)
{
    return mer_id_is_text(s, strlen(s), max);
}

static bool restore_absence(struct edge_game *g, unsigned i, const Meridian__State__V1__SeatRecord *r, bool over)
{
    struct edge_seat *seat = &g->now.seat[i];
    bool left = r->phase == MERIDIAN__STATE__V1__SEAT_PHASE__SEAT_PHASE_LEFT;
    seat->state = left ? EDGE_SEAT_LEFT : EDGE_SEAT_SEATED;
    for (unsigned s = 0; r->has_absence && s < EDGE_SEAT_NSTATES; s++)
        if (absences[s] != 0 && absences[s] == r->absence)
            seat->state = (uint8_t)s;
    bool away = seat->state != EDGE_SEAT_LEFT && seat->state != EDGE_SEAT_SEATED;
    bool waits = (seat->state == EDGE_SEAT_GRACE || seat->state == EDGE_SEAT_PAUSED) && !over;
    seat->due_ms = r->has_due_at_ms ? r->due_at_ms : 0;
    g->present |= (uint8_t)((seat->state == EDGE_SEAT_SEATED) << i);
    return r->has_absence == away && !(left && r->has_absence) && !(away && g->seats[i].bot) && waits == (seat->due_ms != 0);
}

static enum mer_err restore_seat(struct edge_game *g, unsigned i, const Meridian__State__V1__SeatRecord *r)
{
    struct edge_game_seat *seat = &g->seats[i];
    if (!text_ok(r->user, EDGE_GAME_USER_MAX) || !text_ok(r->name, EDGE_GAME_NAME_MAX) || r->n_answered > EDGE_GAME_ANSWERED ||
        r->turns_lost >= 256 ||
        (r->phase != MERIDIAN__STATE__V1__SEAT_PHASE__SEAT_PHASE_SEATED && r->phase != MERIDIAN__STATE__V1__SEAT_PHASE__SEAT_PHASE_LEFT) ||
        (r->kind != MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_HUMAN && r->kind != MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_BOT))
        return MER_EINVALID;
    for (unsigned k = 0; k < r->n_answered; k++) {
        struct edge_game_answered *a = &seat->answered[k];
        if (!text_ok(r->answered[k]->move_id, EDGE_GAME_MOVE_ID_MAX) || !unpack_action(&r->answered[k]->action, &a->action))
            return MER_EINVALID;
        a->version = r->answered[k]->version;
        memcpy(a->move_id, r->answered[k]->move_id, strlen(r->answered[k]->move_id));
    }
    seat->answered_at = (uint8_t)(r->n_answered % EDGE_GAME_ANSWERED);
    seat->bot = r->kind == MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_BOT;
    seat->user = mer_try_strdup(r->user);
    seat->name = mer_try_strdup(r->name);
    if (!seat->user || !seat->name)
        return MER_ENOMEM;
    g->bots |= (uint8_t)(seat->bot << i);
    g->now.left |= (uint8_t)((r->phase == MERIDIAN__STATE__V1__SEAT_PHASE__SEAT_PHASE_LEFT) << i);
    g->now.turns_lost[i] = (uint8_t)r->turns_lost;
    return MER_OK;
}

static bool head_ok(const Meridian__State__V1__GameRecord *r)
{
    if (!text_ok(r->game_id, EDGE_GAME_ID_MAX) || !text_ok(r->region, EDGE_GAME_REGION_MAX) || r->version == 0 || r->n_seats < 2 ||
        r->n_seats > EDGE_RULES_SEATS || r->over == (r->deadline_at_ms != 0))
        return false;
    return !r->over || (r->has_over_reason && r->over_reason >= MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_FINISHED &&
                        r->over_reason <= MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_EXPIRED);
}

static enum mer_err restore(struct edge_game *g, const Meridian__State__V1__GameRecord *r)
{
    if (!head_ok(r))
        return MER_EINVALID;
    bool paused = false;
    enum mer_err err = edge__game_seats(g, (unsigned)r->n_seats);
    for (unsigned i = 0; err == MER_OK && i < r->n_seats; i++)
        err = restore_seat(g, i, r->seats[i]);
    if (err != MER_OK)
        return err;
    struct edge_rules_spec spec = {.seats = g->seat_count, .bots = g->bots, .left = g->now.left};
    for (unsigned i = 0; i < g->seat_count; i++) {
        if (!restore_absence(g, i, r->seats[i], r->over))
            return MER_EINVALID;
        paused = paused || (g->now.seat[i].state == EDGE_SEAT_PAUSED && !r->over);
        spec.bots |= (uint8_t)((g->now.seat[i].state == EDGE_SEAT_BOT) << i);
    }
    g->now.paused_at_ms = r->has_paused_at_ms ? r->paused_at_ms : 0;
    if (paused != (g->now.paused_at_ms != 0))
        return MER_EINVALID;
    err = g->rules->decode(&g->now.rules, &spec, r->rules_state.data, r->rules_state.len);
    if (err != MER_OK)
        return err;
    memcpy(g->id, r->game_id, strlen(r->game_id));
    memcpy(g->region, r->region, strlen(r->region));
    g->now.version = r->version;
    g->now.deadline_ms = r->deadline_at_ms;
    g->now.over = r->over;
    g->now.reason = (uint8_t)(r->over ? r->over_reason : 0);
    g->created_at_ms = r->created_at_ms;
    unsigned here = (unsigned)g->seat_count - (unsigned)__builtin_popcount(g->now.left);
    bool turn_left = g->now.left >> g->rules->turn(&g->now.rules) & 1;
    return g->now.over || (here >= 2 && !turn_left) ? MER_OK : MER_EINVALID;
}

enum mer_err edge_game_decode(struct edge_game *g, const struct edge_rules *rules, const uint8_t *record, size_t len,
                              const struct edge_game_env *env)
{
    if (len > RECORD_MAX)
        return MER_EINVALID;
    Meridian__State__V1__GameRecord *r = meridian__state__v1__game_record__unpack(NULL, len, record);
    if (!r)
        return MER_EINVALID;
    memset(g, 0, sizeof(*g));
    mer_list_init(&g->queue);
    g->env = env;
    g->rules = rules ? rules : edge_rules_find(r->game);
    enum mer_err err = g->rules && strcmp(g->rules->name, r->game) == 0 ? restore(g, r) : MER_EINVALID;
    meridian__state__v1__game_record__free_unpacked(r, NULL);
    if (err != MER_OK)
        edge_game_deinit(g);
    return err;
}
