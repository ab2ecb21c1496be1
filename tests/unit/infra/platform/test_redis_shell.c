/* SPDX-License-Identifier: Apache-2.0
 * test_redis_shell.c - what the client does with batches, waits, redirects, lost connections and its own end. What it makes of replies that
 * are wrong: test_redis_hostile_shell.c. */
#include <signal.h>

#include "redis_fix.h"

#include "certs.h"

/* --- batches --- */

static void calls_of_a_turn_are_one_batch_with_one_wait(void **state)
{
    (void)state;
    start_fake(&f);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    for (int i = 0; i < 100; i++)
        assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 100);
    assert_int_equal(f.by_err[0], 100);
    assert_int_equal(f.fake.seen[FAKE_WAIT], 1);
    assert_int_equal(f.fake.largest_batch, 100);
    assert_true(metric(&f, "meridian_redis_batches_total") == 1);
    assert_true(metric(&f, "meridian_redis_durable_seconds_count") == 100);
    stop(&f);
}

static void while_both_connections_wait_calls_gather(void **state)
{
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_WAIT, FAKE_SILENCE);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    loop_run_for(&f.loop, 20); /* the durable connections too */
    for (int turn = 0; turn < 6; turn++) {
        assert_int_equal(call(&f, true), MER_OK);
        loop_run_for(&f.loop, 3);
    }
    assert_int_equal(f.fake.seen[FAKE_WAIT], 2);
    assert_int_equal(f.fake.seen[FAKE_CALL], 2);
    assert_int_equal(f.answers, 0);
    fake_set(&f.fake, FAKE_WAIT, ":2\r\n");
    for (unsigned i = 0; i < f.fake.accepted; i++)
        if (f.fake.conn[i].batches == 1 && !f.fake.conn[i].gone)
            assert_int_equal(mer_stream_write(f.fake.conn[i].stream, ":2\r\n", 4), MER_OK);
    WAIT_FOR(&f, f.answers == 6);
    assert_int_equal(f.by_err[0], 6);
    assert_int_equal(f.fake.seen[FAKE_WAIT], 3);
    stop(&f);
}

static void a_short_wait_makes_the_whole_batch_unknown_and_only_it(void **state)
{
    (void)state;
    start_fake(&f);
    f.fake.script[FAKE_WAIT][0] = ":1\r\n";
    f.fake.script[FAKE_WAIT][1] = ":2\r\n";
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    loop_run_for(&f.loop, 20);
    for (int i = 0; i < 10; i++)
        assert_int_equal(call(&f, true), MER_OK);
    loop_run_for(&f.loop, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 15);
    assert_int_equal(f.by_err[-MER_EUNKNOWN], 10);
    assert_int_equal(f.by_err[0], 5);
    assert_true(metric(&f, LOST) == 1);
    stop(&f);
}

static void errors_are_confirmed_by_the_same_wait(void **state)
{
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_CALL, "-ERR no\r\n");
    fake_set(&f.fake, FAKE_WAIT, ":0\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_EUNKNOWN);
    stop(&f);
}

static void soft_calls_need_no_wait_and_no_library(void **state)
{
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_LIBRARY, "*0\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    assert_int_equal(call(&f, false), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_OK);
    assert_string_equal(f.text, "OK");
    assert_int_equal(f.fake.seen[FAKE_WAIT], 0);
    assert_false(mer_redis_ready(f.redis));
    fake_set(&f.fake, FAKE_LIBRARY, "*1\r\n+x\r\n"); /* loaded at last */
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    assert_int_equal(f.ready, 1);
    stop(&f);
}

static void the_setting_primary_sends_no_wait(void **state)
{
    (void)state;
    start_fake(&f);
    start_client(&f, MER_DURABILITY_PRIMARY, NULL);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_OK);
    assert_int_equal(f.fake.seen[FAKE_WAIT], 0);
    stop(&f);
}

static void the_setting_one_takes_one_replica_for_enough(void **state)
{
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_WAIT, ":1\r\n");
    start_client(&f, MER_DURABILITY_ONE, NULL);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_OK);
    stop(&f);
}

