/* SPDX-License-Identifier: Apache-2.0
 * buf.c - growable bytes. Capacity doubles, but never beyond the limit, so a bounded buffer costs at most its bound. */
#include <meridian/buf.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

enum { FIRST_BYTES = 64 };

void mer_buf_init(struct mer_buf *b, size_t limit)
{
    memset(b, 0, sizeof(*b));
    b->limit = limit;
}

void mer_buf_deinit(struct mer_buf *b)
{
    mer_free(&b->data);
    b->len = b->cap = 0;
}

enum mer_err mer_buf_reserve(struct mer_buf *b, size_t extra)
{
    size_t most = b->limit ? b->limit : SIZE_MAX / 2;
    size_t cap = b->cap ? b->cap : FIRST_BYTES;
    uint8_t *data;

    if (b->len > most || extra > most - b->len)
        return MER_EBUSY;
    if (extra <= b->cap - b->len && b->data)
        return MER_OK;
    while (cap < b->len + extra)
        cap *= 2;
    if (cap > most)
        cap = most;
    data = mer_try_realloc(b->data, cap);
    if (!data)
        return MER_ENOMEM;
    b->data = data;
    b->cap = cap;
    return MER_OK;
}

enum mer_err mer_buf_append(struct mer_buf *b, const void *data, size_t len)
{
    enum mer_err err = len ? mer_buf_reserve(b, len) : MER_OK;

    if (err == MER_OK && len) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
    }
    return err;
}

enum mer_err mer_buf_appends(struct mer_buf *b, const char *s)
{
    return mer_buf_append(b, s, strlen(s));
}

enum mer_err mer_buf_appendf(struct mer_buf *b, const char *fmt, ...)
{
    char small[256];
    enum mer_err err;
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (len < 0)
        return MER_EINVALID;
    if ((size_t)len < sizeof(small))
        return mer_buf_append(b, small, (size_t)len);
    /* the NUL of vsnprintf may not go beyond the limit, so the long case is formatted beside the buffer */
    char *big = mer_try_malloc((size_t)len + 1);
    if (!big)
        return MER_ENOMEM;
    va_start(args, fmt);
    vsnprintf(big, (size_t)len + 1, fmt, args);
    va_end(args);
    err = mer_buf_append(b, big, (size_t)len);
    mer_free(&big);
    return err;
}

void mer_buf_consume(struct mer_buf *b, size_t n)
{
    MER_ASSERT(n <= b->len);
    b->len -= n;
    if (b->len && n)
        memmove(b->data, b->data + n, b->len);
}

void mer_buf_trim(struct mer_buf *b)
{
    if (b->len)
        return;
    mer_free(&b->data);
    b->cap = 0;
}
