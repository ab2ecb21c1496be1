/* SPDX-License-Identifier: Apache-2.0
 * What routers tell the agent: heard of the region that their certificate and the configuration say, and of no other. Links are the test's:
 * these functions stand before the product's at link time. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "geo/reports.h"
#include "geo/wish.h"

#include "meridian/control/v1/control.pb-c.h"

#define CV1(x) Meridian__Control__V1__##x

enum { EAST, EU, REGIONS, ROUTERS = 3 };

/* One dialled router: what mer_link is here. */
struct mer_link {
    void *user;
    struct mer_link_peer peer;
};

static struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct geo_footprint footprint;
    struct geo_config config;
    struct geo_reports *reports;
    struct mer_links_conf links;
    struct mer_link link[ROUTERS];
    unsigned dialled, resets, drains;
    uint32_t drained_region;
    struct geo_wished drained;
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

enum mer_err mer_links_create(struct mer_links **out, const struct mer_links_conf *conf)
{
    f->links = *conf;
    *out = (struct mer_links *)f;
    return MER_OK;
}
void mer_links_destroy(struct mer_links *ls)
{
    (void)ls;
}
enum mer_err mer_link_dial(struct mer_links *ls, const char *address, void *user, struct mer_link **out)
{
    (void)ls, (void)address;
    assert_in_range(f->dialled, 0, ROUTERS - 1);
    *out = &f->link[f->dialled++];
    (*out)->user = user;
    return MER_OK;
}
void *mer_link_user(const struct mer_link *l)
{
    return l->user;
}
const struct mer_link_peer *mer_link_peer(const struct mer_link *l)
{
    return &l->peer;
}
void mer_link_reset(struct mer_link *l)
{
    (void)l;
    f->resets++;
}

static void on_drain(void *ctx, uint32_t region, const struct geo_wished *w)
{
    assert_ptr_equal(ctx, f);
    f->drains++;
    f->drained_region = region;
    f->drained = *w;
}

static char east[] = "us-east", eu[] = "eu", id[] = "geo-1";
static char router_1[] = "us-east=127.0.0.1:1", router_2[] = "eu=127.0.0.1:2", router_3[] = "eu=127.0.0.1:3", no_file[] = "";
static char *routers[ROUTERS] = {router_1, router_2, router_3};

static int set_up(void **state)
{
    struct mer_msg msg;
    f = calloc(1, sizeof *f);
    *state = f;
    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY), MER_DEBUG, mer_clock_system());
    mer_metrics_init(&f->metrics);
    f->footprint.count = REGIONS;
    f->footprint.region[EAST].name = east;
    f->footprint.region[EU].name = eu;
    f->config.id = id;
    f->config.routers = (struct mer_strs){routers, ROUTERS};
    f->config.tls_cert = no_file;
    struct geo_reports_conf c = {.loop = &f->loop,
                                 .log = &f->log,
                                 .rng = mer_rng_system(),
                                 .metrics = &f->metrics,
                                 .footprint = &f->footprint,
                                 .config = &f->config,
                                 .incarnation = "geo-1.x",
                                 .on_drain = on_drain,
                                 .ctx = f};
    assert_int_equal(geo_reports_create(&f->reports, &c, &msg), MER_OK);
    assert_int_equal(f->dialled, ROUTERS);
    for (int i = 0; i < ROUTERS; i++)
        f->link[i].peer = (struct mer_link_peer){.region = i == 0 ? east : eu, .id = "r", .incarnation = "r.x"};
    return 0;
}
static int tear_down(void **state)
{
    geo_reports_destroy(f->reports);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    free(*state);
    return 0;
}

static void say(struct mer_link *l, CV1(RegionReport) * r)
{
    uint8_t packed[2048];
    CV1(ControlMessage) m = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__INIT;
    m.body_case = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_REGION_REPORT;
    m.region_report = r;
    assert_in_range(meridian__control__v1__control_message__get_packed_size(&m), 1, sizeof packed);
    f->links.cbs->on_message(f->links.ctx, l, packed, meridian__control__v1__control_message__pack(&m, packed));
}

