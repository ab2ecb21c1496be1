/* SPDX-License-Identifier: Apache-2.0
 * rules.c - the games that exist, and the little that all rules share. */
#include "edge/game/rules.h"

#include <string.h>

static const struct edge_rules *const games[] = {&edge_memory};

const struct edge_rules *edge_rules_find(const char *name)
{
    for (size_t i = 0; i < MER_COUNT(games); i++)
        if (strcmp(games[i]->name, name) == 0)
            return games[i];
    return NULL;
}

void edge_rules_out_init(struct edge_rules_out *out)
{
    memset(out, 0, sizeof(*out));
    out->lost = EDGE_RULES_NO_SEAT;
    out->finished_turn = EDGE_RULES_NO_SEAT;
}

struct edge_event *edge_rules_event(struct edge_rules_out *out, enum edge_event_kind kind, unsigned seat)
{
    MER_ASSERT(out->count < EDGE_RULES_EVENTS);
    struct edge_event *e = &out->event[out->count++];
    memset(e, 0, sizeof(*e));
    e->kind = (uint8_t)kind;
    e->seat = (uint8_t)seat;
    return e;
}
