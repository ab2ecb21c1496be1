/* SPDX-License-Identifier: Apache-2.0
 * shown.h - which version of which game a session was told last, so that it is told nothing twice when it moves to another edge (pure).
 *
 * An owner tells every edge where a player has a seat; which of two edges hears it first is chance. What is told of a version comes in one
 * bus message, so a version was told wholly or not at all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/limits.h"
#include "meridian/client/v1/client.pb-c.h"

enum { EDGE_SHOWN_GAMES = 4 /* a user sits in one; a rematch may follow within the minute */ };

/* All zero: nothing was told. */
struct edge_shown {
    struct {
        char id[EDGE_ID_MAX + 1];
        uint64_t version;
    } game[EDGE_SHOWN_GAMES];
    size_t count;
};

/* That version of the game was told; of a game too many, or with too long an id, nothing is remembered. */
void edge_shown_version(struct edge_shown *sh, const char *game, uint64_t version);
/* The message was told; one that is about no version of a game changes nothing. */
void edge_shown_note(struct edge_shown *sh, const Meridian__Client__V1__ServerMessage *m);
/* Would the message tell again what was told? `game_paused` never does: it makes no version of its own. */
bool edge_shown_told(const struct edge_shown *sh, const Meridian__Client__V1__ServerMessage *m);
