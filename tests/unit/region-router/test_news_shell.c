/* SPDX-License-Identifier: Apache-2.0
 * What a leader tells other regions of its own, and when. The mesh is the test's: these functions stand before the product's at
 * link time. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "region-router/app.h"

#define RM(x) Meridian__Region__V1__##x
#define BODY(x) MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_##x

static struct fix {
    struct router_app app;
    struct router_mesh_region region[2];
    router_mesh_cb on_news;
    router_mesh_region_cb on_region;
    bool leads;
    struct router_edge edge;
    unsigned sent, lists, looks;
    char said[128]; /* the last one */
    char links[128];
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

uint64_t router__lead_epoch(const struct router_app *app)
{
    (void)app;
    return f->leads ? 5 : 0;
}
const struct router_mesh_region *router_mesh_regions(struct router_mesh *m, size_t *count)
{
    (void)m;
    *count = 2;
    return f->region;
}
void router_mesh_on(struct router_mesh *m, RM(RegionMessage__BodyCase) kind, router_mesh_cb cb, void *ctx)
{
    (void)m, (void)ctx;
    assert_int_equal(kind, BODY(REGION_NEWS));
    f->on_news = cb;
}
void router_mesh_on_region(struct router_mesh *m, router_mesh_region_cb cb, void *ctx)
{
    (void)m, (void)ctx;
    f->on_region = cb;
}
enum mer_err router_mesh_send(struct router_mesh *m, const char *region, const RM(RegionMessage) * msg)
{
    const RM(RegionNews) *n = msg->region_news;
    (void)m;
    f->sent++;
    assert_int_equal(msg->body_case, BODY(REGION_NEWS));
    assert_non_null(n->state);
    snprintf(f->said, sizeof f->said, "%s: %s, %zu edges, %u ready, drained by %s", region, n->open ? "open" : "closed", n->n_edges,
             n->state->edges_ready, n->state->drain != NULL ? n->state->drain->by : "nobody");
    f->links[0] = 0;
    for (size_t i = 0; i < n->state->n_links; i++) {
        const RM(NewsLink) *l = n->state->links[i];
        size_t used = strlen(f->links);
        snprintf(f->links + used, sizeof f->links - used, "%s %s %u us %u B %u events; ", l->region, l->up ? "up" : "down", l->rtt_us,
                 (unsigned)l->queued, (unsigned)l->outbox);
    }
    if (n->state->has_matches_minute)
        snprintf(f->links + strlen(f->links), sizeof f->links - strlen(f->links), "%u matches", n->state->matches_minute);
    return MER_OK;
}
uint64_t router_relays_waiting(const struct router_relays *rs, const char *region)
{
    (void)rs;
    return strcmp(region, "us") == 0 ? 33 : 0;
}
void router_edges_list_changed(struct router_edges *es)
{
    (void)es;
    f->lists++;
}
void router_crossing_look(struct router_crossing *x)
{
    (void)x;
    f->looks++;
}

static int set_up(void **state)
{
    f = calloc(1, sizeof *f);
    *state = f;
    f->leads = true;
    f->region[0] = (struct router_mesh_region){.name = "asia", .up = true};
    f->region[1] = (struct router_mesh_region){.name = "us", .up = false};
    f->app.clock = mer_clock_system();
    assert_int_equal(mer_loop_init(&f->app.loop, f->app.clock), 0);
    mer_log_init(&f->app.log, open("/dev/null", O_WRONLY), MER_DEBUG, f->app.clock);
    mer_metrics_init(&f->app.metrics);
    snprintf(f->app.incarnation, sizeof f->app.incarnation, "eu-r1.me");
    mer_list_init(&f->app.edges.edges);
    f->edge = (struct router_edge){.id = "eu-1", .ws_url = "wss://eu-1.test/ws", .reported = true, .max_connections = 10};
    f->edge.reported_ms = f->app.loop.now_ms;
    mer_list_push_back(&f->app.edges.edges, &f->edge.node);
    router_newsroom_init(&f->app.newsroom, &f->app);
    return 0;
}
static int tear_down(void **state)
{
    router_newsroom_deinit(&f->app.newsroom);
    mer_loop_deinit(&f->app.loop);
    close(f->app.log.fd);
    free(*state);
    return 0;
}

