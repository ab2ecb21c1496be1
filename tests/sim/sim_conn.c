/* SPDX-License-Identifier: Apache-2.0
 * sim_conn.c - stands in for the edge's player port (edge/net): a player's connection is a simulated one with messages, the first of which
 * is the query of the upgrade. What the real one promises is kept: messages leave at the end of the turn, `closed` comes once and never
 * from inside send or close. */
#include <string.h>

#include <meridian/mem.h>

#include "edge/net/http.h"
#include "tests/sim/sim.h"

struct player_conn {
    struct edge_conn c;           /* first: what the edge knows */
    struct mer_list node, unsent; /* unsent: has frames of this turn */
    struct edge_net *net;
    struct sim_end *end;
    struct mer_buf out; /* frames of this turn, each behind its length */
    const struct edge_conn_ops *ops;
    struct mer_deferred closed_later;
    uint16_t code;
    bool closing, told;
};

struct edge_net {
    struct edge_net_conf conf;
    struct mer_list conns, unsent;
    struct mer_hook hook;
    uint32_t count;
};

struct edge_http {
    struct edge_http_conf conf;
    struct sim_proc *proc;
    char address[64];
    bool refuse;
};

static struct player_conn *of(const struct edge_conn *c)
{
    return (struct player_conn *)(void *)(uintptr_t)c;
}

/* --- the net layer ------------------------------------------------------------------------------------------------------------------- */

void edge_net_conf_default(struct edge_net_conf *c)
{
    memset(c, 0, sizeof(*c));
}

static void flush(struct player_conn *p)
{
    size_t at = 0;
    while (at < p->out.len) {
        uint32_t len;
        memcpy(&len, p->out.data + at, sizeof(len));
        if (p->end)
            sim_net_send(p->end, p->out.data + at + sizeof(len), len);
        at += sizeof(len) + len;
    }
    mer_buf_deinit(&p->out); /* of a hundred thousand players most are silent */
    mer_buf_init(&p->out, 0);
    mer_list_remove(&p->unsent);
}

static bool on_hook(struct mer_hook *h)
{
    struct edge_net *n = MER_CONTAINER_OF(h, struct edge_net, hook);
    while (!mer_list_empty(&n->unsent))
        flush(MER_LIST_ENTRY(n->unsent.next, struct player_conn, unsent));
    return false;
}

enum mer_err edge_net_create(struct edge_net **out, const struct edge_net_conf *conf)
{
    struct edge_net *n = mer_xcalloc(1, sizeof(*n));
    n->conf = *conf;
    mer_list_init(&n->conns);
    mer_list_init(&n->unsent);
    n->hook.cb = on_hook;
    mer_loop_hook_add(conf->loop, MER_PHASE_PLAYER, &n->hook);
    *out = n;
    return MER_OK;
}

uint32_t edge_net_connections(const struct edge_net *n)
{
    return n->count;
}

void edge_net_each(struct edge_net *n, void (*each)(struct edge_conn *c, void *ctx), void *ctx)
{
    MER_LIST_EACH_SAFE (it, &n->conns) {
        struct player_conn *p = MER_LIST_ENTRY(it, struct player_conn, node);
        if (!p->closing)
            each(&p->c, ctx);
    }
}

void edge_net_destroy(struct edge_net *n)
{
    (void)n; /* a simulated process is killed, not taken apart */
}

/* --- one connection ------------------------------------------------------------------------------------------------------------------ */

static void on_closed_later(struct mer_deferred *d)
{
    struct player_conn *p = MER_CONTAINER_OF(d, struct player_conn, closed_later);
    flush(p);
    if (p->end)
        sim_net_close(p->end);
    p->end = NULL;
    mer_list_remove(&p->node);
    p->net->count--;
    p->ops->closed(&p->c, p->code);
    mer_buf_deinit(&p->out);
    free(p);
}

static void finish(struct player_conn *p, uint16_t code)
{
    if (p->closing)
        return;
    p->closing = true;
    p->code = code;
    mer_loop_defer(p->net->conf.loop, &p->closed_later);
}

static void queue(struct player_conn *p, uint8_t kind, const void *data, size_t len)
{
    uint32_t size = (uint32_t)len + 1;
    MER_ASSERT(mer_buf_append(&p->out, &size, sizeof(size)) == MER_OK && mer_buf_append(&p->out, &kind, 1) == MER_OK &&
               mer_buf_append(&p->out, data, len) == MER_OK);
    if (mer_list_empty(&p->unsent))
        mer_list_push_back(&p->net->unsent, &p->unsent);
}

void edge_conn_send(struct edge_conn *c, enum edge_opcode op, const void *data, size_t len)
{
    if (!of(c)->closing)
        queue(of(c), (uint8_t)op, data, len);
}

