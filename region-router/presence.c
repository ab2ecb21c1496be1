/* SPDX-License-Identifier: Apache-2.0
 * presence.c - is a user connected somewhere in this region? For edges of ours and, through both leaders, for those of other regions.
 *
 * The registry names the edges where he has sessions, and those are asked (there.h). Of a question that other regions ask nothing is kept
 * at theirs: the asking edge's name and number travel with it.
 *
 * Timer: `late`, armed for the oldest question that edges were asked. Owner: relay_shell.c. Next: edge/room/presence.c. */
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
    struct mer_list node; /* waiting */
    uint64_t number, due_ms;
    struct router_relays *rs;
    struct router_relay_peer *p; /* NULL: an edge of ours asked */
    uint64_t ask;
    struct router_there_case is;
    const char *user, *edge; /* behind it; edge: who asked */
};

static struct mer_key number_of(const void *entry)
{
    return (struct mer_key){&((const struct lookup *)entry)->number, sizeof(uint64_t)};
}

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

static void lookup_end(struct lookup *q, enum router_there_verdict v)
{
    static const IV1(PresenceAnswer) answer[] = {
        [ROUTER_THERE_ONLINE] = ANSWER(ONLINE), [ROUTER_THERE_OFFLINE] = ANSWER(OFFLINE), [ROUTER_THERE_NOT_KNOWN] = ANSWER(NOT_KNOWN)};
    struct router_relays *rs = q->rs;
    if (q->p == NULL)
        tell_edge(rs, q->edge, q->ask, answer[v]);
    else if (v != ROUTER_THERE_NOT_KNOWN)
        tell_region(q->p, q->edge, q->ask, v == ROUTER_THERE_ONLINE);
    else
        rs->values[ROUTER_RS_PRESENCE_LOST]++;
    mer_list_remove(&q->node);
    mer_map_remove(&rs->asked, &q->number, sizeof q->number);
    rs->lookups--;
    free(q);
}

static struct lookup *oldest(const struct router_relays *rs)
{
    return mer_list_empty(&rs->waiting) ? NULL : MER_LIST_ENTRY(rs->waiting.next, struct lookup, node);
}

static void on_late(struct mer_timer *t)
{
    struct router_relays *rs = MER_CONTAINER_OF(t, struct router_relays, late);
    uint64_t now = rs->app->loop.now_ms;
    struct lookup *q;
    while ((q = oldest(rs)) != NULL && q->due_ms <= now) {
        rs->values[ROUTER_RS_PRESENCE_SILENT]++;
        lookup_end(q, router_there_late(&q->is));
    }
    if (q != NULL)
        mer_loop_arm(&rs->app->loop, &rs->late, q->due_ms - now);
}

static bool wait_for_edges(struct lookup *q)
{
    struct router_relays *rs = q->rs;
    if (mer_map_put(&rs->asked, q) != MER_OK)
        return false;
    mer_list_push_back(&rs->waiting, &q->node);
    q->due_ms = rs->app->loop.now_ms + ROUTER_PRESENCE_EDGE_MS;
    if (!mer_timer_armed(&rs->late))
        mer_loop_arm(&rs->app->loop, &rs->late, ROUTER_PRESENCE_EDGE_MS);
    return true;
}

