/* SPDX-License-Identifier: Apache-2.0
 * test_trace_export_shell.c - batches of spans on their way to a receiver that takes them, refuses them, is busy, silent, mad or gone. The
 * loop's clock runs two hundred times as fast as the world's, so that a backoff of seconds is over soon. */
#include "unit.h"

#include <stdio.h>

#include <meridian/stream.h>
#include <meridian/trace_export.h>

#include "loop_run.h"

enum { FASTER = 200 };

static struct {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_listener *listener;
    struct mer_stream *stream; /* the receiver's, of the last request */
    struct mer_trace_export *e;
    struct mer_tracer *t;
    const char *answer; /* NULL: none */
    unsigned requests, accepted;
    char request[2048]; /* its beginning */
    size_t got;
    char address[64], url[128];
} f;

static uint64_t fast_mono_us(void *ctx)
{
    (void)ctx;
    struct mer_clock real = mer_clock_system();
    return real.mono_us(real.ctx) * FASTER;
}
static uint64_t real_wall_ms(void *ctx)
{
    (void)ctx;
    struct mer_clock real = mer_clock_system();
    return real.wall_ms(real.ctx);
}

static void server_open(void *ctx)
{
    (void)ctx;
}

/* A whole request: its heads say how long it is. */
static bool whole(void)
{
    const char *body = strstr(f.request, "\r\n\r\n"), *length = strstr(f.request, "Content-Length: ");
    return body != NULL && length != NULL && f.got >= (size_t)(body + 4 - f.request) + strtoul(length + 16, NULL, 10);
}

static void server_data(void *ctx, const uint8_t *data, size_t len)
{
    (void)ctx;
    size_t room = f.got < sizeof f.request - 1 ? sizeof f.request - 1 - f.got : 0;
    if (room > 0)
        memcpy(f.request + f.got, data, len < room ? len : room);
    f.got += len;
    if (!whole())
        return;
    f.requests++;
    if (f.answer != NULL)
        assert_int_equal(mer_stream_write(f.stream, f.answer, strlen(f.answer)), MER_OK);
}

static void server_close(void *ctx, enum mer_err why, const char *text)
{
    (void)why;
    (void)text;
    if (f.stream == ctx)
        f.stream = NULL;
}
static const struct mer_stream_cbs cbs = {server_open, server_data, server_close};

static void on_accept(void *ctx, struct mer_stream *s)
{
    (void)ctx;
    f.accepted++;
    f.got = 0;
    memset(f.request, 0, sizeof f.request);
    f.stream = s;
    mer_stream_set_ctx(s, &cbs, s);
}

static void listen_at(const char *address)
{
    struct mer_stream_conf conf = {.loop = &f.loop};
    struct mer_msg msg;
    assert_int_equal(mer_listener_open(&f.listener, &conf, address, on_accept, NULL, &msg), MER_OK);
    snprintf(f.address, sizeof f.address, "%s", mer_listener_address(f.listener));
}

/* The loop's time, not the world's. */
static void pass(uint64_t ms)
{
    uint64_t end = fast_mono_us(NULL) + ms * 1000;
    while (fast_mono_us(NULL) < end)
        loop_run_for(&f.loop, 1);
}

static void stop_listening(void)
{
    mer_listener_close(f.listener);
    f.listener = NULL;
    if (f.stream != NULL)
        mer_stream_close(f.stream);
    f.stream = NULL;
    pass(200);
}

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    struct mer_clock fast = {fast_mono_us, real_wall_ms, NULL};
    assert_int_equal(mer_loop_init(&f.loop, fast), 0);
    mer_log_init(&f.log, -1, MER_ERROR, fast);
    snprintf(f.log.process, sizeof f.log.process, "e-1.abcde");
    snprintf(f.log.region, sizeof f.log.region, "eu");
    mer_metrics_init(&f.metrics);
    listen_at("127.0.0.1:0");
    snprintf(f.url, sizeof f.url, "http://%s", f.address);
    struct mer_trace_export_conf conf = {&f.loop, &f.log, &f.metrics, mer_rng_system(), f.url, "meridian-edge", MER_TRACE_MILLION};
    assert_int_equal(mer_trace_open(&f.e, &conf), MER_OK);
    f.t = mer_trace_tracer(f.e);
    f.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mer_trace_close(f.e);
    if (f.stream != NULL)
        mer_stream_close(f.stream);
    if (f.listener != NULL)
        mer_listener_close(f.listener);
    mer_loop_deinit(&f.loop);
    assert_true(mer_list_empty(&f.metrics.sets));
    return 0;
}

