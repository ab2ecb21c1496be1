/* SPDX-License-Identifier: Apache-2.0
 * relay_in.c - a batch of another region's leader: each event into its recipient's inbox, then one answer.
 *
 * The mark of (origin, bucket) lies in the slot of the inboxes and is raised by the call that fills one, so an event that comes again has
 * no effect, whoever asks and however the first time ended: no fence, no memory here. An event whose predecessor is missing is refused
 * (GAP), so a batch whose calls went different ways (a slot that moves) keeps its order. Only what its WAIT confirmed is acknowledged.
 *
 * Owner: relay_shell.c. Next: infra/redis/meridian1.lua (event_take). */
#include "region-router/relay_private.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "meridian/state/v1/state.pb-c.h"
#include "region-router/app.h"

#define RV1(x) Meridian__Region__V1__##x
#define ST(x) Meridian__State__V1__##x

enum outcome { PENDING, DONE, NO_ROOM, NOT_TAKEN };

struct incoming;
struct taking { /* one event of a batch */
    struct incoming *in;
    const uint8_t *event;
    size_t len;
    enum outcome outcome;
};
struct incoming {
    struct router_relay_peer *p;
    uint32_t bucket;
    uint64_t generation, settled;
    bool unknown;   /* the event behind the last one taken on is of a kind we do not know */
    size_t count;   /* events taken on */
    size_t pending; /* calls without an answer, and one for the loop that starts them */
    size_t size;
    uint8_t *bytes; /* of all events */
    struct taking taking[];
};

/* ---- answers ------------------------------------------------------------------------------------------------------------------------- */

