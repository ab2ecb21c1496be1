/* SPDX-License-Identifier: Apache-2.0
 * adopt.c - taking over a game whose owner is dead: claim with a nonce of our own, repeated with the same nonce until the outcome is known,
 * then the record becomes a hosted game and its clock gets a fresh turn.
 *
 * Several proxies of one game ask at the same time; they share one claim. Next: hosted.c, seats_find.c. */
#include <string.h>

#include <meridian/mem.h>

#include "edge/game/host_private.h"

struct adopter {
    struct mer_list node;
    void (*cb)(void *ctx, const char *game_id, enum mer_err err);
    void *ctx;
};

/* Timer: claim again; or, with `done`, tell. */
struct adoption {
    struct mer_list node; /* in the host's list until it is told */
    struct edge_host *host;
    struct mer_timer timer;
    struct mer_list adopters;
    uint64_t since_ms, nonce;
    uint64_t asked; /* order of the claim under way */
    unsigned tries;
    bool pending, done;
    enum mer_err result;
    struct edge_fence seen;
    char gid[EDGE_GAME_ID_MAX + 1], owner[EDGE_GAME_SESSION_MAX + 1];
};

static void free_adoption(struct adoption *a)
{
    mer_loop_disarm(a->host->c.loop, &a->timer);
    mer_list_remove(&a->node);
    MER_LIST_EACH_SAFE (it, &a->adopters) {
        struct adopter *w = MER_LIST_ENTRY(it, struct adopter, node);
        mer_list_remove(it);
        mer_free(&w);
    }
    mer_free(&a);
}

static void finish_adoption(struct adoption *a, enum mer_err result)
{
    a->done = true;
    a->result = result;
    mer_loop_arm(a->host->c.loop, &a->timer, 0);
}

static void tell_adopters(struct adoption *a)
{
    mer_list_remove(&a->node); /* who asks again from inside gets an adoption of his own */
    MER_LIST_EACH_SAFE (it, &a->adopters) {
        struct adopter *w = MER_LIST_ENTRY(it, struct adopter, node);
        mer_list_remove(it);
        w->cb(w->ctx, a->gid, a->result);
        mer_free(&w);
    }
    free_adoption(a);
}

static enum mer_err take_over(struct adoption *a, const struct edge_stored *stored)
{
    struct edge_host *h = a->host;
    if (edge__host_find(h, a->gid))
        return MER_OK;
    struct edge_hosted *g = edge__host_new(h);
    if (!g)
        return MER_EBUSY;
    edge_blame_begin(h->c.blame, a->gid);
    enum mer_err err = edge_game_decode(&g->core, NULL, stored->record, stored->record_len, &h->env);
    edge_blame_end(h->c.blame);
    if (err == MER_OK && strcmp(g->core.id, a->gid) != 0)
        err = MER_EINVALID;
    if (err == MER_OK)
        err = edge__host_add(g);
    if (err != MER_OK) {
        h->values[EDGE_HOST_M_BAD_RECORD]++;
        MER_LOG(h->c.log, MER_ERROR, "game.bad_record", KV_STR("game", a->gid), KV_STR("why", mer_err_name(err)));
        edge__host_free(g);
        return err;
    }
    g->fence = stored->fence;
    g->mine = a->asked;
    h->values[EDGE_HOST_M_ADOPTED]++;
    MER_LOG(h->c.log, MER_INFO, "game.adopt", KV_STR("game", a->gid), KV_STR("from", a->owner), KV_U64("version", g->core.now.version),
            KV_U64("epoch", g->fence.epoch));
    edge__host_send_claimed(g, a->owner);
    edge__hosted_live(g, true);
    return MER_OK;
}

static void claim(struct adoption *a);