/* Lost, or never heard: then the question is late. */
static void ask_edge(const struct lookup *q, struct mer_link *link)
{
    IV1(PresenceAsk) a = MERIDIAN__INTERNAL__V1__PRESENCE_ASK__INIT;
    IV1(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    a.ask = q->number;
    a.user = (char *)q->user;
    a.has_router_epoch = true;
    a.router_epoch = router__lead_epoch(q->rs->app);
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_PRESENCE_ASK;
    m.presence_ask = &a;
    if (a.router_epoch != 0)
        router_edges_send(&q->rs->app->edges, link, &m);
}

/* Is it named before the i-th? */
static bool repeated(const redisReply *list, size_t i)
{
    for (size_t k = 1; k < i; k += 3)
        if (strcmp(list->element[k]->str, list->element[i]->str) == 0)
            return true;
    return false;
}

static const redisReply *devices_of(const redisReply *r)
{
    if (r->type != REDIS_REPLY_ARRAY || r->elements < PLAYER_ELEMENTS || r->element[PLAYER_DEVICES]->type != REDIS_REPLY_ARRAY)
        return NULL;
    const redisReply *list = r->element[PLAYER_DEVICES]; /* device, edge, session, device, ... */
    for (size_t i = 1; i < list->elements; i += 3)
        if (list->element[i]->type != REDIS_REPLY_STRING)
            return NULL;
    return list;
}

static void on_player(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct lookup *q = ctx;
    struct router_relays *rs = q->rs;
    const redisReply *list = err == MER_OK ? devices_of(reply) : NULL;
    rs->calls--;
    for (size_t i = 1; list != NULL && i < list->elements; i += 3) {
        const struct router_edge *e = router_edges_find(&rs->app->edges, list->element[i]->str);
        if (!repeated(list, i) && router_there_name(&rs->there, &q->is, list->element[i]->str, e != NULL, rs->app->loop.now_ms))
            ask_edge(q, e->link);
    }
    enum router_there_verdict v = list != NULL ? router_there_verdict(&q->is) : ROUTER_THERE_NOT_KNOWN;
    if (v != ROUTER_THERE_WAIT || !wait_for_edges(q))
        lookup_end(q, v != ROUTER_THERE_WAIT ? v : ROUTER_THERE_NOT_KNOWN);
}

void router_presence_told(struct router_relays *rs, const IV1(PresenceTold) * told)
{
    struct lookup *q = mer_map_get(&rs->asked, &told->ask, sizeof told->ask);
    bool ours = told->router_epoch == router__lead_epoch(rs->app); /* numbers are a leader's */
    if (q == NULL || !ours || (told->answer != ANSWER(ONLINE) && told->answer != ANSWER(OFFLINE)))
        return; /* too late */
    enum router_there_verdict v = router_there_said(&q->is, told->answer == ANSWER(ONLINE));
    if (v != ROUTER_THERE_WAIT)
        lookup_end(q, v);
}

void router_presence_edge_lost(struct router_relays *rs, const struct router_edge *e)
{
    router_there_lose(&rs->there, e->incarnation, rs->app->loop.now_ms);
}

static bool look(struct router_relays *rs, struct router_relay_peer *p, const char *edge, uint64_t ask, const char *user)
{
    struct router_fcall c;
    char player[MER_KEY_MAX];
    uint32_t bucket = mer_key_bucket(user);
    size_t len = strlen(edge) + 1, both = len + strlen(user) + 1;
    struct lookup *q = NULL;
    rs->values[ROUTER_RS_PRESENCE_ASKED]++;
    if (rs->lookups < ROUTER_PRESENCE_MAX && len <= ROUTER_TEXT_MAX && mer_key_in_bucket(player, "player", bucket, user) == MER_OK)
        q = mer_try_calloc(1, sizeof *q + both);
    if (q == NULL)
        return false;
    q->rs = rs;
    q->p = p;
    q->ask = ask;
    q->number = ++rs->lookup;
    mer_list_init(&q->node);
    q->edge = memcpy(q + 1, edge, len);
    q->user = memcpy((char *)(q + 1) + len, user, both - len);
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
    static const uint64_t seed[2] = {1, 2}; /* numbers of our own */
    router_there_init(&rs->there, rs->app->loop.now_ms);
    mer_map_init(&rs->asked, number_of, seed);
    mer_list_init(&rs->waiting);
    mer_timer_init(&rs->late, on_late);
    router_mesh_on(rs->app->mesh, MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_PRESENCE_ASK, on_ask, rs);
    router_mesh_on(rs->app->mesh, MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_PRESENCE_TOLD, on_told, rs);
}

void router__presence_deinit(struct router_relays *rs)
{
    struct lookup *q;
    mer_loop_disarm(&rs->app->loop, &rs->late);
    while ((q = oldest(rs)) != NULL)
        lookup_end(q, ROUTER_THERE_NOT_KNOWN);
    mer_map_deinit(&rs->asked);
}
