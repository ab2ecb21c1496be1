/* SPDX-License-Identifier: Apache-2.0
 * game.c - views of a game: what each message does to one, and what it must not do. Next: game_check.c, which compares players. */
#include "tests/load/game.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "tests/load/game_private.h"

#define DOWN MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_DOWN
#define UP MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_UP
#define TAKEN MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_TAKEN
#define BODY(name) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##name

struct load_game *load_game_create(const char *id, unsigned seats, struct load_faults *faults)
{
    struct load_game *g = mer_try_calloc(1, sizeof(*g));
    if (!g)
        return NULL;
    snprintf(g->id, sizeof(g->id), "%s", id);
    g->faults = faults;
    g->seats = (uint8_t)(seats < LOAD_SEATS ? seats : LOAD_SEATS);
    for (unsigned i = 0; i < LOAD_CARDS; i++)
        g->face[i] = -1;
    return g;
}

void load_game_destroy(struct load_game *g)
{
    if (!g)
        return;
    free(g->slot);
    free(g);
}

void load_game_sit(struct load_game *g, unsigned seat, void *player)
{
    struct load_view *v = &g->view[seat];
    g->player[seat] = player;
    v->here = true;
    v->lost = true; /* until the game_state */
}

struct load_slot *load__game_slot(struct load_game *g, uint64_t version)
{
    if (version >= LOAD_VERSIONS_MAX)
        return NULL;
    if (version >= g->slots) {
        uint32_t wanted = g->slots ? g->slots * 2 : 64;
        while (wanted <= version)
            wanted *= 2;
        struct load_slot *grown = mer_try_realloc(g->slot, wanted * sizeof(*grown));
        if (!grown)
            return NULL;
        memset(grown + g->slots, 0, (wanted - g->slots) * sizeof(*grown));
        for (uint32_t i = g->slots; i < wanted; i++)
            grown[i].acked_by = LOAD_NO_SEAT;
        g->slot = grown;
        g->slots = wanted;
    }
    return &g->slot[version];
}

void load_game_cut(struct load_game *g, unsigned seat)
{
    struct load_slot *s = load__game_slot(g, g->view[seat].version);
    if (s)
        s->partial |= (uint8_t)(1u << seat);
}

/* --- faces and scores ---------------------------------------------------------------------------------------------------------------- */

static void learn_face(struct load_game *g, unsigned card, uint32_t face)
{
    unsigned copies = 0;
    if (g->face[card] >= 0 && (uint32_t)g->face[card] != face)
        load_fault(g->faults, LOAD_FAULT_FACE, "game %s: card %u had face %d and has %u now", g->id, card, g->face[card], face);
    if (face > INT16_MAX)
        load_fault(g->faults, LOAD_FAULT_FACE, "game %s: card %u has face %u", g->id, card, face);
    g->face[card] = (int16_t)(face & INT16_MAX);
    for (unsigned i = 0; i < LOAD_CARDS; i++)
        copies += g->face[i] == g->face[card];
    if (copies > 2)
        load_fault(g->faults, LOAD_FAULT_FACE, "game %s: face %u is on %u cards", g->id, face, copies);
}

static void rules_fault(struct load_game *g, unsigned seat, uint64_t version, const char *what)
{
    load_fault(g->faults, LOAD_FAULT_RULES, "game %s, version %llu as seat %u got it: %s", g->id, (unsigned long long)version, seat, what);
}

static void check_scores(struct load_game *g, unsigned seat, const struct load_event *e)
{
    const struct load_view *v = &g->view[seat];
    for (unsigned i = 0; i < g->seats; i++)
        if (v->scores[i] != e->scores[i])
            load_fault(g->faults, LOAD_FAULT_SCORE, "game %s, version %llu: seat %u has %u points, the message says %u", g->id,
                       (unsigned long long)v->version, i, v->scores[i], e->scores[i]);
}

/* --- events on a view ---------------------------------------------------------------------------------------------------------------- */

static void apply_flip(struct load_game *g, unsigned seat, const struct load_event *e)
{
    struct load_view *v = &g->view[seat];
    unsigned card = e->cards[0];
    if (card >= (unsigned)g->rows * g->cols || v->open_count == 2 || v->revealing || v->state[card] != DOWN) {
        rules_fault(g, seat, v->version, "this card cannot have been turned");
        return;
    }
    if (v->turn != LOAD_NO_SEAT && v->turn != e->seat)
        rules_fault(g, seat, v->version, "a card was turned out of turn");
    v->state[card] = (uint8_t)UP;
    v->open[v->open_count++] = (uint8_t)card;
    learn_face(g, card, e->face);
}

