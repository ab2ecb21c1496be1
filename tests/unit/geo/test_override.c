/* SPDX-License-Identifier: Apache-2.0
 * What operators ask of a geo agent, and which of it may be done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <meridian/ask.h>

#include <cmocka.h>

#include "geo/override.h"
#include "geo/wish.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x
#define OVERRIDE(x) MERIDIAN__CONTROL__V1__OVERRIDE__OVERRIDE_##x

enum { EAST, WEST, EU, ASIA, REGIONS };

struct fix {
    struct geo_footprint f;
    struct geo_policy p;
    struct geo_wish wishes[GEO_REGIONS_MAX];
    CV1(GeoOverride) o;
    CV1(Ask) ask;
    struct geo_wished w;
    uint32_t region;
    struct mer_msg msg;
};

static int setup(void **state)
{
    static struct fix x;
    static char names[][8] = {"us-east", "us-west", "eu", "asia"};
    static char by[] = "ana", reason[] = "a cable";
    memset(&x, 0, sizeof x);
    x.f.count = REGIONS;
    for (int i = 0; i < REGIONS; i++) {
        x.f.region[i].name = names[i];
        x.f.region[i].capacity_players = 1000;
    }
    geo_policy_init(&x.p, &x.f, 1000);
    x.o = (CV1(GeoOverride))MERIDIAN__CONTROL__V1__GEO_OVERRIDE__INIT;
    x.o.region = names[EU];
    x.o.override = OVERRIDE(DOWN);
    x.o.has_for_ms = true;
    x.o.for_ms = 1800 * 1000;
    x.ask = (CV1(Ask))MERIDIAN__CONTROL__V1__ASK__INIT;
    x.ask.by = by;
    x.ask.reason = reason;
    x.ask.body_case = ASK(GEO_OVERRIDE);
    x.ask.geo_override = &x.o;
    *state = &x;
    return 0;
}

static enum mer_err read_it(struct fix *x)
{
    return geo_override_read(&x->ask, &x->f, &x->region, &x->w, &x->msg);
}

static void an_override_is_read(void **state)
{
    struct fix *x = *state;
    assert_null(mer_ask_objection(&x->ask, x->ask.body_case == ASK(GEO_OVERRIDE)));
    assert_int_equal(read_it(x), MER_OK);
    assert_int_equal(x->region, EU);
    assert_int_equal(x->w.kind, GEO_WISH_DRAIN);
    assert_int_equal(x->w.until_ms, 1800 * 1000);
    assert_string_equal(x->w.reason, "a cable");
    x->o.override = OVERRIDE(SHARE);
    x->o.has_share_percent = true;
    x->o.share_percent = 30;
    assert_int_equal(read_it(x), MER_OK);
    assert_int_equal(x->w.share, 30);
    x->o.override = OVERRIDE(NONE);
    x->o.has_share_percent = x->o.has_for_ms = false;
    assert_int_equal(read_it(x), MER_OK);
    assert_int_equal(x->w.kind, GEO_WISH_NOTHING);
}

static void what_is_out_of_bounds_is_refused_with_a_word(void **state)
{
    struct fix *x = *state;
    static const struct {
        int override;
        uint32_t share; /* 0: none */
        uint64_t for_ms;
    } hostile[] = {
        {OVERRIDE(UNSPECIFIED), 0, 1000},
        {17, 0, 1000},
        {-1, 0, 1000},
        {OVERRIDE(SHARE), 0, 1000},
        {OVERRIDE(SHARE), 5, 1000},
        {OVERRIDE(SHARE), 100, 1000},
        {OVERRIDE(SHARE), UINT32_MAX, 1000},
        {OVERRIDE(UP), 10, 1000},
        {OVERRIDE(UP), 0, 0},
        {OVERRIDE(UP), 0, 999},
        {OVERRIDE(UP), 0, UINT64_MAX},
        {OVERRIDE(NONE), 0, 1000},
    };
    for (size_t i = 0; i < MER_COUNT(hostile); i++) {
        x->o.override = (CV1(Override))hostile[i].override;
        x->o.has_share_percent = hostile[i].share != 0;
        x->o.share_percent = hostile[i].share;
        x->o.has_for_ms = hostile[i].for_ms != 0;
        x->o.for_ms = hostile[i].for_ms;
        x->msg.text[0] = '\0';
        assert_int_equal(read_it(x), MER_EINVALID);
        assert_true(x->msg.text[0] != '\0');
    }
    x->o.region = (char *)"mars";
    assert_int_equal(read_it(x), MER_ENOTFOUND);
}

