/* SPDX-License-Identifier: Apache-2.0
 * event_reply.c - see event_reply.h. The shape is told at the top of infra/redis/meridian1.lua; everything is checked, because a reply of
 * another shape comes from another library. */
#include <meridian/event_reply.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS, TIME, NEEDS, NUMBER, GONE, GENERATION, LIST, ELEMENTS };

/* "" is 0. */
static bool number(const redisReply *e, uint64_t *out)
{
    if (e->type != REDIS_REPLY_STRING || e->len > 20 || strspn(e->str, "0123456789") != (size_t)e->len)
        return false;
    errno = 0;
    *out = strtoull(e->str, NULL, 10);
    return errno == 0;
}

static bool status(const redisReply *e, enum mer_event_status *out)
{
#define X(name) #name,
    static const char *const names[] = {MER_EVENT_STATUSES(X)};
#undef X
    for (size_t i = 0; e->type == REDIS_REPLY_STRING && i < MER_COUNT(names); i++)
        if (strcmp(e->str, names[i]) == 0) {
            *out = (enum mer_event_status)i;
            return true;
        }
    return false;
}

enum mer_err mer_event_reply_decode(const redisReply *reply, struct mer_event_reply *out)
{
    struct mer_event_reply r = {0};
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != ELEMENTS)
        return MER_EINVALID;
    redisReply **e = reply->element;
    if (!status(e[STATUS], &r.status) || e[TIME]->type != REDIS_REPLY_INTEGER || e[TIME]->integer <= 0 || !number(e[NUMBER], &r.number) ||
        !number(e[GONE], &r.gone) || !number(e[GENERATION], &r.generation) || e[LIST]->type != REDIS_REPLY_ARRAY)
        return MER_EINVALID;
    r.time_ms = (uint64_t)e[TIME]->integer;
    r.count = e[LIST]->elements;
    r.item = e[LIST]->element;
    for (size_t i = 0; i < r.count; i++)
        if (r.item[i]->type != REDIS_REPLY_STRING)
            return MER_EINVALID;
    *out = r;
    return MER_OK;
}
