/* SPDX-License-Identifier: Apache-2.0
 * cross_shell.c - the tickets of matches across regions, between leaders (cross_shell.h).
 *
 * A leader speaks for its own tickets and hosts its own matches; whatever else it is told is refused. What is said to a region that cannot
 * be reached is lost: tickets are told again with their next step, offers run out, and what a player's edge accepted in vain it finds out
 * by itself.
 *
 * Owner: the app. Next: abroad.c, far.c, lead.c. */
#include "region-router/cross_shell.h"

#include <stdio.h>
#include <string.h>

#include "region-router/app.h"
#include "region-router/cross_read.h"

#define IM(x) Meridian__Internal__V1__##x
#define RM(x) Meridian__Region__V1__##x
#define BODY(x) MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_##x
#define WHY(x) MERIDIAN__REGION__V1__CROSS_DROP_WHY__CROSS_DROP_WHY_##x
#define TO_EDGE(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum { LOOK_MS = 1000 };

static const struct mer_metric_def metrics[ROUTER_X_COUNT] = {
    [ROUTER_X_TICKETS] = {"meridian_router_cross_tickets_total", "tickets that other regions told of"},
    [ROUTER_X_OFFERS] = {"meridian_router_cross_offers_total", "seats that other regions offered to players of ours"},
    [ROUTER_X_ANSWERS] = {"meridian_router_cross_answers_total", "answers of other regions to offers of ours"},
    [ROUTER_X_RELEASES] = {"meridian_router_cross_releases_total", "seats that other regions took back"},
    [ROUTER_X_BAD] = {"meridian_router_cross_bad_total", "messages of other regions about what is not theirs, or out of range"},
    [ROUTER_X_UNSENT] = {"meridian_router_cross_unsent_total", "messages to other regions that could not be sent"},
    [ROUTER_X_FAR_OUT] = {"meridian_router_far_sent_total", "messages of edges to edges of other regions"},
    [ROUTER_X_FAR_IN] = {"meridian_router_far_delivered_total", "messages of edges of other regions to edges of ours"},
    [ROUTER_X_FAR_LOST] = {"meridian_router_far_lost_total", "of both, those that found no way"},
};

/* ---- to the others ------------------------------------------------------------------------------------------------------------------- */

static bool say(struct router_crossing *x, unsigned region, const RM(RegionMessage) * m)
{
    enum mer_err err = router_mesh_send(x->app->mesh, x->regions.region[region].name, m);
    x->values[ROUTER_X_UNSENT] += err != MER_OK;
    return err == MER_OK;
}

