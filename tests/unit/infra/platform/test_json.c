/* SPDX-License-Identifier: Apache-2.0
 * test_json.c - the JSON form of the player's protocol: tables of good and hostile texts, and both directions of every message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <meridian/client/v1/client.pb-c.h>
#include <meridian/json.h>
#include <meridian/mem.h>

static const ProtobufCMessageDescriptor *const client = &meridian__client__v1__client_message__descriptor;
static const ProtobufCMessageDescriptor *const server = &meridian__client__v1__server_message__descriptor;

static void drop(void *m)
{
    protobuf_c_message_free_unpacked(m, NULL);
}

enum { TEXT_BYTES = 32768 };

/* Appends to text, n bytes long so far. */
static MER_PRINTF(3, 4) void add(char text[TEXT_BYTES], size_t *n, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    *n += (size_t)vsnprintf(text + *n, TEXT_BYTES - *n, fmt, args);
    va_end(args);
    assert_true(*n < TEXT_BYTES);
}

static Meridian__Client__V1__ClientMessage *parse_client(const char *text)
{
    struct mer_json_error err;
    return (Meridian__Client__V1__ClientMessage *)mer_json_parse(client, text, strlen(text), &err);
}

#define assert_fault(text, len, want, want_field) \
    do { \
        struct mer_json_error err_; \
        ProtobufCMessage *m_ = mer_json_parse(client, (text), (len), &err_); \
        if (m_ || err_.fault != (want) || ((want_field) && strcmp(err_.field, (want_field)) != 0)) \
            fail_msg("%.200s: %s, fault %d, field \"%s\"", (text), m_ ? "taken" : "refused", err_.fault, err_.field); \
    } while (0)

/* text -> message -> text gives the text again, and so does the binary form between. */
#define assert_same(desc, text) \
    do { \
        struct mer_json_error err_; \
        struct mer_buf out_; \
        mer_buf_init(&out_, 0); \
        ProtobufCMessage *m_ = mer_json_parse_within((desc), &mer_json_limits_server, (text), strlen(text), &err_); \
        if (!m_) \
            fail_msg("%s: fault %d, field \"%s\"", (text), err_.fault, err_.field); \
        uint8_t packed_[8192]; \
        assert_true(protobuf_c_message_get_packed_size(m_) <= sizeof(packed_)); \
        size_t n_ = protobuf_c_message_pack(m_, packed_); \
        drop(m_); \
        assert_non_null(m_ = protobuf_c_message_unpack((desc), NULL, n_, packed_)); \
        assert_int_equal(mer_json_write(m_, &out_), MER_OK); \
        drop(m_); \
        assert_int_equal(mer_buf_append(&out_, "", 1), MER_OK); \
        assert_string_equal((char *)out_.data, (text)); \
        mer_buf_deinit(&out_); \
    } while (0)

static void every_client_message_survives_both_directions(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"type\":\"auth\",\"token\":\"a.b.c\"}",
        "{\"type\":\"auth\",\"token\":\"a.b.c\",\"device\":\"phone\"}",
        "{\"type\":\"resume\",\"session\":\"s\",\"epoch\":1,\"offset\":9007199254740991}",
        "{\"type\":\"find_match\",\"game\":\"memory\",\"latencyMs\":{}}",
        ("{\"type\":\"find_match\",\"game\":\"memory\",\"players\":2,\"rows\":4,\"cols\":4,\"bots\":\"fill\",\"rating\":1500,"
         "\"latencyMs\":{\"us-east\":12,\"eu\":0}}"),
        "{\"type\":\"cancel_match\",\"ticketId\":\"t\"}",
        "{\"type\":\"explain_match\",\"ticketId\":\"t\"}",
        "{\"type\":\"move\",\"gameId\":\"g\",\"moveId\":\"m\",\"flip\":{\"card\":4294967295}}",
        "{\"type\":\"move\",\"gameId\":\"g\",\"moveId\":\"m\"}",
        "{\"type\":\"leave_game\",\"gameId\":\"\"}",
        "{\"type\":\"get_game\",\"gameId\":\"g\\\"\\\\\\n\\u0001\"}",
        "{\"type\":\"ack\",\"offset\":0}",
        "{\"type\":\"ping\"}",
    };
    for (size_t i = 0; i < MER_COUNT(texts); i++)
        assert_same(client, texts[i]);
}

