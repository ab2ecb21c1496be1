/* SPDX-License-Identifier: Apache-2.0
 * net_fixture.h - an edge's net layer on a real loop and real sockets of 127.0.0.1, in one thread with its clients: every wait turns the
 * loop. Time is the fake clock's, so deadlines of 30 s take none. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "edge/net/http.h"
#include "fake_clock.h"
#include "metric_moved.h"
#include "unit.h"

#define WS_HEAD(path) \
    "GET " path " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

enum { NET_PATIENCE_MS = 5000, NET_MAX_OPENED = 512 };

struct net_fix {
    struct fake_clock fake;
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct edge_net_conf net_conf;
    struct edge_http_conf http_conf;
    struct edge_net *net;
    struct edge_http *http;
    SSL_CTX *tls;
    struct edge_upgrade_route upgrades[2];
    struct edge_conn *conn[NET_MAX_OPENED]; /* those of /v1/ws in the order of their upgrade; NULL after closed */
    unsigned opened, closed;
    uint16_t close_code[NET_MAX_OPENED];
    struct edge_upgrade info; /* of the last one */
    char query[256];
    char message[1024]; /* the last one */
    size_t message_len;
    unsigned messages;
    void (*on_message)(struct net_fix *f, struct edge_conn *c);
};

struct net_slot {
    struct net_fix *f;
    unsigned i;
};
static struct net_slot net_slots[NET_MAX_OPENED];

static inline void net_step(struct net_fix *f)
{
    f->loop.turns++;
    f->loop.now_ms = fake_clock_now_ms(&f->fake);
    uv_run(&f->loop.uv, UV_RUN_NOWAIT);
}
/* Lets everything that needs no new input happen. */
static inline void net_settle(struct net_fix *f)
{
    for (int i = 0; i < 20; i++)
        net_step(f);
}
static inline void net_advance(struct net_fix *f, uint64_t ms)
{
    f->fake.mono_us += ms * 1000;
    f->loop.now_ms = fake_clock_now_ms(&f->fake);
    mer_wheel_advance(&f->loop.wheel, f->loop.now_ms, 100000);
    net_settle(f);
}

/* Waits (turning) until cond, or the test fails. */
#define net_until(f, cond) \
    do { \
        struct timespec start_, now_; \
        clock_gettime(CLOCK_MONOTONIC, &start_); \
        while (!(cond)) { \
            net_step(f); \
            poll(NULL, 0, 1); \
            clock_gettime(CLOCK_MONOTONIC, &now_); \
            if ((now_.tv_sec - start_.tv_sec) * 1000 + (now_.tv_nsec - start_.tv_nsec) / 1000000 > NET_PATIENCE_MS) \
                fail_msg("waited in vain for %s", #cond); \
        } \
    } while (0)

static inline void net_on_message(struct edge_conn *c, enum edge_opcode op, uint8_t *data, size_t len)
{
    struct net_slot *s = c->user;
    (void)op;
    s->f->messages++;
    s->f->message_len = len;
    memcpy(s->f->message, data, len < sizeof(s->f->message) ? len : sizeof(s->f->message));
    if (s->f->on_message != NULL)
        s->f->on_message(s->f, c);
}
static inline void net_on_closed(struct edge_conn *c, uint16_t code)
{
    struct net_slot *s = c->user;
    assert_ptr_equal(s->f->conn[s->i], c); /* once */
    s->f->conn[s->i] = NULL;
    s->f->close_code[s->i] = code;
    s->f->closed++;
}
static inline void net_opened(void *ctx, struct edge_conn *c, const struct edge_upgrade *info)
{
    struct net_fix *f = ctx;
    assert_true(f->opened < NET_MAX_OPENED);
    net_slots[f->opened] = (struct net_slot){f, f->opened};
    c->user = &net_slots[f->opened];
    f->conn[f->opened++] = c;
    f->info = *info;
    snprintf(f->query, sizeof(f->query), "%.*s", (int)info->query.len, info->query.p);
}

/* Defaults, then a test may change f->net_conf and f->http_conf, then net_start. */
static inline struct net_fix *net_fix_new(void)
{
    static const struct edge_conn_ops ops = {net_on_message, net_on_closed};
    static const char *const subprotocols[] = {"meridian.v1.json", "meridian.v1.proto", NULL};
    struct net_fix *f = calloc(1, sizeof(*f));
    struct mer_clock clock = fake_clock_init(&f->fake);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(mer_loop_init(&f->loop, clock), 0);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY | O_CLOEXEC), MER_INFO, clock);
    mer_metrics_init(&f->metrics);
    edge_net_conf_default(&f->net_conf);
    f->net_conf.loop = &f->loop;
    f->net_conf.log = &f->log;
    f->net_conf.metrics = &f->metrics;
    f->net_conf.rng = mer_rng_system();
    f->net_conf.address_connections = f->net_conf.address_pending = f->net_conf.address_handshakes.per_second = 0;
    f->upgrades[0] = (struct edge_upgrade_route){"/v1/ws", subprotocols, &ops, net_opened, f};
    f->upgrades[1] = edge_echo_route("/v1/echo");
    edge_http_conf_default(&f->http_conf);
    f->http_conf.upgrades = f->upgrades;
    f->http_conf.upgrade_count = 2;
    f->http_conf.native = true;
    return f;
}
static inline void net_start(struct net_fix *f)
{
    struct mer_msg msg = {""};
    assert_int_equal(edge_net_create(&f->net, &f->net_conf), MER_OK);
    f->http_conf.net = f->net;
    assert_int_equal(edge_http_create(&f->http, &f->http_conf, &msg), MER_OK);
    if (edge_http_listen(f->http, "127.0.0.1:0", f->tls, false, &msg) != MER_OK)
        fail_msg("%s", msg.text);
}
static inline int net_fix_free(void **state)
{
    struct net_fix *f = *state;
    if (f->http != NULL)
        edge_http_destroy(f->http);
    edge_net_destroy(f->net);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    SSL_CTX_free(f->tls);
    assert_int_equal(f->closed, f->opened); /* every connection was told its end */
    free(f);
    return 0;
}
static inline int net_fix_default(void **state)
{
    struct net_fix *f = net_fix_new();
    net_start(f);
    *state = f;
    return 0;
}
static inline int net_fix_unstarted(void **state)
{
    *state = net_fix_new();
    return 0;
}

