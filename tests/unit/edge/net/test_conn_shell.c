/* SPDX-License-Identifier: Apache-2.0
 * Connections after their upgrade: messages, corking, slow readers, deadlines, the close handshake, and that ends are told once. */
#include "net_fixture.h"

#include <meridian/mem.h>

#include "edge/net/net_private.h"

static void a_message_comes_whole_and_an_answer_goes_out(void **state)
{
    struct net_fix *f = *state;
    int fd = net_open(f);
    net_send_frame(f, fd, 0x81, "hello", 5);
    net_until(f, f->messages == 1);
    assert_memory_equal(f->message, "hello", 5);
    edge_conn_send(f->conn[0], EDGE_TEXT, "you too", 7);
    assert_frame(f, fd, 0x81, "you too", 7);
    close(fd);
    net_until(f, f->closed == 1);
    assert_int_equal(f->close_code[0], EDGE_CLOSE_LOST);
}

static void an_idle_connection_has_nothing_on_the_heap(void **state)
{
    struct net_fix *f = *state;
    int fd = net_open(f);
    net_send_frame(f, fd, 0x01, "frag", 4);
    net_until(f, f->conn[0]->reader != NULL);
    net_send_frame(f, fd, 0x80, "ment", 4);
    net_until(f, f->messages == 1);
    assert_memory_equal(f->message, "fragment", 8);
    assert_null(f->conn[0]->reader);
    assert_null(f->conn[0]->outbox);
    close(fd);
}

static void close_all(struct net_fix *f, struct edge_conn *c)
{
    (void)c;
    for (unsigned i = 0; i < f->opened; i++)
        if (f->conn[i] != NULL)
            edge_conn_close(f->conn[i], EDGE_CLOSE_DONE, "done");
    assert_int_equal(f->closed, 0); /* never from inside */
}

static void a_handler_may_close_any_connection(void **state)
{
    struct net_fix *f = *state;
    int a = net_open(f), b = net_open(f);
    f->on_message = close_all;
    uint8_t two[64];
    size_t n = net_frame(two, 0x81, "one", 3);
    n += net_frame(two + n, 0x81, "two", 3);
    net_send(f, a, two, n);
    net_until(f, f->closed == 2);
    assert_int_equal(f->messages, 1); /* none after the close */
    assert_int_equal(f->close_code[0], EDGE_CLOSE_DONE);
    assert_frame(f, a, 0x88,
                 "\x03\xe8"
                 "done",
                 6);
    assert_frame(f, b, 0x88,
                 "\x03\xe8"
                 "done",
                 6);
    net_send_frame(f, a, 0x88, "\x03\xe8", 2);
    assert_ended(f, a);
    close(b);
    net_until(f, edge_net_connections(f->net) == 0);
}

static void the_first_close_counts_and_nothing_is_sent_after_it(void **state)
{
    struct net_fix *f = *state;
    int fd = net_open(f);
    edge_conn_send(f->conn[0], EDGE_TEXT, "last", 4);
    edge_conn_close(f->conn[0], EDGE_CLOSE_REPLACED, NULL);
    edge_conn_close(f->conn[0], EDGE_CLOSE_DONE, NULL);
    edge_conn_send(f->conn[0], EDGE_TEXT, "late", 4);
    assert_false(edge_conn_is_open(f->conn[0]));
    assert_frame(f, fd, 0x81, "last", 4);
    assert_frame(f, fd, 0x88, "\x0d\xae", 2);
    net_send_frame(f, fd, 0x88, "\x0d\xae", 2);
    assert_ended(f, fd);
    assert_int_equal(f->close_code[0], EDGE_CLOSE_REPLACED);
}

static void a_reason_too_long_is_cut(void **state)
{
    struct net_fix *f = *state;
    char reason[200], expected[125] = "\x03\xf4";
    int fd = net_open(f);
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    memset(expected + 2, 'r', 123);
    edge_conn_close(f->conn[0], EDGE_CLOSE_RESTART, reason);
    assert_frame(f, fd, 0x88, expected, 125);
    close(fd);
}

static void a_close_frame_of_the_peer_is_answered_and_told(void **state)
{
    struct net_fix *f = *state;
    int fd = net_open(f);
    net_send_frame(f, fd, 0x88,
                   "\x0f\xa1"
                   "bye",
                   5);
    assert_frame(f, fd, 0x88,
                 "\x0f\xa1"
                 "bye",
                 5);
    assert_ended(f, fd);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->close_code[0], 4001);
    net_until(f, edge_net_connections(f->net) == 0);
}

