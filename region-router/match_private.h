/* SPDX-License-Identifier: Apache-2.0
 * match_private.h - what match.c (tickets) and offers.c (matches) share. */
#pragma once

#include "region-router/match.h"

enum ticket_state { TICKET_NEW, TICKET_WAITING, TICKET_OFFERED, TICKET_HELD, TICKET_AWAY, TICKET_NSTATES };

/* Leaves pool and timer of the old state behind; entering the new one's is the caller's. */
void router__ticket_move(struct router_ticket *t, enum ticket_state to);
/* Counts why, takes back what other regions were told, and frees it. */
void router__ticket_drop(struct router_ticket *t, enum router_match_count why);
/* Out of a match that was undone: kept for its edge, which opens it again, and for the hold's end. */
void router__ticket_hold(struct router_ticket *t);
/* Takes the place of the ticket's edge: a ticket of another region. */
static inline bool router__ticket_is_far(const struct router_ticket *t)
{
    return t->edge->region != 0;
}

/* abroad.c: tickets and other regions. */
void router__tell_regions(struct router_ticket *t);
void router__untell(struct router_ticket *t);
/* Where else it is looked for, behind the reason. */
void router__explain_abroad(const struct router_matcher *m, const struct router_ticket *t, char *out);
/* It is lent to that match. */
bool router__away_for(const struct router_ticket *t, const char *match);
/* Its edge has answered that offer: the ticket ends here. */
void router__gone_away(struct router_ticket *t, bool accepted);

/* Offers a match to these tickets (the first counts as its anchor), the rest of the seats are bots'. False when no edge has room: nothing
 * happened, and the anchor knows. */
bool router__match_make(struct router_matcher *m, struct router_ticket *const *t, unsigned count);
void router__match_accept(struct router_match *x, struct router_ticket *t);
void router__match_empty_seat(struct router_match *x, struct router_ticket *t);
/* Releases those who are left. */
void router__match_undo(struct router_match *x);
void router__match_owner_lost(struct router_matcher *m, const struct router_edge *e);
void router__match_free(struct router_match *x);
