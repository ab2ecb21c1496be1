/* SPDX-License-Identifier: Apache-2.0
 * electable_act.c - what is done in each state of a member, again and again until the nodes say that it is done. See electable.h. Nothing
 * of this is done for a shard whose leader is not backed.
 *
 * Only what a node was asked after the state was entered counts, so an answer that was under way proves nothing. */
#include <string.h>

#include "region-router/electable_private.h"

/* o was asked since m entered its state, and answered. */
static bool news(const struct router_member *o, const struct router_member *m, uint64_t now_ms)
{
    return router__fresh(o, now_ms) && o->asked_ms > m->since_ms;
}

/* May o be told something? Not again before it was asked what became of the last. */
static bool may_tell(struct router_member *o, uint64_t now_ms)
{
    if (!o->answers || (o->acted_ms != now_ms && o->asked_ms <= o->acted_ms))
        return false;
    o->acted_ms = now_ms;
    return true;
}

/* Could o lead the shard, now or after an election? Then it must agree about who may replicate from it. Not who is on its way out and
 * unknown already: of two that are gone neither can wait for the other's word. */
static bool could_lead(const struct router_electable *e, const struct router_member *o, const struct router_member *m)
{
    bool leaving = o->state == ROUTER_MEMBER_OFF || o->state == ROUTER_MEMBER_FORGET;
    if (o == m || strcmp(o->shard, m->shard) != 0 || o->state == ROUTER_MEMBER_OUT || o->state == ROUTER_MEMBER_LOWER)
        return false;
    return !leaving || router__unknown(e, o) < router__majority(e);
}

/* Switched off at everybody who could lead, and not connected to the one that does. */
static bool act_off(struct router_electable *e, struct router_member *m, const struct router_member *p, uint64_t now_ms)
{
    bool done = true;
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *o = &e->member[i];
        if (!could_lead(e, o, m))
            continue;
        bool off = o->viewed && !router_view_user_on(&o->view, m->user), attached = o == p && router_view_attached(&p->view, m->address);
        if ((!off || attached) && may_tell(o, now_ms))
            e->env.user(e->env.ctx, o, m, false);
        done = done && news(o, m, now_ms) && off && !attached;
    }
    return done;
}

/* Says so to all who know it. True when no majority could vote for it, now or because of a vote that was under way. Nobody is told while
 * an election may be on that he was not asked about: whoever won it would be unknown to those who were told. */
static bool act_forget(struct router_electable *e, struct router_shard *s, struct router_member *m, uint64_t now_ms)
{
    unsigned forgot = 0;
    bool safe = router__backed(e, s, VOTE_MS, now_ms);
    for (unsigned i = 0; safe && i < e->member_count; i++) {
        struct router_member *o = &e->member[i];
        bool its_own = strcmp(o->view.primary, m->id) == 0; /* refused until it follows the new one */
        if (o != m && !its_own && router_view_find(&o->view, m->id) != NULL && may_tell(o, now_ms))
            e->env.forget(e->env.ctx, o, m->id);
    }
    for (unsigned i = 0; i < e->shard_count; i++) {
        const struct router_member *o = e->shard[i].lead;
        forgot += o != NULL && news(o, m, now_ms) && router_view_find(&o->view, m->id) == NULL;
    }
    return forgot >= router__majority(e) && news(s->lead, m, now_ms);
}

/* At somebody who comes in: who is out is switched off, and who is in is on. What happened to those while he was away never reached him,
 * and if he leads one day, a replica that is off at him is one that no WAIT can count. */
static bool others_right(struct router_electable *e, struct router_member *m, uint64_t now_ms)
{
    bool done = true;
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *z = &e->member[i];
        bool off = z->state == ROUTER_MEMBER_FORGET || z->state == ROUTER_MEMBER_LOWER || z->state == ROUTER_MEMBER_OUT;
        if (z == m || strcmp(z->shard, m->shard) != 0 || z->user[0] == 0 || (!off && z->state != ROUTER_MEMBER_IN))
            continue;
        bool right = m->viewed && router_view_user_on(&m->view, z->user) != off;
        if (!right && may_tell(m, now_ms))
            e->env.user(e->env.ctx, m, z, !off);
        done = done && right && news(m, m, now_ms);
    }
    return done;
}

