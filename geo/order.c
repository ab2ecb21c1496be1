/* SPDX-License-Identifier: Apache-2.0
 * order.c - order.h. A measured round trip and an estimated one stand side by side in one order: both are milliseconds, and the estimate is
 * the median of what is seen between cities, so neither is favoured. */
#include "geo/order.h"

#include <math.h>

double geo_distance_km(double latitude_a, double longitude_a, double latitude_b, double longitude_b)
{
    const double earth_km = 6371, rad = M_PI / 180;
    double dlat = (latitude_b - latitude_a) * rad / 2, dlon = (longitude_b - longitude_a) * rad / 2;
    double h = sin(dlat) * sin(dlat) + cos(latitude_a * rad) * cos(latitude_b * rad) * sin(dlon) * sin(dlon); /* haversine */
    return 2 * earth_km * asin(sqrt(fmin(h, 1)));
}

/* Light in fibre needs 1 ms for 100 km there and back; cables are about half as long again as the great circle; the first mile takes 8 ms.
 */
double geo_estimate_ms(double km)
{
    return 8 + km / 100 * 1.5;
}

static void sort(const double *cost, uint32_t count, uint8_t *order)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && cost[order[at - 1]] > cost[i]; at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
}

void geo_order(const struct geo_footprint *f, const struct geo_measured *m, const struct geo_place *place, uint8_t order[GEO_REGIONS_MAX])
{
    double cost[GEO_REGIONS_MAX];
    size_t own = (size_t)(place - geo_places), country = own;
    while (geo_places[country].part[0] != '\0')
        country--; /* its row heads the group */
    for (uint32_t i = 0; i < f->count; i++) {
        const struct geo_region *r = &f->region[i];
        uint16_t ms = m->ms[own][i] != 0 ? m->ms[own][i] : m->ms[country][i];
        cost[i] = ms != 0 ? ms : geo_estimate_ms(geo_distance_km(place->latitude, place->longitude, r->latitude, r->longitude));
    }
    sort(cost, f->count, order);
}

void geo_order_from(const struct geo_footprint *f, uint32_t region, uint8_t order[GEO_REGIONS_MAX])
{
    double cost[GEO_REGIONS_MAX];
    for (uint32_t i = 0; i < f->count; i++)
        cost[i] = f->latency_ms[region][i];
    sort(cost, f->count, order);
}
