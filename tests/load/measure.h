/* SPDX-License-Identifier: Apache-2.0
 * measure.h - what the servers say of themselves and what the kernel says of them: CPU time, memory, counters. Blocking, so it is taken
 * before and after the measured phase, never in it. */
#pragma once

#include "tests/load/options.h"

enum load_role { LOAD_ROLE_EDGE, LOAD_ROLE_ROUTER, LOAD_ROLE_REDIS_PRIMARY, LOAD_ROLE_REDIS_REPLICA, LOAD_ROLE_SELF, LOAD_NROLES };

/* Counters summed over the edges (`meridian_` left out). */
#define LOAD_COUNTER_MAP(X) \
    X(MOVES, "edge_moves_accepted_total") \
    X(PUTS, "edge_game_puts_total") \
    X(READS, "edge_game_reads_total") \
    X(CALLS, "redis_calls_total") \
    X(BATCHES, "redis_batches_total") \
    X(WAITS, "redis_waits_total") \
    X(WAITS_SHORT, "redis_wait_short_total") \
    X(STORED_SUM, "edge_move_stored_seconds_sum") \
    X(STORED_COUNT, "edge_move_stored_seconds_count") \
    X(BUS_SENT, "edge_bus_sent_total") \
    X(GAPS, "edge_proxy_gaps_total") \
    X(TURNS, "loop_turns_total")
#define X(name, text) LOAD_COUNTER_##name,
enum load_counter { LOAD_COUNTER_MAP(X) LOAD_NCOUNTERS };
#undef X

enum { LOAD_PROCESSES_MAX = LOAD_EDGES_MAX + LOAD_ROUTERS_MAX + LOAD_REDIS_MAX + 1 };
struct load_process {
    char name[64];
    enum load_role role;
    int pid;
    uint64_t cpu_us, rss_anon_bytes;
};
struct load_sample {
    uint64_t at_us; /* wall */
    struct load_process process[LOAD_PROCESSES_MAX];
    unsigned processes;
    double counter[LOAD_NCOUNTERS];
    uint64_t machine_busy_us, machine_all_us; /* of all processors */
};

const char *load_role_name(enum load_role r);
const char *load_counter_name(enum load_counter c);
/* What cannot be had (a process of another user, a server that does not answer) is left out. */
void load_sample_take(struct load_sample *s, const struct load_options *o, const struct load_endpoints *e, uint64_t now_us);
/* CPU of a role between two samples, in microseconds; processes that ended in between do not count. */
uint64_t load_sample_cpu_us(const struct load_sample *before, const struct load_sample *after, enum load_role role, unsigned *processes);
/* RssAnon of the edges together. */
uint64_t load_sample_edge_bytes(const struct load_sample *s);
