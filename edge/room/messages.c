/* SPDX-License-Identifier: Apache-2.0
 * messages.c - see messages.h. A message is a packed state.v1.Event; its key is (sender, recipient, messageId), so that the same again is
 * stored once and answered as the first time.
 *
 * The push is soft, the inbox is not: where somebody is connected is read in the call that stores, and a connecting session's call tells
 * what waits for it, both in the recipient's slot; so a message is seen by the one or the other, whichever comes first. Some come twice
 * (sync and push, two syncs): `seq` tells.
 *
 * Another region: the outbox entry is the acknowledged thing; the router's leader takes it from there (decision 18), and is told the bucket
 * only so that it need not wait for its next look. Owner: the app. Next: told.h, edge/store/events.h. */
#include "edge/room/messages.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <meridian/id.h>
#include <meridian/mem.h>

#include "edge/limits.h"
#include "edge/room/told.h"
#include "edge/store/events.h"
#include "meridian/state/v1/state.pb-c.h"

#define CM(x) Meridian__Client__V1__##x
#define ST(x) Meridian__State__V1__##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x
#define BODY(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x
#define EVENT(x) MERIDIAN__STATE__V1__EVENT__BODY_##x

enum {
    REGIONS_MAX = 16,         /* protocol: at most so many in latencyMs, too */
    TEXT_MAX = 1024,          /* protocol; what a string of a player may be at all */
    AGAIN_MS = 1000,          /* as after any call to the store that failed */
    OUTBOX_FULL_MS = 5000,    /* the region is away, or far behind */
    INBOX_FULL_MS = 60 * 1000 /* until he reads */
};

enum { M_STORED, M_QUEUED, M_REPEATED, M_INBOX_FULL, M_OUTBOX_FULL, M_FAILED, M_PUSHED, M_SYNCED, M_ACKED, M_BAD_EVENT, M_COUNT };
static const struct mer_metric_def defs[M_COUNT] = {
    [M_STORED] = {"meridian_edge_messages_total", "direct messages by outcome", MER_COUNTER, "outcome=\"stored\""},
    [M_QUEUED] = {"meridian_edge_messages_total", "direct messages by outcome", MER_COUNTER, "outcome=\"queued\""},
    [M_REPEATED] = {"meridian_edge_messages_total", "direct messages by outcome", MER_COUNTER, "outcome=\"repeated\""},
    [M_INBOX_FULL] = {"meridian_edge_messages_total", "direct messages by outcome", MER_COUNTER, "outcome=\"inbox_full\""},
    [M_OUTBOX_FULL] = {"meridian_edge_messages_total", "direct messages by outcome", MER_COUNTER, "outcome=\"outbox_full\""},
    [M_FAILED] = {"meridian_edge_messages_total", "direct messages by outcome", MER_COUNTER, "outcome=\"try_again\""},
    [M_PUSHED] = {"meridian_edge_messages_pushed_total", "events told to connected users as they came"},
    [M_SYNCED] = {"meridian_edge_messages_synced_total", "events told to sessions that connected later"},
    [M_ACKED] = {"meridian_edge_messages_acked_total", "acknowledgements stored"},
    [M_BAD_EVENT] = {"meridian_edge_messages_unreadable_total", "events that this version cannot read"},
};

struct edge_messages {
    struct edge_app *app;
    char *region[REGIONS_MAX]; /* the others */
    size_t region_count;
    bool regions_known;
    struct mer_list syncs; /* under way */
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
};

/* One call under way; the texts lie behind it. */
struct sending {
    struct edge_messages *ms;
    char *to, *message_id, *session, *region; /* region "": ours */
    uint8_t *event;
    size_t event_len;
};

/* Reading an inbox for one session, or, where that is "", for all of its user here; until the store answers, or he is gone. Timer: read it
 * again. */
struct sync {
    struct mer_list node;
    struct edge_messages *ms;
    struct mer_timer timer;
    bool again; /* asked for once more meanwhile: what was read may be older */
    const char *session;
    char user[];
};

/* ---- out to players ------------------------------------------------------------------------------------------------------------------ */

/* false: nothing to tell, nothing to free. */
static bool told_make(struct edge_messages *ms, struct edge_told *t, const void *packed, size_t len, const struct edge_told_place *at)
{
    bool made = edge_told_make(t, packed, len, at);
    ms->values[M_BAD_EVENT] += !made;
    return made;
}

