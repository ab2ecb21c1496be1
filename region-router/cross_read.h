/* SPDX-License-Identifier: Apache-2.0
 * cross_read.h - what is told of a ticket and its distances, as the engine takes it (pure). */
#pragma once

#include "region-router/match.h"

#include "meridian/region/v1/region.pb-c.h"

/* Nothing is known yet. */
void router_cross_no_latencies(uint16_t latency[ROUTER_REGIONS_MAX]);
/* region NULL: an entry without its key, which a map's may be; it and regions that are not ours are left out. */
void router_cross_read_latency(const struct router_regions *r, const char *region, uint32_t ms, uint16_t latency[ROUTER_REGIONS_MAX]);
/* What a ticket that is read points to. */
struct router_cross_read {
    uint16_t latency[ROUTER_REGIONS_MAX];
    struct mer_trace_context trace;
};
/* A ticket that the leader behind `from` told of. *s borrows from c and from *into, which is filled. MER_EINVALID: its edge's name is too
 * long; everything else is the engine's to judge. */
MER_MUST_CHECK enum mer_err router_cross_read_ticket(struct router_ticket_spec *s, const Meridian__Region__V1__CrossTicket *c,
                                                     const struct router_regions *r, struct router_edge *from,
                                                     struct router_cross_read *into);
