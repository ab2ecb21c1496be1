/* SPDX-License-Identifier: Apache-2.0
 * roam.h - mode failover: a player's region, whether it is there, where else he goes, and the way home (R32). The rules and times are the
 * client library's (edge/web/client: connection.js for silence, route.js, in_turn.js, region_list.js, roam.js), written again beside
 * the generator's sessions, so that thousands of players are one process and the figures are the servers'.
 *
 *   session lost, attempt failed, dial hangs, pong late --> survey: own region? then the others, nearest first; the own once more
 *                                                           --> stay, or leave for the nearest that answers
 *   HOME --taken in elsewhere--> AWAY --home answered twice--> DUE --the time came, nothing is played--> HOME
 *
 * Timers: `watch` - a survey: every 50 ms; on the way up: the dial hangs; UP: every 250 ms, is the server silent. `home` - AWAY, DUE: looks
 * whether home is there, or it is time to go. Each ping has one of its own. Owner: the player. */
#pragma once

#include "tests/load/player.h"

enum load_roam_state { LOAD_HOME, LOAD_AWAY, LOAD_DUE };
enum { LOAD_OWN_ASKED = 3, LOAD_OTHER_ASKED = 2 };

struct load_survey {
    bool going, own_left, others,
        refused;                     /* own_left: not asked, it was tried often enough; others: they are asked, too; refused: by own */
    uint8_t own, own_silent;         /* addresses asked; of these those that refused or were given up */
    uint8_t again_silent;            /* ... when asked once more */
    uint8_t next;                    /* of the others, in order of distance */
    uint8_t other[LOAD_REGIONS_MAX]; /* pings a region */
    uint8_t other_silent[LOAD_REGIONS_MAX]; /* ... refused or given up */
    int found;                              /* region that answered; -1: none yet */
    uint64_t began_us, own_us, again_us;    /* own_us: last asked; again_us 0: not yet */
    uint64_t other_us[LOAD_REGIONS_MAX];    /* first asked */
};

struct load_roam {
    struct load_player *player;
    struct mer_timer watch, home;
    struct mer_list pings;
    uint8_t state, home_region, region; /* region: of the next attempt */
    int in_region;                      /* that took him in last; -1: none yet */
    uint8_t start, at;                  /* place in the ring of the region's addresses */
    uint8_t good;                       /* answers of home in a row */
    bool looking_home;
    uint64_t due_us, calm_us;     /* DUE: when to go; no survey because of a late pong before */
    uint64_t heard_us, pinged_us; /* pinged_us 0: no ping is open */
    bool moved, again;            /* since the fault: connected elsewhere, in a new game there */
    struct load_survey survey;
};

/* For all players; the regions are known. */
void load_roam_init(struct load_run *r);
void load_roam_deinit(struct load_run *r);
extern const struct load_net_cbs load_ping_cbs;

const struct load_url *load_roam_url(const struct load_player *p);
void load_roam_connecting(struct load_player *p);
/* A session is up; p->edge says where. */
void load_roam_up(struct load_player *p);
/* It ended, or an attempt failed. Returns the milliseconds to the next one. */
uint32_t load_roam_lost(struct load_player *p, bool was_up, uint32_t retry_ms);
/* The server named p->edge. */
void load_roam_sent(struct load_player *p);
void load_roam_leave(struct load_player *p); /* for good */
void load_roam_heard(struct load_player *p); /* any message */
void load_roam_matched(struct load_player *p);
/* Nothing is played: goes home if it is time. True: he is on his way. */
bool load_roam_goes_home(struct load_player *p);
