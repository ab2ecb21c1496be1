/* SPDX-License-Identifier: Apache-2.0
 * Request heads and upgrades: a table of what clients, proxies and attackers send, each with its status and code. */
#include "edge/net/handshake.h"

#include <stdio.h>

#include "unit.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define HOST "Host: play.test\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define GET "GET /v1/ws HTTP/1.1\r\n"
#define GOOD HOST UPGRADE KEY VERSION

static const char *const subprotocols[] = {"meridian.v1.json", "meridian.v1.proto", NULL};
static const char *const hosts[] = {"play.test", "127.0.0.1", NULL};
static const char *const origins[] = {"https://play.test"};

static struct edge_refusal judge(const char *text, size_t len, const struct edge_origin_rules *rules, struct edge_handshake *out)
{
    struct edge_head head;
    struct edge_refusal no = edge_head_parse(text, len, &head);
    if (no.status == 0)
        no = edge_head_check(&head, hosts);
    if (no.status == 0)
        no = edge_handshake_check(&head, rules, subprotocols, out);
    return no;
}

static const struct row {
    int status;
    const char *code, *head;
} rows[] = {
    {0, "", GET GOOD},
    {0, "", GET HOST "upgrade: WebSocket\r\nCONNECTION: keep-alive, Upgrade\r\n" KEY VERSION},
    {0, "", GET GOOD "Origin: https://play.test\r\n"},
    {0, "", GET GOOD "Sec-WebSocket-Protocol: other, meridian.v1.proto\r\n"},
    {0, "", GET GOOD "Sec-WebSocket-Extensions: permessage-deflate\r\n"},
    {0, "", "\r\n" GET GOOD},
    {0, "",
     "GET /v1/ws?token=a.b.c&device=d HTTP/1.1\nHost: play.test:8443\nUpgrade: websocket\nConnection: upgrade\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n"}, /* bare LF: allowed deviation */
    {426, "bad_version", GET HOST UPGRADE KEY},
    {426, "bad_version", GET HOST UPGRADE KEY "Sec-WebSocket-Version: 12\r\n"},
    {426, "bad_version", GET HOST UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n"},
    {426, "bad_version", GET HOST UPGRADE KEY "Sec-WebSocket-Version: abc\r\n"},
    {426, "bad_version", GET GOOD VERSION},
    {400, "bad_key", GET HOST UPGRADE VERSION},
    {400, "bad_key", GET HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n"},
    {400, "bad_key", GET HOST UPGRADE VERSION "Sec-WebSocket-Key: !!hlIHNhbXBsZSBub25jZQ==\r\n"},
    {400, "bad_key", GET HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n"}, /* bits beyond 16 bytes */
    {400, "bad_key", GET HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n"},
    {400, "bad_key", GET GOOD KEY},
    {405, "method", "POST /v1/ws HTTP/1.1\r\n" GOOD},
    {405, "method", "HEAD /v1/ws HTTP/1.1\r\n" GOOD},
    {405, "method", "get /v1/ws HTTP/1.1\r\n" GOOD},
    {505, "http_version", "GET /v1/ws HTTP/1.0\r\n" GOOD},
    {505, "http_version", "GET /v1/ws HTTP/2.0\r\n" GOOD},
    {505, "http_version", "GET /v1/ws HTTP/1.2\r\n" GOOD},
    {505, "http_version", "GET /v1/ws\r\n" GOOD},
    {400, "bad_request", GET UPGRADE KEY VERSION},
    {400, "bad_request", GET HOST GOOD},
    {400, "bad_request", GET "Host: play.test\r\nHost: evil.test\r\n" UPGRADE KEY VERSION},
    {400, "bad_request", GET "Host:\r\n" UPGRADE KEY VERSION},
    {421, "misdirected", GET "Host: evil.test\r\n" UPGRADE KEY VERSION},
    {421, "misdirected", GET "Host: play.test.evil.test\r\n" UPGRADE KEY VERSION},
    {403, "origin", GET GOOD "Origin: https://evil.test\r\n"},
    {403, "origin", GET GOOD "Origin: null\r\n"},
    {403, "origin", GET GOOD "Origin:\r\n"},
    {403, "origin", GET GOOD "Origin: https://play.test.evil.test\r\n"},
    {403, "origin", GET GOOD "Origin: https://evilplay.test\r\n"},
    {403, "origin", GET GOOD "Origin: http://play.test\r\n"},
    {403, "origin", GET GOOD "Origin: https://play.test\r\nOrigin: https://play.test\r\n"},
    {400, "bad_request", GET GOOD " folded: line\r\n"},
    {400, "bad_request", GET HOST " folded\r\n" UPGRADE KEY VERSION},
    {400, "bad_request", GET GOOD "Content-Length: 5\r\n"},
    {400, "bad_request", GET GOOD "Content-Length: 0\r\n"},
    {400, "bad_request", GET GOOD "Transfer-Encoding: chunked\r\n"},
    {400, "bad_request", GET GOOD "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"},
    {400, "bad_request", GET GOOD "Content-Length: 5\r\nContent-Length: 6\r\n"},
    {400, "bad_request", GET GOOD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"},
    {400, "bad_request", "GET http://evil.test/v1/ws HTTP/1.1\r\n" GOOD},
    {400, "bad_request", "OPTIONS * HTTP/1.1\r\n" GOOD},
    {400, "bad_request", "CONNECT play.test:443 HTTP/1.1\r\n" GOOD},
    {400, "bad_request", "GET /v1/ws\x01 HTTP/1.1\r\n" GOOD},
    {400, "bad_request", "GET /v1/\xc3\xa4 HTTP/1.1\r\n" GOOD},
    {505, "http_version", "GET /v1/ws  HTTP/1.1\r\n" GOOD},
    {400, "bad_request", "G<T /v1/ws HTTP/1.1\r\n" GOOD},
    {400, "bad_request", " /v1/ws HTTP/1.1\r\n" GOOD},
    {400, "bad_request", GET "Host : play.test\r\n" UPGRADE KEY VERSION},
    {400, "bad_request", GET GOOD "no colon\r\n"},
    {400, "bad_request", GET GOOD ": no name\r\n"},
    {400, "bad_request", GET GOOD "X: a\x01z\r\n"},
    {400, "bad_request", GET GOOD "X: a\rb\r\n"},
    {426, "upgrade_required", GET HOST},
    {400, "bad_upgrade", GET HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION},
    {400, "bad_upgrade", GET HOST "Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n" KEY VERSION},
    {400, "bad_upgrade", GET HOST "Upgrade: websocket\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" KEY VERSION},
    {400, "bad_upgrade", GET HOST "Upgrade: websocket\r\nConnection: keep-alive\r\n" KEY VERSION},
    {400, "bad_upgrade", GET HOST "Upgrade: websocket\r\n" KEY VERSION},
    {400, "subprotocol", GET GOOD "Sec-WebSocket-Protocol: mqtt, graphql-ws\r\n"},
    {400, "subprotocol", GET GOOD "Sec-WebSocket-Protocol:\r\n"},
    {400, "subprotocol", GET GOOD "Sec-WebSocket-Protocol: MERIDIAN.V1.JSON\r\n"},
};

static void every_handshake_gets_its_answer(void **state)
{
    static const struct edge_origin_rules rules = {origins, 1, false, true};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        char text[4096];
        struct edge_handshake hs;
        int len = snprintf(text, sizeof(text), "%s%s", rows[i].head, i == 6 ? "\n" : "\r\n");
        struct edge_refusal no = judge(text, (size_t)len, &rules, &hs);
        if (no.status != rows[i].status || (no.status != 0 && strcmp(no.code, rows[i].code) != 0))
            fail_msg("row %zu: expected %d %s, got %d %s: %s", i, rows[i].status, rows[i].code, no.status, no.status ? no.code : "", text);
    }
}

static void nul_in_a_head_is_refused(void **state)
{
    static const char in_value[] = GET GOOD "X: a\0b\r\n\r\n", in_path[] = "GET /v1\0/ws HTTP/1.1\r\n" GOOD "\r\n";
    static const struct edge_origin_rules rules = {NULL, 0, false, true};
    (void)state;
    struct edge_handshake hs;
    assert_int_equal(judge(in_value, sizeof(in_value) - 1, &rules, &hs).status, 400);
    assert_int_equal(judge(in_path, sizeof(in_path) - 1, &rules, &hs).status, 400);
}

static void the_accept_key_is_that_of_the_rfc(void **state)
{
    static const struct edge_origin_rules rules = {NULL, 0, false, true};
    static const char text[] = GET GOOD "\r\n";
    (void)state;
    struct edge_handshake hs;
    assert_int_equal(judge(text, sizeof(text) - 1, &rules, &hs).status, 0);
    assert_string_equal(hs.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_int_equal(hs.subprotocol, -1);
}

static void the_clients_first_known_subprotocol_is_chosen(void **state)
{
    static const struct edge_origin_rules rules = {NULL, 0, false, true};
    static const struct {
        const char *offer;
        int chosen;
    } offers[] = {{"meridian.v1.json", 0},
                  {"meridian.v1.proto, meridian.v1.json", 1},
                  {"mqtt,meridian.v1.json", 0},
                  {"mqtt\r\nSec-WebSocket-Protocol: meridian.v1.proto", 1}};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(offers); i++) {
        char text[1024];
        struct edge_handshake hs;
        int len = snprintf(text, sizeof(text), GET GOOD "Sec-WebSocket-Protocol: %s\r\n\r\n", offers[i].offer);
        assert_int_equal(judge(text, (size_t)len, &rules, &hs).status, 0);
        assert_int_equal(hs.subprotocol, offers[i].chosen);
    }
}

static void origins_follow_the_rules(void **state)
{
    static const char *const any[] = {"*"};
    static const struct {
        struct edge_origin_rules rules;
        const char *origin;
        int status;
    } cases[] = {
        {{origins, 1, false, false}, "", 403}, /* native clients not allowed */
        {{any, 1, false, false}, "Origin: https://anywhere.test\r\n", 0},
        {{NULL, 0, true, false}, "Origin: http://play.test\r\n", 0},
        {{NULL, 0, true, false}, "Origin: HTTPS://play.test\r\n", 403},
        {{NULL, 0, true, false}, "Origin: http://play.test:81\r\n", 403},
        {{NULL, 0, true, false}, "Origin: ftp://play.test\r\n", 403},
        {{NULL, 0, true, false}, "Origin: http:play.test\r\n", 403},
        {{NULL, 0, false, true}, "Origin: http://play.test\r\n", 403},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        char text[1024];
        struct edge_handshake hs;
        int len = snprintf(text, sizeof(text), GET GOOD "%s\r\n", cases[i].origin);
        assert_int_equal(judge(text, (size_t)len, &cases[i].rules, &hs).status, cases[i].status);
    }
}

static void heads_beyond_the_limits_are_431(void **state)
{
    static const struct edge_origin_rules rules = {NULL, 0, false, true};
    static char text[16384];
    (void)state;
    struct edge_handshake hs;
    for (int extra = EDGE_HEAD_FIELDS_MAX - 5; extra <= EDGE_HEAD_FIELDS_MAX - 4; extra++) {
        int len = snprintf(text, sizeof(text), GET GOOD);
        for (int i = 0; i < extra; i++)
            len += snprintf(text + len, sizeof(text) - (size_t)len, "X-%d: y\r\n", i);
        len += snprintf(text + len, sizeof(text) - (size_t)len, "\r\n");
        assert_int_equal(judge(text, (size_t)len, &rules, &hs).status, extra > EDGE_HEAD_FIELDS_MAX - 5 ? 431 : 0);
    }
    int len = snprintf(text, sizeof(text), GET GOOD "X: ");
    memset(text + len, 'a', 9000);
    len += 9000;
    len += snprintf(text + len, sizeof(text) - (size_t)len, "\r\n\r\n");
    assert_int_equal(judge(text, (size_t)len, &rules, &hs).status, 431);
}

static void a_head_cut_anywhere_is_refused(void **state)
{
    static const char text[] = GET GOOD "\r\n";
    (void)state;
    for (size_t n = 0; n < sizeof(text) - 3; n++) {
        struct edge_head head;
        char *exact = malloc(n + 1); /* so that a sanitizer sees a step too far */
        memcpy(exact, text, n);
        assert_int_equal(edge_head_parse(exact, n, &head).status, 400);
        free(exact);
    }
}

static void query_values_are_decoded_once_and_strictly(void **state)
{
    static const struct {
        const char *query, *name;
        enum mer_err err;
        const char *value;
    } q[] = {
        {"token=a.b-c_d&device=x", "token", MER_OK, "a.b-c_d"},
        {"token=a.b-c_d&device=x", "device", MER_OK, "x"},
        {"device=%41%2b+%2F", "device", MER_OK, "A+ /"},
        {"device", "device", MER_OK, ""},
        {"", "device", MER_ENOTFOUND, NULL},
        {"devices=x&xdevice=y", "device", MER_ENOTFOUND, NULL},
        {"device=a&device=b", "device", MER_EINVALID, NULL},
        {"device=%4", "device", MER_EINVALID, NULL},
        {"device=%zz", "device", MER_EINVALID, NULL},
        {"device=a%00b", "device", MER_EINVALID, NULL},
        {"device=12345678", "device", MER_ERANGE, NULL},
        {"&&device=1&&", "device", MER_OK, "1"},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(q); i++) {
        char out[8];
        struct edge_text text = {q[i].query, strlen(q[i].query)};
        assert_int_equal(edge_query_get(text, q[i].name, out, sizeof(out)), q[i].err);
        if (q[i].value != NULL)
            assert_string_equal(out, q[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_handshake_gets_its_answer),   cmocka_unit_test(nul_in_a_head_is_refused),
        cmocka_unit_test(the_accept_key_is_that_of_the_rfc), cmocka_unit_test(the_clients_first_known_subprotocol_is_chosen),
        cmocka_unit_test(origins_follow_the_rules),          cmocka_unit_test(heads_beyond_the_limits_are_431),
        cmocka_unit_test(a_head_cut_anywhere_is_refused),    cmocka_unit_test(query_values_are_decoded_once_and_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
