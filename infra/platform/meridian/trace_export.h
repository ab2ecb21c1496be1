/* SPDX-License-Identifier: Apache-2.0
 * trace_export.h - sends finished spans to a receiver: OTLP over HTTP/1.1, JSON, POST to /v1/traces, as the OpenTelemetry collector and
 * Jaeger take it. Every second, or as soon as there are 512; one request at a time; never waits for anything but the loop.
 *
 *   IDLE --a second, 512 spans--> SENDING --answer, closed, 5 s--> CLOSING --2xx, or refused, or third failure--> IDLE
 *                                    ^                                |
 *                                    +------ backoff <----------------+ failed, 429, 502, 503, 504
 *
 * A receiver that is gone costs one attempt every 30 s at most; what finds no room meanwhile is dropped and counted. */
#pragma once

#include <meridian/log.h>
#include <meridian/loop.h>
#include <meridian/trace.h>

struct mer_trace_export;

enum {
    MER_TRACE_PERIOD_MS = 1000,
    MER_TRACE_BATCH = 512,
    MER_TRACE_TIMEOUT_MS = 5000,
    MER_TRACE_TRIES = 3, /* of one batch */
    MER_TRACE_BACKOFF_MIN_MS = 1000,
    MER_TRACE_BACKOFF_MAX_MS = 30000,
};

struct mer_trace_export_conf {
    struct mer_loop *loop;
    struct mer_log *log;         /* also tells process and region */
    struct mer_metrics *metrics; /* NULL: none */
    struct mer_rng rng;          /* seeds the one of ids */
    const char *endpoint;        /* mer_trace_endpoint_parse */
    const char *service;         /* "meridian-edge"; kept */
    uint32_t per_million;        /* of what may begin a trace */
};

/* MER_EINVALID: no such endpoint. */
MER_MUST_CHECK enum mer_err mer_trace_open(struct mer_trace_export **out, const struct mer_trace_export_conf *conf);
/* NULL for NULL: this process does not trace. */
struct mer_tracer *mer_trace_tracer(struct mer_trace_export *e);
/* What has not been sent is gone. Memory goes when its handles are closed; NULL does nothing. */
void mer_trace_close(struct mer_trace_export *e);
