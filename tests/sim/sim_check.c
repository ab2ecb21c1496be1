/* SPDX-License-Identifier: Apache-2.0
 * sim_check.c - what players sent and saw: noted, and compared with each other at once. See sim_check.h; the end is sim_check_store.c. */
#include "tests/sim/sim_check.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/buf.h>
#include <meridian/mem.h>

#include "edge/game/abroad.h"
#include "tests/sim/sim_check_private.h"

#define CM(x) Meridian__Client__V1__##x
#define FROM(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x

enum { TICKET_MAX_MS = 150 * 1000 + EDGE_ABROAD_GIVE_UP_MS }; /* 120 s, and as long as a far region may keep a seat of his (decision 19) */

struct sim_counts sim_counts;
struct sim_log sim_log;

void sim_check_init(void)
{
    memset(&sim_log, 0, sizeof(sim_log));
    memset(&sim_counts, 0, sizeof(sim_counts));
    sim_mail_init();
    sim_friends_init();
}

void sim_check_sample(unsigned every)
{
    sim_log.every = every;
}

bool sim_check_notes(const char *game)
{
    uint32_t h = 2166136261u;
    if (sim_log.every < 2)
        return true;
    for (const char *c = game; *c; c++)
        h = (h ^ (uint8_t)*c) * 16777619u;
    return h % sim_log.every == 0;
}

static void *grow(void *array, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 256;
    return mer_xrealloc(array, *cap * size);
}

struct sim_move *sim_move_find(const char *user, const char *game, const char *id)
{
    for (size_t i = sim_log.moves; i-- > 0;)
        if (strcmp(sim_log.move[i].id, id) == 0 && strcmp(sim_log.move[i].game, game) == 0 && strcmp(sim_log.move[i].user, user) == 0)
            return &sim_log.move[i];
    return NULL;
}

void sim_check_sent(const char *user, const char *game, const char *move, uint32_t card)
{
    if (!sim_check_notes(game))
        return;
    sim_log.move = grow(sim_log.move, &sim_log.moves_cap, sim_log.moves, sizeof(*sim_log.move));
    struct sim_move *m = &sim_log.move[sim_log.moves++];
    memset(m, 0, sizeof(*m));
    sim_copy(m->user, sizeof(m->user), user);
    sim_copy(m->game, sizeof(m->game), game);
    sim_copy(m->id, sizeof(m->id), move);
    m->card = card;
}

void sim_check_acked(const char *user, const char *game, const char *move, uint64_t version)
{
    if (!sim_check_notes(game))
        return;
    struct sim_move *m = sim_move_find(user, game, move);
    sim_trace("%s move_ok %s version %llu", user, move, (unsigned long long)version);
    if (!m)
        sim_fail("%s got a move_ok for %s, which he never sent in %s", user, move, game);
    else if (m->acked && m->version != version)
        sim_fail("move %s in %s was acknowledged as version %llu and as %llu", move, game, (unsigned long long)m->version,
                 (unsigned long long)version);
    if (!m || m->acked)
        return;
    m->acked = true;
    m->version = version;
    sim_counts.moves++;
    sim_counts.far_moves += strchr(game, '.') != NULL;
}

void sim_check_refused(const char *user, const char *game, const char *re)
{
    if (!sim_check_notes(game))
        return;
    struct sim_move *m = re ? sim_move_find(user, game, re) : NULL;
    if (m && m->acked)
        sim_fail("move %s in %s was acknowledged as version %llu and is refused now", re, game, (unsigned long long)m->version);
}

void sim_check_no_game(const char *user, const char *game)
{
    if (!sim_check_notes(game))
        return;
    sim_log.gone = grow(sim_log.gone, &sim_log.gone_cap, sim_log.gones, sizeof(*sim_log.gone));
    struct sim_gone *g = &sim_log.gone[sim_log.gones++];
    sim_copy(g->user, sizeof(g->user), user);
    sim_copy(g->game, sizeof(g->game), game);
    sim_trace("%s: %s is no game any more", user, game);
}

void sim_check_ticket(const char *ticket, int state)
{
    struct sim_ticket *t = NULL;
    if (!sim_check_notes(ticket))
        return;
    for (size_t i = 0; i < sim_log.tickets && !t; i++)
        if (strcmp(sim_log.ticket[i].id, ticket) == 0)
            t = &sim_log.ticket[i];
    if (!t) {
        sim_log.ticket = grow(sim_log.ticket, &sim_log.tickets_cap, sim_log.tickets, sizeof(*sim_log.ticket));
        t = &sim_log.ticket[sim_log.tickets++];
        memset(t, 0, sizeof(*t));
        sim_copy(t->id, sizeof(t->id), ticket);
    }
    sim_trace("ticket %s state %d", ticket, state);
    if (t->seen == 0)
        t->first_ms = sim_now_ms();
    if (state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_WAITING && sim_now_ms() - t->first_ms > TICKET_MAX_MS)
        sim_fail("ticket %s waits for more than %d s", ticket, TICKET_MAX_MS / 1000);
    t->seen |= 1u << state;
    unsigned ended =
        1u << MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_CANCELLED | 1u << MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_EXPIRED;
    if ((t->seen & ended) == ended)
        sim_fail("ticket %s was cancelled and has expired", ticket);
}

void sim_check_resumed(int outcome)
{
    sim_counts.resumed[outcome < 4 ? outcome : 0]++;
}

/* --- what was shown ------------------------------------------------------------------------------------------------------------------- */

