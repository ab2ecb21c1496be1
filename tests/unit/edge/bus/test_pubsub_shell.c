/* SPDX-License-Identifier: Apache-2.0
 * test_pubsub_shell.c - the bus over a pub/sub that loses, repeats, fails or goes (fake_broker.h): whatever happens to a frame, either its
 * message arrives in order, once, or both sides are told that the life is over, and the next message begins a new one. */
#include "bus_fix.h"

/* A life in which each side has heard the other. */
static void meet(struct fix *f)
{
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got == 1);
    assert_int_equal(send_text(f->b.bus, "a.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.got == 1);
}
static void break_next(struct fix *f, enum broker_fault fault, unsigned frames)
{
    f->broker.fault = fault;
    f->broker.faults = frames;
}
/* After the trouble: one more message each way, over a new life. */
static void meet_again(struct fix *f)
{
    unsigned a = f->a.got, b = f->b.got;
    assert_int_equal(send_text(f->a.bus, "b.1", "y"), MER_OK);
    assert_int_equal(send_text(f->b.bus, "a.1", "y"), MER_OK);
    WAIT_FOR(f, f->a.got == a + 1 && f->b.got == b + 1);
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->a.got, a + 1);
    assert_int_equal(f->b.got, b + 1);
}

static void a_lost_message_is_noticed_with_the_next_one(void **state)
{
    struct fix *f = *state;
    meet(f);
    break_next(f, BROKER_LOSES, 1);
    assert_int_equal(send_text(f->a.bus, "b.1", "lost"), MER_OK);
    assert_int_equal(send_text(f->a.bus, "b.1", "behind it"), MER_OK);
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->b.got, 1); /* what comes behind a gap is not taken */
    assert_int_equal(f->a.downs, 1);
    assert_int_equal(f->b.downs, 1);
    assert_int_equal(f->a.dead + f->b.dead, 0);
    meet_again(f);
    assert_int_equal(f->a.downs + f->b.downs, 2);
}

static void even_a_lost_last_message_is_noticed_within_a_heartbeat(void **state)
{
    struct fix *f = *state;
    meet(f);
    break_next(f, BROKER_LOSES, 1);
    assert_int_equal(send_text(f->a.bus, "b.1", "lost"), MER_OK);
    uint64_t began = f->loop.now_ms;
    WAIT_FOR(f, f->b.downs == 1);
    assert_in_range(f->loop.now_ms - began, 0, 1500);
    WAIT_FOR(f, f->a.downs == 1);
    meet_again(f);
}

static void a_message_that_comes_twice_is_taken_once(void **state)
{
    struct fix *f = *state;
    meet(f);
    break_next(f, BROKER_REPEATS, 1);
    assert_int_equal(send_text(f->a.bus, "b.1", "twice"), MER_OK);
    WAIT_FOR(f, f->a.downs == 1 && f->b.downs == 1);
    assert_int_equal(f->b.got, 2);
    meet_again(f);
}

static void what_redis_says_of_a_message_is_believed_at_once(void **state)
{
    static const enum broker_fault faults[] = {BROKER_FAILS, BROKER_HEARS_NOBODY};
    struct fix *f = *state;
    meet(f);
    for (unsigned i = 0; i < MER_COUNT(faults); i++) {
        break_next(f, faults[i], 1);
        assert_int_equal(send_text(f->a.bus, "b.1", "unheard"), MER_OK);
        loop_run_for(&f->loop, 20);
        assert_int_equal(f->a.downs, i + 1);
        assert_int_equal(f->b.downs, i + 1); /* by the bye */
        assert_int_equal(f->a.dead, 0);
        assert_in_range(f->broker.checks, i + 1, 2 * (i + 1)); /* b looks whether it is where it should be, a whether it speaks there */
        meet_again(f);
    }
}

static void who_is_not_heard_does_not_live_life_after_life(void **state)
{
    struct fix *f = *state;
    meet(f);
    f->b.echo_to = f->b.bus;
    uint64_t began = f->loop.now_ms;
    f->broker.unheard = "bus:b.1"; /* delivered all the same */
    while (f->loop.now_ms - began < 1000) {
        (void)!send_text(f->a.bus, "b.1", "x");
        (void)!send_text(f->b.bus, "a.1", "x");
        loop_run_for(&f->loop, 5);
    }
    assert_in_range(f->a.downs, 1, 6);
    f->b.echo_to = NULL;
    f->broker.unheard = NULL;
    loop_run_for(&f->loop, 500);
    meet_again(f);
}

static void a_bye_that_is_lost_is_made_good_by_the_next_hello(void **state)
{
    struct fix *f = *state;
    meet(f);
    break_next(f, BROKER_HEARS_NOBODY, 2); /* the message and the bye */
    assert_int_equal(send_text(f->a.bus, "b.1", "unheard"), MER_OK);
    loop_run_for(&f->loop, 20);
    assert_int_equal(f->a.downs, 1);
    assert_int_equal(f->b.downs, 0);
    assert_int_equal(send_text(f->a.bus, "b.1", "y"), MER_OK);
    WAIT_FOR(f, f->b.got == 2);
    assert_int_equal(f->b.downs, 1); /* before the message of the new life */
    meet_again(f);
}

static void three_seconds_of_silence_end_a_life(void **state)
{
    struct fix *f = *state;
    meet(f);
    break_next(f, BROKER_LOSES, 1000);
    uint64_t began = f->loop.now_ms;
    WAIT_FOR(f, f->a.downs == 1 && f->b.downs == 1);
    assert_in_range(f->loop.now_ms - began, 1900, 4200);
    break_next(f, BROKER_FINE, 0);
    meet_again(f);
}

