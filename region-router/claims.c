/* SPDX-License-Identifier: Apache-2.0
 * claims.c - see claims.h. */
#include "region-router/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#define S(name) ROUTER_CLAIM_##name
static const uint8_t next[ROUTER_CLAIM_NSTATES][ROUTER_CLAIM_NEVENTS] = {
    /*                UP           DOWN         QUIET        GONE         NEWER        CLAIMED */
    [S(LINKED)] = {S(LINKED), S(SILENT), S(LINKED), S(LINKED), S(REPLACED), S(LINKED)},
    [S(SILENT)] = {S(LINKED), S(SILENT), S(CHECKING), S(SILENT), S(REPLACED), S(SILENT)},
    [S(CHECKING)] = {S(LINKED), S(CHECKING), S(CHECKING), S(DEAD), S(REPLACED), S(CHECKING)},
    [S(DEAD)] = {S(LINKED), S(DEAD), S(DEAD), S(DEAD), S(REPLACED), S(REMOVED)},
    [S(REPLACED)] = {S(REPLACED), S(REPLACED), S(REPLACED), S(REPLACED), S(REPLACED), S(REMOVED)},
    [S(REMOVED)] = {S(LINKED), S(REMOVED), S(REMOVED), S(REMOVED), S(REMOVED), S(REMOVED)},
};
#undef S

const char *router_claim_state_name(enum router_claim_state s)
{
#define X(name) #name,
    static const char *const names[] = {ROUTER_CLAIM_STATES(X)};
#undef X
    return (size_t)s < MER_COUNT(names) ? names[s] : "?";
}

enum router_claim_state router_claim_next(enum router_claim_state s, enum router_claim_event e)
{
    return (enum router_claim_state)next[s][e];
}

static void move(struct router_claims *c, struct router_owner *o, enum router_claim_event ev, uint64_t now_ms)
{
    enum router_claim_state from = (enum router_claim_state)o->state, to = router_claim_next(from, ev);
    if (from == to)
        return;
    o->state = (uint8_t)to;
    o->since_ms = now_ms;
    o->asked_ms = 0;
    o->braked = false;
    if (to == ROUTER_CLAIM_LINKED)
        o->allowed = o->leaving = false;
    if ((to == ROUTER_CLAIM_DEAD || to == ROUTER_CLAIM_REPLACED) && from != ROUTER_CLAIM_DEAD)
        memset(o->slice, 0, sizeof o->slice);
    if (to == ROUTER_CLAIM_REMOVED) {
        o->noted = false;
        snprintf(c->removed[c->removed_count++ % ROUTER_REMOVED_KEPT], ROUTER_NAME_BYTES, "%s", o->incarnation);
    }
    c->counts[ROUTER_C_DEAD] += to == ROUTER_CLAIM_DEAD;
    c->counts[ROUTER_C_REPLACED] += to == ROUTER_CLAIM_REPLACED;
    c->counts[ROUTER_C_REMOVED] += to == ROUTER_CLAIM_REMOVED;
    c->env.moved(c->env.ctx, o, from);
}

/* ---- who is known -------------------------------------------------------------------------------------------------------------------- */

static struct router_owner *find(const struct router_claims *c, const char *incarnation)
{
    MER_LIST_EACH (it, &c->owners) {
        struct router_owner *o = MER_LIST_ENTRY(it, struct router_owner, node);
        if (strcmp(o->incarnation, incarnation) == 0)
            return o;
    }
    return NULL;
}

static struct router_owner *add(struct router_claims *c, const char *incarnation, const char *id, enum router_claim_state s,
                                uint64_t now_ms)
{
    struct router_owner *o = mer_try_calloc(1, sizeof *o);
    if (o == NULL)
        return NULL;
    snprintf(o->incarnation, sizeof o->incarnation, "%s", incarnation);
    snprintf(o->id, sizeof o->id, "%s", id);
    o->state = (uint8_t)s;
    o->since_ms = now_ms;
    mer_list_push_back(&c->owners, &o->node);
    c->owner_count++;
    return o;
}

