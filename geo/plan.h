/* SPDX-License-Identifier: Apache-2.0
 * plan.h - footprint and measurements -> the configuration of gdnsd, its zone and its networks; and the same orders as JSON, for a managed
 * DNS (R32). Pure: text in memory. The same input gives the same bytes, so the generation is a hash of them.
 *
 *   <zone>            nearest healthy region, by place; spills by the state file (state.h)
 *   <region>.<zone>   one region, as long as any of its addresses is healthy, else all of them
 *   ns1.<zone>        the name servers that lie in the zone
 *   generation.<zone> TXT: which plan this server answers from, to be compared between servers */
#pragma once

#include "geo/name_server.h"
#include "geo/order.h"

enum { GEO_SPILL_STEP_PERCENT = 10 /* of a region's new players; DNS is no finer: one resolver's cache is thousands of players */ };

struct geo_plan_conf {
    const char *const *listen; /* "host:port", NULL-terminated */
    const char *run_dir, *state_dir;
    const char *database; /* GeoIP2 or GeoLite2 City file in <dir>/geoip; NULL: by networks only, everybody else to the first region */
    const struct geo_name_server *name_servers; /* of the zone; the first is in its SOA */
    size_t name_server_count;                   /* 1 at least */
    /* How gdnsd itself looks whether an address lives, beside the state file: a GET of /v1/ping when `probe_http`, else a connect (a port
     * with TLS). */
    uint16_t probe_port;
    bool probe_http;
};

/* All appended to; limit-less buffers. MER_ENOMEM. */
MER_MUST_CHECK enum mer_err geo_plan_config(const struct geo_footprint *f, const struct geo_measured *m, const struct geo_plan_conf *c,
                                            struct mer_buf *out);
MER_MUST_CHECK enum mer_err geo_plan_networks(const struct geo_footprint *f, const struct geo_measured *m, struct mer_buf *out);
MER_MUST_CHECK enum mer_err geo_plan_zone(const struct geo_footprint *f, const struct geo_plan_conf *c, uint64_t generation,
                                          struct mer_buf *out);
/* {"regions": [...], "places": {"DE": ["eu", ...], "US-CA": [...], "EU": [...] }}: continents under their two letters with a star behind,
 * "EU*". */
MER_MUST_CHECK enum mer_err geo_plan_orders(const struct geo_footprint *f, const struct geo_measured *m, struct mer_buf *out);
/* FNV-1a, 64 bit. */
uint64_t geo_plan_hash(const struct mer_buf *parts, size_t count);
