/* SPDX-License-Identifier: Apache-2.0
 * electable_look.c - what the nodes' answers mean together: who leads a shard, and who agrees. See electable.h.
 *
 * A primary that was cut off goes on believing that it leads, and with it the replica on its side. So a claim is worth its epoch, wherever
 * it stands: epochs only grow, and a table that shows a newer primary, also an old table, makes the older one nobody. Who is out of the
 * electable set cannot have been elected: its own word is worth nothing unless a primary's table shows it too (an operator's doing). */
#include <string.h>

#include "region-router/electable_private.h"

bool router__of_shard(const struct router_member *m, const struct router_shard *s)
{
    return strcmp(m->shard, s->id) == 0;
}

bool router__fresh(const struct router_member *m, uint64_t now_ms)
{
    return m->answers && now_ms - m->asked_ms < FRESH_MS;
}

bool router__is_primary(const struct router_member *m)
{
    return m->viewed && m->view.slots && m->view.primary[0] == 0;
}

bool router__in_step(const struct router_member *p, const struct router_member *m)
{
    const struct router_attached *a = router_view_attached(&p->view, m->address);
    return a != NULL && a->online && a->lag_s <= LAG_OK_S;
}

/* m in the table of a primary of another shard, as a primary with slots; NULL: not so. */
static const struct router_known *shown(const struct router_member *o, const struct router_member *m)
{
    const struct router_known *k = router__is_primary(o) && strcmp(o->shard, m->shard) != 0 ? router_view_find(&o->view, m->id) : NULL;
    return k != NULL && k->slots && k->primary[0] == 0 ? k : NULL;
}

/* The highest epoch in which somebody shows m as the primary; false: nobody does. */
static bool claimed(const struct router_electable *e, const struct router_shard *s, const struct router_member *m, uint64_t *epoch)
{
    bool electable = m->state == ROUTER_MEMBER_IN || m->state == ROUTER_MEMBER_OFF || m->state == ROUTER_MEMBER_FORGET;
    bool led = strcmp(s->leader, m->id) == 0; /* and comes in as the leader */
    bool any = (electable || led) && router__is_primary(m);
    *epoch = any ? m->view.config_epoch : 0;
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_known *k = shown(&e->member[i], m);
        if (k == NULL)
            continue;
        any = true;
        if (k->config_epoch > *epoch)
            *epoch = k->config_epoch;
    }
    return any;
}

static bool failed(const struct router_electable *e, const struct router_member *m, uint64_t now_ms)
{
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_known *k = router__fresh(&e->member[i], now_ms) ? shown(&e->member[i], m) : NULL;
        if (k != NULL && k->failed)
            return true;
    }
    return false;
}

/* NULL: nobody, or it does not answer, or does not know of it yet. */
static struct router_member *leader(const struct router_electable *e, const struct router_shard *s, uint64_t now_ms)
{
    struct router_member *best = NULL;
    uint64_t highest = 0, epoch;
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *m = &e->member[i];
        if (!router__of_shard(m, s) || !claimed(e, s, m, &epoch) || (best != NULL && epoch <= highest))
            continue;
        best = m;
        highest = epoch;
    }
    return best != NULL && router__fresh(best, now_ms) && router__is_primary(best) && !failed(e, best, now_ms) ? best : NULL;
}

unsigned router__majority(const struct router_electable *e)
{
    unsigned shards = 0;
    for (unsigned s = 0; s < e->shard_count; s++) {
        bool any = false;
        for (unsigned i = 0; i < e->member_count && !any; i++)
            any = router__of_shard(&e->member[i], &e->shard[s]);
        shards += any;
    }
    return shards / 2 + 1;
}

unsigned router__unknown(const struct router_electable *e, const struct router_member *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < e->shard_count; i++) {
        const struct router_member *o = e->shard[i].lead;
        n += o != NULL && o != m && router_view_find(&o->view, m->id) == NULL;
    }
    return n;
}

bool router__backed(const struct router_electable *e, const struct router_shard *s, uint32_t within_ms, uint64_t now_ms)
{
    unsigned say = 0;
    for (unsigned i = 0; i < e->shard_count && s->lead != NULL; i++) {
        const struct router_member *o = e->shard[i].lead;
        if (o == NULL || now_ms - o->asked_ms > within_ms)
            continue;
        const struct router_known *k = shown(o, s->lead);
        say += o == s->lead || (k != NULL && !k->failed);
    }
    return say >= router__majority(e);
}

void router__look_around(struct router_electable *e, uint64_t now_ms)
{
    for (unsigned i = 0; i < e->shard_count; i++)
        e->shard[i].lead = leader(e, &e->shard[i], now_ms);
    for (unsigned i = 0; i < e->shard_count; i++)
        e->shard[i].backed = router__backed(e, &e->shard[i], FRESH_MS, now_ms);
}

uint64_t router__epoch(const struct router_electable *e)
{
    uint64_t highest = 0;
    for (unsigned i = 0; i < e->member_count; i++)
        if (e->member[i].viewed && e->member[i].view.current_epoch > highest)
            highest = e->member[i].view.current_epoch;
    return highest;
}

unsigned router__remaining(const struct router_electable *e, const struct router_shard *s)
{
    unsigned members = 0, out = 0;
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *m = &e->member[i];
        if (!router__of_shard(m, s))
            continue;
        members++;
        out += m->state == ROUTER_MEMBER_LOWER || m->state == ROUTER_MEMBER_OUT;
    }
    unsigned all = members > e->configured + 1 ? members - 1 : e->configured; /* one of them leads */
    return all > out ? all - out : 0;
}

unsigned router__count_wanted(const struct router_electable *e, const struct router_shard *s)
{
    unsigned remaining = router__remaining(e, s);
    return remaining > 0 ? remaining : 1;
}
