/* SPDX-License-Identifier: Apache-2.0
 * change.c - what can happen in a hosted game: its birth, the answers that need no change, and the changes: by a request, by time owed, by
 * the clock, by a bot.
 *
 * A change is made on `next`, a copy of `now`, together with the events that tell it; nothing is shown before edge__game_confirm, which
 * game.c calls when the store has it. A refused request leaves `now` and an abandoned copy, which the next change overwrites. */
#include "edge/game/change.h"

#include <string.h>

#include <meridian/id.h>
#include <meridian/mem.h>

#define CODE(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name
#define REASON(name) MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_##name

/* --- birth and death ----------------------------------------------------------------------------------------------- */

enum mer_err edge__game_seats(struct edge_game *g, unsigned count)
{
    g->seats = mer_try_calloc(count, sizeof(*g->seats));
    if (!g->seats)
        return MER_ENOMEM;
    g->seat_count = (uint8_t)count;
    return MER_OK;
}

static bool spec_ok(const struct edge_game_spec *s)
{
    if (!mer_id_is_text(s->id, strlen(s->id), EDGE_GAME_ID_MAX) || !mer_id_is_text(s->region, strlen(s->region), EDGE_GAME_REGION_MAX) ||
        s->seat_count < 2 || s->seat_count > EDGE_RULES_SEATS)
        return false;
    for (unsigned i = 0; i < s->seat_count; i++) {
        if (!mer_id_is_text(s->seat[i].user, strlen(s->seat[i].user), EDGE_GAME_USER_MAX) ||
            !mer_id_is_text(s->seat[i].name, strlen(s->seat[i].name), EDGE_GAME_NAME_MAX))
            return false;
        for (unsigned k = 0; k < i; k++)
            if (strcmp(s->seat[i].user, s->seat[k].user) == 0)
                return false;
    }
    return true;
}

static enum mer_err fill_seats(struct edge_game *g, const struct edge_game_spec *spec)
{
    enum mer_err err = edge__game_seats(g, spec->seat_count);
    for (unsigned i = 0; err == MER_OK && i < spec->seat_count; i++) {
        g->seats[i].bot = spec->seat[i].bot;
        g->bots |= (uint8_t)(spec->seat[i].bot << i);
        g->seats[i].user = mer_try_strdup(spec->seat[i].user);
        g->seats[i].name = mer_try_strdup(spec->seat[i].name);
        if (!g->seats[i].user || !g->seats[i].name)
            err = MER_ENOMEM;
    }
    return err;
}

enum mer_err edge_game_init_rules(struct edge_game *g, const struct edge_rules *rules, const struct edge_game_spec *spec,
                                  const struct edge_game_env *env, struct edge_game_time t)
{
    memset(g, 0, sizeof(*g));
    mer_list_init(&g->queue);
    if (!rules || !spec_ok(spec))
        return MER_EINVALID;
    g->rules = rules;
    g->env = env;
    enum mer_err err = fill_seats(g, spec);
    struct edge_rules_spec rs = {.seats = spec->seat_count, .rows = spec->rows, .cols = spec->cols, .bots = g->bots};
    if (err == MER_OK)
        err = rules->create(&g->now.rules, &rs, &env->rng);
    if (err != MER_OK) {
        edge_game_deinit(g);
        return err;
    }
    memcpy(g->id, spec->id, strlen(spec->id));
    memcpy(g->region, spec->region, strlen(spec->region));
    g->now.version = 1;
    g->present = (uint8_t)((1u << g->seat_count) - 1);
    g->now.deadline_ms = t.store_ms + rules->clock_ms(&g->now.rules);
    g->created_at_ms = t.store_ms;
    return MER_OK;
}

enum mer_err edge_game_init(struct edge_game *g, const struct edge_game_spec *spec, const struct edge_game_env *env,
                            struct edge_game_time t)
{
    return edge_game_init_rules(g, edge_rules_find(spec->game), spec, env, t);
}

