/* SPDX-License-Identifier: Apache-2.0
 * electable_private.h - what electable.c and electable_act.c share. */
#pragma once

#include "region-router/electable.h"

enum {
    LOST_MS = 3000,      /* architecture section 4: longer than a node that is restarted at once, or a slow moment */
    FRESH_MS = 2000,     /* what a node said is true for so long: a hung one answers nothing for 1.5 s and is then known to */
    LAG_OK_S = 1,        /* replicas report once a second, and the lag is counted in whole seconds */
    STEADY_MS = 1000,    /* a node that answers again is tried after so long */
    RAISE_MS = 5000,     /* one batch; longer: the other replica is gone too */
    SYNC_MS = 60 * 1000, /* a heap over the network; the moves of the shard wait for it */
    MEET_MS = 20 * 1000, /* twice what nodes take at worst to shake hands (node timeout 2 s, five tries) */
    RETRY_MS = 200,
};

void router__member_event(struct router_electable *e, struct router_member *m, enum router_member_event ev, uint64_t now_ms);
struct router_member *router__member_by_id(const struct router_electable *e, const char *id);
/* It answered, and that is not long ago. */
bool router__fresh(const struct router_member *m, uint64_t now_ms);
/* Who leads a shard: of its members that say they do, the one with the highest epoch; NULL when that one does not answer now. */
struct router_member *router__leads(const struct router_electable *e, const char *shard, uint64_t now_ms);
/* Highest epoch of the cluster that any node told. */
uint64_t router__epoch(const struct router_electable *e);
/* p says that m follows it closely. */
bool router__in_step(const struct router_member *p, const struct router_member *m);
unsigned router__count_wanted(const struct router_electable *e, const char *shard);

/* electable_act.c: does what m's state asks for; DONE when it is done. p leads m's shard. */
void router__member_act(struct router_electable *e, struct router_member *m, struct router_member *p, uint64_t now_ms);
/* Stores the shard's count when it should be another one. */
void router__shard_store(struct router_electable *e, struct router_shard *s, const struct router_member *p, uint64_t now_ms);
