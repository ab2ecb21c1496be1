/* SPDX-License-Identifier: Apache-2.0
 * Who leads where, who is talked and listened to: a mesh on plain links. */
#include "mesh_fix.h"

static int setup(void **state)
{
    struct fix *f = fix_new();
    f->app.conf.mesh_plain = true;
    start(f);
    peer_open(f, &f->a, "eu", MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER, "eu-r1.x");
    peer_open(f, &f->b, "eu", MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER, "eu-r2.x");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fix_free(*state);
    return 0;
}

static void lead(struct fix *f, bool leading)
{
    f->app.leading = leading;
    router_mesh_tell_role(f->app.mesh);
}

static void both_up(struct fix *f)
{
    peer_dial(f, &f->a);
    peer_dial(f, &f->b);
    WAIT_FOR(f, f->a.link != NULL && f->b.link != NULL && f->a.messages > 0 && f->b.messages > 0);
}

static const struct router_mesh_region *eu(struct fix *f)
{
    size_t n;
    const struct router_mesh_region *r = router_mesh_regions(f->app.mesh, &n);
    assert_int_equal(n, 2);
    assert_string_equal(r[0].name, "eu");
    assert_string_equal(r[1].name, "asia");
    return &r[0];
}

static enum mer_err send_role(struct fix *f, const char *region)
{
    RV1(RegionRole) role = MERIDIAN__REGION__V1__REGION_ROLE__INIT;
    RV1(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    m.body_case = MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_REGION_ROLE;
    m.region_role = &role;
    return router_mesh_send(f->app.mesh, region, &m);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void a_region_is_up_when_both_its_leader_and_we_lead(void **state)
{
    struct fix *f = *state;
    lead(f, true);
    both_up(f);
    assert_true(f->a.told_leader);
    assert_int_equal(f->a.told_epoch, 7);
    assert_int_equal(send_role(f, "eu"), MER_ECLOSED);
    say_role(&f->a, true, 5);
    WAIT_FOR(f, f->up);
    assert_string_equal(f->region, "eu");
    assert_int_equal(eu(f)->links, 2);
    assert_true(eu(f)->up);
    WAIT_FOR(f, eu(f)->rtt_us > 0);
    unsigned a = f->a.messages, b = f->b.messages;
    assert_int_equal(send_role(f, "eu"), MER_OK);
    WAIT_FOR(f, f->a.messages == a + 1);
    assert_int_equal(f->b.messages, b); /* the leader alone */
    assert_int_equal(send_role(f, "asia"), MER_ECLOSED);
    assert_int_equal(send_role(f, "mars"), MER_ENOTFOUND);
}

static void losing_our_own_lead_takes_every_region_down_and_is_said(void **state)
{
    struct fix *f = *state;
    both_up(f);
    assert_false(f->a.told_leader);
    say_role(&f->a, true, 5);
    WAIT_FOR(f, eu(f)->up);
    assert_int_equal(f->ups, 0); /* nobody may talk: we do not lead */
    assert_int_equal(send_role(f, "eu"), MER_ECLOSED);
    lead(f, true);
    assert_int_equal(f->ups, 1);
    lead(f, false);
    assert_int_equal(f->downs, 1);
    assert_int_equal(send_role(f, "eu"), MER_ECLOSED);
    WAIT_FOR(f, f->b.messages == 3 && !f->b.told_leader);
}

static void the_link_to_the_leader_going_down_takes_its_region_down(void **state)
{
    struct fix *f = *state;
    lead(f, true);
    both_up(f);
    say_role(&f->a, true, 5);
    WAIT_FOR(f, f->up);
    mer_link_close(f->b.link);
    WAIT_FOR(f, eu(f)->links == 1);
    assert_true(f->up);
    mer_link_close(f->a.link);
    WAIT_FOR(f, f->downs == 1);
    assert_int_equal(eu(f)->links, 0);
    assert_int_equal(eu(f)->rtt_us, 0);
}

/* Every kind of what was before, and every thing that a router may say of itself. Epochs: 5 is what was known. */
enum before { NOBODY_YET, A_LEADS, A_LEFT, A_LEFT_LONG_AGO, BEFORES };
enum after { NOBODY, A_5, A_6, A_4, B_5, B_6, B_4, STATES, REFUSED = 0x10 /* and it was counted that the claim was not believed */ };
static const struct cell {
    const char *what;
    bool b, leader;
    uint64_t epoch;
    uint8_t after[BEFORES];
} cells[] = {
    /*                               NOBODY_YET  A_LEADS        A_LEFT            A_LEFT_LONG_AGO */
    {"a leads again", false, true, 5, {A_5, A_5, A_5, A_5}},
    {"a leads in a new term", false, true, 6, {A_6, A_6, A_6, A_6}},
    {"a leads in an old term", false, true, 4, {A_4, REFUSED | NOBODY, REFUSED | NOBODY, A_4}},
    {"a does not lead", false, false, 0, {NOBODY, NOBODY, NOBODY, NOBODY}},
    {"b leads in the same term", true, true, 5, {B_5, REFUSED | A_5, B_5, B_5}},
    {"b leads in a new term", true, true, 6, {B_6, B_6, B_6, B_6}},
    {"b leads in an old term", true, true, 4, {B_4, REFUSED | A_5, REFUSED | NOBODY, B_4}},
    {"b does not lead", true, false, 0, {NOBODY, A_5, NOBODY, NOBODY}},
};

static void prepare(struct fix *f, enum before before)
{
    if (before == NOBODY_YET)
        return;
    say_role(&f->a, true, 5);
    WAIT_FOR(f, f->up);
    if (before == A_LEADS)
        return;
    say_role(&f->a, false, 0);
    WAIT_FOR(f, !f->up);
    if (before == A_LEFT_LONG_AGO) {
        f->offset_us += (uint64_t)ROUTER_MESH_FORGET_MS * 1000;
        loop_run_for(&f->app.loop, 5); /* the loop has to see it, before the next message */
    }
}

static uint64_t received(struct fix *f)
{
    return metric_value(&f->app.metrics, "meridian_link_mesh_messages_received_total");
}

static void assert_leader(struct fix *f, const char *what, enum after want)
{
    static const char *const leads[STATES] = {"\"\",",
                                              "eu-r1.x\",\"epoch\":5,",
                                              "eu-r1.x\",\"epoch\":6,",
                                              "eu-r1.x\",\"epoch\":4,",
                                              "eu-r2.x\",\"epoch\":5,",
                                              "eu-r2.x\",\"epoch\":6,",
                                              "eu-r2.x\",\"epoch\":4,"};
    struct mer_buf text;
    mer_buf_init(&text, 0);
    assert_int_equal(router_mesh_status(f->app.mesh, &text), MER_OK);
    assert_int_equal(mer_buf_append(&text, "", 1), MER_OK);
    const char *leader = strstr((char *)text.data, "\"leader\":");
    if (leader == NULL || strstr(leader, leads[want]) == NULL || (want == NOBODY && strncmp(leader + 9, leads[want], 3) != 0))
        fail_msg("%s: %s", what, (char *)text.data);
    mer_buf_deinit(&text);
    assert_int_equal(f->up, want != NOBODY);
}

static void check_cell(struct fix *f, const struct cell *c, enum before before)
{
    enum after want = c->after[before] & ~REFUSED;
    prepare(f, before);
    uint64_t stale = metric_value(&f->app.metrics, STALE), count = received(f);
    bool was_up = f->up;
    unsigned ups = f->ups;
    say_role(c->b ? &f->b : &f->a, c->leader, c->epoch);
    WAIT_FOR(f, received(f) == count + 1);
    assert_metric_moved(&f->app.metrics, STALE, stale, (c->after[before] & REFUSED) != 0);
    assert_leader(f, c->what, want);
    if (was_up && want != NOBODY) /* another leader is a down and an up */
        assert_int_equal(f->ups - ups, want == A_5 ? 0 : 1);
}

static void what_a_router_says_of_itself_meets_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < MER_COUNT(cells); i++) {
        for (enum before b = 0; b < BEFORES; b++) {
            void *fix;
            setup(&fix);
            lead(fix, true);
            both_up(fix);
            check_cell(fix, &cells[i], b);
            teardown(&fix);
        }
    }
}

