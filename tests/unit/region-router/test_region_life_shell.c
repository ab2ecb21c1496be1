/* SPDX-License-Identifier: Apache-2.0
 * Whether the region is drained: read when a leader comes, kept over what Redis does not confirm, never half believed. Redis is the test's:
 * these functions stand before the product's at link time. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "region-router/app.h"

static struct fix {
    struct router_app app;
    mer_redis_cb on_read; /* NULL: nothing is asked */
    void *read_ctx;
    router_note_cb on_noted;
    void *note_ctx;
    enum mer_err call_result, note_result;
    unsigned reads, notes, told, answered;
    enum mer_err answer;
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

enum mer_err mer_redis_call(struct mer_redis *r, const struct mer_redis_call_spec *spec, mer_redis_cb cb, void *ctx)
{
    (void)r;
    assert_string_equal(spec->argv[0], "HGET");
    assert_string_equal(spec->argv[1], "region:{eu}");
    assert_null(f->on_read);
    f->reads++;
    if (f->call_result != MER_OK)
        return f->call_result;
    f->on_read = cb;
    f->read_ctx = ctx;
    return MER_OK;
}
void router_note_key(char out[ROUTER_NOTE_KEY_BYTES], const struct router_app *app, const char *kind)
{
    snprintf(out, ROUTER_NOTE_KEY_BYTES, "%s:{%s}", kind, app->conf.region);
}
enum mer_err router_note(struct router_app *app, const char *kind, const char *field, const void *value, size_t len, router_note_cb cb,
                         void *ctx)
{
    (void)app, (void)value, (void)len;
    assert_string_equal(kind, "region");
    assert_string_equal(field, "drain");
    f->notes++;
    f->on_noted = cb;
    f->note_ctx = ctx;
    return f->note_result;
}
void router_newsroom_tell(struct router_newsroom *r)
{
    (void)r;
    f->told++;
}
void router_crossing_look(struct router_crossing *x)
{
    (void)x;
}

static int set_up(void **state)
{
    f = calloc(1, sizeof *f);
    *state = f;
    f->app.conf.region = (char *)"eu";
    f->app.leading = true;
    f->app.clock = mer_clock_system();
    assert_int_equal(mer_loop_init(&f->app.loop, f->app.clock), 0);
    mer_log_init(&f->app.log, open("/dev/null", O_WRONLY), MER_DEBUG, f->app.clock);
    mer_metrics_init(&f->app.metrics);
    router_region_life_init(&f->app.region_life, &f->app);
    return 0;
}
static int tear_down(void **state)
{
    router_region_life_deinit(&f->app.region_life);
    mer_loop_deinit(&f->app.loop);
    close(f->app.log.fd);
    free(*state);
    return 0;
}

static struct router_region_life *life(void)
{
    return &f->app.region_life;
}

/* The timer's time has come, when it is armed: it must be. */
static void timer(void)
{
    assert_true(mer_timer_armed(&life()->timer));
    mer_loop_disarm(&f->app.loop, &life()->timer);
    life()->timer.cb(&life()->timer);
}

static const struct router_region_drain drained = {.on = true, .from_ms = 1790000000000, .by = "ana", .reason = "racks"};

/* d NULL: the field is not there. */
static void redis_says(enum mer_err err, const struct router_region_drain *d)
{
    uint8_t packed[ROUTER_DRAIN_PACKED_MAX];
    redisReply r = {.type = REDIS_REPLY_NIL};
    mer_redis_cb cb = f->on_read;
    if (d != NULL) {
        r.type = REDIS_REPLY_STRING;
        r.len = router_region_drain_write(d, packed);
        r.str = (char *)packed;
    }
    assert_non_null(cb);
    f->on_read = NULL;
    cb(f->read_ctx, err, err == MER_OK ? &r : NULL);
}

static void on_answer(void *ctx, enum mer_err err)
{
    assert_ptr_equal(ctx, f);
    f->answered++;
    f->answer = err;
}

static void set(bool on)
{
    struct router_region_drain d = on ? drained : (struct router_region_drain){0};
    assert_int_equal(router_region_life_set(life(), &d, on_answer, f), MER_OK);
}

