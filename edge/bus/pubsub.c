/* SPDX-License-Identifier: Apache-2.0
 * pubsub.c - the bus' second carrier: Redis' sharded pub/sub, for edges that cannot reach each other (R9). One channel an incarnation,
 * "bus:<incarnation>", heard at the primary of its slot; what goes to a peer is published on his.
 *
 * Pub/sub loses without a word, so each pair of edges lives lives (pair.h): frames carry numbers, a heartbeat a second tells the last one,
 * so that even a lost last message is noticed; what Redis says about a frame (nobody heard it, failed, no answer) is believed at once. A
 * life that ends says bye, as far as that gets through; else the other side notices by silence or by the next hello.
 *
 * Calls of a turn leave together, in order per primary; one that Redis makes us repeat (a redirect) may be overtaken, which is a gap.
 *
 * Timers of a peer: the one of peers.c (knocking, giving up, idle), and `beat`, armed while up: says something when nothing was said for a
 * second, ends what was silent for three. */
#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>
#include <meridian/redis_subscribe.h>

#include "edge/bus/bus_private.h"

typedef Meridian__Internal__V1__ChannelFrame Frame;

enum {
    KNOCK_MS = 200,
    STALL_MS = 1000,                                  /* a beat this late: we slept, not the peer */
    INCARNATION_MAX = 64,                             /* id, a dot, 8 characters (app.h) */
    FRAME_MAX = MER_LINK_FRAME_MAX + INCARNATION_MAX, /* heads are longer by the sender's name than a link's */
};

enum { M_LIVES, M_FRAMES, M_BEATS, M_BYTES, M_UNHEARD, M_FAILED, M_NO_FRAME, M_GOT, PUBSUB_METRICS = M_GOT + EDGE_PAIR_EVENT_COUNT };
#define GOT(event) \
    { \
        "meridian_edge_bus_channel_events_total", "what frames, and the lack of them, meant to a pair", MER_COUNTER, "event=\"" event "\"" \
    }
static const struct mer_metric_def metrics[PUBSUB_METRICS] = {
    [M_LIVES] = {"meridian_edge_bus_channel_lives_total", "lives of pairs that came up"},
    [M_FRAMES] = {"meridian_edge_bus_channel_frames_total", "frames published"},
    [M_BEATS] = {"meridian_edge_bus_channel_beats_total", "of them without a message: hellos, heartbeats, byes"},
    [M_BYTES] = {"meridian_edge_bus_channel_bytes_total", "bytes published"},
    [M_UNHEARD] = {"meridian_edge_bus_channel_unheard_total", "frames published to nobody"},
    [M_FAILED] = {"meridian_edge_bus_channel_failed_total", "frames that Redis did not take, or perhaps not"},
    [M_NO_FRAME] = {"meridian_edge_bus_channel_bad_total", "messages on our channel that are no frame"},
    [M_GOT + EDGE_PAIR_GOT_HELLO] = GOT("hello"),
    [M_GOT + EDGE_PAIR_GOT_AGAIN] = GOT("again"),
    [M_GOT + EDGE_PAIR_GOT_GOOD] = GOT("good"),
    [M_GOT + EDGE_PAIR_GOT_GAP] = GOT("gap"),
    [M_GOT + EDGE_PAIR_GOT_STRAY] = GOT("stray"),
    [M_GOT + EDGE_PAIR_GOT_LEFT] = GOT("left"),
    [M_GOT + EDGE_PAIR_GOT_OLD] = GOT("old"),
    [M_GOT + EDGE_PAIR_GOT_BYE] = GOT("bye"),
    [M_GOT + EDGE_PAIR_GOT_LOST] = GOT("lost"),
    [M_GOT + EDGE_PAIR_GOT_SILENT] = GOT("silent"),
};

