/* SPDX-License-Identifier: Apache-2.0
 * presence.c - is a user connected somewhere in this region? For edges of ours and, through both leaders, for those of other regions.
 *
 * The registry names the edges where he has sessions; entries of edges that crashed stay there, so only those count that are linked to us.
 * Nothing is kept of a question but the read under way: the asking edge's name and number travel with it. Owner: relay_shell.c. */
#include "region-router/relay_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/app.h"

#define RV1(x) Meridian__Region__V1__##x
#define IV1(x) Meridian__Internal__V1__##x
#define ANSWER(x) MERIDIAN__INTERNAL__V1__PRESENCE_ANSWER__PRESENCE_ANSWER_##x

enum { PLAYER_ELEMENTS = 11, PLAYER_DEVICES = 10 }; /* of a reply about a player: infra/redis/meridian1.lua */

struct lookup {
    struct router_relays *rs;
    struct router_relay_peer *p; /* NULL: an edge of ours asked */
    uint64_t ask;
    char edge[];
};

/* ---- answers ------------------------------------------------------------------------------------------------------------------------- */

static void tell_edge(struct router_relays *rs, const char *edge, uint64_t ask, IV1(PresenceAnswer) answer)
{
    const struct router_edge *e = router_edges_find(&rs->app->edges, edge);
    IV1(PresenceTold) t = MERIDIAN__INTERNAL__V1__PRESENCE_TOLD__INIT;
    IV1(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    t.router_epoch = router__lead_epoch(rs->app);
    t.ask = ask;
    t.answer = answer;
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_PRESENCE_TOLD;
    m.presence_told = &t;
    if (e != NULL && t.router_epoch != 0)
        router_edges_send(&rs->app->edges, e->link, &m);
}

static void tell_region(struct router_relay_peer *p, const char *edge, uint64_t ask, bool online)
{
    RV1(PresenceTold) t = MERIDIAN__REGION__V1__PRESENCE_TOLD__INIT;
    RV1(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    t.edge = (char *)edge;
    t.ask = ask;
    t.online = online;
    m.body_case = MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_PRESENCE_TOLD;
    m.presence_told = &t;
    if (router_mesh_send(p->all->app->mesh, p->name, &m) != MER_OK)
        p->all->values[ROUTER_RS_PRESENCE_LOST]++;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------------- */

static bool connected(const struct router_relays *rs, const redisReply *r, bool *online)
{
    if (r->type != REDIS_REPLY_ARRAY || r->elements < PLAYER_ELEMENTS || r->element[PLAYER_DEVICES]->type != REDIS_REPLY_ARRAY)
        return false;
    const redisReply *list = r->element[PLAYER_DEVICES]; /* device, edge, session, device, ... */
    *online = false;
    for (size_t i = 1; i < list->elements && !*online; i += 3)
        *online = list->element[i]->type == REDIS_REPLY_STRING && router_edges_find(&rs->app->edges, list->element[i]->str) != NULL;
    return true;
}

static void on_player(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct lookup *q = ctx;
    bool online, known = err == MER_OK && connected(q->rs, reply, &online);
    q->rs->calls--;
    q->rs->lookups--;
    if (q->p == NULL)
        tell_edge(q->rs, q->edge, q->ask, !known ? ANSWER(NOT_KNOWN) : online ? ANSWER(ONLINE) : ANSWER(OFFLINE));
    else if (known)
        tell_region(q->p, q->edge, q->ask, online);
    else
        q->rs->values[ROUTER_RS_PRESENCE_LOST]++;
    free(q);
}

static bool look(struct router_relays *rs, struct router_relay_peer *p, const char *edge, uint64_t ask, const char *user)
{
    struct router_fcall c;
    char player[MER_KEY_MAX];
    uint32_t bucket = mer_key_bucket(user);
    size_t len = strlen(edge) + 1;
    struct lookup *q = NULL;
    rs->values[ROUTER_RS_PRESENCE_ASKED]++;
    if (rs->lookups < ROUTER_PRESENCE_MAX && len <= ROUTER_TEXT_MAX && mer_key_in_bucket(player, "player", bucket, user) == MER_OK)
        q = mer_try_malloc(sizeof *q + len);
    if (q == NULL)
        return false;
    q->rs = rs;
    q->p = p;
    q->ask = ask;
    memcpy(q->edge, edge, len);
    router__fcall(&c, "mer1_player_get", 2);
    router__fcall_text(&c, player);
    router__fcall_electable(&c, bucket);
    if (router__fcall_send(rs, &c, player, false, on_player, q) != MER_OK) {
        free(q);
        return false;
    }
    rs->lookups++;
    return true;
}

/* ---- questions ----------------------------------------------------------------------------------------------------------------------- */

void router_presence_ask(struct router_relays *rs, const struct router_edge *from, const IV1(PresenceAsk) * ask)
{
    struct router_relay_peer *p = ask->region != NULL ? router__relay_peer(rs, ask->region) : NULL;
    if (ask->region == NULL) {
        if (!look(rs, NULL, from->incarnation, ask->ask, ask->user))
            tell_edge(rs, from->incarnation, ask->ask, ANSWER(NOT_KNOWN));
        return;
    }
    RV1(PresenceAsk) a = MERIDIAN__REGION__V1__PRESENCE_ASK__INIT;
    RV1(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    a.edge = (char *)from->incarnation;
    a.ask = ask->ask;
    a.user = ask->user;
    m.body_case = MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_PRESENCE_ASK;
    m.presence_ask = &a;
    rs->values[ROUTER_RS_PRESENCE_ASKED]++;
    if (p == NULL || router_mesh_send(rs->app->mesh, p->name, &m) != MER_OK)
        tell_edge(rs, from->incarnation, ask->ask, p == NULL ? ANSWER(NO_REGION) : ANSWER(NOT_KNOWN));
}

static void on_ask(void *ctx, const char *region, const RV1(RegionMessage) * m)
{
    struct router_relays *rs = ctx;
    struct router_relay_peer *p = router__relay_peer(rs, region);
    if (p != NULL && !look(rs, p, m->presence_ask->edge, m->presence_ask->ask, m->presence_ask->user))
        rs->values[ROUTER_RS_PRESENCE_LOST]++; /* it has a deadline */
}

static void on_told(void *ctx, const char *region, const RV1(RegionMessage) * m)
{
    (void)region;
    tell_edge(ctx, m->presence_told->edge, m->presence_told->ask, m->presence_told->online ? ANSWER(ONLINE) : ANSWER(OFFLINE));
}

void router__presence_init(struct router_relays *rs)
{
    router_mesh_on(rs->app->mesh, MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_PRESENCE_ASK, on_ask, rs);
    router_mesh_on(rs->app->mesh, MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_PRESENCE_TOLD, on_told, rs);
}
