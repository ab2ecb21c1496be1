/* SPDX-License-Identifier: Apache-2.0
 * policy.h - from what is known of the regions to who may be answered by DNS (pure; R32). Called once a second with a reading a region;
 * says which regions are out and which send a share of their new players to which neighbour.
 *
 *            bad for 2 s (and the guard lets it)                 operator: drain
 *      UP -----------------------------------------> DOWN     any ------------> share 0..100 % over the time given -> out
 *       ^                                             |
 *       +---- good for 10 s, after each fall within --+      load over the high mark for a dwell: share + 10
 *             10 min twice as long, at most 5 min            load under the low mark for a dwell: share - 10
 *
 * Rules:
 * - A region that is out gets nobody: each place goes to the next in its own order. All out = all in: a wrong answer is better than none.
 * - Guard: what the probes say takes regions out only while at least half of the world's capacity stays in; more than that at once is
 *   rather the prober's own network. What an operator says is not guarded: he is told before (geo_policy_left).
 * - A share goes to the nearest neighbour that is up, not draining, not shedding itself and under its low mark; when that one fills, to the
 *   next; when there is none, nothing is moved, and `stuck` says so.
 * - A reading that is missing changes nothing: neither good nor bad, and no load.
 * - A step that comes late counts as one second: the agent or its machine was stopped, and what it knows is of before. */
#pragma once

#include "geo/footprint.h"

enum {
    GEO_BAD_MS = 2000,            /* with probes a second apart: two in a row, so a new answer within 5 s */
    GEO_GOOD_MS = 10 * 1000,      /* ... and doubled after each fall within GEO_FLAP_MS */
    GEO_GOOD_MAX_MS = 300 * 1000, /* a region that flaps ten times does not flap DNS */
    GEO_FLAP_MS = 600 * 1000,
    GEO_DWELL_MS = 30 * 1000, /* TTL and a connection's ramp: before, the last step has not shown its effect */
    GEO_HIGH_PERMILLE = 850,  /* R33 scales out at 800; above, DNS helps */
    GEO_LOW_PERMILLE = 750,
    GEO_GUARD_PERMILLE = 500,
    GEO_STEP_MS = 1000,
    GEO_LATE_MS = 2 * GEO_STEP_MS,
    GEO_SHARE_MAX = 90, /* by load; a drain goes to 100 */
};

enum geo_health { GEO_UP, GEO_DOWN };
enum geo_verdict { GEO_UNKNOWN, GEO_GOOD, GEO_BAD };

struct geo_reading {
    enum geo_verdict verdict;
    int32_t load_permille; /* players of capacity; -1: not known */
};

/* What an operator wants; all zero: nothing. */
struct geo_wish {
    bool drain;
    uint64_t drain_from_ms, drain_over_ms; /* over 0: at once */
    bool force_in;                         /* not taken out by probes */
    uint32_t share;                        /* percent to send elsewhere, instead of what load says; a multiple of the step, or 0 */
};

struct geo_region_state {
    enum geo_health health;
    bool out;                             /* no answer names it */
    bool guarded;                         /* down, but kept in: too much is out already */
    bool stuck;                           /* would shed, and nobody can take it */
    uint32_t share;                       /* percent of new players sent to share_to, a multiple of GEO_SPILL_STEP_PERCENT below 100 */
    uint32_t share_to;                    /* region; meaningless with share 0 */
    uint32_t falls;                       /* within GEO_FLAP_MS of each other */
    uint64_t since_ms;                    /* of health */
    uint64_t bad_since_ms, good_since_ms; /* 0: not now */
    uint64_t stepped_ms;                  /* last change of share by load */
    bool wished;                          /* share is an operator's, or what is left of it */
};

struct geo_policy {
    const struct geo_footprint *footprint; /* kept */
    struct geo_region_state region[GEO_REGIONS_MAX];
    bool all_out;    /* by the rules nobody would be left: everybody is in */
    uint64_t now_ms; /* of the last step */
};

void geo_policy_init(struct geo_policy *p, const struct geo_footprint *f, uint64_t now_ms);
/* now_ms: monotonic, not 0. readings and wishes: one a region. True when what DNS answers has changed (out, share, share_to). */
bool geo_policy_step(struct geo_policy *p, const struct geo_reading *readings, const struct geo_wish *wishes, uint64_t now_ms);
/* How much of the world's capacity, in permille, would stay in with these wishes, drains at their end; 0: nobody, so DNS would name
 * everybody. */
uint32_t geo_policy_left(const struct geo_policy *p, const struct geo_wish *wishes);
/* The policy as gdnsd's state file (plan.h's names). Appended. */
MER_MUST_CHECK enum mer_err geo_policy_write(const struct geo_policy *p, struct mer_buf *out);
