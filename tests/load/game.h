/* SPDX-License-Identifier: Apache-2.0
 * game.h - one game as its players were told it, and whether they were told the truth. Pure: messages in, faults out.
 *
 * Each of our players in a game has a view, brought forward by every message he gets and checked against the rules of memory; what changes
 * are made of is kept once per version and compared between the players. Snapshots (game_state) replace a view, as the protocol says;
 * versions that a player saw only in a snapshot are compared for the other one alone. */
#pragma once

#include <meridian/err.h>

#include "meridian/client/v1/client.pb-c.h"

enum { LOAD_SEATS = 4, LOAD_CARDS = 100, LOAD_EVENTS = 4, LOAD_VERSIONS_MAX = 20000, LOAD_SIGHTS = 8, LOAD_NO_SEAT = 255 };

/* What a server can do wrong. */
#define LOAD_FAULT_MAP(X) \
    X(ORDER, "players of a game were told different things") \
    X(DOUBLED, "a change was told again, or out of order") \
    X(MOVE_LOST, "an acknowledged move is not in the game") \
    X(MOVE_DOUBLED, "a move was made more than once") \
    X(FACE, "a card's face changed, or is there too often") \
    X(SCORE, "scores do not follow from the pairs") \
    X(RULES, "a message contradicts the table") \
    X(OFFSET, "a session's numbering has a hole") \
    X(PROTOCOL, "not a message of the protocol") \
    X(GAME_LOST, "a game is not there any more") \
    X(UNFINISHED, "a game did not end")
#define X(name, text) LOAD_FAULT_##name,
enum load_fault { LOAD_FAULT_MAP(X) LOAD_NFAULTS };
#undef X

enum { LOAD_FAULT_TEXTS = 20 };
struct load_faults {
    uint64_t count[LOAD_NFAULTS];
    unsigned texts; /* the first ones, in words */
    char text[LOAD_FAULT_TEXTS][240];
};
const char *load_fault_name(enum load_fault f); /* lower case */
const char *load_fault_text(enum load_fault f);
uint64_t load_faults_total(const struct load_faults *f);
void load_fault(struct load_faults *f, enum load_fault kind, const char *fmt, ...) MER_PRINTF(3, 4);

/* A numbered message, without what only the receiver needs. Zeroed before it is filled: compared as bytes. */
struct load_event {
    uint32_t kind; /* body case */
    uint32_t face;
    uint64_t deadline_ms;
    uint8_t seat, reason, cards[2], scores[LOAD_SEATS];
    uint8_t winners; /* bit a seat */
    uint8_t pad[7];
};

struct load_slot { /* one version */
    struct load_event event[LOAD_EVENTS];
    uint8_t count;
    uint8_t seen[LOAD_SEATS];   /* events told to that player */
    uint8_t partial;            /* bit a seat: he was away for a part of it */
    uint8_t acked_by, ack_card; /* LOAD_NO_SEAT: none */
};

struct load_view {
    uint64_t version;
    uint8_t state[LOAD_CARDS]; /* client.v1.CardState */
    uint8_t open[2], open_count;
    uint8_t turn; /* LOAD_NO_SEAT: not known */
    uint32_t scores[LOAD_SEATS];
    bool here;      /* one of our players has this seat */
    bool revealing; /* two missed cards are up */
    bool paused, over;
    bool fresh; /* nothing but a snapshot so far */
    bool lost;  /* something was missed: waits for a snapshot */
};

/* A move on its way to the opponents' screens. */
struct load_sight {
    uint64_t intended_us, sent_us;
    uint8_t seat, card;
    bool waiting;
};

struct load_game {
    char id[97];
    struct load_faults *faults;
    uint8_t rows, cols, seats;
    bool known;               /* rows and cols are */
    int16_t face[LOAD_CARDS]; /* -1: never seen */
    struct load_slot *slot;
    uint32_t slots;
    struct load_view view[LOAD_SEATS];
    void *player[LOAD_SEATS];     /* the caller's; stays when he has left */
    uint8_t playing;              /* the caller's: how many of them are still at it */
    uint64_t unknown[LOAD_SEATS]; /* moves sent whose answer never came */
    uint64_t gaps, snapshots, moves;
    struct load_sight sight[LOAD_SIGHTS];
    uint8_t next_sight;
};

/* What the caller should do next. */
enum load_verdict {
    LOAD_APPLIED,
    LOAD_IGNORED, /* of no news: the view knew it from a snapshot, or waits for one */
    LOAD_GAP,     /* something was missed: send get_game */
};

/* NULL when out of memory. faults is kept. */
struct load_game *load_game_create(const char *id, unsigned seats, struct load_faults *faults);
void load_game_destroy(struct load_game *g);
/* One of our players sits (or sits again) in a seat; a game_state follows. */
void load_game_sit(struct load_game *g, unsigned seat, void *player);
/* His connection went down: the version he was in may stay in pieces. */
void load_game_cut(struct load_game *g, unsigned seat);
/* A message about this game, as that seat got it: anything with a gameId but matched, move_ok and error. */
enum load_verdict load_game_message(struct load_game *g, unsigned seat, const Meridian__Client__V1__ServerMessage *m);
/* move_ok. first: no answer to this move was lost before, so it must come ahead of card_flipped. */
void load_game_acked(struct load_game *g, unsigned seat, unsigned card, uint64_t version, bool first);
/* The card a person with a perfect memory would turn; `random` picks among equals. The seat must be to move. */
unsigned load_game_choose(const struct load_game *g, unsigned seat, uint32_t random);
/* May this seat turn a card now? */
bool load_game_to_move(const struct load_game *g, unsigned seat);
/* Everything that can only be said at the end: both players told the same, every acknowledged move there once, faces in pairs. */
void load_game_check(struct load_game *g);
