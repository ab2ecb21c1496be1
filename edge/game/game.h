/* SPDX-License-Identifier: Apache-2.0
 * game.h - a hosted game: seats, versions, clocks and the store's answers around some rules (rules.h). Pure: no clock, no I/O, so the
 * simulator runs it too.
 *
 * Two states stand side by side, `now` (confirmed) and `next` (tentative, being stored). Everything anybody is shown is made from `now`;
 * there is never more than one `next`, and it is never given up: once sent it may have been stored, so it is stored again until its outcome
 * is known, or another owner is seen.
 *
 * The shell calls a step (request, tick, put_done, read_done, verify) with the time and does what the step asks through struct
 * edge_game_env; after every step it arms one timer for edge_game_next_ms. Life with the store:
 *
 *            change                 sure it was not: wait, again
 *   IDLE -----------> PUTTING ---------------------------------> PUT_LATER --timer--> PUTTING
 *    ^ \ verify        | |  \ outcome unknown, gap
 *    |  \------------- | -\--> READING --no answer--> READ_LATER --timer--> READING
 *    |<--- stored -----+   |     |  | \ mine, older than confirmed --> RESTORING --stored--> IDLE (then `next` again, when there is one)
 *    |<--- mine, next: adopt ----+  |
 *    |<--- mine, now: put again ----+        not mine: LOST, for good        no such key: FROZEN, alarm, --timer--> READING
 */
#pragma once

#include <meridian/list.h>
#include <meridian/trace.h>

#include "edge/game/rules.h"
#include "edge/game/seat.h"

enum {
    EDGE_GAME_ID_MAX = 100,      /* no special reason; ids are the router's, about 20 */
    EDGE_GAME_SESSION_MAX = 100, /* names an incarnation and 16 random characters */
    EDGE_GAME_MOVE_ID_MAX = 64,  /* protocol */
    EDGE_GAME_USER_MAX = 128,    /* token: sub */
    EDGE_GAME_NAME_MAX = 128,
    EDGE_GAME_REGION_MAX = 31,
    EDGE_GAME_ANSWERED = 16,     /* protocol: moves remembered a seat */
    EDGE_GAME_TURNS_LOST = 3,    /* protocol: in a row, count as leaving */
    EDGE_GAME_QUEUE = 64,        /* requests waiting behind a put; more: rate_limited */
    EDGE_GAME_QUEUE_SEAT = 24,   /* of them one seat's, so that nobody crowds out the others */
    EDGE_GAME_HOLD_MS = 500,     /* a change held longer extends the deadline */
    EDGE_GAME_TELL_MS = 2000,    /* architecture section 4: players are told after 2 s */
    EDGE_GAME_GIVE_UP_MS = 8000, /* the sender is told try_again; the game goes on trying */
    EDGE_GAME_BACKOFF_MIN_MS = 50,
    EDGE_GAME_BACKOFF_MAX_MS = 1000,
    EDGE_GAME_FROZEN_MS = 5000, /* a missing key is looked for again this often */
};

#define EDGE_GAME_STATES(X) X(IDLE) X(PUTTING) X(PUT_LATER) X(READING) X(READ_LATER) X(RESTORING) X(FROZEN) X(LOST)
#define EDGE_GAME_EVENTS(X) \
    X(CHANGE)    /* there is a `next` to store */ \
    X(VERIFY)    /* look whether the store still has what was confirmed */ \
    X(STORED)    /* the put was stored, now or before */ \
    X(NOT_NOW)   /* certainly not executed */ \
    X(UNSURE)    /* outcome unknown, or a version nobody expected */ \
    X(FENCED)    /* another owner */ \
    X(ABSENT)    /* no such key */ \
    X(SEEN_NEXT) /* read back, mine: `next` is stored */ \
    X(SEEN_NOW)  /* read back, mine: `now` is stored */ \
    X(SEEN_OLD)  /* read back, mine: the store lost what it had confirmed */ \
    X(SEEN_ODD)  /* read back, mine, and a version that was never sent */ \
    X(TIMER)
