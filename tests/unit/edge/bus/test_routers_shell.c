/* SPDX-License-Identifier: Apache-2.0
 * The edge's side of its routers, against two routers of the test: who is taken as leader, and whose instructions count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>

#include "edge/bus/routers.h"
#include "loop_run.h"

#define IM(x) Meridian__Internal__V1__##x
#define BODY(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

struct fake_router {
    struct mer_links *links;
    struct mer_link *edge; /* NULL: not linked */
    unsigned ups, reports, tickets;
};
struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct fake_router r[2];
    struct edge_routers *edge;
    const char *addresses[2];
    unsigned leaders, offers;
    uint64_t epoch;
};

static void router_up(void *ctx, struct mer_link *l, const struct mer_link_peer *who)
{
    (void)who;
    struct fake_router *r = ctx;
    r->edge = l;
    r->ups++;
}
static void router_down(void *ctx, struct mer_link *l, const char *why)
{
    struct fake_router *r = ctx;
    (void)why;
    if (r->edge == l)
        r->edge = NULL;
}
static void router_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    struct fake_router *r = ctx;
    (void)l;
    IM(RouterMessage) *m = meridian__internal__v1__router_message__unpack(NULL, len, payload);
    assert_non_null(m);
    r->reports += m->body_case == BODY(EDGE_REPORT);
    r->tickets += m->body_case == BODY(TICKET_CANCEL);
    if (m->body_case == BODY(EDGE_REPORT))
        assert_string_equal(m->edge_report->bus_address, "unix:/x");
    meridian__internal__v1__router_message__free_unpacked(m, NULL);
}
static const struct mer_link_cbs router_cbs = {router_up, router_message, router_down};

static void fill_report(void *ctx, IM(EdgeReport) * r)
{
    (void)ctx;
    r->bus_address = (char *)"unix:/x";
    r->host = (char *)"h";
}
static void on_leader(void *ctx, uint64_t epoch)
{
    struct fix *f = ctx;
    f->leaders++;
    f->epoch = epoch;
}
static void on_offer(void *ctx, const IM(RouterMessage) * m)
{
    (void)m;
    ((struct fix *)ctx)->offers++;
}

static void say(struct fake_router *r, const IM(RouterMessage) * m)
{
    uint8_t bytes[512];
    size_t n = meridian__internal__v1__router_message__pack(m, bytes);
    assert_int_equal(mer_link_send(r->edge, bytes, n), MER_OK);
}
static void say_role(struct fake_router *r, bool leader, uint64_t epoch)
{
    IM(RouterRole) role = MERIDIAN__INTERNAL__V1__ROUTER_ROLE__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    role.leader = leader;
    role.epoch = epoch;
    m.body_case = BODY(ROUTER_ROLE);
    m.router_role = &role;
    say(r, &m);
}
static void say_offer(struct fake_router *r, uint64_t epoch)
{
    IM(SeatOffer) o = MERIDIAN__INTERNAL__V1__SEAT_OFFER__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    o.router_epoch = epoch;
    o.ticket_id = o.match_id = o.owner = (char *)"x";
    m.body_case = BODY(SEAT_OFFER);
    m.seat_offer = &o;
    say(r, &m);
}
static enum mer_err cancel(struct fix *f)
{
    IM(TicketCancel) c = MERIDIAN__INTERNAL__V1__TICKET_CANCEL__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    c.ticket_id = (char *)"t";
    m.body_case = BODY(TICKET_CANCEL);
    m.ticket_cancel = &c;
    return edge_routers_send(f->edge, &m);
}

