/* SPDX-License-Identifier: Apache-2.0
 * plan_dir.h - a plan as files, judged by gdnsd and put in force.
 *
 *   <dir>/config, <dir>/zones/<zone>, <dir>/geoip/networks, <dir>/orders.json
 *
 * Whatever fails, the files in force stay as they were: a plan is written beside them, checked there, and then moved file by file. */
#pragma once

#include <stdio.h>

#include "geo/plan.h"

struct geo_plan_files {
    struct mer_buf config, networks, zone, orders;
    uint64_t generation;
};
MER_MUST_CHECK enum mer_err geo_plan_files_init(struct geo_plan_files *p, const struct geo_footprint *f, const struct geo_measured *m,
                                                const struct geo_plan_conf *c);
void geo_plan_files_deinit(struct geo_plan_files *p);

/* Creates the folders; each file by a rename. MER_EIO with msg. */
MER_MUST_CHECK enum mer_err geo_plan_dir_write(const struct geo_plan_files *p, const struct geo_footprint *f, const char *dir,
                                               struct mer_msg *msg);
/* `gdnsd checkconf`, and that the database told places apart at all: gdnsd takes one whose records it cannot read, and sends everybody to
 * the default. MER_EINVALID with msg (gdnsd's own line). */
MER_MUST_CHECK enum mer_err geo_plan_dir_check(const char *dir, const struct geo_footprint *f, const struct geo_measured *m, bool database,
                                               struct mer_msg *msg);
/* Each line of `golden`: an address, then the regions in the order in which they must come ("#" begins a comment). Wrong lines are told on
 * `out`. MER_EINVALID when there is one, or none to check. */
MER_MUST_CHECK enum mer_err geo_plan_dir_golden(const char *dir, const char *golden, FILE *out, struct mer_msg *msg);

enum geo_applied { GEO_APPLIED_NOTHING, GEO_APPLIED_ZONE, GEO_APPLIED_CONFIG, GEO_APPLIED_FILES };
/* Writes to <dir>.next, checks, moves, tells the running gdnsd: nothing changed, its zone only (reload-zones), its configuration (replace);
 * FILES: none runs. What gdnsd did not take is told again by the next call, with the same files too. */
MER_MUST_CHECK enum mer_err geo_plan_dir_apply(const struct geo_plan_files *p, const struct geo_footprint *f, const struct geo_measured *m,
                                               const char *dir, bool database, enum geo_applied *applied, struct mer_msg *msg);
