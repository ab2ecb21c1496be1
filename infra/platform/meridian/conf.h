/* SPDX-License-Identifier: Apache-2.0
 * conf.h - configuration in three steps (C18): parse (YAML through libyaml -> struct; an unknown key, a duplicate, a wrong type or a number
 * out of range is an error with file, line, key and the allowed range; all errors are reported, not the first), validate (the service's own
 * pure function), freeze (const from there).
 *
 * A file is one flat mapping: scalars and lists of scalars. Durations and sizes are plain numbers, the unit is in the key's name. Secrets
 * only by file name. A byte order mark, carriage returns, anchors, tags and files over 1 MiB are refused. Every key can be given as an
 * environment variable MERIDIAN_<KEY> or flag --set key=value (flag > environment > file).
 */
#pragma once

#include <stdio.h>

#include <meridian/buf.h>

enum mer_conf_type { MER_CONF_STR, MER_CONF_STRS, MER_CONF_U32, MER_CONF_U64, MER_CONF_BOOL, MER_CONF_ENUM };

struct mer_strs {
    char **item;
    size_t count;
};

struct mer_conf_item {
    const char *key;
    enum mer_conf_type type;
    size_t offset;            /* char *, struct mer_strs, uint32_t, uint64_t, bool, uint32_t (index into names) */
    uint64_t min, max;        /* numbers: allowed range; strings: length in bytes; lists: number of items */
    const char *dflt;         /* text, as it would stand in the file (lists: comma separated); NULL: the key is required */
    const char *help;         /* one line, with the R number or the reason for the default */
    const char *const *names; /* MER_CONF_ENUM: NULL-terminated */
};

#define MER_CONF_ROW_STR(st, f, lo, hi, d, h) \
    { \
#f, MER_CONF_STR, offsetof(st, f), lo, hi, d, h, NULL \
    }
#define MER_CONF_ROW_STRS(st, f, lo, hi, d, h) \
    { \
#f, MER_CONF_STRS, offsetof(st, f), lo, hi, d, h, NULL \
    }
#define MER_CONF_ROW_U32(st, f, lo, hi, d, h) \
    { \
#f, MER_CONF_U32, offsetof(st, f), lo, hi, d, h, NULL \
    }
#define MER_CONF_ROW_U64(st, f, lo, hi, d, h) \
    { \
#f, MER_CONF_U64, offsetof(st, f), lo, hi, d, h, NULL \
    }
#define MER_CONF_ROW_BOOL(st, f, d, h) \
    { \
#f, MER_CONF_BOOL, offsetof(st, f), 0, 1, d, h, NULL \
    }
#define MER_CONF_ROW_ENUM(st, f, n, d, h) \
    { \
#f, MER_CONF_ENUM, offsetof(st, f), 0, 0, d, h, n \
    }

/* `file` may be NULL (defaults, environment and sets only). `sets` are "key=value" texts. Errors, one line each ("file:line: key: reason"),
 * are appended to `errors`; MER_EINVALID when there is any. The fields that rows name are zeroed first, others are left alone; on error
 * they may be partly filled and must still be freed. Allocates from the dying family: at start only. */
MER_MUST_CHECK enum mer_err mer_conf_load(const struct mer_conf_item *items, size_t count, void *conf, const char *file,
                                          const struct mer_strs *sets, struct mer_buf *errors);
/* Sets every field of the table to 0 or NULL (mer_conf_load begins with it; other members of the struct are left alone). */
void mer_conf_clear(const struct mer_conf_item *items, size_t count, void *conf);
void mer_conf_free(const struct mer_conf_item *items, size_t count, void *conf);
/* The table as text for people: key, type, range, default, help; and as a YAML template. */
void mer_conf_print_help(const struct mer_conf_item *items, size_t count, FILE *out);
void mer_conf_print_template(const struct mer_conf_item *items, size_t count, FILE *out);