static void act_on(struct router_electable *e, struct router_member *m, uint64_t now_ms)
{
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *o = &e->member[i];
        if (could_lead(e, o, m) && !router_view_user_on(&o->view, m->user) && may_tell(o, now_ms))
            e->env.user(e->env.ctx, o, m, true);
    }
}

/* A replica of p that has everything p had after the count was raised. */
static bool act_sync(struct router_electable *e, struct router_member *m, const struct router_member *p, uint64_t now_ms)
{
    bool right = others_right(e, m, now_ms);
    act_on(e, m, now_ms);
    if (strcmp(m->view.primary, p->id) != 0 && may_tell(m, now_ms)) {
        if (router_view_find(&m->view, p->id) == NULL)
            e->env.meet(e->env.ctx, m, p); /* the count is raised already: it may be known */
        else
            e->env.replicate(e->env.ctx, m, p);
    }
    if (strcmp(m->target_of, p->id) != 0 || m->target == 0) {
        if (!news(p, m, now_ms))
            return false;
        memcpy(m->target_of, p->id, sizeof m->target_of);
        m->target = p->view.offset > 0 ? p->view.offset : 1;
    }
    const struct router_attached *a = router_view_attached(&p->view, m->address);
    return right && news(p, m, now_ms) && news(m, m, now_ms) && strcmp(m->view.primary, p->id) == 0 && router__in_step(p, m) &&
           a->offset >= m->target;
}

/* Tells all who do not know m about it. True when a majority of the primaries shows it as what it is: p's replica, or the leader. */
static bool act_meet(struct router_electable *e, const struct router_shard *s, struct router_member *m, uint64_t now_ms)
{
    unsigned know = 0;
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *o = &e->member[i];
        bool among = o->state == ROUTER_MEMBER_IN || o->state == ROUTER_MEMBER_MEET; /* a handshake makes both known */
        if (o != m && among && router__fresh(o, now_ms) && router_view_find(&o->view, m->id) == NULL && may_tell(o, now_ms))
            e->env.meet(e->env.ctx, o, m);
    }
    for (unsigned i = 0; i < e->shard_count; i++) {
        const struct router_member *o = e->shard[i].lead;
        const struct router_known *k = o != NULL ? router_view_find(&o->view, m->id) : NULL;
        know += o == m || (k != NULL && news(o, m, now_ms) && strcmp(k->primary, m == s->lead ? "" : s->lead->id) == 0);
    }
    return know >= router__majority(e);
}

/* Whoever comes back with old news must not bring it among the others again. */
static void keep_out(struct router_electable *e, struct router_shard *s, struct router_member *m, uint64_t now_ms)
{
    (void)act_off(e, m, s->lead, now_ms);
    (void)act_forget(e, s, m, now_ms);
}

static bool stored(const struct router_electable *e, const struct router_shard *s)
{
    return !s->unsure && !s->storing && s->stored == router__count_wanted(e, s);
}

/* No count is below 1, so nothing need be stored for one replica. */
static bool raised(const struct router_electable *e, const struct router_shard *s)
{
    return router__count_wanted(e, s) <= 1 || stored(e, s);
}

/* Cannot replicate from p, so that no WAIT counts it. */
static bool shut_out(const struct router_member *m, const struct router_member *p, uint64_t now_ms)
{
    return news(p, m, now_ms) && !router_view_user_on(&p->view, m->user) && router_view_attached(&p->view, m->address) == NULL;
}

/* To lower the count, those who remain must have it; to raise it, those who were counted until now. Who comes in need not, and cannot. */
static unsigned enough(const struct router_electable *e, const struct router_shard *s)
{
    unsigned n = router__count_wanted(e, s);
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *m = &e->member[i];
        n -= n > 0 && router__of_shard(m, s) && m != s->lead && m->state == ROUTER_MEMBER_RAISE;
    }
    return n;
}

