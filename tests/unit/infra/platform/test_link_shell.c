/* SPDX-License-Identifier: Apache-2.0
 * Links over real loopback sockets: two `links` of one process, and a raw socket that says what it likes. The raw peer is a thread-free
 * blocking socket pair end: the test runs the loop in small steps between its own reads and writes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <meridian/link.h>

#include "meridian/internal/v1/internal.pb-c.h"
#include "metric_moved.h"

struct side {
    uint32_t accepted_max;
    struct mer_links *links;
    struct mer_link *link; /* the last that came up */
    unsigned ups, downs, messages;
    uint64_t sum;
    char why[128], peer[64];
};
struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct side a, b;
    uint64_t deadline_ms;
    struct mer_timer tick;
};

static void on_up(void *ctx, struct mer_link *l, const struct mer_link_peer *peer)
{
    struct side *s = ctx;
    s->link = l;
    s->ups++;
    snprintf(s->peer, sizeof s->peer, "%s", peer->incarnation);
}
static void on_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    struct side *s = ctx;
    (void)l;
    s->messages++;
    s->sum = s->sum * 31 + payload[0] + len;
}
static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    struct side *s = ctx;
    s->downs++;
    if (s->link == l)
        s->link = NULL;
    snprintf(s->why, sizeof s->why, "%s", why);
}
static const struct mer_link_cbs cbs = {on_up, on_message, on_down};

static void on_tick(struct mer_timer *t)
{
    struct fix *f = MER_CONTAINER_OF(t, struct fix, tick);
    mer_loop_stop(&f->loop);
}

/* Runs the loop until cond or 3 s; the line of the caller is shown. */
#define WAIT_FOR(f, cond) \
    do { \
        uint64_t until_ = (f)->loop.clock.mono_us((f)->loop.clock.ctx) / 1000 + 3000; \
        while (!(cond) && (f)->loop.clock.mono_us((f)->loop.clock.ctx) / 1000 < until_) { \
            mer_loop_arm(&(f)->loop, &(f)->tick, 2); \
            mer_loop_run(&(f)->loop); \
        } \
        assert_true(cond); \
    } while (0)
static void run_for(struct fix *f, unsigned ms)
{
    mer_loop_arm(&f->loop, &f->tick, ms);
    mer_loop_run(&f->loop);
}

static void open_side_of(struct fix *f, struct side *s, const char *incarnation, const char *region)
{
    struct mer_links_conf c = {.loop = &f->loop,
                               .log = &f->log,
                               .rng = mer_rng_system(),
                               .metrics = &f->metrics,
                               .cbs = &cbs,
                               .ctx = s,
                               .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE,
                               .region = region,
                               .id = incarnation,
                               .incarnation = incarnation,
                               .peer_roles = 1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE,
                               .name = incarnation,
                               .accepted_max = s->accepted_max,
                               .between_regions = strcmp(region, "test") != 0};
    struct mer_msg msg;
    assert_int_equal(mer_links_create(&s->links, &c), MER_OK);
    assert_int_equal(mer_links_listen(s->links, "127.0.0.1:0", &msg), MER_OK);
}

static void open_side(struct fix *f, struct side *s, const char *incarnation)
{
    open_side_of(f, s, incarnation, "test");
}

static int setup(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY), MER_DEBUG, mer_clock_system());
    mer_metrics_init(&f->metrics);
    mer_timer_init(&f->tick, on_tick);
    open_side(f, &f->a, "a.1");
    open_side(f, &f->b, "b.1");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;
    mer_links_destroy(f->a.links);
    mer_links_destroy(f->b.links);
    mer_loop_disarm(&f->loop, &f->tick);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    free(f);
    return 0;
}

static struct mer_link *dial(struct side *from, struct side *to)
{
    struct mer_link *l;
    assert_int_equal(mer_link_dial(from->links, mer_links_address(to->links), NULL, &l), MER_OK);
    return l;
}