struct bus_pubsub {
    struct mer_redis_sub *sub;
    char channel[INCARNATION_MAX + 8];
    uint8_t scratch[FRAME_MAX];
    uint64_t lives;      /* the last number given */
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

static void suffer(struct bus_peer *p, enum edge_pair_event event);

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
    suffer(w.p, EDGE_PAIR_GOT_LOST);
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

static void fill(Frame *f, const struct edge_pair *pair)
{
    *f = (Frame)MERIDIAN__INTERNAL__V1__CHANNEL_FRAME__INIT;
    f->life = pair->mine;
    f->your_life = pair->theirs;
    f->seq = pair->seq_out;
    f->ack = pair->seq_in;
}

/* A hello, a heartbeat: which of them is for the receiver to see. If it cannot be sent, the next one will. */
static void say(struct bus_peer *p)
{
    Frame f;
    fill(&f, &p->channel.pair);
    p->channel.knocking = publish(p->bus, p, p->incarnation, &f) == MER_OK;
}

/* pair: as it was when it lived. */
static void say_bye(struct bus_peer *p, const struct edge_pair *pair, bool idle)
{
    Frame f;
    fill(&f, pair);
    f.has_bye = f.bye = true;
    f.has_idle = f.idle = idle;
    if (pair->theirs != 0)
        (void)publish(p->bus, NULL, p->incarnation, &f); /* silence says the same */
}

static void refuse(struct edge_bus *b, const char *to, uint64_t life)
{
    Frame f = MERIDIAN__INTERNAL__V1__CHANNEL_FRAME__INIT;
    f.your_life = life;
    f.has_bye = f.bye = true;
    (void)publish(b, NULL, to, &f);
}

static enum mer_err send_payload(struct bus_peer *p, const void *payload, size_t len)
{
    struct edge_pair *pair = &p->channel.pair;
    if (pair->state != EDGE_PAIR_UP || p->channel.unanswered + len > MER_LINK_QUEUE_MAX)
        return MER_EBUSY;
    Frame f;
    fill(&f, pair);
    f.seq = pair->seq_out + 1;
    f.has_payload = true;
    f.payload = (ProtobufCBinaryData){len, (uint8_t *)payload};
    enum mer_err err = publish(p->bus, p, p->incarnation, &f);
    if (err == MER_OK)
        pair->seq_out++;
    return err;
}

/* ---- lives --------------------------------------------------------------------------------------------------------------------------- */

static void forget(struct bus_peer *p)
{
    p->channel.pair = (struct edge_pair){.state = EDGE_PAIR_NONE};
    p->channel.knocking = false;
    mer_loop_disarm(p->bus->conf.loop, &p->channel.beat);
}

static void drop(struct bus_peer *p, bool idle)
{
    if (p->channel.pair.state != EDGE_PAIR_NONE)
        say_bye(p, &p->channel.pair, idle);
    forget(p);
}

static void lose(struct bus_peer *p, const struct edge_pair *before, enum edge_pair_event event)
{
    MER_LOG(p->bus->conf.log, MER_INFO, "bus.life_lost", KV_STR("peer", p->incarnation), KV_STR("event", edge_pair_event_name(event)),
            KV_U64("life", before->mine), KV_U64("sent", before->seq_out), KV_U64("received", before->seq_in));
    say_bye(p, before, false);
    forget(p);
    edge__bus_peer_lost(p, false);
}

static void suffer(struct bus_peer *p, enum edge_pair_event event)
{
    struct edge_pair before;
    p->bus->pubsub->values[M_GOT + event]++;
    if (edge_pair_suffer(&p->channel.pair, event, &before) == EDGE_PAIR_DO_LOSE)
        lose(p, &before, event);
}

static void arm_beat(struct bus_peer *p)
{
    uint64_t now = p->bus->conf.loop->now_ms, quiet = now - p->channel.said_ms;
    p->channel.beat_ms = quiet < MER_LINK_HEARTBEAT_MS ? now + MER_LINK_HEARTBEAT_MS - quiet : now + 1;
    mer_loop_arm(p->bus->conf.loop, &p->channel.beat, p->channel.beat_ms - now);
}

static void on_beat(struct mer_timer *t)
{
    struct bus_peer *p = MER_CONTAINER_OF(t, struct bus_peer, channel.beat);
    uint64_t now = p->bus->conf.loop->now_ms;
    if (now - p->channel.beat_ms > STALL_MS)
        p->channel.heard_ms = now;
    if (now - p->channel.heard_ms >= MER_LINK_SILENCE_MS) {
        suffer(p, EDGE_PAIR_GOT_SILENT);
        return;
    }
    if (now - p->channel.said_ms >= MER_LINK_HEARTBEAT_MS) {
        say(p);
        p->channel.said_ms = now; /* also when Redis takes no calls: not in a circle */
    }
    arm_beat(p);
}

/* false: p may be gone. */
static bool take(struct bus_peer *p, const Frame *f)
{
    p->channel.heard_ms = p->bus->conf.loop->now_ms;
    if (!f->has_payload || edge__bus_got(p, f->payload.data, f->payload.len))
        return true;
    struct edge_pair before = p->channel.pair;
    lose(p, &before, EDGE_PAIR_GOT_GOOD);
    return false;
}

static void rise(struct bus_peer *p, const Frame *f)
{
    struct bus_pubsub *s = p->bus->pubsub;
    s->values[M_LIVES]++;
    say(p);
    if (!edge__bus_peer_up(p)) {
        struct edge_pair before = p->channel.pair;
        lose(p, &before, EDGE_PAIR_GOT_LOST);
        return;
    }
    arm_beat(p);
    (void)take(p, f);
}

/* Where Redis delivers what it says nobody heard (a subscriber at a node that was the primary), or takes nothing but hellos, there would be
 * life after life in a circle. */
static bool may_begin(const struct edge_bus *b)
{
    return b->conf.loop->now_ms - b->pubsub->unheard_ms >= KNOCK_MS;
}

static void answer(struct bus_peer *p)
{
    if (p->channel.pair.mine == 0) /* it called */
        p->channel.pair.mine = ++p->bus->pubsub->lives;
    if (p->state != PEER_REACHING)
        edge__bus_peer_reaching(p);
    if (may_begin(p->bus))
        say(p);
}

static void end(struct bus_peer *p, const struct edge_pair *before, const struct edge_pair_frame *bye)
{
    forget(p);
    if (!bye->idle)
        mer_redis_sub_check(p->bus->pubsub->sub); /* perhaps we are not where others look for us */
    if (edge_pair_ended_well(before, bye))
        edge__bus_peer_ended(p);
    else
        edge__bus_peer_lost(p, false);
}

static void hear(struct edge_bus *b, const Frame *f)
{
    const struct edge_pair_frame frame = {f->life, f->your_life, f->seq, f->ack, f->has_payload, f->bye, f->idle};
    struct bus_peer *p = edge__bus_peer_find(b, f->from);
    struct edge_pair nobody = {.state = EDGE_PAIR_NONE}, before;
    enum edge_pair_event event = edge_pair_judge(p != NULL ? &p->channel.pair : &nobody, &frame);
    if (p == NULL && event == EDGE_PAIR_GOT_HELLO)
        p = edge__bus_peer_get(b, f->from); /* without memory: it knocks again */
    b->pubsub->values[M_GOT + event]++;
    switch (edge_pair_hear(p != NULL ? &p->channel.pair : &nobody, &frame, &before)) {
    case EDGE_PAIR_DO_NOTHING:
    case EDGE_PAIR_ACTION_COUNT:
        break;
    case EDGE_PAIR_DO_ANSWER:
        if (p != NULL)
            answer(p);
        break;
    case EDGE_PAIR_DO_RISE:
        rise(p, f);
        break;
    case EDGE_PAIR_DO_TAKE:
        (void)take(p, f);
        break;
    case EDGE_PAIR_DO_REFUSE:
        refuse(b, f->from, f->life);
        break;
    case EDGE_PAIR_DO_LOSE:
        lose(p, &before, event);
        break;
    case EDGE_PAIR_DO_LOSE_LOOK:
        forget(p);
        edge__bus_peer_lost(p, false);
        hear(b, f); /* NONE or, if somebody wanted it again at once, still NONE: not in a circle */
        break;
    case EDGE_PAIR_DO_END:
        end(p, &before, &frame);
        break;
    }
}

/* ---- the carrier --------------------------------------------------------------------------------------------------------------------- */

static void init(struct bus_peer *p)
{
    mer_timer_init(&p->channel.beat, on_beat);
}

/* Before our channel is heard nobody could answer. */
static void knock(struct bus_peer *p)
{
    if (!p->channel.knocking && mer_redis_sub_is_up(p->bus->pubsub->sub))
        say(p);
}

static enum mer_err reach(struct bus_peer *p, const char *address)
{
    if (strncmp(address, "bus:", 4) != 0 || strcmp(address + 4, p->incarnation) != 0) {
        MER_LOG_RATE(p->bus->conf.log, MER_ERROR, "bus.other_carrier", KV_STR("peer", p->incarnation), KV_STR("address", address));
        return MER_EINVALID;
    }
    edge_pair_call(&p->channel.pair, ++p->bus->pubsub->lives);
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

static bool ends_idle(const struct bus_peer *p)
{
    (void)p;
    return true;
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
        hear(b, f);
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
    .init = init,
    .reach = reach,
    .look = look,
    .look_ms = KNOCK_MS,
    .send = send_payload,
    .ends_idle = ends_idle,
    .drop = drop,
    .close = close_channel,
};
