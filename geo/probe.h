/* SPDX-License-Identifier: Apache-2.0
 * probe.h - is a player port alive, as a player would find out: connect, TLS, upgrade, a message sent and come back. Once a second an
 * address, never two at a time; no answer within a second is a failure. A 503 is neither: it lives and has too much to do. */
#pragma once

#include <meridian/rng.h>
#include <meridian/stream.h>

#include "geo/policy.h"

enum { GEO_PROBE_PERIOD_MS = 1000, GEO_PROBE_TIMEOUT_MS = 1000, GEO_PROBE_ANSWER_MAX = 4096 };

struct geo_probe_conf {
    struct mer_loop *loop;
    struct mer_rng rng;
    SSL_CTX *tls;            /* NULL: plain */
    const char *name, *path; /* kept */
};

enum geo_probe_state { GEO_PROBE_IDLE, GEO_PROBE_OPENING, GEO_PROBE_UPGRADING, GEO_PROBE_ECHOING };

struct geo_probe {
    const struct geo_probe_conf *conf; /* kept */
    char address[80];                  /* host:port */
    enum geo_probe_state state;
    struct mer_stream *stream;
    struct mer_buf in;
    uint8_t payload[16];
    struct mer_timer timer; /* idle: the next one; else: too late */
    uint64_t began_us;
    enum geo_verdict verdict; /* of the last that ended */
    char why[128];            /* of a bad one */
    uint32_t took_us;         /* of the last good one */
    uint64_t good, bad;
};

/* The first begins at once. */
void geo_probe_start(struct geo_probe *p, const struct geo_probe_conf *conf, const char *address, uint16_t port);
void geo_probe_stop(struct geo_probe *p);
