/* SPDX-License-Identifier: Apache-2.0
 * admin.c - the admin port: libh2o on the loop, HTTP/1.1 only, one answer a connection (a scraper comes every few seconds; without
 * keep-alive an idle connection cannot hold a descriptor; who listens to a stream is counted).
 *
 * Closing takes three steps, because h2o closes its own handles without telling when: the listener and all connections go first; then, at
 * the end of a turn, h2o's context is disposed, which closes its timers, and our last handle is closed with them; that handle's callback
 * comes in the same pass as theirs but in no known order, so the memory goes at the end of that turn.
 *
 * Invariants: conns counts the connections h2o holds; nothing of h2o is touched once it was disposed. Next: admin_web.c, admin_stream.c. */
#include <meridian/admin.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <sys/socket.h>

#include <meridian/mem.h>

#include "admin_private.h"

#include <h2o/http1.h>

enum {
    MAX_CONNS = 64,            /* no special reason: scrapers, probes and people */
    MAX_BODY_BYTES = 4 * 1024, /* requests here have none to speak of */
    MAX_OUT_BYTES = 16 << 20,  /* an answer */
    REQUEST_MS = 5 * 1000,     /* for the whole request head */
    BACKLOG = 64,
};

static const struct mer_metric_def metric_defs[MER__ADMIN_COUNT] = {
    [MER__ADMIN_REQUESTS] = {"meridian_admin_requests_total", "requests answered on the admin port", MER_COUNTER},
    [MER__ADMIN_ERRORS] = {"meridian_admin_errors_total", "of these with a status of 400 or more", MER_COUNTER},
    [MER__ADMIN_REFUSED] = {"meridian_admin_connections_refused_total", "connections closed because 64 were open", MER_COUNTER},
    [MER__ADMIN_LISTENERS] = {"meridian_admin_listeners", "who listens to a stream of events on the admin port", MER_GAUGE},
    [MER__ADMIN_DROPPED] = {"meridian_admin_listeners_dropped_total", "listeners cut off because they took nothing", MER_COUNTER},
};

struct admin_conn {
    uv_tcp_t tcp; /* its data is h2o's */
    struct mer_list node;
    struct mer_admin *a;
};

struct admin_handler {
    h2o_handler_t super;
    struct mer_admin *a;
};

/* --- answers --- */

static const struct {
    int status;
    const char *reason, *code;
} reasons[] = {
    {200, "OK", NULL},
    {202, "Accepted", NULL},
    {301, "Moved Permanently", NULL},
    {400, "Bad Request", "bad_request"},
    {403, "Forbidden", "forbidden"},
    {404, "Not Found", "not_found"},
    {405, "Method Not Allowed", "method_not_allowed"},
    {409, "Conflict", "conflict"},
    {421, "Misdirected Request", "misdirected"},
    {500, "Internal Server Error", "internal"},
    {503, "Service Unavailable", "unavailable"},
};

static unsigned reason_of(int status)
{
    for (unsigned i = 0; i < MER_COUNT(reasons); i++)
        if (reasons[i].status == status)
            return i;
    return reason_of(500);
}

void mer__admin_head(struct mer_admin *a, h2o_req_t *req, int status, const char *type)
{
    a->values[MER__ADMIN_REQUESTS]++;
    a->values[MER__ADMIN_ERRORS] += status >= 400;
    req->res.status = status;
    req->res.reason = reasons[reason_of(status)].reason;
    req->http1_is_persistent = 0;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type, strlen(type));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL, H2O_STRLIT("no-store"));
}

void mer__admin_answer(struct mer_admin *a, h2o_req_t *req, int status, const char *type, const struct mer_buf *body)
{
    mer__admin_head(a, req, status, type);
    req->res.content_length = body->len;
    h2o_send_inline(req, body->len ? (char *)body->data : "", body->len);
}

