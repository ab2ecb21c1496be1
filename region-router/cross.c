/* SPDX-License-Identifier: Apache-2.0
 * cross.c - which region hosts (cross.h).
 *
 * Why the match's id names its host: what belongs to a game (its record, its owner) lies in the host region, and whoever has the id can ask
 * there, without a table of games that somebody would have to keep in step. */
#include "region-router/cross.h"

#include <stdio.h>
#include <string.h>

uint32_t router_cross_cap_ms(uint64_t waited_ms)
{
    if (waited_ms < ROUTER_PATIENCE_MS)
        return 0;
    return waited_ms < ROUTER_WORLD_MS ? ROUTER_NEAR_CAP_MS : ROUTER_WORLD_CAP_MS;
}

uint16_t router_cross_latency(const struct router_reach *t, unsigned region)
{
    uint16_t ms = t->latency != NULL ? t->latency[region] : ROUTER_FAR;
    if (ms == ROUTER_FAR && region == t->home)
        return 0;
    return ms == ROUTER_FAR && t->guess != NULL ? t->guess->region[region].rtt_ms : ms;
}

static bool accepts_in(const struct router_reach *t, unsigned region, uint32_t in_ms)
{
    if (region == t->home)
        return true;
    uint32_t ms = router_cross_latency(t, region), cap = router_cross_cap_ms(t->waited_ms + in_ms);
    return ms != ROUTER_FAR && (t->friends || (cap > 0 && ms <= cap));
}

bool router_cross_accepts(const struct router_reach *t, unsigned region)
{
    return accepts_in(t, region, 0);
}

static bool all_accept(const struct router_reach *t, unsigned count, unsigned region, uint32_t in_ms)
{
    unsigned n = 0;
    while (n < count && accepts_in(&t[n], region, in_ms))
        n++;
    return n == count;
}

struct cost {
    uint32_t worst, sum;
};

static struct cost cost_of(const struct router_reach *t, unsigned count, unsigned region)
{
    struct cost c = {0, 0};
    for (unsigned i = 0; i < count; i++) {
        uint32_t ms = router_cross_latency(&t[i], region);
        c.worst = ms > c.worst ? ms : c.worst;
        c.sum += ms;
    }
    return c;
}

static bool better(const struct router_regions *r, unsigned a, const struct cost *ca, unsigned b, const struct cost *cb)
{
    if (ca->worst != cb->worst)
        return ca->worst < cb->worst;
    if (ca->sum != cb->sum)
        return ca->sum < cb->sum;
    return strcmp(r->region[a].name, r->region[b].name) < 0;
}

static bool all_at(const struct router_reach *t, unsigned count, unsigned region)
{
    unsigned n = 0;
    while (n < count && t[n].home == region)
        n++;
    return n == count;
}

unsigned router_cross_host(const struct router_regions *r, const struct router_reach *t, unsigned count)
{
    unsigned best = r->count;
    struct cost least = {0, 0};
    for (unsigned i = 0; i < r->count; i++) {
        bool open = (i == 0 || r->region[i].up) && (!r->region[i].drained || all_at(t, count, i));
        if (!open || !all_accept(t, count, i, ROUTER_SOON_MS))
            continue;
        struct cost c = cost_of(t, count, i);
        if (best == r->count || better(r, i, &c, best, &least)) {
            best = i;
            least = c;
        }
    }
    return best < r->count && all_accept(t, count, best, 0) ? best : r->count;
}

unsigned router_cross_names(const struct router_regions *r, uint32_t bits, char *out, unsigned size)
{
    unsigned len = 0;
    out[0] = 0;
    for (unsigned i = 1; i < r->count; i++) {
        if (!(bits >> i & 1))
            continue;
        int n = snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", r->region[i].name);
        if ((unsigned)n >= size - len) {
            out[len] = 0;
            break;
        }
        len += (unsigned)n;
    }
    return len;
}

unsigned router_cross_find(const struct router_regions *r, const char *name, unsigned len)
{
    for (unsigned i = 0; i < r->count; i++)
        if (strlen(r->region[i].name) == len && memcmp(r->region[i].name, name, len) == 0)
            return i;
    return r->count;
}

unsigned router_cross_of_match(const struct router_regions *r, const char *match)
{
    const char *dot = strchr(match, '.');
    return dot == NULL ? 0 : router_cross_find(r, match, (unsigned)(dot - match));
}