static void a_dialled_link_comes_up_on_both_sides_and_carries_messages(void **state)
{
    struct fix *f = *state;
    struct mer_link *l = dial(&f->a, &f->b);
    assert_int_equal(mer_link_send(l, "x", 1), MER_ECLOSED);
    WAIT_FOR(f, f->a.ups == 1 && f->b.ups == 1);
    assert_string_equal(f->a.peer, "b.1");
    assert_string_equal(f->b.peer, "a.1");
    assert_int_equal(mer_link_send(l, "x", 1), MER_OK);
    assert_int_equal(mer_link_send(f->b.link, "yy", 2), MER_OK);
    WAIT_FOR(f, f->b.messages == 1 && f->a.messages == 1);
    assert_int_equal(mer_link_send(l, "", 0), MER_ERANGE);
    static uint8_t big[MER_LINK_PAYLOAD_MAX + 1];
    assert_int_equal(mer_link_send(l, big, sizeof big), MER_ERANGE);
    assert_int_equal(mer_link_send(l, big, sizeof big - 1), MER_OK);
    WAIT_FOR(f, f->b.messages == 2);
    mer_link_close(l);
    assert_int_equal(f->a.downs, 1);
    WAIT_FOR(f, f->b.downs == 1);
}

static void more_messages_than_credit_arrive_in_order(void **state)
{
    struct fix *f = *state;
    struct mer_link *l = dial(&f->a, &f->b);
    WAIT_FOR(f, f->a.ups == 1 && f->b.ups == 1);
    uint64_t sum = 0;
    const unsigned n = 3 * MER_LINK_CREDIT;
    for (unsigned i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)i;
        assert_int_equal(mer_link_send(l, &byte, 1), MER_OK);
        sum = sum * 31 + byte + 1;
    }
    WAIT_FOR(f, f->b.messages == n);
    assert_true(f->b.sum == sum);
    assert_int_equal(f->a.downs + f->b.downs, 0);
}

static void an_idle_link_stays_up_by_heartbeats(void **state)
{
    struct fix *f = *state;
    struct mer_link *l = dial(&f->a, &f->b);
    WAIT_FOR(f, f->b.ups == 1);
    run_for(f, MER_LINK_SILENCE_MS + 1200);
    assert_true(mer_link_is_up(l));
    assert_int_equal(f->a.downs + f->b.downs, 0);
}

static void a_dialled_link_comes_back_after_a_loss(void **state)
{
    struct fix *f = *state;
    dial(&f->a, &f->b);
    WAIT_FOR(f, f->a.ups == 1 && f->b.ups == 1);
    mer_link_close(f->b.link);
    WAIT_FOR(f, f->a.downs == 1 && f->a.ups == 2 && f->b.ups == 2);
}

static void both_sides_keep_the_same_one_of_two_links(void **state)
{
    struct fix *f = *state;
    for (int round = 0; round < 20; round++) {
        struct mer_link *ab = dial(&f->a, &f->b), *ba = dial(&f->b, &f->a);
        if (round % 2 == 0) {
            assert_int_equal(mer_link_expect(ab, "b.1"), MER_OK);
            assert_int_equal(mer_link_expect(ba, "a.1"), MER_OK);
        }
        WAIT_FOR(f, f->a.ups > 0 && f->b.ups > 0);
        run_for(f, 30);
        assert_int_equal(f->a.ups - f->a.downs, 1);
        assert_int_equal(f->b.ups - f->b.downs, 1);
        unsigned before = f->b.messages;
        assert_int_equal(mer_link_send(f->a.link, "x", 1), MER_OK);
        WAIT_FOR(f, f->b.messages == before + 1);
        mer_link_close(ab);
        mer_link_close(ba);
        WAIT_FOR(f, f->a.ups == f->a.downs && f->b.ups == f->b.downs);
        f->a.ups = f->b.ups = f->a.downs = f->b.downs = 0;
    }
}

/* Without an expected incarnation: it learns from the refusal whom it reached. */
static void who_loses_to_the_other_link_of_the_pair_waits_for_it(void **state)
{
    struct fix *f = *state;
    dial(&f->a, &f->b); /* by the smaller incarnation: this one stays */
    WAIT_FOR(f, f->a.ups == 1 && f->b.ups == 1);
    dial(&f->b, &f->a);
    WAIT_FOR(f, metric_value(&f->metrics, "meridian_link_a.1_duplicate_total") == 1);
    run_for(f, 900); /* else it would come again and again, first after 50 ms */
    assert_int_equal(metric_value(&f->metrics, "meridian_link_a.1_duplicate_total"), 1);
    assert_int_equal(f->a.downs + f->b.downs, 0);
    mer_link_close(f->a.link);
    WAIT_FOR(f, f->a.ups == 2 && f->b.ups == 2);
}

