/* SPDX-License-Identifier: Apache-2.0
 * proxy.h - the PROXY protocol header, version 2 (haproxy's proxy-protocol.txt, section 2.2), as a receiver behind balancers. Pure. */
#pragma once

#include "edge/net/addr.h"

/* 16 fixed bytes, addresses, and at most 1 KiB of TLVs, which are checked and skipped. */
enum { EDGE_PROXY_FIXED_BYTES = 16, EDGE_PROXY_TLV_MAX = 1024, EDGE_PROXY_MAX_BYTES = EDGE_PROXY_FIXED_BYTES + 36 + EDGE_PROXY_TLV_MAX };

/* Length of the whole header; 0: needs more bytes; -1: not one, or one we do not take (UDP, unix, unknown command, too long). With LOCAL
 * (the balancer's own health checks) *peer is left as it was. */
int edge_proxy_parse(const uint8_t *p, size_t n, struct edge_addr *peer);
