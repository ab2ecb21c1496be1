/* SPDX-License-Identifier: Apache-2.0
 * electable_view.h - what a Redis node says of itself and of the others, read from its answers to CLUSTER NODES, CLUSTER INFO, INFO
 * replication and ACL LIST. Pure; a node is believed about itself and about what it knows, not about others. */
#pragma once

#include <meridian/base.h>

enum {
    ROUTER_NODES_MAX = 48, /* of one cluster; no special reason: 16 primaries with two replicas each */
    ROUTER_NODE_ID_BYTES = 41,
    ROUTER_NODE_ADDRESS_BYTES = 64,
    ROUTER_NODE_USER_BYTES = 64,
};

struct router_known {                                             /* a node in another one's table */
    char id[ROUTER_NODE_ID_BYTES], primary[ROUTER_NODE_ID_BYTES]; /* primary: "" for a primary */
    char address[ROUTER_NODE_ADDRESS_BYTES];
    uint64_t config_epoch;
    bool slots;  /* it has some */
    bool failed; /* a majority agreed that it has */
};
struct router_attached { /* a replica as its primary sees it */
    char address[ROUTER_NODE_ADDRESS_BYTES];
    bool online;
    uint32_t lag_s; /* since it last said how far it is */
    uint64_t offset;
};
struct router_view {
    char id[ROUTER_NODE_ID_BYTES], primary[ROUTER_NODE_ID_BYTES]; /* of itself; primary: "" when it is one */
    bool slots;
    bool hides;        /* its table has more than `known`: nodes in handshake or without address */
    unsigned assigned; /* slots that have an owner, as far as it knows; 0: it did not say */
    uint64_t config_epoch, current_epoch, offset;
    struct router_known known[ROUTER_NODES_MAX]; /* the others */
    unsigned known_count;
    struct router_attached attached[ROUTER_NODES_MAX];
    unsigned attached_count;
    char on[ROUTER_NODES_MAX][ROUTER_NODE_USER_BYTES]; /* users that are switched on here */
    unsigned on_count;
};

/* Each adds its part to a zeroed view; false: not such an answer (the view is useless then). Nodes in handshake or without address are left
 * out; beyond ROUTER_NODES_MAX: false. */
MER_MUST_CHECK bool router_view_nodes(struct router_view *v, const char *text);
MER_MUST_CHECK bool router_view_cluster(struct router_view *v, const char *text);
MER_MUST_CHECK bool router_view_replication(struct router_view *v, const char *text);
/* One line of ACL LIST. */
MER_MUST_CHECK bool router_view_user(struct router_view *v, const char *line);

const struct router_known *router_view_find(const struct router_view *v, const char *id);
const struct router_attached *router_view_attached(const struct router_view *v, const char *address);
bool router_view_user_on(const struct router_view *v, const char *user);
