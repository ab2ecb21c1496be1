/* SPDX-License-Identifier: Apache-2.0
 * config.c - the table behind --check-config, --print-config-help and the manual page. One machine and the full footprint differ in values,
 * not in keys (R3). */
#include "edge/config.h"

#include <string.h>

#include <meridian/id.h>
#include <meridian/trace.h>

#include "edge/limits.h"
#include "edge/session/regions.h"

static const char *const durabilities[] = {"all", "one", "primary", NULL};
static const char *const drop_policies[] = {"bot", "abandon", NULL};
static const char *const carriers[] = {"links", "redis", NULL};
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

#define STR(f, lo, hi, d, h) MER_CONF_ROW_STR(struct edge_config, f, lo, hi, d, h)
#define STRS(f, lo, hi, d, h) MER_CONF_ROW_STRS(struct edge_config, f, lo, hi, d, h)
#define U32(f, lo, hi, d, h) MER_CONF_ROW_U32(struct edge_config, f, lo, hi, d, h)
#define U64(f, lo, hi, d, h) MER_CONF_ROW_U64(struct edge_config, f, lo, hi, d, h)
#define BOOL(f, d, h) MER_CONF_ROW_BOOL(struct edge_config, f, d, h)
#define ENUM(f, n, d, h) MER_CONF_ROW_ENUM(struct edge_config, f, n, d, h)

/* clang-format off */
const struct mer_conf_item edge_config_items[] = {
    STR(region, 1, 31, NULL, "region this edge belongs to (R30)"),
    STR(id, 1, 47, NULL, "name of this process, unique in the region: us-east-h07-3"),
    STRS(player_listen, 1, 16, NULL, "addresses for players; every edge of a host may share one (SO_REUSEPORT)"),
    STR(public_url, 0, 255, "", "this edge's own address as players reach it, for /v1/regions; empty: only the shared one"),
    STRS(regions, 0, 16, "", "all regions, nearest to this one first, as \"NAME https://HOST\": what players fall back on, told in /v1/regions; none: this region alone (R32)"),
    STR(admin_listen, 1, 255, NULL, "admin port (health, metrics, drain): loopback only"),
    STR(bus_listen, 1, 255, NULL, "where other edges of the region reach this one: unix:/path or host:port (R9)"),
    ENUM(bus_carrier, carriers, "links", "how edges reach each other: directly, or through Redis where they cannot; the same for a whole region (R9)"),
    STR(run_dir, 0, 4000, "", "folder for the file that says, after a crash, which game it was; empty: beside the bus's unix socket, if it is one"),
    STRS(routers, 0, 8, "", "link addresses of the region's routers; none: no matchmaking"),
    STRS(redis_nodes, 1, 64, NULL, "some nodes of the region's Redis Cluster; the rest is learnt (R6)"),
    STR(redis_user, 0, 64, "", "ACL user; empty: default"),
    STR(redis_password_file, 0, 4095, "", "file with the password; empty: none"),
    STR(redis_tls_ca, 0, 4095, "", "PEM authority of the Redis nodes' certificates, which are checked against the names the cluster tells; empty: plain"),
    ENUM(redis_durability, durabilities, "all", "what an acknowledgement means: all electable replicas, one, or the primary's log alone"),
    U32(redis_replicas, 0, 5, "2", "replicas a primary; two, because with one no write can be acknowledged after a failover"),
    STR(token_keys, 1, 4095, NULL, "JWKS file with the public keys players' tokens are checked with; read again on SIGHUP (R11)"),
    STR(token_issuer, 1, 255, NULL, "`iss` a token must have"),
    STR(token_audience, 1, 255, NULL, "`aud` a token must name"),
    U32(token_max_lifetime_s, 60, 86400, "900", "a token may expire at most this far ahead; 5 minutes is usual (R11)"),
    BOOL(token_hs256_allowed, "false", "accept HS256 keys of the JWKS file: whoever can check such tokens can make them"),
    STR(guest_keys, 0, 4095, "", "JWKS file with the private key guest tokens are signed with"),
    STR(regions_keys, 0, 4095, "", "JWKS file with the private key the list of regions is signed with; empty: that of guest_keys"),
    BOOL(guest_allowed, "false", "POST /v1/guest gives tokens to anybody"),
    BOOL(native_clients_allowed, "true", "accept upgrades without an Origin header"),
    STRS(origins, 0, 64, "", "origins browsers may come from, exact; this edge's own addresses are always allowed"),
    BOOL(echo_enabled, "false", "/v1/echo, for measuring and for the probes of geo agents, which take an edge without it for dead (R32)"),
    STR(tls_certificate, 0, 4095, "", "PEM chain; empty: plain"),
    STR(tls_key, 0, 4095, "", "PEM key"),
    STR(tls_tickets, 0, 4095, "", "ticket keys shared by the region's edges; read again on SIGHUP; empty: no resumption"),
    STRS(balancers, 0, 64, "", "networks (CIDR) whose connections begin with a PROXY v2 header"),
    U32(max_connections, 16, 2000000, "500000", "connections one process accepts; lowered to what its descriptors carry (R1)"),
    U32(max_message_bytes, 1024, 16777216, "16384", "longest message of a client; longer: 1009"),
    U32(heartbeat_ms, 1000, 300000, "30000", "WebSocket ping period; silent for three is dead (R12)"),
    U32(handshakes_per_second, 1, 1000000, "10", "new connections a second from one address (R18)"),
    U32(handshakes_burst, 1, 1000000, "64", "and at once"),
    U32(connections_per_address, 1, 2000000, "64", "open connections from one address (IPv6: one /64) (R18)"),
    U32(messages_per_second, 1, 1000000, "20", "messages of one connection, and of one user (R18)"),
    U32(messages_burst, 1, 1000000, "40", "and at once"),
    U32(ring_pool_bytes, 65536, 1073741824, "67108864", "memory for replay to reconnecting clients, all sessions together"),
    BOOL(overload_refuse, "true", "refuse new work under load, so that games in play keep their pace; false only for measuring (R25)"),
    U32(overload_late_ms, 1, 10000, "25", "messages lie so long on average: no new games, few newcomers; four times as long: nobody new (R25)"),
    U64(max_memory_bytes, 0, 1099511627776, "0", "resident memory; 80 % of it: nobody new. 0: its control group's limit, or the machine's divided by its cores (R25)"),
    U32(drain_deadline_ms, 0, 86400000, "60000", "a drain gives up waiting after this and leaves the rest to crash recovery (R22)"),
    ENUM(drop_policy, drop_policies, "bot", "who stays away longer than the pause: bot plays for him until he is back, or his seat is given up (R21)"),
    U32(seat_grace_ms, 100, 3600000, "30000", "a lost player's seat is kept so long while the game goes on (R20)"),
    U32(seat_pause_ms, 100, 3600000, "120000", "then the game waits so long for him (R21)"),
    STR(trace_endpoint, 0, 511, "", "receiver of traces, OTLP over HTTP: http://HOST:PORT, as http://127.0.0.1:4318 for a collector or Jaeger; empty: nothing is traced (R37)"),
    U32(trace_per_million, 0, 1000000, "0", "of a million requests of players to their games and for matches, how many begin a trace; parts of traces begun elsewhere are always told"),
    ENUM(log_level, levels, "info", "least important line that is written"),
};
/* clang-format on */
const size_t edge_config_item_count = MER_COUNT(edge_config_items);