void mer__admin_error(struct mer_admin *a, h2o_req_t *req, int status, const char *message)
{
    const char *code = reasons[reason_of(status)].code;
    char text[256];
    int n = snprintf(text, sizeof(text), "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", code ? code : "internal", message);

    mer__admin_answer(a, req, status, "application/json", &(struct mer_buf){.data = (uint8_t *)text, .len = (size_t)n});
}

static void run_route(struct mer_admin *a, h2o_req_t *req, const struct mer__admin_route *r)
{
    const char *query = NULL;
    struct mer_buf out;
    int status;

    if (req->query_at != SIZE_MAX && req->query_at < req->path.len)
        query = h2o_strdup(&req->pool, req->path.base + req->query_at + 1, req->path.len - req->query_at - 1).base;
    mer_buf_init(&out, MAX_OUT_BYTES);
    status = r->cb(r->ctx, query, &out);
    if (status >= 400 && out.len == 0)
        mer__admin_error(a, req, status, "the request could not be served");
    else
        mer__admin_answer(a, req, status, r->type, &out);
    mer_buf_deinit(&out);
}

static bool method_is(const h2o_req_t *req, const char *method)
{
    return h2o_memis(req->method.base, req->method.len, method, strlen(method));
}

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    struct mer_admin *a = ((struct admin_handler *)self)->a;
    char allow[64] = "";

    /* a page in a browser on this machine could send POST /drain here; browsers always say where that comes from. Pages of ours only read
     */
    if (!mer__admin_origin_allowed(req)) {
        mer__admin_error(a, req, 403, "not for pages in browsers");
        return 0;
    }
    for (unsigned i = 0; i < a->route_count; i++) {
        const struct mer__admin_route *r = &a->routes[i];
        bool get = strcmp(r->method, "GET") == 0;
        size_t n = strlen(allow);
        if (r->files != NULL ? !mer__admin_has_file(r, req)
                             : !h2o_memis(req->path_normalized.base, req->path_normalized.len, r->path, strlen(r->path)))
            continue;
        if (method_is(req, r->method) || (get && method_is(req, "HEAD"))) {
            if (r->files != NULL)
                mer__admin_file(a, req, r);
            else if (r->stream != NULL)
                mer__admin_listen(r->stream, req);
            else
                run_route(a, req, r);
            return 0;
        }
        snprintf(allow + n, sizeof(allow) - n, "%s%s", n ? ", " : "", get ? "GET, HEAD" : r->method);
    }
    if (!allow[0]) {
        mer__admin_error(a, req, 404, "no such path");
        return 0;
    }
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("allow"), 1, NULL, h2o_strdup(&req->pool, allow, SIZE_MAX).base,
                          strlen(allow));
    mer__admin_error(a, req, 405, "see Allow");
    return 0;
}

/* --- our own routes --- */

static int state_answer(struct mer_admin *a, int status, struct mer_buf *out)
{
    char name[16];
    size_t n = 0;

    for (const char *s = mer_process_state_name(a->process->state); *s && n < sizeof(name) - 1; s++)
        name[n++] = (char)tolower((unsigned char)*s);
    name[n] = '\0';
    return mer_buf_appendf(out, "{\"state\":\"%s\"}\n", name) == MER_OK ? status : 500;
}

static int on_live(void *ctx, const char *query, struct mer_buf *out)
{
    (void)query;
    return state_answer(ctx, 200, out);
}

static int on_ready(void *ctx, const char *query, struct mer_buf *out)
{
    struct mer_admin *a = ctx;

    (void)query;
    return state_answer(a, a->process->state == MER_PROCESS_READY ? 200 : 503, out);
}

static int on_drain(void *ctx, const char *query, struct mer_buf *out)
{
    struct mer_admin *a = ctx;

    (void)query;
    mer_process_drain(a->process);
    return state_answer(a, 202, out);
}

static int on_metrics(void *ctx, const char *query, struct mer_buf *out)
{
    struct mer_admin *a = ctx;

    (void)query;
    if (mer_metrics_render(a->metrics, out) == MER_OK)
        return 200;
    mer_buf_clear(out);
    return 500;
}