static void who_does_not_answer_our_close_is_dropped_after_the_linger(void **state)
{
    struct net_fix *f = *state;
    int fd = net_open(f);
    edge_conn_close(f->conn[0], EDGE_CLOSE_DONE, NULL);
    assert_frame(f, fd, 0x88, "\x03\xe8", 2);
    net_send_frame(f, fd, 0x81, "ignored", 7);
    net_advance(f, 1999);
    assert_int_equal(edge_net_connections(f->net), 1);
    net_advance(f, 2);
    assert_int_equal(edge_net_connections(f->net), 0);
    assert_int_equal(f->messages, 0);
    assert_ended(f, fd);
}

static void a_fault_ends_the_connection_within_the_linger_whatever_comes(void **state)
{
    struct net_fix *f = *state;
    static char junk[300000];
    int fd = net_open(f);
    net_send_frame(f, fd, 0x83, "", 0);
    net_send(f, fd, junk, sizeof(junk));
    assert_closed_with(f, fd, 1002);
    net_until(f, edge_net_connections(f->net) == 0);
    assert_int_equal(f->close_code[0], 1002);
}

static void writes_of_a_turn_are_corked_and_keep_their_order(void **state)
{
    struct net_fix *f = *state;
    enum { N = 200 };
    int fd[3];
    for (int i = 0; i < 3; i++)
        fd[i] = net_open(f);
    for (int n = 0; n < N; n++) {
        for (int i = 0; i < 3; i++) { /* interleaved: every frame is a segment of its own */
            char text[32];
            int len = snprintf(text, sizeof(text), "%d to %d", n, i);
            edge_conn_send(f->conn[i], EDGE_TEXT, text, (size_t)len);
        }
    }
    assert_int_equal(f->net->cork_count, 3);
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n < N; n++) {
            char text[32];
            int len = snprintf(text, sizeof(text), "%d to %d", n, i);
            assert_frame(f, fd[i], 0x81, text, (size_t)len);
        }
        close(fd[i]);
    }
}

static void more_than_the_area_holds_goes_out_whole(void **state)
{
    struct net_fix *f = *state;
    static uint8_t data[50000];
    int fd[2] = {net_open(f), net_open(f)};
    for (int n = 0; n < 6; n++) {
        for (int i = 0; i < 2; i++) {
            memset(data, 'a' + n, sizeof(data));
            edge_conn_send(f->conn[i], EDGE_BINARY, data, sizeof(data));
        }
    }
    static uint8_t large[300000]; /* larger than the area and than the outbox's limit */
    edge_conn_send(f->conn[0], EDGE_BINARY, large, sizeof(large));
    for (int i = 0; i < 2; i++) {
        for (int n = 0; n < 6; n++) {
            memset(data, 'a' + n, sizeof(data));
            assert_frame(f, fd[i], 0x82, data, sizeof(data));
        }
    }
    assert_frame(f, fd[0], 0x82, large, sizeof(large));
    net_until(f, f->conn[0]->outbox == NULL);
    close(fd[0]);
    close(fd[1]);
}

/* Sends until the kernel takes no more and the outbox has something. */
static unsigned stuff(struct net_fix *f, struct edge_conn *c, const uint8_t *data, size_t len)
{
    unsigned sent = 0;
    while (edge_conn_unsent(c) == 0) {
        edge_conn_send(c, EDGE_BINARY, data, len);
        sent++;
        net_step(f);
    }
    return sent;
}

static void a_reader_too_slow_is_closed_with_3004_between_whole_frames(void **state)
{
    struct net_fix *f = *state;
    static uint8_t data[10000];
    int fd = net_open(f);
    uint64_t before = metric_value(&f->metrics, "meridian_edge_connections_slow_total");
    unsigned sent = stuff(f, f->conn[0], data, sizeof(data));
    while (f->conn[0] != NULL && edge_conn_is_open(f->conn[0])) {
        edge_conn_send(f->conn[0], EDGE_BINARY, data, sizeof(data));
        assert_true(edge_conn_unsent(f->conn[0]) <= f->net_conf.outbox_bytes + 128);
        sent++;
    }
    net_settle(f);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->close_code[0], EDGE_CLOSE_TOO_SLOW);
    assert_metric_moved(&f->metrics, "meridian_edge_connections_slow_total", before, 1);
    unsigned got = 0;
    for (;; got++) { /* it wakes up and reads: whole messages, then the close */
        static uint8_t in[sizeof(data)];
        uint8_t first;
        size_t n = net_next(f, fd, &first, in, sizeof(in));
        if (first == 0x88) {
            assert_int_equal(in[0] << 8 | in[1], 3004);
            break;
        }
        assert_int_equal(n, sizeof(data));
    }
    assert_true(got > 0 && got < sent);
    assert_ended(f, fd);
}

