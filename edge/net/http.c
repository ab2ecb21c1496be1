/* SPDX-License-Identifier: Apache-2.0
 * http.c - requests. One h2o handler takes them all, reads the head again from the raw bytes (handshake.h says why) and looks for the path
 * in this order: upgrades, API routes, files.
 *
 * A refusal closes the connection whenever a proxy in front might believe in something we do not (a bad head, an upgrade that did not
 * happen): no second request is ever answered after one of those. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <meridian/mem.h>

#include "edge/net/http_private.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {421, "Misdirected Request"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < MER_COUNT(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return status < 400 ? "OK" : "Error";
}

uint32_t edge__http_retry_ms(struct edge_http *h)
{
    if (h->conf.gate.retry_ms != NULL)
        return h->conf.gate.retry_ms(h->conf.gate.ctx);
    return h->conf.retry_min_ms + mer_rng_below(&h->net->conf.rng, h->conf.retry_max_ms - h->conf.retry_min_ms + 1);
}

/* name lower case and of ours; value is copied. */
void edge__http_add_header(struct edge__exchange *x, const char *name, const char *value)
{
    h2o_mem_pool_t *pool = &x->h2o->pool;
    h2o_iovec_t n = h2o_strdup(pool, name, SIZE_MAX), v = h2o_strdup(pool, value, SIZE_MAX);
    h2o_add_header_by_str(pool, &x->h2o->res.headers, n.base, n.len, 1, NULL, v.base, v.len);
}

void edge__http_answer(struct edge__exchange *x, int status, const char *type, const void *body, size_t len, bool copy)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_req_t *req = x->h2o;
    MER_ASSERT(!x->answered);
    x->answered = true;
    edge__count(x->http->net, status < 300   ? EDGE__M_HTTP_2XX
                              : status < 400 ? EDGE__M_HTTP_3XX
                              : status < 500 ? EDGE__M_HTTP_4XX
                                             : EDGE__M_HTTP_5XX);
    req->res.status = status;
    req->res.reason = reason_of(status);
    edge__http_add_header(x, "x-content-type-options", "nosniff");
    if (x->http->conf.hsts && x->pending->tls)
        edge__http_add_header(x, "strict-transport-security", "max-age=31536000");
    if (type != NULL)
        edge__http_add_header(x, "content-type", type);
    if (status != 204 && status != 304)
        req->res.content_length = len;
    h2o_iovec_t buf = copy ? h2o_strdup(&req->pool, len != 0 ? body : "", len) : h2o_iovec_init(body, len);
    bool silent = len == 0 || h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    h2o_start_response(req, &generator);
    h2o_send(req, &buf, silent ? 0 : 1, H2O_SEND_STATE_FINAL);
}

void edge__http_fail(struct edge__exchange *x, int status, const char *code, const char *message, uint32_t retry_after_ms)
{
    char body[512], seconds[16], retry[40] = "";
    if (retry_after_ms != 0) {
        snprintf(seconds, sizeof(seconds), "%u", (retry_after_ms + 999) / 1000);
        edge__http_add_header(x, "retry-after", seconds);
        snprintf(retry, sizeof(retry), ",\"retryAfterMs\":%u", retry_after_ms);
    }
    int len = snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"%s}}", code, message, retry);
    MER_ASSERT(len > 0 && (size_t)len < sizeof(body)); /* fixed texts of ours */
    edge__http_add_header(x, "cache-control", "no-store");
    edge__http_answer(x, status, "application/json; charset=utf-8", body, (size_t)len, true);
}

static void refuse_and_close(struct edge__exchange *x, struct edge_refusal no)
{
    x->h2o->http1_is_persistent = 0;
    edge__http_fail(x, no.status, no.code, no.message, 0);
}

