/* SPDX-License-Identifier: Apache-2.0
 * cross.h - which region may host a match, and who makes it (pure). A ticket looks in its own region first; with its steps the latency it
 * accepts grows (limits.h), and its leader tells it to every region that may host it then.
 *
 *   waited   0 s: its own region  --6 s-->  regions within 100 ms  --12 s-->  regions within 400 ms
 *
 * A region that all of a group will accept within a second counts already, or whose patience ends first by milliseconds would choose the
 * host; the match is made when they do.
 *
 * The leader of the host makes the match, nobody else: of all regions that every ticket of the group accepts, the one whose worst player is
 * nearest; then the smaller sum; then the name. Everybody who knows the tickets comes to the same answer, because a ticket's latencies are
 * what its own region told of it. Where leaders disagree all the same (a step, a region one of them cannot see), a ticket may be offered
 * twice, and its edge accepts one. */
#pragma once

#include <meridian/base.h>

#include "region-router/limits.h"

enum { ROUTER_FAR = UINT16_MAX /* latency: not known */ };

struct router_regions;

/* What hosting asks of a ticket. */
struct router_reach {
    unsigned home; /* its region */
    uint32_t waited_ms;
    const uint16_t *latency;            /* from its players to a game there, by region, as it was told; NULL: nothing is known */
    bool friends;                       /* nothing is too far for them */
    const struct router_regions *guess; /* its players are as far as the leader is, where that was not told; NULL: not known */
};

struct router_region {
    char name[ROUTER_REGION_BYTES];
    bool up;         /* its leader can be talked to */
    bool drained;    /* it hosts nobody of other regions */
    uint16_t rtt_ms; /* from here; ROUTER_FAR: not known */
};
struct router_regions {
    unsigned count; /* 0 is ours, always; 1: there are no others */
    struct router_region region[ROUTER_REGIONS_MAX];
};

/* What a ticket that waited so long accepts, in ms; 0: only its own region. */
uint32_t router_cross_cap_ms(uint64_t waited_ms);
/* ROUTER_FAR: not known. */
uint16_t router_cross_latency(const struct router_reach *t, unsigned region);
/* May it be hosted there now? Its own region always may. */
bool router_cross_accepts(const struct router_reach *t, unsigned region);
/* The region that hosts these tickets, by index; count: none may, or not yet. Only regions that are up count, and
 * of those that are drained only who hosts nobody but its own. */
unsigned router_cross_host(const struct router_regions *r, const struct router_reach *t, unsigned count);
/* The regions with their bit, as "eu, asia"; cut off where it does not fit. Returns its length. */
unsigned router_cross_names(const struct router_regions *r, uint32_t bits, char *out, unsigned size);
/* Index of a region; count: none of that name. */
unsigned router_cross_find(const struct router_regions *r, const char *name, unsigned len);
/* Whose match it is, by its id ("asia.g-..."; without a region: ours); count: nobody's. */
unsigned router_cross_of_match(const struct router_regions *r, const char *match);
