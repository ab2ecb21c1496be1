/* SPDX-License-Identifier: Apache-2.0
 * claims.c - see claims.h. A slice is some buckets of one dead incarnation: which games are listed as its own, who owns each now, and if
 * still the dead one: adopt. Paced by a bound on what is under way, not by a clock: the store's answers set the pace. A slice that could
 * not be looked through is answered `done: false`, and the leader gives it out again; repeating it is harmless. Owner: the app. Next:
 * adopt.c, region-router/claims.h. */
#include "edge/game/claims.h"

#include <string.h>

#include <meridian/mem.h>

enum {
    SLICES = 16,    /* given out at once, 2 by a sane leader */
    UNDER_WAY = 16, /* store calls of one slice: a store that limps is not run over by recovery */
    ID_MAX = 128,
};

#define IM(x) Meridian__Internal__V1__##x
#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum { M_SLICES, M_FOUND, M_FAILED, M_COUNT };
static const struct mer_metric_def defs[M_COUNT] = {
    [M_SLICES] = {"meridian_edge_claim_slices_total", "slices of a dead edge's games looked through", MER_COUNTER, NULL},
    [M_FOUND] = {"meridian_edge_claim_games_total", "games found in them that nobody had taken over yet", MER_COUNTER, NULL},
    [M_FAILED] = {"meridian_edge_claim_failures_total", "lists or games the store gave no answer for", MER_COUNTER, NULL},
};

struct slice {
    struct mer_list node;
    struct edge_claims *all;
    uint32_t first, last, next; /* bucket to ask for next */
    uint32_t under_way, games;
    bool failed;
    struct mer_list found; /* games waiting for their turn */
    char dead[ID_MAX];
};

struct found {
    struct mer_list node;
    struct slice *slice;
    char gid[];
};

struct edge_claims {
    struct edge_host_conf conf;
    struct edge_host *host;
    struct mer_list slices;
    uint32_t count;
    bool destroying;
    uint64_t values[M_COUNT];
    struct mer_metric_set metric_set;
};

static void slice_free(struct slice *s)
{
    MER_LIST_EACH_SAFE (it, &s->found) {
        struct found *f = MER_LIST_ENTRY(it, struct found, node);
        mer_list_remove(it);
        mer_free(&f);
    }
    mer_list_remove(&s->node);
    s->all->count--;
    mer_free(&s);
}

static void answer(struct slice *s)
{
    IM(GamesClaimed) g = MERIDIAN__INTERNAL__V1__GAMES_CLAIMED__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    g.incarnation = s->dead;
    g.bucket_first = s->first;
    g.bucket_last = s->last;
    g.done = !s->failed;
    g.games = s->games;
    m.body_case = ROUTER(GAMES_CLAIMED);
    m.games_claimed = &g;
    s->all->values[M_SLICES]++;
    s->all->values[M_FOUND] += s->games;
    MER_LOG(s->all->conf.log, MER_INFO, "games.claim", KV_STR("from", s->dead), KV_U64("first", s->first), KV_U64("last", s->last),
            KV_U64("games", s->games), KV_BOOL("done", g.done));
    /* Lost: the leader gives the slice out again. */
    if (edge_routers_send(s->all->conf.routers, &m) != MER_OK)
        MER_LOG(s->all->conf.log, MER_DEBUG, "games.claim_unheard", KV_STR("from", s->dead));
}

static void go_on(struct slice *s);

/* One call of the slice has its answer. */
static void settled(struct slice *s, bool ok)
{
    s->under_way--;
    if (!ok) {
        s->failed = true;
        s->all->values[M_FAILED]++;
    }
    if (!s->all->destroying)
        go_on(s);
    else if (s->under_way == 0)
        slice_free(s);
}

static void on_adopted(void *ctx, const char *game_id, enum mer_err err)
{
    struct slice *s = ctx;
    (void)game_id;
    /* FENCED, NOTFOUND: somebody was faster, or it is over. */
    settled(s, err == MER_OK || err == MER_EFENCED || err == MER_ENOTFOUND);
}

