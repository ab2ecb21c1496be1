/* SPDX-License-Identifier: Apache-2.0
 * Admission at the player port on real sockets: refused at the upgrade, refused before h2o, places that are full, requests over the rate.
 */
#include "net_fixture.h"

#include "edge/net/http_private.h"

struct gate {
    bool hurry, lets_in, handshakes;
    unsigned asked;
    char query[128];
};

static bool hurry(void *ctx)
{
    return ((struct gate *)ctx)->hurry;
}
static bool handshake(void *ctx)
{
    return ((struct gate *)ctx)->handshakes;
}
static bool upgrade(void *ctx, struct edge_text query)
{
    struct gate *g = ctx;
    g->asked++;
    snprintf(g->query, sizeof(g->query), "%.*s", (int)query.len, query.p);
    return g->lets_in;
}
static uint32_t retry_ms(void *ctx)
{
    (void)ctx;
    return 7001;
}

static struct gate gate;

static int fix_gate(void **state)
{
    struct net_fix *f = net_fix_new();
    gate = (struct gate){.lets_in = true, .handshakes = true};
    f->http_conf.gate = (struct edge_gate){hurry, handshake, upgrade, retry_ms, &gate};
    net_start(f);
    *state = f;
    return 0;
}

static const char *answer_of(struct net_fix *f, int fd)
{
    static char answer[4096];
    answer[net_recv(f, fd, answer, sizeof(answer) - 1)] = 0;
    close(fd);
    return answer;
}

#define assert_refused(answer) \
    do { \
        const char *a_ = (answer); \
        assert_int_equal(atoi(a_ + 9), 503); \
        assert_non_null(strstr(a_, "retry-after: 8\r\n")); \
        assert_non_null(strstr(a_, "{\"error\":{\"code\":\"overloaded\",\"message\":")); \
        assert_non_null(strstr(a_, "\"retryAfterMs\":7001}}")); \
    } while (0)

static void an_upgrade_that_is_not_let_in_is_answered_503_with_a_time(void **state)
{
    struct net_fix *f = *state;
    gate.lets_in = false;
    int fd = net_connect(f);
    net_send(f, fd, WS_HEAD("/v1/ws?token=x") "\r\n", strlen(WS_HEAD("/v1/ws?token=x") "\r\n"));
    assert_refused(answer_of(f, fd));
    assert_int_equal(gate.asked, 1);
    assert_string_equal(gate.query, "token=x");
    assert_int_equal(f->net->values[EDGE__M_REFUSED_LOAD], 1);
    assert_int_equal(f->opened, 0);
}

/* The request is in the kernel's buffer before the edge looks. */
static int sent_before_accept(struct net_fix *f, const char *request)
{
    int fd = net_connect(f);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    poll(NULL, 0, 5);
    return fd;
}

static void in_a_hurry_it_is_refused_before_h2o_has_it(void **state)
{
    struct net_fix *f = *state;
    gate.hurry = true;
    gate.lets_in = false;
    for (int i = 0; i < 100; i++) {
        int fd = sent_before_accept(f, WS_HEAD("/v1/ws") "\r\n");
        assert_refused(answer_of(f, fd));
        assert_true(mer_list_empty(&f->http->pending));
    }
    assert_int_equal(gate.asked, 100);
    assert_int_equal(f->net->values[EDGE__M_REFUSED_LOAD], 100);
    assert_int_equal(f->net->values[EDGE__M_HTTP_5XX], 100);
}

static void in_a_hurry_who_is_let_in_is_asked_for_once(void **state)
{
    struct net_fix *f = *state;
    gate.hurry = true;
    char head[1024];
    int fd = sent_before_accept(f, WS_HEAD("/v1/ws?session=s") "\r\n");
    net_head(f, fd, head, sizeof(head));
    assert_memory_equal(head, "HTTP/1.1 101 ", 13);
    assert_int_equal(gate.asked, 1);
    close(fd);
    net_until(f, f->closed == 1);
}

static void in_a_hurry_other_requests_and_late_ones_go_their_way(void **state)
{
    struct net_fix *f = *state;
    gate.hurry = true;
    gate.lets_in = false;
    int fd = sent_before_accept(f, "GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    assert_int_equal(atoi(answer_of(f, fd) + 9), 404);
    fd = sent_before_accept(f, "GET /v1/ws HTTP/1.1\r\nHost: 127"); /* the rest comes after the accept */
    net_settle(f);
    static const char *rest = ".0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    net_send(f, fd, rest, strlen(rest));
    assert_refused(answer_of(f, fd));
    assert_int_equal(gate.asked, 1);
}

/* More at a time than h2o may be given to answer. */
static int fix_full(void **state)
{
    struct net_fix *f = net_fix_new();
    f->net_conf.max_connections = 1;
    f->http_conf.gate = (struct edge_gate){hurry, handshake, upgrade, retry_ms, &gate};
    gate = (struct gate){.lets_in = true};
    net_start(f);
    *state = f;
    return 0;
}

static void over_the_maximum_everybody_is_answered(void **state)
{
    struct net_fix *f = *state;
    enum { CROWD = 200 };
    int in = net_open(f), fd[CROWD];
    for (int i = 0; i < CROWD; i++)
        fd[i] = sent_before_accept(f, WS_HEAD("/v1/ws") "\r\n");
    for (int i = 0; i < CROWD; i++)
        assert_refused(answer_of(f, fd[i]));
    assert_int_equal(f->net->values[EDGE__M_REFUSED_FULL], CROWD);
    assert_int_equal(f->opened, 1);
    close(in);
    net_until(f, f->closed == 1);
}

static void requests_of_a_connection_that_is_kept_are_limited(void **state)
{
    struct net_fix *f = *state;
    static const char request[] = "GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    char head[4096];
    int fd = net_connect(f);
    for (uint32_t i = 0; i < f->http_conf.requests.burst; i++) {
        net_send(f, fd, request, sizeof(request) - 1);
        net_head(f, fd, head, sizeof(head));
        assert_int_equal(atoi(head + 9), 404);
        const char *length = strcasestr(head, "content-length:");
        assert_non_null(length);
        net_recv(f, fd, head, (size_t)atoi(length + strlen("content-length:")));
    }
    net_send(f, fd, request, sizeof(request) - 1);
    net_head(f, fd, head, sizeof(head));
    assert_int_equal(atoi(head + 9), 429);
    answer_of(f, fd); /* and the connection ends */
    assert_int_equal(f->net->values[EDGE__M_REQUESTS_FLOOD], 1);
}

int main(void)
{
#define T(name, fix) cmocka_unit_test_setup_teardown(name, fix, net_fix_free)
    const struct CMUnitTest tests[] = {
        T(an_upgrade_that_is_not_let_in_is_answered_503_with_a_time, fix_gate),
        T(in_a_hurry_it_is_refused_before_h2o_has_it, fix_gate),
        T(in_a_hurry_who_is_let_in_is_asked_for_once, fix_gate),
        T(in_a_hurry_other_requests_and_late_ones_go_their_way, fix_gate),
        T(over_the_maximum_everybody_is_answered, fix_full),
        T(requests_of_a_connection_that_is_kept_are_limited, fix_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