static void what_is_no_ask_closes_the_link(void **state)
{
    (void)state;
    assert_null(mer_ask_read("", 0));
    assert_null(mer_ask_read("\xff\xff", 2));
    assert_null(mer_ask_read("\x1a\x04\x08\x01\x10\x01", 6)); /* an answer */
    assert_null(mer_ask_read("GET / HTTP/1.1\r\n\r\n", 18));
}

static void texts_that_would_harm_are_refused(void **state)
{
    struct fix *x = *state;
    static char long_text[400];
    memset(long_text, 'x', sizeof long_text - 1);
    const char *const bad[] = {"", "a\nb", "\xff", long_text};
    for (size_t i = 0; i < MER_COUNT(bad); i++) {
        setup(state);
        x->ask.by = (char *)bad[i];
        assert_non_null(mer_ask_objection(&x->ask, x->ask.body_case == ASK(GEO_OVERRIDE)));
        setup(state);
        x->ask.reason = (char *)bad[i];
        assert_non_null(mer_ask_objection(&x->ask, x->ask.body_case == ASK(GEO_OVERRIDE)));
    }
    setup(state);
    x->ask.reason = NULL;
    assert_non_null(mer_ask_objection(&x->ask, x->ask.body_case == ASK(GEO_OVERRIDE)));
    x->ask.body_case = ASK(GEO);
    assert_null(mer_ask_objection(&x->ask, x->ask.body_case == ASK(GEO_OVERRIDE))); /* a question needs none */
}

static void the_world_is_not_emptied(void **state)
{
    struct fix *x = *state;
    assert_int_equal(read_it(x), MER_OK);
    assert_int_equal(geo_override_check(&x->p, x->wishes, EU, &x->w, false, &x->msg), MER_OK);
    assert_non_null(strstr(x->msg.text, "75 %"));
    x->wishes[ASIA].drain = true;
    assert_int_equal(geo_override_check(&x->p, x->wishes, EU, &x->w, false, &x->msg), MER_OK);
    x->wishes[WEST].drain = true;
    assert_int_equal(geo_override_check(&x->p, x->wishes, EU, &x->w, false, &x->msg), MER_EBUSY);
    assert_non_null(strstr(x->msg.text, "only 25 %"));
    assert_int_equal(geo_override_check(&x->p, x->wishes, EU, &x->w, true, &x->msg), MER_OK);
    x->wishes[EAST].drain = true;
    assert_int_equal(geo_override_check(&x->p, x->wishes, EU, &x->w, true, &x->msg), MER_EBUSY);
    assert_non_null(strstr(x->msg.text, "nobody would be left"));
    x->w.kind = GEO_WISH_FORCE_IN; /* the other direction is free */
    assert_int_equal(geo_override_check(&x->p, x->wishes, EU, &x->w, false, &x->msg), MER_OK);
}

static void the_agents_override_outweighs_the_regions_word_until_its_time(void **state)
{
    struct geo_wished none = {0}, up = {.kind = GEO_WISH_FORCE_IN, .at_ms = 5000, .until_ms = 9000};
    struct geo_wished share = {.kind = GEO_WISH_SHARE, .at_ms = 5000, .share = 20};
    struct geo_wished told = {.kind = GEO_WISH_DRAIN, .at_ms = 6000, .over_ms = 4000};
    struct geo_wish w;
    (void)state;
    geo_wish_of(&none, &told, 8000, 100000, &w);
    assert_true(w.drain && w.drain_from_ms == 98000 && w.drain_over_ms == 4000);
    geo_wish_of(&up, &told, 8000, 100000, &w);
    assert_true(w.force_in && !w.drain);
    geo_wish_of(&up, &told, 9000, 100000, &w);
    assert_true(w.drain && !w.force_in);
    geo_wish_of(&share, &told, 8000, 100000, &w);
    assert_true(w.share == 20 && !w.drain);
    geo_wish_of(&none, &told, 200000, 1000, &w); /* began before this machine did: long over */
    assert_true(w.drain && w.drain_from_ms == 0 && w.drain_over_ms == 0);
}

#define T(f) cmocka_unit_test_setup(f, setup)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_override_is_read),
        T(what_is_out_of_bounds_is_refused_with_a_word),
        T(what_is_no_ask_closes_the_link),
        T(texts_that_would_harm_are_refused),
        T(the_world_is_not_emptied),
        T(the_agents_override_outweighs_the_regions_word_until_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
