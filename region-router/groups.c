/* SPDX-License-Identifier: Apache-2.0
 * groups.c - see groups.h.
 *
 * Why groups stand beside the pool and not in it: a bucket is made for thousands of tickets of all ratings, a group for four; and a group
 * must know of those of its tickets that are offered or held, too, or a code would look unused while its match is being made.
 *
 * Several tickets of one user are one that was lost and its successor: the newest counts. */
#include "region-router/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/match_private.h"

enum { HANDED_IN_MS = 1000 }; /* a ticket that is older when it comes is not new; a fresh one comes after one write to the store */

struct router_member {
    struct mer_list node;
    struct router_ticket *ticket; /* the key */
    struct router_group *group;
    struct router_group_wish wish;
    uint64_t came_ms;
};

static struct mer_key group_key(const void *entry)
{
    return (struct mer_key){&((const struct router_group *)entry)->key, sizeof(uint64_t)};
}

static struct mer_key member_key(const void *entry)
{
    return (struct mer_key){&((const struct router_member *)entry)->ticket, sizeof(struct router_ticket *)};
}

void router_groups_init(struct router_groups *g, const uint64_t seed[2])
{
    *g = (struct router_groups){.spent_count = 0};
    mer_map_init(&g->by_key, group_key, seed);
    mer_map_init(&g->members, member_key, seed);
    mer_list_init(&g->spent);
}

static struct router_member *member_of(const struct router_matcher *m, const struct router_ticket *t)
{
    return t->grouped ? mer_map_get(&m->groups.members, &t, sizeof t) : NULL;
}

static struct router_member *entry(const struct mer_list *node)
{
    return MER_LIST_ENTRY(node, struct router_member, node);
}

static void group_free(struct router_groups *g, struct router_group *x)
{
    if (x->end == ROUTER_GROUP_SPENT) {
        mer_list_remove(&x->kept);
        g->spent_count--;
    }
    mer_map_remove(&g->by_key, &x->key, sizeof x->key);
    free(x);
}

/* Spent groups are remembered to be told from unknown ones, and no longer than a code can be of use. */
static void forget_spent(struct router_groups *g, uint64_t now_ms)
{
    while (!mer_list_empty(&g->spent)) {
        struct router_group *x = MER_LIST_ENTRY(g->spent.next, struct router_group, kept);
        if (now_ms - x->spent_ms < ROUTER_INVITE_MS && g->spent_count <= ROUTER_GROUPS_SPENT)
            return;
        if (x->count == 0) {
            group_free(g, x);
            continue;
        }
        mer_list_remove(&x->kept); /* freed with its last ticket */
        g->spent_count--;
        x->end = ROUTER_GROUP_WITHDRAWN;
    }
}

static void free_all(struct mer_map *map)
{
    uint32_t pos = 0;
    for (void *entry_; (entry_ = mer_map_next(map, &pos)) != NULL;)
        free(entry_);
    mer_map_deinit(map);
}

void router_groups_deinit(struct router_groups *g)
{
    free_all(&g->members);
    free_all(&g->by_key);
}

/* ---- who is in it -------------------------------------------------------------------------------------------------------------------- */

static struct router_group *group_new(struct router_matcher *m, uint64_t key)
{
    struct router_group *x = mer_try_calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->key = key;
    x->hostless_ms = m->now_ms;
    mer_list_init(&x->member);
    mer_list_init(&x->kept);
    if (mer_map_put(&m->groups.by_key, x) != MER_OK)
        mer_free(&x);
    return x;
}

/* Its host is here again: it was withdrawn by mistake, or the game was never made. */
static void reopen(struct router_groups *g, struct router_group *x)
{
    if (x->end == ROUTER_GROUP_SPENT) {
        mer_list_remove(&x->kept);
        g->spent_count--;
    }
    x->end = ROUTER_GROUP_OPEN;
}

enum mer_err router_group_join(struct router_matcher *m, struct router_ticket *t, const struct router_group_wish *w)
{
    struct router_groups *g = &m->groups;
    forget_spent(g, m->now_ms);
    struct router_group *x = mer_map_get(&g->by_key, &w->key, sizeof w->key);
    if (x != NULL && x->count >= ROUTER_GROUP_MAX)
        return MER_EBUSY;
    bool fresh = x == NULL;
    if (fresh)
        x = group_new(m, w->key);
    struct router_member *b = x != NULL ? mer_try_calloc(1, sizeof *b) : NULL;
    if (b != NULL) {
        b->ticket = t;
        b->group = x;
        b->wish = *w;
        b->came_ms = m->now_ms;
        mer_list_init(&b->node);
        if (mer_map_put(&g->members, b) != MER_OK)
            mer_free(&b);
    }
    if (b == NULL) {
        if (x != NULL && fresh)
            group_free(g, x);
        return MER_ENOMEM;
    }
    mer_list_push_back(&x->member, &b->node);
    x->count++;
    x->hosts += w->hosts;
    x->hosted = x->hosted || w->hosts;
    if (w->hosts)
        reopen(g, x);
    x->joined_ms = m->now_ms;
    t->grouped = true;
    return MER_OK;
}

