/* SPDX-License-Identifier: Apache-2.0
 * region_drain.c - see region_drain.h. */
#include "region-router/region_drain.h"

#include <stdio.h>
#include <string.h>

#define SV1(x) Meridian__State__V1__##x

size_t router_region_drain_write(const struct router_region_drain *d, uint8_t *out)
{
    SV1(RegionDrain) m = MERIDIAN__STATE__V1__REGION_DRAIN__INIT;
    m.from_ms = d->from_ms;
    m.over_ms = d->over_ms;
    m.by = (char *)d->by;
    m.reason = (char *)d->reason;
    return meridian__state__v1__region_drain__pack(&m, out);
}

enum mer_err router_region_drain_read(struct router_region_drain *d, const void *data, size_t len)
{
    SV1(RegionDrain) *m = len <= ROUTER_DRAIN_PACKED_MAX ? meridian__state__v1__region_drain__unpack(NULL, len, data) : NULL;
    bool good = m != NULL && m->over_ms <= ROUTER_DRAIN_OVER_MAX_MS && strlen(m->by) < sizeof d->by && strlen(m->reason) < sizeof d->reason;
    if (good) {
        *d = (struct router_region_drain){.on = true, .from_ms = m->from_ms, .over_ms = m->over_ms};
        snprintf(d->by, sizeof d->by, "%s", m->by);
        snprintf(d->reason, sizeof d->reason, "%s", m->reason);
    }
    if (m != NULL)
        meridian__state__v1__region_drain__free_unpacked(m, NULL);
    return good ? MER_OK : MER_EINVALID;
}

uint64_t router_region_drain_began_ms(const struct router_region_drain *d, uint64_t wall_ms)
{
    return wall_ms > d->from_ms ? wall_ms - d->from_ms : 0;
}