static void to_edge(struct edge_messages *ms, const char *edge, const struct edge_told *t)
{
    Meridian__Internal__V1__UserMessage um = MERIDIAN__INTERNAL__V1__USER_MESSAGE__INIT;
    Meridian__Internal__V1__BusMessage bm = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    um.user = t->event->to;
    um.message = (CM(ServerMessage) *)&t->message;
    bm.body_case = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_USER_MESSAGE;
    bm.user_message = &um;
    if (edge_bus_send(ms->app->bus, edge, &bm) != MER_OK) /* an edge that is no more, mostly: the inbox has it */
        MER_LOG_RATE(&ms->app->log, MER_DEBUG, "message.push_lost", KV_STR("edge", edge));
}

/* To all edges where he is connected, as the store said. */
static void push(struct edge_messages *ms, const struct sending *q, const struct mer_event_reply *r)
{
    struct edge_told t;
    struct edge_told_place at = {r->number, r->gone};
    if (r->count == 0 || !told_make(ms, &t, q->event, q->event_len, &at))
        return;
    for (size_t i = 0; i < r->count; i++) {
        const char *edge = r->item[i]->str;
        ms->values[M_PUSHED]++;
        if (strcmp(edge, ms->app->incarnation) == 0)
            edge_sessions_to_user(ms->app->sessions, q->to, &t.message);
        else
            to_edge(ms, edge, &t);
    }
    edge_told_free(&t);
}

/* ---- sending ------------------------------------------------------------------------------------------------------------------------- */

static void say_ok(const struct sending *q)
{
    CM(MessageOk) ok = MERIDIAN__CLIENT__V1__MESSAGE_OK__INIT;
    CM(ServerMessage) m = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    ok.message_id = q->message_id;
    ok.to = q->to;
    m.body_case = BODY(MESSAGE_OK);
    m.message_ok = &ok;
    edge_sessions_to_session(q->ms->app->sessions, q->session, &m);
}

static void tell_router(const struct sending *q)
{
    Meridian__Internal__V1__OutboxFilled f = MERIDIAN__INTERNAL__V1__OUTBOX_FILLED__INIT;
    Meridian__Internal__V1__RouterMessage m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    f.region = q->region;
    f.bucket = edge_key_bucket(q->to);
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_OUTBOX_FILLED;
    m.outbox_filled = &f;
    if (edge_routers_send(q->ms->app->routers, &m) != MER_OK) /* the next leader looks for itself */
        MER_LOG_RATE(&q->ms->app->log, MER_DEBUG, "message.hint_lost", KV_STR("of", q->region));
}

static void on_stored(void *ctx, enum edge_store_result result, const struct mer_event_reply *r)
{
    struct sending *q = ctx;
    struct edge_messages *ms = q->ms;
    bool ours = q->region[0] == 0;
    switch (result) {
    case EDGE_STORE_OK:
        ms->values[ours ? M_STORED : M_QUEUED]++;
        say_ok(q);
        if (ours)
            push(ms, q, r);
        else
            tell_router(q);
        break;
    case EDGE_STORE_DUP:
        ms->values[M_REPEATED]++;
        say_ok(q);
        break;
    case EDGE_STORE_FULL:
        ms->values[ours ? M_INBOX_FULL : M_OUTBOX_FULL]++;
        if (ours)
            edge_sessions_error(ms->app->sessions, q->session, CODE(TRY_AGAIN), "he has too many unread messages", q->message_id,
                                INBOX_FULL_MS);
        else
            edge_sessions_error(ms->app->sessions, q->session, CODE(OVERLOADED), "too much waits for that region", q->message_id,
                                OUTBOX_FULL_MS);
        break;
    default: /* also an unknown outcome: the same again is recognised */
        ms->values[M_FAILED]++;
        edge_sessions_error(ms->app->sessions, q->session, CODE(TRY_AGAIN), "not stored yet", q->message_id, AGAIN_MS);
    }
    mer_free(&q);
}

static struct sending *sending_new(struct edge_messages *ms, const struct edge_message_sender *from, const CM(SendMessage) * m, bool ours)
{
    const char *text[] = {m->to, m->message_id, from->session, ours ? "" : m->region};
    ST(TextEvent) t = MERIDIAN__STATE__V1__TEXT_EVENT__INIT;
    ST(Event) e = MERIDIAN__STATE__V1__EVENT__INIT;
    t.from = (char *)from->user;
    t.from_name = (char *)from->name;
    t.from_region = ms->app->conf.region;
    t.message_id = m->message_id;
    t.text = m->text;
    e.to = m->to;
    e.at_ms = edge_store_now_ms(ms->app->store);
    e.body_case = EVENT(TEXT);
    e.text = &t;
    size_t len = meridian__state__v1__event__get_packed_size(&e), bytes = len;
    for (size_t i = 0; i < MER_COUNT(text); i++)
        bytes += strlen(text[i]) + 1;
    struct sending *q = mer_try_malloc(sizeof(*q) + bytes);
    if (q == NULL)
        return NULL;
    char *at = (char *)(q + 1), **field[] = {&q->to, &q->message_id, &q->session, &q->region};
    for (size_t i = 0; i < MER_COUNT(text); i++) {
        *field[i] = at;
        at = stpcpy(at, text[i]) + 1; /* sized above */
    }
    q->ms = ms;
    q->event = (uint8_t *)at;
    q->event_len = meridian__state__v1__event__pack(&e, q->event);
    return q;
}

