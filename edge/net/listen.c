/* SPDX-License-Identifier: Apache-2.0
 * listen.c - listening, and all that happens to a descriptor before libh2o sees it: whose it is (PROXY v2 from listed balancers), whether
 * its address may have another (throttle), whether the process may (admission, descriptors).
 *
 * Who is refused is told so where that is cheap: a bounded number of connections is let through to h2o only to be answered 429 or 503 with
 * Retry-After; beyond that they are answered without h2o (refuse.c) where there is no TLS, and closed at once where there is. In a hurry
 * the gate is asked here, not at the upgrade.
 *
 * Descriptors: the kernel gives the lowest free number, so the number itself says how full the table is. At EMFILE a level-triggered
 * listener would spin: a spare descriptor is closed, one connection accepted and closed, the spare taken again. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <meridian/mem.h>

#include "edge/net/http_private.h"

enum { BACKLOG = 4096, PAUSE_MS = 100 };

/* A connection of a balancer whose PROXY header has not come whole. */
struct proxied {
    struct edge__listener *listener;
    struct mer_list node;
    uv_poll_t poll;
    struct mer_timer timer;
    struct edge_addr peer;
    int fd;
    bool complete;
    size_t have;
    uint8_t header[EDGE_PROXY_MAX_BYTES];
};

static void from_sockaddr(struct edge_addr *a, const struct sockaddr_storage *ss)
{
    const struct sockaddr_in *v4 = (const void *)ss;
    const struct sockaddr_in6 *v6 = (const void *)ss;
    if (ss->ss_family == AF_INET)
        edge_addr_from_v4(a, &v4->sin_addr, ntohs(v4->sin_port));
    else
        edge_addr_from_v6(a, &v6->sin6_addr, ntohs(v6->sin6_port));
}

void edge__pending_free(struct edge__pending *p, bool upgraded)
{
    struct edge_http *h = p->http;
    if (p->tracked)
        edge_throttle_leave(&h->net->throttle, &p->peer, false);
    if (p->upgrading != NULL && !upgraded)
        edge__upgrade_abandon(p->upgrading);
    if (p->refuse != EDGE__REFUSE_NO)
        h->refusals--;
    h->net->pending_count--;
    mer_list_remove(&p->node);
    mer_free(&p);
}

static void on_socket_closed(void *data)
{
    edge__pending_free(data, false);
}

static void on_tls_info(const SSL *ssl, int where, int ret)
{
    (void)ret;
    if (!(where & SSL_CB_HANDSHAKE_DONE))
        return;
    h2o_socket_t *sock = BIO_get_data(SSL_get_rbio(ssl));
    struct edge__pending *p = sock->on_close.data;
    p->ssl = (SSL *)ssl;
}

struct entry { /* what was decided about a connection */
    enum edge__refuse refuse;
    bool tracked, let_in;
};

/* Hands the descriptor to h2o; taken, also on failure. */
static void to_h2o(struct edge__listener *l, int fd, const struct edge_addr *peer, const struct entry *e)
{
    struct edge_http *h = l->http;
    struct edge__pending *p = mer_try_calloc(1, sizeof(*p));
    uv_tcp_t *tcp = mer_try_malloc(sizeof(*tcp));
    if (p == NULL || tcp == NULL || uv_tcp_init(&h->net->conf.loop->uv, tcp) != 0) {
        edge__count(h->net, EDGE__M_REFUSED_MEMORY);
        if (e->tracked)
            edge_throttle_leave(&h->net->throttle, peer, false);
        mer_free(&p);
        mer_free(&tcp);
        close(fd);
        return;
    }
    MER_ASSERT(uv_tcp_open(tcp, fd) == 0); /* ours, a socket, non-blocking */
    *p = (struct edge__pending){.http = h,
                                .peer = *peer,
                                .accepted_ms = h->net->conf.loop->now_ms,
                                .tls = l->accept.ssl_ctx != NULL,
                                .tracked = e->tracked,
                                .let_in = e->let_in,
                                .refuse = (uint8_t)e->refuse};
    mer_bucket_init(&p->requests, h->conf.requests, p->accepted_ms);
    mer_list_push_back(&h->pending, &p->node);
    h->net->pending_count++;
    if (e->refuse != EDGE__REFUSE_NO)
        h->refusals++;
    p->sock = h2o_uv_socket_create((uv_stream_t *)tcp, (uv_close_cb)free);
    p->sock->on_close.cb = on_socket_closed;
    p->sock->on_close.data = p;
    h2o_accept(&l->accept, p->sock);
}

