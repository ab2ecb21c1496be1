/* SPDX-License-Identifier: Apache-2.0
 * footprint.h - geo/footprint.yaml as a struct: which regions there are, where, how large, how far from each other (R2, R30, R32). The file
 * is the only place that names regions; everything here is in its order. */
#pragma once

#include <meridian/buf.h>

enum {
    GEO_REGIONS_MAX = 16,   /* no special reason: far above the four of R30; gdnsd takes 254 */
    GEO_ADDRESSES_MAX = 32, /* of one region: gdnsd puts at most 64 of a kind into an answer */
    GEO_TTL_MIN_S = 10,
};

struct geo_region {
    char *name; /* a DNS label */
    double latitude, longitude;
    char *cloud_region;
    uint32_t share_percent;
    uint32_t capacity_players;
    uint32_t buddy;     /* index; another one, or itself where there is only one region */
    char *network_ipv4; /* a.b.0.0/16 */
    char *address[GEO_ADDRESSES_MAX];
    uint32_t address_count;
};

struct geo_footprint {
    char *name; /* a DNS label */
    char *zone; /* lower case, without the last dot */
    uint32_t ttl_seconds;
    struct geo_region region[GEO_REGIONS_MAX];
    uint32_t count;
    uint32_t latency_ms[GEO_REGIONS_MAX][GEO_REGIONS_MAX]; /* round trip, both ways the same, 0 with itself */
};

/* Errors, one line each ("file:line: key: reason"), all of them, are appended to `errors`; MER_EINVALID when there is any; *f is zeroed
 * then. Allocates from the dying family: at start only. */
MER_MUST_CHECK enum mer_err geo_footprint_load(struct geo_footprint *f, const char *file, struct mer_buf *errors);
/* Index of a region; -1: no such name. */
int geo_footprint_find(const struct geo_footprint *f, const char *name);
bool geo_address_is_v6(const char *address);
void geo_footprint_deinit(struct geo_footprint *f);
