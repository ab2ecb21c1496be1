/* SPDX-License-Identifier: Apache-2.0
 * stream.c - a byte stream on the loop: connecting, reading, corked writing, closing. TLS is stream_tls.c, listening stream_listen.c.
 *
 * Every end goes one way: mer__stream_fail keeps the first reason and closes the handle; on_close comes from libuv's close callback, so
 * never inside a call of the owner's. Memory goes when the handle is closed and no name resolution is under way.
 *
 * A name is resolved to one address (IPv4 first, because loopback names are often listed v6 first while servers listen on v4); trying the
 * others is not our business: owners dial again by themselves.
 *
 * Timer: `timer`, armed by connect and accept, disarmed by on_open; firing closes. */
#include "stream_int.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <meridian/mem.h>

enum mer_err mer__address_parse(struct mer__address *out, const char *text)
{
    memset(out, 0, sizeof(*out));
    if (strncmp(text, "unix:", 5) == 0) {
        size_t n = strlen(text + 5);
        if (n == 0 || n >= sizeof(((struct sockaddr_un *)0)->sun_path))
            return MER_EINVALID;
        out->is_unix = true;
        memcpy(out->host, text + 5, n + 1);
        return MER_OK;
    }
    const char *colon = strrchr(text, ':'), *host = text;
    if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) == 0 || strlen(colon + 1) > 5)
        return MER_EINVALID;
    size_t n = (size_t)(colon - text);
    if (n >= 2 && text[0] == '[' && colon[-1] == ']')
        host++, n -= 2;
    else if (memchr(text, ':', n))
        return MER_EINVALID;
    unsigned long port = strtoul(colon + 1, NULL, 10);
    if (n == 0 || n >= sizeof(out->host) || port > 65535)
        return MER_EINVALID;
    memcpy(out->host, host, n);
    out->port = (uint16_t)port;
    return MER_OK;
}

static void on_timer(struct mer_timer *t)
{
    struct mer_stream *s = MER_CONTAINER_OF(t, struct mer_stream, timer);
    mer__stream_fail(s, MER_ETIMEOUT, "not connected in time");
}

static void on_flush(struct mer_deferred *d)
{
    mer_stream_flush(MER_CONTAINER_OF(d, struct mer_stream, flush));
}

struct mer_stream *mer__stream_new(const struct mer_stream_conf *conf, bool is_unix)
{
    struct mer_stream *s = mer_try_calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->loop = conf->loop;
    s->cbs = conf->cbs;
    s->ctx = conf->ctx;
    s->is_unix = is_unix;
    s->write_limit = conf->write_limit_bytes;
    /* Neither can fail: no descriptor is made before bind, connect or accept. */
    if (is_unix)
        MER_ASSERT(uv_pipe_init(&conf->loop->uv, &s->h.pipe, 0) == 0);
    else
        MER_ASSERT(uv_tcp_init(&conf->loop->uv, &s->h.tcp) == 0);
    mer_buf_init(&s->plain, 0);
    mer_buf_init(&s->out, 0);
    mer_buf_init(&s->flying, 0);
    mer_timer_init(&s->timer, on_timer);
    mer_deferred_init(&s->flush, on_flush);
    return s;
}

/* --- the end --- */

static void free_if_done(struct mer_stream *s)
{
    if (!s->handle_closed || s->resolving)
        return;
    SSL_free(s->ssl);
    mer_buf_deinit(&s->plain);
    mer_buf_deinit(&s->out);
    mer_buf_deinit(&s->flying);
    free(s);
}

static void on_handle_closed(uv_handle_t *h)
{
    struct mer_stream *s = h->data;
    s->handle_closed = true;
    if (s->cbs)
        s->cbs->on_close(s->ctx, s->why, s->text);
    free_if_done(s);
}

/* False: closing already. */
static bool begin_end(struct mer_stream *s, enum mer_err why, const char *text)
{
    if (s->closing)
        return false;
    s->closing = true;
    s->why = why;
    snprintf(s->text, sizeof(s->text), "%s", text);
    mer_loop_disarm(s->loop, &s->timer);
    mer_deferred_cancel(&s->flush);
    if (s->resolving)
        (void)uv_cancel((uv_req_t *)&s->resolve); /* may be running: then its callback comes later */
    s->h.handle.data = s;
    return true;
}

void mer__stream_fail(struct mer_stream *s, enum mer_err why, const char *text)
{
    if (begin_end(s, why, text))
        uv_close(&s->h.handle, on_handle_closed);
}

