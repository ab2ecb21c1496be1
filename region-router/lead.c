/* SPDX-License-Identifier: Apache-2.0
 * lead.c - what the leader does: edges' messages into the matcher, the matcher's effects out to edges, its timer on the loop.
 *
 * Nothing is sent once the lease may have run out (router__lead_epoch is 0 then), whatever the matcher says; every instruction carries the
 * epoch, so that an edge which knows a newer leader refuses it. */
#include <stdio.h>
#include <string.h>

#include <meridian/invite.h>
#include <meridian/mem.h>

#include "region-router/app.h"
#include "region-router/drain.h"

#define IM(x) Meridian__Internal__V1__##x
#define BODY(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum { TIMERS_A_TURN = 1024 };

static const struct mer_metric_def matcher_metrics[ROUTER_M_COUNT] = {
    [ROUTER_M_WAITING] = {"meridian_router_tickets", "tickets by state", MER_GAUGE, "state=\"waiting\""},
    [ROUTER_M_OFFERED] = {"meridian_router_tickets", "tickets by state", MER_GAUGE, "state=\"offered\""},
    [ROUTER_M_HELD] = {"meridian_router_tickets", "tickets by state", MER_GAUGE, "state=\"held\""},
    [ROUTER_M_AWAY] = {"meridian_router_tickets", "tickets by state", MER_GAUGE, "state=\"away\""},
    [ROUTER_M_MATCHES] = {"meridian_router_matches", "matches being offered or created", MER_GAUGE},
    [ROUTER_M_OPENED] = {"meridian_router_tickets_opened_total", "tickets taken, handed in again after a change of leader counted again"},
    [ROUTER_M_MATCHED] = {"meridian_router_tickets_ended_total", "tickets by how they ended here", MER_COUNTER, "how=\"matched\""},
    [ROUTER_M_GONE_AWAY] = {"meridian_router_tickets_ended_total", "tickets by how they ended here", MER_COUNTER, "how=\"gone_away\""},
    [ROUTER_M_CANCELLED] = {"meridian_router_tickets_ended_total", "tickets by how they ended here", MER_COUNTER, "how=\"cancelled\""},
    [ROUTER_M_EXPIRED] = {"meridian_router_tickets_ended_total", "tickets by how they ended here", MER_COUNTER, "how=\"expired\""},
    [ROUTER_M_DECLINED] = {"meridian_router_tickets_ended_total", "tickets by how they ended here", MER_COUNTER, "how=\"declined\""},
    [ROUTER_M_LOST] = {"meridian_router_tickets_ended_total", "tickets by how they ended here", MER_COUNTER, "how=\"lost\""},
    [ROUTER_M_REFUSED] = {"meridian_router_tickets_refused_total", "tickets not taken: out of range, known from another edge, too many"},
    [ROUTER_M_OFFERS] = {"meridian_router_offers_total", "seats offered"},
    [ROUTER_M_TIMEOUTS] = {"meridian_router_offers_timed_out_total", "matches undone because an edge did not answer"},
    [ROUTER_M_RELEASES] = {"meridian_router_releases_total", "seats taken back because the match was undone"},
    [ROUTER_M_BOT_SEATS] = {"meridian_router_bot_seats_total", "seats given to bots"},
    [ROUTER_M_FAR_SEATS] = {"meridian_router_far_seats_total", "seats offered to players of other regions"},
    [ROUTER_M_TOLD] = {"meridian_router_tickets_told_total", "tickets told to another region, once for each"},
    [ROUTER_M_LENT] = {"meridian_router_tickets_lent_total", "tickets lent to a match of another region"},
    [ROUTER_M_NOT_LENT] = {"meridian_router_tickets_not_lent_total", "offers of other regions refused: the ticket is gone or busy"},
    [ROUTER_M_NO_ROOM] = {"meridian_router_no_room_total", "matches not made because no edge could host"},
    [ROUTER_M_FRIENDS] = {"meridian_router_friends_matches_total", "matches of friends who came with a code"},
    [ROUTER_M_CODE_MISSES] = {"meridian_router_code_misses_total",
                              "tickets given up because nobody waited with their code, or not any more"},
    [ROUTER_M_ORDERED] = {"meridian_router_games_ordered_total", "matches everybody accepted"},
    [ROUTER_M_CREATED] = {"meridian_router_games_total", "ordered games by outcome", MER_COUNTER, "outcome=\"created\""},
    [ROUTER_M_CREATE_FAILED] = {"meridian_router_games_total", "ordered games by outcome", MER_COUNTER, "outcome=\"failed\""},
    [ROUTER_M_CREATE_TIMEOUTS] = {"meridian_router_games_total", "ordered games by outcome", MER_COUNTER, "outcome=\"unknown\""},
    [ROUTER_M_STRAY] = {"meridian_router_stray_answers_total", "answers that came too late or to nothing"},
};
static const struct mer_metric_def waited_metric = {"meridian_router_ticket_wait_seconds", "open to matched"};

