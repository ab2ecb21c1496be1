/* SPDX-License-Identifier: Apache-2.0
 * trace.h - spans of a distributed trace (R37, decision 27): the context of W3C Trace Context level 1, sampling, and a bounded buffer of
 * finished spans in OTLP's JSON form, which trace_export.h sends away. Pure.
 *
 * A process that does not trace has no tracer (NULL), and every call here is one branch then. Only what is sampled is carried along: a span
 * that is not (start_us 0) costs nothing further, and none of its children is. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include <meridian/buf.h>
#include <meridian/clock.h>
#include <meridian/log.h>
#include <meridian/metric.h>
#include <meridian/rng.h>

enum {
    MER_TRACE_BYTES = 25,              /* between processes: trace id, span id, flags */
    MER_TRACE_BUFFER = 512 * 1024,     /* bytes of finished spans that may wait: about a thousand */
    MER_TRACE_MILLION = 1000000,       /* of which mer_tracer.per_million are traced */
    MER_TRACE_TEXT_MAX = 128,          /* bytes of an attribute or an error; what is longer is cut */
    MER_TRACE_ADDRESS_BYTES = 256 + 8, /* host:port */
};

struct mer_trace_context {
    uint8_t trace[16], span[8]; /* neither all zero */
};
struct mer_span {
    struct mer_trace_context me;
    uint8_t parent[8]; /* all zero: the trace begins here */
    uint64_t start_us; /* monotonic; 0: not traced */
};

/* As OTLP numbers them. */
enum mer_span_kind { MER_SPAN_INTERNAL = 1, MER_SPAN_SERVER, MER_SPAN_CLIENT, MER_SPAN_PRODUCER, MER_SPAN_CONSUMER };

struct mer_span_attr {
    const char *key, *text; /* text NULL: left out */
};
enum { MER_SPAN_ATTRS = 5 };
/* What a span turned out to be. */
struct mer_span_end {
    const char *name;
    enum mer_span_kind kind;
    const char *error; /* NULL: it went well */
    struct mer_span_attr attr[MER_SPAN_ATTRS];
};

enum mer_trace_metric {
    MER_TRACE_SENT,
    MER_TRACE_DROPPED,
    MER_TRACE_REFUSED,
    MER_TRACE_EXPORTS_OK,
    MER_TRACE_EXPORTS_FAILED,
    MER_TRACE_EXPORTS_REFUSED,
    MER_TRACE_METRICS
};
struct mer_tracer {
    struct mer_clock clock;
    struct mer_rng rng; /* of ids and of the sampling */
    uint32_t per_million;
    struct mer_buf pending;      /* finished spans, comma separated */
    uint32_t spans;              /* in pending */
    uint64_t wall_us;            /* what to add to the monotonic clock */
    void (*recorded)(void *ctx); /* after each span that was added; NULL: nobody cares */
    void *ctx;
    uint64_t values[MER_TRACE_METRICS];
};

/* Reads the clocks for two milliseconds: at start only. */
void mer_tracer_init(struct mer_tracer *t, struct mer_clock clock, struct mer_rng rng, uint32_t per_million);
void mer_tracer_deinit(struct mer_tracer *t);
/* Moves what is pending to the end of `out` as one whole ExportTraceServiceRequest; `resource`: attributes of this process. Returns how
 * many spans; 0: none were there, or no memory, and nothing has changed. */
MER_MUST_CHECK uint32_t mer_tracer_take(struct mer_tracer *t, const struct mer_span_attr *resource, size_t count, struct mer_buf *out);

void mer__span_begin(struct mer_tracer *t, const char *traceparent, uint64_t start_us, struct mer_span *out);
void mer__span_continue(struct mer_tracer *t, const struct mer_trace_context *parent, struct mer_span *out);
void mer__span_finish(struct mer_tracer *t, const struct mer_span *s, const struct mer_span_end *e);

