/* SPDX-License-Identifier: Apache-2.0
 * far_wire.h - the way between edges of two regions inside a test: replaces the links to the routers at the link. What an edge of one
 * region sends arrives at the other in the next turn, or goes the way the test says. */
#pragma once

#include "unit.h"

#include <meridian/loop.h>

#include "edge/bus/far.h"

#define IM(x) Meridian__Internal__V1__##x
#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum way { FINE, LOSES, REPEATS, UNSENT, REGION_UNSENT, NO_LEADER };

/* One edge's end. */
struct edge_routers {
    struct mer_loop *loop;
    const char *region, *incarnation;
    struct edge_routers *other;
    edge_routers_cb cb[2]; /* FAR_MESSAGE, FAR_UNSENT */
    void *ctx[2];
    enum way way;
    unsigned times, sent; /* so many of the next messages go that way */
    unsigned traced;      /* of those sent */
};
struct letter {
    struct mer_deferred later;
    struct edge_routers *to;
    IM(RouterMessage) * m;
};

static IM(RouterMessage) * copy_of(const IM(RouterMessage) * m)
{
    size_t len = protobuf_c_message_get_packed_size(&m->base);
    uint8_t *bytes = malloc(len + 1);
    protobuf_c_message_pack(&m->base, bytes);
    IM(RouterMessage) *copy = meridian__internal__v1__router_message__unpack(NULL, len, bytes);
    free(bytes);
    return copy;
}
static void arrive(struct mer_deferred *d)
{
    struct letter *l = MER_CONTAINER_OF(d, struct letter, later);
    int at = l->m->body_case == ROUTER(FAR_UNSENT);
    l->to->cb[at](l->to->ctx[at], l->m);
    meridian__internal__v1__router_message__free_unpacked(l->m, NULL);
    free(l);
}
static void post(struct edge_routers *to, const IM(RouterMessage) * m)
{
    struct letter *l = calloc(1, sizeof *l);
    l->to = to;
    l->m = copy_of(m);
    mer_deferred_init(&l->later, arrive);
    mer_loop_defer(to->loop, &l->later);
}
static void post_far(struct edge_routers *to, const char *region, const char *edge, const void *body, size_t len)
{
    IM(FarMessage) f = MERIDIAN__INTERNAL__V1__FAR_MESSAGE__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    f.has_router_epoch = true;
    f.router_epoch = 1;
    f.region = (char *)region;
    f.edge = (char *)edge;
    f.body = (ProtobufCBinaryData){len, (uint8_t *)body};
    m.body_case = ROUTER(FAR_MESSAGE);
    m.far_message = &f;
    post(to, &m);
}
static void post_unsent(struct edge_routers *to, const char *region, const char *edge, bool none)
{
    IM(FarUnsent) u = MERIDIAN__INTERNAL__V1__FAR_UNSENT__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    u.region = (char *)region;
    u.edge = (char *)edge;
    u.has_none = u.none = none;
    m.body_case = ROUTER(FAR_UNSENT);
    m.far_unsent = &u;
    post(to, &m);
}

void edge_routers_on(struct edge_routers *r, IM(RouterMessage__BodyCase) kind, edge_routers_cb cb, void *ctx)
{
    int at = kind == ROUTER(FAR_UNSENT);
    r->cb[at] = cb;
    r->ctx[at] = ctx;
}
enum mer_err edge_routers_send(struct edge_routers *r, const IM(RouterMessage) * m)
{
    const IM(FarMessage) *f = m->far_message;
    enum way way = r->times > 0 ? r->way : FINE;
    r->times -= r->times > 0;
    r->sent++;
    r->traced += f->has_trace;
    if (way == NO_LEADER)
        return MER_ECLOSED;
    if (way == UNSENT || way == REGION_UNSENT)
        post_unsent(r, f->region, way == UNSENT ? f->edge : NULL, false);
    assert_string_equal(f->region, r->other->region);
    for (int i = way == FINE ? 1 : way == REPEATS ? 2 : 0; i > 0; i--)
        post_far(r->other, r->region, r->incarnation, f->body.data, f->body.len);
    return MER_OK;
}
