/* SPDX-License-Identifier: Apache-2.0
 * relay.c - see relay.h. Pure.
 *
 * Both timed lists have one lifetime each, so their order of arrival is their order of falling due. A failure of one bucket (its shard is
 * failing over) sends only that one into LATER; the others go on. Owner: relay_shell.c. Next: relay_in.c. */
#include "region-router/relay.h"

#include <string.h>

#include <meridian/event_limits.h>

#include "region-router/limits.h"

#define S(x) ROUTER_RELAY_##x
enum { NEVER = ROUTER_RELAY_NSTATES };

static const uint8_t next[ROUTER_RELAY_NSTATES][ROUTER_RELAY_NEVENTS] = {
    /*              MARK         GO          LEFT     TAKEN        DONE      MORE      FAIL      DUE */
    [S(CLEAN)] = {S(READY), NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER},
    [S(READY)] = {S(READY), S(READING), NEVER, NEVER, NEVER, NEVER, NEVER, NEVER},
    [S(READING)] = {S(READING), NEVER, S(SENT), NEVER, S(CLEAN), S(READY), S(LATER), NEVER},
    [S(SENT)] = {S(SENT), NEVER, NEVER, S(TRIMMING), NEVER, NEVER, S(LATER), NEVER},
    [S(TRIMMING)] = {S(TRIMMING), NEVER, NEVER, NEVER, S(CLEAN), S(READY), S(LATER), NEVER},
    [S(LATER)] = {S(LATER), NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, S(READY)},
};

const char *router_relay_state_name(enum router_relay_state s)
{
#define X(name) #name,
    static const char *const names[] = {ROUTER_RELAY_STATES(X)};
#undef X
    return (size_t)s < MER_COUNT(names) ? names[s] : "?";
}

enum router_relay_state router_relay_next(enum router_relay_state s, enum router_relay_event e)
{
    return (enum router_relay_state)next[s][e];
}

static bool flies(uint8_t state)
{
    return state == S(SENT) || state == S(TRIMMING);
}

static bool busy(uint8_t state)
{
    return state == S(READING) || flies(state);
}

static void move(struct router_relay *r, struct router_relay_bucket *b, enum router_relay_event e, uint64_t now_ms)
{
    uint8_t to = next[b->state][e];
    MER_ASSERT(to != NEVER);
    if (to == b->state)
        return;
    mer_list_remove(&b->node);
    r->busy += busy(to);
    r->busy -= busy(b->state);
    r->reading += to == S(READING);
    r->reading -= b->state == S(READING);
    r->flight_bytes += flies(to) ? b->bytes : 0;
    r->flight_bytes -= flies(b->state) ? b->bytes : 0;
    b->state = to;
    if (to == S(READY)) {
        mer_list_push_back(&r->ready, &b->node);
    } else if (to == S(SENT)) {
        b->due_ms = now_ms + ROUTER_RELAY_ANSWER_MS;
        mer_list_push_back(&r->sent, &b->node);
    } else if (to == S(LATER)) {
        b->due_ms = now_ms + ROUTER_RELAY_RETRY_MS;
        mer_list_push_back(&r->later, &b->node);
    }
}

static struct router_relay_bucket *first(struct mer_list *list)
{
    return MER_LIST_ENTRY(list->next, struct router_relay_bucket, node);
}

static void set_waiting(struct router_relay *r, struct router_relay_bucket *b, uint64_t waiting)
{
    r->waiting -= b->waiting;
    b->waiting = waiting < UINT32_MAX ? (uint32_t)waiting : UINT32_MAX - 1;
    r->waiting += b->waiting;
    if (waiting == 0)
        b->stored = 0;
}

void router_relay_init(struct router_relay *r, const struct router_relay_env *env)
{
    memset(r, 0, sizeof *r);
    r->env = *env;
    mer_list_init(&r->ready);
    mer_list_init(&r->sent);
    mer_list_init(&r->later);
    for (uint32_t i = 0; i < MER_BUCKETS; i++)
        mer_list_init(&r->bucket[i].node);
}

