/* SPDX-License-Identifier: Apache-2.0
 * Operators at a geo agent: each ask gets one answer, and an override holds when it stands in the journal. Links and the agent's other
 * parts are the test's: these functions stand before the product's at link time. */
#include "metric_moved.h"
#include "unit.h"

#include <stdio.h>

#include "geo/agent_private.h"
#include "geo/control.h"

#include "meridian/control/v1/control.pb-c.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x
#define CODE(x) MERIDIAN__CONTROL__V1__ANSWER_CODE__ANSWER_CODE_##x
#define ANSWER(x) MERIDIAN__CONTROL__V1__ANSWER__BODY_##x
#define OVERRIDE(x) MERIDIAN__CONTROL__V1__OVERRIDE__OVERRIDE_##x

enum { EAST, EU, ASIA, REGIONS };

static struct fix {
    struct geo_agent agent;
    struct geo_control *control;
    struct mer_links_conf links;
    enum mer_err wish_result, send_result;
    unsigned wishes, answers, resets;
    uint32_t region;
    struct geo_wished wished;
    CV1(ControlMessage) * said; /* the last one */
} * f;

static int link_a;
#define LINK_A ((struct mer_link *)&link_a)

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

enum mer_err mer_links_create(struct mer_links **out, const struct mer_links_conf *conf)
{
    f->links = *conf;
    *out = (struct mer_links *)f;
    return MER_OK;
}
enum mer_err mer_links_listen(struct mer_links *ls, const char *address, struct mer_msg *msg)
{
    (void)ls, (void)address, (void)msg;
    return MER_OK;
}
void mer_links_destroy(struct mer_links *ls)
{
    (void)ls;
}
static void forget(void)
{
    if (f->said != NULL)
        meridian__control__v1__control_message__free_unpacked(f->said, NULL);
    f->said = NULL;
}
enum mer_err mer_link_send(struct mer_link *l, const void *payload, size_t len)
{
    assert_ptr_equal(l, LINK_A);
    forget();
    f->said = meridian__control__v1__control_message__unpack(NULL, len, payload);
    assert_non_null(f->said);
    f->answers++;
    return f->send_result;
}
void mer_link_reset(struct mer_link *l)
{
    (void)l;
    f->resets++;
}
void mer_link_who(const struct mer_link *l, char *out, size_t size)
{
    (void)l;
    snprintf(out, size, "certificate ana");
}
enum mer_err geo__agent_wish(struct geo_agent *a, uint32_t region, const struct geo_wished *w)
{
    (void)a;
    f->wishes++;
    f->region = region;
    f->wished = *w;
    return f->wish_result;
}
void geo__agent_reason(const struct geo_agent *a, uint32_t region, char *out, size_t size)
{
    (void)a, (void)region;
    snprintf(out, size, "well");
}
struct geo_report geo_reports_of(const struct geo_reports *r, uint32_t region)
{
    (void)r;
    return region == EU ? (struct geo_report){.known = true, .players = 7, .age_ms = 300} : (struct geo_report){.known = false};
}

static uint64_t wall_ms(void *ctx)
{
    (void)ctx;
    return 1790000000000;
}

static int set_up(void **state)
{
    static char names[REGIONS][8] = {"us-east", "eu", "asia"}, listen[] = "unix:/nowhere", none[] = "", id[] = "geo-1";
    struct mer_msg msg;
    f = calloc(1, sizeof *f);
    *state = f;
    f->agent.clock = mer_clock_system();
    f->agent.clock.wall_ms = wall_ms;
    f->agent.loop.now_ms = 100 * 1000;
    f->agent.conf.control_listen = listen;
    f->agent.conf.tls_cert = none;
    f->agent.conf.id = id;
    mer_metrics_init(&f->agent.metrics);
    f->agent.footprint.count = REGIONS;
    for (int i = 0; i < REGIONS; i++) {
        f->agent.footprint.region[i].name = names[i];
        f->agent.footprint.region[i].capacity_players = 1000;
        f->agent.reading[i].load_permille = -1;
    }
    geo_policy_init(&f->agent.policy, &f->agent.footprint, f->agent.loop.now_ms);
    assert_int_equal(geo_control_create(&f->control, &f->agent, &msg), MER_OK);
    return 0;
}
static int tear_down(void **state)
{
    forget();
    geo_control_destroy(f->control);
    free(*state);
    return 0;
}

static void hear(CV1(Ask) * ask)
{
    uint8_t packed[1024];
    CV1(ControlMessage) m = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__INIT;
    m.body_case = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ASK;
    m.ask = ask;
    ask->id = 9;
    ask->by = (char *)"ana";
    f->links.cbs->on_message(f->links.ctx, LINK_A, packed, meridian__control__v1__control_message__pack(&m, packed));
}

static void override(const char *region, CV1(Override) what, bool dry_run)
{
    CV1(Ask) ask = MERIDIAN__CONTROL__V1__ASK__INIT;
    CV1(GeoOverride) o = MERIDIAN__CONTROL__V1__GEO_OVERRIDE__INIT;
    o.region = (char *)region;
    o.override = what;
    o.has_for_ms = what != OVERRIDE(NONE);
    o.for_ms = 60 * 1000;
    ask.reason = (char *)"a cable";
    ask.has_dry_run = ask.dry_run = dry_run;
    ask.body_case = ASK(GEO_OVERRIDE);
    ask.geo_override = &o;
    hear(&ask);
}

