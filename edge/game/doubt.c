/* SPDX-License-Identifier: Apache-2.0
 * doubt.c - may this edge still speak for its games? What it has in memory is the truth only as long as nobody else has claimed the game,
 * and nobody tells a process that was stopped, or cut off, that somebody has.
 *
 * Stores need no answer: the fence refuses them. What is told out of memory does (a state, a refusal, an answer of long ago). A claim needs
 * an owner whose liveness key has run out. So while the key is held, what was known stays true. Once it was not, each game is read before
 * anything is told of it; and for a while longer before everything that is told, because who saw the key missing may claim a little later.
 *
 *   sure:  the store has said "mine" to a question that was asked after the doubt began
 *   held:  messages that wait for that, in order; a question to the store is under way as long as there are some
 *
 * A process that stood still must not take its own sleep for a player's: leases and clocks that ran down meanwhile get the time back.
 *
 * Order, not time, compares questions with doubts: several things happen within one millisecond.
 * Timer: `pulse`, every 200 ms, so that a gap is a sleep. Owner: host.c. Next: hosted.c, host_bus.c, store.h (live). */
#include <string.h>

#include <meridian/mem.h>

#include "edge/game/host_private.h"

struct held {
    struct mer_list node;
    uint64_t order; /* a question asked later must have been answered; 0: being sure is enough */
    size_t len;
    uint8_t packed[];
};

/* --- what is known ------------------------------------------------------------------------------------------------------------------- */

bool edge__hosted_sure(const struct edge_hosted *g)
{
    uint64_t doubt = g->doubt > g->host->doubt ? g->doubt : g->host->doubt;
    return g->core.now.over || g->mine > doubt; /* nobody claims what is over */
}

void edge__hosted_doubt(struct edge_hosted *g)
{
    g->doubt = ++g->host->order;
    edge_game_doubt(&g->core);
}

static void doubt_all(struct edge_host *h)
{
    uint32_t pos = 0, games = 0;
    h->doubt = ++h->order;
    h->careful_until_ms = h->c.loop->now_ms + EDGE_HOST_CAREFUL_MS;
    h->values[EDGE_HOST_M_LAPSES]++;
    for (struct edge_hosted *g; (g = mer_map_next(&h->games, &pos)) != NULL;) {
        if (g->phase != EDGE_HOSTED_LIVE || g->core.now.over)
            continue;
        edge_game_doubt(&g->core);
        games++;
    }
    if (games > 0)
        MER_LOG(h->c.log, MER_WARN, "games.doubt", KV_U64("games", games));
}

/* --- sleep --------------------------------------------------------------------------------------------------------------------------- */

static void give_back(struct edge_hosted *g, uint64_t slept_ms)
{
    struct edge_host *h = g->host;
    uint64_t now = h->c.loop->now_ms;
    edge__host_leases_slept(g, slept_ms);
    g->fresh_until_ms += g->fresh_until_ms > now - slept_ms ? slept_ms : 0;
    if (g->phase == EDGE_HOSTED_LIVE)
        edge_game_slept(&g->core, (struct edge_game_time){now, edge_store_now_ms(h->c.store)}, slept_ms);
}

static void woke(struct edge_host *h, uint64_t slept_ms)
{
    uint32_t pos = 0;
    h->values[EDGE_HOST_M_SLEEPS]++;
    MER_LOG(h->c.log, MER_WARN, "edge.slept", KV_U64("ms", slept_ms), KV_U64("games", h->games.count));
    for (struct edge_hosted *g; (g = mer_map_next(&h->games, &pos)) != NULL;)
        give_back(g, slept_ms);
}

void edge__host_pulse(struct edge_host *h)
{
    uint64_t now = h->c.loop->now_ms, gap = now - h->pulse_ms;
    uint32_t lapses = edge_store_live_lapses(h->c.store);
    bool held = edge_store_live_held(h->c.store), renewed = lapses != h->lapses;
    bool lost = (h->live_held && !held) || renewed;
    h->pulse_ms = now;
    h->live_held = held;
    h->lapses = lapses;
    if (gap >= EDGE_HOST_SLEPT_MS)
        woke(h, gap);
    if (lost)
        doubt_all(h);
    if (renewed)
        edge_host_verify(h, 0, UINT16_MAX);
}

static void on_pulse(struct mer_timer *t)
{
    struct edge_host *h = MER_CONTAINER_OF(t, struct edge_host, pulse);
    edge__host_pulse(h);
    mer_loop_arm(h->c.loop, t, EDGE_HOST_PULSE_MS);
}

void edge__doubt_init(struct edge_host *h)
{
    h->pulse_ms = h->c.loop->now_ms;
    h->lapses = edge_store_live_lapses(h->c.store);
    mer_timer_init(&h->pulse, on_pulse);
    mer_loop_arm(h->c.loop, &h->pulse, EDGE_HOST_PULSE_MS);
}

/* --- messages that wait -------------------------------------------------------------------------------------------------------------- */

bool edge__hosted_hold(struct edge_hosted *g, const Meridian__Internal__V1__BusMessage *m)
{
    struct edge_host *h = g->host;
    edge__host_pulse(h);
    bool careful = !h->live_held || h->c.loop->now_ms < h->careful_until_ms;
    if (g->core.now.over || (!careful && mer_list_empty(&g->held) && edge__hosted_sure(g)))
        return false;
    size_t len = meridian__internal__v1__bus_message__get_packed_size(m);
    struct held *held = g->held_count < EDGE_HOST_HELD ? mer_try_malloc(sizeof(*held) + len) : NULL;
    h->values[EDGE_HOST_M_HELD]++;
    if (!held)
        return true; /* lost: who asked asks again, or gives up */
    held->order = careful ? ++h->order : 0;
    held->len = meridian__internal__v1__bus_message__pack(m, held->packed);
    mer_list_push_back(&g->held, &held->node);
    g->held_count++;
    return true;
}

void edge__held_ready(struct edge_hosted *g, bool all, struct mer_list *to)
{
    while (!mer_list_empty(&g->held)) {
        struct held *first = MER_LIST_ENTRY(g->held.next, struct held, node);
        bool answered = g->core.now.over || (edge__hosted_sure(g) && first->order < g->mine);
        if (!all && !answered)
            return;
        mer_list_remove(&first->node);
        mer_list_push_back(to, &first->node);
        g->held_count--;
    }
}

void edge__held_again(struct edge_host *h, struct mer_list *list)
{
    MER_LIST_EACH_SAFE (it, list) {
        struct held *held = MER_LIST_ENTRY(it, struct held, node);
        Meridian__Internal__V1__BusMessage *m = meridian__internal__v1__bus_message__unpack(NULL, held->len, held->packed);
        mer_list_remove(it);
        mer_free(&held);
        if (m == NULL)
            continue; /* memory is out: lost */
        edge__host_take(h, m);
        meridian__internal__v1__bus_message__free_unpacked(m, NULL);
    }
}

void edge__held_drop(struct edge_hosted *g)
{
    MER_LIST_EACH_SAFE (it, &g->held) {
        struct held *held = MER_LIST_ENTRY(it, struct held, node);
        mer_list_remove(it);
        mer_free(&held);
    }
    g->held_count = 0;
}
