/* SPDX-License-Identifier: Apache-2.0
 * Pages and streams of events on the admin port: who may read them, what a listener gets, and that a slow one costs nothing. */
#include "admin_fix.h"

enum { PERIOD_MS = 20, STALL_MS = 300, LISTENERS = 3 };
enum { TELLS = 0, FAILS = 1, TELLS_MUCH = 2 };

static const unsigned char page[] = "<!doctype html>", script[] = "let a;";
static const struct mer_web_file files[] = {
    {"/index.html", page, sizeof(page) - 1}, {"/wall.js", script, sizeof(script) - 1}, {NULL, NULL, 0}};

static enum mer_err tell(void *ctx, struct mer_buf *out)
{
    struct fix *f = ctx;
    static char much[64 << 10];
    f->asked++;
    if (f->mood == FAILS)
        return MER_EINVALID;
    if (f->mood == TELLS_MUCH) {
        memset(much, 'x', sizeof(much) - 1);
        return mer_buf_appends(out, much);
    }
    return mer_buf_appendf(out, "{\"n\":%d}", f->asked);
}

static int set_up_streams(void **state)
{
    set_up(state);
    struct fix *f = *state;
    mer_admin_files(f->admin, "/wall", files);
    mer_admin_stream(f->admin, &(struct mer_admin_stream_conf){"/wall/events", PERIOD_MS, STALL_MS, LISTENERS, tell, f});
    return 0;
}

static void turn(struct fix *f, int ms)
{
    for (int i = 0; i < ms; i++) {
        uv_run(&f->loop.uv, UV_RUN_NOWAIT);
        usleep(1000);
    }
}

/* Turns the loop until `want` came in on fd; f->answer is everything since the last call. */
static void hear(struct fix *f, int fd, const char *want)
{
    size_t len = 0;
    f->answer[0] = '\0';
    for (int i = 0; i < 30000 && strstr(f->answer, want) == NULL; i++) {
        turn(f, 1);
        ssize_t n = read(fd, f->answer + len, sizeof(f->answer) - 1 - len);
        len += n > 0 ? (size_t)n : 0;
        f->answer[len] = '\0';
        if (n == 0)
            break;
    }
    assert_answer(f, want);
}

static int listener(struct fix *f)
{
    int fd = dial(f);
    assert_true(write(fd, REQ("GET", "/wall/events"), strlen(REQ("GET", "/wall/events"))) > 0);
    return fd;
}

