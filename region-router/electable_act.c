/* SPDX-License-Identifier: Apache-2.0
 * electable_act.c - what is done in each state of a member, again and again until the nodes say that it is done. See electable.h.
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

/* Could o lead the shard, now or after an election? Then it must agree about who may replicate from it. */
static bool could_lead(const struct router_member *o, const struct router_member *m)
{
    return o != m && strcmp(o->shard, m->shard) == 0 && o->state != ROUTER_MEMBER_OUT && o->state != ROUTER_MEMBER_LOWER;
}

/* Switched off at everybody who could lead, and not connected to the one that does. */
static bool act_off(struct router_electable *e, struct router_member *m, const struct router_member *p, uint64_t now_ms)
{
    bool done = true;
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *o = &e->member[i];
        if (!could_lead(o, m))
            continue;
        bool off = o->viewed && !router_view_user_on(&o->view, m->user), attached = o == p && router_view_attached(&p->view, m->address);
        if ((!off || attached) && may_tell(o, now_ms))
            e->env.user(e->env.ctx, o, m, false);
        done = done && news(o, m, now_ms) && off && !attached;
    }
    return done;
}

/* Says so to all who know it. True when no majority could vote for it, now or because of a vote that was under way. */
static bool act_forget(struct router_electable *e, struct router_member *m, const struct router_member *p, uint64_t now_ms)
{
    unsigned forgot = 0;
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *o = &e->member[i];
        if (o != m && router_view_find(&o->view, m->id) != NULL && may_tell(o, now_ms))
            e->env.forget(e->env.ctx, o, m->id);
    }
    for (unsigned s = 0; s < e->shard_count; s++) {
        const struct router_member *o = router__leads(e, e->shard[s].id, now_ms);
        forgot += o != NULL && news(o, m, now_ms) && router_view_find(&o->view, m->id) == NULL;
    }
    return forgot >= e->shard_count / 2 + 1 && news(p, m, now_ms);
}

/* At somebody who comes in: OUT members are switched off, and IN ones are on. What happened to those while he was away never reached him,
 * and if he leads one day, a replica that is off at him is one that no WAIT can count. */
static bool others_right(struct router_electable *e, struct router_member *m, uint64_t now_ms)
{
    bool done = true;
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *z = &e->member[i];
        bool off = z->state == ROUTER_MEMBER_OUT;
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
        if (could_lead(o, m) && !router_view_user_on(&o->view, m->user) && may_tell(o, now_ms))
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

/* Known as p's replica by everybody who answers. */
static bool act_meet(struct router_electable *e, struct router_member *m, const struct router_member *p, uint64_t now_ms)
{
    bool done = news(p, m, now_ms) && router__in_step(p, m);
    for (unsigned i = 0; i < e->member_count; i++) {
        struct router_member *o = &e->member[i];
        if (o == m || !router__fresh(o, now_ms) || o->state == ROUTER_MEMBER_OUT)
            continue;
        const struct router_known *k = router_view_find(&o->view, m->id);
        if (k == NULL && may_tell(o, now_ms))
            e->env.meet(e->env.ctx, o, m);
        done = done && news(o, m, now_ms) && k != NULL && strcmp(k->primary, p->id) == 0;
    }
    return done;
}

/* Whoever comes back with old news must not bring it among the others again. */
static void keep_out(struct router_electable *e, struct router_member *m, const struct router_member *p, uint64_t now_ms)
{
    (void)act_off(e, m, p, now_ms);
    (void)act_forget(e, m, p, now_ms);
}

static const struct router_shard *shard_of(const struct router_electable *e, const struct router_member *m)
{
    for (unsigned s = 0; s < e->shard_count; s++)
        if (strcmp(e->shard[s].id, m->shard) == 0)
            return &e->shard[s];
    return NULL;
}

static bool stored(const struct router_electable *e, const struct router_shard *s)
{
    return s != NULL && !s->unsure && !s->storing && s->stored == router__count_wanted(e, s->id);
}

void router__member_act(struct router_electable *e, struct router_member *m, struct router_member *p, uint64_t now_ms)
{
    bool done = false;
    switch (m->state) {
    case ROUTER_MEMBER_IN: /* also after somebody else was told to, or came in without being told */
        if (m->user[0] != 0)
            act_on(e, m, now_ms);
        break;
    case ROUTER_MEMBER_OFF:
        if (m->epoch == 0)
            m->epoch = router__epoch(e); /* it was noted as out: nobody had answered then */
        done = act_off(e, m, p, now_ms);
        break;
    case ROUTER_MEMBER_FORGET:
        if (router__epoch(e) != m->epoch) { /* an election since: look again who leads, and who was voted for */
            router__member_event(e, m, ROUTER_MEMBER_EV_LOST, now_ms);
            return;
        }
        (void)act_off(e, m, p, now_ms);
        done = act_forget(e, m, p, now_ms);
        break;
    case ROUTER_MEMBER_LOWER:
        keep_out(e, m, p, now_ms);
        done = stored(e, shard_of(e, m));
        break;
    case ROUTER_MEMBER_OUT:
        keep_out(e, m, p, now_ms);
        break;
    case ROUTER_MEMBER_RAISE:
        done = stored(e, shard_of(e, m));
        break;
    case ROUTER_MEMBER_SYNC:
        done = act_sync(e, m, p, now_ms);
        break;
    case ROUTER_MEMBER_MEET:
        act_on(e, m, now_ms);
        done = act_meet(e, m, p, now_ms);
        break;
    default:
        break;
    }
    if (done)
        router__member_event(e, m, ROUTER_MEMBER_EV_DONE, now_ms);
}

/* To lower it, those who remain must have it; to raise it, those who were counted until now. Who comes in need not, and cannot. */
static unsigned enough(const struct router_electable *e, const struct router_shard *s, unsigned wanted)
{
    unsigned coming = 0;
    for (unsigned i = 0; i < e->member_count; i++)
        coming += strcmp(e->member[i].shard, s->id) == 0 && e->member[i].state == ROUTER_MEMBER_RAISE;
    unsigned n = s->stored > 0 && s->stored < wanted ? s->stored : wanted;
    if (s->stored == 0 && coming > 0) /* an earlier leader stored it, or not */
        n = wanted - coming;
    return n > 0 ? n : 1;
}

void router__shard_store(struct router_electable *e, struct router_shard *s, const struct router_member *p, uint64_t now_ms)
{
    unsigned wanted = router__count_wanted(e, s->id);
    bool known = s->stored == wanted && !s->unsure;
    for (unsigned i = 0; i < e->member_count; i++) {
        const struct router_member *m = &e->member[i];
        if (strcmp(m->shard, s->id) == 0 && (m->state == ROUTER_MEMBER_OFF || m->state == ROUTER_MEMBER_FORGET))
            return; /* what is stored stands until it is forgotten */
    }
    if (s->storing || known || now_ms < s->retry_ms)
        return;
    s->storing = true;
    e->env.count(e->env.ctx, p, wanted, enough(e, s, wanted));
}
