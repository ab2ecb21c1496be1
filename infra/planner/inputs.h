/* SPDX-License-Identifier: Apache-2.0
 * inputs.h - everything a plan is made of, read from its four files: the wish, the footprint, what was measured, what things cost. */
#pragma once

#include <meridian/conf.h>

#include "infra/planner/plan.h"
#include "infra/planner/rows.h"

enum { PLAN_MEASURED_ROWS = 21, PLAN_PRICE_ROWS = 11, PLAN_REGION_PRICES = 6 };

struct plan_inputs {
    struct plan_wish wish;
    struct geo_footprint footprint;
    struct plan_measured measured;
    struct plan_prices prices;
    struct plan_origin measured_origin[PLAN_MEASURED_ROWS];
    struct plan_row price_row[PLAN_PRICE_ROWS + PLAN_REGION_PRICES * GEO_REGIONS_MAX]; /* with a row for each cloud region */
    struct plan_origin price_origin[PLAN_PRICE_ROWS + PLAN_REGION_PRICES * GEO_REGIONS_MAX];
    size_t price_count;
    char price_name[PLAN_REGION_PRICES * GEO_REGIONS_MAX][80];
};

extern const struct mer_conf_item plan_wish_items[];
extern const size_t plan_wish_item_count;
extern const struct plan_row plan_measured_rows[PLAN_MEASURED_ROWS];

struct plan_files {
    const char *wish, *footprint, *measured, *prices; /* wish may be NULL: sets only */
};
/* All errors of all files are appended. On success plan_inputs_deinit is needed. */
MER_MUST_CHECK enum mer_err plan_inputs_load(struct plan_inputs *in, const struct plan_files *files, const struct mer_strs *sets,
                                             struct mer_buf *errors);
void plan_inputs_deinit(struct plan_inputs *in);
