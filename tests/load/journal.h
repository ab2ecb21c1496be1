/* SPDX-License-Identifier: Apache-2.0
 * journal.h - what players did and were told, one JSON object a line, for a judge who comes later and knows what was stored in the end
 * (tests/chaos/check.mjs). Written as it came from the wire, before our own judge looks at it. Without --journal nothing is written.
 *
 *   t  ms of the monotonic clock     k  kind     p  player     g  game     s  his seat     v  version     id  moveId or ticketId
 *   up: user edge resume   down: code   fail: code status   seek   ticket: id state   sit: g s   matched: g (told again)   move: g s id
 * card due   again: g id ok: g id v   no: g id code (refused for good)   open: g id (never answered)   told: g s v what   state: g s v over
 * what   result: g s (by his inbox: it is over)   leave: g gone: g (no such game) */
#pragma once

#include "tests/load/player.h"

/* Opens the file; false (told) when it cannot be had. */
bool load_journal_open(struct load_run *r, const char *file);
void load_journal_close(struct load_run *r);

void load_journal_up(const struct load_player *p, const Meridian__Client__V1__Connected *c);
/* The connection went down; was_up: it was through to a session, else an attempt failed. */
void load_journal_down(const struct load_player *p, bool was_up, int code, int status);
void load_journal_plain(const struct load_player *p, const char *kind); /* a line with kind and, if he has one, game */
void load_journal_ticket(const struct load_player *p, const Meridian__Client__V1__Ticket *t);
void load_journal_sit(const struct load_player *p);
void load_journal_move(const struct load_player *p, bool again);
void load_journal_ok(const struct load_player *p, const Meridian__Client__V1__MoveOk *ok);
void load_journal_refused(const struct load_player *p, unsigned code);
void load_journal_open_move(const struct load_player *p);
/* A numbered message of his game, or its game_state. */
void load_journal_told(const struct load_player *p, const Meridian__Client__V1__ServerMessage *m);
void load_journal_result(const struct load_player *p, const Meridian__Client__V1__GameResult *m);
