/* SPDX-License-Identifier: Apache-2.0
 * store_player.c - calls about a player's record: devices (the registry of R13), waiting ticket, game. See store.h. */
#include "edge/store/store_int.h"

#include <string.h>

static void on_player(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct edge_store_op *op = ctx;
    enum edge_store_result result;
    struct edge_device devices[EDGE_STORE_DEVICES_MAX];
    struct edge_player player = edge__store_nobody;
    if (err != MER_OK)
        result = edge__store_failed(op->s, err, reply);
    else if (!edge__store_decode_player(reply, &result, &player, devices)) {
        player = edge__store_nobody;
        result = edge__store_malformed(op->s, reply);
    } else
        edge__store_clock(op->s, player.time_ms);
    struct edge_store_op was = edge__store_done(op, result);
    was.cb.player(was.ctx, result, &player);
}

/* fn, then the player's key, then up to four arguments (NULL ends). */
struct request {
    const char *fn, *user, *arg[4];
    uint64_t lifetime_ms; /* 0: none */
    bool ttl, durable, inbox;
    const void *event; /* NULL: none; needs the inbox */
    size_t event_len;
};

static enum mer_err call(struct edge_store *s, const struct request *q, edge_store_player_cb cb, void *ctx)
{
    char key[EDGE_KEY_MAX], inbox[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = edge_key_player(key, q->user);
    if (err == MER_OK)
        err = mer_key_in_bucket(inbox, "inbox", edge_key_bucket(q->user), q->user);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, q->fn, q->inbox ? 3 : 2);
    edge__store_arg_text(&c, key);
    if (q->inbox)
        edge__store_arg_text(&c, inbox);
    edge__store_arg_electable(&c, q->user);
    for (size_t i = 0; i < MER_COUNT(q->arg) && q->arg[i]; i++) {
        if (!q->arg[i][0] || strpbrk(q->arg[i], " \n") || strlen(q->arg[i]) > EDGE_KEY_ID_MAX)
            return MER_EINVALID; /* ids are words: device entries are made of them */
        edge__store_arg_text(&c, q->arg[i]);
    }
    if (q->lifetime_ms)
        edge__store_arg_u64(&c, q->lifetime_ms);
    if (q->ttl)
        edge__store_arg_u64(&c, EDGE_STORE_PLAYER_TTL_MS);
    if (q->event) {
        edge__store_arg(&c, q->event, q->event_len);
        edge__store_arg_u64(&c, MER_INBOX_BYTES);
        edge__store_arg_u64(&c, MER_INBOX_TTL_MS);
    }
    struct edge_store_op *op = edge__store_op(s, ctx);
    if (op)
        op->cb.player = cb;
    return edge__store_send(s, &c, key, q->durable, on_player, op);
}

enum mer_err edge_store_player_connect(struct edge_store *s, const char *user, const char *device, const char *session,
                                       edge_store_player_cb cb, void *ctx)
{
    struct request q = {
        .fn = "mer1_player_connect", .user = user, .arg = {device, s->conf.incarnation, session}, .ttl = true, .inbox = true};
    return call(s, &q, cb, ctx);
}

enum mer_err edge_store_player_disconnect(struct edge_store *s, const char *user, const char *device, const char *session,
                                          edge_store_player_cb cb, void *ctx)
{
    struct request q = {.fn = "mer1_player_disconnect", .user = user, .arg = {device, session, s->conf.incarnation}};
    return call(s, &q, cb, ctx);
}

enum mer_err edge_store_player_get(struct edge_store *s, const char *user, edge_store_player_cb cb, void *ctx)
{
    struct request q = {.fn = "mer1_player_get", .user = user};
    return call(s, &q, cb, ctx);
}

enum mer_err edge_store_ticket_open(struct edge_store *s, const char *user, const char *ticket, uint64_t lifetime_ms,
                                    edge_store_player_cb cb, void *ctx)
{
    struct request q = {.fn = "mer1_ticket_open",
                        .user = user,
                        .arg = {ticket, s->conf.incarnation},
                        .lifetime_ms = lifetime_ms ? lifetime_ms : 1,
                        .ttl = true,
                        .durable = true};
    return call(s, &q, cb, ctx);
}

enum mer_err edge_store_ticket_close(struct edge_store *s, const char *user, const char *ticket, edge_store_player_cb cb, void *ctx)
{
    struct request q = {.fn = "mer1_ticket_close", .user = user, .arg = {ticket}, .durable = true};
    return call(s, &q, cb, ctx);
}

enum mer_err edge_store_player_seat(struct edge_store *s, const char *user, const char *ticket, const char *gid, const char *owner,
                                    edge_store_player_cb cb, void *ctx)
{
    struct request q = {.fn = "mer1_player_seat", .user = user, .arg = {ticket, gid, owner}, .ttl = true, .durable = true};
    return call(s, &q, cb, ctx);
}

enum mer_err edge_store_player_unseat(struct edge_store *s, const char *user, const char *gid, edge_store_player_cb cb, void *ctx)
{
    struct request q = {.fn = "mer1_player_unseat", .user = user, .arg = {gid}, .durable = true};
    return call(s, &q, cb, ctx);
}

enum mer_err edge_store_player_settle(struct edge_store *s, const char *user, const char *gid, const struct edge_store_result_event *e,
                                      edge_store_player_cb cb, void *ctx)
{
    struct request q = {
        .fn = "mer1_player_unseat", .user = user, .arg = {gid}, .durable = true, .inbox = true, .event = e->payload, .event_len = e->len};
    return e->len <= MER_EVENT_MAX ? call(s, &q, cb, ctx) : MER_EINVALID;
}
