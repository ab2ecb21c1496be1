/* SPDX-License-Identifier: Apache-2.0
 * pubsub.c - the bus' second carrier: Redis' sharded pub/sub, for edges that cannot reach each other (R9). One channel an incarnation,
 * "bus:<incarnation>", heard at the primary of its slot; what goes to a peer is published on his.
 *
 * Pub/sub loses without a word, so each pair of edges lives lives (lives.c); what Redis says about a frame (nobody heard it, failed, no
 * answer) is believed at once.
 *
 * Calls of a turn leave together, in order per primary; one that Redis makes us repeat (a redirect) may be overtaken, which is a gap. */
#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>
#include <meridian/redis_subscribe.h>

#include "edge/bus/bus_private.h"

typedef Meridian__Internal__V1__ChannelFrame Frame;

enum {
    KNOCK_MS = 200,
    INCARNATION_MAX = 64,                             /* id, a dot, 8 characters (app.h) */
    FRAME_MAX = MER_LINK_FRAME_MAX + INCARNATION_MAX, /* heads are longer by the sender's name than a link's */
};

enum { M_FRAMES, M_BEATS, M_BYTES, M_UNHEARD, M_FAILED, M_NO_FRAME, PUBSUB_METRICS };
static const struct mer_metric_def metrics[PUBSUB_METRICS] = {
    [M_FRAMES] = {"meridian_edge_bus_channel_frames_total", "frames published"},
    [M_BEATS] = {"meridian_edge_bus_channel_beats_total", "of them without a message: hellos, heartbeats, byes"},
    [M_BYTES] = {"meridian_edge_bus_channel_bytes_total", "bytes published"},
    [M_UNHEARD] = {"meridian_edge_bus_channel_unheard_total", "frames published to nobody"},
    [M_FAILED] = {"meridian_edge_bus_channel_failed_total", "frames that Redis did not take, or perhaps not"},
    [M_NO_FRAME] = {"meridian_edge_bus_channel_bad_total", "messages on our channel that are no frame"},
};

struct bus_pubsub {
    struct mer_redis_sub *sub;
    char channel[INCARNATION_MAX + 8];
    uint8_t scratch[FRAME_MAX];
    uint64_t unheard_ms; /* when a life was last lost because a frame did not arrive */
    bool ended;          /* Redis' client is going: whatever it says now means nothing */
    uint64_t values[PUBSUB_METRICS];
    struct mer_metric_set set;
};

/* One frame of which Redis has not said yet how many heard it. */
struct published {
    struct bus_peer *p; /* NULL: to one who is no peer */
    uint64_t life;
    size_t bytes;
};

/* ---- publishing ---------------------------------------------------------------------------------------------------------------------- */

static void on_published(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct published w = *(struct published *)ctx;
    free(ctx);
    if (w.p == NULL || !edge__bus_peer_paid(w.p))
        return;
    struct bus_pubsub *s = w.p->bus->pubsub;
    w.p->channel.unanswered -= w.bytes;
    if (s->ended || w.p->channel.pair.mine != w.life)
        return;
    w.p->channel.knocking = false;
    if (err == MER_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0)
        return;
    s->values[err == MER_OK ? M_UNHEARD : M_FAILED]++;
    if (err == MER_OK)
        mer_redis_sub_check(s->sub); /* perhaps we publish where nobody is any more: a replica takes it without a word */
    if (w.p->channel.pair.state == EDGE_PAIR_UP)
        s->unheard_ms = w.p->bus->conf.loop->now_ms;
    edge__lives_suffer(w.p, EDGE_PAIR_GOT_LOST);
}

/* p may be NULL: then Redis' answer does not matter. */
static enum mer_err publish(struct edge_bus *b, struct bus_peer *p, const char *to, Frame *f)
{
    struct bus_pubsub *s = b->pubsub;
    char channel[sizeof(s->channel)];
    snprintf(channel, sizeof(channel), "bus:%s", to);
    f->from = (char *)b->conf.incarnation;
    struct published *w = mer_try_calloc(1, sizeof(*w));
    size_t len = meridian__internal__v1__channel_frame__get_packed_size(f);
    MER_ASSERT(len <= sizeof(s->scratch));
    if (s->ended || w == NULL) {
        free(w);
        return s->ended ? MER_EBUSY : MER_ENOMEM;
    }
    meridian__internal__v1__channel_frame__pack(f, s->scratch);
    const char *argv[] = {"SPUBLISH", channel, (const char *)s->scratch};
    const size_t argvlen[] = {strlen(argv[0]), strlen(channel), len};
    struct mer_redis_call_spec spec = {.argv = argv, .argvlen = argvlen, .argc = MER_COUNT(argv), .key = channel};
    *w = (struct published){p, f->life, len};
    enum mer_err err = mer_redis_call(b->conf.redis, &spec, on_published, w);
    if (err != MER_OK) {
        free(w);
        return err;
    }
    if (p != NULL) {
        p->owed++;
        p->channel.unanswered += len;
        p->channel.said_ms = b->conf.loop->now_ms;
    }
    s->values[M_FRAMES]++;
    s->values[M_BEATS] += !f->has_payload;
    s->values[M_BYTES] += len;
    return MER_OK;
}