static void pages_are_served_to_this_machine_only(void **state)
{
    static const struct {
        const char *request, *answer;
    } rows[] = {
        {REQ("GET", "/wall/"), "HTTP/1.1 200 OK"},
        {REQ("GET", "/wall/"), "\r\n\r\n<!doctype html>"},
        {REQ("GET", "/wall/"), "content-type: text/html; charset=utf-8"},
        {REQ("GET", "/wall/"), "content-security-policy: default-src 'none'; script-src 'self';"},
        {REQ("GET", "/wall/"), "x-content-type-options: nosniff"},
        {REQ("GET", "/wall/index.html?x"), "\r\n\r\n<!doctype html>"},
        {REQ("GET", "/wall/wall.js"), "content-type: text/javascript; charset=utf-8"},
        {REQ("HEAD", "/wall/wall.js"), "Content-Length: 6"},
        {REQ("GET", "/wall"), "HTTP/1.1 301 Moved Permanently"},
        {REQ("GET", "/wall"), "location: /wall/\r\n"},
        {REQ("GET", "/wall/wall.css"), " 404 "},
        {REQ("GET", "/wall/../wall/x/../../etc/passwd"), " 404 "},
        {REQ("GET", "/wallpaper"), " 404 "},
        {REQ("GET", "/wall//index.html"), " 404 "},
        {REQ("GET", "/wall/index.html%00"), " 404 "},
        {REQ("GET", "/"), " 404 "},
        {REQ("POST", "/wall/"), "allow: GET, HEAD\r\n"},
        {REQ("PUT", "/wall/wall.js"), " 405 "},
        {REQ("DELETE", "/wall/events"), " 405 "},
        {REQ("POST", "/wall/events"), "allow: GET, HEAD\r\n"},
        {REQ("OPTIONS", "/wall/events"), " 405 "},
        {REQ("HEAD", "/wall/events"), "content-type: text/event-stream"},
        {"GET /wall/ HTTP/1.1\r\nhost: 127.20.0.1:7450\r\n\r\n", " 200 "},
        {"GET /wall/ HTTP/1.1\r\nhost: [::1]:7450\r\n\r\n", " 200 "},
        {"GET /wall/ HTTP/1.1\r\nhost: LOCALHOST:1\r\n\r\n", " 200 "},
        {"GET /wall/ HTTP/1.1\r\nhost: evil.example\r\n\r\n", " 421 "},
        {"GET /wall/ HTTP/1.1\r\nhost: 127.0.0.1.evil.example:80\r\n\r\n", " 421 "},
        {"GET /wall/ HTTP/1.1\r\nhost: localhost:80:evil\r\n\r\n", " 421 "},
        {"GET /wall/ HTTP/1.1\r\nhost: 10.0.0.1\r\n\r\n", " 421 "},
        {"GET /wall/ HTTP/1.1\r\nhost: :\r\n\r\n", " 421 "},
        {"GET /wall/ HTTP/1.1\r\n\r\n", " 421 "},
        {"GET /wall/events HTTP/1.1\r\nhost: evil.example\r\n\r\n", " 421 "},
        {"GET /wall/events HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\r\n", " 403 "},
        {"GET /wall/wall.js HTTP/1.1\r\nhost: localhost:7\r\norigin: http://localhost:7\r\n\r\n", " 200 "}, /* of modules browsers say it */
        {"GET /wall/wall.js HTTP/1.1\r\nhost: localhost:7\r\norigin: http://localhost:8\r\n\r\n", " 403 "},
        {"GET /wall/wall.js HTTP/1.1\r\nhost: localhost:7\r\norigin: null\r\n\r\n", " 403 "},
        {"GET /wall/wall.js HTTP/1.1\r\nhost: localhost:7\r\norigin: http://localhost:7\r\norigin: http://evil.example\r\n\r\n", " 403 "},
        {"GET /wall/wall.js HTTP/1.1\r\nhost: evil.example\r\norigin: http://evil.example\r\n\r\n", " 421 "},
        {"POST /drain HTTP/1.1\r\nhost: localhost:7\r\norigin: http://localhost:7\r\ncontent-length: 0\r\n\r\n", " 403 "},
    };
    struct fix *f = *state;
    char request[512];
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        ask(f, rows[i].request);
        if (strstr(f->answer, rows[i].answer) == NULL)
            fail_msg("%s: no %s in %s", rows[i].request, rows[i].answer, f->answer);
    }
    snprintf(request, sizeof(request), "GET /wall/ HTTP/1.1\r\nhost: %0300d\r\n\r\n", 0);
    ask(f, request);
    assert_answer(f, " 421 ");
    assert_int_equal(f->asked, 0);
}

static void a_listener_hears_at_once_and_every_period(void **state)
{
    struct fix *f = *state;
    int fd = listener(f);
    hear(f, fd, "data: {\"n\":1}\n\n");
    assert_answer(f, "HTTP/1.1 200 OK");
    assert_answer(f, "content-type: text/event-stream");
    assert_answer(f, "retry: 2000\n");
    assert_null(strstr(f->answer, "content-length"));
    hear(f, fd, "data: {\"n\":2}\n\n");
    hear(f, fd, "data: {\"n\":3}\n\n");
    assert_int_equal(metric_value(&f->metrics, "meridian_admin_listeners"), 1);
    close(fd);
}

