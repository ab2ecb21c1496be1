/* SPDX-License-Identifier: Apache-2.0
 * config.c - the table behind --check-config, --print-config-help and the manual page. Routers need no list of each other: the lease says
 * where the leader is. */
#include "region-router/config.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/id.h>
#include <meridian/trace.h>

static const char *const durabilities[] = {"all", "one", "primary", NULL};
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

#define STR(f, lo, hi, d, h) MER_CONF_ROW_STR(struct router_config, f, lo, hi, d, h)
#define STRS(f, lo, hi, d, h) MER_CONF_ROW_STRS(struct router_config, f, lo, hi, d, h)
#define U32(f, lo, hi, d, h) MER_CONF_ROW_U32(struct router_config, f, lo, hi, d, h)
#define BOOL(f, d, h) MER_CONF_ROW_BOOL(struct router_config, f, d, h)
#define ENUM(f, n, d, h) MER_CONF_ROW_ENUM(struct router_config, f, n, d, h)

/* clang-format off */
const struct mer_conf_item router_config_items[] = {
    STR(region, 1, 31, NULL, "region this router belongs to (R30)"),
    STR(id, 1, 47, NULL, "name of this process, unique in the region"),
    STR(link_listen, 1, 255, NULL, "where edges and the other router reach this one: host:port or unix:/path"),
    STR(admin_listen, 1, 255, NULL, "admin port (health, metrics, status): loopback only"),
    STRS(redis_nodes, 1, 64, NULL, "some nodes of the region's Redis Cluster; the rest is learnt"),
    STR(redis_user, 0, 64, "", "ACL user; empty: default"),
    STR(redis_password_file, 0, 4095, "", "file with the password; empty: none"),
    STR(redis_tls_ca, 0, 4095, "", "PEM authority of the Redis nodes' certificates, which are checked against the names the cluster tells; empty: plain"),
    ENUM(redis_durability, durabilities, "all", "what an acknowledgement means: all electable replicas, one, or the primary's log alone"),
    U32(redis_replicas, 0, 5, "2", "replicas a primary; two, because with one no write can be acknowledged after a failover"),
    BOOL(electable_set, "true", "the leader takes lost replicas out of the electable set and puts them back, where nodes have users of their own; false: it only watches, and a shard's moves wait for a lost replica (decision 11)"),
    U32(edge_handshakes_per_second, 1, 100000, "500", "new players a second that one edge takes over from one that drains (R25)"),
    STR(mesh_listen, 0, 255, "", "where routers of other regions reach this one: host:port; empty: nowhere (R31)"),
    STRS(mesh_peers, 0, 64, "", "every router of every other region, as \"region host:port\"; empty: a region alone"),
    STR(control_listen, 0, 255, "", "where meridianctl and geo agents reach this router: unix:PATH, or host:port, with the mesh_tls files by mutual TLS and else of loopback only; empty: nowhere"),
    STR(mesh_tls_cert, 0, 4095, "", "PEM certificate shown to routers of other regions: meridian://<region>/router (infra/host/certificates); read again on SIGHUP"),
    STR(mesh_tls_key, 0, 4095, "", "PEM key of that certificate"),
    STR(mesh_tls_ca, 0, 4095, "", "PEM authorities of the other regions' certificates"),
    BOOL(mesh_plain, "false", "true: no TLS between regions, anybody who reaches mesh_listen may speak as a region: for tests only"),
    STR(trace_endpoint, 0, 511, "", "receiver of traces, OTLP over HTTP: http://HOST:PORT, as http://127.0.0.1:4318 for a collector or Jaeger; empty: nothing is traced (R37)"),
    STRS(region_places, 0, 16, "", "where regions are on the wall's map, as \"region latitude longitude\" in degrees; the others stand beside it"),
    ENUM(log_level, levels, "info", "least important line that is written"),
};
/* clang-format on */
const size_t router_config_item_count = MER_COUNT(router_config_items);

static enum mer_err complain(struct mer_buf *errors, const char *text)
{
    enum mer_err err = mer_buf_appendf(errors, "%s\n", text);
    return err == MER_OK ? MER_EINVALID : err;
}

const char *router_config_peer(const char *peer, char region[ROUTER_REGION_BYTES])
{
    size_t n = strcspn(peer, " ");
    const char *address = peer + n + strspn(peer + n, " ");
    if (!mer_id_is_plain(peer, n, ROUTER_REGION_BYTES - 1) || *address == 0 || strchr(address, ' ') != NULL || strchr(address, ':') == NULL)
        return NULL;
    memcpy(region, peer, n);
    region[n] = 0;
    return address;
}

