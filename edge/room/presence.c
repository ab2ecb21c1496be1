/* SPDX-License-Identifier: Apache-2.0
 * presence.c - see presence.h.
 *
 * Where a user was last stands in the registry; whether he is still there only that edge knows, and which of the edges live only the
 * leader. So the leader is asked, also about users of our own region, and asks them. A question is lost like anything in flight; then its
 * player is told to ask again.
 *
 * Timer: `late`, armed for the oldest question. Owner: the app. Next: region-router/presence.c. */
#include "edge/room/presence.h"

#include <string.h>

#include <meridian/map.h>
#include <meridian/mem.h>

#define CM(x) Meridian__Client__V1__##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x
#define ANSWER(x) MERIDIAN__INTERNAL__V1__PRESENCE_ANSWER__PRESENCE_ANSWER_##x

enum {
    WAIT_MS = 2000,   /* twice around the world and two reads */
    ASKING_MAX = 4096 /* 1 MiB at most */
};

enum { M_ASKED, M_LATE, M_TOLD, M_COUNT };
static const struct mer_metric_def defs[M_COUNT] = {
    [M_ASKED] = {"meridian_edge_presence_asked_total", "questions whether a user is there"},
    [M_LATE] = {"meridian_edge_presence_late_total", "... without an answer in time"},
    [M_TOLD] = {"meridian_edge_presence_told_total", "questions of the leader whether a user is at this edge, answered"},
};

struct edge_presence {
    struct edge_app *app;
    struct mer_map by_number;
    struct mer_list asking; /* oldest first */
    struct mer_timer late;
    uint64_t number;
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
};

struct asking {
    struct mer_list node;
    uint64_t number, due_ms;
    const char *session, *user, *region; /* behind it */
};

static struct mer_key key_of(const void *entry)
{
    return (struct mer_key){&((const struct asking *)entry)->number, sizeof(uint64_t)};
}

static void not_known(struct edge_presence *ps, const char *session, const char *user)
{
    edge_sessions_error(ps->app->sessions, session, CODE(TRY_AGAIN), "nobody can say now", user, WAIT_MS);
}

static void answer(struct edge_presence *ps, const struct asking *q, bool online)
{
    CM(Presence) p = MERIDIAN__CLIENT__V1__PRESENCE__INIT;
    CM(ServerMessage) m = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    p.user = (char *)q->user;
    p.region = (char *)(q->region[0] != 0 ? q->region : ps->app->conf.region);
    p.online = online;
    m.body_case = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_PRESENCE;
    m.presence = &p;
    edge_sessions_to_session(ps->app->sessions, q->session, &m);
}

static void forget(struct edge_presence *ps, struct asking *q)
{
    mer_list_remove(&q->node);
    mer_map_remove(&ps->by_number, &q->number, sizeof(q->number));
    mer_free(&q);
}

static struct asking *oldest(struct edge_presence *ps)
{
    return mer_list_empty(&ps->asking) ? NULL : MER_LIST_ENTRY(ps->asking.next, struct asking, node);
}

static void on_late(struct mer_timer *t)
{
    struct edge_presence *ps = MER_CONTAINER_OF(t, struct edge_presence, late);
    uint64_t now = ps->app->loop.now_ms;
    struct asking *q;
    while ((q = oldest(ps)) != NULL && q->due_ms <= now) {
        ps->values[M_LATE]++;
        not_known(ps, q->session, q->user);
        forget(ps, q);
    }
    if (q != NULL)
        mer_loop_arm(&ps->app->loop, &ps->late, q->due_ms - now);
}

static void on_told(void *ctx, const Meridian__Internal__V1__RouterMessage *m)
{
    struct edge_presence *ps = ctx;
    const Meridian__Internal__V1__PresenceTold *told = m->presence_told;
    struct asking *q = mer_map_get(&ps->by_number, &told->ask, sizeof(told->ask));
    if (q == NULL)
        return; /* too late */
    if (told->answer == ANSWER(ONLINE) || told->answer == ANSWER(OFFLINE))
        answer(ps, q, told->answer == ANSWER(ONLINE));
    else if (told->answer == ANSWER(NO_REGION))
        edge_sessions_error(ps->app->sessions, q->session, CODE(BAD_FIELD), "region: there is none of this name", q->user, 0);
    else
        not_known(ps, q->session, q->user);
    forget(ps, q);
}

