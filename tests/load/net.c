/* SPDX-License-Identifier: Apache-2.0
 * net.c - sockets of the load generator.
 *
 * Why not libmeridian's streams: they choose no source address, allocate per connection what 19,000 idle players cannot have, and a client
 * that shares the servers' code measures its own habits. Events carry the connection's generation, so one left over in a batch after the
 * connection was closed (and perhaps opened again) is passed over. Next: conn.c is the part above the bytes. */
#include "tests/load/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include <meridian/mem.h>

#include "tests/load/net_private.h"

enum { BUFFER_BYTES = 256 * 1024, EVENTS = 512, FIRST_PORT = 20000, LAST_PORT = 60999, PORT_TRIES = 64, READS = 4 };

enum mer_err load_url_parse(struct load_url *out, const char *text)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    char scheme[4], host[48], port[6], path[64];
    memset(out, 0, sizeof(*out));
    if (sscanf(text, "%3[ws]://%47[^:/]:%5[0-9]%63s", scheme, host, port, path) != 4)
        return MER_EINVALID;
    out->tls = strcmp(scheme, "wss") == 0;
    snprintf(out->authority, sizeof(out->authority), "%s:%s", host, port);
    snprintf(out->host, sizeof(out->host), "%s", host);
    snprintf(out->path, sizeof(out->path), "%s", path);
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return MER_ENOTFOUND;
    memcpy(&out->address, found->ai_addr, sizeof(out->address));
    freeaddrinfo(found);
    return MER_OK;
}

static SSL_CTX *tls_client(const char *ca_file)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    if (SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

enum mer_err load_net_init(struct load_net *n, const struct load_net_cbs *cbs, const struct load_sources *from, const char *ca_file,
                           struct mer_msg *msg)
{
    uint32_t sources = from->count;
    struct in_addr first;
    memset(n, 0, sizeof(*n));
    if (inet_pton(AF_INET, from->from, &first) != 1) {
        mer_msgf(msg, "\"%s\" is no IPv4 address", from->from);
        return MER_EINVALID;
    }
    n->cbs = cbs;
    n->source_from = ntohl(first.s_addr);
    n->sources = sources;
    n->buffer = mer_xmalloc(BUFFER_BYTES);
    n->next_port = mer_xcalloc(sources, sizeof(*n->next_port));
    for (uint32_t i = 0; i < sources;
         i++) /* another part of the range in each run: ports of the last one may still be in the servers' TIME_WAIT */
        n->next_port[i] = (uint16_t)(FIRST_PORT + ((uint32_t)getpid() * 97 + i * 131) % (LAST_PORT - FIRST_PORT));
    n->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (n->epoll < 0) {
        mer_msgf(msg, "epoll: %s", strerror(errno));
        goto failed;
    }
    if (ca_file && !(n->tls = tls_client(ca_file))) {
        mer_msgf(msg, "%s: not a file with certificates", ca_file);
        close(n->epoll);
        goto failed;
    }
    return MER_OK;
failed:
    mer_free(&n->buffer);
    mer_free(&n->next_port);
    return MER_EIO;
}

void load_net_deinit(struct load_net *n)
{
    for (uint32_t i = 0; i < n->conns; i++) {
        load_conn_close(n->conn[i]);
        mer_buf_deinit(&n->conn[i]->in);
        mer_buf_deinit(&n->conn[i]->out);
        mer_buf_deinit(&n->conn[i]->message);
    }
    mer_free(&n->conn);
    SSL_CTX_free(n->tls);
    close(n->epoll);
    mer_free(&n->buffer);
    mer_free(&n->next_port);
}

enum mer_err load_conn_add(struct load_net *n, struct load_conn *c)
{
    if (n->conns == n->conn_cap) {
        uint32_t cap = n->conn_cap ? n->conn_cap * 2 : 256;
        struct load_conn **grown = mer_try_realloc(n->conn, cap * sizeof(*grown));
        if (!grown)
            return MER_ENOMEM;
        n->conn = grown;
        n->conn_cap = cap;
    }
    memset(c, 0, sizeof(*c));
    c->net = n;
    c->cbs = n->cbs;
    c->fd = -1;
    c->id = n->conns;
    mer_buf_init(&c->in, 0);
    mer_buf_init(&c->out, 0);
    mer_buf_init(&c->message, 0);
    n->conn[n->conns++] = c;
    return MER_OK;
}

/* --- opening ------------------------------------------------------------------------------------------------------------------------- */

/* The next free port of the next address. */
static bool bind_source(struct load_net *n, int fd)
{
    uint32_t source = n->next_source++ % n->sources;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(n->source_from + source)};
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t port = n->next_port[source]++;
        if (n->next_port[source] > LAST_PORT)
            n->next_port[source] = FIRST_PORT;
        from.sin_port = htons(port);
        if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0)
            return true;
    }
    return false;
}

static int socket_to(struct load_net *n, const struct load_url *url)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (fd < 0)
        return -1;
    bool fine = setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0 &&
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 && bind_source(n, fd) &&
                (connect(fd, (const struct sockaddr *)&url->address, sizeof(url->address)) == 0 || errno == EINPROGRESS);
    if (!fine) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

void load__conn_watch(struct load_conn *c, bool write)
{
    struct epoll_event ev = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.u64 = (uint64_t)c->id << 32 | c->generation};
    if (write != c->wants_write)
        (void)epoll_ctl(c->net->epoll, EPOLL_CTL_MOD, c->fd, &ev); /* the descriptor is in the set */
    c->wants_write = write;
}

