/* SPDX-License-Identifier: Apache-2.0
 * The files of a plan: hostile ones are told with their line, and the three examples come out as tests/golden/planner has them. After a
 * change that is meant: MERIDIAN_GOLDEN=write, and look at the difference. */
#include "infra/planner/inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "infra/planner/print.h"
#include "unit.h"

#define FOLDER MERIDIAN_SOURCE_DIR "/infra/planner/"
#define GOLDEN MERIDIAN_SOURCE_DIR "/tests/golden/planner/"

static const struct plan_files files = {FOLDER "examples/10m.yaml", MERIDIAN_SOURCE_DIR "/geo/footprint.yaml", FOLDER "measured.yaml",
                                        FOLDER "prices.yaml"};

static const struct plan_row rows[] = {{"speed", "us", 0, 1, 100}, {"weight kg", "%", sizeof(double), 0, 10}};

/* What the loader says to a file of this content; "" when it is good. */
static const char *said(const char *content, double out[2])
{
    static char text[4096];
    static struct plan_origin origin[2];
    char path[] = "/tmp/rowsXXXXXX";
    struct mer_buf errors;
    FILE *f = fdopen(mkstemp(path), "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
    mer_buf_init(&errors, 0);
    enum mer_err err = plan_rows_load(rows, 2, out, origin, path, &errors);
    snprintf(text, sizeof text, "%.*s", (int)errors.len, errors.len > 0 ? (const char *)errors.data : "");
    mer_buf_deinit(&errors);
    unlink(path);
    assert_true((err == MER_OK) == (text[0] == '\0'));
    return text;
}

#define SPEED "speed: {value: 5, unit: us, date: 2026-11-22, source: \"a bench\"}\n"
#define WEIGHT "weight kg: {value: 2, unit: \"%\", date: 2026-11-22, source: scales}\n"

static void every_row_has_value_unit_date_and_source(void **state)
{
    (void)state;
    double out[2];
    static const struct {
        const char *content, *says;
    } cases[] = {
        {SPEED WEIGHT, ""},
        {SPEED WEIGHT "weight lb: {value: 2}\n", ""}, /* of another place */
        {"", "mapping"},
        {SPEED, "weight kg: missing"},
        {SPEED WEIGHT "colour: {value: 2}\n", "colour: nothing is computed"},
        {WEIGHT "speed: 5\n", "speed"},
        {WEIGHT "speed: {value: 5, unit: us, date: 2026-11-22}\n", "value, date and source are needed"},
        {WEIGHT "speed: {value: 5, unit: us, source: x}\n", "value, date and source are needed"},
        {WEIGHT "speed: {unit: us, date: 2026-11-22, source: x}\n", "value, date and source are needed"},
        {WEIGHT "speed: {value: 5, unit: ms, date: 2026-11-22, source: x}\n", "unit: must be \"us\""},
        {WEIGHT "speed: {value: 101, unit: us, date: 2026-11-22, source: x}\n", "speed"},
        {WEIGHT "speed: {value: nan, unit: us, date: 2026-11-22, source: x}\n", "speed"},
        {WEIGHT "speed: {value: [5], unit: us, date: 2026-11-22, source: x}\n", "speed"},
        {WEIGHT "speed: {value: 5, unit: us, date: 2026-11-22, source: x, colour: red}\n", "no such part"},
        {WEIGHT SPEED SPEED, "speed"},
        {WEIGHT "speed: &a {value: 5}\n", ":"},
        {"speed: {value: 5\n", ":"},
    };
    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        const char *text = said(cases[i].content, out);
        if (cases[i].says[0] == '\0' ? text[0] != '\0' : strstr(text, cases[i].says) == NULL)
            fail_msg("case %zu: \"%s\"", i, text);
    }
    assert_string_equal(said(SPEED WEIGHT, out), "");
    assert_true(out[0] > 4.9 && out[0] < 5.1 && out[1] > 1.9 && out[1] < 2.1);
}

