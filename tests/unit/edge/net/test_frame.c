/* SPDX-License-Identifier: Apache-2.0
 * Frames: what is taken, what is refused and with which code, cut at every byte, and what memory is asked for. */
#include "edge/net/frame.h"

#include <stdio.h>

#include <meridian/mem.h>

#include "unit.h"

enum { CAP = 1000, FRAGMENTS = 4 };
static const struct edge_reader_limits limits = {CAP, FRAGMENTS};

struct bytes {
    uint8_t p[4096];
    size_t n;
};

static void put_frame(struct bytes *b, uint8_t first, const void *data, size_t len)
{
    static const uint8_t mask[4] = {0xa1, 0x02, 0xf3, 0x44};
    uint8_t *p = b->p + b->n;
    size_t h = edge_frame_header(p, 0, len);
    p[0] = first;
    p[1] |= 0x80;
    memcpy(p + h, mask, 4);
    for (size_t i = 0; i < len; i++)
        p[h + 4 + i] = ((const uint8_t *)data)[i] ^ mask[i & 3];
    b->n += h + 4 + len;
}

/* What came out, as text: "text(abc) ping() fail(1002)". */
static void feed_into(char *out, size_t out_bytes, const struct bytes *b, size_t chop)
{
    static const char *const names[] = {[1] = "text", [2] = "binary", [8] = "close", [9] = "ping", [10] = "pong"};
    struct edge_reader *r = NULL;
    size_t o = 0;
    out[0] = '\0';
    for (size_t at = 0; at < b->n; at += chop) {
        uint8_t copy[sizeof(b->p)];
        size_t n = b->n - at < chop ? b->n - at : chop;
        memcpy(copy, b->p + at, n);
        for (size_t done = 0; done < n;) {
            struct edge_event ev;
            size_t used;
            edge_reader_next(&r, &limits, copy + done, n - done, &used, &ev);
            assert_true(used <= n - done);
            assert_true(used > 0 || ev.kind == EDGE_EVENT_FAIL);
            done += used;
            if (ev.kind == EDGE_EVENT_FAIL) {
                snprintf(out + o, out_bytes - o, "fail(%u)", ev.code);
                edge_reader_free(&r);
                return;
            }
            if (ev.kind != EDGE_EVENT_NONE)
                o += (size_t)snprintf(out + o, out_bytes - o, "%s(%.*s) ", names[ev.opcode], (int)ev.len, (const char *)ev.data);
            edge_reader_settle(&r);
        }
    }
    if (r != NULL)
        snprintf(out + o, out_bytes - o, "...");
    edge_reader_free(&r);
}

#define assert_reads(b, expected) \
    do { \
        for (size_t chop_ = 1; chop_ <= (b)->n; chop_++) { \
            char got_[8192]; \
            feed_into(got_, sizeof(got_), (b), chop_); \
            assert_string_equal(got_, (expected)); \
        } \
    } while (0)

static void messages_come_whole_however_they_are_cut(void **state)
{
    (void)state;
    struct bytes b = {.n = 0};
    put_frame(&b, 0x81, "hello", 5);
    put_frame(&b, 0x01, "frag", 4);
    put_frame(&b, 0x89, "between", 7);
    put_frame(&b, 0x00, "ment", 4);
    put_frame(&b, 0x8a, "", 0);
    put_frame(&b, 0x80, "ed", 2);
    put_frame(&b, 0x82, "", 0);
    put_frame(&b, 0x88, "\x03\xe8", 2);
    assert_reads(&b, "text(hello) ping(between) pong() text(fragmented) binary() close(\x03\xe8) ");
}

static void lengths_of_16_and_64_bits_are_read(void **state)
{
    (void)state;
    char data[CAP];
    char expected[CAP + 16];
    struct bytes b = {.n = 0};
    memset(data, 'x', sizeof(data));
    put_frame(&b, 0x81, data, CAP);
    snprintf(expected, sizeof(expected), "text(%.*s) ", CAP, data);
    assert_reads(&b, expected);

    struct edge_frame f;
    const uint8_t wide[] = {0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4};
    assert_int_equal(edge_frame_parse(wide, sizeof(wide), &f), 1);
    assert_int_equal(f.len, 65536);
    for (size_t n = 0; n < sizeof(wide); n++)
        assert_int_equal(edge_frame_parse(wide, n, &f), 0);
}