static void the_round_trip_is_known_between_regions_and_only_there(void **state)
{
    struct fix *f = *state;
    struct side us = {0}, eu = {0};
    open_side_of(f, &us, "us.1", "us");
    open_side_of(f, &eu, "eu.1", "eu");
    struct mer_link *far = dial(&us, &eu), *near = dial(&f->a, &f->b);
    assert_int_equal(mer_link_rtt_us(far), 0);
    WAIT_FOR(f, us.ups == 1 && mer_link_rtt_us(far) > 0 && mer_link_rtt_us(eu.link) > 0);
    assert_true(mer_link_rtt_us(far) < 3000 * 1000);
    assert_int_equal(mer_link_queued(far), 0);
    run_for(f, MER_LINK_SILENCE_MS + 600); /* pings are heartbeats too */
    assert_int_equal(us.downs + eu.downs, 0);
    assert_int_equal(mer_link_rtt_us(near), 0);
    mer_link_close(far);
    assert_int_equal(mer_link_rtt_us(far), 0);
    mer_links_destroy(us.links);
    mer_links_destroy(eu.links);
    run_for(f, 1);
}

static void a_peer_that_is_not_the_expected_one_never_comes_up(void **state)
{
    struct fix *f = *state;
    assert_int_equal(mer_link_expect(dial(&f->a, &f->b), "c.1"), MER_OK);
    run_for(f, 150);
    assert_int_equal(f->a.ups, 0);
    assert_int_equal(f->b.ups - f->b.downs, 0);
}

static void callbacks_may_close_the_link_they_are_about(void **state)
{
    struct fix *f = *state;
    struct mer_link *l = dial(&f->a, &f->b);
    WAIT_FOR(f, f->b.ups == 1 && f->a.ups == 1);
    mer_link_close(l);
    mer_link_close(l);
    assert_int_equal(f->a.downs, 1);
}

/* ---- hostile input ------------------------------------------------------------------------------------------------------------------- */

struct raw {
    uint8_t bytes[256 * 1024];
    size_t len;
};

static void put_frame(struct raw *r, const Meridian__Internal__V1__LinkFrame *m)
{
    size_t n = meridian__internal__v1__link_frame__get_packed_size(m);
    r->bytes[r->len++] = (uint8_t)(n >> 24);
    r->bytes[r->len++] = (uint8_t)(n >> 16);
    r->bytes[r->len++] = (uint8_t)(n >> 8);
    r->bytes[r->len++] = (uint8_t)n;
    r->len += meridian__internal__v1__link_frame__pack(m, r->bytes + r->len);
}
static Meridian__Internal__V1__Hello good_hello(void)
{
    Meridian__Internal__V1__Hello h = MERIDIAN__INTERNAL__V1__HELLO__INIT;
    h.version = 1;
    h.role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE;
    h.region = (char *)"test";
    h.id = (char *)"x";
    h.incarnation = (char *)"x.1";
    h.credit = 10;
    return h;
}
static void put_hello(struct raw *r, const Meridian__Internal__V1__Hello *h)
{
    Meridian__Internal__V1__LinkFrame m = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    m.hello = (Meridian__Internal__V1__Hello *)h;
    put_frame(r, &m);
}
static void put_message(struct raw *r, uint64_t seq, uint64_t ack, size_t len)
{
    static uint8_t zeros[100];
    Meridian__Internal__V1__LinkFrame m = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    m.seq = seq;
    m.ack = ack;
    m.has_payload = 1;
    m.payload.data = zeros;
    m.payload.len = len;
    put_frame(r, &m);
}
static void put_heartbeat(struct raw *r, uint64_t seq, uint64_t ack, bool has_credit, uint32_t credit)
{
    Meridian__Internal__V1__LinkFrame m = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    m.seq = seq;
    m.ack = ack;
    m.has_credit = has_credit;
    m.credit = credit;
    put_frame(r, &m);
}

static void put_ping(struct raw *r, bool ping, bool pong)
{
    Meridian__Internal__V1__LinkFrame m = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    m.has_ping = ping;
    m.has_pong = pong;
    m.ping = m.pong = 1;
    put_frame(r, &m);
}

#define HELLO_ROW(name, change) \
    static void name(struct raw *r) \
    { \
        Meridian__Internal__V1__Hello h = good_hello(); \
        change; \
        put_hello(r, &h); \
    }
