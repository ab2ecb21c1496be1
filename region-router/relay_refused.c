/* SPDX-License-Identifier: Apache-2.0
 * relay_refused.c - events that found no room in another region: before they are trimmed here, each sender gets word into his own inbox.
 *
 * The router keeps no events, so they are read again from the outbox; they are there, because nothing of the batch is trimmed before this
 * is through. The words are stored like messages, under an id of their own, so that doing this twice says it once; if one cannot be stored,
 * the whole batch goes again, and the other side refuses the same again. A sender who has no room himself is told nothing: counted.
 * Owner: relay_shell.c. */
#include "region-router/relay_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "meridian/state/v1/state.pb-c.h"
#include "region-router/app.h"

#define ST(x) Meridian__State__V1__##x

struct word;
struct refused {
    struct router_relay_peer *p;
    void (*done)(void *ctx, bool ok);
    void *ctx;
    size_t pending; /* words without an answer, and one for the loop that starts them */
    bool failed;
    size_t count;
    uint64_t number[];
};
struct word { /* to one sender */
    struct refused *of;
    size_t len;
    uint8_t event[];
};

static void settle(struct refused *q, bool ok)
{
    q->failed = q->failed || !ok;
    if (--q->pending > 0)
        return;
    q->done(q->ctx, !q->failed);
    free(q);
}

static void on_put(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct word *w = ctx;
    struct refused *q = w->of;
    struct router_relays *rs = q->p->all;
    struct mer_event_reply r;
    bool ok = router__fcall_done(rs, err, reply, &r) == MER_OK;
    if (ok && r.status == MER_EVENT_OK) {
        rs->values[ROUTER_RS_UNDELIVERED]++;
        router__relay_notice(rs, w->event, w->len, &r);
    } else if (ok && r.status == MER_EVENT_FULL) {
        rs->values[ROUTER_RS_UNDELIVERED_LOST]++;
    }
    free(w);
    settle(q, ok);
}

static struct word *word_new(struct refused *q, const ST(Event) * about)
{
    ST(UndeliveredEvent) u = MERIDIAN__STATE__V1__UNDELIVERED_EVENT__INIT;
    ST(Event) e = MERIDIAN__STATE__V1__EVENT__INIT;
    u.message_id = about->text->message_id;
    u.recipient = about->to;
    u.region = q->p->name;
    e.to = about->text->from;
    e.at_ms = about->at_ms;
    e.body_case = MERIDIAN__STATE__V1__EVENT__BODY_UNDELIVERED;
    e.undelivered = &u;
    size_t len = meridian__state__v1__event__get_packed_size(&e);
    struct word *w = mer_try_malloc(sizeof *w + len);
    if (w == NULL)
        return NULL;
    w->of = q;
    w->len = meridian__state__v1__event__pack(&e, w->event);
    return w;
}

/* Into the inbox of the sender of `about`. */
static bool put_word(struct refused *q, const ST(Event) * about)
{
    struct router_fcall c;
    char inbox[MER_KEY_MAX], player[MER_KEY_MAX], sent[MER_KEY_MAX], mark[MER_KEY_MAX];
    const char *to = about->text->from;
    uint32_t bucket = mer_key_bucket(to);
    if (mer_key_in_bucket(inbox, "inbox", bucket, to) != MER_OK || mer_key_in_bucket(player, "player", bucket, to) != MER_OK ||
        mer_key_in_bucket(sent, "sent", bucket, "~undelivered") != MER_OK ||
        snprintf(mark, sizeof mark, "%s %s %s", to, about->to, about->text->message_id) >= (int)sizeof mark)
        return false;
    struct word *w = word_new(q, about);
    if (w == NULL)
        return false;
    router__fcall(&c, "mer1_event_put", 4);
    router__fcall_text(&c, inbox);
    router__fcall_text(&c, player);
    router__fcall_text(&c, sent);
    router__fcall_electable(&c, bucket);
    router__fcall_text(&c, mark);
    router__fcall_bytes(&c, w->event, w->len);
    router__fcall_u64(&c, MER_INBOX_BYTES);
    router__fcall_u64(&c, MER_EVENT_MARK_TTL_MS);
    router__fcall_u64(&c, MER_INBOX_TTL_MS);
    if (router__fcall_send(q->p->all, &c, inbox, true, on_put, w) != MER_OK) {
        free(w);
        return false;
    }
    q->pending++;
    return true;
}

/* Only texts have a sender who waits for them. */
static bool tell_sender(struct refused *q, const redisReply *payload)
{
    ST(Event) *e = meridian__state__v1__event__unpack(NULL, payload->len, (const uint8_t *)payload->str);
    bool text = e != NULL && e->body_case == MERIDIAN__STATE__V1__EVENT__BODY_TEXT;
    bool ok = !text || put_word(q, e);
    if (e != NULL)
        meridian__state__v1__event__free_unpacked(e, NULL);
    return ok;
}

static void on_read(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct refused *q = ctx;
    struct mer_event_reply r;
    bool ok = router__fcall_done(q->p->all, err, reply, &r) == MER_OK;
    for (size_t i = 0; ok && i < q->count; i++) {
        uint64_t number = q->number[i];
        if (number > r.gone && number - r.gone <= r.count)
            ok = tell_sender(q, r.item[number - r.gone - 1]);
    }
    settle(q, ok);
}

enum mer_err router__relay_refused(struct router_relay_peer *p, uint32_t bucket, const uint64_t *number, size_t count,
                                   void (*done)(void *ctx, bool ok), void *ctx)
{
    struct router_fcall c;
    char outbox[MER_KEY_MAX];
    if (count > ROUTER_RELAY_EVENTS_MAX)
        return MER_EINVALID;
    struct refused *q = mer_try_calloc(1, sizeof *q + count * sizeof q->number[0]);
    if (q == NULL)
        return MER_ENOMEM;
    q->p = p;
    q->done = done;
    q->ctx = ctx;
    q->pending = 1;
    q->count = count;
    memcpy(q->number, number, count * sizeof *number);
    enum mer_err err = mer_key_in_bucket(outbox, "outbox", bucket, p->name);
    router__fcall(&c, "mer1_events_get", 2);
    router__fcall_text(&c, outbox);
    router__fcall_electable(&c, bucket);
    router__fcall_u64(&c, ROUTER_RELAY_EVENTS_MAX);
    router__fcall_u64(&c, ROUTER_RELAY_BYTES);
    if (err == MER_OK)
        err = router__fcall_send(p->all, &c, outbox, true, on_read, q);
    if (err != MER_OK)
        free(q);
    return err;
}
