/* SPDX-License-Identifier: Apache-2.0
 * yaml.c - a small file as a tree. The platform's configuration reader is flat on purpose; a footprint is not. */
#include "geo/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX_BYTES = 1024 * 1024, KEY_MAX_BYTES = 128, DEPTH_MAX = 16 };

static void tell(struct geo_yaml *y, unsigned line, const char *key, const char *fmt, va_list args)
{
    char reason[512], at[16] = "";
    vsnprintf(reason, sizeof reason, fmt, args);
    if (line > 0)
        snprintf(at, sizeof at, ":%u", line);
    y->error_count++;
    if (mer_buf_appendf(y->errors, "%s%s: %s%s%s\n", y->file, at, key ? key : "", key ? ": " : "", reason) != MER_OK)
        return; /* a bounded buffer is full: the count still tells */
}

void geo_yaml_error(struct geo_yaml *y, const yaml_node_t *at, const char *key, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    tell(y, at == NULL ? 0 : (unsigned)at->start_mark.line + 1, key, fmt, args);
    va_end(args);
}

static void error_at(struct geo_yaml *y, size_t line, const char *fmt, ...) MER_PRINTF(3, 4);
static void error_at(struct geo_yaml *y, size_t line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    tell(y, (unsigned)line, NULL, fmt, args);
    va_end(args);
}

/* libyaml's time grows with the square of the depth. */
static bool too_deep(const yaml_event_t *e, unsigned *depth)
{
    if (e->type == YAML_MAPPING_START_EVENT || e->type == YAML_SEQUENCE_START_EVENT)
        return ++*depth > DEPTH_MAX;
    if (e->type == YAML_MAPPING_END_EVENT || e->type == YAML_SEQUENCE_END_EVENT)
        --*depth;
    return false;
}

/* The document's loader resolves anchors silently; the events tell. */
static bool plain(struct geo_yaml *y, FILE *in)
{
    yaml_parser_t parser;
    yaml_event_t event;
    bool good = true, done = false;
    if (!yaml_parser_initialize(&parser))
        return false;
    yaml_parser_set_input_file(&parser, in);
    unsigned documents = 0, depth = 0;
    while (good && !done) {
        if (!yaml_parser_parse(&parser, &event)) {
            error_at(y, parser.problem_mark.line + 1, "%s", parser.problem ? parser.problem : "not valid YAML");
            good = false;
            break;
        }
        const char *why = NULL;
        if (event.type == YAML_ALIAS_EVENT || (event.type == YAML_SCALAR_EVENT && event.data.scalar.anchor) ||
            (event.type == YAML_MAPPING_START_EVENT && event.data.mapping_start.anchor) ||
            (event.type == YAML_SEQUENCE_START_EVENT && event.data.sequence_start.anchor))
            why = "anchors and aliases are not allowed";
        else if ((event.type == YAML_SCALAR_EVENT && event.data.scalar.tag) ||
                 (event.type == YAML_MAPPING_START_EVENT && event.data.mapping_start.tag) ||
                 (event.type == YAML_SEQUENCE_START_EVENT && event.data.sequence_start.tag))
            why = "tags are not allowed";
        else if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            why = "one document a file";
        else if (too_deep(&event, &depth))
            why = "nested too deeply";
        if (why != NULL)
            error_at(y, event.start_mark.line + 1, "%s", why);
        good = why == NULL;
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return good;
}

static yaml_node_t *load(struct geo_yaml *y, FILE *in)
{
    yaml_parser_t parser;
    rewind(in);
    if (!yaml_parser_initialize(&parser))
        return NULL;
    yaml_parser_set_input_file(&parser, in);
    y->open = yaml_parser_load(&parser, &y->doc) != 0;
    yaml_parser_delete(&parser);
    yaml_node_t *root = y->open ? yaml_document_get_root_node(&y->doc) : NULL;
    if (root == NULL || root->type != YAML_MAPPING_NODE) {
        geo_yaml_error(y, root, NULL, "a mapping of keys is wanted");
        return NULL;
    }
    return root;
}

yaml_node_t *geo_yaml_open(struct geo_yaml *y, const char *file, struct mer_buf *errors)
{
    *y = (struct geo_yaml){.file = file, .errors = errors};
    FILE *in = fopen(file, "rb");
    struct stat st;
    if (in == NULL || fstat(fileno(in), &st) != 0) {
        geo_yaml_error(y, NULL, NULL, "%s", strerror(errno));
        if (in != NULL)
            fclose(in);
        return NULL;
    }
    yaml_node_t *root = NULL;
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES)
        geo_yaml_error(y, NULL, NULL, "not a file of at most %d bytes", FILE_MAX_BYTES);
    else if (plain(y, in))
        root = load(y, in);
    fclose(in);
    return root;
}

