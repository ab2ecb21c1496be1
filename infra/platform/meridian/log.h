/* SPDX-License-Identifier: Apache-2.0
 * log.h - structured log: one JSON object a line (R37), `ts`, `level`, `event` (noun.verb), then typed fields; process, region and, while
 * something traced is handled, its ids are added by the logger. No token, message text or card in any log (C16). Lines caused by peers go
 * through MER_LOG_RATE. Never blocks: a line that the descriptor (pipes and sockets are made non-blocking) does not take is dropped and
 * counted. errno is not kept. */
#pragma once

#include <stdio.h>

#include <meridian/bucket.h>
#include <meridian/clock.h>

enum mer_level { MER_ERROR, MER_WARN, MER_INFO, MER_DEBUG };

enum mer_kv_type { MER_KV_STR, MER_KV_U64, MER_KV_I64, MER_KV_BOOL, MER_KV_F64 };
struct mer_kv {
    const char *key;
    enum mer_kv_type type;
    union {
        const char *s; /* escaped; NULL is null; cut at 512 bytes */
        uint64_t u;
        int64_t i;
        double f;
    } v;
};
#define KV_STR(k, x) ((struct mer_kv){.key = (k), .type = MER_KV_STR, .v.s = (x)})
#define KV_U64(k, x) ((struct mer_kv){.key = (k), .type = MER_KV_U64, .v.u = (x)})
#define KV_I64(k, x) ((struct mer_kv){.key = (k), .type = MER_KV_I64, .v.i = (x)})
#define KV_F64(k, x) ((struct mer_kv){.key = (k), .type = MER_KV_F64, .v.f = (x)})
#define KV_BOOL(k, x) ((struct mer_kv){.key = (k), .type = MER_KV_BOOL, .v.u = (x) ? 1 : 0})

/* Whose doing it is that lines are written (trace.h, MER_TRACE_LINES). Lives on the stack of who handles it. */
struct mer_log_trace {
    uint8_t trace[16], span[8];
    struct mer_log *log; /* NULL: nothing was entered */
    const struct mer_log_trace *outer;
};

struct mer_log {
    int fd;
    enum mer_level level;
    struct mer_clock clock;
    char process[96]; /* "us-east-1.k3j9x2" */
    char region[32];
    const struct mer_log_trace *trace; /* every line has its ids; NULL: what is being handled is not traced */
    uint64_t lines, dropped;
    struct mer_bucket peer; /* budget of peer-caused lines: 20/s, burst 100 */
    uint64_t peer_dropped;  /* told as "dropped" with the next peer-caused line that gets through */
    bool torn;              /* half a line went out (disk full): the next one begins on a new line */
};

void mer_log_init(struct mer_log *l, int fd, enum mer_level level, struct mer_clock clock);
void mer_log_write(struct mer_log *l, enum mer_level level, bool peer_caused, const char *event, const struct mer_kv *kv, size_t count);

#define MER_LOG(l, lvl, event, ...) \
    do { \
        if ((lvl) <= (l)->level) { \
            const struct mer_kv kv_[] = {__VA_ARGS__}; \
            mer_log_write((l), (lvl), false, (event), kv_, MER_COUNT(kv_)); \
        } \
    } while (0)
#define MER_LOG_RATE(l, lvl, event, ...) \
    do { \
        if ((lvl) <= (l)->level) { \
            const struct mer_kv kv_[] = {__VA_ARGS__}; \
            mer_log_write((l), (lvl), true, (event), kv_, MER_COUNT(kv_)); \
        } \
    } while (0)
