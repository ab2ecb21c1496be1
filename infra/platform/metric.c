/* SPDX-License-Identifier: Apache-2.0
 * metric.c - registry and Prometheus text format 0.0.4. HELP and TYPE are written once for neighbours of one name, which is why rows (and
 * sets) of one name must stand together. */
#include <meridian/metric.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_BUCKET_US = 10 };

static uint64_t bound_us(unsigned i)
{
    return (uint64_t)FIRST_BUCKET_US << i;
}

void mer_hist_add_us(struct mer_hist *h, uint64_t us)
{
    uint64_t units = us / FIRST_BUCKET_US + (us % FIRST_BUCKET_US != 0);
    unsigned i = units <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(units - 1);

    h->bucket[i < MER_HIST_BUCKETS ? i : MER_HIST_BUCKETS]++;
    h->count++;
    h->sum_us += us;
}

void mer_metrics_init(struct mer_metrics *m)
{
    memset(m, 0, sizeof(*m));
    mer_list_init(&m->sets);
    mer_list_init(&m->process_set.node);
}

void mer_metrics_add(struct mer_metrics *m, struct mer_metric_set *set, const struct mer_metric_def *defs, size_t count, uint64_t *values)
{
    for (size_t i = 0; i < count; i++)
        MER_ASSERT(defs[i].name != NULL); /* a table by an enum has a hole where a value was added: now, not when somebody asks */
    *set = (struct mer_metric_set){.defs = defs, .count = count, .values = values};
    mer_list_push_back(&m->sets, &set->node);
}

void mer_metrics_add_hist(struct mer_metrics *m, struct mer_metric_set *set, const struct mer_metric_def *def, const struct mer_hist *hist)
{
    *set = (struct mer_metric_set){.defs = def, .count = 1, .hist = hist};
    mer_list_push_back(&m->sets, &set->node);
}

void mer_metrics_remove(struct mer_metric_set *set)
{
    mer_list_remove(&set->node);
}

static enum mer_err render_head(const struct mer_metric_def *def, const char *type, const char **last_name, struct mer_buf *out)
{
    if (*last_name && strcmp(*last_name, def->name) == 0)
        return MER_OK;
    *last_name = def->name;
    return mer_buf_appendf(out, "# HELP %s %s\n# TYPE %s %s\n", def->name, def->help, def->name, type);
}

static enum mer_err render_value(const struct mer_metric_def *def, uint64_t value, const char **last_name, struct mer_buf *out)
{
    bool counter = def->kind == MER_COUNTER || def->kind == MER_COUNTER_US;
    bool in_us = def->kind == MER_COUNTER_US || def->kind == MER_GAUGE_US;
    const char *open = def->labels ? "{" : "", *close = def->labels ? "}" : "", *labels = def->labels ? def->labels : "";
    enum mer_err err = render_head(def, counter ? "counter" : "gauge", last_name, out);

    if (err != MER_OK)
        return err;
    if (in_us)
        return mer_buf_appendf(out, "%s%s%s%s %" PRIu64 ".%06u\n", def->name, open, labels, close, value / 1000000,
                               (unsigned)(value % 1000000));
    return mer_buf_appendf(out, "%s%s%s%s %" PRIu64 "\n", def->name, open, labels, close, value);
}

static enum mer_err render_hist(const struct mer_metric_def *def, const struct mer_hist *h, const char **last_name, struct mer_buf *out)
{
    const char *comma = def->labels ? "," : "", *labels = def->labels ? def->labels : "";
    enum mer_err err = render_head(def, "histogram", last_name, out);
    uint64_t sum = 0;
    char braced[256];

    for (unsigned i = 0; err == MER_OK && i < MER_HIST_BUCKETS; i++) {
        sum += h->bucket[i];
        err = mer_buf_appendf(out, "%s_bucket{%s%sle=\"%.5f\"} %" PRIu64 "\n", def->name, labels, comma, (double)bound_us(i) / 1e6, sum);
    }
    if (err != MER_OK)
        return err;
    snprintf(braced, sizeof(braced), def->labels ? "{%s}" : "%s", labels);
    return mer_buf_appendf(out,
                           "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n%s_sum%s %" PRIu64 ".%06u\n"
                           "%s_count%s %" PRIu64 "\n",
                           def->name, labels, comma, h->count, def->name, braced, h->sum_us / 1000000, (unsigned)(h->sum_us % 1000000),
                           def->name, braced, h->count);
}

enum mer_err mer_metrics_render(const struct mer_metrics *m, struct mer_buf *out)
{
    const char *last_name = NULL;
    enum mer_err err = MER_OK;

    MER_LIST_EACH (node, &m->sets) {
        struct mer_metric_set *set = MER_LIST_ENTRY(node, struct mer_metric_set, node);
        if (set->refresh)
            set->refresh(set);
        if (set->hist)
            err = render_hist(&set->defs[0], set->hist, &last_name, out);
        for (size_t i = 0; err == MER_OK && !set->hist && i < set->count; i++)
            err = render_value(&set->defs[i], set->values[i], &last_name, out);
        if (err != MER_OK)
            return err;
    }
    return MER_OK;
}
