/* SPDX-License-Identifier: Apache-2.0
 * redis_node.c - a Redis node: three connections if it is a primary (soft, durable, durable), one soft if it is only asked for topology.
 *
 * A batch is what one flush puts on one durable connection: calls, then one WAIT. A durable connection carries one batch at a time; while
 * both are busy calls gather, so batches grow by themselves when Redis is slow. Nodes without slots, calls or replies due are closed and
 * forgotten (reap).
 *
 * After a WAIT that came back short the next one is sent behind the replies, not with the calls: they say how many replicas are needed now,
 * and asking for one that was taken out meanwhile would cost the WAIT's whole time. */
#include "redis_int.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

static void on_library_timer(struct mer_timer *t)
{
    mer__redis_ask_library(MER_CONTAINER_OF(t, struct redis_node, library_timer));
}

static struct redis_node *find(struct mer_redis *r, const char *address)
{
    MER_LIST_EACH (it, &r->nodes) {
        struct redis_node *n = MER_LIST_ENTRY(it, struct redis_node, node);
        if (strcmp(n->address, address) == 0)
            return n;
    }
    return NULL;
}

struct redis_node *mer__redis_node_get(struct mer_redis *r, const char *address)
{
    struct redis_node *n = find(r, address);
    if (n)
        return n;
    if (r->node_count >= REDIS_NODES_MAX || strlen(address) >= sizeof(n->address) || !(n = mer_try_calloc(1, sizeof(*n))))
        return NULL;
    n->r = r;
    n->wait_count = r->wait_count;
    snprintf(n->address, sizeof(n->address), "%s", address);
    for (int i = 0; i < REDIS_CONNS; i++)
        mer__redis_conn_init(&n->conn[i], n, i != REDIS_SOFT);
    mer_list_init(&n->queue[0]);
    mer_list_init(&n->queue[1]);
    mer_timer_init(&n->library_timer, on_library_timer);
    mer_breaker_init(&n->breaker);
    mer_list_push_back(&r->nodes, &n->node);
    r->node_count++;
    return n;
}

static bool has_work(const struct redis_node *n, bool durable)
{
    return n->slots > 0 || !mer_list_empty(&n->queue[durable]);
}

bool mer__redis_node_wants(const struct redis_node *n, const struct redis_conn *c)
{
    if (n->r->destroyed)
        return false;
    if (c->durable)
        return has_work(n, true);
    return n->seed || has_work(n, false) || has_work(n, true); /* the soft one also knows about the library */
}

void mer__redis_node_connect(struct redis_node *n)
{
    for (int i = 0; i < REDIS_CONNS; i++) {
        struct redis_conn *c = &n->conn[i];
        if (c->state == CONN_DOWN && !mer_timer_armed(&c->timer) && mer__redis_node_wants(n, c))
            mer__redis_conn_open(c);
    }
}

bool mer__redis_node_serves(const struct redis_node *n)
{
    return n->conn[REDIS_SOFT].state == CONN_UP && n->library_ok;
}

void mer__redis_node_reap(struct redis_node *n)
{
    struct mer_redis *r = n->r;
    bool gone = true;
    for (int i = 0; i < REDIS_CONNS; i++) {
        struct redis_conn *c = &n->conn[i];
        if (mer__redis_node_wants(n, c)) {
            gone = false;
            continue;
        }
        if (mer_list_empty(&c->expected) && c->state != CONN_DOWN)
            mer__redis_conn_fail(c, "not needed any more");
        gone = gone && c->state == CONN_DOWN;
    }
    if (!gone)
        return;
    for (int i = 0; i < REDIS_CONNS; i++)
        mer_loop_disarm(r->conf.loop, &n->conn[i].timer);
    mer_loop_disarm(r->conf.loop, &n->library_timer);
    mer_list_remove(&n->node);
    r->node_count--;
    free(n);
}

/* --- sending --- */

static void flush_soft(struct redis_node *n)
{
    struct redis_conn *c = &n->conn[REDIS_SOFT];
    struct mer_list *queue = &n->queue[0];
    if (mer_list_empty(queue))
        return;
    if (c->state != CONN_UP) {
        mer__redis_node_connect(n);
        return;
    }
    while (!mer_list_empty(queue)) {
        if (mer__redis_conn_send_call(c, MER_LIST_ENTRY(queue->next, struct redis_call, expect.node)) != MER_OK) {
            mer__redis_conn_fail(c, "writing failed");
            return;
        }
    }
    mer_stream_flush(c->stream);
}

static struct redis_conn *idle_durable(struct redis_node *n)
{
    for (int i = 0; i < 2; i++) {
        struct redis_conn *c = &n->conn[REDIS_DURABLE_A + (n->next_durable + i) % 2];
        if (c->state == CONN_UP && mer_list_empty(&c->expected)) {
            n->next_durable = (uint8_t)((n->next_durable + i + 1) % 2);
            return c;
        }
    }
    return NULL;
}

static void send_batch(struct redis_node *n, struct redis_conn *c)
{
    struct mer_redis *r = n->r;
    struct mer_list *queue = &n->queue[1];
    enum mer_err err = MER_OK;
    uint32_t wait = 0;
    for (int i = 0; i < REDIS_BATCH_CALLS && !mer_list_empty(queue) && err == MER_OK; i++) {
        struct redis_call *call = MER_LIST_ENTRY(queue->next, struct redis_call, expect.node);
        uint32_t k = call->replicas ? call->replicas : n->wait_count;
        wait = k > wait ? k : wait;
        err = mer__redis_conn_send_call(c, call);
    }
    c->wait_due = n->doubt && r->wait_count > 0;
    if (err == MER_OK && r->wait_count > 0 && !c->wait_due)
        err = mer__redis_conn_wait(c, wait);
    mer__redis_count(r, RM_BATCHES);
    if (err == MER_OK)
        mer_stream_flush(c->stream);
    else
        mer__redis_conn_fail(c, "writing failed");
}

void mer__redis_node_flush(struct redis_node *n)
{
    flush_soft(n);
    if (mer_list_empty(&n->queue[1]))
        return;
    struct redis_conn *c;
    while (n->library_ok && !mer_list_empty(&n->queue[1]) && (c = idle_durable(n)))
        send_batch(n, c);
    if (!mer_list_empty(&n->queue[1]))
        mer__redis_node_connect(n);
}