static void a_pair_in_use_says_something_every_second(void **state)
{
    struct fix *f = *state;
    meet(f);
    unsigned before = f->broker.published;
    loop_run_for(&f->loop, 3300);
    assert_in_range(f->broker.published - before, 5, 7);
    assert_int_equal(f->a.downs + f->b.downs, 0);
}

static void a_lost_hello_is_repeated(void **state)
{
    struct fix *f = *state;
    break_next(f, BROKER_LOSES, 2);
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got == 1);
    meet_again(f);
    assert_int_equal(f->a.downs + f->b.downs, 0);
}

static void hellos_of_both_at_once_make_one_life(void **state)
{
    struct fix *f = *state;
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    assert_int_equal(send_text(f->b.bus, "a.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.got == 1 && f->b.got == 1);
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->a.downs + f->b.downs, 0);
}

static void nobody_calls_before_he_could_hear_an_answer(void **state)
{
    struct fix *f = *state;
    f->broker.sub[0].down = true; /* a's */
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    loop_run_for(&f->loop, 300);
    assert_int_equal(f->broker.published, 0);
    f->broker.sub[0].down = false;
    WAIT_FOR(f, f->b.got == 1);
    assert_int_equal(f->a.downs, 0);
}

static void a_subscription_that_was_away_without_a_loss_ends_nothing(void **state)
{
    struct fix *f = *state;
    meet(f);
    f->broker.sub[0].cbs->on_down(f->broker.sub[0].ctx, "a moved slot");
    f->broker.sub[0].cbs->on_up(f->broker.sub[0].ctx);
    meet_again(f);
    assert_int_equal(f->a.downs + f->b.downs, 0);
}

static void when_not_all_that_waited_could_go_the_life_is_over(void **state)
{
    struct fix *f = *state;
    break_next(f, BROKER_REFUSES, 1);
    f->broker.skip = 3; /* two hellos, and what a says when it is up; b's answer comes before */
    assert_int_equal(send_text(f->a.bus, "b.1", "not taken"), MER_OK);
    assert_int_equal(send_text(f->a.bus, "b.1", "taken"), MER_OK);
    WAIT_FOR(f, f->a.downs == 1);
    loop_run_for(&f->loop, 100);
    assert_true(f->b.got == 0 || f->b.downs == 1);
    meet_again(f);
}

static void what_redis_has_not_answered_is_bounded(void **state)
{
    struct fix *f = *state;
    static char text[32 * 1024];
    memset(text, 'x', sizeof text - 1);
    meet(f);
    enum mer_err err = MER_OK;
    int sent = 0;
    for (; err == MER_OK && sent < 100; sent++)
        err = send_text(f->a.bus, "b.1", text);
    assert_int_equal(err, MER_EBUSY);
    assert_in_range(sent, 31, 33); /* a MiB */
    WAIT_FOR(f, f->b.got == 1 + (unsigned)sent - 1);
    assert_int_equal(f->a.downs + f->b.downs, 0);
    meet_again(f);
}

static void an_address_of_the_other_carrier_is_unreachable(void **state)
{
    struct fix *f = *state;
    know(f, 2, "d.1", "unix:/run/d.sock", EDGE_STORE_OK);
    assert_int_equal(send_text(f->a.bus, "d.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.downs == 1);
    assert_int_equal(f->a.dead, 0);
    assert_int_equal(f->broker.published, 0);
}

static void what_is_no_frame_has_no_effect(void **state)
{
    static const char *const frames[] = {"", "\xff\xff\xff", "hello", "\x0a\x00\x10\x01\x18\x00\x20\x00\x28\x00"};
    struct fix *f = *state;
    meet(f);
    for (unsigned i = 0; i < MER_COUNT(frames); i++)
        f->broker.sub[0].cbs->on_message(f->broker.sub[0].ctx, (const uint8_t *)frames[i], i == 3 ? 10 : strlen(frames[i]));
    meet_again(f);
    assert_int_equal(f->a.downs + f->b.downs, 0);
}

static void the_end_of_redis_client_is_the_end_of_talking_and_nobody_is_told(void **state)
{
    struct fix *f = *state;
    meet(f);
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    f->broker.sub[0].cbs->on_end(f->broker.sub[0].ctx);
    break_next(f, BROKER_FAILS, 10);
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_EBUSY);
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->a.downs, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_redis, teardown)
    const struct CMUnitTest tests[] = {
        T(a_lost_message_is_noticed_with_the_next_one),
        T(even_a_lost_last_message_is_noticed_within_a_heartbeat),
        T(a_message_that_comes_twice_is_taken_once),
        T(what_redis_says_of_a_message_is_believed_at_once),
        T(who_is_not_heard_does_not_live_life_after_life),
        T(a_bye_that_is_lost_is_made_good_by_the_next_hello),
        T(three_seconds_of_silence_end_a_life),
        T(a_pair_in_use_says_something_every_second),
        T(a_lost_hello_is_repeated),
        T(hellos_of_both_at_once_make_one_life),
        T(nobody_calls_before_he_could_hear_an_answer),
        T(a_subscription_that_was_away_without_a_loss_ends_nothing),
        T(when_not_all_that_waited_could_go_the_life_is_over),
        T(what_redis_has_not_answered_is_bounded),
        T(an_address_of_the_other_carrier_is_unreachable),
        T(what_is_no_frame_has_no_effect),
        T(the_end_of_redis_client_is_the_end_of_talking_and_nobody_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
