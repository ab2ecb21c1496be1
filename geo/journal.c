/* SPDX-License-Identifier: Apache-2.0
 * journal.c - journal.h. */
#include "geo/journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <meridian/mem.h>

#include "geo/plan.h"

struct geo_journal {
    FILE *file;
    const struct geo_footprint *footprint;
};

static bool read_wish(const struct geo_footprint *f, json_t *line, struct geo_wished *wished)
{
    const char *region = NULL, *kind = NULL, *reason = NULL, *by = NULL;
    json_int_t at_ms = 0, over_ms = 0, until_ms = 0, share = 0;
    if (json_unpack(line, "{s:s, s:s, s:I, s:I, s:s, s:s, s?I, s?I}", "region", &region, "wish", &kind, "atMs", &at_ms, "overMs", &over_ms,
                    "reason", &reason, "by", &by, "untilMs", &until_ms, "share", &share) != 0 ||
        share < 0 || share >= 100 || share % GEO_SPILL_STEP_PERCENT != 0)
        return false;
    int i = geo_footprint_find(f, region);
    for (unsigned k = 0; k < GEO_WISH_KINDS; k++)
        if (strcmp(kind, geo_wish_names[k]) == 0) {
            if (i < 0)
                return true; /* a region of an earlier footprint */
            wished[i] = (struct geo_wished){.kind = (enum geo_wish_kind)k,
                                            .at_ms = (uint64_t)at_ms,
                                            .over_ms = (uint64_t)over_ms,
                                            .until_ms = (uint64_t)until_ms,
                                            .share = (uint32_t)share};
            snprintf(wished[i].reason, sizeof wished[i].reason, "%s", reason);
            snprintf(wished[i].by, sizeof wished[i].by, "%s", by);
            return true;
        }
    return false;
}

static bool read_line(const struct geo_footprint *f, const char *text, size_t len, struct geo_wished *wished, struct geo_wished *told)
{
    json_t *line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    const char *event = json_string_value(json_object_get(line, "event"));
    bool good = event != NULL && (strcmp(event, "wish") != 0 || read_wish(f, line, wished)) &&
                (strcmp(event, "region") != 0 || read_wish(f, line, told));
    json_decref(line);
    return good;
}

/* Where the good lines end; -1 with msg. */
static long read_all(struct geo_journal *j, const char *path, struct geo_wished *wished, struct geo_wished *told, struct mer_msg *msg)
{
    char *text = NULL;
    size_t size = 0;
    long good = 0;
    unsigned number = 0;
    for (ssize_t len; (len = getline(&text, &size, j->file)) > 0;) {
        number++;
        bool whole = text[len - 1] == '\n';
        if (!whole)
            break; /* torn by a crash: cut off */
        if (!read_line(j->footprint, text, (size_t)len, wished, told)) {
            mer_msgf(msg, "%.400s:%u: not a line of a journal", path, number);
            good = -1;
            break;
        }
        good += len;
    }
    free(text);
    return good;
}

enum mer_err geo_journal_open(struct geo_journal **out, const char *path, const struct geo_footprint *f, struct geo_wished *wished,
                              struct geo_wished *told, struct mer_msg *msg)
{
    struct geo_journal *j = mer_xcalloc(1, sizeof *j);
    j->footprint = f;
    j->file = fopen(path, "a+e");
    if (j->file == NULL) {
        mer_msgf(msg, "%.400s: %s", path, strerror(errno));
        mer_free(&j);
        return MER_EIO;
    }
    rewind(j->file);
    long good = read_all(j, path, wished, told, msg);
    bool cut = good >= 0 && fseek(j->file, 0, SEEK_END) == 0 && ftell(j->file) > good && ftruncate(fileno(j->file), good) != 0;
    if (cut)
        mer_msgf(msg, "%.400s: %s", path, strerror(errno));
    if (good < 0 || cut) {
        geo_journal_close(j);
        return good < 0 ? MER_EINVALID : MER_EIO;
    }
    *out = j;
    return MER_OK;
}

static enum mer_err append(struct geo_journal *j, json_t *line)
{
    char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
    long end = fseek(j->file, 0, SEEK_END) == 0 ? ftell(j->file) : -1;
    bool good = text != NULL && fprintf(j->file, "%s\n", text) > 0 && fflush(j->file) == 0 && fdatasync(fileno(j->file)) == 0;
    if (!good && end >= 0 && ftruncate(fileno(j->file), end) == 0) /* half a line would spoil the next one */
        clearerr(j->file);
    free(text);
    json_decref(line);
    return good ? MER_OK : MER_EIO;
}

static enum mer_err append_wish(struct geo_journal *j, const char *event, uint32_t region, const struct geo_wished *w)
{
    json_t *line = json_pack("{s:I, s:s, s:s, s:s, s:I, s:s, s:s}", "atMs", (json_int_t)w->at_ms, "event", event, "region",
                             j->footprint->region[region].name, "wish", geo_wish_names[w->kind], "overMs", (json_int_t)w->over_ms, "reason",
                             w->reason, "by", w->by);
    if (line != NULL && w->until_ms > 0)
        json_object_set_new(line, "untilMs", json_integer((json_int_t)w->until_ms));
    if (line != NULL && w->kind == GEO_WISH_SHARE)
        json_object_set_new(line, "share", json_integer((json_int_t)w->share));
    return append(j, line);
}

enum mer_err geo_journal_wish(struct geo_journal *j, uint32_t region, const struct geo_wished *w)
{
    return append_wish(j, "wish", region, w);
}

enum mer_err geo_journal_told(struct geo_journal *j, uint32_t region, const struct geo_wished *w)
{
    return append_wish(j, "region", region, w);
}

enum mer_err geo_journal_answer(struct geo_journal *j, uint64_t at_ms, const struct geo_policy *p, uint32_t region, const char *why)
{
    const struct geo_region_state *s = &p->region[region];
    const char *to = s->share > 0 ? j->footprint->region[s->share_to].name : NULL;
    return append(j, json_pack("{s:I, s:s, s:s, s:b, s:i, s:s?, s:s}", "atMs", (json_int_t)at_ms, "event", "answer", "region",
                               j->footprint->region[region].name, "out", (int)s->out, "share", (int)s->share, "to", to, "why", why));
}

void geo_journal_close(struct geo_journal *j)
{
    fclose(j->file);
    free(j);
}
