/* SPDX-License-Identifier: Apache-2.0
 * Names and texts of errors. */
#include "unit.h"

#include <meridian/err.h>

static void every_error_has_a_name_and_a_text(void **state)
{
    (void)state;
    assert_string_equal(mer_err_name(MER_OK), "OK");
#define X(name, num, text) \
    assert_int_equal(MER_E##name, num); \
    assert_string_equal(mer_err_name(MER_E##name), #name); \
    assert_string_equal(mer_err_text(MER_E##name), text);
    MER_ERR_MAP(X)
#undef X
    assert_string_equal(mer_err_name((enum mer_err)77), "?");
    assert_non_null(mer_err_text((enum mer_err)77));
}

static void messages_are_cut_and_terminated(void **state)
{
    struct mer_msg msg;
    char lots[2000];

    (void)state;
    memset(lots, 'x', sizeof(lots));
    lots[sizeof(lots) - 1] = '\0';
    mer_msgf(&msg, "%s:%d: %s", "a.yaml", 3, lots);
    assert_int_equal(strlen(msg.text), sizeof(msg.text) - 1);
    assert_memory_equal(msg.text, "a.yaml:3: xxx", 13);
    mer_msgf(NULL, "%d", 1); /* nobody asked: fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_name_and_a_text),
        cmocka_unit_test(messages_are_cut_and_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
