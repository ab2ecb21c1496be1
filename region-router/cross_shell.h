/* SPDX-License-Identifier: Apache-2.0
 * cross_shell.h - matches across regions on the mesh (cross.h, decision 19): tickets told and taken back, offers and answers between
 * leaders, and messages of edges to edges of other regions, which pass through unread. Nothing is kept but the other regions' tickets, as
 * long as their leader can be reached. */
#pragma once

#include "region-router/edges.h"
#include "region-router/match.h"
#include "region-router/mesh.h"

struct router_app;

enum {
    ROUTER_X_TICKETS,
    ROUTER_X_OFFERS,
    ROUTER_X_ANSWERS,
    ROUTER_X_RELEASES,
    ROUTER_X_BAD,
    ROUTER_X_UNSENT,
    ROUTER_X_FAR_OUT,
    ROUTER_X_FAR_IN,
    ROUTER_X_FAR_LOST,
    ROUTER_X_COUNT
};

struct router_crossing {
    struct router_app *app;
    struct router_regions regions;
    struct router_edge far[ROUTER_REGIONS_MAX]; /* each stands for a region; 0 unused */
    struct mer_timer look;                      /* round trips change slowly: looked up again every second */
    uint64_t values[ROUTER_X_COUNT];
    struct mer_metric_set set;
};

/* Behind the mesh. MER_ERANGE: more regions than ROUTER_REGIONS_MAX. */
MER_MUST_CHECK enum mer_err router_crossing_init(struct router_crossing *x, struct router_app *app, struct mer_msg *msg);
void router_crossing_deinit(struct router_crossing *x);

/* Regions came, went or are drained: looked at now instead of within a second. */
void router_crossing_look(struct router_crossing *x);

/* For the matcher's effects, where the ticket is another region's. */
void router_crossing_offer(struct router_crossing *x, const struct router_ticket_spec *t, const struct router_match *m,
                           uint32_t deadline_ms);
void router_crossing_release(struct router_crossing *x, const struct router_ticket_spec *t, const struct router_match *m);
bool router_crossing_tell(void *app, const struct router_ticket_spec *t, unsigned region);
void router_crossing_untell(void *app, const struct router_ticket_spec *t, unsigned region);
/* An answer of an edge of ours; goes on where the match is another region's. */
void router_crossing_answer(struct router_crossing *x, const Meridian__Internal__V1__SeatAnswer *a);
/* What the player measured, by our index; what he did not is ROUTER_FAR. */
void router_crossing_latencies(const struct router_crossing *x, const Meridian__Internal__V1__TicketOpen *o,
                               uint16_t out[ROUTER_REGIONS_MAX]);
/* How other regions call an edge of that region: "region/incarnation". */
void router_crossing_name(const struct router_crossing *x, unsigned region, const char *incarnation, char *out, size_t size);

/* far.c: an edge of ours has something to say to an edge of another region. */
void router_far_out(struct router_crossing *x, struct router_edge *from, const Meridian__Internal__V1__FarMessage *m);
void router_far_init(struct router_crossing *x);
