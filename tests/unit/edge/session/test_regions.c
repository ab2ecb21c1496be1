/* SPDX-License-Identifier: Apache-2.0
 * The list a player falls back on: which rows are taken, and what comes out of configuration and leader together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "edge/session/regions.h"

#define IN(x) Meridian__Internal__V1__##x

static void only_a_name_and_an_origin_are_a_row(void **state)
{
    (void)state;
    static const struct {
        const char *row, *name, *url;
    } good[] = {
        {"eu https://eu.play.test", "eu", "https://eu.play.test"},
        {"us-east http://127.0.0.1:7350/", "us-east", "http://127.0.0.1:7350/"},
        {"a https://[2001:db8::1]:443", "a", "https://[2001:db8::1]:443"},
    };
    static const char *const bad[] = {"",
                                      "eu",
                                      "eu ",
                                      " https://x",
                                      "eu https://",
                                      "eu http:///x",
                                      "eu ftp://x",
                                      "eu wss://x",
                                      "eu  https://x",
                                      "eu https://x y",
                                      "eu https://x/path",
                                      "eu https://x?a",
                                      "eu https://x//",
                                      "eu https://x\"y",
                                      "e\"u https://x",
                                      "e\xc3\xbc https://x",
                                      "a-name-that-is-longer-than-31-bytes https://x"};
    char name[32];
    const char *url;
    for (size_t i = 0; i < MER_COUNT(good); i++) {
        assert_true(edge_regions_row(good[i].row, name, &url));
        assert_string_equal(name, good[i].name);
        assert_string_equal(url, good[i].url);
    }
    for (size_t i = 0; i < MER_COUNT(bad); i++)
        if (edge_regions_row(bad[i], name, &url))
            fail_msg("taken: \"%s\"", bad[i]);
    char longest[400] = "eu https://";
    memset(longest + 11, 'x', EDGE_REGION_URL_MAX - 8);
    longest[11 + EDGE_REGION_URL_MAX - 8] = '\0';
    assert_true(edge_regions_row(longest, name, &url));
    strcat(longest, "x");
    assert_false(edge_regions_row(longest, name, &url));
}

struct fix {
    struct edge_regions r;
    struct mer_strs rows;
    char *row[4];
};

static void expect(struct fix *x, const char *list)
{
    struct mer_buf out;
    char wanted[2048];
    mer_buf_init(&out, 0);
    assert_int_equal(edge_regions_write(&x->r, 5000, &out), MER_OK);
    assert_int_equal(mer_buf_append(&out, "", 1), MER_OK);
    snprintf(wanted, sizeof wanted, "{\"regions\":[%s],\"expiresAtMs\":5000}", list);
    for (char *c = wanted; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    assert_string_equal((const char *)out.data, wanted);
    mer_buf_deinit(&out);
}

static int setup(void **state)
{
    static struct fix x;
    static char us[] = "us-east https://us.test", eu[] = "eu https://eu.test/", asia[] = "asia http://asia.test:81";
    x = (struct fix){.row = {us, eu, asia}};
    x.rows = (struct mer_strs){x.row, 3};
    edge_regions_init(&x.r, "us-east", &x.rows);
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    edge_regions_deinit(&((struct fix *)*state)->r);
    return 0;
}

#define US "{'name':'us-east','edges':[{'id':'us-east','ws':'wss://us.test/v1/ws'}]}"
#define EU "{'name':'eu','edges':[{'id':'eu','ws':'wss://eu.test/v1/ws'}]}"
#define ASIA "{'name':'asia','edges':[{'id':'asia','ws':'ws://asia.test:81/v1/ws'}]}"

static void before_the_leader_spoke_it_is_the_configuration(void **state)
{
    struct fix *x = *state;
    expect(x, US "," EU "," ASIA);
    x->rows.count = 0;
    expect(x, "{'name':'us-east','edges':[]}");
}

static void our_region_is_first_wherever_it_is_written(void **state)
{
    struct fix *x = *state;
    x->r.own = "asia";
    expect(x, ASIA "," US "," EU);
}

static IN(ListedEdge) edges[3];
static IN(ListedEdge) * edge_ptr[3];
static IN(ListedRegion) regions[3];
static IN(ListedRegion) * region_ptr[3];

static void tell(struct fix *x, size_t own, size_t others)
{
    IN(EdgeList) list = MERIDIAN__INTERNAL__V1__EDGE_LIST__INIT;
    list.router_epoch = 1;
    list.n_edges = own;
    list.edges = edge_ptr;
    list.n_regions = others;
    list.regions = region_ptr;
    assert_int_equal(edge_regions_tell(&x->r, &list), MER_OK);
}

static void edge(size_t i, char *id, char *ws)
{
    edges[i] = (IN(ListedEdge))MERIDIAN__INTERNAL__V1__LISTED_EDGE__INIT;
    edges[i].id = id;
    edges[i].ws_url = ws;
    edge_ptr[i] = &edges[i];
}

static void region(size_t i, char *name, bool open, size_t first, size_t count)
{
    regions[i] = (IN(ListedRegion))MERIDIAN__INTERNAL__V1__LISTED_REGION__INIT;
    regions[i].name = name;
    regions[i].open = open;
    regions[i].edges = edge_ptr + first;
    regions[i].n_edges = count;
    region_ptr[i] = &regions[i];
}

static void living_edges_stand_before_the_shared_address(void **state)
{
    static char one[] = "us-1", ws_one[] = "wss://1.us.test/v1/ws", odd[] = "e\"1", ws_odd[] = "wss://e.test/", eu[] = "eu";
    struct fix *x = *state;
    edge(0, one, ws_one);
    edge(1, odd, ws_odd);
    region(0, eu, true, 1, 1);
    tell(x, 1, 1);
    expect(x, "{'name':'us-east','edges':[{'id':'us-1','ws':'wss://1.us.test/v1/ws'},{'id':'us-east','ws':'wss://us.test/v1/ws'}]},"
              "{'name':'eu','edges':[{'id':'e\\'1','ws':'wss://e.test/'},{'id':'eu','ws':'wss://eu.test/v1/ws'}]}," ASIA);
    tell(x, 0, 0);
    expect(x, US "," EU "," ASIA);
}

static void a_region_that_takes_nobody_is_last_and_without_edges(void **state)
{
    static char one[] = "eu-1", ws_one[] = "wss://1.eu.test/v1/ws", eu[] = "eu", us[] = "us-east";
    struct fix *x = *state;
    edge(0, one, ws_one);
    region(0, eu, false, 0, 1);
    region(1, us, false, 0, 0); /* whatever others said of us, we are here */
    tell(x, 0, 2);
    expect(x, US "," ASIA ",{'name':'eu','edges':[]}");
}

