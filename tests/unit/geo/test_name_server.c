/* SPDX-License-Identifier: Apache-2.0
 * Who the zone says answers for it: what is taken, what is refused, and the zone that comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "geo/plan.h"

static char zone_name[] = "play.test", eu[] = "eu", asia[] = "asia";
static const struct geo_footprint footprint = {.zone = zone_name, .ttl_seconds = 30, .count = 2, .region = {{.name = eu}, {.name = asia}}};

static void names_and_addresses_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
        uint32_t count;
        const char *first;
    } rows[] = {
        {"ns-eu.test", "ns-eu.test", 0, ""},
        {"NS-EU.Test.", "ns-eu.test", 0, ""},
        {"ns1.play.test=192.0.2.1", "ns1.play.test", 1, "192.0.2.1"},
        {"ns1.PLAY.test=192.0.2.1,2001:db8::1", "ns1.play.test", 2, "192.0.2.1"},
        {"a.b.play.test=2001:db8::1", "a.b.play.test", 1, "2001:db8::1"},
        {"notplay.test", "notplay.test", 0, ""},
        {"eu2.play.test=192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4", "eu2.play.test", 4, "192.0.2.1"},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        struct geo_name_server s;
        struct mer_msg msg = {""};
        assert_int_equal(geo_name_server_parse(&s, &footprint, rows[i].text, &msg), MER_OK);
        assert_string_equal(s.name, rows[i].name);
        assert_int_equal(s.address_count, rows[i].count);
        if (s.address_count > 0)
            assert_string_equal(s.address[0], rows[i].first);
    }
}

static void nothing_wrong_is_taken(void **state)
{
    (void)state;
    char long_label[80], long_name[300];
    memset(long_label, 'a', 64);
    strcpy(long_label + 64, ".test");
    for (size_t i = 0; i < sizeof long_name; i++)
        long_name[i] = i % 50 == 49 ? '.' : 'a';
    long_name[sizeof long_name - 1] = '\0';
    const struct {
        const char *text, *why;
    } rows[] = {
        {"", "not a host name"},
        {".", "not a host name"},
        {"ns..test", "not a host name"},
        {"-ns.test", "not a host name"},
        {"ns-.test", "not a host name"},
        {"n s.test", "not a host name"},
        {"ns.test\n@ 1 A 192.0.2.1", "not a host name"},
        {"n\xc3\xa4.test", "not a host name"},
        {"=192.0.2.1", "not a host name"},
        {long_label, "not a host name"},
        {long_name, "not a host name"},
        {"play.test=192.0.2.1", "a name that players ask for"},
        {"eu.play.test=192.0.2.1", "a name that players ask for"},
        {"ASIA.play.test=192.0.2.1", "a name that players ask for"},
        {"generation.play.test=192.0.2.1", "a name that players ask for"},
        {"ns1.play.test", "lies in the zone"},
        {"ns1.test=192.0.2.1", "lies in another zone"},
        {"ns1.play.test=", "not an address"},
        {"ns1.play.test=192.0.2.1,", "not an address"},
        {"ns1.play.test=,192.0.2.1", "not an address"},
        {"ns1.play.test=192.0.2.256", "not an address"},
        {"ns1.play.test=192.0.2.1 ; x", "not an address"},
        {"ns1.play.test=any", "not an address"},
        {"ns1.play.test=0.0.0.0", "not an address"},
        {"ns1.play.test=::", "not an address"},
        {"ns1.play.test=2001:db8::1%eth0", "not an address"},
        {"ns1.play.test=1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", "not an address"},
        {"ns1.play.test=192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4,192.0.2.5", "at most 4"},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        struct geo_name_server s = {.name = "untouched"};
        struct mer_msg msg = {""};
        assert_int_equal(geo_name_server_parse(&s, &footprint, rows[i].text, &msg), MER_EINVALID);
        assert_string_equal(s.name, "untouched");
        if (strstr(msg.text, rows[i].why) == NULL)
            fail_msg("%s: \"%s\" without \"%s\"", rows[i].text, msg.text, rows[i].why);
    }
}

static void without_a_name_it_is_where_gdnsd_listens(void **state)
{
    (void)state;
    static const struct {
        const char *listen[7];
        const char *addresses; /* "": refused */
    } rows[] = {
        {{"192.0.2.1:53"}, "192.0.2.1"},
        {{"[2001:db8::1]:53", "192.0.2.1:53"}, "2001:db8::1 192.0.2.1"},
        {{"any:53", "192.0.2.1:53"}, "192.0.2.1"},
        {{"192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53", "192.0.2.4:53", "192.0.2.5:53"}, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4"},
        {{"any:53"}, ""},
        {{"0.0.0.0:53", "[::]:53"}, ""},
        {{"[2001:db8::1:53"}, ""},
        {{"192.0.2.1"}, ""},
        {{NULL}, ""},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        struct geo_name_server s = {.address_count = 0};
        struct mer_msg msg = {""};
        char all[256] = "";
        enum mer_err err = geo_name_server_default(&s, &footprint, rows[i].listen, &msg);
        assert_int_equal(err, rows[i].addresses[0] != '\0' ? MER_OK : MER_EINVALID);
        for (uint32_t a = 0; a < s.address_count; a++)
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", a > 0 ? " " : "", s.address[a]);
        assert_string_equal(all, rows[i].addresses);
        if (err == MER_OK)
            assert_string_equal(s.name, "ns1.play.test");
    }
}

static void the_zone_names_them_all(void **state)
{
    (void)state;
    static const char *const texts[] = {"ns1.play.test=192.0.2.1,2001:db8::1", "ns2.play.test=192.0.2.2", "ns.elsewhere.test"};
    struct geo_name_server servers[MER_COUNT(texts)];
    struct geo_plan_conf conf = {.name_servers = servers, .name_server_count = MER_COUNT(texts)};
    struct mer_msg msg;
    struct mer_buf zone;
    for (size_t i = 0; i < MER_COUNT(texts); i++)
        assert_int_equal(geo_name_server_parse(&servers[i], &footprint, texts[i], &msg), MER_OK);
    mer_buf_init(&zone, 0);
    assert_int_equal(geo_plan_zone(&footprint, &conf, 6, &zone), MER_OK);
    assert_int_equal(mer_buf_append(&zone, "", 1), MER_OK);
    assert_string_equal((const char *)zone.data, "; Written by geo plan; do not edit.\n"
                                                 "@ 3600 SOA ns1.play.test. hostmaster.play.test. 7 7200 1800 1209600 30\n"
                                                 "@ 3600 NS ns1.play.test.\n"
                                                 "ns1.play.test. 3600 A 192.0.2.1\n"
                                                 "ns1.play.test. 3600 AAAA 2001:db8::1\n"
                                                 "@ 3600 NS ns2.play.test.\n"
                                                 "ns2.play.test. 3600 A 192.0.2.2\n"
                                                 "@ 3600 NS ns.elsewhere.test.\n"
                                                 "@ 30/10 DYNA geoip!play\n"
                                                 "eu 30/10 DYNA multifo!region-eu\n"
                                                 "asia 30/10 DYNA multifo!region-asia\n"
                                                 "generation 30 TXT \"0000000000000006\"\n");
    mer_buf_deinit(&zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_addresses_are_taken),
        cmocka_unit_test(nothing_wrong_is_taken),
        cmocka_unit_test(without_a_name_it_is_where_gdnsd_listens),
        cmocka_unit_test(the_zone_names_them_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
