/* SPDX-License-Identifier: Apache-2.0
 * Edges of two regions over routers that lose, repeat and refuse: names, lives, what is hostile. The links to the routers are replaced at
 * the link (edge_routers_send below): what an edge of one region sends arrives at the other in the next turn. */
#include "bus_fix.h"

#include "far_wire.h"

#include <meridian/trace.h>

struct far_fix {
    struct edge_routers routers[2];
    struct edge_far *far[2];
};

static struct far_fix ends;

static int setup_far(void **state)
{
    int err = setup(state, EDGE_BUS_LINKS);
    struct fix *f = *state;
    memset(&ends, 0, sizeof ends);
    for (int i = 0; i < 2; i++) {
        struct edge_routers *r = &ends.routers[i];
        struct edge_far_conf c = {&f->log, &f->metrics, r, i == 0 ? "eu" : "us"};
        r->loop = &f->loop;
        r->region = c.region;
        r->incarnation = i == 0 ? "a.1" : "b.1";
        r->other = &ends.routers[1 - i];
        assert_int_equal(edge_far_create(&ends.far[i], &c), MER_OK);
        edge_bus_use_far(i == 0 ? f->a.bus : f->b.bus, ends.far[i]);
    }
    return err;
}
static void go_wrong(int side, enum way way, unsigned times)
{
    ends.routers[side].way = way;
    ends.routers[side].times = times;
}

static int teardown_far(void **state)
{
    struct fix *f = *state;
    go_wrong(0, NO_LEADER, 1000);
    go_wrong(1, NO_LEADER, 1000);
    loop_run_for(&f->loop, 5);
    edge_bus_destroy(f->a.bus);
    edge_bus_destroy(f->b.bus);
    f->a.bus = f->b.bus = NULL;
    for (int i = 0; i < 2; i++)
        edge_far_destroy(ends.far[i]);
    return teardown(state);
}

/* ---- names --------------------------------------------------------------------------------------------------------------------------- */

static void names_are_the_sender_s_until_they_arrive(void **state)
{
    char out[EDGE_FAR_NAME_BYTES], longest[128];
    (void)state;
    assert_true(edge_far_name(out, "us/b.1", "c.2"));
    assert_string_equal(out, "us/c.2");
    assert_true(edge_far_name(out, "b.1", "c.2"));
    assert_string_equal(out, "c.2");
    assert_true(edge_far_name(out, "us/b.1", "asia/c.2"));
    assert_string_equal(out, "asia/c.2");
    memset(longest, 'x', sizeof longest);
    longest[EDGE_FAR_NAME_BYTES - 4] = 0;
    assert_true(edge_far_name(out, "us/b.1", longest));
    longest[EDGE_FAR_NAME_BYTES - 4] = 'x';
    longest[EDGE_FAR_NAME_BYTES - 3] = 0;
    assert_false(edge_far_name(out, "us/b.1", longest));
}

static void a_game_s_id_says_where_it_lies(void **state)
{
    static const struct {
        const char *game, *where;
    } row[] = {{"g-abc", NULL},
               {"eu.g-abc", NULL},
               {"us.g-abc", "us/"},
               {"u.g-abc", "u/"},
               {"eux.g-abc", "eux/"},
               {".g-abc", NULL},
               {"", NULL},
               {".", NULL},
               {"us.", "us/"},
               {"us.g.x", "us/"},
               {"a2345678901234567890123456789012.g", NULL}};
    char out[EDGE_FAR_NAME_BYTES];
    (void)state;
    for (size_t i = 0; i < MER_COUNT(row); i++) {
        bool far = edge_far_game(out, "eu", row[i].game);
        assert_int_equal(far, row[i].where != NULL);
        if (far)
            assert_string_equal(out, row[i].where);
    }
}

/* ---- lives --------------------------------------------------------------------------------------------------------------------------- */

