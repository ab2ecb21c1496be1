/* SPDX-License-Identifier: Apache-2.0
 * peers.c - the other edges as the bus knows them, whatever carries the messages.
 *
 *   (no entry) --send--> ASKING --address--> REACHING --up--> UP --lost--> told, (no entry)
 *                          |  ^                 |  |           60 s idle--> (no entry)
 *                  absent  |  +---- 3 s --------+  |  then still there: told "unreachable"; any --peer reaches us--> UP
 *                          v                       |
 *                        DEAD <--nobody there------+    DEAD --30 s--> (no entry)
 *
 * An entry that is released while answers of the store or of Redis are due stays in memory until the last of them came. */
#include <string.h>

#include <meridian/mem.h>

#include "edge/bus/bus_private.h"
#include "edge/store/store.h"

enum {
    WAITING_MAX = 256 * 1024, /* bytes for one peer that is not up yet (bus.h) */
    ASK_AGAIN_MS = 200,       /* the store has no answer */
    ASK_GIVE_UP_MS = 5000,    /* ... for so long: unreachable */
    REACH_GIVE_UP_MS = MER_LINK_SILENCE_MS,
    IDLE_MS = 60 * 1000,            /* architecture section 3 */
    DEAD_REMEMBERED_MS = 30 * 1000, /* spares lookups of an incarnation that never comes back */
};

static void on_timer(struct mer_timer *t);

static struct mer_key peer_key(const void *entry)
{
    const struct bus_peer *p = entry;
    return (struct mer_key){p->incarnation, strlen(p->incarnation)};
}

static void peer_free(struct bus_peer *p)
{
    mer_buf_deinit(&p->waiting);
    free(p->incarnation);
    free(p);
}

static void peer_release(struct bus_peer *p)
{
    struct edge_bus *b = p->bus;
    mer_map_removes(&b->peers, p->incarnation);
    b->values[M_PEERS] = b->peers.count;
    mer_loop_disarm(b->conf.loop, &p->timer);
    p->carrier->drop(p, false);
    p->bus = NULL;
    p->released = true;
    if (p->owed == 0)
        peer_free(p);
}

bool edge__bus_peer_paid(struct bus_peer *p)
{
    p->owed--;
    if (!p->released)
        return true;
    if (p->owed == 0)
        peer_free(p);
    return false;
}

struct bus_peer *edge__bus_peer_find(struct edge_bus *b, const char *incarnation)
{
    return mer_map_gets(&b->peers, incarnation);
}

struct bus_peer *edge__bus_peer_get(struct edge_bus *b, const char *incarnation)
{
    struct bus_peer *p = edge__bus_peer_find(b, incarnation);
    if (p != NULL)
        return p;
    p = mer_try_calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->bus = b;
    p->incarnation = mer_try_strdup(incarnation);
    mer_buf_init(&p->waiting, WAITING_MAX);
    mer_timer_init(&p->timer, on_timer);
    p->carrier = strchr(incarnation, '/') != NULL ? &edge__bus_far : b->carrier;
    p->carrier->init(p);
    if (p->incarnation == NULL || mer_map_put(&b->peers, p) != MER_OK) {
        peer_free(p);
        return NULL;
    }
    b->values[M_PEERS] = b->peers.count;
    return p;
}

static void set_state(struct bus_peer *p, enum peer_state state)
{
    p->state = state;
    p->since_ms = p->bus->conf.loop->now_ms;
    mer_loop_disarm(p->bus->conf.loop, &p->timer);
}

/* Whoever cares is told, then the entry goes unless it is wanted again or remembered as dead. */
void edge__bus_peer_lost(struct bus_peer *p, bool dead)
{
    struct edge_bus *b = p->bus;
    b->values[M_DROPPED] += p->waiting.len;
    b->values[dead ? M_DEAD : M_DOWN]++;
    mer_buf_clear(&p->waiting);
    set_state(p, dead ? PEER_DEAD : PEER_IDLE);
    p->tried = p->wanted = false;
    p->carrier->drop(p, false);
    MER_LOG(b->conf.log, dead ? MER_WARN : MER_INFO, "bus.peer_down", KV_STR("peer", p->incarnation), KV_BOOL("dead", dead));
    if (dead)
        mer_loop_arm(b->conf.loop, &p->timer, DEAD_REMEMBERED_MS);
    for (unsigned i = 0; i < b->down_count; i++)
        b->down[i].cb(b->down[i].ctx, p->incarnation, dead);
    if (p->state == PEER_IDLE)
        peer_release(p);
}

void edge__bus_peer_ended(struct bus_peer *p)
{
    peer_release(p);
}

/* ---- finding and reaching ------------------------------------------------------------------------------------------------------------ */

void edge__bus_peer_reaching(struct bus_peer *p)
{
    set_state(p, PEER_REACHING);
    mer_loop_arm(p->bus->conf.loop, &p->timer, p->carrier->look_ms);
}

static void reach(struct bus_peer *p, const char *address)
{
    if (p->carrier->reach(p, address) == MER_OK)
        edge__bus_peer_reaching(p);
    else
        edge__bus_peer_lost(p, false);
}

static void on_address(void *ctx, enum edge_store_result result, const char *address)
{
    struct bus_peer *p = ctx;
    p->asked = false;
    if (!edge__bus_peer_paid(p) || p->state != PEER_ASKING) /* forgotten, or it reached us meanwhile */
        return;
    struct mer_loop *loop = p->bus->conf.loop;
    if (result == EDGE_STORE_OK && !p->tried)
        reach(p, address);
    else if (result == EDGE_STORE_OK)
        edge__bus_peer_lost(p, false);
    else if (result == EDGE_STORE_ABSENT)
        edge__bus_peer_lost(p, true);
    else if (loop->now_ms - p->since_ms >= ASK_GIVE_UP_MS)
        edge__bus_peer_lost(p, false);
    else
        mer_loop_arm(loop, &p->timer, ASK_AGAIN_MS + mer_rng_below(&p->bus->conf.rng, ASK_AGAIN_MS));
}

