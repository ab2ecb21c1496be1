/* SPDX-License-Identifier: Apache-2.0
 * json_check.c - holds a message that came in the binary form to what a parsed JSON text promises (json.h), so that what follows cannot
 * tell the two apart: protobuf-c itself lets through any bytes as a string, any number as an enum and any count.
 * Next: json.c. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json_internal.h"
#include <meridian/id.h>

static bool check_message(const ProtobufCMessage *m, size_t depth, struct mer_json_error *err);

static bool refuse(struct mer_json_error *err, enum mer_json_fault fault, const char *field)
{
    struct mer__json_name name;
    mer__json_name_of(field, &name);
    err->fault = fault;
    snprintf(err->field, sizeof(err->field), "%s", name.text);
    return false;
}

static bool string_good(const ProtobufCFieldDescriptor *f, const char *s)
{
    const struct mer_json_limits *l = &mer_json_limits_player;
    if (!s)
        return false;
    size_t n = strlen(s);
    return n <= (strcmp(f->name, "token") == 0 ? l->token_bytes : l->string_bytes) && mer_utf8_valid(s, n);
}

static bool value_good(const ProtobufCFieldDescriptor *f, const void *at)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        return string_good(f, *(const char *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        return mer_b64u_len(((const ProtobufCBinaryData *)at)->len) <= mer_json_limits_player.string_bytes;
    case PROTOBUF_C_TYPE_ENUM:
        return mer__json_enum_label(f->descriptor, *(const int *)at) != NULL;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return *(const uint64_t *)at <= (uint64_t)MER_JSON_INT_MAX;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return *(const int64_t *)at <= MER_JSON_INT_MAX && *(const int64_t *)at >= -MER_JSON_INT_MAX;
    case PROTOBUF_C_TYPE_FLOAT:
        return fabs((double)*(const float *)at) <= (double)MER_JSON_INT_MAX; /* false for NaN */
    case PROTOBUF_C_TYPE_DOUBLE:
        return fabs(*(const double *)at) <= (double)MER_JSON_INT_MAX;
    default:
        return true;
    }
}

/* As in the text: every entry has a key of its own. */
static bool keys_good(const ProtobufCMessage *const *entries, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned offset = entries[i]->descriptor->fields[0].offset;
        const char *key = *(const char *const *)((const char *)entries[i] + offset);
        for (size_t k = 0; k <= i; k++) {
            const char *other = *(const char *const *)((const char *)entries[k] + offset);
            if (!key || (k < i && strcmp(key, other) == 0))
                return false;
        }
    }
    return true;
}

static bool check_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t depth, struct mer_json_error *err)
{
    const void *at;
    size_t n = mer__json_values_of(m, f, &at);
    if (f->label == PROTOBUF_C_LABEL_REPEATED && n > mer_json_limits_player.members)
        return refuse(err, MER_JSON_BAD_FIELD, f->name);
    if (mer__json_is_map(f) && !keys_good(at, n))
        return refuse(err, MER_JSON_BAD_FIELD, f->name);
    for (size_t i = 0; i < n; i++) {
        const void *value = (const char *)at + i * mer__json_element_bytes(f->type);
        if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
            const ProtobufCMessage *inner = *(ProtobufCMessage *const *)value;
            if (!inner)
                return refuse(err, MER_JSON_BAD_FIELD, f->name);
            if (!check_message(inner, depth, err))
                return false;
        } else if (!value_good(f, value)) {
            return refuse(err, MER_JSON_BAD_FIELD, f->name);
        }
    }
    return true;
}

static bool check_message(const ProtobufCMessage *m, size_t depth, struct mer_json_error *err)
{
    bool has_case = false;
    const void *at;
    if (depth >= mer_json_limits_player.depth)
        return refuse(err, MER_JSON_BAD, "");
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        if (mer__json_in_oneof(f) && mer__json_values_of(m, f, &at)) {
            has_case = true;
            if (depth == 0)
                snprintf(err->type, sizeof(err->type), "%s", f->name);
        }
        if (!check_field(m, f, depth + 1, err))
            return false;
    }
    if (mer__json_is_envelope(m->descriptor) && !has_case)
        return refuse(err, MER_JSON_UNKNOWN_TYPE, "type");
    return true;
}

enum mer_err mer_json_check_unpacked(const ProtobufCMessage *msg, struct mer_json_error *err)
{
    *err = (struct mer_json_error){.fault = MER_JSON_OK};
    return check_message(msg, 0, err) ? MER_OK : MER_EINVALID;
}