static void what_is_said_arrives_in_order_and_is_answered(void **state)
{
    struct fix *f = *state;
    f->b.echo_to = f->b.bus;
    for (int i = 0; i < 50; i++)
        assert_int_equal(send_text(f->a.bus, "us/b.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.got == 50);
    assert_int_equal(f->b.got, 50);
    assert_string_equal(f->b.from, "eu/a.1");
    assert_string_equal(f->a.from, "us/b.1");
    assert_int_equal(f->a.downs + f->b.downs, 0);
    assert_int_equal(f->store.asked, 0);
}

static void a_trace_is_told_outside_of_the_body(void **state)
{
    struct fix *f = *state;
    Message m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    Meridian__Internal__V1__SessionReplace r = MERIDIAN__INTERNAL__V1__SESSION_REPLACE__INIT;
    uint8_t trace[MER_TRACE_BYTES] = {1};
    assert_int_equal(send_text(f->a.bus, "us/b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got == 1);
    r.session = (char *)"y";
    m.body_case = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_REPLACE;
    m.session_replace = &r;
    m.has_trace = true;
    m.trace = (ProtobufCBinaryData){sizeof trace, trace};
    assert_int_equal(edge_bus_send(f->a.bus, "us/b.1", &m), MER_OK);
    assert_int_equal(ends.routers[0].traced, 1);
    assert_int_equal(send_text(f->a.bus, "us/b.1", "z"), MER_OK);
    assert_int_equal(ends.routers[0].traced, 1);
    WAIT_FOR(f, f->b.got == 3);
    assert_int_equal(ends.routers[0].traced + ends.routers[1].traced, 1);
}

static void whatever_goes_wrong_ends_the_life_and_a_new_one_begins(void **state)
{
    static const enum way ways[] = {LOSES, REPEATS, UNSENT, REGION_UNSENT};
    struct fix *f = *state;
    for (size_t i = 0; i < MER_COUNT(ways); i++) {
        assert_int_equal(send_text(f->a.bus, "us/b.1", "x"), MER_OK);
        unsigned got = f->b.got, downs = f->a.downs + f->b.downs;
        WAIT_FOR(f, f->b.got > got);
        loop_run_for(&f->loop, 20);
        go_wrong(0, ways[i], 1);
        (void)!send_text(f->a.bus, "us/b.1", "wrong");
        (void)!send_text(f->a.bus, "us/b.1", "behind");
        WAIT_FOR(f, f->a.downs + f->b.downs > downs);
        assert_int_equal(f->a.dead + f->b.dead, 0);
        loop_run_for(&f->loop, 50);
    }
    unsigned got = f->b.got;
    assert_int_equal(send_text(f->a.bus, "us/b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got > got);
}

static void an_edge_that_does_not_answer_is_unreachable_and_not_dead(void **state)
{
    struct fix *f = *state;
    go_wrong(0, LOSES, 1000);
    assert_int_equal(send_text(f->a.bus, "us/b.1", "x"), MER_OK);
    loop_run_for(&f->loop, 5);
    f->skipped_us += MER_LINK_SILENCE_MS * 1000;
    WAIT_FOR(f, f->a.downs == 1);
    assert_int_equal(f->a.dead, 0);
    assert_int_equal(f->b.got, 0);
}

static void without_a_leader_nothing_is_lost_that_was_said_before_it_comes_back(void **state)
{
    struct fix *f = *state;
    go_wrong(0, NO_LEADER, 1);
    assert_int_equal(send_text(f->a.bus, "us/b.1", "x"), MER_OK);
    loop_run_for(&f->loop, 5);
    f->skipped_us += 500 * 1000;
    WAIT_FOR(f, f->b.got == 1); /* it knocks again */
}

static void a_word_about_another_edge_changes_nothing(void **state)
{
    struct fix *f = *state;
    assert_int_equal(send_text(f->a.bus, "us/b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got == 1);
    post_unsent(&ends.routers[0], "us", "c.9", false);
    post_unsent(&ends.routers[0], "u", NULL, false);
    post_unsent(&ends.routers[0], "usa", NULL, true);
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->a.downs, 0);
}

/* ---- what is hostile ----------------------------------------------------------------------------------------------------------------- */

static void what_is_no_message_changes_nothing(void **state)
{
    static const char text[] = "\xff\xff\xff not protobuf", empty[] = "";
    static char region[EDGE_FAR_REGION_MAX + 2], name[EDGE_FAR_INCARNATION_MAX + 2];
    struct fix *f = *state;
    memset(region, 'r', sizeof region - 1);
    memset(name, 'n', sizeof name - 1);
    assert_int_equal(send_text(f->a.bus, "us/b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got == 1);
    const struct {
        const char *region, *edge;
        const void *body;
        size_t len;
    } row[] = {
        {"us", "b.1", text, sizeof text},
        {"us", "b.1", empty, 0},
        {"us", NULL, empty, 0},
        {"us", "", empty, 0},
        {"", "b.1", empty, 0},
        {region, "b.1", empty, 0},
        {"us", name, empty, 0},
        {"us", "x/b.1", empty, 0},
        {"u/s", "b.1", empty, 0},
        {"us", "b.1", "\x0a\x02\x0a", 3},
        {"us", "b.1", "\x12\x00", 2},
    };
    for (size_t i = 0; i < MER_COUNT(row); i++)
        post_far(&ends.routers[0], row[i].region, row[i].edge, row[i].body, row[i].len);
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->a.downs, 0);
    assert_int_equal(f->a.got, 0);
}

static void who_bears_another_s_name_is_not_heard(void **state)
{
    struct fix *f = *state;
    assert_int_equal(send_text(f->a.bus, "us/b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got == 1);
    ends.routers[0].incarnation = "c.1"; /* its frames come as another's: of a life that b never heard of */
    (void)!send_text(f->a.bus, "us/b.1", "y");
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->b.got, 1);
}

static void names_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"", "/", "/b.1", "b.1", "r2345678901234567890123456789012/b.1"};
    IM(FarBody) m = MERIDIAN__INTERNAL__V1__FAR_BODY__INIT;
    (void)state;
    for (size_t i = 0; i < MER_COUNT(bad); i++)
        assert_int_equal(edge_far_send(ends.far[0], bad[i], &m, NULL), MER_EINVALID);
    assert_int_equal(ends.routers[0].sent, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_far, teardown_far)
    const struct CMUnitTest tests[] = {
        T(names_are_the_sender_s_until_they_arrive),
        T(a_game_s_id_says_where_it_lies),
        T(a_trace_is_told_outside_of_the_body),
        T(what_is_said_arrives_in_order_and_is_answered),
        T(whatever_goes_wrong_ends_the_life_and_a_new_one_begins),
        T(an_edge_that_does_not_answer_is_unreachable_and_not_dead),
        T(without_a_leader_nothing_is_lost_that_was_said_before_it_comes_back),
        T(a_word_about_another_edge_changes_nothing),
        T(what_is_no_message_changes_nothing),
        T(who_bears_another_s_name_is_not_heard),
        T(names_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
