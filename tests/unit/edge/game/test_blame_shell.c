/* SPDX-License-Identifier: Apache-2.0
 * The file that outlives a process; what Redis makes of it is tested with real edges (tests/integration/seats/poison.test.mjs). */
#include "edge/game/blame.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "metric_moved.h"
#include "unit.h"

struct fix {
    char dir[64], path[96];
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct edge_blame *blame;
};

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof(*f));
    struct mer_clock clock = mer_clock_system();
    strcpy(f->dir, "/tmp/blameXXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/e.blame", f->dir);
    assert_int_equal(mer_loop_init(&f->loop, clock), MER_OK);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY | O_CLOEXEC), MER_ERROR, clock);
    mer_metrics_init(&f->metrics);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;
    edge_blame_destroy(f->blame);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    unlink(f->path);
    rmdir(f->dir);
    free(f);
    return 0;
}

static enum mer_err start(struct fix *f, const char *incarnation)
{
    struct mer_msg msg;
    struct edge_blame_conf c = {&f->loop, &f->log, &f->metrics, NULL, incarnation, f->path};
    return edge_blame_create(&f->blame, &c, &msg);
}

/* The process ends, and says nothing more. */
static void crash(struct fix *f)
{
    edge_blame_destroy(f->blame);
    f->blame = NULL;
}

static bool file_has(const struct fix *f, const char *text)
{
    char bytes[4096];
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, sizeof(bytes));
    close(fd);
    assert_true(n > 0);
    return memmem(bytes, (size_t)n, text, strlen(text)) != NULL;
}

static unsigned blamed(struct fix *f)
{
    return (unsigned)metric_value(&f->metrics, "meridian_edge_games_blamed_total");
}

static void who_ends_within_a_step_leaves_the_games_name(void **state)
{
    struct fix *f = *state;
    assert_int_equal(start(f, "e-1.first"), MER_OK);
    assert_int_equal(blamed(f), 0);
    edge_blame_begin(f->blame, "g-a");
    edge_blame_end(f->blame);
    edge_blame_begin(f->blame, "g-poison");
    crash(f);
    assert_int_equal(start(f, "e-1.second"), MER_OK);
    assert_int_equal(blamed(f), 1);
    assert_true(file_has(f, "g-poison") && file_has(f, "e-1.first"));
    crash(f); /* before the store could be told: it is not forgotten, and not counted again */
    assert_int_equal(start(f, "e-1.third"), MER_OK);
    assert_int_equal(blamed(f), 0);
    assert_true(file_has(f, "g-poison") && file_has(f, "e-1.first"));
}

static void who_ends_between_steps_blames_nobody(void **state)
{
    struct fix *f = *state;
    assert_int_equal(start(f, "e-1.first"), MER_OK);
    edge_blame_begin(f->blame, "g-a");
    edge_blame_end(f->blame);
    crash(f);
    assert_int_equal(start(f, "e-1.second"), MER_OK);
    assert_int_equal(blamed(f), 0);
}

static void a_file_of_rubbish_is_an_empty_one(void **state)
{
    struct fix *f = *state;
    char rubbish[600];
    memset(rubbish, 0xf7, sizeof(rubbish));
    int fd = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, rubbish, sizeof(rubbish)), sizeof(rubbish));
    close(fd);
    assert_int_equal(start(f, "e-1.first"), MER_OK);
    assert_int_equal(blamed(f), 0);
    assert_false(file_has(f, "\xf7\xf7"));
}

static void a_place_that_is_none_is_refused(void **state)
{
    struct fix *f = *state;
    snprintf(f->path, sizeof(f->path), "%s/no/e.blame", f->dir);
    assert_int_equal(start(f, "e-1.first"), MER_EIO);
    edge_blame_begin(NULL, "g-a"); /* an edge without such a file */
    edge_blame_end(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(who_ends_within_a_step_leaves_the_games_name),
        TEST(who_ends_between_steps_blames_nobody),
        TEST(a_file_of_rubbish_is_an_empty_one),
        TEST(a_place_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
