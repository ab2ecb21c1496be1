/* SPDX-License-Identifier: Apache-2.0
 * sim_net.c - connections as TCP makes them: in order, or they die. A cut holds what was sent until it heals; a death is told by FIN or
 * RST, with all, some or none of what was in flight, or not at all (a host that vanished: later bytes then meet a reset once it is back).
 *
 * A connection has two directions with a queue of segments each; the head is delivered when its time has come and the way is open. A
 * segment for a process that is paused waits in its inbox, as it would in the kernel. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

enum { SYN_AGAIN_US = 200 * 1000, HEAL_US = 200 * 1000, FAR_US = 25 * 1000, ADDRESS_BYTES = 48 };
enum kind { DATA, FIN, RST, SYN_ACK };

struct segment {
    struct mer_list node;
    struct sim_end *to;
    uint64_t at_us;
    enum kind kind;
    size_t len;
    uint8_t data[];
};

struct sim_end {
    struct sim_conn *conn;
    struct sim_proc *proc;
    uint32_t life;
    const struct sim_end_ops *ops; /* NULL: nobody listens any more */
    void *ctx;
    bool finished;         /* nothing more is sent from here */
    struct mer_list queue; /* segments on their way to the peer */
    uint64_t last_us;      /* when the last of them arrives */
    size_t inflight;
};

struct sim_conn {
    struct mer_list all;
    struct sim_end end[2]; /* who dialled, who accepted */
    char address[ADDRESS_BYTES];
    bool accepted, gone;
};

struct listener {
    struct mer_list all;
    struct sim_proc *proc;
    uint32_t life;
    char address[ADDRESS_BYTES];
    sim_accept_cb accept;
    void *ctx;
};

static struct {
    struct mer_list conns, listeners;
    bool cut[SIM_PROCS][SIM_PROCS];
    uint32_t base_us[SIM_PROCS][SIM_PROCS], extra_us[SIM_PROCS][SIM_PROCS];
} net;

void sim_net_init(void)
{
    memset(&net, 0, sizeof(net));
    mer_list_init(&net.conns);
    mer_list_init(&net.listeners);
    for (unsigned a = 0; a < SIM_PROCS; a++)
        for (unsigned b = 0; b < a; b++)
            net.base_us[a][b] = net.base_us[b][a] = sim_chance(5) ? sim_between(2000, 20000) : sim_between(40, 900);
}

static uint64_t delay_us(const struct sim_proc *a, const struct sim_proc *b)
{
    if (a == b)
        return 20;
    uint32_t base = net.base_us[a->index][b->index];
    bool far = base >= FAR_US; /* a long line waits little in comparison */
    uint64_t jitter = sim_chance(3) ? sim_below(far ? base : base * 10) : sim_below(base / (far ? 20 : 2) + 1);
    return base + jitter + net.extra_us[a->index][b->index];
}

static struct sim_end *peer_of(const struct sim_end *e)
{
    return &e->conn->end[e == &e->conn->end[0]];
}

bool sim_net_passes(const struct sim_proc *from, const struct sim_proc *to)
{
    return !net.cut[from->index][to->index];
}

/* --- delivering ---------------------------------------------------------------------------------------------------------------------- */

static void push(struct sim_end *from, enum kind kind, const void *data, size_t len);

static bool dead(const struct sim_end *e)
{
    return !e->proc || !e->proc->alive || e->life != e->proc->life;
}

static void end_callback(struct sim_end *e, bool clean, const char *why)
{
    const struct sim_end_ops *ops = e->ops;
    e->ops = NULL;
    e->finished = true;
    if (ops)
        ops->closed(e->ctx, clean, why);
}

/* In the receiver's turn. */
static void on_segment(void *ctx, uint64_t arg)
{
    struct segment *s = ctx;
    struct sim_end *e = s->to;
    (void)arg;
    if (e->ops) {
        switch (s->kind) {
        case SYN_ACK:
            e->ops->open(e->ctx);
            break;
        case DATA:
            e->ops->data(e->ctx, s->data, s->len);
            break;
        case FIN:
            push(e, FIN, NULL, 0);
            end_callback(e, true, "ended by the peer");
            break;
        case RST:
            end_callback(e, false, "connection reset by peer");
            break;
        }
    } else if (s->kind == DATA && !e->finished)
        push(e, RST, NULL, 0);
    free(s);
}

static void on_due(void *ctx, uint64_t arg);

static void wake_later(struct sim_end *from, uint64_t after_us)
{
    sim_at(after_us, on_due, from, 0);
}