static enum mer_err complain(struct mer_buf *errors, const char *text)
{
    enum mer_err err = mer_buf_appendf(errors, "%s\n", text);
    return err == MER_OK ? MER_EINVALID : err;
}

enum mer_err edge_config_validate(const struct edge_config *c, struct mer_buf *errors)
{
    enum mer_err err = MER_OK;
    if ((c->tls_certificate[0] == 0) != (c->tls_key[0] == 0))
        err = complain(errors, "tls_certificate: goes with tls_key, both or none");
    if (c->tls_tickets[0] != 0 && c->tls_certificate[0] == 0)
        err = complain(errors, "tls_tickets: needs tls_certificate");
    if (c->guest_allowed && c->guest_keys[0] == 0)
        err = complain(errors, "guest_allowed: needs guest_keys");
    if (c->guest_allowed && c->token_max_lifetime_s < EDGE_GUEST_TOKEN_S + EDGE_TOKEN_SKEW_S)
        err = complain(errors, "token_max_lifetime_s: 305 or more with guest_allowed: guests' tokens hold 300 s, and clocks differ");
    if (c->redis_durability == 0 && c->redis_replicas < 2)
        err = complain(errors, "redis_durability: all needs redis_replicas of 2 or more; say one or primary to accept less");
    if (c->redis_durability == 1 && c->redis_replicas < 1)
        err = complain(errors, "redis_durability: one needs redis_replicas of 1 or more");
    if (!mer_id_is_plain(c->id, strlen(c->id), 47))
        err = complain(errors, "id: only A-Z a-z 0-9 _ - (a dot separates the incarnation)");
    if (!mer_id_is_plain(c->region, strlen(c->region), 31))
        err = complain(errors, "region: only A-Z a-z 0-9 _ -");
    struct mer_trace_endpoint endpoint;
    if (c->trace_endpoint[0] != 0 && !mer_trace_endpoint_parse(&endpoint, c->trace_endpoint))
        err = complain(errors, "trace_endpoint: http://HOST:PORT, or with a path");
    if (c->trace_per_million != 0 && c->trace_endpoint[0] == 0)
        err = complain(errors, "trace_per_million: needs trace_endpoint");
    for (size_t i = 0; i < c->regions.count; i++) {
        char name[32];
        const char *url;
        if (!edge_regions_row(c->regions.item[i], name, &url))
            err = complain(errors, "regions: each is NAME http[s]://host[:port], with one blank between");
    }
    if (c->public_url[0] != 0 && strncmp(c->public_url, "http://", 7) != 0 && strncmp(c->public_url, "https://", 8) != 0)
        err = complain(errors, "public_url: http://host:port or https://host:port");
    return err;
}