static void load(struct plan_inputs *in, const struct plan_files *f)
{
    struct mer_buf errors;
    struct mer_strs none = {NULL, 0};
    mer_buf_init(&errors, 0);
    if (plan_inputs_load(in, f, &none, &errors) != MER_OK)
        fail_msg("%.*s", (int)errors.len, (const char *)errors.data);
    mer_buf_deinit(&errors);
}

static void a_wish_that_cannot_be_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *set, *says;
    } cases[] = {
        {"redis_shards_per_group=5", "multiple of 3"},
        {"redis_shards_per_group=9", "fewer than redis_host_cores"},
        {"players=0", "players"},
        {"colour=red", "colour"},
    };
    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        struct plan_inputs in;
        struct mer_buf errors;
        char *item[1] = {(char *)cases[i].set};
        struct mer_strs sets = {item, 1};
        mer_buf_init(&errors, 0);
        assert_int_equal(plan_inputs_load(&in, &files, &sets, &errors), MER_EINVALID);
        assert_int_equal(mer_buf_append(&errors, "", 1), MER_OK);
        if (strstr((const char *)errors.data, cases[i].says) == NULL)
            fail_msg("%s: \"%s\"", cases[i].set, (const char *)errors.data);
        mer_buf_deinit(&errors);
    }
}

static void every_figure_says_where_it_comes_from(void **state)
{
    (void)state;
    struct plan_inputs in;
    load(&in, &files);
    for (size_t i = 0; i < PLAN_MEASURED_ROWS; i++)
        assert_true(strlen(in.measured_origin[i].source) > 10 && strlen(in.measured_origin[i].date) == 10);
    for (size_t i = 0; i < in.price_count; i++)
        assert_true(strlen(in.price_origin[i].source) > 10 && strlen(in.price_origin[i].date) == 10);
    assert_int_equal(in.price_count, PLAN_PRICE_ROWS + PLAN_REGION_PRICES * in.footprint.count);
    plan_inputs_deinit(&in);
}

/* ---- golden outputs --------------------------------------------------------------------------------------------------------------------
 */

typedef void (*print_fn)(const struct plan_result *r, const struct plan_inputs *in, FILE *out);

static void compare(const char *path, const char *text, size_t len)
{
    static char golden[65536];
    const char *mode = getenv("MERIDIAN_GOLDEN");
    if (mode != NULL && strcmp(mode, "write") == 0) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, len, f), len);
        fclose(f);
    }
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t got = fread(golden, 1, sizeof golden - 1, f);
    fclose(f);
    golden[got] = '\0';
    assert_string_equal(text, golden);
}

static void check(const struct plan_files *f, const char *path, print_fn print)
{
    struct plan_inputs in;
    struct plan_result r;
    struct mer_msg msg;
    char *text = NULL;
    size_t len = 0;
    load(&in, f);
    assert_int_equal(plan_make(&r, &in.wish, &in.measured, &in.prices, &in.footprint, &msg), MER_OK);
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    print(&r, &in, out);
    fclose(out);
    compare(path, text, len);
    free(text);
    plan_inputs_deinit(&in);
}

static void the_examples_come_out_as_before(void **state)
{
    (void)state;
    struct plan_files f = files;
    check(&f, GOLDEN "10m.txt", plan_print_table);
    check(&f, GOLDEN "10m.json", plan_print_json);
    check(&f, GOLDEN "10m.yaml", plan_print_terraform);
    f.wish = FOLDER "examples/1m.yaml";
    check(&f, GOLDEN "1m.txt", plan_print_table);
    f.wish = FOLDER "examples/10k.yaml";
    f.footprint = FOLDER "examples/one-region.yaml";
    check(&f, GOLDEN "10k.txt", plan_print_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_value_unit_date_and_source),
        cmocka_unit_test(a_wish_that_cannot_be_is_told),
        cmocka_unit_test(every_figure_says_where_it_comes_from),
        cmocka_unit_test(the_examples_come_out_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
