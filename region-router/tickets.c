/* SPDX-License-Identifier: Apache-2.0
 * tickets.c - all tickets of a leader (tickets.h): records, what is kept beside some of them, lists through them.
 *
 * An edge has a number while it has tickets, and only then: nothing here points to an edge that may be gone. */
#include "region-router/tickets.h"

#include <string.h>

#include <meridian/id.h>
#include <meridian/map.h>
#include <meridian/mem.h>

#include "region-router/limits.h"

enum { RECORDS_A_CHUNK = 1024, DETAILS_A_CHUNK = 256 };

#define ID_PREFIX "t-" /* of the ids that edges make */

/* ---- edges --------------------------------------------------------------------------------------------------------------------------- */

static bool edge_take(struct router_tickets *ts, struct router_edge *e)
{
    if (e->tickets == 0) {
        e->number = (uint16_t)router_numbers_take(&ts->edges, e, UINT16_MAX);
        if (e->number == 0)
            return false;
    }
    e->tickets++;
    return true;
}

static void edge_give(struct router_tickets *ts, struct router_edge *e)
{
    if (--e->tickets == 0) {
        router_numbers_give(&ts->edges, e->number);
        e->number = 0;
    }
}

/* ---- details ------------------------------------------------------------------------------------------------------------------------- */

static size_t text_bytes(const char *s)
{
    return s != NULL ? strlen(s) + 1 : 0;
}

static const char *put_text(char **at, const char *s)
{
    if (s == NULL)
        return NULL;
    char *start = *at;
    size_t bytes = strlen(s) + 1;
    memcpy(start, s, bytes);
    *at += bytes;
    return start;
}

/* One block for all strings, the new ones and those that are there. */
static bool put_texts(struct router_details *d, const char *id, const struct router_ticket_spec *s)
{
    const char *user = s->name != NULL ? s->user : d->user, *name = s->name != NULL ? s->name : d->name;
    const char *far = s->far != NULL ? s->far : d->far;
    char *text = mer_try_malloc(text_bytes(id) + text_bytes(user) + text_bytes(name) + text_bytes(far)), *at = text;
    if (text == NULL)
        return false;
    d->id = put_text(&at, id);
    d->user = put_text(&at, user);
    d->name = put_text(&at, name);
    d->far = put_text(&at, far);
    free(d->text);
    d->text = text;
    return true;
}

static void details_free(struct router_tickets *ts, struct router_ticket *t)
{
    struct router_details *d = router_ticket_details(ts, t);
    if (d == NULL)
        return;
    free(d->text);
    mer_slab_free(&ts->details, d);
    t->details = 0;
}

static struct router_details *details_new(struct router_tickets *ts, struct router_ticket *t)
{
    struct router_details *d = mer_slab_try_alloc(&ts->details);
    if (d == NULL)
        return NULL;
    for (unsigned i = 0; i < ROUTER_REGIONS_MAX; i++)
        d->latency[i] = ROUTER_FAR;
    t->details = mer_slab_number(&ts->details, d);
    return d;
}

bool router_tickets_learn(struct router_tickets *ts, struct router_ticket *t, const struct router_ticket_spec *s)
{
    bool fresh = t->details == 0;
    struct router_details *d = fresh ? details_new(ts, t) : router_ticket_details(ts, t);
    if (d == NULL)
        return false;
    if (!put_texts(d, t->odd ? s->id : NULL, s)) {
        if (fresh)
            details_free(ts, t);
        return false;
    }
    for (unsigned i = 0; s->latency != NULL && d->told == 0 && i < ts->regions->count; i++)
        d->latency[i] = s->latency[i];
    return true;
}

/* ---- records ------------------------------------------------------------------------------------------------------------------------- */

void router_tickets_init(struct router_tickets *ts, const uint64_t seed[2], const struct router_regions *regions)
{
    memset(ts, 0, sizeof *ts);
    mer_slab_init(&ts->records, sizeof(struct router_ticket), RECORDS_A_CHUNK);
    mer_slab_init(&ts->details, sizeof(struct router_details), DETAILS_A_CHUNK);
    ts->regions = regions;
    ts->seed[0] = seed[0];
    ts->seed[1] = seed[1];
}

static void free_one(void *object, void *ctx)
{
    struct router_tickets *ts = ctx;
    struct router_ticket *t = object;
    edge_give(ts, router_ticket_edge(ts, t));
    details_free(ts, t);
    mer_slab_free(&ts->records, t);
}

void router_tickets_deinit(struct router_tickets *ts)
{
    mer_slab_each(&ts->records, free_one, ts);
    ts->count = 0;
    router_ids_deinit(&ts->ids);
    router_numbers_deinit(&ts->edges);
    mer_slab_deinit(&ts->details);
    mer_slab_deinit(&ts->records);
}

/* What an id is here. Returns whether it is odd: not as edges make them. */
static bool id_of(const struct router_tickets *ts, const char *text, uint8_t id[ROUTER_ID_BYTES])
{
    if (mer_id_read(text, ID_PREFIX, id, ROUTER_ID_BYTES))
        return false;
    uint64_t hash = mer_siphash13(ts->seed, text, strlen(text));
    memset(id, 0, ROUTER_ID_BYTES);
    memcpy(id, &hash, sizeof hash);
    return true;
}

static uint32_t user_hash(const struct router_tickets *ts, const char *user)
{
    return (uint32_t)mer_siphash13(ts->seed, user, strlen(user));
}

