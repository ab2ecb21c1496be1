/* SPDX-License-Identifier: Apache-2.0
 * wish.c - wish.h. */
#include "geo/wish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const geo_wish_names[GEO_WISH_KINDS] = {"nothing", "drain", "force_in", "share"};

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(digits, c | 0x20);
    return at == NULL ? -1 : (int)(at - digits);
}

/* Up to & or the end; false when it does not fit, or is no printable text. */
static bool decode(const char *from, char *to, size_t size)
{
    size_t n = 0;
    for (; *from != '\0' && *from != '&'; from++) {
        int c = *from == '+' ? ' ' : (unsigned char)*from;
        if (c == '%') {
            int high = hex(from[1]), low = high < 0 ? -1 : hex(from[2]);
            if (low < 0)
                return false;
            c = high * 16 + low;
            from += 2;
        }
        if (c < ' ' || c > '~' || n + 1 == size)
            return false;
        to[n++] = (char)c;
    }
    to[n] = '\0';
    return true;
}

/* The value of the only `name`; false with msg. */
static bool take(const char *query, const char *name, char *to, size_t size, struct mer_msg *msg)
{
    size_t len = strlen(name);
    const char *found = NULL;
    for (const char *s = query; s != NULL && *s != '\0'; s = strchr(s, '&') == NULL ? NULL : strchr(s, '&') + 1)
        if (strncmp(s, name, len) == 0 && s[len] == '=') {
            if (found != NULL) {
                mer_msgf(msg, "%s is given twice", name);
                return false;
            }
            found = s + len + 1;
        }
    to[0] = '\0';
    if (found != NULL && !decode(found, to, size)) {
        mer_msgf(msg, "%s: at most %zu printable ASCII characters, percent-encoded", name, size - 1);
        return false;
    }
    return true;
}

enum mer_err geo_wish_parse(const char *query, const struct geo_footprint *f, uint32_t *region, struct geo_wished *w, struct mer_msg *msg)
{
    char name[64], kind[16], over[16], *end;
    *w = (struct geo_wished){0};
    if (!take(query, "region", name, sizeof name, msg) || !take(query, "wish", kind, sizeof kind, msg) ||
        !take(query, "over_ms", over, sizeof over, msg) || !take(query, "reason", w->reason, GEO_WISH_REASON_BYTES, msg) ||
        !take(query, "by", w->by, GEO_WISH_BY_BYTES, msg))
        return MER_EINVALID;
    int found = geo_footprint_find(f, name);
    unsigned k = 0;
    while (k < GEO_WISH_KINDS && (k == GEO_WISH_SHARE || strcmp(kind, geo_wish_names[k]) != 0))
        k++;
    unsigned long over_ms = strtoul(over, &end, 10);
    const char *why = NULL;
    if (found < 0)
        why = "region: not one of the footprint";
    else if (k == GEO_WISH_KINDS)
        why = "wish: drain, force_in or nothing";
    else if (over[0] != '\0' && (strspn(over, "0123456789") != strlen(over) || over_ms > GEO_WISH_OVER_MAX_MS))
        why = "over_ms: a number up to 86400000";
    else if (over_ms > 0 && k != GEO_WISH_DRAIN)
        why = "over_ms: only with drain";
    else if (w->reason[0] == '\0' || w->by[0] == '\0')
        why = "reason and by: who wants this, and why, stands in the journal";
    if (why != NULL) {
        mer_msgf(msg, "%s", why);
        return MER_EINVALID;
    }
    w->kind = (enum geo_wish_kind)k;
    w->over_ms = over_ms;
    *region = (uint32_t)found;
    return MER_OK;
}

/* Wishes are in wall time, the policy in monotonic time. */
void geo_wish_of(const struct geo_wished *wished, const struct geo_wished *told, uint64_t wall_ms, uint64_t now_ms, struct geo_wish *out)
{
    bool none = wished->kind == GEO_WISH_NOTHING || geo_wish_is_over(wished, wall_ms);
    const struct geo_wished *w = none ? told : wished;
    uint64_t ago_ms = wall_ms > w->at_ms ? wall_ms - w->at_ms : 0;
    bool long_ago = ago_ms > now_ms;
    *out = (struct geo_wish){.drain = w->kind == GEO_WISH_DRAIN,
                             .drain_from_ms = long_ago ? 0 : now_ms - ago_ms,
                             .drain_over_ms = long_ago ? 0 : w->over_ms,
                             .force_in = w->kind == GEO_WISH_FORCE_IN,
                             .share = w->kind == GEO_WISH_SHARE ? w->share : 0};
}

bool geo_wish_is_over(const struct geo_wished *w, uint64_t wall_ms)
{
    return w->until_ms > 0 && wall_ms >= w->until_ms;
}
