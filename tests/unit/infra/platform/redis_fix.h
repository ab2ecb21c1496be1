/* SPDX-License-Identifier: Apache-2.0
 * redis_fix.h - a client of a Redis that says what it likes (fake_redis.h), for the tests of what it says and of what the client does. */
#pragma once

#include "unit.h"

#include <meridian/redis.h>

#include "fake_redis.h"
#include "loop_run.h"

#define KEY "game:{a}:x" /* slot 15495 */
enum { DEADLINE_MS = 150 };

struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_rng_seeded seed;
    struct fake_redis fake;
    struct mer_redis *redis;
    const char *node;
    unsigned answers, by_err[32], ready, changes;
    enum mer_err last;
    char text[256];
    uint64_t destroy_in_callback;
    SSL_CTX *tls;
};

static inline void on_ready(void *ctx)
{
    ((struct fix *)ctx)->ready++;
}

static inline void on_change(void *ctx, uint16_t first, uint16_t last)
{
    struct fix *f = ctx;
    assert_true(first <= last);
    f->changes++;
}

static inline void on_answer(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct fix *f = ctx;
    f->answers++;
    f->last = err;
    f->by_err[-err]++;
    f->text[0] = 0;
    if (err == MER_OK || err == MER_EREFUSED)
        assert_non_null(reply);
    else
        assert_null(reply);
    if (reply && reply->str)
        snprintf(f->text, sizeof(f->text), "%s", reply->str);
    if (f->destroy_in_callback) {
        mer_redis_destroy(f->redis);
        f->redis = NULL;
    }
}

static inline enum mer_err call(struct fix *f, bool durable)
{
    const char *argv[] = {"SET", KEY, "v"};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = 3, .key = KEY, .durable = durable};
    return mer_redis_call(f->redis, &spec, on_answer, f);
}

static inline void start_fake(struct fix *f)
{
    memset(f, 0, sizeof(*f));
    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    mer_log_init(&f->log, -1, MER_ERROR, mer_clock_system());
    f->log.level = (enum mer_level) - 1; /* what goes wrong here goes wrong on purpose */
    mer_metrics_init(&f->metrics);
    fake_start(&f->fake, &f->loop, mer_redis_slot(KEY, strlen(KEY)), NULL);
    f->node = mer_listener_address(f->fake.listener);
}

static inline void start_client(struct fix *f, enum mer_durability durability, const char *password)
{
    struct mer_redis_conf conf = {.loop = &f->loop,
                                  .log = &f->log,
                                  .rng = mer_rng_seed(&f->seed, 7),
                                  .metrics = &f->metrics,
                                  .nodes = &f->node,
                                  .node_count = 1,
                                  .password = password,
                                  .tls = f->tls,
                                  .durability = durability,
                                  .replicas = 2,
                                  .wait_ms = 50,
                                  .deadline_ms = DEADLINE_MS,
                                  .library = "meridian1"};
    assert_int_equal(mer_redis_create(&f->redis, &conf), MER_OK);
    mer_redis_on_ready(f->redis, on_ready, f);
    mer_redis_on_primary_change(f->redis, on_change, f);
}

static inline void stop(struct fix *f)
{
    mer_redis_destroy(f->redis);
    fake_stop(&f->fake);
    mer_loop_deinit(&f->loop);
}

static inline double metric(struct fix *f, const char *name)
{
    struct mer_buf text;
    char line[96];
    mer_buf_init(&text, 0);
    assert_int_equal(mer_metrics_render(&f->metrics, &text), MER_OK);
    assert_int_equal(mer_buf_append(&text, "", 1), MER_OK);
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr((char *)text.data, line);
    assert_non_null(at);
    double value = strtod(at + strlen(line), NULL);
    mer_buf_deinit(&text);
    return value;
}

static struct fix f; /* large; every test starts and stops it */

#define LOST "meridian_redis_connections_lost_total"
