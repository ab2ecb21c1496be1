/* SPDX-License-Identifier: Apache-2.0
 * metric.h - counters, gauges and histograms that live beside the code that moves them (C17); rendered in the Prometheus text format 0.0.4.
 *
 * A module has a static table of definitions and an array of plain uint64_t with the same indexes, registered once. A row may carry a fixed
 * label set (`code="1012"`), rows of one name stand together; label values are bounded by being written in the table. */
#pragma once

#include <meridian/buf.h>
#include <meridian/list.h>

/* The _US kinds hold microseconds and are rendered in seconds. */
enum mer_metric_kind { MER_COUNTER, MER_GAUGE, MER_COUNTER_US, MER_GAUGE_US };

struct mer_metric_def {
    const char *name; /* meridian_<service>_<noun>_<unit|total> */
    const char *help;
    enum mer_metric_kind kind;
    const char *labels; /* NULL or `code="1012"` */
};

/* Exponential buckets: 10 us * 2^i, i < 24 (10 us .. 84 s), then +Inf. Rendered in seconds. */
enum { MER_HIST_BUCKETS = 24 };
struct mer_hist {
    uint64_t bucket[MER_HIST_BUCKETS + 1];
    uint64_t count, sum_us;
};
void mer_hist_add_us(struct mer_hist *h, uint64_t us);

struct mer_metric_set { /* storage is the module's; kept until the registry goes */
    struct mer_list node;
    const struct mer_metric_def *defs;
    size_t count;
    uint64_t *values;
    void (*refresh)(struct mer_metric_set *set); /* NULL, or called before rendering: sets gauges */
    const struct mer_hist *hist;                 /* a set is either a table of values or one histogram described by defs[0] */
};

enum { MER_PROCESS_METRICS = 9 };
struct mer_loop;
struct mer_metrics {
    struct mer_list sets;
    struct mer_loop *loop; /* of the process metrics */
    struct mer_metric_set process_set;
    uint64_t process_values[MER_PROCESS_METRICS];
};

void mer_metrics_init(struct mer_metrics *m);
/* Fills the set's fields; set->refresh may be assigned afterwards. The same for a histogram. */
void mer_metrics_add(struct mer_metrics *m, struct mer_metric_set *set, const struct mer_metric_def *defs, size_t count, uint64_t *values);
void mer_metrics_add_hist(struct mer_metrics *m, struct mer_metric_set *set, const struct mer_metric_def *def, const struct mer_hist *hist);
void mer_metrics_remove(struct mer_metric_set *set);
MER_MUST_CHECK enum mer_err mer_metrics_render(const struct mer_metrics *m, struct mer_buf *out);
/* Process metrics (R35): CPU seconds, resident bytes, open and maximal descriptors, start time, loop turns, busy time and longest turn
 * since the last rendering; refreshed at rendering. (metric_process.c: the rest of this header is pure.) */
void mer_metrics_add_process(struct mer_metrics *m, struct mer_loop *loop);
