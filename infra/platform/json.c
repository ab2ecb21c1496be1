/* SPDX-License-Identifier: Apache-2.0
 * json.c - JSON text to protobuf-c messages by their descriptors.
 *
 * Why by descriptor: the schema is written once, in the .proto file; code for each message would say it a second time and drift. What
 * protobuf-c does not keep (names of oneofs, which messages are maps) is told by form: see json.h.
 *
 * Invariant: a message under construction can be freed at any moment by protobuf_c_message_free_unpacked: counts and cases are raised only
 * after what they announce is there.
 * Next: json_load.c (bounds of the text), json_write.c (the way back), json_check.c. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "json_internal.h"
#include <meridian/id.h>
#include <meridian/mem.h>

void mer__json_name_of(const char *field, struct mer__json_name *out)
{
    size_t n = 0;
    bool upper = false;
    for (; *field; field++) {
        if (*field == '_') {
            upper = true;
            continue;
        }
        MER_ASSERT(n + 1 < sizeof(out->text)); /* our own schemas */
        out->text[n++] = upper ? (char)toupper((unsigned char)*field) : *field;
        upper = false;
    }
    out->text[n] = '\0';
    out->len = n;
}

const char *mer__json_enum_suffix(const ProtobufCEnumDescriptor *desc, const char *value_name)
{
    const char *at = value_name;
    for (const char *p = desc->short_name; *p; p++) {
        if (*at == '_')
            at++;
        if (toupper((unsigned char)*p) != *at)
            return value_name; /* a value without the prefix */
        at++;
    }
    return *at == '_' ? at + 1 : value_name;
}

const char *mer__json_enum_label(const ProtobufCEnumDescriptor *desc, int value)
{
    const ProtobufCEnumValue *v = value ? protobuf_c_enum_descriptor_get_value(desc, value) : NULL;
    return v ? mer__json_enum_suffix(desc, v->name) : NULL;
}

bool mer__json_is_envelope(const ProtobufCMessageDescriptor *desc)
{
    static const char suffix[] = "Message";
    size_t n = strlen(desc->short_name), s = sizeof(suffix) - 1;
    /* fields of its own have lower numbers than the cases, or higher ones */
    return n > s && memcmp(desc->short_name + n - s, suffix, s) == 0 && desc->n_fields > 0 &&
           (mer__json_in_oneof(&desc->fields[0]) || mer__json_in_oneof(&desc->fields[desc->n_fields - 1]));
}

bool mer__json_is_map(const ProtobufCFieldDescriptor *f)
{
    if (f->label != PROTOBUF_C_LABEL_REPEATED || f->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    const ProtobufCMessageDescriptor *d = f->descriptor;
    return d->n_fields == 2 && strcmp(d->fields[0].name, "key") == 0 && d->fields[0].type == PROTOBUF_C_TYPE_STRING &&
           strcmp(d->fields[1].name, "value") == 0;
}

size_t mer__json_element_bytes(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(uint32_t); /* 32-bit numbers and enums */
    }
}

static bool fail(struct mer_json_error *err, enum mer_json_fault fault, const char *field)
{
    err->fault = fault;
    snprintf(err->field, sizeof(err->field), "%s", field);
    return false;
}

/* A message with the descriptor's defaults, on the heap. */
static ProtobufCMessage *message_create(const ProtobufCMessageDescriptor *desc)
{
    ProtobufCMessage *m = mer_try_calloc(1, desc->sizeof_message);
    if (m)
        protobuf_c_message_init(desc, m);
    return m;
}

static bool read_integer(const json_t *v, int64_t lo, int64_t hi, int64_t *out)
{
    if (!json_is_integer(v))
        return false; /* 1.0 too: it is no integer in the text */
    *out = json_integer_value(v);
    return *out >= lo && *out <= hi;
}

static bool read_enum(const ProtobufCEnumDescriptor *desc, const json_t *v, int *out)
{
    if (!json_is_string(v))
        return false;
    const char *text = json_string_value(v);
    for (unsigned i = 0; i < desc->n_values; i++) {
        const char *label = mer__json_enum_label(desc, desc->values[i].value);
        if (!label || strlen(label) != strlen(text))
            continue;
        const char *p = text;
        while (*p && tolower((unsigned char)*label) == *p)
            p++, label++;
        if (!*p) {
            *out = desc->values[i].value;
            return true;
        }
    }
    return false;
}

static enum mer_json_fault read_bytes(const json_t *v, ProtobufCBinaryData *out)
{
    if (!json_is_string(v))
        return MER_JSON_BAD_FIELD;
    size_t room = json_string_length(v) + 1;
    uint8_t *data = mer_try_malloc(room);
    if (!data)
        return MER_JSON_NOMEM;
    if (mer_b64u_decode(json_string_value(v), json_string_length(v), data, room, &out->len) != MER_OK) {
        mer_free(&data);
        return MER_JSON_BAD_FIELD;
    }
    out->data = data;
    return MER_JSON_OK;
}

