/* SPDX-License-Identifier: Apache-2.0
 * plan.c - gdnsd's files (plan.h).
 *
 *   geoip "play": place -> region --> metafo "spill-eu": home | us-east-10 ... us-east-90 | us-west-10 ...
 *                                        |          each "weighted": so many percent of the answers are the neighbour's
 *                                        +--> multifo "region-eu": its addresses, those that live
 *
 * Why a ladder of prepared shares: which step holds is one word in the state file that gdnsd rereads within 2 s; other weights would need
 * another configuration and a new process. All steps are behind "home", so without a state file nothing spills. A region without living
 * addresses is skipped by geoip; when none has any, it answers as if all had.
 *
 * Explicit orders, not gdnsd's own distances: they can be read in review, and hold what was measured. A country is only written down when
 * its order is not its continent's, a state when it is not its country's. */
#include "geo/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct out {
    struct mer_buf *buf;
    enum mer_err err; /* the first; later calls do nothing */
};

static void put(struct out *o, const char *fmt, ...) MER_PRINTF(2, 3);
static void put(struct out *o, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char line[1024];
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    MER_ASSERT(n >= 0 && (size_t)n < sizeof line);
    if (o->err == MER_OK)
        o->err = mer_buf_append(o->buf, line, (size_t)n);
}

static void put_names(struct out *o, const struct geo_footprint *f, const uint8_t *order, const char *quote)
{
    for (uint32_t i = 0; i < f->count; i++)
        put(o, "%s%s%s%s", i > 0 ? ", " : "", quote, f->region[order[i]].name, quote);
}

static void put_list(struct out *o, const struct geo_footprint *f, const char *key, const uint8_t *order)
{
    put(o, "%s => [", key);
    put_names(o, f, order, "");
    put(o, "]\n");
}

/* ---- addresses ----------------------------------------------------------------------------------------------------------------------- */

static uint32_t family_count(const struct geo_region *r, bool v6)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->address_count; i++)
        n += geo_address_is_v6(r->address[i]) == v6;
    return n;
}

static const char *family_key(bool v6)
{
    return v6 ? "addrs_v6" : "addrs_v4";
}

static void put_multifo(struct out *o, const struct geo_footprint *f)
{
    put(o, "  multifo => {\n");
    for (uint32_t i = 0; i < f->count; i++) {
        const struct geo_region *r = &f->region[i];
        put(o, "    region-%s => {\n      service_types => alive\n      up_thresh => 0.01\n", r->name);
        for (int v6 = 0; v6 <= 1; v6++) {
            if (family_count(r, v6) == 0)
                continue;
            put(o, "      %s => {", family_key(v6));
            for (uint32_t a = 0; a < r->address_count; a++)
                if (geo_address_is_v6(r->address[a]) == v6)
                    put(o, " a%u => %s", a, r->address[a]);
            put(o, " }\n");
        }
        put(o, "    }\n");
    }
    put(o, "  }\n");
}

static void put_group(struct out *o, const struct geo_region *r, bool v6, const char *label, uint32_t weight)
{
    put(o, " %s => {", label);
    for (uint32_t a = 0; a < r->address_count; a++)
        if (geo_address_is_v6(r->address[a]) == v6)
            put(o, " %s%u => [%s, %u]", label, a, r->address[a], weight);
    put(o, " }");
}

/* A group's weight is the sum of its addresses': each side's share, times how many the other has. A family that only one of both has is
 * left to that one. */
static void put_share(struct out *o, const struct geo_region *from, const struct geo_region *to, uint32_t percent)
{
    put(o, "    %s-%s-%u => {\n      service_types => alive\n      up_thresh => 0.01\n", from->name, to->name, percent);
    for (int v6 = 0; v6 <= 1; v6++) {
        uint32_t home = family_count(from, v6), next = family_count(to, v6);
        if (home + next == 0)
            continue;
        put(o, "      %s => {", family_key(v6));
        if (home > 0)
            put_group(o, from, v6, "home", (100 - percent) * (next > 0 ? next : 1));
        if (next > 0)
            put_group(o, to, v6, "next", percent * (home > 0 ? home : 1));
        put(o, " }\n");
    }
    put(o, "    }\n");
}

static void put_weighted(struct out *o, const struct geo_footprint *f)
{
    put(o, "  weighted => {\n");
    for (uint32_t i = 0; i < f->count; i++)
        for (uint32_t j = 0; j < f->count; j++)
            for (uint32_t percent = GEO_SPILL_STEP_PERCENT; i != j && percent < 100; percent += GEO_SPILL_STEP_PERCENT)
                put_share(o, &f->region[i], &f->region[j], percent);
    put(o, "  }\n");
}

