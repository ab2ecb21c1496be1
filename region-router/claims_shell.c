/* SPDX-License-Identifier: Apache-2.0
 * claims_shell.c - see claims_shell.h.
 *
 * What outlives a leader is the hash edges:{region}: incarnation -> id of its edge, written when an edge registers and removed when all its
 * games are claimed; so edges that died with the old leader are found by the new one.
 *
 * A missing liveness key proves something only when its primary has been the same process, connected to us, for longer than the key lives:
 * otherwise the edge may have had nowhere to renew it.
 *
 * Timer: `tick`, every 100 ms while leading. */
#include "region-router/claims_shell.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>
#include <meridian/shared_keys.h>

#include "region-router/app.h"

static const struct mer_metric_def metrics[ROUTER_CS_COUNT] = {
    [ROUTER_CS_KNOWN] = {"meridian_router_owners", "incarnations of edges that may own games", MER_GAUGE},
    [ROUTER_CS_AWAY] = {"meridian_router_owners_away", "of these, without a link to the leader and not known to be dead", MER_GAUGE},
    [ROUTER_CS_DEAD] = {"meridian_router_owners_dead", "of these, dead: their games are being claimed", MER_GAUGE},
    [ROUTER_CS_BRAKED] = {"meridian_router_owners_braked",
                          "of these, silent beyond what may be declared dead without an operator (POST /claims)", MER_GAUGE},
    [ROUTER_CS_COUNTS +
        ROUTER_C_DEAD] = {"meridian_router_owners_ended_total", "incarnations by what was found", MER_COUNTER, "how=\"silent\""},
    [ROUTER_CS_COUNTS +
        ROUTER_C_REPLACED] = {"meridian_router_owners_ended_total", "incarnations by what was found", MER_COUNTER, "how=\"replaced\""},
    [ROUTER_CS_COUNTS + ROUTER_C_REMOVED] = {"meridian_router_owners_claimed_total", "dead incarnations whose games are all claimed"},
    [ROUTER_CS_COUNTS + ROUTER_C_SLICES] = {"meridian_router_slices_claimed_total", "slices of 64 buckets claimed by edges"},
    [ROUTER_CS_COUNTS +
        ROUTER_C_AGAIN] = {"meridian_router_slices_again_total", "slices that failed or were not answered, given to another edge"},
    [ROUTER_CS_COUNTS + ROUTER_C_GAMES] = {"meridian_router_games_claimed_total", "games found in claimed slices"},
};

struct owner_call { /* about one incarnation */
    struct router_claimer *c;
    uint64_t term;
    bool removed;
    char incarnation[ROUTER_NAME_BYTES];
};

static struct owner_call *call_new(struct router_claimer *c, const struct router_owner *o)
{
    struct owner_call *q = mer_try_calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->c = c;
    q->term = c->term;
    q->removed = o->state == ROUTER_CLAIM_REMOVED;
    snprintf(q->incarnation, sizeof q->incarnation, "%s", o->incarnation);
    return q;
}

static bool send_call(struct router_claimer *c, const struct mer_redis_call_spec *spec, mer_redis_cb cb, void *ctx)
{
    if (ctx == NULL || mer_redis_call(c->app->redis, spec, cb, ctx) != MER_OK)
        return false;
    c->calls++;
    return true;
}

/* The end of a call; false: it belongs to an earlier term. */
static bool still(const struct owner_call *q)
{
    q->c->calls--;
    return q->c->leading && q->term == q->c->term;
}

/* ---- liveness ------------------------------------------------------------------------------------------------------------------------ */

static enum router_alive judge(const struct router_claimer *c, const char *key, enum mer_err err, const redisReply *r)
{
    uint64_t since = mer_redis_up_since_ms(c->app->redis, key), now = c->app->loop.now_ms;
    if (err != MER_OK || (r->type != REDIS_REPLY_NIL && r->type != REDIS_REPLY_STRING))
        return ROUTER_NOT_KNOWN;
    if (r->type == REDIS_REPLY_STRING)
        return ROUTER_ALIVE;
    return since != UINT64_MAX && now - since > ROUTER_LIVE_TTL_MS ? ROUTER_GONE : ROUTER_NOT_KNOWN;
}

static void on_live(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct owner_call *q = ctx;
    char key[MER_KEY_MAX];
    if (still(q) && mer_key_live(key, q->incarnation) == MER_OK)
        router_claims_alive(&q->c->claims, q->incarnation, judge(q->c, key, err, reply), q->c->app->loop.now_ms);
    free(q);
}

static void ask_live(void *ctx, const struct router_owner *o)
{
    struct router_claimer *c = ctx;
    char key[MER_KEY_MAX];
    const char *argv[] = {"GET", key};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = key};
    struct owner_call *q = mer_key_live(key, o->incarnation) == MER_OK ? call_new(c, o) : NULL;
    if (send_call(c, &spec, on_live, q))
        return;
    free(q);
    router_claims_alive(&c->claims, o->incarnation, ROUTER_NOT_KNOWN, c->app->loop.now_ms);
}

