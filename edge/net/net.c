/* SPDX-License-Identifier: Apache-2.0
 * net.c - what all connections share: the epoll set inside the loop, the buffers, the ends of a turn, the counters.
 *
 * A turn: the loop says that the set is readable -> up to 4 x 256 events, each a receive and its messages -> MER_PHASE_PLAYER: corked
 * writes leave, then up to 256 ended connections are told and released. Ends come after the writes because a close frame is one of them.
 *
 * Why an epoll set of our own and not a uv handle a connection: 200 bytes each, and a call through three layers for each event. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <meridian/mem.h>

#include "edge/net/net_private.h"

const uint16_t edge__close_codes[EDGE__CLOSE_CODES] = {1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011,
                                                       1012, 1013, 3001, 3004, 3007, 3500, 3501, 3502, 3508, 0};

#define COUNTER(m, name, help, labels) [EDGE__M_##m] = {"meridian_edge_" name, help, MER_COUNTER, labels}
#define REFUSED(m, cause) COUNTER(REFUSED_##m, "connections_refused_total", "connections and upgrades refused", "cause=\"" cause "\"")
#define HTTP(class) COUNTER(HTTP_##class, "http_responses_total", "answers but upgrades", "status=\"" #class "\"")
#define CLOSED(i, code) \
    [EDGE__M_CLOSED_FIRST + (i)] = {"meridian_edge_connections_closed_total", "connections ended, by close code", MER_COUNTER, \
                                    "code=\"" code "\""}

static const struct mer_metric_def defs[EDGE__METRICS] = {
    [EDGE__M_CONNECTIONS] = {"meridian_edge_connections", "upgraded connections, closing ones included", MER_GAUGE, NULL},
    [EDGE__M_PENDING] = {"meridian_edge_connections_pending", "accepted connections that are not upgraded", MER_GAUGE, NULL},
    COUNTER(ACCEPTED, "connections_accepted_total", "descriptors accepted", NULL),
    COUNTER(OPENED, "connections_opened_total", "connections upgraded", NULL),
    REFUSED(THROTTLE, "throttle"),
    REFUSED(ADDRESS, "address"),
    REFUSED(FULL, "full"),
    REFUSED(DESCRIPTORS, "descriptors"),
    REFUSED(DRAINING, "draining"),
    REFUSED(PROXY, "proxy"),
    REFUSED(HANDSHAKE, "handshake"),
    REFUSED(MEMORY, "memory"),
    REFUSED(LOAD, "load"),
    COUNTER(REQUESTS_FLOOD, "requests_refused_total", "requests over the rate of their connection (429)", NULL),
    HTTP(2XX),
    HTTP(3XX),
    HTTP(4XX),
    HTTP(5XX),
    COUNTER(BYTES_IN, "received_bytes_total", "bytes of frames from players, before TLS", NULL),
    COUNTER(BYTES_OUT, "sent_bytes_total", "bytes of frames to players, before TLS", NULL),
    COUNTER(MESSAGES_IN, "messages_received_total", "whole messages from players", NULL),
    COUNTER(MESSAGES_OUT, "messages_sent_total", "messages queued for players", NULL),
    COUNTER(PINGS, "pings_sent_total", "heartbeats sent", NULL),
    COUNTER(DEAD, "connections_dead_total", "dropped after three silent heartbeats", NULL),
    COUNTER(SLOW, "connections_slow_total", "closed because the reader was too slow (3004)", NULL),
    COUNTER(FLOODS, "connections_flooding_total", "closed for control floods or messages that never end (1008)", NULL),
    CLOSED(0, "1000"),
    CLOSED(1, "1001"),
    CLOSED(2, "1002"),
    CLOSED(3, "1003"),
    CLOSED(4, "1005"),
    CLOSED(5, "1006"),
    CLOSED(6, "1007"),
    CLOSED(7, "1008"),
    CLOSED(8, "1009"),
    CLOSED(9, "1011"),
    CLOSED(10, "1012"),
    CLOSED(11, "1013"),
    CLOSED(12, "3001"),
    CLOSED(13, "3004"),
    CLOSED(14, "3007"),
    CLOSED(15, "3500"),
    CLOSED(16, "3501"),
    CLOSED(17, "3502"),
    CLOSED(18, "3508"),
    CLOSED(19, "other"),
};

void edge_net_conf_default(struct edge_net_conf *c)
{
    *c = (struct edge_net_conf){
        .max_connections = 15000,
        .max_pending = 1000,
        .reserve_descriptors = 64,
        .max_message_bytes = 16 * 1024,
        .max_fragments = 64,
        .message_ms = 10 * 1000,
        .control = {10, 20},
        .heartbeat_ms = 30 * 1000,
        .user_timeout_ms = 10 * 1000,
        .outbox_bytes = 256 * 1024,
        .outbox_ms = 10 * 1000,
        .linger_ms = 2 * 1000,
        .address_connections = 64,
        .address_pending = 16,
        .address_handshakes = {10, 20},
    };
}

static void refresh(struct mer_metric_set *set)
{
    struct edge_net *n = MER_CONTAINER_OF(set, struct edge_net, metric_set);
    n->values[EDGE__M_CONNECTIONS] = n->conn_count;
    n->values[EDGE__M_PENDING] = n->pending_count;
}

static const struct mer_metric_def certificate_def = {"meridian_edge_certificate_left_seconds",
                                                      "until the certificate that players see expires; 0: it has", MER_GAUGE, NULL};

static void refresh_certificate(struct mer_metric_set *set)
{
    struct edge_net *n = MER_CONTAINER_OF(set, struct edge_net, certificate_set);
    X509 *certificate = SSL_CTX_get0_certificate(n->tls);
    int days = 0, seconds = 0; /* NULL: now */
    bool known = certificate != NULL && ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1;
    int64_t left = known ? (int64_t)days * 24 * 60 * 60 + seconds : 0;
    n->certificate_left = left > 0 ? (uint64_t)left : 0;
}