HELLO_ROW(hello_version_0, h.version = 0)
HELLO_ROW(hello_version_2, h.version = 2)
HELLO_ROW(hello_role_0, h.role = 0)
HELLO_ROW(hello_role_router, h.role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER)
HELLO_ROW(hello_role_99, h.role = 99)
HELLO_ROW(hello_role_huge, h.role = 0x7fffffff)
HELLO_ROW(hello_other_region, h.region = (char *)"elsewhere")
HELLO_ROW(hello_empty_region, h.region = (char *)"")
HELLO_ROW(hello_empty_incarnation, h.incarnation = (char *)"")
HELLO_ROW(hello_control_characters, h.incarnation = (char *)"x\n\"1")
HELLO_ROW(hello_of_ourselves, h.incarnation = (char *)"a.1")
HELLO_ROW(hello_without_credit, h.credit = 0)
HELLO_ROW(hello_huge_credit, h.credit = 0xffffffff)
HELLO_ROW(hello_long_name, static char n[200]; memset(n, 'x', 199); h.id = n)
static void length_0(struct raw *r)
{
    memset(r->bytes, 0, 4);
    r->len = 4;
}
static void length_64k_and_1(struct raw *r)
{
    memcpy(r->bytes, "\0\1\0\1", 4);
    r->len = 4;
}
static void length_huge(struct raw *r)
{
    memset(r->bytes, 0xff, 4);
    r->len = 4;
}
static void http_request(struct raw *r)
{
    r->len = (size_t)sprintf((char *)r->bytes, "GET / HTTP/1.1\r\n\r\n");
}
static void not_protobuf(struct raw *r)
{
    memcpy(r->bytes, "\0\0\0\4\xff\xff\xff\xff", 8);
    r->len = 8;
}
static void required_missing(struct raw *r)
{
    memcpy(r->bytes, "\0\0\0\2\x10\1", 6); /* seq only */
    r->len = 6;
}
static void message_before_hello(struct raw *r)
{
    put_message(r, 1, 0, 5);
}
static void heartbeat_before_hello(struct raw *r)
{
    put_heartbeat(r, 0, 0, false, 0);
}
static void hello_with_sequence(struct raw *r)
{
    Meridian__Internal__V1__Hello h = good_hello();
    Meridian__Internal__V1__LinkFrame m = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    m.hello = &h;
    m.seq = 7;
    put_frame(r, &m);
}
static void hello_with_payload(struct raw *r)
{
    Meridian__Internal__V1__Hello h = good_hello();
    Meridian__Internal__V1__LinkFrame m = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    m.hello = &h;
    m.has_payload = 1;
    m.payload.data = (uint8_t *)"x";
    m.payload.len = 1;
    put_frame(r, &m);
}
static void hello_with_ping(struct raw *r)
{
    Meridian__Internal__V1__Hello h = good_hello();
    Meridian__Internal__V1__LinkFrame m = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    m.hello = &h;
    m.has_ping = 1;
    put_frame(r, &m);
}
#define UP_ROW(name, what) \
    static void name(struct raw *r) \
    { \
        Meridian__Internal__V1__Hello h = good_hello(); \
        put_hello(r, &h); \
        what; \
    }
UP_ROW(second_hello, put_hello(r, &h))
UP_ROW(sequence_0_then_2, put_message(r, 2, 0, 5))
UP_ROW(sequence_jumps, put_message(r, 1ull << 63, 0, 5))
UP_ROW(sequence_skipped_later, put_message(r, 1, 0, 5); put_message(r, 3, 0, 5))
UP_ROW(ack_beyond_sent, put_message(r, 1, 5, 5))
UP_ROW(ack_of_max, put_heartbeat(r, 0, UINT64_MAX, false, 0))
UP_ROW(empty_payload, put_message(r, 1, 0, 0))
UP_ROW(heartbeat_tells_of_a_lost_message, put_heartbeat(r, 1, 0, false, 0))
UP_ROW(credit_out_of_range, put_heartbeat(r, 0, 0, true, 0xffffffff))
UP_ROW(credit_sums_up_out_of_range, put_heartbeat(r, 0, 0, true, 1024 * 1024 - 5))
UP_ROW(pong_of_no_ping, put_ping(r, false, true))
UP_ROW(ping_and_pong_of_no_ping, put_ping(r, true, true))
UP_ROW(garbage_later, put_message(r, 1, 0, 5); memset(r->bytes + r->len, 0xee, 20); r->len += 20)