static void lead(const struct router_region_drain *found)
{
    router_region_life_start(life());
    timer();
    redis_says(MER_OK, found);
    assert_true(life()->known);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void a_leader_reads_until_it_knows_and_tells_it(void **state)
{
    (void)state;
    router_region_life_start(life());
    f->call_result = MER_EBUSY;
    timer();
    f->call_result = MER_OK;
    timer();
    redis_says(MER_ETIMEOUT, NULL);
    timer();
    assert_false(life()->known);
    assert_int_equal(f->told, 0);
    redis_says(MER_OK, &drained);
    assert_true(life()->known && life()->drain.on);
    assert_string_equal(life()->drain.by, "ana");
    assert_int_equal(f->told, 1);
    assert_int_equal(f->reads, 3);
    assert_int_equal(life()->values[ROUTER_RL_READ_FAILED], 1);
    assert_false(mer_timer_armed(&life()->timer));
}

static void what_is_no_drain_is_not_taken_for_none(void **state)
{
    redisReply r = {.type = REDIS_REPLY_STRING, .str = (char *)"\xff", .len = 1};
    (void)state;
    router_region_life_start(life());
    for (int type = REDIS_REPLY_STRING; type <= REDIS_REPLY_ARRAY; type++) { /* one that cannot be read, and a list */
        r.type = type;
        timer();
        mer_redis_cb cb = f->on_read;
        f->on_read = NULL;
        cb(f->read_ctx, MER_OK, &r);
        assert_false(life()->known);
    }
    assert_int_equal(f->told, 0);
    timer();
    redis_says(MER_OK, NULL);
    assert_true(life()->known && !life()->drain.on);
}

static void a_write_that_was_confirmed_holds_and_is_told(void **state)
{
    (void)state;
    lead(NULL);
    set(true);
    assert_false(life()->drain.on); /* not before it stands in Redis */
    f->on_noted(f->note_ctx, MER_OK);
    assert_true(life()->known && life()->drain.on);
    assert_int_equal(f->told, 2);
    assert_int_equal(f->answered, 1);
    assert_int_equal(f->answer, MER_OK);
}

static void a_write_that_nobody_confirmed_is_read_again(void **state)
{
    (void)state;
    lead(NULL);
    set(true);
    f->on_noted(f->note_ctx, MER_ETIMEOUT);
    assert_int_equal(f->answer, MER_ETIMEOUT);
    assert_false(life()->known);
    assert_int_equal(f->told, 1); /* not the one, not the other */
    timer();
    redis_says(MER_OK, &drained); /* it stands there all the same */
    assert_true(life()->known && life()->drain.on);
    assert_int_equal(f->told, 2);
    set(false);
    f->on_noted(f->note_ctx, MER_ECLOSED);
    timer();
    redis_says(MER_OK, &drained); /* ... and this one does not */
    assert_true(life()->known && life()->drain.on);
}

static void what_was_read_before_such_a_write_ended_is_not_believed(void **state)
{
    (void)state;
    router_region_life_start(life());
    timer();
    set(true);
    f->on_noted(f->note_ctx, MER_ETIMEOUT);
    redis_says(MER_OK, NULL); /* of before */
    assert_false(life()->known);
    timer();
    redis_says(MER_OK, &drained);
    assert_true(life()->known && life()->drain.on);
}

static void a_write_that_was_fenced_changes_nothing(void **state)
{
    (void)state;
    lead(&drained);
    set(false);
    f->on_noted(f->note_ctx, MER_EFENCED);
    assert_int_equal(f->answer, MER_EFENCED);
    assert_true(life()->known && life()->drain.on);
    assert_false(mer_timer_armed(&life()->timer));
    f->note_result = MER_EFENCED;
    assert_int_equal(router_region_life_set(life(), &drained, on_answer, f), MER_EFENCED);
    assert_int_equal(f->answered, 1); /* a call that failed at once has no answer */
}

static void what_was_asked_in_an_earlier_term_says_nothing_in_this_one(void **state)
{
    (void)state;
    lead(&drained);
    set(false);
    router_region_life_stop(life());
    assert_false(life()->known || life()->drain.on);
    router_region_life_start(life());
    timer();
    f->on_noted(f->note_ctx, MER_OK); /* of the first term */
    assert_int_equal(f->answered, 1);
    assert_false(life()->known);
    redis_says(MER_OK, &drained);
    assert_true(life()->drain.on);
    router_region_life_stop(life());
    router_region_life_start(life());
    timer();
    mer_redis_cb old = f->on_read;
    void *old_ctx = f->read_ctx;
    f->on_read = NULL;
    router_region_life_stop(life());
    router_region_life_start(life());
    old(old_ctx, MER_ETIMEOUT, NULL);
    assert_int_equal(life()->values[ROUTER_RL_READ_FAILED], 0);
    timer();
    redis_says(MER_OK, NULL);
    assert_true(life()->known && !life()->drain.on);
}

static void a_confirmed_write_is_newer_than_a_read_that_was_under_way(void **state)
{
    (void)state;
    router_region_life_start(life());
    timer();
    set(true);
    f->on_noted(f->note_ctx, MER_OK);
    redis_says(MER_OK, NULL); /* asked before it was written */
    assert_true(life()->known && life()->drain.on);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_leader_reads_until_it_knows_and_tells_it),
        TEST(what_is_no_drain_is_not_taken_for_none),
        TEST(a_write_that_was_confirmed_holds_and_is_told),
        TEST(a_write_that_nobody_confirmed_is_read_again),
        TEST(what_was_read_before_such_a_write_ended_is_not_believed),
        TEST(a_write_that_was_fenced_changes_nothing),
        TEST(what_was_asked_in_an_earlier_term_says_nothing_in_this_one),
        TEST(a_confirmed_write_is_newer_than_a_read_that_was_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