static void drop(struct router_claims *c, struct router_owner *o)
{
    mer_list_remove(&o->node);
    c->owner_count--;
    free(o);
}

static bool was_removed(const struct router_claims *c, const char *incarnation)
{
    for (unsigned i = 0; i < c->removed_count && i < ROUTER_REMOVED_KEPT; i++)
        if (strcmp(c->removed[i], incarnation) == 0)
            return true;
    return false;
}

/* The one of that id which is linked; NULL: none. */
static const struct router_owner *linked(const struct router_claims *c, const char *id)
{
    MER_LIST_EACH (it, &c->owners) {
        const struct router_owner *o = MER_LIST_ENTRY(it, struct router_owner, node);
        if (o->state == ROUTER_CLAIM_LINKED && strcmp(o->id, id) == 0)
            return o;
    }
    return NULL;
}

enum mer_err router_claims_remember(struct router_claims *c, const char *incarnation, const char *id, uint64_t now_ms)
{
    if (incarnation[0] == 0 || strlen(incarnation) >= ROUTER_NAME_BYTES || strlen(id) >= ROUTER_NAME_BYTES)
        return MER_EINVALID;
    struct router_owner *o = find(c, incarnation);
    if (o == NULL && (o = add(c, incarnation, id, ROUTER_CLAIM_SILENT, now_ms)) == NULL)
        return MER_ENOMEM;
    o->noted = true;
    if (o->state != ROUTER_CLAIM_LINKED && linked(c, id) != NULL)
        move(c, o, ROUTER_CLAIM_EV_NEWER, now_ms);
    return MER_OK;
}

enum mer_err router_claims_up(struct router_claims *c, const char *incarnation, const char *id, uint64_t now_ms)
{
    struct router_owner *o = find(c, incarnation);
    bool removed = o == NULL ? was_removed(c, incarnation) : o->state == ROUTER_CLAIM_REMOVED;
    if (removed && linked(c, id) != NULL)
        return MER_OK; /* woke up after its successor had come: nothing is its own any more */
    /* Removed, but without a successor: it was silent for long, and lives. What it owned is claimed; what it will own is its own. */
    if (o == NULL && (o = add(c, incarnation, id, ROUTER_CLAIM_SILENT, now_ms)) == NULL)
        return MER_ENOMEM;
    move(c, o, ROUTER_CLAIM_EV_UP, now_ms);
    MER_LIST_EACH (it, &c->owners) {
        struct router_owner *other = MER_LIST_ENTRY(it, struct router_owner, node);
        if (o->state == ROUTER_CLAIM_LINKED && other != o && strcmp(other->id, id) == 0)
            move(c, other, ROUTER_CLAIM_EV_NEWER, now_ms);
    }
    return MER_OK;
}

void router_claims_down(struct router_claims *c, const char *incarnation, bool draining, uint64_t now_ms)
{
    struct router_owner *o = find(c, incarnation);
    if (o == NULL)
        return;
    o->leaving = draining;
    move(c, o, ROUTER_CLAIM_EV_DOWN, now_ms);
}

/* ---- who is dead --------------------------------------------------------------------------------------------------------------------- */

static bool may_die(const struct router_claims *c, const struct router_owner *o, uint64_t now_ms)
{
    unsigned recent = 0, known = router_claims_in(c, ROUTER_CLAIM_LINKED) + router_claims_in(c, ROUTER_CLAIM_SILENT) +
                                 router_claims_in(c, ROUTER_CLAIM_CHECKING);
    if (o->leaving || o->allowed)
        return true;
    for (unsigned i = 0; i < c->death_count && i < ROUTER_DEATHS_KEPT; i++)
        recent += now_ms - c->deaths[i] < ROUTER_BRAKE_MS;
    unsigned limit = (known + recent) / 10 > 1 ? (known + recent) / 10 : 1;
    return recent < limit && recent < ROUTER_DEATHS_KEPT;
}