uint64_t router__lead_epoch(const struct router_app *app)
{
    return app->leading ? router_standby_epoch(app->standby) : 0;
}

/* ---- the matcher's effects ----------------------------------------------------------------------------------------------------------- */

static void instruct(struct router_app *app, const struct router_edge *e, const IM(RouterMessage) * m)
{
    if (router__lead_epoch(app) != 0)
        router_edges_send(&app->edges, e->link, m);
}

static void send_offer(void *ctx, const struct router_ticket_spec *t, const struct router_match *x, uint32_t deadline_ms)
{
    struct router_app *app = ctx;
    if (t->edge->region != 0) {
        router_crossing_offer(&app->crossing, t, x, deadline_ms);
        return;
    }
    IM(SeatOffer) o = MERIDIAN__INTERNAL__V1__SEAT_OFFER__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    uint8_t trace[MER_TRACE_BYTES];
    o.router_epoch = router__lead_epoch(app);
    o.ticket_id = (char *)t->id;
    o.match_id = (char *)x->id;
    o.owner = x->owner->incarnation;
    o.deadline_ms = deadline_ms;
    o.has_trace = mer_trace_put(t->trace, trace, &o.trace);
    m.body_case = BODY(SEAT_OFFER);
    m.seat_offer = &o;
    instruct(app, t->edge, &m);
}

static void send_release(void *ctx, const struct router_ticket_spec *t, const struct router_match *x)
{
    struct router_app *app = ctx;
    if (t->edge->region != 0) {
        router_crossing_release(&app->crossing, t, x);
        return;
    }
    IM(SeatRelease) r = MERIDIAN__INTERNAL__V1__SEAT_RELEASE__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    r.router_epoch = router__lead_epoch(app);
    r.ticket_id = (char *)t->id;
    r.match_id = (char *)x->id;
    m.body_case = BODY(SEAT_RELEASE);
    m.seat_release = &r;
    instruct(app, t->edge, &m);
}

static void send_ask(void *ctx, const struct router_ticket_spec *t)
{
    struct router_app *app = ctx;
    IM(TicketAsk) a = MERIDIAN__INTERNAL__V1__TICKET_ASK__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    a.router_epoch = router__lead_epoch(app);
    a.ticket_id = (char *)t->id;
    m.body_case = BODY(TICKET_ASK);
    m.ticket_ask = &a;
    instruct(app, t->edge, &m);
}

static void send_status(struct router_app *app, const struct router_edge *e, IM(TicketStatus) * s)
{
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    s->router_epoch = router__lead_epoch(app);
    m.body_case = BODY(TICKET_STATUS);
    m.ticket_status = s;
    instruct(app, e, &m);
}

static void send_waiting(void *ctx, const struct router_ticket_spec *t, const char *reason, uint32_t next_ms)
{
    IM(TicketStatus) s = MERIDIAN__INTERNAL__V1__TICKET_STATUS__INIT;
    s.ticket_id = (char *)t->id;
    s.state = MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_WAITING;
    s.reason = (char *)reason;
    s.has_next_step_in_ms = next_ms != 0;
    s.next_step_in_ms = next_ms;
    send_status(ctx, t->edge, &s);
}

