/* SPDX-License-Identifier: Apache-2.0
 * seats.h - the players' side: one seat proxy for each user of this edge who sits in a game, wherever its owner is (architecture section
 * 3).
 *
 *   none --seat_open--> ATTACHING --snapshot--> ATTACHED --game over, seat left--> none
 *     |                  ^  |  ^ \                 |
 *     |                  |  |  |  +-- link down, gap, no answer: again, with backoff
 *     +--join--> FINDING-+  |  +---------------------+
 *                 ^  |      +-- owner dead, or does not know the game --> FINDING (reads the record)
 *                 |  +-- its owner is that one still --> ADOPTING --claimed--> ATTACHING, to ourselves
 *                 +----------- somebody else was first ----+
 *
 * A game of another region is found, played and left in the same way, through the routers; only its record is read there (abroad.h), and
 * his own here is cleared by this edge, because the owner's store knows nothing of him.
 *
 * The proxy renews its attach lease (5 s) with the last version shown; a version gap or a lost link fetches the confirmed snapshot.
 * Requests are kept until answered or past their deadline (then `error` try_again to the session that asked); a repeated one is safe,
 * because moves carry ids. */
#pragma once

#include "edge/bus/bus.h"
#include "edge/game/abroad.h"
#include "edge/game/host.h"
#include "edge/store/store.h"
#include "meridian/client/v1/client.pb-c.h"

struct edge_seats;

/* Into the session layer. Any function of this header but edge_seats_destroy may be called inside. */
struct edge_seats_cbs {
    /* To all sessions of a user on this edge / to one session; the message is borrowed. */
    void (*to_user)(void *ctx, const char *user, const Meridian__Client__V1__ServerMessage *m);
    void (*to_session)(void *ctx, const char *session, const Meridian__Client__V1__ServerMessage *m);
    bool (*user_online)(void *ctx, const char *user);  /* has a session here */
    bool (*user_present)(void *ctx, const char *user); /* ... with a connection */
    bool (*user_unshown)(void *ctx, const char *user); /* ... that is owed a game_state */
    /* A seat was opened for the user by a match: his ticket has ended. Before `matched` goes out. ticket_id NULL: it was another edge's. */
    void (*seated)(void *ctx, const char *user, const char *ticket_id, const char *game_id);
    /* The user has no unfinished game any more. */
    void (*unseated)(void *ctx, const char *user, const char *game_id);
};

struct edge_seats_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_rng rng;
    struct mer_metrics *metrics;
    struct edge_bus *bus;
    struct edge_store *store;
    struct edge_host *host;
    struct edge_abroad *abroad;
    const struct edge_seats_cbs *cbs;
    void *ctx;
    struct mer_tracer *tracer; /* NULL: nothing is traced */
};

MER_MUST_CHECK enum mer_err edge_seats_create(struct edge_seats **out, const struct edge_seats_conf *conf);
/* His ticket has become the seat he has here: its span (copied) ends when he is told. */
void edge_seats_found(struct edge_seats *s, const char *user, const struct mer_span *span);
/* A session of the user came and his player record names this game: attach (or, when attached already, send `matched` and `game_state` to
 * that session; session may be NULL). When the game turns out not to exist or to be over, the record is cleared and `unseated` comes. */
void edge_seats_join(struct edge_seats *s, const char *user, const char *session, const char *game_id);
/* user_present has changed: the owner hears of it. */
void edge_seats_present(struct edge_seats *s, const char *user);
/* The user's last session here is gone. */
void edge_seats_leave(struct edge_seats *s, const char *user);
/* move, leave_game, get_game of a session. Everything is answered, also what is wrong (no_such_game). */
void edge_seats_request(struct edge_seats *s, const char *user, const char *session, const Meridian__Client__V1__ClientMessage *m);
/* The game the user sits in at this edge; NULL when none. */
const char *edge_seats_game(const struct edge_seats *s, const char *user);
/* After the store's last callback, before the host. */
void edge_seats_destroy(struct edge_seats *s);
