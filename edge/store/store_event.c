/* SPDX-License-Identifier: Apache-2.0
 * store_event.c - calls about inboxes and outboxes. See events.h. */
#include "edge/store/events.h"

#include <stdio.h>
#include <string.h>

#include "edge/store/store_int.h"

enum { INBOX_READ_COUNT = 4096 }; /* all there is: MER_INBOX_BYTES bounds it */

static void on_event(void *ctx, enum mer_err err, const redisReply *reply)
{
    static const enum edge_store_result results[] = {[MER_EVENT_OK] = EDGE_STORE_OK,
                                                     [MER_EVENT_DUP] = EDGE_STORE_DUP,
                                                     [MER_EVENT_FULL] = EDGE_STORE_FULL,
                                                     [MER_EVENT_GAP] = EDGE_STORE_GAP,
                                                     [MER_EVENT_LOST] = EDGE_STORE_LOST};
    struct edge_store_op *op = ctx;
    struct mer_event_reply r = {0};
    enum edge_store_result result;
    if (err != MER_OK) {
        result = edge__store_failed(op->s, err, reply);
    } else if (mer_event_reply_decode(reply, &r) != MER_OK) {
        result = edge__store_malformed(op->s, reply);
    } else {
        result = results[r.status];
        edge__store_clock(op->s, r.time_ms);
    }
    struct edge_store_op was = edge__store_done(op, result);
    was.cb.event(was.ctx, result, &r);
}

static enum mer_err call(struct edge_store *s, const struct edge_store_cmd *c, const char *key, edge_store_event_cb cb, void *ctx)
{
    struct edge_store_op *op = edge__store_op(s, ctx);
    if (op)
        op->cb.event = cb;
    return edge__store_send(s, c, key, true, on_event, op);
}

/* "to event-id", one word each, so that the mark says which is which. */
static enum mer_err mark_of(char out[EDGE_KEY_MAX], const struct edge_store_event *e)
{
    if (strpbrk(e->to, " \n") || e->len > MER_EVENT_MAX)
        return MER_EINVALID;
    int n = snprintf(out, EDGE_KEY_MAX, "%s %s", e->to, e->event_id);
    return n > 0 && n < EDGE_KEY_MAX ? MER_OK : MER_EINVALID;
}

enum mer_err edge_store_event_send(struct edge_store *s, const char *region, const struct edge_store_event *e, edge_store_event_cb cb,
                                   void *ctx)
{
    char outbox[EDGE_KEY_MAX], sent[EDGE_KEY_MAX], mark[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    uint32_t bucket = edge_key_bucket(e->to);
    enum mer_err err = mer_key_in_bucket(outbox, "outbox", bucket, region);
    if (err == MER_OK)
        err = mer_key_in_bucket(sent, "sent", bucket, e->from);
    if (err == MER_OK)
        err = mark_of(mark, e);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_event_send", 3);
    edge__store_arg_text(&c, outbox);
    edge__store_arg_text(&c, sent);
    edge__store_arg_electable(&c, e->to);
    edge__store_arg_text(&c, mark);
    edge__store_arg(&c, e->payload, e->len);
    edge__store_arg_u64(&c, MER_OUTBOX_BYTES);
    edge__store_arg_u64(&c, MER_EVENT_MARK_TTL_MS);
    return call(s, &c, outbox, cb, ctx);
}

enum mer_err edge_store_event_put(struct edge_store *s, const struct edge_store_event *e, edge_store_event_cb cb, void *ctx)
{
    char inbox[EDGE_KEY_MAX], player[EDGE_KEY_MAX], sent[EDGE_KEY_MAX], mark[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    uint32_t bucket = edge_key_bucket(e->to);
    enum mer_err err = mer_key_in_bucket(inbox, "inbox", bucket, e->to);
    if (err == MER_OK)
        err = edge_key_player(player, e->to);
    if (err == MER_OK)
        err = mer_key_in_bucket(sent, "sent", bucket, e->from);
    if (err == MER_OK)
        err = mark_of(mark, e);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_event_put", 4);
    edge__store_arg_text(&c, inbox);
    edge__store_arg_text(&c, player);
    edge__store_arg_text(&c, sent);
    edge__store_arg_electable(&c, e->to);
    edge__store_arg_text(&c, mark);
    edge__store_arg(&c, e->payload, e->len);
    edge__store_arg_u64(&c, MER_INBOX_BYTES);
    edge__store_arg_u64(&c, MER_EVENT_MARK_TTL_MS);
    edge__store_arg_u64(&c, MER_INBOX_TTL_MS);
    return call(s, &c, inbox, cb, ctx);
}

enum mer_err edge_store_inbox_get(struct edge_store *s, const char *user, edge_store_event_cb cb, void *ctx)
{
    char inbox[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = mer_key_in_bucket(inbox, "inbox", edge_key_bucket(user), user);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_events_get", 2);
    edge__store_arg_text(&c, inbox);
    edge__store_arg_electable(&c, user);
    edge__store_arg_u64(&c, INBOX_READ_COUNT);
    edge__store_arg_u64(&c, MER_INBOX_BYTES);
    return call(s, &c, inbox, cb, ctx);
}

enum mer_err edge_store_inbox_ack(struct edge_store *s, const char *user, uint64_t number, edge_store_event_cb cb, void *ctx)
{
    char inbox[EDGE_KEY_MAX];
    struct edge_store_cmd c;
    enum mer_err err = mer_key_in_bucket(inbox, "inbox", edge_key_bucket(user), user);
    if (err != MER_OK)
        return err;
    edge__store_fcall(&c, "mer1_events_trim", 2);
    edge__store_arg_text(&c, inbox);
    edge__store_arg_electable(&c, user);
    edge__store_arg_text(&c, ""); /* an inbox has no generation of its own */
    edge__store_arg_u64(&c, number);
    return call(s, &c, inbox, cb, ctx);
}