static void is_drained(const char *by)
{
    f->app.region_life.known = true;
    f->app.region_life.drain = (struct router_region_drain){.on = by != NULL};
    snprintf(f->app.region_life.drain.by, sizeof f->app.region_life.drain.by, "%s", by != NULL ? by : "");
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void a_leader_who_does_not_know_yet_whether_it_is_drained_says_nothing(void **state)
{
    (void)state;
    f->on_region(&f->app.newsroom, "asia", true);
    router_newsroom_tell(&f->app.newsroom);
    f->app.newsroom.timer.cb(&f->app.newsroom.timer);
    assert_int_equal(f->sent, 0);
    is_drained("ana");
    router_newsroom_tell(&f->app.newsroom);
    assert_int_equal(f->sent, 1); /* only who is up */
    assert_string_equal(f->said, "asia: closed, 1 edges, 1 ready, drained by ana");
    f->app.region_life.known = false; /* a write that nobody confirmed: it is read again */
    is_drained(NULL);
    f->app.region_life.known = false;
    f->app.newsroom.timer.cb(&f->app.newsroom.timer);
    assert_int_equal(f->sent, 1);
}

static void a_region_that_comes_up_is_told_and_everybody_again_now_and_then(void **state)
{
    (void)state;
    is_drained(NULL);
    f->on_region(&f->app.newsroom, "asia", true);
    assert_int_equal(f->sent, 1);
    assert_string_equal(f->said, "asia: open, 1 edges, 1 ready, drained by nobody");
    f->edge.connections = f->edge.max_connections;
    f->app.newsroom.timer.cb(&f->app.newsroom.timer);
    assert_int_equal(f->sent, 2);
    assert_string_equal(f->said, "asia: closed, 1 edges, 0 ready, drained by nobody");
    f->edge.draining = true;
    router_newsroom_tell(&f->app.newsroom);
    assert_string_equal(f->said, "asia: closed, 0 edges, 0 ready, drained by nobody");
}

static void a_leader_tells_its_links_and_the_pace_of_games(void **state)
{
    (void)state;
    is_drained(NULL);
    f->region[0].rtt_us = 155000;
    f->region[0].queued = 7;
    router_newsroom_tell(&f->app.newsroom);
    assert_string_equal(f->links, "asia up 155000 us 7 B 0 events; us down 0 us 0 B 33 events; ");
    f->app.matcher_totals[ROUTER_M_CREATED] = 100; /* before it led the last time */
    router_pace_step(&f->app.pace, router_app_games(&f->app));
    f->app.matcher.counts[ROUTER_M_CREATED] = 9;
    router_newsroom_tell(&f->app.newsroom);
    assert_string_equal(f->links, "asia up 155000 us 7 B 0 events; us down 0 us 0 B 33 events; 9 matches");
}

static void who_does_not_lead_says_nothing(void **state)
{
    (void)state;
    is_drained(NULL);
    f->leads = false;
    router_newsroom_tell(&f->app.newsroom);
    f->app.newsroom.timer.cb(&f->app.newsroom.timer);
    assert_int_equal(f->sent, 0);
}

static void what_others_say_changes_our_list_once_and_goes_with_them(void **state)
{
    RM(RegionNews) news = MERIDIAN__REGION__V1__REGION_NEWS__INIT;
    RM(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    (void)state;
    m.body_case = BODY(REGION_NEWS);
    m.region_news = &news;
    news.open = true;
    f->on_news(&f->app.newsroom, "us", &m);
    f->on_news(&f->app.newsroom, "us", &m);
    assert_int_equal(f->lists, 1);
    assert_int_equal(f->looks, 1);
    assert_true(router_news_of(&f->app.newsroom.news, "us")->open);
    f->on_news(&f->app.newsroom, "not a name", &m);
    assert_int_equal(f->app.newsroom.values[ROUTER_N_TAKEN], 2);
    assert_int_equal(f->app.newsroom.values[ROUTER_N_REFUSED], 1);
    f->on_region(&f->app.newsroom, "us", false);
    assert_null(router_news_of(&f->app.newsroom.news, "us"));
    assert_int_equal(f->lists, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_leader_who_does_not_know_yet_whether_it_is_drained_says_nothing),
        TEST(a_region_that_comes_up_is_told_and_everybody_again_now_and_then),
        TEST(a_leader_tells_its_links_and_the_pace_of_games),
        TEST(who_does_not_lead_says_nothing),
        TEST(what_others_say_changes_our_list_once_and_goes_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