bool edge_messages_has_region(const struct edge_messages *ms, const char *region)
{
    bool known = !ms->regions_known || strcasecmp(ms->app->conf.region, region) == 0;
    for (size_t i = 0; i < ms->region_count && !known; i++)
        known = strcasecmp(ms->region[i], region) == 0;
    return known;
}

static bool region_known(const struct edge_messages *ms, const char *region)
{
    for (size_t i = 0; i < ms->region_count; i++)
        if (strcmp(ms->region[i], region) == 0)
            return true;
    return false;
}

/* NULL: nothing is wrong with it. */
static const char *fault(const CM(SendMessage) * m)
{
    if (!mer_id_is_text(m->message_id, strlen(m->message_id), EDGE_MOVE_ID_MAX))
        return "messageId: 1 to 64 bytes of text";
    if (!mer_id_is_text(m->to, strlen(m->to), MER_TOKEN_SUB_MAX) || strchr(m->to, ' ') != NULL)
        return "to: 1 to 128 bytes of text without spaces";
    if (m->text[0] == 0 || strlen(m->text) > TEXT_MAX)
        return "text: 1 to 1024 bytes";
    return NULL;
}

void edge_messages_send(struct edge_messages *ms, const struct edge_message_sender *from, const CM(SendMessage) * m)
{
    bool ours = m->region == NULL || strcmp(m->region, ms->app->conf.region) == 0;
    const char *wrong = fault(m), *re = m->message_id;
    if (wrong == NULL && !ours && ms->regions_known && !region_known(ms, m->region))
        wrong = "region: there is none of this name";
    if (wrong != NULL) {
        edge_sessions_error(ms->app->sessions, from->session, CODE(BAD_FIELD), wrong,
                            mer_id_is_text(re, strlen(re), EDGE_MOVE_ID_MAX) ? re : "send_message", 0);
        return;
    }
    if (!ours && !ms->regions_known) {
        edge_sessions_error(ms->app->sessions, from->session, CODE(TRY_AGAIN), "the other regions are not known yet", re, AGAIN_MS);
        return;
    }
    struct sending *q = sending_new(ms, from, m, ours);
    enum mer_err err = q == NULL ? MER_ENOMEM : MER_OK;
    if (err == MER_OK) {
        struct edge_store_event e = {q->to, from->user, q->message_id, q->event, q->event_len};
        err = ours ? edge_store_event_put(ms->app->store, &e, on_stored, q)
                   : edge_store_event_send(ms->app->store, q->region, &e, on_stored, q);
    }
    if (err == MER_OK)
        return;
    mer_free(&q);
    ms->values[M_FAILED]++;
    edge_sessions_error(ms->app->sessions, from->session, CODE(TRY_AGAIN), "not stored yet", re, AGAIN_MS);
}

/* ---- receiving ----------------------------------------------------------------------------------------------------------------------- */

static struct sync *sync_find(struct edge_messages *ms, const char *user, const char *session)
{
    MER_LIST_EACH (it, &ms->syncs) {
        struct sync *q = MER_LIST_ENTRY(it, struct sync, node);
        if (strcmp(q->user, user) == 0 && strcmp(q->session, session) == 0)
            return q;
    }
    return NULL;
}

static void sync_tell(struct sync *q, const struct mer_event_reply *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct edge_told t;
        struct edge_told_place at = {r->gone + 1 + i, r->gone};
        if (!told_make(q->ms, &t, r->item[i]->str, r->item[i]->len, &at))
            continue; /* stays until an acknowledgement behind it */
        q->ms->values[M_SYNCED]++;
        if (q->session[0] != 0)
            edge_sessions_to_session(q->ms->app->sessions, q->session, &t.message);
        else
            edge_sessions_to_user(q->ms->app->sessions, q->user, &t.message);
        edge_told_free(&t);
    }
}

static void sync_free(struct sync *q)
{
    mer_loop_disarm(&q->ms->app->loop, &q->timer);
    mer_list_remove(&q->node);
    mer_free(&q);
}

static void sync_later(struct sync *q)
{
    struct edge_app *app = q->ms->app;
    mer_loop_arm(&app->loop, &q->timer, AGAIN_MS + mer_rng_below(&app->rng, AGAIN_MS)); /* a store that is back is not met by all at once */
}