void edge_http_header(struct edge_request *req, const char *name, const char *value)
{
    char lower[64];
    size_t len = strlen(name);
    MER_ASSERT(len < sizeof(lower));
    for (size_t i = 0; i <= len; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    edge__http_add_header(req->http_private, lower, value);
}

void edge_http_reply(struct edge_request *req, int status, const char *type, const void *body, size_t len)
{
    edge__http_add_header(req->http_private, "cache-control", "no-store");
    edge__http_answer(req->http_private, status, type, body, len, true);
}

void edge_http_error(struct edge_request *req, int status, const char *code, const char *message, uint32_t retry_after_ms)
{
    edge__http_fail(req->http_private, status, code, message, retry_after_ms);
}

bool edge__http_lets_in(struct edge_http *h, struct edge_text query)
{
    if (h->conf.gate.upgrade == NULL || h->conf.gate.upgrade(h->conf.gate.ctx, query))
        return true;
    edge__count(h->net, EDGE__M_REFUSED_LOAD);
    return false;
}

static void try_upgrade(struct edge__exchange *x, size_t route)
{
    struct edge_http *h = x->http;
    struct edge_handshake hs;
    struct edge_refusal no = edge_handshake_check(x->head, &h->origins, h->conf.upgrades[route].subprotocols, &hs);
    if (no.status != 0) {
        edge__count(h->net, EDGE__M_REFUSED_HANDSHAKE);
        if (no.status == 405)
            edge__http_add_header(x, "allow", "GET");
        if (no.status == 426) {
            edge__http_add_header(x, "upgrade", "websocket");
            edge__http_add_header(x, "sec-websocket-version", "13");
        }
        refuse_and_close(x, no);
    } else if (h->refuse_new) {
        edge__count(h->net, EDGE__M_REFUSED_DRAINING);
        x->h2o->http1_is_persistent = 0;
        edge__http_fail(x, 503, "draining", "this edge takes no new connections", edge__http_retry_ms(h));
    } else if (!x->pending->let_in && !edge__http_lets_in(h, x->head->query)) {
        x->h2o->http1_is_persistent = 0;
        edge__http_fail(x, 503, "overloaded", "too much to do: come back later", edge__http_retry_ms(h));
    } else {
        edge__upgrade(x, route, &hs);
    }
}

static bool is_safe(struct edge_text method)
{
    return edge_text_is(method, "GET") || edge_text_is(method, "HEAD");
}

static void not_allowed(struct edge__exchange *x, const char *allow)
{
    edge__http_add_header(x, "allow", allow);
    edge__http_fail(x, 405, "method", "not a method of this path", 0);
}

static struct edge_text bearer_of(const struct edge_head *head)
{
    static const char scheme[] = "Bearer ";
    const struct edge_text *a = edge_head_get(head, "authorization", NULL);
    struct edge_text none = {"", 0};
    if (a == NULL || a->len < sizeof(scheme) || strncasecmp(a->p, scheme, sizeof(scheme) - 1) != 0)
        return none;
    return (struct edge_text){a->p + sizeof(scheme) - 1, a->len - (sizeof(scheme) - 1)};
}

static void call_route(struct edge__exchange *x, const struct edge_route *r)
{
    const struct edge_text *origin = edge_head_get(x->head, "origin", NULL);
    struct edge_request req = {.method = x->head->method,
                               .path = x->head->path,
                               .query = x->head->query,
                               .body = {x->h2o->entity.base, x->h2o->entity.len},
                               .bearer = bearer_of(x->head),
                               .origin = origin != NULL ? *origin : (struct edge_text){"", 0},
                               .peer = x->pending->peer,
                               .tls = x->pending->tls,
                               .http_private = x};
    if (x->h2o->entity.len > x->http->conf.body_max_bytes) {
        edge__http_fail(x, 413, "too_large", "the body is too large", 0);
        return;
    }
    r->handler(r->ctx, &req);
    if (!x->answered)
        edge__http_fail(x, 500, "internal", "no answer was made", 0);
}

/* Other sites: those on the list may read answers; others may not make us change anything either. False: answered here. */
static bool check_cors(struct edge__exchange *x)
{
    const struct edge_text *origin = edge_head_get(x->head, "origin", NULL);
    if (origin == NULL)
        return true;
    edge__http_add_header(x, "vary", "origin");
    if (!edge_origin_allowed(x->head, &x->http->origins)) {
        if (is_safe(x->head->method))
            return true;
        edge__http_fail(x, 403, "origin", "this origin is not allowed", 0);
        return false;
    }
    h2o_iovec_t copy = h2o_strdup(&x->h2o->pool, origin->p, origin->len);
    edge__http_add_header(x, "access-control-allow-origin", copy.base); /* h2o_strdup terminates */
    edge__http_add_header(x, "access-control-expose-headers", "Meridian-Signature, Retry-After");
    if (!edge_text_is(x->head->method, "OPTIONS"))
        return true;
    edge__http_add_header(x, "access-control-allow-methods", "GET, POST");
    edge__http_add_header(x, "access-control-allow-headers", "Authorization, Content-Type");
    edge__http_add_header(x, "access-control-max-age", "600");
    edge__http_answer(x, 204, NULL, NULL, 0, false);
    return false;
}

/* True when the path is one of the API's: it was answered. */
static bool try_routes(struct edge__exchange *x)
{
    const struct edge_http_conf *c = &x->http->conf;
    const struct edge_route *match = NULL;
    char allow[64] = "";
    for (size_t i = 0; i < c->route_count; i++) {
        const struct edge_route *r = &c->routes[i];
        if (!edge_text_is(x->head->path, r->path))
            continue;
        bool get = strcmp(r->method, "GET") == 0;
        size_t used = strlen(allow);
        snprintf(allow + used, sizeof(allow) - used, "%s%s%s", used != 0 ? ", " : "", r->method, get ? ", HEAD" : "");
        if (edge_text_is(x->head->method, r->method) || (get && edge_text_is(x->head->method, "HEAD")))
            match = r;
    }
    if (allow[0] == '\0')
        return false;
    if (!check_cors(x))
        return true;
    if (match != NULL)
        call_route(x, match);
    else
        not_allowed(x, allow);
    return true;
}

static void dispatch(struct edge__exchange *x)
{
    const struct edge_http_conf *c = &x->http->conf;
    for (size_t i = 0; i < c->upgrade_count; i++) {
        if (edge_text_is(x->head->path, c->upgrades[i].path)) {
            try_upgrade(x, i);
            return;
        }
    }
    if (edge_head_get(x->head, "upgrade", NULL) != NULL) {
        refuse_and_close(x, (struct edge_refusal){400, "bad_upgrade", "nothing to upgrade to here"});
        return;
    }
    if (try_routes(x))
        return;
    const struct mer_web_file *file = edge__file_find(x->http, x->head->path);
    if (file == NULL)
        edge__http_fail(x, 404, "not_found", "nothing here", 0);
    else if (is_safe(x->head->method))
        edge__file_send(x, file);
    else
        not_allowed(x, "GET, HEAD");
}

int edge__http_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct edge_http *h = ((struct edge__handler *)handler)->http;
    h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);
    struct edge_head head;
    struct edge__exchange x = {.http = h, .h2o = req, .pending = sock->on_close.data, .head = &head};
    struct edge_refusal no = edge_head_parse(sock->input->bytes, sock->input->size, &head);
    if (no.status == 0)
        no = edge_head_check(&head, h->conf.hosts);
    if (no.status != 0) {
        refuse_and_close(&x, no);
    } else if (x.pending->refuse == EDGE__REFUSE_RATE) {
        req->http1_is_persistent = 0;
        edge__http_fail(&x, 429, "rate_limited", "too many connections from this address",
                        edge_throttle_wait_ms(&h->net->throttle, &x.pending->peer, h->net->conf.loop->now_ms));
    } else if (x.pending->refuse == EDGE__REFUSE_FULL) {
        req->http1_is_persistent = 0;
        edge__http_fail(&x, 503, "overloaded", "no room for another connection", edge__http_retry_ms(h));
    } else if (!mer_bucket_take(&x.pending->requests, h->conf.requests, h->net->conf.loop->now_ms)) {
        edge__count(h->net, EDGE__M_REQUESTS_FLOOD);
        req->http1_is_persistent = 0;
        edge__http_fail(&x, 429, "rate_limited", "too many requests on one connection", 1000);
    } else {
        dispatch(&x);
    }
    return 0;
}