static void on_game(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct found *f = ctx;
    struct slice *s = f->slice;
    bool answered = result == EDGE_STORE_OK || result == EDGE_STORE_ABSENT || result == EDGE_STORE_VOIDED || result == EDGE_STORE_ASIDE;
    if (!s->all->destroying && result == EDGE_STORE_OK && strcmp(stored->owner, s->dead) == 0) {
        s->games++;
        if (edge_host_adopt(s->all->host, f->gid, &stored->fence, stored->owner, on_adopted, s) == MER_OK) {
            mer_free(&f);
            return; /* still under way */
        }
        answered = false;
    }
    mer_free(&f);
    settled(s, answered);
}

static void on_list(void *ctx, enum edge_store_result result, const char *const *gids, size_t count)
{
    struct slice *s = ctx;
    bool ok = result == EDGE_STORE_OK;
    for (size_t i = 0; ok && i < count; i++) {
        struct found *f = mer_try_malloc(sizeof(*f) + strlen(gids[i]) + 1);
        ok = f != NULL;
        if (!ok)
            break;
        f->slice = s;
        strcpy(f->gid, gids[i]); /* sized above */
        mer_list_push_back(&s->found, &f->node);
    }
    settled(s, ok);
}

/* Games first: the lists of further buckets wait until those found are through. */
static void go_on(struct slice *s)
{
    struct edge_store *st = s->all->conf.store;
    while (s->under_way < UNDER_WAY && !mer_list_empty(&s->found)) {
        struct found *f = MER_LIST_ENTRY(s->found.next, struct found, node);
        mer_list_remove(&f->node);
        if (edge_store_game_get(st, f->gid, on_game, f) == MER_OK) {
            s->under_way++;
        } else {
            s->failed = true;
            mer_free(&f);
        }
    }
    while (s->under_way < UNDER_WAY && s->next <= s->last) {
        if (edge_store_owned(st, s->next++, s->dead, on_list, s) == MER_OK)
            s->under_way++;
        else
            s->failed = true;
    }
    if (s->under_way > 0)
        return;
    answer(s);
    slice_free(s);
}

static void on_claim_games(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_claims *c = ctx;
    const IM(ClaimGames) *cg = m->claim_games;
    bool sound = cg->bucket_first <= cg->bucket_last && cg->bucket_last < EDGE_BUCKETS && strlen(cg->incarnation) < ID_MAX &&
                 strcmp(cg->incarnation, edge_bus_incarnation(c->conf.bus)) != 0;
    MER_LIST_EACH (it, &c->slices) {
        const struct slice *s = MER_LIST_ENTRY(it, struct slice, node);
        if (s->first == cg->bucket_first && strcmp(s->dead, cg->incarnation) == 0)
            return; /* being worked on */
    }
    struct slice *s = sound && c->count < SLICES ? mer_try_calloc(1, sizeof(*s)) : NULL;
    if (s == NULL) {
        c->values[M_FAILED]++;
        return; /* no answer: given out again, to somebody else */
    }
    s->all = c;
    s->first = s->next = cg->bucket_first;
    s->last = cg->bucket_last;
    strcpy(s->dead, cg->incarnation); /* length checked above */
    mer_list_init(&s->found);
    mer_list_push_back(&c->slices, &s->node);
    c->count++;
    go_on(s);
}

enum mer_err edge_claims_create(struct edge_claims **out, const struct edge_host_conf *conf, struct edge_host *host)
{
    struct edge_claims *c = mer_try_calloc(1, sizeof(*c));
    if (c == NULL)
        return MER_ENOMEM;
    c->conf = *conf;
    c->host = host;
    mer_list_init(&c->slices);
    mer_metrics_add(conf->metrics, &c->metric_set, defs, M_COUNT, c->values);
    edge_routers_on(conf->routers, ROUTER(CLAIM_GAMES), on_claim_games, c);
    *out = c;
    return MER_OK;
}

void edge_claims_destroy(struct edge_claims *c)
{
    if (c == NULL)
        return;
    c->destroying = true; /* adoptions under way are dropped by the host without an answer */
    MER_LIST_EACH_SAFE (it, &c->slices)
        slice_free(MER_LIST_ENTRY(it, struct slice, node));
    mer_metrics_remove(&c->metric_set);
    mer_free(&c);
}
