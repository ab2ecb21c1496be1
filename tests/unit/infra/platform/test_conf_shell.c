/* SPDX-License-Identifier: Apache-2.0
 * Configuration: sources, types, and a table of bad files with the line each is told in. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include <meridian/conf.h>

struct conf {
    char *name, *note;
    struct mer_strs hosts;
    uint32_t port, mode;
    uint64_t big;
    bool on;
};
static const char *const modes[] = {"slow", "fast", NULL};
static const struct mer_conf_item items[] = {
    MER_CONF_ROW_STR(struct conf, name, 1, 16, NULL, "the name"),
    MER_CONF_ROW_STR(struct conf, note, 0, 64, "say \"hi\"", "a note"),
    MER_CONF_ROW_STRS(struct conf, hosts, 0, 3, "a:1, b:2", "the hosts"),
    MER_CONF_ROW_U32(struct conf, port, 1, 65535, "7350", "the port"),
    MER_CONF_ROW_U64(struct conf, big, 0, UINT64_MAX, "0", "a big number"),
    MER_CONF_ROW_BOOL(struct conf, on, "false", "a switch"),
    MER_CONF_ROW_ENUM(struct conf, mode, modes, "slow", "the mode"),
};
enum { ITEMS = MER_COUNT(items) };

#define T(text) ((char *)(text)) /* sets stand in argv elsewhere, which is not const */

struct fix {
    char path[64];
    struct conf conf;
    struct mer_buf errors;
    enum mer_err err;
};

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof(*f));
    int fd;

    strcpy(f->path, "/tmp/meridian-conf-XXXXXX");
    fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    mer_buf_init(&f->errors, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;

    mer_conf_free(items, ITEMS, &f->conf);
    mer_buf_deinit(&f->errors);
    unlink(f->path);
    free(f);
    return 0;
}

static void load_bytes(struct fix *f, const void *text, size_t len, const struct mer_strs *sets)
{
    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
    mer_conf_free(items, ITEMS, &f->conf);
    mer_buf_clear(&f->errors);
    f->err = mer_conf_load(items, ITEMS, &f->conf, f->path, sets, &f->errors);
    assert_int_equal(mer_buf_append(&f->errors, "", 1), MER_OK);
}
#define load(f, text) load_bytes((f), (text), strlen(text), NULL)
#define assert_told(f, want) \
    do { \
        if (!strstr((char *)(f)->errors.data, (want))) \
            fail_msg("\"%s\" is not in \"%s\"", (want), (char *)(f)->errors.data); \
    } while (0)

static void a_file_is_read_and_defaults_fill_the_rest(void **state)
{
    struct fix *f = *state;

    load(f, "# a comment\nname: one\nport: 80\nmode: fast\non: true\nbig: 18446744073709551615\nhosts:\n  - x:1\n  - \"y:2\"\n");
    assert_string_equal((char *)f->errors.data, "");
    assert_int_equal(f->err, MER_OK);
    assert_string_equal(f->conf.name, "one");
    assert_string_equal(f->conf.note, "say \"hi\"");
    assert_int_equal(f->conf.port, 80);
    assert_int_equal(f->conf.mode, 1);
    assert_true(f->conf.on);
    assert_true(f->conf.big == UINT64_MAX);
    assert_int_equal(f->conf.hosts.count, 2);
    assert_string_equal(f->conf.hosts.item[1], "y:2");
}

static void lists_default_to_comma_separated_text(void **state)
{
    struct fix *f = *state;

    load(f, "name: one\n");
    assert_int_equal(f->err, MER_OK);
    assert_int_equal(f->conf.hosts.count, 2);
    assert_string_equal(f->conf.hosts.item[0], "a:1");
    assert_string_equal(f->conf.hosts.item[1], "b:2");
    load(f, "name: one\nhosts: []\n");
    assert_int_equal(f->err, MER_OK);
    assert_int_equal(f->conf.hosts.count, 0);
}

static void a_flag_beats_the_environment_and_that_the_file(void **state)
{
    struct fix *f = *state;
    char *texts[] = {T("port=3"), T("hosts=h:1,h:2, h:3")};
    struct mer_strs sets = {texts, 2};
    const char *text = "name: file\nport: 1\nnote: file\n";

    setenv("MERIDIAN_PORT", "2", 1);
    setenv("MERIDIAN_NOTE", "environment", 1);
    load_bytes(f, text, strlen(text), &sets);
    unsetenv("MERIDIAN_PORT");
    unsetenv("MERIDIAN_NOTE");
    assert_int_equal(f->err, MER_OK);
    assert_int_equal(f->conf.port, 3);
    assert_string_equal(f->conf.note, "environment");
    assert_string_equal(f->conf.name, "file");
    assert_int_equal(f->conf.hosts.count, 3);
    assert_string_equal(f->conf.hosts.item[2], "h:3");
}

