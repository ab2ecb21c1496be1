/* SPDX-License-Identifier: Apache-2.0
 * store_int.h - what store.c, store_game.c, store_player.c and store_reply.c share. */
#pragma once

#include <meridian/trace.h>

#include "edge/store/events.h"
#include "edge/store/store.h"

enum { EDGE_STORE_ARGS_MAX = 16, EDGE_STORE_DEVICES_MAX = 64 };

enum edge_store_metric { ESM_RESULTS = 0, ESM_MALFORMED = EDGE_STORE_UNKNOWN + 1, ESM_ERRORS, ESM_LIVE_FAILED, ESM_COUNT };

struct edge_store {
    struct edge_store_conf conf;
    uint64_t pending;       /* calls without an answer */
    int64_t offset_ms;      /* Redis' clock minus the loop's */
    bool synced;            /* offset_ms is Redis' word, not the wall clock's */
    uint64_t last_ms;       /* what edge_store_now_ms said last */
    struct mer_timer live;  /* armed between live_start and live_stop; firing renews */
    uint64_t live_until_ms; /* of the newest answered renewal, counted from its sending */
    uint32_t live_lapses;
    char *live_address;
    uint64_t metric[ESM_COUNT];
    struct mer_metric_set metric_set;
};

/* One call under way. */
struct edge_store_op {
    struct edge_store *s;
    union {
        edge_store_game_cb game;
        edge_store_player_cb player;
        edge_store_text_cb text;
        edge_store_gids_cb gids;
        edge_store_event_cb event;
    } cb;
    void *ctx;
    char *live_key;        /* live_get: what was asked for */
    uint64_t sent_ms;      /* live: when the renewal was sent */
    bool traced;           /* made for something traced, whose context stands behind ... */
    mer_redis_cb answered; /* ... and who then gets the answer */
    struct mer_trace_context trace[];
};
struct edge_store_op *edge__store_op(struct edge_store *s, void *ctx);

/* Command under construction: argv with lengths, and storage for numbers. */
struct edge_store_cmd {
    const char *argv[EDGE_STORE_ARGS_MAX];
    size_t len[EDGE_STORE_ARGS_MAX];
    int argc;
    char number[8][24];
    int numbers;
    char electable[EDGE_KEY_MAX];
};
void edge__store_arg(struct edge_store_cmd *c, const void *data, size_t len);
void edge__store_arg_text(struct edge_store_cmd *c, const char *text);
void edge__store_arg_u64(struct edge_store_cmd *c, uint64_t n);
void edge__store_arg_nonce(struct edge_store_cmd *c, uint64_t nonce);
/* The key of the electable set of the id's bucket: last of the keys of every function about games and players. */
void edge__store_arg_electable(struct edge_store_cmd *c, const char *id);
/* "FCALL fn n_keys" */
void edge__store_fcall(struct edge_store_cmd *c, const char *fn, unsigned key_count);
/* Sends it; frees op when that fails (op NULL: MER_ENOMEM). */
MER_MUST_CHECK enum mer_err edge__store_send(struct edge_store *s, const struct edge_store_cmd *c, const char *key, bool durable,
                                             mer_redis_cb cb, struct edge_store_op *op);
/* Ends an operation: counts, frees; what it was is for calling back, the last thing to do (the callback may destroy the store). */
struct edge_store_op edge__store_done(struct edge_store_op *op, enum edge_store_result result);
/* What the client's error means; MER_OK is not one of them. */
enum edge_store_result edge__store_failed(struct edge_store *s, enum mer_err err, const redisReply *reply);
/* A reply that the library cannot have given: counted, logged, unknown. */
enum edge_store_result edge__store_malformed(struct edge_store *s, const redisReply *reply);
void edge__store_clock(struct edge_store *s, uint64_t redis_ms);

/* store_reply.c: pure over redisReply. false: malformed. */
MER_MUST_CHECK bool edge__store_decode_game(const redisReply *reply, enum edge_store_result *result, struct edge_stored *out);
/* devices: storage for what out->devices points to. */
MER_MUST_CHECK bool edge__store_decode_player(const redisReply *reply, enum edge_store_result *result, struct edge_player *out,
                                              struct edge_device devices[EDGE_STORE_DEVICES_MAX]);
extern const struct edge_stored edge__store_nothing;
extern const struct edge_player edge__store_nobody;
