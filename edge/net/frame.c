/* SPDX-License-Identifier: Apache-2.0
 * frame.c - frames of clients. The reader is resumable at every byte: a header in pieces is collected in 14 bytes, a payload in pieces goes
 * unmasked and checked into the message. Text is checked as it arrives, so that a bad byte ends the connection before the rest came.
 *
 * Invariants: opcode != 0 exactly while a data message is incomplete; header_have != 0 only outside a frame; message never grows beyond the
 * limit, because a frame that would make it is refused by its header. */
#include "edge/net/frame.h"

#include <string.h>

#include <meridian/mem.h>

enum { CODE_PROTOCOL = 1002, CODE_NONE = 1005, CODE_UTF8 = 1007, CODE_POLICY = 1008, CODE_TOO_BIG = 1009, CODE_INTERNAL = 1011 };

static bool is_control(uint8_t opcode)
{
    return (opcode & 8) != 0;
}

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

int edge_frame_parse(const uint8_t *p, size_t n, struct edge_frame *f)
{
    if (n == 0)
        return 0;
    uint8_t op = p[0] & 15;
    bool known = op <= EDGE_OP_BINARY || (op >= EDGE_OP_CLOSE && op <= EDGE_OP_PONG);
    if ((p[0] & 0x70) != 0 || !known || (is_control(op) && !(p[0] & 0x80)))
        return -1;
    if (n == 1)
        return 0;
    uint8_t short_len = p[1] & 0x7f;
    if (!(p[1] & 0x80) || (is_control(op) && short_len > EDGE_CONTROL_MAX))
        return -1;
    size_t ext = short_len == 127 ? 8 : short_len == 126 ? 2 : 0;
    if (n < 2 + ext)
        return 0;
    uint64_t len = ext == 0 ? short_len : big_endian(p + 2, ext);
    if ((ext == 2 && len < 126) || (ext == 8 && (len <= 0xffff || len >> 63 != 0)))
        return -1;
    if (n < 2 + ext + 4)
        return 0;
    f->len = len;
    f->opcode = op;
    f->fin = (p[0] & 0x80) != 0;
    f->header_len = (uint8_t)(2 + ext + 4);
    memcpy(f->mask, p + 2 + ext, 4);
    return 1;
}

void edge_frame_unmask(uint8_t *p, size_t n, const uint8_t mask[4], uint64_t at)
{
    uint8_t turned[8];
    for (size_t i = 0; i < sizeof(turned); i++)
        turned[i] = mask[(at + i) & 3];
    uint64_t wide, word;
    memcpy(&wide, turned, sizeof(wide));
    size_t i = 0;
    for (; i + sizeof(word) <= n; i += sizeof(word)) {
        memcpy(&word, p + i, sizeof(word));
        word ^= wide;
        memcpy(p + i, &word, sizeof(word));
    }
    for (; i < n; i++)
        p[i] ^= turned[i & 7];
}

size_t edge_frame_header(uint8_t out[EDGE_FRAME_OUT_HEADER_MAX], uint8_t opcode, uint64_t len)
{
    out[0] = (uint8_t)(0x80 | opcode);
    if (len < 126) {
        out[1] = (uint8_t)len;
        return 2;
    }
    size_t ext = len <= 0xffff ? 2 : 8;
    out[1] = ext == 2 ? 126 : 127;
    for (size_t i = 0; i < ext; i++)
        out[2 + i] = (uint8_t)(len >> 8 * (ext - 1 - i));
    return 2 + ext;
}

size_t edge_frame_out_len(const uint8_t *p)
{
    size_t ext = p[1] == 127 ? 8 : p[1] == 126 ? 2 : 0;
    return 2 + ext + (ext == 0 ? p[1] : (size_t)big_endian(p + 2, ext));
}

uint16_t edge_close_parse(const uint8_t *p, size_t n, uint16_t *code)
{
    if (n == 0) {
        *code = CODE_NONE;
        return 0;
    }
    if (n == 1)
        return CODE_PROTOCOL;
    uint16_t c = (uint16_t)big_endian(p, 2);
    bool fine = (c >= 1000 && c <= 1003) || (c >= 1007 && c <= 1014) || (c >= 3000 && c <= 4999);
    if (!fine)
        return CODE_PROTOCOL;
    struct edge_utf8 u = {0};
    if (!edge_utf8_feed(&u, p + 2, n - 2) || !edge_utf8_done(&u))
        return CODE_UTF8;
    *code = c;
    return 0;
}

static void fail(struct edge_event *ev, uint16_t code)
{
    *ev = (struct edge_event){.kind = EDGE_EVENT_FAIL, .code = code};
}

/* 0, or the code a frame with this header is refused with here. */
static uint16_t refuse(const struct edge_reader *r, const struct edge_reader_limits *limits, const struct edge_frame *f)
{
    if (is_control(f->opcode))
        return 0;
    bool inside = r != NULL && r->opcode != 0;
    if (inside != (f->opcode == EDGE_OP_CONT))
        return CODE_PROTOCOL;
    size_t have = inside ? r->message.len : 0;
    if (f->len > limits->max_message_bytes - have)
        return CODE_TOO_BIG;
    /* Empty fragments are not size but a way to keep us busy. */
    if (inside && r->fragments >= limits->max_fragments)
        return have == 0 ? CODE_POLICY : CODE_TOO_BIG;
    return 0;
}

