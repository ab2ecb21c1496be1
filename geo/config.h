/* SPDX-License-Identifier: Apache-2.0
 * config.h - the configuration of meridian-geo; the table in config.c gives type, range, default and reason of each key. */
#pragma once

#include <meridian/conf.h>

#include "geo/footprint.h"

struct geo_config {
    char *footprint, *id;
    char *state_file, *journal;
    char *admin_listen, *control_listen;
    struct mer_strs routers; /* "region=host:port" */
    char *tls_cert, *tls_key, *tls_ca;
    uint32_t probe_port;
    char *probe_path, *probe_name, *probe_tls_ca;
    uint32_t log_level; /* enum mer_level */
};

extern const struct mer_conf_item geo_config_items[];
extern const size_t geo_config_item_count;

/* The file's rules and the footprint's; every breach is one line in `errors`. *f is filled on success. */
MER_MUST_CHECK enum mer_err geo_config_validate(const struct geo_config *c, struct geo_footprint *f, struct mer_buf *errors);
/* Region and address of one of `routers`; false: not of that form. */
bool geo_config_router(const struct geo_footprint *f, const char *item, uint32_t *region, const char **address);