/* What they wait for has changed: looked at when the present event is through. */
static void wake(struct router_matcher *m, struct router_group *x)
{
    MER_LIST_EACH (it, &x->member) {
        struct router_ticket *t = entry(it)->ticket;
        if (t->state != TICKET_WAITING)
            continue;
        router_steps_disarm(&m->steps, t);
        router_steps_arm(&m->steps, t, m->now_ms);
    }
}

/* They play, or their host is gone. */
static void settle(struct router_matcher *m, struct router_group *x, enum router_group_why why)
{
    x->hostless_ms = m->now_ms;
    if (why == ROUTER_GROUP_WHY_MATCHED && x->end != ROUTER_GROUP_SPENT) {
        x->end = ROUTER_GROUP_SPENT;
        x->spent_ms = m->now_ms;
        MER_LIST_EACH (it, &x->member) /* lent, perhaps to that match: undone, they come back as those do who had accepted */
            if (entry(it)->ticket->state == TICKET_AWAY)
                entry(it)->came_ms = m->now_ms;
        mer_list_push_back(&m->groups.spent, &x->kept);
        m->groups.spent_count++;
    } else if (why == ROUTER_GROUP_WHY_ENDED && x->end == ROUTER_GROUP_OPEN) {
        x->end = ROUTER_GROUP_WITHDRAWN;
    }
    wake(m, x);
}

void router_group_leave(struct router_matcher *m, struct router_ticket *t, enum router_group_why why)
{
    struct router_member *b = member_of(m, t);
    if (b == NULL)
        return;
    struct router_group *x = b->group;
    mer_map_remove(&m->groups.members, &t, sizeof t);
    mer_list_remove(&b->node);
    t->grouped = false;
    x->count--;
    x->hosts -= b->wish.hosts;
    if (why == ROUTER_GROUP_WHY_MATCHED || (b->wish.hosts && x->hosts == 0))
        settle(m, x, why);
    mer_free(&b);
    if (x->count == 0 && x->end != ROUTER_GROUP_SPENT)
        group_free(&m->groups, x);
}

struct router_group_wish router_group_of(const struct router_matcher *m, const struct router_ticket *t)
{
    const struct router_member *b = member_of(m, t);
    return b != NULL ? b->wish : (struct router_group_wish){.key = 0};
}

/* ---- their match --------------------------------------------------------------------------------------------------------------------- */

/* Not a ticket that this one of the same user has replaced. */
static bool counts(const struct router_group *x, const struct router_member *b)
{
    if (b->ticket->state != TICKET_WAITING)
        return false;
    for (const struct mer_list *it = b->node.next; it != &x->member; it = it->next)
        if (entry(it)->ticket->state == TICKET_WAITING && entry(it)->ticket->user == b->ticket->user)
            return false;
    return true;
}

/* Who is there: the newest host first, then the others as they came. 0: nobody hosts, or he is in a match already. */
static unsigned gather(const struct router_matcher *m, const struct router_group *x, struct router_ticket *out[ROUTER_PLAYERS_MAX])
{
    unsigned n = 0;
    for (const struct mer_list *it = x->member.prev; it != &x->member && n == 0; it = it->prev)
        if (entry(it)->wish.hosts && counts(x, entry(it)))
            out[n++] = entry(it)->ticket;
    for (const struct mer_list *it = x->member.next; it != &x->member && n > 0 && n < router__key(m, out[0])->players; it = it->next)
        if (entry(it)->ticket != out[0] && counts(x, entry(it)))
            out[n++] = entry(it)->ticket;
    return n;
}

static uint64_t bots_ms(const struct router_group *x, const struct router_ticket *host)
{
    return host->bots == ROUTER_BOTS_NOW ? x->joined_ms : host->bots == ROUTER_BOTS_FILL ? x->joined_ms + ROUTER_FILL_MS : UINT64_MAX;
}

