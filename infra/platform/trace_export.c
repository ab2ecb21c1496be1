/* SPDX-License-Identifier: Apache-2.0
 * trace_export.c - trace_export.h. One connection a request: at one request a second keeping them would save nothing, and the end of an
 * answer need not be found. What is read of it is the status alone.
 *
 * Every exchange ends in on_close, whatever ended it. Timer: IDLE: the next batch, or a backoff; SENDING: too late. Owner: the app. */
#include "meridian/trace_export.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>
#include <meridian/stream.h>

enum { HEAD_MAX = 1024, ANSWER_MAX = 256, RESOURCE_MAX = 4096, BODY_MAX = MER_TRACE_BUFFER + RESOURCE_MAX };

#define SPANS(result) \
    { \
        "meridian_trace_spans_total", "finished spans, by what became of them", MER_COUNTER, "result=\"" result "\"" \
    }
#define EXPORTS(result) \
    { \
        "meridian_trace_exports_total", "requests to the receiver of traces, by result", MER_COUNTER, "result=\"" result "\"" \
    }
static const struct mer_metric_def metrics[MER_TRACE_METRICS] = {
    [MER_TRACE_SENT] = SPANS("sent"),
    [MER_TRACE_DROPPED] = SPANS("dropped"),
    [MER_TRACE_REFUSED] = SPANS("refused"),
    [MER_TRACE_EXPORTS_OK] = EXPORTS("ok"),
    [MER_TRACE_EXPORTS_FAILED] = EXPORTS("failed"),
    [MER_TRACE_EXPORTS_REFUSED] = EXPORTS("refused"),
};

enum state { IDLE, SENDING, CLOSING };

struct mer_trace_export {
    struct mer_trace_export_conf c;
    struct mer_tracer tracer;
    struct mer_rng_seeded seeded;
    struct mer_trace_endpoint to;
    enum state state;
    bool destroying;
    struct mer_timer timer;
    struct mer_stream *stream; /* not IDLE */
    struct mer_buf body;       /* the batch that is being sent; empty: none */
    uint32_t spans;            /* in body */
    unsigned tries;            /* of body */
    unsigned failures;         /* since the last answer */
    char answer[ANSWER_MAX];
    size_t answered;
    char head[HEAD_MAX];
    struct mer_metric_set set;
};

/* ---- one exchange -------------------------------------------------------------------------------------------------------------------- */

/* 0: no whole status line came. */
static unsigned status_of(const struct mer_trace_export *e)
{
    unsigned status = 0;
    if (memchr(e->answer, '\n', e->answered) == NULL || sscanf(e->answer, "HTTP/1.%*1[01] %3u", &status) != 1)
        return 0;
    return status;
}

static void forget_batch(struct mer_trace_export *e, enum mer_trace_metric why)
{
    e->tracer.values[why] += e->spans;
    e->spans = 0;
    e->tries = 0;
    mer_buf_clear(&e->body);
}

static uint64_t backoff(struct mer_trace_export *e)
{
    uint64_t wait = (uint64_t)MER_TRACE_BACKOFF_MIN_MS << (e->failures < 6 ? e->failures - 1 : 5);
    return wait < MER_TRACE_BACKOFF_MAX_MS ? wait : MER_TRACE_BACKOFF_MAX_MS;
}

static void judge(struct mer_trace_export *e, const char *why)
{
    unsigned status = status_of(e);
    bool failed = status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
    if (failed) {
        e->tracer.values[MER_TRACE_EXPORTS_FAILED]++;
        if (e->failures++ == 0)
            MER_LOG(e->c.log, MER_WARN, "trace.export_failed", KV_STR("to", e->to.address), KV_U64("status", status), KV_STR("why", why));
        if (++e->tries >= MER_TRACE_TRIES)
            forget_batch(e, MER_TRACE_DROPPED);
        mer_loop_arm(e->c.loop, &e->timer, backoff(e));
        return;
    }
    bool taken = status / 100 == 2;
    if (e->failures > 0)
        MER_LOG(e->c.log, MER_INFO, "trace.export", KV_STR("to", e->to.address), KV_U64("status", status));
    e->failures = 0;
    e->tracer.values[taken ? MER_TRACE_EXPORTS_OK : MER_TRACE_EXPORTS_REFUSED]++;
    if (!taken)
        MER_LOG_RATE(e->c.log, MER_WARN, "trace.export_refused", KV_STR("to", e->to.address), KV_U64("status", status));
    forget_batch(e, taken ? MER_TRACE_SENT : MER_TRACE_REFUSED);
    if (e->tracer.spans > 0)
        mer_loop_arm(e->c.loop, &e->timer, e->tracer.spans >= MER_TRACE_BATCH ? 0 : MER_TRACE_PERIOD_MS);
}

static void release(struct mer_trace_export *e)
{
    mer_tracer_deinit(&e->tracer);
    mer_buf_deinit(&e->body);
    mer_free(&e);
}

