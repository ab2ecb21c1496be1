/* SPDX-License-Identifier: Apache-2.0
 * abroad.c - asking another region for a game's record, and answering (abroad.h).
 *
 * Asks are sent once and have a deadline: who asked repeats by his own rules, as with a store that does not answer. Reading, voiding and
 * adopting may all be repeated. The edge that is asked does what one of its own players' proxies would have made it do.
 *
 * Owner: the app. Next: seats_find.c, edge/session/ticket.c, edge/bus/far.h. */
#include "edge/game/abroad.h"

#include <stdio.h>
#include <string.h>

#include <meridian/list.h>
#include <meridian/mem.h>

#include "edge/game/game.h"

#define IM(x) Meridian__Internal__V1__##x
#define KIND(x) MERIDIAN__INTERNAL__V1__GAME_ASK_KIND__GAME_ASK_##x
#define RESULT(x) MERIDIAN__INTERNAL__V1__GAME_RESULT__GAME_RESULT_##x
#define FAR(x) MERIDIAN__INTERNAL__V1__FAR_BODY__BODY_##x

enum {
    ASK_MS = 3000,    /* a store answers within two seconds */
    ADOPT_MS = 12000, /* a claim is given up after ten */
    ASKS_MAX = 4096,  /* at once, each way; no special reason */
};

enum { M_ASKED, M_TOLD, M_LATE, M_TIMEOUTS, M_ANSWERED, M_REFUSED, M_COUNT };
static const struct mer_metric_def metrics[M_COUNT] = {
    [M_ASKED] = {"meridian_edge_abroad_asks_total", "questions to other regions about games that lie there"},
    [M_TOLD] = {"meridian_edge_abroad_told_total", "their answers"},
    [M_LATE] = {"meridian_edge_abroad_late_total", "answers that nobody waited for any more"},
    [M_TIMEOUTS] = {"meridian_edge_abroad_unanswered_total", "questions without an answer"},
    [M_ANSWERED] = {"meridian_edge_abroad_answered_total", "questions of other regions that were answered"},
    [M_REFUSED] = {"meridian_edge_abroad_refused_total", "of these, refused: not a game of ours, or too many at once"},
};

struct edge_abroad {
    struct edge_abroad_conf c;
    struct mer_list asks, errands;
    unsigned ask_count, errand_count;
    uint64_t last; /* number of an ask */
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
};

/* Of ours. Timer: the deadline. */
struct ask {
    struct mer_list node;
    struct edge_abroad *all;
    struct mer_timer timer;
    uint64_t number;
    edge_store_game_cb told; /* NULL: an adoption */
    void (*adopted)(void *ctx, const char *game_id, enum mer_err err);
    void *ctx;
    char region[EDGE_FAR_NAME_BYTES]; /* "asia/" */
    char gid[EDGE_GAME_ID_MAX + 1];
};

/* Of another region's edge. */
struct errand {
    struct mer_list node;
    struct edge_abroad *all;
    uint64_t number;
    char from[EDGE_FAR_NAME_BYTES];
};

/* ---- asking -------------------------------------------------------------------------------------------------------------------------- */

static enum mer_err adoption_of(enum edge_store_result result)
{
    switch (result) {
    case EDGE_STORE_OK:
        return MER_OK;
    case EDGE_STORE_LOST:
        return MER_EFENCED;
    case EDGE_STORE_ABSENT:
        return MER_ENOTFOUND;
    default:
        return MER_EUNKNOWN;
    }
}

static void finish(struct ask *k, enum edge_store_result result, const struct edge_stored *stored)
{
    struct edge_abroad *a = k->all;
    mer_list_remove(&k->node);
    a->ask_count--;
    mer_loop_disarm(a->c.loop, &k->timer);
    if (k->told)
        k->told(k->ctx, result, stored);
    else
        k->adopted(k->ctx, k->gid, adoption_of(result));
    mer_free(&k);
}

static void give_up(struct ask *k, enum edge_store_result result)
{
    static const struct edge_stored nothing = {.owner = ""};
    k->all->values[M_TIMEOUTS]++;
    finish(k, result, &nothing);
}

