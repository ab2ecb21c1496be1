/* SPDX-License-Identifier: Apache-2.0
 * name_server.h - the servers that the zone names for itself: NS, and the addresses of those whose names lie in it (pure). A resolver that
 * learns of ns1.play.test from play.test itself cannot ask anybody else where that is: without its address the zone is lame. */
#pragma once

#include "geo/footprint.h"

enum {
    GEO_NAME_SERVERS_MAX = 16,        /* one a region */
    GEO_NAME_SERVER_ADDRESSES_MAX = 4 /* no special reason: one of each family is usual */
};

struct geo_name_server {
    char name[254]; /* lower case, without the last dot */
    char address[GEO_NAME_SERVER_ADDRESSES_MAX][46];
    uint32_t address_count; /* 0: the name is another zone's, which knows its addresses */
};

/* "NAME" or "NAME=ADDRESS,ADDRESS". Inside the zone with addresses, and not a name that players ask for; outside without. MER_EINVALID
 * with msg. */
MER_MUST_CHECK enum mer_err geo_name_server_parse(struct geo_name_server *s, const struct geo_footprint *f, const char *text,
                                                  struct mer_msg *msg);
/* Where none is given: ns1.<zone>, at the addresses gdnsd listens on ("HOST:PORT", NULL-terminated). MER_EINVALID with msg when these say
 * nothing ("any", "0.0.0.0"). */
MER_MUST_CHECK enum mer_err geo_name_server_default(struct geo_name_server *s, const struct geo_footprint *f, const char *const *listen,
                                                    struct mer_msg *msg);