void edge__game_drop_queue(struct edge_game *g)
{
    MER_LIST_EACH_SAFE (it, &g->queue) {
        struct edge_game_ask *ask = MER_LIST_ENTRY(it, struct edge_game_ask, node);
        mer_list_remove(it);
        mer_free(&ask);
    }
    g->queued = 0;
}

void edge_game_deinit(struct edge_game *g)
{
    edge__game_drop_queue(g);
    for (unsigned i = 0; i < g->seat_count; i++) {
        mer_free(&g->seats[i].user);
        mer_free(&g->seats[i].name);
    }
    mer_free(&g->seats);
    g->seat_count = 0;
}

/* --- answers ------------------------------------------------------------------------------------------------------- */

unsigned edge_game_seat_of(const struct edge_game *g, const char *user)
{
    for (unsigned i = 0; i < g->seat_count; i++)
        if (!g->seats[i].bot && !(g->now.left >> i & 1) && strcmp(g->seats[i].user, user) == 0)
            return i;
    return EDGE_RULES_NO_SEAT;
}

static const char *subject(const struct edge_game *g, const struct edge_game_ask *ask)
{
    return ask->kind == EDGE_GAME_ASK_MOVE ? ask->move_id : g->id;
}

static const struct edge_game_answered *answered_before(const struct edge_game *g, const struct edge_game_ask *ask)
{
    const struct edge_game_seat *seat = &g->seats[ask->seat];
    for (unsigned i = 0; ask->kind == EDGE_GAME_ASK_MOVE && i < EDGE_GAME_ANSWERED; i++)
        if (strcmp(seat->answered[i].move_id, ask->move_id) == 0)
            return &seat->answered[i];
    return NULL;
}

bool edge_game_answer(const struct edge_game *g, const struct edge_game_ask *ask, struct edge_game_answer *out)
{
    const struct edge_game_answered *before = answered_before(g, ask);
    if (before && before->action.card == ask->action.card)
        edge__game_move_ok(out, g, ask->move_id, before->version);
    else if (before)
        edge_game_error(out, CODE(MOVE_CONFLICT), ask->move_id, 0);
    else if (g->now.over)
        edge_game_error(out, CODE(GAME_OVER), subject(g, ask), 0);
    else if (g->now.left >> ask->seat & 1)
        edge_game_error(out, CODE(NO_SUCH_GAME), subject(g, ask), 0);
    else
        return false;
    return true;
}

void edge__game_refuse(struct edge_game *g, const struct edge_game_ask *ask, Meridian__Client__V1__ErrorCode code, uint32_t retry_after_ms)
{
    struct edge_game_answer a;
    edge_game_error(&a, code, subject(g, ask), retry_after_ms);
    g->env->note(g, EDGE_GAME_NOTE_REFUSED, (uint32_t)code);
    g->env->reply(g, ask, &a.m);
}

