/* SPDX-License-Identifier: Apache-2.0
 * bus.c - messages between the edges of a region over direct links (bus.h).
 *
 *   (no entry) --send--> ASKING --address--> DIALLING --up--> UP --down--> told, (no entry)
 *                          |  ^                 |  |
 *                  absent  |  +---- 3 s --------+  |  then still there: told "unreachable"; any --peer dials us--> UP
 *                          v                       |
 *                        DEAD <--nobody there------+    DEAD --30 s--> (no entry)
 *
 * One link serves both directions of a pair; which one stays when both dial at once is the link layer's rule. Messages to oneself are
 * packed and unpacked like all others, in the loopback phase of the same turn.
 *
 * A handler may send, and the bus may tell a peer down, from anywhere; only edge_bus_destroy may not be called inside a callback. */
#include "edge/bus/bus.h"

#include <string.h>

#include <meridian/map.h>
#include <meridian/mem.h>

#include "edge/store/store.h"

enum {
    WAITING_MAX = 256 * 1024,       /* bytes for one peer that is not up yet (bus.h) */
    LOOPBACK_MAX = 4 * 1024 * 1024, /* bytes to ourselves within one round; no special reason */
    ASK_AGAIN_MS = 200,             /* the store has no answer */
    ASK_GIVE_UP_MS = 5000,          /* ... for so long: unreachable */
    DIAL_GIVE_UP_MS = MER_LINK_SILENCE_MS,
    DIAL_LOOK_MS = 50,              /* how soon a process that is gone is told from one that does not answer */
    DOWN_LISTENERS = 4,             /* seats, sessions */
    IDLE_MS = 60 * 1000,            /* architecture section 3 */
    DEAD_REMEMBERED_MS = 30 * 1000, /* spares lookups of an incarnation that never comes back */
    KINDS = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_GAME_CLAIMED + 1,
};

enum peer_state { PEER_IDLE, PEER_ASKING, PEER_DIALLING, PEER_UP, PEER_DEAD };

/* Timer: ASKING: ask again. DIALLING: give up. UP: look whether it is idle. DEAD: forget. */
struct bus_peer {
    struct edge_bus *bus; /* NULL: the bus is gone, only the store's answer is awaited */
    char *incarnation;
    enum peer_state state;
    struct mer_link *link;  /* up */
    struct mer_link *dial;  /* ours; may be `link` */
    struct mer_buf waiting; /* payloads, each behind its length (host order, 4 bytes) */
    struct mer_timer timer;
    uint64_t since_ms, used_ms;
    bool asked;    /* the store owes an answer */
    bool tried;    /* was dialled in vain: the next answer decides between dead and unreachable */
    bool released; /* freed with the answer */
};

enum {
    M_PEERS,
    M_LOOPBACK,
    M_RECEIVED,
    M_IGNORED,
    M_BAD,
    M_DROPPED,
    M_REFUSED,
    M_LOOKUPS,
    M_DEAD,
    M_DOWN,
    M_IDLE_CLOSED,
    M_SENT, /* one row a kind from here */
    M_COUNT = M_SENT + KINDS - MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SEAT_OPEN
};
#define SENT(kind) \
    { \
        "meridian_edge_bus_sent_total", "bus messages sent, also to ourselves", MER_COUNTER, "kind=\"" kind "\"" \
    }
static const struct mer_metric_def metrics[M_COUNT] = {
    [M_PEERS] = {"meridian_edge_bus_peers", "edges that are known: linked, wanted or dead", MER_GAUGE},
    [M_LOOPBACK] = {"meridian_edge_bus_loopback_total", "messages to ourselves"},
    [M_RECEIVED] = {"meridian_edge_bus_received_total", "messages of other edges"},
    [M_IGNORED] = {"meridian_edge_bus_ignored_total", "messages of a kind nobody here handles"},
    [M_BAD] = {"meridian_edge_bus_bad_total", "links closed because of a message that is none"},
    [M_DROPPED] = {"meridian_edge_bus_dropped_bytes_total", "bytes that waited for a peer that could not be reached"},
    [M_REFUSED] = {"meridian_edge_bus_refused_total", "messages not taken: too much waits, or the peer is dead"},
    [M_LOOKUPS] = {"meridian_edge_bus_lookups_total", "liveness keys read"},
    [M_DEAD] = {"meridian_edge_bus_peers_dead_total", "peers whose liveness key was gone"},
    [M_DOWN] = {"meridian_edge_bus_peers_down_total", "links to peers lost, and peers not reached"},
    [M_IDLE_CLOSED] = {"meridian_edge_bus_idle_closed_total", "links closed because nothing was said for 60 s"},
    [M_SENT + 0] = SENT("seat_open"),
    [M_SENT + 1] = SENT("seat_attach"),
    [M_SENT + 2] = SENT("seat_detach"),
    [M_SENT + 3] = SENT("seat_snapshot"),
    [M_SENT + 4] = SENT("seat_events"),
    [M_SENT + 5] = SENT("seat_request"),
    [M_SENT + 6] = SENT("seat_refused"),
    [M_SENT + 7] = SENT("user_message"),
    [M_SENT + 8] = SENT("session_replace"),
    [M_SENT + 9] = SENT("ticket_request"),
    [M_SENT + 10] = SENT("session_take"),
    [M_SENT + 11] = SENT("session_taken"),
    [M_SENT + 12] = SENT("game_hand_over"),
    [M_SENT + 13] = SENT("game_handed_over"),
    [M_SENT + 14] = SENT("game_claimed"),
};
_Static_assert(M_SENT + 15 == M_COUNT, "a row for every kind of message");