void mer_stream_reset(struct mer_stream *s)
{
    if (!begin_end(s, MER_OK, "reset by us"))
        return;
    if (s->is_unix || !s->open || uv_tcp_close_reset(&s->h.tcp, on_handle_closed) != 0)
        uv_close(&s->h.handle, on_handle_closed);
}

void mer_stream_close(struct mer_stream *s)
{
    if (s->closing)
        return;
    if (s->open) { /* last words, as far as the kernel takes them at once */
        mer_stream_flush(s);
        if (s->closing)
            return;
        if (s->ssl)
            mer__stream_tls_goodbye(s);
        if (!s->writing && s->out.len > 0) {
            uv_buf_t b = uv_buf_init((char *)s->out.data, (unsigned)s->out.len);
            (void)uv_try_write(&s->h.stream, &b, 1);
        }
    }
    mer__stream_fail(s, MER_OK, "closed by us");
}

/* --- reading --- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct mer_stream *s = h->data;
    (void)suggested;
    *buf = uv_buf_init((char *)s->in, sizeof(s->in));
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct mer_stream *s = h->data;
    (void)buf;
    if (s->closing || n == 0)
        return;
    if (n == UV_EOF) {
        bool cut = s->ssl != NULL; /* TLS ends by close_notify; without it anybody may have cut it */
        mer__stream_fail(s, cut ? MER_ETLS : MER_OK, cut ? "ended without close_notify" : "ended by the peer");
    } else if (n < 0)
        mer__stream_fail(s, MER_EIO, uv_strerror((int)n));
    else if (s->ssl)
        mer__stream_tls_input(s, s->in, (size_t)n);
    else
        s->cbs->on_data(s->ctx, s->in, (size_t)n);
}

void mer__stream_opened(struct mer_stream *s)
{
    s->open = true;
    mer_loop_disarm(s->loop, &s->timer);
    s->cbs->on_open(s->ctx);
    if (!s->closing)
        mer_stream_flush(s);
}

/* The transport is there: TLS first, if any. */
static void transport_ready(struct mer_stream *s)
{
    if (!s->is_unix) {
        (void)uv_tcp_nodelay(&s->h.tcp, 1);
        (void)uv_tcp_keepalive(&s->h.tcp, 1, 30);
    }
    s->h.handle.data = s;
    int e = uv_read_start(&s->h.stream, on_alloc, on_read);
    if (e)
        mer__stream_fail(s, MER_EIO, uv_strerror(e));
    else if (s->ssl)
        mer__stream_tls_input(s, NULL, 0); /* a client speaks first */
    else
        mer__stream_opened(s);
}

void mer__stream_accepted(struct mer_stream *s, uint32_t timeout_ms)
{
    if (timeout_ms)
        mer_loop_arm(s->loop, &s->timer, timeout_ms);
    transport_ready(s);
}

/* --- writing --- */

enum mer_err mer_stream_write(struct mer_stream *s, const void *data, size_t len)
{
    if (s->closing)
        return MER_ECLOSED;
    if (s->write_limit && mer_stream_unsent(s) + len > s->write_limit)
        return MER_EBUSY;
    enum mer_err err = mer_buf_append(s->ssl ? &s->plain : &s->out, data, len);
    if (err == MER_OK && s->open)
        mer_loop_defer(s->loop, &s->flush);
    return err;
}

size_t mer_stream_unsent(const struct mer_stream *s)
{
    return s->plain.len + s->out.len + s->flying.len;
}

static void on_written(uv_write_t *w, int status)
{
    struct mer_stream *s = w->handle->data;
    s->writing = false;
    mer_buf_clear(&s->flying);
    mer_buf_trim(&s->flying);
    if (s->closing)
        return;
    if (status < 0)
        mer__stream_fail(s, MER_EIO, uv_strerror(status));
    else
        mer_stream_flush(s);
}

/* The kernel's buffer is full: libuv gets the rest and tells when it is gone. */
static void send_later(struct mer_stream *s)
{
    struct mer_buf swap = s->flying;
    s->flying = s->out;
    s->out = swap;
    uv_buf_t b = uv_buf_init((char *)s->flying.data, (unsigned)s->flying.len);
    int e = uv_write(&s->write, &s->h.stream, &b, 1, on_written);
    s->writing = e == 0;
    if (e)
        mer__stream_fail(s, MER_EIO, uv_strerror(e));
}

