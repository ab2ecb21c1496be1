/* SPDX-License-Identifier: Apache-2.0
 * store_game.c - calls about games: see store.h for what each does and infra/redis/meridian1.lua for the order of the arguments. */
#include "edge/store/store_int.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

static void on_game(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct edge_store_op *op = ctx;
    enum edge_store_result result;
    struct edge_stored stored = edge__store_nothing;
    if (err != MER_OK)
        result = edge__store_failed(op->s, err, reply);
    else if (!edge__store_decode_game(reply, &result, &stored)) {
        stored = edge__store_nothing;
        result = edge__store_malformed(op->s, reply);
    } else
        edge__store_clock(op->s, stored.time_ms);
    struct edge_store_op was = edge__store_done(op, result);
    was.cb.game(was.ctx, result, &stored);
}

static enum mer_err call(struct edge_store *s, const struct edge_store_cmd *c, const char *key, edge_store_game_cb cb, void *ctx)
{
    struct edge_store_op *op = edge__store_op(s, ctx);
    if (op)
        op->cb.game = cb;
    return edge__store_send(s, c, key, true, on_game, op);
}

static void arg_fence(struct edge_store_cmd *c, const struct edge_fence *f)
{
    edge__store_arg_u64(c, f->generation);
    edge__store_arg_u64(c, f->epoch);
    edge__store_arg_nonce(c, f->nonce);
}

/* Both keys of a game of mine. */
static enum mer_err keys_of(const char *gid, const char *owner, char game[EDGE_KEY_MAX], char owned[EDGE_KEY_MAX])
{
    enum mer_err err = edge_key_game(game, gid);
    return err == MER_OK ? edge_key_owned(owned, edge_key_bucket(gid), owner) : err;
}

static enum mer_err check_record(const struct edge_store_write *w)
{
    return w->record_len > EDGE_STORE_RECORD_MAX ? MER_EINVALID : MER_OK;
}

