/* SPDX-License-Identifier: Apache-2.0
 * Who leads: what a router makes of the lease's answers, in every order they can come, and of a link that comes and goes. Redis is the
 * test's: mer_redis_call stands before the product's at link time; so is time. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "region-router/standby.h"

enum { ACT_MS = ROUTER_LEASE_MS * 2 / 3 };

static struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_rng_seeded seed;
    struct router_standby *s;
    uint64_t now_us;
    mer_redis_cb answer; /* NULL: nothing is asked */
    void *answer_ctx;
    bool takes_over; /* the question under way names the holder whose lease it wants */
    bool releases;   /* ... or gives ours back */
    enum mer_err call_result;
    unsigned asked, leads, follows, released;
    uint64_t epoch;
    uint32_t shared_ms; /* as told to the last lead */
    bool nobody_there;
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

enum mer_err mer_redis_call(struct mer_redis *r, const struct mer_redis_call_spec *spec, mer_redis_cb cb, void *ctx)
{
    (void)r;
    assert_null(f->answer); /* one question at a time */
    assert_true(spec->durable && spec->replicas == 1);
    assert_string_equal(spec->key, "router:{eu}");
    f->asked++;
    if (f->call_result != MER_OK)
        return f->call_result;
    f->releases = strcmp(spec->argv[1], "mer1_lease_release") == 0;
    f->takes_over = !f->releases && spec->argv[7][0] != 0;
    f->answer = cb;
    f->answer_ctx = ctx;
    return MER_OK;
}

static uint64_t test_us(void *ctx)
{
    return ((struct fix *)ctx)->now_us;
}
static uint64_t test_wall_ms(void *ctx)
{
    return ((struct fix *)ctx)->now_us / 1000;
}
static void on_lead(void *ctx, uint64_t epoch)
{
    struct fix *x = ctx;
    x->leads++;
    x->epoch = epoch;
    x->shared_ms = router_standby_shared_ms(x->s);
    assert_int_equal(router_standby_epoch(x->s), epoch);
}
static void on_follow(void *ctx, const char *why)
{
    struct fix *x = ctx;
    assert_non_null(why);
    x->follows++;
    assert_int_equal(router_standby_epoch(x->s), 0);
}
static bool on_holder(void *ctx, const char *incarnation, const char *address)
{
    assert_string_equal(incarnation, "r1.a");
    assert_string_equal(address, "127.0.0.1:1");
    return ((struct fix *)ctx)->nobody_there;
}
static void on_released(void *ctx)
{
    ((struct fix *)ctx)->released++;
}

static int set_up(void **state)
{
    f = calloc(1, sizeof *f);
    *state = f;
    f->now_us = 1000 * 1000 * 1000;
    struct mer_clock clock = {.mono_us = test_us, .wall_ms = test_wall_ms, .ctx = f};
    assert_int_equal(mer_loop_init(&f->loop, clock), 0);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY), MER_DEBUG, clock);
    mer_metrics_init(&f->metrics);
    struct router_standby_conf conf = {.loop = &f->loop,
                                       .log = &f->log,
                                       .rng = mer_rng_seed(&f->seed, 7),
                                       .metrics = &f->metrics,
                                       .region = "eu",
                                       .incarnation = "r2.b",
                                       .address = "127.0.0.1:2",
                                       .lead = on_lead,
                                       .follow = on_follow,
                                       .holder = on_holder,
                                       .ctx = f};
    assert_int_equal(router_standby_create(&f->s, &conf), MER_OK);
    router_standby_start(f->s);
    return 0;
}
static int tear_down(void **state)
{
    if (f->answer != NULL)
        f->answer(f->answer_ctx, MER_EUNKNOWN, NULL);
    router_standby_destroy(f->s);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    free(*state);
    return 0;
}

/* Milliseconds go by; timers fire, nothing else happens. */
static void ms(unsigned n)
{
    for (; n > 0; n--) {
        f->now_us += 1000;
        f->loop.now_ms = f->now_us / 1000;
        mer_wheel_advance(&f->loop.wheel, f->loop.now_ms, 256);
    }
}
/* ... all at once: the process was stopped. */
static void sleep_ms(unsigned n)
{
    f->now_us += n * 1000ull;
    f->loop.now_ms = f->now_us / 1000;
    mer_wheel_advance(&f->loop.wheel, f->loop.now_ms, 256);
}

/* The next question; within limit_ms. */
static void asks_within(unsigned limit_ms)
{
    while (f->answer == NULL && limit_ms-- > 0)
        ms(1);
    assert_non_null(f->answer);
}

static void say(enum mer_err err, redisReply *r)
{
    mer_redis_cb cb = f->answer;
    assert_non_null(cb);
    f->answer = NULL;
    cb(f->answer_ctx, err, r);
}

