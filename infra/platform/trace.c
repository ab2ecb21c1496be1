/* SPDX-License-Identifier: Apache-2.0
 * trace.c - trace.h. A finished span is written at once as what will be sent, so that nothing of it has to be kept: the buffer of spans is
 * the half of the next request (OTLP 1.x, JSON form: opentelemetry.io/docs/specs/otlp; ids are hex, 64-bit numbers strings).
 *
 * Time: OTLP wants the wall clock in nanoseconds, the injected one knows milliseconds. What has to be added to the monotonic clock is
 * measured once, at the moment a millisecond begins, and stays the same, so that spans of a process lie within each other as they did;
 * unless the wall clock was set.
 *
 * Next: trace_export.c. */
#include "meridian/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/json.h>

enum {
    SAMPLED = 1,
    QUICK_US = 500,        /* two readings of clocks without an interruption between */
    WALL_SLACK_US = 2000,  /* more than a cut millisecond and that */
    CALIBRATIONS = 100000, /* at most; two milliseconds are far fewer */
};

/* ---- contexts ------------------------------------------------------------------------------------------------------------------------ */

static bool is_zero(const uint8_t *data, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= data[i];
    return any == 0;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(const char *text, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool mer_trace_parse(const char *text, struct mer_trace_context *out)
{
    enum { LENGTH = 55, TRACE = 3, SPAN = 36, FLAGS = 53 };
    struct mer_trace_context c;
    uint8_t version, flags;
    size_t len = strnlen(text, LENGTH + 1);
    if (len < LENGTH || text[TRACE - 1] != '-' || text[SPAN - 1] != '-' || text[FLAGS - 1] != '-')
        return false;
    if (!from_hex(text, &version, 1) || version == 0xff || !from_hex(text + FLAGS, &flags, 1))
        return false;
    if (len > LENGTH && (version == 0 || text[LENGTH] != '-'))
        return false;
    if (!from_hex(text + TRACE, c.trace, sizeof c.trace) || !from_hex(text + SPAN, c.span, sizeof c.span))
        return false;
    if (is_zero(c.trace, sizeof c.trace) || is_zero(c.span, sizeof c.span))
        return false;
    *out = c;
    return true;
}

void mer_trace_pack(const struct mer_trace_context *c, uint8_t out[MER_TRACE_BYTES])
{
    memcpy(out, c->trace, sizeof c->trace);
    memcpy(out + sizeof c->trace, c->span, sizeof c->span);
    out[MER_TRACE_BYTES - 1] = SAMPLED;
}

bool mer_trace_unpack(const uint8_t *data, size_t len, struct mer_trace_context *out)
{
    if (len != MER_TRACE_BYTES || !(data[MER_TRACE_BYTES - 1] & SAMPLED) || is_zero(data, sizeof out->trace) ||
        is_zero(data + sizeof out->trace, sizeof out->span))
        return false;
    memcpy(out->trace, data, sizeof out->trace);
    memcpy(out->span, data + sizeof out->trace, sizeof out->span);
    return true;
}

bool mer_trace_put(const struct mer_trace_context *of, uint8_t bytes[MER_TRACE_BYTES], ProtobufCBinaryData *trace)
{
    if (of == NULL)
        return false;
    mer_trace_pack(of, bytes);
    *trace = (ProtobufCBinaryData){MER_TRACE_BYTES, bytes};
    return true;
}

const struct mer_trace_context *mer_trace_get(bool has, const ProtobufCBinaryData *trace, struct mer_trace_context *out)
{
    return has && mer_trace_unpack(trace->data, trace->len, out) ? out : NULL;
}

bool mer_trace_endpoint_parse(struct mer_trace_endpoint *out, const char *url)
{
    static const char scheme[] = "http://";
    if (strncmp(url, scheme, strlen(scheme)) != 0)
        return false;
    const char *host = url + strlen(scheme), *path = host + strcspn(host, "/");
    size_t n = (size_t)(path - host), digits = 0;
    for (const char *p = url; *p != 0; p++)
        if (*p <= ' ' || *p > '~' || *p == '@' || *p == '?' || *p == '#')
            return false;
    while (digits < n && host[n - digits - 1] >= '0' && host[n - digits - 1] <= '9')
        digits++;
    if (digits == 0 || digits > 5 || n < digits + 2 || host[n - digits - 1] != ':' || n >= sizeof out->address ||
        strlen(path) >= sizeof out->path)
        return false;
    bool bracketed = host[0] == '[' && host[n - digits - 2] == ']';
    unsigned long port = strtoul(host + n - digits, NULL, 10);
    if (port == 0 || port > UINT16_MAX || (!bracketed && memchr(host, ':', n - digits - 1) != NULL))
        return false; /* nobody could be dialled there (stream.c) */
    snprintf(out->address, sizeof out->address, "%.*s", (int)n, host);
    snprintf(out->path, sizeof out->path, "%s", path[0] == 0 || path[1] == 0 ? "/v1/traces" : path);
    return true;
}

/* ---- spans --------------------------------------------------------------------------------------------------------------------------- */

static void some_id(struct mer_tracer *t, uint8_t *id, size_t len)
{
    do
        t->rng.fill(t->rng.ctx, id, len);
    while (is_zero(id, len));
}

void mer__span_begin(struct mer_tracer *t, const char *traceparent, uint64_t start_us, struct mer_span *out)
{
    struct mer_trace_context asked;
    if (t->per_million == 0 || mer_rng_below(&t->rng, MER_TRACE_MILLION) >= t->per_million)
        return;
    if (traceparent != NULL && mer_trace_parse(traceparent, &asked)) {
        memcpy(out->me.trace, asked.trace, sizeof asked.trace);
        memcpy(out->parent, asked.span, sizeof asked.span);
    } else {
        some_id(t, out->me.trace, sizeof out->me.trace);
        memset(out->parent, 0, sizeof out->parent);
    }
    some_id(t, out->me.span, sizeof out->me.span);
    out->start_us = start_us;
}

void mer__span_continue(struct mer_tracer *t, const struct mer_trace_context *parent, struct mer_span *out)
{
    memcpy(out->me.trace, parent->trace, sizeof parent->trace);
    memcpy(out->parent, parent->span, sizeof parent->span);
    some_id(t, out->me.span, sizeof out->me.span);
    out->start_us = t->clock.mono_us(t->clock.ctx);
}

void mer__lines_begin(struct mer_log_trace *scope, struct mer_log *l, const struct mer_trace_context *of)
{
    scope->log = l;
    scope->outer = l->trace;
    l->trace = of != NULL ? scope : NULL;
    if (of == NULL)
        return;
    memcpy(scope->trace, of->trace, sizeof scope->trace);
    memcpy(scope->span, of->span, sizeof scope->span);
}

/* ---- as JSON ------------------------------------------------------------------------------------------------------------------------- */

/* false: interrupted, so that it says nothing. */
static bool measure(const struct mer_tracer *t, uint64_t *wall_ms, uint64_t *offset_us)
{
    uint64_t before_us = t->clock.mono_us(t->clock.ctx);
    *wall_ms = t->clock.wall_ms(t->clock.ctx);
    *offset_us = *wall_ms * 1000 - before_us;
    return t->clock.mono_us(t->clock.ctx) - before_us < QUICK_US;
}

/* The wall clock is cut: the greatest difference within two of its milliseconds is the right one. */
static void calibrate(struct mer_tracer *t)
{
    uint64_t first_ms = t->clock.wall_ms(t->clock.ctx), wall_ms, offset_us;
    for (unsigned i = 0; i < CALIBRATIONS; i++) {
        bool quick = measure(t, &wall_ms, &offset_us);
        if (quick && offset_us > t->wall_us)
            t->wall_us = offset_us;
        if (quick && wall_ms - first_ms >= 2)
            return;
    }
}

static uint64_t wall_offset_us(struct mer_tracer *t)
{
    uint64_t wall_ms, seen;
    if (measure(t, &wall_ms, &seen) && (seen > t->wall_us + WALL_SLACK_US || seen + WALL_SLACK_US < t->wall_us))
        t->wall_us = seen;
    return t->wall_us;
}

static void to_hex(const uint8_t *id, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[id[i] >> 4];
        out[2 * i + 1] = digits[id[i] & 15];
    }
    out[2 * len] = 0;
}

/* A quoted text, cut between characters. */
static enum mer_err put_text(struct mer_buf *b, const char *text)
{
    size_t len = strnlen(text, MER_TRACE_TEXT_MAX);
    if (len == MER_TRACE_TEXT_MAX)
        while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
            len--;
    return mer_json_write_string(text, len, b);
}

static enum mer_err put_attrs(struct mer_buf *b, const struct mer_span_attr *attr, size_t count)
{
    enum mer_err err = mer_buf_appends(b, "\"attributes\":[");
    bool first = true;
    for (size_t i = 0; i < count && err == MER_OK; i++) {
        if (attr[i].text == NULL)
            continue;
        err = mer_buf_appendf(b, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":", first ? "" : ",", attr[i].key);
        if (err == MER_OK)
            err = put_text(b, attr[i].text);
        if (err == MER_OK)
            err = mer_buf_appends(b, "}}");
        first = false;
    }
    return err == MER_OK ? mer_buf_appends(b, "]") : err;
}

static enum mer_err put_span(struct mer_tracer *t, const struct mer_span *s, const struct mer_span_end *e)
{
    struct mer_buf *b = &t->pending;
    char trace[33], span[17], parent[17];
    uint64_t now_us = t->clock.mono_us(t->clock.ctx), wall_us = wall_offset_us(t);
    to_hex(s->me.trace, sizeof s->me.trace, trace);
    to_hex(s->me.span, sizeof s->me.span, span);
    to_hex(s->parent, sizeof s->parent, parent);
    enum mer_err err = mer_buf_appendf(b, "%s{\"traceId\":\"%s\",\"spanId\":\"%s\",", b->len > 0 ? "," : "", trace, span);
    if (err == MER_OK && !is_zero(s->parent, sizeof s->parent))
        err = mer_buf_appendf(b, "\"parentSpanId\":\"%s\",", parent);
    if (err == MER_OK)
        err = mer_buf_appendf(b, "\"name\":\"%s\",\"kind\":%d,\"startTimeUnixNano\":\"%llu000\",\"endTimeUnixNano\":\"%llu000\",", e->name,
                              (int)e->kind, (unsigned long long)(s->start_us + wall_us), (unsigned long long)(now_us + wall_us));
    if (err == MER_OK)
        err = put_attrs(b, e->attr, MER_SPAN_ATTRS);
    if (err == MER_OK && e->error != NULL) {
        err = mer_buf_appends(b, ",\"status\":{\"code\":2,\"message\":");
        if (err == MER_OK)
            err = put_text(b, e->error);
        if (err == MER_OK)
            err = mer_buf_appends(b, "}");
    }
    return err == MER_OK ? mer_buf_appends(b, "}") : err;
}

void mer__span_finish(struct mer_tracer *t, const struct mer_span *s, const struct mer_span_end *e)
{
    size_t before = t->pending.len;
    if (put_span(t, s, e) != MER_OK) {
        t->pending.len = before;
        t->values[MER_TRACE_DROPPED]++;
        return;
    }
    t->spans++;
    if (t->recorded != NULL)
        t->recorded(t->ctx);
}

uint32_t mer_tracer_take(struct mer_tracer *t, const struct mer_span_attr *resource, size_t count, struct mer_buf *out)
{
    size_t before = out->len;
    uint32_t spans = t->spans;
    if (spans == 0)
        return 0;
    enum mer_err err = mer_buf_appends(out, "{\"resourceSpans\":[{\"resource\":{");
    if (err == MER_OK)
        err = put_attrs(out, resource, count);
    if (err == MER_OK)
        err = mer_buf_appends(out, "},\"scopeSpans\":[{\"scope\":{\"name\":\"meridian\"},\"spans\":[");
    if (err == MER_OK)
        err = mer_buf_append(out, t->pending.data, t->pending.len);
    if (err == MER_OK)
        err = mer_buf_appends(out, "]}]}]}");
    if (err != MER_OK) {
        out->len = before;
        return 0;
    }
    mer_buf_clear(&t->pending);
    t->spans = 0;
    return spans;
}

void mer_tracer_init(struct mer_tracer *t, struct mer_clock clock, struct mer_rng rng, uint32_t per_million)
{
    *t = (struct mer_tracer){.clock = clock, .rng = rng, .per_million = per_million};
    mer_buf_init(&t->pending, MER_TRACE_BUFFER);
    calibrate(t);
}

void mer_tracer_deinit(struct mer_tracer *t)
{
    mer_buf_deinit(&t->pending);
}