/* Steps in the order in which the region's neighbours lie, smallest share first. */
static void put_ladder(struct out *o, const struct geo_footprint *f, uint32_t region, bool mapped)
{
    uint8_t order[GEO_REGIONS_MAX];
    geo_order_from(f, region, order);
    const char *name = f->region[region].name;
    put(o, mapped ? "home => \"%%multifo!region-%s\"" : "home", name);
    for (uint32_t i = 1; i < f->count; i++)
        for (uint32_t percent = GEO_SPILL_STEP_PERCENT; percent < 100; percent += GEO_SPILL_STEP_PERCENT) {
            const char *to = f->region[order[i]].name;
            if (mapped)
                put(o, "\n        %s-%u => \"%%weighted!%s-%s-%u\"", to, percent, name, to, percent);
            else
                put(o, ", %s-%u", to, percent);
        }
}

static void put_metafo(struct out *o, const struct geo_footprint *f)
{
    put(o, "  metafo => { resources => {\n");
    for (uint32_t i = 0; i < f->count; i++) {
        put(o, "    spill-%s => {\n      datacenters => [", f->region[i].name);
        put_ladder(o, f, i, false);
        put(o, "]\n      dcmap => {\n        ");
        put_ladder(o, f, i, true);
        put(o, "\n      }\n    }\n");
    }
    put(o, "  } }\n");
}

/* ---- the map ------------------------------------------------------------------------------------------------------------------------- */

static bool same_order(const struct geo_footprint *f, const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, f->count) == 0;
}

/* Row i heads a country: its own order when it differs from `above`, its parts' when they differ from its own. Returns the row behind it.
 */
static size_t put_country(struct out *o, const struct geo_footprint *f, const struct geo_measured *m, size_t i, const uint8_t *above)
{
    uint8_t own[GEO_REGIONS_MAX], part[GEO_REGIONS_MAX];
    const char *country = geo_places[i].country;
    geo_order(f, m, &geo_places[i], own);
    bool open = false;
    size_t p = i + 1;
    for (; p < geo_place_count && geo_places[p].part[0] != '\0'; p++) {
        geo_order(f, m, &geo_places[p], part);
        if (same_order(f, part, own))
            continue;
        if (!open) {
            put(o, "          %s => {\n            ", country);
            put_list(o, f, "default", own);
        }
        open = true;
        put(o, "            ");
        put_list(o, f, geo_places[p].part, part);
    }
    if (open) {
        put(o, "          }\n");
    } else if (!same_order(f, own, above)) {
        put(o, "          ");
        put_list(o, f, country, own);
    }
    return p;
}

static void put_map(struct out *o, const struct geo_footprint *f, const struct geo_measured *m, const struct geo_plan_conf *c)
{
    uint8_t first[GEO_REGIONS_MAX], own[GEO_REGIONS_MAX];
    geo_order_from(f, 0, first);
    put(o, "    maps => { world => {\n      ");
    put_list(o, f, "datacenters", first);
    if (m->network_count > 0)
        put(o, "      nets => networks\n");
    else if (c->database == NULL)
        put(o, "      nets => { }\n");
    if (c->database != NULL) {
        put(o, "      geoip2_db => %s\n      map => {\n        ", c->database);
        put_list(o, f, "default", first);
        for (size_t i = 0; i < geo_place_count;) {
            geo_order(f, m, &geo_places[i], own);
            put(o, "        %s => {\n          ", geo_places[i].continent);
            put_list(o, f, "default", own);
            for (i++; i < geo_place_count && geo_places[i].country[0] != '\0';)
                i = put_country(o, f, m, i, own);
            put(o, "        }\n");
        }
        put(o, "      }\n");
    }
    put(o, "    } }\n");
}

static void put_geoip(struct out *o, const struct geo_footprint *f, const struct geo_measured *m, const struct geo_plan_conf *c)
{
    put(o, "  geoip => {\n");
    put_map(o, f, m, c);
    put(o, "    resources => { play => { map => world, dcmap => {\n");
    for (uint32_t i = 0; i < f->count; i++)
        put(o, f->count > 1 ? "      %s => \"%%metafo!spill-%s\"\n" : "      %s => \"%%multifo!region-%s\"\n", f->region[i].name,
            f->region[i].name);
    put(o, "    } } }\n  }\n");
}