struct edge_bus {
    struct edge_bus_conf conf;
    struct mer_links *links;
    struct mer_map peers;
    struct {
        edge_bus_cb cb;
        void *ctx;
    } handler[KINDS];
    struct {
        void (*cb)(void *ctx, const char *incarnation, bool dead);
        void *ctx;
    } down[DOWN_LISTENERS];
    unsigned down_count;
    uint8_t *scratch; /* one packed message */
    struct mer_buf loopback, loopback_now;
    struct mer_hook hook;
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
};

static void ask(struct bus_peer *p);

/* ---- peers --------------------------------------------------------------------------------------------------------------------------- */

static struct mer_key peer_key(const void *entry)
{
    const struct bus_peer *p = entry;
    return (struct mer_key){p->incarnation, strlen(p->incarnation)};
}

static void peer_free(struct bus_peer *p)
{
    mer_buf_deinit(&p->waiting);
    free(p->incarnation);
    free(p);
}

static void peer_release(struct bus_peer *p)
{
    struct edge_bus *b = p->bus;
    mer_map_removes(&b->peers, p->incarnation);
    b->values[M_PEERS] = b->peers.count;
    mer_loop_disarm(b->conf.loop, &p->timer);
    p->bus = NULL;
    p->released = true;
    if (!p->asked)
        peer_free(p);
}

static void on_timer(struct mer_timer *t);

static struct bus_peer *peer_add(struct edge_bus *b, const char *incarnation)
{
    struct bus_peer *p = mer_try_calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->bus = b;
    p->incarnation = mer_try_strdup(incarnation);
    mer_buf_init(&p->waiting, WAITING_MAX);
    mer_timer_init(&p->timer, on_timer);
    if (p->incarnation == NULL || mer_map_put(&b->peers, p) != MER_OK) {
        peer_free(p);
        return NULL;
    }
    b->values[M_PEERS] = b->peers.count;
    return p;
}

static void drop_dial(struct bus_peer *p)
{
    struct mer_link *l = p->dial;
    p->dial = NULL;
    if (l != NULL)
        mer_link_close(l);
}

static void set_state(struct bus_peer *p, enum peer_state state)
{
    p->state = state;
    p->since_ms = p->bus->conf.loop->now_ms;
    mer_loop_disarm(p->bus->conf.loop, &p->timer);
}

/* The end of a life: whoever cares is told, then the entry goes unless it is wanted again or remembered as dead. */
static void peer_lost(struct bus_peer *p, bool dead)
{
    struct edge_bus *b = p->bus;
    b->values[M_DROPPED] += p->waiting.len;
    b->values[dead ? M_DEAD : M_DOWN]++;
    mer_buf_clear(&p->waiting);
    set_state(p, dead ? PEER_DEAD : PEER_IDLE);
    p->tried = false;
    drop_dial(p);
    MER_LOG(b->conf.log, dead ? MER_WARN : MER_INFO, "bus.peer_down", KV_STR("peer", p->incarnation), KV_BOOL("dead", dead));
    if (dead)
        mer_loop_arm(b->conf.loop, &p->timer, DEAD_REMEMBERED_MS);
    for (unsigned i = 0; i < b->down_count; i++)
        b->down[i].cb(b->down[i].ctx, p->incarnation, dead);
    if (p->state == PEER_IDLE)
        peer_release(p);
}

/* ---- finding and dialling ------------------------------------------------------------------------------------------------------------ */

