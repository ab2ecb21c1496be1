/* SPDX-License-Identifier: Apache-2.0
 * conf_yaml.c - the file: one flat mapping of scalars and lists of scalars, through libyaml's event parser (no tree, so a nested or huge
 * document costs nothing before it is refused).
 *
 * What YAML allows and we refuse, because it surprises people: other documents, anchors and aliases, tags, a byte order mark, carriage
 * returns. A wrong key or value does not end the reading: only a syntax error does, since nothing after it can be trusted. */
#include "conf_private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <yaml.h>

#include <meridian/mem.h>

struct reader {
    struct mer_conf_load *l;
    const char *file;
    yaml_parser_t parser;
    yaml_event_t event;
    bool failed; /* syntax: stop */
};

#define FAIL(r, line, key, ...) mer__conf_error((r)->l, (r)->file, (unsigned)(line), (key), __VA_ARGS__)

static bool next(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (r->failed)
        return false;
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        FAIL(r, r->parser.problem_mark.line + 1, NULL, "%s", r->parser.problem ? r->parser.problem : "not valid YAML");
        r->failed = true;
        memset(&r->event, 0, sizeof(r->event));
        return false;
    }
    return true;
}

static unsigned line_of(const struct reader *r)
{
    return (unsigned)r->event.start_mark.line + 1;
}

/* At the start of a mapping or sequence: reads to its end. */
static void skip_nested(struct reader *r)
{
    for (int depth = 1; depth && next(r);) {
        yaml_event_type_t t = r->event.type;
        depth += t == YAML_MAPPING_START_EVENT || t == YAML_SEQUENCE_START_EVENT;
        depth -= t == YAML_MAPPING_END_EVENT || t == YAML_SEQUENCE_END_EVENT;
    }
}

/* The event is a plain or quoted text we take; tells what is wrong otherwise. */
static bool scalar_is_good(struct reader *r, const char *key)
{
    if (r->event.type == YAML_ALIAS_EVENT) {
        FAIL(r, line_of(r), key, "aliases are not allowed");
        return false;
    }
    if (r->event.data.scalar.anchor || r->event.data.scalar.tag) {
        FAIL(r, line_of(r), key, "anchors and tags are not allowed");
        return false;
    }
    if (memchr(r->event.data.scalar.value, '\0', r->event.data.scalar.length)) {
        FAIL(r, line_of(r), key, "a zero byte is not allowed");
        return false;
    }
    return true;
}

static void read_list(struct reader *r, const char *key, struct mer_conf_raw *raw)
{
    raw->is_list = true;
    while (next(r) && r->event.type != YAML_SEQUENCE_END_EVENT) {
        if (r->event.type == YAML_MAPPING_START_EVENT || r->event.type == YAML_SEQUENCE_START_EVENT) {
            FAIL(r, line_of(r), key, "a list holds plain values only");
            skip_nested(r);
        } else if (scalar_is_good(r, key) && raw->list.count <= MER_CONF_LIST_ITEMS) {
            mer__conf_strs_add(&raw->list, (const char *)r->event.data.scalar.value, r->event.data.scalar.length);
        }
    }
}

/* Reads the value after a key into raw. */
static void read_value(struct reader *r, const char *key, struct mer_conf_raw *raw)
{
    if (!next(r))
        return;
    raw->line = line_of(r);
    raw->origin = mer_xstrdup(r->file);
    switch (r->event.type) {
    case YAML_SEQUENCE_START_EVENT:
        read_list(r, key, raw);
        return;
    case YAML_MAPPING_START_EVENT:
        FAIL(r, line_of(r), key, "a nested mapping is not allowed: the file is flat");
        skip_nested(r);
        break;
    default:
        if (scalar_is_good(r, key))
            raw->text = mer_xstrdup((const char *)r->event.data.scalar.value);
    }
    if (!raw->text)
        raw->failed = true;
}

