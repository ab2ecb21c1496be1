/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/evp.h>

#include "tests/load/ws.h"

static void fill_sample_nonce(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memcpy(out, "the sample nonce", len < 16 ? len : 16);
}

static void the_key_of_the_rfc_has_the_accept_of_the_rfc(void **state)
{
    (void)state;
    const struct mer_rng rng = {fill_sample_nonce, NULL}; /* RFC 6455, 1.3 */
    char key[LOAD_WS_KEY_BYTES], accept[LOAD_WS_ACCEPT_BYTES];
    load_ws_key(&rng, key, accept);
    assert_string_equal(key, "dGhlIHNhbXBsZSBub25jZQ==");
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#define HEAD "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nsec-websocket-accept: abc\r\nSec-WebSocket-Protocol: p\r\n\r\n"

static void an_upgrade_is_taken_whole_or_waited_for(void **state)
{
    (void)state;
    int status = -1;
    uint32_t retry_ms = 1;
    size_t len = strlen(HEAD);
    for (size_t n = 0; n < len; n++)
        assert_int_equal(load_ws_answer(HEAD, n, "abc", "p", &status, &retry_ms), 0);
    assert_int_equal(load_ws_answer(HEAD "\x81\x00", len + 2, "abc", "p", &status, &retry_ms), len);
    assert_int_equal(status, 101);
    assert_int_equal(retry_ms, 0);
}

static void an_upgrade_with_another_accept_or_subprotocol_is_none(void **state)
{
    (void)state;
    int status = -1;
    uint32_t retry_ms;
    assert_int_equal(load_ws_answer(HEAD, strlen(HEAD), "abd", "p", &status, &retry_ms), strlen(HEAD));
    assert_int_equal(status, 0);
    assert_int_equal(load_ws_answer(HEAD, strlen(HEAD), "abc", "q", &status, &retry_ms), strlen(HEAD));
    assert_int_equal(status, 0);
}

static void a_refusal_tells_when_to_come_back(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\n\r\n";
    int status;
    uint32_t retry_ms;
    assert_int_equal(load_ws_answer(text, strlen(text), "abc", "p", &status, &retry_ms), strlen(text));
    assert_int_equal(status, 429);
    assert_int_equal(retry_ms, 3000);
    assert_int_equal(load_ws_answer("SSH-2.0", 7, "abc", "p", &status, &retry_ms), -1);
}

static void frames_of_every_length_are_packed_masked(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 125, 126, 65535, 65536};
    struct mer_rng_seeded seeded;
    const struct mer_rng rng = mer_rng_seed(&seeded, 1);
    for (size_t i = 0; i < MER_COUNT(lengths); i++) {
        size_t len = lengths[i], header = len > 65535 ? 10 : len > 125 ? 4 : 2;
        struct mer_buf out;
        uint8_t *data = calloc(1, len + 1);
        mer_buf_init(&out, 0);
        memset(data, 'x', len);
        assert_int_equal(load_ws_pack(&out, LOAD_WS_TEXT, data, len, &rng), MER_OK);
        assert_int_equal(out.len, header + 4 + len);
        assert_int_equal(out.data[0], 0x81);
        assert_true(out.data[1] & 0x80);
        for (size_t k = 0; k < len; k++)
            assert_int_equal(out.data[header + 4 + k] ^ out.data[header + (k & 3)], 'x');
        mer_buf_deinit(&out);
        free(data);
    }
}

static void a_header_is_read_at_any_cut(void **state)
{
    (void)state;
    static const uint8_t frame[] = {0x82, 126, 0x01, 0x00};
    struct load_frame f;
    for (size_t n = 0; n < sizeof(frame); n++)
        assert_int_equal(load_ws_frame(frame, n, &f), 0);
    assert_int_equal(load_ws_frame(frame, sizeof(frame), &f), 1);
    assert_int_equal(f.opcode, LOAD_WS_BINARY);
    assert_true(f.fin);
    assert_int_equal(f.header, 4);
    assert_int_equal(f.len, 256);
}

static void what_a_server_must_not_send_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[10];
    } bad[] = {
        {"a masked frame", {0x81, 0x81}},
        {"a reserved bit", {0xc1, 0x01}},
        {"an unknown opcode", {0x83, 0x01}},
        {"a control frame in pieces", {0x09, 0x01}},
        {"a long control frame", {0x89, 126, 0x01, 0x00}},
        {"a length that needs fewer bytes", {0x81, 126, 0x00, 0x05}},
        {"an 8-byte length that needs fewer", {0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},
        {"more than any message of ours", {0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0}},
    };
    struct load_frame f;
    for (size_t i = 0; i < MER_COUNT(bad); i++)
        if (load_ws_frame(bad[i].bytes, sizeof(bad[i].bytes), &f) != -1)
            fail_msg("%s was taken", bad[i].what);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_the_rfc_has_the_accept_of_the_rfc),
        cmocka_unit_test(an_upgrade_is_taken_whole_or_waited_for),
        cmocka_unit_test(an_upgrade_with_another_accept_or_subprotocol_is_none),
        cmocka_unit_test(a_refusal_tells_when_to_come_back),
        cmocka_unit_test(frames_of_every_length_are_packed_masked),
        cmocka_unit_test(a_header_is_read_at_any_cut),
        cmocka_unit_test(what_a_server_must_not_send_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
