/* SPDX-License-Identifier: Apache-2.0
 * The footprint that is in the repository, and every way to write a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "geo/footprint.h"

static const char good[] =
    "name: kit\n"                                   /* 1 */
    "dns: {zone: play.test, ttl_seconds: 30}\n"     /* 2 */
    "regions:\n"                                    /* 3 */
    "  - name: one\n"                               /* 4 */
    "    latitude: 39.04\n"                         /* 5 */
    "    longitude: -77.49\n"                       /* 6 */
    "    cloud_region: us-east-1\n"                 /* 7 */
    "    share_percent: 60\n"                       /* 8 */
    "    capacity_players: 1000\n"                  /* 9 */
    "    buddy: two\n"                              /* 10 */
    "    network_ipv4: 10.1.0.0/16\n"               /* 11 */
    "    addresses: [192.0.2.1, \"2001:db8::1\"]\n" /* 12 */
    "  - {name: two, latitude: 50, longitude: 8, cloud_region: eu, share_percent: 40, capacity_players: 500, buddy: one, "
    "network_ipv4: 10.2.0.0/16, addresses: [192.0.2.2]}\n" /* 13 */
    "latency_ms: {one two: 80}\n";                         /* 14 */

/* `good` with `from` replaced by `to`, read; the errors in text. */
static enum mer_err load(const char *from, const char *to, struct geo_footprint *f, char *text, size_t size)
{
    char path[] = "/tmp/meridian-footprint-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const char *at = from == NULL ? NULL : strstr(good, from);
    assert_true(from == NULL || at != NULL);
    FILE *out = fdopen(fd, "wb");
    if (at == NULL)
        fputs(to == NULL ? good : to, out);
    else
        fprintf(out, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    fclose(out);
    struct mer_buf errors;
    mer_buf_init(&errors, 0);
    enum mer_err err = geo_footprint_load(f, path, &errors);
    snprintf(text, size, "%.*s", (int)errors.len, errors.len > 0 ? (const char *)errors.data : "");
    mer_buf_deinit(&errors);
    unlink(path);
    return err;
}

static void a_good_footprint_is_read_in_its_order(void **state)
{
    (void)state;
    struct geo_footprint f;
    char text[4096];
    assert_int_equal(load(NULL, NULL, &f, text, sizeof text), MER_OK);
    assert_string_equal(text, "");
    assert_int_equal(f.count, 2);
    assert_string_equal(f.zone, "play.test");
    assert_string_equal(f.region[0].name, "one");
    assert_int_equal(f.region[0].buddy, 1);
    assert_int_equal(f.region[1].buddy, 0);
    assert_int_equal(f.region[0].address_count, 2);
    assert_true(geo_address_is_v6(f.region[0].address[1]));
    assert_int_equal(f.latency_ms[0][1], 80);
    assert_int_equal(f.latency_ms[1][0], 80);
    assert_int_equal(geo_footprint_find(&f, "two"), 1);
    assert_int_equal(geo_footprint_find(&f, "three"), -1);
    geo_footprint_deinit(&f);
}

static void the_one_of_the_repository_is_good(void **state)
{
    (void)state;
    struct geo_footprint f;
    struct mer_buf errors;
    mer_buf_init(&errors, 0);
    assert_int_equal(geo_footprint_load(&f, MERIDIAN_SOURCE_DIR "/geo/footprint.yaml", &errors), MER_OK);
    assert_int_equal(f.count, 4);
    geo_footprint_deinit(&f);
    mer_buf_deinit(&errors);
}

static void what_is_wrong_is_told_with_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *told; /* from NULL: `to` is the whole file */
    } rows[] = {
        {NULL, "", "a mapping of keys is wanted"},
        {NULL, "[1, 2]", ":1: a mapping of keys is wanted"},
        {NULL, "a: [", ":2: did not find expected node content"},
        {NULL, "a: \x01", "control characters are not allowed"},
        {NULL, "a: &x 1\nb: *x\n", ":1: anchors and aliases are not allowed"},
        {NULL, "a: !!int 1\n", ":1: tags are not allowed"},
        {NULL, "a: 1\n---\nb: 2\n", ":2: one document a file"},
        {NULL, "a: [[[[[[[[[[[[[[[[[", ":1: nested too deeply"},
        {"name: kit\n", "", "name: is missing"},
        {"name: kit", "name: Kit", ":1: name: \"Kit\" is no DNS label in lower case"},
        {"name: kit", "name: 1kit", ":1: name: \"1kit\" is no DNS label"},
        {"name: kit", "name: kit-", ":1: name: \"kit-\" is no DNS label"},
        {"name: kit", "name: [kit]", ":1: name: one plain value is wanted"},
        {"name: kit", "name: \"a\\0b\"", ":1: name: a zero byte is not allowed"},
        {"name: kit", "nam: kit", ":1: nam: no such key"},
        {"name: kit", "name: kit\nname: kit", ":2: name: given twice"},
        {"zone: play.test", "zone: play.test.", ":2: zone: \"play.test.\" is no DNS name"},
        {"zone: play.test", "zone: play..test", ":2: zone: \"play..test\" is no DNS name"},
        {", ttl_seconds: 30", "", ":2: ttl_seconds: is missing"},
        {"ttl_seconds: 30", "ttl_seconds: 9", ":2: ttl_seconds: 9 is out of range: 10 to 3600"},
        {"ttl_seconds: 30", "ttl_seconds: 30.5", ":2: ttl_seconds: a whole number is wanted"},
        {"dns: {zone: play.test, ttl_seconds: 30}", "dns: x", ":2: dns: a mapping of keys is wanted"},
        {"latitude: 39.04", "latitude: 91", ":5: latitude: 91 is out of range: -90 to 90"},
        {"latitude: 39.04", "latitude: north", ":5: latitude: \"north\" is not a number"},
        {"latitude: 39.04", "latitude: nan", ":5: latitude: \"nan\" is not a number"},
        {"latitude: 39.04", "latitude: 0x10", ":5: latitude: \"0x10\" is not a number"},
        {"    latitude: 39.04\n", "", ":4: latitude: is missing"},
        {"longitude: -77.49", "longitude: -181", ":6: longitude: -181 is out of range"},
        {"share_percent: 60", "share_percent: 50", "share_percent: the shares sum to 90, not to 100"},
        {"share_percent: 60", "share_percent: -1", ":8: share_percent: -1 is out of range"},
        {"capacity_players: 1000", "capacity_players: 0", ":9: capacity_players: 0 is out of range"},
        {"buddy: two", "buddy: three", ":4: buddy: \"three\" is no region"},
        {"buddy: two", "buddy: one", ":4: buddy: one cannot keep its own copies"},
        {"10.1.0.0/16", "10.1.0.0/24", ":11: network_ipv4: \"10.1.0.0/24\" is no network"},
        {"10.1.0.0/16", "10.01.0.0/16", ":11: network_ipv4: \"10.01.0.0/16\" is no network"},
        {"10.1.0.0/16", "10.300.0.0/16", ":11: network_ipv4: \"10.300.0.0/16\" is no network"},
        {"10.1.0.0/16", "10.2.0.0/16", "network_ipv4: two and one overlap"},
        {"[192.0.2.1, \"2001:db8::1\"]", "[]", ":12: addresses: a list of at least one address is wanted"},
        {"[192.0.2.1, \"2001:db8::1\"]", "192.0.2.1", ":12: addresses: a list of at least one address is wanted"},
        {"192.0.2.1,", "192.0.2.256,", ":12: addresses: \"192.0.2.256\" is no IP address"},
        {"\"2001:db8::1\"", "\"2001:db8::1::2\"", "is no IP address"},
        {"192.0.2.1,", "192.0.2.2,", "addresses: 192.0.2.2 is also an address of one"},
        {"192.0.2.1, \"2001:db8::1\"", "192.0.2.1, 192.0.2.1", ":4: addresses: 192.0.2.1 is twice an address of one"},
        {"{name: two,", "{name: one,", "name: \"one\" is the name of two regions"},
        {"{one two: 80}", "{}", ":14: latency_ms: \"one two\" is missing"},
        {"{one two: 80}", "{one three: 80}", ":14: one three: two different regions are wanted"},
        {"{one two: 80}", "{one one: 80}", ":14: one one: two different regions are wanted"},
        {"{one two: 80}", "{one two: 0}", ":14: one two: 0 is out of range"},
        {"{one two: 80}", "{one two: 80, two one: 80}", ":14: two one: this pair was given before"},
        {"{one two: 80}", "{one two three: 80}", "two different regions are wanted"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct geo_footprint f;
        char text[4096];
        enum mer_err err = load(rows[i].from, rows[i].to, &f, text, sizeof text);
        if (err != MER_EINVALID || strstr(text, rows[i].told) == NULL)
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, text, rows[i].told);
        assert_int_equal(f.count, 0);
    }
}

static void all_errors_are_told_in_one_go(void **state)
{
    (void)state;
    struct geo_footprint f;
    char text[4096];
    assert_int_equal(load(NULL, "name: X\ndns: 1\nregions: 2\nother: 3\n", &f, text, sizeof text), MER_EINVALID);
    unsigned lines = 0;
    for (const char *s = text; (s = strchr(s, '\n')) != NULL; s++)
        lines++;
    assert_int_equal(lines, 7); /* name, dns is no mapping, its two keys, regions, other, latency_ms */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_footprint_is_read_in_its_order),
        cmocka_unit_test(the_one_of_the_repository_is_good),
        cmocka_unit_test(what_is_wrong_is_told_with_line_and_key),
        cmocka_unit_test(all_errors_are_told_in_one_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
