/* SPDX-License-Identifier: Apache-2.0
 * Process states (every cell of the table), signals, and the command line. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <meridian/process.h>

#include "metric_moved.h"

struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_process process;
    int drains, reloads;
    struct mer_timer timer, stopper;
    int signum;
};
static struct fix *only;

static void on_drain(void *ctx)
{
    ((struct fix *)ctx)->drains++;
}

static void on_reload(void *ctx)
{
    ((struct fix *)ctx)->reloads++;
}

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof(*f));

    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY), MER_INFO, mer_clock_system());
    mer_metrics_init(&f->metrics);
    mer_process_init(&f->process, &f->loop, &f->log, &f->metrics);
    f->process.on_drain = on_drain;
    f->process.on_reload = on_reload;
    f->process.ctx = f;
    only = f;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;

    mer_process_deinit(&f->process);
    mer_loop_deinit(&f->loop);
    assert_int_equal(f->process.sigs, 0);
    close(f->log.fd);
    free(f);
    return 0;
}

static void every_state_answers_every_call(void **state)
{
    static const struct {
        enum mer_process_state from, ready, drain, undrain, stop;
    } cells[] = {
        {MER_PROCESS_STARTING, MER_PROCESS_READY, MER_PROCESS_STOPPED, MER_PROCESS_STARTING, MER_PROCESS_STOPPED},
        {MER_PROCESS_READY, MER_PROCESS_READY, MER_PROCESS_DRAINING, MER_PROCESS_READY, MER_PROCESS_STOPPED},
        {MER_PROCESS_DRAINING, MER_PROCESS_DRAINING, MER_PROCESS_DRAINING, MER_PROCESS_READY, MER_PROCESS_STOPPED},
        {MER_PROCESS_STOPPED, MER_PROCESS_STOPPED, MER_PROCESS_STOPPED, MER_PROCESS_STOPPED, MER_PROCESS_STOPPED},
    };
    struct fix *f = *state;

    for (size_t i = 0; i < MER_COUNT(cells); i++) {
        f->process.state = cells[i].from;
        mer_process_ready(&f->process);
        assert_int_equal(f->process.state, cells[i].ready);
        f->process.state = cells[i].from;
        mer_process_drain(&f->process);
        assert_int_equal(f->process.state, cells[i].drain);
        f->process.state = cells[i].from;
        assert_int_equal(mer_process_undrain(&f->process), cells[i].from != cells[i].undrain);
        assert_int_equal(f->process.state, cells[i].undrain);
        f->process.state = cells[i].from;
        mer_process_stop(&f->process);
        assert_int_equal(f->process.state, cells[i].stop);
    }
    assert_int_equal(f->drains, 1);
    assert_string_equal(mer_process_state_name(MER_PROCESS_DRAINING), "DRAINING");
    assert_string_equal(mer_process_state_name(MER_PROCESS_NSTATES), "?");
}

static void lines_that_are_lost_are_a_metric(void **state)
{
    struct fix *f = *state;
    int good = f->log.fd;
    struct mer_buf shown;

    f->log.fd = open("/dev/full", O_WRONLY);
    MER_LOG(&f->log, MER_INFO, "disk.full", KV_STR("what", "nobody reads this"));
    close(f->log.fd);
    f->log.fd = good;
    MER_LOG(&f->log, MER_INFO, "disk.free", KV_STR("what", "this one is written"));
    mer_buf_init(&shown, 0);
    assert_int_equal(mer_metrics_render(&f->metrics, &shown), MER_OK);
    assert_non_null(memmem(shown.data, shown.len, "\nmeridian_log_lines_lost_total 1\n", 33));
    mer_buf_deinit(&shown);
}

static void the_state_is_a_metric(void **state)
{
    struct fix *f = *state;
    uint64_t before = metric_value(&f->metrics, "meridian_process_state");

    mer_process_ready(&f->process);
    assert_metric_moved(&f->metrics, "meridian_process_state", before, 1);
    mer_process_drain(&f->process);
    assert_metric_moved(&f->metrics, "meridian_process_state", before, 2);
}

static void raise_it(struct mer_timer *t)
{
    (void)t;
    raise(only->signum);
}

static void stop_it(struct mer_timer *t)
{
    (void)t;
    mer_loop_stop(&only->loop);
}

static void raise_and_turn(struct fix *f, int signum)
{
    f->signum = signum;
    mer_timer_init(&f->timer, raise_it);
    mer_timer_init(&f->stopper, stop_it);
    mer_loop_arm(&f->loop, &f->timer, 1);
    mer_loop_arm(&f->loop, &f->stopper, 50);
    mer_loop_run(&f->loop);
    mer_loop_disarm(&f->loop, &f->stopper);
}

static void hup_reloads_term_drains_and_the_second_one_stops(void **state)
{
    struct fix *f = *state;

    mer_process_ready(&f->process);
    raise_and_turn(f, SIGHUP);
    assert_int_equal(f->reloads, 1);
    assert_int_equal(f->process.state, MER_PROCESS_READY);
    raise_and_turn(f, SIGTERM);
    assert_int_equal(f->drains, 1);
    assert_int_equal(f->process.state, MER_PROCESS_DRAINING);
    raise_and_turn(f, SIGINT);
    assert_int_equal(f->drains, 1);
    assert_int_equal(f->process.state, MER_PROCESS_STOPPED);
}

static void a_signal_goes_on_with_an_operators_drain_and_the_second_one_stops(void **state)
{
    struct fix *f = *state;

    mer_process_ready(&f->process);
    mer_process_drain(&f->process); /* POST /drain, meridianctl */
    raise_and_turn(f, SIGTERM);
    assert_int_equal(f->process.state, MER_PROCESS_DRAINING);
    assert_int_equal(f->drains, 1);
    assert_false(mer_process_undrain(&f->process)); /* who supervises it waits now */
    raise_and_turn(f, SIGTERM);
    assert_int_equal(f->process.state, MER_PROCESS_STOPPED);
}