static void every_server_message_survives_both_directions(void **state)
{
    (void)state;
    static const char *const texts[] = {
        ("{\"type\":\"connected\",\"session\":\"s\",\"epoch\":1,\"offset\":7,\"user\":\"u\",\"device\":\"d\",\"region\":\"r\",\"edge\":"
         "\"e\","
         "\"heartbeatMs\":30000,\"resume\":\"gone\",\"reason\":\"old\"}"),
        "{\"type\":\"ticket\",\"offset\":1,\"ticketId\":\"t\",\"state\":\"waiting\",\"nextStepAtMs\":1700000000000}",
        ("{\"type\":\"matched\",\"offset\":2,\"gameId\":\"g\",\"seat\":0,\"players\":[{\"seat\":0,\"user\":\"u\",\"name\":\"\","
         "\"kind\":\"human\"},{\"seat\":1,\"user\":\"bot:1\",\"name\":\"B\",\"kind\":\"bot\"}],\"region\":\"r\"}"),
        "{\"type\":\"card_flipped\",\"gameId\":\"g\",\"version\":3,\"seat\":0,\"card\":5,\"face\":2}",
        "{\"type\":\"pair_found\",\"gameId\":\"g\",\"version\":3,\"seat\":0,\"cards\":[1,2],\"scores\":[1,0]}",
        "{\"type\":\"turn_changed\",\"gameId\":\"g\",\"version\":3,\"seat\":1,\"deadlineAtMs\":1700000000000}",
        "{\"type\":\"seat_left\",\"gameId\":\"g\",\"version\":3,\"seat\":1}",
        "{\"type\":\"player_dropped\",\"gameId\":\"g\",\"version\":3,\"seat\":1}",
        "{\"type\":\"game_paused\",\"gameId\":\"g\",\"version\":3,\"reason\":\"storage\",\"untilMs\":5}",
        "{\"type\":\"game_resumed\",\"gameId\":\"g\",\"version\":3,\"deadlineAtMs\":5}",
        "{\"type\":\"game_over\",\"gameId\":\"g\",\"version\":9,\"scores\":[4,4],\"winners\":[0,1],\"reason\":\"finished\"}",
        "{\"type\":\"move_ok\",\"gameId\":\"g\",\"moveId\":\"m\",\"version\":3}",
        "{\"type\":\"error\",\"code\":\"not_your_turn\",\"message\":\"wait\",\"re\":\"m\",\"retryAfterMs\":0}",
        "{\"type\":\"server_maintenance\",\"reconnectDelayMs\":0}",
        "{\"type\":\"batch\",\"messages\":[{\"type\":\"pong\",\"atMs\":1},{\"type\":\"pong\",\"offset\":3,\"atMs\":2}]}",
        "{\"type\":\"batch\",\"messages\":[]}",
    };
    for (size_t i = 0; i < MER_COUNT(texts); i++)
        assert_same(server, texts[i]);
}

static void text_that_is_no_message_is_bad_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "nonsense",
        "[]",
        "[{\"type\":\"ping\"}]",
        "\"ping\"",
        "1",
        "null",
        "{\"type\":\"ping\"",
        "{\"type\":\"ping\"}x",
        "{\"type\":\"ping\"}{}",
        "{\"type\":\"ping\",}",
        "{'type':'ping'}",
        "{type:\"ping\"}",
        "{\"type\":\"ping\",\"type\":\"ping\"}",
        "{\"type\":\"ping\",\"x\":{\"a\":1,\"a\":1}}",
        "{\"type\":\"ping\",\"x\":NaN}",
        "{\"type\":\"ping\",\"x\":Infinity}",
        "{\"type\":\"ping\",\"x\":01}",
        "{\"type\":\"ping\",\"x\":+1}",
        "{\"type\":\"ping\",\"x\":1e400}",
        "{\"type\":\"ping\",\"x\":1e16}",
        "{\"type\":\"ping\",\"x\":9007199254740993}",
        "{\"type\":\"ping\",\"x\":-9007199254740993}",
        "{\"type\":\"ping\",\"x\":18446744073709551616}",
        "{\"type\":\"ack\",\"offset\":9007199254740993}",
        "{\"type\":\"ping\",\"x\":\"\\ud800\"}",
        "{\"type\":\"ping\",\"x\":\"\\udc00\\ud800\"}",
        "{\"type\":\"ping\",\"x\":\"\\u0000\"}",
        "{\"type\":\"ping\",\"\\u0000\":1}",
        "{\"type\":\"ping\",\"x\":\"\xff\"}",
        "{\"type\":\"ping\",\"x\":\"\xc0\x80\"}",
        "{\"type\":\"ping\",\"x\":\"\xed\xa0\x80\"}",
        "{\"type\":\"ping\",\"x\":\"a\nb\"}",
        "{\"type\":\"ping\",\"x\":\"\\x\"}",
        "\xef\xbb\xbf{\"type\":\"ping\"}",
        "{\"type\":\"ping\",\"x\":[[[[[[[[1]]]]]]]]}",
        "{\"type\":\"ping\"} // no",
    };
    for (size_t i = 0; i < MER_COUNT(texts); i++)
        assert_fault(texts[i], strlen(texts[i]), MER_JSON_BAD, "");
    assert_fault("{\"type\":\"ping\"}\0", 16, MER_JSON_BAD, "");
    assert_fault("{\"type\":\"pi\0ng\"}", 16, MER_JSON_BAD, "");
}

