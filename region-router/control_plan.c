/* SPDX-License-Identifier: Apache-2.0
 * control_plan.c - see control_plan.h. Where players go is a forecast: geo-DNS orders regions by where a player is, this by the way from
 * here; it says who is there to take them. */
#include "region-router/control_plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "region-router/limits.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x
#define CODE(x) MERIDIAN__CONTROL__V1__ANSWER_CODE__ANSWER_CODE_##x
#define MODE(x) MERIDIAN__CONTROL__V1__REGION_MODE__REGION_MODE_##x

static void say(struct router_plan *p, CV1(AnswerCode) code, const char *fmt, ...) MER_PRINTF(3, 4);
static void say(struct router_plan *p, CV1(AnswerCode) code, const char *fmt, ...)
{
    va_list args;
    p->code = code;
    va_start(args, fmt);
    vsnprintf(p->why, sizeof p->why, fmt, args);
    va_end(args);
}

static void nothing(struct router_plan *p, const char *why)
{
    say(p, CODE(OK), "%s", why);
    p->nothing = true;
}

/* ---- edges --------------------------------------------------------------------------------------------------------------------------- */

struct router_edge *router_plan_edge(const struct mer_list *edges, const char *name)
{
    MER_LIST_EACH (it, edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (strcmp(e->id, name) == 0 || strcmp(e->incarnation, name) == 0)
            return e;
    }
    return NULL;
}

static unsigned others_ready(const struct router_plan_world *w, const struct router_edge *but)
{
    unsigned n = 0;
    MER_LIST_EACH (it, w->edges) {
        const struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        n += e != but && !e->draining && router_edge_is_fresh(e, w->now_ms);
    }
    return n;
}

static void plan_drain_edge(struct router_plan *p, const struct router_plan_world *w, const CV1(DrainEdge) * a, bool done)
{
    const struct router_edge *e = router_plan_edge(w->edges, a->edge);
    if (e == NULL)
        say(p, CODE(NOT_FOUND), "no such edge is connected");
    else if (e->draining)
        nothing(p, "it drains already");
    else if (!(a->has_force && a->force) && others_ready(w, e) == 0)
        say(p, CODE(REFUSED), "no other edge would take its players and games: start one first, or --force");
    else
        say(p, CODE(OK), "%s%s: %u games and %u sessions go to %u other edges", done ? "drains: " : "would drain ", e->incarnation,
            e->games, e->sessions, others_ready(w, e));
}

static void plan_undrain_edge(struct router_plan *p, const struct router_plan_world *w, const CV1(UndrainEdge) * a, bool done)
{
    const struct router_edge *e = router_plan_edge(w->edges, a->edge);
    if (e == NULL)
        say(p, CODE(NOT_FOUND), "no such edge is connected: if it drained, it has ended");
    else if (!e->draining)
        nothing(p, "it does not drain");
    else
        say(p, CODE(OK), "%s%s: %u games and %u sessions are still there",
            done ? "takes players again: " : "would take players again: ", e->incarnation, e->games, e->sessions);
}

/* ---- regions ------------------------------------------------------------------------------------------------------------------------- */

static bool takes_players(const struct router_region_view *v)
{
    return v->mode == MODE(ACTIVE);
}

/* The other regions that take players, nearest first: "us-west (62 ms, 120 of 1000 players), ..."; how many. */
static unsigned takers(const struct router_plan_world *w, char *out, size_t size)
{
    bool named[ROUTER_REGIONS_MAX] = {false};
    unsigned n = 0;
    size_t len = 0;
    out[0] = '\0';
    for (;; n++) {
        size_t best = w->region_count;
        for (size_t i = 1; i < w->region_count; i++)
            if (!named[i] && takes_players(&w->regions[i]) && (best == w->region_count || w->regions[i].rtt_us < w->regions[best].rtt_us))
                best = i;
        if (best == w->region_count)
            return n;
        const struct router_region_view *v = &w->regions[best];
        named[best] = true;
        int m = snprintf(out + len, size - len, "%s%s (%u ms, %" PRIu64 " of %" PRIu64 " players)", n > 0 ? ", " : "", v->name,
                         (v->rtt_us + 500) / 1000, v->players, v->capacity);
        len += (size_t)m < size - len ? (size_t)m : size - len - 1;
    }
}

static void plan_drain_region(struct router_plan *p, const struct router_plan_world *w, const CV1(DrainRegion) * a, bool done)
{
    const struct router_region_view *own = &w->regions[0];
    char where[320], over[64] = "at once";
    unsigned n = takers(w, where, sizeof where);
    uint64_t over_ms = a->has_over_ms ? a->over_ms : 0;
    if (over_ms > 0)
        snprintf(over, sizeof over, "within %" PRIu64 " s", over_ms / 1000);
    if (strcmp(a->region, own->name) != 0)
        say(p, CODE(ELSEWHERE), "this is %s: ask a router of %s", own->name, a->region);
    else if (own->drain_by != NULL && own->drain_over_ms == over_ms)
        nothing(p, "it drains already");
    else if (n == 0 && !(a->has_force && a->force))
        say(p, CODE(REFUSED), "no other region is known to take players: --force drains it all the same");
    else
        say(p, CODE(OK), "%s: new players go elsewhere %s: %s. %" PRIu64 " players and %" PRIu64 " games stay until they end",
            done ? "drains" : "would drain", over, n > 0 ? where : "nobody is known to take them", own->players, own->games);
}

static void plan_undrain_region(struct router_plan *p, const struct router_plan_world *w, const CV1(UndrainRegion) * a, bool done)
{
    const struct router_region_view *own = &w->regions[0];
    if (strcmp(a->region, own->name) != 0)
        say(p, CODE(ELSEWHERE), "this is %s: ask a router of %s", own->name, a->region);
    else if (own->drain_by == NULL)
        nothing(p, "it does not drain");
    else
        say(p, CODE(OK), "%s: %u of its edges are ready", done ? "takes new players again" : "would take new players again",
            own->edges_ready);
}

void router_plan(struct router_plan *out, const struct router_plan_world *w, const CV1(Ask) * ask, bool done)
{
    *out = (struct router_plan){.code = CODE(INVALID)};
    switch (ask->body_case) {
    case ASK(DRAIN_EDGE):
        plan_drain_edge(out, w, ask->drain_edge, done);
        break;
    case ASK(UNDRAIN_EDGE):
        plan_undrain_edge(out, w, ask->undrain_edge, done);
        break;
    case ASK(DRAIN_REGION):
        plan_drain_region(out, w, ask->drain_region, done);
        break;
    case ASK(UNDRAIN_REGION):
        plan_undrain_region(out, w, ask->undrain_region, done);
        break;
    default:
        break;
    }
}