/* ---- notes --------------------------------------------------------------------------------------------------------------------------- */

static void on_noted(void *ctx, enum mer_err err, const redisReply *r)
{
    struct owner_call *q = ctx;
    bool ok = err == MER_OK && r->type == REDIS_REPLY_ARRAY && r->elements > 0 && r->element[0]->type == REDIS_REPLY_STRING &&
              strcmp(r->element[0]->str, "OK") == 0;
    q->c->noting = false;
    if (still(q))
        router_claims_noted(&q->c->claims, q->incarnation, q->removed, ok);
    free(q);
}

static void note(void *ctx, const struct router_owner *o)
{
    struct router_claimer *c = ctx;
    char epoch[24];
    if (c->noting)
        return; /* one at a time; it is asked for again */
    struct owner_call *q = call_new(c, o);
    snprintf(epoch, sizeof epoch, "%" PRIu64, router__lead_epoch(c->app));
    const char *argv[] = {"FCALL",
                          "mer1_leader_note",
                          "2",
                          c->edges,
                          c->lease,
                          epoch,
                          c->app->incarnation,
                          o->incarnation,
                          o->state == ROUTER_CLAIM_REMOVED ? "" : o->id};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = c->edges, .durable = true, .replicas = 1};
    c->noting = send_call(c, &spec, on_noted, q);
    if (!c->noting)
        free(q);
}

static void take_loaded(struct router_claimer *c, const redisReply *r)
{
    for (size_t i = 0; i + 1 < r->elements; i += 2)
        if (r->element[i]->type != REDIS_REPLY_STRING || r->element[i + 1]->type != REDIS_REPLY_STRING ||
            router_claims_remember(&c->claims, r->element[i]->str, r->element[i + 1]->str, c->app->loop.now_ms) != MER_OK)
            MER_LOG(&c->app->log, MER_ERROR, "owner.note_bad", KV_STR("incarnation", r->element[i]->str));
    c->loaded = true;
    MER_LOG(&c->app->log, MER_INFO, "owners.loaded", KV_U64("count", c->claims.owner_count));
}

static void on_loaded(void *ctx, enum mer_err err, const redisReply *r)
{
    struct owner_call *q = ctx;
    q->c->loading = false;
    if (still(q) && err == MER_OK && r->type == REDIS_REPLY_ARRAY)
        take_loaded(q->c, r);
    free(q);
}

static void load(struct router_claimer *c)
{
    static const struct router_owner nobody = {.state = ROUTER_CLAIM_SILENT};
    const char *argv[] = {"HGETALL", c->edges};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = c->edges};
    struct owner_call *q = c->loading ? NULL : call_new(c, &nobody);
    if (q == NULL)
        return;
    c->loading = send_call(c, &spec, on_loaded, q);
    if (!c->loading)
        free(q);
}

/* ---- edges --------------------------------------------------------------------------------------------------------------------------- */

static void order(void *ctx, const struct router_edge *by, const struct router_owner *of, uint32_t first, uint32_t last)
{
    struct router_claimer *c = ctx;
    Meridian__Internal__V1__ClaimGames g = MERIDIAN__INTERNAL__V1__CLAIM_GAMES__INIT;
    Meridian__Internal__V1__RouterMessage m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    g.router_epoch = router__lead_epoch(c->app);
    g.incarnation = (char *)of->incarnation;
    g.bucket_first = first;
    g.bucket_last = last;
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_CLAIM_GAMES;
    m.claim_games = &g;
    if (g.router_epoch != 0)
        router_edges_send(&c->app->edges, by->link, &m);
}

static void on_moved(void *ctx, const struct router_owner *o, enum router_claim_state from)
{
    struct router_claimer *c = ctx;
    enum mer_level level = o->state == ROUTER_CLAIM_DEAD ? MER_WARN : MER_INFO;
    MER_LOG(&c->app->log, level, "owner.move", KV_STR("incarnation", o->incarnation), KV_STR("from", router_claim_state_name(from)),
            KV_STR("to", router_claim_state_name((enum router_claim_state)o->state)), KV_BOOL("draining", o->leaving));
}

void router_claimer_up(struct router_claimer *c, const struct router_edge *e)
{
    if (c->leading && router_claims_up(&c->claims, e->incarnation, e->id, c->app->loop.now_ms) != MER_OK)
        MER_LOG(&c->app->log, MER_ERROR, "owner.unknown", KV_STR("incarnation", e->incarnation), KV_STR("why", "out of memory"));
}

void router_claimer_down(struct router_claimer *c, const struct router_edge *e)
{
    if (c->leading)
        router_claims_down(&c->claims, e->incarnation, e->draining, c->app->loop.now_ms);
}

void router_claimer_answer(struct router_claimer *c, const struct router_edge *from, const Meridian__Internal__V1__GamesClaimed *m)
{
    if (c->leading)
        router_claims_answer(&c->claims, from->incarnation, m->incarnation, m->bucket_first, m->done, m->games, c->app->loop.now_ms);
}

