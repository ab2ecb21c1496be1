/* SPDX-License-Identifier: Apache-2.0
 * What geo agents are told of the region, every second while there is one. Links are the test's: these functions stand before the product's
 * at link time. */
#include "unit.h"

#include <stdio.h>

#include "meridian/control/v1/control.pb-c.h"
#include "region-router/app.h"

#define CV1(x) Meridian__Control__V1__##x

static struct fix {
    struct router_app app;
    struct router_edge edge, agent;
    bool leads;
    uint64_t leaderless_ms;
    unsigned reports;
    CV1(ControlMessage) * said; /* the last one */
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

uint64_t router__lead_epoch(const struct router_app *app)
{
    (void)app;
    return f->leads ? 5 : 0;
}
uint64_t router_standby_leaderless_ms(const struct router_standby *s)
{
    (void)s;
    return f->leaderless_ms;
}
static void forget(void)
{
    if (f->said != NULL)
        meridian__control__v1__control_message__free_unpacked(f->said, NULL);
    f->said = NULL;
}
void router_edges_tell_geo(struct router_edges *es, const void *payload, size_t len)
{
    (void)es;
    forget();
    f->said = meridian__control__v1__control_message__unpack(NULL, len, payload);
    assert_non_null(f->said);
    f->reports++;
}

static int set_up(void **state)
{
    f = calloc(1, sizeof *f);
    *state = f;
    f->leads = true;
    f->app.conf.region = (char *)"eu";
    f->app.clock = mer_clock_system();
    assert_int_equal(mer_loop_init(&f->app.loop, f->app.clock), 0);
    mer_list_init(&f->app.edges.edges);
    mer_list_init(&f->app.edges.geos);
    f->edge = (struct router_edge){.reported = true, .max_connections = 10, .sessions = 4, .games = 2};
    f->edge.reported_ms = f->app.loop.now_ms;
    mer_list_push_back(&f->app.edges.edges, &f->edge.node);
    mer_list_push_back(&f->app.edges.geos, &f->agent.node);
    router_region_report_init(&f->app.region_report, &f->app);
    return 0;
}
static int tear_down(void **state)
{
    forget();
    router_region_report_deinit(&f->app.region_report);
    mer_loop_deinit(&f->app.loop);
    free(*state);
    return 0;
}

static const CV1(RegionReport) * report(void)
{
    f->app.region_report.timer.cb(&f->app.region_report.timer);
    assert_non_null(f->said);
    return f->said->region_report;
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void a_leader_says_whether_it_knows_of_a_drain_and_which(void **state)
{
    struct router_region_life *life = &f->app.region_life;
    (void)state;
    assert_true(report()->has_drain_known);
    assert_false(report()->drain_known);
    life->known = true;
    assert_true(report()->drain_known);
    assert_null(report()->drain);
    life->drain = (struct router_region_drain){.on = true, .over_ms = 60000, .by = "ana", .reason = "racks"};
    life->drain.from_ms = mer_clock_wall_ms(&f->app.clock) - 5000;
    assert_in_range(report()->drain->began_ms, 5000, 5000 + 60 * 1000);
    assert_int_equal(report()->drain->over_ms, 60000);
    assert_string_equal(report()->drain->by, "ana");
    assert_string_equal(report()->drain->reason, "racks");
}

static void the_longest_texts_fit(void **state)
{
    struct router_region_drain *d = &f->app.region_life.drain;
    (void)state;
    f->app.conf.region = (char *)"a-region-of-thirty-one-bytes-xx";
    f->app.region_life.known = d->on = true;
    d->over_ms = f->edge.sessions = UINT32_MAX;
    memset(d->by, 'x', sizeof d->by - 1);
    memset(d->reason, 'x', sizeof d->reason - 1);
    assert_int_equal(strlen(report()->drain->reason), ROUTER_REASON_TEXT_BYTES - 1);
}

static void its_edges_are_summed_and_standbys_say_so(void **state)
{
    (void)state;
    assert_true(report()->leader);
    assert_int_equal(report()->players, 4);
    assert_int_equal(report()->capacity, 10);
    assert_int_equal(report()->edges_ready, 1);
    f->leads = false;
    assert_false(report()->leader);
    assert_int_equal(report()->leaderless_ms, 0);
    f->leaderless_ms = 12345;
    assert_int_equal(report()->leaderless_ms, 12345);
}

static void it_is_said_while_an_agent_is_there(void **state)
{
    struct mer_timer *timer = &f->app.region_report.timer;
    (void)state;
    router_region_report_start(&f->app.region_report);
    assert_true(mer_timer_armed(timer));
    (void)report();
    assert_true(mer_timer_armed(timer));
    mer_loop_disarm(&f->app.loop, timer);
    mer_list_remove(&f->agent.node);
    timer->cb(timer);
    assert_int_equal(f->reports, 1);
    assert_false(mer_timer_armed(timer));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_leader_says_whether_it_knows_of_a_drain_and_which),
        TEST(the_longest_texts_fit),
        TEST(its_edges_are_summed_and_standbys_say_so),
        TEST(it_is_said_while_an_agent_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
