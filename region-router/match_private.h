/* SPDX-License-Identifier: Apache-2.0
 * match_private.h - what match.c (tickets), pair.c (who plays with whom), offers.c (matches), abroad.c (other regions) and reason.c (why
 * it waits) share. */
#pragma once

#include "region-router/match.h"

/* Leaves pool and step of the old state behind; entering the new one's is the caller's. */
void router__ticket_move(struct router_matcher *m, struct router_ticket *t, enum router_ticket_state to);
/* Counts why, takes back what other regions were told, and frees it. */
void router__ticket_drop(struct router_matcher *m, struct router_ticket *t, enum router_match_count why);
/* Out of a match that was undone: kept for its edge, which opens it again, and for the hold's end. */
void router__ticket_hold(struct router_matcher *m, struct router_ticket *t);
static inline uint32_t router__waited_ms(const struct router_matcher *m, const struct router_ticket *t)
{
    return router_ticket_waited_ms(t, m->now_ms);
}
static inline const struct router_bucket_key *router__key(const struct router_matcher *m, const struct router_ticket *t)
{
    return &router_pool_bucket(&m->pool, t)->key;
}

/* A ticket for the world; the text of its id lies in what is shown. */
struct router_shown {
    struct router_ticket_spec spec;
    char id[ROUTER_ID_TEXT];
};
const struct router_ticket_spec *router__show(const struct router_matcher *m, const struct router_ticket *t, struct router_shown *out);

/* pair.c: how far from its own rating it looks by now. */
uint32_t router__window_of(const struct router_matcher *m, const struct router_ticket *t);
/* May bots take the empty seats beside it? */
bool router__may_fill(const struct router_matcher *m, const struct router_ticket *t);
/* Looks for partners of one ticket; true when it is in a match now. */
bool router__try_ticket(struct router_matcher *m, struct router_ticket *t);
/* A ticket that just came into the pool. */
void router__consider(struct router_matcher *m, struct router_ticket *t);

/* reason.c */
void router__explain(const struct router_matcher *m, const struct router_ticket *t, char out[ROUTER_REASON_BYTES], uint32_t *next_ms);
/* ... to its edge, but at most once a second. */
void router__tell(struct router_matcher *m, struct router_ticket *t);

/* abroad.c: tickets and other regions. */
void router__tell_regions(struct router_matcher *m, struct router_ticket *t);
void router__untell(struct router_matcher *m, struct router_ticket *t);
/* Where else it is looked for, behind the reason. */
void router__explain_abroad(const struct router_matcher *m, const struct router_ticket *t, char *out);
/* It is lent to that match. */
bool router__away_for(const struct router_ticket *t, const char *match);
/* Its edge has answered that offer: the ticket ends here. */
void router__gone_away(struct router_matcher *m, struct router_ticket *t, bool accepted);
/* Its region refused the offer: its leader may have offered to ours in the same moment, each with two of his own and in want of a third.
 * Nothing more of that kind is offered for a random while, or the two would refuse each other for ever, in step. Of a pair both see the
 * same host: only one of them offers. */
void router__be_quiet(struct router_matcher *m, const struct router_ticket *t);
bool router__is_quiet(const struct router_matcher *m, const struct router_ticket *t);
/* What hosting asks of it. */
struct router_reach router__reach(const struct router_matcher *m, const struct router_ticket *t);

/* offers.c. Offers a match to these tickets (the first counts as its anchor), the rest of the seats are bots'. False when no edge has room:
 * nothing happened, and the anchor knows. */
bool router__match_make(struct router_matcher *m, struct router_ticket *const *t, unsigned count);
static inline struct router_match *router__match_of(const struct router_matcher *m, const struct router_ticket *t)
{
    return mer_slab_at(&m->match_slab, t->match);
}
void router__match_accept(struct router_match *x, struct router_ticket *t);
void router__match_empty_seat(struct router_match *x, struct router_ticket *t);
/* Releases those who are left. */
void router__match_undo(struct router_match *x);
void router__match_owner_lost(struct router_matcher *m, const struct router_edge *e);
void router__match_free(struct router_match *x);