void edge__net_certificate(struct edge_net *n, SSL_CTX *tls)
{
    if (n->tls != NULL)
        return;
    n->tls = tls;
    mer_metrics_add(n->conf.metrics, &n->certificate_set, &certificate_def, 1, &n->certificate_left);
    n->certificate_set.refresh = refresh_certificate;
}

static void on_epoll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct edge_net *n = poll->data;
    struct epoll_event ev[EDGE__EVENTS];
    int got = EDGE__EVENTS;
    for (int round = 0; round < EDGE__EVENT_ROUNDS && got == EDGE__EVENTS; round++) {
        got = epoll_wait(n->epoll, ev, EDGE__EVENTS, 0);
        for (int i = 0; i < got; i++)
            edge__conn_event(ev[i].data.ptr, ev[i].events);
    }
}

/* Ends of this turn, 256 at most: the hook may run several times in it. */
static bool end_some(struct edge_net *n)
{
    struct mer_loop *loop = n->conf.loop;
    if (n->ends_turn != loop->turns) {
        n->ends_turn = loop->turns;
        n->ends = 0;
    }
    bool any = false;
    for (; n->ended != NULL && n->ends < EDGE__ENDS; n->ends++) {
        struct edge_conn *c = n->ended;
        n->ended = c->next;
        if (n->ended == NULL)
            n->ended_tail = &n->ended;
        edge__conn_end(c);
        any = true;
    }
    if (n->ended != NULL)
        mer_loop_arm(loop, &n->ended_timer, 0);
    return any;
}

static bool on_turn_end(struct mer_hook *h)
{
    struct edge_net *n = MER_CONTAINER_OF(h, struct edge_net, hook);
    if (n->cork_count != 0)
        edge__out_flush_all(n);
    return n->ended != NULL && end_some(n);
}

static void on_work(struct mer_deferred *d)
{
    (void)d; /* the hook does it */
}

static void on_more_ends(struct mer_timer *t)
{
    (void)t; /* that the loop turned is all it is for */
}

uint8_t edge__net_ops(struct edge_net *n, const struct edge_conn_ops *ops)
{
    uint8_t i = 0;
    while (i < n->ops_count && n->ops[i] != ops)
        i++;
    MER_ASSERT(i < EDGE__OPS);
    if (i == n->ops_count)
        n->ops[n->ops_count++] = ops;
    return i;
}

static enum mer_err open_epoll(struct edge_net *n)
{
    n->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (n->epoll < 0)
        return MER_EIO;
    if (uv_poll_init(&n->conf.loop->uv, &n->poll, n->epoll) != 0) {
        close(n->epoll);
        return MER_EIO;
    }
    n->poll.data = n;
    return uv_poll_start(&n->poll, UV_READABLE, on_epoll) == 0 ? MER_OK : MER_EIO;
}