static void on_due(void *ctx, uint64_t arg)
{
    struct sim_end *from = ctx, *to = peer_of(from);
    (void)arg;
    while (!mer_list_empty(&from->queue)) {
        struct segment *s = MER_LIST_ENTRY(from->queue.next, struct segment, node);
        if (!to->proc || !sim_net_passes(from->proc, to->proc) || s->at_us > sim.now_us)
            return; /* healing wakes it, or its own event */
        mer_list_remove(&s->node);
        from->inflight -= s->len;
        if (dead(to)) {
            if (to->proc->alive && s->kind == DATA && !from->finished && !dead(from)) { /* a host that is back knows nothing of it */
                from->finished = true;
                struct segment *r = mer_xcalloc(1, sizeof(*r));
                r->to = from;
                r->kind = RST;
                sim_post(from->proc, delay_us(to->proc, from->proc), on_segment, r, 0);
            }
            free(s);
            continue;
        }
        s->to = to;
        sim_post(to->proc, 0, on_segment, s, 0);
    }
}

static void push(struct sim_end *from, enum kind kind, const void *data, size_t len)
{
    struct sim_end *to = peer_of(from);
    if (from->finished)
        return;
    from->finished = kind == FIN || kind == RST;
    struct segment *s = mer_xmalloc(sizeof(*s) + len);
    mer_list_init(&s->node);
    s->kind = kind;
    s->len = len;
    if (len)
        memcpy(s->data, data, len);
    uint64_t at = sim.now_us + (to->proc ? delay_us(from->proc, to->proc) : 0);
    from->last_us = s->at_us = at > from->last_us ? at : from->last_us;
    from->inflight += len;
    mer_list_push_back(&from->queue, &s->node);
    wake_later(from, s->at_us - sim.now_us);
}

/* --- connecting ---------------------------------------------------------------------------------------------------------------------- */

static struct listener *find_listener(const char *address)
{
    MER_LIST_EACH (it, &net.listeners) {
        struct listener *l = MER_LIST_ENTRY(it, struct listener, all);
        if (strcmp(l->address, address) == 0)
            return l;
    }
    return NULL;
}

bool sim_net_listen(struct sim_proc *p, const char *address, sim_accept_cb accept, void *ctx)
{
    struct listener *l = find_listener(address);
    if (l && l->proc->alive && l->life == l->proc->life)
        return false;
    if (!l) {
        l = mer_xcalloc(1, sizeof(*l));
        mer_list_push_back(&net.listeners, &l->all);
        sim_copy(l->address, sizeof(l->address), address);
    }
    l->proc = p;
    l->life = p->life;
    l->accept = accept;
    l->ctx = ctx;
    return true;
}

void sim_net_unlisten(struct sim_proc *p, const char *address)
{
    struct listener *l = find_listener(address);
    if (l && l->proc == p)
        l->life = p->life - 1;
}

static void on_accept(void *ctx, uint64_t arg)
{
    struct sim_end *e = ctx;
    struct listener *l = find_listener(e->conn->address);
    (void)arg;
    if (l && l->life == l->proc->life)
        l->accept(l->ctx, e);
    else
        push(e, RST, NULL, 0);
}

static void on_syn(void *ctx, uint64_t arg)
{
    struct sim_conn *c = ctx;
    struct sim_end *from = &c->end[0], *to = &c->end[1];
    (void)arg;
    if (c->gone || from->finished || dead(from))
        return;
    /* the host is in the address: "edge1:players" */
    char host[16];
    snprintf(host, sizeof(host), "%.*s", (int)strcspn(c->address, ":/"), c->address);
    struct sim_proc *p = sim_proc_named(host);
    if (!p || !sim_net_passes(from->proc, p)) {
        sim_at(SYN_AGAIN_US, on_syn, c, 0);
        return;
    }
    struct listener *l = find_listener(c->address);
    to->proc = p;
    to->life = p->life;
    if (!l || !p->alive || l->life != p->life) {
        push(to, RST, NULL, 0);
        return;
    }
    c->accepted = true;
    sim_post(p, 0, on_accept, to, 0);
    push(to, SYN_ACK, NULL, 0);
}

struct sim_end *sim_net_connect(struct sim_proc *p, const char *address, const struct sim_end_ops *ops, void *ctx)
{
    struct sim_conn *c = mer_xcalloc(1, sizeof(*c));
    char host[16];
    for (int i = 0; i < 2; i++) {
        c->end[i].conn = c;
        mer_list_init(&c->end[i].queue);
    }
    c->end[0].proc = p;
    c->end[0].life = p->life;
    c->end[0].ops = ops;
    c->end[0].ctx = ctx;
    sim_copy(c->address, sizeof(c->address), address);
    snprintf(host, sizeof(host), "%.*s", (int)strcspn(address, ":/"), address);
    struct sim_proc *to = sim_proc_named(host);
    mer_list_push_back(&net.conns, &c->all);
    sim_at(to ? delay_us(p, to) : 1000, on_syn, c, 0);
    return &c->end[0];
}

/* --- the rest ------------------------------------------------------------------------------------------------------------------------ */

void sim_net_take(struct sim_end *e, const struct sim_end_ops *ops, void *ctx)
{
    e->ops = ops;
    e->ctx = ctx;
}