static void apply_pair(struct load_game *g, unsigned seat, const struct load_event *e)
{
    struct load_view *v = &g->view[seat];
    bool found = e->kind == BODY(PAIR_FOUND);
    bool same = v->open_count == 2 &&
                ((v->open[0] == e->cards[0] && v->open[1] == e->cards[1]) || (v->open[0] == e->cards[1] && v->open[1] == e->cards[0]));
    if (!same) {
        rules_fault(g, seat, v->version, "a pair of cards that are not the open ones");
        return;
    }
    if ((g->face[v->open[0]] == g->face[v->open[1]]) != found)
        load_fault(g->faults, LOAD_FAULT_FACE, "game %s: cards %u and %u are told as %s", g->id, e->cards[0], e->cards[1],
                   found ? "a pair and are none" : "no pair and are one");
    v->revealing = !found;
    if (found) {
        v->state[v->open[0]] = v->state[v->open[1]] = (uint8_t)TAKEN;
        v->open_count = 0;
        v->scores[e->seat]++;
    }
    check_scores(g, seat, e);
}

static void apply_turn(struct load_view *v, const struct load_event *e)
{
    for (unsigned i = 0; i < v->open_count; i++)
        v->state[v->open[i]] = (uint8_t)DOWN;
    v->open_count = 0;
    v->revealing = false;
    v->turn = e->seat;
}

static void apply_over(struct load_game *g, unsigned seat, const struct load_event *e)
{
    struct load_view *v = &g->view[seat];
    uint32_t top = 0;
    uint8_t winners = 0;
    v->over = true;
    check_scores(g, seat, e);
    for (unsigned i = 0; i < g->seats; i++)
        top = e->scores[i] > top ? e->scores[i] : top;
    for (unsigned i = 0; i < g->seats; i++)
        winners |= (uint8_t)((e->scores[i] == top) << i);
    /* Of an abandoned game those who stayed have won, and who they are is not told in one message. */
    bool abandoned = e->reason == MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_ABANDONED;
    if (winners != e->winners && !abandoned)
        load_fault(g->faults, LOAD_FAULT_SCORE, "game %s: winners %x, by the scores they are %x", g->id, e->winners, winners);
    if (e->reason != MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_FINISHED)
        return;
    for (unsigned i = 0; i < (unsigned)g->rows * g->cols; i++)
        if (v->state[i] != TAKEN) {
            rules_fault(g, seat, v->version, "finished with cards that are not taken");
            return;
        }
}

static void apply(struct load_game *g, unsigned seat, const struct load_event *e)
{
    switch (e->kind) {
    case BODY(CARD_FLIPPED):
        apply_flip(g, seat, e);
        break;
    case BODY(PAIR_FOUND):
    case BODY(PAIR_MISSED):
        apply_pair(g, seat, e);
        break;
    case BODY(TURN_CHANGED):
        apply_turn(&g->view[seat], e);
        break;
    case BODY(GAME_OVER):
        apply_over(g, seat, e);
        break;
    default: /* seat_left and its like change nothing on the table */
        break;
    }
}

/* --- snapshots ----------------------------------------------------------------------------------------------------------------------- */

static bool snapshot_fits(struct load_game *g, unsigned seat, const Meridian__Client__V1__GameState *s)
{
    bool fits = s->rows >= 2 && s->rows <= 10 && s->cols >= 2 && s->cols <= 10 && s->n_cards == (size_t)s->rows * s->cols &&
                s->n_scores == g->seats && s->n_seats == g->seats && (!s->has_turn || s->turn < g->seats);
    if (fits && g->known)
        fits = s->rows == g->rows && s->cols == g->cols;
    if (!fits)
        rules_fault(g, seat, s->version, "a game_state of another game");
    return fits;
}

static void snapshot_cards(struct load_game *g, unsigned seat, const Meridian__Client__V1__GameState *s)
{
    struct load_view *v = &g->view[seat];
    uint32_t taken = 0, points = 0;
    v->open_count = 0;
    for (unsigned i = 0; i < s->n_cards; i++) {
        const Meridian__Client__V1__Card *c = s->cards[i];
        v->state[i] = (uint8_t)c->state;
        if (c->has_face != (c->state != DOWN))
            rules_fault(g, seat, s->version, "a face on a card that lies down, or none on one that does not");
        if (c->has_face)
            learn_face(g, i, c->face);
        taken += c->state == TAKEN;
        if (c->state == UP && v->open_count < 2)
            v->open[v->open_count++] = (uint8_t)i;
    }
    v->revealing = v->open_count == 2;
    for (unsigned i = 0; i < g->seats; i++)
        points += v->scores[i] = s->scores[i];
    if (points * 2 != taken)
        load_fault(g->faults, LOAD_FAULT_SCORE, "game %s, version %llu: %u points with %u cards taken", g->id,
                   (unsigned long long)s->version, points, taken);
}

static enum load_verdict snapshot(struct load_game *g, unsigned seat, const Meridian__Client__V1__GameState *s)
{
    struct load_view *v = &g->view[seat];
    if (!snapshot_fits(g, seat, s))
        return LOAD_IGNORED;
    if (s->version < v->version && !v->fresh) /* allowed by the protocol after a repaired loss; with us that is a loss */
        load_fault(g->faults, LOAD_FAULT_MOVE_LOST, "game %s: went back from version %llu to %llu for seat %u", g->id,
                   (unsigned long long)v->version, (unsigned long long)s->version, seat);
    g->rows = (uint8_t)s->rows;
    g->cols = (uint8_t)s->cols;
    g->known = true;
    g->snapshots++;
    load_game_cut(g, seat);
    v->version = s->version;
    load_game_cut(g, seat);
    snapshot_cards(g, seat, s);
    v->turn = s->has_turn ? (uint8_t)s->turn : LOAD_NO_SEAT;
    v->paused = s->status == MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_PAUSED;
    v->over = s->status == MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_OVER;
    v->fresh = true;
    v->lost = false;
    return LOAD_APPLIED;
}