#define X(name) EDGE_GAME_##name,
enum edge_game_store { EDGE_GAME_STATES(X) EDGE_GAME_NSTATES };
#undef X
#define X(name) EDGE_GAME_ON_##name,
enum edge_game_event { EDGE_GAME_EVENTS(X) EDGE_GAME_NEVENTS };
#undef X
const char *edge_game_store_name(enum edge_game_store s);
const char *edge_game_event_name(enum edge_game_event e);
/* The table: where an event leads. false: it cannot come in that state, and is ignored. */
bool edge_game_store_next(enum edge_game_store s, enum edge_game_event e, enum edge_game_store *next);

/* Both clocks at the moment of a step. */
struct edge_game_time {
    uint64_t mono_ms;  /* for waiting */
    uint64_t store_ms; /* Redis' clock: deadlines */
};

/* A request of a seat. Copied by the step. */
enum edge_game_ask_kind { EDGE_GAME_ASK_NONE, EDGE_GAME_ASK_MOVE, EDGE_GAME_ASK_LEAVE };
struct edge_game_ask {
    struct mer_list node;
    uint8_t kind, seat;
    bool told; /* the sender was sent away with try_again */
    struct edge_rules_action action;
    uint64_t until_ms;    /* monotonic: he waits no longer */
    uint64_t stamp_us;    /* the shell's: when it came */
    struct mer_span span; /* the shell's: from then until its answer */
    char move_id[EDGE_GAME_MOVE_ID_MAX + 1];
    char session[EDGE_GAME_SESSION_MAX + 1];
    char edge[EDGE_GAME_SESSION_MAX + 1]; /* incarnation the request came from */
};

struct edge_game_answered {
    uint64_t version;
    struct edge_rules_action action;
    char move_id[EDGE_GAME_MOVE_ID_MAX + 1]; /* "" = free */
};
struct edge_game_seat {
    char *user, *name;
    bool bot;
    uint8_t answered_at; /* oldest, next to be overwritten */
    struct edge_game_answered answered[EDGE_GAME_ANSWERED];
};

/* What a change may change. */
struct edge_game_state {
    uint64_t version;
    uint64_t deadline_ms; /* Redis' clock; 0 when over */
    bool over;
    uint8_t reason; /* client.v1.OverReason when over */
    uint8_t left;   /* bit a seat: LEFT */
    uint8_t turns_lost[EDGE_RULES_SEATS];
    struct edge_seat seat[EDGE_RULES_SEATS];
    uint64_t paused_at_ms; /* Redis' clock: since then a seat is PAUSED and the turn's clock stands; 0: it runs */
    struct edge_rules_state rules;
};

struct edge_game;

enum edge_game_note {
    EDGE_GAME_NOTE_ACCEPTED, /* a seat's move was stored */
    EDGE_GAME_NOTE_REFUSED,  /* arg: client.v1.ErrorCode */
    EDGE_GAME_NOTE_REPEATED, /* a retry got its first answer */
    EDGE_GAME_NOTE_PAUSED,   /* the players are told that the store holds the game */
    EDGE_GAME_NOTE_RESUMED,
    EDGE_GAME_NOTE_RESTORED, /* a loss was repaired: alarm */
    EDGE_GAME_NOTE_FROZEN,   /* the key is gone: alarm */
    EDGE_GAME_NOTE_ENDED,    /* arg: client.v1.OverReason */
    EDGE_GAME_NOTE_SEAT,     /* arg: enum edge_event_kind, what happened to a seat */
    EDGE_GAME_NOTE_STRAY,    /* an answer that could not come */
};

struct edge_game_put {
    uint64_t expected, version;
    bool end;     /* the last version */
    bool restore; /* encode `now`, not `next` */
};

/* Everything a game may do to the world. No function may call a step of the same game. */
struct edge_game_env {
    struct mer_rng rng;
    struct edge_seat_policy seats;
    /* Store; exactly one edge_game_put_done follows. false: nothing was sent and nothing follows. */
    bool (*put)(struct edge_game *g, const struct edge_game_put *p);
    /* Read back; exactly one edge_game_read_done follows. */
    bool (*read)(struct edge_game *g);
    /* To the one session that asked. */
    void (*reply)(struct edge_game *g, const struct edge_game_ask *to, const Meridian__Client__V1__ServerMessage *m);
    /* To everybody seated (a seat that leaves with this change included); before it `reply` to `from`, when there is one (both NULL
     * otherwise). */
    void (*publish)(struct edge_game *g, const struct edge_game_ask *from, const Meridian__Client__V1__ServerMessage *reply,
                    const Meridian__Client__V1__ServerMessage *const *messages, size_t count);
    /* Another edge owns the game now: show nothing more. Requests that waited are gone without an answer: their proxies ask the new owner.
     */
    void (*lost)(struct edge_game *g);
    void (*note)(struct edge_game *g, enum edge_game_note note, uint32_t arg);
};