#define SAYS(needs) "*3\r\n$2\r\nOK\r\n:1\r\n" needs

static void the_reply_says_how_many_replicas_are_needed(void **state)
{
    static const struct {
        const char *reply, *wait[2];
        enum mer_err result;
        unsigned waits;
    } cases[] = {
        {SAYS("$1\r\n1\r\n"), {":1\r\n"}, MER_OK, 1},                 /* asked for 2, which nobody needs any more */
        {SAYS("$1\r\n1\r\n"), {":0\r\n"}, MER_EUNKNOWN, 1},           /* nobody has it */
        {SAYS("$0\r\n\r\n"), {":1\r\n"}, MER_EUNKNOWN, 1},            /* as configured */
        {SAYS("$1\r\n3\r\n"), {":2\r\n", ":3\r\n"}, MER_OK, 2},       /* more than asked for: asked again */
        {SAYS("$1\r\n3\r\n"), {":2\r\n", ":2\r\n"}, MER_EUNKNOWN, 2}, /* and not had */
        {SAYS("$1\r\n0\r\n"), {":1\r\n"}, MER_EUNKNOWN, 1},           /* never none */
        {SAYS("$2\r\n1x\r\n"), {":1\r\n"}, MER_EUNKNOWN, 1},          /* not a number: says nothing */
        {SAYS(":1\r\n"), {":1\r\n"}, MER_EUNKNOWN, 1},
        {"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\n1\r\n", {":1\r\n"}, MER_EUNKNOWN, 1}, /* not the library's */
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        start_fake(&f);
        fake_set(&f.fake, FAKE_CALL, cases[i].reply);
        f.fake.script[FAKE_WAIT][0] = cases[i].wait[0];
        f.fake.script[FAKE_WAIT][1] = cases[i].wait[1];
        start_client(&f, MER_DURABILITY_ALL, NULL);
        assert_int_equal(call(&f, true), MER_OK);
        WAIT_FOR(&f, f.answers == 1);
        if (f.last != cases[i].result || f.fake.seen[FAKE_WAIT] != cases[i].waits)
            fail_msg("case %zu: %s after %u WAITs", i, mer_err_text(f.last), f.fake.seen[FAKE_WAIT]);
        stop(&f);
    }
}

static void a_call_may_be_content_with_fewer_replicas(void **state)
{
    const char *argv[] = {"SET", KEY, "v"};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = 3, .key = KEY, .durable = true, .replicas = 1};
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_CALL, SAYS("$1\r\n2\r\n"));
    fake_set(&f.fake, FAKE_WAIT, ":1\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    assert_int_equal(mer_redis_call(f.redis, &spec, on_answer, &f), MER_OK);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 2);
    assert_int_equal(f.by_err[0], 1); /* one batch, two outcomes */
    assert_int_equal(f.by_err[-MER_EUNKNOWN], 1);
    stop(&f);
}

