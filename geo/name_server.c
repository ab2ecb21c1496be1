/* SPDX-License-Identifier: Apache-2.0
 * name_server.c - name_server.h. Refused early, because gdnsd takes a zone whose name servers nobody can find. Next: plan.c. */
#include "geo/name_server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_host_name(const char *name)
{
    size_t label = 0;
    for (const char *c = name;; c++) {
        bool ends = *c == '.' || *c == '\0';
        if (ends && (label == 0 || c[-1] == '-'))
            return false;
        if (*c == '\0')
            return true;
        if (!ends && !islower((unsigned char)*c) && !isdigit((unsigned char)*c) && (*c != '-' || label == 0))
            return false;
        label = ends ? 0 : label + 1;
        if (label > 63)
            return false;
    }
}

static bool take_name(struct geo_name_server *s, const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof s->name)
        return false;
    for (size_t i = 0; i < len; i++)
        s->name[i] = (char)tolower((unsigned char)text[i]);
    s->name[len] = '\0';
    return is_host_name(s->name);
}

/* The part of the name before the zone, 0 when it lies elsewhere. */
static size_t inside(const char *name, const char *zone)
{
    size_t all = strlen(name), tail = strlen(zone);
    return all > tail + 1 && name[all - tail - 1] == '.' && strcasecmp(name + all - tail, zone) == 0 ? all - tail - 1 : 0;
}

static bool taken(const struct geo_footprint *f, const char *label, size_t len)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (strlen(f->region[i].name) == len && strncasecmp(f->region[i].name, label, len) == 0)
            return true;
    return len == strlen("generation") && strncmp(label, "generation", len) == 0;
}

/* Where a server can be found by others: "any", 0.0.0.0 and :: are no such place. */
static bool take_address(struct geo_name_server *s, const char *text, size_t len)
{
    unsigned char bytes[16] = {0};
    char *address = s->address[s->address_count];
    if (len == 0 || len >= sizeof s->address[0])
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    bool v6 = geo_address_is_v6(address);
    static const unsigned char nowhere[16];
    if (inet_pton(v6 ? AF_INET6 : AF_INET, address, bytes) != 1 || memcmp(bytes, nowhere, sizeof nowhere) == 0)
        return false;
    s->address_count++;
    return true;
}

static enum mer_err refuse(struct mer_msg *msg, const char *text, const char *why)
{
    mer_msgf(msg, "--name-server %.200s: %s", text, why);
    return MER_EINVALID;
}

enum mer_err geo_name_server_parse(struct geo_name_server *s, const struct geo_footprint *f, const char *text, struct mer_msg *msg)
{
    struct geo_name_server made = {.address_count = 0};
    const char *equals = strchr(text, '=');
    if (!take_name(&made, text, equals != NULL ? (size_t)(equals - text) : strlen(text)))
        return refuse(msg, text, "not a host name");
    for (const char *at = equals; at != NULL && *at != '\0';) {
        size_t len = strcspn(++at, ",");
        if (made.address_count == GEO_NAME_SERVER_ADDRESSES_MAX)
            return refuse(msg, text, "at most 4 addresses");
        if (!take_address(&made, at, len))
            return refuse(msg, text, "not an address that others could reach");
        at += len;
    }
    size_t label = inside(made.name, f->zone);
    if (strcasecmp(made.name, f->zone) == 0 || (label > 0 && taken(f, made.name, label)))
        return refuse(msg, text, "a name that players ask for");
    if (label > 0 && made.address_count == 0)
        return refuse(msg, text, "lies in the zone, so only the zone can tell its address: NAME=ADDRESS");
    if (label == 0 && made.address_count > 0)
        return refuse(msg, text, "lies in another zone, which alone tells its address");
    *s = made;
    return MER_OK;
}

enum mer_err geo_name_server_default(struct geo_name_server *s, const struct geo_footprint *f, const char *const *listen,
                                     struct mer_msg *msg)
{
    struct geo_name_server made = {.address_count = 0};
    if (snprintf(made.name, sizeof made.name, "ns1.%s", f->zone) >= (int)sizeof made.name)
        return refuse(msg, f->zone, "too long a zone for ns1 before it");
    for (; *listen != NULL && made.address_count < GEO_NAME_SERVER_ADDRESSES_MAX; listen++) {
        const char *host = **listen == '[' ? *listen + 1 : *listen, *end = strrchr(host, **listen == '[' ? ']' : ':');
        if (end != NULL)
            (void)take_address(&made, host, (size_t)(end - host)); /* others may do */
    }
    if (made.address_count == 0)
        return refuse(msg, made.name, "--listen does not tell where it is found: NAME=ADDRESS");
    *s = made;
    return MER_OK;
}
