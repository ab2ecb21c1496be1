/* SPDX-License-Identifier: Apache-2.0
 * overload.c - see overload.h.
 *
 * Measured: how late the loop is (from its turns: what a message that comes at any moment waits), resident memory once a second, calls
 * waiting for the store, connections. How long the kernel lets the process wait is not: a process that does little and is starved by others
 * would help nobody by refusing work.
 *
 * Who comes is guessed from what is cheap to read: the user a token in the query names, unverified, or `session` in the query, the session
 * he wants to go on with. A wrong guess gains nothing but a place among those who return; the token is verified as always.
 *
 * Timer: `tick`, every 100 ms from birth to end. Owner: the app. Next: admission.h. */
#include "edge/session/overload.h"

#include <malloc.h>
#include <string.h>

#include <meridian/mem.h>
#include <meridian/rss.h>

#include "edge/session/session.h"

enum {
    TICKS = 3,         /* that a load is measured over */
    MEMORY_TICKS = 10, /* between readings of the resident memory */
    RINGS_SHRINK_PERMILLE = 650,
    RINGS_GROW_PERMILLE = 550,
    RINGS_SHRINK = 8,
};

enum {
    O_LEVEL,
    O_LATE,
    O_MEMORY_LIMIT,
    O_DOOR,
    O_MATCH,
    O_ENTERED,
    O_REFUSED = O_ENTERED + EDGE_NLEVELS,
    O_COUNT = O_REFUSED + EDGE_NWORKS
};
#define ENTERED(name, text) \
    [O_ENTERED + EDGE_LEVEL_## \
        name] = {"meridian_edge_load_levels_total", "changes of the load level (R25)", MER_COUNTER, "to=\"" text "\""},
#define REFUSED(name, text) \
    [O_REFUSED + EDGE_WORK_## \
        name] = {"meridian_edge_work_refused_total", "work refused under load, by kind (R25)", MER_COUNTER, "work=\"" text "\""},
static const struct mer_metric_def defs[O_COUNT] = {
    [O_LEVEL] = {"meridian_edge_load_level", "0 normal, 1 busy, 2 saturated (R25)", MER_GAUGE, NULL},
    [O_LATE] = {"meridian_edge_wakeup_wait_seconds", "how long what happens waits for the loop, on average of the last ticks", MER_GAUGE_US,
                NULL},
    [O_MEMORY_LIMIT] = {"meridian_edge_memory_limit_bytes", "resident memory that is the ceiling; nobody new from 80 % on", MER_GAUGE,
                        NULL},
    [O_DOOR] = {"meridian_edge_newcomers_per_second", "newcomers taken a second; 20000: all", MER_GAUGE, NULL},
    [O_MATCH] = {"meridian_edge_matches_per_second", "find_match taken a second while not busy; 20000: all", MER_GAUGE, NULL},
    EDGE_LEVELS(ENTERED) EDGE_WORKS(REFUSED)};

struct edge_overload {
    struct edge_app *app;
    struct edge_admission admission;
    struct edge_load load;
    struct mer_timer tick;
    uint64_t at_us, waited_us2; /* at the last tick */
    uint32_t late_us[TICKS];    /* of the last ones */
    uint64_t memory_limit;
    uint32_t ticks;
    bool rings_small;
    uint64_t values[O_COUNT];
    struct mer_metric_set metric_set;
};

/* --- measuring --------------------------------------------------------------------------------------------------------------------------
 */

static uint32_t cap32(uint64_t v)
{
    return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
}

static uint32_t middle_of(const uint32_t v[TICKS])
{
    uint32_t low = v[0] < v[1] ? v[0] : v[1], high = v[0] < v[1] ? v[1] : v[0];
    return v[2] < low ? low : v[2] > high ? high : v[2];
}

/* A turn of t makes what comes in it wait t / 2 on average, and t / wall of all that comes does. The middle one of three ticks: one long
 * turn, or a stop from outside, is no load that refusing would help. */
static void measure_lateness(struct edge_overload *o)
{
    const struct mer_loop *loop = &o->app->loop;
    uint64_t now_us = loop->clock.mono_us(loop->clock.ctx), wall_us = now_us - o->at_us, us2 = loop->waited_us2 - o->waited_us2;
    o->late_us[o->ticks % TICKS] = wall_us == 0 ? 0 : cap32(us2 / 2 / wall_us);
    o->load.late_us = middle_of(o->late_us);
    o->at_us = now_us;
    o->waited_us2 = loop->waited_us2;
}

/* What is kept for replay is the first that goes: who comes back then gets a snapshot instead. */
static void fit_rings(struct edge_overload *o)
{
    struct edge_app *app = o->app;
    uint32_t used = o->load.memory_permille;
    if (o->rings_small ? used >= RINGS_GROW_PERMILLE : used < RINGS_SHRINK_PERMILLE)
        return;
    o->rings_small = !o->rings_small;
    edge_ring_pool_resize(&app->sessions->pool, app->conf.ring_pool_bytes / (o->rings_small ? RINGS_SHRINK : 1));
    if (o->rings_small)
        malloc_trim(0); /* or the kernel would not see what was freed */
    MER_LOG(&app->log, MER_WARN, o->rings_small ? "rings.shrink" : "rings.grow", KV_U64("memory_permille", used));
}

static void measure(struct edge_overload *o)
{
    struct edge_app *app = o->app;
    measure_lateness(o);
    o->load.store_waiting = mer_redis_waiting(app->redis);
    o->load.full_permille = app->net == NULL ? 0 : cap32((uint64_t)edge_net_connections(app->net) * 1000 / app->conf.max_connections);
    if (o->ticks++ % MEMORY_TICKS != 0 || o->memory_limit == 0)
        return;
    o->load.memory_permille = cap32(mer_rss_bytes() * 1000 / o->memory_limit);
    fit_rings(o);
}

