/* SPDX-License-Identifier: Apache-2.0
 * lives.c - lives of a pair of edges over a carrier that loses without a word (pair.h): Redis' channels (pubsub.c), and the routers, for
 * edges of other regions (far_peers.c).
 *
 * Frames carry numbers, a heartbeat a second tells the last one, so that even a lost last message is noticed; what a carrier learns about
 * a frame (it was not delivered) is believed at once. A life that ends says bye, as far as that gets through; else the other side notices
 * by silence or by the next hello.
 *
 * Timers of a peer: the one of peers.c (knocking, giving up, idle), and `beat`, armed while up: says something when nothing was said for a
 * second, ends what was silent for three. */
#include "edge/bus/bus_private.h"

typedef Meridian__Internal__V1__ChannelFrame Frame;

enum { STALL_MS = 1000 }; /* a beat this late: we slept, not the peer */

#define GOT(event) \
    { \
        "meridian_edge_bus_channel_events_total", "what frames, and the lack of them, meant to a pair", MER_COUNTER, "event=\"" event "\"" \
    }
static const struct mer_metric_def metrics[BUS_LIVES_METRICS] = {
    [BUS_LIVES_BEGUN] = {"meridian_edge_bus_channel_lives_total", "lives of pairs that came up"},
    [BUS_LIVES_GOT + EDGE_PAIR_GOT_HELLO] = GOT("hello"),
    [BUS_LIVES_GOT + EDGE_PAIR_GOT_AGAIN] = GOT("again"),
    [BUS_LIVES_GOT + EDGE_PAIR_GOT_GOOD] = GOT("good"),
    [BUS_LIVES_GOT + EDGE_PAIR_GOT_GAP] = GOT("gap"),
    [BUS_LIVES_GOT + EDGE_PAIR_GOT_STRAY] = GOT("stray"),
    [BUS_LIVES_GOT + EDGE_PAIR_GOT_LEFT] = GOT("left"),
    [BUS_LIVES_GOT + EDGE_PAIR_GOT_OLD] = GOT("old"),
    [BUS_LIVES_GOT + EDGE_PAIR_GOT_BYE] = GOT("bye"),
    [BUS_LIVES_GOT + EDGE_PAIR_GOT_LOST] = GOT("lost"),
    [BUS_LIVES_GOT + EDGE_PAIR_GOT_SILENT] = GOT("silent"),
};

static void fill(Frame *f, const struct edge_pair *pair)
{
    *f = (Frame)MERIDIAN__INTERNAL__V1__CHANNEL_FRAME__INIT;
    f->life = pair->mine;
    f->your_life = pair->theirs;
    f->seq = pair->seq_out;
    f->ack = pair->seq_in;
}

/* A hello, a heartbeat: which of them is for the receiver to see. If it cannot be sent, the next one will. */
void edge__lives_say(struct bus_peer *p)
{
    Frame f;
    fill(&f, &p->channel.pair);
    p->channel.knocking = p->carrier->publish(p->bus, p, p->incarnation, &f) == MER_OK;
}

/* pair: as it was when it lived. */
static void say_bye(struct bus_peer *p, const struct edge_pair *pair, bool idle)
{
    Frame f;
    fill(&f, pair);
    f.has_bye = f.bye = true;
    f.has_idle = f.idle = idle;
    if (pair->theirs != 0)
        (void)p->carrier->publish(p->bus, NULL, p->incarnation, &f); /* silence says the same */
}

static void refuse(struct edge_bus *b, const struct bus_carrier *carrier, const char *to, uint64_t life)
{
    Frame f = MERIDIAN__INTERNAL__V1__CHANNEL_FRAME__INIT;
    f.your_life = life;
    f.has_bye = f.bye = true;
    (void)carrier->publish(b, NULL, to, &f);
}

enum mer_err edge__lives_send(struct bus_peer *p, const void *payload, size_t len)
{
    struct edge_pair *pair = &p->channel.pair;
    if (pair->state != EDGE_PAIR_UP || p->channel.unanswered + len > MER_LINK_QUEUE_MAX)
        return MER_EBUSY;
    Frame f;
    fill(&f, pair);
    f.seq = pair->seq_out + 1;
    f.has_payload = true;
    f.payload = (ProtobufCBinaryData){len, (uint8_t *)payload};
    enum mer_err err = p->carrier->publish(p->bus, p, p->incarnation, &f);
    if (err == MER_OK)
        pair->seq_out++;
    return err;
}

/* ---- lives ------------------------------------------------------------------------------------------------------------------------------
 */