static void dial(struct bus_peer *p, const char *address)
{
    struct edge_bus *b = p->bus;
    enum mer_err err = mer_link_dial(b->links, address, p, &p->dial);
    if (err == MER_OK)
        err = mer_link_expect(p->dial, p->incarnation);
    if (err != MER_OK) {
        peer_lost(p, false);
        return;
    }
    set_state(p, PEER_DIALLING);
    mer_loop_arm(b->conf.loop, &p->timer, DIAL_LOOK_MS);
}

static void on_address(void *ctx, enum edge_store_result result, const char *address)
{
    struct bus_peer *p = ctx;
    p->asked = false;
    if (p->released) {
        peer_free(p);
        return;
    }
    if (p->state != PEER_ASKING) /* it dialled us meanwhile */
        return;
    struct mer_loop *loop = p->bus->conf.loop;
    if (result == EDGE_STORE_OK && !p->tried)
        dial(p, address);
    else if (result == EDGE_STORE_OK)
        peer_lost(p, false);
    else if (result == EDGE_STORE_ABSENT)
        peer_lost(p, true);
    else if (loop->now_ms - p->since_ms >= ASK_GIVE_UP_MS)
        peer_lost(p, false);
    else
        mer_loop_arm(loop, &p->timer, ASK_AGAIN_MS + mer_rng_below(&p->bus->conf.rng, ASK_AGAIN_MS));
}

static void ask(struct bus_peer *p)
{
    struct edge_bus *b = p->bus;
    if (p->asked)
        return; /* of an earlier life; its answer will do */
    b->values[M_LOOKUPS]++;
    p->asked = edge_store_live_get(b->conf.store, p->incarnation, on_address, p) == MER_OK;
    if (!p->asked)
        mer_loop_arm(b->conf.loop, &p->timer, ASK_AGAIN_MS);
}

static void start_asking(struct bus_peer *p)
{
    set_state(p, PEER_ASKING);
    ask(p);
}

static void close_if_idle(struct bus_peer *p)
{
    struct edge_bus *b = p->bus;
    uint64_t idle_ms = b->conf.loop->now_ms - p->used_ms;
    if (idle_ms < IDLE_MS || p->link != p->dial) { /* the side that dialled closes */
        mer_loop_arm(b->conf.loop, &p->timer, idle_ms < IDLE_MS ? IDLE_MS - idle_ms : IDLE_MS);
        return;
    }
    b->values[M_IDLE_CLOSED]++;
    p->link = NULL; /* nothing was in flight: nobody has to be told */
    drop_dial(p);
    peer_release(p);
}

/* Nobody at the address: dead, whatever its liveness key still says; a claim is safe in any case, the fence decides. */
static void look_at_dial(struct bus_peer *p)
{
    struct mer_loop *loop = p->bus->conf.loop;
    if (mer_link_absent(p->dial)) {
        peer_lost(p, true);
    } else if (loop->now_ms - p->since_ms < DIAL_GIVE_UP_MS) {
        mer_loop_arm(loop, &p->timer, DIAL_LOOK_MS);
    } else {
        drop_dial(p);
        p->tried = true;
        start_asking(p);
    }
}

static void on_timer(struct mer_timer *t)
{
    struct bus_peer *p = MER_CONTAINER_OF(t, struct bus_peer, timer);
    switch (p->state) {
    case PEER_ASKING:
        if (p->bus->conf.loop->now_ms - p->since_ms >= ASK_GIVE_UP_MS)
            peer_lost(p, false);
        else
            ask(p);
        break;
    case PEER_DIALLING:
        look_at_dial(p);
        break;
    case PEER_UP:
        close_if_idle(p);
        break;
    case PEER_DEAD:
        peer_release(p);
        break;
    case PEER_IDLE:
        break;
    }
}

/* ---- messages ------------------------------------------------------------------------------------------------------------------------ */

static void dispatch(struct edge_bus *b, const Meridian__Internal__V1__BusMessage *m)
{
    unsigned kind = m->body_case;
    if (kind < KINDS && b->handler[kind].cb != NULL)
        b->handler[kind].cb(b->handler[kind].ctx, m);
    else
        b->values[M_IGNORED]++; /* a newer version's kind */
}