void router_relay_mark(struct router_relay *r, uint32_t bucket, uint32_t waiting)
{
    struct router_relay_bucket *b = &r->bucket[bucket];
    if (waiting != UINT32_MAX)
        set_waiting(r, b, waiting);
    else if (b->waiting == 0)
        set_waiting(r, b, 1); /* one at least */
    b->again = b->again || busy(b->state);
    move(r, b, ROUTER_RELAY_ON_MARK, 0);
}

void router_relay_stored(struct router_relay *r, uint32_t bucket, uint64_t bytes)
{
    r->bucket[bucket].stored = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

void router_relay_look(const struct router_relay *r, struct router_relay_view *out)
{
    memset(out, 0, sizeof *out);
    out->waiting = r->waiting;
    for (uint32_t i = 0; i < MER_BUCKETS; i++) {
        const struct router_relay_bucket *b = &r->bucket[i];
        size_t at = out->fullest_count;
        if (b->waiting == 0)
            continue;
        out->buckets++;
        out->bytes += b->stored;
        while (at > 0 && r->bucket[out->fullest[at - 1]].waiting < b->waiting)
            at--;
        if (at == MER_COUNT(out->fullest))
            continue;
        out->fullest_count += out->fullest_count < MER_COUNT(out->fullest);
        memmove(&out->fullest[at + 1], &out->fullest[at], (out->fullest_count - 1 - at) * sizeof out->fullest[0]);
        out->fullest[at] = i;
    }
}

static void lose(struct router_relay *r, struct router_relay_bucket *b, uint64_t now_ms)
{
    r->counts[ROUTER_R_LOST]++;
    move(r, b, ROUTER_RELAY_ON_FAIL, now_ms);
}

void router_relay_link(struct router_relay *r, bool up, uint64_t now_ms)
{
    r->up = up;
    while (!mer_list_empty(&r->sent))
        lose(r, first(&r->sent), now_ms);
}

/* Many small batches, or a few large ones: what counts between distant regions is how much is on its way. */
static bool room(const struct router_relay *r)
{
    return r->busy < ROUTER_RELAY_WINDOW && (r->reading + 1) * (uint64_t)ROUTER_RELAY_BYTES + r->flight_bytes <= ROUTER_RELAY_FLIGHT_BYTES;
}

void router_relay_step(struct router_relay *r, uint64_t now_ms)
{
    while (!mer_list_empty(&r->sent) && first(&r->sent)->due_ms <= now_ms)
        lose(r, first(&r->sent), now_ms);
    while (!mer_list_empty(&r->later) && first(&r->later)->due_ms <= now_ms)
        move(r, first(&r->later), ROUTER_RELAY_ON_DUE, now_ms);
    while (r->up && room(r) && !mer_list_empty(&r->ready)) {
        struct router_relay_bucket *b = first(&r->ready);
        b->again = false;
        move(r, b, ROUTER_RELAY_ON_GO, now_ms);
        r->env.read(r->env.ctx, (uint32_t)(b - r->bucket));
    }
}

void router_relay_empty(struct router_relay *r, uint32_t bucket)
{
    struct router_relay_bucket *b = &r->bucket[bucket];
    set_waiting(r, b, 0);
    move(r, b, b->again ? ROUTER_RELAY_ON_MORE : ROUTER_RELAY_ON_DONE, 0);
}

void router_relay_left(struct router_relay *r, uint32_t bucket, const struct router_relay_batch *batch, uint64_t now_ms)
{
    struct router_relay_bucket *b = &r->bucket[bucket];
    MER_ASSERT(batch->settled < batch->last && batch->last <= batch->end);
    b->generation = batch->generation;
    b->settled = batch->settled;
    b->last = batch->last;
    b->bytes = batch->bytes;
    b->more = batch->last < batch->end;
    set_waiting(r, b, batch->end - batch->settled);
    r->counts[ROUTER_R_BATCHES]++;
    move(r, b, ROUTER_RELAY_ON_LEFT, now_ms);
}

void router_relay_failed(struct router_relay *r, uint32_t bucket, uint64_t now_ms)
{
    r->counts[ROUTER_R_FAILED]++;
    move(r, &r->bucket[bucket], ROUTER_RELAY_ON_FAIL, now_ms);
}

bool router_relay_acked(struct router_relay *r, uint32_t bucket, uint64_t generation, uint64_t through, uint64_t now_ms)
{
    struct router_relay_bucket *b = bucket < MER_BUCKETS ? &r->bucket[bucket] : NULL;
    if (b == NULL || b->state != S(SENT) || b->generation != generation || through < b->settled || through > b->last) {
        r->counts[ROUTER_R_STRAY]++;
        return false;
    }
    if (through == b->settled) {
        router_relay_failed(r, bucket, now_ms);
        return false;
    }
    b->acked_to = through;
    move(r, b, ROUTER_RELAY_ON_TAKEN, now_ms);
    return true;
}

void router_relay_trimmed(struct router_relay *r, uint32_t bucket, uint64_t now_ms)
{
    struct router_relay_bucket *b = &r->bucket[bucket];
    uint64_t gone = b->acked_to - b->settled;
    b->stored -= b->stored < b->bytes ? b->stored : b->bytes;
    r->counts[ROUTER_R_EVENTS] += gone;
    set_waiting(r, b, b->waiting > gone ? b->waiting - gone : 0);
    if (b->acked_to < b->last) /* it took a part: something is in the way there */
        move(r, b, ROUTER_RELAY_ON_FAIL, now_ms);
    else
        move(r, b, b->more || b->again ? ROUTER_RELAY_ON_MORE : ROUTER_RELAY_ON_DONE, now_ms);
}

const char *router_relay_batch_fault(const Meridian__Region__V1__RelayBatch *b)
{
    static const uint64_t number_max = (uint64_t)1 << 53; /* whole in Redis' arithmetic */
    size_t bytes = 0;
    if (b->bucket >= MER_BUCKETS)
        return "there is no such bucket";
    if (b->generation == 0 || b->generation >= number_max || b->settled >= number_max)
        return "no such number";
    if (b->n_events == 0 || b->n_events > ROUTER_RELAY_EVENTS_MAX)
        return "no events, or too many";
    for (size_t i = 0; i < b->n_events; i++)
        bytes += b->events[i].len;
    return bytes > ROUTER_RELAY_BYTES + MER_EVENT_MAX ? "too large" : NULL;
}

Meridian__State__V1__Event *router_relay_event(uint32_t bucket, ProtobufCBinaryData packed)
{
    Meridian__State__V1__Event *e = packed.len <= MER_EVENT_MAX ? meridian__state__v1__event__unpack(NULL, packed.len, packed.data) : NULL;
    if (e != NULL && e->body_case != MERIDIAN__STATE__V1__EVENT__BODY__NOT_SET && e->to[0] != 0 && strlen(e->to) <= MER_KEY_ID_MAX &&
        strpbrk(e->to, " \n") == NULL && mer_key_bucket(e->to) == bucket)
        return e;
    if (e != NULL)
        meridian__state__v1__event__free_unpacked(e, NULL);
    return NULL;
}

static uint32_t list_check(const struct mer_list *list, uint8_t state)
{
    uint32_t n = 0;
    uint64_t due = 0;
    MER_LIST_EACH (it, list) {
        const struct router_relay_bucket *b = MER_LIST_ENTRY(it, struct router_relay_bucket, node);
        MER_ASSERT(b->state == state && (state == S(READY) || b->due_ms >= due));
        due = b->due_ms;
        n++;
    }
    return n;
}

void router_relay_check(const struct router_relay *r)
{
    uint32_t in[ROUTER_RELAY_NSTATES] = {0};
    uint64_t waiting = 0, bytes = 0;
    for (uint32_t i = 0; i < MER_BUCKETS; i++) {
        bytes += flies(r->bucket[i].state) ? r->bucket[i].bytes : 0;
        in[r->bucket[i].state]++;
        waiting += r->bucket[i].waiting;
    }
    MER_ASSERT(r->waiting == waiting && r->flight_bytes == bytes && r->reading == in[S(READING)]);
    MER_ASSERT(r->busy == in[S(READING)] + in[S(SENT)] + in[S(TRIMMING)] && r->busy <= ROUTER_RELAY_WINDOW);
    MER_ASSERT(list_check(&r->ready, S(READY)) == in[S(READY)] && list_check(&r->sent, S(SENT)) == in[S(SENT)] &&
               list_check(&r->later, S(LATER)) == in[S(LATER)]);
}