static void assert_said(unsigned answers, CV1(AnswerCode) code, const char *why)
{
    assert_int_equal(f->answers, answers);
    assert_int_equal(f->said->body_case, MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ANSWER);
    assert_int_equal(f->said->answer->id, 9);
    assert_int_equal(f->said->answer->code, code);
    if (strstr(f->said->answer->why, why) == NULL)
        fail_msg("\"%s\" has no \"%s\"", f->said->answer->why, why);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void an_override_is_done_and_signed_by_who_is_there(void **state)
{
    (void)state;
    override("eu", OVERRIDE(DOWN), false);
    assert_said(1, CODE(OK), "no new players for eu");
    assert_int_equal(f->wishes, 1);
    assert_int_equal(f->region, EU);
    assert_int_equal(f->wished.kind, GEO_WISH_DRAIN);
    assert_int_equal(f->wished.until_ms, 1790000000000 + 60 * 1000);
    assert_string_equal(f->wished.by, "ana (certificate ana)");
    override("eu", OVERRIDE(NONE), false);
    assert_said(2, CODE(OK), "by the rules");
    assert_int_equal(f->wished.until_ms, 0);
}

static void a_dry_run_and_a_refusal_change_nothing(void **state)
{
    (void)state;
    override("eu", OVERRIDE(DOWN), true);
    assert_said(1, CODE(OK), "no new players for eu");
    override("mars", OVERRIDE(DOWN), false);
    assert_said(2, CODE(NOT_FOUND), "no such region");
    f->agent.told[EAST].kind = GEO_WISH_DRAIN; /* says the region itself */
    override("eu", OVERRIDE(DOWN), false);
    assert_said(3, CODE(REFUSED), "--force");
    assert_int_equal(f->wishes, 0);
}

static void what_is_not_in_the_journal_does_not_hold(void **state)
{
    (void)state;
    f->wish_result = MER_EIO;
    override("eu", OVERRIDE(DOWN), false);
    assert_said(1, CODE(UNAVAILABLE), "nothing was done");
    assert_int_equal(metric_value(&f->agent.metrics, "meridian_geo_control_orders_total"), 0);
}

static void the_regions_are_told_with_what_holds(void **state)
{
    CV1(Ask) ask = MERIDIAN__CONTROL__V1__ASK__INIT;
    (void)state;
    f->agent.told[ASIA] = (struct geo_wished){.kind = GEO_WISH_DRAIN, .by = "eva", .reason = "racks"};
    f->agent.wished[EU] = (struct geo_wished){.kind = GEO_WISH_SHARE, .share = 30, .by = "ana", .until_ms = wall_ms(NULL) + 5000};
    f->agent.wished[EAST] = (struct geo_wished){.kind = GEO_WISH_FORCE_IN, .by = "ana", .until_ms = wall_ms(NULL) - 1};
    ask.body_case = ASK(GEO);
    CV1(AskGeo) geo = MERIDIAN__CONTROL__V1__ASK_GEO__INIT;
    ask.geo = &geo;
    hear(&ask);
    const CV1(Answer) *a = f->said->answer;
    assert_int_equal(a->body_case, ANSWER(GEO));
    assert_int_equal(a->geo->n_regions, REGIONS);
    const CV1(GeoRegion) *east = a->geo->regions[EAST], *there = a->geo->regions[EU], *asia = a->geo->regions[ASIA];
    assert_int_equal(there->override, OVERRIDE(SHARE));
    assert_int_equal(there->expires_ms, 5000);
    assert_int_equal(there->players, 7);
    assert_int_equal(east->expires_ms, 0); /* over, and not yet noticed */
    assert_false(east->has_players);
    assert_false(asia->has_override);
    assert_true(asia->draining);
    assert_string_equal(asia->by, "eva");
}

static void what_is_for_others_or_nobody_is_told_or_ends_the_link(void **state)
{
    CV1(Ask) ask = MERIDIAN__CONTROL__V1__ASK__INIT;
    CV1(AskRegions) regions = MERIDIAN__CONTROL__V1__ASK_REGIONS__INIT;
    (void)state;
    ask.body_case = ASK(REGIONS);
    ask.regions = &regions;
    hear(&ask);
    assert_said(1, CODE(INVALID), "for a router");
    f->links.cbs->on_message(f->links.ctx, LINK_A, (const uint8_t *)"\xff", 1);
    assert_int_equal(f->resets, 1);
    f->send_result = MER_EBUSY; /* who does not read his answers */
    hear(&ask);
    assert_int_equal(f->resets, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_override_is_done_and_signed_by_who_is_there),
        TEST(a_dry_run_and_a_refusal_change_nothing),
        TEST(what_is_not_in_the_journal_does_not_hold),
        TEST(the_regions_are_told_with_what_holds),
        TEST(what_is_for_others_or_nobody_is_told_or_ends_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
