/* SPDX-License-Identifier: Apache-2.0
 * ticket.h - one ticket, for tickets.c (who asks for what) and ticket.c (its states) only. */
#pragma once

#include <meridian/invite.h>

#include "edge/session/session.h"
#include "edge/session/tickets.h"

enum { TICKET_ID_BYTES = 32, REASON_BYTES = 96 };

#define TICKET_STATES(X) X(OPENING) X(WAITING) X(SEATING) X(SEATED) X(VOIDING) X(REOPENING) X(CLOSING)
#define X(name) T_##name,
enum ticket_state { TICKET_STATES(X) T_NSTATES };
#undef X

/* A record may name a game that ended or was never made, or a ticket of an edge that died: found out before the player is refused. */
enum obstacle { CLEAR, GAME_UNCHECKED, GAME_STALE, TICKET_UNCHECKED, TICKET_STALE };

struct edge_ticket {
    struct edge_tickets *all;
    struct edge_user *user; /* NULL once it has ended while a call is under way */
    enum ticket_state state;
    enum obstacle obstacle;                    /* OPENING, REOPENING: what stands in the way in the player's record */
    Meridian__Client__V1__TicketState ends_as; /* CLOSING */
    bool pending;                              /* a store call is under way */
    bool cancel;                               /* wanted by the player, or nobody is left: as soon as it can be */
    bool told;                                 /* somebody has seen its id: it does not end without a word */
    uint8_t tries;
    uint8_t unmade; /* accepted seats in a row whose game was never made, and nobody said why */
    char id[TICKET_ID_BYTES];
    char asked_by[EDGE_SESSION_ID_BYTES];
    char game[EDGE_ID_MAX];       /* SEATING ... VOIDING: the match */
    char owner[EDGE_ID_MAX];      /* who will host it */
    char other[EDGE_ID_MAX];      /* OPENING, REOPENING: the obstacle, a game or a ticket */
    char other_edge[EDGE_ID_MAX]; /* where that ticket is */
    char code[MER_INVITE_BYTES];  /* for friends only: this one; "": for anybody */
    bool hosts;                   /* with code: the table is his */
    char reason[REASON_BYTES];
    uint64_t next_step_at_ms; /* wall clock; 0: none */
    uint64_t opened_ms;
    uint64_t since_ms;               /* of the state */
    struct edge_ticket_trace *trace; /* ticket_trace.c; NULL: it is not traced */
    Meridian__Client__V1__FindMatch *ask;
    struct mer_timer timer, gone;
};

/* Metrics: indexes of edge_tickets->values. */
enum { T_M_WAITING, T_M_OPENED, T_M_MATCHED, T_M_CANCELLED, T_M_EXPIRED, T_M_OFFERS, T_M_DECLINED, T_M_UNDONE, T_M_TICKETS_COUNT };

struct edge_tickets {
    struct edge_app *app;
    struct mer_map by_id;
    uint64_t values[T_M_TICKETS_COUNT];
    struct mer_metric_set metric_set;
};

/* The store call that the state asks for; its answer moves the ticket on. */
void edge__ticket_run(struct edge_ticket *t);
void edge__ticket_timer(struct mer_timer *timer);
void edge__ticket_set(struct edge_ticket *t, enum ticket_state state);
/* Ends it without a word; freed by the answer where a call is under way. */
void edge__ticket_free(struct edge_ticket *t);
/* WAITING, or closed where that is wanted. */
void edge__ticket_wait(struct edge_ticket *t);
void edge__ticket_cancel(struct edge_ticket *t);
/* The match is undone, or nobody is left who would make it: matched if its game was made all the same, else waiting again. */
void edge__ticket_release(struct edge_ticket *t);

/* ticket_gone.c: its player's last connection here ended a while ago. */
void edge__ticket_gone(struct mer_timer *timer);

/* ticket_trace.c: each of these does nothing for what is not traced. traceparent: the player's, NULL: none. */
void edge__ticket_trace_begin(struct edge_ticket *t, const char *traceparent);
/* Whose doing it is what is done for the ticket now; NULL: it is not traced. */
const struct mer_trace_context *edge__ticket_trace_of(const struct edge_ticket *t);
/* Not taken: declined at once, and t may be NULL. */
void edge__ticket_trace_offered(struct edge_tickets *all, struct edge_ticket *t, const Meridian__Internal__V1__SeatOffer *o, bool taken);
void edge__ticket_trace_answered(struct edge_ticket *t, const char *error);
/* error NULL: as it is with tickets. */
void edge__ticket_trace_end(struct edge_ticket *t, const char *outcome, const char *error);
/* It became a seat: its span goes on until the player is told. */
void edge__ticket_trace_matched(struct edge_ticket *t);
void edge__ticket_trace_drop(struct edge_ticket *t);

/* ticket_tell.c */
void edge__ticket_tell_user(struct edge_ticket *t, Meridian__Client__V1__TicketState state);
/* To the session that asked: here, or (edge != NULL) on another edge. */
void edge__ticket_tell_asker(struct edge_ticket *t, const char *session, const char *edge);
/* brief: without what the router has to know only for some: it asks then. */
void edge__ticket_send_open(struct edge_ticket *t, bool brief);
void edge__ticket_send_cancel(struct edge_ticket *t);
void edge__ticket_send_answer(struct edge_tickets *all, const char *ticket, const char *match, bool accepted);
/* `error` to a session, when it is still there. */
void edge__ticket_error(struct edge_app *app, const char *session, Meridian__Client__V1__ErrorCode code, const char *text, const char *re,
                        uint32_t retry_ms);