static void limits_are_exact(void **state)
{
    (void)state;
    static char text[TEXT_BYTES];
    static const char depth8[] = "{\"type\":\"ping\",\"x\":[[[[[[[1]]]]]]]}";
    struct mer_json_error err;
    ProtobufCMessage *m;

    assert_non_null(m = mer_json_parse(client, depth8, strlen(depth8), &err));
    drop(m);
    for (int extra = 0; extra < 2; extra++) { /* members of an object, elements of an array, bytes of a string, of a token */
        size_t n = 0;
        add(text, &n, "{\"type\":\"ping\"");
        for (int i = 1; i < 64 + extra; i++)
            add(text, &n, ",\"k%d\":0", i);
        add(text, &n, "}");
        m = mer_json_parse(client, text, strlen(text), &err);
        assert_int_equal(m == NULL, extra);
        drop(m);

        n = 0;

        add(text, &n, "{\"type\":\"ping\",\"x\":[0");
        for (int i = 1; i < 64 + extra; i++)
            add(text, &n, ",0");
        add(text, &n, "]}");
        m = mer_json_parse(client, text, strlen(text), &err);
        assert_int_equal(m == NULL, extra);
        drop(m);

        n = 0;

        add(text, &n, "{\"type\":\"ping\",\"x\":\"%0*d\"}", 1024 + extra, 0);
        m = mer_json_parse(client, text, strlen(text), &err);
        assert_int_equal(m == NULL, extra);
        drop(m);

        n = 0;

        add(text, &n, "{\"type\":\"ping\",\"%0*d\":0}", 1024 + extra, 0);
        m = mer_json_parse(client, text, strlen(text), &err);
        assert_int_equal(m == NULL, extra);
        drop(m);

        n = 0;

        add(text, &n, "{\"type\":\"auth\",\"token\":\"%0*d\"}", 4096 + extra, 0);
        m = mer_json_parse(client, text, strlen(text), &err);
        assert_int_equal(m == NULL, extra);
        drop(m);
    }
    memset(text, '[', 20000); /* far beyond the depth that any parser's stack should see */
    assert_fault(text, 20000, MER_JSON_BAD, "");
}

