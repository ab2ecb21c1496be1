/* SPDX-License-Identifier: Apache-2.0
 * redis_slots.c - who serves which slot: CLUSTER SLOTS from any node that answers, taken whole or not at all; MOVED corrects single slots
 * at once and asks for the rest.
 *
 * Single flight: one question at a time, at most one in REDIS_TOPOLOGY_SOON_MS; a lost connection ends a question. While no node answers
 * the seeds are dialled.
 *
 * Timer: `topology`, always armed between create and destroy: 10 s with jitter, 300 ms while a primary is missing (its replica may have
 * been elected), sooner when somebody asked (refresh). */
#include "redis_int.h"

#include <string.h>

#include <meridian/mem.h>

static uint64_t soonest_ms(const struct mer_redis *r)
{
    uint64_t at = r->topology_sent_ms + REDIS_TOPOLOGY_SOON_MS, now = r->conf.loop->now_ms;
    return r->topology_sent_ms && at > now ? at - now : 0;
}

void mer__redis_refresh(struct mer_redis *r)
{
    if (r->destroyed || r->topology_pending)
        return;
    uint64_t delay = soonest_ms(r) + mer__redis_jitter(r, REDIS_TOPOLOGY_SOON_MS / 5);
    if (!mer_timer_armed(&r->topology) || r->topology.due_ms > r->conf.loop->now_ms + delay)
        mer_loop_arm(r->conf.loop, &r->topology, delay);
}

/* Any connected node, at random, so that one node with old news does not answer every time. */
static struct redis_conn *pick(struct mer_redis *r)
{
    struct redis_conn *chosen = NULL;
    uint32_t seen = 0;
    MER_LIST_EACH (it, &r->nodes) {
        struct redis_conn *c = &MER_LIST_ENTRY(it, struct redis_node, node)->conn[REDIS_SOFT];
        if (c->state == CONN_UP && mer_rng_below(&r->conf.rng, ++seen) == 0)
            chosen = c;
    }
    return chosen;
}

static void dial_seeds(struct mer_redis *r)
{
    for (size_t i = 0; i < r->conf.node_count; i++) {
        struct redis_node *n = mer__redis_node_get(r, r->conf.nodes[i]);
        if (!n)
            continue;
        n->seed = true;
        mer__redis_node_connect(n);
    }
}

void mer__redis_on_topology_timer(struct mer_timer *t)
{
    struct mer_redis *r = MER_CONTAINER_OF(t, struct mer_redis, topology);
    struct redis_conn *c = r->topology_pending ? NULL : pick(r);
    uint64_t period = r->ready ? REDIS_TOPOLOGY_MS : REDIS_TOPOLOGY_FAST_MS;
    mer_loop_arm(r->conf.loop, &r->topology, period * 8 / 10 + mer__redis_jitter(r, period * 4 / 10));
    if (r->topology_pending)
        return;
    if (!c) {
        dial_seeds(r); /* whoever comes up asks again */
        mer_loop_arm(r->conf.loop, &r->topology, REDIS_TOPOLOGY_SOON_MS * 2 + mer__redis_jitter(r, REDIS_TOPOLOGY_SOON_MS));
        return;
    }
    static const char wire[] = "*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n";
    r->topology_sent_ms = r->conf.loop->now_ms;
    if (mer__redis_conn_send(c, EXPECT_SLOTS, wire, sizeof(wire) - 1) == MER_OK)
        r->topology_pending = true;
    else
        mer__redis_conn_fail(c, "writing failed");
}

/* --- the map --- */

static void point(struct mer_redis *r, unsigned slot, struct redis_node *to)
{
    struct redis_node *from = r->slot[slot];
    if (from)
        from->slots--;
    else
        r->slots_covered++;
    if (to->slots++ == 0) {
        to->up_ms = to->conn[REDIS_SOFT].state == CONN_UP ? r->conf.loop->now_ms : 0;
        to->wait_count = r->wait_count;
    }
    r->slot[slot] = to;
}

static void tell_change(struct mer_redis *r, unsigned first, unsigned last)
{
    mer__redis_count(r, RM_PRIMARY_CHANGES);
    MER_LOG(r->conf.log, MER_INFO, "redis.primary_changed", KV_U64("first", first), KV_U64("last", last),
            KV_STR("node", r->slot[first]->address));
    mer__redis_subs_follow(r);
    if (r->on_change)
        r->on_change(r->on_change_ctx, (uint16_t)first, (uint16_t)last);
}

void mer__redis_restarted(struct redis_node *n)
{
    struct mer_redis *r = n->r;
    mer__redis_count(r, RM_RESTARTS);
    for (unsigned s = 0, first; s < REDIS_SLOTS && !r->destroyed; s++) {
        if (r->slot[s] != n)
            continue;
        for (first = s; s + 1 < REDIS_SLOTS && r->slot[s + 1] == n;)
            s++;
        tell_change(r, first, s);
    }
}

void mer__redis_moved(struct mer_redis *r, uint16_t slot, struct redis_node *to)
{
    struct redis_node *from = r->slot[slot];
    if (from == to)
        return;
    point(r, slot, to);
    mer__redis_node_connect(to);
    if (from)
        tell_change(r, slot, slot);
}

