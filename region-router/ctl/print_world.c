/* SPDX-License-Identifier: Apache-2.0
 * print_world.c - regions, what waits for them, what DNS says of them, and what operators did to them, for people (print.h). */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "region-router/ctl/print.h"

/* "45 s", "12 min", "3 h", "2 d": as exact as one wants it of something that goes on. */
static const char *span(uint64_t ms, char out[24])
{
    static const struct {
        uint64_t ms, shown_from_ms;
        const char *unit;
    } units[] = {
        {24 * 3600 * 1000, 48 * 3600 * 1000, "d"}, {3600 * 1000, 2 * 3600 * 1000, "h"}, {60 * 1000, 2 * 60 * 1000, "min"}, {1000, 0, "s"}};
    size_t i = 0;
    while (ms < units[i].shown_from_ms)
        i++;
    snprintf(out, 24, "%" PRIu64 " %s", ms / units[i].ms, units[i].unit);
    return out;
}

static const char *or_dash(bool has, uint64_t value, char out[24])
{
    if (has)
        snprintf(out, 24, "%" PRIu64, value);
    else
        strcpy(out, "-");
    return out;
}

static const char *mode_name(CV1(RegionMode) mode)
{
    static const char *const names[] = {"?", "active", "full", "draining", "unreachable", "unknown"};
    return (size_t)mode < MER_COUNT(names) ? names[mode] : "?";
}

static void print_drain(const CV1(DrainState) * d, FILE *out)
{
    char began[24], over[24];
    if (d->over_ms > 0)
        fprintf(out, "  drained by %s since %s, over %s: %s\n", d->by, span(d->began_ms, began), span(d->over_ms, over), d->reason);
    else
        fprintf(out, "  drained by %s since %s: %s\n", d->by, span(d->began_ms, began), d->reason);
}

void ctl__print_regions(const CV1(RegionsState) * s, FILE *out)
{
    fprintf(out, "%-12s %-12s %9s %9s %7s %6s %6s %5s %11s %9s %7s  %s\n", "region", "mode", "players", "room for", "games", "ready",
            "drain", "core", "round trip", "backlog", "outbox", "leader");
    for (size_t i = 0; i < s->n_regions; i++) {
        const CV1(RegionState) *r = s->regions[i];
        char text[6][24], core[24] = "-", way[24] = "-";
        if (r->has_load_permille)
            snprintf(core, sizeof core, "%u %%", r->load_permille / 10);
        if (r->has_rtt_us)
            snprintf(way, sizeof way, "%.1f ms", r->rtt_us / 1000.0);
        fprintf(out, "%-12s %-12s %9s %9s %7s %6s %6s %5s %11s %7s B %7s  %s\n", r->name, mode_name(r->mode),
                or_dash(r->has_players, r->players, text[0]), or_dash(r->has_capacity, r->capacity, text[1]),
                or_dash(r->has_games, r->games, text[2]), or_dash(r->has_edges_ready, r->edges_ready, text[3]),
                or_dash(r->has_edges_draining, r->edges_draining, text[4]), core, way, or_dash(r->has_queued, r->queued, text[5]),
                or_dash(r->has_outbox, r->outbox, (char[24]){0}), r->leader != NULL ? r->leader : "-");
        if (r->drain != NULL)
            print_drain(r->drain, out);
    }
}

void ctl__print_outbox(const CV1(OutboxState) * s, FILE *out)
{
    fprintf(out, "%-12s %-6s %9s %10s %10s %8s %8s %10s %8s %8s\n", "region", "state", "waiting", "bytes", "for", "buckets", "sent",
            "settled", "refused", "failed");
    for (size_t i = 0; i < s->n_regions; i++) {
        const CV1(OutboxRegion) *r = s->regions[i];
        char waited[24];
        fprintf(out, "%-12s %-6s %9" PRIu64 " %10" PRIu64 " %10s %8u %8u %10" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n", r->region,
                r->up ? "up" : "down", r->waiting, r->bytes, span(r->waiting_ms, waited), r->buckets_waiting, r->batches_out, r->settled,
                r->refused, r->failed);
        for (size_t k = 0; k < r->n_buckets; k++) {
            const CV1(OutboxBucket) *b = r->buckets[k];
            fprintf(out, "  bucket %4u %-8s %u events, %" PRIu64 " bytes, settled up to %" PRIu64 ".%" PRIu64 "\n", b->bucket, b->state,
                    b->waiting, b->bytes, b->generation, b->settled);
        }
    }
}

