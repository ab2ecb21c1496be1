/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <meridian/link.h>

static int setup(void **state)
{
    static struct mer_link_reader r;
    mer_link_reader_init(&r);
    *state = &r;
    return 0;
}

static int teardown(void **state)
{
    mer_link_reader_deinit(*state);
    return 0;
}

static void frames_come_out_whole_however_they_arrive(void **state)
{
    struct mer_link_reader *r = *state;
    static const uint8_t bytes[] = {0, 0, 0, 1, 'a', 0, 0, 0, 3, 'b', 'c', 'd', 0, 0, 0, 2, 'e', 'f'};
    for (size_t step = 1; step <= sizeof bytes; step++) {
        char seen[16] = "";
        for (size_t at = 0; at < sizeof bytes; at += step) {
            size_t n = sizeof bytes - at < step ? sizeof bytes - at : step;
            assert_int_equal(mer_link_reader_feed(r, bytes + at, n), MER_OK);
            const uint8_t *frame;
            size_t len;
            while (mer_link_reader_next(r, &frame, &len) == MER_OK) {
                strncat(seen, (const char *)frame, len);
                strcat(seen, " ");
            }
        }
        assert_string_equal(seen, "a bcd ef ");
    }
}

static void a_length_out_of_range_is_refused_before_the_body_comes(void **state)
{
    struct mer_link_reader *r = *state;
    static const uint32_t bad[] = {0, MER_LINK_FRAME_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < MER_COUNT(bad); i++) {
        uint8_t head[4] = {(uint8_t)(bad[i] >> 24), (uint8_t)(bad[i] >> 16), (uint8_t)(bad[i] >> 8), (uint8_t)bad[i]};
        const uint8_t *frame;
        size_t len;
        assert_int_equal(mer_link_reader_feed(r, head, sizeof head), MER_OK);
        assert_int_equal(mer_link_reader_next(r, &frame, &len), MER_EINVALID);
        assert_int_equal(mer_link_reader_next(r, &frame, &len), MER_EINVALID);
        mer_link_reader_clear(r);
        assert_int_equal(mer_link_reader_next(r, &frame, &len), MER_EAGAIN);
    }
}

static void the_longest_frame_is_taken(void **state)
{
    struct mer_link_reader *r = *state;
    static uint8_t body[MER_LINK_FRAME_MAX];
    const uint8_t head[4] = {0, 1, 0, 0}, *frame;
    size_t len;
    assert_int_equal(mer_link_reader_feed(r, head, sizeof head), MER_OK);
    assert_int_equal(mer_link_reader_feed(r, body, sizeof body - 1), MER_OK);
    assert_int_equal(mer_link_reader_next(r, &frame, &len), MER_EAGAIN);
    assert_int_equal(mer_link_reader_feed(r, body, 1), MER_OK);
    assert_int_equal(mer_link_reader_next(r, &frame, &len), MER_OK);
    assert_int_equal(len, MER_LINK_FRAME_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_come_out_whole_however_they_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(a_length_out_of_range_is_refused_before_the_body_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_frame_is_taken, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
