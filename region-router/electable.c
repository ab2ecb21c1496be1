/* SPDX-License-Identifier: Apache-2.0
 * electable.c - see electable.h. This file: members and shards, and when an event happens; electable_look.c: what the nodes' answers mean
 * together; electable_act.c: what is done in a state, and when it is done; electable_gone.c: who is a member no more. */
#include "region-router/electable.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/electable_private.h"

/* ---- states -------------------------------------------------------------------------------------------------------------------------- */

#define S(name) ROUTER_MEMBER_##name
static const uint8_t next[ROUTER_MEMBER_NSTATES][ROUTER_MEMBER_NEVENTS] = {
    /*             LOST    DONE       BACK      LEADS */
    [S(IN)] = {S(OFF), S(IN), S(IN), S(IN)},
    [S(OFF)] = {S(OFF), S(FORGET), S(RAISE), S(RAISE)},
    [S(FORGET)] = {S(OFF), S(LOWER), S(RAISE), S(RAISE)},
    [S(LOWER)] = {S(LOWER), S(OUT), S(RAISE), S(RAISE)},
    [S(OUT)] = {S(OUT), S(OUT), S(RAISE), S(RAISE)},
    [S(RAISE)] = {S(OFF), S(SYNC), S(RAISE), S(RAISE)},
    [S(SYNC)] = {S(OFF), S(MEET), S(SYNC), S(SYNC)},
    [S(MEET)] = {S(OFF), S(IN), S(MEET), S(MEET)},
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

#define BIT(name) (1u << ROUTER_MEMBER_##name)
enum { OUTBOUND = BIT(OFF) | BIT(FORGET) | BIT(LOWER), INBOUND = BIT(RAISE) | BIT(SYNC) | BIT(MEET) };

/* Is another replica of m's shard in one of these states? */
static bool others_are(const struct router_electable *e, const struct router_shard *s, const struct router_member *m, unsigned states)
{
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *o = &e->member[i];
        if (o != m && o != s->lead && router__of_shard(o, s) && (1u << o->state & states) != 0)
            return true;
    }
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

static bool lost(const struct router_member *m, uint64_t now_ms)
{
    return now_ms - m->good_ms >= LOST_MS;
}

static bool others_lost(const struct router_electable *e, const struct router_shard *s, const struct router_member *m, uint64_t now_ms)
{
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *o = &e->member[i];
        if (o != m && o != s->lead && router__of_shard(o, s) && o->state == ROUTER_MEMBER_IN && lost(o, now_ms))
            return true;
    }
    return false;
}

/* Is it any use to take m out: does somebody remain, or wait to come in for it? */
static bool replaceable(const struct router_electable *e, const struct router_shard *s)
{
    unsigned counted = 0;
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *o = &e->member[i];
        if (!router__of_shard(o, s) || o == s->lead)
            continue;
        if (o->state == ROUTER_MEMBER_OUT && o->answers)
            return true;
        counted += o->state != ROUTER_MEMBER_LOWER && o->state != ROUTER_MEMBER_OUT;
    }
    return counted > 1;
}

/* Claims the shard with a later epoch than its leader, and nobody agrees: which of the two is right only an operator can say. */
static bool stray(const struct router_member *m, const struct router_member *p)
{
    return router__is_primary(m) && m->view.config_epoch > p->view.config_epoch;
}

static void look_at_in(struct router_electable *e, const struct router_shard *s, struct router_member *m, uint64_t now_ms)
{
    bool unknown = router__unknown(e, m) >= router__majority(e); /* out, and its note was lost; or new */
    if (router__in_step(s->lead, m))
        m->good_ms = s->lead->asked_ms;
    /* One that comes in and waits for m to confirm the count is no reason to keep m. */
    if (m->user[0] == 0 || others_are(e, s, m, OUTBOUND | BIT(SYNC) | BIT(MEET)))
        return;
    if (unknown || (lost(m, now_ms) && replaceable(e, s)))
        router__member_event(e, m, ROUTER_MEMBER_EV_LOST, now_ms);
}