static void after_a_short_wait_the_replies_say_what_to_ask_for(void **state)
{
    (void)state;
    start_fake(&f);
    f.fake.script[FAKE_CALL][0] = SAYS("$1\r\n2\r\n");
    f.fake.script[FAKE_CALL][1] = SAYS("$1\r\n1\r\n");
    fake_set(&f.fake, FAKE_WAIT, ":1\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_EUNKNOWN);
    assert_string_equal(f.fake.waited_for, "2");
    for (unsigned n = 2; n <= 3; n++) {
        assert_int_equal(call(&f, true), MER_OK);
        WAIT_FOR(&f, f.answers == n);
        assert_int_equal(f.last, MER_OK);
        assert_string_equal(f.fake.waited_for, "1");
    }
    assert_int_equal(f.fake.seen[FAKE_WAIT], 3);
    stop(&f);
}

static void a_call_to_a_node_gets_whatever_it_says(void **state)
{
    static const char *const argv[] = {"CLIENT", "LIST"};
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_SLOTS, "*0\r\n"); /* it serves nothing */
    fake_set(&f.fake, FAKE_CALL, "-LOADING Redis is loading the dataset in memory\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    assert_int_equal(mer_redis_node_call(f.redis, f.node, argv, 2, on_answer, &f), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_EREFUSED);
    assert_string_equal(f.text, "LOADING Redis is loading the dataset in memory");
    assert_int_equal(f.fake.seen[FAKE_WAIT], 0);
    assert_int_equal(mer_redis_node_call(f.redis, "127.0.0.1:1", argv, 2, on_answer, &f), MER_OK);
    WAIT_FOR(&f, f.answers == 2);
    assert_int_equal(f.last, MER_EAGAIN);
    stop(&f);
}

/* --- bounds, ends, topology --- */

static void a_node_that_is_down_costs_the_deadline_not_more(void **state)
{
    (void)state;
    start_fake(&f);
    f.node = "127.0.0.1:1";
    start_client(&f, MER_DURABILITY_ALL, NULL);
    uint64_t from = mer_clock_mono_ms(&f.loop.clock);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    uint64_t took = mer_clock_mono_ms(&f.loop.clock) - from;
    assert_int_equal(f.last, MER_EAGAIN);
    assert_true(took >= DEADLINE_MS / 2 && took < DEADLINE_MS * 8);
    stop(&f);
}

/* Time-outs open the breaker; then soft calls end at once, but for one a second; a word of the node ends that. */
static void a_node_that_is_silent_is_not_asked_by_everybody(void **state)
{
    (void)state;
    start_fake(&f);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    loop_run_for(&f.loop, 20);
    const char *library = f.fake.script[FAKE_LIBRARY][0];
    static const enum fake_command all[] = {FAKE_CALL, FAKE_LIBRARY, FAKE_INFO, FAKE_SLOTS};
    for (size_t i = 0; i < MER_COUNT(all); i++)
        fake_set(&f.fake, all[i], FAKE_SILENCE);
    for (int i = 0; i < 8; i++)
        assert_int_equal(call(&f, false), MER_OK);
    WAIT_FOR(&f, f.answers == 8);
    assert_int_equal(metric(&f, "meridian_redis_breaker_opened_total"), 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(call(&f, false), MER_OK);
    assert_int_equal(call(&f, true), MER_OK); /* durable: it waits */
    assert_int_equal(f.answers, 8);           /* never inside the call */
    loop_run_for(&f.loop, DEADLINE_MS / 3);
    assert_int_equal(f.answers, 108);
    assert_int_equal(f.by_err[-MER_EAGAIN] + f.by_err[-MER_EUNKNOWN], 108);
    assert_int_equal(metric(&f, "meridian_redis_breaker_refused_total"), 100);
    fake_set(&f.fake, FAKE_LIBRARY, library);
    fake_set(&f.fake, FAKE_CALL, "+OK\r\n");
    WAIT_FOR(&f, call(&f, false) == MER_OK && f.last == MER_OK);
    assert_int_equal(metric(&f, "meridian_redis_breaker_opened_total"), 1);
    stop(&f);
}

static void more_than_64_ki_waiting_calls_are_refused(void **state)
{
    (void)state;
    start_fake(&f);
    f.node = "127.0.0.1:1";
    start_client(&f, MER_DURABILITY_ALL, NULL);
    for (int i = 0; i < 64 * 1024; i++)
        assert_int_equal(call(&f, i % 2), MER_OK);
    assert_int_equal(call(&f, true), MER_EBUSY);
    assert_int_equal(f.answers, 0);
    mer_redis_destroy(f.redis);
    f.redis = NULL;
    assert_int_equal(f.answers, 64 * 1024);
    assert_int_equal(f.by_err[-MER_EAGAIN], 64 * 1024);
    stop(&f);
}

static void destroy_answers_everything_in_the_same_turn(void **state)
{
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_WAIT, FAKE_SILENCE);
    fake_set(&f.fake, FAKE_CALL, FAKE_SILENCE);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    loop_run_for(&f.loop, 20);
    for (int turn = 0; turn < 3; turn++) { /* two batches on their way, one waiting */
        for (int i = 0; i < 4; i++)
            assert_int_equal(call(&f, true), MER_OK);
        loop_run_for(&f.loop, 2);
    }
    assert_int_equal(call(&f, false), MER_OK);
    loop_run_for(&f.loop, 2);
    mer_redis_destroy(f.redis);
    f.redis = NULL;
    assert_int_equal(f.answers, 13);
    assert_int_equal(f.by_err[-MER_EUNKNOWN], 9);
    assert_int_equal(f.by_err[-MER_EAGAIN], 4);
    loop_run_for(&f.loop, 5);
    assert_int_equal(f.answers, 13);
    stop(&f);
}

static void destroying_inside_a_callback_is_allowed(void **state)
{
    static const char *const waits[] = {":2\r\n", ":0\r\n", FAKE_CLOSE, FAKE_SILENCE};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(waits); i++) {
        start_fake(&f);
        fake_set(&f.fake, FAKE_WAIT, waits[i]);
        start_client(&f, MER_DURABILITY_ALL, NULL);
        for (int n = 0; n < 5; n++)
            assert_int_equal(call(&f, true), MER_OK);
        f.destroy_in_callback = 1;
        WAIT_FOR(&f, f.answers == 5);
        loop_run_for(&f.loop, 5);
        stop(&f);
    }
}

