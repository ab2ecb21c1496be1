/* SPDX-License-Identifier: Apache-2.0
 * Orders of operators: journalled before they are done, planned again when they are, and finished once. Redis, links and the other parts of
 * the control listener are the test's: these functions stand before the product's at link time. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "region-router/control_private.h"
#include "region-router/journal_shell.h"
#include "region-router/region_view.h"

#define IM(x) Meridian__Internal__V1__##x
#define TO_EDGE(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum { SAVED = 20, EDGES = 2 };

static struct fix {
    struct router_app app;
    struct router_control control;
    struct router_edge edge[EDGES];
    bool leads;
    /* what waits for Redis, in the order it was asked */
    struct {
        router_journal_cb cb;
        void *ctx;
    } reading[SAVED];
    struct {
        router_note_cb cb;
        void *ctx;
    } noting[SAVED], setting;
    unsigned reads, notes, sets, told_edges;
    uint64_t noted_number[SAVED], undrain_order;
    char result[512]; /* of the last entry */
    unsigned answers;
    uint64_t answer_id;
    CV1(AnswerCode) code;
    char why[512];
} * f;

static int link_a, link_b;
#define LINK_A ((struct mer_link *)&link_a)
#define LINK_B ((struct mer_link *)&link_b)

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

uint64_t router__lead_epoch(const struct router_app *app)
{
    (void)app;
    return f->leads ? 5 : 0;
}
size_t router_region_views(struct router_app *app, struct router_region_view *out)
{
    const struct router_region_drain *d = &app->region_life.drain;
    out[0] = (struct router_region_view){.name = "eu", .drain_by = d->on ? d->by : NULL};
    out[1] = (struct router_region_view){.name = "us", .mode = MERIDIAN__CONTROL__V1__REGION_MODE__REGION_MODE_ACTIVE};
    return 2;
}
enum mer_err router_journal_read(struct router_app *app, router_journal_cb cb, void *ctx)
{
    (void)app;
    f->reading[f->reads].cb = cb;
    f->reading[f->reads++].ctx = ctx;
    return MER_OK;
}
enum mer_err router_journal_note(struct router_app *app, const Meridian__State__V1__JournalEntry *e, router_note_cb cb, void *ctx)
{
    (void)app;
    snprintf(f->result, sizeof f->result, "%s", e->result);
    if (cb == NULL)
        return MER_OK;
    f->noted_number[f->notes] = e->number;
    f->noting[f->notes].cb = cb;
    f->noting[f->notes++].ctx = ctx;
    return MER_OK;
}
enum mer_err router_region_life_set(struct router_region_life *r, const struct router_region_drain *d, router_note_cb cb, void *ctx)
{
    (void)r, (void)d;
    f->sets++;
    f->setting.cb = cb;
    f->setting.ctx = ctx;
    return MER_OK;
}
void router_edges_send(struct router_edges *es, struct mer_link *l, const IM(RouterMessage) * m)
{
    (void)es, (void)l;
    f->told_edges++;
    if (m->body_case == TO_EDGE(EDGE_UNDRAIN))
        f->undrain_order = m->edge_undrain->order;
}
void router_edges_list_changed(struct router_edges *es)
{
    (void)es;
}
void router__control_answer(struct router_control *c, struct mer_link *l, CV1(Answer) * a)
{
    (void)c;
    assert_non_null(l);
    f->answers++;
    f->answer_id = a->id;
    f->code = a->code;
    snprintf(f->why, sizeof f->why, "%s", a->why);
}
void mer_link_who(const struct mer_link *l, char *out, size_t size)
{
    (void)l;
    snprintf(out, size, "uid 1000");
}

static int set_up(void **state)
{
    f = calloc(1, sizeof *f);
    *state = f;
    f->leads = true;
    f->app.conf.region = (char *)"eu";
    f->app.clock = mer_clock_system();
    f->app.region_life.known = true;
    assert_int_equal(mer_loop_init(&f->app.loop, f->app.clock), 0);
    mer_log_init(&f->app.log, open("/dev/null", O_WRONLY), MER_DEBUG, f->app.clock);
    mer_list_init(&f->app.edges.edges);
    for (int i = 0; i < EDGES; i++) {
        snprintf(f->edge[i].id, sizeof f->edge[i].id, "eu-%d", i + 1);
        snprintf(f->edge[i].incarnation, sizeof f->edge[i].incarnation, "eu-%d.x", i + 1);
        f->edge[i].reported = true;
        f->edge[i].max_connections = 10;
        f->edge[i].reported_ms = f->app.loop.now_ms;
        mer_list_push_back(&f->app.edges.edges, &f->edge[i].node);
    }
    f->control.app = &f->app;
    mer_list_init(&f->control.orders);
    return 0;
}
static int tear_down(void **state)
{
    router__control_orders_drop(&f->control);
    assert_int_equal(f->control.order_count, 0);
    mer_loop_deinit(&f->app.loop);
    close(f->app.log.fd);
    free(*state);
    return 0;
}