static void nothing_is_asked_while_nobody_listens(void **state)
{
    struct fix *f = *state;
    turn(f, 3 * PERIOD_MS);
    assert_int_equal(f->asked, 0);
    int fd = listener(f);
    hear(f, fd, "data: ");
    close(fd);
    for (int i = 0; i < 30000 && metric_value(&f->metrics, "meridian_admin_listeners") != 0; i++)
        turn(f, 1);
    assert_int_equal(metric_value(&f->metrics, "meridian_admin_listeners"), 0);
    int asked = f->asked;
    turn(f, 3 * PERIOD_MS);
    assert_int_equal(f->asked, asked);
}

static void all_listeners_share_what_is_said(void **state)
{
    struct fix *f = *state;
    int a = listener(f), b;
    hear(f, a, "data: {\"n\":1}\n\n");
    b = listener(f);
    hear(f, b, "data: {\"n\":");
    for (int i = 0; i < 5; i++)
        hear(f, b, "data: {\"n\":");
    assert_in_range(f->asked, 6, 11); /* not twice as many */
    close(a);
    close(b);
}

static void one_more_than_may_listen_is_told_when_to_come_back(void **state)
{
    struct fix *f = *state;
    int fds[LISTENERS];
    for (size_t i = 0; i < LISTENERS; i++) {
        fds[i] = listener(f);
        hear(f, fds[i], "data: ");
    }
    ask(f, REQ("GET", "/wall/events"));
    assert_answer(f, "HTTP/1.1 503 Service Unavailable");
    assert_answer(f, "retry-after: 10\r\n");
    assert_int_equal(metric_value(&f->metrics, "meridian_admin_listeners"), LISTENERS);
    for (size_t i = 0; i < LISTENERS; i++)
        close(fds[i]);
}

static void what_cannot_be_told_is_left_out(void **state)
{
    struct fix *f = *state;
    f->mood = FAILS;
    int fd = listener(f);
    hear(f, fd, "HTTP/1.1 200 OK");
    turn(f, 2 * PERIOD_MS);
    assert_true(f->asked > 1);
    f->mood = TELLS;
    hear(f, fd, "data: {\"n\":");
    close(fd);
}

static void a_listener_that_takes_nothing_is_cut_off(void **state)
{
    struct fix *f = *state;
    int small = 4096, fd = socket(AF_INET, SOCK_STREAM, 0), other;
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)mer_admin_port(f->admin)), .sin_addr.s_addr = htonl(0x7F000001)};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_true(write(fd, REQ("GET", "/wall/events"), strlen(REQ("GET", "/wall/events"))) > 0);
    f->mood = TELLS_MUCH;
    turn(f, 10 * PERIOD_MS);
    f->mood = TELLS;
    turn(f, 3 * PERIOD_MS);
    other = listener(f);
    hear(f, other, "data: {\"n\":"); /* others are served meanwhile */
    for (int i = 0; i < 60000 && metric_value(&f->metrics, "meridian_admin_listeners_dropped_total") == 0; i++)
        turn(f, 1);
    for (int i = 0; i < 30000 && metric_value(&f->metrics, "meridian_admin_listeners") != 1; i++)
        turn(f, 1);
    assert_int_equal(metric_value(&f->metrics, "meridian_admin_listeners_dropped_total"), 1);
    assert_int_equal(metric_value(&f->metrics, "meridian_admin_listeners"), 1);
    close(fd);
    close(other);
}

static void closing_ends_streams(void **state)
{
    struct fix *f = *state;
    int a = listener(f), b = listener(f);
    hear(f, a, "data: ");
    hear(f, b, "data: ");
    mer_admin_close(f->admin);
    f->admin = NULL;
    hear(f, a, "0\r\n\r\n");
    turn(f, 20);
    close(a);
    close(b);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up_streams, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_are_served_to_this_machine_only),
        TEST(a_listener_hears_at_once_and_every_period),
        TEST(nothing_is_asked_while_nobody_listens),
        TEST(all_listeners_share_what_is_said),
        TEST(one_more_than_may_listen_is_told_when_to_come_back),
        TEST(what_cannot_be_told_is_left_out),
        TEST(a_listener_that_takes_nothing_is_cut_off),
        TEST(closing_ends_streams),
    };
    mer_process_raise_limits(); /* as every service does: no SIGPIPE */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