static void wrong_fields_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } rows[] = {
        {"{}", "type"},
        {"{\"type\":null}", "type"},
        {"{\"type\":1}", "type"},
        {"{\"type\":[\"ping\"]}", "type"},
        {"{\"Type\":\"ping\"}", "type"},
        {"{\"type\":\"auth\"}", "token"},
        {"{\"type\":\"auth\",\"token\":null}", "token"},
        {"{\"type\":\"auth\",\"token\":7}", "token"},
        {"{\"type\":\"auth\",\"token\":\"t\",\"device\":null}", "device"},
        {"{\"type\":\"auth\",\"token\":\"t\",\"device\":{}}", "device"},
        {"{\"type\":\"ack\"}", "offset"},
        {"{\"type\":\"ack\",\"offset\":-1}", "offset"},
        {"{\"type\":\"ack\",\"offset\":1.0}", "offset"},
        {"{\"type\":\"ack\",\"offset\":1e3}", "offset"},
        {"{\"type\":\"ack\",\"offset\":\"1\"}", "offset"},
        {"{\"type\":\"ack\",\"offset\":true}", "offset"},
        {"{\"type\":\"ack\",\"offset\":9007199254740992}", "offset"},
        {"{\"type\":\"move\",\"gameId\":\"g\",\"flip\":{\"card\":0}}", "moveId"},
        {"{\"type\":\"move\",\"game_id\":\"g\",\"moveId\":\"m\",\"flip\":{\"card\":0}}", "gameId"},
        {"{\"type\":\"move\",\"gameId\":\"g\",\"moveId\":\"m\",\"flip\":{}}", "card"},
        {"{\"type\":\"move\",\"gameId\":\"g\",\"moveId\":\"m\",\"flip\":[]}", "flip"},
        {"{\"type\":\"move\",\"gameId\":\"g\",\"moveId\":\"m\",\"flip\":null}", "flip"},
        {"{\"type\":\"move\",\"gameId\":\"g\",\"moveId\":\"m\",\"flip\":{\"card\":4294967296}}", "card"},
        {"{\"type\":\"move\",\"gameId\":\"g\",\"moveId\":\"m\",\"flip\":{\"card\":-1}}", "card"},
        {"{\"type\":\"find_match\"}", "game"},
        {"{\"type\":\"find_match\",\"game\":\"memory\",\"players\":2.5}", "players"},
        {"{\"type\":\"find_match\",\"game\":\"memory\",\"bots\":\"unspecified\"}", "bots"},
        {"{\"type\":\"find_match\",\"game\":\"memory\",\"bots\":\"NONE\"}", "bots"},
        {"{\"type\":\"find_match\",\"game\":\"memory\",\"bots\":\"bots_none\"}", "bots"},
        {"{\"type\":\"find_match\",\"game\":\"memory\",\"bots\":\"non\"}", "bots"},
        {"{\"type\":\"find_match\",\"game\":\"memory\",\"bots\":\"\"}", "bots"},
        {"{\"type\":\"find_match\",\"game\":\"memory\",\"bots\":1}", "bots"},
        {"{\"type\":\"find_match\",\"game\":\"memory\",\"latencyMs\":[]}", "latencyMs"},
        {"{\"type\":\"find_match\",\"game\":\"memory\",\"latencyMs\":{\"eu\":\"1\"}}", "latencyMs"},
        {"{\"type\":\"find_match\",\"game\":\"memory\",\"latencyMs\":{\"eu\":1,\"us\":-1}}", "latencyMs"},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++)
        assert_fault(rows[i].text, strlen(rows[i].text), MER_JSON_BAD_FIELD, rows[i].field);
}

static void an_unknown_type_is_told_with_its_name(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"type\":\"dance\"}", "{\"type\":\"\"}", "{\"type\":\"PING\"}", "{\"type\":\"body\"}",
                                        "{\"type\":\"ping \"}"};
    struct mer_json_error err;
    for (size_t i = 0; i < MER_COUNT(texts); i++)
        assert_fault(texts[i], strlen(texts[i]), MER_JSON_UNKNOWN_TYPE, "type");
    assert_null(mer_json_parse(client, texts[0], strlen(texts[0]), &err));
    assert_string_equal(err.type, "dance");
    assert_null(mer_json_parse(client, "{\"type\":\"auth\"}", 15, &err));
    assert_string_equal(err.type, "auth");
    /* the wrapper's own field is no type */
    assert_null(mer_json_parse(server, "{\"type\":\"offset\"}", 17, &err));
    assert_int_equal(err.fault, MER_JSON_UNKNOWN_TYPE);
}

static void unknown_members_are_ignored(void **state)
{
    (void)state;
    Meridian__Client__V1__ClientMessage *m = parse_client(
        " {\"a\":[1,{\"b\":null}], \"type\":\"move\", \"moveId\":\"m\", \"auth\":{}, \"gameId\":\"g\", \"flip\":{\"card\":3,\"x\":1}}\n");
    assert_non_null(m);
    assert_int_equal(m->body_case, MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_MOVE);
    assert_int_equal(m->move->action_case, MERIDIAN__CLIENT__V1__MOVE__ACTION_FLIP);
    assert_int_equal(m->move->flip->card, 3);
    drop(m);
}