static void order(struct mer_link *l, uint64_t id, int kind, const char *target, bool dry_run)
{
    CV1(Ask) ask = MERIDIAN__CONTROL__V1__ASK__INIT;
    CV1(DrainEdge) drain = MERIDIAN__CONTROL__V1__DRAIN_EDGE__INIT;
    CV1(UndrainEdge) undrain = MERIDIAN__CONTROL__V1__UNDRAIN_EDGE__INIT;
    CV1(DrainRegion) region = MERIDIAN__CONTROL__V1__DRAIN_REGION__INIT;
    ask.id = id;
    ask.by = (char *)"ana";
    ask.reason = (char *)"racks";
    ask.has_dry_run = ask.dry_run = dry_run;
    ask.body_case = (CV1(Ask__BodyCase))kind;
    drain.edge = undrain.edge = region.region = (char *)target;
    if (kind == ASK(DRAIN_EDGE))
        ask.drain_edge = &drain;
    else if (kind == ASK(UNDRAIN_EDGE))
        ask.undrain_edge = &undrain;
    else
        ask.drain_region = &region;
    router__control_order(&f->control, l, &ask);
}

/* Redis gives the page that the i-th reader asked for: `last` is its highest number. */
static void page(unsigned i, enum mer_err err, uint64_t last)
{
    struct router_journal_page p = {.last = last};
    assert_in_range(i, 0, f->reads - 1);
    f->reading[i].cb(f->reading[i].ctx, err, &p);
}
static void noted(unsigned i, enum mer_err err)
{
    assert_in_range(i, 0, f->notes - 1);
    f->noting[i].cb(f->noting[i].ctx, err);
}

