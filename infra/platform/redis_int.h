/* SPDX-License-Identifier: Apache-2.0
 * redis_int.h - what the files of the Redis client share.
 *
 *   redis.c        calls: taking, routing, retrying, finishing; create, destroy
 *   redis_node.c   nodes: which connections they should have, sending soft calls and batches
 *   redis_conn.c   connections: connecting, AUTH, library check, replies, loss and coming back
 *   redis_subscribe.c  a channel heard over a connection of its own (<meridian/redis_subscribe.h>)
 *   redis_slots.c  topology: CLUSTER SLOTS, the slot map, readiness
 *   redis_reply.c  replies as data: a guarded reader, errors classified, redirects and slot lists parsed (fuzzed)
 *   redis_slot.c   slot of a key
 *
 * A call is in exactly one place: WAITING (in a node's queue, in r->homeless, in r->refused, or its retry timer armed), SENT (expected on a
 * connection), ANSWERED (durable: on a connection until the batch's WAIT), GHOST (its callback came by the deadline, the reply is still
 * due). */
#pragma once

#include <meridian/breaker.h>
#include <meridian/redis.h>
#include <meridian/stream.h>

enum {
    REDIS_SLOTS = 16384,
    REDIS_CALLS_MAX = 64 * 1024,  /* header */
    REDIS_NODES_MAX = 256,        /* no special reason */
    REDIS_BATCH_CALLS = 1024,     /* so that a WAIT never covers seconds of work */
    REDIS_REPLY_BYTES = 16 << 20, /* of one reply; beyond: a broken peer */
    REDIS_ARRAY_MAX = 1 << 20,    /* elements of one array in a reply */
    REDIS_REDIRECTS_MAX = 5,      /* reliability rule 12 */
    REDIS_CONNECT_MS = 500,       /* same */
    REDIS_BACKOFF_MIN_MS = 50,
    REDIS_BACKOFF_MAX_MS = 2000,
    REDIS_RETRY_MIN_MS = 5, /* TRYAGAIN, CLUSTERDOWN, ...: doubled up to max, full jitter */
    REDIS_RETRY_MAX_MS = 200,
    REDIS_TOPOLOGY_MS = 10 * 1000, /* refresh, jittered */
    REDIS_TOPOLOGY_FAST_MS = 300,  /* while not ready */
    REDIS_TOPOLOGY_SOON_MS = 50,   /* least distance of two refreshes */
    REDIS_LIBRARY_MS = 500,        /* a missing library is looked for again */
    REDIS_BREAKER_FAILURES = 8,    /* no special reason: more than one unlucky turn, less than a crowd */
    REDIS_BREAKER_PROBE_MS = 1000, /* while it is open one soft call a second tries */
    REDIS_ADDRESS_BYTES = 272,
    REDIS_RUN_ID_BYTES = 41, /* 40 hexadecimal digits */
    REDIS_REPLICAS_MAX = 16, /* no special reason: above any count that a reply may ask for */
};

/* --- redis_reply.c --- */

enum redis_verdict {
    REDIS_ANSWER, /* not an error */
    REDIS_MOVED,  /* redirects */
    REDIS_ASK,
    REDIS_RETRY,   /* not executed, soon possible: again inside the deadline */
    REDIS_DEMOTED, /* not executed, not the primary: refresh, then again */
    REDIS_NOT_NOW, /* not executed, will take long: MER_EAGAIN */
    REDIS_LIBRARY, /* not executed: function missing */
    REDIS_DOUBT,   /* executed perhaps */
    REDIS_DENIED,  /* not executed, this connection is useless */
    REDIS_REFUSED, /* an error that is the caller's */
};
enum redis_verdict mer__redis_classify(const redisReply *reply);

struct redis_redirect {
    uint16_t slot;
    char address[REDIS_ADDRESS_BYTES];
};
/* "MOVED 3999 host:port" or "ASK ..."; an empty host is the answering node's. */
MER_MUST_CHECK enum mer_err mer__redis_redirect(const char *text, const char *self_address, struct redis_redirect *out);

struct redis_range {
    uint16_t first, last;
    char address[REDIS_ADDRESS_BYTES]; /* of the primary */
};
struct redis_ranges {
    struct redis_range *range; /* free with mer_free */
    size_t count;
    uint32_t slots; /* covered */
};
/* CLUSTER SLOTS, whole or not at all: MER_EINVALID for anything odd (overlaps, slots or ports out of range, unknown hosts, no range). */
MER_MUST_CHECK enum mer_err mer__redis_parse_slots(const redisReply *reply, const char *self_address, struct redis_ranges *out);