enum mer_err edge_store_game_create(struct edge_store *s, const struct edge_store_write *w, edge_store_game_cb cb, void *ctx)
{
    char game[EDGE_KEY_MAX], owned[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = check_record(w);
    if (err == MER_OK)
        err = keys_of(w->gid, s->conf.incarnation, game, owned);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_create", 3);
    edge__store_arg_text(&c, game);
    edge__store_arg_text(&c, owned);
    edge__store_arg_electable(&c, w->gid);
    edge__store_arg_text(&c, w->gid);
    arg_fence(&c, &w->fence);
    edge__store_arg_text(&c, s->conf.incarnation);
    edge__store_arg_u64(&c, w->version);
    edge__store_arg(&c, w->record, w->record_len);
    edge__store_arg_u64(&c, EDGE_STORE_GAME_TTL_MS);
    return call(s, &c, game, cb, ctx);
}

/* What put and end have in common. */
static void arg_write(struct edge_store_cmd *c, const struct edge_store_write *w, uint64_t ttl_ms)
{
    arg_fence(c, &w->fence);
    edge__store_arg_u64(c, w->expected_version);
    edge__store_arg_u64(c, w->version);
    edge__store_arg(c, w->record, w->record_len);
    edge__store_arg_u64(c, ttl_ms);
}

enum mer_err edge_store_game_put(struct edge_store *s, const struct edge_store_write *w, edge_store_game_cb cb, void *ctx)
{
    char game[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = check_record(w);
    if (err == MER_OK)
        err = edge_key_game(game, w->gid);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_put", 2);
    edge__store_arg_text(&c, game);
    edge__store_arg_electable(&c, w->gid);
    arg_write(&c, w, EDGE_STORE_GAME_TTL_MS);
    return call(s, &c, game, cb, ctx);
}

enum mer_err edge_store_game_end(struct edge_store *s, const struct edge_store_write *w, edge_store_game_cb cb, void *ctx)
{
    char game[EDGE_KEY_MAX], owned[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = check_record(w);
    if (err == MER_OK)
        err = keys_of(w->gid, s->conf.incarnation, game, owned);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_end", 3);
    edge__store_arg_text(&c, game);
    edge__store_arg_text(&c, owned);
    edge__store_arg_electable(&c, w->gid);
    edge__store_arg_text(&c, w->gid);
    arg_write(&c, w, w->owed ? EDGE_STORE_OWED_TTL_MS : EDGE_STORE_OVER_TTL_MS);
    return call(s, &c, game, cb, ctx);
}

enum mer_err edge_store_game_touch(struct edge_store *s, const char *gid, const struct edge_fence *fence, uint64_t version,
                                   edge_store_game_cb cb, void *ctx)
{
    char game[EDGE_KEY_MAX], owned[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = keys_of(gid, s->conf.incarnation, game, owned);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_touch", 3);
    edge__store_arg_text(&c, game);
    edge__store_arg_text(&c, owned);
    edge__store_arg_electable(&c, gid);
    edge__store_arg_text(&c, gid);
    arg_fence(&c, fence);
    edge__store_arg_u64(&c, version);
    edge__store_arg_u64(&c, EDGE_STORE_GAME_TTL_MS);
    return call(s, &c, game, cb, ctx);
}

enum mer_err edge_store_game_get(struct edge_store *s, const char *gid, edge_store_game_cb cb, void *ctx)
{
    char game[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = edge_key_game(game, gid);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_get", 2);
    edge__store_arg_text(&c, game);
    edge__store_arg_electable(&c, gid);
    return call(s, &c, game, cb, ctx);
}

enum mer_err edge_store_game_claim(struct edge_store *s, const char *gid, const struct edge_fence *seen, const char *owner, uint64_t nonce,
                                   edge_store_game_cb cb, void *ctx)
{
    char game[EDGE_KEY_MAX], theirs[EDGE_KEY_MAX], mine[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = keys_of(gid, owner, game, theirs);
    if (err == MER_OK)
        err = keys_of(gid, s->conf.incarnation, game, mine);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_claim", 4);
    edge__store_arg_text(&c, game);
    edge__store_arg_text(&c, theirs);
    edge__store_arg_text(&c, mine);
    edge__store_arg_electable(&c, gid);
    edge__store_arg_text(&c, gid);
    edge__store_arg_u64(&c, seen->generation);
    edge__store_arg_u64(&c, seen->epoch);
    edge__store_arg_text(&c, owner);
    edge__store_arg_text(&c, s->conf.incarnation);
    edge__store_arg_nonce(&c, nonce);
    edge__store_arg_u64(&c, EDGE_STORE_GAME_TTL_MS);
    return call(s, &c, game, cb, ctx);
}

enum mer_err edge_store_game_void(struct edge_store *s, const char *gid, edge_store_game_cb cb, void *ctx)
{
    char game[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = edge_key_game(game, gid);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_void", 2);
    edge__store_arg_text(&c, game);
    edge__store_arg_electable(&c, gid);
    edge__store_arg_u64(&c, EDGE_STORE_OVER_TTL_MS);
    return call(s, &c, game, cb, ctx);
}

enum mer_err edge_store_game_blame(struct edge_store *s, const char *gid, const char *incarnation, edge_store_game_cb cb, void *ctx)
{
    char game[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = edge_key_game(game, gid);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_blame", 2);
    edge__store_arg_text(&c, game);
    edge__store_arg_electable(&c, gid);
    edge__store_arg_text(&c, incarnation);
    return call(s, &c, game, cb, ctx);
}

static void on_owned(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct edge_store_op *op = ctx;
    enum edge_store_result result = EDGE_STORE_OK;
    const char **gids = NULL;
    size_t count = 0;
    if (err != MER_OK)
        result = edge__store_failed(op->s, err, reply);
    else if (reply->type != REDIS_REPLY_ARRAY)
        result = edge__store_malformed(op->s, reply);
    else if (reply->elements && !(gids = mer_try_calloc(reply->elements, sizeof(*gids))))
        result = EDGE_STORE_AGAIN;
    for (size_t i = 0; result == EDGE_STORE_OK && i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            gids[count++] = reply->element[i]->str;
    struct edge_store_op was = edge__store_done(op, result);
    was.cb.gids(was.ctx, result, gids, count);
    free(gids);
}

enum mer_err edge_store_owned(struct edge_store *s, uint32_t bucket, const char *incarnation, edge_store_gids_cb cb, void *ctx)
{
    char key[EDGE_KEY_MAX];
    struct edge_store_cmd c = {.argc = 0};
    enum mer_err err = edge_key_owned(key, bucket, incarnation);
    if (err != MER_OK)
        return err;
    edge__store_arg_text(&c, "SMEMBERS");
    edge__store_arg_text(&c, key);
    struct edge_store_op *op = edge__store_op(s, ctx);
    if (op)
        op->cb.gids = cb;
    return edge__store_send(s, &c, key, false, on_owned, op);
}