static void a_region_that_only_the_leader_knows_is_listed_while_it_has_edges(void **state)
{
    static char one[] = "mars-1", ws_one[] = "wss://1.mars.test/v1/ws", mars[] = "mars", moon[] = "moon";
    struct fix *x = *state;
    edge(0, one, ws_one);
    region(0, mars, true, 0, 1);
    region(1, moon, true, 0, 0);
    tell(x, 0, 2);
    expect(x, US "," EU "," ASIA ",{'name':'mars','edges':[{'id':'mars-1','ws':'wss://1.mars.test/v1/ws'}]}");
}

static void what_is_no_text_is_not_written(void **state)
{
    static char bad[] = "\xff", ws[] = "wss://x/";
    struct fix *x = *state;
    struct mer_buf out;
    edge(0, bad, ws);
    tell(x, 1, 0);
    mer_buf_init(&out, 0);
    assert_int_equal(edge_regions_write(&x->r, 1, &out), MER_EINVALID);
    mer_buf_deinit(&out);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_name_and_an_origin_are_a_row),
        CASE(before_the_leader_spoke_it_is_the_configuration),
        CASE(our_region_is_first_wherever_it_is_written),
        CASE(living_edges_stand_before_the_shared_address),
        CASE(a_region_that_takes_nobody_is_last_and_without_edges),
        CASE(a_region_that_only_the_leader_knows_is_listed_while_it_has_edges),
        CASE(what_is_no_text_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
