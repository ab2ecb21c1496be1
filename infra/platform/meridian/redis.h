/* SPDX-License-Identifier: Apache-2.0
 * redis.h - Redis Cluster client on the loop: slot map, batches a loop turn closed by one WAIT, redirects, reconnect with backoff, AUTH,
 * TLS, versioned function library. RESP encoding and parsing are hiredis's (redisFormatCommandArgv, redisReader).
 *
 * Classes: SOFT calls go over one connection a primary, answered as they come. DURABLE calls go over two connections a primary used
 * alternately; all calls of a turn to one primary form a batch closed by `WAIT replicas 500`; each call's callback comes only after that
 * WAIT:
 *   MER_OK        executed, and every electable replica has it; reply is valid
 *   MER_EREFUSED  Redis answered with an error (reply is that error): not executed
 *   MER_EUNKNOWN  outcome unknown (connection lost, WAIT short or failed, UNBLOCKED, time-out after sending): the caller reads back
 *   MER_EAGAIN    certainly not executed (never sent, CLUSTERDOWN, LOADING, BUSY, MASTERDOWN, NOREPLICAS, MISCONF, OOM, too many redirects,
 *                 deadline before sending): try again
 *
 * A redirected call (MOVED, ASK, TRYAGAIN) joins the next batch of its new node; a WAIT confirms only the calls of its own batch that
 * executed on that connection. WAIT short of the count closes the connection. For SOFT calls MER_OK means answered, MER_EUNKNOWN also
 * "maybe executed". Every call gets exactly one callback, never before the starting function returned. */
#pragma once

#include <hiredis/hiredis.h>
#include <openssl/ssl.h>

#include <meridian/log.h>
#include <meridian/loop.h>
#include <meridian/metric.h>
#include <meridian/rng.h>

struct mer_redis;

enum mer_durability { MER_DURABILITY_ALL, MER_DURABILITY_ONE, MER_DURABILITY_PRIMARY }; /* architecture section 4 */

struct mer_redis_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_rng rng;          /* jitter; its ctx is kept */
    struct mer_metrics *metrics; /* NULL: none */
    const char *const *nodes;    /* "host:port" seeds, kept */
    size_t node_count;
    const char *user, *password; /* NULL: no AUTH; kept */
    SSL_CTX *tls;                /* NULL: plain */
    enum mer_durability durability;
    uint32_t replicas;    /* expected electable replicas a primary: 2 */
    uint32_t wait_ms;     /* 500 */
    uint32_t deadline_ms; /* of one call with its redirects: 1500 */
    const char *library;  /* name of the function library that must be there: "meridian1"; NULL: none */
};

struct mer_redis_call_spec {
    const char *const *argv; /* copied */
    const size_t *argvlen;   /* NULL: strings */
    int argc;
    const char *key; /* decides the slot (hash tag rules) */
    bool durable;
};
typedef void (*mer_redis_cb)(void *ctx, enum mer_err err, const redisReply *reply); /* reply may be NULL on error; borrowed */

MER_MUST_CHECK enum mer_err mer_redis_create(struct mer_redis **out, const struct mer_redis_conf *conf);
/* Bounded: MER_EBUSY with more than 64 Ki calls waiting; no callback then. */
MER_MUST_CHECK enum mer_err mer_redis_call(struct mer_redis *r, const struct mer_redis_call_spec *spec, mer_redis_cb cb, void *ctx);
/* The slot map is complete and every primary's library is there. on_ready may be called again after a loss of readiness. */
bool mer_redis_ready(const struct mer_redis *r);
void mer_redis_on_ready(struct mer_redis *r, void (*cb)(void *ctx), void *ctx);
/* Called when a slot's primary changed (a promotion or a moved slot): owners verify their games of it. */
void mer_redis_on_primary_change(struct mer_redis *r, void (*cb)(void *ctx, uint16_t slot_first, uint16_t slot_last), void *ctx);
/* Outstanding calls get MER_EUNKNOWN or MER_EAGAIN in this call's turn; memory goes when handles are closed. */
void mer_redis_destroy(struct mer_redis *r);

uint16_t mer_redis_slot(const char *key, size_t len); /* CRC16 mod 16384 with hash tag */
