/* SPDX-License-Identifier: Apache-2.0
 * addr.c - address texts and networks. One 16-byte form for both families keeps every table, throttle key and comparison single. */
#include "edge/net/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool edge_addr_is_v4(const struct edge_addr *a)
{
    return memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

void edge_addr_from_v4(struct edge_addr *a, const void *ip, uint16_t port)
{
    memcpy(a->ip, mapped, sizeof(mapped));
    memcpy(a->ip + sizeof(mapped), ip, 4);
    a->port = port;
}

void edge_addr_from_v6(struct edge_addr *a, const void *ip, uint16_t port)
{
    memcpy(a->ip, ip, sizeof(a->ip));
    a->port = port;
}

void edge_addr_text(const struct edge_addr *a, bool without_port, char out[EDGE_ADDR_TEXT_BYTES])
{
    char ip[INET6_ADDRSTRLEN] = "";
    bool v4 = edge_addr_is_v4(a);
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->ip + sizeof(mapped) : a->ip, ip, sizeof(ip));
    if (without_port)
        snprintf(out, EDGE_ADDR_TEXT_BYTES, "%s", ip);
    else
        snprintf(out, EDGE_ADDR_TEXT_BYTES, v4 ? "%s:%u" : "[%s]:%u", ip, a->port);
}

static bool host_bits_clear(const struct edge_cidr *c)
{
    for (unsigned bit = c->bits; bit < 128; bit++)
        if (c->ip[bit / 8] & (0x80 >> bit % 8))
            return false;
    return true;
}

enum mer_err edge_cidr_parse(struct edge_cidr *out, const char *text)
{
    char ip[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (len == 0 || len >= sizeof(ip))
        return MER_EINVALID;
    memcpy(ip, text, len);
    ip[len] = '\0';

    struct edge_cidr c = {{0}, 0};
    bool v4 = strchr(ip, ':') == NULL;
    if (v4)
        memcpy(c.ip, mapped, sizeof(mapped));
    if (inet_pton(v4 ? AF_INET : AF_INET6, ip, v4 ? c.ip + sizeof(mapped) : c.ip) != 1)
        return MER_EINVALID;
    unsigned long width = v4 ? 32 : 128, bits = width;
    if (slash != NULL) {
        char *end;
        bits = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > width)
            return MER_EINVALID;
    }
    c.bits = (uint8_t)(128 - width + bits);
    if (!host_bits_clear(&c))
        return MER_EINVALID;
    *out = c;
    return MER_OK;
}

bool edge_cidr_has(const struct edge_cidr *c, const struct edge_addr *a)
{
    unsigned whole = c->bits / 8, rest = c->bits % 8;
    if (memcmp(c->ip, a->ip, whole) != 0)
        return false;
    return rest == 0 || ((c->ip[whole] ^ a->ip[whole]) & (0xff00 >> rest) & 0xff) == 0;
}