/* True when something was delivered: what it caused leaves in this turn too. */
static bool on_loopback(struct mer_hook *h)
{
    struct edge_bus *b = MER_CONTAINER_OF(h, struct edge_bus, hook);
    if (b->loopback.len == 0)
        return false;
    struct mer_buf now = b->loopback;
    b->loopback = b->loopback_now;
    b->loopback_now = now;
    for (size_t at = 0; at < now.len;) {
        uint32_t n;
        memcpy(&n, now.data + at, sizeof n);
        Meridian__Internal__V1__BusMessage *m = meridian__internal__v1__bus_message__unpack(NULL, n, now.data + at + sizeof n);
        at += sizeof n + n;
        if (m == NULL) { /* memory is out: as if the link had lost it */
            b->values[M_DROPPED] += n;
            continue;
        }
        dispatch(b, m);
        meridian__internal__v1__bus_message__free_unpacked(m, NULL);
    }
    mer_buf_clear(&b->loopback_now);
    return true;
}

static void on_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    struct edge_bus *b = ctx;
    struct bus_peer *p = mer_link_user(l);
    Meridian__Internal__V1__BusMessage *m = meridian__internal__v1__bus_message__unpack(NULL, len, payload);
    if (m == NULL || strcmp(m->from, p->incarnation) != 0) {
        b->values[M_BAD]++;
        MER_LOG_RATE(b->conf.log, MER_WARN, "bus.bad_message", KV_STR("peer", p->incarnation),
                     KV_STR("why", m == NULL ? "not a bus message" : "another sender's name"));
        mer_link_reset(l);
    } else {
        p->used_ms = b->conf.loop->now_ms;
        b->values[M_RECEIVED]++;
        dispatch(b, m);
    }
    if (m != NULL)
        meridian__internal__v1__bus_message__free_unpacked(m, NULL);
}

static void send_waiting(struct bus_peer *p)
{
    for (size_t at = 0; at < p->waiting.len;) {
        uint32_t n;
        memcpy(&n, p->waiting.data + at, sizeof n);
        /* A fresh link takes far more than may wait; if not, it is lost like anything in flight when a link goes down. */
        if (mer_link_send(p->link, p->waiting.data + at + sizeof n, n) != MER_OK)
            p->bus->values[M_DROPPED] += n;
        at += sizeof n + n;
    }
    mer_buf_clear(&p->waiting);
    mer_buf_trim(&p->waiting);
}

static void on_up(void *ctx, struct mer_link *l, const struct mer_link_peer *who)
{
    struct edge_bus *b = ctx;
    struct bus_peer *p = mer_map_gets(&b->peers, who->incarnation);
    if (p == NULL)
        p = peer_add(b, who->incarnation);
    if (p == NULL) {
        mer_link_close(l); /* memory is out; its user is NULL, on_down knows */
        return;
    }
    if (p->dial != l)
        drop_dial(p);
    mer_link_set_user(l, p);
    p->link = l;
    p->tried = false;
    p->used_ms = b->conf.loop->now_ms;
    set_state(p, PEER_UP);
    mer_loop_arm(b->conf.loop, &p->timer, IDLE_MS);
    send_waiting(p);
}

static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    (void)ctx, (void)why;
    struct bus_peer *p = mer_link_user(l);
    if (p == NULL || p->link != l)
        return;
    p->link = NULL;
    peer_lost(p, false);
}

static const struct mer_link_cbs link_cbs = {on_up, on_message, on_down};

/* ---- public -------------------------------------------------------------------------------------------------------------------------- */

static enum mer_err open_links(struct edge_bus *b, struct mer_msg *msg)
{
    const struct edge_bus_conf *c = &b->conf;
    struct mer_links_conf lc = {.loop = c->loop,
                                .log = c->log,
                                .rng = c->rng,
                                .metrics = c->metrics,
                                .cbs = &link_cbs,
                                .ctx = b,
                                .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE,
                                .region = c->region,
                                .id = c->id,
                                .incarnation = c->incarnation,
                                .tls_client = c->tls_client,
                                .tls_server = c->tls_server,
                                .peer_roles = 1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE,
                                .name = "bus"};
    enum mer_err err = mer_links_create(&b->links, &lc);
    return err == MER_OK ? mer_links_listen(b->links, c->listen, msg) : err;
}

