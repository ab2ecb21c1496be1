/* SPDX-License-Identifier: Apache-2.0
 * log.c - one line, one write(2).
 *
 * A line is built on the stack and is at most 4,096 bytes, because that is what a pipe takes whole or not at all: a reader never sees half
 * a line, and a dead or slow reader costs us the line, never a stall (F54). Everything of others is escaped here, in one place: quotes,
 * control characters, and bytes that are no UTF-8.
 *
 * Invariant: out->len <= LINE_BYTES - TAIL_BYTES until line_end, so the end always fits. */
#include <meridian/log.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <meridian/id.h>

enum { LINE_BYTES = 4096, TAIL_BYTES = 64, VALUE_BYTES = 512 };

static const struct mer_bucket_rate peer_rate = {.per_second = 20, .burst = 100};
static const char *const level_names[] = {"error", "warn", "info", "debug"};

struct line {
    size_t len;
    bool cut;
    char text[LINE_BYTES];
};

void mer_log_init(struct mer_log *l, int fd, enum mer_level level, struct mer_clock clock)
{
    struct stat st;
    int flags;

    memset(l, 0, sizeof(*l));
    l->fd = fd;
    l->level = level;
    l->clock = clock;
    mer_bucket_init(&l->peer, peer_rate, mer_clock_mono_ms(&clock));
    /* a terminal is left alone: the flag would stay on the user's shell */
    if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) && (flags = fcntl(fd, F_GETFL)) >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void put(struct line *out, const char *s, size_t n)
{
    if (out->cut || n > LINE_BYTES - TAIL_BYTES - out->len) {
        out->cut = true;
        return;
    }
    memcpy(out->text + out->len, s, n);
    out->len += n;
}

MER_PRINTF(2, 3) static void putf(struct line *out, const char *fmt, ...)
{
    char text[128];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n > 0)
        put(out, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void put_escaped(struct line *out, const char *s)
{
    size_t n = strnlen(s, VALUE_BYTES);

    put(out, "\"", 1);
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        size_t step = mer_utf8_step(s + i, n - i);
        if (step == 0)
            put(out, "\\ufffd", 6);
        else if (c == '"' || c == '\\')
            putf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            putf(out, "\\u%04x", c);
        else
            put(out, s + i, step);
        i += step ? step : 1;
    }
    put(out, "\"", 1);
}

static void put_value(struct line *out, const struct mer_kv *kv)
{
    switch (kv->type) {
    case MER_KV_STR:
        if (kv->v.s)
            put_escaped(out, kv->v.s);
        else
            put(out, "null", 4);
        break;
    case MER_KV_U64:
        putf(out, "%llu", (unsigned long long)kv->v.u);
        break;
    case MER_KV_I64:
        putf(out, "%lld", (long long)kv->v.i);
        break;
    case MER_KV_BOOL:
        putf(out, "%s", kv->v.u ? "true" : "false");
        break;
    case MER_KV_F64:
        if (isfinite(kv->v.f))
            putf(out, "%.6g", kv->v.f);
        else
            put(out, "null", 4);
        break;
    }
}

/* A field that does not fit is left out whole, with all that follow. */
static void put_field(struct line *out, const struct mer_kv *kv)
{
    size_t before = out->len;

    put(out, ",", 1);
    put_escaped(out, kv->key);
    put(out, ":", 1);
    put_value(out, kv);
    if (out->cut)
        out->len = before;
}

static void put_hex(struct line *out, const char *key, const uint8_t *id, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    putf(out, ",\"%s\":\"", key);
    for (size_t i = 0; i < len; i++)
        put(out, (char[]){digits[id[i] >> 4], digits[id[i] & 15]}, 2);
    put(out, "\"", 1);
}

static void put_head(struct line *out, const struct mer_log *l, enum mer_level level, const char *event)
{
    uint64_t ms = mer_clock_wall_ms(&l->clock);
    time_t s = (time_t)(ms / 1000);
    struct tm tm;

    gmtime_r(&s, &tm);
    putf(out, "{\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03uZ\",\"level\":\"%s\"", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
         tm.tm_min, tm.tm_sec, (unsigned)(ms % 1000), level_names[level]);
    if (l->process[0])
        put_field(out, &KV_STR("process", l->process));
    if (l->region[0])
        put_field(out, &KV_STR("region", l->region));
    put_field(out, &KV_STR("event", event));
    if (l->trace) {
        put_hex(out, "trace_id", l->trace->trace, sizeof(l->trace->trace));
        put_hex(out, "span_id", l->trace->span, sizeof(l->trace->span));
    }
}

void mer_log_write(struct mer_log *l, enum mer_level level, bool peer_caused, const char *event, const struct mer_kv *kv, size_t count)
{
    struct line out;
    ssize_t written;

    if (level > l->level)
        return;
    if (peer_caused && !mer_bucket_take(&l->peer, peer_rate, mer_clock_mono_ms(&l->clock))) {
        l->peer_dropped++;
        return;
    }
    out.len = 0;
    out.cut = false;
    if (l->torn)
        put(&out, "\n", 1);
    put_head(&out, l, level, event);
    for (size_t i = 0; i < count; i++)
        put_field(&out, &kv[i]);
    /* the tail has its own room */
    out.len += (size_t)snprintf(out.text + out.len, TAIL_BYTES, "%s", out.cut ? ",\"cut\":true" : "");
    if (peer_caused && l->peer_dropped)
        out.len += (size_t)snprintf(out.text + out.len, TAIL_BYTES / 2, ",\"dropped\":%llu", (unsigned long long)l->peer_dropped);
    out.len += (size_t)snprintf(out.text + out.len, 3, "}\n");
    written = write(l->fd, out.text, out.len);
    if (written < 0 || (size_t)written < out.len) {
        l->torn = l->torn || written > 0;
        l->dropped++;
        return;
    }
    l->torn = false;
    l->lines++;
    if (peer_caused)
        l->peer_dropped = 0;
}
