/* SPDX-License-Identifier: Apache-2.0
 * proxy.c - PROXY v2. Only TCP over IPv4 and IPv6 is taken: whatever else a balancer says about a player is a configuration error, and
 * guessing an address would defeat the throttle. */
#include "edge/net/proxy.h"

#include <string.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static bool tlvs_fine(const uint8_t *p, size_t n)
{
    while (n != 0) {
        if (n < 3)
            return false;
        size_t len = (size_t)p[1] << 8 | p[2];
        if (len > n - 3)
            return false;
        p += 3 + len;
        n -= 3 + len;
    }
    return true;
}

int edge_proxy_parse(const uint8_t *p, size_t n, struct edge_addr *peer)
{
    size_t same = n < sizeof(signature) ? n : sizeof(signature);
    if (memcmp(p, signature, same) != 0)
        return -1;
    if (n < EDGE_PROXY_FIXED_BYTES)
        return 0;
    size_t len = (size_t)p[14] << 8 | p[15];
    bool local = p[12] == 0x20, v4 = p[13] == 0x11, v6 = p[13] == 0x21;
    if (!local && (p[12] != 0x21 || (!v4 && !v6)))
        return -1;
    size_t addresses = local ? 0 : v4 ? 12 : 36;
    if (len < addresses || len > EDGE_PROXY_MAX_BYTES - EDGE_PROXY_FIXED_BYTES || (!local && len - addresses > EDGE_PROXY_TLV_MAX))
        return -1;
    if (n < EDGE_PROXY_FIXED_BYTES + len)
        return 0;
    const uint8_t *a = p + EDGE_PROXY_FIXED_BYTES;
    if (!local && !tlvs_fine(a + addresses, len - addresses))
        return -1;
    if (!local && v4)
        edge_addr_from_v4(peer, a, (uint16_t)(a[8] << 8 | a[9]));
    else if (!local)
        edge_addr_from_v6(peer, a, (uint16_t)(a[32] << 8 | a[33]));
    return (int)(EDGE_PROXY_FIXED_BYTES + len);
}
