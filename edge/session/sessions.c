/* SPDX-License-Identifier: Apache-2.0
 * sessions.c - sessions of this edge: birth, detaching, coming back, end.
 *
 * A session whose connection is lost keeps numbering and filling its ring for 60 s, so that a client who comes back to this edge is
 * replayed what he missed; another edge asks this one for the session (take.c).
 *
 * Invariants: LIVE <=> conn; user->live counts LIVE ones, user->expected DETACHED ones; a session is in by_serial from birth to end.
 * Owner: the app. Next: users.c, send.c, auth.c, dispatch.c. */
#include "edge/session/sessions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "edge/session/session.h"
#include "edge/session/tickets.h"

#define FAILED(cause) \
    [M_AUTH_FAILED + MER_TOKEN_## \
        cause] = {"meridian_edge_auth_failures_total", "tokens refused, by cause", MER_COUNTER, "cause=\"" #cause "\""},
static const struct mer_metric_def defs[M_COUNT] = {
    [M_SESSIONS] = {"meridian_edge_sessions", "sessions, also those waiting for their client to come back", MER_GAUGE, NULL},
    [M_AUTHENTICATED] = {"meridian_edge_authenticated_total", "connections that showed a good token (R11)", MER_COUNTER, NULL},
    MER_TOKEN_CAUSES(FAILED)[M_AUTH_LATE] = {"meridian_edge_auth_late_total", "connections that showed no token in time", MER_COUNTER,
                                             NULL},
    [M_RENEWED] = {"meridian_edge_tokens_renewed_total", "tokens renewed on a live connection", MER_COUNTER, NULL},
    [M_REPLACED] = {"meridian_edge_sessions_replaced_total", "connections replaced by a newer one of the same device (3502)", MER_COUNTER,
                    NULL},
    [M_RESUME_REPLAYED] = {"meridian_edge_resumes_total", "resumes by outcome (R15)", MER_COUNTER, "outcome=\"replayed\""},
    [M_RESUME_SNAPSHOT] = {"meridian_edge_resumes_total", "resumes by outcome (R15)", MER_COUNTER, "outcome=\"snapshot\""},
    [M_TAKEN] = {"meridian_edge_sessions_taken_total", "sessions that went on at another edge", MER_COUNTER, NULL},
    [M_RESUME_GONE] = {"meridian_edge_resumes_total", "resumes by outcome (R15)", MER_COUNTER, "outcome=\"gone\""},
    [M_IN] = {"meridian_edge_client_messages_total", "messages of the player's protocol", MER_COUNTER, "direction=\"in\""},
    [M_OUT] = {"meridian_edge_client_messages_total", "messages of the player's protocol", MER_COUNTER, "direction=\"out\""},
    [M_ERRORS] = {"meridian_edge_client_errors_total", "`error` messages sent", MER_COUNTER, NULL},
    [M_LIMITED] = {"meridian_edge_rate_limited_total", "client messages over the rate (R18)", MER_COUNTER, NULL},
    [M_RING_BYTES] = {"meridian_edge_ring_bytes", "memory held for replay", MER_GAUGE, NULL},
    [M_RING_DROPPED] = {"meridian_edge_ring_dropped_total", "messages dropped from rings for want of space", MER_COUNTER, NULL},
    [M_REGISTRY_RETRIES] = {"meridian_edge_registry_retries_total", "registry writes repeated (R13)", MER_COUNTER, NULL},
};

static const struct mer_metric_def away_def = {"meridian_edge_session_away_seconds",
                                               "sessions whose client came back: from the end of its connection (R36)", MER_COUNTER, NULL};

static struct mer_key serial_key(const void *entry)
{
    return (struct mer_key){&((const struct edge_session *)entry)->serial, sizeof(uint64_t)};
}

static void refresh_metrics(struct mer_metric_set *set)
{
    struct edge_sessions *all = MER_CONTAINER_OF(set, struct edge_sessions, metric_set);
    all->values[M_SESSIONS] = all->by_serial.count;
    all->values[M_RING_BYTES] = all->pool.bytes;
    all->values[M_RING_DROPPED] = all->pool.dropped;
}

static void sweep(struct mer_timer *t)
{
    struct edge_sessions *all = MER_CONTAINER_OF(t, struct edge_sessions, sweep);
    edge_ring_pool_expire(&all->pool, all->app->loop.now_ms);
    mer_loop_arm(&all->app->loop, &all->sweep, 1000);
}

enum mer_err edge_sessions_create(struct edge_sessions **out, struct edge_app *app)
{
    struct edge_sessions *all = mer_xcalloc(1, sizeof(*all));
    uint64_t seed[2] = {mer_rng_u64(&app->rng), mer_rng_u64(&app->rng)};
    all->app = app;
    mer_slab_init(&all->slab, sizeof(struct edge_session), 256);
    mer_slab_init(&all->user_slab, sizeof(struct edge_user), 256);
    mer_map_init(&all->by_serial, serial_key, seed);
    mer_map_init(&all->users, edge__user_key, seed);
    edge_ring_pool_init(&all->pool, app->conf.ring_pool_bytes);
    mer_buf_init(&all->out, 0);
    all->rate = (struct mer_bucket_rate){app->conf.messages_per_second, app->conf.messages_burst};
    all->values = mer_xcalloc(M_COUNT, sizeof(uint64_t));
    mer_metrics_add(&app->metrics, &all->metric_set, defs, M_COUNT, all->values);
    all->metric_set.refresh = refresh_metrics;
    mer_metrics_add_hist(&app->metrics, &all->away_set, &away_def, &all->away);
    mer_list_init(&all->registrations);
    mer_timer_init(&all->sweep, sweep);
    mer_loop_arm(&app->loop, &all->sweep, 1000);
    *out = all;
    return MER_OK;
}

void edge_sessions_stop(struct edge_sessions *all)
{
    all->stopping = true;
}

static void destroy_one(void *object, void *ctx)
{
    (void)ctx;
    edge__session_destroy(object);
}

void edge_sessions_destroy(struct edge_sessions *all)
{
    if (all == NULL)
        return;
    edge_sessions_stop(all);
    mer_slab_each(&all->slab, destroy_one, NULL);
    MER_ASSERT(all->users.count == 0);
    edge__registry_drop(all);
    mer_loop_disarm(&all->app->loop, &all->sweep);
    mer_metrics_remove(&all->metric_set);
    mer_metrics_remove(&all->away_set);
    mer_map_deinit(&all->users);
    mer_map_deinit(&all->by_serial);
    mer_slab_deinit(&all->slab);
    mer_slab_deinit(&all->user_slab);
    mer_buf_deinit(&all->out);
    mer_free(&all->values);
    mer_free(&all);
}

uint32_t edge_sessions_count(const struct edge_sessions *all)
{
    return all->by_serial.count;
}

void edge__session_id(const struct edge_session *s, char out[EDGE_SESSION_ID_BYTES])
{
    const char *origin = edge__session_origin(s);
    snprintf(out, EDGE_SESSION_ID_BYTES, "%s.%016" PRIx64, origin[0] != 0 ? origin : s->all->app->incarnation, s->serial);
}

/* "incarnation.serial" in its parts. */
static bool parse_id(const char *id, char origin[EDGE_SESSION_ID_BYTES], uint64_t *serial)
{
    const char *dot = strrchr(id, '.');
    if (dot == NULL || dot == id || strlen(id) >= EDGE_SESSION_ID_BYTES || strlen(dot + 1) != 16 ||
        strspn(dot + 1, "0123456789abcdef") != 16)
        return false;
    memcpy(origin, id, (size_t)(dot - id));
    origin[dot - id] = 0;
    *serial = strtoull(dot + 1, NULL, 16);
    return true;
}

struct edge_session *edge__session_find(struct edge_sessions *all, const char *id)
{
    char origin[EDGE_SESSION_ID_BYTES], own[EDGE_SESSION_ID_BYTES];
    uint64_t serial;
    struct edge_session *s = parse_id(id, origin, &serial) ? mer_map_get(&all->by_serial, &serial, sizeof(serial)) : NULL;
    if (s == NULL)
        return NULL;
    edge__session_id(s, own);
    return strcmp(own, id) == 0 ? s : NULL;
}

static void drop_device(struct edge_session *s)
{
    if (s->device != s->device_inside)
        free(s->device);
    s->device = NULL;
}

/* Device and origin, one behind the other. `device` may be the session's own. */
static bool set_device(struct edge_session *s, const char *device, const char *origin)
{
    size_t len = strlen(device) + 1, both = len + strlen(origin) + 1;
    char *at = both <= EDGE_DEVICE_INSIDE ? s->device_inside : mer_try_malloc(both);
    if (at == NULL)
        return false;
    memmove(at, device, len);
    strcpy(at + len, origin); /* sized above */
    if (s->device != at)
        drop_device(s);
    s->device = at;
    return true;
}

enum mer_err edge__session_rename(struct edge_session *s, const char *id, uint64_t epoch)
{
    struct edge_sessions *all = s->all;
    char origin[EDGE_SESSION_ID_BYTES];
    uint64_t serial, before = s->serial;
    if (!parse_id(id, origin, &serial) || epoch == 0 || epoch > UINT16_MAX)
        return MER_EINVALID;
    mer_map_remove(&all->by_serial, &before, sizeof(before));
    s->serial = serial;
    enum mer_err err = mer_map_put(&all->by_serial, s);
    if (err == MER_OK && !set_device(s, s->device, strcmp(origin, all->app->incarnation) == 0 ? "" : origin)) {
        mer_map_remove(&all->by_serial, &serial, sizeof(serial));
        err = MER_ENOMEM;
    }
    if (err != MER_OK) {
        s->serial = before;
        enum mer_err back = mer_map_put(&all->by_serial, s);
        MER_ASSERT(back == MER_OK); /* it has just given up its place */
        return err;
    }
    s->epoch = (uint16_t)epoch;
    return MER_OK;
}

static void on_timer(struct mer_timer *t);

struct edge_session *edge__session_create(struct edge_sessions *all, struct edge_conn *c, enum edge_encoding encoding)
{
    struct edge_session *s = mer_slab_try_alloc(&all->slab);
    if (s == NULL)
        return NULL;
    s->all = all;
    s->conn = c;
    s->encoding = (uint8_t)encoding;
    s->state = EDGE_SESSION_AUTH;
    s->epoch = 1;
    s->serial = mer_rng_u64(&all->app->rng);
    mer_list_init(&s->in_user);
    edge_ring_init(&s->ring);
    mer_timer_init(&s->timer, on_timer);
    mer_bucket_init(&s->rate, all->rate, all->app->loop.now_ms);
    if (mer_map_put(&all->by_serial, s) != MER_OK) {
        mer_slab_free(&all->slab, s);
        return NULL;
    }
    mer_loop_arm(&all->app->loop, &s->timer, EDGE_AUTH_DEADLINE_MS);
    return s;
}

/* One connection more, or less: his seat hears of the first and the last (R20). */
static void came(struct edge_sessions *all, struct edge_user *u)
{
    if (u->live++ == 0 && u->expected == 0)
        edge_seats_present(all->app->seats, u->id);
}

static void went(struct edge_sessions *all, struct edge_user *u)
{
    if (--u->live == 0 && u->expected == 0 && !all->stopping)
        edge_seats_present(all->app->seats, u->id);
}

/* A drain ends connections, and their clients are on other edges a moment later: nobody need hear that they were away. */
static void expect(struct edge_session *s)
{
    s->expected = true;
    s->user->expected++;
}

static void expect_no_more(struct edge_session *s)
{
    struct edge_user *u = s->user;
    s->expected = false;
    if (--u->expected == 0 && u->live == 0 && !s->all->stopping)
        edge_seats_present(s->all->app->seats, u->id);
}

static void on_timer(struct mer_timer *t)
{
    struct edge_session *s = MER_CONTAINER_OF(t, struct edge_session, timer);
    switch ((enum edge_session_state)s->state) {
    case EDGE_SESSION_AUTH:
        s->all->values[M_AUTH_LATE]++;
        edge_conn_close(s->conn, EDGE_CLOSE_AUTH, "auth_late");
        return; /* closed() destroys it */
    case EDGE_SESSION_LIVE:
        edge__auth_arm(s);
        return;
    case EDGE_SESSION_DETACHED:
        if (s->taken || !s->expected) {
            edge__session_destroy(s);
            return;
        }
        expect_no_more(s);
        mer_loop_arm(&s->all->app->loop, &s->timer, EDGE_SESSION_LINGER_MS - EDGE_DRAIN_BACK_MS);
        return;
    default:
        MER_ASSERT(!"session state");
    }
}

/* An earlier session of the same device: its connection goes (3502). The newest is kept, because the next message may be its resume. */
static void replace_device(struct edge_user *u, struct edge_session *s)
{
    struct edge_session *keep = NULL;
    MER_LIST_EACH_SAFE (it, &u->sessions) {
        struct edge_session *old = MER_LIST_ENTRY(it, struct edge_session, in_user);
        if (old == s || strcmp(old->device, s->device) != 0)
            continue;
        if (old->state == EDGE_SESSION_LIVE) {
            s->all->values[M_REPLACED]++;
            edge_conn_close(old->conn, EDGE_CLOSE_REPLACED, "replaced");
            edge__session_detach(old);
        }
        if (keep != NULL)
            edge__session_destroy(keep);
        keep = old;
    }
}

enum mer_err edge__session_admit(struct edge_session *s, const struct mer_claims *claims, const char *device)
{
    struct edge_sessions *all = s->all;
    struct edge_user *u = edge__user_find(all, claims->sub);
    char made[16];
    if (u != NULL && u->live >= EDGE_DEVICES_A_USER)
        return MER_EBUSY;
    if (device == NULL) {
        mer_id_make(&all->app->rng, "d-", 6, made, sizeof(made));
        device = made;
    }
    u = set_device(s, device, "") ? edge__user_get(all, claims) : NULL;
    if (u == NULL)
        return MER_ENOMEM;
    s->user = u;
    s->state = EDGE_SESSION_LIVE;
    s->fresh = s->unshown = true;
    u->count++; /* before replacing: the user must not be released in between */
    came(all, u);
    replace_device(u, s);
    mer_list_push_back(&u->sessions, &s->in_user);
    edge_tickets_user_back(all->app->tickets, u);
    return MER_OK;
}

void edge__session_detach(struct edge_session *s)
{
    if (s->conn != NULL) {
        s->conn->user = NULL;
        s->conn = NULL;
    }
    if (s->state == EDGE_SESSION_AUTH) {
        edge__session_destroy(s);
        return;
    }
    MER_DASSERT(s->state == EDGE_SESSION_LIVE);
    s->state = EDGE_SESSION_DETACHED;
    if (s->draining && !s->all->stopping)
        expect(s);
    went(s->all, s->user);
    if (s->user->live == 0)
        edge_tickets_user_gone(s->all->app->tickets, s->user);
    mer_loop_arm(&s->all->app->loop, &s->timer, s->expected ? EDGE_DRAIN_BACK_MS : EDGE_SESSION_LINGER_MS);
}

/* The timer of a DETACHED session says it: no field of its own in something there are millions of. */
void edge__session_back(struct edge_session *s)
{
    uint64_t now_ms = s->all->app->loop.now_ms, left_ms = s->timer.due_ms > now_ms ? s->timer.due_ms - now_ms : 0;
    uint64_t lasts_ms = s->expected ? EDGE_DRAIN_BACK_MS : EDGE_SESSION_LINGER_MS;
    if (s->state == EDGE_SESSION_DETACHED && !s->taken && left_ms <= lasts_ms)
        mer_hist_add_us(&s->all->away, (lasts_ms - left_ms) * 1000);
}

void edge__session_destroy(struct edge_session *s)
{
    struct edge_sessions *all = s->all;
    struct edge_user *u = s->user;
    if (s->conn != NULL)
        s->conn->user = NULL;
    if (u != NULL && !s->taken)
        edge__registry_disconnect(s);
    edge__take_forget(s);
    mer_loop_disarm(&all->app->loop, &s->timer);
    edge_ring_clear(&all->pool, &s->ring);
    mer_map_remove(&all->by_serial, &s->serial, sizeof(s->serial));
    mer_list_remove(&s->in_user);
    if (u != NULL) {
        if (s->state == EDGE_SESSION_LIVE)
            went(all, u);
        if (u->live == 0 && s->state == EDGE_SESSION_LIVE && !all->stopping)
            edge_tickets_user_gone(all->app->tickets, u); /* else it heard when his connection was lost */
        if (s->expected)
            expect_no_more(s);
        if (--u->count == 0 && !all->stopping)
            edge_seats_leave(all->app->seats, u->id);
        if (all->stopping)
            edge_tickets_drop(all->app->tickets, u);
        edge__user_release(all, u);
    }
    drop_device(s);
    mer_slab_free(&all->slab, s);
}

void edge__session_adopt(struct edge_session *old, struct edge_session *fresh)
{
    struct edge_conn *c = fresh->conn;
    edge__session_back(old);
    if (old->conn != NULL) {
        edge_conn_close(old->conn, EDGE_CLOSE_REPLACED, "replaced");
        edge__session_detach(old);
    }
    if (old->expected)
        expect_no_more(old); /* fresh is there: he stays present */
    if (old->holding)
        edge__take_forget(old); /* it waited for one before it: this is the one that is meant now */
    old->conn = c;
    old->state = EDGE_SESSION_LIVE;
    old->encoding = fresh->encoding;
    old->exp_s = fresh->exp_s;
    old->rate = fresh->rate;
    old->entered_ms = fresh->entered_ms != 0 ? fresh->entered_ms : old->entered_ms;
    old->fresh = old->warned = old->draining = false; /* a drain that goes on tells him again */
    came(old->all, old->user);
    fresh->conn = NULL; /* the connection stays, its session changes */
    edge__session_destroy(fresh);
    c->user = old;
    edge__auth_arm(old);
}

struct close_all {
    uint16_t code;
    const char *word;
    uint32_t spread_ms;
};

static void close_one(void *object, void *ctx)
{
    struct edge_session *s = object;
    const struct close_all *how = ctx;
    char reason[EDGE_CLOSE_REASON_MAX];
    if (s->conn == NULL)
        return;
    snprintf(reason, sizeof(reason), "%s;retry=%u", how->word, mer_rng_below(&s->all->app->rng, how->spread_ms + 1));
    edge_conn_close(s->conn, how->code, reason);
}

void edge_sessions_close_all(struct edge_sessions *all, uint16_t code, const char *word, uint32_t spread_ms)
{
    struct close_all how = {code, word, spread_ms};
    mer_slab_each(&all->slab, close_one, &how);
}
