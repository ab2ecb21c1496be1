/* SPDX-License-Identifier: Apache-2.0
 * bot.c - plays memory like a forgetful person.
 *
 * It knows what it saw turned (edge_memory_mind, at most 20 cards, oldest forgotten first), and whether it recalls one of them is a throw
 * of the dice that gets worse with every card seen since. It thinks 0.6-1.8 s. It reads faces only of cards in its mind or lying open: a
 * test swaps all the others and wants the same choice. Its memory is in the record, so another edge's bot goes on where this one stopped.
 */
#include "edge/game/memory.h"

#include <string.h>

#define DOWN MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_DOWN

enum {
    THINK_MIN_MS = 600,
    THINK_SPREAD_MS = 1200,
    RECALL_FRESH_PERCENT = 96, /* the card turned last */
    RECALL_DECAY_PERCENT = 6,  /* less with each card seen since */
    RECALL_MIN_PERCENT = 8,
};

void edge__memory_forget(struct edge_memory_mind *mind, unsigned card)
{
    for (unsigned i = 0; i < mind->count; i++) {
        if (mind->card[i] != card)
            continue;
        memmove(&mind->card[i], &mind->card[i + 1], mind->count - i - 1u);
        mind->card[--mind->count] = 0;
        return;
    }
}

void edge__memory_notice(struct edge_memory_mind *mind, unsigned card)
{
    edge__memory_forget(mind, card);
    if (mind->count == EDGE_MEMORY_RECALL)
        edge__memory_forget(mind, mind->card[0]);
    mind->card[mind->count++] = (uint8_t)card;
}

/* Which of the seen cards come to mind now, freshest first. */
static unsigned recall(const struct edge_memory *m, unsigned seat, const struct mer_rng *rng, uint8_t out[EDGE_MEMORY_RECALL])
{
    const struct edge_memory_mind *mind = &m->mind[seat];
    unsigned n = 0;
    for (unsigned age = 0; age < mind->count; age++) {
        int percent = RECALL_FRESH_PERCENT - RECALL_DECAY_PERCENT * (int)age;
        if (percent < RECALL_MIN_PERCENT)
            percent = RECALL_MIN_PERCENT;
        unsigned card = mind->card[mind->count - 1u - age];
        if (mer_rng_below(rng, 100) < (unsigned)percent && m->card[card] == DOWN)
            out[n++] = (uint8_t)card;
    }
    return n;
}

/* Any card lying down, rather one that tells something new. There is one: a pair is still on the table. */
static unsigned guess(const struct edge_memory *m, const uint8_t *known, unsigned known_count, const struct mer_rng *rng)
{
    uint8_t fresh[EDGE_RULES_CARDS], down[EDGE_RULES_CARDS];
    unsigned fresh_count = 0, down_count = 0;
    for (unsigned i = 0; i < edge_memory_cards(m); i++) {
        if (m->card[i] != DOWN)
            continue;
        down[down_count++] = (uint8_t)i;
        if (!memchr(known, (int)i, known_count))
            fresh[fresh_count++] = (uint8_t)i;
    }
    MER_ASSERT(down_count > 0);
    return fresh_count > 0 ? fresh[mer_rng_below(rng, fresh_count)] : down[mer_rng_below(rng, down_count)];
}

static unsigned choose(const struct edge_memory *m, const uint8_t *known, unsigned n, const struct mer_rng *rng)
{
    for (unsigned i = 0; i < n; i++) {
        if (m->open_count == 1 && m->face[known[i]] == m->face[m->open[0]])
            return known[i];
        for (unsigned j = i + 1; m->open_count == 0 && j < n; j++)
            if (m->face[known[i]] == m->face[known[j]])
                return known[i];
    }
    return guess(m, known, n, rng);
}

bool edge__memory_bot(const struct edge_rules_state *s, unsigned seat, const struct mer_rng *rng, struct edge_rules_bot *out)
{
    const struct edge_memory *m = (const struct edge_memory *)s;
    if (m->revealing || m->turn != seat)
        return false;
    uint8_t known[EDGE_MEMORY_RECALL];
    out->think_ms = THINK_MIN_MS + mer_rng_below(rng, THINK_SPREAD_MS + 1);
    unsigned n = recall(m, seat, rng, known);
    out->action.card = choose(m, known, n, rng);
    return true;
}
