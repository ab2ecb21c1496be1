/* SPDX-License-Identifier: Apache-2.0
 * leave.c - see leave.h. The order matters: not ready and not listening first, so that nobody new comes; games go to the targets of the
 * router's plan while their players are still connected here; players are told when to come back, each at his own time, and take their
 * sessions along (session/take.c), but not their tickets, which wait here to the end; the liveness key goes last, because until then others
 * must reach this process. What is left at the deadline is a crash to the others, and recovered like one.
 *
 * Timer: every 100 ms while leaving: asks for a plan once a second, looks whether all is done.
 * Owner: the app. Next: leave_states.h, game/handover.h, session/drain.h. */
#include "edge/leave.h"

#include <meridian/mem.h>

#include "edge/game/handover.h"
#include "edge/leave_states.h"
#include "edge/limits.h"
#include "edge/session/drain.h"
#include "edge/session/tickets.h"

#define IM(x) Meridian__Internal__V1__##x
#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum { TICK_MS = 100, ASK_MS = 1000, PLAN_WAIT_MS = 2000, SPREAD_MIN_MS = 1000, TAKE_WAIT_MS = 5000, LAST_MS = 300 };

struct edge_leave {
    struct edge_app *app;
    enum edge_leave_state state;
    struct mer_timer timer;
    struct edge_drain *players;
    bool targets; /* somebody takes the games */
    uint64_t since_ms, asked_ms, empty_ms, last_ms;
};

/* True when the state changed. */
static bool move(struct edge_leave *l, enum edge_leave_event e)
{
    enum edge_leave_state from = l->state;
    l->state = edge_leave_next(from, e);
    if (l->state != from)
        MER_LOG(&l->app->log, MER_DEBUG, "drain.state", KV_STR("from", edge_leave_state_name(from)),
                KV_STR("to", edge_leave_state_name(l->state)));
    return l->state != from;
}

static void ask(struct edge_leave *l)
{
    struct edge_app *app = l->app;
    IM(DrainAsk) a = MERIDIAN__INTERNAL__V1__DRAIN_ASK__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    a.games = edge_handover_left(app->handover);
    a.sessions = edge_sessions_count(app->sessions);
    m.body_case = ROUTER(DRAIN_ASK);
    m.drain_ask = &a;
    l->asked_ms = app->loop.now_ms;
    if (edge_routers_send(app->routers, &m) != MER_OK)
        MER_LOG(&app->log, MER_DEBUG, "drain.no_leader", KV_U64("games", a.games));
}

static void move_players(struct edge_leave *l, uint32_t per_second)
{
    struct edge_app *app = l->app;
    uint64_t spread = per_second == 0 ? SPREAD_MIN_MS : (uint64_t)edge_sessions_count(app->sessions) * 1000 / per_second;
    uint64_t room = app->conf.drain_deadline_ms - app->conf.drain_deadline_ms / 4; /* the rest is for coming back and taking sessions */
    spread = spread < SPREAD_MIN_MS ? SPREAD_MIN_MS : spread;
    spread = spread > room ? room : spread;
    MER_LOG(&app->log, MER_INFO, "drain.players", KV_U64("sessions", edge_sessions_count(app->sessions)), KV_U64("spread_ms", spread));
    if (edge_drain_start(&l->players, app, (uint32_t)spread) != MER_OK)
        edge_sessions_close_all(app->sessions, EDGE_CLOSE_RESTART, "restart", SPREAD_MIN_MS);
}

static void on_plan(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_leave *l = ctx;
    const IM(DrainPlan) *p = m->drain_plan;
    if (l->state != EDGE_LEAVE_ASKING && l->state != EDGE_LEAVE_MOVING)
        return;
    l->targets = p->n_targets > 0;
    edge_handover_start(l->app->handover, (const char *const *)p->targets, p->n_targets, p->games_per_second);
    if (move(l, EDGE_LEAVE_ON_GO))
        move_players(l, p->sessions_per_second);
}

/* What meridianctl said, through the leader. */
static void on_order(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_leave *l = ctx;
    MER_LOG(&l->app->log, MER_WARN, "drain.ordered", KV_STR("by", m->edge_drain->by), KV_STR("reason", m->edge_drain->reason));
    mer_process_drain(&l->app->process);
}

static void last(struct edge_leave *l)
{
    struct edge_app *app = l->app;
    uint32_t games = edge_handover_left(app->handover);
    MER_LOG(&app->log, games > 0 && l->targets ? MER_WARN : MER_INFO, "drain.done", KV_U64("games_left", games),
            KV_U64("connections_left", edge_net_connections(app->net)), KV_U64("took_ms", app->loop.now_ms - l->since_ms));
    l->last_ms = app->loop.now_ms;
    edge_tickets_end(app->tickets);
    edge_sessions_close_all(app->sessions, EDGE_CLOSE_RESTART, "restart", SPREAD_MIN_MS);
    edge_store_live_stop(app->store);
}

