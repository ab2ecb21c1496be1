/* SPDX-License-Identifier: Apache-2.0
 * bus.c - messages between the edges of a region (bus.h): packing, handlers, the loopback, metrics. Who the others are is in peers.c, how
 * messages get there in links.c and pubsub.c.
 *
 * Messages to oneself are packed and unpacked like all others, in the loopback phase of the same turn.
 *
 * A handler may send, and the bus may tell a peer down, from anywhere; only edge_bus_destroy may not be called inside a callback. */
#include "edge/bus/bus.h"

#include <string.h>

#include <meridian/mem.h>
#include <meridian/trace.h>

#include "edge/bus/bus_private.h"

enum { LOOPBACK_MAX = 4 * 1024 * 1024 }; /* bytes to ourselves within one round; no special reason */

#define SENT(kind) \
    { \
        "meridian_edge_bus_sent_total", "bus messages sent, also to ourselves", MER_COUNTER, "kind=\"" kind "\"" \
    }
static const struct mer_metric_def metrics[M_COUNT] = {
    [M_PEERS] = {"meridian_edge_bus_peers", "edges that are known: linked, wanted or dead", MER_GAUGE},
    [M_LOOPBACK] = {"meridian_edge_bus_loopback_total", "messages to ourselves"},
    [M_RECEIVED] = {"meridian_edge_bus_received_total", "messages of other edges"},
    [M_IGNORED] = {"meridian_edge_bus_ignored_total", "messages of a kind nobody here handles"},
    [M_BAD] = {"meridian_edge_bus_bad_total", "links closed because of a message that is none"},
    [M_DROPPED] = {"meridian_edge_bus_dropped_bytes_total", "bytes that waited for a peer that could not be reached"},
    [M_REFUSED] = {"meridian_edge_bus_refused_total", "messages not taken: too much waits, or the peer is dead"},
    [M_LOOKUPS] = {"meridian_edge_bus_lookups_total", "liveness keys read"},
    [M_DEAD] = {"meridian_edge_bus_peers_dead_total", "peers whose liveness key was gone"},
    [M_DOWN] = {"meridian_edge_bus_peers_down_total", "links to peers lost, and peers not reached"},
    [M_IDLE_CLOSED] = {"meridian_edge_bus_idle_closed_total", "links closed because nothing was said for 60 s"},
    [M_SENT + 0] = SENT("seat_open"),
    [M_SENT + 1] = SENT("seat_attach"),
    [M_SENT + 2] = SENT("seat_detach"),
    [M_SENT + 3] = SENT("seat_snapshot"),
    [M_SENT + 4] = SENT("seat_events"),
    [M_SENT + 5] = SENT("seat_request"),
    [M_SENT + 6] = SENT("seat_refused"),
    [M_SENT + 7] = SENT("user_message"),
    [M_SENT + 8] = SENT("session_replace"),
    [M_SENT + 9] = SENT("ticket_request"),
    [M_SENT + 10] = SENT("session_take"),
    [M_SENT + 11] = SENT("session_taken"),
    [M_SENT + 12] = SENT("game_hand_over"),
    [M_SENT + 13] = SENT("game_handed_over"),
    [M_SENT + 14] = SENT("game_claimed"),
};
_Static_assert(M_SENT + 15 == M_COUNT, "a row for every kind of message");

/* ---- messages ------------------------------------------------------------------------------------------------------------------------ */

static void dispatch(struct edge_bus *b, const Meridian__Internal__V1__BusMessage *m)
{
    unsigned kind = m->body_case;
    struct mer_trace_context of;
    MER_TRACE_LINES(b->conf.log, mer_trace_get(m->has_trace, &m->trace, &of));
    if (kind < BUS_KINDS && b->handler[kind].cb != NULL)
        b->handler[kind].cb(b->handler[kind].ctx, m);
    else
        b->values[M_IGNORED]++; /* a newer version's kind */
}

/* True when something was delivered: what it caused leaves in this turn too. */
static bool on_loopback(struct mer_hook *h)
{
    struct edge_bus *b = MER_CONTAINER_OF(h, struct edge_bus, hook);
    if (b->loopback.len == 0)
        return false;
    struct mer_buf now = b->loopback;
    b->loopback = b->loopback_now;
    b->loopback_now = now;
    for (size_t at = 0; at < now.len;) {
        uint32_t n;
        memcpy(&n, now.data + at, sizeof n);
        Meridian__Internal__V1__BusMessage *m = meridian__internal__v1__bus_message__unpack(NULL, n, now.data + at + sizeof n);
        at += sizeof n + n;
        if (m == NULL) { /* memory is out: as if the link had lost it */
            b->values[M_DROPPED] += n;
            continue;
        }
        dispatch(b, m);
        meridian__internal__v1__bus_message__free_unpacked(m, NULL);
    }
    mer_buf_clear(&b->loopback_now);
    return true;
}

