/* SPDX-License-Identifier: Apache-2.0
 * electable_gone.c - whom the cluster has no more: the nodes of a shard that was taken away. See electable.h.
 *
 * Nobody is gone because nobody lists him: who is OUT was forgotten at our own word, and is called back when he answers. So a shard goes
 * as a whole, and on three conditions. (1) The leaders that answer own all slots: each shows exactly the others as primaries with slots,
 * and nothing hidden, and says that all slots have an owner. Then they are all who may vote, and no partition has another primary with
 * slots: each of them would show it. (2) Neither they nor anybody else who answers lists a node of that shard. So it has no slots, no write
 * waits for its replicas, and no election can choose one: nobody votes for whom he does not know. (3) One of its nodes is IN, whom we tell
 * nobody to forget: an operator did. Who is down or cut off stays listed, with his slots or as a replica of them, until an operator says
 * otherwise; of a shard with slots nobody goes.
 *
 * A node drops when its note is deleted: a later leader would remember it. Those who are not IN go first, or (3) would fail for the others.
 */
#include <string.h>

#include "region-router/electable_private.h"

enum { SLOTS = 16384 };

/* Everybody in p's table with slots leads a shard, and is everybody who does. */
static bool shows_the_leaders(const struct router_electable *e, const struct router_member *p)
{
    unsigned leaders = 0, shown = 0;
    for (unsigned i = 0; i < e->shard_count; i++) {
        const struct router_member *o = e->shard[i].lead;
        if (o == NULL || o == p)
            continue;
        const struct router_known *k = router_view_find(&p->view, o->id);
        if (k == NULL || !k->slots || k->primary[0] != 0 || k->failed)
            return false;
        leaders++;
    }
    for (unsigned i = 0; i < p->view.known_count; i++)
        shown += p->view.known[i].slots;
    return shown == leaders;
}

static bool complete(const struct router_electable *e)
{
    bool any = false;
    for (unsigned i = 0; i < e->shard_count; i++) {
        const struct router_member *p = e->shard[i].lead;
        if (p == NULL)
            continue;
        any = true;
        if (p->view.assigned != SLOTS || p->view.hides || !shows_the_leaders(e, p))
            return false;
    }
    return any;
}

static bool listed(const struct router_electable *e, const struct router_member *m, uint64_t now_ms)
{
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *o = &e->member[i];
        if (strcmp(o->shard, m->shard) != 0 && router__fresh(o, now_ms) && router_view_find(&o->view, m->id) != NULL)
            return true;
    }
    return false;
}

/* Conditions 2 and 3; others: has the shard nodes that are not IN? */
static bool taken_away(const struct router_electable *e, const struct router_shard *s, uint64_t now_ms, bool *others)
{
    bool in = false;
    *others = false;
    for (unsigned i = 0; i < e->member_count && s->lead == NULL; i++) {
        const struct router_member *m = &e->member[i];
        if (!router__of_shard(m, s))
            continue;
        if (listed(e, m, now_ms))
            return false;
        if (m->state == ROUTER_MEMBER_IN)
            in = true;
        else
            *others = true;
    }
    return in;
}

static void mark(struct router_electable *e, const struct router_shard *s, bool all_known, uint64_t now_ms)
{
    bool others = false, away = all_known && taken_away(e, s, now_ms, &others);
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *m = &e->member[i];
        bool gone = router__of_shard(m, s) && away && (m->state != ROUTER_MEMBER_IN || !others);
        if (!router__of_shard(m, s) || m->gone == gone)
            continue;
        m->gone = gone;
        m->noted = false;
    }
}

static bool has_members(const struct router_electable *e, const struct router_shard *s)
{
    for (unsigned i = 0; i < e->member_count; i++)
        if (router__of_shard(&e->member[i], s))
            return true;
    return false;
}

static bool drop(struct router_electable *e)
{
    unsigned members = 0, shards = 0, before = e->member_count;
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *m = &e->member[i];
        if (m->gone && m->noted)
            e->env.dropped(e->env.ctx, m);
        else if (members++ != i)
            e->member[members - 1] = *m;
    }
    e->member_count = members;
    for (unsigned i = 0; members != before && i < e->shard_count; i++)
        if (has_members(e, &e->shard[i]) && shards++ != i)
            e->shard[shards - 1] = e->shard[i];
    if (members != before)
        e->shard_count = shards;
    return members != before;
}

bool router__drop_gone(struct router_electable *e, uint64_t now_ms)
{
    bool all_known = complete(e);
    for (unsigned i = 0; i < e->shard_count; i++)
        mark(e, &e->shard[i], all_known, now_ms);
    return drop(e);
}
