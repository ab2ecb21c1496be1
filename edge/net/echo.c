/* SPDX-License-Identifier: Apache-2.0
 * echo.c - /v1/echo: every message back as it came, for measuring round trips and for conformance. */
#include "edge/net/http.h"

static void on_message(struct edge_conn *c, enum edge_opcode op, uint8_t *data, size_t len)
{
    edge_conn_send(c, op, data, len);
}

static void on_closed(struct edge_conn *c, uint16_t code)
{
    (void)c;
    (void)code;
}

struct edge_upgrade_route edge_echo_route(const char *path)
{
    static const struct edge_conn_ops ops = {on_message, on_closed};
    return (struct edge_upgrade_route){.path = path, .ops = &ops};
}
