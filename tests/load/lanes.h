/* SPDX-License-Identifier: Apache-2.0
 * lanes.h - who asks for a game together, so that games across edges exist although the matchmaker prefers one process.
 *
 * A lane is a board shape and a rating that no other lane is near to: two players who ask there at the same time find each other and nobody
 * else. Which edges they are on is chosen here; what becomes of it is counted from where they really sat down. */
#pragma once

#include <meridian/list.h>

#include "tests/load/options.h"

enum { LOAD_LANES_RATINGS = 25, LOAD_LANES_SHAPES = 3, LOAD_LANES = LOAD_LANES_RATINGS * LOAD_LANES_SHAPES };

struct load_player;
struct load_lane {
    uint8_t rows, cols;
    uint16_t rating;
    uint8_t askers; /* who have not sat down yet */
    uint64_t since_us;
};

struct load_lanes {
    struct load_lane lane[LOAD_LANES];
    struct mer_list waiting[LOAD_EDGES_MAX]; /* players without a game, a list an edge */
    uint32_t count[LOAD_EDGES_MAX];
    uint32_t edges, cross, next;
    uint64_t made, made_cross;
};

void load_lanes_init(struct load_lanes *l, uint32_t edges, uint32_t cross);
/* A player wants a game / does not any more. */
void load_lanes_add(struct load_lanes *l, struct load_player *p);
void load_lanes_remove(struct load_lanes *l, struct load_player *p);
/* He has sat down, or given up: his lane is free when the other has, too. */
void load_lanes_done(struct load_player *p);
/* Sends off as many pairs as can be. */
void load_lanes_pair(struct load_lanes *l, uint64_t now_us);
