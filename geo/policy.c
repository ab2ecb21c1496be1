/* SPDX-License-Identifier: Apache-2.0
 * policy.c - policy.h. Health, then what an operator wants, then shares, then the world as a whole; each step reads only what the ones
 * before it decided, so the order of regions in the footprint decides nothing but ties. */
#include "geo/policy.h"

#include <string.h>

#include "geo/plan.h"

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- health -------------------------------------------------------------------------------------------------------------------------- */

static uint64_t good_wanted_ms(const struct geo_region_state *s)
{
    uint32_t doublings = s->falls > 1 ? s->falls - 1 : 0;
    return doublings >= 5 ? GEO_GOOD_MAX_MS : min_u64((uint64_t)GEO_GOOD_MS << doublings, GEO_GOOD_MAX_MS);
}

static void set_health(struct geo_region_state *s, enum geo_health health, uint64_t now_ms)
{
    if (health == GEO_DOWN)
        s->falls = s->falls > 0 && now_ms - s->since_ms < GEO_FLAP_MS ? s->falls + 1 : 1;
    s->health = health;
    s->since_ms = now_ms;
}

static void judge(struct geo_region_state *s, enum geo_verdict verdict, uint64_t now_ms)
{
    if (verdict == GEO_UNKNOWN)
        return;
    if (verdict == GEO_BAD) {
        s->good_since_ms = 0;
        if (s->bad_since_ms == 0)
            s->bad_since_ms = now_ms;
        if (s->health == GEO_UP && now_ms - s->bad_since_ms >= GEO_BAD_MS)
            set_health(s, GEO_DOWN, now_ms);
        return;
    }
    s->bad_since_ms = 0;
    if (s->good_since_ms == 0)
        s->good_since_ms = now_ms;
    if (s->health == GEO_DOWN && now_ms - s->good_since_ms >= good_wanted_ms(s))
        set_health(s, GEO_UP, now_ms);
}

/* Nobody was looking for so long: good and bad last as long as they were seen. */
static void forget_late(struct geo_policy *p, uint64_t now_ms)
{
    uint64_t since_ms = now_ms - p->now_ms, late_ms = since_ms > GEO_LATE_MS ? since_ms - GEO_STEP_MS : 0;
    p->now_ms = now_ms;
    for (uint32_t i = 0; i < p->footprint->count; i++) {
        struct geo_region_state *s = &p->region[i];
        s->bad_since_ms += s->bad_since_ms > 0 ? late_ms : 0;
        s->good_since_ms += s->good_since_ms > 0 ? late_ms : 0;
    }
}

/* ---- out ----------------------------------------------------------------------------------------------------------------------------- */

static uint32_t drained_percent(const struct geo_wish *w, uint64_t now_ms)
{
    if (!w->drain || now_ms < w->drain_from_ms)
        return 0;
    uint64_t gone = now_ms - w->drain_from_ms;
    if (gone >= w->drain_over_ms)
        return 100;
    uint32_t percent = (uint32_t)(gone * 100 / w->drain_over_ms);
    return percent / GEO_SPILL_STEP_PERCENT * GEO_SPILL_STEP_PERCENT;
}

/* Those that are down longest go out first; the rest stays in as soon as too little would be left. */
static void take_out(struct geo_policy *p, const struct geo_wish *wishes, uint64_t now_ms)
{
    const struct geo_footprint *f = p->footprint;
    uint64_t all = 0, in = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        struct geo_region_state *s = &p->region[i];
        s->out = drained_percent(&wishes[i], now_ms) == 100;
        s->guarded = false;
        all += f->region[i].capacity_players;
        in += s->out ? 0 : f->region[i].capacity_players;
    }
    for (;;) {
        int oldest = -1;
        for (uint32_t i = 0; i < f->count; i++) {
            const struct geo_region_state *s = &p->region[i];
            if (s->health == GEO_DOWN && !s->out && !s->guarded && !wishes[i].force_in &&
                (oldest < 0 || s->since_ms < p->region[oldest].since_ms))
                oldest = (int)i;
        }
        if (oldest < 0)
            return;
        uint64_t left = in - f->region[oldest].capacity_players;
        if (left * 1000 >= all * GEO_GUARD_PERMILLE) {
            p->region[oldest].out = true;
            in = left;
        } else {
            p->region[oldest].guarded = true;
        }
    }
}

/* ---- shares -------------------------------------------------------------------------------------------------------------------------- */

static bool can_take(const struct geo_policy *p, const struct geo_reading *readings, const struct geo_wish *wishes, uint32_t i)
{
    const struct geo_region_state *s = &p->region[i];
    return s->health == GEO_UP && !s->out && !wishes[i].drain && s->share == 0 && readings[i].load_permille >= 0 &&
           readings[i].load_permille < GEO_LOW_PERMILLE;
}

/* The nearest that can take something. One that takes already goes on until its high mark: else it would be left at once when it fills. */
static int neighbour(const struct geo_policy *p, const struct geo_reading *readings, const struct geo_wish *wishes, uint32_t from)
{
    uint8_t order[GEO_REGIONS_MAX];
    geo_order_from(p->footprint, from, order);
    const struct geo_region_state *s = &p->region[from];
    for (uint32_t k = 1; k < p->footprint->count; k++) {
        uint32_t i = order[k];
        bool takes = s->share > 0 && s->share_to == i && p->region[i].health == GEO_UP && !p->region[i].out && !wishes[i].drain &&
                     readings[i].load_permille < GEO_HIGH_PERMILLE;
        if (takes || can_take(p, readings, wishes, i))
            return (int)i;
    }
    return -1;
}

