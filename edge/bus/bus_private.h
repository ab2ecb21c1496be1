/* SPDX-License-Identifier: Apache-2.0
 * bus_private.h - what the files of the bus share.
 *
 *   bus.c      messages: packing, handlers, the loopback, metrics, the public functions
 *   peers.c    the other edges: finding, waiting for, losing and forgetting them
 *   links.c    carrier: direct links
 *   pubsub.c   carrier: Redis' sharded pub/sub
 *   far_peers.c   carrier: the routers, for edges of other regions
 *   lives.c    of these two, with pair.c (pure): what makes lives in which nothing is lost of carriers that lose
 *
 * A carrier knows how to reach a peer and to bring payloads to it; whatever both must do the same way is in peers.c. */
#pragma once

#include <meridian/map.h>

#include "edge/bus/bus.h"
#include "edge/bus/far.h"
#include "edge/bus/pair.h"

enum peer_state { PEER_IDLE, PEER_ASKING, PEER_REACHING, PEER_UP, PEER_DEAD };

/* Timer: ASKING: ask again. REACHING: look, give up. UP: look whether it is idle. DEAD: forget. */
struct bus_peer {
    struct edge_bus *bus; /* NULL: the bus is gone, only answers are awaited */
    const struct bus_carrier *carrier;
    char *incarnation;
    enum peer_state state;
    struct mer_buf waiting; /* payloads, each behind its length (host order, 4 bytes) */
    struct mer_timer timer;
    uint64_t since_ms, used_ms;
    uint32_t owed; /* answers that are due and point here: freed with the last of them */
    bool asked;    /* one of them is the store's */
    bool wanted;   /* somebody here has something to say; else only the peer does */
    bool tried;    /* was sought in vain: the next answer decides between dead and unreachable */
    bool released;

    struct { /* links.c */
        struct mer_link *up;
        struct mer_link *dial; /* ours; may be `up` */
    } link;
    struct { /* lives.c */
        struct edge_pair pair;
        struct mer_timer beat;
        uint64_t heard_ms, said_ms, beat_ms;
        size_t unanswered; /* pubsub.c: bytes published, of which Redis said nothing yet */
        bool knocking;     /* ... a hello is among them */
    } channel;
};

struct bus_carrier {
    enum mer_err (*open)(struct edge_bus *b, struct mer_msg *msg);
    const char *(*address)(const struct edge_bus *b);
    void (*init)(struct bus_peer *p);
    bool addressed; /* a peer is reached at the address of its liveness key; else by its name */
    /* Begin to reach a peer; address NULL when not `addressed`. */
    enum mer_err (*reach)(struct bus_peer *p, const char *address);
    /* While reaching, every look_ms: try again if need be. true: the process is known to be gone. */
    bool (*look)(struct bus_peer *p);
    uint32_t look_ms;
    /* To a peer that is up. MER_EBUSY also when it just broke. */
    enum mer_err (*send)(struct bus_peer *p, const void *payload, size_t len);
    /* Is it for this side to end a pair that is idle? */
    bool (*ends_idle)(const struct bus_peer *p);
    /* Lets go of whatever there is to the peer, without a callback. */
    void (*drop)(struct bus_peer *p, bool idle);
    void (*close)(struct edge_bus *b);
    /* Of those that lose (lives.c): send a frame; p NULL: to one who is no peer, and what becomes of it does not matter. */
    enum mer_err (*publish)(struct edge_bus *b, struct bus_peer *p, const char *to, Meridian__Internal__V1__ChannelFrame *f);
    bool (*may_begin)(const struct edge_bus *b); /* a life */
    void (*check)(struct edge_bus *b);           /* can it be that we do not hear what others say? */
};
extern const struct bus_carrier edge__bus_links, edge__bus_pubsub, edge__bus_far;

enum bus_metric {
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
};
enum {
    BUS_KINDS = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_GAME_CLAIMED + 1,
    M_COUNT = M_SENT + BUS_KINDS - MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SEAT_OPEN,
    BUS_DOWN_LISTENERS = 4, /* seats, sessions */
};

