/* SPDX-License-Identifier: Apache-2.0
 * conf_private.h - between conf.c (sources and order), conf_yaml.c (the file) and conf_value.c (text to field). */
#pragma once

#include <meridian/conf.h>

enum { MER_CONF_FILE_BYTES = 1024 * 1024, MER_CONF_TEXT_BYTES = 4096, MER_CONF_LIST_ITEMS = 1024 };

/* A value as text, and who said it. Owned: texts, list items, origin. */
struct mer_conf_raw {
    char *text;           /* scalar; NULL when it is a list or nothing was said */
    struct mer_strs list; /* a list of the file */
    bool is_list;
    bool failed;   /* told already: no value, but not missing either */
    unsigned line; /* in the file; 0 for the others */
    char *origin;  /* "edge.yaml", "--set", "MERIDIAN_ID" */
};

struct mer_conf_load {
    const struct mer_conf_item *items;
    size_t count;
    struct mer_conf_raw *raw; /* one an item; the strongest source wins */
    struct mer_buf *errors;
    unsigned error_count;
};

/* Appends "origin:line: key: reason" (without what is 0 or NULL). */
void mer__conf_error(struct mer_conf_load *l, const char *origin, unsigned line, const char *key, const char *fmt, ...) MER_PRINTF(5, 6);
/* The item called so, or NULL. */
const struct mer_conf_item *mer__conf_find(const struct mer_conf_load *l, const char *key);
void mer__conf_raw_clear(struct mer_conf_raw *raw);
void mer__conf_strs_add(struct mer_strs *s, const char *text, size_t len);
void mer__conf_strs_free(struct mer_strs *s);

/* Reads the file into l->raw. */
void mer__conf_yaml_read(struct mer_conf_load *l, const char *file);
/* Writes the item's field of conf from raw; what is wrong goes to the errors. */
void mer__conf_value_set(struct mer_conf_load *l, const struct mer_conf_item *item, const struct mer_conf_raw *raw, void *conf);
