/* SPDX-License-Identifier: Apache-2.0
 * memory.h - the state of a game of memory (concentration), shared by its rules (memory.c) and its bot (bot.c); nobody else reads it. */
#pragma once

#include "edge/game/rules.h"

enum { EDGE_MEMORY_RECALL = 20 }; /* cards a bot keeps in mind; no special reason, a person keeps fewer on a bad day */

struct edge_memory_mind { /* what a bot has seen and not forgotten, oldest first */
    uint8_t count;
    uint8_t card[EDGE_MEMORY_RECALL];
};

struct edge_memory {
    uint8_t seats, rows, cols, bots, left;
    uint8_t turn;
    uint8_t open_count; /* 0-2 */
    bool revealing;     /* two missed cards stay up until the clock runs out */
    uint8_t open[2];
    uint8_t scores[EDGE_RULES_SEATS];
    uint8_t face[EDGE_RULES_CARDS];
    uint8_t card[EDGE_RULES_CARDS]; /* client.v1.CardState */
    struct edge_memory_mind mind[EDGE_RULES_SEATS];
};
_Static_assert(sizeof(struct edge_memory) <= EDGE_RULES_STATE_BYTES, "a state fits into every game");

static inline unsigned edge_memory_cards(const struct edge_memory *m)
{
    return (unsigned)m->rows * m->cols;
}

/* A card was turned: it is now the freshest thing in that mind; what does not fit is forgotten, the oldest first. */
void edge__memory_notice(struct edge_memory_mind *mind, unsigned card);
/* The card is gone. */
void edge__memory_forget(struct edge_memory_mind *mind, unsigned card);
bool edge__memory_bot(const struct edge_rules_state *s, unsigned seat, const struct mer_rng *rng, struct edge_rules_bot *out);
