/* SPDX-License-Identifier: Apache-2.0
 * links.c - the bus' first carrier: direct links (<meridian/link.h>), dialled on the first message.
 *
 * One link serves both directions of a pair; which one stays when both dial at once is the link layer's rule, and so are order, silence and
 * what one side may send. */
#include <string.h>

#include "edge/bus/bus_private.h"

enum { LOOK_MS = 50 }; /* how soon a process that is gone is told from one that does not answer */

static void init(struct bus_peer *p)
{
    (void)p;
}

static void drop_dial(struct bus_peer *p)
{
    struct mer_link *l = p->link.dial;
    p->link.dial = NULL;
    if (l != NULL)
        mer_link_close(l);
}

static void drop(struct bus_peer *p, bool idle)
{
    (void)idle;
    p->link.up = NULL; /* so that nobody hears of its end */
    drop_dial(p);
}

static enum mer_err reach(struct bus_peer *p, const char *address)
{
    enum mer_err err = mer_link_dial(p->bus->links, address, p, &p->link.dial);
    return err == MER_OK ? mer_link_expect(p->link.dial, p->incarnation) : err;
}

static bool look(struct bus_peer *p)
{
    return mer_link_absent(p->link.dial);
}

static enum mer_err send_payload(struct bus_peer *p, const void *payload, size_t len)
{
    return mer_link_send(p->link.up, payload, len);
}

static bool ends_idle(const struct bus_peer *p)
{
    return p->link.up == p->link.dial; /* the side that dialled */
}

static void on_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    (void)ctx;
    if (!edge__bus_got(mer_link_user(l), payload, len))
        mer_link_reset(l);
}

static void on_up(void *ctx, struct mer_link *l, const struct mer_link_peer *who)
{
    struct bus_peer *p = edge__bus_peer_get(ctx, who->incarnation);
    if (p == NULL) {
        mer_link_close(l); /* memory is out; its user is NULL, on_down knows */
        return;
    }
    if (p->link.dial != l)
        drop_dial(p);
    mer_link_set_user(l, p);
    p->link.up = l;
    (void)edge__bus_peer_up(p);
}

static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    (void)ctx, (void)why;
    struct bus_peer *p = mer_link_user(l);
    if (p == NULL || p->link.up != l)
        return;
    p->link.up = NULL;
    edge__bus_peer_lost(p, false);
}

static enum mer_err open_links(struct edge_bus *b, struct mer_msg *msg)
{
    static const struct mer_link_cbs cbs = {on_up, on_message, on_down};
    const struct edge_bus_conf *c = &b->conf;
    struct mer_links_conf lc = {.loop = c->loop,
                                .log = c->log,
                                .rng = c->rng,
                                .metrics = c->metrics,
                                .cbs = &cbs,
                                .ctx = b,
                                .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE,
                                .region = c->region,
                                .id = c->id,
                                .incarnation = c->incarnation,
                                .tls_client = c->tls_client,
                                .tls_server = c->tls_server,
                                .peer_roles = 1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE,
                                .name = "bus"};
    enum mer_err err = mer_links_create(&b->links, &lc);
    return err == MER_OK ? mer_links_listen(b->links, c->listen, msg) : err;
}

static const char *address(const struct edge_bus *b)
{
    return mer_links_address(b->links);
}

static void close_links(struct edge_bus *b)
{
    mer_links_destroy(b->links);
    b->links = NULL;
}

const struct bus_carrier edge__bus_links = {
    .open = open_links,
    .address = address,
    .init = init,
    .addressed = true,
    .reach = reach,
    .look = look,
    .look_ms = LOOK_MS,
    .send = send_payload,
    .ends_idle = ends_idle,
    .drop = drop,
    .close = close_links,
};
