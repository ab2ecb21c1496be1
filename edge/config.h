/* SPDX-License-Identifier: Apache-2.0
 * config.h - the edge's configuration; the table in config.c gives type, range, default and reason of each key. Frozen after start. */
#pragma once

#include <meridian/conf.h>

enum edge_drop_policy { EDGE_DROP_BOT, EDGE_DROP_ABANDON };

struct edge_config {
    char *region, *id;
    struct mer_strs player_listen;
    char *public_url;
    struct mer_strs regions;
    char *admin_listen;
    char *bus_listen;
    uint32_t bus_carrier; /* enum edge_bus_carrier */
    char *run_dir;
    struct mer_strs routers;
    struct mer_strs redis_nodes;
    char *redis_user, *redis_password_file, *redis_tls_ca;
    uint32_t redis_durability; /* enum mer_durability */
    uint32_t redis_replicas;
    char *token_keys, *token_issuer, *token_audience;
    uint32_t token_max_lifetime_s;
    bool token_hs256_allowed;
    char *guest_keys, *regions_keys;
    bool guest_allowed;
    bool native_clients_allowed;
    struct mer_strs origins;
    bool echo_enabled;
    char *tls_certificate, *tls_key, *tls_tickets;
    struct mer_strs balancers;
    uint32_t max_connections;
    uint32_t max_message_bytes;
    uint32_t heartbeat_ms;
    uint32_t handshakes_per_second, handshakes_burst;
    uint32_t connections_per_address;
    uint32_t messages_per_second, messages_burst;
    uint32_t ring_pool_bytes;
    bool overload_refuse;
    uint32_t overload_late_ms;
    uint64_t max_memory_bytes;
    uint32_t drain_deadline_ms;
    uint32_t drop_policy; /* enum edge_drop_policy */
    uint32_t seat_grace_ms, seat_pause_ms;
    char *trace_endpoint;
    uint32_t trace_per_million;
    uint32_t log_level; /* enum mer_level */
};

extern const struct mer_conf_item edge_config_items[];
extern const size_t edge_config_item_count;

/* Cross-field rules; every breach is one line in `errors`. Pure. */
MER_MUST_CHECK enum mer_err edge_config_validate(const struct edge_config *c, struct mer_buf *errors);
