/* SPDX-License-Identifier: Apache-2.0
 * sim_player.h - players who keep to the protocol: they find matches, play memory with a memory, lose connections, come back to any edge
 * and send unanswered moves again under the same id. What they see and send goes to the checker. */
#pragma once

#include "tests/sim/sim.h"

void sim_players_init(unsigned players, unsigned games_each);
/* No new games any more: waiting tickets are cancelled, games are played to their end. */
void sim_players_finish(void);
/* Everybody has what he wanted and waits for nothing. */
bool sim_players_done(void);
/* Why not, for the report. */
void sim_players_explain(char *out, size_t bytes);
/* Some connections break, loudly or in silence. */
void sim_players_drop(unsigned percent);
