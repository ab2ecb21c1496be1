/* SPDX-License-Identifier: Apache-2.0
 * pace.c - see pace.h. A ring of the last twelve looks: the oldest of them is a minute old when the next is due. */
#include "region-router/console/pace.h"

void router_pace_step(struct router_pace *p, uint64_t total)
{
    p->total[p->next] = total;
    p->next = (p->next + 1) % ROUTER_PACE_STEPS;
    p->count += p->count < ROUTER_PACE_STEPS;
}

bool router_pace_known(const struct router_pace *p)
{
    return p->count > 0;
}

uint32_t router_pace_minute(const struct router_pace *p, uint64_t total)
{
    uint64_t oldest = p->total[p->count < ROUTER_PACE_STEPS ? 0 : p->next];
    if (p->count == 0 || total < oldest)
        return 0;
    return total - oldest < UINT32_MAX ? (uint32_t)(total - oldest) : UINT32_MAX;
}
