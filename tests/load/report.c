/* SPDX-License-Identifier: Apache-2.0
 * report.c - the result for people: a line a second, then tables. Next: report_json.c, the same for scripts. */
#include "tests/load/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/load/player.h"
#include "tests/load/report_private.h"

enum { SECOND_US = 1000000 };
#define RATE_KEPT 0.95 /* of the moves asked for, or the run did not measure what it was to measure */

static double ms(uint64_t us)
{
    return (double)us / 1000;
}

const char *load__report_error_name(unsigned code)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&meridian__client__v1__error_code__descriptor, (int)code);
    return v ? v->name + strlen("ERROR_CODE_") : "?";
}

uint64_t load__report_errors(const struct load_count *c)
{
    uint64_t sum = 0;
    for (int i = 0; i < LOAD_ERROR_CODES; i++)
        sum += c->errors[i];
    return sum;
}

bool load_report_fine(const struct load_run *r)
{
    const struct load_count *c = &r->count;
    bool played = r->o.mode == LOAD_FAILOVER ? r->failover.complete : r->o.mode != LOAD_PLAY || c->moves_ok > 0;
    double asked = r->o.mode == LOAD_PLAY ? r->o.rate * load__report_seconds(r) : 0;
    bool strict = (double)r->steady.moves >= asked * RATE_KEPT && c->stuck == 0 && load__report_errors(c) == 0 && c->lost == 0 &&
                  c->connect_failures == 0 && c->unanswered == 0 && c->tickets_expired == 0;
    return load_faults_total(&r->faults) == 0 && played && (strict || !r->o.strict);
}

static void keep_second(struct load_run *r)
{
    const struct load_hist *h = &r->second_ok;
    if (r->seconds < LOAD_SECONDS)
        r->second[r->seconds++] = (struct load_second){.at_ms = r->clock.wall_ms(r->clock.ctx),
                                                       .online = r->online,
                                                       .playing = r->playing,
                                                       .seeking = r->seeking,
                                                       .moves_ok = h->count,
                                                       .p50_us = load_hist_at(h, 0.5),
                                                       .p99_us = load_hist_at(h, 0.99),
                                                       .max_us = h->max_us};
}

void load_report_progress(struct load_run *r)
{
    static const char *const phases[] = {"ramp", "warm-up", "measure", "drain", "done"};
    if (r->now_us < r->second_us)
        return;
    if (r->second_us && !r->o.quiet) {
        double seconds = 1 + (double)(r->now_us - r->second_us) / SECOND_US;
        fprintf(stderr,
                "%4" PRIu64 " s %-8s %6u online %5u games %5u seeking %7.0f moves/s  ok p50 %.2f p99 %.2f max %.1f ms  errors %" PRIu64
                " lost %" PRIu64 " broken %" PRIu64 "\n",
                (r->now_us - r->start_us) / SECOND_US, phases[r->phase], r->online, r->games.count, r->seeking,
                (double)(r->count.moves - r->second_moves) / seconds, ms(load_hist_at(&r->second_ok, 0.5)),
                ms(load_hist_at(&r->second_ok, 0.99)), ms(r->second_ok.max_us), load__report_errors(&r->count), r->count.lost,
                load_faults_total(&r->faults));
    }
    if (r->second_us)
        keep_second(r);
    r->second_us = r->now_us + SECOND_US;
    r->second_moves = r->count.moves;
    memset(&r->second_ok, 0, sizeof(r->second_ok));
}

void load_report_memory(struct load_run *r, const char *when)
{
    int64_t grown = (int64_t)load_sample_edge_bytes(&r->after) - (int64_t)load_sample_edge_bytes(&r->before);
    printf("%-12s %u players, RssAnon of the edges grew by %" PRId64 " KiB: %" PRId64 " bytes a player\n", when, r->online, grown / 1024,
           r->online ? grown / r->online : 0);
    fflush(stdout);
    if (r->memories < LOAD_MEMORY_SAMPLES) {
        snprintf(r->memory[r->memories].when, sizeof(r->memory[0].when), "%s", when);
        r->memory[r->memories].online = r->online;
        r->memory[r->memories++].bytes = grown;
    }
}

void load_report_arrived(struct load_run *r)
{
    r->steady = r->count;
    r->steady_from_us = r->start_us;
    r->steady_to_us = r->now_us;
    printf("%-12s %u players in %.1f s\n", "arrived", r->online, (double)(r->now_us - r->start_us) / SECOND_US);
}