static void what_breaks_the_protocol_is_told_by_its_first_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } rows[] = {
        {"\xc1", 1},                                      /* RSV1 */
        {"\xa1", 1},                                      /* RSV2 */
        {"\x91", 1},                                      /* RSV3 */
        {"\x83", 1},                                      /* opcode 3 */
        {"\x8b", 1},                                      /* opcode 11 */
        {"\x8f", 1},                                      /* opcode 15 */
        {"\x09", 1},                                      /* fragmented ping */
        {"\x08", 1},                                      /* fragmented close */
        {"\x81\x05", 2},                                  /* not masked */
        {"\x89\xfe", 2},                                  /* ping of more than 125 */
        {"\x81\xfe\x00\x7d", 4},                          /* 125 in 16 bits */
        {"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff", 10}, /* 65535 in 64 bits */
        {"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", 10}, /* top bit */
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        struct bytes b = {.n = rows[i].n};
        memcpy(b.p, rows[i].bytes, b.n);
        assert_reads(&b, "fail(1002)");
    }
}

static void order_of_fragments_is_kept(void **state)
{
    (void)state;
    struct bytes nothing = {.n = 0}, twice = {.n = 0};
    put_frame(&nothing, 0x80, "x", 1);
    assert_reads(&nothing, "fail(1002)");
    put_frame(&twice, 0x01, "x", 1);
    put_frame(&twice, 0x81, "y", 1);
    assert_reads(&twice, "fail(1002)");
}

static void sizes_are_refused_before_anything_is_allocated(void **state)
{
    static const uint8_t huge[] = {0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4};
    (void)state;
    uint8_t copy[sizeof(huge)];
    struct edge_reader *r = NULL;
    struct edge_event ev;
    size_t used;
    memcpy(copy, huge, sizeof(huge));
    edge_reader_next(&r, &limits, copy, sizeof(copy), &used, &ev);
    assert_int_equal(ev.kind, EDGE_EVENT_FAIL);
    assert_int_equal(ev.code, 1009);
    assert_null(r);

    struct bytes sum = {.n = 0};
    char data[CAP] = {0};
    put_frame(&sum, 0x02, data, CAP);
    put_frame(&sum, 0x80, "x", 1);
    char got[64];
    feed_into(got, sizeof(got), &sum, sum.n);
    assert_string_equal(got, "fail(1009)");
}

static void too_many_fragments_are_refused(void **state)
{
    (void)state;
    struct bytes full = {.n = 0}, many = {.n = 0}, empty = {.n = 0};
    for (int i = 0; i < FRAGMENTS; i++)
        put_frame(&full, (uint8_t)(i == 0 ? 0x01 : i == FRAGMENTS - 1 ? 0x80 : 0x00), "x", 1);
    assert_reads(&full, "text(xxxx) ");
    for (int i = 0; i <= FRAGMENTS; i++) {
        put_frame(&many, i == 0 ? 0x01 : 0x00, "x", 1);
        put_frame(&empty, i == 0 ? 0x01 : 0x00, "", 0);
    }
    assert_reads(&many, "fail(1009)");
    assert_reads(&empty, "fail(1008)");
}

static void bad_text_is_refused_at_its_first_bad_octet(void **state)
{
    (void)state;
    struct bytes b = {.n = 0};
    put_frame(&b, 0x01, "ab\xc3", 3);
    put_frame(&b, 0x00, "\xa4 \xf4\x90 and more", 14);
    b.n -= 9; /* the rest never comes */
    assert_reads(&b, "fail(1007)");

    struct bytes cut = {.n = 0}, fine = {.n = 0};
    put_frame(&cut, 0x81, "ab\xc3", 3);
    assert_reads(&cut, "fail(1007)");
    put_frame(&fine, 0x01, "\xe2\x82", 2);
    put_frame(&fine, 0x80, "\xac", 1);
    assert_reads(&fine, "text(\xe2\x82\xac) ");
}

