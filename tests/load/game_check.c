/* SPDX-License-Identifier: Apache-2.0
 * game_check.c - faults, messages as comparable events, acknowledgements, and what can be said of a game once it is over. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/load/game_private.h"

#define BODY(name) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##name

/* --- faults -------------------------------------------------------------------------------------------------------------------------- */

#define X(name, text) #name,
static const char *const names[LOAD_NFAULTS] = {LOAD_FAULT_MAP(X)};
#undef X
#define X(name, text) text,
static const char *const texts[LOAD_NFAULTS] = {LOAD_FAULT_MAP(X)};
#undef X

const char *load_fault_name(enum load_fault f)
{
    return names[f];
}

const char *load_fault_text(enum load_fault f)
{
    return texts[f];
}

uint64_t load_faults_total(const struct load_faults *f)
{
    uint64_t sum = 0;
    for (int i = 0; i < LOAD_NFAULTS; i++)
        sum += f->count[i];
    return sum;
}

void load_fault(struct load_faults *f, enum load_fault kind, const char *fmt, ...)
{
    f->count[kind]++;
    if (f->texts == LOAD_FAULT_TEXTS)
        return;
    char *out = f->text[f->texts++];
    int n = snprintf(out, sizeof(f->text[0]), "%s: ", names[kind]);
    for (char *c = out; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    va_list args;
    va_start(args, fmt);
    vsnprintf(out + n, sizeof(f->text[0]) - (size_t)n, fmt, args);
    va_end(args);
}

/* --- messages as events -------------------------------------------------------------------------------------------------------------- */

static bool copy_cards(const uint32_t *cards, size_t n, struct load_event *e)
{
    if (n != 2 || cards[0] >= LOAD_CARDS || cards[1] >= LOAD_CARDS)
        return false;
    e->cards[0] = (uint8_t)cards[0];
    e->cards[1] = (uint8_t)cards[1];
    return true;
}

static bool copy_scores(const uint32_t *scores, size_t n, unsigned seats, struct load_event *e)
{
    if (n != seats)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (scores[i] > LOAD_CARDS / 2)
            return false;
        e->scores[i] = (uint8_t)scores[i];
    }
    return true;
}

static bool copy_over(const Meridian__Client__V1__GameOver *b, unsigned seats, struct load_event *e)
{
    e->reason = (uint8_t)b->reason;
    for (size_t i = 0; i < b->n_winners; i++) {
        if (b->winners[i] >= seats)
            return false;
        e->winners |= (uint8_t)(1u << b->winners[i]);
    }
    return copy_scores(b->scores, b->n_scores, seats, e);
}

static bool copy_seat(uint32_t seat, unsigned seats, struct load_event *e)
{
    e->seat = (uint8_t)seat;
    return seat < seats;
}

#define SEAT_AND_VERSION(b) (*version = (b)->version, copy_seat((b)->seat, seats, e))

bool load__event_of(const Meridian__Client__V1__ServerMessage *m, unsigned seats, struct load_event *e, uint64_t *version)
{
    memset(e, 0, sizeof(*e));
    e->kind = m->body_case;
    switch ((int)m->body_case) {
    case BODY(CARD_FLIPPED):
        e->cards[0] = (uint8_t)m->card_flipped->card;
        e->face = m->card_flipped->face;
        return SEAT_AND_VERSION(m->card_flipped) && m->card_flipped->card < LOAD_CARDS;
    case BODY(PAIR_FOUND):
        return SEAT_AND_VERSION(m->pair_found) && copy_cards(m->pair_found->cards, m->pair_found->n_cards, e) &&
               copy_scores(m->pair_found->scores, m->pair_found->n_scores, seats, e);
    case BODY(PAIR_MISSED):
        return SEAT_AND_VERSION(m->pair_missed) && copy_cards(m->pair_missed->cards, m->pair_missed->n_cards, e) &&
               copy_scores(m->pair_missed->scores, m->pair_missed->n_scores, seats, e);
    case BODY(TURN_CHANGED):
        e->deadline_ms = m->turn_changed->deadline_at_ms;
        return SEAT_AND_VERSION(m->turn_changed);
    case BODY(PLAYER_DROPPED):
        return SEAT_AND_VERSION(m->player_dropped);
    case BODY(PLAYER_RECONNECTED):
        return SEAT_AND_VERSION(m->player_reconnected);
    case BODY(SEAT_TAKEN_OVER):
        return SEAT_AND_VERSION(m->seat_taken_over);
    case BODY(SEAT_HANDED_BACK):
        return SEAT_AND_VERSION(m->seat_handed_back);
    case BODY(SEAT_LEFT):
        return SEAT_AND_VERSION(m->seat_left);
    case BODY(GAME_PAUSED):
        *version = m->game_paused->version;
        return true;
    case BODY(GAME_RESUMED):
        *version = m->game_resumed->version;
        return true;
    case BODY(GAME_OVER):
        *version = m->game_over->version;
        return copy_over(m->game_over, seats, e);
    default:
        return false;
    }
}

/* --- acknowledgements ---------------------------------------------------------------------------------------------------------------- */

