/* SPDX-License-Identifier: Apache-2.0
 * play_private.h - one player at play: what he does (play.c), says (say.c) and hears (hear.c). */
#pragma once

#include "tests/load/player.h"

/* play.c */
void load__play_do(struct load_player *p, enum load_doing doing);
/* Without a game: wants the next one, unless the run winds down. */
void load__play_want(struct load_player *p);
/* In the queue when it is his move, out of it when not. */
void load__play_consider(struct load_player *p);
void load__play_move_ended(struct load_player *p);
/* He is through with his game; the last one checks and forgets it. */
void load__play_leave(struct load_player *p);

/* say.c */
void load__say_get_game(struct load_player *p);
void load__say_find_match(struct load_player *p);
void load__say_cancel(struct load_player *p); /* nothing without a ticket */
void load__say_move(struct load_player *p);
void load__say_ack_messages(struct load_player *p, uint64_t seq);