struct edge_game {
    const struct edge_rules *rules;
    const struct edge_game_env *env;
    struct edge_game_state now, next;
    bool has_next;
    struct edge_rules_out change; /* of next */
    struct edge_game_ask asker;   /* of next; kind NONE: nobody */
    struct mer_list queue;        /* of edge_game_ask, in order of arrival */
    uint8_t queued;
    uint8_t store;    /* enum edge_game_store */
    bool paused;      /* the players were told that the store holds the game */
    uint8_t present;  /* bit a seat: a device of his is there, as the shell said last */
    bool fresh;       /* a new owner: who had to wait for one is given time */
    bool doubt;       /* it may be another's by now: the store is asked before anything else happens */
    bool giving_back; /* `next` gives back time that the store, or a dead owner, has cost */
    bool frozen;      /* the alarm was given */
    uint8_t attempts;
    uint64_t read_version;               /* seen by the last read: what a restore follows */
    uint64_t held_since_ms, retry_at_ms; /* monotonic; 0: not */
    uint64_t owed_ms;                    /* time to be given back by a resume */
    uint64_t bot_due_ms;                 /* monotonic; 0: no bot thinks */
    struct edge_rules_action bot_action;
    uint64_t created_at_ms;
    uint8_t seat_count, bots;
    struct edge_game_seat *seats;
    char id[EDGE_GAME_ID_MAX + 1];
    char region[EDGE_GAME_REGION_MAX + 1];
};

struct edge_game_spec {
    const char *id, *game, *region;
    uint8_t rows, cols, seat_count;
    struct {
        const char *user, *name;
        bool bot;
    } seat[EDGE_RULES_SEATS];
};

/* A new game at version 1, to be created in the store by the caller before the first step. MER_EINVALID: no such game, or not with these
 * numbers. */
MER_MUST_CHECK enum mer_err edge_game_init(struct edge_game *g, const struct edge_game_spec *spec, const struct edge_game_env *env,
                                           struct edge_game_time t);
/* Rules are found by name; for games that are not in the product's list. */
MER_MUST_CHECK enum mer_err edge_game_init_rules(struct edge_game *g, const struct edge_rules *rules, const struct edge_game_spec *spec,
                                                 const struct edge_game_env *env, struct edge_game_time t);
/* From a record (state.v1.GameRecord). MER_EINVALID: it is none, or not of a game that could be. rules NULL: found by the record's name. */
MER_MUST_CHECK enum mer_err edge_game_decode(struct edge_game *g, const struct edge_rules *rules, const uint8_t *record, size_t len,
                                             const struct edge_game_env *env);
void edge_game_deinit(struct edge_game *g);

/* The game begins to run: created, or claimed from a dead owner (the turn then starts anew, for the time nobody hosted it). */
void edge_game_start(struct edge_game *g, struct edge_game_time t, bool claimed);
void edge_game_request(struct edge_game *g, struct edge_game_time t, const struct edge_game_ask *ask);
void edge_game_tick(struct edge_game *g, struct edge_game_time t);
/* Whether any device of the seat's player is there. Until it is said, those who are SEATED are believed to be. */
void edge_game_present(struct edge_game *g, struct edge_game_time t, unsigned seat, bool present);
/* Milliseconds until the last PAUSED seat is decided; 0: none is. */
uint32_t edge_game_paused_for_ms(const struct edge_game_state *s, uint64_t store_ms);
/* A bot plays this seat: born so, or instead of its player. */
bool edge_game_bot_plays(const struct edge_game *g, unsigned seat);
/* STORED, NOT_NOW, UNSURE, FENCED or ABSENT. */
void edge_game_put_done(struct edge_game *g, struct edge_game_time t, enum edge_game_event outcome);
/* STORED: something stands there, at `version`, under my fence if `mine`. Else NOT_NOW, UNSURE, FENCED or ABSENT. */
void edge_game_read_done(struct edge_game *g, struct edge_game_time t, enum edge_game_event outcome, bool mine, uint64_t version);
/* Compare the store with what was confirmed (sweep, promotion). Nothing happens when a put is on its way: that compares too. */
void edge_game_verify(struct edge_game *g, struct edge_game_time t);
/* Somebody else may have claimed it: nothing happens, and nothing that waits is answered, before the store was asked (verify, or the next
 * step). */