/* Friends of one region play there; else the host region's leader makes the match, as for all (cross.h). */
static bool made_here(const struct router_matcher *m, struct router_ticket *const *t, unsigned count)
{
    struct router_reach reach[ROUTER_PLAYERS_MAX];
    bool one = true;
    for (unsigned i = 0; i < count; i++) {
        reach[i] = router__reach(m, t[i]);
        one = one && reach[i].home == reach[0].home;
    }
    return one ? !t[0]->far : router_cross_host(m->env.regions, reach, count) == 0;
}

bool router_group_try(struct router_matcher *m, struct router_ticket *t)
{
    struct router_ticket *group[ROUTER_PLAYERS_MAX];
    struct router_member *b = member_of(m, t);
    unsigned count = gather(m, b->group, group);
    if (count < 2)
        return false;
    if (count < router__key(m, group[0])->players && m->now_ms < bots_ms(b->group, group[0]))
        return false;
    if (!made_here(m, group, count) || !router__match_make(m, group, count))
        return false;
    return t->state != TICKET_WAITING;
}

/* ---- what they are told -------------------------------------------------------------------------------------------------------------- */

/* It was there when the match was made, and is again: the game could not be. Then its host is about to come, too. */
static bool is_back(const struct router_matcher *m, const struct router_group *x, const struct router_member *b)
{
    return b->came_ms >= x->spent_ms && m->now_ms - router__waited_ms(m, b->ticket) < x->spent_ms;
}

const char *router_group_verdict(const struct router_matcher *m, const struct router_ticket *t)
{
    const struct router_member *b = member_of(m, t);
    const struct router_group *x = b->group;
    uint64_t alone_ms = m->now_ms - x->hostless_ms;
    if (x->hosts > 0 || t->far) /* its own leader gives it up */
        return NULL;
    if (x->end == ROUTER_GROUP_SPENT && !is_back(m, x, b))
        return "your friends play already: this table is full";
    if (x->end == ROUTER_GROUP_WITHDRAWN)
        return "your friend took the invitation back, or it ran out";
    if (x->hosted || b->came_ms - (m->now_ms - router__waited_ms(m, t)) > HANDED_IN_MS) /* it waited for him at the leader before us */
        return alone_ms < ROUTER_GROUP_LOST_MS ? NULL : "your friend is gone: ask for a new code";
    if (alone_ms < ROUTER_GROUP_LOOK_MS)
        return NULL;
    if (b->wish.region != 0 && !m->env.regions->region[b->wish.region].up)
        return "the region of this code cannot be reached right now";
    return "nobody waits with this code: it was used, taken back, or ran out";
}

void router_group_explain(const struct router_matcher *m, const struct router_ticket *t, char *out)
{
    struct router_ticket *group[ROUTER_PLAYERS_MAX];
    const struct router_group *x = member_of(m, t)->group;
    unsigned count = gather(m, x, group), here = 0;
    if (count == 0) {
        snprintf(out, ROUTER_REASON_BYTES, x->hosted ? "waiting for your friend to come back" : "looking for who made this code");
        return;
    }
    here = snprintf(out, ROUTER_REASON_BYTES, "waiting for %u more with this code", router__key(m, group[0])->players - count);
    uint64_t due = bots_ms(x, group[0]);
    if (t->no_room)
        snprintf(out, ROUTER_REASON_BYTES, "no server has room for a new game right now");
    else if (count == router__key(m, group[0])->players)
        snprintf(out, ROUTER_REASON_BYTES, "all friends are here: the game is being made");
    else if (due != UINT64_MAX && count > 1)
        snprintf(out + here, ROUTER_REASON_BYTES - here, "; bots take the rest in %u s",
                 due > m->now_ms ? (unsigned)((due - m->now_ms + 999) / 1000) : 0);
    else if (due != UINT64_MAX && router__key(m, group[0])->players > 2)
        snprintf(out + here, ROUTER_REASON_BYTES - here, "; bots take what stays empty once a friend is here");
}

void router_groups_check(const struct router_groups *g)
{
    uint32_t pos = 0, members = 0, spent = 0;
    for (const struct router_group *x; (x = mer_map_next(&g->by_key, &pos)) != NULL;) {
        uint32_t count = 0, hosts = 0;
        MER_LIST_EACH (it, &x->member) {
            MER_ASSERT(entry(it)->group == x && entry(it)->ticket->grouped);
            count++;
            hosts += entry(it)->wish.hosts;
        }
        MER_ASSERT(count == x->count && hosts == x->hosts);
        MER_ASSERT(count > 0 || x->end == ROUTER_GROUP_SPENT);
        members += count;
        spent += x->end == ROUTER_GROUP_SPENT;
    }
    MER_ASSERT(members == g->members.count && spent == g->spent_count);
}
