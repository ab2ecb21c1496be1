/* SPDX-License-Identifier: Apache-2.0
 * electable.h - which replicas may be elected, and how many a write must therefore reach (pure; decision 11). The leader's.
 *
 *            3 s not in step     off at all who           a majority of primaries      count - 1
 *                                could lead               does not know it             stored
 *        IN ------------> OFF --------------> FORGET ------------------------> LOWER ----------> OUT
 *         ^                |  blocked, and it     |                              |                |
 *         |                +-- answers again -----+------------------+-----------+  answers, and  |
 *         |                                                          v              nobody else   |
 *        MEET <--- in step with the primary --- SYNC <--- count + 1 stored --- RAISE <--is lost---+
 *          any of RAISE, SYNC, MEET: --silent, or not done in time--> OFF
 *          any of OFF, FORGET, LOWER, OUT: --it leads its shard--> RAISE, and on in the same order
 *
 * What is done in a state is compared with what the nodes say and done again until they say it is done (no step is believed to have
 * worked); only what was asked after the state was entered counts. One replica a shard is on its way at a time, or nearly.
 *
 * Who leads is not for one node to say: it is whom the primaries' tables show with the highest epoch, and nothing is done about a shard
 * while a majority of the primaries does not confirm its leader. So a leader of ours on the losing side of a partition keeps still.
 *
 * Members of a shard that was taken away are forgotten here too, when all who may vote have forgotten them: electable_gone.c.
 *
 * Invariant: the count of a shard is never below the number of its replicas that a majority of primaries would vote for. OFF comes first,
 * so that no WAIT counts a replica that is not electable; LOWER comes after FORGET; RAISE comes before SYNC and MEET. A count of 1 stays:
 * with no replica nothing is acknowledged. */
#pragma once

#include <meridian/err.h>

#include "region-router/electable_view.h"

#define ROUTER_MEMBER_STATES(X) X(IN) X(OFF) X(FORGET) X(LOWER) X(OUT) X(RAISE) X(SYNC) X(MEET)
#define ROUTER_MEMBER_EVENTS(X) X(LOST) X(DONE) X(BACK) X(LEADS)
#define X(name) ROUTER_MEMBER_##name,
enum router_member_state { ROUTER_MEMBER_STATES(X) ROUTER_MEMBER_NSTATES };
#undef X
#define X(name) ROUTER_MEMBER_EV_##name,
enum router_member_event { ROUTER_MEMBER_EVENTS(X) ROUTER_MEMBER_NEVENTS };
#undef X
const char *router_member_state_name(enum router_member_state s);
/* The table: the next state; the same when the event means nothing there. */
enum router_member_state router_member_next(enum router_member_state s, enum router_member_event e);

struct router_member {                                          /* a node of the cluster */
    char id[ROUTER_NODE_ID_BYTES], shard[ROUTER_NODE_ID_BYTES]; /* shard: id of the node that led it when it was first seen */
    char address[ROUTER_NODE_ADDRESS_BYTES], user[ROUTER_NODE_USER_BYTES];
    uint8_t state;
    uint64_t since_ms; /* in this state */
    /* What it said last: */
    struct router_view view;
    bool viewed, answers;                                 /* answers: its last answer was one */
    uint64_t asked_ms, answers_since_ms, silent_since_ms; /* asked_ms: when the question was sent that `view` answers */
    uint64_t good_ms;                                     /* last known to be in step, or to lead */
    uint64_t epoch;                                       /* OFF, FORGET: highest of the cluster when OFF was entered */
    uint64_t target;                                      /* SYNC: offset of its primary that it must reach; 0: not known yet */
    char target_of[ROUTER_NODE_ID_BYTES];
    uint64_t acted_ms; /* it was told to do something; then nothing more until it was asked again */
    bool noted;        /* false: its note changed; whoever stores notes sets it. Who is not noted as out is not taken out */
    bool gone;         /* the cluster has it no more: its note is to be deleted, then it is dropped */
};

struct router_shard {
    char id[ROUTER_NODE_ID_BYTES];
    unsigned stored; /* the count as last confirmed; 0: not known */
    bool unsure;     /* a later one may be stored as well */
    bool storing;
    uint64_t retry_ms;
    char leader[ROUTER_NODE_ID_BYTES]; /* who led it last, and was there then */
    uint64_t led_ms;
    /* As of this step: who leads it and answers, or NULL; and whether a majority of the primaries says so too. */
    struct router_member *lead;
    bool backed;
};

struct router_electable;
/* What it does to the world; called from inside router_electable_step. Nobody waits for an answer but count's. */
struct router_electable_env {
    void (*user)(void *ctx, const struct router_member *at, const struct router_member *whose, bool on);
    void (*forget)(void *ctx, const struct router_member *at, const char *id);
    void (*meet)(void *ctx, const struct router_member *at, const struct router_member *whom);
    void (*replicate)(void *ctx, const struct router_member *replica, const struct router_member *primary);
    /* Stores the count at `primary`, for all buckets, and nowhere else; `enough` replicas must have it. Ends with router_electable_stored.
     */
    void (*count)(void *ctx, const struct router_member *primary, unsigned count, unsigned enough);
    /* For the log. */
    void (*moved)(void *ctx, const struct router_member *m, enum router_member_state from);
    /* The cluster has m no more, and it is no member after this. */
    void (*dropped)(void *ctx, const struct router_member *m);
    void *ctx;
};

struct router_electable {
    struct router_electable_env env;
    unsigned configured; /* replicas a primary */
    struct router_member *member;
    unsigned member_count;
    struct router_shard shard[ROUTER_NODES_MAX];
    unsigned shard_count;
};

MER_MUST_CHECK enum mer_err router_electable_init(struct router_electable *e, const struct router_electable_env *env, unsigned configured);
void router_electable_deinit(struct router_electable *e);
/* A member as noted: "address user shard in|out". Those that were out go through OFF again: nothing is believed. MER_EINVALID. */
MER_MUST_CHECK enum mer_err router_electable_remember(struct router_electable *e, const char *id, const char *note, uint64_t now_ms);
/* The note of a member; "": it is to be deleted. */
void router_electable_note(const struct router_member *m, char out[256]);
/* A node answered all questions that were sent at asked_ms (view is copied; user: its masteruser, "" none), or did not (view NULL). */
void router_electable_heard(struct router_electable *e, const char *address, const struct router_view *view, const char *user,
                            uint64_t asked_ms, uint64_t now_ms);
/* Goes on from what was heard. */
void router_electable_step(struct router_electable *e, uint64_t now_ms);
void router_electable_stored(struct router_electable *e, const char *primary_id, unsigned count, bool ok, uint64_t now_ms);
/* Somebody is on the way: ask the nodes more often. */
bool router_electable_busy(const struct router_electable *e);
unsigned router_electable_out(const struct router_electable *e);       /* members not IN */
unsigned router_electable_bare(const struct router_electable *e);      /* shards without a replica in step: their moves wait */
unsigned router_electable_unmanaged(const struct router_electable *e); /* members that replicate without a user of their own */
