/* SPDX-License-Identifier: Apache-2.0
 * game_private.h - what game.c (views) and game_check.c (comparing) share. */
#pragma once

#include "tests/load/game.h"

/* The slot of a version, made when needed; NULL for versions no game gets to, or without memory. */
struct load_slot *load__game_slot(struct load_game *g, uint64_t version);
/* Copies what players can be told about a version. False when a seat, card or list is out of range. */
bool load__event_of(const Meridian__Client__V1__ServerMessage *m, unsigned seats, struct load_event *e, uint64_t *version);