/* true: answered out of what is confirmed. */
bool edge__game_answer_now(struct edge_game *g, const struct edge_game_ask *ask)
{
    struct edge_game_answer a;
    if (!edge_game_answer(g, ask, &a))
        return false;
    if (a.m.body_case == MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_MOVE_OK)
        g->env->note(g, EDGE_GAME_NOTE_REPEATED, 0);
    else
        g->env->note(g, EDGE_GAME_NOTE_REFUSED, (uint32_t)a.body.error.code);
    g->env->reply(g, ask, &a.m);
    return true;
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

void edge__game_begin(struct edge_game *g)
{
    MER_DASSERT(!g->has_next);
    g->next = g->now;
    g->next.version++;
    g->asker.kind = EDGE_GAME_ASK_NONE;
    g->giving_back = false;
    edge_rules_out_init(&g->change);
}

void edge__game_end(struct edge_game *g, unsigned reason)
{
    g->next.over = true;
    g->next.reason = (uint8_t)reason;
    g->next.deadline_ms = g->next.paused_at_ms = 0;
    for (unsigned i = 0; i < g->seat_count; i++)
        g->next.seat[i].due_ms = 0;
    edge_rules_event(&g->change, EDGE_EVENT_OVER, 0);
}

void edge__game_leave(struct edge_game *g, struct edge_game_time t, unsigned seat, enum edge_seat_event why, unsigned reason)
{
    if (g->rules->seat_bot && g->next.seat[seat].state == EDGE_SEAT_BOT)
        g->rules->seat_bot(&g->next.rules, seat, false);
    edge_seat_move(&g->next.seat[seat], why, t.store_ms, &g->env->seats);
    g->next.left |= (uint8_t)(1u << seat);
    unsigned here = (unsigned)g->seat_count - (unsigned)__builtin_popcount(g->next.left);
    if (here < 2 || !edge__game_attended_without(g, seat)) {
        g->change.count = 0;
        edge__game_end(g, reason);
        return;
    }
    edge_rules_event(&g->change, EDGE_EVENT_LEFT, seat);
    g->rules->seat_left(&g->next.rules, seat, &g->change);
}

void edge__game_complete(struct edge_game *g, struct edge_game_time t)
{
    if (g->change.finished_turn != EDGE_RULES_NO_SEAT)
        g->next.turns_lost[g->change.finished_turn] = 0;
    unsigned lost = g->change.lost;
    /* Who is not there loses his turns to the drop, not to himself: his seat's own clock decides. */
    bool his_fault = lost != EDGE_RULES_NO_SEAT && !g->seats[lost].bot && g->next.seat[lost].state == EDGE_SEAT_SEATED;
    if (his_fault && ++g->next.turns_lost[lost] >= EDGE_GAME_TURNS_LOST)
        edge__game_leave(g, t, lost, EDGE_SEAT_ON_LEAVE, REASON(ABANDONED));
    if (g->change.finished)
        edge__game_end(g, REASON(FINISHED));
    edge__game_pause(g, t);
    uint64_t from = g->next.paused_at_ms ? g->next.paused_at_ms : t.store_ms; /* what stands begins when it goes on */
    if (g->change.new_clock && !g->next.over)
        g->next.deadline_ms = from + g->rules->clock_ms(&g->next.rules);
    g->has_next = true;
}

void edge__game_by_request(struct edge_game *g, struct edge_game_time t, const struct edge_game_ask *ask)
{
    if (edge__game_answer_now(g, ask))
        return;
    if (ask->kind == EDGE_GAME_ASK_MOVE && g->now.paused_at_ms) {
        uint32_t wait = edge_game_paused_for_ms(&g->now, t.store_ms);
        edge__game_refuse(g, ask, CODE(TRY_AGAIN), wait > 0 ? wait : 1);
        return;
    }
    edge__game_begin(g);
    if (ask->kind == EDGE_GAME_ASK_LEAVE) {
        edge__game_leave(g, t, ask->seat, EDGE_SEAT_ON_LEAVE, REASON(RESIGNED));
    } else {
        Meridian__Client__V1__ErrorCode code = g->rules->apply(&g->next.rules, ask->seat, &ask->action, &g->change);
        if (code != CODE(UNSPECIFIED)) {
            edge__game_refuse(g, ask, code, 0);
            return;
        }
    }
    g->asker = *ask;
    edge__game_complete(g, t);
}

void edge__game_by_resume(struct edge_game *g, struct edge_game_time t)
{
    edge__game_begin(g);
    g->giving_back = true;
    struct edge_game_state *s = &g->next;
    if (!s->paused_at_ms) {
        uint64_t full = t.store_ms + g->rules->clock_ms(&s->rules);
        s->deadline_ms += g->owed_ms;
        if (g->fresh && s->deadline_ms < full)
            s->deadline_ms = full;
    }
    for (unsigned i = 0; i < g->seat_count; i++) {
        if (s->seat[i].due_ms == 0)
            continue;
        s->seat[i].due_ms += g->owed_ms;
        if (g->fresh && s->seat[i].due_ms < t.store_ms + EDGE_SEAT_ATTACH_MS)
            s->seat[i].due_ms = t.store_ms + EDGE_SEAT_ATTACH_MS;
    }
    g->owed_ms = 0;
    g->fresh = false;
    if (s->paused_at_ms)
        edge_rules_event(&g->change, EDGE_EVENT_PAUSED, 0)->for_ms = edge_game_paused_for_ms(s, t.store_ms);
    else
        edge_rules_event(&g->change, EDGE_EVENT_RESUMED, 0);
    edge__game_complete(g, t);
}

void edge__game_by_clock(struct edge_game *g, struct edge_game_time t)
{
    edge__game_begin(g);
    g->rules->timeout(&g->next.rules, &g->change);
    edge__game_complete(g, t);
}

void edge__game_by_bot(struct edge_game *g, struct edge_game_time t)
{
    edge__game_begin(g);
    g->bot_due_ms = 0;
    unsigned seat = g->rules->turn(&g->now.rules);
    if (g->rules->apply(&g->next.rules, seat, &g->bot_action, &g->change) == CODE(UNSPECIFIED))
        edge__game_complete(g, t);
    else
        g->env->note(g, EDGE_GAME_NOTE_STRAY, 0); /* a bot that breaks the rules loses its turn to the clock */
}

void edge__game_plan_bot(struct edge_game *g, struct edge_game_time t)
{
    g->bot_due_ms = 0;
    if (g->now.over || g->now.paused_at_ms)
        return;
    unsigned seat = g->rules->turn(&g->now.rules);
    struct edge_rules_bot bot;
    if (!edge_game_bot_plays(g, seat) || !g->rules->bot(&g->now.rules, seat, &g->env->rng, &bot))
        return;
    g->bot_due_ms = t.mono_ms + bot.think_ms;
    g->bot_action = bot.action;
}

static void remember(struct edge_game *g)
{
    struct edge_game_seat *seat = &g->seats[g->asker.seat];
    struct edge_game_answered *a = &seat->answered[seat->answered_at];
    seat->answered_at = (uint8_t)((seat->answered_at + 1) % EDGE_GAME_ANSWERED);
    a->version = g->now.version;
    a->action = g->asker.action;
    memcpy(a->move_id, g->asker.move_id, sizeof(a->move_id));
}

static void publish(struct edge_game *g)
{
    struct edge_game_message storage[EDGE_RULES_EVENTS];
    const Meridian__Client__V1__ServerMessage *messages[EDGE_RULES_EVENTS];
    struct edge_game_answer ok;
    const struct edge_game_ask *from = NULL;
    for (unsigned i = 0; i < g->change.count; i++) {
        edge__game_message(g, &g->change.event[i], &storage[i]);
        messages[i] = &storage[i].m;
    }
    if (g->asker.kind == EDGE_GAME_ASK_MOVE && !g->asker.told) {
        from = &g->asker;
        edge__game_move_ok(&ok, g, g->asker.move_id, g->now.version);
    }
    g->env->publish(g, from, from ? &ok.m : NULL, messages, g->change.count);
}

/* The store has `next`: it is what happened, and may be shown. */
void edge__game_confirm(struct edge_game *g, struct edge_game_time t)
{
    g->now = g->next;
    g->has_next = false;
    if (g->asker.kind == EDGE_GAME_ASK_MOVE) {
        remember(g);
        g->env->note(g, EDGE_GAME_NOTE_ACCEPTED, 0);
    }
    for (unsigned i = 0; i < g->change.count && !g->giving_back; i++)
        if (g->change.event[i].kind >= EDGE_EVENT_LEFT && g->change.event[i].kind <= EDGE_EVENT_PAUSED)
            g->env->note(g, EDGE_GAME_NOTE_SEAT, g->change.event[i].kind);
    if (g->paused && (g->now.over || g->giving_back)) {
        g->paused = false;
        g->env->note(g, EDGE_GAME_NOTE_RESUMED, 0);
    }
    publish(g);
    g->asker.kind = EDGE_GAME_ASK_NONE;
    edge__game_plan_bot(g, t);
    if (g->now.over)
        g->env->note(g, EDGE_GAME_NOTE_ENDED, g->now.reason);
}
