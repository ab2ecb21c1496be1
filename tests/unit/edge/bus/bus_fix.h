/* SPDX-License-Identifier: Apache-2.0
 * bus_fix.h - two buses in one process, over loopback sockets or over a broker of the test's (fake_broker.h). The store is replaced at the
 * link (edge_store_live_get below): what is tested is the bus. */
#pragma once

#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "edge/bus/bus.h"
#include "edge/store/store.h"

#include "fake_broker.h"
#include "loop_run.h"

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
    struct mer_redis redis; /* its client of the broker */
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
    struct fake_broker broker;
    enum edge_bus_carrier carrier;
    uint64_t skipped_us; /* on top of the machine's clock */
    struct side a, b;
    struct mer_timer breaker;
    struct mer_hook hook;
    enum mer_err late;
};

static inline enum mer_err send_text(struct edge_bus *b, const char *to, const char *text)
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
                              .listen = listen,
                              .carrier = f->carrier,
                              .redis = &s->redis};
    struct mer_msg msg;
    s->redis.broker = &f->broker;
    assert_int_equal(edge_bus_create(&s->bus, &c, &msg), MER_OK);
    edge_bus_on(s->bus, MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_REPLACE, on_message, s);
    edge_bus_on_peer_down(s->bus, on_peer_down, s);
}
static inline void know(struct fix *f, unsigned row, const char *incarnation, const char *address, enum edge_store_result result)
{
    snprintf(f->store.row[row].incarnation, sizeof f->store.row[row].incarnation, "%s", incarnation);
    snprintf(f->store.row[row].address, sizeof f->store.row[row].address, "%s", address);
    f->store.row[row].result = result;
}

static uint64_t skipping_us(void *ctx)
{
    struct mer_clock system = mer_clock_system();
    return system.mono_us(system.ctx) + ((struct fix *)ctx)->skipped_us;
}

static int setup(void **state, enum edge_bus_carrier carrier)
{
    struct fix *f = calloc(1, sizeof *f);
    struct mer_clock clock = mer_clock_system();
    signal(SIGPIPE, SIG_IGN); /* as in every process */
    clock.mono_us = skipping_us;
    clock.ctx = f;
    assert_int_equal(mer_loop_init(&f->loop, clock), 0);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY), MER_DEBUG, mer_clock_system());
    mer_metrics_init(&f->metrics);
    f->store.loop = f->broker.loop = &f->loop;
    f->carrier = carrier;
    char path[64];
    snprintf(path, sizeof path, "unix:/tmp/test_bus_%d", (int)getpid());
    open_side(f, &f->a, "a.1", "127.0.0.1:0");
    open_side(f, &f->b, "b.1", path);
    know(f, 0, "a.1", edge_bus_address(f->a.bus), EDGE_STORE_OK);
    know(f, 1, "b.1", edge_bus_address(f->b.bus), EDGE_STORE_OK);
    *state = f;
    return 0;
}
static inline int setup_links(void **state)
{
    return setup(state, EDGE_BUS_LINKS);
}
static inline int setup_redis(void **state)
{
    return setup(state, EDGE_BUS_REDIS);
}
static int teardown(void **state)
{
    struct fix *f = *state;
    edge_bus_destroy(f->a.bus);
    edge_bus_destroy(f->b.bus);
    loop_run_for(&f->loop, 5); /* answers that are due */
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    free(f);
    return 0;
}
