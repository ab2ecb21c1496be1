/* SPDX-License-Identifier: Apache-2.0
 * footprint.c - reads and judges geo/footprint.yaml (footprint.h).
 *
 * A wrong key or value does not end the reading: all errors are told in one go, each with its line. Rules over several keys (shares,
 * buddies, latencies of every pair, networks that overlap) come last, and only when every single value is right, so that one slip is one
 * line. */
#include "geo/footprint.h"

#include <arpa/inet.h>
#include <string.h>

#include <meridian/mem.h>

#include "geo/yaml.h"

enum { LATENCY_MAX_MS = 1000 };

/* What a mapping has said so far, one bit a key of its table. */
struct keys {
    const char *const *name; /* NULL-terminated */
    uint32_t seen;
};

static int key_of(struct geo_yaml *y, const yaml_node_t *at, struct keys *k, const char *key)
{
    for (int i = 0; k->name[i] != NULL; i++)
        if (strcmp(k->name[i], key) == 0) {
            k->seen |= 1u << i;
            return i;
        }
    geo_yaml_error(y, at, key, "no such key");
    return -1;
}

static void want_all(struct geo_yaml *y, const yaml_node_t *at, const struct keys *k)
{
    for (int i = 0; k->name[i] != NULL; i++)
        if ((k->seen & 1u << i) == 0)
            geo_yaml_error(y, at, k->name[i], "is missing");
}

/* RFC 1035 2.3.1, lower case. */
static bool is_label(const char *s, size_t len)
{
    return len >= 1 && len <= 63 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len && s[0] >= 'a' && s[0] <= 'z' &&
           s[len - 1] != '-';
}

static char *read_label(struct geo_yaml *y, const yaml_node_t *node, const char *key)
{
    const char *text = geo_yaml_text(y, node, key, 1, 63);
    if (text != NULL && !is_label(text, strlen(text))) {
        geo_yaml_error(y, node, key, "\"%s\" is no DNS label in lower case", text);
        return NULL;
    }
    return text == NULL ? NULL : mer_xstrdup(text);
}

static char *read_zone(struct geo_yaml *y, const yaml_node_t *node, const char *key)
{
    const char *text = geo_yaml_text(y, node, key, 1, 200);
    if (text == NULL)
        return NULL;
    for (const char *s = text;;) {
        size_t len = strcspn(s, ".");
        if (!is_label(s, len)) {
            geo_yaml_error(y, node, key, "\"%s\" is no DNS name in lower case (without a dot at its end)", text);
            return NULL;
        }
        if (s[len] == '\0')
            return mer_xstrdup(text);
        s += len + 1;
    }
}

bool geo_address_is_v6(const char *address)
{
    return strchr(address, ':') != NULL;
}

static void read_addresses(struct geo_yaml *y, yaml_node_t *node, struct geo_region *r)
{
    yaml_node_t *item;
    if (node->type != YAML_SEQUENCE_NODE || geo_yaml_item(y, node, 0) == NULL) {
        geo_yaml_error(y, node, "addresses", "a list of at least one address is wanted");
        return;
    }
    for (size_t i = 0; (item = geo_yaml_item(y, node, i)) != NULL; i++) {
        uint8_t bytes[16];
        const char *text = geo_yaml_text(y, item, "addresses", 2, 45);
        if (text == NULL)
            continue;
        if (inet_pton(geo_address_is_v6(text) ? AF_INET6 : AF_INET, text, bytes) != 1)
            geo_yaml_error(y, item, "addresses", "\"%s\" is no IP address", text);
        else if (r->address_count == GEO_ADDRESSES_MAX)
            geo_yaml_error(y, item, "addresses", "more than %d", GEO_ADDRESSES_MAX);
        else
            r->address[r->address_count++] = mer_xstrdup(text);
    }
}

static char *read_network(struct geo_yaml *y, const yaml_node_t *node)
{
    unsigned a, b;
    char again[32];
    const char *text = geo_yaml_text(y, node, "network_ipv4", 1, 18);
    if (text == NULL)
        return NULL;
    bool good = sscanf(text, "%3u.%3u.0.0/16", &a, &b) == 2 && a < 256 && b < 256;
    if (good)
        snprintf(again, sizeof again, "%u.%u.0.0/16", a, b);
    if (!good || strcmp(again, text) != 0) {
        geo_yaml_error(y, node, "network_ipv4", "\"%s\" is no network of the form 10.20.0.0/16", text);
        return NULL;
    }
    return mer_xstrdup(text);
}

/* ---- the parts ----------------------------------------------------------------------------------------------------------------------- */

enum { R_NAME, R_LATITUDE, R_LONGITUDE, R_CLOUD_REGION, R_SHARE, R_CAPACITY, R_BUDDY, R_NETWORK, R_ADDRESSES };
static const char *const region_keys[] = {
    "name", "latitude", "longitude", "cloud_region", "share_percent", "capacity_players", "buddy", "network_ipv4", "addresses", NULL};