void geo_yaml_close(struct geo_yaml *y)
{
    if (y->open)
        yaml_document_delete(&y->doc);
    y->open = false;
}

const char *geo_yaml_text(struct geo_yaml *y, const yaml_node_t *node, const char *key, size_t min, size_t max)
{
    if (node->type != YAML_SCALAR_NODE) {
        geo_yaml_error(y, node, key, "one plain value is wanted");
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    size_t len = node->data.scalar.length;
    if (memchr(text, '\0', len) != NULL)
        geo_yaml_error(y, node, key, "a zero byte is not allowed");
    else if (len < min || len > max)
        geo_yaml_error(y, node, key, "%zu characters; %zu to %zu are allowed", len, min, max);
    else
        return text;
    return NULL;
}

static bool came_before(struct geo_yaml *y, const yaml_node_t *mapping, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = yaml_document_get_node(&y->doc, pair->key);
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++) {
        const yaml_node_t *other = yaml_document_get_node(&y->doc, p->key);
        if (other->type == YAML_SCALAR_NODE && strcmp((char *)other->data.scalar.value, (char *)key->data.scalar.value) == 0)
            return true;
    }
    return false;
}

void geo_yaml_each(struct geo_yaml *y, yaml_node_t *mapping, const char *what, geo_yaml_pair_cb cb, void *ctx)
{
    if (mapping->type != YAML_MAPPING_NODE) {
        geo_yaml_error(y, mapping, what, "a mapping of keys is wanted");
        return;
    }
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; p++) {
        const yaml_node_t *at = yaml_document_get_node(&y->doc, p->key);
        const char *key = geo_yaml_text(y, at, what, 1, KEY_MAX_BYTES);
        if (key == NULL)
            continue;
        if (came_before(y, mapping, p))
            geo_yaml_error(y, at, key, "given twice");
        else
            cb(ctx, y, at, key, yaml_document_get_node(&y->doc, p->value));
    }
}

yaml_node_t *geo_yaml_item(struct geo_yaml *y, const yaml_node_t *sequence, size_t i)
{
    if (sequence->type != YAML_SEQUENCE_NODE)
        return NULL;
    const yaml_node_item_t *item = sequence->data.sequence.items.start + i;
    return item < sequence->data.sequence.items.top ? yaml_document_get_node(&y->doc, *item) : NULL;
}

bool geo_yaml_number(struct geo_yaml *y, const yaml_node_t *node, const char *key, double min, double max, double *out)
{
    const char *text = geo_yaml_text(y, node, key, 1, 32);
    if (text == NULL)
        return false;
    char *end;
    double value = strtod(text, &end);
    if (strspn(text, "+-.0123456789") != strlen(text) || *end != '\0' || !isfinite(value)) {
        geo_yaml_error(y, node, key, "\"%s\" is not a number", text);
        return false;
    }
    if (value < min || value > max) {
        geo_yaml_error(y, node, key, "%s is out of range: %g to %g", text, min, max);
        return false;
    }
    *out = value;
    return true;
}

bool geo_yaml_whole(struct geo_yaml *y, const yaml_node_t *node, const char *key, uint32_t min, uint32_t max, uint32_t *out)
{
    double value;
    if (!geo_yaml_number(y, node, key, min, max, &value))
        return false;
    if (value != floor(value)) {
        geo_yaml_error(y, node, key, "a whole number is wanted");
        return false;
    }
    *out = (uint32_t)value;
    return true;
}