/* A leader's, of a region that is drained. */
static CV1(RegionReport) report(const char *region, CV1(DrainState) * drain)
{
    CV1(RegionReport) r = MERIDIAN__CONTROL__V1__REGION_REPORT__INIT;
    *drain = (CV1(DrainState))MERIDIAN__CONTROL__V1__DRAIN_STATE__INIT;
    drain->began_ms = 5000;
    drain->over_ms = 60000;
    drain->by = (char *)"ana";
    drain->reason = (char *)"racks";
    r.region = (char *)region;
    r.leader = r.has_drain_known = r.drain_known = true;
    r.drain = drain;
    r.edges = 3;
    r.edges_ready = 2;
    r.players = 7;
    return r;
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void a_leaders_report_counts_with_its_drain(void **state)
{
    CV1(DrainState) d;
    CV1(RegionReport) r = report("eu", &d);
    (void)state;
    say(&f->link[1], &r);
    struct geo_report told = geo_reports_of(f->reports, EU);
    assert_true(told.known && told.ready);
    assert_int_equal(told.players, 7);
    assert_int_equal(f->drains, 1);
    assert_int_equal(f->drained_region, EU);
    assert_int_equal(f->drained.kind, GEO_WISH_DRAIN);
    assert_int_equal(f->drained.over_ms, 60000);
    assert_string_equal(f->drained.by, "ana");
    assert_false(geo_reports_of(f->reports, EAST).known);
    r.drain = NULL;
    r.edges_ready = 0;
    say(&f->link[2], &r); /* another router of it leads */
    assert_false(geo_reports_of(f->reports, EU).ready);
    assert_int_equal(f->drained.kind, GEO_WISH_NOTHING);
    f->loop.now_ms += GEO_REPORT_VALID_MS + 1;
    assert_false(geo_reports_of(f->reports, EU).known);
}

static void a_report_of_another_region_is_refused(void **state)
{
    CV1(DrainState) d;
    CV1(RegionReport) r = report("us-east", &d);
    (void)state;
    say(&f->link[1], &r); /* a router of eu speaks of us-east */
    r = report("eu", &d);
    say(&f->link[0], &r); /* a router of us-east speaks of eu */
    f->link[2].peer.region = east;
    say(&f->link[2], &r); /* at an address of eu somebody answers whose certificate is of us-east */
    r = report("us-east", &d);
    say(&f->link[2], &r);
    assert_int_equal(f->drains, 0);
    assert_false(geo_reports_of(f->reports, EAST).known);
    assert_false(geo_reports_of(f->reports, EU).known);
}

static void it_takes_every_router_to_say_that_nobody_leads(void **state)
{
    CV1(DrainState) d;
    CV1(RegionReport) led = report("eu", &d), not_led = led, old = led;
    (void)state;
    not_led.leader = old.leader = false;
    not_led.has_leaderless_ms = true;
    not_led.leaderless_ms = GEO_LEADERLESS_MS - 1;
    say(&f->link[1], &not_led);
    assert_false(geo_reports_of(f->reports, EU).leaderless); /* a leader may just have died */
    not_led.leaderless_ms++;
    say(&f->link[1], &not_led);
    assert_true(geo_reports_of(f->reports, EU).leaderless);
    assert_false(geo_reports_of(f->reports, EAST).leaderless);
    say(&f->link[2], &led); /* the other one leads: the first has lost its Redis alone */
    assert_false(geo_reports_of(f->reports, EU).leaderless);
    say(&f->link[2], &old); /* a router that does not know the field says nothing */
    assert_false(geo_reports_of(f->reports, EU).leaderless);
    say(&f->link[2], &not_led);
    assert_true(geo_reports_of(f->reports, EU).leaderless);
    f->loop.now_ms += GEO_REPORT_VALID_MS + 1;
    assert_false(geo_reports_of(f->reports, EU).leaderless); /* silence is no sign */
    say(&f->link[1], &not_led);
    assert_true(geo_reports_of(f->reports, EU).leaderless);
    f->link[1].peer.region = east;
    f->loop.now_ms += GEO_REPORT_VALID_MS + 1;
    say(&f->link[1], &not_led); /* nobody of eu */
    assert_false(geo_reports_of(f->reports, EU).leaderless);
}

static void only_the_leaders_word_counts_and_only_of_what_it_knows(void **state)
{
    CV1(DrainState) d;
    CV1(RegionReport) r = report("eu", &d);
    (void)state;
    r.leader = false;
    say(&f->link[1], &r);
    assert_false(geo_reports_of(f->reports, EU).known);
    r.leader = true;
    r.drain_known = false;
    say(&f->link[1], &r);
    assert_true(geo_reports_of(f->reports, EU).known);
    r.has_drain_known = false; /* a router of an earlier version */
    say(&f->link[1], &r);
    assert_int_equal(f->drains, 0);
}

static void texts_and_times_that_could_not_be_journalled_are_left_out(void **state)
{
    char large[400];
    CV1(DrainState) d;
    CV1(RegionReport) r = report("eu", &d);
    (void)state;
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    d.by = large;
    d.reason = (char *)"two\nlines";
    d.over_ms = GEO_WISH_OVER_MAX_MS + 1ull;
    d.began_ms = UINT64_MAX;
    say(&f->link[1], &r);
    assert_int_equal(f->drained.kind, GEO_WISH_DRAIN);
    assert_string_equal(f->drained.by, "?");
    assert_string_equal(f->drained.reason, "?");
    assert_int_equal(f->drained.over_ms, 0);
    assert_int_equal(f->drained.at_ms, 0);
}

static void what_is_no_message_ends_the_link(void **state)
{
    CV1(ControlMessage) m = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__INIT;
    CV1(Ask) ask = MERIDIAN__CONTROL__V1__ASK__INIT;
    uint8_t packed[64];
    (void)state;
    f->links.cbs->on_message(f->links.ctx, &f->link[1], (const uint8_t *)"\xff\xff", 2);
    assert_int_equal(f->resets, 1);
    m.body_case = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ASK; /* not for us, and not wrong */
    m.ask = &ask;
    f->links.cbs->on_message(f->links.ctx, &f->link[1], packed, meridian__control__v1__control_message__pack(&m, packed));
    assert_int_equal(f->resets, 1);
    assert_false(geo_reports_of(f->reports, EU).known);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_leaders_report_counts_with_its_drain),
        TEST(a_report_of_another_region_is_refused),
        TEST(it_takes_every_router_to_say_that_nobody_leads),
        TEST(only_the_leaders_word_counts_and_only_of_what_it_knows),
        TEST(texts_and_times_that_could_not_be_journalled_are_left_out),
        TEST(what_is_no_message_ends_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
