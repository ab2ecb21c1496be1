/* SPDX-License-Identifier: Apache-2.0
 * The regions as a leader shows them to operators: ours by our edges, the others by what they said and by the links to them. Mesh and relay
 * are the test's: these functions stand before the product's at link time. */
#include "unit.h"

#include <stdio.h>

#include "region-router/app.h"
#include "region-router/region_view.h"

#define RM(x) Meridian__Region__V1__##x
#define MODE(x) MERIDIAN__CONTROL__V1__REGION_MODE__REGION_MODE_##x

static struct fix {
    struct router_app app;
    struct router_mesh_region region[2];
    struct router_edge edge;
    struct router_region_view view[ROUTER_REGIONS_MAX];
    bool leads;
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

uint64_t router__lead_epoch(const struct router_app *app)
{
    (void)app;
    return f->leads ? 5 : 0;
}
const char *router_standby_holder(const struct router_standby *s)
{
    (void)s;
    return "eu-r2.x";
}
const struct router_mesh_region *router_mesh_regions(struct router_mesh *m, size_t *count)
{
    (void)m;
    *count = 2;
    return f->region;
}
uint64_t router_relays_waiting(const struct router_relays *rs, const char *region)
{
    (void)rs;
    return strcmp(region, "us") == 0 ? 3 : 0;
}

static int set_up(void **state)
{
    f = calloc(1, sizeof *f);
    *state = f;
    f->leads = true;
    f->region[0] = (struct router_mesh_region){.name = "asia", .up = true, .rtt_us = 220000};
    f->region[1] = (struct router_mesh_region){.name = "us", .up = true, .rtt_us = 80000, .queued = 9};
    f->app.conf.region = (char *)"eu";
    f->app.clock = mer_clock_system();
    f->app.loop.now_ms = 100 * 1000;
    snprintf(f->app.incarnation, sizeof f->app.incarnation, "eu-r1.x");
    mer_list_init(&f->app.edges.edges);
    f->edge = (struct router_edge){.reported = true, .reported_ms = 100 * 1000, .max_connections = 10, .sessions = 4, .games = 2};
    mer_list_push_back(&f->app.edges.edges, &f->edge.node);
    return 0;
}
static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static const struct router_region_view *view(unsigned i)
{
    assert_int_equal(router_region_views(&f->app, f->view), 3);
    return &f->view[i];
}

/* What the leader of "us" says, `age_ms` ago. */
static void news(bool open, bool stated, bool drained, uint64_t age_ms)
{
    RM(RegionNews) n = MERIDIAN__REGION__V1__REGION_NEWS__INIT;
    RM(NewsState) s = MERIDIAN__REGION__V1__NEWS_STATE__INIT;
    RM(NewsDrain) d = MERIDIAN__REGION__V1__NEWS_DRAIN__INIT;
    bool changed;
    s.leader = (char *)"us-r1.x";
    s.players = 50;
    d.began_ms = 1000;
    d.by = (char *)"ana";
    d.reason = (char *)"racks";
    s.drain = drained ? &d : NULL;
    n.open = open;
    n.state = stated ? &s : NULL;
    f->app.newsroom.news.count = 0;
    assert_int_equal(router_news_take(&f->app.newsroom.news, "us", &n, f->app.loop.now_ms - age_ms, &changed), MER_OK);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void ours_is_what_our_edges_and_its_drain_make_of_it(void **state)
{
    (void)state;
    assert_string_equal(view(0)->name, "eu");
    assert_int_equal(view(0)->mode, MODE(ACTIVE));
    assert_string_equal(view(0)->leader, "eu-r1.x");
    assert_int_equal(view(0)->players, 4);
    assert_null(view(0)->drain_by);
    assert_false(view(0)->linked);
    f->edge.connections = 10;
    assert_int_equal(view(0)->mode, MODE(FULL));
    f->app.region_life.drain = (struct router_region_drain){.on = true, .over_ms = 60, .by = "ana"};
    assert_int_equal(view(0)->mode, MODE(DRAINING));
    assert_string_equal(view(0)->drain_by, "ana");
    assert_int_equal(view(0)->drain_over_ms, 60);
    f->leads = false;
    assert_string_equal(view(0)->leader, "eu-r2.x");
}

static void another_is_what_it_said_while_it_can_be_reached(void **state)
{
    static const struct {
        bool up, said, open, stated, drained;
        Meridian__Control__V1__RegionMode mode;
    } rows[] = {
        {true, false, false, false, false, MODE(UNKNOWN)},      {true, true, true, false, false, MODE(ACTIVE)},
        {true, true, false, false, false, MODE(FULL)},          {true, true, true, true, false, MODE(ACTIVE)},
        {true, true, false, true, true, MODE(DRAINING)},        {false, true, true, true, false, MODE(UNREACHABLE)},
        {false, false, false, false, false, MODE(UNREACHABLE)},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        bool told = rows[i].up && rows[i].stated;
        f->region[1].up = rows[i].up;
        f->app.newsroom.news.count = 0;
        if (rows[i].said)
            news(rows[i].open, rows[i].stated, rows[i].drained, 700);
        assert_int_equal(view(2)->mode, rows[i].mode);
        assert_int_equal(view(2)->summed, told);
        assert_int_equal(view(2)->players, told ? 50 : 0);
        assert_int_equal(view(2)->drain_by != NULL, rows[i].drained);
        assert_int_equal(view(2)->outbox, 3);
        assert_int_equal(view(2)->queued, 9);
        assert_int_equal(view(1)->mode, MODE(UNKNOWN)); /* asia never says anything */
    }
}

static void what_was_said_of_a_drain_grows_older_here(void **state)
{
    (void)state;
    news(false, true, true, 700);
    assert_int_equal(view(2)->age_ms, 700);
    assert_int_equal(view(2)->drain_began_ms, 1700);
    assert_string_equal(view(2)->drain_reason, "racks");
    assert_string_equal(view(2)->leader, "us-r1.x");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ours_is_what_our_edges_and_its_drain_make_of_it),
        TEST(another_is_what_it_said_while_it_can_be_reached),
        TEST(what_was_said_of_a_drain_grows_older_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