void mer_stream_flush(struct mer_stream *s)
{
    mer_deferred_cancel(&s->flush);
    if (s->closing)
        return;
    if (s->ssl)
        mer__stream_tls_output(s);
    if (s->closing || s->writing || s->out.len == 0 || !(s->ssl || s->open))
        return;
    uv_buf_t b = uv_buf_init((char *)s->out.data, (unsigned)s->out.len);
    int n = uv_try_write(&s->h.stream, &b, 1);
    if (n < 0 && n != UV_EAGAIN) {
        mer__stream_fail(s, MER_EIO, uv_strerror(n));
        return;
    }
    if (n > 0)
        mer_buf_consume(&s->out, (size_t)n);
    if (s->out.len > 0)
        send_later(s);
    else
        mer_buf_trim(&s->out);
}

/* --- connecting --- */

static void on_connect(uv_connect_t *c, int status)
{
    struct mer_stream *s = c->data;
    if (s->closing)
        return;
    if (status < 0)
        mer__stream_fail(s, status == UV_ECONNREFUSED || status == UV_ENOENT ? MER_EREFUSED : MER_EIO, uv_strerror(status));
    else
        transport_ready(s);
}

static void connect_to(struct mer_stream *s, const struct sockaddr *a)
{
    s->connect.data = s;
    int e = uv_tcp_connect(&s->connect, &s->h.tcp, a, on_connect);
    if (e)
        mer__stream_fail(s, MER_EIO, uv_strerror(e));
}

static void on_resolved(uv_getaddrinfo_t *r, int status, struct addrinfo *list)
{
    struct mer_stream *s = r->data;
    s->resolving = false;
    if (s->closing) {
        free_if_done(s);
    } else if (status < 0) {
        mer__stream_fail(s, MER_EIO, uv_strerror(status));
    } else {
        struct addrinfo *a = list;
        while (a && a->ai_family != AF_INET)
            a = a->ai_next;
        connect_to(s, (a ? a : list)->ai_addr);
    }
    uv_freeaddrinfo(list);
}

static void connect_start(struct mer_stream *s, const struct mer__address *a)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (a->is_unix) {
        s->connect.data = s;
        uv_pipe_connect(&s->connect, &s->h.pipe, a->host, on_connect);
    } else if (uv_ip4_addr(a->host, a->port, &v4) == 0) {
        connect_to(s, (struct sockaddr *)&v4);
    } else if (uv_ip6_addr(a->host, a->port, &v6) == 0) {
        connect_to(s, (struct sockaddr *)&v6);
    } else {
        char port[8];
        snprintf(port, sizeof(port), "%u", a->port);
        struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
        s->resolve.data = s;
        int e = uv_getaddrinfo(&s->loop->uv, &s->resolve, on_resolved, a->host, port, &hints);
        s->resolving = e == 0;
        if (e)
            mer__stream_fail(s, MER_EIO, uv_strerror(e));
    }
}

/* A stream that cannot even start: nobody knows it yet, so no on_close. */
static void discard(struct mer_stream *s)
{
    s->cbs = NULL;
    mer__stream_fail(s, MER_ENOMEM, "");
}

enum mer_err mer_stream_connect(struct mer_stream **out, const struct mer_stream_conf *conf, const char *address)
{
    struct mer__address a;
    enum mer_err err = mer__address_parse(&a, address);
    if (err != MER_OK)
        return err;
    struct mer_stream *s = mer__stream_new(conf, a.is_unix);
    if (!s)
        return MER_ENOMEM;
    snprintf(s->host, sizeof(s->host), "%s", address);
    const char *name = conf->tls_name ? conf->tls_name : a.is_unix || conf->tls_any_name ? NULL : a.host;
    if (conf->tls && (err = mer__stream_tls_start(s, conf->tls, false, name)) != MER_OK) {
        discard(s);
        return err;
    }
    if (conf->connect_timeout_ms)
        mer_loop_arm(s->loop, &s->timer, conf->connect_timeout_ms);
    connect_start(s, &a);
    *out = s;
    return MER_OK;
}

const char *mer_stream_peer(const struct mer_stream *s)
{
    return s->host;
}

bool mer_stream_peer_uid(const struct mer_stream *s, uint32_t *uid)
{
    struct ucred who;
    socklen_t len = sizeof(who);
    uv_os_fd_t fd;
    if (!s->is_unix || uv_fileno(&s->h.handle, &fd) != 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return false;
    *uid = who.uid;
    return true;
}

void mer_stream_set_ctx(struct mer_stream *s, const struct mer_stream_cbs *cbs, void *ctx)
{
    s->cbs = cbs;
    s->ctx = ctx;
}
