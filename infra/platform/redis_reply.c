/* SPDX-License-Identifier: Apache-2.0
 * redis_reply.c - Redis' replies as data: what an error means for a call, where a redirect points, which primary has which slots, and a
 * reader with bounds.
 *
 * The reader is hiredis 0.14's. It takes an array's announced length at its word and allocates for it; so arrays are created through a
 * function of ours that refuses long ones. Strings are bounded by the connection, which counts the bytes of an unfinished reply. */
#include "redis_int.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

enum redis_verdict mer__redis_classify(const redisReply *reply)
{
    static const struct {
        const char *prefix;
        enum redis_verdict verdict;
    } table[] = {
        {"MOVED ", REDIS_MOVED},     {"ASK ", REDIS_ASK},        {"TRYAGAIN", REDIS_RETRY},   {"CLUSTERDOWN", REDIS_RETRY},
        {"LOADING", REDIS_RETRY},    {"BUSY ", REDIS_RETRY},     {"MASTERDOWN", REDIS_RETRY}, {"NOREPLICAS", REDIS_RETRY},
        {"READONLY", REDIS_DEMOTED}, {"MISCONF", REDIS_NOT_NOW}, {"OOM ", REDIS_NOT_NOW},     {"ERR Function not found", REDIS_LIBRARY},
        {"UNBLOCKED", REDIS_DOUBT},  {"NOAUTH", REDIS_DENIED},   {"WRONGPASS", REDIS_DENIED},
    };
    if (reply->type != REDIS_REPLY_ERROR)
        return REDIS_ANSWER;
    for (size_t i = 0; i < MER_COUNT(table); i++)
        if (starts(reply->str, table[i].prefix))
            return table[i].verdict;
    return REDIS_REFUSED;
}

/* A decimal number of at most five digits, up to a limit; returns the end or NULL. */
static const char *number(const char *p, unsigned max, unsigned *out)
{
    unsigned n = 0, digits = 0;
    for (; *p >= '0' && *p <= '9' && digits < 6; p++, digits++)
        n = n * 10 + (unsigned)(*p - '0');
    if (digits == 0 || n > max)
        return NULL;
    *out = n;
    return p;
}

/* host of "host:port" or "[v6]:port" */
static void host_of(const char *address, char *out, size_t bytes)
{
    const char *colon = strrchr(address, ':');
    const char *from = address;
    size_t n = colon ? (size_t)(colon - address) : strlen(address);
    if (n >= 2 && from[0] == '[')
        from++, n -= 2;
    snprintf(out, bytes, "%.*s", (int)n, from);
}

/* host NULL or "": the answering node's */
static enum mer_err join(char *out, const char *host, size_t host_len, unsigned port, const char *self_address)
{
    char self[REDIS_ADDRESS_BYTES];
    if (port == 0 || host_len > 255 || (host_len == 1 && host[0] == '?'))
        return MER_EINVALID;
    if (host_len == 0) {
        host_of(self_address, self, sizeof(self));
        host = self;
        host_len = strlen(self);
    }
    for (size_t i = 0; i < host_len; i++)
        if (host[i] <= ' ' || host[i] == 0x7f || strchr("[]{}\"", host[i]))
            return MER_EINVALID;
    bool v6 = memchr(host, ':', host_len) != NULL;
    snprintf(out, REDIS_ADDRESS_BYTES, v6 ? "[%.*s]:%u" : "%.*s:%u", (int)host_len, host, port);
    return MER_OK;
}

enum mer_err mer__redis_redirect(const char *text, const char *self_address, struct redis_redirect *out)
{
    unsigned slot, port;
    const char *p = strchr(text, ' ');
    if (!p || !(p = number(p + 1, REDIS_SLOTS - 1, &slot)) || *p != ' ')
        return MER_EINVALID;
    const char *host = p + 1, *colon = strrchr(host, ':');
    if (!colon || !(p = number(colon + 1, 65535, &port)) || *p)
        return MER_EINVALID;
    size_t n = (size_t)(colon - host);
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']')
        host++, n -= 2;
    out->slot = (uint16_t)slot;
    return join(out->address, host, n, port, self_address);
}