static void send_expired_id(struct router_app *app, const struct router_edge *e, const char *ticket, const char *reason)
{
    IM(TicketStatus) s = MERIDIAN__INTERNAL__V1__TICKET_STATUS__INIT;
    s.ticket_id = (char *)ticket;
    s.state = MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_EXPIRED;
    s.reason = (char *)reason;
    send_status(app, e, &s);
}

static void send_expired(void *ctx, const struct router_ticket_spec *t, const char *reason)
{
    send_expired_id(ctx, t->edge, t->id, reason);
}

struct seat_texts {
    char bot_user[8], edge[ROUTER_NAME_BYTES + ROUTER_REGION_BYTES];
    uint8_t trace[MER_TRACE_BYTES];
};

static void fill_seat(struct router_app *app, IM(CreateSeat) * s, const struct router_ticket_spec *t, struct seat_texts *text,
                      unsigned number)
{
    static const char *const names[ROUTER_PLAYERS_MAX] = {"Robin", "Kim", "Sasha", "Noor"};
    *s = (IM(CreateSeat))MERIDIAN__INTERNAL__V1__CREATE_SEAT__INIT;
    if (t->id != NULL) {
        s->user = (char *)t->user;
        s->name = (char *)t->name;
        s->kind = MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_HUMAN;
        s->ticket_id = (char *)t->id;
        s->edge = t->edge->incarnation;
        s->has_trace = mer_trace_put(t->trace, text->trace, &s->trace);
        if (t->far != NULL) {
            router_crossing_name(&app->crossing, t->edge->region, t->far, text->edge, sizeof text->edge);
            s->edge = text->edge;
        }
    } else {
        snprintf(text->bot_user, sizeof text->bot_user, "bot:%u", number);
        s->user = text->bot_user;
        s->name = (char *)names[number];
        s->kind = MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_BOT;
    }
}

static void send_create(void *ctx, const struct router_match *x, const struct router_ticket_spec *t)
{
    struct router_app *app = ctx;
    IM(GameCreate) c = MERIDIAN__INTERNAL__V1__GAME_CREATE__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    IM(CreateSeat) seat[ROUTER_PLAYERS_MAX], *seats[ROUTER_PLAYERS_MAX];
    struct seat_texts text[ROUTER_PLAYERS_MAX];
    for (unsigned i = 0; i < x->key.players; i++) {
        fill_seat(app, &seat[i], &t[i], &text[i], i);
        seats[i] = &seat[i];
    }
    c.router_epoch = router__lead_epoch(app);
    c.match_id = (char *)x->id;
    c.game = (char *)x->key.game;
    c.rows = x->key.rows;
    c.cols = x->key.cols;
    c.n_seats = x->key.players;
    c.seats = seats;
    m.body_case = BODY(GAME_CREATE);
    m.game_create = &c;
    instruct(app, x->owner, &m);
}

/* ---- edges' messages ----------------------------------------------------------------------------------------------------------------- */

/* false: it is none. */
static bool read_code(const struct router_app *app, const IM(TicketOpen) * o, struct router_group_wish *w)
{
    struct mer_invite code;
    if (o->code == NULL)
        return true;
    if (mer_invite_read(&code, o->code) != MER_OK)
        return false;
    unsigned region = router_cross_find(&app->crossing.regions, code.region, (unsigned)strlen(code.region));
    *w = (struct router_group_wish){code.key, o->hosts, region < app->crossing.regions.count ? region : 0};
    return true;
}

