/* SPDX-License-Identifier: Apache-2.0
 * json_internal.h - what the files of the JSON mapper share (json.c reads, json_write.c writes, json_check.c holds binary messages to
 * the same rules, json_load.c bounds the text). */
#pragma once

#include <jansson.h>

#include <meridian/json.h>

/* A field's JSON name, terminated. */
struct mer__json_name {
    char text[64];
    size_t len;
};
void mer__json_name_of(const char *field, struct mer__json_name *out);

/* text -> tree within limits, or NULL and the fault (BAD or NOMEM). Give it back with json_decref. Any root type. */
json_t *mer__json_load(const char *text, size_t len, const struct mer_json_limits *limits, enum mer_json_fault *fault);

/* The text of an enum value after the enum's prefix, still in capitals; NULL for 0 and values unknown. */
const char *mer__json_enum_label(const ProtobufCEnumDescriptor *desc, int value);
/* The part of a value's name after the enum's prefix: ("TicketState", "TICKET_STATE_OVER") -> "OVER". */
const char *mer__json_enum_suffix(const ProtobufCEnumDescriptor *desc, const char *value_name);

/* How many values the field has in m (0: absent), *at = the first. */
size_t mer__json_values_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const void **at);

/* An envelope is flattened, see json.h. */
bool mer__json_is_envelope(const ProtobufCMessageDescriptor *desc);
bool mer__json_is_map(const ProtobufCFieldDescriptor *f);
size_t mer__json_element_bytes(ProtobufCType type);

static inline bool mer__json_in_oneof(const ProtobufCFieldDescriptor *f)
{
    return f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
}
