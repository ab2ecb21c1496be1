/* SPDX-License-Identifier: Apache-2.0
 * fuzz_json.c - text -> ClientMessage -> text -> ClientMessage: what is parsed can be written and reads back the same, and its binary form
 * passes the check; the same bytes taken as the binary form are refused or have a JSON form. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include <meridian/client/v1/client.pb-c.h>
#include <meridian/json.h>

static const ProtobufCMessageDescriptor *const desc = &meridian__client__v1__client_message__descriptor;

/* msg -> text -> message -> text: the second text is the first. */
static void round_trip(const ProtobufCMessage *msg)
{
    struct mer_json_error err;
    struct mer_buf first, second;
    mer_buf_init(&first, 0);
    mer_buf_init(&second, 0);
    MER_ASSERT(mer_json_write(msg, &first) == MER_OK);
    ProtobufCMessage *again = mer_json_parse(desc, (const char *)first.data, first.len, &err);
    MER_ASSERT(again);
    MER_ASSERT(mer_json_write(again, &second) == MER_OK);
    MER_ASSERT(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    protobuf_c_message_free_unpacked(again, NULL);
    mer_buf_deinit(&first);
    mer_buf_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mer_json_error err;
    ProtobufCMessage *msg = mer_json_parse(desc, (const char *)data, size, &err);
    if (msg) {
        struct mer_json_error checked;
        MER_ASSERT(mer_json_check_unpacked(msg, &checked) == MER_OK);
        round_trip(msg);
        protobuf_c_message_free_unpacked(msg, NULL);
    } else {
        MER_ASSERT(err.fault != MER_JSON_OK && memchr(err.field, '\0', sizeof(err.field)) && memchr(err.type, '\0', sizeof(err.type)));
    }

    msg = protobuf_c_message_unpack(desc, NULL, size, data);
    if (msg && mer_json_check_unpacked(msg, &err) == MER_OK)
        round_trip(msg);
    protobuf_c_message_free_unpacked(msg, NULL);
    return 0;
}
