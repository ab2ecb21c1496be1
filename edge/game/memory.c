/* SPDX-License-Identifier: Apache-2.0
 * memory.c - the game of memory: turn two cards, keep a pair and go on, or let the next one try (protocol: "From the server").
 *
 *              flip             flip, same face: pair_found
 *   CHOOSING --------> ONE UP ------------------------------> CHOOSING (same seat), or finished with the last pair
 *      ^  ^               |  \-- flip, other face: pair_missed ----> REVEALING (1.5 s; flips are illegal)
 *      |  +-- clock: down-+                                              |
 *      +------------------------- clock: both down, next seat -----------+
 *
 * The three are not stored as such: open_count 0, 1, or 2 with `revealing`. Faces are dealt once and never move, so a bot's memory is a
 * list of cards. Next: bot.c, game.c. */
#include "edge/game/memory.h"

#include <string.h>

#include "meridian/state/v1/state.pb-c.h"

#define DOWN MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_DOWN
#define UP MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_UP
#define TAKEN MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_TAKEN
#define ACCEPTED MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_UNSPECIFIED
#define ILLEGAL MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_ILLEGAL_MOVE
#define NOT_YOUR_TURN MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_NOT_YOUR_TURN

enum { SIDE_MIN = 2, SIDE_MAX = 10 }; /* protocol: find_match */
enum clock { TURN_MS = EDGE_RULES_TURN_MS, REVEAL_MS = EDGE_RULES_REVEAL_MS };

static struct edge_memory *memory(struct edge_rules_state *s)
{
    return (struct edge_memory *)s;
}

static const struct edge_memory *memory_const(const struct edge_rules_state *s)
{
    return (const struct edge_memory *)s;
}

static bool board_ok(uint32_t seats, uint32_t rows, uint32_t cols)
{
    return seats >= 2 && seats <= EDGE_RULES_SEATS && rows >= SIDE_MIN && rows <= SIDE_MAX && cols >= SIDE_MIN && cols <= SIDE_MAX &&
           rows * cols % 2 == 0;
}

static enum mer_err create(struct edge_rules_state *s, const struct edge_rules_spec *spec, const struct mer_rng *rng)
{
    if (!board_ok(spec->seats, spec->rows, spec->cols))
        return MER_EINVALID;
    memset(s, 0, sizeof(*s));
    struct edge_memory *m = memory(s);
    m->seats = spec->seats;
    m->rows = spec->rows;
    m->cols = spec->cols;
    m->bots = spec->bots;
    unsigned n = edge_memory_cards(m);
    for (unsigned i = 0; i < n; i++) {
        m->card[i] = (uint8_t)DOWN;
        m->face[i] = (uint8_t)(i / 2);
    }
    for (unsigned i = n - 1; i > 0; i--) { /* Fisher-Yates */
        unsigned j = mer_rng_below(rng, i + 1);
        uint8_t swap = m->face[i];
        m->face[i] = m->face[j];
        m->face[j] = swap;
    }
    return MER_OK;
}

static void close_turn(struct edge_memory *m)
{
    m->open[0] = m->open[1] = 0;
    m->open_count = 0;
    m->revealing = false;
}

static void cover_open(struct edge_memory *m)
{
    for (unsigned i = 0; i < m->open_count; i++)
        m->card[m->open[i]] = (uint8_t)DOWN;
    close_turn(m);
}

/* Whatever lies open goes down and the next seat that is still there has the turn. */
static void pass_turn(struct edge_memory *m, struct edge_rules_out *out)
{
    cover_open(m);
    do
        m->turn = (uint8_t)((m->turn + 1) % m->seats);
    while (m->left >> m->turn & 1);
    edge_rules_event(out, EDGE_EVENT_TURN, m->turn);
    out->new_clock = true;
}

static bool all_taken(const struct edge_memory *m)
{
    for (unsigned i = 0; i < edge_memory_cards(m); i++)
        if (m->card[i] != TAKEN)
            return false;
    return true;
}

static void take_pair(struct edge_memory *m, struct edge_rules_out *out)
{
    m->scores[m->turn]++;
    for (unsigned i = 0; i < 2; i++) {
        m->card[m->open[i]] = (uint8_t)TAKEN;
        for (unsigned seat = 0; seat < m->seats; seat++)
            edge__memory_forget(&m->mind[seat], m->open[i]);
    }
    close_turn(m);
    if (all_taken(m))
        out->finished = true;
    else
        edge_rules_event(out, EDGE_EVENT_TURN, m->turn);
}