/* Too much to do: a stranger is sent away before h2o or a TLS handshake is spent on him. True: fd is taken. */
static bool hurried_away(struct edge__listener *l, int fd, struct entry *e)
{
    struct edge_http *h = l->http;
    const struct edge_gate *gate = &h->conf.gate;
    if (gate->hurry == NULL || !gate->hurry(gate->ctx))
        return false;
    if (l->accept.ssl_ctx == NULL)
        return edge__refuse_early(h, fd, &e->let_in);
    if (gate->handshake(gate->ctx))
        return false;
    edge__count(h->net, EDGE__M_REFUSED_LOAD);
    close(fd);
    return true;
}

static void admit(struct edge__listener *l, int fd, const struct edge_addr *peer)
{
    struct edge_http *h = l->http;
    struct edge_net *n = h->net;
    struct entry e = {.refuse = EDGE__REFUSE_NO};
    enum edge_admit answer = edge_throttle_enter(&n->throttle, peer, n->conf.loop->now_ms, &e.tracked);
    if (answer != EDGE_ADMIT_OK) {
        edge__count(n, answer == EDGE_ADMIT_REFUSE ? EDGE__M_REFUSED_THROTTLE : EDGE__M_REFUSED_ADDRESS);
        e.refuse = EDGE__REFUSE_RATE;
    }
    if (answer != EDGE_ADMIT_CLOSE) {
        bool low = fd >= n->descriptor_limit - (int)n->conf.reserve_descriptors;
        if (low || n->conn_count + n->pending_count >= n->conf.max_connections || n->pending_count >= n->conf.max_pending) {
            edge__count(n, low ? EDGE__M_REFUSED_DESCRIPTORS : EDGE__M_REFUSED_FULL);
            e.refuse = EDGE__REFUSE_FULL;
        }
    }
    bool gone = answer == EDGE_ADMIT_CLOSE || (e.refuse != EDGE__REFUSE_NO && h->refusals >= EDGE__REFUSALS);
    if (gone && e.refuse == EDGE__REFUSE_FULL && l->accept.ssl_ctx == NULL)
        edge__refuse_fd(h, fd);
    else if (gone)
        close(fd);
    else if (e.refuse == EDGE__REFUSE_NO)
        gone = hurried_away(l, fd, &e);
    if (!gone)
        to_h2o(l, fd, peer, &e);
    else if (e.tracked)
        edge_throttle_leave(&n->throttle, peer, false);
}

static void on_proxied_closed(uv_handle_t *handle)
{
    struct proxied *x = handle->data;
    mer_list_remove(&x->node);
    if (x->complete && !x->listener->http->listening_stopped)
        admit(x->listener, x->fd, &x->peer);
    else
        close(x->fd);
    mer_free(&x);
}

static void proxied_done(struct proxied *x, bool complete)
{
    if (uv_is_closing((uv_handle_t *)&x->poll))
        return;
    x->complete = complete;
    if (!complete)
        edge__count(x->listener->http->net, EDGE__M_REFUSED_PROXY);
    mer_loop_disarm(x->listener->http->net->conf.loop, &x->timer);
    uv_poll_stop(&x->poll);
    uv_close((uv_handle_t *)&x->poll, on_proxied_closed); /* only then may h2o put the descriptor into the loop */
}

/* Reads no byte beyond the header. 1: complete, 0: more is to come, -1: not good. */
static int read_proxy(struct proxied *x)
{
    for (;;) {
        size_t need = EDGE_PROXY_FIXED_BYTES;
        if (x->have >= need)
            need += (size_t)x->header[14] << 8 | x->header[15];
        ssize_t got = recv(x->fd, x->header + x->have, need - x->have, 0);
        if (got <= 0)
            return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
        x->have += (size_t)got;
        int len = edge_proxy_parse(x->header, x->have, &x->peer);
        if (len != 0)
            return len > 0 ? 1 : -1;
    }
}