static inline bool mer_span_on(const struct mer_span *s)
{
    return s->start_us != 0;
}
/* Where a trace may begin: whether it does is decided here, by the ratio and nobody else. traceparent (NULL: none): the trace of who
 * asked, which then goes on; one that is no such thing counts as none. start_us: when it began, monotonic. */
static inline void mer_span_begin(struct mer_tracer *t, const char *traceparent, uint64_t start_us, struct mer_span *out)
{
    out->start_us = 0;
    if (t != NULL)
        mer__span_begin(t, traceparent, start_us, out);
}
/* A part of `parent`, from now on; NULL: of nothing. */
static inline void mer_span_continue(struct mer_tracer *t, const struct mer_trace_context *parent, struct mer_span *out)
{
    out->start_us = 0;
    if (t != NULL && parent != NULL)
        mer__span_continue(t, parent, out);
}
/* It ends now. What finds no room is dropped and counted. Once a span: it is not marked. */
static inline void mer_span_finish(struct mer_tracer *t, const struct mer_span *s, const struct mer_span_end *e)
{
    if (t != NULL && mer_span_on(s))
        mer__span_finish(t, s, e);
}

static inline const struct mer_trace_context *mer_span_context(const struct mer_span *s)
{
    return mer_span_on(s) ? &s->me : NULL;
}

void mer__lines_begin(struct mer_log_trace *scope, struct mer_log *l, const struct mer_trace_context *of);
static inline void mer__lines_end(struct mer_log_trace *scope)
{
    if (scope->log != NULL)
        scope->log->trace = scope->outer;
}
/* From here to the end of the block lines of `log` are of that context, which is copied; NULL: of nobody's, also within another's block. */
#define MER_TRACE_LINES(log_, context_) MER__LINES(MER__LINES_NAME(__LINE__), log_, context_)
#define MER__LINES(name, log_, context_) \
    struct mer_log_trace name __attribute__((cleanup(mer__lines_end))); \
    mer_lines_begin(&name, (log_), (context_))
#define MER__LINES_NAME(line) MER__LINES_PASTE(mer_lines_, line)
#define MER__LINES_PASTE(a, b) a##b
static inline void mer_lines_begin(struct mer_log_trace *scope, struct mer_log *l, const struct mer_trace_context *of)
{
    scope->log = NULL;
    if (of != NULL || l->trace != NULL)
        mer__lines_begin(scope, l, of);
}

/* `traceparent` as browsers send it: 00-<32 hex>-<16 hex>-<2 hex>, lower case; of later versions what stands in these places. false: it is
 * none, and out is untouched. Its flags do not matter here. */
MER_MUST_CHECK bool mer_trace_parse(const char *text, struct mer_trace_context *out);
void mer_trace_pack(const struct mer_trace_context *c, uint8_t out[MER_TRACE_BYTES]);
/* What another process packed. false: it is none, or not sampled. */
MER_MUST_CHECK bool mer_trace_unpack(const uint8_t *data, size_t len, struct mer_trace_context *out);
/* The same as the `optional bytes trace` of a message: m.has_trace = mer_trace_put(of, bytes, &m.trace), which then points to bytes. of
 * NULL: it has none. */
MER_MUST_CHECK bool mer_trace_put(const struct mer_trace_context *of, uint8_t bytes[MER_TRACE_BYTES], ProtobufCBinaryData *trace);
/* ... and read: out, or NULL when none came, or what came is none. */
MER_MUST_CHECK const struct mer_trace_context *mer_trace_get(bool has, const ProtobufCBinaryData *trace, struct mer_trace_context *out);

/* http://HOST:PORT[/PATH], path /v1/traces when none is given. */
struct mer_trace_endpoint {
    char address[MER_TRACE_ADDRESS_BYTES];
    char path[256];
};
MER_MUST_CHECK bool mer_trace_endpoint_parse(struct mer_trace_endpoint *out, const char *url);
