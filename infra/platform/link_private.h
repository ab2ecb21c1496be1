/* SPDX-License-Identifier: Apache-2.0
 * link_private.h - what link.c (life of links) and link_frame.c (what is said on them) share. */
#pragma once

#include <meridian/link.h>

#include "meridian/internal/v1/internal.pb-c.h"

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_OPENING, LINK_UP };

enum link_metric {
    M_UP,
    M_OPENED,
    M_CLOSED,
    M_HOSTILE,
    M_DUPLICATE,
    M_SILENT,
    M_DIAL_FAILED,
    M_REFUSED,
    M_TLS_FAILED,
    M_IMPOSTOR,
    M_IN,
    M_OUT,
    M_BYTES_IN,
    M_BYTES_OUT,
    M_REPEATED,
    M_HEARTBEATS,
    M_BUSY,
    M_COUNT
};

struct mer_links {
    struct mer_links_conf conf;
    struct mer_listener *listener;
    struct mer_list all; /* of struct mer_link */
    uint32_t accepted;
    bool destroyed;
    uint8_t *scratch; /* one frame with its length */
    char names[M_COUNT][64];
    struct mer_metric_def defs[M_COUNT];
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
    struct mer_deferred free_later;
};

/* Timer: DOWN and dialled: next attempt. Else: the tick (heartbeat, silence), armed as long as there is a stream. */
/* One refused dial may be a process between bind and listen. */
enum { ABSENT_DIALS = 2 };

struct mer_link {
    struct mer_list node;
    struct mer_links *links;
    struct mer_stream *stream; /* NULL when DOWN */
    void *user;
    enum link_state state;
    bool dialled, closed, in_down;
    char *address, *expect; /* dialled: where to, and who must be there (or NULL) */
    char *twin;             /* dialled: the incarnation another link won for; not dialled again while that is up */
    unsigned attempts;
    uint8_t absent; /* dials in a row that found nobody there */
    struct mer_timer timer;
    uint64_t heard_ms, sent_ms, ticked_ms, up_ms;
    struct mer_link_reader reader;
    struct mer_link_peer peer; /* strings are ours */
    uint64_t seq_out, seq_in, acked;
    uint32_t credit;        /* messages we may send */
    uint32_t allowed, owed; /* messages the peer may send; those taken since the last grant */
    uint32_t ping, rtt_us;  /* number of the last one; round trip, 0: not known */
    uint64_t pinged_us;     /* 0: none under way */
    uint64_t ping_ms;       /* when that was, also of one that was answered */
    struct mer_buf waiting; /* payloads without credit, each behind its length (host order, 4 bytes) */
    struct mer_deferred free_later;
};

/* Goes DOWN from any state with a stream: tells the user if it was up; then waits for the next attempt, or is released. */
void mer__link_down(struct mer_link *l, enum link_metric cause, const char *why);
/* Another link to the same incarnation won. */
void mer__link_lost_to_twin(struct mer_link *l, const char *incarnation);
/* Every whole frame in what arrived; stops when the link goes down. */
void mer__link_frames(struct mer_link *l);
void mer__link_say_hello(struct mer_link *l);
/* A heartbeat that asks for the round trip too, unless an answer is still awaited. */
void mer__link_ping(struct mer_link *l);
/* Sequence and acknowledgement without a payload. */
void mer__link_heartbeat(struct mer_link *l);