void router_claims_alive(struct router_claims *c, const char *incarnation, enum router_alive alive, uint64_t now_ms)
{
    struct router_owner *o = find(c, incarnation);
    if (o == NULL)
        return;
    o->asking = false;
    if (o->state != ROUTER_CLAIM_CHECKING || alive != ROUTER_GONE)
        return;
    o->braked = !may_die(c, o, now_ms);
    if (o->braked)
        return;
    if (!o->leaving && !o->allowed)
        c->deaths[c->death_count++ % ROUTER_DEATHS_KEPT] = now_ms;
    move(c, o, ROUTER_CLAIM_EV_GONE, now_ms);
}

unsigned router_claims_allow(struct router_claims *c)
{
    unsigned n = 0;
    MER_LIST_EACH (it, &c->owners) {
        struct router_owner *o = MER_LIST_ENTRY(it, struct router_owner, node);
        n += o->braked;
        o->allowed |= o->braked;
    }
    return n;
}

/* ---- slices -------------------------------------------------------------------------------------------------------------------------- */

static unsigned outstanding(const struct router_claims *c, const char *edge)
{
    unsigned n = 0;
    MER_LIST_EACH (it, &c->owners) {
        const struct router_owner *o = MER_LIST_ENTRY(it, struct router_owner, node);
        bool claimed = o->state == ROUTER_CLAIM_DEAD || o->state == ROUTER_CLAIM_REPLACED;
        for (unsigned i = 0; claimed && i < ROUTER_SLICES; i++)
            n += !o->slice[i].done && strcmp(o->slice[i].edge, edge) == 0;
    }
    return n;
}

/* Once a step, and counted on from there: for every slice anew, a region that was started again as a whole would be stood still by it. */
static void count_asked(struct router_claims *c)
{
    if (router_claims_in(c, ROUTER_CLAIM_DEAD) + router_claims_in(c, ROUTER_CLAIM_REPLACED) == 0)
        return;
    MER_LIST_EACH (it, c->env.edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        e->claiming = (uint16_t)outstanding(c, e->incarnation);
    }
}

static bool may_claim(const struct router_edge *e, const struct router_owner *of, uint64_t now_ms)
{
    return e->claiming < ROUTER_SLICES_AN_EDGE && router_edge_is_fresh(e, now_ms) && !e->draining &&
           strcmp(e->incarnation, of->incarnation) != 0;
}

/* Round robin over those who may; NULL: nobody. */
static struct router_edge *claimer(struct router_claims *c, const struct router_owner *of, uint64_t now_ms)
{
    unsigned count = 0, at = 0;
    MER_LIST_EACH (it, c->env.edges)
        count += may_claim(MER_LIST_ENTRY(it, struct router_edge, node), of, now_ms);
    if (count == 0)
        return NULL;
    unsigned chosen = c->next_edge++ % count;
    MER_LIST_EACH (it, c->env.edges) {
        struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (may_claim(e, of, now_ms) && at++ == chosen)
            return e;
    }
    return NULL;
}

static void claim_slices(struct router_claims *c, struct router_owner *o, uint64_t now_ms)
{
    unsigned done = 0;
    for (unsigned i = 0; i < ROUTER_SLICES; i++) { /* first: who is late gives way, and is asked again in the next step at the earliest */
        struct router_slice *s = &o->slice[i];
        done += s->done;
        if (s->done || s->edge[0] == 0 || now_ms < s->until_ms)
            continue;
        c->counts[ROUTER_C_AGAIN]++;
        s->edge[0] = 0;
    }
    for (unsigned i = 0; i < ROUTER_SLICES; i++) {
        struct router_slice *s = &o->slice[i];
        if (s->done || s->edge[0] != 0 || now_ms < s->until_ms)
            continue;
        struct router_edge *e = claimer(c, o, now_ms);
        if (e == NULL)
            break; /* nor for another slice of it */
        e->claiming++;
        snprintf(s->edge, sizeof s->edge, "%s", e->incarnation);
        s->until_ms = now_ms + ROUTER_SLICE_MS;
        c->env.claim(c->env.ctx, e, o, i * ROUTER_SLICE_BUCKETS, (i + 1) * ROUTER_SLICE_BUCKETS - 1);
    }
    if (done == ROUTER_SLICES)
        move(c, o, ROUTER_CLAIM_EV_CLAIMED, now_ms);
}

