/* SPDX-License-Identifier: Apache-2.0
 * net_private.h - what the files of edge/net share: the net layer's state, a connection's states, its outbox. */
#pragma once

#include <sys/epoll.h>

#include <meridian/slab.h>

#include "edge/net/conn.h"
#include "edge/net/frame.h"
#include "edge/net/throttle.h"

/*            edge_conn_close                 peer's close, answered
 *   OPEN ---------------------> CLOSING ---------------------------> DRAINING ---- peer's FIN ----> DEAD
 *    |  \----------- a fault, or the peer's close frame --------------^    |                        ^ ^
 *    |                             \------------ linger over --------------+------------------------/ |
 *    +----------------------------------------- reset, silent ----------------------------------------/
 *
 * CLOSING: our close frame is queued; only the peer's is looked for. DRAINING: nothing is parsed any more; what is queued goes out, then
 * our FIN, then whatever comes is thrown away until the peer's. DEAD: the descriptor is closed, memory goes at the end of the turn. */
enum edge__state { EDGE__OPEN, EDGE__CLOSING, EDGE__DRAINING, EDGE__DEAD };

enum edge__flag {
    EDGE__WANT_WRITE = 1, /* EPOLLOUT is on */
    EDGE__QUEUED = 2,     /* in net->ended */
    EDGE__TOLD = 4,       /* `closed` was called */
    EDGE__TRACKED = 8,    /* counted by the throttle */
    EDGE__FIN_SENT = 16
};

enum {
    EDGE__IN_BYTES = 64 * 1024,    /* one receive: a TCP window of small messages */
    EDGE__AREA_BYTES = 128 * 1024, /* corked writes of all connections */
    EDGE__CORKS = 1024,            /* connections corked at a time */
    EDGE__CONNS_A_CHUNK = 500,     /* 64 KiB: aligning smaller chunks wastes a page of each */
    EDGE__EVENTS = 256,            /* of one epoll_wait */
    EDGE__EVENT_ROUNDS = 4,        /* epoll_waits a turn */
    EDGE__ENDS = 256,              /* closed callbacks and releases a turn (architecture, section 3) */
    EDGE__RECORDS = 8,             /* TLS records read at a time */
    EDGE__RECORD_BYTES = 16 * 1024,
    EDGE__OPS = 16,
    EDGE__HEARTBEATS = 3 /* silent for so many is dead (R12) */
};

struct edge_outbox {
    struct mer_buf buf;
    size_t head;       /* bytes of buf that are sent */
    size_t frame_rest; /* from head to the next frame */
    size_t tls_tried;  /* from head: OpenSSL has made a record of them and must be offered the same again */
    size_t mark;       /* of what was unsent at mark_ms, still unsent */
    uint64_t mark_ms;
};

struct edge__cork {
    struct edge_conn *c;
    uint32_t first, last; /* segments in the area */
};
struct edge__segment {
    uint32_t next; /* 0: last (offset 0 is never a next one) */
    uint32_t len;  /* whole frames only */
    uint8_t bytes[];
};

enum edge__metric {
    EDGE__M_CONNECTIONS,
    EDGE__M_PENDING,
    EDGE__M_ACCEPTED,
    EDGE__M_OPENED,
    EDGE__M_REFUSED_THROTTLE,
    EDGE__M_REFUSED_ADDRESS,
    EDGE__M_REFUSED_FULL,
    EDGE__M_REFUSED_DESCRIPTORS,
    EDGE__M_REFUSED_DRAINING,
    EDGE__M_REFUSED_PROXY,
    EDGE__M_REFUSED_HANDSHAKE,
    EDGE__M_REFUSED_MEMORY,
    EDGE__M_REFUSED_LOAD,
    EDGE__M_REQUESTS_FLOOD,
    EDGE__M_HTTP_2XX,
    EDGE__M_HTTP_3XX,
    EDGE__M_HTTP_4XX,
    EDGE__M_HTTP_5XX,
    EDGE__M_BYTES_IN,
    EDGE__M_BYTES_OUT,
    EDGE__M_MESSAGES_IN,
    EDGE__M_MESSAGES_OUT,
    EDGE__M_PINGS,
    EDGE__M_DEAD,
    EDGE__M_SLOW,
    EDGE__M_FLOODS,
    EDGE__M_CLOSED_FIRST /* one a code, see edge__close_codes */
};
extern const uint16_t edge__close_codes[];
enum { EDGE__CLOSE_CODES = 20, EDGE__METRICS = EDGE__M_CLOSED_FIRST + EDGE__CLOSE_CODES };

