/* SPDX-License-Identifier: Apache-2.0
 * json.h - one generic mapper between protobuf-c messages and JSON, driven by the descriptors (no per-message code). Parsing is jansson's
 * (strict: duplicates refused), generating is ours.
 *
 * Rules: names lowerCamelCase; a `required` field must be present on input and always is on output; `optional` only when set; `repeated` is
 * an array, always present on output, absent = empty on input; a repeated message with exactly the fields key and value is an object; enum
 * = value name without the enum's prefix, in lower case, UNSPECIFIED refused; bytes = base64url; 64-bit numbers are JSON integers below
 * 2^53; a oneof = at most one of its members. A message whose oneof is called `body` is flattened: {"type": "<case>", fields of the
 * wrapper, fields of the case}. Unknown members are ignored. Bounds (reliability, 5.4): depth 8, 64 members an object or array, strings 1
 * KiB (token fields: 4 KiB) -> bad JSON. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include <meridian/buf.h>

enum mer_json_fault { MER_JSON_OK, MER_JSON_BAD, MER_JSON_UNKNOWN_TYPE, MER_JSON_BAD_FIELD, MER_JSON_NOMEM };
struct mer_json_error {
    enum mer_json_fault fault;
    char field[64]; /* which field; for people */
    char type[32];  /* the message's type where known: for `re` */
};

/* text -> message. Free with protobuf_c_message_free_unpacked(msg, NULL). NULL and *err on failure. The text may hold any bytes. */
MER_MUST_CHECK ProtobufCMessage *mer_json_parse(const ProtobufCMessageDescriptor *desc, const char *text, size_t len,
                                                struct mer_json_error *err);
/* An array of such messages or one: POST bodies. */

/* message -> text appended to out. Strings are escaped (control characters, quotes, U+2028/9 as they are). */
MER_MUST_CHECK enum mer_err mer_json_write(const ProtobufCMessage *msg, struct mer_buf *out);
/* s as a quoted and escaped JSON string. */
MER_MUST_CHECK enum mer_err mer_json_write_string(const char *s, size_t len, struct mer_buf *out);
/* Checks bounds of 64-bit and required fields of a message that came in the binary form: strings valid UTF-8 and within bounds, enums
 * known. MER_EINVALID + *err otherwise. */
MER_MUST_CHECK enum mer_err mer_json_check_unpacked(const ProtobufCMessage *msg, struct mer_json_error *err);
