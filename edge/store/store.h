/* SPDX-License-Identifier: Apache-2.0
 * store.h - what an edge keeps in Redis, in typed C: games with their fence, players with their devices, ticket and game, and the liveness
 * of edges. A pure translation to the function library infra/redis/meridian1.lua; decisions (what to do with an unknown outcome) are the
 * caller's.
 *
 * Durable means: the callback comes after the batch's WAIT, so EDGE_STORE_OK may be shown to players. Durable are all game calls, also
 * edge_store_game_get (what is shown from a read must be as safe as what is shown from a write), and the player calls that decide something
 * (ticket_open, ticket_close, seat, unseat). Soft: connect, disconnect, player_get, live.
 *
 * Callbacks: exactly one for every call that returned MER_OK, never before it returned; none when it returned an error (MER_EBUSY: too much
 * is waiting, MER_EINVALID: an empty or too long id, MER_ENOMEM). What they are given is borrowed. ctx must live until the callback came,
 * also over edge_store_destroy, during which what is left gets its callback (UNKNOWN or AGAIN). Any call may be made inside a callback.
 * Within about 2 s a call has its answer.
 *
 * After EDGE_STORE_UNKNOWN the call may have been executed: repeat the same call (each is idempotent: same nonce, same version, same ticket
 * id answer as the first time) or read back. After EDGE_STORE_AGAIN it has certainly not been executed. */
#pragma once

#include <meridian/redis.h>

#include "edge/store/keys.h"

/* Which of them a call may give stands at the call; AGAIN and UNKNOWN may come from each. */
#define EDGE_STORE_RESULT_MAP(X) \
    X(OK, "done") \
    X(DUP, "the same write was stored before") \
    X(FENCED, "another owner has the game: stored says who") \
    X(GAP, "stored version is not the expected one: stored.version") \
    X(ABSENT, "no such key") \
    X(EXISTS, "the game exists already: stored says whose") \
    X(VOIDED, "a tombstone stands there: the game must not be created") \
    X(LOST, "somebody else was first: stored says who") \
    X(ASIDE, "set aside, because it brought down its owners: nobody may run it") \
    X(HAS_GAME, "the user has a game: player.game") \
    X(HAS_TICKET, "the user has another waiting ticket: player.ticket") \
    X(FULL, "no room there: nothing was stored") \
    X(AGAIN, "certainly not executed: try again") \
    X(UNKNOWN, "the outcome is unknown")
#define X(name, text) EDGE_STORE_##name,
enum edge_store_result { EDGE_STORE_RESULT_MAP(X) };
#undef X
const char *edge_store_result_name(enum edge_store_result r); /* "OK"; never NULL */

enum {
    EDGE_STORE_GAME_TTL_MS = 24 * 3600 * 1000,     /* architecture section 4, renewed by put and touch */
    EDGE_STORE_OVER_TTL_MS = 3600 * 1000,          /* ended games and tombstones */
    EDGE_STORE_OWED_TTL_MS = 7 * 24 * 3600 * 1000, /* ended games that somebody has not heard of: MER_INBOX_TTL_MS */
    EDGE_STORE_PLAYER_TTL_MS = 24 * 3600 * 1000,
    EDGE_STORE_LIVE_TTL_MS = 10 * 1000,
    EDGE_STORE_LIVE_PERIOD_MS = 3 * 1000,
    EDGE_STORE_LIVE_HELD_MS = 8 * 1000, /* of the lifetime, how much an edge counts on; the rest is for clocks that differ */
    EDGE_STORE_SWEEP_MS = 30 * 1000,    /* how often an owner should touch each of its games */
    EDGE_STORE_RECORD_MAX = 64 * 1024,  /* bytes of a game record */
};

/* Who may store a game; compared whole by Redis. */
struct edge_fence {
    uint64_t generation, epoch, nonce;
};
static inline bool edge_fence_equal(const struct edge_fence *a, const struct edge_fence *b)
{
    return a->generation == b->generation && a->epoch == b->epoch && a->nonce == b->nonce;
}

/* What Redis has of a game. Fields that a result does not name are 0, NULL or "". */
struct edge_stored {
    uint64_t version;
    struct edge_fence fence;
    const char *owner; /* incarnation; "" when the game is over */
    const uint8_t *record;
    size_t record_len;
    uint64_t time_ms; /* Redis' clock when it executed the call; 0 with AGAIN and UNKNOWN */
};
/* stored is never NULL. */
typedef void (*edge_store_game_cb)(void *ctx, enum edge_store_result result, const struct edge_stored *stored);

