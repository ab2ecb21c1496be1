/* SPDX-License-Identifier: Apache-2.0
 * claims.h - which incarnations of edges are dead, and who takes over their games (pure; architecture section 4, *Claims*). The leader's.
 *
 *           link down          3 s                key gone, its shard up for the TTL, brake not on
 *   LINKED -----------> SILENT -----> CHECKING ----------------------------------------------------> DEAD --all slices claimed--> REMOVED
 *     ^                   |              |  ^ key there: asked again                                  |
 *     +----- link up -----+--------------+--------------------------- link up (it lives) -------------+------ the same, no newer one ---+
 *
 *   any of them but REMOVED --a newer incarnation of the same edge registered--> REPLACED --all slices claimed--> REMOVED
 *
 * The brake: no more than a tenth of the known edges (at least one) are declared dead in 60 s on the evidence of silence alone; beyond it
 * they stay CHECKING until an operator says go (rules: a fault of ours looks like the death of many). Replaced ones, and those that were
 * draining when they went, have said so themselves.
 *
 * What an incarnation owned is claimed in slices of 64 of the 1,024 buckets by the living edges, round robin, at most two slices an edge at
 * a time; a slice that failed or was not answered goes to another edge. Claiming twice is harmless: the store's compare-and-set decides. */
#pragma once

#include <meridian/err.h>
#include <meridian/list.h>

#include "region-router/limits.h"
#include "region-router/place.h"

#define ROUTER_CLAIM_STATES(X) X(LINKED) X(SILENT) X(CHECKING) X(DEAD) X(REPLACED) X(REMOVED)
#define ROUTER_CLAIM_EVENTS(X) X(UP) X(DOWN) X(QUIET) X(GONE) X(NEWER) X(CLAIMED)
#define X(name) ROUTER_CLAIM_##name,
enum router_claim_state { ROUTER_CLAIM_STATES(X) ROUTER_CLAIM_NSTATES };
#undef X
#define X(name) ROUTER_CLAIM_EV_##name,
enum router_claim_event { ROUTER_CLAIM_EVENTS(X) ROUTER_CLAIM_NEVENTS };
#undef X
const char *router_claim_state_name(enum router_claim_state s);
/* The table: the next state; the same when the event means nothing there. */
enum router_claim_state router_claim_next(enum router_claim_state s, enum router_claim_event e);

enum {
    ROUTER_SLICE_BUCKETS = 64,
    ROUTER_SLICES = 1024 / ROUTER_SLICE_BUCKETS,
    ROUTER_DEATHS_KEPT = 256, /* silent deaths remembered for the brake: more than it lets through */
    ROUTER_REMOVED_KEPT = 64, /* replaced incarnations that may still wake up */
};

struct router_slice {
    char edge[ROUTER_NAME_BYTES]; /* asked to claim it; "" nobody */
    bool done;
    uint64_t until_ms; /* asked: when the answer is overdue; else: not again before */
};
struct router_owner { /* an incarnation that may own games */
    struct mer_list node;
    char incarnation[ROUTER_NAME_BYTES], id[ROUTER_NAME_BYTES];
    uint8_t state;
    bool leaving; /* was draining when it was last heard of */
    bool allowed; /* by an operator, past the brake */
    bool braked;
    bool noted; /* the store knows it (or, REMOVED, has forgotten it) */
    bool asking;
    uint64_t since_ms, asked_ms;
    struct router_slice slice[ROUTER_SLICES];
};

enum router_alive { ROUTER_ALIVE, ROUTER_GONE, ROUTER_NOT_KNOWN };

/* What it does to the world; called from inside router_claims_step. */
struct router_claims_env {
    /* Is its liveness key there? Answered by router_claims_alive. */
    void (*ask)(void *ctx, const struct router_owner *o);
    void (*claim)(void *ctx, const struct router_edge *by, const struct router_owner *of, uint32_t first, uint32_t last);
    /* Remember it over the life of this leader, or (REMOVED) forget it. Answered by router_claims_noted; asked again until it worked. */
    void (*note)(void *ctx, const struct router_owner *o);
    void (*moved)(void *ctx, const struct router_owner *o, enum router_claim_state from); /* for the log */
    const struct mer_list *edges;                                                         /* of struct router_edge: who may claim */
    void *ctx;
};

enum router_claims_count {
    ROUTER_C_DEAD,
    ROUTER_C_REPLACED,
    ROUTER_C_REMOVED,
    ROUTER_C_SLICES,
    ROUTER_C_AGAIN,
    ROUTER_C_GAMES,
    ROUTER_C_COUNT
};

struct router_claims {
    struct router_claims_env env;
    struct mer_list owners;
    unsigned owner_count, next_edge;
    uint64_t deaths[ROUTER_DEATHS_KEPT]; /* by silence; a ring */
    unsigned death_count;
    char removed[ROUTER_REMOVED_KEPT][ROUTER_NAME_BYTES];
    unsigned removed_count;
    uint64_t counts[ROUTER_C_COUNT];
};

void router_claims_init(struct router_claims *c, const struct router_claims_env *env);
void router_claims_deinit(struct router_claims *c);
/* An incarnation that an earlier leader noted. */
MER_MUST_CHECK enum mer_err router_claims_remember(struct router_claims *c, const char *incarnation, const char *id, uint64_t now_ms);
/* It registered with us. Others of the same id are replaced from then on. One that was removed comes back, unless its successor is here. */
MER_MUST_CHECK enum mer_err router_claims_up(struct router_claims *c, const char *incarnation, const char *id, uint64_t now_ms);
void router_claims_down(struct router_claims *c, const char *incarnation, bool draining, uint64_t now_ms);
void router_claims_alive(struct router_claims *c, const char *incarnation, enum router_alive alive, uint64_t now_ms);
/* removed: what was stored is that it is forgotten. */
void router_claims_noted(struct router_claims *c, const char *incarnation, bool removed, bool ok);
/* The answer of an edge; strays are ignored. */
void router_claims_answer(struct router_claims *c, const char *by, const char *of, uint32_t first, bool done, uint32_t games,
                          uint64_t now_ms);
void router_claims_step(struct router_claims *c, uint64_t now_ms);
/* The operator: all that are held by the brake now may be dead. Returns how many. */
unsigned router_claims_allow(struct router_claims *c);
unsigned router_claims_in(const struct router_claims *c, enum router_claim_state s);
unsigned router_claims_braked(const struct router_claims *c);
