/* SPDX-License-Identifier: Apache-2.0
 * A plan is put in force: what gdnsd is told, and told again until it took it. gdnsd and gdnsdctl are scripts here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "geo/plan_dir.h"

struct fix {
    char dir[64], plan[96], old_path[4096];
    struct geo_footprint f;
    struct geo_measured m;
    struct geo_plan_files files;
};

static void write_text(const struct fix *x, const char *name, const char *text, mode_t mode)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", x->dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void set(struct mer_buf *b, const char *text)
{
    mer_buf_clear(b);
    assert_int_equal(mer_buf_appends(b, text), MER_OK);
}

static int set_up(void **state)
{
    static struct fix x;
    static char zone[] = "play.test";
    memset(&x, 0, sizeof x);
    snprintf(x.dir, sizeof x.dir, "/tmp/plan-dir-XXXXXX");
    assert_non_null(mkdtemp(x.dir));
    snprintf(x.plan, sizeof x.plan, "%s/gdnsd.conf", x.dir);
    x.f.zone = zone;
    set(&x.files.config, "config 1\n");
    set(&x.files.networks, "networks 1\n");
    set(&x.files.zone, "zone 1\n");
    set(&x.files.orders, "orders 1\n");
    write_text(&x, "gdnsd", "#!/bin/sh\nexit 0\n", 0755);
    /* says what it was told, and fails at what `broken` names */
    write_text(&x, "gdnsdctl", "#!/bin/sh\ncd \"${0%/*}\" && echo \"$3\" >>told\n! grep -qx \"$3\" broken\n", 0755);
    write_text(&x, "broken", "", 0644);
    snprintf(x.old_path, sizeof x.old_path, "%s", getenv("PATH"));
    char path[4200];
    snprintf(path, sizeof path, "%s:%s", x.dir, x.old_path);
    setenv("PATH", path, 1);
    *state = &x;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *x = *state;
    char command[128];
    setenv("PATH", x->old_path, 1);
    geo_plan_files_deinit(&x->files);
    snprintf(command, sizeof command, "rm -rf %s", x->dir);
    return system(command);
}

/* The words since the last time. */
static void assert_told(const struct fix *x, const char *words)
{
    char path[160], said[256] = "";
    snprintf(path, sizeof path, "%s/told", x->dir);
    FILE *in = fopen(path, "r");
    size_t n = in != NULL ? fread(said, 1, sizeof said - 1, in) : 0;
    said[n] = '\0';
    if (in != NULL)
        fclose(in);
    unlink(path);
    assert_string_equal(said, words);
}

static enum mer_err apply(struct fix *x, enum geo_applied *applied)
{
    struct mer_msg msg = {{0}};
    return geo_plan_dir_apply(&x->files, &x->f, &x->m, x->plan, false, applied, &msg);
}

static void gdnsd_is_told_what_changed_and_nothing_twice(void **state)
{
    struct fix *x = *state;
    enum geo_applied applied;
    assert_int_equal(apply(x, &applied), MER_OK);
    assert_int_equal(applied, GEO_APPLIED_CONFIG);
    assert_told(x, "status\nreplace\n");
    assert_int_equal(apply(x, &applied), MER_OK);
    assert_int_equal(applied, GEO_APPLIED_NOTHING);
    assert_told(x, "");
    set(&x->files.zone, "zone 2\n");
    assert_int_equal(apply(x, &applied), MER_OK);
    assert_int_equal(applied, GEO_APPLIED_ZONE);
    assert_told(x, "status\nreload-zones\n");
}

static void what_gdnsd_did_not_take_is_told_again(void **state)
{
    struct fix *x = *state;
    enum geo_applied applied;
    write_text(x, "broken", "replace\n", 0644);
    assert_int_equal(apply(x, &applied), MER_EREFUSED);
    assert_told(x, "status\nreplace\n");
    assert_int_equal(apply(x, &applied), MER_EREFUSED); /* the files are the same, what gdnsd says is not */
    assert_told(x, "status\nreplace\n");
    write_text(x, "broken", "", 0644);
    assert_int_equal(apply(x, &applied), MER_OK);
    assert_int_equal(applied, GEO_APPLIED_CONFIG);
    assert_told(x, "status\nreplace\n");
    assert_int_equal(apply(x, &applied), MER_OK);
    assert_int_equal(applied, GEO_APPLIED_NOTHING);
    assert_told(x, "");
}

static void without_a_gdnsd_there_is_nobody_to_tell_later(void **state)
{
    struct fix *x = *state;
    enum geo_applied applied;
    write_text(x, "broken", "status\n", 0644);
    assert_int_equal(apply(x, &applied), MER_OK);
    assert_int_equal(applied, GEO_APPLIED_FILES);
    assert_told(x, "status\n");
    write_text(x, "broken", "", 0644);
    assert_int_equal(apply(x, &applied), MER_OK);
    assert_int_equal(applied, GEO_APPLIED_NOTHING); /* one that was started since has read them */
    assert_told(x, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gdnsd_is_told_what_changed_and_nothing_twice),
        TEST(what_gdnsd_did_not_take_is_told_again),
        TEST(without_a_gdnsd_there_is_nobody_to_tell_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
