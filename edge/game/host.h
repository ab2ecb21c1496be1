/* SPDX-License-Identifier: Apache-2.0
 * host.h - the owner's side of games: creates them on the router's word, takes requests of seat proxies (its own edge's too: over the bus's
 * loopback), stores every change before anybody sees it, sends confirmed events to every attached edge, runs turn clocks, plays the bots,
 * and forgets ended games.
 *
 * The shell around game.h (pure). Bus messages in: seat_attach, seat_detach, seat_request. Out: seat_open, seat_snapshot, seat_events,
 * seat_refused. Router message in: game_create. Out: game_created. */
#pragma once

#include <meridian/trace.h>

#include "edge/bus/bus.h"
#include "edge/bus/routers.h"
#include "edge/game/blame.h"
#include "edge/game/seat.h"
#include "edge/store/store.h"

struct edge_host;

struct edge_host_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_rng rng; /* cards are dealt with it: cryptographic */
    struct mer_metrics *metrics;
    struct edge_bus *bus;
    struct edge_routers *routers;
    struct edge_store *store;
    const char *region; /* kept */
    struct edge_seat_policy seats;
    struct edge_blame *blame; /* NULL: crashes are not remembered */
    /* There is something in this user's inbox that he may not have been told. NULL: nobody cares. */
    void (*inbox)(void *ctx, const char *user);
    void *inbox_ctx;
    struct mer_tracer *tracer; /* NULL: nothing is traced */
};

MER_MUST_CHECK enum mer_err edge_host_create(struct edge_host **out, const struct edge_host_conf *conf);
/* Take over a game whose owner is dead: its record says `seen` and `owner`. Claim, restore, go on. On MER_OK cb comes once, never before
 * this returned: MER_OK we own it; MER_EFENCED somebody else does, or it is over; MER_ENOTFOUND no such game; MER_EUNKNOWN the store does
 * not answer; MER_EINVALID the record cannot be read (alarmed); MER_EBUSY, MER_ENOMEM. On an error (MER_EINVALID, MER_ENOMEM) cb does not
 * come. */
MER_MUST_CHECK enum mer_err edge_host_adopt(struct edge_host *h, const char *game_id, const struct edge_fence *seen, const char *owner,
                                            void (*cb)(void *ctx, const char *game_id, enum mer_err err), void *ctx);
uint32_t edge_host_games(const struct edge_host *h);
/* Does this edge own it now? */
bool edge_host_owns(const struct edge_host *h, const char *game_id);
/* Starting edges and promotions: verify every owned game of these slots against the store, paced. */
void edge_host_verify(struct edge_host *h, uint16_t slot_first, uint16_t slot_last);
/* Clears a player's record if it names this game; repeated until it is done or given up (then his next find_match clears it). */
void edge_host_unseat(struct edge_host *h, const char *user, const char *game_id);
/* The same, and tells him by his inbox how it ended (edge_game_result; copied). If it is given up his record still names the game, and who
 * reads that settles it. */
void edge_host_settle(struct edge_host *h, const char *user, const char *game_id, const struct mer_buf *result);
/* After the store's last callback. Games that go on are left to whoever claims them. Adoptions still waiting get no callback any more. */
void edge_host_destroy(struct edge_host *h);
