/* SPDX-License-Identifier: Apache-2.0
 * change.h - between the two halves of the hosted game: change.c makes changes, game.c has them stored. */
#pragma once

#include "edge/game/game.h"

/* Each makes `next` and sets has_next, unless a request was answered (also: refused) without a change. Only without a `next`. */
void edge__game_by_request(struct edge_game *g, struct edge_game_time t, const struct edge_game_ask *ask);
void edge__game_by_resume(struct edge_game *g, struct edge_game_time t);
void edge__game_by_clock(struct edge_game *g, struct edge_game_time t);
void edge__game_by_bot(struct edge_game *g, struct edge_game_time t);
/* absence.c; false: there is none of the kind. */
bool edge__game_by_return(struct edge_game *g, struct edge_game_time t);
bool edge__game_by_seat_clock(struct edge_game *g, struct edge_game_time t);
bool edge__game_by_drop(struct edge_game *g, struct edge_game_time t);
/* Between these two `next` is changed. */
void edge__game_begin(struct edge_game *g);
void edge__game_complete(struct edge_game *g, struct edge_game_time t);
void edge__game_end(struct edge_game *g, unsigned reason);
/* Is there anybody but this seat's player for whom the game would go on? Bots do not play alone. */
bool edge__game_attended_without(const struct edge_game *g, unsigned seat);
/* A seat becomes empty; with one seat left, or only bots, there is nothing to go on with, and only the end is told. */
void edge__game_leave(struct edge_game *g, struct edge_game_time t, unsigned seat, enum edge_seat_event why, unsigned reason);
/* The turn's clock stands as long as a seat of `next` is PAUSED. */
void edge__game_pause(struct edge_game *g, struct edge_game_time t);
/* The store has `next`: it is what happened, and is shown. */
void edge__game_confirm(struct edge_game *g, struct edge_game_time t);
/* When a bot has the turn: lets it think. */
void edge__game_plan_bot(struct edge_game *g, struct edge_game_time t);
/* true: answered out of what is confirmed. */
bool edge__game_answer_now(struct edge_game *g, const struct edge_game_ask *ask);
void edge__game_refuse(struct edge_game *g, const struct edge_game_ask *ask, Meridian__Client__V1__ErrorCode code, uint32_t retry_after_ms);
void edge__game_drop_queue(struct edge_game *g);