static void on_proxied_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct proxied *x = poll->data;
    int got = read_proxy(x);
    if (got != 0)
        proxied_done(x, got > 0);
}

static void on_proxied_timer(struct mer_timer *t)
{
    proxied_done(MER_CONTAINER_OF(t, struct proxied, timer), false);
}

static void expect_proxy(struct edge__listener *l, int fd, const struct edge_addr *peer)
{
    struct edge_http *h = l->http;
    struct proxied *x = mer_try_calloc(1, sizeof(*x));
    if (x == NULL) {
        edge__count(h->net, EDGE__M_REFUSED_MEMORY);
        close(fd);
        return;
    }
    x->listener = l;
    x->fd = fd;
    x->peer = *peer;
    int got = read_proxy(x); /* it is nearly always there already */
    if (got > 0)
        admit(l, fd, &x->peer);
    bool wait = got == 0 && uv_poll_init(&h->net->conf.loop->uv, &x->poll, fd) == 0;
    if (!wait) {
        if (got <= 0) {
            edge__count(h->net, EDGE__M_REFUSED_PROXY);
            close(fd);
        }
        mer_free(&x);
        return;
    }
    x->poll.data = x;
    mer_list_push_back(&h->proxied, &x->node);
    mer_timer_init(&x->timer, on_proxied_timer);
    mer_loop_arm(h->net->conf.loop, &x->timer, h->conf.request_ms);
    uv_poll_start(&x->poll, UV_READABLE, on_proxied_readable);
}

static bool from_balancer(const struct edge_http *h, const struct edge_addr *peer)
{
    for (size_t i = 0; i < h->conf.balancer_count; i++)
        if (edge_cidr_has(&h->balancers[i], peer))
            return true;
    return false;
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void on_pause_over(struct mer_timer *t)
{
    struct edge__listener *l = MER_CONTAINER_OF(t, struct edge__listener, pause);
    uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
}

/* One of those who wait is accepted on the spare descriptor and closed. False when there is none, or no spare either: then the listener
 * pauses, because it would wake us without end. */
static bool out_of_descriptors(struct edge__listener *l)
{
    struct edge_http *h = l->http;
    if (h->spare_fd >= 0)
        close(h->spare_fd);
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    bool none_waits = fd < 0 && errno == EAGAIN;
    if (fd >= 0) {
        edge__count(h->net, EDGE__M_REFUSED_DESCRIPTORS);
        close(fd);
    }
    h->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 && !none_waits) {
        uv_poll_stop(&l->poll);
        mer_loop_arm(h->net->conf.loop, &l->pause, PAUSE_MS);
    }
    return fd >= 0;
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct edge__listener *l = poll->data;
    for (int i = 0; i < EDGE__ACCEPTS; i++) {
        struct sockaddr_storage ss;
        socklen_t len = sizeof(ss);
        int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
            if (!out_of_descriptors(l))
                return;
            continue;
        }
        if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
            continue;
        if (fd < 0)
            return; /* nobody is waiting, or the kernel is out of memory: asked again at the next wake */
        struct edge_addr peer;
        from_sockaddr(&peer, &ss);
        edge__count(l->http->net, EDGE__M_ACCEPTED);
        if (from_balancer(l->http, &peer))
            expect_proxy(l, fd, &peer);
        else
            admit(l, fd, &peer);
    }
}

/* Set on the listening socket: accepted ones inherit them all, which saves six system calls a connection. A vanished peer is found by
 * keepalive probes that are not answered for user_timeout. */
static void set_options(int fd, const struct edge_net_conf *c, bool shared)
{
    int on = 1, off = 0, idle = (int)c->user_timeout_ms * 4 / 10 / 1000, every = (int)c->user_timeout_ms / 5 / 1000, probes = 5;
    unsigned timeout_ms = c->user_timeout_ms;
    idle = idle > 0 ? idle : 1;
    every = every > 0 ? every : 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* fails on IPv4, as it may */
}

