/* SPDX-License-Identifier: Apache-2.0
 * Where a place is sent: by distance, by what was measured, by what is written down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "geo/plan.h"

struct fix {
    struct geo_footprint f;
    struct geo_measured m;
};

static enum mer_err measured(struct fix *x, const char *text, char *told, size_t size)
{
    char path[] = "/tmp/meridian-measured-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
    struct mer_buf errors;
    mer_buf_init(&errors, 0);
    geo_measured_deinit(&x->m);
    enum mer_err err = geo_measured_load(&x->m, &x->f, path, &errors);
    snprintf(told, size, "%.*s", (int)errors.len, errors.len > 0 ? (const char *)errors.data : "");
    mer_buf_deinit(&errors);
    unlink(path);
    return err;
}

static int setup(void **state)
{
    static struct fix x;
    struct mer_buf errors;
    memset(&x, 0, sizeof x);
    mer_buf_init(&errors, 0);
    assert_int_equal(geo_footprint_load(&x.f, MERIDIAN_SOURCE_DIR "/geo/footprint.yaml", &errors), MER_OK);
    assert_int_equal(geo_measured_load(&x.m, &x.f, MERIDIAN_SOURCE_DIR "/geo/measured.yaml", &errors), MER_OK);
    mer_buf_deinit(&errors);
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    struct fix *x = *state;
    geo_measured_deinit(&x->m);
    geo_footprint_deinit(&x->f);
    return 0;
}

static const struct geo_place *find(const char *country, const char *part)
{
    for (size_t i = 0; i < geo_place_count; i++)
        if (strcmp(geo_places[i].country, country) == 0 && strcmp(geo_places[i].part, part) == 0)
            return &geo_places[i];
    fail_msg("no %s-%s", country, part);
    return NULL;
}

static const char *nearest(struct fix *x, const char *country, const char *part)
{
    uint8_t order[GEO_REGIONS_MAX];
    geo_order(&x->f, &x->m, find(country, part), order);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < x->f.count; i++)
        seen |= 1u << order[i];
    assert_int_equal(seen, (1u << x->f.count) - 1);
    return x->f.region[order[0]].name;
}

static void every_place_has_one_row_under_its_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < geo_place_count; i++) {
        const struct geo_place *p = &geo_places[i], *before = &geo_places[i - (i > 0)];
        assert_int_equal(strlen(p->continent), 2);
        assert_true(p->latitude >= -90 && p->latitude <= 90 && p->longitude >= -180 && p->longitude <= 180);
        if (p->country[0] != '\0')
            assert_string_equal(p->continent, before->continent);
        if (p->part[0] != '\0')
            assert_string_equal(p->country, before->country);
        for (size_t j = 0; j < i; j++)
            assert_false(memcmp(p, &geo_places[j], 9) == 0);
    }
}

static void distances_are_great_circles(void **state)
{
    (void)state;
    assert_in_range(geo_distance_km(50.11, 8.68, 35.68, 139.69), 9300, 9400); /* Frankfurt - Tokyo */
    assert_in_range(geo_distance_km(39.04, -77.49, 50.11, 8.68), 6500, 6600);
    assert_in_range(geo_distance_km(0, 179, 0, -179), 222, 223); /* over the date line */
    assert_true(geo_distance_km(10, 20, 10, 20) < 1e-6);
    assert_in_range(geo_distance_km(90, 0, -90, 0), 20015, 20016);
}

