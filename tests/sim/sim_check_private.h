/* SPDX-License-Identifier: Apache-2.0
 * sim_check_private.h - what sim_check.c notes and sim_check_store.c holds against the store. */
#pragma once

#include "tests/sim/sim_check.h"

enum { SIM_SEATS = 4, SIM_CARDS = 100, SIM_SHOWN_SLOTS = 4096, SIM_ID = 104 };

struct sim_move {
    char user[16], game[SIM_ID], id[48];
    uint32_t card;
    bool acked;
    uint64_t version;
};
struct sim_gone {
    char user[16], game[SIM_ID];
};
struct sim_ticket {
    char id[40];
    unsigned seen;
    uint64_t first_ms;
};
/* One thing shown at one version of a game; from `kind` on compared as bytes. */
struct sim_shown {
    struct sim_shown *next;
    char user[16]; /* who saw it first */
    char game[SIM_ID];
    uint64_t version;
    uint32_t kind, seat, face, pair[2], score[SIM_SEATS];
    uint8_t scores, cards, over;
    uint8_t card_state[SIM_CARDS], card_face[SIM_CARDS];
};
struct sim_log {
    unsigned every; /* games a noted one; 0 or 1: all */
    struct sim_move *move;
    struct sim_gone *gone;
    struct sim_ticket *ticket;
    size_t moves, moves_cap, gones, gone_cap, tickets, tickets_cap;
    struct sim_shown *shown[SIM_SHOWN_SLOTS];
};
extern struct sim_log sim_log;
/* Of the primaries of all regions. */
struct sim_key;
void sim_check_keys(void (*each)(void *ctx, const struct sim_key *key), void *ctx);
/* The regions were once apart for as long as a seat there, or the promise of one, is kept (decision 19). */
bool sim_far_given_up(const char *user, const char *game);
struct sim_move *sim_move_find(const char *user, const char *game, const char *id);