enum mer_err load_conn_open(struct load_conn *c, const struct load_url *url)
{
    struct load_net *n = c->net;
    MER_ASSERT(c->state == LOAD_CONN_DOWN);
    c->fd = socket_to(n, url);
    if (c->fd < 0)
        return MER_EIO;
    c->url = url;
    c->generation++;
    c->wants_write = true;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.u64 = (uint64_t)c->id << 32 | c->generation};
    if (epoll_ctl(n->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
        close(c->fd);
        c->fd = -1;
        return MER_EIO;
    }
    c->state = LOAD_CONN_TCP;
    n->opened++;
    return MER_OK;
}

void load_conn_close(struct load_conn *c)
{
    if (c->state == LOAD_CONN_DOWN)
        return;
    c->state = LOAD_CONN_DOWN;
    c->generation++;
    SSL_free(c->ssl);
    c->ssl = NULL;
    close(c->fd); /* takes it out of the set */
    c->fd = -1;
    c->message_opcode = 0;
    mer_buf_clear(&c->in);
    mer_buf_clear(&c->out);
    mer_buf_clear(&c->message);
    mer_buf_trim(&c->in);
    mer_buf_trim(&c->out);
    mer_buf_trim(&c->message);
}

void load__conn_fail(struct load_conn *c, const struct load_end *end)
{
    load_conn_close(c);
    c->cbs->on_down(c, end);
}

void load__conn_fail_text(struct load_conn *c, const char *text)
{
    struct load_end end = {0};
    snprintf(end.reason, sizeof(end.reason), "%s", text);
    load__conn_fail(c, &end);
}

/* --- bytes --------------------------------------------------------------------------------------------------------------------------- */

/* Bytes written, 0: not now, -1: failed. */
static ssize_t write_some(struct load_conn *c, const void *data, size_t len)
{
    if (c->ssl) {
        ERR_clear_error();
        int n = SSL_write(c->ssl, data, (int)len), why = SSL_get_error(c->ssl, n);
        return n > 0 ? n : why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? 0 : -1;
    }
    ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool load__conn_flush(struct load_conn *c)
{
    while (c->out.len > 0) {
        ssize_t n = write_some(c, c->out.data, c->out.len);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        c->net->bytes_out += (uint64_t)n;
        mer_buf_consume(&c->out, (size_t)n);
    }
    if (c->out.len == 0)
        mer_buf_trim(&c->out);
    load__conn_watch(c, c->out.len > 0);
    return true;
}

/* Bytes read, 0: none now, -1: ended or failed. */
static ssize_t read_some(struct load_conn *c, void *data, size_t len)
{
    if (c->ssl) {
        ERR_clear_error();
        int n = SSL_read(c->ssl, data, (int)len), why = SSL_get_error(c->ssl, n);
        return n > 0 ? n : why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
    ssize_t n = recv(c->fd, data, len, 0);
    return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void read_all(struct load_conn *c)
{
    uint32_t generation = c->generation;
    for (int i = 0; i < READS; i++) {
        ssize_t n = read_some(c, c->net->buffer, BUFFER_BYTES);
        if (n < 0) {
            load__conn_fail_text(c, "cut by the peer");
            return;
        }
        if (n == 0)
            return;
        c->net->bytes_in += (uint64_t)n;
        load__conn_input(c, c->net->buffer, (size_t)n);
        if (c->generation != generation || c->state == LOAD_CONN_DOWN || (!c->ssl && n < BUFFER_BYTES))
            return;
    }
}

static void tls_step(struct load_conn *c)
{
    ERR_clear_error();
    int n = SSL_connect(c->ssl), why = SSL_get_error(c->ssl, n);
    if (n == 1) {
        c->state = LOAD_CONN_UPGRADE;
        load__conn_request(c);
    } else if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        load__conn_watch(c, why == SSL_ERROR_WANT_WRITE);
    } else {
        load__conn_fail_text(c, "TLS failed");
    }
}

static void tcp_done(struct load_conn *c)
{
    int err = 0;
    socklen_t len = sizeof(err);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0 || err != 0) {
        load__conn_fail_text(c, strerror(err));
        return;
    }
    if (!c->url->tls) {
        c->state = LOAD_CONN_UPGRADE;
        load__conn_request(c);
        return;
    }
    c->state = LOAD_CONN_TLS;
    c->ssl = SSL_new(c->net->tls);
    struct in_addr numeric;
    bool by_address = inet_pton(AF_INET, c->url->host, &numeric) == 1;
    bool fine =
        c->ssl && SSL_set_fd(c->ssl, c->fd) == 1 &&
        (by_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), c->url->host) : SSL_set1_host(c->ssl, c->url->host)) == 1;
    if (fine)
        tls_step(c);
    else
        load__conn_fail_text(c, "no memory for TLS");
}

static void handle(struct load_conn *c, uint32_t events)
{
    if (c->state == LOAD_CONN_TCP) {
        tcp_done(c);
        return;
    }
    if (c->state == LOAD_CONN_TLS) {
        tls_step(c);
        return;
    }
    if ((events & EPOLLOUT) && !load__conn_flush(c)) {
        load__conn_fail_text(c, "cut by the peer");
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_all(c);
}

void load_net_wait(struct load_net *n, uint64_t timeout_us)
{
    struct epoll_event event[EVENTS];
    struct timespec timeout = {(time_t)(timeout_us / 1000000), (long)(timeout_us % 1000000) * 1000};
    int count = epoll_pwait2(n->epoll, event, EVENTS, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        struct load_conn *c = n->conn[event[i].data.u64 >> 32];
        if (c->generation == (uint32_t)event[i].data.u64 && c->state != LOAD_CONN_DOWN)
            handle(c, event[i].events);
    }
}
