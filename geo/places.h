/* SPDX-License-Identifier: Apache-2.0
 * places.h - the table of places that DNS can tell apart (R32). */
#pragma once

#include <meridian/base.h>

struct geo_place {
    char continent[3]; /* AF AN AS EU NA OC SA */
    char country[3];   /* ISO 3166-1; "": the continent's own row */
    char part[4];      /* ISO 3166-2 without the country; "": the country's own row */
    int16_t latitude, longitude;
};

extern const struct geo_place geo_places[];
extern const size_t geo_place_count;
