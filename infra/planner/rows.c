/* SPDX-License-Identifier: Apache-2.0
 * rows.c - see rows.h. */
#include "infra/planner/rows.h"

#include <stdio.h>
#include <string.h>

#include "geo/yaml.h"

struct reading {
    const struct plan_row *rows, *row;
    size_t count;
    void *out;
    struct plan_origin *origin, *at;
    bool has_value;
};

static void text_of(struct geo_yaml *y, yaml_node_t *value, const char *key, char *to, size_t size)
{
    const char *text = geo_yaml_text(y, value, key, 1, size - 1);
    if (text != NULL)
        snprintf(to, size, "%s", text);
}

static void on_part(void *ctx, struct geo_yaml *y, const yaml_node_t *at, const char *key, yaml_node_t *value)
{
    struct reading *g = ctx;
    if (strcmp(key, "value") == 0) {
        g->has_value = geo_yaml_number(y, value, g->row->name, g->row->min, g->row->max, (double *)((char *)g->out + g->row->offset));
    } else if (strcmp(key, "unit") == 0) {
        text_of(y, value, key, g->at->unit, sizeof g->at->unit);
    } else if (strcmp(key, "date") == 0) {
        text_of(y, value, key, g->at->date, sizeof g->at->date);
    } else if (strcmp(key, "source") == 0) {
        text_of(y, value, key, g->at->source, sizeof g->at->source);
    } else {
        geo_yaml_error(y, at, key, "no such part of a row: value, unit, date, source");
    }
}

/* "hosts_percent eu-central-1" where the table has "hosts_percent us-east-1": of a place that this footprint is not in. */
static bool of_elsewhere(const struct reading *g, const char *key)
{
    const char *space = strchr(key, ' ');
    for (size_t i = 0; i < g->count && space != NULL; i++)
        if (strncmp(g->rows[i].name, key, (size_t)(space - key) + 1) == 0)
            return true;
    return false;
}

static void on_row(void *ctx, struct geo_yaml *y, const yaml_node_t *at, const char *key, yaml_node_t *value)
{
    struct reading *g = ctx;
    size_t i = 0;
    while (i < g->count && strcmp(g->rows[i].name, key) != 0)
        i++;
    if (i == g->count && of_elsewhere(g, key))
        return;
    if (i == g->count) {
        geo_yaml_error(y, at, key, "nothing is computed from a figure of this name");
        return;
    }
    g->row = &g->rows[i];
    g->at = &g->origin[i];
    g->has_value = false;
    unsigned before = y->error_count;
    geo_yaml_each(y, value, key, on_part, g);
    if (y->error_count > before)
        return;
    if (!g->has_value || g->at->source[0] == '\0' || g->at->date[0] == '\0')
        geo_yaml_error(y, at, key, "value, date and source are needed");
    else if (strcmp(g->at->unit, g->row->unit) != 0)
        geo_yaml_error(y, at, key, "unit: must be \"%s\"", g->row->unit);
}

enum mer_err plan_rows_load(const struct plan_row *rows, size_t count, void *out, struct plan_origin *origin, const char *file,
                            struct mer_buf *errors)
{
    struct reading g = {.rows = rows, .count = count, .out = out, .origin = origin};
    struct geo_yaml y = {0};
    memset(origin, 0, count * sizeof *origin);
    yaml_node_t *root = geo_yaml_open(&y, file, errors);
    if (root != NULL) {
        geo_yaml_each(&y, root, "rows", on_row, &g);
        for (size_t i = 0; i < count; i++)
            if (origin[i].source[0] == '\0' && y.error_count == 0)
                geo_yaml_error(&y, root, rows[i].name, "missing");
    }
    bool good = root != NULL && y.error_count == 0;
    geo_yaml_close(&y);
    return good ? MER_OK : MER_EINVALID;
}
