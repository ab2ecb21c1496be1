/* SPDX-License-Identifier: Apache-2.0
 * conf_value.c - one text to one field, by the row's type and range. Numbers are plain decimal: the unit is in the key's name, so "5s" or
 * "1k" is told, not guessed; a leading zero is refused because YAML and people disagree about it. */
#include "conf_private.h"

#include <inttypes.h>
#include <string.h>

#include <meridian/id.h>
#include <meridian/mem.h>

struct place { /* where an error would be told */
    struct mer_conf_load *l;
    const struct mer_conf_item *item;
    const struct mer_conf_raw *raw;
};

#define FAIL(p, ...) mer__conf_error((p)->l, (p)->raw->origin, (p)->raw->line, (p)->item->key, __VA_ARGS__)

static void set_number(const struct place *p, const char *text, void *field)
{
    size_t len = strlen(text);
    uint64_t n = 0;
    bool over = false;

    if (len == 0 || strspn(text, "0123456789") != len || (len > 1 && text[0] == '0')) {
        FAIL(p, "\"%.64s\" is not a plain number (%" PRIu64 " to %" PRIu64 "; the unit is in the key's name)", text, p->item->min,
             p->item->max);
        return;
    }
    for (; *text; text++) {
        over = over || __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n);
    }
    if (over || n < p->item->min || n > p->item->max)
        FAIL(p, "out of range: %" PRIu64 " to %" PRIu64 " is allowed", p->item->min, p->item->max);
    else if (p->item->type == MER_CONF_U64)
        *(uint64_t *)field = n;
    else
        *(uint32_t *)field = (uint32_t)n;
}

static void set_bool(const struct place *p, const char *text, bool *field)
{
    if (strcmp(text, "true") == 0)
        *field = true;
    else if (strcmp(text, "false") == 0)
        *field = false;
    else
        FAIL(p, "\"%.64s\" is neither true nor false", text);
}

static void set_enum(const struct place *p, const char *text, uint32_t *field)
{
    char names[256] = "";

    for (uint32_t i = 0; p->item->names[i]; i++) {
        size_t len = strlen(names);
        if (strcmp(text, p->item->names[i]) == 0) {
            *field = i;
            return;
        }
        snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "", p->item->names[i]);
    }
    FAIL(p, "\"%.64s\" is not one of: %s", text, names);
}

static bool text_is_good(const struct place *p, const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || mer_id_is_text(text, len, MER_CONF_TEXT_BYTES))
        return true;
    FAIL(p, "not a text: longer than %d bytes, control characters or no UTF-8", MER_CONF_TEXT_BYTES);
    return false;
}

static void set_str(const struct place *p, const char *text, char **field)
{
    size_t len = strlen(text);

    if (!text_is_good(p, text))
        return;
    if (len < p->item->min || len > p->item->max)
        FAIL(p, "%zu bytes long: %" PRIu64 " to %" PRIu64 " is allowed", len, p->item->min, p->item->max);
    else
        *field = mer_xstrdup(text);
}

static void split(const char *text, struct mer_strs *list)
{
    while (*text) {
        size_t len = strcspn(text, ","), skip = strspn(text, " "), end = len;
        if (skip > len)
            skip = len;
        while (end > skip && text[end - 1] == ' ')
            end--;
        mer__conf_strs_add(list, text + skip, end - skip);
        text += len;
        if (*text == ',' && *++text == '\0')
            mer__conf_strs_add(list, "", 0); /* "a," has an empty second item, and that is an error */
    }
}

static void set_strs(const struct place *p, struct mer_strs *field)
{
    struct mer_strs split_up = {0};
    const struct mer_strs *list = &p->raw->list;

    if (!p->raw->is_list) {
        split(p->raw->text, &split_up);
        list = &split_up;
    }
    if (list->count < p->item->min || list->count > p->item->max)
        FAIL(p, "%zu items: %" PRIu64 " to %" PRIu64 " are allowed", list->count, p->item->min, p->item->max);
    for (size_t i = 0; i < list->count; i++) {
        if (list->item[i][0] == '\0')
            FAIL(p, "item %zu is empty", i + 1);
        else if (text_is_good(p, list->item[i]))
            mer__conf_strs_add(field, list->item[i], strlen(list->item[i]));
    }
    mer__conf_strs_free(&split_up);
}

void mer__conf_value_set(struct mer_conf_load *l, const struct mer_conf_item *item, const struct mer_conf_raw *raw, void *conf)
{
    const struct place p = {l, item, raw};
    void *field = (char *)conf + item->offset;

    if (raw->is_list && item->type != MER_CONF_STRS) {
        FAIL(&p, "one value is wanted, not a list");
        return;
    }
    if (!raw->is_list && raw->line && item->type == MER_CONF_STRS) {
        FAIL(&p, "a list is wanted: [one, two], or a line \"- one\" each");
        return;
    }
    switch (item->type) {
    case MER_CONF_STR:
        set_str(&p, raw->text, field);
        break;
    case MER_CONF_STRS:
        set_strs(&p, field);
        break;
    case MER_CONF_U32:
    case MER_CONF_U64:
        set_number(&p, raw->text, field);
        break;
    case MER_CONF_BOOL:
        set_bool(&p, raw->text, field);
        break;
    case MER_CONF_ENUM:
        set_enum(&p, raw->text, field);
        break;
    }
}