void edge_game_doubt(struct edge_game *g);
/* The process stood still for so long, up to now. Where less time is left than that, it is given back: the clock ran while nobody could
 * move. */
void edge_game_slept(struct edge_game *g, struct edge_game_time t, uint64_t slept_ms);
/* When edge_game_tick is due, monotonic; UINT64_MAX: never. */
uint64_t edge_game_next_ms(const struct edge_game *g, struct edge_game_time t);

/* The user's seat, or EDGE_RULES_NO_SEAT: not seated, or has left. */
unsigned edge_game_seat_of(const struct edge_game *g, const char *user);
/* An answer that needs no change, out of `now`: to a retry of a stored move, and to whatever comes after the end. false: it needs the
 * owner. */
struct edge_game_answer;
bool edge_game_answer(const struct edge_game *g, const struct edge_game_ask *ask, struct edge_game_answer *out);
/* Appends the record of `now` (restore) or `next`. */
struct mer_buf;
MER_MUST_CHECK enum mer_err edge_game_encode(const struct edge_game *g, bool restore, struct mer_buf *out);
/* Every rule a game keeps between steps; asserted in debug builds and by tests after each step. */
void edge_game_check(const struct edge_game *g);

/* --- messages, made from `now`; storage is the caller's and holds everything pointed to ---------------------------- */

struct edge_game_answer {
    Meridian__Client__V1__ServerMessage m;
    union {
        Meridian__Client__V1__MoveOk ok;
        Meridian__Client__V1__Error error;
    } body;
};
struct edge_game_message {
    Meridian__Client__V1__ServerMessage m;
    union {
        Meridian__Client__V1__CardFlipped flipped;
        Meridian__Client__V1__PairFound found;
        Meridian__Client__V1__PairMissed missed;
        Meridian__Client__V1__TurnChanged turn;
        Meridian__Client__V1__SeatEvent seat;
        Meridian__Client__V1__GamePaused paused;
        Meridian__Client__V1__GameResumed resumed;
        Meridian__Client__V1__GameOver over;
    } body;
    uint32_t cards[2], scores[EDGE_RULES_SEATS], winners[EDGE_RULES_SEATS];
};
struct edge_game_view {
    Meridian__Client__V1__ServerMessage m;
    Meridian__Client__V1__GameState state;
    Meridian__Client__V1__Card card[EDGE_RULES_CARDS], *cards[EDGE_RULES_CARDS];
    Meridian__Client__V1__Seat seat[EDGE_RULES_SEATS], *seats[EDGE_RULES_SEATS];
    Meridian__Client__V1__Result result;
    uint32_t scores[EDGE_RULES_SEATS], winners[EDGE_RULES_SEATS];
};
struct edge_game_matched {
    Meridian__Client__V1__ServerMessage m;
    Meridian__Client__V1__Matched matched;
    Meridian__Client__V1__Player player[EDGE_RULES_SEATS], *players[EDGE_RULES_SEATS];
};
void edge_game_view(const struct edge_game *g, unsigned seat, struct edge_game_view *v);
void edge_game_matched(const struct edge_game *g, unsigned seat, struct edge_game_matched *m);
/* The text of an error for people; re is borrowed by the message. */
void edge_game_error(struct edge_game_answer *a, Meridian__Client__V1__ErrorCode code, const char *re, uint32_t retry_after_ms);

/* Shared by the files of this core. */
void edge__game_move_ok(struct edge_game_answer *a, const struct edge_game *g, const char *move_id, uint64_t version);
void edge__game_message(const struct edge_game *g, const struct edge_event *e, struct edge_game_message *out);
void edge__game_paused(const struct edge_game *g, struct edge_game_message *out);
enum mer_err edge__game_seats(struct edge_game *g, unsigned count);