double load__report_seconds(const struct load_run *r)
{
    return r->steady_to_us > r->steady_from_us ? (double)(r->steady_to_us - r->steady_from_us) / SECOND_US : 1;
}

/* --- tables -------------------------------------------------------------------------------------------------------------------------- */

static void print_times(const struct load_run *r)
{
#define X(name, text) text,
    static const char *const texts[LOAD_NTIMES] = {LOAD_TIME_MAP(X)};
#undef X
    printf("\n%-32s %10s %9s %9s %9s %9s %9s  ms\n", "time", "count", "p50", "p95", "p99", "p99.9", "max");
    for (int i = 0; i < LOAD_NTIMES; i++) {
        const struct load_hist *h = &r->time[i];
        if (h->count)
            printf("%-32s %10" PRIu64 " %9.2f %9.2f %9.2f %9.2f %9.2f\n", texts[i], h->count, ms(load_hist_at(h, 0.5)),
                   ms(load_hist_at(h, 0.95)), ms(load_hist_at(h, 0.99)), ms(load_hist_at(h, 0.999)), ms(h->max_us));
    }
}

static void print_codes(const char *what, const struct load_code *codes)
{
    for (int i = 0; i < LOAD_CLOSE_CODES && codes[i].count; i++)
        printf("  %s %d: %" PRIu64 "\n", what, codes[i].code, codes[i].count);
}

static void print_cpu(const struct load_run *r)
{
    double moves = r->after.counter[LOAD_COUNTER_MOVES] - r->before.counter[LOAD_COUNTER_MOVES];
    double seconds = (double)(r->after.at_us - r->before.at_us) / SECOND_US;
    printf("\n%-18s %9s %9s %11s%s\n", "CPU", "processes", "seconds", "of one core", moves > 0 ? "    us a move" : "");
    for (int i = 0; i < LOAD_NROLES; i++) {
        unsigned n;
        double us = (double)load_sample_cpu_us(&r->before, &r->after, (enum load_role)i, &n);
        if (n == 0)
            continue;
        printf("%-18s %9u %9.2f %9.1f %%", load_role_name((enum load_role)i), n, us / SECOND_US, us / SECOND_US / seconds * 100);
        if (moves > 0)
            printf(" %12.1f", us / moves);
        putchar('\n');
    }
    uint64_t all = r->after.machine_all_us - r->before.machine_all_us, busy = r->after.machine_busy_us - r->before.machine_busy_us;
    printf("the machine was busy %.0f %% of the time (everything on it)\n", all ? (double)busy * 100 / (double)all : 0);
}

static double grown(const struct load_run *r, enum load_counter c)
{
    return r->after.counter[c] - r->before.counter[c];
}

static void print_store(const struct load_run *r)
{
    double moves = grown(r, LOAD_COUNTER_MOVES), batches = grown(r, LOAD_COUNTER_BATCHES), puts = grown(r, LOAD_COUNTER_PUTS),
           calls = grown(r, LOAD_COUNTER_CALLS);
    if (moves <= 0)
        return;
    double reveals = (double)r->sampled_missed;
    printf("\nstore: %.0f moves, %.0f missed pairs to cover again; %.0f game changes put, one call each (%.3f a change)\n", moves, reveals,
           puts, puts / (moves + reveals));
    printf("       %.0f calls in all (games made and ended, players' records) in %.0f durable batches (%.2f calls, %.2f puts each)\n",
           calls, batches, batches > 0 ? calls / batches : 0, batches > 0 ? puts / batches : 0);
    printf("       %.0f WAITs (%.3f a batch), %.0f of them short\n", grown(r, LOAD_COUNTER_WAITS),
           batches > 0 ? grown(r, LOAD_COUNTER_WAITS) / batches : 0, grown(r, LOAD_COUNTER_WAITS_SHORT));
    if (grown(r, LOAD_COUNTER_STORED_COUNT) > 0)
        printf("       a move was stored %.2f ms after it arrived, on average\n",
               grown(r, LOAD_COUNTER_STORED_SUM) / grown(r, LOAD_COUNTER_STORED_COUNT) * 1000);
    printf("edges: %.0f bus messages (%.2f a move), %.0f gaps at proxies, %.0f loop turns\n", grown(r, LOAD_COUNTER_BUS_SENT),
           grown(r, LOAD_COUNTER_BUS_SENT) / moves, grown(r, LOAD_COUNTER_GAPS), grown(r, LOAD_COUNTER_TURNS));
}