static void assert_answered(unsigned answers, uint64_t id, CV1(AnswerCode) code, const char *why)
{
    assert_int_equal(f->answers, answers);
    assert_int_equal(f->answer_id, id);
    assert_int_equal(f->code, code);
    if (strstr(f->why, why) == NULL)
        fail_msg("\"%s\" has no \"%s\"", f->why, why);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void an_order_is_journalled_then_done_then_answered(void **state)
{
    (void)state;
    order(LINK_A, 1, ASK(DRAIN_EDGE), "eu-1", false);
    page(0, MER_OK, 41);
    assert_int_equal(f->noted_number[0], 42);
    assert_string_equal(f->result, "");
    assert_int_equal(f->told_edges, 0);
    noted(0, MER_OK);
    assert_int_equal(f->told_edges, 1);
    assert_answered(1, 1, CODE(OK), "drains: eu-1.x");
    assert_non_null(strstr(f->result, "drains: eu-1.x"));
    assert_int_equal(f->control.values[ROUTER_CONTROL_DONE], 1);
}

static void two_drains_at_once_leave_one_edge_to_take_the_players(void **state)
{
    (void)state;
    order(LINK_A, 1, ASK(DRAIN_EDGE), "eu-1", false);
    order(LINK_B, 2, ASK(DRAIN_EDGE), "eu-2", false);
    page(0, MER_OK, 41);
    page(1, MER_OK, 41); /* the same page: the first one's entry was not there yet */
    assert_int_equal(f->noted_number[0], 42);
    assert_int_equal(f->noted_number[1], 43);
    noted(0, MER_OK);
    assert_answered(1, 1, CODE(OK), "drains: eu-1.x");
    noted(1, MER_OK);
    assert_answered(2, 2, CODE(REFUSED), "no other edge");
    assert_int_equal(f->told_edges, 1);
    assert_true(f->edge[0].draining && !f->edge[1].draining);
    assert_non_null(strstr(f->result, "failed: no other edge")); /* in the journal, too */
}

static void the_same_drain_twice_is_done_once(void **state)
{
    (void)state;
    order(LINK_A, 1, ASK(DRAIN_EDGE), "eu-1", false);
    order(LINK_B, 2, ASK(DRAIN_EDGE), "eu-1", false);
    page(0, MER_OK, 0);
    page(1, MER_OK, 0);
    noted(0, MER_OK);
    noted(1, MER_OK);
    assert_int_equal(f->told_edges, 1);
    assert_answered(2, 2, CODE(OK), "it drains already");
}

static void what_cannot_be_journalled_is_not_done(void **state)
{
    (void)state;
    order(LINK_A, 1, ASK(DRAIN_EDGE), "eu-1", false);
    page(0, MER_ETIMEOUT, 0);
    assert_answered(1, 1, CODE(UNAVAILABLE), "nothing was done");
    order(LINK_A, 2, ASK(DRAIN_EDGE), "eu-1", false);
    page(1, MER_OK, 0);
    noted(0, MER_ETIMEOUT);
    assert_answered(2, 2, CODE(UNAVAILABLE), "nothing was done");
    order(LINK_A, 3, ASK(DRAIN_EDGE), "eu-1", false);
    page(2, MER_OK, 0);
    noted(1, MER_EFENCED);
    assert_answered(3, 3, CODE(NOT_LEADER), "nothing was done");
    assert_int_equal(f->told_edges, 0);
    assert_int_equal(f->control.values[ROUTER_CONTROL_FAILED], 3);
}

static void a_dry_run_and_a_refusal_touch_nothing(void **state)
{
    (void)state;
    order(LINK_A, 1, ASK(DRAIN_EDGE), "eu-1", true);
    assert_answered(1, 1, CODE(OK), "would drain eu-1.x");
    order(LINK_A, 2, ASK(DRAIN_EDGE), "eu-9", false);
    assert_answered(2, 2, CODE(NOT_FOUND), "no such edge");
    order(LINK_A, 3, ASK(UNDRAIN_EDGE), "eu-1", false);
    assert_answered(3, 3, CODE(OK), "it does not drain");
    f->leads = false;
    order(LINK_A, 4, ASK(DRAIN_EDGE), "eu-1", false);
    assert_answered(4, 4, CODE(NOT_LEADER), "leader");
    assert_int_equal(f->reads + f->notes + f->told_edges, 0);
}

static void an_edge_is_asked_to_stay_and_its_own_answer_counts(void **state)
{
    IM(EdgeUndrained) u = MERIDIAN__INTERNAL__V1__EDGE_UNDRAINED__INIT;
    (void)state;
    f->edge[0].draining = true;
    order(LINK_A, 1, ASK(UNDRAIN_EDGE), "eu-1", false);
    page(0, MER_OK, 6);
    noted(0, MER_OK);
    assert_int_equal(f->undrain_order, 7);
    u.order = 7;
    u.why = (char *)"too late";
    router_control_undrained(&f->control, &f->edge[1], &u); /* another edge */
    u.order = 6;
    router_control_undrained(&f->control, &f->edge[0], &u); /* another order */
    assert_int_equal(f->answers, 0);
    u.order = 7;
    router_control_undrained(&f->control, &f->edge[0], &u);
    assert_answered(1, 1, CODE(REFUSED), "too late");
    router_control_undrained(&f->control, &f->edge[0], &u); /* said twice */
    order(LINK_A, 2, ASK(UNDRAIN_EDGE), "eu-1", false);
    page(1, MER_OK, 6);
    noted(1, MER_OK);
    mer_wheel_advance(&f->app.loop.wheel, f->app.loop.now_ms + 1999, 8);
    assert_int_equal(f->answers, 1);
    mer_wheel_advance(&f->app.loop.wheel, f->app.loop.now_ms + 2010, 8);
    assert_answered(2, 2, CODE(UNAVAILABLE), "did not answer");
}

static void a_drain_of_the_region_says_what_became_of_it(void **state)
{
    static const struct {
        enum mer_err err;
        CV1(AnswerCode) code;
        const char *why;
    } rows[] = {
        {MER_OK, CODE(OK), "drains: new players go elsewhere"},
        {MER_EFENCED, CODE(NOT_LEADER), "nothing was done"},
        {MER_ETIMEOUT, CODE(UNAVAILABLE), "did not confirm"},
    };
    (void)state;
    for (unsigned i = 0; i < MER_COUNT(rows); i++) {
        order(LINK_A, i, ASK(DRAIN_REGION), "eu", false);
        page(i, MER_OK, i);
        noted(i, MER_OK);
        assert_int_equal(f->sets, i + 1);
        f->setting.cb(f->setting.ctx, rows[i].err);
        assert_answered(i + 1, i, rows[i].code, rows[i].why);
    }
}

static void who_asked_may_be_gone_by_the_end(void **state)
{
    (void)state;
    order(LINK_A, 1, ASK(DRAIN_EDGE), "eu-1", false);
    router__control_orders_gone(&f->control, LINK_A);
    page(0, MER_OK, 0);
    noted(0, MER_OK);
    assert_int_equal(f->told_edges, 1);
    assert_int_equal(f->answers, 0);
    assert_non_null(strstr(f->result, "drains: eu-1.x")); /* the journal has it */
}

static void orders_are_bounded(void **state)
{
    unsigned taken = 0;
    (void)state;
    for (; f->answers == 0; taken++)
        order(LINK_A, taken, ASK(DRAIN_EDGE), "eu-1", false);
    assert_int_equal(taken, 17);
    assert_answered(1, 16, CODE(UNAVAILABLE), "too many");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_order_is_journalled_then_done_then_answered),
        TEST(two_drains_at_once_leave_one_edge_to_take_the_players),
        TEST(the_same_drain_twice_is_done_once),
        TEST(what_cannot_be_journalled_is_not_done),
        TEST(a_dry_run_and_a_refusal_touch_nothing),
        TEST(an_edge_is_asked_to_stay_and_its_own_answer_counts),
        TEST(a_drain_of_the_region_says_what_became_of_it),
        TEST(who_asked_may_be_gone_by_the_end),
        TEST(orders_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
