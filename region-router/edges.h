/* SPDX-License-Identifier: Apache-2.0
 * edges.h - who is connected to this router: the region's edges with their last report, other routers, and geo agents. */
#pragma once

#include <meridian/link.h>

#include "region-router/place.h"

#include "meridian/internal/v1/internal.pb-c.h"

struct router_app;

enum {
    ROUTER_E_EDGES,
    ROUTER_E_ROUTERS,
    ROUTER_E_GEOS,
    ROUTER_E_REPORTS,
    ROUTER_E_BAD,
    ROUTER_E_NOT_LEADER,
    ROUTER_E_SENT,
    ROUTER_E_UNSENT,
    ROUTER_E_COUNT
};

struct router_edges {
    struct router_app *app;
    struct mer_list edges, routers, geos;
    uint32_t edge_count;
    uint8_t *scratch; /* one packed message */
    struct mer_deferred list_later;
    uint64_t values[ROUTER_E_COUNT];
    struct mer_metric_set set;
};

extern const struct mer_link_cbs router_edges_link_cbs; /* ctx: the app */

void router_edges_init(struct router_edges *es, struct router_app *app);
/* Every edge is told the list of edges and regions again, once this turn is over. */
void router_edges_list_changed(struct router_edges *es);
/* Forgets everybody without a word: the links are destroyed next. */
void router_edges_close(struct router_edges *es);
void router_edges_deinit(struct router_edges *es);
/* Lost like anything in flight when the link is down or full: whoever waits for an answer has a deadline. */
void router_edges_send(struct router_edges *es, struct mer_link *l, const Meridian__Internal__V1__RouterMessage *m);
/* By incarnation; NULL: not linked. */
struct router_edge *router_edges_find(const struct router_edges *es, const char *incarnation);
/* To every geo agent; a packed control.v1.ControlMessage. */
void router_edges_tell_geo(struct router_edges *es, const void *payload, size_t len);
/* Tells everybody who leads, and the edges the list of edges if it is us. */
void router_edges_tell_role(struct router_edges *es);
