/* SPDX-License-Identifier: Apache-2.0
 * options.h - the command line, and endpoints.json that says where the servers are. */
#pragma once

#include <meridian/err.h>

#include "tests/load/net.h"

enum load_mode { LOAD_PLAY, LOAD_IDLE, LOAD_CONNECT, LOAD_FAILOVER };
enum { LOAD_CROSS_ANY = 101, LOAD_EDGES_MAX = 64, LOAD_REDIS_MAX = 64, LOAD_ROUTERS_MAX = 16, LOAD_REGIONS_MAX = 16 };

struct load_options {
    const char *endpoints, *keys, *issuer, *audience, *ca, *redis_password, *edge, *json, *journal, *public_keys, *sources_from;
    enum load_mode mode;
    uint32_t players, rate, think_ms, ramp_s, warmup_s, seconds, drain_s, cycles, drops, sources, homeward_s, look_s;
    uint32_t cross; /* percent of games made across edges; LOAD_CROSS_ANY: as the matchmaker likes */
    bool proto, strict, quiet, hurry, shared;
    uint64_t seed;
    char default_keys[512], default_ca[512], default_password[512], default_public_keys[512];
};

/* False: leave with *exit_code (help was printed, or an error told). */
bool load_options_parse(struct load_options *o, int argc, char **argv, int *exit_code);

struct load_server {
    char id[64], admin[64]; /* admin: host:port */
    int pid;                /* 0: not known */
};
struct load_edge {
    struct load_server server;
    struct load_url url;
    uint8_t region;
};
struct load_region { /* mode failover */
    char name[32];
    uint32_t first, edges; /* of struct load_endpoints' */
    struct load_url play;  /* the port that all of them share */
    uint64_t trip_us;
};
struct load_endpoints {
    struct load_edge edge[LOAD_EDGES_MAX];
    struct load_url play; /* the port that all edges share; authority is empty when there is none */
    struct load_server router[LOAD_ROUTERS_MAX];
    char redis[LOAD_REDIS_MAX][64];              /* host:port */
    struct load_region region[LOAD_REGIONS_MAX]; /* home first; none but in mode failover */
    uint8_t nearest[LOAD_REGIONS_MAX];
    unsigned edges, routers, redises, regions;
    bool tls;
};
/* Reads the first region of endpoints.json; only_edge: NULL, or the one edge to use. */
MER_MUST_CHECK enum mer_err load_endpoints_read(struct load_endpoints *out, const char *file, const char *only_edge, struct mer_msg *msg);
