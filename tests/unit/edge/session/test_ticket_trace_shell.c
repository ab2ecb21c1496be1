/* SPDX-License-Identifier: Apache-2.0
 * A ticket whose find_match is traced: its spans, and what is no trace. */
#include "hostile_traces.h"
#include "tickets_world.h"

#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
static const uint8_t match_span[MER_TRACE_BYTES] = "trace-of-a-find!matching\x01";

static struct mer_tracer *traced(uint32_t per_million)
{
    struct mer_trace_export_conf conf = {&f->app.loop,         &f->app.log,     &f->app.metrics, f->app.rng,
                                         "http://127.0.0.1:1", "meridian-edge", per_million};
    assert_int_equal(mer_trace_open(&f->app.trace, &conf), MER_OK);
    f->app.loop.turn_started_us = 1;
    return mer_trace_tracer(f->app.trace);
}
static void untraced(void)
{
    mer_trace_close(f->app.trace);
    f->app.trace = NULL;
}
static bool told_of(const struct mer_tracer *t, const char *text)
{
    return t->pending.len > 0 && memmem(t->pending.data, t->pending.len, text, strlen(text)) != NULL;
}

static void a_ticket_is_a_span_until_its_seat_takes_it_over(void **state)
{
    struct mer_tracer *t = traced(MER_TRACE_MILLION);
    (void)state;
    find_traced(TRACEPARENT);
    answer("open", EDGE_STORE_OK);
    assert_int_equal(f->trace_len, MER_TRACE_BYTES);
    assert_int_equal(f->trace[0], 0x4b);
    assert_int_equal(t->spans, 0);
    offer_traced("g-1", match_span, sizeof(match_span));
    assert_int_equal(t->spans, 0);
    answer("seat", EDGE_STORE_OK);
    assert_int_equal(t->spans, 1);
    assert_true(told_of(t, "\"name\":\"seat_offer\"") && told_of(t, "\"parentSpanId\":\"6d61746368696e67\"") && told_of(t, "\"g-1\""));
    assert_false(told_of(t, "\"status\""));
    seated();
    assert_null(f->user.ticket);
    assert_int_equal(t->spans, 1);
    assert_memory_equal(f->found.me.trace, f->trace, 16);
    assert_memory_equal(f->found.me.span, f->trace + 16, 8);
    assert_int_equal(f->found.parent[1], 0xf0);
    untraced();
}

static void a_ticket_that_is_not_traced_has_nothing_of_it(void **state)
{
    (void)state;
    assert_int_equal(traced(0)->spans, 0);
    find_traced(TRACEPARENT);
    answer("open", EDGE_STORE_OK);
    assert_int_equal(f->trace_len, 0);
    assert_null(f->user.ticket->trace);
    untraced();
    offer_traced("g-1", match_span, sizeof(match_span));
    answer("seat", EDGE_STORE_OK);
    seated();
    assert_false(mer_span_on(&f->found));
}

static void what_comes_with_an_offer_and_is_no_trace_is_none(void **state)
{
    struct mer_tracer *t = traced(MER_TRACE_MILLION);
    (void)state;
    waiting();
    for (size_t i = 0; i < MER_COUNT(hostile_traces); i++) {
        offer_traced("g-1", hostile_traces[i].bytes, hostile_traces[i].len);
        answer("seat", EDGE_STORE_OK);
        release("g-1");
        reopened();
        offer_traced("g-2", hostile_traces[i].bytes, hostile_traces[i].len);
        release("g-2");
        answer("seat", EDGE_STORE_OK);
        reopened();
    }
    assert_int_equal(t->spans, 0);
    ended();
    assert_int_equal(t->spans, 1);
    untraced();
}

static void how_a_ticket_and_an_offer_end_is_told(void **state)
{
    struct mer_tracer *t = traced(MER_TRACE_MILLION);
    (void)state;
    waiting();
    offer_traced("g-1", match_span, sizeof(match_span));
    release("g-1");
    assert_true(told_of(t, "\"message\":\"taken back\""));
    answer("seat", EDGE_STORE_OK);
    reopened();
    assert_int_equal(t->spans, 1);
    ended();
    assert_true(told_of(t, "\"name\":\"find_match\"") && told_of(t, "\"stringValue\":\"cancelled\""));
    offer_traced("g-2", match_span, sizeof(match_span)); /* nobody's any more */
    assert_true(told_of(t, "\"message\":\"declined\""));
    assert_int_equal(t->spans, 3);
    find();
    answer("open", EDGE_STORE_HAS_GAME);
    answer("void", EDGE_STORE_EXISTS);
    assert_null(f->user.ticket);
    assert_true(told_of(t, "\"stringValue\":\"vanished\""));
    assert_int_equal(t->spans, 4);
    waiting();
    edge_tickets_drop(f->app.tickets, &f->user); /* the process ends */
    assert_int_equal(t->spans, 4);
    untraced();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(a_ticket_is_a_span_until_its_seat_takes_it_over),
        TEST(a_ticket_that_is_not_traced_has_nothing_of_it),
        TEST(what_comes_with_an_offer_and_is_no_trace_is_none),
        TEST(how_a_ticket_and_an_offer_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