static void on_deadline(struct mer_timer *t)
{
    give_up(MER_CONTAINER_OF(t, struct ask, timer), EDGE_STORE_UNKNOWN);
}

static enum mer_err send_ask(struct ask *k, IM(GameAsk) * g)
{
    IM(FarBody) m = MERIDIAN__INTERNAL__V1__FAR_BODY__INIT;
    g->ask = k->number;
    g->game_id = k->gid;
    m.body_case = FAR(GAME_ASK);
    m.game_ask = g;
    return edge_far_send(k->all->c.far, k->region, &m, NULL);
}

/* k: what to do with the answer; copied. */
static enum mer_err ask(struct edge_abroad *a, const char *gid, const struct ask *how, IM(GameAsk) * g, uint32_t wait_ms)
{
    if (strlen(gid) > EDGE_GAME_ID_MAX)
        return MER_EINVALID;
    struct ask *k = a->ask_count < ASKS_MAX ? mer_try_malloc(sizeof(*k)) : NULL;
    if (!k)
        return MER_EBUSY;
    *k = *how;
    k->all = a;
    k->number = ++a->last;
    snprintf(k->gid, sizeof(k->gid), "%s", gid);
    bool there = edge_far_game(k->region, edge_far_region(a->c.far), gid);
    MER_ASSERT(there);
    enum mer_err err = send_ask(k, g);
    if (err != MER_OK) {
        mer_free(&k);
        return MER_EBUSY; /* no leader now: as when a store takes no calls */
    }
    mer_timer_init(&k->timer, on_deadline);
    mer_list_init(&k->node);
    mer_list_push_back(&a->asks, &k->node);
    a->ask_count++;
    a->values[M_ASKED]++;
    mer_loop_arm(a->c.loop, &k->timer, wait_ms);
    return MER_OK;
}

static enum edge_store_result result_of(IM(GameResult) r)
{
    switch ((int)r) {
    case RESULT(OK):
        return EDGE_STORE_OK;
    case RESULT(ABSENT):
        return EDGE_STORE_ABSENT;
    case RESULT(VOIDED):
        return EDGE_STORE_VOIDED;
    case RESULT(EXISTS):
        return EDGE_STORE_EXISTS;
    case RESULT(ASIDE):
        return EDGE_STORE_ASIDE;
    case RESULT(LOST):
        return EDGE_STORE_LOST;
    default:
        return EDGE_STORE_UNKNOWN;
    }
}

static void on_told(void *ctx, const char *from, const IM(FarBody) * m)
{
    struct edge_abroad *a = ctx;
    const IM(GameTold) *t = m->game_told;
    char owner[EDGE_FAR_NAME_BYTES] = "";
    struct edge_stored stored = {.version = t->version,
                                 .fence = {t->generation, t->epoch, t->nonce},
                                 .owner = owner,
                                 .record = t->record.data,
                                 .record_len = t->record.len,
                                 .time_ms = t->time_ms};
    a->values[M_TOLD]++;
    MER_LIST_EACH (it, &a->asks) {
        struct ask *k = MER_LIST_ENTRY(it, struct ask, node);
        if (k->number != t->ask || strncmp(from, k->region, strlen(k->region)) != 0)
            continue;
        bool named = !t->owner || !t->owner[0] || edge_far_name(owner, from, t->owner);
        finish(k, named && t->record.len <= EDGE_STORE_RECORD_MAX ? result_of(t->result) : EDGE_STORE_UNKNOWN, &stored);
        return;
    }
    a->values[M_LATE]++;
}

/* Those that were for any edge of a region to which nothing can be sent; of a region that is none nobody has a game. */
static void on_unsent(void *ctx, const char *region, const char *edge, bool none)
{
    struct edge_abroad *a = ctx;
    size_t n = strlen(region);
    struct mer_list now;
    if (edge)
        return;
    mer_list_init(&now);
    MER_LIST_EACH_SAFE (it, &a->asks) {
        struct ask *k = MER_LIST_ENTRY(it, struct ask, node);
        if (strncmp(k->region, region, n) != 0 || k->region[n] != '/')
            continue;
        mer_list_remove(it);
        mer_list_push_back(&now, it);
    }
    while (!mer_list_empty(&now)) /* who asks again from inside waits for a word of his own */
        give_up(MER_LIST_ENTRY(now.next, struct ask, node), none ? EDGE_STORE_ABSENT : EDGE_STORE_UNKNOWN);
}