/* What mer1_lease_take answers. */
static void redis_says(const char *status, const char *epoch, const char *holder, const char *left_ms)
{
    const char *texts[7] = {status, "", "", epoch, holder, "127.0.0.1:1", left_ms};
    redisReply e[7], *elements[7], r = {.type = REDIS_REPLY_ARRAY, .elements = 7, .element = elements};
    for (int i = 0; i < 7; i++) {
        e[i] = (redisReply){.type = i == 1 ? REDIS_REPLY_INTEGER : REDIS_REPLY_STRING, .str = (char *)texts[i], .len = strlen(texts[i])};
        elements[i] = &e[i];
    }
    say(MER_OK, &r);
}
static void ours(const char *epoch)
{
    redis_says("OK", epoch, "r2.b", "10000");
}
static void theirs(const char *epoch)
{
    redis_says("HELD", epoch, "r1.a", "9000");
}

/* r1 leads with epoch 5, and we are linked to it. */
static void follow_r1(void)
{
    asks_within(1);
    theirs("5");
    router_standby_link(f->s, "r1.a", true);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void a_free_lease_is_shared_with_nobody(void **state)
{
    (void)state;
    asks_within(1);
    assert_false(f->takes_over);
    ours("1");
    assert_int_equal(f->leads, 1);
    assert_int_equal(f->epoch, 1);
    assert_int_equal(f->shared_ms, 0);
}

static void a_lost_link_is_a_takeover_and_its_holder_may_live(void **state)
{
    (void)state;
    follow_r1();
    router_standby_link(f->s, "r1.a", false);
    asks_within(250);
    assert_true(f->takes_over);
    ours("6");
    assert_int_equal(f->leads, 1);
    assert_int_equal(f->shared_ms, ACT_MS);
    asks_within(ROUTER_RENEW_MS);
    assert_false(f->takes_over);
}

/* Its answer was lost, and it had worked: the holder before us may act as long as ever. */
static void a_takeover_that_nobody_confirmed_is_one_when_the_lease_turns_out_to_be_ours(void **state)
{
    (void)state;
    follow_r1();
    router_standby_link(f->s, "r1.a", false);
    asks_within(250);
    say(MER_EUNKNOWN, NULL);
    assert_int_equal(f->leads, 0);
    asks_within(500);
    ours("6");
    assert_int_equal(f->leads, 1);
    assert_int_equal(f->shared_ms, ACT_MS);
}

/* ... also where the link is back when the next answer comes. */
static void such_a_takeover_is_remembered_over_a_link_that_comes_back(void **state)
{
    (void)state;
    follow_r1();
    router_standby_link(f->s, "r1.a", false);
    asks_within(250);
    say(MER_EUNKNOWN, NULL);
    router_standby_link(f->s, "r1.a", true);
    asks_within(500);
    assert_false(f->takes_over); /* it lives */
    say(MER_EUNKNOWN, NULL);
    asks_within(500);
    ours("6");
    assert_int_equal(f->shared_ms, ACT_MS);
}

/* It had not worked: the dead leader is replaced by the next question, not when its lease runs out. */
static void a_takeover_that_nobody_answered_is_tried_again(void **state)
{
    (void)state;
    follow_r1();
    router_standby_link(f->s, "r1.a", false);
    for (int i = 0; i < 5; i++) {
        asks_within(500);
        assert_true(f->takes_over);
        say(i % 2 == 0 ? MER_EAGAIN : MER_EUNKNOWN, NULL);
    }
    f->call_result = MER_EBUSY; /* nor taken at all */
    ms(2000);
    f->call_result = MER_OK;
    asks_within(500);
    assert_true(f->takes_over);
    theirs("7"); /* somebody was faster: a loss is used up with its term */
    asks_within(1000);
    assert_false(f->takes_over);
    ours("8");
    assert_int_equal(f->shared_ms, 0);
}

static void a_loss_is_good_for_one_takeover(void **state)
{
    (void)state;
    follow_r1();
    router_standby_link(f->s, "r1.a", false);
    asks_within(250);
    theirs("5"); /* refused all the same */
    asks_within(1000);
    assert_false(f->takes_over);
}

static void who_cannot_renew_stops_at_two_thirds_and_leads_again(void **state)
{
    (void)state;
    asks_within(1);
    ours("3");
    uint64_t until = f->loop.now_ms + ACT_MS;
    while (f->follows == 0) {
        assert_int_equal(router_standby_epoch(f->s), 3);
        ms(1);
        if (f->answer != NULL)
            say(MER_EAGAIN, NULL);
    }
    assert_int_equal(f->loop.now_ms, until);
    assert_int_equal(router_standby_epoch(f->s), 0);
    asks_within(500);
    ours("3"); /* nobody else wanted it */
    assert_int_equal(f->leads, 2);
    assert_int_equal(f->shared_ms, 0);
}

static void who_was_stopped_for_long_does_not_lead_when_it_wakes(void **state)
{
    (void)state;
    asks_within(1);
    ours("3");
    asks_within(ROUTER_RENEW_MS); /* under way while it is stopped */
    sleep_ms(12 * 1000);
    assert_int_equal(f->follows, 1);
    ours("3"); /* said 12 s ago */
    assert_int_equal(router_standby_epoch(f->s), 0);
    asks_within(1);
    theirs("4");
    assert_int_equal(f->leads, 1);
    router_standby_link(f->s, "r1.a", true);
    router_standby_link(f->s, "r1.a", false);
    asks_within(250);
    assert_true(f->takes_over); /* and the other way round */
    ours("5");
    assert_int_equal(f->leads, 2);
    assert_int_equal(f->epoch, 5);
}

static void a_lease_that_is_ours_in_another_term_is_a_new_lead(void **state)
{
    (void)state;
    asks_within(1);
    ours("3");
    asks_within(ROUTER_RENEW_MS);
    ours("4"); /* its shard lost it, and we took it */
    assert_int_equal(f->follows, 1);
    assert_int_equal(f->leads, 2);
    assert_int_equal(f->epoch, 4);
}

static void a_leader_that_hears_of_another_follows_it(void **state)
{
    (void)state;
    asks_within(1);
    ours("3");
    asks_within(ROUTER_RENEW_MS);
    theirs("4");
    assert_int_equal(f->follows, 1);
    assert_string_equal(router_standby_holder(f->s), "r1.a");
}

static void nobody_at_the_holders_address_is_a_loss(void **state)
{
    (void)state;
    f->nobody_there = true;
    asks_within(1);
    theirs("5");
    asks_within(250);
    assert_true(f->takes_over);
    ours("6");
    assert_int_equal(f->shared_ms, ACT_MS);
}

/* Two routers that refuse each other's connections (a firewall, a wrong address) would take the lease from each other several times a
 * second, for ever. */
static void who_took_the_lease_from_us_lives_whatever_is_at_its_address(void **state)
{
    (void)state;
    f->nobody_there = true;
    asks_within(1);
    ours("3");
    asks_within(ROUTER_RENEW_MS);
    theirs("4");
    for (int i = 0; i < 20; i++) {
        asks_within(1000);
        assert_false(f->takes_over);
        theirs("4");
    }
    router_standby_link(f->s, "r1.a", true);
    router_standby_link(f->s, "r1.a", false); /* that says more */
    asks_within(250);
    assert_true(f->takes_over);
    theirs("5"); /* another term of it, which we know nothing of */
    asks_within(250);
    assert_true(f->takes_over);
}

static void what_is_given_back_is_not_taken_again(void **state)
{
    (void)state;
    asks_within(1);
    ours("3");
    asks_within(ROUTER_RENEW_MS);
    router_standby_release(f->s, on_released, f); /* while a renewal is under way: its answer comes first */
    assert_int_equal(router_standby_epoch(f->s), 0);
    assert_int_equal(f->released, 0);
    ours("3");
    assert_true(f->releases);
    say(MER_EUNKNOWN, NULL);
    assert_int_equal(f->released, 1);
    unsigned asked = f->asked;
    router_standby_vacant(f->s);
    router_standby_link(f->s, "r1.a", false);
    ms(20 * 1000);
    assert_int_equal(f->asked, asked);
    assert_int_equal(f->leads, 1);
}

static void a_holder_that_leads_no_more_is_asked_about_at_once(void **state)
{
    (void)state;
    follow_r1();
    router_standby_vacant(f->s);
    asks_within(20);
    assert_false(f->takes_over);
    ours("6");
    assert_int_equal(f->shared_ms, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_free_lease_is_shared_with_nobody),
        TEST(a_lost_link_is_a_takeover_and_its_holder_may_live),
        TEST(a_takeover_that_nobody_confirmed_is_one_when_the_lease_turns_out_to_be_ours),
        TEST(such_a_takeover_is_remembered_over_a_link_that_comes_back),
        TEST(a_takeover_that_nobody_answered_is_tried_again),
        TEST(a_loss_is_good_for_one_takeover),
        TEST(who_cannot_renew_stops_at_two_thirds_and_leads_again),
        TEST(who_was_stopped_for_long_does_not_lead_when_it_wakes),
        TEST(a_lease_that_is_ours_in_another_term_is_a_new_lead),
        TEST(a_leader_that_hears_of_another_follows_it),
        TEST(nobody_at_the_holders_address_is_a_loss),
        TEST(who_took_the_lease_from_us_lives_whatever_is_at_its_address),
        TEST(what_is_given_back_is_not_taken_again),
        TEST(a_holder_that_leads_no_more_is_asked_about_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
