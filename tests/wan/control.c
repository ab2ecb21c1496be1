/* SPDX-License-Identifier: Apache-2.0
 * control.c - the words of net.h. A line is read to its end before anything is changed, so that a wrong word late in it has no effect. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tests/wan/net.h"

enum { WORDS_MAX = 24 };

enum key { DELAY, JITTER, LOSS, DUPLICATE, REORDER, RATE, CUT, KEYS };
static const struct {
    const char *name;
    uint32_t most;
} keys[CUT] = {
    [DELAY] = {"delay_ms", 60 * 1000},        [JITTER] = {"jitter_ms", 60 * 1000},  [LOSS] = {"loss_percent", 100},
    [DUPLICATE] = {"duplicate_percent", 100}, [REORDER] = {"reorder_percent", 100}, [RATE] = {"rate_kbit", 100 * 1000 * 1000},
};

/* Which paths, and what of them. */
struct change {
    int from, to; /* -1: every node */
    bool both;
    bool given[KEYS];
    uint64_t value[KEYS]; /* thousandths of what the key's name says; CUT: 0 or 1 */
};

struct words {
    char text[WAN_LINE_MAX + 1];
    char *word[WORDS_MAX];
    size_t count;
};

static bool split(struct words *w, const char *line)
{
    size_t len = strlen(line);
    w->count = 0;
    if (len > WAN_LINE_MAX)
        return false;
    memcpy(w->text, line, len + 1);
    char *rest = w->text, *word;
    while ((word = strtok_r(rest, " \t\r", &rest)) != NULL) {
        if (w->count == WORDS_MAX)
            return false;
        w->word[w->count++] = word;
    }
    return w->count > 0;
}

static bool find_node(const struct wan_net *w, const char *name, int *out)
{
    *out = wan_net_find(w, name);
    return *out >= 0 || strcmp(name, "*") == 0;
}

/* A plain decimal, in thousandths. */
static bool thousandths(const char *text, uint32_t most, uint64_t *out)
{
    char *end;
    if (!isdigit((unsigned char)*text) || strlen(text) > 16 || strspn(text, "0123456789.") != strlen(text))
        return false;
    double value = strtod(text, &end);
    if (*end != '\0' || value > most)
        return false;
    *out = (uint64_t)(value * 1000 + 0.5);
    return true;
}

/* The reason of a refusal; NULL: fine. */
static const char *read_values(struct change *c, const struct words *w, size_t at)
{
    if (at == w->count || (w->count - at) % 2 != 0)
        return "pairs of key and value are wanted";
    for (; at < w->count; at += 2) {
        enum key k = 0;
        while (k < CUT && strcmp(keys[k].name, w->word[at]) != 0)
            k++;
        if (k == CUT)
            return "no such key";
        if (!thousandths(w->word[at + 1], keys[k].most, &c->value[k]))
            return "a value is no number, or out of range";
        c->given[k] = true;
    }
    return NULL;
}

static const char *read_change(const struct wan_net *net, const struct words *w, struct change *c)
{
    const char *verb = w->word[0];
    bool set = strcmp(verb, "set") == 0, heal = strcmp(verb, "heal") == 0, cut = strcmp(verb, "cut") == 0;
    size_t at = 1;
    *c = (struct change){.from = -1, .to = -1};
    if (!set && !heal && !cut)
        return "one of set, cut, heal, show is wanted";
    c->given[CUT] = !set;
    c->value[CUT] = cut;
    if (heal && w->count == 1)
        return NULL;
    if (at < w->count && strcmp(w->word[at], "both") == 0) {
        c->both = true;
        at++;
    }
    if (w->count < at + 2 || !find_node(net, w->word[at], &c->from) || !find_node(net, w->word[at + 1], &c->to))
        return "two nodes are wanted";
    at += 2;
    if (set)
        return read_values(c, w, at);
    return at == w->count ? NULL : "too many words";
}

static void apply(struct wan_settings *s, const struct change *c)
{
    const uint64_t *v = c->value;
    if (c->given[DELAY])
        s->delay_us = (uint32_t)v[DELAY];
    if (c->given[JITTER])
        s->jitter_us = (uint32_t)v[JITTER];
    if (c->given[LOSS])
        s->loss_ppm = (uint32_t)v[LOSS] * 10;
    if (c->given[DUPLICATE])
        s->duplicate_ppm = (uint32_t)v[DUPLICATE] * 10;
    if (c->given[REORDER])
        s->reorder_ppm = (uint32_t)v[REORDER] * 10;
    if (c->given[RATE])
        s->rate_bps = v[RATE];
    if (c->given[CUT])
        s->cut = v[CUT] != 0;
}

static bool meant(int node, uint32_t i)
{
    return node < 0 || node == (int)i;
}

static void change_all(struct wan_net *net, const struct change *c)
{
    for (uint32_t a = 0; a < net->count; a++)
        for (uint32_t b = 0; b < net->count; b++)
            if (a != b && ((meant(c->from, a) && meant(c->to, b)) || (c->both && meant(c->from, b) && meant(c->to, a))))
                apply(&net->path[a][b].set, c);
}

static enum mer_err show_path(const struct wan_net *net, uint32_t a, uint32_t b, struct mer_buf *out)
{
    const struct wan_path *p = &net->path[a][b];
    const struct wan_settings *s = &p->set;
    const struct wan_counts *c = &p->counts;
    enum mer_err err = mer_buf_appendf(
        out, "%s %s delay_ms %.3f jitter_ms %.3f loss_percent %.4f duplicate_percent %.4f reorder_percent %.4f ", net->node[a].name,
        net->node[b].name, s->delay_us / 1e3, s->jitter_us / 1e3, s->loss_ppm / 1e4, s->duplicate_ppm / 1e4, s->reorder_ppm / 1e4);
    if (err != MER_OK)
        return err;
    return mer_buf_appendf(
        out, "rate_kbit %.3f is_cut %d passed %llu bytes %llu lost %llu cut %llu full %llu duplicated %llu reordered %llu\n",
        (double)s->rate_bps / 1e3, s->cut, (unsigned long long)c->passed, (unsigned long long)c->bytes, (unsigned long long)c->lost,
        (unsigned long long)c->cut, (unsigned long long)c->full, (unsigned long long)c->duplicated, (unsigned long long)c->reordered);
}

static enum mer_err show(const struct wan_net *net, struct mer_buf *out)
{
    enum mer_err err = MER_OK;
    for (uint32_t a = 0; a < net->count && err == MER_OK; a++)
        for (uint32_t b = 0; b < net->count && err == MER_OK; b++)
            if (a != b && net->node[a].name[0] != '\0' && net->node[b].name[0] != '\0')
                err = show_path(net, a, b, out);
    if (err == MER_OK)
        err = mer_buf_appendf(out, "dropped not_ipv4 %llu nowhere %llu full %llu\nok\n", (unsigned long long)net->not_ipv4,
                              (unsigned long long)net->nowhere, (unsigned long long)net->full);
    return err;
}

enum mer_err wan_net_command(struct wan_net *net, const char *line, struct mer_buf *answer)
{
    struct words w;
    struct change c;
    if (!split(&w, line))
        return mer_buf_appends(answer, "error: an empty line, or one of too many words\n");
    if (w.count == 1 && strcmp(w.word[0], "show") == 0)
        return show(net, answer);
    const char *refused = read_change(net, &w, &c);
    if (refused != NULL)
        return mer_buf_appendf(answer, "error: %s\n", refused);
    change_all(net, &c);
    return mer_buf_appends(answer, "ok\n");
}