/* "-77.49": no more than strtod needs to be right about. */
static bool is_degrees(const char *text, size_t len, double most, double *out)
{
    char number[16], *end;
    if (len == 0 || len >= sizeof number || strspn(text, "-.0123456789") < len)
        return false;
    memcpy(number, text, len);
    number[len] = 0;
    *out = strtod(number, &end);
    return *end == 0 && *out >= -most && *out <= most;
}

bool router_config_place(const char *place, char region[ROUTER_REGION_BYTES], double *latitude, double *longitude)
{
    size_t n = strcspn(place, " ");
    const char *first = place + n + strspn(place + n, " ");
    const char *second = first + strcspn(first, " ");
    size_t first_len = (size_t)(second - first);
    second += strspn(second, " ");
    if (!mer_id_is_plain(place, n, ROUTER_REGION_BYTES - 1) || !is_degrees(first, first_len, 90, latitude) ||
        !is_degrees(second, strlen(second), 180, longitude))
        return false;
    memcpy(region, place, n);
    region[n] = 0;
    return true;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0 || strncmp(address, "localhost:", 10) == 0;
}

static enum mer_err validate_peers(const struct router_config *c, struct mer_buf *errors)
{
    enum mer_err err = MER_OK;
    char region[ROUTER_REGION_BYTES];
    for (size_t i = 0; i < c->mesh_peers.count; i++) {
        if (router_config_peer(c->mesh_peers.item[i], region) == NULL)
            err = complain(errors, "mesh_peers: each is \"region host:port\"");
        else if (strcmp(region, c->region) == 0)
            err = complain(errors, "mesh_peers: one is of our own region; routers of a region find each other by the lease");
    }
    return err;
}

static enum mer_err validate_places(const struct router_config *c, struct mer_buf *errors)
{
    enum mer_err err = MER_OK;
    char region[ROUTER_REGION_BYTES];
    double latitude, longitude;
    for (size_t i = 0; i < c->region_places.count; i++)
        if (!router_config_place(c->region_places.item[i], region, &latitude, &longitude))
            err = complain(errors, "region_places: each is \"region latitude longitude\", in degrees");
    return err;
}

static enum mer_err validate_mesh_tls(const struct router_config *c, struct mer_buf *errors)
{
    bool some = c->mesh_tls_cert[0] != 0 || c->mesh_tls_key[0] != 0 || c->mesh_tls_ca[0] != 0;
    bool all = c->mesh_tls_cert[0] != 0 && c->mesh_tls_key[0] != 0 && c->mesh_tls_ca[0] != 0;
    bool used = c->mesh_listen[0] != 0 || c->mesh_peers.count > 0;
    if (c->mesh_plain && some)
        return complain(errors, "mesh_plain: says no TLS, but there are mesh_tls files");
    if (!c->mesh_plain && (used || some) && !all)
        return complain(errors, "mesh_tls_cert, mesh_tls_key, mesh_tls_ca: all three are needed between regions");
    return MER_OK;
}

enum mer_err router_config_validate(const struct router_config *c, struct mer_buf *errors)
{
    enum mer_err err = MER_OK;
    if (c->redis_durability == 0 && c->redis_replicas < 2)
        err = complain(errors, "redis_durability: all needs redis_replicas of 2 or more; say one or primary to accept less");
    if (c->redis_durability == 1 && c->redis_replicas < 1)
        err = complain(errors, "redis_durability: one needs redis_replicas of 1 or more");
    if (!mer_id_is_plain(c->id, strlen(c->id), 47))
        err = complain(errors, "id: only A-Z a-z 0-9 _ - (a dot separates the incarnation)");
    if (!mer_id_is_plain(c->region, strlen(c->region), 31))
        err = complain(errors, "region: only A-Z a-z 0-9 _ -");
    if (c->control_listen[0] != 0 && strncmp(c->control_listen, "unix:", 5) != 0 && !is_loopback(c->control_listen) &&
        c->mesh_tls_cert[0] == 0)
        err = complain(errors, "control_listen: beyond this machine only with the mesh_tls files: who reaches it gives orders");
    struct mer_trace_endpoint endpoint;
    if (c->trace_endpoint[0] != 0 && !mer_trace_endpoint_parse(&endpoint, c->trace_endpoint))
        err = complain(errors, "trace_endpoint: http://HOST:PORT, or with a path");
    enum mer_err peers = validate_peers(c, errors), tls = validate_mesh_tls(c, errors), places = validate_places(c, errors);
    err = err != MER_OK ? err : places;
    return peers != MER_OK ? peers : tls != MER_OK ? tls : err;
}
