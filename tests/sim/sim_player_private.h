/* SPDX-License-Identifier: Apache-2.0
 * sim_player_private.h - what the parts of a player share: sim_player.c (who there is, and their connections), sim_player_talk.c (what is
 * said and heard), sim_player_mail.c (messages to each other), sim_player_friends.c (tables with a code), sim_player_think.c (what they
 * decide). */
#pragma once

#include <meridian/invite.h>

#include "meridian/client/v1/client.pb-c.h"
#include "tests/sim/sim_player.h"

#define CM(x) Meridian__Client__V1__##x
#define CARD(x) MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_##x

enum { SIM_FAR_SEATS = 3 /* at most, of a game across regions */, SIM_PLAYER_CARDS = 100, SIM_PLAYER_ID = 104 };

enum state { DOWN, DIALLING, GREETING, RESUMING, READY };

struct view {
    char game[SIM_PLAYER_ID];
    uint64_t version;
    unsigned seat, turn, rows, cols;
    bool playing, waiting; /* waiting: a snapshot was asked for */
    uint8_t card[SIM_PLAYER_CARDS];
};

struct device {
    struct player *player;
    char name[16];
    enum state state;
    struct sim_end *end;
    bool proto;
    unsigned edge;
    uint64_t next_ms, heard_ms, pinged_ms;
    uint64_t ready_ms; /* since when */
    uint64_t told_us;  /* first word of the game in `view` over this connection; 0: none yet */
    char session[SIM_PLAYER_ID], old_session[SIM_PLAYER_ID];
    uint64_t epoch, offset, old_epoch, old_offset;
    bool had_session;
    struct view view;
};

enum { SIM_FRIENDS = 2 };
/* That one player keeps for others. */
struct table {
    char code[MER_INVITE_BYTES]; /* "": he has not heard it yet */
    struct player *host, *friend[SIM_FRIENDS];
    unsigned friends, seats;
    CM(Bots) bots;
    bool over; /* its host is no longer there for them, and does not play either */
};

struct player {
    char user[16];
    struct sim_region *at; /* where he is at home */
    struct device device[2];
    unsigned devices, games_left, moves;
    char game[SIM_PLAYER_ID]; /* "": none */
    char ticket[SIM_PLAYER_ID];
    uint64_t found_ms, ticket_ms;
    int face[SIM_PLAYER_CARDS]; /* what he has seen; -1: not yet */
    char move[48];              /* under way; "": none */
    char last_move[48];
    uint32_t move_card, last_card;
    uint64_t sent_ms, hold_ms, away_ms; /* away: does not dial before */
    uint64_t moved_ms;                  /* when the move under way was sent first */
    const struct device *moved_by;      /* ... and by which device */
    bool asked_far;                     /* he has asked once for a game that needs other regions */
    char mail[48];                      /* under way; "": none */
    unsigned mail_to, mails, mails_left;
    bool hoards;                            /* acknowledges nothing until the end, so that his inbox fills */
    uint64_t missed_ms;                     /* since when he is said not to be there; 0: he is */
    struct table *table;                    /* he keeps it or is asked to it; NULL: none */
    char ticket_code[MER_INVITE_BYTES];     /* of his ticket; "": it has none */
    uint64_t called_ms, patience_ms;        /* when he hears the code; until when he waits for friends */
    bool cancels;                           /* the ticket of his table */
    uint64_t mail_again_ms, inbox, rest_ms; /* inbox: what he has, without a gap; rest: when he last asked for what is behind */
};

struct sim_everybody {
    struct player *player;
    bool crowd;                     /* who has played enough sits still */
    unsigned hoarder;               /* place of one whose inbox fills, plus one; 0: none */
    unsigned count, each, absences; /* each: in a region; absences: in a thousand thoughts */
    unsigned tables;                /* so many were kept */
    unsigned far_seats;             /* taken in games across regions */
    bool far_only, finishing;
};
extern struct sim_everybody sim_everybody;

/* --- sim_player.c -------------------------------------------------------------------------------------------------------------------- */

/* He has no connection any more, and closes what is left of it. */
void sim_device_lost(struct device *d);
/* Dials when it is time to, and gives up who is silent. */
void sim_device_look_after(struct device *d);

/* --- sim_player_talk.c --------------------------------------------------------------------------------------------------------------- */

/* body: of this kind. */
void sim_say(struct device *d, CM(ClientMessage__BodyCase) kind, void *body);
void sim_say_find(struct device *d);
void sim_say_move(struct device *d, const char *id, uint32_t card);
void sim_say_get_game(struct device *d);
void sim_say_leave(struct device *d);
void sim_say_cancel(struct device *d);
void sim_say_ping(struct device *d);
void sim_player_hear(struct device *d, const Meridian__Client__V1__ServerMessage *m);

/* --- sim_player_mail.c --------------------------------------------------------------------------------------------------------------- */

/* Now and then, while he is connected. */
void sim_player_writes(struct device *d);
void sim_player_gets(struct device *d, const CM(DirectMessage) * m);
void sim_player_undelivered(struct device *d, const CM(MessageUndelivered) * m);
void sim_player_result(struct device *d, const Meridian__Client__V1__GameResult *m);
void sim_player_there(const CM(Presence) * m);
void sim_player_accepted(struct device *d, const CM(MessageOk) * m);
/* true: it was about a message of his or about presence, and he tries again. */
bool sim_player_mail_failed(struct device *d, const CM(Error) * e);

/* --- sim_player_friends.c ------------------------------------------------------------------------------------------------------------ */

/* He is in no game. true: what he does now is about a table with a code. */
bool sim_friends_seek(struct device *d);
/* What he asks for, who has a table. */
void sim_friends_want(const struct player *p, CM(FindMatch) * f);
/* After p->ticket was set, before it is cleared. */
void sim_friends_ticket(struct player *p, const CM(Ticket) * m);
/* Nobody knows of the ticket that he wanted to give back. */
void sim_friends_no_ticket(struct player *p);
/* In a game he was in none of before; before p->ticket is cleared. */
void sim_friends_sits(struct player *p);

/* --- sim_player_think.c -------------------------------------------------------------------------------------------------------------- */

/* A sim_cb of the player: once now, and again after a while, for ever. */
void sim_player_think(void *player, uint64_t arg);
