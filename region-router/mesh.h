/* SPDX-License-Identifier: Apache-2.0
 * mesh.h - this router's links to the routers of the other regions (R31): every router dials every listed router of every other region,
 * over mutual TLS 1.3; the certificate says which region and role the other side is. One of a region's routers leads, says so with the
 * epoch of its lease, and only it is talked to and listened to; what a lower epoch still says is refused and counted.
 *
 * Nothing is kept for a region that cannot be reached: who needs more than "sent once, in order, within one life of the link" repeats by
 * its own rules (relay.h). What came from one region is never passed on to another. */
#pragma once

#include <meridian/link.h>

#include "meridian/region/v1/region.pb-c.h"

struct router_app;
struct router_mesh;

/* A message of the leader of `region`; borrowed. */
typedef void (*router_mesh_cb)(void *ctx, const char *region, const Meridian__Region__V1__RegionMessage *m);
/* The leader of `region` can be talked to from now on (up), or no more; another leader is a down and an up. */
typedef void (*router_mesh_region_cb)(void *ctx, const char *region, bool up);

struct router_mesh_region {
    const char *name;
    bool up;         /* its leader is there */
    uint32_t links;  /* up, to leader and standbys */
    uint32_t rtt_us; /* of the link to its leader, smoothed; 0: not known */
    uint64_t queued; /* bytes that wait on that link */
};

/* Without peers in the configuration: a mesh of nobody, which costs nothing. */
MER_MUST_CHECK enum mer_err router_mesh_create(struct router_mesh **out, struct router_app *app, struct mer_msg *msg);
/* Reads the certificates again, for links that begin from now on; files that are no good change nothing. */
void router_mesh_reload(struct router_mesh *m);
/* Our certificate, for other links that show it; NULL: none. */
SSL_CTX *router_mesh_tls_server(const struct router_mesh *m);
void router_mesh_destroy(struct router_mesh *m);
/* One handler a kind; set before messages can come. Only the leader's handlers are called, and only while we lead. */
void router_mesh_on(struct router_mesh *m, Meridian__Region__V1__RegionMessage__BodyCase kind, router_mesh_cb cb, void *ctx);
/* At most eight listeners. */
void router_mesh_on_region(struct router_mesh *m, router_mesh_region_cb cb, void *ctx);
/* To the leader of a region, packed at once. MER_ENOTFOUND: no such region, MER_ECLOSED: not up (or we do not lead), MER_EBUSY: too much
 * waits on the link, MER_ERANGE: larger than a link carries (MER_LINK_PAYLOAD_MAX). */
MER_MUST_CHECK enum mer_err router_mesh_send(struct router_mesh *m, const char *region, const Meridian__Region__V1__RegionMessage *msg);
/* We lead from now on, or no more: said to everybody. */
void router_mesh_tell_role(struct router_mesh *m);
/* The other regions, in the order of the configuration; the array lives until the next call. */
const struct router_mesh_region *router_mesh_regions(struct router_mesh *m, size_t *count);
/* The same as a JSON array, with leader and epoch of each: for the admin port. */
MER_MUST_CHECK enum mer_err router_mesh_status(struct router_mesh *m, struct mer_buf *out);
