/* SPDX-License-Identifier: Apache-2.0
 * cross_read.c - see cross_read.h. */
#include "region-router/cross_read.h"

#include <string.h>

void router_cross_no_latencies(uint16_t latency[ROUTER_REGIONS_MAX])
{
    for (unsigned i = 0; i < ROUTER_REGIONS_MAX; i++)
        latency[i] = ROUTER_FAR;
}

void router_cross_read_latency(const struct router_regions *r, const char *region, uint32_t ms, uint16_t latency[ROUTER_REGIONS_MAX])
{
    unsigned i = region != NULL ? router_cross_find(r, region, (unsigned)strlen(region)) : r->count;
    if (i < r->count)
        latency[i] = ms < ROUTER_FAR ? (uint16_t)ms : ROUTER_FAR - 1;
}

enum mer_err router_cross_read_ticket(struct router_ticket_spec *s, const Meridian__Region__V1__CrossTicket *c,
                                      const struct router_regions *r, struct router_edge *from, struct router_cross_read *into)
{
    router_cross_no_latencies(into->latency);
    for (size_t i = 0; i < c->n_latency_ms; i++)
        router_cross_read_latency(r, c->latency_ms[i]->key, c->latency_ms[i]->value, into->latency);
    *s = (struct router_ticket_spec){
        .id = c->ticket_id,
        .user = c->user,
        .name = c->name,
        .game = c->game,
        .players = c->players,
        .rows = c->rows,
        .cols = c->cols,
        .rating = c->rating,
        .waited_ms = c->waited_ms,
        .bots = c->bots == MERIDIAN__CLIENT__V1__BOTS__BOTS_FILL                   ? ROUTER_BOTS_FILL
                : c->bots == MERIDIAN__CLIENT__V1__BOTS__BOTS_NOW && c->group != 0 ? ROUTER_BOTS_NOW
                                                                                   : ROUTER_BOTS_NONE,
        .edge = from,
        .far = c->edge,
        .latency = into->latency,
        .group = {.key = c->group, .hosts = c->hosts},
        .trace = mer_trace_get(c->has_trace, &c->trace, &into->trace),
    };
    return strlen(c->edge) < ROUTER_NAME_BYTES ? MER_OK : MER_EINVALID;
}