static void sync_read(struct sync *q);

static void on_inbox(void *ctx, enum edge_store_result result, const struct mer_event_reply *r)
{
    struct sync *q = ctx;
    if (result != EDGE_STORE_OK) {
        sync_later(q);
    } else if (q->again) {
        sync_read(q); /* that one tells what is here, too */
    } else {
        sync_tell(q, r);
        sync_free(q);
    }
}

static void sync_read(struct sync *q)
{
    q->again = false;
    if (edge_store_inbox_get(q->ms->app->store, q->user, on_inbox, q) != MER_OK)
        sync_later(q);
}

static void on_sync_timer(struct mer_timer *t)
{
    struct sync *q = MER_CONTAINER_OF(t, struct sync, timer);
    if (edge_sessions_online(q->ms->app->sessions, q->user))
        sync_read(q);
    else
        sync_free(q);
}

void edge_messages_sync(struct edge_messages *ms, const char *user, const char *session)
{
    struct sync *q = sync_find(ms, user, session);
    if (q != NULL) {
        q->again = true;
        return;
    }
    size_t user_len = strlen(user) + 1, len = strlen(session) + 1;
    q = mer_try_malloc(sizeof(*q) + user_len + len);
    if (q == NULL)
        return; /* with the next connection */
    q->ms = ms;
    memcpy(q->user, user, user_len);
    q->session = memcpy(q->user + user_len, session, len);
    mer_list_push_back(&ms->syncs, &q->node);
    mer_timer_init(&q->timer, on_sync_timer);
    sync_read(q);
}

static void on_acked(void *ctx, enum edge_store_result result, const struct mer_event_reply *r)
{
    struct edge_messages *ms = ctx;
    (void)r;
    ms->values[M_ACKED] += result == EDGE_STORE_OK;
}

void edge_messages_ack(struct edge_messages *ms, const struct edge_message_sender *from, uint64_t seq, bool rest)
{
    if (edge_store_inbox_ack(ms->app->store, from->user, seq, on_acked, ms) != MER_OK)
        MER_LOG_RATE(&ms->app->log, MER_DEBUG, "message.ack_lost", KV_U64("seq", seq));
    if (rest) /* read behind the acknowledgement, or before it: then some come twice */
        edge_messages_sync(ms, from->user, from->session);
}

static void on_notice(void *ctx, const Meridian__Internal__V1__RouterMessage *m)
{
    struct edge_messages *ms = ctx;
    struct edge_told t;
    struct edge_told_place at = {m->user_notice->seq, m->user_notice->settled};
    if (!told_make(ms, &t, m->user_notice->event.data, m->user_notice->event.len, &at))
        return;
    if (m->user_notice->seq == 0) {
        if (edge_sessions_online(ms->app->sessions, t.event->to))
            edge_messages_sync(ms, t.event->to, "");
    } else {
        ms->values[M_PUSHED]++;
        edge_sessions_to_user(ms->app->sessions, t.event->to, &t.message);
    }
    edge_told_free(&t);
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

static void forget_regions(struct edge_messages *ms)
{
    for (; ms->region_count > 0; ms->region_count--)
        mer_free(&ms->region[ms->region_count - 1]);
}

static void on_regions(void *ctx, const Meridian__Internal__V1__RouterMessage *m)
{
    struct edge_messages *ms = ctx;
    forget_regions(ms);
    ms->regions_known = true;
    for (size_t i = 0; i < m->other_regions->n_regions && ms->region_count < REGIONS_MAX; i++)
        if ((ms->region[ms->region_count] = mer_try_strdup(m->other_regions->regions[i])) != NULL)
            ms->region_count++;
}

enum mer_err edge_messages_create(struct edge_messages **out, struct edge_app *app)
{
    struct edge_messages *ms = mer_xcalloc(1, sizeof(*ms));
    ms->app = app;
    mer_list_init(&ms->syncs);
    mer_metrics_add(&app->metrics, &ms->set, defs, M_COUNT, ms->values);
    edge_routers_on(app->routers, MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_USER_NOTICE, on_notice, ms);
    edge_routers_on(app->routers, MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_OTHER_REGIONS, on_regions, ms);
    *out = ms;
    return MER_OK;
}

void edge_messages_destroy(struct edge_messages *ms)
{
    if (ms == NULL)
        return;
    MER_LIST_EACH_SAFE (it, &ms->syncs)
        sync_free(MER_LIST_ENTRY(it, struct sync, node));
    forget_regions(ms);
    mer_metrics_remove(&ms->set);
    mer_free(&ms);
}