struct edge_net {
    struct edge_net_conf conf;
    int epoll;
    uint32_t conn_count;    /* slab entries, whatever their state */
    uint32_t pending_count; /* accepted, not upgraded (http.c) */
    int descriptor_limit;
    uv_poll_t poll;
    struct mer_hook hook;
    struct mer_deferred work;     /* queued while something is corked or ended: makes the loop run its hooks again before it waits */
    struct mer_timer ended_timer; /* more ended in a turn than may be released: the loop must not wait */
    struct mer_slab slab;
    struct edge_throttle throttle;
    struct edge_conn *ended, **ended_tail;
    uint64_t ends_turn; /* the turn that `ends` counts for */
    unsigned ends;
    uint8_t *in, *area;
    uint32_t area_len, cork_count;
    struct edge__cork corks[EDGE__CORKS];
    const struct edge_conn_ops *ops[EDGE__OPS];
    uint8_t ops_count;
    uint64_t values[EDGE__METRICS];
    struct mer_metric_set metric_set;
    SSL_CTX *tls; /* of the listeners, borrowed; NULL: plain */
    uint64_t certificate_left;
    struct mer_metric_set certificate_set; /* only with tls: who has no certificate does not miss one */
};

/* Something is left for the end of the turn, even when that has passed already. */
static inline void edge__net_work(struct edge_net *n)
{
    mer_loop_defer(n->conf.loop, &n->work);
}

static inline void edge__count(struct edge_net *n, enum edge__metric m)
{
    n->values[m]++;
}

/* net.c */
uint8_t edge__net_ops(struct edge_net *n, const struct edge_conn_ops *ops);
/* From now on /metrics tells how long the certificate lasts. The context outlives the net; again for each listener. */
void edge__net_certificate(struct edge_net *n, SSL_CTX *tls);

/* conn.c: an upgraded descriptor becomes a connection. Takes fd and ssl (also on failure); NULL when out of memory. The throttle's count,
 * when tracked, becomes the connection's. */
struct edge_conn *edge__conn_open(struct edge_net *n, int fd, SSL *ssl, const struct edge_addr *peer, uint8_t kind, bool tracked);
/* Bytes that came before the take-over; then whatever OpenSSL still holds. */
void edge__conn_early(struct edge_conn *c, const uint8_t *data, size_t len);
void edge__conn_event(struct edge_conn *c, uint32_t events);
/* Closes the descriptor; the rest at the end of the turn. Idempotent. */
void edge__conn_drop(struct edge_conn *c);
/* Calls closed, when it was not, and releases when dead. */
void edge__conn_end(struct edge_conn *c);
void edge__conn_queue_end(struct edge_conn *c);
void edge__conn_arm(struct edge_conn *c);
/* Everything queued is with the kernel. */
void edge__conn_sent_all(struct edge_conn *c);
/* The reader is too slow: what can be dropped is, the close frame goes in its place. */
void edge__conn_too_slow(struct edge_conn *c);

/* out.c */
void edge__out_frame(struct edge_conn *c, uint8_t opcode, const void *data, size_t len);
void edge__out_flush_all(struct edge_net *n);
void edge__out_writable(struct edge_conn *c);
void edge__out_free(struct edge_conn *c);
/* Drops every queued frame that has not begun to leave. */
void edge__out_cut(struct edge_conn *c);
/* When the outbox has been stuck too long; UINT64_MAX without one. */
uint64_t edge__out_deadline_ms(const struct edge_conn *c);