/* --- clients */

static inline int net_connect(struct net_fix *f)
{
    const char *address = edge_http_address(f->http, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    a.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}
static inline void net_send(struct net_fix *f, int fd, const void *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, (const char *)data + at, len - at, MSG_NOSIGNAL);
        if (n > 0)
            at += (size_t)n;
        else if (errno != EAGAIN)
            return; /* the server is gone: what the test expects tells it */
        net_step(f);
    }
}
/* Bytes until the end of the connection, or `want` of them. */
static inline size_t net_recv(struct net_fix *f, int fd, void *out, size_t want)
{
    size_t have = 0;
    bool end = false;
    net_until(f, ({
                  ssize_t n = recv(fd, (char *)out + have, want - have, 0);
                  if (n > 0)
                      have += (size_t)n;
                  end = n == 0 || (n < 0 && errno != EAGAIN);
                  end || have == want;
              }));
    return have;
}
#define assert_ended(f, fd) \
    do { \
        char end_[1]; \
        assert_int_equal(net_recv((f), (fd), end_, 1), 0); \
        close(fd); \
    } while (0)

/* A frame of a client, masked. Returns its length. */
static inline size_t net_frame(uint8_t *out, uint8_t first, const void *data, size_t len)
{
    static const uint8_t mask[4] = {0x11, 0x22, 0x33, 0x44};
    size_t h = len < 126 ? 2 : len < 65536 ? 4 : 10;
    out[0] = first;
    out[1] = (uint8_t)(0x80 | (h == 2 ? len : h == 4 ? 126 : 127));
    for (size_t i = 2; i < h; i++)
        out[i] = (uint8_t)(len >> 8 * (h - 1 - i));
    memcpy(out + h, mask, 4);
    for (size_t i = 0; i < len; i++)
        out[h + 4 + i] = ((const uint8_t *)data)[i] ^ mask[i & 3];
    return h + 4 + len;
}
static inline void net_send_frame(struct net_fix *f, int fd, uint8_t first, const void *data, size_t len)
{
    uint8_t *bytes = malloc(len + 14);
    net_send(f, fd, bytes, net_frame(bytes, first, data, len));
    free(bytes);
}
/* The answer's head up to the empty line, terminated; the body is not read. */
static inline void net_head(struct net_fix *f, int fd, char *out, size_t out_bytes)
{
    size_t n = 0;
    out[0] = '\0';
    while (strstr(out, "\r\n\r\n") == NULL && n + 1 < out_bytes && net_recv(f, fd, out + n, 1) == 1)
        out[++n] = '\0';
}
/* A client of /v1/ws (or another path with its query) after its 101. */
static inline int net_open_path(struct net_fix *f, const char *request)
{
    char head[1024];
    int fd = net_connect(f);
    net_send(f, fd, request, strlen(request));
    net_head(f, fd, head, sizeof(head));
    assert_memory_equal(head, "HTTP/1.1 101 ", 13);
    return fd;
}
static inline int net_open(struct net_fix *f)
{
    return net_open_path(f, WS_HEAD("/v1/ws") "\r\n");
}
/* The next frame; pings of the server are skipped. Returns its payload's length. */
static inline size_t net_next(struct net_fix *f, int fd, uint8_t *first, uint8_t *out, size_t out_bytes)
{
    uint8_t h[10];
    size_t len;
    do {
        assert_int_equal(net_recv(f, fd, h, 2), 2);
        size_t ext = h[1] == 127 ? 8 : h[1] == 126 ? 2 : 0;
        assert_int_equal(net_recv(f, fd, h + 2, ext), ext);
        len = h[1];
        for (size_t i = 0; ext != 0 && i < ext; i++)
            len = (i == 0 ? 0 : len << 8) | h[2 + i];
        assert_true(len <= out_bytes);
        assert_int_equal(net_recv(f, fd, out, len), len);
    } while (h[0] == 0x89);
    *first = h[0];
    return len;
}
#define assert_frame(f, fd, want_first, want, want_len) \
    do { \
        static uint8_t got_[1 << 20]; \
        uint8_t first_; \
        size_t n_ = net_next((f), (fd), &first_, got_, sizeof(got_)); \
        assert_int_equal(first_, (want_first)); \
        assert_int_equal(n_, (want_len)); \
        assert_memory_equal(got_, (want), (want_len)); \
    } while (0)
/* A close frame with this code comes, then the end. */
#define assert_closed_with(f, fd, want_code) \
    do { \
        uint8_t got_[128], first_; \
        size_t n_ = net_next((f), (fd), &first_, got_, sizeof(got_)); \
        assert_int_equal(first_, 0x88); \
        assert_true(n_ >= 2); \
        assert_int_equal(got_[0] << 8 | got_[1], (want_code)); \
        assert_ended((f), (fd)); \
    } while (0)