static int setup(void **state)
{
    static const char *const names[] = {"r1.a", "r2.a"};
    struct fix *f = calloc(1, sizeof *f);
    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY), MER_DEBUG, mer_clock_system());
    mer_metrics_init(&f->metrics);
    for (int i = 0; i < 2; i++) {
        struct mer_links_conf c = {.loop = &f->loop,
                                   .log = &f->log,
                                   .rng = mer_rng_system(),
                                   .metrics = &f->metrics,
                                   .cbs = &router_cbs,
                                   .ctx = &f->r[i],
                                   .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER,
                                   .region = "test",
                                   .id = names[i],
                                   .incarnation = names[i],
                                   .name = names[i]};
        struct mer_msg msg;
        assert_int_equal(mer_links_create(&f->r[i].links, &c), MER_OK);
        assert_int_equal(mer_links_listen(f->r[i].links, "127.0.0.1:0", &msg), MER_OK);
        f->addresses[i] = mer_links_address(f->r[i].links);
    }
    struct edge_routers_conf rc = {.loop = &f->loop,
                                   .log = &f->log,
                                   .rng = mer_rng_system(),
                                   .metrics = &f->metrics,
                                   .region = "test",
                                   .id = "e",
                                   .incarnation = "e.1",
                                   .addresses = f->addresses,
                                   .address_count = 2,
                                   .report = fill_report,
                                   .leader = on_leader,
                                   .ctx = f};
    assert_int_equal(edge_routers_create(&f->edge, &rc), MER_OK);
    edge_routers_on(f->edge, BODY(SEAT_OFFER), on_offer, f);
    WAIT_FOR(f, f->r[0].reports == 1 && f->r[1].reports == 1);
    *state = f;
    return 0;
}
static int teardown(void **state)
{
    struct fix *f = *state;
    edge_routers_destroy(f->edge);
    for (int i = 0; i < 2; i++)
        mer_links_destroy(f->r[i].links);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    free(f);
    return 0;
}

static void every_router_gets_reports_every_second(void **state)
{
    struct fix *f = *state;
    loop_run_for(&f->loop, 1200);
    assert_int_equal(f->r[0].reports, 2);
    assert_int_equal(f->r[1].reports, 2);
    edge_routers_report_now(f->edge);
    WAIT_FOR(f, f->r[0].reports == 3 && f->r[1].reports == 3);
}

static void messages_go_to_the_leader_only(void **state)
{
    struct fix *f = *state;
    assert_int_equal(cancel(f), MER_ECLOSED);
    say_role(&f->r[0], false, 0);
    say_role(&f->r[1], true, 5);
    WAIT_FOR(f, f->leaders == 1);
    assert_int_equal(f->epoch, 5);
    assert_int_equal(cancel(f), MER_OK);
    WAIT_FOR(f, f->r[1].tickets == 1);
    assert_int_equal(f->r[0].tickets, 0);
    say_role(&f->r[1], false, 0);
    WAIT_FOR(f, !edge_routers_have_leader(f->edge));
    assert_int_equal(cancel(f), MER_ECLOSED);
}

static void the_higher_epoch_leads_and_the_lower_one_is_refused(void **state)
{
    struct fix *f = *state;
    say_role(&f->r[0], true, 5);
    say_offer(&f->r[0], 5);
    WAIT_FOR(f, f->offers == 1);
    say_role(&f->r[1], true, 6); /* took over; the other one does not know yet */
    WAIT_FOR(f, f->leaders == 2);
    say_offer(&f->r[0], 5);
    say_role(&f->r[0], true, 5);
    say_offer(&f->r[0], 5);
    say_offer(&f->r[0], 6); /* not its own */
    say_offer(&f->r[1], 5); /* not its newest */
    say_offer(&f->r[1], 6);
    WAIT_FOR(f, f->offers == 2);
    loop_run_for(&f->loop, 20);
    assert_int_equal(f->offers, 2);
    assert_int_equal(f->leaders, 2);
}

static void two_leaders_of_one_epoch_are_one_too_many(void **state)
{
    struct fix *f = *state;
    say_role(&f->r[0], true, 5);
    WAIT_FOR(f, f->leaders == 1);
    say_role(&f->r[1], true, 5);
    say_offer(&f->r[1], 5);
    loop_run_for(&f->loop, 20);
    assert_int_equal(f->leaders + f->offers, 1);
}

static void a_leader_that_comes_back_is_handed_everything_again(void **state)
{
    struct fix *f = *state;
    say_role(&f->r[0], true, 5);
    WAIT_FOR(f, f->leaders == 1);
    mer_link_close(f->r[0].edge);
    WAIT_FOR(f, !edge_routers_have_leader(f->edge));
    WAIT_FOR(f, f->r[0].ups == 2);
    say_role(&f->r[0], true, 5);
    WAIT_FOR(f, f->leaders == 2);
}

static void a_message_that_is_none_costs_the_link_and_it_comes_back(void **state)
{
    struct fix *f = *state;
    assert_int_equal(mer_link_send(f->r[0].edge, "\xff\xff\xff", 3), MER_OK);
    WAIT_FOR(f, f->r[0].ups == 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_router_gets_reports_every_second),
        T(messages_go_to_the_leader_only),
        T(the_higher_epoch_leads_and_the_lower_one_is_refused),
        T(two_leaders_of_one_epoch_are_one_too_many),
        T(a_leader_that_comes_back_is_handed_everything_again),
        T(a_message_that_is_none_costs_the_link_and_it_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
