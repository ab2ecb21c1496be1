/* SPDX-License-Identifier: Apache-2.0
 * conf_print.c - the table for people: help and template come from the rows that also parse, so they cannot disagree with the program. */
#include <meridian/conf.h>

#include <inttypes.h>
#include <string.h>

static void print_range(const struct mer_conf_item *item, FILE *out)
{
    switch (item->type) {
    case MER_CONF_STR:
        fprintf(out, "text, %" PRIu64 " to %" PRIu64 " bytes", item->min, item->max);
        break;
    case MER_CONF_STRS:
        fprintf(out, "list, %" PRIu64 " to %" PRIu64 " items", item->min, item->max);
        break;
    case MER_CONF_U32:
    case MER_CONF_U64:
        fprintf(out, "number, %" PRIu64 " to %" PRIu64, item->min, item->max);
        break;
    case MER_CONF_BOOL:
        fprintf(out, "true or false");
        break;
    case MER_CONF_ENUM:
        fprintf(out, "one of");
        for (size_t i = 0; item->names[i]; i++)
            fprintf(out, "%s %s", i ? "," : "", item->names[i]);
        break;
    }
}

void mer_conf_print_help(const struct mer_conf_item *items, size_t count, FILE *out)
{
    fprintf(out, "Configuration: a flat YAML file. Stronger: the environment (MERIDIAN_<KEY>), strongest: --set key=value.\n"
                 "Lists there are comma separated.\n\n");
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s (", items[i].key);
        print_range(&items[i], out);
        if (!items[i].dflt)
            fprintf(out, "; required)\n");
        else
            fprintf(out, "; default %s)\n", items[i].dflt[0] ? items[i].dflt : "empty");
        fprintf(out, "    %s\n", items[i].help);
    }
}

static void print_quoted(const char *text, size_t len, FILE *out)
{
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            fputc('\\', out);
        fputc(text[i], out);
    }
    fputc('"', out);
}

static void print_value(const struct mer_conf_item *item, FILE *out)
{
    const char *text = item->dflt;

    if (item->type == MER_CONF_STRS) {
        fputc('[', out);
        while (*text) {
            size_t len = strcspn(text, ",");
            print_quoted(text, len, out);
            text += len;
            text += *text ? 1 + strspn(text + 1, " ") : 0;
            fputs(*text ? ", " : "", out);
        }
        fputc(']', out);
    } else if (item->type == MER_CONF_STR) {
        print_quoted(text, strlen(text), out);
    } else {
        fputs(text, out);
    }
}

void mer_conf_print_template(const struct mer_conf_item *items, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s# %s\n# ", i ? "\n" : "", items[i].help);
        print_range(&items[i], out);
        fprintf(out, "%s\n", items[i].dflt ? "" : "; required");
        fprintf(out, "%s%s: ", items[i].dflt ? "" : "#", items[i].key);
        if (items[i].dflt)
            print_value(&items[i], out);
        fputc('\n', out);
    }
}
