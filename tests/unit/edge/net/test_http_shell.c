/* SPDX-License-Identifier: Apache-2.0
 * The player port on real sockets: routes, files, refusals, upgrades with early bytes, throttle, admission, balancers, descriptors. */
#include "net_fixture.h"

#include <sys/resource.h>

#include "edge/net/net_private.h"

static const unsigned char page[] = "<!doctype html><title>x</title>";
static const struct mer_web_file files[] = {
    {"/index.html", page, sizeof(page) - 1}, {"/client/game.js", (const unsigned char *)"1", 1}, {NULL, NULL, 0}};

static void guest(void *ctx, struct edge_request *req)
{
    char body[512], ip[EDGE_ADDR_TEXT_BYTES];
    (void)ctx;
    edge_addr_text(&req->peer, true, ip);
    int len = snprintf(body, sizeof(body), "%s|%.*s|%.*s", ip, (int)req->bearer.len, req->bearer.p, (int)req->body.len, req->body.p);
    edge_http_header(req, "Meridian-Signature", "abc");
    edge_http_reply(req, 200, "application/json", body, (size_t)len);
}
static void ping(void *ctx, struct edge_request *req)
{
    (void)ctx;
    edge_http_reply(req, 204, NULL, NULL, 0);
}
static void busy(void *ctx, struct edge_request *req)
{
    (void)ctx;
    edge_http_error(req, 429, "rate_limited", "too fast", 1500);
}
static void nothing(void *ctx, struct edge_request *req)
{
    (void)ctx;
    (void)req;
}
static const struct edge_route routes[] = {{"POST", "/v1/guest", guest, NULL},
                                           {"GET", "/v1/ping", ping, NULL},
                                           {"GET", "/v1/busy", busy, NULL},
                                           {"GET", "/v1/nothing", nothing, NULL}};

static struct net_fix *with_routes(void)
{
    static const char *const origins[] = {"https://play.test"};
    struct net_fix *f = net_fix_new();
    f->http_conf.routes = routes;
    f->http_conf.route_count = MER_COUNT(routes);
    f->http_conf.files = files;
    f->http_conf.origins = origins;
    f->http_conf.origin_count = 1;
    return f;
}
static int fix_routes(void **state)
{
    struct net_fix *f = with_routes();
    net_start(f);
    *state = f;
    return 0;
}

/* Sends a request on a connection of its own and reads to the end. */
static const char *ask(struct net_fix *f, const char *request, size_t len)
{
    static char answer[65536];
    int fd = net_connect(f);
    net_send(f, fd, request, len);
    shutdown(fd, SHUT_WR);
    answer[net_recv(f, fd, answer, sizeof(answer) - 1)] = '\0';
    close(fd);
    return answer;
}
#define assert_status(answer, status) assert_int_equal(atoi((answer) + 9), (status))
#define assert_has(answer, text) \
    do { \
        if (strstr((answer), (text)) == NULL) \
            fail_msg("no %s in %s", (text), (answer)); \
    } while (0)

