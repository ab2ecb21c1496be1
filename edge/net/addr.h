/* SPDX-License-Identifier: Apache-2.0
 * addr.h - addresses of players: one form for IPv4 and IPv6 (IPv4 is mapped into ::ffff:0:0/96), and networks to match them with. Pure. */
#pragma once

#include <meridian/err.h>

struct edge_addr {
    uint8_t ip[16];
    uint16_t port;
};

enum { EDGE_ADDR_TEXT_BYTES = 64 };

bool edge_addr_is_v4(const struct edge_addr *a);
/* ip: 4 or 16 bytes in network order; port in the machine's. */
void edge_addr_from_v4(struct edge_addr *a, const void *ip, uint16_t port);
void edge_addr_from_v6(struct edge_addr *a, const void *ip, uint16_t port);
/* "192.0.2.1:443" or "[2001:db8::1]:443"; the address part alone without_port. */
void edge_addr_text(const struct edge_addr *a, bool without_port, char out[EDGE_ADDR_TEXT_BYTES]);

struct edge_cidr {
    uint8_t ip[16];
    uint8_t bits; /* 0-128, counted in the mapped form */
};

/* "10.0.0.0/8", "2001:db8::/32", or a single address. Host bits that are set are an error. */
MER_MUST_CHECK enum mer_err edge_cidr_parse(struct edge_cidr *out, const char *text);
bool edge_cidr_has(const struct edge_cidr *c, const struct edge_addr *a);
