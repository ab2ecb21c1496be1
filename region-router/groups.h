/* SPDX-License-Identifier: Apache-2.0
 * groups.h - tickets with a code: friends who wait for each other and for nobody else (pure; decision 22). A ticket with a code is a ticket
 * like any other, but it stands in the group of its code instead of the pool: no rating, no patience, any region.
 *
 *   group:   (first ticket) --> WITHOUT HOST --host comes--> HOSTED --all there, or bots due--> a match --ordered--> SPENT
 *                                  |    ^                     |   |                                                   (10 min)
 *                   4 s: unknown <-+    +-- his edge is lost -+   +-- he cancels, expires --> WITHDRAWN
 *                                           (30 s to return)
 *
 * A spent group whose game could not be made is hosted again when its host's ticket is back.
 *
 * What the host asks for counts; who comes with the code takes it as it is. The tickets of a group are told to all regions at once, so each
 * leader knows all of them and the host region is found by the same rule as ever (cross.h). */
#pragma once

#include <meridian/list.h>
#include <meridian/map.h>

#include "region-router/limits.h"

struct router_matcher;
struct router_ticket;

struct router_group {
    uint64_t key;           /* of the code */
    struct mer_list member; /* of struct router_member, as they came */
    unsigned count, hosts;
    uint64_t hostless_ms; /* since then nobody hosts */
    uint64_t joined_ms;   /* somebody came last */
    uint8_t end;          /* enum router_group_end */
    bool hosted;          /* it had one */
    struct mer_list kept; /* SPENT: of the matcher's, oldest first */
    uint64_t spent_ms;
};
enum router_group_end { ROUTER_GROUP_OPEN, ROUTER_GROUP_SPENT, ROUTER_GROUP_WITHDRAWN };

struct router_groups {
    struct mer_map by_key, members; /* members: by ticket */
    struct mer_list spent;
    unsigned spent_count;
};

void router_groups_init(struct router_groups *g, const uint64_t seed[2]);
/* Of tickets that are forgotten, too. */
void router_groups_deinit(struct router_groups *g);
struct router_group_wish {
    uint64_t key; /* of the code; 0: none */
    bool hosts;
    unsigned region; /* where the code is from, by index; ours where that is not known */
};
/* MER_EBUSY: too many came with this code. MER_ENOMEM. */
MER_MUST_CHECK enum mer_err router_group_join(struct router_matcher *m, struct router_ticket *t, const struct router_group_wish *w);
/* The ticket ends. `matched`: in a game; `lost`: with its edge. Whoever stays in vain has his timer armed. */
enum router_group_why { ROUTER_GROUP_WHY_ENDED, ROUTER_GROUP_WHY_MATCHED, ROUTER_GROUP_WHY_LOST };
void router_group_leave(struct router_matcher *m, struct router_ticket *t, enum router_group_why why);
/* Makes the match if all are there who are needed and it is ours to make. */
bool router_group_try(struct router_matcher *m, struct router_ticket *t);
/* Why it is to be given up now; NULL: it goes on. */
const char *router_group_verdict(const struct router_matcher *m, const struct router_ticket *t);
void router_group_explain(const struct router_matcher *m, const struct router_ticket *t, char *out);
/* What it came with; key 0: no code. */
struct router_group_wish router_group_of(const struct router_matcher *m, const struct router_ticket *t);
void router_groups_check(const struct router_groups *g);