void edge_http_conf_default(struct edge_http_conf *c)
{
    *c = (struct edge_http_conf){
        .request_ms = 5000, .body_max_bytes = 4096, .retry_min_ms = 1000, .retry_max_ms = 30 * 1000, .requests = {20, 100}};
}

static enum mer_err prepare(struct edge_http *h, struct mer_msg *msg)
{
    const struct edge_http_conf *c = &h->conf;
    h->balancers = mer_try_calloc(c->balancer_count + 1, sizeof(*h->balancers));
    h->upgrade_kinds = mer_try_calloc(c->upgrade_count + 1, 1);
    if (h->balancers == NULL || h->upgrade_kinds == NULL)
        return MER_ENOMEM;
    for (size_t i = 0; i < c->balancer_count; i++) {
        if (edge_cidr_parse(&h->balancers[i], c->balancers[i]) != MER_OK) {
            mer_msgf(msg, "%s: not a network", c->balancers[i]);
            return MER_EINVALID;
        }
    }
    for (size_t i = 0; i < c->upgrade_count; i++)
        h->upgrade_kinds[i] = edge__net_ops(h->net, c->upgrades[i].ops);
    h->origins = (struct edge_origin_rules){c->origins, c->origin_count, c->same_origin, c->native};
    return edge__file_etags(h);
}