bool edge_abroad_has(const struct edge_abroad *a, const char *gid)
{
    char region[EDGE_FAR_NAME_BYTES];
    return edge_far_game(region, edge_far_region(a->c.far), gid);
}

enum mer_err edge_abroad_game_get(struct edge_abroad *a, const char *gid, edge_store_game_cb cb, void *ctx)
{
    IM(GameAsk) g = MERIDIAN__INTERNAL__V1__GAME_ASK__INIT;
    if (!edge_abroad_has(a, gid))
        return edge_store_game_get(a->c.store, gid, cb, ctx);
    g.kind = KIND(GET);
    return ask(a, gid, &(struct ask){.told = cb, .ctx = ctx}, &g, ASK_MS);
}

enum mer_err edge_abroad_game_void(struct edge_abroad *a, const char *gid, edge_store_game_cb cb, void *ctx)
{
    IM(GameAsk) g = MERIDIAN__INTERNAL__V1__GAME_ASK__INIT;
    if (!edge_abroad_has(a, gid))
        return edge_store_game_void(a->c.store, gid, cb, ctx);
    g.kind = KIND(VOID);
    return ask(a, gid, &(struct ask){.told = cb, .ctx = ctx}, &g, ASK_MS);
}

enum mer_err edge_abroad_adopt(struct edge_abroad *a, const char *gid, const struct edge_fence *seen, const char *owner,
                               void (*cb)(void *ctx, const char *game_id, enum mer_err err), void *ctx)
{
    IM(GameAsk) g = MERIDIAN__INTERNAL__V1__GAME_ASK__INIT;
    if (!edge_abroad_has(a, gid))
        return edge_host_adopt(a->c.host, gid, seen, owner, cb, ctx);
    const char *slash = strchr(owner, '/');
    g.kind = KIND(ADOPT);
    g.has_generation = g.has_epoch = true;
    g.generation = seen->generation;
    g.epoch = seen->epoch;
    g.owner = (char *)(slash ? slash + 1 : owner);
    return ask(a, gid, &(struct ask){.adopted = cb, .ctx = ctx}, &g, ADOPT_MS);
}

/* ---- answering ----------------------------------------------------------------------------------------------------------------------- */

static void answer(struct edge_abroad *a, const char *to, IM(GameTold) * t)
{
    IM(FarBody) m = MERIDIAN__INTERNAL__V1__FAR_BODY__INIT;
    m.body_case = FAR(GAME_TOLD);
    m.game_told = t;
    a->values[M_ANSWERED]++;
    if (edge_far_send(a->c.far, to, &m, NULL) != MER_OK)
        MER_LOG_RATE(a->c.log, MER_DEBUG, "abroad.untold", KV_STR("to", to)); /* he asks again */
}

static void end_errand(struct errand *e, IM(GameTold) * t)
{
    struct edge_abroad *a = e->all;
    t->ask = e->number;
    answer(a, e->from, t);
    mer_list_remove(&e->node);
    a->errand_count--;
    mer_free(&e);
}

static IM(GameResult) result_to(enum edge_store_result r)
{
    switch (r) {
    case EDGE_STORE_OK:
        return RESULT(OK);
    case EDGE_STORE_ABSENT:
        return RESULT(ABSENT);
    case EDGE_STORE_VOIDED:
        return RESULT(VOIDED);
    case EDGE_STORE_EXISTS:
        return RESULT(EXISTS);
    case EDGE_STORE_ASIDE:
        return RESULT(ASIDE);
    default:
        return RESULT(UNKNOWN);
    }
}

