/* SPDX-License-Identifier: Apache-2.0
 * The traces of tickets: which spans a ticket's life makes, what goes on with its offers and its game, and that tickets which are not
 * traced have nothing of it. */
#include <stdio.h>

#include "region-router/cross_read.h"
#include "unit.h"

#include "fake_clock.h"

struct fix {
    struct router_matcher m;
    struct router_edge edge, far;
    struct router_regions regions;
    struct mer_list edges;
    struct mer_rng_seeded seed, ids;
    struct fake_clock clock;
    struct mer_tracer tracer;
    uint64_t now;
    char match[ROUTER_MATCH_ID_BYTES];
    unsigned offers, releases, creates;
    struct mer_trace_context offered[4], created[4]; /* by the ticket's number; all zero: none */
};

static void keep(struct mer_trace_context *at, const struct router_ticket_spec *t)
{
    if (t->id != NULL)
        at[t->id[1] - '0'] = t->trace != NULL ? *t->trace : (struct mer_trace_context){{0}, {0}};
}
static void on_offer(void *ctx, const struct router_ticket_spec *t, const struct router_match *x, uint32_t deadline_ms)
{
    struct fix *f = ctx;
    (void)deadline_ms;
    f->offers++;
    snprintf(f->match, sizeof f->match, "%s", x->id);
    keep(f->offered, t);
}
static void on_release(void *ctx, const struct router_ticket_spec *t, const struct router_match *x)
{
    (void)t, (void)x;
    ((struct fix *)ctx)->releases++;
}
static void on_waiting(void *ctx, const struct router_ticket_spec *t, const char *reason, uint32_t next_ms)
{
    (void)ctx, (void)t, (void)reason, (void)next_ms;
}
static void on_expired(void *ctx, const struct router_ticket_spec *t, const char *reason)
{
    (void)ctx, (void)t, (void)reason;
}
static void on_create(void *ctx, const struct router_match *x, const struct router_ticket_spec *seat)
{
    struct fix *f = ctx;
    f->creates++;
    for (unsigned i = 0; i < x->key.players; i++)
        keep(f->created, &seat[i]);
}

static void start(struct fix *f, struct mer_tracer *tracer)
{
    f->now = 1000000;
    mer_list_init(&f->edges);
    snprintf(f->edge.incarnation, sizeof f->edge.incarnation, "e1.1");
    f->edge.reported = true;
    f->edge.reported_ms = f->now;
    f->edge.max_connections = 100;
    mer_list_push_back(&f->edges, &f->edge.node);
    f->regions.count = 2;
    snprintf(f->regions.region[0].name, ROUTER_REGION_BYTES, "eu");
    snprintf(f->regions.region[1].name, ROUTER_REGION_BYTES, "us");
    f->far.region = 1;
    struct router_match_env env = {.offer = on_offer,
                                   .release = on_release,
                                   .waiting = on_waiting,
                                   .expired = on_expired,
                                   .create = on_create,
                                   .edges = &f->edges,
                                   .tracer = tracer,
                                   .rng = mer_rng_seed(&f->seed, 1),
                                   .ctx = f};
    router_match_init(&f->m, &env, f->now);
    f->m.env.regions = &f->regions;
}
static int setup(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    mer_tracer_init(&f->tracer, fake_clock_init(&f->clock), mer_rng_seed(&f->ids, 7), 0);
    start(f, &f->tracer);
    *state = f;
    return 0;
}
static int teardown(void **state)
{
    struct fix *f = *state;
    router_match_check(&f->m);
    router_match_deinit(&f->m);
    mer_tracer_deinit(&f->tracer);
    free(f);
    return 0;
}

static const struct mer_trace_context from[] = {{"trace-of-a-find", "asked-0"}, {"trace-of-anothe", "asked-1"}};

/* Ticket t<n>, traced or not. */
static void come(struct fix *f, unsigned n, bool traced)
{
    char id[] = {'t', (char)('0' + n), 0};
    struct router_ticket_spec s = {.id = id,
                                   .user = id,
                                   .name = "Ann",
                                   .game = "memory",
                                   .players = 2,
                                   .rows = 4,
                                   .cols = 4,
                                   .rating = 1500,
                                   .edge = &f->edge,
                                   .trace = traced ? &from[n] : NULL};
    assert_int_equal(router_match_open(&f->m, &s, f->now), MER_OK);
    router_match_check(&f->m);
}
static void answer(struct fix *f, unsigned n, bool accepted)
{
    char id[] = {'t', (char)('0' + n), 0};
    struct router_answer a = {.ticket = id, .match = f->match, .accepted = accepted};
    router_match_answer(&f->m, &a, &f->edge, f->now);
    router_match_check(&f->m);
}
static bool told_of(const struct fix *f, const char *text)
{
    const struct mer_buf *b = &f->tracer.pending;
    return b->len > 0 && memmem(b->data, b->len, text, strlen(text)) != NULL;
}
static bool none(const struct mer_trace_context *c)
{
    static const struct mer_trace_context zero;
    return memcmp(c, &zero, sizeof zero) == 0;
}

