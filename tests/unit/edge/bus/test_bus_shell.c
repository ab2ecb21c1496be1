/* SPDX-License-Identifier: Apache-2.0
 * test_bus_shell.c - what the bus promises, over either carrier (bus_fix.h); what only one of them can do is at the end, or in
 * test_pubsub_shell.c. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "bus_fix.h"

static bool stop_after_turn(struct mer_hook *h)
{
    (void)h;
    return false;
}

static void a_message_to_oneself_arrives_in_the_same_turn(void **state)
{
    struct fix *f = *state;
    struct mer_hook h = {.cb = stop_after_turn};
    mer_loop_hook_add(&f->loop, MER_PHASE_PLAYER, &h);
    assert_int_equal(send_text(f->a.bus, "a.1", "x"), MER_OK);
    assert_int_equal(f->a.got, 0); /* never inside the call */
    mer_loop_stop(&f->loop);       /* one turn only */
    mer_loop_run(&f->loop);
    assert_int_equal(f->a.got, 1);
    assert_string_equal(f->a.from, "a.1");
    mer_loop_hook_remove(&h);
}

static void messages_go_both_ways_in_order(void **state)
{
    struct fix *f = *state;
    uint64_t sum = 0;
    f->b.echo_to = f->b.bus;
    for (int i = 0; i < 100; i++) {
        char text[2] = {(char)('a' + i % 26), 0};
        assert_int_equal(send_text(f->a.bus, "b.1", text), MER_OK);
        sum = sum * 31 + (unsigned char)text[0];
    }
    WAIT_FOR(f, f->b.got == 100 && f->a.got == 100);
    assert_true(f->b.sum == sum);
    assert_string_equal(f->b.from, "a.1");
    assert_string_equal(f->a.from, "b.1");
    assert_int_equal(f->store.asked, 1); /* b answered the way a had come */
}

static void both_dialling_at_once_lose_nothing(void **state)
{
    struct fix *f = *state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
        assert_int_equal(send_text(f->b.bus, "a.1", "y"), MER_OK);
    }
    WAIT_FOR(f, f->a.got == 10 && f->b.got == 10);
    loop_run_for(&f->loop, 100);
    assert_int_equal(f->a.downs + f->b.downs, 0);
}

