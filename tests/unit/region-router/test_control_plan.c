/* SPDX-License-Identifier: Apache-2.0
 * What an order would do, and when it is refused. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "region-router/control_plan.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x
#define CODE(x) MERIDIAN__CONTROL__V1__ANSWER_CODE__ANSWER_CODE_##x
#define MODE(x) MERIDIAN__CONTROL__V1__REGION_MODE__REGION_MODE_##x

enum { EDGES = 3, REGIONS = 4 };

struct fix {
    struct router_edge edge[EDGES];
    struct mer_list edges;
    struct router_region_view region[REGIONS];
    struct router_plan_world world;
    CV1(DrainEdge) drain_edge;
    CV1(UndrainEdge) undrain_edge;
    CV1(DrainRegion) drain_region;
    CV1(UndrainRegion) undrain_region;
    CV1(Ask) ask;
    struct router_plan plan;
};

static int setup(void **state)
{
    static struct fix f;
    static const char *const names[REGIONS] = {"us-east", "asia", "us-west", "eu"};
    static const uint32_t rtt_us[REGIONS] = {0, 155000, 62000, 80000};
    memset(&f, 0, sizeof f);
    mer_list_init(&f.edges);
    for (int i = 0; i < EDGES; i++) {
        struct router_edge *e = &f.edge[i];
        snprintf(e->id, sizeof e->id, "us-east-%d", i + 1);
        snprintf(e->incarnation, sizeof e->incarnation, "us-east-%d.aaaaa", i + 1);
        e->reported = true;
        e->reported_ms = 5000;
        e->max_connections = 100;
        e->games = 10;
        e->sessions = 20;
        mer_list_push_back(&f.edges, &e->node);
    }
    for (int i = 0; i < REGIONS; i++)
        f.region[i] = (struct router_region_view){.name = names[i],
                                                  .mode = MODE(ACTIVE),
                                                  .summed = true,
                                                  .players = 60,
                                                  .capacity = 300,
                                                  .games = 30,
                                                  .edges_ready = 3,
                                                  .linked = i > 0,
                                                  .rtt_us = rtt_us[i]};
    f.world = (struct router_plan_world){&f.edges, f.region, REGIONS, 6000};
    f.drain_edge = (CV1(DrainEdge))MERIDIAN__CONTROL__V1__DRAIN_EDGE__INIT;
    f.undrain_edge = (CV1(UndrainEdge))MERIDIAN__CONTROL__V1__UNDRAIN_EDGE__INIT;
    f.drain_region = (CV1(DrainRegion))MERIDIAN__CONTROL__V1__DRAIN_REGION__INIT;
    f.undrain_region = (CV1(UndrainRegion))MERIDIAN__CONTROL__V1__UNDRAIN_REGION__INIT;
    f.ask = (CV1(Ask))MERIDIAN__CONTROL__V1__ASK__INIT;
    *state = &f;
    return 0;
}

static void plan(struct fix *f, CV1(Ask__BodyCase) body, const char *target, bool done)
{
    f->drain_edge.edge = f->undrain_edge.edge = f->drain_region.region = f->undrain_region.region = (char *)target;
    f->ask.body_case = body;
    if (body == ASK(DRAIN_EDGE))
        f->ask.drain_edge = &f->drain_edge;
    else if (body == ASK(UNDRAIN_EDGE))
        f->ask.undrain_edge = &f->undrain_edge;
    else if (body == ASK(DRAIN_REGION))
        f->ask.drain_region = &f->drain_region;
    else
        f->ask.undrain_region = &f->undrain_region;
    router_plan(&f->plan, &f->world, &f->ask, done);
}

#define EXPECT(f, want, nothing_, text) \
    do { \
        assert_int_equal((f)->plan.code, CODE(want)); \
        assert_int_equal((f)->plan.nothing, nothing_); \
        if (strstr((f)->plan.why, text) == NULL) \
            fail_msg("%s: no \"%s\"", (f)->plan.why, text); \
    } while (0)

static void an_edge_is_drained_when_another_takes_its_players(void **state)
{
    struct fix *f = *state;
    plan(f, ASK(DRAIN_EDGE), "us-east-2", false);
    EXPECT(f, OK, false, "would drain us-east-2.aaaaa: 10 games and 20 sessions go to 2 other edges");
    plan(f, ASK(DRAIN_EDGE), "us-east-2.aaaaa", true);
    EXPECT(f, OK, false, "drains: us-east-2.aaaaa");
    plan(f, ASK(DRAIN_EDGE), "us-east-9", false);
    EXPECT(f, NOT_FOUND, false, "no such edge");
    f->edge[1].draining = true;
    plan(f, ASK(DRAIN_EDGE), "us-east-2", false);
    EXPECT(f, OK, true, "already");
    f->edge[2].reported_ms = 0; /* hangs */
    plan(f, ASK(DRAIN_EDGE), "us-east-1", false);
    EXPECT(f, REFUSED, false, "no other edge");
    f->drain_edge.has_force = f->drain_edge.force = true;
    plan(f, ASK(DRAIN_EDGE), "us-east-1", false);
    EXPECT(f, OK, false, "to 0 other edges");
}

