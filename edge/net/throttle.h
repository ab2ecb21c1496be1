/* SPDX-License-Identifier: Apache-2.0
 * throttle.h - how much one address may take: open connections, connections not yet upgraded, new connections a second. An address is an
 * IPv4 address or an IPv6 /64. A table of fixed size, so that many addresses cost no more memory than few. Pure. */
#pragma once

#include <meridian/bucket.h>

#include "edge/net/addr.h"

struct edge_throttle_conf {
    uint32_t connections, pending;     /* an address; 0: no limit */
    struct mer_bucket_rate handshakes; /* new connections an address; per_second 0: no limit */
    uint32_t sets;                     /* of EDGE_THROTTLE_WAYS addresses; a power of two; 0: 4096 */
    uint64_t seed[2];
};

enum { EDGE_THROTTLE_WAYS = 8 };

struct edge_throttle_entry {
    uint64_t key; /* 0: free */
    uint32_t connections, pending;
    struct mer_bucket handshakes, refusals;
};

struct edge_throttle {
    struct edge_throttle_conf conf;
    struct edge_throttle_entry *entry;
    uint64_t untracked; /* connections admitted without a place in the table: every entry of their set was in use */
};

enum edge_admit {
    EDGE_ADMIT_OK,
    EDGE_ADMIT_REFUSE, /* over a limit; counted as open, tell it 429 */
    EDGE_ADMIT_CLOSE   /* far over: not counted, close at once */
};

MER_MUST_CHECK enum mer_err edge_throttle_init(struct edge_throttle *t, const struct edge_throttle_conf *conf);
void edge_throttle_deinit(struct edge_throttle *t);
/* A new connection. *tracked must be kept and given back to the two below; false also when nothing is limited. */
enum edge_admit edge_throttle_enter(struct edge_throttle *t, const struct edge_addr *a, uint64_t now_ms, bool *tracked);
/* It was upgraded: not pending any more. */
void edge_throttle_upgraded(struct edge_throttle *t, const struct edge_addr *a);
/* It ended, before or after its upgrade. */
void edge_throttle_leave(struct edge_throttle *t, const struct edge_addr *a, bool upgraded);
/* When the address may try again. */
uint32_t edge_throttle_wait_ms(const struct edge_throttle *t, const struct edge_addr *a, uint64_t now_ms);