static enum mer_json_fault read_number(ProtobufCType type, const json_t *v, void *out)
{
    int64_t n = 0;
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        if (!read_integer(v, INT32_MIN, INT32_MAX, &n))
            return MER_JSON_BAD_FIELD;
        *(int32_t *)out = (int32_t)n;
        return MER_JSON_OK;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        if (!read_integer(v, 0, UINT32_MAX, &n))
            return MER_JSON_BAD_FIELD;
        *(uint32_t *)out = (uint32_t)n;
        return MER_JSON_OK;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        if (!read_integer(v, 0, MER_JSON_INT_MAX, &n))
            return MER_JSON_BAD_FIELD;
        *(uint64_t *)out = (uint64_t)n;
        return MER_JSON_OK;
    case PROTOBUF_C_TYPE_FLOAT:
        if (!json_is_number(v))
            return MER_JSON_BAD_FIELD;
        *(float *)out = (float)json_number_value(v);
        return MER_JSON_OK;
    case PROTOBUF_C_TYPE_DOUBLE:
        if (!json_is_number(v))
            return MER_JSON_BAD_FIELD;
        *(double *)out = json_number_value(v);
        return MER_JSON_OK;
    default: /* signed, 64 bits */
        if (!read_integer(v, -MER_JSON_INT_MAX, MER_JSON_INT_MAX, &n))
            return MER_JSON_BAD_FIELD;
        *(int64_t *)out = n;
        return MER_JSON_OK;
    }
}

static ProtobufCMessage *read_message(const ProtobufCMessageDescriptor *desc, json_t *v, const char *name, struct mer_json_error *err);

/* One value (an element where the field is repeated) to *out, which is zero before. */
static bool read_value(const ProtobufCFieldDescriptor *f, json_t *v, const char *name, void *out, struct mer_json_error *err)
{
    enum mer_json_fault fault = MER_JSON_OK;
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return (*(ProtobufCMessage **)out = read_message(f->descriptor, v, name, err)) != NULL;
    case PROTOBUF_C_TYPE_STRING:
        if (!json_is_string(v))
            fault = MER_JSON_BAD_FIELD;
        else if (!(*(char **)out = mer_try_strndup(json_string_value(v), json_string_length(v))))
            fault = MER_JSON_NOMEM;
        break;
    case PROTOBUF_C_TYPE_BYTES:
        fault = read_bytes(v, out);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        if (!json_is_boolean(v))
            fault = MER_JSON_BAD_FIELD;
        else
            *(protobuf_c_boolean *)out = json_is_true(v);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        if (!read_enum(f->descriptor, v, out))
            fault = MER_JSON_BAD_FIELD;
        break;
    default:
        fault = read_number(f->type, v, out);
    }
    return fault == MER_JSON_OK || fail(err, fault, name);
}

/* Room for n elements, all zero; nothing for none. */
static bool array_create(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t n, const char *name, struct mer_json_error *err)
{
    if (n == 0)
        return true;
    void *array = mer_try_calloc(n, mer__json_element_bytes(f->type));
    if (!array)
        return fail(err, MER_JSON_NOMEM, name);
    *(void **)((char *)m + f->offset) = array;
    return true;
}

static bool read_array(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, json_t *v, const char *name, struct mer_json_error *err)
{
    if (!json_is_array(v))
        return fail(err, MER_JSON_BAD_FIELD, name);
    if (!array_create(m, f, json_array_size(v), name, err))
        return false;
    size_t *count = (size_t *)((char *)m + f->quantifier_offset);
    char *array = *(char **)((char *)m + f->offset);
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!read_value(f, json_array_get(v, i), name, array + i * mer__json_element_bytes(f->type), err))
            return false;
        *count = i + 1;
    }
    return true;
}

static ProtobufCMessage *read_entry(const ProtobufCMessageDescriptor *desc, const char *key, json_t *v, const char *name,
                                    struct mer_json_error *err)
{
    const ProtobufCFieldDescriptor *value = &desc->fields[1];
    ProtobufCMessage *m = message_create(desc);
    char *copy = m ? mer_try_strdup(key) : NULL;
    if (copy)
        *(char **)((char *)m + desc->fields[0].offset) = copy;
    else
        fail(err, MER_JSON_NOMEM, name);
    if (!copy || !read_value(value, v, name, (char *)m + value->offset, err)) {
        protobuf_c_message_free_unpacked(m, NULL);
        return NULL;
    }
    if (value->label == PROTOBUF_C_LABEL_OPTIONAL && value->quantifier_offset)
        *(protobuf_c_boolean *)((char *)m + value->quantifier_offset) = true;
    return m;
}

static bool read_map(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, json_t *v, const char *name, struct mer_json_error *err)
{
    if (!json_is_object(v))
        return fail(err, MER_JSON_BAD_FIELD, name);
    if (!array_create(m, f, json_object_size(v), name, err))
        return false;
    size_t *count = (size_t *)((char *)m + f->quantifier_offset);
    ProtobufCMessage **array = *(ProtobufCMessage ***)((char *)m + f->offset);
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        if (!(array[*count] = read_entry(f->descriptor, key, member, name, err)))
            return false;
        (*count)++;
    }
    return true;
}