static void a_drain_is_taken_back_while_the_edge_is_there(void **state)
{
    struct fix *f = *state;
    plan(f, ASK(UNDRAIN_EDGE), "us-east-1", false);
    EXPECT(f, OK, true, "does not drain");
    f->edge[0].draining = true;
    plan(f, ASK(UNDRAIN_EDGE), "us-east-1", false);
    EXPECT(f, OK, false, "would take players again: us-east-1.aaaaa");
    plan(f, ASK(UNDRAIN_EDGE), "us-east-7", false);
    EXPECT(f, NOT_FOUND, false, "it has ended");
}

static void a_region_is_drained_when_another_takes_players(void **state)
{
    struct fix *f = *state;
    f->drain_region.has_over_ms = true;
    f->drain_region.over_ms = 600000;
    plan(f, ASK(DRAIN_REGION), "us-east", false);
    EXPECT(f, OK, false, "within 600 s: us-west (62 ms, 60 of 300 players), eu (80 ms, 60 of 300 players), asia (155 ms");
    EXPECT(f, OK, false, "60 players and 30 games stay");
    f->region[2].mode = MODE(FULL);
    f->region[3].mode = MODE(DRAINING);
    plan(f, ASK(DRAIN_REGION), "us-east", true);
    EXPECT(f, OK, false, "within 600 s: asia");
    f->region[1].mode = MODE(UNREACHABLE);
    plan(f, ASK(DRAIN_REGION), "us-east", false);
    EXPECT(f, REFUSED, false, "no other region");
    f->drain_region.has_force = f->drain_region.force = true;
    plan(f, ASK(DRAIN_REGION), "us-east", false);
    EXPECT(f, OK, false, "nobody is known");
    plan(f, ASK(DRAIN_REGION), "eu", false);
    EXPECT(f, ELSEWHERE, false, "this is us-east: ask a router of eu");
}

/* The same again is nothing to do; another time is. */
static void a_drained_region_drains_and_is_taken_back(void **state)
{
    struct fix *f = *state;
    plan(f, ASK(UNDRAIN_REGION), "us-east", false);
    EXPECT(f, OK, true, "does not drain");
    f->region[0].drain_by = f->region[0].drain_reason = "ana";
    f->region[0].mode = MODE(DRAINING);
    plan(f, ASK(DRAIN_REGION), "us-east", false);
    EXPECT(f, OK, true, "already");
    f->drain_region.has_over_ms = true;
    f->drain_region.over_ms = 1000;
    plan(f, ASK(DRAIN_REGION), "us-east", false);
    EXPECT(f, OK, false, "within 1 s");
    plan(f, ASK(UNDRAIN_REGION), "us-east", true);
    EXPECT(f, OK, false, "takes new players again: 3 of its edges");
    plan(f, ASK(UNDRAIN_REGION), "asia", true);
    EXPECT(f, ELSEWHERE, false, "asia");
}

/* Sixteen regions with long names: the words are cut, nothing else. */
static void many_regions_do_not_overflow_the_words(void **state)
{
    struct fix *f = *state;
    static struct router_region_view many[16];
    for (int i = 0; i < 16; i++)
        many[i] = (struct router_region_view){.name = "a-region-whose-name-is-31-bytes",
                                              .mode = MODE(ACTIVE),
                                              .players = UINT64_MAX,
                                              .capacity = UINT64_MAX,
                                              .rtt_us = UINT32_MAX};
    f->world.regions = many;
    f->world.region_count = 16;
    plan(f, ASK(DRAIN_REGION), many[0].name, false);
    EXPECT(f, OK, false, "would drain");
    assert_true(strlen(f->plan.why) < sizeof f->plan.why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_edge_is_drained_when_another_takes_its_players, setup),
        cmocka_unit_test_setup(a_drain_is_taken_back_while_the_edge_is_there, setup),
        cmocka_unit_test_setup(a_region_is_drained_when_another_takes_players, setup),
        cmocka_unit_test_setup(a_drained_region_drains_and_is_taken_back, setup),
        cmocka_unit_test_setup(many_regions_do_not_overflow_the_words, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
