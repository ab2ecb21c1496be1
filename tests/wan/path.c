/* SPDX-License-Identifier: Apache-2.0
 * path.c - fate and delay of packets (path.h).
 *
 * Jitter does not reorder: networks that vary in delay rarely overtake within a flow, and TCP would take it for loss. Reordering has a
 * chance of its own: such a packet is held back for 1-10 ms while those behind it pass. */
#include "tests/wan/path.h"

enum { REORDER_LEAST_US = 1000, REORDER_SPAN_US = 9000, DUPLICATE_SPAN_US = 1000 };

void wan_path_init(struct wan_path *p, uint64_t seed)
{
    *p = (struct wan_path){0};
    p->rng = mer_rng_seed(&p->seeded, seed);
}

static uint64_t drawn_delay(const struct wan_settings *s, const struct mer_rng *rng)
{
    uint32_t spread = s->jitter_us < s->delay_us ? s->jitter_us : s->delay_us;
    return s->delay_us - spread + (spread > 0 ? mer_rng_below(rng, 2 * spread + 1) : 0);
}

/* When the packet has left a link of limited rate; false: the queue before it is full. */
static bool sent(struct wan_path *p, uint64_t now_us, uint32_t size, uint64_t *at_us)
{
    *at_us = now_us;
    if (p->set.rate_bps == 0)
        return true;
    uint64_t start = p->busy_us > now_us ? p->busy_us : now_us;
    if (start - now_us > WAN_BACKLOG_US)
        return false;
    p->busy_us = *at_us = start + (uint64_t)size * 8 * 1000000 / p->set.rate_bps;
    return true;
}

unsigned wan_path_pass(struct wan_path *p, uint64_t now_us, uint32_t size, uint64_t arrival[2])
{
    const struct wan_settings *s = &p->set;
    const struct mer_rng *rng = &p->rng;
    /* Always drawn, so that a fate does not depend on which other chances are set. */
    bool lost = mer_rng_below(rng, WAN_PPM) < s->loss_ppm, late = mer_rng_below(rng, WAN_PPM) < s->reorder_ppm,
         twice = mer_rng_below(rng, WAN_PPM) < s->duplicate_ppm;
    uint64_t left_us;
    if (s->cut) {
        p->counts.cut++;
        return 0;
    }
    if (lost) {
        p->counts.lost++;
        return 0;
    }
    if (!sent(p, now_us, size, &left_us)) {
        p->counts.full++;
        return 0;
    }
    arrival[0] = left_us + drawn_delay(s, rng);
    if (arrival[0] < p->last_us)
        arrival[0] = p->last_us;
    if (late) {
        arrival[0] += REORDER_LEAST_US + mer_rng_below(rng, REORDER_SPAN_US);
        p->counts.reordered++;
    } else {
        p->last_us = arrival[0];
    }
    p->counts.passed++;
    p->counts.bytes += size;
    if (!twice)
        return 1;
    p->counts.duplicated++;
    arrival[1] = arrival[0] + mer_rng_below(rng, DUPLICATE_SPAN_US);
    return 2;
}
