/* SPDX-License-Identifier: Apache-2.0
 * session.h - a session and its user, for the files of edge/session only.
 *
 *            token good                connection lost, replaced           60 s, or taken by another edge
 *   AUTH ------------------> LIVE ------------------------------> DETACHED ------> destroyed
 *     | 10 s, bad token        ^                                     |
 *     v                        +------ resume: replayed -------------+
 *   destroyed
 *
 * Timer (one a session): AUTH: authentication deadline; LIVE: warning before the token's end, then its end; DETACHED: by a drain, how long
 * its client is expected elsewhere; then the end of the session. */
#pragma once

#include <string.h>

#include <meridian/bucket.h>
#include <meridian/id.h>
#include <meridian/invite.h>
#include <meridian/map.h>
#include <meridian/slab.h>
#include <meridian/token.h>

#include "edge/app.h"
#include "edge/limits.h"
#include "edge/session/ring.h"

#define EDGE_SESSION_STATES(X) X(AUTH) X(LIVE) X(DETACHED)
#define X(name) EDGE_SESSION_##name,
enum edge_session_state { EDGE_SESSION_STATES(X) EDGE_SESSION_NSTATES };
#undef X

enum edge_encoding { EDGE_JSON, EDGE_PROTO };

struct edge_ticket;

/* Texts lie inside their owner when they are short, as they nearly always are: small blocks that live as long as a player, scattered
 * between the short-lived ones of a handshake, would keep pages of the heap that are otherwise empty. */
enum { EDGE_USER_INSIDE = 48, EDGE_DEVICE_INSIDE = 14 };

struct edge_user {
    struct mer_list sessions;   /* LIVE and DETACHED */
    struct edge_ticket *ticket; /* opened at this edge; NULL when none */
    char *id;                   /* in `inside`, or of its own */
    char *name;                 /* behind it, or of its own; from the newest token */
    uint32_t rating;            /* 0: not told */
    uint16_t count;             /* sessions */
    uint8_t live, expected;     /* of these: with a connection; without one for a moment only, by a drain */
    struct mer_bucket rate;     /* over all devices */
    struct mer_bucket codes;    /* of invitations that he names */
    char inside[EDGE_USER_INSIDE];
};

struct edge_session {
    struct edge_sessions *all;
    struct edge_conn *conn; /* NULL when DETACHED */
    struct edge_user *user; /* NULL when AUTH */
    struct mer_list in_user;
    struct mer_timer timer;
    struct edge_ring ring;
    uint64_t serial;        /* random; the id is incarnation.serial in hex */
    uint64_t offset;        /* the last one used */
    char *device;           /* NULL when AUTH; behind its NUL the incarnation that gave the session its id, "" for this one */
    struct edge_back *back; /* take.c: an older session of this device, and the wish to go on with it; mostly NULL */
    uint32_t exp_s;         /* of the token, wall clock */
    uint32_t entered_ms;    /* when the registry took its connection, low bits of Redis' clock; 0: it has not yet */
    uint16_t minute;        /* which minute the two counts below belong to */
    uint16_t epoch;         /* of the numbering */
    struct mer_bucket rate;
    uint8_t bad, limited; /* messages this minute that were no messages / over the rate */
    uint8_t state, encoding;
    bool fresh : 1;                         /* no message since `connected`: resume is allowed */
    bool warned : 1;                        /* token_expiring was sent */
    bool registered : 1;                    /* the registry has answered */
    bool unshown : 1;                       /* owed the state of the game its user may have */
    bool missed : 1;                        /* ... and something happened there meanwhile, which is in the state to come */
    bool holding : 1;                       /* what is numbered waits in the ring until the resume is decided */
    bool taken : 1;                         /* lives on at another edge: the registry's entry is that one's */
    bool returning : 1;                     /* said so before the upgrade; a hint, not checked */
    bool draining : 1;                      /* was told to come back elsewhere */
    bool expected : 1;                      /* did not come yet: its user still counts as present */
    char device_inside[EDGE_DEVICE_INSIDE]; /* where `device` points when it fits */
};
_Static_assert(sizeof(struct edge_session) <= 168,
               "with its connection (128), its user (112) and their places in the indexes well below 512 bytes a player");

enum { EDGE_SESSION_ID_BYTES = 96 };

struct edge_sessions {
    struct edge_app *app;
    struct mer_slab slab, user_slab;
    struct mer_map by_serial, users;
    struct edge_ring_pool pool;
    struct mer_buf out;            /* one message being encoded */
    struct mer_list asking;        /* take.c: resumes that another edge was asked about */
    struct mer_list registrations; /* registry.c: under way, or waiting to be repeated */
    struct mer_timer sweep;        /* every second: what is too old to replay */
    struct mer_bucket_rate rate;
    uint64_t *values;
    struct mer_metric_set metric_set, away_set;
    struct mer_hist away; /* how long those who came back had been away (R36) */
    bool stopping;
};