struct reading {
    struct geo_footprint *f;
    struct keys keys;
    struct geo_region *region;          /* the one that is read */
    const char *buddy[GEO_REGIONS_MAX]; /* names, until all are known */
    const yaml_node_t *at[GEO_REGIONS_MAX];
    yaml_node_t *latency;
};

static void region_pair(void *ctx, struct geo_yaml *y, const yaml_node_t *at, const char *key, yaml_node_t *value)
{
    struct reading *g = ctx;
    struct geo_region *r = g->region;
    const char *text;
    switch (key_of(y, at, &g->keys, key)) {
    case R_NAME:
        r->name = read_label(y, value, key);
        break;
    case R_LATITUDE:
        geo_yaml_number(y, value, key, -90, 90, &r->latitude);
        break;
    case R_LONGITUDE:
        geo_yaml_number(y, value, key, -180, 180, &r->longitude);
        break;
    case R_CLOUD_REGION:
        if ((text = geo_yaml_text(y, value, key, 1, 63)) != NULL)
            r->cloud_region = mer_xstrdup(text);
        break;
    case R_SHARE:
        geo_yaml_whole(y, value, key, 0, 100, &r->share_percent);
        break;
    case R_CAPACITY:
        geo_yaml_whole(y, value, key, 1, 1000000000, &r->capacity_players);
        break;
    case R_BUDDY:
        g->buddy[r - g->f->region] = geo_yaml_text(y, value, key, 1, 63);
        break;
    case R_NETWORK:
        r->network_ipv4 = read_network(y, value);
        break;
    case R_ADDRESSES:
        read_addresses(y, value, r);
        break;
    default:
        break;
    }
}

static void read_regions(struct reading *g, struct geo_yaml *y, yaml_node_t *list)
{
    yaml_node_t *item;
    if (list->type != YAML_SEQUENCE_NODE || geo_yaml_item(y, list, 0) == NULL) {
        geo_yaml_error(y, list, "regions", "a list of at least one region is wanted");
        return;
    }
    struct keys outer = g->keys;
    for (size_t i = 0; (item = geo_yaml_item(y, list, i)) != NULL; i++) {
        if (i == GEO_REGIONS_MAX) {
            geo_yaml_error(y, item, "regions", "more than %d", GEO_REGIONS_MAX);
            break;
        }
        g->keys = (struct keys){region_keys, 0};
        g->region = &g->f->region[i];
        g->at[i] = item;
        g->f->count++;
        unsigned errors = y->error_count;
        geo_yaml_each(y, item, "regions", region_pair, g);
        if (item->type == YAML_MAPPING_NODE)
            want_all(y, item, &g->keys);
        else if (errors == y->error_count)
            geo_yaml_error(y, item, "regions", "a mapping of keys is wanted");
    }
    g->keys = outer;
}

enum { D_ZONE, D_TTL };
static const char *const dns_keys[] = {"zone", "ttl_seconds", NULL};

static void dns_pair(void *ctx, struct geo_yaml *y, const yaml_node_t *at, const char *key, yaml_node_t *value)
{
    struct reading *g = ctx;
    int which = key_of(y, at, &g->keys, key);
    if (which == D_ZONE)
        g->f->zone = read_zone(y, value, key);
    else if (which == D_TTL)
        geo_yaml_whole(y, value, key, GEO_TTL_MIN_S, 3600, &g->f->ttl_seconds);
}

enum { F_NAME, F_DNS, F_REGIONS, F_LATENCY };
static const char *const root_keys[] = {"name", "dns", "regions", "latency_ms", NULL};

static void root_pair(void *ctx, struct geo_yaml *y, const yaml_node_t *at, const char *key, yaml_node_t *value)
{
    struct reading *g = ctx;
    switch (key_of(y, at, &g->keys, key)) {
    case F_NAME:
        g->f->name = read_label(y, value, key);
        break;
    case F_DNS: {
        struct keys outer = g->keys;
        g->keys = (struct keys){dns_keys, 0};
        geo_yaml_each(y, value, key, dns_pair, g);
        want_all(y, value, &g->keys);
        g->keys = outer;
        break;
    }
    case F_REGIONS:
        read_regions(g, y, value);
        break;
    case F_LATENCY:
        g->latency = value;
        break;
    default:
        break;
    }
}

