/* SPDX-License-Identifier: Apache-2.0
 * Two buses in one process over loopback sockets. The store is replaced at the link (edge_store_live_get below): what is tested is the bus.
 */
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>

#include "edge/bus/bus.h"
#include "edge/store/store.h"

typedef Meridian__Internal__V1__BusMessage Message;

/* What the liveness keys say: filled by the tests; answers come from the loop, as the real ones do. */
struct edge_store {
    struct mer_loop *loop;
    struct {
        char incarnation[16], address[64];
        enum edge_store_result result;
    } row[4];
    unsigned asked;
};
struct answer {
    struct mer_deferred later;
    edge_store_text_cb cb;
    void *ctx;
    enum edge_store_result result;
    const char *address;
};
static void give_answer(struct mer_deferred *d)
{
    struct answer *a = MER_CONTAINER_OF(d, struct answer, later);
    a->cb(a->ctx, a->result, a->address);
    free(a);
}
enum mer_err edge_store_live_get(struct edge_store *s, const char *incarnation, edge_store_text_cb cb, void *ctx)
{
    struct answer *a = calloc(1, sizeof *a);
    mer_deferred_init(&a->later, give_answer);
    a->cb = cb;
    a->ctx = ctx;
    a->result = EDGE_STORE_ABSENT;
    a->address = "";
    for (size_t i = 0; i < MER_COUNT(s->row); i++) {
        if (strcmp(s->row[i].incarnation, incarnation) == 0) {
            a->result = s->row[i].result;
            a->address = s->row[i].address;
        }
    }
    s->asked++;
    mer_loop_defer(s->loop, &a->later);
    return MER_OK;
}

struct side {
    struct edge_bus *bus;
    unsigned got, downs, dead;
    uint64_t sum;
    char from[32];
    struct edge_bus *echo_to; /* answer every message */
};
struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct edge_store store;
    struct side a, b;
    struct mer_timer tick, breaker;
    struct mer_hook hook;
    enum mer_err late;
};

static enum mer_err send_text(struct edge_bus *b, const char *to, const char *text)
{
    Message m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    Meridian__Internal__V1__SessionReplace r = MERIDIAN__INTERNAL__V1__SESSION_REPLACE__INIT;
    r.session = (char *)text;
    m.body_case = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_REPLACE;
    m.session_replace = &r;
    return edge_bus_send(b, to, &m);
}

static void on_message(void *ctx, const Message *m)
{
    struct side *s = ctx;
    s->got++;
    s->sum = s->sum * 31 + (unsigned char)m->session_replace->session[0];
    snprintf(s->from, sizeof s->from, "%s", m->from);
    if (s->echo_to != NULL)
        assert_int_equal(send_text(s->echo_to, m->from, "echo"), MER_OK);
}
static void on_peer_down(void *ctx, const char *incarnation, bool dead)
{
    struct side *s = ctx;
    (void)incarnation;
    s->downs++;
    s->dead += dead;
}
static void on_tick(struct mer_timer *t)
{
    mer_loop_stop(&MER_CONTAINER_OF(t, struct fix, tick)->loop);
}
static void run_for(struct fix *f, unsigned ms)
{
    mer_loop_arm(&f->loop, &f->tick, ms);
    mer_loop_run(&f->loop);
}
#define WAIT_FOR(f, cond) \
    do { \
        for (int i_ = 0; i_ < 5000 && !(cond); i_++) \
            run_for((f), 2); \
        assert_true(cond); \
    } while (0)

static void open_side(struct fix *f, struct side *s, const char *incarnation, const char *listen)
{
    struct edge_bus_conf c = {.loop = &f->loop,
                              .log = &f->log,
                              .rng = mer_rng_system(),
                              .metrics = &f->metrics,
                              .store = &f->store,
                              .region = "test",
                              .id = incarnation,
                              .incarnation = incarnation,
                              .listen = listen};
    struct mer_msg msg;
    assert_int_equal(edge_bus_create(&s->bus, &c, &msg), MER_OK);
    edge_bus_on(s->bus, MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_REPLACE, on_message, s);
    edge_bus_on_peer_down(s->bus, on_peer_down, s);
}
static void know(struct fix *f, unsigned row, const char *incarnation, const char *address, enum edge_store_result result)
{
    snprintf(f->store.row[row].incarnation, sizeof f->store.row[row].incarnation, "%s", incarnation);
    snprintf(f->store.row[row].address, sizeof f->store.row[row].address, "%s", address);
    f->store.row[row].result = result;
}

