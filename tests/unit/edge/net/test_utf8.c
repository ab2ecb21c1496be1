/* SPDX-License-Identifier: Apache-2.0
 * Every boundary of RFC 3629's table, in one piece and octet by octet, against an independent reading of the table. */
#include "edge/net/utf8.h"
#include "unit.h"

/* By code point, the slow way. */
static bool decodes(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned len = p[i] < 0x80 ? 1 : (p[i] & 0xe0) == 0xc0 ? 2 : (p[i] & 0xf0) == 0xe0 ? 3 : (p[i] & 0xf8) == 0xf0 ? 4 : 0;
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (len == 0 || len > n - i)
            return false;
        uint32_t c = len == 1 ? p[i] : p[i] & (0x7f >> len);
        for (unsigned k = 1; k < len; k++) {
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (p[i + k] & 0x3f);
        }
        if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return false;
        i += len;
    }
    return true;
}

static bool whole(const uint8_t *p, size_t n)
{
    struct edge_utf8 u = {0};
    return edge_utf8_feed(&u, p, n) && edge_utf8_done(&u);
}

static bool by_octet(const uint8_t *p, size_t n)
{
    struct edge_utf8 u = {0};
    for (size_t i = 0; i < n; i++)
        if (!edge_utf8_feed(&u, p + i, 1))
            return false;
    return edge_utf8_done(&u);
}

static void every_sequence_of_boundary_octets_is_judged_by_the_table(void **state)
{
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
                                    0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
    (void)state;
    enum { N = sizeof(edges) };
    for (unsigned i = 0; i < N * N * N * N; i++) {
        uint8_t p[4] = {edges[i % N], edges[i / N % N], edges[i / N / N % N], edges[i / N / N / N]};
        for (size_t n = 1; n <= 4; n++) {
            assert_int_equal(whole(p, n), decodes(p, n));
            assert_int_equal(by_octet(p, n), decodes(p, n));
        }
    }
}

static void a_bad_octet_is_found_behind_a_long_run_of_ascii(void **state)
{
    (void)state;
    for (size_t at = 0; at < 40; at++) {
        uint8_t p[40];
        memset(p, 'a', sizeof(p));
        p[at] = 0xff;
        assert_false(whole(p, sizeof(p)));
        p[at] = 'b';
        assert_true(whole(p, sizeof(p)));
    }
}

static void a_wrong_second_octet_is_refused_before_the_third_comes(void **state)
{
    (void)state;
    struct edge_utf8 u = {0};
    assert_true(edge_utf8_feed(&u, (const uint8_t *)"\xf4", 1));
    assert_false(edge_utf8_feed(&u, (const uint8_t *)"\x90", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_boundary_octets_is_judged_by_the_table),
        cmocka_unit_test(a_bad_octet_is_found_behind_a_long_run_of_ascii),
        cmocka_unit_test(a_wrong_second_octet_is_refused_before_the_third_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