/* hiredis's reader with bounds on arrays; NULL when memory is out. fns is filled and must outlive the reader. */
struct redis_reader_fns {
    redisReplyObjectFunctions fns;
    void *(*create_array)(const redisReadTask *task, int elements);
};
redisReader *mer__redis_reader_new(struct redis_reader_fns *fns);
/* How many replicas an acknowledgement needs, as a reply of the function library says ("": configured). false: another kind of reply, *out
 * is left alone. */
bool mer__redis_needs(const redisReply *reply, uint32_t configured, uint32_t *out);
/* run_id of a reply to INFO server; false: not there. */
bool mer__redis_run_id(const redisReply *reply, char out[REDIS_RUN_ID_BYTES]);
/* Reply of FUNCTION LIST LIBRARYNAME x: is it there? */
bool mer__redis_has_library(const redisReply *reply);

/* --- shared structures --- */

enum redis_expect_kind { EXPECT_CALL, EXPECT_IGNORE, EXPECT_WAIT, EXPECT_AUTH, EXPECT_LIBRARY, EXPECT_SLOTS, EXPECT_RUN_ID };
/* One reply that is due on a connection, in order. */
struct redis_expect {
    struct mer_list node;
    enum redis_expect_kind kind;
    uint64_t sent_ms;
};

enum redis_where { CALL_WAITING, CALL_SENT, CALL_ANSWERED, CALL_GHOST };
struct redis_call {
    struct redis_expect expect; /* its node is the place where the call is */
    struct mer_list all;        /* in r->calls, by deadline */
    struct mer_timer retry;
    struct mer_redis *r;
    mer_redis_cb cb;
    void *ctx;
    char *wire;
    size_t wire_len;
    redisReply *reply; /* ANSWERED */
    enum mer_err err;  /* ANSWERED: what a good WAIT makes of it */
    uint64_t deadline_ms, started_us;
    uint16_t slot;
    uint32_t replicas; /* of its spec */
    uint8_t redirects, retries, where;
    bool durable, asking, pinned; /* pinned: for one node, whatever it answers */
};

enum redis_conn_state { CONN_DOWN, CONN_CONNECTING, CONN_HELLO, CONN_UP, CONN_CLOSING };
struct redis_conn {
    struct redis_node *owner;
    struct mer_stream *stream; /* NULL when DOWN */
    redisReader *reader;
    struct mer_list expected;      /* struct redis_expect */
    struct mer_list answered;      /* durable: calls of the batch in flight that were executed */
    size_t reply_bytes;            /* fed since the last whole reply */
    struct mer_timer timer;        /* DOWN: backoff; otherwise: oldest expected reply overdue */
    uint32_t attempts, wait_asked; /* wait_asked: of the WAIT in flight */
    bool durable, wait_due;        /* wait_due: the WAIT follows when the batch is answered */
    uint8_t state;
};

enum { REDIS_SOFT, REDIS_DURABLE_A, REDIS_DURABLE_B, REDIS_CONNS };
struct redis_node {
    struct mer_list node; /* r->nodes */
    struct mer_redis *r;
    char address[REDIS_ADDRESS_BYTES];
    struct redis_conn conn[REDIS_CONNS];
    struct mer_list queue[2]; /* waiting calls: soft, durable */
    struct mer_timer library_timer;
    struct mer_breaker breaker; /* for soft calls: those of a player who waits; durable ones wait for the node as long as they may */
    uint32_t slots;             /* primary of that many */
    uint32_t wait_count;        /* for the next batch: what a reply said last */
    uint64_t up_ms;             /* soft connection up, and primary, since then; 0: not */
    char run_id[REDIS_RUN_ID_BYTES];
    uint8_t next_durable;
    bool doubt;                           /* the last WAIT was short: ask for what the replies say, not for what they said last */
    bool library_ok, library_asked, seed; /* seed: wanted as a source of topology until there is one */
};

enum redis_metric {
    RM_CALLS,
    RM_BATCHES,
    RM_WAITS,
    RM_WAIT_SHORT,
    RM_WAIT_AGAIN,
    RM_REDIRECTS,
    RM_RETRIES,
    RM_UNKNOWN,
    RM_AGAIN,
    RM_REFUSED,
    RM_BUSY,
    RM_BREAKER_OPENED,
    RM_BREAKER_REFUSED,
    RM_CONNECTED,
    RM_LOST,
    RM_PROTOCOL,
    RM_TOPOLOGY,
    RM_TOPOLOGY_BAD,
    RM_PRIMARY_CHANGES,
    RM_RESTARTS,
    RM_LIBRARY_MISSING,
    RM_WAITING,
    RM_READY,
    RM_SUBSCRIBED,
    RM_SUB_LOST,
    RM_SUB_MESSAGES,
    RM_COUNT
};

