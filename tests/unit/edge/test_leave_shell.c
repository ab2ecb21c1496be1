/* SPDX-License-Identifier: Apache-2.0
 * How an edge leaves, between a router, players and games that are the test's: these functions stand before the product's at link time. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "edge/game/handover.h"
#include "edge/leave.h"
#include "edge/limits.h"
#include "edge/session/drain.h"
#include "edge/session/tickets.h"
#include "fake_loop.h"
#include "unit.h"

#define IM(x) Meridian__Internal__V1__##x
#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

static struct fix {
    struct edge_app app;
    struct fake_clock clock;
    struct edge_leave *leave;
    edge_routers_cb router[64];
    uint32_t games, sessions, connections;
    size_t targets;
    unsigned asked, drains;
    bool listening, refusing, stopped, undrained;
    char done[64]; /* what was done last of all, in order */
} * f;

static void note(const char *what)
{
    size_t n = strlen(f->done);
    snprintf(f->done + n, sizeof(f->done) - n, "%s ", what);
}

/* --- the world ------------------------------------------------------------------------------------------------------------------------ */

uint32_t edge_handover_left(const struct edge_handover *h)
{
    (void)h;
    return f->games;
}
void edge_handover_start(struct edge_handover *h, const char *const *targets, size_t count, uint32_t per_second)
{
    (void)h, (void)targets, (void)per_second;
    f->targets = count;
}
void edge_handover_stop(struct edge_handover *h)
{
    (void)h;
    f->targets = 0;
}
uint32_t edge_sessions_count(const struct edge_sessions *s)
{
    (void)s;
    return f->sessions;
}
void edge_sessions_close_all(struct edge_sessions *s, uint16_t code, const char *word, uint32_t spread_ms)
{
    (void)s, (void)code, (void)word, (void)spread_ms;
    note("players");
}
uint32_t edge_net_connections(const struct edge_net *n)
{
    (void)n;
    return f->connections;
}
void edge_tickets_end(struct edge_tickets *t)
{
    (void)t;
    note("tickets");
}
void edge_store_live_stop(struct edge_store *s)
{
    (void)s;
    note("key");
}
enum mer_err edge_drain_start(struct edge_drain **out, struct edge_app *app, uint32_t spread_ms)
{
    (void)app, (void)spread_ms;
    f->drains++;
    *out = NULL;
    return MER_OK;
}
void edge_drain_cancel(struct edge_drain *d)
{
    (void)d;
}
void edge_drain_destroy(struct edge_drain *d)
{
    (void)d;
}
enum mer_err edge_http_listen(struct edge_http *h, const char *address, SSL_CTX *tls, bool shared, struct mer_msg *msg)
{
    (void)h, (void)address, (void)tls, (void)shared, (void)msg;
    return MER_OK;
}
void edge_http_stop_listening(struct edge_http *h)
{
    (void)h;
    f->listening = false;
}
void edge_http_refuse_new(struct edge_http *h, bool refuse)
{
    (void)h;
    f->refusing = refuse;
}
void edge_routers_on(struct edge_routers *r, IM(RouterMessage__BodyCase) kind, edge_routers_cb cb, void *ctx)
{
    (void)r, (void)ctx;
    f->router[kind] = cb;
}
enum mer_err edge_routers_send(struct edge_routers *r, const IM(RouterMessage) * m)
{
    (void)r;
    f->asked += m->body_case == ROUTER(DRAIN_ASK);
    f->undrained = m->body_case == ROUTER(EDGE_UNDRAINED) && m->edge_undrained->done;
    return MER_OK;
}
void edge_routers_report_now(struct edge_routers *r)
{
    (void)r;
}
void mer_process_drain(struct mer_process *p)
{
    (void)p;
    edge_leave_start(f->leave);
}
bool mer_process_undrain(struct mer_process *p)
{
    (void)p;
    return true;
}
void mer_process_stop(struct mer_process *p)
{
    (void)p;
    f->stopped = true;
}

/* --- steps ------------------------------------------------------------------------------------------------------------------------------
 */

static void run_for(uint64_t ms)
{
    fake_loop_run_for(&f->app.loop, &f->clock, ms);
}

static void plan(size_t targets)
{
    static char *const names[] = {(char *)"e-2.x"};
    IM(DrainPlan) p = MERIDIAN__INTERNAL__V1__DRAIN_PLAN__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    p.targets = (char **)names;
    p.n_targets = targets;
    p.sessions_per_second = p.games_per_second = 100;
    m.drain_plan = &p;
    f->router[ROUTER(DRAIN_PLAN)](f->leave, &m);
}
/* The same answer every second. */
static void plans_for(uint64_t ms, size_t targets)
{
    for (uint64_t at = 0; at < ms; at += 1000) {
        plan(targets);
        run_for(1000);
    }
}