static void ask(struct bus_peer *p)
{
    struct edge_bus *b = p->bus;
    if (p->asked)
        return; /* of an earlier life; its answer will do */
    b->values[M_LOOKUPS]++;
    p->asked = edge_store_live_get(b->conf.store, p->incarnation, on_address, p) == MER_OK;
    if (p->asked)
        p->owed++;
    else
        mer_loop_arm(b->conf.loop, &p->timer, ASK_AGAIN_MS);
}

static void start_asking(struct bus_peer *p)
{
    if (!p->carrier->addressed) { /* there is nothing to ask for: it answers, or it cannot be reached */
        if (p->tried)
            edge__bus_peer_lost(p, false);
        else
            reach(p, NULL);
        return;
    }
    set_state(p, PEER_ASKING);
    ask(p);
}

/* Nobody at the address: dead, whatever its liveness key still says; a claim is safe in any case, the fence decides. */
static void look(struct bus_peer *p)
{
    struct edge_bus *b = p->bus;
    if (p->carrier->look(p)) {
        edge__bus_peer_lost(p, true);
    } else if (b->conf.loop->now_ms - p->since_ms < REACH_GIVE_UP_MS) {
        mer_loop_arm(b->conf.loop, &p->timer, p->carrier->look_ms);
    } else if (!p->wanted) {
        peer_release(p); /* its own affair */
    } else {
        p->carrier->drop(p, false);
        p->tried = true;
        start_asking(p);
    }
}

static void close_if_idle(struct bus_peer *p)
{
    struct edge_bus *b = p->bus;
    uint64_t idle_ms = b->conf.loop->now_ms - p->used_ms;
    if (idle_ms < IDLE_MS || !p->carrier->ends_idle(p)) {
        mer_loop_arm(b->conf.loop, &p->timer, idle_ms < IDLE_MS ? IDLE_MS - idle_ms : IDLE_MS);
        return;
    }
    b->values[M_IDLE_CLOSED]++;
    p->carrier->drop(p, true); /* nothing was in flight: nobody has to be told */
    peer_release(p);
}

static void on_timer(struct mer_timer *t)
{
    struct bus_peer *p = MER_CONTAINER_OF(t, struct bus_peer, timer);
    switch (p->state) {
    case PEER_ASKING:
        if (p->bus->conf.loop->now_ms - p->since_ms >= ASK_GIVE_UP_MS)
            edge__bus_peer_lost(p, false);
        else
            ask(p);
        break;
    case PEER_REACHING:
        look(p);
        break;
    case PEER_UP:
        close_if_idle(p);
        break;
    case PEER_DEAD:
        peer_release(p);
        break;
    case PEER_IDLE:
        break;
    }
}

/* ---- sending ------------------------------------------------------------------------------------------------------------------------- */

bool edge__bus_peer_up(struct bus_peer *p)
{
    struct edge_bus *b = p->bus;
    bool all = true;
    p->tried = p->wanted = false;
    p->used_ms = b->conf.loop->now_ms;
    set_state(p, PEER_UP);
    mer_loop_arm(b->conf.loop, &p->timer, IDLE_MS);
    for (size_t at = 0; at < p->waiting.len;) {
        uint32_t n;
        memcpy(&n, p->waiting.data + at, sizeof n);
        /* A fresh peer takes far more than may wait; if not, it is lost like anything in flight when a life ends. */
        if (p->carrier->send(p, p->waiting.data + at + sizeof n, n) != MER_OK) {
            b->values[M_DROPPED] += n;
            all = false;
        }
        at += sizeof n + n;
    }
    mer_buf_clear(&p->waiting);
    mer_buf_trim(&p->waiting);
    return all;
}

enum mer_err edge__bus_peers_send(struct edge_bus *b, const char *to, const Meridian__Internal__V1__BusMessage *m, size_t size)
{
    struct bus_peer *p = edge__bus_peer_get(b, to);
    if (p == NULL)
        return MER_ENOMEM;
    if (p->state == PEER_DEAD)
        return MER_ECLOSED;
    if (p->state == PEER_UP) {
        p->used_ms = b->conf.loop->now_ms;
        meridian__internal__v1__bus_message__pack(m, b->scratch);
        b->trace = m->has_trace ? &m->trace : NULL;
        enum mer_err sent = p->carrier->send(p, b->scratch, size);
        b->trace = NULL;
        return sent == MER_ECLOSED ? MER_EBUSY : sent; /* a life that just ended, to be told in a moment: no word of a dead peer */
    }
    enum mer_err err = edge__bus_append(&p->waiting, m, size);
    p->wanted = true;
    if (p->state == PEER_IDLE)
        start_asking(p); /* also when this one did not fit: never an entry without a way on */
    return err;
}

void edge__bus_peers_init(struct edge_bus *b)
{
    uint64_t seed[2] = {mer_rng_u64(&b->conf.rng), mer_rng_u64(&b->conf.rng)};
    mer_map_init(&b->peers, peer_key, seed);
}

void edge__bus_peers_deinit(struct edge_bus *b)
{
    uint32_t pos = 0;
    for (struct bus_peer *p; (p = mer_map_next(&b->peers, &pos)) != NULL; pos = 0)
        peer_release(p);
    mer_map_deinit(&b->peers);
}
