/* SPDX-License-Identifier: Apache-2.0
 * blame.h - which game this process is in the middle of, written down where it outlives the process (reliability F4).
 *
 *   begin(game) -> the core's step -> end            process ends in between: its successor (same id) reads the file and tells the store
 *
 * After three of them nobody takes the game over any more (mer1_claim). */
#pragma once

#include "edge/store/store.h"

struct edge_blame;

struct edge_blame_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_metrics *metrics;
    struct edge_store *store;
    const char *incarnation; /* this process's; kept */
    const char *path;        /* of the file, one an edge id; made when it is not there */
};

/* MER_EIO: the file cannot be made or mapped; msg says why. */
MER_MUST_CHECK enum mer_err edge_blame_create(struct edge_blame **out, const struct edge_blame_conf *conf, struct mer_msg *msg);
/* The store can be reached: tell it what the file said, until it has answered. */
void edge_blame_tell(struct edge_blame *b);
/* Around each step of a game's core; NULL is allowed and does nothing. */
void edge_blame_begin(struct edge_blame *b, const char *game_id);
void edge_blame_end(struct edge_blame *b);
/* After the store's last callback. What was not told yet stays in the file. */
void edge_blame_destroy(struct edge_blame *b);