static void on_stored(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    IM(GameTold) t = MERIDIAN__INTERNAL__V1__GAME_TOLD__INIT;
    t.result = result_to(result);
    t.has_version = t.has_generation = t.has_epoch = t.has_nonce = t.has_time_ms = true;
    t.version = stored->version;
    t.generation = stored->fence.generation;
    t.epoch = stored->fence.epoch;
    t.nonce = stored->fence.nonce;
    t.time_ms = stored->time_ms;
    t.owner = stored->owner ? (char *)stored->owner : NULL;
    t.has_record = stored->record != NULL;
    t.record = (ProtobufCBinaryData){stored->record_len, (uint8_t *)stored->record};
    end_errand(ctx, &t);
}

static void on_adopted(void *ctx, const char *game_id, enum mer_err err)
{
    IM(GameTold) t = MERIDIAN__INTERNAL__V1__GAME_TOLD__INIT;
    (void)game_id;
    t.result = err == MER_OK ? RESULT(OK) : err == MER_EFENCED ? RESULT(LOST) : err == MER_ENOTFOUND ? RESULT(ABSENT) : RESULT(UNKNOWN);
    end_errand(ctx, &t);
}

static enum mer_err run(struct errand *e, const IM(GameAsk) * g)
{
    struct edge_abroad *a = e->all;
    struct edge_fence seen = {.generation = g->generation, .epoch = g->epoch};
    switch ((int)g->kind) {
    case KIND(GET):
        return edge_store_game_get(a->c.store, g->game_id, on_stored, e);
    case KIND(VOID):
        return edge_store_game_void(a->c.store, g->game_id, on_stored, e);
    case KIND(ADOPT):
        return g->owner ? edge_host_adopt(a->c.host, g->game_id, &seen, g->owner, on_adopted, e) : MER_EINVALID;
    default:
        return MER_EINVALID;
    }
}

static void on_ask(void *ctx, const char *from, const IM(FarBody) * m)
{
    struct edge_abroad *a = ctx;
    const IM(GameAsk) *g = m->game_ask;
    bool ours = strlen(g->game_id) <= EDGE_GAME_ID_MAX && strchr(g->game_id, '.') && !edge_abroad_has(a, g->game_id);
    struct errand *e = ours && a->errand_count < ASKS_MAX ? mer_try_calloc(1, sizeof(*e)) : NULL;
    if (e) {
        e->all = a;
        e->number = g->ask;
        snprintf(e->from, sizeof(e->from), "%s", from);
        mer_list_init(&e->node);
        mer_list_push_back(&a->errands, &e->node);
        a->errand_count++;
        if (run(e, g) == MER_OK)
            return;
        mer_list_remove(&e->node);
        a->errand_count--;
        mer_free(&e);
    }
    IM(GameTold) no = MERIDIAN__INTERNAL__V1__GAME_TOLD__INIT;
    a->values[M_REFUSED]++;
    no.ask = g->ask;
    no.result = RESULT(UNKNOWN);
    answer(a, from, &no);
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

enum mer_err edge_abroad_create(struct edge_abroad **out, const struct edge_abroad_conf *conf)
{
    struct edge_abroad *a = mer_try_calloc(1, sizeof(*a));
    if (!a)
        return MER_ENOMEM;
    a->c = *conf;
    mer_list_init(&a->asks);
    mer_list_init(&a->errands);
    mer_metrics_add(conf->metrics, &a->set, metrics, M_COUNT, a->values);
    edge_far_on(conf->far, FAR(GAME_ASK), on_ask, a);
    edge_far_on(conf->far, FAR(GAME_TOLD), on_told, a);
    edge_far_on_unsent(conf->far, on_unsent, a);
    *out = a;
    return MER_OK;
}

void edge_abroad_destroy(struct edge_abroad *a)
{
    if (!a)
        return;
    while (!mer_list_empty(&a->asks))
        give_up(MER_LIST_ENTRY(a->asks.next, struct ask, node), EDGE_STORE_UNKNOWN);
    MER_LIST_EACH_SAFE (it, &a->errands) { /* adoptions: the host gives them no callback any more */
        struct errand *e = MER_LIST_ENTRY(it, struct errand, node);
        mer_list_remove(it);
        mer_free(&e);
    }
    mer_metrics_remove(&a->set);
    mer_free(&a);
}