static void take_open(struct router_app *app, struct router_edge *e, const IM(TicketOpen) * o)
{
    static const enum router_bots bots[] = {[MERIDIAN__CLIENT__V1__BOTS__BOTS_NONE] = ROUTER_BOTS_NONE,
                                            [MERIDIAN__CLIENT__V1__BOTS__BOTS_FILL] = ROUTER_BOTS_FILL,
                                            [MERIDIAN__CLIENT__V1__BOTS__BOTS_NOW] = ROUTER_BOTS_NOW};
    uint16_t latency[ROUTER_REGIONS_MAX];
    struct mer_trace_context trace;
    router_crossing_latencies(&app->crossing, o, latency);
    struct router_group_wish group = {.key = 0};
    bool readable = read_code(app, o, &group);
    bool known = o->bots >= MERIDIAN__CLIENT__V1__BOTS__BOTS_NONE && o->bots <= MERIDIAN__CLIENT__V1__BOTS__BOTS_NOW;
    struct router_ticket_spec s = {.id = o->ticket_id,
                                   .user = o->user,
                                   .name = o->has_brief && o->brief ? NULL : o->name,
                                   .game = o->game,
                                   .players = o->players,
                                   .rows = o->rows,
                                   .cols = o->cols,
                                   .rating = o->rating,
                                   .waited_ms = o->waited_ms,
                                   .bots = known ? bots[o->bots] : ROUTER_BOTS_NONE,
                                   .edge = e,
                                   .latency = latency,
                                   .group = group,
                                   .trace = mer_trace_get(o->has_trace, &o->trace, &trace)};
    MER_TRACE_LINES(&app->log, s.trace);
    enum mer_err err = readable ? router_match_open(&app->matcher, &s, app->loop.now_ms) : MER_EINVALID;
    if (err == MER_OK)
        return;
    MER_LOG_RATE(&app->log, MER_WARN, "ticket.refused", KV_STR("edge", e->incarnation), KV_STR("why", mer_err_text(err)));
    send_expired_id(app, e, o->ticket_id, err == MER_EINVALID ? "no such game can be played" : "the matchmaker is overloaded");
}

static void take_answer(struct router_app *app, struct router_edge *e, const IM(SeatAnswer) * a)
{
    struct router_answer answer = {.ticket = a->ticket_id, .match = a->match_id, .accepted = a->accepted, .user = a->user, .name = a->name};
    router_match_answer(&app->matcher, &answer, e, app->loop.now_ms);
}

static void take_drain(struct router_app *app, const struct router_edge *e)
{
    struct router_drain_plan plan;
    char *targets[ROUTER_TARGETS_MAX];
    IM(DrainPlan) p = MERIDIAN__INTERNAL__V1__DRAIN_PLAN__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    router_drain_plan(&plan, e, &app->edges.edges, app->conf.edge_handshakes_per_second, app->loop.now_ms);
    for (unsigned i = 0; i < plan.target_count; i++)
        targets[i] = (char *)plan.target[i]->incarnation;
    p.router_epoch = router__lead_epoch(app);
    p.n_targets = plan.target_count;
    p.targets = targets;
    p.sessions_per_second = plan.sessions_per_second;
    p.games_per_second = plan.games_per_second;
    m.body_case = BODY(DRAIN_PLAN);
    m.drain_plan = &p;
    instruct(app, e, &m);
}

bool router__lead_message(struct router_app *app, struct router_edge *e, const IM(RouterMessage) * m)
{
    uint64_t now = app->loop.now_ms;
    switch (m->body_case) {
    case BODY(TICKET_OPEN):
        take_open(app, e, m->ticket_open);
        return true;
    case BODY(TICKET_CANCEL):
        router_match_cancel(&app->matcher, m->ticket_cancel->ticket_id, e, now);
        return true;
    case BODY(SEAT_ANSWER):
        router_crossing_answer(&app->crossing, m->seat_answer);
        take_answer(app, e, m->seat_answer);
        return true;
    case BODY(GAME_CREATED):
        router_match_created(&app->matcher, m->game_created->match_id, m->game_created->created, e, now);
        return true;
    case BODY(FAR_MESSAGE):
        router_far_out(&app->crossing, e, m->far_message);
        return true;
    case BODY(GAMES_CLAIMED):
        router_claimer_answer(&app->claimer, e, m->games_claimed);
        return true;
    case BODY(PRESENCE_ASK):
        router_presence_ask(app->relays, e, m->presence_ask);
        return true;
    case BODY(PRESENCE_TOLD):
        router_presence_told(app->relays, m->presence_told);
        return true;
    case BODY(OUTBOX_FILLED):
        router_relays_filled(app->relays, m->outbox_filled);
        return true;
    case BODY(EDGE_UNDRAINED):
        router_control_undrained(app->control, e, m->edge_undrained);
        return true;
    case BODY(DRAIN_ASK):
        e->draining = true; /* its report may be a second away */
        take_drain(app, e);
        return true;
    default:
        return false;
    }
}

