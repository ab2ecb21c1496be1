/* SPDX-License-Identifier: Apache-2.0
 * far_peers.c - the bus' carrier to edges of other regions: frames through the leaders of both (far.h), made into lives by lives.c.
 *
 * A peer that does not answer is unreachable, never dead: that only its own region can know, and there its games are taken over. What a
 * router says it could not deliver ends the life at once; a line that is cut silently does so after 3 s. */
#include <string.h>

#include "edge/bus/bus_private.h"

typedef Meridian__Internal__V1__ChannelFrame Frame;

enum { KNOCK_MS = 500 }; /* longer than the way there and back, anywhere */

static enum mer_err publish(struct edge_bus *b, struct bus_peer *p, const char *to, Frame *f)
{
    Meridian__Internal__V1__FarBody m = MERIDIAN__INTERNAL__V1__FAR_BODY__INIT;
    if (b->far == NULL)
        return MER_ECLOSED;
    f->from = (char *)b->conf.incarnation;
    m.body_case = MERIDIAN__INTERNAL__V1__FAR_BODY__BODY_FRAME;
    m.frame = f;
    enum mer_err err = edge_far_send(b->far, to, &m, b->trace);
    if (err == MER_OK && p != NULL)
        p->channel.said_ms = b->conf.loop->now_ms;
    return err;
}

static bool may_begin(const struct edge_bus *b)
{
    (void)b;
    return true;
}

static void check(struct edge_bus *b)
{
    (void)b;
}

static enum mer_err reach(struct bus_peer *p, const char *address)
{
    (void)address;
    edge__lives_call(p);
    edge__lives_say(p);
    return MER_OK;
}

static bool look(struct bus_peer *p)
{
    edge__lives_say(p);
    return false;
}

static void on_frame(void *ctx, const char *from, const Meridian__Internal__V1__FarBody *m)
{
    edge__lives_hear(ctx, &edge__bus_far, from, m->frame);
}

static bool in_region(const struct bus_peer *p, const char *region)
{
    size_t n = strlen(region);
    return p->carrier == &edge__bus_far && strncmp(p->incarnation, region, n) == 0 && p->incarnation[n] == '/';
}

static void on_unsent(void *ctx, const char *region, const char *edge, bool none)
{
    (void)none;
    struct edge_bus *b = ctx;
    uint32_t pos = 0;
    for (struct bus_peer *p; (p = mer_map_next(&b->peers, &pos)) != NULL;) {
        if (!in_region(p, region) || p->channel.pair.state != EDGE_PAIR_UP || (edge != NULL && strcmp(p->incarnation, edge) != 0))
            continue;
        edge__lives_suffer(p, EDGE_PAIR_GOT_LOST);
        pos = 0; /* positions moved; it is not up any more */
    }
}

void edge_bus_use_far(struct edge_bus *b, struct edge_far *far)
{
    b->far = far;
    edge__lives_open(b);
    edge_far_on(far, MERIDIAN__INTERNAL__V1__FAR_BODY__BODY_FRAME, on_frame, b);
    edge_far_on_unsent(far, on_unsent, b);
}

const struct bus_carrier edge__bus_far = {
    .init = edge__lives_init,
    .reach = reach,
    .look = look,
    .look_ms = KNOCK_MS,
    .send = edge__lives_send,
    .ends_idle = edge__lives_end_idle,
    .drop = edge__lives_drop,
    .publish = publish,
    .may_begin = may_begin,
    .check = check,
};