void ctl__print_journal(const CV1(JournalState) * s, FILE *out)
{
    for (size_t i = 0; i < s->n_entries; i++) {
        const Meridian__State__V1__JournalEntry *e = s->entries[i];
        time_t at = (time_t)(e->at_ms / 1000);
        struct tm tm;
        char when[32] = "?";
        if (gmtime_r(&at, &tm) != NULL)
            strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
        fprintf(out, "%s UTC  %" PRIu64 "  %s %s  by %s%s%s%s: %s\n    %s\n", when, e->number, e->what, e->target, e->by,
                e->who[0] != 0 ? " (" : "", e->who, e->who[0] != 0 ? ")" : "", e->reason,
                e->result[0] != 0 ? e->result : "(no result is known: its router ended meanwhile)");
    }
    if (s->n_entries == 0)
        fprintf(out, "nothing was changed with this tool yet\n");
}

/* ---- geo ----------------------------------------------------------------------------------------------------------------------------- */

static void print_wish(const CV1(GeoRegion) * r, FILE *out)
{
    static const char *const names[] = {"?", "none", "up", "down", "share"};
    char left[24];
    if (r->has_override && r->override != MERIDIAN__CONTROL__V1__OVERRIDE__OVERRIDE_NONE)
        fprintf(out, "  override %s by %s, %s%s: %s\n", (size_t)r->override < MER_COUNT(names) ? names[r->override] : "?",
                r->by != NULL ? r->by : "?", r->has_expires_ms ? "for another " : "until it is cleared",
                r->has_expires_ms ? span(r->expires_ms, left) : "", r->reason != NULL ? r->reason : "");
    else if (r->has_draining && r->draining)
        fprintf(out, "  the region drains, by %s: %s\n", r->by != NULL ? r->by : "?", r->reason != NULL ? r->reason : "");
}

void ctl__print_geo(const CV1(GeoState) * g, FILE *out)
{
    fprintf(out, "%s%s%s\n", g->agent, g->all_out ? ", ALL OUT: DNS names everybody" : "",
            g->pending ? ", gdnsd's state file not written yet" : "");
    fprintf(out, "%-12s %-6s %-5s %-16s %9s %8s %8s %8s  %s\n", "region", "health", "DNS", "share away", "players", "full", "report",
            "since", "why");
    for (size_t i = 0; i < g->n_regions; i++) {
        const CV1(GeoRegion) *r = g->regions[i];
        char share[64] = "-", full[24] = "-", report[24] = "-", since[24], players[24];
        if (r->share_percent > 0)
            snprintf(share, sizeof share, "%u %% to %s", r->share_percent, r->share_to != NULL ? r->share_to : "?");
        if (r->has_load_permille)
            snprintf(full, sizeof full, "%u %%", r->load_permille / 10);
        if (r->has_report_age_ms)
            snprintf(report, sizeof report, "%.1f s", r->report_age_ms / 1000.0);
        fprintf(out, "%-12s %-6s %-5s %-16s %9s %8s %8s %8s  %s%s%s\n", r->name, r->health, r->out ? "out" : "in", share,
                or_dash(r->has_players, r->players, players), full, report, span(r->since_ms, since), r->why,
                r->guarded ? "; kept in: too many are out" : "", r->stuck ? "; nobody has room for its players" : "");
        print_wish(r, out);
    }
}
