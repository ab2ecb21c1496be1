/* SPDX-License-Identifier: Apache-2.0
 * relay_shell.c - the way out: outbox -> mesh -> trim; and what leads to it: hints of edges, and looks at all outboxes in turn (at once
 * when we come to lead, then slowly), because a hint may be lost and Redis alone knows what waits.
 *
 * Only confirmed entries are sent: the read is a durable call, so its WAIT covers whatever it saw. The trim is soft: an entry that comes
 * back with a failover is sent again and recognised there.
 *
 * Timer: `tick`, every 50 ms while leading. Owner: the app. Next: relay.h, relay_in.c, relay_refused.c,
 * relay_view.c. */
#include "region-router/relay_shell.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/app.h"
#include "region-router/relay_private.h"

#define RV1(x) Meridian__Region__V1__##x
#define IV1(x) Meridian__Internal__V1__##x
#define KIND(x) MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_##x

static const struct mer_metric_def metrics[ROUTER_RS_COUNT] = {
    [ROUTER_RS_RECEIVED] = {"meridian_router_relay_received_total", "batches of events that came from other regions"},
    [ROUTER_RS_TAKEN] = {"meridian_router_relay_taken_total", "events by what became of them", MER_COUNTER, "how=\"taken\""},
    [ROUTER_RS_REPEATED] = {"meridian_router_relay_taken_total", "events by what became of them", MER_COUNTER, "how=\"repeated\""},
    [ROUTER_RS_REFUSED] = {"meridian_router_relay_taken_total", "events by what became of them", MER_COUNTER, "how=\"no_room\""},
    [ROUTER_RS_GAPS] = {"meridian_router_relay_taken_total", "events by what became of them", MER_COUNTER, "how=\"out_of_turn\""},
    [ROUTER_RS_IN_FAILED] = {"meridian_router_relay_taken_total", "events by what became of them", MER_COUNTER, "how=\"store_failed\""},
    [ROUTER_RS_IN_BAD] = {"meridian_router_relay_bad_total", "batches that are none"},
    [ROUTER_RS_UNKNOWN] = {"meridian_router_relay_unknown_total", "events of a kind this version does not know, left where they are"},
    [ROUTER_RS_CROWDED] = {"meridian_router_relay_crowded_total", "batches not taken: more than a window of them"},
    [ROUTER_RS_NOTICES] = {"meridian_router_relay_notices_total", "edges told of a new event"},
    [ROUTER_RS_UNDELIVERED] = {"meridian_router_relay_undelivered_total", "senders told that there was no room"},
    [ROUTER_RS_UNDELIVERED_LOST] = {"meridian_router_relay_undelivered_lost_total", "... who had no room themselves"},
    [ROUTER_RS_SCANNED] = {"meridian_router_relay_looks_total", "looks at the outboxes of a bucket"},
    [ROUTER_RS_PRESENCE_ASKED] = {"meridian_router_presence_asked_total", "questions whether a user is there"},
    [ROUTER_RS_PRESENCE_LOST] = {"meridian_router_presence_lost_total", "... without an answer"},
    [ROUTER_RS_PRESENCE_SILENT] = {"meridian_router_presence_silent_total", "... answered without the edge that would have known"},
    [ROUTER_RS_BAD_REPLIES] = {"meridian_router_relay_bad_replies_total", "answers of Redis the function library cannot have given"},
};
struct bucket_call {             /* about one bucket's outbox */
    struct router_relay_peer *p; /* NULL: of all regions */
    struct router_relays *all;
    uint64_t term, through;
    uint32_t bucket;
};

/* ---- calls --------------------------------------------------------------------------------------------------------------------------- */

static struct bucket_call *call_new(struct router_relays *rs, struct router_relay_peer *p, uint32_t bucket)
{
    struct bucket_call *q = mer_try_calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->all = rs;
    q->p = p;
    q->term = rs->term;
    q->bucket = bucket;
    return q;
}

static bool still(const struct bucket_call *q)
{
    return q->all->leading && q->term == q->all->term;
}

static void outbox_key(char out[MER_KEY_MAX], uint32_t bucket, const struct router_relay_peer *p)
{
    enum mer_err err = mer_key_in_bucket(out, "outbox", bucket, p->name);
    MER_ASSERT(err == MER_OK); /* a region's name is short */
}

/* ---- out ----------------------------------------------------------------------------------------------------------------------------- */