static void look_at(struct router_electable *e, const struct router_shard *s, struct router_member *m, uint64_t now_ms)
{
    static const uint32_t patience_ms[ROUTER_MEMBER_NSTATES] = {
        [ROUTER_MEMBER_RAISE] = RAISE_MS, [ROUTER_MEMBER_SYNC] = SYNC_MS, [ROUTER_MEMBER_MEET] = MEET_MS};
    uint64_t age = now_ms - m->since_ms;
    bool gone = !m->answers && now_ms - m->silent_since_ms >= LOST_MS;
    bool steady = m->answers && now_ms - m->answers_since_ms >= STEADY_MS && !stray(m, s->lead);
    switch (m->state) {
    case ROUTER_MEMBER_IN:
        look_at_in(e, s, m, now_ms);
        break;
    case ROUTER_MEMBER_OFF:
    case ROUTER_MEMBER_FORGET:
    case ROUTER_MEMBER_LOWER:
        if (steady && age >= LOST_MS && !others_are(e, s, m, INBOUND))
            router__member_event(e, m, ROUTER_MEMBER_EV_BACK, now_ms);
        break;
    case ROUTER_MEMBER_OUT:
        if (steady && !others_are(e, s, m, OUTBOUND | INBOUND) && !others_lost(e, s, m, now_ms))
            router__member_event(e, m, ROUTER_MEMBER_EV_BACK, now_ms);
        break;
    default: /* RAISE, SYNC, MEET */
        if (gone || age >= patience_ms[m->state])
            router__member_event(e, m, ROUTER_MEMBER_EV_LOST, now_ms);
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
static void note_leader(struct router_electable *e, struct router_shard *s, uint64_t now_ms)
{
    struct router_member *p = s->lead;
    bool anew = strcmp(s->leader, p->id) != 0 || now_ms - s->led_ms >= FRESH_MS;
    for (unsigned i = 0; anew && i < e->member_count; i++)
        if (router__of_shard(&e->member[i], s) && e->member[i].answers)
            e->member[i].good_ms = now_ms;
    memcpy(s->leader, p->id, sizeof s->leader);
    s->led_ms = now_ms;
    p->good_ms = p->asked_ms;
    if (p->state != ROUTER_MEMBER_IN)
        router__member_event(e, p, ROUTER_MEMBER_EV_LEADS, now_ms);
}

static void step_shard(struct router_electable *e, struct router_shard *s, uint64_t now_ms)
{
    note_leader(e, s, now_ms);
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *m = &e->member[i];
        if (!router__of_shard(m, s))
            continue;
        if (m != s->lead)
            look_at(e, s, m, now_ms);
        router__member_act(e, s, m, now_ms);
    }
    router__shard_store(e, s, now_ms);
}

void router_electable_step(struct router_electable *e, uint64_t now_ms)
{
    for (unsigned i = 0; i < e->member_count; i++)
        follow_primary(e, &e->member[i]);
    router__look_around(e, now_ms);
    if (router__drop_gone(e, now_ms))
        router__look_around(e, now_ms);
    for (unsigned i = 0; i < e->shard_count; i++)
        if (e->shard[i].backed) /* otherwise nobody to ask who is in step, or not the right one */
            step_shard(e, &e->shard[i], now_ms);
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
    if (m->gone)
        out[0] = 0;
    else
        snprintf(out, 256, "%s %s %s %s", m->address, m->user[0] != 0 ? m->user : "-", m->shard,
                 m->state == ROUTER_MEMBER_IN ? "in" : "out");
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
        if ((1u << e->member[i].state & (OUTBOUND | INBOUND)) != 0)
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
            if (router__is_primary(m) && (p == NULL || m->view.config_epoch > p->view.config_epoch))
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
