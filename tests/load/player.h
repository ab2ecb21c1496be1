/* SPDX-License-Identifier: Apache-2.0
 * player.h - one simulated player: his session (session.c) and what he does in it (play.c, say.c, hear.c).
 *
 *   session:  DOWN --connect--> CONNECTING --101, auth--> AUTH --connected--> UP (or RESUMING --connected--> UP)
 *               ^------------ lost: at once, then 1, 2, 5 s -----------------'
 *
 * Timers: `timer` - DOWN: the next try; on the way up: gives up after 10 s; UP: the next ping, when he has nothing else to do.
 *         `again` - the move in flight (or find_match) is said again. */
#pragma once

#include "tests/load/run.h"

enum load_session_state { LOAD_DOWN, LOAD_CONNECTING, LOAD_AUTH, LOAD_RESUMING, LOAD_UP };
enum load_doing { LOAD_NOTHING, LOAD_WAITING /* for a partner to ask with */, LOAD_SEEKING, LOAD_PLAYING };

struct load_player {
    struct load_conn conn; /* first: the net's callbacks get this */
    struct load_run *run;
    char user[40], session[64];
    uint64_t epoch, offset;
    uint64_t began_us; /* connecting, or the drop */
    uint32_t edge;     /* index; where he is, or tries next */
    uint8_t state, doing, tries;
    bool gone_for_good, back; /* back: this is a reconnect */
    bool sent_there;          /* --shared: to this edge and no other */
    bool measured;            /* mode connect: the pong ends it */
    struct mer_timer timer, again;

    struct load_roam *roam; /* NULL but in mode failover */
    struct load_game *game;
    uint8_t seat;
    struct load_lane *lane;
    struct mer_list node; /* in r->ready, or in the lanes' waiting list */
    char ticket[64];
    bool cancelling;
    uint64_t asked_us; /* WAITING: since; SEEKING: find_match was sent first */
    uint64_t said_us;  /* SEEKING: ... and last */
    struct {
        bool flying, repeated, refresh; /* refresh: a refusal means the table is not what he thinks */
        char id[40];
        uint8_t card;
        uint64_t due_us, sent_us;
    } move;
    uint64_t wanted_us; /* --hurry: when he lost his connection while it was his turn; else 0 */
    uint32_t move_number;
};

/* session.c */
MER_MUST_CHECK enum mer_err load_player_init(struct load_player *p, struct load_run *r, uint32_t index);
void load_player_connect(struct load_player *p);
/* Cuts the connection; comes back by itself after `back_ms`. */
void load_player_drop(struct load_player *p, uint32_t back_ms);
/* Ends whatever connection or attempt there is; the next one after back_ms. */
void load_player_abandon(struct load_player *p, uint32_t back_ms);
/* Leaves for good. */
void load_player_leave(struct load_player *p);
void load_player_send(struct load_player *p, const Meridian__Client__V1__ClientMessage *m);
void load_player_ping(struct load_player *p);
extern const struct load_net_cbs load_player_cbs;

/* play.c */
void load_play_init(struct load_player *p);
/* His session is up. fresh: matched and game_state of what he left follow by themselves, if there is any. */
void load_play_up(struct load_player *p, bool fresh);
void load_play_down(struct load_player *p);
/* He is in another region now: game and ticket stay behind. */
void load_play_leave_behind(struct load_player *p);
/* Asks for a game now; by the lanes. */
void load_play_ask(struct load_player *p);
/* Makes the move that was due then. False when it is not his to make any more. */
bool load_play_move(struct load_player *p, uint64_t due_us);
/* Gives up looking for a game, at the end of a run. */
void load_play_cancel(struct load_player *p);
/* At the end of a run that games outlast: checks what is there. */
void load_play_leave_all(struct load_run *r);
/* At the end of the run: tells what did not end, and checks what is there. */
void load_play_finish(struct load_run *r);

/* hear.c */
void load_play_message(struct load_player *p, const Meridian__Client__V1__ServerMessage *m);