/* A whole frame in the caller's buffer that needs no memory: control, or a message of one frame. */
static void whole(const struct edge_frame *f, uint8_t *payload, struct edge_event *ev)
{
    edge_frame_unmask(payload, (size_t)f->len, f->mask, 0);
    if (f->opcode == EDGE_OP_TEXT) {
        struct edge_utf8 u = {0};
        if (!edge_utf8_feed(&u, payload, (size_t)f->len) || !edge_utf8_done(&u)) {
            fail(ev, CODE_UTF8);
            return;
        }
    }
    *ev = (struct edge_event){.kind = is_control(f->opcode) ? EDGE_EVENT_CONTROL : EDGE_EVENT_MESSAGE,
                              .opcode = f->opcode,
                              .data = payload,
                              .len = (size_t)f->len};
}

static void frame_begins(struct edge_reader *r, const struct edge_frame *f)
{
    r->frame = *f;
    r->done = 0;
    r->in_frame = true;
    if (is_control(f->opcode))
        return;
    if (f->opcode != EDGE_OP_CONT) {
        r->opcode = f->opcode;
        r->fragments = 0;
        r->utf8 = (struct edge_utf8){0};
    }
    r->fragments++;
}

static void frame_ends(struct edge_reader *r, struct edge_event *ev)
{
    r->in_frame = false;
    if (is_control(r->frame.opcode)) {
        *ev = (struct edge_event){.kind = EDGE_EVENT_CONTROL, .opcode = r->frame.opcode, .data = r->control, .len = (size_t)r->frame.len};
        return;
    }
    if (!r->frame.fin)
        return;
    if (r->opcode == EDGE_OP_TEXT && !edge_utf8_done(&r->utf8)) {
        fail(ev, CODE_UTF8);
        return;
    }
    *ev = (struct edge_event){.kind = EDGE_EVENT_MESSAGE, .opcode = r->opcode, .data = r->message.data, .len = r->message.len};
    r->opcode = 0;
}

static size_t payload(struct edge_reader *r, uint8_t *p, size_t n, struct edge_event *ev)
{
    if (n > r->frame.len - r->done)
        n = (size_t)(r->frame.len - r->done);
    edge_frame_unmask(p, n, r->frame.mask, r->done);
    if (is_control(r->frame.opcode)) {
        memcpy(r->control + r->done, p, n);
    } else {
        if (r->opcode == EDGE_OP_TEXT && !edge_utf8_feed(&r->utf8, p, n)) {
            fail(ev, CODE_UTF8);
            return n;
        }
        if (n != 0 && mer_buf_append(&r->message, p, n) != MER_OK) {
            fail(ev, CODE_INTERNAL);
            return n;
        }
    }
    r->done += n;
    if (r->done == r->frame.len)
        frame_ends(r, ev);
    return n;
}

static struct edge_reader *need_reader(struct edge_reader **r, const struct edge_reader_limits *limits)
{
    if (*r == NULL) {
        *r = mer_try_calloc(1, sizeof(**r));
        if (*r != NULL)
            mer_buf_init(&(*r)->message, limits->max_message_bytes);
    }
    return *r;
}

/* Goes on with a header that came in pieces. Returns what edge_frame_parse says; *used bytes were taken. */
static int more_header(struct edge_reader *r, const uint8_t *data, size_t len, size_t *used, struct edge_frame *f)
{
    size_t room = EDGE_FRAME_HEADER_MAX - r->header_have;
    size_t n = len < room ? len : room;
    memcpy(r->header + r->header_have, data, n);
    int got = edge_frame_parse(r->header, r->header_have + n, f);
    if (got > 0) {
        *used = (size_t)f->header_len - r->header_have;
        r->header_have = 0;
    } else {
        *used = n;
        r->header_have = (uint8_t)(r->header_have + n);
    }
    return got;
}

void edge_reader_next(struct edge_reader **rp, const struct edge_reader_limits *limits, uint8_t *data, size_t len, size_t *used,
                      struct edge_event *ev)
{
    struct edge_reader *r = *rp;
    *used = 0;
    *ev = (struct edge_event){.kind = EDGE_EVENT_NONE};
    if (r == NULL || !r->in_frame) {
        struct edge_frame f;
        bool fresh = r == NULL || r->header_have == 0;
        int got = fresh ? edge_frame_parse(data, len, &f) : more_header(r, data, len, used, &f);
        if (got < 0) {
            fail(ev, CODE_PROTOCOL);
            return;
        }
        if (got > 0) {
            uint16_t code = refuse(r, limits, &f);
            if (code != 0) {
                fail(ev, code);
                return;
            }
            if (fresh && (is_control(f.opcode) || (f.fin && f.opcode != EDGE_OP_CONT)) && f.len <= len - f.header_len) {
                *used = f.header_len + (size_t)f.len;
                whole(&f, data + f.header_len, ev);
                return;
            }
        } else if (!fresh) {
            return;
        }
        r = need_reader(rp, limits);
        if (r == NULL) {
            fail(ev, CODE_INTERNAL);
            return;
        }
        if (got == 0) {
            memcpy(r->header, data, len);
            r->header_have = (uint8_t)len;
            *used = len;
            return;
        }
        if (fresh)
            *used = f.header_len;
        frame_begins(r, &f);
    }
    *used += payload(r, data + *used, len - *used, ev);
}

void edge_reader_settle(struct edge_reader **r)
{
    if (*r != NULL && (*r)->opcode == 0 && !(*r)->in_frame && (*r)->header_have == 0)
        edge_reader_free(r);
}

void edge_reader_free(struct edge_reader **r)
{
    if (*r == NULL)
        return;
    mer_buf_deinit(&(*r)->message);
    mer_free(r);
}
