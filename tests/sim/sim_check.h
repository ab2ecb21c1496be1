/* SPDX-License-Identifier: Apache-2.0
 * sim_check.h - the invariants. While a seed runs the checker notes what players sent and were shown, and refuses at once what contradicts
 * itself; at the end it reads what the simulated Redis has and holds everything shown against what was stored in the end:
 *
 *   every acknowledged move is stored, under the version told, once; nobody saw a version, card, score or result that is not in the stored
 *   history; all viewers saw the same at the same version; versions grow by one; an epoch never goes back and has one nonce; the deck of a
 *   game never changes and a card that lies down has no face for anybody; no two edges host a game with one fence; who lost a game tells
 *   nothing more of it (sim_told.c); every game is over, and nobody waits for one. */
#pragma once

#include "tests/sim/sim.h"

#include "meridian/client/v1/client.pb-c.h"

struct sim_counts {
    uint64_t games, moves, shown, resumed[4], adopted, verified;
    uint64_t far_games, far_moves, mails, mails_came, undelivered, paced, seen, tables, met, in_vain; /* where there are several regions */
};
extern struct sim_counts sim_counts;

void sim_check_init(void);
/* Of this many games one is noted and checked to the last card: for a crowd. */
void sim_check_sample(unsigned every);
/* Is this game one of them? */
bool sim_check_notes(const char *game);
void sim_check_sent(const char *user, const char *game, const char *move, uint32_t card);
void sim_check_saw(const char *user, const Meridian__Client__V1__ServerMessage *m);
void sim_check_acked(const char *user, const char *game, const char *move, uint64_t version);
/* re: the move that was refused, or NULL */
void sim_check_refused(const char *user, const char *game, const char *re);
/* The user was told that his game is none any more. */
void sim_check_no_game(const char *user, const char *game);
void sim_check_ticket(const char *ticket, int state);
void sim_check_resumed(int outcome);
/* Every edge's own view, at any moment. */
void sim_check_owners(void);
/* No count is below what could be elected (sim_check_set.c). */
struct sim_cluster;
void sim_check_electable(struct sim_cluster *c);
/* No stored game is unfinished. */
bool sim_check_all_over(void);
void sim_check_end(void);

/* --- sim_check_far.c: with several regions -------------------------------------------------------------------------------------------- */

/* Nobody sits in two games that are not over. From time to time. */
void sim_check_seats(void);
/* Four times a second: whether something goes wrong inside a region now, and who sees whom. */
void sim_check_troubles(void);
/* A move was acknowledged that had been sent then over a connection that lasted: at home, and while nothing is wrong inside the region, as
 * quickly as ever, whatever becomes of the lines between regions. */
void sim_check_pace(struct sim_region *at, const char *game, uint64_t sent_ms);

/* --- sim_check_mail.c: messages of players to players --------------------------------------------------------------------------------- */

void sim_mail_init(void);
void sim_mail_sent(const char *from, const char *region_name, const char *to, const char *id);
void sim_mail_accepted(const char *from, const char *to, const char *id);
void sim_mail_came(const char *to, const Meridian__Client__V1__DirectMessage *c);
void sim_mail_undelivered(const char *from, const Meridian__Client__V1__MessageUndelivered *u);
/* All that was accepted has come, or its sender was told; and no outbox keeps what is settled. */
bool sim_mail_all_settled(void);
void sim_mail_check_end(void);

/* --- sim_check_friends.c: tables with a code ------------------------------------------------------------------------------------------ */

void sim_friends_init(void);
/* A code was told to who keeps its table. */
void sim_friends_table(const char *code, unsigned seats, Meridian__Client__V1__Bots bots);
/* What a player was told of a ticket. */
void sim_friends_told(const char *user, const Meridian__Client__V1__Ticket *t);
/* He has asked to give his ticket back, or sits in a game. */
void sim_friends_leaves(const char *user);
/* Friends who wait for each other do not wait long, and nobody waits for one who is gone, once all is well. From time to time. */
void sim_check_friends(void);
/* Who came with a code plays with those who came with the same, and with nobody else; and a ticket became one game. */
void sim_friends_check_end(void);
