/* SPDX-License-Identifier: Apache-2.0
 * relay.h - what is sent to one other region, and when (R31; decision 18). The events themselves lie in Redis, in one outbox a bucket of
 * recipients, and only there: this is the memory of which outboxes are to be looked at and which batch is on its way, of one size however
 * much waits. Pure: reads, sends and trims are the shell's, who says how they went.
 *
 *                 marked              a place is free          a batch left            taken there
 *   CLEAN -----------------> READY ------------------> READING ------------> SENT ----------------> TRIMMING
 *     ^                       ^ ^                        |  |                  |                      |   |
 *     |                       | +---------- more --------+--|------------------|----------------------+   |
 *     +---------- empty ------|-------------- --------------+------------------|------- all gone ---------+
 *                             |                             | failed, lost     |                      | failed
 *                             +------ due ------- LATER <---+------------------+----------------------+
 *
 * One batch a bucket is on its way, so that its events arrive in order; repeating one is harmless, because the receiver's mark is raised
 * with the effect. */
#pragma once

#include <meridian/list.h>
#include <meridian/shared_keys.h>

#include "meridian/region/v1/region.pb-c.h"
#include "meridian/state/v1/state.pb-c.h"

#define ROUTER_RELAY_STATES(X) X(CLEAN) X(READY) X(READING) X(SENT) X(TRIMMING) X(LATER)
#define ROUTER_RELAY_EVENTS(X) X(MARK) X(GO) X(LEFT) X(TAKEN) X(DONE) X(MORE) X(FAIL) X(DUE)
#define X(name) ROUTER_RELAY_##name,
enum router_relay_state { ROUTER_RELAY_STATES(X) ROUTER_RELAY_NSTATES };
#undef X
#define X(name) ROUTER_RELAY_ON_##name,
enum router_relay_event { ROUTER_RELAY_EVENTS(X) ROUTER_RELAY_NEVENTS };
#undef X
const char *router_relay_state_name(enum router_relay_state s);
/* ROUTER_RELAY_NSTATES: this cannot happen there. */
enum router_relay_state router_relay_next(enum router_relay_state s, enum router_relay_event e);

struct router_relay_bucket {
    struct mer_list node;          /* in ready, sent or later */
    uint64_t due_ms;               /* SENT: when it is given up; LATER: when it is tried again */
    uint64_t settled, last;        /* SENT, TRIMMING: the batch is settled + 1 .. last */
    uint64_t generation, acked_to; /* TRIMMING: what is trimmed */
    uint32_t waiting;              /* events in the outbox, as last heard */
    uint32_t bytes;                /* SENT, TRIMMING: of the batch */
    uint32_t stored;               /* bytes of what waits, as last looked at, less what was trimmed since */
    uint8_t state;
    bool again; /* marked since the outbox was read */
    bool more;  /* the outbox held more than the batch */
};

struct router_relay_env {
    /* Read the bucket's outbox, then say empty, left or failed; not before this returns. */
    void (*read)(void *ctx, uint32_t bucket);
    void *ctx;
};

enum {
    ROUTER_R_BATCHES, /* sent */
    ROUTER_R_EVENTS,  /* settled by the other side */
    ROUTER_R_LOST,    /* batches without an answer: the link went, or it came too late */
    ROUTER_R_FAILED,  /* reads and trims that failed, batches that could not be sent or were not taken */
    ROUTER_R_STRAY,   /* answers to nothing */
    ROUTER_R_COUNT
};

struct router_relay {
    struct router_relay_env env;
    struct router_relay_bucket bucket[MER_BUCKETS];
    struct mer_list ready, sent, later; /* the latter two by due_ms */
    bool up;                            /* the other region's leader is there */
    uint32_t busy;                      /* READING, SENT, TRIMMING: at most ROUTER_RELAY_WINDOW */
    uint32_t reading;                   /* each may become a batch of ROUTER_RELAY_BYTES */
    uint64_t flight_bytes;              /* SENT, TRIMMING; with what is being read at most ROUTER_RELAY_FLIGHT_BYTES */
    uint64_t waiting;                   /* of all buckets */
    uint64_t counts[ROUTER_R_COUNT];
};

void router_relay_init(struct router_relay *r, const struct router_relay_env *env);
/* The other region can be reached from now on, or no more: what was on its way is unknown and goes again. */
void router_relay_link(struct router_relay *r, bool up, uint64_t now_ms);
/* There is something in the bucket's outbox; waiting: how much, UINT32_MAX: not known. */
void router_relay_mark(struct router_relay *r, uint32_t bucket, uint32_t waiting);
/* So many bytes wait in it, as was just looked at. */
void router_relay_stored(struct router_relay *r, uint32_t bucket, uint64_t bytes);
/* Gives up what is overdue and starts what there is a place for. At least every 100 ms, and after anything below. */
void router_relay_step(struct router_relay *r, uint64_t now_ms);

struct router_relay_batch {
    uint64_t generation, settled, last; /* settled + 1 .. last */
    uint64_t end;                       /* so far the outbox reaches */
    uint32_t bytes;
};

/* Answers to env.read: nothing there; a batch left; or neither. */
void router_relay_empty(struct router_relay *r, uint32_t bucket);
void router_relay_left(struct router_relay *r, uint32_t bucket, const struct router_relay_batch *batch, uint64_t now_ms);
void router_relay_failed(struct router_relay *r, uint32_t bucket, uint64_t now_ms);

/* The other side's answer: it has all up to `through`. True: trim the outbox up to there, then say trimmed or failed. False: nothing to do
 * (stray, or nothing was taken). */
MER_MUST_CHECK bool router_relay_acked(struct router_relay *r, uint32_t bucket, uint64_t generation, uint64_t through, uint64_t now_ms);
void router_relay_trimmed(struct router_relay *r, uint32_t bucket, uint64_t now_ms);

/* For people: sums over all buckets, and the fullest of them, fullest first. */
struct router_relay_view {
    uint64_t waiting, bytes;
    uint32_t buckets; /* in which something waits */
    uint32_t fullest[16];
    size_t fullest_count;
};
void router_relay_look(const struct router_relay *r, struct router_relay_view *out);

/* What came from another region. NULL: the batch is within all bounds; else what is wrong with it. */
const char *router_relay_batch_fault(const Meridian__Region__V1__RelayBatch *b);
/* One event of such a batch, to be freed by the caller. NULL: it is none, not of this bucket, or of a kind that this version does not know.
 */
Meridian__State__V1__Event *router_relay_event(uint32_t bucket, ProtobufCBinaryData packed);

/* The invariants, for tests and debug builds: lists and states agree, busy and waiting are the sums. */
void router_relay_check(const struct router_relay *r);