static void second_card(struct edge_memory *m, struct edge_rules_out *out)
{
    bool same = m->face[m->open[0]] == m->face[m->open[1]];
    struct edge_event *e = edge_rules_event(out, same ? EDGE_EVENT_FOUND : EDGE_EVENT_MISSED, m->turn);
    e->cards[0] = m->open[0];
    e->cards[1] = m->open[1];
    if (same)
        take_pair(m, out);
    else
        m->revealing = true;
    out->new_clock = true;
    out->finished_turn = m->turn;
}

static Meridian__Client__V1__ErrorCode apply(struct edge_rules_state *s, unsigned seat, const struct edge_rules_action *a,
                                             struct edge_rules_out *out)
{
    struct edge_memory *m = memory(s);
    if (m->revealing)
        return ILLEGAL;
    if (seat != m->turn)
        return NOT_YOUR_TURN;
    if (a->card >= edge_memory_cards(m) || m->card[a->card] != DOWN)
        return ILLEGAL;
    m->card[a->card] = (uint8_t)UP;
    m->open[m->open_count++] = (uint8_t)a->card;
    struct edge_event *e = edge_rules_event(out, EDGE_EVENT_FLIPPED, seat);
    e->cards[0] = a->card;
    e->face = m->face[a->card];
    for (unsigned i = 0; i < m->seats; i++)
        if (m->bots >> i & 1)
            edge__memory_notice(&m->mind[i], a->card);
    if (m->open_count == 2)
        second_card(m, out);
    return ACCEPTED;
}

static void timeout(struct edge_rules_state *s, struct edge_rules_out *out)
{
    struct edge_memory *m = memory(s);
    if (!m->revealing)
        out->lost = m->turn;
    pass_turn(m, out);
}

static void seat_left(struct edge_rules_state *s, unsigned seat, struct edge_rules_out *out)
{
    struct edge_memory *m = memory(s);
    m->left |= (uint8_t)(1u << seat);
    if (m->turn == seat)
        pass_turn(m, out);
}

static void seat_bot(struct edge_rules_state *s, unsigned seat, bool bot)
{
    struct edge_memory *m = memory(s);
    m->bots = (uint8_t)(bot ? m->bots | 1u << seat : m->bots & ~(1u << seat));
    memset(&m->mind[seat], 0, sizeof(m->mind[seat]));
}

static uint32_t clock_ms(const struct edge_rules_state *s)
{
    return memory_const(s)->revealing ? REVEAL_MS : TURN_MS;
}

static unsigned turn(const struct edge_rules_state *s)
{
    return memory_const(s)->turn;
}

static void scores(const struct edge_rules_state *s, uint32_t out[EDGE_RULES_SEATS])
{
    for (unsigned i = 0; i < EDGE_RULES_SEATS; i++)
        out[i] = memory_const(s)->scores[i];
}

static void view(const struct edge_rules_state *s, unsigned seat, struct edge_rules_view *v)
{
    (void)seat; /* everybody sees the same table */
    const struct edge_memory *m = memory_const(s);
    memset(v, 0, sizeof(*v));
    v->rows = m->rows;
    v->cols = m->cols;
    for (unsigned i = 0; i < edge_memory_cards(m); i++) {
        v->card[i] = m->card[i];
        v->face[i] = m->card[i] == DOWN ? 0 : m->face[i];
    }
}

/* --- record (state.v1.MemoryState) --------------------------------------------------------------------------------- */

static size_t encode(const struct edge_rules_state *s, uint8_t out[EDGE_RULES_RECORD_MAX])
{
    struct edge_memory m = *memory_const(s);
    Meridian__State__V1__MemoryState r = MERIDIAN__STATE__V1__MEMORY_STATE__INIT;
    Meridian__State__V1__BotMemory bot[EDGE_RULES_SEATS], *bots[EDGE_RULES_SEATS];
    uint32_t points[EDGE_RULES_SEATS], open[2];
    r.rows = m.rows;
    r.cols = m.cols;
    r.faces = (ProtobufCBinaryData){edge_memory_cards(&m), m.face};
    r.states = (ProtobufCBinaryData){edge_memory_cards(&m), m.card};
    r.turn = m.turn;
    r.revealing = m.revealing;
    r.n_scores = m.seats;
    r.scores = points;
    for (unsigned i = 0; i < m.seats; i++)
        points[i] = m.scores[i];
    r.n_open = m.open_count;
    r.open = open;
    for (unsigned i = 0; i < m.open_count; i++)
        open[i] = m.open[i];
    r.bots = bots;
    for (unsigned i = 0; i < m.seats; i++) {
        if (!(m.bots >> i & 1))
            continue;
        meridian__state__v1__bot_memory__init(&bot[i]);
        bot[i].seat = i;
        bot[i].cards = (ProtobufCBinaryData){m.mind[i].count, m.mind[i].card};
        bots[r.n_bots++] = &bot[i];
    }
    /* Largest: 2 x 100 cards, 4 x 20 remembered, small change. */
    MER_ASSERT(meridian__state__v1__memory_state__get_packed_size(&r) <= EDGE_RULES_RECORD_MAX);
    return meridian__state__v1__memory_state__pack(&r, out);
}

