/* SPDX-License-Identifier: Apache-2.0
 * admission.h - how loaded this process is, and what it still takes on (R25). Pure: whoever measures and asks passes numbers and the time.
 *
 *               late, memory or store over a mark           far over
 *   NORMAL ----------------------------------------> BUSY -----------> SATURATED
 *      ^  \-----------------------far over-----------------------------^ |
 *      +---- under the lower mark ---- BUSY <---- under the upper one ---+
 *
 * What is shed, in this order: new games, guests and strangers, questions, and last those who come back. What is not in the list below is
 * never refused: moves of games in play, leaving, pings, newer tokens. */
#pragma once

#include <meridian/base.h>

#define EDGE_LEVELS(X) X(NORMAL, "normal") X(BUSY, "busy") X(SATURATED, "saturated")
#define X(name, text) EDGE_LEVEL_##name,
enum edge_level { EDGE_LEVELS(X) EDGE_NLEVELS };
#undef X
const char *edge_level_name(enum edge_level level);

/* RETURN: who sits in a game or has a session here, or says which session he had. UNKNOWN: an upgrade that does not say whose it is.
 * ASK: get_game, explain_match. */
#define EDGE_WORKS(X) X(RETURN, "return") X(UNKNOWN, "unknown") X(NEWCOMER, "newcomer") X(GUEST, "guest") X(MATCH, "match") X(ASK, "ask")
#define X(name, text) EDGE_WORK_##name,
enum edge_work { EDGE_WORKS(X) EDGE_NWORKS };
#undef X

struct edge_load {            /* over the last ticks */
    uint32_t late_us;         /* how long something that happens waits for this process, on average */
    uint32_t memory_permille; /* resident, of the ceiling */
    uint32_t store_waiting;   /* calls to the store without an answer */
    uint32_t full_permille;   /* connections, of the maximum */
};

/* A load falls into a band between these marks; the worst of the loads counts. */
enum { EDGE_MARK_CALM, EDGE_MARK_BUSY, EDGE_MARK_EASED, EDGE_MARK_SATURATED, EDGE_MARKS, EDGE_BANDS = EDGE_MARKS + 1 };

/* So many a second, learnt: grows while the process keeps up, is cut when it does not. A fixed number would be right for one machine. */
struct edge_pace {
    uint32_t rate_milli; /* a thousand is one a second; EDGE_PACE_FREE_MILLI and more: no limit */
    uint32_t taken;      /* since the last tick */
    uint32_t recent_milli;
    uint64_t credit; /* millionths */
    uint64_t at_ms;
};

enum { EDGE_TICK_MS = 100, EDGE_PACE_LEAST_MILLI = 2000, EDGE_PACE_FREE_MILLI = 20000 * 1000 };

struct edge_admission_conf {
    bool enabled;     /* false: measured, nothing refused */
    uint32_t late_ms; /* from here on the process is busy */
};
struct edge_admission {
    struct edge_admission_conf conf;
    enum edge_level level;
    struct edge_pace door, match;
    struct edge_pace reserve[EDGE_NWORKS]; /* of a fixed rate: what is left to each when saturated */
    bool full;                             /* the last places are kept for those who come back */
    uint64_t refused[EDGE_NWORKS];
    uint32_t turned_away, unmatched;             /* refused since the last tick: at the door; find_match and questions */
    uint32_t turned_away_milli, unmatched_milli; /* a second, lately */
};

void edge_admission_init(struct edge_admission *a, struct edge_admission_conf conf, uint64_t now_ms);
/* Every EDGE_TICK_MS. True: the level is another one now. */
bool edge_admission_tick(struct edge_admission *a, const struct edge_load *load, uint64_t now_ms);
/* May this be done now? Counts. */
bool edge_admission_take(struct edge_admission *a, enum edge_work work, uint64_t now_ms);
/* When to ask again after a refusal, between 1 and 30 s: many must not come back together, and the more there are the later; those who are
 * connected and those who are not each by their own number. random: any number. */
uint32_t edge_admission_retry_ms(const struct edge_admission *a, enum edge_work work, uint32_t random);

/* The parts, for tests. */
unsigned edge_admission_band(const struct edge_admission_conf *conf, const struct edge_load *load);
enum edge_level edge_level_next(enum edge_level level, unsigned band);