enum { BUS_LIVES_BEGUN, BUS_LIVES_GOT, BUS_LIVES_METRICS = BUS_LIVES_GOT + EDGE_PAIR_EVENT_COUNT };

struct bus_pubsub;
struct edge_bus {
    struct edge_bus_conf conf;
    const struct bus_carrier *carrier; /* within the region */
    struct edge_far *far;              /* far_peers.c; NULL: no way to other regions */
    const ProtobufCBinaryData *trace;  /* of the message that is being sent, for those who carry it: NULL when it has none */
    struct {
        bool open;
        uint64_t last; /* number given to a life */
        uint64_t values[BUS_LIVES_METRICS];
        struct mer_metric_set set;
    } lives;                   /* lives.c */
    struct mer_links *links;   /* links.c */
    struct bus_pubsub *pubsub; /* pubsub.c */
    struct mer_map peers;
    struct {
        edge_bus_cb cb;
        void *ctx;
    } handler[BUS_KINDS];
    struct {
        void (*cb)(void *ctx, const char *incarnation, bool dead);
        void *ctx;
    } down[BUS_DOWN_LISTENERS];
    unsigned down_count;
    uint8_t *scratch; /* one packed message */
    struct mer_buf loopback, loopback_now;
    struct mer_hook hook;
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
};

/* --- bus.c --- */

/* Hands a payload of the peer to its handler. false: it is no message, or bears another sender's name. */
bool edge__bus_got(struct bus_peer *p, const uint8_t *payload, size_t len);
/* Packs m behind its length. */
MER_MUST_CHECK enum mer_err edge__bus_append(struct mer_buf *buf, const Meridian__Internal__V1__BusMessage *m, size_t size);

/* --- peers.c --- */

void edge__bus_peers_init(struct edge_bus *b);
/* Everybody is forgotten, nobody is told. */
void edge__bus_peers_deinit(struct edge_bus *b);
MER_MUST_CHECK enum mer_err edge__bus_peers_send(struct edge_bus *b, const char *to, const Meridian__Internal__V1__BusMessage *m,
                                                 size_t size);
/* NULL: not known. */
struct bus_peer *edge__bus_peer_find(struct edge_bus *b, const char *incarnation);
/* Found or made; NULL: memory is out. */
struct bus_peer *edge__bus_peer_get(struct edge_bus *b, const char *incarnation);
/* The carrier is trying; the clock of giving up runs from here. */
void edge__bus_peer_reaching(struct bus_peer *p);
/* The carrier has it: what waited goes. false: not all of it could. */
bool edge__bus_peer_up(struct bus_peer *p);
/* The end of a life: listeners are told. p may be gone after it. */
void edge__bus_peer_lost(struct bus_peer *p, bool dead);
/* The other side ended an idle pair, in which nothing was lost: nobody need be told. p is gone after it. */
void edge__bus_peer_ended(struct bus_peer *p);
/* An answer that pointed to p came. false: p was forgotten meanwhile, do not touch it. */
bool edge__bus_peer_paid(struct bus_peer *p);

/* --- lives.c --- */

void edge__lives_open(struct edge_bus *b); /* once a bus, by whoever is first */
void edge__lives_close(struct edge_bus *b);
/* As the carrier's functions of these names. */
void edge__lives_init(struct bus_peer *p);
MER_MUST_CHECK enum mer_err edge__lives_send(struct bus_peer *p, const void *payload, size_t len);
void edge__lives_drop(struct bus_peer *p, bool idle);
bool edge__lives_end_idle(const struct bus_peer *p);
/* A new life of ours begins, of which the peer is to be told. */
void edge__lives_call(struct bus_peer *p);
/* A hello, a heartbeat: which of them is for the receiver to see. If it cannot be sent, the next one will. */
void edge__lives_say(struct bus_peer *p);
/* A frame of somebody over this carrier. */
void edge__lives_hear(struct edge_bus *b, const struct bus_carrier *carrier, const char *from,
                      const Meridian__Internal__V1__ChannelFrame *f);
/* LOST or SILENT. p may be gone after it. */
void edge__lives_suffer(struct bus_peer *p, enum edge_pair_event event);
