/* SPDX-License-Identifier: Apache-2.0
 * electable.c - see electable.h. This file: what is known of members and shards, and when an event happens; electable_act.c: what is done
 * in a state, and when it is done. */
#include "region-router/electable.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/electable_private.h"

/* ---- states -------------------------------------------------------------------------------------------------------------------------- */

#define S(name) ROUTER_MEMBER_##name
static const uint8_t next[ROUTER_MEMBER_NSTATES][ROUTER_MEMBER_NEVENTS] = {
    /*             LOST    DONE       BACK      LEADS */
    [S(IN)] = {S(OFF), S(IN), S(IN), S(IN)},           [S(OFF)] = {S(OFF), S(FORGET), S(RAISE), S(IN)},
    [S(FORGET)] = {S(OFF), S(LOWER), S(RAISE), S(IN)}, [S(LOWER)] = {S(LOWER), S(OUT), S(LOWER), S(IN)},
    [S(OUT)] = {S(OUT), S(OUT), S(RAISE), S(IN)},      [S(RAISE)] = {S(OFF), S(SYNC), S(RAISE), S(IN)},
    [S(SYNC)] = {S(OFF), S(MEET), S(SYNC), S(IN)},     [S(MEET)] = {S(OFF), S(IN), S(MEET), S(IN)},
};
#undef S

const char *router_member_state_name(enum router_member_state s)
{
#define X(name) #name,
    static const char *const names[] = {ROUTER_MEMBER_STATES(X)};
#undef X
    return (size_t)s < MER_COUNT(names) ? names[s] : "?";
}

enum router_member_state router_member_next(enum router_member_state s, enum router_member_event e)
{
    return (enum router_member_state)next[s][e];
}

void router__member_event(struct router_electable *e, struct router_member *m, enum router_member_event ev, uint64_t now_ms)
{
    enum router_member_state from = (enum router_member_state)m->state, to = router_member_next(from, ev);
    bool again = ev == ROUTER_MEMBER_EV_LOST && to == ROUTER_MEMBER_OFF;
    if (from == to && !again)
        return;
    m->state = (uint8_t)to;
    m->since_ms = now_ms;
    m->target = 0;
    if (to == ROUTER_MEMBER_OFF)
        m->epoch = router__epoch(e);
    if (to == ROUTER_MEMBER_IN)
        m->good_ms = now_ms;
    e->env.moved(e->env.ctx, m, from);
    if (to == ROUTER_MEMBER_OFF || to == ROUTER_MEMBER_IN)
        m->noted = false;
}

/* ---- who is who ---------------------------------------------------------------------------------------------------------------------- */

struct router_member *router__member_by_id(const struct router_electable *e, const char *id)
{
    for (unsigned i = 0; i < e->member_count; i++)
        if (strcmp(e->member[i].id, id) == 0)
            return &e->member[i];
    return NULL;
}

static struct router_shard *shard_get(struct router_electable *e, const char *id)
{
    for (unsigned i = 0; i < e->shard_count; i++)
        if (strcmp(e->shard[i].id, id) == 0)
            return &e->shard[i];
    if (e->shard_count == ROUTER_NODES_MAX)
        return NULL;
    struct router_shard *s = &e->shard[e->shard_count++];
    memset(s, 0, sizeof *s);
    snprintf(s->id, sizeof s->id, "%s", id);
    return s;
}

static struct router_member *member_add(struct router_electable *e, const char *id, const char *address, const char *shard, uint64_t now_ms)
{
    if (e->member_count == ROUTER_NODES_MAX || shard_get(e, shard) == NULL)
        return NULL;
    struct router_member *m = &e->member[e->member_count++];
    memset(m, 0, sizeof *m);
    snprintf(m->id, sizeof m->id, "%s", id);
    snprintf(m->address, sizeof m->address, "%s", address);
    snprintf(m->shard, sizeof m->shard, "%s", shard);
    m->since_ms = m->good_ms = m->silent_since_ms = now_ms;
    return m;
}

/* Nodes in somebody's table that are not members yet: primaries with slots, and replicas of members. A primary without slots may be
 * anybody's.
 */
static void discover(struct router_electable *e, const struct router_view *v, uint64_t now_ms)
{
    for (unsigned i = 0; i < v->known_count; i++) {
        const struct router_known *k = &v->known[i];
        const struct router_member *p = k->primary[0] != 0 ? router__member_by_id(e, k->primary) : NULL;
        if (router__member_by_id(e, k->id) != NULL || (p == NULL && !k->slots))
            continue;
        (void)member_add(e, k->id, k->address, p != NULL ? p->shard : k->id, now_ms);
    }
}

