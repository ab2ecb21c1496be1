/* SPDX-License-Identifier: Apache-2.0
 * What other regions say of themselves: what is taken, what is refused, and when it is forgotten. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "region-router/news.h"

#define RV1(x) Meridian__Region__V1__##x

struct fix {
    struct router_news news;
    RV1(NewsEdge) edge[ROUTER_NEWS_EDGES + 1], *edges[ROUTER_NEWS_EDGES + 1];
    RV1(RegionNews) message;
};

static int setup(void **state)
{
    static const RV1(NewsEdge) no_edge = MERIDIAN__REGION__V1__NEWS_EDGE__INIT;
    struct fix *f = calloc(1, sizeof *f);
    f->message = (RV1(RegionNews))MERIDIAN__REGION__V1__REGION_NEWS__INIT;
    f->message.edges = f->edges;
    f->message.open = 1;
    for (size_t i = 0; i < MER_COUNT(f->edge); i++) {
        static char id[] = "eu-1", url[] = "wss://1.eu.test/v1/ws";
        f->edge[i] = no_edge;
        f->edge[i].id = id;
        f->edge[i].ws_url = url;
        f->edges[i] = &f->edge[i];
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* With so many edges; true when it changed the list. */
static bool take(struct fix *f, const char *region, size_t edges, uint64_t now_ms)
{
    bool changed = false;
    f->message.n_edges = edges;
    assert_int_equal(router_news_take(&f->news, region, &f->message, now_ms, &changed), MER_OK);
    return changed;
}

static void expect(struct fix *f, const char *text)
{
    struct router_news_rows rows;
    Meridian__Internal__V1__EdgeList list = MERIDIAN__INTERNAL__V1__EDGE_LIST__INIT;
    char found[4096] = "";
    router_news_list(&f->news, &rows, &list);
    for (size_t i = 0; i < list.n_regions; i++) {
        const Meridian__Internal__V1__ListedRegion *r = list.regions[i];
        size_t len = strlen(found);
        snprintf(found + len, sizeof found - len, "%s%s%s", i > 0 ? "; " : "", r->name, r->open ? "" : " takes nobody");
        for (size_t e = 0; e < r->n_edges; e++) {
            len = strlen(found);
            snprintf(found + len, sizeof found - len, " %s=%s", r->edges[e]->id, r->edges[e]->ws_url);
        }
    }
    assert_string_equal(found, text);
}

static void what_is_said_is_listed_and_only_what_is_new_is_a_change(void **state)
{
    struct fix *f = *state;
    static char other[] = "eu-2", elsewhere[] = "ws://2.eu.test";
    expect(f, "");
    assert_true(take(f, "eu", 1, 0));
    assert_false(take(f, "eu", 1, 10));
    expect(f, "eu eu-1=wss://1.eu.test/v1/ws");
    f->edge[1].id = other;
    f->edge[1].ws_url = elsewhere;
    assert_true(take(f, "eu", 2, 20));
    expect(f, "eu eu-1=wss://1.eu.test/v1/ws eu-2=ws://2.eu.test");
    f->edge[0].ws_url = elsewhere;
    assert_true(take(f, "eu", 2, 30));
    assert_true(take(f, "eu", 1, 40));
    f->message.open = 0;
    assert_true(take(f, "eu", 0, 50));
    assert_true(take(f, "asia", 0, 60));
    expect(f, "eu takes nobody; asia takes nobody");
}

static void who_is_silent_or_gone_is_forgotten(void **state)
{
    struct fix *f = *state;
    take(f, "eu", 0, 0);
    take(f, "asia", 0, 10);
    take(f, "us", 0, 20);
    assert_false(router_news_sweep(&f->news, ROUTER_NEWS_STALE_MS - 1));
    assert_true(router_news_sweep(&f->news, ROUTER_NEWS_STALE_MS + 10));
    expect(f, "us");
    assert_false(router_news_forget(&f->news, "eu"));
    assert_true(router_news_forget(&f->news, "us"));
    expect(f, "");
    assert_true(take(f, "us", 0, 30));
}