static void a_lost_connection_comes_back(void **state)
{
    (void)state;
    start_fake(&f);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    for (int round = 0; round < 5; round++) {
        WAIT_FOR(&f, mer_redis_ready(f.redis));
        assert_int_equal(f.ready, round + 1);
        for (unsigned i = 0; i < f.fake.accepted; i++)
            if (!f.fake.conn[i].gone)
                mer_stream_close(f.fake.conn[i].stream);
        WAIT_FOR(&f, !mer_redis_ready(f.redis));
    }
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    stop(&f);
}

static void the_owner_hears_of_a_new_primary_and_waiting_calls_go_there(void **state)
{
    static struct fake_redis other;
    (void)state;
    start_fake(&f);
    fake_start(&other, &f.loop, 0, NULL);
    fake_set(&other, FAKE_CALL, "$5\r\nother\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    fake_set(&f.fake, FAKE_SLOTS, other.slots);
    fake_set(&f.fake, FAKE_CALL, "-READONLY You can't write against a read only replica.\r\n");
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_OK);
    assert_string_equal(f.text, "other");
    assert_int_equal(f.changes, 1);
    WAIT_FOR(&f, f.fake.open == 0); /* the old one is not needed any more */
    fake_stop(&other);
    stop(&f);
}

#define INFO(id) "$62\r\n# Server\r\nrun_id:" id id id id "\r\nx:1\r\n"

static void a_primary_that_was_started_again_counts_as_changed(void **state)
{
    (void)state;
    start_fake(&f);
    f.fake.script[FAKE_INFO][0] = INFO("0123456789");
    f.fake.script[FAKE_INFO][1] = INFO("0123456789");
    f.fake.script[FAKE_INFO][2] = INFO("abcdef0123");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    WAIT_FOR(&f, f.fake.seen[FAKE_INFO] == 1);
    loop_run_for(&f.loop, 20);
    uint64_t since = mer_redis_up_since_ms(f.redis, KEY);
    assert_true(since <= f.loop.now_ms);
    for (unsigned n = 2; n <= 3; n++) {
        for (unsigned i = 0; i < f.fake.accepted; i++)
            if (!f.fake.conn[i].gone && !f.fake.conn[i].hung_up)
                mer_stream_close(f.fake.conn[i].stream), f.fake.conn[i].hung_up = true;
        WAIT_FOR(&f, f.fake.seen[FAKE_INFO] == n);
        loop_run_for(&f.loop, 20);
        assert_int_equal(f.changes, n == 3); /* the same process first, then another one */
    }
    assert_true(mer_redis_up_since_ms(f.redis, KEY) > since);
    stop(&f);
}

