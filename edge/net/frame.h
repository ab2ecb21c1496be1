/* SPDX-License-Identifier: Apache-2.0
 * frame.h - RFC 6455 framing as a server, without I/O: bytes in, whole messages and control frames out. Pure.
 *
 * A reader exists only while something is incomplete: between messages its pointer is NULL, and a message that lies whole in the caller's
 * buffer is unmasked and handed out in place. Sizes are refused at the header, before anything is allocated for them. */
#pragma once

#include <meridian/buf.h>

#include "edge/net/utf8.h"

enum edge_frame_op { EDGE_OP_CONT = 0, EDGE_OP_TEXT = 1, EDGE_OP_BINARY = 2, EDGE_OP_CLOSE = 8, EDGE_OP_PING = 9, EDGE_OP_PONG = 10 };
enum { EDGE_FRAME_HEADER_MAX = 14, EDGE_FRAME_OUT_HEADER_MAX = 10, EDGE_CONTROL_MAX = 125 };

struct edge_frame {
    uint64_t len;
    uint8_t opcode;
    uint8_t header_len;
    bool fin;
    uint8_t mask[4];
};

/* Header of a frame from a client. 1: *f is written; 0: needs more bytes; -1: breaks the protocol (told as early as the bytes show it). */
int edge_frame_parse(const uint8_t *p, size_t n, struct edge_frame *f);
/* XORs with the mask; `at`: how many bytes of the payload came before p. */
void edge_frame_unmask(uint8_t *p, size_t n, const uint8_t mask[4], uint64_t at);
/* Writes the header of a whole unmasked frame; returns its length. */
size_t edge_frame_header(uint8_t out[EDGE_FRAME_OUT_HEADER_MAX], uint8_t opcode, uint64_t len);
/* Length of the frame (header and payload) that begins at p: one that edge_frame_header made. */
size_t edge_frame_out_len(const uint8_t *p);

/* Payload of a close frame from a peer: 0 and *code (1005 when empty), or the close code it must be answered with (1002, 1007). */
uint16_t edge_close_parse(const uint8_t *p, size_t n, uint16_t *code);

struct edge_reader_limits {
    uint32_t max_message_bytes, max_fragments;
};

struct edge_reader {
    struct edge_frame frame;
    uint64_t done;     /* payload bytes of `frame` seen */
    uint64_t since_ms; /* the caller's: when the message began */
    struct mer_buf message;
    uint32_t fragments;
    struct edge_utf8 utf8;
    uint8_t opcode; /* of the message in progress; 0: none */
    bool in_frame;
    uint8_t header_have;
    uint8_t header[EDGE_FRAME_HEADER_MAX];
    uint8_t control[EDGE_CONTROL_MAX];
};

enum edge_event_kind {
    EDGE_EVENT_NONE,    /* nothing whole yet: go on with the bytes that are left, if any */
    EDGE_EVENT_MESSAGE, /* opcode text or binary; text is valid UTF-8 */
    EDGE_EVENT_CONTROL, /* close, ping, pong: at most 125 bytes */
    EDGE_EVENT_FAIL     /* close with `code`; do not feed any more */
};
struct edge_event {
    enum edge_event_kind kind;
    uint8_t opcode;
    uint16_t code;
    uint8_t *data; /* in the caller's buffer or the reader's; valid until the next call */
    size_t len;
};

/* Takes bytes from data (which it may change) until one event; *used tells how many. *r is made when needed; call edge_reader_settle after
 * the event was handled. */
void edge_reader_next(struct edge_reader **r, const struct edge_reader_limits *limits, uint8_t *data, size_t len, size_t *used,
                      struct edge_event *ev);
/* Frees the reader when it holds nothing. */
void edge_reader_settle(struct edge_reader **r);
void edge_reader_free(struct edge_reader **r);
