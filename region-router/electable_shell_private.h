/* SPDX-License-Identifier: Apache-2.0
 * electable_shell_private.h - what electable_shell.c and electable_shell_store.c share. */
#pragma once

#include "region-router/electable_shell.h"

enum { ASK_MS = 500, ASK_SOON_MS = 50, SETTLE_MS = 20 };
enum question { Q_NODES, Q_CLUSTER, Q_REPLICATION, Q_USERS, Q_USER, Q_COUNT };

enum electable_metric {
    M_MEMBERS,
    M_OUT,
    M_BARE,
    M_UNMANAGED,
    M_TAKEN_OUT,
    M_BROUGHT_BACK,
    M_COMMANDS,
    M_COMMANDS_FAILED,
    M_COUNTS,
    M_COUNTS_FAILED,
    M_COUNT
};
struct asked {
    struct node *node;
    enum question what;
};
struct node {
    struct router_keeper *k;
    char address[ROUTER_NODE_ADDRESS_BYTES], user[ROUTER_NODE_USER_BYTES];
    struct asked asked[Q_COUNT];
    unsigned pending;
    bool failed;
    uint64_t term, asked_ms, next_ms;
    struct router_view view;
};
struct router_keeper {
    struct router_keeper_conf conf;
    struct router_electable set;
    char members[64], lease[64];
    bool leading, loaded, loading, noting;
    uint64_t act_from_ms;
    uint64_t term; /* of this process; answers of another one are ignored */
    struct node node[ROUTER_NODES_MAX];
    unsigned node_count, calls; /* calls: without an answer yet */
    struct mer_timer tick;
    uint64_t values[M_COUNT];
    struct mer_metric_set set_of_metrics;
};

/* We lead, and the lease has not run out. */
bool router__keeper_may_act(const struct router_keeper *k);
/* The next tick comes within ms. */
void router__keeper_soon(struct router_keeper *k, uint32_t ms);

/* electable_shell_store.c */

/* Begins to read the notes of earlier leaders; `loaded` when they are there. */
void router__keeper_load(struct router_keeper *k);
/* Stores a note that is not stored yet, one at a time. */
void router__keeper_note(struct router_keeper *k);
/* router_electable_env.count */
void router__keeper_count(void *ctx, const struct router_member *primary, unsigned count, unsigned enough);
