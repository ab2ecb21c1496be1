/* SPDX-License-Identifier: Apache-2.0
 * net.h - the emulated world: nodes (a network each), a path for every ordered pair, and the words with which both are changed while it
 * runs (pure).
 *
 *   set [both] A B KEY VALUE...   delay_ms jitter_ms loss_percent duplicate_percent reorder_percent (up to three decimals), rate_kbit
 *   cut [both] A B                nothing from A arrives at B any more
 *   heal [both] A B | heal        ... it does again; alone: everywhere
 *   show                          a line a path: "A B delay_ms 40 ... passed N lost N ..."
 *   A or B may be "*": every node. The answer's last line is "ok" or "error: REASON".
 *
 * A node that was removed leaves its place empty, so that the others keep theirs; the next one takes it. */
#pragma once

#include <meridian/buf.h>

#include "tests/wan/path.h"

enum { WAN_NODES_MAX = 17 /* the regions of a footprint and the world outside */, WAN_NAME_MAX = 31, WAN_LINE_MAX = 512 };

struct wan_node {
    char name[WAN_NAME_MAX + 1]; /* "": nobody is at this place */
    uint32_t network, mask;      /* IPv4, host order: what is sent to this node */
};

struct wan_net {
    struct wan_node node[WAN_NODES_MAX];
    uint32_t count;                                     /* places in use, and empty ones between them */
    struct wan_path path[WAN_NODES_MAX][WAN_NODES_MAX]; /* [from][to] */
    uint64_t not_ipv4, nowhere, full;                   /* dropped: IPv6 and what is no IP; for no node, or its own sender; queue full */
};

/* "10.20.0.0/16". MER_EINVALID, MER_EEXISTS (name or an overlapping network), MER_EBUSY (too many). */
MER_MUST_CHECK enum mer_err wan_net_add(struct wan_net *w, const char *name, const char *network, uint64_t seed);
/* Its place; -1: no such node. */
int wan_net_find(const struct wan_net *w, const char *name);
/* From now on packets to it go nowhere. */
void wan_net_remove(struct wan_net *w, uint32_t node);
/* The node a packet goes to; -1: dropped and counted. */
int wan_net_route(struct wan_net *w, uint32_t from, const uint8_t *packet, size_t size);
/* One line without its end. Appends the answer; nothing is changed when it is an error. MER_ENOMEM. */
MER_MUST_CHECK enum mer_err wan_net_command(struct wan_net *w, const char *line, struct mer_buf *answer);