/* "us-east eu": 80 */
static void latency_pair(void *ctx, struct geo_yaml *y, const yaml_node_t *at, const char *key, yaml_node_t *value)
{
    struct reading *g = ctx;
    char one[64] = "", two[64] = "", more;
    int a = -1, b = -1;
    uint32_t ms;
    if (sscanf(key, "%63s %63s %c", one, two, &more) == 2) {
        a = geo_footprint_find(g->f, one);
        b = geo_footprint_find(g->f, two);
    }
    if (a < 0 || b < 0 || a == b)
        geo_yaml_error(y, at, key, "two different regions are wanted: \"us-east eu: 80\"");
    else if (g->f->latency_ms[a][b] != 0)
        geo_yaml_error(y, at, key, "this pair was given before");
    else if (geo_yaml_whole(y, value, key, 1, LATENCY_MAX_MS, &ms))
        g->f->latency_ms[a][b] = g->f->latency_ms[b][a] = ms;
}

/* ---- rules over several keys --------------------------------------------------------------------------------------------------------- */

static void judge_addresses(struct reading *g, struct geo_yaml *y, uint32_t a, uint32_t b)
{
    const struct geo_region *ra = &g->f->region[a], *rb = &g->f->region[b];
    for (uint32_t i = 0; i < ra->address_count; i++)
        for (uint32_t j = 0; j < (a == b ? i : rb->address_count); j++)
            if (strcmp(ra->address[i], rb->address[j]) == 0)
                geo_yaml_error(y, g->at[a], "addresses", "%s is %s of %s", ra->address[i], a == b ? "twice an address" : "also an address",
                               rb->name);
}

static void judge_pairs(struct reading *g, struct geo_yaml *y, uint32_t a)
{
    const struct geo_footprint *f = g->f;
    judge_addresses(g, y, a, a);
    for (uint32_t b = 0; b < a; b++) {
        if (strcmp(f->region[a].name, f->region[b].name) == 0)
            geo_yaml_error(y, g->at[a], "name", "\"%s\" is the name of two regions", f->region[a].name);
        if (strcmp(f->region[a].network_ipv4, f->region[b].network_ipv4) == 0)
            geo_yaml_error(y, g->at[a], "network_ipv4", "%s and %s overlap", f->region[a].name, f->region[b].name);
        judge_addresses(g, y, a, b);
    }
}

static void judge_regions(struct reading *g, struct geo_yaml *y)
{
    struct geo_footprint *f = g->f;
    uint32_t shares = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        struct geo_region *r = &f->region[i];
        int buddy = geo_footprint_find(f, g->buddy[i]);
        shares += r->share_percent;
        if (buddy < 0)
            geo_yaml_error(y, g->at[i], "buddy", "\"%s\" is no region", g->buddy[i]);
        else if ((uint32_t)buddy == i && f->count > 1)
            geo_yaml_error(y, g->at[i], "buddy", "%s cannot keep its own copies", r->name);
        else
            r->buddy = (uint32_t)buddy;
        judge_pairs(g, y, i);
    }
    if (shares != 100)
        geo_yaml_error(y, g->at[0], "share_percent", "the shares sum to %u, not to 100", shares);
}

static void judge_latencies(struct reading *g, struct geo_yaml *y)
{
    const struct geo_footprint *f = g->f;
    geo_yaml_each(y, g->latency, "latency_ms", latency_pair, g);
    for (uint32_t a = 0; a < f->count; a++)
        for (uint32_t b = a + 1; b < f->count; b++)
            if (f->latency_ms[a][b] == 0)
                geo_yaml_error(y, g->latency, "latency_ms", "\"%s %s\" is missing", f->region[a].name, f->region[b].name);
}

/* ---- public -------------------------------------------------------------------------------------------------------------------------- */

enum mer_err geo_footprint_load(struct geo_footprint *f, const char *file, struct mer_buf *errors)
{
    struct geo_yaml y;
    struct reading g = {.f = f, .keys = {root_keys, 0}};
    memset(f, 0, sizeof *f);
    yaml_node_t *root = geo_yaml_open(&y, file, errors);
    if (root != NULL) {
        geo_yaml_each(&y, root, NULL, root_pair, &g);
        want_all(&y, root, &g.keys);
        if (y.error_count == 0)
            judge_regions(&g, &y);
        if (y.error_count == 0)
            judge_latencies(&g, &y);
    }
    geo_yaml_close(&y);
    if (y.error_count == 0)
        return MER_OK;
    geo_footprint_deinit(f);
    return MER_EINVALID;
}

int geo_footprint_find(const struct geo_footprint *f, const char *name)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (strcmp(f->region[i].name, name) == 0)
            return (int)i;
    return -1;
}

void geo_footprint_deinit(struct geo_footprint *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        struct geo_region *r = &f->region[i];
        mer_free(&r->name);
        mer_free(&r->cloud_region);
        mer_free(&r->network_ipv4);
        for (uint32_t a = 0; a < r->address_count; a++)
            mer_free(&r->address[a]);
    }
    mer_free(&f->name);
    mer_free(&f->zone);
    memset(f, 0, sizeof *f);
}