/* ---- public -------------------------------------------------------------------------------------------------------------------------- */

enum mer_err geo_plan_config(const struct geo_footprint *f, const struct geo_measured *m, const struct geo_plan_conf *c,
                             struct mer_buf *out)
{
    struct out o = {out, MER_OK};
    put(&o, "# Written by geo plan; do not edit. What holds at the moment stands in %s/admin_state.\n", c->state_dir);
    put(&o, "options => {\n  listen => [");
    for (size_t i = 0; c->listen[i] != NULL; i++)
        put(&o, "%s\"%s\"", i > 0 ? ", " : "", c->listen[i]);
    put(&o, "]\n  run_dir => \"%s\"\n  state_dir => \"%s\"\n  min_ttl => 5\n  max_ncache_ttl => 30\n}\n", c->run_dir, c->state_dir);
    put(&o, "service_types => { alive => {\n  plugin => %s, port => %u,", c->probe_http ? "http_status" : "tcp_connect", c->probe_port);
    if (c->probe_http) /* with a vhost gdnsd speaks HTTP/1.1, as the edge does */
        put(&o, " url_path => /v1/ping, vhost => %s, ok_codes => [204],", f->zone);
    put(&o, "\n");
    put(&o, "  interval => 2, timeout => 1, up_thresh => 2, ok_thresh => 2, down_thresh => 2\n} }\nplugins => {\n");
    put_multifo(&o, f);
    if (f->count > 1) {
        put_weighted(&o, f);
        put_metafo(&o, f);
    }
    put_geoip(&o, f, m, c);
    put(&o, "}\n");
    return o.err;
}

enum mer_err geo_plan_networks(const struct geo_footprint *f, const struct geo_measured *m, struct mer_buf *out)
{
    struct out o = {out, MER_OK};
    for (size_t i = 0; i < m->network_count; i++)
        put_list(&o, f, m->network[i].prefix, m->network[i].order);
    return o.err;
}

static void put_name_server(struct out *o, const struct geo_name_server *s)
{
    put(o, "@ 3600 NS %s.\n", s->name);
    for (uint32_t i = 0; i < s->address_count; i++)
        put(o, "%s. 3600 %s %s\n", s->name, geo_address_is_v6(s->address[i]) ? "AAAA" : "A", s->address[i]);
}

enum mer_err geo_plan_zone(const struct geo_footprint *f, const struct geo_plan_conf *c, uint64_t generation, struct mer_buf *out)
{
    struct out o = {out, MER_OK};
    uint32_t ttl = f->ttl_seconds, serial = (uint32_t)(generation % 4294967295u) + 1;
    put(&o, "; Written by geo plan; do not edit.\n");
    put(&o, "@ 3600 SOA %s. hostmaster.%s. %u 7200 1800 1209600 30\n", c->name_servers[0].name, f->zone, serial);
    for (size_t i = 0; i < c->name_server_count; i++)
        put_name_server(&o, &c->name_servers[i]);
    put(&o, "@ %u/%d DYNA geoip!play\n", ttl, GEO_TTL_MIN_S);
    for (uint32_t i = 0; i < f->count; i++)
        put(&o, "%s %u/%d DYNA multifo!region-%s\n", f->region[i].name, ttl, GEO_TTL_MIN_S, f->region[i].name);
    put(&o, "generation 30 TXT \"%016llx\"\n", (unsigned long long)generation);
    return o.err;
}

enum mer_err geo_plan_orders(const struct geo_footprint *f, const struct geo_measured *m, struct mer_buf *out)
{
    struct out o = {out, MER_OK};
    uint8_t order[GEO_REGIONS_MAX];
    geo_order_from(f, 0, order);
    put(&o, "{\"default\": [");
    put_names(&o, f, order, "\"");
    put(&o, "],\n \"places\": {");
    for (size_t i = 0; i < geo_place_count; i++) {
        const struct geo_place *p = &geo_places[i];
        geo_order(f, m, p, order);
        put(&o, "%s\n  \"%s%s%s%s\": [", i > 0 ? "," : "", p->country[0] ? p->country : p->continent, p->country[0] ? "" : "*",
            p->part[0] ? "-" : "", p->part);
        put_names(&o, f, order, "\"");
        put(&o, "]");
    }
    put(&o, "\n }}\n");
    return o.err;
}

uint64_t geo_plan_hash(const struct mer_buf *parts, size_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < parts[i].len; at++)
            hash = (hash ^ parts[i].data[at]) * 0x100000001b3u;
    return hash;
}
