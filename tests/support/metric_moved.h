/* SPDX-License-Identifier: Apache-2.0
 * metric_moved.h - metrics as part of the behaviour (C25): look a row up by its rendered name, compare before and after.
 *
 *   uint64_t before = metric_value(&registry, "meridian_edge_seats_paused_total");
 *   ...
 *   assert_metric_moved(&registry, "meridian_edge_seats_paused_total", before, 1); */
#pragma once

#include <meridian/metric.h>

#include "unit.h"

/* `name` may end in its label set: name{code="1012"}. The test fails when there is no such row. */
static inline uint64_t metric_value(const struct mer_metrics *m, const char *name)
{
    size_t len = strcspn(name, "{");

    MER_LIST_EACH (node, &m->sets) {
        const struct mer_metric_set *set = MER_LIST_ENTRY(node, struct mer_metric_set, node);
        for (size_t i = 0; i < set->count; i++) {
            const char *labels = set->defs[i].labels, *want = name[len] ? name + len + 1 : NULL;
            if (strlen(set->defs[i].name) != len || memcmp(set->defs[i].name, name, len) != 0)
                continue;
            if (!labels != !want || (labels && want && strncmp(want, labels, strlen(labels)) != 0))
                continue;
            return set->hist ? set->hist->count : set->values[i];
        }
    }
    fail_msg("no metric is called %s", name);
    return 0;
}

#define assert_metric_moved(m, name, before, by) assert_int_equal(metric_value((m), (name)) - (before), (by))
