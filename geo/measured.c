/* SPDX-License-Identifier: Apache-2.0
 * measured.c - reads and judges geo/measured.yaml (measured.h). */
#include "geo/measured.h"

#include <arpa/inet.h>
#include <string.h>

#include <meridian/mem.h>

#include "geo/places.h"
#include "geo/yaml.h"

enum { MS_MAX = 5000 };

struct reading {
    struct geo_measured *m;
    const struct geo_footprint *f;
};

/* "IN" or "US-TX"; -1: not in the table. */
static int place_of(const char *code)
{
    for (size_t i = 0; i < geo_place_count; i++) {
        char text[8];
        const struct geo_place *p = &geo_places[i];
        snprintf(text, sizeof text, "%s%s%s", p->country, p->part[0] ? "-" : "", p->part);
        if (p->country[0] != '\0' && strcmp(text, code) == 0)
            return (int)i;
    }
    return -1;
}

/* "IN asia": 130 */
static void place_pair(void *ctx, struct geo_yaml *y, const yaml_node_t *at, const char *key, yaml_node_t *value)
{
    struct reading *g = ctx;
    char code[16] = "", name[64] = "", more;
    uint32_t ms;
    int place = -1, region = -1;
    if (sscanf(key, "%15s %63s %c", code, name, &more) == 2) {
        place = place_of(code);
        region = geo_footprint_find(g->f, name);
    }
    if (place < 0 || region < 0)
        geo_yaml_error(y, at, key, "a place and a region are wanted: \"IN asia: 130\"");
    else if (geo_yaml_whole(y, value, key, 1, MS_MAX, &ms))
        g->m->ms[place][region] = (uint16_t)ms;
}

/* Address, length, and nothing behind it. */
static bool is_prefix(const char *text)
{
    char address[46];
    uint8_t bytes[16] = {0};
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    bool v6 = geo_address_is_v6(address);
    char *end;
    unsigned long bits = strtoul(slash + 1, &end, 10), all = v6 ? 128 : 32;
    if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > all || inet_pton(v6 ? AF_INET6 : AF_INET, address, bytes) != 1)
        return false;
    for (unsigned long i = bits; i < all; i++)
        if (bytes[i / 8] & 0x80 >> i % 8)
            return false;
    return true;
}

static void network_pair(void *ctx, struct geo_yaml *y, const yaml_node_t *at, const char *key, yaml_node_t *value)
{
    struct reading *g = ctx;
    struct geo_network n = {{0}};
    uint32_t count = 0, seen = 0;
    if (strlen(key) >= sizeof n.prefix || !is_prefix(key)) {
        geo_yaml_error(y, at, key, "a prefix is wanted, with no bit set behind its length: \"203.0.113.0/24\"");
        return;
    }
    snprintf(n.prefix, sizeof n.prefix, "%s", key);
    yaml_node_t *item;
    for (size_t i = 0; (item = geo_yaml_item(y, value, i)) != NULL; i++) {
        const char *name = geo_yaml_text(y, item, key, 1, 63);
        int region = name == NULL ? -1 : geo_footprint_find(g->f, name);
        if (region < 0 || (seen & 1u << region) != 0)
            break;
        seen |= 1u << region;
        n.order[count++] = (uint8_t)region;
    }
    if (item != NULL || count != g->f->count) {
        geo_yaml_error(y, value, key, "every region once is wanted, nearest first");
    } else if (g->m->network_count == GEO_NETWORKS_MAX) {
        geo_yaml_error(y, at, key, "more than %d networks", GEO_NETWORKS_MAX);
    } else {
        g->m->network = mer_xrealloc(g->m->network, (g->m->network_count + 1) * sizeof n);
        g->m->network[g->m->network_count++] = n;
    }
}

static void root_pair(void *ctx, struct geo_yaml *y, const yaml_node_t *at, const char *key, yaml_node_t *value)
{
    if (strcmp(key, "places") == 0)
        geo_yaml_each(y, value, key, place_pair, ctx);
    else if (strcmp(key, "networks") == 0)
        geo_yaml_each(y, value, key, network_pair, ctx);
    else
        geo_yaml_error(y, at, key, "no such key");
}

enum mer_err geo_measured_load(struct geo_measured *m, const struct geo_footprint *f, const char *file, struct mer_buf *errors)
{
    struct geo_yaml y;
    struct reading g = {m, f};
    *m = (struct geo_measured){.ms = mer_xcalloc(geo_place_count, sizeof *m->ms)};
    yaml_node_t *root = geo_yaml_open(&y, file, errors);
    if (root != NULL)
        geo_yaml_each(&y, root, NULL, root_pair, &g);
    geo_yaml_close(&y);
    if (y.error_count == 0)
        return MER_OK;
    geo_measured_deinit(m);
    return MER_EINVALID;
}

void geo_measured_deinit(struct geo_measured *m)
{
    mer_free(&m->ms);
    mer_free(&m->network);
    m->network_count = 0;
}
