/* SPDX-License-Identifier: Apache-2.0
 * A probe and the player port that it looks at: what is asked there, and what comes of the answer. */
#include "unit.h"

#include <string.h>

#include "geo/probe.h"
#include "loop_run.h"

struct fix {
    struct mer_loop loop;
    struct mer_listener *listener;
    struct mer_stream *port; /* of the probe that came; NULL: it has its answer */
    struct geo_probe_conf conf;
    struct geo_probe probe;
    char asked[2048];
    size_t len;
    const char *answer;
};

static void on_open(void *ctx)
{
    (void)ctx;
}

static void on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct fix *f = ctx;
    size_t room = sizeof f->asked - 1 - f->len;
    memcpy(f->asked + f->len, data, len < room ? len : room);
    f->len += len < room ? len : room;
    if (strstr(f->asked, "\r\n\r\n") == NULL || f->port == NULL)
        return; /* it comes again a second later */
    assert_int_equal(mer_stream_write(f->port, f->answer, strlen(f->answer)), MER_OK);
    mer_stream_close(f->port);
}

static void on_close(void *ctx, enum mer_err why, const char *text)
{
    (void)why, (void)text;
    ((struct fix *)ctx)->port = NULL;
}

static const struct mer_stream_cbs cbs = {on_open, on_data, on_close};

static void on_accept(void *ctx, struct mer_stream *s)
{
    struct fix *f = ctx;
    f->port = s;
    mer_stream_set_ctx(s, &cbs, f);
}

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    struct mer_msg msg;
    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    struct mer_stream_conf sc = {.loop = &f->loop};
    assert_int_equal(mer_listener_open(&f->listener, &sc, "127.0.0.1:0", on_accept, f, &msg), MER_OK);
    f->conf = (struct geo_probe_conf){.loop = &f->loop, .rng = mer_rng_system(), .name = "play.test", .path = "/v1/echo"};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;
    geo_probe_stop(&f->probe);
    mer_listener_close(f->listener);
    if (f->port != NULL)
        mer_stream_close(f->port);
    mer_loop_deinit(&f->loop);
    free(f);
    return 0;
}

static void look(struct fix *f, const char *answer)
{
    const char *colon = strrchr(mer_listener_address(f->listener), ':');
    f->answer = answer;
    geo_probe_start(&f->probe, &f->conf, "127.0.0.1", (uint16_t)strtoul(colon + 1, NULL, 10));
}

/* An edge may refuse who names no origin (native_clients_allowed), and always takes its own. */
static void it_comes_as_the_page_of_the_port_would(void **state)
{
    struct fix *f = *state;
    look(f, "HTTP/1.1 403 Forbidden\r\n\r\n");
    WAIT_FOR(f, strstr(f->asked, "\r\n\r\n") != NULL);
    assert_non_null(strstr(f->asked, "GET /v1/echo HTTP/1.1\r\n"));
    assert_non_null(strstr(f->asked, "\r\nHost: play.test\r\n"));
    assert_non_null(strstr(f->asked, "\r\nOrigin: http://play.test\r\n"));
}

static void what_is_answered_decides(void **state)
{
    struct fix *f = *state;
    look(f, "HTTP/1.1 404 Not Found\r\n\r\n");
    WAIT_FOR(f, strcmp(f->probe.why, "status 404") == 0);
    assert_int_equal(f->probe.verdict, GEO_BAD);
}

static void a_busy_port_is_no_dead_one(void **state)
{
    struct fix *f = *state;
    look(f, "HTTP/1.1 503 Service Unavailable\r\n\r\n");
    WAIT_FOR(f, strcmp(f->probe.why, "busy") == 0);
    assert_int_equal(f->probe.verdict, GEO_UNKNOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_comes_as_the_page_of_the_port_would),
        TEST(what_is_answered_decides),
        TEST(a_busy_port_is_no_dead_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