static void bad_environment_and_flags_are_told_by_name(void **state)
{
    struct fix *f = *state;
    char *texts[] = {T("port=0"), T("nope=1"), T("novalue"), T("on=maybe")};
    struct mer_strs sets = {texts, 4};

    setenv("MERIDIAN_BIG", "-1", 1);
    load_bytes(f, "name: x\n", 8, &sets);
    unsetenv("MERIDIAN_BIG");
    assert_int_equal(f->err, MER_EINVALID);
    assert_told(f, "--set: port: out of range: 1 to 65535 is allowed\n");
    assert_told(f, "--set: nope: unknown key\n");
    assert_told(f, "--set: \"novalue\" is not key=value\n");
    assert_told(f, "--set: on: \"maybe\" is neither true nor false\n");
    assert_told(f, "MERIDIAN_BIG: big: \"-1\" is not a plain number");
}

static void no_file_is_allowed(void **state)
{
    struct fix *f = *state;
    char *texts[] = {T("name=x")};
    struct mer_strs sets = {texts, 1};

    assert_int_equal(mer_conf_load(items, ITEMS, &f->conf, NULL, &sets, &f->errors), MER_OK);
    assert_string_equal(f->conf.name, "x");
}

static void each_bad_file_is_told_with_its_line(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"", ":1: name: required, but not given\n"},
        {"name: x\nnope: 1\n", ":2: nope: unknown key\n"},
        {"name: x\nname: y\n", ":2: name: given twice, first in line 1\n"},
        {"name: x\nport: 5s\n", ":2: port: \"5s\" is not a plain number"},
        {"name: x\nport: many\n", ":2: port: \"many\" is not a plain number"},
        {"name: x\nport: -1\n", ":2: port: \"-1\" is not a plain number"},
        {"name: x\nport: +1\n", ":2: port: \"+1\" is not a plain number"},
        {"name: x\nport: 0x10\n", ":2: port: \"0x10\" is not a plain number"},
        {"name: x\nport: 010\n", ":2: port: \"010\" is not a plain number"},
        {"name: x\nport: 1.5\n", ":2: port: \"1.5\" is not a plain number"},
        {"name: x\nport:\n", ":2: port: \"\" is not a plain number"},
        {"name: x\nport: 65536\n", ":2: port: out of range: 1 to 65535 is allowed\n"},
        {"name: x\nport: 0\n", ":2: port: out of range"},
        {"name: x\nport: 4294967296\n", ":2: port: out of range"},
        {"name: x\nbig: 18446744073709551616\n", ":2: big: out of range"},
        {"name: x\nbig: 99999999999999999999999999\n", ":2: big: out of range"},
        {"name: x\nport: [1]\n", ":2: port: one value is wanted, not a list\n"},
        {"name: x\non: yes\n", ":2: on: \"yes\" is neither true nor false\n"},
        {"name: x\non: 1\n", ":2: on: \"1\" is neither"},
        {"name: x\nmode: warp\n", ":2: mode: \"warp\" is not one of: slow, fast\n"},
        {"name: ''\n", ":1: name: 0 bytes long: 1 to 16 is allowed\n"},
        {"name: 12345678901234567\n", ":1: name: 17 bytes long"},
        {"name: \"a\\0b\"\n", ":1: name: a zero byte is not allowed\n"},
        {"name: \"a\\nb\"\n", ":1: name: not a text"},
        {"name: x\nhosts: a:1\n", ":2: hosts: a list is wanted"},
        {"name: x\nhosts: [a, b, c, d]\n", ":2: hosts: 4 items: 0 to 3 are allowed\n"},
        {"name: x\nhosts: ['']\n", ":2: hosts: item 1 is empty\n"},
        {"name: x\nhosts:\n  - [a]\n", ":3: hosts: a list holds plain values only\n"},
        {"name: x\nhosts:\n  - a: b\n", ":3: hosts: a list holds plain values only\n"},
        {"name: x\nport:\n  deep: {er: 1}\n", ":3: port: a nested mapping is not allowed"},
        {"name: x\nedge:\n  port: 1\n", ":2: edge: unknown key\n"},
        {"- name\n", ":1: lines of the form \"key: value\" are wanted\n"},
        {"hello\n", ":1: lines of the form"},
        {"name: x\n---\nname: y\n", ":2: a second document is not allowed\n"},
        {"name: &a x\n", ":1: name: anchors and tags are not allowed\n"},
        {"name: x\nnote: *a\n", ":2:"},
        {"name: !!str x\n", ":1: name: anchors and tags"},
        {"name: x\n? [a]\n: 1\n", ":2: a key must be a plain word\n"},
        {"name: x\nport: \"80\n", ":"},
        {"name: x\n\tport: 1\n", ":2:"},
        {"name: x\n  port: 1\n", ":2:"},
        {"name: x\r\nport: 80\r\n", ":1: has a carriage return"},
        {"\xEF\xBB\xBFname: x\n", ":1: begins with a byte order mark"},
        {"name: \xFF\xFE\n", ""},
        {"%YAML 9.9\n---\nname: x\n", ":1:"},
    };
    struct fix *f = *state;

    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        load(f, cases[i].text);
        if (f->err != MER_EINVALID || f->errors.len < 2)
            fail_msg("case %zu was taken: %s", i, cases[i].text);
        assert_told(f, cases[i].told);
        assert_told(f, f->path);
    }
}

