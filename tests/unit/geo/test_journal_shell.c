/* SPDX-License-Identifier: Apache-2.0
 * The agent's journal: what was wished last is read back, whatever a crash or an editor left in the file. */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "geo/journal.h"

enum { EAST, EU, REGIONS };

static struct fix {
    struct geo_footprint footprint;
    struct geo_wished wished[GEO_REGIONS_MAX], told[GEO_REGIONS_MAX];
    struct mer_msg msg;
    char dir[32], path[64];
} * f;

static int set_up(void **state)
{
    static char names[REGIONS][8] = {"us-east", "eu"};
    f = calloc(1, sizeof *f);
    *state = f;
    f->footprint.count = REGIONS;
    for (int i = 0; i < REGIONS; i++)
        f->footprint.region[i].name = names[i];
    snprintf(f->dir, sizeof f->dir, "/tmp/journal.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/geo.journal", f->dir);
    return 0;
}
static int tear_down(void **state)
{
    (void)unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    free(*state);
    return 0;
}

/* As a process that starts. */
static struct geo_journal *open_it(void)
{
    struct geo_journal *j = NULL;
    memset(f->wished, 0, sizeof f->wished);
    memset(f->told, 0, sizeof f->told);
    assert_int_equal(geo_journal_open(&j, f->path, &f->footprint, f->wished, f->told, &f->msg), MER_OK);
    return j;
}