static void close_payloads_are_checked(void **state)
{
    static const struct {
        const char *payload;
        size_t n;
        uint16_t refused, code;
    } rows[] = {
        {"", 0, 0, 1005},           {"\x03", 1, 1002, 0},         {"\x03\xe8", 2, 0, 1000},     {"\x03\xe7", 2, 1002, 0}, /* 999 */
        {"\x03\xec", 2, 1002, 0},   {"\x03\xed", 2, 1002, 0},     {"\x03\xee", 2, 1002, 0},                               /* 1004-1006 */
        {"\x03\xef", 2, 0, 1007},   {"\x03\xf6", 2, 0, 1014},     {"\x03\xf7", 2, 1002, 0},                               /* 1015 */
        {"\x0b\xb7", 2, 1002, 0},   {"\x0b\xb8", 2, 0, 3000},     {"\x13\x87", 2, 0, 4999},     {"\x13\x88", 2, 1002, 0}, /* 5000 */
        {"\x03\xe8ok", 4, 0, 1000}, {"\x03\xe8\xff", 3, 1007, 0}, {"\x03\xe8\xc3", 3, 1007, 0},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        uint16_t code = 0;
        assert_int_equal(edge_close_parse((const uint8_t *)rows[i].payload, rows[i].n, &code), rows[i].refused);
        assert_int_equal(code, rows[i].code);
    }
}

static void headers_of_ours_tell_their_frames_length(void **state)
{
    static const size_t lens[] = {0, 1, 125, 126, 127, 65535, 65536, 1 << 20};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(lens); i++) {
        uint8_t h[EDGE_FRAME_OUT_HEADER_MAX];
        size_t n = edge_frame_header(h, EDGE_OP_TEXT, lens[i]);
        assert_int_equal(n, lens[i] < 126 ? 2 : lens[i] < 65536 ? 4 : 10);
        assert_int_equal(edge_frame_out_len(h), n + lens[i]);
    }
}

static void no_memory_is_an_internal_error_not_a_crash(void **state)
{
    (void)state;
    for (unsigned at = 1; at <= 2; at++) {
        struct bytes b = {.n = 0};
        char got[64];
        put_frame(&b, 0x01, "abc", 3);
        put_frame(&b, 0x80, "def", 3);
        mer_mem_fail_at(at);
        feed_into(got, sizeof(got), &b, b.n);
        mer_mem_fail_at(0);
        assert_string_equal(got, "fail(1011)");
    }
}

static void masks_go_on_where_they_stopped(void **state)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    (void)state;
    uint8_t once[64], pieces[64];
    for (size_t cut = 0; cut <= sizeof(once); cut++) {
        memset(once, 0x55, sizeof(once));
        memset(pieces, 0x55, sizeof(pieces));
        edge_frame_unmask(once, sizeof(once), mask, 0);
        edge_frame_unmask(pieces, cut, mask, 0);
        edge_frame_unmask(pieces + cut, sizeof(pieces) - cut, mask, cut);
        assert_memory_equal(once, pieces, sizeof(once));
    }
    assert_int_equal(once[5], 0x55 ^ 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_whole_however_they_are_cut),
        cmocka_unit_test(lengths_of_16_and_64_bits_are_read),
        cmocka_unit_test(what_breaks_the_protocol_is_told_by_its_first_bytes),
        cmocka_unit_test(order_of_fragments_is_kept),
        cmocka_unit_test(sizes_are_refused_before_anything_is_allocated),
        cmocka_unit_test(too_many_fragments_are_refused),
        cmocka_unit_test(bad_text_is_refused_at_its_first_bad_octet),
        cmocka_unit_test(close_payloads_are_checked),
        cmocka_unit_test(headers_of_ours_tell_their_frames_length),
        cmocka_unit_test(no_memory_is_an_internal_error_not_a_crash),
        cmocka_unit_test(masks_go_on_where_they_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