static void undrain(void)
{
    IM(EdgeUndrain) u = MERIDIAN__INTERNAL__V1__EDGE_UNDRAIN__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    u.by = u.reason = (char *)"x";
    m.edge_undrain = &u;
    f->router[ROUTER(EDGE_UNDRAIN)](f->leave, &m);
}

static int set_up(void **state)
{
    f = calloc(1, sizeof(*f));
    *state = f;
    struct mer_clock clock = fake_clock_init(&f->clock);
    assert_int_equal(mer_loop_init(&f->app.loop, clock), MER_OK);
    mer_log_init(&f->app.log, open("/dev/null", O_WRONLY | O_CLOEXEC), MER_ERROR, clock);
    f->app.conf.drain_deadline_ms = 60000;
    f->games = 3;
    f->sessions = f->connections = 2;
    f->listening = true;
    assert_int_equal(edge_leave_create(&f->leave, &f->app), MER_OK);
    return 0;
}

static int tear_down(void **state)
{
    edge_leave_destroy(f->leave);
    mer_loop_deinit(&f->app.loop);
    close(f->app.log.fd);
    free(*state);
    return 0;
}

/* --- tests ------------------------------------------------------------------------------------------------------------------------------
 */

static void tickets_end_while_their_players_can_be_told_and_the_key_goes_last(void **state)
{
    (void)state;
    edge_leave_start(f->leave);
    assert_false(f->listening);
    assert_true(f->refusing);
    plan(1);
    assert_int_equal(f->drains, 1);
    f->games = f->sessions = f->connections = 0;
    run_for(100);
    assert_string_equal(f->done, "tickets players key ");
    assert_false(f->stopped);
    run_for(400);
    assert_true(f->stopped);
    run_for(5000);
    assert_string_equal(f->done, "tickets players key "); /* once */
}

static void with_nobody_here_it_waits_for_no_plan(void **state)
{
    (void)state;
    f->games = f->sessions = f->connections = 0;
    edge_leave_start(f->leave);
    edge_leave_start(f->leave); /* said twice */
    assert_int_equal(f->asked, 1);
    run_for(100);
    assert_string_equal(f->done, "tickets players key ");
}

static void without_a_leader_players_go_and_games_are_left_to_who_claims_them(void **state)
{
    (void)state;
    edge_leave_start(f->leave);
    run_for(1900);
    assert_int_equal(f->drains, 0);
    run_for(200);
    assert_int_equal(f->drains, 1);
    f->connections = 0;
    run_for(100);
    assert_string_equal(f->done, "tickets players key ");
}

static void games_that_nobody_takes_are_not_waited_for(void **state)
{
    (void)state;
    edge_leave_start(f->leave);
    plan(1);
    f->sessions = f->connections = 0;
    plans_for(2000, 1);
    assert_string_equal(f->done, "");
    plans_for(1000, 0);
    assert_string_equal(f->done, "tickets players key ");
}

static void sessions_that_nobody_asked_for_yet_are_kept_for_a_while(void **state)
{
    (void)state;
    edge_leave_start(f->leave);
    plan(1);
    f->games = f->connections = 0;
    run_for(4900);
    assert_string_equal(f->done, "");
    f->connections = 1; /* somebody was still connecting */
    run_for(1000);
    f->connections = 0;
    run_for(4900);
    assert_string_equal(f->done, "");
    run_for(300);
    assert_string_equal(f->done, "tickets players key ");
}

static void what_is_left_at_the_deadline_is_left(void **state)
{
    (void)state;
    edge_leave_start(f->leave);
    plans_for(59000, 1);
    assert_string_equal(f->done, "");
    plans_for(2000, 1);
    assert_string_equal(f->done, "tickets players key ");
}

static void taken_back_it_ends_nothing_and_can_leave_again(void **state)
{
    (void)state;
    edge_leave_start(f->leave);
    plan(1);
    undrain();
    assert_true(f->undrained);
    assert_false(f->refusing);
    f->games = f->sessions = f->connections = 0;
    run_for(70000);
    assert_string_equal(f->done, "");
    f->games = 1;
    edge_leave_start(f->leave);
    run_for(1000);
    assert_string_equal(f->done, "");
    plan(1);
    f->games = 0;
    run_for(100);
    assert_string_equal(f->done, "tickets players key ");
    undrain(); /* too late */
    assert_false(f->undrained);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(tickets_end_while_their_players_can_be_told_and_the_key_goes_last),
        TEST(with_nobody_here_it_waits_for_no_plan),
        TEST(without_a_leader_players_go_and_games_are_left_to_who_claims_them),
        TEST(games_that_nobody_takes_are_not_waited_for),
        TEST(sessions_that_nobody_asked_for_yet_are_kept_for_a_while),
        TEST(what_is_left_at_the_deadline_is_left),
        TEST(taken_back_it_ends_nothing_and_can_leave_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