static void all_errors_are_told_at_once(void **state)
{
    struct fix *f = *state;

    load(f, "port: x\nnope: 1\non: 3\nhosts: {a: b}\nmode: fast\n");
    assert_int_equal(f->err, MER_EINVALID);
    assert_told(f, ":1: port:");
    assert_told(f, ":2: nope:");
    assert_told(f, ":3: on:");
    assert_told(f, ":4: hosts: a nested mapping");
    assert_told(f, ":1: name: required");
    assert_null(strstr((char *)f->errors.data, "hosts: required"));
    assert_int_equal(f->conf.mode, 1);
}

static void a_missing_folder_and_a_huge_file_are_refused(void **state)
{
    struct fix *f = *state;
    size_t size = 10 * 1024 * 1024;
    char *huge = malloc(size);

    memset(huge, '#', size);
    load_bytes(f, huge, size, NULL);
    free(huge);
    assert_int_equal(f->err, MER_EINVALID);
    assert_told(f, ":1: larger than 1 MiB");
    mer_conf_free(items, ITEMS, &f->conf);
    mer_buf_clear(&f->errors);
    assert_int_equal(mer_conf_load(items, ITEMS, &f->conf, "/nonexistent/x.yaml", NULL, &f->errors), MER_EINVALID);
    assert_told(f, "/nonexistent/x.yaml: cannot be read: No such file");
    mer_conf_free(items, ITEMS, &f->conf);
    assert_int_equal(mer_conf_load(items, ITEMS, &f->conf, "/tmp", NULL, &f->errors), MER_EINVALID);
}

static void the_template_can_be_loaded_once_required_keys_are_given(void **state)
{
    struct fix *f = *state;
    char *text = NULL, *help = NULL, *texts[] = {T("name=x")};
    struct mer_strs sets = {texts, 1};
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    mer_conf_print_template(items, ITEMS, out);
    fclose(out);
    load_bytes(f, text, len, &sets);
    assert_string_equal((char *)f->errors.data, "");
    assert_int_equal(f->err, MER_OK);
    assert_string_equal(f->conf.note, "say \"hi\"");
    assert_int_equal(f->conf.hosts.count, 2);
    free(text);
    out = open_memstream(&help, &len);
    mer_conf_print_help(items, ITEMS, out);
    fclose(out);
    assert_non_null(strstr(help, "port (number, 1 to 65535; default 7350)\n    the port\n"));
    assert_non_null(strstr(help, "name (text, 1 to 16 bytes; required)\n"));
    free(help);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_read_and_defaults_fill_the_rest),
        TEST(lists_default_to_comma_separated_text),
        TEST(a_flag_beats_the_environment_and_that_the_file),
        TEST(bad_environment_and_flags_are_told_by_name),
        TEST(no_file_is_allowed),
        TEST(each_bad_file_is_told_with_its_line),
        TEST(all_errors_are_told_at_once),
        TEST(a_missing_folder_and_a_huge_file_are_refused),
        TEST(the_template_can_be_loaded_once_required_keys_are_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