static bool empty(struct edge_leave *l)
{
    struct edge_app *app = l->app;
    if (edge_net_connections(app->net) > 0 || (l->targets && edge_handover_left(app->handover) > 0)) {
        l->empty_ms = 0;
        return false;
    }
    if (l->empty_ms == 0)
        l->empty_ms = app->loop.now_ms;
    return !l->targets || edge_sessions_count(app->sessions) == 0 || app->loop.now_ms - l->empty_ms >= TAKE_WAIT_MS;
}

static void on_timer(struct mer_timer *t)
{
    struct edge_leave *l = MER_CONTAINER_OF(t, struct edge_leave, timer);
    struct edge_app *app = l->app;
    uint64_t now = app->loop.now_ms;
    if (l->state == EDGE_LEAVE_LAST && now - l->last_ms >= LAST_MS) {
        mer_process_stop(&app->process);
        return;
    }
    if (l->state != EDGE_LEAVE_LAST && now - l->asked_ms >= ASK_MS)
        ask(l);
    bool nobody = edge_handover_left(app->handover) == 0 && edge_sessions_count(app->sessions) == 0;
    if (l->state == EDGE_LEAVE_ASKING && nobody && move(l, EDGE_LEAVE_ON_DONE))
        last(l);
    if (l->state == EDGE_LEAVE_ASKING && now - l->since_ms >= PLAN_WAIT_MS && move(l, EDGE_LEAVE_ON_GO))
        move_players(l, 0);
    bool over = l->state == EDGE_LEAVE_MOVING && (empty(l) || now - l->since_ms >= app->conf.drain_deadline_ms);
    if (over && move(l, EDGE_LEAVE_ON_DONE))
        last(l);
    mer_loop_arm(&app->loop, &l->timer, TICK_MS);
}

void edge_leave_start(struct edge_leave *l)
{
    struct edge_app *app = l->app;
    if (!move(l, EDGE_LEAVE_ON_DRAIN))
        return;
    l->targets = false;
    l->empty_ms = 0;
    l->since_ms = app->loop.now_ms;
    edge_http_stop_listening(app->http);
    edge_http_refuse_new(app->http, true);
    edge_routers_report_now(app->routers);
    ask(l);
    mer_loop_arm(&app->loop, &l->timer, TICK_MS);
}

/* ---- and stays after all ------------------------------------------------------------------------------------------------------------- */

static bool listen_again(struct edge_app *app, struct mer_msg *msg)
{
    bool good = true;
    for (size_t i = 0; i < app->conf.player_listen.count && good; i++)
        good = edge_http_listen(app->http, app->conf.player_listen.item[i], app->tls, true, msg) == MER_OK;
    if (!good)
        edge_http_stop_listening(app->http);
    return good;
}

/* Players who were sent away and games that were given stay where they are; everybody else stays here. */
static bool stay(struct edge_leave *l, struct mer_msg *why)
{
    struct edge_app *app = l->app;
    const char *no = edge_leave_objection(l->state, app->process.told_to_end);
    if (no != NULL)
        mer_msgf(why, "%s", no);
    if (no != NULL || !listen_again(app, why) || !mer_process_undrain(&app->process))
        return false;
    (void)move(l, EDGE_LEAVE_ON_UNDRAIN);
    mer_loop_disarm(&app->loop, &l->timer);
    edge_drain_cancel(l->players);
    l->players = NULL;
    edge_handover_stop(app->handover);
    edge_http_refuse_new(app->http, false);
    edge_routers_report_now(app->routers);
    return true;
}

static void on_undrain(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_leave *l = ctx;
    struct mer_msg why = {{0}};
    IM(EdgeUndrained) u = MERIDIAN__INTERNAL__V1__EDGE_UNDRAINED__INIT;
    IM(RouterMessage) answer = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    u.order = m->edge_undrain->order;
    u.done = stay(l, &why);
    u.why = why.text[0] != 0 ? why.text : NULL;
    MER_LOG(&l->app->log, MER_WARN, "drain.undone", KV_STR("by", m->edge_undrain->by), KV_STR("reason", m->edge_undrain->reason),
            KV_BOOL("done", u.done), KV_STR("why", u.why));
    answer.body_case = ROUTER(EDGE_UNDRAINED);
    answer.edge_undrained = &u;
    (void)!edge_routers_send(l->app->routers, &answer); /* lost: the report says it, too */
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

enum mer_err edge_leave_create(struct edge_leave **out, struct edge_app *app)
{
    struct edge_leave *l = mer_try_calloc(1, sizeof(*l));
    if (l == NULL)
        return MER_ENOMEM;
    l->app = app;
    mer_timer_init(&l->timer, on_timer);
    edge_routers_on(app->routers, ROUTER(DRAIN_PLAN), on_plan, l);
    edge_routers_on(app->routers, ROUTER(EDGE_DRAIN), on_order, l);
    edge_routers_on(app->routers, ROUTER(EDGE_UNDRAIN), on_undrain, l);
    *out = l;
    return MER_OK;
}

void edge_leave_destroy(struct edge_leave *l)
{
    if (l == NULL)
        return;
    mer_loop_disarm(&l->app->loop, &l->timer);
    edge_drain_destroy(l->players);
    mer_free(&l);
}