static void who_was_refused_is_chosen_when_the_other_is_gone(void **state)
{
    struct fix *f = *state;
    lead(f, true);
    both_up(f);
    say_role(&f->a, true, 5);
    WAIT_FOR(f, f->up);
    uint64_t stale = metric_value(&f->app.metrics, STALE);
    say_role(&f->b, true, 5); /* the same term twice: a failover of their Redis lost who has it */
    WAIT_FOR(f, metric_value(&f->app.metrics, STALE) == stale + 1);
    assert_leader(f, "the first stays", A_5);
    mer_link_close(f->a.link);
    WAIT_FOR(f, f->ups == 2);
    assert_leader(f, "then the second", B_5);
}

static void a_region_whose_epochs_began_anew_is_believed_after_a_while(void **state)
{
    struct fix *f = *state;
    lead(f, true);
    both_up(f);
    say_role(&f->a, true, 5);
    WAIT_FOR(f, f->up);
    mer_link_close(f->a.link);
    WAIT_FOR(f, !f->up);
    say_role(&f->b, true, 1);
    WAIT_FOR(f, metric_value(&f->app.metrics, STALE) == 1);
    assert_leader(f, "not yet", NOBODY);
    f->offset_us += (uint64_t)ROUTER_MESH_FORGET_MS * 1000;
    WAIT_FOR(f, f->up);
    assert_int_equal(metric_value(&f->app.metrics, "meridian_router_mesh_epoch_back_total"), 1);
}