static void copy_numbers(const uint32_t *n, size_t count, uint32_t *to, uint8_t *len)
{
    *len = (uint8_t)(count < SIM_SEATS ? count : SIM_SEATS);
    for (size_t i = 0; i < *len; i++)
        to[i] = n[i];
}

static void cards_of_state(struct sim_shown *s, const CM(GameState) * g)
{
    for (size_t i = 0; i < g->n_cards && i < SIM_CARDS; i++) {
        bool down = g->cards[i]->state == MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_DOWN;
        if (down == (bool)g->cards[i]->has_face)
            sim_fail("%s version %llu: card %zu %s", g->game_id, (unsigned long long)g->version, i,
                     down ? "lies down and has a face" : "lies open and has no face");
        s->card_state[i] = (uint8_t)g->cards[i]->state;
        s->card_face[i] = (uint8_t)(down ? 0 : g->cards[i]->face);
    }
    s->cards = (uint8_t)g->n_cards;
}

/* false: not a message about a version of a game. Deadlines and pauses are not part of what is compared. */
static bool describe(struct sim_shown *s, const CM(ServerMessage) * m)
{
    memset(s, 0, sizeof(*s));
    s->kind = m->body_case;
    const char *game = NULL;
    switch (m->body_case) {
    case FROM(GAME_STATE): {
        const CM(GameState) *g = m->game_state;
        game = g->game_id;
        s->version = g->version;
        s->over = g->status == MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_OVER;
        cards_of_state(s, g);
        copy_numbers(g->scores, g->n_scores, s->score, &s->scores);
        break;
    }
    case FROM(CARD_FLIPPED):
        game = m->card_flipped->game_id;
        s->version = m->card_flipped->version;
        s->seat = m->card_flipped->seat;
        s->pair[0] = m->card_flipped->card;
        s->face = m->card_flipped->face;
        break;
    case FROM(PAIR_FOUND):
        game = m->pair_found->game_id;
        s->version = m->pair_found->version;
        s->seat = m->pair_found->seat;
        s->pair[0] = m->pair_found->cards[0], s->pair[1] = m->pair_found->cards[1];
        copy_numbers(m->pair_found->scores, m->pair_found->n_scores, s->score, &s->scores);
        break;
    case FROM(PAIR_MISSED):
        game = m->pair_missed->game_id;
        s->version = m->pair_missed->version;
        s->seat = m->pair_missed->seat;
        s->pair[0] = m->pair_missed->cards[0], s->pair[1] = m->pair_missed->cards[1];
        copy_numbers(m->pair_missed->scores, m->pair_missed->n_scores, s->score, &s->scores);
        break;
    case FROM(TURN_CHANGED):
        game = m->turn_changed->game_id;
        s->version = m->turn_changed->version;
        s->seat = m->turn_changed->seat;
        break;
    case FROM(PLAYER_DROPPED):
    case FROM(PLAYER_RECONNECTED):
    case FROM(SEAT_TAKEN_OVER):
    case FROM(SEAT_HANDED_BACK):
    case FROM(SEAT_LEFT): /* one type: a union */
        game = m->seat_left->game_id;
        s->version = m->seat_left->version;
        s->seat = m->seat_left->seat;
        break;
    case FROM(GAME_RESUMED):
        game = m->game_resumed->game_id;
        s->version = m->game_resumed->version;
        break;
    case FROM(GAME_OVER):
        game = m->game_over->game_id;
        s->version = m->game_over->version;
        s->over = true;
        copy_numbers(m->game_over->scores, m->game_over->n_scores, s->score, &s->scores);
        break;
    case FROM(MATCHED):
        game = m->matched->game_id;
        break;
    default:
        return false;
    }
    sim_copy(s->game, sizeof(s->game), game);
    return true;
}

static uint32_t bucket_of(const struct sim_shown *s)
{
    uint32_t h = 2166136261u;
    for (const char *c = s->game; *c; c++)
        h = (h ^ (uint8_t)*c) * 16777619u;
    h = (h ^ (uint32_t)s->version) * 16777619u;
    h = (h ^ (uint32_t)s->kind) * 16777619u;
    return h % SIM_SHOWN_SLOTS;
}

void sim_check_saw(const char *user, const CM(ServerMessage) * m)
{
    struct sim_shown s;
    if (!describe(&s, m) || !sim_check_notes(s.game))
        return;
    sim_trace("%s sees kind %u version %llu seat %u of %s", user, s.kind, (unsigned long long)s.version, s.seat, s.game);
    uint32_t b = bucket_of(&s);
    for (struct sim_shown *o = sim_log.shown[b]; o; o = o->next) {
        if (o->kind != s.kind || o->version != s.version || strcmp(o->game, s.game) != 0)
            continue;
        if (memcmp((const char *)o + offsetof(struct sim_shown, kind), (const char *)&s + offsetof(struct sim_shown, kind),
                   sizeof(s) - offsetof(struct sim_shown, kind)) != 0)
            sim_fail("%s: kind %u at version %llu differs between what %s and %s were shown", s.game, s.kind, (unsigned long long)s.version,
                     o->user, user);
        return;
    }
    struct sim_shown *keep = mer_xmalloc(sizeof(*keep));
    memcpy(keep, &s, sizeof(s));
    sim_copy(keep->user, sizeof(keep->user), user);
    keep->next = sim_log.shown[b];
    sim_log.shown[b] = keep;
    sim_counts.shown++;
}