static void print_play(const struct load_run *r)
{
    const struct load_count *s = &r->steady, *c = &r->count;
    double seconds = load__report_seconds(r);
    printf("\nmeasured %.1f s: %.1f moves/s (asked: %u), %.0f games at a time, %.1f games/s ended\n", seconds, (double)s->moves / seconds,
           r->o.rate, r->games_samples ? r->games_sum / (double)r->games_samples : 0, (double)s->games_ended / seconds);
    if (s->starved)
        printf("%" PRIu64 " times a move was due and nobody had the turn: late by themselves (more players, or fewer moves a second)\n",
               s->starved);
    printf("whole run: %" PRIu64 " games, %" PRIu64 " ended (%" PRIu64 " same edge, %" PRIu64 " across), %" PRIu64 " moves, %" PRIu64
           " acknowledged, %" PRIu64 " refused, %" PRIu64 " repeated, %" PRIu64 " unanswered\n",
           c->games_started, c->games_ended, c->matches_same, c->matches_cross, c->moves, c->moves_ok, c->refused, c->repeated,
           c->unanswered);
    printf("           %" PRIu64 " gaps repaired, %" PRIu64 " snapshots, %" PRIu64 " pauses, %" PRIu64 " results by inbox, %" PRIu64
           " tickets expired, %" PRIu64 " players stuck for 10 s, %" PRIu64 " messages for no game\n",
           c->gaps, c->snapshots, c->pauses, c->results, c->tickets_expired, c->stuck, c->stray);
}

static void print_connections(const struct load_run *r)
{
    const struct load_count *c = &r->count;
    printf("connections: %" PRIu64, c->connects);
    if (r->o.mode != LOAD_PLAY)
        printf(" (%.0f/s)", (double)r->steady.connects / load__report_seconds(r));
    printf(", %" PRIu64 " failed, %" PRIu64 " cut by us, %" PRIu64 " lost, %" PRIu64 " back (%" PRIu64 " replayed, %" PRIu64
           " snapshot, %" PRIu64 " gone); %" PRIu64 " messages, %.1f MB in, %.1f MB out\n",
           c->connect_failures, c->drops, c->lost, c->reconnects, c->replayed, c->snapshot_resumes, c->gone, c->messages,
           (double)r->net.bytes_in / 1e6, (double)r->net.bytes_out / 1e6);
    print_codes("close code", c->closes);
    print_codes("HTTP status", c->statuses);
    for (unsigned i = 0; i < LOAD_ERROR_CODES; i++)
        if (c->errors[i])
            printf("  error %s: %" PRIu64 "\n", load__report_error_name(i), c->errors[i]);
}

static void print_faults(const struct load_run *r)
{
    const struct load_faults *f = &r->faults;
    for (int i = 0; i < LOAD_NFAULTS; i++)
        if (f->count[i])
            printf("  BROKEN %s: %" PRIu64 " (%s)\n", load_fault_name((enum load_fault)i), f->count[i],
                   load_fault_text((enum load_fault)i));
    for (unsigned i = 0; i < f->texts; i++)
        printf("    %s\n", f->text[i]);
    const char *verdict = "invariants: none broken";
    if (load_faults_total(f))
        verdict = "INVARIANTS BROKEN";
    else if (r->o.mode == LOAD_FAILOVER && !r->failover.complete)
        verdict = "NOT EVERYBODY CAME WHERE HE WANTED";
    else if (r->o.mode == LOAD_PLAY && r->count.moves_ok == 0)
        verdict = "NOTHING WAS PLAYED";
    else if (!load_report_fine(r))
        verdict = "FAILED (strict): see errors, connections, stuck players and the rate";
    printf("\n%s\n", verdict);
}

void load_report_print(struct load_run *r)
{
    printf("\nmeridian-load: %u players, %u edge%s, %s%s, seed %" PRIu64 "\n", r->players, r->endpoints.edges,
           r->endpoints.edges == 1 ? "" : "s", r->o.proto ? "proto" : "json", r->endpoints.tls ? ", TLS" : "", r->o.seed);
    if (r->o.mode == LOAD_PLAY)
        print_play(r);
    print_connections(r);
    print_times(r);
    if (r->o.mode == LOAD_FAILOVER)
        printf("\nregions were asked whether they are there in %" PRIu64 " surveys, by %" PRIu64 " pings\n", r->failover.surveys,
               r->failover.pings);
    else
        print_cpu(r);
    if (r->o.mode == LOAD_PLAY)
        print_store(r);
    print_faults(r);
}
