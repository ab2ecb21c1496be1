/* SPDX-License-Identifier: Apache-2.0
 * measured.h - geo/measured.yaml: round trips from places to regions, and networks whose order of regions is written down (R32). */
#pragma once

#include "geo/footprint.h"

enum { GEO_NETWORKS_MAX = 4096 /* no special reason: gdnsd loads 50,000 in 0.12 s */ };

struct geo_network {
    char prefix[50]; /* "203.0.113.0/24", "2001:db8::/32": no bit set behind the length */
    uint8_t order[GEO_REGIONS_MAX];
};

struct geo_measured {
    uint16_t (*ms)[GEO_REGIONS_MAX]; /* of geo_places[i]; 0: not measured */
    struct geo_network *network;
    size_t network_count;
};

/* As geo_footprint_load. */
MER_MUST_CHECK enum mer_err geo_measured_load(struct geo_measured *m, const struct geo_footprint *f, const char *file,
                                              struct mer_buf *errors);
void geo_measured_deinit(struct geo_measured *m);
