/* SPDX-License-Identifier: Apache-2.0
 * conn.h - a player's WebSocket connection after the upgrade, in 128 bytes, and the net layer that all of them belong to.
 *
 * An idle connection is its slab entry and nothing on the heap. All share one receive buffer, one area for corked writes, one epoll set
 * inside the loop. Framing, control frames, UTF-8, size limits, heartbeats, slow readers and the close handshake are done here; what a
 * message means and how many a player may send is the session's business (edge/session).
 *
 * Life: opened (http.h: the upgrade route's callback) -> message any number of times -> closed exactly once, last. Next: http.h. */
#pragma once

#include <openssl/ssl.h>

#include <meridian/bucket.h>
#include <meridian/log.h>
#include <meridian/loop.h>
#include <meridian/metric.h>
#include <meridian/rng.h>

#include "edge/net/addr.h"

struct edge_net;
struct edge_conn;

enum edge_opcode { EDGE_TEXT = 1, EDGE_BINARY = 2 };

/* Close codes (protocol.md, Errors and closing). */
enum edge_close_code {
    EDGE_CLOSE_DONE = 1000,
    EDGE_CLOSE_LEAVING = 1001,
    EDGE_CLOSE_PROTOCOL = 1002,
    EDGE_CLOSE_TYPE = 1003,
    EDGE_CLOSE_NONE = 1005, /* never on the wire: the peer's close frame had no code */
    EDGE_CLOSE_LOST = 1006, /* never on the wire: the connection ended without a close frame */
    EDGE_CLOSE_UTF8 = 1007,
    EDGE_CLOSE_POLICY = 1008,
    EDGE_CLOSE_TOO_BIG = 1009,
    EDGE_CLOSE_INTERNAL = 1011,
    EDGE_CLOSE_RESTART = 1012,
    EDGE_CLOSE_OVERLOAD = 1013,
    EDGE_CLOSE_TOKEN_EXPIRED = 3001,
    EDGE_CLOSE_TOO_SLOW = 3004,
    EDGE_CLOSE_MOVED = 3007,
    EDGE_CLOSE_AUTH = 3500,
    EDGE_CLOSE_REVOKED = 3501,
    EDGE_CLOSE_REPLACED = 3502,
    EDGE_CLOSE_VERSION = 3508
};

enum { EDGE_CLOSE_REASON_MAX = 123 };

/* What the owner of a connection gives. Both may call anything here on any connection, this one included (C8). */
struct edge_conn_ops {
    /* One whole message, unmasked; text is valid UTF-8. Borrowed, and writable: the owner may use the bytes as scratch. Never again after
     * edge_conn_close on this connection. */
    void (*message)(struct edge_conn *c, enum edge_opcode op, uint8_t *data, size_t len);
    /* Exactly once, last: also after edge_conn_close. code: the one sent by us or received, EDGE_CLOSE_LOST when neither was. Never from
     * inside edge_conn_send or edge_conn_close. Afterwards `c` must not be used. */
    void (*closed)(struct edge_conn *c, uint16_t code);
};

struct edge_conn {
    void *user; /* the owner's */
    /* From here on private to edge/net. */
    struct edge_net *net;
    struct edge_conn *next;     /* in the net's queue of those that ended */
    SSL *ssl;                   /* NULL: plain */
    struct edge_reader *reader; /* NULL between messages */
    struct edge_outbox *outbox; /* NULL while the kernel takes everything */
    struct mer_timer timer;     /* heartbeat and every other deadline of this connection */
    struct edge_addr peer;      /* 18 bytes */
    uint16_t close_code;
    int fd;
    uint32_t heard_ms;         /* the peer's last byte, low 32 bits */
    uint32_t due_ms;           /* open: the next ping; closing: the end of the linger */
    uint32_t cork;             /* 1 + index of its entry in the net's cork table; 0: nothing corked */
    struct mer_bucket control; /* ping, pong flood */
    uint8_t state;             /* enum edge__state */
    uint8_t flags;
    uint8_t kind; /* whose it is: index into the net's table of ops */
};
_Static_assert(sizeof(struct edge_conn) <= 128, "the budget of an idle connection: 512 bytes with its session");

/* All limits of the net layer; edge_net_conf_default gives the numbers of reliability 5.3, the edge's configuration may change them. */
struct edge_net_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_metrics *metrics;
    struct mer_rng rng;           /* phases of heartbeats, hash seeds */
    uint32_t max_connections;     /* upgraded and not yet upgraded together */
    uint32_t max_pending;         /* of these, not yet upgraded: h2o may hold 400 KB for each */
    uint32_t reserve_descriptors; /* refused below so many free descriptors: Redis, links, one accept */
    uint32_t max_message_bytes, max_fragments;
    uint32_t message_ms;                       /* a message must be complete so long after its first byte */
    struct mer_bucket_rate control;            /* control frames from the peer */
    uint32_t heartbeat_ms;                     /* ping period; silent for three of them is dead */
    uint32_t user_timeout_ms;                  /* TCP_USER_TIMEOUT */
    uint32_t outbox_bytes, outbox_ms;          /* unsent: beyond either, 3004 */
    uint32_t linger_ms;                        /* how long a closing handshake may take */
    uint32_t address_connections;              /* per /32 or /64; 0: no limit */
    uint32_t address_pending;                  /* of these, not yet upgraded; at least a quarter of them; 0: no limit */
    struct mer_bucket_rate address_handshakes; /* per_second 0: no limit */
};

void edge_net_conf_default(struct edge_net_conf *c);

/* conf is copied. */
MER_MUST_CHECK enum mer_err edge_net_create(struct edge_net **out, const struct edge_net_conf *conf);
/* Connections now, upgraded ones. */
uint32_t edge_net_connections(const struct edge_net *n);
/* Calls back for every open (not closing) connection; the callback may close any. */
void edge_net_each(struct edge_net *n, void (*each)(struct edge_conn *c, void *ctx), void *ctx);
/* Drops what is left without a handshake (closed comes, 1006) and frees. The edge_http on top of it goes first. */
void edge_net_destroy(struct edge_net *n);

/* Queues one message; it leaves at the end of this turn (MER_PHASE_PLAYER), together with the connection's others in one system call. data
 * is copied. Ignored on a closing connection. A reader too slow for it is closed with 3004. */
void edge_conn_send(struct edge_conn *c, enum edge_opcode op, const void *data, size_t len);
/* Sends what is queued, then a close frame, and starts the closing handshake (linger_ms); `closed` comes at the end of this turn. reason
 * may be NULL; "code;retry=MS;...", cut at EDGE_CLOSE_REASON_MAX. Idempotent: the first one counts. */
void edge_conn_close(struct edge_conn *c, uint16_t code, const char *reason);
/* Not closing. */
bool edge_conn_is_open(const struct edge_conn *c);
/* Bytes queued that the kernel has not taken. */
size_t edge_conn_unsent(const struct edge_conn *c);
static inline const struct edge_addr *edge_conn_peer(const struct edge_conn *c)
{
    return &c->peer;
}
static inline bool edge_conn_is_tls(const struct edge_conn *c)
{
    return c->ssl != NULL;
}
