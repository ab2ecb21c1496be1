/* SPDX-License-Identifier: Apache-2.0
 * report_json.c - the result for scripts. Names are as in the tables; times are milliseconds. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "tests/load/player.h"
#include "tests/load/report.h"
#include "tests/load/report_private.h"

static json_t *number(uint64_t v)
{
    return json_integer((json_int_t)v);
}

static void lower(char *out, size_t bytes, const char *text)
{
    snprintf(out, bytes, "%s", text);
    for (char *c = out; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

static json_t *times(const struct load_run *r)
{
#define X(name, text) #name,
    static const char *const names[LOAD_NTIMES] = {LOAD_TIME_MAP(X)};
#undef X
    json_t *all = json_object();
    char name[32];
    for (int i = 0; i < LOAD_NTIMES; i++) {
        const struct load_hist *h = &r->time[i];
        lower(name, sizeof(name), names[i]);
        json_object_set_new(all, name,
                            json_pack("{s:I,s:f,s:f,s:f,s:f,s:f,s:f}", "count", (json_int_t)h->count, "mean",
                                      h->count ? (double)h->sum_us / (double)h->count / 1000 : 0, "p50",
                                      (double)load_hist_at(h, 0.5) / 1000, "p95", (double)load_hist_at(h, 0.95) / 1000, "p99",
                                      (double)load_hist_at(h, 0.99) / 1000, "p999", (double)load_hist_at(h, 0.999) / 1000, "max",
                                      (double)h->max_us / 1000));
    }
    return all;
}

static json_t *counts(const struct load_count *c)
{
    json_t *o = json_object();
#define COUNT(f) json_object_set_new(o, #f, number(c->f))
    COUNT(moves), COUNT(moves_ok), COUNT(repeated), COUNT(refused), COUNT(unanswered), COUNT(starved), COUNT(missed_pairs), COUNT(stuck);
    COUNT(matches_same), COUNT(matches_cross), COUNT(games_started), COUNT(games_ended), COUNT(gaps), COUNT(snapshots), COUNT(results),
        COUNT(stray);
    COUNT(connects), COUNT(connect_failures), COUNT(drops), COUNT(lost), COUNT(reconnects), COUNT(replayed), COUNT(gone);
    COUNT(snapshot_resumes), COUNT(tickets_expired), COUNT(messages), COUNT(pauses), COUNT(silent), COUNT(cut);
#undef COUNT
    return o;
}

static json_t *codes(const struct load_code *c)
{
    json_t *o = json_object();
    char name[16];
    for (int i = 0; i < LOAD_CLOSE_CODES && c[i].count; i++) {
        snprintf(name, sizeof(name), "%d", c[i].code);
        json_object_set_new(o, name, number(c[i].count));
    }
    return o;
}

static json_t *errors(const struct load_count *c)
{
    json_t *o = json_object();
    char name[32];
    for (unsigned i = 0; i < LOAD_ERROR_CODES; i++) {
        lower(name, sizeof(name), load__report_error_name(i));
        if (c->errors[i])
            json_object_set_new(o, name, number(c->errors[i]));
    }
    return o;
}

static json_t *faults(const struct load_faults *f)
{
    json_t *o = json_object(), *texts = json_array();
    char name[32];
    for (int i = 0; i < LOAD_NFAULTS; i++) {
        lower(name, sizeof(name), load_fault_name((enum load_fault)i));
        json_object_set_new(o, name, number(f->count[i]));
    }
    for (unsigned i = 0; i < f->texts; i++)
        json_array_append_new(texts, json_string_nocheck(f->text[i]));
    return json_pack("{s:I,s:o,s:o}", "total", (json_int_t)load_faults_total(f), "kinds", o, "texts", texts);
}

static json_t *servers(const struct load_run *r)
{
    json_t *cpu = json_object(), *counters = json_object();
    double moves = r->after.counter[LOAD_COUNTER_MOVES] - r->before.counter[LOAD_COUNTER_MOVES];
    for (int i = 0; i < LOAD_NROLES; i++) {
        unsigned n;
        double us = (double)load_sample_cpu_us(&r->before, &r->after, (enum load_role)i, &n);
        json_object_set_new(cpu, load_role_name((enum load_role)i),
                            json_pack("{s:i,s:f,s:f}", "processes", (int)n, "seconds", us / 1e6, "usAMove", moves > 0 ? us / moves : 0.0));
    }
    for (int i = 0; i < LOAD_NCOUNTERS; i++)
        json_object_set_new(counters, load_counter_name((enum load_counter)i), json_real(r->after.counter[i] - r->before.counter[i]));
    uint64_t all = r->after.machine_all_us - r->before.machine_all_us, busy = r->after.machine_busy_us - r->before.machine_busy_us;
    return json_pack("{s:f,s:o,s:o,s:f}", "seconds", (double)(r->after.at_us - r->before.at_us) / 1e6, "cpu", cpu, "counters", counters,
                     "machineBusy", all ? (double)busy / (double)all : 0.0);
}

static json_t *memory(const struct load_run *r)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < r->memories; i++)
        json_array_append_new(list, json_pack("{s:s,s:i,s:I,s:f}", "when", r->memory[i].when, "players", (int)r->memory[i].online,
                                              "grownBytes", (json_int_t)r->memory[i].bytes, "bytesAPlayer",
                                              r->memory[i].online ? (double)r->memory[i].bytes / r->memory[i].online : 0.0));
    return list;
}

static json_t *each_second(const struct load_run *r)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < r->seconds; i++) {
        const struct load_second *s = &r->second[i];
        json_array_append_new(list,
                              json_pack("{s:I,s:i,s:i,s:i,s:I,s:f,s:f,s:f}", "atMs", (json_int_t)s->at_ms, "online", (int)s->online,
                                        "playing", (int)s->playing, "seeking", (int)s->seeking, "movesOk", (json_int_t)s->moves_ok, "p50",
                                        (double)s->p50_us / 1000, "p99", (double)s->p99_us / 1000, "max", (double)s->max_us / 1000));
    }
    return list;
}

static json_t *settings(const struct load_run *r)
{
    static const char *const modes[] = {"play", "idle", "connect", "failover"};
    return json_pack("{s:s,s:i,s:i,s:i,s:i,s:s,s:b,s:I,s:i}", "mode", modes[r->o.mode], "players", (int)r->players, "rate", (int)r->o.rate,
                     "seconds", (int)r->o.seconds, "edges", (int)r->endpoints.edges, "encoding", r->o.proto ? "proto" : "json", "tls",
                     (int)r->endpoints.tls, "seed", (json_int_t)(r->o.seed & INT64_MAX), "cross", (int)r->o.cross);
}

static json_t *failover(const struct load_run *r)
{
    const struct load_failover *f = &r->failover;
    json_t *returns = json_array();
    uint32_t last = 0;
    for (uint32_t i = 0; i < LOAD_SECONDS; i++)
        last = f->returns[i] ? i + 1 : last;
    for (uint32_t i = 0; i < last; i++)
        json_array_append_new(returns, number(f->returns[i]));
    return json_pack("{s:b,s:o,s:o,s:o,s:o,s:o}", "complete", (int)f->complete, "newGames", number(f->again), "home", number(f->home),
                     "returnsEachSecond", returns, "surveys", number(f->surveys), "pings", number(f->pings));
}

bool load_report_write(struct load_run *r, const char *file)
{
    double seconds = load__report_seconds(r);
    json_t *o =
        json_pack("{s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "fine", (int)load_report_fine(r), "settings", settings(r), "times", times(r),
                  "counts", counts(&r->count), "measured", counts(&r->steady), "errors", errors(&r->count), "closes",
                  codes(r->count.closes), "statuses", codes(r->count.statuses), "faults", faults(&r->faults), "servers", servers(r));
    json_object_set_new(o, "memory", memory(r));
    if (r->o.mode == LOAD_FAILOVER)
        json_object_set_new(o, "failover", failover(r));
    json_object_set_new(o, "eachSecond", each_second(r));
    json_object_set_new(o, "seconds", json_real(seconds));
    json_object_set_new(o, "movesPerSecond", json_real((double)r->steady.moves / seconds));
    json_object_set_new(o, "connectsPerSecond", json_real((double)r->steady.connects / seconds));
    json_object_set_new(o, "gamesAtATime", json_real(r->games_samples ? r->games_sum / (double)r->games_samples : 0));
    int failed = json_dump_file(o, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(o);
    if (failed)
        fprintf(stderr, "meridian-load: %s cannot be written\n", file);
    return !failed;
}