/* --- the way in ---------------------------------------------------------------------------------------------------------------------- */

static void remember(struct load_game *g, unsigned seat, uint64_t version, const struct load_event *e)
{
    struct load_slot *s = load__game_slot(g, version);
    if (!s) {
        rules_fault(g, seat, version, "a version no game gets to");
        return;
    }
    unsigned at = s->seen[seat];
    if (at == LOAD_EVENTS) {
        rules_fault(g, seat, version, "more messages of one version than a change has");
        return;
    }
    s->seen[seat]++;
    if (at >= s->count)
        s->event[s->count++] = *e;
    else if (memcmp(&s->event[at], e, sizeof(*e)) != 0 && !(s->partial >> seat & 1))
        load_fault(g->faults, LOAD_FAULT_ORDER, "game %s, version %llu: message %u of seat %u is another one than his opponent's", g->id,
                   (unsigned long long)version, at + 1, seat);
}

/* A pause is told with the version it stands at, to each player as it concerns him, so players need not agree on it. */
static enum load_verdict pause(struct load_view *v, bool paused, uint64_t version)
{
    if (version < v->version)
        return LOAD_IGNORED;
    v->version = version;
    v->paused = paused;
    return LOAD_APPLIED;
}

enum load_verdict load_game_message(struct load_game *g, unsigned seat, const Meridian__Client__V1__ServerMessage *m)
{
    struct load_view *v = &g->view[seat];
    struct load_event e;
    uint64_t version;
    if (m->body_case == BODY(GAME_STATE))
        return snapshot(g, seat, m->game_state);
    if (!load__event_of(m, g->seats, &e, &version)) {
        rules_fault(g, seat, v->version, "a message with a seat, card or list out of range");
        return LOAD_IGNORED;
    }
    if (v->lost)
        return LOAD_IGNORED;
    bool is_pause = e.kind == BODY(GAME_PAUSED) || e.kind == BODY(GAME_RESUMED);
    if (version > v->version + 1) {
        g->gaps++;
        load_game_cut(g, seat);
        v->lost = true;
        return LOAD_GAP;
    }
    if (is_pause)
        return pause(v, e.kind == BODY(GAME_PAUSED), version);
    if (v->fresh && version <= v->version)
        return LOAD_IGNORED; /* on its way when the snapshot was made */
    if (version < v->version || v->over) {
        load_fault(g->faults, LOAD_FAULT_DOUBLED, "game %s: version %llu after %llu for seat %u", g->id, (unsigned long long)version,
                   (unsigned long long)v->version, seat);
        return LOAD_IGNORED;
    }
    v->fresh = false;
    v->version = version;
    remember(g, seat, version, &e);
    apply(g, seat, &e);
    return LOAD_APPLIED;
}

/* --- playing ------------------------------------------------------------------------------------------------------------------------- */

bool load_game_to_move(const struct load_game *g, unsigned seat)
{
    const struct load_view *v = &g->view[seat];
    return g->known && !v->lost && !v->over && !v->paused && !v->revealing && v->turn == seat && v->open_count < 2;
}

/* A card that lies down and has the same face as `card`; -1 when nobody has seen one. */
static int partner_of(const struct load_game *g, const struct load_view *v, unsigned card)
{
    for (unsigned i = 0; i < (unsigned)g->rows * g->cols; i++)
        if (i != card && v->state[i] == DOWN && g->face[i] >= 0 && g->face[i] == g->face[card])
            return (int)i;
    return -1;
}

/* The n-th of the cards that lie down and were never seen, or of all that lie down when every one was. */
static unsigned any_card(const struct load_game *g, const struct load_view *v, uint32_t random)
{
    unsigned cards = (unsigned)g->rows * g->cols, choice[LOAD_CARDS], count = 0;
    for (unsigned i = 0; i < cards; i++)
        if (v->state[i] == DOWN && g->face[i] < 0)
            choice[count++] = i;
    for (unsigned i = 0; i < cards && (count == 0 || g->face[choice[0]] >= 0); i++)
        if (v->state[i] == DOWN)
            choice[count++] = i;
    return count ? choice[random % count] : 0;
}

unsigned load_game_choose(const struct load_game *g, unsigned seat, uint32_t random)
{
    const struct load_view *v = &g->view[seat];
    int partner;
    if (v->open_count == 1) {
        partner = partner_of(g, v, v->open[0]);
        return partner >= 0 ? (unsigned)partner : any_card(g, v, random);
    }
    for (unsigned i = 0; i < (unsigned)g->rows * g->cols; i++)
        if (v->state[i] == DOWN && g->face[i] >= 0 && partner_of(g, v, i) >= 0)
            return i;
    return any_card(g, v, random);
}
