/* SPDX-License-Identifier: Apache-2.0
 * stream_listen.c - accepting streams on a TCP address or a unix socket.
 *
 * A unix socket file left by a dead process is replaced; one that somebody answers on is not. Only its owner may connect (mode 0600). */
#include "stream_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <meridian/mem.h>

enum { LISTEN_BACKLOG = 512, LISTEN_ADDRESS_BYTES = STREAM_HOST_BYTES + 16 }; /* no special reason */

struct mer_listener {
    struct mer_stream_conf conf;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } h;
    bool is_unix, closing;
    void (*on_accept)(void *ctx, struct mer_stream *s);
    void *ctx;
    char address[LISTEN_ADDRESS_BYTES];
};

/* Once, because when the stream is closing the kernel does not know any more. */
static void note_peer(struct mer_stream *s)
{
    struct sockaddr_storage sa;
    char host[INET6_ADDRSTRLEN] = "?";
    int n = sizeof(sa);
    if (s->is_unix || uv_tcp_getpeername(&s->h.tcp, (struct sockaddr *)&sa, &n) != 0) {
        snprintf(s->host, sizeof(s->host), "%s", s->is_unix ? "unix" : "gone");
        return;
    }
    (void)uv_ip_name((struct sockaddr *)&sa, host, sizeof(host));
    unsigned port = sa.ss_family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port : ((struct sockaddr_in6 *)&sa)->sin6_port;
    snprintf(s->host, sizeof(s->host), sa.ss_family == AF_INET ? "%s:%u" : "[%s]:%u", host, ntohs((uint16_t)port));
}

static void on_connection(uv_stream_t *server, int status)
{
    struct mer_listener *l = server->data;
    if (status < 0 || l->closing)
        return; /* libuv goes on accepting */
    struct mer_stream *s = mer__stream_new(&l->conf, l->is_unix);
    if (!s)
        return;
    if (uv_accept(server, &s->h.stream) != 0 || (l->conf.tls && mer__stream_tls_start(s, l->conf.tls, true, NULL) != MER_OK)) {
        s->cbs = NULL;
        mer__stream_fail(s, MER_EIO, "not accepted");
        return;
    }
    note_peer(s);
    l->on_accept(l->ctx, s);
    if (!s->closing && !s->cbs)
        mer_stream_close(s); /* nobody took it */
    if (!s->closing)
        mer__stream_accepted(s, l->conf.connect_timeout_ms);
}

static bool somebody_answers(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strnlen(path, sizeof(a.sun_path) - 1));         /* mer__address_parse made sure that it fits */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* to a unix socket connect answers at once */
    if (fd < 0)
        return true;
    bool yes = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno != ECONNREFUSED;
    close(fd);
    return yes;
}

static int bind_unix(struct mer_listener *l, const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode) || somebody_answers(path))
            return UV_EADDRINUSE;
        if (unlink(path) != 0)
            return uv_translate_sys_error(errno);
    }
    int e = uv_pipe_bind(&l->h.pipe, path);
    if (e == 0 && chmod(path, S_IRUSR | S_IWUSR) != 0)
        e = uv_translate_sys_error(errno);
    return e;
}

static int bind_tcp(struct mer_listener *l, const struct mer__address *a)
{
    struct sockaddr_storage sa;
    if (uv_ip4_addr(a->host, a->port, (struct sockaddr_in *)&sa) != 0 && uv_ip6_addr(a->host, a->port, (struct sockaddr_in6 *)&sa) != 0)
        return UV_EINVAL; /* an address is bound, not a name */
    return uv_tcp_bind(&l->h.tcp, (struct sockaddr *)&sa, 0);
}

/* "host:port" with the port the kernel chose; the wildcard becomes loopback. */
static int name_tcp(struct mer_listener *l)
{
    struct sockaddr_storage sa;
    int n = sizeof(sa);
    int e = uv_tcp_getsockname(&l->h.tcp, (struct sockaddr *)&sa, &n);
    if (e)
        return e;
    char host[INET6_ADDRSTRLEN];
    if (sa.ss_family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&sa;
        uv_ip4_name(v4, host, sizeof(host));
        snprintf(l->address, sizeof(l->address), "%s:%u", strcmp(host, "0.0.0.0") ? host : "127.0.0.1", ntohs(v4->sin_port));
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&sa;
        uv_ip6_name(v6, host, sizeof(host));
        snprintf(l->address, sizeof(l->address), "[%s]:%u", strcmp(host, "::") ? host : "::1", ntohs(v6->sin6_port));
    }
    return 0;
}

static int start(struct mer_listener *l, const struct mer__address *a)
{
    int e = a->is_unix ? bind_unix(l, a->host) : bind_tcp(l, a);
    l->h.handle.data = l;
    if (!e)
        e = uv_listen(&l->h.stream, LISTEN_BACKLOG, on_connection);
    if (!e && a->is_unix)
        snprintf(l->address, sizeof(l->address), "unix:%s", a->host);
    else if (!e)
        e = name_tcp(l);
    return e;
}

enum mer_err mer_listener_open(struct mer_listener **out, const struct mer_stream_conf *conf, const char *address,
                               void (*on_accept)(void *ctx, struct mer_stream *s), void *ctx, struct mer_msg *msg)
{
    struct mer__address a;
    enum mer_err err = mer__address_parse(&a, address);
    if (err != MER_OK) {
        mer_msgf(msg, "%s: not an address (host:port, [v6]:port or unix:/path)", address);
        return err;
    }
    struct mer_listener *l = mer_try_calloc(1, sizeof(*l));
    if (!l)
        return MER_ENOMEM;
    l->conf = *conf;
    l->is_unix = a.is_unix;
    l->on_accept = on_accept;
    l->ctx = ctx;
    if (a.is_unix)
        MER_ASSERT(uv_pipe_init(&conf->loop->uv, &l->h.pipe, 0) == 0);
    else
        MER_ASSERT(uv_tcp_init(&conf->loop->uv, &l->h.tcp) == 0);
    if (conf->tls)
        SSL_CTX_up_ref(conf->tls);
    int e = start(l, &a);
    if (e) {
        mer_msgf(msg, "%s: %s", address, uv_strerror(e));
        mer_listener_close(l);
        return e == UV_EADDRINUSE ? MER_EEXISTS : MER_EIO;
    }
    *out = l;
    return MER_OK;
}

const char *mer_listener_address(const struct mer_listener *l)
{
    return l->address;
}

void mer_listener_set_tls(struct mer_listener *l, SSL_CTX *ctx)
{
    if (ctx)
        SSL_CTX_up_ref(ctx);
    SSL_CTX_free(l->conf.tls);
    l->conf.tls = ctx;
}

static void on_closed(uv_handle_t *h)
{
    struct mer_listener *l = h->data;
    SSL_CTX_free(l->conf.tls);
    free(l);
}

void mer_listener_close(struct mer_listener *l)
{
    if (l->closing)
        return;
    l->closing = true;
    uv_close(&l->h.handle, on_closed); /* libuv removes the socket file */
}