bool router__fresh(const struct router_member *m, uint64_t now_ms)
{
    return m->answers && now_ms - m->asked_ms < FRESH_MS;
}

struct router_member *router__leads(const struct router_electable *e, const char *shard, uint64_t now_ms)
{
    struct router_member *best = NULL;
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *m = &e->member[i];
        if (strcmp(m->shard, shard) == 0 && m->viewed && m->view.slots && m->view.primary[0] == 0 &&
            (best == NULL || m->view.config_epoch > best->view.config_epoch))
            best = m;
    }
    return best != NULL && router__fresh(best, now_ms) ? best : NULL;
}

uint64_t router__epoch(const struct router_electable *e)
{
    uint64_t highest = 0;
    for (unsigned i = 0; i < e->member_count; i++)
        if (e->member[i].viewed && e->member[i].view.current_epoch > highest)
            highest = e->member[i].view.current_epoch;
    return highest;
}

static bool on_the_way(const struct router_member *m)
{
    return m->state != ROUTER_MEMBER_IN && m->state != ROUTER_MEMBER_OUT;
}

/* Does anybody of the shard stand in the way of m's starting to move? */
static bool shard_busy(const struct router_electable *e, const struct router_member *m)
{
    for (unsigned i = 0; i < e->member_count; i++)
        if (&e->member[i] != m && strcmp(e->member[i].shard, m->shard) == 0 && on_the_way(&e->member[i]))
            return true;
    return false;
}

/* ---- hearing ------------------------------------------------------------------------------------------------------------------------- */

static struct router_member *by_address(struct router_electable *e, const char *address)
{
    for (unsigned i = 0; i < e->member_count; i++)
        if (strcmp(e->member[i].address, address) == 0)
            return &e->member[i];
    return NULL;
}

/* The member that answered. Another node at a member's address is not that member; a member at another address moved. */
static struct router_member *who_answered(struct router_electable *e, const char *address, const struct router_view *v, uint64_t now_ms)
{
    struct router_member *m = router__member_by_id(e, v->id);
    if (m == NULL && v->slots)
        m = member_add(e, v->id, address, v->id, now_ms);
    if (m != NULL && strcmp(m->address, address) != 0)
        snprintf(m->address, sizeof m->address, "%s", address);
    return m;
}

static void silent(struct router_member *m, uint64_t now_ms)
{
    if (m->answers)
        m->silent_since_ms = now_ms;
    m->answers = false;
}

void router_electable_heard(struct router_electable *e, const char *address, const struct router_view *view, const char *user,
                            uint64_t asked_ms, uint64_t now_ms)
{
    struct router_member *there = by_address(e, address);
    if (there != NULL && (view == NULL || strcmp(there->id, view->id) != 0))
        silent(there, now_ms);
    struct router_member *m = view != NULL ? who_answered(e, address, view, now_ms) : NULL;
    if (m == NULL)
        return;
    if (!m->answers)
        m->answers_since_ms = now_ms;
    bool news = !m->viewed || strcmp(m->user, user) != 0;
    m->answers = m->viewed = true;
    m->asked_ms = asked_ms;
    m->view = *view;
    snprintf(m->user, sizeof m->user, "%s", user);
    if (news)
        m->noted = false;
    discover(e, view, now_ms);
}

/* ---- events -------------------------------------------------------------------------------------------------------------------------- */

bool router__in_step(const struct router_member *p, const struct router_member *m)
{
    const struct router_attached *a = router_view_attached(&p->view, m->address);
    return a != NULL && a->online && a->lag_s <= LAG_OK_S;
}

static unsigned counted(const struct router_electable *e, const char *shard)
{
    unsigned n = 0;
    for (unsigned i = 0; i < e->member_count; i++)
        n += strcmp(e->member[i].shard, shard) == 0 && e->member[i].state != ROUTER_MEMBER_LOWER && e->member[i].state != ROUTER_MEMBER_OUT;
    return n > 0 ? n - 1 : 0; /* one of them leads */
}

unsigned router__count_wanted(const struct router_electable *e, const char *shard)
{
    unsigned members = 0, in = counted(e, shard) + 1;
    for (unsigned i = 0; i < e->member_count; i++)
        members += strcmp(e->member[i].shard, shard) == 0;
    unsigned out = members - in, all = members - 1 > e->configured ? members - 1 : e->configured; /* who was never seen may be electable */
    return all > out + 1 ? all - out : 1;
}

