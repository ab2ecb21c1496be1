/* SPDX-License-Identifier: Apache-2.0
 * abroad.h - the record of a game, wherever it lies: here it is the store's, in another region any of its edges is asked (decision 19). The
 * same edges answer what those of other regions ask of ours. */
#pragma once

#include "edge/bus/far.h"
#include "edge/game/host.h"
#include "edge/store/store.h"

/* Without the region of a game for so long, a player's own edge gives his seat up: else a cut would keep him from playing at home. By then
 * it is a bot's there, or was left (R20, R21, from the moment the owner knows that he is gone), unless no owner lived to see to it: then
 * the game waits for him by the same policy once the region is back. */
enum { EDGE_ABROAD_GIVE_UP_MS = EDGE_SEAT_GRACE_MS + EDGE_SEAT_PAUSE_MS + EDGE_SEAT_ATTACH_MS };

struct edge_abroad;

struct edge_abroad_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_metrics *metrics;
    struct edge_far *far;
    struct edge_store *store;
    struct edge_host *host;
};

MER_MUST_CHECK enum mer_err edge_abroad_create(struct edge_abroad **out, const struct edge_abroad_conf *conf);
/* Does the game's record lie in another region? By its id. */
bool edge_abroad_has(const struct edge_abroad *a, const char *gid);
/* As edge_store_game_get, edge_store_game_void and edge_host_adopt, with their rules for callbacks and answers; owners of other regions are
 * named "region/incarnation". What is adopted abroad is owned by the edge that was asked: its record says who that is. */
MER_MUST_CHECK enum mer_err edge_abroad_game_get(struct edge_abroad *a, const char *gid, edge_store_game_cb cb, void *ctx);
MER_MUST_CHECK enum mer_err edge_abroad_game_void(struct edge_abroad *a, const char *gid, edge_store_game_cb cb, void *ctx);
MER_MUST_CHECK enum mer_err edge_abroad_adopt(struct edge_abroad *a, const char *gid, const struct edge_fence *seen, const char *owner,
                                              void (*cb)(void *ctx, const char *game_id, enum mer_err err), void *ctx);
/* After the store's last callback; what is under way gets its callback now (UNKNOWN). */
void edge_abroad_destroy(struct edge_abroad *a);