static void people_are_sent_to_the_nearest(void **state)
{
    struct fix *x = *state;
    static const char *const rows[][3] = {
        {"US", "CA", "us-west"}, {"US", "WA", "us-west"}, {"US", "HI", "us-west"}, {"US", "NY", "us-east"}, {"US", "TX", "us-east"},
        {"CA", "BC", "us-west"}, {"CA", "ON", "us-east"}, {"DE", "", "eu"},        {"JP", "", "asia"},      {"BR", "", "us-east"},
        {"ZA", "", "eu"},        {"AU", "", "asia"},      {"IN", "", "asia"},      {"NZ", "", "asia"},      {"EG", "", "eu"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(nearest(x, rows[i][0], rows[i][1]), rows[i][2]);
}

static void what_was_measured_outweighs_distance(void **state)
{
    struct fix *x = *state;
    char told[1024];
    assert_int_equal(measured(x, "places: {IN asia: 180, IN eu: 110, US us-west: 20, US-NY us-east: 9}\nnetworks: {}\n", told, sizeof told),
                     MER_OK);
    assert_string_equal(nearest(x, "IN", ""), "eu");
    assert_string_equal(nearest(x, "US", "TX"), "us-west"); /* the country's, where the state has none */
    assert_string_equal(nearest(x, "US", "NY"), "us-east");
    assert_string_equal(nearest(x, "JP", ""), "asia");
}

static void a_network_goes_where_it_is_written(void **state)
{
    struct fix *x = *state;
    char told[1024];
    struct mer_buf out;
    mer_buf_init(&out, 0);
    assert_int_equal(measured(x,
                              "places: {}\nnetworks:\n  203.0.113.0/24: [eu, asia, us-east, us-west]\n"
                              "  \"2001:db8::/32\": [asia, eu, us-east, us-west]\n",
                              told, sizeof told),
                     MER_OK);
    assert_int_equal(geo_plan_networks(&x->f, &x->m, &out), MER_OK);
    assert_int_equal(mer_buf_append(&out, "", 1), MER_OK);
    assert_string_equal((char *)out.data,
                        "203.0.113.0/24 => [eu, asia, us-east, us-west]\n2001:db8::/32 => [asia, eu, us-east, us-west]\n");
    mer_buf_deinit(&out);
}

static void wrong_measurements_are_told(void **state)
{
    struct fix *x = *state;
    static const char *const rows[][2] = {
        {"places: {XX eu: 10}", ":1: XX eu: a place and a region are wanted"},
        {"places: {DE mars: 10}", "DE mars: a place and a region are wanted"},
        {"places: {DE: 10}", "DE: a place and a region are wanted"},
        {"places: {DE eu: 0}", "DE eu: 0 is out of range"},
        {"places: {DE eu: 10, DE eu: 11}", "DE eu: given twice"},
        {"places: 1", "places: a mapping of keys is wanted"},
        {"other: 1", "other: no such key"},
        {"networks: {10.0.0.0: [eu, asia, us-east, us-west]}", "a prefix is wanted"},
        {"networks: {10.0.0.1/24: [eu, asia, us-east, us-west]}", "a prefix is wanted"},
        {"networks: {10.0.0.0/33: [eu, asia, us-east, us-west]}", "a prefix is wanted"},
        {"networks: {10.0.0.0/+8: [eu, asia, us-east, us-west]}", "a prefix is wanted"},
        {"networks: {\"2001:db8::1/64\": [eu, asia, us-east, us-west]}", "a prefix is wanted"},
        {"networks: {10.0.0.0/8: [eu, asia, us-east]}", "every region once is wanted"},
        {"networks: {10.0.0.0/8: [eu, eu, asia, us-east, us-west]}", "every region once is wanted"},
        {"networks: {10.0.0.0/8: eu}", "every region once is wanted"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char told[1024];
        assert_int_equal(measured(x, rows[i][0], told, sizeof told), MER_EINVALID);
        if (strstr(told, rows[i][1]) == NULL)
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, told, rows[i][1]);
    }
    char told[1024];
    assert_int_equal(measured(x, "places: {}\n", told, sizeof told), MER_OK);
}

static void a_plan_is_the_same_for_the_same_input(void **state)
{
    struct fix *x = *state;
    struct mer_buf out[2];
    const char *listen[] = {"127.0.0.1:53", NULL};
    struct geo_plan_conf c = {.listen = listen, .run_dir = "/run/x", .state_dir = "/var/x", .database = "City.mmdb", .probe_port = 443};
    for (int i = 0; i < 2; i++) {
        mer_buf_init(&out[i], 0);
        assert_int_equal(geo_plan_config(&x->f, &x->m, &c, &out[i]), MER_OK);
    }
    assert_int_equal(out[0].len, out[1].len);
    assert_true(geo_plan_hash(out, 1) == geo_plan_hash(out + 1, 1));
    out[1].data[100] ^= 1;
    assert_true(geo_plan_hash(out, 1) != geo_plan_hash(out + 1, 1));
    for (int i = 0; i < 2; i++)
        mer_buf_deinit(&out[i]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_has_one_row_under_its_heads),
        cmocka_unit_test(distances_are_great_circles),
        T(people_are_sent_to_the_nearest),
        T(what_was_measured_outweighs_distance),
        T(a_network_goes_where_it_is_written),
        T(wrong_measurements_are_told),
        T(a_plan_is_the_same_for_the_same_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