static bool record_ok(const Meridian__State__V1__MemoryState *r, const struct edge_rules_spec *spec)
{
    if (!board_ok(spec->seats, r->rows, r->cols) || r->n_scores != spec->seats || r->turn >= spec->seats || r->n_open > 2)
        return false;
    size_t n = (size_t)r->rows * r->cols;
    if (r->faces.len != n || r->states.len != n || r->revealing != (r->n_open == 2))
        return false;
    unsigned copies[EDGE_RULES_CARDS] = {0}, up = 0, taken = 0, points = 0;
    for (size_t i = 0; i < n; i++) {
        if (r->faces.data[i] >= n / 2 || ++copies[r->faces.data[i]] > 2 || r->states.data[i] < DOWN || r->states.data[i] > TAKEN)
            return false;
        up += r->states.data[i] == UP;
        taken += r->states.data[i] == TAKEN;
    }
    for (size_t i = 0; i < r->n_open; i++)
        if (r->open[i] >= n || r->states.data[r->open[i]] != UP || (i > 0 && r->open[0] == r->open[1]))
            return false;
    for (size_t i = 0; i < r->n_scores; i++) {
        if (r->scores[i] > n / 2)
            return false;
        points += r->scores[i];
    }
    return up == r->n_open && taken == points * 2;
}

static bool mind_ok(const Meridian__State__V1__BotMemory *b, const struct edge_memory *m)
{
    bool seen[EDGE_RULES_CARDS] = {false};
    if (b->seat >= m->seats || b->cards.len > EDGE_MEMORY_RECALL)
        return false;
    for (size_t i = 0; i < b->cards.len; i++) {
        unsigned card = b->cards.data[i];
        if (card >= edge_memory_cards(m) || seen[card])
            return false;
        seen[card] = true;
    }
    return true;
}

static enum mer_err restore(struct edge_memory *m, const struct edge_rules_spec *spec, const Meridian__State__V1__MemoryState *r)
{
    if (!record_ok(r, spec))
        return MER_EINVALID;
    memset(m, 0, sizeof(*m));
    m->seats = spec->seats;
    m->bots = spec->bots;
    m->left = spec->left;
    m->rows = (uint8_t)r->rows;
    m->cols = (uint8_t)r->cols;
    m->turn = (uint8_t)r->turn;
    m->revealing = r->revealing;
    memcpy(m->face, r->faces.data, r->faces.len);
    memcpy(m->card, r->states.data, r->states.len);
    for (size_t i = 0; i < r->n_scores; i++)
        m->scores[i] = (uint8_t)r->scores[i];
    for (size_t i = 0; i < r->n_open; i++)
        m->open[m->open_count++] = (uint8_t)r->open[i];
    for (size_t i = 0; i < r->n_bots; i++) {
        if (!mind_ok(r->bots[i], m))
            return MER_EINVALID;
        struct edge_memory_mind *mind = &m->mind[r->bots[i]->seat];
        mind->count = (uint8_t)r->bots[i]->cards.len;
        if (mind->count > 0) /* an empty one has no bytes to point to */
            memcpy(mind->card, r->bots[i]->cards.data, mind->count);
    }
    return MER_OK;
}

static enum mer_err decode(struct edge_rules_state *s, const struct edge_rules_spec *spec, const uint8_t *data, size_t len)
{
    Meridian__State__V1__MemoryState *r = meridian__state__v1__memory_state__unpack(NULL, len, data);
    if (!r)
        return MER_EINVALID;
    struct edge_rules_state fresh = {{0}};
    enum mer_err err = restore(memory(&fresh), spec, r);
    meridian__state__v1__memory_state__free_unpacked(r, NULL);
    if (err == MER_OK)
        *s = fresh;
    return err;
}

const struct edge_rules edge_memory = {
    .name = "memory",
    .create = create,
    .apply = apply,
    .timeout = timeout,
    .seat_left = seat_left,
    .clock_ms = clock_ms,
    .turn = turn,
    .scores = scores,
    .view = view,
    .bot = edge__memory_bot,
    .encode = encode,
    .decode = decode,
    .seat_bot = seat_bot,
};