static int setup(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY), MER_DEBUG, mer_clock_system());
    mer_metrics_init(&f->metrics);
    mer_timer_init(&f->tick, on_tick);
    f->store.loop = &f->loop;
    char path[64];
    snprintf(path, sizeof path, "unix:/tmp/test_bus_%d", (int)getpid());
    open_side(f, &f->a, "a.1", "127.0.0.1:0");
    open_side(f, &f->b, "b.1", path);
    know(f, 0, "a.1", edge_bus_address(f->a.bus), EDGE_STORE_OK);
    know(f, 1, "b.1", edge_bus_address(f->b.bus), EDGE_STORE_OK);
    *state = f;
    return 0;
}
static int teardown(void **state)
{
    struct fix *f = *state;
    edge_bus_destroy(f->a.bus);
    edge_bus_destroy(f->b.bus);
    mer_loop_disarm(&f->loop, &f->tick);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    free(f);
    return 0;
}

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

static void messages_go_both_ways_over_one_link_in_order(void **state)
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
    assert_int_equal(f->store.asked, 1); /* b answered over the link a had dialled */
}

static void both_dialling_at_once_lose_nothing(void **state)
{
    struct fix *f = *state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
        assert_int_equal(send_text(f->b.bus, "a.1", "y"), MER_OK);
    }
    WAIT_FOR(f, f->a.got == 10 && f->b.got == 10);
    run_for(f, 100);
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
    run_for(f, 50);
    assert_int_equal(f->b.got, 0);
    know(f, 1, "b.1", edge_bus_address(f->b.bus), EDGE_STORE_OK);
    WAIT_FOR(f, f->b.got == 1);
    assert_int_equal(f->a.downs, 0);
}

/* A listener that takes connections and says nothing: a hung process. */
static int silent_listener(char address[32])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
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
    int fd = silent_listener(address);
    know(f, 2, "d.1", address, EDGE_STORE_OK);
    assert_int_equal(send_text(f->a.bus, "d.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.downs == 1);
    assert_int_equal(f->a.dead, 0);
    /* The next message starts anew; meanwhile its key ran out. */
    f->store.row[2].result = EDGE_STORE_ABSENT;
    assert_int_equal(send_text(f->a.bus, "d.1", "x"), MER_OK);
    WAIT_FOR(f, f->a.downs == 2);
    assert_int_equal(f->a.dead, 1);
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
    signal(SIGPIPE, SIG_IGN); /* as in every process */
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
    run_for(f, 200);
    assert_int_equal(f->a.downs, 1);
}

static void a_bus_may_go_while_an_answer_is_awaited(void **state)
{
    struct fix *f = *state;
    assert_int_equal(send_text(f->a.bus, "b.1", "x"), MER_OK);
    edge_bus_destroy(f->a.bus);
    f->a.bus = NULL;
    run_for(f, 20);
    assert_int_equal(f->a.downs + f->b.got, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_message_to_oneself_arrives_in_the_same_turn),
        T(messages_go_both_ways_over_one_link_in_order),
        T(both_dialling_at_once_lose_nothing),
        T(a_peer_without_liveness_key_is_dead),
        T(a_store_that_cannot_answer_is_asked_again),
        T(a_peer_that_does_not_answer_is_told_and_what_waited_is_dropped),
        T(a_peer_whose_address_refuses_is_dead_whatever_its_key_says),
        T(an_incarnation_at_another_ones_address_is_not_talked_to),
        T(what_waits_for_a_peer_is_bounded),
        T(a_link_that_breaks_under_a_message_is_no_dead_peer),
        T(the_end_of_a_peer_is_told_once),
        T(a_bus_may_go_while_an_answer_is_awaited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
