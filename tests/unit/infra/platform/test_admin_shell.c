/* SPDX-License-Identifier: Apache-2.0
 * The admin port on a real loop and socket: routes, refusals, and that closing leaves nothing behind in any state of a connection. */
#include "unit.h"

#include "admin_fix.h"

static void health_follows_the_process_state(void **state)
{
    struct fix *f = *state;

    ask(f, REQ("GET", "/livez"));
    assert_answer(f, "HTTP/1.1 200 OK");
    ask(f, REQ("GET", "/readyz"));
    assert_answer(f, "HTTP/1.1 503 Service Unavailable");
    assert_answer(f, "{\"state\":\"starting\"}");
    mer_process_ready(&f->process);
    ask(f, REQ("GET", "/readyz"));
    assert_answer(f, "HTTP/1.1 200 OK");
    assert_answer(f, "content-type: application/json");
    ask(f, REQ("GET", "/healthz?verbose=1"));
    assert_answer(f, "{\"state\":\"ready\"}");
}

static void count_drain(void *ctx)
{
    ((struct fix *)ctx)->drains++;
}

static void a_post_drains_once_and_a_get_does_not(void **state)
{
    struct fix *f = *state;

    f->process.on_drain = count_drain;
    f->process.ctx = f;
    mer_process_ready(&f->process);
    ask(f, REQ("GET", "/drain"));
    assert_answer(f, "HTTP/1.1 405 Method Not Allowed");
    assert_answer(f, "allow: POST\r\n");
    assert_answer(f, "{\"error\":{\"code\":\"method_not_allowed\"");
    assert_int_equal(f->drains, 0);
    ask(f, "POST /drain HTTP/1.1\r\nhost: x\r\norigin: http://evil.example\r\ncontent-length: 0\r\n\r\n");
    assert_answer(f, "HTTP/1.1 403 Forbidden");
    assert_int_equal(f->drains, 0);
    ask(f, "POST /drain HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    assert_answer(f, "HTTP/1.1 202 Accepted");
    assert_answer(f, "{\"state\":\"draining\"}");
    ask(f, "POST /drain HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    assert_int_equal(f->drains, 1);
}

static void metrics_are_rendered(void **state)
{
    struct fix *f = *state;
    uint64_t before = metric_value(&f->metrics, "meridian_admin_requests_total");

    ask(f, REQ("GET", "/metrics"));
    assert_answer(f, "content-type: text/plain; version=0.0.4");
    assert_answer(f, "\nprocess_open_fds ");
    assert_answer(f, "\nmeridian_process_state 0\n");
    assert_metric_moved(&f->metrics, "meridian_admin_requests_total", before, 1);
    ask(f, REQ("HEAD", "/metrics"));
    assert_answer(f, "HTTP/1.1 200 OK");
    assert_null(strstr(f->answer, "process_open_fds"));
}

static int on_thing(void *ctx, const char *query, struct mer_buf *out)
{
    struct fix *f = ctx;

    snprintf(f->query, sizeof(f->query), "%s", query ? query : "none");
    return mer_buf_appends(out, "[1]") == MER_OK && !(query && strcmp(query, "fail") == 0) ? 200 : (mer_buf_clear(out), 409);
}

static void services_add_routes_of_their_own(void **state)
{
    struct fix *f = *state;

    mer_admin_route(f->admin, "GET", "/thing", on_thing, f);
    mer_admin_route(f->admin, "POST", "/thing", on_thing, f);
    ask(f, REQ("GET", "/thing?a=b&c"));
    assert_answer(f, "\r\n\r\n[1]");
    assert_string_equal(f->query, "a=b&c");
    ask(f, REQ("GET", "/thing"));
    assert_string_equal(f->query, "none");
    ask(f, REQ("GET", "/thing?fail"));
    assert_answer(f, "HTTP/1.1 409 Conflict");
    assert_answer(f, "{\"error\":{\"code\":\"conflict\"");
    ask(f, REQ("PUT", "/thing"));
    assert_answer(f, "allow: GET, HEAD, POST\r\n");
}

static void bad_requests_get_an_error_and_no_more(void **state)
{
    struct fix *f = *state;
    char big[9000];

    ask(f, REQ("GET", "/"));
    assert_answer(f, "HTTP/1.1 404 Not Found");
    assert_answer(f, "{\"error\":{\"code\":\"not_found\"");
    ask(f, REQ("GET", "/metrics/../../etc/passwd"));
    assert_answer(f, " 404 ");
    snprintf(big, sizeof(big), "POST /drain HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n%05000d", 0);
    ask(f, big);
    assert_answer(f, " 413 ");
    ask(f, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_null(strstr(f->answer, " 200 "));
    ask(f, "nonsense\r\n\r\n");
    assert_null(strstr(f->answer, " 200 "));
    assert_int_equal(f->process.state, MER_PROCESS_STARTING);
}

static void closing_ends_connections_in_every_state(void **state)
{
    struct fix *f = *state;
    int idle = dial(f), half = dial(f), asked = dial(f);

    assert_int_equal(write(half, "GET /li", 7), 7);
    uv_run(&f->loop.uv, UV_RUN_NOWAIT);
    uv_run(&f->loop.uv, UV_RUN_NOWAIT);
    assert_true(write(asked, REQ("GET", "/livez"), strlen(REQ("GET", "/livez"))) > 0);
    mer_admin_close(f->admin);
    mer_admin_close(f->admin);
    /* tear_down's mer_loop_deinit asserts that no handle is left, ASan that no memory is */
    f->admin = NULL;
    for (int i = 0; i < 20; i++)
        uv_run(&f->loop.uv, UV_RUN_NOWAIT);
    close(idle);
    close(half);
    close(asked);
}

static void more_than_64_connections_are_refused(void **state)
{
    struct fix *f = *state;
    int fds[70];

    for (size_t i = 0; i < MER_COUNT(fds); i++) {
        fds[i] = dial(f);
        uv_run(&f->loop.uv, UV_RUN_NOWAIT);
    }
    assert_int_equal(metric_value(&f->metrics, "meridian_admin_connections_refused_total"), 6);
    for (size_t i = 0; i < MER_COUNT(fds); i++)
        close(fds[i]);
}

static void only_loopback_addresses_are_taken(void **state)
{
    static const char *const bad[] = {"0.0.0.0:0",       "10.0.0.1:80",  "[::]:0", "::1:0", "localhost:0", "127.0.0.1", "127.0.0.1:",
                                      "127.0.0.1:65536", "127.0.0.1:1x", ":80",    "",      "127.0.0.1:-1"};
    struct fix *f = *state;
    struct mer_admin *a = NULL;
    struct mer_msg msg;
    char taken[32];

    for (size_t i = 0; i < MER_COUNT(bad); i++) {
        msg.text[0] = '\0';
        if (mer_admin_open(&a, &f->loop, &f->process, &f->metrics, bad[i], &msg) != MER_EINVALID || !msg.text[0])
            fail_msg("%s was taken", bad[i]);
    }
    snprintf(taken, sizeof(taken), "127.0.0.1:%d", mer_admin_port(f->admin));
    assert_int_equal(mer_admin_open(&a, &f->loop, &f->process, &f->metrics, taken, &msg), MER_EIO);
    assert_non_null(strstr(msg.text, "address already in use"));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(health_follows_the_process_state),
        TEST(a_post_drains_once_and_a_get_does_not),
        TEST(metrics_are_rendered),
        TEST(services_add_routes_of_their_own),
        TEST(bad_requests_get_an_error_and_no_more),
        TEST(closing_ends_connections_in_every_state),
        TEST(more_than_64_connections_are_refused),
        TEST(only_loopback_addresses_are_taken),
    };
    mer_process_raise_limits(); /* as every service does: no SIGPIPE */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