static void what_could_not_be_given_to_players_is_refused_whole(void **state)
{
    struct fix *f = *state;
    char long_id[ROUTER_NEWS_ID_BYTES + 1], long_url[ROUTER_NEWS_URL_BYTES + 1];
    memset(long_id, 'a', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    memset(long_url, 'a', sizeof long_url - 1);
    long_url[sizeof long_url - 1] = '\0';
    memcpy(long_url, "wss://", 6);
    const char *const bad_ids[] = {"", "a b", "a\"", "\xc3\xa9", "a.b", long_id}, *const bad_urls[] = {
                                                                                      "",           "wss://",         "ws://",
                                                                                      "http://x",   "wss:/x",         "javascript:x",
                                                                                      "wss://x y",  "wss://x\"y",     "wss://x<y",
                                                                                      "wss://x\ny", "wss://\xc3\xa9", "wss://x\\",
                                                                                      "WSS://x",    long_url};
    bool changed = false;
    take(f, "eu", 1, 0);
    f->message.n_edges = 2;
    for (size_t i = 0; i < MER_COUNT(bad_ids) + MER_COUNT(bad_urls); i++) {
        f->edge[1] = f->edge[0];
        if (i < MER_COUNT(bad_ids))
            f->edge[1].id = (char *)bad_ids[i];
        else
            f->edge[1].ws_url = (char *)bad_urls[i - MER_COUNT(bad_ids)];
        assert_int_equal(router_news_take(&f->news, "eu", &f->message, 5, &changed), MER_EINVALID);
        assert_false(changed);
    }
    f->edge[1] = f->edge[0];
    f->message.n_edges = ROUTER_NEWS_EDGES + 1;
    assert_int_equal(router_news_take(&f->news, "eu", &f->message, 5, &changed), MER_EINVALID);
    f->message.n_edges = 0;
    assert_int_equal(router_news_take(&f->news, "e u", &f->message, 5, &changed), MER_EINVALID);
    assert_int_equal(router_news_take(&f->news, long_id, &f->message, 5, &changed), MER_EINVALID);
    expect(f, "eu eu-1=wss://1.eu.test/v1/ws");
}

static void the_longest_that_fits_is_taken_and_a_region_too_many_is_not(void **state)
{
    struct fix *f = *state;
    char id[ROUTER_NEWS_ID_BYTES], url[ROUTER_NEWS_URL_BYTES], name[16];
    bool changed = false;
    memset(id, 'a', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    memset(url, 'a', sizeof url - 1);
    url[sizeof url - 1] = '\0';
    memcpy(url, "ws://", 5);
    f->edge[0].id = id;
    f->edge[0].ws_url = url;
    for (int i = 0; i < ROUTER_NEWS_REGIONS; i++) {
        snprintf(name, sizeof name, "r%d", i);
        assert_true(take(f, name, ROUTER_NEWS_EDGES, 0));
    }
    assert_int_equal(router_news_take(&f->news, "more", &f->message, 0, &changed), MER_EBUSY);
    assert_false(changed);
    assert_false(take(f, "r0", ROUTER_NEWS_EDGES, 0));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void what_a_region_says_of_its_state_is_kept(void **state)
{
    struct fix *f = *state;
    RV1(NewsState) s = MERIDIAN__REGION__V1__NEWS_STATE__INIT;
    RV1(NewsDrain) d = MERIDIAN__REGION__V1__NEWS_DRAIN__INIT;
    s.leader = (char *)"eu-r1.aaaaa";
    s.players = 7;
    d.by = (char *)"ana";
    d.reason = (char *)"new racks";
    d.began_ms = 5;
    s.drain = &d;
    f->message.state = &s;
    f->message.open = 0;
    take(f, "eu", 0, 0);
    const struct router_news_region *r = router_news_of(&f->news, "eu");
    assert_true(r->stated && r->state.draining && r->state.players == 7);
    assert_string_equal(r->state.reason, "new racks");
    f->message.state = NULL; /* a leader that does not know yet: what held, holds */
    take(f, "eu", 0, 10);
    assert_true(router_news_of(&f->news, "eu")->state.draining);
    s.drain = NULL;
    f->message.state = &s;
    take(f, "eu", 0, 20);
    assert_false(router_news_of(&f->news, "eu")->state.draining);
    assert_null(router_news_of(&f->news, "asia"));
    router_news_forget(&f->news, "eu");
    f->message.state = NULL;
    take(f, "eu", 0, 30);
    assert_false(router_news_of(&f->news, "eu")->stated);
}

static void what_a_region_says_of_its_links_is_kept_within_bounds(void **state)
{
    struct fix *f = *state;
    RV1(NewsState) s = MERIDIAN__REGION__V1__NEWS_STATE__INIT;
    RV1(NewsLink) link[ROUTER_REGIONS_MAX + 1], *links[ROUTER_REGIONS_MAX + 1];
    const char *const bad[] = {"", "a b", "a\"", "\xc3\xa9", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    bool changed;
    for (size_t i = 0; i < MER_COUNT(link); i++) {
        link[i] = (RV1(NewsLink))MERIDIAN__REGION__V1__NEWS_LINK__INIT;
        link[i].region = (char *)"us";
        links[i] = &link[i];
    }
    link[0] = (RV1(NewsLink)){.base = link[0].base, .region = link[0].region, .up = 1, .rtt_us = 80, .queued = 2, .outbox = 3};
    s.leader = (char *)"eu-r1.aaaaa";
    s.links = links;
    s.n_links = ROUTER_REGIONS_MAX;
    s.has_matches_minute = true;
    s.matches_minute = 9;
    f->message.state = &s;
    take(f, "eu", 0, 0);
    const struct router_news_state *kept = &router_news_of(&f->news, "eu")->state;
    assert_int_equal(kept->link_count, ROUTER_REGIONS_MAX);
    assert_string_equal(kept->link[0].region, "us");
    assert_true(kept->link[0].up && kept->link[0].rtt_us == 80 && kept->link[0].queued == 2 && kept->link[0].outbox == 3);
    assert_true(kept->counted && kept->matches_minute == 9);
    s.n_links = ROUTER_REGIONS_MAX + 1;
    assert_int_equal(router_news_take(&f->news, "eu", &f->message, 0, &changed), MER_EINVALID);
    s.n_links = 2;
    for (size_t i = 0; i < MER_COUNT(bad); i++) {
        link[1].region = (char *)bad[i];
        assert_int_equal(router_news_take(&f->news, "eu", &f->message, 0, &changed), MER_EINVALID);
    }
    assert_int_equal(kept->link_count, ROUTER_REGIONS_MAX);
    s.n_links = 0; /* of a router that does not say */
    s.has_matches_minute = false;
    take(f, "eu", 0, 0);
    assert_int_equal(kept->link_count, 0);
    assert_false(kept->counted);
}

static void a_state_that_would_harm_who_reads_it_is_refused(void **state)
{
    static char long_text[300];
    struct fix *f = *state;
    RV1(NewsState) s = MERIDIAN__REGION__V1__NEWS_STATE__INIT;
    RV1(NewsDrain) d = MERIDIAN__REGION__V1__NEWS_DRAIN__INIT;
    memset(long_text, 'x', sizeof long_text - 1);
    const struct {
        const char *leader, *by, *reason;
        uint64_t over_ms;
    } cases[] = {
        {"", "ana", "x", 0},
        {"eu-r1", "ana", "x", 0},
        {"eu-r1.", "ana", "x", 0},
        {".a", "ana", "x", 0},
        {"eu r1.a", "ana", "x", 0},
        {"eu-r1.a.b", "ana", "x", 0},
        {long_text, "ana", "x", 0},
        {"eu-r1.a", "", "x", 0},
        {"eu-r1.a", long_text, "x", 0},
        {"eu-r1.a", "ana", "a\nb", 0},
        {"eu-r1.a", "ana", "\xff", 0},
        {"eu-r1.a", "ana", long_text, 0},
        {"eu-r1.a", "ana", "x", UINT64_MAX},
    };
    bool changed = false;
    f->message.state = &s;
    s.drain = &d;
    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        s.leader = (char *)cases[i].leader;
        d.by = (char *)cases[i].by;
        d.reason = (char *)cases[i].reason;
        d.over_ms = cases[i].over_ms;
        assert_int_equal(router_news_take(&f->news, "eu", &f->message, 5, &changed), MER_EINVALID);
    }
    assert_null(router_news_of(&f->news, "eu"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_said_is_listed_and_only_what_is_new_is_a_change),     CASE(who_is_silent_or_gone_is_forgotten),
        CASE(what_could_not_be_given_to_players_is_refused_whole),         CASE(what_a_region_says_of_its_state_is_kept),
        CASE(what_a_region_says_of_its_links_is_kept_within_bounds),       CASE(a_state_that_would_harm_who_reads_it_is_refused),
        CASE(the_longest_that_fits_is_taken_and_a_region_too_many_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