/* The field f of m out of the object. */
static bool read_field(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, json_t *object, struct mer_json_error *err)
{
    struct mer__json_name name;
    mer__json_name_of(f->name, &name);
    json_t *v = json_object_get(object, name.text);
    if (!v)
        return f->label != PROTOBUF_C_LABEL_REQUIRED || fail(err, MER_JSON_BAD_FIELD, name.text);
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return mer__json_is_map(f) ? read_map(m, f, v, name.text, err) : read_array(m, f, v, name.text, err);

    uint32_t *quantifier = (uint32_t *)((char *)m + f->quantifier_offset);
    if (mer__json_in_oneof(f) && *quantifier)
        return fail(err, MER_JSON_BAD_FIELD, name.text); /* a second member of the same oneof */
    if (!read_value(f, v, name.text, (char *)m + f->offset, err))
        return false;
    if (mer__json_in_oneof(f))
        *quantifier = f->id;
    else if (f->label == PROTOBUF_C_LABEL_OPTIONAL && f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
        *(protobuf_c_boolean *)quantifier = true;
    return true;
}

/* A message whose fields stand in the object, as they are. */
static ProtobufCMessage *read_plain(const ProtobufCMessageDescriptor *desc, json_t *object, struct mer_json_error *err)
{
    ProtobufCMessage *m = message_create(desc);
    if (!m) {
        fail(err, MER_JSON_NOMEM, "");
        return NULL;
    }
    for (unsigned i = 0; i < desc->n_fields; i++) {
        if (!read_field(m, &desc->fields[i], object, err)) {
            protobuf_c_message_free_unpacked(m, NULL);
            return NULL;
        }
    }
    return m;
}

/* Which case `type` names; NULL and *err when none. */
static const ProtobufCFieldDescriptor *read_type(const ProtobufCMessageDescriptor *desc, const json_t *object, struct mer_json_error *err)
{
    const json_t *type = json_object_get(object, "type");
    if (!json_is_string(type)) {
        fail(err, MER_JSON_BAD_FIELD, "type");
        return NULL;
    }
    const char *text = json_string_value(type);
    if (mer_id_is_plain(text, json_string_length(type), sizeof(err->type) - 1))
        snprintf(err->type, sizeof(err->type), "%s", text);
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(desc, text);
    if (!f || !mer__json_in_oneof(f)) {
        fail(err, MER_JSON_UNKNOWN_TYPE, "type");
        return NULL;
    }
    return f;
}

static ProtobufCMessage *read_envelope(const ProtobufCMessageDescriptor *desc, json_t *object, struct mer_json_error *err)
{
    const ProtobufCFieldDescriptor *body = read_type(desc, object, err);
    if (!body)
        return NULL;
    ProtobufCMessage *m = message_create(desc);
    if (!m) {
        fail(err, MER_JSON_NOMEM, "");
        return NULL;
    }
    ProtobufCMessage *inner = read_plain(body->descriptor, object, err);
    if (!inner)
        goto failed;
    *(ProtobufCMessage **)((char *)m + body->offset) = inner;
    *(uint32_t *)((char *)m + body->quantifier_offset) = body->id;
    for (unsigned i = 0; i < desc->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &desc->fields[i];
        if (mer__json_in_oneof(f) || protobuf_c_message_descriptor_get_field_by_name(body->descriptor, f->name))
            continue;
        if (!read_field(m, f, object, err))
            goto failed;
    }
    return m;
failed:
    protobuf_c_message_free_unpacked(m, NULL);
    return NULL;
}

static ProtobufCMessage *read_message(const ProtobufCMessageDescriptor *desc, json_t *v, const char *name, struct mer_json_error *err)
{
    if (!json_is_object(v)) {
        fail(err, MER_JSON_BAD_FIELD, name);
        return NULL;
    }
    return mer__json_is_envelope(desc) ? read_envelope(desc, v, err) : read_plain(desc, v, err);
}

ProtobufCMessage *mer_json_parse_within(const ProtobufCMessageDescriptor *desc, const struct mer_json_limits *limits, const char *text,
                                        size_t len, struct mer_json_error *err)
{
    *err = (struct mer_json_error){.fault = MER_JSON_OK};
    json_t *root = mer__json_load(text, len, limits, &err->fault);
    if (!root)
        return NULL;
    ProtobufCMessage *m = NULL;
    if (json_is_object(root))
        m = read_message(desc, root, "", err);
    else
        fail(err, MER_JSON_BAD, "");
    json_decref(root);
    return m;
}

ProtobufCMessage *mer_json_parse(const ProtobufCMessageDescriptor *desc, const char *text, size_t len, struct mer_json_error *err)
{
    return mer_json_parse_within(desc, &mer_json_limits_player, text, len, err);
}