/* ---- on the loop --------------------------------------------------------------------------------------------------------------------- */

static void on_tick(struct mer_timer *t)
{
    struct router_claimer *c = MER_CONTAINER_OF(t, struct router_claimer, tick);
    mer_loop_arm(&c->app->loop, &c->tick, ROUTER_CLAIMS_TICK_MS);
    if (router__lead_epoch(c->app) == 0)
        return;
    if (!c->loaded) {
        load(c);
        return;
    }
    unsigned braked = router_claims_braked(&c->claims);
    router_claims_step(&c->claims, c->app->loop.now_ms);
    if (c->values[ROUTER_CS_BRAKED] == 0 && braked > 0)
        MER_LOG(&c->app->log, MER_ERROR, "owners.braked", KV_U64("count", braked), KV_U64("known", c->claims.owner_count));
    c->values[ROUTER_CS_BRAKED] = braked;
}

void router_claimer_start(struct router_claimer *c)
{
    struct router_claims_env env = {ask_live, order, note, on_moved, &c->app->edges.edges, c};
    router_claimer_stop(c);
    router_claims_init(&c->claims, &env);
    c->leading = true;
    c->loaded = false;
    MER_LIST_EACH (it, &c->app->edges.edges)
        router_claimer_up(c, MER_LIST_ENTRY(it, struct router_edge, node));
    mer_loop_arm(&c->app->loop, &c->tick, 0);
}

void router_claimer_stop(struct router_claimer *c)
{
    if (!c->leading)
        return;
    c->leading = false;
    c->term++;
    mer_loop_disarm(&c->app->loop, &c->tick);
    for (int i = 0; i < ROUTER_C_COUNT; i++)
        c->totals[i] += c->claims.counts[i];
    router_claims_deinit(&c->claims);
    memset(&c->claims.counts, 0, sizeof c->claims.counts);
    memset(c->values, 0, sizeof c->values);
}

int router_claimer_allow(void *ctx, const char *query, struct mer_buf *out)
{
    struct router_claimer *c = ctx;
    (void)query;
    if (!c->leading)
        return mer_buf_appends(out, "{\"error\":\"this router does not lead\"}\n") == MER_OK ? 409 : 500;
    unsigned n = router_claims_allow(&c->claims);
    MER_LOG(&c->app->log, MER_WARN, "owners.allowed", KV_U64("count", n));
    return mer_buf_appendf(out, "{\"allowed\":%u}\n", n) == MER_OK ? 200 : 500;
}

enum mer_err router_claimer_status(const struct router_claimer *c, struct mer_buf *out)
{
    enum mer_err err = mer_buf_appends(out, "[");
    const char *comma = "";
    if (c->leading)
        MER_LIST_EACH (it, &c->claims.owners) {
            const struct router_owner *o = MER_LIST_ENTRY(it, struct router_owner, node);
            unsigned done = 0;
            for (unsigned i = 0; i < ROUTER_SLICES; i++)
                done += o->slice[i].done;
            if (o->state == ROUTER_CLAIM_LINKED || err != MER_OK)
                continue;
            err = mer_buf_appendf(out, "%s{\"incarnation\":\"%s\",\"state\":\"%s\",\"braked\":%s,\"slices\":%u}", comma, o->incarnation,
                                  router_claim_state_name((enum router_claim_state)o->state), o->braked ? "true" : "false", done);
            comma = ",";
        }
    return err == MER_OK ? mer_buf_appends(out, "]") : err;
}

static void refresh(struct mer_metric_set *set)
{
    struct router_claimer *c = MER_CONTAINER_OF(set, struct router_claimer, set);
    for (int i = 0; i < ROUTER_C_COUNT; i++)
        c->values[ROUTER_CS_COUNTS + i] = c->totals[i] + (c->leading ? c->claims.counts[i] : 0);
    if (!c->leading)
        return;
    c->values[ROUTER_CS_KNOWN] = c->claims.owner_count;
    c->values[ROUTER_CS_AWAY] = router_claims_in(&c->claims, ROUTER_CLAIM_SILENT) + router_claims_in(&c->claims, ROUTER_CLAIM_CHECKING);
    c->values[ROUTER_CS_DEAD] = router_claims_in(&c->claims, ROUTER_CLAIM_DEAD) + router_claims_in(&c->claims, ROUTER_CLAIM_REPLACED);
}

void router_claimer_init(struct router_claimer *c, struct router_app *app)
{
    memset(c, 0, sizeof *c);
    c->app = app;
    snprintf(c->edges, sizeof c->edges, "edges:{%s}", app->conf.region);
    snprintf(c->lease, sizeof c->lease, "router:{%s}", app->conf.region);
    mer_timer_init(&c->tick, on_tick);
    mer_metrics_add(&app->metrics, &c->set, metrics, ROUTER_CS_COUNT, c->values);
    c->set.refresh = refresh;
}

void router_claimer_deinit(struct router_claimer *c)
{
    router_claimer_stop(c);
    MER_ASSERT(c->calls == 0);
    mer_metrics_remove(&c->set);
}