static void presence_is_kept(void **state)
{
    (void)state;
    Meridian__Client__V1__ClientMessage *m =
        parse_client("{\"type\":\"find_match\",\"game\":\"memory\",\"players\":0,\"bots\":\"now\",\"latencyMs\":{\"eu\":9}}");
    assert_non_null(m);
    assert_true(m->find_match->has_players);
    assert_int_equal(m->find_match->players, 0);
    assert_false(m->find_match->has_rows);
    assert_true(m->find_match->has_bots);
    assert_int_equal(m->find_match->bots, MERIDIAN__CLIENT__V1__BOTS__BOTS_NOW);
    assert_int_equal(m->find_match->n_latency_ms, 1);
    assert_string_equal(m->find_match->latency_ms[0]->key, "eu");
    assert_true(m->find_match->latency_ms[0]->has_value);
    assert_int_equal(m->find_match->latency_ms[0]->value, 9);
    drop(m);
}

static void the_case_owns_a_name_that_the_wrapper_has_too(void **state)
{
    (void)state;
    struct mer_json_error err;
    static const char text[] = "{\"type\":\"connected\",\"session\":\"s\",\"epoch\":1,\"offset\":7,\"user\":\"u\",\"device\":\"d\","
                               "\"region\":\"r\",\"edge\":\"e\",\"heartbeatMs\":1}";
    Meridian__Client__V1__ServerMessage *m = (Meridian__Client__V1__ServerMessage *)mer_json_parse(server, text, sizeof(text) - 1, &err);
    assert_non_null(m);
    assert_false(m->has_offset);
    assert_int_equal(m->connected->offset, 7);
    drop(m);
}

static void any_message_may_name_a_trace_beside_its_case(void **state)
{
    (void)state;
    static const char text[] = "{\"type\":\"get_game\",\"gameId\":\"g\",\"traceparent\":\"00-nonsense\"}",
                      wrong[] = "{\"type\":\"ping\",\"traceparent\":7}";
    Meridian__Client__V1__ClientMessage *m = parse_client(text);
    assert_non_null(m);
    assert_int_equal(m->body_case, MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_GET_GAME);
    assert_string_equal(m->traceparent, "00-nonsense");
    drop(m);
    m = parse_client("{\"type\":\"ping\"}");
    assert_non_null(m);
    assert_null(m->traceparent);
    drop(m);
    assert_fault("{\"type\":\"traceparent\"}", 22, MER_JSON_UNKNOWN_TYPE, "type");
    assert_fault(wrong, sizeof(wrong) - 1, MER_JSON_BAD_FIELD, "traceparent");
}

static void a_board_of_a_hundred_cards_is_within_the_servers_limits_only(void **state)
{
    (void)state;
    static char text[TEXT_BYTES];
    struct mer_json_error err;
    size_t n = 0;
    add(text, &n,
        "{\"type\":\"game_state\",\"gameId\":\"g\",\"game\":\"memory\",\"version\":1,\"status\":\"playing\","
        "\"rows\":10,\"cols\":10,\"cards\":[");
    for (int i = 0; i < 100; i++)
        add(text, &n, "%s%s", i ? "," : "", i % 2 ? "{\"state\":\"down\"}" : "{\"state\":\"up\",\"face\":3}");
    add(text, &n, "],\"scores\":[0,0],\"seats\":[],\"turn\":0,\"deadlineAtMs\":1}");
    assert_null(mer_json_parse(server, text, strlen(text), &err));
    assert_int_equal(err.fault, MER_JSON_BAD);
    /* not by assert_same: seats carry what their schema says, whatever that comes to be */
    ProtobufCMessage *m = mer_json_parse_within(server, &mer_json_limits_server, text, strlen(text), &err);
    assert_non_null(m);
    drop(m);
}