void sim_net_send(struct sim_end *e, const void *data, size_t len)
{
    push(e, DATA, data, len);
}

size_t sim_net_inflight(const struct sim_end *e)
{
    return e->inflight;
}

void sim_net_close(struct sim_end *e)
{
    e->ops = NULL;
    if (!e->conn->accepted && e == &e->conn->end[0] && !e->conn->end[1].proc)
        e->conn->gone = true; /* nobody has heard of it yet */
    push(e, FIN, NULL, 0);
}

static void throw_away(struct sim_end *e)
{
    while (!mer_list_empty(&e->queue)) {
        struct segment *s = MER_LIST_ENTRY(e->queue.next, struct segment, node);
        mer_list_remove(&s->node);
        free(s);
    }
    e->inflight = 0;
}

void sim_net_abort(struct sim_end *e)
{
    const struct sim_end *to = peer_of(e);
    e->ops = NULL;
    if (!e->conn->accepted && e == &e->conn->end[0] && !to->proc)
        e->conn->gone = true;
    if (to->proc && !sim_net_passes(e->proc, to->proc))
        throw_away(e);
    push(e, RST, NULL, 0);
}

static void break_conn(struct sim_conn *c)
{
    for (int i = 0; i < 2; i++) {
        struct sim_end *e = &c->end[i];
        throw_away(e);
        e->finished = true;
        if (!dead(e) && e->ops) {
            struct segment *r = mer_xcalloc(1, sizeof(*r));
            r->to = e;
            r->kind = RST;
            sim_post(e->proc, sim_below(2000), on_segment, r, 0);
        }
    }
}

void sim_net_reset(struct sim_end *e)
{
    break_conn(e->conn);
}

void sim_net_break(struct sim_proc *a, struct sim_proc *b)
{
    MER_LIST_EACH (it, &net.conns) {
        struct sim_conn *c = MER_LIST_ENTRY(it, struct sim_conn, all);
        struct sim_proc *x = c->end[0].proc, *y = c->end[1].proc;
        if ((x == a && y == b) || (x == b && y == a))
            break_conn(c);
    }
}

void sim_net_cut(struct sim_proc *from, struct sim_proc *to, bool cut)
{
    if (net.cut[from->index][to->index] == cut)
        return;
    sim_trace("%s %s -> %s", cut ? "cut" : "heal", from->name, to->name);
    net.cut[from->index][to->index] = cut;
    MER_LIST_EACH (it, &net.conns) {
        struct sim_conn *c = MER_LIST_ENTRY(it, struct sim_conn, all);
        for (int i = 0; i < 2 && !cut; i++)
            if (c->end[i].proc == from && c->end[!i].proc == to && !mer_list_empty(&c->end[i].queue))
                wake_later(&c->end[i], sim_below(HEAL_US)); /* retransmission */
    }
}

void sim_net_slow(struct sim_proc *a, struct sim_proc *b, uint32_t extra_us)
{
    sim_trace("slow %s %s %u", a->name, b->name, extra_us);
    net.extra_us[a->index][b->index] = net.extra_us[b->index][a->index] = extra_us;
}

uint32_t sim_net_ms(const struct sim_proc *a, const struct sim_proc *b)
{
    return net.base_us[a->index][b->index] / 500;
}

void sim_net_distance(struct sim_proc *a, struct sim_proc *b, uint32_t us)
{
    net.base_us[a->index][b->index] = net.base_us[b->index][a->index] = us;
}

/* Drops the last segments of a dead process' direction: its kernel had not sent them. */
static void lose_tail(struct sim_end *e)
{
    unsigned count = 0;
    MER_LIST_EACH (it, &e->queue)
        count++;
    unsigned keep = count ? sim_below(count + 1) : 0, i = 0;
    MER_LIST_EACH_SAFE (it, &e->queue) {
        struct segment *s = MER_LIST_ENTRY(it, struct segment, node);
        if (i++ < keep)
            continue;
        mer_list_remove(it);
        e->inflight -= s->len;
        free(s);
    }
}

void sim_net_died(struct sim_proc *p, bool silent)
{
    MER_LIST_EACH_SAFE (it, &net.conns) {
        struct sim_conn *c = MER_LIST_ENTRY(it, struct sim_conn, all);
        if (c->end[0].finished && c->end[1].finished && mer_list_empty(&c->end[0].queue) && mer_list_empty(&c->end[1].queue)) {
            mer_list_remove(it); /* over: not looked at again */
            continue;
        }
        for (int i = 0; i < 2; i++) {
            struct sim_end *e = &c->end[i];
            if (e->proc != p || e->life == p->life)
                continue;
            e->ops = NULL;
            if (silent || sim_chance(50))
                lose_tail(e);
            if (!silent && !e->finished)
                push(e, sim_chance(50) ? FIN : RST, NULL, 0);
            e->finished = true;
        }
    }
}