bool edge__bus_got(struct bus_peer *p, const uint8_t *payload, size_t len)
{
    struct edge_bus *b = p->bus;
    Meridian__Internal__V1__BusMessage *m = meridian__internal__v1__bus_message__unpack(NULL, len, payload);
    char from[EDGE_FAR_NAME_BYTES];
    bool good = m != NULL && edge_far_name(from, p->incarnation, m->from) && strcmp(from, p->incarnation) == 0;
    if (good) {
        char *wire = m->from;
        p->used_ms = b->conf.loop->now_ms;
        b->values[M_RECEIVED]++;
        m->from = from;
        dispatch(b, m);
        m->from = wire;
    } else {
        b->values[M_BAD]++;
        MER_LOG_RATE(b->conf.log, MER_WARN, "bus.bad_message", KV_STR("peer", p->incarnation),
                     KV_STR("why", m == NULL ? "not a bus message" : "another sender's name"));
    }
    if (m != NULL)
        meridian__internal__v1__bus_message__free_unpacked(m, NULL);
    return good;
}

/* ---- public -------------------------------------------------------------------------------------------------------------------------- */

enum mer_err edge_bus_create(struct edge_bus **out, const struct edge_bus_conf *conf, struct mer_msg *msg)
{
    struct edge_bus *b = mer_try_calloc(1, sizeof *b);
    if (b == NULL)
        return MER_ENOMEM;
    b->conf = *conf;
    b->carrier = conf->carrier == EDGE_BUS_REDIS ? &edge__bus_pubsub : &edge__bus_links;
    edge__bus_peers_init(b);
    mer_buf_init(&b->loopback, LOOPBACK_MAX);
    mer_buf_init(&b->loopback_now, LOOPBACK_MAX);
    b->hook.cb = on_loopback;
    mer_loop_hook_add(conf->loop, MER_PHASE_LOOPBACK, &b->hook);
    mer_metrics_add(conf->metrics, &b->set, metrics, M_COUNT, b->values);
    b->scratch = mer_try_malloc(MER_LINK_PAYLOAD_MAX);
    enum mer_err err = b->scratch == NULL ? MER_ENOMEM : b->carrier->open(b, msg);
    if (err != MER_OK) {
        edge_bus_destroy(b);
        return err;
    }
    *out = b;
    return MER_OK;
}

void edge_bus_on(struct edge_bus *b, Meridian__Internal__V1__BusMessage__BodyCase kind, edge_bus_cb cb, void *ctx)
{
    MER_ASSERT((unsigned)kind < BUS_KINDS);
    b->handler[kind].cb = cb;
    b->handler[kind].ctx = ctx;
}

void edge_bus_on_peer_down(struct edge_bus *b, void (*cb)(void *ctx, const char *incarnation, bool dead), void *ctx)
{
    MER_ASSERT(b->down_count < BUS_DOWN_LISTENERS);
    b->down[b->down_count].cb = cb;
    b->down[b->down_count++].ctx = ctx;
}

enum mer_err edge__bus_append(struct mer_buf *buf, const Meridian__Internal__V1__BusMessage *m, size_t size)
{
    uint32_t n = (uint32_t)size;
    enum mer_err err = mer_buf_reserve(buf, sizeof n + size);
    if (err != MER_OK)
        return err;
    memcpy(buf->data + buf->len, &n, sizeof n);
    meridian__internal__v1__bus_message__pack(m, buf->data + buf->len + sizeof n);
    buf->len += sizeof n + size;
    return MER_OK;
}

enum mer_err edge_bus_send(struct edge_bus *b, const char *to, Meridian__Internal__V1__BusMessage *m)
{
    unsigned kind = m->body_case, first = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SEAT_OPEN;
    MER_ASSERT(kind >= first && kind < BUS_KINDS);
    m->from = (char *)b->conf.incarnation;
    size_t size = meridian__internal__v1__bus_message__get_packed_size(m);
    if (size > MER_LINK_PAYLOAD_MAX)
        return MER_ERANGE;
    enum mer_err err;
    if (strcmp(to, b->conf.incarnation) == 0) {
        err = edge__bus_append(&b->loopback, m, size);
        b->values[M_LOOPBACK]++;
    } else {
        err = edge__bus_peers_send(b, to, m, size);
    }
    if (err != MER_OK)
        b->values[M_REFUSED]++;
    else
        b->values[M_SENT + kind - first]++;
    return err;
}

const char *edge_bus_address(const struct edge_bus *b)
{
    return b->carrier->address(b);
}

const char *edge_bus_incarnation(const struct edge_bus *b)
{
    return b->conf.incarnation;
}

void edge_bus_destroy(struct edge_bus *b)
{
    if (b == NULL)
        return;
    edge__bus_peers_deinit(b);
    b->carrier->close(b);
    edge__lives_close(b);
    mer_loop_hook_remove(&b->hook);
    mer_metrics_remove(&b->set);
    mer_buf_deinit(&b->loopback);
    mer_buf_deinit(&b->loopback_now);
    free(b->scratch);
    free(b);
}
