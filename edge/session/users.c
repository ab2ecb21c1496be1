/* SPDX-License-Identifier: Apache-2.0
 * users.c - a user is only the group of his sessions (devices), his ticket and what his newest token says. He is here while one of them is.
 *
 * Owner: sessions. Next: sessions.c. */
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "edge/session/session.h"
#include "edge/session/sessions.h"

struct mer_key edge__user_key(const void *entry)
{
    const struct edge_user *u = entry;
    return (struct mer_key){u->id, strlen(u->id)};
}

struct edge_user *edge__user_find(struct edge_sessions *all, const char *id)
{
    return mer_map_gets(&all->users, id);
}

static void drop_name(struct edge_user *u)
{
    if (u->name < u->inside || u->name >= u->inside + EDGE_USER_INSIDE)
        free(u->name);
    u->name = NULL;
}

/* Behind the id where there is room; out of memory: the old one stays. */
static bool set_name(struct edge_user *u, const char *name)
{
    size_t used = u->id == u->inside ? strlen(u->id) + 1 : 0, len = strlen(name) + 1;
    char *at = used + len <= EDGE_USER_INSIDE ? u->inside + used : mer_try_malloc(len);
    if (at == NULL)
        return u->name != NULL;
    drop_name(u);
    u->name = memcpy(at, name, len);
    return true;
}

static void user_free(struct edge_sessions *all, struct edge_user *u)
{
    drop_name(u);
    if (u->id != u->inside)
        free(u->id);
    mer_slab_free(&all->user_slab, u);
}

static struct edge_user *user_create(struct edge_sessions *all, const char *id)
{
    struct edge_user *u = mer_slab_try_alloc(&all->user_slab);
    size_t len = strlen(id) + 1;
    if (u == NULL)
        return NULL;
    mer_list_init(&u->sessions);
    mer_bucket_init(&u->rate, all->rate, all->app->loop.now_ms);
    edge__invites_init(u, all->app->loop.now_ms);
    u->id = len <= EDGE_USER_INSIDE ? u->inside : mer_try_malloc(len);
    if (u->id == NULL) {
        mer_slab_free(&all->user_slab, u);
        return NULL;
    }
    memcpy(u->id, id, len);
    return u;
}

struct edge_user *edge__user_get(struct edge_sessions *all, const struct mer_claims *claims)
{
    struct edge_user *u = edge__user_find(all, claims->sub);
    bool fresh = u == NULL;
    if (fresh && (u = user_create(all, claims->sub)) == NULL)
        return NULL;
    /* The claim is optional, a seat's name is not. */
    bool ok = set_name(u, claims->name[0] != 0 ? claims->name : "Player");
    if (fresh && (!ok || mer_map_put(&all->users, u) != MER_OK)) {
        user_free(all, u);
        return NULL;
    }
    u->rating = claims->rating;
    return u;
}

void edge__user_release(struct edge_sessions *all, struct edge_user *u)
{
    if (u->count > 0 || u->ticket != NULL)
        return;
    mer_map_removes(&all->users, u->id);
    user_free(all, u);
}

bool edge_sessions_online(const struct edge_sessions *all, const char *user)
{
    const struct edge_user *u = mer_map_gets(&all->users, user);
    return u != NULL && u->count > 0;
}

bool edge_sessions_unshown(const struct edge_sessions *all, const char *user)
{
    const struct edge_user *u = mer_map_gets(&all->users, user);
    bool unshown = false;
    if (u == NULL)
        return false;
    MER_LIST_EACH (it, &u->sessions) {
        const struct edge_session *s = MER_LIST_ENTRY(it, struct edge_session, in_user);
        unshown = unshown || (s->unshown && s->state == EDGE_SESSION_LIVE);
    }
    return unshown;
}

/* The timer of a DETACHED session says since when: its end is EDGE_SESSION_LINGER_MS after its connection's. */
static bool lost_lately(const struct edge_session *s, uint64_t now_ms)
{
    return s->timer.due_ms > now_ms + EDGE_SESSION_LINGER_MS - EDGE_PRESENCE_GRACE_MS;
}

bool edge_sessions_there(const struct edge_sessions *all, const char *user)
{
    const struct edge_user *u = mer_map_gets(&all->users, user);
    bool there = edge_sessions_present(all, user);
    if (u == NULL || there)
        return there;
    MER_LIST_EACH (it, &u->sessions) {
        const struct edge_session *s = MER_LIST_ENTRY(it, struct edge_session, in_user);
        there = there || s->taken || lost_lately(s, all->app->loop.now_ms);
    }
    return there;
}

bool edge_sessions_present(const struct edge_sessions *all, const char *user)
{
    const struct edge_user *u = mer_map_gets(&all->users, user);
    return u != NULL && u->live + u->expected > 0;
}
