/* SPDX-License-Identifier: Apache-2.0
 * store.c - the store's frame: building and sending calls, Redis' clock, liveness. Games are store_game.c, players store_player.c.
 *
 * The clock: every reply of the library says what Redis' clock was when it ran, somewhere between sending and now. The difference to the
 * loop's clock is followed slowly (an eighth of what is new), so that one late answer does not move it, and at once when it is off by more
 * than a second (another primary, a clock that was set). What was told never goes back.
 *
 * Timer: `live`, every 3 s between live_start and live_stop. */
#include "edge/store/store_int.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

enum { CLOCK_JUMP_MS = 1000, CLOCK_SHARE = 8 };

#define X(name, text) \
    [EDGE_STORE_##name] = {"meridian_edge_store_results_total", "calls to the store by result", MER_COUNTER, "result=\"" #name "\""},
static const struct mer_metric_def metrics[ESM_COUNT] = {
    EDGE_STORE_RESULT_MAP(X)[ESM_MALFORMED] = {"meridian_edge_store_malformed_total", "replies the function library cannot have given"},
    [ESM_ERRORS] = {"meridian_edge_store_errors_total", "calls Redis refused with an error"},
    [ESM_LIVE_FAILED] = {"meridian_edge_store_live_failed_total", "renewals of the liveness key that failed"},
};
#undef X

const char *edge_store_result_name(enum edge_store_result r)
{
#define X(name, text) [EDGE_STORE_##name] = #name,
    static const char *const names[] = {EDGE_STORE_RESULT_MAP(X)};
#undef X
    return (size_t)r < MER_COUNT(names) ? names[r] : "?";
}

/* --- calls --- */

void edge__store_arg(struct edge_store_cmd *c, const void *data, size_t len)
{
    MER_ASSERT(c->argc < EDGE_STORE_ARGS_MAX);
    c->argv[c->argc] = data;
    c->len[c->argc++] = len;
}

void edge__store_arg_text(struct edge_store_cmd *c, const char *text)
{
    edge__store_arg(c, text, strlen(text));
}

static char *number(struct edge_store_cmd *c)
{
    MER_ASSERT(c->numbers < (int)MER_COUNT(c->number));
    return c->number[c->numbers++];
}

void edge__store_arg_u64(struct edge_store_cmd *c, uint64_t n)
{
    char *text = number(c);
    snprintf(text, sizeof(c->number[0]), "%llu", (unsigned long long)n);
    edge__store_arg_text(c, text);
}

void edge__store_arg_nonce(struct edge_store_cmd *c, uint64_t nonce)
{
    char *text = number(c);
    snprintf(text, sizeof(c->number[0]), "%016llx", (unsigned long long)nonce);
    edge__store_arg_text(c, text);
}

void edge__store_arg_electable(struct edge_store_cmd *c, const char *id)
{
    enum mer_err err = edge_key_electable(c->electable, edge_key_bucket(id));
    MER_ASSERT(err == MER_OK);
    edge__store_arg_text(c, c->electable);
}

void edge__store_fcall(struct edge_store_cmd *c, const char *fn, unsigned key_count)
{
    c->argc = c->numbers = 0;
    edge__store_arg_text(c, "FCALL");
    edge__store_arg_text(c, fn);
    edge__store_arg_u64(c, key_count);
}

struct edge_store_op *edge__store_op(struct edge_store *s, void *ctx)
{
    const struct mer_log_trace *of = s->conf.log->trace;
    struct edge_store_op *op = mer_try_calloc(1, sizeof(*op) + (of ? sizeof(op->trace[0]) : 0));
    if (!op)
        return NULL;
    op->s = s;
    op->ctx = ctx;
    op->traced = of;
    if (of) {
        memcpy(op->trace[0].trace, of->trace, sizeof(of->trace));
        memcpy(op->trace[0].span, of->span, sizeof(of->span));
    }
    return op;
}

/* Lines that the answer causes are of what the call was made for. */
static void on_traced(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct edge_store_op *op = ctx;
    MER_TRACE_LINES(op->s->conf.log, &op->trace[0]);
    op->answered(op, err, reply);
}

enum mer_err edge__store_send(struct edge_store *s, const struct edge_store_cmd *c, const char *key, bool durable, mer_redis_cb cb,
                              struct edge_store_op *op)
{
    struct mer_redis_call_spec spec = {.argv = c->argv, .argvlen = c->len, .argc = c->argc, .key = key, .durable = durable};
    if (op && op->traced) {
        op->answered = cb;
        cb = on_traced;
    }
    enum mer_err err = op ? mer_redis_call(s->conf.redis, &spec, cb, op) : MER_ENOMEM;
    if (err == MER_OK)
        s->pending++;
    else
        free(op);
    return err;
}

struct edge_store_op edge__store_done(struct edge_store_op *op, enum edge_store_result result)
{
    struct edge_store_op was = *op;
    was.s->pending--;
    was.s->metric[ESM_RESULTS + result]++;
    free(op);
    return was;
}

enum edge_store_result edge__store_failed(struct edge_store *s, enum mer_err err, const redisReply *reply)
{
    if (err == MER_EREFUSED) { /* an error of the library or of the rights: not executed, and nobody can do more than try again */
        s->metric[ESM_ERRORS]++;
        MER_LOG(s->conf.log, MER_ERROR, "store.refused", KV_STR("error", reply && reply->str ? reply->str : NULL));
    }
    return err == MER_EUNKNOWN ? EDGE_STORE_UNKNOWN : EDGE_STORE_AGAIN;
}

enum edge_store_result edge__store_malformed(struct edge_store *s, const redisReply *reply)
{
    s->metric[ESM_MALFORMED]++;
    MER_LOG(s->conf.log, MER_ERROR, "store.malformed", KV_I64("type", reply->type), KV_U64("elements", reply->elements));
    return EDGE_STORE_UNKNOWN;
}

/* --- the clock --- */

void edge__store_clock(struct edge_store *s, uint64_t redis_ms)
{
    int64_t offset = (int64_t)redis_ms - (int64_t)s->conf.loop->now_ms;
    int64_t off_by = offset - s->offset_ms;
    if (!s->synced || off_by > CLOCK_JUMP_MS || off_by < -CLOCK_JUMP_MS)
        s->offset_ms = offset;
    else
        s->offset_ms += off_by / CLOCK_SHARE;
    s->synced = true;
}

uint64_t edge_store_now_ms(struct edge_store *s)
{
    uint64_t now = s->synced ? (uint64_t)((int64_t)s->conf.loop->now_ms + s->offset_ms) : mer_clock_wall_ms(&s->conf.loop->clock);
    if (now > s->last_ms)
        s->last_ms = now;
    return s->last_ms;
}

uint16_t edge_store_game_slot(const char *gid)
{
    char key[EDGE_KEY_MAX];
    return edge_key_game(key, gid) == MER_OK ? mer_redis_slot(key, strlen(key)) : 0;
}

/* --- liveness --- */

static void on_live_set(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct edge_store_op *op = ctx;
    struct edge_store *s = op->s;
    enum edge_store_result result = EDGE_STORE_OK;
    if (err != MER_OK) {
        s->metric[ESM_LIVE_FAILED]++;
        result = edge__store_failed(s, err, reply);
    } else if (mer_timer_armed(&s->live)) { /* a key that is deleted holds nothing */
        s->live_lapses += s->live_until_ms != 0 && s->conf.loop->now_ms >= s->live_until_ms;
        s->live_until_ms = op->sent_ms + EDGE_STORE_LIVE_HELD_MS;
    }
    (void)edge__store_done(op, result);
}

static void live_command(struct edge_store *s, bool set)
{
    char key[EDGE_KEY_MAX];
    struct edge_store_cmd c = {.argc = 0};
    if (edge_key_live(key, s->conf.incarnation) != MER_OK)
        return;
    edge__store_arg_text(&c, set ? "SET" : "DEL");
    edge__store_arg_text(&c, key);
    if (set) {
        edge__store_arg_text(&c, s->live_address);
        edge__store_arg_text(&c, "PX");
        edge__store_arg_u64(&c, EDGE_STORE_LIVE_TTL_MS);
    }
    struct edge_store_op *op = edge__store_op(s, NULL);
    if (op)
        op->sent_ms = s->conf.loop->now_ms;
    if (edge__store_send(s, &c, key, false, on_live_set, op) != MER_OK)
        s->metric[ESM_LIVE_FAILED]++;
}

static void on_live_timer(struct mer_timer *t)
{
    struct edge_store *s = MER_CONTAINER_OF(t, struct edge_store, live);
    live_command(s, true);
    mer_loop_arm(s->conf.loop, &s->live, EDGE_STORE_LIVE_PERIOD_MS);
}

void edge_store_live_start(struct edge_store *s, const char *bus_address)
{
    free(s->live_address);
    s->live_address = mer_xstrdup(bus_address);
    on_live_timer(&s->live);
}

void edge_store_live_stop(struct edge_store *s)
{
    if (!mer_timer_armed(&s->live))
        return;
    mer_loop_disarm(s->conf.loop, &s->live);
    s->live_until_ms = 0;
    live_command(s, false);
}

bool edge_store_live_held(const struct edge_store *s)
{
    return s->conf.loop->now_ms < s->live_until_ms;
}

uint32_t edge_store_live_lapses(const struct edge_store *s)
{
    return s->live_lapses;
}

/* A key that is not there says something only when its owner had the chance to renew it: an outage of its shard that is longer than the
 * lifetime must not make a living edge dead. */
static bool had_a_lifetime(const struct edge_store *s, const char *key)
{
    uint64_t since = mer_redis_up_since_ms(s->conf.redis, key);
    return since != UINT64_MAX && s->conf.loop->now_ms - since >= EDGE_STORE_LIVE_TTL_MS;
}

static void on_live_get(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct edge_store_op *op = ctx;
    enum edge_store_result result = EDGE_STORE_ABSENT;
    const char *value = "";
    if (err != MER_OK)
        result = edge__store_failed(op->s, err, reply);
    else if (reply->type == REDIS_REPLY_STRING)
        result = EDGE_STORE_OK, value = reply->str;
    else if (reply->type != REDIS_REPLY_NIL)
        result = edge__store_malformed(op->s, reply);
    else if (!had_a_lifetime(op->s, op->live_key))
        result = EDGE_STORE_AGAIN;
    free(op->live_key);
    struct edge_store_op was = edge__store_done(op, result);
    was.cb.text(was.ctx, result, value);
}

enum mer_err edge_store_live_get(struct edge_store *s, const char *incarnation, edge_store_text_cb cb, void *ctx)
{
    char key[EDGE_KEY_MAX];
    struct edge_store_cmd c = {.argc = 0};
    enum mer_err err = edge_key_live(key, incarnation);
    if (err != MER_OK)
        return err;
    edge__store_arg_text(&c, "GET");
    edge__store_arg_text(&c, key);
    char *live_key = mer_try_strdup(key);
    struct edge_store_op *op = live_key ? edge__store_op(s, ctx) : NULL;
    if (op) {
        op->cb.text = cb;
        op->live_key = live_key;
    }
    err = edge__store_send(s, &c, key, false, on_live_get, op);
    if (err != MER_OK)
        free(live_key);
    return err;
}

/* --- life --- */

enum mer_err edge_store_create(struct edge_store **out, const struct edge_store_conf *conf)
{
    char key[EDGE_KEY_MAX];
    if (strpbrk(conf->incarnation, " \n") || edge_key_live(key, conf->incarnation) != MER_OK)
        return MER_EINVALID; /* it is one word of a player's device entry */
    struct edge_store *s = mer_try_calloc(1, sizeof(*s));
    if (!s)
        return MER_ENOMEM;
    s->conf = *conf;
    mer_timer_init(&s->live, on_live_timer);
    if (conf->metrics)
        mer_metrics_add(conf->metrics, &s->metric_set, metrics, ESM_COUNT, s->metric);
    *out = s;
    return MER_OK;
}

void edge_store_destroy(struct edge_store *s)
{
    if (!s)
        return;
    MER_ASSERT(s->pending == 0); /* mer_redis_destroy comes first */
    mer_loop_disarm(s->conf.loop, &s->live);
    if (s->conf.metrics)
        mer_metrics_remove(&s->metric_set);
    free(s->live_address);
    free(s);
}