static unsigned handled;
static void on_handled(void *ctx, const char *region, const RV1(RegionMessage) * m)
{
    (void)ctx, (void)m;
    assert_string_equal(region, "eu");
    handled++;
}

/* A kind that no version has yet: the mesh must neither take it for broken nor hand it to anybody. */
static void what_only_a_newer_version_knows_is_counted_and_harms_nothing(void **state)
{
    struct fix *f = *state;
    static const uint8_t newer[] = {0xba, 0x03, 0x00}; /* field 55, empty */
    lead(f, true);
    both_up(f);
    say_role(&f->a, true, 5);
    WAIT_FOR(f, f->up);
    uint64_t before = metric_value(&f->app.metrics, "meridian_router_mesh_unhandled_total"), stale = metric_value(&f->app.metrics, STALE);
    router_mesh_on(f->app.mesh, (RV1(RegionMessage__BodyCase))40, on_handled, NULL);
    assert_int_equal(mer_link_send(f->a.link, newer, sizeof newer), MER_OK);
    assert_int_equal(mer_link_send(f->b.link, newer, sizeof newer), MER_OK);
    WAIT_FOR(f, metric_value(&f->app.metrics, "meridian_router_mesh_unhandled_total") == before + 1);
    WAIT_FOR(f, metric_value(&f->app.metrics, STALE) == stale + 1); /* who does not lead is not listened to */
    assert_true(f->up);
    assert_int_equal(handled, 0);
}

static void what_is_no_message_closes_the_link(void **state)
{
    struct fix *f = *state;
    uint64_t before = metric_value(&f->app.metrics, "meridian_router_mesh_bad_messages_total");
    both_up(f);
    assert_int_equal(mer_link_send(f->a.link, "\xff\xff\xff", 3), MER_OK);
    WAIT_FOR(f, f->a.downs == 1);
    assert_metric_moved(&f->app.metrics, "meridian_router_mesh_bad_messages_total", before, 1);
    assert_non_null(f->b.link);
}

static void who_has_no_business_here_does_not_get_in(void **state)
{
    static const struct {
        const char *region;
        uint32_t role;
    } strangers[] = {
        {"us", MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER},   /* our own region */
        {"mars", MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER}, /* not among our peers */
        {"eu", MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE},     {"eu", MERIDIAN__INTERNAL__V1__ROLE__ROLE_GEO},
        {"eu", MERIDIAN__INTERNAL__V1__ROLE__ROLE_CTL},      {"", MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER},
    };
    struct fix *f = *state;
    for (size_t i = 0; i < MER_COUNT(strangers); i++) {
        struct peer p = {0};
        uint64_t before = metric_value(&f->app.metrics, "meridian_link_mesh_hostile_total");
        peer_open(f, &p, strangers[i].region, strangers[i].role, "stranger.x");
        peer_dial(f, &p);
        WAIT_FOR(f, metric_value(&f->app.metrics, "meridian_link_mesh_hostile_total") > before);
        assert_int_equal(p.ups, 0);
        assert_int_equal(eu(f)->links, 0);
        mer_links_destroy(p.links);
        loop_run_for(&f->app.loop, 1);
    }
    assert_true(metric_value(&f->app.metrics, "meridian_router_mesh_refused_total") > 0);
}

static void a_dialled_address_must_be_of_the_region_that_was_meant(void **state)
{
    struct fix *f = *state;
    struct mer_msg msg;
    char address[64], line[80];
    router_mesh_destroy(f->app.mesh);
    snprintf(address, sizeof address, "unix:%s/eu", f->dir);
    snprintf(line, sizeof line, "asia %s", address);
    char *peers[] = {line, nowhere_eu};
    assert_int_equal(mer_links_listen(f->a.links, address, &msg), MER_OK);
    f->app.conf.mesh_peers = (struct mer_strs){peers, 2};
    assert_int_equal(router_mesh_create(&f->app.mesh, &f->app, &msg), MER_OK);
    WAIT_FOR(f, metric_value(&f->app.metrics, "meridian_router_mesh_refused_total") == 1);
    WAIT_FOR(f, f->a.downs == 1); /* who answers is up before we judge the answer */
    assert_int_equal(metric_value(&f->app.metrics, "meridian_link_mesh_opened_total"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_region_is_up_when_both_its_leader_and_we_lead, setup, teardown),
        cmocka_unit_test_setup_teardown(losing_our_own_lead_takes_every_region_down_and_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(the_link_to_the_leader_going_down_takes_its_region_down, setup, teardown),
        cmocka_unit_test(what_a_router_says_of_itself_meets_every_state),
        cmocka_unit_test_setup_teardown(who_was_refused_is_chosen_when_the_other_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_region_whose_epochs_began_anew_is_believed_after_a_while, setup, teardown),
        cmocka_unit_test_setup_teardown(what_only_a_newer_version_knows_is_counted_and_harms_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_message_closes_the_link, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_no_business_here_does_not_get_in, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dialled_address_must_be_of_the_region_that_was_meant, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
