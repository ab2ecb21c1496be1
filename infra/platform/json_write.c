/* SPDX-License-Identifier: Apache-2.0
 * json_write.c - protobuf-c messages to JSON text.
 *
 * Why no tree: this runs once for each message sent. Text goes straight into the buffer; a failure in the middle is remembered in the
 * writer, later writes do nothing, and the buffer is cut back at the end.
 * Next: json.c (the way in), json_check.c. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json_internal.h"
#include <meridian/id.h>

struct writer {
    struct mer_buf *out;
    enum mer_err err;
    size_t depth;
};

static void put(struct writer *w, const char *s, size_t n)
{
    struct mer_buf *b = w->out;
    if (w->err)
        return;
    if (b->cap - b->len < n || (b->limit && b->len + n > b->limit)) {
        w->err = mer_buf_reserve(b, n);
        if (w->err)
            return;
    }
    memcpy(b->data + b->len, s, n);
    b->len += n;
}

#define PUT(w, literal) put((w), literal, sizeof(literal) - 1)

static void refuse(struct writer *w)
{
    if (!w->err)
        w->err = MER_EINVALID;
}

/* What must not stand in a JSON string as it is. */
static void put_escaped(struct writer *w, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char *const known[32] = {['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
    if (c == '"' || c == '\\') {
        char text[2] = {'\\', (char)c};
        put(w, text, sizeof(text));
    } else if (c < 32 && known[c]) {
        put(w, known[c], 2);
    } else {
        char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        put(w, text, sizeof(text));
    }
}

static void put_string(struct writer *w, const char *s, size_t n)
{
    size_t run = 0;
    bool ascii = true;
    PUT(w, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        ascii &= c < 0x80;
        if (c >= 32 && c != '"' && c != '\\')
            continue;
        put(w, s + run, i - run);
        put_escaped(w, c);
        run = i + 1;
    }
    if (run < n)
        put(w, s + run, n - run);
    PUT(w, "\"");
    if (!ascii && !mer_utf8_valid(s, n))
        refuse(w);
}

static void put_unsigned(struct writer *w, uint64_t v)
{
    char text[20]; /* 2^64 has 20 digits */
    size_t at = sizeof(text);
    if (v > (uint64_t)MER_JSON_INT_MAX)
        refuse(w);
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    put(w, text + at, sizeof(text) - at);
}

static void put_signed(struct writer *w, int64_t v)
{
    if (v < 0)
        PUT(w, "-");
    put_unsigned(w, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* `digits` make the number read back as it was. */
static void put_real(struct writer *w, double v, int digits)
{
    char text[32];
    if (!isfinite(v) || fabs(v) > (double)MER_JSON_INT_MAX)
        refuse(w);
    int n = snprintf(text, sizeof(text), "%.*g", digits, v);
    put(w, text, (size_t)n);
}

static void put_enum(struct writer *w, const ProtobufCEnumDescriptor *desc, int value)
{
    const char *label = mer__json_enum_label(desc, value);
    if (!label) {
        refuse(w);
        return;
    }
    PUT(w, "\"");
    for (; *label; label++) {
        char c = (char)tolower((unsigned char)*label);
        put(w, &c, 1);
    }
    PUT(w, "\"");
}

static void put_bytes(struct writer *w, const ProtobufCBinaryData *v)
{
    size_t n = mer_b64u_len(v->len);
    PUT(w, "\"");
    if (!w->err && (w->err = mer_buf_reserve(w->out, n + 1)) == MER_OK) { /* +1: the encoder terminates */
        mer_b64u_encode(v->data, v->len, (char *)w->out->data + w->out->len);
        w->out->len += n;
    }
    PUT(w, "\"");
}

static void put_message(struct writer *w, const ProtobufCMessage *m);

static void put_value(struct writer *w, const ProtobufCFieldDescriptor *f, const void *at)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        put_message(w, *(ProtobufCMessage *const *)at);
        return;
    case PROTOBUF_C_TYPE_STRING: {
        const char *s = *(const char *const *)at;
        put_string(w, s ? s : "", s ? strlen(s) : 0);
        return;
    }
    case PROTOBUF_C_TYPE_BYTES:
        put_bytes(w, at);
        return;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(w, f->descriptor, *(const int *)at);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        if (*(const protobuf_c_boolean *)at)
            PUT(w, "true");
        else
            PUT(w, "false");
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        put_unsigned(w, *(const uint32_t *)at);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        put_unsigned(w, *(const uint64_t *)at);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        put_real(w, (double)*(const float *)at, 9);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        put_real(w, *(const double *)at, 17);
        return;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        put_signed(w, *(const int32_t *)at);
        return;
    default:
        put_signed(w, *(const int64_t *)at);
    }
}

size_t mer__json_values_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const void **at)
{
    const char *quantifier = (const char *)m + f->quantifier_offset;
    *at = (const char *)m + f->offset;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        *at = *(const void *const *)*at;
        return *(const size_t *)quantifier;
    }
    if (mer__json_in_oneof(f))
        return *(const uint32_t *)quantifier == f->id;
    if (f->label == PROTOBUF_C_LABEL_REQUIRED)
        return 1;
    if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE) {
        const void *p = *(const void *const *)*at;
        return p != NULL && p != f->default_value;
    }
    return *(const protobuf_c_boolean *)quantifier != 0;
}

