/* SPDX-License-Identifier: Apache-2.0
 * test_redis_subscribe_shell.c - a subscription against a Redis that says what it likes (fake_redis.h): it comes up, hears, and comes back
 * after whatever takes it down. */
#include "unit.h"

#include <meridian/redis_subscribe.h>

#include "fake_redis.h"
#include "loop_run.h"

#define CHANNEL "bus:e.1"
#define SUBSCRIBED "*3\r\n$10\r\nssubscribe\r\n$7\r\nbus:e.1\r\n:1\r\n"
#define UNSUBSCRIBED "*3\r\n$12\r\nsunsubscribe\r\n$7\r\nbus:e.1\r\n:0\r\n"
#define MESSAGE "*3\r\n$8\r\nsmessage\r\n$7\r\nbus:e.1\r\n$5\r\nhe\0lo\r\n"
#define PONG "*2\r\n$4\r\npong\r\n$0\r\n\r\n"

struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_rng_seeded seed;
    struct fake_redis fake;
    struct mer_redis *redis;
    struct mer_redis_sub *sub;
    const char *node;
    unsigned ups, downs, messages, ends;
    size_t len;
    char why[64];
    bool leave_inside;
};

static void leave(struct fix *f)
{
    mer_redis_unsubscribe(f->sub);
    f->sub = NULL;
}
static void on_up(void *ctx)
{
    ((struct fix *)ctx)->ups++;
}
static void on_down(void *ctx, const char *why)
{
    struct fix *f = ctx;
    f->downs++;
    snprintf(f->why, sizeof(f->why), "%s", why);
    if (f->leave_inside)
        leave(f);
}
static void on_message(void *ctx, const uint8_t *data, size_t len)
{
    struct fix *f = ctx;
    f->messages++;
    f->len = len;
    assert_memory_equal(data, "he\0lo", 5);
    if (f->leave_inside)
        leave(f);
}
static void on_end(void *ctx)
{
    ((struct fix *)ctx)->ends++;
}

/* Soft calls and the subscription share the script of "any other command": the client has no calls of its own here. */
static void begin(struct fix *f, const char *password, const char *answer)
{
    static const struct mer_redis_sub_cbs cbs = {on_up, on_down, on_message, on_end};
    memset(f, 0, sizeof(*f));
    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    mer_log_init(&f->log, -1, MER_ERROR, mer_clock_system());
    f->log.level = (enum mer_level) - 1; /* what goes wrong here goes wrong on purpose */
    mer_metrics_init(&f->metrics);
    fake_start(&f->fake, &f->loop, mer_redis_slot(CHANNEL, strlen(CHANNEL)), NULL);
    fake_set(&f->fake, FAKE_CALL, answer);
    f->node = mer_listener_address(f->fake.listener);
    struct mer_redis_conf conf = {.loop = &f->loop,
                                  .log = &f->log,
                                  .rng = mer_rng_seed(&f->seed, 7),
                                  .metrics = &f->metrics,
                                  .nodes = &f->node,
                                  .node_count = 1,
                                  .password = password,
                                  .durability = MER_DURABILITY_PRIMARY,
                                  .wait_ms = 50,
                                  .deadline_ms = 150};
    assert_int_equal(mer_redis_create(&f->redis, &conf), MER_OK);
    assert_int_equal(mer_redis_subscribe(&f->sub, f->redis, CHANNEL, &cbs, f), MER_OK);
}
static void end(struct fix *f)
{
    mer_redis_unsubscribe(f->sub);
    mer_redis_destroy(f->redis);
    fake_stop(&f->fake);
    mer_loop_deinit(&f->loop);
}
/* The connection that was subscribed last. */
static void push(struct fix *f, const char *bytes, size_t len)
{
    struct fake_conn *c = NULL;
    for (unsigned i = 0; i < f->fake.accepted; i++)
        if (!f->fake.conn[i].gone && f->fake.conn[i].calls_since_wait > 0)
            c = &f->fake.conn[i];
    assert_non_null(c);
    assert_int_equal(mer_stream_write(c->stream, bytes, len), MER_OK);
}
#define PUSH(f, text) push(f, text, sizeof(text) - 1)

static void messages_of_the_channel_are_heard(void **state)
{
    struct fix f;
    (void)state;
    begin(&f, "secret", SUBSCRIBED);
    WAIT_FOR(&f, f.ups == 1);
    assert_true(mer_redis_sub_is_up(f.sub));
    PUSH(&f, MESSAGE MESSAGE);
    WAIT_FOR(&f, f.messages == 2);
    assert_int_equal(f.len, 5);
    assert_int_equal(f.downs, 0);
    end(&f);
}