/* Are there enough who could confirm? Nobody: then the count stays what it is, and with it the shard's moves wait. */
static bool can_confirm(const struct router_electable *e, const struct router_shard *s)
{
    unsigned there = 0, n = enough(e, s);
    for (unsigned i = 0; i < s->lead->view.attached_count; i++) {
        const struct router_attached *a = &s->lead->view.attached[i];
        there += a->online && a->lag_s <= LAG_OK_S;
    }
    return n > 0 && there >= n;
}

static bool act_raise(struct router_electable *e, struct router_shard *s, struct router_member *m, uint64_t now_ms)
{
    bool done = raised(e, s);
    if (!done && m != s->lead && !shut_out(m, s->lead, now_ms))
        (void)act_off(e, m, s->lead, now_ms);
    return done;
}

/* Who was lost and leads its shard: from here on everybody may replicate from it who should, and it from others. */
static bool act_lead(struct router_electable *e, struct router_member *p, uint64_t now_ms)
{
    act_on(e, p, now_ms);
    return others_right(e, p, now_ms) && news(p, p, now_ms);
}

/* IN: what was told to somebody else, or is not known to who came in without being told. */
static void keep_in(struct router_electable *e, struct router_shard *s, struct router_member *m, uint64_t now_ms)
{
    if (m->user[0] == 0 || router__unknown(e, m) >= router__majority(e))
        return; /* it is not electable in truth: no door is opened before the count covers it */
    act_on(e, m, now_ms);
    if (m == s->lead || router__in_step(s->lead, m))
        (void)act_meet(e, s, m, now_ms);
}

void router__member_act(struct router_electable *e, struct router_shard *s, struct router_member *m, uint64_t now_ms)
{
    bool done = false;
    switch (m->state) {
    case ROUTER_MEMBER_IN:
        keep_in(e, s, m, now_ms);
        break;
    case ROUTER_MEMBER_OFF:
        if (m->epoch == 0)
            m->epoch = router__epoch(e); /* it was noted as out: nobody had answered then */
        done = act_off(e, m, s->lead, now_ms) && m->noted;
        break;
    case ROUTER_MEMBER_FORGET:
        if (router__epoch(e) != m->epoch) { /* an election since: look again who leads, and who was voted for */
            router__member_event(e, m, ROUTER_MEMBER_EV_LOST, now_ms);
            return;
        }
        (void)act_off(e, m, s->lead, now_ms);
        done = act_forget(e, s, m, now_ms);
        break;
    case ROUTER_MEMBER_LOWER:
        keep_out(e, s, m, now_ms);
        done = stored(e, s) || (!s->storing && !can_confirm(e, s));
        break;
    case ROUTER_MEMBER_OUT:
        keep_out(e, s, m, now_ms);
        break;
    case ROUTER_MEMBER_RAISE:
        done = act_raise(e, s, m, now_ms);
        break;
    case ROUTER_MEMBER_SYNC:
        done = m == s->lead ? act_lead(e, m, now_ms) : act_sync(e, m, s->lead, now_ms);
        break;
    case ROUTER_MEMBER_MEET:
        act_on(e, m, now_ms);
        done = act_meet(e, s, m, now_ms) && (m == s->lead || (news(s->lead, m, now_ms) && router__in_step(s->lead, m)));
        break;
    default:
        break;
    }
    if (done)
        router__member_event(e, m, ROUTER_MEMBER_EV_DONE, now_ms);
}

void router__shard_store(struct router_electable *e, struct router_shard *s, uint64_t now_ms)
{
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *m = &e->member[i];
        if (!router__of_shard(m, s))
            continue;
        if (m->state == ROUTER_MEMBER_OFF || m->state == ROUTER_MEMBER_FORGET)
            return; /* what is stored stands until it is forgotten */
        if (m->state == ROUTER_MEMBER_RAISE && m != s->lead && !shut_out(m, s->lead, now_ms))
            return; /* it would be taken for one of those who must confirm */
    }
    unsigned wanted = router__count_wanted(e, s);
    if (s->storing || (s->stored == wanted && !s->unsure) || now_ms < s->retry_ms || !can_confirm(e, s))
        return;
    s->storing = true;
    e->env.count(e->env.ctx, s->lead, wanted, enough(e, s));
}