void mer__admin_add(struct mer_admin *a, const struct mer__admin_route *r)
{
    MER_ASSERT(a->route_count < MER__ADMIN_ROUTES);
    a->routes[a->route_count++] = *r;
}

void mer_admin_route(struct mer_admin *a, const char *method, const char *path, mer_admin_route_cb cb, void *ctx)
{
    mer__admin_add(a, &(struct mer__admin_route){.method = method, .path = path, .type = "application/json", .cb = cb, .ctx = ctx});
}

/* --- connections --- */

static void dispose(struct mer_deferred *d);

static void dispose_when_empty(struct mer_admin *a)
{
    if (a->closing && a->listener_closed && a->conn_count == 0)
        mer_loop_defer(a->loop, &a->later);
}

static void on_conn_closed(uv_handle_t *handle)
{
    struct admin_conn *c = MER_CONTAINER_OF(handle, struct admin_conn, tcp);
    struct mer_admin *a = c->a;

    mer_list_remove(&c->node);
    a->conn_count--;
    mer_free(&c);
    dispose_when_empty(a);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct mer_admin *a = listener->data;
    struct admin_conn *c;

    if (status != 0)
        return;                     /* libuv tries again with the next event */
    c = mer_xcalloc(1, sizeof(*c)); /* h2o's allocations, right behind it, die too; and who may come here is this machine */
    c->a = a;
    MER_ASSERT(uv_tcp_init(&a->loop->uv, &c->tcp) == 0);
    mer_list_push_back(&a->conns, &c->node);
    a->conn_count++;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 || a->conn_count > MAX_CONNS) {
        a->values[MER__ADMIN_REFUSED]++;
        uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
        return;
    }
    h2o_accept(&a->accept, h2o_uv_socket_create((uv_stream_t *)&c->tcp, on_conn_closed));
}

/* --- birth and death --- */

static enum mer_err parse_address(const char *address, struct sockaddr_storage *out, struct mer_msg *msg)
{
    const char *colon = strrchr(address, ':');
    char host[64] = "", *end;
    size_t len = colon ? (size_t)(colon - address) : 0;
    unsigned long port = colon && isdigit((unsigned char)colon[1]) ? strtoul(colon + 1, &end, 10) : 65536;
    bool v6 = len > 2 && address[0] == '[' && address[len - 1] == ']', good;

    if (port > 65535 || *end || len == 0 || len >= sizeof(host)) {
        mer_msgf(msg, "admin address \"%.100s\" is not host:port", address);
        return MER_EINVALID;
    }
    memcpy(host, address + v6, len - 2 * v6);
    memset(out, 0, sizeof(*out));
    if (v6)
        good = uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)out) == 0 && strcmp(host, "::1") == 0;
    else
        good = uv_ip4_addr(host, (int)port, (struct sockaddr_in *)out) == 0 &&
               (ntohl(((struct sockaddr_in *)out)->sin_addr.s_addr) >> 24) == 127;
    if (good)
        return MER_OK;
    mer_msgf(msg, "admin address \"%.100s\" is not a loopback address (127.0.0.0/8 or [::1])", address);
    return MER_EINVALID;
}

static void start_h2o(struct mer_admin *a)
{
    struct admin_handler *handler;
    h2o_hostconf_t *host;

    h2o_config_init(&a->conf);
    a->conf.server_name = h2o_iovec_init(H2O_STRLIT("meridian"));
    a->conf.http1.upgrade_to_http2 = 0;
    a->conf.http1.req_timeout = REQUEST_MS;
    a->conf.max_request_entity_size = MAX_BODY_BYTES;
    host = h2o_config_register_host(&a->conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    handler = (struct admin_handler *)h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(*handler));
    handler->super.on_req = on_request;
    handler->a = a;
    h2o_context_init(&a->ctx, &a->loop->uv, &a->conf);
    a->accept = (h2o_accept_ctx_t){.ctx = &a->ctx, .hosts = a->conf.hosts};
}

