/* SPDX-License-Identifier: Apache-2.0
 * rules.h - what a game is: a table of pure functions over a plain state of fixed size.
 *
 * The hosted game (game.h) knows seats, versions, clocks and the store; the rules know cards. A state is copied by assignment (confirmed
 * and tentative state stand side by side), so it holds no pointers. Functions get no clock: they say how long the next clock is
 * (`clock_ms`) and are told when it ran out. Randomness is used twice only: to deal (`create`) and in a bot's head (`bot`), never in a
 * change, so a change can be computed again.
 *
 * The contract about hidden faces: `view` and the events written to `out` are everything a player is ever sent, and neither may hold a face
 * that lies down. */
#pragma once

#include <meridian/err.h>
#include <meridian/rng.h>

#include "meridian/client/v1/client.pb-c.h"

enum {
    EDGE_RULES_SEATS = 4,         /* protocol: 2-4 */
    EDGE_RULES_CARDS = 100,       /* protocol: 10 x 10 */
    EDGE_RULES_STATE_BYTES = 512, /* of any game's state; each rules file asserts its own */
    EDGE_RULES_RECORD_MAX = 1024, /* encoded state */
    EDGE_RULES_EVENTS = 6,        /* of one change: the longest is flipped, found, turn */
    EDGE_RULES_TURN_MS = 20 * 1000,
    EDGE_RULES_REVEAL_MS = 1500,
    EDGE_RULES_NO_SEAT = 255,
};

struct edge_rules_state {
    uint64_t words[EDGE_RULES_STATE_BYTES / 8]; /* aligned for whatever the rules keep there */
};

struct edge_rules_spec {
    uint8_t seats; /* 2-4 */
    uint8_t rows, cols;
    uint8_t bots; /* bit a seat: it remembers what it saw */
    uint8_t left; /* bit a seat, for decode: has left */
};

/* One thing a seat does, decoded from client.v1.Move. */
struct edge_rules_action {
    uint32_t card; /* flip; any number a client may send */
};

enum edge_event_kind {
    EDGE_EVENT_FLIPPED, /* seat, cards[0], face */
    EDGE_EVENT_FOUND,   /* seat, cards, scores */
    EDGE_EVENT_MISSED,  /* seat, cards, scores */
    EDGE_EVENT_TURN,    /* seat; the hosted game adds the deadline */
    EDGE_EVENT_LEFT,    /* seat; this and what follows by the hosted game */
    EDGE_EVENT_DROPPED,
    EDGE_EVENT_RECONNECTED,
    EDGE_EVENT_TAKEN_OVER,
    EDGE_EVENT_HANDED_BACK,
    EDGE_EVENT_PAUSED, /* for_ms */
    EDGE_EVENT_RESUMED,
    EDGE_EVENT_OVER, /* scores */
};
struct edge_event {
    uint8_t kind, seat;
    uint32_t face;
    uint32_t cards[2];
    uint32_t for_ms;
};

/* What a change brings. Zeroed by the caller, but for the two seats (EDGE_RULES_NO_SEAT). */
struct edge_rules_out {
    struct edge_event event[EDGE_RULES_EVENTS];
    uint8_t count;
    bool new_clock;        /* the clock starts anew, with clock_ms(state) */
    bool finished;         /* nothing is left to do: the game is over */
    uint8_t lost;          /* seat whose turn the clock took */
    uint8_t finished_turn; /* seat that used its turn: its lost turns are forgotten */
};
void edge_rules_out_init(struct edge_rules_out *out);
/* A further event, zeroed but for kind and seat. */
struct edge_event *edge_rules_event(struct edge_rules_out *out, enum edge_event_kind kind, unsigned seat);

/* As one seat may see it. */
struct edge_rules_view {
    uint8_t rows, cols;
    uint8_t card[EDGE_RULES_CARDS];  /* client.v1.CardState */
    uint32_t face[EDGE_RULES_CARDS]; /* only of cards that are not down; 0 else */
};

/* Its thinking time, then its choice. */
struct edge_rules_bot {
    uint32_t think_ms;
    struct edge_rules_action action;
};

struct edge_rules {
    const char *name;
    /* MER_EINVALID when the spec is not one of this game. Deals with rng. */
    enum mer_err (*create)(struct edge_rules_state *s, const struct edge_rules_spec *spec, const struct mer_rng *rng);
    /* ERROR_CODE_UNSPECIFIED: accepted, the state has changed and out says how. Anything else: refused for that reason, the state is as it
     * was. */
    Meridian__Client__V1__ErrorCode (*apply)(struct edge_rules_state *s, unsigned seat, const struct edge_rules_action *a,
                                             struct edge_rules_out *out);
    /* The clock ran out. */
    void (*timeout)(struct edge_rules_state *s, struct edge_rules_out *out);
    /* The seat is empty from now on; at least two are left. */
    void (*seat_left)(struct edge_rules_state *s, unsigned seat, struct edge_rules_out *out);
    uint32_t (*clock_ms)(const struct edge_rules_state *s);
    unsigned (*turn)(const struct edge_rules_state *s);
    void (*scores)(const struct edge_rules_state *s, uint32_t out[EDGE_RULES_SEATS]);
    void (*view)(const struct edge_rules_state *s, unsigned seat, struct edge_rules_view *v);
    /* false: the seat has nothing to do now. Else how long a bot in this seat thinks and what it then does, out of what it has seen. */
    bool (*bot)(const struct edge_rules_state *s, unsigned seat, const struct mer_rng *rng, struct edge_rules_bot *out);
    /* Bytes written. */
    size_t (*encode)(const struct edge_rules_state *s, uint8_t out[EDGE_RULES_RECORD_MAX]);
    /* MER_EINVALID unless it is a state this game can be in. spec: seats, bots, left. */
    enum mer_err (*decode)(struct edge_rules_state *s, const struct edge_rules_spec *spec, const uint8_t *data, size_t len);
    /* A bot plays this seat from now on, and remembers from now on; or does so no more. NULL: nothing is remembered. */
    void (*seat_bot)(struct edge_rules_state *s, unsigned seat, bool bot);
};

extern const struct edge_rules edge_memory;

/* The rules of that name, NULL when there are none. */
const struct edge_rules *edge_rules_find(const char *name);
