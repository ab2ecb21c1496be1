/* SPDX-License-Identifier: Apache-2.0
 * PROXY v2 headers and the addresses in them. */
#include "edge/net/proxy.h"

#include "unit.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01\xd4\x31\x01\xbb"

static int parse(const char *bytes, size_t n, struct edge_addr *peer)
{
    edge_addr_from_v4(peer, "\x7f\x00\x00\x01", 1);
    return edge_proxy_parse((const uint8_t *)bytes, n, peer);
}

static void addresses_of_both_families_are_taken(void **state)
{
    static const char v6[] =
        SIG "\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34\x01\xbb";
    (void)state;
    struct edge_addr peer;
    char text[EDGE_ADDR_TEXT_BYTES];
    assert_int_equal(parse(SIG V4 "GET", 31, &peer), 28);
    edge_addr_text(&peer, false, text);
    assert_string_equal(text, "192.0.2.7:54321");
    assert_int_equal(parse(v6, sizeof(v6) - 1, &peer), 52);
    edge_addr_text(&peer, false, text);
    assert_string_equal(text, "[2001:db8::9]:4660");
}

static void a_local_header_leaves_the_address(void **state)
{
    (void)state;
    struct edge_addr peer;
    char text[EDGE_ADDR_TEXT_BYTES];
    assert_int_equal(parse(SIG "\x20\x00\x00\x02zz", 18, &peer), 18);
    edge_addr_text(&peer, true, text);
    assert_string_equal(text, "127.0.0.1");
}

static void a_header_cut_anywhere_wants_more(void **state)
{
    (void)state;
    struct edge_addr peer;
    for (size_t n = 0; n < 28; n++)
        assert_int_equal(parse(SIG V4, n, &peer), 0);
}

static void others_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } rows[] = {
        {"GET / HTTP/1.1\r\n", 16},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", 32},
        {"\r\n\r\n\0\r\nQUIX", 11},
        {SIG "\x11\x11\x00\x0c", 16}, /* version 1 */
        {SIG "\x22\x11\x00\x0c", 16}, /* command 2 */
        {SIG "\x21\x12\x00\x0c", 16}, /* UDP */
        {SIG "\x21\x31\x00\xd8", 16}, /* unix */
        {SIG "\x21\x00\x00\x00", 16}, /* unspecified */
        {SIG "\x21\x11\x00\x0b", 16}, /* too short for its family */
        {SIG "\x21\x11\x04\x0d", 16}, /* TLVs over 1 KiB */
        {SIG "\x20\x00\xff\xff", 16}, /* too long */
        {SIG "\x21\x11\x00\x0e"
             "\xc0\x00\x02\x07\x0a\x00\x00\x01\xd4\x31\x01\xbb"
             "\x04\x00",
         30}, /* TLV cut */
        {SIG "\x21\x11\x00\x10"
             "\xc0\x00\x02\x07\x0a\x00\x00\x01\xd4\x31\x01\xbb"
             "\x04\x00\x02x",
         32}, /* TLV too long */
    };
    (void)state;
    struct edge_addr peer;
    for (size_t i = 0; i < MER_COUNT(rows); i++)
        assert_int_equal(parse(rows[i].bytes, rows[i].n, &peer), -1);
}

static void tlvs_are_skipped(void **state)
{
    static const char bytes[] = SIG "\x21\x11\x00\x11"
                                    "\xc0\x00\x02\x07\x0a\x00\x00\x01\xd4\x31\x01\xbb"
                                    "\x04\x00\x02xy";
    (void)state;
    struct edge_addr peer;
    assert_int_equal(parse(bytes, sizeof(bytes) - 1, &peer), 33);
    assert_int_equal(peer.port, 54321);
}

static void networks_hold_what_they_say(void **state)
{
    static const struct {
        const char *net, *ip4;
        bool has;
    } rows[] = {{"10.0.0.0/8", "\x0a\x01\x02\x03", true},     {"10.0.0.0/8", "\x0b\x01\x02\x03", false},
                {"10.1.2.3", "\x0a\x01\x02\x03", true},       {"10.1.2.2/31", "\x0a\x01\x02\x03", true},
                {"10.1.2.0/31", "\x0a\x01\x02\x03", false},   {"0.0.0.0/0", "\x0a\x01\x02\x03", true},
                {"2001:db8::/32", "\x0a\x01\x02\x03", false}, {"::/0", "\x0a\x01\x02\x03", true}};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        struct edge_cidr c;
        struct edge_addr a;
        edge_addr_from_v4(&a, rows[i].ip4, 0);
        assert_int_equal(edge_cidr_parse(&c, rows[i].net), MER_OK);
        assert_int_equal(edge_cidr_has(&c, &a), rows[i].has);
    }
}

static void wrong_networks_are_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "/8",
                                        "10.0.0.0/33",
                                        "10.0.0.0/-1",
                                        "10.0.0.0/",
                                        "10.0.0.0/8x",
                                        "10.0.0.1/8",
                                        "10.0.0",
                                        "2001:db8::1/32",
                                        "host",
                                        "::/129",
                                        "10.0.0.0/ 8",
                                        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"};
    (void)state;
    struct edge_cidr c;
    for (size_t i = 0; i < MER_COUNT(wrong); i++)
        assert_int_equal(edge_cidr_parse(&c, wrong[i]), MER_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_both_families_are_taken),
        cmocka_unit_test(a_local_header_leaves_the_address),
        cmocka_unit_test(a_header_cut_anywhere_wants_more),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(tlvs_are_skipped),
        cmocka_unit_test(networks_hold_what_they_say),
        cmocka_unit_test(wrong_networks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