static void a_match_is_a_span_of_each_ticket_that_is_traced(void **state)
{
    struct fix *f = *state;
    come(f, 0, true);
    assert_int_equal(f->tracer.spans, 0);
    f->now += 1500;
    come(f, 1, false);
    assert_int_equal(f->offers, 2);
    assert_int_equal(f->tracer.spans, 1);
    assert_true(told_of(f, "\"name\":\"match\"") && told_of(f, "\"parentSpanId\":\"61736b65642d3000\""));
    assert_true(told_of(f, "{\"key\":\"meridian.waited_ms\",\"value\":{\"stringValue\":\"1500\"}}"));
    assert_true(told_of(f, "{\"key\":\"meridian.rating_window\",") && told_of(f, "{\"stringValue\":\"matched\"}") && told_of(f, f->match));
    assert_memory_equal(f->offered[0].trace, from[0].trace, 16);
    assert_memory_not_equal(f->offered[0].span, from[0].span, 8);
    assert_true(none(&f->offered[1]));
    answer(f, 0, true);
    answer(f, 1, true);
    assert_int_equal(f->creates, 1);
    assert_memory_equal(&f->created[0], &f->offered[0], sizeof f->created[0]);
    assert_true(none(&f->created[1]));
    assert_int_equal(f->tracer.spans, 1);
    assert_int_equal(f->m.traces.by_ticket.count, 0);
}

static void a_match_that_is_undone_is_followed_by_another_span(void **state)
{
    struct fix *f = *state;
    come(f, 0, true);
    come(f, 1, true);
    struct mer_trace_context first = f->offered[0];
    assert_int_equal(f->tracer.spans, 2);
    answer(f, 0, true);
    answer(f, 1, false);
    assert_int_equal(f->releases, 1);
    assert_int_equal(f->m.traces.by_ticket.count, 1);
    come(f, 1, true);
    come(f, 0, false); /* its edge says that it waits again */
    assert_int_equal(f->offers, 4);
    assert_memory_equal(f->offered[0].trace, first.trace, 16);
    assert_memory_not_equal(f->offered[0].span, first.span, 8);
    assert_int_equal(f->tracer.spans, 4);
}

static void how_a_ticket_ends_is_told(void **state)
{
    struct fix *f = *state;
    come(f, 0, true);
    router_match_cancel(&f->m, "t0", &f->edge, f->now);
    assert_true(told_of(f, "{\"stringValue\":\"cancelled\"}"));
    come(f, 0, true);
    f->now += 2 * ROUTER_TICKET_MS;
    router_match_advance(&f->m, f->now, 1000);
    assert_true(told_of(f, "{\"stringValue\":\"expired\"}"));
    come(f, 0, true);
    router_match_edge_lost(&f->m, &f->edge, f->now);
    assert_true(told_of(f, "{\"stringValue\":\"lost\"}"));
    assert_int_equal(f->tracer.spans, 3);
    assert_int_equal(f->m.traces.by_ticket.count, 0);
}

static void a_ticket_that_is_lent_ends_its_span_and_begins_another_when_it_comes_back(void **state)
{
    struct fix *f = *state;
    come(f, 0, true);
    assert_ptr_equal(router_match_lend(&f->m, "t0", "us.g-1", 1, f->now), &f->edge);
    assert_true(told_of(f, "{\"stringValue\":\"lent\"}") &&
                told_of(f, "{\"key\":\"meridian.lent_to\",\"value\":{\"stringValue\":\"us\"}}"));
    assert_int_equal(f->tracer.spans, 1);
    router_match_returned(&f->m, "t0", "us.g-1", f->now);
    router_match_cancel(&f->m, "t0", &f->edge, f->now);
    assert_int_equal(f->tracer.spans, 2);
}

static void a_router_that_tells_nothing_passes_on_what_came(void **state)
{
    struct fix *f = *state;
    router_match_deinit(&f->m);
    start(f, NULL);
    come(f, 0, true);
    come(f, 1, false);
    assert_memory_equal(&f->offered[0], &from[0], sizeof from[0]);
    answer(f, 0, true);
    answer(f, 1, true);
    assert_memory_equal(&f->created[0], &from[0], sizeof from[0]);
    assert_true(none(&f->created[1]));
    assert_int_equal(f->tracer.spans, 0);
}

static void tickets_that_are_not_traced_have_nothing_of_it(void **state)
{
    struct fix *f = *state;
    come(f, 0, false);
    assert_null(f->m.traces.by_ticket.slot);
    router_match_cancel(&f->m, "t0", &f->edge, f->now);
    assert_null(f->m.traces.by_ticket.slot);
    assert_int_equal(f->tracer.spans, 0);
}

static void more_than_there_is_room_for_are_not_traced_and_counted(void **state)
{
    struct fix *f = *state;
    for (unsigned i = 0; i < ROUTER_TRACES_MAX + 3; i++) {
        char id[16];
        snprintf(id, sizeof id, "u-%u", i);
        struct router_ticket_spec s = {.id = id,
                                       .user = id,
                                       .name = "",
                                       .game = "memory",
                                       .players = 4,
                                       .rows = 4 + i % 3,
                                       .cols = 4,
                                       .rating = i % ROUTER_RATING_MAX,
                                       .edge = &f->edge,
                                       .group = {.key = 1 + i, .hosts = true},
                                       .trace = &from[0]};
        assert_int_equal(router_match_open(&f->m, &s, f->now), MER_OK);
    }
    assert_int_equal(f->m.traces.by_ticket.count, ROUTER_TRACES_MAX);
    assert_int_equal(f->tracer.values[MER_TRACE_DROPPED], 3);
    router_match_cancel(&f->m, "u-0", &f->edge, f->now);
    router_match_cancel(&f->m, "u-4098", &f->edge, f->now);
    assert_int_equal(f->m.traces.by_ticket.count, ROUTER_TRACES_MAX - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_match_is_a_span_of_each_ticket_that_is_traced),
        TEST(a_match_that_is_undone_is_followed_by_another_span),
        TEST(how_a_ticket_ends_is_told),
        TEST(a_ticket_that_is_lent_ends_its_span_and_begins_another_when_it_comes_back),
        TEST(a_router_that_tells_nothing_passes_on_what_came),
        TEST(tickets_that_are_not_traced_have_nothing_of_it),
        TEST(more_than_there_is_room_for_are_not_traced_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