/* An OUT member of the shard that could come in for one that is lost. */
static bool somebody_waits(const struct router_electable *e, const char *shard)
{
    for (unsigned i = 0; i < e->member_count; i++)
        if (strcmp(e->member[i].shard, shard) == 0 && e->member[i].state == ROUTER_MEMBER_OUT && e->member[i].answers)
            return true;
    return false;
}

static bool lost(const struct router_member *m, uint64_t now_ms)
{
    return now_ms - m->good_ms >= LOST_MS;
}

static bool others_lost(const struct router_electable *e, const struct router_member *m, const struct router_member *p, uint64_t now_ms)
{
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *o = &e->member[i];
        if (o != m && o != p && strcmp(o->shard, m->shard) == 0 && o->state == ROUTER_MEMBER_IN && lost(o, now_ms))
            return true;
    }
    return false;
}

static void look_at(struct router_electable *e, struct router_member *m, struct router_member *p, uint64_t now_ms)
{
    static const uint32_t patience_ms[ROUTER_MEMBER_NSTATES] = {
        [ROUTER_MEMBER_RAISE] = RAISE_MS, [ROUTER_MEMBER_SYNC] = SYNC_MS, [ROUTER_MEMBER_MEET] = MEET_MS};
    uint64_t age = now_ms - m->since_ms;
    bool gone = !m->answers && now_ms - m->silent_since_ms >= LOST_MS;
    bool steady = m->answers && now_ms - m->answers_since_ms >= STEADY_MS;
    switch (m->state) {
    case ROUTER_MEMBER_IN:
        if (router__in_step(p, m))
            m->good_ms = p->asked_ms;
        else if (lost(m, now_ms) && m->user[0] != 0 && !shard_busy(e, m) && (counted(e, m->shard) > 1 || somebody_waits(e, m->shard)))
            router__member_event(e, m, ROUTER_MEMBER_EV_LOST, now_ms);
        break;
    case ROUTER_MEMBER_OFF:
    case ROUTER_MEMBER_FORGET:
        if (age >= LOST_MS && steady)
            router__member_event(e, m, ROUTER_MEMBER_EV_BACK, now_ms);
        break;
    case ROUTER_MEMBER_OUT:
        if (steady && !shard_busy(e, m) && !others_lost(e, m, p, now_ms))
            router__member_event(e, m, ROUTER_MEMBER_EV_BACK, now_ms);
        break;
    case ROUTER_MEMBER_RAISE:
    case ROUTER_MEMBER_SYNC:
    case ROUTER_MEMBER_MEET:
        if (gone || age >= patience_ms[m->state])
            router__member_event(e, m, ROUTER_MEMBER_EV_LOST, now_ms);
        break;
    default:
        break;
    }
}

/* Replicas follow their primary into its shard: an operator may have moved them. */
static void follow_primary(struct router_electable *e, struct router_member *m)
{
    const struct router_member *p = m->view.primary[0] != 0 ? router__member_by_id(e, m->view.primary) : NULL;
    if (m->answers && m->state == ROUTER_MEMBER_IN && p != NULL && strcmp(p->shard, m->shard) != 0) {
        snprintf(m->shard, sizeof m->shard, "%s", p->shard);
        m->noted = false;
    }
}

/* While nobody led, nobody could be in step: those who live begin anew. A primary that was replaced is dead since it was last heard. */
static void note_leader(struct router_electable *e, struct router_shard *s, struct router_member *p, uint64_t now_ms)
{
    bool anew = strcmp(s->leader, p->id) != 0 || now_ms - s->led_ms >= FRESH_MS;
    for (unsigned i = 0; anew && i < e->member_count; i++)
        if (strcmp(e->member[i].shard, s->id) == 0 && e->member[i].answers)
            e->member[i].good_ms = now_ms;
    memcpy(s->leader, p->id, sizeof s->leader);
    s->led_ms = now_ms;
    p->good_ms = p->asked_ms;
    if (p->state != ROUTER_MEMBER_IN)
        router__member_event(e, p, ROUTER_MEMBER_EV_LEADS, now_ms);
}