static void spans(unsigned count)
{
    struct mer_span s;
    for (unsigned i = 0; i < count; i++) {
        mer_span_begin(f.t, NULL, f.loop.now_ms * 1000 + 1, &s);
        mer_span_finish(f.t, &s, &(struct mer_span_end){.name = "move", .kind = MER_SPAN_SERVER});
    }
}

static void a_batch_is_posted_after_a_second(void **state)
{
    (void)state;
    loop_run_for(&f.loop, 1);
    uint64_t before_us = f.loop.now_ms * 1000;
    spans(3);
    WAIT_FOR(&f, f.t->values[MER_TRACE_SENT] == 3);
    assert_true(fast_mono_us(NULL) - before_us >= MER_TRACE_PERIOD_MS * 1000ULL);
    assert_int_equal(f.requests, 1);
    assert_int_equal(f.t->values[MER_TRACE_EXPORTS_OK], 1);
    assert_ptr_equal(strstr(f.request, "POST /v1/traces HTTP/1.1\r\n"), f.request);
    assert_non_null(strstr(f.request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(f.request, f.address));
    assert_non_null(strstr(f.request, "\"e-1.abcde\""));
    assert_non_null(strstr(f.request, "\"eu\""));
    spans(1);
    WAIT_FOR(&f, f.t->values[MER_TRACE_SENT] == 4);
    assert_int_equal(f.requests, 2);
}

static void a_full_batch_goes_at_once(void **state)
{
    (void)state;
    spans(MER_TRACE_BATCH);
    assert_true(f.loop.wheel.count > 0);
    uint64_t due = mer_wheel_next_ms(&f.loop.wheel);
    assert_true(due <= fast_mono_us(NULL) / 1000 + 1);
    WAIT_FOR(&f, f.t->values[MER_TRACE_SENT] == MER_TRACE_BATCH);
}

static void nothing_is_sent_when_there_is_nothing(void **state)
{
    (void)state;
    pass(3 * MER_TRACE_PERIOD_MS);
    assert_int_equal(f.accepted, 0);
}

static void a_refused_batch_is_not_sent_again(void **state)
{
    (void)state;
    f.answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    spans(2);
    WAIT_FOR(&f, f.t->values[MER_TRACE_REFUSED] == 2);
    assert_int_equal(f.t->values[MER_TRACE_EXPORTS_REFUSED], 1);
    pass(3 * MER_TRACE_PERIOD_MS);
    assert_int_equal(f.requests, 1);
}

static void a_busy_receiver_gets_the_same_batch_again(void **state)
{
    (void)state;
    f.answer = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
    spans(2);
    WAIT_FOR(&f, f.t->values[MER_TRACE_EXPORTS_FAILED] == 1);
    f.answer = "HTTP/1.1 200 OK\r\n\r\n";
    spans(1); /* of the next batch */
    WAIT_FOR(&f, f.t->values[MER_TRACE_SENT] == 2);
    assert_int_equal(f.t->values[MER_TRACE_DROPPED], 0);
    WAIT_FOR(&f, f.t->values[MER_TRACE_SENT] == 3);
}

static void what_fails_three_times_is_dropped_and_counted(void **state)
{
    (void)state;
    f.answer = "HTTP/1.1 502 Bad Gateway\r\n\r\n";
    spans(2);
    WAIT_FOR(&f, f.t->values[MER_TRACE_DROPPED] == 2);
    assert_int_equal(f.t->values[MER_TRACE_EXPORTS_FAILED], MER_TRACE_TRIES);
    assert_int_equal(f.requests, MER_TRACE_TRIES);
}

static void a_receiver_that_is_gone_costs_spans_until_it_is_back(void **state)
{
    (void)state;
    stop_listening();
    spans(2);
    WAIT_FOR(&f, f.t->values[MER_TRACE_DROPPED] == 2);
    spans(5);
    WAIT_FOR(&f, f.t->values[MER_TRACE_EXPORTS_FAILED] == MER_TRACE_TRIES + 1); /* it still tries, ever less often */
    assert_int_equal(f.accepted, 0);
    listen_at(f.address);
    WAIT_FOR(&f, f.t->values[MER_TRACE_SENT] == 5);
    spans(1);
    WAIT_FOR(&f, f.t->values[MER_TRACE_SENT] == 6);
}

static void after_a_backoff_with_nothing_to_send_the_next_span_goes(void **state)
{
    (void)state;
    stop_listening();
    spans(1);
    WAIT_FOR(&f, f.t->values[MER_TRACE_DROPPED] == 1);
    WAIT_FOR(&f, f.loop.wheel.count == 0); /* the backoff is over, too */
    listen_at(f.address);
    spans(1);
    WAIT_FOR(&f, f.t->values[MER_TRACE_SENT] == 1);
}

static void a_silent_receiver_is_given_up(void **state)
{
    (void)state;
    f.answer = NULL;
    spans(1);
    WAIT_FOR(&f, f.t->values[MER_TRACE_EXPORTS_FAILED] == 1);
    f.answer = "HTTP/1.1 202 Accepted\r\n\r\n";
    WAIT_FOR(&f, f.t->values[MER_TRACE_SENT] == 1);
}

static void what_is_no_http_is_a_failure(void **state)
{
    static const char *const mad[] = {"\n", "SSH-2.0-mad\r\n", "HTTP/1.1 \r\n", "HTTP/2 200\r\n", "HTTP/1.1 abc\r\n"};
    static char endless[1000];
    (void)state;
    for (size_t i = 0; i <= MER_COUNT(mad); i++) {
        uint64_t failed = f.t->values[MER_TRACE_EXPORTS_FAILED];
        memset(endless, 'x', sizeof endless - 1);
        f.answer = i < MER_COUNT(mad) ? mad[i] : endless;
        spans(1);
        WAIT_FOR(&f, f.t->values[MER_TRACE_EXPORTS_FAILED] > failed);
        f.answer = "HTTP/1.0 200 OK\r\n\r\n";
        uint64_t sent = f.t->values[MER_TRACE_SENT];
        WAIT_FOR(&f, f.t->values[MER_TRACE_SENT] > sent);
    }
}

static void it_may_be_closed_while_it_sends(void **state)
{
    (void)state;
    f.answer = NULL;
    spans(1);
    WAIT_FOR(&f, f.requests == 1); /* the teardown closes it now */
}

static void a_receiver_that_cannot_be_is_refused(void **state)
{
    struct mer_trace_export *e = NULL;
    struct mer_trace_export_conf conf = {&f.loop, &f.log, NULL, mer_rng_system(), "https://nowhere", "x", 0};
    (void)state;
    assert_int_equal(mer_trace_open(&e, &conf), MER_EINVALID);
    assert_null(e);
    assert_null(mer_trace_tracer(NULL));
    mer_trace_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_posted_after_a_second),
        TEST(a_full_batch_goes_at_once),
        TEST(nothing_is_sent_when_there_is_nothing),
        TEST(a_refused_batch_is_not_sent_again),
        TEST(a_busy_receiver_gets_the_same_batch_again),
        TEST(what_fails_three_times_is_dropped_and_counted),
        TEST(a_receiver_that_is_gone_costs_spans_until_it_is_back),
        TEST(after_a_backoff_with_nothing_to_send_the_next_span_goes),
        TEST(a_silent_receiver_is_given_up),
        TEST(what_is_no_http_is_a_failure),
        TEST(it_may_be_closed_while_it_sends),
        TEST(a_receiver_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
