/* SPDX-License-Identifier: Apache-2.0
 * last_card.h - a second game, to prove the table of rules: seats in turn take any one card from the table; who takes the last card has one
 * point and wins. The clock takes the first card that lies there. */
#pragma once

#include "edge/game/rules.h"

struct last_card {
    uint8_t seats, cards, left, turn, winner;
    uint8_t taken[EDGE_RULES_CARDS];
};

static inline struct last_card *lc(const struct edge_rules_state *s)
{
    return (struct last_card *)(uintptr_t)s;
}
static inline enum mer_err lc_create(struct edge_rules_state *s, const struct edge_rules_spec *spec, const struct mer_rng *rng)
{
    (void)rng;
    memset(s, 0, sizeof(*s));
    *lc(s) = (struct last_card){.seats = spec->seats, .cards = (uint8_t)(spec->rows * spec->cols), .winner = EDGE_RULES_NO_SEAT};
    return lc(s)->cards > 0 ? MER_OK : MER_EINVALID;
}
static inline void lc_pass(struct last_card *g, struct edge_rules_out *out)
{
    do
        g->turn = (uint8_t)((g->turn + 1) % g->seats);
    while (g->left >> g->turn & 1);
    edge_rules_event(out, EDGE_EVENT_TURN, g->turn);
    out->new_clock = true;
}
static inline void lc_take(struct last_card *g, unsigned card, struct edge_rules_out *out)
{
    unsigned left = 0;
    g->taken[card] = 1;
    struct edge_event *e = edge_rules_event(out, EDGE_EVENT_FLIPPED, g->turn);
    e->cards[0] = card;
    for (unsigned i = 0; i < g->cards; i++)
        left += !g->taken[i];
    if (left == 0) {
        g->winner = g->turn;
        out->finished = true;
    } else {
        lc_pass(g, out);
    }
}
static inline Meridian__Client__V1__ErrorCode lc_apply(struct edge_rules_state *s, unsigned seat, const struct edge_rules_action *a,
                                                       struct edge_rules_out *out)
{
    struct last_card *g = lc(s);
    if (seat != g->turn)
        return MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_NOT_YOUR_TURN;
    if (a->card >= g->cards || g->taken[a->card])
        return MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_ILLEGAL_MOVE;
    out->finished_turn = (uint8_t)seat;
    lc_take(g, a->card, out);
    return MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_UNSPECIFIED;
}
static inline void lc_timeout(struct edge_rules_state *s, struct edge_rules_out *out)
{
    unsigned card = 0;
    while (lc(s)->taken[card])
        card++;
    out->lost = lc(s)->turn;
    lc_take(lc(s), card, out);
}
static inline void lc_seat_left(struct edge_rules_state *s, unsigned seat, struct edge_rules_out *out)
{
    lc(s)->left |= (uint8_t)(1u << seat);
    if (lc(s)->turn == seat)
        lc_pass(lc(s), out);
}
static inline uint32_t lc_clock_ms(const struct edge_rules_state *s)
{
    (void)s;
    return 5000;
}
static inline unsigned lc_turn(const struct edge_rules_state *s)
{
    return lc(s)->turn;
}
static inline void lc_scores(const struct edge_rules_state *s, uint32_t out[EDGE_RULES_SEATS])
{
    for (unsigned i = 0; i < EDGE_RULES_SEATS; i++)
        out[i] = lc(s)->winner == i;
}
static inline void lc_view(const struct edge_rules_state *s, unsigned seat, struct edge_rules_view *v)
{
    (void)seat;
    memset(v, 0, sizeof(*v));
    v->rows = 1;
    v->cols = lc(s)->cards;
    for (unsigned i = 0; i < lc(s)->cards; i++)
        v->card[i] =
            lc(s)->taken[i] ? MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_TAKEN : MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_DOWN;
}
static inline bool lc_bot(const struct edge_rules_state *s, unsigned seat, const struct mer_rng *rng, struct edge_rules_bot *out)
{
    if (lc(s)->turn != seat)
        return false;
    out->think_ms = 100;
    do
        out->action.card = mer_rng_below(rng, lc(s)->cards);
    while (lc(s)->taken[out->action.card]);
    return true;
}
static inline size_t lc_encode(const struct edge_rules_state *s, uint8_t out[EDGE_RULES_RECORD_MAX])
{
    memcpy(out, lc(s), sizeof(struct last_card));
    return sizeof(struct last_card);
}
static inline enum mer_err lc_decode(struct edge_rules_state *s, const struct edge_rules_spec *spec, const uint8_t *data, size_t len)
{
    (void)spec;
    if (len != sizeof(struct last_card))
        return MER_EINVALID;
    memset(s, 0, sizeof(*s));
    memcpy(s, data, len);
    return MER_OK;
}
static const struct edge_rules last_card = {"last_card", lc_create, lc_apply, lc_timeout, lc_seat_left, lc_clock_ms,
                                            lc_turn,     lc_scores, lc_view,  lc_bot,     lc_encode,    lc_decode};