struct mer_redis {
    struct mer_redis_conf conf;
    struct mer_list nodes, calls, homeless, subs;
    struct redis_node *slot[REDIS_SLOTS];
    struct redis_reader_fns reader_fns;
    struct mer_hook hook;      /* MER_PHASE_STORE: sends what the turn queued */
    struct mer_timer deadline; /* of the oldest call */
    struct mer_timer topology; /* next refresh */
    uint64_t topology_sent_ms;
    struct mer_deferred reap_later, free_later, refuse_later;
    struct mer_list refused; /* calls that a breaker stopped; they end with this turn */
    uint32_t node_count, call_count, wait_count, stream_count, slots_covered;
    bool topology_pending, ready, destroyed;
    void (*on_ready)(void *ctx);
    void *on_ready_ctx;
    void (*on_change)(void *ctx, uint16_t first, uint16_t last);
    void *on_change_ctx;
    uint64_t metric[RM_COUNT];
    struct mer_hist durable_us;
    struct mer_metric_set metric_set, hist_set;
};

/* --- redis.c --- */

/* To its node's queue, or to homeless. */
void mer__redis_route(struct mer_redis *r, struct redis_call *c);
/* Takes the call from wherever it is, calls back and frees it. reply is borrowed. */
void mer__redis_finish(struct redis_call *c, enum mer_err err, const redisReply *reply);
/* The reply of a SENT call (taken): finishes it, keeps it for the WAIT, or sends it on its way again. false: the connection must go. */
bool mer__redis_answered(struct redis_conn *conn, struct redis_call *c, redisReply *reply);
void mer__redis_free_call(struct redis_call *c);
/* The node said something, or did not in time. */
void mer__redis_alive(struct redis_node *n);
void mer__redis_silent(struct redis_node *n);
/* malloc'ed wire form of a command of strings; NULL when memory is out. */
char *mer__redis_format(size_t *len, int argc, const char *const *argv);
void mer__redis_count(struct mer_redis *r, enum redis_metric m);
/* Frees the client when it was destroyed and the last stream is closed. */
void mer__redis_release(struct mer_redis *r);
/* [0, ms], for jitter */
uint64_t mer__redis_jitter(struct mer_redis *r, uint64_t ms);

/* --- redis_node.c --- */

/* Found or made; NULL: too many or out of memory. */
struct redis_node *mer__redis_node_get(struct mer_redis *r, const char *address);
/* Opens the connections it should have and does not. */
void mer__redis_node_connect(struct redis_node *n);
bool mer__redis_node_wants(const struct redis_node *n, const struct redis_conn *c);
/* Unwanted and idle: closes and, when nothing is left, frees it. */
void mer__redis_node_reap(struct redis_node *n);
void mer__redis_node_flush(struct redis_node *n);
bool mer__redis_node_serves(const struct redis_node *n);

/* --- redis_conn.c --- */

void mer__redis_conn_init(struct redis_conn *c, struct redis_node *owner, bool durable);
void mer__redis_conn_open(struct redis_conn *c);
/* Everything in flight becomes MER_EUNKNOWN; comes back by itself if wanted. */
void mer__redis_conn_fail(struct redis_conn *c, const char *why);
/* Writes a command of ours and expects its reply. */
MER_MUST_CHECK enum mer_err mer__redis_conn_send(struct redis_conn *c, enum redis_expect_kind kind, const char *wire, size_t len);
MER_MUST_CHECK enum mer_err mer__redis_conn_send_argv(struct redis_conn *c, enum redis_expect_kind kind, int argc, const char *const *argv);
/* Writes a call (ASKING before it when due) and expects its reply. */
MER_MUST_CHECK enum mer_err mer__redis_conn_send_call(struct redis_conn *c, struct redis_call *call);
void mer__redis_ask_library(struct redis_node *n);
/* The WAIT that closes a batch. */
MER_MUST_CHECK enum mer_err mer__redis_conn_wait(struct redis_conn *c, uint32_t replicas);

/* --- redis_slots.c --- */

/* Asks for CLUSTER SLOTS soon; single flight, at most one in REDIS_TOPOLOGY_SOON_MS. */
void mer__redis_refresh(struct mer_redis *r);
void mer__redis_on_topology_timer(struct mer_timer *t);
/* Closes and forgets the nodes that serve nothing. */
void mer__redis_on_reap(struct mer_deferred *d);
void mer__redis_got_slots(struct redis_conn *c, const redisReply *reply); /* reply NULL: the connection was lost */
void mer__redis_moved(struct mer_redis *r, uint16_t slot, struct redis_node *to);
void mer__redis_check_ready(struct mer_redis *r);
/* The primary was started again: its slots count as changed. */
void mer__redis_restarted(struct redis_node *n);

/* --- redis_subscribe.c --- */

/* A slot has another primary: whoever is subscribed at the one before goes there. */
void mer__redis_subs_follow(struct mer_redis *r);
/* Every subscription is told that the client ends. */
void mer__redis_end_subs(struct mer_redis *r);
