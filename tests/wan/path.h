/* SPDX-License-Identifier: Apache-2.0
 * path.h - one direction of one wide-area connection: when a packet arrives, twice, late, or not at all (pure). Times in microseconds of a
 * clock that the caller chooses. The k-th packet of a path meets the same fate in every run with the same seed. */
#pragma once

#include <meridian/rng.h>

enum {
    WAN_PPM = 1000000,          /* chances are millionths */
    WAN_BACKLOG_US = 200 * 1000 /* what waits longer than this for a limited rate is dropped, as a router of usual buffers does */
};

struct wan_settings {
    uint32_t delay_us, jitter_us; /* every packet's delay is drawn from delay +- jitter; order is kept all the same */
    uint32_t loss_ppm, duplicate_ppm, reorder_ppm;
    uint64_t rate_bps; /* bits a second; 0: as many as come */
    bool cut;          /* nothing arrives, nobody is told */
};

struct wan_counts {
    uint64_t passed, bytes, lost, cut, full, duplicated, reordered;
};

struct wan_path {
    struct wan_settings set;
    struct wan_counts counts;
    struct mer_rng_seeded seeded; /* rng's: a path is not moved */
    struct mer_rng rng;
    uint64_t last_us; /* arrival of the last packet in order */
    uint64_t busy_us; /* a limited rate sends until then */
};

void wan_path_init(struct wan_path *p, uint64_t seed);
/* Where the packet of so many bytes, sent now, arrives: 0, 1 or 2 times in arrival[]. */
unsigned wan_path_pass(struct wan_path *p, uint64_t now_us, uint32_t size, uint64_t arrival[2]);