/* Waiting calls whose slot is served elsewhere now (or at last somewhere). A call with ASKING, or
 * for one node, stays where it was sent. */
static void reroute(struct mer_redis *r)
{
    struct mer_list calls;
    mer_list_init(&calls);
    mer_list_move_all(&calls, &r->homeless);
    MER_LIST_EACH (it, &r->nodes) {
        struct redis_node *n = MER_LIST_ENTRY(it, struct redis_node, node);
        for (int q = 0; q < 2; q++)
            MER_LIST_EACH_SAFE (e, &n->queue[q]) {
                struct redis_call *c = MER_LIST_ENTRY(e, struct redis_call, expect.node);
                if (c->asking || c->pinned || r->slot[c->slot] == n)
                    continue;
                mer_list_remove(e);
                mer_list_push_back(&calls, e);
            }
    }
    while (!mer_list_empty(&calls)) {
        struct redis_call *c = MER_LIST_ENTRY(calls.next, struct redis_call, expect.node);
        mer_list_remove(&c->expect.node);
        mer__redis_route(r, c);
    }
}

/* All nodes of the new map, before anything is changed; false: not all could be made. */
static bool make_nodes(struct mer_redis *r, const struct redis_ranges *ranges)
{
    for (size_t i = 0; i < ranges->count; i++)
        if (!mer__redis_node_get(r, ranges->range[i].address))
            return false;
    return true;
}

static bool range_moved(struct mer_redis *r, const struct redis_range *range, struct redis_node *to)
{
    bool moved = false;
    for (unsigned s = range->first; s <= range->last; s++) {
        moved |= r->slot[s] && r->slot[s] != to;
        if (r->slot[s] != to)
            point(r, s, to);
    }
    return moved;
}

static void apply(struct mer_redis *r, struct redis_ranges *ranges)
{
    bool complete = ranges->slots == REDIS_SLOTS;
    for (size_t i = 0; i < ranges->count; i++) {
        struct redis_range *range = &ranges->range[i];
        if (!range_moved(r, range, mer__redis_node_get(r, range->address)))
            range->address[0] = 0; /* nothing to tell */
    }
    MER_LIST_EACH_SAFE (it, &r->nodes) {
        struct redis_node *n = MER_LIST_ENTRY(it, struct redis_node, node);
        n->seed = n->seed && !complete;
        mer__redis_node_connect(n);
    }
    reroute(r);
    for (size_t i = 0; i < ranges->count && !r->destroyed; i++)
        if (ranges->range[i].address[0])
            tell_change(r, ranges->range[i].first, ranges->range[i].last);
}

void mer__redis_on_reap(struct mer_deferred *d)
{
    struct mer_redis *r = MER_CONTAINER_OF(d, struct mer_redis, reap_later);
    MER_LIST_EACH_SAFE (it, &r->nodes)
        mer__redis_node_reap(MER_LIST_ENTRY(it, struct redis_node, node));
}

void mer__redis_got_slots(struct redis_conn *c, const redisReply *reply)
{
    struct mer_redis *r = c->owner->r;
    struct redis_ranges ranges = {0};
    r->topology_pending = false;
    bool good = false;
    if (reply && mer__redis_parse_slots(reply, c->owner->address, &ranges) == MER_OK && make_nodes(r, &ranges)) {
        good = true;
        mer__redis_count(r, RM_TOPOLOGY);
        apply(r, &ranges);
        if (!r->destroyed) /* later: the node that answered may be one of them */
            mer_loop_defer(r->conf.loop, &r->reap_later);
    } else {
        mer__redis_count(r, RM_TOPOLOGY_BAD);
        MER_LOG(r->conf.log, MER_WARN, "redis.topology_bad", KV_STR("node", c->owner->address),
                KV_STR("error", !reply                             ? "connection lost"
                                : reply->type == REDIS_REPLY_ERROR ? reply->str
                                                                   : "not a slot map"));
    }
    mer_free(&ranges.range);
    if (r->destroyed)
        return;
    if (!good || r->slots_covered < REDIS_SLOTS) /* a cluster that forms, a node that does not know: ask again, not in a circle */
        mer_loop_arm(r->conf.loop, &r->topology, REDIS_TOPOLOGY_SOON_MS * 2 + mer__redis_jitter(r, REDIS_TOPOLOGY_SOON_MS));
    mer__redis_check_ready(r);
}

void mer__redis_check_ready(struct mer_redis *r)
{
    bool ready = !r->destroyed && r->slots_covered == REDIS_SLOTS;
    MER_LIST_EACH (it, &r->nodes) {
        struct redis_node *n = MER_LIST_ENTRY(it, struct redis_node, node);
        ready = ready && (n->slots == 0 || mer__redis_node_serves(n));
    }
    bool news = ready && !r->ready;
    if (ready != r->ready && !r->destroyed)
        MER_LOG(r->conf.log, MER_INFO, ready ? "redis.ready" : "redis.not_ready", KV_U64("nodes", r->node_count));
    r->ready = ready;
    r->metric[RM_READY] = ready;
    if (news && r->on_ready)
        r->on_ready(r->on_ready_ctx);
}
