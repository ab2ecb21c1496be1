/* SPDX-License-Identifier: Apache-2.0
 * bus.h - messages between edges (architecture section 3, "Seats on other edges"). An interface with two carriers inside a region: direct
 * links, dialled on the first message (unix socket inside a host), and Redis' sharded pub/sub, one channel an edge, for edges that cannot
 * reach each other (decision 14). All edges of a region must have the same. Edges of other regions ("region/incarnation") are reached
 * through the routers (far.h). A pair that says nothing for 60 s ends. A message to oneself
 * takes the same way through the codec and arrives in the same turn (MER_PHASE_LOOPBACK), so nobody above knows where the other side is.
 *
 * Within one life of a pair messages arrive in order, exactly once. When it ends what was in flight is lost and on_peer_down tells both
 * sides: proxies attach again and fetch a confirmed snapshot; requests are repeated by their own ids and deadlines. */
#pragma once

#include <meridian/link.h>

#include "meridian/internal/v1/internal.pb-c.h"

struct edge_bus;
struct edge_far;
struct edge_store;
struct mer_redis;

enum edge_bus_carrier { EDGE_BUS_LINKS, EDGE_BUS_REDIS };

typedef void (*edge_bus_cb)(void *ctx, const Meridian__Internal__V1__BusMessage *m); /* borrowed; m->from is the sender */

struct edge_bus_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_rng rng;
    struct mer_metrics *metrics;
    struct edge_store *store;              /* incarnation -> address, from the liveness keys */
    const char *region, *id, *incarnation; /* kept */
    const char *listen;                    /* "unix:/path" or "host:port" */
    SSL_CTX *tls_client, *tls_server;      /* NULL: plain (unix sockets, loopback) */
    enum edge_bus_carrier carrier;
    struct mer_redis *redis; /* for EDGE_BUS_REDIS, which listens to nothing else */
};

MER_MUST_CHECK enum mer_err edge_bus_create(struct edge_bus **out, const struct edge_bus_conf *conf, struct mer_msg *msg);
/* The way to other regions (kept; must outlive the bus); without one their edges cannot be reached. */
void edge_bus_use_far(struct edge_bus *b, struct edge_far *far);
/* One handler a message kind; set before messages can come. */
void edge_bus_on(struct edge_bus *b, Meridian__Internal__V1__BusMessage__BodyCase kind, edge_bus_cb cb, void *ctx);
/* The life of a pair ended, or the peer could not be reached (its liveness key is gone: dead = true). Comes at most once a life. At most
 * four listeners. */
void edge_bus_on_peer_down(struct edge_bus *b, void (*cb)(void *ctx, const char *incarnation, bool dead), void *ctx);
/* Packed at once (m stays the caller's; m->from is set here). While a peer is being reached up to 256 KiB wait for it. MER_EBUSY beyond,
 * and while a life that ended has not been told down yet; MER_ECLOSED only when the peer is known to be dead: its games may be taken. */
MER_MUST_CHECK enum mer_err edge_bus_send(struct edge_bus *b, const char *to, Meridian__Internal__V1__BusMessage *m);
const char *edge_bus_address(const struct edge_bus *b); /* where other edges find this one; goes into the liveness key */
const char *edge_bus_incarnation(const struct edge_bus *b);
void edge_bus_destroy(struct edge_bus *b);