static void it_comes_back_after_whatever_takes_it_down(void **state)
{
    static const char *const ends[] = {UNSUBSCRIBED, "-ERR no\r\n", "*3\r\n$1\r\nx\r\n$1\r\ny\r\n:1\r\n", "nonsense\r\n", ":1\r\n"};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(ends); i++) {
        struct fix f;
        begin(&f, NULL, SUBSCRIBED);
        WAIT_FOR(&f, f.ups == 1);
        push(&f, ends[i], strlen(ends[i]));
        WAIT_FOR(&f, f.downs == 1);
        WAIT_FOR(&f, f.ups == 2);
        PUSH(&f, MESSAGE);
        WAIT_FOR(&f, f.messages == 1);
        end(&f);
    }
}

static void what_is_not_a_subscription_is_tried_again(void **state)
{
    static const char *const answers[] = {"-MOVED 1 127.0.0.1:1\r\n",
                                          "-CLUSTERDOWN no\r\n",
                                          "+OK\r\n",
                                          MESSAGE,
                                          FAKE_CLOSE,
                                          "*3\r\n$10\r\nssubscribe\r\n$5\r\nother\r\n:1\r\n"};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(answers); i++) {
        struct fix f;
        begin(&f, NULL, answers[i]);
        WAIT_FOR(&f, f.fake.seen[FAKE_CALL] >= 2);
        assert_int_equal(f.ups + f.downs + f.messages, 0);
        fake_set(&f.fake, FAKE_CALL, SUBSCRIBED);
        WAIT_FOR(&f, f.ups == 1);
        end(&f);
    }
}

static void a_wrong_password_is_no_subscription(void **state)
{
    struct fix f;
    (void)state;
    begin(&f, "secret", SUBSCRIBED);
    fake_set(&f.fake, FAKE_AUTH, "-WRONGPASS no\r\n");
    WAIT_FOR(&f, f.fake.seen[FAKE_AUTH] >= 3);
    assert_int_equal(f.ups, 0);
    end(&f);
}

static void a_node_that_hangs_is_left_and_one_that_answers_is_kept(void **state)
{
    struct fix f;
    (void)state;
    begin(&f, NULL, SUBSCRIBED);
    f.fake.script[FAKE_CALL][1] = PONG;
    loop_run_for(&f.loop, 2800);
    assert_int_equal(f.ups, 1);
    assert_int_equal(f.downs, 0);
    fake_set(&f.fake, FAKE_CALL, FAKE_SILENCE);
    WAIT_FOR(&f, f.downs == 1);
    assert_string_equal(f.why, "silent");
    end(&f);
}

static void it_may_be_left_from_inside_a_callback(void **state)
{
    static const char *const events[] = {UNSUBSCRIBED, FAKE_CLOSE};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fix f;
        begin(&f, NULL, SUBSCRIBED);
        f.leave_inside = true;
        WAIT_FOR(&f, f.ups == 1);
        if (i == 2)
            PUSH(&f, MESSAGE MESSAGE);
        else
            push(&f, events[i], strlen(events[i])); /* the second is not RESP */
        WAIT_FOR(&f, f.sub == NULL);
        loop_run_for(&f.loop, 20);
        assert_int_equal(f.messages + f.downs, 1);
        end(&f);
    }
}

static void the_end_of_the_client_is_told_once(void **state)
{
    struct fix f;
    (void)state;
    begin(&f, NULL, SUBSCRIBED);
    WAIT_FOR(&f, f.ups == 1);
    mer_redis_destroy(f.redis);
    f.redis = NULL;
    assert_int_equal(f.ends, 1);
    assert_int_equal(f.downs, 0);
    loop_run_for(&f.loop, 20);
    end(&f);
    assert_int_equal(f.ends, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_the_channel_are_heard),
        cmocka_unit_test(it_comes_back_after_whatever_takes_it_down),
        cmocka_unit_test(what_is_not_a_subscription_is_tried_again),
        cmocka_unit_test(a_wrong_password_is_no_subscription),
        cmocka_unit_test(a_node_that_hangs_is_left_and_one_that_answers_is_kept),
        cmocka_unit_test(it_may_be_left_from_inside_a_callback),
        cmocka_unit_test(the_end_of_the_client_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