struct router_ticket *router_tickets_find(const struct router_tickets *ts, const char *text)
{
    uint8_t id[ROUTER_ID_BYTES];
    bool odd = id_of(ts, text, id);
    for (uint32_t n = router_ids_first(&ts->ids, (uint32_t)mer_siphash13(ts->seed, id, sizeof id)); n != 0;) {
        struct router_ticket *t = router_ticket_at(ts, n);
        if (t->odd == odd && memcmp(t->id, id, sizeof id) == 0 && (!odd || strcmp(router_ticket_details(ts, t)->id, text) == 0))
            return t;
        n = t->next_id;
    }
    return NULL;
}

struct router_ticket *router_tickets_add(struct router_tickets *ts, const struct router_ticket_spec *s, uint64_t now_ms)
{
    struct router_ticket *t = mer_slab_try_alloc(&ts->records);
    if (t == NULL)
        return NULL;
    t->odd = id_of(ts, s->id, t->id);
    t->user = user_hash(ts, s->user);
    uint32_t most_ms = s->group.key != 0 ? ROUTER_INVITE_MS : ROUTER_TICKET_MS;
    t->opened_ms = (uint32_t)now_ms - (s->waited_ms < most_ms ? s->waited_ms : most_ms);
    t->rating = (uint16_t)s->rating;
    t->bots = (uint8_t)s->bots & 3;
    t->far = s->far != NULL;
    bool details = t->odd || t->far || s->name != NULL;
    if (details && !router_tickets_learn(ts, t, s))
        goto no_details;
    if (!edge_take(ts, s->edge))
        goto no_edge;
    t->edge = s->edge->number;
    if (!router_ids_add(&ts->ids, &ts->records, ts->seed, t))
        goto no_place;
    ts->count++;
    return t;
no_place:
    edge_give(ts, s->edge);
no_edge:
    details_free(ts, t);
no_details:
    mer_slab_free(&ts->records, t);
    return NULL;
}

void router_tickets_remove(struct router_tickets *ts, struct router_ticket *t)
{
    router_ids_remove(&ts->ids, &ts->records, ts->seed, t);
    ts->count--;
    free_one(t, ts);
}

bool router_tickets_is_of(const struct router_tickets *ts, const struct router_ticket *t, const char *user)
{
    return t->user == user_hash(ts, user);
}

static void check_one(void *object, void *ctx)
{
    const struct router_ticket *t = object;
    const struct router_tickets *ts = ctx;
    const struct router_details *d = router_ticket_details(ts, t);
    MER_ASSERT(!t->odd || d->id != NULL);
    MER_ASSERT(!t->far || (d->far != NULL && d->told == 0));
    MER_ASSERT(router_ticket_edge(ts, t)->number == t->edge);
    uint32_t n = router_ids_first(&ts->ids, (uint32_t)mer_siphash13(ts->seed, t->id, sizeof t->id));
    while (router_ticket_at(ts, n) != t)
        n = router_ticket_at(ts, n)->next_id;
}

void router_tickets_check(const struct router_tickets *ts)
{
    uint32_t of_edges = 0;
    MER_ASSERT(ts->count == ts->records.used && ts->count == ts->ids.count);
    for (uint32_t i = 0; i < ts->edges.size; i++)
        of_edges += ts->edges.at[i] != NULL ? ((const struct router_edge *)ts->edges.at[i])->tickets : 0;
    MER_ASSERT(of_edges == ts->count);
    mer_slab_each((struct mer_slab *)&ts->records, check_one, (void *)ts);
}

/* ---- lists --------------------------------------------------------------------------------------------------------------------------- */

void router_chain_push_back(const struct router_tickets *ts, struct router_chain *c, unsigned list, struct router_ticket *t)
{
    uint32_t n = mer_slab_number(&ts->records, t);
    t->link[list] = (struct router_links){c->last, 0};
    if (c->last != 0)
        router_ticket_at(ts, c->last)->link[list].next = n;
    else
        c->first = n;
    c->last = n;
}

void router_chain_push_front(const struct router_tickets *ts, struct router_chain *c, unsigned list, struct router_ticket *t)
{
    uint32_t n = mer_slab_number(&ts->records, t);
    t->link[list] = (struct router_links){0, c->first};
    if (c->first != 0)
        router_ticket_at(ts, c->first)->link[list].prev = n;
    else
        c->last = n;
    c->first = n;
}

void router_chain_remove(const struct router_tickets *ts, struct router_chain *c, unsigned list, struct router_ticket *t)
{
    struct router_links *l = &t->link[list];
    if (l->prev != 0)
        router_ticket_at(ts, l->prev)->link[list].next = l->next;
    else
        c->first = l->next;
    if (l->next != 0)
        router_ticket_at(ts, l->next)->link[list].prev = l->prev;
    else
        c->last = l->prev;
    *l = (struct router_links){0, 0};
}

void router_chain_move_all(const struct router_tickets *ts, struct router_chain *to, struct router_chain *from, unsigned list)
{
    if (from->first == 0)
        return;
    if (to->last != 0) {
        router_ticket_at(ts, to->last)->link[list].next = from->first;
        router_ticket_at(ts, from->first)->link[list].prev = to->last;
    } else {
        to->first = from->first;
    }
    to->last = from->last;
    *from = (struct router_chain){0, 0};
}
