/* SPDX-License-Identifier: Apache-2.0
 * region_drain.h - that a region is to get no new players, as it stands in Redis and as it is told (pure; decision 25). */
#pragma once

#include <meridian/err.h>

#include "meridian/state/v1/state.pb-c.h"

enum {
    ROUTER_BY_BYTES = 65, /* with the NUL; as in control.proto */
    ROUTER_REASON_TEXT_BYTES = 256,
    ROUTER_DRAIN_PACKED_MAX = 400,
    ROUTER_DRAIN_OVER_MAX_MS = 24 * 3600 * 1000,
};

struct router_region_drain {
    bool on;                   /* else the rest says nothing */
    uint64_t from_ms, over_ms; /* wall clock */
    char by[ROUTER_BY_BYTES], reason[ROUTER_REASON_TEXT_BYTES];
};

/* Packed; returns its length, at most ROUTER_DRAIN_PACKED_MAX. */
size_t router_region_drain_write(const struct router_region_drain *d, uint8_t *out);
/* MER_EINVALID: this was not written by router_region_drain_write; *d is not touched. */
MER_MUST_CHECK enum mer_err router_region_drain_read(struct router_region_drain *d, const void *data, size_t len);
/* How long ago it began, for others; clocks that were set back: just now. */
uint64_t router_region_drain_began_ms(const struct router_region_drain *d, uint64_t wall_ms);