void load_game_acked(struct load_game *g, unsigned seat, unsigned card, uint64_t version, bool first)
{
    const struct load_view *v = &g->view[seat];
    struct load_slot *s = load__game_slot(g, version);
    if (!s) {
        load_fault(g->faults, LOAD_FAULT_RULES, "game %s: a move was made in version %llu", g->id, (unsigned long long)version);
        return;
    }
    if (s->acked_by != LOAD_NO_SEAT)
        load_fault(g->faults, LOAD_FAULT_MOVE_DOUBLED, "game %s: two moves were acknowledged as version %llu", g->id,
                   (unsigned long long)version);
    s->acked_by = (uint8_t)seat;
    s->ack_card = (uint8_t)card;
    g->moves++;
    if (first && !v->fresh && !v->lost && v->version >= version)
        load_fault(g->faults, LOAD_FAULT_PROTOCOL, "game %s: card_flipped of version %llu came before its move_ok", g->id,
                   (unsigned long long)version);
}

static const struct load_event *flip_of(const struct load_slot *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->event[i].kind == BODY(CARD_FLIPPED))
            return &s->event[i];
    return NULL;
}

static unsigned flips_of(const struct load_slot *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->count; i++)
        n += s->event[i].kind == BODY(CARD_FLIPPED);
    return n;
}

/* Were all messages of this version told to at least one of our players, whole? */
static bool witnessed(const struct load_game *g, const struct load_slot *s)
{
    for (unsigned i = 0; i < g->seats; i++)
        if (s->seen[i] && !(s->partial >> i & 1))
            return true;
    return false;
}

static void check_told_alike(struct load_game *g, const struct load_slot *s, uint32_t version)
{
    for (unsigned i = 0; i < g->seats; i++)
        if (s->seen[i] && s->seen[i] != s->count && !(s->partial >> i & 1))
            load_fault(g->faults, LOAD_FAULT_ORDER, "game %s, version %u: seat %u got %u of %u messages", g->id, version, i, s->seen[i],
                       s->count);
}

static void check_move(struct load_game *g, const struct load_slot *s, uint32_t version, uint64_t unexplained[LOAD_SEATS])
{
    const struct load_event *flip = flip_of(s);
    if (flips_of(s) > 1)
        load_fault(g->faults, LOAD_FAULT_MOVE_DOUBLED, "game %s: version %u turned more than one card", g->id, version);
    if (s->acked_by == LOAD_NO_SEAT) {
        if (flip && g->view[flip->seat].here)
            unexplained[flip->seat]++;
        return;
    }
    if (flip && (flip->seat != s->acked_by || flip->cards[0] != s->ack_card))
        load_fault(g->faults, LOAD_FAULT_MOVE_LOST, "game %s, version %u: card %u of seat %u was acknowledged, card %u of seat %u turned",
                   g->id, version, s->ack_card, s->acked_by, flip->cards[0], flip->seat);
    if (!flip && witnessed(g, s))
        load_fault(g->faults, LOAD_FAULT_MOVE_LOST, "game %s, version %u: card %u of seat %u was acknowledged and never turned", g->id,
                   version, s->ack_card, s->acked_by);
}

/* Faces that were seen are pairs; after a finished game every one was. */
static void check_faces(struct load_game *g)
{
    unsigned cards = (unsigned)g->rows * g->cols;
    for (unsigned i = 0; i < cards; i++) {
        unsigned copies = 0;
        for (unsigned j = 0; j < cards; j++)
            copies += g->face[i] >= 0 && g->face[i] == g->face[j];
        if (g->face[i] >= 0 && copies != 2)
            load_fault(g->faults, LOAD_FAULT_FACE, "game %s: face %d is on %u cards at the end", g->id, g->face[i], copies);
    }
}

static bool all_taken(const struct load_game *g, const struct load_view *v)
{
    for (unsigned i = 0; i < (unsigned)g->rows * g->cols; i++)
        if (v->state[i] != MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_TAKEN)
            return false;
    return g->known;
}

void load_game_check(struct load_game *g)
{
    uint64_t unexplained[LOAD_SEATS] = {0}, end = 0;
    bool whole = false;
    for (uint32_t i = 0; i < g->slots; i++) {
        check_told_alike(g, &g->slot[i], i);
        check_move(g, &g->slot[i], i, unexplained);
    }
    for (unsigned i = 0; i < g->seats; i++) {
        const struct load_view *v = &g->view[i];
        if (unexplained[i] > g->unknown[i])
            load_fault(g->faults, LOAD_FAULT_MOVE_DOUBLED, "game %s: %llu cards of seat %u were turned without a move of his", g->id,
                       (unsigned long long)(unexplained[i] - g->unknown[i]), i);
        if (!v->here || !v->over)
            continue;
        if (end != 0 && v->version != end)
            load_fault(g->faults, LOAD_FAULT_ORDER, "game %s ended with version %llu and %llu", g->id, (unsigned long long)end,
                       (unsigned long long)v->version);
        end = v->version;
        whole |= all_taken(g, v);
    }
    if (whole)
        check_faces(g);
}
