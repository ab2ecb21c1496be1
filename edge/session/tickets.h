/* SPDX-License-Identifier: Apache-2.0
 * tickets.h - the players' side of matchmaking (architecture section 5: the player's edge decides). A ticket lives here, at the edge where
 * it was asked for; the router's leader only knows it as long as it leads. One waiting ticket a user over all edges: the player's record in
 * Redis says so.
 *
 *  OPENING --record written--> WAITING --offer--> SEATING --record: ticket becomes game--> SEATED --seat_open--> (matched)
 *     |                         |  ^                 | lost                                  |
 *     | has a game, ticket      |  |                 v                                       | no seat in time, released by the router
 *     v                         |  +---- REOPENING <-+-------- VOIDING <---------------------+
 *   (answered)                  |                               | the game exists: join it
 *                               v                               v
 *                  (cancelled, expired)                      (matched)
 *
 * SEATED ends in one of two ways that Redis decides atomically: the game's create, or the tombstone written by VOIDING. A new leader knows
 * nothing of the offers before: what is seated is voided at once. A game that was never made three times ends the ticket (expired). */
#pragma once

#include "edge/app.h"
#include "meridian/client/v1/client.pb-c.h"

struct edge_invite;
struct edge_session;
struct edge_user;

MER_MUST_CHECK enum mer_err edge_tickets_create(struct edge_tickets **out, struct edge_app *app);
void edge_tickets_destroy(struct edge_tickets *t);

/* The three client messages; everything is answered. invite: what m says of codes, as edge__invite_read has read it; traceparent: what
 * came with it, NULL: none. */
void edge_tickets_find(struct edge_session *s, const Meridian__Client__V1__FindMatch *m, const struct edge_invite *invite,
                       const char *traceparent);
void edge_tickets_cancel(struct edge_session *s, const char *ticket_id);
void edge_tickets_explain(struct edge_session *s, const char *ticket_id);
/* A ticket of this user waits at `edge` (from the player's record): tell this session, or ask that edge to. */
void edge_tickets_tell(struct edge_session *s, const char *ticket_id, const char *edge);

/* A seat was opened: the ticket has ended in a match. */
void edge_tickets_seated(struct edge_tickets *t, const char *user, const char *ticket_id);
/* The user's last connection here is gone: his ticket ends in 30 s, unless he is at another edge then; or he is back. */
void edge_tickets_user_gone(struct edge_tickets *t, struct edge_user *u);
void edge_tickets_user_back(struct edge_tickets *t, struct edge_user *u);
/* The process ends: forget the ticket without telling anybody. */
void edge_tickets_drop(struct edge_tickets *t, struct edge_user *u);
/* The process is about to end, and its players are elsewhere: those who still wait are told that they have to ask again. */
void edge_tickets_end(struct edge_tickets *t);
/* A new leader, or the same one over a new link: hand in every waiting ticket. Seats that were accepted before are nobody's any more,
 * unless their game was made. */
void edge_tickets_hand_in(struct edge_tickets *t);