/* ---- the carrier --------------------------------------------------------------------------------------------------------------------- */

/* Where Redis delivers what it says nobody heard (a subscriber at a node that was the primary), or takes nothing but hellos, there would be
 * life after life in a circle. */
static bool may_begin(const struct edge_bus *b)
{
    return b->conf.loop->now_ms - b->pubsub->unheard_ms >= KNOCK_MS;
}

static void check(struct edge_bus *b)
{
    mer_redis_sub_check(b->pubsub->sub);
}

/* Before our channel is heard nobody could answer. */
static void knock(struct bus_peer *p)
{
    if (!p->channel.knocking && mer_redis_sub_is_up(p->bus->pubsub->sub))
        edge__lives_say(p);
}

static enum mer_err reach(struct bus_peer *p, const char *address)
{
    if (strncmp(address, "bus:", 4) != 0 || strcmp(address + 4, p->incarnation) != 0) {
        MER_LOG_RATE(p->bus->conf.log, MER_ERROR, "bus.other_carrier", KV_STR("peer", p->incarnation), KV_STR("address", address));
        return MER_EINVALID;
    }
    edge__lives_call(p);
    if (may_begin(p->bus))
        knock(p);
    return MER_OK;
}

/* Never "gone": only time tells nobody at the other end from somebody who is about to come back. */
static bool look(struct bus_peer *p)
{
    knock(p);
    return false;
}

static void on_up(void *ctx)
{
    (void)ctx; /* what was missed meanwhile shows by its numbers */
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx, (void)why;
}

static void on_end(void *ctx)
{
    ((struct edge_bus *)ctx)->pubsub->ended = true;
}

static void on_message(void *ctx, const uint8_t *data, size_t len)
{
    struct edge_bus *b = ctx;
    Frame *f = len <= FRAME_MAX ? meridian__internal__v1__channel_frame__unpack(NULL, len, data) : NULL;
    size_t from = f != NULL ? strlen(f->from) : 0;
    if (from == 0 || from >= INCARNATION_MAX || strcmp(f->from, b->conf.incarnation) == 0) {
        b->pubsub->values[M_NO_FRAME]++;
        MER_LOG_RATE(b->conf.log, MER_WARN, "bus.bad_frame", KV_U64("bytes", len));
    } else {
        edge__lives_hear(b, &edge__bus_pubsub, f->from, f);
    }
    if (f != NULL)
        meridian__internal__v1__channel_frame__free_unpacked(f, NULL);
}

static enum mer_err open_channel(struct edge_bus *b, struct mer_msg *msg)
{
    static const struct mer_redis_sub_cbs cbs = {on_up, on_down, on_message, on_end};
    if (strlen(b->conf.incarnation) >= INCARNATION_MAX) {
        mer_msgf(msg, "id: too long");
        return MER_EINVALID;
    }
    struct bus_pubsub *s = b->pubsub = mer_try_calloc(1, sizeof(*s));
    if (s == NULL)
        return MER_ENOMEM;
    snprintf(s->channel, sizeof(s->channel), "bus:%s", b->conf.incarnation);
    mer_metrics_add(b->conf.metrics, &s->set, metrics, PUBSUB_METRICS, s->values);
    edge__lives_open(b);
    return mer_redis_subscribe(&s->sub, b->conf.redis, s->channel, &cbs, b);
}

static const char *address(const struct edge_bus *b)
{
    return b->pubsub->channel;
}

static void close_channel(struct edge_bus *b)
{
    struct bus_pubsub *s = b->pubsub;
    if (s == NULL)
        return;
    mer_redis_unsubscribe(s->sub);
    mer_metrics_remove(&s->set);
    mer_free(&b->pubsub);
}

const struct bus_carrier edge__bus_pubsub = {
    .open = open_channel,
    .address = address,
    .init = edge__lives_init,
    .addressed = true,
    .reach = reach,
    .look = look,
    .look_ms = KNOCK_MS,
    .send = edge__lives_send,
    .ends_idle = edge__lives_end_idle,
    .drop = edge__lives_drop,
    .close = close_channel,
    .publish = publish,
    .may_begin = may_begin,
    .check = check,
};