struct edge_device {
    const char *device, *edge, *session; /* edge: incarnation */
};
/* Strings are "" when there is none, never NULL. */
struct edge_player {
    const char *game, *game_owner;                /* unfinished game (an intent: verify against the game) and a hint who hosts it */
    const char *ticket, *ticket_edge;             /* waiting and not past its expiry */
    uint64_t ticket_expires_at_ms;                /* Redis' clock */
    const char *previous_edge, *previous_session; /* player_connect: what the entry of this device said before */
    const struct edge_device *devices;            /* all entries; player_connect: without the connecting device itself */
    size_t device_count;
    uint64_t waiting_events; /* player_connect: in his inbox */
    uint64_t time_ms;
};
/* player is never NULL. */
typedef void (*edge_store_player_cb)(void *ctx, enum edge_store_result result, const struct edge_player *player);
/* result OK with the value, ABSENT with "", AGAIN or UNKNOWN with "". */
typedef void (*edge_store_text_cb)(void *ctx, enum edge_store_result result, const char *value);

struct edge_store;
struct edge_store_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_metrics *metrics;
    struct mer_redis *redis; /* kept; created with library "meridian1"; must outlive the store's last callback: destroy it first */
    const char *incarnation; /* this edge's; kept */
};

MER_MUST_CHECK enum mer_err edge_store_create(struct edge_store **out, const struct edge_store_conf *conf);
/* Call after mer_redis_destroy (which ends all outstanding calls). */
void edge_store_destroy(struct edge_store *s);

/* Redis' clock as estimated from the last answers, monotone; the wall clock until the first answer. */
uint64_t edge_store_now_ms(struct edge_store *s);
/* Slot of a game: for mer_redis_on_primary_change, to find the games that have to be verified after a promotion. */
uint16_t edge_store_game_slot(const char *gid);

/* --- games ------------------------------------------------------------------------------------------------------------------------- */

struct edge_store_write {
    const char *gid;
    struct edge_fence fence;   /* mine, whole */
    uint64_t expected_version; /* put, end: the stored version this one follows */
    uint64_t version;          /* of the record; create: the first */
    const void *record;        /* copied; at most EDGE_STORE_RECORD_MAX */
    size_t record_len;
    bool owed; /* end: somebody is still to be told of it, so the record stays as long as an inbox would */
};

/* A new game owned by this incarnation. OK (also when repeated with the same nonce, as long as no later version was stored); EXISTS
 * (stored.version, fence, owner); VOIDED. */
MER_MUST_CHECK enum mer_err edge_store_game_create(struct edge_store *s, const struct edge_store_write *w, edge_store_game_cb cb,
                                                   void *ctx);
/* The next version of a game of mine. OK; DUP (version stored already under my fence); FENCED (stored.fence, owner); GAP (stored.version);
 * ABSENT (also a tombstone). */
MER_MUST_CHECK enum mer_err edge_store_game_put(struct edge_store *s, const struct edge_store_write *w, edge_store_game_cb cb, void *ctx);
/* As put, for the last version: the game is owned by nobody from then on and goes after an hour, or what is owed after a week. DUP when it
 * was ended by the same call. */
MER_MUST_CHECK enum mer_err edge_store_game_end(struct edge_store *s, const struct edge_store_write *w, edge_store_game_cb cb, void *ctx);
/* The owner's sweep: renews the lifetime. OK (stored.version = version); GAP (stored.version); FENCED; ABSENT. */
MER_MUST_CHECK enum mer_err edge_store_game_touch(struct edge_store *s, const char *gid, const struct edge_fence *fence, uint64_t version,
                                                  edge_store_game_cb cb, void *ctx);
/* OK (everything in stored; owner "" = over); ABSENT; VOIDED; ASIDE (everything: the rules must not see the record). */
MER_MUST_CHECK enum mer_err edge_store_game_get(struct edge_store *s, const char *gid, edge_store_game_cb cb, void *ctx);
/* Takes over a game from `owner` (as seen: generation, epoch, owner; the nonce of `seen` is not compared). OK: stored is everything, with
 * my new fence (epoch + 1, `nonce`) and owner = me; also when repeated with the same nonce. LOST (stored.fence, owner); ABSENT; ASIDE (now,
 * or before). */
MER_MUST_CHECK enum mer_err edge_store_game_claim(struct edge_store *s, const char *gid, const struct edge_fence *seen, const char *owner,
                                                  uint64_t nonce, edge_store_game_cb cb, void *ctx);
/* Makes sure that a create still under way somewhere fails. OK (also repeated); EXISTS (too late: stored.version, fence, owner). */
MER_MUST_CHECK enum mer_err edge_store_game_void(struct edge_store *s, const char *gid, edge_store_game_cb cb, void *ctx);

