/* SPDX-License-Identifier: Apache-2.0
 * relay_private.h - what relay_shell.c (out), relay_in.c (in), relay_refused.c (back to senders) and relay_view.c (for people) share. */
#pragma once

#include <meridian/event_reply.h>
#include <meridian/list.h>
#include <meridian/loop.h>
#include <meridian/map.h>
#include <meridian/metric.h>
#include <meridian/redis.h>

#include "region-router/config.h"
#include "region-router/limits.h"
#include "region-router/relay.h"
#include "region-router/there.h"

#include "meridian/region/v1/region.pb-c.h"

enum {
    ROUTER_RS_RECEIVED,
    ROUTER_RS_TAKEN,
    ROUTER_RS_REPEATED,
    ROUTER_RS_REFUSED,
    ROUTER_RS_GAPS,
    ROUTER_RS_IN_FAILED,
    ROUTER_RS_IN_BAD,
    ROUTER_RS_UNKNOWN,
    ROUTER_RS_CROWDED,
    ROUTER_RS_NOTICES,
    ROUTER_RS_UNDELIVERED,
    ROUTER_RS_UNDELIVERED_LOST,
    ROUTER_RS_SCANNED,
    ROUTER_RS_BAD_REPLIES,
    ROUTER_RS_PRESENCE_ASKED,
    ROUTER_RS_PRESENCE_LOST,
    ROUTER_RS_PRESENCE_SILENT,
    ROUTER_RS_COUNT
};

enum { ROUTER_RP_WAITING, ROUTER_RP_WAITED, ROUTER_RP_COUNTS, ROUTER_RP_COUNT = ROUTER_RP_COUNTS + ROUTER_R_COUNT };

struct router_relay_peer { /* one other region */
    struct router_relays *all;
    char name[ROUTER_REGION_BYTES], label[ROUTER_REGION_BYTES + 16];
    struct router_relay relay;
    uint32_t incoming; /* batches being put into inboxes */
    size_t incoming_bytes;
    uint64_t refused;          /* events that the other side had no room for */
    uint64_t waiting_since_ms; /* the last time that nothing waited; 0: nothing does */
    uint64_t totals[ROUTER_R_COUNT];
    struct mer_metric_def defs[ROUTER_RP_COUNT];
    uint64_t values[ROUTER_RP_COUNT];
    struct mer_metric_set set;
};

struct router_relays {
    struct router_app *app;
    struct router_relay_peer *peer;
    size_t peer_count;
    bool leading;
    uint64_t term;
    unsigned calls;            /* to Redis, without an answer yet */
    unsigned lookups;          /* of users' presence: being read, or waiting for edges */
    unsigned scans;            /* of these, looks at outboxes */
    uint32_t scan_at;          /* the next bucket */
    uint32_t scan_left;        /* to be looked at in a hurry */
    struct mer_timer tick;     /* every 50 ms while leading and there are other regions */
    struct router_there there; /* presence.c, from here on */
    struct mer_map asked;      /* lookups that wait for edges, by number */
    struct mer_list waiting;   /* the same, oldest first */
    struct mer_timer late;     /* for the oldest */
    uint64_t lookup;           /* number of the last */
    uint64_t values[ROUTER_RS_COUNT];
    struct mer_metric_set set;
};

/* A call of the function library under construction. */
struct router_fcall {
    const char *argv[16 + ROUTER_REGIONS_MAX];
    size_t len[16 + ROUTER_REGIONS_MAX];
    int argc;
    char number[6][24], electable[MER_KEY_MAX];
    int numbers;
};
void router__fcall(struct router_fcall *c, const char *function, unsigned key_count);
void router__fcall_text(struct router_fcall *c, const char *text);
void router__fcall_bytes(struct router_fcall *c, const void *data, size_t len);
void router__fcall_u64(struct router_fcall *c, uint64_t n);
void router__fcall_electable(struct router_fcall *c, uint32_t bucket); /* the last key */
/* ctx NULL is MER_ENOMEM. Counted in rs->calls until router__fcall_done. */
MER_MUST_CHECK enum mer_err router__fcall_send(struct router_relays *rs, const struct router_fcall *c, const char *key, bool durable,
                                               mer_redis_cb cb, void *ctx);
/* The end of a call: MER_OK with the reply decoded, or what went wrong. */
MER_MUST_CHECK enum mer_err router__fcall_done(struct router_relays *rs, enum mer_err err, const redisReply *reply,
                                               struct mer_event_reply *out);

/* presence.c */
void router__presence_init(struct router_relays *rs);
void router__presence_deinit(struct router_relays *rs);

struct router_relay_peer *router__relay_peer(struct router_relays *rs, const char *region);

/* relay_view.c: its name and metrics. */
void router__relay_peer_init(struct router_relays *rs, struct router_relay_peer *p, const char *name);

/* relay_in.c: a batch of another region's leader. */
void router__relay_take(struct router_relay_peer *p, const Meridian__Region__V1__RelayBatch *b);
/* Tells the edges named by a reply that the user has a new event, or, where it has no number, that he has had it for a while. */
void router__relay_notice(struct router_relays *rs, const void *event, size_t len, const struct mer_event_reply *r);

/* relay_refused.c: events of a batch found no room; their senders get word in their inboxes, then done(ctx, ok) comes. */
MER_MUST_CHECK enum mer_err router__relay_refused(struct router_relay_peer *p, uint32_t bucket, const uint64_t *number, size_t count,
                                                  void (*done)(void *ctx, bool ok), void *ctx);
