/* SPDX-License-Identifier: Apache-2.0
 * redis.h - Redis Cluster client on the loop: slot map, batches a loop turn closed by one WAIT, redirects, reconnect with backoff, AUTH,
 * TLS, versioned function library. RESP encoding and parsing are hiredis's (redisFormatCommandArgv, redisReader).
 *
 * Classes: SOFT calls go over one connection a primary, answered as they come. DURABLE calls go over two connections a primary used
 * alternately; all calls of a turn to one primary form a batch closed by `WAIT n 500`; each call's callback comes only after that WAIT:
 *   MER_OK        executed, and every electable replica has it; reply is valid
 *   MER_EREFUSED  Redis answered with an error (reply is that error): not executed
 *   MER_EUNKNOWN  outcome unknown (connection lost, WAIT short or failed, UNBLOCKED, time-out after sending): the caller reads back
 *   MER_EAGAIN    certainly not executed (never sent, CLUSTERDOWN, LOADING, BUSY, MASTERDOWN, NOREPLICAS, MISCONF, OOM, too many redirects,
 *                 deadline before sending): try again. A SOFT call gets it at once while its node answers nobody (breaker.h).
 *
 * How many replicas are electable is data in Redis: a reply of the function library that is an array has it as third element, digits, or ""
 * for the configured count (infra/redis/README.md). A call is judged by what its own reply says; n is what the primary said last. So the
 * router's leader may take a lost replica out, and put it back, without the agreement of anybody.
 *
 * A redirected call (MOVED, ASK, TRYAGAIN) joins the next batch of its new node; a WAIT confirms only the calls of its own batch that
 * executed on that connection. A WAIT that is short for one of them closes the connection. For SOFT calls MER_OK means answered,
 * MER_EUNKNOWN also "maybe executed". Every call gets exactly one callback, never before the starting function returned. */
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
    /* durable: so many replicas are enough, at most the configured count, whatever the reply says. 0: as the reply says. For what must go
     * on while a replica is being taken out (the lease, the taking out itself). */
    uint32_t replicas;
};
typedef void (*mer_redis_cb)(void *ctx, enum mer_err err, const redisReply *reply); /* reply may be NULL on error; borrowed */

MER_MUST_CHECK enum mer_err mer_redis_create(struct mer_redis **out, const struct mer_redis_conf *conf);
/* Bounded: MER_EBUSY with more than 64 Ki calls waiting; no callback then. */
MER_MUST_CHECK enum mer_err mer_redis_call(struct mer_redis *r, const struct mer_redis_call_spec *spec, mer_redis_cb cb, void *ctx);
/* A command to one node by its address, whatever its role: for operating the cluster. Soft, never redirected or tried again: MER_OK or
 * MER_EREFUSED with the node's answer, also LOADING and the like; MER_EAGAIN, MER_EUNKNOWN as above. MER_EINVALID: no such address. */
MER_MUST_CHECK enum mer_err mer_redis_node_call(struct mer_redis *r, const char *address, const char *const *argv, int argc,
                                                mer_redis_cb cb, void *ctx);
/* Since when the primary of the key's slot has been the same process, connected without a break, on the loop's clock; UINT64_MAX: it is
 * not. */
uint64_t mer_redis_up_since_ms(const struct mer_redis *r, const char *key);
/* Address of the slot's primary as this client knows it; NULL: none. Borrowed for this turn. */
const char *mer_redis_primary(const struct mer_redis *r, uint16_t slot);
/* Calls taken and not answered yet. */
uint32_t mer_redis_waiting(const struct mer_redis *r);
/* The slot map is complete and every primary's library is there. on_ready may be called again after a loss of readiness. */
bool mer_redis_ready(const struct mer_redis *r);
void mer_redis_on_ready(struct mer_redis *r, void (*cb)(void *ctx), void *ctx);
/* Called when a slot's primary changed (a promotion, a moved slot, or a process that was started again at the same address): owners verify
 * their games of it. */
void mer_redis_on_primary_change(struct mer_redis *r, void (*cb)(void *ctx, uint16_t slot_first, uint16_t slot_last), void *ctx);
/* Outstanding calls get MER_EUNKNOWN or MER_EAGAIN in this call's turn; memory goes when handles are closed. */
void mer_redis_destroy(struct mer_redis *r);

uint16_t mer_redis_slot(const char *key, size_t len); /* CRC16 mod 16384 with hash tag */