static void answer(struct incoming *in)
{
    RV1(RelayAck) a = MERIDIAN__REGION__V1__RELAY_ACK__INIT;
    RV1(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    uint64_t refused[ROUTER_RELAY_EVENTS_MAX];
    size_t done = 0;
    a.refused = refused;
    for (; done < in->count && (in->taking[done].outcome == DONE || in->taking[done].outcome == NO_ROOM); done++)
        if (in->taking[done].outcome == NO_ROOM)
            refused[a.n_refused++] = in->settled + 1 + done;
    a.bucket = in->bucket;
    a.generation = in->generation;
    a.through = in->settled + done;
    a.has_unknown = a.unknown = in->unknown && done == in->count;
    m.body_case = MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_RELAY_ACK;
    m.relay_ack = &a;
    if (router_mesh_send(in->p->all->app->mesh, in->p->name, &m) != MER_OK) /* it asks again */
        MER_LOG_RATE(&in->p->all->app->log, MER_DEBUG, "relay.answer_lost", KV_STR("peer", in->p->name));
}

/* One call less; the last one answers. */
static void settle(struct incoming *in)
{
    if (--in->pending > 0)
        return;
    in->p->incoming--;
    in->p->incoming_bytes -= in->size;
    answer(in);
    free(in->bytes);
    free(in);
}

void router__relay_notice(struct router_relays *rs, const void *event, size_t len, const struct mer_event_reply *r)
{
    Meridian__Internal__V1__UserNotice n = MERIDIAN__INTERNAL__V1__USER_NOTICE__INIT;
    Meridian__Internal__V1__RouterMessage m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    n.router_epoch = router__lead_epoch(rs->app);
    n.seq = r->number;
    n.settled = r->gone;
    n.event = (ProtobufCBinaryData){len, (uint8_t *)event};
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_USER_NOTICE;
    m.user_notice = &n;
    if (n.router_epoch == 0 || r->count == 0)
        return;
    MER_LIST_EACH (it, &rs->app->edges.edges) {
        const struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        for (size_t i = 0; i < r->count; i++)
            if (strcmp(r->item[i]->str, e->incarnation) == 0) {
                rs->values[ROUTER_RS_NOTICES]++;
                router_edges_send(&rs->app->edges, e->link, &m);
            }
    }
}

static enum outcome judge(struct router_relays *rs, enum mer_event_status status)
{
    switch (status) {
    case MER_EVENT_OK:
        rs->values[ROUTER_RS_TAKEN]++;
        return DONE;
    case MER_EVENT_DUP:
        rs->values[ROUTER_RS_REPEATED]++;
        return DONE;
    case MER_EVENT_FULL:
        rs->values[ROUTER_RS_REFUSED]++;
        return NO_ROOM;
    default: /* LOST: of a generation that its operator has ended */
        rs->values[ROUTER_RS_GAPS]++;
        return NOT_TAKEN;
    }
}

static void on_taken(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct taking *t = ctx;
    struct router_relays *rs = t->in->p->all;
    struct mer_event_reply r;
    if (router__fcall_done(rs, err, reply, &r) != MER_OK) {
        rs->values[ROUTER_RS_IN_FAILED]++;
        t->outcome = NOT_TAKEN;
    } else {
        t->outcome = judge(rs, r.status);
        if (r.status == MER_EVENT_OK || r.status == MER_EVENT_DUP)
            router__relay_notice(rs, t->event, t->len, &r);
    }
    settle(t->in);
}

/* ---- taking -------------------------------------------------------------------------------------------------------------------------- */

static bool take_one(struct taking *t, const char *user, uint64_t number)
{
    struct incoming *in = t->in;
    struct router_fcall c;
    char inbox[MER_KEY_MAX], player[MER_KEY_MAX], relayed[32];
    if (mer_key_in_bucket(inbox, "inbox", in->bucket, user) != MER_OK || mer_key_in_bucket(player, "player", in->bucket, user) != MER_OK)
        return false;
    snprintf(relayed, sizeof relayed, "relayed:{b%u}", in->bucket);
    router__fcall(&c, "mer1_event_take", 4);
    router__fcall_text(&c, inbox);
    router__fcall_text(&c, player);
    router__fcall_text(&c, relayed);
    router__fcall_electable(&c, in->bucket);
    router__fcall_text(&c, in->p->name);
    router__fcall_u64(&c, in->generation);
    router__fcall_u64(&c, in->settled);
    router__fcall_u64(&c, number);
    router__fcall_bytes(&c, t->event, t->len);
    router__fcall_u64(&c, MER_INBOX_BYTES);
    router__fcall_u64(&c, MER_INBOX_TTL_MS);
    return router__fcall_send(in->p->all, &c, inbox, true, on_taken, t) == MER_OK;
}

static struct incoming *incoming_new(struct router_relay_peer *p, const RV1(RelayBatch) * b)
{
    size_t bytes = 0;
    for (size_t i = 0; i < b->n_events; i++)
        bytes += b->events[i].len;
    struct incoming *in = mer_try_calloc(1, sizeof *in + b->n_events * sizeof in->taking[0]);
    if (in == NULL || (in->bytes = mer_try_malloc(bytes + 1)) == NULL) {
        free(in);
        return NULL;
    }
    in->p = p;
    in->size = bytes;
    in->bucket = b->bucket;
    in->generation = b->generation;
    in->settled = b->settled;
    in->pending = 1;
    uint8_t *at = in->bytes;
    for (size_t i = 0; i < b->n_events; i++) {
        in->taking[i] = (struct taking){in, at, b->events[i].len, PENDING};
        if (b->events[i].len > 0)
            memcpy(at, b->events[i].data, b->events[i].len);
        at += b->events[i].len;
    }
    return in;
}

void router__relay_take(struct router_relay_peer *p, const RV1(RelayBatch) * b)
{
    struct router_relays *rs = p->all;
    rs->values[ROUTER_RS_RECEIVED]++;
    const char *fault = router_relay_batch_fault(b);
    if (fault != NULL) {
        rs->values[ROUTER_RS_IN_BAD]++;
        MER_LOG_RATE(&rs->app->log, MER_WARN, "relay.bad_batch", KV_STR("peer", p->name), KV_STR("why", fault));
        return;
    }
    bool crowded = p->incoming >= ROUTER_RELAY_INCOMING_MAX || p->incoming_bytes >= ROUTER_RELAY_INCOMING_BYTES;
    struct incoming *in = crowded ? NULL : incoming_new(p, b);
    if (in == NULL) {
        rs->values[ROUTER_RS_CROWDED]++; /* unanswered: it comes again */
        return;
    }
    p->incoming++;
    p->incoming_bytes += in->size;
    for (size_t i = 0; i < b->n_events; i++) {
        ST(Event) *event = router_relay_event(b->bucket, b->events[i]);
        in->unknown = event == NULL;
        if (in->unknown) {
            rs->values[ROUTER_RS_UNKNOWN]++;
            break;
        }
        bool sent = take_one(&in->taking[i], event->to, b->settled + 1 + i);
        meridian__state__v1__event__free_unpacked(event, NULL);
        if (!sent)
            break;
        in->pending++;
        in->count++;
    }
    settle(in);
}
