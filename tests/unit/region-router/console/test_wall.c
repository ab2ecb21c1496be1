/* SPDX-License-Identifier: Apache-2.0
 * What the wall is told: regions, the links between them as both ends see them, edges that drain; and that nobody can blind it. */
#include "unit.h"

#include <stdio.h>

#include <meridian/json.h>

#include "region-router/console/wall.h"

#define CV1(x) Meridian__Control__V1__##x
#define MODE(x) MERIDIAN__CONTROL__V1__REGION_MODE__REGION_MODE_##x
#define LINK(x) MERIDIAN__CONTROL__V1__WALL_LINK_MODE__WALL_LINK_MODE_##x

enum { REGIONS = 3, EDGES = ROUTER_WALL_EDGES + 4 };

struct fix {
    CV1(RegionState) row[ROUTER_REGIONS_MAX], *rows[ROUTER_REGIONS_MAX];
    char name[ROUTER_REGIONS_MAX][16];
    struct router_news_link link[ROUTER_REGIONS_MAX];
    struct router_wall_place place[1];
    struct router_news news;
    struct router_edge edge[EDGES];
    struct mer_list edges;
    struct router_wall_view v;
    struct router_wall wall;
    struct mer_buf text;
};

static void region(struct fix *f, size_t i, const char *name)
{
    snprintf(f->name[i], sizeof f->name[i], "%s", name);
    f->row[i] = (CV1(RegionState))MERIDIAN__CONTROL__V1__REGION_STATE__INIT;
    f->row[i].name = f->name[i];
    f->row[i].mode = MODE(ACTIVE);
    f->row[i].has_players = true;
    f->rows[i] = &f->row[i];
}

/* What the news of `name` say of its links: to the other two. */
static struct router_news_state *news(struct fix *f, const char *name, const char *to, const char *and_to)
{
    struct router_news_region *r = &f->news.region[f->news.count++];
    snprintf(r->name, sizeof r->name, "%s", name);
    r->stated = true;
    r->state.link_count = 2;
    r->state.link[0] = (struct router_news_link){.up = true, .rtt_us = 100};
    r->state.link[1] = r->state.link[0];
    snprintf(r->state.link[0].region, sizeof r->state.link[0].region, "%s", to);
    snprintf(r->state.link[1].region, sizeof r->state.link[1].region, "%s", and_to);
    return &r->state;
}

/* us, eu and asia; everything is well. */
static int setup(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    region(f, 0, "us");
    region(f, 1, "eu");
    region(f, 2, "asia");
    f->link[0] = (struct router_news_link){.region = "eu", .up = true, .rtt_us = 80000};
    f->link[1] = (struct router_news_link){.region = "asia", .up = true, .rtt_us = 155000};
    f->place[0] = (struct router_wall_place){"eu", 50.11, 8.68};
    news(f, "eu", "us", "asia");
    news(f, "asia", "us", "eu");
    mer_list_init(&f->edges);
    mer_buf_init(&f->text, 1 << 20);
    f->v = (struct router_wall_view){.wall_ms = 1795351626062,
                                     .region = "us",
                                     .router = "us-r1.aaaaa",
                                     .leads = true,
                                     .regions = f->rows,
                                     .region_count = REGIONS,
                                     .links = f->link,
                                     .link_count = 2,
                                     .news = &f->news,
                                     .places = f->place,
                                     .place_count = 1,
                                     .edges = &f->edges,
                                     .counted = true,
                                     .matches_minute = 12,
                                     .tickets_waiting = 3};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;
    mer_buf_deinit(&f->text);
    free(f);
    return 0;
}

static const char *look(struct fix *f)
{
    router_wall_look(&f->wall, &f->v);
    mer_buf_clear(&f->text);
    assert_int_equal(mer_json_write(&f->wall.state.base, &f->text), MER_OK);
    assert_int_equal(mer_buf_append(&f->text, "", 1), MER_OK);
    return (const char *)f->text.data;
}

#define assert_says(f, want) \
    do { \
        const char *text_ = look(f); \
        if (strstr(text_, (want)) == NULL) \
            fail_msg("no %s in %s", (want), text_); \
    } while (0)

/* 0: us-eu, 1: us-asia, 2: eu-asia */
static const CV1(WallLink) * link_of(struct fix *f, size_t i)
{
    look(f);
    assert_int_equal(f->wall.state.n_links, 3);
    return f->wall.state.links[i];
}

static void all_regions_are_told_ours_first(void **state)
{
    struct fix *f = *state;
    f->row[0].players = 7;
    assert_says(f, "{\"atMs\":1795351626062,\"region\":\"us\",\"router\":\"us-r1.aaaaa\",\"leader\":true,\"regions\":[{\"state\":"
                   "{\"name\":\"us\",\"mode\":\"active\",\"players\":7},\"matchesMinute\":12},");
    assert_says(f, "\"ticketsWaiting\":3");
    assert_int_equal(f->wall.state.n_regions, REGIONS);
    assert_true(f->wall.state.regions[1]->has_latitude);
    assert_false(f->wall.state.regions[0]->has_latitude); /* nobody said where it is */
}

static void what_is_not_known_is_left_out(void **state)
{
    struct fix *f = *state;
    f->v.leads = f->v.counted = false;
    f->row[1].has_players = false;
    f->news.region[0].state.counted = true; /* said before it fell silent */
    assert_null(strstr(look(f), "ticketsWaiting"));
    assert_null(strstr(look(f), "matchesMinute"));
    f->row[1].has_players = true;
    assert_says(f, "\"matchesMinute\":0");
}