static void forget(struct bus_peer *p)
{
    p->channel.pair = (struct edge_pair){.state = EDGE_PAIR_NONE};
    p->channel.knocking = false;
    mer_loop_disarm(p->bus->conf.loop, &p->channel.beat);
}

void edge__lives_drop(struct bus_peer *p, bool idle)
{
    if (p->channel.pair.state != EDGE_PAIR_NONE)
        say_bye(p, &p->channel.pair, idle);
    forget(p);
}

static void lose(struct bus_peer *p, const struct edge_pair *before, enum edge_pair_event event)
{
    MER_LOG(p->bus->conf.log, MER_INFO, "bus.life_lost", KV_STR("peer", p->incarnation), KV_STR("cause", edge_pair_event_name(event)),
            KV_U64("life", before->mine), KV_U64("sent", before->seq_out), KV_U64("received", before->seq_in));
    say_bye(p, before, false);
    forget(p);
    edge__bus_peer_lost(p, false);
}

void edge__lives_suffer(struct bus_peer *p, enum edge_pair_event event)
{
    struct edge_pair before;
    p->bus->lives.values[BUS_LIVES_GOT + event]++;
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
        edge__lives_suffer(p, EDGE_PAIR_GOT_SILENT);
        return;
    }
    if (now - p->channel.said_ms >= MER_LINK_HEARTBEAT_MS) {
        edge__lives_say(p);
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
    p->bus->lives.values[BUS_LIVES_BEGUN]++;
    edge__lives_say(p);
    if (!edge__bus_peer_up(p)) {
        struct edge_pair before = p->channel.pair;
        lose(p, &before, EDGE_PAIR_GOT_LOST);
        return;
    }
    arm_beat(p);
    (void)take(p, f);
}

static void answer(struct bus_peer *p)
{
    if (p->channel.pair.mine == 0) /* it called */
        p->channel.pair.mine = ++p->bus->lives.last;
    if (p->state != PEER_REACHING)
        edge__bus_peer_reaching(p);
    if (p->carrier->may_begin(p->bus))
        edge__lives_say(p);
}

static void end(struct bus_peer *p, const struct edge_pair *before, const struct edge_pair_frame *bye)
{
    forget(p);
    if (!bye->idle)
        p->carrier->check(p->bus); /* perhaps we are not where others look for us */
    if (edge_pair_ended_well(before, bye))
        edge__bus_peer_ended(p);
    else
        edge__bus_peer_lost(p, false);
}

void edge__lives_hear(struct edge_bus *b, const struct bus_carrier *carrier, const char *from, const Frame *f)
{
    const struct edge_pair_frame frame = {f->life, f->your_life, f->seq, f->ack, f->has_payload, f->bye, f->idle};
    struct bus_peer *p = edge__bus_peer_find(b, from);
    struct edge_pair nobody = {.state = EDGE_PAIR_NONE}, before;
    enum edge_pair_event event = edge_pair_judge(p != NULL ? &p->channel.pair : &nobody, &frame);
    if (p == NULL && event == EDGE_PAIR_GOT_HELLO)
        p = edge__bus_peer_get(b, from); /* without memory: it knocks again */
    b->lives.values[BUS_LIVES_GOT + event]++;
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
        refuse(b, carrier, from, f->life);
        break;
    case EDGE_PAIR_DO_LOSE:
        lose(p, &before, event);
        break;
    case EDGE_PAIR_DO_LOSE_LOOK:
        forget(p);
        edge__bus_peer_lost(p, false);
        edge__lives_hear(b, carrier, from, f); /* NONE or, if somebody wanted it again at once, still NONE: not in a circle */
        break;
    case EDGE_PAIR_DO_END:
        end(p, &before, &frame);
        break;
    }
}

/* ---- for the carriers ---------------------------------------------------------------------------------------------------------------- */

void edge__lives_init(struct bus_peer *p)
{
    mer_timer_init(&p->channel.beat, on_beat);
}

void edge__lives_call(struct bus_peer *p)
{
    edge_pair_call(&p->channel.pair, ++p->bus->lives.last);
}

bool edge__lives_end_idle(const struct bus_peer *p)
{
    (void)p;
    return true;
}

void edge__lives_open(struct edge_bus *b)
{
    if (b->lives.open)
        return;
    b->lives.open = true;
    mer_metrics_add(b->conf.metrics, &b->lives.set, metrics, BUS_LIVES_METRICS, b->lives.values);
}

void edge__lives_close(struct edge_bus *b)
{
    if (b->lives.open)
        mer_metrics_remove(&b->lives.set);
    b->lives.open = false;
}