static enum mer_err resolve(const char *address, struct addrinfo **out, struct mer_msg *msg)
{
    char host[EDGE_ADDR_TEXT_BYTES];
    const char *colon = strrchr(address, ':');
    size_t len = colon != NULL ? (size_t)(colon - address) : 0;
    bool bracketed = len >= 2 && address[0] == '[' && address[len - 1] == ']';
    char *end = NULL;
    unsigned long port = colon != NULL && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : UINT16_MAX + 1UL;
    if (len == 0 || len >= sizeof(host) || port > UINT16_MAX || *end != '\0') {
        mer_msgf(msg, "%s: not of the form address:port", address);
        return MER_EINVALID;
    }
    memcpy(host, address + (bracketed ? 1 : 0), len - (bracketed ? 2 : 0));
    host[len - (bracketed ? 2 : 0)] = '\0';
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    int err = getaddrinfo(host, colon + 1, &hints, out);
    if (err != 0)
        mer_msgf(msg, "%s: %s", address, gai_strerror(err));
    return err == 0 ? MER_OK : MER_EINVALID;
}

static enum mer_err open_socket(struct edge__listener *l, const char *address, bool shared, struct mer_msg *msg)
{
    struct addrinfo *ai;
    enum mer_err err = resolve(address, &ai, msg);
    if (err != MER_OK)
        return err;
    l->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd >= 0)
        set_options(l->fd, &l->http->net->conf, shared);
    if (l->fd < 0 || bind(l->fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(l->fd, BACKLOG) != 0) {
        mer_msgf(msg, "%s: %s", address, strerror(errno));
        if (l->fd >= 0)
            close(l->fd);
        err = MER_EIO;
    }
    freeaddrinfo(ai);
    if (err != MER_OK)
        return err;
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    struct edge_addr bound;
    getsockname(l->fd, (struct sockaddr *)&ss, &len);
    from_sockaddr(&bound, &ss);
    edge_addr_text(&bound, false, l->address);
    return MER_OK;
}

enum mer_err edge_http_listen(struct edge_http *h, const char *address, SSL_CTX *tls, bool shared, struct mer_msg *msg)
{
    struct edge__listener *l = mer_try_calloc(1, sizeof(*l));
    if (l == NULL)
        return MER_ENOMEM;
    l->http = h;
    enum mer_err err = open_socket(l, address, shared, msg);
    if (err != MER_OK || uv_poll_init(&h->net->conf.loop->uv, &l->poll, l->fd) != 0) {
        if (err == MER_OK)
            close(l->fd);
        mer_free(&l);
        return err != MER_OK ? err : MER_EIO;
    }
    l->accept = (h2o_accept_ctx_t){.ctx = &h->context, .hosts = h->globalconf.hosts, .ssl_ctx = tls};
    if (tls != NULL) {
        SSL_CTX_set_info_callback(tls, on_tls_info);
        edge__net_certificate(h->net, tls);
    }
    l->poll.data = l;
    mer_timer_init(&l->pause, on_pause_over);
    mer_list_push_back(&h->listeners, &l->node);
    h->listening_stopped = false;
    uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
    return MER_OK;
}

const char *edge_http_address(const struct edge_http *h, size_t i)
{
    MER_LIST_EACH (node, &h->listeners)
        if (i-- == 0)
            return MER_LIST_ENTRY(node, struct edge__listener, node)->address;
    return NULL;
}

void edge__listen_stop(struct edge_http *h)
{
    if (h->listening_stopped)
        return;
    h->listening_stopped = true;
    MER_LIST_EACH (node, &h->listeners) { /* the records stay: connections being accepted point to them */
        struct edge__listener *l = MER_LIST_ENTRY(node, struct edge__listener, node);
        if (l->fd < 0)
            continue; /* of before a drain that was taken back */
        mer_loop_disarm(h->net->conf.loop, &l->pause);
        uv_poll_stop(&l->poll);
        uv_close((uv_handle_t *)&l->poll, NULL);
        close(l->fd);
        l->fd = -1;
    }
    MER_LIST_EACH (node, &h->proxied)
        proxied_done(MER_LIST_ENTRY(node, struct proxied, node), false);
}

void edge__listen_drop_all(struct edge_http *h)
{
    /* h2o has no way to close a connection from outside; an end of its descriptor makes it do so itself */
    MER_LIST_EACH (node, &h->pending) {
        struct edge__pending *p = MER_LIST_ENTRY(node, struct edge__pending, node);
        int fd = h2o_socket_get_fd(p->sock);
        if (fd >= 0)
            shutdown(fd, SHUT_RDWR);
    }
}
