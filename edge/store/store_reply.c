/* SPDX-License-Identifier: Apache-2.0
 * store_reply.c - the library's replies (top of infra/redis/meridian1.lua) as structs. Everything is checked: a reply of another shape
 * comes from another library or a broken peer. The third element (replicas that must have it) is the client's business: meridian/redis.h.
 */
#include "edge/store/store_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct edge_stored edge__store_nothing = {.owner = ""};
const struct edge_player edge__store_nobody = {
    .game = "", .game_owner = "", .ticket = "", .ticket_edge = "", .previous_edge = "", .previous_session = ""};

static bool text(const redisReply *e, const char **out)
{
    if (e->type != REDIS_REPLY_STRING)
        return false;
    *out = e->str;
    return true;
}

/* "" is 0. */
static bool number(const redisReply *e, int base, uint64_t *out)
{
    if (e->type != REDIS_REPLY_STRING || (size_t)e->len > 20)
        return false;
    const char *digits = base == 16 ? "0123456789abcdef" : "0123456789";
    if (strspn(e->str, digits) != (size_t)e->len)
        return false;
    errno = 0;
    *out = strtoull(e->str, NULL, base);
    return errno == 0;
}

static bool time_ms(const redisReply *e, uint64_t *out)
{
    if (e->type != REDIS_REPLY_INTEGER || e->integer <= 0)
        return false;
    *out = (uint64_t)e->integer;
    return true;
}

static bool status(const redisReply *e, enum edge_store_result *out)
{
    static const struct {
        const char *word;
        enum edge_store_result result;
    } table[] = {
        {"OK", EDGE_STORE_OK},         {"DUP", EDGE_STORE_DUP},           {"FENCED", EDGE_STORE_FENCED}, {"GAP", EDGE_STORE_GAP},
        {"ABSENT", EDGE_STORE_ABSENT}, {"EXISTS", EDGE_STORE_EXISTS},     {"VOID", EDGE_STORE_VOIDED},   {"LOST", EDGE_STORE_LOST},
        {"GAME", EDGE_STORE_HAS_GAME}, {"TICKET", EDGE_STORE_HAS_TICKET}, {"ASIDE", EDGE_STORE_ASIDE},
    };
    if (e->type != REDIS_REPLY_STRING)
        return false;
    for (size_t i = 0; i < MER_COUNT(table); i++)
        if (strcmp(e->str, table[i].word) == 0) {
            *out = table[i].result;
            return true;
        }
    return false;
}

bool edge__store_decode_game(const redisReply *reply, enum edge_store_result *result, struct edge_stored *out)
{
    *out = edge__store_nothing;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 9)
        return false;
    redisReply **e = reply->element;
    if (!status(e[0], result) || !time_ms(e[1], &out->time_ms) || !number(e[3], 10, &out->version) ||
        !number(e[4], 10, &out->fence.generation) || !number(e[5], 10, &out->fence.epoch) || !number(e[6], 16, &out->fence.nonce) ||
        !text(e[7], &out->owner) || e[8]->type != REDIS_REPLY_STRING)
        return false;
    out->record = (const uint8_t *)e[8]->str;
    out->record_len = (size_t)e[8]->len;
    return true;
}

static bool decode_devices(const redisReply *list, struct edge_player *out, struct edge_device *devices)
{
    if (list->type != REDIS_REPLY_ARRAY || list->elements % 3 != 0 || list->elements / 3 > EDGE_STORE_DEVICES_MAX)
        return false;
    for (size_t i = 0; i < list->elements / 3; i++) {
        redisReply **e = &list->element[i * 3];
        if (!text(e[0], &devices[i].device) || !text(e[1], &devices[i].edge) || !text(e[2], &devices[i].session))
            return false;
    }
    out->devices = devices;
    out->device_count = list->elements / 3;
    return true;
}

bool edge__store_decode_player(const redisReply *reply, enum edge_store_result *result, struct edge_player *out,
                               struct edge_device devices[EDGE_STORE_DEVICES_MAX])
{
    *out = edge__store_nobody;
    if (reply->type != REDIS_REPLY_ARRAY || (reply->elements != 11 && reply->elements != 12))
        return false;
    redisReply **e = reply->element;
    if (reply->elements == 12 && !number(e[11], 10, &out->waiting_events))
        return false;
    return status(e[0], result) && time_ms(e[1], &out->time_ms) && text(e[3], &out->game) && text(e[4], &out->game_owner) &&
           text(e[5], &out->ticket) && text(e[6], &out->ticket_edge) && number(e[7], 10, &out->ticket_expires_at_ms) &&
           text(e[8], &out->previous_edge) && text(e[9], &out->previous_session) && decode_devices(e[10], out, devices);
}
