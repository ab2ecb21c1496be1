/* SPDX-License-Identifier: Apache-2.0
 * pair.h - one life of a pair of edges over a carrier that may lose, repeat and reorder (pure; the second carrier's, pubsub.c). It decides
 * what a frame means, so that within a life messages arrive in order, exactly once, or the life ends.
 *
 *            hello: answer          frame to my life
 *   NONE ----------------> CALLING ------------------> UP     UP --gap, lost message, silence, bye, newer life--> NONE
 *     +------ call -----------^       CALLING --gap--> NONE
 *
 * A life has a number of its sender's, counting up in a process: with the incarnation it names the life for ever, and older from newer can
 * be told. A frame carries both numbers. Who has not heard the other's says 0: a hello. A frame to my present life proves that its sender
 * heard my hello of this life, and so nothing of an earlier one can be taken for it. */
#pragma once

#include <meridian/base.h>

#define EDGE_PAIR_STATES(X) X(NONE) X(CALLING) X(UP)
#define EDGE_PAIR_EVENTS(X) \
    X(HELLO)  /* of a life not heard of yet, by one who does not know mine */ \
    X(AGAIN)  /* a hello of the life I know */ \
    X(GOOD)   /* to my life, next in order */ \
    X(GAP)    /* to my life, not in order: something was lost, or came twice */ \
    X(STRAY)  /* to another life than mine, of one I know or none */ \
    X(LEFT)   /* the same, of a newer one: its sender has left mine */ \
    X(OLD)    /* of a life that is over, or a bye that is not for me */ \
    X(BYE)    /* its sender ended my life */ \
    X(LOST)   /* a frame of mine did not arrive */ \
    X(SILENT) /* nothing was heard for too long */
#define EDGE_PAIR_ACTIONS(X) \
    X(NOTHING) \
    X(ANSWER)    /* say something: it carries both numbers */ \
    X(RISE)      /* up now: say something, send what waits, take the frame's message */ \
    X(TAKE)      /* take the frame's message, if it has one */ \
    X(REFUSE)    /* tell its sender that this life is over */ \
    X(LOSE)      /* say bye, tell that the life ended */ \
    X(LOSE_LOOK) /* tell that the life ended, then look at the frame again */ \
    X(END)       /* tell that the life ended, unless it was idle and nothing was lost */

enum edge_pair_state {
#define X(name) EDGE_PAIR_##name,
    EDGE_PAIR_STATES(X)
#undef X
        EDGE_PAIR_STATE_COUNT
};
enum edge_pair_event {
#define X(name) EDGE_PAIR_GOT_##name,
    EDGE_PAIR_EVENTS(X)
#undef X
        EDGE_PAIR_EVENT_COUNT
};
enum edge_pair_action {
#define X(name) EDGE_PAIR_DO_##name,
    EDGE_PAIR_ACTIONS(X)
#undef X
        EDGE_PAIR_ACTION_COUNT
};

/* All 0: no life. */
struct edge_pair {
    enum edge_pair_state state;
    uint64_t mine, theirs; /* lives; theirs 0: not heard */
    uint64_t seq_out, seq_in;
};
struct edge_pair_frame { /* what of a frame matters here */
    uint64_t life, your_life, seq, ack;
    bool message, bye, idle;
};

/* What the frame is to this pair; changes nothing. */
enum edge_pair_event edge_pair_judge(const struct edge_pair *p, const struct edge_pair_frame *f);
/* What to do about an event, and the state after it. */
enum edge_pair_action edge_pair_decide(enum edge_pair_state state, enum edge_pair_event event, enum edge_pair_state *next);
/* A new life, numbered `mine`, of which the peer is to be told. */
void edge_pair_call(struct edge_pair *p, uint64_t mine);
/* Judge, decide and note what the frame says. *before is the pair as it was: what a bye has to name. */
enum edge_pair_action edge_pair_hear(struct edge_pair *p, const struct edge_pair_frame *f, struct edge_pair *before);
/* The same for LOST and SILENT. */
enum edge_pair_action edge_pair_suffer(struct edge_pair *p, enum edge_pair_event event, struct edge_pair *before);
/* A bye that need not be told: nobody said anything for long, and both have all that was said. */
bool edge_pair_ended_well(const struct edge_pair *before, const struct edge_pair_frame *bye);
const char *edge_pair_event_name(enum edge_pair_event event);