static void an_outbox_stuck_for_ten_seconds_is_too_slow(void **state)
{
    struct net_fix *f = *state;
    static uint8_t data[10000];
    int fd = net_open(f);
    stuff(f, f->conn[0], data, sizeof(data));
    net_advance(f, 9900);
    assert_int_equal(f->closed, 0);
    net_advance(f, 200);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->close_code[0], EDGE_CLOSE_TOO_SLOW);
    net_advance(f, 2100); /* and does not read the close either */
    assert_int_equal(edge_net_connections(f->net), 0);
    close(fd);
}

static void a_reader_that_catches_up_stays(void **state)
{
    struct net_fix *f = *state;
    static uint8_t data[10000];
    int fd = net_open(f);
    unsigned sent = stuff(f, f->conn[0], data, sizeof(data));
    for (int i = 0; i < 5; i++, sent++)
        edge_conn_send(f->conn[0], EDGE_BINARY, data, sizeof(data));
    net_advance(f, 9000);
    for (unsigned i = 0; i < sent; i++)
        assert_frame(f, fd, 0x82, data, sizeof(data));
    net_advance(f, 9000);
    assert_int_equal(f->closed, 0);
    assert_null(f->conn[0]->outbox);
    close(fd);
}

static void a_silent_peer_is_pinged_and_dropped_after_three_heartbeats(void **state)
{
    struct net_fix *f = *state;
    uint64_t dead = metric_value(&f->metrics, "meridian_edge_connections_dead_total");
    int fd = net_open(f);
    uint64_t pings = metric_value(&f->metrics, "meridian_edge_pings_sent_total");
    for (int i = 0; i < 89; i++)
        net_advance(f, 1000);
    assert_int_equal(f->closed, 0);
    net_advance(f, 1100);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->close_code[0], EDGE_CLOSE_LOST);
    assert_metric_moved(&f->metrics, "meridian_edge_connections_dead_total", dead, 1);
    assert_in_range(metric_value(&f->metrics, "meridian_edge_pings_sent_total") - pings, 2, 3);
    close(fd);
}

static void a_peer_that_answers_pings_lives(void **state)
{
    struct net_fix *f = *state;
    int fd = net_open(f);
    for (int i = 0; i < 10; i++) {
        uint8_t ping[2];
        net_advance(f, 30000);
        assert_int_equal(net_recv(f, fd, ping, 2), 2);
        assert_memory_equal(ping, "\x89\x00", 2);
        net_send_frame(f, fd, 0x8a, "", 0);
        net_settle(f);
    }
    assert_int_equal(f->closed, 0);
    close(fd);
}

static void a_message_that_never_ends_is_closed_with_1008(void **state)
{
    struct net_fix *f = *state;
    int fd = net_open(f);
    uint8_t frame[64];
    size_t n = net_frame(frame, 0x81, "0123456789abcdef", 16);
    for (size_t i = 0; i < 10; i++) { /* an octet a second */
        net_send(f, fd, frame + i, 1);
        net_settle(f);
        net_advance(f, i < 9 ? 1000 : 990);
    }
    assert_true(n > 10);
    assert_int_equal(f->closed, 0);
    net_advance(f, 20);
    assert_closed_with(f, fd, 1008);
}

static void a_flood_of_pings_is_closed_with_1008(void **state)
{
    struct net_fix *f = *state;
    int fd = net_open(f);
    for (int i = 0; i < 21; i++)
        net_send_frame(f, fd, 0x89, "x", 1);
    for (int i = 0; i < 20; i++)
        assert_frame(f, fd, 0x8a, "x", 1);
    assert_closed_with(f, fd, 1008);
}

static void pings_within_the_rate_go_on_for_ever(void **state)
{
    struct net_fix *f = *state;
    int fd = net_open(f);
    for (int i = 0; i < 100; i++) {
        net_send_frame(f, fd, 0x89, "x", 1);
        assert_frame(f, fd, 0x8a, "x", 1);
        net_advance(f, 100);
    }
    assert_int_equal(f->closed, 0);
    close(fd);
}

static void close_one(struct edge_conn *c, void *ctx)
{
    (*(unsigned *)ctx)++;
    edge_conn_close(c, EDGE_CLOSE_RESTART, "restart;retry=0");
}

