/* SPDX-License-Identifier: Apache-2.0
 * order.h - in which order a place is sent to the regions (pure): by the round trip, measured where it was, else estimated from the
 * distance. */
#pragma once

#include "geo/measured.h"
#include "geo/places.h"

/* Great circle, kilometres. */
double geo_distance_km(double latitude_a, double longitude_a, double latitude_b, double longitude_b);
/* Round trip over so many kilometres as the internet usually goes, milliseconds. */
double geo_estimate_ms(double km);
/* order[0..count-1]: indices of regions, nearest first; equal ones as in the footprint. `place` is one of geo_places. */
void geo_order(const struct geo_footprint *f, const struct geo_measured *m, const struct geo_place *place, uint8_t order[GEO_REGIONS_MAX]);
/* The same from a region's own place, itself first, by the footprint's latencies: where it sends what it cannot take. */
void geo_order_from(const struct geo_footprint *f, uint32_t region, uint8_t order[GEO_REGIONS_MAX]);
