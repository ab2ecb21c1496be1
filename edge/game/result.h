/* SPDX-License-Identifier: Apache-2.0
 * result.h - how a game ended, as an event for the inbox of a player who did not see it (decision 23). Pure. */
#pragma once

#include <meridian/buf.h>

#include "edge/game/game.h"

/* A packed state.v1.Event for the human of that seat; the game must be over. At most MER_EVENT_MAX bytes. MER_ENOMEM. */
MER_MUST_CHECK enum mer_err edge_game_result(const struct edge_game *g, unsigned seat, uint64_t at_ms, struct mer_buf *out);
