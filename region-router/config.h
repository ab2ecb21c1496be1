/* SPDX-License-Identifier: Apache-2.0
 * config.h - the router's configuration; the table in config.c gives type, range, default and reason of each key. Frozen after start. */
#pragma once

#include <meridian/conf.h>

#include "region-router/limits.h"

struct router_config {
    char *region, *id;
    char *link_listen;
    char *admin_listen;
    struct mer_strs redis_nodes;
    char *redis_user, *redis_password_file, *redis_tls_ca;
    uint32_t redis_durability; /* enum mer_durability */
    uint32_t redis_replicas;
    bool electable_set;
    uint32_t edge_handshakes_per_second;
    char *mesh_listen;
    struct mer_strs mesh_peers; /* "region host:port" each */
    char *mesh_tls_cert, *mesh_tls_key, *mesh_tls_ca;
    bool mesh_plain;
    char *control_listen;
    char *trace_endpoint;
    struct mer_strs region_places;
    uint32_t log_level; /* enum mer_level */
};

extern const struct mer_conf_item router_config_items[];
extern const size_t router_config_item_count;

/* The region of one of mesh_peers into `region`; returns the address behind it, or NULL when that is no peer. Pure. */
const char *router_config_peer(const char *peer, char region[ROUTER_REGION_BYTES]);

/* One of region_places: the region, and where it is in degrees. False when it is none. Pure. */
bool router_config_place(const char *place, char region[ROUTER_REGION_BYTES], double *latitude, double *longitude);

/* Cross-field rules; every breach is one line in `errors`. Pure. */
MER_MUST_CHECK enum mer_err router_config_validate(const struct router_config *c, struct mer_buf *errors);
