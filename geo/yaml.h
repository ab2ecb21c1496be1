/* SPDX-License-Identifier: Apache-2.0
 * yaml.h - the files of geo, read as a tree (libyaml's document) with errors that say file, line and key. Bounded: 1 MiB. Anchors, aliases
 * and tags are refused, as in every configuration file of Meridian (conf.h). */
#pragma once

#include <meridian/buf.h>

#include <yaml.h>

struct geo_yaml {
    const char *file;       /* kept */
    struct mer_buf *errors; /* kept */
    unsigned error_count;
    yaml_document_t doc;
    bool open;
};

/* The root mapping; NULL when there is none (told in errors). geo_yaml_close in any case. */
MER_MUST_CHECK yaml_node_t *geo_yaml_open(struct geo_yaml *y, const char *file, struct mer_buf *errors);
void geo_yaml_close(struct geo_yaml *y);

void geo_yaml_error(struct geo_yaml *y, const yaml_node_t *at, const char *key, const char *fmt, ...) MER_PRINTF(4, 5);

/* Walks a mapping: for each pair whose key is a plain word that did not come before. `key` is the text, terminated. */
typedef void (*geo_yaml_pair_cb)(void *ctx, struct geo_yaml *y, const yaml_node_t *at, const char *key, yaml_node_t *value);
void geo_yaml_each(struct geo_yaml *y, yaml_node_t *mapping, const char *what, geo_yaml_pair_cb cb, void *ctx);
/* The i-th item of a sequence; NULL behind the last, and for what is no sequence. */
yaml_node_t *geo_yaml_item(struct geo_yaml *y, const yaml_node_t *sequence, size_t i);
/* A scalar's text (lives as long as the document); NULL + error when it is none or its length is out of range. */
const char *geo_yaml_text(struct geo_yaml *y, const yaml_node_t *node, const char *key, size_t min, size_t max);
/* false + error when it is no number, or out of range. */
bool geo_yaml_number(struct geo_yaml *y, const yaml_node_t *node, const char *key, double min, double max, double *out);
bool geo_yaml_whole(struct geo_yaml *y, const yaml_node_t *node, const char *key, uint32_t min, uint32_t max, uint32_t *out);
