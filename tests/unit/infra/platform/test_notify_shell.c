/* SPDX-License-Identifier: Apache-2.0
 * What a service manager hears of a process: a socket of ours stands for it. */
#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <meridian/process.h>

struct fix {
    int manager;
    char name[64]; /* abstract: leaves nothing behind */
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_process process; /* its handles are closed by the loop: it lives longer */
    struct mer_timer stopper;
};
static struct fix *only;

static void listen_as_manager(struct fix *f)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(f->name));

    memcpy(a.sun_path, f->name, strlen(f->name));
    a.sun_path[0] = '\0';
    f->manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(f->manager >= 0);
    assert_int_equal(bind(f->manager, (struct sockaddr *)&a, len), 0);
}

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof(*f));

    snprintf(f->name, sizeof(f->name), "@meridian-test-notify-%d", (int)getpid());
    listen_as_manager(f);
    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    mer_log_init(&f->log, STDERR_FILENO, MER_ERROR, mer_clock_system());
    mer_metrics_init(&f->metrics);
    setenv("NOTIFY_SOCKET", f->name, 1);
    only = f;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;

    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    mer_loop_deinit(&f->loop);
    close(f->manager);
    free(f);
    return 0;
}

/* The next thing the manager heard; "" when nothing. */
static const char *heard(struct fix *f)
{
    static char text[256];
    ssize_t n = recv(f->manager, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void stop_it(struct mer_timer *t)
{
    (void)t;
    mer_loop_stop(&only->loop);
}

static void turn(struct fix *f, uint64_t ms)
{
    mer_timer_init(&f->stopper, stop_it);
    mer_loop_arm(&f->loop, &f->stopper, ms);
    mer_loop_run(&f->loop);
}

static void the_manager_hears_of_every_state(void **state)
{
    struct fix *f = *state;
    struct mer_process *p = &f->process;

    mer_process_init(p, &f->loop, &f->log, &f->metrics);
    assert_string_equal(heard(f), "STATUS=starting");
    mer_process_ready(p);
    mer_process_ready(p);
    assert_string_equal(heard(f), "READY=1\nSTATUS=ready");
    p->state = MER_PROCESS_READY;
    mer_process_drain(p); /* nothing to wait for: it stops at once */
    assert_string_equal(heard(f), "STATUS=draining");
    assert_string_equal(heard(f), "STOPPING=1\nSTATUS=stopped");
    assert_string_equal(heard(f), "");
    mer_process_deinit(p);
}

static void a_loop_that_turns_feeds_the_watchdog(void **state)
{
    struct fix *f = *state;
    struct mer_notify n;

    setenv("WATCHDOG_USEC", "40000", 1);
    mer_notify_init(&n, &f->loop);
    assert_int_equal(n.every_ms, 20);
    assert_string_equal(heard(f), "");
    turn(f, 70);
    assert_string_equal(heard(f), "WATCHDOG=1");
    assert_string_equal(heard(f), "WATCHDOG=1");
    mer_notify_deinit(&n);
}

static void the_watchdog_of_another_process_is_not_ours(void **state)
{
    static const struct {
        const char *usec, *pid;
    } rows[] = {{"40000", "1"}, {"0", NULL}, {"many", NULL}, {"18446744073709551615", NULL}, {"99999999999999999999", NULL}, {"", NULL}};
    struct fix *f = *state;
    struct mer_notify n;

    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        setenv("NOTIFY_SOCKET", f->name, 1);
        setenv("WATCHDOG_USEC", rows[i].usec, 1);
        if (rows[i].pid != NULL)
            setenv("WATCHDOG_PID", rows[i].pid, 1);
        mer_notify_init(&n, &f->loop);
        assert_int_equal(n.every_ms, 0);
        mer_notify_deinit(&n);
    }
}

static void our_children_do_not_speak_for_us(void **state)
{
    struct fix *f = *state;
    struct mer_notify n;

    setenv("WATCHDOG_USEC", "40000", 1);
    mer_notify_init(&n, &f->loop);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    mer_notify_deinit(&n);
}

static void without_a_manager_nothing_is_said(void **state)
{
    static char long_name[300];
    static const char *const wheres[] = {NULL, "", "/", "relative", "vsock:2:1234", long_name};
    struct fix *f = *state;
    struct mer_notify n;

    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[0] = '/';
    for (size_t i = 0; i < MER_COUNT(wheres); i++) {
        if (wheres[i] != NULL)
            setenv("NOTIFY_SOCKET", wheres[i], 1);
        else
            unsetenv("NOTIFY_SOCKET");
        setenv("WATCHDOG_USEC", "40000", 1);
        mer_notify_init(&n, &f->loop);
        assert_int_equal(n.fd, -1);
        assert_int_equal(n.every_ms, 0);
        mer_notify_send(&n, "READY=1");
        mer_notify_deinit(&n);
    }
}

static void a_manager_that_went_away_is_no_error(void **state)
{
    struct fix *f = *state;
    struct mer_notify n;

    mer_notify_init(&n, &f->loop);
    close(f->manager);
    mer_notify_send(&n, "WATCHDOG=1");
    listen_as_manager(f); /* another one in its place */
    mer_notify_send(&n, "WATCHDOG=1");
    assert_string_equal(heard(f), "WATCHDOG=1");
    mer_notify_deinit(&n);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_manager_hears_of_every_state),
        TEST(a_loop_that_turns_feeds_the_watchdog),
        TEST(the_watchdog_of_another_process_is_not_ours),
        TEST(our_children_do_not_speak_for_us),
        TEST(without_a_manager_nothing_is_said),
        TEST(a_manager_that_went_away_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
