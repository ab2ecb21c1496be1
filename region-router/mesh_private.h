/* SPDX-License-Identifier: Apache-2.0
 * mesh_private.h - what mesh.c (links, and what is said on them) and mesh_leads.c (who is believed to lead) share. */
#pragma once

#include "region-router/app.h"
#include "region-router/mesh_tls.h"

#define RV1(x) Meridian__Region__V1__##x

enum { MESH_LISTENERS_MAX = 8, MESH_KINDS_MAX = 64 };

enum { M_REFUSED, M_STALE, M_NOT_LEADER, M_UNHANDLED, M_BAD, M_SENT, M_UNSENT, M_LEADERS, M_EPOCH_BACK, M_COUNT };

struct mesh_region {
    char name[ROUTER_REGION_BYTES], label[ROUTER_REGION_BYTES + 16];
    struct router_mesh *mesh;
    struct mesh_end *leader;
    uint64_t epoch;          /* of the last leader, the highest there was */
    struct mer_timer forget; /* armed when the leader goes, disarmed by the next; when it fires, any epoch will do */
    uint32_t links;
    bool told; /* listeners know it as up */
};

struct mesh_end { /* a link's user */
    struct mer_list node;
    struct mesh_region *region;
    struct mer_link *link;
    bool dialled, up;
    bool leads; /* says so, believed or not */
    uint64_t epoch;
};

struct router_mesh {
    struct router_app *app;
    struct mer_links *links; /* NULL: a mesh of nobody */
    struct router_mesh_tls tls;
    struct mesh_region *regions;
    size_t region_count;
    struct mer_list ends;
    struct router_mesh_region *view;
    struct {
        router_mesh_cb cb;
        void *ctx;
    } handlers[MESH_KINDS_MAX];
    struct {
        router_mesh_region_cb cb;
        void *ctx;
    } listeners[MESH_LISTENERS_MAX];
    size_t listener_count;
    uint8_t *scratch; /* one packed message */
    uint64_t values[M_COUNT], *region_values;
    struct mer_metric_def *region_defs;
    struct mer_metric_set set, region_set;
};

/* What `from` says it is in its region; counted when it is not believed. */
void router__mesh_take_role(struct router_mesh *m, struct mesh_end *from, const RV1(RegionRole) * role);
/* The leader's link is down, or it leads no more: the best of the others, if any, is next. */
void router__mesh_leader_gone(struct router_mesh *m, struct mesh_region *r);
/* Tells the listeners whether this region can be talked to, if that changed. */
void router__mesh_settle(struct router_mesh *m, struct mesh_region *r);
/* Of mesh_region.forget. */
void router__mesh_on_forget(struct mer_timer *t);