void edge_conn_close(struct edge_conn *c, uint16_t code, const char *reason)
{
    char text[EDGE_CLOSE_REASON_MAX + 3];
    struct player_conn *p = of(c);
    if (p->closing)
        return;
    int n = snprintf(text, sizeof(text), "%u %s", code, reason ? reason : "");
    queue(p, SIM_FRAME_CLOSE, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
    finish(p, code);
}

bool edge_conn_is_open(const struct edge_conn *c)
{
    return !of(c)->closing;
}

size_t edge_conn_unsent(const struct edge_conn *c)
{
    return of(c)->out.len;
}

static void upgraded(struct player_conn *p, struct edge_http *h, const char *text, size_t len)
{
    const struct edge_upgrade_route *r = &h->conf.upgrades[0];
    struct edge_upgrade info = {.subprotocol = text[0] == 'p', .query = {text + 1, len - 1}};
    p->ops = r->ops;
    r->opened(r->ctx, &p->c, &info);
}

static void end_data(void *ctx, const uint8_t *data, size_t len)
{
    struct player_conn *p = ctx;
    uint8_t copy[20 * 1024];
    if (p->closing || len == 0 || len > sizeof(copy))
        return;
    if (!p->told) {
        p->told = true;
        upgraded(p, (struct edge_http *)(void *)p->c.next, (const char *)data, len);
        return;
    }
    if (data[0] == SIM_FRAME_CLOSE) {
        finish(p, EDGE_CLOSE_DONE);
        return;
    }
    memcpy(copy, data + 1, len - 1);
    p->ops->message(&p->c, (enum edge_opcode)data[0], copy, len - 1);
}

static void nothing_message(struct edge_conn *c, enum edge_opcode op, uint8_t *data, size_t len)
{
    (void)c, (void)op, (void)data, (void)len;
}

static void nothing_closed(struct edge_conn *c, uint16_t code)
{
    (void)c, (void)code;
}

static void end_closed(void *ctx, bool clean, const char *why)
{
    struct player_conn *p = ctx;
    (void)clean, (void)why;
    p->end = NULL;
    finish(p, EDGE_CLOSE_LOST);
}

static const struct sim_end_ops end_ops = {NULL, end_data, end_closed};

static void accepted(void *ctx, struct sim_end *end)
{
    static const struct edge_conn_ops nothing = {nothing_message, nothing_closed};
    struct edge_http *h = ctx;
    if (h->refuse) {
        sim_net_close(end);
        return;
    }
    struct player_conn *p = mer_xcalloc(1, sizeof(*p));
    p->net = p->c.net = h->conf.net;
    p->c.next = (struct edge_conn *)(void *)h; /* until the upgrade */
    p->end = end;
    p->ops = &nothing;
    mer_buf_init(&p->out, 0);
    mer_list_init(&p->node);
    mer_list_init(&p->unsent);
    mer_deferred_init(&p->closed_later, on_closed_later);
    mer_list_push_back(&p->net->conns, &p->node);
    p->net->count++;
    sim_net_take(end, &end_ops, p);
}

/* --- the player port ----------------------------------------------------------------------------------------------------------------- */

void edge_http_conf_default(struct edge_http_conf *c)
{
    memset(c, 0, sizeof(*c));
}

enum mer_err edge_http_create(struct edge_http **out, const struct edge_http_conf *conf, struct mer_msg *msg)
{
    (void)msg;
    struct edge_http *h = mer_xcalloc(1, sizeof(*h));
    h->conf = *conf;
    h->proc = sim.current;
    *out = h;
    return MER_OK;
}

enum mer_err edge_http_listen(struct edge_http *h, const char *address, SSL_CTX *tls, bool shared, struct mer_msg *msg)
{
    (void)tls, (void)shared, (void)msg;
    sim_copy(h->address, sizeof(h->address), address);
    return sim_net_listen(h->proc, address, accepted, h) ? MER_OK : MER_EEXISTS;
}

const char *edge_http_address(const struct edge_http *h, size_t i)
{
    return i == 0 ? h->address : NULL;
}

void edge_http_refuse_new(struct edge_http *h, bool refuse)
{
    h->refuse = refuse;
}

void edge_http_stop_listening(struct edge_http *h)
{
    sim_net_unlisten(h->proc, h->address);
}

void edge_http_destroy(struct edge_http *h)
{
    (void)h;
}

/* Nobody asks for these here. */
struct edge_upgrade_route edge_echo_route(const char *path)
{
    return (struct edge_upgrade_route){.path = path};
}

void edge_http_header(struct edge_request *req, const char *name, const char *value)
{
    (void)req, (void)name, (void)value;
}

void edge_http_reply(struct edge_request *req, int status, const char *type, const void *body, size_t len)
{
    (void)req, (void)status, (void)type, (void)body, (void)len;
}

void edge_http_error(struct edge_request *req, int status, const char *code, const char *message, uint32_t retry_after_ms)
{
    (void)req, (void)status, (void)code, (void)message, (void)retry_after_ms;
}
