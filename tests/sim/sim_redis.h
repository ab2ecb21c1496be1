/* SPDX-License-Identifier: Apache-2.0
 * sim_redis.h - a simulated Redis Cluster a region, of 3 shards, each a primary and two replicas.
 *
 *   sim_redis.c    a node as a server: RESP, commands, WAIT
 *   sim_replica.c  replication, asynchronous, by effects
 *   sim_cluster.c  who is primary: failure detection, votes, epochs, demotion
 *   sim_slots.c    what belongs to which shard
 *
 * Kept: a reply comes before any replica has the write; WAIT counts what replicas have acknowledged; a primary that is cut off or was
 * paused goes on answering until it learns of the new epoch, then its tail is gone; min-replicas; a minority answers CLUSTERDOWN; kill -9
 * keeps the append-only file; slots on their way answer ASK and TRYAGAIN; a manual failover. Left out: memory limits, a full disk. */
#pragma once

#include <hiredis/hiredis.h>

#include "tests/sim/sim_keys.h"

enum { SIM_NODE_TIMEOUT_MS = 2000, SIM_REPLICA_LAG_MS = 2000, SIM_SLOTS = 16384, SIM_MOVES = 8, SIM_RANGES = 20 };

struct sim_node;
struct sim_cluster;
/* A replica, as its primary sees it. */
struct sim_replica {
    struct mer_list list;
    struct sim_node *node;
    struct sim_end *end;
    bool online;
    size_t sent, acked;
    uint64_t heard_ms;
};

struct sim_node {
    struct sim_cluster *cluster;
    struct sim_proc *proc;
    unsigned index;
    struct sim_keys keys;
    /* Everything this node has applied; the offset is its count. */
    struct sim_effect **log;
    size_t log_count, log_cap;
    struct mer_list clients, replicas;
    unsigned good; /* replicas heard of lately, as counted once a second: a node that slept still believes it */
    /* as a replica */
    struct sim_end *up;
    bool online;
    uint64_t attach_at_ms;
    /* what it believes */
    unsigned master; /* its own index: primary */
    unsigned shard;
    uint64_t epoch[SIM_SHARDS];
    unsigned owner[SIM_SHARDS];
    uint64_t current_epoch, voted_epoch, voted_ms[SIM_SHARDS];
    uint64_t heard_ms[SIM_NODES];
    bool failed[SIM_NODES];
    bool knows[SIM_NODES];         /* is in its table */
    uint64_t forgot_ms[SIM_NODES]; /* CLUSTER FORGET: for a minute gossip does not bring it back */
    bool user_off[SIM_NODES];      /* the user as which that node replicates */
    bool ok;
    uint64_t minority_ms; /* when it last did not see a majority */
    uint64_t elect_at_ms;
    unsigned slots_known; /* bit a moved slot: that it has moved */
    bool held;            /* a manual failover: clients' commands wait */
};

/* A slot that moves, or has moved. */
struct sim_moved {
    unsigned slot, from, to;
    bool open;
};
struct sim_cluster {
    struct sim_node node[SIM_NODES];
    bool ticking, well;
    unsigned ticks;
    struct sim_node *manual; /* a replica that is to take over while its primary holds its clients */
    unsigned manual_from;
    uint64_t manual_until_ms;
    struct sim_moved moved[SIM_MOVES];
    unsigned moves, moved_for_good; /* moved_for_good: bit a move */
    struct sim_nodes_text *text;    /* of CLUSTER NODES, by node (sim_cluster_ops.c) */
};
extern struct sim_cluster sim_cluster[SIM_REGIONS]; /* by region */

void sim_redis_init(struct sim_cluster *c);
void sim_redis_start(struct sim_proc *p);
/* The primary of the highest epoch, as an observer who sees everything would say. */
struct sim_node *sim_redis_primary(struct sim_cluster *c, unsigned shard);
unsigned sim_redis_shard(const struct sim_cluster *c, const char *key);
/* What the cluster holds under this name; NULL: nothing. */
const struct sim_key *sim_redis_key(struct sim_cluster *c, const char *name);

/* sim_redis.c */
void sim_node_demote(struct sim_node *n);
/* A command of the operator's own, as if a client had sent it. */
void sim_node_exec(struct sim_node *n, int argc, struct sim_str *const *argv);
/* `held` is over: what clients sent meanwhile is run. */
void sim_node_go_on(struct sim_node *n);
/* Replicas have acknowledged more: who waited for it is answered. */
void sim_node_check_waits(struct sim_node *n);

/* sim_replica.c */
/* To the log; e's reference is taken. */
void sim_node_append(struct sim_node *n, struct sim_effect *e);
/* At the end of a turn: what they do not have yet. */
void sim_node_send_effects(struct sim_node *n);
/* Replicas that have acknowledged so much. */
long long sim_node_confirmed(const struct sim_node *n, size_t offset);
/* Somebody connects to follow the node (ctx). */
void sim_node_on_replica(void *ctx, struct sim_end *end);
void sim_node_drop_replica(struct sim_node *n, struct sim_replica *r);
void sim_node_detach(struct sim_node *n);
void sim_node_attach(struct sim_node *n);
/* Once a second. */
void sim_node_count_replicas(struct sim_node *n);
/* Once a second: that is how a replica finds out that its primary was started again. */
void sim_node_acknowledge(struct sim_node *n);

/* sim_cluster.c */
void sim_cluster_init(struct sim_cluster *c);
/* Something has happened to a node or between nodes: the clocks of failure detection run until all is well again. */
void sim_cluster_wake(struct sim_cluster *c);
/* Every node lives, every replica is attached, everybody agrees. */
bool sim_cluster_well(const struct sim_cluster *c);
void sim_cluster_explain(const struct sim_cluster *c, char *out, size_t bytes);
void sim_cluster_restarted(struct sim_node *n);
/* CLUSTER FAILOVER at one of the shard's replicas: done within 5 s, or not at all. false: not now. */
bool sim_cluster_failover(struct sim_cluster *c, unsigned shard);
/* What an operator, or the router's leader, may say to a node; the reply is appended. false: no such command. */
struct mer_buf;
bool sim_cluster_command(struct sim_node *n, int argc, struct sim_str *const *argv, struct mer_buf *out);

/* sim_slots.c */
struct sim_range {
    unsigned first, last;
};
struct sim_open {
    unsigned slot;
    bool leaves;
    unsigned other; /* node at the other end */
};
enum sim_way { SIM_WAY_RUN, SIM_WAY_MOVED, SIM_WAY_ASK, SIM_WAY_TRY_AGAIN };
unsigned sim_slots_ranges(const struct sim_node *n, unsigned shard, struct sim_range out[SIM_RANGES]);
/* Slots that come to this node or leave it. */
unsigned sim_slots_open(const struct sim_node *n, struct sim_open out[SIM_RANGES]);
/* Whether the node runs a command on these keys of one slot; *to: the node to which it sends the client instead. */
enum sim_way sim_slots_way(const struct sim_node *n, unsigned slot, bool asking, struct sim_str *const *keys, int count, unsigned *to);
/* true: x has learnt something. */
bool sim_slots_learn(struct sim_node *x, const struct sim_node *y);
/* The operator begins to move the slot of a key, NULL: of any. false: not now. */
bool sim_slots_move(struct sim_cluster *c, const char *name);
bool sim_slots_moving(const struct sim_cluster *c);
