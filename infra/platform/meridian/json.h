/* SPDX-License-Identifier: Apache-2.0
 * json.h - one generic mapper between protobuf-c messages and JSON, driven by the descriptors (no per-message code). Parsing is jansson's
 * (strict: duplicates refused), generating is ours.
 *
 * Rules: names lowerCamelCase; a `required` field must be present on input and always is on output; `optional` only when set; `repeated` is
 * an array, always present on output, absent = empty on input; a repeated message with exactly the fields key and value is an object; enum
 * = value name without the enum's prefix, in lower case, UNSPECIFIED refused; bytes = base64url; 64-bit numbers are JSON integers below
 * 2^53; a oneof = at most one of its members. An envelope, that is a message with a oneof whose name ends in `Message` (protobuf-c keeps no
 * names of oneofs), is flattened: {"type": "<case>", fields of the wrapper, fields of the case}; where both have a field of one name, it is
 * the case's. Unknown members are ignored. null is no value: wrong type. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include <meridian/buf.h>

/* The largest integer of the JSON form: what a browser's number holds exactly. */
#define MER_JSON_INT_MAX ((INT64_C(1) << 53) - 1)

/* What the text may hold, unknown members included; beyond is MER_JSON_BAD. */
struct mer_json_limits {
    size_t depth, members; /* nesting, root = 1; members an object or array */
    size_t string_bytes;   /* a name or string */
    size_t token_bytes;    /* the string of a member called "token" */
};
/* What a server takes from players: 8, 64, 1 KiB, 4 KiB. */
extern const struct mer_json_limits mer_json_limits_player;
/* What a client takes from our servers: boards of 100 cards, batches of hundreds of messages. */
extern const struct mer_json_limits mer_json_limits_server;

/* BAD: no JSON object, or over a limit. BAD_FIELD: missing, of the wrong type or out of range. */
enum mer_json_fault { MER_JSON_OK, MER_JSON_BAD, MER_JSON_UNKNOWN_TYPE, MER_JSON_BAD_FIELD, MER_JSON_NOMEM };
struct mer_json_error {
    enum mer_json_fault fault;
    char field[64]; /* JSON name of the field, the innermost; for people */
    char type[32];  /* the message's type where known: for `re` */
};

/* text -> message, within mer_json_limits_player. Free with protobuf_c_message_free_unpacked(msg, NULL). NULL and *err on failure. The text
 * may hold any bytes. */
MER_MUST_CHECK ProtobufCMessage *mer_json_parse(const ProtobufCMessageDescriptor *desc, const char *text, size_t len,
                                                struct mer_json_error *err);
/* The same within other limits. */
MER_MUST_CHECK ProtobufCMessage *mer_json_parse_within(const ProtobufCMessageDescriptor *desc, const struct mer_json_limits *limits,
                                                       const char *text, size_t len, struct mer_json_error *err);

/* message -> text appended to out. Strings are escaped (control characters, quotes; U+2028/9 as they are); a required string that is NULL
 * is written as "", as the binary form does. MER_EINVALID for what has no JSON form (no case set, unknown enum value, 2^53 and more, bad
 * UTF-8), MER_EBUSY and MER_ENOMEM from out; out is unchanged then. */
MER_MUST_CHECK enum mer_err mer_json_write(const ProtobufCMessage *msg, struct mer_buf *out);
/* s as a quoted and escaped JSON string. MER_EINVALID when it is not UTF-8. */
MER_MUST_CHECK enum mer_err mer_json_write_string(const char *s, size_t len, struct mer_buf *out);
/* Holds a message that came in the binary form to what mer_json_parse promises: required fields there, strings UTF-8 and within bounds, at
 * most 64 members, 64-bit numbers below 2^53, enum values known, a case set. MER_EINVALID + *err otherwise. */
MER_MUST_CHECK enum mer_err mer_json_check_unpacked(const ProtobufCMessage *msg, struct mer_json_error *err);