void router_electable_step(struct router_electable *e, uint64_t now_ms)
{
    for (unsigned i = 0; i < e->member_count; i++)
        follow_primary(e, &e->member[i]);
    for (unsigned s = 0; s < e->shard_count; s++) {
        struct router_member *p = router__leads(e, e->shard[s].id, now_ms);
        if (p == NULL)
            continue; /* nobody to ask who is in step, and nothing could be stored */
        note_leader(e, &e->shard[s], p, now_ms);
        for (unsigned i = 0; i < e->member_count; i++)
            if (&e->member[i] != p && strcmp(e->member[i].shard, e->shard[s].id) == 0) {
                look_at(e, &e->member[i], p, now_ms);
                router__member_act(e, &e->member[i], p, now_ms);
            }
        router__shard_store(e, &e->shard[s], p, now_ms);
    }
}

void router_electable_stored(struct router_electable *e, const char *primary_id, unsigned count, bool ok, uint64_t now_ms)
{
    const struct router_member *p = router__member_by_id(e, primary_id);
    struct router_shard *s = p != NULL ? shard_get(e, p->shard) : NULL;
    if (s == NULL)
        return;
    s->storing = false;
    s->unsure = !ok;
    s->retry_ms = ok ? now_ms : now_ms + RETRY_MS;
    if (ok)
        s->stored = count;
}

/* ---- life, and what others want to know ---------------------------------------------------------------------------------------------- */

enum mer_err router_electable_init(struct router_electable *e, const struct router_electable_env *env, unsigned configured)
{
    memset(e, 0, sizeof *e);
    e->env = *env;
    e->configured = configured;
    e->member = mer_try_calloc(ROUTER_NODES_MAX, sizeof *e->member);
    return e->member != NULL ? MER_OK : MER_ENOMEM;
}

void router_electable_deinit(struct router_electable *e)
{
    mer_free(&e->member);
    e->member_count = e->shard_count = 0;
}

void router_electable_note(const struct router_member *m, char out[256])
{
    snprintf(out, 256, "%s %s %s %s", m->address, m->user[0] != 0 ? m->user : "-", m->shard, m->state == ROUTER_MEMBER_IN ? "in" : "out");
}

enum mer_err router_electable_remember(struct router_electable *e, const char *id, const char *note, uint64_t now_ms)
{
    char address[ROUTER_NODE_ADDRESS_BYTES], user[ROUTER_NODE_USER_BYTES], shard[ROUTER_NODE_ID_BYTES], how[4];
    if (strlen(id) != ROUTER_NODE_ID_BYTES - 1 || sscanf(note, "%63s %63s %40s %3s", address, user, shard, how) != 4)
        return MER_EINVALID;
    if (router__member_by_id(e, id) != NULL)
        return MER_OK;
    struct router_member *m = member_add(e, id, address, shard, now_ms);
    if (m == NULL)
        return MER_EINVALID;
    if (strcmp(user, "-") != 0)
        snprintf(m->user, sizeof m->user, "%s", user);
    if (strcmp(how, "out") == 0)
        m->state = ROUTER_MEMBER_OFF;
    return MER_OK;
}

bool router_electable_busy(const struct router_electable *e)
{
    for (unsigned i = 0; i < e->member_count; i++)
        if (on_the_way(&e->member[i]))
            return true;
    return false;
}

unsigned router_electable_out(const struct router_electable *e)
{
    unsigned n = 0;
    for (unsigned i = 0; i < e->member_count; i++)
        n += e->member[i].state != ROUTER_MEMBER_IN;
    return n;
}

unsigned router_electable_bare(const struct router_electable *e)
{
    unsigned bare = 0;
    for (unsigned s = 0; s < e->shard_count; s++) {
        const struct router_member *p = NULL;
        unsigned good = 0, members = 0;
        for (unsigned i = 0; i < e->member_count; i++) {
            const struct router_member *m = &e->member[i];
            if (strcmp(m->shard, e->shard[s].id) != 0)
                continue;
            members++;
            if (m->viewed && m->view.slots && m->view.primary[0] == 0 && (p == NULL || m->view.config_epoch > p->view.config_epoch))
                p = m;
        }
        for (unsigned i = 0; p != NULL && i < e->member_count; i++)
            good += &e->member[i] != p && strcmp(e->member[i].shard, e->shard[s].id) == 0 && router__in_step(p, &e->member[i]);
        bare += members > 0 && good == 0;
    }
    return bare;
}

unsigned router_electable_unmanaged(const struct router_electable *e)
{
    unsigned n = 0;
    for (unsigned i = 0; i < e->member_count; i++)
        n += e->member[i].viewed && e->member[i].user[0] == 0;
    return n;
}
