/* SPDX-License-Identifier: Apache-2.0
 * Secrets in files: what is a secret, and what is said of a file that holds none. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <meridian/secret.h>

static char path[] = "/tmp/secret.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}
static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void put(const char *bytes, size_t len)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void it_is_the_first_line_without_its_end(void **state)
{
    static const char *const texts[] = {"geheim", "geheim\n", "geheim\r\n", "geheim\nmore\n"};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(texts); i++) {
        struct mer_msg msg;
        char *secret;
        put(texts[i], strlen(texts[i]));
        assert_int_equal(mer_secret_read(path, &secret, &msg), MER_OK);
        assert_string_equal(secret, "geheim");
        mer_secret_free(&secret);
        assert_null(secret);
    }
}

static void it_may_be_as_long_as_is_said_and_no_longer(void **state)
{
    char text[MER_SECRET_MAX + 2];
    struct mer_msg msg;
    char *secret;
    (void)state;
    memset(text, 'x', sizeof text);
    text[MER_SECRET_MAX] = '\n';
    put(text, MER_SECRET_MAX + 1);
    assert_int_equal(mer_secret_read(path, &secret, &msg), MER_OK);
    assert_int_equal(strlen(secret), MER_SECRET_MAX);
    mer_secret_free(&secret);
    text[MER_SECRET_MAX] = 'x';
    put(text, MER_SECRET_MAX + 1);
    assert_int_equal(mer_secret_read(path, &secret, &msg), MER_EINVALID);
    assert_null(secret);
    assert_non_null(strstr(msg.text, "511"));
}

static void a_file_without_one_is_named(void **state)
{
    static const char *const texts[] = {"", "\n", "\r\n", "\nsecond line\n"};
    struct mer_msg msg;
    char *secret;
    (void)state;
    for (size_t i = 0; i < MER_COUNT(texts); i++) {
        put(texts[i], strlen(texts[i]));
        assert_int_equal(mer_secret_read(path, &secret, &msg), MER_EINVALID);
        assert_null(secret);
        assert_non_null(strstr(msg.text, path));
    }
    put("\0", 1); /* what a disk leaves of a file that was never written */
    assert_int_equal(mer_secret_read(path, &secret, &msg), MER_EINVALID);
    static const char *const none[] = {"/tmp", "/tmp/no/such/file"};
    for (size_t i = 0; i < MER_COUNT(none); i++) {
        assert_int_equal(mer_secret_read(none[i], &secret, &msg), MER_EIO);
        assert_null(secret);
        assert_non_null(strstr(msg.text, none[i]));
    }
}

static void no_path_is_no_secret(void **state)
{
    struct mer_msg msg;
    char *secret;
    (void)state;
    assert_int_equal(mer_secret_read("", &secret, &msg), MER_OK);
    assert_null(secret);
    mer_secret_free(&secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(it_is_the_first_line_without_its_end),
        TEST(it_may_be_as_long_as_is_said_and_no_longer),
        TEST(a_file_without_one_is_named),
        TEST(no_path_is_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