static const struct {
    const char *name;
    void (*make)(struct raw *r);
    unsigned messages; /* taken before it was closed */
} hostile[] = {
#define ROW(n, m) \
    { \
#n, n, m \
    }
    ROW(hello_version_0, 0),
    ROW(hello_version_2, 0),
    ROW(hello_role_0, 0),
    ROW(hello_role_router, 0),
    ROW(hello_role_99, 0),
    ROW(hello_role_huge, 0),
    ROW(hello_other_region, 0),
    ROW(hello_empty_region, 0),
    ROW(hello_empty_incarnation, 0),
    ROW(hello_control_characters, 0),
    ROW(hello_of_ourselves, 0),
    ROW(hello_without_credit, 0),
    ROW(hello_huge_credit, 0),
    ROW(hello_long_name, 0),
    ROW(length_0, 0),
    ROW(length_64k_and_1, 0),
    ROW(length_huge, 0),
    ROW(http_request, 0),
    ROW(not_protobuf, 0),
    ROW(required_missing, 0),
    ROW(message_before_hello, 0),
    ROW(heartbeat_before_hello, 0),
    ROW(hello_with_sequence, 0),
    ROW(hello_with_payload, 0),
    ROW(hello_with_ping, 0),
    ROW(pong_of_no_ping, 0),
    ROW(ping_and_pong_of_no_ping, 0),
    ROW(second_hello, 0),
    ROW(sequence_0_then_2, 0),
    ROW(sequence_jumps, 0),
    ROW(sequence_skipped_later, 1),
    ROW(ack_beyond_sent, 0),
    ROW(ack_of_max, 0),
    ROW(empty_payload, 0),
    ROW(heartbeat_tells_of_a_lost_message, 0),
    ROW(credit_out_of_range, 0),
    ROW(credit_sums_up_out_of_range, 0),
    ROW(garbage_later, 1),
};