static void start_h2o(struct edge_http *h)
{
    h2o_globalconf_t *g = &h->globalconf;
    h2o_config_init(g);
    g->server_name = h->conf.server != NULL ? h2o_iovec_init(h->conf.server, strlen(h->conf.server)) : h2o_iovec_init(NULL, 0);
    g->http1.upgrade_to_http2 = 0;
    g->http1.req_timeout = h->conf.request_ms;
    g->handshake_timeout = h->conf.request_ms;
    g->max_request_entity_size = EDGE__BODY_HARD;
    h2o_hostconf_t *host = h2o_config_register_host(g, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    edge__fault_filter(h, host);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    struct edge__handler *handler = (struct edge__handler *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = edge__http_request;
    handler->http = h;
    h2o_context_init(&h->context, &h->net->conf.loop->uv, g);
}

static void free_parts(struct edge_http *h)
{
    mer_free(&h->balancers);
    mer_free(&h->upgrade_kinds);
    mer_free(&h->etags);
}

enum mer_err edge_http_create(struct edge_http **out, const struct edge_http_conf *conf, struct mer_msg *msg)
{
    struct edge_http *h = mer_try_calloc(1, sizeof(*h));
    if (h == NULL)
        return MER_ENOMEM;
    h->conf = *conf;
    h->net = conf->net;
    mer_list_init(&h->listeners);
    mer_list_init(&h->pending);
    mer_list_init(&h->proxied);
    enum mer_err err = prepare(h, msg);
    if (err != MER_OK) {
        free_parts(h);
        mer_free(&h);
        return err;
    }
    h->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    start_h2o(h);
    *out = h;
    return MER_OK;
}

void edge_http_refuse_new(struct edge_http *h, bool refuse)
{
    h->refuse_new = refuse;
}

void edge_http_stop_listening(struct edge_http *h)
{
    edge__listen_stop(h);
}

void edge_http_destroy(struct edge_http *h)
{
    if (h == NULL)
        return;
    uv_loop_t *uv = &h->net->conf.loop->uv;
    h->destroying = true;
    edge__listen_stop(h);
    while (!mer_list_empty(&h->pending) || !mer_list_empty(&h->proxied)) {
        edge__listen_drop_all(h);
        uv_run(uv, UV_RUN_NOWAIT);
    }
    uv_run(uv, UV_RUN_NOWAIT); /* the listeners' handles */
    h2o_context_dispose(&h->context);
    h2o_config_dispose(&h->globalconf);
    MER_LIST_EACH_SAFE (node, &h->listeners) {
        struct edge__listener *l = MER_LIST_ENTRY(node, struct edge__listener, node);
        mer_free(&l);
    }
    if (h->spare_fd >= 0)
        close(h->spare_fd);
    free_parts(h);
    mer_free(&h);
}
