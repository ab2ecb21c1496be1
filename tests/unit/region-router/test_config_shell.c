/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <meridian/base.h>

#include "region-router/config.h"

static void a_place_is_a_region_and_two_numbers_in_degrees(void **state)
{
    static const struct {
        const char *text;
        bool good;
        double latitude, longitude;
    } rows[] = {
        {"us-east 39.04 -77.49", true, 39.04, -77.49},
        {"eu   50   8", true, 50, 8},
        {"south -90 -180", true, -90, -180},
        {"north 90 180", true, 90, 180},
        {"eu 90.1 0", false, 0, 0},
        {"eu 0 180.1", false, 0, 0},
        {"eu 1", false, 0, 0},
        {"eu", false, 0, 0},
        {"", false, 0, 0},
        {" 1 2", false, 0, 0},
        {"eu 1 2 3", false, 0, 0},
        {"eu 1 2 ", false, 0, 0},
        {"eu 1,5 2", false, 0, 0},
        {"eu 1.2.3 4", false, 0, 0},
        {"eu - 4", false, 0, 0},
        {"eu 1e1 4", false, 0, 0},
        {"eu nan 4", false, 0, 0},
        {"eu inf 4", false, 0, 0},
        {"eu 0x10 4", false, 0, 0},
        {"eu 1111111111111111 4", false, 0, 0},
        {"e/u 1 2", false, 0, 0},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1 2", false, 0, 0}, /* 32 */
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        char region[ROUTER_REGION_BYTES] = "";
        double latitude = 0, longitude = 0;
        if (router_config_place(rows[i].text, region, &latitude, &longitude) != rows[i].good)
            fail_msg("%s", rows[i].text);
        if (rows[i].good) {
            assert_true(latitude == rows[i].latitude && longitude == rows[i].longitude);
            assert_true(strncmp(region, rows[i].text, strlen(region)) == 0 && region[0] != 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_a_region_and_two_numbers_in_degrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
