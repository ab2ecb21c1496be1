/* SPDX-License-Identifier: Apache-2.0
 * mesh_leads.c - which router of another region is believed to lead it.
 *
 *   nobody --a says it leads--> a --a leads no more, its link is down, b says it with a higher epoch--> b, or nobody
 *
 * An epoch outlives its link: a leader that was replaced while it slept comes back with a lower one and is refused. What everybody said
 * last is kept, so that who was refused can be chosen when the other one is gone. Only where nobody led for ROUTER_MESH_FORGET_MS will any
 * epoch do, for a region whose Redis had to begin anew: by then no older leader can still hold its lease.
 *
 * Timer: mesh_region.forget (mesh_private.h). Next: mesh.c. */
#include "region-router/mesh_private.h"

#include "region-router/limits.h"

void router__mesh_settle(struct router_mesh *m, struct mesh_region *r)
{
    bool up = r->leader != NULL && router__lead_epoch(m->app) != 0;
    if (up == r->told)
        return;
    r->told = up;
    for (size_t i = 0; i < m->listener_count; i++)
        m->listeners[i].cb(m->listeners[i].ctx, r->name, up);
}

static void nobody_leads(struct router_mesh *m, struct mesh_region *r)
{
    r->leader = NULL;
    mer_loop_arm(&m->app->loop, &r->forget, ROUTER_MESH_FORGET_MS);
    router__mesh_settle(m, r);
}

/* Who is believed now, of all that say they lead; NULL: nobody. */
static struct mesh_end *choose(const struct router_mesh *m, const struct mesh_region *r)
{
    bool forgotten = r->leader == NULL && !mer_timer_armed(&r->forget);
    struct mesh_end *best = r->leader;
    MER_LIST_EACH (it, &m->ends) {
        struct mesh_end *end = MER_LIST_ENTRY(it, struct mesh_end, node);
        if (end->region != r || !end->leads || (end->epoch < r->epoch && !forgotten))
            continue;
        if (best == NULL || end->epoch > best->epoch)
            best = end;
    }
    return best;
}

static void elect(struct router_mesh *m, struct mesh_region *r)
{
    struct mesh_end *next = choose(m, r);
    if (next == r->leader)
        return;
    if (r->leader != NULL)
        nobody_leads(m, r); /* another one: a down and an up */
    mer_loop_disarm(&m->app->loop, &r->forget);
    const char *peer = mer_link_peer(next->link)->incarnation;
    if (next->epoch < r->epoch) {
        m->values[M_EPOCH_BACK]++;
        MER_LOG(&m->app->log, MER_WARN, "mesh.epoch_back", KV_STR("of", r->name), KV_U64("epoch", next->epoch), KV_U64("before", r->epoch));
    }
    r->leader = next;
    r->epoch = next->epoch;
    m->values[M_LEADERS]++;
    MER_LOG(&m->app->log, MER_INFO, "mesh.leader", KV_STR("of", r->name), KV_STR("peer", peer), KV_U64("epoch", r->epoch));
    router__mesh_settle(m, r);
}

/* What was not believed before may be the best there is now. */
void router__mesh_on_forget(struct mer_timer *t)
{
    struct mesh_region *r = MER_CONTAINER_OF(t, struct mesh_region, forget);
    elect(r->mesh, r);
}

void router__mesh_take_role(struct router_mesh *m, struct mesh_end *from, const RV1(RegionRole) * role)
{
    struct mesh_region *r = from->region;
    from->leads = role->leader;
    from->epoch = role->epoch;
    if (r->leader == from && (!from->leads || from->epoch != r->epoch))
        nobody_leads(m, r); /* the same in another term is a down and an up too */
    elect(m, r);
    if (!from->leads || r->leader == from)
        return;
    m->values[M_STALE]++;
    MER_LOG_RATE(&m->app->log, MER_WARN, "mesh.stale_leader", KV_STR("of", r->name), KV_STR("peer", mer_link_peer(from->link)->incarnation),
                 KV_U64("epoch", role->epoch), KV_U64("known", r->epoch));
}

void router__mesh_leader_gone(struct router_mesh *m, struct mesh_region *r)
{
    nobody_leads(m, r);
    elect(m, r);
}
