/* SPDX-License-Identifier: Apache-2.0
 * admission.c - see admission.h.
 *
 * Why lateness and not the share of time the loop is busy: a loop that has more to do does it in larger batches, each cheaper, so it is
 * busy all the time long before it is slow. What players feel is how long their message lies before it is looked at.
 *
 * Why rates that are learnt and not only levels: between "all may" and "nobody may" a crowd that waits would come in one burst, and the
 * load it brings shows seconds later. Additive increase, multiplicative decrease finds what a process can bear without being told.
 *
 * Invariants: only edge_admission_tick changes the level and the rates. Owner: overload.c. */
#include "edge/session/admission.h"

enum { FREE, DOOR, GAMES, RESERVE, NO };

/* The rings have shrunk before (overload.c). */
static const uint32_t memory_marks[EDGE_MARKS] = {700, 750, 780, 800};
/* A call a game at most is under way, so this many are a store that does not keep up; 64 Ki is where the client refuses calls. */
static const uint32_t store_marks[EDGE_MARKS] = {2 * 1024, 4 * 1024, 16 * 1024, 32 * 1024};
enum { FULL_PERMILLE = 950 };

/* One in a hundred may be late by more than five times the average: 25 ms on average keep p99 near 125 ms. */
static const uint32_t late_marks[EDGE_MARKS] = {750, 1000, 2000, 4000}; /* permille of conf.late_ms */

static const uint8_t next[EDGE_NLEVELS][EDGE_BANDS] = {
    /*                         calm               between            busy              eased                  far over */
    [EDGE_LEVEL_NORMAL] = {EDGE_LEVEL_NORMAL, EDGE_LEVEL_NORMAL, EDGE_LEVEL_BUSY, EDGE_LEVEL_BUSY, EDGE_LEVEL_SATURATED},
    [EDGE_LEVEL_BUSY] = {EDGE_LEVEL_NORMAL, EDGE_LEVEL_BUSY, EDGE_LEVEL_BUSY, EDGE_LEVEL_BUSY, EDGE_LEVEL_SATURATED},
    [EDGE_LEVEL_SATURATED] = {EDGE_LEVEL_BUSY, EDGE_LEVEL_BUSY, EDGE_LEVEL_BUSY, EDGE_LEVEL_SATURATED, EDGE_LEVEL_SATURATED},
};

static const uint8_t policy[EDGE_NWORKS][EDGE_NLEVELS] = {
    /*                     normal busy  saturated */
    [EDGE_WORK_RETURN] = {FREE, FREE, RESERVE}, [EDGE_WORK_UNKNOWN] = {DOOR, DOOR, RESERVE}, [EDGE_WORK_NEWCOMER] = {DOOR, DOOR, NO},
    [EDGE_WORK_GUEST] = {DOOR, NO, NO},         [EDGE_WORK_MATCH] = {GAMES, NO, NO},         [EDGE_WORK_ASK] = {FREE, FREE, RESERVE},
};

/* A process that is saturated still does so much, because a player who cannot come back loses his seat. An upgrade costs 0.1 to 0.5 ms. */
static const uint32_t reserve_milli[EDGE_NWORKS] = {
    [EDGE_WORK_RETURN] = 100 * 1000, [EDGE_WORK_UNKNOWN] = 20 * 1000, [EDGE_WORK_ASK] = 50 * 1000};

enum {
    ONE = 1000 * 1000,      /* of a pace's credit */
    BURST_MS = 500,         /* what may be saved up */
    GROWTH = 64,            /* a pace grows by a 32nd every tick: a third a second */
    UNMATCHED_MILLI = 1000, /* find_match refused: one a second is chance */
    SHRINKING = 8,          /* or shrinks by an eighth */
    CUT_PERMILLE = 850,     /* and is cut to this when it was too much */
    RETRY_MIN_MS = 1000,
    RETRY_MAX_MS = 30 * 1000,
    RETRY_LEAST_MAX_MS = 8 * 1000, /* of the longest wait when few are refused */
    RETRY_EACH_MS = 400,           /* and so much more for each refused in a second: refusing costs, too */
};

const char *edge_level_name(enum edge_level level)
{
#define X(name, text) [EDGE_LEVEL_##name] = text,
    static const char *const names[EDGE_NLEVELS] = {EDGE_LEVELS(X)};
#undef X
    return (unsigned)level < EDGE_NLEVELS ? names[level] : "unknown";
}

/* --- levels -----------------------------------------------------------------------------------------------------------------------------
 */

static unsigned band_of(uint64_t value, const uint32_t marks[EDGE_MARKS], uint64_t unit)
{
    unsigned band = 0;
    while (band < EDGE_MARKS && value >= marks[band] * unit)
        band++;
    return band;
}

unsigned edge_admission_band(const struct edge_admission_conf *conf, const struct edge_load *load)
{
    unsigned band = band_of(load->late_us, late_marks, conf->late_ms); /* ms and permille: microseconds */
    unsigned memory = band_of(load->memory_permille, memory_marks, 1), store = band_of(load->store_waiting, store_marks, 1);
    band = memory > band ? memory : band;
    return store > band ? store : band;
}

enum edge_level edge_level_next(enum edge_level level, unsigned band)
{
    MER_ASSERT((unsigned)level < EDGE_NLEVELS && band < EDGE_BANDS);
    return (enum edge_level)next[level][band];
}

/* --- paces ------------------------------------------------------------------------------------------------------------------------------
 */

