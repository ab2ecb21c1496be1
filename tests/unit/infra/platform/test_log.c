/* SPDX-License-Identifier: Apache-2.0
 * The log: every line is one JSON object, whatever is put in; nothing blocks; what is lost is counted. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>
#include <meridian/log.h>

#include "fake_clock.h"

struct fix {
    struct fake_clock clock;
    struct mer_log log;
    int pipe[2];
    char text[200000];
};

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof(*f));

    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(f->pipe), 0);
    assert_int_equal(fcntl(f->pipe[0], F_SETFL, O_NONBLOCK), 0);
    mer_log_init(&f->log, f->pipe[1], MER_INFO, fake_clock_init(&f->clock));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;

    close(f->pipe[0]);
    close(f->pipe[1]);
    free(f);
    return 0;
}

static const char *written(struct fix *f)
{
    ssize_t n = read(f->pipe[0], f->text, sizeof(f->text) - 1);

    f->text[n > 0 ? n : 0] = '\0';
    return f->text;
}

/* The one line written, as JSON. */
static json_t *line(struct fix *f)
{
    const char *text = written(f);
    size_t len = strlen(text);
    json_t *j;

    assert_true(len > 0 && text[len - 1] == '\n' && strchr(text, '\n') == text + len - 1);
    j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!j)
        fail_msg("not JSON: %s", text);
    return j;
}

#define str(j, k) json_string_value(json_object_get((j), (k)))

static void a_line_has_its_head_and_typed_fields(void **state)
{
    struct fix *f = *state;
    json_t *j;

    snprintf(f->log.process, sizeof(f->log.process), "us-east-1.k3j9x2");
    snprintf(f->log.region, sizeof(f->log.region), "us-east");
    fake_clock_run_for(&f->clock, 7);
    MER_LOG(&f->log, MER_WARN, "seat.move", KV_STR("to", "BOT"), KV_U64("game", UINT64_MAX), KV_I64("by", -5), KV_BOOL("late", 2),
            KV_F64("load", 0.25), KV_STR("none", NULL), KV_F64("bad", 0.0 / 0.0));
    assert_string_equal(written(f),
                        "{\"ts\":\"2026-01-01T00:00:00.007Z\",\"level\":\"warn\",\"process\":\"us-east-1.k3j9x2\",\"region\":\"us-east\","
                        "\"event\":\"seat.move\",\"to\":\"BOT\",\"game\":18446744073709551615,\"by\":-5,\"late\":true,\"load\":0.25,"
                        "\"none\":null,\"bad\":null}\n");
    MER_LOG(&f->log, MER_INFO, "no.fields");
    j = line(f);
    assert_string_equal(str(j, "event"), "no.fields");
    json_decref(j);
    assert_int_equal(f->log.lines, 2);
}

static void levels_above_the_configured_one_are_silent(void **state)
{
    struct fix *f = *state;

    MER_LOG(&f->log, MER_DEBUG, "too.much");
    mer_log_write(&f->log, MER_DEBUG, false, "too.much", NULL, 0);
    assert_string_equal(written(f), "");
}

static void anything_in_a_value_stays_inside_its_string(void **state)
{
    static const char *const values[] = {"\"},{\"level\":\"error", "a\nb\r\t\x01\x1f\x7f",           "\\", "\xFF\xFE\xC0\x80", "\xE2\x82",
                                         "\xE2\x80\xA8",           "J\xC3\xBCrgen \xF0\x9F\x99\x82", ""};
    struct fix *f = *state;

    for (size_t i = 0; i < MER_COUNT(values); i++) {
        json_t *j;
        MER_LOG(&f->log, MER_INFO, "peer.said", KV_STR("text", values[i]));
        j = line(f);
        assert_int_equal(json_object_size(j), 4);
        if (i == 0 || i == 2 || i >= 5)
            assert_string_equal(str(j, "text"), values[i]);
        json_decref(j);
    }
}

static void long_values_and_long_lines_are_cut_and_stay_json(void **state)
{
    struct fix *f = *state;
    struct mer_kv kv[20];
    char lots[5000];
    json_t *j;

    memset(lots, '\x01', sizeof(lots)); /* six bytes each once escaped */
    lots[sizeof(lots) - 1] = '\0';
    MER_LOG(&f->log, MER_INFO, "one.value", KV_STR("v", lots));
    j = line(f);
    assert_int_equal(json_string_length(json_object_get(j, "v")), 512);
    json_decref(j);
    for (size_t i = 0; i < MER_COUNT(kv); i++)
        kv[i] = KV_STR("v", lots);
    for (size_t n = 1; n < MER_COUNT(kv); n++) {
        static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
                                           "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"};
        for (size_t i = 0; i < n; i++)
            kv[i].key = keys[i];
        mer_log_write(&f->log, MER_INFO, false, "many.values", kv, n);
        j = line(f);
        assert_true(strlen(f->text) <= 4096);
        assert_int_equal(json_is_true(json_object_get(j, "cut")), n > 1);
        json_decref(j);
    }
}

static void peer_caused_lines_are_limited_and_the_loss_is_told(void **state)
{
    struct fix *f = *state;
    unsigned lines = 0;
    json_t *j;

    for (int i = 0; i < 250; i++)
        MER_LOG_RATE(&f->log, MER_WARN, "peer.bad", KV_U64("n", (uint64_t)i));
    for (const char *p = written(f); (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 100);
    MER_LOG(&f->log, MER_INFO, "our.own"); /* not limited */
    j = line(f);
    assert_null(json_object_get(j, "dropped"));
    json_decref(j);
    fake_clock_run_for(&f->clock, 50);
    MER_LOG_RATE(&f->log, MER_WARN, "peer.bad", KV_U64("n", 0));
    j = line(f);
    assert_int_equal(json_integer_value(json_object_get(j, "dropped")), 150);
    json_decref(j);
}

static void a_full_pipe_loses_lines_and_never_blocks(void **state)
{
    struct fix *f = *state;
    json_t *j;

    for (int i = 0; i < 5000; i++)
        MER_LOG(&f->log, MER_INFO, "line.of", KV_STR("text", "forty characters or so, to fill up a pipe"));
    assert_true(f->log.dropped > 1000);
    assert_int_equal(f->log.lines + f->log.dropped, 5000);
    while (*written(f))
        ;
    MER_LOG(&f->log, MER_INFO, "after.all");
    j = line(f); /* whole again */
    json_decref(j);
    close(f->pipe[0]);
    f->pipe[0] = open("/dev/null", O_RDONLY);
    MER_LOG(&f->log, MER_INFO, "nobody.reads");
    assert_true(f->log.dropped > 1000);
}

static void a_full_disk_loses_lines(void **state)
{
    struct fix *f = *state;
    int full = open("/dev/full", O_WRONLY);
    uint64_t before = f->log.dropped;

    if (full < 0)
        skip();
    f->log.fd = full;
    MER_LOG(&f->log, MER_INFO, "disk.full");
    assert_int_equal(f->log.dropped - before, 1);
    close(full);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_its_head_and_typed_fields),
        TEST(levels_above_the_configured_one_are_silent),
        TEST(anything_in_a_value_stays_inside_its_string),
        TEST(long_values_and_long_lines_are_cut_and_stay_json),
        TEST(peer_caused_lines_are_limited_and_the_loss_is_told),
        TEST(a_full_pipe_loses_lines_and_never_blocks),
        TEST(a_full_disk_loses_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