static int connect_raw(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static bool closed_by_peer(int fd)
{
    uint8_t buf[4096];
    ssize_t n;
    while ((n = recv(fd, buf, sizeof buf, 0)) > 0)
        ;
    return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void hostile_peers_are_closed_without_an_effect(void **state)
{
    struct fix *f = *state;
    static struct raw r;
    for (size_t i = 0; i < MER_COUNT(hostile); i++) {
        print_message("  %s\n", hostile[i].name);
        r.len = 0;
        f->a.messages = 0;
        hostile[i].make(&r);
        int fd = connect_raw(mer_links_address(f->a.links));
        assert_int_equal(send(fd, r.bytes, r.len, 0), (ssize_t)r.len);
        WAIT_FOR(f, closed_by_peer(fd));
        close(fd);
        assert_int_equal(f->a.messages, hostile[i].messages);
        assert_int_equal(f->a.ups, f->a.downs);
    }
}

static void a_truncated_hello_is_no_hello_at_any_byte(void **state)
{
    struct fix *f = *state;
    static struct raw r;
    Meridian__Internal__V1__Hello h = good_hello();
    r.len = 0;
    put_hello(&r, &h);
    for (size_t n = 1; n < r.len; n++) {
        int fd = connect_raw(mer_links_address(f->a.links));
        assert_int_equal(send(fd, r.bytes, n, 0), (ssize_t)n);
        run_for(f, 1);
        close(fd);
    }
    run_for(f, 20);
    assert_int_equal(f->a.ups, 0);
}

static void connections_beyond_the_limit_are_refused(void **state)
{
    struct fix *f = *state;
    struct side few = {.accepted_max = 2};
    open_side(f, &few, "few.1");
    int fd[3];
    for (size_t i = 0; i < 3; i++)
        fd[i] = connect_raw(mer_links_address(few.links)); /* says nothing */
    WAIT_FOR(f, metric_value(&f->metrics, "meridian_link_few.1_refused_total") == 1);
    WAIT_FOR(f, closed_by_peer(fd[2]));
    assert_false(closed_by_peer(fd[0]) || closed_by_peer(fd[1]));
    close(fd[0]); /* makes room */
    run_for(f, 20);
    dial(&f->a, &few);
    WAIT_FOR(f, few.ups == 1);
    close(fd[1]);
    close(fd[2]);
    mer_links_destroy(few.links);
    run_for(f, 1);
}

static void a_repeated_message_has_one_effect(void **state)
{
    struct fix *f = *state;
    static struct raw r;
    Meridian__Internal__V1__Hello h = good_hello();
    r.len = 0;
    put_hello(&r, &h);
    put_message(&r, 1, 0, 5);
    put_message(&r, 1, 0, 5);
    put_message(&r, 2, 0, 5);
    int fd = connect_raw(mer_links_address(f->a.links));
    assert_int_equal(send(fd, r.bytes, r.len, 0), (ssize_t)r.len);
    WAIT_FOR(f, f->a.messages == 2);
    run_for(f, 10);
    assert_int_equal(f->a.messages, 2);
    assert_int_equal(f->a.downs, 0);
    close(fd);
    WAIT_FOR(f, f->a.downs == 1);
}

static void grants_follow_what_was_taken(void **state)
{
    struct fix *f = *state;
    static struct raw r;
    Meridian__Internal__V1__Hello h = good_hello();
    r.len = 0;
    put_hello(&r, &h);
    for (unsigned i = 1; i <= MER_LINK_CREDIT + MER_LINK_CREDIT / 2 + 1; i++)
        put_message(&r, i, 0, 1);
    int fd = connect_raw(mer_links_address(f->a.links));
    size_t at = 0;
    while (at < r.len) {
        ssize_t n = send(fd, r.bytes + at, r.len - at, 0);
        if (n > 0)
            at += (size_t)n;
        run_for(f, 1);
    }
    /* A grant comes with every half credit taken, so a sender who never waits is served as fast as we read, and never further ahead. */
    WAIT_FOR(f, f->a.messages > MER_LINK_CREDIT);
    assert_int_equal(f->a.downs, 0);
    close(fd);
}

static void a_peer_that_never_reads_is_bounded(void **state)
{
    struct fix *f = *state;
    static struct raw r;
    static uint8_t chunk[32 * 1024];
    Meridian__Internal__V1__Hello h = good_hello();
    h.credit = 1000;
    r.len = 0;
    put_hello(&r, &h);
    int fd = connect_raw(mer_links_address(f->a.links));
    assert_int_equal(send(fd, r.bytes, r.len, 0), (ssize_t)r.len);
    WAIT_FOR(f, f->a.ups == 1);
    enum mer_err err = MER_OK;
    unsigned sent = 0;
    for (; err == MER_OK && sent < 10000; sent++) {
        err = mer_link_send(f->a.link, chunk, sizeof chunk);
        if (sent % 16 == 0)
            run_for(f, 1);
    }
    assert_int_equal(err, MER_EBUSY);
    close(fd);
    WAIT_FOR(f, f->a.downs == 1);
}

static void a_silent_peer_is_closed_after_three_seconds(void **state)
{
    struct fix *f = *state;
    static struct raw r;
    Meridian__Internal__V1__Hello h = good_hello();
    r.len = 0;
    put_hello(&r, &h);
    int fd = connect_raw(mer_links_address(f->a.links));
    assert_int_equal(send(fd, r.bytes, r.len, 0), (ssize_t)r.len);
    WAIT_FOR(f, f->a.ups == 1);
    run_for(f, MER_LINK_SILENCE_MS - 100);
    assert_int_equal(f->a.downs, 0);
    run_for(f, 800);
    assert_int_equal(f->a.downs, 1);
    assert_string_equal(f->a.why, "silent");
    close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_dialled_link_comes_up_on_both_sides_and_carries_messages),
        T(more_messages_than_credit_arrive_in_order),
        T(an_idle_link_stays_up_by_heartbeats),
        T(a_dialled_link_comes_back_after_a_loss),
        T(both_sides_keep_the_same_one_of_two_links),
        T(who_loses_to_the_other_link_of_the_pair_waits_for_it),
        T(the_round_trip_is_known_between_regions_and_only_there),
        T(a_peer_that_is_not_the_expected_one_never_comes_up),
        T(callbacks_may_close_the_link_they_are_about),
        T(hostile_peers_are_closed_without_an_effect),
        T(a_truncated_hello_is_no_hello_at_any_byte),
        T(connections_beyond_the_limit_are_refused),
        T(a_repeated_message_has_one_effect),
        T(grants_follow_what_was_taken),
        T(a_peer_that_never_reads_is_bounded),
        T(a_silent_peer_is_closed_after_three_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
