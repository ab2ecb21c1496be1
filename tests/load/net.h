/* SPDX-License-Identifier: Apache-2.0
 * net.h - many WebSocket connections in one process: an epoll set of its own, explicit source addresses and ports, TLS where the address
 * says wss.
 *
 * Sources are 127.0.1.1, 127.0.1.2, ... (or others that are this machine's) with ports in sequence, because the kernel's own search for a
 * free port costs ten times more; ends are RST (SO_LINGER 0), so that a run leaves no TIME_WAIT behind. A connection lives inside its owner
 * and can be opened again after it went down. */
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>

#include <meridian/buf.h>
#include <meridian/rng.h>

struct load_url { /* of one edge's player port */
    struct sockaddr_in address;
    bool tls;
    char authority[64]; /* host:port, for Host */
    char host[48];
    char path[64];
};
/* "ws://host:port/path" or "wss:..."; host is an IPv4 address or a name that has one. */
MER_MUST_CHECK enum mer_err load_url_parse(struct load_url *out, const char *text);

enum load_conn_state { LOAD_CONN_DOWN, LOAD_CONN_TCP, LOAD_CONN_TLS, LOAD_CONN_UPGRADE, LOAD_CONN_OPEN };

struct load_end {     /* why a connection went down */
    int close_code;   /* of the server's close frame; 0: there was none */
    int status;       /* HTTP status that was not 101; 0: it did not come so far, or was fine */
    char reason[124]; /* of the close frame, or in words */
    uint32_t retry_ms;
};

struct load_net;
struct load_conn {
    struct load_net *net;
    uint32_t id, generation;
    int fd;
    uint8_t state, message_opcode;
    bool wants_write;
    const struct load_url *url;
    const struct load_net_cbs *cbs; /* kept; the net's unless set after load_conn_add */
    const char *get;                /* kept; NULL: WebSocket. A path to GET instead: its status comes by on_down */
    const char *session;            /* kept; the one to come back to, which the upgrade names; "" or NULL: none */
    SSL *ssl;
    char accept[29];
    struct mer_buf in, out, message;
};

struct load_net_cbs {
    /* The upgrade is through. */
    void (*on_open)(struct load_conn *c);
    /* A whole text or binary message, borrowed; the connection may be closed inside. */
    void (*on_message)(struct load_conn *c, const uint8_t *data, size_t len);
    /* The peer ended it, or it failed. Never inside load_conn_open; does not come after load_conn_close. It may be opened again inside. */
    void (*on_down)(struct load_conn *c, const struct load_end *end);
};

struct load_net {
    int epoll;
    const struct load_net_cbs *cbs;
    const char *subprotocol;
    const struct mer_rng *rng;
    SSL_CTX *tls;
    struct load_conn **conn; /* by id */
    uint32_t conns, conn_cap;
    uint16_t *next_port; /* a source address */
    uint32_t sources, next_source, source_from;
    uint8_t *buffer;
    uint64_t opened, bytes_in, bytes_out;
};

struct load_sources { /* source addresses: so many from that on */
    const char *from;
    uint32_t count;
};
/* ca_file: for wss, NULL otherwise. */
MER_MUST_CHECK enum mer_err load_net_init(struct load_net *n, const struct load_net_cbs *cbs, const struct load_sources *sources,
                                          const char *ca_file, struct mer_msg *msg);
void load_net_deinit(struct load_net *n);
/* Waits at most timeout_us for something to happen and handles it. */
void load_net_wait(struct load_net *n, uint64_t timeout_us);

/* Gives the connection its id; once. */
MER_MUST_CHECK enum mer_err load_conn_add(struct load_net *n, struct load_conn *c);
/* Begins to connect. MER_EIO when no descriptor or source port could be had. */
MER_MUST_CHECK enum mer_err load_conn_open(struct load_conn *c, const struct load_url *url);
/* One message, sent at once. MER_ECLOSED unless open; a failing socket is told by on_down later. */
MER_MUST_CHECK enum mer_err load_conn_send(struct load_conn *c, uint8_t opcode, const void *data, size_t len);
/* At once, with RST. Harmless when down. */
void load_conn_close(struct load_conn *c);