static void on_claimed(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct adoption *a = ctx;
    struct edge_host *h = a->host;
    a->pending = false;
    if (h->destroying) {
        free_adoption(a);
        return;
    }
    switch (result) {
    case EDGE_STORE_OK:
        finish_adoption(a, take_over(a, stored));
        return;
    case EDGE_STORE_LOST:
    case EDGE_STORE_FENCED:
        h->values[EDGE_HOST_M_ADOPT_LOST]++;
        finish_adoption(a, MER_EFENCED);
        return;
    case EDGE_STORE_ASIDE:
        h->values[EDGE_HOST_M_ASIDE]++;
        MER_LOG(h->c.log, MER_ERROR, "game.set_aside", KV_STR("game", a->gid), KV_STR("from", a->owner),
                KV_U64("version", stored->version));
        finish_adoption(a, MER_EFENCED);
        return;
    case EDGE_STORE_ABSENT:
    case EDGE_STORE_VOIDED:
        h->values[EDGE_HOST_M_ADOPT_LOST]++;
        finish_adoption(a, MER_ENOTFOUND);
        return;
    default:
        if (h->c.loop->now_ms - a->since_ms >= EDGE_HOST_ADOPT_MS)
            finish_adoption(a, MER_EUNKNOWN);
        else
            mer_loop_arm(h->c.loop, &a->timer, edge__host_backoff(h, a->tries++));
    }
}

static void claim(struct adoption *a)
{
    struct edge_host *h = a->host;
    a->asked = ++h->order;
    a->pending = edge_store_game_claim(h->c.store, a->gid, &a->seen, a->owner, a->nonce, on_claimed, a) == MER_OK;
    if (a->pending)
        return;
    if (h->c.loop->now_ms - a->since_ms >= EDGE_HOST_ADOPT_MS)
        finish_adoption(a, MER_EUNKNOWN);
    else
        mer_loop_arm(h->c.loop, &a->timer, edge__host_backoff(h, a->tries++));
}

static void on_adoption_timer(struct mer_timer *t)
{
    struct adoption *a = MER_CONTAINER_OF(t, struct adoption, timer);
    if (a->done)
        tell_adopters(a);
    else
        claim(a);
}

static struct adoption *adoption_of(struct edge_host *h, const char *gid)
{
    MER_LIST_EACH (it, &h->adoptions) {
        struct adoption *a = MER_LIST_ENTRY(it, struct adoption, node);
        if (strcmp(a->gid, gid) == 0)
            return a;
    }
    return NULL;
}

static struct adoption *new_adoption(struct edge_host *h, const char *gid, const struct edge_fence *seen, const char *owner)
{
    struct adoption *a = mer_try_calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    a->host = h;
    a->since_ms = h->c.loop->now_ms;
    a->nonce = mer_rng_u64(&h->c.rng);
    a->seen = *seen;
    mer_timer_init(&a->timer, on_adoption_timer);
    mer_list_init(&a->adopters);
    mer_list_init(&a->node);
    mer_list_push_back(&h->adoptions, &a->node);
    EDGE__COPY(a->gid, gid);
    EDGE__COPY(a->owner, owner);
    return a;
}

enum mer_err edge_host_adopt(struct edge_host *h, const char *game_id, const struct edge_fence *seen, const char *owner,
                             void (*cb)(void *ctx, const char *game_id, enum mer_err err), void *ctx)
{
    if (strlen(game_id) > EDGE_GAME_ID_MAX || strlen(owner) > EDGE_GAME_SESSION_MAX)
        return MER_EINVALID;
    struct adopter *w = mer_try_calloc(1, sizeof(*w));
    if (!w)
        return MER_ENOMEM;
    struct adoption *a = adoption_of(h, game_id);
    bool fresh = !a;
    if (fresh)
        a = new_adoption(h, game_id, seen, owner);
    if (!a) {
        mer_free(&w);
        return MER_ENOMEM;
    }
    w->cb = cb;
    w->ctx = ctx;
    mer_list_push_back(&a->adopters, &w->node);
    struct edge_hosted *g = fresh ? edge__host_find(h, game_id) : NULL;
    if (g && edge__hosted_outdated(g, seen->generation, seen->epoch))
        finish_adoption(a, MER_EBUSY); /* ours is older and goes: to be asked again */
    else if (fresh && edge_host_owns(h, game_id))
        finish_adoption(a, MER_OK);
    else if (fresh)
        claim(a);
    return MER_OK;
}

void edge__adopt_deinit(struct edge_host *h)
{
    MER_LIST_EACH_SAFE (it, &h->adoptions)
        free_adoption(MER_LIST_ENTRY(it, struct adoption, node));
}
