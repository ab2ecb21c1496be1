/* SPDX-License-Identifier: Apache-2.0
 * far.h - messages to edges of other regions, through the leaders of both regions (decision 19). Sent once: they may be lost without a
 * word, though never repeated; who needs more has pair.h or a deadline.
 *
 * An edge of another region is called "region/incarnation" here, one of ours "incarnation"; on the way names are those of the sender's
 * region. A game that is played across regions names the region where it lies: "asia.g-..."; all others lie where they are asked for. */
#pragma once

#include "edge/bus/routers.h"

enum { EDGE_FAR_REGION_MAX = 31, EDGE_FAR_INCARNATION_MAX = 63, EDGE_FAR_NAME_BYTES = EDGE_FAR_REGION_MAX + EDGE_FAR_INCARNATION_MAX + 2 };

struct edge_far;

/* from: "region/incarnation"; all borrowed. */
typedef void (*edge_far_cb)(void *ctx, const char *from, const Meridian__Internal__V1__FarBody *m);
/* Something to `edge` did not arrive; NULL: to nobody of that region can anything be sent. none: there is no such region. */
typedef void (*edge_far_unsent_cb)(void *ctx, const char *region, const char *edge, bool none);

struct edge_far_conf {
    struct mer_log *log;
    struct mer_metrics *metrics;
    struct edge_routers *routers;
    const char *region; /* ours; kept */
};

MER_MUST_CHECK enum mer_err edge_far_create(struct edge_far **out, const struct edge_far_conf *conf);
/* One handler a kind. */
void edge_far_on(struct edge_far *f, Meridian__Internal__V1__FarBody__BodyCase kind, edge_far_cb cb, void *ctx);
/* At most two listeners. */
void edge_far_on_unsent(struct edge_far *f, edge_far_unsent_cb cb, void *ctx);
/* to: "region/incarnation", or "region/" for any edge there. MER_ECLOSED: no leader of ours, MER_EBUSY, MER_ERANGE: too large,
 * MER_EINVALID: no such name. trace: the trace it belongs to, as in BusMessage; NULL: none. */
MER_MUST_CHECK enum mer_err edge_far_send(struct edge_far *f, const char *to, const Meridian__Internal__V1__FarBody *m,
                                          const ProtobufCBinaryData *trace);
const char *edge_far_region(const struct edge_far *f); /* ours */
void edge_far_destroy(struct edge_far *f);

/* Pure. */
bool edge_far_is(const char *incarnation);
/* An edge as `from` names it, as we call it: "asia/e-1.x" for "e-1.x" of "asia/...". false: too long. */
MER_MUST_CHECK bool edge_far_name(char out[EDGE_FAR_NAME_BYTES], const char *from, const char *name);
/* Where that game lies, as "asia/"; false: here. */
MER_MUST_CHECK bool edge_far_game(char out[EDGE_FAR_NAME_BYTES], const char *own_region, const char *game);
