/* SPDX-License-Identifier: Apache-2.0
 * What comes over a control link: what is an ask, and what is wrong with one. */
#include "unit.h"

#include <string.h>

#include <meridian/ask.h>

#include "region-router/control_ask.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x

static void what_is_no_ask_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } hostile[] = {
        {"", 0},                         /* nothing */
        {"\xff\xff\xff\xff", 4},         /* no tag */
        {"\x12\x00", 2},                 /* an ask without its id and name */
        {"\x12\x7f\x08\x01", 4},         /* longer than what is there */
        {"\x12\x02\x08\x01", 4},         /* without a name */
        {"\x0a\x02\x0a\x00", 4},         /* a report, half */
        {"\x1a\x04\x08\x01\x10\x01", 6}, /* an answer */
        {"\x12\x09\x08\x01\x12\x03"
         "ana\x52\x7f",
         11}, /* a body that is cut off */
        {"GET / HTTP/1.1\r\n\r\n", 18},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(hostile); i++)
        assert_null(mer_ask_read(hostile[i].bytes, hostile[i].len));
    CV1(ControlMessage) *m = mer_ask_read("\x12\x09\x08\x01\x12\x03"
                                          "ana\x52\x00",
                                          11);
    assert_non_null(m);
    assert_int_equal(m->ask->body_case, ASK(ROUTER));
    assert_null(router_ask_objection(m->ask));
    meridian__control__v1__control_message__free_unpacked(m, NULL);
}

static char long_text[400];

struct wrong {
    const char *by, *reason, *target, *text;
};

static CV1(Ask) ask_of(const struct wrong *w, CV1(DrainRegion) * d)
{
    CV1(Ask) a = MERIDIAN__CONTROL__V1__ASK__INIT;
    *d = (CV1(DrainRegion))MERIDIAN__CONTROL__V1__DRAIN_REGION__INIT;
    d->region = (char *)w->target;
    a.by = (char *)w->by;
    a.reason = (char *)w->reason;
    a.body_case = ASK(DRAIN_REGION);
    a.drain_region = d;
    return a;
}

static void what_is_wrong_with_an_order_is_said(void **state)
{
    memset(long_text, 'x', sizeof long_text - 1);
    const struct wrong cases[] = {
        {"", "why", "eu", "who asks"},
        {long_text, "why", "eu", "who asks"},
        {"ana\n", "why", "eu", "who asks"},
        {"\xff\xfe", "why", "eu", "who asks"},
        {"ana", NULL, "eu", "needs a reason"},
        {"ana", "", "eu", "needs a reason"},
        {"ana", long_text, "eu", "at most 255"},
        {"ana", "a\tb", "eu", "control characters"},
        {"ana", "a\x1b[2J", "eu", "control characters"},
        {"ana", "why", "", "a name"},
        {"ana", "why", long_text, "a name"},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        CV1(DrainRegion) d;
        CV1(Ask) a = ask_of(&cases[i], &d);
        const char *wrong = router_ask_objection(&a);
        assert_non_null(wrong);
        assert_non_null(strstr(wrong, cases[i].text));
    }
    CV1(DrainRegion) d;
    CV1(Ask) a = ask_of(&(struct wrong){"ana", "neuer Kern für alle", "eu", NULL}, &d);
    assert_null(router_ask_objection(&a));
    d.has_over_ms = true;
    d.over_ms = 24ull * 3600 * 1000 + 1;
    assert_non_null(router_ask_objection(&a));
}

/* The journal needs a name and a word for each of them. */
static void every_order_says_what_it_is_about(void **state)
{
    static char name[] = "eu";
    CV1(DrainEdge) de = MERIDIAN__CONTROL__V1__DRAIN_EDGE__INIT;
    CV1(UndrainEdge) ue = MERIDIAN__CONTROL__V1__UNDRAIN_EDGE__INIT;
    CV1(DrainRegion) dr = MERIDIAN__CONTROL__V1__DRAIN_REGION__INIT;
    CV1(UndrainRegion) ur = MERIDIAN__CONTROL__V1__UNDRAIN_REGION__INIT;
    CV1(Ask) a = MERIDIAN__CONTROL__V1__ASK__INIT;
    (void)state;
    de.edge = ue.edge = dr.region = ur.region = name;
    for (int body = 0; body < 64; body++) {
        a.body_case = (CV1(Ask__BodyCase))body;
        if (body == ASK(DRAIN_EDGE))
            a.drain_edge = &de;
        else if (body == ASK(UNDRAIN_EDGE))
            a.undrain_edge = &ue;
        else if (body == ASK(DRAIN_REGION))
            a.drain_region = &dr;
        else if (body == ASK(UNDRAIN_REGION))
            a.undrain_region = &ur;
        bool order = body == ASK(DRAIN_EDGE) || body == ASK(UNDRAIN_EDGE) || body == ASK(DRAIN_REGION) || body == ASK(UNDRAIN_REGION);
        assert_int_equal(router_ask_changes(&a), order);
        assert_int_equal(router_ask_target(&a) != NULL, order);
        assert_int_equal(strcmp(router_ask_what(&a), "ask") != 0, order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_ask_is_refused),
        cmocka_unit_test(what_is_wrong_with_an_order_is_said),
        cmocka_unit_test(every_order_says_what_it_is_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