static void on_tick(struct mer_timer *t)
{
    struct edge_overload *o = MER_CONTAINER_OF(t, struct edge_overload, tick);
    struct edge_app *app = o->app;
    measure(o);
    if (edge_admission_tick(&o->admission, &o->load, app->loop.now_ms)) {
        enum edge_level level = o->admission.level;
        o->values[O_ENTERED + level]++;
        MER_LOG_RATE(&app->log, level == EDGE_LEVEL_SATURATED ? MER_WARN : MER_INFO, "load.level", KV_STR("to", edge_level_name(level)),
                     KV_U64("late_us", o->load.late_us), KV_U64("memory_permille", o->load.memory_permille),
                     KV_U64("store_waiting", o->load.store_waiting));
    }
    mer_loop_arm(&app->loop, &o->tick, EDGE_TICK_MS);
}

static void refresh(struct mer_metric_set *set)
{
    struct edge_overload *o = MER_CONTAINER_OF(set, struct edge_overload, metric_set);
    o->values[O_LEVEL] = o->admission.level;
    o->values[O_LATE] = o->load.late_us;
    o->values[O_MEMORY_LIMIT] = o->memory_limit;
    o->values[O_DOOR] = o->admission.door.rate_milli / 1000;
    o->values[O_MATCH] = o->admission.match.rate_milli / 1000;
    for (int i = 0; i < EDGE_NWORKS; i++)
        o->values[O_REFUSED + i] = o->admission.refused[i];
}

/* --- asking -----------------------------------------------------------------------------------------------------------------------------
 */

bool edge_overload_takes(struct edge_overload *o, enum edge_work work)
{
    return edge_admission_take(&o->admission, work, o->app->loop.now_ms);
}

uint32_t edge_overload_retry_ms(struct edge_overload *o, enum edge_work work)
{
    return edge_admission_retry_ms(&o->admission, work, mer_rng_u32(&o->app->rng));
}

static bool known(const struct edge_overload *o, const char *user)
{
    return edge_sessions_online(o->app->sessions, user) || edge_seats_game(o->app->seats, user) != NULL;
}

/* The connection was paid for at the door; here only those go who may not come in at all. */
bool edge_overload_lets_in(struct edge_overload *o, const char *user, bool returning)
{
    if (o->admission.level != EDGE_LEVEL_SATURATED || returning || known(o, user))
        return true;
    return edge_overload_takes(o, EDGE_WORK_NEWCOMER);
}

static enum edge_work who_comes(const struct edge_overload *o, struct edge_text query)
{
    char token[MER_TOKEN_MAX_BYTES + 1], user[MER_TOKEN_SUB_MAX + 1], session[EDGE_SESSION_ID_BYTES];
    if (edge_query_get(query, "session", session, sizeof(session)) == MER_OK)
        return EDGE_WORK_RETURN;
    if (edge_query_get(query, "token", token, sizeof(token)) != MER_OK)
        return EDGE_WORK_UNKNOWN;
    bool named = mer_token_peek_sub(token, strlen(token), user);
    OPENSSL_cleanse(token, sizeof(token));
    return named && known(o, user) ? EDGE_WORK_RETURN : EDGE_WORK_NEWCOMER;
}

static bool gate_hurry(void *ctx)
{
    return ((struct edge_overload *)ctx)->admission.level != EDGE_LEVEL_NORMAL;
}

static bool gate_handshake(void *ctx)
{
    struct edge_overload *o = ctx;
    return o->admission.level != EDGE_LEVEL_SATURATED || edge_overload_takes(o, EDGE_WORK_UNKNOWN);
}

static bool gate_upgrade(void *ctx, struct edge_text query)
{
    struct edge_overload *o = ctx;
    bool free = o->admission.level == EDGE_LEVEL_NORMAL && o->admission.door.rate_milli >= EDGE_PACE_FREE_MILLI && !o->admission.full;
    return edge_overload_takes(o, free ? EDGE_WORK_UNKNOWN : who_comes(o, query)); /* who it is matters only then */
}

static uint32_t gate_retry_ms(void *ctx)
{
    return edge_overload_retry_ms(ctx, EDGE_WORK_NEWCOMER);
}

struct edge_gate edge_overload_gate(struct edge_overload *o)
{
    return (struct edge_gate){gate_hurry, gate_handshake, gate_upgrade, gate_retry_ms, o};
}

/* --- life -------------------------------------------------------------------------------------------------------------------------------
 */

enum mer_err edge_overload_create(struct edge_overload **out, struct edge_app *app)
{
    struct edge_overload *o = mer_try_calloc(1, sizeof(*o));
    if (o == NULL)
        return MER_ENOMEM;
    o->app = app;
    o->memory_limit = app->conf.max_memory_bytes != 0 ? app->conf.max_memory_bytes : mer_rss_limit_bytes();
    edge_admission_init(&o->admission, (struct edge_admission_conf){app->conf.overload_refuse, app->conf.overload_late_ms},
                        app->loop.now_ms);
    o->at_us = app->loop.clock.mono_us(app->loop.clock.ctx);
    o->waited_us2 = app->loop.waited_us2;
    mer_metrics_add(&app->metrics, &o->metric_set, defs, O_COUNT, o->values);
    o->metric_set.refresh = refresh;
    mer_timer_init(&o->tick, on_tick);
    mer_loop_arm(&app->loop, &o->tick, EDGE_TICK_MS);
    *out = o;
    return MER_OK;
}

void edge_overload_destroy(struct edge_overload *o)
{
    if (o == NULL)
        return;
    mer_loop_disarm(&o->app->loop, &o->tick);
    mer_metrics_remove(&o->metric_set);
    mer_free(&o);
}