void router_claims_answer(struct router_claims *c, const char *by, const char *of, uint32_t first, bool done, uint32_t games,
                          uint64_t now_ms)
{
    struct router_owner *o = find(c, of);
    if (o == NULL || first % ROUTER_SLICE_BUCKETS != 0 || first / ROUTER_SLICE_BUCKETS >= ROUTER_SLICES)
        return;
    struct router_slice *s = &o->slice[first / ROUTER_SLICE_BUCKETS];
    if (s->done || strcmp(s->edge, by) != 0)
        return; /* somebody else was asked since */
    s->edge[0] = 0;
    s->done = done;
    s->until_ms = now_ms + (done ? 0 : ROUTER_SLICE_RETRY_MS);
    c->counts[done ? ROUTER_C_SLICES : ROUTER_C_AGAIN]++;
    c->counts[ROUTER_C_GAMES] += done ? games : 0;
}

/* ---- going on ------------------------------------------------------------------------------------------------------------------------ */

static void step_owner(struct router_claims *c, struct router_owner *o, uint64_t now_ms)
{
    switch (o->state) {
    case ROUTER_CLAIM_SILENT:
        if (now_ms - o->since_ms >= ROUTER_SILENT_MS)
            move(c, o, ROUTER_CLAIM_EV_QUIET, now_ms);
        break;
    case ROUTER_CLAIM_DEAD:
    case ROUTER_CLAIM_REPLACED:
        claim_slices(c, o, now_ms);
        break;
    default:
        break;
    }
    if (o->state == ROUTER_CLAIM_CHECKING && !o->asking && (o->asked_ms == 0 || now_ms - o->asked_ms >= ROUTER_CHECK_MS)) {
        o->asking = true;
        o->asked_ms = now_ms;
        c->env.ask(c->env.ctx, o);
    }
}

void router_claims_step(struct router_claims *c, uint64_t now_ms)
{
    count_asked(c);
    MER_LIST_EACH (it, &c->owners)
        step_owner(c, MER_LIST_ENTRY(it, struct router_owner, node), now_ms);
    MER_LIST_EACH_SAFE (it, &c->owners) {
        struct router_owner *o = MER_LIST_ENTRY(it, struct router_owner, node);
        if (!o->noted)
            c->env.note(c->env.ctx, o);
    }
}

void router_claims_noted(struct router_claims *c, const char *incarnation, bool removed, bool ok)
{
    struct router_owner *o = find(c, incarnation);
    if (o == NULL || !ok || removed != (o->state == ROUTER_CLAIM_REMOVED))
        return;
    if (removed)
        drop(c, o);
    else
        o->noted = true;
}

unsigned router_claims_in(const struct router_claims *c, enum router_claim_state s)
{
    unsigned n = 0;
    MER_LIST_EACH (it, &c->owners)
        n += MER_LIST_ENTRY(it, struct router_owner, node)->state == s;
    return n;
}

unsigned router_claims_braked(const struct router_claims *c)
{
    unsigned n = 0;
    MER_LIST_EACH (it, &c->owners)
        n += MER_LIST_ENTRY(it, struct router_owner, node)->braked;
    return n;
}

void router_claims_init(struct router_claims *c, const struct router_claims_env *env)
{
    memset(c, 0, sizeof *c);
    c->env = *env;
    mer_list_init(&c->owners);
}

void router_claims_deinit(struct router_claims *c)
{
    MER_LIST_EACH_SAFE (it, &c->owners)
        drop(c, MER_LIST_ENTRY(it, struct router_owner, node));
}