static void pace_init(struct edge_pace *p, uint32_t rate_milli, uint64_t now_ms)
{
    *p = (struct edge_pace){.rate_milli = rate_milli, .credit = ONE, .at_ms = now_ms};
}

static bool pace_take(struct edge_pace *p, uint64_t now_ms)
{
    if (p->rate_milli < EDGE_PACE_FREE_MILLI) {
        uint64_t most = (uint64_t)p->rate_milli * BURST_MS;
        p->credit += (now_ms > p->at_ms ? now_ms - p->at_ms : 0) * p->rate_milli;
        if (p->credit > (most > ONE ? most : ONE))
            p->credit = most > ONE ? most : ONE;
        p->at_ms = now_ms;
        if (p->credit < ONE)
            return false;
        p->credit -= ONE;
    }
    p->taken++;
    return true;
}

/* How many a second lately: a moving average over about a second. */
static void average(uint32_t *recent_milli, uint32_t *count)
{
    uint32_t now_milli = *count * (1000 * 1000 / EDGE_TICK_MS);
    *recent_milli = *recent_milli - *recent_milli / 8 + now_milli / 8;
    *count = 0;
}

static void pace_grow(struct edge_pace *p)
{
    p->rate_milli += p->rate_milli / GROWTH;
    if (p->rate_milli > EDGE_PACE_FREE_MILLI)
        p->rate_milli = EDGE_PACE_FREE_MILLI;
}

static void pace_shrink(struct edge_pace *p)
{
    p->rate_milli -= p->rate_milli / SHRINKING;
    if (p->rate_milli < EDGE_PACE_LEAST_MILLI)
        p->rate_milli = EDGE_PACE_LEAST_MILLI;
}

/* It was too much: less than what was really done, which may be far below what would have been allowed. */
static void pace_cut(struct edge_pace *p, uint64_t now_ms)
{
    uint64_t base = p->recent_milli < p->rate_milli ? p->recent_milli : p->rate_milli;
    uint32_t cut = (uint32_t)(base * CUT_PERMILLE / 1000);
    p->rate_milli = cut > EDGE_PACE_LEAST_MILLI ? cut : EDGE_PACE_LEAST_MILLI;
    p->credit = 0;
    p->at_ms = now_ms;
}

/* --- the whole --------------------------------------------------------------------------------------------------------------------------
 */

void edge_admission_init(struct edge_admission *a, struct edge_admission_conf conf, uint64_t now_ms)
{
    *a = (struct edge_admission){.conf = conf};
    pace_init(&a->door, EDGE_PACE_FREE_MILLI, now_ms);
    pace_init(&a->match, EDGE_PACE_FREE_MILLI, now_ms);
    for (int i = 0; i < EDGE_NWORKS; i++)
        pace_init(&a->reserve[i], reserve_milli[i], now_ms);
}

bool edge_admission_tick(struct edge_admission *a, const struct edge_load *load, uint64_t now_ms)
{
    enum edge_level before = a->level;
    a->full = load->full_permille >= FULL_PERMILLE;
    a->level = edge_level_next(before, edge_admission_band(&a->conf, load));
    average(&a->turned_away_milli, &a->turned_away);
    average(&a->unmatched_milli, &a->unmatched);
    struct edge_pace *paces[] = {&a->door, &a->match};
    for (size_t i = 0; i < MER_COUNT(paces); i++) {
        average(&paces[i]->recent_milli, &paces[i]->taken);
        if (a->level > before)
            pace_cut(paces[i], now_ms);
        else if (paces[i] == &a->door && a->unmatched_milli > UNMATCHED_MILLI)
            pace_shrink(paces[i]); /* who is in finds no game: others would only wait beside them */
        else if (a->level == EDGE_LEVEL_NORMAL)
            pace_grow(paces[i]);
    }
    return a->level != before;
}

/* Asked by who is connected. */
static bool inside(enum edge_work work)
{
    return work == EDGE_WORK_MATCH || work == EDGE_WORK_ASK;
}

static bool allowed(struct edge_admission *a, enum edge_work work, uint64_t now_ms)
{
    bool stranger = work == EDGE_WORK_NEWCOMER || work == EDGE_WORK_UNKNOWN;
    if (a->full && stranger)
        return false;
    switch (policy[work][a->level]) {
    case DOOR:
        return pace_take(&a->door, now_ms);
    case GAMES:
        return pace_take(&a->match, now_ms);
    case RESERVE:
        return pace_take(&a->reserve[work], now_ms);
    default:
        return policy[work][a->level] == FREE;
    }
}

bool edge_admission_take(struct edge_admission *a, enum edge_work work, uint64_t now_ms)
{
    MER_ASSERT((unsigned)work < EDGE_NWORKS);
    if (!a->conf.enabled || allowed(a, work, now_ms))
        return true;
    a->refused[work]++;
    if (inside(work))
        a->unmatched++;
    else
        a->turned_away++;
    return false;
}

uint32_t edge_admission_retry_ms(const struct edge_admission *a, enum edge_work work, uint32_t random)
{
    uint64_t to = (inside(work) ? a->unmatched_milli : a->turned_away_milli) / 1000 * RETRY_EACH_MS;
    to = to < RETRY_LEAST_MAX_MS ? RETRY_LEAST_MAX_MS : to > RETRY_MAX_MS ? RETRY_MAX_MS : to;
    uint64_t from = to > RETRY_LEAST_MAX_MS || a->level == EDGE_LEVEL_SATURATED ? to / 2 : RETRY_MIN_MS; /* still spread over seconds */
    return (uint32_t)(from + random % (to - from + 1));
}