static void a_peer_without_liveness_key_is_dead(void **state)
{
    struct fix *f = *state;
    assert_int_equal(send_text(f->a.bus, "c.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.downs == 1);
    assert_int_equal(f->a.dead, 1);
    assert_int_equal(send_text(f->a.bus, "c.1", "x"), MER_ECLOSED);
}

static void a_store_that_cannot_answer_is_asked_again(void **state)
{
    struct fix *f = *state;
    know(f, 1, "b.1", "", EDGE_STORE_UNKNOWN);
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->b.got, 0);
    know(f, 1, "b.1", edge_bus_address(f->b.bus), EDGE_STORE_OK);
    WAIT_FOR(f, f->b.got == 1);
    assert_int_equal(f->a.downs, 0);
}

/* A hung process: takes connections, or is subscribed, and says nothing. */
static int mute_peer(struct fix *f, char address[32])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    if (f->carrier == EDGE_BUS_REDIS) {
        fake_broker_mute(&f->broker, "bus:d.1");
        snprintf(address, 32, "bus:d.1");
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(address, 32, "127.0.0.1:%u", ntohs(a.sin_port));
    return fd;
}

static void a_peer_that_does_not_answer_is_told_and_what_waited_is_dropped(void **state)
{
    struct fix *f = *state;
    char address[32];
    int fd = mute_peer(f, address);
    know(f, 2, "d.1", address, EDGE_STORE_OK);
    assert_int_equal(send_text(f->a.bus, "d.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.downs == 1);
    assert_int_equal(f->a.dead, 0);
    /* The next message starts anew; meanwhile its key ran out. */
    f->store.row[2].result = EDGE_STORE_ABSENT;
    assert_int_equal(send_text(f->a.bus, "d.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.downs == 2);
    assert_int_equal(f->a.dead, 1);
    if (fd >= 0)
        close(fd);
}

static void a_peer_whose_address_refuses_is_dead_whatever_its_key_says(void **state)
{
    struct fix *f = *state;
    know(f, 2, "d.1", "127.0.0.1:1", EDGE_STORE_OK);
    assert_int_equal(send_text(f->a.bus, "d.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.downs == 1);
    assert_int_equal(f->a.dead, 1);
    assert_int_equal(send_text(f->a.bus, "d.1", "x"), MER_ECLOSED);
}

static void an_incarnation_at_another_ones_address_is_not_talked_to(void **state)
{
    struct fix *f = *state;
    know(f, 2, "d.1", edge_bus_address(f->b.bus), EDGE_STORE_OK);
    assert_int_equal(send_text(f->a.bus, "d.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.downs == 1);
    assert_int_equal(f->a.dead, 1); /* its successor has the address */
    assert_int_equal(f->b.got, 0);
}

static void what_waits_for_a_peer_is_bounded(void **state)
{
    struct fix *f = *state;
    static char text[32 * 1024];
    memset(text, 'x', sizeof text - 1);
    know(f, 1, "b.1", "", EDGE_STORE_UNKNOWN);
    enum mer_err err = MER_OK;
    int sent = 0;
    for (; err == MER_OK && sent < 100; sent++)
        err = send_text(f->a.bus, "b.1", text);
    assert_int_equal(err, MER_EBUSY);
    assert_int_equal(sent, 8);
}

/* What was sent is flushed, and fails; then the hooks run, and nobody was told yet that the link is down. */
static bool send_after_flush(struct mer_hook *h)
{
    struct fix *f = MER_CONTAINER_OF(h, struct fix, hook);
    f->late = send_text(f->a.bus, "b.1", "y");
    mer_loop_hook_remove(h);
    mer_loop_stop(&f->loop);
    return false;
}
static void break_link(struct mer_timer *t)
{
    struct fix *f = MER_CONTAINER_OF(t, struct fix, breaker);
    edge_bus_destroy(f->b.bus);
    f->b.bus = NULL;
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    f->hook.cb = send_after_flush;
    mer_loop_hook_add(&f->loop, MER_PHASE_PLAYER, &f->hook);
}

static void a_link_that_breaks_under_a_message_is_no_dead_peer(void **state)
{
    struct fix *f = *state;
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got == 1);
    mer_timer_init(&f->breaker, break_link);
    mer_loop_arm(&f->loop, &f->breaker, 5);
    mer_loop_run(&f->loop);
    assert_int_equal(f->late, MER_EBUSY);
    WAIT_FOR(f, f->a.downs == 1);
    assert_int_equal(f->a.dead, 0);
}

static void the_end_of_a_peer_is_told_once(void **state)
{
    struct fix *f = *state;
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got == 1);
    edge_bus_destroy(f->b.bus);
    f->b.bus = NULL;
    WAIT_FOR(f, f->a.downs == 1);
    assert_int_equal(f->a.dead, 0);
    loop_run_for(&f->loop, 200);
    assert_int_equal(f->a.downs, 1);
}

static void a_bus_may_go_while_an_answer_is_awaited(void **state)
{
    struct fix *f = *state;
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    edge_bus_destroy(f->a.bus);
    f->a.bus = NULL;
    loop_run_for(&f->loop, 20);
    assert_int_equal(f->a.downs + f->b.got, 0);
}

static void a_pair_that_says_nothing_for_a_minute_ends_untold(void **state)
{
    struct fix *f = *state;
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got == 1);
    f->skipped_us += 61 * 1000 * 1000;
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->a.downs, 0); /* the side that said it is over */
    f->b.downs = 0;
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    WAIT_FOR(f, f->b.got == 2);
    assert_int_equal(f->store.asked, 2);
}

int main(void)
{
#define BOTH(name) \
    cmocka_unit_test_setup_teardown(name, setup_links, teardown), \
    { \
#name "_over_redis", name, setup_redis, teardown, NULL \
    }
#define LINKS(name) cmocka_unit_test_setup_teardown(name, setup_links, teardown)
    const struct CMUnitTest tests[] = {
        BOTH(a_message_to_oneself_arrives_in_the_same_turn),
        BOTH(messages_go_both_ways_in_order),
        BOTH(both_dialling_at_once_lose_nothing),
        BOTH(a_peer_without_liveness_key_is_dead),
        BOTH(a_store_that_cannot_answer_is_asked_again),
        BOTH(a_peer_that_does_not_answer_is_told_and_what_waited_is_dropped),
        BOTH(what_waits_for_a_peer_is_bounded),
        BOTH(the_end_of_a_peer_is_told_once),
        BOTH(a_bus_may_go_while_an_answer_is_awaited),
        BOTH(a_pair_that_says_nothing_for_a_minute_ends_untold),
        LINKS(a_peer_whose_address_refuses_is_dead_whatever_its_key_says),
        LINKS(an_incarnation_at_another_ones_address_is_not_talked_to),
        LINKS(a_link_that_breaks_under_a_message_is_no_dead_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