/* ---- on the loop --------------------------------------------------------------------------------------------------------------------- */

static void on_match_timer(struct mer_timer *t)
{
    struct router_app *app = MER_CONTAINER_OF(t, struct router_app, match_timer);
    if (router__lead_epoch(app) != 0)
        router_match_advance(&app->matcher, app->loop.now_ms, TIMERS_A_TURN);
}

/* Once a turn, after everything that may have changed what the matcher waits for. */
static bool arm_match_timer(struct mer_hook *h)
{
    struct router_app *app = MER_CONTAINER_OF(h, struct router_app, match_hook);
    uint64_t due = app->leading ? router_match_next_ms(&app->matcher) : UINT64_MAX, now = app->loop.now_ms;
    if (due == UINT64_MAX)
        mer_loop_disarm(&app->loop, &app->match_timer);
    else if (!mer_timer_armed(&app->match_timer) || app->match_timer.due_ms != due)
        mer_loop_arm(&app->loop, &app->match_timer, due > now ? due - now : 0);
    return false;
}

void router__lead_start(struct router_app *app)
{
    struct router_match_env env = {.offer = send_offer,
                                   .release = send_release,
                                   .waiting = send_waiting,
                                   .expired = send_expired,
                                   .create = send_create,
                                   .ask = send_ask,
                                   .tell = router_crossing_tell,
                                   .untell = router_crossing_untell,
                                   .regions = &app->crossing.regions,
                                   .edges = &app->edges.edges,
                                   .rng = app->rng,
                                   .tracer = mer_trace_tracer(app->trace),
                                   .ctx = app};
    MER_ASSERT(!app->leading);
    struct mer_hist waited = app->matcher.waited;
    router_match_init(&app->matcher, &env, app->loop.now_ms);
    app->matcher.waited = waited;
    app->leading = true;
    router_edges_tell_role(&app->edges);
    router_mesh_tell_role(app->mesh);
    router_keeper_start(app->keeper, router_standby_shared_ms(app->standby));
    router_claimer_start(&app->claimer);
    router_relays_start(app->relays);
    router_region_life_start(&app->region_life);
}

void router__lead_stop(struct router_app *app)
{
    if (!app->leading)
        return;
    router_keeper_stop(app->keeper);
    router_claimer_stop(&app->claimer);
    router_relays_stop(app->relays);
    router_region_life_stop(&app->region_life);
    router_match_deinit(&app->matcher);
    for (int i = ROUTER_M_MATCHES + 1; i < ROUTER_M_COUNT; i++) /* behind the gauges: counters go on */
        app->matcher_totals[i] += app->matcher.counts[i];
    memset(app->matcher.counts, 0, sizeof app->matcher.counts);
    app->leading = false;
    router_edges_tell_role(&app->edges);
    router_mesh_tell_role(app->mesh);
}

static void refresh(struct mer_metric_set *set)
{
    struct router_app *app = MER_CONTAINER_OF(set, struct router_app, matcher_set);
    for (int i = 0; i < ROUTER_M_COUNT; i++)
        app->matcher_values[i] = app->matcher_totals[i] + app->matcher.counts[i];
}

void router__lead_init(struct router_app *app)
{
    mer_timer_init(&app->match_timer, on_match_timer);
    app->match_hook.cb = arm_match_timer;
    mer_loop_hook_add(&app->loop, MER_PHASE_PLAYER, &app->match_hook);
    mer_metrics_add(&app->metrics, &app->matcher_set, matcher_metrics, ROUTER_M_COUNT, app->matcher_values);
    app->matcher_set.refresh = refresh;
    mer_metrics_add_hist(&app->metrics, &app->waited_set, &waited_metric, &app->matcher.waited);
}
