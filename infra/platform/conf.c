/* SPDX-License-Identifier: Apache-2.0
 * conf.c - from the sources to the struct: file, then environment, then --set, each replacing the one before; then the default; then each
 * value is parsed by its row. Nothing is parsed twice and every error of every source is told in one go.
 *
 * Uses the dying family of allocations: configuration is read before the first accept. Next: conf_yaml.c, conf_value.c, conf_print.c. */
#include "conf_private.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include <meridian/mem.h>

void mer__conf_error(struct mer_conf_load *l, const char *origin, unsigned line, const char *key, const char *fmt, ...)
{
    char reason[512], at[16] = "";
    va_list args;

    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    if (line)
        snprintf(at, sizeof(at), ":%u", line);
    l->error_count++;
    if (mer_buf_appendf(l->errors, "%s%s: %s%s%s\n", origin, at, key ? key : "", key ? ": " : "", reason) != MER_OK)
        return; /* a bounded buffer is full: the count still tells */
}

const struct mer_conf_item *mer__conf_find(const struct mer_conf_load *l, const char *key)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->items[i].key, key) == 0)
            return &l->items[i];
    return NULL;
}

void mer__conf_strs_add(struct mer_strs *s, const char *text, size_t len)
{
    s->item = mer_xrealloc(s->item, (s->count + 1) * sizeof(char *));
    s->item[s->count] = mer_xmalloc(len + 1);
    memcpy(s->item[s->count], text, len);
    s->item[s->count++][len] = '\0';
}

void mer__conf_strs_free(struct mer_strs *s)
{
    for (size_t i = 0; i < s->count; i++)
        mer_free(&s->item[i]);
    mer_free(&s->item);
    s->count = 0;
}

void mer__conf_raw_clear(struct mer_conf_raw *raw)
{
    mer_free(&raw->text);
    mer_free(&raw->origin);
    mer__conf_strs_free(&raw->list);
    raw->is_list = raw->failed = false;
    raw->line = 0;
}

static void override(struct mer_conf_load *l, const struct mer_conf_item *item, const char *text, const char *origin)
{
    struct mer_conf_raw *raw = &l->raw[item - l->items];

    mer__conf_raw_clear(raw);
    raw->text = mer_xstrdup(text);
    raw->origin = mer_xstrdup(origin);
}

static void read_environment(struct mer_conf_load *l)
{
    char name[128];

    for (size_t i = 0; i < l->count; i++) {
        size_t n = (size_t)snprintf(name, sizeof(name), "MERIDIAN_%s", l->items[i].key);
        const char *text;
        MER_ASSERT(n < sizeof(name));
        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        text = getenv(name);
        if (text)
            override(l, &l->items[i], text, name);
    }
}

static void read_sets(struct mer_conf_load *l, const struct mer_strs *sets)
{
    for (size_t i = 0; sets && i < sets->count; i++) {
        const char *text = sets->item[i], *eq = strchr(text, '=');
        const struct mer_conf_item *item;
        char key[64];
        if (!eq || eq == text || (size_t)(eq - text) >= sizeof(key)) {
            mer__conf_error(l, "--set", 0, NULL, "\"%.64s\" is not key=value", text);
            continue;
        }
        memcpy(key, text, (size_t)(eq - text));
        key[eq - text] = '\0';
        item = mer__conf_find(l, key);
        if (item)
            override(l, item, eq + 1, "--set");
        else
            mer__conf_error(l, "--set", 0, key, "unknown key");
    }
}

enum mer_err mer_conf_load(const struct mer_conf_item *items, size_t count, void *conf, const char *file, const struct mer_strs *sets,
                           struct mer_buf *errors)
{
    struct mer_conf_load l = {.items = items, .count = count, .errors = errors};

    l.raw = mer_xcalloc(count, sizeof(struct mer_conf_raw));
    mer_conf_clear(items, count, conf);
    if (file)
        mer__conf_yaml_read(&l, file);
    read_environment(&l);
    read_sets(&l, sets);
    for (size_t i = 0; i < count; i++) {
        struct mer_conf_raw *raw = &l.raw[i];
        if (!raw->origin && items[i].dflt)
            override(&l, &items[i], items[i].dflt, "default");
        if (raw->origin && !raw->failed)
            mer__conf_value_set(&l, &items[i], raw, conf);
        else if (!raw->failed)
            mer__conf_error(&l, file ? file : "configuration", file ? 1 : 0, items[i].key, "required, but not given");
        mer__conf_raw_clear(raw);
    }
    mer_free(&l.raw);
    return l.error_count ? MER_EINVALID : MER_OK;
}

static void *field(const struct mer_conf_item *item, void *conf)
{
    return (char *)conf + item->offset;
}

void mer_conf_clear(const struct mer_conf_item *items, size_t count, void *conf)
{
    for (size_t i = 0; i < count; i++) {
        switch (items[i].type) {
        case MER_CONF_STR:
            *(char **)field(&items[i], conf) = NULL;
            break;
        case MER_CONF_STRS:
            *(struct mer_strs *)field(&items[i], conf) = (struct mer_strs){0};
            break;
        case MER_CONF_U64:
            *(uint64_t *)field(&items[i], conf) = 0;
            break;
        case MER_CONF_BOOL:
            *(bool *)field(&items[i], conf) = false;
            break;
        case MER_CONF_U32:
        case MER_CONF_ENUM:
            *(uint32_t *)field(&items[i], conf) = 0;
            break;
        }
    }
}

void mer_conf_free(const struct mer_conf_item *items, size_t count, void *conf)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].type == MER_CONF_STR)
            mer_free((char **)field(&items[i], conf));
        else if (items[i].type == MER_CONF_STRS)
            mer__conf_strs_free(field(&items[i], conf));
    }
}
