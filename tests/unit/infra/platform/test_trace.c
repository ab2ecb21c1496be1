/* SPDX-License-Identifier: Apache-2.0
 * test_trace.c - trace contexts as strangers send them, who is traced, and spans as the receiver reads them. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include <meridian/trace.h>

#include "fake_clock.h"
#include "hostile_traces.h"

#define GOOD "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

struct fix {
    struct fake_clock fake;
    struct mer_rng_seeded seeded;
    struct mer_tracer t;
    unsigned recorded;
};

static void on_recorded(void *ctx)
{
    ((struct fix *)ctx)->recorded++;
}

static int setup(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    mer_tracer_init(&f->t, fake_clock_init(&f->fake), mer_rng_seed(&f->seeded, 7), MER_TRACE_MILLION);
    f->t.recorded = on_recorded;
    f->t.ctx = f;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;
    mer_tracer_deinit(&f->t);
    free(f);
    return 0;
}

/* ---- contexts ------------------------------------------------------------------------------------------------------------------------ */

static void a_traceparent_is_read(void **state)
{
    struct mer_trace_context c;
    (void)state;
    assert_true(mer_trace_parse(GOOD, &c));
    assert_int_equal(c.trace[0], 0x4b);
    assert_int_equal(c.trace[15], 0x36);
    assert_int_equal(c.span[0], 0x00);
    assert_int_equal(c.span[7], 0xb7);
}

