/* SPDX-License-Identifier: Apache-2.0
 * rows.h - a table of figures in YAML, each with where it comes from:
 *
 *   edge_us_move: {value: 316, unit: us, date: 2026-11-22, source: "README.md, a move's cost"}
 *
 * Every row of the table must be there and no other may, but those of other places ("hosts_percent eu-central-1"); errors are all told. */
#pragma once

#include <meridian/buf.h>

struct plan_row {
    const char *name, *unit;
    size_t offset; /* of a double */
    double min, max;
};
struct plan_origin {
    char unit[16], date[16], source[200];
};

/* Fills out (an array of doubles behind offsets) and origin[count]. Errors as geo_footprint_load's. */
MER_MUST_CHECK enum mer_err plan_rows_load(const struct plan_row *rows, size_t count, void *out, struct plan_origin *origin,
                                           const char *file, struct mer_buf *errors);
