/* SPDX-License-Identifier: Apache-2.0
 * link_reader.c - cuts a byte stream into link frames (pure; the fuzz target's first half).
 *
 * Taken frames are dropped from the buffer at the next feed, not one by one: a read of many small frames costs one move, not one each.
 * The length is checked before anything waits for the body, so a peer cannot make us hold more than one frame and one read. */
#include <meridian/link.h>

enum { HEAD = 4 };

void mer_link_reader_init(struct mer_link_reader *r)
{
    mer_buf_init(&r->buf, 0);
    r->pos = 0;
}

void mer_link_reader_deinit(struct mer_link_reader *r)
{
    mer_buf_deinit(&r->buf);
    r->pos = 0;
}

void mer_link_reader_clear(struct mer_link_reader *r)
{
    mer_buf_clear(&r->buf);
    mer_buf_trim(&r->buf);
    r->pos = 0;
}

enum mer_err mer_link_reader_feed(struct mer_link_reader *r, const void *data, size_t len)
{
    if (r->pos > 0) {
        mer_buf_consume(&r->buf, r->pos);
        r->pos = 0;
    }
    return mer_buf_append(&r->buf, data, len);
}

enum mer_err mer_link_reader_next(struct mer_link_reader *r, const uint8_t **frame, size_t *len)
{
    size_t left = r->buf.len - r->pos;
    if (left < HEAD)
        return MER_EAGAIN;
    const uint8_t *p = r->buf.data + r->pos;
    uint32_t n = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    if (n == 0 || n > MER_LINK_FRAME_MAX)
        return MER_EINVALID;
    if (left < HEAD + (size_t)n)
        return MER_EAGAIN;
    *frame = p + HEAD;
    *len = n;
    r->pos += HEAD + n;
    return MER_OK;
}
