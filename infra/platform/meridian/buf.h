/* SPDX-License-Identifier: Apache-2.0
 * buf.h - growable bytes with a limit. Appending never writes beyond `limit`: MER_EBUSY then, MER_ENOMEM when memory is out; the content is
 * unchanged. */
#pragma once

#include <meridian/err.h>

struct mer_buf {
    uint8_t *data; /* NULL when nothing was ever appended, or after a trim */
    size_t len, cap, limit;
};

/* limit 0: none. */
void mer_buf_init(struct mer_buf *b, size_t limit);
void mer_buf_deinit(struct mer_buf *b);
MER_MUST_CHECK enum mer_err mer_buf_append(struct mer_buf *b, const void *data, size_t len);
MER_MUST_CHECK enum mer_err mer_buf_appends(struct mer_buf *b, const char *s);
MER_MUST_CHECK enum mer_err mer_buf_appendf(struct mer_buf *b, const char *fmt, ...) MER_PRINTF(2, 3);
/* Room for `extra` more bytes; on success b->data + b->len may be written and b->len raised by the caller. */
MER_MUST_CHECK enum mer_err mer_buf_reserve(struct mer_buf *b, size_t extra);
/* Drops n bytes from the front. */
void mer_buf_consume(struct mer_buf *b, size_t n);
/* Empty, memory kept. */
static inline void mer_buf_clear(struct mer_buf *b)
{
    b->len = 0;
}
/* Gives the memory back when the buffer is empty. */
void mer_buf_trim(struct mer_buf *b);