enum mer_err edge_bus_create(struct edge_bus **out, const struct edge_bus_conf *conf, struct mer_msg *msg)
{
    struct edge_bus *b = mer_try_calloc(1, sizeof *b);
    if (b == NULL)
        return MER_ENOMEM;
    b->conf = *conf;
    uint64_t seed[2] = {mer_rng_u64(&conf->rng), mer_rng_u64(&conf->rng)};
    mer_map_init(&b->peers, peer_key, seed);
    mer_buf_init(&b->loopback, LOOPBACK_MAX);
    mer_buf_init(&b->loopback_now, LOOPBACK_MAX);
    b->hook.cb = on_loopback;
    mer_loop_hook_add(conf->loop, MER_PHASE_LOOPBACK, &b->hook);
    mer_metrics_add(conf->metrics, &b->set, metrics, M_COUNT, b->values);
    b->scratch = mer_try_malloc(MER_LINK_PAYLOAD_MAX);
    enum mer_err err = b->scratch == NULL ? MER_ENOMEM : open_links(b, msg);
    if (err != MER_OK) {
        edge_bus_destroy(b);
        return err;
    }
    *out = b;
    return MER_OK;
}

void edge_bus_on(struct edge_bus *b, Meridian__Internal__V1__BusMessage__BodyCase kind, edge_bus_cb cb, void *ctx)
{
    MER_ASSERT((unsigned)kind < KINDS);
    b->handler[kind].cb = cb;
    b->handler[kind].ctx = ctx;
}

void edge_bus_on_peer_down(struct edge_bus *b, void (*cb)(void *ctx, const char *incarnation, bool dead), void *ctx)
{
    MER_ASSERT(b->down_count < DOWN_LISTENERS);
    b->down[b->down_count].cb = cb;
    b->down[b->down_count++].ctx = ctx;
}

/* Packs m behind its length. */
static enum mer_err append(struct mer_buf *buf, const Meridian__Internal__V1__BusMessage *m, size_t size)
{
    uint32_t n = (uint32_t)size;
    enum mer_err err = mer_buf_reserve(buf, sizeof n + size);
    if (err != MER_OK)
        return err;
    memcpy(buf->data + buf->len, &n, sizeof n);
    meridian__internal__v1__bus_message__pack(m, buf->data + buf->len + sizeof n);
    buf->len += sizeof n + size;
    return MER_OK;
}

static enum mer_err send_to_peer(struct edge_bus *b, const char *to, const Meridian__Internal__V1__BusMessage *m, size_t size)
{
    struct bus_peer *p = mer_map_gets(&b->peers, to);
    if (p == NULL)
        p = peer_add(b, to);
    if (p == NULL)
        return MER_ENOMEM;
    if (p->state == PEER_DEAD)
        return MER_ECLOSED;
    if (p->state == PEER_UP) {
        p->used_ms = b->conf.loop->now_ms;
        meridian__internal__v1__bus_message__pack(m, b->scratch);
        enum mer_err sent = mer_link_send(p->link, b->scratch, size);
        return sent == MER_ECLOSED ? MER_EBUSY : sent; /* a link that just broke, to be told in a moment: no word of a dead peer */
    }
    enum mer_err err = append(&p->waiting, m, size);
    if (p->state == PEER_IDLE)
        start_asking(p); /* also when this one did not fit: never an entry without a way on */
    return err;
}

enum mer_err edge_bus_send(struct edge_bus *b, const char *to, Meridian__Internal__V1__BusMessage *m)
{
    unsigned kind = m->body_case, first = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SEAT_OPEN;
    MER_ASSERT(kind >= first && kind < KINDS);
    m->from = (char *)b->conf.incarnation;
    size_t size = meridian__internal__v1__bus_message__get_packed_size(m);
    if (size > MER_LINK_PAYLOAD_MAX)
        return MER_ERANGE;
    enum mer_err err;
    if (strcmp(to, b->conf.incarnation) == 0) {
        err = append(&b->loopback, m, size);
        b->values[M_LOOPBACK]++;
    } else {
        err = send_to_peer(b, to, m, size);
    }
    if (err != MER_OK)
        b->values[M_REFUSED]++;
    else
        b->values[M_SENT + kind - first]++;
    return err;
}

const char *edge_bus_address(const struct edge_bus *b)
{
    return mer_links_address(b->links);
}

const char *edge_bus_incarnation(const struct edge_bus *b)
{
    return b->conf.incarnation;
}

void edge_bus_destroy(struct edge_bus *b)
{
    if (b == NULL)
        return;
    mer_links_destroy(b->links);
    uint32_t pos = 0;
    for (struct bus_peer *p; (p = mer_map_next(&b->peers, &pos)) != NULL; pos = 0)
        peer_release(p);
    mer_map_deinit(&b->peers);
    mer_loop_hook_remove(&b->hook);
    mer_metrics_remove(&b->set);
    mer_buf_deinit(&b->loopback);
    mer_buf_deinit(&b->loopback_now);
    free(b->scratch);
    free(b);
}