static void a_map_with_an_unknown_host_means_the_one_that_answered(void **state)
{
    static const char *const hosts[] = {"$-1\r\n", "$0\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(hosts); i++) {
        char map[128];
        start_fake(&f);
        snprintf(map, sizeof(map), "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n%s:%s\r\n", hosts[i], strrchr(f.node, ':') + 1);
        fake_set(&f.fake, FAKE_SLOTS, map);
        start_client(&f, MER_DURABILITY_ALL, NULL);
        WAIT_FOR(&f, mer_redis_ready(f.redis));
        stop(&f);
    }
}

static void everything_goes_over_tls_too(void **state)
{
    (void)state;
    start_fake(&f);
    fake_stop(&f.fake);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = certs_make("ca", "critical,CA:TRUE", NULL, key), *cert = certs_make("redis", "IP:127.0.0.1", ca, key);
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(server, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server, key), 1);
    f.tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(f.tls, SSL_VERIFY_PEER, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(f.tls), ca);
    loop_run_for(&f.loop, 2);
    fake_start(&f.fake, &f.loop, 0, server);
    f.node = mer_listener_address(f.fake.listener);
    start_client(&f, MER_DURABILITY_ALL, "secret");
    for (int i = 0; i < 10; i++)
        assert_int_equal(call(&f, i % 2), MER_OK);
    WAIT_FOR(&f, f.answers == 10);
    assert_int_equal(f.by_err[0], 10);
    WAIT_FOR(&f, f.fake.seen[FAKE_AUTH] == 3); /* soft, durable, durable */
    stop(&f);
    SSL_CTX_free(server);
    SSL_CTX_free(f.tls);
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
}

static void out_of_memory_is_an_answer(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 40; n++) {
        start_fake(&f);
        start_client(&f, MER_DURABILITY_ALL, "secret");
        WAIT_FOR(&f, mer_redis_ready(f.redis));
        mer_mem_fail_at(n);
        unsigned taken = 0;
        for (int i = 0; i < 3; i++)
            taken += call(&f, i % 2) == MER_OK;
        WAIT_FOR(&f, f.answers == taken);
        mer_mem_fail_at(0);
        stop(&f);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as every service does (mer_process_raise_limits) */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_a_turn_are_one_batch_with_one_wait),
        cmocka_unit_test(while_both_connections_wait_calls_gather),
        cmocka_unit_test(a_short_wait_makes_the_whole_batch_unknown_and_only_it),
        cmocka_unit_test(errors_are_confirmed_by_the_same_wait),
        cmocka_unit_test(soft_calls_need_no_wait_and_no_library),
        cmocka_unit_test(the_setting_primary_sends_no_wait),
        cmocka_unit_test(the_setting_one_takes_one_replica_for_enough),
        cmocka_unit_test(the_reply_says_how_many_replicas_are_needed),
        cmocka_unit_test(a_call_may_be_content_with_fewer_replicas),
        cmocka_unit_test(after_a_short_wait_the_replies_say_what_to_ask_for),
        cmocka_unit_test(a_call_to_a_node_gets_whatever_it_says),
        cmocka_unit_test(a_node_that_is_down_costs_the_deadline_not_more),
        cmocka_unit_test(a_node_that_is_silent_is_not_asked_by_everybody),
        cmocka_unit_test(more_than_64_ki_waiting_calls_are_refused),
        cmocka_unit_test(destroy_answers_everything_in_the_same_turn),
        cmocka_unit_test(destroying_inside_a_callback_is_allowed),
        cmocka_unit_test(a_lost_connection_comes_back),
        cmocka_unit_test(the_owner_hears_of_a_new_primary_and_waiting_calls_go_there),
        cmocka_unit_test(a_primary_that_was_started_again_counts_as_changed),
        cmocka_unit_test(a_map_with_an_unknown_host_means_the_one_that_answered),
        cmocka_unit_test(everything_goes_over_tls_too),
        cmocka_unit_test(out_of_memory_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