static void every_request_gets_its_answer(void **state)
{
    struct net_fix *f = *state;
    static const struct {
        int status;
        const char *request, *has;
    } rows[] = {
        {204, "GET /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n", "cache-control: no-store"},
        {204, "HEAD /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 204"},
        {200, "POST /v1/guest HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", "127.0.0.1||{}"},
        {200, "POST /v1/guest HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "127.0.0.1||{}"},
        {200, "POST /v1/guest HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a.b.c\r\n\r\n", "127.0.0.1|a.b.c|"},
        {200, "POST /v1/guest?x=y HTTP/1.1\r\nHost: h\r\n\r\n", "meridian-signature: abc"},
        {405, "GET /v1/guest HTTP/1.1\r\nHost: h\r\n\r\n", "allow: POST"},
        {405, "POST /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n", "allow: GET, HEAD"},
        {405, "TRACE /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n", "\"code\":\"method\""},
        {405, "OPTIONS /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n", "\"code\":\"method\""},
        {204, "OPTIONS /v1/guest HTTP/1.1\r\nHost: h\r\nOrigin: https://play.test\r\n\r\n", "access-control-allow-methods"},
        {200, "POST /v1/guest HTTP/1.1\r\nHost: h\r\nOrigin: https://play.test\r\n\r\n", "access-control-allow-origin: https://play.test"},
        {403, "POST /v1/guest HTTP/1.1\r\nHost: h\r\nOrigin: https://evil.test\r\n\r\n", "\"code\":\"origin\""},
        {403, "OPTIONS /v1/guest HTTP/1.1\r\nHost: h\r\nOrigin: https://evil.test\r\n\r\n", "\"code\":\"origin\""},
        {429, "GET /v1/busy HTTP/1.1\r\nHost: h\r\n\r\n", "retry-after: 2\r\n"},
        {429, "GET /v1/busy HTTP/1.1\r\nHost: h\r\n\r\n",
         "{\"error\":{\"code\":\"rate_limited\",\"message\":\"too fast\",\"retryAfterMs\":1500}}"},
        {500, "GET /v1/nothing HTTP/1.1\r\nHost: h\r\n\r\n", "\"code\":\"internal\""},
        {404, "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", "\"code\":\"not_found\""},
        {404, "GET /v1/ping/ HTTP/1.1\r\nHost: h\r\n\r\n", "\"code\":\"not_found\""},
        {404, "GET /v1/%70ing HTTP/1.1\r\nHost: h\r\n\r\n", "\"code\":\"not_found\""},
        {404, "GET /a/../index.html HTTP/1.1\r\nHost: h\r\n\r\n", "\"code\":\"not_found\""},
        {404, "GET /../../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", "\"code\":\"not_found\""},
        {200, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "<!doctype html>"},
        {200, "GET /index.html?x HTTP/1.1\r\nHost: h\r\n\r\n", "content-type: text/html; charset=utf-8"},
        {200, "GET /client/game.js HTTP/1.1\r\nHost: h\r\n\r\n", "content-type: text/javascript; charset=utf-8"},
        {200, "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
         "content-security-policy: default-src 'self'; connect-src 'self' ws: wss: http: https:; img-src 'self' data:; frame-ancestors "
         "'none'"},
        {200, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "x-content-type-options: nosniff"},
        {405, "POST / HTTP/1.1\r\nHost: h\r\n\r\n", "allow: GET, HEAD"},
        {505, "GET / HTTP/1.0\r\nHost: h\r\n\r\n", "\"code\":\"http_version\""},
        {400, "GET / HTTP/1.1\r\n\r\n", "\"code\":\"bad_request\""},
        {400, "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", "Connection: close"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n", "Connection: close"},
        {400, "POST /v1/guest HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "Connection: close"},
        {400, "POST /v1/guest HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "Connection: close"},
        {400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
         "Connection: close"},
        {400, "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 400"},
        {426, "GET /v1/ws HTTP/1.1\r\nHost: h\r\n\r\n", "sec-websocket-version: 13"},
        {400, "GET /v1/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
         "\"code\":\"bad_key\""},
        {405, "POST /v1/ws HTTP/1.1\r\nHost: h\r\n\r\n", "allow: GET"},
        {403, WS_HEAD("/v1/ws") "Origin: https://evil.test\r\n\r\n", "\"code\":\"origin\""},
        {400, WS_HEAD("/v1/ws") "Sec-WebSocket-Protocol: mqtt\r\n\r\n", "\"code\":\"subprotocol\""},
        {400, WS_HEAD("/v1/ws") "Content-Length: 0\r\n\r\n", "Connection: close"},
        {400, WS_HEAD("/v1/ping") "\r\n", "Connection: close"},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        const char *answer = ask(f, rows[i].request, strlen(rows[i].request));
        if (strlen(answer) < 12 || atoi(answer + 9) != rows[i].status || strstr(answer, rows[i].has) == NULL)
            fail_msg("row %zu: expected %d with %s, got %s\nfor %s", i, rows[i].status, rows[i].has, answer, rows[i].request);
    }
    assert_int_equal(f->opened, 0);
}

static void too_much_is_refused_by_size(void **state)
{
    struct net_fix *f = *state;
    static char request[600000];
    int len = snprintf(request, sizeof(request), "POST /v1/guest HTTP/1.1\r\nHost: h\r\nContent-Length: 4097\r\n\r\n");
    memset(request + len, 'x', 4097);
    const char *answer = ask(f, request, (size_t)len + 4097);
    assert_status(answer, 413);
    assert_has(answer, "\"code\":\"too_large\"");

    len = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    memset(request + len, 'x', 9000);
    memcpy(request + len + 9000, "\r\n\r\n", 4);
    answer = ask(f, request, (size_t)len + 9004);
    assert_status(answer, 431);
    assert_has(answer, "Connection: close");

    len = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 40; i++)
        len += snprintf(request + len, sizeof(request) - (size_t)len, "X-%d: y\r\n", i);
    len += snprintf(request + len, sizeof(request) - (size_t)len, "\r\n");
    assert_status(ask(f, request, (size_t)len), 431);
    memset(request + len - 4, 'z', sizeof(request) - (size_t)len); /* a head that never ends: h2o gives up by itself */
    assert_status(ask(f, request, 500000), 400);
}

static void a_file_is_sent_again_only_when_it_changed(void **state)
{
    struct net_fix *f = *state;
    const char *answer = ask(f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
    char etag[32], request[256];
    assert_int_equal(sscanf(strstr(answer, "etag: "), "etag: %31s", etag), 1);
    int len = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"x\", %s\r\n\r\n", etag);
    answer = ask(f, request, (size_t)len);
    assert_status(answer, 304);
    assert_null(strstr(answer, "doctype"));
    answer = ask(f, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 28);
    assert_status(answer, 200);
    assert_has(answer, "Content-Length: 31");
    assert_null(strstr(answer, "doctype"));
}

static void a_kept_connection_answers_request_after_request(void **state)
{
    struct net_fix *f = *state;
    static const char two[] = "GET /v1/ping HTTP/1.1\r\nHost: h\r\n\r\nGET /v1/busy HTTP/1.1\r\nHost: h\r\n\r\n";
    char head[1024];
    int fd = net_connect(f);
    net_send(f, fd, two, sizeof(two) - 1);
    net_head(f, fd, head, sizeof(head));
    assert_status(head, 204);
    net_head(f, fd, head, sizeof(head));
    assert_status(head, 429);
    close(fd);
}

static void nothing_is_answered_after_a_refused_upgrade(void **state)
{
    struct net_fix *f = *state;
    static const char smuggled[] =
        "GET /v1/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 777\r\n\r\n"
        "GET /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n";
    const char *answer = ask(f, smuggled, sizeof(smuggled) - 1);
    assert_status(answer, 426);
    assert_null(strstr(answer + 9, "HTTP/1.1"));
}

static void opened_is_told_what_was_asked_for(void **state)
{
    struct net_fix *f = *state;
    char ip[EDGE_ADDR_TEXT_BYTES];
    int a = net_open_path(f, WS_HEAD("/v1/ws?token=t&device=d") "Sec-WebSocket-Protocol: x, meridian.v1.proto\r\n"
                                                                "Origin: https://play.test\r\n\r\n");
    assert_int_equal(f->opened, 1);
    assert_int_equal(f->info.subprotocol, 1);
    assert_string_equal(f->query, "token=t&device=d");
    edge_addr_text(edge_conn_peer(f->conn[0]), true, ip);
    assert_string_equal(ip, "127.0.0.1");
    assert_false(edge_conn_is_tls(f->conn[0]));
    int b = net_open(f);
    assert_int_equal(f->info.subprotocol, -1);
    close(a);
    close(b);
}

static void frames_sent_with_the_handshake_are_served(void **state)
{
    struct net_fix *f = *state;
    char head[1024];
    uint8_t bytes[2048];
    size_t n = sizeof(WS_HEAD("/v1/echo") "\r\n") - 1;
    memcpy(bytes, WS_HEAD("/v1/echo") "\r\n", n);
    n += net_frame(bytes + n, 0x81, "early", 5);
    n += net_frame(bytes + n, 0x81, "cut", 3) - 2; /* its last two bytes come later */
    int fd = net_connect(f);
    net_send(f, fd, bytes, n);
    net_head(f, fd, head, sizeof(head));
    assert_status(head, 101);
    assert_frame(f, fd, 0x81, "early", 5);
    net_send(f, fd, bytes + n, 2);
    assert_frame(f, fd, 0x81, "cut", 3);
    close(fd);
}

static void junk_sent_with_the_handshake_is_a_fault(void **state)
{
    struct net_fix *f = *state;
    static const char *const junk[] = {"GET /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n", "\xff\xff\xff\xff\xff"};
    for (size_t i = 0; i < MER_COUNT(junk); i++) {
        char head[1024], request[1024];
        int len = snprintf(request, sizeof(request), WS_HEAD("/v1/echo") "\r\n%s", junk[i]);
        int fd = net_connect(f);
        net_send(f, fd, request, (size_t)len);
        net_head(f, fd, head, sizeof(head));
        assert_status(head, 101);
        assert_closed_with(f, fd, 1002);
    }
}

/* Refused by libh2o, before there is a request to hand to us. */
static void what_is_no_http_is_refused_in_json_too(void **state)
{
    struct net_fix *f = *state;
    static const struct {
        const char *text;
        int status;
        const char *code;
    } rows[] = {
        {"POST /v1/guest HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", 413, "\"code\":\"too_large\""},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        uint64_t before = metric_value(&f->metrics, "meridian_edge_http_responses_total{status=\"4XX\"}");
        const char *answer = ask(f, rows[i].text, strlen(rows[i].text));
        assert_status(answer, rows[i].status);
        assert_has(answer, "content-type: application/json; charset=utf-8\r\n");
        assert_has(answer, "{\"error\":{");
        assert_has(answer, rows[i].code);
        const char *body = strstr(answer, "\r\n\r\n") + 4;
        assert_int_equal(atoi(strcasestr(answer, "content-length:") + 15), (int)strlen(body));
        assert_metric_moved(&f->metrics, "meridian_edge_http_responses_total{status=\"4XX\"}", before, 1);
    }
}

static void a_draining_edge_refuses_new_upgrades_only(void **state)
{
    struct net_fix *f = *state;
    int old = net_open_path(f, WS_HEAD("/v1/echo") "\r\n");
    uint64_t before = metric_value(&f->metrics, "meridian_edge_connections_refused_total{cause=\"draining\"}");
    edge_http_refuse_new(f->http, true);
    const char *answer = ask(f, WS_HEAD("/v1/ws") "\r\n", sizeof(WS_HEAD("/v1/ws") "\r\n") - 1);
    assert_status(answer, 503);
    assert_has(answer, "retry-after: ");
    assert_has(answer, "retryAfterMs");
    assert_metric_moved(&f->metrics, "meridian_edge_connections_refused_total{cause=\"draining\"}", before, 1);
    assert_status(ask(f, "GET /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n", 35), 204);
    net_send_frame(f, old, 0x81, "x", 1);
    assert_frame(f, old, 0x81, "x", 1);
    close(old);
    edge_http_stop_listening(f->http);
    edge_http_stop_listening(f->http);
}

static int fix_address(void **state)
{
    struct net_fix *f = with_routes();
    f->net_conf.address_handshakes = (struct mer_bucket_rate){1, 2};
    net_start(f);
    *state = f;
    return 0;
}

static void an_address_over_its_rate_gets_429_then_silence(void **state)
{
    struct net_fix *f = *state;
    static const char request[] = "GET /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n";
    int answers[3] = {0};
    for (int i = 0; i < 6; i++) {
        const char *answer = ask(f, request, sizeof(request) - 1);
        int status = answer[0] == '\0' ? 0 : atoi(answer + 9);
        answers[status == 0 ? 2 : status == 429 ? 1 : 0]++;
        if (status == 429)
            assert_has(answer, "retry-after: ");
    }
    assert_int_equal(answers[0], 2);
    assert_int_equal(answers[1], 2);
    assert_int_equal(answers[2], 2);
    net_advance(f, 3000);
    assert_status(ask(f, request, sizeof(request) - 1), 204);
}

static int fix_small(void **state)
{
    struct net_fix *f = with_routes();
    f->net_conf.max_connections = 3;
    f->net_conf.address_connections = 2;
    net_start(f);
    *state = f;
    return 0;
}

static void connections_of_an_address_and_of_all_are_limited(void **state)
{
    struct net_fix *f = *state;
    static const char request[] = "GET /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n";
    int a = net_open(f), b = net_open(f);
    assert_status(ask(f, request, sizeof(request) - 1), 429);
    close(b);
    net_until(f, edge_net_connections(f->net) == 1);
    assert_status(ask(f, request, sizeof(request) - 1), 204);
    close(a);
    net_until(f, edge_net_connections(f->net) == 0 && f->net->pending_count == 0);
    f->net->throttle.conf.connections = 0;
    int c[3];
    for (int i = 0; i < 3; i++)
        c[i] = net_open(f);
    const char *answer = ask(f, request, sizeof(request) - 1);
    assert_status(answer, 503);
    assert_has(answer, "\"code\":\"overloaded\"");
    for (int i = 0; i < 3; i++)
        close(c[i]);
}

static int fix_proxy(void **state)
{
    static const char *const balancers[] = {"127.0.0.1/32"};
    struct net_fix *f = with_routes();
    f->http_conf.balancers = balancers;
    f->http_conf.balancer_count = 1;
    net_start(f);
    *state = f;
    return 0;
}
#define PROXY "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\x0a\x00\x00\x01\xd4\x31\x01\xbb"
#define GUEST "POST /v1/guest HTTP/1.1\r\nHost: h\r\n\r\n"

static void a_balancer_tells_whose_connection_it_is(void **state)
{
    struct net_fix *f = *state;
    static const char bytes[] = PROXY GUEST;
    assert_has(ask(f, bytes, sizeof(bytes) - 1), "203.0.113.9|");
    for (size_t cut = 1; cut < 30; cut++) { /* in two pieces, cut anywhere */
        char head[1024];
        int fd = net_connect(f);
        net_send(f, fd, bytes, cut);
        net_settle(f);
        net_send(f, fd, bytes + cut, sizeof(bytes) - 1 - cut);
        net_head(f, fd, head, sizeof(head));
        assert_status(head, 200);
        close(fd);
    }
}

static void a_balancer_without_its_header_is_closed(void **state)
{
    struct net_fix *f = *state;
    uint64_t before = metric_value(&f->metrics, "meridian_edge_connections_refused_total{cause=\"proxy\"}");
    assert_string_equal(ask(f, GUEST, sizeof(GUEST) - 1), "");
    assert_string_equal(ask(f, "\r\n\r\n\0\r\nQUIT\n\x21\x12\x00\x0c", 16), "");
    int silent = net_connect(f), partly = net_connect(f), hung_up = net_connect(f);
    net_send(f, partly, PROXY, 14);
    net_send(f, hung_up, PROXY, 14);
    net_settle(f);
    shutdown(hung_up, SHUT_WR);
    assert_ended(f, hung_up);
    net_advance(f, 5001);
    assert_ended(f, silent);
    assert_ended(f, partly);
    assert_metric_moved(&f->metrics, "meridian_edge_connections_refused_total{cause=\"proxy\"}", before, 5);
    assert_status(ask(f, PROXY PROXY GUEST, sizeof(PROXY PROXY GUEST) - 1), 400); /* twice */
    int waiting = net_connect(f);                                                 /* and one is open when the edge goes */
    net_settle(f);
    close(waiting);
}

static void a_header_from_somebody_else_is_a_bad_request(void **state)
{
    struct net_fix *f = *state;
    static const char bytes[] = PROXY GUEST;
    assert_status(ask(f, bytes, sizeof(bytes) - 1), 400);
}

static int lowest_free(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

static void without_descriptors_connections_are_closed_and_the_rest_goes_on(void **state)
{
    struct net_fix *f = *state;
    struct rlimit old, low;
    getrlimit(RLIMIT_NOFILE, &old);
    int fd[3] = {net_connect(f), net_connect(f), net_connect(f)};
    low = (struct rlimit){(rlim_t)lowest_free(), old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    uint64_t before = metric_value(&f->metrics, "meridian_edge_connections_refused_total{cause=\"descriptors\"}");
    for (int i = 0; i < 3; i++)
        assert_ended(f, fd[i]);
    assert_metric_moved(&f->metrics, "meridian_edge_connections_refused_total{cause=\"descriptors\"}", before, 3);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_status(ask(f, "GET /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n", 35), 204);
}

static void descriptors_in_reserve_are_answered_503(void **state)
{
    struct net_fix *f = *state;
    f->net->descriptor_limit = lowest_free() + (int)f->net_conf.reserve_descriptors + 2;
    int first = net_connect(f); /* ours takes one number, the server's the next */
    net_settle(f);
    const char *answer = ask(f, "GET /v1/ping HTTP/1.1\r\nHost: h\r\n\r\n", 35);
    assert_status(answer, 503);
    close(first);
}

static void an_edge_goes_while_requests_are_on_their_way(void **state)
{
    struct net_fix *f = *state;
    net_connect(f); /* closed by the end of the process: nothing of it may be left in the loop */
    int half = net_connect(f);
    net_send(f, half, "GET / HT", 8);
    int open = net_open(f);
    net_send_frame(f, open, 0x01, "half", 4);
    net_settle(f);
}

static void wrong_addresses_are_told(void **state)
{
    struct net_fix *f = *state;
    static const char *const wrong[] = {"",           "127.0.0.1", "127.0.0.1:",   "127.0.0.1:99999",
                                        "nowhere:80", ":80",       "300.0.0.1:80", "192.0.2.1:80"};
    for (size_t i = 0; i < MER_COUNT(wrong); i++) {
        struct mer_msg msg = {""};
        assert_int_not_equal(edge_http_listen(f->http, wrong[i], NULL, false, &msg), MER_OK);
        assert_true(strlen(msg.text) > strlen(wrong[i]));
    }
    struct mer_msg msg = {""};
    assert_int_equal(edge_http_listen(f->http, edge_http_address(f->http, 0), NULL, false, &msg), MER_EIO);
}

static void a_shared_port_is_listened_on_twice(void **state)
{
    struct net_fix *f = *state;
    struct mer_msg msg = {""};
    assert_int_equal(edge_http_listen(f->http, "127.0.0.1:0", NULL, true, &msg), MER_OK);
    assert_int_equal(edge_http_listen(f->http, edge_http_address(f->http, 1), NULL, true, &msg), MER_OK);
    assert_string_equal(edge_http_address(f->http, 1), edge_http_address(f->http, 2));
    assert_null(edge_http_address(f->http, 3));
}

#define T(name, fix) cmocka_unit_test_setup_teardown(name, fix, net_fix_free)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_request_gets_its_answer, fix_routes),
        T(too_much_is_refused_by_size, fix_routes),
        T(a_file_is_sent_again_only_when_it_changed, fix_routes),
        T(a_kept_connection_answers_request_after_request, fix_routes),
        T(nothing_is_answered_after_a_refused_upgrade, fix_routes),
        T(opened_is_told_what_was_asked_for, fix_routes),
        T(frames_sent_with_the_handshake_are_served, fix_routes),
        T(junk_sent_with_the_handshake_is_a_fault, fix_routes),
        T(a_draining_edge_refuses_new_upgrades_only, fix_routes),
        T(an_address_over_its_rate_gets_429_then_silence, fix_address),
        T(connections_of_an_address_and_of_all_are_limited, fix_small),
        T(a_balancer_tells_whose_connection_it_is, fix_proxy),
        T(a_balancer_without_its_header_is_closed, fix_proxy),
        T(a_header_from_somebody_else_is_a_bad_request, fix_routes),
        T(without_descriptors_connections_are_closed_and_the_rest_goes_on, fix_routes),
        T(what_is_no_http_is_refused_in_json_too, fix_routes),
        T(descriptors_in_reserve_are_answered_503, fix_routes),
        T(an_edge_goes_while_requests_are_on_their_way, fix_routes),
        T(wrong_addresses_are_told, fix_routes),
        T(a_shared_port_is_listened_on_twice, fix_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