static void a_link_has_two_ends_and_the_worse_one_counts(void **state)
{
    struct router_news_state *eu, *asia;
    struct fix *f = *state;
    eu = &f->news.region[0].state;
    asia = &f->news.region[1].state;
    eu->link[1].rtt_us = 220000;
    assert_int_equal(link_of(f, 2)->mode, LINK(UP));
    assert_int_equal(link_of(f, 2)->rtt_us, 220000);
    assert_int_equal(link_of(f, 0)->rtt_us, 80000);
    asia->link[1].up = false; /* says asia of eu */
    assert_int_equal(link_of(f, 2)->mode, LINK(DOWN));
    assert_false(link_of(f, 2)->has_rtt_us);
    assert_int_equal(link_of(f, 1)->mode, LINK(UP));
    asia->link[1].up = true;
    eu->link[1].up = false;
    assert_int_equal(link_of(f, 2)->mode, LINK(DOWN));
    eu->link[1].up = true;
    assert_int_equal(link_of(f, 2)->mode, LINK(UP));
    f->link[0].up = false;
    assert_int_equal(link_of(f, 0)->mode, LINK(DOWN));
}

static void of_two_silent_regions_nothing_is_known(void **state)
{
    struct fix *f = *state;
    f->news.count = 0;
    assert_int_equal(link_of(f, 2)->mode, LINK(UNKNOWN));
    assert_int_equal(link_of(f, 0)->mode, LINK(UP)); /* as we see it */
    f->news.count = 1;
    assert_int_equal(link_of(f, 2)->mode, LINK(UP));
    f->news.region[0].stated = false;
    assert_int_equal(link_of(f, 2)->mode, LINK(UNKNOWN));
}

static void what_waits_at_both_ends_makes_a_link_be_behind(void **state)
{
    struct fix *f = *state;
    f->link[0].outbox = ROUTER_WALL_WAITING - 1;
    f->news.region[0].state.link[0].outbox = 1;
    assert_int_equal(link_of(f, 0)->mode, LINK(UP));
    assert_int_equal(link_of(f, 0)->waiting, ROUTER_WALL_WAITING);
    f->link[0].outbox++;
    assert_int_equal(link_of(f, 0)->mode, LINK(BEHIND));
    f->link[0].outbox = 0;
    f->link[0].queued = ROUTER_WALL_QUEUED + 1;
    assert_int_equal(link_of(f, 0)->mode, LINK(BEHIND));
    f->link[0].up = false;
    assert_int_equal(link_of(f, 0)->mode, LINK(DOWN));
    assert_int_equal(link_of(f, 0)->queued, ROUTER_WALL_QUEUED + 1);
}

static void edges_that_drain_are_told_as_far_as_a_screen_goes(void **state)
{
    struct fix *f = *state;
    for (size_t i = 0; i < EDGES; i++) {
        f->edge[i] = (struct router_edge){.reported = i != 0, .draining = i != 1, .sessions = 5, .games = 2};
        snprintf(f->edge[i].id, sizeof f->edge[i].id, "us-%zu", i);
        mer_list_push_back(&f->edges, &f->edge[i].node);
    }
    assert_says(f, "\"edges\":[{\"id\":\"us-2\",\"players\":5,\"games\":2},{\"id\":\"us-3\"");
    assert_int_equal(f->wall.state.n_edges, ROUTER_WALL_EDGES);
}

/* Figures and words of other regions, as wild as their leaders may send them: the state is still one line of JSON. */
static void nobody_blinds_the_wall(void **state)
{
    struct fix *f = *state;
    CV1(DrainState) d = MERIDIAN__CONTROL__V1__DRAIN_STATE__INIT;
    CV1(RegionState) *r = &f->row[1];
    r->players = r->capacity = r->games = r->queued = r->outbox = r->age_ms = UINT64_MAX;
    r->has_capacity = r->has_games = r->has_queued = r->has_outbox = r->has_age_ms = true;
    d.began_ms = d.over_ms = UINT64_MAX;
    d.by = (char *)"</script>";
    d.reason = (char *)"\"\n\ndata: {}\n\n\x01";
    r->drain = &d;
    r->mode = MODE(DRAINING);
    f->news.region[0].state.link[0].queued = f->news.region[0].state.link[0].outbox = UINT64_MAX;
    f->link[0].queued = f->link[0].outbox = UINT64_MAX;
    f->v.wall_ms = f->v.tickets_waiting = UINT64_MAX;
    assert_says(f, "\"players\":9007199254740991");
    assert_null(strchr(look(f), '\n'));
    assert_int_equal(link_of(f, 0)->waiting, MER_JSON_INT_MAX);
}

static void as_many_regions_as_there_may_be_are_told(void **state)
{
    struct fix *f = *state;
    for (size_t i = 0; i < ROUTER_REGIONS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%zu", i);
        region(f, i, name);
    }
    f->v.region_count = ROUTER_REGIONS_MAX + 1; /* and no more */
    look(f);
    assert_int_equal(f->wall.state.n_regions, ROUTER_REGIONS_MAX);
    assert_int_equal(f->wall.state.n_links, ROUTER_WALL_PAIRS);
    f->v.region_count = 1;
    assert_says(f, "\"links\":[]");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_regions_are_told_ours_first),
        CASE(what_is_not_known_is_left_out),
        CASE(a_link_has_two_ends_and_the_worse_one_counts),
        CASE(of_two_silent_regions_nothing_is_known),
        CASE(what_waits_at_both_ends_makes_a_link_be_behind),
        CASE(edges_that_drain_are_told_as_far_as_a_screen_goes),
        CASE(nobody_blinds_the_wall),
        CASE(as_many_regions_as_there_may_be_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