static void append_text(const char *text)
{
    FILE *file = fopen(f->path, "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static long size(void)
{
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    return (long)st.st_size;
}

static struct geo_wished wish(enum geo_wish_kind kind, const char *by)
{
    struct geo_wished w = {.kind = kind, .at_ms = 1790000000000};
    snprintf(w.by, sizeof w.by, "%s", by);
    snprintf(w.reason, sizeof w.reason, "a \"cable\" in Überlingen");
    return w;
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void what_was_wished_and_told_last_is_read_back(void **state)
{
    struct geo_policy p = {.footprint = &f->footprint};
    struct geo_wished w = wish(GEO_WISH_SHARE, "ana (uid 1000)"), old = wish(GEO_WISH_DRAIN, "ben"), told = wish(GEO_WISH_DRAIN, "eva");
    (void)state;
    w.share = 30;
    w.until_ms = w.at_ms + 1000;
    told.over_ms = 60000;
    struct geo_journal *j = open_it();
    assert_int_equal(geo_journal_wish(j, EU, &old), MER_OK);
    assert_int_equal(geo_journal_wish(j, EU, &w), MER_OK);
    assert_int_equal(geo_journal_told(j, EAST, &told), MER_OK);
    assert_int_equal(geo_journal_answer(j, w.at_ms, &p, EU, "probe: connection refused"), MER_OK);
    geo_journal_close(j);
    geo_journal_close(open_it());
    assert_memory_equal(&f->wished[EU], &w, sizeof w);
    assert_memory_equal(&f->told[EAST], &told, sizeof told);
    assert_int_equal(f->wished[EAST].kind, GEO_WISH_NOTHING);
    assert_int_equal(f->told[EU].kind, GEO_WISH_NOTHING);
}

static void half_a_line_of_a_crash_is_cut_off_and_the_next_one_is_whole(void **state)
{
    static const char *const halves[] = {"{\"atMs\":17900000", "{", "{\"atMs\":1,\"event\":\"answer\"}" /* all but its end of line */};
    struct geo_wished w = wish(GEO_WISH_DRAIN, "ana"), back = wish(GEO_WISH_NOTHING, "ana");
    struct geo_journal *j = open_it();
    (void)state;
    assert_int_equal(geo_journal_wish(j, EU, &w), MER_OK);
    geo_journal_close(j);
    for (size_t i = 0; i < MER_COUNT(halves); i++) {
        long good = size();
        append_text(halves[i]);
        j = open_it();
        assert_int_equal(size(), good);
        assert_int_equal(f->wished[EU].kind, i == 0 ? GEO_WISH_DRAIN : GEO_WISH_NOTHING);
        assert_int_equal(geo_journal_wish(j, EU, &back), MER_OK);
        geo_journal_close(j);
    }
    geo_journal_close(open_it());
    assert_memory_equal(&f->wished[EU], &back, sizeof back);
}

static void a_line_that_is_none_stops_the_start_and_the_file_stays_as_it_is(void **state)
{
    static const char *const lines[] = {
        "hello",
        "",
        "[]",
        "{\"event\":7}",
        "{\"atMs\":1,\"event\":\"wish\"}",
        "{\"atMs\":1,\"atMs\":2,\"event\":\"answer\"}",
        "{\"atMs\":1,\"event\":\"wish\",\"region\":\"eu\",\"wish\":\"fly\",\"overMs\":0,\"reason\":\"x\",\"by\":\"y\"}",
        "{\"atMs\":1,\"event\":\"wish\",\"region\":\"eu\",\"wish\":\"share\",\"overMs\":0,\"reason\":\"x\",\"by\":\"y\",\"share\":35}",
        "{\"atMs\":1,\"event\":\"wish\",\"region\":\"eu\",\"wish\":\"share\",\"overMs\":0,\"reason\":\"x\",\"by\":\"y\",\"share\":100}",
        "{\"atMs\":1,\"event\":\"wish\",\"region\":\"eu\",\"wish\":\"share\",\"overMs\":0,\"reason\":\"x\",\"by\":\"y\",\"share\":-10}",
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(lines); i++) {
        struct geo_journal *j;
        append_text("{\"atMs\":1,\"event\":\"answer\"}\n");
        append_text(lines[i]);
        append_text("\n{\"half\":");
        long before = size();
        assert_int_equal(geo_journal_open(&j, f->path, &f->footprint, f->wished, f->told, &f->msg), MER_EINVALID);
        if (strstr(f->msg.text, "geo.journal:2: not a line") == NULL)
            fail_msg("%s: %s", lines[i], f->msg.text);
        assert_int_equal(size(), before);
        assert_int_equal(unlink(f->path), 0);
    }
}

static void a_region_of_an_earlier_footprint_is_passed_over(void **state)
{
    (void)state;
    append_text("{\"atMs\":1,\"event\":\"wish\",\"region\":\"mars\",\"wish\":\"drain\",\"overMs\":0,\"reason\":\"x\",\"by\":\"y\"}\n");
    append_text("{\"atMs\":2,\"event\":\"later\",\"more\":[1]}\n"); /* of a later version */
    geo_journal_close(open_it());
    for (int i = 0; i < REGIONS; i++)
        assert_int_equal(f->wished[i].kind, GEO_WISH_NOTHING);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    struct geo_journal *j;
    (void)state;
    assert_int_equal(geo_journal_open(&j, "/nowhere/geo.journal", &f->footprint, f->wished, f->told, &f->msg), MER_EIO);
    assert_non_null(strstr(f->msg.text, "/nowhere/geo.journal"));
}

/* A limit on the size of files is a full disk that stops in the midst of a line. */
static void a_disk_that_is_full_keeps_what_was_there(void **state)
{
    struct geo_wished w = wish(GEO_WISH_DRAIN, "ana"), x = wish(GEO_WISH_FORCE_IN, "ben");
    struct geo_journal *j = open_it();
    struct rlimit before, full;
    (void)state;
    assert_int_equal(geo_journal_wish(j, EU, &w), MER_OK);
    long good = size();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    full = (struct rlimit){.rlim_cur = (rlim_t)good + 10, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    assert_int_equal(geo_journal_wish(j, EU, &x), MER_EIO);
    assert_int_equal(size(), good);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(geo_journal_wish(j, EAST, &x), MER_OK);
    geo_journal_close(j);
    geo_journal_close(open_it());
    assert_int_equal(f->wished[EU].kind, GEO_WISH_DRAIN);
    assert_int_equal(f->wished[EAST].kind, GEO_WISH_FORCE_IN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_wished_and_told_last_is_read_back),
        TEST(half_a_line_of_a_crash_is_cut_off_and_the_next_one_is_whole),
        TEST(a_line_that_is_none_stops_the_start_and_the_file_stays_as_it_is),
        TEST(a_region_of_an_earlier_footprint_is_passed_over),
        TEST(a_folder_that_is_not_there_is_told),
        TEST(a_disk_that_is_full_keeps_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