static void read_pair(struct reader *r)
{
    struct mer_conf_raw ignored = {0}, *raw = &ignored;
    const struct mer_conf_item *item;
    char key[64] = "";

    if (r->event.type != YAML_SCALAR_EVENT || !scalar_is_good(r, NULL)) {
        FAIL(r, line_of(r), NULL, "a key must be a plain word");
        if (r->event.type == YAML_MAPPING_START_EVENT || r->event.type == YAML_SEQUENCE_START_EVENT)
            skip_nested(r);
    } else {
        snprintf(key, sizeof(key), "%s", (const char *)r->event.data.scalar.value);
        item = mer__conf_find(r->l, (const char *)r->event.data.scalar.value);
        if (!item)
            FAIL(r, line_of(r), key, "unknown key");
        else if (r->l->raw[item - r->l->items].origin)
            FAIL(r, line_of(r), key, "given twice, first in line %u", r->l->raw[item - r->l->items].line);
        else
            raw = &r->l->raw[item - r->l->items];
    }
    read_value(r, key[0] ? key : NULL, raw);
    mer__conf_raw_clear(&ignored);
}

static void read_document(struct reader *r)
{
    while (next(r) && (r->event.type == YAML_STREAM_START_EVENT || r->event.type == YAML_DOCUMENT_START_EVENT))
        ;
    if (r->failed || r->event.type == YAML_STREAM_END_EVENT)
        return; /* an empty file says nothing, which is allowed */
    if (r->event.type != YAML_MAPPING_START_EVENT) {
        FAIL(r, line_of(r), NULL, "lines of the form \"key: value\" are wanted");
        return;
    }
    while (next(r) && r->event.type != YAML_MAPPING_END_EVENT)
        read_pair(r);
    while (next(r) && r->event.type != YAML_STREAM_END_EVENT) {
        if (r->event.type != YAML_DOCUMENT_START_EVENT)
            continue;
        FAIL(r, line_of(r), NULL, "a second document is not allowed");
        return;
    }
}

/* The whole file, NULL when it cannot be had. */
static char *file_take(struct mer_conf_load *l, const char *file, size_t *len)
{
    FILE *f = fopen(file, "re");
    struct stat st;
    char *text = NULL;

    if (!f) {
        mer__conf_error(l, file, 0, NULL, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    if (fstat(fileno(f), &st) != 0 || S_ISDIR(st.st_mode)) {
        mer__conf_error(l, file, 0, NULL, "not a file");
        goto out;
    }
    text = mer_xmalloc(MER_CONF_FILE_BYTES + 1);
    *len = fread(text, 1, MER_CONF_FILE_BYTES + 1, f);
    if (ferror(f) || *len > MER_CONF_FILE_BYTES) {
        mer__conf_error(l, file, 1, NULL, ferror(f) ? "reading failed" : "larger than 1 MiB: not a configuration");
        mer_free(&text);
    }
out:
    fclose(f);
    return text;
}

static bool bytes_are_good(struct mer_conf_load *l, const char *file, const char *text, size_t len)
{
    const char *cr = memchr(text, '\r', len);
    unsigned line = 1;

    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        mer__conf_error(l, file, 1, NULL, "begins with a byte order mark: save it as plain UTF-8");
        return false;
    }
    if (!cr)
        return true;
    for (const char *c = text; c < cr; c++)
        line += *c == '\n';
    mer__conf_error(l, file, line, NULL, "has a carriage return: save it with Unix line ends");
    return false;
}

void mer__conf_yaml_read(struct mer_conf_load *l, const char *file)
{
    struct reader r = {.l = l, .file = file};
    size_t len = 0;
    char *text = file_take(l, file, &len);

    if (text && bytes_are_good(l, file, text, len)) {
        MER_ASSERT(yaml_parser_initialize(&r.parser));
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
        read_document(&r);
        yaml_event_delete(&r.event);
        yaml_parser_delete(&r.parser);
    }
    mer_free(&text);
}
