/* SPDX-License-Identifier: Apache-2.0
 * upgrade.c - from a request of libh2o to a connection of our own: the 101 goes out through h2o, then the descriptor and the TLS state
 * leave it, and the rest of h2o's 10 KB for the connection is freed.
 *
 * TLS: h2o 2.2 has no way to hand out its SSL object. It is seen in OpenSSL's info callback at the end of the handshake (listen.c), where
 * the BIO's data is the h2o socket and that leads to our own record of the connection. h2o decrypts everything it has read before it calls
 * us; what can remain is a part of a record inside OpenSSL's own buffer, and that moves along with the object. Order matters: read what is
 * left while h2o's BIO is still there, export (which would free the SSL: hold a reference), give it a descriptor, only then use it again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include <h2o.h>
#include <h2o/http1.h>

#include <meridian/mem.h>

#include "edge/net/http_private.h"

enum { EARLY_MAX = 256 * 1024 }; /* what a client may have sent ahead of our 101: more than h2o reads at once */

/* Copies of what `opened` is told: the request's memory goes with its h2o connection. */
struct edge__upgrading {
    struct edge_http *http;
    struct edge__pending *pending; /* NULL: the socket went */
    size_t route;
    int subprotocol;
    size_t query_len, origin_len;
    char text[];
};

void edge__upgrade_abandon(struct edge__upgrading *u)
{
    u->pending = NULL;
}

static void no_info(const SSL *ssl, int where, int ret)
{
    (void)ssl;
    (void)where;
    (void)ret;
}

/* What OpenSSL can still give from what h2o has read. */
static enum mer_err read_rest(struct edge_net *n, SSL *ssl, struct mer_buf *early)
{
    for (;;) {
        ERR_clear_error();
        int got = SSL_read(ssl, n->in, EDGE__IN_BYTES);
        if (got <= 0)
            return MER_OK; /* an end or a fault is met again by the connection's own first read */
        enum mer_err err = mer_buf_append(early, n->in, (size_t)got);
        if (err != MER_OK)
            return err;
    }
}

static int take_tls(h2o_socket_export_t *info, SSL *ssl)
{
    int fd = fcntl(info->fd, F_DUPFD_CLOEXEC, 0);
    h2o_socket_dispose_export(info); /* closes h2o's descriptor, drops its reference to ssl */
    if (fd < 0 || SSL_set_fd(ssl, fd) != 1) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    SSL_set_info_callback(ssl, no_info);
    SSL_set_read_ahead(ssl, 0);
    SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return fd;
}

static int take_plain(h2o_socket_export_t *info)
{
    h2o_buffer_dispose(&info->input);
    fcntl(info->fd, F_SETFD, FD_CLOEXEC); /* h2o made it with a plain dup */
    return info->fd;
}

/* Takes the socket out of h2o. The descriptor, or -1: then nothing is left of it. */
static int take_over(struct edge__pending *p, h2o_socket_t *sock, SSL **ssl, struct mer_buf *early)
{
    h2o_socket_export_t info;
    bool fine = !p->http->destroying && (!p->tls || p->ssl != NULL);
    if (sock->input->size != 0)
        fine = fine && mer_buf_append(early, sock->input->bytes, sock->input->size) == MER_OK;
    if (fine && p->tls) {
        *ssl = p->ssl;
        fine = read_rest(p->http->net, *ssl, early) == MER_OK;
    }
    sock->on_close.cb = NULL;
    if (!fine || h2o_socket_export(sock, &info) != 0) {
        *ssl = NULL;
        h2o_socket_close(sock);
        return -1;
    }
    if (*ssl == NULL)
        return take_plain(&info);
    SSL_up_ref(*ssl);
    int fd = take_tls(&info, *ssl);
    if (fd < 0) {
        SSL_free(*ssl);
        *ssl = NULL;
    }
    return fd;
}

static void open_conn(struct edge__upgrading *u, int fd, SSL *ssl, const struct mer_buf *early)
{
    struct edge_http *h = u->http;
    struct edge__pending *p = u->pending;
    const struct edge_upgrade_route *route = &h->conf.upgrades[u->route];
    if (p->tracked)
        edge_throttle_upgraded(&h->net->throttle, &p->peer);
    struct edge_conn *c = edge__conn_open(h->net, fd, ssl, &p->peer, h->upgrade_kinds[u->route], p->tracked);
    if (c == NULL) {
        if (p->tracked)
            edge_throttle_leave(&h->net->throttle, &p->peer, true);
        return;
    }
    struct edge_upgrade info = {.subprotocol = u->subprotocol,
                                .query = {u->text, u->query_len},
                                .origin = {u->text + u->query_len, u->origin_len},
                                .accepted_ms = p->accepted_ms};
    if (route->opened != NULL)
        route->opened(route->ctx, c, &info);
    edge__conn_early(c, early->data, early->len);
}

static void on_upgraded(void *data, h2o_socket_t *sock, size_t reqsize)
{
    struct edge__upgrading *u = data;
    struct edge__pending *p = u->pending;
    if (sock != NULL && p != NULL) {
        struct mer_buf early;
        SSL *ssl = NULL;
        mer_buf_init(&early, EARLY_MAX);
        h2o_buffer_consume(&sock->input, reqsize);
        int fd = take_over(p, sock, &ssl, &early);
        if (fd >= 0)
            open_conn(u, fd, ssl, &early);
        else
            edge__count(u->http->net, EDGE__M_REFUSED_MEMORY);
        mer_buf_deinit(&early);
        if (fd < 0 && p->tracked)
            edge_throttle_leave(&u->http->net->throttle, &p->peer, false);
        p->tracked = false; /* the connection's now */
        edge__pending_free(p, true);
    } else if (p != NULL) {
        p->upgrading = NULL; /* the socket is still to close */
    }
    mer_free(&u);
}

void edge__upgrade(struct edge__exchange *x, size_t route, const struct edge_handshake *hs)
{
    const struct edge_upgrade_route *r = &x->http->conf.upgrades[route];
    const struct edge_text *origin = edge_head_get(x->head, "origin", NULL);
    size_t query_len = x->head->query.len, origin_len = origin != NULL ? origin->len : 0;
    struct edge__upgrading *u = mer_try_malloc(sizeof(*u) + query_len + origin_len);
    if (u == NULL) {
        edge__http_fail(x, 503, "overloaded", "no room for another connection", edge__http_retry_ms(x->http));
        return;
    }
    *u = (struct edge__upgrading){.http = x->http,
                                  .pending = x->pending,
                                  .route = route,
                                  .subprotocol = hs->subprotocol,
                                  .query_len = query_len,
                                  .origin_len = origin_len};
    memcpy(u->text, x->head->query.p, query_len);
    if (origin_len != 0)
        memcpy(u->text + query_len, origin->p, origin_len);
    x->pending->upgrading = u;
    x->answered = true;
    x->h2o->res.status = 101;
    x->h2o->res.reason = "Switching Protocols";
    edge__http_add_header(x, "upgrade", "websocket");
    edge__http_add_header(x, "sec-websocket-accept", hs->accept);
    if (hs->subprotocol >= 0)
        edge__http_add_header(x, "sec-websocket-protocol", r->subprotocols[hs->subprotocol]);
    h2o_http1_upgrade(x->h2o, NULL, 0, on_upgraded, u);
}