/* sessions.c */
void edge__session_id(const struct edge_session *s, char out[EDGE_SESSION_ID_BYTES]);
struct edge_session *edge__session_find(struct edge_sessions *all, const char *id);
struct edge_session *edge__session_create(struct edge_sessions *all, struct edge_conn *c, enum edge_encoding encoding);
/* AUTH -> LIVE. MER_EBUSY: the user has too many devices. Detaches an older connection of the same device (3502). */
MER_MUST_CHECK enum mer_err edge__session_admit(struct edge_session *s, const struct mer_claims *claims, const char *device);
/* The session gets another identity: id as text, epoch. MER_EINVALID, MER_ENOMEM, MER_EEXISTS: unchanged. */
MER_MUST_CHECK enum mer_err edge__session_rename(struct edge_session *s, const char *id, uint64_t epoch);
/* Incarnation that gave the session its id; "" for this one. */
static inline const char *edge__session_origin(const struct edge_session *s)
{
    return s->device == NULL ? "" : s->device + strlen(s->device) + 1;
}
/* Has its player come back here after an edge that speaks for another connection of his (entered_ms 0: nobody knows when) had him? */
static inline bool edge__session_is_newer(const struct edge_session *s, uint32_t entered_ms)
{
    return s->state == EDGE_SESSION_LIVE && s->entered_ms != 0 && entered_ms != 0 && (int32_t)(s->entered_ms - entered_ms) > 0;
}
/* The old session of a resume goes on with the new one's connection; the new one is destroyed. */
void edge__session_adopt(struct edge_session *old, struct edge_session *fresh);
/* The connection is gone (or goes to a newer one): LIVE -> DETACHED, AUTH -> destroyed. */
void edge__session_detach(struct edge_session *s);
/* Its player is back, here or at another edge: counts for how long a DETACHED one was away. Before its timer is armed anew. */
void edge__session_back(struct edge_session *s);
void edge__session_destroy(struct edge_session *s);

/* send.c */
void edge__session_send(struct edge_session *s, const Meridian__Client__V1__ServerMessage *m);
/* Numbers and sends (or keeps) a message that is packed already; m is scratch for its offset. packed NULL: memory was out, and the ring
 * loses its history. */
void edge__session_number(struct edge_session *s, Meridian__Client__V1__ServerMessage *m, struct edge_msg *packed);
void edge__session_replay(struct edge_session *s, uint64_t after);
void edge__session_error(struct edge_session *s, Meridian__Client__V1__ErrorCode code, const char *text, const char *re,
                         uint32_t retry_after_ms);

/* users.c */
struct mer_key edge__user_key(const void *entry);
struct edge_user *edge__user_find(struct edge_sessions *all, const char *id);
/* The user of this token, made if need be: he is to get a session. NULL: no memory. */
struct edge_user *edge__user_get(struct edge_sessions *all, const struct mer_claims *claims);
/* Destroys the user when nothing holds him any more. */
void edge__user_release(struct edge_sessions *all, struct edge_user *u);

/* auth.c */
extern const struct edge_conn_ops edge__session_ops;
void edge__auth_opened(void *ctx, struct edge_conn *c, const struct edge_upgrade *info);
/* From `auth` or the query. Closes the connection where the token is no good. */
void edge__auth_token(struct edge_session *s, const char *token, size_t len, const char *device);
void edge__auth_arm(struct edge_session *s);
void edge__auth_connected(struct edge_session *s, int outcome, const char *reason); /* outcome 0: not a resume */

/* take.c */
/* A `resume` of a session that is not here: ask where it is. Answers by a second `connected` in any case. */
void edge__take_begin(struct edge_session *s, const Meridian__Client__V1__Resume *r);
/* The registry has answered (p), or gave up for now (NULL): where this device was before. */
void edge__take_registered(struct edge_session *s, const struct edge_player *p);
/* Any other message than `resume` came: no resume will. */
void edge__take_idle(struct edge_session *s);
/* A message behind a resume that is not decided yet: kept, and handled then. false: there is none, handle it now. */
bool edge__take_later(struct edge_session *s, enum edge_opcode op, const uint8_t *data, size_t len);
/* Was this message told before the session came here? Then its event has only taken longer on the way to this edge than to the old one. */
bool edge__take_told(const struct edge_session *s, const Meridian__Client__V1__ServerMessage *m);
void edge__take_forget(struct edge_session *s);
void edge__take_init(struct edge_app *app);

/* dispatch.c */
void edge__dispatch(struct edge_session *s, enum edge_opcode op, uint8_t *data, size_t len);

/* invites.c: what a find_match says of codes */
struct edge_invite {
    struct mer_invite code; /* text "": for anybody */
    bool hosts;             /* the table is his */
};
void edge__invites_init(struct edge_user *u, uint64_t now_ms);
/* Answered where it is false. */
bool edge__invite_read(struct edge_session *s, const Meridian__Client__V1__FindMatch *f, struct edge_invite *out);

/* registry.c */
/* quiet: a replayed session needs no snapshot. */
void edge__registry_connect(struct edge_session *s, bool quiet);
void edge__registry_disconnect(struct edge_session *s);
void edge__registry_drop(struct edge_sessions *all); /* what waits to be repeated, at the end */

/* metrics of this folder, indexes of sessions->values */
enum {
    M_SESSIONS,
    M_AUTHENTICATED,
    M_AUTH_FAILED, /* one a cause of token.h */
    M_AUTH_LATE = M_AUTH_FAILED + MER_TOKEN_NCAUSES,
    M_RENEWED,
    M_REPLACED,
    M_RESUME_REPLAYED,
    M_RESUME_SNAPSHOT,
    M_RESUME_GONE,
    M_TAKEN,
    M_IN,
    M_OUT,
    M_ERRORS,
    M_LIMITED,
    M_RING_BYTES,
    M_RING_DROPPED,
    M_REGISTRY_RETRIES,
    M_COUNT
};