static bool parse_range(const redisReply *e, const char *self_address, struct redis_range *out)
{
    if (e->type != REDIS_REPLY_ARRAY || e->elements < 3)
        return false;
    const redisReply *first = e->element[0], *last = e->element[1], *primary = e->element[2];
    if (first->type != REDIS_REPLY_INTEGER || last->type != REDIS_REPLY_INTEGER || first->integer < 0 || last->integer < first->integer ||
        last->integer >= REDIS_SLOTS)
        return false;
    if (primary->type != REDIS_REPLY_ARRAY || primary->elements < 2)
        return false;
    const redisReply *host = primary->element[0], *port = primary->element[1];
    bool named = host->type == REDIS_REPLY_STRING;
    if ((!named && host->type != REDIS_REPLY_NIL) || port->type != REDIS_REPLY_INTEGER || port->integer < 1 || port->integer > 65535)
        return false;
    out->first = (uint16_t)first->integer;
    out->last = (uint16_t)last->integer;
    return join(out->address, named ? host->str : NULL, named ? (size_t)host->len : 0, (unsigned)port->integer, self_address) == MER_OK;
}

static bool mark(uint8_t *seen, const struct redis_range *range)
{
    for (unsigned s = range->first; s <= range->last; s++) {
        if (seen[s / 8] & 1u << s % 8)
            return false;
        seen[s / 8] = (uint8_t)(seen[s / 8] | 1u << s % 8);
    }
    return true;
}

enum mer_err mer__redis_parse_slots(const redisReply *reply, const char *self_address, struct redis_ranges *out)
{
    uint8_t seen[REDIS_SLOTS / 8] = {0};
    struct redis_ranges got = {0};
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 || reply->elements > REDIS_SLOTS)
        return MER_EINVALID;
    got.range = mer_try_calloc(reply->elements, sizeof(*got.range));
    if (!got.range)
        return MER_ENOMEM;
    for (got.count = 0; got.count < reply->elements; got.count++) {
        struct redis_range *range = &got.range[got.count];
        if (!parse_range(reply->element[got.count], self_address, range) || !mark(seen, range)) {
            mer_free(&got.range);
            return MER_EINVALID;
        }
        got.slots += (uint32_t)(range->last - range->first) + 1;
    }
    *out = got;
    return MER_OK;
}

static void *create_array(const redisReadTask *task, int elements)
{
    const struct redis_reader_fns *fns = task->privdata;
    if (elements < 0 || elements > REDIS_ARRAY_MAX)
        return NULL;
    return fns->create_array(task, elements);
}

redisReader *mer__redis_reader_new(struct redis_reader_fns *fns)
{
    redisReader *reader = redisReaderCreate();
    if (!reader)
        return NULL;
    fns->fns = *reader->fn;
    fns->create_array = fns->fns.createArray;
    fns->fns.createArray = create_array;
    reader->fn = &fns->fns;
    reader->privdata = fns;
    return reader;
}

bool mer__redis_has_library(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0;
}

bool mer__redis_needs(const redisReply *reply, uint32_t configured, uint32_t *out)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3 || reply->element[1]->type != REDIS_REPLY_INTEGER ||
        reply->element[2]->type != REDIS_REPLY_STRING)
        return false;
    unsigned n;
    const char *text = reply->element[2]->str, *end = number(text, REDIS_REPLICAS_MAX, &n);
    if (text[0] != 0 && (!end || *end != 0))
        return false;
    *out = text[0] == 0 || n == 0 ? configured : n;
    return true;
}

bool mer__redis_run_id(const redisReply *reply, char out[REDIS_RUN_ID_BYTES])
{
    const char *at = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, "run_id:") : NULL;
    size_t n = at ? strspn(at + 7, "0123456789abcdef") : 0;
    if (n + 1 != REDIS_RUN_ID_BYTES)
        return false;
    memcpy(out, at + 7, n);
    out[n] = 0;
    return true;
}
