/* SPDX-License-Identifier: Apache-2.0
 * run.h - a run of the load generator: what all players share. Everything happens in one thread around one epoll set; time is microseconds
 * of the monotonic clock.
 *
 * Open loop: moves are due every 1/rate seconds whatever the servers do. Players whose turn it is stand in a queue; whoever is at its head
 * makes the move that is due, so the length of the queue is the time they "think". When servers are slow the queue runs dry, moves are
 * late, and because latency counts from the time a move was due, that shows. With --think there is no common rate: each player moves a
 * while after his turn came, so that the load is as much as the players who are let in make, and latency counts from the sending. */
#pragma once

#include <signal.h>
#include <stdio.h>

#include <meridian/clock.h>
#include <meridian/map.h>
#include <meridian/token.h>
#include <meridian/wheel.h>

#include "meridian/client/v1/client.pb-c.h"
#include "tests/load/game.h"
#include "tests/load/hist.h"
#include "tests/load/lanes.h"
#include "tests/load/measure.h"
#include "tests/load/net.h"
#include "tests/load/options.h"

enum load_phase { LOAD_RAMP, LOAD_WARMUP, LOAD_STEADY, LOAD_DRAIN, LOAD_DONE };

/* Times of the measured phase. */
#define LOAD_TIME_MAP(X) \
    X(OK_SAME, "move -> move_ok, same edge") \
    X(OK_CROSS, "move -> move_ok, across edges") \
    X(SEEN_SAME, "move -> opponent, same edge") \
    X(SEEN_CROSS, "move -> opponent, across edges") \
    X(LATE, "  of these: due -> sent") \
    X(SENT_OK, "  sent -> move_ok") \
    X(SENT_SEEN, "  sent -> opponent") \
    X(MATCHED, "find_match -> matched") \
    X(CONNECTED, "connect -> connected") \
    X(RECONNECTED, "drop -> back in the session") \
    X(ELSEWHERE, "region gone -> connected elsewhere") \
    X(NEW_GAME, "region gone -> new game elsewhere")
#define X(name, text) LOAD_TIME_##name,
enum load_time { LOAD_TIME_MAP(X) LOAD_NTIMES };
#undef X

enum { LOAD_ERROR_CODES = 18, LOAD_CLOSE_CODES = 16, LOAD_MEMORY_SAMPLES = 64, LOAD_SECONDS = 1200 };
struct load_code { /* something counted by a number */
    int code;
    uint64_t count;
};

struct load_count {
    uint64_t moves, moves_ok, repeated, refused, unanswered, starved, missed_pairs, stuck;
    uint64_t matches_same, matches_cross, games_started, games_ended, gaps, snapshots, stray;
    uint64_t connects, connect_failures, drops, lost, reconnects, replayed, gone, snapshot_resumes;
    uint64_t tickets_expired, messages, pauses, results;
    uint64_t silent, cut; /* connections and requests without an answer for 10 s; connections ended before an answer */
    uint64_t errors[LOAD_ERROR_CODES];
    struct load_code closes[LOAD_CLOSE_CODES];   /* close codes that came */
    struct load_code statuses[LOAD_CLOSE_CODES]; /* HTTP statuses that were not 101 */
};

struct load_second { /* one line of progress */
    uint64_t at_ms;  /* wall clock, of its end */
    uint32_t online, playing, seeking;
    uint64_t moves_ok, p50_us, p99_us, max_us;
};

struct load_failover {
    uint64_t failed_us, back_us; /* 0: not yet */
    uint32_t again, home;        /* players in a new game elsewhere; at home again */
    uint64_t surveys, pings;
    bool complete;                  /* all that was to happen did */
    uint32_t returns[LOAD_SECONDS]; /* a second since it was back */
    struct mer_list spare_pings;
};

struct load_player;
struct load_roam;
struct load_run {
    struct load_options o;
    struct load_endpoints endpoints;
    struct load_net net;
    struct mer_clock clock;
    struct mer_rng_seeded rng_state;
    struct mer_rng rng;
    struct mer_keys *keys;
    struct mer_wheel wheel;
    struct load_lanes lanes;
    struct mer_map games;  /* by id */
    struct mer_list ready; /* players to move, by `ready` */
    struct load_player *player;
    struct load_roam *roam; /* a player; NULL but in mode failover */
    struct load_failover failover;
    uint32_t players, arrived, online, playing, seeking;
    enum load_phase phase;
    bool interrupted;
    char tag[12]; /* of this run: users and moveIds are new in each */
    uint64_t now_us, start_us, phase_us, steady_from_us, steady_to_us;
    uint64_t next_move_us;
    bool starved; /* it is due, and nobody has the turn */
    struct load_hist time[LOAD_NTIMES];
    struct load_hist second_ok;      /* move_ok of the last second, for the progress line */
    struct load_count count, steady; /* steady: counts of the measured phase alone */
    double games_sum;                /* of running games, sampled in the measured phase */
    uint64_t games_samples;
    struct load_faults faults;
    struct load_sample before, after; /* of the servers, around the measured phase */
    uint64_t sampled_missed;          /* pairs missed between the two */
    struct {                          /* mode idle: the edges' memory, in the order it was taken */
        char when[32];
        uint32_t online;
        int64_t bytes; /* grown by since before the first player */
    } memory[LOAD_MEMORY_SAMPLES];
    unsigned memories;
    struct load_second second[LOAD_SECONDS];
    unsigned seconds;
    uint64_t second_us, second_moves; /* the progress line: when it is due, moves told so far */
    FILE *journal;                    /* NULL: none is kept */
    struct mer_buf scratch;
};

/* 0 or an exit code; what went wrong at the start is told on stderr. */
int load_run_init(struct load_run *r, const struct load_options *o);
void load_run_deinit(struct load_run *r);
/* Everything: arrive, warm up, measure, drain. *interrupted cuts it short. */
void load_run_play(struct load_run *r, volatile sig_atomic_t *interrupted);
void load_run_idle(struct load_run *r, volatile sig_atomic_t *interrupted);
void load_run_connect(struct load_run *r, volatile sig_atomic_t *interrupted);
struct load_told { /* by signals */
    volatile sig_atomic_t interrupted, failed, back;
};
void load_run_failover(struct load_run *r, struct load_told *told);
/* One turn: events and timers, at most until `until_us`. */
void load_run_turn(struct load_run *r, uint64_t until_us);
/* Turns until then, or until interrupted. */
void load_run_for(struct load_run *r, uint64_t us, volatile sig_atomic_t *interrupted);
/* Lets players arrive over o.ramp_s; false when not all were online in time. */
bool load_run_arrive(struct load_run *r, volatile sig_atomic_t *interrupted);

/* Do players play in this mode? */
static inline bool load_run_plays(const struct load_run *r)
{
    return r->o.mode == LOAD_PLAY || r->o.mode == LOAD_FAILOVER;
}
/* Was a move that was due then part of the measured phase? */
static inline bool load_run_measures(const struct load_run *r, uint64_t due_us)
{
    return r->steady_from_us && due_us >= r->steady_from_us && (r->steady_to_us == 0 || due_us < r->steady_to_us);
}
void load_run_time(struct load_run *r, enum load_time t, uint64_t from_us);
void load_run_arm(struct load_run *r, struct mer_timer *t, uint64_t delay_ms);
void load_code_count(struct load_code *codes, int code);