static void what_is_no_traceparent_is_none(void **state)
{
    static const char *const hostile[] = {
        "",
        "0",
        "00",
        "00-",
        "00--",
        "-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",      /* no flags */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",    /* half of them */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",  /* more than version 0 has */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", /* likewise */
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",  /* a later one, not separated */
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",   /* a version that is forbidden */
        "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", /* upper case */
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", /* nobody's */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01", /* a dash at another place */
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bz-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7 01",
        "\xff\xff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ("00-\xc3\xa4\xc3\xa4"
         "2f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    };
    struct mer_trace_context before, c;
    (void)state;
    memset(&c, 0x5a, sizeof c);
    before = c;
    for (size_t i = 0; i < MER_COUNT(hostile); i++) {
        if (mer_trace_parse(hostile[i], &c))
            fail_msg("taken: %s", hostile[i]);
        assert_memory_equal(&c, &before, sizeof c);
    }
}

static void a_later_version_is_read_as_far_as_it_is_known(void **state)
{
    struct mer_trace_context c;
    (void)state;
    assert_true(mer_trace_parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-later", &c));
    assert_true(mer_trace_parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", &c));
}

static void what_is_packed_is_unpacked(void **state)
{
    struct mer_trace_context c, again;
    uint8_t wire[MER_TRACE_BYTES];
    (void)state;
    assert_true(mer_trace_parse(GOOD, &c));
    mer_trace_pack(&c, wire);
    assert_true(mer_trace_unpack(wire, sizeof wire, &again));
    assert_memory_equal(&c, &again, sizeof c);
}

static void what_nobody_packed_is_none(void **state)
{
    struct mer_trace_context c;
    uint8_t wire[MER_TRACE_BYTES + 1] = {0}, broken[MER_TRACE_BYTES];
    (void)state;
    assert_true(mer_trace_parse(GOOD, &c));
    mer_trace_pack(&c, wire);
    for (size_t len = 0; len <= sizeof wire; len++)
        if (len != MER_TRACE_BYTES)
            assert_false(mer_trace_unpack(wire, len, &c));
    memcpy(broken, wire, sizeof broken);
    broken[MER_TRACE_BYTES - 1] = 0; /* not sampled */
    assert_false(mer_trace_unpack(broken, sizeof broken, &c));
    memcpy(broken, wire, sizeof broken);
    memset(broken, 0, 16);
    assert_false(mer_trace_unpack(broken, sizeof broken, &c));
    memcpy(broken, wire, sizeof broken);
    memset(broken + 16, 0, 8);
    assert_false(mer_trace_unpack(broken, sizeof broken, &c));
}

static void what_a_peer_says_that_is_no_trace_is_none(void **state)
{
    struct mer_trace_context c;
    ProtobufCBinaryData good = {25, (uint8_t *)"trace-of-a-find!matching\1"}, back;
    uint8_t bytes[MER_TRACE_BYTES];
    (void)state;
    for (size_t i = 0; i < MER_COUNT(hostile_traces); i++) {
        ProtobufCBinaryData bad = {hostile_traces[i].len, (uint8_t *)hostile_traces[i].bytes};
        assert_null(mer_trace_get(true, &bad, &c));
    }
    assert_null(mer_trace_get(false, &good, &c));
    assert_ptr_equal(mer_trace_get(true, &good, &c), &c);
    assert_true(mer_trace_put(&c, bytes, &back));
    assert_int_equal(back.len, 25);
    assert_memory_equal(back.data, good.data, 25);
    assert_false(mer_trace_put(NULL, bytes, &back));
}

static void an_endpoint_is_a_host_and_a_port(void **state)
{
    static const struct {
        const char *url, *address, *path;
    } good[] = {
        {"http://127.0.0.1:4318", "127.0.0.1:4318", "/v1/traces"},
        {"http://jaeger:4318/", "jaeger:4318", "/v1/traces"},
        {"http://[::1]:4318/otlp/v1/traces", "[::1]:4318", "/otlp/v1/traces"},
    };
    static const char *const bad[] = {
        "",
        "http://",
        "http://host",
        "http://:4318",
        "http://host:",
        "http://host:port",
        "http://host:123456",
        "http://host:65536",
        "http://host:0",
        "http://::1:4318",
        "http://host:1:2",
        "https://host:4318",
        "host:4318",
        "http://user@host:4318",
        "http://host:1/a b",
        "http://host:1/a\r\nX: y",
        "http://host:1/?a",
        "http://host:1#a",
    };
    struct mer_trace_endpoint e;
    (void)state;
    for (size_t i = 0; i < MER_COUNT(good); i++) {
        assert_true(mer_trace_endpoint_parse(&e, good[i].url));
        assert_string_equal(e.address, good[i].address);
        assert_string_equal(e.path, good[i].path);
    }
    for (size_t i = 0; i < MER_COUNT(bad); i++)
        if (mer_trace_endpoint_parse(&e, bad[i]))
            fail_msg("taken: %s", bad[i]);
    char longest[600];
    snprintf(longest, sizeof longest, "http://%0300d:80", 0);
    assert_false(mer_trace_endpoint_parse(&e, longest));
    snprintf(longest, sizeof longest, "http://a:80/%0300d", 0);
    assert_false(mer_trace_endpoint_parse(&e, longest));
}

/* ---- who is traced ------------------------------------------------------------------------------------------------------------------- */

static void without_a_tracer_nothing_is_traced(void **state)
{
    struct mer_span s = {.start_us = 5};
    struct mer_trace_context c;
    (void)state;
    assert_true(mer_trace_parse(GOOD, &c));
    mer_span_begin(NULL, GOOD, 1, &s);
    assert_false(mer_span_on(&s));
    s.start_us = 5;
    mer_span_continue(NULL, &c, &s);
    assert_false(mer_span_on(&s));
    mer_span_finish(NULL, &s, &(struct mer_span_end){.name = "x"});
}

static void the_ratio_decides_and_nobody_else(void **state)
{
    struct fix *f = *state;
    static const struct {
        uint32_t per_million, least, most;
    } cases[] = {{0, 0, 0}, {MER_TRACE_MILLION, 20000, 20000}, {500000, 9500, 10500}, {10000, 120, 280}};
    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        unsigned traced = 0;
        f->t.per_million = cases[i].per_million;
        for (unsigned k = 0; k < 20000; k++) {
            struct mer_span s;
            mer_span_begin(&f->t, GOOD, 1, &s); /* its flag says "sampled" */
            traced += mer_span_on(&s);
        }
        assert_in_range(traced, cases[i].least, cases[i].most);
    }
}

static void a_trace_of_the_asker_goes_on(void **state)
{
    struct fix *f = *state;
    struct mer_trace_context theirs;
    struct mer_span s;
    assert_true(mer_trace_parse(GOOD, &theirs));
    mer_span_begin(&f->t, GOOD, 1, &s);
    assert_memory_equal(s.me.trace, theirs.trace, sizeof theirs.trace);
    assert_memory_equal(s.parent, theirs.span, sizeof theirs.span);
    assert_memory_not_equal(s.me.span, theirs.span, sizeof theirs.span);
    mer_span_begin(&f->t, "00-nonsense", 1, &s);
    assert_true(mer_span_on(&s));
    assert_memory_not_equal(s.me.trace, theirs.trace, sizeof theirs.trace);
    assert_memory_equal(s.parent, (uint8_t[8]){0}, 8);
}

static void children_are_traced_whatever_the_ratio(void **state)
{
    struct fix *f = *state;
    struct mer_trace_context theirs;
    struct mer_span s;
    f->t.per_million = 0;
    assert_true(mer_trace_parse(GOOD, &theirs));
    mer_span_continue(&f->t, &theirs, &s);
    assert_true(mer_span_on(&s));
    assert_int_equal(s.start_us, f->fake.mono_us);
    assert_memory_equal(s.me.trace, theirs.trace, sizeof theirs.trace);
    assert_memory_equal(s.parent, theirs.span, sizeof theirs.span);
    mer_span_continue(&f->t, NULL, &s);
    assert_false(mer_span_on(&s));
}

/* ---- log lines ----------------------------------------------------------------------------------------------------------------------- */

#define OURS "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\""

/* The one line that was written since. */
static const char *line(int fd, char text[512])
{
    ssize_t n = read(fd, text, 511);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static void lines_are_of_whose_block_they_are_in(void **state)
{
    struct fake_clock fake;
    struct mer_log log;
    struct mer_trace_context c, other;
    char text[512];
    int fd[2];
    (void)state;
    assert_int_equal(pipe(fd), 0);
    mer_log_init(&log, fd[1], MER_INFO, fake_clock_init(&fake));
    assert_true(mer_trace_parse(GOOD, &c));
    assert_true(mer_trace_parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ff-00", &other));
    {
        MER_TRACE_LINES(&log, &c);
        memset(&c, 0, sizeof c); /* copied */
        MER_LOG(&log, MER_INFO, "line.ours", KV_U64("n", 1));
        assert_non_null(strstr(line(fd[0], text), "\"event\":\"line.ours\"," OURS ",\"n\":1}"));
        {
            MER_TRACE_LINES(&log, &other);
            MER_LOG(&log, MER_INFO, "line.within");
            assert_non_null(strstr(line(fd[0], text), "\"span_id\":\"00000000000000ff\"}"));
        }
        {
            MER_TRACE_LINES(&log, NULL);
            MER_LOG(&log, MER_INFO, "line.nobodys");
            assert_null(strstr(line(fd[0], text), "trace_id"));
        }
        MER_LOG(&log, MER_INFO, "line.ours_again");
        assert_non_null(strstr(line(fd[0], text), OURS "}"));
    }
    MER_LOG(&log, MER_INFO, "line.after");
    assert_null(strstr(line(fd[0], text), "_id"));
    {
        MER_TRACE_LINES(&log, NULL);
        assert_null(log.trace);
    }
    close(fd[0]);
    close(fd[1]);
}

static void a_span_that_is_off_has_no_lines(void **state)
{
    struct fix *f = *state;
    struct mer_span s = {.start_us = 0};
    assert_null(mer_span_context(&s));
    mer_span_begin(&f->t, GOOD, 1, &s);
    assert_ptr_equal(mer_span_context(&s), &s.me);
}

/* ---- as the receiver reads them ------------------------------------------------------------------------------------------------------ */

static const struct mer_span_attr resource[] = {{"service.name", "meridian-edge"}, {"cloud.region", NULL}};

/* Frees with json_decref. */
static json_t *taken(struct fix *f, uint32_t spans, json_t **list)
{
    struct mer_buf out;
    json_error_t e;
    mer_buf_init(&out, 0);
    assert_int_equal(mer_tracer_take(&f->t, resource, MER_COUNT(resource), &out), spans);
    json_t *all = json_loadb((const char *)out.data, out.len, JSON_REJECT_DUPLICATES, &e), *scope;
    mer_buf_deinit(&out);
    assert_non_null(all);
    json_t *one = json_array_get(json_object_get(all, "resourceSpans"), 0);
    json_t *attr = json_object_get(json_object_get(one, "resource"), "attributes");
    assert_int_equal(json_array_size(attr), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(attr, 0), "key")), "service.name");
    scope = json_array_get(json_object_get(one, "scopeSpans"), 0);
    *list = json_object_get(scope, "spans");
    assert_int_equal(json_array_size(*list), spans);
    return all;
}

static const char *text(json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void a_span_is_written_as_otlp_wants_it(void **state)
{
    struct fix *f = *state;
    struct mer_span s, child;
    json_t *list;
    f->fake.wall_ms = 1767225600000ULL;
    f->fake.mono_us = 1000000000ULL;
    mer_span_begin(&f->t, GOOD, f->fake.mono_us - 250, &s);
    mer_span_continue(&f->t, &s.me, &child);
    mer_span_finish(
        &f->t, &child,
        &(struct mer_span_end){.name = "redis mer1_put", .kind = MER_SPAN_CLIENT, .attr = {{"db.system.name", "redis"}, {"no", NULL}}});
    mer_span_finish(&f->t, &s, &(struct mer_span_end){.name = "move", .kind = MER_SPAN_SERVER, .error = "not \"yours\""});
    assert_int_equal(f->recorded, 2);
    json_t *all = taken(f, 2, &list), *put = json_array_get(list, 0), *move = json_array_get(list, 1);
    assert_string_equal(text(move, "traceId"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal(text(move, "parentSpanId"), "00f067aa0ba902b7");
    assert_string_equal(text(put, "parentSpanId"), text(move, "spanId"));
    assert_string_equal(text(move, "startTimeUnixNano"), "1767225599999750000");
    assert_string_equal(text(move, "endTimeUnixNano"), "1767225600000000000");
    assert_int_equal(json_integer_value(json_object_get(move, "kind")), 2);
    assert_int_equal(json_integer_value(json_object_get(put, "kind")), 3);
    assert_string_equal(text(json_object_get(move, "status"), "message"), "not \"yours\"");
    assert_null(json_object_get(put, "status"));
    json_t *attr = json_object_get(put, "attributes");
    assert_int_equal(json_array_size(attr), 1);
    assert_string_equal(text(json_object_get(json_array_get(attr, 0), "value"), "stringValue"), "redis");
    json_decref(all);
    assert_int_equal(f->t.spans, 0);
    struct mer_buf out;
    mer_buf_init(&out, 0);
    assert_int_equal(mer_tracer_take(&f->t, resource, MER_COUNT(resource), &out), 0);
    assert_int_equal(out.len, 0);
}

static void a_root_has_no_parent(void **state)
{
    struct fix *f = *state;
    struct mer_span s;
    json_t *list;
    mer_span_begin(&f->t, NULL, f->fake.mono_us, &s);
    mer_span_finish(&f->t, &s, &(struct mer_span_end){.name = "move", .kind = MER_SPAN_SERVER});
    json_t *all = taken(f, 1, &list);
    assert_null(json_object_get(json_array_get(list, 0), "parentSpanId"));
    json_decref(all);
}

static void long_texts_are_cut_between_characters(void **state)
{
    struct fix *f = *state;
    struct mer_span s;
    json_t *list;
    char longish[3 * MER_TRACE_TEXT_MAX];
    for (size_t i = 0; i + 3 < sizeof longish; i += 3)
        memcpy(longish + i, "\xe2\x82\xac", 4);
    mer_span_begin(&f->t, NULL, 1, &s);
    mer_span_finish(&f->t, &s, &(struct mer_span_end){.name = "move", .kind = MER_SPAN_SERVER, .error = longish});
    json_t *all = taken(f, 1, &list);
    assert_int_equal(strlen(text(json_object_get(json_array_get(list, 0), "status"), "message")), MER_TRACE_TEXT_MAX / 3 * 3);
    json_decref(all);
}

static void what_finds_no_room_is_dropped_whole_and_counted(void **state)
{
    struct fix *f = *state;
    struct mer_span s;
    json_t *list;
    unsigned tried = 0;
    mer_span_begin(&f->t, NULL, 1, &s);
    while (f->t.values[MER_TRACE_DROPPED] < 10) {
        mer_span_finish(&f->t, &s, &(struct mer_span_end){.name = "move", .kind = MER_SPAN_SERVER, .attr = {{"game", "g-1"}}});
        tried++;
    }
    assert_true(f->t.pending.cap <= MER_TRACE_BUFFER);
    assert_int_equal(f->t.spans, tried - 10);
    assert_int_equal(f->recorded, tried - 10);
    assert_in_range(f->t.spans, 1000, 4000);
    json_decref(taken(f, tried - 10, &list)); /* and what is there is whole */
    mer_span_finish(&f->t, &s, &(struct mer_span_end){.name = "move", .kind = MER_SPAN_SERVER});
    assert_int_equal(f->t.spans, 1);
}

static void a_text_that_is_none_costs_its_span_only(void **state)
{
    struct fix *f = *state;
    struct mer_span s;
    json_t *list;
    mer_span_begin(&f->t, NULL, 1, &s);
    mer_span_finish(&f->t, &s, &(struct mer_span_end){.name = "move", .kind = MER_SPAN_SERVER, .attr = {{"game", "\xff\xfe"}}});
    assert_int_equal(f->t.values[MER_TRACE_DROPPED], 1);
    mer_span_finish(&f->t, &s, &(struct mer_span_end){.name = "move", .kind = MER_SPAN_SERVER});
    json_decref(taken(f, 1, &list));
}

static void the_wall_clock_is_followed(void **state)
{
    struct fix *f = *state;
    struct mer_span s;
    json_t *list;
    static const struct {
        uint64_t mono_us, wall_ms;
        const char *end;
    } steps[] = {
        {5000000, 1700000000000, "1700000000000000000"},
        {5000900, 1700000000000, "1700000000000900000"}, /* the wall is cut to milliseconds */
        {5001000, 1700000000002, "1700000000001000000"}, /* a little off is no reason to jump */
        {5001500, 1700000000002, "1700000000001500000"},
        {5002000, 1600000000000, "1600000000000000000"}, /* it was set */
        {5003000, 1800000000000, "1800000000000000000"},
    };
    mer_span_begin(&f->t, NULL, 4000000, &s);
    for (size_t i = 0; i < MER_COUNT(steps); i++) {
        f->fake.mono_us = steps[i].mono_us;
        f->fake.wall_ms = steps[i].wall_ms;
        mer_span_finish(&f->t, &s, &(struct mer_span_end){.name = "move", .kind = MER_SPAN_SERVER});
        json_t *all = taken(f, 1, &list);
        assert_string_equal(text(json_array_get(list, 0), "endTimeUnixNano"), steps[i].end);
        json_decref(all);
    }
}

/* Time goes on with every look. */
static uint64_t moving_mono_us(void *ctx)
{
    return ++((struct fake_clock *)ctx)->mono_us;
}
static uint64_t moving_wall_ms(void *ctx)
{
    struct fake_clock *c = ctx;
    c->mono_us++;
    return (c->mono_us + 1000000777) / 1000;
}

static void what_a_millisecond_cuts_off_is_found_out_at_the_start(void **state)
{
    struct fake_clock fake = {.mono_us = 5000000};
    struct mer_rng_seeded seeded;
    struct mer_tracer t;
    (void)state;
    mer_tracer_init(&t, (struct mer_clock){moving_mono_us, moving_wall_ms, &fake}, mer_rng_seed(&seeded, 1), 0);
    assert_in_range(t.wall_us, 1000000770, 1000000780);
    mer_tracer_deinit(&t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_traceparent_is_read),
        TEST(what_is_no_traceparent_is_none),
        TEST(a_later_version_is_read_as_far_as_it_is_known),
        TEST(what_is_packed_is_unpacked),
        TEST(what_nobody_packed_is_none),
        TEST(what_a_peer_says_that_is_no_trace_is_none),
        TEST(an_endpoint_is_a_host_and_a_port),
        TEST(without_a_tracer_nothing_is_traced),
        TEST(the_ratio_decides_and_nobody_else),
        TEST(a_trace_of_the_asker_goes_on),
        TEST(children_are_traced_whatever_the_ratio),
        TEST(lines_are_of_whose_block_they_are_in),
        TEST(a_span_that_is_off_has_no_lines),
        TEST(a_span_is_written_as_otlp_wants_it),
        TEST(a_root_has_no_parent),
        TEST(long_texts_are_cut_between_characters),
        TEST(what_finds_no_room_is_dropped_whole_and_counted),
        TEST(a_text_that_is_none_costs_its_span_only),
        TEST(the_wall_clock_is_followed),
        TEST(what_a_millisecond_cuts_off_is_found_out_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