static uint32_t by_load(struct geo_region_state *s, int32_t load_permille, uint64_t now_ms)
{
    uint32_t share = s->share;
    if ((load_permille < 0 && !s->wished) || now_ms - s->stepped_ms < GEO_DWELL_MS)
        return share;
    int32_t low = s->wished ? GEO_HIGH_PERMILLE : GEO_LOW_PERMILLE; /* an order that is over ends, load or no load */
    if (load_permille > GEO_HIGH_PERMILLE && share < GEO_SHARE_MAX)
        share += GEO_SPILL_STEP_PERCENT;
    else if (load_permille < low && share > 0)
        share -= GEO_SPILL_STEP_PERCENT;
    if (share != s->share)
        s->stepped_ms = now_ms;
    return share;
}

static void set_share(struct geo_policy *p, const struct geo_reading *readings, const struct geo_wish *wishes, uint32_t i, uint64_t now_ms)
{
    struct geo_region_state *s = &p->region[i];
    uint64_t stepped_ms = s->stepped_ms;
    uint32_t share = wishes[i].drain       ? drained_percent(&wishes[i], now_ms)
                     : wishes[i].share > 0 ? wishes[i].share
                                           : by_load(s, readings[i].load_permille, now_ms);
    s->stuck = false;
    if (s->out)
        share = 0; /* everybody goes elsewhere already */
    if (share > 0) {
        int to = neighbour(p, readings, wishes, i);
        s->stuck = to < 0;
        s->share_to = to < 0 ? s->share_to : (uint32_t)to;
        share = to < 0 ? 0 : share;
        s->stepped_ms = to < 0 ? stepped_ms : s->stepped_ms; /* no step was made: the next second tries again */
    }
    s->share = share;
    s->wished = share > 0 && (s->wished || wishes[i].drain || wishes[i].share > 0);
}

/* ---- public -------------------------------------------------------------------------------------------------------------------------- */

void geo_policy_init(struct geo_policy *p, const struct geo_footprint *f, uint64_t now_ms)
{
    memset(p, 0, sizeof *p);
    p->footprint = f;
    p->now_ms = now_ms;
    for (uint32_t i = 0; i < f->count; i++)
        p->region[i].since_ms = p->region[i].stepped_ms = now_ms;
}

bool geo_policy_step(struct geo_policy *p, const struct geo_reading *readings, const struct geo_wish *wishes, uint64_t now_ms)
{
    const struct geo_policy before = *p;
    uint32_t count = p->footprint->count, out = 0;
    forget_late(p, now_ms);
    for (uint32_t i = 0; i < count; i++)
        judge(&p->region[i], readings[i].verdict, now_ms);
    take_out(p, wishes, now_ms);
    for (uint32_t i = 0; i < count; i++)
        set_share(p, readings, wishes, i, now_ms);
    for (uint32_t i = 0; i < count; i++)
        out += p->region[i].out;
    p->all_out = out == count;
    bool changed = p->all_out != before.all_out;
    for (uint32_t i = 0; i < count; i++) {
        const struct geo_region_state *a = &before.region[i];
        struct geo_region_state *b = &p->region[i];
        b->out = b->out && !p->all_out;
        changed = changed || a->out != b->out || a->share != b->share || (b->share > 0 && a->share_to != b->share_to);
    }
    return changed;
}

uint32_t geo_policy_left(const struct geo_policy *p, const struct geo_wish *wishes)
{
    struct geo_policy at_end = *p;
    const struct geo_footprint *f = p->footprint;
    uint64_t all = 0, in = 0;
    take_out(&at_end, wishes, UINT64_MAX);
    for (uint32_t i = 0; i < f->count; i++) {
        all += f->region[i].capacity_players;
        in += at_end.region[i].out ? 0 : f->region[i].capacity_players;
    }
    return all > 0 ? (uint32_t)(in * 1000 / all) : 0;
}

/* All steps but the one that holds are down, so that gdnsd finds exactly that one. */
static enum mer_err write_ladder(const struct geo_policy *p, uint32_t i, struct mer_buf *out)
{
    const struct geo_footprint *f = p->footprint;
    const struct geo_region_state *s = &p->region[i];
    const char *name = f->region[i].name;
    enum mer_err err = mer_buf_appendf(out, "metafo/spill-%s/home => DOWN\n", name);
    for (uint32_t j = 0; j < f->count; j++)
        for (uint32_t percent = GEO_SPILL_STEP_PERCENT; percent < 100 && j != i && err == MER_OK; percent += GEO_SPILL_STEP_PERCENT)
            if (j != s->share_to || percent != s->share)
                err = mer_buf_appendf(out, "metafo/spill-%s/%s-%u => DOWN\n", name, f->region[j].name, percent);
    return err;
}

enum mer_err geo_policy_write(const struct geo_policy *p, struct mer_buf *out)
{
    enum mer_err err = mer_buf_appends(
        out, "# Written by meridian-geo. While it runs, wishes go through meridianctl; when it does not, edit this by hand:\n"
             "#   geoip/play/REGION => DOWN    no new players for REGION\n");
    for (uint32_t i = 0; i < p->footprint->count && err == MER_OK; i++) {
        if (p->region[i].out)
            err = mer_buf_appendf(out, "geoip/play/%s => DOWN\n", p->footprint->region[i].name);
        else if (p->region[i].share > 0)
            err = write_ladder(p, i, out);
    }
    return err;
}