static void what_was_told_to_end_is_not_taken_back(void **state)
{
    struct fix *f = *state;

    mer_process_ready(&f->process);
    raise_and_turn(f, SIGTERM);
    assert_false(mer_process_undrain(&f->process));
    assert_int_equal(f->process.state, MER_PROCESS_DRAINING);
}

static void nothing_to_drain_is_a_stop(void **state)
{
    struct fix *f = *state;

    f->process.on_drain = NULL;
    mer_process_ready(&f->process);
    mer_process_drain(&f->process);
    assert_int_equal(f->process.state, MER_PROCESS_STOPPED);
}

static void limits_are_raised_and_broken_pipes_ignored(void **state)
{
    struct sigaction sa;

    (void)state;
    assert_true(mer_process_raise_limits() > 0);
    assert_int_equal(sigaction(SIGPIPE, NULL, &sa), 0);
    assert_ptr_equal(sa.sa_handler, SIG_IGN);
}

struct conf {
    uint32_t port;
};
static const struct mer_conf_item items[] = {MER_CONF_ROW_U32(struct conf, port, 1, 65535, "1", "the port")};

/* Parses with stdout and stderr away; the exit code. */
static int parse(struct mer_args *a, int argc, char **argv)
{
    int code, out = dup(1), err = dup(2), null = open("/dev/null", O_WRONLY);

    fflush(stdout);
    dup2(null, 1);
    dup2(null, 2);
    mer_args_parse(a, argc, argv, "meridian-test", items, MER_COUNT(items), &code);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    close(null);
    return code;
}

static void the_command_line_is_understood_or_refused(void **state)
{
    static const struct {
        const char *argv[6];
        int code;
    } cases[] = {
        {{"x"}, -1},
        {{"x", "--config", "a.yaml", "--set", "a=1", "--check-config"}, -1},
        {{"x", "--config=a.yaml", "--set=a=1", "--check-config"}, -1},
        {{"x", "--help"}, 0},
        {{"x", "--version"}, 0},
        {{"x", "--print-config-help"}, 0},
        {{"x", "--print-config-template"}, 0},
        {{"x", "--config"}, 2},
        {{"x", "--set"}, 2},
        {{"x", "--nope"}, 2},
        {{"x", "file.yaml"}, 2},
        {{"x", "--check-config=yes"}, 2},
        {{"x", "--configure", "x"}, 2},
    };

    (void)state;
    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        struct mer_args a;
        char *argv[6];
        int argc = 0, code;
        for (; argc < 6 && cases[i].argv[argc]; argc++)
            argv[argc] = (char *)cases[i].argv[argc];
        code = parse(&a, argc, argv);
        if (code != cases[i].code)
            fail_msg("case %zu: %d", i, code);
        if (i == 1 || i == 2) {
            assert_string_equal(a.config, "a.yaml");
            assert_int_equal(a.sets.count, 1);
            assert_string_equal(a.sets.item[0], "a=1");
            assert_true(a.check_config);
        }
        mer_args_free(&a);
    }
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_state_answers_every_call),
        TEST(the_state_is_a_metric),
        TEST(lines_that_are_lost_are_a_metric),
        TEST(hup_reloads_term_drains_and_the_second_one_stops),
        TEST(a_signal_goes_on_with_an_operators_drain_and_the_second_one_stops),
        TEST(what_was_told_to_end_is_not_taken_back),
        TEST(nothing_to_drain_is_a_stop),
        cmocka_unit_test(limits_are_raised_and_broken_pipes_ignored),
        cmocka_unit_test(the_command_line_is_understood_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
