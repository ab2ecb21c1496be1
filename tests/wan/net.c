/* SPDX-License-Identifier: Apache-2.0
 * net.c - nodes, and which one a packet goes to (net.h). */
#include "tests/wan/net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <meridian/id.h>

static bool parse_network(const char *text, struct wan_node *n)
{
    char address[16], more;
    unsigned bits;
    struct in_addr in;
    if (sscanf(text, "%15[0-9.]/%2u%c", address, &bits, &more) != 2 || bits < 8 || bits > 32 || inet_pton(AF_INET, address, &in) != 1)
        return false;
    n->network = ntohl(in.s_addr);
    n->mask = UINT32_MAX << (32 - bits);
    return (n->network & ~n->mask) == 0;
}

static bool is_there(const struct wan_net *w, uint32_t node)
{
    return w->node[node].name[0] != '\0';
}

enum mer_err wan_net_add(struct wan_net *w, const char *name, const char *network, uint64_t seed)
{
    struct wan_node n = {{0}};
    if (!mer_id_is_plain(name, strlen(name), WAN_NAME_MAX) || !parse_network(network, &n))
        return MER_EINVALID;
    uint32_t place = 0;
    while (place < w->count && is_there(w, place))
        place++;
    if (place == WAN_NODES_MAX)
        return MER_EBUSY;
    snprintf(n.name, sizeof n.name, "%s", name);
    for (uint32_t i = 0; i < w->count; i++)
        if (i != place && is_there(w, i) &&
            (strcmp(w->node[i].name, name) == 0 || ((w->node[i].network ^ n.network) & w->node[i].mask & n.mask) == 0))
            return MER_EEXISTS;
    w->node[place] = n;
    w->count += place == w->count;
    for (uint32_t i = 0; i < w->count; i++) {
        wan_path_init(&w->path[i][place], seed ^ ((uint64_t)i << 32 | place));
        wan_path_init(&w->path[place][i], seed ^ ((uint64_t)place << 32 | i));
    }
    return MER_OK;
}

int wan_net_find(const struct wan_net *w, const char *name)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (is_there(w, i) && strcmp(w->node[i].name, name) == 0)
            return (int)i;
    return -1;
}

void wan_net_remove(struct wan_net *w, uint32_t node)
{
    w->node[node] = (struct wan_node){.name = ""};
}

int wan_net_route(struct wan_net *w, uint32_t from, const uint8_t *packet, size_t size)
{
    uint32_t to;
    if (size < 20 || packet[0] >> 4 != 4) {
        w->not_ipv4++;
        return -1;
    }
    memcpy(&to, packet + 16, sizeof to);
    to = ntohl(to);
    for (uint32_t i = 0; i < w->count; i++)
        if (i != from && is_there(w, i) && (to & w->node[i].mask) == w->node[i].network)
            return (int)i;
    w->nowhere++;
    return -1;
}