static bool send_batch(struct router_relay_peer *p, uint32_t bucket, const struct mer_event_reply *r)
{
    RV1(RelayBatch) b = MERIDIAN__REGION__V1__RELAY_BATCH__INIT;
    RV1(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    ProtobufCBinaryData events[ROUTER_RELAY_EVENTS_MAX];
    if (r->count > MER_COUNT(events))
        return false;
    for (size_t i = 0; i < r->count; i++)
        events[i] = (ProtobufCBinaryData){r->item[i]->len, (uint8_t *)r->item[i]->str};
    b.bucket = bucket;
    b.generation = r->generation;
    b.settled = r->gone;
    b.n_events = r->count;
    b.events = events;
    m.body_case = KIND(RELAY_BATCH);
    m.relay_batch = &b;
    return router_mesh_send(p->all->app->mesh, p->name, &m) == MER_OK;
}

static void left(const struct bucket_call *q, const struct mer_event_reply *r)
{
    struct router_relay_batch b = {r->generation, r->gone, r->gone + r->count, r->number, 0};
    for (size_t i = 0; i < r->count; i++)
        b.bytes += (uint32_t)r->item[i]->len;
    router_relay_left(&q->p->relay, q->bucket, &b, q->all->app->loop.now_ms);
}

static void on_read(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct bucket_call *q = ctx;
    struct mer_event_reply r;
    uint64_t now = q->all->app->loop.now_ms;
    err = router__fcall_done(q->all, err, reply, &r);
    if (still(q)) {
        if (err == MER_OK && r.count == 0)
            router_relay_empty(&q->p->relay, q->bucket);
        else if (err == MER_OK && send_batch(q->p, q->bucket, &r))
            left(q, &r);
        else
            router_relay_failed(&q->p->relay, q->bucket, now);
        router_relay_step(&q->p->relay, now);
    }
    free(q);
}

static void read_outbox(void *ctx, uint32_t bucket)
{
    struct router_relay_peer *p = ctx;
    struct router_fcall c;
    char outbox[MER_KEY_MAX];
    struct bucket_call *q = call_new(p->all, p, bucket);
    outbox_key(outbox, bucket, p);
    router__fcall(&c, "mer1_events_get", 2);
    router__fcall_text(&c, outbox);
    router__fcall_electable(&c, bucket);
    router__fcall_u64(&c, ROUTER_RELAY_EVENTS_MAX);
    router__fcall_u64(&c, ROUTER_RELAY_BYTES);
    if (router__fcall_send(p->all, &c, outbox, true, on_read, q) == MER_OK)
        return;
    free(q);
    router_relay_failed(&p->relay, bucket, p->all->app->loop.now_ms);
}

static void on_trimmed(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct bucket_call *q = ctx;
    struct mer_event_reply r;
    uint64_t now = q->all->app->loop.now_ms;
    err = router__fcall_done(q->all, err, reply, &r);
    if (still(q)) {
        if (err == MER_OK && r.status == MER_EVENT_OK)
            router_relay_trimmed(&q->p->relay, q->bucket, now);
        else
            router_relay_failed(&q->p->relay, q->bucket, now);
        router_relay_step(&q->p->relay, now);
    }
    free(q);
}

/* Takes q. */
static void trim(struct bucket_call *q)
{
    struct router_relay_peer *p = q->p;
    struct router_fcall c;
    char outbox[MER_KEY_MAX];
    outbox_key(outbox, q->bucket, p);
    router__fcall(&c, "mer1_events_trim", 2);
    router__fcall_text(&c, outbox);
    router__fcall_electable(&c, q->bucket);
    router__fcall_u64(&c, p->relay.bucket[q->bucket].generation);
    router__fcall_u64(&c, q->through);
    if (router__fcall_send(p->all, &c, outbox, false, on_trimmed, q) == MER_OK)
        return;
    router_relay_failed(&p->relay, q->bucket, p->all->app->loop.now_ms);
    free(q);
}

static void on_told(void *ctx, bool ok)
{
    struct bucket_call *q = ctx;
    if (still(q) && ok) {
        trim(q);
        return;
    }
    if (still(q))
        router_relay_failed(&q->p->relay, q->bucket, q->all->app->loop.now_ms);
    free(q);
}

static void on_ack(void *ctx, const char *region, const RV1(RegionMessage) * m)
{
    struct router_relays *rs = ctx;
    struct router_relay_peer *p = router__relay_peer(rs, region);
    const RV1(RelayAck) *a = m->relay_ack;
    uint64_t now = rs->app->loop.now_ms;
    if (p == NULL || !rs->leading)
        return;
    if (a->unknown)
        MER_LOG_RATE(&rs->app->log, MER_WARN, "relay.unknown_there", KV_STR("peer", p->name), KV_U64("bucket", a->bucket));
    if (router_relay_acked(&p->relay, a->bucket, a->generation, a->through, now)) {
        p->refused += a->n_refused;
        struct bucket_call *q = call_new(rs, p, a->bucket);
        if (q != NULL)
            q->through = a->through;
        if (q != NULL && a->n_refused == 0)
            trim(q);
        else if (q == NULL || router__relay_refused(p, a->bucket, a->refused, a->n_refused, on_told, q) != MER_OK) {
            router_relay_failed(&p->relay, a->bucket, now);
            free(q);
        }
    }
    router_relay_step(&p->relay, now);
}

static void on_batch(void *ctx, const char *region, const RV1(RegionMessage) * m)
{
    struct router_relay_peer *p = router__relay_peer(ctx, region);
    if (p != NULL)
        router__relay_take(p, m->relay_batch);
}

static void on_region(void *ctx, const char *region, bool up)
{
    struct router_relays *rs = ctx;
    struct router_relay_peer *p = router__relay_peer(rs, region);
    if (p == NULL || !rs->leading)
        return;
    router_relay_link(&p->relay, up, rs->app->loop.now_ms);
    router_relay_step(&p->relay, rs->app->loop.now_ms);
}

/* ---- what waits ---------------------------------------------------------------------------------------------------------------------- */

void router_relays_filled(struct router_relays *rs, const IV1(OutboxFilled) * f)
{
    struct router_relay_peer *p = router__relay_peer(rs, f->region);
    if (p == NULL || !rs->leading || f->bucket >= MER_BUCKETS)
        return;
    router_relay_mark(&p->relay, f->bucket, UINT32_MAX);
    router_relay_step(&p->relay, rs->app->loop.now_ms);
}

static void on_heads(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct bucket_call *q = ctx;
    struct router_relays *rs = q->all;
    struct mer_event_reply r;
    err = router__fcall_done(rs, err, reply, &r);
    rs->scans--;
    if (still(q) && (err == MER_EAGAIN || err == MER_EUNKNOWN))
        rs->scan_left = MER_BUCKETS; /* its shard is away: all again, until they all answered */
    else if (still(q) && err == MER_OK && r.count == rs->peer_count)
        for (size_t i = 0; i < rs->peer_count; i++) {
            char *end;
            unsigned long waiting = strtoul(r.item[i]->str, &end, 10);
            if (waiting > 0) {
                router_relay_mark(&rs->peer[i].relay, q->bucket, waiting < UINT32_MAX ? (uint32_t)waiting : UINT32_MAX - 1);
                router_relay_stored(&rs->peer[i].relay, q->bucket, strtoul(end, NULL, 10)); /* an older library tells no bytes: 0 */
            }
        }
    free(q);
}

static bool look(struct router_relays *rs, uint32_t bucket)
{
    struct router_fcall c;
    char outbox[ROUTER_REGIONS_MAX][MER_KEY_MAX];
    struct bucket_call *q = call_new(rs, NULL, bucket);
    router__fcall(&c, "mer1_outbox_heads", (unsigned)rs->peer_count);
    for (size_t i = 0; i < rs->peer_count; i++) {
        outbox_key(outbox[i], bucket, &rs->peer[i]);
        router__fcall_text(&c, outbox[i]);
    }
    if (router__fcall_send(rs, &c, outbox[0], false, on_heads, q) != MER_OK) {
        free(q);
        return false;
    }
    rs->scans++;
    rs->values[ROUTER_RS_SCANNED]++;
    return true;
}

static void scan(struct router_relays *rs)
{
    uint32_t n = rs->scan_left > 0 ? ROUTER_RELAY_SCAN_FIRST : ROUTER_RELAY_SCAN;
    while (n-- > 0 && rs->scans < ROUTER_RELAY_SCANS_MAX && look(rs, rs->scan_at)) {
        rs->scan_at = (rs->scan_at + 1) % MER_BUCKETS;
        rs->scan_left -= rs->scan_left > 0;
    }
}

static void on_tick(struct mer_timer *t)
{
    struct router_relays *rs = MER_CONTAINER_OF(t, struct router_relays, tick);
    mer_loop_arm(&rs->app->loop, &rs->tick, ROUTER_RELAY_TICK_MS);
    if (router__lead_epoch(rs->app) == 0)
        return;
    scan(rs);
    for (size_t i = 0; i < rs->peer_count; i++) {
        struct router_relay_peer *p = &rs->peer[i];
        router_relay_step(&p->relay, rs->app->loop.now_ms);
        if (p->relay.waiting == 0)
            p->waiting_since_ms = 0;
        else if (p->waiting_since_ms == 0)
            p->waiting_since_ms = rs->app->loop.now_ms;
    }
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

struct router_relay_peer *router__relay_peer(struct router_relays *rs, const char *region)
{
    for (size_t i = 0; i < rs->peer_count; i++)
        if (strcmp(rs->peer[i].name, region) == 0)
            return &rs->peer[i];
    return NULL;
}

void router_relays_tell(struct router_relays *rs, const struct router_edge *only)
{
    IV1(OtherRegions) o = MERIDIAN__INTERNAL__V1__OTHER_REGIONS__INIT;
    IV1(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    char *names[ROUTER_REGIONS_MAX];
    for (size_t i = 0; i < rs->peer_count; i++)
        names[i] = rs->peer[i].name;
    o.router_epoch = router__lead_epoch(rs->app);
    o.n_regions = rs->peer_count;
    o.regions = names;
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_OTHER_REGIONS;
    m.other_regions = &o;
    if (o.router_epoch == 0)
        return;
    MER_LIST_EACH (it, &rs->app->edges.edges) {
        const struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (only == NULL || e == only)
            router_edges_send(&rs->app->edges, e->link, &m);
    }
}

void router_relays_start(struct router_relays *rs)
{
    size_t n;
    if (rs->leading)
        return;
    rs->leading = true;
    router_relays_tell(rs, NULL);
    if (rs->peer_count == 0)
        return;
    rs->scan_at = 0;
    rs->scan_left = MER_BUCKETS;
    for (size_t i = 0; i < rs->peer_count; i++) {
        struct router_relay_env env = {read_outbox, &rs->peer[i]};
        router_relay_init(&rs->peer[i].relay, &env);
    }
    const struct router_mesh_region *regions = router_mesh_regions(rs->app->mesh, &n);
    for (size_t i = 0; i < n; i++)
        if (regions[i].up)
            on_region(rs, regions[i].name, true);
    mer_loop_arm(&rs->app->loop, &rs->tick, 0);
}

void router_relays_stop(struct router_relays *rs)
{
    if (!rs->leading)
        return;
    rs->leading = false;
    rs->term++;
    mer_loop_disarm(&rs->app->loop, &rs->tick);
    for (size_t i = 0; i < rs->peer_count; i++) {
        for (int k = 0; k < ROUTER_R_COUNT; k++)
            rs->peer[i].totals[k] += rs->peer[i].relay.counts[k];
        memset(&rs->peer[i].relay, 0, sizeof rs->peer[i].relay);
        rs->peer[i].waiting_since_ms = 0;
    }
}

enum mer_err router_relays_create(struct router_relays **out, struct router_app *app)
{
    struct router_relays *rs = mer_xcalloc(1, sizeof *rs);
    size_t n;
    const struct router_mesh_region *regions = router_mesh_regions(app->mesh, &n);
    if (n > ROUTER_REGIONS_MAX) {
        mer_free(&rs);
        return MER_ERANGE;
    }
    rs->app = app;
    rs->peer_count = n;
    rs->peer = mer_xcalloc(n + 1, sizeof *rs->peer);
    mer_timer_init(&rs->tick, on_tick);
    mer_metrics_add(&app->metrics, &rs->set, metrics, ROUTER_RS_COUNT, rs->values);
    for (size_t i = 0; i < n; i++)
        router__relay_peer_init(rs, &rs->peer[i], regions[i].name);
    router_mesh_on(app->mesh, KIND(RELAY_BATCH), on_batch, rs);
    router_mesh_on(app->mesh, KIND(RELAY_ACK), on_ack, rs);
    router_mesh_on_region(app->mesh, on_region, rs);
    router__presence_init(rs);
    *out = rs;
    return MER_OK;
}

void router_relays_destroy(struct router_relays *rs)
{
    if (rs == NULL)
        return;
    router_relays_stop(rs);
    MER_ASSERT(rs->calls == 0);
    router__presence_deinit(rs);
    for (size_t i = 0; i < rs->peer_count; i++)
        mer_metrics_remove(&rs->peer[i].set);
    mer_metrics_remove(&rs->set);
    mer_free(&rs->peer);
    mer_free(&rs);
}
