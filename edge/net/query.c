/* SPDX-License-Identifier: Apache-2.0
 * query.c - one value out of a query string, decoded strictly. */
#include <string.h>

#include "edge/net/handshake.h"

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum mer_err decode(const char *p, size_t n, char *out, size_t out_bytes)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)p[i];
        if (c == '%') {
            if (n - i < 3 || hex(p[i + 1]) < 0 || hex(p[i + 2]) < 0)
                return MER_EINVALID;
            c = hex(p[i + 1]) << 4 | hex(p[i + 2]);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c == 0)
            return MER_EINVALID;
        if (len + 1 >= out_bytes)
            return MER_ERANGE;
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return MER_OK;
}

enum mer_err edge_query_get(struct edge_text query, const char *name, char *out, size_t out_bytes)
{
    const char *value = NULL;
    size_t value_len = 0, name_len = strlen(name);
    const char *p = query.p, *end = query.p + query.len;
    while (p < end) {
        const char *amp = memchr(p, '&', (size_t)(end - p));
        size_t len = (size_t)((amp != NULL ? amp : end) - p);
        if (len >= name_len && memcmp(p, name, name_len) == 0 && (len == name_len || p[name_len] == '=')) {
            if (value != NULL)
                return MER_EINVALID;
            value = p + name_len + (len > name_len);
            value_len = len - name_len - (len > name_len);
        }
        p += len + (amp != NULL);
    }
    return value == NULL ? MER_ENOTFOUND : decode(value, value_len, out, out_bytes);
}