static void on_failed_closed(uv_handle_t *listener)
{
    struct mer_admin *a = listener->data;

    mer_free(&a);
}

enum mer_err mer_admin_open(struct mer_admin **out, struct mer_loop *loop, struct mer_process *process, struct mer_metrics *metrics,
                            const char *address, struct mer_msg *msg)
{
    struct sockaddr_storage addr;
    struct mer_admin *a;
    int err;

    if (parse_address(address, &addr, msg) != MER_OK)
        return MER_EINVALID;
    a = mer_xcalloc(1, sizeof(*a));
    a->loop = loop;
    a->process = process;
    a->metrics = metrics;
    mer_list_init(&a->conns);
    mer_list_init(&a->streams);
    mer_deferred_init(&a->later, dispose);
    MER_ASSERT(uv_tcp_init(&loop->uv, &a->listener) == 0);
    a->listener.data = a;
    err = uv_tcp_bind(&a->listener, (struct sockaddr *)&addr, 0);
    err = err ? err : uv_listen((uv_stream_t *)&a->listener, BACKLOG, on_connection);
    if (err) {
        mer_msgf(msg, "admin address %.100s: %s", address, uv_strerror(err));
        uv_close((uv_handle_t *)&a->listener, on_failed_closed);
        return MER_EIO;
    }
    MER_ASSERT(uv_prepare_init(&loop->uv, &a->last) == 0);
    a->last.data = a;
    start_h2o(a);
    mer_metrics_add(metrics, &a->metric_set, metric_defs, MER__ADMIN_COUNT, a->values);
    mer_admin_route(a, "GET", "/livez", on_live, a);
    mer_admin_route(a, "GET", "/readyz", on_ready, a);
    mer_admin_route(a, "GET", "/healthz", on_ready, a);
    mer_admin_route(a, "POST", "/drain", on_drain, a);
    mer__admin_add(
        a, &(struct mer__admin_route){
               .method = "GET", .path = "/metrics", .type = "text/plain; version=0.0.4; charset=utf-8", .cb = on_metrics, .ctx = a});
    *out = a;
    return MER_OK;
}

int mer_admin_port(const struct mer_admin *a)
{
    struct sockaddr_storage addr;
    int len = sizeof(addr);

    if (uv_tcp_getsockname(&a->listener, (struct sockaddr *)&addr, &len) != 0)
        return 0;
    return ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port : ((struct sockaddr_in *)&addr)->sin_port);
}

static void free_later(struct mer_deferred *d)
{
    struct mer_admin *a = MER_CONTAINER_OF(d, struct mer_admin, later);

    mer_free(&a);
}

static void on_last_closed(uv_handle_t *last)
{
    struct mer_admin *a = last->data;

    mer_deferred_init(&a->later, free_later);
    mer_loop_defer(a->loop, &a->later);
}

static void dispose(struct mer_deferred *d)
{
    struct mer_admin *a = MER_CONTAINER_OF(d, struct mer_admin, later);

    h2o_context_dispose(&a->ctx);
    h2o_config_dispose(&a->conf);
    mer__admin_streams_free(a);
    uv_close((uv_handle_t *)&a->last, on_last_closed);
}

static void on_listener_closed(uv_handle_t *listener)
{
    struct mer_admin *a = listener->data;

    a->listener_closed = true;
    dispose_when_empty(a);
}

void mer_admin_close(struct mer_admin *a)
{
    if (!a || a->closing)
        return;
    a->closing = true;
    mer_metrics_remove(&a->metric_set);
    uv_close((uv_handle_t *)&a->listener, on_listener_closed);
    mer__admin_streams_close(a);
    MER_LIST_EACH (node, &a->conns) {
        /* h2o sees the end of the stream and closes its connection */
        struct admin_conn *c = MER_LIST_ENTRY(node, struct admin_conn, node);
        uv_os_fd_t fd;
        if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0)
            shutdown(fd, SHUT_RDWR);
    }
}