/* `incarnation` ended within a step of this game; three such and the next claim sets the game aside (reliability F4). OK (also repeated);
 * ABSENT. */
MER_MUST_CHECK enum mer_err edge_store_game_blame(struct edge_store *s, const char *gid, const char *incarnation, edge_store_game_cb cb,
                                                  void *ctx);

/* Games of one bucket that an incarnation owns. gids is borrowed, unordered; result OK, AGAIN or UNKNOWN. Soft. */
typedef void (*edge_store_gids_cb)(void *ctx, enum edge_store_result result, const char *const *gids, size_t count);
MER_MUST_CHECK enum mer_err edge_store_owned(struct edge_store *s, uint32_t bucket, const char *incarnation, edge_store_gids_cb cb,
                                             void *ctx);

/* --- players ------------------------------------------------------------------------------------------------------------------------ */

/* Writes (device -> this incarnation, session) and answers what was there: OK with everything. Repeating it is harmless; previous_* are
 * then one's own. */
MER_MUST_CHECK enum mer_err edge_store_player_connect(struct edge_store *s, const char *user, const char *device, const char *session,
                                                      edge_store_player_cb cb, void *ctx);
/* Deletes the device's entry if it still names that session: OK; LOST (a newer session stands there, or none). */
MER_MUST_CHECK enum mer_err edge_store_player_disconnect(struct edge_store *s, const char *user, const char *device, const char *session,
                                                         edge_store_player_cb cb, void *ctx);
/* OK with everything; an unknown user has no game, ticket or device. */
MER_MUST_CHECK enum mer_err edge_store_player_get(struct edge_store *s, const char *user, edge_store_player_cb cb, void *ctx);
/* One waiting ticket a user, held by this edge. OK (repeated: lifetime renewed; player.ticket_expires_at_ms, player.time_ms); HAS_GAME
 * (player.game, game_owner); HAS_TICKET (player.ticket, ticket_edge). */
MER_MUST_CHECK enum mer_err edge_store_ticket_open(struct edge_store *s, const char *user, const char *ticket, uint64_t lifetime_ms,
                                                   edge_store_player_cb cb, void *ctx);
/* Removes the ticket if it is that one: OK; LOST (another, or none: player.game, player.ticket tell what is there). */
MER_MUST_CHECK enum mer_err edge_store_ticket_close(struct edge_store *s, const char *user, const char *ticket, edge_store_player_cb cb,
                                                    void *ctx);
/* The ticket becomes the game, hosted by incarnation `owner`: OK (also repeated); LOST (the ticket is not that one any more: player.game,
 * player.ticket). An expired ticket that nobody replaced still becomes the game. */
MER_MUST_CHECK enum mer_err edge_store_player_seat(struct edge_store *s, const char *user, const char *ticket, const char *gid,
                                                   const char *owner, edge_store_player_cb cb, void *ctx);
/* The game is over for this user: OK when it was that game (or none), LOST (player.game is another). */
MER_MUST_CHECK enum mer_err edge_store_player_unseat(struct edge_store *s, const char *user, const char *gid, edge_store_player_cb cb,
                                                     void *ctx);

/* As player_unseat; with the game, how it ended goes into his inbox (a packed state.v1.Event, copied), once: when his record still named
 * it. Unless the inbox is full. player.waiting_events is what is there then. */
struct edge_store_result_event {
    const void *payload;
    size_t len;
};
MER_MUST_CHECK enum mer_err edge_store_player_settle(struct edge_store *s, const char *user, const char *gid,
                                                     const struct edge_store_result_event *e, edge_store_player_cb cb, void *ctx);

/* --- liveness ----------------------------------------------------------------------------------------------------------------------- */

/* Keeps live:{bN}:<this incarnation> = bus address alive until stopped; what fails is tried again with the next period. */
void edge_store_live_start(struct edge_store *s, const char *bus_address);
/* Stops renewing and deletes the key, so that others see a clean end at once. */
void edge_store_live_stop(struct edge_store *s);
/* Nobody can take this edge for dead now: its key was renewed lately enough, by its own clock. */
bool edge_store_live_held(const struct edge_store *s);
/* How often a renewal came after that had ended: in between somebody may have claimed its games. */
uint32_t edge_store_live_lapses(const struct edge_store *s);
/* Bus address of an incarnation: OK; ABSENT (it is dead: its key is gone although its shard has been up for a lifetime); AGAIN also when
 * the key is gone and nobody can know why. */
MER_MUST_CHECK enum mer_err edge_store_live_get(struct edge_store *s, const char *incarnation, edge_store_text_cb cb, void *ctx);