static void put_map(struct writer *w, const ProtobufCMessage *const *entries, size_t n)
{
    PUT(w, "{");
    for (size_t i = 0; i < n; i++) {
        const ProtobufCFieldDescriptor *f = entries[i]->descriptor->fields;
        if (i)
            PUT(w, ",");
        put_value(w, &f[0], (const char *)entries[i] + f[0].offset);
        PUT(w, ":");
        put_value(w, &f[1], (const char *)entries[i] + f[1].offset);
    }
    PUT(w, "}");
}

static void put_array(struct writer *w, const ProtobufCFieldDescriptor *f, const char *at, size_t n)
{
    size_t step = mer__json_element_bytes(f->type);
    PUT(w, "[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            PUT(w, ",");
        put_value(w, f, at + i * step);
    }
    PUT(w, "]");
}

static void put_field(struct writer *w, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, bool *first)
{
    const void *at;
    size_t n = mer__json_values_of(m, f, &at);
    if (n == 0 && f->label != PROTOBUF_C_LABEL_REPEATED)
        return;
    struct mer__json_name name;
    mer__json_name_of(f->name, &name);
    if (*first)
        PUT(w, "\"");
    else
        PUT(w, ",\"");
    *first = false;
    put(w, name.text, name.len);
    PUT(w, "\":");
    if (mer__json_is_map(f))
        put_map(w, at, n);
    else if (f->label == PROTOBUF_C_LABEL_REPEATED)
        put_array(w, f, at, n);
    else
        put_value(w, f, at);
}

static const ProtobufCFieldDescriptor *case_of(const ProtobufCMessage *m)
{
    const void *at;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        if (mer__json_in_oneof(f) && mer__json_values_of(m, f, &at))
            return f;
    }
    return NULL;
}

static void put_envelope(struct writer *w, const ProtobufCMessage *m)
{
    const ProtobufCFieldDescriptor *body = case_of(m);
    const ProtobufCMessage *inner = body ? *(ProtobufCMessage *const *)((const char *)m + body->offset) : NULL;
    bool first = false;
    if (!inner) {
        refuse(w);
        return;
    }
    PUT(w, "{\"type\":\"");
    put(w, body->name, strlen(body->name));
    PUT(w, "\"");
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        if (!mer__json_in_oneof(f) && !protobuf_c_message_descriptor_get_field_by_name(body->descriptor, f->name))
            put_field(w, m, f, &first);
    }
    for (unsigned i = 0; i < inner->descriptor->n_fields; i++)
        put_field(w, inner, &inner->descriptor->fields[i], &first);
    PUT(w, "}");
}

static void put_message(struct writer *w, const ProtobufCMessage *m)
{
    bool first = true;
    if (!m || w->depth >= mer_json_limits_server.depth) {
        refuse(w);
        return;
    }
    w->depth++;
    if (mer__json_is_envelope(m->descriptor)) {
        put_envelope(w, m);
    } else {
        PUT(w, "{");
        for (unsigned i = 0; i < m->descriptor->n_fields; i++)
            put_field(w, m, &m->descriptor->fields[i], &first);
        PUT(w, "}");
    }
    w->depth--;
}

enum mer_err mer_json_write(const ProtobufCMessage *msg, struct mer_buf *out)
{
    struct writer w = {.out = out};
    size_t before = out->len;
    put_message(&w, msg);
    if (w.err)
        out->len = before;
    return w.err;
}

enum mer_err mer_json_write_string(const char *s, size_t len, struct mer_buf *out)
{
    struct writer w = {.out = out};
    size_t before = out->len;
    put_string(&w, s, len);
    if (w.err)
        out->len = before;
    return w.err;
}
