/* SPDX-License-Identifier: Apache-2.0
 * test_golden.c - the worked examples of PROTOCOL.md: each text and its packed form are the same message, both ways. A change here breaks
 * clients that are already out. */
#include "unit.h"

#include <stdio.h>

#include <meridian/json.h>

#include "meridian/client/v1/client.pb-c.h"

static const struct {
    const char *name;
    bool from_client;
} examples[] = {
    {"auth", true},          {"resume", true},       {"find_match", true},    {"move", true},        {"ping", true},
    {"connected", false},    {"ticket", false},      {"matched", false},      {"game_state", false}, {"game_state_over", false},
    {"card_flipped", false}, {"pair_missed", false}, {"turn_changed", false}, {"game_over", false},  {"move_ok", false},
    {"error", false},        {"batch", false},       {"send_message", true},  {"message", false},    {"message_ok", false},
};

/* The file's first line, without its end; freed by the caller. */
static char *read_line(const char *name, const char *suffix)
{
    char path[1024], *line = NULL;
    size_t room = 0;
    const char *here = strstr(__FILE__, "tests/unit/");
    assert_non_null(here);
    snprintf(path, sizeof(path), "%.*stests/golden/client/%s.%s", (int)(here - __FILE__), __FILE__, name, suffix);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        fail_msg("%s is missing", path);
    ssize_t n = getline(&line, &room, f);
    fclose(f);
    assert_true(n > 0 && line[n - 1] == '\n');
    line[n - 1] = 0;
    return line;
}

static char *to_hex(const uint8_t *data, size_t len)
{
    char *hex = calloc(2 * len + 1, 1);
    assert_non_null(hex);
    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", data[i]);
    return hex;
}

static const ProtobufCMessageDescriptor *schema(size_t i)
{
    return examples[i].from_client ? &meridian__client__v1__client_message__descriptor : &meridian__client__v1__server_message__descriptor;
}

static void every_text_packs_to_its_hex(void **state)
{
    (void)state;
    for (size_t i = 0; i < MER_COUNT(examples); i++) {
        char *text = read_line(examples[i].name, "json"), *want = read_line(examples[i].name, "hex");
        struct mer_json_error err;
        ProtobufCMessage *m = mer_json_parse_within(schema(i), &mer_json_limits_server, text, strlen(text), &err);
        if (m == NULL)
            fail_msg("%s: fault %d at %s", examples[i].name, (int)err.fault, err.field);
        size_t len = protobuf_c_message_get_packed_size(m);
        uint8_t *packed = malloc(len + 1);
        assert_non_null(packed);
        protobuf_c_message_pack(m, packed);
        char *got = to_hex(packed, len);
        if (strcmp(got, want) != 0)
            fail_msg("%s.hex should hold\n%s", examples[i].name, got);
        protobuf_c_message_free_unpacked(m, NULL);
        free(packed);
        free(got);
        free(text);
        free(want);
    }
}

static void every_hex_is_written_as_its_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < MER_COUNT(examples); i++) {
        char *want = read_line(examples[i].name, "json"), *hex = read_line(examples[i].name, "hex");
        uint8_t packed[1024];
        size_t len = strlen(hex) / 2;
        assert_true(len <= sizeof(packed));
        for (size_t k = 0; k < len; k++)
            packed[k] = (uint8_t)strtoul((char[]){hex[2 * k], hex[2 * k + 1], 0}, NULL, 16);
        ProtobufCMessage *m = protobuf_c_message_unpack(schema(i), NULL, len, packed);
        assert_non_null(m);
        struct mer_buf out;
        mer_buf_init(&out, 0);
        assert_int_equal(mer_json_write(m, &out), MER_OK);
        assert_int_equal(mer_buf_append(&out, "", 1), MER_OK);
        assert_string_equal((char *)out.data, want);
        mer_buf_deinit(&out);
        protobuf_c_message_free_unpacked(m, NULL);
        free(want);
        free(hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_packs_to_its_hex),
        cmocka_unit_test(every_hex_is_written_as_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
