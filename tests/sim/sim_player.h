/* SPDX-License-Identifier: Apache-2.0
 * sim_player.h - players who keep to the protocol: they find matches, play memory with a memory, lose connections, come back to any edge
 * and send unanswered moves again under the same id. What they see and send goes to the checker. */
#pragma once

#include "tests/sim/sim.h"

/* So many in each region. */
void sim_players_init(unsigned players, unsigned games_each);
/* Very many, who arrive within the ramp; so many in a hundred play their games, all others sit there. */
void sim_players_crowd(unsigned players, unsigned active_percent, unsigned games_each, uint32_t ramp_ms);
struct sim_players {
    unsigned connected, waiting, playing;
    uint64_t moves; /* thought of; each is sent until it is answered */
};
void sim_players_count(struct sim_players *out);
/* So many across regions have been played at least. */
unsigned sim_players_far_games(void);
/* Everybody wants one game more than he had, and from now on only across regions. */
void sim_players_once_more(void);
/* No new games any more: waiting tickets are cancelled, games are played to their end. */
void sim_players_finish(void);
/* Everybody has what he wanted and waits for nothing. */
bool sim_players_done(void);
/* Why not, for the report. */
void sim_players_explain(char *out, size_t bytes);
/* Some connections in a region break, loudly or in silence. */
void sim_players_drop(const struct sim_region *at, unsigned percent);
/* NULL: there is none of this name. */
struct sim_region *sim_player_home(const char *user);
/* He has a device connected to this edge, and it was told of this game there before then, without a break since. */
bool sim_player_stays(const char *user, const char *game, const struct sim_proc *edge, uint64_t since_us);
