/* SPDX-License-Identifier: Apache-2.0
 * net_private.h - what net.c (sockets) and conn.c (WebSocket) share. */
#pragma once

#include "tests/load/net.h"

/* Sends the upgrade request. */
void load__conn_request(struct load_conn *c);
/* Bytes that arrived; the connection may be down afterwards. */
void load__conn_input(struct load_conn *c, const uint8_t *data, size_t len);
/* Sends what waits in `out`; false when the socket failed. */
bool load__conn_flush(struct load_conn *c);
void load__conn_watch(struct load_conn *c, bool write);
/* Down, told to the owner. */
void load__conn_fail(struct load_conn *c, const struct load_end *end);
void load__conn_fail_text(struct load_conn *c, const char *text);