static void what_has_no_json_form_is_not_written(void **state)
{
    (void)state;
    struct mer_buf out;
    mer_buf_init(&out, 0);
    assert_int_equal(mer_buf_appends(&out, "kept"), MER_OK);
    Meridian__Client__V1__ServerMessage m = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    assert_int_equal(mer_json_write(&m.base, &out), MER_EINVALID); /* no case */

    Meridian__Client__V1__Pong pong = MERIDIAN__CLIENT__V1__PONG__INIT;
    m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_PONG;
    m.pong = &pong;
    pong.at_ms = UINT64_C(1) << 53;
    assert_int_equal(mer_json_write(&m.base, &out), MER_EINVALID);

    Meridian__Client__V1__Error error = MERIDIAN__CLIENT__V1__ERROR__INIT;
    m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_ERROR;
    m.error = &error;
    assert_int_equal(mer_json_write(&m.base, &out), MER_EINVALID); /* code is UNSPECIFIED */
    error.code = 999;
    assert_int_equal(mer_json_write(&m.base, &out), MER_EINVALID);
    error.code = MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_BAD_JSON;
    error.message = (char *)"\xff";
    assert_int_equal(mer_json_write(&m.base, &out), MER_EINVALID);
    assert_int_equal(out.len, 4);

    error.message = NULL; /* required: "" as in the binary form */
    assert_int_equal(mer_json_write(&m.base, &out), MER_OK);
    assert_int_equal(mer_buf_append(&out, "", 1), MER_OK);
    assert_string_equal((char *)out.data, "kept{\"type\":\"error\",\"code\":\"bad_json\",\"message\":\"\"}");
    mer_buf_deinit(&out);
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
    (void)state;
    Meridian__Client__V1__ClientMessage *m = parse_client("{\"type\":\"get_game\",\"gameId\":\"0123456789\"}");
    for (size_t limit = 1; limit < 41; limit++) {
        struct mer_buf out;
        mer_buf_init(&out, limit);
        assert_int_equal(mer_buf_append(&out, "x", 1), MER_OK);
        assert_int_equal(mer_json_write(&m->base, &out), MER_EBUSY);
        assert_int_equal(out.len, 1);
        mer_buf_deinit(&out);
    }
    drop(m);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    struct mer_buf out;
    mer_buf_init(&out, 0);
    assert_int_equal(mer_json_write_string("a\"b\\c\b\t\n\f\r\x01\x1f/\x7f\xe2\x80\xa8\xf0\x9f\x83\x8f", 21, &out), MER_OK);
    assert_int_equal(mer_json_write_string("\0", 1, &out), MER_OK);
    assert_int_equal(mer_json_write_string("", 0, &out), MER_OK);
    assert_int_equal(mer_buf_append(&out, "", 1), MER_OK);
    assert_string_equal((char *)out.data, "\"a\\\"b\\\\c\\b\\t\\n\\f\\r\\u0001\\u001f/\x7f\xe2\x80\xa8\xf0\x9f\x83\x8f\"\"\\u0000\"\"\"");
    assert_int_equal(mer_json_write_string("\xf0\x9f", 2, &out), MER_EINVALID);
    mer_buf_deinit(&out);
}

static void running_out_of_memory_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    static const char text[] = "{\"type\":\"find_match\",\"game\":\"memory\",\"players\":2,\"latencyMs\":{\"a\":1,\"b\":2}}";
    struct mer_json_error err;
    ProtobufCMessage *m = NULL;
    unsigned n = 0;
    do {
        mer_mem_fail_at(++n);
        m = mer_json_parse(client, text, sizeof(text) - 1, &err);
        mer_mem_fail_at(0);
        assert_true(m || err.fault == MER_JSON_NOMEM);
    } while (!m && n < 100);
    assert_true(n > 5);
    drop(m);
}

#define assert_unpacked(m, want_fault, want_field) \
    do { \
        struct mer_json_error err_; \
        assert_int_equal(mer_json_check_unpacked(&(m).base, &err_), (want_fault) == MER_JSON_OK ? MER_OK : MER_EINVALID); \
        assert_int_equal(err_.fault, (want_fault)); \
        assert_string_equal(err_.field, (want_field)); \
    } while (0)