/* Whoever allows an address more connections means that more of them may come at a time. */
static uint32_t pending_of(const struct edge_net_conf *c)
{
    uint32_t share = c->address_connections / 4;
    return c->address_pending == 0 || c->address_pending > share ? c->address_pending : share;
}

enum mer_err edge_net_create(struct edge_net **out, const struct edge_net_conf *conf)
{
    struct edge_net *n = mer_try_calloc(1, sizeof(*n));
    if (n == NULL)
        return MER_ENOMEM;
    n->conf = *conf;
    struct edge_throttle_conf throttle = {.connections = conf->address_connections,
                                          .pending = pending_of(conf),
                                          .handshakes = conf->address_handshakes,
                                          .seed = {mer_rng_u64(&conf->rng), mer_rng_u64(&conf->rng)}};
    enum mer_err err = MER_ENOMEM;
    n->in = mer_try_malloc(EDGE__IN_BYTES);
    n->area = mer_try_malloc(EDGE__AREA_BYTES);
    if (n->in != NULL && n->area != NULL)
        err = edge_throttle_init(&n->throttle, &throttle);
    if (err == MER_OK)
        err = open_epoll(n);
    if (err != MER_OK) {
        edge_throttle_deinit(&n->throttle);
        mer_free(&n->in);
        mer_free(&n->area);
        mer_free(&n);
        return err;
    }
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    n->descriptor_limit = limit.rlim_cur > INT32_MAX ? INT32_MAX : (int)limit.rlim_cur;
    n->ended_tail = &n->ended;
    mer_slab_init(&n->slab, sizeof(struct edge_conn), EDGE__CONNS_A_CHUNK);
    mer_timer_init(&n->ended_timer, on_more_ends);
    mer_deferred_init(&n->work, on_work);
    n->hook.cb = on_turn_end;
    mer_list_init(&n->hook.node);
    mer_loop_hook_add(conf->loop, MER_PHASE_PLAYER, &n->hook);
    mer_metrics_add(conf->metrics, &n->metric_set, defs, EDGE__METRICS, n->values);
    n->metric_set.refresh = refresh;
    *out = n;
    return MER_OK;
}

uint32_t edge_net_connections(const struct edge_net *n)
{
    return n->conn_count;
}

struct each {
    void (*cb)(struct edge_conn *c, void *ctx);
    void *ctx;
};

static void each_open(void *object, void *ctx)
{
    struct edge_conn *c = object;
    struct each *e = ctx;
    if (c->state == EDGE__OPEN)
        e->cb(c, e->ctx);
}

void edge_net_each(struct edge_net *n, void (*each)(struct edge_conn *c, void *ctx), void *ctx)
{
    struct each e = {each, ctx};
    mer_slab_each(&n->slab, each_open, &e);
}

static void drop_each(void *object, void *ctx)
{
    (void)ctx;
    edge__conn_drop(object);
}

static void on_closed(uv_handle_t *handle)
{
    struct edge_net *n = handle->data;
    mer_free(&n);
}

void edge_net_destroy(struct edge_net *n)
{
    if (n == NULL)
        return;
    if (n->cork_count != 0)
        edge__out_flush_all(n);
    while (n->conn_count != 0) { /* a closed callback cannot open connections: one pass tells all */
        mer_slab_each(&n->slab, drop_each, NULL);
        while (n->ended != NULL) {
            struct edge_conn *c = n->ended;
            n->ended = c->next;
            if (n->ended == NULL)
                n->ended_tail = &n->ended;
            edge__conn_end(c);
        }
    }
    mer_loop_hook_remove(&n->hook);
    mer_deferred_cancel(&n->work);
    mer_loop_disarm(n->conf.loop, &n->ended_timer);
    mer_metrics_remove(&n->metric_set);
    if (n->tls != NULL)
        mer_metrics_remove(&n->certificate_set);
    mer_slab_deinit(&n->slab);
    edge_throttle_deinit(&n->throttle);
    mer_free(&n->in);
    mer_free(&n->area);
    uv_poll_stop(&n->poll);
    close(n->epoll);
    uv_close((uv_handle_t *)&n->poll, on_closed);
}
