/* SPDX-License-Identifier: Apache-2.0
 * ws.h - RFC 6455 as a client, without I/O: the handshake's texts and frames. Written from the RFC, apart from the edge's own framing, so
 * that a mistake there is not repeated here. Pure. */
#pragma once

#include <meridian/buf.h>
#include <meridian/rng.h>

enum { LOAD_WS_CONT = 0, LOAD_WS_TEXT = 1, LOAD_WS_BINARY = 2, LOAD_WS_CLOSE = 8, LOAD_WS_PING = 9, LOAD_WS_PONG = 10 };
enum { LOAD_WS_KEY_BYTES = 25, LOAD_WS_ACCEPT_BYTES = 29 }; /* with NUL */

/* A random Sec-WebSocket-Key and the Sec-WebSocket-Accept that answers it. */
void load_ws_key(const struct mer_rng *rng, char key[LOAD_WS_KEY_BYTES], char accept[LOAD_WS_ACCEPT_BYTES]);

/* The head of an answer. > 0: its length, *status is written, *retry_ms from Retry-After (0: none); a 101 with another accept or
 * subprotocol is status 0. 0: needs more bytes; -1: not HTTP. */
int load_ws_answer(const char *text, size_t len, const char *accept, const char *subprotocol, int *status, uint32_t *retry_ms);

struct load_frame {
    uint8_t opcode;
    bool fin;
    size_t header, len; /* bytes; the payload follows the header */
};
/* Header of a frame from a server. 1: *f is written (the payload may still be missing); 0: needs more bytes; -1: breaks the protocol. */
int load_ws_frame(const uint8_t *p, size_t n, struct load_frame *f);
/* Appends a whole masked frame. */
MER_MUST_CHECK enum mer_err load_ws_pack(struct mer_buf *out, uint8_t opcode, const void *data, size_t len, const struct mer_rng *rng);