bool router_crossing_tell(void *ctx, const struct router_ticket_spec *t, unsigned region)
{
    static const Meridian__Client__V1__Bots bots[] = {[ROUTER_BOTS_NONE] = MERIDIAN__CLIENT__V1__BOTS__BOTS_NONE,
                                                      [ROUTER_BOTS_FILL] = MERIDIAN__CLIENT__V1__BOTS__BOTS_FILL,
                                                      [ROUTER_BOTS_NOW] = MERIDIAN__CLIENT__V1__BOTS__BOTS_NOW};
    struct router_app *app = ctx;
    struct router_crossing *x = &app->crossing;
    RM(CrossTicket) c = MERIDIAN__REGION__V1__CROSS_TICKET__INIT;
    RM(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    RM(CrossTicket__LatencyMsEntry) entry[ROUTER_REGIONS_MAX], *entries[ROUTER_REGIONS_MAX];
    uint8_t trace[MER_TRACE_BYTES];
    c.ticket_id = (char *)t->id;
    c.edge = t->edge->incarnation;
    c.user = (char *)t->user;
    c.name = (char *)t->name;
    c.game = (char *)t->game;
    c.players = t->players;
    c.rows = t->rows;
    c.cols = t->cols;
    c.bots = bots[t->bots];
    c.has_group = c.has_hosts = t->group.key != 0;
    c.group = t->group.key;
    c.hosts = t->group.hosts;
    c.rating = t->rating;
    c.waited_ms = t->waited_ms;
    for (unsigned i = 0; i < x->regions.count; i++) {
        uint16_t ms = t->latency[i];
        if (ms == ROUTER_FAR)
            continue;
        RM(CrossTicket__LatencyMsEntry) *e = &entry[c.n_latency_ms];
        *e = (RM(CrossTicket__LatencyMsEntry))MERIDIAN__REGION__V1__CROSS_TICKET__LATENCY_MS_ENTRY__INIT;
        e->key = x->regions.region[i].name;
        e->has_value = true;
        e->value = ms;
        entries[c.n_latency_ms++] = e;
    }
    c.latency_ms = entries;
    c.has_trace = mer_trace_put(t->trace, trace, &c.trace);
    if (t->group.key != 0) {
        m.body_case = BODY(CROSS_FRIEND);
        m.cross_friend = &c;
    } else {
        m.body_case = BODY(CROSS_TICKET);
        m.cross_ticket = &c;
    }
    return say(x, region, &m);
}

void router_crossing_untell(void *ctx, const struct router_ticket_spec *t, unsigned region)
{
    struct router_app *app = ctx;
    RM(CrossDrop) d = MERIDIAN__REGION__V1__CROSS_DROP__INIT;
    RM(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    d.ticket_id = (char *)t->id;
    enum router_match_count ended = app->matcher.ended;
    d.why = ended == ROUTER_M_MATCHED || ended == ROUTER_M_GONE_AWAY ? WHY(MATCHED) : WHY(LOST);
    d.has_why = ended != ROUTER_M_CANCELLED && ended != ROUTER_M_EXPIRED;
    m.body_case = BODY(CROSS_DROP);
    m.cross_drop = &d;
    (void)say(&app->crossing, region, &m); /* lost: what it offers is refused */
}

void router_crossing_offer(struct router_crossing *x, const struct router_ticket_spec *t, const struct router_match *match,
                           uint32_t deadline_ms)
{
    RM(CrossOffer) o = MERIDIAN__REGION__V1__CROSS_OFFER__INIT;
    RM(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    uint8_t trace[MER_TRACE_BYTES];
    o.ticket_id = (char *)t->id;
    o.match_id = (char *)match->id;
    o.owner = match->owner->incarnation;
    o.deadline_ms = deadline_ms;
    o.has_trace = mer_trace_put(t->trace, trace, &o.trace);
    m.body_case = BODY(CROSS_OFFER);
    m.cross_offer = &o;
    (void)say(x, t->edge->region, &m); /* lost: it runs out */
}

void router_crossing_release(struct router_crossing *x, const struct router_ticket_spec *t, const struct router_match *match)
{
    RM(CrossRelease) r = MERIDIAN__REGION__V1__CROSS_RELEASE__INIT;
    RM(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    r.ticket_id = (char *)t->id;
    r.match_id = (char *)match->id;
    r.edge = (char *)t->far;
    m.body_case = BODY(CROSS_RELEASE);
    m.cross_release = &r;
    (void)say(x, t->edge->region, &m); /* lost: its edge finds out that the game was never made */
}

static void answer(struct router_crossing *x, unsigned region, const char *ticket, const char *match, bool accepted)
{
    RM(CrossAnswer) a = MERIDIAN__REGION__V1__CROSS_ANSWER__INIT;
    RM(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    a.ticket_id = (char *)ticket;
    a.match_id = (char *)match;
    a.accepted = accepted;
    m.body_case = BODY(CROSS_ANSWER);
    m.cross_answer = &a;
    (void)say(x, region, &m); /* lost: the offer runs out */
}

void router_crossing_answer(struct router_crossing *x, const IM(SeatAnswer) * a)
{
    unsigned region = router_cross_of_match(&x->regions, a->match_id);
    if (region > 0 && region < x->regions.count)
        answer(x, region, a->ticket_id, a->match_id, a->accepted);
}

/* ---- from the others ----------------------------------------------------------------------------------------------------------------- */

void router_crossing_name(const struct router_crossing *x, unsigned region, const char *incarnation, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", x->regions.region[region].name, incarnation);
}

void router_crossing_latencies(const struct router_crossing *x, const IM(TicketOpen) * o, uint16_t out[ROUTER_REGIONS_MAX])
{
    router_cross_no_latencies(out);
    for (size_t i = 0; i < o->n_latency_ms; i++)
        router_cross_read_latency(&x->regions, o->latency_ms[i]->key, o->latency_ms[i]->value, out);
}

/* Whose message it is; NULL: not a region of ours to talk to, or we do not lead. */
static struct router_edge *sender(struct router_crossing *x, const char *region)
{
    unsigned i = router_cross_find(&x->regions, region, (unsigned)strlen(region));
    return i > 0 && i < x->regions.count && router__lead_epoch(x->app) != 0 ? &x->far[i] : NULL;
}

static void bad(struct router_crossing *x, const char *region, const char *why)
{
    x->values[ROUTER_X_BAD]++;
    MER_LOG_RATE(&x->app->log, MER_WARN, "cross.refused", KV_STR("from", region), KV_STR("why", why));
}

static void on_ticket(void *ctx, const char *region, const RM(RegionMessage) * m)
{
    struct router_crossing *x = ctx;
    struct router_edge *from = sender(x, region);
    struct router_ticket_spec s;
    struct router_cross_read read;
    if (from == NULL)
        return;
    x->values[ROUTER_X_TICKETS]++;
    const RM(CrossTicket) *c = m->body_case == BODY(CROSS_FRIEND) ? m->cross_friend : m->cross_ticket;
    enum mer_err err = router_cross_read_ticket(&s, c, &x->regions, from, &read);
    MER_TRACE_LINES(&x->app->log, s.trace);
    if (err == MER_OK)
        err = router_match_open(&x->app->matcher, &s, x->app->loop.now_ms);
    if (err != MER_OK)
        bad(x, region, mer_err_text(err));
}

static void on_drop(void *ctx, const char *region, const RM(RegionMessage) * m)
{
    struct router_crossing *x = ctx;
    const RM(CrossDrop) *d = m->cross_drop;
    struct router_edge *from = sender(x, region);
    enum router_group_why why = d->why == WHY(MATCHED) ? ROUTER_GROUP_WHY_MATCHED
                                : d->why == WHY(LOST)  ? ROUTER_GROUP_WHY_LOST
                                                       : ROUTER_GROUP_WHY_ENDED;
    if (from != NULL)
        router_match_dropped(&x->app->matcher, d->ticket_id, why, from, x->app->loop.now_ms);
}

static void on_offer(void *ctx, const char *region, const RM(RegionMessage) * m)
{
    struct router_crossing *x = ctx;
    const RM(CrossOffer) *c = m->cross_offer;
    struct router_edge *from = sender(x, region);
    char owner[ROUTER_NAME_BYTES + ROUTER_REGION_BYTES];
    IM(SeatOffer) o = MERIDIAN__INTERNAL__V1__SEAT_OFFER__INIT;
    IM(RouterMessage) out = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    if (from == NULL)
        return;
    if (strlen(c->match_id) >= ROUTER_MATCH_ID_BYTES || strlen(c->owner) >= ROUTER_NAME_BYTES ||
        router_cross_of_match(&x->regions, c->match_id) != from->region) {
        bad(x, region, "an offer for a match that is not its own");
        return;
    }
    const struct router_edge *e = router_match_lend(&x->app->matcher, c->ticket_id, c->match_id, from->region, x->app->loop.now_ms);
    if (e == NULL) {
        answer(x, from->region, c->ticket_id, c->match_id, false);
        return;
    }
    x->values[ROUTER_X_OFFERS]++;
    router_crossing_name(x, from->region, c->owner, owner, sizeof owner);
    o.router_epoch = router__lead_epoch(x->app);
    o.ticket_id = c->ticket_id;
    o.match_id = c->match_id;
    o.owner = owner;
    o.deadline_ms = c->deadline_ms;
    o.has_trace = c->has_trace; /* unread: whoever it reaches judges it */
    o.trace = c->trace;
    out.body_case = TO_EDGE(SEAT_OFFER);
    out.seat_offer = &o;
    router_edges_send(&x->app->edges, e->link, &out);
}

static void on_answer(void *ctx, const char *region, const RM(RegionMessage) * m)
{
    struct router_crossing *x = ctx;
    const RM(CrossAnswer) *a = m->cross_answer;
    struct router_edge *from = sender(x, region);
    if (from == NULL)
        return;
    x->values[ROUTER_X_ANSWERS]++;
    struct router_answer said = {.ticket = a->ticket_id, .match = a->match_id, .accepted = a->accepted};
    router_match_answer(&x->app->matcher, &said, from, x->app->loop.now_ms);
}

static void on_release(void *ctx, const char *region, const RM(RegionMessage) * m)
{
    struct router_crossing *x = ctx;
    const RM(CrossRelease) *c = m->cross_release;
    struct router_edge *from = sender(x, region);
    struct router_edge *e = from != NULL ? router_edges_find(&x->app->edges, c->edge) : NULL;
    IM(SeatRelease) r = MERIDIAN__INTERNAL__V1__SEAT_RELEASE__INIT;
    IM(RouterMessage) out = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    if (from == NULL)
        return;
    if (router_cross_of_match(&x->regions, c->match_id) != from->region) {
        bad(x, region, "a release of a match that is not its own");
        return;
    }
    x->values[ROUTER_X_RELEASES]++;
    router_match_returned(&x->app->matcher, c->ticket_id, c->match_id, x->app->loop.now_ms);
    if (e == NULL)
        return;
    r.router_epoch = router__lead_epoch(x->app);
    r.ticket_id = c->ticket_id;
    r.match_id = c->match_id;
    out.body_case = TO_EDGE(SEAT_RELEASE);
    out.seat_release = &r;
    router_edges_send(&x->app->edges, e->link, &out);
}

/* ---- who is there -------------------------------------------------------------------------------------------------------------------- */

void router_crossing_look(struct router_crossing *x)
{
    size_t count;
    x->regions.region[0].drained = x->app->region_life.drain.on || !x->app->region_life.known; /* not known: as long as one read */
    const struct router_mesh_region *mr = router_mesh_regions(x->app->mesh, &count);
    for (size_t i = 0; i < count && i + 1 < x->regions.count; i++) {
        uint32_t ms = (mr[i].rtt_us + 500) / 1000;
        const struct router_news_region *news = router_news_of(&x->app->newsroom.news, mr[i].name);
        x->regions.region[i + 1].up = mr[i].up;
        x->regions.region[i + 1].drained = news != NULL && news->stated && news->state.draining;
        x->regions.region[i + 1].rtt_ms = mr[i].rtt_us == 0 ? ROUTER_FAR : ms < ROUTER_FAR ? (uint16_t)ms : ROUTER_FAR - 1;
    }
}

static void on_look(struct mer_timer *t)
{
    struct router_crossing *x = MER_CONTAINER_OF(t, struct router_crossing, look);
    router_crossing_look(x);
    mer_loop_arm(&x->app->loop, &x->look, LOOK_MS);
}

static void on_region(void *ctx, const char *region, bool up)
{
    struct router_crossing *x = ctx;
    unsigned i = router_cross_find(&x->regions, region, (unsigned)strlen(region));
    if (i == 0 || i >= x->regions.count)
        return;
    router_crossing_look(x);
    x->regions.region[i].up = up;
    if (!up && x->app->leading)
        router_match_region_lost(&x->app->matcher, &x->far[i], x->app->loop.now_ms);
}

enum mer_err router_crossing_init(struct router_crossing *x, struct router_app *app, struct mer_msg *msg)
{
    static const struct {
        RM(RegionMessage__BodyCase) kind;
        router_mesh_cb cb;
    } handlers[] = {
        {BODY(CROSS_TICKET), on_ticket}, {BODY(CROSS_FRIEND), on_ticket}, {BODY(CROSS_DROP), on_drop},
        {BODY(CROSS_OFFER), on_offer},   {BODY(CROSS_ANSWER), on_answer}, {BODY(CROSS_RELEASE), on_release},
    };
    size_t count;
    const struct router_mesh_region *mr = router_mesh_regions(app->mesh, &count);
    if (count >= ROUTER_REGIONS_MAX) {
        mer_msgf(msg, "mesh_peers: at most %d other regions", ROUTER_REGIONS_MAX - 1);
        return MER_ERANGE;
    }
    x->app = app;
    x->regions.count = (unsigned)count + 1;
    snprintf(x->regions.region[0].name, ROUTER_REGION_BYTES, "%s", app->conf.region);
    for (unsigned i = 1; i < x->regions.count; i++) {
        snprintf(x->regions.region[i].name, ROUTER_REGION_BYTES, "%s", mr[i - 1].name);
        x->far[i].region = (uint8_t)i;
        snprintf(x->far[i].id, sizeof x->far[i].id, "%s", mr[i - 1].name);
        x->far[i].host_hash = i;
    }
    for (size_t i = 0; i < MER_COUNT(handlers); i++)
        router_mesh_on(app->mesh, handlers[i].kind, handlers[i].cb, x);
    router_far_init(x);
    router_mesh_on_region(app->mesh, on_region, x);
    mer_metrics_add(&app->metrics, &x->set, metrics, ROUTER_X_COUNT, x->values);
    mer_timer_init(&x->look, on_look);
    if (count > 0)
        on_look(&x->look);
    return MER_OK;
}

void router_crossing_deinit(struct router_crossing *x)
{
    if (x->app == NULL)
        return;
    mer_loop_disarm(&x->app->loop, &x->look);
    mer_metrics_remove(&x->set);
}
