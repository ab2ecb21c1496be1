/* SPDX-License-Identifier: Apache-2.0
 * bus.h - messages between the edges of a region (architecture section 3, "Seats on other edges"). An interface with one carrier so far:
 * direct links, dialled on the first message (unix socket inside a host), closed when idle for 60 s. A message to oneself takes the same
 * way through the codec and arrives in the same turn (MER_PHASE_LOOPBACK), so nobody above knows where the other side is.
 *
 * Within one life of a link messages arrive in order, exactly once. When it goes down what was in flight is lost and on_peer_down tells:
 * proxies attach again and fetch a confirmed snapshot; requests are repeated by their own ids and deadlines. */
#pragma once

#include <meridian/link.h>

#include "meridian/internal/v1/internal.pb-c.h"

struct edge_bus;
struct edge_store;

typedef void (*edge_bus_cb)(void *ctx, const Meridian__Internal__V1__BusMessage *m); /* borrowed; m->from is the sender's incarnation */

struct edge_bus_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_rng rng;
    struct mer_metrics *metrics;
    struct edge_store *store;              /* incarnation -> address, from the liveness keys */
    const char *region, *id, *incarnation; /* kept */
    const char *listen;                    /* "unix:/path" or "host:port" */
    SSL_CTX *tls_client, *tls_server;      /* NULL: plain (unix sockets, loopback) */
};

MER_MUST_CHECK enum mer_err edge_bus_create(struct edge_bus **out, const struct edge_bus_conf *conf, struct mer_msg *msg);
/* One handler a message kind; set before messages can come. */
void edge_bus_on(struct edge_bus *b, Meridian__Internal__V1__BusMessage__BodyCase kind, edge_bus_cb cb, void *ctx);
/* The link to a peer went down, or it could not be reached (its liveness key is gone: dead = true). Comes at most once a life. At most four
 * listeners. */
void edge_bus_on_peer_down(struct edge_bus *b, void (*cb)(void *ctx, const char *incarnation, bool dead), void *ctx);
/* Packed at once (m stays the caller's; m->from is set here). While a link is being dialled up to 256 KiB wait for it. MER_EBUSY beyond,
 * and while a link that broke has not been told down yet; MER_ECLOSED only when the peer is known to be dead: its games may be taken. */
MER_MUST_CHECK enum mer_err edge_bus_send(struct edge_bus *b, const char *to, Meridian__Internal__V1__BusMessage *m);
const char *edge_bus_address(const struct edge_bus *b); /* what other edges dial; goes into the liveness key */
const char *edge_bus_incarnation(const struct edge_bus *b);
void edge_bus_destroy(struct edge_bus *b);