static void ends_of_a_turn_are_bounded(void **state)
{
    struct net_fix *f = *state;
    enum { N = 300 };
    static int fd[N];
    for (int i = 0; i < N; i++)
        fd[i] = net_open(f);
    unsigned n = 0;
    edge_net_each(f->net, close_one, &n);
    assert_int_equal(n, N);
    edge_net_each(f->net, close_one, &n); /* those that close are left out */
    assert_int_equal(n, N);
    assert_int_equal(f->closed, 0);
    net_step(f);
    assert_int_equal(f->closed, 256);
    net_until(f, f->closed == N);
    for (int i = 0; i < N; i++)
        close(fd[i]);
    net_until(f, edge_net_connections(f->net) == 0);
}

static void no_memory_for_a_connection_costs_that_connection_only(void **state)
{
    struct net_fix *f = *state;
    int good = net_open(f);
    for (unsigned at = 1; at <= 4; at++) {
        char c;
        int fd = net_connect(f);
        mer_mem_fail_at(at);
        net_send(f, fd, WS_HEAD("/v1/ws") "\r\n", sizeof(WS_HEAD("/v1/ws") "\r\n") - 1);
        net_settle(f);
        mer_mem_fail_at(0);
        while (f->opened == f->closed + 1 && net_recv(f, fd, &c, 1) == 1)
            if (c == '{') /* an answer in JSON */
                break;
        close(fd);
    }
    net_send_frame(f, good, 0x81, "still", 5);
    net_until(f, f->messages == 1);
    close(good);
}

struct late {
    struct mer_hook hook;
    struct mer_deferred deferred;
    struct net_fix *f;
    bool done;
};
static void send_late(struct mer_deferred *d)
{
    edge_conn_send(MER_CONTAINER_OF(d, struct late, deferred)->f->conn[0], EDGE_TEXT, "late", 4);
}
static bool defer_late(struct mer_hook *h)
{
    struct late *l = MER_CONTAINER_OF(h, struct late, hook);
    if (!l->done)
        mer_loop_defer(&l->f->loop, &l->deferred);
    l->done = true;
    return false;
}

static void what_is_sent_after_the_hooks_leaves_in_the_same_turn(void **state)
{
    struct net_fix *f = *state;
    struct late late = {.hook.cb = defer_late, .f = f};
    char got[6];
    int fd = net_open(f);
    mer_list_init(&late.hook.node);
    mer_deferred_init(&late.deferred, send_late);
    mer_loop_hook_add(&f->loop, MER_PHASE_PLAYER, &late.hook); /* after ours */
    net_step(f);
    mer_loop_hook_remove(&late.hook);
    assert_int_equal(recv(fd, got, sizeof(got), 0), 6);
    assert_memory_equal(got, "\x81\x04late", 6);
    close(fd);
}

static void lost_bytes_are_not_sent_to_the_next_connection(void **state)
{
    struct net_fix *f = *state;
    int a = net_open(f);
    edge_conn_send(f->conn[0], EDGE_TEXT, "for a", 5);
    struct linger rst = {1, 0};
    setsockopt(a, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
    close(a);
    net_until(f, f->closed == 1);
    int b = net_open(f);
    edge_conn_send(f->conn[1], EDGE_TEXT, "for b", 5);
    assert_frame(f, b, 0x81, "for b", 5);
    close(b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, net_fix_default, net_fix_free)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_message_comes_whole_and_an_answer_goes_out),
        T(an_idle_connection_has_nothing_on_the_heap),
        T(a_handler_may_close_any_connection),
        T(the_first_close_counts_and_nothing_is_sent_after_it),
        T(a_reason_too_long_is_cut),
        T(a_close_frame_of_the_peer_is_answered_and_told),
        T(who_does_not_answer_our_close_is_dropped_after_the_linger),
        T(a_fault_ends_the_connection_within_the_linger_whatever_comes),
        T(writes_of_a_turn_are_corked_and_keep_their_order),
        T(more_than_the_area_holds_goes_out_whole),
        T(a_reader_too_slow_is_closed_with_3004_between_whole_frames),
        T(an_outbox_stuck_for_ten_seconds_is_too_slow),
        T(a_reader_that_catches_up_stays),
        T(a_silent_peer_is_pinged_and_dropped_after_three_heartbeats),
        T(a_peer_that_answers_pings_lives),
        T(a_message_that_never_ends_is_closed_with_1008),
        T(a_flood_of_pings_is_closed_with_1008),
        T(pings_within_the_rate_go_on_for_ever),
        T(ends_of_a_turn_are_bounded),
        T(no_memory_for_a_connection_costs_that_connection_only),
        T(what_is_sent_after_the_hooks_leaves_in_the_same_turn),
        T(lost_bytes_are_not_sent_to_the_next_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