static void on_close(void *ctx, enum mer_err why, const char *text)
{
    struct mer_trace_export *e = ctx;
    (void)why;
    e->stream = NULL;
    e->state = IDLE;
    mer_loop_disarm(e->c.loop, &e->timer);
    if (e->destroying)
        release(e);
    else
        judge(e, text);
}

static void end(struct mer_trace_export *e)
{
    if (e->state != SENDING)
        return;
    e->state = CLOSING;
    mer_stream_close(e->stream);
}

static void on_open(void *ctx)
{
    (void)ctx;
}

static void on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct mer_trace_export *e = ctx;
    size_t room = sizeof e->answer - 1 - e->answered, n = len < room ? len : room;
    if (e->state != SENDING)
        return;
    memcpy(e->answer + e->answered, data, n);
    e->answered += n;
    e->answer[e->answered] = 0;
    if (memchr(e->answer, '\n', e->answered) != NULL || e->answered == sizeof e->answer - 1)
        end(e);
}

static const struct mer_stream_cbs cbs = {on_open, on_data, on_close};

static void send_batch(struct mer_trace_export *e)
{
    struct mer_stream_conf sc = {.loop = e->c.loop, .cbs = &cbs, .ctx = e, .write_limit_bytes = HEAD_MAX + BODY_MAX};
    int head =
        snprintf(e->head, sizeof e->head,
                 "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                 e->to.path, e->to.address, e->body.len);
    e->answered = 0;
    e->answer[0] = 0;
    if (mer_stream_connect(&e->stream, &sc, e->to.address) != MER_OK) {
        e->stream = NULL;
        judge(e, "no connection could be begun");
        return;
    }
    e->state = SENDING;
    mer_loop_arm(e->c.loop, &e->timer, MER_TRACE_TIMEOUT_MS);
    if (mer_stream_write(e->stream, e->head, (size_t)head) != MER_OK || mer_stream_write(e->stream, e->body.data, e->body.len) != MER_OK)
        end(e);
}

/* ---- when ---------------------------------------------------------------------------------------------------------------------------- */

static void on_timer(struct mer_timer *t)
{
    struct mer_trace_export *e = MER_CONTAINER_OF(t, struct mer_trace_export, timer);
    const struct mer_span_attr resource[] = {{"service.name", e->c.service},
                                             {"service.namespace", "meridian"},
                                             {"service.instance.id", e->c.log->process},
                                             {"cloud.region", e->c.log->region}};
    if (e->state != IDLE) {
        end(e);
        return;
    }
    if (e->body.len == 0)
        e->spans = mer_tracer_take(&e->tracer, resource, MER_COUNT(resource), &e->body);
    if (e->spans > 0)
        send_batch(e);
    else if (e->tracer.spans > 0) /* no memory for it now */
        mer_loop_arm(e->c.loop, &e->timer, MER_TRACE_PERIOD_MS);
}

/* While a batch is being sent nothing is armed for the next; a backoff is not cut short. */
static void on_recorded(void *ctx)
{
    struct mer_trace_export *e = ctx;
    if (e->state != IDLE || e->destroying)
        return;
    if (!mer_timer_armed(&e->timer))
        mer_loop_arm(e->c.loop, &e->timer, MER_TRACE_PERIOD_MS);
    else if (e->tracer.spans == MER_TRACE_BATCH && e->failures == 0)
        mer_loop_arm(e->c.loop, &e->timer, 0);
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

enum mer_err mer_trace_open(struct mer_trace_export **out, const struct mer_trace_export_conf *conf)
{
    struct mer_trace_endpoint to;
    if (!mer_trace_endpoint_parse(&to, conf->endpoint))
        return MER_EINVALID;
    struct mer_trace_export *e = mer_try_calloc(1, sizeof *e);
    if (e == NULL)
        return MER_ENOMEM;
    e->c = *conf;
    e->to = to;
    mer_tracer_init(&e->tracer, conf->loop->clock, mer_rng_seed(&e->seeded, mer_rng_u64(&conf->rng)), conf->per_million);
    e->tracer.recorded = on_recorded;
    e->tracer.ctx = e;
    mer_buf_init(&e->body, BODY_MAX);
    mer_timer_init(&e->timer, on_timer);
    if (conf->metrics != NULL)
        mer_metrics_add(conf->metrics, &e->set, metrics, MER_TRACE_METRICS, e->tracer.values);
    *out = e;
    return MER_OK;
}

struct mer_tracer *mer_trace_tracer(struct mer_trace_export *e)
{
    return e == NULL ? NULL : &e->tracer;
}

void mer_trace_close(struct mer_trace_export *e)
{
    if (e == NULL)
        return;
    e->destroying = true;
    mer_loop_disarm(e->c.loop, &e->timer);
    if (e->c.metrics != NULL)
        mer_metrics_remove(&e->set);
    if (e->state == IDLE)
        release(e);
    else
        end(e); /* on_close releases */
}