static void binary_messages_are_held_to_the_same_rules(void **state)
{
    (void)state;
    Meridian__Client__V1__ClientMessage m = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__INIT;
    Meridian__Client__V1__FindMatch find = MERIDIAN__CLIENT__V1__FIND_MATCH__INIT;
    Meridian__Client__V1__FindMatch__LatencyMsEntry entry = MERIDIAN__CLIENT__V1__FIND_MATCH__LATENCY_MS_ENTRY__INIT;
    Meridian__Client__V1__FindMatch__LatencyMsEntry *entries[65];
    Meridian__Client__V1__Ack ack = MERIDIAN__CLIENT__V1__ACK__INIT;
    static char longest[1026];
    memset(longest, 'x', 1025);
    assert_unpacked(m, MER_JSON_UNKNOWN_TYPE, "type");

    m.body_case = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_ACK;
    m.ack = &ack;
    ack.offset = MER_JSON_INT_MAX;
    assert_unpacked(m, MER_JSON_OK, "");
    ack.offset++;
    assert_unpacked(m, MER_JSON_BAD_FIELD, "offset");

    m.body_case = MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_FIND_MATCH;
    m.find_match = &find;
    assert_unpacked(m, MER_JSON_BAD_FIELD, "game");
    find.game = (char *)"\xff";
    assert_unpacked(m, MER_JSON_BAD_FIELD, "game");
    find.game = longest;
    assert_unpacked(m, MER_JSON_BAD_FIELD, "game");
    longest[1024] = '\0';
    assert_unpacked(m, MER_JSON_OK, "");
    find.has_bots = true;
    assert_unpacked(m, MER_JSON_BAD_FIELD, "bots");
    find.bots = 77;
    assert_unpacked(m, MER_JSON_BAD_FIELD, "bots");
    find.bots = MERIDIAN__CLIENT__V1__BOTS__BOTS_NOW;
    assert_unpacked(m, MER_JSON_OK, "");

    for (size_t i = 0; i < MER_COUNT(entries); i++)
        entries[i] = &entry;
    find.latency_ms = entries;
    find.n_latency_ms = 1;
    assert_unpacked(m, MER_JSON_BAD_FIELD, "latencyMs"); /* no key */
    entry.key = (char *)"eu";
    assert_unpacked(m, MER_JSON_OK, "");
    find.n_latency_ms = 2;
    assert_unpacked(m, MER_JSON_BAD_FIELD, "latencyMs"); /* one key twice */
    find.n_latency_ms = 65;
    assert_unpacked(m, MER_JSON_BAD_FIELD, "latencyMs");
}

static void nested_binary_messages_are_bounded_in_depth(void **state)
{
    (void)state;
    Meridian__Client__V1__ServerMessage m[5], *p[5];
    Meridian__Client__V1__Batch b[5];
    Meridian__Client__V1__Pong pong = MERIDIAN__CLIENT__V1__PONG__INIT;
    struct mer_buf out;
    mer_buf_init(&out, 0);
    for (size_t i = 0; i < 5; i++) {
        meridian__client__v1__server_message__init(&m[i]);
        meridian__client__v1__batch__init(&b[i]);
        m[i].body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_BATCH;
        m[i].batch = &b[i];
        p[i] = &m[i];
        b[i].n_messages = i ? 1 : 0;
        b[i].messages = i ? &p[i - 1] : NULL;
    }
    m[0].body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_PONG;
    m[0].pong = &pong;
    assert_unpacked(m[3], MER_JSON_OK, "");
    assert_unpacked(m[4], MER_JSON_BAD, "");
    b[0].n_messages = 1; /* a circle ends too */
    b[0].messages = &p[4];
    m[0].body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_BATCH;
    m[0].batch = &b[0];
    assert_int_equal(mer_json_write(&m[4].base, &out), MER_EINVALID);
    mer_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_client_message_survives_both_directions),
        cmocka_unit_test(every_server_message_survives_both_directions),
        cmocka_unit_test(text_that_is_no_message_is_bad_json),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(wrong_fields_are_named),
        cmocka_unit_test(an_unknown_type_is_told_with_its_name),
        cmocka_unit_test(unknown_members_are_ignored),
        cmocka_unit_test(presence_is_kept),
        cmocka_unit_test(the_case_owns_a_name_that_the_wrapper_has_too),
        cmocka_unit_test(any_message_may_name_a_trace_beside_its_case),
        cmocka_unit_test(a_board_of_a_hundred_cards_is_within_the_servers_limits_only),
        cmocka_unit_test(what_has_no_json_form_is_not_written),
        cmocka_unit_test(a_full_buffer_is_left_as_it_was),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(running_out_of_memory_is_told_and_leaks_nothing),
        cmocka_unit_test(binary_messages_are_held_to_the_same_rules),
        cmocka_unit_test(nested_binary_messages_are_bounded_in_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