/* The leader asks us, for whoever asked it. */
static void on_ask(void *ctx, const Meridian__Internal__V1__RouterMessage *m)
{
    struct edge_presence *ps = ctx;
    Meridian__Internal__V1__PresenceTold told = MERIDIAN__INTERNAL__V1__PRESENCE_TOLD__INIT;
    Meridian__Internal__V1__RouterMessage rm = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    told.router_epoch = m->presence_ask->router_epoch;
    told.ask = m->presence_ask->ask;
    told.answer = edge_sessions_there(ps->app->sessions, m->presence_ask->user) ? ANSWER(ONLINE) : ANSWER(OFFLINE);
    rm.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_PRESENCE_TOLD;
    rm.presence_told = &told;
    if (edge_routers_send(ps->app->routers, &rm) == MER_OK)
        ps->values[M_TOLD]++;
}

/* NULL: too many, or no memory. */
static struct asking *asking_new(struct edge_presence *ps, const char *session, const CM(GetPresence) * m)
{
    const char *text[] = {session, m->user, m->region != NULL ? m->region : ""};
    size_t bytes = 0;
    for (size_t i = 0; i < MER_COUNT(text); i++)
        bytes += strlen(text[i]) + 1;
    struct asking *q = ps->by_number.count < ASKING_MAX ? mer_try_malloc(sizeof(*q) + bytes) : NULL;
    if (q == NULL)
        return NULL;
    char *at = (char *)(q + 1);
    const char **field[] = {&q->session, &q->user, &q->region};
    for (size_t i = 0; i < MER_COUNT(text); i++) {
        *field[i] = at;
        at = stpcpy(at, text[i]) + 1; /* sized above */
    }
    q->number = ++ps->number;
    q->due_ms = ps->app->loop.now_ms + WAIT_MS;
    mer_list_init(&q->node);
    if (mer_map_put(&ps->by_number, q) != MER_OK) {
        mer_free(&q);
        return NULL;
    }
    mer_list_push_back(&ps->asking, &q->node);
    return q;
}

void edge_presence_ask(struct edge_presence *ps, const char *session, const CM(GetPresence) * m)
{
    Meridian__Internal__V1__PresenceAsk ask = MERIDIAN__INTERNAL__V1__PRESENCE_ASK__INIT;
    Meridian__Internal__V1__RouterMessage rm = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    bool ours = m->region == NULL || strcmp(m->region, ps->app->conf.region) == 0;
    struct asking *q = asking_new(ps, session, m);
    ps->values[M_ASKED]++;
    ask.ask = q != NULL ? q->number : 0;
    ask.user = m->user;
    ask.region = ours ? NULL : m->region;
    rm.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_PRESENCE_ASK;
    rm.presence_ask = &ask;
    if (q != NULL && edge_routers_send(ps->app->routers, &rm) == MER_OK) {
        if (!mer_timer_armed(&ps->late))
            mer_loop_arm(&ps->app->loop, &ps->late, WAIT_MS);
        return;
    }
    not_known(ps, session, m->user);
    if (q != NULL)
        forget(ps, q);
}

enum mer_err edge_presence_create(struct edge_presence **out, struct edge_app *app)
{
    struct edge_presence *ps = mer_xcalloc(1, sizeof(*ps));
    uint64_t seed[2] = {mer_rng_u64(&app->rng), mer_rng_u64(&app->rng)};
    ps->app = app;
    mer_map_init(&ps->by_number, key_of, seed);
    mer_list_init(&ps->asking);
    mer_timer_init(&ps->late, on_late);
    mer_metrics_add(&app->metrics, &ps->set, defs, M_COUNT, ps->values);
    edge_routers_on(app->routers, MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_PRESENCE_TOLD, on_told, ps);
    edge_routers_on(app->routers, MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_PRESENCE_ASK, on_ask, ps);
    *out = ps;
    return MER_OK;
}

void edge_presence_destroy(struct edge_presence *ps)
{
    if (ps == NULL)
        return;
    struct asking *q;
    while ((q = oldest(ps)) != NULL)
        forget(ps, q);
    mer_loop_disarm(&ps->app->loop, &ps->late);
    mer_metrics_remove(&ps->set);
    mer_map_deinit(&ps->by_number);
    mer_free(&ps);
}
