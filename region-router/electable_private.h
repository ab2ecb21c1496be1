/* SPDX-License-Identifier: Apache-2.0
 * electable_private.h - what electable.c, electable_look.c, electable_act.c and electable_gone.c share. */
#pragma once

#include "region-router/electable.h"

enum {
    LOST_MS = 3000,      /* architecture section 4: longer than a node that is restarted at once, or a slow moment */
    FRESH_MS = 2000,     /* what a node said is true for so long: a hung one answers nothing for 1.5 s and is then known to */
    VOTE_MS = 500,       /* a candidate waits so long after all agreed that its primary has failed: what is older says nothing of votes */
    LAG_OK_S = 1,        /* replicas report once a second, and the lag is counted in whole seconds */
    STEADY_MS = 1000,    /* a node that answers again is tried after so long */
    RAISE_MS = 5000,     /* one batch; longer: the other replica is gone too */
    SYNC_MS = 60 * 1000, /* a heap over the network; the moves of the shard wait for it */
    MEET_MS = 20 * 1000, /* twice what nodes take at worst to shake hands (node timeout 2 s, five tries) */
    RETRY_MS = 200,
};

void router__member_event(struct router_electable *e, struct router_member *m, enum router_member_event ev, uint64_t now_ms);
struct router_member *router__member_by_id(const struct router_electable *e, const char *id);
bool router__of_shard(const struct router_member *m, const struct router_shard *s);

/* electable_look.c: what the nodes' answers mean together */

/* It answered, and that is not long ago. */
bool router__fresh(const struct router_member *m, uint64_t now_ms);
/* It says of itself that it is a primary with slots. */
bool router__is_primary(const struct router_member *m);
/* p says that m follows it closely. */
bool router__in_step(const struct router_member *p, const struct router_member *m);
/* Sets lead and backed of all shards. */
void router__look_around(struct router_electable *e, uint64_t now_ms);
/* Does a majority of the primaries, asked within_ms ago or later, show the shard's leader as what it is, and alive? */
bool router__backed(const struct router_electable *e, const struct router_shard *s, uint32_t within_ms, uint64_t now_ms);
/* Primaries that answer and do not know m. */
unsigned router__unknown(const struct router_electable *e, const struct router_member *m);
/* How many primaries an election needs. */
unsigned router__majority(const struct router_electable *e);
/* Highest epoch of the cluster that any node told. */
uint64_t router__epoch(const struct router_electable *e);
/* Replicas of the shard that can be elected as far as we know, also those that were never seen; the count is that, and at least 1. */
unsigned router__remaining(const struct router_electable *e, const struct router_shard *s);
unsigned router__count_wanted(const struct router_electable *e, const struct router_shard *s);

/* electable_gone.c: drops the members that the cluster has no more, once their notes are deleted. True: some were, and members and shards
 * lie elsewhere now. */
bool router__drop_gone(struct router_electable *e, uint64_t now_ms);

/* electable_act.c: does what m's state asks for; DONE when it is done. s->lead is there, and backed. */
void router__member_act(struct router_electable *e, struct router_shard *s, struct router_member *m, uint64_t now_ms);
/* Stores the shard's count when it should be another one. */
void router__shard_store(struct router_electable *e, struct router_shard *s, uint64_t now_ms);
